//! What the upstream has said of credentials, remembered for a while.
//!
//! Nothing is kept of a password but a keyed hash with a key that dies with the process. Everything
//! here is bounded in number and in time.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash;
use std::hash::BuildHasherDefault;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use http::HeaderMap;

use crate::model::Monotonic;

use super::route::UpstreamId;

mod failures;
mod proven;

use failures::Failures;
use failures::Tally;
use proven::Proven;

/// A keyed hash: of a credential, of a user's name, of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; 16]);

/// Half of it stands for all in a table: nobody can choose two keys that fall together.
impl Hash for Key {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        state.write_u64(u64::from_le_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// What is kept under [`Key`]s, which need not be hashed a second time.
type ByKey<V> = HashMap<Key, V, BuildHasherDefault<Plain>>;

/// The number that it is given.
#[derive(Default)]
struct Plain(u64);

impl hash::Hasher for Plain {
    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.0 = self.0.rotate_left(8) ^ u64::from(*octet);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Makes [`Key`]s; the secret is random and lives as long as the process.
pub(super) struct Hasher(hmac::Key);

impl Hasher {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, seed))
    }

    /// A secret for what outlives the process: it says nothing of this one.
    pub(super) fn secret(&self) -> [u8; 32] {
        let tag = hmac::sign(&self.0, b"what is kept over a restart");
        let mut secret = [0; 32];
        for (octet, from) in secret.iter_mut().zip(tag.as_ref()) {
            *octet = *from;
        }
        secret
    }

    /// Hashes `parts`, each with its length before it, so that no two lists of parts are one text.
    pub(super) fn key(&self, parts: &[&[u8]]) -> Key {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            context.update(&length.to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        let mut key = [0; 16];
        for (octet, from) in key.iter_mut().zip(tag.as_ref()) {
            *octet = *from;
        }
        Key(key)
    }
}

/// How long and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How long an accepted credential is not asked about again. 10 minutes by default. Requests
    /// that are let through carry their credential to the upstream all the same.
    pub accepted: Duration,
    /// How long a refused credential is refused without asking, the first time: long enough for a
    /// phone that tries thrice in a row, short enough for a user who has just changed the password
    /// to this one. 5 seconds by default.
    ///
    /// Each further refusal doubles it up to [`Memory::refused_most`]; a credential that was not
    /// tried for a [`Memory::failure_window`] begins anew.
    pub refused: Duration,
    /// The longest that a credential is refused without asking, and so the longest that a password
    /// which was refused again and again stays refused after it has become the right one: phones
    /// repeat an old password many times a minute, and each would count towards a lock-out. One
    /// minute by default.
    pub refused_most: Duration,
    /// How many credentials are remembered; beyond it the oldest is forgotten and asked about
    /// again. 200,000 by default, about 20 megabytes.
    pub credentials: usize,
    /// Refusals of a user, from anywhere and in any spelling, before new credentials for the user
    /// have to wait. A device of the user that has signed in before, an address that the user has
    /// signed in from, and a credential that was accepted before have a count of their own of so many:
    /// whoever guesses elsewhere does not keep them out.
    pub user_failures: u32,
    /// Refusals from an address (an IPv6 address counts as its /64), whatever the user, before new
    /// credentials from there have to wait; many phones may share one address. Those of a device
    /// that has signed in before are not among them.
    pub address_failures: u32,
    /// Refusals of a user's credentials that were refused before. They are counted apart: the phone
    /// with the old password does not keep its owner out who has typed the new one elsewhere, and
    /// yet the upstream is not asked about it without end.
    pub user_repeats: u32,
    /// The same for an address.
    pub address_repeats: u32,
    /// The time in which refusals are counted.
    pub failure_window: Duration,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            accepted: Duration::from_mins(10),
            refused: Duration::from_secs(5),
            refused_most: Duration::from_mins(1),
            credentials: 200_000,
            user_failures: 10,
            address_failures: 100,
            user_repeats: 30,
            address_repeats: 300,
            failure_window: Duration::from_mins(10),
        }
    }
}

/// What the upstream answered our OPTIONS: its versions and commands, given to clients that ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer(pub(super) HeaderMap);

/// What is known of a credential.
#[derive(Clone, Debug)]
pub(super) enum Standing {
    /// The upstream has accepted it.
    Accepted(Arc<Offer>),
    /// The upstream has refused it a moment ago.
    Refused,
    /// It has to be asked about.
    Unknown,
}

/// The keys of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) credential: Key,
    pub(super) user: Key,
    pub(super) address: Key,
    /// The user at the address.
    pub(super) place: Key,
    /// The user's device, if it has signed in before.
    pub(super) device: Option<Key>,
    /// Where it is counted for now.
    pub(super) counted: Option<Counted>,
}

