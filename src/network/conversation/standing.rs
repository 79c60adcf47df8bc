//! What a conversation is known by: the State that names it, whom it belongs to, how long it may
//! go on.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::Monotonic;

/// The State attribute that we give out: the loop's number, 128 random bits by which the
/// conversation is known, and the round. A request of a round that has been answered is so told from
/// one of a conversation that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::network) struct State([u8; Self::OCTETS]);

/// By what a conversation is known in all its rounds.
pub(in crate::network) type Id = [u8; ID_OCTETS];

impl State {
    const OCTETS: usize = ID_OCTETS + 2;

    /// Of a conversation that begins.
    pub(in crate::network) fn new(worker: u8, random: u128) -> Self {
        let mut octets = [0; Self::OCTETS];
        octets[0] = worker;
        octets[1..ID_OCTETS].copy_from_slice(&random.to_be_bytes());
        Self(octets)
    }

    /// `None` for a State that we cannot have made.
    pub(in crate::network) fn parse(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }

    pub(in crate::network) const fn worker(self) -> u8 {
        self.0[0]
    }

    pub(in crate::network) const fn octets(&self) -> &[u8] {
        &self.0
    }

    pub(in crate::network) fn id(&self) -> Id {
        let mut id = [0; ID_OCTETS];
        id.copy_from_slice(&self.0[..ID_OCTETS]);
        id
    }

    /// That of the next round.
    pub(in crate::network) fn next(self) -> Self {
        let mut next = self;
        next.0[ID_OCTETS..].copy_from_slice(&self.round().wrapping_add(1).to_be_bytes());
        next
    }

    fn round(self) -> u16 {
        u16::from_be_bytes([self.0[ID_OCTETS], self.0[ID_OCTETS + 1]])
    }
}

const ID_OCTETS: usize = 17;

/// What ties a conversation to its NAS and peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Binding {
    pub(super) from: IpAddr,
    /// Calling-Station-Id, hashed.
    pub(super) station: u64,
    /// User-Name, hashed. `None` until the peer has said who it is: with EAP-Start the NAS does
    /// not know the name yet and sends none, or something in its place (RFC 3579 section 2.1).
    pub(super) user: Option<u64>,
}

impl Binding {
    /// NAS and station.
    pub(super) const fn peer(&self) -> (IpAddr, u64) {
        (self.from, self.station)
    }

    /// Without the name.
    pub(in crate::network) const fn without_user(self) -> Self {
        Self { user: None, ..self }
    }

    pub(super) fn holds(&self, request: &Self) -> bool {
        self.from == request.from
            && self.station == request.station
            && (self.user.is_none() || self.user == request.user)
    }
}

/// An EAP packet in short: its header and its end. It tells a repetition from another response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Brought {
    head: [u8; 4],
    length: usize,
    tail: [u8; 16],
}

impl Brought {
    pub(in crate::network) fn of(packet: &[u8]) -> Self {
        Self {
            head: packet.first_chunk().copied().unwrap_or_default(),
            length: packet.len(),
            tail: packet.last_chunk().copied().unwrap_or_default(),
        }
    }
}

/// What a conversation is known by, wherever it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Standing {
    pub(in crate::network) binding: Binding,
    /// What the NAS was given last.
    pub(in crate::network) state: State,
    /// What brought the round before, in short; `None` before the first answer.
    pub(in crate::network) brought: Option<Brought>,
    /// In the order in which they began.
    pub(super) number: u64,
    /// Whether the peer has answered the method's first request.
    pub(in crate::network) answered: bool,
    /// Whether a worker has done a flight of it.
    pub(in crate::network) worked: bool,
    /// When it ends however it is going.
    pub(super) ends: Monotonic,
    /// When it has waited too long where it is now.
    pub(super) deadline: Monotonic,
    /// Since when it has been there.
    pub(super) since: Monotonic,
}

impl Standing {
    /// Gives it more time for the next step.
    pub(in crate::network) fn prolong(&mut self, now: Monotonic, patience: Duration) {
        self.deadline = (now + patience).min(self.ends);
        self.since = now;
    }

    pub(in crate::network) const fn deadline(&self) -> Monotonic {
        self.deadline
    }
}

/// A conversation may last this many times what one step of it may: a minute by default. Without
/// it a peer that answers in the last moment, a hundred rounds long, would keep its place for most
/// of an hour.
pub(super) const LIFETIME: u32 = 2;
