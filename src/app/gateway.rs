//! The running gateway: doors opened in order, and how it ends.

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::access::DecisionPoint;
use crate::access::Live;
use crate::app::StartError;
use crate::app::answer::Desk;
use crate::app::answer::Kept;
use crate::app::banner::Banner;
use crate::app::clients;
use crate::app::clients::Clients;
use crate::app::core::Core;
use crate::app::housekeeping::Housekeeper;
use crate::app::mail;
use crate::app::metrics::Metrics;
use crate::app::radius::Radius;
use crate::app::radsec;
use crate::app::radsec::Radsec;
use crate::app::revocation::Follower;
use crate::app::revocation::Revocation;
use crate::app::sessions;
use crate::app::users::Following;
use crate::app::warm::Saver;
use crate::app::warm::Snapshots;
use crate::config::Config;
use crate::journal;
use crate::journal::Journal;
use crate::model::Timestamp;
use crate::net::Clock;
use crate::net::control;
use crate::net::dynamic;
use crate::net::eas::Bound;
use crate::net::eas::Front;
use crate::net::eas::Lanes;
use crate::net::eas::bind_lanes;
use crate::net::metrics::Pages;
use crate::net::radius::Listen;
use crate::network::Dynamic;
use crate::network::DynamicCounters;
use crate::network::Role;
use crate::store::Claim;
use crate::sync;

mod folders;
mod reload;
mod restart;

use folders::claim_folders;
use folders::journal_config;

/// Everything that runs.
pub(super) struct Gateway {
    pub(super) config: Config,
    /// The one that it was started with: of some settings that is the one in force.
    started: Box<Config>,
    pub(super) runtime: Runtime,
    clock: Clock,
    point: Arc<DecisionPoint>,
    live: Arc<Live>,
    revocation: Arc<Revocation>,
    radius: Radius,
    radsec: Radsec,
    mail: Mail,
    metrics_at: Vec<SocketAddr>,
    tasks: sync::Tasks,
    source_settings: sync::Config,
    journal: journal::Stop,
    /// Of the folders that it writes to.
    _claims: Vec<Claim>,
    snapshots: Option<Arc<Snapshots>>,
    saver: Option<Saver>,
    session_saver: Option<sessions::Saver>,
    following: Option<Following>,
    client_keeper: clients::Keeper,
}

/// The mail plane.
struct Mail {
    front: Option<Arc<Front>>,
    addresses: Vec<SocketAddr>,
    lanes: Option<Lanes>,
}

