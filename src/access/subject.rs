//! A subject that outlives the request it came with, to be judged again later.

mod kept;

pub use kept::KeptSubject;

use std::hash::BuildHasher;
use std::sync::Arc;

use crate::access::claimed::ClaimedTexts;
use crate::model::CertificateId;
use crate::model::Credential;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::EntraDeviceId;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::KnownClient;
use crate::model::MacAddress;
use crate::model::MailContext;
use crate::model::Medium;
use crate::model::NasContext;
use crate::model::OsVersion;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::Subject;

/// The owned form of [`Subject`].
#[derive(Clone, Debug)]
pub struct OwnedSubject {
    plane: Plane,
    user: Option<Box<str>>,
    credential: Credential,
    device: Box<[OwnedPresented]>,
    nas: Option<OwnedNas>,
    mail: Option<OwnedMail>,
}

impl OwnedSubject {
    /// The most identifiers that are kept of a subject: one of each kind, and two spare.
    pub const MAX_IDENTIFIERS: usize = 8;

    /// The certificate that proves its device, if one does.
    #[must_use]
    pub(super) fn certificate(&self) -> Option<CertificateId> {
        let mut proven = self
            .device
            .iter()
            .filter(|one| one.established == Established::Proven);
        proven.find_map(|one| match one.identifier {
            OwnedIdentifier::Certificate(id) => Some(id),
            OwnedIdentifier::Device(_)
            | OwnedIdentifier::Entra(_)
            | OwnedIdentifier::Serial(_)
            | OwnedIdentifier::Eas(..)
            | OwnedIdentifier::Mac(_) => None,
        })
    }

    /// What the peer proved.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// A number for who it is, which user with which device, wherever they are; not the same of others
    /// under a key that nobody knows.
    pub fn who(&self, key: &impl BuildHasher) -> u64 {
        key.hash_one((&self.user, self.credential, &self.device))
    }

    /// Judges the subject by lending it to `ask` in its borrowed form.
    pub fn with<T>(&self, ask: impl FnOnce(&Subject<'_>) -> T) -> T {
        let nothing = Presented {
            identifier: Identifier::Mac(MacAddress::new([0; 6])),
            established: Established::None,
        };
        let mut presented = [nothing; Self::MAX_IDENTIFIERS];
        let mut count = 0;
        for (place, owned) in presented.iter_mut().zip(&self.device) {
            *place = owned.borrow();
            count += 1;
        }
        ask(&Subject {
            plane: self.plane,
            user: self.user.as_deref(),
            credential: self.credential,
            device: presented.get(..count).unwrap_or(&[]),
            nas: self.nas.as_ref().map(OwnedNas::borrow),
            mail: self.mail.as_ref().map(OwnedMail::borrow),
        })
    }
}

/// Keeps at most [`OwnedSubject::MAX_IDENTIFIERS`] identifiers, the first ones.
impl From<&Subject<'_>> for OwnedSubject {
    fn from(subject: &Subject<'_>) -> Self {
        Self {
            plane: subject.plane,
            user: subject.user.map(Box::from),
            credential: subject.credential,
            device: subject
                .device
                .iter()
                .take(Self::MAX_IDENTIFIERS)
                .map(OwnedPresented::from)
                .collect(),
            nas: subject.nas.map(OwnedNas::from),
            mail: subject.mail.map(OwnedMail::from),
        }
    }
}

#[derive(Clone, Debug, Hash)]
struct OwnedPresented {
    identifier: OwnedIdentifier,
    established: Established,
}

#[derive(Clone, Debug, Hash)]
enum OwnedIdentifier {
    Device(DeviceId),
    Entra(EntraDeviceId),
    Certificate(CertificateId),
    Serial(Box<str>),
    Eas(EasDeviceId, Box<str>),
    Mac(MacAddress),
}

impl OwnedPresented {
    fn borrow(&self) -> Presented<'_> {
        let identifier = match &self.identifier {
            OwnedIdentifier::Device(id) => Identifier::Device(*id),
            OwnedIdentifier::Entra(id) => Identifier::Entra(*id),
            OwnedIdentifier::Certificate(id) => Identifier::Certificate(*id),
            OwnedIdentifier::Serial(serial) => Identifier::Serial(serial),
            OwnedIdentifier::Eas(id, user) => Identifier::Eas(*id, user),
            OwnedIdentifier::Mac(mac) => Identifier::Mac(*mac),
        };
        Presented {
            identifier,
            established: self.established,
        }
    }
}

impl From<&Presented<'_>> for OwnedPresented {
    fn from(presented: &Presented<'_>) -> Self {
        let identifier = match presented.identifier {
            Identifier::Device(id) => OwnedIdentifier::Device(id),
            Identifier::Entra(id) => OwnedIdentifier::Entra(id),
            Identifier::Certificate(id) => OwnedIdentifier::Certificate(id),
            Identifier::Serial(serial) => OwnedIdentifier::Serial(serial.into()),
            Identifier::Eas(id, user) => OwnedIdentifier::Eas(id, user.into()),
            Identifier::Mac(mac) => OwnedIdentifier::Mac(mac),
        };
        Self {
            identifier,
            established: presented.established,
        }
    }
}

#[derive(Clone, Debug)]
struct OwnedNas {
    name: Arc<str>,
    group: Arc<str>,
    medium: Medium,
    ssid: Option<Box<str>>,
    claims: Option<Box<ClaimedTexts>>,
}

impl OwnedNas {
    fn borrow(&self) -> NasContext<'_> {
        NasContext {
            name: &self.name,
            group: &self.group,
            medium: self.medium,
            ssid: self.ssid.as_deref(),
            claims: self.claims.as_ref().map(|claims| claims.claims()),
        }
    }
}

impl From<NasContext<'_>> for OwnedNas {
    fn from(nas: NasContext<'_>) -> Self {
        Self {
            name: nas.name.into(),
            group: nas.group.into(),
            medium: nas.medium,
            ssid: nas.ssid.map(Box::from),
            claims: nas
                .claims
                .and_then(|said| ClaimedTexts::new(&said))
                .map(Box::new),
        }
    }
}

/// Its texts are one, because thousands of them wait with their requests.
#[derive(Clone, Debug)]
struct OwnedMail {
    /// Type of the device, user agent and command, one behind the other.
    texts: Box<str>,
    /// Where the first and the second end.
    ends: [u32; 2],
    version: u8,
    attachment: bool,
    /// What the request itself tells.
    model: Box<str>,
    os_version: OsVersion,
}

impl OwnedMail {
    fn borrow(&self) -> MailContext<'_> {
        let [first, second] = self
            .ends
            .map(|end| usize::try_from(end).unwrap_or(usize::MAX));
        MailContext {
            device_type: self.texts.get(..first).unwrap_or_default(),
            user_agent: self.texts.get(first..second).unwrap_or_default(),
            version: self.version,
            command: self.texts.get(second..).unwrap_or_default(),
            attachment: self.attachment,
            known: KnownClient {
                model: &self.model,
                os_version: self.os_version,
                ..KnownClient::default()
            },
        }
    }
}

impl From<MailContext<'_>> for OwnedMail {
    fn from(mail: MailContext<'_>) -> Self {
        let end = |length| u32::try_from(length).unwrap_or(u32::MAX);
        let first = mail.device_type.len();
        let second = first + mail.user_agent.len();
        Self {
            texts: [mail.device_type, mail.user_agent, mail.command]
                .concat()
                .into(),
            ends: [end(first), end(second)],
            version: mail.version,
            attachment: mail.attachment,
            model: mail.known.model.into(),
            os_version: mail.known.os_version,
        }
    }
}
