//! The five policies that lock everybody out (R76), and those that shut a single door.

use super::Report;
use super::shut::Shut;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Severity;
use crate::model::Verdict;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::State;
use crate::policy::conditional::Then;
use crate::policy::words::Set;

pub(super) fn check(report: &mut Report<'_>) {
    for (key, policy) in report.evaluated() {
        let found = if is_for_all(policy) {
            patterns(policy)
        } else {
            Vec::new()
        };
        let shut = if found.is_empty() {
            Shut::anyway(report.policy, policy)
        } else {
            None
        };
        if let Some(shut) = &shut
            && !policy.accept_lockout_risk
        {
            let subject = if shut.is_conditional() {
                "everybody meets this, so that the policy"
            } else {
                "this policy"
            };
            let text = shut.text(report.policy);
            report.warn(
                &shut.key(&key),
                format!("W-LOCKOUT: {subject} {text}; {REMEDY}"),
            );
        }
        // What the gateway's settings make of it is told with those.
        let narrowed = || Shut::unproven(report.policy, policy, Set::all()).is_some();
        if policy.accept_lockout_risk && found.is_empty() && shut.is_none() && !narrowed() {
            report.warn(
                &format!("{key}.accept_lockout_risk"),
                "W-IDLE: this policy is none of those that can lock everybody out",
            );
        }
        for (member, what) in found {
            let (severity, code) = if policy.accept_lockout_risk || policy.state != State::On {
                (Severity::Warning, "W-LOCKOUT")
            } else {
                (Severity::Error, "E-LOCKOUT")
            };
            report.add(
                severity,
                &format!("{key}.{member}"),
                format!("{code}: for all users at all doors, this policy {what}; {REMEDY}"),
            );
        }
    }
}

/// Everyone, without exemption, at every door, by whatever device.
fn is_for_all(policy: &ConditionalPolicy) -> bool {
    let every_platform = policy
        .when
        .platforms
        .is_none_or(|platforms| platforms.covers(known_platforms()));
    policy.targets.targeted.everyone
        && policy.targets.exempt.is_empty()
        && policy.planes == Set::<Plane>::all()
        && policy.when.narrows_by_platform_at_most()
        && every_platform
}

fn patterns(policy: &ConditionalPolicy) -> Vec<(&'static str, &'static str)> {
    match &policy.then {
        Then::Act(Verdict::Allow | Verdict::Quarantine) => Vec::new(),
        Then::Act(Verdict::Block) if policy.when.platforms.is_some() => {
            vec![("when.platforms", "blocks every platform")]
        }
        Then::Act(Verdict::Block) => vec![("action", "blocks the whole organisation")],
        Then::Require(requirements) => {
            let only = match &*requirements.any {
                [only] => Some(*only),
                [] | [_, _, ..] => None,
            };
            let required =
                |requirement| requirements.all.contains(requirement) || only == Some(requirement);
            let member = if requirements.all.is_empty() {
                "require_any"
            } else {
                "require"
            };
            RISKS
                .iter()
                .filter(|(requirement, _)| required(*requirement))
                .map(|(_, what)| (member, *what))
                .collect()
        }
    }
}

pub(super) fn known_platforms() -> Set<Platform> {
    Platform::ALL
        .into_iter()
        .filter(|platform| *platform != Platform::Unknown)
        .collect()
}

pub(super) const REMEDY: &str = "exempt a group, narrow it, or write accept_lockout_risk = true";

const RISKS: [(Requirement, &str); 4] = [
    (
        Requirement::Compliant,
        "keeps out everyone whose device is not enrolled yet, administrators among them",
    ),
    (
        Requirement::DomainJoined,
        "keeps out everyone without a domain-joined device",
    ),
    (
        Requirement::EntraJoined,
        "keeps out everyone without a joined device",
    ),
    (
        Requirement::ApprovedApp,
        "keeps out everyone without an approved application",
    ),
];
