//! What all methods with TLS inside have in common (RFC 5216 section 3.1): messages in fragments,
//! one side at a time.

use super::fragment::Fragment;
use super::fragment::FragmentError;
use super::fragment::Fragmenter;
use super::fragment::Progress;
use super::fragment::Reassembler;

/// One end of the exchange of messages.
#[derive(Debug)]
pub(super) struct Carrier {
    /// Octets of Type-Data in a packet.
    room: usize,
    version: u8,
    incoming: Reassembler,
    /// What the peer has to acknowledge before the rest is sent.
    outgoing: Option<Fragmenter>,
}

/// What a packet led to.
#[derive(Debug)]
pub(super) enum Carried {
    /// Type-Data of the next packet: the next fragment, or word that one has arrived.
    Next(Vec<u8>),
    /// The peer's message.
    Whole(Vec<u8>),
    /// The peer has nothing to say; everything of ours has arrived.
    Empty,
    /// Nothing has changed.
    Invalid(FragmentError),
    /// The end.
    Fatal(FragmentError),
}

impl Carrier {
    /// Of a method with this version.
    pub(super) fn new(room: usize, version: u8) -> Self {
        Self {
            room,
            version,
            incoming: Reassembler::default(),
            outgoing: None,
        }
    }

    /// Octets of Type-Data in a packet.
    pub(super) const fn room(&self) -> usize {
        self.room
    }

    /// Whether fragments of the peer's are here, and more are to come.
    pub(super) const fn is_waiting(&self) -> bool {
        self.incoming.is_waiting()
    }

    /// Whether fragments of ours are left.
    pub(super) const fn is_sending(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Takes a fragment of the peer.
    pub(super) fn take(&mut self, fragment: &Fragment<'_>) -> Carried {
        if let Some(outgoing) = &mut self.outgoing {
            if !fragment.is_acknowledgement() {
                return Carried::Invalid(FragmentError::NotAcknowledged);
            }
            let next = outgoing.next_fragment();
            if outgoing.is_done() {
                self.outgoing = None;
            }
            return next.map_or(Carried::Empty, Carried::Next);
        }
        if fragment.is_acknowledgement() && !self.incoming.is_waiting() {
            return Carried::Empty;
        }
        match self.incoming.push(fragment) {
            Ok(Progress::Whole(message)) => Carried::Whole(message),
            Ok(Progress::More) => Carried::Next(vec![self.version]),
            Err(error) if error.is_fatal() => Carried::Fatal(error),
            Err(error) => Carried::Invalid(error),
        }
    }

    /// Begins to send a message; gives its first fragment. An empty message is an empty packet.
    pub(super) fn send(&mut self, message: Vec<u8>) -> Vec<u8> {
        let mut fragmenter = Fragmenter::new(message, self.room).of_version(self.version);
        let first = fragmenter.next_fragment();
        self.outgoing = (!fragmenter.is_done()).then_some(fragmenter);
        first.unwrap_or_else(|| vec![self.version])
    }
}
