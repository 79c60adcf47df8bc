//! A subject of the network as it is written down, to be judged again by the next start.

use serde::Deserialize;
use serde::Serialize;

use super::OwnedIdentifier;
use super::OwnedNas;
use super::OwnedPresented;
use super::OwnedSubject;
use crate::access::claimed::ClaimedTexts;
use crate::model::CertificateId;
use crate::model::ClaimedDevice;
use crate::model::Credential;
use crate::model::EasDeviceId;
use crate::model::Established;
use crate::model::Fingerprint;
use crate::model::Medium;
use crate::model::Plane;

/// The words of a subject; what cannot be read makes no subject.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeptSubject {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Box<str>>,
    credential: String,
    device: Vec<KeptIdentifier>,
    nas: KeptNas,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptIdentifier {
    kind: String,
    value: String,
    /// Whose ActiveSync DeviceId it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<Box<str>>,
    established: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptNas {
    name: Box<str>,
    group: Box<str>,
    medium: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ssid: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claims: Option<KeptClaims>,
}

/// What a device of a VPN says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct KeptClaims {
    platform: String,
    os_version: String,
    host_name: String,
    client: String,
}

impl KeptClaims {
    fn keep(said: &ClaimedTexts) -> Self {
        let said = said.claims();
        Self {
            platform: said.platform.to_owned(),
            os_version: said.os_version.to_owned(),
            host_name: said.host_name.to_owned(),
            client: said.client.to_owned(),
        }
    }

    fn claims(&self) -> Option<ClaimedTexts> {
        ClaimedTexts::new(&ClaimedDevice {
            platform: &self.platform,
            os_version: &self.os_version,
            host_name: &self.host_name,
            client: &self.client,
        })
    }
}

impl OwnedSubject {
    /// To be written down; `None` for subjects of other planes, whose requests end with the program.
    #[must_use]
    pub fn keep(&self) -> Option<KeptSubject> {
        let (Plane::Network, Some(nas)) = (self.plane, &self.nas) else {
            return None;
        };
        Some(KeptSubject {
            user: self.user.clone(),
            credential: self.credential.to_string(),
            device: self.device.iter().map(OwnedPresented::keep).collect(),
            nas: KeptNas {
                name: (&*nas.name).into(),
                group: (&*nas.group).into(),
                medium: nas.medium.to_string(),
                ssid: nas.ssid.clone(),
                claims: nas.claims.as_deref().map(KeptClaims::keep),
            },
        })
    }
}

impl KeptSubject {
    /// The subject; `None` if a word of it means nothing.
    #[must_use]
    pub fn subject(self) -> Option<OwnedSubject> {
        let device = self.device.into_iter().map(KeptIdentifier::presented);
        let device = device
            .take(OwnedSubject::MAX_IDENTIFIERS)
            .collect::<Option<Box<[OwnedPresented]>>>()?;
        Some(OwnedSubject {
            plane: Plane::Network,
            user: self.user,
            credential: named(&CREDENTIALS, &self.credential)?,
            device,
            nas: Some(OwnedNas {
                name: self.nas.name.into(),
                group: self.nas.group.into(),
                medium: named(&MEDIA, &self.nas.medium)?,
                ssid: self.nas.ssid,
                claims: self.nas.claims.and_then(|said| said.claims()).map(Box::new),
            }),
            mail: None,
        })
    }
}

impl OwnedPresented {
    fn keep(&self) -> KeptIdentifier {
        let (kind, value, user) = match &self.identifier {
            OwnedIdentifier::Device(id) => ("device", id.to_string(), None),
            OwnedIdentifier::Entra(id) => ("entra", id.to_string(), None),
            OwnedIdentifier::Certificate(id) => (
                "certificate",
                Fingerprint::from_octets(id.octets()).to_string(),
                None,
            ),
            OwnedIdentifier::Serial(serial) => ("serial", serial.to_string(), None),
            OwnedIdentifier::Eas(id, user) => ("eas", id.to_string(), Some(user.clone())),
            OwnedIdentifier::Mac(mac) => ("mac", mac.to_string(), None),
        };
        KeptIdentifier {
            kind: kind.to_owned(),
            value,
            user,
            established: self.established.as_str().to_owned(),
        }
    }
}

