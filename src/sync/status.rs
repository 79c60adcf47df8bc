//! How each feed is doing, for `status`, `sync` and `/metrics`.
//!
//! Full and quick runs are told apart, for one may fail behind the other's back: a list of a
//! thousand pages that never reaches its last one, while every minute's quick run goes well.

use std::time::Duration;

use tokio::sync::watch;

use crate::model::Now;
use crate::model::Problem;
use crate::model::Timestamp;
use crate::sync::plan::Run;

/// How one feed is doing: the devices or the users of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// `<source>/devices` or `<source>/users`, the name under which the inventory knows it.
    pub feed: String,
    /// Whether it works.
    pub state: State,
    /// Since when it is in that state.
    pub since: Timestamp,
    /// How runs over everything end.
    pub full: RunStatus,
    /// How quick runs end; `None` for a feed without them.
    pub quick: Option<RunStatus>,
    /// The request under way has failed and is asked again.
    pub retrying: Option<RunError>,
    /// The last run that an operator asked for.
    pub answered: Option<Answered>,
    /// The run under way, if one is.
    pub running: Option<Run>,
    /// Pages and rows of the run under way, or of the last one.
    pub progress: (usize, usize),
    /// Devices or users in the last complete list.
    pub entries: usize,
    /// Rows of the last complete list that could not be used.
    pub bad_rows: usize,
    /// What is wrong in a file.
    pub problems: Vec<Problem>,
    /// Something to look at although the last full run went well.
    pub note: Option<String>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// How old a fact of this feed can get while all goes well (R49).
    pub worst_latency: Duration,
    /// How far the source's clock is ahead of ours, in milliseconds, as last seen.
    pub clock_ahead: Option<i64>,
    /// Counted since the start.
    pub counters: Counters,
}

/// Whether a feed works (R57).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its first full run has not ended.
    Pending,
    /// Its last runs went well.
    Connected,
    /// Some of it goes well and some does not: one kind of run fails, a list is held back, or a
    /// request is asked again and again.
    Degraded,
    /// Nothing has gone well since it began to fail; what it said before stays and ages.
    Disconnected,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 4] = [
        Self::Pending,
        Self::Connected,
        Self::Degraded,
        Self::Disconnected,
    ];

    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Connected => "connected",
            Self::Degraded => "degraded",
            Self::Disconnected => "disconnected",
        }
    }
}

/// How runs of one kind end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunStatus {
    /// How the last one ended.
    pub outcome: Outcome,
    /// When one last went well.
    pub last_success: Option<Timestamp>,
    /// The last failure, also when it is over.
    pub last_error: Option<RunError>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// None has ended.
    #[default]
    Pending,
    /// It went well.
    Well,
    /// It failed.
    Failed,
    /// Its list lacks too much and waits for an operator (R47).
    Held,
}

impl Outcome {
    /// One word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Well => "well",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }

    /// Whether the last run brought nothing.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::Held)
    }
}

/// A failure that may have repeated itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunError {
    /// One sentence for the operator.
    pub reason: String,
    /// When it began.
    pub since: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How often in a row.
    pub times: u32,
}

/// The end of a run that an operator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The number of the request.
    pub number: u64,
    /// Which run.
    pub run: Run,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not go well.
    pub reason: Option<String>,
}

/// What a feed has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs that went well.
    pub successes: u64,
    /// Runs that failed.
    pub failures: u64,
    /// Rows that were read, usable or not.
    pub rows: u64,
    /// Requests to the source.
    pub requests: u64,
    /// Requests that were asked again.
    pub retries: u64,
    /// Requests that the source turned away because of too many (429, 503).
    pub throttled: u64,
}

impl Status {
    /// The kinds of runs that fail now, with their errors; full runs first.
    pub fn failing(&self) -> impl Iterator<Item = (Run, &RunError)> {
        let quick = self.quick.as_ref().map(|quick| (Run::Quick, quick));
        let both = std::iter::once((Run::Full, &self.full)).chain(quick);
        let failing = both.filter(|(_, status)| status.outcome.is_bad());
        failing.filter_map(|(run, status)| Some((run, status.last_error.as_ref()?)))
    }

