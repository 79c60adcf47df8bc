//! Peers that were let in by NASes that take Disconnect-Requests (RFC 5176), for as long as they
//! may be in: what has to end when the verdict about one of them changes.

mod again;
mod due;
mod peer;
mod spared;

use std::collections::HashSet;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Waker;
use std::time::Duration;

use dashmap::DashMap;

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionPoint;
use crate::access::Live;
use crate::access::Permit;
use crate::access::Places;
use crate::access::Rhythm;
use crate::access::Silence;
use crate::access::Sweep;
use crate::access::Trace;
use crate::model::CertificateId;
use crate::model::Established;
use crate::model::Now;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::network::away::Asked;
use crate::network::brake::Held;
use crate::network::server::Server;
use crate::radius::AccountingRequest;
use crate::radius::AttributeType;
use crate::radius::Nas;

pub(super) use peer::PeerIdentity;

use again::Same;
use due::Cutter;
use due::Due;

/// A peer that is in.
pub(super) struct Admission {
    /// Ends with the next change, whatever has been done about the last one.
    pub(super) permit: Permit,
    /// The access that it has at its NAS, which is not always what was decided last.
    pub(super) granted: Verdict,
    pub(super) nas: Arc<Nas>,
    /// Address that the NAS asked from.
    pub(super) address: IpAddr,
    pub(super) peer: PeerIdentity,
    /// How its device was established when it got the access that it has.
    pub(super) established: Established,
    /// When it was heard of.
    pub(super) rhythm: Rhythm,
    /// When its Session-Timeout ends it, or has its NAS ask again; `None` if it was given none.
    pub(super) ends: Option<Timestamp>,
}

impl Admission {
    /// Whether it is over, should nobody say so: by silence, or because its time is up. One that is
    /// reported after its time is at a NAS that does not heed it.
    pub(super) fn is_over(&self, now: Timestamp, silence: &Silence) -> bool {
        let heard = self.rhythm.heard();
        let ends = self.ends.filter(|ends| heard < *ends);
        ends.is_some_and(|ends| ends + GRACE <= now) || self.rhythm.is_over(now, silence)
    }
}

/// All peers that are in, by the decision that let them in.
pub struct Admissions {
    /// Of the network alone, so that the mail plane's requests are counted apart.
    live: Arc<Live>,
    point: Arc<DecisionPoint>,
    open: DashMap<Correlation, Admission>,
    /// The newest admission of each peer of each NAS: a peer that comes again has left before.
    newest: DashMap<Same, Correlation>,
    due: Arc<Due>,
    held: Mutex<Held>,
    /// Who is in from before this start and whose user a directory may know.
    spared: Mutex<HashSet<Correlation>>,
    /// One sweep at a time, so that each is weighed by itself.
    sweeping: Mutex<()>,
    capacity: usize,
    places: Places,
    /// How often this has changed, so that what is as it was need not be saved again.
    changes: AtomicU64,
}

impl Admissions {
    /// Nobody is in. At most `capacity` peers are followed; beyond that peers are let in, counted
    /// and cannot be put out, but for their Session-Timeout.
    #[must_use]
    pub fn new(point: Arc<DecisionPoint>, capacity: usize) -> Self {
        Self {
            live: Arc::new(Live::new(Arc::clone(&point))),
            point,
            open: DashMap::new(),
            newest: DashMap::new(),
            due: Arc::default(),
            held: Mutex::default(),
            spared: Mutex::default(),
            sweeping: Mutex::default(),
            capacity,
            places: Places::default(),
            changes: AtomicU64::new(0),
        }
    }

    /// Has `bell` rung whenever somebody has to be put out; the first one stays.
    pub fn ring(&self, bell: Box<dyn Fn() + Send + Sync>) {
        // A second one would be a mistake of the wiring, and the first still rings.
        drop(self.due.bell.set(bell));
    }

