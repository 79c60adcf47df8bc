//! Moments on the command line.

use std::time::Duration;

use crate::document::parse_duration;
use crate::model::Timestamp;

/// A moment, or how long ago it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    At(Timestamp),
    Ago(Duration),
}

impl Moment {
    pub(super) fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => {
                let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                Timestamp::from_unix_millis(now.unix_millis().saturating_sub(ago))
            }
        }
    }
}

pub(super) fn moment(text: &str) -> Result<Moment, String> {
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Ok(Moment::At(at));
    }
    parse_duration(text)
        .map(Moment::Ago)
        .map_err(|_| "expected a time such as 2026-11-28T09:00:00Z, or how long ago: 2h, 7d".into())
}

/// The end of the year 9999.
pub(super) const FOREVER: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_times_or_so_long_ago() {
        let at = Timestamp::parse_rfc3339("2026-11-28T09:00:00Z").unwrap();
        assert_eq!(moment("2026-11-28T09:00:00Z"), Ok(Moment::At(at)));
        let ago = moment("2h").unwrap();
        assert_eq!(ago, Moment::Ago(Duration::from_hours(2)));
        let before = Timestamp::parse_rfc3339("2026-11-28T07:00:00Z").unwrap();
        assert_eq!(ago.at(at), before);
        assert!(moment("yesterday").unwrap_err().contains("7d"));
    }
}
