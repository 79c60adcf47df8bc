//! What a start that was killed may have left behind, and what of it can stay.
//!
//! Every file is written whole beside its place, made durable and then named, a key before its
//! certificate. So at each step what lies there is whole, and the next start adds the rest. Halves
//! come from elsewhere all the same, a disk that lost what it was given or a copy that was cut, and
//! certificates may lie beside another key or root than their own.

use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use super::LETTERS;
use super::PkiError;
use super::at;
use crate::app::write;
use crate::config::FileError;
use crate::config::Inspected;
use crate::config::Layout;
use crate::config::check_key;
use crate::config::inspect;
use crate::model::Timestamp;

/// Removes halves of files in the places of the PKI and of `secrets`, and what writes that never
/// ended have left beside them.
///
/// A root's certificate without its key is of no use, so it goes with half a key.
///
/// # Errors
///
/// When a file cannot be read or removed.
pub fn discard_halves(
    layout: &Layout,
    secrets: &[PathBuf],
    now: Timestamp,
) -> Result<(), PkiError> {
    let (root, root_key) = (layout.certificate("root"), layout.key("root"));
    let lost = is_half(&root_key, is_half_pem)?;
    if lost && inspect(&root).is_ok_and(|found| all_sample(&found)) {
        remove(&root)?;
    }
    let private = [layout.keys(), layout.device_keys()];
    let open = [layout.folder().to_owned(), layout.devices()];
    for folder in private.iter().chain(&open) {
        write::remove_leftovers(folder, now, LEFTOVER_AGE).map_err(at(folder))?;
        for path in files(folder)? {
            let ours = path
                .extension()
                .is_some_and(|end| end == "pem" || end == "key");
            if ours && is_half(&path, is_half_pem)? {
                remove(&path)?;
            }
        }
    }
    write::remove_leftovers(&layout.secrets(), now, LEFTOVER_AGE).map_err(at(&layout.secrets()))?;
    for path in secrets {
        if is_half(path, is_half_secret)? {
            remove(path)?;
        }
    }
    Ok(())
}

/// Whether the root's certificate can stay: it is of the key that lies beside it, or not ours to
/// replace.
pub(super) fn root_stays(path: &Path, key: &Path) -> bool {
    match inspect(path) {
        Ok(found) if all_sample(&found) => is_of(key, &found),
        Ok(_) | Err(_) => true,
    }
}

/// Whether a certificate can stay: it is of its key and was issued by the root with the key
/// `issuer`, or it is not ours to replace.
pub(super) fn leaf_stays(path: &Path, key: &Path, issuer: &[u8]) -> bool {
    match inspect(path) {
        Ok(found) if all_sample(&found) => {
            let by = found.first().and_then(|one| key_ids(&one.der).issuer);
            by.as_deref() == Some(issuer) && is_of(key, &found)
        }
        Ok(_) | Err(_) => true,
    }
}

/// The identifier of a root's key, which stands in all that it has issued.
pub(super) fn key_id(root: &Inspected) -> Vec<u8> {
    key_ids(&root.der).own.unwrap_or_default()
}

/// A key that is there and cannot be read is somebody's mistake, which is told elsewhere.
fn is_of(key: &Path, chain: &[Inspected]) -> bool {
    match check_key(key, chain) {
        Ok(()) => true,
        Err(FileError::KeyMismatch) => false,
        Err(_) => key.exists(),
    }
}

fn all_sample(found: &[Inspected]) -> bool {
    found.iter().all(|one| one.sample)
}

#[derive(Default)]
struct KeyIds {
    own: Option<Vec<u8>>,
    issuer: Option<Vec<u8>>,
}

fn key_ids(der: &[u8]) -> KeyIds {
    let mut ids = KeyIds::default();
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return ids;
    };
    for extension in certificate.extensions() {
        let parsed = extension.parsed_extension();
        if let ParsedExtension::SubjectKeyIdentifier(id) = parsed {
            ids.own = Some(id.0.to_vec());
        } else if let ParsedExtension::AuthorityKeyIdentifier(id) = parsed {
            ids.issuer = id.key_identifier.as_ref().map(|id| id.0.to_vec());
        }
    }
    ids
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, PkiError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(at(folder)(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(at(folder))?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn is_half(path: &Path, judge: fn(&[u8]) -> bool) -> Result<bool, PkiError> {
    match std::fs::read(path) {
        Ok(octets) => Ok(judge(&octets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at(path)(error)),
    }
}

/// Nothing, zeros where the content should be, or a block that begins and does not end. Anything
/// else may be somebody's and stays.
fn is_half_pem(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    let cut_in_its_first_line = BEGIN.starts_with(&*text);
    let ends = text
        .lines()
        .filter(|line| line.starts_with("-----END ") && line.trim_end().ends_with("-----"))
        .filter(|line| line.trim_end().len() > "-----END -----".len());
    is_blank(octets)
        || cut_in_its_first_line
        || text.starts_with(BEGIN) && text.matches(BEGIN).count() > ends.count()
}

/// As [`is_half_pem`]: what is left of one of ours and too short to be used. A longer rest is as
/// good a secret as any.
fn is_half_secret(octets: &[u8]) -> bool {
    let of_ours = |octet: &u8| LETTERS.as_bytes().contains(octet);
    is_blank(octets) || octets.len() < SHORTEST_SECRET && octets.iter().all(of_ours)
}

fn is_blank(octets: &[u8]) -> bool {
    octets
        .iter()
        .all(|octet| *octet == 0 || octet.is_ascii_whitespace())
}

fn remove(path: &Path) -> Result<(), PkiError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

const BEGIN: &str = "-----BEGIN ";
/// `check` takes no shorter one.
const SHORTEST_SECRET: usize = 16;
/// A write takes milliseconds; another start may be in the middle of a younger one.
const LEFTOVER_AGE: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_told_from_what_people_write() {
        let whole = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for end in 0..whole.len() - 1 {
            assert!(is_half_pem(&whole.as_bytes()[..end]), "row {end}");
        }
        for text in [whole, whole.trim_end(), "mine", "# a note\n-----BEGIN"] {
            assert!(!is_half_pem(text.as_bytes()), "row {text}");
        }
        let more = format!("{whole}a note\n");
        assert!(!is_half_pem(more.as_bytes()), "text behind it");
        assert!(is_half_pem(&[0; 300]));
        for (text, half) in [
            ("", true),
            ("\n", true),
            ("abcdefgh", true),
            ("abcdefghijkmnpqr", false),
            ("short\n", false),
            ("UPPER", false),
        ] {
            assert_eq!(is_half_secret(text.as_bytes()), half, "row {text}");
        }
    }
}
