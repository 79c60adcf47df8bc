//! The text of `/metrics`: counters of every room, read when somebody looks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;

use crate::access::DecisionPoint;
use crate::access::Live;
use crate::access::RecordQueue;
use crate::access::Sessions;
use crate::app::users::Users;
use crate::app::warm::Snapshots;
use crate::directory::Directories;
use crate::journal;
use crate::model::Timestamp;
use crate::net::Clock;
use crate::net::eas;
use crate::net::home::Known;
use crate::net::radsec;
use crate::network::Admissions;
use crate::network::Counter;
use crate::network::Counters;
use crate::network::Discovered;
use crate::network::DynamicCounters;
use crate::sync;
use crate::sync::State;
use crate::sync::Status;

mod mail;
mod others;

pub(super) use others::home_outcomes;

/// Where the numbers are.
#[derive(Clone, Debug)]
pub(super) struct Metrics {
    pub(super) loops: Vec<Arc<Counters>>,
    pub(super) point: Arc<DecisionPoint>,
    pub(super) live: Arc<Live>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) records: Arc<RecordQueue>,
    pub(super) journal: Arc<journal::Statistics>,
    pub(super) sources: sync::Handle,
    pub(super) clock: Clock,
    /// Of the mail front, if there is one.
    pub(super) mail: Option<Arc<eas::Front>>,
    /// Of the mail plane's users, if there is one.
    pub(super) users: Option<Users>,
    /// Of the inventory, unless they are switched off.
    pub(super) snapshots: Option<Arc<Snapshots>>,
    pub(super) admissions: Arc<Admissions>,
    pub(super) disconnects: Arc<DynamicCounters>,
    /// Of RADIUS over TLS, if its door is open.
    pub(super) radsec: Option<Arc<radsec::Counters>>,
    /// The home servers in force.
    pub(super) homes: watch::Receiver<Arc<Known>>,
    /// Those that DNS has led to.
    pub(super) discovered: Arc<Discovered>,
    pub(super) directories: Arc<ArcSwap<Directories>>,
    /// Of the store of accounting, unless it is switched off.
    pub(super) reports: Option<Arc<journal::HistoryStatistics>>,
}

