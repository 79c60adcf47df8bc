//! HTTP/2 as it passes (RFC 9113): which frames there are, and how many a client may send for
//! nothing.
//!
//! The library counts resets and the frames of a head, and answers everything else for as long as it
//! comes. [`Patience`] counts the rest: what a client sends beside its requests is bounded by what
//! becomes of them, and by time. It knows frames by their heads and looks at nothing else.

use std::time::Duration;

/// One frame, by its head (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type; section 6, any octet.
    pub kind: u8,
    /// Octets of it that are content, without padding; 0 of frames other than DATA.
    pub content: u32,
}

impl Frame {
    /// DATA.
    pub const DATA: u8 = 0;
    /// HEADERS.
    pub const HEADERS: u8 = 1;
    /// WINDOW_UPDATE.
    pub const WINDOW_UPDATE: u8 = 8;
}

/// Finds the frames in octets of one direction, in whatever pieces they come.
#[derive(Clone, Debug)]
pub struct Frames {
    /// Octets that follow and are none of a head: of the preface, of a payload.
    skipped: usize,
    /// What has come of a head, and of padded DATA the length of the padding.
    head: [u8; PADDED_HEAD],
    held: usize,
}

impl Frames {
    /// Of a client, which begins with the preface (section 3.4). Whether it is one is the library's
    /// to say.
    #[must_use]
    pub fn of_client() -> Self {
        Self {
            skipped: PREFACE,
            ..Self::of_server()
        }
    }

    /// Of a server.
    #[must_use]
    pub fn of_server() -> Self {
        Self {
            skipped: 0,
            head: [0; PADDED_HEAD],
            held: 0,
        }
    }

    /// Takes octets in, and tells of each frame when its head is whole.
    pub fn take(&mut self, mut octets: &[u8], mut each: impl FnMut(Frame)) {
        while !octets.is_empty() {
            if self.skipped > 0 {
                let count = self.skipped.min(octets.len());
                self.skipped -= count;
                octets = octets.get(count..).unwrap_or_default();
                continue;
            }
            let missing = self.wanted() - self.held;
            let (more, rest) = octets.split_at(missing.min(octets.len()));
            if let Some(to) = self.head.get_mut(self.held..self.held + more.len()) {
                to.copy_from_slice(more);
            }
            self.held += more.len();
            octets = rest;
            // Of padded DATA one octet more is wanted when the rest is there.
            if self.held == self.wanted() {
                each(self.frame());
            }
        }
    }

    /// Whether everything so far was whole frames.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.held == 0 && self.skipped == 0
    }

    /// Octets of the head that has begun, as far as that is known.
    fn wanted(&self) -> usize {
        if self.held >= HEAD && self.is_padded() {
            PADDED_HEAD
        } else {
            HEAD
        }
    }

    /// Whether the head is that of DATA that says how much of it is padding (section 6.1).
    fn is_padded(&self) -> bool {
        let [_, _, _, kind, flags, ..] = self.head;
        kind == Frame::DATA && flags & FLAG_PADDED != 0 && self.length() > 0
    }

    fn length(&self) -> u32 {
        let [a, b, c, ..] = self.head;
        u32::from_be_bytes([0, a, b, c])
    }

    /// The frame whose head is whole.
    fn frame(&mut self) -> Frame {
        let [_, _, _, kind, .., padding] = self.head;
        let length = self.length();
        let mut content = if kind == Frame::DATA { length } else { 0 };
        let mut follows = length;
        if self.is_padded() {
            follows -= 1;
            content = follows.saturating_sub(u32::from(padding));
        }
        self.skipped = usize::try_from(follows).unwrap_or(usize::MAX);
        self.held = 0;
        Frame { kind, content }
    }
}

/// How much a client may still send beside its requests.
///
/// Every frame that is neither HEADERS nor DATA with content costs one of a stock, which progress
/// fills up again: answers, content in either direction, time. A WINDOW_UPDATE costs nothing of it as
/// long as what was sent to the client is a reason for it.
#[derive(Clone, Debug)]
pub struct Patience {
    left: u32,
    updates: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            left: STOCK,
            updates: 0,
        }
    }
}

