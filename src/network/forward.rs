//! Requests whose realm another server knows: given away, and judged when they come back.
//!
//! The home server says who the user is; whether the device may in is still asked here (the
//! *overlay*). Its Access-Accept becomes an Access-Accept with what it authorises, or with our
//! quarantine in place of that, or an Access-Reject. The keys of EAP go on to the NAS in the first
//! two cases and nowhere in the third.

mod came;
mod nobody;
mod unjudged;

use std::sync::Arc;

use crate::access::Correlation;
use crate::access::Decided;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::Now;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::Subject;
use crate::model::Verdict;
use crate::network::Nobody;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::away::Away;
use crate::network::away::Waiting;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::context::readable;
use crate::network::discard::Discarded;
use crate::network::enforce;
use crate::network::enforce::Accepted;
use crate::network::proxy::Forwarding;
use crate::network::proxy::Home;
use crate::network::proxy::Route;
use crate::network::server::Server;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::DropReason;
use crate::radius::Forward;
use crate::radius::Nas;
use crate::radius::Offered;
use crate::radius::Packet;
use crate::radius::Reply;
use crate::radius::Request;
use crate::radius::Returned;
use crate::radius::Salt;
use crate::radius::Verified;
use crate::radius::verify;

use came::Came;

/// A request that a home server has, and what its answer will need of it.
#[derive(Debug)]
pub(super) struct AtHome {
    route: Arc<Route>,
    asks: Asks,
}

#[derive(Debug)]
enum Asks {
    /// An Access-Request.
    Access {
        context: Box<Context>,
        /// User-Name, as far as it is text.
        user: Box<str>,
        offered: Offered,
        /// Identifier of the EAP packet in it.
        eap: Option<u8>,
    },
    /// An Accounting-Request, whole: it is recorded when it has been answered.
    Accounting(Box<[u8]>),
}

impl Server {
    /// The route of a request whose realm is another server's.
    pub(super) fn route(settings: &Settings, request: &Request<'_>) -> Option<Arc<Route>> {
        let routes = settings.routes.as_ref()?;
        let name = match request {
            Request::Access(request) => request.user_name(),
            Request::Accounting(request) => request.user_name(),
            Request::Status(_) => return None,
        };
        let route = routes.realms.find(name.unwrap_or(&[]))?.clone()?;
        // Whom discovery finds is asked for the login and nothing else: accounting stays here.
        let stays = route.discovered && matches!(request, Request::Accounting(_));
        (!stays).then_some(route)
    }

    /// Gives a request away to the home servers of its realm.
    pub(super) fn forward(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (request, verified): (&Request<'_>, &Verified<'_>),
        route: &Arc<Route>,
    ) -> Result<(), Discarded> {
        let forwarded = self.give_away(now, settings, asked, (request, verified), route);
        forwarded.inspect_err(|_| self.forget(asked))
    }

    fn give_away(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (request, verified): (&Request<'_>, &Verified<'_>),
        route: &Arc<Route>,
    ) -> Result<(), Discarded> {
        let mark = settings.routes.as_ref().map_or(&[][..], |all| &all.mark);
        let mut passed = verified.packet().find_all(AttributeType::PROXY_STATE);
        if passed.any(|state| state == mark) {
            self.record_loop(now, asked, request);
            return Err(Discarded::Loop);
        }
        if self.draining || !self.away.has_room_for_forward() {
            return Err(Discarded::Overloaded);
        }
        // Our Class is nobody's business but ours and the NAS's.
        let keep = |kind, value: &[u8]| {
            let ours = kind == AttributeType::CLASS && enforce::decision_of(value).is_some();
            !ours && !route.filters.requests.has(kind, value)
        };
        let forward = Forward::new(verified, asked.nas.secret(), mark, keep)
            .ok_or(DropReason::BadPasswordLength)?;
        let asks = match request {
            Request::Access(request) => Asks::Access {
                context: Box::new(Context::new(asked.from.ip(), request)),
                user: readable(request.user_name().unwrap_or(&[])).into(),
                offered: request.offered(),
                eap: verified
                    .packet()
                    .find(AttributeType::EAP_MESSAGE)
                    .and_then(|packet| packet.get(1).copied()),
            },
            Request::Accounting(_) => Asks::Accounting(verified.packet().octets().into()),
            Request::Status(_) => return Err(DropReason::UnexpectedCode.into()),
        };
        let away = Away {
            door: asked.door,
            from: asked.from,
            nas: Arc::clone(asked.nas),
            origin: verified.hold(),
            came: asked.came,
            held: asked.held,
            peer: asked.peer.clone(),
            waiting: Waiting::Home(AtHome {
                route: Arc::clone(route),
                asks,
            }),
            elsewhere: false,
        };
        let deadline = now.monotonic + settings.config.patience;
        let ticket = self.away.put(deadline, away);
        self.counters.forwarded.count();
        self.forwards.push_back(Forwarding {
            worker: self.worker,
            ticket,
            route: Arc::clone(route),
            forward,
        });
        Ok(())
    }

