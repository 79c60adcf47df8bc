//! The way of records from the planes to the journal, and of their memory back.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crossbeam_queue::ArrayQueue;

use crate::access::record::DecisionRecord;

/// Records on their way to the journal: bounded, never waited for.
///
/// A record is filled in where it stays: only its address is handed on, to the journal and into
/// its memory of the newest. When it has left that, it is lent out again, so that a plane that
/// makes as many records as the journal lets go of allocates none.
#[derive(Debug)]
pub struct RecordQueue {
    queue: ArrayQueue<Box<DecisionRecord>>,
    /// Records whose content nobody needs any more.
    spare: ArrayQueue<Box<DecisionRecord>>,
    dropped: AtomicU64,
}

impl RecordQueue {
    /// A queue of `capacity` records, about a kilobyte each; they come into being as they are
    /// needed.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            queue: ArrayQueue::new(capacity.max(1)),
            spare: ArrayQueue::new(capacity.max(1)),
            dropped: AtomicU64::new(0),
        }
    }

    /// A record to fill in; what it holds is of another one.
    #[must_use]
    pub fn lend(&self) -> Box<DecisionRecord> {
        self.spare
            .pop()
            .unwrap_or_else(|| Box::new(DecisionRecord::blank()))
    }

    /// Puts a record in; if the queue is full the record is dropped and counted. Decisions are
    /// never slowed down by the disk.
    pub fn push(&self, record: Box<DecisionRecord>) {
        if let Err(record) = self.queue.push(record) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.give_back(record);
        }
    }

    /// Takes the oldest record out.
    pub fn pop(&self) -> Option<Box<DecisionRecord>> {
        self.queue.pop()
    }

    /// Takes a record back that nobody needs any more, to be lent out again.
    pub fn give_back(&self, record: Box<DecisionRecord>) {
        // As many as the queue holds are enough for any burst of it; the memory of more is freed.
        let _freed = self.spare.push(record);
    }

    /// How many may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many records were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
