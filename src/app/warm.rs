//! The inventory's snapshot: opened before the doors are, saved while the gateway runs.
//!
//! One thread, `inventory-snapshot`, owns the file: it saves every few minutes if a source has
//! delivered something, and a last time when it is stopped. Readers never wait for it; the
//! inventory's writer does, for as long as it takes to copy what it knows.

use std::fmt;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::config;
use crate::inventory;
use crate::inventory::Origin;
use crate::inventory::Reader;
use crate::inventory::Update;
use crate::inventory::Writer;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::net::Clock;
use crate::store;
use crate::store::Format;
use crate::store::Snapshot;
use crate::store::SnapshotError;

/// The inventory that a start begins with.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) reader: Reader,
    /// Whether every source that is configured has said something in it.
    pub(super) is_whole: bool,
    /// `None` when snapshots are switched off.
    pub(super) snapshots: Option<Arc<Snapshots>>,
}

/// Opens the snapshot, or an empty inventory where there is none to be used. Feeds bring lists of what
/// they know; directories only say something of who logs in.
pub(super) fn open(
    config: &config::Data,
    inventory: inventory::Config,
    (feeds, directories): (&[Origin], &[Origin]),
    clock: Clock,
) -> Opened {
    let path = config.folder.join(FILE);
    let sources = [feeds, directories].concat();
    let restored = config
        .warm_start
        .then(|| restore(&path, &inventory, &sources, clock))
        .flatten();
    let mut snapshots = Snapshots {
        path,
        restored: None,
        last: Mutex::new(None),
        failed: AtomicU64::new(0),
    };
    let (mut writer, reader) = match restored {
        Some((writer, reader, last)) => {
            snapshots.restored = Some(last.at);
            snapshots.last = Mutex::new(Some(last));
            (writer, reader)
        }
        None => {
            let (mut writer, reader) = inventory::open(inventory);
            for source in &sources {
                writer.name_origin(source);
            }
            (writer, reader)
        }
    };
    forget_who_left(&mut writer, directories, clock.now().wall);
    let mut numbers = (1..=u8::MAX).map(SourceId).take(feeds.len());
    Opened {
        is_whole: snapshots.restored.is_some()
            && numbers.all(|source| reader.walked(source).is_some()),
        writer,
        reader,
        snapshots: config.warm_start.then(|| Arc::new(snapshots)),
    }
}

/// Whoever no directory has known for a month does not stay because nobody asks any more.
fn forget_who_left(writer: &mut Writer, directories: &[Origin], now: Timestamp) {
    let reader = writer.reader();
    for directory in directories {
        let source = writer.name_source(&directory.name);
        let is_old = |user: &UserId| {
            let said = reader.said_of_user(user.as_str());
            let mut said = said.iter().filter(|(name, ..)| *name == directory.name);
            said.all(|(.., at)| now.since(*at) >= FORGOTTEN)
        };
        let users = reader.users_of(source).into_iter().filter(is_old);
        let gone: Vec<Update> = users.map(Update::UserGone).collect();
        if !gone.is_empty() {
            writer.apply(source, now, gone);
        }
    }
}

fn restore(
    path: &Path,
    inventory: &inventory::Config,
    sources: &[Origin],
    clock: Clock,
) -> Option<(Writer, Reader, Last)> {
    let begun = clock.now();
    let snapshot = match FORMAT.read(path) {
        Ok(None) => return None,
        Ok(Some(snapshot)) => snapshot,
        Err(SnapshotError::Read(error)) => {
            let path = path.display();
            error!(%path, %error, "the inventory's snapshot cannot be read; the sources are read anew");
            return None;
        }
        Err(error) => {
            put_away(path, &error);
            return None;
        }
    };
    let reopened = inventory::reopen(inventory, sources, snapshot.content(), in_threads);
    let (writer, reader) = match reopened {
        Ok(opened) => opened,
        Err(error) => {
            put_away(path, &error);
            return None;
        }
    };
    let last = Last {
        at: snapshot.at,
        octets: snapshot.content().len() as u64,
    };
    give_back(snapshot);
    let now = clock.now();
    info!(
        devices = reader.device_count(),
        users = reader.user_count(),
        saved = %last.at,
        took_ms = now.monotonic.since(begun.monotonic).as_millis(),
        "the inventory is that of the snapshot"
    );
    if now.wall < last.at {
        warn!(saved = %last.at, now = %now.wall,
              "the clock is behind the snapshot: facts look younger than they are");
    }
    Some((writer, reader, last))
}

/// Returning the memory of a large file takes a while that no door has to wait for.
fn give_back(snapshot: Snapshot) {
    // Without a thread it is given back here.
    drop(thread::Builder::new().spawn(move || drop(snapshot)));
}

