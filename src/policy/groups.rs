//! The groups that a policy file names, and which of them a subject is in.

use std::cmp::Ordering;

use crate::model::GroupId;

/// Most groups that one policy file may name: what one membership set of eight words holds. A
/// larger file is refused with this number.
pub(super) const MAX_GROUPS: usize = 512;

/// Some of the groups that the policy file names, by their position in its sorted list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupBits([u64; MAX_GROUPS / 64]);

impl GroupBits {
    /// Positions from [`MAX_GROUPS`] on are left out; the parser has refused them.
    pub(super) fn insert(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    pub(super) fn contains(&self, position: usize) -> bool {
        self.0
            .get(position / 64)
            .is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// Keeps the positions that `keep` says yes to.
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        for position in 0..MAX_GROUPS {
            if self.contains(position)
                && !keep(position)
                && let Some(word) = self.0.get_mut(position / 64)
            {
                *word &= !(1 << (position % 64));
            }
        }
    }

    /// Whether a group is in both.
    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.meets(other, MAX_GROUPS / 64)
    }

    /// Whether one of the groups of the first so many words is in both.
    #[inline]
    pub(super) fn meets(&self, other: &Self, words: usize) -> bool {
        let mut common = 0;
        for (a, b) in self.0.iter().zip(&other.0).take(words) {
            common |= a & b;
        }
        common != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

/// The groups that a policy file names, sorted by id, with the names it gives them.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    ids: Box<[GroupId]>,
    names: Box<[Box<str>]>,
    /// Positions in `ids` by a hash of the id, with linear probing; a power of two of slots of which
    /// at most a quarter are taken, so that a group that is not named mostly meets an empty one.
    slots: Box<[u16]>,
}

impl Groups {
    /// From pairs in any order; of two names for one group the alphabetically first is printed.
    pub(super) fn new(mut pairs: Vec<(GroupId, Box<str>)>) -> Self {
        pairs.sort_by(|a, b| match a.0.cmp(&b.0) {
            Ordering::Equal => a.1.cmp(&b.1),
            order @ (Ordering::Less | Ordering::Greater) => order,
        });
        pairs.dedup_by_key(|pair| pair.0);
        pairs.truncate(MAX_GROUPS);
        let (ids, names): (Vec<GroupId>, Vec<_>) = pairs.into_iter().unzip();
        let mut slots = vec![EMPTY; (4 * ids.len()).next_power_of_two()].into_boxed_slice();
        for (position, id) in (0_u16..).zip(&ids) {
            let mut at = slot(*id, slots.len());
            while let Some(taken) = slots.get(at).filter(|slot| **slot != EMPTY) {
                debug_assert_ne!(*taken, position, "ids are distinct");
                at = next(at, slots.len());
            }
            if let Some(free) = slots.get_mut(at) {
                *free = position;
            }
        }
        Self {
            ids: ids.into(),
            names: names.into(),
            slots,
        }
    }

    /// Adds the positions of the groups in `held`, which are sorted.
    pub(super) fn find(&self, held: &[GroupId], found: &mut GroupBits) {
        debug_assert!(held.is_sorted(), "groups of a subject are sorted");
        // A search in the longer list pays only where it spares many look-ups in the shorter.
        if held.len() > self.ids.len() * 16 {
            for (position, id) in self.ids.iter().enumerate() {
                if held.binary_search(id).is_ok() {
                    found.insert(position);
                }
            }
        } else {
            for position in held.iter().filter_map(|id| self.position(*id)) {
                found.insert(position);
            }
        }
    }

    /// Every group with its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, GroupId)> {
        let names = self.names.iter().map(|name| &**name);
        names.zip(self.ids.iter().copied())
    }

    /// How many words of a set the groups of this file take.
    pub(super) const fn words(&self) -> usize {
        self.ids.len().div_ceil(64)
    }

    pub(super) fn position(&self, group: GroupId) -> Option<usize> {
        let mut at = slot(group, self.slots.len());
        // Ends at an empty slot: three of four are.
        loop {
            let position = *self.slots.get(at).filter(|slot| **slot != EMPTY)?;
            let position = usize::from(position);
            if self.ids.get(position)?.as_u128() == group.as_u128() {
                return Some(position);
            }
            at = next(at, self.slots.len());
        }
    }

    /// The name of the group at a position; empty where there is none.
    pub(super) fn name(&self, position: usize) -> &str {
        self.names.get(position).map_or("", |name| name)
    }

    /// Names of the groups in `bits`, in alphabetical order.
    pub(super) fn names_in(&self, bits: &GroupBits) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .names
            .iter()
            .enumerate()
            .filter(|(position, _)| bits.contains(*position))
            .map(|(_, name)| &**name)
            .collect();
        names.sort_unstable();
        names
    }
}

/// Where to look first: GUIDs are mostly random, but not all who make groups make them so.
fn slot(group: GroupId, slots: usize) -> usize {
    let mixed = group.as_u128().wrapping_mul(ODD) >> 112;
    usize::from(u16::try_from(mixed).unwrap_or_default()) & slots.wrapping_sub(1)
}

const fn next(at: usize, slots: usize) -> usize {
    (at + 1) & slots.wrapping_sub(1)
}

/// The fraction of the golden ratio in 128 bits, made odd: spreads regular ids over the upper bits.
const ODD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// A slot without group: there are at most [`MAX_GROUPS`].
const EMPTY: u16 = u16::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_in_short_and_long_lists() {
        let id = |number: usize| GroupId::named(&format!("group {number}"));
        for count in [0, 1, 2, 3, 100, MAX_GROUPS] {
            let groups = Groups::new(
                (0..count)
                    .map(|n| (id(n), format!("g{n}").into()))
                    .collect(),
            );
            for held in [0, 1, 10, 2000, 20_000] {
                // Half of them are named, as long as there are enough.
                let mut list: Vec<GroupId> = (0..held).map(|n| id(n + count / 2)).collect();
                list.sort_unstable();
                let mut found = GroupBits::default();
                groups.find(&list, &mut found);
                for n in 0..count {
                    let position = groups.position(id(n)).expect("it is named");
                    let expected = (count / 2..count / 2 + held).contains(&n);
                    assert_eq!(found.contains(position), expected, "row {count} {held} {n}");
                    assert_eq!(groups.name(position), format!("g{n}"));
                }
            }
            assert_eq!(groups.position(GroupId::named("nobody")), None);
        }
    }

    #[test]
    fn groups_with_regular_ids_are_found_too() {
        let id = |number: usize| {
            GroupId::named(&format!(
                "00000000-0000-0000-{number:04x}-00000000{number:04x}"
            ))
        };
        let groups = Groups::new((0..MAX_GROUPS).map(|n| (id(n), "g".into())).collect());
        for n in 0..MAX_GROUPS {
            assert!(groups.position(id(n)).is_some(), "row {n}");
            assert!(groups.position(id(n + MAX_GROUPS)).is_none(), "row {n}");
        }
    }
}
