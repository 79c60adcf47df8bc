//! Requests that other servers answer: who is asked, how often, and who is believed (RFC 2865
//! section 2.3, RFC 5080 section 2.2.1, RFC 5997, RFC 6613, RFC 6614).
//!
//! A core of its own beside the packet loops: one for the whole gateway, so that what is known of a
//! home server's health is known once. A loop gives a request away as a [`Forwarding`] and gets a
//! [`Done`] for it within [`LONGEST`], whatever the home servers do.
//!
//! A home server that leaves a request without an answer is a *zombie*: others of its pool go
//! before it, and it is asked by Status-Server whether it lives. After ten seconds of that it is
//! *dead* and asked for nothing else until it answers. One that does not know Status-Server is
//! tried again after half a minute.
//!
//! Over UDP a request is repeated; over TLS it is not, because TCP does that (RFC 6613 section 2.1),
//! but it is asked again on another connection if its own ends. A conversation stays with the home
//! server that began it: no other one knows its State.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Monotonic;
use crate::network::job::Done;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::MAX_PACKET;
use crate::radius::NOT_ROUTABLE;
use crate::radius::Packet;
use crate::radius::Returned;
use crate::radius::answer_11;
use crate::radius::realm_of;
use crate::radius::realm_to_look_up;
use crate::radius::refuse_reverse;
use crate::radius::token_of;

mod ask;
mod choose;
mod flight;
mod health;
mod home;
mod realms;
mod route;
mod send;
mod sticky;
mod trunk;

pub use flight::LinkId;
pub use flight::Via;
pub use home::Health;
pub use home::Home;
pub use home::HomeConfig;
pub use home::HomeCounters;
pub use home::TlsWay;
pub use home::Way;
pub use realms::Discovered;
pub use realms::Discovery;
pub use realms::Found;
pub use realms::Server as FoundServer;
pub use route::Filters;
pub use route::Forwarding;
pub use route::Nobody;
pub use route::Route;
pub use route::Routes;
pub use trunk::Spoken;

use flight::Asking;
use flight::Flights;
use realms::Answer;
use realms::Realms;
use send::believe;
use sticky::Sticky;
use trunk::Trunks;

