//! What an evaluation found, condition by condition, in six octets each.

use super::compliance::Setting;
use super::condition::Condition;
use super::conditional::Requirement;
use super::targeting::Targeting;
use crate::model::PolicyId;
use crate::model::Verdict;

/// A buffer for the findings of one evaluation after another.
///
/// Made once for each worker; filling it never allocates. What was seen is in the facts and what was
/// wanted in the policy, so that only the finding is kept: [`explain`](super::explain()) makes the
/// text by evaluating again.
#[derive(Debug)]
pub struct Trace {
    found: Vec<Checked>,
    limit: usize,
    overflowed: bool,
}

impl Trace {
    /// Findings kept: 50 policies with everything configured, or 200 of usual size, in 12 KiB. What
    /// comes after is dropped and [`Trace::overflowed`] says so; the decision is not affected.
    pub const CAPACITY: usize = 2048;

    /// An empty trace of [`Trace::CAPACITY`].
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(Self::CAPACITY)
    }

    /// For explanations, which may not overflow.
    pub(super) fn with_capacity(limit: usize) -> Self {
        Self {
            found: Vec::with_capacity(limit),
            limit,
            overflowed: false,
        }
    }

    /// The findings of the last evaluation, in the order in which they were made.
    #[must_use]
    pub fn findings(&self) -> &[Checked] {
        &self.found
    }

    /// Whether findings of the last evaluation were dropped.
    #[must_use]
    pub const fn overflowed(&self) -> bool {
        self.overflowed
    }

    pub(super) fn clear(&mut self) {
        self.found.clear();
        self.overflowed = false;
    }

    #[inline]
    pub(super) fn record(&mut self, policy: Option<PolicyId>, check: Check, finding: Finding) {
        // Never grows: the limit is the capacity it was made with.
        if self.found.len() < self.limit {
            self.found.push(Checked {
                policy: policy.map_or(NO_POLICY, |id| id.0),
                check,
                finding,
            });
        } else {
            self.overflowed = true;
        }
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

/// One finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    policy: u16,
    /// What was asked.
    pub check: Check,
    /// How it came out.
    pub finding: Finding,
}

impl Checked {
    /// By which policy it was asked; `None` for what is asked before any policy.
    #[must_use]
    pub const fn policy(&self) -> Option<PolicyId> {
        match self.policy {
            NO_POLICY => None,
            number => Some(PolicyId(number)),
        }
    }
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// Before all policies.
    Gate(Gate),
    /// Whether the policy is switched on.
    State,
    /// Whether the policy is for this door.
    Plane,
    /// Whom the policy judges.
    Target,
    /// A condition under which the policy applies.
    Condition(Condition),
    /// A requirement of a policy that applies.
    Requirement(Requirement),
    /// One of the requirements found after those that stand alone.
    AnyOf,
    /// A health setting of a compliance policy.
    Health(Setting),
    /// What came out of the policy as a whole.
    Outcome,
}

/// What is asked before all policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Stands for "no policy": files have at most 200.
const NO_POLICY: u16 = u16::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_takes_six_octets() {
        assert_eq!(size_of::<Checked>(), 6);
    }

    #[test]
    fn a_full_trace_says_so_and_is_emptied_for_the_next() {
        let mut trace = Trace::new();
        let allocated = trace.found.capacity();
        for _ in 0..Trace::CAPACITY {
            trace.record(None, Check::Plane, Finding::Held);
        }
        assert!(!trace.overflowed());
        trace.record(Some(PolicyId(3)), Check::Plane, Finding::Held);
        assert!(trace.overflowed());
        assert_eq!(trace.findings().len(), Trace::CAPACITY);
        assert_eq!(trace.found.capacity(), allocated);
        trace.clear();
        trace.record(Some(PolicyId(3)), Check::Plane, Finding::Held);
        assert!(!trace.overflowed());
        assert_eq!(trace.findings()[0].policy(), Some(PolicyId(3)));
    }
}
