//! The number of a decision.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::model::Timestamp;

/// The number that ties a reply, its record, its session and its explanation together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Correlation(pub u64);

impl Correlation {
    /// Reads the sixteen hexadecimal digits that [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() != 16 {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

/// Sixteen hexadecimal digits.
impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Gives out correlations, each once; shared by all threads.
#[derive(Debug)]
pub struct CorrelationSource(AtomicU64);

impl CorrelationSource {
    /// Starts from the wall clock, so that numbers are not given out again after a restart
    /// unless the process makes more than 65,536 decisions a millisecond all its life.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
        Self(AtomicU64::new(millis << 16))
    }

    /// The next one.
    pub fn next(&self) -> Correlation {
        Correlation(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn correlations_print_and_parse() {
        let source = CorrelationSource::starting_at(Timestamp::from_unix_seconds(1_795_253_400));
        let first = source.next();
        assert_ne!(first, source.next());
        assert_eq!(Correlation::parse(&first.to_string()), Some(first));
        for bad in ["", "12", "zzzzzzzzzzzzzzzz", "00000000000000001"] {
            assert_eq!(Correlation::parse(bad), None, "row {bad}");
        }
    }
}
