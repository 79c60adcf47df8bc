//! Users of the mail plane whose devices are not let in any more: they are told by mail, and what is
//! remembered of their devices outlives a restart.
//!
//! Two tasks, which end with [`Following::stop`]. One judges the devices on the roll again when
//! something has changed, and saves the roll; aborting it loses what was not saved. The other sends
//! mails one by one; aborting it can cost one mail that is sent twice. Neither is waited for by a
//! request.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tracing::debug;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::app::notes;
use crate::config;
use crate::config::Config;
use crate::mail::Event;
use crate::mail::Gateway;
use crate::mail::Post;
use crate::mail::Posted;
use crate::mail::Restored;
use crate::model::Now;
use crate::model::Problem;
use crate::model::Timestamp;
use crate::net::Clock;
use crate::net::eas::Front;
use crate::notify::Mailer;
use crate::notify::Outgoing;
use crate::notify::SendError;
use crate::store;
use crate::store::Format;
use crate::store::Snapshot;
use crate::store::SnapshotError;

/// How the mail server that users are told through is doing.
#[derive(Debug)]
pub(super) struct Smtp {
    server: String,
    state: Mutex<Option<(Timestamp, Result<(), String>)>>,
}

impl Smtp {
    fn note(&self, at: Timestamp, came: Result<(), String>) {
        let before = self.lock().replace((at, came.clone()));
        let was_good = before.is_none_or(|(_, came)| came.is_ok());
        match (&came, was_good) {
            (Err(why), true) => {
                let server = &self.server;
                error!(server, why, "users cannot be told by mail");
            }
            (Ok(()), false) => info!(server = self.server, "users can be told by mail again"),
            (Err(_), false) | (Ok(()), true) => {}
        }
    }

    /// Which it is.
    pub(super) fn server(&self) -> String {
        self.server.clone()
    }

    /// When it was last spoken to, and what came of it.
    pub(super) fn state(&self) -> Option<(Timestamp, Result<(), String>)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Result<(), String>)>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What `status` and `/metrics` say of users.
#[derive(Clone, Debug)]
pub(super) struct Users {
    front: Arc<Front>,
    smtp: Option<Arc<Smtp>>,
    failed_saves: Arc<AtomicU64>,
}

impl Users {
    pub(super) fn gateway(&self) -> &Gateway {
        &self.front.gateway
    }

    pub(super) fn smtp(&self) -> Option<&Smtp> {
        self.smtp.as_deref()
    }

    pub(super) fn failed_saves(&self) -> u64 {
        self.failed_saves.load(Ordering::Relaxed)
    }

    pub(super) fn lines(&self) -> String {
        let ([_, waiting, held], untracked) = self.gateway().roll_counts();
        let mut text = String::new();
        if waiting + held > 0 {
            text.push_str(&format!(
                "mail devices: {waiting} let in until their wait is over, {held} kept out\n"
            ));
        }
        if untracked > 0 {
            text.push_str(&format!(
                "{untracked} mail requests of devices that found no place to be remembered\n"
            ));
        }
        let (_, displaced) = self.gateway().roll_crowding();
        if displaced > 0 {
            text.push_str(&format!(
                "{displaced} mail devices made place for others of their user, who has a hundred\n"
            ));
        }
        let Some(smtp) = self.smtp() else {
            return text;
        };
        let counts = self.gateway().post_counts();
        text.push_str(&format!(
            "mails to users: {} sent, {} waiting, {} given up, {} not sent because of too many a day\n",
            counts.sent, counts.waiting, counts.failed, counts.too_many
        ));
        let server = &smtp.server;
        text.push_str(&match smtp.state() {
            None => format!("mail server for users {server}: not spoken to yet\n"),
            Some((at, Ok(()))) => format!("mail server for users {server}: good at {at}\n"),
            Some((at, Err(why))) => format!("mail server for users {server}: {why} ({at})\n"),
        });
        text
    }

