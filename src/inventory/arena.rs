//! Records of a fixed number of words that one writer replaces while any number of readers copy
//! them.
//!
//! A *row* is what a key points to and lives as long as the thing it stands for. A *slot* holds
//! one record. Replacing a record fills a free slot and then stores the row's word once, so that
//! all keys of a row see the new record at the same instant, and a key change never touches a
//! record. A slot that was replaced keeps its content until [`Limits::rest`] further slots were
//! freed; a reader notices a reuse by the slot's stamp and starts again. Nothing here is unsafe:
//! every word is an atomic, and a torn copy is thrown away.

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
    /// A chunk, the unit of allocation, has two to the power of this many rows or slots.
    pub(crate) chunk_bits: u32,
    /// How many freed slots (and rows) rest before the first of them is used again.
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
    /// One [`Current`] for each row.
    rows: Chunks<AtomicU64>,
    slots: Chunks<Slot<W>>,
    /// Rows ever used, for iteration.
    high: AtomicU64,
}

/// One record. Aligned so that a record touches as few cache lines as it can.
#[repr(align(64))]
struct Slot<const W: usize> {
    /// Version in the upper half, the row's incarnation in the lower.
    stamp: AtomicU64,
    words: [AtomicU64; W],
}

impl<const W: usize> Slot<W> {
    fn new() -> Self {
        Self {
            stamp: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

/// What a row's word says: version in the upper half, slot in the lower. Version 0 means that
/// the row is vacant; the lower half then keeps its last incarnation.
#[derive(Clone, Copy)]
struct Current(u64);

impl Current {
    const fn new(slot: u32, version: u32) -> Self {
        Self((version as u64) << 32 | slot as u64)
    }

    const fn version(self) -> u32 {
        (self.0 >> 32) as u32
    }

    const fn slot(self) -> u32 {
        (self.0 & 0xffff_ffff) as u32
    }
}

impl<const W: usize> Arena<W> {
    /// Copies the record of `row` with the row's incarnation; `None` when the row is vacant.
    ///
    /// Starts again only if the slot being copied was reused meanwhile, which takes
    /// [`Limits::rest`] replacements of other records during one copy.
    pub(crate) fn read(&self, row: u32) -> Option<(u32, [u64; W])> {
        let cell = self.rows.get(row)?;
        loop {
            // Acquire: pairs with the store in `publish`, so the slot's stamp and words are at
            // least as new as this word.
            let current = Current(cell.load(Ordering::Acquire));
            if current.version() == 0 {
                return None;
            }
            let slot = self.slots.get(current.slot())?;
            // Acquire: if this is already the stamp of a reuse, the row's newer word is visible
            // to the next turn of the loop.
            let stamp = slot.stamp.load(Ordering::Acquire);
            let words = std::array::from_fn(|word| {
                slot.words
                    .get(word)
                    .map_or(0, |word| word.load(Ordering::Relaxed))
            });
            // A word of a reuse was stored after that reuse's stamp and a release fence. Having
            // read such a word, this fence makes the load below see that stamp.
            fence(Ordering::Acquire);
            let after = slot.stamp.load(Ordering::Relaxed);
            if after == stamp && version_of(stamp) == current.version() {
                return Some((incarnation_of(stamp), words));
            }
        }
    }

    /// Rows that were ever used: all live rows are below this.
    pub(crate) fn high(&self) -> u32 {
        (self.high.load(Ordering::Acquire) & 0xffff_ffff) as u32
    }
}

const fn version_of(stamp: u64) -> u32 {
    (stamp >> 32) as u32
}

const fn incarnation_of(stamp: u64) -> u32 {
    (stamp & 0xffff_ffff) as u32
}

/// Writer's side: which rows and slots are free.
pub(crate) struct Allocator {
    limits: Limits,
    next_row: u32,
    next_slot: u32,
    resting_rows: VecDeque<u32>,
    resting_slots: VecDeque<u32>,
}

impl Allocator {
    /// Incarnations are counted modulo this; the index keeps them in its entries.
    pub(crate) const INCARNATIONS: u32 = 1 << 12;

    pub(crate) fn open<const W: usize>(limits: Limits) -> (Self, Arena<W>) {
        let rest = u32::try_from(limits.rest).unwrap_or(u32::MAX);
        let slots = limits.rows.saturating_add(rest).saturating_add(2);
        let arena = Arena {
            rows: Chunks::new(limits.rows, limits.chunk_bits),
            slots: Chunks::new(slots, limits.chunk_bits),
            high: AtomicU64::new(0),
        };
        let allocator = Self {
            limits,
            next_row: 0,
            next_slot: 0,
            resting_rows: VecDeque::new(),
            resting_slots: VecDeque::new(),
        };
        (allocator, arena)
    }

    /// Gives a record a row of its own: the row and its incarnation. `None` when all rows of
    /// [`Limits::rows`] are taken.
    pub(crate) fn add<const W: usize>(
        &mut self,
        arena: &Arena<W>,
        words: &[u64; W],
    ) -> Option<(u32, u32)> {
        let row = self.free_row()?;
        let cell = arena.rows.make(row, || AtomicU64::new(0))?;
        // The lower half of a vacant row's word: see `Current`.
        let incarnation = (Current(cell.load(Ordering::Relaxed)).slot() + 1) % Self::INCARNATIONS;
        self.publish(arena, row, incarnation, words)?;
        Some((row, incarnation))
    }

    /// Replaces the record of a live row.
    pub(crate) fn replace<const W: usize>(
        &mut self,
        arena: &Arena<W>,
        row: u32,
        words: &[u64; W],
    ) -> Option<()> {
        let slot = Self::slot_of(arena, row)?;
        let stamp = arena.slots.get(slot)?.stamp.load(Ordering::Relaxed);
        self.publish(arena, row, incarnation_of(stamp), words)?;
        self.resting_slots.push_back(slot);
        Some(())
    }

    /// Stores one word of a live row's record where it stands. Readers see the old or the new
    /// word; so this is for words that mean something on their own.
    pub(crate) fn amend<const W: usize>(arena: &Arena<W>, row: u32, word: usize, value: u64) {
        if let Some(slot) = Self::slot_of(arena, row).and_then(|slot| arena.slots.get(slot))
            && let Some(word) = slot.words.get(word)
        {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Vacates a row. Its keys must be gone from the index by now.
    pub(crate) fn remove<const W: usize>(&mut self, arena: &Arena<W>, row: u32) {
        let Some(slot) = Self::slot_of(arena, row) else {
            return;
        };
        let (Some(cell), Some(content)) = (arena.rows.get(row), arena.slots.get(slot)) else {
            return;
        };
        let incarnation = incarnation_of(content.stamp.load(Ordering::Relaxed));
        cell.store(Current::new(incarnation, 0).0, Ordering::Release);
        self.resting_slots.push_back(slot);
        self.resting_rows.push_back(row);
    }

    fn publish<const W: usize>(
        &mut self,
        arena: &Arena<W>,
        row: u32,
        incarnation: u32,
        words: &[u64; W],
    ) -> Option<()> {
        let cell = arena.rows.get(row)?;
        let number = self.free_slot();
        let slot = arena.slots.make(number, Slot::new)?;
        let version = version_of(slot.stamp.load(Ordering::Relaxed))
            .wrapping_add(1)
            .max(1);
        // Release: a reader that meets this stamp also sees that the slot's former row has moved
        // on, and so does not come back here.
        let stamp = u64::from(version) << 32 | u64::from(incarnation);
        slot.stamp.store(stamp, Ordering::Release);
        // Before the words: see the fence in `Arena::read`.
        fence(Ordering::Release);
        for (word, value) in slot.words.iter().zip(words) {
            word.store(*value, Ordering::Relaxed);
        }
        // The one store that switches every key of the row to the new record.
        cell.store(Current::new(number, version).0, Ordering::Release);
        if u64::from(row) >= arena.high.load(Ordering::Relaxed) {
            arena.high.store(u64::from(row) + 1, Ordering::Release);
        }
        Some(())
    }

    fn free_row(&mut self) -> Option<u32> {
        if self.resting_rows.len() > self.limits.rest || self.next_row >= self.limits.rows {
            return self.resting_rows.pop_front();
        }
        self.next_row += 1;
        Some(self.next_row - 1)
    }

    fn free_slot(&mut self) -> u32 {
        if self.resting_slots.len() > self.limits.rest
            && let Some(slot) = self.resting_slots.pop_front()
        {
            return slot;
        }
        self.next_slot += 1;
        self.next_slot - 1
    }

    fn slot_of<const W: usize>(arena: &Arena<W>, row: u32) -> Option<u32> {
        let current = Current(arena.rows.get(row)?.load(Ordering::Relaxed));
        (current.version() != 0).then_some(current.slot())
    }
}
