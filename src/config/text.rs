//! Files read with a bound, and errors that say what to do.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Reads a regular file of at most `limit` octets.
///
/// # Errors
///
/// When it cannot be read, is longer, or is no regular file.
pub fn read_octets(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut octets = Vec::new();
    let read = file
        .take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    if u64::try_from(read).is_ok_and(|read| read > limit) {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(octets)
}

/// As [`read_octets`], for text.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read_octets(path, limit)?).map_err(|error| {
        let sound = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(sound);
        ReadError::NotText {
            line: before.filter(|&&octet| octet == b'\n').count() + 1,
        }
    })
}

/// The mode of a file that others than its owner may read or write, for example 0644.
pub(super) fn open_to_others(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Nothing there.
    #[error("does not exist")]
    Missing,
    /// The user the gateway runs as may not.
    #[error("may not be read by this user")]
    Denied,
    /// A folder, a socket, a device.
    #[error("is not a regular file")]
    NotAFile,
    /// Longer than any such file should be.
    #[error("has more than {limit} octets")]
    TooLarge {
        /// The most that is read.
        limit: u64,
    },
    /// Not UTF-8.
    #[error("is not UTF-8 text in line {line}")]
    NotText {
        /// From 1.
        line: usize,
    },
    /// A folder with more entries than are looked at.
    #[error("has more than {limit} entries")]
    TooMany {
        /// The most that are looked at.
        limit: usize,
    },
    /// Anything else the system says.
    #[error("cannot be read: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            Self::Missing
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Self::Denied
        } else {
            Self::Io(error)
        }
    }
}
