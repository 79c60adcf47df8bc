//! Health checks: each member that has one is asked by one task of one lane.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::StatusCode;
use tokio::task::AbortHandle;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;
use tracing::info;
use tracing::warn;

use super::Lane;
use super::group::Check;
use super::group::Member;

/// Asks the members of all upstreams, each as often as its upstream says, one question at a time of
/// each. Never ends; dropping it is safe.
pub(in crate::net) async fn watch(lane: Arc<Lane>) {
    let mut turns: HashMap<u64, Turn> = HashMap::new();
    let mut asking = JoinSet::new();
    loop {
        let now = Instant::now();
        let members = lane.pool.checked();
        turns.retain(|number, _| members.iter().any(|member| member.number == *number));
        let mut next = now + LOOK;
        for member in members {
            let Some(check) = member.settings.check.clone() else {
                continue;
            };
            let turn = turns.entry(member.number).or_insert(Turn {
                due: now,
                asking: None,
            });
            if turn.is_asking() {
                // The loop goes on when it ends.
                continue;
            }
            if turn.due <= now {
                turn.due = now + check.interval;
                let lane = Arc::clone(&lane);
                let asked = asking.spawn(async move { ask(&lane, &member, &check).await });
                turn.asking = Some(asked);
            }
            next = next.min(turn.due);
        }
        tokio::select! {
            () = sleep_until(next) => {}
            Some(_) = asking.join_next() => {}
        }
    }
}

/// When a member is asked next.
struct Turn {
    due: Instant,
    asking: Option<AbortHandle>,
}

impl Turn {
    fn is_asking(&self) -> bool {
        let asking = self.asking.as_ref();
        asking.is_some_and(|asking| !asking.is_finished())
    }
}

/// Asks it, and once more soon where the first answer leaves it open how it is.
async fn ask(lane: &Lane, member: &Arc<Member>, check: &Check) {
    ask_once(lane, member, check).await;
    if member.health.is_doubtful() {
        sleep(AGAIN).await;
        ask_once(lane, member, check).await;
    }
}

async fn ask_once(lane: &Lane, member: &Arc<Member>, check: &Check) {
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
/// After what time a check is repeated that has failed at a server that was well: long enough for a
/// single connection that broke to be nothing, and short beside any interval.
const AGAIN: Duration = Duration::from_secs(1);
