//! From TOML values to the types of the configuration, each with words for what was expected.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::DeValue;

use crate::document::duration::Octets;
use crate::document::duration::parse_duration;
use crate::document::duration::show_duration;
use crate::document::nearest::suggestion;

/// A type that a key can have.
pub trait Value: Sized {
    /// Reads a value, or says what is wrong with it; a list says it of each element.
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>>;
}

/// A type whose values have an order and a written form.
pub trait Bounded: Value + PartialOrd {
    /// As it would stand in the file.
    fn show(&self) -> String;
}

/// A type with a few named values.
pub trait Choice: Sized + Copy + 'static {
    /// Every value with its name.
    const ALL: &'static [(&'static str, Self)];
}

/// What is wrong with a value.
pub struct Complaint {
    /// What to add to the key: `[2]` for an element of a list, else empty.
    pub place: String,
    /// Where it stands.
    pub span: Range<usize>,
    /// What was expected and what was found.
    pub message: String,
}

/// The kind of a value, with its article.
pub const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The integer of `value`, whatever base it is written in.
pub fn integer(value: &DeValue<'_>) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn complain<T>(value: &Spanned<DeValue<'_>>, message: String) -> Result<T, Vec<Complaint>> {
    Err(vec![Complaint {
        place: String::new(),
        span: value.span(),
        message,
    }])
}

fn expected<T>(value: &Spanned<DeValue<'_>>, what: &str) -> Result<T, Vec<Complaint>> {
    let found = kind(value.get_ref());
    complain(value, format!("expected {what}, found {found}"))
}

fn text<'v>(value: &'v Spanned<DeValue<'_>>, what: &str) -> Result<&'v str, Vec<Complaint>> {
    match value.get_ref().as_str() {
        Some(text) => Ok(text),
        None => expected(value, what),
    }
}

impl Value for bool {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        match value.get_ref().as_bool() {
            Some(value) => Ok(value),
            None => expected(value, "true or false without quotes"),
        }
    }
}

impl Value for String {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        text(value, "a text in quotes").map(str::to_owned)
    }
}

impl Value for PathBuf {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        match text(value, "a path in quotes")? {
            "" => complain(value, "expected a path, found an empty text".to_owned()),
            path => Ok(path.into()),
        }
    }
}

impl Value for Duration {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        let text = text(value, "a duration in quotes such as \"10s\" or \"24h\"")?;
        parse_duration(text)
            .or_else(|error| complain(value, format!("the duration \"{}\" {error}", short(text))))
    }
}

impl Bounded for Duration {
    fn show(&self) -> String {
        show_duration(*self)
    }
}

impl Value for Octets {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        if let Some(octets) = integer(value.get_ref()).and_then(|number| u64::try_from(number).ok())
        {
            return Ok(Self::new(octets));
        }
        let text = text(value, "a size in quotes such as \"64 KiB\" or \"10 MB\"")?;
        text.parse()
            .or_else(|error| complain(value, format!("the size \"{}\" {error}", short(text))))
    }
}

impl Bounded for Octets {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for SocketAddr {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        const WHAT: &str = "an address with a port such as \"127.0.0.1:11812\" or \"[::1]:11812\"";
        let text = text(value, WHAT)?;
        text.trim()
            .parse()
            .or_else(|_| complain(value, format!("expected {WHAT}, found \"{}\"", short(text))))
    }
}

/// A single address is the network of that one address; host bits are cut off.
impl Value for IpNet {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        const WHAT: &str = "an address or a network such as \"10.1.2.3\" or \"10.1.0.0/16\"";
        let text = text(value, WHAT)?;
        let trimmed = text.trim();
        trimmed
            .parse::<Self>()
            .map(|network| network.trunc())
            .or_else(|_| trimmed.parse::<IpAddr>().map(Self::from))
            .or_else(|_| complain(value, format!("expected {WHAT}, found \"{}\"", short(text))))
    }
}

/// A single value is a list of one.
impl<T: Value> Value for Vec<T> {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        let Some(array) = value.get_ref().as_array() else {
            return T::read(value).map(|one| vec![one]);
        };
        let mut values = Self::with_capacity(array.len());
        let mut complaints = Vec::new();
        for (index, element) in array.iter().enumerate() {
            match T::read(element) {
                Ok(value) => values.push(value),
                Err(found) => complaints.extend(found.into_iter().map(|complaint| Complaint {
                    place: format!("[{index}]{}", complaint.place),
                    ..complaint
                })),
            }
        }
        if complaints.is_empty() {
            Ok(values)
        } else {
            Err(complaints)
        }
    }
}

impl<T: Value> Value for Option<T> {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        T::read(value).map(Some)
    }
}

/// One of the named values, with a suggestion for a name that is none.
impl<T: Choice> Value for T {
    fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
        let names: Vec<&str> = T::ALL.iter().map(|(name, _)| *name).collect();
        let what = format!("one of \"{}\"", names.join("\", \""));
        let text = text(value, &what)?;
        if let Some((_, chosen)) = T::ALL.iter().find(|(name, _)| *name == text) {
            return Ok(*chosen);
        }
        let mut message = format!("expected {what}, found \"{}\"", short(text));
        if let Some(meant) = suggestion(text, names) {
            message.push_str(&format!(", did you mean \"{meant}\"?"));
        }
        complain(value, message)
    }
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl Value for $number {
            fn read(value: &Spanned<DeValue<'_>>) -> Result<Self, Vec<Complaint>> {
                if value.get_ref().as_integer().is_none() {
                    return expected(value, "a whole number without quotes");
                }
                integer(value.get_ref()).and_then(|number| Self::try_from(number).ok()).map_or_else(
                    || complain(value, format!("expected a whole number of 0 to {}", Self::MAX)),
                    Ok,
                )
            }
        }

        impl Bounded for $number {
            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, usize);

/// The beginning of a text, for messages; control characters as escapes.
fn short(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Letters of a wrong value that a message repeats: enough to recognise it, and one line.
const SHOWN: usize = 48;
