//! The lock-free table: records that any of their keys finds, for readers that never wait.
//!
//! [`Table`] is what readers share, [`Owner`] what the one writer holds. The look-up of a key is
//! index entry, row. The entry names the incarnation of the row it means, and the row says in
//! which incarnation it is. So a reader
//! that was held up between two steps, for however long, gets the record of a device that had the
//! key during the look-up, or starts again; never that of another device that took over the row.
//!
//! What a reader sees: a record that was the device's current one at some moment during the
//! look-up, whole. All keys of a device switch to a new record at the same instant. Keys that are
//! added or removed one after the other become visible one after the other.

use std::sync::Arc;

use crate::inventory::arena::Allocator;
use crate::inventory::arena::Arena;
use crate::inventory::arena::Limits;
use crate::inventory::index::Entered;
use crate::inventory::index::Extent;
use crate::inventory::index::Full;
use crate::inventory::index::Growth;
use crate::inventory::index::Index;
use crate::inventory::index::Key;
use crate::inventory::index::Stored;
use crate::inventory::index::Target;

/// Readers' side.
pub(crate) struct Table<const W: usize> {
    arena: Arena<W>,
    index: Index,
}

/// What a key found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<const W: usize> {
    /// Nothing.
    Nothing,
    /// One record, in this row.
    One(u32, [u64; W]),
    /// More than one row has the key.
    Several,
}

impl<const W: usize> Table<W> {
    /// The record that `key` leads to.
    pub(crate) fn find(&self, key: Key) -> Found<W> {
        self.follow(key, self.target(key))
    }

    /// What `key` leads to, for [`follow`](Self::follow).
    pub(crate) fn target(&self, key: Key) -> Option<Target> {
        self.index.find(key)
    }

    /// The record that `key` leads to, if it still leads to `target`, and else to another: a
    /// look-up in two steps, between which others may be begun.
    pub(crate) fn follow(&self, key: Key, mut target: Option<Target>) -> Found<W> {
        loop {
            match target {
                None => return Found::Nothing,
                Some(Target::Several) => return Found::Several,
                Some(Target::Row { row, incarnation }) => {
                    if let Some((read, words)) = self.arena.read(row)
                        && read == incarnation
                    {
                        return Found::One(row, words);
                    }
                    // The key was taken away before the row was vacated: the index shows it now.
                    target = self.index.find(key);
                }
            }
        }
    }

    /// Reads the memory that [`find`](Self::find) will read for these keys, each kind for all of
    /// them before the next. Nothing of the first and the last kind decides a branch, so that the
    /// processor goes on to the next key before it has the memory of this one.
    pub(crate) fn read_ahead(&self, keys: &[Key]) {
        let entries = keys.iter().map(|key| self.touch_entry(*key));
        let read = entries.fold(0, |read, entry| read ^ entry);
        let rows = keys.iter().map(|key| self.touch_row(self.target(*key)));
        std::hint::black_box(rows.fold(read, |read, row| read ^ row));
    }

    /// Reads where a look-up of the key begins; the value says nothing.
    pub(crate) fn touch_entry(&self, key: Key) -> u64 {
        self.index.touch(key)
    }

    /// Reads the record that a target means; the value says nothing.
    pub(crate) fn touch_row(&self, target: Option<Target>) -> u64 {
        match target {
            Some(Target::Row { row, .. }) => self.arena.touch(row),
            Some(Target::Several) | None => 0,
        }
    }

    /// The record of a row; `None` when it is vacant.
    pub(crate) fn read(&self, row: u32) -> Option<[u64; W]> {
        self.arena.read(row).map(|(_, words)| words)
    }

    /// All live rows are below this.
    pub(crate) fn high(&self) -> u32 {
        self.arena.high()
    }
}

/// Writer's side; there is one for each table.
pub(crate) struct Owner<const W: usize> {
    table: Arc<Table<W>>,
    allocator: Allocator,
    growth: Growth,
}

