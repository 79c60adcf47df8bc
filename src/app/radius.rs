//! The network plane of a gateway: its loops, its workers, its accounting logs.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::app::StartError;
use crate::app::core::Core;
use crate::app::homes;
use crate::app::material;
use crate::app::passwords;
use crate::app::passwords::Learner;
use crate::config;
use crate::config::Config;
use crate::directory;
use crate::directory::Directories;
use crate::eap;
use crate::journal::HistoryConfig;
use crate::journal::HistoryStatistics;
use crate::journal::Reports;
use crate::journal::ReportsEnd;
use crate::net::Clock;
use crate::net::Pool;
use crate::net::home;
use crate::net::home::Known;
use crate::net::radius;
use crate::net::radius::Listen;
use crate::network;
use crate::network::Counters;
use crate::network::Role;
use crate::store;
use crate::store::Syncer;

/// The network plane.
pub(super) struct Radius {
    pub(super) shared: Arc<network::Shared>,
    /// What requests to home servers are known by when they come back.
    pub(super) mark: Vec<u8>,
    /// The home servers in force.
    pub(super) known: watch::Sender<Arc<Known>>,
    /// Those that DNS has led to.
    pub(super) discovered: Arc<network::Discovered>,
    pub(super) resumption: Arc<eap::Resumption>,
    /// Replaced by a reload.
    pub(super) directories: Arc<ArcSwap<Directories>>,
    pub(super) learner: Arc<Learner>,
    pub(super) addresses: Vec<Listen>,
    pub(super) loops: Vec<Arc<Counters>>,
    pub(super) servers: radius::Servers,
    /// Brings the accounting logs of the loops to the disk.
    pub(super) accounting: store::Stop,
    /// The store out of which accounting is exported, unless it is switched off.
    pub(super) reports: Option<(Arc<HistoryStatistics>, ReportsEnd)>,
}

impl Radius {
    pub(super) fn start(config: &Config, core: &Core) -> Result<Self, StartError> {
        let resumption = config.eap.resumption();
        let mut mark = MARK.to_vec();
        mark.extend_from_slice(&[0; 8]);
        super::fill_random(mark.get_mut(MARK.len()..).unwrap_or_default());
        let (directories, _) = passwords::load(config)?;
        let directories = Arc::new(Directories::new(directories, &directory_clock(core.clock)));
        let learner = Learner::new(core);
        let asked = (&directories, &learner);
        let known = homes::known(config, &[])?;
        let proxying = (&*mark, &*known.homes);
        let settings = material::network_settings(
            config,
            &config.data.folder,
            &resumption,
            proxying,
            asked,
            &core.revocation,
        )?;
        let loops = super::threads(config.workers.radius).min(usize::from(u8::MAX));
        let shared = Arc::new(network::Shared {
            settings: ArcSwap::from_pointee(settings),
            point: Arc::clone(&core.point),
            sessions: Arc::clone(&core.sessions),
            admissions: Arc::clone(&core.admissions),
            records: Arc::clone(&core.records),
            correlations: Arc::clone(&core.correlations),
            random: super::fill_random,
            loops: u8::try_from(loops).unwrap_or(u8::MAX),
        });
        let authentication = config.listen.authentication.iter();
        let accounting = config.listen.accounting.iter();
        let listen: Vec<Listen> = authentication
            .map(|&address| Listen {
                address,
                role: Role::Authentication,
            })
            .chain(accounting.map(|&address| Listen {
                address,
                role: Role::Accounting,
            }))
            .collect();
        let bound = radius::bind(&listen, loops)
            .map_err(|(address, source)| StartError::Bind { address, source })?;
        let addresses = bound.addresses.clone();
        let workers = super::threads(config.workers.handshake);
        let runtime = core.runtime.handle().clone();
        let pool = Pool::start(workers, HANDSHAKES_WAITING, core.clock, runtime)
            .map(Arc::new)
            .map_err(StartError::System)?;
        let counters = Mutex::new(Vec::new());
        let syncer = Syncer::new(loops);
        let reports = reports(&config.accounting)?;
        let mut servers = radius::Servers::start(bound, &pool, core.clock, |number| {
            let server = network::Server::new(number, Arc::clone(&shared));
            counters
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(server.counters());
            let mut log = accounting_log(&config.accounting, &syncer, number)?;
            let reports = reports.as_ref().map(|(reports, _)| reports.clone());
            let clock = core.clock;
            let record = Box::new(move |lines: &[u8]| {
                log.append(lines)?;
                if let Some(reports) = &reports {
                    reports.offer(clock.now().wall, lines);
                }
                Ok(())
            });
            Ok(radius::Worker { server, record })
        })
        .map_err(StartError::System)?;
        let sockets = core.runtime.block_on(home::Sockets::bind());
        let sockets = sockets.map_err(StartError::System)?;
        let (known, changes) = watch::channel(Arc::new(known));
        let proxy = network::Proxy::new(super::fill_random);
        let discovered = proxy.discovered();
        if let Some(homes) = servers.take_homes() {
            core.runtime
                .spawn(home::serve(sockets, proxy, homes, changes, core.clock));
        }
        let accounting = syncer.spawn().map_err(StartError::System)?;
        let loops = counters
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Self {
            shared,
            mark,
            known,
            discovered,
            resumption,
            directories: Arc::new(ArcSwap::new(directories)),
            learner,
            addresses,
            loops,
            servers,
            accounting,
            // The loops have their own; with the last of them the thread ends.
            reports: reports.map(|(reports, end)| (reports.statistics(), end)),
        })
    }
}

pub(super) fn directory_clock(clock: Clock) -> directory::Clock {
    directory::Clock::new(move || clock.now().monotonic)
}

/// The store out of which accounting is exported.
fn reports(config: &config::Accounting) -> Result<Option<(Reports, ReportsEnd)>, StartError> {
    let kept = HistoryConfig {
        folder: config.folder.clone(),
        days: config.days,
        octets: config.size.get(),
    };
    let reports = (config.days > 0).then(|| Reports::spawn(&kept));
    reports.transpose().map_err(StartError::System)
}

/// The accounting log of one loop; its name says which, so that no two share a file.
fn accounting_log(
    config: &config::Accounting,
    syncer: &Syncer,
    number: u8,
) -> io::Result<store::Log> {
    let (folder, name) = (&config.folder, format!("accounting-{number}-"));
    syncer
        .log(
            folder,
            &name,
            config.file_size.get(),
            u32::from(config.files),
        )
        .map_err(|error| {
            let folder = folder.display();
            io::Error::new(error.kind(), format!("accounting in {folder}: {error}"))
        })
}

/// Jobs that may wait for the handshake workers: at 250 µs each on two cores, half a second of
/// work. More would be answered after their peers have given up.
const HANDSHAKES_WAITING: usize = 4096;

/// What the Proxy-State of this gateway begins with; a number of this start follows.
const MARK: &[u8] = b"portreeve";
