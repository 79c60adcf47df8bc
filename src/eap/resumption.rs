//! Handshakes that peers may resume: a bounded store in memory, shared by all conversations.
//!
//! Resumption is stateful: a ticket or TLS session id is 32 random octets that name an entry
//! here, nothing more. So a ticket never holds a decision, and an entry that is forgotten here
//! cannot be resumed anywhere. An entry is looked up by [`gate`](super::gate), which asks for a
//! verdict again each time; it is written only when the conversation has succeeded.
//!
//! Entries of all methods stand here, each with the method that made it: what one method has stored
//! no other one resumes (RFC 9190 section 2.1.2).
//!
//! The store outlives a [`Config`](super::Config): after a reload with other trust anchors the
//! entries made under the old ones are not found any more.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use zeroize::Zeroizing;

use super::offer::Outer;
use super::principal::Principal;
use super::proof::Completed;
use super::proof::Inners;
use crate::model::CertificateIdentity;
use crate::model::Fingerprint;
use crate::model::Timestamp;
use crate::trust::Chain;

/// The store. Cheap to share in an `Arc`; looked up and written by handshake workers.
pub struct Resumption {
    shards: [Mutex<Shard>; SHARDS],
    lifetime: Duration,
    entries_each: usize,
}

impl Resumption {
    /// Default number of entries: a building's devices; about 30 MB when full.
    pub const DEFAULT_ENTRIES: usize = 16 * 1024;

    /// Default time from a full authentication until the next: a working day.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(8);

    /// What RFC 8446 section 4.6.1 allows a ticket: seven days.
    pub const LONGEST_LIFETIME: Duration = Duration::from_hours(7 * 24);

    /// A store of at most `entries` (rounded up to a multiple of 16, 0 counts as 16), each usable
    /// until `lifetime` after the *full* authentication it goes back to, however often it was
    /// resumed; at most [`Resumption::LONGEST_LIFETIME`]. At the bound the oldest entry goes.
    #[must_use]
    pub fn new(entries: usize, lifetime: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            lifetime: lifetime.min(Self::LONGEST_LIFETIME),
            entries_each: entries.div_ceil(SHARDS).max(1),
        }
    }

    /// Forgets what was stored for each certificate that `matches`, and for passwords beside it;
    /// returns how many entries went. For a device that is wiped, or a certificate that is revoked: without it they are
    /// refused as well, but by the verdict.
    pub fn forget(&self, matches: impl Fn(&CertificateIdentity) -> bool) -> usize {
        let mut forgotten = 0;
        for shard in &self.shards {
            let mut shard = lock(shard);
            let going: Vec<Id> = shard
                .entries
                .iter()
                .filter(|(_, entry)| entry.past.certificates().any(&matches))
                .map(|(id, _)| *id)
                .collect();
            forgotten += going.len();
            for id in going {
                shard.remove(&id);
            }
        }
        forgotten
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for shard in &self.shards {
            *lock(shard) = Shard::default();
        }
    }

    /// How many entries there are, expired ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        let each = self.shards.iter();
        each.map(|shard| lock(shard).entries.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores one entry. `value` is rustls's, with the master secret in it.
    pub(super) fn store(&self, id: Id, value: Zeroizing<Vec<u8>>, past: Past) {
        let mut shard = lock(self.shard(&id));
        shard.remove(&id);
        shard.octets += value.len();
        shard.newest += 1;
        let order = shard.newest;
        shard.by_age.insert(order, id);
        shard.entries.insert(id, Entry { value, past, order });
        while shard.entries.len() > self.entries_each
            || shard.octets > self.entries_each * OCTETS_EACH
        {
            let Some((_, oldest)) = shard.by_age.first_key_value() else {
                return;
            };
            let oldest = *oldest;
            shard.remove(&oldest);
        }
    }

    /// Finds an entry that is neither too old nor made under other trust anchors; with `take` it
    /// is gone afterwards. An unusable one is removed.
    pub(super) fn find(
        &self,
        id: &[u8],
        now: Timestamp,
        trust: Fingerprint,
        take: bool,
    ) -> Option<(Zeroizing<Vec<u8>>, Past)> {
        let id = Id::try_from(id).ok()?;
        let mut shard = lock(self.shard(&id));
        let past = &shard.entries.get(&id)?.past;
        let usable = past.trust == trust && now < past.authenticated_at + self.lifetime;
        if usable && !take {
            let entry = shard.entries.get(&id)?;
            return Some((entry.value.clone(), entry.past.clone()));
        }
        let entry = shard.remove(&id)?;
        usable.then_some((entry.value, entry.past))
    }

    /// Whether there is an entry, usable or not.
    pub(super) fn holds(&self, id: &Id) -> bool {
        lock(self.shard(id)).entries.contains_key(id)
    }

    /// Forgets one entry.
    pub(super) fn remove(&self, id: &Id) {
        lock(self.shard(id)).remove(id);
    }

    fn shard(&self, id: &Id) -> &Mutex<Shard> {
        let position = usize::from(id.first().copied().unwrap_or(0)) % SHARDS;
        self.shards
            .get(position)
            .expect("a remainder of SHARDS is below the length of the array")
    }
}

