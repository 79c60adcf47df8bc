//! A circle of files: `decisions0.jsonl` to `decisions29.jsonl`, then from the start again.
//!
//! The files name people and their devices: they are made for the gateway's user alone.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;

/// Appends to the current file of the circle and moves on when it is full.
#[derive(Debug)]
pub(super) struct Circle {
    folder: PathBuf,
    file_size: u64,
    files: u32,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    number: u32,
    file: File,
    size: u64,
}

impl Circle {
    pub(super) fn new(folder: &Path, file_size: u64, files: u32) -> Self {
        Self {
            folder: folder.to_owned(),
            file_size,
            files: files.max(1),
            current: None,
        }
    }

    /// Appends whole lines. After an error the file is opened anew with the next call.
    pub(super) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let result = self.try_append(lines);
        if result.is_err() {
            self.current = None;
        }
        result
    }

    fn try_append(&mut self, lines: &[u8]) -> io::Result<()> {
        let mut current = match self.current.take() {
            Some(current) => current,
            None => self.resume()?,
        };
        if current.size > 0 && current.size >= self.file_size {
            current = self.begin((current.number + 1) % self.files)?;
        }
        current.file.write_all(lines)?;
        current.size = current
            .size
            .saturating_add(u64::try_from(lines.len()).unwrap_or(u64::MAX));
        self.current = Some(current);
        Ok(())
    }

    /// Opens the file that was written last, so that a restart goes on where it stopped.
    fn resume(&self) -> io::Result<Current> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let newest = (0..self.files)
            .filter_map(|number| {
                let modified = fs::metadata(self.path(number)).ok()?.modified().ok()?;
                Some((modified, number))
            })
            .max();
        let number = newest.map_or(0, |(_, number)| number);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(self.path(number))?;
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
        Ok(Current { number, file, size })
    }

    fn begin(&self, number: u32) -> io::Result<Current> {
        let file = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(number))?;
        Ok(Current {
            number,
            file,
            size: 0,
        })
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("decisions{number}.jsonl"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_after_the_last_file_and_overwrites_the_oldest_r60() {
        let folder = tempfile::tempdir().unwrap();
        let mut circle = Circle::new(folder.path(), 10, 3);
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
    fn goes_on_in_the_newest_file_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        Circle::new(folder.path(), 100, 3).append(b"one\n").unwrap();
        Circle::new(folder.path(), 100, 3).append(b"two\n").unwrap();
        let text = fs::read_to_string(folder.path().join("decisions0.jsonl")).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_line_that_was_cut_stays_alone() {
        // The first record after a crash was appended to the torn one, and both were lost.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("decisions0.jsonl");
        fs::write(&path, "{\"torn").unwrap();
        Circle::new(folder.path(), 100, 3).append(b"{}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"torn\n{}\n");
    }

    #[test]
    fn files_are_for_the_gateways_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("journal");
        let mut circle = Circle::new(&folder, 1, 2);
        circle.append(b"one\n").unwrap();
        circle.append(b"two\n").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("decisions0.jsonl")), 0o600);
        assert_eq!(mode(&folder.join("decisions1.jsonl")), 0o600);
    }
}
