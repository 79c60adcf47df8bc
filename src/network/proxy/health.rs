//! Whether home servers live: what silence makes of them, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use super::Proxy;
use super::flight::Flight;
use super::flight::LinkId;
use super::flight::Purpose;
use super::home::Health;
use super::home::Home;
use super::trunk::Place;
use crate::model::Monotonic;

impl Proxy {
    pub(super) fn is_alive(&mut self, home: &Arc<Home>) {
        if home.health() != Health::Alive {
            home.set(Health::Alive);
        }
        self.suspects.retain(|(_, one)| !Arc::ptr_eq(one, home));
    }

    /// A request that was first sent at `since` has got no answer.
    pub(super) fn is_silent(&mut self, now: Monotonic, home: &Arc<Home>, since: Monotonic) {
        match home.health() {
            Health::Alive => {
                home.set(Health::Zombie(since));
                if !self.suspects.iter().any(|(_, one)| Arc::ptr_eq(one, home)) {
                    self.suspects.push((now, Arc::clone(home)));
                }
            }
            Health::Zombie(since) if now.since(since) >= AGONY => home.set(Health::Dead(since)),
            Health::Zombie(_) | Health::Dead(_) => {}
        }
    }

    /// A connection has left this without an answer. One that does not even answer Status-Server, or
    /// nothing at all where that is unknown, leads nowhere (RFC 3539 section 3.4.1).
    pub(super) fn doubt(&mut self, now: Monotonic, link: LinkId, flight: &Flight) {
        let deciding = match flight.purpose {
            Purpose::Status => true,
            Purpose::Request(_) => !flight.home.config.status,
        };
        if deciding && self.trunks.is_silent_since(link, flight.first_sent) {
            let why = "nothing is answered on the connection";
            self.trunks.close(now, link, why);
            self.cut(now, link);
        }
    }

    pub(super) fn look_after_all(&mut self, now: Monotonic) {
        // One that a reload has taken out of the configuration is nobody's any more.
        self.suspects
            .retain(|(_, home)| Arc::strong_count(home) > 1);
        let due: Vec<Arc<Home>> = {
            let due = self.suspects.iter_mut().filter(|(at, _)| *at <= now);
            due.map(|(at, home)| {
                *at = now + PROBES;
                Arc::clone(home)
            })
            .collect()
        };
        for home in due {
            self.look_after(now, &home);
        }
    }

    fn look_after(&mut self, now: Monotonic, home: &Arc<Home>) {
        let (Health::Zombie(since) | Health::Dead(since)) = home.health() else {
            self.is_alive(home);
            return;
        };
        if home.config.status {
            self.ask_whether_alive(now, home, None);
        } else if now.since(since) >= REVIVAL {
            self.is_alive(home);
        }
    }

    /// Sends a Status-Server: on this connection, on any that is open, or by datagram.
    pub(super) fn ask_whether_alive(
        &mut self,
        now: Monotonic,
        home: &Arc<Home>,
        link: Option<LinkId>,
    ) {
        if !home.config.status {
            return;
        }
        if home.tls().is_some() {
            // Without a connection the attempts at one tell whether it lives.
            if let Some(link) = link.or_else(|| self.trunks.any_open(home)) {
                self.ask_on(now, link);
            }
            return;
        }
        let to = home.address(false).or_else(|| home.address(true));
        if let Some(key) = to.and_then(|to| self.free_key(to)) {
            let place = Place { key, spoken: None };
            drop(self.launch(now, place, home, Purpose::Status));
        }
    }

    /// Sends a Status-Server on a connection, if none is under way there.
    pub(super) fn ask_on(&mut self, now: Monotonic, link: LinkId) {
        if let Some((home, _)) = self.trunks.of_link(link)
            && let Some(place) = self.trunks.place_on(link, &self.flights)
        {
            drop(self.launch(now, place, &home, Purpose::Status));
        }
    }
}

/// How long a zombie is a last resort.
const AGONY: Duration = Duration::from_secs(10);

/// How often one that does not answer is asked whether it lives.
const PROBES: Duration = Duration::from_secs(3);

/// After which one that does not know Status-Server is tried again.
const REVIVAL: Duration = Duration::from_secs(30);
