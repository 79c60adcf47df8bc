//! A TOML file read key by key, with the line of everything.
//!
//! Whoever reads a file asks a [`Section`] for each key it knows. The keys asked for are the keys
//! that may stand there: [`Section::finish`] reports every other one, with its line and the known
//! key it resembles. So a key is declared in one place, where it is read, and a file with five
//! mistakes gives five problems in one run.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::document::lines::Lines;
use crate::document::nearest::suggestion;
use crate::document::value::Bounded;
use crate::document::value::Value;
use crate::document::value::kind;
use crate::document::written::Written;
use crate::model::Problem;
use crate::model::Severity;

/// Reads `text` by calling `read` with its top table; returns what `read` made, the lines of the
/// keys, and the problems in the order of their lines.
///
/// A text that is not TOML is not shown to `read`, because what is left of it after a syntax error
/// would only give misleading problems; `read` then gets an empty table.
pub fn read<T>(
    file: &str,
    text: &str,
    read: impl FnOnce(&mut Section<'_>) -> T,
) -> (T, Written, Vec<Problem>) {
    let report = Report::new(file, text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .take(MAX_SYNTAX_ERRORS)
        .map(|error| {
            let message = one_line(error.message());
            let place = error.span().and_then(|span| text.get(span));
            let message = match place.filter(|_| message == "duplicate key") {
                Some(key) => format!("not TOML: {message} {}", one_line(key)),
                None => format!("not TOML: {message}"),
            };
            report.problem(error.span(), "", message)
        })
        .collect();
    let empty = DeTable::new();
    let sound = problems.is_empty();
    let mut section = Section {
        report: &report,
        table: if sound { table.get_ref() } else { &empty },
        path: String::new(),
        span: None,
        known: Vec::new(),
    };
    let made = read(&mut section);
    section.finish();
    if sound {
        problems = report.problems.into_inner();
    }
    problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
    let written = Written {
        file: file.to_owned(),
        lines: report.lines.into_inner(),
    };
    (made, written, problems)
}

/// One table of the file; an absent table is an empty one.
pub struct Section<'d> {
    report: &'d Report,
    table: &'d DeTable<'d>,
    path: String,
    span: Option<Range<usize>>,
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// Replaces `slot` by the value of `key`, if it is there and good.
    pub fn set<T: Value>(&mut self, key: &'static str, slot: &mut T) {
        if let Some(value) = self.read(key) {
            *slot = value;
        }
    }

    /// As [`Section::set`], for values that must lie in `range`.
    pub fn set_within<T: Bounded>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<T>,
        slot: &mut T,
    ) {
        let Some(value) = self.read::<T>(key) else {
            return;
        };
        if range.contains(&value) {
            *slot = value;
            return;
        }
        self.error(
            key,
            format!(
                "expected {} to {}, found {}",
                range.start().show(),
                range.end().show(),
                value.show()
            ),
        );
    }

    /// The value of `key`, if it is there and good.
    pub fn read<T: Value>(&mut self, key: &'static str) -> Option<T> {
        let value = self.ask(key)?;
        match T::read(value) {
            Ok(value) => Some(value),
            Err(complaints) => {
                for complaint in complaints {
                    let key = format!("{}{}", self.path_of(key), complaint.place);
                    self.report.add(complaint.span, &key, complaint.message);
                }
                None
            }
        }
    }

    /// As [`Section::read`], with a problem when the key is absent.
    pub fn require<T: Value>(&mut self, key: &'static str, example: &str) -> Option<T> {
        let value = self.read(key);
        if !self.has(key) {
            self.missing(key, example);
        }
        value
    }

    /// Reports that `key` is absent, on the line of the table's head.
    pub fn missing(&self, key: &str, example: &str) {
        self.report.add(
            self.span.clone().unwrap_or(0..0),
            &self.path_of(key),
            format!("this key is needed, for example: {example}"),
        );
    }

    /// The value of `key` as it stands in the file, for keys of more than one type.
    pub fn raw(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.ask(key)
    }

    /// Reports `key` if it is there: known elsewhere, without sense in this table.
    pub fn refuse(&mut self, key: &'static str, message: &str) {
        if self.ask(key).is_some() {
            self.error(key, message);
        }
    }

    /// Whether the file has `key`.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The table at `key`.
    pub fn child(&mut self, key: &'static str) -> Self {
        let value = self.ask(key);
        self.section(value, self.path_of(key))
    }

    /// Every table of the array at `key`.
    pub fn children(&mut self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.ask(key) else {
            return Vec::new();
        };
        let Some(array) = value.get_ref().as_array() else {
            let head = format!(
                "expected tables under [[{key}]], found {}",
                kind(value.get_ref())
            );
            self.report.add(value.span(), &self.path_of(key), head);
            return Vec::new();
        };
        array
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let path = format!("{}[{index}]", self.path_of(key));
                self.report.note(&path, Some(value.span()));
                self.section(Some(value), path)
            })
            .collect()
    }

    /// Every entry, whatever its key, for tables whose keys are names that the person chose.
    /// Call it on a section of which no key was asked.
    pub fn entries(&self) -> Vec<Entry<'d>> {
        self.table
            .iter()
            .map(|(key, value)| {
                let path = self.path_of(key.get_ref());
                self.report.note(&path, Some(key.span()));
                Entry {
                    name: key.get_ref().to_string(),
                    value,
                    path,
                }
            })
            .collect()
    }

    /// The entry as a table.
    pub fn table_of(&self, entry: &Entry<'d>) -> Self {
        self.section(Some(entry.value), entry.path.clone())
    }

    /// Adds an error at `key` of this table; empty for the table itself.
    pub fn error(&self, key: &str, message: impl Into<String>) {
        let span = self
            .table
            .get_key_value(key)
            .map(|(key, _)| key.span())
            .or_else(|| self.span.clone());
        let problem = self
            .report
            .problem(span, &self.path_of(key), message.into());
        self.report.problems.borrow_mut().push(problem);
    }

    /// The full name of `key`; empty for the table itself.
    pub fn path_of(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{key}", self.path),
        }
    }

    /// Reports every key that nobody asked for.
    pub fn finish(&self) {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let message = match suggestion(name, self.known.iter().copied()) {
                Some(meant) => format!("unknown key, did you mean {meant}?"),
                None => format!("unknown key, known here: {}", self.known.join(", ")),
            };
            self.report.add(key.span(), &self.path_of(name), message);
        }
    }

    fn ask(&mut self, key: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.known.push(key);
        let entry = self.table.get_key_value(key);
        let span = entry.map(|(key, _)| key.span());
        self.report.note(&self.path_of(key), span);
        entry.map(|(_, value)| value)
    }

    fn section(&self, value: Option<&'d Spanned<DeValue<'d>>>, path: String) -> Self {
        let table = value.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (value, table) {
            let message = format!("expected a table, found {}", kind(value.get_ref()));
            self.report.add(value.span(), &path, message);
        }
        Self {
            report: self.report,
            table: table.unwrap_or(&self.report.empty),
            path,
            span: value.map(Spanned::span),
            known: Vec::new(),
        }
    }
}

