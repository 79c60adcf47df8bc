//! Putting out those who may not be in any more: Disconnect-Requests and their answers (RFC 5176).
//!
//! A core of its own beside the packet loops: one for the whole gateway, since what is to end may
//! have begun in any loop. It takes from [`Admissions`] who is due, sends each NAS as many
//! requests at a time as identifiers allow, repeats them unchanged until they are answered, and
//! records what came of each.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::access::Correlation;
use crate::access::CorrelationSource;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::RecordQueue;
use crate::access::Text;
use crate::model::Monotonic;
use crate::model::Now;
use crate::network::Counter;
use crate::network::admission::Admission;
use crate::network::admission::Admissions;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::MAX_PACKET;
use crate::radius::Nas;
use crate::radius::Packet;
use crate::radius::RequestBuilder;
use crate::radius::Transport;
use crate::radius::verify_reply;

/// What the gateway has asked of NASes.
#[derive(Debug, Default)]
pub struct DynamicCounters {
    /// Disconnect-Requests sent, repetitions not counted.
    pub sent: Counter,
    /// Those that were sent once more.
    pub repeated: Counter,
    /// Disconnect-ACK.
    pub acknowledged: Counter,
    /// Disconnect-NAK: the session is over already, or stays.
    pub refused: Counter,
    /// No answer to any repetition.
    pub unanswered: Counter,
    /// Datagrams that answer nothing.
    pub stray: Counter,
}

/// The client side of dynamic authorization.
pub struct Dynamic {
    admissions: Arc<Admissions>,
    records: Arc<RecordQueue>,
    correlations: Arc<CorrelationSource>,
    counters: Arc<DynamicCounters>,
    /// Who is due and waits for an identifier or for the rate.
    waiting: VecDeque<Correlation>,
    flights: HashMap<(Reach, u8), Flight>,
    /// The identifier given out last, and how many are out, for each NAS.
    identifiers: HashMap<Reach, Identifiers>,
    timers: BTreeSet<(Monotonic, Reach, u8)>,
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

#[derive(Clone, Copy, Debug, Default)]
struct Identifiers {
    last: u8,
    out: u16,
}

/// A request that waits for its answer.
struct Flight {
    number: Correlation,
    admission: Admission,
    decided: Decided,
    octets: Vec<u8>,
    tries: u8,
    /// Whether it has to be sent again when it is due: over TLS only if it was never written, or its
    /// connection has ended (RFC 6613 section 2.6.1).
    repeats: bool,
    /// When it is tried again.
    due: Monotonic,
}

impl Dynamic {
    /// Puts out whoever `admissions` says.
    #[must_use]
    pub fn new(
        admissions: Arc<Admissions>,
        records: Arc<RecordQueue>,
        correlations: Arc<CorrelationSource>,
        counters: Arc<DynamicCounters>,
    ) -> Self {
        Self {
            admissions,
            records,
            correlations,
            counters,
            waiting: VecDeque::new(),
            flights: HashMap::new(),
            identifiers: HashMap::new(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            budget: Budget::default(),
        }
    }

    /// Takes who has become due, and sends what may be sent now.
    pub fn handle_due(&mut self, now: Now) {
        self.waiting.extend(self.admissions.take_due());
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
        match answer {
            Answer::Ack => {
                self.counters.acknowledged.count();
                self.record(now, &flight, "disconnect ack");
            }
            Answer::Nak(cause) => {
                self.counters.refused.count();
                let method = Text::<24>::display(&format_args!("disconnect nak {cause}"));
                self.record(now, &flight, method.as_str());
            }
        }
        self.send_waiting(now);
    }

    /// Repeats what was not answered in time, and gives up after the last try.
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
        let budget = self.waiting.front().map(|_| self.budget.next());
        match (timer, budget) {
            (Some(timer), Some(budget)) => Some(timer.min(budget)),
            (timer, budget) => timer.or(budget),
        }
    }

    /// How many requests wait for an answer or to be sent.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.waiting.len() + self.flights.len()
    }

    fn send_waiting(&mut self, now: Now) {
        // Those whose NAS has no identifier left go to the end; each is looked at once.
        for _ in 0..self.waiting.len() {
            if !self.budget.has_one(now.monotonic) {
                return;
            }
            let Some(number) = self.waiting.pop_front() else {
                return;
            };
            if let Sent::Later = self.send(now, number) {
                self.waiting.push_back(number);
            }
        }
    }

