//! Telling NASes that a verdict has changed: Disconnect- and CoA-Requests, and their answers
//! (RFC 5176).
//!
//! A core of its own beside the packet loops: one for the whole gateway, since what is to end may
//! have begun in any loop. It takes from [`Admissions`](crate::network::Admissions) who is due, asks
//! their NASes what is configured for them ([`Reaction`](crate::network::Reaction)), as many at a
//! time as identifiers allow, repeats requests unchanged until they are answered, and records what
//! came of each. What a NAS does not do by a CoA-Request, it is asked to do by a Disconnect-Request.
//! A NAS that says nothing, or not now, is asked again some minutes later; the others do not wait
//! for it.

mod errand;
mod lanes;
mod under_way;

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Text;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Counter;
use crate::network::Shared;
use crate::radius::Code;
use crate::radius::ErrorCause;
use crate::radius::Nas;
use crate::radius::Packet;
use crate::radius::Transport;
use crate::radius::verify_reply;

use errand::COMES_ANEW;
use errand::Errand;
use errand::Kind;
use errand::MAX_ROUNDS;
use errand::Next;
use errand::Session;
use errand::Step;
use errand::nas_today;
use lanes::Budget;
use lanes::Lanes;
use under_way::UnderWay;

/// What the gateway has asked of NASes.
#[derive(Debug, Default)]
pub struct DynamicCounters {
    /// Disconnect-Requests sent, repetitions not counted.
    pub sent: Counter,
    /// CoA-Requests sent, repetitions not counted.
    pub changes: Counter,
    /// Requests that were sent once more.
    pub repeated: Counter,
    /// ACK.
    pub acknowledged: Counter,
    /// NAK: the session is over already, or stays.
    pub refused: Counter,
    /// No answer to any repetition.
    pub unanswered: Counter,
    /// Sessions that their NAS does not end, and that stay.
    pub staying: Counter,
    /// Datagrams that answer nothing.
    pub stray: Counter,
}

/// The client side of dynamic authorization.
pub struct Dynamic {
    shared: Arc<Shared>,
    counters: Arc<DynamicCounters>,
    /// Who is due and waits for an identifier or for the rate.
    lanes: Lanes,
    flights: HashMap<(Reach, u8), Flight>,
    timers: BTreeSet<(Monotonic, Reach, u8)>,
    /// Who is looked at again, and when.
    later: BTreeSet<(Monotonic, Errand)>,
    /// Everybody in the three above.
    under_way: HashMap<Correlation, UnderWay>,
    transmits: VecDeque<(Reach, Vec<u8>)>,
    budget: Budget,
}

/// Where a NAS takes requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reach {
    /// At this address and port.
    Udp(SocketAddr),
    /// On a TLS connection that the NAS of this name has opened (RFC 6614 section 2.1: there is no
    /// other way to it).
    Tls(Arc<str>),
}

impl Reach {
    /// Where a device is reached that has asked from `address`; `None` if it takes no requests.
    fn of(nas: &Nas, address: IpAddr) -> Option<Self> {
        let port = nas.dynamic_authorization()?;
        Some(match nas.transport() {
            Transport::Udp => Self::Udp(SocketAddr::new(address, port)),
            Transport::Tls => Self::Tls(nas.name().into()),
        })
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => address.fmt(f),
            Self::Tls(name) => f.write_str(name),
        }
    }
}

/// A request that waits for its answer.
struct Flight {
    errand: Errand,
    kind: Kind,
    session: Session,
    decided: Decided,
    /// Of the record that tells what came of it.
    id: Correlation,
    octets: Vec<u8>,
    sent: Monotonic,
    tries: u8,
    /// Whether it has to be sent again when it is due: over TLS only if it was never written, or its
    /// connection has ended (RFC 6613 section 2.6.1).
    repeats: bool,
    /// When it is tried again.
    due: Monotonic,
}

impl Dynamic {
    /// Puts out whoever the admissions of `shared` say.
    #[must_use]
    pub fn new(shared: Arc<Shared>, counters: Arc<DynamicCounters>) -> Self {
        Self {
            shared,
            counters,
            lanes: Lanes::default(),
            flights: HashMap::new(),
            timers: BTreeSet::new(),
            later: BTreeSet::new(),
            under_way: HashMap::new(),
            transmits: VecDeque::new(),
            budget: Budget::default(),
        }
    }

    /// Takes who has become due, and sends what may be sent now.
    pub fn handle_due(&mut self, now: Now) {
        for number in self.shared.admissions.take_due() {
            if self.has_to_be_asked(now, number) {
                let errand = Errand {
                    number,
                    step: Step::First,
                    rounds: 0,
                };
                self.queue(now, errand, false);
            }
        }
        self.send_waiting(now);
    }

    /// Takes a datagram that came to the socket the requests leave from.
    pub fn handle_datagram(&mut self, now: Now, from: SocketAddr, octets: &[u8]) {
        self.handle_answer(now, Reach::Udp(from), octets);
    }

