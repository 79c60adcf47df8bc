//! When a source is asked: full runs, quick runs, waits after failures. No clock, no task.
//!
//! A full run may take hours, and the quick runs that keep facts fresh must not wait for it. So a
//! full run can be paused between two pages: the plan then gives the quick run first and the rest
//! of the full run after it. Never are two runs of one plan under way at once.

use std::time::Duration;

use crate::model::Monotonic;

/// What a run is to bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Run {
    /// Everything, so that what is absent can be removed.
    Full,
    /// What may have changed since the last run.
    Quick,
}

impl Run {
    /// `full` or `quick`, as an operator writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Quick => "quick",
        }
    }
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// From the end of a full run to the next one, at most.
    pub full: Duration,
    /// From the end of a quick run to the next one, at most; `None` for a source without them.
    pub quick: Option<Duration>,
    /// Waits after failed runs.
    pub backoff: Backoff,
}

/// Exponential waits with jitter, so that gateways that failed together do not return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// The longest wait.
    pub cap: Duration,
}

impl Backoff {
    /// The wait after `failures` earlier failures: doubled for each, capped, and of that a random
    /// share between half and all.
    #[must_use]
    pub fn delay(self, failures: u32, random: u64) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.min(30));
        let longest = self.first.saturating_mul(doubled).min(self.cap);
        let half = longest / 2;
        half + share_of(half, random)
    }
}

/// The schedule of one source, in time that callers pass in.
#[derive(Clone, Debug)]
pub struct Plan {
    schedule: Schedule,
    full: Lane,
    quick: Lane,
    /// What is under way.
    running: Option<Run>,
    /// The server wants to be left alone until then.
    closed_until: Monotonic,
}

/// One kind of run.
#[derive(Clone, Copy, Debug)]
struct Lane {
    /// `None`: never on its own.
    due: Option<Monotonic>,
    /// After a failure, not before.
    retry_at: Monotonic,
    failures: u32,
    /// Asked for by an operator or an event: due at once, whatever was planned.
    wanted: bool,
}

impl Lane {
    fn new(due: Option<Monotonic>) -> Self {
        Self {
            due,
            retry_at: Monotonic::default(),
            failures: 0,
            wanted: false,
        }
    }

    /// When it comes up, waits after failures included.
    fn next(self) -> Option<Monotonic> {
        if self.wanted {
            return Some(Monotonic::default());
        }
        self.due.map(|due| due.max(self.retry_at))
    }
}

impl Plan {
    /// A full run is due at once, the first quick run one interval later.
    #[must_use]
    pub fn new(now: Monotonic, schedule: Schedule) -> Self {
        Self {
            schedule,
            full: Lane::new(Some(now)),
            quick: Lane::new(schedule.quick.map(|interval| now + interval)),
            running: None,
            closed_until: now,
        }
    }

    /// A run is wanted now. It passes the wait after a failure, not the one a server asked for.
    pub const fn handle_request(&mut self, run: Run) {
        self.lane(run).wanted = true;
    }

    /// The run is done, and what it brought is applied.
    pub fn handle_success(&mut self, now: Monotonic, run: Run, random: u64) {
        let interval = match run {
            Run::Full => Some(self.schedule.full),
            Run::Quick => self.schedule.quick,
        };
        self.running = None;
        let lane = self.lane(run);
        // What was asked for during the run may have come too late for it.
        let wanted = lane.wanted;
        *lane = Lane::new(interval.map(|interval| now + jittered(interval, random)));
        lane.wanted = wanted;
    }

    /// The run stopped half-way to let another one pass; it goes on where it stopped.
    pub fn handle_pause(&mut self, now: Monotonic, run: Run) {
        self.running = None;
        self.lane(run).due = Some(now);
    }

    /// The run is wanted again after `wait`, if not sooner.
    pub fn handle_hint(&mut self, now: Monotonic, run: Run, wait: Duration) {
        let lane = self.lane(run);
        let again = now + wait;
        lane.due = Some(lane.due.map_or(again, |due| due.min(again)));
    }

    /// The run failed; `asked_for` is the wait that the server wants.
    pub fn handle_failure(
        &mut self,
        now: Monotonic,
        run: Run,
        asked_for: Option<Duration>,
        random: u64,
    ) {
        let backoff = self.schedule.backoff;
        self.running = None;
        let lane = self.lane(run);
        lane.retry_at = now + backoff.delay(lane.failures, random);
        lane.failures = lane.failures.saturating_add(1);
        lane.due = Some(lane.retry_at);
        if let Some(wait) = asked_for {
            self.closed_until = now + wait.min(MAX_CLOSED);
        }
    }

    /// Whether the source has asked to be left alone until later.
    #[must_use]
    pub fn is_closed(&self, now: Monotonic) -> bool {
        now < self.closed_until
    }

    /// The run to start now, if one is due. A quick run goes before a full one.
    pub fn poll_run(&mut self, now: Monotonic) -> Option<Run> {
        if self.running.is_some() || now < self.closed_until {
            return None;
        }
        let due = |lane: Lane| lane.next().is_some_and(|next| next <= now);
        let run = if due(self.quick) {
            Run::Quick
        } else if due(self.full) {
            Run::Full
        } else {
            return None;
        };
        self.lane(run).wanted = false;
        self.running = Some(run);
        Some(run)
    }

    /// When a run under way should pause for a quick one, if it can.
    #[must_use]
    pub fn pause_at(&self) -> Option<Monotonic> {
        self.quick.next()
    }

    /// When to call [`Plan::poll_run`] again; `None` while a run is under way.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        if self.running.is_some() {
            return None;
        }
        let next = [self.full.next(), self.quick.next()]
            .into_iter()
            .flatten()
            .min()?;
        Some(next.max(self.closed_until))
    }

    const fn lane(&mut self, run: Run) -> &mut Lane {
        match run {
            Run::Full => &mut self.full,
            Run::Quick => &mut self.quick,
        }
    }
}

/// Nine to ten tenths of `interval`: never later than configured, and gateways drift apart.
fn jittered(interval: Duration, random: u64) -> Duration {
    interval - share_of(interval / 10, random)
}

/// `random` in 2^32 parts of `whole`.
fn share_of(whole: Duration, random: u64) -> Duration {
    let [a, b, c, d, ..] = random.to_be_bytes();
    let part = u32::from_be_bytes([a, b, c, d]);
    whole.mul_f64(f64::from(part) / f64::from(u32::MAX))
}

/// A server that wants more is asked again all the same: a mistyped date must not close a source
/// for a year.
const MAX_CLOSED: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
