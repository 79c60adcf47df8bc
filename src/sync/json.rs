//! Collections as Microsoft Graph sends them, read without trust.
//!
//! A page is `{"value": [row, …], "@odata.nextLink": "…"}`. The service sends `null`, `""` and
//! words that its reference does not list where the schema promises something else, so a row is
//! read as loose scalars and judged field by field: one odd field never costs a page. What the
//! page as a whole must have, it must have: without `value` it is an error, never an empty list.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::Deserializer;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

/// One page of a collection, its rows already judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows that can be used, in the order of the page.
    pub rows: Vec<T>,
    /// How many rows cannot be used.
    pub refused: usize,
    /// Why the first of them cannot.
    pub first_refusal: Option<RowError>,
    /// The link to the next page, not yet checked; `None` on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A last page without rows.
    pub(super) const fn empty() -> Self {
        Self {
            rows: Vec::new(),
            refused: 0,
            first_refusal: None,
            next: None,
        }
    }

    /// Reads a page and judges each row with `judge`.
    pub(super) fn read(
        octets: &[u8],
        mut judge: impl FnMut(&Row<'_>) -> Result<Option<T>, RowError>,
    ) -> Result<Self, PageError> {
        // Derived readers take an array for a struct; Graph never sends one.
        if octets.trim_ascii_start().starts_with(b"[") {
            return Err(PageError::NotAPage { line: 1, column: 1 });
        }
        let raw: RawPage<'_> = serde_json::from_slice(octets).map_err(|error| {
            if error.is_eof() {
                PageError::Cut
            } else {
                // The library's text can quote values; only the place is passed on.
                PageError::NotAPage {
                    line: error.line(),
                    column: error.column(),
                }
            }
        })?;
        if raw.error {
            return Err(PageError::ErrorInstead);
        }
        let raw_rows = raw.value.ok_or(PageError::NoValue)?.0;
        let next = match raw.next {
            Scalar::Nothing => None,
            Scalar::Text(link) => Some(link.into_owned()),
            Scalar::Bool(_) | Scalar::Number(_) | Scalar::Other => return Err(PageError::Link),
        };
        let mut page = Self {
            rows: Vec::with_capacity(raw_rows.len()),
            refused: 0,
            first_refusal: None,
            next,
        };
        for row in &raw_rows {
            match row.checked().and_then(&mut judge) {
                Ok(Some(value)) => page.rows.push(value),
                // A row of a kind that is not asked for, such as a device in a list of members.
                Ok(None) => {}
                Err(error) => {
                    page.refused = page.refused.saturating_add(1);
                    page.first_refusal.get_or_insert(error);
                }
            }
        }
        Ok(page)
    }
}

/// Why an answer is not a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The octets end in the middle; asking again may help.
    #[error("the answer ends in the middle")]
    Cut,
    /// Not JSON, or not of the form of a page.
    #[error("the answer is no list of rows (line {line}, column {column})")]
    NotAPage {
        /// Line of the answer, from 1.
        line: usize,
        /// Column of the answer.
        column: usize,
    },
    /// There is no list of rows; taking that for an empty one would remove everything.
    #[error("the answer has no `value`")]
    NoValue,
    /// An `error` object under a status that says success.
    #[error("the answer holds an error in place of rows")]
    ErrorInstead,
    /// `@odata.nextLink` is not text.
    #[error("the link to the next page is not text")]
    Link,
}

/// Why a row cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// Not a JSON object.
    #[error("a row is not an object")]
    NotAnObject,
    /// A field stands there twice, or there are too many to be looked at.
    #[error("a row has a field twice or more than {MAX_FIELDS} fields")]
    Fields,
    /// What the row is about cannot be told.
    #[error("a row has no usable `{0}`")]
    Identifier(&'static str),
}

/// One JSON object of a list: the scalars of its fields by name.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    fields: Vec<(Cow<'a, str>, Scalar<'a>)>,
    fault: Option<RowError>,
}

impl Row<'_> {
    /// The text of a field; `None` for none, `null`, blanks and anything that is not text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let Scalar::Text(text) = self.get(name)? else {
            return None;
        };
        let text = text.trim();
        (!text.is_empty()).then_some(text)
    }

    /// A truth value, also when it is spelled as text.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            Scalar::Bool(value) => Some(*value),
            Scalar::Text(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Scalar::Text(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            Scalar::Text(_) | Scalar::Nothing | Scalar::Number(_) | Scalar::Other => None,
        }
    }

    fn get(&self, name: &str) -> Option<&Scalar<'_>> {
        let found = self.fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value)
    }

    pub(super) fn checked(&self) -> Result<&Self, RowError> {
        self.fault.map_or(Ok(self), Err)
    }
}