fn put_away(path: &Path, reason: &dyn fmt::Display) {
    match store::set_aside(path) {
        Ok(aside) => {
            error!(path = %path.display(), %reason, aside = %aside.display(),
                   "the inventory's snapshot is not used and set aside; the sources are read anew");
        }
        Err(error) => {
            error!(path = %path.display(), %reason, %error,
                   "the inventory's snapshot is not used and cannot be set aside; the sources are read anew");
        }
    }
}

/// As many threads as there are cores, this one among them.
fn in_threads(job: &(dyn Fn(usize) + Sync), jobs: usize) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= jobs {
                return;
            }
            job(at);
        }
    };
    thread::scope(|scope| {
        for _ in 1..super::threads(0).min(jobs) {
            // With fewer threads the others have more to do.
            drop(thread::Builder::new().spawn_scoped(scope, work));
        }
        work();
    });
}

/// What there is to know of the snapshots, and how they are made.
#[derive(Debug)]
pub(super) struct Snapshots {
    path: PathBuf,
    /// When the one was written that this start began with.
    pub(super) restored: Option<Timestamp>,
    last: Mutex<Option<Last>>,
    failed: AtomicU64,
}

/// The snapshot that lies on the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) at: Timestamp,
    pub(super) octets: u64,
}

impl Snapshots {
    pub(super) fn last(&self) -> Option<Last> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the last one could not be written.
    pub(super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// For `status`.
    pub(super) fn line(&self, now: Timestamp) -> String {
        let restored = match self.restored {
            Some(at) => format!("this start began with that of {at}"),
            None => "this start began without one".to_owned(),
        };
        let last = match self.last() {
            Some(Last { at, octets }) => {
                let age = now.since(at).as_secs();
                format!("saved {at}, {age} s ago, {octets} octets")
            }
            None => "not saved yet".to_owned(),
        };
        let failed = match self.failed() {
            0 => String::new(),
            failed => format!("; {failed} could not be written"),
        };
        format!("inventory's snapshot: {last}; {restored}{failed}\n")
    }

    /// The same for scripts.
    pub(super) fn json(&self, now: Timestamp) -> Value {
        let last = self.last();
        json!({
            "restored": self.restored.map(|at| at.to_string()),
            "saved": last.map(|last| last.at.to_string()),
            "age": last.map(|last| now.since(last.at).as_secs()),
            "octets": last.map(|last| last.octets),
            "failures": self.failed(),
        })
    }

    /// Gives the number of deliveries that are in it.
    fn save(&self, reader: &Reader, clock: Clock) -> io::Result<u64> {
        let saved = reader.save();
        let at = clock.now().wall;
        let octets = FORMAT.write(&self.path, at, &saved.parts())?;
        let last = Last { at, octets };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        Ok(saved.deliveries)
    }
}

/// The thread that saves.
pub(super) struct Saver {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Saver {
    pub(super) fn spawn(
        snapshots: Arc<Snapshots>,
        reader: Reader,
        clock: Clock,
        interval: Duration,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("inventory-snapshot".into())
            .spawn(move || run(&snapshots, &reader, clock, interval, &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Saves a last time and waits for it.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            error!("the thread that saves the inventory ended by a panic");
        }
    }
}

fn run(
    snapshots: &Snapshots,
    reader: &Reader,
    clock: Clock,
    interval: Duration,
    stop: &AtomicBool,
) {
    // What a start begins with lies on the disk.
    let mut saved = 0;
    let mut fails = false;
    loop {
        let due = clock.now().monotonic + interval;
        loop {
            let wait = clock.now().monotonic.until(due);
            if wait.is_zero() || stop.load(Ordering::Acquire) {
                break;
            }
            thread::park_timeout(wait);
        }
        let last_time = stop.load(Ordering::Acquire);
        if reader.deliveries() != saved {
            match snapshots.save(reader, clock) {
                Ok(deliveries) => {
                    saved = deliveries;
                    if std::mem::take(&mut fails) {
                        info!("the inventory's snapshot is written again");
                    }
                }
                Err(error) => {
                    snapshots.failed.fetch_add(1, Ordering::Relaxed);
                    if !std::mem::replace(&mut fails, true) {
                        let path = snapshots.path.display();
                        error!(%path, %error, "the inventory's snapshot cannot be written; the last one stays");
                    }
                }
            }
        }
        if last_time {
            return;
        }
    }
}

/// Longer than groups may count by any configuration.
const FORGOTTEN: Duration = Duration::from_hours(31 * 24);

/// In the data folder.
const FILE: &str = "inventory.snapshot";

const FORMAT: Format = Format {
    magic: *b"PORTREEV",
    version: 1,
};

#[cfg(test)]
mod tests;