/// One entry of a table whose keys are names.
pub struct Entry<'d> {
    /// The key.
    pub name: String,
    /// Its value.
    pub value: &'d Spanned<DeValue<'d>>,
    path: String,
}

/// What is being found out about a file.
struct Report {
    file: String,
    text: Lines,
    problems: RefCell<Vec<Problem>>,
    lines: RefCell<BTreeMap<String, Option<usize>>>,
    empty: DeTable<'static>,
}

impl Report {
    fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: Lines::of(text),
            problems: RefCell::default(),
            lines: RefCell::default(),
            empty: DeTable::new(),
        }
    }

    /// The line, from 1, in which `span` begins.
    fn line(&self, span: Range<usize>) -> usize {
        self.text.at(span.start)
    }

    fn problem(&self, span: Option<Range<usize>>, key: &str, message: String) -> Problem {
        Problem {
            file: self.file.clone(),
            line: span.map(|span| self.line(span)),
            key: key.to_owned(),
            message,
            severity: Severity::Error,
        }
    }

    fn add(&self, span: Range<usize>, key: &str, message: String) {
        let problem = self.problem(Some(span), key, message);
        self.problems.borrow_mut().push(problem);
    }

    fn note(&self, path: &str, span: Option<Range<usize>>) {
        let line = span.map(|span| self.line(span));
        self.lines.borrow_mut().insert(path.to_owned(), line);
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// After this many the reader has lost its way and the rest is noise.
const MAX_SYNTAX_ERRORS: usize = 20;

#[cfg(test)]
mod tests;
