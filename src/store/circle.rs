//! A circle of files: `decisions0.jsonl` to `decisions29.jsonl`, then from the start again.
//!
//! The files name people and their devices: they are made for the gateway's user alone.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

/// Appends to the current file of the circle and moves on when it is full.
#[derive(Debug)]
pub struct Circle {
    folder: PathBuf,
    /// What the files' names begin with.
    name: String,
    file_size: u64,
    files: u32,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    number: u32,
    file: Arc<File>,
    size: u64,
}

impl Circle {
    /// `files` files `NAME0.jsonl` and up in `folder`, of about `file_size` octets. Nothing is
    /// opened before the first append.
    #[must_use]
    pub fn new(folder: &Path, name: &str, file_size: u64, files: u32) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            file_size,
            files: files.max(1),
            current: None,
        }
    }

    /// Opens the file that is appended to, so that what stands in the way is known early.
    ///
    /// # Errors
    ///
    /// When folder or file cannot be made or opened.
    pub fn open(&mut self) -> io::Result<()> {
        self.append(&[]).map(drop)
    }

    /// Appends whole lines and gives the file that has them now. After an error the file is
    /// opened anew with the next call.
    ///
    /// # Errors
    ///
    /// When a file cannot be opened or written.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<&Arc<File>> {
        // Taken out, so that an error leaves none.
        let current = self.current.take();
        let current = self.append_to(current, lines)?;
        Ok(&self.current.insert(current).file)
    }

    fn append_to(&self, current: Option<Current>, lines: &[u8]) -> io::Result<Current> {
        let mut current = match current {
            Some(current) => current,
            None => self.resume()?,
        };
        if current.size > 0 && current.size >= self.file_size {
            current = self.begin((current.number + 1) % self.files)?;
        }
        (&*current.file).write_all(lines)?;
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        current.size = current.size.saturating_add(length);
        Ok(current)
    }

    /// Hands over every whole line of all files, the oldest first. Of each file as much is read as the
    /// circle lets it have.
    ///
    /// # Errors
    ///
    /// When a file that is there cannot be read: the first such error, after the others were read.
    pub fn read(&self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let newest = self.newest().unwrap_or(0);
        let most = self.file_size.saturating_add(LONGEST);
        let mut whole = Ok(());
        for number in (1..=self.files).map(|step| (newest + step) % self.files) {
            let mut octets = Vec::new();
            let file = File::open(self.path(number));
            let read = file.and_then(|file| file.take(most).read_to_end(&mut octets));
            match read {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => whole = whole.and(Err(error)),
                Ok(_) => {}
            }
            let lines = octets.split_inclusive(|octet| *octet == b'\n');
            for line in lines.filter_map(|line| line.strip_suffix(b"\n")) {
                take(line);
            }
        }
        whole
    }

    /// The number of the file that was written last.
    fn newest(&self) -> Option<u32> {
        let known = (0..self.files).filter_map(|number| {
            let modified = fs::metadata(self.path(number)).ok()?.modified().ok()?;
            Some((modified, number))
        });
        known.max().map(|(_, number)| number)
    }

    /// Opens the file that was written last, so that a restart goes on where it stopped.
    fn resume(&self) -> io::Result<Current> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let number = self.newest().unwrap_or(0);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(self.path(number))?;
        make_private(&file);
        let mut size = file.metadata()?.len();
        // A crash or a full disk may have cut the last line; the next one must not join it.
        if size > 0 {
            let mut last = [0; 1];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
                size = size.saturating_add(1);
            }
        }
        let file = Arc::new(file);
        Ok(Current { number, file, size })
    }

    fn begin(&self, number: u32) -> io::Result<Current> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.path(number))?;
        file.set_len(0)?;
        make_private(&file);
        Ok(Current {
            number,
            file: Arc::new(file),
            size: 0,
        })
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{}{number}.jsonl", self.name))
    }
}

/// The mode of `open` counts for new files only, and less the umask. Where it cannot be set the
/// file is another user's, who has chosen it.
fn make_private(file: &File) {
    let _refused = file.set_permissions(Permissions::from_mode(0o600));
}

/// Octets that the last append may put behind the size of a file.
const LONGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_after_the_last_file_and_overwrites_the_oldest_r60() {
        let folder = tempfile::tempdir().unwrap();
        let mut circle = Circle::new(folder.path(), "decisions", 10, 3);
        for line in [
            "aaaaaaaaaa\n",
            "bbbbbbbbbb\n",
            "cccccccccc\n",
            "dddddddddd\n",
        ] {
            circle.append(line.as_bytes()).unwrap();
        }
        let read = |n: u32| fs::read_to_string(folder.path().join(format!("decisions{n}.jsonl")));
        assert_eq!(read(0).unwrap(), "dddddddddd\n");
        assert_eq!(read(1).unwrap(), "bbbbbbbbbb\n");
        assert_eq!(read(2).unwrap(), "cccccccccc\n");
        assert!(read(3).is_err());
    }

    #[test]
    fn is_read_from_its_oldest_line_to_its_newest_and_without_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let circle = Circle::new(folder.path(), "wipes", 10, 3);
        let read = || {
            let mut lines = Vec::new();
            let done = circle.read(|line| lines.push(String::from_utf8_lossy(line).into_owned()));
            (lines.join(" "), done.is_ok())
        };
        assert_eq!(read(), (String::new(), true));
        let mut writer = Circle::new(folder.path(), "wipes", 10, 3);
        for line in [
            "a1\na2\naaaa\n",
            "bbbbbbbbbb\n",
            "cccccccccc\n",
            "d\n",
            "torn",
        ] {
            writer.append(line.as_bytes()).unwrap();
        }
        // Written within the same tick of the file system's clock, perhaps.
        let newest = OpenOptions::new()
            .append(true)
            .open(circle.path(0))
            .unwrap();
        let written = newest.metadata().unwrap().modified().unwrap();
        newest
            .set_modified(written + std::time::Duration::from_secs(10))
            .unwrap();
        assert_eq!(read(), ("bbbbbbbbbb cccccccccc d".to_owned(), true));
        // What cannot be read is told, and costs none of the others.
        fs::remove_file(circle.path(1)).unwrap();
        fs::create_dir(circle.path(1)).unwrap();
        assert_eq!(read(), ("cccccccccc d".to_owned(), false));
    }

    #[test]
    fn goes_on_in_the_newest_file_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        Circle::new(folder.path(), "decisions", 100, 3)
            .append(b"one\n")
            .unwrap();
        Circle::new(folder.path(), "decisions", 100, 3)
            .append(b"two\n")
            .unwrap();
        let text = fs::read_to_string(folder.path().join("decisions0.jsonl")).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_line_that_was_cut_stays_alone() {
        // The first record after a crash was appended to the torn one, and both were lost.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions0.jsonl");
        fs::write(&path, "{\"torn").unwrap();
        Circle::new(folder.path(), "decisions", 100, 3)
            .append(b"{}\n")
            .unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"torn\n{}\n");
    }

    #[test]
    fn files_are_for_the_gateways_user_alone() {
        // A file that lay there open stayed so, whoever had made it.
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("journal");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for round in ["made", "found open"] {
            let mut circle = Circle::new(&folder, "decisions", 1, 2);
            circle.append(b"one\n").unwrap();
            circle.append(b"two\n").unwrap();
            assert_eq!(mode(&folder), 0o700, "row {round}");
            for number in [0, 1] {
                let path = circle.path(number);
                assert_eq!(mode(&path), 0o600, "row {round}, {number}");
                fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            }
        }
    }
}
