//! `portreeve-lab load certs`: certificates for the made-up devices, issued by a given root.

use std::fs;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;
use portreeve::net::Clock;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::OtherNameValue;
use rcgen::PKCS_ECDSA_P256_SHA256;
use rcgen::PKCS_RSA_SHA256;
use rcgen::RsaKeySize;
use rcgen::SanType;
use rcgen::SerialNumber;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::Duration;
use time::OffsetDateTime;

use super::unusable;
use super::world;

/// Issue certificates for made-up devices, those of `load inventory`.
#[derive(Clone, Debug, Args)]
pub(super) struct Arguments {
    /// Certificate of the issuing authority (PEM), one that the server trusts.
    #[arg(long, value_name = "FILE")]
    root: PathBuf,
    /// Its private key (PEM).
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// How many certificates.
    #[arg(long, value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// How many users the devices belong to: as many as `load inventory` was told.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// Kind of the devices' keys.
    #[arg(long, value_enum, default_value_t = Algorithm::P256)]
    algorithm: Algorithm,
    /// Give all of them the same key, where making one takes long.
    #[arg(long)]
    one_key: bool,
    /// Folder to write NAME.pem and NAME.key into.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    /// ECDSA with P-256.
    P256,
    /// RSA with 2048 bits.
    Rsa2048,
}

/// Writes the certificates.
pub(super) fn run(arguments: &Arguments) -> io::Result<()> {
    let root = CertificateDer::from_pem_file(&arguments.root)
        .map_err(|error| at(&arguments.root, &error))?;
    let key =
        fs::read_to_string(&arguments.root_key).map_err(|error| at(&arguments.root_key, &error))?;
    let key = KeyPair::from_pem(&key).map_err(|error| at(&arguments.root_key, &error))?;
    let issuer =
        Issuer::from_ca_cert_der(&root, key).map_err(|error| at(&arguments.root, &error))?;
    fs::create_dir_all(&arguments.out)?;
    let seconds = Clock::start().now().wall.unix_seconds();
    let now = OffsetDateTime::from_unix_timestamp(seconds).map_err(io::Error::other)?;
    let mut key = arguments.algorithm.key().map_err(io::Error::other)?;
    for n in 0..arguments.count {
        if n > 0 && !arguments.one_key {
            key = arguments.algorithm.key().map_err(io::Error::other)?;
        }
        let owner = world::user(n % arguments.users);
        let certificate = params(n, &owner, now)
            .and_then(|params| params.signed_by(&key, &issuer))
            .map_err(io::Error::other)?;
        let name = format!("load-{n:06}");
        write(
            &arguments.out,
            &format!("{name}.key"),
            0o600,
            &key.serialize_pem(),
        )?;
        write(
            &arguments.out,
            &format!("{name}.pem"),
            0o644,
            &certificate.pem(),
        )?;
    }
    writeln!(
        io::stdout(),
        "{} certificates are in {}.",
        arguments.count,
        arguments.out.display()
    )
}

impl Algorithm {
    /// A new key.
    pub(crate) fn key(self) -> Result<KeyPair, rcgen::Error> {
        match self {
            Self::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            Self::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        }
    }
}

/// What Intune's own certificate profiles write, and nothing else.
fn params(n: u32, owner: &str, now: OffsetDateTime) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, format!("load-{n}"));
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(30);
    let uri = format!("IntuneDeviceId://{}", world::device_id(n));
    let owner = OtherNameValue::Utf8String(owner.to_owned());
    params.subject_alt_names = vec![
        SanType::URI(uri.try_into()?),
        SanType::OtherName((PRINCIPAL_NAME.to_vec(), owner)),
    ];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    // Random, so that certificates of another run are others.
    let mut serial = [0; 16];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| rcgen::Error::RingUnspecified)?;
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40; // Positive and of full length (RFC 5280 section 4.1.2.2).
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn write(folder: &Path, name: &str, mode: u32, text: &str) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(mode);
    options.open(folder.join(name))?.write_all(text.as_bytes())
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    unusable(format!("{}: {error}", path.display()))
}

/// Microsoft's User Principal Name, an otherName of the subject.
const PRINCIPAL_NAME: [u64; 10] = [1, 3, 6, 1, 4, 1, 311, 20, 2, 3];

#[cfg(test)]
mod tests {
    use portreeve::model::CertificateIdentity;

    use super::*;

    #[test]
    fn certificates_name_device_and_owner() {
        let key = Algorithm::P256.key().unwrap();
        let params = params(7, "load7@example.com", OffsetDateTime::UNIX_EPOCH).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let names = CertificateIdentity::parse(certificate.der()).unwrap();
        assert_eq!(names.user(), Some("load7@example.com"));
        assert_eq!(names.intune_device_id(), Some(world::device_id(7)));
    }
}
