//! Proof that a request was allowed, and the end of it: registrations of waiting requests.

use std::fmt;
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
use crate::access::line::InLine;
use crate::access::subject::OwnedSubject;
use crate::inventory::ClientEntry;
use crate::inventory::Told;
use crate::model::DeviceId;
use crate::model::GroupId;
use crate::model::Reason;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::UserRef;
use crate::model::Verdict;
use crate::policy::Trace;

/// The requests that are allowed and under way, found by device and by user.
///
/// Each map locks one shard for a few lines; nothing is called while a guard is held.
pub struct Live {
    pub(super) point: Arc<DecisionPoint>,
    pub(super) by_device: DashMap<DeviceId, Vec<Arc<Registration>>>,
    pub(super) by_user: DashMap<UserRef, Vec<Arc<Registration>>>,
    /// Allowed although the device, or the user that was named, is not known, or going on whoever they
    /// are: the change by which they become known, or others, is one of a device or user that they are not
    /// filed under, so any change may concern them.
    pub(super) unsettled: DashMap<u64, Arc<Registration>>,
    next: AtomicU64,
    held: AtomicUsize,
}

/// One allowed request under way.
pub(super) struct Registration {
    pub(super) id: u64,
    /// Where it is filed; what is decided elsewhere later would not be found here.
    pub(super) place: Place,
    pub(super) subject: OwnedSubject,
    /// What it was let in with; another verdict ends it.
    pub(super) given: Verdict,
    /// The reason that its client was told, if another one ends it, too.
    told: Option<Reason>,
    /// It stays for this reason until then, and not longer.
    stay: Option<(Reason, Timestamp)>,
    /// Nothing but a block ends it.
    until_blocked: bool,
    /// The place in line that it holds, if its client does not count among its user's yet.
    _in_line: Option<Arc<InLine>>,
    /// Unix milliseconds at which a fact used expires; `i64::MAX` for never.
    pub(super) revisit: AtomicI64,
    revoked: OnceLock<Decided>,
    waker: AtomicWaker,
}

impl Registration {
    /// Notes when the decision has to be made again.
    pub(super) fn set_revisit(&self, decided: &Decided) {
        let revisit = decided.decision.revisit;
        let revisit = revisit.map_or(i64::MAX, Timestamp::unix_millis);
        let stay = self.stay.filter(|_| !self.has_come_in(decided));
        let end = stay.map_or(i64::MAX, |(_, until)| until.unix_millis());
        let revisit = revisit.min(end);
        self.revisit.store(revisit, Ordering::Relaxed);
    }

    /// Whether it goes on after it was judged again.
    pub(super) fn stands(&self, now: Timestamp, decided: &Decided, place: Place) -> bool {
        if self.until_blocked {
            return decided.decision.verdict != Verdict::Block;
        }
        let may_stay = self
            .stay
            .is_none_or(|(reason, until)| now < until && decided.decision.lasting() == reason);
        let same_reason = self
            .told
            .is_none_or(|reason| decided.decision.reason == reason);
        let as_given = decided.decision.verdict == self.given && may_stay && same_reason;
        place == self.place && (as_given || self.has_come_in(decided))
    }

    /// Whether it was let in for some time and is in order now.
    fn has_come_in(&self, decided: &Decided) -> bool {
        self.stay.is_some() && decided.decision.verdict == Verdict::Allow
    }

    /// Takes the permission back; whoever polls the permit learns the new decision.
    pub(super) fn revoke(&self, decided: Decided) -> bool {
        let first = self.revoked.set(decided).is_ok();
        self.waker.wake();
        first
    }
}

/// What a registration stands for.
#[derive(Debug)]
pub(super) struct Terms {
    given: Verdict,
    told: Option<Reason>,
    stay: Option<(Reason, Timestamp)>,
    until_blocked: bool,
    pub(super) in_line: Option<Arc<InLine>>,
}

impl Terms {
    /// Another verdict ends it, and nothing else.
    pub(super) const fn of(given: Verdict) -> Self {
        Self {
            given,
            told: None,
            stay: None,
            until_blocked: false,
            in_line: None,
        }
    }
}

