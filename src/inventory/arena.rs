//! Records of a fixed number of words that one writer replaces while any number of readers copy
//! them.
//!
//! A *row* is what a key points to; it holds one record and lives as long as the thing that the
//! record is about. To replace a record, the writer writes the new one into the *journal*, turns
//! the row's header so that readers find it there, writes it into the row, and turns the header
//! back. So at every moment a whole record is to be had, all keys of a row see the new one at the
//! same instant, and a reader finds it behind the key with one more memory access. A reader
//! starts again only if that very row's header has turned while it was copying. Nothing here is
//! unsafe: every word is an atomic, and a torn copy is thrown away.

use std::collections::VecDeque;
use std::sync::OnceLock;

use crate::inventory::atomic::AtomicU64;
use crate::inventory::atomic::Ordering;
use crate::inventory::atomic::fence;

/// Sizes of an arena.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Rows at most; rows beyond are refused.
    pub(crate) rows: u32,
    /// A chunk, the unit of allocation, has two to the power of this many rows.
    pub(crate) chunk_bits: u32,
    /// How many vacated rows rest before the first of them is used again. A row counts its lives
    /// modulo [`Allocator::INCARNATIONS`], so a reader would have to stand still for as many
    /// times this number of removals to mistake one life for another.
    pub(crate) rest: usize,
}

/// A list that grows by whole chunks and never moves what it holds, so readers need no lock.
pub(crate) struct Chunks<T> {
    chunks: Box<[OnceLock<Box<[T]>>]>,
    bits: u32,
}

impl<T> Chunks<T> {
    pub(crate) fn new(elements: u32, bits: u32) -> Self {
        let chunks = (elements >> bits) + 1;
        Self {
            chunks: (0..chunks).map(|_| OnceLock::new()).collect(),
            bits,
        }
    }

    /// The element, if its chunk has been made.
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        let chunk = self.chunks.get((number >> self.bits) as usize)?.get()?;
        chunk.get((number & ((1 << self.bits) - 1)) as usize)
    }

    /// The element, after making its chunk where that is missing; `None` beyond the end.
    pub(crate) fn make(&self, number: u32, element: impl Fn() -> T) -> Option<&T> {
        let chunk = self.chunks.get((number >> self.bits) as usize)?;
        chunk.get_or_init(|| (0..1_u32 << self.bits).map(|_| element()).collect());
        self.get(number)
    }
}

/// Readers' side: records by row.
pub(crate) struct Arena<const W: usize> {
    rows: Chunks<Row<W>>,
    /// The record that is being written into its row.
    journal: Row<W>,
    /// Rows ever used, for iteration.
    high: AtomicU64,
}

/// One record. Aligned so that it touches as few cache lines as it can.
#[repr(align(64))]
struct Row<const W: usize> {
    header: AtomicU64,
    words: [AtomicU64; W],
}