/// Where an attempt is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    class: Class,
    source: Source,
    /// [`Credentials::era`] when the question was asked.
    era: u64,
}

/// What an attempt is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// A credential that was not refused before.
    New,
    /// One that was.
    Again,
}

/// Whose count it is: whoever has proved itself has a count of its own, which others do not fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A credential that was accepted before, or a device that has signed in before.
    Proven(Key),
    /// The user at an address from which it has signed in. Others behind that address may guess.
    Place(Key),
    /// Anybody.
    Anybody,
}

/// Why the upstream is not asked about a credential now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Throttle {
    pub(super) excess: Excess,
    /// How long to wait before trying again.
    pub(super) wait: Duration,
    /// Nobody was told so before in this window: worth a record.
    pub(super) first: bool,
}

/// What there is too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// Refusals of the user.
    User,
    /// Refusals from the address.
    Address,
    /// Questions without an answer yet.
    AtOnce,
}

impl Excess {
    /// For the record.
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::User => "throttled: too many wrong passwords of this user",
            Self::Address => "throttled: too many wrong passwords from this address",
            Self::AtOnce => "throttled: too many sign-ins at once",
        }
    }
}

/// The memory itself.
pub(super) struct Credentials {
    memory: Memory,
    known: ByKey<Known>,
    /// Keys in the order in which they were learned. A key that was learned again stands here
    /// twice; the older entry no longer matches its number.
    order: VecDeque<(Key, u64)>,
    next: u64,
    new: Tally,
    again: Tally,
    proven: Proven,
    /// How often the upstreams' word has lost its worth.
    era: u64,
    /// Until when each upstream is known to refuse a request without credentials.
    challenges: HashMap<UpstreamId, Monotonic>,
    /// The last offer; most upstreams make one offer to everybody, which is then kept once.
    last_offer: Option<Arc<Offer>>,
}

struct Known {
    number: u64,
    until: Monotonic,
    word: Word,
}

/// The upstream's word on a credential.
enum Word {
    Accepted(Arc<Offer>),
    /// So many times without a pause.
    Refused(u32),
}

impl Credentials {
    pub(super) fn new(memory: Memory) -> Self {
        let tally = |user, address| Tally {
            users: Failures::new(Excess::User, user, memory.failure_window),
            addresses: Failures::new(Excess::Address, address, memory.failure_window),
            own: Failures::new(Excess::User, user, memory.failure_window),
            queues: Failures::new(Excess::Address, address, memory.failure_window),
        };
        Self {
            memory,
            known: ByKey::default(),
            order: VecDeque::new(),
            next: 0,
            new: tally(memory.user_failures, memory.address_failures),
            again: tally(memory.user_repeats, memory.address_repeats),
            proven: Proven::default(),
            era: 0,
            challenges: HashMap::new(),
            last_offer: None,
        }
    }

    pub(super) fn standing(&self, now: Monotonic, credential: Key) -> Standing {
        match self.known.get(&credential) {
            Some(known) if now < known.until => match &known.word {
                Word::Accepted(offer) => Standing::Accepted(Arc::clone(offer)),
                Word::Refused(_) => Standing::Refused,
            },
            Some(_) | None => Standing::Unknown,
        }
    }

    /// Whether the upstream may be asked about a credential now; the attempt counts like a refusal
    /// until the answer is there, so that many at once cannot slip under the limit.
    ///
    /// # Errors
    ///
    /// When it has to wait.
    pub(super) fn begin(&mut self, now: Monotonic, attempt: &mut Attempt) -> Result<(), Throttle> {
        attempt.counted = None;
        let known = self.known.get(&attempt.credential);
        let class = match known.map(|known| &known.word) {
            Some(Word::Refused(_)) => Class::Again,
            Some(Word::Accepted(_)) | None => Class::New,
        };
        let source = self.source(now, attempt);
        let era = self.era;
        let counted = Counted { class, source, era };
        let [(users, user), (addresses, address)] = self.counts(attempt, counted);
        let throttles = [users.throttle(now, user), addresses.throttle(now, address)];
        let throttles = throttles.into_iter().flatten();
        if let Some(throttle) = throttles.max_by_key(|throttle| throttle.wait) {
            return Err(throttle);
        }
        users.begin(now, user);
        addresses.begin(now, address);
        attempt.counted = Some(counted);
        Ok(())
    }

    /// Whose count an attempt goes into.
    fn source(&mut self, now: Monotonic, attempt: &Attempt) -> Source {
        let (user, credential) = (attempt.user, attempt.credential);
        if self.proven.has_credential(now, user, credential) {
            Source::Proven(credential)
        } else if let Some(device) = attempt.device {
            Source::Proven(device)
        } else if self.proven.has_place(now, user, attempt.place) {
            Source::Place(attempt.place)
        } else {
            Source::Anybody
        }
    }

