//! Durations and sizes as people write them: `10s`, `1h30m`, `10 MB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Reads a duration: numbers, each followed by `ms`, `s`, `m`, `h` or `d`, largest unit first. Spaces may
/// stand between them.
///
/// # Errors
///
/// Says what is wrong, in words that name the units.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut total = Duration::ZERO;
    let mut previous = u64::MAX;
    while !rest.is_empty() {
        let (number, after) = split_number(rest);
        if number.is_empty() {
            return Err(DurationError::NoNumber);
        }
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        let after = after.trim_start();
        let end = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let &(_, millis) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| DurationError::Unit(unit.to_owned()))?;
        if millis >= previous {
            return Err(DurationError::Order);
        }
        previous = millis;
        total = number
            .checked_mul(millis)
            .and_then(|part| total.checked_add(Duration::from_millis(part)))
            .ok_or(DurationError::TooLong)?;
        rest = after.trim_start();
    }
    Ok(total)
}

/// Writes a duration in the form that [`parse_duration`] reads; below a millisecond is cut off.
pub fn show_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, millis) in UNITS {
        let count = rest / millis;
        rest %= millis;
        if count > 0 {
            text.push_str(&format!("{count}{name}"));
        }
    }
    text
}

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// A unit without a number, or a sign.
    #[error("lacks a whole number before its unit")]
    NoNumber,
    /// Not one of our units.
    #[error("{}", unit_message(.0))]
    Unit(String),
    /// A unit twice, or a larger one after a smaller.
    #[error("must name each unit once, the largest first")]
    Order,
    /// Beyond what 64 bits of milliseconds hold.
    #[error("is too long")]
    TooLong,
}

fn unit_message(unit: &str) -> String {
    if unit.is_empty() {
        "lacks a unit: ms, s, m, h or d".to_owned()
    } else {
        format!("has the unit {unit}, known are ms, s, m, h and d")
    }
}

/// A number of octets. Reads `512`, `64 KiB`, `10 MB`; `K`, `M` and `G` are powers of 1000 with
/// `B` and of 1024 with `iB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Octets(u64);

impl Octets {
    /// From a plain number.
    #[must_use]
    pub const fn new(octets: u64) -> Self {
        Self(octets)
    }

    /// The plain number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Octets {
    type Err = OctetsError;

    fn from_str(text: &str) -> Result<Self, OctetsError> {
        let (number, unit) = split_number(text.trim());
        let number: u64 = number.parse().map_err(|_| OctetsError::NoNumber)?;
        let unit = unit.trim();
        let &(_, factor) = SIZES
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| OctetsError::Unit(unit.to_owned()))?;
        number
            .checked_mul(factor)
            .map(Self)
            .ok_or(OctetsError::TooLarge)
    }
}

/// With the largest unit that leaves a whole number.
impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZES
            .iter()
            .rev()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) if *factor > 1 => write!(f, "{} {name}", self.0 / factor),
            Some(_) | None => write!(f, "{} B", self.0),
        }
    }
}

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OctetsError {
    /// Does not begin with a number.
    #[error("lacks a whole number before its unit")]
    NoNumber,
    /// Not one of our units.
    #[error("has the unit {0}, known are B, kB, MB, GB, KiB, MiB and GiB")]
    Unit(String),
    /// Beyond 64 bits.
    #[error("is too large")]
    TooLarge,
}

fn split_number(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Units of time in milliseconds, largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Units of size in octets, smallest first.
const SIZES: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("kB", 1000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_table() {
        for (text, expected) in [
            ("0s", Ok(Duration::ZERO)),
            ("250ms", Ok(Duration::from_millis(250))),
            ("10s", Ok(Duration::from_secs(10))),
            ("5m", Ok(Duration::from_secs(300))),
            ("24h", Ok(Duration::from_secs(86_400))),
            ("7d", Ok(Duration::from_secs(604_800))),
            ("1h30m", Ok(Duration::from_secs(5400))),
            (" 1h 30m ", Ok(Duration::from_secs(5400))),
            ("1s500ms", Ok(Duration::from_millis(1500))),
            ("", Err("is empty")),
            ("  ", Err("is empty")),
            ("10", Err("lacks a unit: ms, s, m, h or d")),
            ("s", Err("lacks a whole number before its unit")),
            ("-1s", Err("lacks a whole number before its unit")),
            ("1.5h", Err("lacks a unit: ms, s, m, h or d")),
            ("1w", Err("has the unit w, known are ms, s, m, h and d")),
            ("10 s", Ok(Duration::from_secs(10))),
            ("1 h 30 m", Ok(Duration::from_secs(5400))),
            ("1 30m", Err("lacks a unit: ms, s, m, h or d")),
            (
                "1 hours",
                Err("has the unit hours, known are ms, s, m, h and d"),
            ),
            (
                "10sec",
                Err("has the unit sec, known are ms, s, m, h and d"),
            ),
            ("10S", Err("has the unit S, known are ms, s, m, h and d")),
            ("1m1m", Err("must name each unit once, the largest first")),
            ("1s1m", Err("must name each unit once, the largest first")),
            ("99999999999999999999s", Err("is too long")),
            ("18446744073709551615d", Err("is too long")),
            ("1é", Err("lacks a unit: ms, s, m, h or d")),
        ] {
            let outcome = parse_duration(text).map_err(|error| error.to_string());
            assert_eq!(outcome, expected.map_err(str::to_owned), "row {text:?}");
        }
    }

    #[test]
    fn sizes_table() {
        for (text, expected) in [
            ("0", Ok(0)),
            ("512", Ok(512)),
            ("512 B", Ok(512)),
            ("10 MB", Ok(10_000_000)),
            ("10MB", Ok(10_000_000)),
            ("64 KiB", Ok(65_536)),
            ("2 GiB", Ok(2_147_483_648)),
            ("MB", Err("lacks a whole number before its unit")),
            ("-1", Err("lacks a whole number before its unit")),
            (
                "10 Mb",
                Err("has the unit Mb, known are B, kB, MB, GB, KiB, MiB and GiB"),
            ),
            ("99999999999 GiB", Err("is too large")),
        ] {
            let outcome: Result<Octets, _> = text.parse();
            let outcome = outcome.map(Octets::get).map_err(|error| error.to_string());
            assert_eq!(outcome, expected.map_err(str::to_owned), "row {text:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_shown_is_read_back(millis in 0..=u64::from(u32::MAX) * 1000, octets: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
            prop_assert_eq!(Octets(octets).to_string().parse(), Ok(Octets(octets)));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in ".{0,24}") {
            prop_assert!(parse_duration(&text).is_err() || text.contains(char::is_alphabetic));
            prop_assert!(text.parse::<Octets>().is_err() || text.contains(char::is_numeric));
        }
    }
}