impl<const W: usize> Row<W> {
    fn new() -> Self {
        Self {
            header: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Copies the words, of one record or of several.
    fn copy(&self) -> [u64; W] {
        std::array::from_fn(|at| {
            let word = self.words.get(at);
            word.map_or(0, |word| word.load(Ordering::Relaxed))
        })
    }

    fn write(&self, words: &[u64; W]) {
        for (word, value) in self.words.iter().zip(words) {
            word.store(*value, Ordering::Relaxed);
        }
    }
}

/// A row's header: how often it was turned (48 bits), the row's incarnation (12), its state.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Header(u64);

impl Header {
    /// Nothing is in the row. Also what a row starts with.
    const VACANT: u64 = 0;
    /// The record is in the row.
    const SETTLED: u64 = 1;
    /// The record is in the journal, and on its way to the row.
    const MOVING: u64 = 2;

    const fn state(self) -> u64 {
        self.0 & 0b11
    }

    const fn incarnation(self) -> u32 {
        (self.0 >> 2 & 0xfff) as u32
    }

    /// The next turn; 2^48 of them do not happen during one copy, nor at all.
    const fn turned(self, incarnation: u32, state: u64) -> Self {
        let turns = (self.0 >> 16).wrapping_add(1);
        Self(turns << 16 | (incarnation as u64) << 2 | state)
    }
}

impl<const W: usize> Arena<W> {
    /// Copies the record of `row` with the row's incarnation; `None` when the row is vacant.
    pub(crate) fn read(&self, row: u32) -> Option<(u32, [u64; W])> {
        let row = self.rows.get(row)?;
        loop {
            // Acquire: the words that this header speaks of are visible.
            let header = Header(row.header.load(Ordering::Acquire));
            let words = match header.state() {
                Header::SETTLED => row.copy(),
                Header::MOVING => self.journal.copy(),
                _ => return None,
            };
            // Words of a later record were stored after a later header and a release fence.
            // Having read one of them, this fence makes the load below see that header.
            fence(Ordering::Acquire);
            if row.header.load(Ordering::Relaxed) == header.0 {
                return Some((header.incarnation(), words));
            }
        }
    }

    /// Reads the first and the last octets of a row; the value says nothing.
    pub(crate) fn touch(&self, row: u32) -> u64 {
        let Some(row) = self.rows.get(row) else {
            return 0;
        };
        let last = row.words.last();
        let last = last.map_or(0, |word| word.load(Ordering::Relaxed));
        row.header.load(Ordering::Relaxed) ^ last
    }

    /// Rows that were ever used: all live rows are below this.
    pub(crate) fn high(&self) -> u32 {
        (self.high.load(Ordering::Acquire) & 0xffff_ffff) as u32
    }
}

/// Writer's side: which rows are free.
pub(crate) struct Allocator {
    limits: Limits,
    next_row: u32,
    resting: VecDeque<u32>,
}

impl Allocator {
    /// Incarnations are counted modulo this; the index keeps them in its entries.
    pub(crate) const INCARNATIONS: u32 = 1 << 12;

    /// That of a row's first record.
    pub(crate) const FIRST_INCARNATION: u32 = 1;

    pub(crate) fn open<const W: usize>(limits: Limits) -> (Self, Arena<W>) {
        let arena = Arena {
            rows: Chunks::new(limits.rows, limits.chunk_bits),
            journal: Row::new(),
            high: AtomicU64::new(0),
        };
        let allocator = Self {
            limits,
            next_row: 0,
            resting: VecDeque::new(),
        };
        (allocator, arena)
    }

    /// Gives a record a row of its own. `None` when all rows of [`Limits::rows`] are taken.
    pub(crate) fn add<const W: usize>(
        &mut self,
        arena: &Arena<W>,
        words: &[u64; W],
    ) -> Option<u32> {
        let number = self.free_row()?;
        let row = arena.rows.make(number, Row::new)?;
        let vacant = Header(row.header.load(Ordering::Relaxed));
        // Between the header that made the row vacant and words that a slow reader of its last
        // record may still copy.
        fence(Ordering::Release);
        row.write(words);
        let incarnation = (vacant.incarnation() + 1) % Self::INCARNATIONS;
        let settled = vacant.turned(incarnation, Header::SETTLED);
        row.header.store(settled.0, Ordering::Release);
        if u64::from(number) >= arena.high.load(Ordering::Relaxed) {
            arena.high.store(u64::from(number) + 1, Ordering::Release);
        }
        Some(number)
    }

    /// Puts a record into a row that has never been used, of an arena that nobody reads yet; any
    /// number of threads may do so to rows of their own. `false` beyond the last row.
    pub(crate) fn fill<const W: usize>(arena: &Arena<W>, number: u32, words: &[u64; W]) -> bool {
        let Some(row) = arena.rows.make(number, Row::new) else {
            return false;
        };
        row.write(words);
        let settled = Header(Header::VACANT).turned(Self::FIRST_INCARNATION, Header::SETTLED);
        row.header.store(settled.0, Ordering::Release);
        true
    }

    /// Rows up to `rows` have been filled, except for those in `vacant`.
    pub(crate) fn filled<const W: usize>(
        &mut self,
        arena: &Arena<W>,
        rows: u32,
        vacant: impl IntoIterator<Item = u32>,
    ) {
        self.next_row = rows;
        for number in vacant {
            // Whoever is given the row finds it made.
            arena.rows.make(number, Row::new);
            self.resting.push_back(number);
        }
        arena.high.store(u64::from(rows), Ordering::Release);
    }

    /// Replaces the record of a live row.
    pub(crate) fn replace<const W: usize>(arena: &Arena<W>, row: u32, words: &[u64; W]) {
        let Some(row) = arena.rows.get(row) else {
            return;
        };
        let before = Header(row.header.load(Ordering::Relaxed));
        if before.state() == Header::VACANT {
            return;
        }
        // Between the header of whichever row used the journal last and its next content.
        fence(Ordering::Release);
        arena.journal.write(words);
        // The one store that switches every key of the row to the new record.
        let moving = before.turned(before.incarnation(), Header::MOVING);
        row.header.store(moving.0, Ordering::Release);
        // Between that header and words that readers of the old record may still copy.
        fence(Ordering::Release);
        row.write(words);
        let settled = moving.turned(before.incarnation(), Header::SETTLED);
        row.header.store(settled.0, Ordering::Release);
    }

    /// Stores one word of a live row's record where it stands. Readers see the old or the new
    /// word; so this is for words that mean something on their own.
    pub(crate) fn amend<const W: usize>(arena: &Arena<W>, row: u32, word: usize, value: u64) {
        if let Some(row) = arena.rows.get(row)
            && let Some(word) = row.words.get(word)
        {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Vacates a row. Its keys must be gone from the index by now.
    pub(crate) fn remove<const W: usize>(&mut self, arena: &Arena<W>, number: u32) {
        let Some(row) = arena.rows.get(number) else {
            return;
        };
        let before = Header(row.header.load(Ordering::Relaxed));
        if before.state() == Header::VACANT {
            return;
        }
        let vacant = before.turned(before.incarnation(), Header::VACANT);
        row.header.store(vacant.0, Ordering::Release);
        self.resting.push_back(number);
    }

    fn free_row(&mut self) -> Option<u32> {
        if self.resting.len() > self.limits.rest || self.next_row >= self.limits.rows {
            return self.resting.pop_front();
        }
        self.next_row += 1;
        Some(self.next_row - 1)
    }
}
