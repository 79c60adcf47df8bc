//! Client certificates that are wrong in one way, issued by the gateway's own sample root.

use std::fs;
use std::path::PathBuf;

use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::CrlDistributionPoint;
use rcgen::CustomExtension;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::Issuer;
use rcgen::KeyIdMethod;
use rcgen::KeyPair;
use rcgen::OtherNameValue;
use rcgen::RevokedCertParams;
use rcgen::SanType;
use rcgen::SerialNumber;
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
    /// Not valid before tomorrow.
    pub(crate) early: bool,
    /// Octets of ballast.
    pub(crate) ballast: usize,
    /// 0 for one that nobody chose.
    pub(crate) serial: u8,
    /// Addresses of an OCSP responder, and of a list.
    pub(crate) responder: Option<String>,
    pub(crate) point: Option<String>,
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
            early: false,
            ballast: 0,
            serial: 0,
            responder: None,
            point: None,
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
    if wanted.early {
        params.not_before = now + Duration::days(1);
    }
    if wanted.serial > 0 {
        params.serial_number = Some(SerialNumber::from_slice(&[wanted.serial]));
    }
    if let Some(responder) = &wanted.responder {
        let oid = [1, 3, 6, 1, 5, 5, 7, 1, 1];
        let access = CustomExtension::from_oid_content(&oid, access(responder));
        params.custom_extensions.push(access);
    }
    if let Some(point) = &wanted.point {
        let uris = vec![point.clone()];
        params
            .crl_distribution_points
            .push(CrlDistributionPoint { uris });
    }
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
        params.signed_by(&key, &root(gateway)).unwrap()
    };
    let files = Files {
        certificate: gateway.path(&format!("{}.pem", wanted.name)),
        key: gateway.path(&format!("{}.key", wanted.name)),
    };
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

/// The list of the sample root, in DER.
pub(crate) fn list(gateway: &Gateway, serials: &[u8], number: u8) -> Vec<u8> {
    let now = OffsetDateTime::now_utc();
    let revoked = serials.iter().map(|&serial| RevokedCertParams {
        serial_number: SerialNumber::from_slice(&[serial]),
        revocation_time: now,
        reason_code: None,
        invalidity_date: None,
    });
    let params = CertificateRevocationListParams {
        this_update: now,
        next_update: now + Duration::days(1),
        crl_number: SerialNumber::from_slice(&[number]),
        issuing_distribution_point: None,
        revoked_certs: revoked.collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = params.signed_by(&root(gateway)).unwrap();
    list.der().to_vec()
}

fn root(gateway: &Gateway) -> Issuer<'static, KeyPair> {
    let key = fs::read_to_string(gateway.path("certs/keys/root.key")).unwrap();
    let key = KeyPair::from_pem(&key).unwrap();
    let root = fs::read_to_string(gateway.path("certs/root.pem")).unwrap();
    Issuer::from_ca_cert_pem(&root, key).unwrap()
}

/// AuthorityInfoAccessSyntax with one responder.
fn access(responder: &str) -> Vec<u8> {
    const OCSP: [u8; 10] = [6, 8, 0x2b, 6, 1, 5, 5, 7, 0x30, 1];
    let length = |octets: usize| u8::try_from(octets).unwrap();
    let mut description = OCSP.to_vec();
    description.extend([0x86, length(responder.len())]);
    description.extend(responder.as_bytes());
    let mut syntax = vec![
        0x30,
        length(description.len() + 2),
        0x30,
        length(description.len()),
    ];
    syntax.extend(description);
    syntax
}

/// A DER OCTET STRING.
fn octets(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut der = vec![0x04, 0x82];
    der.extend_from_slice(&length.to_be_bytes());
    der.extend_from_slice(content);
    der
}
