//! What is passed along while one delivery of a source is worked in.

use std::collections::HashSet;

use crate::inventory::change::Change;
use crate::inventory::group::Interner;
use crate::inventory::key::Keys;
use crate::inventory::statement::Name;
use crate::model::SourceId;
use crate::model::Timestamp;

/// A delivery: who says it, when, and what it has altered so far.
pub(crate) struct Batch<'a> {
    pub(crate) source: SourceId,
    pub(crate) at: Timestamp,
    /// Part of a complete list, whose time is kept for the source as a whole.
    pub(crate) walk: bool,
    pub(crate) keys: &'a Keys,
    pub(crate) groups: &'a mut Interner,
    pub(crate) outcome: &'a mut Outcome,
}

/// What a delivery has altered.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) changes: Vec<Change>,
    /// Names that lead to another user than before and that devices depend on.
    pub(crate) moved: HashSet<Name>,
    /// Reports and identifiers that could not be kept because a table is full.
    pub(crate) overflowed: u64,
}
