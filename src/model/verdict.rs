//! The answer: a verdict, the reason for it, and which policies decided.

use std::fmt;

use super::time::Timestamp;

/// Exchange's three states of a device's access.
///
/// The order is from lenient to strict, so that the stricter of two is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// In.
    Allow,
    /// In, with the access that lets it mend itself.
    Quarantine,
    /// Out.
    Block,
}

impl Verdict {
    /// The word for it, as it is printed everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Quarantine => "quarantine",
            Self::Block => "block",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The position of a policy in its file, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(pub u16);

/// Why a verdict came out as it did; the one reason that is reported first.
///
/// Codes 53000 to 53003 are those of Entra's sign-in log (R85); 54000 and up are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Reason {
    /// 53000: the device is known and not compliant.
    DeviceNotCompliant = 53000,
    /// 53001: a directory join is required and the device has none.
    DeviceNotDomainJoined = 53001,
    /// 53002: the client application is not an approved one.
    ApplicationNotApproved = 53002,
    /// 53003: a policy blocks this connection whatever the device's state.
    BlockedByPolicy = 53003,
    /// All policies that apply hold.
    RequirementsMet = 54000,
    /// The user is exempt.
    Exempt = 54001,
    /// No policy targets the user.
    NotTargeted = 54002,
    /// No source knows the device, or nothing identified it.
    DeviceUnknown = 54003,
    /// The device is known and not managed.
    DeviceNotManaged = 54004,
    /// The device is managed and not registered in the directory (R2).
    DeviceNotRegistered = 54005,
    /// The source has not evaluated the device yet (R21).
    ComplianceNotEvaluated = 54006,
    /// Compliance was computed for another user (R3).
    ComplianceForAnotherUser = 54007,
    /// A fact is older than the policy accepts (R49).
    FactsStale = 54008,
    /// The device was only claimed and the policy demands proof.
    DeviceNotProven = 54009,
    /// The platform is not one the policy lets in (R15).
    PlatformNotAllowed = 54010,
    /// Retire or wipe was ordered (R40).
    DeviceRetired = 54011,
    /// A health requirement of ours does not hold: encryption, jailbreak, version, threat.
    HealthRequirement = 54012,
    /// ActiveSync is not activated for the device (R5).
    EasNotActivated = 54013,
    /// The user is unknown to every source, or disabled.
    UserUnknown = 54014,
    /// Two devices share the identifier that was presented.
    DeviceAmbiguous = 54015,
    /// The ActiveSync DeviceId belongs to another user.
    DeviceOfAnotherUser = 54016,
    /// Policies target the user at this door, and the conditions of none fit the connection.
    NoPolicyApplies = 54017,
    /// The certificate that proved the device has been revoked since it was let in.
    CertificateRevoked = 54018,
    /// The version of the device's operating system is below what a policy lets in.
    OsVersionNotAllowed = 54019,
    /// The mail client speaks a version of its protocol that a policy keeps out.
    ProtocolNotAllowed = 54020,
    /// A policy refuses this one command.
    CommandNotAllowed = 54021,
    /// A policy refuses attachments.
    AttachmentNotAllowed = 54022,
    /// The user has more mail clients than a policy lets in.
    TooManyDevices = 54023,
    /// The mail client has not been used for longer than a policy lets in.
    DeviceInactive = 54024,
    /// The mail client is new, and may be a device whose management system has not told of its
    /// DeviceId yet (R37).
    MappingPending = 54025,
}

