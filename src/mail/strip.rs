//! `mail.strip_wipe`: orders to wipe that come from a mail server are kept from the device.
//!
//! Only the answer to a Provision erases anything (MS-ASPROV 3.1.5.1.2.2): where the setting is on, it is
//! read whole, and passed on without the order. What cannot be read is not passed on. But from version 14.0
//! on commands are answered with status 140 meanwhile, upon which there are clients that erase
//! themselves: so the beginning of each answer is looked at before anything of it is passed on, and in the
//! place of one that says so there is 503. For that the mail server is asked for answers that are not
//! compressed.
//!
//! The device never learns of the order, so it acknowledges nothing, and the mail server goes on to hold it back until an
//! administrator there calls the wipe off. An acknowledgement that a device sends all the same is passed
//! on as it is: it says what has happened. Orders of this gateway's own are of `mail/wipe.rs`.

use http::HeaderMap;
use http::HeaderValue;
use http::Request;
use http::StatusCode;
use http::header;

use crate::access::Permit;
use crate::eas;
use crate::eas::Command;
use crate::eas::Version;
use crate::model::Now;

use super::action::Event;
use super::action::Exchange;
use super::action::Forward;
use super::action::Outgoing;
use super::action::Way;
use super::gateway::Gateway;
use super::gateway::LONG_WAIT;
use super::reply::Cause;
use super::reply::Reply;
use super::route::Route;

/// A request whose answer is wanted whole before anything of it is passed on.
#[derive(Debug)]
pub struct Fetch {
    /// Where to.
    pub to: Route,
    /// Proof of the decision; when it resolves, the request is to be ended as one that is forwarded.
    pub permit: Permit,
    /// The head to send.
    pub request: Request<()>,
    /// Its whole body.
    pub body: Vec<u8>,
    /// To be handed back with the answer.
    pub exchange: Exchange,
}

impl Fetch {
    /// Octets of an answer. That of Exchange, with all its policies, has under two kilobytes.
    pub const MAX_ANSWER: usize = 64 << 10;
}

impl Gateway {
    /// Whether the answer to this command is wanted whole.
    pub(super) fn strips(&self, command: Command) -> bool {
        self.config.strip_wipe && command == Command::Provision
    }

    /// Whether the beginning of the answer to this command is looked at, see [`Gateway::handle_first`].
    pub(super) fn looks_for_wipes(&self, request: &eas::Request) -> bool {
        self.config.strip_wipe
            && request.version >= Version::V14_0
            && request.command != Command::Provision
    }

    /// Whether [`Gateway::handle_first`] is to be told how the body of an answer with this status begins.
    #[must_use]
    pub fn wants_first(&self, exchange: &Exchange, status: StatusCode) -> bool {
        status.is_success() && self.looks_for_wipes(&exchange.0.request)
    }

    /// The body of an answer begins with these octets, [`eas::outcome::TELLING`] of them if there are so
    /// many, and nothing of the answer has been passed on. What is to be said instead, if it must not be.
    pub fn handle_first(
        &self,
        now: Now,
        exchange: &Exchange,
        octets: &[u8],
    ) -> Option<(Reply, Event)> {
        let way = &*exchange.0;
        let why = if eas::order::asks_for_wipe(way.request.command, octets) {
            ORDERED
        } else if octets.starts_with(GZIP) {
            "the mail server's answer is compressed although it was asked not to be, so that it cannot be \
             seen whether it orders a wipe"
        } else {
            return None;
        };
        let reply = Reply::unavailable(LONG_WAIT, Cause::Stripped);
        Some((reply, told(now, way, why)))
    }

    /// The mail server has answered a [`Fetch`]; `None` in the place of an answer that did not come,
    /// and of a body that is longer than [`Fetch::MAX_ANSWER`].
    pub fn handle_fetched(
        &self,
        now: Now,
        exchange: &Exchange,
        answer: Option<(StatusCode, HeaderMap, Option<Vec<u8>>)>,
    ) -> (Reply, Option<Event>) {
        let Some((status, headers, body)) = answer else {
            return (self.handle_unreachable(now, exchange), None);
        };
        let is_plain = headers
            .get(header::CONTENT_ENCODING)
            .is_none_or(|coding| coding == "identity");
        let (outgoing, event) = self.handle_answer(now, exchange, status, headers);
        let (status, mut headers, promise) = match outgoing {
            Outgoing::Pass(status, headers) => (status, headers, None),
            Outgoing::Watch(status, headers, promise) => (status, headers, Some(promise)),
            Outgoing::Answer(reply) => return (reply, event),
        };
        let told = |why: &str| Some(told(now, &exchange.0, why));
        let unread = || {
            let reply = Reply::unavailable(LONG_WAIT, Cause::Unavailable);
            let why = "the mail server's answer to a Provision cannot be read, so that an order to wipe \
                       could not be taken out";
            (reply, told(why))
        };
        let Some(mut body) = body.filter(|_| is_plain) else {
            return unread();
        };
        let kept = promise.and_then(|promise| self.handle_beginning(now, *promise, &body));
        let mut event = event.or(kept);
        // Pages of errors are none of the protocol, and order nothing.
        if status.is_success() {
            if eas::order::asks_for_wipe(Command::Provision, &body) {
                return (
                    Reply::unavailable(LONG_WAIT, Cause::Stripped),
                    told(ORDERED),
                );
            }
            match eas::without_wipe(&body) {
                Ok(None) => {}
                Ok(Some(rest)) => {
                    body = rest;
                    event = told(
                        "the mail server orders a wipe of the device, which was taken out of its answer",
                    );
                }
                Err(_) => return unread(),
            }
        }
        headers.remove(header::CONTENT_LENGTH);
        let reply = Reply {
            status,
            headers,
            body,
            cause: Cause::Stripped,
        };
        (reply, event)
    }
}

/// A record of what was kept from a device.
fn told(now: Now, way: &Way, why: &str) -> Event {
    let device = Some(way.request.spelled());
    let record = way.who.mismatch_record(now.wall, device, why);
    Event::Decision(Box::new(record))
}

/// What becomes of a request that would be forwarded, when all of its body is there.
pub(super) fn fetch(forward: Forward, body: &[u8]) -> Box<Fetch> {
    let Forward {
        to,
        permit,
        mut request,
        exchange,
    } = forward;
    let plain = HeaderValue::from_static("identity");
    request.headers_mut().insert(header::ACCEPT_ENCODING, plain);
    Box::new(Fetch {
        to,
        permit,
        request,
        body: body.to_vec(),
        exchange,
    })
}

/// What is recorded of an answer with status 140.
const ORDERED: &str =
    "the mail server says that a wipe of the device is ordered (status 140), which is kept from it";

/// How every member of a gzip file begins (RFC 1952 section 2.3.1).
const GZIP: &[u8] = b"\x1f\x8b";