/// Where a registration is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    device: Option<DeviceId>,
    user: Option<UserRef>,
    settled: bool,
}

impl Place {
    pub(super) fn of(subject: &Subject<'_>, decided: &Decided) -> Self {
        let device = decided.seen.posture().map(|posture| posture.device);
        let user = decided.seen.user.map(|entry| entry.user);
        Self {
            device,
            user,
            settled: device.is_some() && user.is_some() == subject.user.is_some(),
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
            unsettled: DashMap::new(),
            next: AtomicU64::new(0),
            held: AtomicUsize::new(0),
        }
    }

    /// See [`DecisionPoint::own_name`].
    #[must_use]
    pub fn own_name<'a>(&'a self, name: &'a str) -> &'a str {
        self.point.own_name(name)
    }

    /// See [`DecisionPoint::known_name`].
    #[must_use]
    pub fn known_name(&self, name: &str) -> Option<&str> {
        self.point.known_name(name)
    }

    /// Whether a user is known and a member of a group now.
    #[must_use]
    pub fn is_member(&self, user: &str, group: GroupId) -> bool {
        let reader = self.point.reader();
        let entry = reader.user(user);
        entry.is_some_and(|entry| reader.groups(entry.groups).contains(&group))
    }

    /// Registers a subject that was let in with `decided`, for as long as it stays: the permit
    /// resolves when the verdict becomes another one, a better one too, or when the subject is
    /// taken for another device or user. If that has happened already, it resolves at once.
    pub fn hold(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        decided: &Decided,
    ) -> Permit {
        let terms = Terms::of(decided.decision.verdict);
        self.file_current(now, subject, decided, terms)
    }

    /// The same for a subject that was told the reason: the permit resolves when that becomes another
    /// one, too.
    pub fn hold_for_reason(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        decided: &Decided,
    ) -> Permit {
        let terms = Terms {
            told: Some(decided.decision.reason),
            ..Terms::of(decided.decision.verdict)
        };
        self.file_current(now, subject, decided, terms)
    }

    /// Registers a subject of which goes on what any verdict lets through but a block: the permit resolves
    /// when it is blocked, whichever device and user it is taken for by then.
    pub fn hold_until_blocked(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        decided: &Decided,
    ) -> Permit {
        let terms = Terms {
            until_blocked: true,
            ..Terms::of(decided.decision.verdict)
        };
        self.file_current(now, subject, decided, terms)
    }

    /// Registers a subject that is let in until then although `decided` does not: the permit
    /// resolves at that time, and before if the verdict or its reason changes, but not while the verdict
    /// is to allow.
    pub fn let_stay(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        decided: &Decided,
        until: Timestamp,
    ) -> Permit {
        // Where there is no room it has none: it has been let in before.
        let stand = self.line_up(now, subject, decided);
        let in_line = stand.place().cloned();
        let is_in_line = in_line.is_some();
        let terms = Terms {
            stay: Some((decided.decision.lasting(), until)),
            in_line,
            ..Terms::of(decided.decision.verdict)
        };
        let permit = self.file_current(now, subject, decided, terms);
        if is_in_line {
            // Others may stand before it.
            self.judge_one(now, &permit.registration);
        }
        permit
    }

