//! How a member of an upstream is: what its own requests have shown, and what it answers when it is
//! asked.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

/// The health of one member; shared by all lanes, and read without a lock.
#[derive(Debug)]
pub(super) struct Health {
    began: Instant,
    /// Requests that have failed there in a row.
    failures: AtomicU32,
    /// Milliseconds since `began` until which others are preferred; 0 of one that is well.
    avoided_until: AtomicU64,
    checked: AtomicU8,
    /// Checks that have failed in a row.
    failed_checks: AtomicU32,
    is_told: AtomicBool,
    requests: AtomicU64,
    failed: AtomicU64,
    /// Why it is not well.
    why: Mutex<String>,
}

const UNCHECKED: u8 = 0;
const GOOD: u8 = 1;
const BAD: u8 = 2;

impl Health {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            failures: AtomicU32::new(0),
            avoided_until: AtomicU64::new(0),
            checked: AtomicU8::new(UNCHECKED),
            failed_checks: AtomicU32::new(0),
            is_told: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            why: Mutex::new(String::new()),
        }
    }

    /// Whether its checks say that nothing may be sent there.
    pub(super) fn is_down(&self) -> bool {
        self.checked.load(Ordering::Relaxed) == BAD
    }

    /// Whether its last check has found it well, and no request has found anything else since.
    pub(super) fn passes_checks(&self) -> bool {
        self.checked.load(Ordering::Relaxed) == GOOD && !self.is_avoided()
    }

    /// Whether another one is to be preferred.
    pub(super) fn is_avoided(&self) -> bool {
        self.avoided_until.load(Ordering::Relaxed) > 0 && self.is_avoided_at(self.millis())
    }

    fn is_avoided_at(&self, millis: u64) -> bool {
        millis < self.avoided_until.load(Ordering::Relaxed)
    }

    /// A request goes there.
    pub(super) fn begin(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// It has answered a request; true if it had not for some.
    pub(super) fn succeed(&self) -> bool {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        self.avoided_until.store(0, Ordering::Relaxed);
        self.is_told.swap(false, Ordering::Relaxed)
    }

    /// It has not answered a request; true when it is avoided from now on.
    pub(super) fn fail(&self, why: &str, was_open: bool) -> bool {
        self.fail_at(self.millis(), why, was_open)
    }

    fn fail_at(&self, millis: u64, why: &str, was_open: bool) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let failures = self
            .failures
            .fetch_add(1, Ordering::Relaxed)
            .saturating_add(1);
        // One that cannot be connected to is not tried by everybody.
        if was_open && failures < FAILURES {
            return false;
        }
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(FAILURES).min(8));
        let rest = REST.saturating_mul(doubled).min(LONGEST_REST);
        let until = millis.saturating_add(u64::try_from(rest.as_millis()).unwrap_or(u64::MAX));
        self.avoided_until.store(until.max(1), Ordering::Relaxed);
        self.set_why(why);
        !self.is_told.swap(true, Ordering::Relaxed)
    }

    /// A check was answered as it should; true if it was not before.
    pub(super) fn check_succeeds(&self) -> bool {
        self.failed_checks.store(0, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.avoided_until.store(0, Ordering::Relaxed);
        self.is_told.store(false, Ordering::Relaxed);
        self.checked.swap(GOOD, Ordering::Relaxed) == BAD
    }

    /// A check was not; true when it counts as down from now on: at once if it has never been
    /// well, else at the second time.
    pub(super) fn check_fails(&self, why: &str) -> bool {
        let failed = &self.failed_checks;
        let times = failed.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let was = self.checked.load(Ordering::Relaxed);
        if times < FAILED_CHECKS && was == GOOD {
            return false;
        }
        self.set_why(why);
        self.checked.swap(BAD, Ordering::Relaxed) != BAD
    }

    /// Whether its last check has failed and those before have not: the next one says how it is.
    pub(super) fn is_doubtful(&self) -> bool {
        self.failed_checks.load(Ordering::Relaxed) > 0 && !self.is_down()
    }

    /// It is not asked any more.
    pub(super) fn is_not_checked(&self) {
        self.checked.store(UNCHECKED, Ordering::Relaxed);
    }

    /// How it is, for people: `up`, `up (health check)`, `avoided: why`, `down: why`.
    pub(super) fn words(&self) -> String {
        let why = || {
            self.why
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        if self.is_down() {
            format!("down: {}", why())
        } else if self.is_avoided() {
            format!("avoided: {}", why())
        } else if self.checked.load(Ordering::Relaxed) == GOOD {
            "up (health check)".to_owned()
        } else {
            "up".to_owned()
        }
    }

    /// Requests that went there, and those of them that were not answered.
    pub(super) fn counts(&self) -> (u64, u64) {
        (
            self.requests.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }

    fn set_why(&self, why: &str) {
        let mut known = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        why.clone_into(&mut known);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Requests that fail in a row before others are preferred: a single one may have been the
/// request's own doing.
const FAILURES: u32 = 3;
/// How long others are preferred then, doubled with each further failure.
const REST: Duration = Duration::from_secs(10);
/// And at most.
const LONGEST_REST: Duration = Duration::from_mins(1);
/// Checks that fail in a row before one that was well counts as down.
const FAILED_CHECKS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_is_avoided_for_a_while_and_told_of_once() {
        let health = Health::new();
        assert!(!health.fail_at(0, "closed", true));
        assert!(!health.fail_at(0, "closed", true));
        assert!(!health.is_avoided_at(0));
        assert!(health.fail_at(0, "closed", true));
        assert!(health.is_avoided_at(9_999) && !health.is_avoided_at(10_000));
        assert!(!health.fail_at(10_000, "closed", true), "told of already");
        assert!(health.is_avoided_at(29_999), "twice as long");
        for _ in 0..9 {
            health.fail_at(0, "closed", true);
        }
        assert!(!health.is_avoided_at(60_000), "a minute at most");
        assert!(health.succeed());
        assert!(!health.succeed());
        assert_eq!(health.words(), "up");
        assert!(health.fail("refused", false), "at once");
        assert_eq!(health.words(), "avoided: refused");
        assert!(health.is_avoided() && !health.is_down());
    }

    #[test]
    fn checks_bring_one_down_and_up() {
        let health = Health::new();
        assert!(health.check_fails("status 503"));
        assert!(health.is_down());
        assert_eq!(health.words(), "down: status 503");
        assert!(!health.check_fails("status 503"), "told of already");
        assert!(health.check_succeeds());
        assert_eq!(health.words(), "up (health check)");
        assert!(!health.is_doubtful());
        assert!(!health.check_fails("timeout"), "once is nothing");
        assert!(!health.is_down() && health.is_doubtful());
        assert!(health.check_fails("timeout"));
        assert!(health.is_down() && !health.is_doubtful());
        health.is_not_checked();
        assert!(!health.is_down());
    }
}
