//! What the upstream has said of credentials, remembered for a while.
//!
//! Nothing is kept of a password but a keyed hash with a key that dies with the process. Everything
//! here is bounded in number and in time.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use http::HeaderMap;

use crate::model::Monotonic;

/// A keyed hash: of a credential, of a user's name, of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 16]);

/// Makes [`Key`]s; the secret is random and lives as long as the process.
pub(super) struct Hasher(hmac::Key);

impl Hasher {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, seed))
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
    /// How long the same refused credential is refused without asking: phones repeat an old
    /// password many times a minute, and each would count towards a lock-out. One minute by
    /// default.
    pub refused: Duration,
    /// How many credentials are remembered; beyond it the oldest is forgotten and asked about
    /// again. 200,000 by default, about 20 megabytes.
    pub credentials: usize,
    /// Refusals of a user, from anywhere, before new credentials for the user have to wait.
    pub user_failures: u32,
    /// Refusals from an address (an IPv6 address counts as its /64), whatever the user, before new
    /// credentials from there have to wait; many phones may share one address.
    pub address_failures: u32,
    /// The time in which those refusals are counted.
    pub failure_window: Duration,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            accepted: Duration::from_mins(10),
            refused: Duration::from_mins(1),
            credentials: 200_000,
            user_failures: 10,
            address_failures: 100,
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

/// The three keys of one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) credential: Key,
    pub(super) user: Key,
    pub(super) address: Key,
    /// Whether it stands among the failures for now.
    pub(super) counted: bool,
}

/// The memory itself.
pub(super) struct Credentials {
    memory: Memory,
    known: HashMap<Key, Known>,
    /// Keys in the order in which they were learned. A key that was learned again stands here
    /// twice; the older entry no longer matches its number.
    order: VecDeque<(Key, u64)>,
    next: u64,
    users: Failures,
    addresses: Failures,
    /// Until when the upstream is known to refuse a request without credentials.
    challenges: Option<Monotonic>,
    /// The last offer; most upstreams make one offer to everybody, which is then kept once.
    last_offer: Option<Arc<Offer>>,
}

struct Known {
    number: u64,
    until: Monotonic,
    /// `None`: refused.
    offer: Option<Arc<Offer>>,
}

impl Credentials {
    pub(super) fn new(memory: Memory) -> Self {
        Self {
            memory,
            known: HashMap::new(),
            order: VecDeque::new(),
            next: 0,
            users: Failures::default(),
            addresses: Failures::default(),
            challenges: None,
            last_offer: None,
        }
    }

    pub(super) fn standing(&self, now: Monotonic, credential: Key) -> Standing {
        match self.known.get(&credential) {
            Some(known) if now < known.until => match &known.offer {
                Some(offer) => Standing::Accepted(Arc::clone(offer)),
                None => Standing::Refused,
            },
            Some(_) | None => Standing::Unknown,
        }
    }

    /// Whether the upstream may be asked about a credential now; the attempt counts as a failure
    /// until the answer is there, so that many at once cannot slip under the limit.
    ///
    /// A credential that was refused before guesses nothing new and is not counted again: the phone
    /// with the old password does not keep its owner out who has typed the new one elsewhere.
    ///
    /// # Errors
    ///
    /// How long to wait before trying again.
    pub(super) fn begin(&mut self, now: Monotonic, attempt: &mut Attempt) -> Result<(), Duration> {
        attempt.counted = false;
        let repeated = self.known.get(&attempt.credential);
        if repeated.is_some_and(|known| known.offer.is_none()) {
            return Ok(());
        }
        let memory = self.memory;
        let window = memory.failure_window;
        let user = self
            .users
            .wait(now, attempt.user, memory.user_failures, window);
        let address = self
            .addresses
            .wait(now, attempt.address, memory.address_failures, window);
        if let Some(wait) = user.max(address) {
            return Err(wait);
        }
        self.users.count(now, attempt.user, window);
        self.addresses.count(now, attempt.address, window);
        attempt.counted = true;
        Ok(())
    }