impl Default for Resumption {
    fn default() -> Self {
        Self::new(Self::DEFAULT_ENTRIES, Self::DEFAULT_LIFETIME)
    }
}

/// Shows the bounds only: entries hold secrets and names.
impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumption")
            .field("lifetime", &self.lifetime)
            .field("most_entries", &(self.entries_each * SHARDS))
            .finish_non_exhaustive()
    }
}

/// What a TLS session id or ticket of ours is.
pub(super) type Id = [u8; 32];

/// What is known from the handshake that an entry goes back to.
#[derive(Clone, Debug)]
pub(super) struct Past {
    /// Who the peer proved to be.
    pub(super) who: Who,
    /// When it did, in a full handshake.
    pub(super) authenticated_at: Timestamp,
    /// The trust anchors of that time.
    pub(super) trust: Fingerprint,
}

/// Who an entry is of. Nothing here is a decision.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// The holder of a certificate, by EAP-TLS.
    Holder(Arc<Chain>),
    /// Whoever came to the end of the method inside of a tunnel.
    Inside(Arc<Inside>),
}

impl Past {
    fn certificates(&self) -> impl Iterator<Item = &CertificateIdentity> {
        let (holder, inside) = match &self.who {
            Who::Holder(chain) => (Some(chain), None),
            Who::Inside(inside) => (None, Some(inside)),
        };
        let shown = inside.into_iter().flat_map(|inside| inside.chains());
        let chains = holder.into_iter().chain(shown);
        chains.map(|chain| &**chain.certificate())
    }
}

/// What was established inside of a tunnel.
#[derive(Debug)]
pub(super) struct Inside {
    outer: Outer,
    inners: Inners,
    principal: Principal,
    /// The chain that the peer presented when the tunnel was made.
    device: Option<Arc<Chain>>,
    /// Those that it presented inside.
    shown: Box<[Arc<Chain>]>,
    /// See [`Judge::stamp`](super::Judge::stamp).
    stamp: u64,
}

impl Inside {
    /// Of a conversation that has come to its end.
    pub(super) fn new(
        outer: Outer,
        completed: &Completed,
        device: Option<Arc<Chain>>,
        stamp: u64,
    ) -> Self {
        Self {
            outer,
            inners: completed.inners(),
            principal: completed.principal().clone(),
            device,
            shown: completed.chains().into(),
            stamp,
        }
    }

    pub(super) const fn outer(&self) -> Outer {
        self.outer
    }

    pub(super) const fn inners(&self) -> Inners {
        self.inners
    }

    pub(super) const fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(super) const fn stamp(&self) -> u64 {
        self.stamp
    }

    pub(super) const fn device(&self) -> Option<&Arc<Chain>> {
        self.device.as_ref()
    }

    /// Every chain that the peer presented.
    pub(super) fn chains(&self) -> impl Iterator<Item = &Arc<Chain>> {
        self.device.iter().chain(&self.shown)
    }
}

#[derive(Default)]
struct Shard {
    entries: HashMap<Id, Entry>,
    by_age: BTreeMap<u64, Id>,
    octets: usize,
    newest: u64,
}

impl Shard {
    fn remove(&mut self, id: &Id) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.by_age.remove(&entry.order);
        self.octets -= entry.value.len();
        Some(entry)
    }
}

struct Entry {
    value: Zeroizing<Vec<u8>>,
    past: Past,
    order: u64,
}

/// A panic of another worker leaves a shard whole: every change of it is complete before the
/// lock is released, and nothing in between can panic.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// So many locks that workers of a large machine rarely meet.
const SHARDS: usize = 16;

/// Mean octets an entry may have: rustls keeps the peer's chain in it, 600 to 1,800 octets as a
/// rule. With longer chains fewer entries are kept.
const OCTETS_EACH: usize = 2 * 1024;

#[cfg(test)]
mod tests;
