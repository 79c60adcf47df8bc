//! What a worker has done, counted; read by the metrics page while the worker goes on.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::network::discard::Discarded;

/// One monotonic count, written by one thread and read by others.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn count(&self) {
        // One writer: a load and a store are enough, and cheaper than a locked addition.
        self.0.store(self.get().wrapping_add(1), Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counts of one worker.
#[derive(Debug, Default)]
pub struct Counters {
    /// Datagrams received.
    pub received: Counter,
    /// Access-Accepts sent for an allow verdict.
    pub allowed: Counter,
    /// Access-Accepts sent for a quarantine verdict.
    pub quarantined: Counter,
    /// Access-Rejects sent for a block verdict.
    pub blocked: Counter,
    /// Access-Rejects sent because the peer was not authenticated.
    pub not_authenticated: Counter,
    /// Access-Challenges sent.
    pub challenged: Counter,
    /// Accounting-Responses sent.
    pub accounted: Counter,
    /// Status-Server requests answered.
    pub status: Counter,
    /// Stored replies sent again (RFC 5080 section 2.2.2).
    pub replayed: Counter,
    /// Decisions made again because inventory or policy had changed before the Accept left.
    pub decided_again: Counter,
    /// EAP conversations begun.
    pub conversations: Counter,
    /// EAP conversations whose peer fell silent.
    pub abandoned: Counter,
    /// Of those, the ones without a record, because there were too many.
    pub unrecorded: Counter,
    /// EAP conversations put out before their peer had answered, because all places were taken.
    pub evicted: Counter,
    /// Requests whose job failed or did not come back in time.
    pub lost: Counter,
    /// Datagrams that belonged to another loop and were given to it.
    pub handed_over: Counter,
    /// Requests given to home servers.
    pub forwarded: Counter,
    /// Access-Accepts of home servers sent on without a decision of ours.
    pub passed_on: Counter,
    /// Access-Rejects to passwords that were made to wait.
    pub delayed: Counter,
    /// Of those, the ones that left early because too many waited.
    pub hurried: Counter,
    /// Passwords that were not looked at because of too many wrong ones before.
    pub slowed: Counter,
    discarded: [Counter; Discarded::COUNT],
}

impl Counters {
    /// Counts one datagram dropped.
    pub(super) fn discard(&self, why: Discarded) {
        if let Some(counter) = self.discarded.get(why.index()) {
            counter.count();
        }
    }

    /// Dropped datagrams: each reason's name and its count.
    pub fn discarded(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Discarded::all().map(|why| {
            let count = self.discarded.get(why.index()).map_or(0, Counter::get);
            (why.name(), count)
        })
    }
}
