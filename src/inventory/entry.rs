//! What stands in an entry: parts of a key, and what it leads to.

/// The keyed hash of an identifier.
///
/// 92 of the 128 bits are compared. An identifier that is not in an index of `n` keys is
/// mistaken for one that is with a probability of `n` / 2^92: 2^-69 for six million keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) u128);

impl Key {
    /// The second word of the entry; its upper bits choose the segment and the home.
    pub(super) const fn check(self) -> u64 {
        (self.0 & 0xffff_ffff_ffff_ffff) as u64
    }

    /// The part in the first word.
    pub(super) const fn tag(self) -> u64 {
        ((self.0 >> 64) as u64) >> (64 - TAG_BITS)
    }

    const fn with_check(self, check: u64) -> Self {
        Self(self.0 | check as u128)
    }
}

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// One row, in this incarnation.
    Row {
        /// Its number.
        row: u32,
        /// Which of the row's lives is meant.
        incarnation: u32,
    },
    /// More than one row has this key: the writer knows which.
    Several,
}

/// An entry to be, for an index that is filled in bulk.
#[derive(Clone, Copy)]
pub(crate) struct Entered {
    pub(super) word: u64,
    pub(super) check: u64,
}

impl Entered {
    /// `key` leads to `row` in this incarnation.
    pub(crate) fn new(key: Key, row: u32, incarnation: u32) -> Self {
        Self {
            word: word_of(key, Target::Row { row, incarnation }),
            check: key.check(),
        }
    }

    pub(crate) fn row(self) -> Option<u32> {
        match target_of(self.word)? {
            Target::Row { row, .. } => Some(row),
            Target::Several => None,
        }
    }

    pub(crate) const fn is_of(self, key: Key) -> bool {
        self.check == key.check() && self.word >> (64 - TAG_BITS) == key.tag()
    }

    /// Which of [`PARTS`] it belongs to. Entries of one part fall into one segment or into a few
    /// of their own, so that filling part by part stays in a processor's inner caches.
    pub(crate) fn part(self) -> usize {
        shift(self.check, 64 - PART_BITS)
    }

    pub(super) fn key(self) -> Key {
        Key(u128::from(self.word >> (64 - TAG_BITS)) << (128 - TAG_BITS)).with_check(self.check)
    }
}

/// The first word of an entry.
pub(super) fn word_of(key: Key, target: Target) -> u64 {
    let (row, incarnation) = match target {
        Target::Row { row, incarnation } => (row + FIRST_ROW, incarnation),
        Target::Several => (SEVERAL, 0),
    };
    key.tag() << (64 - TAG_BITS) | u64::from(incarnation) << ROW_BITS | u64::from(row)
}

/// What the first word of an entry says.
pub(super) fn target_of(word: u64) -> Option<Target> {
    let row = (word & ((1 << ROW_BITS) - 1)) as u32;
    let incarnation = (word >> ROW_BITS & ((1 << INCARNATION_BITS) - 1)) as u32;
    match row {
        SEVERAL => Some(Target::Several),
        _ => row
            .checked_sub(FIRST_ROW)
            .map(|row| Target::Row { row, incarnation }),
    }
}

/// `bits >> by` as a position; on every machine with 32-bit positions or more nothing is lost,
/// since what is left is far below 2^32.
pub(super) fn shift(bits: u64, by: u32) -> usize {
    usize::try_from(bits.checked_shr(by).unwrap_or(0)).unwrap_or(0)
}

/// Entries that are stored in bulk are sorted into so many parts first.
pub(crate) const PARTS: usize = 1 << PART_BITS;
pub(super) const PART_BITS: u32 = 9;

pub(super) const TAG_BITS: u32 = 28;
const INCARNATION_BITS: u32 = 12;
const ROW_BITS: u32 = 24;

/// Rows that an entry can name.
pub(crate) const MAX_ROWS: u32 = (1 << ROW_BITS) - FIRST_ROW;

/// Values of the row's bits that name no row.
pub(super) const EMPTY: u64 = 0;
pub(super) const DELETED: u64 = 1;
const SEVERAL: u32 = 2;
const FIRST_ROW: u32 = 3;
