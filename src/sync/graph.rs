//! Microsoft Graph as a source: one client with a device feed and a user feed.
//!
//! A page that cannot be had is asked for again, at the same link, after the wait that the server
//! names or a growing one of our own; the walk says when that is enough. What a walk has read
//! counts only when its last page is in.

mod client;
mod devices;
mod users;

pub(super) use client::Graph;
pub use client::GraphSetupError;
pub(super) use devices::DeviceFeed;
pub(super) use users::UserFeed;

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;

use crate::inventory::Reader;
use crate::model::DeviceId;
use crate::model::SourceId;
use crate::model::UserId;

/// What a list has left out, and whether it may be believed.
///
/// A page boundary that moves during a walk can hide an entry, so one list is not enough to
/// remove something: two in a row must agree, or somebody must have asked for the entry itself.
#[derive(Debug)]
struct Absences<K> {
    /// What the inventory knows from us.
    known: HashSet<K>,
    /// What the last complete list left out.
    missing: HashSet<K>,
    /// The same two, once the delivery at hand is accepted.
    pending: Option<(HashSet<K>, HashSet<K>)>,
}

impl<K: Clone + Eq + Hash> Absences<K> {
    fn new() -> Self {
        Self {
            known: HashSet::new(),
            missing: HashSet::new(),
            pending: None,
        }
    }

    /// The known entries that `listed` lacks and the list before had, and those that it lacked
    /// too.
    fn compare(&self, listed: &HashSet<K>) -> Missing<K> {
        let missing = self.known.difference(listed).cloned();
        let (again, first) = missing.partition(|entry| self.missing.contains(entry));
        Missing { first, again }
    }

    /// Notes what is known and missing when `listed` has been taken. With `doubtful` entries
    /// left, nothing is removed yet.
    fn propose(&mut self, listed: HashSet<K>, doubtful: &[K], again: &[K]) {
        let mut known = listed;
        let mut missing = HashSet::new();
        if !doubtful.is_empty() {
            missing.extend(doubtful.iter().chain(again).cloned());
            known.extend(missing.iter().cloned());
        }
        self.pending = Some((known, missing));
    }

    /// Notes entries that a quick run has seen.
    fn seen(&mut self, entries: impl IntoIterator<Item = K>) {
        for entry in entries {
            self.missing.remove(&entry);
            self.known.insert(entry);
        }
    }

    fn settle(&mut self, accepted: bool) {
        if let Some((known, missing)) = self.pending.take()
            && accepted
        {
            self.known = known;
            self.missing = missing;
        }
    }
}

/// What a complete list lacks.
#[derive(Debug, PartialEq, Eq)]
struct Missing<K> {
    /// For the first time.
    first: Vec<K>,
    /// As the list before.
    again: Vec<K>,
}

impl<K> Missing<K> {
    fn count(&self) -> usize {
        self.first.len() + self.again.len()
    }
}

/// What the inventory knew from a source before the start: a list that lacks some of it is not
/// believed at once either.
#[derive(Clone)]
pub(super) struct Earlier {
    pub(super) reader: Reader,
    pub(super) source: SourceId,
}

impl Earlier {
    fn devices(&self) -> Vec<DeviceId> {
        self.reader.devices_of(self.source)
    }

    fn users(&self) -> Vec<UserId> {
        self.reader.users_of(self.source)
    }
}

impl fmt::Debug for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Earlier")
    }
}

/// The wait before a list is asked for again because it lacks something.
const SECOND_LOOK: std::time::Duration = std::time::Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_removed_when_two_lists_in_a_row_lack_it() {
        let mut absences = Absences::new();
        let full: HashSet<u32> = (0..5).collect();
        let short: HashSet<u32> = (0..4).collect();
        absences.propose(full, &[], &[]);
        absences.settle(true);

        let missing = absences.compare(&short);
        assert_eq!(missing.first, [4]);
        absences.propose(short.clone(), &missing.first, &missing.again);
        absences.settle(true);

        let missing = absences.compare(&short);
        assert!(missing.first.is_empty());
        assert_eq!(missing.again, [4]);
        absences.propose(short.clone(), &missing.first, &missing.again);
        absences.settle(true);
        assert!(absences.compare(&short).again.is_empty());
    }

    #[test]
    fn an_entry_that_shows_again_starts_afresh() {
        let mut absences = Absences::new();
        let full: HashSet<u32> = (0..5).collect();
        let short: HashSet<u32> = (0..4).collect();
        absences.propose(full, &[], &[]);
        absences.settle(true);
        absences.propose(short.clone(), &[4], &[]);
        absences.settle(true);
        absences.seen([4]);
        assert_eq!(absences.compare(&short).first, [4]);
    }

    #[test]
    fn a_list_that_was_not_taken_changes_nothing() {
        let mut absences = Absences::new();
        absences.propose((0..5).collect(), &[], &[]);
        absences.settle(true);
        absences.propose(HashSet::new(), &[], &[]);
        absences.settle(false);
        let missing: Missing<u32> = absences.compare(&HashSet::new());
        assert_eq!(missing.first.len(), 5);
    }
}
