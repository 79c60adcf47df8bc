//! Conversations stay with the home server that began them: the State in its Access-Challenge means
//! nothing to another one (RFC 2865 section 5.24).

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::Arc;
use std::time::Duration;

use siphasher::sip128::Hasher128;
use siphasher::sip128::SipHasher24;

use super::home::Home;
use crate::model::Monotonic;
use crate::radius::AttributeType;
use crate::radius::Forward;

/// Which home server a conversation is with.
pub(super) struct Sticky {
    all: HashMap<u128, (Monotonic, Arc<Home>)>,
    /// In the order of their ends.
    ends: VecDeque<(Monotonic, u128)>,
    key: [u8; 16],
}

impl Sticky {
    /// `key` is random, so that nobody can choose what collides.
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self {
            all: HashMap::new(),
            ends: VecDeque::new(),
            key,
        }
    }

    /// The home server that has sent the State of this request.
    pub(super) fn find(&mut self, now: Monotonic, request: &Forward) -> Option<Arc<Home>> {
        self.expire(now);
        let state = request.find(AttributeType::STATE)?;
        let name = self.name(request, state);
        self.all.get(&name).map(|(_, home)| Arc::clone(home))
    }

    /// A home server has answered this request with a challenge with this State.
    pub(super) fn put(
        &mut self,
        now: Monotonic,
        request: &Forward,
        state: &[u8],
        home: &Arc<Home>,
    ) {
        self.expire(now);
        let (name, end) = (self.name(request, state), now + LIFETIME);
        self.all.insert(name, (end, Arc::clone(home)));
        self.ends.push_back((end, name));
        if self.ends.len() > MAX_CONVERSATIONS {
            self.forget_first();
        }
    }

    /// Forgets what ended before `now`.
    pub(super) fn expire(&mut self, now: Monotonic) {
        while self.ends.front().is_some_and(|(end, _)| *end <= now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some((end, name)) = self.ends.pop_front() else {
            return;
        };
        // One that was put again since has a later end, which is still to come.
        if self.all.get(&name).is_some_and(|(held, _)| *held == end) {
            self.all.remove(&name);
        }
    }

    /// Two home servers may hit on the same State, so that whose it is counts too.
    fn name(&self, request: &Forward, state: &[u8]) -> u128 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        let mut add = |value: &[u8]| {
            hasher.write_usize(value.len());
            hasher.write(value);
        };
        add(state);
        for kind in OF_A_PEER {
            add(request.find(kind).unwrap_or(&[]));
        }
        hasher.finish128().as_u128()
    }
}

/// What a NAS says in every request of a conversation (RFC 3579 section 2.1).
const OF_A_PEER: [AttributeType; 4] = [
    AttributeType::USER_NAME,
    AttributeType::CALLING_STATION_ID,
    AttributeType::NAS_IDENTIFIER,
    AttributeType::NAS_IP_ADDRESS,
];

/// How long a supplicant may think about a challenge: what the access points give it.
const LIFETIME: Duration = Duration::from_mins(1);

/// Rounds of conversations that are remembered, at some 100 octets each; beyond them the oldest is
/// forgotten, and its conversation goes to whoever comes first, as before.
const MAX_CONVERSATIONS: usize = 64 * 1024;