    /// How many are in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.taken()
    }

    /// Whether nobody is in.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were let in without a place here.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.places.refused()
    }

    /// A number that is another one when somebody has come, left or got another name since.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub(super) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// All who are in now.
    pub(super) fn numbers(&self) -> Vec<Correlation> {
        self.open.iter().map(|entry| *entry.key()).collect()
    }

    fn has_changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// A peer has been let in. If the verdict has changed meanwhile, it is due at once.
    pub(super) fn admit(
        &self,
        now: Timestamp,
        number: Correlation,
        subject: &Subject<'_>,
        decided: &Decided,
        (nas, address, peer): (&Arc<Nas>, IpAddr, PeerIdentity),
        limit: Option<u32>,
    ) {
        self.put(
            number,
            Admission {
                permit: self.live.hold(now, subject, decided),
                granted: decided.decision.verdict,
                nas: Arc::clone(nas),
                address,
                peer,
                established: decided.seen.established,
                rhythm: Rhythm::begun(now),
                ends: limit.map(|seconds| now + Duration::from_secs(seconds.into())),
            },
        );
    }

    /// Follows somebody, if there is room.
    pub(super) fn put(&self, number: Correlation, admission: Admission) -> bool {
        if let Some(before) = self.newest.insert(self.same(&admission), number)
            && self.is_again(before, &admission)
        {
            self.remove(before);
        }
        if !self.places.take(self.capacity) {
            let peer = self.same(&admission);
            self.newest.remove_if(&peer, |_, newest| *newest == number);
            return false;
        }
        self.open.insert(number, admission);
        self.has_changed();
        self.follow(number);
        true
    }

    /// Has the permit say when it is taken back; if that has happened, it is due at once.
    fn follow(&self, number: Correlation) {
        let waker = Waker::from(Arc::new(Cutter {
            number,
            due: Arc::clone(&self.due),
        }));
        let mut context = Context::from_waker(&waker);
        let polled = self
            .open
            .get_mut(&number)
            .map(|mut admission| Pin::new(&mut admission.permit).poll(&mut context));
        if polled.is_some_and(|polled| polled.is_ready()) {
            waker.wake();
        }
    }

    /// What is decided about somebody now; `None` if that is the access that the peer has, or if it
    /// has left. Its next change is waited for in any case.
    pub(super) fn judged(&self, now: Timestamp, number: Correlation) -> Option<Decided> {
        let mut admission = self.open.get_mut(&number)?;
        let decided = self.decide(now, &admission.permit);
        let permit = admission
            .permit
            .with_subject(|subject| self.live.hold(now, subject, &decided));
        admission.permit = permit;
        let granted = admission.granted;
        drop(admission);
        self.follow(number);
        let is_spared = self.is_spared(number, &decided);
        (decided.decision.verdict != granted && !is_spared).then_some(decided)
    }

    /// Lets somebody stay with what is decided now, whatever that is, until that changes.
    pub(super) fn stays(&self, now: Timestamp, number: Correlation) {
        self.judged(now, number);
    }

    /// Its NAS has given somebody another access: what was decided is what it has now.
    pub(super) fn changed(
        &self,
        now: Timestamp,
        number: Correlation,
        decided: &Decided,
        established: Established,
    ) {
        if let Some(mut admission) = self.open.get_mut(&number) {
            let permit = admission
                .permit
                .with_subject(|subject| self.live.hold(now, subject, decided));
            admission.permit = permit;
            admission.granted = decided.decision.verdict;
            admission.established = established;
            // It may have got another limit with it.
            admission.ends = None;
            self.has_changed();
        }
        self.follow(number);
    }

    fn decide(&self, now: Timestamp, permit: &Permit) -> Decided {
        permit.with_subject(|subject| self.point.decide(now, subject, &mut Trace::default()))
    }

    /// Those whom `sweep` finds, apart from everybody else who is due.
    pub(super) fn gathered(&self, sweep: impl FnOnce(&Live) -> Sweep) -> Vec<Correlation> {
        let _one = self.sweeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.due.lists().gathered = Some(Vec::new());
        sweep(&self.live);
        let gathered = self.due.lists().gathered.take();
        gathered.unwrap_or_default()
    }

    /// They are due.
    pub(super) fn put_out(&self, numbers: Vec<Correlation>) {
        if !numbers.is_empty() {
            self.due.lists().due.extend(numbers);
            self.due.ring();
        }
    }

    /// The certificates with which peers are in.
    pub fn certificates(&self) -> impl Iterator<Item = CertificateId> {
        self.live.certificates()
    }

    /// Those whom the brake holds.
    pub(super) fn brake(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The NAS calls the session so (RFC 2866 section 5.5), and it goes on.
    pub(super) fn named(&self, now: Timestamp, number: Correlation, session: &[u8]) {
        if let Some(mut admission) = self.open.get_mut(&number) {
            let before = admission.rhythm;
            admission.rhythm.beats(now);
            let kind = AttributeType::ACCT_SESSION_ID;
            if admission.peer.find(kind) != Some(session) {
                admission.peer.set(kind, session);
                self.has_changed();
            }
            // That it goes on is worth writing down once an hour.
            if now.since(before.heard()) >= HOUR || before.interval() != admission.rhythm.interval()
            {
                self.has_changed();
            }
        }
    }

    /// The peer has left, or was put out.
    pub(super) fn remove(&self, number: Correlation) -> Option<Admission> {
        let (_, admission) = self.open.remove(&number)?;
        self.places.free();
        self.spared().remove(&number);
        self.has_changed();
        let peer = self.same(&admission);
        self.newest.remove_if(&peer, |_, newest| *newest == number);
        Some(admission)
    }

    /// A NAS has begun anew: nobody is in there. Behind an address there may be several, with a proxy
    /// or an address translator in front: the sessions of others go on.
    pub(super) fn close_all_of(&self, address: IpAddr, nas: &Nas, request: &AccountingRequest<'_>) {
        self.remove_where(|admission| {
            let same = NAMES_A_NAS.into_iter().all(|kind| {
                let (own, said) = (admission.peer.find(kind), request.find(kind));
                own.is_none() || said.is_none() || own == said
            });
            same && admission.address == address && admission.nas.name() == nas.name()
        });
    }

    /// Forgets those who are over by their time or their silence. To be called once in a while.
    pub fn expire(&self, now: Timestamp, silence: &Silence) {
        self.remove_where(|admission| admission.is_over(now, silence));
    }

    fn remove_where(&self, leaves: impl Fn(&Admission) -> bool) {
        let leaving: Vec<Correlation> = self
            .open
            .iter()
            .filter(|entry| leaves(entry.value()))
            .map(|entry| *entry.key())
            .collect();
        for number in leaving {
            drop(self.remove(number));
        }
    }

    /// Those who have to be put out; each is asked for once.
    pub(super) fn take_due(&self) -> Vec<Correlation> {
        std::mem::take(&mut self.due.lists().due)
    }

    /// Whether a peer is in still.
    pub(super) fn is_in(&self, number: Correlation) -> bool {
        self.open.contains_key(&number)
    }

    /// Looks at one who is in.
    pub(super) fn with<T>(
        &self,
        number: Correlation,
        ask: impl FnOnce(&Admission) -> T,
    ) -> Option<T> {
        self.open.get(&number).map(|admission| ask(&admission))
    }
}

