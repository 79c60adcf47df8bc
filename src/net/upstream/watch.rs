//! Health checks: each member that has one is asked by one task of one lane.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep_until;
use tracing::info;
use tracing::warn;

use super::Lane;
use super::group::Check;
use super::group::Member;

/// Asks the members of all upstreams, each as often as its upstream says, one question at a time of
/// each. Never ends; dropping it is safe.
pub(in crate::net) async fn watch(lane: Arc<Lane>) {
    let mut due: HashMap<u64, Instant> = HashMap::new();
    let mut asking = JoinSet::new();
    loop {
        let now = Instant::now();
        let members = lane.pool.checked();
        due.retain(|number, _| members.iter().any(|member| member.number == *number));
        let mut next = now + LOOK;
        for member in members {
            let Some(check) = member.settings.check.clone() else {
                continue;
            };
            let at = due.entry(member.number).or_insert(now);
            if *at <= now {
                *at = now + check.interval.max(check.deadline);
                let lane = Arc::clone(&lane);
                asking.spawn(async move { ask(&lane, &member, &check).await });
            }
            next = next.min(*at);
        }
        tokio::select! {
            () = sleep_until(next) => {}
            Some(_) = asking.join_next() => {}
        }
    }
}

async fn ask(lane: &Lane, member: &Arc<Member>, check: &Check) {
    let uri = member.origin.uri(check.path.clone());
    let Some(request) = uri.and_then(|uri| Request::get(uri).body(()).ok()) else {
        return;
    };
    let why = match lane.probe(member, request, check.deadline).await {
        Ok(StatusCode::OK) => {
            if member.health.check_succeeds() {
                let (upstream, server) = (&member.settings.name, member.place());
                info!(%upstream, %server, "a server is well again by its health check");
            }
            return;
        }
        Ok(status) => format!("its health check answers {}", status.as_u16()),
        Err(failure) => failure.chain(),
    };
    if member.health.check_fails(&why) {
        let (upstream, server) = (&member.settings.name, member.place());
        warn!(%upstream, %server, why, "a server is down by its health check and gets no requests");
    }
}

/// How often it is looked whether there is another member.
const LOOK: Duration = Duration::from_secs(1);