    /// Registers a subject that was let in with the verdict `given` before this start. Whatever is
    /// decided about it now, the permit stands until it is judged again.
    pub fn resume(
        self: &Arc<Self>,
        now: Timestamp,
        subject: OwnedSubject,
        given: Verdict,
    ) -> Permit {
        let decide = |subject: &Subject<'_>| {
            let decided = self.point.decide(now, subject, &mut Trace::default());
            (Place::of(subject, &decided), decided)
        };
        let (place, decided) = subject.with(decide);
        self.file(subject, place, &decided, Terms::of(given))
    }

    /// What they are decided by.
    #[must_use]
    pub fn point(&self) -> &Arc<DecisionPoint> {
        &self.point
    }

    /// See [`DecisionPoint::asks_about_attachments`].
    #[must_use]
    pub fn asks_about_attachments(&self) -> bool {
        self.point.asks_about_attachments()
    }

    /// See [`DecisionPoint::asks_about_sending`].
    #[must_use]
    pub fn asks_about_sending(&self) -> bool {
        self.point.asks_about_sending()
    }

    /// See [`DecisionPoint::rests_on_telling`].
    #[must_use]
    pub fn rests_on_telling(&self, decided: &Decided) -> bool {
        self.point.rests_on_telling(decided)
    }

    /// See [`DecisionPoint::is_news`].
    #[must_use]
    pub fn is_news(&self, client: &ClientEntry, told: &Told) -> bool {
        self.point.is_news(client, told)
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

    /// Registers, and judges again if that was overtaken by a change.
    fn file_current(
        self: &Arc<Self>,
        now: Timestamp,
        subject: &Subject<'_>,
        decided: &Decided,
        terms: Terms,
    ) -> Permit {
        let mut place = Place::of(subject, decided);
        // It outlives a change of its device, which is filed elsewhere then.
        place.settled &= !terms.until_blocked;
        let permit = self.file(OwnedSubject::from(subject), place, decided, terms);
        if !self.point.is_current(decided) {
            self.judge_one(now, &permit.registration);
        }
        permit
    }

    pub(super) fn file(
        self: &Arc<Self>,
        subject: OwnedSubject,
        place: Place,
        decided: &Decided,
        terms: Terms,
    ) -> Permit {
        let Terms {
            given,
            told,
            stay,
            until_blocked,
            in_line,
        } = terms;
        let registration = Arc::new(Registration {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            place,
            subject,
            given,
            told,
            stay,
            until_blocked,
            _in_line: in_line,
            revisit: AtomicI64::new(i64::MAX),
            revoked: OnceLock::new(),
            waker: AtomicWaker::new(),
        });
        registration.set_revisit(decided);
        if let Some(device) = place.device {
            self.by_device
                .entry(device)
                .or_default()
                .push(Arc::clone(&registration));
        }
        if !place.settled {
            self.unsettled
                .insert(registration.id, Arc::clone(&registration));
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
        if let Some(device) = place.device {
            remove_from(&self.by_device, device, registration.id);
        }
        if !place.settled {
            self.unsettled.remove(&registration.id);
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
#[must_use = "a request without its permit is not allowed any more"]
pub struct Permit {
    live: Arc<Live>,
    pub(super) registration: Arc<Registration>,
    pub(super) place: Place,
}

/// The decision that replaced the one a permit stood for.
pub type Revoked = Decided;

impl Permit {
    /// Who was let in, in the form that decisions take.
    pub fn with_subject<T>(&self, ask: impl FnOnce(&Subject<'_>) -> T) -> T {
        self.registration.subject.with(ask)
    }

    /// The same, to be kept beyond the permit.
    #[must_use]
    pub fn subject(&self) -> &OwnedSubject {
        &self.registration.subject
    }

    /// The verdict that it was given for.
    #[must_use]
    pub fn given(&self) -> Verdict {
        self.registration.given
    }

    /// The decision that took the permission back, if that has happened.
    #[must_use]
    pub fn revoked(&self) -> Option<Revoked> {
        self.registration.revoked.get().copied()
    }
}

impl Future for Permit {
    type Output = Revoked;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // By reference: a decision is large, and is mostly not there.
        let revoked = &self.registration.revoked;
        if revoked.get().is_none() {
            self.registration.waker.register(context.waker());
        }
        // Looked at again: the revocation may have come between the look and the registration.
        match revoked.get() {
            Some(decided) => Poll::Ready(*decided),
            None => Poll::Pending,
        }
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

/// How many there are, and not whose.
impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("held", &self.len())
            .finish_non_exhaustive()
    }
}

/// Without the subject: it names people.
impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("registration", &self.registration.id)
            .field("revoked", &self.registration.revoked.get().is_some())
            .finish_non_exhaustive()
    }
}
