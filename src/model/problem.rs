//! One thing wrong in a file that a person wrote, said so that they can mend it.

use std::fmt;
use std::fmt::Write;

/// Where and what: a configuration key or row that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path of the file as the person knows it.
    pub file: String,
    /// Line, from 1; `None` when the problem is the absence of something.
    pub line: Option<usize>,
    /// The key (`policy[2].require`) or column; empty for the file as a whole.
    pub key: String,
    /// What was expected and what stands there, one sentence without a full stop.
    pub message: String,
    /// Whether the file can be used all the same.
    pub severity: Severity,
}

/// Whether a problem stops the file from being used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a look; the file is used.
    Warning,
    /// The file, or the row, is refused.
    Error,
}

/// `conf/nas.toml:12: nas[0].secret: the secret has 7 octets, at least 16 are needed`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_line(f, &self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.severity == Severity::Warning {
            f.write_str(": warning")?;
        }
        if !self.key.is_empty() {
            f.write_str(": ")?;
            write_line(f, &self.key)?;
        }
        f.write_str(": ")?;
        write_line(f, &self.message)
    }
}

/// Without what would end the line: a message may say what stands in a file.
fn write_line(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|letter| {
        if letter.is_control() {
            write!(f, "{}", letter.escape_default())
        } else {
            f.write_char(letter)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_print_where_and_what() {
        let mut problem = Problem {
            file: "conf/nas.toml".into(),
            line: Some(12),
            key: "nas[0].secret".into(),
            message: "the secret is too short".into(),
            severity: Severity::Error,
        };
        assert_eq!(
            problem.to_string(),
            "conf/nas.toml:12: nas[0].secret: the secret is too short"
        );
        problem.line = None;
        problem.key.clear();
        problem.severity = Severity::Warning;
        assert_eq!(
            problem.to_string(),
            "conf/nas.toml: warning: the secret is too short"
        );
    }
}
