//! Reads values out of a parsed TOML document, and keeps every problem with its line and key.
//!
//! A derived mirror would stop at the first wrong key; here reading goes on with a harmless value,
//! and the whole file is refused at the end. Keys that nobody asked for are problems too.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::document::Lines;
use crate::document::Written;
use crate::document::suggestion;
use crate::model::Problem;
use crate::model::Severity;
use crate::policy::words::Set;
use crate::policy::words::Word;
use crate::policy::words::either;

/// Problems found so far, and where everything stands.
pub(super) struct Reader {
    file: String,
    text: Lines,
    problems: Vec<Problem>,
    left_out: usize,
    lines: BTreeMap<String, Option<usize>>,
}

/// Where a value stands: its key from the root of the file, and its line from 1.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) key: String,
    pub(super) line: usize,
}

/// One value at its place.
#[derive(Clone, Debug)]
pub(super) struct Value<'d> {
    pub(super) place: Place,
    value: &'d DeValue<'d>,
}

/// A table of which the known keys are taken one by one; the rest is unknown.
pub(super) struct Section<'d> {
    pub(super) place: Place,
    entries: Vec<(&'d str, Value<'d>)>,
    asked: Vec<&'static str>,
}

impl Reader {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Self {
            file: file.to_owned(),
            text: Lines::of(text),
            problems: Vec::new(),
            left_out: 0,
            lines: BTreeMap::new(),
        }
    }

    /// The outermost table.
    pub(super) fn root<'d>(&mut self, table: &'d DeTable<'d>) -> Section<'d> {
        let place = Place {
            key: String::new(),
            line: 1,
        };
        self.section(place, table)
    }

    /// What the TOML parser itself found wrong.
    pub(super) fn syntax(&mut self, span: Option<Range<usize>>, message: &str) {
        let line = span.map(|span| self.text.at(span.start));
        let message: Vec<&str> = message.lines().map(str::trim).collect();
        self.problem(Severity::Error, line, String::new(), message.join("; "));
    }

    pub(super) fn error(&mut self, at: &Place, message: impl Into<String>) {
        self.problem(
            Severity::Error,
            Some(at.line),
            at.key.clone(),
            message.into(),
        );
    }

    pub(super) fn warn(&mut self, at: &Place, message: impl Into<String>) {
        self.problem(
            Severity::Warning,
            Some(at.line),
            at.key.clone(),
            message.into(),
        );
    }

    /// The absence of `name` in a section.
    pub(super) fn missing(&mut self, section: &Section<'_>, name: &str, expected: &str) {
        let at = Place {
            key: section.place.below(name),
            line: section.place.line,
        };
        self.error(&at, format!("missing; expected {expected}"));
    }

    /// `; did you mean "x"?` where a known word is near.
    pub(super) fn suggestion<'a>(
        &self,
        text: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> String {
        let bounded = self.problems.len() < MAX_PROBLEMS && text.len() <= MAX_QUOTED;
        let near = bounded.then(|| suggestion(text, known)).flatten();
        near.map_or_else(String::new, |word| format!("; did you mean {word:?}?"))
    }

    /// The warnings and where everything stands; all problems, in the order of the file, if one is
    /// an error.
    pub(super) fn finish(mut self) -> Result<(Written, Vec<Problem>), Vec<Problem>> {
        if self.left_out > 0 {
            self.problems.push(Problem {
                file: self.file.clone(),
                line: None,
                key: String::new(),
                message: format!("{} further problems are not listed", self.left_out),
                severity: Severity::Error,
            });
        }
        self.problems.sort_by_key(|problem| problem.line);
        let refused = self
            .problems
            .iter()
            .any(|problem| problem.severity == Severity::Error);
        if refused {
            return Err(self.problems);
        }
        let source = Written {
            file: self.file,
            lines: self.lines,
        };
        Ok((source, self.problems))
    }

    pub(super) fn text<'d>(&mut self, value: &Value<'d>) -> Option<&'d str> {
        match value.value {
            DeValue::String(text) => Some(text.as_ref()),
            other @ (DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_)) => {
                self.wrong_kind(value, "a text in quotes", other);
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, value: &Value<'_>) -> Option<bool> {
        let answer = value.value.as_bool();
        if answer.is_none() {
            self.wrong_kind(value, "true or false", value.value);
        }
        answer
    }

    pub(super) fn integer(&mut self, value: &Value<'_>) -> Option<i64> {
        let number = value.value.as_integer();
        if number.is_none() {
            self.wrong_kind(value, "a whole number", value.value);
        }
        let number = number?;
        i64::from_str_radix(number.as_str(), number.radix()).ok()
    }

    pub(super) fn table<'d>(&mut self, value: &Value<'d>) -> Option<Section<'d>> {
        let table = value.value.as_table();
        if table.is_none() {
            self.wrong_kind(value, "a table of keys", value.value);
        }
        table.map(|table| self.section(value.place.clone(), table))
    }

    /// The elements of a list of at most `most`.
    pub(super) fn list<'d>(&mut self, value: &Value<'d>, most: usize) -> Vec<Value<'d>> {
        let Some(array) = value.value.as_array() else {
            self.wrong_kind(value, "a list in brackets", value.value);
            return Vec::new();
        };
        if array.len() > most {
            self.error(
                &value.place,
                format!("{} entries, at most {most} are taken", array.len()),
            );
            return Vec::new();
        }
        array
            .iter()
            .enumerate()
            .map(|(position, element)| {
                let place = Place {
                    key: format!("{}[{position}]", value.place.key),
                    line: self.text.at(element.span().start),
                };
                self.lines.insert(place.key.clone(), Some(place.line));
                Value {
                    place,
                    value: element.get_ref(),
                }
            })
            .collect()
    }

    /// One of the words of a table.
    pub(super) fn choice<T: Copy>(
        &mut self,
        value: &Value<'_>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(value)?;
        if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*chosen);
        }
        let known = words.iter().map(|(word, _)| *word);
        self.error(
            &value.place,
            format!(
                "expected {}; found {}{}",
                either(known.clone()),
                quoted(text),
                self.suggestion(text, known)
            ),
        );
        None
    }

    pub(super) fn word<T: Word>(&mut self, value: &Value<'_>) -> Option<T> {
        self.choice(value, T::WORDS)
    }

    /// A list of words, not empty.
    pub(super) fn words<T: Copy + PartialEq>(
        &mut self,
        value: &Value<'_>,
        words: &[(&'static str, T)],
    ) -> Vec<T> {
        let mut chosen: Vec<T> = Vec::new();
        let elements = self.list(value, MAX_WORDS);
        if value.is_empty_list() {
            self.error(
                &value.place,
                format!(
                    "an empty list; leave the key out, or list some of {}",
                    either(words.iter().map(|(word, _)| *word))
                ),
            );
        }
        for element in &elements {
            let Some(one) = self.choice(element, words) else {
                continue;
            };
            if chosen.contains(&one) {
                self.warn(&element.place, "stands in the list twice");
            } else {
                chosen.push(one);
            }
        }
        chosen
    }

    pub(super) fn set<T: Word>(&mut self, value: &Value<'_>) -> Set<T> {
        self.words(value, T::WORDS).into_iter().collect()
    }

    /// A number and a unit: `90s`, `15m`, `24h`, `30d`; at most a year.
    pub(super) fn duration(&mut self, value: &Value<'_>) -> Option<Duration> {
        let text = self.text(value)?;
        let parsed = parse_duration(text);
        if parsed.is_none() {
            self.error(
                &value.place,
                format!(
                    "expected a number with a unit such as \"90s\", \"15m\", \"24h\" or \"30d\", at \
                     most a year; found {}",
                    quoted(text)
                ),
            );
        }
        parsed
    }

    /// A word that must be there; `about` says what it decides.
    pub(super) fn required<T: Word>(
        &mut self,
        section: &mut Section<'_>,
        name: &'static str,
        about: &str,
    ) -> Option<T> {
        let Some(value) = section.take(name) else {
            let words = either(T::WORDS.iter().map(|(word, _)| *word));
            self.missing(section, name, &format!("{words}: {about}"));
            return None;
        };
        self.word(&value)
    }

    /// Reports the keys that nobody has taken.
    pub(super) fn close(&mut self, section: Section<'_>, elsewhere: &[(&str, &str)]) {
        for (name, value) in &section.entries {
            let message = match elsewhere.iter().find(|(key, _)| key == name) {
                Some((_, advice)) => (*advice).to_owned(),
                None => format!(
                    "unknown key; known here: {}{}",
                    section.asked.join(", "),
                    self.suggestion(name, section.asked.iter().copied())
                ),
            };
            self.error(&value.place, message);
        }
    }

    fn section<'d>(&mut self, place: Place, table: &'d DeTable<'d>) -> Section<'d> {
        let entries = table
            .iter()
            .map(|(name, value)| {
                let place = Place {
                    key: place.below(name.get_ref()),
                    line: self.text.at(name.span().start),
                };
                self.lines.insert(place.key.clone(), Some(place.line));
                let value = Value {
                    place,
                    value: Spanned::get_ref(value),
                };
                (name.get_ref().as_ref(), value)
            })
            .collect();
        Section {
            place,
            entries,
            asked: Vec::new(),
        }
    }

    fn wrong_kind(&mut self, value: &Value<'_>, expected: &str, found: &DeValue<'_>) {
        self.error(
            &value.place,
            format!(
                "expected {expected}; found a value of kind {}",
                found.type_str()
            ),
        );
    }

    fn problem(&mut self, severity: Severity, line: Option<usize>, key: String, message: String) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.left_out += 1;
            return;
        }
        self.problems.push(Problem {
            file: self.file.clone(),
            line,
            key,
            message,
            severity,
        });
    }
}

