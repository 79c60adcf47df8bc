//! A throw-away PKI, so that a gateway can be tried without one's own.
//!
//! One root issues the RADIUS server's certificate, that of the mail front and one for each sample
//! device. Every subject carries [`SAMPLE_ORGANIZATION`], by which `check` refuses the lot on any
//! address that others can reach.
//!
//! Making is repeatable. A key or certificate that exists is left alone, a missing one is added,
//! and a certificate that is issued anew keeps the key that lies there. One that is not of the key
//! or the root that lie there is issued anew. So a start that was interrupted, or two starts at
//! once, end with files that belong together.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::path::Path;
use std::path::PathBuf;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::OtherNameValue;
use rcgen::PKCS_ECDSA_P256_SHA256;
use rcgen::SanType;
use rcgen::SerialNumber;
use time::Duration;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::write::Existing;
use super::write::Privacy;
use super::write::make_folder;
use super::write::random;
use super::write::write;
use crate::config::FileError;
use crate::config::Inspected;
use crate::config::Layout;
use crate::config::SAMPLE_ORGANIZATION;
use crate::config::inspect;
use crate::model::DeviceId;
use crate::model::Timestamp;

mod device;
mod heal;

pub use device::SampleDevice;
pub use device::read_devices;
pub use heal::discard_halves;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub kind: Kind,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.path.display(), self.kind)
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A certificate.
    Certificate,
    /// A private key.
    Key,
    /// A shared secret.
    Secret,
    /// A configuration file.
    Configuration,
    /// A folder for data.
    Folder,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "private key",
            Self::Secret => "shared secret",
            Self::Configuration => "configuration",
            Self::Folder => "folder",
        })
    }
}

/// What happens to certificates that are there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// They stay.
    Never,
    /// They are issued anew with the keys they have. Only certificates of a throw-away PKI are
    /// replaced, any other is an error.
    Sample,
}

/// The throw-away PKI of one folder.
#[derive(Debug)]
pub struct Pki {
    layout: Layout,
    now: OffsetDateTime,
    renewal: Renewal,
    made: Vec<Made>,
}

impl Pki {
    /// The PKI at `layout`, dated by `now`.
    #[must_use]
    pub fn new(layout: Layout, now: Timestamp, renewal: Renewal) -> Self {
        Self {
            layout,
            // Outside the calendar nothing can be dated; the epoch at least is visibly wrong.
            now: OffsetDateTime::from_unix_timestamp(now.unix_seconds())
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
            renewal,
            made: Vec::new(),
        }
    }

    /// Makes the root, both servers' certificates and one for each of `devices`; returns what was
    /// written.
    ///
    /// # Errors
    ///
    /// See [`PkiError`]. What was written until then stays and is used by the next attempt.
    pub fn make(mut self, devices: &[SampleDevice]) -> Result<Vec<Made>, PkiError> {
        let root = self.root()?;
        self.server(&root, "radius", &["radius.portreeve.test"], &[])?;
        let loopback = [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            IpAddr::from(Ipv6Addr::LOCALHOST),
        ];
        self.server(
            &root,
            "eas",
            &["mail.portreeve.test", "localhost"],
            &loopback,
        )?;
        for device in devices {
            self.device(&root, device)?;
        }
        Ok(self.made)
    }

    /// Makes the certificate of one device, and the root if there is none; returns what was
    /// written.
    ///
    /// # Errors
    ///
    /// See [`PkiError`].
    pub fn make_device(mut self, device: &SampleDevice) -> Result<Vec<Made>, PkiError> {
        let root = self.root()?;
        self.device(&root, device)?;
        Ok(self.made)
    }

    fn root(&mut self) -> Result<Root, PkiError> {
        let path = self.layout.certificate("root");
        let key_path = self.layout.key("root");
        make_folder(self.layout.folder(), Privacy::Open).map_err(at(self.layout.folder()))?;
        let keys = self.layout.keys();
        make_folder(&keys, Privacy::Private).map_err(at(&keys))?;
        if path.exists() && !key_path.exists() {
            return Err(PkiError::NoRootKey { path: key_path });
        }
        let key = self.key(&key_path)?;
        let existing = match self.renewal {
            Renewal::Never if heal::root_stays(&path, &key_path) => Existing::Keep,
            Renewal::Never | Renewal::Sample => Existing::Replace,
        };
        let mut params = self.params("root", ROOT_LIFETIME)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(PkiError::Issue)?;
        self.certificate(&path, &certificate.pem(), existing)?;

        // What lies there now is the root, whoever wrote it.
        let found = sample_only(&path)?;
        let first = found
            .first()
            .ok_or_else(|| PkiError::NotSample { path: path.clone() })?;
        let not_after =
            OffsetDateTime::from_unix_timestamp(first.identity.not_after.unix_seconds())
                .unwrap_or(self.now);
        let issuer = Issuer::from_ca_cert_der(&first.der, key).map_err(PkiError::Issue)?;
        Ok(Root {
            issuer,
            key_id: heal::key_id(first),
            not_after,
        })
    }

