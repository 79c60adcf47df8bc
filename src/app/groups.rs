//! Groups of the policy that nobody is in, and of NASes that the policy does not name: misspelt on one
//! side, as a rule.

use crate::access::DecisionPoint;
use crate::config::Config;
use crate::config::NasGroup;
use crate::document::suggestion;
use crate::model::GroupId;
use crate::model::Problem;
use crate::model::Severity;
use crate::policy::Policy;
use crate::policy::UNUSED_GROUP;

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

/// Whether it is about a group that no policy names and a `[[mail.route]]` does, which is use enough.
pub(super) fn is_of_a_route(problem: &Problem, policy: &Policy, config: &Config) -> bool {
    let routed = |group: GroupId| routed(config).any(|(_, text)| GroupId::named(text) == group);
    let mut declared = policy.groups();
    problem.message == UNUSED_GROUP
        && declared.any(|(name, group)| problem.key == format!("groups.{name}") && routed(group))
}

/// A warning for each group of a `[[mail.route]]` that is named as the policy names it: there the name at
/// the source counts.
pub(super) fn misnamed(policy: &Policy, config: &Config) -> Vec<Problem> {
    let misnamed = routed(config).filter(|(_, text)| is_misnamed(policy, text));
    misnamed
        .map(|(number, text)| {
            let message = format!(
                "{} is a name of policy.toml: here the group's name at its source counts, or its id, \
                 as they stand under [groups] there on the right",
                text.escape_debug()
            );
            of_route(config, number, message)
        })
        .collect()
}

/// A warning for each group of a `[[mail.route]]` that `known` does not know.
pub(super) fn unmet_routes(
    policy: &Policy,
    config: &Config,
    known: impl Fn(GroupId) -> bool,
) -> Vec<Problem> {
    let unmet = routed(config).filter(|(_, text)| {
        // The first is said already.
        !is_misnamed(policy, text) && !known(GroupId::named(text))
    });
    let names = policy
        .groups()
        .filter(|(name, group)| GroupId::named(name) == *group);
    let names: Vec<&str> = names.map(|(name, _)| name).collect();
    unmet
        .map(|(number, text)| {
            let meant = suggestion(text, names.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!(", did you mean {meant}?"));
            let text = text.escape_debug();
            let message =
                format!("no source knows anybody in {text}, so that nobody goes by it{meant}");
            of_route(config, number, message)
        })
        .collect()
}

/// The groups of every `[[mail.route]]`, with its number.
fn routed(config: &Config) -> impl Iterator<Item = (usize, &str)> {
    let routes = config.mail.routes.iter().enumerate();
    routes.flat_map(|(number, route)| route.groups.iter().map(move |text| (number, text.as_str())))
}

fn is_misnamed(policy: &Policy, text: &str) -> bool {
    let group = GroupId::named(text);
    policy.groups().any(|(name, _)| name == text)
        && !policy.groups().any(|(_, known)| known == group)
}

fn of_route(config: &Config, number: usize, message: String) -> Problem {
    Problem {
        file: config.folder.join("gateway.toml").display().to_string(),
        line: None,
        key: format!("mail.route[{number}].groups"),
        message,
        severity: Severity::Warning,
    }
}

/// [`unmet`] for the policy in force and the inventory as it is now.
pub(super) fn unmet_now(point: &DecisionPoint) -> Vec<Problem> {
    unmet(&point.policy(), |group| point.reader().knows_group(group))
}
