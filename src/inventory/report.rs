//! What a source says: one device, one user, a change or a complete list.

use crate::model::CertificateId;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::EntraDeviceId;
use crate::model::GroupId;
use crate::model::Join;
use crate::model::MacAddress;
use crate::model::OsVersion;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Retirement;
use crate::model::SerialNumber;
use crate::model::SourceId;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserId;

/// All that one source says of one device. What it does not state stays `Unknown`, `None` or
/// empty, and then another source may state it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceReport {
    /// Which device.
    pub device: DeviceId,
    /// Entra's id; the all-zero id counts as none.
    pub entra: Option<EntraDeviceId>,
    /// Serial number.
    pub serial: Option<SerialNumber>,
    /// Addresses of its interfaces. Those that identify nothing are dropped, and all beyond
    /// [`DeviceReport::MAX_IDENTIFIERS`]: the device is then not found by them.
    pub macs: Vec<MacAddress>,
    /// Certificates known to be the device's; as many as addresses.
    pub certificates: Vec<CertificateId>,
    /// The id that its mail client uses with ActiveSync.
    pub eas: Option<EasDeviceId>,
    /// The user for whom compliance was computed.
    pub owner: Option<UserId>,
    /// For people; cut after 255 octets.
    pub name: Option<String>,
    /// For people; cut after 255 octets.
    pub model: Option<String>,
    /// Enrolled with this management system.
    pub managed: Tri,
    /// Registered in the directory.
    pub registered: Tri,
    /// Health verdict. `Some(Unknown)` says that the source has not evaluated the device: it
    /// counts if no other source has a verdict.
    pub compliance: Option<ComplianceState>,
    /// ActiveSync is activated.
    pub eas_activated: Tri,
    /// Storage is encrypted.
    pub encrypted: Tri,
    /// Jailbroken or rooted.
    pub jailbroken: Tri,
    /// A passcode is set.
    pub passcode: Tri,
    /// Threat level. `Some(Unknown)` as for compliance.
    pub threat: Option<ThreatLevel>,
    /// Operating system family.
    pub platform: Platform,
    /// Operating system version.
    pub os_version: OsVersion,
    /// Directory join.
    pub join: Join,
    /// Whose device it is.
    pub ownership: Ownership,
    /// Whether its management ends.
    pub retirement: Retirement,
    /// End of the grace period that goes with `compliance`.
    pub grace_until: Option<Timestamp>,
    /// Groups of the device, nested ones included.
    pub groups: Vec<GroupId>,
}

impl DeviceReport {
    /// Addresses, and certificates, that are kept of one report: more than any device has.
    pub const MAX_IDENTIFIERS: usize = 32;

    /// A report that says only that the device exists.
    #[must_use]
    pub const fn new(device: DeviceId) -> Self {
        Self {
            device,
            entra: None,
            serial: None,
            macs: Vec::new(),
            certificates: Vec::new(),
            eas: None,
            owner: None,
            name: None,
            model: None,
            managed: Tri::Unknown,
            registered: Tri::Unknown,
            compliance: None,
            eas_activated: Tri::Unknown,
            encrypted: Tri::Unknown,
            jailbroken: Tri::Unknown,
            passcode: Tri::Unknown,
            threat: None,
            platform: Platform::Unknown,
            os_version: OsVersion::UNKNOWN,
            join: Join::Unknown,
            ownership: Ownership::Unknown,
            retirement: Retirement::None,
            grace_until: None,
            groups: Vec::new(),
        }
    }
}

/// All that one source says of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserReport {
    /// The user's own name. Sources that know the same user agree on it, normally the UPN.
    pub user: UserId,
    /// Other names: `DOMAIN\user`, mail addresses, the bare account. At most
    /// [`UserReport::MAX_ALIASES`]; further ones are dropped, and the user not found by them.
    pub aliases: Vec<UserId>,
    /// Whether the account may be used.
    pub enabled: Tri,
    /// Groups the user is in, nested ones included: the source flattens.
    pub groups: Vec<GroupId>,
}

impl UserReport {
    /// Aliases that are kept of one report; Exchange mailboxes have a few, rarely dozens.
    pub const MAX_ALIASES: usize = 256;

    /// A report that says only that the user exists.
    #[must_use]
    pub const fn new(user: UserId) -> Self {
        Self {
            user,
            aliases: Vec::new(),
            enabled: Tri::Unknown,
            groups: Vec::new(),
        }
    }
}

/// One change at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// The source now says this of a device.
    Device(DeviceReport),
    /// The source now says this of a user.
    User(UserReport),
    /// The source no longer knows the device.
    DeviceGone(DeviceId),
    /// The source no longer knows the user with this own name.
    UserGone(UserId),
}

/// A source's complete list: what it does not contain, the source does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complete {
    /// Its devices. Of two reports of one device the later counts.
    pub devices: Vec<DeviceReport>,
    /// Its users, likewise.
    pub users: Vec<UserReport>,
    /// An operator says that the list is right, however short it is.
    pub force: bool,
}

/// Why a complete list was not taken; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing is in the list, and there was something before.
    #[error("the complete list of {source_name} has no {kind}, and the last one had {had}")]
    Empty {
        /// The source's name.
        source_name: String,
        /// Of what.
        kind: Kind,
        /// How many the source had stated.
        had: usize,
    },
    /// Too many that were there before are not in the list.
    #[error(
        "the complete list of {source_name} leaves out {missing} of {had} {kind}, more than {percent} %"
    )]
    Shrunk {
        /// The source's name.
        source_name: String,
        /// Of what.
        kind: Kind,
        /// How many the source had stated.
        had: usize,
        /// How many of them are not in the list.
        missing: usize,
        /// The limit.
        percent: u8,
    },
    /// The source has no number: `name_source` has not been asked for it.
    #[error("source {} is not configured", .0.0)]
    NoSource(SourceId),
}

/// What a list is a list of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Devices.
    Devices,
    /// Users.
    Users,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Users => "users",
        })
    }
}
