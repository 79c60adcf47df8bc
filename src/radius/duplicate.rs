//! Retransmissions: the same request gets the same octets again (RFC 5080 section 2.2.2).
//!
//! One cache belongs to one worker. All memory is set aside at the start: a slab of entries, a
//! ring of octets for the replies, and chains for look-up instead of a map that would grow.

mod list;
mod ring;

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::time::Duration;

use crate::model::Monotonic;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::code::Code;
use crate::radius::duplicate::list::Links;
use crate::radius::duplicate::list::List;
use crate::radius::duplicate::ring::Ring;
use crate::radius::packet::Packet;
use crate::radius::verify::Verified;

/// How much a cache holds, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateLimits {
    /// How long a reply is kept after it was made, and a request may be worked on.
    ///
    /// RFC 5080 section 2.2.2 asks for 5 to 30 seconds. Its retransmission timer starts at 2
    /// seconds and doubles (section 2.2.1), so 10 seconds hold the reply over two retransmissions
    /// of a patient NAS and three of the usual one that repeats every 3 seconds.
    pub lifetime: Duration,
    /// Most requests remembered; the oldest reply goes first beyond it.
    ///
    /// 65,536 are 10 seconds at 6,500 requests a second; at higher rates the time shrinks.
    pub entries: u32,
    /// Octets for replies; the oldest go first beyond it.
    ///
    /// 16 MiB are 65,536 replies of 256 octets.
    pub octets: usize,
}

impl Default for DuplicateLimits {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(10),
            entries: 65_536,
            octets: 16 << 20,
        }
    }
}

/// What is known of a request that has just arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup<'c> {
    /// Not seen, or forgotten: verify it and work on it.
    New,
    /// A retransmission whose original is still being worked on: drop and count it.
    InProgress,
    /// A retransmission: send these octets again, bit for bit.
    Replay(&'c [u8]),
}

/// A remembered request, from [`DuplicateCache::begin`] to its reply.
///
/// It goes stale without harm if the entry is replaced or expires meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    uses: u32,
}

/// The requests of the last seconds and their replies.
///
/// A request is told by its source address and port, its code, its identifier and its Request
/// Authenticator: at most 256 of each code for each source. The code stands in for the receiving
/// socket of RFC 5080: a NAS may send authentication and accounting from one port, and counts
/// their identifiers apart.
///
/// Look-up, insertion, expiry and eviction take constant time on average, and none allocates.
/// When a limit is reached, the reply that was made first goes; if there is none, the request
/// that has been worked on longest.
#[derive(Debug)]
pub struct DuplicateCache {
    limits: DuplicateLimits,
    hasher: RandomState,
    /// The first slot of each chain.
    chains: Box<[Option<u32>]>,
    slots: Vec<Slot>,
    /// The first slot of the chain of unused ones.
    unused: Option<u32>,
    /// In the order they began.
    working: List,
    /// In the order of their replies, which is also the order in the ring.
    answered: List,
    replies: Ring,
}

#[derive(Debug)]
struct Slot {
    from: SocketAddr,
    code: Code,
    identifier: u8,
    authenticator: RequestAuthenticator,
    /// When it began, or was answered.
    since: Monotonic,
    state: State,
    /// How often the slot was given out.
    uses: u32,
    /// The number of its chain, so that it is worked out once.
    chain: u32,
    /// The next slot of the same chain, of entries or of unused slots.
    next: Option<u32>,
    links: Links,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unused,
    Working,
    Answered { start: usize, length: usize },
}

impl DuplicateCache {
    /// An empty cache with all its memory. A limit of zero entries remembers nothing.
    #[must_use]
    pub fn new(limits: DuplicateLimits) -> Self {
        let entries = usize::try_from(limits.entries).unwrap_or(usize::MAX);
        Self {
            limits,
            hasher: RandomState::new(),
            chains: vec![None; entries.max(1).next_power_of_two()].into_boxed_slice(),
            slots: Vec::with_capacity(entries),
            unused: None,
            working: List::default(),
            answered: List::default(),
            replies: Ring::new(limits.octets),
        }
    }

