//! From the hash of a key to a row, for readers that never wait and one writer.
//!
//! The upper bits of a key choose a place in the directory, which names a *segment*: a block of
//! entries searched one after the other from the key's home. A full segment is split in two, as
//! in extendible hashing, so growing copies one segment and never the whole index. A segment
//! that was split is used again for a later split.
//!
//! An entry is two words. The first holds a part of the key (28 bits), the row (24 bits) and the
//! row's incarnation (12 bits); the second 64 further bits of the key. The second is stored while
//! the first says that the entry is free, so a reader that finds the first unchanged around the
//! second has read a pair. As long as a key is present, its entry stands still and no entry on
//! the way to it becomes empty; only its first word changes, by one store.
//!
//! Each store of the writer's side is right only by the load of the readers' side that it pairs with:
//! the two stand in one file, to be read together.

use std::collections::VecDeque;
use std::sync::OnceLock;

use crate::inventory::atomic::AtomicU64;
use crate::inventory::atomic::Ordering;

pub(crate) use crate::inventory::entry::Entered;
pub(crate) use crate::inventory::entry::Key;
pub(crate) use crate::inventory::entry::MAX_ROWS;
pub(crate) use crate::inventory::entry::PARTS;
pub(crate) use crate::inventory::entry::Target;

use crate::inventory::entry::DELETED;
use crate::inventory::entry::EMPTY;
use crate::inventory::entry::PART_BITS;
use crate::inventory::entry::TAG_BITS;
use crate::inventory::entry::shift;
use crate::inventory::entry::target_of;
use crate::inventory::entry::word_of;

/// Sizes of an index; [`Extent::for_keys`] chooses them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// The directory has two to the power of this many places, and so many segments at most.
    pub(crate) directory_bits: u32,
    /// Entries of a segment.
    pub(crate) segment: u32,
    /// Segments to start with: two to the power of this many, at most the directory's.
    pub(crate) depth: u32,
}

impl Extent {
    /// As many segments as `expected` keys fill to seven tenths. Beyond, segments are split, and
    /// the index can grow to 50 million keys or more.
    pub(crate) fn for_keys(expected: usize) -> Self {
        let entries = expected.saturating_mul(10).div_ceil(7);
        let depth = (entries / SEGMENT).checked_ilog2().unwrap_or(0);
        let segment = entries.div_ceil(1 << depth.min(DIRECTORY_BITS));
        Self {
            directory_bits: DIRECTORY_BITS,
            segment: u32::try_from(segment.max(SEGMENT)).unwrap_or(u32::MAX),
            depth,
        }
    }
}

/// The index has [`Extent::directory_bits`] worth of full segments; the key was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Readers' side.
pub(crate) struct Index {
    /// For each place the segment's number (lower half) and a number that no other naming of a
    /// segment has (upper half).
    directory: Box<[AtomicU64]>,
    segments: Box<[OnceLock<Box<[Entry]>>]>,
    extent: Extent,
}

struct Entry {
    word: AtomicU64,
    check: AtomicU64,
}

