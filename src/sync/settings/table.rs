//! TOML tables read key by key: what was not asked for is unknown, and all of it is told at once.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;

use crate::model::Problem;
use crate::model::Severity;

/// Reads `text` with `fill` and returns every problem, by line.
pub(super) fn read(file: &str, text: &str, fill: impl FnOnce(&mut Section<'_>)) -> Vec<Problem> {
    let report = Report {
        file,
        text,
        problems: RefCell::new(Vec::new()),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let mut root = Section::new(&report, table.get_ref(), String::new(), 0..0);
        fill(&mut root);
        root.finish();
    } else {
        // What a broken text leaves over would only give misleading problems.
        for error in errors.iter().take(MAX_SYNTAX_ERRORS) {
            let message = format!("not TOML: {}", error.message().replace('\n', " "));
            report.add(error.span(), String::new(), message);
        }
    }
    let mut problems = report.problems.into_inner();
    problems.sort_by_key(|problem| problem.line);
    problems
}

struct Report<'a> {
    file: &'a str,
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl Report<'_> {
    fn add(&self, span: Option<Range<usize>>, key: String, message: String) {
        let line = span.map(|span| {
            let before = self.text.get(..span.start).unwrap_or("");
            1 + before.matches('\n').count()
        });
        self.problems.borrow_mut().push(Problem {
            file: self.file.to_owned(),
            line,
            key,
            message,
            severity: Severity::Error,
        });
    }
}

/// One table.
pub(super) struct Section<'a> {
    report: &'a Report<'a>,
    table: &'a DeTable<'a>,
    path: String,
    span: Range<usize>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    const fn new(
        report: &'a Report<'a>,
        table: &'a DeTable<'a>,
        path: String,
        span: Range<usize>,
    ) -> Self {
        Self {
            report,
            table,
            path,
            span,
            asked: Vec::new(),
        }
    }

    /// Calls `fill` with each table of an array of tables.
    pub(super) fn each(&mut self, key: &'static str, mut fill: impl FnMut(&mut Section<'_>)) {
        let Some(value) = self.value(key) else { return };
        let Some(tables) = value.get_ref().as_array() else {
            self.problem(key, format!("expected tables, each headed [[{key}]]"));
            return;
        };
        for (index, element) in tables.iter().enumerate() {
            let path = format!("{key}[{index}]");
            let Some(table) = element.get_ref().as_table() else {
                let message = format!("expected a table headed [[{key}]]");
                self.report.add(Some(element.span()), path, message);
                continue;
            };
            let mut section = Section::new(self.report, table, path, element.span());
            fill(&mut section);
            section.finish();
        }
    }

    /// A text, if it is there.
    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.value(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        let text = text.filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.problem(
                key,
                "expected a text in quotes that is not empty".to_owned(),
            );
        }
        text
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &'static str) -> Option<String> {
        if self.table.get(key).is_none() {
            self.asked.push(key);
            self.problem("", format!("expected a key `{key}`"));
            return None;
        }
        self.text(key)
    }

    /// A list of texts; empty when it is not there.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let texts = value.get_ref().as_array().and_then(|list| {
            list.iter()
                .map(|element| element.get_ref().as_str().map(str::to_owned))
                .collect()
        });
        texts.unwrap_or_else(|| {
            self.problem(key, "expected a list of texts: [\"a\", \"b\"]".to_owned());
            Vec::new()
        })
    }

    /// `true` or `false`, if it is there.
    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        let truth = self.value(key)?.get_ref().as_bool();
        if truth.is_none() {
            self.problem(key, "expected true or false".to_owned());
        }
        truth
    }

    /// Replaces `slot` by a number from 1 on.
    pub(super) fn count(&mut self, key: &'static str, slot: &mut usize) {
        let Some(value) = self.value(key) else { return };
        match integer(value.get_ref()).filter(|&count| count > 0) {
            Some(count) => *slot = count,
            None => self.problem(key, "expected a whole number from 1 on".to_owned()),
        }
    }

    /// Replaces `slot` by a number of 0 to 100.
    pub(super) fn percent(&mut self, key: &'static str, slot: &mut u8) {
        let Some(value) = self.value(key) else { return };
        let percent = integer(value.get_ref()).and_then(|percent| u8::try_from(percent).ok());
        match percent.filter(|percent| *percent <= 100) {
            Some(percent) => *slot = percent,
            None => self.problem(key, "expected a whole number from 0 to 100".to_owned()),
        }
    }

    /// Replaces `slot` by a duration within `bounds`, both included.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        bounds: (Duration, Duration),
        slot: &mut Duration,
    ) {
        let Some(value) = self.value(key) else { return };
        let duration = value.get_ref().as_str().and_then(parse_duration);
        let (least, most) = bounds;
        match duration.filter(|duration| (least..=most).contains(duration)) {
            Some(duration) => *slot = duration,
            None => self.problem(
                key,
                format!(
                    "expected a duration such as \"90s\" or \"1h30m\", from {} s to {} s",
                    least.as_secs(),
                    most.as_secs()
                ),
            ),
        }
    }

    /// Says what is wrong with a key, or with the table when `key` is empty.
    pub(super) fn problem(&self, key: &str, message: String) {
        let place = self.table.get_key_value(key);
        let span = place.map_or_else(|| self.span.clone(), |(key, _)| key.span());
        self.report.add(Some(span), self.path_of(key), message);
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.push(key);
        self.table.get(key)
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.as_str(), key) {
            ("", key) => key.to_owned(),
            (path, "") => path.to_owned(),
            (path, key) => format!("{path}.{key}"),
        }
    }

    /// Every key that nobody asked for is unknown.
    fn finish(&self) {
        for (key, _) in self.table {
            let name = key.get_ref().as_ref();
            if !self.asked.contains(&name) {
                let known = self.asked.join(", ");
                let message = format!("unknown key; the keys here are {known}");
                self.report
                    .add(Some(key.span()), self.path_of(name), message);
            }
        }
    }
}

fn integer(value: &DeValue<'_>) -> Option<usize> {
    let integer = value.as_integer()?;
    usize::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// Whole numbers, each with its unit, the largest first: `1h30m`, `90s`, `500ms`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    let mut units = UNITS.iter();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let (_, millis) = units.find(|(name, _)| *name == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*millis)?;
        total = total.checked_add(Duration::from_millis(part))?;
        rest = after.trim_start();
    }
    Some(total)
}

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// One slip often makes several; the first few show where it is.
const MAX_SYNTAX_ERRORS: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_from_large_to_small() {
        for (text, expected) in [
            ("90s", Some(90_000)),
            ("1h30m", Some(5_400_000)),
            ("1d 2h", Some(93_600_000)),
            ("500ms", Some(500)),
            ("0s", Some(0)),
            ("", None),
            ("90", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("30m1h", None),
            ("1m1m", None),
            ("1 s", None),
            ("1y", None),
            ("99999999999999999999d", None),
            ("999999999999999999d", None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(parse_duration(text), expected, "row {text}");
        }
    }
}
