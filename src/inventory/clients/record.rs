//! The record of one mail client, and what alters it.

use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::OsVersion;
use crate::model::Reason;
use crate::model::Timestamp;
use crate::model::Verdict;

/// One mail client of one user. IMEI and telephone number, which a client may tell too, are not kept:
/// nothing is decided by them, and they are about persons.
#[derive(Clone, Debug)]
pub struct MailClient {
    /// Its DeviceId as ids are compared.
    pub eas: EasDeviceId,
    /// The same as the client spells it.
    pub spelled: Box<str>,
    /// The authenticated user's canonical name.
    pub user: Box<str>,
    /// DeviceType of its queries.
    pub device_type: Box<str>,
    /// User-Agent header.
    pub user_agent: Box<str>,
    /// Version of the protocol in tenths.
    pub version: u8,
    /// Model, by its device information.
    pub model: Box<str>,
    /// What its user calls it, likewise.
    pub friendly_name: Box<str>,
    /// Operating system and version, likewise.
    pub os: Box<str>,
    /// Key of the security policy that it says it has applied.
    pub policy_key: Option<u32>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen, to a quarter of an hour.
    pub last_seen: Timestamp,
    /// When the mail server first answered it with success; not known any more when another client that is
    /// the same device was forgotten since.
    pub first_success: Option<Timestamp>,
    /// When it last did, to a quarter of an hour.
    pub last_success: Option<Timestamp>,
    /// When it last came with the password of its user and no policy found that it had stayed away for too
    /// long, to a quarter of an hour: whether it was let in or not. One that has stayed away for too long is
    /// not active by coming again.
    pub last_active: Option<Timestamp>,
    /// The device that it was last known to be, by a proof or because a source had stated it. It stays
    /// when another id takes its place there, until it is served without being known.
    pub device: Option<DeviceId>,
    /// What was decided of it last, refusals of single commands apart.
    pub state: Option<(Verdict, Reason)>,
    /// Since when.
    pub state_since: Timestamp,
    /// The wipe that an administrator has ordered, and how far it is.
    pub wipe: Option<WipeOrder>,
    /// Who has ordered it; empty where that is not known.
    pub wipe_by: Box<str>,
    /// The number of the last order that was called off: what is found of that one, or of an earlier
    /// one, is not in force.
    pub called_off: Option<u64>,
    pub(super) model_number: u16,
    pub(super) said: u32,
}

/// What is to be erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wipe {
    /// The whole device.
    Device,
    /// What the account has brought to it; from version 16.1 on.
    Account,
}

impl Wipe {
    /// The word for it, as it is printed everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Account => "account-only",
        }
    }

    /// What [`as_str`](Self::as_str) calls so.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Device, Self::Account]
            .into_iter()
            .find(|one| one.as_str() == word)
    }
}

/// An order to wipe. What is said of a wipe is said of one order and never of the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WipeOrder {
    /// What is to be erased.
    pub wipe: Wipe,
    /// The milliseconds since 1970 in which it was ordered, or more, so that a later order has a greater
    /// one; 0 of an order that an earlier version has kept.
    pub number: u64,
    /// How far it is.
    pub stage: WipeStage,
}

impl WipeOrder {
    /// The same order, so far.
    #[must_use]
    pub const fn at(self, stage: WipeStage) -> Self {
        Self { stage, ..self }
    }

    /// When it was ordered; `None` of an order that an earlier version has kept.
    #[must_use]
    pub fn ordered_at(self) -> Option<Timestamp> {
        let millis = i64::try_from(self.number).ok()?;
        (millis > 0).then(|| Timestamp::from_unix_millis(millis))
    }
}

/// How far a wipe is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WipeStage {
    /// The client has not been told yet.
    Ordered,
    /// It has been told, and has not said anything.
    Sent,
    /// It says that it has erased what it was to erase.
    Done,
    /// It says that it could not.
    Failed,
}

impl WipeStage {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Ordered, Self::Sent, Self::Done, Self::Failed];

    /// The word for it, as it is printed everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// What [`as_str`](Self::as_str) calls so.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// Whether the client has to be told.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        matches!(self, Self::Ordered | Self::Sent)
    }
}

