//! Which upstream has a user's mailbox: as it is written down, by group, or as an upstream has said
//! itself by sending the user elsewhere (451, MS-ASHTTP 3.1.5.2.2).
//!
//! An upstream can send a user only to another one that is configured. A place that nobody has
//! written down is nowhere the gateway would go, nor lead a client to.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Uri;

use crate::access::Live;
use crate::eas;
use crate::model::EasDeviceId;
use crate::model::Monotonic;

use super::gateway::Gateway;

mod map;

pub use map::Affinity;
pub use map::Resource;
pub use map::Routes;
pub use map::Rule;
pub use map::Whose;

/// An upstream, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(u64);

impl UpstreamId {
    /// The name of the upstream of everybody who is not sent elsewhere.
    pub const DEFAULT: &str = "default";

    /// Of a name: 64 bits of FNV-1a, the same in every process.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self(fnv(FNV_BASIS, name.as_bytes()))
    }

    /// As a number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// To which upstream.
    pub upstream: UpstreamId,
    /// Requests with the same number go to the same server of it.
    pub affinity: u64,
}

/// Where a request goes, with what is named in records.
#[derive(Clone, Debug, Default)]
pub(super) struct Placed {
    pub(super) route: Route,
    /// The upstream's name; `None` of the usual one.
    pub(super) name: Option<Arc<str>>,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            upstream: UpstreamId::of(UpstreamId::DEFAULT),
            affinity: 0,
        }
    }
}

/// What an upstream's word about a user's place comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// The client asks here again, and is led there from now on.
    Here,
    /// Nobody goes there: why, for the administrator.
    Refused(String),
}

/// The map, and what was learned beside it.
pub(super) struct Router {
    routes: ArcSwap<Routes>,
    has_learned: AtomicBool,
    /// Held for a few operations, never across a call.
    learned: Mutex<Learned>,
}

#[derive(Default)]
struct Learned {
    places: HashMap<String, Place>,
    order: VecDeque<String>,
}

#[derive(Clone, Copy)]
struct Place {
    upstream: UpstreamId,
    at: Monotonic,
    /// How often it has changed within a short time.
    moves: u32,
}

impl Learned {
    fn keep(&mut self, may_stay: impl Fn(&Place) -> bool) {
        self.places.retain(|_, place| may_stay(place));
        self.order.retain(|user| self.places.contains_key(user));
    }
}

impl Router {
    pub(super) fn new(routes: Routes) -> Self {
        Self {
            routes: ArcSwap::from_pointee(routes),
            has_learned: AtomicBool::new(false),
            learned: Mutex::default(),
        }
    }

    /// Takes another map. What was learned beside the old one counts on if both say the same of users,
    /// for upstreams that are in the new one.
    pub(super) fn replace(&self, routes: Routes) {
        let is_same = routes.learn && routes.rules == self.routes.load().rules;
        let mut learned = self.learned();
        if is_same {
            learned.keep(|place| routes.get(place.upstream).is_some());
        } else {
            *learned = Learned::default();
        }
        self.has_learned
            .store(!learned.places.is_empty(), Ordering::Relaxed);
        self.routes.store(Arc::new(routes));
    }

    pub(super) fn routes(&self) -> arc_swap::Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// Where a request of this user goes.
    pub(super) fn route(
        &self,
        live: &Live,
        now: Monotonic,
        user: &str,
        device: Option<&EasDeviceId>,
    ) -> Placed {
        let routes = self.routes.load();
        let place = if routes.rules.is_empty() && !self.has_learned.load(Ordering::Relaxed) {
            None
        } else {
            self.place(now, user).or_else(|| routes.ruled(live, user))
        };
        let resource = match place {
            Some(id) => routes.get(id),
            None => routes.resources.first(),
        };
        let Some(resource) = resource else {
            return Placed::default();
        };
        let affinity = if resource.members.len() > 1 || resource.is_discovered {
            let user = fnv(FNV_BASIS, user.as_bytes());
            match (resource.affinity, device) {
                (Affinity::Device, Some(device)) => {
                    fnv(user, device.as_str().to_ascii_lowercase().as_bytes())
                }
                (Affinity::User, _) | (Affinity::Device, None) => user,
            }
        } else {
            0
        };
        Placed {
            route: Route {
                upstream: UpstreamId::of(&resource.name),
                affinity,
            },
            name: place.map(|_| Arc::clone(&resource.name)),
        }
    }

