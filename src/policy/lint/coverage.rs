//! Whether those of whom compliance is required are reached by a compliance policy (R4, R13).

use super::Report;
use crate::model::Platform;
use crate::policy::compliance::CompliancePolicy;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::groups::MAX_GROUPS;
use crate::policy::set::Policy;
use crate::policy::targeting::Audience;
use crate::policy::words::Set;

pub(super) fn check(report: &mut Report<'_>) {
    for (key, conditional) in report.counting() {
        if conditional.asks(Requirement::Compliant) {
            targeted_and_not_reached(report, &key, conditional);
        }
    }
    reached_and_not_targeted(report);
}

fn targeted_and_not_reached(report: &mut Report<'_>, key: &str, conditional: &ConditionalPolicy) {
    let policy = report.policy;
    let wanted = conditional.when.platforms.unwrap_or_else(Set::all);
    let unknown: Set<Platform> = [Platform::Unknown].into_iter().collect();
    let mut gaps: Vec<String> = Vec::new();
    for member in members(policy, &conditional.targets.targeted) {
        let reached = policy
            .compliance
            .iter()
            .filter(|one| member.is_reached_by(one, &conditional.targets.exempt))
            .map(|one| one.platforms.unwrap_or_else(Set::all))
            .fold(Set::default(), Set::union);
        let missing = wanted.without(reached).without(unknown);
        if missing.is_empty() {
            continue;
        }
        gaps.push(if reached.is_empty() {
            member.name.to_owned()
        } else {
            format!("{} on {}", member.name, missing.text())
        });
    }
    if gaps.is_empty() {
        return;
    }
    let who = gaps.join("; ");
    let message = if policy.defaults.no_policy_is_compliant {
        format!(
            "W-NOPOLICY: compliance is required and no [[compliance]] policy reaches {who}: there \
             enrolment alone counts as compliant, with no restriction"
        )
    } else {
        format!(
            "W-COVERAGE: compliance is required and no [[compliance]] policy reaches {who}: there \
             no device can be compliant"
        )
    };
    report.warn(&format!("{key}.targets"), message);
}

fn reached_and_not_targeted(report: &mut Report<'_>) {
    let policy = report.policy;
    for (position, compliance) in policy.compliance.iter().enumerate() {
        let asked = report.evaluated().any(|(_, conditional)| {
            let a = &compliance.targets.targeted;
            let b = &conditional.targets.targeted;
            conditional.asks(Requirement::Compliant)
                && (a.everyone
                    || b.everyone
                    || a.groups.intersects(&b.groups)
                    || a.users.iter().any(|user| b.users.contains(user)))
        });
        if !asked {
            report.warn(
                &format!("compliance[{position}].targets"),
                "W-UNUSED: no [[conditional]] policy requires compliant of any of these, so that \
                 this policy changes nothing",
            );
        }
    }
}

/// One entry of a list of targets.
struct Member<'p> {
    name: &'p str,
    kind: Kind<'p>,
}

enum Kind<'p> {
    Everyone,
    Group(usize),
    User(&'p str),
}

impl Member<'_> {
    /// Whether all of it, but for those exempt from the asking policy, is in the policy's reach.
    fn is_reached_by(&self, compliance: &CompliancePolicy, exempt_anyway: &Audience) -> bool {
        let targeted = &compliance.targets.targeted;
        let exempt = &compliance.targets.exempt;
        let in_list = |audience: &Audience| match self.kind {
            Kind::Everyone => audience.everyone,
            Kind::Group(position) => audience.groups.contains(position),
            Kind::User(name) => audience.users.iter().any(|user| user.as_str() == name),
        };
        let all_exempt_anyway = exempt.is_within(exempt_anyway);
        let kept = match self.kind {
            Kind::Everyone => all_exempt_anyway,
            Kind::Group(_) | Kind::User(_) => !in_list(exempt),
        };
        (targeted.everyone || in_list(targeted)) && kept
    }
}

fn members<'p>(policy: &'p Policy, audience: &'p Audience) -> Vec<Member<'p>> {
    if audience.everyone {
        return vec![Member {
            name: "everyone",
            kind: Kind::Everyone,
        }];
    }
    let groups = (0..MAX_GROUPS)
        .filter(|position| audience.groups.contains(*position))
        .map(|position| Member {
            name: policy.groups.name(position),
            kind: Kind::Group(position),
        });
    let users = audience.users.iter().map(|user| Member {
        name: user.as_str(),
        kind: Kind::User(user.as_str()),
    });
    groups.chain(users).collect()
}
