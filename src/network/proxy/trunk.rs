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
use super::flight::LinkId;
use super::home::Home;
use crate::model::Monotonic;
use link::Link;
use tend::UNUSED;
use tend::WATCH;

pub(super) use link::Place;
pub use link::Spoken;

mod link;
mod tend;

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
        link.place(flights)
    }

    fn open(&mut self, now: Monotonic, home: &Arc<Home>) {
        self.next = self.next.wrapping_add(1);
        let id = LinkId(self.next);
        self.links.insert(id, key_of(home));
        self.trunk(now, home).links.push(Link::new(id, now));
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
        link.open(now, spoken);
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
            link.hear(now);
            trunk.failures = 0;
        }
    }

    /// Something has come that answers nothing; whether that was once too often.
    pub(super) fn strayed(&mut self, id: LinkId) -> bool {
        self.find(id).is_some_and(|(_, link)| link.stray())
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
        link.spoken?;
        let place = link.place(flights)?;
        link.watched = true;
        Some(place)
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

/// Connections to one home server: 16 of 256 requests are more than any server keeps up with.
const MAX_LINKS: usize = 16;

/// After the first attempt that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// A home server that comes back after hours is used again within this time.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

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
