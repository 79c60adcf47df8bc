//! Accounting that can be searched and exported: what NASes have reported, for months.
//!
//! The files of accounting are the record: a report is answered when it stands there (`net`). Here
//! each report is a row besides, handed on after that append and written by a thread of its own;
//! nothing waits for it. What finds no room in the queue, on the disk or within its bounds is
//! counted, and stands in the files all the same, as long as those reach.

mod export;

pub use export::ExportError;
pub use export::Wanted;
pub use export::export;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::params;
use serde::Deserialize;
use tracing::error;

use crate::journal::history::HistoryConfig;
use crate::journal::history::HistoryStatistics;
use crate::journal::keeper::Dated;
use crate::journal::keeper::Keeper;
use crate::journal::keeper::What;
use crate::model::MacAddress;
use crate::model::Timestamp;
use crate::store::Schema;

/// Takes reports and hands them on; a copy for each packet loop.
#[derive(Clone, Debug)]
pub struct Reports {
    batches: SyncSender<Batch>,
    statistics: Arc<HistoryStatistics>,
}

/// Ends the thread that writes, once every [`Reports`] is gone.
#[derive(Debug)]
pub struct ReportsEnd(JoinHandle<()>);

/// Lines that were appended together.
#[derive(Debug)]
struct Batch {
    at: Timestamp,
    lines: Vec<u8>,
}

impl Dated for Batch {
    fn at(&self) -> Timestamp {
        self.at
    }
}

impl Reports {
    /// Starts the thread that writes.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn spawn(config: &HistoryConfig) -> io::Result<(Self, ReportsEnd)> {
        let statistics = Arc::<HistoryStatistics>::default();
        let (batches, waiting) = sync_channel(WAITING);
        let keeper = Keeper::new(config, SCHEMA, Arc::clone(&statistics), WHAT, insert);
        let thread = thread::Builder::new()
            .name("accounting".into())
            .spawn(move || keeper.run(&waiting))?;
        let reports = Self {
            batches,
            statistics,
        };
        Ok((reports, ReportsEnd(thread)))
    }

    /// Takes lines, each a report, that were put on record at `at`. Never waits.
    pub fn offer(&self, at: Timestamp, lines: &[u8]) {
        let batch = Batch {
            at,
            lines: lines.to_vec(),
        };
        if self.batches.try_send(batch).is_err() {
            self.statistics.skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Batches of reports written and skipped so far.
    #[must_use]
    pub fn statistics(&self) -> Arc<HistoryStatistics> {
        Arc::clone(&self.statistics)
    }
}

impl ReportsEnd {
    /// Waits until everything is written.
    pub fn wait(self) {
        if self.0.join().is_err() {
            error!("the thread that keeps accounting ended by a panic");
        }
    }
}

/// What a report can be found by.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Keys<'a> {
    nas: Cow<'a, str>,
    session: Cow<'a, str>,
    user: Cow<'a, str>,
    calling: Cow<'a, str>,
}

/// A station as it is searched: a MAC address in one spelling, anything else in lower case.
fn station(text: &str) -> String {
    MacAddress::parse(text.as_bytes())
        .map_or_else(|| text.to_lowercase(), |address| address.to_string())
}

fn insert(connection: &mut Connection, batches: &[Batch]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut report = transaction.prepare(
            "INSERT INTO reports (at, nas, session, user, station, line)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for batch in batches {
            let lines = batch.lines.split(|octet| *octet == b'\n');
            for line in lines.filter(|line| !line.is_empty()) {
                let line = String::from_utf8_lossy(line);
                let keys: Keys<'_> = serde_json::from_str(&line).unwrap_or_default();
                report.execute(params![
                    batch.at.unix_millis(),
                    keys.nas,
                    keys.session,
                    keys.user.to_lowercase(),
                    station(&keys.calling),
                    line
                ])?;
            }
        }
    }
    transaction.commit()
}

/// Reports of a user or a device are few among many.
const SCHEMA: Schema = Schema {
    name: "accounting",
    version: 1,
    tables: "
        CREATE TABLE reports (
            id INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            nas TEXT NOT NULL,
            session TEXT NOT NULL,
            user TEXT NOT NULL,
            station TEXT NOT NULL,
            line TEXT NOT NULL
        ) STRICT;
        CREATE INDEX by_user ON reports (user);
        CREATE INDEX by_station ON reports (station);",
};

