//! Groups of the policy that nobody is in: misspelt on their right side, as a rule.

use crate::access::DecisionPoint;
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

/// The same for the policy in force and the inventory as it is now.
pub(super) fn unmet_now(point: &DecisionPoint) -> Vec<Problem> {
    unmet(&point.policy(), |group| point.reader().knows_group(group))
}