    /// Whoever looks for the reason of the silence finds what it is, beside that no home server has
    /// answered.
    fn record_loop(&self, now: Now, asked: &Asked<'_>, request: &Request<'_>) {
        let Request::Access(request) = request else {
            return;
        };
        let context = Context::new(asked.from.ip(), request);
        let refused = Refused {
            method: PROXIED,
            user: readable(request.user_name().unwrap_or(&[])),
            why: "a loop of proxies: this request has gone through this gateway before and comes back; see \
                  which home server proxy.toml names for its realm here, and what that one does with it",
        };
        self.record_refusal(now, asked, &context, &refused);
    }

    /// The next request for a home server.
    pub fn poll_forward(&mut self) -> Option<Forwarding> {
        self.forwards.pop_front()
    }

    /// Takes back a request for which there is no place on its way to a home server.
    pub fn handle_refused_forward(&mut self, forwarding: &Forwarding) {
        self.counters.discard(Discarded::Overloaded);
        if let Some(away) = self.away.take(forwarding.ticket) {
            self.forget(&away.asked());
        }
    }

    /// Goes on when a home server has answered, or none does.
    pub(super) fn resume_forward(
        &mut self,
        now: Now,
        settings: &Settings,
        away: &Away,
        at_home: &AtHome,
        answer: Result<(Arc<Home>, Box<Returned>), Nobody>,
    ) {
        let asked = away.asked();
        let (home, mut answer) = match answer {
            Ok(answered) => answered,
            Err(nobody) => return self.nobody_answers(now, settings, &asked, at_home, &nobody),
        };
        answer.retain(|carried| at_home.route.filters.pass(carried));
        match (&at_home.asks, answer.code()) {
            (Asks::Accounting(octets), Code::AccountingResponse) => {
                self.account_forwarded(now, &asked, octets);
            }
            (Asks::Access { context, user, .. }, Code::AccessReject) => {
                self.pass_on(now, &asked, &answer);
                self.counters.not_authenticated.count();
                let why = format!("the home server {} refuses", home.name());
                let refused = Refused {
                    method: PROXIED,
                    user,
                    why: &why,
                };
                self.record_refusal(now, &asked, context, &refused);
            }
            (Asks::Access { .. }, Code::AccessChallenge) => {
                if self.pass_on(now, &asked, &answer) {
                    self.counters.challenged.count();
                }
            }
            (
                Asks::Access {
                    context,
                    user,
                    offered,
                    ..
                },
                Code::AccessAccept,
            ) => {
                let came = Came {
                    route: &at_home.route,
                    context,
                    named: user,
                    offered: *offered,
                    answer: &answer,
                };
                self.accept_returned(now, settings, &asked, &came);
            }
            _ => self.forget(&asked),
        }
    }

    /// Records what a NAS reports, now that its home server has answered it.
    fn account_forwarded(&mut self, now: Now, asked: &Asked<'_>, octets: &[u8]) {
        // It was verified when it came; the copy is the same.
        let request = Packet::new_checked(octets).ok();
        let verified = request.and_then(|packet| verify(packet, asked.nas).ok());
        match verified.map(|verified| verified.request()) {
            Some(Ok(Request::Accounting(request))) => self.account(now, asked, &request),
            Some(Ok(Request::Access(_) | Request::Status(_)) | Err(_)) | None => self.forget(asked),
        }
    }

    /// Sends the answer of a home server on as it is, as far as such a reply may hold it.
    fn pass_on(&mut self, now: Now, asked: &Asked<'_>, answer: &Returned) -> bool {
        let mut salt = self.new_salt();
        self.reply(now, asked, |buffer, origin, nas: &Nas| {
            let secret = nas.secret();
            let mut reply = if answer.code() == Code::AccessAccept {
                Reply::access_accept(buffer, origin, secret)
            } else if answer.code() == Code::AccessChallenge {
                Reply::access_challenge(buffer, origin, secret)
            } else {
                Reply::access_reject(buffer, origin, secret)
            };
            for carried in answer.attributes() {
                reply.carried(carried, salt);
                salt = salt.next();
            }
            reply
        })
    }

    /// Lets in whom a home server does, as the realm's route says.
    fn accept_returned(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        came: &Came<'_>,
    ) {
        if came.route.judged {
            return self.judge_returned(now, settings, asked, came);
        }
        let sent = if came.route.authorization_kept {
            self.pass_on(now, asked, came.answer)
        } else {
            self.accept_unjudged(now, settings, asked, came)
        };
        if sent {
            self.counters.passed_on.count();
        }
    }

