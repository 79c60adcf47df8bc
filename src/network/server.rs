//! The server of one packet loop: what comes in, in the order of its checks.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::access::Correlation;
use crate::access::Trace;
use crate::model::Monotonic;
use crate::model::Now;
use crate::network::Backlog;
use crate::network::Counters;
use crate::network::Door;
use crate::network::Forwarding;
use crate::network::Handover;
use crate::network::Role;
use crate::network::Settings;
use crate::network::Shared;
use crate::network::Transmit;
use crate::network::abandon::Rations;
use crate::network::admission::PeerIdentity;
use crate::network::arrival::Arrived;
use crate::network::arrival::Unsigned;
use crate::network::away::Asked;
use crate::network::away::Aways;
use crate::network::chance::Chance;
use crate::network::conversation::Conversations;
use crate::network::delay::Delays;
use crate::network::discard::Discarded;
use crate::network::guess::Guesses;
use crate::network::job::Job;
use crate::network::ledger::Ledger;
use crate::network::outbox::Outbox;
use crate::radius::AccessRequest;
use crate::radius::DropReason;
use crate::radius::DuplicateCache;
use crate::radius::DuplicateLimits;
use crate::radius::Lanes;
use crate::radius::Lookup;
use crate::radius::Nas;
use crate::radius::Offered;
use crate::radius::Origin;
use crate::radius::Reply;
use crate::radius::Request;
use crate::radius::Unsealed;
use crate::radius::Verified;
use crate::radius::verify;

mod jobs;

/// The RADIUS server of one packet loop.
pub struct Server {
    pub(super) worker: u8,
    pub(super) chance: Chance,
    pub(super) shared: Arc<Shared>,
    pub(super) conversations: Conversations,
    /// Of records about those that were left.
    pub(super) rations: Rations,
    pub(super) away: Aways,
    pub(super) duplicates: DuplicateCache,
    pub(super) outbox: Outbox,
    /// Signs and verifies what came together.
    pub(super) lanes: Lanes,
    /// Which datagram of a batch is being answered: its reply is signed with those of the others.
    pub(super) answering: Option<usize>,
    /// Replies that wait for that; none are left when a batch has been handled.
    pub(super) unsigned: Vec<Unsigned>,
    pub(super) ledger: Ledger,
    /// Rejects that wait for their time.
    pub(super) delays: Delays,
    /// Wrong passwords of late.
    pub(super) guesses: Guesses,
    jobs: VecDeque<Job>,
    pub(super) forwards: VecDeque<Forwarding>,
    pub(super) handovers: VecDeque<Handover>,
    pub(super) counters: Arc<Counters>,
    pub(super) trace: Trace,
    /// Whether only conversations that have begun are gone on with, because this is the end.
    pub(super) draining: bool,
    /// How far the workers are behind.
    pub(super) backlog: Backlog,
}

