//! Who asks, with what device, and how either was established.

use std::fmt;

use super::certificate::CertificateId;
use super::device::DeviceId;
use super::device::EasDeviceId;
use super::device::EntraDeviceId;
use super::device::MacAddress;
use super::platform::OsVersion;
use super::time::Timestamp;

/// Which door a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plane {
    /// Wi-Fi, wired ports and VPN, by RADIUS.
    Network,
    /// Exchange ActiveSync.
    Mail,
    /// HTTP applications.
    Web,
}

impl Plane {
    /// The word for it, as it is printed everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Mail => "mail",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the device became known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Established {
    /// No identifier was presented, or none is in the inventory.
    #[default]
    None,
    /// The peer merely said so: a MAC address, an ActiveSync DeviceId, a vendor attribute.
    Claimed,
    /// A certificate proves it.
    Proven,
}

impl Established {
    /// The word for it, as it is printed everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Claimed => "claimed",
            Self::Proven => "proven",
        }
    }

    /// What [`as_str`](Self::as_str) calls so.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::None, Self::Claimed, Self::Proven]
            .into_iter()
            .find(|one| one.as_str() == word)
    }
}

impl fmt::Display for Established {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One identifier of a device, in the order of preference of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identifier<'a> {
    /// Intune's device id.
    Device(DeviceId),
    /// Entra's device id.
    Entra(EntraDeviceId),
    /// A certificate known to belong to the device.
    Certificate(CertificateId),
    /// A serial number in its canonical spelling.
    Serial(&'a str),
    /// An ActiveSync DeviceId together with the user it was used by.
    Eas(EasDeviceId, &'a str),
    /// A MAC address; ignored unless [`MacAddress::is_identity`].
    Mac(MacAddress),
}

/// An identifier as presented, with the weight it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// What was presented.
    pub identifier: Identifier<'a>,
    /// Whether a certificate stands behind it.
    pub established: Established,
}

/// What the peer proved about the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// Nothing: MAC authentication bypass.
    None,
    /// A password that we or the upstream have checked.
    Password,
    /// A client certificate with proof of its key.
    Certificate,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Certificate => "certificate",
        })
    }
}

/// The question of every plane: may this device, with this user, in?
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// At which door.
    pub plane: Plane,
    /// The authenticated user's name, if there is one. Never one that is only claimed.
    pub user: Option<&'a str>,
    /// What was proved.
    pub credential: Credential,
    /// Identifiers of the device, best first. If any is proven, the merely claimed are not used.
    pub device: &'a [Presented<'a>],
    /// Where a network connection came from.
    pub nas: Option<NasContext<'a>>,
    /// What kind of mail client asks.
    pub mail: Option<MailContext<'a>>,
}

/// The network device that asks on a peer's behalf.
#[derive(Clone, Copy, Debug)]
pub struct NasContext<'a> {
    /// Its configured name.
    pub name: &'a str,
    /// Its configured group.
    pub group: &'a str,
    /// Kind of port.
    pub medium: Medium,
    /// Network name, from Called-Station-Id.
    pub ssid: Option<&'a str>,
    /// What a VPN's client says of its device, if it says anything.
    pub claims: Option<ClaimedDevice<'a>>,
}

/// What the client of a VPN says of the device that it runs on: nothing of it is proved, and it can say
/// what it likes. Empty where it says nothing. The identifiers that it gives are in [`Subject::device`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimedDevice<'a> {
    /// Operating system, in the word of the vendor: `win`, `mac-intel`, `Windows`.
    pub platform: &'a str,
    /// Its version.
    pub os_version: &'a str,
    /// Name of the device in its network.
    pub host_name: &'a str,
    /// The client and its version.
    pub client: &'a str,
}

/// Kind of port a peer connects through (NAS-Port-Type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Medium {
    /// Not stated.
    #[default]
    Unknown,
    /// Ethernet.
    Wired,
    /// IEEE 802.11.
    Wireless,
    /// Virtual (a tunnel).
    Vpn,
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Wired => "wired",
            Self::Wireless => "wireless",
            Self::Vpn => "vpn",
        })
    }
}

/// What an ActiveSync client says of itself and asks for. All of it is a claim.
#[derive(Clone, Copy, Debug, Default)]
pub struct MailContext<'a> {
    /// DeviceType of the query, such as `iPhone`.
    pub device_type: &'a str,
    /// User-Agent header.
    pub user_agent: &'a str,
    /// Version of the protocol in tenths: 25 is 2.5, 161 is 16.1; 0 where none is stated.
    pub version: u8,
    /// The command, such as `Sync`; empty where none is stated.
    pub command: &'a str,
    /// Whether the command fetches an attachment.
    pub attachment: bool,
    /// What is known of the client from its earlier requests; model and version also from this one, which
    /// count more.
    pub known: KnownClient<'a>,
}

/// What an ActiveSync client has said and done before. Model and version are claims, the rest was
/// seen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownClient<'a> {
    /// Model of the device, such as `iPhone15C2`; empty until the client has told it.
    pub model: &'a str,
    /// Version of its operating system, unknown until the client has told it.
    pub os_version: OsVersion,
    /// Which of the user's clients it is by when each was first let in, from 1; 0 where that is not
    /// known.
    pub rank: u16,
    /// When it was first seen, if it was.
    pub first_seen: Option<Timestamp>,
    /// When it last came with the password of its user and no policy found that it had stayed away for too
    /// long, to a quarter of an hour, whether it was let in or not; of one that the mail server has answered
    /// with success at some time.
    pub last_active: Option<Timestamp>,
}