impl Reason {
    /// All reasons, in the order of their codes.
    pub const ALL: [Self; 30] = [
        Self::DeviceNotCompliant,
        Self::DeviceNotDomainJoined,
        Self::ApplicationNotApproved,
        Self::BlockedByPolicy,
        Self::RequirementsMet,
        Self::Exempt,
        Self::NotTargeted,
        Self::DeviceUnknown,
        Self::DeviceNotManaged,
        Self::DeviceNotRegistered,
        Self::ComplianceNotEvaluated,
        Self::ComplianceForAnotherUser,
        Self::FactsStale,
        Self::DeviceNotProven,
        Self::PlatformNotAllowed,
        Self::DeviceRetired,
        Self::HealthRequirement,
        Self::EasNotActivated,
        Self::UserUnknown,
        Self::DeviceAmbiguous,
        Self::DeviceOfAnotherUser,
        Self::NoPolicyApplies,
        Self::CertificateRevoked,
        Self::OsVersionNotAllowed,
        Self::ProtocolNotAllowed,
        Self::CommandNotAllowed,
        Self::AttachmentNotAllowed,
        Self::TooManyDevices,
        Self::DeviceInactive,
        Self::MappingPending,
    ];

    /// The reason with this code, if there is one.
    #[must_use]
    pub fn of_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }

    /// The number printed in records.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// The name printed in records, in camel case as Entra prints its own.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeviceNotCompliant => "DeviceNotCompliant",
            Self::DeviceNotDomainJoined => "DeviceNotDomainJoined",
            Self::ApplicationNotApproved => "ApplicationUsedIsNotAnApprovedApp",
            Self::BlockedByPolicy => "BlockedByConditionalAccess",
            Self::RequirementsMet => "RequirementsMet",
            Self::Exempt => "Exempt",
            Self::NotTargeted => "NotTargeted",
            Self::DeviceUnknown => "DeviceUnknown",
            Self::DeviceNotManaged => "DeviceNotManaged",
            Self::DeviceNotRegistered => "DeviceNotRegistered",
            Self::ComplianceNotEvaluated => "ComplianceNotEvaluated",
            Self::ComplianceForAnotherUser => "ComplianceForAnotherUser",
            Self::FactsStale => "FactsStale",
            Self::DeviceNotProven => "DeviceNotProven",
            Self::PlatformNotAllowed => "PlatformNotAllowed",
            Self::DeviceRetired => "DeviceRetired",
            Self::HealthRequirement => "HealthRequirement",
            Self::EasNotActivated => "EasNotActivated",
            Self::UserUnknown => "UserUnknown",
            Self::DeviceAmbiguous => "DeviceAmbiguous",
            Self::DeviceOfAnotherUser => "DeviceOfAnotherUser",
            Self::NoPolicyApplies => "NoPolicyApplies",
            Self::CertificateRevoked => "CertificateRevoked",
            Self::OsVersionNotAllowed => "OsVersionNotAllowed",
            Self::ProtocolNotAllowed => "ProtocolNotAllowed",
            Self::CommandNotAllowed => "CommandNotAllowed",
            Self::AttachmentNotAllowed => "AttachmentNotAllowed",
            Self::TooManyDevices => "TooManyDevices",
            Self::DeviceInactive => "DeviceInactive",
            Self::MappingPending => "MappingPending",
        }
    }

    /// One sentence for the person who is kept out, or who helps them.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::DeviceNotCompliant => {
                "The device does not meet the organisation's compliance policy."
            }
            Self::DeviceNotDomainJoined => "The device must be joined to the domain.",
            Self::ApplicationNotApproved => "This application is not approved for access.",
            Self::BlockedByPolicy => "A policy blocks this connection.",
            Self::RequirementsMet => "All policies that apply are met.",
            Self::Exempt => "The user is exempt from the policies.",
            Self::NotTargeted => "No policy targets this user or device.",
            Self::DeviceUnknown => "The device is not known to any management system.",
            Self::DeviceNotManaged => "The device is not enrolled in device management.",
            Self::DeviceNotRegistered => {
                "The device is enrolled but not registered: update the enrolment in the company portal."
            }
            Self::ComplianceNotEvaluated => "The device's compliance is still being checked.",
            Self::ComplianceForAnotherUser => {
                "The device's compliance was checked for another user."
            }
            Self::FactsStale => "What is known of the device is too old.",
            Self::DeviceNotProven => "The device must prove its identity with a certificate.",
            Self::PlatformNotAllowed => "This kind of device is not allowed.",
            Self::DeviceRetired => "The device has been retired or wiped.",
            Self::HealthRequirement => "The device does not meet a health requirement.",
            Self::EasNotActivated => "ActiveSync is not activated for the device.",
            Self::UserUnknown => "The user is not known, or is disabled.",
            Self::DeviceAmbiguous => "What identifies the device stands for more than one.",
            Self::DeviceOfAnotherUser => "This mail device belongs to another user.",
            Self::NoPolicyApplies => "No policy covers this kind of connection.",
            Self::CertificateRevoked => "The device's certificate has been revoked.",
            Self::OsVersionNotAllowed => "The device's operating system is too old.",
            Self::ProtocolNotAllowed => "The mail application is too old.",
            Self::CommandNotAllowed => "This device may not do that.",
            Self::AttachmentNotAllowed => "Attachments may not be opened on this device.",
            Self::TooManyDevices => "The user has too many mail devices.",
            Self::DeviceInactive => "The device has not fetched mail for too long.",
            Self::MappingPending => {
                "The device is new, and its enrolment may not have arrived here yet."
            }
        }
    }

    /// What to do about it, for the person who is kept out or who helps them; `None` where nothing
    /// is to be done.
    #[must_use]
    pub const fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::RequirementsMet | Self::Exempt => return None,
            Self::DeviceNotCompliant | Self::HealthRequirement => {
                "Open the company portal on the device, mend what it names and let it check again."
            }
            Self::DeviceNotDomainJoined => "Use a device that is joined to the domain, or join it.",
            Self::ApplicationNotApproved => {
                "Use a mail application that the organisation has approved."
            }
            Self::BlockedByPolicy | Self::PlatformNotAllowed => {
                "Use another kind of device or connection, or ask the help desk which are allowed."
            }
            Self::NotTargeted | Self::NoPolicyApplies => {
                "Ask the help desk: no policy says what is to happen here."
            }
            Self::DeviceUnknown | Self::DeviceNotManaged => {
                "Enrol the device in the company portal."
            }
            Self::DeviceNotRegistered => "Update the enrolment in the company portal.",
            Self::ComplianceNotEvaluated => {
                "Wait some minutes, or let the company portal check the device again."
            }
            Self::ComplianceForAnotherUser => {
                "Sign in on the device as the user whom it is enrolled for."
            }
            Self::FactsStale => {
                "Look at `portreeve status`: the device's management system has not been heard of."
            }
            Self::DeviceNotProven => "Install the certificate that the organisation issues.",
            Self::DeviceRetired => "Remove the account from the device, and enrol it anew.",
            Self::EasNotActivated => "Finish the enrolment of mail in the company portal.",
            Self::UserUnknown => {
                "Ask the help desk whether the account exists and is enabled, and how the sources spell its \
                 name; a directory's groups make its users known, too."
            }
            Self::DeviceAmbiguous => {
                "Ask the help desk: `portreeve device` shows which devices share the identifier."
            }
            Self::DeviceOfAnotherUser => "Use your own device, or have it enrolled for you.",
            Self::CertificateRevoked => "Have another certificate issued for the device.",
            Self::OsVersionNotAllowed => {
                "Update the device's operating system. A mail client then tells of it by itself within an \
                 hour or so; an old one (before 14.1) may only do so when its account is set up again."
            }
            Self::ProtocolNotAllowed => {
                "Update the mail application, or use another one, and add the account anew."
            }
            Self::CommandNotAllowed | Self::AttachmentNotAllowed => {
                "Do it on a device that the organisation manages; all other mail works here."
            }
            Self::TooManyDevices => {
                "Have the help desk forget a device that is no longer used: `portreeve devices`."
            }
            Self::DeviceInactive => {
                "Have the help desk forget the device, so that it may begin anew: `portreeve devices`."
            }
            Self::MappingPending => {
                "Wait some minutes and try again; if it stays so, enrol the device in the company portal."
            }
        })
    }

    /// Whether a rule sets it that says no whatever the state of the device's health: what the client is,
    /// asks for or is used for. Nothing that is mended on the device changes that.
    #[must_use]
    pub const fn is_of_rule(self) -> bool {
        matches!(
            self,
            Self::ApplicationNotApproved
                | Self::BlockedByPolicy
                | Self::PlatformNotAllowed
                | Self::OsVersionNotAllowed
                | Self::ProtocolNotAllowed
                | Self::CommandNotAllowed
                | Self::AttachmentNotAllowed
                | Self::TooManyDevices
                | Self::DeviceInactive
        )
    }

    /// Whether it is about one command, and says nothing of the device.
    #[must_use]
    pub const fn is_of_one_command(self) -> bool {
        matches!(self, Self::CommandNotAllowed | Self::AttachmentNotAllowed)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code(), self.name())
    }
}