/// What the mail plane has seen of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its DeviceId.
    pub eas: EasDeviceId,
    /// As the client spells it.
    pub spelled: Box<str>,
    /// The authenticated user's canonical name.
    pub user: Box<str>,
    /// DeviceType of the query.
    pub device_type: Box<str>,
    /// User-Agent header.
    pub user_agent: Box<str>,
    /// Version of the protocol in tenths.
    pub version: u8,
    /// Key of the security policy that it says it has applied.
    pub policy_key: Option<u32>,
    /// When.
    pub at: Timestamp,
    /// Whether the mail server has answered with success.
    pub success: bool,
    /// Whether policies were asked and none has found that it had stayed away for too long; false also
    /// where this is not known, as of what a client tells of its device.
    pub active: bool,
    /// The device that a certificate has proved it to be.
    pub proven: Option<DeviceId>,
    /// What was decided; `None` where that says nothing of the client.
    pub state: Option<(Verdict, Reason)>,
    /// What it tells of its device, if it does.
    pub told: Option<Told>,
}

/// What a client tells of its device in Settings or Provision (MS-ASCMD 2.2.3.45). Empty texts are not
/// told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Model.
    pub model: Box<str>,
    /// What its user calls it.
    pub friendly_name: Box<str>,
    /// Operating system and version.
    pub os: Box<str>,
}

impl Told {
    /// The version in what it says of its operating system.
    #[must_use]
    pub fn os_version(&self) -> OsVersion {
        version_in(&self.os)
    }
}

/// The version in what a client says of its operating system.
fn version_in(os: &str) -> OsVersion {
    let begin = os.find(|letter: char| letter.is_ascii_digit());
    let version = begin.and_then(|begin| os.get(begin..));
    version
        .and_then(|text| text.parse().ok())
        .unwrap_or_default()
}

impl MailClient {
    /// A client that has been seen at `at` and of which nothing else is known.
    #[must_use]
    pub fn new(eas: EasDeviceId, user: &str, at: Timestamp) -> Self {
        Self {
            eas,
            spelled: eas.as_str().into(),
            user: user.into(),
            device_type: Box::default(),
            user_agent: Box::default(),
            version: 0,
            model: Box::default(),
            friendly_name: Box::default(),
            os: Box::default(),
            policy_key: None,
            first_seen: at,
            last_seen: at,
            first_success: None,
            last_success: None,
            last_active: None,
            device: None,
            state: None,
            state_since: at,
            wipe: None,
            wipe_by: Box::default(),
            called_off: None,
            model_number: 0,
            said: 0,
        }
    }

    /// The version in what it says of its operating system.
    #[must_use]
    pub fn os_version(&self) -> OsVersion {
        version_in(&self.os)
    }

    /// Works a sighting in, of a client that is known to be this device; whether decisions may come out
    /// differently.
    pub(crate) fn see(&mut self, sighting: &Sighting, device: Option<DeviceId>) -> bool {
        // With the first success it counts among the devices of its user, of which a policy may allow so
        // many; others that wait may be too many from then on.
        let of = |client: &Self| {
            let (first, model) = (client.first_success, client.model.clone());
            (client.os_version(), model, first, client.device)
        };
        let was = of(self);
        // One that is served and not known is not the device that it was, and counts for itself.
        if device.is_some() || sighting.success {
            self.device = device;
        }
        self.spelled.clone_from(&sighting.spelled);
        self.device_type.clone_from(&sighting.device_type);
        self.user_agent.clone_from(&sighting.user_agent);
        self.version = sighting.version;
        self.policy_key = sighting.policy_key;
        self.last_seen = self.last_seen.max(sighting.at);
        if sighting.success {
            self.first_success = self.first_success.or(Some(sighting.at));
            self.last_success = self.last_success.max(Some(sighting.at));
        }
        if sighting.active {
            self.last_active = self.last_active.max(Some(sighting.at));
        }
        if let Some(state) = sighting.state
            && self.state != Some(state)
        {
            self.state = Some(state);
            self.state_since = sighting.at;
        }
        if let Some(told) = &sighting.told {
            for (kept, told) in [
                (&mut self.model, &told.model),
                (&mut self.friendly_name, &told.friendly_name),
                (&mut self.os, &told.os),
            ] {
                if !told.is_empty() {
                    kept.clone_from(told);
                }
            }
        }
        was != of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_clients_say_of_their_system() {
        for (os, expected) in [
            ("iOS 17.1.2 21B101", "17.1.2"),
            ("Android 14", "14"),
            ("Android 8.0.0.R16NW", "8"),
            ("Windows 10.0.19045", "10.0.19045"),
            ("Tiramisu", "0"),
            ("", "0"),
        ] {
            let mut client = MailClient::new("d".parse().unwrap(), "u", Timestamp::default());
            client.os = os.into();
            assert_eq!(client.os_version().to_string(), expected, "row {os}");
        }
    }
}
