//! Whom a policy judges: targeted and exempt groups and users (R8).

use super::facts::Facts;
use super::groups::GroupBits;
use super::groups::Groups;
use crate::model::Established;
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

/// Which of the file's groups the subject is in; found once for an evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Membership<'a> {
    /// The user's own name and the presented one.
    names: [Option<&'a str>; 2],
    /// By the user's groups and the device's own.
    any: GroupBits,
    /// By the user's groups, and by the device's own only if a certificate proves the device. An
    /// exemption by a group of a device that merely claims its name would be open to everyone who
    /// can copy a MAC address.
    sure: GroupBits,
    /// Words of these sets that are in use.
    words: usize,
}

impl<'a> Membership<'a> {
    pub(super) fn of(facts: &Facts<'a>, named: &Groups) -> Self {
        let mut sure = GroupBits::default();
        if let Some(user) = &facts.user {
            named.find(user.groups, &mut sure);
        }
        let mut any = sure;
        named.find(facts.device_groups(), &mut any);
        if facts.established == Established::Proven {
            sure = any;
        }
        Self {
            names: [
                facts.user.map(|user| user.name),
                facts.user.and_then(|user| user.presented),
            ],
            any,
            sure,
            words: named.words(),
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
    #[inline]
    pub(super) fn surely_holds(&self, member: &Membership<'_>) -> bool {
        self.everyone || self.groups.meets(&member.sure, member.words) || self.names(member)
    }

    #[inline]
    fn possibly_holds(&self, member: &Membership<'_>) -> bool {
        self.everyone || self.groups.meets(&member.any, member.words) || self.names(member)
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

    #[inline]
    fn names(&self, member: &Membership<'_>) -> bool {
        !self.users.is_empty() && self.lists(member)
    }

    fn lists(&self, member: &Membership<'_>) -> bool {
        member.names.iter().flatten().any(|name| {
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
    #[inline]
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
