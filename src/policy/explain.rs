//! A decision in words: for every policy and every condition what was seen, what was wanted and
//! whether it held (R80, R84).
//!
//! Nothing is decided here. The evaluation is run again on the same facts, and its trace is put into
//! words with the facts and the policy beside it.

mod app;
mod client;
mod describe;
mod text;

use std::fmt;

use serde::Serialize;

use super::compliance::Health;
use super::condition::Condition;
use super::conditional::ConditionalPolicy;
use super::conditional::Requirement;
use super::conditional::State;
use super::conditional::Then;
use super::evaluate::evaluate;
use super::facts::Facts;
use super::set::Policy;
use super::trace::Check;
use super::trace::Checked;
use super::trace::Finding;
use super::trace::Trace;
use super::words::Word;
use crate::model::Decision;
use crate::model::Plain;
use crate::model::PolicyId;
use crate::model::Reason;
use crate::model::SourceId;
use crate::model::Tri;
use crate::model::Verdict;
use describe::Describe;

/// A decision with everything that led to it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The decision as it is enforced.
    #[serde(skip)]
    pub decision: Decision,
    /// `allow`, `quarantine` or `block`.
    pub verdict: &'static str,
    /// The number of the reason.
    pub code: u16,
    /// The name of the reason.
    pub reason: &'static str,
    /// The reason as a sentence for people.
    pub sentence: &'static str,
    /// What to do about it, where something is.
    pub what_to_do: Option<&'static str>,
    /// What a policy in `report-only` would have made of it, if that is not allow.
    pub rehearsed: Option<RehearsedExplanation>,
    /// Names of the policies that gave the verdict.
    pub decided_by: Vec<String>,
    /// The setting that gave the verdict where no policy did.
    pub answered_by: Option<&'static str>,
    /// The time of the question, in RFC 3339.
    pub at: String,
    /// When the same question may get another answer by the mere passing of time.
    pub revisit: Option<String>,
    /// Who asks with what, at which door.
    pub subject: String,
    /// What was asked before any policy.
    pub before: Vec<CheckExplanation>,
    /// Every policy of the file, compliance policies first.
    pub policies: Vec<PolicyExplanation>,
    /// What the compliance policies that reach the device ask together.
    pub health: Vec<String>,
}

/// What the strictest of the policies that are only tried out would have said.
#[derive(Clone, Debug, Serialize)]
pub struct RehearsedExplanation {
    /// `quarantine` or `block`.
    pub verdict: &'static str,
    /// The number of its reason.
    pub code: u16,
    /// The name of its reason.
    pub reason: &'static str,
    /// The policy.
    pub policy: String,
    /// What a user would have to do.
    pub what_to_do: Option<&'static str>,
}

/// What became of one policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyExplanation {
    /// Its name.
    pub name: String,
    /// `compliance` or `conditional`.
    pub kind: &'static str,
    /// Line of the file at which it begins.
    pub line: Option<usize>,
    /// In the words of Entra's sign-in log: `success`, `failure`, `notApplied`, `notEnabled`, and
    /// `reportOnlySuccess` and so on; `notAsked` where the answer stood before this policy, or
    /// nothing asked for compliance.
    pub result: &'static str,
    /// What it gives, where it applies.
    pub verdict: Option<&'static str>,
    /// Why it does not apply, in the words of Entra's What If (`users`, `devicePlatform`, …).
    pub not_applied: Vec<&'static str>,
    /// Its conditions and requirements, in the order in which they were asked.
    pub checks: Vec<CheckExplanation>,
}

/// One condition or requirement.
#[derive(Clone, Debug, Serialize)]
pub struct CheckExplanation {
    /// The key in the policy file, where there is one.
    pub check: &'static str,
    /// Whether it is an alternative of `require_any`.
    pub one_of: bool,
    /// What the facts say, with source and age.
    pub seen: String,
    /// What the policy says.
    pub wanted: String,
    /// `held`, `failed`, `stale`, `targeted`, `not targeted` or `exempt`.
    pub result: &'static str,
}

