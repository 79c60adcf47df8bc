//! Who has proved itself: credentials that the upstream has accepted, and the addresses that a user
//! signed in from with one. Whoever guesses at a user's password does not keep these out.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::Monotonic;

use super::Key;

/// What is remembered, user by user, in two generations: what the younger one is told counts until it
/// has become the older one and a third has begun.
#[derive(Default)]
pub(super) struct Proven {
    young: HashMap<Key, Proofs>,
    old: HashMap<Key, Proofs>,
    since: Option<Monotonic>,
}

/// A user's, the latest last.
#[derive(Default)]
struct Proofs {
    credentials: Vec<Key>,
    places: Vec<Key>,
}

impl Proven {
    /// The upstream has accepted a credential of `user`, which came from `place`.
    pub(super) fn learn(&mut self, now: Monotonic, user: Key, credential: Key, place: Key) {
        self.turn(now);
        if self.young.len() >= MAX_USERS && !self.young.contains_key(&user) {
            self.begin(now);
        }
        let proofs = self.young.entry(user).or_default();
        keep(&mut proofs.credentials, credential);
        keep(&mut proofs.places, place);
    }

    /// Whether the upstream has accepted this credential of `user`.
    pub(super) fn has_credential(&mut self, now: Monotonic, user: Key, credential: Key) -> bool {
        self.turn(now);
        self.of(user)
            .any(|proofs| proofs.credentials.contains(&credential))
    }

    /// Whether `user` has signed in from there.
    pub(super) fn has_place(&mut self, now: Monotonic, user: Key, place: Key) -> bool {
        self.turn(now);
        self.of(user).any(|proofs| proofs.places.contains(&place))
    }

    /// The upstream has refused it.
    pub(super) fn forget_credential(&mut self, user: Key, credential: Key) {
        for generation in [&mut self.young, &mut self.old] {
            if let Some(proofs) = generation.get_mut(&user) {
                proofs.credentials.retain(|one| *one != credential);
            }
        }
    }

    /// Nothing was proved.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn of(&self, user: Key) -> impl Iterator<Item = &Proofs> {
        [&self.young, &self.old]
            .into_iter()
            .filter_map(move |generation| generation.get(&user))
    }

    fn turn(&mut self, now: Monotonic) {
        let since = *self.since.get_or_insert(now);
        let age = now.since(since);
        if age >= GENERATION.saturating_mul(2) {
            self.begin(now);
        }
        if age >= GENERATION {
            self.begin(now);
        }
    }

    fn begin(&mut self, now: Monotonic) {
        self.old = std::mem::take(&mut self.young);
        self.since = Some(now);
    }
}

fn keep(kept: &mut Vec<Key>, key: Key) {
    kept.retain(|one| *one != key);
    if kept.len() >= MAX_OF_USER {
        kept.remove(0);
    }
    kept.push(key);
}

/// A proof counts for a day at least and two at most: a phone asks its server every hour, and its owner
/// may leave it off over night.
const GENERATION: Duration = Duration::from_hours(24);

/// Users in a generation, of some 200 octets each. Only those have a place whose password is right, so
/// that nobody fills it from outside; beyond it, the older generation ends early.
const MAX_USERS: usize = 131_072;

/// Passwords and tokens, and places, of one user: so many devices, and no user takes another's room.
const MAX_OF_USER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: u64) -> Monotonic {
        Monotonic::from_elapsed(Duration::from_hours(hours))
    }

    fn key(number: u8) -> Key {
        Key([number; 16])
    }

    #[test]
    fn a_proof_counts_for_a_day_and_for_no_more_than_two() {
        for learned in [0, 10, 23] {
            let mut proven = Proven::default();
            proven.learn(at(0), key(9), key(9), key(9));
            proven.learn(at(learned), key(1), key(2), key(3));
            assert!(proven.has_credential(at(learned + 24), key(1), key(2)));
            assert!(proven.has_place(at(learned + 24), key(1), key(3)));
            assert!(!proven.has_credential(at(learned + 24), key(2), key(2)));
            assert!(!proven.has_place(at(learned + 48), key(1), key(3)));
        }
        // Nothing happened for days.
        let mut proven = Proven::default();
        proven.learn(at(0), key(1), key(2), key(3));
        assert!(!proven.has_credential(at(100), key(1), key(2)));
    }

    #[test]
    fn a_refused_credential_proves_nothing_in_either_generation() {
        let mut proven = Proven::default();
        proven.learn(at(0), key(1), key(2), key(3));
        proven.learn(at(25), key(1), key(2), key(3));
        proven.forget_credential(key(1), key(2));
        assert!(!proven.has_credential(at(25), key(1), key(2)));
        assert!(proven.has_place(at(25), key(1), key(3)));
    }

    #[test]
    fn a_user_takes_no_more_than_its_own_room() {
        let mut proven = Proven::default();
        proven.learn(at(0), key(200), key(200), key(200));
        for number in 0..20 {
            proven.learn(at(1), key(1), key(number), key(number));
        }
        let kept = (0..20)
            .filter(|number| proven.has_credential(at(1), key(1), key(*number)))
            .collect::<Vec<_>>();
        assert_eq!(kept, (12..20).collect::<Vec<_>>());
        assert!(proven.has_credential(at(1), key(200), key(200)));
    }
}
