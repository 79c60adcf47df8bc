//! Whom a policy judges: targeted and exempt groups and users (R8).

use std::cmp::Ordering;

use super::facts::Facts;
use crate::model::Established;
use crate::model::GroupId;
use crate::model::UserId;

/// Whether a policy judges a subject. `Exempt` wins over `Targeted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Targeting {
    /// The policy is not about this subject.
    NotTargeted,
    /// The subject is in an exempt group, targeted or not.
    Exempt,
    /// The policy judges the subject.
    Targeted,
}

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

    pub(super) fn intersects(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .fold(0, |common, (a, b)| common | a & b)
            != 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds the position of every group of `held` that is in `named`; both sorted. Looks each
    /// group of the shorter list up in the longer.
    fn insert_held(&mut self, named: &[GroupId], held: &[GroupId]) {
        debug_assert!(held.is_sorted(), "groups of a subject are sorted");
        if held.len() < named.len() {
            for group in held {
                if let Ok(position) = named.binary_search(group) {
                    self.insert(position);
                }
            }
        } else {
            for (position, group) in named.iter().enumerate() {
                if held.binary_search(group).is_ok() {
                    self.insert(position);
                }
            }
        }
    }
}

/// Which of the file's groups the subject is in; found once for an evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership<'a> {
    user: Option<&'a str>,
    /// By the user's groups and the device's own.
    any: GroupBits,
    /// By the user's groups, and by the device's own only if a certificate proves the device. An
    /// exemption by a group of a device that merely claims its name would be open to everyone who
    /// can copy a MAC address.
    sure: GroupBits,
}

impl<'a> Membership<'a> {
    pub(super) fn of(facts: &Facts<'a>, named: &[GroupId]) -> Self {
        let mut sure = GroupBits::default();
        if let Some(user) = &facts.user {
            sure.insert_held(named, user.groups);
        }
        let mut any = sure;
        any.insert_held(named, facts.device_groups());
        if facts.established == Established::Proven {
            sure = any;
        }
        Self {
            user: facts.user.map(|user| user.name),
            any,
            sure,
        }
    }

    pub(super) const fn any(&self) -> &GroupBits {
        &self.any
    }

    pub(super) const fn sure(&self) -> &GroupBits {
        &self.sure
    }
}

/// A list of groups and users, or everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Audience {
    pub(super) everyone: bool,
    pub(super) groups: GroupBits,
    pub(super) users: Box<[UserId]>,
}

impl Audience {
    /// Most users in one list. Longer lists are groups.
    pub(super) const MAX_USERS: usize = 64;

    /// Whether a certain member is in it: for exemption and break-glass.
    pub(super) fn surely_holds(&self, member: &Membership<'_>) -> bool {
        self.everyone || self.groups.intersects(&member.sure) || self.names(member)
    }

    fn possibly_holds(&self, member: &Membership<'_>) -> bool {
        self.everyone || self.groups.intersects(&member.any) || self.names(member)
    }

    /// Whether each entry of this list stands in `other` too, or `other` is everyone.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        let mut outside = self.groups;
        outside.retain(|position| !other.groups.contains(position));
        other.everyone
            || !self.everyone
                && outside.is_empty()
                && self.users.iter().all(|user| other.users.contains(user))
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.everyone && self.groups.is_empty() && self.users.is_empty()
    }

    fn names(&self, member: &Membership<'_>) -> bool {
        !self.users.is_empty()
            && member.user.is_some_and(|name| {
                let name = name.trim();
                self.users
                    .iter()
                    .any(|user| user.as_str().eq_ignore_ascii_case(name))
            })
    }
}

/// Who is judged and who is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    pub(super) targeted: Audience,
    pub(super) exempt: Audience,
}

impl Targets {
    pub(super) fn judge(&self, member: &Membership<'_>) -> Targeting {
        if self.exempt.surely_holds(member) {
            Targeting::Exempt
        } else if self.targeted.possibly_holds(member) {
            Targeting::Targeted
        } else {
            Targeting::NotTargeted
        }
    }
}

/// The groups that a policy file names, sorted by id, with the names it gives them.
#[derive(Clone, Debug, Default)]
pub(super) struct GroupNames {
    ids: Box<[GroupId]>,
    names: Box<[Box<str>]>,
}

impl GroupNames {
    /// From pairs in any order; of two names for one group the alphabetically first is printed.
    pub(super) fn new(mut pairs: Vec<(GroupId, Box<str>)>) -> Self {
        pairs.sort_by(|a, b| match a.0.cmp(&b.0) {
            Ordering::Equal => a.1.cmp(&b.1),
            order @ (Ordering::Less | Ordering::Greater) => order,
        });
        pairs.dedup_by_key(|pair| pair.0);
        let (ids, names): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        Self {
            ids: ids.into(),
            names: names.into(),
        }
    }

    pub(super) const fn ids(&self) -> &[GroupId] {
        &self.ids
    }

    pub(super) fn position(&self, group: GroupId) -> Option<usize> {
        self.ids.binary_search(&group).ok()
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