    pub(super) fn json(&self) -> Value {
        let ([allowed, waiting, held], untracked) = self.gateway().roll_counts();
        let counts = self.gateway().post_counts();
        let smtp = self.smtp().map(|smtp| {
            let (at, came) = smtp.state().map_or((None, None), |(at, came)| {
                (Some(at.to_string()), Some(came))
            });
            json!({
                "server": smtp.server,
                "at": at,
                "up": came.as_ref().map(Result::is_ok),
                "error": came.and_then(Result::err),
            })
        });
        json!({
            "devices": { "allowed": allowed, "waiting": waiting, "held": held },
            "untracked": untracked,
            "displaced": self.gateway().roll_crowding().1,
            "mails": {
                "sent": counts.sent,
                "waiting": counts.waiting,
                "tried_again": counts.again,
                "given_up": counts.failed,
                "too_many_a_day": counts.too_many,
            },
            "smtp": smtp,
        })
    }
}

/// A gateway with what the last start has remembered.
pub(super) fn restore(gateway: Gateway, config: &Config, now: Now) -> Gateway {
    if !config.data.warm_start {
        return gateway;
    }
    let path = path(config);
    let snapshot = match FORMAT.read(&path) {
        Ok(snapshot) => snapshot,
        Err(SnapshotError::Read(error)) => {
            let path = path.display();
            error!(%path, %error, "what was remembered of mail devices cannot be read");
            None
        }
        Err(reason) => {
            let aside = store::set_aside(&path);
            let aside = aside.map_or_else(|error| error.to_string(), |at| at.display().to_string());
            error!(path = %path.display(), %reason, aside,
                   "what was remembered of mail devices is not used and set aside");
            None
        }
    };
    let notes = notes::read(config).unwrap_or_else(|error| {
        let folder = config.data.folder.display();
        error!(%folder, %error, "what was noted last of mail devices cannot be read");
        Vec::new()
    });
    if snapshot.is_none() && notes.is_empty() {
        return gateway;
    }
    let saved = snapshot.as_ref().map_or(&[][..], Snapshot::content);
    let (gateway, restored) = gateway.restore(now, saved, &notes);
    let Restored {
        devices,
        places,
        unreadable,
    } = restored;
    let saved = snapshot.map(|snapshot| snapshot.at.to_string());
    info!(devices, places, saved, "mail devices are remembered");
    if unreadable > 0 {
        warn!(lines = unreadable, "some mail devices cannot be remembered");
    }
    gateway
}

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
            Arc::new(Mutex::new(Saver {
                path: path(config),
                front: Arc::clone(front),
                failed: Arc::clone(&failed_saves),
                saved: front.gateway.changes(),
            }))
        });
        let mut tasks = Vec::new();
        let watched = Arc::clone(front);
        let kept = saver.clone();
        tasks.push(runtime.spawn(follow(watched, kept, clock)));
        let smtp = mailer(config)?.map(|mailer| {
            let notify = config.mail.notify.clone();
            let smtp = Arc::new(Smtp {
                server: notify.host.clone().unwrap_or_default(),
                state: Mutex::default(),
            });
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

/// What speaks to the mail server; `None` without one.
pub fn mailer(config: &Config) -> Result<Option<Mailer>, Vec<Problem>> {
    let file = config.folder.join("gateway.toml");
    let hello = config.mail.published_names.first();
    let hello = hello.map_or("localhost", String::as_str);
    let settings = config
        .mail
        .notify
        .mailer(&file.display().to_string(), hello)?;
    let Some(settings) = settings else {
        return Ok(None);
    };
    let mailer = Mailer::new(&settings).map_err(|error| {
        let why = crate::model::causes(&error);
        vec![super::material::problem(&file, "mail.notify", &why)]
    })?;
    Ok(Some(mailer))
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

/// Writes the roll down.
struct Saver {
    path: PathBuf,
    front: Arc<Front>,
    failed: Arc<AtomicU64>,
    /// The changes that are on the disk.
    saved: u64,
}

impl Saver {
    fn save(&mut self, now: Now) {
        let changes = self.front.gateway.changes();
        // The secret of links is written once even if nobody is on the roll.
        if changes == self.saved && self.path.exists() {
            return;
        }
        let octets = self.front.gateway.save(now);
        match FORMAT.write(&self.path, now.wall, &[&octets]) {
            Ok(_) => self.saved = changes,
            Err(error) => {
                let path = self.path.display();
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    error!(%path, %error, "what is remembered of mail devices cannot be saved");
                }
            }
        }
    }
}

/// Sends mails.
struct Sender {
    front: Arc<Front>,
    mailer: Mailer,
    notify: config::Notify,
    smtp: Arc<Smtp>,
    clock: Clock,
}

impl Sender {
    async fn run(self) {
        let came = self.mailer.test().await;
        let came = came.map_err(|error| error.to_string());
        self.smtp.note(self.clock.now().wall, came);
        let mut tick = tokio::time::interval(PAUSE);
        let mut warned = None;
        loop {
            tick.tick().await;
            self.warn(&mut warned);
            while let Some(post) = self.front.gateway.poll_post(self.clock.now()) {
                let posted = self.send(&post).await;
                let now = self.clock.now();
                self.front.gateway.handle_posted(now, &post, &posted);
                note(&self.front);
                if matches!(posted, Posted::Later(_)) {
                    // The others would fare no better.
                    break;
                }
            }
        }
    }

    async fn send(&self, post: &Post) -> Posted {
        let Some(to) = self.notify.address_of(&post.user) else {
            return Posted::Refused("the user has no mail address".to_owned());
        };
        let letter = self.front.gateway.write_post(self.clock.now(), post);
        let outgoing = Outgoing {
            to,
            from_name: letter.from,
            subject: letter.subject,
            text: letter.text,
            html: letter.html,
            id: uuid::Uuid::new_v4().to_string(),
        };
        let came = self.mailer.send(&outgoing).await;
        let now = self.clock.now().wall;
        match came {
            Ok(()) => {
                self.smtp.note(now, Ok(()));
                debug!(device = %post.device, kind = post.kind.name(), "a user was told by mail");
                Posted::Sent
            }
            // It answers: the trouble is this one mail's.
            Err(SendError::Refused(why)) => {
                self.smtp.note(now, Ok(()));
                warn!(device = %post.device, why, "a user cannot be told by mail");
                Posted::Refused(why)
            }
            Err(SendError::Unavailable(why)) => {
                self.smtp.note(now, Err(why.clone()));
                Posted::Later(why)
            }
        }
    }

    /// A change that concerns many is sent slowly, and said so.
    fn warn(&self, warned: &mut Option<Timestamp>) {
        let now = self.clock.now().wall;
        let waiting = self.front.gateway.post_counts().waiting;
        let is_due = warned.is_none_or(|at| now.since(at) >= Duration::from_hours(1));
        if waiting > MANY && is_due {
            *warned = Some(now);
            let per_minute = self.notify.care.per_minute;
            warn!(
                waiting,
                per_minute,
                "many mails to users are waiting; mail.notify.per_minute slows them down"
            );
        }
    }
}

fn path(config: &Config) -> PathBuf {
    config.data.folder.join(FILE)
}

/// In the data folder.
const FILE: &str = "mail.snapshot";

const FORMAT: Format = Format {
    magic: *b"PORTROLL",
    version: 1,
};

/// How often the roll is looked at: a user is told within so long after a change.
const LOOK: Duration = Duration::from_secs(2);
/// Looks between saves: what a crash forgets is half a minute old.
const SAVE_EACH: u32 = 15;
/// How often mails are looked for.
const PAUSE: Duration = Duration::from_secs(1);
/// Mails that wait before it is said.
const MANY: usize = 100;
/// Looks between words on devices that are not remembered: five minutes.
const TOLD_EACH: u32 = 150;