/// What a decision was made from: it is void once either number has moved on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Generation {
    /// Counts changes of the inventory.
    pub inventory: u64,
    /// Counts replacements of the policy.
    pub policy: u64,
}

/// The answer with its reasons; of fixed size, copied freely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// In, half in, or out.
    pub verdict: Verdict,
    /// The reason reported first.
    pub reason: Reason,
    /// The first reason by a rule ([`Reason::is_of_rule`]) among those that the verdict has, whether it
    /// is reported or another stands before it.
    pub ruled: Option<Reason>,
    /// The policies whose outcome is the verdict, strictest first; unused places are `None`.
    pub deciding: [Option<PolicyId>; Self::DECIDING],
    /// Whether there are more of them than places.
    pub more_deciding: bool,
    /// When a fact used here expires, so that the answer must be asked for again.
    pub revisit: Option<Timestamp>,
    /// What the strictest policy in `report-only` would have made of it, if that is not allow.
    pub rehearsed: Option<Rehearsed>,
    /// Whether policies were asked, and none of them has found that a mail client stayed away for too
    /// long, whatever else they have found: it is active now.
    pub active: bool,
}

/// What a policy that is only tried out would have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    /// Quarantine or block.
    pub verdict: Verdict,
    /// Its reason.
    pub reason: Reason,
    /// The policy, the first in the file that says so.
    pub policy: PolicyId,
}

