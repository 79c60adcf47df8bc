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
use std::io::Write;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
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
    content: Vec<u8>,
    /// When it was written.
    pub at: Timestamp,
}

impl Snapshot {
    /// What was written.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
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
    /// Longer than any of ours.
    #[error("it has {found} octets, which is too much")]
    Large {
        /// Octets it has.
        found: u64,
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
        let beside = with_suffix(path, ".new");
        let written = self.write_beside(&beside, path, at, parts);
        if written.is_err() {
            // On a full disk it would take the room of what is smaller.
            let _gone = fs::remove_file(&beside);
        }
        written
    }

    fn write_beside(
        self,
        beside: &Path,
        path: &Path,
        at: Timestamp,
        parts: &[&[u8]],
    ) -> io::Result<u64> {
        let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let head = self.head(at, length);
        // One that a crash has left, whoever's it is.
        match fs::remove_file(beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(beside)?;
        file.write_all(&head)?;
        let digests = each(blocks(parts), |pieces| Ok(of_block(pieces)))?;
        file.write_all(checksum(&head, &digests).as_ref())?;
        for part in parts {
            file.write_all(part)?;
        }
        file.sync_all()?;
        fs::rename(beside, path)?;
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
        let found = file.metadata()?.len();
        let mut header = [0; HEADER];
        let there = header.len().min(usize::try_from(found).unwrap_or(HEADER));
        let header = header.get_mut(..there).unwrap_or(&mut []);
        file.read_exact_at(header, 0)?;
        let (at, sum) = self.check(header, found)?;
        let length = usize::try_from(found)
            .ok()
            .filter(|_| found <= MAX)
            .and_then(|length| length.checked_sub(HEADER));
        let length = length.ok_or(SnapshotError::Large { found })?;
        // Read and summed up by the same thread, while it is in the processor's caches.
        let mut content = vec![0; length];
        let blocks = content.chunks_mut(BLOCK).zip(0..).collect();
        let digests = each(blocks, |(block, number): &mut (&mut [u8], u64)| {
            file.read_exact_at(block, *number * BLOCK as u64 + HEADER as u64)?;
            Ok(digest(&SHA256, block))
        })?;
        let head = self.head(at, content.len() as u64);
        if checksum(&head, &digests).as_ref() != sum {
            return Err(SnapshotError::Checksum);
        }
        Ok(Some(Snapshot { content, at }))
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

    /// When it was written and its checksum, if the header is that of a file of this length.
    fn check(&self, header: &[u8], found: u64) -> Result<(Timestamp, [u8; 32]), SnapshotError> {
        let magic = header.first_chunk::<8>();
        if magic != Some(&self.magic) {
            return Err(SnapshotError::Magic);
        }
        let mut rest = header.get(8..).unwrap_or(&[]);
        let cut = SnapshotError::Length {
            found,
            announced: HEADER as u64,
        };
        let fields = (|| {
            let version = u32::from_le_bytes(take(&mut rest)?);
            let at = i64::from_le_bytes(take(&mut rest)?);
            let length = u64::from_le_bytes(take(&mut rest)?);
            Some((version, at, length, take(&mut rest)?))
        })();
        let (version, at, length, sum) = fields.ok_or(cut)?;
        if version != self.version {
            return Err(SnapshotError::Version {
                found: version,
                known: self.version,
            });
        }
        let announced = length.saturating_add(HEADER as u64);
        if found != announced {
            return Err(SnapshotError::Length { found, announced });
        }
        Ok((Timestamp::from_unix_millis(at), sum))
    }
}

fn take<const N: usize>(octets: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = octets.split_first_chunk()?;
    *octets = rest;
    Some(*taken)
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

/// Of the head and the digests of all blocks.
fn checksum(head: &[u8], digests: &[Digest]) -> Digest {
    let mut all = Context::new(&SHA256);
    all.update(head);
    digests
        .iter()
        .for_each(|digest| all.update(digest.as_ref()));
    all.finish()
}

/// What `work` makes of each item, in order, on as many threads as there are cores.
fn each<T: Send>(
    mut items: Vec<T>,
    work: impl Fn(&mut T) -> io::Result<Digest> + Sync,
) -> io::Result<Vec<Digest>> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = items.len().div_ceil(threads).max(1);
    let work = &work;
    let shares: io::Result<Vec<Vec<Digest>>> = thread::scope(|scope| {
        let threads: Vec<_> = items
            .chunks_mut(share)
            .map(|items| scope.spawn(move || items.iter_mut().map(work).collect()))
            .collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .map(|ended| ended.unwrap_or_else(|_| Err(io::Error::other("a thread panicked"))))
            .collect()
    });
    Ok(shares?.concat())
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

/// Sixteen million devices, as many as the inventory has rows for, are less than half of it.
const MAX: u64 = 8 << 30;

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
