//! Octets between a socket and whoever looks at them.

use std::cell::RefCell;

/// A queue of octets in one piece, which has memory only while octets are in it.
///
/// The memory comes from a shelf of the thread and goes back there, so that a connection that
/// waits, and most do, holds none, and one that works gets what is warm from the last.
#[derive(Debug, Default)]
pub struct Buffer {
    octets: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// What is in it.
    pub fn filled(&self) -> &[u8] {
        self.octets.get(self.start..self.end).unwrap_or_default()
    }

    /// How many octets are in it.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether nothing more can be read into it: 64 KiB are there.
    pub fn is_full(&self) -> bool {
        self.len() >= LARGE
    }

    /// Octets of memory that it has.
    pub fn memory(&self) -> usize {
        self.octets.len()
    }

    /// Takes `count` octets away from the front.
    pub fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.release_if_empty();
    }

    /// Gives the memory back if nothing is in it.
    pub fn release_if_empty(&mut self) {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            put_back(std::mem::take(&mut self.octets));
        }
    }

    /// Where to read to; empty only if it is full.
    pub fn space(&mut self) -> &mut [u8] {
        if self.octets.is_empty() {
            self.octets = take_one();
        }
        if self.end == self.octets.len() {
            if self.octets.len() < SMALL {
                self.unpark();
            } else if self.start > 0 {
                self.octets.copy_within(self.start..self.end, 0);
                (self.start, self.end) = (0, self.len());
            } else if self.octets.len() < LARGE {
                self.octets.resize(LARGE, 0);
            }
        }
        self.octets.get_mut(self.end..).unwrap_or_default()
    }

    /// Keeps the few octets that are in it in as little memory, for one that will wait.
    pub fn park(&mut self) {
        if self.len() <= PARKED && self.octets.len() >= SMALL && !self.is_empty() {
            let kept = self.filled().to_vec();
            put_back(std::mem::replace(&mut self.octets, kept));
            (self.start, self.end) = (0, self.octets.len());
        }
    }

    /// The same in memory that is given for it; [`Buffer::consume_to`] gives it back.
    pub fn park_in(&mut self, spare: &mut Vec<u8>) {
        if self.len() <= PARKED && self.octets.len() >= SMALL && !self.is_empty() {
            spare.clear();
            spare.extend_from_slice(self.filled());
            put_back(std::mem::replace(&mut self.octets, std::mem::take(spare)));
            (self.start, self.end) = (0, self.octets.len());
        }
    }

    /// [`Buffer::consume`], after [`Buffer::park_in`].
    pub fn consume_to(&mut self, count: usize, spare: &mut Vec<u8>) {
        if count >= self.len() && self.octets.len() < SMALL {
            (self.start, self.end) = (0, 0);
            *spare = std::mem::take(&mut self.octets);
        } else {
            self.consume(count);
        }
    }

    fn unpark(&mut self) {
        let kept = std::mem::replace(&mut self.octets, take_one());
        let kept = kept.get(self.start..self.end).unwrap_or_default();
        let length = kept.len();
        if let Some(to) = self.octets.get_mut(..length) {
            to.copy_from_slice(kept);
        }
        (self.start, self.end) = (0, length);
    }

    /// `count` octets were written to [`Buffer::space`].
    pub fn grow(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.octets.len());
        // There is more where so much came from.
        if self.end == self.octets.len() && self.end < LARGE {
            self.octets.resize(LARGE, 0);
        }
    }

    /// Puts `octets` in at the end; grows without bound, which is the caller's to set.
    pub fn append(&mut self, octets: &[u8]) {
        let end = self.end + octets.len();
        if let Some(to) = self.octets.get_mut(self.end..end) {
            to.copy_from_slice(octets);
            self.end = end;
            return;
        }
        if self.space().len() < octets.len() {
            let missing = octets.len() - (self.octets.len() - self.end);
            self.octets.resize(self.octets.len() + missing, 0);
        }
        if let Some(to) = self.space().get_mut(..octets.len()) {
            to.copy_from_slice(octets);
            self.end += octets.len();
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        put_back(std::mem::take(&mut self.octets));
    }
}

