//! Requests that other servers answer: who is asked, how often, and who is believed (RFC 2865
//! section 2.3, RFC 5080 section 2.2.1, RFC 5997).
//!
//! A core of its own beside the packet loops: one for the whole gateway, so that what is known of a
//! home server's health is known once. A loop gives a request away as a [`Forwarding`] and gets a
//! [`Done`] for it within [`LONGEST`], whatever the home servers do.
//!
//! A home server that leaves a request without an answer is a *zombie*: others of its pool go
//! before it, and it is asked by Status-Server whether it lives. After ten seconds of that it is
//! *dead* and asked for nothing else until it answers. One that does not know Status-Server is
//! tried again after half a minute.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::model::Monotonic;
use crate::model::Secret;
use crate::network::Counter;
use crate::network::job::Done;
use crate::network::job::Ticket;
use crate::network::job::Worked;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::Forward;
use crate::radius::MAX_PACKET;
use crate::radius::Packet;
use crate::radius::RealmTable;
use crate::radius::RequestAuthenticator;
use crate::radius::RequestBuilder;
use crate::radius::Returned;
use crate::radius::SharedSecret;
use crate::radius::Signature;
use crate::radius::verify_reply;

/// A home server, as configured.
#[derive(Clone, Debug)]
pub struct HomeConfig {
    /// Its name in records, metrics and the log.
    pub name: String,
    /// Where it takes Access-Requests, if it does.
    pub authentication: Option<SocketAddr>,
    /// Where it takes Accounting-Requests, if it does.
    pub accounting: Option<SocketAddr>,
    /// The shared secret.
    pub secret: Secret,
    /// Whether its answers to Access-Requests must have a Message-Authenticator (CVE-2024-3596).
    pub signed: bool,
    /// Whether it knows Status-Server (RFC 5997).
    pub status: bool,
}

/// A home server in use.
#[derive(Debug)]
pub struct Home {
    config: HomeConfig,
    secret: SharedSecret,
    health: Mutex<Health>,
    /// What it was asked and has answered.
    pub counters: HomeCounters,
}

/// What a home server was asked and has answered.
#[derive(Debug, Default)]
pub struct HomeCounters {
    /// Requests, repetitions not counted.
    pub asked: Counter,
    /// Those that were sent once more.
    pub repeated: Counter,
    /// Answers that were believed.
    pub answered: Counter,
    /// Requests without an answer.
    pub silent: Counter,
    /// Packets from its address that answer nothing, or are signed wrongly or not at all.
    pub stray: Counter,
}

/// Whether a home server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It answers.
    Alive,
    /// It has left a request without an answer, at that time.
    Zombie(Monotonic),
    /// It has answered nothing for long, since that time.
    Dead(Monotonic),
}

impl Health {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Zombie(_) => "zombie",
            Self::Dead(_) => "dead",
        }
    }
}

