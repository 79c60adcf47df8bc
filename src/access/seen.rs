//! The facts as they were when a decision was made: fixed size, copied into its record.

use crate::inventory::ClientEntry;
use crate::inventory::GroupSet;
use crate::inventory::Lookup;
use crate::inventory::Reader;
use crate::inventory::UserEntry;
use crate::model::Credential;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::KnownClient;
use crate::model::MailContext;
use crate::model::NasContext;
use crate::model::OsVersion;
use crate::model::Plane;
use crate::model::Posture;
use crate::model::Presented;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::policy::DeviceFacts;
use crate::policy::Facts;
use crate::policy::UserFacts;

/// All that an evaluation saw, apart from the texts of the subject.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// When it was looked up.
    pub at: Timestamp,
    /// At which door.
    pub plane: Plane,
    /// What the peer proved.
    pub credential: Credential,
    /// How the device was established; `None` when it was not found.
    pub established: Established,
    /// The device.
    pub device: SeenDevice,
    /// The entry of the user who was named, else of the owner of a device that its certificate
    /// proves; `None` when the inventory knows neither.
    pub user: Option<UserEntry>,
}

/// What the inventory answered for the identifiers of the subject.
#[derive(Clone, Copy, Debug)]
pub enum SeenDevice {
    /// None of them is known.
    Unknown,
    /// One of them names several devices.
    Ambiguous,
    /// The ActiveSync DeviceId is known under another user only.
    OfAnotherUser,
    /// The device.
    Known(Posture, GroupSet),
}

impl Seen {
    /// Of a record that is not filled in yet.
    pub(super) const BLANK: Self = Self {
        at: Timestamp::from_unix_millis(0),
        plane: Plane::Network,
        credential: Credential::None,
        established: Established::None,
        device: SeenDevice::Unknown,
        user: None,
    };

    /// Nothing looked up: the peer was not authenticated.
    pub(super) fn nothing(subject: &Subject<'_>, now: Timestamp) -> Self {
        Self {
            at: now,
            plane: subject.plane,
            credential: subject.credential,
            established: Established::None,
            device: SeenDevice::Unknown,
            user: None,
        }
    }

    /// Looks the subject up.
    ///
    /// Identifiers are tried in the order given. If one is proven by a certificate, the merely
    /// claimed are not looked at: a certificate of an unknown device must not borrow the posture
    /// of the device that owns the MAC address it sends.
    pub(super) fn look_up(reader: &Reader, subject: &Subject<'_>, now: Timestamp) -> Self {
        let proven = subject
            .device
            .iter()
            .any(|presented| presented.established == Established::Proven);
        let mut device = SeenDevice::Unknown;
        let mut established = Established::None;
        // Found with the first device, so that the two need not wait for each other's memory.
        let mut user = None;
        let claimed = subject.device.iter().find(|one| is_eas(&one.identifier));
        let mut is_of_claim = false;
        for presented in subject.device {
            if proven && presented.established != Established::Proven {
                continue;
            }
            let found = match subject.user.filter(|_| user.is_none()) {
                Some(name) => {
                    let (found, entry) = reader.find_with_user(&presented.identifier, name);
                    user = Some(entry);
                    found
                }
                None => reader.find(&presented.identifier),
            };
            match found {
                Lookup::Found(posture, groups) => {
                    device = SeenDevice::Known(posture, groups);
                    established = presented.established;
                    is_of_claim = claimed.is_some_and(|one| std::ptr::eq(one, presented));
                    break;
                }
                // A later identifier may still settle which device it is; if none does, the
                // doubt is reported rather than "unknown".
                Lookup::Ambiguous => device = SeenDevice::Ambiguous,
                Lookup::OfAnotherUser => device = SeenDevice::OfAnotherUser,
                Lookup::Unknown => {}
            }
        }
        // The device that the DeviceId itself has led to is not at odds with it.
        if let Some(claimed) = claimed.filter(|_| !is_of_claim)
            && let Some(conflict) = conflict(reader, claimed, &device)
        {
            device = conflict;
            established = Established::None;
        }
        Self {
            at: now,
            plane: subject.plane,
            credential: subject.credential,
            established,
            device,
            user: match subject.user {
                Some(name) => user.unwrap_or_else(|| reader.user(name)),
                None => owner(reader, subject, established, &device),
            },
        }
    }

    /// The posture, if the device was found.
    #[must_use]
    pub fn posture(&self) -> Option<&Posture> {
        match &self.device {
            SeenDevice::Known(posture, _) => Some(posture),
            SeenDevice::Unknown | SeenDevice::Ambiguous | SeenDevice::OfAnotherUser => None,
        }
    }

