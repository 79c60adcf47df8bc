//! How problems are collected, placed and said.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::Problem;
use crate::model::Severity;

/// A configuration that cannot be used: every problem found, warnings included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// In the order of the files and, within a file, of the lines.
    pub problems: Vec<Problem>,
}

/// One problem a line.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// Whether any of `problems` stops the configuration from being used.
pub(super) fn any_error(problems: &[Problem]) -> bool {
    problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
}

/// Which keys a file may hold, and on which line each stands.
///
/// Rules that look at several keys or files run long after a file was read; with this they can
/// still point at the line.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// The file as the person knows it.
    pub(super) file: String,
    /// Every key that was asked for, with its line when the file has it.
    pub(super) lines: BTreeMap<String, Option<usize>>,
}

impl Written {
    /// A problem at `key`, on its line if it is written down.
    pub(super) fn problem(
        &self,
        severity: Severity,
        key: &str,
        message: impl Into<String>,
    ) -> Problem {
        Problem {
            file: self.file.clone(),
            line: self.lines.get(key).copied().flatten(),
            key: key.to_owned(),
            message: message.into(),
            severity,
        }
    }

    /// Shorthand for a problem that refuses the configuration.
    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> Problem {
        self.problem(Severity::Error, key, message)
    }

    /// Shorthand for a problem that is only worth a look.
    pub(super) fn warning(&self, key: &str, message: impl Into<String>) -> Problem {
        self.problem(Severity::Warning, key, message)
    }
}

/// The one of `known` that `text` was probably meant to be.
pub(super) fn suggestion<'k>(
    text: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let text = text.to_ascii_lowercase().replace('-', "_");
    let limit = (text.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (distance(&text, &candidate.replace('-', "_")), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters are to be inserted, removed, replaced or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    // Three rows of the table: two letters back, one letter back, this letter.
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous = None;
    for (row, letter) in one.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, &wanted) in other.iter().enumerate() {
            let replaced = last.get(column).copied().unwrap_or(usize::MAX);
            let replaced = replaced.saturating_add(usize::from(letter != wanted));
            let removed = last.get(column + 1).copied().unwrap_or(usize::MAX);
            let inserted = next.last().copied().unwrap_or(usize::MAX);
            let mut best = replaced.min(removed.saturating_add(1));
            best = best.min(inserted.saturating_add(1));
            let left = column.checked_sub(1).and_then(|left| other.get(left));
            if previous == Some(wanted)
                && left == Some(&letter)
                && let Some(swapped) = column.checked_sub(1).and_then(|left| before.get(left))
            {
                best = best.min(swapped + 1);
            }
            next.push(best);
        }
        before = last;
        last = next;
        previous = Some(letter);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_table() {
        for (one, other, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("abc", "abd", 1),
            ("abc", "ab", 1),
            ("abc", "xabc", 1),
            ("netwrok", "network", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "row {one} {other}");
        }
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["authentication", "accounting", "mail", "metrics"];
        for (text, expected) in [
            ("autentication", Some("authentication")),
            ("Mail", Some("mail")),
            ("mial", Some("mail")),
            ("metric", Some("metrics")),
            ("acounnting", Some("accounting")),
            ("x", None),
            ("radius", None),
        ] {
            assert_eq!(suggestion(text, known), expected, "row {text}");
        }
        assert_eq!(suggestion("tls-min", ["tls_min"]), Some("tls_min"));
    }
}
