//! A row, cell by cell, from text to the words of `model`.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt::Display;
use std::str::FromStr;

use crate::model::Tri;
use crate::sync::file::problems::Problems;
use crate::sync::file::record::Record;
use crate::sync::file::record::shortened;

/// A record being read cell by cell; remembers whether any cell was bad.
pub(super) struct Row<'a> {
    line: usize,
    cells: Vec<String>,
    names: &'static [&'static str],
    problems: &'a mut Problems,
    bad: bool,
}

impl<'a> Row<'a> {
    pub(super) fn new(
        record: Record,
        names: &'static [&'static str],
        problems: &'a mut Problems,
    ) -> Self {
        let (cells, bad) = match record.cells {
            Ok(cells) => (cells, false),
            Err((column, message)) => {
                problems.add(record.line, column, message);
                (Vec::new(), true)
            }
        };
        Self {
            line: record.line,
            cells,
            names,
            problems,
            bad,
        }
    }

    /// Whether all cells read so far are sound.
    pub(super) const fn is_sound(&self) -> bool {
        !self.bad
    }

    /// Says what is wrong with a cell.
    pub(super) fn refuse(&mut self, column: &str, message: String) {
        self.problems.add(self.line, column, message);
        self.bad = true;
    }

    /// Says what somebody should know of a cell that is taken as it is.
    pub(super) fn hint(&mut self, column: &str, message: String) {
        self.problems.hint(self.line, column, message);
    }

    /// The text of a cell, `None` when it is empty.
    pub(super) fn text(&mut self, column: &'static str) -> Option<String> {
        let place = self.names.iter().position(|name| *name == column)?;
        let cell = std::mem::take(self.cells.get_mut(place)?);
        if cell.is_empty() {
            return None;
        }
        if cell.len() > MAX_CELL || cell.chars().any(char::is_control) {
            let message = format!("expected at most {MAX_CELL} octets without control characters");
            self.refuse(column, message);
            return None;
        }
        Some(cell)
    }

    /// A cell as one identifier or version.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&mut self, column: &'static str) -> Option<T> {
        let text = self.text(column)?;
        self.parse(column, &text)
    }

    /// A cell as a list with `;` between the elements.
    pub(super) fn list<T: FromStr<Err: Display>>(&mut self, column: &'static str) -> Vec<T> {
        let text = self.text(column).unwrap_or_default();
        elements(&text)
            .filter_map(|element| self.parse(column, element))
            .collect()
    }

    /// A cell as a list of names.
    pub(super) fn names(&mut self, column: &'static str) -> Vec<String> {
        let text = self.text(column).unwrap_or_default();
        elements(&text).map(str::to_owned).collect()
    }

    /// Yes, no or unknown; empty is unknown.
    pub(super) fn tri(&mut self, column: &'static str) -> Tri {
        let Some(text) = self.text(column) else {
            return Tri::Unknown;
        };
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "1" => Tri::Yes,
            "no" | "false" | "0" => Tri::No,
            "unknown" => Tri::Unknown,
            _ => {
                let message = format!("expected yes, no or unknown, not {}", shortened(&text));
                self.refuse(column, message);
                Tri::Unknown
            }
        }
    }

    /// One of a list of words. `read` answers `None` for a word it does not know.
    pub(super) fn word<T>(
        &mut self,
        column: &'static str,
        words: &[&str],
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(column)?;
        let value = read(&text);
        if value.is_none() {
            let message = format!(
                "expected one of {}, not {}",
                words.join(", "),
                shortened(&text)
            );
            self.refuse(column, message);
        }
        value
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, column: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(column, format!("{error}, not {}", shortened(text)));
                None
            }
        }
    }
}

fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split(';')
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

/// Far longer than any name, short enough that a file cannot fill a log with one cell.
const MAX_CELL: usize = 4096;
