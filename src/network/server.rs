//! The server of one packet loop: what comes in, in the order of its checks.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::access::Correlation;
use crate::access::CorrelationSource;
use crate::access::DecisionPoint;
use crate::access::RecordQueue;
use crate::access::Sessions;
use crate::access::Trace;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Config;
use crate::network::Counters;
use crate::network::Door;
use crate::network::Enforcement;
use crate::network::Passwords;
use crate::network::Role;
use crate::network::Transmit;
use crate::network::context::Context;
use crate::network::conversation::Conversations;
use crate::network::conversation::State;
use crate::network::discard::Discarded;
use crate::network::job::Done;
use crate::network::job::Job;
use crate::network::job::Ticket;
use crate::network::job::Worked;
use crate::network::outbox::Outbox;
use crate::radius::AccessRequest;
use crate::radius::DropReason;
use crate::radius::DuplicateCache;
use crate::radius::DuplicateLimits;
use crate::radius::HeldOrigin;
use crate::radius::Lookup;
use crate::radius::Nas;
use crate::radius::NasTable;
use crate::radius::Offered;
use crate::radius::Origin;
use crate::radius::Packet;
use crate::radius::Reply;
use crate::radius::Request;
use crate::radius::Ticket as Held;
use crate::radius::Verified;
use crate::radius::verify;

/// What a reload replaces, all at once.
#[derive(Debug)]
pub struct Settings {
    /// Who may send requests, and with what secret.
    pub nas: NasTable,
    /// TLS material and limits of EAP; a conversation keeps what it began with.
    pub eap: Arc<crate::eap::Config>,
    /// Attributes for each outcome.
    pub enforcement: Enforcement,
    /// Who knows passwords.
    pub passwords: Arc<dyn Passwords>,
    /// Bounds.
    pub config: Config,
}

/// What the loops have in common.
#[derive(Debug)]
pub struct Shared {
    /// Replaced by a reload.
    pub settings: ArcSwap<Settings>,
    /// Who decides.
    pub point: Arc<DecisionPoint>,
    /// Accounting sessions.
    pub sessions: Arc<Sessions>,
    /// Where records go.
    pub records: Arc<RecordQueue>,
    /// Numbers of records.
    pub correlations: Arc<CorrelationSource>,
    /// Fills a buffer with random octets.
    pub random: fn(&mut [u8]),
    /// How many loops there are.
    pub loops: u8,
}

/// The RADIUS server of one packet loop.
#[derive(Debug)]
pub struct Server {
    worker: u8,
    pub(super) shared: Arc<Shared>,
    pub(super) conversations: Conversations,
    /// Requests that wait for a job.
    pub(super) away: HashMap<Ticket, Away>,
    away_deadlines: VecDeque<(Monotonic, Ticket)>,
    next_ticket: u64,
    duplicates: DuplicateCache,
    outbox: Outbox,
    jobs: VecDeque<Job>,
    handovers: VecDeque<Handover>,
    pub(super) counters: Arc<Counters>,
    pub(super) trace: Trace,
}

/// A datagram that belongs to a conversation of another loop.
#[derive(Debug)]
pub struct Handover {
    worker: u8,
    door: Door,
    from: SocketAddr,
    octets: Box<[u8]>,
}

impl Handover {
    /// The loop that it belongs to.
    #[must_use]
    pub const fn worker(&self) -> u8 {
        self.worker
    }
}

/// A verified request that is being answered.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    pub(super) door: Door,
    pub(super) from: SocketAddr,
    pub(super) nas: &'a Arc<Nas>,
    pub(super) origin: Origin<'a>,
    pub(super) held: Option<Held>,
}

/// A request that waits for a job, and what its answer will need.
#[derive(Debug)]
pub(super) struct Away {
    door: Door,
    from: SocketAddr,
    nas: Arc<Nas>,
    origin: HeldOrigin,
    held: Option<Held>,
    pub(super) waiting: super::eap::Waiting,
}

