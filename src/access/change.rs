//! From a change to what must end: judges again whatever hangs on it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::access::permit::Live;
use crate::access::permit::Registration;
use crate::inventory::Change;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::policy::Trace;

/// What a pass over registrations did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Requests judged again.
    pub judged: usize,
    /// Requests whose permission was taken back.
    pub revoked: usize,
}

impl Live {
    /// Judges again the requests that hang on what a batch changed.
    pub fn sweep(&self, now: Timestamp, changes: &[Change]) -> Sweep {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        for change in changes {
            match change {
                Change::Device(device) if seen.insert(Key::Device(device.as_u128())) => {
                    if let Some(entry) = self.by_device.get(device) {
                        found.extend(entry.iter().cloned());
                    }
                }
                Change::User(user) if seen.insert(Key::User(user.0)) => {
                    if let Some(entry) = self.by_user.get(user) {
                        found.extend(entry.iter().cloned());
                    }
                }
                Change::Device(_) | Change::User(_) => {}
            }
        }
        if !changes.is_empty() {
            // A device that has just become known may be the one behind any of these.
            found.extend(
                self.without_device
                    .iter()
                    .map(|entry| Arc::clone(entry.value())),
            );
        }
        self.judge(now, &found)
    }

    /// Judges every registered request again: the policy was replaced.
    pub fn sweep_all(&self, now: Timestamp) -> Sweep {
        let found = self.collect(|_| true);
        self.judge(now, &found)
    }

    /// Judges again the requests for which a fact has expired. To be called about once a second.
    pub fn sweep_due(&self, now: Timestamp) -> Sweep {
        let found = self.collect(|registration| {
            registration.revisit.load(Ordering::Relaxed) <= now.unix_millis()
        });
        self.judge(now, &found)
    }

    fn collect(&self, wanted: impl Fn(&Registration) -> bool) -> Vec<Arc<Registration>> {
        let mut found = Vec::new();
        for entry in &self.by_device {
            found.extend(
                entry
                    .value()
                    .iter()
                    .filter(|registration| wanted(registration))
                    .cloned(),
            );
        }
        for entry in &self.without_device {
            if wanted(entry.value()) {
                found.push(Arc::clone(entry.value()));
            }
        }
        found
    }

    fn judge(&self, now: Timestamp, found: &[Arc<Registration>]) -> Sweep {
        let mut trace = Trace::default();
        let mut sweep = Sweep::default();
        for registration in found {
            let decided = registration
                .subject
                .with(|subject| self.point.decide(now, subject, &mut trace));
            sweep.judged += 1;
            match decided.decision.verdict {
                Verdict::Allow => {
                    let revisit = decided
                        .decision
                        .revisit
                        .map_or(i64::MAX, Timestamp::unix_millis);
                    registration.revisit.store(revisit, Ordering::Relaxed);
                }
                Verdict::Quarantine | Verdict::Block => {
                    sweep.revoked += usize::from(registration.revoke(decided));
                }
            }
        }
        sweep
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Device(u128),
    User(u32),
}
