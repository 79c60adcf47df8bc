//! What a client says of itself can keep it out, and let it in only where the policy says that it may.

use super::Evaluation;
use super::NEVER;
use super::Ruling;
use crate::model::Reason;
use crate::model::Verdict;
use crate::policy::condition::Condition;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::Requirements;
use crate::policy::conditional::Then;
use crate::policy::reason::Failures;

/// What an applying policy's word is worth.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight {
    /// It counts.
    Full,
    /// It would let in by what the client says and by nothing else, and does not count.
    Nothing,
    /// Likewise; and nothing is known of the device, so that this is said of it where no other policy
    /// counts.
    Stranger,
}

impl Evaluation<'_> {
    /// Also makes the ruling what it is for a device of which nothing is known. A policy about commands lets
    /// nobody in, whatever it rests on.
    pub(super) fn weigh(&self, conditional: &ConditionalPolicy, ruling: &mut Ruling) -> Weight {
        if ruling.verdict != Verdict::Allow || conditional.accept_claimed {
            return Weight::Full;
        }
        let when = &conditional.when;
        if when.rests_on_claims(&self.seen) && !conditional.is_of_commands() {
            return Weight::Nothing;
        }
        match &conditional.then {
            Then::Act(_) if !when.is_about_clients() => Weight::Full,
            Then::Act(_) => {
                let is_by_claims = when.claims().any(|one| self.is_claim(one));
                if is_by_claims && !conditional.is_of_commands() {
                    Weight::Nothing
                } else {
                    Weight::Full
                }
            }
            // What is known of its device lets a mail client in then, and not what it says of itself.
            Then::Require(requirements)
                if requirements.asked.contains(Requirement::ApprovedApp)
                    && !conditional.is_of_commands() =>
            {
                self.weigh_requirements(requirements, ruling)
            }
            Then::Require(_) => Weight::Full,
        }
    }

    /// Whether nobody but the client says what such a condition asks. The floor of a version depends on the
    /// platform.
    fn is_claim(&self, one: Condition) -> bool {
        !one.may_be_stated()
            || self.seen.platform_is_claim
            || one == Condition::OsBelow && self.facts.os_version().1
    }

    /// Requirements that are met, a claim among them. By a device of which nothing is known they are by
    /// that: it gets what one gets that is asked for facts. The policy's own exception for it is more than a
    /// claim.
    #[cold]
    fn weigh_requirements(&self, requirements: &Requirements, ruling: &mut Ruling) -> Weight {
        let is_met = ruling.reason == Reason::RequirementsMet;
        let Some(failure) = self.device_failure().filter(|_| is_met) else {
            return Weight::Full;
        };
        let (verdict, reason, ruled) = self.worst(requirements, Failures::one(failure));
        *ruling = Ruling {
            verdict,
            reason,
            ruled,
            until: self.pending_until().unwrap_or(NEVER),
        };
        let own = requirements.otherwise_for.get(failure as usize);
        if verdict == Verdict::Allow || own.copied().flatten().is_some() {
            Weight::Full
        } else {
            Weight::Stranger
        }
    }
}
