//! Refusals, counted by user and by address.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Monotonic;

use super::Excess;
use super::Key;
use super::Throttle;

/// Refusals of one kind.
pub(super) struct Tally {
    pub(super) users: Failures,
    pub(super) addresses: Failures,
    /// Of those who have proved themselves, each by a key of its own.
    pub(super) own: Failures,
    /// By address, what is under way of those; their refusals are not counted here.
    pub(super) queues: Failures,
}

/// Counts by key, each in a window of its own that begins with the first.
pub(super) struct Failures {
    counts: HashMap<Key, Count>,
    excess: Excess,
    limit: u32,
    window: Duration,
}

struct Count {
    since: Monotonic,
    refused: u32,
    /// Asked about, and not answered yet. One whose client went away stays until the window ends:
    /// the upstream may have counted it.
    asked: u32,
    /// What somebody was told to wait for.
    told: Option<Excess>,
}

impl Failures {
    pub(super) fn new(excess: Excess, limit: u32, window: Duration) -> Self {
        Self {
            counts: HashMap::new(),
            excess,
            limit,
            window,
        }
    }

    /// Whether and how long `key` has to wait.
    pub(super) fn throttle(&mut self, now: Monotonic, key: Key) -> Option<Throttle> {
        let count = self.counts.get_mut(&key)?;
        let rest = now.until(count.since + self.window);
        if rest.is_zero() || count.refused.saturating_add(count.asked) < self.limit {
            return None;
        }
        let (excess, wait) = if count.refused < self.limit {
            (Excess::AtOnce, rest.min(AT_ONCE))
        } else {
            (self.excess, rest)
        };
        let first = count.told.replace(excess) != Some(excess);
        Some(Throttle {
            excess,
            wait,
            first,
        })
    }

    /// The upstream is asked.
    pub(super) fn begin(&mut self, now: Monotonic, key: Key) {
        let window = self.window;
        let is_over = |count: &Count| now.until(count.since + window).is_zero();
        if self.counts.len() >= MAX_COUNTS && !self.counts.contains_key(&key) {
            self.counts.retain(|_, count| !is_over(count));
            if self.counts.len() >= MAX_COUNTS {
                // A flood of names: the limit by address still holds.
                return;
            }
        }
        let fresh = Count {
            since: now,
            refused: 0,
            asked: 1,
            told: None,
        };
        self.counts
            .entry(key)
            .and_modify(|count| {
                if is_over(count) {
                    *count = Count { asked: 0, ..fresh };
                }
                count.asked = count.asked.saturating_add(1);
            })
            .or_insert(fresh);
    }

    /// It has refused.
    pub(super) fn refuse(&mut self, key: Key) {
        if let Some(count) = self.counts.get_mut(&key) {
            count.asked = count.asked.saturating_sub(1);
            count.refused = count.refused.saturating_add(1);
        }
    }

    /// It has not.
    pub(super) fn release(&mut self, key: Key) {
        if let Some(count) = self.counts.get_mut(&key) {
            count.asked = count.asked.saturating_sub(1);
            if count.asked == 0 && count.refused == 0 {
                self.counts.remove(&key);
            }
        }
    }
}

/// How many users and how many addresses with refusals are kept apart; about 5 megabytes each.
/// Beyond it, and when none has expired, further ones are not counted.
const MAX_COUNTS: usize = 65_536;

/// How long to wait for answers that are under way.
const AT_ONCE: Duration = Duration::from_secs(2);