    /// The device that a mail client is known to be: by a proof, or because its own id leads there. What
    /// else is claimed gives nobody the place of a device.
    pub(super) fn device_of_client(&self, subject: &Subject<'_>) -> Option<DeviceId> {
        let is_sound = |one: &Presented<'_>| match self.established {
            Established::Proven => true,
            Established::None | Established::Claimed => is_eas(&one.identifier),
        };
        let device = self.posture()?.device;
        subject.device.iter().all(is_sound).then_some(device)
    }

    /// The user's own name, as the inventory spells it.
    #[must_use]
    pub fn user_name<'r>(&self, reader: &'r Reader) -> Option<&'r str> {
        reader.user_name(self.user?.user).map(UserId::as_str)
    }

    fn user_facts<'a>(
        &self,
        reader: &'a Reader,
        presented: Option<&'a str>,
    ) -> Option<UserFacts<'a>> {
        Some(UserFacts {
            name: self.user_name(reader).or(presented)?,
            presented,
            reference: self.user.map(|entry| entry.user),
            known: self.user.is_some_and(|entry| entry.listed),
            enabled: self.user.map(|entry| entry.enabled).unwrap_or_default(),
            groups: self.user.map_or(&[], |entry| reader.groups(entry.groups)),
        })
    }

    /// What the policy sees, with the texts that are not kept here.
    pub(super) fn facts<'a>(
        &'a self,
        reader: &'a Reader,
        user: Option<&'a str>,
        nas: Option<NasContext<'a>>,
        mail: Option<MailContext<'a>>,
    ) -> Facts<'a> {
        Facts {
            plane: self.plane,
            now: self.at,
            credential: self.credential,
            established: self.established,
            user: self.user_facts(reader, user),
            device: match &self.device {
                SeenDevice::Unknown => DeviceFacts::Unknown,
                SeenDevice::Ambiguous => DeviceFacts::Ambiguous,
                SeenDevice::OfAnotherUser => DeviceFacts::OfAnotherUser,
                SeenDevice::Known(posture, groups) => DeviceFacts::Known {
                    posture,
                    groups: reader.groups(*groups),
                },
            },
            nas,
            mail,
        }
    }
}

/// What a mail client says, and what is known of it.
pub(super) fn with_known<'a>(
    reader: &'a Reader,
    client: Option<&ClientEntry>,
    mail: MailContext<'a>,
) -> MailContext<'a> {
    let Some(client) = client else {
        return mail;
    };
    // What the request itself tells is newer than the record.
    let model = match mail.known.model {
        "" => reader.client_model(client),
        told => told,
    };
    let os_version = match mail.known.os_version {
        OsVersion::UNKNOWN => client.os_version,
        told => told,
    };
    MailContext {
        known: KnownClient {
            model,
            os_version,
            rank: client.rank,
            first_seen: client.first_seen,
            last_active: client.last_success.and(client.last_active),
        },
        ..mail
    }
}

/// The mail client that the subject names: its DeviceId and its user.
pub(super) fn named_client<'a>(subject: &Subject<'a>) -> Option<(&'a EasDeviceId, &'a str)> {
    // At other doors nobody is asked.
    subject.mail?;
    let mut identifiers = subject.device.iter().map(|one| &one.identifier);
    identifiers.find_map(|identifier| match identifier {
        Identifier::Eas(eas, user) => Some((eas, *user)),
        Identifier::Device(_)
        | Identifier::Entra(_)
        | Identifier::Certificate(_)
        | Identifier::Serial(_)
        | Identifier::Mac(_) => None,
    })
}

/// The owner of the device that a certificate without user names: whom it was issued for, as the
/// inventory has it (R3). A device that is merely claimed lends nobody its owner.
fn owner(
    reader: &Reader,
    subject: &Subject<'_>,
    established: Established,
    device: &SeenDevice,
) -> Option<UserEntry> {
    let SeenDevice::Known(posture, _) = device else {
        return None;
    };
    let proven =
        subject.credential == Credential::Certificate && established == Established::Proven;
    proven
        .then_some(posture.owner)
        .flatten()
        .and_then(|owner| reader.owner(owner))
}

/// A mail device's id that is known to be another's than the device that was found: another
/// user's, or another device of the same user. A certificate proves a device, and lends it to
/// nobody else.
fn conflict(reader: &Reader, claimed: &Presented<'_>, found: &SeenDevice) -> Option<SeenDevice> {
    let SeenDevice::Known(posture, _) = found else {
        return None;
    };
    match reader.find(&claimed.identifier) {
        Lookup::OfAnotherUser => Some(SeenDevice::OfAnotherUser),
        Lookup::Ambiguous => Some(SeenDevice::Ambiguous),
        Lookup::Found(other, _) if other.device != posture.device => Some(SeenDevice::Ambiguous),
        Lookup::Found(..) | Lookup::Unknown => None,
    }
}

const fn is_eas(identifier: &Identifier<'_>) -> bool {
    match identifier {
        Identifier::Eas(..) => true,
        Identifier::Device(_)
        | Identifier::Entra(_)
        | Identifier::Certificate(_)
        | Identifier::Serial(_)
        | Identifier::Mac(_) => false,
    }
}
