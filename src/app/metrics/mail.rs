//! The mail front and its upstreams.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::net::eas;
use crate::net::upstream::Standing;

use super::Page;

pub(super) fn encode_mail(page: &mut Page<'_, '_>, front: &eas::Front) -> fmt::Result {
    let mail = &front.counters;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    page.family(
        "mail_replies",
        "Mail requests answered, by what came of them",
        "outcome",
        &mail.replies(),
    )?;
    page.family(
        "mail_answered",
        "Mail requests that the gateway answered itself",
        "cause",
        &mail.answered(),
    )?;
    page.counter(
        "mail_credential_checks",
        "Credential checks sent to the mail server",
        read(&mail.asked),
    )?;
    page.counter(
        "mail_ended_by_change",
        "Mail requests ended because a change took their permission back",
        read(&mail.revoked),
    )?;
    page.counter(
        "mail_answers_stalled",
        "Answers over HTTP/2 that were cut because their client took nothing of them any more",
        read(&mail.stalled),
    )?;
    let refused = [
        ("too_many", read(&mail.turned_away)),
        ("handshake", read(&mail.handshakes_failed)),
        ("flood", read(&mail.flooded)),
    ];
    page.family(
        "mail_connections_refused",
        "Mail connections that came to nothing",
        "cause",
        &refused,
    )?;
    let open = usize::try_from(mail.open()).unwrap_or(usize::MAX);
    page.gauge("mail_connections", "Mail connections open", open)?;
    let up = usize::from(front.upstream_is_up());
    page.gauge(
        "mail_upstream_up",
        "Whether the mail server can be reached, by the last request or health checks since",
        up,
    )?;
    encode_servers(page, &front.upstream.standing())
}

/// The servers of upstreams, each with both its names.
fn encode_servers(page: &mut Page<'_, '_>, servers: &[Standing]) -> fmt::Result {
    let labels = |one: &'_ Standing| {
        [
            ("upstream", one.upstream.clone()),
            ("server", one.server.clone()),
        ]
    };
    let named: Vec<_> = servers.iter().map(|one| (labels(one), one)).collect();
    let each = || {
        named.iter().map(|([upstream, server], one)| {
            let labels = [(upstream.0, &*upstream.1), (server.0, &*server.1)];
            (labels, *one)
        })
    };
    let requests = each().map(|(labels, one)| (labels, ConstCounter::new(one.requests)));
    page.samples(
        "mail_upstream_requests",
        "Requests that went to a server of an upstream",
        MetricType::Counter,
        requests,
    )?;
    let failures = each().map(|(labels, one)| (labels, ConstCounter::new(one.failed)));
    page.samples(
        "mail_upstream_failures",
        "Requests that a server of an upstream did not answer",
        MetricType::Counter,
        failures,
    )?;
    let up = each().map(|(labels, one)| (labels, ConstGauge::new(i64::from(one.is_up))));
    page.samples(
        "mail_upstream_server_up",
        "Whether a server of an upstream gets requests",
        MetricType::Gauge,
        up,
    )
}