impl Patience {
    /// A frame has come; false if it is one too many.
    #[must_use]
    pub fn receive(&mut self, frame: Frame) -> bool {
        match frame.kind {
            // What becomes of it counts when it is sent. The library counts those that it refuses.
            Frame::HEADERS => return true,
            Frame::DATA if frame.content > 0 => {
                self.give(FOR_CONTENT);
                return true;
            }
            Frame::WINDOW_UPDATE if self.updates > 0 => {
                self.updates -= 1;
                return true;
            }
            _ => {}
        }
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// A frame was sent.
    pub fn send(&mut self, frame: Frame) {
        match frame.kind {
            Frame::HEADERS => self.give(FOR_ANSWER),
            Frame::DATA if frame.content > 0 => {
                self.give(FOR_CONTENT);
                let updates = 2 + u64::from(frame.content / OCTETS_PER_UPDATE);
                self.updates = self.updates.saturating_add(updates);
            }
            _ => {}
        }
    }

    /// So much time has passed since it was last told of.
    pub fn wait(&mut self, time: Duration) {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        self.give(millis / MILLIS_PER_FRAME);
    }

    fn give(&mut self, count: u32) {
        self.left = self.left.saturating_add(count).min(STOCK);
    }
}

/// Octets of a head (section 4.1).
const HEAD: usize = 9;
/// The same with the length of the padding.
const PADDED_HEAD: usize = HEAD + 1;
/// Octets of a client's preface (section 3.4).
const PREFACE: usize = 24;
/// The flag PADDED (section 6.1).
const FLAG_PADDED: u8 = 8;

/// Frames that may come for nothing at once. Browsers send some ten when they begin; a page that is
/// left resets what it had asked for, some hundred at most.
const STOCK: u32 = 1000;
/// Frames that an answer is a reason for: priorities, a reset, a question whether we are there.
const FOR_ANSWER: u32 = 16;
/// Frames that a piece of content is a reason for: a question how long it took, acknowledgements of
/// ours.
const FOR_CONTENT: u32 = 4;
/// One WINDOW_UPDATE for so much content is a client's that reads in small pieces. One for the stream
/// and one for the connection come with each DATA, however short.
const OCTETS_PER_UPDATE: u32 = 512;
/// One frame for so much time harms nobody: ten a second.
const MILLIS_PER_FRAME: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Frame = Frame {
        kind: 6,
        content: 0,
    };
    const UPDATE: Frame = Frame {
        kind: Frame::WINDOW_UPDATE,
        content: 0,
    };
    const HEADERS: Frame = Frame {
        kind: Frame::HEADERS,
        content: 0,
    };

    const fn data(content: u32) -> Frame {
        Frame {
            kind: Frame::DATA,
            content,
        }
    }

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![a, b, c, kind, flags, 0, 0, 0, 1];
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_are_found_in_whatever_pieces_they_come_rfc9113_4_1() {
        let mut octets = vec![b'p'; PREFACE];
        let mut expected = Vec::new();
        for (kind, flags, payload, content) in [
            (4, 0, &[][..], 0),
            (1, 4, &[0x88][..], 0),
            (0, 0, &[1; 300][..], 300),
            (0, 0, &[][..], 0),
            (0, 8, &[][..], 0),
            (0, 8, &[0][..], 0),
            (0, 8, &[2, 7, 0, 0][..], 1),
            (0, 8, &[9, 0][..], 0),
            (6, 8, &[8; 8][..], 0),
            (0xfa, 0xff, &[1, 2, 3][..], 0),
            (0, 9, &[0, 1][..], 1),
        ] {
            octets.extend(frame(kind, flags, payload));
            expected.push(Frame { kind, content });
        }
        for by in [1, 2, 9, 10, 11, 1000] {
            let mut frames = Frames::of_client();
            let mut found = Vec::new();
            for piece in octets.chunks(by) {
                frames.take(piece, |frame| found.push(frame));
            }
            assert_eq!(found, expected, "in pieces of {by}");
            assert!(frames.is_between(), "in pieces of {by}");
        }
        let mut frames = Frames::of_server();
        let settings = frame(4, 0, &[0; 6]);
        for octet in &settings[..settings.len() - 1] {
            frames.take(&[*octet], |_| {});
            assert!(!frames.is_between());
        }
    }

    #[test]
    fn what_comes_for_nothing_has_an_end() {
        for kind in [0, 2, 3, 4, 5, 6, 7, 8, 9, 0xfa] {
            let mut patience = Patience::default();
            let frame = Frame { kind, content: 0 };
            let taken = (0..10_000).take_while(|_| patience.receive(frame)).count();
            assert_eq!(taken, 1000, "type {kind}");
            patience.wait(Duration::from_millis(99));
            assert!(!patience.receive(frame), "type {kind}");
            patience.wait(Duration::from_millis(100));
            assert!(patience.receive(frame) && !patience.receive(frame));
            patience.wait(Duration::from_hours(24));
            let taken = (0..10_000).take_while(|_| patience.receive(frame)).count();
            assert_eq!(taken, 1000, "no more than at first");
        }
    }

    #[test]
    fn a_client_that_reads_in_small_pieces_may_tell_of_each() {
        let mut patience = Patience::default();
        // 100 MB, of which it says so every 600 octets, for the stream and not for the connection,
        // and all of it late.
        for _ in 0..6_400 {
            patience.send(data(16_384));
        }
        for count in 0..170_000 {
            assert!(patience.receive(UPDATE), "{count}");
        }
        // A server that sends an octet at a time.
        for count in 0..10_000 {
            patience.send(data(1));
            assert!(patience.receive(UPDATE) && patience.receive(UPDATE));
            assert!(patience.receive(PING), "{count}");
        }
    }

    #[test]
    fn requests_bring_some_patience_and_not_more_than_at_first() {
        let mut patience = Patience::default();
        for count in 0..10_000 {
            assert!(patience.receive(HEADERS));
            assert!(patience.receive(data(100)));
            patience.send(HEADERS);
            for _ in 0..FOR_ANSWER + FOR_CONTENT {
                assert!(patience.receive(PING), "request {count}");
            }
        }
        // Those that are asked for and taken back bring none.
        let resets = (0..10_000).take_while(|_| {
            let reset = Frame {
                kind: 3,
                content: 0,
            };
            patience.receive(HEADERS) && patience.receive(reset)
        });
        assert!(resets.count() <= 1000);
    }
}
