//! Proof that a request was allowed, and the end of it: registrations of waiting requests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use atomic_waker::AtomicWaker;
use dashmap::DashMap;

use crate::access::decide::Decided;
use crate::access::decide::DecisionPoint;
use crate::access::subject::OwnedSubject;
use crate::model::DeviceId;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::UserRef;
use crate::model::Verdict;
use crate::policy::Trace;

/// The requests that are allowed and under way, found by device and by user.
///
/// Each map locks one shard for a few lines; nothing is called while a guard is held.
#[derive(Debug)]
pub struct Live {
    pub(super) point: Arc<DecisionPoint>,
    pub(super) by_device: DashMap<DeviceId, Vec<Arc<Registration>>>,
    pub(super) by_user: DashMap<UserRef, Vec<Arc<Registration>>>,
    /// Allowed without a known device; any device's change may concern them.
    pub(super) without_device: DashMap<u64, Arc<Registration>>,
    next: AtomicU64,
    held: AtomicUsize,
}

/// One allowed request under way.
#[derive(Debug)]
pub(super) struct Registration {
    id: u64,
    pub(super) subject: OwnedSubject,
    /// Unix milliseconds at which a fact used expires; `i64::MAX` for never.
    pub(super) revisit: AtomicI64,
    revoked: OnceLock<Decided>,
    waker: AtomicWaker,
}

impl Registration {
    /// Takes the permission back; whoever polls the permit learns the new decision.
    pub(super) fn revoke(&self, decided: Decided) -> bool {
        let first = self.revoked.set(decided).is_ok();
        self.waker.wake();
        first
    }
}

/// Where a registration is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    device: Option<DeviceId>,
    user: Option<UserRef>,
}

impl Place {
    fn of(decided: &Decided) -> Self {
        Self {
            device: decided.seen.posture().map(|posture| posture.device),
            user: decided.seen.user.map(|entry| entry.user),
        }
    }
}

impl Live {
    /// An empty table over `point`.
    #[must_use]
    pub fn new(point: Arc<DecisionPoint>) -> Self {
        Self {
            point,
            by_device: DashMap::new(),
            by_user: DashMap::new(),
            without_device: DashMap::new(),
            next: AtomicU64::new(0),
            held: AtomicUsize::new(0),
        }
    }

    /// Decides, and registers the request if it is allowed.
    ///
    /// The permit is there exactly if the verdict is [`Verdict::Allow`] and every later change
    /// of its device, its user or the policy will find it.
    pub fn admit(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        trace: &mut Trace,
    ) -> (Decided, Option<Permit>) {
        let mut decided = self.point.decide(now, subject, trace);
        for _ in 0..MAX_ATTEMPTS {
            if decided.decision.verdict != Verdict::Allow {
                return (decided, None);
            }
            let permit = self.register(subject, &decided);
            if self.point.is_current(&decided) {
                return (decided, Some(permit));
            }
            // Something changed while we registered. Judge again, now that we can be found.
            let again = self.point.decide(now, subject, trace);
            if again.decision.verdict == Verdict::Allow && Place::of(&again) == permit.place {
                return (again, Some(permit));
            }
            decided = again;
        }
        (decided, None)
    }

    /// How many requests are registered now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether none is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn register(self: &Arc<Self>, subject: &Subject<'_>, decided: &Decided) -> Permit {
        let registration = Arc::new(Registration {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            subject: OwnedSubject::from(subject),
            revisit: AtomicI64::new(
                decided
                    .decision
                    .revisit
                    .map_or(i64::MAX, Timestamp::unix_millis),
            ),
            revoked: OnceLock::new(),
            waker: AtomicWaker::new(),
        });
        let place = Place::of(decided);
        match place.device {
            Some(device) => {
                self.by_device
                    .entry(device)
                    .or_default()
                    .push(Arc::clone(&registration));
            }
            None => {
                self.without_device
                    .insert(registration.id, Arc::clone(&registration));
            }
        }
        if let Some(user) = place.user {
            self.by_user
                .entry(user)
                .or_default()
                .push(Arc::clone(&registration));
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        Permit {
            live: Arc::clone(self),
            registration,
            place,
        }
    }

    fn unregister(&self, registration: &Registration, place: Place) {
        match place.device {
            Some(device) => remove_from(&self.by_device, device, registration.id),
            None => {
                self.without_device.remove(&registration.id);
            }
        }
        if let Some(user) = place.user {
            remove_from(&self.by_user, user, registration.id);
        }
        self.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Proof that a request was allowed. It cannot be made, copied or kept beyond the request: it
/// owns the registration, and dropping it ends that.
///
/// As a future it resolves when the permission is taken back.
#[derive(Debug)]
#[must_use = "a request without its permit is not allowed any more"]
pub struct Permit {
    live: Arc<Live>,
    registration: Arc<Registration>,
    place: Place,
}

/// The decision that replaced the one a permit stood for.
pub type Revoked = Decided;

impl Permit {
    /// The decision that took the permission back, if that has happened.
    #[must_use]
    pub fn revoked(&self) -> Option<Revoked> {
        self.registration.revoked.get().copied()
    }
}

impl Future for Permit {
    type Output = Revoked;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(decided) = self.revoked() {
            return Poll::Ready(decided);
        }
        self.registration.waker.register(context.waker());
        // Looked at again: the revocation may have come between the look and the registration.
        self.revoked().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.live.unregister(&self.registration, self.place);
    }
}

fn remove_from<K: std::hash::Hash + Eq>(map: &DashMap<K, Vec<Arc<Registration>>>, key: K, id: u64) {
    if let dashmap::Entry::Occupied(mut entry) = map.entry(key) {
        entry.get_mut().retain(|registration| registration.id != id);
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}

/// A request whose device changes identity this often while it registers is not let in: four
/// changes within microseconds are no accident.
const MAX_ATTEMPTS: usize = 4;
