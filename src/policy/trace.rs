//! What an evaluation found: sixteen octets for each policy.

use super::compliance::Setting;
use super::condition::Condition;
use super::conditional::Requirement;
use super::conditional::RequirementSet;
use super::set::Policy;
use super::targeting::Targeting;
use crate::model::PolicyId;
use crate::model::Verdict;

/// The findings of one evaluation, for every policy and every condition.
///
/// Made once for each worker and filled again and again; filling it never allocates. It has a place
/// for each of the [`Policy::MAX_POLICIES`] that a file can hold, so that nothing is ever left out.
/// What was seen is in the facts and what was wanted in the policy, so that only the finding is
/// kept: [`explain`](super::explain()) makes the text by evaluating again.
#[derive(Debug)]
pub struct Trace {
    gates: Row,
    rows: Box<[Row]>,
    length: usize,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new() -> Self {
        Self {
            gates: Row::BLANK,
            rows: vec![Row::BLANK; Policy::MAX_POLICIES].into(),
            length: 0,
        }
    }

    /// What was found before any policy was asked.
    pub fn before(&self) -> impl Iterator<Item = Checked> + use<> {
        self.gates.findings(None)
    }

    /// What was found for one policy; nothing when it was not asked.
    pub fn of(&self, policy: PolicyId) -> impl Iterator<Item = Checked> + use<> {
        let rows = self.rows.get(..self.length).unwrap_or_default();
        let row = rows.get(usize::from(policy.0));
        row.unwrap_or(&Row::BLANK).findings(Some(policy))
    }

    /// Everything that was found: before the policies, then for each of them.
    pub fn findings(&self) -> impl Iterator<Item = Checked> + use<'_> {
        let numbers = (0_u16..).map(PolicyId).take(self.length);
        self.before().chain(numbers.flat_map(|id| self.of(id)))
    }

    /// Empties the trace, for so many policies.
    pub(super) fn begin(&mut self, policies: usize) {
        self.gates = Row::BLANK;
        self.length = policies;
        if let Some(rows) = self.rows.get_mut(..policies) {
            rows.fill(Row::BLANK);
        }
    }

    pub(super) fn put(&mut self, policy: PolicyId, row: Row) {
        if let Some(place) = self.rows.get_mut(usize::from(policy.0)) {
            *place = row;
        }
    }

    pub(super) const fn gates(&mut self) -> &mut Row {
        &mut self.gates
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

/// The findings of one policy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    asked: Checks,
    held: Checks,
    stale: Checks,
    pub(super) targeting: Option<Targeting>,
    pub(super) outcome: Option<Finding>,
    /// The conditions of the client, a bit each; none of them is ever stale.
    client_asked: u8,
    client_held: u8,
}

/// Some checks, by [`Check::bit`].
type Checks = u32;

impl Row {
    pub(super) const BLANK: Self = Self {
        asked: 0,
        held: 0,
        stale: 0,
        targeting: None,
        outcome: None,
        client_asked: 0,
        client_held: 0,
    };

    /// Notes how a check came out: held, failed or stale.
    #[inline]
    pub(super) fn note(&mut self, check: Check, finding: Finding) {
        let bit = 1 << check.bit();
        self.asked |= bit;
        if finding == Finding::Held {
            self.held |= bit;
        }
        if finding == Finding::Stale {
            self.stale |= bit;
        }
    }

    /// Notes conditions, a bit each in the order of their kinds.
    #[inline]
    pub(super) fn note_conditions(&mut self, configured: u8, held: u8) {
        self.asked |= Checks::from(configured) << FIRST_CONDITION;
        self.held |= Checks::from(held) << FIRST_CONDITION;
    }

    /// Notes the conditions of the client, a bit each in the order of their kinds.
    #[inline]
    pub(super) fn note_client(&mut self, configured: u8, held: u8) {
        self.client_asked |= configured;
        self.client_held |= held;
    }

    /// Notes requirements: those asked, and of these the ones that hold or are stale.
    #[inline]
    pub(super) fn note_requirements(
        &mut self,
        asked: RequirementSet,
        held: RequirementSet,
        stale: RequirementSet,
    ) {
        let bits =
            |set: RequirementSet| Checks::from(set.intersection(asked).bits()) << FIRST_REQUIREMENT;
        self.asked |= bits(asked);
        self.held |= bits(held);
        self.stale |= bits(stale);
    }