    /// An upstream has said that the user's mailbox is at `location`.
    pub(super) fn moved(
        &self,
        now: Monotonic,
        user: &str,
        from: UpstreamId,
        location: &str,
        published: &[String],
    ) -> Moved {
        let Some(host) = host_of(location) else {
            return Moved::Refused("a place that is no ActiveSync URL".to_owned());
        };
        let routes = self.routes.load();
        let Some(resource) = routes.at(&host) else {
            // An upstream that knows itself by our name means that all is well as it is.
            let is_here = published
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&host));
            return if is_here {
                Moved::Here
            } else {
                Moved::Refused(format!("{host}, which is no configured upstream"))
            };
        };
        let upstream = UpstreamId::of(&resource.name);
        if upstream == from {
            return Moved::Here;
        }
        if !routes.learn {
            let name = &resource.name;
            return Moved::Refused(format!(
                "{host}, which is the upstream {name}, but mail.learn_redirects is off"
            ));
        }
        if self.learn(now, user, upstream) {
            Moved::Here
        } else {
            Moved::Refused(format!("{host}, and from there back again"))
        }
    }

    fn place(&self, now: Monotonic, user: &str) -> Option<UpstreamId> {
        let learned = self.learned();
        let place = learned.places.get(user)?;
        (now.since(place.at) < LEARNED_HOLDS).then_some(place.upstream)
    }

    /// False if the user is sent to and fro.
    fn learn(&self, now: Monotonic, user: &str, upstream: UpstreamId) -> bool {
        let mut learned = self.learned();
        let before = learned.places.get(user).copied();
        let moves = match before {
            Some(place) if now.since(place.at) < TO_AND_FRO => place.moves.saturating_add(1),
            Some(_) | None => 0,
        };
        if moves > MAX_MOVES {
            return false;
        }
        let place = Place {
            upstream,
            at: now,
            moves,
        };
        if learned.places.insert(user.to_owned(), place).is_none() {
            learned.order.push_back(user.to_owned());
        }
        while learned.places.len() > MAX_LEARNED {
            let Some(oldest) = learned.order.pop_front() else {
                break;
            };
            learned.places.remove(&oldest);
        }
        drop(learned);
        self.has_learned.store(true, Ordering::Relaxed);
        true
    }

    fn learned(&self) -> std::sync::MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Takes another map of upstreams and users. What was learned of credentials is asked for
    /// again: it was another upstream's word, perhaps.
    pub fn replace_routes(&self, routes: Routes) {
        self.router.replace(routes);
        self.credentials().distrust();
    }
}

/// The host of an ActiveSync URL.
fn host_of(location: &str) -> Option<String> {
    let uri: Uri = location.trim().parse().ok()?;
    let is_url = uri.scheme_str() == Some("https") && eas::is_path(uri.path());
    let authority = uri.authority()?;
    let is_plain = !authority.as_str().contains('@');
    (is_url && is_plain).then(|| authority.host().to_ascii_lowercase())
}