impl Away {
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            door: self.door,
            from: self.from,
            nas: &self.nas,
            origin: self.origin.origin(),
            held: self.held,
        }
    }
}

impl Server {
    /// The server of loop `worker`.
    #[must_use]
    pub fn new(worker: u8, shared: Arc<Shared>) -> Self {
        Self {
            worker,
            shared,
            conversations: Conversations::new(),
            away: HashMap::new(),
            away_deadlines: VecDeque::new(),
            next_ticket: 0,
            duplicates: DuplicateCache::new(DuplicateLimits::default()),
            outbox: Outbox::default(),
            jobs: VecDeque::new(),
            handovers: VecDeque::new(),
            counters: Arc::default(),
            trace: Trace::default(),
        }
    }

    /// What this loop has done.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Takes one datagram in.
    pub fn handle_datagram(&mut self, now: Now, door: Door, from: SocketAddr, octets: &[u8]) {
        self.counters.received.count();
        let settings = self.shared.settings.load_full();
        if let Err(why) = self.receive(now, &settings, door, from, octets) {
            self.counters.discard(why);
        }
    }

    /// Takes in a datagram that another loop received.
    pub fn handle_handover(&mut self, now: Now, handover: Handover) {
        self.handle_datagram(now, handover.door, handover.from, &handover.octets);
    }

    /// Takes a finished job in.
    pub fn handle_job(&mut self, now: Now, done: Done) {
        let settings = self.shared.settings.load_full();
        // A job that took longer than its conversation may live has nobody waiting for it.
        let Some(away) = self.away.remove(&done.ticket) else {
            return;
        };
        match done.result {
            Worked::Handshake(conversation, step) => {
                self.resume_conversation(now, &settings, &away, conversation, step);
            }
            Worked::Password(accepted) => {
                self.resume_password(now, &settings, &away, accepted);
            }
        }
    }

    /// Takes back a job for which the workers have no place: its request is dropped, and the NAS
    /// will ask again.
    pub fn handle_refused_job(&mut self, job: Job) {
        self.counters.discard(Discarded::Overloaded);
        if let Some(held) = self.away.remove(&job.ticket).and_then(|away| away.held) {
            self.duplicates.abandon(held);
        }
    }

    /// Lets go of what has waited too long.
    pub fn handle_timeout(&mut self, now: Now) {
        self.duplicates.handle_timeout(now.monotonic);
        let abandoned = self.conversations.expire(now.monotonic);
        for _ in 0..abandoned {
            self.counters.abandoned.count();
        }
        while let Some((deadline, ticket)) = self.away_deadlines.front().copied()
            && deadline <= now.monotonic
        {
            self.away_deadlines.pop_front();
            self.away.remove(&ticket);
        }
    }