    /// The upstream accepts it; it is believed for no longer than `most`, and for this request only if it was
    /// asked before its word [lost its worth](Self::distrust).
    pub(super) fn accept(
        &mut self,
        now: Monotonic,
        attempt: &Attempt,
        offer: Offer,
        most: Duration,
    ) -> Arc<Offer> {
        self.release(attempt);
        let offer = match &self.last_offer {
            Some(last) if **last == offer => Arc::clone(last),
            Some(_) | None => Arc::new(offer),
        };
        self.last_offer = Some(Arc::clone(&offer));
        if attempt.counted.is_some_and(|asked| asked.era != self.era) {
            return offer;
        }
        let (user, credential) = (attempt.user, attempt.credential);
        self.proven.learn(now, user, credential, attempt.place);
        let until = now + self.memory.accepted.min(most);
        self.learn(
            attempt.credential,
            until,
            Word::Accepted(Arc::clone(&offer)),
        );
        offer
    }

    pub(super) fn refuse(&mut self, now: Monotonic, attempt: &Attempt) {
        if let Some(counted) = attempt.counted {
            let [(users, user), (addresses, address)] = self.counts(attempt, counted);
            users.refuse(user);
            match counted.source {
                Source::Proven(_) => addresses.release(address),
                Source::Place(_) | Source::Anybody => addresses.refuse(address),
            }
        }
        self.proven
            .forget_credential(attempt.user, attempt.credential);
        let before = match self.known.get(&attempt.credential) {
            Some(Known {
                until,
                word: Word::Refused(times),
                ..
            }) if now < *until + self.memory.failure_window => *times,
            Some(_) | None => 0,
        };
        let doubled = 2_u32.saturating_pow(before);
        let pause = self.memory.refused.saturating_mul(doubled);
        let until = now + pause.min(self.memory.refused_most);
        let word = Word::Refused(before.saturating_add(1));
        self.learn(attempt.credential, until, word);
    }

    /// The upstream could not be asked: the attempt was no failure.
    pub(super) fn release(&mut self, attempt: &Attempt) {
        if let Some(counted) = attempt.counted {
            for (failures, key) in self.counts(attempt, counted) {
                failures.release(key);
            }
        }
    }

    /// The upstream no longer accepts it.
    pub(super) fn forget(&mut self, credential: Key) {
        self.known.remove(&credential);
    }

    /// Whether the upstream has to be asked first whether it asks for credentials at all.
    pub(super) fn wants_challenge(&self, now: Monotonic, at: UpstreamId) -> bool {
        self.challenges.get(&at).is_none_or(|until| *until <= now)
    }

    /// The upstream takes anybody, so that its word was worth nothing for as long as nobody noticed; or another
    /// one has taken its place.
    pub(super) fn distrust(&mut self) {
        self.era = self.era.wrapping_add(1);
        self.challenges.clear();
        self.proven.clear();
        self.known.clear();
        self.order.clear();
    }

    pub(super) fn challenged(&mut self, now: Monotonic, at: UpstreamId) {
        self.challenges.insert(at, now + CHALLENGE_HOLDS);
    }

    /// The user's count and the address's that an attempt goes into.
    fn counts(&mut self, attempt: &Attempt, counted: Counted) -> [(&mut Failures, Key); 2] {
        let tally = match counted.class {
            Class::New => &mut self.new,
            Class::Again => &mut self.again,
        };
        let address = attempt.address;
        match counted.source {
            Source::Proven(key) => [(&mut tally.own, key), (&mut tally.queues, address)],
            Source::Place(key) => [(&mut tally.own, key), (&mut tally.addresses, address)],
            Source::Anybody => [
                (&mut tally.users, attempt.user),
                (&mut tally.addresses, address),
            ],
        }
    }

    fn learn(&mut self, key: Key, until: Monotonic, word: Word) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let known = Known {
            number,
            until,
            word,
        };
        self.known.insert(key, known);
        self.order.push_back((key, number));
        let limit = self.memory.credentials.max(1);
        // The queue may hold superseded entries besides; twice the limit bounds both.
        while self.known.len() > limit || self.order.len() > limit.saturating_mul(2) {
            let Some((oldest, number)) = self.order.pop_front() else {
                break;
            };
            if self
                .known
                .get(&oldest)
                .is_some_and(|known| known.number == number)
            {
                self.known.remove(&oldest);
            }
        }
    }
}

/// How long the upstream is believed to refuse requests without credentials before it is asked
/// again: its configuration changes rarely, and a minute bounds the harm of one that has.
const CHALLENGE_HOLDS: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests;
