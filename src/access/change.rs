//! From a change to what must end: judges again whatever hangs on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::access::permit::Live;
use crate::access::permit::Place;
use crate::access::permit::Registration;
use crate::inventory::Change;
use crate::model::CertificateId;
use crate::model::Timestamp;
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
        // Before one of those that have begun to count can be forgotten, which is a later batch.
        self.tidy_line(now);
        let mut found = Found::default();
        for change in changes {
            match change {
                Change::Device(device) => {
                    if let Some(entry) = self.by_device.get(device) {
                        found.extend(&entry);
                    }
                }
                Change::User(user) => {
                    if let Some(entry) = self.by_user.get(user) {
                        found.extend(&entry);
                    }
                }
            }
        }
        if !changes.is_empty() {
            for entry in &self.unsettled {
                found.add(entry.value());
            }
        }
        self.judge(now, found)
    }

    /// Judges every registered request again: the policy was replaced.
    pub fn sweep_all(&self, now: Timestamp) -> Sweep {
        let found = self.collect(|_| true);
        self.judge(now, found)
    }

    /// Judges again the requests for which a fact has expired. To be called about once a second.
    pub fn sweep_due(&self, now: Timestamp) -> Sweep {
        self.tidy_line(now);
        let found = self.collect(|registration| {
            registration.revisit.load(Ordering::Relaxed) <= now.unix_millis()
        });
        self.judge(now, found)
    }

    fn tidy_line(&self, now: Timestamp) {
        let reader = self.point.reader();
        let line = &self.point.line;
        line.tidy_all(now, |user, eas| reader.counts_alone(user, eas));
    }

    /// Judges again the requests of revoked certificates.
    pub fn sweep_certificates(&self, now: Timestamp) -> Sweep {
        let revoked = self.point.revoked();
        let found = self.collect(|registration| {
            let certificate = registration.subject.certificate();
            certificate.is_some_and(|id| revoked.contains(&id))
        });
        self.judge(now, found)
    }

    /// The certificates by which requests are allowed, some of them more than once.
    pub fn certificates(&self) -> impl Iterator<Item = CertificateId> {
        let found = self.collect(|registration| registration.subject.certificate().is_some());
        let registrations = found.0.into_values();
        registrations.filter_map(|registration| registration.subject.certificate())
    }

    fn collect(&self, wanted: impl Fn(&Registration) -> bool) -> Found {
        let mut found = Found::default();
        for entry in &self.by_device {
            for registration in entry.value().iter().filter(|one| wanted(one)) {
                found.add(registration);
            }
        }
        for entry in &self.unsettled {
            if wanted(entry.value()) {
                found.add(entry.value());
            }
        }
        found
    }

    /// Judges again one that may have been overtaken by a change while it registered.
    pub(super) fn judge_one(&self, now: Timestamp, registration: &Arc<Registration>) {
        let mut found = Found::default();
        found.add(registration);
        self.judge(now, found);
    }

    fn judge(&self, now: Timestamp, found: Found) -> Sweep {
        let mut trace = Trace::default();
        let mut sweep = Sweep::default();
        for registration in found.0.into_values() {
            let (decided, place) = registration.subject.with(|subject| {
                let decided = self.point.decide(now, subject, &mut trace);
                (decided, Place::of(subject, &decided))
            });
            sweep.judged += 1;
            // One that is taken for another device or user now would not be found where it is
            // filed by their changes: it ends, too, and its client asks again.
            if registration.stands(now, &decided, place) {
                registration.set_revisit(&decided);
            } else {
                sweep.revoked += usize::from(registration.revoke(decided));
            }
        }
        sweep
    }
}

/// Registrations to be judged, each once however many changes lead to it, the oldest first.
#[derive(Default)]
struct Found(BTreeMap<u64, Arc<Registration>>);

impl Found {
    fn add(&mut self, registration: &Arc<Registration>) {
        self.0.insert(registration.id, Arc::clone(registration));
    }

    fn extend(&mut self, registrations: &[Arc<Registration>]) {
        for registration in registrations {
            self.add(registration);
        }
    }
}
