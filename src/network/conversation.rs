//! The EAP conversations of one loop, found by their State.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::eap::Conversation;
use crate::model::Monotonic;
use crate::network::context::Context;
use crate::network::judge::ConversationJudge;
use crate::radius::AccessRequest;

/// The State attribute that we give out: the loop's number and 128 random bits, new each round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State([u8; Self::OCTETS]);

impl State {
    const OCTETS: usize = 17;

    pub(super) fn new(worker: u8, random: u128) -> Self {
        let mut octets = [worker; Self::OCTETS];
        octets[1..].copy_from_slice(&random.to_be_bytes());
        Self(octets)
    }

    /// `None` for a State that we cannot have made.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }

    pub(super) const fn worker(self) -> u8 {
        self.0[0]
    }

    pub(super) const fn octets(&self) -> &[u8] {
        &self.0
    }
}

/// A conversation and what belongs to it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) conversation: Box<Conversation>,
    pub(super) judge: Arc<ConversationJudge>,
    pub(super) context: Context,
    /// Source, User-Name and Calling-Station-Id of its first request; later ones must agree.
    pub(super) binding: u64,
}

/// Waiting conversations, bounded in number and in time.
#[derive(Debug)]
pub(super) struct Conversations {
    waiting: HashMap<State, Slot>,
    /// In order of time, since all wait equally long. An entry whose State is gone is stale.
    deadlines: VecDeque<(Monotonic, State)>,
    hasher: RandomState,
}

impl Conversations {
    pub(super) fn new() -> Self {
        Self {
            waiting: HashMap::new(),
            deadlines: VecDeque::new(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// What ties a conversation to its NAS and peer.
    pub(super) fn binding(&self, from: IpAddr, request: &AccessRequest<'_>) -> u64 {
        self.hasher
            .hash_one((from, request.user_name(), request.calling_station_id()))
    }

    /// Lets a conversation wait for the request that brings `state` back.
    pub(super) fn wait(&mut self, now: Monotonic, patience: Duration, state: State, slot: Slot) {
        self.waiting.insert(state, slot);
        self.deadlines.push_back((now + patience, state));
    }

    /// Takes out the conversation of `state`; `None` if there is none, or it belongs to another
    /// peer.
    pub(super) fn take(&mut self, state: State, binding: u64) -> Option<Slot> {
        if self.waiting.get(&state)?.binding != binding {
            return None;
        }
        self.waiting.remove(&state)
    }

    /// Forgets what has waited too long; says how many conversations that were.
    pub(super) fn expire(&mut self, now: Monotonic) -> usize {
        let mut gone = 0;
        while let Some((deadline, state)) = self.deadlines.front().copied()
            && deadline <= now
        {
            self.deadlines.pop_front();
            gone += usize::from(self.waiting.remove(&state).is_some());
        }
        gone
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.deadlines.front().map(|(deadline, _)| *deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_carry_their_loop_and_refuse_other_lengths() {
        let state = State::new(3, 7);
        assert_eq!(State::parse(state.octets()), Some(state));
        assert_eq!(state.worker(), 3);
        assert_eq!(State::parse(&state.octets()[1..]), None);
        assert_eq!(State::parse(&[0; 18]), None);
    }
}