    /// Judges the device of somebody whom a home server lets in.
    fn judge_returned(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        came: &Came<'_>,
    ) {
        let claimed = came.context.station.map(|station| Presented {
            identifier: Identifier::Mac(station),
            established: Established::Claimed,
        });
        let subject = Subject {
            plane: Plane::Network,
            user: came.user(),
            credential: came.credential(),
            device: claimed.as_slice(),
            nas: Some(came.context.nas(asked.nas)),
            mail: None,
        };
        let decided = self.decide(now, &subject);
        let id = self.new_correlation();
        if !self.answer_returned(now, settings, asked, (&decided, id), came) {
            let user = subject.user.unwrap_or(came.named);
            return self.record_unsent(now, asked, came.context, PROXIED, user);
        }
        self.admitted(now, asked, id, &subject, &decided, subject.user);
        let mut record = self.shared.records.lend();
        came.context
            .record(&mut record, id, PROXIED, &subject, &decided);
        if let Some(station) = came.context.station {
            record.presented.set(readable(&station.spelled()));
        }
        self.shared.records.push(record);
    }

    /// Turns the home server's Access-Accept into what was decided; `false` if the reply could not
    /// be written.
    fn answer_returned(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (decided, id): (&Decided, Correlation),
        came: &Came<'_>,
    ) -> bool {
        let Decided { decision, seen, .. } = decided;
        let verdict = decision.verdict;
        let group = asked.nas.group();
        let enforcement = &settings.enforcement;
        let profile = enforcement.profile(group, verdict, seen.established, seen.credential);
        let message = came.may_be_told(profile);
        let kept = verdict == Verdict::Allow && came.route.authorization_kept;
        let theirs = came.answer.find(AttributeType::SESSION_TIMEOUT);
        let limit = enforce::session_timeout(profile, asked.nas, decision, now.wall);
        let limit = limit.filter(|ours| is_less(*ours, theirs));
        let mut salt = self.new_salt();
        let random = self.shared.random;
        let charged = came.charged(settings, &self.shared.point);
        let sent = self.reply(now, asked, |buffer, origin, nas| {
            if verdict == Verdict::Block {
                let mut reply = Reply::access_reject(buffer, origin, nas.secret());
                if let Some(failure) = came.eap_failure() {
                    reply.eap_message(&failure);
                }
                if let Some(message) = message {
                    reply.octets(AttributeType::REPLY_MESSAGE, message.as_bytes());
                }
                return reply;
            }
            let mut reply = Reply::access_accept(buffer, origin, nas.secret());
            for carried in came.answer.attributes() {
                let stays = if kept {
                    limit.is_none() || !OF_A_LIMIT.contains(&carried.kind())
                } else {
                    unjudged::authenticates(carried)
                };
                if stays {
                    reply.carried(carried, salt);
                    salt = salt.next();
                }
            }
            if kept {
                enforce::write_limit(&mut reply, limit, Some(id));
            } else {
                let accepted = Accepted {
                    decision,
                    id,
                    on_record: true,
                    user: came.user(),
                    context: came.context,
                    nas,
                    charged,
                };
                enforce::write(&mut reply, profile, &accepted, now.wall, random);
                if let Some(message) = message {
                    reply.octets(AttributeType::REPLY_MESSAGE, message.as_bytes());
                }
            }
            reply
        });
        if sent {
            self.count_decision(verdict);
        }
        sent
    }

    fn new_salt(&mut self) -> Salt {
        Salt::new(u16::from_ne_bytes(self.chance.next()))
    }
}

/// Whether our limit ends before theirs, or there is none of theirs.
fn is_less(ours: u32, theirs: Option<&[u8]>) -> bool {
    let theirs = theirs.and_then(|value| value.try_into().ok().map(u32::from_be_bytes));
    theirs.is_none_or(|theirs| ours < theirs)
}

/// When a session ends, and what happens then; where ours counts, both are ours.
const OF_A_LIMIT: [AttributeType; 2] = [
    AttributeType::SESSION_TIMEOUT,
    AttributeType::TERMINATION_ACTION,
];

/// How records name it.
const PROXIED: &str = "proxied";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_of_two_limits_counts() {
        for (ours, theirs, less) in [
            (60, None, true),
            (60, Some(&[0, 0, 0, 61][..]), true),
            (60, Some(&[0, 0, 0, 60]), false),
            (60, Some(&[0, 0, 0, 59]), false),
            (60, Some(&[0, 0, 59]), true),
        ] {
            assert_eq!(is_less(ours, theirs), less, "row {ours} {theirs:?}");
        }
    }
}