const WHAT: What = What {
    name: "the store of accounting",
    otherwise: "its files go on",
};

/// Batches that wait for the thread: with a disk that takes a second and loops at work, some 5 MB.
const WAITING: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Day;

    fn reports(folder: &std::path::Path) -> (Reports, ReportsEnd) {
        let config = HistoryConfig {
            folder: folder.to_owned(),
            days: 30,
            octets: 100_000_000,
        };
        Reports::spawn(&config).unwrap()
    }

    fn line(user: &str, calling: &str, session: &str) -> String {
        format!(
            "{{\"time\":\"t\",\"nas\":\"ap-1\",\"event\":\"start\",\"session\":\"{session}\",\
             \"user\":\"{user}\",\"calling\":\"{calling}\"}}\n"
        )
    }

    fn found(folder: &std::path::Path, wanted: &Wanted) -> Vec<String> {
        let mut sessions = Vec::new();
        let mut unread = Vec::new();
        export(
            folder,
            wanted,
            |error| unread.push(error.to_string()),
            |line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                sessions.push(line["session"].as_str().unwrap().to_owned());
                Ok::<_, io::Error>(())
            },
        )
        .unwrap();
        assert!(unread.is_empty(), "{unread:?}");
        sessions
    }

    #[test]
    fn reports_are_found_by_user_device_nas_and_time_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let (reports, end) = reports(folder.path());
        let noon = Timestamp::parse_rfc3339("2026-11-28T12:00:00Z").unwrap();
        let next = Timestamp::parse_rfc3339("2026-11-29T00:00:01Z").unwrap();
        let two = line("alice", "00-00-5E-00-53-01", "1") + &line("Bob", "tel:123", "2");
        reports.offer(noon, two.as_bytes());
        reports.offer(next, line("ALICE", "0000.5e00.5302", "3").as_bytes());
        drop(reports);
        end.wait();
        let all = Wanted {
            since: Timestamp::from_unix_seconds(0),
            until: Timestamp::from_unix_seconds(i64::from(u32::MAX)),
            ..Wanted::default()
        };
        let text = |text: &str| Some(text.to_owned());
        for (row, wanted, expected) in [
            ("all", all.clone(), &["1", "2", "3"][..]),
            (
                "user",
                Wanted {
                    user: text("Alice"),
                    ..all.clone()
                },
                &["1", "3"],
            ),
            (
                "device",
                Wanted {
                    device: text("00:00:5e:00:53:02"),
                    ..all.clone()
                },
                &["3"],
            ),
            (
                "no address",
                Wanted {
                    device: text("TEL:123"),
                    ..all.clone()
                },
                &["2"],
            ),
            (
                "nas",
                Wanted {
                    nas: text("ap-1"),
                    ..all.clone()
                },
                &["1", "2", "3"],
            ),
            (
                "another nas",
                Wanted {
                    nas: text("ap-2"),
                    ..all.clone()
                },
                &[],
            ),
            (
                "session",
                Wanted {
                    session: text("2"),
                    ..all.clone()
                },
                &["2"],
            ),
            (
                "since",
                Wanted {
                    since: next,
                    ..all.clone()
                },
                &["3"],
            ),
            ("until", Wanted { until: next, ..all }, &["1", "2"]),
        ] {
            assert_eq!(found(folder.path(), &wanted), expected, "row {row}");
        }
    }

    #[test]
    fn what_finds_no_place_is_counted() {
        let (batches, waiting) = sync_channel(1);
        let reports = Reports {
            batches,
            statistics: Arc::default(),
        };
        for _ in 0..3 {
            reports.offer(Timestamp::from_unix_seconds(1), b"{}\n");
        }
        assert_eq!(reports.statistics().skipped.load(Ordering::Relaxed), 2);
        drop(waiting);
    }

    #[test]
    fn a_line_that_is_no_report_is_kept_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (reports, end) = reports(folder.path());
        let at = Timestamp::parse_rfc3339("2026-11-28T12:00:00Z").unwrap();
        reports.offer(at, b"{\"session\":\"1\"}\n\nno json\n");
        drop(reports);
        end.wait();
        let days = crate::store::Days::new(folder.path(), SCHEMA);
        let connection = days.read(Day::of(at)).unwrap();
        let count: i64 = connection
            .query_row("SELECT count(*) FROM reports", [], |row| row.get(0))
            .unwrap();
        assert_eq!(count, 2);
    }
}
