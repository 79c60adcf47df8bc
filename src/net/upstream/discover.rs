//! Members that DNS names: every address of a server's name, or the servers of SRV records (RFC 2782).
//!
//! One task of one lane asks, again when the answer's time is over, and puts what it is told into the
//! group that all lanes choose from; nobody waits for it. **What DNS says moves requests and nothing
//! else**: which certificate a server must show, and what it is asked for, stands in the configuration
//! (RFC 9525 section 6.1.1, RFC 6125 section 6.2.1: an SRV target comes from whoever answers DNS, and is no
//! name to be checked). No decision hangs on it.
//!
//! As long as DNS has never answered, requests go to the configured name. From then on a name server
//! that is down, has nothing to say or says "not here" (a target `.`) changes nothing: the members that
//! are known stay, and it is asked again, after a second at first and at last every minute.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;

use crate::mail::Origin;
use crate::mail::UpstreamId;

use super::Lane;
use super::connect::LONGEST;
use super::connect::Names;
use super::group::Discover;
use super::group::Group;
use super::group::Member;
use super::group::Rank;
use super::group::Settings;

/// Where DNS says that a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rank: Rank,
    pub(super) address: SocketAddr,
}

/// The members of each configured server; `None` where nothing is to be changed.
pub(super) type Found = Vec<(Origin, Option<Vec<Place>>)>;

/// When an upstream is looked up again.
struct Due {
    settings: Arc<Settings>,
    at: Instant,
    /// Look-ups that have failed in a row.
    failures: u32,
}

/// Why DNS does not name the servers of which upstream.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<Arc<str>, String>>);

