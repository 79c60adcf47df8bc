//! Lists on disk, each with the address that it came from and the marks by which the server knows
//! whether it has changed.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use crate::model::Fingerprint;
use crate::model::Timestamp;
use crate::store::Format;
use crate::store::SnapshotError;

/// A list as it was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) address: String,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
    pub(super) der: Vec<u8>,
}

impl Saved {
    /// Puts it into the folder, in the place of the one from the same address.
    pub(super) fn write(&self, folder: &Path, at: Timestamp) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let texts = [
            self.address.as_str(),
            self.etag.as_deref().unwrap_or_default(),
            self.last_modified.as_deref().unwrap_or_default(),
        ];
        let mut head = Vec::new();
        for text in texts {
            let length = u16::try_from(text.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
            head.extend_from_slice(&length.to_le_bytes());
            head.extend_from_slice(text.as_bytes());
        }
        FORMAT.write(&place(folder, &self.address), at, &[&head, &self.der])?;
        Ok(())
    }

    fn read(content: &[u8]) -> Option<Self> {
        let mut rest = content;
        let mut text = || {
            let (length, after) = rest.split_first_chunk()?;
            let (text, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
            rest = after;
            String::from_utf8(text.to_vec()).ok()
        };
        let (address, etag, last_modified) = (text()?, text()?, text()?);
        let stated = |text: String| (!text.is_empty()).then_some(text);
        Some(Self {
            address,
            etag: stated(etag),
            last_modified: stated(last_modified),
            der: rest.to_vec(),
        })
    }
}

/// A list, and when it was saved.
type Found = (Saved, Timestamp);

/// A file that is not used, and why.
type Broken = (PathBuf, String);

/// All lists of the folder; of those that cannot be read, why. A folder that is not there is empty.
pub(super) fn load(folder: &Path) -> (Vec<Found>, Vec<Broken>) {
    let (mut found, mut broken) = (Vec::new(), Vec::new());
    let Ok(entries) = fs::read_dir(folder) else {
        return (found, broken);
    };
    for entry in entries.flatten().take(MAX_FILES) {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != SUFFIX) {
            continue;
        }
        match FORMAT.read(&path) {
            Ok(Some(snapshot)) => match Saved::read(snapshot.content()) {
                Some(saved) => found.push((saved, snapshot.at)),
                None => broken.push((path, "it is not laid out as a list is".to_owned())),
            },
            Ok(None) => {}
            Err(error @ (SnapshotError::Read(_) | SnapshotError::Version { .. }))
            | Err(
                error @ (SnapshotError::Magic
                | SnapshotError::Length { .. }
                | SnapshotError::Large { .. }
                | SnapshotError::Checksum),
            ) => broken.push((path, error.to_string())),
        }
    }
    (found, broken)
}

/// Removes the list of an address that nobody wants any more.
pub(super) fn remove(folder: &Path, address: &str) -> io::Result<()> {
    fs::remove_file(place(folder, address))
}

fn place(folder: &Path, address: &str) -> PathBuf {
    let name = Fingerprint::of(address.as_bytes()).to_string();
    let name = name.get(..32).unwrap_or(&name);
    folder.join(format!("{name}.{SUFFIX}"))
}

const FORMAT: Format = Format {
    magic: *b"PRTRVCRL",
    version: 1,
};

const SUFFIX: &str = "list";

/// More than there are addresses.
const MAX_FILES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(address: &str) -> Saved {
        Saved {
            address: address.to_owned(),
            etag: Some("\"7\"".to_owned()),
            last_modified: None,
            der: vec![0x30, 0],
        }
    }

    #[test]
    fn what_was_saved_is_there_again_and_the_newest_of_an_address_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = Timestamp::from_unix_seconds(1_795_253_400);
        for address in ["http://a/", "http://b/", "http://a/"] {
            saved(address).write(folder.path(), at).unwrap();
        }
        let (mut found, broken) = load(folder.path());
        found.sort_by(|one, other| one.0.address.cmp(&other.0.address));
        assert_eq!(found, [(saved("http://a/"), at), (saved("http://b/"), at)]);
        assert!(broken.is_empty());
        remove(folder.path(), "http://a/").unwrap();
        assert_eq!(load(folder.path()).0.len(), 1);
        assert!(load(&folder.path().join("none")).0.is_empty());
    }

    #[test]
    fn a_file_that_was_damaged_is_told_and_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let at = Timestamp::from_unix_seconds(1_795_253_400);
        saved("http://a/").write(folder.path(), at).unwrap();
        let path = place(folder.path(), "http://a/");
        let mut octets = fs::read(&path).unwrap();
        *octets.last_mut().unwrap() ^= 1;
        fs::write(&path, octets).unwrap();
        let (found, broken) = load(folder.path());
        assert!(found.is_empty());
        assert_eq!(broken.len(), 1);
    }

    #[test]
    fn a_cut_head_is_no_list() {
        for cut in [
            &[][..],
            &[1],
            &[1, 0],
            &[1, 0, b'a', 0, 0],
            &[0, 0, 0, 0, 9, 0],
        ] {
            assert_eq!(Saved::read(cut), None, "row {cut:?}");
        }
        let least = [0, 0, 0, 0, 0, 0];
        assert_eq!(Saved::read(&least), Some(Saved::default()));
    }
}
