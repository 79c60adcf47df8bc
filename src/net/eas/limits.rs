//! Bounds of the front, and the places that connections take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::mail::network;

use super::Counters;

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
            drain: Duration::from_secs(10),
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
        let address = network(address);
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
        let mut taken = self
            .counters
            .places
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}
