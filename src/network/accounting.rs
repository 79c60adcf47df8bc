//! Accounting: what NASes report is recorded, then answered, and kept as open sessions (RFC 2866).

use crate::access::NasNames;
use crate::access::Rhythm;
use crate::access::Session;
use crate::access::SessionEvent;
use crate::access::SessionKey;
use crate::access::Text;
use crate::model::Now;
use crate::model::Timestamp;
use crate::network::away::Asked;
use crate::network::discard::Discarded;
use crate::network::enforce;
use crate::network::ledger::Entry;
use crate::network::ledger::News;
use crate::network::ledger::Report;
use crate::network::server::Server;
use crate::radius::AccountingRequest;
use crate::radius::AcctStatusType;
use crate::radius::AttributeType;
use crate::radius::Reply;

impl Server {
    /// Notes what a NAS reports. The answer waits in the ledger until the report is on record.
    pub(super) fn account(&mut self, now: Now, asked: &Asked<'_>, request: &AccountingRequest<'_>) {
        let nas = names(asked, request);
        let key = SessionKey::new(nas, request.session_id());
        let news = match request.status() {
            AcctStatusType::Start | AcctStatusType::InterimUpdate => {
                News::Session(key, SessionEvent::Open(session(now, request)))
            }
            AcctStatusType::Stop => News::Session(key, SessionEvent::Close),
            AcctStatusType::AccountingOn | AcctStatusType::AccountingOff => News::NoSessions(nas),
            // A kind we do not know is answered all the same: the NAS would repeat it for ever.
            AcctStatusType::Other(_) => News::Nothing,
        };
        if asked.nas.dynamic_authorization().is_some() {
            self.follow(now, asked, request);
        }
        let entry = Entry {
            news,
            held: asked.held,
        };
        let report = Report::new(now, asked.nas, asked.from, request);
        let entered = self
            .ledger
            .enter(&report, entry, asked.door, asked.from, |buffer| {
                let (origin, secret) = (asked.origin.clone(), asked.nas.secret());
                let reply = Reply::accounting_response(buffer, origin, secret);
                reply.finish().map(<[u8]>::len).ok()
            });
        if !entered {
            self.counters.discard(Discarded::ReplyTooLong);
            self.forget(asked);
        }
    }

    /// Whether those who were let in are still in.
    fn follow(&self, now: Now, asked: &Asked<'_>, request: &AccountingRequest<'_>) {
        let admissions = &self.shared.admissions;
        let number = request.classes().find_map(enforce::decision_of);
        match (request.status(), number) {
            (AcctStatusType::Start | AcctStatusType::InterimUpdate, Some(number)) => {
                admissions.named(now.wall, number, request.session_id());
            }
            (AcctStatusType::Stop, Some(number)) => drop(admissions.remove(number)),
            (AcctStatusType::AccountingOn | AcctStatusType::AccountingOff, _) => {
                admissions.close_all_of(asked.from.ip(), asked.nas, request);
            }
            _ => {}
        }
    }

    /// What NASes have reported, to be recorded before their answers leave: a line of JSON each,
    /// empty if there is nothing.
    #[must_use]
    pub fn accounting(&self) -> &[u8] {
        self.ledger.lines()
    }

    /// What [`accounting`](Self::accounting) gave is on record: its answers may leave.
    pub fn handle_recorded(&mut self, now: Now) {
        let sessions = &self.shared.sessions;
        for (entry, reply) in self.ledger.release() {
            self.counters.accounted.count();
            match entry.news {
                News::Session(key, event) => sessions.note(key, event),
                News::NoSessions(nas) => sessions.close_all_of(&nas),
                News::Nothing => {}
            }
            if let Some(held) = entry.held {
                self.duplicates.complete(now.monotonic, held, reply.octets);
            }
        }
    }

    /// What [`accounting`](Self::accounting) gave could not be recorded, so it is not answered
    /// (RFC 2866 section 4.1): its NASes send it again, here or to another server.
    pub fn handle_unrecorded(&mut self) {
        for entry in self.ledger.refuse() {
            self.counters.discard(Discarded::Unrecorded);
            if let Some(held) = entry.held {
                self.duplicates.abandon(held);
            }
        }
    }
}

/// By what the NAS tells itself from others behind its address.
fn names(asked: &Asked<'_>, request: &AccountingRequest<'_>) -> NasNames {
    let address = request.find(AttributeType::NAS_IP_ADDRESS);
    let address = address.or_else(|| request.find(AttributeType::NAS_IPV6_ADDRESS));
    let identifier = request.find(AttributeType::NAS_IDENTIFIER);
    NasNames::new(asked.from.ip(), identifier, address)
}

fn session(now: Now, request: &AccountingRequest<'_>) -> Session {
    let running = i64::from(request.session_seconds().unwrap_or(0));
    let delay = i64::from(request.delay_seconds().unwrap_or(0));
    let started = now
        .wall
        .unix_seconds()
        .saturating_sub(running)
        .saturating_sub(delay);
    Session {
        user: request
            .user_name()
            .map_or(Text::EMPTY, Text::from_utf8_prefix),
        station: request.calling_mac(),
        decision: request.classes().find_map(enforce::decision_of),
        started: Timestamp::from_unix_seconds(started),
        rhythm: Rhythm::begun(now.wall),
        octets_in: request.input_octets().unwrap_or(0),
        octets_out: request.output_octets().unwrap_or(0),
    }
}
