//! Numbers of the servers beside us: directories, NASes over TLS, home servers.

use std::fmt;
use std::sync::Arc;

use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::Metrics;
use super::Page;
use crate::directory::Health;
use crate::directory::ServerStatus;
use crate::network::Home;

impl Metrics {
    /// What there is to know of each server of a directory.
    pub(super) fn directories(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let directories = self.directories.load();
        if directories.is_empty() {
            return Ok(());
        }
        let status = directories.status();
        page.gauge(
            "directory_waiting",
            "Users who wait for a directory",
            status.waiting,
        )?;
        page.family(
            "directory_answers",
            "Questions to directories, by what came of them",
            "outcome",
            &status.outcomes,
        )?;
        let servers = || {
            let all = status.directories.iter();
            all.flat_map(|(name, servers)| servers.iter().map(move |server| (name, server)))
        };
        let labels = |name, server| [("directory", name), ("server", server)];
        let up = servers().map(|(name, server)| {
            let up = i64::from(server.health != Health::Down);
            (
                labels(name.as_str(), server.server.as_str()),
                ConstGauge::new(up),
            )
        });
        let help = "0 while a server is left alone because it does not answer";
        page.samples("directory_server_up", help, MetricType::Gauge, up)?;
        for (metric, help, read) in SERVER_COUNTERS {
            let samples = servers().map(|(name, server)| {
                let value = ConstCounter::new(read(server));
                (labels(name.as_str(), server.server.as_str()), value)
            });
            page.samples(metric, help, MetricType::Counter, samples)?;
        }
        Ok(())
    }

    /// What becomes of users whose devices are not let in any more.
    pub(super) fn users(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let Some(users) = &self.users else {
            return Ok(());
        };
        let ([allowed, waiting, held], untracked) = users.gateway().roll_counts();
        let phases = [("allowed", allowed), ("waiting", waiting), ("held", held)];
        let phases = phases.into_iter().map(|(phase, count)| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            ([("phase", phase)], ConstGauge::new(count))
        });
        let help = "Mail devices that are remembered, by whether they are let in";
        page.samples("mail_devices", help, MetricType::Gauge, phases)?;
        page.counter(
            "mail_devices_without_place",
            "Mail requests of devices that found no place to be remembered",
            untracked,
        )?;
        page.counter(
            "mail_devices_save_failures",
            "Times that what is remembered of mail devices could not be saved",
            users.failed_saves(),
        )?;
        let Some(smtp) = users.smtp() else {
            return Ok(());
        };
        let counts = users.gateway().post_counts();
        page.family(
            "user_mails",
            "Mails to users, by what came of them",
            "outcome",
            &[
                ("sent", counts.sent),
                ("tried_again", counts.again),
                ("given_up", counts.failed),
                ("too_many_a_day", counts.too_many),
            ],
        )?;
        page.gauge(
            "user_mails_waiting",
            "Mails to users that wait to be sent",
            counts.waiting,
        )?;
        let is_up = smtp.state().is_some_and(|(_, came)| came.is_ok());
        page.gauge(
            "smtp_up",
            "1 when the mail server for users was good when it was last spoken to",
            usize::from(is_up),
        )
    }

    /// What happens at the door of RADIUS over TLS.
    pub(super) fn radsec(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let Some(radsec) = &self.radsec else {
            return Ok(());
        };
        let open = radsec.open();
        page.gauge(
            "radsec_connections",
            "TLS connections of NASes that are open",
            usize::try_from(open).unwrap_or(usize::MAX),
        )?;
        page.counter(
            "radsec_accepted",
            "TLS connections whose certificate is a NAS's",
            radsec.known(),
        )?;
        page.counter(
            "radsec_received",
            "Packets received over TLS",
            radsec.packets(),
        )?;
        let help = "TLS connections that ended or were refused";
        page.family("radsec_closed", help, "reason", &radsec.ends())
    }

    /// The home servers in force; a reload keeps those that it does not change.
    pub(in crate::app) fn homes(&self) -> Vec<Arc<Home>> {
        self.homes.borrow().homes.clone()
    }

    /// What discovery has done.
    pub(in crate::app) fn lookups(&self) -> [(&'static str, u64); 3] {
        let of = &self.discovered;
        [
            ("found", of.found.get()),
            ("nothing", of.nothing.get()),
            ("refused", of.refused.get()),
        ]
    }

    pub(super) fn proxied(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        page.counter(
            "proxy_forwarded",
            "Requests given to home servers",
            self.sum(|of| &of.forwarded),
        )?;
        page.counter(
            "proxy_passed_on",
            "Access-Accepts of home servers sent on without a decision",
            self.sum(|of| &of.passed_on),
        )?;
        page.family(
            "discovery_lookups",
            "Realms looked up by DNS, by what came of it; refused ones were not",
            "outcome",
            &self.lookups(),
        )?;
        page.gauge(
            "discovery_homes",
            "Home servers that DNS has led to and that are known now",
            self.discovered.homes().len(),
        )?;
        let homes = self.homes();
        for (name, help, read) in HOME_GAUGES {
            let samples = homes.iter().map(|home| {
                let value = i64::try_from(read(home)).unwrap_or(i64::MAX);
                ([("home", home.name())], ConstGauge::new(value))
            });
            page.samples(name, help, MetricType::Gauge, samples)?;
        }
        let waits = homes.iter().filter_map(|home| {
            let wait = home.round_trip()?.as_secs_f64();
            Some(([("home", home.name())], ConstGauge::new(wait)))
        });
        let help = "How long answers of a home server take, a moving mean";
        page.samples("home_round_trip_seconds", help, MetricType::Gauge, waits)?;
        let outcomes = homes.iter().flat_map(|home| {
            home_outcomes(home).map(|(outcome, count)| {
                let labels = [("home", home.name()), ("outcome", outcome)];
                (labels, ConstCounter::new(count))
            })
        });
        let help = "Requests to home servers, by what came of them";
        page.samples("home_requests", help, MetricType::Counter, outcomes)?;
        let connections = homes.iter().filter(|home| home.tls().is_some());
        let connections = connections.flat_map(|home| {
            home_connections(home).map(|(event, count)| {
                let labels = [("home", home.name()), ("event", event)];
                (labels, ConstCounter::new(count))
            })
        });
        let help = "TLS connections to home servers that were opened, failed or broke";
        page.samples(
            "home_connection_events",
            help,
            MetricType::Counter,
            connections,
        )
    }
}