    fn send(&mut self, now: Now, number: Correlation) -> Sent {
        let to = self.admissions.with(number, |admission| {
            Reach::of(&admission.nas, admission.address)
        });
        // Who has left meanwhile needs not be put out.
        let Some(Some(to)) = to else {
            return Sent::Done;
        };
        let identifiers = self.identifiers.entry(to.clone()).or_default();
        if identifiers.out >= MAX_OUT {
            return Sent::Later;
        }
        let mut key = (to, identifiers.last.wrapping_add(1));
        while self.flights.contains_key(&key) {
            key.1 = key.1.wrapping_add(1);
        }
        let (to, identifier) = key;
        // What was decided when the change came may be outdated, too.
        let Some(decided) = self.admissions.judged(now.wall, number) else {
            return Sent::Done;
        };
        let Some(admission) = self.admissions.remove(number) else {
            return Sent::Done;
        };
        let Some(octets) = request(now, identifier, &admission) else {
            return Sent::Done;
        };
        *identifiers = Identifiers {
            last: identifier,
            out: identifiers.out + 1,
        };
        self.budget.take();
        self.counters.sent.count();
        self.transmits.push_back((to.clone(), octets.clone()));
        let due = now.monotonic + FIRST_WAIT;
        self.timers.insert((due, to.clone(), identifier));
        let flight = Flight {
            number,
            admission,
            decided,
            octets,
            tries: 1,
            repeats: matches!(to, Reach::Udp(_)),
            due,
        };
        self.flights.insert((to, identifier), flight);
        Sent::Done
    }

    fn try_again(&mut self, now: Now, key: &(Reach, u8)) {
        let Some(flight) = self.flights.get_mut(key) else {
            return;
        };
        if flight.tries >= MAX_TRIES {
            if let Some(flight) = self.land(key) {
                self.counters.unanswered.count();
                self.record(now, &flight, "disconnect unanswered");
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

    /// Which request a datagram answers, and how.
    fn answered(&self, from: Reach, octets: &[u8]) -> Option<((Reach, u8), Answer)> {
        let reply = Packet::new_checked(octets).ok()?;
        let key = (from, reply.identifier());
        let flight = self.flights.get(&key)?;
        let request = Packet::new_checked(&flight.octets).ok()?;
        let nas: &Nas = &flight.admission.nas;
        verify_reply(reply, &request, nas.secret()).ok()?;
        let answer = if reply.code() == Code::DisconnectAck {
            Answer::Ack
        } else {
            Answer::Nak(reply.integer(AttributeType::ERROR_CAUSE).unwrap_or(0))
        };
        Some((key, answer))
    }

    fn land(&mut self, key: &(Reach, u8)) -> Option<Flight> {
        let flight = self.flights.remove(key)?;
        if let Some(identifiers) = self.identifiers.get_mut(&key.0) {
            identifiers.out = identifiers.out.saturating_sub(1);
        }
        self.timers.remove(&(flight.due, key.0.clone(), key.1));
        Some(flight)
    }

    fn record(&self, now: Now, flight: &Flight, method: &str) {
        let id = self.correlations.next();
        let Flight {
            admission, decided, ..
        } = flight;
        admission.permit.with_subject(|subject| {
            let mut record = DecisionRecord::new(id, method, subject, decided);
            record.seen.at = now.wall;
            record.from = Some(admission.address);
            record.station = admission
                .peer
                .find(AttributeType::CALLING_STATION_ID)
                .and_then(crate::model::MacAddress::parse);
            record.presented = Text::display(&format_args!("session of {}", flight.number));
            self.records.push(Box::new(record));
        });
    }
}

enum Sent {
    Done,
    Later,
}

enum Answer {
    Ack,
    /// With Error-Cause (RFC 5176 section 3.5), 0 if there was none.
    Nak(u32),
}

/// A Disconnect-Request for one who was let in.
fn request(now: Now, identifier: u8, admission: &Admission) -> Option<Vec<u8>> {
    let mut buffer = [0; MAX_PACKET];
    let secret = admission.nas.secret();
    let mut request = RequestBuilder::disconnect_request(&mut buffer, identifier, secret);
    let seconds = u32::try_from(now.wall.unix_seconds()).unwrap_or(u32::MAX);
    request.integer(AttributeType::EVENT_TIMESTAMP, seconds);
    for (kind, value) in &admission.peer.attributes {
        request.octets(*kind, value);
    }
    request.finish().ok().map(<[u8]>::to_vec)
}

/// Requests that may be sent: one in [`PER_ONE`] milliseconds, [`BURST`] at once.
#[derive(Debug)]
struct Budget {
    left: u64,
    at: Monotonic,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            left: BURST,
            at: Monotonic::default(),
        }
    }
}

impl Budget {
    fn has_one(&mut self, now: Monotonic) -> bool {
        let passed = now.since(self.at);
        let earned = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX) / PER_ONE;
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.at = now;
        }
        self.left > 0
    }

    const fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    fn next(&self) -> Monotonic {
        self.at + Duration::from_millis(PER_ONE)
    }
}

/// How many wait for what, and not whose.
impl fmt::Debug for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dynamic")
            .field("waiting", &self.waiting.len())
            .field("flights", &self.flights.len())
            .finish_non_exhaustive()
    }
}

/// One more request a millisecond: 10,000 sessions end within ten seconds, and no NAS sees more
/// than it has identifiers for.
const PER_ONE: u64 = 1;

/// Requests at once.
const BURST: u64 = 100;

/// Requests to one NAS that wait for an answer; 256 identifiers is all there are.
const MAX_OUT: u16 = 200;

/// How long the first try waits; each later one twice as long (RFC 5080 section 2.2.1 has 2 s,
/// which is long for somebody who must leave).
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Tries in all: the last one is given up after 15 s.
const MAX_TRIES: u8 = 4;