    /// Takes an answer that came on a TLS connection of `nas`.
    pub fn handle_packet(&mut self, now: Now, nas: &Nas, octets: &[u8]) {
        self.handle_answer(now, Reach::Tls(nas.name().into()), octets);
    }

    /// There was no connection to write this to, or it has ended since: what waits for an answer
    /// from there is written again, to whatever connection there is then.
    pub fn handle_gone(&mut self, to: &Reach) {
        let flights = self.flights.iter_mut();
        for (_, flight) in flights.filter(|((reach, _), _)| reach == to) {
            flight.repeats = true;
        }
    }

    fn handle_answer(&mut self, now: Now, from: Reach, octets: &[u8]) {
        let Some((key, answer)) = self.answered(from, octets) else {
            self.counters.stray.count();
            return;
        };
        let Some(flight) = self.land(&key) else {
            return;
        };
        self.lanes.hears(now.monotonic, &key.0);
        let (kind, step) = (flight.kind, flight.errand.step);
        let word = kind.word();
        let next = match answer {
            Answer::Ack => {
                self.counters.acknowledged.count();
                self.record(now, &flight, format_args!("{word} ack"));
                errand::acknowledged(kind)
            }
            Answer::Nak(cause) => {
                self.counters.refused.count();
                self.record(now, &flight, format_args!("{word} nak {cause}"));
                errand::refused(kind, step, cause)
            }
        };
        self.go_on(now, &flight, next);
        self.send_waiting(now);
    }

