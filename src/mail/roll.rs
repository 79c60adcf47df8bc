//! The roll: what the gateway remembers of each user's device, over a restart too.
//!
//! A device stands here because it was given made-up folders, because it is or was kept out, or,
//! where changes are waited for or told by mail ([`Care`]), because it was let in and may not be
//! tomorrow. Of others nothing is kept, and their requests do not come here.
//!
//! What is remembered decides nothing by itself: a wait begins only where the policy let the device
//! in before, and a roll that is lost costs a wait, a mail or a message, and lets nobody in.
//!
//! All of it is saved now and then; what a client is told to rely on is written before it is answered
//! (`roll/notes.rs`).

use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::access::DecisionPoint;
use crate::access::OwnedSubject;
use crate::access::Trace;
use crate::eas;
use crate::message::Language;
use crate::model::EasDeviceId;
use crate::model::Generation;
use crate::model::Reason;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;

use super::credential::Hasher;
use super::credential::Key;
use super::link::Signer;
use super::who::Who;

mod entry;
mod holds;
mod kept;
mod notes;
mod place;
mod post;

pub use entry::Care;
pub use entry::Mail;
pub use entry::MailState;
pub use entry::Phase;
pub use kept::Restored;
pub use post::Post;
pub use post::PostCounts;
pub use post::Posted;

pub(super) use entry::Itself;

use entry::Entry;
use entry::Judgement;
use place::Places;
use post::Throttle;

/// The roll; shared by all connections.
pub(super) struct Roll {
    secret: [u8; 32],
    hasher: Hasher,
    pub(super) signer: Signer,
    table: Mutex<Table>,
    /// Devices that hold something of the made-up mailbox: mostly none, and then no request takes the
    /// lock for them.
    made_up: AtomicUsize,
    /// Devices that are waiting or held; the same for those that are let in.
    kept_out: AtomicUsize,
    changes: AtomicU64,
    /// Whether there is something to be written at once: mostly not, and then nobody takes the lock.
    has_notes: AtomicBool,
    untracked: AtomicU64,
    /// Devices that made place for another of their user.
    displaced: AtomicU64,
}

#[derive(Default)]
struct Table {
    entries: HashMap<Key, Entry>,
    places: Places,
    /// Mails to be sent, each with the time before which it is not tried.
    queue: VecDeque<(Timestamp, Key)>,
    throttle: Throttle,
    /// No mail leaves before then.
    held_until: Option<Timestamp>,
    /// What the last look at all of them was made with, and when.
    judged: Option<(Generation, Timestamp)>,
    /// Devices of which something is to be written at once.
    noted: HashSet<Key>,
    /// Counts what was to be written at once; a snapshot says how far it goes.
    sequence: u64,
}

/// What is known of a device that is on the roll, for people.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The user.
    pub user: String,
    /// The DeviceId.
    pub device: EasDeviceId,
    /// The same as the device spells it.
    pub spelled: String,
    /// What kind of device.
    pub device_type: String,
    /// Where it is between being let in and being kept out.
    pub phase: Phase,
    /// The last verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// When the phase began.
    pub since: Timestamp,
    /// When its last request came.
    pub seen: Timestamp,
    /// Whether it holds made-up folders.
    pub made_up: bool,
    /// Whether it has shown in quarantine that it has real folders, where no message comes.
    pub real: bool,
    /// What its user has been told.
    pub mail: Option<Mail>,
}

/// A request of a device, as the roll sees it.
pub(super) struct Contact<'a> {
    pub(super) request: &'a eas::Request,
    pub(super) who: &'a Who,
    pub(super) subject: &'a Subject<'a>,
    pub(super) wanted: Option<Language>,
    pub(super) before: Before,
}

/// What a device had before a request of it that the roll does not know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Before {
    /// Nothing, as far as is known.
    Nothing,
    /// The mail server has answered it.
    Served,
    /// This very request was let in, and is ended by a change.
    LetIn,
}