/// A JSON value as far as anyone here looks into it.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    /// `null`, or no such field.
    #[default]
    Nothing,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that is not negative.
    Number(u64),
    /// A string.
    Text(Cow<'a, str>),
    /// Anything else.
    Other,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow, default)]
    value: Option<Rows<'a>>,
    #[serde(borrow, default, rename = "@odata.nextLink")]
    next: Scalar<'a>,
    #[serde(default, deserialize_with = "is_present")]
    error: bool,
}

struct Rows<'a>(Vec<Row<'a>>);

fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<IgnoredAny>::deserialize(deserializer)?.is_some())
}

impl<'de: 'a, 'a> Deserialize<'de> for Rows<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Rows<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut rows = Vec::new();
                while let Some(row) = list.next_element()? {
                    if rows.len() >= MAX_ROWS {
                        return Err(A::Error::custom("too many rows"));
                    }
                    rows.push(row);
                }
                Ok(Rows(rows))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Row<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RowVisitor)
    }
}

struct RowVisitor;

impl RowVisitor {
    fn not_an_object<'a, E>() -> Result<Row<'a>, E> {
        Ok(Row {
            fields: Vec::new(),
            fault: Some(RowError::NotAnObject),
        })
    }
}

impl<'de> Visitor<'de> for RowVisitor {
    type Value = Row<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = Row::default();
        while let Some((Key(key), value)) = map.next_entry::<Key<'de>, Scalar<'de>>()? {
            if row.fields.len() >= MAX_FIELDS || row.get(&key).is_some() {
                row.fault = Some(RowError::Fields);
            } else {
                row.fields.push((key, value));
            }
        }
        Ok(row)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Self::not_an_object()
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Self::not_an_object()
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Self::not_an_object()
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Self::not_an_object()
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Self::not_an_object()
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Self::not_an_object()
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Self::not_an_object()
    }
}

/// A field's name, borrowed unless it is escaped.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// Ten times the largest page that Graph makes; a page with more is not one.
const MAX_ROWS: usize = 10_000;

/// Four times the properties of the largest row asked for; a row with more is refused.
const MAX_FIELDS: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(octets: &[u8]) -> Result<Page<String>, PageError> {
        Page::read(octets, |row| {
            let name = row.text("id").ok_or(RowError::Identifier("id"))?;
            Ok(Some(name.to_owned()))
        })
    }

    #[test]
    fn pages_that_are_not_whole_are_errors_and_never_empty_lists() {
        for (text, expected) in [
            ("", PageError::Cut),
            (r#"{"value":[{"id":"a"}"#, PageError::Cut),
            (r#"{"value":[{"id":"a"}]"#, PageError::Cut),
            ("{}", PageError::NoValue),
            (r#"{"value":null}"#, PageError::NoValue),
            (r#"{"@odata.nextLink":"x"}"#, PageError::NoValue),
            (
                r#"{"error":{"code":"x"},"value":[]}"#,
                PageError::ErrorInstead,
            ),
            (r#"{"value":[],"@odata.nextLink":7}"#, PageError::Link),
        ] {
            assert_eq!(names(text.as_bytes()), Err(expected), "row {text}");
        }
        for text in ["[]", "7", "<html>", r#"{"value":{}}"#, r#"{"value":[]}x"#] {
            let answer = names(text.as_bytes());
            assert!(
                matches!(answer, Err(PageError::NotAPage { .. })),
                "row {text}"
            );
        }
    }

    #[test]
    fn an_odd_row_is_refused_alone() {
        let page = names(
            br#"{"value":[{"id":"a"},null,3,"x",[1],{"id":null},{"id":""},{"id":{}},
                {"id":"b","id":"c"},{"id":"d","more":{"deep":[1,2]},"n":-1,"f":1.5}],
                "error":null,"@odata.nextLink":"https://x/y"}"#,
        )
        .unwrap();
        assert_eq!(page.rows, ["a", "d"]);
        assert_eq!(page.refused, 8);
        assert_eq!(page.first_refusal, Some(RowError::NotAnObject));
        assert_eq!(page.next.as_deref(), Some("https://x/y"));
    }

    #[test]
    fn rows_and_fields_are_bounded() {
        let row = |fields: usize| {
            let fields: Vec<String> = (0..fields).map(|n| format!(r#""f{n}":1"#)).collect();
            format!(r#"{{"value":[{{"id":"a",{}}}]}}"#, fields.join(","))
        };
        assert_eq!(names(row(MAX_FIELDS - 1).as_bytes()).unwrap().refused, 0);
        assert_eq!(names(row(MAX_FIELDS).as_bytes()).unwrap().refused, 1);

        let list = |rows: usize| format!(r#"{{"value":[{}]}}"#, vec!["0"; rows].join(","));
        assert_eq!(names(list(MAX_ROWS).as_bytes()).unwrap().refused, MAX_ROWS);
        assert!(names(list(MAX_ROWS + 1).as_bytes()).is_err());
    }
}