    /// Asks whether a packet repeats one that is remembered. A packet that does not is not
    /// remembered by asking: RFC 5080 section 2.2.2 forbids that an unverified one changes
    /// anything.
    pub fn find(&mut self, now: Monotonic, from: SocketAddr, packet: &Packet<'_>) -> Lookup<'_> {
        self.handle_timeout(now);
        let chain = self.chain_of(from, packet.code(), packet.identifier());
        let Some(place) = self.place_of(chain, from, packet.code(), packet.identifier()) else {
            return Lookup::New;
        };
        let Some(slot) = self.slot(place) else {
            return Lookup::New;
        };
        if !slot.authenticator.ct_eq(&packet.request_authenticator()) {
            return Lookup::New;
        }
        match slot.state {
            State::Unused => Lookup::New,
            State::Working => Lookup::InProgress,
            State::Answered { start, length } => Lookup::Replay(self.replies.get(start, length)),
        }
    }

    /// Remembers a verified request as being worked on. One with the same source, code and
    /// identifier is forgotten: its NAS has given it up. `None` if the cache holds nothing at all.
    pub fn begin(
        &mut self,
        now: Monotonic,
        from: SocketAddr,
        request: &Verified<'_>,
    ) -> Option<Ticket> {
        self.handle_timeout(now);
        let packet = request.packet();
        let chain = self.chain_of(from, packet.code(), packet.identifier());
        if let Some(place) = self.place_of(chain, from, packet.code(), packet.identifier()) {
            self.forget(place);
        }
        let fresh = Slot {
            from,
            code: packet.code(),
            identifier: packet.identifier(),
            authenticator: packet.request_authenticator(),
            since: now,
            state: State::Working,
            uses: 0,
            chain,
            next: None,
            links: Links::default(),
        };
        let place = self.occupy(fresh)?;
        let first = self.chain_mut(chain)?.replace(place);
        self.slot_mut(place)?.next = first;
        self.working.push(&mut self.slots, place);
        let uses = self.slot(place)?.uses;
        Some(Ticket { slot: place, uses })
    }

    /// Keeps the reply for retransmissions. A stale ticket, a second reply, and a reply that is
    /// longer than the whole ring change nothing but what is said here.
    pub fn complete(&mut self, now: Monotonic, ticket: Ticket, reply: &[u8]) {
        if !self.is_working(ticket) {
            return;
        }
        let Some(place) = self.replies.place_for(reply.len()) else {
            self.forget(ticket.slot);
            return;
        };
        while let Some(oldest) = self.answered.first() {
            match self.slot(oldest).map(|slot| slot.state) {
                Some(State::Answered { start, .. }) if place.takes(start) => self.forget(oldest),
                Some(State::Answered { .. } | State::Working | State::Unused) | None => break,
            }
        }
        let start = self.replies.write(place, reply);
        self.working.remove(&mut self.slots, ticket.slot);
        if let Some(slot) = self.slot_mut(ticket.slot) {
            slot.since = now;
            slot.state = State::Answered {
                start,
                length: reply.len(),
            };
        }
        self.answered.push(&mut self.slots, ticket.slot);
    }

    /// Forgets a request that gets no reply, so that a retransmission is tried afresh.
    pub fn abandon(&mut self, ticket: Ticket) {
        if self.is_working(ticket) {
            self.forget(ticket.slot);
        }
    }

    /// Forgets every request of one source: 768 look-ups, for a connection that has ended.
    pub fn forget_source(&mut self, from: SocketAddr) {
        for code in [
            Code::AccessRequest,
            Code::AccountingRequest,
            Code::StatusServer,
        ] {
            for identifier in 0..=u8::MAX {
                let chain = self.chain_of(from, code, identifier);
                if let Some(place) = self.place_of(chain, from, code, identifier) {
                    self.forget(place);
                }
            }
        }
    }

    /// Forgets what has outlived its time.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        while let Some(place) = self.expired(now) {
            self.forget(place);
        }
    }

    /// When the next entry expires. Expiry is also done by every other call, so that this only
    /// matters to a caller that wants the entries gone while idle.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let heads = [self.working.first(), self.answered.first()];
        let since = heads.into_iter().flatten().filter_map(|place| {
            let slot = self.slot(place)?;
            Some(slot.since)
        });
        since.min().map(|since| since + self.limits.lifetime)
    }

    /// How many requests are remembered.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.working.len().saturating_add(self.answered.len())
    }

    /// Whether none is remembered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn expired(&self, now: Monotonic) -> Option<u32> {
        let heads = [self.working.first(), self.answered.first()];
        heads.into_iter().flatten().find(|&place| {
            self.slot(place)
                .is_some_and(|slot| now.since(slot.since) >= self.limits.lifetime)
        })
    }

    fn is_working(&self, ticket: Ticket) -> bool {
        self.slot(ticket.slot)
            .is_some_and(|slot| slot.uses == ticket.uses && slot.state == State::Working)
    }

    /// Gives a slot to an entry: an unused one, a new one, or that of the oldest entry.
    fn occupy(&mut self, fresh: Slot) -> Option<u32> {
        let fits = self.slots.len() < usize::try_from(self.limits.entries).unwrap_or(usize::MAX);
        if self.unused.is_none() && fits {
            let place = u32::try_from(self.slots.len()).ok()?;
            self.slots.push(fresh);
            return Some(place);
        }
        if self.unused.is_none() {
            let oldest = self.answered.first().or_else(|| self.working.first())?;
            self.forget(oldest);
        }
        let place = self.unused?;
        let slot = self.slots.get_mut(usize::try_from(place).ok()?)?;
        self.unused = slot.next;
        *slot = Slot {
            uses: slot.uses.wrapping_add(1),
            ..fresh
        };
        Some(place)
    }

    /// Takes an entry out of its chain and its list, and keeps the slot for another.
    fn forget(&mut self, place: u32) {
        let Some(slot) = self.slot(place) else {
            return;
        };
        let (state, chain, next) = (slot.state, slot.chain, slot.next);
        match state {
            State::Unused => return,
            State::Working => self.working.remove(&mut self.slots, place),
            State::Answered { .. } => self.answered.remove(&mut self.slots, place),
        }
        self.unchain(chain, place, next);
        let unused = self.unused;
        if let Some(slot) = self.slot_mut(place) {
            slot.state = State::Unused;
            slot.next = unused;
            self.unused = Some(place);
        }
    }

    /// Makes what points to `place` point to `next`.
    fn unchain(&mut self, chain: u32, place: u32, next: Option<u32>) {
        let Some(first) = self.chain_mut(chain) else {
            return;
        };
        if *first == Some(place) {
            *first = next;
            return;
        }
        let mut walk = *first;
        while let Some(before) = walk {
            let Some(slot) = self.slot_mut(before) else {
                return;
            };
            if slot.next == Some(place) {
                slot.next = next;
                return;
            }
            walk = slot.next;
        }
    }

    fn place_of(&self, chain: u32, from: SocketAddr, code: Code, identifier: u8) -> Option<u32> {
        let mut walk = *self.chains.get(usize::try_from(chain).ok()?)?;
        while let Some(place) = walk {
            let slot = self.slot(place)?;
            if slot.identifier == identifier && slot.code == code && slot.from == from {
                return Some(place);
            }
            walk = slot.next;
        }
        None
    }

    fn chain_of(&self, from: SocketAddr, code: Code, identifier: u8) -> u32 {
        // In as few words as it fits: each one that is hashed costs its rounds.
        let [high, low] = from.port().to_be_bytes();
        let asked = u32::from_be_bytes([high, low, code.number(), identifier]);
        let hash = match from.ip() {
            IpAddr::V4(ip) => {
                let word = u64::from(ip.to_bits()) << 32 | u64::from(asked);
                self.hasher.hash_one(word)
            }
            IpAddr::V6(ip) => self.hasher.hash_one((ip.to_bits(), asked)),
        };
        // The count of chains is a power of two of at most 32 bits, so its predecessor is a mask.
        let mask = u64::try_from(self.chains.len().saturating_sub(1)).unwrap_or(0);
        u32::try_from(hash & mask).unwrap_or(0)
    }

    fn chain_mut(&mut self, chain: u32) -> Option<&mut Option<u32>> {
        self.chains.get_mut(usize::try_from(chain).ok()?)
    }

    fn slot(&self, place: u32) -> Option<&Slot> {
        self.slots.get(usize::try_from(place).ok()?)
    }

    fn slot_mut(&mut self, place: u32) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests;
