//! Which home server of a pool is asked next; and, when none is left, why.

use std::sync::Arc;

use super::flight::Asking;
use super::flight::Purpose;
use super::home::Health;
use super::home::Home;
use super::route::Nobody;
use super::trunk::Reachable;
use crate::model::Monotonic;
use crate::radius::Code;

/// The first of those that live and can be reached at once, else of those that might, else of those to
/// which a connection is on its way; never one that was asked before.
pub(super) fn choose(
    asking: &Asking,
    reachable: impl Fn(&Arc<Home>) -> Reachable,
) -> Option<Arc<Home>> {
    let accounting = asking.forwarding.forward.is_accounting();
    let pool = asking.pool().filter(|home| {
        let before = asking.asked.iter().any(|one| Arc::ptr_eq(one, home));
        home.takes(accounting) && !before
    });
    let ranked = pool.filter_map(|home| {
        let reach = match home.tls() {
            Some(_) => reachable(home),
            None => Reachable::Now,
        };
        let rank = match (home.health(), reach) {
            (Health::Dead(_), _) | (_, Reachable::No) => return None,
            (Health::Alive, Reachable::Now) => 0,
            (Health::Zombie(_), Reachable::Now) => 1,
            (Health::Alive, Reachable::Soon) => 2,
            (Health::Zombie(_), Reachable::Soon) => 3,
        };
        Some((rank, home))
    });
    // The first of the best.
    ranked
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, home)| Arc::clone(home))
}

/// Why nobody has answered.
pub(super) fn why(now: Monotonic, asking: &Asking) -> Nobody {
    let accounting = asking.forwarding.forward.is_accounting();
    let realm = &asking.forwarding.route.realm;
    let mut said: Vec<String> = asking
        .pool()
        .take(MAX_NAMED)
        .map(|home| {
            let name = home.name();
            if !home.takes(accounting) {
                return format!("{name} takes no such requests");
            }
            if home.tls().is_some() && home.connections() == 0 {
                let trouble = home.trouble();
                let trouble = trouble.as_deref().unwrap_or("not yet");
                return format!("{name} is not connected ({trouble})");
            }
            match home.health() {
                Health::Zombie(since) | Health::Dead(since) => {
                    let seconds = now.since(since).as_secs();
                    format!("{name} has not answered for {seconds} s")
                }
                Health::Alive => format!("{name} had no place or gave no answer"),
            }
        })
        .collect();
    let none = said.is_empty();
    if let Some(nobody) = &asking.unfound {
        said.insert(0, nobody.why.to_string());
    } else if none {
        said.push("it has none".to_owned());
    }
    let said = said.join("; ");
    if asking.bound.is_some() {
        return Nobody::for_now(format!(
            "the home server of this conversation has not answered: {said}"
        ));
    }
    match &asking.unfound {
        Some(nobody) if none && nobody.certain => {
            Nobody::certain(format!("there is no home server: {said}"))
        }
        Some(_) | None => Nobody::for_now(format!(
            "no home server of realm \"{realm}\" has answered: {said}"
        )),
    }
}

impl Asking {
    /// Whom it may be asked of.
    fn pool(&self) -> impl Iterator<Item = &Arc<Home>> {
        let (bound, all) = match &self.bound {
            Some(home) => (Some(home), &[][..]),
            None if !self.found.is_empty() => (None, &*self.found),
            None => (None, &*self.forwarding.route.homes),
        };
        bound.into_iter().chain(all)
    }
}

impl Purpose {
    /// What kind of request it is.
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Request(asking) => asking.forwarding.forward.code(),
            Self::Status => Code::StatusServer,
        }
    }
}

/// A record has room for a few.
const MAX_NAMED: usize = 4;
