//! Accounting: what NASes report is answered and kept as open sessions (RFC 2866).

use crate::access::Session;
use crate::access::SessionEvent;
use crate::access::SessionKey;
use crate::access::Text;
use crate::model::Now;
use crate::model::Timestamp;
use crate::network::away::Asked;
use crate::network::enforce;
use crate::network::server::Server;
use crate::radius::AccountingRequest;
use crate::radius::AcctStatusType;
use crate::radius::Reply;

impl Server {
    /// Notes what a NAS reports, then answers.
    pub(super) fn account(&mut self, now: Now, asked: &Asked<'_>, request: &AccountingRequest<'_>) {
        let nas = asked.from.ip();
        let key = SessionKey::new(nas, request.session_id());
        match request.status() {
            AcctStatusType::Start | AcctStatusType::InterimUpdate => {
                self.shared
                    .sessions
                    .note(key, SessionEvent::Open(session(now, request)));
            }
            AcctStatusType::Stop => self.shared.sessions.note(key, SessionEvent::Close),
            AcctStatusType::AccountingOn | AcctStatusType::AccountingOff => {
                self.shared.sessions.close_all_of(nas);
            }
            // A kind we do not know is answered all the same: the NAS would repeat it for ever.
            AcctStatusType::Other(_) => {}
        }
        let sent = self.reply(now, asked, |buffer, origin, nas| {
            Reply::accounting_response(buffer, origin, nas.secret())
        });
        if sent {
            self.counters.accounted.count();
        }
    }
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
        heard: now.wall,
        octets_in: request.input_octets().unwrap_or(0),
        octets_out: request.output_octets().unwrap_or(0),
    }
}
