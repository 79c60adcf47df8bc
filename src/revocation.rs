//! Fetching what tells of revoked certificates: lists from their addresses, and answers of OCSP
//! responders. What is fetched goes into a [`Watch`], which handshakes look into; nobody waits here
//! for whom a packet loop waits.
//!
//! # Tasks
//!
//! - The **keeper** owns the others. It compares the addresses that are wanted with those that are
//!   kept, takes the questions that handshakes have left in the [`Watch`], and sleeps until its bell
//!   rings. It ends when the [`Handle`] is dropped.
//! - One task for each **address**: fetches, and sleeps until the next list is due. Aborting it loses
//!   nothing, because a list is put in and saved whole or not at all.
//! - One task for each **question**, of which `responders::MAX_ASKED` talk at a time. One
//!   that is aborted tells those who wait that nobody has answered.
//!
//! Lists are kept on disk with what the server needs to say that nothing has changed, so that neither a
//! restart nor a dead server changes what is refused. A file is read like an answer: its signature has
//! to be the issuer's.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::WebPkiSupportedAlgorithms;
use tokio::runtime::Handle as Runtime;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::model::Timestamp;
use crate::trust::Watch;

mod disk;
mod http;
mod lists;
mod responders;

use disk::Saved;
use http::Http;
use responders::Responders;

pub use lists::ListReport;
pub use responders::Counted;

/// What is fetched, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Addresses of lists, `http` or `https`.
    pub lists: Vec<String>,
    /// Whether lists are fetched from the distribution points that certificates of trusted
    /// authorities name, too; `http` only.
    pub follow_points: bool,
    /// The longest time between two looks at a list.
    pub refresh: Duration,
    /// Time for a list to come.
    pub deadline: Duration,
    /// Octets of the largest list that is taken.
    pub max_list: usize,
    /// Where lists are kept.
    pub folder: PathBuf,
    /// The responder that is asked in the place of those that certificates name.
    pub responder: Option<String>,
    /// Time for a responder to answer.
    pub responder_deadline: Duration,
    /// How long an answer is believed at most.
    pub longest: Duration,
    /// Whether questions have a nonce (RFC 6960 section 4.4.1).
    pub nonce: bool,
}

/// The time of day, for whoever has no other clock.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What all tasks share.
struct Shared {
    watch: Arc<Watch>,
    algorithms: WebPkiSupportedAlgorithms,
    config: ArcSwap<Config>,
    http: Http,
    clock: Clock,
    fill_random: fn(&mut [u8]),
    bell: Arc<Notify>,
    /// Counts replacements of the configuration: then everything is fetched at once.
    epoch: AtomicU64,
    reports: Mutex<BTreeMap<String, ListReport>>,
    /// By what servers know whether the lists here are their newest, by address.
    marks: Mutex<HashMap<String, Saved>>,
    responders: Responders,
}

/// Keeps the tasks; they end when it is dropped.
pub struct Handle {
    shared: Arc<Shared>,
    keeper: AbortHandle,
}

impl Handle {
    /// Puts in the lists that are on disk, then starts the tasks. `bell` is what the [`Watch`] rings.
    #[must_use]
    pub fn start(
        config: Config,
        watch: Arc<Watch>,
        algorithms: WebPkiSupportedAlgorithms,
        clock: Clock,
        fill_random: fn(&mut [u8]),
        (runtime, bell): (&Runtime, Arc<Notify>),
    ) -> Self {
        let shared = Arc::new(Shared {
            watch,
            algorithms,
            config: ArcSwap::from_pointee(config),
            http: Http::new(),
            clock,
            fill_random,
            bell,
            epoch: AtomicU64::new(0),
            reports: Mutex::default(),
            marks: Mutex::default(),
            responders: Responders::default(),
        });
        shared.restore();
        let keeper = runtime.spawn(keep(Arc::clone(&shared))).abort_handle();
        Self { shared, keeper }
    }

    /// Fetches by another configuration from now on, everything at once.
    pub fn replace(&self, config: Config) {
        self.shared.config.store(Arc::new(config));
        self.shared.epoch.fetch_add(1, Ordering::Relaxed);
        self.shared.bell.notify_one();
    }

    /// How the lists stand.
    #[must_use]
    pub fn lists(&self) -> Vec<ListReport> {
        let reports = self.shared.reports().clone();
        reports
            .into_values()
            .map(|report| ListReport {
                used: self.shared.watch.uses(&report.address),
                ..report
            })
            .collect()
    }

    /// What has come of questions so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        self.shared.responders.counted()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn reports(&self) -> MutexGuard<'_, BTreeMap<String, ListReport>> {
        // Every change is one call, so a panic elsewhere leaves it whole.
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn marks(&self) -> MutexGuard<'_, HashMap<String, Saved>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The addresses that lists are fetched from.
    fn wanted(&self) -> BTreeSet<String> {
        let config = self.config.load();
        let mut wanted: BTreeSet<_> = config.lists.iter().cloned().collect();
        if config.follow_points {
            wanted.extend(self.watch.points().into_iter().map(String::from));
        }
        wanted
    }
}

/// The tasks of the addresses; they end with it.
#[derive(Default)]
struct Kept(BTreeMap<String, AbortHandle>);

impl Kept {
    fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.0.retain(|address, task| {
            let stays = keep(address);
            if !stays {
                task.abort();
            }
            stays
        });
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.retain(|_| false);
    }
}

/// The keeper.
async fn keep(shared: Arc<Shared>) {
    let mut kept = Kept::default();
    let mut epoch = shared.epoch.load(Ordering::Relaxed);
    loop {
        let now = shared.epoch.load(Ordering::Relaxed);
        if now != epoch {
            epoch = now;
            kept.retain(|_| false);
        }
        let wanted = shared.wanted();
        kept.retain(|address| wanted.contains(address));
        shared.watch.retain(|place| wanted.contains(place));
        shared
            .reports()
            .retain(|address, _| wanted.contains(address));
        shared.marks().retain(|address, _| wanted.contains(address));
        for address in wanted {
            kept.0.entry(address).or_insert_with_key(|address| {
                let task = lists::keep(Arc::clone(&shared), address.clone());
                tokio::spawn(task).abort_handle()
            });
        }
        while let Some(question) = shared.watch.take_question() {
            tokio::spawn(responders::ask(Arc::clone(&shared), question));
        }
        shared.bell.notified().await;
    }
}
