//! Who waits for which NAS, in turns: one that does not answer keeps only its own waiting.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use super::Reach;
use super::errand::Errand;
use crate::model::Monotonic;

/// The queues of all NASes. A NAS is in the circle while somebody waits for it and it has an
/// identifier left, so that finding the next one takes no search.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: HashMap<Reach, Lane>,
    ready: VecDeque<Reach>,
    waiting: usize,
    /// Where the identifiers of a NAS begin that has been asked nothing for a while.
    begin: u8,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Errand>,
    /// The identifier given out last.
    last: u8,
    /// How many are out.
    out: u16,
    /// When it answered last.
    heard: Option<Monotonic>,
    is_ready: bool,
}

impl Lane {
    const fn has_place(&self) -> bool {
        self.out < MAX_OUT
    }
}

impl Lanes {
    /// How many wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether somebody could be sent for.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Adds one who waits; at the `front` who has waited before.
    pub(super) fn put(&mut self, to: &Reach, errand: Errand, front: bool) {
        let begin = &mut self.begin;
        let lane = self.lanes.entry(to.clone()).or_insert_with(|| {
            *begin = begin.wrapping_add(1);
            Lane {
                last: *begin,
                ..Lane::default()
            }
        });
        if front {
            lane.queue.push_front(errand);
        } else {
            lane.queue.push_back(errand);
        }
        self.waiting += 1;
        self.list(to);
    }

    /// The next one, of the NAS whose turn it is; it takes a place of that NAS, to be given back by
    /// [`landed`](Self::landed).
    pub(super) fn next(&mut self) -> Option<(Reach, Errand)> {
        let to = self.ready.pop_front()?;
        let lane = self.lanes.get_mut(&to)?;
        lane.is_ready = false;
        let errand = lane.queue.pop_front()?;
        lane.out += 1;
        self.waiting -= 1;
        self.list(&to);
        Some((to, errand))
    }

    /// An identifier that no request to the NAS has which waits for its answer.
    pub(super) fn identifier(&mut self, to: &Reach, is_taken: impl Fn(u8) -> bool) -> u8 {
        let lane = self.lanes.entry(to.clone()).or_default();
        lane.last = lane.last.wrapping_add(1);
        // At most MAX_OUT of 256 are taken.
        while is_taken(lane.last) {
            lane.last = lane.last.wrapping_add(1);
        }
        lane.last
    }

    /// A place of the NAS is free again.
    pub(super) fn landed(&mut self, to: &Reach) {
        if let Some(lane) = self.lanes.get_mut(to) {
            lane.out = lane.out.saturating_sub(1);
            if lane.out == 0 && lane.queue.is_empty() {
                self.lanes.remove(to);
                return;
            }
        }
        self.list(to);
    }

    /// The NAS has answered.
    pub(super) fn hears(&mut self, now: Monotonic, from: &Reach) {
        if let Some(lane) = self.lanes.get_mut(from) {
            lane.heard = Some(now);
        }
    }

    /// All who wait for a NAS that has not answered since a request was sent; nobody if it has.
    pub(super) fn give_up(&mut self, to: &Reach, sent: Monotonic) -> Vec<Errand> {
        let Some(lane) = self.lanes.get_mut(to) else {
            return Vec::new();
        };
        if lane.heard.is_some_and(|heard| heard >= sent) {
            return Vec::new();
        }
        self.waiting -= lane.queue.len();
        lane.queue.drain(..).collect()
    }

    fn list(&mut self, to: &Reach) {
        if let Some(lane) = self.lanes.get_mut(to)
            && !lane.is_ready
            && lane.has_place()
            && !lane.queue.is_empty()
        {
            lane.is_ready = true;
            self.ready.push_back(to.clone());
        }
    }
}

/// Requests that may be sent: [`PER_MILLISECOND`] each millisecond, [`BURST`] at once.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    at: Monotonic,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            left: BURST,
            at: Monotonic::default(),
        }
    }
}

impl Budget {
    pub(super) fn has_one(&mut self, now: Monotonic) -> bool {
        let passed = now.since(self.at).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        if passed > 0 {
            let earned = passed.saturating_mul(PER_MILLISECOND);
            self.left = self.left.saturating_add(earned).min(BURST);
            self.at = now;
        }
        self.left > 0
    }

    pub(super) const fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// When there is more.
    pub(super) fn next(&self) -> Monotonic {
        self.at + Duration::from_millis(1)
    }
}

/// 10,000 sessions end within five seconds, and the network sees no more than 2,000 small
/// datagrams a second.
const PER_MILLISECOND: u64 = 2;

/// Requests at once.
const BURST: u64 = 100;

/// Requests to one NAS that wait for an answer; 256 identifiers is all there are.
const MAX_OUT: u16 = 200;