    /// Whether a list waits for an operator to say that it is right.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.full.outcome == Outcome::Held
    }

    /// The name of the source, without the list.
    #[must_use]
    pub fn source(&self) -> &str {
        self.feed.rsplit_once('/').map_or("", |(source, _)| source)
    }

    /// How runs of a kind end; a feed without quick runs makes full ones of them.
    const fn of(&self, run: Run) -> &RunStatus {
        match (run, &self.quick) {
            (Run::Quick, Some(quick)) => quick,
            (Run::Full, _) | (Run::Quick, None) => &self.full,
        }
    }

    /// The state that follows from how the runs end. Quick runs are the frequent ones, so they
    /// say whether the source is there at all.
    fn judge(&self) -> State {
        let full = self.full.outcome;
        let quick = self.quick.as_ref();
        if let Some(quick) = quick.filter(|quick| quick.outcome == Outcome::Failed) {
            let since = quick.last_error.as_ref().map(|error| error.since);
            return match full {
                Outcome::Held => State::Degraded,
                Outcome::Well if self.full.last_success > since => State::Degraded,
                Outcome::Pending | Outcome::Well | Outcome::Failed => State::Disconnected,
            };
        }
        let quick_goes_well = quick.is_some_and(|quick| quick.outcome == Outcome::Well);
        match full {
            Outcome::Pending => State::Pending,
            Outcome::Failed if !quick_goes_well => State::Disconnected,
            Outcome::Failed | Outcome::Held => State::Degraded,
            Outcome::Well if self.retrying.is_some() => State::Degraded,
            Outcome::Well => State::Connected,
        }
    }
}

/// Where a feed's task writes its status and everybody else reads it.
#[derive(Debug)]
pub(super) struct Board {
    status: watch::Sender<Status>,
    /// Every run reads everything, as those of files do: how it ends says how both kinds do.
    whole: bool,
}

impl Board {
    pub(super) fn new(
        feed: &str,
        worst_latency: Duration,
        (quick, whole): (bool, bool),
        now: Now,
    ) -> (Self, watch::Receiver<Status>) {
        let (status, receiver) = watch::channel(Status {
            feed: feed.to_owned(),
            state: State::Pending,
            since: now.wall,
            full: RunStatus::default(),
            quick: quick.then(RunStatus::default),
            retrying: None,
            answered: None,
            running: None,
            progress: (0, 0),
            entries: 0,
            bad_rows: 0,
            problems: Vec::new(),
            note: None,
            next_run: None,
            worst_latency,
            clock_ahead: None,
            counters: Counters::default(),
        });
        (Self { status, whole }, receiver)
    }

    pub(super) fn started(&self, run: Run) {
        self.status.send_modify(|status| {
            status.running = Some(run);
            status.progress = (0, 0);
        });
    }

    /// `rows` more rows are in; `progress` counts pages and rows of the run.
    pub(super) fn read(&self, rows: usize, progress: (usize, usize)) {
        self.status.send_modify(|status| {
            status.progress = progress;
            status.counters.rows += rows as u64;
        });
    }

    pub(super) fn requested(&self) {
        self.status
            .send_modify(|status| status.counters.requests += 1);
    }

    /// A request has failed for `reason` and is asked again.
    pub(super) fn retried(&self, now: Now, throttled: bool, reason: String) {
        self.change(now, |status| {
            status.counters.retries += 1;
            status.counters.throttled += u64::from(throttled);
            let before = status.retrying.take();
            status.retrying = Some(RunError::again(before.as_ref(), now.wall, reason));
        });
    }

    /// A request is answered as it should be.
    pub(super) fn answers(&self, now: Now) {
        if self.status.borrow().retrying.is_some() {
            self.change(now, |status| status.retrying = None);
        }
    }

    pub(super) fn clock_ahead(&self, millis: i64) {
        self.status
            .send_modify(|status| status.clock_ahead = Some(millis));
    }

    /// The run stopped half-way.
    pub(super) fn paused(&self) {
        self.status.send_modify(|status| status.running = None);
    }

    /// Nothing is new. What was wrong with the last list is still wrong.
    pub(super) fn unchanged(&self, now: Now, run: Run) {
        self.change(now, |status| {
            status.running = None;
            if status.state == State::Connected {
                status.of_mut(run).succeed(now.wall);
                status.counters.successes += 1;
            }
        });
    }