thread_local! {
    static SHELF: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn take_one() -> Vec<u8> {
    let kept = SHELF.try_with(|shelf| shelf.borrow_mut().pop());
    kept.ok().flatten().unwrap_or_else(|| vec![0; SMALL])
}

fn put_back(octets: Vec<u8>) {
    if octets.len() < SMALL || octets.len() > LARGE {
        return;
    }
    // A thread that ends has no shelf any more.
    let _gone = SHELF.try_with(|shelf| {
        let mut shelf = shelf.borrow_mut();
        if shelf.len() < ON_SHELF {
            shelf.push(octets);
        }
    });
}

/// A head and a short body; one TLS record.
const SMALL: usize = 16 << 10;
/// What a long body is moved by, and the most that is held of one in either direction.
const LARGE: usize = 64 << 10;
/// Octets that are worth moving: a head, and the body of a Ping.
const PARKED: usize = 4 << 10;
/// Buffers that a thread keeps for the next: more are never in use within one turn of its loop,
/// but for slow readers.
const ON_SHELF: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn read_into(buffer: &mut Buffer, octets: &[u8]) {
        buffer.space()[..octets.len()].copy_from_slice(octets);
        buffer.grow(octets.len());
    }

    #[test]
    fn octets_come_out_as_they_went_in() {
        let mut buffer = Buffer::default();
        read_into(&mut buffer, b"one ");
        buffer.append(b"two ");
        read_into(&mut buffer, b"three");
        buffer.consume(4);
        assert_eq!(buffer.filled(), b"two three");
        buffer.consume(100);
        assert!(buffer.is_empty());
    }

    #[test]
    fn an_empty_buffer_has_no_memory() {
        let mut buffer = Buffer::default();
        assert!(!buffer.space().is_empty());
        buffer.release_if_empty();
        assert_eq!(buffer.octets.capacity(), 0);
        read_into(&mut buffer, b"x");
        buffer.consume(1);
        assert_eq!(buffer.octets.capacity(), 0);
    }

    #[test]
    fn what_waits_is_small_and_goes_on_as_it_was() {
        let mut buffer = Buffer::default();
        read_into(&mut buffer, b"one two ");
        buffer.consume(4);
        buffer.park();
        assert_eq!(buffer.octets.capacity(), 4);
        assert_eq!(buffer.filled(), b"two ");
        read_into(&mut buffer, b"three");
        assert_eq!(buffer.filled(), b"two three");
        buffer.park();
        buffer.append(b" four");
        buffer.consume(4);
        assert_eq!(buffer.filled(), b"three four");
        buffer.park();
        buffer.consume(100);
        buffer.append(b"five");
        assert_eq!(buffer.filled(), b"five");
        // In the same memory each time.
        let mut spare = Vec::with_capacity(64);
        let place = spare.as_ptr();
        for _ in 0..3 {
            buffer.park_in(&mut spare);
            assert_eq!((buffer.filled(), spare.capacity()), (&b"five"[..], 0));
            buffer.consume_to(100, &mut spare);
            assert!(buffer.is_empty() && spare.as_ptr() == place);
            read_into(&mut buffer, b"five");
        }
        buffer.consume_to(2, &mut spare);
        assert_eq!(buffer.filled(), b"ve");
        buffer.consume_to(2, &mut spare);
        assert_eq!((buffer.octets.capacity(), spare.capacity()), (0, 64));
    }

    #[test]
    fn what_is_read_is_bounded_and_what_is_appended_is_not_lost() {
        let mut buffer = Buffer::default();
        let mut total = 0;
        while !buffer.is_full() {
            let space = buffer.space().len();
            assert!(space > 0);
            buffer.grow(space);
            total += space;
        }
        assert_eq!(total, LARGE);
        assert!(buffer.space().is_empty());
        buffer.append(b"more");
        assert!(buffer.filled().ends_with(b"more"));
        assert_eq!(buffer.len(), LARGE + 4);
    }
}
