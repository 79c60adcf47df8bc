//! Bounds of RADIUS over TLS.

use std::time::Duration;

use crate::net::places::Most;

/// Bounds of the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time; further ones are closed at once. 2,000 by default, at some 40
    /// kilobytes each.
    pub connections: usize,
    /// Connections of one address; 64 by default: proxies open a few, and NASes behind one NAT
    /// share an address.
    pub connections_per_address: usize,
    /// For the TLS handshake; 10 s by default.
    pub handshake: Duration,
    /// For a packet that has begun; 10 s by default.
    pub packet: Duration,
    /// For silence between packets; 1 h by default. NASes that send Status-Server, and proxies do,
    /// are never that silent.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 2_000,
            connections_per_address: 64,
            handshake: Duration::from_secs(10),
            packet: Duration::from_secs(10),
            idle: Duration::from_hours(1),
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
