//! What a client says of itself can keep it out, and let it in only where the policy says that it may.

use super::Evaluation;
use super::NEVER;
use super::Ruling;
use crate::model::Reason;
use crate::model::Verdict;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::Requirements;
use crate::policy::conditional::Then;
use crate::policy::reason::Failures;

/// What an applying policy's word is worth.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight {
    /// It counts.
    Full(Ruling),
    /// It would let in by what the client says and by nothing else, and does not count.
    Nothing,
    /// Likewise; and nothing is known of the device, so that this is said of it where no other policy
    /// counts.
    Stranger(Ruling),
}

impl Evaluation<'_> {
    /// A policy about commands lets nobody in, whatever it rests on.
    pub(super) fn weigh(&self, conditional: &ConditionalPolicy, ruling: Ruling) -> Weight {
        let may = conditional.accept_claimed || conditional.is_of_commands();
        if ruling.verdict != Verdict::Allow || may {
            return Weight::Full(ruling);
        }
        let of_vpn = conditional.when.rests_on_claims(&self.seen);
        match &conditional.then {
            Then::Act(_) => {
                let client = conditional.when.client.as_deref();
                let names_app = self.facts.mail.is_some() && conditional.when.apps.is_some();
                let of_mail = client.is_some_and(|client| client.rests_on_claims(self.facts));
                if of_vpn || of_mail || names_app {
                    Weight::Nothing
                } else {
                    Weight::Full(ruling)
                }
            }
            Then::Require(_) if of_vpn => Weight::Nothing,
            // What is known of its device lets a mail client in then, and not what it says of itself.
            Then::Require(requirements) => self.weigh_requirements(requirements, ruling),
        }
    }

    /// Requirements that are met. By a device of which nothing is known they are by a claim: it gets what
    /// one gets that is asked for facts. The policy's own exception for it is more than a claim.
    fn weigh_requirements(&self, requirements: &Requirements, ruling: Ruling) -> Weight {
        let by_claim = ruling.reason == Reason::RequirementsMet
            && requirements.asked.contains(Requirement::ApprovedApp);
        let Some(failure) = self.device_failure().filter(|_| by_claim) else {
            return Weight::Full(ruling);
        };
        let (verdict, reason, ruled) = self.worst(requirements, Failures::one(failure));
        let of_device = Ruling {
            verdict,
            reason,
            ruled,
            until: self.pending_until().unwrap_or(NEVER),
        };
        let own = requirements.otherwise_for.get(failure as usize);
        if verdict == Verdict::Allow || own.copied().flatten().is_some() {
            Weight::Full(of_device)
        } else {
            Weight::Stranger(of_device)
        }
    }
}