impl Gateway {
    /// Builds and starts everything. Doors open when decisions can be made, and only if all of
    /// them can be opened.
    pub(super) fn start(config: Config) -> Result<Self, StartError> {
        let core = Core::build(&config)?;
        let clients = Arc::new(Clients::new(
            &config,
            core.point.reader().clone(),
            core.sources.clone(),
            core.clock,
            &core.owed,
        ));
        let front = mail::front(&config, &core, &clients)?;
        let lanes = super::threads(config.workers.mail);
        let mail_bound = bind_mail(&config.listen.mail, lanes)?;
        let radsec_bound = radsec::Bound::open(&config, &core.revocation)?;
        let metrics_listeners = bind_all(&config.listen.metrics, crate::net::metrics::bind)?;
        let socket =
            control::bind(&config.data.control_socket).map_err(|source| StartError::Control {
                path: config.data.control_socket.clone(),
                source,
            })?;
        let claims = claim_folders(&config)?;
        let journal = Journal::new(
            &journal_config(&config),
            Arc::clone(&core.records),
            Arc::clone(&core.point),
        );
        let (recent, statistics) = (journal.recent(), journal.statistics());
        let radius = Radius::start(&config, &core)?;
        let warm = config.data.warm_start;
        if warm {
            let directories = radius.directories.load();
            sessions::restore(&config, &radius.shared, &directories, core.clock);
        }
        let admissions = Arc::clone(&radius.shared.admissions);
        let session_saver = warm.then(|| sessions::Saver::spawn(&config, admissions, core.clock));
        let session_saver = session_saver.transpose().map_err(StartError::System)?;
        let streams = radius.servers.streams();
        let radsec = Radsec::start(radsec_bound, &config, &core.runtime, streams, core.clock);
        let disconnects = core
            .runtime
            .block_on(start_disconnects(&config, &radius, core.clock))?;
        let journal = journal.spawn().map_err(StartError::System)?;
        let (following, users) = match &front {
            Some(front) => {
                let started = Following::start(front, &config, &core.runtime, core.clock)?;
                (Some(started.0), Some(started.1))
            }
            None => (None, None),
        };

        let metrics = Metrics {
            loops: radius.loops.clone(),
            point: Arc::clone(&core.point),
            live: Arc::clone(&core.live),
            sessions: Arc::clone(&core.sessions),
            records: Arc::clone(&core.records),
            journal: statistics,
            sources: core.sources.clone(),
            clock: core.clock,
            mail: front.clone(),
            users,
            snapshots: core.snapshots.clone(),
            admissions: Arc::clone(&core.admissions),
            disconnects,
            radsec: radsec.counters(),
            homes: radius.known.subscribe(),
            discovered: Arc::clone(&radius.discovered),
            directories: Arc::clone(&radius.directories),
            reports: radius.reports.as_ref().map(|(kept, _)| Arc::clone(kept)),
        };
        let client_keeper = clients::Keeper::spawn(Arc::clone(&clients), front.clone())
            .map_err(StartError::System)?;
        let desk = Desk {
            clients,
            revocation: Arc::clone(&core.revocation),
            clock: core.clock,
            started: core.clock.now().wall,
            point: Arc::clone(&core.point),
            live: Arc::clone(&core.live),
            sessions: Arc::clone(&core.sessions),
            recent,
            journal: journal.flusher(),
            kept: Kept {
                journal: config.journal.folder.clone(),
                history: (config.history.days > 0).then(|| config.history.folder.clone()),
            },
            sources: core.sources.clone(),
            metrics: metrics.clone(),
            doors: doors(
                &radius.addresses,
                &radsec.addresses,
                &mail_bound,
                &metrics_listeners,
            ),
        };
        let Core {
            clock,
            runtime,
            revocation,
            point,
            live,
            sources,
            tasks,
            source_settings,
            snapshots,
            ..
        } = core;
        let saver = snapshots.as_ref().map(|snapshots| {
            let (reader, interval) = (point.reader().clone(), config.data.snapshot_interval);
            Saver::spawn(Arc::clone(snapshots), reader, clock, interval)
        });
        let saver = saver.transpose().map_err(StartError::System)?;
        let metrics_at = serve_metrics(&runtime, metrics_listeners, metrics);
        runtime.spawn(control::serve(
            socket,
            Arc::new(move |request| desk.answer(&request)),
        ));
        let admissions = Arc::clone(&radius.shared.admissions);
        runtime.spawn(revocation.follow(Follower {
            clock,
            point: Arc::clone(&point),
            live: Arc::clone(&live),
            admissions: Arc::clone(&admissions),
            network: Arc::clone(&radius.shared),
            resumption: Arc::clone(&radius.resumption),
        }));
        let network = Arc::clone(&radius.shared);
        let house = Housekeeper {
            clock,
            live: Arc::clone(&live),
            network,
            sources,
            front: front.clone(),
        };
        runtime.spawn(house.keep());
        let mail = Mail::start(front, mail_bound).map_err(StartError::System)?;
        Ok(Self {
            started: Box::new(config.clone()),
            config,
            runtime,
            clock,
            point,
            live,
            revocation,
            radius,
            radsec,
            mail,
            metrics_at,
            tasks,
            source_settings,
            journal,
            _claims: claims,
            snapshots,
            saver,
            session_saver,
            following,
            client_keeper,
        })
    }

    /// What people see when everything is up.
    pub(super) fn banner(&self, warnings: Vec<String>) -> Banner {
        let of = |role| {
            let listening = self
                .radius
                .addresses
                .iter()
                .filter(move |listen| listen.role == role);
            listening.map(|listen| listen.address).collect::<Vec<_>>()
        };
        Banner {
            authentication: of(Role::Authentication),
            accounting: of(Role::Accounting),
            radsec: self.radsec.addresses.clone(),
            mail: self.mail.addresses.clone(),
            metrics: self.metrics_at.clone(),
            control: self.config.data.control_socket.clone(),
            devices: self.point.reader().device_count(),
            users: self.point.reader().user_count(),
            policies: self.point.policy().len(),
            restored: self.restored(),
            warnings,
            tries: super::tries::commands(&self.config),
        }
    }

    /// When the inventory was saved that it began with, and how long ago that was.
    fn restored(&self) -> Option<(Timestamp, Duration)> {
        let at = self.snapshots.as_ref()?.restored?;
        Some((at, self.clock.now().wall.since(at)))
    }