fn fnv(basis: u64, octets: &[u8]) -> u64 {
    octets.iter().fold(basis, |hash, octet| {
        (hash ^ u64::from(*octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// Users whose place was learned; the oldest is forgotten and sent there once more.
const MAX_LEARNED: usize = 65_536;
/// How long a learned place counts: a mailbox that moved back is found within a day.
const LEARNED_HOLDS: Duration = Duration::from_hours(24);
/// Moves within this time belong together.
const TO_AND_FRO: Duration = Duration::from_mins(10);
/// Moves of a user that belong together; beyond them two upstreams send the user to each other.
const MAX_MOVES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_elapsed(Duration::from_secs(seconds))
    }

    fn routes() -> Routes {
        let resource = |name: &str, url: &str| Resource::single(name, url.parse().unwrap());
        let mut routes = Routes::only("https://old.internal".parse().unwrap());
        routes
            .resources
            .push(resource("cloud", "https://outlook.office365.com"));
        let mut third = resource("eu", "https://eu.internal:444");
        third.also_known = vec!["mail-eu.example.org".to_owned()];
        routes.resources.push(third);
        routes.learn = true;
        routes
    }

    const PATH: &str = "/Microsoft-Server-ActiveSync";

    #[test]
    fn only_configured_places_are_learned_r56() {
        let default = UpstreamId::of(UpstreamId::DEFAULT);
        let published = ["mail.example.org".to_owned()];
        for (location, expected) in [
            (
                format!("https://outlook.office365.com{PATH}"),
                Some("cloud"),
            ),
            (
                format!("https://OUTLOOK.office365.com:443{PATH}"),
                Some("cloud"),
            ),
            (format!("https://mail-eu.example.org{PATH}"), Some("eu")),
            (format!("https://old.internal{PATH}"), Some("default")),
            (format!("https://mail.example.org{PATH}"), Some("default")),
            (format!("https://attacker.example{PATH}"), None),
            (format!("https://127.0.0.1{PATH}"), None),
            (
                format!("https://outlook.office365.com.attacker.example{PATH}"),
                None,
            ),
            (
                format!("https://outlook.office365.com@attacker.example{PATH}"),
                None,
            ),
            (format!("http://outlook.office365.com{PATH}"), None),
            ("https://outlook.office365.com/owa".to_owned(), None),
            ("outlook.office365.com".to_owned(), None),
            (String::new(), None),
        ] {
            let router = Router::new(routes());
            let moved = router.moved(at(1), "alice", default, &location, &published);
            assert_eq!(
                moved == Moved::Here,
                expected.is_some(),
                "row {location}: {moved:?}"
            );
            let place = router.place(at(2), "alice");
            let learned = expected.filter(|name| *name != "default");
            assert_eq!(place, learned.map(UpstreamId::of), "row {location}");
            assert_eq!(router.place(at(2), "bob"), None, "row {location}");
        }
    }

    #[test]
    fn what_is_learned_ends_and_nobody_is_sent_to_and_fro_for_ever() {
        let [default, cloud] = [UpstreamId::DEFAULT, "cloud"].map(UpstreamId::of);
        let router = Router::new(routes());
        let to_cloud = format!("https://outlook.office365.com{PATH}");
        let back = format!("https://old.internal{PATH}");
        let step = |second, from, to: &str| router.moved(at(second), "alice", from, to, &[]);
        assert_eq!(step(1, default, &to_cloud), Moved::Here);
        assert_eq!(
            router.place(at(1 + 24 * 3600), "alice"),
            None,
            "after a day"
        );
        assert_eq!(step(2, cloud, &back), Moved::Here);
        assert_eq!(step(3, default, &to_cloud), Moved::Here);
        assert_eq!(step(4, cloud, &back), Moved::Here);
        assert!(matches!(step(5, default, &to_cloud), Moved::Refused(_)));
        let mut off = routes();
        off.learn = false;
        router.replace(off);
        assert_eq!(router.place(at(6), "alice"), None, "another map");
        assert!(matches!(step(6, default, &to_cloud), Moved::Refused(_)));
    }

    /// A signal to read the files again, of which none had changed, sent users back to their old server.
    #[test]
    fn what_is_learned_outlives_another_map_that_says_the_same_r56() {
        let cloud = UpstreamId::of("cloud");
        let rule = Rule {
            whose: Whose::User("alice".to_owned()),
            upstream: UpstreamId::of("eu"),
        };
        let without = Routes {
            resources: routes().resources.into_iter().take(1).collect(),
            ..routes()
        };
        for (row, map, expected) in [
            ("the same", routes(), Some(cloud)),
            ("its upstream is gone", without, None),
            (
                "a rule is new",
                Routes {
                    rules: vec![rule],
                    ..routes()
                },
                None,
            ),
            (
                "nothing is learned any more",
                Routes {
                    learn: false,
                    ..routes()
                },
                None,
            ),
        ] {
            let router = Router::new(routes());
            assert!(router.learn(at(1), "alice", cloud));
            router.replace(map);
            assert_eq!(router.place(at(2), "alice"), expected, "row {row}");
            assert_eq!(
                router.has_learned.load(Ordering::Relaxed),
                expected.is_some(),
                "row {row}"
            );
        }
    }

    #[test]
    fn the_oldest_of_too_many_places_is_forgotten() {
        let router = Router::new(routes());
        let cloud = UpstreamId::of("cloud");
        for number in 0..=MAX_LEARNED {
            assert!(router.learn(at(1), &number.to_string(), cloud));
        }
        assert_eq!(router.place(at(2), "0"), None);
        assert_eq!(router.place(at(2), "1"), Some(cloud));
    }
}
