//! A file that is whole or not used at all.
//!
//! It is written beside its place, brought to the disk and then renamed, so that a crash leaves
//! the old one or the new one. What is read is used only if its checksum is right: SHA-256,
//! because the processor computes it faster than a disk reads, and over blocks of 1 MiB and then
//! their digests, so that two threads do it. It guards against a disk that fails, not against
//! somebody who may write here.
//!
//! The file names people and their devices: it is made for the gateway's user alone.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::thread;

use aws_lc_rs::digest::Context;
use aws_lc_rs::digest::Digest;
use aws_lc_rs::digest::SHA256;
use aws_lc_rs::digest::digest;

use crate::model::Timestamp;

/// What a file is, in its first twelve octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Eight letters.
    pub magic: [u8; 8],
    /// Counts changes of what the content means.
    pub version: u32,
}

/// A file that was read and is whole.
#[derive(Debug)]
pub struct Snapshot {
    octets: Vec<u8>,
    /// When it was written.
    pub at: Timestamp,
}

impl Snapshot {
    /// What was written.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.octets.get(HEADER..).unwrap_or(&[])
    }
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The system does not give it.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// Another kind of file.
    #[error("it does not begin as a snapshot does")]
    Magic,
    /// Written by another version of this program.
    #[error("it is of format {found}, and this program reads format {known}")]
    Version {
        /// Its format.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Shorter or longer than it says.
    #[error("it has {found} octets and should have {announced}")]
    Length {
        /// Octets it has.
        found: u64,
        /// Octets it says it has.
        announced: u64,
    },
    /// Not what was written.
    #[error("its checksum is wrong")]
    Checksum,
}

impl Format {
    /// Puts a file with these octets, one part after the other, into the place of `path`. When
    /// this returns it is on the disk. Gives its length.
    ///
    /// # Errors
    ///
    /// When it cannot be written; the old file is still there then.
    pub fn write(&self, path: &Path, at: Timestamp, parts: &[&[u8]]) -> io::Result<u64> {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let head = self.head(at, length);
        let beside = with_suffix(path, ".new");
        // One that a crash has left, whoever's it is.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&head)?;
        file.write_all(checksum(&head, parts).as_ref())?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(&beside, path)?;
        sync_folder_of(path)?;
        Ok(length.saturating_add(HEADER as u64))
    }

    /// Reads the file at `path`; `None` when there is none.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is not what was written.
    pub fn read(&self, path: &Path) -> Result<Option<Snapshot>, SnapshotError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let length = file.metadata()?.len();
        let mut octets = Vec::new();
        octets
            .try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))
            .map_err(io::Error::from)?;
        // No more than there was, should it grow.
        file.take(length).read_to_end(&mut octets)?;
        let at = self.check(&octets)?;
        Ok(Some(Snapshot { octets, at }))
    }

    /// Magic, version, time, length.
    fn head(&self, at: Timestamp, length: u64) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        let fields: [&[u8]; 4] = [
            &self.magic,
            &self.version.to_le_bytes(),
            &at.unix_millis().to_le_bytes(),
            &length.to_le_bytes(),
        ];
        let fields = fields.into_iter().flatten();
        head.iter_mut()
            .zip(fields)
            .for_each(|(to, from)| *to = *from);
        head
    }

    /// When it was written, if it is whole.
    fn check(&self, octets: &[u8]) -> Result<Timestamp, SnapshotError> {
        let found = octets.len() as u64;
        let (magic, rest) = octets
            .split_first_chunk::<8>()
            .ok_or(SnapshotError::Magic)?;
        if *magic != self.magic {
            return Err(SnapshotError::Magic);
        }
        let cut = SnapshotError::Length {
            found,
            announced: HEADER as u64,
        };
        let fields = rest.split_first_chunk::<{ HEADER - 8 }>();
        let Some((fields, content)) = fields else {
            return Err(cut);
        };
        let [a, b, c, d, fields @ ..] = fields;
        let version = u32::from_le_bytes([*a, *b, *c, *d]);
        if version != self.version {
            return Err(SnapshotError::Version {
                found: version,
                known: self.version,
            });
        }
        let (times, sum) = fields.split_at(16);
        let number = |from: usize| {
            let octets = times.get(from..).and_then(|rest| rest.first_chunk());
            octets.map_or(0, |octets| u64::from_le_bytes(*octets))
        };
        let at = Timestamp::from_unix_millis(number(0).cast_signed());
        let announced = number(8).saturating_add(HEADER as u64);
        if found != announced {
            return Err(SnapshotError::Length { found, announced });
        }
        let head = self.head(at, content.len() as u64);
        if checksum(&head, &[content]).as_ref() != sum {
            return Err(SnapshotError::Checksum);
        }
        Ok(at)
    }
}