impl Decision {
    /// How many deciding policies are kept: more than four say nothing that a reader would use.
    pub const DECIDING: usize = 4;

    /// A decision without a policy behind it.
    #[must_use]
    pub const fn new(verdict: Verdict, reason: Reason) -> Self {
        Self {
            verdict,
            reason,
            ruled: None,
            deciding: [None; Self::DECIDING],
            more_deciding: false,
            revisit: None,
            rehearsed: None,
            active: false,
        }
    }

    /// The reason that is left when everything is mended that can be mended on the device; the reported
    /// one where no rule says no as well.
    #[must_use]
    pub fn lasting(&self) -> Reason {
        self.ruled.unwrap_or(self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_verdict_is_the_greater() {
        assert!(Verdict::Allow < Verdict::Quarantine);
        assert!(Verdict::Quarantine < Verdict::Block);
    }

    #[test]
    fn every_reason_has_a_code_and_a_name_of_its_own() {
        assert!(Reason::ALL.is_sorted_by(|a, b| a.code() < b.code()));
        for reason in Reason::ALL {
            assert_eq!(Reason::of_code(reason.code()), Some(reason));
            let same = Reason::ALL
                .into_iter()
                .filter(|one| one.name() == reason.name());
            assert_eq!(same.count(), 1, "row {reason}");
        }
        assert_eq!(Reason::of_code(54099), None);
    }

    #[test]
    fn entra_codes_keep_their_numbers_r85() {
        assert_eq!(
            Reason::DeviceNotCompliant.to_string(),
            "53000 DeviceNotCompliant"
        );
        assert_eq!(Reason::DeviceNotDomainJoined.code(), 53001);
        assert_eq!(Reason::ApplicationNotApproved.code(), 53002);
        assert_eq!(Reason::BlockedByPolicy.code(), 53003);
    }
}
