//! Requests that are under way, found by what their answers bring along.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::home::Home;
use super::route::Forwarding;
use super::route::Nobody;
use crate::model::Monotonic;

/// From which of our sockets to whom, or on which connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Via {
    /// By a datagram.
    Udp {
        /// The number of the socket, under [`SOCKETS`](super::SOCKETS).
        socket: u8,
        /// The home server.
        to: SocketAddr,
    },
    /// On a TLS connection.
    Tls(LinkId),
}

/// A TLS connection to a home server, or an attempt at one. None has the number of an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub(super) u64);

/// The number is an Identifier, or a Token of RADIUS/1.1.
pub(super) type Key = (Via, u32);

pub(super) struct Flight {
    pub(super) purpose: Purpose,
    pub(super) home: Arc<Home>,
    /// Empty while its connection is not open yet.
    pub(super) octets: Vec<u8>,
    pub(super) tries: u32,
    pub(super) first_sent: Monotonic,
    /// When it is tried again.
    pub(super) due: Monotonic,
}

pub(super) enum Purpose {
    Request(Box<Asking>),
    Status,
}

/// A request that looks for an answer.
pub(super) struct Asking {
    pub(super) forwarding: Forwarding,
    /// Who was asked before.
    pub(super) asked: Vec<Arc<Home>>,
    /// The one home server that knows its conversation.
    pub(super) bound: Option<Arc<Home>>,
    /// Those whom discovery has found; they come in place of those of the route.
    pub(super) found: Vec<Arc<Home>>,
    /// Why it has found nobody.
    pub(super) unfound: Option<Nobody>,
    /// Whether a connection has ended under it, and it was asked again on another one.
    pub(super) was_cut: bool,
    pub(super) give_up: Monotonic,
}

/// All of them, with their timers.
#[derive(Default)]
pub(super) struct Flights {
    all: HashMap<Key, Flight>,
    timers: BTreeSet<(Monotonic, Key)>,
}

impl Flights {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn contains(&self, key: &Key) -> bool {
        self.all.contains_key(key)
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Flight> {
        self.all.get(key)
    }

    pub(super) fn put(&mut self, key: Key, flight: Flight) {
        let gauge = &flight.home.gauges.in_flight;
        gauge.fetch_add(1, Ordering::Relaxed);
        self.timers.insert((flight.due, key));
        self.all.insert(key, flight);
    }

    /// Takes one out: it is answered, given up or cut.
    pub(super) fn land(&mut self, key: &Key) -> Option<Flight> {
        let flight = self.all.remove(key)?;
        self.timers.remove(&(flight.due, *key));
        let gauge = &flight.home.gauges.in_flight;
        gauge.fetch_sub(1, Ordering::Relaxed);
        Some(flight)
    }

    /// The next one whose time has come; its timer is gone then.
    pub(super) fn pop_due(&mut self, now: Monotonic) -> Option<Key> {
        let (_, key) = self.timers.first().filter(|(at, _)| *at <= now).copied()?;
        self.timers.pop_first();
        Some(key)
    }

    /// One to be sent once more, which waits until `due` then.
    pub(super) fn again(&mut self, key: Key, due: Monotonic) -> Option<&mut Flight> {
        let flight = self.all.get_mut(&key)?;
        self.timers.remove(&(flight.due, key));
        flight.due = due;
        self.timers.insert((due, key));
        Some(flight)
    }

    /// Those on one connection, in the order of their numbers.
    pub(super) fn of_link(&self, link: LinkId) -> Vec<Key> {
        let on_it = |(via, _): &&Key| *via == Via::Tls(link);
        let mut found: Vec<Key> = self.all.keys().filter(on_it).copied().collect();
        found.sort_unstable();
        found
    }

    pub(super) fn write(&mut self, key: &Key, octets: Vec<u8>) {
        if let Some(flight) = self.all.get_mut(key) {
            flight.octets = octets;
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        self.timers.first().map(|(at, _)| *at)
    }
}
