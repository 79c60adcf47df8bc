//! Realms whose home servers are found by DNS (RFC 7585): who waits for a look-up, what was found, and
//! for how long that counts.
//!
//! A realm is what anybody writes behind an `@`: their number, and that of look-ups under way, is
//! bounded, and a realm of which nothing was found is forgotten before one with servers.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use super::flight::Asking;
use super::home::Home;
use super::home::HomeConfig;
use super::home::TlsWay;
use super::home::Way;
use super::route::Nobody;
use crate::model::Fingerprint;
use crate::model::Monotonic;
use crate::model::Secret;
use crate::network::Counter;
use crate::radius::RADSEC_SECRET;

/// How discovery is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Names what connections are made with; what was found before another one is forgotten.
    pub material: Fingerprint,
    /// Realms that are remembered.
    pub realms: usize,
    /// What was found counts for so long at least, whatever DNS says.
    pub shortest: Duration,
    /// And so long at most.
    pub longest: Duration,
    /// After which a realm without servers is looked up again.
    pub retry: Duration,
}

/// A server that DNS has named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its addresses, at least one.
    pub addresses: Vec<SocketAddr>,
}

/// What came of a look-up: the servers in order and how long DNS vouches for them, or why there are
/// none; that is certain if DNS says so, and not if it says nothing.
pub type Found = Result<(Vec<Server>, Duration), Nobody>;

/// What discovery has done, and whom it has found.
#[derive(Debug, Default)]
pub struct Discovered {
    /// Realms that were looked up.
    pub looked_up: Counter,
    /// Look-ups that led to servers.
    pub found: Counter,
    /// Look-ups that led nowhere.
    pub nothing: Counter,
    /// Requests of realms for which there was no place.
    pub refused: Counter,
    homes: Mutex<Vec<Arc<Home>>>,
}

