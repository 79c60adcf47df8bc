//! Those about whom something is being done: what a further change means for them.

use super::Dynamic;
use super::errand::Errand;
use crate::access::Correlation;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Verdict;

/// How far somebody has come about whom something is being done.
pub(super) struct UnderWay {
    /// For which verdict the NAS was asked last; the strictest for who has still to be asked, since
    /// what counts is looked up then.
    pub(super) asked: Verdict,
    /// When the next step follows.
    pub(super) later: Option<(Monotonic, Errand)>,
}

impl Dynamic {
    /// Whether a change needs a request of its own. About whom something is being done already, that
    /// takes its course, unless the new verdict is stricter than the one that was asked for: who waits
    /// to come anew with less access and is to have none must not wait.
    pub(super) fn has_to_be_asked(&mut self, now: Now, number: Correlation) -> bool {
        let Some(under_way) = self.under_way.get_mut(&number) else {
            return true;
        };
        let judged = self.shared.admissions.judged(now.wall, number);
        if judged.is_none_or(|decided| decided.decision.verdict <= under_way.asked) {
            return false;
        }
        if let Some(later) = under_way.later.take() {
            self.later.remove(&later);
        }
        true
    }

    pub(super) fn under_way(&mut self, number: Correlation) -> &mut UnderWay {
        let begun = UnderWay {
            asked: Verdict::Block,
            later: None,
        };
        self.under_way.entry(number).or_insert(begun)
    }

    /// Nothing more is done about somebody.
    pub(super) fn is_done_with(&mut self, number: Correlation) {
        let under_way = self.under_way.remove(&number);
        if let Some(later) = under_way.and_then(|under_way| under_way.later) {
            self.later.remove(&later);
        }
    }

    pub(super) fn put_later(&mut self, at: Monotonic, errand: Errand) {
        let before = self.under_way(errand.number).later.replace((at, errand));
        if let Some(before) = before {
            self.later.remove(&before);
        }
        self.later.insert((at, errand));
    }
}
