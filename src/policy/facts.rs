//! All that an evaluation may see.

use super::words::Set;
use crate::model::ClaimedDevice;
use crate::model::Credential;
use crate::model::Established;
use crate::model::Fact;
use crate::model::GroupId;
use crate::model::MailContext;
use crate::model::NasContext;
use crate::model::OsVersion;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Posture;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::UserRef;

/// The question, with everything that was known when it was asked.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// At which door.
    pub plane: Plane,
    /// The time of the question; ages of facts are counted to here.
    pub now: Timestamp,
    /// What was proved about the user.
    pub credential: Credential,
    /// How the device became known.
    pub established: Established,
    /// The authenticated user, or the owner of a device whose certificate names none; `None` for
    /// MAC authentication bypass and for the certificate of a device without owner.
    pub user: Option<UserFacts<'a>>,
    /// The device.
    pub device: DeviceFacts<'a>,
    /// Where a network connection came from.
    pub nas: Option<NasContext<'a>>,
    /// What kind of mail client asks.
    pub mail: Option<MailContext<'a>>,
}

/// What is known of a user.
#[derive(Clone, Copy, Debug)]
pub struct UserFacts<'a> {
    /// The user's own name as the inventory prints it, so that any alias meets the same `user:`
    /// entry; the presented one where the inventory does not know the user.
    pub name: &'a str,
    /// The name that was presented, which an entry may give too. `None`: the credential names a
    /// device and no user, and the user is its owner.
    pub presented: Option<&'a str>,
    /// The inventory's number; `None` when it has no user of the name.
    pub reference: Option<UserRef>,
    /// Whether a source knows the user, and not only a device names them as its owner.
    pub known: bool,
    /// Whether the account is enabled.
    pub enabled: Fact<Tri>,
    /// The user's groups, nested ones included, sorted without repetition.
    pub groups: &'a [GroupId],
}

/// What is known of a device.
#[derive(Clone, Copy, Debug)]
pub enum DeviceFacts<'a> {
    /// No source knows it, or nothing identified it.
    Unknown,
    /// Two devices share the identifier.
    Ambiguous,
    /// The ActiveSync DeviceId is known under another user.
    OfAnotherUser,
    /// Found.
    Known {
        /// Its facts.
        posture: &'a Posture,
        /// The device's own groups, sorted without repetition.
        groups: &'a [GroupId],
    },
}

impl<'a> Facts<'a> {
    /// The device's facts, when it was found.
    pub(super) const fn posture(&self) -> Option<&'a Posture> {
        match self.device {
            DeviceFacts::Known { posture, .. } => Some(posture),
            DeviceFacts::Unknown | DeviceFacts::Ambiguous | DeviceFacts::OfAnotherUser => None,
        }
    }

    /// The device's own groups; empty when it was not found.
    pub(super) const fn device_groups(&self) -> &'a [GroupId] {
        match self.device {
            DeviceFacts::Known { groups, .. } => groups,
            DeviceFacts::Unknown | DeviceFacts::Ambiguous | DeviceFacts::OfAnotherUser => &[],
        }
    }

    /// The platform that a source states, else the one that the mail client claims, or that of a VPN.
    pub(super) fn platform(&self) -> Platform {
        match self.posture() {
            Some(posture) if posture.platform != Platform::Unknown => posture.platform,
            Some(_) | None => match (&self.mail, self.claims()) {
                (Some(mail), _) => claimed_platform(mail),
                (None, Some(claims)) => vpn_platform(claims.platform),
                (None, None) => Platform::Unknown,
            },
        }
    }

    /// The version of the operating system that a source states, else the one that the mail client
    /// or a VPN's claims, and whether it is a claim.
    pub(super) fn os_version(&self) -> (OsVersion, bool) {
        let stated = self.posture().map(|posture| posture.os_version);
        if let Some(version) = stated.filter(|version| *version != OsVersion::UNKNOWN) {
            return (version, false);
        }
        let claimed = match (&self.mail, self.claims()) {
            (Some(mail), _) => mail.known.os_version,
            (None, Some(claims)) => claims.os_version.parse().unwrap_or_default(),
            (None, None) => OsVersion::UNKNOWN,
        };
        (claimed, claimed != OsVersion::UNKNOWN)
    }

    /// What a VPN's client says of its device.
    pub(super) fn claims(&self) -> Option<ClaimedDevice<'a>> {
        self.nas.as_ref().and_then(|nas| nas.claims)
    }
}