    /// Notes the checks that another row has noted.
    #[inline]
    pub(super) fn add(&mut self, checks: Self) {
        self.asked |= checks.asked;
        self.held |= checks.held;
        self.stale |= checks.stale;
    }

    fn findings(self, policy: Option<PolicyId>) -> impl Iterator<Item = Checked> + use<> {
        Check::ALL.into_iter().filter_map(move |check| {
            let finding = match check {
                Check::Target => self.targeting?.into(),
                Check::Outcome => self.outcome?,
                Check::Gate(_)
                | Check::State
                | Check::Plane
                | Check::Condition(_)
                | Check::Requirement(_)
                | Check::AnyOf
                | Check::Health(_) => self.finding(check)?,
            };
            Some(Checked {
                policy,
                check,
                finding,
            })
        })
    }

    fn finding(self, check: Check) -> Option<Finding> {
        if let Some(place) = check.bit().checked_sub(FIRST_OF_CLIENT) {
            let bit = 1 << place;
            let held = self.client_held & bit != 0;
            return (self.client_asked & bit != 0).then(|| held.into());
        }
        let bit = 1 << check.bit();
        if self.asked & bit == 0 {
            return None;
        }
        let held = self.held & bit != 0;
        Some(if check == Check::State {
            Finding::NotEnabled
        } else if check == Check::Gate(Gate::BreakGlass) {
            if held {
                Finding::Exempt
            } else {
                Finding::NotTargeted
            }
        } else if held {
            Finding::Held
        } else if self.stale & bit != 0 {
            Finding::Stale
        } else {
            Finding::Failed
        })
    }
}

/// One finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// By which policy it was asked; `None` for what is asked before any policy.
    pub policy: Option<PolicyId>,
    /// What was asked.
    pub check: Check,
    /// How it came out.
    pub finding: Finding,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// Before all policies.
    Gate(Gate),
    /// Whether the policy is switched on; asked of one that is not.
    State,
    /// Whether the policy is for this door.
    Plane,
    /// Whom the policy judges.
    Target,
    /// A condition under which the policy applies.
    Condition(Condition),
    /// A requirement of a policy that applies.
    Requirement(Requirement),
    /// One of the alternatives of `require_any`.
    AnyOf,
    /// A health setting of a compliance policy.
    Health(Setting),
    /// What came out of the policy as a whole.
    Outcome,
}

/// What is asked before all policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Gate {
    /// Whether the subject bypasses them.
    BreakGlass,
    /// The user's account is not disabled.
    UserEnabled,
    /// Some source knows the user.
    UserKnown,
    /// No retire or wipe was ordered.
    NotRetired,
}

impl Check {
    /// Every check, in the order in which findings are told.
    const ALL: [Self; 40] = [
        Self::Gate(Gate::BreakGlass),
        Self::Gate(Gate::UserEnabled),
        Self::Gate(Gate::UserKnown),
        Self::Gate(Gate::NotRetired),
        Self::State,
        Self::Plane,
        Self::Target,
        Self::Condition(Condition::Platform),
        Self::Condition(Condition::NasGroup),
        Self::Condition(Condition::Ssid),
        Self::Condition(Condition::Medium),
        Self::Condition(Condition::App),
        Self::Condition(Condition::Established),
        Self::Condition(Condition::Credential),
        Self::Condition(Condition::Ownership),
        Self::Condition(Condition::DeviceType),
        Self::Condition(Condition::Model),
        Self::Condition(Condition::UserAgent),
        Self::Condition(Condition::OsBelow),
        Self::Condition(Condition::ProtocolVersion),
        Self::Condition(Condition::Command),
        Self::Condition(Condition::DevicesOver),
        Self::Condition(Condition::Inactive),
        Self::Requirement(Requirement::Managed),
        Self::Requirement(Requirement::Registered),
        Self::Requirement(Requirement::Compliant),
        Self::Requirement(Requirement::Proven),
        Self::Requirement(Requirement::DomainJoined),
        Self::Requirement(Requirement::EntraJoined),
        Self::Requirement(Requirement::EasActivated),
        Self::Requirement(Requirement::ApprovedApp),
        Self::AnyOf,
        Self::Health(Setting::Encrypted),
        Self::Health(Setting::NotJailbroken),
        Self::Health(Setting::Passcode),
        Self::Health(Setting::MinOs),
        Self::Health(Setting::MaxThreat),
        Self::Health(Setting::Join),
        Self::Health(Setting::SourceVerdict),
        Self::Outcome,
    ];

