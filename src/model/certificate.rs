//! What a client certificate says: names, validity, and the device it was issued to.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use super::device::DeviceId;
use super::device::ParseIdentifierError;
use super::time::Timestamp;
use super::user::UserId;

/// SHA-256 of a certificate's DER octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Hashes the DER form.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(sha256(&[der]))
    }

    /// From the 32 octets of [`Fingerprint::octets`].
    #[must_use]
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The 32 octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 32] {
        self.0
    }
}

/// Hexadecimal, lower case.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// 64 hexadecimal digits in either case, as [`Display`](fmt::Display) writes them, or with a colon
/// between octets, as `openssl x509 -fingerprint -sha256` does.
impl FromStr for Fingerprint {
    type Err = ParseFingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut octets = [0; 32];
        let plain = text.len() == 64;
        let mut pairs = text.as_bytes().chunks(if plain { 2 } else { 3 });
        for octet in &mut octets {
            let digits = match pairs.next() {
                Some(&[high, low] | &[high, low, b':']) => [high, low].map(char::from),
                Some(_) | None => return Err(ParseFingerprintError),
            };
            let [high, low] = digits.map(|digit| digit.to_digit(16));
            let value = high.zip(low).map(|(high, low)| high << 4 | low);
            let value = value.and_then(|value| u8::try_from(value).ok());
            *octet = value.ok_or(ParseFingerprintError)?;
        }
        // A colon at the end would be one too many.
        let whole = pairs.next().is_none() && !text.ends_with(':');
        whole.then_some(Self(octets)).ok_or(ParseFingerprintError)
    }
}

/// A text that is no SHA-256 in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")]
pub struct ParseFingerprintError;

/// Issuer and serial number, the pair that names a certificate in revocation lists
/// (RFC 5280 section 5.3), as one SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificateId([u8; 32]);

impl CertificateId {
    /// From the issuer's DER name and the serial number's content octets; leading zeros of the
    /// serial do not count.
    #[must_use]
    pub fn new(issuer: &[u8], serial: &[u8]) -> Self {
        let significant = serial
            .iter()
            .position(|&octet| octet != 0)
            .unwrap_or(serial.len());
        let serial = serial.get(significant..).unwrap_or(&[]);
        Self(sha256(&[issuer, serial]))
    }

    /// From the 32 octets of [`CertificateId::octets`].
    #[must_use]
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// The 32 octets.
    #[must_use]
    pub const fn octets(self) -> [u8; 32] {
        self.0
    }
}

/// The names in a certificate that the gateway uses, read once.
///
/// Lists are cut at [`CertificateIdentity::MAX_NAMES`] each: a certificate with more names than
/// that was not made for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateIdentity {
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// Issuer and serial.
    pub id: CertificateId,
    /// Subject, as text.
    pub subject: String,
    /// Issuer, as text.
    pub issuer: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// First common name of the subject.
    pub common_name: Option<String>,
    /// `dNSName` alternatives.
    pub dns_names: Vec<String>,
    /// `rfc822Name` alternatives.
    pub emails: Vec<String>,
    /// `uniformResourceIdentifier` alternatives.
    pub uris: Vec<String>,
    /// User principal names (otherName 1.3.6.1.4.1.311.20.2.3).
    pub principal_names: Vec<String>,
    /// What the certificate is not clear about; one that is must not be taken for a credential.
    pub ambiguity: Option<Ambiguity>,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
}

impl CertificateIdentity {
    /// Bound on every list of names.
    pub const MAX_NAMES: usize = 16;

