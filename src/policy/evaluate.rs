//! The one function that chooses an outcome.
//!
//! The order is told at the top of the room. Everything that several policies may ask for is worked
//! out once: group memberships, the connection's names as numbers, and the answer to each
//! requirement, which does not depend on the policy that asks.

mod answer;

use super::availability::Staleness;
use super::condition::Surroundings;
use super::conditional::ConditionalPolicy;
use super::conditional::Requirement;
use super::conditional::Requirements;
use super::conditional::State;
use super::conditional::Then;
use super::facts::Facts;
use super::reason::Failure;
use super::reason::Failures;
use super::set::Policy;
use super::targeting::Membership;
use super::targeting::Targeting;
use super::trace::Check;
use super::trace::Finding;
use super::trace::Gate;
use super::trace::Trace;
use crate::model::Credential;
use crate::model::Decision;
use crate::model::PolicyId;
use crate::model::Reason;
use crate::model::Retirement;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::Verdict;
use answer::Answer;

/// Judges one connection.
///
/// Pure: the same policy and facts give the same decision and the same trace. Nothing is allocated,
/// locked or awaited. `trace` is emptied and filled; what it held has no influence, nor has its
/// size.
///
/// [`Decision::revisit`] is the earliest moment at which a fact that was used grows stale or a grace
/// period ends; [`Decision::deciding`] the policies that gave the verdict, in file order.
pub fn evaluate(policy: &Policy, facts: &Facts<'_>, trace: &mut Trace) -> Decision {
    trace.clear();
    let member = Membership::of(facts, policy.groups.ids());
    let mut evaluation = Evaluation {
        policy,
        facts,
        seen: Surroundings::of(facts, &policy.nas_groups, &policy.ssids, &policy.apps),
        staleness: policy.availability.at(facts.plane),
        member,
        trace,
        answers: [None; Requirement::COUNT],
    };
    match evaluation.before_policies() {
        Some(decision) => decision,
        None => evaluation.by_policies(),
    }
}

struct Evaluation<'e> {
    policy: &'e Policy,
    facts: &'e Facts<'e>,
    member: Membership<'e>,
    seen: Surroundings,
    staleness: &'e Staleness,
    trace: &'e mut Trace,
    answers: [Option<Answer>; Requirement::COUNT],
}

/// What an applying policy says.
#[derive(Clone, Copy, Debug)]
struct Ruling {
    verdict: Verdict,
    reason: Reason,
    until: Option<Timestamp>,
}

