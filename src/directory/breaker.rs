//! A circuit breaker: who has failed several times in a row is left alone for a while.
//!
//! ```text
//! closed --3 failures--> open --wait is over--> one is let through --+
//!    ^                     ^                                         |
//!    +---- it succeeds ----|---------- it fails, twice the wait -----+
//! ```
//!
//! What was asked before it opened fails with it: however many questions were under way, a stall is one
//! step, and only the one that is let through makes the next wait longer.

use std::time::Duration;

use crate::model::Monotonic;

/// Of one server or helper.
#[derive(Debug)]
pub(super) struct Breaker {
    failures: u32,
    wait: Duration,
    /// Since when, and until when nobody is let through; `None` while closed.
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    since: Monotonic,
    until: Monotonic,
}

/// How a server is doing, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// The last question was answered, or none has been asked.
    Up,
    /// The last one was not answered, and it is asked all the same.
    Failing,
    /// It is left alone for a while.
    Down,
}

impl Health {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Failing => "failing",
            Self::Down => "down",
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 0,
            wait: FIRST_WAIT,
            open: None,
        }
    }
}

impl Breaker {
    /// Whether a question may be asked now. Once the wait is over one may, and the others only if it
    /// has failed or not been heard of for another wait.
    pub(super) fn admits(&mut self, now: Monotonic) -> bool {
        match &mut self.open {
            None => true,
            Some(open) if now < open.until => false,
            Some(open) => {
                open.until = now + self.wait;
                true
            }
        }
    }

    /// A question was answered.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A question that was asked at `asked` was not answered. Gives whether the server is left alone
    /// from now on, and was not before.
    pub(super) fn failed(&mut self, now: Monotonic, asked: Monotonic) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < THRESHOLD {
            return false;
        }
        let opens = match self.open {
            None => true,
            Some(open) if asked <= open.since => return false,
            Some(_) => {
                self.wait = self.wait.saturating_mul(2).min(LONGEST_WAIT);
                false
            }
        };
        self.open = Some(Open {
            since: now,
            until: now + self.wait,
        });
        opens
    }

    pub(super) const fn health(&self) -> Health {
        match self.open {
            Some(_) => Health::Down,
            None if self.failures > 0 => Health::Failing,
            None => Health::Up,
        }
    }
}

/// One lost connection is chance, and two may be a restart.
const THRESHOLD: u32 = 3;

/// A server that restarts is back within seconds; one that stays away costs one user in a minute the
/// time of its deadline.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_one_is_let_through_after_the_wait() {
        let mut breaker = Breaker::default();
        assert!(!breaker.failed(at(0), at(0)) && !breaker.failed(at(0), at(0)));
        assert_eq!(breaker.health(), Health::Failing);
        breaker.succeeded();
        assert_eq!(breaker.health(), Health::Up);
        for opens in [false, false, true] {
            assert!(breaker.admits(at(1)));
            assert_eq!(breaker.failed(at(1), at(1)), opens);
        }
        assert_eq!(breaker.health(), Health::Down);
        assert!(!breaker.admits(at(2)));
        assert!(breaker.admits(at(3)), "the wait is over");
        assert!(!breaker.admits(at(3)), "one at a time");
        assert!(!breaker.failed(at(3), at(3)), "it was open before");
        assert!(!breaker.admits(at(6)), "twice the wait");
        assert!(breaker.admits(at(7)));
        breaker.succeeded();
        assert!(breaker.admits(at(7)) && breaker.admits(at(7)));
    }

    #[test]
    fn the_wait_ends_at_a_minute_and_one_who_is_not_heard_of_does_not_keep_it_open() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        for _ in 0..20 {
            now += 60;
            breaker.admits(at(now));
            breaker.failed(at(now), at(now));
        }
        assert!(!breaker.admits(at(now + 59)));
        assert!(breaker.admits(at(now + 60)), "its end is never told");
        assert!(!breaker.admits(at(now + 119)));
        assert!(breaker.admits(at(now + 120)));
    }

    #[test]
    fn failures_of_one_stall_are_one_step_however_many_questions_were_under_way() {
        let mut breaker = Breaker::default();
        let opened = (0..30).filter(|_| breaker.failed(at(2), at(0))).count();
        assert_eq!(opened, 1);
        assert!(!breaker.admits(at(3)));
        assert!(
            breaker.admits(at(4)),
            "the first wait, not twice it or more"
        );
        // More of the same stall, later than the one that was let through; then that one, too.
        assert!(!breaker.failed(at(5), at(1)));
        assert!(!breaker.failed(at(6), at(4)));
        assert!(!breaker.failed(at(6), at(4)), "nobody else was let through");
        assert!(!breaker.admits(at(9)));
        assert!(breaker.admits(at(10)), "twice the wait, once");
    }
}
