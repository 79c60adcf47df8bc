//! Every form of identifier as one keyed 128-bit hash.
//!
//! SipHash-1-3 with a key that the caller draws at random for each process: whoever chooses
//! identifiers cannot choose where they fall in the table.

use siphasher::sip128::SipHasher13;

use crate::inventory::index::Key;
use crate::model::CertificateId;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::EntraDeviceId;
use crate::model::MacAddress;
use crate::model::UserId;
use crate::model::UserRef;

/// Makes keys; the same for reader and writer.
#[derive(Clone)]
pub(crate) struct Keys(SipHasher13);

impl Keys {
    pub(crate) fn new(seed: [u8; 16]) -> Self {
        Self(SipHasher13::new_with_key(&seed))
    }

    pub(crate) fn device(&self, device: DeviceId) -> Key {
        self.hash(Kind::Device, &device.as_u128().to_le_bytes())
    }

    /// `None` for the all-zero id, which Intune sends for every unregistered device.
    pub(crate) fn entra(&self, entra: EntraDeviceId) -> Option<Key> {
        (!entra.is_nil()).then(|| self.hash(Kind::Entra, &entra.as_u128().to_le_bytes()))
    }

    pub(crate) fn certificate(&self, certificate: CertificateId) -> Key {
        self.hash(Kind::Certificate, &certificate.octets())
    }

    /// `serial` in its canonical spelling.
    pub(crate) fn serial(&self, serial: &str) -> Key {
        self.hash(Kind::Serial, serial.as_bytes())
    }

    /// `None` for an address that identifies nothing: locally administered, group or zero.
    pub(crate) fn mac(&self, mac: MacAddress) -> Option<Key> {
        mac.is_identity()
            .then(|| self.hash(Kind::Mac, &mac.octets()))
    }

    /// An ActiveSync id in the hands of one user; `None` is a device without an owner.
    pub(crate) fn eas(&self, eas: &EasDeviceId, user: Option<UserRef>) -> Key {
        let mut octets = [0; 5 + EasDeviceId::MAX];
        let number = user.map_or(0, |user| user.0).to_le_bytes();
        let parts: [&[u8]; 3] = [
            &[u8::from(user.is_some())],
            &number,
            eas.as_str().as_bytes(),
        ];
        self.hash(Kind::Eas, joined(&mut octets, &parts))
    }

    /// An ActiveSync id whoever uses it.
    pub(crate) fn eas_known(&self, eas: &EasDeviceId) -> Key {
        self.hash(Kind::EasKnown, eas.as_str().as_bytes())
    }

    /// A user's name in any case; `None` for a text that is no name (see `UserId::parse`).
    pub(crate) fn user(&self, name: &str) -> Option<Key> {
        let name = name.trim();
        let mut folded = [0_u8; MAX_NAME];
        let folded = folded.get_mut(..name.len())?;
        folded.copy_from_slice(name.as_bytes());
        if !folded.is_ascii() {
            let mut other = [0; UserId::MAX];
            let folded = UserId::fold(name, &mut other)?;
            return Some(self.hash(Kind::User, folded.as_bytes()));
        }
        folded.make_ascii_lowercase();
        (!folded.is_empty()).then(|| self.hash(Kind::User, folded))
    }

    fn hash(&self, kind: Kind, content: &[u8]) -> Key {
        let mut octets = [0; 1 + MAX_NAME];
        let all = joined(&mut octets, &[&[kind as u8], content]);
        Key(self.0.hash(all).into())
    }
}

/// Keeps identifiers of different kinds apart that are spelled alike.
#[derive(Clone, Copy)]
enum Kind {
    Device = 1,
    Entra,
    Certificate,
    Serial,
    Eas,
    EasKnown,
    Mac,
    User,
}

/// The parts one after the other at the start of `buffer`; what does not fit is left out, which
/// the sizes of the callers' buffers rule out.
fn joined<'a>(buffer: &'a mut [u8], parts: &[&[u8]]) -> &'a [u8] {
    let mut used = 0;
    for part in parts {
        if let Some(room) = buffer.get_mut(used..used + part.len()) {
            room.copy_from_slice(part);
            used += part.len();
        }
    }
    buffer.get(..used).unwrap_or(&[])
}

/// The longest identifier: a user's name (User-Name of RFC 2865 section 5.1).
const MAX_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new([7; 16])
    }

    #[test]
    fn names_are_compared_without_case_and_margins() {
        let keys = keys();
        assert_eq!(keys.user(" CONTOSO\\Alice "), keys.user("contoso\\alice"));
        assert_ne!(keys.user("alice@contoso.com"), keys.user("contoso\\alice"));
        assert_eq!(keys.user("  "), None);
        assert!(keys.user(&"a".repeat(253)).is_some());
        assert_eq!(keys.user(&"a".repeat(254)), None);
    }

    #[test]
    fn kinds_spelled_alike_have_different_keys() {
        let keys = keys();
        let eas = EasDeviceId::parse(b"abc123").unwrap();
        let all = [
            keys.eas(&eas, None),
            keys.eas(&eas, Some(UserRef(0))),
            keys.eas(&eas, Some(UserRef(1))),
            keys.eas_known(&eas),
            keys.serial("abc123"),
            keys.user("abc123").unwrap(),
        ];
        for (index, key) in all.iter().enumerate() {
            assert!(!all[..index].contains(key), "row {index}");
        }
    }

    #[test]
    fn what_identifies_nothing_has_no_key() {
        let keys = keys();
        for (mac, expected) in [
            ("00:11:22:33:44:55", true),
            ("02:11:22:33:44:55", false),
            ("d6:11:22:33:44:55", false),
            ("01:00:5e:00:00:01", false),
            ("00:00:00:00:00:00", false),
        ] {
            assert_eq!(
                keys.mac(mac.parse().unwrap()).is_some(),
                expected,
                "row {mac}"
            );
        }
        let nil = "00000000-0000-0000-0000-000000000000".parse().unwrap();
        assert_eq!(keys.entra(nil), None);
    }

    #[test]
    fn another_seed_gives_other_keys() {
        assert_ne!(keys().serial("A1"), Keys::new([8; 16]).serial("A1"));
    }
}