/// Explains the decision that [`evaluate`] gives for the same arguments. `source_name` tells the
/// configured name of a source.
///
/// For people and never on the way of a connection: it allocates freely.
pub fn explain(
    policy: &Policy,
    facts: &Facts<'_>,
    source_name: &dyn Fn(SourceId) -> Option<String>,
) -> Explanation {
    let mut trace = Trace::new();
    let decision = evaluate(policy, facts, &mut trace);
    let describe = Describe::new(policy, facts, source_name, &trace);
    let compliance = (0..policy.compliance.len()).map(|position| {
        let id = policy.compliance_id(position);
        compliance(&describe, position, id, &trace.of(id).collect::<Vec<_>>())
    });
    let conditional = policy.conditional.iter().enumerate();
    let conditional = conditional.map(|(position, one)| {
        let id = policy.conditional_id(position);
        let found = trace.of(id).collect::<Vec<_>>();
        conditional_policy(&describe, position, one, &found)
    });
    Explanation {
        decision,
        verdict: decision.verdict.word(),
        code: decision.reason.code(),
        reason: decision.reason.name(),
        sentence: decision.reason.sentence(),
        what_to_do: match decision.verdict {
            Verdict::Allow => None,
            Verdict::Quarantine | Verdict::Block => decision.reason.advice(),
        },
        rehearsed: decision.rehearsed.map(|rehearsed| RehearsedExplanation {
            verdict: rehearsed.verdict.word(),
            code: rehearsed.reason.code(),
            reason: rehearsed.reason.name(),
            policy: policy.name(rehearsed.policy).to_owned(),
            what_to_do: rehearsed.reason.advice(),
        }),
        decided_by: decision
            .deciding
            .iter()
            .flatten()
            .map(|id| policy.name(*id).to_owned())
            .collect(),
        answered_by: answered_by(&decision, facts),
        at: facts.now.to_string(),
        revisit: decision.revisit.map(|at| at.to_string()),
        subject: describe.subject(),
        before: trace
            .before()
            .map(|found| describe.check(&found, false))
            .collect(),
        policies: compliance.chain(conditional).collect(),
        health: together(policy, &trace),
    }
}