    /// Reads one DER certificate. Nothing is verified here.
    ///
    /// # Errors
    ///
    /// When the octets are not one X.509 certificate.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateError::NotX509)?;
        Self::of(der, &certificate)
    }

    /// The same of a certificate that is read already, of which `der` are the octets.
    pub(crate) fn of(
        der: &[u8],
        certificate: &X509Certificate<'_>,
    ) -> Result<Self, CertificateError> {
        let mut names = Self {
            fingerprint: Fingerprint::of(der),
            id: CertificateId::new(certificate.issuer().as_raw(), certificate.raw_serial()),
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: hexadecimal(certificate.raw_serial()),
            common_name: certificate
                .subject()
                .iter_common_name()
                .next()
                .and_then(|name| name.as_str().ok())
                .map(str::to_owned),
            dns_names: Vec::new(),
            emails: Vec::new(),
            uris: Vec::new(),
            principal_names: Vec::new(),
            ambiguity: None,
            not_before: Timestamp::from_unix_seconds(certificate.validity().not_before.timestamp()),
            not_after: Timestamp::from_unix_seconds(certificate.validity().not_after.timestamp()),
        };
        let alternatives = certificate
            .subject_alternative_name()
            .map_err(|_| CertificateError::AlternativeNames)?;
        if let Some(alternatives) = alternatives {
            names.ambiguity = ambiguity(&alternatives.value.general_names);
            for name in &alternatives.value.general_names {
                names.add(name);
            }
        }
        Ok(names)
    }

    /// The Intune device id of a SAN URI `IntuneDeviceId://<guid>`; the scheme in any case, the
    /// GUID with or without braces, anything else refused.
    #[must_use]
    pub fn intune_device_id(&self) -> Option<DeviceId> {
        let stated = |uri: &String| stated_device(uri)?.ok();
        self.uris.iter().find_map(stated)
    }

    /// The user that the certificate was issued to: UPN, else e-mail address. A certificate of a
    /// machine has neither.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.principal_names
            .first()
            .or_else(|| self.emails.first())
            .map(String::as_str)
    }

    fn add(&mut self, name: &GeneralName<'_>) {
        let (list, text) = match name {
            GeneralName::DNSName(text) => (&mut self.dns_names, (*text).to_owned()),
            GeneralName::RFC822Name(text) => (&mut self.emails, (*text).to_owned()),
            GeneralName::URI(text) => (&mut self.uris, (*text).to_owned()),
            GeneralName::OtherName(..) => {
                let Some(text) = principal_name(name) else {
                    return;
                };
                (&mut self.principal_names, text)
            }
            GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => return,
        };
        if list.len() < Self::MAX_NAMES {
            list.push(text);
        }
    }
}

/// Why a certificate could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a DER certificate.
    #[error("not an X.509 certificate")]
    NotX509,
    /// The subject alternative names are broken or stand there twice.
    #[error("the subject alternative names cannot be read")]
    AlternativeNames,
}

/// What a certificate says twice, each time differently.
///
/// Several mail addresses are usual, for one person has aliases; several principal names are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    /// Two `IntuneDeviceId` URIs, of which one may be unreadable.
    #[error("the certificate names two devices")]
    Device,
    /// Two user principal names.
    #[error("the certificate names two users")]
    User,
}

