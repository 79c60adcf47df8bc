//! TLS connections to home servers: when one is opened, who gets a place on it, when it is given up.
//!
//! The shell opens and closes; what happened is told here. A home server that is configured has a
//! connection at all times, a further one while those are half full, and a new attempt after one
//! that failed, later each time. One that was found by discovery has one while it is used.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::flight::Flights;
use super::flight::Key;
use super::flight::LinkId;
use super::flight::Via;
use super::home::Home;
use crate::model::Monotonic;

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// RADIUS as it always was: 256 requests at a time.
    Historic,
    /// RADIUS/1.1 (RFC 9765), by ALPN.
    Version11,
}

/// What a home server can be asked over now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reachable {
    /// At once.
    Now,
    /// When a connection that is on its way is open.
    Soon,
    /// Not before the next attempt.
    No,
}

/// The place of a request on a connection.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: Key,
    /// `None` while the connection is not open yet.
    pub(super) spoken: Option<Spoken>,
}

/// All connections.
pub(super) struct Trunks {
    all: BTreeMap<usize, Trunk>,
    links: HashMap<LinkId, usize>,
    next: u64,
    connects: VecDeque<(LinkId, Arc<Home>)>,
    closes: VecDeque<LinkId>,
    /// When something is to be done next, or earlier.
    wake: Option<Monotonic>,
    random: fn(&mut [u8]),
}

/// Those to one home server.
struct Trunk {
    home: Arc<Home>,
    stays: Stays,
    links: Vec<Link>,
    /// No attempt before that.
    due: Monotonic,
    failures: u32,
    used: Monotonic,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    /// It is configured.
    Always,
    /// It was found.
    WhileUsed,
    /// A reload has taken it out.
    NoLonger,
}

struct Link {
    id: LinkId,
    spoken: Option<Spoken>,
    /// The number that was taken last.
    last: u32,
    in_flight: usize,
    /// When something believable came last.
    heard: Monotonic,
    /// Packets that answer nothing, since then.
    strays: u32,
    /// Whether it has carried an answer.
    proven: bool,
    /// Whether it is asked whether it lives, just now.
    watched: bool,
}

impl Link {
    const fn capacity(&self) -> usize {
        match self.spoken {
            Some(Spoken::Version11) => MAX_TOKENS,
            // RFC 6613 section 2.6.1; and nobody knows yet what one will speak that is opened.
            Some(Spoken::Historic) | None => 256,
        }
    }

    /// A number that nothing waits for.
    fn number(&mut self, flights: &Flights) -> Option<u32> {
        if self.in_flight >= self.capacity() {
            return None;
        }
        for _ in 0..=self.in_flight {
            self.last = match self.spoken {
                Some(Spoken::Version11) => self.last.wrapping_add(1),
                Some(Spoken::Historic) | None => self.last.wrapping_add(1) % 256,
            };
            if !flights.contains(&(Via::Tls(self.id), self.last)) {
                return Some(self.last);
            }
        }
        None
    }
}

impl Trunks {
    pub(super) fn new(random: fn(&mut [u8])) -> Self {
        Self {
            all: BTreeMap::new(),
            links: HashMap::new(),
            next: 0,
            connects: VecDeque::new(),
            closes: VecDeque::new(),
            wake: None,
            random,
        }
    }

    /// From now on these are configured, and others that were are not.
    pub(super) fn configure(&mut self, now: Monotonic, homes: &[Arc<Home>]) {
        for trunk in self.all.values_mut() {
            if trunk.stays == Stays::Always {
                trunk.stays = Stays::NoLonger;
            }
        }
        for home in homes.iter().filter(|home| home.tls().is_some()) {
            self.trunk(now, home).stays = Stays::Always;
        }
        self.wake_at(now);
    }

    fn wake_at(&mut self, at: Monotonic) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn trunk(&mut self, now: Monotonic, home: &Arc<Home>) -> &mut Trunk {
        self.all.entry(key_of(home)).or_insert_with(|| Trunk {
            home: Arc::clone(home),
            stays: Stays::WhileUsed,
            links: Vec::new(),
            due: now,
            failures: 0,
            used: now,
        })
    }