    /// Repeats what was not answered in time, gives up after the last try, and looks again at those
    /// whose time has come.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((at, _, _)) = self.timers.first() {
            if *at > now.monotonic {
                break;
            }
            let Some((_, to, identifier)) = self.timers.pop_first() else {
                break;
            };
            self.try_again(now, &(to, identifier));
        }
        while let Some((at, errand)) = self.later.first().copied() {
            if at > now.monotonic {
                break;
            }
            self.later.pop_first();
            if let Some(under_way) = self.under_way.get_mut(&errand.number) {
                under_way.later = None;
            }
            self.queue(now, errand, false);
        }
        self.send_waiting(now);
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<(Reach, Vec<u8>)> {
        self.transmits.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let timer = self.timers.first().map(|(at, _, _)| *at);
        let later = self.later.first().map(|(at, _)| *at);
        let budget = self.lanes.is_ready().then(|| self.budget.next());
        [timer, later, budget].into_iter().flatten().min()
    }

    /// What has been asked so far.
    #[must_use]
    pub fn counters(&self) -> &DynamicCounters {
        &self.counters
    }

    /// How many requests wait for an answer or to be sent, now or later.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.lanes.waiting() + self.flights.len() + self.later.len()
    }

    /// Who has left meanwhile needs not be put out; at a NAS that takes no requests any more, nobody
    /// can be.
    fn queue(&mut self, now: Now, errand: Errand, front: bool) {
        let settings = self.shared.settings.load();
        let to = self.shared.admissions.with(errand.number, |admission| {
            Reach::of(nas_today(admission, &settings), admission.address)
        });
        match to {
            Some(Some(to)) => {
                self.lanes.put(&to, errand, front);
                self.under_way(errand.number).asked = Verdict::Block;
            }
            Some(None) => self.stays(now, errand),
            None => self.is_done_with(errand.number),
        }
    }

    fn send_waiting(&mut self, now: Now) {
        while self.budget.has_one(now.monotonic) {
            let Some((to, errand)) = self.lanes.next() else {
                return;
            };
            if self.send(now, &to, errand).is_none() {
                self.lanes.landed(&to);
                self.is_done_with(errand.number);
            }
        }
    }

    /// `None` if there is nothing to send.
    fn send(&mut self, now: Now, to: &Reach, errand: Errand) -> Option<()> {
        let admissions = &self.shared.admissions;
        // What was decided when the change came may be outdated, too.
        let decided = admissions.judged(now.wall, errand.number)?;
        let settings = self.shared.settings.load();
        let session =
            admissions.with(errand.number, |admission| Session::of(admission, &settings))?;
        let id = self.shared.correlations.next();
        let flights = &self.flights;
        let identifier = self.lanes.identifier(to, |identifier| {
            flights.contains_key(&(to.clone(), identifier))
        });
        let asked = (errand.step, &decided, id);
        let (kind, octets) = session.request(now, &settings, asked, identifier)?;
        self.budget.take();
        match kind {
            Kind::Disconnect { .. } => self.counters.sent.count(),
            Kind::Command | Kind::Push(_) => self.counters.changes.count(),
        }
        self.under_way(errand.number).asked = decided.decision.verdict;
        self.transmits.push_back((to.clone(), octets.clone()));
        let due = now.monotonic + FIRST_WAIT;
        self.timers.insert((due, to.clone(), identifier));
        let flight = Flight {
            errand,
            kind,
            session,
            decided,
            id,
            octets,
            sent: now.monotonic,
            tries: 1,
            repeats: matches!(to, Reach::Udp(_)),
            due,
        };
        self.flights.insert((to.clone(), identifier), flight);
        Some(())
    }

    fn try_again(&mut self, now: Now, key: &(Reach, u8)) {
        let Some(flight) = self.flights.get_mut(key) else {
            return;
        };
        if flight.tries >= MAX_TRIES {
            if let Some(flight) = self.land(key) {
                self.counters.unanswered.count();
                let word = flight.kind.word();
                self.record(now, &flight, format_args!("{word} unanswered"));
                // Those who wait behind it would wait in vain.
                for errand in self.lanes.give_up(&key.0, flight.sent) {
                    self.postpone(now, errand);
                }
                let next = errand::unanswered(flight.kind, flight.errand.step);
                self.go_on(now, &flight, next);
            }
            return;
        }
        let wait = FIRST_WAIT * 2_u32.saturating_pow(u32::from(flight.tries));
        flight.tries += 1;
        if flight.repeats {
            // Unchanged: the NAS knows a repetition by it (RFC 5176 section 2.3).
            self.transmits
                .push_back((key.0.clone(), flight.octets.clone()));
            self.counters.repeated.count();
            flight.repeats = matches!(key.0, Reach::Udp(_));
        }
        flight.due = now.monotonic + wait;
        self.timers.insert((flight.due, key.0.clone(), key.1));
    }

    /// Does what follows from an answer, or from none.
    fn go_on(&mut self, now: Now, flight: &Flight, next: Next) {
        let errand = flight.errand;
        let admissions = &self.shared.admissions;
        match next {
            Next::Ended => {
                drop(admissions.remove(errand.number));
                self.is_done_with(errand.number);
            }
            Next::Changed(established) => {
                admissions.changed(now.wall, errand.number, &flight.decided, established);
                self.is_done_with(errand.number);
            }
            Next::Awaited(step) => {
                self.put_later(now.monotonic + COMES_ANEW, Errand { step, ..errand });
            }
            Next::Ask(step) => self.queue(now, Errand { step, ..errand }, true),
            Next::Later(step) => self.postpone(now, Errand { step, ..errand }),
            Next::Stays => self.stays(now, errand),
        }
    }

    fn postpone(&mut self, now: Now, errand: Errand) {
        if errand.rounds >= MAX_ROUNDS || self.later.len() >= MAX_LATER {
            self.stays(now, errand);
            return;
        }
        let at = now.monotonic + errand::pause(errand.rounds);
        let rounds = errand.rounds + 1;
        self.put_later(at, Errand { rounds, ..errand });
    }

    fn stays(&mut self, now: Now, errand: Errand) {
        self.is_done_with(errand.number);
        self.counters.staying.count();
        self.shared.admissions.stays(now.wall, errand.number);
    }

    /// Which request a datagram answers, and how.
    fn answered(&self, from: Reach, octets: &[u8]) -> Option<((Reach, u8), Answer)> {
        let reply = Packet::new_checked(octets).ok()?;
        let key = (from, reply.identifier());
        let flight = self.flights.get(&key)?;
        let request = Packet::new_checked(&flight.octets).ok()?;
        let nas: &Nas = &flight.session.nas;
        verify_reply(reply, &request, nas.dynamic_secret()).ok()?;
        let answer = if matches!(reply.code(), Code::DisconnectAck | Code::CoaAck) {
            Answer::Ack
        } else {
            Answer::Nak(reply.error_cause())
        };
        Some((key, answer))
    }

    fn land(&mut self, key: &(Reach, u8)) -> Option<Flight> {
        let flight = self.flights.remove(key)?;
        self.lanes.landed(&key.0);
        self.timers.remove(&(flight.due, key.0.clone(), key.1));
        Some(flight)
    }

    fn record(&self, now: Now, flight: &Flight, method: fmt::Arguments<'_>) {
        let Flight {
            session, decided, ..
        } = flight;
        let method = Text::<24>::display(&method);
        session.subject.with(|subject| {
            let mut record = DecisionRecord::new(flight.id, method.as_str(), subject, decided);
            record.seen.at = now.wall;
            record.from = Some(session.address);
            record.station = session.station();
            let number = flight.errand.number;
            record.presented = Text::display(&format_args!("session of {number}"));
            self.shared.records.push(Box::new(record));
        });
    }
}

enum Answer {
    Ack,
    Nak(ErrorCause),
}

/// How many wait for what, and not whose.
impl fmt::Debug for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dynamic")
            .field("waiting", &self.lanes.waiting())
            .field("flights", &self.flights.len())
            .field("later", &self.later.len())
            .finish_non_exhaustive()
    }
}

/// How long the first try waits; each later one twice as long (RFC 5080 section 2.2.1 has 2 s,
/// which is long for somebody who must leave).
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Tries in all: the last one is given up after 15 s.
const MAX_TRIES: u8 = 4;

/// Sessions that wait for a NAS to come back: 10 MB, and as many as ten large sites have.
const MAX_LATER: usize = 100_000;