/// What a mail client says it runs on.
fn claimed_platform(mail: &MailContext<'_>) -> Platform {
    [mail.device_type, mail.user_agent]
        .into_iter()
        .find_map(|text| {
            CLIENT_PREFIXES
                .iter()
                .find(|(prefix, _)| starts_without_case(text, prefix))
                .map(|(_, platform)| *platform)
        })
        .unwrap_or(Platform::Unknown)
}

/// The platforms that mail clients can claim to run on.
pub(super) fn claimed_by_mail() -> Set<Platform> {
    platforms(&CLIENT_PREFIXES)
}

/// The platforms that clients of VPNs can claim to run on.
pub(super) fn claimed_by_vpn() -> Set<Platform> {
    platforms(&VPN_PREFIXES)
}

fn platforms(prefixes: &[(&str, Platform)]) -> Set<Platform> {
    prefixes.iter().map(|(_, platform)| *platform).collect()
}

/// What the vendors of VPNs call the systems of their clients.
fn vpn_platform(word: &str) -> Platform {
    VPN_PREFIXES
        .iter()
        .find(|(prefix, _)| starts_without_case(word, prefix))
        .map_or(Platform::Unknown, |(_, platform)| *platform)
}

fn starts_without_case(text: &str, prefix: &str) -> bool {
    text.as_bytes()
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Beginnings of DeviceType and User-Agent values of mail clients in the field. `Outlook` is left
/// out: it is one name on two platforms.
const CLIENT_PREFIXES: [(&str, Platform); 14] = [
    ("iphone", Platform::Ios),
    ("ipad", Platform::Ios),
    ("ipod", Platform::Ios),
    ("apple-iphone", Platform::Ios),
    ("apple-ipad", Platform::Ios),
    ("apple-ipod", Platform::Ios),
    ("android", Platform::Android),
    ("samsung", Platform::Android),
    ("windowsphone", Platform::WindowsPhone),
    ("wp", Platform::WindowsPhone),
    ("msft-wp", Platform::WindowsPhone),
    ("windowsmail", Platform::Windows),
    ("windowsoutlook", Platform::Windows),
    ("msft-win", Platform::Windows),
];

/// Beginnings of Cisco's `device-platform` (`win`, `mac-intel`, `linux-64`, `apple-ios`, `android`) and of
/// GlobalProtect's client OS (`Windows`, `Mac`, `Linux`, `iOS`, `Android`, `Chrome`).
const VPN_PREFIXES: [(&str, Platform); 7] = [
    ("win", Platform::Windows),
    ("mac", Platform::MacOs),
    ("linux", Platform::Linux),
    ("apple-ios", Platform::Ios),
    ("ios", Platform::Ios),
    ("android", Platform::Android),
    ("chrome", Platform::ChromeOs),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_vpns_claim_their_platform() {
        for (word, expected) in [
            ("win", Platform::Windows),
            ("Windows", Platform::Windows),
            ("mac-intel", Platform::MacOs),
            ("Mac", Platform::MacOs),
            ("linux-64", Platform::Linux),
            ("apple-ios", Platform::Ios),
            ("iOS", Platform::Ios),
            ("android", Platform::Android),
            ("Chrome", Platform::ChromeOs),
            ("", Platform::Unknown),
            ("w", Platform::Unknown),
            ("toaster", Platform::Unknown),
        ] {
            assert_eq!(vpn_platform(word), expected, "row {word}");
        }
    }

    #[test]
    fn mail_clients_claim_their_platform() {
        for (device_type, user_agent, expected) in [
            ("iPhone", "Apple-iPhone9C1/1602.92", Platform::Ios),
            ("iPad", "", Platform::Ios),
            (
                "SAMSUNGSMG960F",
                "Android-SAMSUNG-SM-G960F/101.9",
                Platform::Android,
            ),
            ("WP8", "MSFT-WP/8.10", Platform::WindowsPhone),
            ("WindowsMail", "", Platform::Windows),
            ("Outlook", "Outlook-iOS-Android/1.0", Platform::Unknown),
            ("TestClient", "TestClient/1.0", Platform::Unknown),
            ("", "", Platform::Unknown),
        ] {
            let mail = MailContext {
                device_type,
                user_agent,
                ..MailContext::default()
            };
            assert_eq!(claimed_platform(&mail), expected, "row {device_type}");
        }
    }
}
