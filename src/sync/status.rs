//! How each feed is doing, for `status`, `/metrics` and `/health`.

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
    /// The run under way, if one is.
    pub running: Option<Run>,
    /// Pages and rows of the run under way, or of the last one.
    pub progress: (usize, usize),
    /// Devices or users in the last complete list.
    pub entries: usize,
    /// Rows of the last list that could not be used.
    pub bad_rows: usize,
    /// What is wrong in a file.
    pub problems: Vec<Problem>,
    /// Something to look at although the last run went well.
    pub note: Option<String>,
    /// End of the last run that went well.
    pub last_success: Option<Timestamp>,
    /// End of the last full run that went well.
    pub last_full: Option<Timestamp>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// How old a fact of this feed can get while all goes well (R49).
    pub worst_latency: Duration,
    /// How far the source's clock is ahead of ours, in milliseconds, as last seen.
    pub clock_ahead: Option<i64>,
    /// Counted since the start.
    pub counters: Counters,
}

/// Whether a feed works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Its first run has not ended.
    Pending,
    /// Its last run went well.
    Connected,
    /// Its last run failed; what it said before stays and ages.
    Failed {
        /// One sentence for the operator.
        reason: String,
        /// When it began to fail.
        since: Timestamp,
    },
}

/// What a feed has done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Runs that went well.
    pub successes: u64,
    /// Runs that failed.
    pub failures: u64,
    /// Requests to the source.
    pub requests: u64,
    /// Requests that were asked again.
    pub retries: u64,
    /// Requests that the source turned away because of too many (429, 503).
    pub throttled: u64,
}

impl Status {
    /// How long ago the last run went well; `None` when none has.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.last_success.map(|at| now.since(at))
    }
}

/// Where a feed's task writes its status and everybody else reads it.
#[derive(Debug)]
pub(super) struct Board(watch::Sender<Status>);

impl Board {
    pub(super) fn new(feed: &str, worst_latency: Duration) -> (Self, watch::Receiver<Status>) {
        let (sender, receiver) = watch::channel(Status {
            feed: feed.to_owned(),
            state: State::Pending,
            running: None,
            progress: (0, 0),
            entries: 0,
            bad_rows: 0,
            problems: Vec::new(),
            note: None,
            last_success: None,
            last_full: None,
            next_run: None,
            worst_latency,
            clock_ahead: None,
            counters: Counters::default(),
        });
        (Self(sender), receiver)
    }

    pub(super) fn started(&self, run: Run) {
        self.0.send_modify(|status| status.running = Some(run));
    }

    pub(super) fn progress(&self, pages: usize, rows: usize) {
        self.0.send_modify(|status| status.progress = (pages, rows));
    }

    pub(super) fn requested(&self) {
        self.0.send_modify(|status| status.counters.requests += 1);
    }

    pub(super) fn retried(&self, throttled: bool) {
        self.0.send_modify(|status| {
            status.counters.retries += 1;
            status.counters.throttled += u64::from(throttled);
        });
    }

    pub(super) fn clock_ahead(&self, millis: i64) {
        self.0
            .send_modify(|status| status.clock_ahead = Some(millis));
    }

    /// The run stopped half-way.
    pub(super) fn paused(&self) {
        self.0.send_modify(|status| status.running = None);
    }

    /// Nothing is new. What was wrong with the last list is still wrong.
    pub(super) fn unchanged(&self, now: Now) {
        self.0.send_modify(|status| {
            status.running = None;
            if status.state == State::Connected {
                status.last_success = Some(now.wall);
                status.counters.successes += 1;
            }
        });
    }

    pub(super) fn succeeded(&self, now: Now, run: Run, done: Done) {
        self.0.send_modify(|status| {
            status.running = None;
            status.state = State::Connected;
            status.last_success = Some(now.wall);
            if run == Run::Full {
                status.last_full = Some(now.wall);
            }
            if let Some(entries) = done.entries {
                status.entries = entries;
                status.bad_rows = done.bad;
                status.problems = done.problems;
                status.note = done.note;
            }
            status.counters.successes += 1;
        });
    }

    pub(super) fn failed(&self, now: Now, reason: String, problems: Vec<Problem>) {
        self.0.send_modify(|status| {
            status.running = None;
            let since = match &status.state {
                State::Failed { since, .. } => *since,
                State::Pending | State::Connected => now.wall,
            };
            status.state = State::Failed { reason, since };
            status.problems = problems;
            status.counters.failures += 1;
        });
    }

    pub(super) fn next_run(&self, at: Option<Timestamp>) {
        self.0.send_if_modified(|status| {
            let changed = status.next_run != at;
            status.next_run = at;
            changed
        });
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