    /// Whether a request could go there.
    pub(super) fn reachable(&self, now: Monotonic, home: &Arc<Home>) -> Reachable {
        let Some(trunk) = self.all.get(&key_of(home)) else {
            return Reachable::Soon;
        };
        if trunk.links.iter().any(|link| link.spoken.is_some()) {
            Reachable::Now
        } else if !trunk.links.is_empty() || trunk.due <= now {
            Reachable::Soon
        } else {
            Reachable::No
        }
    }

    /// A place for a request: on the open connection with the fewest, else on one that is on its way.
    /// Begins to open one where that is called for.
    pub(super) fn place(
        &mut self,
        now: Monotonic,
        home: &Arc<Home>,
        flights: &Flights,
    ) -> Option<Place> {
        let trunk = self.trunk(now, home);
        trunk.used = now;
        let most = usize::from(home.tls().map_or(1, |way| way.connections)).clamp(1, MAX_LINKS);
        let wanted = match trunk.links.iter().map(|link| link.in_flight).min() {
            None => true,
            // Half full is the time to open another one.
            Some(least) => least >= 128 && trunk.links.len() < most,
        };
        let may = wanted && trunk.due <= now;
        if may {
            self.open(now, home);
        }
        let trunk = self.trunk(now, home);
        let free = trunk
            .links
            .iter_mut()
            .filter(|link| link.in_flight < link.capacity());
        let link = free.min_by_key(|link| (link.spoken.is_none(), link.in_flight))?;
        let number = link.number(flights)?;
        link.in_flight = link.in_flight.saturating_add(1);
        Some(Place {
            key: (Via::Tls(link.id), number),
            spoken: link.spoken,
        })
    }

    fn open(&mut self, now: Monotonic, home: &Arc<Home>) {
        self.next = self.next.wrapping_add(1);
        let id = LinkId(self.next);
        self.links.insert(id, key_of(home));
        self.trunk(now, home).links.push(Link {
            id,
            spoken: None,
            last: 0,
            in_flight: 0,
            heard: now,
            strays: 0,
            proven: false,
            watched: false,
        });
        self.connects.push_back((id, Arc::clone(home)));
        self.wake_at(now + UNUSED);
    }

    /// A connection is open. `None` if it is not wanted any more.
    pub(super) fn opened(
        &mut self,
        now: Monotonic,
        id: LinkId,
        spoken: Spoken,
    ) -> Option<Arc<Home>> {
        let (home, link) = self.find(id)?;
        link.spoken = Some(spoken);
        link.heard = now;
        let home = Arc::clone(home);
        let gauges = &home.gauges;
        gauges.connections.fetch_add(1, Ordering::Relaxed);
        let is_11 = spoken == Spoken::Version11;
        gauges.version_11.store(is_11, Ordering::Relaxed);
        home.counters.opened.count();
        home.set_trouble(None);
        self.wake_at(now + WATCH);
        Some(home)
    }

    /// A connection has ended, or none came about. Gives its home server.
    pub(super) fn closed(&mut self, now: Monotonic, id: LinkId, why: &str) -> Option<Arc<Home>> {
        let place = self.links.remove(&id)?;
        let mut octet = [0];
        (self.random)(&mut octet);
        let trunk = self.all.get_mut(&place)?;
        let position = trunk.links.iter().position(|link| link.id == id)?;
        let link = trunk.links.swap_remove(position);
        if link.spoken.is_some() {
            let gauge = &trunk.home.gauges.connections;
            gauge.fetch_sub(1, Ordering::Relaxed);
        }
        if trunk.stays != Stays::NoLonger {
            trunk.home.counters.broken.count();
            trunk.home.set_trouble(Some(why));
            if link.proven {
                trunk.failures = 0;
                trunk.due = now;
            } else {
                trunk.due = now + backoff(trunk.failures, octet);
                trunk.failures = trunk.failures.saturating_add(1);
            }
        }
        let (home, due) = (Arc::clone(&trunk.home), trunk.due);
        self.wake_at(due);
        Some(home)
    }