impl Troubles {
    /// Those that there are: the upstream's name and why.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        let all = self.lock();
        let all = all.iter();
        all.map(|(name, why)| (name.to_string(), why.clone()))
            .collect()
    }

    /// True if it is another one than before.
    fn set(&self, upstream: &Arc<str>, why: &str) -> bool {
        let before = self.lock().insert(Arc::clone(upstream), why.to_owned());
        before.is_none_or(|before| before != why)
    }

    /// True if there was one.
    fn clear(&self, upstream: &str) -> bool {
        self.lock().remove(upstream).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks members up, as long as the lane is served. Never ends; dropping it is safe.
pub(in crate::net) async fn follow(lane: Arc<Lane>) {
    let mut due: HashMap<UpstreamId, Due> = HashMap::new();
    let mut asking = JoinSet::new();
    loop {
        let now = Instant::now();
        let wanted = lane.pool.discovered();
        due.retain(|id, known| {
            let mut wanted = wanted.iter();
            let is_same = wanted
                .any(|(other, settings)| other == id && Arc::ptr_eq(settings, &known.settings));
            if !is_same {
                lane.pool.troubles.clear(&known.settings.name);
            }
            is_same
        });
        let mut next = now + LOOK;
        for (id, settings) in wanted {
            let known = due.entry(id).or_insert_with(|| Due {
                settings,
                at: now,
                failures: 0,
            });
            if known.at <= now {
                // Until it has come back.
                known.at = now + WHOLE * 2;
                let (names, settings) = (lane.pool.names.clone(), Arc::clone(&known.settings));
                asking.spawn(async move {
                    let found = find(&names, &settings).await;
                    (id, settings, found)
                });
            }
            next = next.min(known.at);
        }
        let (id, settings, found) = tokio::select! {
            () = sleep_until(next) => continue,
            Some(Ok(found)) = asking.join_next() => found,
        };
        let Some(known) = due.get_mut(&id) else {
            continue;
        };
        if !Arc::ptr_eq(&known.settings, &settings) {
            continue;
        }
        let upstream = &settings.name;
        let wait = match found {
            Ok((found, lifetime)) => {
                known.failures = 0;
                if lane.pool.troubles.clear(upstream) {
                    info!(%upstream, "DNS names the servers of an upstream again");
                }
                if let Some(servers) = lane.pool.take_over(&settings, &found) {
                    info!(%upstream, servers, "DNS has named the servers of an upstream");
                }
                lifetime
            }
            Err(why) => {
                if lane.pool.troubles.set(upstream, &why) {
                    warn!(
                        %upstream,
                        why,
                        "DNS does not name the servers of an upstream; those that are known stay"
                    );
                }
                let times = known.failures.min(6);
                known.failures = known.failures.saturating_add(1);
                (RETRY * 2_u32.pow(times)).min(LONGEST_RETRY)
            }
        };
        known.at = Instant::now() + wait;
    }
}

/// What DNS says of an upstream, and for how long; or why it says nothing.
async fn find(names: &Names, settings: &Settings) -> Result<(Found, Duration), String> {
    let asked = async {
        match &settings.discover {
            Discover::Off => Err("it is not asked".to_owned()),
            Discover::Addresses => addresses(names, &settings.members).await,
            Discover::Services(name) => services(names, &settings.members, name).await,
        }
    };
    let (found, lifetime) = match timeout(WHOLE, asked).await {
        Ok(found) => found?,
        Err(_) => return Err("it has not answered within 10 s".to_owned()),
    };
    Ok((found, lifetime.clamp(SHORTEST, LONGEST)))
}

/// Every address of each server; one whose name cannot be looked up keeps those that it has.
async fn addresses(names: &Names, origins: &[Origin]) -> Result<(Found, Duration), String> {
    let (mut found, mut lifetime, mut trouble) = (Vec::new(), LONGEST, None);
    for origin in origins {
        let host = origin.host().trim_matches(['[', ']']);
        if host.parse::<IpAddr>().is_ok() {
            found.push((origin.clone(), None));
            continue;
        }
        match names.look_up(host, origin.port()).await {
            Ok((addresses, alive)) => {
                lifetime = lifetime.min(alive);
                let places = addresses.into_iter().map(|address| Place {
                    rank: Rank::default(),
                    address,
                });
                found.push((origin.clone(), Some(places.collect())));
            }
            Err(trouble_there) => {
                lifetime = lifetime.min(LONGEST_RETRY);
                found.push((origin.clone(), None));
                trouble = Some(trouble_there.why);
            }
        }
    }
    let is_any = found.iter().any(|(_, places)| places.is_some());
    match trouble {
        Some(why) if !is_any => Err(why),
        _ => Ok((found, lifetime)),
    }
}

/// Every address of each target.
async fn services(
    names: &Names,
    origins: &[Origin],
    name: &str,
) -> Result<(Found, Duration), String> {
    let origin = origins.first().ok_or("it has no URL")?;
    let records = names.services(name).await;
    let (records, mut lifetime) = records.map_err(|nobody| nobody.why)?;
    let mut places = Vec::new();
    for service in records {
        match names.look_up(&service.target, service.port).await {
            Ok((addresses, alive)) => {
                lifetime = lifetime.min(alive);
                places.extend(addresses.into_iter().map(|address| Place {
                    rank: service.rank,
                    address,
                }));
            }
            // It may be there: without it its devices would be moved, and back.
            Err(nobody) if !nobody.is_certain => return Err(nobody.why),
            Err(_) => {}
        }
    }
    if places.is_empty() {
        return Err(format!("{name} names no server"));
    }
    places.sort();
    Ok((vec![(origin.clone(), Some(places))], lifetime))
}

impl Group {
    /// The group with the members that were found, those that it has already among them.
    pub(super) fn with_found(&self, found: &Found) -> Self {
        let mut members: Vec<Arc<Member>> = Vec::new();
        for (origin, places) in found {
            let Some(places) = places else {
                let known = self.members.iter();
                let known = known.filter(|member| member.origin == *origin);
                members.extend(known.map(Arc::clone));
                continue;
            };
            for place in places {
                let is_there = |member: &&Arc<Member>| {
                    member.origin == *origin && member.address == Some(place.address)
                };
                // Two records may lead to one address: the first counts, which is the better one.
                if members.iter().any(|member| is_there(&member)) {
                    continue;
                }
                let known = self.members.iter().find(is_there).map(Arc::clone);
                let member = known.unwrap_or_else(|| {
                    let (origin, settings) = (origin.clone(), Arc::clone(&self.settings));
                    Arc::new(Member::found(origin, settings, place.address))
                });
                member.set_rank(place.rank);
                members.push(member);
            }
        }
        members.truncate(MAX_MEMBERS);
        if members.is_empty() {
            members.clone_from(&self.members);
        }
        Self {
            id: self.id,
            settings: Arc::clone(&self.settings),
            members,
        }
    }
}

/// How often it is looked whether there is another upstream.
const LOOK: Duration = Duration::from_secs(1);
/// For all questions about an upstream.
const WHOLE: Duration = Duration::from_secs(10);
/// An answer is good for so long at least, whatever it says.
const SHORTEST: Duration = Duration::from_secs(1);
/// After the first look-up that fails; twice as long after each further one.
const RETRY: Duration = Duration::from_secs(1);
/// And at most.
const LONGEST_RETRY: Duration = Duration::from_mins(1);
/// Members of an upstream: each is asked how it is, and has connections.
const MAX_MEMBERS: usize = 64;