    pub(super) fn accept(&mut self, now: Monotonic, attempt: &Attempt, offer: Offer) -> Arc<Offer> {
        self.release(attempt);
        let offer = match &self.last_offer {
            Some(last) if **last == offer => Arc::clone(last),
            Some(_) | None => Arc::new(offer),
        };
        self.last_offer = Some(Arc::clone(&offer));
        let until = now + self.memory.accepted;
        self.learn(attempt.credential, until, Some(Arc::clone(&offer)));
        offer
    }

    pub(super) fn refuse(&mut self, now: Monotonic, attempt: &Attempt) {
        self.learn(attempt.credential, now + self.memory.refused, None);
    }

    /// The upstream could not be asked: the attempt was no failure.
    pub(super) fn release(&mut self, attempt: &Attempt) {
        if !attempt.counted {
            return;
        }
        self.users.discount(attempt.user);
        self.addresses.discount(attempt.address);
    }

    /// The upstream no longer accepts it.
    pub(super) fn forget(&mut self, credential: Key) {
        self.known.remove(&credential);
    }

    /// Whether the upstream has to be asked first whether it asks for credentials at all.
    pub(super) fn wants_challenge(&self, now: Monotonic) -> bool {
        self.challenges.is_none_or(|until| until <= now)
    }

    pub(super) fn challenged(&mut self, now: Monotonic) {
        self.challenges = Some(now + CHALLENGE_HOLDS);
    }

