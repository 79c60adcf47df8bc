//! Chains that were verified, found again by all their octets.
//!
//! A fixed number of places in sets of four, read and replaced without a lock: workers never wait
//! for one another. A chain has its places by its key; when all four are taken, one of them gives
//! way, in turn.
//!
//! # Who gets in
//!
//! Only chains that have led to a root and whose holder has proved to hold its key, and of those
//! only such that lead to the root certificate by certificate as they were presented. So a device
//! has a handful of ways to present its chain, and to push others out takes the keys of as many
//! devices as there are places.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;
use aws_lc_rs::digest;

use super::chain::Chain;
use crate::model::Fingerprint;

/// SHA-256 of the roots by which a chain was verified and of what it was presented as, each
/// certificate after its length. So what other roots vouch for is never found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of<'c>(
        trust: Fingerprint,
        certificates: impl IntoIterator<Item = &'c [u8]>,
    ) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&trust.octets());
        for certificate in certificates {
            context.update(&certificate.len().to_be_bytes());
            context.update(certificate);
        }
        let mut octets = [0; 32];
        octets.copy_from_slice(context.finish().as_ref());
        Self(octets)
    }
}

/// The places.
pub(super) struct Memory {
    sets: Box<[Set]>,
    turn: AtomicUsize,
}

type Set = [ArcSwapOption<Entry>; WAYS];

struct Entry {
    key: Key,
    chain: Arc<Chain>,
}

impl Memory {
    /// A memory of `places`, rounded up to a multiple of four; 0 remembers nothing.
    pub(super) fn new(places: usize) -> Self {
        Self {
            sets: (0..places.div_ceil(WAYS))
                .map(|_| std::array::from_fn(|_| ArcSwapOption::empty()))
                .collect(),
            turn: AtomicUsize::new(0),
        }
    }

    pub(super) fn find(&self, key: &Key) -> Option<Arc<Chain>> {
        self.set(key)?.iter().find_map(|place| {
            let held = place.load();
            let entry = held.as_deref()?;
            (entry.key == *key).then(|| Arc::clone(&entry.chain))
        })
    }

    pub(super) fn put(&self, key: Key, chain: Arc<Chain>) {
        let Some(set) = self.set(&key) else {
            return;
        };
        let fits = |place: &&ArcSwapOption<Entry>| {
            let held = place.load();
            held.as_ref().is_none_or(|entry| entry.key == key)
        };
        // Two that put at the same moment may both take one place: one of them comes again later.
        let place = set.iter().find(fits).or_else(|| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            set.get(turn % WAYS)
        });
        if let Some(place) = place {
            place.store(Some(Arc::new(Entry { key, chain })));
        }
    }

    fn set(&self, key: &Key) -> Option<&Set> {
        let Key([a, b, c, d, e, f, g, h, ..]) = *key;
        let number = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let position = number.checked_rem(u64::try_from(self.sets.len()).ok()?)?;
        self.sets.get(usize::try_from(position).ok()?)
    }
}

/// Shows the bound only: chains hold names.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("places", &(self.sets.len() * WAYS))
            .finish_non_exhaustive()
    }
}

/// Places among which a chain has its own.
const WAYS: usize = 4;

#[cfg(test)]
mod tests {
    use rcgen::CertificateParams;
    use rcgen::KeyPair;

    use super::*;
    use crate::model::CertificateIdentity;

    fn chain() -> Arc<Chain> {
        let params = CertificateParams::new(vec!["phone".to_owned()]).unwrap();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let identity = CertificateIdentity::parse(certificate.der()).unwrap();
        Arc::new(Chain::of_names(Arc::new(identity)))
    }

    fn key(number: u32) -> Key {
        key_of(&[&number.to_be_bytes()])
    }

    fn key_of(certificates: &[&[u8]]) -> Key {
        Key::of(Fingerprint::of(b"roots"), certificates.iter().copied())
    }

    #[test]
    fn what_was_put_is_found_by_its_key_only() {
        let memory = Memory::new(16);
        let (one, other) = (chain(), chain());
        memory.put(key(1), Arc::clone(&one));
        memory.put(key(2), Arc::clone(&other));
        assert!(Arc::ptr_eq(&memory.find(&key(1)).unwrap(), &one));
        assert!(Arc::ptr_eq(&memory.find(&key(2)).unwrap(), &other));
        assert!(memory.find(&key(3)).is_none());
        memory.put(key(1), Arc::clone(&other));
        assert!(Arc::ptr_eq(&memory.find(&key(1)).unwrap(), &other));
    }

    #[test]
    fn there_are_never_more_than_there_are_places() {
        let chain = chain();
        for (places, most) in [(0, 0), (1, 4), (16, 16), (17, 20)] {
            let memory = Memory::new(places);
            for number in 0..1_000 {
                memory.put(key(number), Arc::clone(&chain));
            }
            let found = (0..1_000).filter(|&number| memory.find(&key(number)).is_some());
            assert_eq!(found.count(), most, "row {places}");
            assert_eq!(Arc::strong_count(&chain), 1 + most, "row {places}");
            let last = memory.find(&key(999)).is_some();
            assert_eq!(last, places > 0, "the newest stays");
        }
    }

    #[test]
    fn where_one_certificate_ends_and_the_next_begins_counts() {
        let key = key_of(&[b"ab", b"c"]);
        for other in [&[&b"a"[..], b"bc"][..], &[b"abc"], &[b"c", b"ab"], &[b"ab"]] {
            assert_ne!(key, key_of(other));
        }
        assert_ne!(
            key,
            Key::of(Fingerprint::of(b"other roots"), [&b"ab"[..], b"c"])
        );
    }
}
