//! Which decisions are worth a row.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::hash::Hash;
use std::hash::Hasher;

use crate::access::DecisionRecord;
use crate::access::Outcome;
use crate::model::Timestamp;
use crate::model::Verdict;

/// What is to be done with a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// It gets a row, which says how many like the row before have none.
    Row {
        /// Of the same subject, since its row before.
        alike: u32,
    },
    /// It is like the last row of its subject, which is young.
    Alike,
    /// It would get one, were there not too many.
    TooMany,
}

/// Remembers the last row of each subject. A table of fixed size in which a subject has [`WAYS`]
/// places to choose from: too many that share them cost each other rows, never memory.
#[derive(Debug)]
pub(super) struct Chosen {
    hasher: RandomState,
    places: Box<[[Place; WAYS]]>,
    budget: Budget,
}

/// The last row of a subject.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    subject: u64,
    outcome: u64,
    /// Milliseconds since the Unix epoch.
    at: i64,
    alike: u32,
}

impl Chosen {
    pub(super) fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            places: vec![[Place::default(); WAYS]; PLACES / WAYS].into_boxed_slice(),
            budget: Budget::default(),
        }
    }

    pub(super) fn choose(&mut self, record: &DecisionRecord) -> Choice {
        let at = record.seen.at.unix_millis();
        let subject = self.subject(record);
        let outcome = self.outcome(record);
        let is_let_in = is_let_in(record);
        let Some(place) = place_of(&mut self.places, subject) else {
            return Choice::TooMany;
        };
        let is_same = place.subject == subject;
        let quiet = if is_let_in { HOUR } else { MINUTE };
        // A clock that was set back makes a row old, not young for ever.
        let is_young = (place.at..place.at.saturating_add(quiet)).contains(&at);
        if is_same && place.outcome == outcome && is_young {
            place.alike = place.alike.saturating_add(1);
            return Choice::Alike;
        }
        if !self.budget.take(record.seen.at, is_let_in) {
            return Choice::TooMany;
        }
        let alike = if is_same { place.alike } else { 0 };
        *place = Place {
            subject,
            outcome,
            at,
            alike: 0,
        };
        Choice::Row { alike }
    }

    /// Device and user at a door; what was presented where there is no device.
    fn subject(&self, record: &DecisionRecord) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        record.seen.plane.hash(&mut hasher);
        match record.seen.posture() {
            Some(posture) => posture.device.hash(&mut hasher),
            None => {
                // No other one for another spelling of a DeviceId.
                for octet in record.presented.as_str().bytes() {
                    hasher.write_u8(octet.to_ascii_lowercase());
                }
                hasher.write_u8(0xFF);
                record.station.hash(&mut hasher);
            }
        }
        record.user.as_str().hash(&mut hasher);
        hasher.finish()
    }

    fn outcome(&self, record: &DecisionRecord) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        match &record.outcome {
            Outcome::Decided(decision) => {
                decision.verdict.as_str().hash(&mut hasher);
                decision.reason.code().hash(&mut hasher);
                // A rule that is only tried out is there to be found in its first hour.
                if let Some(rehearsed) = &decision.rehearsed {
                    rehearsed.verdict.as_str().hash(&mut hasher);
                    rehearsed.reason.code().hash(&mut hasher);
                    rehearsed.policy.hash(&mut hasher);
                }
            }
            Outcome::NotAuthenticated(why) => why.as_str().hash(&mut hasher),
        }
        // What a NAS has answered is worth a row although the decision is the one before.
        let method = record.method.as_str();
        if ASKED.iter().any(|asked| method.starts_with(asked)) {
            method.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// The place of a subject; for a new one that whose row is the oldest.
fn place_of(places: &mut [[Place; WAYS]], subject: u64) -> Option<&mut Place> {
    let sets = places.len().max(1) as u64;
    let set = usize::try_from(subject % sets).unwrap_or(0);
    let set = places.get_mut(set)?;
    match set.iter().position(|place| place.subject == subject) {
        Some(known) => set.get_mut(known),
        None => set.iter_mut().min_by_key(|place| place.at),
    }
}

fn is_let_in(record: &DecisionRecord) -> bool {
    matches!(&record.outcome, Outcome::Decided(decision) if decision.verdict == Verdict::Allow)
}

/// How the methods of records begin that tell what a NAS was asked.
const ASKED: [&str; 2] = ["disconnect ", "coa "];

/// Rows that may be written, in thousandths: [`RATE`] more each second up to [`BURST`]. Those
/// that were let in leave half of it to the others.
#[derive(Debug)]
struct Budget {
    millis: i64,
    at: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            millis: BURST * 1000,
            at: 0,
        }
    }
}

impl Budget {
    fn take(&mut self, at: Timestamp, is_let_in: bool) -> bool {
        let at = at.unix_millis();
        let earned = at.saturating_sub(self.at).max(0).saturating_mul(RATE);
        self.millis = self.millis.saturating_add(earned).min(BURST * 1000);
        self.at = at;
        let floor = if is_let_in { BURST * 500 } else { 0 };
        let has = self.millis >= floor + 1000;
        if has {
            self.millis -= 1000;
        }
        has
    }
}

/// Subjects remembered: 2 MB.
const PLACES: usize = 1 << 16;

/// Places that a subject can have. With one each, every seventh of ten thousand subjects would share
/// its place with another, and have a row for each request; hardly ever do nine share eight.
const WAYS: usize = 8;

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;

/// Rows a second on the long run: some 4 ms of processor time.
const RATE: i64 = 200;

/// Rows at once: an office that comes in the morning.
const BURST: i64 = 10_000;
