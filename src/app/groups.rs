//! Groups of the policy that nobody is in, and of NASes that the policy does not name: misspelt on one
//! side, as a rule.

use crate::access::DecisionPoint;
use crate::config::NasGroup;
use crate::document::suggestion;
use crate::model::GroupId;
use crate::model::Problem;
use crate::policy::Policy;

/// A warning for each group of the policy that `known` does not know. Whoever should be in it is
/// judged by none of the policies that target it, so this is no small matter.
pub(super) fn unmet(policy: &Policy, known: impl Fn(GroupId) -> bool) -> Vec<Problem> {
    policy
        .groups()
        .filter(|(_, group)| !known(*group))
        .map(|(name, _)| {
            let message = "no source knows anybody in this group: policies that target it judge \
                           nobody, and those that exempt it exempt nobody"
                .to_owned();
            policy.group_problem(name, message)
        })
        .collect()
}

/// A warning for each group of NASes that a policy names and no NAS is in, and, where policies name
/// groups at all, for each that NASes are in and nothing is about.
pub(super) fn unmet_nas(policy: &Policy, known: &[NasGroup]) -> Vec<Problem> {
    let named = policy.nas_groups();
    if named.is_empty() || known.is_empty() {
        return Vec::new();
    }
    let names = || known.iter().map(|group| group.name.as_str());
    let meant = |name: &str, of: &mut dyn Iterator<Item = &str>| {
        let meant = suggestion(name, of);
        meant.map_or_else(String::new, |meant| format!(", did you mean {meant}?"))
    };
    let mut problems = Vec::new();
    for (key, name) in &named {
        if !names().any(|known| known == *name) {
            let meant = meant(name, &mut names());
            let message = format!("no NAS of nas.toml is in the group {name}{meant}");
            problems.push(policy.problem(key, message));
        }
    }
    for group in known.iter().filter(|group| !group.is_set) {
        let mut others = named.iter().map(|(_, name)| *name);
        if !others.clone().any(|name| name == group.name) {
            let meant = meant(&group.name, &mut others);
            let message = format!(
                "only policies without nas_groups are about the group {}{meant}",
                group.name
            );
            problems.extend(group.warning(message));
        }
    }
    problems
}

/// [`unmet`] for the policy in force and the inventory as it is now.
pub(super) fn unmet_now(point: &DecisionPoint) -> Vec<Problem> {
    unmet(&point.policy(), |group| point.reader().knows_group(group))
}
