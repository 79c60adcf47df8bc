//! The EAP conversations of one loop, found by their State: bounded in number, time and share.
//!
//! A conversation waits for its peer, or it is away: its job has it. Either way it keeps its
//! place, so that a request which brings its State meanwhile is told from one whose State nobody
//! gave. A State names the round, too: a NAS that signs a retransmission anew brings that of a round
//! which has been answered, and gets the same answer again; what else comes with such a State is
//! dropped. So is what comes for a conversation that has just ended: its answer may be under way.
//!
//! When all places are taken, one whose peer has not yet answered the method gives way to a new one: the
//! oldest of the source that has most of them, so that a flood of beginnings costs whoever sends it. Where
//! most have answered, or all, one gives way whose peer has answered and then fallen silent, likewise of
//! the source that has most: it has proved nothing yet, since the proof is what ends a conversation. Peers
//! that go along are not put out. One source may have three quarters of the places in progress, so
//! that a flood from behind one NAS leaves room for the others; beyond that its own silent ones
//! give way.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::eap::Conversation;
use crate::model::Monotonic;
use crate::network::judge::ConversationJudge;
use crate::radius::AccessRequest;

pub(super) use standing::Binding;
pub(super) use standing::Brought;
pub(super) use standing::Id;
pub(super) use standing::Standing;
pub(super) use standing::State;

use unanswered::Unanswered;

mod standing;
mod unanswered;

/// A conversation and what belongs to it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) conversation: Box<Conversation>,
    pub(super) judge: Arc<ConversationJudge>,
    pub(super) standing: Standing,
}

/// What a State leads to.
#[derive(Debug)]
pub(super) enum Found {
    /// Its conversation, taken out.
    Slot(Slot),
    /// Its conversation is away.
    Away,
    /// Its conversation waits for the answer to this request, which was sent in answer to the same
    /// response before.
    Repeated(State, Box<[u8]>),
    /// A round that is over, or a conversation that has ended a moment ago.
    Over,
    /// None, or another peer's.
    Nothing,
}

/// A conversation that has waited too long.
#[derive(Debug)]
pub(super) enum Expired {
    /// Its peer fell silent.
    Silent(Slot),
    /// It was away, where it is given up.
    Away,
}

/// Whether a source may have one more conversation in progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// It has not had its share.
    Free,
    /// It has, and one of its own has gone.
    Freed,
    /// It has.
    Taken,
}

#[derive(Debug)]
struct Place {
    standing: Standing,
    /// `None` while it is away.
    held: Option<(Box<Conversation>, Arc<ConversationJudge>)>,
}

/// All conversations of a loop. Each has exactly one entry in each index that concerns it, so
/// memory is bounded by their number.
#[derive(Debug)]
pub(super) struct Conversations {
    places: HashMap<Id, Place>,
    deadlines: BTreeSet<(Monotonic, Id)>,
    /// Those whose peer has not answered the method.
    unanswered: Unanswered,
    /// Those that have ended of late.
    ended: Ended,
    /// How many with progress each source has.
    progress: HashMap<IpAddr, usize>,
    begun: u64,
    /// When one had to go for another, last.
    put_out: Option<Monotonic>,
    hasher: RandomState,
}

impl Conversations {
    pub(super) fn new() -> Self {
        Self {
            places: HashMap::new(),
            deadlines: BTreeSet::new(),
            unanswered: Unanswered::default(),
            ended: Ended::default(),
            progress: HashMap::new(),
            begun: 0,
            put_out: None,
            hasher: RandomState::new(),
        }
    }

    /// What a request says of the conversation that it belongs to.
    pub(super) fn binding(&self, from: IpAddr, request: &AccessRequest<'_>) -> Binding {
        Binding {
            from,
            station: self.hasher.hash_one(request.calling_station_id()),
            user: Some(self.hasher.hash_one(request.user_name())),
        }
    }

    /// The standing of a conversation that begins now.
    pub(super) fn begin(
        &mut self,
        now: Monotonic,
        patience: Duration,
        binding: Binding,
        state: State,
    ) -> Standing {
        self.begun = self.begun.wrapping_add(1);
        Standing {
            binding,
            state,
            brought: None,
            number: self.begun,
            answered: false,
            worked: false,
            ends: now + patience.saturating_mul(standing::LIFETIME),
            deadline: now + patience,
            since: now,
        }
    }

    /// Whether no conversation is under way whose peer has answered the method.
    pub(super) fn is_quiet(&self) -> bool {
        self.progress.is_empty()
    }