/// Judged by all names, those beyond [`CertificateIdentity::MAX_NAMES`] too.
fn ambiguity(names: &[GeneralName<'_>]) -> Option<Ambiguity> {
    let devices = names.iter().filter_map(|name| {
        let GeneralName::URI(uri) = name else {
            return None;
        };
        stated_device(uri)
    });
    let users = names.iter().filter_map(principal_name);
    if differ(devices) {
        Some(Ambiguity::Device)
    } else if differ(users.map(|name| UserId::folded(name.trim()))) {
        Some(Ambiguity::User)
    } else {
        None
    }
}

fn differ<T: PartialEq>(mut items: impl Iterator<Item = T>) -> bool {
    let first = items.next();
    items.any(|item| Some(item) != first)
}

/// What stands behind `IntuneDeviceId://`, if that is the scheme.
fn stated_device(uri: &str) -> Option<Result<DeviceId, ParseIdentifierError>> {
    let (scheme, rest) = uri.split_once("://")?;
    let device = rest.strip_suffix('/').unwrap_or(rest);
    scheme
        .eq_ignore_ascii_case("IntuneDeviceId")
        .then(|| device.parse())
}

fn principal_name(name: &GeneralName<'_>) -> Option<String> {
    let GeneralName::OtherName(oid, value) = name else {
        return None;
    };
    (oid.as_bytes() == PRINCIPAL_NAME)
        .then(|| utf8_string(value))
        .flatten()
}

/// The text of `[0] EXPLICIT UTF8String`, the value of a principal name.
fn utf8_string(value: &[u8]) -> Option<String> {
    let (_, explicit) = x509_parser::der_parser::parse_der(value).ok()?;
    let inner = explicit.as_slice().ok()?;
    if let Ok((_, string)) = x509_parser::der_parser::parse_der(inner)
        && let Ok(text) = string.as_str()
    {
        return Some(text.to_owned());
    }
    std::str::from_utf8(inner).ok().map(str::to_owned)
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}

fn hexadecimal(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// 1.3.6.1.4.1.311.20.2.3 in DER, without tag and length.
const PRINCIPAL_NAME: &[u8] = &[0x2b, 6, 1, 4, 1, 0x82, 0x37, 20, 2, 3];

#[cfg(test)]
mod tests {
    use rcgen::CertificateParams;
    use rcgen::DnType;
    use rcgen::KeyPair;
    use rcgen::OtherNameValue;
    use rcgen::SanType;

    use super::*;

    fn certificate(names: Vec<SanType>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "phone");
        params.subject_alt_names = names;
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(text.try_into().unwrap())
    }

    #[test]
    fn reads_user_and_device_from_the_alternative_names() {
        let der = certificate(vec![
            uri("https://example.org"),
            uri("intunedeviceid://{0F8FAD5B-D9CB-469F-A165-70867728950E}"),
            SanType::OtherName((
                vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
                OtherNameValue::Utf8String("alice@contoso.com".into()),
            )),
        ]);
        let names = CertificateIdentity::parse(&der).unwrap();
        assert_eq!(names.common_name.as_deref(), Some("phone"));
        assert_eq!(names.user(), Some("alice@contoso.com"));
        let device = names.intune_device_id().unwrap();
        assert_eq!(device.to_string(), "0f8fad5b-d9cb-469f-a165-70867728950e");
        assert_eq!(names.fingerprint, Fingerprint::of(&der));
    }

    #[test]
    fn a_device_uri_without_guid_names_no_device() {
        for text in [
            "IntuneDeviceId://",
            "IntuneDeviceId://alice",
            "OtherId://0f8fad5b-d9cb-469f-a165-70867728950e",
        ] {
            let names = CertificateIdentity::parse(&certificate(vec![uri(text)])).unwrap();
            assert_eq!(names.intune_device_id(), None, "row {text}");
        }
    }

    /// Of two names the first was taken, so that the order in a certificate chose the device.
    #[test]
    fn two_devices_or_two_users_are_ambiguous() {
        let upn = |name: &str| {
            let text = OtherNameValue::Utf8String(name.into());
            SanType::OtherName((vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3], text))
        };
        let mail = |name: &str| SanType::Rfc822Name(name.try_into().unwrap());
        let one = || uri("IntuneDeviceId://0f8fad5b-d9cb-469f-a165-70867728950e");
        let same = || uri("intunedeviceid://{0F8FAD5B-D9CB-469F-A165-70867728950E}/");
        let other = || uri("IntuneDeviceId://7c9e6679-7425-40de-944b-e07fc1f90ae7");
        let far = (0..20).map(|n| uri(&format!("https://example.org/{n}")));
        let far: Vec<SanType> = [one()].into_iter().chain(far).chain([other()]).collect();
        for (row, names, expected) in [
            ("one", vec![one(), upn("a@b.org")], None),
            ("the same twice", vec![one(), same()], None),
            ("two", vec![one(), other()], Some(Ambiguity::Device)),
            ("beyond the bound", far, Some(Ambiguity::Device)),
            (
                "one unreadable",
                vec![one(), uri("IntuneDeviceId://alice")],
                Some(Ambiguity::Device),
            ),
            (
                "other schemes",
                vec![one(), uri("urn:x"), uri("x://y")],
                None,
            ),
            ("one user", vec![upn("a@b.org"), upn("A@B.org")], None),
            (
                "two users",
                vec![upn("a@b.org"), upn("c@b.org")],
                Some(Ambiguity::User),
            ),
            ("mail aliases", vec![mail("a@b.org"), mail("c@b.org")], None),
        ] {
            let names = CertificateIdentity::parse(&certificate(names)).unwrap();
            assert_eq!(names.ambiguity, expected, "row {row}");
        }
    }

    #[test]
    fn refuses_what_is_no_certificate() {
        assert_eq!(
            CertificateIdentity::parse(b""),
            Err(CertificateError::NotX509)
        );
        assert_eq!(
            CertificateIdentity::parse(&[0x30, 0x03, 1, 2, 3]),
            Err(CertificateError::NotX509)
        );
    }

    #[test]
    fn leading_zeros_of_a_serial_do_not_count() {
        assert_eq!(
            CertificateId::new(b"ca", &[0, 1]),
            CertificateId::new(b"ca", &[1])
        );
        assert_ne!(
            CertificateId::new(b"ca", &[1]),
            CertificateId::new(b"cb", &[1])
        );
    }
}
