//! Revocation while the gateway runs: what is fetched reaches those who are in already.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs::default_provider;
use serde_json::Value;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tracing::warn;

use crate::access::DecisionPoint;
use crate::access::Live;
use crate::app::core::tell;
use crate::config::Config;
use crate::eap;
use crate::model::CertificateId;
use crate::model::Plain;
use crate::model::Timestamp;
use crate::net::Clock;
use crate::network;
use crate::network::Admissions;
use crate::revocation::Handle;
use crate::trust::Upkeep;
use crate::trust::Watch;

/// What fetches, and where it is put.
pub(super) struct Revocation {
    watch: Arc<Watch>,
    handle: Handle,
    changed: Arc<Notify>,
}

impl Revocation {
    /// Puts in the lists that are on disk and begins to fetch.
    pub(super) fn start(config: &Config, runtime: &Runtime, clock: Clock) -> Self {
        let algorithms = default_provider().signature_verification_algorithms;
        let watch = Arc::new(Watch::new(algorithms));
        let (bell, changed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let rung = [Arc::clone(&bell), Arc::clone(&changed)];
        watch.ring(Box::new(move || {
            rung.iter().for_each(|one| one.notify_one())
        }));
        let handle = Handle::start(
            config.revocation.fetching(),
            Arc::clone(&watch),
            algorithms,
            Arc::new(move || clock.now().wall),
            super::fill_random,
            (runtime.handle(), bell),
        );
        Self {
            watch,
            handle,
            changed,
        }
    }

    /// What verifiers are to look into; `None` where nothing of it is switched on.
    pub(super) fn upkeep(&self, config: &Config) -> Option<Upkeep> {
        let revocation = &config.revocation;
        revocation.is_on().then(|| revocation.upkeep(&self.watch))
    }

    /// Another configuration is in force, and verifiers with other lists.
    pub(super) fn replace(&self, config: &Config) {
        self.handle.replace(config.revocation.fetching());
        self.changed.notify_one();
    }

    /// Follows what changes; to be spawned.
    pub(super) fn follow(&self, follower: Follower) -> impl Future<Output = ()> + use<> {
        let (changed, watch) = (Arc::clone(&self.changed), Arc::clone(&self.watch));
        async move {
            loop {
                // One who was verified before a change may be let in after it, as long as a
                // conversation may last.
                drop(tokio::time::timeout(AGAIN, changed.notified()).await);
                follower.pass(&watch);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// For `portreeve status`.
    pub(super) fn json(&self) -> Value {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let lists = self.handle.lists();
        let counted = self.handle.counted();
        json!({
            "lists": lists.iter().map(|list| json!({
                "address": list.address,
                "issuer": list.issuer,
                "used": list.used,
                "entries": list.entries,
                "this_update": time(list.this_update),
                "next_update": time(list.next_update),
                "confirmed": time(list.confirmed),
                "error": list.error,
            })).collect::<Vec<_>>(),
            "ocsp": {
                "known": self.watch.statuses_known(),
                "asked": counted.asked,
                "answered": counted.answered,
                "failed": counted.failed,
                "spared": counted.spared,
            },
        })
    }

    /// The same in lines.
    pub(super) fn lines(&self, now: Timestamp) -> String {
        let mut text = String::new();
        for list in self.handle.lists() {
            let issuer = list.issuer.as_deref().unwrap_or("nobody yet");
            text.push_str(&format!(
                "revocation list {}: of {}, {} entries",
                Plain(&list.address),
                Plain(issuer),
                list.entries
            ));
            if let Some(next) = list.next_update {
                let word = if next <= now {
                    "out of date since"
                } else {
                    "good until"
                };
                text.push_str(&format!(", {word} {next}"));
            }
            if list.issuer.is_some() && !list.used {
                text.push_str(", waits for a certificate that shows its issuer");
            }
            if let Some(error) = &list.error {
                text.push_str(&format!("; {}", Plain(error)));
            }
            text.push('\n');
        }
        let counted = self.handle.counted();
        if counted != Default::default() {
            text.push_str(&format!(
                "OCSP: {} asked, {} answered, {} failed, {} spared\n",
                counted.asked, counted.answered, counted.failed, counted.spared
            ));
        }
        text
    }
}

/// Who is in, and what decides about them.
pub(super) struct Follower {
    pub(super) clock: Clock,
    pub(super) point: Arc<DecisionPoint>,
    pub(super) live: Arc<Live>,
    pub(super) admissions: Arc<Admissions>,
    pub(super) network: Arc<network::Shared>,
    pub(super) resumption: Arc<eap::Resumption>,
}

/// Whether a certificate is revoked by anything that is known: where EAP is closed, by what is fetched.
fn is_revoked(eap: Option<&Arc<eap::Config>>, watch: &Watch, id: &CertificateId) -> bool {
    match eap {
        Some(eap) => eap.is_revoked(id),
        None => watch.is_revoked(id),
    }
}

impl Follower {
    /// Ends what hangs on certificates that are revoked by now.
    fn pass(&self, watch: &Watch) {
        let settings = self.network.settings.load();
        let eap = settings.eap.as_ref();
        let mut ids: HashSet<CertificateId> = self.live.certificates().collect();
        ids.extend(self.admissions.certificates());
        ids.retain(|id| is_revoked(eap, watch, id));
        if !self.point.replace_revoked(ids) {
            return;
        }
        let revoked = self.point.revoked();
        let forgotten = self.resumption.forget(|one| revoked.contains(&one.id));
        warn!(
            certificates = revoked.len(),
            forgotten, "certificates of sessions are revoked"
        );
        let now = self.clock.now().wall;
        tell(self.admissions.sweep_certificates(now));
        self.live.sweep_certificates(now);
    }
}

/// The longest time between two passes: as long as a conversation may take.
const AGAIN: Duration = Duration::from_secs(30);

/// The shortest: lists of several authorities come together.
const PAUSE: Duration = Duration::from_millis(200);
