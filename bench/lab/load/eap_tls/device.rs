//! Devices: certificates and keys from folders, or users and their passwords.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use portreeve::eap::Outer;
use portreeve::eap::TlsVersion;
use portreeve::model::CertificateIdentity;
use portreeve::model::Secret;
use portreeve::probe::Credential;
use portreeve::probe::InsideSettings;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::TeapPeer;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::Arguments;
use crate::load::radius::station;
use crate::load::unusable;
use crate::load::world;
use crate::login::Logins;

/// One device.
#[derive(Debug)]
pub(super) struct Device {
    /// Its TLS client, which remembers what it can resume.
    pub(super) profile: Arc<Profile>,
    /// Outer identity and User-Name.
    pub(super) user: Vec<u8>,
    /// Calling-Station-Id.
    pub(super) station: [u8; 17],
}

/// Reads every certificate of the folder, in the order of their names.
pub(super) fn read(arguments: &Arguments) -> io::Result<Vec<Device>> {
    let roots = certificates(&arguments.ca)?;
    if let (Some(method), Some(users)) = (arguments.method, &arguments.users) {
        return users_of(arguments, method, users, &roots);
    }
    let folder = arguments.devices.as_ref();
    let folder = folder.ok_or_else(|| unusable("no --devices".to_owned()))?;
    let keys = arguments.keys.as_ref().unwrap_or(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(|error| at(folder, &error))?
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "pem"));
    files.sort();
    if files.is_empty() {
        return Err(unusable(format!("{} has no NAME.pem", folder.display())));
    }
    (0..)
        .zip(&files)
        .map(|(number, file)| {
            let name = file.file_stem().unwrap_or_default();
            let key = keys.join(name).with_added_extension("key");
            device(arguments, number, file, &key, roots.clone())
        })
        .collect()
}

/// Each user with a password, at a device without a certificate.
fn users_of(
    arguments: &Arguments,
    method: Outer,
    users: &str,
    roots: &[CertificateDer<'static>],
) -> io::Result<Vec<Device>> {
    let logins = Logins::read(users)?;
    (0..logins.len())
        .map(|number| {
            let (user, password) = logins.get(number);
            let mut settings = ProfileSettings::new(OUTSIDE, None, roots.to_vec());
            settings.method = method;
            settings.inside = Some(InsideSettings {
                inner: arguments.inside,
                by_eap: false,
                user: user.into_owned(),
                password: Secret::new(password.as_bytes().to_vec()),
                binding: true,
                resumes: true,
                early: false,
                teap: TeapPeer::default(),
            });
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            build(arguments, settings, OUTSIDE, number).map_err(unusable)
        })
        .collect()
}

fn build(
    arguments: &Arguments,
    mut settings: ProfileSettings,
    user: &str,
    number: u32,
) -> Result<Device, String> {
    if let Some(version) = arguments.tls {
        (settings.lowest, settings.highest) = (version, version);
    } else {
        (settings.lowest, settings.highest) = (TlsVersion::Tls12, TlsVersion::Tls13);
    }
    settings.max_packet = arguments.fragment.into();
    settings.remembered = if arguments.resume { REMEMBERED } else { 0 };
    let profile = Profile::build(settings).map_err(|error| error.to_string())?;
    Ok(Device {
        profile: Arc::new(profile),
        user: user.as_bytes().to_vec(),
        station: station(world::mac(number)),
    })
}

fn device(
    arguments: &Arguments,
    number: u32,
    file: &Path,
    key: &Path,
    roots: Vec<CertificateDer<'static>>,
) -> io::Result<Device> {
    let chain = certificates(file)?;
    let names = chain.first().map(|leaf| CertificateIdentity::parse(leaf));
    let Some(Ok(names)) = names else {
        return Err(unusable(format!("{}: no certificate", file.display())));
    };
    let user = names
        .user()
        .or(names.common_name.as_deref())
        .unwrap_or("anonymous");
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| at(key, &error))?;
    let settings = ProfileSettings::new(user, Some(Credential { chain, key }), roots);
    build(arguments, settings, user, number).map_err(|error| at(file, &error))
}

fn certificates(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    CertificateDer::pem_file_iter(file)
        .and_then(Iterator::collect)
        .map_err(|error| at(file, &error))
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    unusable(format!("{}: {error}", path.display()))
}

/// The name outside of a tunnel.
const OUTSIDE: &str = "anonymous@example.com";

/// Sessions that a device remembers. It speaks to one server and needs the last one; rustls keeps
/// several.
const REMEMBERED: usize = 4;