impl KeptIdentifier {
    fn presented(self) -> Option<OwnedPresented> {
        let value = self.value;
        let identifier = match self.kind.as_str() {
            "device" => OwnedIdentifier::Device(value.parse().ok()?),
            "entra" => OwnedIdentifier::Entra(value.parse().ok()?),
            "certificate" => {
                let octets = value.parse::<Fingerprint>().ok()?.octets();
                OwnedIdentifier::Certificate(CertificateId::from_octets(octets))
            }
            "serial" => OwnedIdentifier::Serial(value.into()),
            "eas" => OwnedIdentifier::Eas(EasDeviceId::parse(value.as_bytes())?, self.user?),
            "mac" => OwnedIdentifier::Mac(value.parse().ok()?),
            _ => return None,
        };
        Some(OwnedPresented {
            identifier,
            established: Established::parse(&self.established)?,
        })
    }
}

/// The one that is printed so.
fn named<T: Copy + ToString>(all: &[T], word: &str) -> Option<T> {
    all.iter().find(|one| one.to_string() == word).copied()
}

const CREDENTIALS: [Credential; 3] = [
    Credential::None,
    Credential::Password,
    Credential::Certificate,
];

const MEDIA: [Medium; 4] = [
    Medium::Unknown,
    Medium::Wired,
    Medium::Wireless,
    Medium::Vpn,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Identifier;
    use crate::model::MacAddress;
    use crate::model::NasContext;
    use crate::model::Presented;
    use crate::model::Subject;

    #[test]
    fn a_subject_is_the_same_after_it_was_written_down() {
        let presented = |identifier, established| Presented {
            identifier,
            established,
        };
        let guid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        let eas = EasDeviceId::parse(b"androidc123").unwrap();
        let device = [
            presented(
                Identifier::Device(guid.parse().unwrap()),
                Established::Proven,
            ),
            presented(
                Identifier::Entra(guid.parse().unwrap()),
                Established::Proven,
            ),
            presented(
                Identifier::Certificate(CertificateId::new(b"issuer", b"7")),
                Established::Proven,
            ),
            presented(Identifier::Serial("C02XK0"), Established::Claimed),
            presented(Identifier::Eas(eas, "alice"), Established::Claimed),
            presented(
                Identifier::Mac(MacAddress::new([0, 0, 0x5e, 0, 0x53, 1])),
                Established::None,
            ),
        ];
        for (user, credential, medium, ssid) in [
            (
                Some("alice@example.com"),
                Credential::Certificate,
                Medium::Wireless,
                Some("corp"),
            ),
            (None, Credential::None, Medium::Wired, None),
            (Some("böb \"x\"\n"), Credential::Password, Medium::Vpn, None),
        ] {
            let subject = Subject {
                plane: Plane::Network,
                user,
                credential,
                device: &device,
                nas: Some(NasContext {
                    name: "ap",
                    group: "office",
                    medium,
                    ssid,
                    claims: (medium == Medium::Vpn).then_some(ClaimedDevice {
                        platform: "ios",
                        os_version: "18.1",
                        host_name: "alice-phone",
                        client: "AnyConnect",
                    }),
                }),
                mail: None,
            };
            let owned = OwnedSubject::from(&subject);
            let text = serde_json::to_string(&owned.keep().unwrap()).unwrap();
            let kept: KeptSubject = serde_json::from_str(&text).unwrap();
            let again = kept.subject().unwrap();
            assert_eq!(format!("{again:?}"), format!("{owned:?}"), "{text}");
        }
    }

    #[test]
    fn words_that_mean_nothing_make_no_subject() {
        let sound = r#"{"credential":"none","device":[{"kind":"mac","value":"00:00:5e:00:53:01","established":"claimed"}],"nas":{"name":"a","group":"b","medium":"wired"}}"#;
        let read = |text: &str| serde_json::from_str::<KeptSubject>(text).ok()?.subject();
        assert!(read(sound).is_some());
        for (from, to) in [
            ("none", "some"),
            ("\"mac\"", "\"imei\""),
            ("00:00:5e:00:53:01", "00:00"),
            ("claimed", "sworn"),
            ("wired", "wet"),
            ("\"nas\"", "\"was\""),
        ] {
            assert!(read(&sound.replace(from, to)).is_none(), "row {from} {to}");
        }
    }
}