/// Puts a file that is not used out of the way, in the place of the one before, so that somebody
/// can look at it. Gives where it is.
///
/// # Errors
///
/// When it cannot be renamed.
pub fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let aside = with_suffix(path, ".damaged");
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Of the head and the digests of all blocks. Blocks do not care where a part begins.
fn checksum(head: &[u8], parts: &[&[u8]]) -> Digest {
    let blocks = blocks(parts);
    let mut digests = vec![[0; 32]; blocks.len()];
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = blocks.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        for (blocks, digests) in blocks.chunks(share).zip(digests.chunks_mut(share)) {
            let work = || {
                for (pieces, place) in blocks.iter().zip(digests) {
                    place.copy_from_slice(of_block(pieces).as_ref());
                }
            };
            if share < blocks.len().max(2) {
                scope.spawn(work);
            } else {
                work();
            }
        }
    });
    let mut all = Context::new(&SHA256);
    all.update(head);
    digests.iter().for_each(|digest| all.update(digest));
    all.finish()
}

fn of_block(pieces: &[&[u8]]) -> Digest {
    if let [one] = pieces {
        return digest(&SHA256, one);
    }
    let mut context = Context::new(&SHA256);
    pieces.iter().for_each(|piece| context.update(piece));
    context.finish()
}

/// The parts as one, cut into blocks.
fn blocks<'a>(parts: &[&'a [u8]]) -> Vec<Vec<&'a [u8]>> {
    let mut blocks: Vec<Vec<&[u8]>> = Vec::new();
    let mut room = 0;
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            if room == 0 {
                blocks.push(Vec::new());
                room = BLOCK;
            }
            let (piece, after) = rest.split_at(rest.len().min(room));
            if let Some(block) = blocks.last_mut() {
                block.push(piece);
            }
            room -= piece.len();
            rest = after;
        }
    }
    blocks
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// So that the name is on the disk too.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// Before the checksum, and with it.
const HEAD: usize = 28;
const HEADER: usize = HEAD + 32;

const BLOCK: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const FORMAT: Format = Format {
        magic: *b"TESTSNAP",
        version: 3,
    };
    const AT: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

    #[test]
    fn what_is_written_is_read_whatever_its_parts_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        assert!(FORMAT.read(&path).unwrap().is_none());
        let long: Vec<u8> = (0..5 * BLOCK / 2)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        for parts in [
            vec![&long[..]],
            vec![&long[..10], &long[10..]],
            vec![
                &long[..BLOCK],
                &[],
                &long[BLOCK..BLOCK + 1],
                &long[BLOCK + 1..],
            ],
        ] {
            let length = FORMAT.write(&path, AT, &parts).unwrap();
            assert_eq!(length, fs::metadata(&path).unwrap().len());
            let read = FORMAT.read(&path).unwrap().unwrap();
            assert_eq!(read.at, AT);
            assert!(read.content() == long);
        }
        FORMAT.write(&path, AT, &[]).unwrap();
        assert_eq!(FORMAT.read(&path).unwrap().unwrap().content(), b"");
    }

    #[test]
    fn a_file_that_is_not_what_was_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        FORMAT.write(&path, AT, &[b"content"]).unwrap();
        let good = fs::read(&path).unwrap();
        let refused = |octets: &[u8]| {
            fs::write(&path, octets).unwrap();
            FORMAT.read(&path).unwrap_err().to_string()
        };
        for end in 0..good.len() {
            refused(&good[..end]);
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            refused(&bad);
        }
        assert!(refused(b"").contains("does not begin"));
        assert!(refused(&good[..20]).contains("has 20 octets and should have 60"));
        assert!(refused(&good[..66]).contains("has 66 octets and should have 67"));
        assert!(refused(&[&good[..], b"x"].concat()).contains("has 68 octets"));
        let mut newer = good.clone();
        newer[8] = 4;
        assert!(refused(&newer).contains("of format 4, and this program reads format 3"));
        let mut changed = good.clone();
        changed[63] ^= 0x20;
        assert_eq!(refused(&changed), "its checksum is wrong");
        // The time is part of it: a fact must not look younger than it is.
        let mut later = good;
        later[12] ^= 1;
        assert_eq!(refused(&later), "its checksum is wrong");
    }

    #[test]
    fn only_the_gateways_user_may_read_it_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        // An interrupted write has left one that everybody may read.
        fs::write(with_suffix(&path, ".new"), "torn").unwrap();
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        FORMAT.write(&path, AT, &[b"content"]).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_set_aside_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("snapshot");
        for content in ["first", "second"] {
            fs::write(&path, content).unwrap();
            let aside = set_aside(&path).unwrap();
            assert!(!path.exists());
            assert_eq!(fs::read_to_string(aside).unwrap(), content);
        }
    }
}