impl Server {
    /// A peer has been let in; where it can be put out again, it is followed. `named` is the user
    /// whom the Access-Accept names, as the NAS does from then on.
    pub(super) fn admitted(
        &self,
        now: Now,
        asked: &Asked<'_>,
        id: Correlation,
        subject: &Subject<'_>,
        decided: &Decided,
        named: Option<&str>,
    ) {
        if let (Some(peer), Verdict::Allow | Verdict::Quarantine) =
            (&asked.peer, decided.decision.verdict)
        {
            let mut peer = PeerIdentity::clone(peer);
            if let Some(name) = named {
                peer.set(AttributeType::USER_NAME, name.as_bytes());
            }
            let peer = (asked.nas, asked.from.ip(), peer);
            let settings = self.shared.settings.load();
            let limit = settings.enforcement.limit(asked.nas, decided, now.wall);
            let admissions = &self.shared.admissions;
            admissions.admit(now.wall, id, subject, decided, peer, limit);
        }
    }
}

/// How many there are, and not whose.
impl fmt::Debug for Admissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admissions")
            .field("open", &self.len())
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// By what one NAS is told from another behind the same address.
const NAMES_A_NAS: [AttributeType; 3] = [
    AttributeType::NAS_IP_ADDRESS,
    AttributeType::NAS_IPV6_ADDRESS,
    AttributeType::NAS_IDENTIFIER,
];

/// How long one is followed whose time is up: a NAS that asks again is slow at times, and who is
/// forgotten while in cannot be put out.
const GRACE: Duration = HOUR;

const HOUR: Duration = Duration::from_hours(1);
