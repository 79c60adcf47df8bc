//! The ways in which a requirement fails, and what each is reported as.

use crate::model::Reason;

/// One way to fail. The order is that of the causes: of two failures with the same verdict, the
/// earlier is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Failure {
    CannotEnrol = 0,
    DeviceUnknown = 1,
    DeviceAmbiguous = 2,
    DeviceOfAnotherUser = 3,
    DeviceUnmanaged = 4,
    NotRegistered = 5,
    NotCompliant = 6,
    ComplianceForAnotherUser = 7,
    Unhealthy = 8,
    NoCompliancePolicy = 9,
    Evaluating = 10,
    NotProven = 11,
    NotJoined = 12,
    EasNotActivated = 13,
    AppNotApproved = 14,
    Stale = 15,
    MappingPending = 16,
}

impl Failure {
    pub(super) const COUNT: usize = 17;

    /// All failures, in the order of their numbers.
    pub(super) const ALL: [Self; Self::COUNT] = [
        Self::CannotEnrol,
        Self::DeviceUnknown,
        Self::DeviceAmbiguous,
        Self::DeviceOfAnotherUser,
        Self::DeviceUnmanaged,
        Self::NotRegistered,
        Self::NotCompliant,
        Self::ComplianceForAnotherUser,
        Self::Unhealthy,
        Self::NoCompliancePolicy,
        Self::Evaluating,
        Self::NotProven,
        Self::NotJoined,
        Self::EasNotActivated,
        Self::AppNotApproved,
        Self::Stale,
        Self::MappingPending,
    ];

    /// What decisions report.
    pub(super) const fn reason(self) -> Reason {
        match self {
            Self::CannotEnrol => Reason::PlatformNotAllowed,
            Self::DeviceUnknown => Reason::DeviceUnknown,
            Self::DeviceAmbiguous => Reason::DeviceAmbiguous,
            Self::DeviceOfAnotherUser => Reason::DeviceOfAnotherUser,
            Self::DeviceUnmanaged => Reason::DeviceNotManaged,
            Self::NotRegistered => Reason::DeviceNotRegistered,
            Self::NotCompliant | Self::NoCompliancePolicy => Reason::DeviceNotCompliant,
            Self::ComplianceForAnotherUser => Reason::ComplianceForAnotherUser,
            Self::Unhealthy => Reason::HealthRequirement,
            Self::Evaluating => Reason::ComplianceNotEvaluated,
            Self::NotProven => Reason::DeviceNotProven,
            Self::NotJoined => Reason::DeviceNotDomainJoined,
            Self::EasNotActivated => Reason::EasNotActivated,
            Self::AppNotApproved => Reason::ApplicationNotApproved,
            Self::Stale => Reason::FactsStale,
            Self::MappingPending => Reason::MappingPending,
        }
    }

    /// The key in a policy's `otherwise_for`.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::CannotEnrol => "cannot_enrol",
            Self::DeviceUnknown => "unknown_device",
            Self::DeviceAmbiguous => "ambiguous_device",
            Self::DeviceOfAnotherUser => "device_of_another_user",
            Self::DeviceUnmanaged => "unmanaged_device",
            Self::NotRegistered => "not_registered",
            Self::NotCompliant => "not_compliant",
            Self::ComplianceForAnotherUser => "compliance_for_another_user",
            Self::Unhealthy => "unhealthy",
            Self::NoCompliancePolicy => "no_compliance_policy",
            Self::Evaluating => "evaluating",
            Self::NotProven => "not_proven",
            Self::NotJoined => "not_joined",
            Self::EasNotActivated => "eas_not_activated",
            Self::AppNotApproved => "app_not_approved",
            Self::Stale => "stale",
            Self::MappingPending => "mapping_pending",
        }
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

/// All failures of a requirement at once; empty when it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures(u32);

impl Failures {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn one(failure: Failure) -> Self {
        Self(failure.bit())
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn with(self, failure: Failure) -> Self {
        Self(self.0 | failure.bit())
    }

    pub(super) const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The failures, causes first.
    pub(super) fn iter(self) -> impl Iterator<Item = Failure> {
        let mut bits = self.0;
        std::iter::from_fn(move || {
            let failure = Failure::ALL.get(bits.trailing_zeros() as usize)?;
            bits &= !failure.bit();
            Some(*failure)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_numbered_in_order_and_iterate_causes_first() {
        let mut every = Failures::NONE;
        for (position, failure) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(failure as usize, position);
            every = every.with(failure);
        }
        assert!(every.iter().eq(Failure::ALL));
        assert_eq!(Failures::NONE.iter().count(), 0);
        let two = Failures::one(Failure::Stale).union(Failures::one(Failure::NotCompliant));
        assert!(two.iter().eq([Failure::NotCompliant, Failure::Stale]));
    }

    #[test]
    fn entra_codes_stand_for_the_same_failures_r85() {
        for (failure, code) in [
            (Failure::NotCompliant, 53000),
            (Failure::NotJoined, 53001),
            (Failure::AppNotApproved, 53002),
        ] {
            assert_eq!(failure.reason().code(), code, "row {failure:?}");
        }
    }
}
