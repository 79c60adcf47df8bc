//! Policies and conditions that can never have an effect.

use super::Report;
use crate::model::Established;
use crate::model::Medium;
use crate::model::Plane;
use crate::model::Verdict;
use crate::policy::condition::AppBits;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::Then;
use crate::policy::targeting::Targets;
use crate::policy::words::Set;

pub(super) fn check(report: &mut Report<'_>) {
    for (key, policy) in report.evaluated() {
        targets(report, &key, &policy.targets);
        conditions(report, &key, policy);
        requirements(report, &key, policy);
    }
    for (position, policy) in report.policy.compliance.iter().enumerate() {
        targets(report, &format!("compliance[{position}]"), &policy.targets);
    }
    idle_actions(report);
    hidden_policies(report);
}

/// Groups that are targeted and exempt, of which nobody is judged.
fn targets(report: &mut Report<'_>, key: &str, targets: &Targets) {
    let key = format!("{key}.exempt");
    let (targeted, exempt) = (&targets.targeted, &targets.exempt);
    if targeted.is_within(exempt) {
        report.warn(
            &key,
            "W-NEVER: everyone targeted is exempt, so that the policy judges nobody",
        );
        return;
    }
    let mut both = targeted.groups;
    both.retain(|position| exempt.groups.contains(position));
    if !both.is_empty() {
        let names = report.policy.groups.names_in(&both).join(", ");
        report.warn(
            &key,
            format!("W-IDLE: exempt wins, so that targeting {names} as well has no effect"),
        );
    }
}

/// Conditions that the policy's doors never meet.
fn conditions(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy) {
    let when = &policy.when;
    let never = |report: &mut Report<'_>, name: &str, why: &str| {
        report.warn(
            &format!("{key}.when.{name}"),
            format!("W-NEVER: {why}, so that the policy never applies"),
        );
    };
    if !policy.planes.contains(Plane::Network) {
        for (name, configured) in [
            ("nas_groups", when.nas_groups.is_some()),
            ("ssids", when.ssids.is_some()),
            ("media", when.media.is_some()),
        ] {
            if configured {
                never(report, name, "only network connections have this");
            }
        }
    }
    if when.apps.is_some() && !policy.planes.contains(Plane::Mail) {
        never(report, "apps", "only mail connections name an application");
    }
    if when.ssids.is_some()
        && when
            .media
            .is_some_and(|media| !media.contains(Medium::Wireless))
    {
        never(report, "ssids", "only wireless ports have a network name");
    }
}

fn requirements(report: &mut Report<'_>, key: &str, policy: &ConditionalPolicy) {
    let warn = |report: &mut Report<'_>, message: String| {
        report.warn(&format!("{key}.require"), message);
    };
    let mail: Set<Plane> = [Plane::Mail].into_iter().collect();
    let elsewhere = policy.planes.without(mail);
    if policy.asks(Requirement::ApprovedApp) {
        if report.policy.approved_apps == AppBits::default() {
            warn(
                report,
                "W-NEVER: no [[app]] has approved = true, so that approved_app never holds"
                    .to_owned(),
            );
        }
        if !elsewhere.is_empty() {
            warn(
                report,
                format!(
                    "W-NEVER: only mail connections name an application, so that approved_app \
                     never holds at {}",
                    elsewhere.text()
                ),
            );
        }
    }
    if policy.asks(Requirement::EasActivated) && !policy.planes.contains(Plane::Mail) {
        warn(
            report,
            "W-IDLE: eas_activated is asked of mail clients only".to_owned(),
        );
    }
    let proven_excluded = policy
        .when
        .established
        .is_some_and(|established| !established.contains(Established::Proven));
    if policy.asks(Requirement::Proven) && proven_excluded {
        warn(
            report,
            "W-NEVER: the policy applies to devices only that are not proven, so that proven never \
             holds"
                .to_owned(),
        );
    }
}

/// `action = "allow"` changes something only where the default would be stricter.
fn idle_actions(report: &mut Report<'_>) {
    let defaults = &report.policy.defaults;
    let open = [
        defaults.not_targeted,
        defaults.no_policy_applies,
        defaults.no_credential,
        defaults.unknown_device,
    ]
    .into_iter()
    .all(|verdict| verdict == Verdict::Allow);
    if !open {
        return;
    }
    for (key, policy) in report.counting() {
        if matches!(policy.then, Then::Act(Verdict::Allow)) {
            report.warn(
                &format!("{key}.action"),
                "W-IDLE: the strictest policy wins and the defaults allow, so that allowing has no \
                 effect",
            );
        }
    }
}

/// Policies behind one that blocks the same users anyway.
fn hidden_policies(report: &mut Report<'_>) {
    for (key, policy) in report.counting() {
        let hidden_by = report.counting().find(|(other_key, other)| {
            *other_key != key
                && matches!(other.then, Then::Act(Verdict::Block))
                && !matches!(policy.then, Then::Act(Verdict::Block))
                && other.when.narrows_by_platform_at_most()
                && other.when.platforms.is_none()
                && other.planes.covers(policy.planes)
                && policy.targets.targeted.is_within(&other.targets.targeted)
                && other.targets.exempt.is_within(&policy.targets.exempt)
        });
        if let Some((_, other)) = hidden_by {
            report.warn(
                &key,
                format!(
                    "W-IDLE: {:?} blocks the same users at the same doors, so that this policy has \
                     no effect",
                    other.name
                ),
            );
        }
    }
}