    fn server(
        &mut self,
        root: &Root,
        name: &str,
        dns_names: &[&str],
        addresses: &[IpAddr],
    ) -> Result<(), PkiError> {
        let mut params = self.params(dns_names.first().copied().unwrap_or(name), LEAF_LIFETIME)?;
        for name in dns_names {
            let name = (*name).try_into().map_err(PkiError::Issue)?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        let addresses = addresses.iter().map(|address| SanType::IpAddress(*address));
        params.subject_alt_names.extend(addresses);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (path, key_path) = (self.layout.certificate(name), self.layout.key(name));
        self.leaf(root, params, &path, &key_path)
    }

    fn device(&mut self, root: &Root, device: &SampleDevice) -> Result<(), PkiError> {
        let open = self.layout.devices();
        make_folder(&open, Privacy::Open).map_err(at(&open))?;
        let private = self.layout.device_keys();
        make_folder(&private, Privacy::Private).map_err(at(&private))?;

        let mut params = self.params(&device.label(), LEAF_LIFETIME)?;
        let uri = format!("IntuneDeviceId://{}", device.id);
        let uri = uri.try_into().map_err(PkiError::Issue)?;
        params.subject_alt_names.push(SanType::URI(uri));
        if let Some(owner) = &device.owner {
            let value = OtherNameValue::Utf8String(owner.clone());
            let name = SanType::OtherName((PRINCIPAL_NAME.to_vec(), value));
            params.subject_alt_names.push(name);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let name = self.device_file(device);
        let path = self.layout.device_certificate(&name);
        let key_path = self.layout.device_key(&name);
        self.leaf(root, params, &path, &key_path)
    }

    /// The device's name as a file name; with the beginning of its id when another device has it.
    fn device_file(&self, device: &SampleDevice) -> String {
        let name = device.file_name();
        let path = self.layout.device_certificate(&name);
        if path.exists() && device_of(&path) != Some(device.id) {
            let id = device.id.to_string();
            return format!("{name}-{}", id.get(..8).unwrap_or(&id));
        }
        name
    }

    fn leaf(
        &mut self,
        root: &Root,
        mut params: CertificateParams,
        path: &Path,
        key_path: &Path,
    ) -> Result<(), PkiError> {
        let existing = match self.renewal {
            Renewal::Never if !path.exists() => Existing::Keep,
            Renewal::Never if heal::leaf_stays(path, key_path, &root.key_id) => return Ok(()),
            Renewal::Never | Renewal::Sample => Existing::Replace,
        };
        params.not_after = params.not_after.min(root.not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = self.key(key_path)?;
        let certificate = params
            .signed_by(&key, &root.issuer)
            .map_err(PkiError::Issue)?;
        self.certificate(path, &certificate.pem(), existing)
    }

    fn params(&self, common_name: &str, lifetime: Duration) -> Result<CertificateParams, PkiError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, SAMPLE_ORGANIZATION);
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = self.now - CLOCK_SKEW;
        params.not_after = self.now + lifetime;
        // Random, because a certificate issued anew for the same key needs another number; the
        // first bit is zero so that the number is positive (RFC 5280 section 4.1.2.2).
        let mut serial = [0; 16];
        random(&mut serial).map_err(at(self.layout.folder()))?;
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x7f | 0x40;
        }
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        Ok(params)
    }

    /// The private key at `path`, made if there is none.
    fn key(&mut self, path: &Path) -> Result<KeyPair, PkiError> {
        if !path.exists() {
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(PkiError::Issue)?;
            let pem = Zeroizing::new(key.serialize_pem());
            let written = write(path, pem.as_bytes(), PRIVATE, Existing::Keep).map_err(at(path))?;
            if written {
                self.note(path, Kind::Key);
                return Ok(key);
            }
        }
        let pem = Zeroizing::new(std::fs::read_to_string(path).map_err(at(path))?);
        KeyPair::from_pem(&pem).map_err(|_| PkiError::Key {
            path: path.to_owned(),
        })
    }