impl Roll {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self {
            hasher: Hasher::new(&secret),
            signer: Signer::new(&secret),
            secret,
            table: Mutex::default(),
            made_up: AtomicUsize::new(0),
            kept_out: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
            has_notes: AtomicBool::new(false),
            untracked: AtomicU64::new(0),
            displaced: AtomicU64::new(0),
        }
    }

    pub(super) fn key(&self, user: &str, device: EasDeviceId) -> Key {
        self.hasher
            .key(&[device.as_str().as_bytes(), user.as_bytes()])
    }

    fn key_of(&self, who: &Who, request: &eas::Request) -> Key {
        self.key(&who.login.user, request.device)
    }

    /// Whether a request with this verdict has to be told to the roll.
    pub(super) fn wants(&self, verdict: Verdict, care: &Care) -> bool {
        verdict != Verdict::Allow || care.is_on() || self.kept_out.load(Ordering::Relaxed) > 0
    }

    /// A request has been judged. Gives the time until which it is let in all the same, if it is.
    pub(super) fn contact(
        &self,
        now: Timestamp,
        contact: &Contact<'_>,
        (verdict, reason): (Verdict, Reason),
        care: &Care,
    ) -> Option<Timestamp> {
        let key = self.key_of(contact.who, contact.request);
        let judged = Judgement {
            now,
            verdict,
            reason,
            is_contact: true,
        };
        let mut table = self.lock();
        let table = &mut *table;
        let is_new = !table.entries.contains_key(&key);
        if is_new {
            if verdict == Verdict::Allow && !care.is_on() {
                return None;
            }
            let user_key = self.user_key(&contact.who.login.user);
            if !self.has_place(table, now, user_key) {
                self.untracked.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            let (user, device) = (&contact.who.login.user, contact.request.device);
            let device_type = &contact.request.device_type;
            let first = match contact.before {
                Before::LetIn => Judgement {
                    verdict: Verdict::Allow,
                    ..judged
                },
                Before::Nothing | Before::Served => judged,
            };
            let mut entry = Entry::new(user, device, device_type, first);
            if contact.before == Before::Served {
                entry.miss(judged, care);
            }
            table.enqueue(key, &entry);
            table.entries.insert(key, entry);
            table.places.add(user_key, key);
            self.count(&table.entries, Phase::Allowed, key);
        }
        let entry = table.entries.get_mut(&key)?;
        let before = entry.phase;
        let is_news = entry.judge(judged, care);
        let spelled = contact.request.spelled();
        if *entry.spelled != *spelled {
            entry.spelled = spelled.into();
        }
        if contact.wanted.is_some() {
            entry.wanted.clone_from(&contact.wanted);
        }
        // The subject says what the next one is judged by; it is made once for each phase.
        if care.is_on() && (entry.subject.is_none() || is_news) {
            entry.subject = Some(OwnedSubject::from(contact.subject));
        }
        let phase = entry.phase;
        let is_plain = entry.is_plain();
        if is_news {
            let entry = entry.clone();
            table.enqueue(key, &entry);
            self.count(&table.entries, before, key);
        }
        // That it was let in is noted too: whether it may wait later hangs on that.
        if is_news || is_new {
            self.note(table, key);
        }
        if is_plain && !care.is_on() {
            self.remove(table, key);
        }
        match phase {
            Phase::Waiting(until) => Some(until),
            Phase::Allowed | Phase::Held => None,
        }
    }

    /// Judges every device that can be judged without a request, if anything has changed since the
    /// last time. Gives how many changed their phase.
    pub(super) fn judge_all(&self, now: Timestamp, point: &DecisionPoint, care: &Care) -> usize {
        if !care.is_on() {
            return 0;
        }
        let generation = point.generation();
        let keys: Vec<Key> = {
            let mut table = self.lock();
            // Facts grow old without a change, so now and then all the same.
            let is_recent = |(last, at): (Generation, Timestamp)| {
                last == generation && now.since(at) < JUDGED_AGAIN
            };
            let all = !table.judged.is_some_and(is_recent);
            if all {
                table.judged = Some((generation, now));
            }
            let is_due = |entry: &Entry| match entry.phase {
                Phase::Waiting(until) => until <= now,
                Phase::Allowed | Phase::Held => false,
            };
            let chosen = table
                .entries
                .iter()
                .filter(|(_, entry)| all || is_due(entry));
            chosen.map(|(key, _)| *key).collect()
        };
        let mut trace = Trace::default();
        let mut changed = 0;
        for key in keys {
            // Not under the lock: requests wait for it.
            let subject = self
                .lock()
                .entries
                .get(&key)
                .and_then(|one| one.subject.clone());
            let Some(subject) = subject else { continue };
            let decided = subject.with(|subject| point.decide(now, subject, &mut trace));
            let reason = decided.decision.lasting();
            // It was last seen with a command that is refused now; that says nothing of the device.
            if reason.is_of_one_command() {
                continue;
            }
            let judged = Judgement {
                now,
                verdict: decided.decision.verdict,
                reason,
                is_contact: false,
            };
            let mut table = self.lock();
            let Some(entry) = table.entries.get_mut(&key) else {
                continue;
            };
            let before = entry.phase;
            if entry.judge(judged, care) {
                changed += 1;
                let entry = entry.clone();
                table.enqueue(key, &entry);
                self.count(&table.entries, before, key);
                self.note(&mut table, key);
            }
        }
        changed
    }

    /// Keeps what a device has told of itself.
    pub(super) fn tell(&self, who: &Who, request: &eas::Request, told: Itself) {
        let key = self.key_of(who, request);
        if let Some(entry) = self.lock().entries.get_mut(&key)
            && entry.itself != told
        {
            entry.itself = told;
            self.changed();
        }
    }

    /// What a device has told of itself, its language first among those that are wanted.
    pub(super) fn itself(&self, user: &str, device: EasDeviceId) -> (Itself, Option<Language>) {
        let key = self.key(user, device);
        let table = self.lock();
        let entry = table.entries.get(&key);
        entry
            .map(|entry| (entry.itself.clone(), entry.wanted.clone()))
            .unwrap_or_default()
    }

    /// The subject that a device was last judged as.
    pub(super) fn subject(&self, key: Key) -> Option<OwnedSubject> {
        self.lock().entries.get(&key)?.subject.clone()
    }

    /// Until when a device is let in that does not meet the rules.
    pub(super) fn waits_until(&self, key: Key, now: Timestamp) -> Option<Timestamp> {
        match self.lock().entries.get(&key)?.phase {
            Phase::Waiting(until) if until > now => Some(until),
            Phase::Waiting(_) | Phase::Allowed | Phase::Held => None,
        }
    }

    /// Every user's device with this DeviceId, in the order of users.
    pub(super) fn standings(&self, device: EasDeviceId) -> Vec<Standing> {
        let table = self.lock();
        let found = table
            .entries
            .values()
            .filter(|entry| entry.device == device);
        let mut found: Vec<Standing> = found.map(Standing::of).collect();
        found.sort_by(|one, other| one.user.cmp(&other.user));
        found
    }

    /// How many requests of devices found no place, and how many devices made place for another of their
    /// user.
    pub(super) fn crowding(&self) -> (u64, u64) {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (count(&self.untracked), count(&self.displaced))
    }

    /// How many devices are let in, waiting and held, and how many found no place.
    pub(super) fn counts(&self) -> ([usize; 3], u64) {
        let mut counts = [0; 3];
        for entry in self.lock().entries.values() {
            let [allowed, waiting, held] = &mut counts;
            *match entry.phase {
                Phase::Allowed => allowed,
                Phase::Waiting(_) => waiting,
                Phase::Held => held,
            } += 1;
        }
        (counts, self.untracked.load(Ordering::Relaxed))
    }

    /// Counts what has to be saved.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Keeps [`Self::kept_out`] right after a phase has changed.
    fn count(&self, entries: &HashMap<Key, Entry>, before: Phase, key: Key) {
        let now = entries
            .get(&key)
            .map_or(Phase::Allowed, |entry| entry.phase);
        match (before == Phase::Allowed, now == Phase::Allowed) {
            (true, false) => drop(self.kept_out.fetch_add(1, Ordering::Relaxed)),
            (false, true) => drop(self.kept_out.fetch_sub(1, Ordering::Relaxed)),
            (true, true) | (false, false) => {}
        }
        self.changed();
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn enqueue(&mut self, key: Key, entry: &Entry) {
        if let Some(Mail {
            state: MailState::Pending(at, _),
            ..
        }) = &entry.mail
        {
            self.queue.push_back((*at, key));
        }
    }
}

impl Standing {
    fn of(entry: &Entry) -> Self {
        Self {
            user: entry.user.to_string(),
            device: entry.device,
            spelled: entry.spelled.to_string(),
            device_type: entry.device_type.to_string(),
            phase: entry.phase,
            verdict: entry.verdict,
            reason: entry.reason,
            since: entry.since,
            seen: entry.seen,
            made_up: entry.holds.folders,
            real: entry.real,
            mail: entry.mail.clone(),
        }
    }
}

/// Devices that are remembered: about 60 MB of them with their subjects. The largest site we know of
/// has half as many mail devices on one gateway.
const MAX_ENTRIES: usize = 131_072;

/// How long a look at all devices counts when nothing changes.
const JUDGED_AGAIN: std::time::Duration = std::time::Duration::from_mins(1);

/// A device that is let in and was not seen for so long makes place for another.
const UNSEEN: std::time::Duration = std::time::Duration::from_hours(7 * 24);
