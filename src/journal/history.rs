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
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::params;
use serde::Deserialize;

use crate::access::DecisionRecord;
use crate::journal::history::chosen::Chosen;
use crate::journal::keeper::Dated;
use crate::journal::keeper::Keeper;
use crate::journal::keeper::What;
use crate::model::Timestamp;
use crate::store::Schema;

/// Where rows are kept and how many of them.
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

/// What has been kept so far.
#[derive(Debug, Default)]
pub struct HistoryStatistics {
    /// Rows written.
    pub written: AtomicU64,
    /// What was worth a row and got none: too much at once, a slow disk or no room. The files of
    /// the journal, or of accounting, have it.
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

impl Dated for Row {
    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Keys<'_> {
    /// In lower case, each once; the account of a user of a domain too.
    fn subjects(&self) -> BTreeSet<String> {
        let account = self.user.split_once('\\').map(|(_, account)| account);
        [&self.device, &self.user, &self.presented, &self.station]
            .into_iter()
            .map(|subject| &**subject)
            .chain(account)
            .filter(|subject| !subject.is_empty())
            .map(str::to_lowercase)
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
        let keeper = Keeper::new(config, SCHEMA, Arc::clone(&statistics), WHAT, insert);
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

/// What is said of it.
const WHAT: What = What {
    name: "the history of decisions",
    otherwise: "the journal's files go on",
};

#[cfg(test)]
mod tests;