    /// How many of a source's conversations go on, their peers having answered the method.
    pub(super) fn in_progress(&self, from: IpAddr) -> usize {
        self.progress.get(&from).copied().unwrap_or(0)
    }

    /// Whether one more would find a place among `capacity`.
    pub(super) fn has_room(&self, now: Monotonic, capacity: usize) -> bool {
        self.places.len() < capacity
            || !self.unanswered.is_empty()
            || self.silent(now, |_| true).is_some()
    }

    /// Whether one more from the same source may make progress. Puts one of the source's own out
    /// for it, if that has fallen silent, and then says so.
    pub(super) fn may_progress(
        &mut self,
        now: Monotonic,
        standing: &Standing,
        capacity: usize,
    ) -> Share {
        let (share, from) = (capacity - capacity / 4, standing.binding.from);
        if standing.answered || self.progress.get(&from).is_none_or(|&count| count < share) {
            return Share::Free;
        }
        match self.silent(now, |standing| standing.binding.from == from) {
            Some(id) => {
                self.put_out(now, id);
                Share::Freed
            }
            None => Share::Taken,
        }
    }

    /// Puts out, until one more has room: one whose peer has not answered, or one whose peer has
    /// answered and fallen silent, of the source that has most of those. The kind that has most of the places goes first, so that a
    /// flood of either makes room for what is not of it. Says how many had to go.
    pub(super) fn make_room(&mut self, now: Monotonic, capacity: usize) -> usize {
        let mut gone = 0;
        while self.places.len() >= capacity {
            let oldest = self.unanswered.first_to_go();
            let most_have_answered = self.unanswered.len() < self.places.len() / 2;
            let silent = match (most_have_answered, oldest) {
                (false, Some(_)) => None,
                (true, _) | (false, None) => self.silent_of_the_noisiest(now),
            };
            let Some(id) = silent.or(oldest) else {
                break;
            };
            self.put_out(now, id);
            gone += 1;
        }
        gone
    }

    fn put_out(&mut self, now: Monotonic, id: Id) {
        self.remove(id);
        self.put_out = Some(now);
    }

    /// Whether a State that leads nowhere may be that of a conversation which had to go for
    /// another: its peer has done nothing wrong.
    pub(super) fn has_put_out_lately(&self, now: Monotonic) -> bool {
        self.put_out.is_some_and(|at| now.since(at) < LATELY)
    }

    /// One that waits for a peer which has answered the method and then been silent for
    /// [`SILENT`]; about the longest of all.
    fn silent(&self, now: Monotonic, is_meant: impl Fn(&Standing) -> bool) -> Option<Id> {
        // Deadlines are in the order of silence, but for the few that near their end.
        let first = self.deadlines.iter().take(LOOKED_AT);
        first.map(|(_, id)| *id).find(|id| {
            self.places.get(id).is_some_and(|place| {
                place.held.is_some()
                    && place.standing.answered
                    && now.since(place.standing.since) >= SILENT
                    && is_meant(&place.standing)
            })
        })
    }

    /// One of those of the source that has most in progress, if such a one is among the longest silent.
    fn silent_of_the_noisiest(&self, now: Monotonic) -> Option<Id> {
        let most = self.progress.values().max();
        let noisiest = |standing: &Standing| self.progress.get(&standing.binding.from) == most;
        self.silent(now, noisiest)
            .or_else(|| self.silent(now, |_| true))
    }

    /// Lets a conversation wait for the request that brings `state`.
    pub(super) fn wait(&mut self, state: State, slot: Slot) {
        let held = Some((slot.conversation, slot.judge));
        self.insert(state, slot.standing, held);
    }

    /// Keeps the place of a conversation that goes away.
    pub(super) fn part(&mut self, state: State, standing: Standing) {
        self.insert(state, standing, None);
    }

    /// Gives up the place of a conversation that was away; `false` if it had been given up.
    pub(super) fn rejoin(&mut self, state: State) -> bool {
        let id = state.id();
        let away = self
            .places
            .get(&id)
            .is_some_and(|place| place.held.is_none());
        away && self.remove(id).is_some()
    }

    /// Takes out the conversation of `state` if it waits for that round and belongs to the request's
    /// peer.
    pub(super) fn take(&mut self, state: State, request: &Binding, response: &[u8]) -> Found {
        let id = state.id();
        match self.places.get(&id) {
            Some(place) if !place.standing.binding.holds(request) => return Found::Nothing,
            Some(Place { held: None, .. }) => return Found::Away,
            Some(Place {
                standing,
                held: Some((conversation, _)),
            }) if standing.state != state => {
                let last = state.next() == standing.state;
                let same = standing.brought == Some(Brought::of(response));
                if last && same {
                    let request = conversation.last_request().into();
                    return Found::Repeated(standing.state, request);
                }
                return Found::Over;
            }
            Some(Place { held: Some(_), .. }) => {}
            None if self.ended.contains(&id) => return Found::Over,
            None => return Found::Nothing,
        }
        match self.remove(id) {
            Some(Place {
                standing,
                held: Some((conversation, judge)),
            }) => Found::Slot(Slot {
                conversation,
                judge,
                standing,
            }),
            Some(Place { held: None, .. }) | None => Found::Nothing,
        }
    }

