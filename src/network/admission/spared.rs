//! Who is in from before this start, and whose user a directory may know that has not been asked yet.

use std::collections::HashSet;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::access::Correlation;
use crate::access::Decided;
use crate::model::Reason;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::network::admission::Admissions;

impl Admissions {
    /// Spares those whose user is not known yet and may be to a directory, `serves` of which is asked:
    /// until it is known who they are, that nobody knows them ends nothing.
    pub fn spare_unknown(&self, now: Timestamp, serves: impl Fn(&str) -> bool) -> usize {
        let mut spared = HashSet::new();
        for number in self.numbers() {
            let is_unknown = self.with(number, |admission| {
                let decided = self.decide(now, &admission.permit);
                let listed = decided.seen.user.is_some_and(|user| user.listed);
                let served = |subject: &Subject<'_>| subject.user.is_some_and(&serves);
                !listed && admission.permit.with_subject(served)
            });
            if is_unknown == Some(true) {
                spared.insert(number);
            }
        }
        let count = spared.len();
        *self.spared() = spared;
        count
    }

    /// Whether somebody goes on because it is not known yet who the user is; who has become known is
    /// like anybody else.
    pub(super) fn is_spared(&self, number: Correlation, decided: &Decided) -> bool {
        let mut spared = self.spared();
        if !spared.contains(&number) {
            return false;
        }
        let unknown = decided.decision.reason == Reason::UserUnknown
            && decided.seen.user.is_none_or(|user| !user.listed);
        if !unknown {
            spared.remove(&number);
        }
        unknown
    }

    pub(super) fn spared(&self) -> MutexGuard<'_, HashSet<Correlation>> {
        self.spared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