    fn learn(&mut self, key: Key, until: Monotonic, offer: Option<Arc<Offer>>) {
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        let known = Known {
            number,
            until,
            offer,
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

/// Counts of refusals by key, each in a window of its own that begins with the first.
#[derive(Default)]
struct Failures {
    counts: HashMap<Key, (u32, Monotonic)>,
}

impl Failures {
    /// How long `key` has to wait, if it has used up `limit`.
    fn wait(&self, now: Monotonic, key: Key, limit: u32, window: Duration) -> Option<Duration> {
        let (count, since) = self.counts.get(&key)?;
        let rest = now.until(*since + window);
        (*count >= limit && !rest.is_zero()).then_some(rest)
    }

    fn count(&mut self, now: Monotonic, key: Key, window: Duration) {
        if self.counts.len() >= MAX_FAILURES && !self.counts.contains_key(&key) {
            self.counts
                .retain(|_, (_, since)| !now.until(*since + window).is_zero());
            if self.counts.len() >= MAX_FAILURES {
                // A flood of names: the limit by address still holds.
                return;
            }
        }
        let entry = self.counts.entry(key).or_insert((0, now));
        if now.until(entry.1 + window).is_zero() {
            *entry = (0, now);
        }
        entry.0 = entry.0.saturating_add(1);
    }

    fn discount(&mut self, key: Key) {
        if let Some((count, _)) = self.counts.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }
}

/// How many users and how many addresses with refusals are kept apart; about 5 megabytes each.
/// Beyond it, and when none has expired, further ones are not counted.
const MAX_FAILURES: usize = 65_536;

/// How long the upstream is believed to refuse requests without credentials before it is asked
/// again: its configuration changes rarely, and an hour bounds the harm of one that has.
const CHALLENGE_HOLDS: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_elapsed(Duration::from_secs(seconds))
    }

    fn hasher() -> Hasher {
        Hasher::new(&[7; 32])
    }

    fn attempt(password: &str, user: &str, address: &str) -> Attempt {
        let hasher = hasher();
        Attempt {
            credential: hasher.key(&[user.as_bytes(), password.as_bytes()]),
            user: hasher.key(&[user.as_bytes()]),
            address: hasher.key(&[address.as_bytes()]),
            counted: false,
        }
    }

    fn offer() -> Offer {
        Offer(HeaderMap::new())
    }

    #[test]
    fn hashes_depend_on_the_key_and_on_where_parts_end() {
        let key = hasher().key(&[b"ab", b"c"]);
        assert_eq!(key, hasher().key(&[b"ab", b"c"]));
        assert_ne!(key, hasher().key(&[b"a", b"bc"]));
        assert_ne!(key, Hasher::new(&[8; 32]).key(&[b"ab", b"c"]));
    }

    #[test]
    fn acceptance_and_refusal_expire() {
        let mut credentials = Credentials::new(Memory::default());
        let mut good = attempt("right", "alice", "1");
        let mut bad = attempt("wrong", "alice", "1");
        assert!(matches!(
            credentials.standing(at(0), good.credential),
            Standing::Unknown
        ));
        credentials.begin(at(0), &mut good).unwrap();
        credentials.accept(at(0), &good, offer());
        credentials.begin(at(0), &mut bad).unwrap();
        credentials.refuse(at(0), &bad);
        for (seconds, accepted, refused) in [
            (0, true, true),
            (59, true, true),
            (60, true, false),
            (599, true, false),
            (600, false, false),
        ] {
            let standing = credentials.standing(at(seconds), good.credential);
            assert_eq!(
                matches!(standing, Standing::Accepted(_)),
                accepted,
                "row {seconds}"
            );
            let standing = credentials.standing(at(seconds), bad.credential);
            assert_eq!(
                matches!(standing, Standing::Refused),
                refused,
                "row {seconds}"
            );
        }
        credentials.forget(good.credential);
        assert!(matches!(
            credentials.standing(at(1), good.credential),
            Standing::Unknown
        ));
    }

    #[test]
    fn guesses_are_limited_by_user_and_by_address() {
        let memory = Memory {
            user_failures: 3,
            address_failures: 5,
            ..Memory::default()
        };
        let mut credentials = Credentials::new(memory);
        let mut begin = |second, password: &str, user, address| {
            credentials.begin(at(second), &mut attempt(password, user, address))
        };
        for guess in ["1", "2", "3"] {
            assert_eq!(begin(0, guess, "alice", "1"), Ok(()), "row {guess}");
        }
        assert_eq!(begin(1, "4", "alice", "2"), Err(Duration::from_secs(599)));
        assert_eq!(begin(600, "4", "alice", "2"), Ok(()));
        for user in ["bob", "carol"] {
            assert_eq!(begin(1, "x", user, "1"), Ok(()), "row {user}");
        }
        assert!(begin(1, "x", "dave", "1").is_err());
        assert_eq!(begin(1, "x", "dave", "3"), Ok(()));
    }

    #[test]
    fn accepted_and_unanswered_attempts_are_no_failures() {
        let memory = Memory {
            user_failures: 1,
            ..Memory::default()
        };
        let mut credentials = Credentials::new(memory);
        for second in 0..5 {
            let mut good = attempt("right", "alice", "1");
            assert_eq!(
                credentials.begin(at(second), &mut good),
                Ok(()),
                "row {second}"
            );
            if second % 2 == 0 {
                credentials.accept(at(second), &good, offer());
            } else {
                credentials.release(&good);
            }
        }
    }

    #[test]
    fn an_old_password_again_and_again_does_not_keep_the_new_one_out() {
        let memory = Memory {
            user_failures: 2,
            ..Memory::default()
        };
        let mut credentials = Credentials::new(memory);
        for minute in 0..9 {
            let mut old = attempt("old", "alice", "1");
            assert_eq!(
                credentials.begin(at(60 * minute), &mut old),
                Ok(()),
                "row {minute}"
            );
            credentials.refuse(at(60 * minute), &old);
        }
        assert_eq!(
            credentials.begin(at(541), &mut attempt("new", "alice", "2")),
            Ok(())
        );
    }

    #[test]
    fn the_oldest_is_forgotten_at_the_limit() {
        let memory = Memory {
            credentials: 2,
            ..Memory::default()
        };
        let mut credentials = Credentials::new(memory);
        let users = ["a", "b", "c"].map(|user| attempt("x", user, "1"));
        for user in &users {
            credentials.accept(at(0), user, offer());
        }
        let known = users.map(|user| {
            matches!(
                credentials.standing(at(0), user.credential),
                Standing::Accepted(_)
            )
        });
        assert_eq!(known, [false, true, true]);
        // Learning the same one again and again does not make the queue grow.
        for _ in 0..100 {
            credentials.accept(at(0), &attempt("x", "c", "1"), offer());
        }
        assert!(credentials.order.len() <= 4, "{}", credentials.order.len());
        assert!(credentials.known.len() <= 2);
    }
}
