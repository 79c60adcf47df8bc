//! Whose requests go where, and a request on its way there.

use std::sync::Arc;

use super::home::Home;
use crate::network::job::Done;
use crate::network::job::Ticket;
use crate::network::job::Worked;
use crate::radius::AttributeFilter;
use crate::radius::AttributeType;
use crate::radius::Carried;
use crate::radius::Forward;
use crate::radius::RealmTable;

/// What becomes of the requests of a realm.
#[derive(Debug)]
pub struct Route {
    /// As it stands in the configuration.
    pub realm: Box<str>,
    /// Who is asked, the preferred one first.
    pub homes: Vec<Arc<Home>>,
    /// Whether home servers are looked up by DNS (RFC 7585); `homes` are asked when there are none.
    pub discovered: bool,
    /// Whether we judge the device of whom a home server lets in.
    pub judged: bool,
    /// Whether the home server's authorisation reaches the NAS; else ours stands in its place.
    pub authorization_kept: bool,
    /// What is left out on the way.
    pub filters: Filters,
}

/// Attributes that do not go to home servers, or do not come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Those of requests that home servers do not get.
    pub requests: AttributeFilter,
    /// Those of answers that the NAS does not get.
    pub answers: AttributeFilter,
    /// The only ones that it gets, beside what the authentication needs; all if empty.
    pub only: AttributeFilter,
}

impl Filters {
    /// Whether an attribute of an answer goes on to the NAS.
    #[must_use]
    pub fn pass(&self, carried: &Carried) -> bool {
        let chosen = self.only.is_empty()
            || carried.is_of_authentication()
            || carried.kind() == AttributeType::STATE
            || self.only.has_carried(carried);
        chosen && !self.answers.has_carried(carried)
    }
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

/// Why no home server answers a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nobody {
    /// As a sentence for the record.
    pub why: Box<str>,
    /// Whether it is certain that none ever will: the realm has no home server. Else another RADIUS
    /// server may have more luck, or this one later.
    pub certain: bool,
}

impl Nobody {
    /// The realm has no home server.
    #[must_use]
    pub fn certain(why: impl Into<Box<str>>) -> Self {
        Self {
            why: why.into(),
            certain: true,
        }
    }

    /// Nobody has answered for now.
    #[must_use]
    pub fn for_now(why: impl Into<Box<str>>) -> Self {
        Self {
            why: why.into(),
            certain: false,
        }
    }
}

/// A request for a home server, on its way out of a packet loop.
#[derive(Debug)]
pub struct Forwarding {
    pub(in crate::network) worker: u8,
    pub(in crate::network) ticket: Ticket,
    pub(in crate::network) route: Arc<Route>,
    pub(in crate::network) forward: Forward,
}

impl Forwarding {
    /// The answer that nobody gives for now, and why, as a sentence for the record.
    #[must_use]
    pub fn unanswered(&self, why: impl Into<Box<str>>) -> Done {
        self.for_nobody(Nobody::for_now(why))
    }

    pub(in crate::network) fn for_nobody(&self, nobody: Nobody) -> Done {
        Done {
            ticket: self.ticket,
            result: Worked::Home(Err(nobody)),
        }
    }
}
