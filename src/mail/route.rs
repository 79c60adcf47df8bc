//! Which upstream has a user's mailbox: as it is written down, by group, or as an upstream has said
//! itself by sending the user elsewhere (451, MS-ASHTTP 3.1.5.2.2).
//!
//! An upstream can send a user only to another one that is configured. A place that nobody has
//! written down is nowhere the gateway would go, nor lead a client to.
//!
//! What is written down is in `route/map.rs`; what was learned beside it, and when that is given up, in
//! `route/learned.rs`; how it gets over a restart, in `route/kept.rs`.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use http::StatusCode;
use http::Uri;

use crate::access::Live;
use crate::eas;
use crate::model::EasDeviceId;
use crate::model::Monotonic;

use super::gateway::Gateway;
use super::who::Who;

mod kept;
mod learned;
mod map;

pub use map::Affinity;
pub use map::Resource;
pub use map::Routes;
pub use map::Rule;
pub use map::Whose;

pub(super) use kept::split;

use learned::Learned;

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
    /// Whether there is anything in [`Router::learned`]: mostly not, and then nobody takes the lock.
    has_learned: AtomicBool,
    /// Whether an upstream of those is silent: the same for answers.
    has_silent: AtomicBool,
    changes: AtomicU64,
    /// Held for a few operations, never across a call.
    learned: Mutex<Learned>,
}

impl Router {
    pub(super) fn new(routes: Routes) -> Self {
        Self {
            routes: ArcSwap::from_pointee(routes),
            has_learned: AtomicBool::new(false),
            has_silent: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            learned: Mutex::default(),
        }
    }

    /// Takes another map. What was learned beside the old one counts on if both say the same of users,
    /// for upstreams that are in the new one.
    pub(super) fn replace(&self, routes: Routes) {
        let is_same = routes.learn && routes.fingerprint() == self.routes.load().fingerprint();
        let mut learned = self.learned();
        if is_same {
            learned.keep(|upstream| routes.get(upstream).is_some());
        } else {
            *learned = Learned::default();
        }
        self.show(&learned);
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.routes.store(Arc::new(routes));
    }

    /// Keeps right what is asked without the lock.
    fn show(&self, learned: &Learned) {
        self.has_learned
            .store(!learned.is_empty(), Ordering::Relaxed);
        self.has_silent
            .store(learned.has_silent(), Ordering::Relaxed);
    }

    /// Counts what has to be saved.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    pub(super) fn routes(&self) -> arc_swap::Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// Where a request of a user goes, who is named by its own name and by the one it has signed in with.
    pub(super) fn route(
        &self,
        live: &Live,
        now: Monotonic,
        names: [&str; 2],
        device: Option<&EasDeviceId>,
    ) -> Placed {
        let [user, _] = names;
        let routes = self.routes.load();
        let place = if routes.rules.is_empty() && !self.has_learned.load(Ordering::Relaxed) {
            None
        } else {
            self.place(now, user).or_else(|| routes.ruled(live, names))
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

    /// The user's mailbox is said to be where the user has asked, for the upstream knows itself by this
    /// name: asking again may do.
    fn stays(&self, now: Monotonic, user: &str, host: &str) -> Moved {
        if self.learned().may_ask_again(now, user) {
            Moved::Here
        } else {
            Moved::Refused(format!("{host}, which is where the request has come from"))
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
            let is_here = published
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&host));
            return if is_here {
                self.stays(now, user, &host)
            } else {
                Moved::Refused(format!("{host}, which is no configured upstream"))
            };
        };
        let upstream = UpstreamId::of(&resource.name);
        if upstream == from {
            return self.stays(now, user, &host);
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
        self.learned().place(now, user)
    }

    /// False if the user is sent to and fro.
    fn learn(&self, now: Monotonic, user: &str, upstream: UpstreamId) -> bool {
        let mut learned = self.learned();
        let is_taken = learned.learn(now, user, upstream);
        if is_taken {
            self.show(&learned);
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        is_taken
    }

    /// A user has had no answer from an upstream. Whether the user is sent elsewhere from now on: to where
    /// the map says, because the upstream was learned and is gone.
    fn unanswered(&self, now: Monotonic, user: &str, upstream: UpstreamId) -> bool {
        if !self.has_learned.load(Ordering::Relaxed) {
            return false;
        }
        let mut learned = self.learned();
        let is_given_up = learned.unanswered(now, user, upstream);
        self.show(&learned);
        if is_given_up {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        is_given_up
    }

    /// Somebody has had an answer from an upstream.
    fn answered(&self, upstream: UpstreamId) {
        if self.has_silent.load(Ordering::Relaxed) {
            let mut learned = self.learned();
            learned.answered(upstream);
            self.show(&learned);
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Takes another map of upstreams and users. What was learned of credentials is asked for again
    /// unless the map is as before: it was another upstream's word, perhaps.
    pub fn replace_routes(&self, routes: Routes) {
        let leads_as_before = self.router.routes().leads_as(&routes);
        self.router.replace(routes);
        if !leads_as_before {
            self.credentials().distrust();
        }
    }

    /// The upstream of a user has not answered. If the user was sent there by another, and nobody has had
    /// an answer from it for some minutes, the next request goes where the map says.
    pub(super) fn unanswered(&self, now: Monotonic, who: &Who) {
        let (user, upstream) = (&who.login.user, who.route.upstream);
        if self.router.unanswered(now, user, upstream) {
            // It was the word of the upstream that is gone.
            self.credentials().forget(who.login.key);
        }
    }

    /// The upstream of a user has answered with this status. What stands before a server says with some
    /// that nobody is there; they say nothing of the upstream, or else that it is gone.
    pub(super) fn answered(&self, now: Monotonic, who: &Who, status: StatusCode) {
        let of_nobody = [
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        if of_nobody.contains(&status) {
            self.unanswered(now, who);
        } else {
            self.router.answered(who.route.upstream);
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