impl Discovered {
    /// The home servers that are known just now.
    #[must_use]
    pub fn homes(&self) -> Vec<Arc<Home>> {
        let homes = self.homes.lock();
        homes.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All realms.
pub(super) struct Realms {
    all: HashMap<Box<str>, Realm>,
    /// Ends, the next first.
    ends: BTreeSet<(Monotonic, Box<str>)>,
    /// Those without servers, the oldest first.
    empty: BTreeSet<(Monotonic, Box<str>)>,
    lookups: VecDeque<Box<str>>,
    under_way: usize,
    discovery: Option<Discovery>,
    pub(super) discovered: Arc<Discovered>,
}

struct Realm {
    state: State,
    until: Monotonic,
}

enum State {
    /// It is being looked up; what was known before is still asked.
    Looking {
        waiting: Vec<Asking>,
        before: Vec<Arc<Home>>,
    },
    Known(Vec<Arc<Home>>),
    /// With the reason.
    Nothing(Nobody),
}

/// What is known of a realm.
pub(super) enum Answer {
    /// These are asked.
    Ask(Box<Asking>, Vec<Arc<Home>>),
    /// It has none, and why.
    Nothing(Box<Asking>, Nobody),
    /// It waits for a look-up.
    Waits,
}

impl Realms {
    pub(super) fn new() -> Self {
        Self {
            all: HashMap::new(),
            ends: BTreeSet::new(),
            empty: BTreeSet::new(),
            lookups: VecDeque::new(),
            under_way: 0,
            discovery: None,
            discovered: Arc::default(),
        }
    }

    /// From now on it is done so; what was found in another way is forgotten.
    pub(super) fn configure(&mut self, discovery: Option<Discovery>) {
        if self.discovery == discovery {
            return;
        }
        self.discovery = discovery;
        // Those that are being looked up come back, and those who wait for them with them.
        self.all
            .retain(|_, realm| matches!(realm.state, State::Looking { .. }));
        self.ends.retain(|(_, name)| self.all.contains_key(name));
        self.empty.clear();
        self.show();
    }

    /// Whom to ask for a realm.
    pub(super) fn find(&mut self, now: Monotonic, name: &str, asking: Box<Asking>) -> Answer {
        let Some(discovery) = &self.discovery else {
            return Answer::Nothing(asking, Nobody::for_now("discovery is switched off"));
        };
        match self.all.get_mut(name) {
            Some(Realm {
                state: State::Known(homes),
                until,
            }) if *until > now => return Answer::Ask(asking, homes.clone()),
            Some(Realm {
                state: State::Nothing(why),
                until,
            }) if *until > now => return Answer::Nothing(asking, why.clone()),
            Some(Realm {
                state: State::Looking { before, .. },
                ..
            }) if !before.is_empty() => return Answer::Ask(asking, before.clone()),
            Some(Realm {
                state: State::Looking { waiting, .. },
                ..
            }) => {
                if waiting.len() >= MAX_WAITING {
                    self.discovered.refused.count();
                    let why = "too many requests wait for the look-up of their realm";
                    return Answer::Nothing(asking, Nobody::for_now(why));
                }
                waiting.push(*asking);
                return Answer::Waits;
            }
            Some(_) | None => {}
        }
        let most = discovery.realms;
        let has_place = self.all.contains_key(name) || self.make_room(most);
        if !has_place || self.under_way >= MAX_LOOKUPS {
            self.discovered.refused.count();
            let why = "too many realms are looked up or known";
            return Answer::Nothing(asking, Nobody::for_now(why));
        }
        self.look_up(now, name, asking)
    }

    fn look_up(&mut self, now: Monotonic, name: &str, asking: Box<Asking>) -> Answer {
        // Asked while they are looked up again: they were right until just now.
        let before = match self.take(name) {
            Some(Realm {
                state: State::Known(homes),
                until,
            }) if now.since(until) < GRACE => homes,
            Some(_) | None => Vec::new(),
        };
        let (waiting, answer) = if before.is_empty() {
            (vec![*asking], Answer::Waits)
        } else {
            (Vec::new(), Answer::Ask(asking, before.clone()))
        };
        self.put(name, State::Looking { waiting, before }, now + LOOKING);
        self.under_way = self.under_way.saturating_add(1);
        self.discovered.looked_up.count();
        self.lookups.push_back(name.into());
        answer
    }

    /// A look-up has come back. Gives those who wait for it, with what there is for them.
    pub(super) fn found(&mut self, now: Monotonic, name: &str, found: Found) -> Vec<Answer> {
        let Some(Realm {
            state: State::Looking { waiting, before },
            ..
        }) = self.take_looking(name)
        else {
            return Vec::new();
        };
        let Some(discovery) = self.discovery.clone() else {
            let why = Nobody::for_now("discovery is switched off");
            let waiting = waiting.into_iter();
            return waiting
                .map(|asking| Answer::Nothing(Box::new(asking), why.clone()))
                .collect();
        };
        match found {
            Ok((servers, lifetime)) => {
                self.discovered.found.count();
                let lifetime = lifetime.max(discovery.shortest).min(discovery.longest);
                let homes: Vec<Arc<Home>> = servers
                    .into_iter()
                    .map(|server| home(name, server, &discovery))
                    .map(|config| {
                        let same = before.iter().find(|home| home.config().is_same(&config));
                        same.map_or_else(|| Arc::new(Home::new(config)), Arc::clone)
                    })
                    .collect();
                self.put(name, State::Known(homes.clone()), now + lifetime);
                self.show();
                let waiting = waiting.into_iter();
                waiting
                    .map(|asking| Answer::Ask(Box::new(asking), homes.clone()))
                    .collect()
            }
            Err(why) => {
                self.discovered.nothing.count();
                self.put(name, State::Nothing(why.clone()), now + discovery.retry);
                self.show();
                let waiting = waiting.into_iter();
                waiting
                    .map(|asking| Answer::Nothing(Box::new(asking), why.clone()))
                    .collect()
            }
        }
    }

    /// Look-ups that do not come back, and realms that nobody has asked for since their end.
    pub(super) fn expire(&mut self, now: Monotonic) -> Vec<Answer> {
        let mut given_up = Vec::new();
        while let Some((end, name)) = self.ends.first().filter(|(end, _)| *end <= now).cloned() {
            self.ends.remove(&(end, name.clone()));
            let Some(realm) = self.all.get(&name) else {
                continue;
            };
            if matches!(realm.state, State::Looking { .. }) {
                let why = Nobody::for_now("the look-up of the realm takes too long");
                given_up.extend(self.found(now, &name, Err(why)));
            } else if now.since(realm.until) >= GRACE {
                self.take(&name);
                self.show();
            } else {
                // Looked at again when it has been over for a while.
                let over = realm.until + GRACE;
                self.ends.insert((over, name));
            }
        }
        given_up
    }

    pub(super) fn poll_lookup(&mut self) -> Option<Box<str>> {
        self.lookups.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        self.ends.first().map(|(end, _)| *end)
    }

    fn put(&mut self, name: &str, state: State, until: Monotonic) {
        if matches!(state, State::Nothing(_)) {
            self.empty.insert((until, name.into()));
        }
        self.ends.insert((until, name.into()));
        self.all.insert(name.into(), Realm { state, until });
    }

    fn take(&mut self, name: &str) -> Option<Realm> {
        let realm = self.all.remove(name)?;
        let until = realm.until;
        self.ends.remove(&(until, name.into()));
        self.ends.remove(&(until + GRACE, name.into()));
        self.empty.remove(&(until, name.into()));
        Some(realm)
    }

    fn take_looking(&mut self, name: &str) -> Option<Realm> {
        let realm = self.all.get(name)?;
        if !matches!(realm.state, State::Looking { .. }) {
            return None;
        }
        self.under_way = self.under_way.saturating_sub(1);
        self.take(name)
    }

    /// Whether there is a place for one more realm; one without servers gives way.
    fn make_room(&mut self, most: usize) -> bool {
        if self.all.len() < most {
            return true;
        }
        let Some((_, oldest)) = self.empty.first().cloned() else {
            return false;
        };
        self.take(&oldest).is_some()
    }

    /// Shows others whom it knows.
    fn show(&self) {
        let realms = self.all.values();
        let known = realms.filter_map(|realm| match &realm.state {
            State::Known(homes) => Some(homes),
            State::Looking { before, .. } => Some(before),
            State::Nothing(_) => None,
        });
        let mut homes: Vec<Arc<Home>> = known.flatten().cloned().collect();
        homes.sort_by(|one, other| one.name().cmp(other.name()));
        let shown = &self.discovered.homes;
        *shown.lock().unwrap_or_else(PoisonError::into_inner) = homes;
    }
}

fn home(realm: &str, server: Server, discovery: &Discovery) -> HomeConfig {
    let Server {
        host,
        port,
        addresses,
    } = server;
    HomeConfig {
        name: format!("{realm} ({host}:{port})"),
        way: Way::Tls(TlsWay {
            host: host.into(),
            port,
            addresses: addresses.into(),
            realm: Some(realm.into()),
            connections: 1,
            material: discovery.material,
        }),
        secret: Secret::new(RADSEC_SECRET.to_vec()),
        signed: true,
        // Nobody knows whether it answers Status-Server.
        status: false,
    }
}

/// Look-ups under way: at 50 ms each, more than a thousand new realms a second.
const MAX_LOOKUPS: usize = 64;

/// Requests that wait for one realm.
const MAX_WAITING: usize = 256;

/// How long a look-up may take; the shell gives up before that.
const LOOKING: Duration = Duration::from_secs(7);

/// How long servers are asked on while their realm is looked up again.
const GRACE: Duration = Duration::from_mins(10);