impl Index {
    /// What `key` leads to. A key that is present all the time is found, whatever the writer
    /// does meanwhile.
    pub(crate) fn find(&self, key: Key) -> Option<Target> {
        'again: loop {
            let place = self.directory.get(self.place(key))?;
            // Acquire: pairs with the store in `name`; the segment's entries are visible.
            let named = place.load(Ordering::Acquire);
            for (_, entry) in self.probe(segment_number(named), key) {
                // Acquire: the second word is at least as new as the first, and later loads of
                // this function come later.
                let word = entry.word.load(Ordering::Acquire);
                if word == EMPTY {
                    break;
                }
                if word >> (64 - TAG_BITS) != key.tag() || word == DELETED {
                    continue;
                }
                // Acquire: if this is the word of a later key, the load below sees that the
                // first word was given up in between.
                if entry.check.load(Ordering::Acquire) != key.check() {
                    continue;
                }
                if entry.word.load(Ordering::Relaxed) != word {
                    continue 'again;
                }
                return target_of(word);
            }
            // A segment is filled anew only after the directory has stopped naming it, and its
            // words are stored with release: so if any word above came from such a filling, the
            // directory is seen to have changed.
            if place.load(Ordering::Relaxed) == named {
                return None;
            }
        }
    }

    /// Reads the entry at the key's home; the value says nothing.
    pub(crate) fn touch(&self, key: Key) -> u64 {
        let named = self
            .directory
            .get(self.place(key))
            .map_or(0, |place| place.load(Ordering::Relaxed));
        let home = self.home(key.check());
        let entry = self.entries(segment_number(named)).get(home);
        entry.map_or(0, |entry| entry.word.load(Ordering::Relaxed))
    }

    fn place(&self, key: Key) -> usize {
        shift(key.check(), 64 - self.extent.directory_bits)
    }

    /// The entries of a segment from the home of `key` on, once around.
    fn probe(&self, segment: u32, key: Key) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.entries(segment);
        let home = self.home(key.check());
        (home..entries.len())
            .chain(0..home)
            .filter_map(move |at| entries.get(at).map(|entry| (at, entry)))
    }

    fn entries(&self, segment: u32) -> &[Entry] {
        self.segments
            .get(segment as usize)
            .and_then(OnceLock::get)
            .map_or(&[], |entries| entries)
    }

    /// The bits below those of the directory, stretched over the segment.
    fn home(&self, check: u64) -> usize {
        let below = check << self.extent.directory_bits;
        shift((below >> 32) * u64::from(self.extent.segment), 32)
    }
}

/// Writer's side: how full each segment is.
pub(crate) struct Growth {
    /// By segment number.
    segments: Vec<Fill>,
    resting: VecDeque<u32>,
    namings: u32,
}

#[derive(Clone, Copy, Default)]
struct Fill {
    /// How many upper bits of the key the segment's keys share.
    depth: u32,
    /// Entries that lead somewhere.
    live: u32,
    /// Those and deleted ones that searches must pass over.
    used: u32,
}

impl Growth {
    pub(crate) fn open(extent: Extent) -> (Self, Index) {
        let (growth, index) = Self::open_unmade(extent);
        for number in 0..growth.segments.len() {
            index.make(number);
        }
        (growth, index)
    }

    /// The same for an index that is filled by [`Index::enter`], which makes the segments.
    pub(crate) fn open_unmade(extent: Extent) -> (Self, Index) {
        let places = 1_usize << extent.directory_bits;
        let index = Index {
            directory: (0..places).map(|_| AtomicU64::new(0)).collect(),
            // Two more than can be named at once: a split fills two before it frees one.
            segments: (0..places + 2).map(|_| OnceLock::new()).collect(),
            extent,
        };
        let mut growth = Self {
            segments: Vec::new(),
            resting: VecDeque::new(),
            namings: 0,
        };
        let depth = extent.depth.min(extent.directory_bits);
        for (prefix, segment) in (0..1_usize << depth).zip(0..) {
            growth.fill(segment).depth = depth;
            growth.name(&index, prefix << (extent.directory_bits - depth), segment);
        }
        (growth, index)
    }

    /// Makes `key` lead to `target`.
    pub(crate) fn set(&mut self, index: &Index, key: Key, target: Target) -> Result<(), Full> {
        let word = word_of(key, target);
        loop {
            let number = index.segment_of(key);
            match index.search(number, key) {
                Search::Present(_, entry) => {
                    entry.word.store(word, Ordering::Release);
                    return Ok(());
                }
                Search::Absent { free, empty } => {
                    let fill = self.fill(number);
                    if empty && fill.used >= index.limit() {
                        self.grow(index, key)?;
                        continue;
                    }
                    fill.live += 1;
                    fill.used += u32::from(empty);
                    // Release on both: see `Index::find`.
                    free.check.store(key.check(), Ordering::Release);
                    free.word.store(word, Ordering::Release);
                    return Ok(());
                }
                // Cannot be while `limit` is below the segment's size.
                Search::NoEntry => self.grow(index, key)?,
            }
        }
    }

    /// Notes what [`Index::enter`] has stored.
    pub(crate) fn entered(&mut self, stored: &Stored) {
        for (number, live) in (stored.first..).zip(&stored.live) {
            let fill = self.fill(number);
            fill.live += live;
            fill.used += live;
        }
    }

