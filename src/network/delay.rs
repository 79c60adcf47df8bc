//! Access-Rejects that wait for their time.
//!
//! A password that is refused at once invites the next guess. Its reject is written and signed when
//! it is decided, and leaves when the delay has passed since the request came. No thread waits: the
//! shell sleeps until [`poll_timeout`](Server::poll_timeout) as for everything else. Until then the request
//! counts as being worked on, so that a retransmission is dropped as one; afterwards it gets the same
//! octets again.
//!
//! Counted from the request, the delay also hides how long the password took to check, where that is
//! less: of a slow hash, of a directory, of a name that does not exist.
//!
//! Inside of a tunnel a challenge tells of a refusal before the reject does; it waits in the reject's place.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::model::Monotonic;
use crate::model::Now;
use crate::network::Door;
use crate::network::MAX_PACKET;
use crate::network::away::Asked;
use crate::network::server::Server;
use crate::radius::Nas;
use crate::radius::Origin;
use crate::radius::Reply;
use crate::radius::Ticket;

/// The rejects of one loop that wait. Grows to the most that ever waited and stays there.
pub(super) struct Delays {
    due: BinaryHeap<Reverse<(Monotonic, usize)>>,
    places: Vec<Place>,
    free: Vec<usize>,
    /// What is being written.
    buffer: Box<[u8; MAX_PACKET]>,
}

/// A reject, or room for one.
struct Place {
    door: Door,
    to: SocketAddr,
    held: Option<Ticket>,
    octets: Vec<u8>,
}

impl Delays {
    pub(super) fn new() -> Self {
        Self {
            due: BinaryHeap::new(),
            places: Vec::new(),
            free: Vec::new(),
            buffer: Box::new([0; MAX_PACKET]),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.is_empty()
    }

    fn is_full(&self) -> bool {
        self.due.len() >= MAX_DELAYED
    }

    /// When the next one leaves.
    pub(super) fn next_due(&self) -> Option<Monotonic> {
        self.due.peek().map(|Reverse((due, _))| *due)
    }

    /// Lets `write` write a reply, which then waits; `false` if it does not fit into a packet.
    fn put(
        &mut self,
        due: Monotonic,
        asked: &Asked<'_>,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let length = write(self.buffer.as_mut_slice());
        let Some(written) = length.and_then(|length| self.buffer.get(..length)) else {
            return false;
        };
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                door: asked.door,
                to: asked.from,
                held: None,
                octets: Vec::with_capacity(USUAL),
            });
            self.places.len() - 1
        });
        if let Some(place) = self.places.get_mut(number) {
            (place.door, place.to, place.held) = (asked.door, asked.from, asked.held);
            place.octets.clear();
            place.octets.extend_from_slice(written);
        }
        self.due.push(Reverse((due, number)));
        true
    }

    /// The one that is due first, if that is by `now`.
    fn pop(&mut self, now: Option<Monotonic>) -> Option<&Place> {
        let next = self.next_due()?;
        if now.is_some_and(|now| now < next) {
            return None;
        }
        let Reverse((_, number)) = self.due.pop()?;
        self.free.push(number);
        self.places.get(number)
    }
}

impl Server {
    /// The same as [`reply`](Server::reply), but the reply leaves when `delay` has passed since its
    /// request came. Of rejects of passwords the configuration says how long it is.
    pub(super) fn reply_after<'r>(
        &mut self,
        now: Now,
        delay: Duration,
        asked: &Asked<'r>,
        build: impl for<'b> FnOnce(&'b mut [u8], Origin<'r>, &'r Nas) -> Reply<'b, 'r>,
    ) -> bool {
        let due = asked.came + delay;
        if due <= now.monotonic {
            return self.reply(now, asked, build);
        }
        if self.delays.is_full() {
            self.counters.hurried.count();
            self.send_delayed(now, None);
        }
        let nas: &'r Nas = asked.nas;
        let put = self.delays.put(due, asked, |buffer| {
            let reply = build(buffer, asked.origin.clone(), nas);
            reply.finish().map(<[u8]>::len).ok()
        });
        if put {
            self.counters.delayed.count();
        } else {
            self.too_long(asked);
        }
        put
    }

    /// Sends the rejects whose time has come.
    pub(super) fn send_due(&mut self, now: Now) {
        while self.send_delayed(now, Some(now.monotonic)) {}
    }

    /// Sends the reject that is due first, if that is by `due`; of `None` in any case.
    fn send_delayed(&mut self, now: Now, due: Option<Monotonic>) -> bool {
        let Some(place) = self.delays.pop(due) else {
            return false;
        };
        let octets = place.octets.as_slice();
        self.outbox.put(place.door, place.to, |buffer| {
            buffer.get_mut(..octets.len())?.copy_from_slice(octets);
            Some(octets.len())
        });
        if let Some(held) = place.held {
            self.duplicates.complete(now.monotonic, held, octets);
        }
        true
    }
}

/// Rejects of one loop that may wait: that many wrong passwords a second are a flood, in which the
/// oldest leaves early. A dropped one would look to its NAS like a server that is down. About 2 MiB.
const MAX_DELAYED: usize = 4096;

/// Octets of a reject with a message of usual length.
const USUAL: usize = 256;
