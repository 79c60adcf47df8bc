//! What time does to connections: they are opened when they are missing, closed when nobody uses them,
//! and asked whether they live when they are silent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Stays;
use super::Trunks;
use super::key_of;
use crate::model::Monotonic;
use crate::network::proxy::flight::LinkId;

impl Trunks {
    /// Opens what should be open, closes what nobody uses; gives the open connections on which
    /// nothing was heard for long.
    pub(in crate::network::proxy) fn tend(&mut self, now: Monotonic) -> Vec<LinkId> {
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
}

/// After which silence of a connection the home server is asked whether it is there (RFC 3539 section
/// 3.4.1: 30 s).
pub(super) const WATCH: Duration = Duration::from_secs(30);

/// The next look at a connection whose home server is being asked whether it is there.
const SOONEST: Duration = Duration::from_secs(1);

/// After which a connection that discovery led to is closed if nobody uses it.
pub(super) const UNUSED: Duration = Duration::from_mins(10);
