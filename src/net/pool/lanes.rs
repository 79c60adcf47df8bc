//! Jobs that wait, in the order in which they are worth doing.
//!
//! Flights of conversations that were worked on before go first: what was spent on them is lost
//! if their peer gives up. First flights and slow hashes share what is left, by time and not by
//! number, since one hash takes as long as a hundred flights.

use std::collections::VecDeque;
use std::time::Duration;

use crate::network::Lane;

/// What waits.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    begun: VecDeque<T>,
    first: VecDeque<T>,
    slow: VecDeque<T>,
    capacity: usize,
    begun_cost: Cost,
    first_cost: Cost,
    slow_cost: Cost,
    /// Time that slow hashes had while first flights waited, less that of first flights while
    /// hashes waited; nanoseconds.
    ahead: i64,
}

impl<T> Lanes<T> {
    /// With room for `capacity` jobs.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            begun: VecDeque::new(),
            first: VecDeque::new(),
            slow: VecDeque::new(),
            capacity,
            begun_cost: Cost::starting_at(FLIGHT),
            first_cost: Cost::starting_at(FLIGHT),
            slow_cost: Cost::starting_at(HASH),
            ahead: 0,
        }
    }

    /// Whether one more may wait. The last quarter of the places is for those that have begun.
    pub(super) fn has_room(&self, lane: Lane) -> bool {
        let taken = self.begun.len() + self.first.len() + self.slow.len();
        match lane {
            Lane::Begun => taken < self.capacity,
            Lane::First | Lane::Slow => taken < self.capacity - self.capacity / 4,
        }
    }

    pub(super) fn push(&mut self, lane: Lane, job: T) {
        match lane {
            Lane::Begun => self.begun.push_back(job),
            Lane::First => self.first.push_back(job),
            Lane::Slow => self.slow.push_back(job),
        }
    }

    /// The next job.
    pub(super) fn pop(&mut self) -> Option<T> {
        if let Some(job) = self.begun.pop_front() {
            return Some(job);
        }
        let contested = !self.first.is_empty() && !self.slow.is_empty();
        if !contested {
            self.ahead = 0;
            return self.first.pop_front().or_else(|| self.slow.pop_front());
        }
        if self.ahead <= 0 {
            self.ahead = self.ahead.saturating_add(self.slow_cost.nanos());
            self.slow.pop_front()
        } else {
            self.ahead = self.ahead.saturating_sub(self.first_cost.nanos());
            self.first.pop_front()
        }
    }

    /// A job of this lane took so long.
    pub(super) fn took(&mut self, lane: Lane, time: Duration) {
        let cost = match lane {
            Lane::Begun => &mut self.begun_cost,
            Lane::First => &mut self.first_cost,
            Lane::Slow => &mut self.slow_cost,
        };
        cost.learn(time);
    }

    /// How long a first flight that comes now will wait for one of `threads` workers.
    pub(super) fn wait(&self, threads: usize) -> Duration {
        // Each first flight before it is followed by another one of the same conversation, which
        // goes before it too.
        let (begun, first) = (
            self.begun_cost.of(self.begun.len()),
            self.first_cost.of(self.first.len()) + self.begun_cost.of(self.first.len()),
        );
        // Hashes take every second turn, by time.
        let shared = if self.slow.is_empty() {
            first
        } else {
            first * 2
        };
        (begun + shared) / u32::try_from(threads).unwrap_or(u32::MAX).max(1)
    }
}

/// What a job of a lane takes: an average in which the last ones count most.
#[derive(Clone, Copy, Debug)]
struct Cost(Duration);

impl Cost {
    const fn starting_at(guess: Duration) -> Self {
        Self(guess)
    }

    fn learn(&mut self, time: Duration) {
        /// The share of the latest: a burst is noticed after some ten jobs, and a job that was
        /// interrupted for a moment shuts no door.
        const WEIGHT: u32 = 16;
        let capped = time.min(LONGEST);
        self.0 = self.0 - self.0 / WEIGHT + capped / WEIGHT;
    }

    fn of(self, jobs: usize) -> Duration {
        self.0 * u32::try_from(jobs).unwrap_or(u32::MAX)
    }

    fn nanos(self) -> i64 {
        i64::try_from(self.0.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// A flight of TLS and an argon2 hash, until some have been measured.
const FLIGHT: Duration = Duration::from_micros(150);
const HASH: Duration = Duration::from_millis(30);

/// The most that one job counts for, so that a machine that was asleep does not shut the door.
const LONGEST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(capacity: usize) -> Lanes<u32> {
        Lanes::new(capacity)
    }

    fn rest(lanes: &mut Lanes<u32>) -> Vec<u32> {
        std::iter::from_fn(|| lanes.pop()).collect()
    }

    #[test]
    fn what_has_begun_goes_first() {
        let mut lanes = lanes(8);
        for (number, lane) in (0..).zip([Lane::First, Lane::Begun, Lane::First, Lane::Begun]) {
            lanes.push(lane, number);
        }
        assert_eq!(rest(&mut lanes), [1, 3, 0, 2]);
    }

    #[test]
    fn hashes_and_first_flights_share_by_time() {
        let mut lanes = lanes(1000);
        for number in 0..500 {
            lanes.push(Lane::First, number);
        }
        for number in 500..503 {
            lanes.push(Lane::Slow, number);
        }
        let order = rest(&mut lanes);
        let hashes: Vec<usize> = (0..order.len()).filter(|at| order[*at] >= 500).collect();
        // A hash counts for 30 ms, a flight for 150 µs.
        assert_eq!(hashes, [0, 201, 402]);
    }

    #[test]
    fn the_last_quarter_is_for_those_that_have_begun() {
        let mut lanes = lanes(4);
        for number in 0..3 {
            assert!(lanes.has_room(Lane::First), "row {number}");
            lanes.push(Lane::First, number);
        }
        assert!(!lanes.has_room(Lane::First) && !lanes.has_room(Lane::Slow));
        assert!(lanes.has_room(Lane::Begun));
        lanes.push(Lane::Begun, 3);
        assert!(!lanes.has_room(Lane::Begun));
    }

    #[test]
    fn the_wait_follows_what_jobs_have_taken() {
        let mut lanes = lanes(1000);
        for _ in 0..200 {
            lanes.took(Lane::First, Duration::from_millis(1));
            lanes.took(Lane::Begun, Duration::from_millis(2));
        }
        for number in 0..100 {
            lanes.push(Lane::First, number);
        }
        let near = |wait: Duration, millis: u64| {
            let wanted = Duration::from_millis(millis);
            wait.abs_diff(wanted) < wanted / 100
        };
        // A first flight and the one that follows it.
        assert!(near(lanes.wait(1), 300), "{:?}", lanes.wait(1));
        assert!(near(lanes.wait(4), 75), "{:?}", lanes.wait(4));
        lanes.push(Lane::Begun, 100);
        assert!(near(lanes.wait(1), 302), "{:?}", lanes.wait(1));
        lanes.push(Lane::Slow, 101);
        assert!(near(lanes.wait(1), 602), "{:?}", lanes.wait(1));
        for _ in 0..16 {
            lanes.took(Lane::First, Duration::from_secs(3600));
        }
        assert!(
            lanes.wait(1) < Duration::from_secs(40),
            "{:?}",
            lanes.wait(1)
        );
    }
}
