//! A circle of files: `decisions0.jsonl` to `decisions29.jsonl`, then from the start again.

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
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
        current.size += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        self.current = Some(current);
        Ok(())
    }

    /// Opens the file that was written last, so that a restart goes on where it stopped.
    fn resume(&self) -> io::Result<Current> {
        fs::create_dir_all(&self.folder)?;
        let newest = (0..self.files)
            .filter_map(|number| {
                let modified = fs::metadata(self.path(number)).ok()?.modified().ok()?;
                Some((modified, number))
            })
            .max();
        let number = newest.map_or(0, |(_, number)| number);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(number))?;
        let size = file.metadata()?.len();
        Ok(Current { number, file, size })
    }

    fn begin(&self, number: u32) -> io::Result<Current> {
        let file = File::create(self.path(number))?;
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
}
