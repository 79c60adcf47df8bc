//! Facts that are too old before a source tells them again.

use std::time::Duration;

use super::Report;
use crate::document::show_duration;
use crate::model::Problem;
use crate::model::Verdict;
use crate::policy::availability::Staleness;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::RequirementSet;
use crate::policy::conditional::Then;
use crate::policy::set::Policy;
use crate::policy::words::Set;
use crate::policy::words::Word;

/// Doors at which whoever meets the policies is kept out for facts that nobody could have renewed.
///
/// `read_every`: the longest interval at which devices are read, or at the least those that have changed;
/// `None` where it is not known.
#[must_use]
pub fn lint_freshness(policy: &Policy, read_every: Option<Duration>) -> Vec<Problem> {
    let mut report = Report {
        policy,
        problems: Vec::new(),
    };
    for plane in Set::all().iter() {
        let asks_for_facts = report.counting().any(|(_, rule)| {
            let Then::Require(requirements) = &rule.then else {
                return false;
            };
            rule.planes.contains(plane) && !requirements.asked.without(UNDATED).is_empty()
        });
        let staleness = policy.availability.at(plane);
        let lasts = staleness.fresh_for.saturating_add(staleness.grace_for);
        if asks_for_facts
            && staleness.then != Verdict::Allow
            && lasts < read_every.unwrap_or(SHORTEST)
        {
            report.warn(
                &format!("stale.{}.fresh_for", plane.word()),
                text(staleness, lasts, read_every),
            );
        }
    }
    report.problems
}

fn text(staleness: &Staleness, lasts: Duration, read_every: Option<Duration>) -> String {
    let again = match read_every {
        Some(interval) => format!(
            "and are read every {} only (source.toml)",
            show_duration(interval)
        ),
        None => "sooner than any source tells them again".to_owned(),
    };
    format!(
        "W-LOCKOUT: with grace_for facts count for {}, {again}: in between every device gets then = {:?}",
        show_duration(lasts),
        staleness.then.word()
    )
}

/// What no fact with a date answers.
const UNDATED: RequirementSet = RequirementSet::NONE
    .with(Requirement::Proven)
    .with(Requirement::ApprovedApp);

/// What is older than that may well be told again: devices that have changed are asked for every minute.
const SHORTEST: Duration = Duration::from_mins(1);
