//! What the front of RADIUS over TLS counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::net::places::Places;

/// How a connection ended, or why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The peer closed it, or it broke.
    ByPeer,
    /// No handshake: no certificate or a bad one, garbage, or too slow.
    Handshake,
    /// The certificate is nobody's who may ask.
    Stranger,
    /// There are too many.
    TooMany,
    /// The peer does not speak the version of RADIUS that is demanded.
    Version,
    /// What came is no RADIUS.
    Malformed,
    /// A packet began and did not end in time.
    Slow,
    /// Nothing came for long.
    Idle,
    /// A packet's attributes or signature were wrong, or the peer took no replies in.
    Distrusted,
    /// The certificate's time is over.
    Ended,
    /// The gateway stops.
    Stopped,
}

impl Closed {
    /// All of them, in the order of their counters.
    pub const ALL: [Self; 11] = [
        Self::ByPeer,
        Self::Handshake,
        Self::Stranger,
        Self::TooMany,
        Self::Malformed,
        Self::Slow,
        Self::Idle,
        Self::Distrusted,
        Self::Ended,
        Self::Stopped,
        Self::Version,
    ];

    /// Its name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByPeer => "by_peer",
            Self::Handshake => "handshake",
            Self::Stranger => "stranger",
            Self::TooMany => "too_many",
            Self::Malformed => "malformed",
            Self::Slow => "slow",
            Self::Idle => "idle",
            Self::Distrusted => "distrusted",
            Self::Ended => "certificate_ended",
            Self::Stopped => "stopped",
            Self::Version => "version",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::ByPeer => 0,
            Self::Handshake => 1,
            Self::Stranger => 2,
            Self::TooMany => 3,
            Self::Malformed => 4,
            Self::Slow => 5,
            Self::Idle => 6,
            Self::Distrusted => 7,
            Self::Ended => 8,
            Self::Stopped => 9,
            Self::Version => 10,
        }
    }
}

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    packets: AtomicU64,
    closed: [AtomicU64; Closed::ALL.len()],
    pub(super) places: Arc<Places>,
}

impl Counters {
    /// Connections open now, those that shake hands among them.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.places.open()
    }

    /// Connections whose certificate was known.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Packets received.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Connections that ended, by [`Closed::name`].
    #[must_use]
    pub fn ends(&self) -> Vec<(&'static str, u64)> {
        let counts = self.closed.iter();
        Closed::ALL
            .map(Closed::name)
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
            .collect()
    }

    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn packet(&self) {
        self.packets.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, why: Closed) {
        if let Some(count) = self.closed.get(why.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_own_counter() {
        for (place, why) in Closed::ALL.into_iter().enumerate() {
            assert_eq!(why.index(), place, "row {why:?}");
        }
    }
}