    /// Its bit: of the conditions of the client, those above [`FIRST_OF_CLIENT`], in a set apart.
    const fn bit(self) -> u8 {
        match self {
            Self::Gate(gate) => gate as u8,
            Self::State => 4,
            Self::Plane => 5,
            Self::Target => 6,
            Self::Condition(condition) => {
                match (condition as u8).checked_sub(Condition::FIRST_OF_CLIENT) {
                    None => FIRST_CONDITION + condition as u8,
                    Some(place) => FIRST_OF_CLIENT + place,
                }
            }
            Self::Requirement(requirement) => FIRST_REQUIREMENT + requirement as u8,
            Self::AnyOf => 23,
            Self::Health(setting) => 24 + setting as u8,
            Self::Outcome => 31,
        }
    }
}

const FIRST_CONDITION: u8 = 7;
const FIRST_REQUIREMENT: u8 = 15;
const FIRST_OF_CLIENT: u8 = 32;

/// How a question came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Finding {
    /// It holds.
    Held,
    /// It does not hold.
    Failed,
    /// It holds by the last known value, which is too old to count.
    Stale,
    /// The subject is not targeted.
    NotTargeted,
    /// The subject is exempt.
    Exempt,
    /// The subject is targeted.
    Targeted,
    /// The policy does not apply to this connection.
    NotApplied,
    /// The policy is switched off.
    NotEnabled,
    /// The policy gives allow.
    Allow,
    /// The policy gives quarantine.
    Quarantine,
    /// The policy gives block.
    Block,
}

impl From<bool> for Finding {
    fn from(held: bool) -> Self {
        if held { Self::Held } else { Self::Failed }
    }
}

impl From<Verdict> for Finding {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Self::Allow,
            Verdict::Quarantine => Self::Quarantine,
            Verdict::Block => Self::Block,
        }
    }
}

impl From<Targeting> for Finding {
    fn from(targeting: Targeting) -> Self {
        match targeting {
            Targeting::NotTargeted => Self::NotTargeted,
            Targeting::Exempt => Self::Exempt,
            Targeting::Targeted => Self::Targeted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_bit_of_its_own() {
        let mut bits: Vec<u8> = Check::ALL.into_iter().map(Check::bit).collect();
        bits.sort_unstable();
        assert!(bits.into_iter().map(usize::from).eq(0..Check::ALL.len()));
    }

    #[test]
    fn a_policy_takes_sixteen_octets() {
        assert_eq!(size_of::<Row>(), 16);
    }

    #[test]
    fn a_trace_is_emptied_for_the_next_evaluation() {
        let mut trace = Trace::new();
        trace.begin(3);
        trace
            .gates()
            .note(Check::Gate(Gate::UserKnown), Finding::Held);
        let mut row = Row::BLANK;
        row.note(Check::Plane, Finding::Failed);
        row.note(Check::Requirement(Requirement::Managed), Finding::Stale);
        row.targeting = Some(Targeting::Exempt);
        row.outcome = Some(Finding::NotApplied);
        trace.put(PolicyId(2), row);
        let found: Vec<(Check, Finding)> = trace
            .findings()
            .map(|found| (found.check, found.finding))
            .collect();
        assert_eq!(
            found,
            [
                (Check::Gate(Gate::UserKnown), Finding::Held),
                (Check::Plane, Finding::Failed),
                (Check::Target, Finding::Exempt),
                (Check::Requirement(Requirement::Managed), Finding::Stale),
                (Check::Outcome, Finding::NotApplied),
            ]
        );
        assert_eq!(trace.of(PolicyId(2)).count(), 4);
        trace.begin(2);
        assert_eq!(trace.findings().count(), 0);
        assert_eq!(trace.of(PolicyId(2)).count(), 0);
        trace.begin(3);
        assert_eq!(trace.findings().count(), 0);
    }
}