impl<const W: usize> Owner<W> {
    pub(crate) fn open(limits: Limits, extent: Extent) -> Self {
        let (allocator, arena) = Allocator::open(limits);
        let (growth, index) = Growth::open(extent);
        Self {
            table: Arc::new(Table { arena, index }),
            allocator,
            growth,
        }
    }

    /// What readers share.
    pub(crate) fn table(&self) -> Arc<Table<W>> {
        Arc::clone(&self.table)
    }

    /// A new row with its first record, found by no key yet; `None` when all rows are taken.
    pub(crate) fn add(&mut self, words: &[u64; W]) -> Option<u32> {
        self.allocator.add(&self.table.arena, words)
    }

    /// Publishes a new record of a live row.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "there is one writer: exclusive access is the point"
    )]
    pub(crate) fn replace(&mut self, row: u32, words: &[u64; W]) {
        Allocator::replace(&self.table.arena, row, words);
    }

    /// Stores one word in place, see [`Allocator::amend`].
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "there is one writer: exclusive access is the point"
    )]
    pub(crate) fn amend(&mut self, row: u32, word: usize, value: u64) {
        Allocator::amend(&self.table.arena, row, word, value);
    }

    /// Vacates a row whose keys have been cleared.
    pub(crate) fn remove(&mut self, row: u32) {
        self.allocator.remove(&self.table.arena, row);
    }

    /// The record of a live row.
    pub(crate) fn read(&self, row: u32) -> Option<[u64; W]> {
        self.table.read(row)
    }

    /// The row or rows that have `key`.
    pub(crate) fn holder(&self, key: Key) -> Option<Holder> {
        match self.table.index.find(key)? {
            Target::Row { row, .. } => Some(Holder::One(row)),
            Target::Several => Some(Holder::Several),
        }
    }

    /// Makes `key` lead to a live row, or to several.
    pub(crate) fn set_key(&mut self, key: Key, holder: Holder) -> Result<(), Full> {
        let target = match holder {
            Holder::One(row) => {
                let (incarnation, _) = self.table.arena.read(row).ok_or(Full)?;
                Target::Row { row, incarnation }
            }
            Holder::Several => Target::Several,
        };
        self.growth.set(&self.table.index, key, target)
    }

    /// The index, to be filled in bulk; see [`Index::enter`].
    pub(crate) fn index(&self) -> &Index {
        &self.table.index
    }

    /// Notes what was filled in.
    pub(crate) fn entered(&mut self, stored: &Stored) {
        self.growth.entered(stored);
    }

    /// Makes `key` lead nowhere.
    pub(crate) fn clear_key(&mut self, key: Key) {
        self.growth.clear(&self.table.index, key);
    }
}

/// A table that is filled in bulk before anybody reads it: records first, then keys.
pub(crate) struct Filling<const W: usize> {
    arena: Arena<W>,
    allocator: Allocator,
}

impl<const W: usize> Filling<W> {
    pub(crate) fn open(limits: Limits) -> Self {
        let (allocator, arena) = Allocator::open(limits);
        Self { arena, allocator }
    }

    /// See [`Allocator::fill`].
    pub(crate) fn fill(&self, row: u32, words: &[u64; W]) -> bool {
        Allocator::fill(&self.arena, row, words)
    }

    /// A key of a row that is filled.
    pub(crate) fn entry(key: Key, row: u32) -> Entered {
        Entered::new(key, row, Allocator::FIRST_INCARNATION)
    }

    /// The table with all records and no keys yet, which [`Index::enter`] wants for every group;
    /// see [`Allocator::filled`].
    pub(crate) fn finish(
        mut self,
        rows: u32,
        vacant: impl IntoIterator<Item = u32>,
        extent: Extent,
    ) -> Owner<W> {
        self.allocator.filled(&self.arena, rows, vacant);
        let (growth, index) = Growth::open_unmade(extent);
        Owner {
            table: Arc::new(Table {
                arena: self.arena,
                index,
            }),
            allocator: self.allocator,
            growth,
        }
    }
}

/// Who has a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// One row.
    One(u32),
    /// More than one.
    Several,
}
