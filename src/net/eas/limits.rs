//! Bounds of the front.

use std::time::Duration;

use crate::net::places::Most;

/// Bounds of the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; further ones are closed at once. 20,000 by default: a waiting
    /// Ping is one, at some 50 kilobytes.
    pub connections: usize,
    /// Connections of one address (IPv6: one /64); 256 by default, because a whole office may
    /// share one.
    pub connections_per_address: usize,
    /// For the TLS handshake; 10 s by default.
    pub handshake: Duration,
    /// For each request head, and so for idle connections too; 10 s by default.
    pub head: Duration,
    /// How long a client may be silent in all while it sends a body, apart from what its octets earn
    /// it; 20 s by default: a phone that changes from Wi-Fi to mobile data needs a few.
    pub body: Duration,
    /// How long a connection of HTTP/2 that had a request is kept without another one, and an answer of
    /// which its client takes nothing, at least; twice as long at most. 75 s by default, little more
    /// than octets may wait for the client of a whole connection.
    pub idle: Duration,
    /// For exchanges under way when the gateway stops; 10 s by default.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            body: Duration::from_secs(20),
            idle: Duration::from_secs(75),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// How many connections there may be.
    pub(super) const fn most(&self) -> Most {
        Most {
            all: self.connections,
            of_address: self.connections_per_address,
        }
    }
}
