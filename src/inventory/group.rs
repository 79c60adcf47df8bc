//! Sets of groups, each kept once and known by a small number.
//!
//! Memberships arrive flattened: a source that knows nested groups names every group that a user
//! is in, directly or not. Sets are append-only: a reader may hold a slice of any set it was
//! ever given, and a restart gives back what is no longer used.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use crate::inventory::arena::Chunks;
use crate::model::GroupId;

/// The number of a set of groups; [`GroupSet::EMPTY`] is the set without groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupSet(u32);

impl GroupSet {
    /// No groups.
    pub const EMPTY: Self = Self(0);

    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    pub(crate) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// Readers' side: sets by number.
pub(crate) struct GroupSets(Chunks<OnceLock<Arc<[GroupId]>>>);

impl GroupSets {
    /// The groups of a set, sorted; none for a number that was never given out.
    pub(crate) fn get(&self, set: GroupSet) -> &[GroupId] {
        self.0
            .get(set.0)
            .and_then(OnceLock::get)
            .map_or(&[], |groups| groups)
    }
}

/// Writer's side: numbers by set.
pub(crate) struct Interner {
    sets: Arc<GroupSets>,
    numbers: HashMap<Arc<[GroupId]>, u32>,
    next: u32,
    limit: u32,
}

impl Interner {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            sets: Arc::new(GroupSets(Chunks::new(limit, CHUNK_BITS))),
            numbers: HashMap::new(),
            next: 1,
            limit,
        }
    }

    pub(crate) fn sets(&self) -> Arc<GroupSets> {
        Arc::clone(&self.sets)
    }

    /// Whether some set has ever had the group.
    pub(crate) fn knows(&self, group: GroupId) -> bool {
        let mut sets = self.numbers.keys();
        sets.any(|set| set.binary_search(&group).is_ok())
    }

    pub(crate) fn get(&self, set: GroupSet) -> &[GroupId] {
        self.sets.get(set)
    }

    /// The set of these groups; `None` when there are more than [`MAX_GROUPS`] of them or no
    /// number is left. The caller then treats the user or device as one it does not know: to go
    /// on without its groups could take it out of a policy's target.
    pub(crate) fn intern(&mut self, groups: &[GroupId]) -> Option<GroupSet> {
        if groups.is_empty() {
            return Some(GroupSet::EMPTY);
        }
        if groups.is_sorted_by(|a, b| a < b) {
            return self.intern_sorted(groups);
        }
        let mut sorted = groups.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        self.intern_sorted(&sorted)
    }

    /// The groups that are in any of `sets`.
    pub(crate) fn union(&mut self, sets: impl Iterator<Item = GroupSet>) -> Option<GroupSet> {
        let mut result = GroupSet::EMPTY;
        for set in sets {
            if result == GroupSet::EMPTY || set == result {
                result = set;
            } else if set != GroupSet::EMPTY {
                let both = [self.sets.get(result), self.sets.get(set)].concat();
                result = self.intern(&both)?;
            }
        }
        Some(result)
    }

    fn intern_sorted(&mut self, groups: &[GroupId]) -> Option<GroupSet> {
        if let Some(&number) = self.numbers.get(groups) {
            return Some(GroupSet(number));
        }
        if groups.len() > MAX_GROUPS || self.next >= self.limit {
            return None;
        }
        let groups: Arc<[GroupId]> = groups.into();
        let cell = self.sets.0.make(self.next, OnceLock::new)?;
        // A number is given out once, so the cell is empty.
        cell.get_or_init(|| Arc::clone(&groups));
        let set = GroupSet(self.next);
        self.numbers.insert(groups, self.next);
        self.next += 1;
        Some(set)
    }
}

/// Groups of one user or device: four times what a Windows access token can carry (1,015). See
/// [`Interner::intern`] for what happens beyond.
pub(crate) const MAX_GROUPS: usize = 4096;

/// Different sets in the life of a process: at a thousand new ones a day, eleven years. See
/// [`Interner::intern`] for what happens beyond.
pub(crate) const MAX_SETS: u32 = 1 << 22;

const CHUNK_BITS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &[&str]) -> Vec<GroupId> {
        names.iter().map(|name| GroupId::named(name)).collect()
    }

    #[test]
    fn equal_sets_share_a_number_whatever_their_order() {
        let mut interner = Interner::new(MAX_SETS);
        let one = interner.intern(&groups(&["staff", "admins"])).unwrap();
        let other = interner
            .intern(&groups(&["admins", "staff", "staff"]))
            .unwrap();
        assert_eq!(one, other);
        assert_ne!(one, interner.intern(&groups(&["staff"])).unwrap());
        assert!(interner.sets().get(one).is_sorted());
        assert_eq!(interner.sets().get(one).len(), 2);
        assert_eq!(interner.intern(&[]), Some(GroupSet::EMPTY));
        assert_eq!(interner.sets().get(GroupSet::EMPTY), &[]);
    }

    #[test]
    fn a_union_has_the_groups_of_all() {
        let mut interner = Interner::new(MAX_SETS);
        let staff = interner.intern(&groups(&["staff"])).unwrap();
        let sales = interner.intern(&groups(&["sales", "staff"])).unwrap();
        let both = interner.union([staff, GroupSet::EMPTY, sales].into_iter());
        assert_eq!(both, Some(sales));
        assert_eq!(interner.union([].into_iter()), Some(GroupSet::EMPTY));
    }

    #[test]
    fn a_set_beyond_the_bounds_is_refused_and_known_ones_stay() {
        let mut interner = Interner::new(2);
        let staff = groups(&["staff"]);
        let set = interner.intern(&staff);
        assert!(set.is_some());
        assert_eq!(interner.intern(&groups(&["sales"])), None);
        assert_eq!(interner.intern(&staff), set);
        let many: Vec<GroupId> = (0..=MAX_GROUPS)
            .map(|number| GroupId::named(&number.to_string()))
            .collect();
        assert_eq!(Interner::new(MAX_SETS).intern(&many), None);
    }
}