    /// Makes `key` lead nowhere.
    pub(crate) fn clear(&mut self, index: &Index, key: Key) {
        let number = index.segment_of(key);
        let Search::Present(mut position, found) = index.search(number, key) else {
            return;
        };
        found.word.store(DELETED, Ordering::Release);
        let fill = self.fill(number);
        fill.live -= 1;
        // Deleted entries right before an empty one are on nobody's way.
        let entries = index.entries(number);
        let length = entries.len();
        let at = |position: usize| entries.get(position % length.max(1));
        while let (Some(entry), Some(next)) = (at(position), at(position + 1))
            && next.word.load(Ordering::Relaxed) == EMPTY
            && entry.word.load(Ordering::Relaxed) == DELETED
        {
            entry.word.store(EMPTY, Ordering::Release);
            fill.used -= 1;
            position = (position + length - 1) % length;
        }
    }

    /// Makes room in the segment of `key`: splits it when it is full of live keys, else copies
    /// it without what was deleted.
    fn grow(&mut self, index: &Index, key: Key) -> Result<(), Full> {
        let old = index.segment_of(key);
        let fill = *self.fill(old);
        let bits = index.extent.directory_bits;
        let split = fill.live > index.limit() / 2 && fill.depth < bits;
        if !split && fill.live >= index.limit() {
            return Err(Full);
        }
        let depth = fill.depth + u32::from(split);
        let low = self.fresh(index, depth).ok_or(Full)?;
        let high = if split {
            self.fresh(index, depth).ok_or(Full)?
        } else {
            low
        };
        for entry in index.entries(old) {
            let word = entry.word.load(Ordering::Relaxed);
            if word == EMPTY || word == DELETED {
                continue;
            }
            let check = entry.check.load(Ordering::Relaxed);
            let upper = check >> (63 - fill.depth.min(63)) & 1 == 1;
            let number = if split && upper { high } else { low };
            let copy = Entered { word, check }.key();
            if let Search::Absent { free, .. } = index.search(number, copy) {
                free.check.store(check, Ordering::Release);
                free.word.store(word, Ordering::Release);
                let fill = self.fill(number);
                fill.live += 1;
                fill.used += 1;
            }
        }
        let span = 1_usize << (bits - fill.depth);
        let start = index.place(key) & !(span - 1);
        if split {
            self.name(index, start, low);
            self.name(index, start + span / 2, high);
        } else {
            self.name(index, start, low);
        }
        self.resting.push_back(old);
        Ok(())
    }

    /// Lets the directory name `segment` for all keys that share its bits, from place `start`.
    fn name(&mut self, index: &Index, start: usize, segment: u32) {
        let depth = self.fill(segment).depth;
        let span = 1_usize << (index.extent.directory_bits - depth);
        self.namings = self.namings.wrapping_add(1);
        let named = u64::from(self.namings) << 32 | u64::from(segment);
        for place in index.directory.iter().skip(start).take(span) {
            place.store(named, Ordering::Release);
        }
    }

    /// An empty segment that nothing names.
    fn fresh(&mut self, index: &Index, depth: u32) -> Option<u32> {
        let number = if let Some(number) = self.resting.pop_front() {
            number
        } else {
            self.segments.push(Fill::default());
            u32::try_from(self.segments.len() - 1).ok()?
        };
        for entry in index.make(number as usize)? {
            if entry.word.load(Ordering::Relaxed) != EMPTY {
                entry.word.store(EMPTY, Ordering::Release);
            }
        }
        *self.fill(number) = Fill {
            depth,
            ..Fill::default()
        };
        Some(number)
    }

    fn fill(&mut self, segment: u32) -> &mut Fill {
        let number = segment as usize;
        if self.segments.len() <= number {
            self.segments.resize(number + 1, Fill::default());
        }
        // The line above made it.
        &mut self.segments[number]
    }
}

/// What a thread has stored into segments of its own.
pub(crate) struct Stored {
    /// The first of the segments.
    first: u32,
    /// New entries, by segment.
    live: Vec<u32>,
    /// Those that were not stored: the key is there already, or its segment is full.
    pub(crate) left: Vec<Entered>,
}

