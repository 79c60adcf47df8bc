//! What a document holds, for whoever has something to say of it later.

use std::collections::BTreeMap;

use crate::model::Problem;
use crate::model::Severity;

/// Which keys a file may hold, and on which line each stands.
///
/// Rules that look at several keys or files run long after a file was read; with this they can
/// still point at the line.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The file as the person knows it.
    pub file: String,
    /// Every key that was asked for, with its line when the file has it.
    pub lines: BTreeMap<String, Option<usize>>,
}

impl Written {
    /// A problem at `key`, on its [line](Self::line).
    pub fn problem(&self, severity: Severity, key: &str, message: impl Into<String>) -> Problem {
        Problem {
            file: self.file.clone(),
            line: self.line(key),
            key: key.to_owned(),
            message: message.into(),
            severity,
        }
    }

    /// The line of `key` if it is written down, else that of the table where it would be.
    #[must_use]
    pub fn line(&self, key: &str) -> Option<usize> {
        let mut place = key;
        loop {
            if let Some(line) = self.lines.get(place).copied().flatten() {
                return Some(line);
            }
            place = place.rsplit_once('.')?.0;
        }
    }

    /// Shorthand for a problem that refuses the configuration.
    pub fn error(&self, key: &str, message: impl Into<String>) -> Problem {
        self.problem(Severity::Error, key, message)
    }

    /// Shorthand for a problem that is only worth a look.
    pub fn warning(&self, key: &str, message: impl Into<String>) -> Problem {
        self.problem(Severity::Warning, key, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_has_the_line_of_the_nearest_table_that_is() {
        let lines = [
            ("mail", Some(3)),
            ("mail.ca", None),
            ("mail.hosts", Some(5)),
        ];
        let written = Written {
            file: "gateway.toml".to_owned(),
            lines: lines.map(|(key, line)| (key.to_owned(), line)).into(),
        };
        for (key, line) in [
            ("mail", Some(3)),
            ("mail.hosts", Some(5)),
            ("mail.ca", Some(3)),
            ("mail.upstreams.cloud.ca", Some(3)),
            ("mailbox", None),
            ("log.level", None),
            ("", None),
        ] {
            assert_eq!(written.line(key), line, "row {key}");
            assert_eq!(written.warning(key, "").line, line, "row {key}");
        }
    }
}
