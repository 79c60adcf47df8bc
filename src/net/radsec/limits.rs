//! Bounds of RADIUS over TLS, and the places that connections take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Counters;
use super::origin;

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

/// How many connections each address has. Held for a few operations, never across an await.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<IpAddr, usize>>);

/// The right of one connection to be there.
#[derive(Debug)]
pub(super) struct Place {
    counters: Arc<Counters>,
    address: IpAddr,
}

impl Place {
    pub(super) fn take(counters: &Arc<Counters>, limits: &Limits, address: IpAddr) -> Option<Self> {
        let address = origin(address);
        let open = &counters.open;
        let all = u64::try_from(limits.connections).unwrap_or(u64::MAX);
        let places = &counters.places;
        let mut taken = places.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.get(&address).copied().unwrap_or_default();
        if here >= limits.connections_per_address || open.load(Ordering::Relaxed) >= all {
            return None;
        }
        taken.insert(address, here.saturating_add(1));
        open.fetch_add(1, Ordering::Relaxed);
        Some(Self {
            counters: Arc::clone(counters),
            address,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counters.open.fetch_sub(1, Ordering::Relaxed);
        let places = &self.counters.places;
        let mut taken = places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}