impl Index {
    /// Groups of parts that have their segments to themselves. Only in an index that has never
    /// been written to.
    pub(crate) fn groups(&self) -> usize {
        1 << self.group_bits()
    }

    /// The parts of a group.
    pub(crate) fn parts_of(&self, group: usize) -> std::ops::Range<usize> {
        let each = PART_BITS - self.group_bits();
        group << each..(group + 1) << each
    }

    /// Stores the entries of a group's parts in an index that has never been written to and that
    /// nobody reads; a thread may do so for each group. [`Growth::entered`] wants to know.
    pub(crate) fn enter(&self, group: usize, entries: impl Iterator<Item = Entered>) -> Stored {
        // Segments are numbered in the order of the bits they share.
        let each = self.depth() - self.group_bits();
        let mut stored = Stored {
            first: u32::try_from(group << each).unwrap_or(u32::MAX),
            live: vec![0; 1 << each],
            left: Vec::new(),
        };
        for segment in group << each..(group + 1) << each {
            self.make(segment);
        }
        for entry in entries {
            let number = self.segment_of(entry.key());
            let place = number
                .checked_sub(stored.first)
                .and_then(|at| stored.live.get_mut(at as usize));
            match (place, self.search(number, entry.key())) {
                (Some(live), Search::Absent { free, empty: true }) if *live < self.limit() => {
                    *live += 1;
                    free.check.store(entry.check, Ordering::Release);
                    free.word.store(entry.word, Ordering::Release);
                }
                _ => stored.left.push(entry),
            }
        }
        stored
    }

    /// The entries of a segment, made empty if they were not there yet.
    fn make(&self, segment: usize) -> Option<&[Entry]> {
        let entries = self.segments.get(segment)?.get_or_init(|| {
            let empty = || Entry {
                word: AtomicU64::new(EMPTY),
                check: AtomicU64::new(0),
            };
            (0..self.extent.segment).map(|_| empty()).collect()
        });
        Some(entries)
    }

    fn depth(&self) -> u32 {
        self.extent.depth.min(self.extent.directory_bits)
    }

    fn group_bits(&self) -> u32 {
        self.depth().min(PART_BITS)
    }
}

enum Search<'a> {
    /// At this position.
    Present(usize, &'a Entry),
    /// Where the key would go, and whether that entry is empty rather than deleted.
    Absent {
        free: &'a Entry,
        empty: bool,
    },
    NoEntry,
}

impl Index {
    fn segment_of(&self, key: Key) -> u32 {
        self.directory
            .get(self.place(key))
            .map_or(0, |place| segment_number(place.load(Ordering::Relaxed)))
    }

    fn search(&self, segment: u32, key: Key) -> Search<'_> {
        let mut deleted = None;
        for (position, entry) in self.probe(segment, key) {
            let word = entry.word.load(Ordering::Relaxed);
            if word == EMPTY {
                return match deleted {
                    Some(free) => Search::Absent { free, empty: false },
                    None => Search::Absent {
                        free: entry,
                        empty: true,
                    },
                };
            }
            if word == DELETED {
                deleted = deleted.or(Some(entry));
            } else if word >> (64 - TAG_BITS) == key.tag()
                && entry.check.load(Ordering::Relaxed) == key.check()
            {
                return Search::Present(position, entry);
            }
        }
        deleted.map_or(Search::NoEntry, |free| Search::Absent {
            free,
            empty: false,
        })
    }

    /// Entries that a segment may use: three quarters, so that searches end soon.
    const fn limit(&self) -> u32 {
        self.extent.segment / 4 * 3
    }
}

const fn segment_number(named: u64) -> u32 {
    (named & 0xffff_ffff) as u32
}

/// 4,096 places: with two words each they stay in a processor's inner caches.
const DIRECTORY_BITS: u32 = 12;

/// Entries of the smallest segment, 256 KiB; one to be split or copied takes the writer a
/// fraction of a millisecond. A segment that is sized for the expected keys has up to twice as
/// many.
const SEGMENT: usize = 1 << 14;
