//! Conditional access policies: whom, where, on what condition, and what then (R6, R7).

use super::condition::Client;
use super::condition::When;
use super::facts::Facts;
use super::reason::Failure;
use super::targeting::Targets;
use super::words::Set;
use crate::model::Plane;
use crate::model::Reason;
use crate::model::Verdict;

/// One policy of access.
#[derive(Clone, Debug)]
pub(super) struct ConditionalPolicy {
    pub(super) name: Box<str>,
    pub(super) state: State,
    pub(super) planes: Set<Plane>,
    pub(super) targets: Targets,
    pub(super) when: When,
    pub(super) then: Then,
    pub(super) accept_lockout_risk: bool,
    /// Whether it may let in by what a client of mail or of a VPN says of itself, its platform too where no
    /// source states that.
    pub(super) accept_claimed: bool,
}

/// Whether a policy counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    On,
    /// Asked and traced, never counted (R67).
    ReportOnly,
    Off,
}

/// What a policy does where it applies.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// The same for everyone.
    Act(Verdict),
    /// Something must hold.
    Require(Requirements),
}

/// What must hold and what follows if it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requirements {
    /// The same number for equal requirements of one file, see [`number_kinds`].
    pub(super) kind: u16,
    /// All of these.
    pub(super) all: RequirementSet,
    /// And one of these, if there are any, in the order of the file.
    pub(super) any: Box<[Requirement]>,
    /// All of the above together.
    pub(super) asked: RequirementSet,
    pub(super) otherwise: Verdict,
    /// Verdicts of this policy's own, by number of the failure.
    pub(super) otherwise_for: [Option<Verdict>; Failure::COUNT],
}

/// Gives equal requirements the same number, and others another one.
pub(super) fn number_kinds(policies: &mut [ConditionalPolicy]) {
    let mut kinds: Vec<Requirements> = Vec::new();
    for policy in policies {
        if let Then::Require(requirements) = &mut policy.then {
            requirements.kind = 0;
            let known = kinds.iter().position(|kind| kind == requirements);
            let number = known.unwrap_or(kinds.len());
            if known.is_none() {
                kinds.push(requirements.clone());
            }
            // There are at most `Policy::MAX_POLICIES`.
            requirements.kind = u16::try_from(number).unwrap_or(u16::MAX);
        }
    }
}

/// One thing that a policy can require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Requirement {
    /// Enrolled with a management system.
    Managed = 0,
    /// Registered in the directory.
    Registered = 1,
    /// Compliant by the source and by our compliance policies.
    Compliant = 2,
    /// Proven by a certificate.
    Proven = 3,
    /// Joined to Active Directory, hybrid or not.
    DomainJoined = 4,
    /// Joined to Entra, hybrid or not.
    EntraJoined = 5,
    /// ActiveSync activated; asked of mail clients only.
    EasActivated = 6,
    /// An approved mail application.
    ApprovedApp = 7,
}

impl Requirement {
    pub(super) const COUNT: usize = 8;

    /// Every requirement with its word, in the order of their numbers.
    pub(super) const WORDS: [(&'static str, Self); Self::COUNT] = [
        ("managed", Self::Managed),
        ("registered", Self::Registered),
        ("compliant", Self::Compliant),
        ("proven", Self::Proven),
        ("domain_joined", Self::DomainJoined),
        ("entra_joined", Self::EntraJoined),
        ("eas_activated", Self::EasActivated),
        ("approved_app", Self::ApprovedApp),
    ];

    /// The word in policies.
    pub(super) fn word(self) -> &'static str {
        Self::WORDS.get(self as usize).map_or("", |(word, _)| *word)
    }
}

/// Some requirements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct RequirementSet(u8);

impl RequirementSet {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn with(self, requirement: Requirement) -> Self {
        Self(self.0 | 1 << requirement as u8)
    }

    pub(super) const fn contains(self, requirement: Requirement) -> bool {
        self.0 >> requirement as u8 & 1 == 1
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// Those that an unmanaged device fails because it is unmanaged, so that a policy which requires
    /// management as well reports the cause only.
    pub(super) const PRESUPPOSE_MANAGEMENT: Self = Self::NONE
        .with(Requirement::Registered)
        .with(Requirement::Compliant)
        .with(Requirement::EasActivated);

    /// The requirements, in the order of their numbers.
    pub(super) fn iter(self) -> impl Iterator<Item = Requirement> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let (_, requirement) = Requirement::WORDS.get(bits.trailing_zeros() as usize)?;
            bits &= bits.wrapping_sub(1);
            Some(*requirement)
        })
    }
}

impl FromIterator<Requirement> for RequirementSet {
    fn from_iter<I: IntoIterator<Item = Requirement>>(requirements: I) -> Self {
        Self(
            requirements
                .into_iter()
                .fold(0, |bits, requirement| bits | 1 << requirement as u8),
        )
    }
}

impl ConditionalPolicy {
    /// Whether the policy, where it applies, asks for the device's compliance.
    pub(super) fn asks(&self, requirement: Requirement) -> bool {
        match &self.then {
            Then::Act(_) => false,
            Then::Require(requirements) => {
                requirements.all.contains(requirement) || requirements.any.contains(&requirement)
            }
        }
    }

    /// Whether it is about single commands: such a policy takes away and never gives.
    pub(super) fn is_of_commands(&self) -> bool {
        let client = self.when.client.as_deref();
        client.is_some_and(Client::is_of_commands)
    }

    /// Whether it is about mail clients that have stayed away.
    pub(super) fn is_of_inactivity(&self) -> bool {
        let client = self.when.client.as_deref();
        client.is_some_and(|client| client.inactive_for.is_some())
    }

    /// The reason that an unconditional action is reported with: what singled the connection out.
    pub(super) fn reason_of_action(&self, verdict: Verdict, facts: &Facts<'_>) -> Reason {
        let client = self.when.client.as_deref();
        match verdict {
            Verdict::Allow => Reason::RequirementsMet,
            Verdict::Quarantine | Verdict::Block => {
                if let Some(reason) = client.and_then(|client| client.reason(facts)) {
                    reason
                } else if self.when.apps.is_some() {
                    Reason::ApplicationNotApproved
                } else if self.when.platforms.is_some() {
                    Reason::PlatformNotAllowed
                } else {
                    Reason::BlockedByPolicy
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_numbered_in_order_and_iterate() {
        for (position, (_, requirement)) in Requirement::WORDS.into_iter().enumerate() {
            assert_eq!(requirement as usize, position);
        }
        let set: RequirementSet = [Requirement::ApprovedApp, Requirement::Managed]
            .into_iter()
            .collect();
        assert!(
            set.iter()
                .eq([Requirement::Managed, Requirement::ApprovedApp])
        );
        assert!(RequirementSet::default().is_empty());
    }
}
