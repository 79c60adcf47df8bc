//! Who is in at NASes that can be told of a change, kept over a restart: a device that turns bad is
//! put out although another process has let it in.
//!
//! One thread, `session-snapshot`, owns the file: it saves every half minute if somebody has come or
//! left, and a last time when it is stopped. What was not saved when the program was killed is known
//! again when the devices log in again.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::app::core::tell;
use crate::config::Config;
use crate::directory::Directories;
use crate::net::Clock;
use crate::network;
use crate::network::Admissions;
use crate::network::At;
use crate::radius::PeerTable;
use crate::radius::Transport;
use crate::store;
use crate::store::Format;
use crate::store::SnapshotError;

/// Follows again who was in, and judges them: what has changed since counts, with the brake on. Nobody
/// is put out because a directory has not been asked yet.
pub(super) fn restore(
    config: &Config,
    shared: &network::Shared,
    directories: &Directories,
    clock: Clock,
) {
    let path = path(config);
    let snapshot = match FORMAT.read(&path) {
        Ok(None) => return,
        Ok(Some(snapshot)) => snapshot,
        Err(SnapshotError::Read(error)) => {
            let path = path.display();
            error!(%path, %error, "the sessions of the last start cannot be read; they cannot be ended");
            return;
        }
        Err(reason) => {
            let aside = store::set_aside(&path);
            let aside = aside.map_or_else(|error| error.to_string(), |at| at.display().to_string());
            error!(path = %path.display(), %reason, aside,
                   "the sessions of the last start are not used and set aside; they cannot be ended");
            return;
        }
    };
    let settings = shared.settings.load();
    // Their door says what is wrong with them, if anything is.
    let peers = PeerTable::new(config.peers.clone()).ok();
    let nas = |at: &At<'_>| {
        let found = match at.transport {
            Transport::Udp => settings.nas.find(at.address),
            Transport::Tls => peers.as_ref().and_then(|peers| peers.named(at.name)),
        };
        found.filter(|nas| nas.name() == at.name).cloned()
    };
    let now = clock.now().wall;
    let silence = &settings.config.silence;
    let admissions = &shared.admissions;
    let restored = admissions.restore(now, silence, snapshot.content(), nas);
    info!(
        sessions = restored.sessions,
        gone = restored.gone,
        saved = %snapshot.at,
        "the sessions of the last start are followed again"
    );
    if restored.unreadable > 0 {
        warn!(
            lines = restored.unreadable,
            "sessions of the last start cannot be read; they cannot be ended"
        );
    }
    let serves = |user: &str| directories.serves(user);
    let spared = shared.admissions.spare_unknown(now, serves);
    if spared > 0 {
        info!(
            sessions = spared,
            "sessions go on until a directory has said who their users are"
        );
    }
    tell(shared.admissions.sweep_all(now));
}

/// The thread that saves.
pub(super) struct Saver {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Saver {
    pub(super) fn spawn(
        config: &Config,
        admissions: Arc<Admissions>,
        clock: Clock,
    ) -> io::Result<Self> {
        let keeper = Keeper {
            path: path(config),
            admissions,
            clock,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("session-snapshot".into())
            .spawn(move || keeper.run(&stopped))?;
        Ok(Self { stop, thread })
    }

    /// Saves a last time and waits for it.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            error!("the thread that saves the sessions ended by a panic");
        }
    }
}

struct Keeper {
    path: PathBuf,
    admissions: Arc<Admissions>,
    clock: Clock,
}

impl Keeper {
    fn run(self, stop: &AtomicBool) {
        let mut saved = None;
        let mut fails = false;
        let mut pause = INTERVAL;
        loop {
            let due = self.clock.now().monotonic + pause;
            loop {
                let wait = self.clock.now().monotonic.until(due);
                if wait.is_zero() || stop.load(Ordering::Acquire) {
                    break;
                }
                thread::park_timeout(wait);
            }
            let last_time = stop.load(Ordering::Acquire);
            let changes = self.admissions.changes();
            if saved != Some(changes) {
                let begun = self.clock.now();
                let lines = self.admissions.save();
                match FORMAT.write(&self.path, begun.wall, &[&lines]) {
                    Ok(_) => {
                        saved = Some(changes);
                        if std::mem::take(&mut fails) {
                            info!("the sessions are saved again");
                        }
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut fails, true) {
                            let path = self.path.display();
                            error!(%path, %error, "the sessions cannot be saved; those of now could not be ended after a restart");
                        }
                    }
                }
                // A million of them is written less often: never more than a tenth of the time.
                let took = self.clock.now().monotonic.since(begun.monotonic);
                pause = INTERVAL.max(took.saturating_mul(10));
            }
            if last_time {
                return;
            }
        }
    }
}

fn path(config: &Config) -> PathBuf {
    config.data.folder.join(FILE)
}

/// In the data folder.
const FILE: &str = "sessions.snapshot";

const FORMAT: Format = Format {
    magic: *b"PORTSESS",
    version: 2,
};

/// A session that began in between and outlives a crash is the price; half a minute of logins is few.
const INTERVAL: Duration = Duration::from_secs(30);
