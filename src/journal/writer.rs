//! The thread that empties the queue.

use std::io;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::thread::Thread;
use std::time::Duration;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::access::DecisionPoint;
use crate::access::DecisionRecord;
use crate::access::RecordQueue;
use crate::journal::Config;
use crate::journal::HistoryConfig;
use crate::journal::HistoryStatistics;
use crate::journal::history::History;
use crate::journal::line::Lines;
use crate::journal::recent::Recent;
use crate::store::Circle;

/// Empties the queue of records: keeps the newest in memory and appends all to disk.
#[derive(Debug)]
pub struct Journal {
    queue: Arc<RecordQueue>,
    recent: Arc<Recent>,
    point: Arc<DecisionPoint>,
    form: Lines,
    circle: Circle,
    statistics: Arc<Statistics>,
    history_config: Option<HistoryConfig>,
    history: Option<History>,
    failing: Option<io::ErrorKind>,
    /// Losses that have been told, and all of them at the last look.
    told: u64,
    last_dropped: u64,
    /// Those of the batch in hand, and its records.
    lines: Vec<u8>,
    #[expect(
        clippy::vec_box,
        reason = "they are not moved from where they were filled in"
    )]
    records: Vec<Box<DecisionRecord>>,
}

/// What the journal has done so far.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Records appended to disk.
    pub written: AtomicU64,
    /// Records that could not be written.
    pub failed: AtomicU64,
    /// What the history has done.
    pub history: Arc<HistoryStatistics>,
}

/// Has the journal take in what is queued, for whoever looks for a decision just made.
#[derive(Clone, Debug)]
pub struct Flush {
    drains: Arc<Drains>,
    thread: Thread,
}

impl Flush {
    /// Wakes the journal and waits until it has been through the queue once more, a second at
    /// most: a disk that hangs must not hold the operator who asks why.
    pub fn flush(&self) {
        let drains = &self.drains;
        let before = drains.lock().begun;
        self.thread.unpark();
        let waited = drains
            .ended
            .wait_timeout_while(drains.lock(), FLUSH_WAIT, |count| count.ended <= before);
        drop(waited);
    }
}

/// How often the journal's thread began and ended a drain of the queue.
#[derive(Debug, Default)]
struct Drains {
    count: Mutex<Count>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Count {
    begun: u64,
    ended: u64,
}

impl Drains {
    fn begin(&self) {
        self.lock().begun += 1;
    }

    fn end(&self) {
        let mut count = self.lock();
        count.ended = count.begun;
        self.ended.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Count> {
        // Two numbers that a panic cannot leave half changed.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the journal's thread after a last drain.
#[derive(Debug)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    drains: Arc<Drains>,
    thread: JoinHandle<()>,
    history: Option<JoinHandle<()>>,
}

impl Stop {
    /// For those who look for a decision just made.
    #[must_use]
    pub fn flusher(&self) -> Flush {
        Flush {
            drains: Arc::clone(&self.drains),
            thread: self.thread.thread().clone(),
        }
    }

    /// Waits for the last records to be written.
    pub fn stop(self) {
        self.flag.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            error!("the journal's thread ended by a panic");
        }
        // Its rows end with the journal.
        if self.history.is_some_and(|thread| thread.join().is_err()) {
            error!("the thread of the history ended by a panic");
        }
    }
}

impl Journal {
    /// A journal that empties `queue`; nothing is opened before the first record.
    #[must_use]
    pub fn new(config: &Config, queue: Arc<RecordQueue>, point: Arc<DecisionPoint>) -> Self {
        Self {
            queue,
            recent: Arc::new(Recent::new(config.recent)),
            point,
            form: Lines::default(),
            circle: Circle::new(&config.folder, "decisions", config.file_size, config.files),
            statistics: Arc::default(),
            history_config: config.history.clone(),
            history: None,
            failing: None,
            told: 0,
            last_dropped: 0,
            lines: Vec::new(),
            records: Vec::new(),
        }
    }

    /// The newest records.
    #[must_use]
    pub fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.recent)
    }

    /// Counters, for metrics.
    #[must_use]
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.statistics)
    }

    /// Writes what is queued, in appends of at most `BATCH` records, and comes back even if the
    /// queue is filled as fast as it is emptied.
    pub fn drain(&mut self) {
        // A full queue, and a last batch that finds it empty.
        let batches = self.queue.capacity() / BATCH + 2;
        for _ in 0..batches {
            self.lines.clear();
            while self.records.len() < BATCH
                && let Some(record) = self.queue.pop()
            {
                let begun = self.lines.len();
                self.form.write(&mut self.lines, &record, &self.point);
                if let (Some(history), Some(line)) = (&mut self.history, self.lines.get(begun..)) {
                    history.offer(&record, line);
                }
                self.lines.push(b'\n');
                self.records.push(record);
            }
            if self.records.is_empty() {
                return;
            }
            self.append(self.records.len());
            let queue = &self.queue;
            self.recent
                .take_in(self.records.drain(..), |record| queue.give_back(record));
        }
    }

    /// Starts the thread, and that of the history.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn spawn(mut self) -> io::Result<Stop> {
        let flag = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&flag);
        let drains = Arc::<Drains>::default();
        let counted = Arc::clone(&drains);
        let mut history = None;
        if let Some(config) = &self.history_config {
            let (taker, thread) = History::spawn(config, Arc::clone(&self.statistics.history))?;
            self.history = Some(taker);
            history = Some(thread);
        }
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    counted.begin();
                    self.drain();
                    counted.end();
                    self.tell_losses();
                    if self.queue.is_empty() {
                        thread::park_timeout(INTERVAL);
                    }
                }
                self.drain();
            })?;
        Ok(Stop {
            flag,
            drains,
            thread,
            history,
        })
    }

    /// Says once for each burst that records were lost, when no more are.
    fn tell_losses(&mut self) {
        let dropped = self.queue.dropped();
        if dropped > self.told && dropped == self.last_dropped {
            let lost = dropped - self.told;
            warn!(
                lost,
                "decision records were lost: the queue was full; decisions went on"
            );
            self.told = dropped;
        }
        self.last_dropped = dropped;
    }

    fn append(&mut self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        match self.circle.append(&self.lines) {
            Ok(_) => {
                self.statistics.written.fetch_add(count, Ordering::Relaxed);
                if self.failing.take().is_some() {
                    info!("decision records are written again");
                }
            }
            Err(error) => {
                self.statistics.failed.fetch_add(count, Ordering::Relaxed);
                if self.failing != Some(error.kind()) {
                    error!(%error, "decision records cannot be written; decisions go on");
                    self.failing = Some(error.kind());
                }
            }
        }
    }
}

/// Records for one append: their lines, about a hundred kilobytes, are still in the processor's
/// caches when the system takes them over, and the call's share of a record is a few nanoseconds.
const BATCH: usize = 128;

/// How long a flush waits for the journal at most.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// How long a record waits at most before it is on its way to disk.
const INTERVAL: Duration = Duration::from_millis(20);
