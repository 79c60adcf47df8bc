//! Client certificates that are wrong in one way, issued by the gateway's own sample root.

use std::fs;
use std::path::PathBuf;

use rcgen::CertificateParams;
use rcgen::CustomExtension;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::OtherNameValue;
use rcgen::SanType;
use time::Duration;
use time::OffsetDateTime;

use crate::gateway::Gateway;

/// What a certificate says; good by default.
pub(crate) struct Wanted {
    pub(crate) name: &'static str,
    /// Intune's id; empty for none.
    pub(crate) device: &'static str,
    /// Empty for none.
    pub(crate) user: &'static str,
    /// DNS name of the machine; empty for none.
    pub(crate) machine: &'static str,
    pub(crate) expired: bool,
    pub(crate) usage: ExtendedKeyUsagePurpose,
    pub(crate) foreign: bool,
    /// Octets of ballast.
    pub(crate) ballast: usize,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            name: "good",
            device: "5d1c8a40-6f2e-4b7a-9c31-000000000001",
            user: "alice@example.com",
            machine: "",
            expired: false,
            usage: ExtendedKeyUsagePurpose::ClientAuth,
            foreign: false,
            ballast: 0,
        }
    }
}

/// Files of a certificate and its key.
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The certificate of a sample device.
pub(crate) fn sample(gateway: &Gateway, device: &str) -> Files {
    Files {
        certificate: gateway.path(&format!("certs/devices/{device}.pem")),
        key: gateway.path(&format!("certs/keys/devices/{device}.key")),
    }
}

/// Issues what is wanted.
pub(crate) fn issue(gateway: &Gateway, wanted: &Wanted) -> Files {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, wanted.name);
    if !wanted.device.is_empty() {
        let uri = format!("IntuneDeviceId://{}", wanted.device);
        let uri = SanType::URI(uri.try_into().unwrap());
        params.subject_alt_names.push(uri);
    }
    if !wanted.machine.is_empty() {
        let name = SanType::DnsName(wanted.machine.try_into().unwrap());
        params.subject_alt_names.push(name);
    }
    if !wanted.user.is_empty() {
        params.subject_alt_names.push(SanType::OtherName((
            vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
            OtherNameValue::Utf8String(wanted.user.into()),
        )));
    }
    params.extended_key_usages = vec![wanted.usage.clone()];
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(30);
    params.not_after = now
        + if wanted.expired {
            -Duration::days(1)
        } else {
            Duration::days(30)
        };
    if wanted.ballast > 0 {
        let oid = [1, 3, 6, 1, 4, 1, 99999, 1];
        let content = vec![0x41; wanted.ballast];
        params
            .custom_extensions
            .push(CustomExtension::from_oid_content(&oid, octets(&content)));
    }
    let key = KeyPair::generate().unwrap();
    let certificate = if wanted.foreign {
        let mut root = CertificateParams::default();
        root.distinguished_name
            .push(DnType::CommonName, "somebody else's root");
        params
            .signed_by(&key, &Issuer::new(root, KeyPair::generate().unwrap()))
            .unwrap()
    } else {
        let root_key = fs::read_to_string(gateway.path("certs/keys/root.key")).unwrap();
        let root_key = KeyPair::from_pem(&root_key).unwrap();
        let root = fs::read_to_string(gateway.path("certs/root.pem")).unwrap();
        params
            .signed_by(&key, &Issuer::from_ca_cert_pem(&root, root_key).unwrap())
            .unwrap()
    };
    let files = Files {
        certificate: gateway.path(&format!("{}.pem", wanted.name)),
        key: gateway.path(&format!("{}.key", wanted.name)),
    };
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

/// A DER OCTET STRING.
fn octets(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut der = vec![0x04, 0x82];
    der.extend_from_slice(&length.to_be_bytes());
    der.extend_from_slice(content);
    der
}
