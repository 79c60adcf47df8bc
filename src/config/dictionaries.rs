//! `[dictionaries]`: a site's own names of attributes, read on top of the gateway's.

use std::path::Path;
use std::path::PathBuf;

use super::text::read_octets;
use crate::document::Section;
use crate::document::Written;
use crate::model::Problem;
use crate::model::Severity;
use crate::radius::Dictionary;

/// Where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dictionaries {
    /// The folder, if there is one.
    pub(super) folder: Option<PathBuf>,
}

impl Dictionaries {
    pub(super) fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        section.finish();
    }

    /// The gateway's own dictionaries with those of the folder on top: the file `dictionary` there
    /// and what it includes, or without one every file `dictionary.NAME` in the order of names.
    pub(super) fn load(&self, written: &Written, problems: &mut Vec<Problem>) -> Dictionary {
        let mut dictionary = Dictionary::builtin().clone();
        let Some(folder) = &self.folder else {
            return dictionary;
        };
        let files = match files(folder) {
            Ok(files) => files,
            Err(message) => {
                let message = format!("{}: {message}", folder.display());
                problems.push(written.error(FOLDER, message));
                return dictionary;
            }
        };
        for file in files {
            let read = dictionary.read(&file, &mut |name| open(folder, name));
            for error in read.err().unwrap_or_default() {
                problems.push(Problem {
                    file: folder.join(&error.file).display().to_string(),
                    line: (error.line > 0).then_some(error.line),
                    key: String::new(),
                    message: error.fault.to_string(),
                    severity: Severity::Error,
                });
            }
        }
        dictionary
    }
}

fn files(folder: &Path) -> Result<Vec<String>, String> {
    if folder.join(ROOT).is_file() {
        return Ok(vec![ROOT.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).map_err(|error| error.to_string())?;
    let names = entries.take(MAX_ENTRIES).flatten();
    let mut names: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with("dictionary."))
        .collect();
    names.sort();
    if names.is_empty() {
        return Err("no file is called dictionary or dictionary.NAME".to_owned());
    }
    Ok(names)
}

/// Comments are in any encoding.
fn open(folder: &Path, name: &str) -> Result<String, String> {
    let octets = read_octets(&folder.join(name), MAX_FILE).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

/// Where the folder is named.
const FOLDER: &str = "dictionaries.folder";
/// The file that includes the others.
const ROOT: &str = "dictionary";
/// Octets of one file: the longest that FreeRADIUS ships has a tenth of it.
const MAX_FILE: u64 = 1024 * 1024;
/// Files of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;
