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
use crate::net::proxy_header::Ends;

use super::Timing;
use super::closing::Closing;
use super::connect;
use super::connect::Names;
use super::connect::OpenError;
use super::connect::Opening;
use super::group::Group;
use super::group::Member;
use super::link::Link;

/// The connections.
pub(super) struct Pool {
    groups: Arc<ArcSwap<Vec<Group>>>,
    names: Names,
    pub(super) timing: Timing,
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
    pub(super) fn new(groups: Arc<ArcSwap<Vec<Group>>>, names: Names, timing: Timing) -> Self {
        Self {
            groups,
            names,
            timing,
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

    /// Takes a connection back that may be used again.
    pub(super) fn give(&self, member: &Arc<Member>, mut link: Box<Link>) {
        let now = Instant::now();
        let is_old = now.duration_since(link.opened) > MAX_AGE;
        if is_old || member.is_retired.load(Ordering::Relaxed) {
            return;
        }
        link.was_used = true;
        link.idle_since = now;
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

/// Idle connections of a member kept by each runtime: what a few hundred requests a second need
/// within the idle time. Beyond it a connection is closed after its request.
const MAX_IDLE: usize = 256;
/// How long a connection is used again after it was opened: balancers and DNS that have changed
/// their mind are followed within that time.
const MAX_AGE: Duration = Duration::from_mins(10);
