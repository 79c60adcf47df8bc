//! A durable log: appended by one thread, brought to the disk by another.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use tracing::error;

use crate::store::Circle;

/// Appends whole lines to a circle of files, each append one write.
#[derive(Debug)]
pub struct Log {
    circle: Circle,
    /// The file of the last append.
    file: Option<Arc<Unsynced>>,
    due: Arc<Due>,
}

impl Log {
    /// Appends whole lines: when this returns they outlive the program, and within a second they
    /// are on the disk.
    ///
    /// # Errors
    ///
    /// When they could not be written; a part of them may stand in the file.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = self.circle.append(lines)?;
        let current = match &self.file {
            Some(current) if Arc::ptr_eq(&current.file, file) => current,
            Some(_) | None => self.file.insert(Arc::new(Unsynced {
                file: Arc::clone(file),
                dirty: AtomicBool::new(false),
            })),
        };
        if !current.dirty.swap(true, Ordering::AcqRel) {
            self.due.put(Arc::clone(current))?;
        }
        Ok(())
    }
}

/// A file with lines that may not be on the disk yet.
#[derive(Debug)]
struct Unsynced {
    file: Arc<File>,
    /// Whether it stands in the queue.
    dirty: AtomicBool,
}

impl Unsynced {
    fn sync(&self) -> io::Result<()> {
        // Before the call: what is written during it is due again.
        self.dirty.store(false, Ordering::Release);
        self.file.sync_data()
    }
}

/// Files to be brought to the disk.
#[derive(Debug)]
struct Due {
    files: ArrayQueue<Arc<Unsynced>>,
    failed: AtomicU64,
}

impl Due {
    /// Each log has one file here, and one more for a moment when it begins the next. A queue
    /// that is full all the same makes the append wait for the disk.
    fn put(&self, file: Arc<Unsynced>) -> io::Result<()> {
        match self.files.push(file) {
            Ok(()) => Ok(()),
            Err(file) => file.sync(),
        }
    }

    /// Brings everything that is due to the disk; says once how often that failed.
    fn sync(&self) {
        for _ in 0..self.files.capacity() {
            let Some(file) = self.files.pop() else {
                return;
            };
            if let Err(error) = file.sync()
                && self.failed.fetch_add(1, Ordering::Relaxed) == 0
            {
                error!(%error, "the disk does not take a log; its last lines may be lost");
            }
        }
    }
}

/// Gives out logs and brings them to the disk.
#[derive(Debug)]
pub struct Syncer {
    due: Arc<Due>,
}

impl Syncer {
    /// A syncer for at most `logs` logs.
    #[must_use]
    pub fn new(logs: usize) -> Self {
        let due = Due {
            files: ArrayQueue::new(logs.saturating_mul(2).max(1)),
            failed: AtomicU64::new(0),
        };
        Self { due: Arc::new(due) }
    }

    /// A log in `folder`, of `files` files `NAME0.jsonl` and up of about `file_size` octets each.
    ///
    /// # Errors
    ///
    /// When folder or file cannot be made or opened.
    pub fn log(&self, folder: &Path, name: &str, file_size: u64, files: u32) -> io::Result<Log> {
        let mut circle = Circle::new(folder, name, file_size, files);
        circle.open()?;
        Ok(Log {
            circle,
            file: None,
            due: Arc::clone(&self.due),
        })
    }

    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn spawn(self) -> io::Result<Stop> {
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&flag);
        let thread = thread::Builder::new()
            .name("sync-logs".into())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    thread::park_timeout(INTERVAL);
                    self.due.sync();
                }
                self.due.sync();
            })?;
        Ok(Stop { flag, thread })
    }
}

/// Ends the syncer's thread after a last time.
#[derive(Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Stop {
    /// Waits until everything is on the disk.
    pub fn stop(self) {
        self.flag.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            error!("the thread that syncs logs ended by a panic");
        }
    }
}

/// Half of the second that is promised; the other half is the disk's.
const INTERVAL: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_stand_in_the_file_when_the_append_returns() {
        let folder = tempfile::tempdir().unwrap();
        let syncer = Syncer::new(1);
        let mut log = syncer.log(folder.path(), "accounting-0-", 100, 2).unwrap();
        log.append(b"one\n").unwrap();
        log.append(b"two\nthree\n").unwrap();
        let text = fs::read_to_string(folder.path().join("accounting-0-0.jsonl")).unwrap();
        assert_eq!(text, "one\ntwo\nthree\n");
    }

    #[test]
    fn a_file_is_due_once_until_it_is_synced_and_so_is_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let syncer = Syncer::new(1);
        let mut log = syncer.log(folder.path(), "l", 4, 3).unwrap();
        log.append(b"a\n").unwrap();
        log.append(b"b\n").unwrap();
        assert_eq!(syncer.due.files.len(), 1);
        // The first file is full, the second is begun.
        log.append(b"c\n").unwrap();
        assert_eq!(syncer.due.files.len(), 2);
        syncer.due.sync();
        assert!(syncer.due.files.is_empty());
        log.append(b"d\n").unwrap();
        assert_eq!(syncer.due.files.len(), 1);
    }

    #[test]
    fn a_full_queue_makes_the_append_sync_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let syncer = Syncer::new(1);
        let mut log = syncer.log(folder.path(), "l", 1, 9).unwrap();
        for _ in 0..5 {
            log.append(b"a\n").unwrap();
        }
        assert_eq!(syncer.due.files.len(), 2);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("accounting");
        fs::write(&taken, "a file").unwrap();
        assert!(Syncer::new(1).log(&taken, "l", 1, 1).is_err());
    }

    #[test]
    fn the_thread_ends_with_everything_synced() {
        let folder = tempfile::tempdir().unwrap();
        let syncer = Syncer::new(1);
        let due = Arc::clone(&syncer.due);
        let mut log = syncer.log(folder.path(), "l", 100, 1).unwrap();
        let stop = syncer.spawn().unwrap();
        log.append(b"a\n").unwrap();
        stop.stop();
        assert!(due.files.is_empty());
        assert_eq!(due.failed.load(Ordering::Relaxed), 0);
    }
}
