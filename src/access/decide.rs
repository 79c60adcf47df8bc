//! The decision point (NIST SP 800-207): one reader of the inventory, one current policy.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;

use crate::access::record::DecisionRecord;
use crate::access::seen::Seen;
use crate::inventory::Reader;
use crate::model::Decision;
use crate::model::Generation;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::policy::Explanation;
use crate::policy::Policy;
use crate::policy::Trace;
use crate::policy::evaluate;
use crate::policy::explain;

/// Decides for every plane; shared by all threads.
pub struct DecisionPoint {
    reader: Reader,
    policy: ArcSwap<Policy>,
    policy_generation: AtomicU64,
}

/// A decision, the facts it was made from, and the generation it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Decided {
    /// The answer.
    pub decision: Decision,
    /// What it was made from.
    pub seen: Seen,
    /// Read before the facts: if it is still current later, so is the decision.
    pub generation: Generation,
}

impl DecisionPoint {
    /// A decision point over `reader` that starts with `policy`.
    #[must_use]
    pub fn new(reader: Reader, policy: Policy) -> Self {
        Self {
            reader,
            policy: ArcSwap::from_pointee(policy),
            policy_generation: AtomicU64::new(1),
        }
    }

    /// Decides. Waits for nothing, locks nothing, allocates nothing.
    pub fn decide(&self, now: Timestamp, subject: &Subject<'_>, trace: &mut Trace) -> Decided {
        let generation = self.generation();
        let policy = self.policy.load();
        let seen = Seen::look_up(&self.reader, subject, now);
        let facts = seen.facts(&self.reader, subject.user, subject.nas, subject.mail);
        let decision = evaluate(&policy, &facts, trace);
        Decided {
            decision,
            seen,
            generation,
        }
    }

    /// The generation that a decision made now would carry.
    #[must_use]
    pub fn generation(&self) -> Generation {
        Generation {
            inventory: self.reader.generation(),
            policy: self.policy_generation.load(Ordering::Acquire),
        }
    }

    /// Whether nothing has changed since `decided` was made.
    #[must_use]
    pub fn is_current(&self, decided: &Decided) -> bool {
        self.generation() == decided.generation
    }

    /// Puts another policy into force. Decisions under way keep the one they loaded; they notice
    /// by the generation.
    pub fn replace_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
        // Counted after the store: whoever reads the new number also loads the new policy.
        self.policy_generation.fetch_add(1, Ordering::Release);
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// The inventory that decisions read.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The whole trace of a past decision: the facts of its record, judged by the policy in
    /// force now. `None` if the policy has been replaced since: another policy would explain
    /// another decision.
    #[must_use]
    pub fn explain(&self, record: &DecisionRecord) -> Option<Explanation> {
        let policy = self.policy.load();
        if record.generation.policy != self.policy_generation.load(Ordering::Acquire) {
            return None;
        }
        let facts = record.seen.facts(
            &self.reader,
            record.user.as_option(),
            record.nas_context(),
            record.mail_context(),
        );
        let name = |source| self.reader.source_name(source);
        Some(explain(&policy, &facts, &name))
    }
}

impl fmt::Debug for DecisionPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionPoint")
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}
