//! Files written whole or not at all.

use std::fs::DirBuilder;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use aws_lc_rs::rand;

use crate::model::Timestamp;

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// Leave it.
    Keep,
    /// Put the new one in its place.
    Replace,
}

/// Writes `octets` to `path`; whoever opens the path sees the old file or the whole new one.
///
/// Returns whether the file was written: with [`Existing::Keep`] another process may have been
/// faster.
pub(super) fn write(path: &Path, octets: &[u8], mode: u32, existing: Existing) -> io::Result<bool> {
    let temporary = beside(path)?;
    let written = write_synced(&temporary, octets, mode).and_then(|()| match existing {
        // A hard link, unlike a rename, fails when the name is taken.
        Existing::Keep => match std::fs::hard_link(&temporary, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        },
        Existing::Replace => std::fs::rename(&temporary, path).map(|()| true),
    });
    // After a rename there is nothing left to remove.
    let removed = std::fs::remove_file(&temporary);
    let written = written?;
    if existing == Existing::Keep {
        removed?;
    }
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    Ok(written)
}

/// Removes what writes that never ended have left in `folder`, if it is older than `age`: a younger
/// one may be under way.
pub(super) fn remove_leftovers(folder: &Path, now: Timestamp, age: Duration) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if !is_temporary(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let written = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH);
        let seconds = written.map_or(0, |since| since.as_secs());
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        if now.since(Timestamp::from_unix_seconds(seconds)) >= age {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether [`beside`] gives such names.
fn is_temporary(name: &str) -> bool {
    let parts = name
        .strip_prefix('.')
        .and_then(|rest| rest.rsplit_once('.'));
    parts.is_some_and(|(name, suffix)| {
        !name.is_empty()
            && suffix.len() == 16
            && suffix.bytes().all(|octet| octet.is_ascii_hexdigit())
    })
}

/// Makes `path` and its parents. A private folder is given mode 0700 even if it was there.
pub(super) fn make_folder(path: &Path, privacy: Privacy) -> io::Result<()> {
    let mode = match privacy {
        Privacy::Open => 0o755,
        Privacy::Private => 0o700,
    };
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    if privacy == Privacy::Private {
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Who may look into a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privacy {
    /// Everybody.
    Open,
    /// The owner.
    Private,
}

/// A name in the same folder that nobody else uses.
pub(super) fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut octets = [0; 8];
    random(&mut octets)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let suffix = u64::from_be_bytes(octets);
    Ok(path.with_file_name(format!(".{name}.{suffix:016x}")))
}

/// Makes a folder's entries durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a bare file name is the empty path.
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

/// Fills `octets` from the system's generator.
pub(super) fn random(octets: &mut [u8]) -> io::Result<()> {
    rand::fill(octets).map_err(|_| io::Error::other("the system gives no random octets"))
}

fn write_synced(path: &Path, octets: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(octets)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_or_replaces_what_is_there_and_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(write(&path, b"one", 0o600, Existing::Keep).unwrap());
        assert!(!write(&path, b"two", 0o600, Existing::Keep).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert!(write(&path, b"three", 0o640, Existing::Replace).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file.
        let path = folder.path().join("folder");
        std::fs::create_dir(&path).unwrap();
        write(&path, b"x", 0o600, Existing::Replace).unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_of_a_killed_write_go_when_they_are_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let leftover = beside(&path).unwrap();
        for path in [&path, &leftover, &folder.path().join(".note.txt")] {
            std::fs::write(path, "x").unwrap();
        }
        let seconds = UNIX_EPOCH.elapsed().unwrap().as_secs();
        let now = Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap());
        let hour = Duration::from_hours(1);
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        remove_leftovers(folder.path(), now, hour).unwrap();
        assert_eq!(count(), 3, "it may be under way");
        remove_leftovers(folder.path(), now + Duration::from_hours(2), hour).unwrap();
        assert_eq!(count(), 2);
        assert!(!leftover.exists());
        remove_leftovers(&folder.path().join("absent"), now, hour).unwrap();
    }

    #[test]
    fn private_folders_are_closed_even_if_they_were_open() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/keys");
        make_folder(&path, Privacy::Open).unwrap();
        make_folder(&path, Privacy::Private).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
