//! When a session of which nothing more is heard is over.
//!
//! A NAS that sends Interim-Updates sends them by a timer (RFC 2869 section 2.1), and one that stops
//! has no such session any more, or has lost its memory of it. How long its timer runs is learned from
//! what it does: it may have an interval of its own, whatever an Acct-Interim-Interval asked for. An
//! update that comes for another reason (an address was learned, a device roams) is no beat of the
//! timer, and one alone teaches nothing.

use std::time::Duration;

use crate::model::Timestamp;

/// What silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    /// A session is over when nothing was heard of it for so long. Default a day.
    pub longest: Duration,
    /// It is over when so many Interim-Updates in a row did not come that would have by their
    /// timer; 0 draws no such conclusion. Default 4: a NAS repeats what is lost, and a gateway that
    /// restarts misses one or two.
    pub missed: u32,
}

impl Default for Silence {
    fn default() -> Self {
        Self {
            longest: Duration::from_hours(24),
            missed: 4,
        }
    }
}

/// When a session was heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rhythm {
    heard: Timestamp,
    /// The last report that can have been the timer's.
    beat: Timestamp,
    /// Seconds between the last two of those; 0 if there was but one.
    gap: u32,
    /// Seconds of the timer; 0 as long as none is known.
    interval: u32,
}

impl Rhythm {
    /// It has begun.
    #[must_use]
    pub const fn begun(at: Timestamp) -> Self {
        Self {
            heard: at,
            beat: at,
            gap: 0,
            interval: 0,
        }
    }

    /// It goes on, with the interval that was known of it; zero if none was.
    #[must_use]
    pub fn resumed(at: Timestamp, interval: Duration) -> Self {
        Self {
            interval: seconds(interval),
            ..Self::begun(at)
        }
    }

    /// Its NAS has reported it once more; a report from before is none.
    pub fn beats(&mut self, at: Timestamp) {
        self.heard = self.heard.max(at);
        let gap = at.since(self.beat);
        if gap < SHORTEST {
            return;
        }
        let gap = seconds(gap);
        let (shorter, longer) = (gap.min(self.gap), gap.max(self.gap));
        if self.interval > 0 {
            // Silence of that length has not been the end.
            self.interval = self.interval.max(gap);
        } else if longer - shorter <= longer / ALIKE {
            self.interval = longer;
        }
        self.gap = gap;
        self.beat = at;
    }

    /// When the last report came.
    #[must_use]
    pub const fn heard(&self) -> Timestamp {
        self.heard
    }

    /// How long the NAS's timer runs; zero as long as that is not known.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_secs(self.interval as u64)
    }

    /// Whether the session is over, by what is not heard of it.
    #[must_use]
    pub fn is_over(&self, now: Timestamp, silence: &Silence) -> bool {
        let silent = now.since(self.heard);
        let beats = self.interval > 0 && silence.missed > 0;
        let missed = self.interval().saturating_mul(silence.missed);
        silent >= silence.longest || (beats && silent >= missed.saturating_add(LATE))
    }
}

fn seconds(length: Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(u32::MAX)
}

/// No timer runs shorter: RFC 2869 section 5.16 allows no less than a minute. Some seconds are what the
/// network makes of it.
const SHORTEST: Duration = Duration::from_secs(50);

/// Two gaps that differ by no more than this part of the longer one are a timer's.
const ALIKE: u32 = 8;

/// How late the last one may be: as long as a NAS repeats a report.
const LATE: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn heard_at(times: &[i64]) -> Rhythm {
        let mut rhythm = Rhythm::begun(at(0));
        for time in times {
            rhythm.beats(at(*time));
        }
        rhythm
    }

    #[test]
    fn intervals_table_rfc2869_2_1() {
        for (row, times, interval) in [
            ("nothing", &[][..], 0),
            ("one update", &[600], 0),
            ("two", &[600, 1200], 600),
            ("a minute", &[60, 120, 180], 60),
            ("not quite on time", &[300, 590, 905], 315),
            ("for other reasons", &[5, 9, 4000, 4020, 4300], 0),
            ("the address is learned first", &[3, 600, 1200], 600),
            ("roams between two", &[600, 640, 1200], 600),
            ("one is lost", &[600, 1200, 2400, 3000], 1200),
            ("out of order", &[600, 1200, 900, 1800], 600),
            (
                "a clock that jumps",
                &[600, 1200, i64::MAX / 1000],
                u32::MAX,
            ),
        ] {
            let learned = heard_at(times).interval();
            assert_eq!(learned, Duration::from_secs(interval.into()), "row {row}");
        }
    }

    #[test]
    fn one_that_fell_silent_is_over_after_some_intervals_and_one_without_after_the_longest() {
        let silence = Silence {
            longest: Duration::from_secs(10_000),
            missed: 3,
        };
        let never = Silence {
            missed: 0,
            ..silence
        };
        for (row, times, silence, over) in [
            (
                "by its timer",
                &[600, 1200][..],
                silence,
                1200 + 3 * 600 + 60,
            ),
            ("one update", &[600], silence, 600 + 10_000),
            ("none", &[], silence, 10_000),
            ("not by a timer", &[600, 1200], never, 1200 + 10_000),
            ("by the longest", &[9000, 18_000], silence, 18_000 + 10_000),
        ] {
            let rhythm = heard_at(times);
            assert!(!rhythm.is_over(at(over - 1), &silence), "row {row}");
            assert!(rhythm.is_over(at(over), &silence), "row {row}");
        }
    }

    #[test]
    fn an_interval_is_known_after_a_restart() {
        let rhythm = Rhythm::resumed(at(0), Duration::from_secs(600));
        assert_eq!(rhythm.interval(), Duration::from_secs(600));
        let longest = Rhythm::resumed(at(0), Duration::MAX);
        assert_eq!(longest.interval(), Duration::from_secs(u32::MAX.into()));
        assert!(!longest.is_over(at(86_399), &Silence::default()));
        assert!(longest.is_over(at(86_400), &Silence::default()));
    }
}
