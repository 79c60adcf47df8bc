//! A request on its way from one home server to the next, until one answers or nobody does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Proxy;
use super::SOCKETS;
use super::choose;
use super::flight::Asking;
use super::flight::Flight;
use super::flight::Key;
use super::flight::LinkId;
use super::flight::Purpose;
use super::flight::Via;
use super::home::Home;
use super::trunk::Place;
use crate::model::Monotonic;
use crate::network::job::Done;
use crate::network::job::Worked;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::Returned;

impl Proxy {
    /// Asks the next one of the pool, or says that nobody answers.
    pub(super) fn ask(&mut self, now: Monotonic, mut asking: Box<Asking>) {
        while now < asking.give_up {
            let Some(home) = choose::choose(&asking, |home| self.trunks.reachable(now, home))
            else {
                break;
            };
            let place = match home.tls() {
                Some(_) => self.trunks.place(now, &home, &self.flights),
                None => {
                    let accounting = asking.forwarding.forward.is_accounting();
                    let to = home.address(accounting);
                    to.and_then(|to| self.free_key(to))
                        .map(|key| Place { key, spoken: None })
                }
            };
            let Some(place) = place else {
                home.counters.full.count();
                asking.asked.push(home);
                continue;
            };
            let purpose = Purpose::Request(asking);
            match self.launch(now, place, &home, purpose) {
                Ok(()) => return,
                // It does not fit, and fits nobody else.
                Err(Purpose::Request(back)) => {
                    asking = back;
                    break;
                }
                Err(Purpose::Status) => return,
            }
        }
        let done = asking.forwarding.for_nobody(choose::why(now, &asking));
        self.done.push_back((asking.forwarding.worker, done));
    }

    /// An answer is believed.
    pub(super) fn answered(
        &mut self,
        now: Monotonic,
        key: &Key,
        home: &Arc<Home>,
        returned: Option<Returned>,
    ) {
        self.is_alive(home);
        home.counters.answered.count();
        let Some(flight) = self.land(now, key) else {
            return;
        };
        // Whose answer it is of two that were sent, nobody knows (RFC 6298 section 3).
        if flight.tries == 1 || matches!(key.0, Via::Tls(_)) {
            home.took(now.since(flight.first_sent));
        }
        let Purpose::Request(asking) = flight.purpose else {
            return;
        };
        let forwarding = asking.forwarding;
        let Some(answer) = returned else {
            let why = format!("the answer of {} holds a value that is none", home.name());
            let done = forwarding.unanswered(why);
            self.done.push_back((forwarding.worker, done));
            return;
        };
        if answer.code() == Code::AccessChallenge
            && let Some(state) = answer.find(AttributeType::STATE)
        {
            self.sticky.put(now, &forwarding.forward, state, home);
        }
        let done = Done {
            ticket: forwarding.ticket,
            result: Worked::Home(Ok((Arc::clone(home), Box::new(answer)))),
        };
        self.done.push_back((forwarding.worker, done));
    }

    /// A socket and identifier that nothing waits for; `None` when everything does.
    pub(super) fn free_key(&mut self, to: SocketAddr) -> Option<Key> {
        let last = self.last.entry(to).or_default();
        for _ in 0..u16::from(SOCKETS) << 8 {
            *last = last.wrapping_add(1) % (u16::from(SOCKETS) << 8);
            let [socket, identifier] = last.to_be_bytes();
            let key = (Via::Udp { socket, to }, u32::from(identifier));
            if !self.flights.contains(&key) {
                return Some(key);
            }
        }
        None
    }

    pub(super) fn try_again(&mut self, now: Monotonic, key: Key) {
        let Some(flight) = self.flights.get(&key) else {
            return;
        };
        if flight.tries < TRIES && matches!(flight.purpose, Purpose::Request(_)) {
            if let Some(flight) = self.flights.again(key, now + FIRST_WAIT) {
                flight.tries += 1;
                self.transmits.push_back((key.0, flight.octets.clone()));
                flight.home.counters.repeated.count();
            }
            return;
        }
        let Some(flight) = self.land(now, &key) else {
            return;
        };
        flight.home.counters.silent.count();
        match key.0 {
            // It was never sent: there is no connection.
            Via::Tls(_) if flight.octets.is_empty() => {}
            Via::Tls(link) => {
                self.is_silent(now, &flight.home, flight.first_sent);
                self.doubt(now, link, &flight);
            }
            Via::Udp { .. } => self.is_silent(now, &flight.home, flight.first_sent),
        }
        self.fail(now, flight);
    }

    /// A request has not been answered in time: somebody else is asked.
    pub(super) fn fail(&mut self, now: Monotonic, flight: Flight) {
        if let Purpose::Request(mut asking) = flight.purpose {
            asking.asked.push(flight.home);
            self.ask(now, asking);
        }
    }

    /// A connection is gone, and what was under way on it with it: it is asked again, once of the
    /// same home server (RFC 6613 section 2.6.1 has each connection for itself).
    pub(super) fn cut(&mut self, now: Monotonic, link: LinkId) {
        for key in self.flights.of_link(link) {
            let Some(flight) = self.flights.land(&key) else {
                continue;
            };
            let Purpose::Request(mut asking) = flight.purpose else {
                continue;
            };
            if !flight.octets.is_empty() {
                flight.home.counters.cut.count();
            }
            if asking.was_cut || flight.octets.is_empty() {
                asking.asked.push(flight.home);
            }
            asking.was_cut = true;
            self.ask(now, asking);
        }
    }

    pub(super) fn land(&mut self, now: Monotonic, key: &Key) -> Option<Flight> {
        if let Via::Tls(link) = key.0 {
            self.trunks.landed(now, link);
        }
        self.flights.land(key)
    }

    /// Something came that answers nothing; whether its connection has to end for it.
    pub(super) fn stray(&mut self, link: LinkId, home: &Home) -> bool {
        home.counters.stray.count();
        self.trunks.strayed(link)
    }
}

/// How long each try waits: longer than a server delays its rejects (a second, as a rule), shorter
/// than half of what NASes wait (5 s).
pub(super) const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Tries of each home server over UDP.
pub(super) const TRIES: u32 = 2;
