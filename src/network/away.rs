//! Requests that wait for a job, bounded in number and in time.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::model::Monotonic;
use crate::network::Door;
use crate::network::admission::PeerIdentity;
use crate::network::attempt::Pending;
use crate::network::conversation::Standing;
use crate::network::conversation::State;
use crate::network::forward::AtHome;
use crate::network::job::Lane;
use crate::network::job::Ticket;
use crate::network::judge::ConversationJudge;
use crate::radius::HeldOrigin;
use crate::radius::Nas;
use crate::radius::Origin;
use crate::radius::Ticket as Held;

/// A verified request that is being answered.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) door: Door,
    pub(super) from: SocketAddr,
    pub(super) nas: &'a Arc<Nas>,
    pub(super) origin: Origin<'a>,
    /// When it came.
    pub(super) came: Monotonic,
    pub(super) held: Option<Held>,
    /// Of a NAS that takes Disconnect-Requests.
    pub(super) peer: Option<Arc<PeerIdentity>>,
}

/// A request that waits for a job, and what its answer will need.
#[derive(Debug)]
pub(super) struct Away {
    pub(super) door: Door,
    pub(super) from: SocketAddr,
    pub(super) nas: Arc<Nas>,
    pub(super) origin: HeldOrigin,
    pub(super) came: Monotonic,
    pub(super) held: Option<Held>,
    pub(super) peer: Option<Arc<PeerIdentity>>,
    pub(super) waiting: Waiting,
    /// Whether its job waits for a server.
    pub(super) elsewhere: bool,
}

/// What for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A conversation's flight; the conversation itself is in the job.
    Handshake(Parted),
    /// The answer of a home server.
    Home(AtHome),
    /// A slow hash, or a server that knows passwords.
    Password(Box<Pending>),
}

/// A slot without its conversation, and what the answer will need of the request.
#[derive(Clone, Debug)]
pub(super) struct Parted {
    /// Where its place is kept.
    pub(super) state: State,
    pub(super) judge: Arc<ConversationJudge>,
    pub(super) standing: Standing,
    pub(super) wants_key_name: bool,
    /// Whose password is looked at meanwhile, if one is.
    pub(super) guess: Option<Box<str>>,
}

impl Away {
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            door: self.door,
            from: self.from,
            nas: &self.nas,
            origin: self.origin.origin(),
            came: self.came,
            held: self.held,
            peer: self.peer.clone(),
        }
    }

    pub(super) const fn lane(&self) -> Lane {
        match &self.waiting {
            Waiting::Handshake(parted) if parted.guess.is_some() => Lane::Slow,
            Waiting::Handshake(parted) if parted.standing.worked => Lane::Begun,
            Waiting::Handshake(_) => Lane::First,
            // One of a home server is in no lane.
            Waiting::Password(_) | Waiting::Home(_) => Lane::Slow,
        }
    }

    /// Whether a slow hash is under way for it.
    const fn is_hash(&self) -> bool {
        match &self.waiting {
            Waiting::Home(_) => false,
            Waiting::Handshake(parted) => parted.guess.is_some() && !self.elsewhere,
            Waiting::Password(_) => !self.elsewhere,
        }
    }

    const fn is_forward(&self) -> bool {
        matches!(self.waiting, Waiting::Home(_))
    }
}

/// All requests of a loop that are away. Handshakes are bounded by the conversations, which keep
/// their places; slow hashes by [`MAX_HASHES`], inquiries by [`MAX_INQUIRIES`], those at home servers by
/// [`MAX_FORWARDS`].
#[derive(Debug, Default)]
pub(super) struct Aways {
    requests: HashMap<Ticket, (Monotonic, Away)>,
    deadlines: BTreeSet<(Monotonic, Ticket)>,
    forwards: usize,
    hashes: usize,
    inquiries: usize,
    next: u64,
}

impl Aways {
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// Whether one more password may be checked, elsewhere or here.
    pub(super) const fn has_room(&self, elsewhere: bool) -> bool {
        if elsewhere {
            self.inquiries < MAX_INQUIRIES
        } else {
            self.hashes < MAX_HASHES
        }
    }

    /// Whether one more request may be given to a home server.
    pub(super) const fn has_room_for_forward(&self) -> bool {
        self.forwards < MAX_FORWARDS
    }

    pub(super) fn put(&mut self, deadline: Monotonic, away: Away) -> Ticket {
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        self.forwards += usize::from(away.is_forward());
        self.hashes += usize::from(away.is_hash());
        self.inquiries += usize::from(away.elsewhere);
        self.deadlines.insert((deadline, ticket));
        self.requests.insert(ticket, (deadline, away));
        ticket
    }

    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Away> {
        let (deadline, away) = self.requests.remove(&ticket)?;
        self.deadlines.remove(&(deadline, ticket));
        self.forwards -= usize::from(away.is_forward());
        self.hashes -= usize::from(away.is_hash());
        self.inquiries -= usize::from(away.elsewhere);
        Some(away)
    }

    /// One request whose job has not come back in time.
    pub(super) fn expire(&mut self, now: Monotonic) -> Option<Away> {
        let (deadline, ticket) = self.deadlines.first().copied()?;
        (deadline <= now).then(|| self.take(ticket)).flatten()
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }
}

/// Slow hashes of one loop that may be under way. At some 30 ms of a core each, more would keep
/// the handshakes behind them waiting until their NASes give up; what is dropped is asked again.
const MAX_HASHES: usize = 64;

/// Questions of one loop to servers that may be under way: they cost a kilobyte each and no thread. At
/// 10 ms an answer that is 100,000 a second; with a server that hangs, what comes in until it is given
/// up.
pub const MAX_INQUIRIES: usize = 1024;

/// Requests of one loop that home servers may have: with answers after 50 ms, 20,000 a second; with
/// none at all, what comes in a few seconds before more is dropped.
pub const MAX_FORWARDS: usize = 1024;
