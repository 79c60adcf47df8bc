//! The thread that keeps rows in SQLite, a file for each day, within days and octets.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use rusqlite::Connection;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::journal::history::HistoryConfig;
use crate::journal::history::HistoryStatistics;
use crate::model::Timestamp;
use crate::store::Day;
use crate::store::DayError;
use crate::store::Days;
use crate::store::Schema;

/// The thread's end: writes rows into the file of their day.
pub(super) struct Keeper<R> {
    config: HistoryConfig,
    days: Days,
    today: Option<Today>,
    statistics: Arc<HistoryStatistics>,
    failing: bool,
    what: What,
    /// All rows or none.
    insert: fn(&mut Connection, &[R]) -> rusqlite::Result<()>,
}

/// What is said of rows in messages.
#[derive(Clone, Copy)]
pub(super) struct What {
    /// What they are together.
    pub(super) name: &'static str,
    /// What goes on where they cannot be kept.
    pub(super) otherwise: &'static str,
}

/// A row with its moment, which says into which file it goes.
pub(super) trait Dated {
    fn at(&self) -> Timestamp;
}

struct Today {
    day: Day,
    connection: Connection,
    /// Rows since the room was looked at.
    unseen: usize,
    is_full: bool,
}

impl<R: Dated> Keeper<R> {
    pub(super) fn new(
        config: &HistoryConfig,
        schema: Schema,
        statistics: Arc<HistoryStatistics>,
        what: What,
        insert: fn(&mut Connection, &[R]) -> rusqlite::Result<()>,
    ) -> Self {
        Self {
            days: Days::new(&config.folder, schema),
            config: config.clone(),
            today: None,
            statistics,
            failing: false,
            what,
            insert,
        }
    }

    /// Until nobody is left who brings rows, and everything is written.
    pub(super) fn run(mut self, waiting: &Receiver<R>) {
        let mut batch = Vec::new();
        loop {
            match waiting.recv_timeout(INTERVAL) {
                Ok(row) => batch.push(row),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            batch.extend(waiting.try_iter().take(BATCH - 1));
            self.keep(&batch);
            batch.clear();
        }
    }

    fn keep(&mut self, batch: &[R]) {
        for rows in batch.chunk_by(|one, other| Day::of(one.at()) == Day::of(other.at())) {
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            match self.keep_of_a_day(rows) {
                Ok(true) => {
                    self.statistics.written.fetch_add(count, Ordering::Relaxed);
                    if std::mem::take(&mut self.failing) {
                        info!("{} is written again", self.what.name);
                    }
                }
                Ok(false) => {
                    self.statistics.skipped.fetch_add(count, Ordering::Relaxed);
                }
                Err(error) => {
                    self.today = None;
                    self.statistics.skipped.fetch_add(count, Ordering::Relaxed);
                    if !std::mem::replace(&mut self.failing, true) {
                        let cause = crate::model::causes(&error);
                        let What { name, otherwise } = self.what;
                        error!(cause, "{name} cannot be written; {otherwise}");
                    }
                }
            }
        }
    }

    /// Whether there was room.
    fn keep_of_a_day(&mut self, rows: &[R]) -> Result<bool, DayError> {
        let Some(first) = rows.first() else {
            return Ok(true);
        };
        let day = Day::of(first.at());
        let mut today = match self.today.take() {
            Some(today) if today.day == day => today,
            Some(_) | None => Today {
                day,
                connection: self.days.write(day)?,
                unseen: LOOK,
                is_full: false,
            },
        };
        if today.unseen >= LOOK {
            today.unseen = 0;
            let oldest = day.back(self.config.days.saturating_sub(1));
            let used = self.days.prune(oldest, day, self.config.octets)?;
            let was_full = std::mem::replace(&mut today.is_full, used > self.config.octets);
            if today.is_full && !was_full {
                let What { name, otherwise } = self.what;
                warn!(octets = used, "{name} has no more room today; {otherwise}");
            }
        }
        today.unseen += rows.len();
        let has_room = !today.is_full;
        if has_room {
            (self.insert)(&mut today.connection, rows).map_err(|source| DayError::Sqlite {
                path: self.config.folder.clone(),
                source,
            })?;
        }
        self.today = Some(today);
        Ok(has_room)
    }
}

/// Rows of one transaction.
const BATCH: usize = 1000;

/// Rows after which the room is looked at, some 2 MB.
const LOOK: usize = 2000;

/// How long the thread sleeps without rows.
const INTERVAL: Duration = Duration::from_secs(1);
