//! What must be there before a door opens: inventory, policy, decision point, sources.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tracing::error;
use tracing::info;

use crate::access::CorrelationSource;
use crate::access::DecisionPoint;
use crate::access::Live;
use crate::access::RecordQueue;
use crate::access::Sessions;
use crate::app::StartError;
use crate::app::clients;
use crate::app::groups;
use crate::app::passwords;
use crate::app::revocation::Revocation;
use crate::app::warm;
use crate::app::warm::Snapshots;
use crate::config;
use crate::config::Config;
use crate::inventory;
use crate::model::Problem;
use crate::net::Clock;
use crate::network::Admissions;
use crate::network::Swept;
use crate::policy;
use crate::policy::Policy;
use crate::sync;

/// The cores that every plane shares, and the sources that feed them.
pub(super) struct Core {
    pub(super) clock: Clock,
    pub(super) runtime: Runtime,
    pub(super) revocation: Arc<Revocation>,
    pub(super) point: Arc<DecisionPoint>,
    pub(super) live: Arc<Live>,
    pub(super) sessions: Arc<Sessions>,
    /// Who is in at NASes that take Disconnect-Requests.
    pub(super) admissions: Arc<Admissions>,
    pub(super) records: Arc<RecordQueue>,
    pub(super) correlations: Arc<CorrelationSource>,
    pub(super) sources: sync::Handle,
    pub(super) tasks: sync::Tasks,
    /// What the sources were started with.
    pub(super) source_settings: sync::Config,
    /// `None` when they are switched off.
    pub(super) snapshots: Option<Arc<Snapshots>>,
    /// Lines that the audit of wipes does not have yet.
    pub(super) owed: String,
}

impl Core {
    /// Builds them, so that the first connection already finds its device: from the snapshot, or
    /// by waiting for the first load of local files.
    pub(super) fn build(config: &Config) -> Result<Self, StartError> {
        let clock = Clock::start();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(super::threads(config.workers.runtime))
            .thread_name("runtime")
            .enable_all()
            .build()
            .map_err(StartError::System)?;
        let mut seed = [0; 16];
        super::fill_random(&mut seed);
        let sources = load_sources(config)?;
        let inventory = inventory::Config::new(seed);
        let directories = passwords::origins(config)?;
        let origins = (&*sources.origins(), &*directories);
        let opened = warm::open(&config.data, inventory, origins, clock);
        let warm::Opened {
            mut writer, reader, ..
        } = opened;
        let owed = clients::restore(config, &mut writer, clock.now().wall);
        let point = Arc::new(DecisionPoint::new(reader, load_policy(config)?));
        let live = Arc::new(Live::new(Arc::clone(&point)));
        let admissions = Arc::new(Admissions::new(Arc::clone(&point), MAX_SESSIONS));
        let (handle, tasks) = {
            let _inside = runtime.enter();
            let (live, network) = (Arc::clone(&live), Arc::clone(&admissions));
            sync::start(&sources, writer, &sync_clock(clock), move |changes| {
                tell(network.sweep(clock.now().wall, changes));
                let swept = live.sweep(clock.now().wall, changes);
                if swept.revoked > 0 {
                    info!(
                        changes = changes.len(),
                        revoked = swept.revoked,
                        "mail requests cut"
                    );
                }
            })?
        };
        runtime.block_on(async {
            let first_load = handle.first_load();
            if opened.is_whole {
                // What is still under way then goes on behind open doors.
                drop(tokio::time::timeout(FIRST_LOOK, first_load).await);
            } else {
                first_load.await;
            }
        });
        // A cloud brings its groups later; `status` tells of them at any time.
        if sources.graphs.is_empty() {
            let knows = |group| point.reader().knows_group(group);
            let routes = groups::unmet_routes(&point.policy(), config, knows);
            for problem in groups::unmet_now(&point).into_iter().chain(routes) {
                tracing::warn!("{problem}");
            }
        }
        let revocation = Arc::new(Revocation::start(config, &runtime, clock));
        Ok(Self {
            clock,
            runtime,
            revocation,
            point,
            live,
            sessions: Arc::new(Sessions::new(MAX_SESSIONS)),
            admissions,
            records: Arc::new(RecordQueue::new(config.journal.queue)),
            correlations: Arc::new(CorrelationSource::starting_at(clock.now().wall)),
            sources: handle,
            tasks,
            source_settings: sources,
            snapshots: opened.snapshots,
            owed,
        })
    }
}

/// Says what a change does to those who are in the network.
pub(super) fn tell(swept: Swept) {
    if swept.due > 0 {
        info!(
            sessions = swept.due,
            "network sessions end: their verdict has changed"
        );
    }
    if swept.held > 0 {
        error!(
            sessions = swept.held,
            "a change would end more than a tenth of the network's sessions and is held: `portreeve \
             release` ends them, `portreeve release --keep` lets them stay"
        );
    }
}

/// Reads `policy.toml`.
pub(super) fn load_policy(config: &Config) -> Result<Policy, Vec<Problem>> {
    let (file, text) =
        config::open(&config.folder, "policy.toml").map_err(|problem| vec![problem])?;
    policy::parse(&file, &text).map(|(policy, _)| policy)
}

/// Reads `source.toml`.
pub(super) fn load_sources(config: &Config) -> Result<sync::Config, Vec<Problem>> {
    let (file, text) =
        config::open(&config.folder, "source.toml").map_err(|problem| vec![problem])?;
    sync::parse(&file, &config.folder, &text).map(|(sources, _)| sources)
}

fn sync_clock(clock: Clock) -> sync::Clock {
    sync::Clock::new(move || clock.now())
}

/// How long a start with a snapshot waits for local files: those of a small site are read by then,
/// so that what changed in them meanwhile counts from the first connection on.
const FIRST_LOOK: Duration = Duration::from_millis(200);

/// Accounting sessions kept at one time: the largest campus we know of has a tenth of it. About
/// 590 octets each with a million of them (`bench/growth.json`).
const MAX_SESSIONS: usize = 1_000_000;
