//! Connections of one runtime to the upstreams: idle ones to be used again, and new ones.

#![expect(
    clippy::vec_box,
    reason = "a connection moves between here and its exchange as one word"
)]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use crate::mail::Route;
use crate::mail::UpstreamId;
use crate::net::proxy_header::Ends;

use super::Timing;
use super::closing::Closing;
use super::connect;
use super::connect::Names;
use super::connect::OpenError;
use super::connect::Opening;
use super::discover::Found;
use super::discover::Troubles;
use super::group::Discover;
use super::group::Group;
use super::group::Member;
use super::group::Settings;
use super::link::Link;

/// The connections.
pub(super) struct Pool {
    groups: Arc<ArcSwap<Vec<Group>>>,
    pub(super) names: Names,
    pub(super) timing: Timing,
    /// Shared by all lanes.
    pub(super) troubles: Arc<Troubles>,
    /// Of each member those that were used last stand last. Held for a few operations, never
    /// across a wait.
    idle: Mutex<Vec<Idle>>,
    /// Those whose requests were cut.
    pub(super) closing: Closing,
}

/// The idle connections of one member.
struct Idle {
    member: Arc<Member>,
    links: Vec<Box<Link>>,
}

impl Pool {
    /// Connects to nothing yet.
    pub(super) fn new(
        groups: Arc<ArcSwap<Vec<Group>>>,
        names: Names,
        timing: Timing,
        troubles: Arc<Troubles>,
    ) -> Self {
        Self {
            groups,
            names,
            timing,
            troubles,
            idle: Mutex::new(Vec::new()),
            closing: Closing::default(),
        }
    }

    /// The member that a request goes to, of those that were not tried.
    pub(super) fn choose(&self, to: Route, tried: &[u64]) -> Result<Arc<Member>, OpenError> {
        let groups = self.groups.load();
        let group = groups.iter().find(|group| group.id == to.upstream);
        let group = group.ok_or(OpenError::Gone)?;
        let chosen = group.choose(to.affinity, tried).ok_or(OpenError::AllDown)?;
        Ok(Arc::clone(chosen))
    }

    /// Those of all upstreams that are asked how they are.
    pub(super) fn checked(&self) -> Vec<Arc<Member>> {
        let groups = self.groups.load();
        let members = groups.iter().flat_map(|group| &group.members);
        let checked = members.filter(|member| member.settings.check.is_some());
        checked.map(Arc::clone).collect()
    }

    /// The upstreams whose members DNS names.
    pub(super) fn discovered(&self) -> Vec<(UpstreamId, Arc<Settings>)> {
        let groups = self.groups.load();
        let asked = groups.iter();
        let asked = asked.filter(|group| group.settings.discover != Discover::Off);
        asked
            .map(|group| (group.id, Arc::clone(&group.settings)))
            .collect()
    }

    /// Takes the members that DNS has named into the upstream with these settings, if it is still there;
    /// tells who they are, if they are others than before.
    pub(super) fn take_over(&self, settings: &Arc<Settings>, found: &Found) -> Option<String> {
        let is_it = |group: &&Group| Arc::ptr_eq(&group.settings, settings);
        let before = self.groups.rcu(|groups| {
            let groups = groups.iter().map(|group| {
                if is_it(&group) {
                    group.with_found(found)
                } else {
                    group.clone()
                }
            });
            groups.collect::<Vec<_>>()
        });
        let now = self.groups.load();
        let (before, now) = (before.iter().find(is_it)?, now.iter().find(is_it)?);
        retire(&before.members, &now.members);
        let numbers = |group: &Group| -> Vec<u64> {
            group.members.iter().map(|member| member.number).collect()
        };
        let places: Vec<String> = now.members.iter().map(|member| member.place()).collect();
        (numbers(before) != numbers(now)).then(|| places.join(", "))
    }

    /// An idle connection to the member, if there is one that is good; of this client, where
    /// connections begin with who that is.
    pub(super) fn take(&self, member: &Arc<Member>, ends: Option<&Ends>) -> Option<Box<Link>> {
        let now = Instant::now();
        let mut idle = self.idle();
        let kept = idle
            .iter_mut()
            .find(|idle| idle.member.number == member.number)?;
        loop {
            let mut link = match ends {
                None => kept.links.pop()?,
                Some(ends) => {
                    let mut links = kept.links.iter();
                    let at = links.rposition(|link| link.ends.as_ref() == Some(ends))?;
                    kept.links.remove(at)
                }
            };
            if now.duration_since(link.idle_since) > member.settings.idle {
                // The others are idle for longer still.
                if ends.is_none() {
                    kept.links.clear();
                }
                return None;
            }
            if link.is_alive() {
                return Some(link);
            }
        }
    }

    /// Takes a connection back that may be used again, over which its server was heard last at
    /// `heard`.
    pub(super) fn give(&self, member: &Arc<Member>, mut link: Box<Link>, heard: Instant) {
        let is_old = heard.duration_since(link.opened) > MAX_AGE;
        if is_old || member.is_retired.load(Ordering::Relaxed) {
            return;
        }
        link.was_used = true;
        link.idle_since = heard;
        let mut idle = self.idle();
        let known = idle
            .iter_mut()
            .find(|idle| idle.member.number == member.number);
        match known {
            Some(kept) if kept.links.len() < MAX_IDLE => kept.links.push(link),
            Some(_) => {}
            None => idle.push(Idle {
                member: Arc::clone(member),
                links: vec![link],
            }),
        }
    }

    /// Closes what is idle for too long, or leads to a member that is no more.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.idle().retain_mut(|idle| {
            let longest = idle.member.settings.idle;
            let good = |link: &mut Box<Link>| now.duration_since(link.idle_since) <= longest;
            idle.links.retain_mut(good);
            !idle.member.is_retired.load(Ordering::Relaxed)
        });
    }

    /// Opens a connection to a member.
    pub(super) fn open(&self, member: &Arc<Member>, ends: Option<Ends>) -> Opening {
        let within = self.timing.connect;
        connect::open(self.names.clone(), Arc::clone(member), ends, within)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Members that are not there any more get nothing, and keep no connection.
pub(super) fn retire<'m>(before: impl IntoIterator<Item = &'m Arc<Member>>, now: &[Arc<Member>]) {
    for member in before {
        if !now.iter().any(|other| other.number == member.number) {
            member.is_retired.store(true, Ordering::Relaxed);
        }
    }
}

/// Idle connections of a member kept by each runtime: what a few hundred requests a second need
/// within the idle time. Beyond it a connection is closed after its request.
const MAX_IDLE: usize = 256;
/// How long a connection is used again after it was opened: balancers and DNS that have changed
/// their mind are followed within that time.
const MAX_AGE: Duration = Duration::from_mins(10);