    /// Has a connection closed from our side.
    pub(super) fn close(&mut self, now: Monotonic, id: LinkId, why: &str) {
        if self.closed(now, id, why).is_some() {
            self.closes.push_back(id);
        }
    }

    /// How a connection speaks, and to whom it leads.
    pub(super) fn of_link(&self, id: LinkId) -> Option<(Arc<Home>, Spoken)> {
        let trunk = self.all.get(self.links.get(&id)?)?;
        let link = trunk.links.iter().find(|link| link.id == id)?;
        Some((Arc::clone(&trunk.home), link.spoken?))
    }

    /// Something believable has come.
    pub(super) fn heard(&mut self, now: Monotonic, id: LinkId) {
        if let Some(place) = self.links.get(&id)
            && let Some(trunk) = self.all.get_mut(place)
            && let Some(link) = trunk.links.iter_mut().find(|link| link.id == id)
        {
            link.heard = now;
            link.strays = 0;
            link.proven = true;
            link.watched = false;
            trunk.failures = 0;
        }
    }

    /// Something has come that answers nothing; whether that was once too often.
    pub(super) fn strayed(&mut self, id: LinkId) -> bool {
        self.find(id).is_some_and(|(_, link)| {
            link.strays = link.strays.saturating_add(1);
            link.strays > MAX_STRAYS
        })
    }

    /// A request on it has ended.
    pub(super) fn landed(&mut self, now: Monotonic, id: LinkId) {
        if let Some(place) = self.links.get(&id)
            && let Some(trunk) = self.all.get_mut(place)
            && let Some(link) = trunk.links.iter_mut().find(|link| link.id == id)
        {
            link.in_flight = link.in_flight.saturating_sub(1);
            if trunk.stays == Stays::NoLonger {
                self.wake_at(now);
            }
        }
    }

    /// Whether nothing has come on it since then.
    pub(super) fn is_silent_since(&mut self, id: LinkId, since: Monotonic) -> bool {
        self.find(id).is_some_and(|(_, link)| link.heard <= since)
    }

    /// An open connection of a home server on which it can be asked whether it lives.
    pub(super) fn any_open(&self, home: &Arc<Home>) -> Option<LinkId> {
        let trunk = self.all.get(&key_of(home))?;
        let open = trunk.links.iter().find(|link| link.spoken.is_some());
        open.map(|link| link.id)
    }

    /// A place for a Status-Server on this connection, where none is under way.
    pub(super) fn place_on(&mut self, id: LinkId, flights: &Flights) -> Option<Place> {
        let (_, link) = self.find(id).filter(|(_, link)| !link.watched)?;
        let spoken = Some(link.spoken?);
        let number = link.number(flights)?;
        link.in_flight = link.in_flight.saturating_add(1);
        link.watched = true;
        let key = (Via::Tls(id), number);
        Some(Place { key, spoken })
    }

