//! A wall clock that leaps ahead: of a machine that slept, or that a time server has put right.
//!
//! Every fact of the inventory is older at once, by as much, and nothing that is too old counts: devices
//! go into quarantine until their sources have said again what they said. They are asked at once.

use std::time::Duration;

use tracing::error;

use crate::mail;
use crate::model::Now;
use crate::model::Timestamp;
use crate::sync;
use crate::sync::Run;

/// Looks for leaps.
#[derive(Debug)]
pub(super) struct Leaps {
    last: Now,
}

impl Leaps {
    pub(super) fn new(now: Now) -> Self {
        Self { last: now }
    }

    /// How far the wall clock has leapt ahead since it was looked at last, if that is far.
    pub(super) fn look(&mut self, now: Now) -> Option<Duration> {
        let before = std::mem::replace(&mut self.last, now);
        let passed = now.monotonic.since(before.monotonic);
        let leap = now.wall.since(before.wall).saturating_sub(passed);
        (leap >= FAR).then_some(leap)
    }
}

/// Has all sources say everything again, and users told nothing of what that mends.
pub(super) fn recover(
    now: Timestamp,
    leap: Duration,
    sources: &sync::Handle,
    gateway: Option<&mail::Gateway>,
) {
    let seconds = leap.as_secs();
    error!(
        seconds,
        "the clock has leapt ahead: what is known of devices is older by that, and devices may be in quarantine until all sources, which are asked now, have said it again"
    );
    if let Some(gateway) = gateway {
        gateway.hold_post(now + QUIET);
    }
    if let Err(error) = sources.sync_now(None, Run::Full, false) {
        error!(%error, "not all sources can be asked now; portreeve sync asks them");
    }
}

/// Less than what any fact may be old, more than a clock is put right by in use.
const FAR: Duration = Duration::from_mins(5);

/// How long mails to users wait after that: most full runs end within it.
const QUIET: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Monotonic;

    fn at(monotonic: u64, wall: i64) -> Now {
        Now {
            monotonic: Monotonic::from_elapsed(Duration::from_secs(monotonic)),
            wall: Timestamp::from_unix_seconds(wall),
        }
    }

    #[test]
    fn only_a_leap_ahead_that_is_far_is_one_and_once() {
        let mut leaps = Leaps::new(at(0, 1000));
        for (monotonic, wall, leap) in [
            (1, 1001, None),
            (4000, 5000, None),
            (4001, 5300, None),
            (4002, 5602, Some(301)),
            (4003, 5603, None),
            (4004, 0, None),
            (4005, 5605, Some(5604)),
        ] {
            let found = leaps.look(at(monotonic, wall));
            assert_eq!(found, leap.map(Duration::from_secs), "row {monotonic}");
        }
    }
}
