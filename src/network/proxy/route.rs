//! Whose requests go where, and a request on its way there.

use std::sync::Arc;

use super::home::Home;
use crate::network::job::Done;
use crate::network::job::Ticket;
use crate::network::job::Worked;
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

/// A request for a home server, on its way out of a packet loop.
#[derive(Debug)]
pub struct Forwarding {
    pub(in crate::network) worker: u8,
    pub(in crate::network) ticket: Ticket,
    pub(in crate::network) route: Arc<Route>,
    pub(in crate::network) forward: Forward,
}

impl Forwarding {
    /// The answer that nobody gives, and why, as a sentence for the record.
    #[must_use]
    pub fn unanswered(&self, why: impl Into<Box<str>>) -> Done {
        Done {
            ticket: self.ticket,
            result: Worked::Home(Err(why.into())),
        }
    }
}
