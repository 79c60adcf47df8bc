//! A folder that belongs to one gateway at a time.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::Flock;
use nix::fcntl::FlockArg;

/// Keeps other gateways from writing to a folder, as long as it lives. The system lets go of it when
/// the process ends, however it ends.
#[derive(Debug)]
pub struct Claim {
    _lock: Flock<File>,
}

impl Claim {
    /// Claims `folder`, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// When another gateway has it, or the file `lock` in it cannot be made.
    pub fn take(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join("lock"))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err((_, Errno::EWOULDBLOCK)) => {
                let problem = "another gateway writes to this folder";
                Err(io::Error::new(io::ErrorKind::AddrInUse, problem))
            }
            Err((_, error)) => Err(error.into()),
        }
    }
}

/// Makes a folder that only we read, if it is missing.
///
/// # Errors
///
/// When it cannot be made.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_claimed_once_until_it_is_let_go_of() {
        // Two gateways wrote over each other's records.
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("journal");
        let claim = Claim::take(&folder).unwrap();
        let error = Claim::take(&folder).unwrap_err();
        assert!(error.to_string().contains("another gateway"), "{error}");
        drop(claim);
        Claim::take(&folder).unwrap();
    }
}