impl Metrics {
    /// All numbers in the OpenMetrics text format.
    pub(super) fn text(&self) -> String {
        let mut registry = Registry::with_prefix("portreeve");
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n"),
        }
    }

    fn sum(&self, counter: impl Fn(&Counters) -> &Counter) -> u64 {
        self.loops
            .iter()
            .map(|counters| counter(counters).get())
            .sum()
    }

    pub(super) fn dropped(&self) -> Vec<(&'static str, u64)> {
        let mut total: Vec<(&'static str, u64)> = Vec::new();
        for counters in &self.loops {
            for (place, (reason, count)) in counters.discarded().enumerate() {
                match total.get_mut(place) {
                    Some((_, sum)) => *sum += count,
                    None => total.push((reason, count)),
                }
            }
        }
        total
    }

    /// What lies on the disk for the next start.
    fn snapshots(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let Some(snapshots) = &self.snapshots else {
            return Ok(());
        };
        let restored = usize::from(snapshots.restored.is_some());
        page.gauge(
            "snapshot_restored",
            "1 when this start began with a snapshot of the inventory",
            restored,
        )?;
        if let Some(last) = snapshots.last() {
            let age = self.clock.now().wall.since(last.at).as_secs();
            page.gauge(
                "snapshot_age_seconds",
                "Seconds since the inventory was saved",
                usize::try_from(age).unwrap_or(usize::MAX),
            )?;
            page.gauge(
                "snapshot_octets",
                "Size of the inventory's snapshot",
                usize::try_from(last.octets).unwrap_or(usize::MAX),
            )?;
        }
        page.counter(
            "snapshot_failures",
            "Snapshots of the inventory that could not be written",
            snapshots.failed(),
        )
    }

    /// What there is to know of each feed; an age is left out as long as there is none.
    fn sources(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let feeds = self.sources.status();
        let now = self.clock.now().wall;
        let states = feeds.iter().flat_map(|feed| {
            State::ALL.map(|state| {
                let labels = [("feed", &*feed.feed), ("state", state.as_str())];
                (labels, ConstGauge::new(i64::from(feed.state == state)))
            })
        });
        let help = "1 for the state that a feed is in";
        page.samples("source_state", help, MetricType::Gauge, states)?;
        for (name, help, read) in FEED_GAUGES {
            let samples = feeds.iter().filter_map(|feed| {
                let value = i64::try_from(read(feed, now)?).unwrap_or(i64::MAX);
                Some(([("feed", &*feed.feed)], ConstGauge::new(value)))
            });
            page.samples(name, help, MetricType::Gauge, samples)?;
        }
        for (name, help, read) in FEED_COUNTERS {
            let samples = feeds.iter().map(|feed| {
                let value = ConstCounter::new(read(&feed.counters));
                ([("feed", &*feed.feed)], value)
            });
            page.samples(name, help, MetricType::Counter, samples)?;
        }
        Ok(())
    }

    /// Rows of the history, and decisions that had no place in it.
    pub(super) fn history(&self) -> (u64, u64) {
        let history = &self.journal.history;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (read(&history.written), read(&history.skipped))
    }

    /// Decision records that are not on disk, by cause.
    pub(super) fn lost(&self) -> [(&'static str, u64); 2] {
        [
            ("queue_full", self.records.dropped()),
            ("disk", self.journal.failed.load(Ordering::Relaxed)),
        ]
    }

    fn disconnects(&self) -> [(&'static str, u64); 8] {
        let of = &self.disconnects;
        [
            ("sent", of.sent.get()),
            ("changes_sent", of.changes.get()),
            ("repeated", of.repeated.get()),
            ("acknowledged", of.acknowledged.get()),
            ("refused", of.refused.get()),
            ("unanswered", of.unanswered.get()),
            ("staying", of.staying.get()),
            ("stray", of.stray.get()),
        ]
    }

    pub(super) fn replies(&self) -> Vec<(&'static str, u64)> {
        OUTCOMES
            .iter()
            .map(|(outcome, counter)| (*outcome, self.sum(counter)))
            .collect()
    }
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(&mut encoder);
        let lost = self.lost();
        page.counter(
            "radius_received",
            "Datagrams received",
            self.sum(|of| &of.received),
        )?;
        page.family("radius_replies", "Replies sent", "outcome", &self.replies())?;
        page.family(
            "radius_dropped",
            "Datagrams dropped",
            "reason",
            &self.dropped(),
        )?;
        page.counter(
            "eap_begun",
            "EAP conversations begun",
            self.sum(|of| &of.conversations),
        )?;
        page.counter(
            "eap_abandoned",
            "Peers that fell silent",
            self.sum(|of| &of.abandoned),
        )?;
        page.counter(
            "eap_abandoned_unrecorded",
            "Peers that fell silent and have no record, because there were too many",
            self.sum(|of| &of.unrecorded),
        )?;
        page.counter(
            "eap_evicted",
            "EAP conversations put out for want of places",
            self.sum(|of| &of.evicted),
        )?;
        page.counter(
            "jobs_lost",
            "Requests whose handshake or password check failed to come back",
            self.sum(|of| &of.lost),
        )?;
        page.counter(
            "rejects_delayed",
            "Rejects of passwords that were made to wait",
            self.sum(|of| &of.delayed),
        )?;
        page.counter(
            "rejects_hurried",
            "Rejects of passwords that left early because too many waited",
            self.sum(|of| &of.hurried),
        )?;
        page.counter(
            "guesses_slowed",
            "Passwords not looked at after too many wrong ones",
            self.sum(|of| &of.slowed),
        )?;
        page.counter(
            "handed_over",
            "Datagrams given to the loop they belong to",
            self.sum(|of| &of.handed_over),
        )?;
        let again = self.sum(|of| &of.decided_again);
        page.counter("decided_again", "Decisions overtaken by a change", again)?;
        let written = self.journal.written.load(Ordering::Relaxed);
        page.counter("records_written", "Decision records on disk", written)?;
        let history = &self.journal.history;
        page.counter(
            "history_written",
            "Decisions in the history",
            history.written.load(Ordering::Relaxed),
        )?;
        page.counter(
            "history_skipped",
            "Decisions worth a row of the history that got none",
            history.skipped.load(Ordering::Relaxed),
        )?;
        if let Some(reports) = &self.reports {
            page.counter(
                "accounting_stored",
                "Batches of accounting in the store",
                reports.written.load(Ordering::Relaxed),
            )?;
            page.counter(
                "accounting_unstored",
                "Batches of accounting that are not in the store; the files have them",
                reports.skipped.load(Ordering::Relaxed),
            )?;
        }
        page.family("records_lost", "Decision records lost", "cause", &lost)?;
        let reader = self.point.reader();
        page.gauge("devices", "Devices in the inventory", reader.device_count())?;
        page.gauge("users", "Users in the inventory", reader.user_count())?;
        page.gauge(
            "sessions",
            "Accounting sessions that are open",
            self.sessions.len(),
        )?;
        page.gauge(
            "network_peers",
            "Peers that are in and can be put out",
            self.admissions.len(),
        )?;
        page.gauge(
            "network_peers_held",
            "Peers that a change would put out, held by the brake",
            self.admissions.held(),
        )?;
        page.counter(
            "network_peers_refused",
            "Peers let in that cannot be put out, for want of places",
            self.admissions.refused(),
        )?;
        page.family(
            "disconnects",
            "Disconnect- and CoA-Requests, by what came of them",
            "outcome",
            &self.disconnects(),
        )?;
        page.gauge("mail_requests", "Mail requests under way", self.live.len())?;
        self.users(&mut page)?;
        self.radsec(&mut page)?;
        self.proxied(&mut page)?;
        self.directories(&mut page)?;
        self.snapshots(&mut page)?;
        self.sources(&mut page)?;
        match &self.mail {
            Some(front) => mail::encode_mail(&mut page, front),
            None => Ok(()),
        }
    }
}

struct Page<'a, 'e>(&'a mut DescriptorEncoder<'e>);

impl Page<'_, '_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(
            self.0
                .encode_descriptor(name, help, None, counter.metric_type())?,
        )
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        samples: &[(&'static str, u64)],
    ) -> fmt::Result {
        let samples = samples
            .iter()
            .map(|(value, count)| ([(label, *value)], ConstCounter::new(*count)));
        self.samples(name, help, MetricType::Counter, samples)
    }

    fn samples<'s, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl Iterator<Item = ([(&'s str, &'s str); N], impl EncodeMetric)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in samples {
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: usize) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(
            self.0
                .encode_descriptor(name, help, None, gauge.metric_type())?,
        )
    }
}

