//! Building, wiring, reloading and draining: the composition root.
//!
//! Order of a start: configuration and first-start files, inventory (from its snapshot, if there
//! is one) and policy, the first load of local files (with a snapshot only for a moment), sockets
//! (all of them or none), then the loops and tasks, then the banner.
//! Order of an end: mail drains, network loops stop, sources stop, the inventory is saved, the
//! journal writes its last.
//!
//! Threads and tasks that are not a room's own: one thread that keeps mail clients (`clients`); `runtime` threads of Tokio, which run
//! sources, control socket and metrics; one task for housekeeping, which owns nothing; one thread that saves
//! the inventory.

mod answer;
mod banner;
mod clients;
mod core;
mod doubles;
pub mod first_start;
mod gateway;
mod groups;
mod homes;
mod hook;
mod housekeeping;
mod leap;
mod mail;
mod material;
mod metrics;
mod notes;
mod passwords;
pub mod pki;
mod radius;
mod radsec;
mod revocation;
mod sessions;
mod sources;
mod telemetry;
mod tries;
mod upstreams;
mod users;
mod warm;
mod write;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::thread::available_parallelism;

use nix::sys::signal::SigSet;
use tokio::signal::unix;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::config;
use crate::config::Loaded;
use crate::config::Purpose;
use crate::config::Refused;
use crate::model::Problem;
use crate::model::Severity;
use crate::net::Clock;
use crate::sync;
use gateway::Gateway;

pub use hook::CHECK_HOOKS;
pub use hook::HOOKS;
pub use users::mailer;

/// Runs the gateway of `folder` until SIGTERM or SIGINT.
///
/// `announce` gets the banner once everything is up, and before that a line for each thing that
/// the first start made.
///
/// # Errors
///
/// Why it could not start. Once it runs, nothing ends it but a signal.
pub fn run(folder: &Path, announce: impl Fn(&str)) -> Result<(), StartError> {
    // Who asks for a reload while we start gets one afterwards, not the end of the process.
    let mut hangup = SigSet::empty();
    hangup.add(nix::sys::signal::Signal::SIGHUP);
    let blocked = |errno| StartError::System(io::Error::from(errno));
    hangup.thread_block().map_err(blocked)?;
    let clock = Clock::start();
    for made in first_start::make_conf(folder)? {
        announce(&made.to_string());
    }
    let draft = config::read(folder);
    for made in first_start::prepare(&draft, clock.now().wall)? {
        announce(&made.to_string());
    }
    let mut is_told = !draft.says_nothing();
    let Loaded { config, warnings } = draft.complete(Purpose::Start, clock.now().wall, HOOKS)?;
    telemetry::start(&config.log);
    let mut gateway = Gateway::start(config)?;
    let mut signals = {
        let _inside = gateway.runtime.enter();
        Signals::listen().map_err(StartError::System)?
    };
    hangup.thread_unblock().map_err(blocked)?;
    let warnings = warnings.iter().map(Problem::to_string).collect();
    announce(&gateway.banner(warnings).to_string());

    while let Signal::Reload = gateway.runtime.block_on(signals.next()) {
        is_told |= reload(&mut gateway, is_told, folder, clock);
    }
    info!("stopping");
    gateway.stop();
    info!("stopped");
    Ok(())
}

/// A gateway that `is_told` what to do does not go back to the defaults: its file is missing, or is being
/// written. Tells whether it was told now.
fn reload(gateway: &mut Gateway, is_told: bool, folder: &Path, clock: Clock) -> bool {
    let draft = config::read(folder);
    let says_nothing = draft.says_nothing();
    if is_told && says_nothing {
        let file = folder.join("gateway.toml");
        let file = file.display();
        error!("{file}: is missing or empty; the configuration that was running stays in force");
        return false;
    }
    let loaded = draft.complete(Purpose::Start, clock.now().wall, HOOKS);
    let result = loaded
        .map_err(|refused| refused.problems)
        .and_then(|loaded| {
            gateway
                .reload(folder, loaded.config)
                .map(|waiting| (loaded.warnings, waiting))
        });
    match result {
        Ok((warnings, waiting)) => {
            for warning in warnings {
                warn!("{warning}");
            }
            if !waiting.is_empty() {
                warn!("only a restart takes over: {}", waiting.join(", "));
            }
            info!("the configuration was read again and is in force");
            !says_nothing
        }
        Err(problems) => {
            for problem in problems {
                match problem.severity {
                    Severity::Warning => warn!("{problem}"),
                    Severity::Error => error!("{problem}"),
                }
            }
            error!("the configuration has errors; the one that was running stays in force");
            false
        }
    }
}

enum Signal {
    Reload,
    Stop,
}

/// Listened for from one place all the time, so that none is lost while another is acted on.
struct Signals {
    hangup: unix::Signal,
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// Threads for a setting where 0 is one for each core.
fn threads(setting: usize) -> usize {
    match setting {
        0 => available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// Fills `octets` from the system's generator.
///
/// # Panics
///
/// When there is none. Nothing that we do is safe without random numbers.
#[expect(
    clippy::expect_used,
    reason = "no state of ours makes a system without randomness usable"
)]
fn fill_random(octets: &mut [u8]) {
    aws_lc_rs::rand::fill(octets).expect("the system has a random number generator");
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The files of a first start.
    #[error(transparent)]
    FirstStart(#[from] first_start::FirstStartError),
    /// The configuration.
    #[error("{}", list(.0))]
    Configuration(Vec<Problem>),
    /// An address.
    #[error("{address} cannot be listened on: {source}")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The control socket.
    #[error("the control socket {} cannot be made: {source}", path.display())]
    Control {
        /// Where.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A source.
    #[error(transparent)]
    Source(#[from] sync::StartError),
    /// A folder that the gateway writes to.
    #[error("{}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why it cannot be used.
        #[source]
        source: io::Error,
    },
    /// Threads, signals, timers.
    #[error("the system refuses: {0}")]
    System(#[source] io::Error),
}

impl From<Refused> for StartError {
    fn from(refused: Refused) -> Self {
        Self::Configuration(refused.problems)
    }
}

impl From<Vec<Problem>> for StartError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::Configuration(problems)
    }
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    format!(
        "the configuration cannot be used:\n  {}",
        lines.join("\n  ")
    )
}