    /// Opens what should be open, closes what nobody uses; gives the open connections on which
    /// nothing was heard for long.
    pub(super) fn tend(&mut self, now: Monotonic) -> Vec<LinkId> {
        if self.wake.is_none_or(|wake| wake > now) {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        let mut over = Vec::new();
        for trunk in self.all.values() {
            let quiet = trunk.links.iter().all(|link| link.in_flight == 0);
            match trunk.stays {
                Stays::Always if trunk.links.is_empty() && trunk.due <= now => {
                    wanted.push(Arc::clone(&trunk.home));
                }
                Stays::WhileUsed if quiet && now.since(trunk.used) >= UNUSED => {
                    over.push(key_of(&trunk.home));
                }
                Stays::NoLonger if quiet => over.push(key_of(&trunk.home)),
                Stays::Always | Stays::WhileUsed | Stays::NoLonger => {}
            }
        }
        for home in wanted {
            self.open(now, &home);
        }
        for place in over {
            let Some(trunk) = self.all.remove(&place) else {
                continue;
            };
            for link in trunk.links {
                self.links.remove(&link.id);
                if link.spoken.is_some() {
                    let gauge = &trunk.home.gauges.connections;
                    gauge.fetch_sub(1, Ordering::Relaxed);
                }
                self.closes.push_back(link.id);
            }
        }
        let quiet = self.quiet(now);
        self.wake = self.next_wake(now);
        quiet
    }

    fn quiet(&self, now: Monotonic) -> Vec<LinkId> {
        let all = self.all.values();
        let watched = all.filter(|trunk| trunk.home.config.status);
        watched
            .flat_map(|trunk| &trunk.links)
            .filter(|link| link.spoken.is_some() && !link.watched)
            .filter(|link| now.since(link.heard) >= WATCH)
            .map(|link| link.id)
            .collect()
    }

    pub(super) fn poll_connect(&mut self) -> Option<(LinkId, Arc<Home>)> {
        self.connects.pop_front()
    }

    pub(super) fn poll_close(&mut self) -> Option<LinkId> {
        self.closes.pop_front()
    }

    pub(super) const fn poll_timeout(&self) -> Option<Monotonic> {
        self.wake
    }

    fn next_wake(&self, now: Monotonic) -> Option<Monotonic> {
        let all = self.all.values();
        all.filter_map(|trunk| {
            let watched = trunk
                .links
                .iter()
                .filter(|link| trunk.home.config.status && link.spoken.is_some());
            // One that is quiet by now is asked now, and looked at again when it has answered.
            let watch = watched
                .map(|link| (link.heard + WATCH).max(now + SOONEST))
                .min();
            let tend = match trunk.stays {
                Stays::Always => trunk.links.is_empty().then_some(trunk.due),
                Stays::WhileUsed => {
                    let quiet = trunk.links.iter().all(|link| link.in_flight == 0);
                    quiet.then_some(trunk.used + UNUSED)
                }
                // When its last request has ended.
                Stays::NoLonger => None,
            };
            watch.into_iter().chain(tend).min()
        })
        .min()
    }

    fn find(&mut self, id: LinkId) -> Option<(&Arc<Home>, &mut Link)> {
        let trunk = self.all.get_mut(self.links.get(&id)?)?;
        let link = trunk.links.iter_mut().find(|link| link.id == id)?;
        Some((&trunk.home, link))
    }
}

/// A trunk holds its home server, so that no other one is at the same place.
fn key_of(home: &Arc<Home>) -> usize {
    Arc::as_ptr(home).addr()
}

/// How long to wait after another failure: twice as long each time, and not all at the same moment.
fn backoff(failures: u32, [octet]: [u8; 1]) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
    let pause = doubled.min(LONGEST_PAUSE);
    pause + pause.mul_f32(f32::from(octet) / 1024.0)
}

/// Requests on one connection of RADIUS/1.1, whose Tokens would allow four thousand millions: what a
/// packet loop gives away.
const MAX_TOKENS: usize = 1024;

/// Connections to one home server: 16 of 256 requests are more than any server keeps up with.
const MAX_LINKS: usize = 16;

/// Packets in a row that answer nothing, after which whoever sends them is not listened to: more than
/// late answers can be.
const MAX_STRAYS: u32 = 256;

/// After the first attempt that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A home server that comes back after hours is used again within this time.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// After which silence of a connection the home server is asked whether it is there (RFC 3539 section
/// 3.4.1: 30 s).
const WATCH: Duration = Duration::from_secs(30);

/// The next look at a connection whose home server is being asked whether it is there.
const SOONEST: Duration = Duration::from_secs(1);

/// After which a connection that discovery led to is closed if nobody uses it.
const UNUSED: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_are_not_all_alike() {
        let seconds = |failures, octet| backoff(failures, [octet]).as_secs_f32();
        for (failures, least) in [(0, 1.0), (1, 2.0), (5, 32.0), (6, 60.0), (40, 60.0)] {
            assert!(
                (seconds(failures, 0) - least).abs() < 0.01,
                "row {failures}"
            );
            assert!(seconds(failures, 255) > least * 1.2, "row {failures}");
            assert!(seconds(failures, 255) < least * 1.3, "row {failures}");
        }
    }
}