impl Home {
    /// A home server of which nothing bad is known.
    #[must_use]
    pub fn new(config: HomeConfig) -> Self {
        Self {
            secret: SharedSecret::new(config.secret.clone()),
            config,
            health: Mutex::new(Health::Alive),
            counters: HomeCounters::default(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether it is asked.
    #[must_use]
    pub fn health(&self) -> Health {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }

    const fn address(&self, accounting: bool) -> Option<SocketAddr> {
        if accounting {
            self.config.accounting
        } else {
            self.config.authentication
        }
    }
}

/// What becomes of the requests of a realm.
#[derive(Debug)]
pub struct Route {
    /// As it stands in the configuration.
    pub realm: Box<str>,
    /// Who is asked, the preferred one first.
    pub homes: Vec<Arc<Home>>,
    /// Whether we judge the device of whom a home server lets in.
    pub judged: bool,
    /// Whether the home server's authorisation reaches the NAS; else ours stands in its place.
    pub authorization_kept: bool,
}

/// Which requests go to home servers.
#[derive(Debug, Default)]
pub struct Routes {
    /// By realm; `None` is answered here.
    pub realms: RealmTable<Option<Arc<Route>>>,
    /// Every home server.
    pub homes: Vec<Arc<Home>>,
    /// What we mark our requests with: a request that comes back with it goes round in a circle.
    pub mark: Box<[u8]>,
}

/// A request for a home server, on its way out of a packet loop.
#[derive(Debug)]
pub struct Forwarding {
    pub(super) worker: u8,
    pub(super) ticket: Ticket,
    pub(super) route: Arc<Route>,
    pub(super) forward: Forward,
}

impl Forwarding {
    /// The answer that nobody gives.
    #[must_use]
    pub const fn unanswered(&self) -> Done {
        Done {
            ticket: self.ticket,
            result: Worked::Home(None),
        }
    }
}

/// From which of our sockets, to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Via {
    /// The number of the socket, under [`SOCKETS`].
    pub socket: u8,
    /// The home server.
    pub to: SocketAddr,
}

type Key = (Via, u8);

struct Flight {
    purpose: Purpose,
    home: Arc<Home>,
    octets: Vec<u8>,
    tries: u32,
    first_sent: Monotonic,
    /// When it is tried again.
    due: Monotonic,
}

enum Purpose {
    Request {
        forwarding: Forwarding,
        /// Who was asked before.
        asked: Vec<Arc<Home>>,
        give_up: Monotonic,
    },
    Status,
}

/// The client side of proxying.
pub struct Proxy {
    flights: HashMap<Key, Flight>,
    /// Socket and identifier that were taken last, for each address.
    last: HashMap<SocketAddr, u16>,
    timers: BTreeSet<(Monotonic, Key)>,
    transmits: VecDeque<(Via, Vec<u8>)>,
    done: VecDeque<(u8, Done)>,
    /// Home servers that are not alive, and when each is looked after next.
    suspects: Vec<(Monotonic, Arc<Home>)>,
    random: fn(&mut [u8]),
}

impl Proxy {
    /// A proxy that has asked nobody yet; `random` fills a buffer with random octets.
    #[must_use]
    pub fn new(random: fn(&mut [u8])) -> Self {
        Self {
            flights: HashMap::new(),
            last: HashMap::new(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            done: VecDeque::new(),
            suspects: Vec::new(),
            random,
        }
    }

    /// Takes a request on.
    pub fn handle_forward(&mut self, now: Monotonic, forwarding: Forwarding) {
        self.ask(now, forwarding, Vec::new(), now + LONGEST);
    }

    /// Takes a datagram that came to one of our sockets.
    pub fn handle_datagram(&mut self, via: Via, octets: &[u8]) {
        let Ok(reply) = Packet::new_checked(octets) else {
            return;
        };
        let key = (via, reply.identifier());
        let Some(flight) = self.flights.get(&key) else {
            return;
        };
        let home = Arc::clone(&flight.home);
        let Ok(request) = Packet::new_checked(&flight.octets) else {
            return;
        };
        let Ok(verified) = verify_reply(reply, &request, &home.secret) else {
            home.counters.stray.count();
            return;
        };
        let forgeable = verified.signature() == Signature::Missing
            && request.code() != Code::AccountingRequest
            && home.config.signed;
        if forgeable || reply.code() == Code::ProtocolError {
            home.counters.stray.count();
            return;
        }
        let authenticator = request.request_authenticator();
        let returned = Returned::new(&reply, &home.secret, &authenticator);
        self.is_alive(&home);
        home.counters.answered.count();
        let Some(flight) = self.land(&key) else {
            return;
        };
        if let Purpose::Request { forwarding, .. } = flight.purpose {
            let done = Done {
                ticket: forwarding.ticket,
                result: Worked::Home(returned.map(|answer| (home, Box::new(answer)))),
            };
            self.done.push_back((forwarding.worker, done));
        }
    }

    /// Repeats what was not answered in time, asks somebody else in the end, and looks after those
    /// that do not answer.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        while let Some((at, key)) = self.timers.first().copied() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.try_again(now, key);
        }
        // One that a reload has taken out of the configuration is nobody's any more.
        self.suspects
            .retain(|(_, home)| Arc::strong_count(home) > 1);
        let due: Vec<Arc<Home>> = {
            let due = self.suspects.iter_mut().filter(|(at, _)| *at <= now);
            due.map(|(at, home)| {
                *at = now + PROBES;
                Arc::clone(home)
            })
            .collect()
        };
        for home in due {
            self.look_after(now, &home);
        }
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<(Via, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// The next answer, and the loop that it is for.
    pub fn poll_done(&mut self) -> Option<(u8, Done)> {
        self.done.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let suspect = self.suspects.iter().map(|(at, _)| *at).min();
        timer.into_iter().chain(suspect).min()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.flights.len()
    }

    /// Asks the next one of the pool, or says that nobody answers.
    fn ask(
        &mut self,
        now: Monotonic,
        forwarding: Forwarding,
        asked: Vec<Arc<Home>>,
        give_up: Monotonic,
    ) {
        let accounting = forwarding.forward.is_accounting();
        let chosen = (now < give_up)
            .then(|| choose(&forwarding.route.homes, &asked, accounting))
            .flatten();
        let started = chosen.and_then(|(home, to)| {
            let key = self.free_key(to)?;
            let mut authenticator = [0; 16];
            (self.random)(&mut authenticator);
            let authenticator = RequestAuthenticator::new(authenticator);
            let mut buffer = [0; MAX_PACKET];
            let octets = forwarding
                .forward
                .write(&mut buffer, key.1, authenticator, &home.secret)
                .ok()?
                .to_vec();
            Some((home, key, octets))
        });
        let Some((home, key, octets)) = started else {
            let done = forwarding.unanswered();
            self.done.push_back((forwarding.worker, done));
            return;
        };
        let purpose = Purpose::Request {
            forwarding,
            asked,
            give_up,
        };
        self.launch(now, key, home, octets, purpose);
    }

    fn launch(
        &mut self,
        now: Monotonic,
        key: Key,
        home: Arc<Home>,
        octets: Vec<u8>,
        purpose: Purpose,
    ) {
        home.counters.asked.count();
        self.transmits.push_back((key.0, octets.clone()));
        let due = now + FIRST_WAIT;
        self.timers.insert((due, key));
        let flight = Flight {
            purpose,
            home,
            octets,
            tries: 1,
            first_sent: now,
            due,
        };
        self.flights.insert(key, flight);
    }

    /// A socket and identifier that nothing waits for; `None` when everything does.
    fn free_key(&mut self, to: SocketAddr) -> Option<Key> {
        let last = self.last.entry(to).or_default();
        for _ in 0..u16::from(SOCKETS) << 8 {
            *last = last.wrapping_add(1) % (u16::from(SOCKETS) << 8);
            let [socket, identifier] = last.to_be_bytes();
            let key = (Via { socket, to }, identifier);
            if !self.flights.contains_key(&key) {
                return Some(key);
            }
        }
        None
    }

    fn try_again(&mut self, now: Monotonic, key: Key) {
        let Some(flight) = self.flights.get_mut(&key) else {
            return;
        };
        if flight.tries < TRIES && matches!(flight.purpose, Purpose::Request { .. }) {
            flight.tries += 1;
            flight.due = now + FIRST_WAIT;
            self.timers.insert((flight.due, key));
            self.transmits.push_back((key.0, flight.octets.clone()));
            flight.home.counters.repeated.count();
            return;
        }
        let Some(flight) = self.land(&key) else {
            return;
        };
        flight.home.counters.silent.count();
        self.is_silent(now, &flight.home, flight.first_sent);
        if let Purpose::Request {
            forwarding,
            mut asked,
            give_up,
        } = flight.purpose
        {
            asked.push(flight.home);
            self.ask(now, forwarding, asked, give_up);
        }
    }

    fn land(&mut self, key: &Key) -> Option<Flight> {
        let flight = self.flights.remove(key)?;
        self.timers.remove(&(flight.due, *key));
        Some(flight)
    }

    fn is_alive(&mut self, home: &Arc<Home>) {
        if home.health() != Health::Alive {
            home.set(Health::Alive);
        }
        self.suspects.retain(|(_, one)| !Arc::ptr_eq(one, home));
    }

    /// A request that was first sent at `since` has got no answer.
    fn is_silent(&mut self, now: Monotonic, home: &Arc<Home>, since: Monotonic) {
        match home.health() {
            Health::Alive => {
                home.set(Health::Zombie(since));
                if !self.suspects.iter().any(|(_, one)| Arc::ptr_eq(one, home)) {
                    self.suspects.push((now, Arc::clone(home)));
                }
            }
            Health::Zombie(since) if now.since(since) >= AGONY => home.set(Health::Dead(since)),
            Health::Zombie(_) | Health::Dead(_) => {}
        }
    }

    fn look_after(&mut self, now: Monotonic, home: &Arc<Home>) {
        let (Health::Zombie(since) | Health::Dead(since)) = home.health() else {
            self.is_alive(home);
            return;
        };
        if !home.config.status {
            if now.since(since) >= REVIVAL {
                self.is_alive(home);
            }
            return;
        }
        let Some(to) = home.config.authentication.or(home.config.accounting) else {
            return;
        };
        let Some(key) = self.free_key(to) else {
            return;
        };
        let mut authenticator = [0; 16];
        (self.random)(&mut authenticator);
        let authenticator = RequestAuthenticator::new(authenticator);
        let mut buffer = [0; MAX_PACKET];
        let mut request =
            RequestBuilder::status_server(&mut buffer, key.1, authenticator, &home.secret);
        // Some servers want to know who asks (RFC 5997 section 3).
        request.octets(AttributeType::NAS_IDENTIFIER, b"portreeve");
        if let Ok(octets) = request.finish() {
            let octets = octets.to_vec();
            self.launch(now, key, Arc::clone(home), octets, Purpose::Status);
        }
    }
}

/// The first of those that live, else of those that might, that was not asked before.
fn choose(
    homes: &[Arc<Home>],
    asked: &[Arc<Home>],
    accounting: bool,
) -> Option<(Arc<Home>, SocketAddr)> {
    let new = || {
        homes.iter().filter_map(|home| {
            let before = asked.iter().any(|one| Arc::ptr_eq(one, home));
            let address = home.address(accounting).filter(|_| !before)?;
            Some((home, address, home.health()))
        })
    };
    let alive = new().find(|(_, _, health)| *health == Health::Alive);
    let chosen = alive.or_else(|| new().find(|(_, _, health)| matches!(health, Health::Zombie(_))));
    chosen.map(|(home, address, _)| (Arc::clone(home), address))
}

/// How many wait, and not for what.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("flights", &self.flights.len())
            .field("suspects", &self.suspects.len())
            .finish_non_exhaustive()
    }
}

/// Sockets that requests leave from: each has 256 identifiers for a home server, and a packet loop
/// gives no more than 1,024 requests away at a time.
pub const SOCKETS: u8 = 8;

/// How long each try waits: longer than a server delays its rejects (a second, as a rule), shorter
/// than half of what NASes wait (5 s).
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Tries of each home server.
const TRIES: u32 = 2;

/// After which a request is given up: its NAS has asked again or elsewhere by then.
const LONGEST: Duration = Duration::from_secs(12);

/// How long a zombie is a last resort.
const AGONY: Duration = Duration::from_secs(10);

/// How often one that does not answer is asked whether it lives.
const PROBES: Duration = Duration::from_secs(3);

/// After which one that does not know Status-Server is tried again.
const REVIVAL: Duration = Duration::from_secs(30);
