//! What a fact is still worth when its source has been silent for a while (R49).

use std::time::Duration;

use crate::model::Plane;
use crate::model::Timestamp;
use crate::model::Verdict;

/// How long facts hold at one door, and what follows.
///
/// A fact is fresh for `fresh_for`, then in grace for `grace_for` (used as before, and shown as
/// such), then stale. A stale fact never helps: what failed by its last value still fails, and what
/// held gets `then`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Staleness {
    pub(super) fresh_for: Duration,
    pub(super) grace_for: Duration,
    pub(super) then: Verdict,
}

/// The age of a fact as the policy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    Grace,
    Stale,
}

impl Staleness {
    /// A fact of exactly `fresh_for` is still fresh, one of exactly both times still in grace.
    pub(super) fn age(&self, observed: Timestamp, now: Timestamp) -> Age {
        let age = now.since(observed);
        if age <= self.fresh_for {
            Age::Fresh
        } else if now <= self.last_use(observed) {
            Age::Grace
        } else {
            Age::Stale
        }
    }

    /// The first moment at which the answer differs because the fact is stale; `None` when it
    /// would not differ.
    pub(super) fn turns(&self, observed: Timestamp) -> Option<Timestamp> {
        match self.then {
            Verdict::Allow => None,
            Verdict::Quarantine | Verdict::Block => {
                Some(self.last_use(observed) + Duration::from_millis(1))
            }
        }
    }

    fn last_use(&self, observed: Timestamp) -> Timestamp {
        observed + self.fresh_for.saturating_add(self.grace_for)
    }
}

/// One [`Staleness`] for each plane; there is no plane without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Availability {
    pub(super) network: Staleness,
    pub(super) mail: Staleness,
    pub(super) web: Staleness,
}

impl Availability {
    pub(super) const fn at(&self, plane: Plane) -> &Staleness {
        match plane {
            Plane::Network => &self.network,
            Plane::Mail => &self.mail,
            Plane::Web => &self.web,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_age_from_fresh_to_grace_to_stale_r49() {
        let staleness = Staleness {
            fresh_for: Duration::from_secs(10),
            grace_for: Duration::from_secs(5),
            then: Verdict::Quarantine,
        };
        let observed = Timestamp::from_unix_seconds(100);
        for (now, expected) in [
            (99_000, Age::Fresh),
            (110_000, Age::Fresh),
            (110_001, Age::Grace),
            (115_000, Age::Grace),
            (115_001, Age::Stale),
        ] {
            let now = Timestamp::from_unix_millis(now);
            assert_eq!(staleness.age(observed, now), expected, "row {now}");
        }
        let turns = staleness.turns(observed).unwrap();
        assert_eq!(staleness.age(observed, turns), Age::Stale);
    }

    #[test]
    fn an_open_door_has_no_moment_of_change() {
        let staleness = Staleness {
            fresh_for: Duration::from_secs(10),
            grace_for: Duration::ZERO,
            then: Verdict::Allow,
        };
        assert_eq!(staleness.turns(Timestamp::default()), None);
    }
}
