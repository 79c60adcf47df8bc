//! All that is known of one device (RFC 5209 calls it posture).

use super::device::DeviceId;
use super::fact::ComplianceState;
use super::fact::Fact;
use super::fact::SourceId;
use super::fact::ThreatLevel;
use super::fact::Tri;
use super::platform::Join;
use super::platform::OsVersion;
use super::platform::Ownership;
use super::platform::Platform;
use super::time::Timestamp;
use super::user::UserRef;

/// One device's facts, of fixed size and free of pointers: what a look-up copies out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posture {
    /// Which device.
    pub device: DeviceId,
    /// The user for whom compliance was computed; `None` when no source named one.
    pub owner: Option<UserRef>,
    /// Enrolled with a management system (R1). An `eas`-only agent does not count.
    pub managed: Fact<Tri>,
    /// Registered in the directory (R2).
    pub registered: Fact<Tri>,
    /// The source's health verdict (R3).
    pub compliance: Fact<ComplianceState>,
    /// ActiveSync is activated for the device (R5).
    pub eas_activated: Fact<Tri>,
    /// Storage is encrypted; `no` also for a default key (R18, R19).
    pub encrypted: Fact<Tri>,
    /// Jailbroken or rooted (R18).
    pub jailbroken: Fact<Tri>,
    /// A passcode is set (R18).
    pub passcode: Fact<Tri>,
    /// What a threat-defense agent reports (R22).
    pub threat: Fact<ThreatLevel>,
    /// Operating system family.
    pub platform: Platform,
    /// Operating system version.
    pub os_version: OsVersion,
    /// Directory join (R24).
    pub join: Join,
    /// Whose device it is.
    pub ownership: Ownership,
    /// Whether the management system is about to let go of the device, or has (R40).
    pub retirement: Retirement,
    /// End of the grace period of a device in [`ComplianceState::InGracePeriod`].
    pub grace_until: Option<Timestamp>,
}

impl Posture {
    /// A device of which only the id is known.
    #[must_use]
    pub fn unknown(device: DeviceId) -> Self {
        Self {
            device,
            owner: None,
            managed: Fact::default(),
            registered: Fact::default(),
            compliance: Fact::default(),
            eas_activated: Fact::default(),
            encrypted: Fact::default(),
            jailbroken: Fact::default(),
            passcode: Fact::default(),
            threat: Fact::new(ThreatLevel::Unknown, SourceId::NONE, Timestamp::default()),
            platform: Platform::Unknown,
            os_version: OsVersion::UNKNOWN,
            join: Join::Unknown,
            ownership: Ownership::Unknown,
            retirement: Retirement::None,
            grace_until: None,
        }
    }
}

/// The end of a device's management (`managementState`, R40).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Retirement {
    /// Not under way.
    #[default]
    None = 0,
    /// Retire or delete was ordered or carried out.
    Retired = 1,
    /// A wipe was ordered or carried out.
    Wiped = 2,
}

impl Retirement {
    /// All states, in the order of their stored numbers.
    pub const ALL: [Self; 3] = [Self::None, Self::Retired, Self::Wiped];

    /// Reads Intune's `managementState`; states that end nothing are [`Retirement::None`].
    #[must_use]
    pub fn from_management_state(text: &str) -> Self {
        match text.trim().to_ascii_lowercase().as_str() {
            "retirepending" | "retirefailed" | "retireissued" | "deletepending" => Self::Retired,
            "wipepending" | "wipefailed" | "wipeissued" => Self::Wiped,
            _ => Self::None,
        }
    }

    /// Our spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Retired => "retired",
            Self::Wiped => "wiped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_retire_and_wipe_count_at_once_r40() {
        for (text, expected) in [
            ("managed", Retirement::None),
            ("retirePending", Retirement::Retired),
            ("retireCanceled", Retirement::None),
            ("wipeIssued", Retirement::Wiped),
            ("wipeCanceled", Retirement::None),
            ("somethingNew", Retirement::None),
        ] {
            assert_eq!(
                Retirement::from_management_state(text),
                expected,
                "row {text}"
            );
        }
    }
}
