//! The one function that chooses an outcome.
//!
//! The order is told at the top of the room. Everything that several policies may ask for is worked
//! out once: group memberships, the connection's names as numbers, and the answer to each
//! requirement, which does not depend on the policy that asks.

mod answer;
mod claims;

use super::availability::Staleness;
use super::condition::Surroundings;
use super::conditional::ConditionalPolicy;
use super::conditional::Requirement;
use super::conditional::RequirementSet;
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
use super::trace::Row;
use super::trace::Trace;
use crate::model::Decision;
use crate::model::PolicyId;
use crate::model::Reason;
use crate::model::Rehearsed;
use crate::model::Retirement;
use crate::model::Timestamp;
use crate::model::Tri;
use crate::model::Verdict;
use answer::Answers;
use claims::Weight;

/// Judges one connection.
///
/// Pure: the same policy and facts give the same decision and the same trace. Nothing is allocated,
/// locked or awaited. `trace` is emptied and filled; what it held has no influence, nor has its
/// size.
///
/// [`Decision::revisit`] is the earliest moment at which a fact that was used grows stale or a grace
/// period ends; [`Decision::deciding`] the policies that gave the verdict, in file order.
pub fn evaluate(policy: &Policy, facts: &Facts<'_>, trace: &mut Trace) -> Decision {
    trace.begin(policy.len());
    let member = Membership::of(facts, &policy.groups);
    let mut evaluation = Evaluation {
        policy,
        facts,
        seen: Surroundings::of(facts, &policy.nas_groups, &policy.ssids, &policy.apps),
        staleness: policy.availability.at(facts.plane),
        member,
        trace,
        answers: Answers::new(),
        required: [None; REQUIRED],
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
    answers: Answers,
    /// What policies of this evaluation were told, by the kind of their requirements: many policies
    /// differ in whom they are about, and few in what they require.
    required: [Option<Required>; REQUIRED],
}

/// Kinds of requirements that are remembered at a time.
const REQUIRED: usize = 4;

/// What some requirements come to, and what the trace says of them.
#[derive(Clone, Copy, Debug)]
struct Required {
    kind: u16,
    row: Row,
    ruling: Ruling,
}

/// What an applying policy says.
#[derive(Clone, Copy, Debug)]
struct Ruling {
    verdict: Verdict,
    reason: Reason,
    /// See [`Decision::ruled`].
    ruled: Option<Reason>,
    until: Timestamp,
}

impl Ruling {
    /// Said by `[defaults]` and not by the policy that was asked.
    fn by_default(self) -> Decision {
        Decision {
            revisit: (self.until != NEVER).then_some(self.until),
            ..Decision::new(self.verdict, self.reason)
        }
    }
}

impl Evaluation<'_> {
    /// Break-glass, disabled users, retired devices: nothing else counts for these.
    fn before_policies(&mut self) -> Option<Decision> {
        let bypass = self.policy.break_glass.surely_holds(&self.member);
        self.gate(Gate::BreakGlass, bypass);
        if bypass {
            return Some(Decision::new(Verdict::Allow, Reason::Exempt));
        }
        if let Some(user) = &self.facts.user {
            let enabled = user.enabled.value != Tri::No;
            self.gate(Gate::UserEnabled, enabled);
            if !enabled {
                return Some(Decision::new(Verdict::Block, Reason::UserUnknown));
            }
            self.gate(Gate::UserKnown, user.known);
        }
        if let Some(posture) = self.facts.posture() {
            let kept = match posture.retirement {
                Retirement::None => true,
                Retirement::Retired | Retirement::Wiped => false,
            };
            self.gate(Gate::NotRetired, kept);
            if !kept {
                return Some(Decision::new(Verdict::Block, Reason::DeviceRetired));
            }
        }
        None
    }

    fn by_policies(&mut self) -> Decision {
        let policy = self.policy;
        let mut strictest = Strictest::new();
        let mut targeted = false;
        let mut exempt = false;
        let mut rehearsed = None;
        let mut active = true;
        let mut stranger = None;
        let mut rehearsed_stranger = None;
        for (position, conditional) in policy.conditional.iter().enumerate() {
            let id = policy.conditional_id(position);
            let mut row = Row::BLANK;
            if conditional.state == State::Off {
                row.note(Check::State, Finding::NotEnabled);
                self.trace.put(id, row);
                continue;
            }
            let counts = conditional.state == State::On;
            let of_commands = conditional.is_of_commands();
            let (targeting, applies) = self.applies(conditional, &mut row);
            targeted |= counts && !of_commands && targeting == Some(Targeting::Targeted);
            exempt |= counts && !of_commands && targeting == Some(Targeting::Exempt);
            row.outcome = Some(Finding::NotApplied);
            if applies {
                let mut ruling = self.rule(conditional, &mut row);
                if of_commands {
                    self.refuse_command(conditional, &mut ruling);
                }
                if counts && ruling.verdict != Verdict::Allow && conditional.is_of_inactivity() {
                    active = false;
                }
                match self.weigh(conditional, &mut ruling) {
                    Weight::Full => {
                        row.outcome = Some(ruling.verdict.into());
                        if !counts {
                            rehearse(&mut rehearsed, id, ruling);
                        } else if !(of_commands && ruling.verdict == Verdict::Allow) {
                            strictest.add(id, ruling);
                        }
                    }
                    Weight::Nothing => {}
                    Weight::Stranger if counts => stranger = Some(ruling),
                    Weight::Stranger => rehearse(&mut rehearsed_stranger, id, ruling),
                }
            }
            self.trace.put(id, row);
        }
        let decision = strictest.decision();
        if decision.is_none() && rehearsed.is_none() {
            rehearsed = rehearsed_stranger;
        }
        let decision = decision
            .or_else(|| stranger.map(Ruling::by_default))
            .unwrap_or_else(|| self.without_policy(targeted, exempt));
        Decision {
            rehearsed,
            active,
            ..self.not_below_unknown_user(decision)
        }
    }

    /// Whom a policy judges at this door (`None` at another), and whether it applies. Everything
    /// configured is asked, so that the trace tells all that kept a policy from applying.
    fn applies(&self, conditional: &ConditionalPolicy, row: &mut Row) -> (Option<Targeting>, bool) {
        let here = conditional.planes.contains(self.facts.plane);
        row.note(Check::Plane, here.into());
        let targeting = conditional.targets.judge(&self.member);
        row.targeting = Some(targeting);
        let conditions = conditional.when.ask(&self.seen);
        row.note_conditions(conditions.configured, conditions.held);
        let mut hold = conditions.all_hold();
        if let Some(client) = &conditional.when.client {
            let conditions = client.ask(self.facts);
            row.note_client(conditions.configured, conditions.held);
            hold &= conditions.all_hold();
        }
        (
            here.then_some(targeting),
            here && hold && targeting == Targeting::Targeted,
        )
    }

    /// One command can be refused and not be held back: there is no mailbox for it alone.
    fn refuse_command(&self, conditional: &ConditionalPolicy, ruling: &mut Ruling) {
        if ruling.verdict != Verdict::Allow {
            ruling.verdict = Verdict::Block;
            ruling.reason = conditional.reason_of_action(Verdict::Block, self.facts);
            ruling.ruled = Some(ruling.reason);
        }
    }

    fn rule(&mut self, conditional: &ConditionalPolicy, row: &mut Row) -> Ruling {
        match &conditional.then {
            Then::Act(verdict) => {
                let reason = conditional.reason_of_action(*verdict, self.facts);
                Ruling {
                    verdict: *verdict,
                    reason,
                    ruled: of_rule(reason),
                    until: NEVER,
                }
            }
            Then::Require(requirements) => {
                let kind = requirements.kind;
                let known = self.required.get(usize::from(kind) % REQUIRED);
                let required = match known.copied().flatten() {
                    Some(required) if required.kind == kind => required,
                    Some(_) | None => self.require_first(requirements),
                };
                row.add(required.row);
                required.ruling
            }
        }
    }

    /// What requirements come to that no policy before has asked, or not lately.
    #[inline(never)]
    fn require_first(&mut self, requirements: &Requirements) -> Required {
        let mut row = Row::BLANK;
        let ruling = self.require(requirements, &mut row);
        let kind = requirements.kind;
        let required = Required { kind, row, ruling };
        if let Some(place) = self.required.get_mut(usize::from(kind) % REQUIRED) {
            *place = Some(required);
        }
        required
    }

    fn require(&mut self, requirements: &Requirements, row: &mut Row) -> Ruling {
        for requirement in requirements.asked.without(self.answers.known()).iter() {
            self.work_out(requirement);
        }
        let answers = &self.answers;
        row.note_requirements(requirements.asked, answers.held(), answers.stale());
        let unmanaged = requirements.all.contains(Requirement::Managed)
            && !answers.met_but_for_age().contains(Requirement::Managed);
        let counted = if unmanaged {
            requirements
                .all
                .without(RequirementSet::PRESUPPOSE_MANAGEMENT)
        } else {
            requirements.all
        };
        let mut until = answers.until(counted);
        let failures = answers.failures(counted);
        let (mut verdict, mut reason, mut ruled) = self.worst(requirements, failures);
        if let Some((best, best_reason, best_ruled)) = self.best(requirements) {
            let one_holds = requirements
                .any
                .iter()
                .any(|one| answers.held().contains(*one));
            row.note(Check::AnyOf, one_holds.into());
            until = until.min(answers.until(requirements.any.iter().copied().collect()));
            if best > verdict || reason == Reason::RequirementsMet {
                (verdict, reason, ruled) = (best, best_reason, best_ruled);
            }
        }
        Ruling {
            verdict,
            reason,
            ruled,
            until,
        }
    }

    /// The most lenient outcome of the alternatives, if there are any: the first of those that have
    /// it, and one that holds before one that is let through.
    fn best(&self, requirements: &Requirements) -> Option<Worst> {
        requirements
            .any
            .iter()
            .map(|one| self.worst(requirements, self.answers.failures_of(*one)))
            .min_by_key(|(verdict, reason, _)| (*verdict, *reason != Reason::RequirementsMet))
    }

    /// The strictest outcome of some failures, and the earliest cause that has it.
    fn worst(&self, requirements: &Requirements, failures: Failures) -> Worst {
        let mut worst: Option<Worst> = None;
        for failure in failures.iter() {
            let verdict = requirements
                .otherwise_for
                .get(failure as usize)
                .copied()
                .flatten()
                .or_else(|| self.default_for(failure))
                .unwrap_or(requirements.otherwise);
            let reason = failure.reason();
            match &mut worst {
                Some((strictest, _, _)) if *strictest > verdict => {}
                Some((strictest, _, ruled)) if *strictest == verdict => {
                    *ruled = ruled.or(of_rule(reason));
                }
                Some(_) | None => worst = Some((verdict, reason, of_rule(reason))),
            }
        }
        worst.unwrap_or((Verdict::Allow, Reason::RequirementsMet, None))
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
            Failure::MappingPending => defaults.mapping_pending.map(|pending| pending.verdict),
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
        // Nobody was authenticated, so "not targeted" says nothing: MAC authentication bypass, or
        // the certificate of a device that names no user.
        let verdict = match self.facts.user {
            None => defaults.no_credential,
            Some(_) => defaults.not_targeted,
        };
        Decision::new(verdict, Reason::NotTargeted)
    }

    /// Of a user whom no source knows no group is known either, so that policies which would have
    /// kept them out may not have been asked.
    fn not_below_unknown_user(&self, decision: Decision) -> Decision {
        let unknown = self.facts.user.is_some_and(|user| !user.known);
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

    fn gate(&mut self, gate: Gate, held: bool) {
        self.trace.gates().note(Check::Gate(gate), held.into());
    }
}

/// The strictest ruling so far.
#[derive(Debug)]
struct Strictest {
    ruling: Option<Ruling>,
    deciding: [Option<PolicyId>; Decision::DECIDING],
    count: usize,
    more: bool,
    until: Timestamp,
}

impl Strictest {
    const fn new() -> Self {
        Self {
            ruling: None,
            deciding: [None; Decision::DECIDING],
            count: 0,
            more: false,
            until: NEVER,
        }
    }

    fn add(&mut self, id: PolicyId, ruling: Ruling) {
        self.until = self.until.min(ruling.until);
        match &mut self.ruling {
            Some(strictest) if strictest.verdict > ruling.verdict => return,
            Some(strictest) if strictest.verdict == ruling.verdict => {
                // An exception that lets a device in says more than requirements that were met.
                if strictest.reason == Reason::RequirementsMet {
                    strictest.reason = ruling.reason;
                }
                strictest.ruled = strictest.ruled.or(ruling.ruled);
            }
            Some(_) | None => {
                self.ruling = Some(ruling);
                self.deciding = [None; Decision::DECIDING];
                self.count = 0;
                self.more = false;
            }
        }
        match self.deciding.get_mut(self.count) {
            Some(place) => {
                *place = Some(id);
                self.count += 1;
            }
            None => self.more = true,
        }
    }

    fn decision(&self) -> Option<Decision> {
        self.ruling.map(|ruling| Decision {
            verdict: ruling.verdict,
            reason: ruling.reason,
            ruled: ruling.ruled,
            deciding: self.deciding,
            more_deciding: self.more,
            revisit: (self.until != NEVER).then_some(self.until),
            rehearsed: None,
            active: true,
        })
    }
}

/// A verdict, the reason that is reported for it, and the first one by a rule.
type Worst = (Verdict, Reason, Option<Reason>);

fn of_rule(reason: Reason) -> Option<Reason> {
    reason.is_of_rule().then_some(reason)
}

/// Keeps the strictest of the rulings that are only tried out, and the first of equals.
fn rehearse(kept: &mut Option<Rehearsed>, policy: PolicyId, ruling: Ruling) {
    let strictest = kept.map_or(Verdict::Allow, |kept| kept.verdict);
    if ruling.verdict > strictest {
        *kept = Some(Rehearsed {
            verdict: ruling.verdict,
            reason: ruling.reason,
            policy,
        });
    }
}

/// Stands for "at no time"; a fact lasts a year at most.
const NEVER: Timestamp = Timestamp::from_unix_millis(i64::MAX);