/// The key in the policy file behind a decision without a policy.
fn answered_by(decision: &Decision, facts: &Facts<'_>) -> Option<&'static str> {
    if decision.deciding.iter().any(Option::is_some) {
        return None;
    }
    match decision.reason {
        Reason::NotTargeted => Some(match facts.user {
            None => "defaults.no_credential",
            Some(_) => "defaults.not_targeted",
        }),
        Reason::NoPolicyApplies => Some("defaults.no_policy_applies"),
        Reason::UserUnknown if facts.user.is_some_and(|user| user.enabled.value != Tri::No) => {
            Some("defaults.unknown_user")
        }
        Reason::DeviceUnknown => Some("defaults.unknown_device, or its exception by platform"),
        Reason::DeviceAmbiguous => Some("defaults.ambiguous_device"),
        Reason::DeviceOfAnotherUser => Some("defaults.device_of_another_user"),
        Reason::PlatformNotAllowed => Some("defaults.cannot_enrol"),
        Reason::UserUnknown
        | Reason::Exempt
        | Reason::DeviceRetired
        | Reason::DeviceNotCompliant
        | Reason::DeviceNotDomainJoined
        | Reason::ApplicationNotApproved
        | Reason::BlockedByPolicy
        | Reason::RequirementsMet
        | Reason::DeviceNotManaged
        | Reason::DeviceNotRegistered
        | Reason::ComplianceNotEvaluated
        | Reason::ComplianceForAnotherUser
        | Reason::FactsStale
        | Reason::DeviceNotProven
        | Reason::HealthRequirement
        | Reason::EasNotActivated
        | Reason::CertificateRevoked
        | Reason::OsVersionNotAllowed
        | Reason::ProtocolNotAllowed
        | Reason::CommandNotAllowed
        | Reason::AttachmentNotAllowed
        | Reason::TooManyDevices
        | Reason::DeviceInactive => None,
        Reason::MappingPending => Some("defaults.mapping_pending"),
    }
}

fn compliance(
    describe: &Describe<'_>,
    position: usize,
    id: PolicyId,
    found: &[Checked],
) -> PolicyExplanation {
    let policy = describe.policy();
    let outcome = outcome(found);
    PolicyExplanation {
        name: policy.name(id).to_owned(),
        kind: "compliance",
        line: policy.line(&format!("compliance[{position}]")),
        result: match outcome {
            None => "notAsked",
            Some(Finding::NotApplied) => "notApplied",
            Some(Finding::Held) => "success",
            Some(
                Finding::Failed
                | Finding::Stale
                | Finding::NotTargeted
                | Finding::Exempt
                | Finding::Targeted
                | Finding::NotEnabled
                | Finding::Allow
                | Finding::Quarantine
                | Finding::Block,
            ) => "failure",
        },
        verdict: None,
        not_applied: not_applied(found),
        checks: checks(describe, found, &[]),
    }
}

fn conditional_policy(
    describe: &Describe<'_>,
    position: usize,
    conditional: &ConditionalPolicy,
    found: &[Checked],
) -> PolicyExplanation {
    let any = match &conditional.then {
        Then::Act(_) => &[][..],
        Then::Require(requirements) => &requirements.any,
    };
    let outcome = outcome(found);
    let verdict = match outcome {
        Some(Finding::Allow) => Some(Verdict::Allow),
        Some(Finding::Quarantine) => Some(Verdict::Quarantine),
        Some(Finding::Block) => Some(Verdict::Block),
        Some(
            Finding::Held
            | Finding::Failed
            | Finding::Stale
            | Finding::NotTargeted
            | Finding::Exempt
            | Finding::Targeted
            | Finding::NotApplied
            | Finding::NotEnabled,
        )
        | None => None,
    };
    PolicyExplanation {
        name: conditional.name.clone().into(),
        kind: "conditional",
        line: describe.policy().line(&format!("conditional[{position}]")),
        result: match (conditional.state, verdict) {
            (State::Off, _) => "notEnabled",
            (State::On | State::ReportOnly, None) if outcome.is_none() => "notAsked",
            (State::On, None) => "notApplied",
            (State::On, Some(Verdict::Allow)) => "success",
            (State::On, Some(Verdict::Quarantine | Verdict::Block)) => "failure",
            (State::ReportOnly, None) => "reportOnlyNotApplied",
            (State::ReportOnly, Some(Verdict::Allow)) => "reportOnlySuccess",
            (State::ReportOnly, Some(Verdict::Quarantine | Verdict::Block)) => "reportOnlyFailure",
        },
        verdict: verdict.map(Word::word),
        not_applied: not_applied(found),
        checks: checks(describe, found, any),
    }
}

fn outcome(found: &[Checked]) -> Option<Finding> {
    found
        .iter()
        .find(|found| found.check == Check::Outcome)
        .map(|found| found.finding)
}

/// `any`: the requirements that are alternatives, told in this order after those that stand alone.
fn checks(
    describe: &Describe<'_>,
    found: &[Checked],
    any: &[Requirement],
) -> Vec<CheckExplanation> {
    let one_of = |found: &Checked| match found.check {
        Check::Requirement(requirement) => any.iter().position(|one| *one == requirement),
        Check::Gate(_)
        | Check::State
        | Check::Plane
        | Check::Target
        | Check::Condition(_)
        | Check::AnyOf
        | Check::Health(_)
        | Check::Outcome => None,
    };
    let mut found: Vec<&Checked> = found
        .iter()
        .filter(|found| found.check != Check::Outcome)
        .collect();
    found.sort_by_key(|found| (found.check == Check::AnyOf, one_of(found)));
    found
        .into_iter()
        .map(|found| describe.check(found, one_of(found).is_some()))
        .collect()
}

/// The conditions that keep a policy from applying, as Entra's What If names them.
fn not_applied(found: &[Checked]) -> Vec<&'static str> {
    let mut reasons = Vec::new();
    for found in found {
        let reason = match (found.check, found.finding) {
            (Check::State, _) => "policyNotEnabled",
            (Check::Target, Finding::NotTargeted | Finding::Exempt) => "users",
            (Check::Plane, Finding::Failed) => "application",
            (Check::Condition(Condition::Platform), Finding::Failed) => "devicePlatform",
            (Check::Condition(Condition::App), Finding::Failed) => "clientApps",
            (
                Check::Condition(Condition::NasGroup | Condition::Ssid | Condition::Medium),
                Finding::Failed,
            ) => "location",
            (
                Check::Condition(
                    Condition::DeviceType
                    | Condition::UserAgent
                    | Condition::ProtocolVersion
                    | Condition::Command,
                ),
                Finding::Failed,
            ) => "clientApps",
            (
                Check::Condition(
                    Condition::Established
                    | Condition::Ownership
                    | Condition::Model
                    | Condition::OsBelow
                    | Condition::DevicesOver
                    | Condition::Inactive,
                ),
                Finding::Failed,
            ) => "devices",
            (Check::Condition(Condition::Credential), Finding::Failed) => "authenticationContext",
            (_, _) => continue,
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    if reasons.is_empty() && outcome(found) == Some(Finding::NotApplied) {
        // Everything fits, and what the client says of itself lets nobody in.
        reasons.push("claims");
    }
    reasons
}

/// The health settings of all policies that reach the device, merged (R11).
fn together(policy: &Policy, trace: &Trace) -> Vec<String> {
    let reaches = |position: usize| {
        trace
            .of(policy.compliance_id(position))
            .any(|found| found.check == Check::Outcome && found.finding != Finding::NotApplied)
    };
    let merged = policy
        .compliance
        .iter()
        .enumerate()
        .filter(|(position, _)| reaches(*position))
        .fold(Health::default(), |merged, (_, one)| {
            merged.merge(&one.health)
        });
    text::health(&merged)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: {} {}. {}",
            self.verdict, self.code, self.reason, self.sentence
        )?;
        if let Some(advice) = self.what_to_do {
            writeln!(f, "what to do: {advice}")?;
        }
        // What was said of the subject came from elsewhere, as what was seen of it below.
        writeln!(f, "at {}: {}", self.at, Plain(&self.subject))?;
        if !self.decided_by.is_empty() {
            writeln!(f, "decided by: {}", self.decided_by.join(", "))?;
        }
        if let Some(rehearsed) = &self.rehearsed {
            writeln!(
                f,
                "report-only: {:?} would {} ({} {})",
                rehearsed.policy, rehearsed.verdict, rehearsed.code, rehearsed.reason
            )?;
        }
        if let Some(key) = self.answered_by {
            writeln!(f, "answered by: {key}")?;
        }
        if let Some(revisit) = &self.revisit {
            writeln!(f, "may change by itself at {revisit}")?;
        }
        writeln!(f)?;
        writeln!(f, "before all policies")?;
        for check in &self.before {
            writeln!(f, "  {check}")?;
        }
        for policy in &self.policies {
            writeln!(f)?;
            write!(f, "{policy}")?;
        }
        if !self.health.is_empty() {
            writeln!(f)?;
            writeln!(
                f,
                "health settings in force (wanted, not seen): {}",
                self.health.join("; ")
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for PolicyExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} policy {:?}", self.kind, self.name)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, ": {}", self.result)?;
        if let Some(verdict) = self.verdict {
            write!(f, ", {verdict}")?;
        }
        if !self.not_applied.is_empty() {
            write!(f, " because of {}", self.not_applied.join(", "))?;
        }
        writeln!(f)?;
        self.checks
            .iter()
            .try_for_each(|check| writeln!(f, "  {check}"))
    }
}

impl fmt::Display for CheckExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.one_of {
            f.write_str("one of: ")?;
        }
        write!(
            f,
            "{}: seen {}, wanted {}: {}",
            self.check,
            Plain(&self.seen),
            self.wanted,
            self.result
        )
    }
}