impl Place {
    fn below(&self, name: &str) -> String {
        if self.key.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.key)
        }
    }
}

impl Value<'_> {
    pub(super) fn is_empty_list(&self) -> bool {
        self.value.as_array().is_some_and(|array| array.is_empty())
    }
}

impl<'d> Section<'d> {
    /// The value of a key, if it is there. Each key is asked for once.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value<'d>> {
        self.asked.push(name);
        let position = self.entries.iter().position(|(key, _)| *key == name)?;
        Some(self.entries.swap_remove(position).1)
    }

    /// Where a key stands, if it is there.
    pub(super) fn peek(&self, name: &str) -> Option<Place> {
        let found = self.entries.iter().find(|(key, _)| *key == name)?;
        Some(found.1.place.clone())
    }

    /// All keys with their values, for tables whose keys a person makes up.
    pub(super) fn take_all(&mut self) -> Vec<(&'d str, Value<'d>)> {
        std::mem::take(&mut self.entries)
    }
}

/// A text as the person wrote it, cut where it would flood the screen.
pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(MAX_QUOTED).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{dots}")
}

fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit = text.chars().next_back()?;
    let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let duration = Duration::from_secs(number.checked_mul(seconds)?);
    (duration <= LONGEST).then_some(duration)
}

/// Longest time that a fact may be trusted for: beyond a year, nobody meant it.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Problems that are listed; more than a person mends in one go. The rest is counted.
const MAX_PROBLEMS: usize = 1000;

/// Words in one list: there are at most 21 commands, and a repetition is worth its own warning.
const MAX_WORDS: usize = 32;

/// Characters of a wrong text that are shown.
const MAX_QUOTED: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_and_end_at_a_year() {
        for (text, expected) in [
            ("0s", Some(0)),
            ("90s", Some(90)),
            ("15 m", Some(900)),
            ("24h", Some(86_400)),
            ("366d", Some(366 * 86_400)),
            ("367d", None),
            ("99999999999999999999h", None),
            ("18446744073709551615d", None),
            ("24", None),
            ("h", None),
            ("-1h", None),
            ("24 hours", None),
            ("24é", None),
            ("", None),
        ] {
            assert_eq!(
                parse_duration(text),
                expected.map(Duration::from_secs),
                "row {text}"
            );
        }
    }
}