    /// The replies to send, until [`clear_transmits`](Self::clear_transmits).
    pub fn transmits(&self) -> impl Iterator<Item = Transmit<'_>> {
        self.outbox.iter()
    }

    /// Forgets the replies; they have been sent.
    pub fn clear_transmits(&mut self) {
        self.outbox.clear();
    }

    /// The next job for a worker thread.
    pub fn poll_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// The next datagram for another loop.
    pub fn poll_handover(&mut self) -> Option<Handover> {
        self.handovers.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let job = self.away_deadlines.front().map(|(deadline, _)| *deadline);
        [
            self.conversations.next_deadline(),
            self.duplicates.poll_timeout(),
            job,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn receive(
        &mut self,
        now: Now,
        settings: &Arc<Settings>,
        door: Door,
        from: SocketAddr,
        octets: &[u8],
    ) -> Result<(), Discarded> {
        let nas = settings.nas.find(from.ip()).ok_or(DropReason::UnknownNas)?;
        let packet = Packet::new_checked(octets).map_err(DropReason::from)?;
        match self.duplicates.find(now.monotonic, from, &packet) {
            Lookup::New => {}
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
        let verified = verify(packet, nas)?;
        let request = verified.request().map_err(DropReason::from)?;
        if let (Request::Access(request), Role::Authentication) = (&request, door.role)
            && let Some(worker) = self.other_loop(request)
        {
            self.handovers.push_back(Handover {
                worker,
                door,
                from,
                octets: octets.into(),
            });
            return Ok(());
        }
        let held = self.duplicates.begin(now.monotonic, from, &verified);
        let asked = Asked {
            door,
            from,
            nas,
            origin: verified.origin(),
            held,
        };
        match (request, door.role) {
            (Request::Access(request), Role::Authentication) => {
                self.access(now, settings, &asked, &request, &verified)
            }
            (Request::Accounting(request), Role::Accounting) => {
                self.account(now, &asked, &request);
                Ok(())
            }
            (Request::Status(_), role) => {
                self.counters.status.count();
                self.reply(now, &asked, |buffer, origin, nas| {
                    let secret = nas.secret();
                    match role {
                        Role::Authentication => Reply::access_accept(buffer, origin, secret),
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
        settings: &Arc<Settings>,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        match request.offered() {
            Offered::Eap => self.eap(now, settings, asked, request, verified),
            Offered::UserPassword => {
                self.password(now, settings, asked, request, verified);
                Ok(())
            }
            Offered::Nothing => {
                self.bypass(now, settings, asked, request);
                Ok(())
            }
            Offered::ChapPassword => {
                let context = Context::new(asked.from.ip(), asked.nas, request);
                let user = String::from_utf8_lossy(request.user_name().unwrap_or(&[]));
                let why = "CHAP is not offered here";
                self.refuse(now, settings, asked, &context, "chap", &user, why);
                Ok(())
            }
        }
    }

    /// The loop that has the conversation of this request, if it is not this one.
    fn other_loop(&self, request: &AccessRequest<'_>) -> Option<u8> {
        let worker = State::parse(request.state()?)?.worker();
        (worker != self.worker && worker < self.shared.loops).then_some(worker)
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
        let written = self.outbox.put(asked.door, asked.from, |buffer| {
            let reply = build(buffer, asked.origin.clone(), nas);
            reply.finish().map(<[u8]>::len).ok()
        });
        match written {
            Some(octets) => {
                if let Some(held) = asked.held {
                    self.duplicates.complete(now.monotonic, held, octets);
                }
                true
            }
            None => {
                self.forget(asked);
                false
            }
        }
    }

    /// Sends a job away; its request waits for it.
    pub(super) fn send_away(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        origin: HeldOrigin,
        waiting: super::eap::Waiting,
        work: super::job::Work,
    ) {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let away = Away {
            door: asked.door,
            from: asked.from,
            nas: Arc::clone(asked.nas),
            origin,
            held: asked.held,
            waiting,
        };
        self.away.insert(ticket, away);
        self.away_deadlines
            .push_back((now.monotonic + settings.config.patience, ticket));
        self.jobs.push_back(Job { ticket, work });
    }

    /// Lets go of a request that gets no answer, so that its retransmission is a new one.
    pub(super) fn forget(&mut self, asked: &Asked<'_>) {
        if let Some(held) = asked.held {
            self.duplicates.abandon(held);
        }
    }

    pub(super) fn count_decision(&self, verdict: Verdict) {
        match verdict {
            Verdict::Allow => self.counters.allowed.count(),
            Verdict::Quarantine => self.counters.quarantined.count(),
            Verdict::Block => self.counters.blocked.count(),
        }
    }

    /// A new State of this loop.
    pub(super) fn new_state(&self) -> State {
        let mut random = [0; 16];
        (self.shared.random)(&mut random);
        State::new(self.worker, u128::from_ne_bytes(random))
    }

    pub(super) fn new_correlation(&self) -> Correlation {
        self.shared.correlations.next()
    }
}