/// Without conversations, requests and replies: they hold names and keys.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("worker", &self.worker)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// The server of loop `worker`.
    #[must_use]
    pub fn new(worker: u8, shared: Arc<Shared>) -> Self {
        Self {
            worker,
            chance: Chance::new(shared.random),
            shared,
            conversations: Conversations::new(),
            rations: Rations::new(),
            away: Aways::default(),
            duplicates: DuplicateCache::new(DuplicateLimits::default()),
            outbox: Outbox::default(),
            lanes: Lanes::new(),
            answering: None,
            unsigned: Vec::new(),
            ledger: Ledger::default(),
            delays: Delays::new(),
            guesses: Guesses::new(),
            jobs: VecDeque::new(),
            forwards: VecDeque::new(),
            handovers: VecDeque::new(),
            counters: Arc::default(),
            trace: Trace::default(),
            draining: false,
            backlog: Backlog::default(),
        }
    }

    /// What this loop has done.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// From now on only goes on with what has begun: the gateway is about to stop.
    pub fn refuse_new_conversations(&mut self) {
        self.draining = true;
    }

    /// Says how far the workers are behind. While they are, new conversations are dropped and
    /// counted: their NASes ask again, or elsewhere. Those that have begun go on.
    pub const fn set_backlog(&mut self, backlog: Backlog) {
        self.backlog = backlog;
    }

    /// Whether nothing has begun that is not finished. Conversations whose peer has not answered
    /// yet do not count: anybody can begin those.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.away.is_empty() && self.delays.is_empty() && self.conversations.is_quiet()
    }

    /// Takes one datagram in.
    pub fn handle_datagram(&mut self, now: Now, door: Door, from: SocketAddr, octets: &[u8]) {
        self.counters.received.count();
        self.take_in(now, door, from, None, octets);
    }

    /// Lets go of what has waited too long.
    pub fn handle_timeout(&mut self, now: Now) {
        self.send_due(now);
        self.duplicates.handle_timeout(now.monotonic);
        while let Some(away) = self.away.expire(now.monotonic) {
            self.guess_ended(&away);
            self.give_up(&away);
        }
        self.let_go_of_the_silent(now);
    }

    /// The replies to send, until [`clear_transmits`](Self::clear_transmits). Those to accounting
    /// are among them once [`handle_recorded`](Self::handle_recorded) was called.
    pub fn transmits(&self) -> impl Iterator<Item = Transmit<'_>> {
        self.outbox.iter().chain(self.ledger.transmits())
    }

    /// Forgets the replies; they have been sent.
    pub fn clear_transmits(&mut self) {
        self.outbox.clear();
        self.ledger.clear_transmits();
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        [
            self.conversations.next_deadline(),
            self.duplicates.poll_timeout(),
            self.away.next_deadline(),
            self.delays.next_due(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn take_in(
        &mut self,
        now: Now,
        door: Door,
        from: SocketAddr,
        nas: Option<&Arc<Nas>>,
        octets: &[u8],
    ) -> Option<Discarded> {
        let settings = self.shared.settings.load();
        let arrived = match nas {
            Some(nas) => Arrived::of(nas, from, octets),
            None => Arrived::new(&settings, from, octets),
        };
        let taken_in =
            arrived.and_then(|arrived| self.receive(now, &settings, door, &[Some(arrived)], 0));
        let discarded = taken_in.err();
        if let Some(why) = discarded {
            self.counters.discard(why);
        }
        discarded
    }

    /// Handles one datagram of those that came together.
    pub(super) fn receive(
        &mut self,
        now: Now,
        settings: &Settings,
        door: Door,
        batch: &[Option<Arrived<'_>>],
        number: usize,
    ) -> Result<(), Discarded> {
        let Some(Some(arrived)) = batch.get(number) else {
            return Ok(());
        };
        let Arrived {
            from,
            nas,
            packet,
            verdict,
        } = *arrived;
        match self.duplicates.find(now.monotonic, from, &packet) {
            Lookup::New => {}
            // Its reply is already written: it came in the same batch.
            Lookup::InProgress if !self.unsigned.is_empty() => {
                self.sign(now, batch);
                return self.receive(now, settings, door, batch, number);
            }
            Lookup::InProgress => return Err(DropReason::DuplicateInProgress.into()),
            Lookup::Replay(reply) => {
                self.counters.replayed.count();
                self.outbox.put(door, from, |buffer| {
                    buffer.get_mut(..reply.len())?.copy_from_slice(reply);
                    Some(reply.len())
                });
                return Ok(());
            }
        }
        let verified = verdict.unwrap_or_else(|| verify(packet, nas))?;
        let request = verified.request().map_err(DropReason::from)?;
        if let (Request::Access(request), Role::Authentication | Role::Both) = (&request, door.role)
            && let Some(worker) = self.other_loop(request)
        {
            return self.hand_over(worker, door, from, nas, &packet);
        }
        let held = self.duplicates.begin(now.monotonic, from, &verified);
        let mut asked = Asked {
            door,
            from,
            nas,
            origin: verified.origin(),
            came: now.monotonic,
            held,
            peer: None,
        };
        if settings.routes.is_some()
            && serves(door.role, &request)
            && let Some(route) = Self::route(settings, &request)
        {
            if let (Request::Access(request), true) =
                (&request, nas.dynamic_authorization().is_some())
            {
                asked.peer = Some(Arc::new(PeerIdentity::of(request)));
            }
            return self.forward(now, settings, &asked, (&request, &verified), &route);
        }
        match (request, door.role) {
            (Request::Access(request), Role::Authentication | Role::Both) => {
                if nas.dynamic_authorization().is_some() {
                    asked.peer = Some(Arc::new(PeerIdentity::of(&request)));
                }
                self.access(now, settings, &asked, &request, &verified)
            }
            (Request::Accounting(request), Role::Accounting | Role::Both) => {
                self.account(now, &asked, &request);
                Ok(())
            }
            (Request::Status(_), role) => {
                self.counters.status.count();
                self.reply(now, &asked, |buffer, origin, nas| {
                    let secret = nas.secret();
                    match role {
                        Role::Authentication | Role::Both => {
                            Reply::access_accept(buffer, origin, secret)
                        }
                        Role::Accounting => Reply::accounting_response(buffer, origin, secret),
                    }
                });
                Ok(())
            }
            (Request::Access(_), Role::Accounting)
            | (Request::Accounting(_), Role::Authentication) => {
                self.forget(&asked);
                Err(DropReason::UnexpectedCode.into())
            }
        }
    }

    fn access(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        match request.offered() {
            Offered::Eap => self.eap(now, settings, asked, request, verified),
            Offered::UserPassword => self.password(now, settings, asked, request, verified),
            Offered::Nothing => {
                self.bypass(now, settings, asked, request);
                Ok(())
            }
            Offered::ChapPassword => self.chap(now, settings, asked, request, verified),
            Offered::MsChap => self.ms_chap(now, settings, asked, request, verified),
        }
    }

    /// Writes, signs, stores and sends a reply. A reply that cannot be written (its configured
    /// attributes do not fit) sends nothing, which no NAS takes for an Accept.
    pub(super) fn reply<'r>(
        &mut self,
        now: Now,
        asked: &Asked<'r>,
        build: impl for<'b> FnOnce(&'b mut [u8], Origin<'r>, &'r Nas) -> Reply<'b, 'r>,
    ) -> bool {
        let nas: &'r Nas = asked.nas;
        let mut unsealed = None;
        let alone = self.answering.is_none();
        let written = self.outbox.put(asked.door, asked.from, |buffer| {
            let reply = build(buffer, asked.origin.clone(), nas);
            if alone {
                return reply.finish().map(<[u8]>::len).ok();
            }
            unsealed = reply.finish_unsealed().ok();
            unsealed.as_ref().map(Unsealed::length)
        });
        match written {
            Some(octets) => {
                match (self.answering, unsealed) {
                    (Some(number), Some(unsealed)) => self.unsigned.push(Unsigned {
                        slot: self.outbox.len().saturating_sub(1),
                        number,
                        held: asked.held,
                        unsealed,
                    }),
                    _ => {
                        if let Some(held) = asked.held {
                            self.duplicates.complete(now.monotonic, held, octets);
                        }
                    }
                }
                true
            }
            None => {
                self.too_long(asked);
                false
            }
        }
    }

    /// Lets go of a request that gets no answer, so that its retransmission is a new one.
    pub(super) fn forget(&mut self, asked: &Asked<'_>) {
        if let Some(held) = asked.held {
            self.duplicates.abandon(held);
        }
    }

    pub(super) fn new_correlation(&self) -> Correlation {
        self.shared.correlations.next()
    }
}

/// Whether such a request is expected at a door of that kind.
const fn serves(role: Role, request: &Request<'_>) -> bool {
    match (request, role) {
        (Request::Access(_), Role::Authentication | Role::Both)
        | (Request::Accounting(_), Role::Accounting | Role::Both) => true,
        (Request::Access(_), Role::Accounting)
        | (Request::Accounting(_), Role::Authentication)
        | (Request::Status(_), _) => false,
    }
}