    /// Stops: no new mail connections, those under way may end; then the network, whose NASes
    /// ask elsewhere; then sources, the inventory's snapshot and the journal.
    pub(super) fn stop(self) {
        if let Some(lanes) = self.mail.lanes {
            lanes.stop();
        }
        self.radius.servers.stop(self.started.shutdown.grace);
        self.radsec.stop(&self.runtime);
        self.radius.accounting.stop();
        if let Some((_, end)) = self.radius.reports {
            end.wait();
        }
        let directories = self.radius.directories.load_full();
        self.runtime.block_on(async {
            // Best effort: they notice by themselves.
            drop(tokio::time::timeout(LEAVE, directories.close()).await);
        });
        // Before the writer: what the mail plane has told last is still taken in.
        self.client_keeper.stop();
        self.runtime.block_on(self.tasks.stop());
        if let Some(following) = self.following {
            following.stop();
        }
        if let Some(saver) = self.saver {
            saver.stop();
        }
        if let Some(saver) = self.session_saver {
            saver.stop();
        }
        self.journal.stop();
        // A socket that is left behind is replaced by the next start.
        drop(control::remove(&self.started.data.control_socket));
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

impl Mail {
    fn start(front: Option<Arc<Front>>, bound: Vec<Bound>) -> io::Result<Self> {
        let addresses = bound.iter().map(|bound| bound.address).collect();
        let lanes = match &front {
            Some(front) => Some(Lanes::start(front, bound)?),
            None => None,
        };
        Ok(Self {
            front,
            addresses,
            lanes,
        })
    }
}

/// Opens the sockets of dynamic authorization.
async fn start_disconnects(
    config: &Config,
    radius: &Radius,
    clock: Clock,
) -> Result<Arc<DynamicCounters>, StartError> {
    let sockets = dynamic::Sockets::bind(&config.listen.authentication).await;
    let sockets = sockets.map_err(StartError::System)?;
    let counters = Arc::new(DynamicCounters::default());
    let engine = Dynamic::new(Arc::clone(&radius.shared), Arc::clone(&counters));
    let (admissions, streams) = (
        Arc::clone(&radius.shared.admissions),
        radius.servers.streams(),
    );
    tokio::spawn(dynamic::serve(sockets, engine, admissions, streams, clock));
    Ok(counters)
}

fn doors(
    radius: &[Listen],
    radsec: &[SocketAddr],
    mail: &[Bound],
    metrics: &[(SocketAddr, TcpListener)],
) -> Vec<(&'static str, SocketAddr)> {
    let radius = radius.iter().map(|listen| match listen.role {
        Role::Authentication => ("RADIUS authentication", listen.address),
        Role::Accounting => ("RADIUS accounting", listen.address),
        Role::Both => ("RADIUS over TLS", listen.address),
    });
    let radsec = radsec.iter().map(|address| ("RADIUS over TLS", *address));
    let radius = radius.chain(radsec);
    let mail = mail.iter().map(|bound| ("ActiveSync", bound.address));
    let metrics = metrics
        .iter()
        .map(|(address, _)| ("metrics and health", *address));
    radius.chain(mail).chain(metrics).collect()
}

fn bind_mail(addresses: &[SocketAddr], lanes: usize) -> Result<Vec<Bound>, StartError> {
    let bind = |&address: &SocketAddr| {
        let bound = bind_lanes(address, lanes);
        bound.map_err(|source| StartError::Bind { address, source })
    };
    addresses.iter().map(bind).collect()
}

fn bind_all(
    addresses: &[SocketAddr],
    bind: fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<Vec<(SocketAddr, TcpListener)>, StartError> {
    let bind = |&address: &SocketAddr| {
        let bound = bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        bound.map_err(|source| StartError::Bind { address, source })
    };
    addresses.iter().map(bind).collect()
}

fn serve_metrics(
    runtime: &Runtime,
    listeners: Vec<(SocketAddr, TcpListener)>,
    metrics: Metrics,
) -> Vec<SocketAddr> {
    let pages = Arc::new(Pages {
        metrics: Box::new(move || metrics.text()),
        health: Box::new(|| (true, "decisions are made".to_owned())),
    });
    let mut addresses = Vec::new();
    for (address, listener) in listeners {
        addresses.push(address);
        runtime.spawn(crate::net::metrics::serve(listener, Arc::clone(&pages)));
    }
    addresses
}

/// The time for taking leave of directories.
const LEAVE: Duration = Duration::from_millis(500);
