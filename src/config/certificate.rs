//! What is in a certificate file: for `check`, which refuses some, and for `certs show`.

use std::net::IpAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use super::material::private_key;
use super::text::ReadError;
use super::text::read_octets;
use crate::model::CertificateIdentity;
use crate::model::Timestamp;

/// Organisation in the subject of every certificate of the throw-away PKI.
///
/// Its private keys lie on disk beside it and its samples are public knowledge, so a gateway that
/// others can reach must not trust it.
pub const SAMPLE_ORGANIZATION: &str = "Portreeve sample PKI, do not use";

/// One certificate of a file.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Names and validity.
    pub identity: CertificateIdentity,
    /// IP address alternatives, as text.
    pub addresses: Vec<String>,
    /// What it may be used for.
    pub usage: Usage,
    /// Whether subject or issuer belong to the throw-away PKI.
    pub sample: bool,
    /// The certificate itself.
    pub der: CertificateDer<'static>,
}

/// What a certificate says it may be used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// It may issue certificates.
    pub authority: bool,
    /// It may stand for a TLS server (`serverAuth`, or any purpose).
    pub server: bool,
    /// It may stand for a TLS client (`clientAuth`, or any purpose).
    pub client: bool,
}

impl Inspected {
    fn parse(der: CertificateDer<'static>) -> Result<Self, FileError> {
        let identity = CertificateIdentity::parse(&der)?;
        let (_, certificate) =
            X509Certificate::from_der(&der).map_err(|_| FileError::Certificate)?;
        let authority = certificate.is_ca();
        // No extension at all leaves every purpose open (RFC 5280 section 4.2.1.12), but
        // supplicants refuse a server without serverAuth, so absence counts as no for servers.
        let extended = certificate
            .extended_key_usage()
            .map_err(|_| FileError::Certificate)?
            .map(|extension| extension.value);
        let usage = Usage {
            authority,
            server: extended.is_some_and(|usage| usage.server_auth || usage.any),
            client: extended.is_some_and(|usage| usage.client_auth || usage.any),
        };
        let addresses = certificate
            .subject_alternative_name()
            .map_err(|_| FileError::Certificate)?
            .map(|names| ip_addresses(&names.value.general_names))
            .unwrap_or_default();
        let sample = [certificate.subject(), certificate.issuer()]
            .into_iter()
            .flat_map(|name| name.iter_organization())
            .any(|organization| organization.as_str() == Ok(SAMPLE_ORGANIZATION));
        Ok(Self {
            identity,
            addresses,
            usage,
            sample,
            der,
        })
    }

    /// Time left at `now`; `None` when the end has passed.
    #[must_use]
    pub fn remaining(&self, now: Timestamp) -> Option<Duration> {
        (self.identity.not_after >= now).then(|| self.identity.not_after.since(now))
    }

    /// Whole days left at `now`, negative once it has ended.
    #[must_use]
    pub fn days_left(&self, now: Timestamp) -> i64 {
        (self.identity.not_after.unix_seconds() - now.unix_seconds()).div_euclid(86_400)
    }

    /// Whether `name` is among its DNS names or addresses, with one wildcard label.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        let parent = name.split_once('.').map(|(_, parent)| parent);
        self.identity.dns_names.iter().any(|candidate| {
            candidate.eq_ignore_ascii_case(name)
                || candidate.strip_prefix("*.").is_some_and(|base| {
                    parent.is_some_and(|parent| base.eq_ignore_ascii_case(parent))
                })
        }) || self.addresses.iter().any(|address| address == name)
    }
}

fn ip_addresses(names: &[GeneralName<'_>]) -> Vec<String> {
    names
        .iter()
        .filter_map(|name| match name {
            GeneralName::IPAddress(octets) => Some(*octets),
            GeneralName::OtherName(..)
            | GeneralName::RFC822Name(_)
            | GeneralName::DNSName(_)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::URI(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => None,
        })
        .filter_map(|octets| {
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let v6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
            v4.or(v6).ok()
        })
        .map(|address| address.to_string())
        .take(CertificateIdentity::MAX_NAMES)
        .collect()
}

/// Reads every certificate of a PEM file, in its order.
///
/// # Errors
///
/// When the file cannot be read, or holds no certificate, or one that cannot be parsed.
pub fn inspect(path: &Path) -> Result<Vec<Inspected>, FileError> {
    let octets = read_octets(path, MAX_PEM)?;
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(&octets) {
        found.push(Inspected::parse(der.map_err(|_| FileError::Pem)?)?);
    }
    if found.is_empty() {
        return Err(FileError::NoCertificate);
    }
    Ok(found)
}

/// Whether the private key in `path` belongs to the first certificate of `chain`.
///
/// # Errors
///
/// When the file cannot be read or holds no usable private key, or that of another certificate.
pub fn check_key(path: &Path, chain: &[Inspected]) -> Result<(), FileError> {
    let key = private_key(path)?;
    let signer = any_supported_type(&key).map_err(|_| FileError::KeyKind)?;
    let chain = chain.iter().map(|one| one.der.clone()).collect();
    CertifiedKey::new(chain, Arc::clone(&signer))
        .keys_match()
        .map_err(|_| FileError::KeyMismatch)
}

/// Every `.pem` file below `folder` that holds certificates, with its certificates, sorted by
/// path; files with keys only are left out.
///
/// # Errors
///
/// When a folder cannot be listed. What is wrong with one file stands in its place.
pub fn inspect_folder(folder: &Path) -> Result<Vec<InspectedFile>, ReadError> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(ReadError::from)?;
        for entry in entries {
            let path = entry.map_err(ReadError::from)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "pem") {
                files.push(path);
            }
            if files.len() + folders.len() > MAX_FILES {
                return Err(ReadError::TooMany { limit: MAX_FILES });
            }
        }
    }
    files.sort();
    Ok(files
        .into_iter()
        .map(|path| {
            let certificates = inspect(&path);
            InspectedFile { path, certificates }
        })
        .collect())
}

/// A certificate file and what is in it.
#[derive(Debug)]
pub struct InspectedFile {
    /// Where it lies.
    pub path: PathBuf,
    /// Its certificates, or why there are none.
    pub certificates: Result<Vec<Inspected>, FileError>,
}

/// What is wrong with a certificate or key file.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not readable at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The frame of `-----BEGIN` and `-----END` is broken.
    #[error("is not a PEM file")]
    Pem,
    /// None of the PEM blocks is a certificate.
    #[error("holds no certificate")]
    NoCertificate,
    /// A block is no X.509 certificate.
    #[error("holds a certificate that cannot be read")]
    Certificate,
    /// A certificate's names cannot be read.
    #[error("holds a certificate that cannot be read: {0}")]
    Names(#[from] crate::model::CertificateError),
    /// None of the PEM blocks is a private key.
    #[error("holds no private key without a passphrase")]
    NoKey,
    /// RSA, ECDSA (P-256, P-384, P-521) and Ed25519 are known.
    #[error("holds a private key of a kind that TLS cannot use here")]
    KeyKind,
    /// None of the PEM blocks is a revocation list, or one cannot be read.
    #[error("holds no revocation list that can be read")]
    NoRevocationList,
    /// The key of another certificate.
    #[error("is not the key of this certificate")]
    KeyMismatch,
}

/// A bundle of every public authority has about 250 KiB.
pub(super) const MAX_PEM: u64 = 4 * 1024 * 1024;
/// Files of one certificates folder that are looked at.
const MAX_FILES: usize = 10_000;