/// What a home server was asked and has answered.
pub(in crate::app) fn home_outcomes(home: &Home) -> [(&'static str, u64); 8] {
    let of = &home.counters;
    [
        ("asked", of.asked.get()),
        ("repeated", of.repeated.get()),
        ("answered", of.answered.get()),
        ("silent", of.silent.get()),
        ("stray", of.stray.get()),
        ("cut", of.cut.get()),
        ("full", of.full.get()),
        ("reverse_refused", of.reversed.get()),
    ]
}

/// What became of the connections to one over TLS.
fn home_connections(home: &Home) -> [(&'static str, u64); 2] {
    let of = &home.counters;
    [("opened", of.opened.get()), ("broken", of.broken.get())]
}

/// How to read a number of a home server.
type ReadHome = fn(&Home) -> usize;

const HOME_GAUGES: [(&str, &str, ReadHome); 3] = [
    (
        "home_up",
        "1 for a home server that answers, and over TLS is connected",
        |home| usize::from(home.is_up()),
    ),
    (
        "home_in_flight",
        "Requests that a home server has and has not answered yet",
        Home::in_flight,
    ),
    (
        "home_connections",
        "TLS connections to a home server that are open",
        Home::connections,
    ),
];

const SERVER_COUNTERS: [(&str, &str, ReadServer); 2] = [
    ("directory_asked", "Questions to a server", |of| of.asked),
    ("directory_failed", "Questions without an answer", |of| {
        of.failed
    }),
];

/// How to read one counter of a directory's server.
type ReadServer = fn(&ServerStatus) -> u64;
