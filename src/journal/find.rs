//! One record among the files of the journal, by its number.

use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;

use crate::access::Correlation;

/// The line of a record in the files of `folder`, if they still have it. Reads them through: some tenths
/// of a second for 300 MB.
///
/// # Errors
///
/// When the folder or one of the files cannot be read.
pub fn find(folder: &Path, id: Correlation) -> io::Result<Option<String>> {
    let id = format!("\"id\":\"{id}\"");
    let entries = match folder.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|of| of != "jsonl") {
            continue;
        }
        let mut file = BufReader::with_capacity(BUFFER, File::open(path)?);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 {
            let head = line.get(..HEAD).unwrap_or(&line);
            if head.windows(id.len()).any(|part| part == id.as_bytes()) {
                let line = String::from_utf8_lossy(&line);
                return Ok(Some(line.trim_end().to_owned()));
            }
            line.clear();
        }
    }
    Ok(None)
}

/// Where the number stands at the latest: behind the time alone.
const HEAD: usize = 80;

const BUFFER: usize = 256 * 1024;
