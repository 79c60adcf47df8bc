//! The authority of RADIUS servers and NASes that speak over TLS, and one that nobody knows.

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::CertifiedIssuer;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyIdMethod;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::OtherNameValue;
use rcgen::RevokedCertParams;
use rcgen::SanType;
use rcgen::SerialNumber;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

/// The authority of NASes, and one that the gateway does not know.
pub(crate) struct Pki {
    pub(crate) authority: CertifiedIssuer<'static, KeyPair>,
    foreign: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Holder {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: KeyPair,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    Authority,
    Time,
}

impl Pki {
    pub(crate) fn new() -> Self {
        Self {
            authority: authority("NAS authority"),
            foreign: authority("NAS authority of somebody else"),
        }
    }

    pub(crate) fn issue(&self, name: &str, serial: u8, wrong: Wrong) -> Holder {
        self.issue_with(name, serial, wrong, None)
    }

    /// A home server's that bears a realm (RFC 7585 section 2.2).
    pub(crate) fn issue_for_realm(&self, name: &str, serial: u8, realm: &str) -> Holder {
        self.issue_with(name, serial, Wrong::Nothing, Some(realm))
    }

    fn issue_with(&self, name: &str, serial: u8, wrong: Wrong, realm: Option<&str>) -> Holder {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if let Some(realm) = realm {
            let value = OtherNameValue::Utf8String(realm.to_owned());
            let kind = vec![1, 3, 6, 1, 5, 5, 7, 8, 8];
            params
                .subject_alt_names
                .push(SanType::OtherName((kind, value)));
        }
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .subject_alt_names
            .push(SanType::IpAddress([127, 0, 0, 1].into()));
        params.serial_number = Some(SerialNumber::from_slice(&[serial]));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let now = OffsetDateTime::now_utc();
        let end = if wrong == Wrong::Time { -1 } else { 30 };
        params.not_before = now - time::Duration::days(30);
        params.not_after = now + time::Duration::days(end);
        let key = KeyPair::generate().unwrap();
        let issuer = match wrong {
            Wrong::Authority => &self.foreign,
            Wrong::Nothing | Wrong::Time => &self.authority,
        };
        let certificate = params.signed_by(&key, issuer).unwrap();
        Holder {
            certificate: certificate.der().clone(),
            key,
        }
    }

    pub(crate) fn revocation_list(&self, serials: &[u8]) -> String {
        let now = OffsetDateTime::now_utc();
        let revoked = serials.iter().map(|&serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&[serial]),
            revocation_time: now - time::Duration::days(1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: now - time::Duration::days(1),
            next_update: now + time::Duration::days(30),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.authority).unwrap().pem().unwrap()
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

impl Holder {
    pub(crate) fn pem(&self) -> String {
        pem(&self.certificate)
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = base64_of(certificate);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}

fn base64_of(octets: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(octets)
}
