//! The history of decisions: what `portreeve decisions` searches, for weeks.
//!
//! The journal's files have every decision, for as long as the circle reaches; at line rate that
//! may be hours. The history keeps for each subject what is worth a look later: each change of
//! its outcome, and of what stays the same one row for an hour (a minute where it was not let in)
//! with the number of decisions like it. Nothing waits for it: the journal's thread chooses
//! ([`Chosen`]), and a thread of its own writes. How many rows a second there may
//! be is bounded, and so are their days and octets.

mod chosen;
mod query;

pub use query::Found;
pub use query::Query;
pub use query::Sought;
pub use query::search;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::params;
use serde::Deserialize;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::access::DecisionRecord;
use crate::journal::history::chosen::Chosen;
use crate::model::Timestamp;
use crate::store::Day;
use crate::store::DayError;
use crate::store::Days;
use crate::store::Schema;

/// Where the history is and how much of it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Folder of the files.
    pub folder: PathBuf,
    /// Days kept, today among them.
    pub days: u16,
    /// Octets kept; the oldest days go first. When today alone has more, nothing is added until
    /// tomorrow.
    pub octets: u64,
}

/// What the history has done so far.
#[derive(Debug, Default)]
pub struct HistoryStatistics {
    /// Rows written.
    pub written: AtomicU64,
    /// Decisions worth a row that got none: too many at once, a slow disk or no room. The
    /// journal's files have them.
    pub skipped: AtomicU64,
}

/// One row on its way to the disk.
#[derive(Debug)]
struct Row {
    id: i64,
    at: Timestamp,
    /// Decisions like the row before, of the same subject and since it, that have no row.
    alike: u32,
    /// The journal's line.
    line: String,
}

/// What a line can be found by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys<'a> {
    verdict: Cow<'a, str>,
    nas: Cow<'a, str>,
    user: Cow<'a, str>,
    device: Cow<'a, str>,
    presented: Cow<'a, str>,
    station: Cow<'a, str>,
}

impl Keys<'_> {
    /// In lower case, each once.
    fn subjects(&self) -> BTreeSet<String> {
        [&self.device, &self.user, &self.presented, &self.station]
            .into_iter()
            .filter(|subject| !subject.is_empty())
            .map(|subject| subject.to_lowercase())
            .collect()
    }
}

/// The journal's end: chooses records and hands them on.
#[derive(Debug)]
pub(super) struct History {
    chosen: Chosen,
    rows: SyncSender<Row>,
    statistics: Arc<HistoryStatistics>,
}

impl History {
    /// Starts the thread that writes.
    pub(super) fn spawn(
        config: &HistoryConfig,
        statistics: Arc<HistoryStatistics>,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (rows, waiting) = sync_channel(WAITING);
        let keeper = Keeper {
            config: config.clone(),
            days: Days::new(&config.folder, SCHEMA),
            today: None,
            statistics: Arc::clone(&statistics),
            failing: false,
        };
        let thread = thread::Builder::new()
            .name("history".into())
            .spawn(move || keeper.run(&waiting))?;
        let history = Self {
            chosen: Chosen::new(),
            rows,
            statistics,
        };
        Ok((history, thread))
    }

    /// Takes a record, with its line, if it is worth a row.
    pub(super) fn offer(&mut self, record: &DecisionRecord, line: &[u8]) {
        let alike = match self.chosen.choose(record) {
            chosen::Choice::Row { alike } => alike,
            chosen::Choice::Alike => return,
            chosen::Choice::TooMany => return self.skip(1),
        };
        let row = Row {
            id: record.id.0.cast_signed(),
            at: record.seen.at,
            alike,
            line: String::from_utf8_lossy(line).into_owned(),
        };
        if self.rows.try_send(row).is_err() {
            self.skip(1);
        }
    }

    fn skip(&self, count: u64) {
        self.statistics.skipped.fetch_add(count, Ordering::Relaxed);
    }
}

/// The thread's end: writes rows into the file of their day.
struct Keeper {
    config: HistoryConfig,
    days: Days,
    today: Option<Today>,
    statistics: Arc<HistoryStatistics>,
    failing: bool,
}

struct Today {
    day: Day,
    connection: Connection,
    /// Rows since the room was looked at.
    unseen: usize,
    is_full: bool,
}

impl Keeper {
    /// Until the journal has ended and everything is written.
    fn run(mut self, waiting: &Receiver<Row>) {
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

    fn keep(&mut self, batch: &[Row]) {
        for rows in batch.chunk_by(|one, other| Day::of(one.at) == Day::of(other.at)) {
            let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
            match self.keep_of_a_day(rows) {
                Ok(true) => {
                    self.statistics.written.fetch_add(count, Ordering::Relaxed);
                    if std::mem::take(&mut self.failing) {
                        info!("the history of decisions is written again");
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
                        error!(
                            cause,
                            "the history of decisions cannot be written; decisions go on"
                        );
                    }
                }
            }
        }
    }

    /// Whether there was room.
    fn keep_of_a_day(&mut self, rows: &[Row]) -> Result<bool, DayError> {
        let Some(first) = rows.first() else {
            return Ok(true);
        };
        let day = Day::of(first.at);
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
                warn!(
                    octets = used,
                    "the history of decisions has no more room today; the journal's files go on"
                );
            }
        }
        today.unseen += rows.len();
        let has_room = !today.is_full;
        if has_room {
            insert(&mut today.connection, rows).map_err(|source| DayError::Sqlite {
                path: self.config.folder.clone(),
                source,
            })?;
        }
        self.today = Some(today);
        Ok(has_room)
    }
}

/// All rows or none.
fn insert(connection: &mut Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut decision = transaction.prepare(
            "INSERT OR REPLACE INTO decisions (id, at, verdict, nas, alike, line)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let mut subject =
            transaction.prepare("INSERT OR IGNORE INTO subjects (subject, id) VALUES (?1, ?2)")?;
        for row in rows {
            let keys: Keys<'_> = serde_json::from_str(&row.line).unwrap_or_default();
            decision.execute(params![
                row.id,
                row.at.unix_millis(),
                keys.verdict,
                keys.nas,
                row.alike,
                row.line
            ])?;
            for name in &keys.subjects() {
                subject.execute(params![name, row.id])?;
            }
        }
    }
    transaction.commit()
}

/// A decision is found by its number, by its time, and by whatever names its subject; those that
/// did not let in are few among many.
const SCHEMA: Schema = Schema {
    name: "decisions",
    version: 1,
    tables: "
        CREATE TABLE decisions (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            verdict TEXT NOT NULL,
            nas TEXT NOT NULL,
            alike INTEGER NOT NULL,
            line TEXT NOT NULL
        ) STRICT;
        CREATE INDEX refused ON decisions (id) WHERE verdict <> 'allow';
        CREATE TABLE subjects (
            subject TEXT NOT NULL,
            id INTEGER NOT NULL,
            PRIMARY KEY (subject, id)
        ) STRICT, WITHOUT ROWID;",
};

/// As the journal's lines call it.
const NOT_AUTHENTICATED: &str = "reject";

/// Rows that wait for the thread: a burst of refusals, with a disk that takes a second; 4 MB.
const WAITING: usize = 4096;

/// Rows of one transaction.
const BATCH: usize = 1000;

/// Rows after which the room is looked at, some 2 MB.
const LOOK: usize = 2000;

/// How long the thread sleeps without rows.
const INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