    fn certificate(&mut self, path: &Path, pem: &str, existing: Existing) -> Result<(), PkiError> {
        if existing == Existing::Replace && path.exists() {
            sample_only(path)?;
        }
        if write(path, pem.as_bytes(), OPEN, existing).map_err(at(path))? {
            self.note(path, Kind::Certificate);
        }
        Ok(())
    }

    fn note(&mut self, path: &Path, kind: Kind) {
        self.made.push(Made {
            path: path.to_owned(),
            kind,
        });
    }
}

/// Makes the shared secrets among `paths` that do not exist: 32 letters and digits, 160 random
/// bits, which any NAS takes.
///
/// # Errors
///
/// When a file cannot be written.
pub fn make_secrets(paths: &[PathBuf]) -> Result<Vec<Made>, PkiError> {
    let mut made = Vec::new();
    for path in paths.iter().filter(|path| !path.exists()) {
        if let Some(folder) = path.parent() {
            make_folder(folder, Privacy::Private).map_err(at(folder))?;
        }
        let mut octets = Zeroizing::new([0; SECRET_LETTERS]);
        random(octets.as_mut_slice()).map_err(at(path))?;
        // 32 letters divide 256 evenly, so each is equally likely.
        let letters = octets.iter().map(|octet| {
            let index = usize::from(octet % 32);
            LETTERS.as_bytes().get(index).copied().unwrap_or(b'a')
        });
        let secret: Zeroizing<Vec<u8>> = Zeroizing::new(letters.chain([b'\n']).collect());
        if write(path, &secret, PRIVATE, Existing::Keep).map_err(at(path))? {
            made.push(Made {
                path: path.clone(),
                kind: Kind::Secret,
            });
        }
    }
    Ok(made)
}

struct Root {
    issuer: Issuer<'static, KeyPair>,
    /// Its key's identifier.
    key_id: Vec<u8>,
    not_after: OffsetDateTime,
}

/// Why the throw-away PKI could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The key that is there cannot be used.
    #[error("{} holds no private key that can sign; move it away to have one made", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
    },
    /// The root's certificate is there without its key.
    #[error(
        "{} is missing, so nothing can be issued; move root.pem away to begin a new PKI", path.display()
    )]
    NoRootKey {
        /// Where the key should be.
        path: PathBuf,
    },
    /// A file in the way is not of a throw-away PKI.
    #[error("{} is not of the sample PKI and stays as it is; move it away first", path.display())]
    NotSample {
        /// Which file.
        path: PathBuf,
    },
    /// A file in the way cannot be read as a certificate.
    #[error("{} {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: FileError,
    },
    /// The devices' file cannot be read.
    #[error("{}: {source}", path.display())]
    Devices {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: csv::Error,
    },
    /// A name cannot be put into a certificate, or signing failed.
    #[error("the certificate cannot be issued: {0}")]
    Issue(#[source] rcgen::Error),
}

/// The certificates of `path`, provided that every one is of a throw-away PKI.
fn sample_only(path: &Path) -> Result<Vec<Inspected>, PkiError> {
    let found = inspect(path).map_err(|source| PkiError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    if found.iter().all(|one| one.sample) {
        Ok(found)
    } else {
        Err(PkiError::NotSample {
            path: path.to_owned(),
        })
    }
}

/// The device that the certificate at `path` was issued to.
fn device_of(path: &Path) -> Option<DeviceId> {
    inspect(path).ok()?.first()?.identity.intune_device_id()
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PkiError {
    let path = path.to_owned();
    move |source| PkiError::Io { path, source }
}

const ROOT_LIFETIME: Duration = Duration::days(2 * 365);
const LEAF_LIFETIME: Duration = Duration::days(365);
/// A device whose clock is behind by less than this accepts a certificate made just now.
const CLOCK_SKEW: Duration = Duration::hours(1);
/// Mode of files that only the owner may read.
const PRIVATE: u32 = 0o600;
/// Mode of certificates.
const OPEN: u32 = 0o644;
/// Letters of a shared secret: five random bits each.
const SECRET_LETTERS: usize = 32;
/// Without 0, 1, l and o, which people mistake for one another.
const LETTERS: &str = "abcdefghijkmnpqrstuvwxyz23456789";
/// User principal name, 1.3.6.1.4.1.311.20.2.3.
const PRINCIPAL_NAME: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

#[cfg(test)]
mod tests;
