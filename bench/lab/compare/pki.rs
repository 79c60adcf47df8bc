//! Certificates for a case: a root, a RADIUS server, devices, and a list of what is revoked.

use std::fs;
use std::io;
use std::time::Duration;

use portreeve::net::Clock;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertificateRevocationListParams;
use rcgen::CertifiedIssuer;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyIdMethod;
use rcgen::KeyUsagePurpose;
use rcgen::RevokedCertParams;
use rcgen::SanType;
use rcgen::SerialNumber;
use time::OffsetDateTime;

use super::Setting;
use super::folder::text;
use super::gateway::USERS;
use crate::load::Algorithm;

/// A folder of certificates that have one kind of keys.
#[derive(Debug)]
pub(super) struct Pki {
    name: &'static str,
    folder: String,
}

impl Pki {
    /// Makes them: `cold` devices for full handshakes, and some that resume.
    pub(super) fn make(setting: &Setting, algorithm: Algorithm, cold: u32) -> io::Result<Self> {
        Self::make_with(setting, algorithm, algorithm, cold)
    }

    /// The same with another kind of key for the server than for root and devices.
    pub(super) fn make_with(
        setting: &Setting,
        algorithm: Algorithm,
        server: Algorithm,
        cold: u32,
    ) -> io::Result<Self> {
        let name = match (algorithm, server) {
            (Algorithm::P256, Algorithm::P256) => "p256",
            (Algorithm::P256, Algorithm::Rsa2048) => "p256-rsa2048",
            (Algorithm::Rsa2048, _) => "rsa2048",
        };
        let pki = Self {
            name,
            folder: text(&setting.folder.path(name)),
        };
        pki.make_root(setting, algorithm, server)
            .map_err(io::Error::other)?;
        pki.make_devices(setting, algorithm, COLD, cold)?;
        pki.make_devices(setting, algorithm, WARM, RESUMING)?;
        Ok(pki)
    }

    /// Of the kind of keys, as arguments name it.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// A file or folder of it.
    pub(super) fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    fn make_root(
        &self,
        setting: &Setting,
        algorithm: Algorithm,
        of_server: Algorithm,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let now = Clock::start().now().wall.unix_seconds();
        let begin = OffsetDateTime::from_unix_timestamp(now)? - Duration::from_secs(3600);
        let end = begin + Duration::from_secs(30 * 24 * 3600);
        let params = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            (params.not_before, params.not_after) = (begin, end);
            params
        };
        let mut root = params("Comparison root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root = CertifiedIssuer::self_signed(root, algorithm.key()?)?;
        let mut server = params("Comparison server");
        server.subject_alt_names = vec![SanType::DnsName("radius.portreeve.test".try_into()?)];
        server.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let key = of_server.key()?;
        let server = server.signed_by(&key, &root)?;
        let list = CertificateRevocationListParams {
            this_update: begin,
            next_update: end,
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: (0..REVOKED).map(|serial| revoked(serial, begin)).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&root)?;
        let write =
            |file: &str, text: &str| setting.folder.write(&format!("{}/{file}", self.name), text);
        write("root.pem", &root.pem())?;
        write("root.key", &root.key().serialize_pem())?;
        write("server.pem", &server.pem())?;
        write("server.key", &key.serialize_pem())?;
        write("revoked.pem", &list.pem()?)?;
        Ok(())
    }

    fn make_devices(
        &self,
        setting: &Setting,
        algorithm: Algorithm,
        folder: &str,
        count: u32,
    ) -> io::Result<()> {
        fs::create_dir_all(self.file(folder))?;
        let (root, root_key) = (self.file("root.pem"), self.file("root.key"));
        let (count, users, out) = (count.to_string(), USERS.to_string(), self.file(folder));
        let mut command = vec!["load", "certs", "--root", &root, "--root-key", &root_key];
        command.extend(["--count", &count, "--users", &users, "--out", &out]);
        command.extend([
            "--algorithm",
            match algorithm {
                Algorithm::P256 => "p256",
                Algorithm::Rsa2048 => "rsa2048",
            },
        ]);
        if algorithm == Algorithm::Rsa2048 {
            // Ten thousand keys of this kind take a quarter of an hour.
            command.push("--one-key");
        }
        setting.folder.make(&command)
    }
}

/// Serial numbers of 16 octets that are nobody's: those of the devices begin with another octet.
fn revoked(number: u32, time: OffsetDateTime) -> RevokedCertParams {
    let mut serial = [1; 16];
    if let Some(last) = serial.last_chunk_mut() {
        *last = number.to_be_bytes();
    }
    RevokedCertParams {
        serial_number: SerialNumber::from_slice(&serial),
        revocation_time: time,
        reason_code: None,
        invalidity_date: None,
    }
}

/// The folder of those whose handshakes are full, and of those that resume.
pub(super) const COLD: &str = "cold";
pub(super) const WARM: &str = "warm";

/// Devices that resume: each holds one conversation at a time.
const RESUMING: u32 = 128;

/// Certificates that are revoked, none of them a device's.
const REVOKED: u32 = 1_000;