impl Evaluation<'_> {
    /// Break-glass, disabled users, retired devices: nothing else counts for these.
    fn before_policies(&mut self) -> Option<Decision> {
        let bypass = self.policy.break_glass.surely_holds(&self.member);
        self.gate(
            Gate::BreakGlass,
            if bypass {
                Finding::Exempt
            } else {
                Finding::NotTargeted
            },
        );
        if bypass {
            return Some(Decision::new(Verdict::Allow, Reason::Exempt));
        }
        if let Some(user) = &self.facts.user {
            let enabled = user.enabled.value != Tri::No;
            self.gate(Gate::UserEnabled, enabled.into());
            if !enabled {
                return Some(Decision::new(Verdict::Block, Reason::UserUnknown));
            }
            self.gate(Gate::UserKnown, user.reference.is_some().into());
        }
        if let Some(posture) = self.facts.posture() {
            let kept = match posture.retirement {
                Retirement::None => true,
                Retirement::Retired | Retirement::Wiped => false,
            };
            self.gate(Gate::NotRetired, kept.into());
            if !kept {
                return Some(Decision::new(Verdict::Block, Reason::DeviceRetired));
            }
        }
        None
    }

    fn by_policies(&mut self) -> Decision {
        let policy = self.policy;
        let mut strictest = Strictest::default();
        let mut targeted = false;
        let mut exempt = false;
        for (position, conditional) in policy.conditional.iter().enumerate() {
            let id = policy.conditional_id(position);
            let counts = match conditional.state {
                State::On => true,
                State::ReportOnly => false,
                State::Off => {
                    self.record(id, Check::State, Finding::NotEnabled);
                    continue;
                }
            };
            let (targeting, applies) = self.applies(id, conditional);
            if counts {
                match targeting {
                    Some(Targeting::Targeted) => targeted = true,
                    Some(Targeting::Exempt) => exempt = true,
                    Some(Targeting::NotTargeted) | None => {}
                }
            }
            if !applies {
                self.record(id, Check::Outcome, Finding::NotApplied);
                continue;
            }
            let ruling = self.rule(id, conditional);
            self.record(id, Check::Outcome, ruling.verdict.into());
            if counts {
                strictest.add(id, ruling);
            }
        }
        let decision = strictest
            .decision
            .unwrap_or_else(|| self.without_policy(targeted, exempt));
        self.not_below_unknown_user(decision)
    }

    /// Whom a policy judges at this door (`None` at another), and whether it applies. Everything
    /// configured is asked, so that the trace tells all that kept a policy from applying.
    fn applies(
        &mut self,
        id: PolicyId,
        conditional: &ConditionalPolicy,
    ) -> (Option<Targeting>, bool) {
        let here = conditional.planes.contains(self.facts.plane);
        self.record(id, Check::Plane, here.into());
        let targeting = conditional.targets.judge(&self.member);
        self.record(id, Check::Target, targeting.into());
        let trace = &mut *self.trace;
        let conditions = conditional.when.holds(&self.seen, |condition, held| {
            trace.record(Some(id), Check::Condition(condition), held.into());
        });
        (
            here.then_some(targeting),
            here && conditions && targeting == Targeting::Targeted,
        )
    }

    fn rule(&mut self, id: PolicyId, conditional: &ConditionalPolicy) -> Ruling {
        match &conditional.then {
            Then::Act(verdict) => Ruling {
                verdict: *verdict,
                reason: conditional.reason_of_action(*verdict),
                until: None,
            },
            Then::Require(requirements) => self.require(id, requirements),
        }
    }

    fn require(&mut self, id: PolicyId, requirements: &Requirements) -> Ruling {
        let mut failures = Failures::NONE;
        let mut until = None;
        let mut unmanaged = false;
        for requirement in requirements.all.iter() {
            let answer = self.ask(id, requirement);
            // `managed` comes first, by its number.
            if unmanaged && requirement.presupposes_management() {
                continue;
            }
            unmanaged |= requirement == Requirement::Managed && !answer.is_met_but_for_age();
            failures = failures.union(answer.failures);
            until = earlier(until, answer.until);
        }
        let mut worst = self.worst(requirements, failures);
        if !requirements.any.is_empty() {
            let mut best: Option<(Verdict, Reason)> = None;
            let mut one_holds = false;
            for &requirement in &requirements.any {
                let answer = self.ask(id, requirement);
                until = earlier(until, answer.until);
                one_holds |= answer.failures.is_empty();
                let (verdict, reason) = self.worst(requirements, answer.failures);
                let better = best.is_none_or(|(best, best_reason)| {
                    (verdict, reason != Reason::RequirementsMet)
                        < (best, best_reason != Reason::RequirementsMet)
                });
                if better {
                    best = Some((verdict, reason));
                }
            }
            self.record(id, Check::AnyOf, one_holds.into());
            if let Some((verdict, reason)) = best
                && (verdict > worst.0 || worst.1 == Reason::RequirementsMet)
            {
                worst = (verdict, reason);
            }
        }
        let (verdict, reason) = worst;
        Ruling {
            verdict,
            reason,
            until,
        }
    }

    /// The strictest outcome of some failures, and the earliest cause that has it.
    fn worst(&self, requirements: &Requirements, failures: Failures) -> (Verdict, Reason) {
        let mut worst: Option<(Verdict, Reason)> = None;
        for failure in failures.iter() {
            let verdict = requirements
                .otherwise_for
                .get(failure as usize)
                .copied()
                .flatten()
                .or_else(|| self.default_for(failure))
                .unwrap_or(requirements.otherwise);
            if worst.is_none_or(|(strictest, _)| verdict > strictest) {
                worst = Some((verdict, failure.reason()));
            }
        }
        worst.unwrap_or((Verdict::Allow, Reason::RequirementsMet))
    }

    /// The outcome of failures that are the same for every policy; `None` for all others.
    fn default_for(&self, failure: Failure) -> Option<Verdict> {
        let defaults = &self.policy.defaults;
        let exception = || defaults.exception(self.seen.platform);
        match failure {
            Failure::CannotEnrol => Some(defaults.cannot_enrol.verdict),
            Failure::DeviceUnknown => Some(exception().unwrap_or(defaults.unknown_device)),
            Failure::DeviceUnmanaged => Some(exception().unwrap_or(defaults.unmanaged_device)),
            Failure::DeviceAmbiguous => Some(defaults.ambiguous_device),
            Failure::DeviceOfAnotherUser => Some(defaults.device_of_another_user),
            Failure::Evaluating => Some(defaults.evaluating),
            Failure::Stale => Some(self.staleness.then),
            Failure::NotRegistered
            | Failure::NotCompliant
            | Failure::ComplianceForAnotherUser
            | Failure::Unhealthy
            | Failure::NoCompliancePolicy
            | Failure::NotProven
            | Failure::NotJoined
            | Failure::EasNotActivated
            | Failure::AppNotApproved => None,
        }
    }

    /// The answer where no policy applies.
    fn without_policy(&self, targeted: bool, exempt: bool) -> Decision {
        let defaults = &self.policy.defaults;
        if targeted {
            return Decision::new(defaults.no_policy_applies, Reason::NoPolicyApplies);
        }
        if exempt {
            return Decision::new(Verdict::Allow, Reason::Exempt);
        }
        if self.facts.user.is_none()
            && let Some(failure) = self.device_failure()
            && let Some(verdict) = self.default_for(failure)
        {
            return Decision::new(verdict, failure.reason());
        }
        let verdict = match self.facts.credential {
            Credential::None => defaults.no_credential,
            Credential::Password | Credential::Certificate => defaults.not_targeted,
        };
        Decision::new(verdict, Reason::NotTargeted)
    }

    /// Of a user whom no source knows no group is known either, so that policies which would have
    /// kept them out may not have been asked.
    fn not_below_unknown_user(&self, decision: Decision) -> Decision {
        let unknown = self.facts.user.is_some_and(|user| user.reference.is_none());
        let floor = self.policy.defaults.unknown_user;
        let untargeted = decision.reason == Reason::NotTargeted;
        if unknown && (floor > decision.verdict || floor == decision.verdict && untargeted) {
            return Decision {
                revisit: decision.revisit,
                ..Decision::new(floor, Reason::UserUnknown)
            };
        }
        decision
    }

    /// The answer to a requirement, and the trace of its being asked.
    fn ask(&mut self, id: PolicyId, requirement: Requirement) -> Answer {
        let known = self.answers.get(requirement as usize).copied().flatten();
        let answer = match known {
            Some(answer) => answer,
            None => {
                let answer = self.answer(requirement);
                if let Some(place) = self.answers.get_mut(requirement as usize) {
                    *place = Some(answer);
                }
                answer
            }
        };
        self.record(id, Check::Requirement(requirement), answer.finding());
        answer
    }

    fn gate(&mut self, gate: Gate, finding: Finding) {
        self.trace.record(None, Check::Gate(gate), finding);
    }

    fn record(&mut self, id: PolicyId, check: Check, finding: Finding) {
        self.trace.record(Some(id), check, finding);
    }
}

/// The strictest ruling so far.
#[derive(Debug, Default)]
struct Strictest {
    decision: Option<Decision>,
}

impl Strictest {
    fn add(&mut self, id: PolicyId, ruling: Ruling) {
        let stricter = self
            .decision
            .is_none_or(|decision| ruling.verdict > decision.verdict);
        let before = self.decision.and_then(|decision| decision.revisit);
        if stricter {
            self.decision = Some(Decision::new(ruling.verdict, ruling.reason));
        }
        let Some(decision) = &mut self.decision else {
            return;
        };
        decision.revisit = earlier(before, ruling.until);
        if ruling.verdict != decision.verdict {
            return;
        }
        // An exception that lets a device in says more than requirements that were met.
        if decision.reason == Reason::RequirementsMet {
            decision.reason = ruling.reason;
        }
        if let Some(place) = decision.deciding.iter_mut().find(|place| place.is_none()) {
            *place = Some(id);
        }
    }
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, None) => a,
        (None, b) => b,
    }
}