/// How to read one counter of a loop.
type Read = fn(&Counters) -> &Counter;

const OUTCOMES: [(&str, Read); 8] = [
    ("allow", |of| &of.allowed),
    ("quarantine", |of| &of.quarantined),
    ("block", |of| &of.blocked),
    ("not_authenticated", |of| &of.not_authenticated),
    ("challenge", |of| &of.challenged),
    ("accounting", |of| &of.accounted),
    ("status", |of| &of.status),
    ("replayed", |of| &of.replayed),
];

/// How to read one gauge of a feed; `None` when there is nothing to show yet.
type ReadFeed = fn(&Status, Timestamp) -> Option<u64>;

const FEED_GAUGES: [(&str, &str, ReadFeed); 5] = [
    (
        "source_full_age_seconds",
        "Seconds since the last complete walk that went well",
        |feed, now| Some(now.since(feed.full.last_success?).as_secs()),
    ),
    (
        "source_quick_age_seconds",
        "Seconds since the last quick run that went well",
        |feed, now| Some(now.since(feed.quick.as_ref()?.last_success?).as_secs()),
    ),
    (
        "source_entries",
        "Devices or users in the last complete list",
        |feed, _| Some(feed.entries as u64),
    ),
    (
        "source_bad_rows",
        "Rows with mistakes in the last complete list",
        |feed, _| Some(feed.bad_rows as u64),
    ),
    (
        "source_held",
        "1 while a list that lacks too much waits for an operator",
        |feed, _| Some(u64::from(feed.is_held())),
    ),
];

/// How to read one counter of a feed.
type ReadCounter = fn(&sync::Counters) -> u64;

const FEED_COUNTERS: [(&str, &str, ReadCounter); 6] = [
    ("source_runs", "Runs that went well", |of| of.successes),
    ("source_failed_runs", "Runs that failed", |of| of.failures),
    ("source_rows", "Rows read", |of| of.rows),
    ("source_requests", "Requests to the source", |of| {
        of.requests
    }),
    ("source_retries", "Requests asked again", |of| of.retries),
    (
        "source_throttled",
        "Requests turned away because of too many",
        |of| of.throttled,
    ),
];