    /// A conversation has had its last answer.
    pub(super) fn end(&mut self, now: Monotonic, standing: &Standing) {
        self.ended
            .add(now, standing.state.id(), standing.binding.peer());
    }

    /// Whether a conversation with the same station has ended since this one waits for its peer. Of a
    /// station without a name that is not known.
    pub(super) fn has_ended_since(&self, standing: &Standing) -> bool {
        let (_, station) = standing.binding.peer();
        let is_named = station != self.hasher.hash_one(None::<&[u8]>);
        let ended = self.ended.last_of(standing.binding.peer());
        is_named && ended.is_some_and(|at| at >= standing.since)
    }

    /// The next that has waited too long, which is forgotten.
    pub(super) fn expire(&mut self, now: Monotonic) -> Option<Expired> {
        let (_, id) = self.deadlines.first().filter(|(at, _)| *at <= now)?;
        let Place { standing, held } = self.remove(*id)?;
        Some(match held {
            Some((conversation, judge)) => Expired::Silent(Slot {
                conversation,
                judge,
                standing,
            }),
            None => Expired::Away,
        })
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    fn insert(
        &mut self,
        state: State,
        mut standing: Standing,
        held: Option<(Box<Conversation>, Arc<ConversationJudge>)>,
    ) {
        let id = state.id();
        standing.state = state;
        self.remove(id);
        self.deadlines.insert((standing.deadline, id));
        if standing.answered {
            *self.progress.entry(standing.binding.from).or_default() += 1;
        } else {
            let from = standing.binding.from;
            self.unanswered.insert(from, standing.number, id);
        }
        self.places.insert(id, Place { standing, held });
    }

    fn remove(&mut self, id: Id) -> Option<Place> {
        let place = self.places.remove(&id)?;
        let Standing {
            binding,
            number,
            answered,
            deadline,
            ..
        } = place.standing;
        self.deadlines.remove(&(deadline, id));
        if answered {
            if let Some(count) = self.progress.get_mut(&binding.from) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.progress.remove(&binding.from);
                }
            }
        } else {
            self.unanswered.remove(binding.from, number);
        }
        Some(place)
    }
}

/// The conversations that have ended of late, the oldest of them first.
#[derive(Debug, Default)]
struct Ended {
    ids: HashSet<Id>,
    /// When the last of a station ended.
    peers: HashMap<Peer, Monotonic>,
    order: VecDeque<(Monotonic, Id, Peer)>,
}

/// Address of the NAS and hash of the station.
type Peer = (IpAddr, u64);

impl Ended {
    fn add(&mut self, now: Monotonic, id: Id, peer: Peer) {
        while let Some((at, oldest, whose)) = self.order.front().copied()
            && (self.order.len() >= MAX_ENDED || now.since(at) >= LATELY)
        {
            self.order.pop_front();
            self.ids.remove(&oldest);
            if self.peers.get(&whose) == Some(&at) {
                self.peers.remove(&whose);
            }
        }
        if self.ids.insert(id) {
            self.peers.insert(peer, now);
            self.order.push_back((now, id, peer));
        }
    }

    fn last_of(&self, peer: Peer) -> Option<Monotonic> {
        self.peers.get(&peer).copied()
    }

    fn contains(&self, id: &Id) -> bool {
        self.ids.contains(id)
    }
}

/// Conversations that are remembered after their end: 2 MB, and at line rate the last four seconds,
/// within which a NAS repeats what it takes for lost.
const MAX_ENDED: usize = 16_384;

/// From when on a peer counts as silent where places are short: a supplicant answers within some
/// tenths of a second. Workers begin some 8,000 conversations of a core in a second at most, which is
/// twice the places by default, so that a flood always has silent ones.
const SILENT: Duration = Duration::from_millis(500);

/// How long after one was put out a State that leads nowhere may be its: peers answer within that.
const LATELY: Duration = Duration::from_secs(30);

/// Places looked at for a silent one: those that are away, or another source's, are passed over.
const LOOKED_AT: usize = 64;

#[cfg(test)]
mod tests;
