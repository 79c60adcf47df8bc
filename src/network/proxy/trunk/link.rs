//! One connection to a home server: how it speaks, the numbers of its requests, what came of late.

use crate::model::Monotonic;
use crate::network::proxy::flight::Flights;
use crate::network::proxy::flight::Key;
use crate::network::proxy::flight::LinkId;
use crate::network::proxy::flight::Via;

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// RADIUS as it always was: 256 requests at a time.
    Historic,
    /// RADIUS/1.1 (RFC 9765), by ALPN.
    Version11,
}

/// The place of a request on a connection.
#[derive(Clone, Copy)]
pub(in crate::network::proxy) struct Place {
    pub(in crate::network::proxy) key: Key,
    /// `None` while the connection is not open yet.
    pub(in crate::network::proxy) spoken: Option<Spoken>,
}

/// A connection, open or on its way.
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) spoken: Option<Spoken>,
    /// The number that was taken last.
    last: u32,
    pub(super) in_flight: usize,
    /// When something believable came last.
    pub(super) heard: Monotonic,
    /// Packets that answer nothing, since then.
    strays: u32,
    /// Whether it has carried an answer.
    pub(super) proven: bool,
    /// Whether it is asked whether it lives, just now.
    pub(super) watched: bool,
}

impl Link {
    /// An attempt at one.
    pub(super) const fn new(id: LinkId, now: Monotonic) -> Self {
        Self {
            id,
            spoken: None,
            last: 0,
            in_flight: 0,
            heard: now,
            strays: 0,
            proven: false,
            watched: false,
        }
    }

    /// It has come about.
    pub(super) const fn open(&mut self, now: Monotonic, spoken: Spoken) {
        self.spoken = Some(spoken);
        self.heard = now;
    }

    /// Something believable has come.
    pub(super) const fn hear(&mut self, now: Monotonic) {
        self.heard = now;
        self.strays = 0;
        self.proven = true;
        self.watched = false;
    }

    /// Something has come that answers nothing; whether that was once too often.
    pub(super) const fn stray(&mut self) -> bool {
        self.strays = self.strays.saturating_add(1);
        self.strays > MAX_STRAYS
    }

    /// A place for one more request.
    pub(super) fn place(&mut self, flights: &Flights) -> Option<Place> {
        let number = self.number(flights)?;
        self.in_flight = self.in_flight.saturating_add(1);
        Some(Place {
            key: (Via::Tls(self.id), number),
            spoken: self.spoken,
        })
    }

    pub(super) const fn capacity(&self) -> usize {
        match self.spoken {
            Some(Spoken::Version11) => MAX_TOKENS,
            // RFC 6613 section 2.6.1; and nobody knows yet what one will speak that is opened.
            Some(Spoken::Historic) | None => 256,
        }
    }

    /// A number that nothing waits for.
    fn number(&mut self, flights: &Flights) -> Option<u32> {
        if self.in_flight >= self.capacity() {
            return None;
        }
        for _ in 0..=self.in_flight {
            self.last = match self.spoken {
                Some(Spoken::Version11) => self.last.wrapping_add(1),
                Some(Spoken::Historic) | None => self.last.wrapping_add(1) % 256,
            };
            if !flights.contains(&(Via::Tls(self.id), self.last)) {
                return Some(self.last);
            }
        }
        None
    }
}

/// Requests on one connection of RADIUS/1.1, whose Tokens would allow four thousand millions: what a
/// packet loop gives away.
const MAX_TOKENS: usize = 1024;

/// Packets in a row that answer nothing, after which whoever sends them is not listened to: more than
/// late answers can be.
const MAX_STRAYS: u32 = 256;
