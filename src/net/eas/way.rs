//! What a request that is let through is one of: the core has a word for each when it ends.

use http::HeaderMap;
use http::Request;
use http::StatusCode;

use crate::access::Decided;
use crate::access::Permit;
use crate::eas::Command;
use crate::mail;
use crate::mail::Event;
use crate::mail::Forward;
use crate::mail::Outgoing;
use crate::mail::Publish;
use crate::mail::Reply;
use crate::mail::Route;
use crate::mail::Visit;
use crate::net::body::Cut;
use crate::net::upstream::Exchange;
use crate::net::upstream::Failure;
use crate::net::upstream::LinkError;

use super::Front;
use super::conclude;

/// A request that is let through, whatever it is for.
pub(super) struct Going {
    pub(super) to: Route,
    pub(super) permit: Permit,
    pub(super) request: Request<()>,
    pub(super) way: Way,
}

/// What it is for.
pub(super) enum Way {
    Mail(mail::Exchange),
    Web(Visit),
}

impl From<Forward> for Going {
    fn from(forward: Forward) -> Self {
        Self {
            to: forward.to,
            permit: forward.permit,
            request: forward.request,
            way: Way::Mail(forward.exchange),
        }
    }
}

impl From<Publish> for Going {
    fn from(publish: Publish) -> Self {
        Self {
            to: publish.to,
            permit: publish.permit,
            request: publish.request,
            way: Way::Web(publish.visit),
        }
    }
}

impl Way {
    /// Whether its client is sent home when the front stops: a Ping would hold the drain up, and
    /// its client asks again.
    pub(super) fn goes_home(&self) -> bool {
        match self {
            Self::Mail(exchange) => exchange.command() == Command::Ping,
            Self::Web(_) => false,
        }
    }

    /// What it is of ActiveSync.
    pub(super) fn command(&self) -> Option<Command> {
        match self {
            Self::Mail(exchange) => Some(exchange.command()),
            Self::Web(_) => None,
        }
    }

    /// Whether the mail server may keep it until there is news.
    pub(super) fn may_wait(&self) -> bool {
        match self {
            Self::Mail(exchange) => matches!(exchange.command(), Command::Ping | Command::Sync),
            // Whether an application does that nobody knows.
            Self::Web(_) => true,
        }
    }

    pub(super) fn answer(
        &self,
        front: &Front,
        status: StatusCode,
        headers: HeaderMap,
    ) -> (Outgoing, Option<Event>) {
        let now = front.clock.now();
        match self {
            Self::Mail(exchange) => front.gateway.handle_answer(now, exchange, status, headers),
            Self::Web(visit) => front.gateway.handle_visited(now, visit, status, headers),
        }
    }

    /// Whether the beginning of the answer's body is to be seen before anything is passed on.
    pub(super) fn wants_first(&self, front: &Front, status: StatusCode) -> bool {
        match self {
            Self::Mail(exchange) => front.gateway.wants_first(exchange, status),
            Self::Web(_) => false,
        }
    }

    /// What the client is told instead of an answer whose body begins with so many octets, or not at all,
    /// if it must not have it.
    pub(super) fn instead(
        &self,
        front: &Front,
        upstream: &Exchange,
        first: Result<usize, Cut>,
    ) -> Option<Reply> {
        let Self::Mail(exchange) = self else {
            return None;
        };
        let count = match first {
            Ok(count) => count,
            Err(cut) => return Some(conclude(front, self, of_answer(cut).into())),
        };
        let (now, octets) = (front.clock.now(), upstream.piece(count));
        let (reply, event) = front.gateway.handle_first(now, exchange, octets)?;
        (front.events)(event);
        Some(reply)
    }

    /// What the client is told when the mail server, or the application, did not answer.
    pub(super) fn unanswered(&self, front: &Front) -> Reply {
        match self {
            Self::Mail(exchange) => {
                let now = front.clock.now();
                front.gateway.handle_unreachable(now, exchange)
            }
            Self::Web(_) => front.gateway.come_again(),
        }
    }

    pub(super) fn revoked(
        &self,
        front: &Front,
        decided: &Decided,
        only_waited: bool,
    ) -> (Reply, Option<Event>) {
        match self {
            Self::Mail(exchange) => {
                let now = front.clock.now();
                let gateway = &front.gateway;
                gateway.handle_revoked(now, exchange, decided, only_waited)
            }
            Self::Web(visit) => front.gateway.handle_visit_revoked(visit, decided),
        }
    }
}

/// Why the beginning of an answer did not come.
fn of_answer(cut: Cut) -> Failure {
    match cut {
        Cut::Broken(_) => LinkError::Closed.into(),
        Cut::Malformed(_) => LinkError::NotHttp.into(),
        Cut::Slow | Cut::Silent | Cut::Revoked => cut.into(),
    }
}