/// The client side of proxying.
pub struct Proxy {
    flights: Flights,
    trunks: Trunks,
    sticky: Sticky,
    realms: Realms,
    /// Socket and identifier that were taken last, for each address.
    last: HashMap<SocketAddr, u16>,
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
        let mut key = [0; 16];
        random(&mut key);
        Self {
            flights: Flights::default(),
            trunks: Trunks::new(random),
            sticky: Sticky::new(key),
            realms: Realms::new(),
            last: HashMap::new(),
            transmits: VecDeque::new(),
            done: VecDeque::new(),
            suspects: Vec::new(),
            random,
        }
    }

    /// These are configured from now on. Connections to others are closed when what is under way on
    /// them has ended.
    pub fn handle_homes(&mut self, now: Monotonic, homes: &[Arc<Home>]) {
        self.trunks.configure(now, homes);
    }

    /// Home servers are looked up so from now on, or not any more.
    pub fn handle_discovery(&mut self, discovery: Option<Discovery>) {
        self.realms.configure(discovery);
    }

    /// Takes a request on.
    pub fn handle_forward(&mut self, now: Monotonic, forwarding: Forwarding) {
        let bound = self.sticky.find(now, &forwarding.forward);
        let asking = Box::new(Asking {
            forwarding,
            asked: Vec::new(),
            bound,
            found: Vec::new(),
            unfound: None,
            was_cut: false,
            give_up: now + LONGEST,
        });
        if !asking.forwarding.route.discovered || asking.bound.is_some() {
            self.ask(now, asking);
            return;
        }
        let name = asking.forwarding.forward.find(AttributeType::USER_NAME);
        let realm = name.and_then(realm_of).and_then(realm_to_look_up);
        let answer = match realm {
            Some(realm) => self.realms.find(now, &realm, asking),
            None => Answer::Nothing(
                asking,
                Nobody::certain("its realm is no name that DNS can have"),
            ),
        };
        self.go_on(now, answer);
    }

    /// A look-up that [`poll_lookup`](Self::poll_lookup) asked for has come back.
    pub fn handle_found(&mut self, now: Monotonic, realm: &str, found: Found) {
        for answer in self.realms.found(now, realm, found) {
            self.go_on(now, answer);
        }
    }

    /// Asks those who were found, or those who are configured for when nobody is.
    fn go_on(&mut self, now: Monotonic, answer: Answer) {
        let asking = match answer {
            Answer::Ask(mut asking, found) => {
                asking.found = found;
                asking
            }
            Answer::Nothing(mut asking, why) => {
                asking.unfound = Some(why);
                asking
            }
            Answer::Waits => return,
        };
        self.ask(now, asking);
    }

    /// Takes a datagram that came to one of our sockets.
    pub fn handle_datagram(&mut self, now: Monotonic, via: Via, octets: &[u8]) {
        let Ok(reply) = Packet::new_checked(octets) else {
            return;
        };
        let key = (via, u32::from(reply.identifier()));
        let Some(flight) = self.flights.get(&key) else {
            return;
        };
        let home = Arc::clone(&flight.home);
        match believe(reply, flight, &home, home.config.signed) {
            Some(returned) => self.answered(now, &key, &home, returned),
            None => home.counters.stray.count(),
        }
    }

    /// A connection that [`poll_connect`](Self::poll_connect) asked for is open. `false` if nobody
    /// wants it any more; it is to be closed then.
    #[must_use]
    pub fn handle_connected(&mut self, now: Monotonic, link: LinkId, spoken: Spoken) -> bool {
        let Some(home) = self.trunks.opened(now, link, spoken) else {
            return false;
        };
        for key in self.flights.of_link(link) {
            let written = self
                .flights
                .get(&key)
                .and_then(|flight| self.write(&flight.purpose, &home, key, Some(spoken)));
            match written {
                Some(octets) => {
                    self.flights.write(&key, octets.clone());
                    self.transmits.push_back((key.0, octets));
                }
                // It is too long, for any home server.
                None => {
                    if let Some(flight) = self.land(now, &key) {
                        self.fail(now, flight);
                    }
                }
            }
        }
        if home.health() != Health::Alive {
            self.ask_whether_alive(now, &home, Some(link));
        }
        true
    }

    /// Takes a packet that came on a connection. `false` if whoever sends it does not speak RADIUS;
    /// the connection is to be closed, and [`handle_closed`](Self::handle_closed) to be told.
    #[must_use]
    pub fn handle_packet(&mut self, now: Monotonic, link: LinkId, octets: &[u8]) -> bool {
        let Some((home, spoken)) = self.trunks.of_link(link) else {
            return true;
        };
        let reply = match Packet::new_checked(octets) {
            Ok(reply) => reply,
            // An unknown code may be known tomorrow; wrong lengths never (RFC 6613 section 2.6.4).
            Err(crate::radius::Malformed::UnknownCode { .. }) => return !self.stray(link, &home),
            Err(_) => return false,
        };
        let is_11 = spoken == Spoken::Version11;
        let mut buffer = [0; MAX_PACKET];
        let refused = refuse_reverse(&reply, &home.secret, is_11, NOT_ROUTABLE, &mut buffer);
        if let Some(refused) = refused {
            home.counters.reversed.count();
            if let Ok(refused) = refused {
                self.transmits.push_back((Via::Tls(link), refused.to_vec()));
            }
            return true;
        }
        let number = if is_11 {
            token_of(&reply)
        } else {
            u32::from(reply.identifier())
        };
        let key = (Via::Tls(link), number);
        let Some(flight) = self.flights.get(&key) else {
            return !self.stray(link, &home);
        };
        let returned = if is_11 {
            let fits = answer_11(&reply, flight.purpose.code()).is_ok();
            let known = fits && reply.code() != Code::ProtocolError;
            known.then(|| Returned::new_11(&reply))
        } else {
            believe(reply, flight, &home, false)
        };
        match returned {
            Some(returned) => {
                self.trunks.heard(now, link);
                self.answered(now, &key, &home, returned);
                true
            }
            None => !self.stray(link, &home),
        }
    }

    /// A connection has ended, or could not be opened, with the reason.
    pub fn handle_closed(&mut self, now: Monotonic, link: LinkId, why: &str) {
        if self.trunks.closed(now, link, why).is_some() {
            self.cut(now, link);
        }
    }

    /// Repeats what was not answered in time, asks somebody else in the end, and looks after those
    /// that do not answer.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        while let Some(key) = self.flights.pop_due(now) {
            self.try_again(now, key);
        }
        self.sticky.expire(now);
        for answer in self.realms.expire(now) {
            self.go_on(now, answer);
        }
        self.look_after_all(now);
        for link in self.trunks.tend(now) {
            self.ask_on(now, link);
        }
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<(Via, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// The next realm to look up; [`handle_found`](Self::handle_found) is to be told what came of it.
    pub fn poll_lookup(&mut self) -> Option<Box<str>> {
        self.realms.poll_lookup()
    }

    /// What discovery has done and whom it has found, for whoever shows it.
    #[must_use]
    pub fn discovered(&self) -> Arc<Discovered> {
        Arc::clone(&self.realms.discovered)
    }

    /// The next connection to open.
    pub fn poll_connect(&mut self) -> Option<(LinkId, Arc<Home>)> {
        self.trunks.poll_connect()
    }

    /// The next connection to close; nobody has to be told when it is.
    pub fn poll_close(&mut self) -> Option<LinkId> {
        self.trunks.poll_close()
    }

    /// The next answer, and the loop that it is for.
    pub fn poll_done(&mut self) -> Option<(u8, Done)> {
        self.done.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let suspect = self.suspects.iter().map(|(at, _)| *at).min();
        [
            self.flights.poll_timeout(),
            suspect,
            self.trunks.poll_timeout(),
            self.realms.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// How many requests wait for an answer.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.flights.len()
    }
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

/// After which a request is given up: its NAS has asked again or elsewhere by then.
const LONGEST: Duration = Duration::from_secs(12);
