//! What `status` says of each plane and of the servers beside us.

use std::sync::atomic::Ordering;

use serde_json::Value;
use serde_json::json;

use crate::app::metrics::home_outcomes;
use crate::directory;
use crate::model::Plain;
use crate::net::eas;
use crate::net::radsec;
use crate::net::upstream::Standing;
use crate::network::Home;

pub(super) fn counts(counts: &[(&'static str, u64)]) -> Value {
    counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), json!(count)))
        .collect()
}

/// Those that are not zero.
pub(super) fn counts_line(counts: &[(&'static str, u64)]) -> String {
    let counts = counts.iter().filter(|(_, count)| *count > 0);
    let shown: Vec<String> = counts.map(|(name, n)| format!("{name} {n}")).collect();
    if shown.is_empty() {
        "none".to_owned()
    } else {
        shown.join(", ")
    }
}

pub(super) fn home_json(home: &Home) -> Value {
    json!({
        "home": home.name(),
        "health": home.health().as_str(),
        "transport": home.transport(),
        "connections": home.tls().map(|_| home.connections()),
        "in_flight": home.in_flight(),
        "round_trip_ms": home.round_trip().map(|time| time.as_secs_f64() * 1000.0),
        "trouble": trouble(home),
        "requests": counts(&home_outcomes(home)),
    })
}

pub(super) fn home_line(home: &Home) -> String {
    let (name, health, transport) = (Plain(home.name()), home.health().as_str(), home.transport());
    let mut line = format!("home server {name}: {health}, {transport}");
    if home.tls().is_some() {
        line.push_str(&format!(", {} connections", home.connections()));
    }
    line.push_str(&format!(", {} in flight", home.in_flight()));
    if let Some(time) = home.round_trip() {
        line.push_str(&format!(", {:.1} ms", time.as_secs_f64() * 1000.0));
    }
    line.push_str(&format!("; {}", counts_line(&home_outcomes(home))));
    if let Some(trouble) = trouble(home) {
        line.push_str(&format!("; not connected: {}", Plain(trouble)));
    }
    line.push('\n');
    line
}

/// Why one over TLS is not connected, while it is not.
fn trouble(home: &Home) -> Option<Box<str>> {
    let lost = home.tls().is_some() && home.connections() == 0;
    lost.then(|| home.trouble()).flatten()
}

pub(super) fn radsec_line(radsec: &radsec::Counters) -> String {
    let open = radsec.open();
    let ended = counts_line(&radsec.ends());
    format!("RADIUS over TLS: {open} connections; ended: {ended}\n")
}

pub(super) fn radsec_json(radsec: &radsec::Counters) -> Value {
    json!({
        "connections": radsec.open(),
        "accepted": radsec.known(),
        "received": radsec.packets(),
        "closed": counts(&radsec.ends()),
    })
}

/// A line for each server.
pub(super) fn directory_lines(status: &directory::Status) -> String {
    let mut lines = String::new();
    for (name, servers) in &status.directories {
        for server in servers {
            let (url, health) = (&server.server, server.health.as_str());
            let (asked, failed) = (server.asked, server.failed);
            let trouble = server.trouble.as_deref();
            let trouble =
                trouble.map_or_else(String::new, |trouble| format!("; it {}", Plain(trouble)));
            lines.push_str(&format!(
                "directory {name}: {url} is {health}, {asked} asked, {failed} unanswered{trouble}\n"
            ));
        }
    }
    if !status.directories.is_empty() {
        let outcomes = counts_line(&status.outcomes);
        let waiting = status.waiting;
        lines.push_str(&format!("directories: {outcomes}; {waiting} wait\n"));
    }
    lines
}

pub(super) fn directories_json(status: &directory::Status) -> Value {
    let servers = status.directories.iter().flat_map(|(name, servers)| {
        servers.iter().map(move |server| {
            json!({
                "directory": name,
                "server": server.server,
                "health": server.health.as_str(),
                "asked": server.asked,
                "unanswered": server.failed,
                "trouble": server.trouble,
            })
        })
    });
    json!({
        "servers": servers.collect::<Vec<_>>(),
        "answers": counts(&status.outcomes),
        "waiting": status.waiting,
    })
}

pub(super) fn mail_lines(front: &eas::Front) -> String {
    let mail = &front.counters;
    let replies = counts_line(&mail.replies());
    let asked = mail.asked.load(Ordering::Relaxed);
    let ended = mail.revoked.load(Ordering::Relaxed);
    let upstream = if front.upstream_is_up() {
        ""
    } else {
        "; the mail server cannot be reached"
    };
    let servers = front.upstream.standing().into_iter().map(|one| {
        let Standing {
            upstream,
            server,
            health,
            is_up: _,
            requests,
            failed,
        } = one;
        format!(
            "mail upstream {upstream}: {server} {health}; {requests} requests, {failed} failed\n"
        )
    });
    let unnamed = front.upstream.unnamed().into_iter().map(|(upstream, why)| {
        format!(
            "mail upstream {upstream}: DNS does not name its servers, those that are known stay: {why}\n"
        )
    });
    let servers: String = servers.chain(unnamed).collect();
    format!(
        "mail replies: {replies}\n\
         mail: {asked} credential checks, {ended} requests ended by a change{upstream}\n{servers}"
    )
}

pub(super) fn mail_json(front: &eas::Front) -> Value {
    let mail = &front.counters;
    let servers = front.upstream.standing().into_iter().map(|one| {
        json!({
            "upstream": one.upstream,
            "server": one.server,
            "up": one.is_up,
            "health": one.health,
            "requests": one.requests,
            "failed": one.failed,
        })
    });
    let unnamed = front.upstream.unnamed().into_iter();
    let unnamed = unnamed.map(|(upstream, why)| json!({"upstream": upstream, "why": why}));
    json!({
        "servers": servers.collect::<Vec<_>>(),
        "unnamed": unnamed.collect::<Vec<_>>(),
        "replies": counts(&mail.replies()),
        "answered": counts(&mail.answered()),
        "credential_checks": mail.asked.load(Ordering::Relaxed),
        "ended_by_change": mail.revoked.load(Ordering::Relaxed),
        "connections": mail.open(),
        "upstream_up": front.upstream_is_up(),
    })
}