    /// Notes a good end; gives the failure that is over by it.
    pub(super) fn succeeded(&self, now: Now, run: Run, done: Done) -> Option<RunError> {
        let mut over = None;
        self.change(now, |status| {
            status.running = None;
            status.retrying = None;
            let before = status.of(run);
            over = before
                .last_error
                .clone()
                .filter(|_| before.outcome.is_bad());
            if self.whole {
                status.full.succeed(now.wall);
                status.quick.iter_mut().for_each(|q| q.succeed(now.wall));
            } else {
                status.of_mut(run).succeed(now.wall);
            }
            if let Some(entries) = done.entries {
                status.entries = entries;
                status.bad_rows = done.bad;
                status.problems = done.problems;
                status.note = done.note;
            }
            status.counters.successes += 1;
        });
        over
    }

    /// Notes a bad end; says whether it is news.
    pub(super) fn failed(&self, now: Now, run: Run, failed: Failed) -> bool {
        let mut news = false;
        self.change(now, |status| {
            status.running = None;
            status.retrying = None;
            let before = status.of(run);
            let known = before.last_error.as_ref().map(|error| &error.reason);
            news = !before.outcome.is_bad() || known != Some(&failed.reason);
            if self.whole {
                status.full.fail(now.wall, &failed);
                status
                    .quick
                    .iter_mut()
                    .for_each(|q| q.fail(now.wall, &failed));
            } else {
                status.of_mut(run).fail(now.wall, &failed);
            }
            status.problems = failed.problems;
            status.counters.failures += 1;
        });
        news
    }

    /// The run that request `number` asked for is over.
    pub(super) fn answered(&self, number: u64, run: Run) {
        self.status.send_modify(|status| {
            // A quick run has nothing to begin from while no full run has got anywhere.
            let quick = status.of(run);
            let ended = if quick.outcome == Outcome::Pending {
                &status.full
            } else {
                quick
            };
            let reason = ended.last_error.as_ref().map(|error| error.reason.clone());
            status.answered = Some(Answered {
                number,
                run,
                outcome: ended.outcome,
                reason: reason.filter(|_| ended.outcome.is_bad()),
            });
        });
    }

    pub(super) fn next_run(&self, at: Option<Timestamp>) {
        self.status.send_if_modified(|status| {
            let changed = status.next_run != at;
            status.next_run = at;
            changed
        });
    }

    /// Changes the status, and the state with it.
    fn change(&self, now: Now, change: impl FnOnce(&mut Status)) {
        self.status.send_modify(|status| {
            change(status);
            let state = status.judge();
            if state != status.state {
                status.state = state;
                status.since = now.wall;
            }
        });
    }
}

impl Status {
    const fn of_mut(&mut self, run: Run) -> &mut RunStatus {
        match (run, &mut self.quick) {
            (Run::Quick, Some(quick)) => quick,
            (Run::Full, _) | (Run::Quick, None) => &mut self.full,
        }
    }
}

impl RunStatus {
    const fn succeed(&mut self, now: Timestamp) {
        self.outcome = Outcome::Well;
        self.last_success = Some(now);
    }

    fn fail(&mut self, now: Timestamp, failed: &Failed) {
        let before = self.last_error.as_ref();
        let before = before.filter(|_| self.outcome.is_bad());
        self.last_error = Some(RunError::again(before, now, failed.reason.clone()));
        self.outcome = if failed.held {
            Outcome::Held
        } else {
            Outcome::Failed
        };
    }
}

impl RunError {
    /// The same failure as `before`, if there was one, once more.
    fn again(before: Option<&Self>, now: Timestamp, reason: String) -> Self {
        Self {
            reason,
            since: before.map_or(now, |error| error.since),
            last: now,
            times: before.map_or(1, |error| error.times.saturating_add(1)),
        }
    }
}

/// What a run that went well leaves behind.
#[derive(Debug)]
pub(super) struct Done {
    /// Size of the list; `None` when the run was not over all of it.
    pub(super) entries: Option<usize>,
    pub(super) bad: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) note: Option<String>,
}

/// What a run that went ill leaves behind.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) reason: String,
    /// The inventory did not take the list.
    pub(super) held: bool,
    pub(super) problems: Vec<Problem>,
}

#[cfg(test)]
mod tests;
