//! Users of the mail plane whose devices are not let in any more: they are told by mail, and what is
//! remembered of their devices outlives a restart.
//!
//! Two tasks, which end with [`Following::stop`]. One judges the devices on the roll again when
//! something has changed, and saves the roll; aborting it loses what was not saved. The other sends
//! mails one by one; aborting it can cost one mail that is sent twice. Neither is waited for by a
//! request.

mod saver;
mod sender;
mod shown;
mod smtp;

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tracing::debug;
use tracing::error;
use tracing::warn;

use crate::config::Config;
use crate::mail::Event;
use crate::model::Now;
use crate::model::Problem;
use crate::net::Clock;
use crate::net::eas::Front;
use saver::Saver;
use sender::Sender;
use smtp::Smtp;

pub(super) use saver::FILE;
pub(super) use saver::restore;
pub(super) use shown::Users;
pub use smtp::mailer;

/// The tasks.
pub(super) struct Following {
    tasks: Vec<JoinHandle<()>>,
    saver: Option<Arc<Mutex<Saver>>>,
    clock: Clock,
}

impl Following {
    /// Starts them, and gives what there is to see of them. The mail server is tried out at once.
    ///
    /// # Errors
    ///
    /// What is wrong with the mail server's settings.
    pub(super) fn start(
        front: &Arc<Front>,
        config: &Config,
        runtime: &Runtime,
        clock: Clock,
    ) -> Result<(Self, Users), Vec<Problem>> {
        let failed_saves = Arc::new(AtomicU64::new(0));
        let saver = config.data.warm_start.then(|| {
            let saver = Saver::new(config, front, &failed_saves);
            Arc::new(Mutex::new(saver))
        });
        let mut tasks = Vec::new();
        let watched = Arc::clone(front);
        let kept = saver.clone();
        tasks.push(runtime.spawn(follow(watched, kept, clock)));
        let smtp = mailer(config)?.map(|mailer| {
            let notify = config.mail.notify.clone();
            let smtp = Smtp::new(notify.host.clone().unwrap_or_default());
            let smtp = Arc::new(smtp);
            let sender = Sender {
                front: Arc::clone(front),
                mailer,
                notify,
                smtp: Arc::clone(&smtp),
                clock,
            };
            tasks.push(runtime.spawn(sender.run()));
            smtp
        });
        let users = Users {
            front: Arc::clone(front),
            smtp,
            failed_saves,
        };
        Ok((
            Self {
                tasks,
                saver,
                clock,
            },
            users,
        ))
    }

    /// Ends the tasks and saves a last time.
    pub(super) fn stop(self) {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(saver) = self.saver {
            // One that is under way is waited for.
            save(&saver, self.clock.now());
        }
    }
}

async fn follow(front: Arc<Front>, saver: Option<Arc<Mutex<Saver>>>, clock: Clock) {
    let mut tick = tokio::time::interval(LOOK);
    let mut ticks = 0_u32;
    let mut told = (0, 0);
    loop {
        tick.tick().await;
        if ticks.is_multiple_of(TOLD_EACH) {
            warn_of_crowds(&front, &mut told);
        }
        ticks = ticks.wrapping_add(1);
        let watched = Arc::clone(&front);
        let saver = saver.clone().filter(|_| ticks.is_multiple_of(SAVE_EACH));
        // It looks at all devices, or writes them: not in a thread that others wait for.
        let done = tokio::task::spawn_blocking(move || {
            let changed = watched.gateway.judge_roll(clock.now());
            note(&watched);
            if changed > 0 {
                debug!(
                    devices = changed,
                    "mail devices changed while they were away"
                );
            }
            if let Some(saver) = saver {
                save(&saver, clock.now());
            }
        });
        if done.await.is_err() {
            error!("looking at mail devices ended by a panic");
        }
    }
}

/// Tells of devices that are not remembered since the last time.
fn warn_of_crowds(front: &Front, told: &mut (u64, u64)) {
    let now = front.gateway.roll_crowding();
    let (requests, devices) = (now.0 - told.0, now.1 - told.1);
    if requests > 0 {
        warn!(
            requests,
            "mail devices found no place to be remembered: no wait, no mail to their users"
        );
    }
    if devices > 0 {
        warn!(
            devices,
            "mail devices made place for others of users who have a hundred"
        );
    }
    *told = now;
}

/// Has written what must not wait for the next save.
fn note(front: &Front) {
    if let Some(lines) = front.gateway.poll_notes() {
        (front.events)(Event::Notes(lines));
    }
}

fn save(saver: &Mutex<Saver>, now: Now) {
    let mut saver = saver.lock().unwrap_or_else(PoisonError::into_inner);
    saver.save(now);
}

/// How often the roll is looked at: a user is told within so long after a change.
const LOOK: Duration = Duration::from_secs(2);
/// Looks between saves: what a crash forgets is half a minute old.
const SAVE_EACH: u32 = 15;
/// Looks between words on devices that are not remembered: five minutes.
const TOLD_EACH: u32 = 150;
