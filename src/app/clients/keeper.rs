//! The thread that hands news of mail clients over, and saves their records.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::error;
use tracing::info;

use crate::net::eas::Front;

use super::Clients;

/// The thread.
pub(in crate::app) struct Keeper {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(in crate::app) fn spawn(
        clients: Arc<Clients>,
        front: Option<Arc<Front>>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, known) = (Arc::clone(&stop), Arc::clone(&clients));
        let thread = thread::Builder::new()
            .name("mail-clients".into())
            .spawn(move || keep(&clients, front.as_deref(), &stopped))?;
        known.keeper.get_or_init(|| thread.thread().clone());
        Ok(Self { stop, thread })
    }

    /// Saves a last time and waits for it.
    pub(in crate::app) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            error!("the thread that keeps the mail clients ended by a panic");
        }
    }
}

fn keep(clients: &Clients, front: Option<&Front>, stop: &AtomicBool) {
    let (mut waiting, mut saved, mut fails) = (Vec::new(), 0, false);
    // The file is there from the first start on, so that a missing one means that it was lost.
    let is_missing = || front.is_some() && !clients.path.exists();
    let first = if is_missing() { Duration::ZERO } else { SAVE };
    let mut due = clients.clock.now().monotonic + first;
    let mut retry = clients.clock.now().monotonic;
    loop {
        let ends = stop.load(Ordering::Acquire);
        if let Some(front) = front {
            clients.hand_over(&front.gateway, &mut waiting);
        }
        let now = clients.clock.now().monotonic;
        if ends || now >= retry {
            clients.retry(ends);
            retry = now + RETRY;
        }
        let changes = clients.changes.load(Ordering::Relaxed);
        if (ends || now >= due) && (changes != saved || is_missing()) {
            match clients.save() {
                Ok(()) => {
                    saved = changes;
                    if std::mem::take(&mut fails) {
                        info!("the mail clients are saved again");
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut fails, true) {
                        let path = clients.path.display();
                        error!(%path, %error, "the mail clients cannot be saved; what is new of them is lost by a restart");
                    }
                }
            }
            // Never more than a tenth of the time.
            let after = clients.clock.now().monotonic;
            let wait = if fails { RETRY } else { SAVE };
            due = after + wait.max(after.since(now).saturating_mul(10));
        }
        if ends {
            return;
        }
        thread::park_timeout(INTERVAL);
    }
}

/// How long news waits at most.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often records are saved at most, but for orders.
const SAVE: Duration = Duration::from_secs(30);

/// How often what could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);
