//! What the first start makes, so that one command runs the gateway: the conf folder from the
//! samples that are compiled in, the throw-away PKI, shared secrets and the data folder.
//!
//! Every step leaves alone what exists and is whole; what a killed start has left is finished or
//! made anew. Nothing is made from a configuration with errors, and no PKI while the gateway can be
//! reached by others.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use super::pki;
use super::pki::Kind;
use super::pki::Made;
use super::pki::Pki;
use super::pki::PkiError;
use super::pki::Renewal;
use super::write;
use super::write::Existing;
use super::write::Privacy;
use crate::config;
use crate::config::Draft;
use crate::config::Layout;
use crate::model::Timestamp;

/// Makes the conf folder from the samples, if there is none at `folder`.
///
/// # Errors
///
/// When it cannot be written; then no half of it is left.
pub fn make_conf(folder: &Path) -> Result<Vec<Made>, FirstStartError> {
    if folder.exists() {
        return Ok(Vec::new());
    }
    let fail = |source| FirstStartError::Conf {
        path: folder.to_owned(),
        source,
    };
    let temporary = write::beside(folder).map_err(fail)?;
    let written = fill(&temporary).and_then(|()| std::fs::rename(&temporary, folder));
    if let Err(source) = written {
        // The first failure is what counts; what cannot be removed has a name that shows it.
        drop(std::fs::remove_dir_all(&temporary));
        // Another start may have been faster.
        return if folder.exists() {
            Ok(Vec::new())
        } else {
            Err(fail(source))
        };
    }
    let made = |name: &&str| Made {
        path: folder.join(name),
        kind: Kind::Configuration,
    };
    Ok(config::DEFAULT_FILES
        .iter()
        .map(|(name, _)| name)
        .map(made)
        .collect())
}

/// Makes what a sound configuration points at and is missing: data folders always, PKI and
/// secrets where [`Draft::may_make_sample`] says so.
///
/// # Errors
///
/// When something cannot be made; what exists by then stays and is used by the next attempt.
pub fn prepare(draft: &Draft, now: Timestamp) -> Result<Vec<Made>, FirstStartError> {
    if draft.is_refused() {
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    for folder in draft.data_folders() {
        if folder.exists() {
            continue;
        }
        write::make_folder(&folder, Privacy::Private).map_err(|source| FirstStartError::Data {
            path: folder.clone(),
            source,
        })?;
        made.push(Made {
            path: folder,
            kind: Kind::Folder,
        });
    }
    if !draft.may_make_sample() {
        return Ok(made);
    }
    let secrets = draft.sample_secrets();
    pki::discard_halves(&draft.layout(), &secrets, now)?;
    if wants_pki(draft) {
        let conf = draft.folder();
        made.extend(make_pki(
            conf,
            draft.layout(),
            &secrets,
            now,
            Renewal::Never,
        )?);
    } else {
        made.extend(pki::make_secrets(&secrets)?);
    }
    Ok(made)
}

/// Whether the configuration uses certificates of the sample PKI, and that PKI is not there, or
/// there and able to add what is missing.
///
/// Where an administrator has put certificates of their own in the places of the sample, nothing
/// is missing and nothing is made.
fn wants_pki(draft: &Draft) -> bool {
    let layout = draft.layout();
    let mut used = draft
        .server_files()
        .into_iter()
        .filter(|path| layout.makes(path))
        .peekable();
    let uses_sample = used.peek().is_some();
    let incomplete = used.any(|path| !path.exists());
    let extensible = layout.key("root").exists()
        && config::inspect(&layout.certificate("root"))
            .is_ok_and(|found| found.iter().all(|one| one.sample));
    uses_sample && (incomplete || extensible)
}

/// Makes the PKI at `layout` for the devices of a conf folder, and the secrets that are missing.
///
/// # Errors
///
/// See [`PkiError`].
pub fn make_pki(
    conf: &Path,
    layout: Layout,
    secrets: &[PathBuf],
    now: Timestamp,
    renewal: Renewal,
) -> Result<Vec<Made>, PkiError> {
    pki::discard_halves(&layout, secrets, now)?;
    let devices = pki::read_devices(&conf.join("devices.csv"))?;
    let mut made = Pki::new(layout, now, renewal).make(&devices)?;
    made.extend(pki::make_secrets(secrets)?);
    Ok(made)
}

/// Why a first start could not make what is missing.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The conf folder.
    #[error("the conf folder {} cannot be made: {source}", path.display())]
    Conf {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A data folder.
    #[error("the data folder {} cannot be made: {source}", path.display())]
    Data {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The PKI or a secret.
    #[error("the sample PKI cannot be made: {0}")]
    Pki(#[from] PkiError),
}

fn fill(folder: &Path) -> io::Result<()> {
    write::make_folder(folder, Privacy::Open)?;
    for (name, text) in config::DEFAULT_FILES {
        let mode = if WITH_SECRETS.contains(name) {
            0o600
        } else {
            0o644
        };
        write::write(&folder.join(name), text.as_bytes(), mode, Existing::Keep)?;
    }
    Ok(())
}

/// Files in which people keep passwords or secrets.
const WITH_SECRETS: [&str; 4] = ["nas.toml", "proxy.toml", "source.toml", "users.toml"];

#[cfg(test)]
mod tests;
