//! Mail clients over the life of the process: news from the mail plane to the inventory's writer,
//! records kept on disk, orders of administrators with their audit.
//!
//! One thread, `mail-clients`, owns what goes on by itself: it hands news over four times a second,
//! saves the records every half minute if one has changed, and a last time when it is stopped. An order
//! is on the disk, with its line in the audit, before the administrator is answered; how far a wipe has
//! come is before the device is told to erase anything or hears that it was understood, so that nobody
//! orders a wipe again that is done.

mod kept;
mod rows;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::config::Config;
use crate::inventory::MailClient;
use crate::inventory::Reader;
use crate::inventory::Sighting;
use crate::inventory::Wipe;
use crate::inventory::WipeStage;
use crate::inventory::Writer;
use crate::mail;
use crate::mail::WipeNews;
use crate::model::EasDeviceId;
use crate::net::Clock;
use crate::net::eas::Front;
use crate::store;
use crate::store::Circle;
use crate::store::Format;
use crate::store::SnapshotError;
use crate::sync;
use crate::sync::ClientOrder;
use kept::Kept;

pub(super) use rows::Chosen;
pub(super) use rows::row;

/// Takes up the records of the last start.
pub(super) fn restore(config: &Config, writer: &mut Writer) {
    let path = path(config);
    let snapshot = match FORMAT.read(&path) {
        Ok(None) => return,
        Ok(Some(snapshot)) => snapshot,
        Err(SnapshotError::Read(error)) => {
            let path = path.display();
            error!(%path, %error, "the mail clients of the last start cannot be read; ordered wipes among them must be ordered again");
            return;
        }
        Err(reason) => {
            let aside = store::set_aside(&path);
            let aside = aside.map_or_else(|error| error.to_string(), |at| at.display().to_string());
            error!(path = %path.display(), %reason, aside,
                   "the mail clients of the last start are not used and set aside; ordered wipes among them must be ordered again");
            return;
        }
    };
    let mut unreadable = 0;
    let lines = snapshot.content().split(|octet| *octet == b'\n');
    let clients = lines.filter(|line| !line.is_empty()).filter_map(|line| {
        let kept = serde_json::from_slice::<Kept>(line).ok();
        let client = kept.and_then(Kept::client);
        unreadable += usize::from(client.is_none());
        client
    });
    let clients: Vec<MailClient> = clients.collect();
    info!(clients = clients.len(), saved = %snapshot.at, "mail clients of the last start are known");
    if unreadable > 0 {
        warn!(
            lines = unreadable,
            "mail clients of the last start cannot be read"
        );
    }
    writer.restore_clients(clients);
}

/// What is done with mail clients; shared by the control socket and the thread.
pub(super) struct Clients {
    reader: Reader,
    sources: sync::Handle,
    clock: Clock,
    path: PathBuf,
    /// Held while something is written.
    audit: Mutex<Circle>,
    /// Held from when a client is looked up until what is done with it is in force.
    orders: Mutex<()>,
    changes: AtomicU64,
}

/// Why an order was not carried out, as a sentence.
type Refused = String;

impl Clients {
    pub(super) fn new(
        config: &Config,
        reader: Reader,
        sources: sync::Handle,
        clock: Clock,
    ) -> Self {
        let folder = &config.journal.folder;
        Self {
            reader,
            sources,
            clock,
            path: path(config),
            audit: Mutex::new(Circle::new(folder, AUDIT, AUDIT_SIZE, AUDIT_FILES)),
            orders: Mutex::default(),
            changes: AtomicU64::new(0),
        }
    }

    /// The clients that an administrator may mean, a user's in the order in which they were let in.
    pub(super) fn find(&self, device: &str, user: Option<&str>) -> Vec<Arc<MailClient>> {
        let Ok(eas) = device.trim().parse::<EasDeviceId>() else {
            return Vec::new();
        };
        let of = |client: &MailClient| {
            client.eas == eas
                && user.is_none_or(|user| client.user.eq_ignore_ascii_case(user.trim()))
        };
        let mut found = self.reader.clients();
        found.retain(|client| of(client));
        found
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<MailClient>> {
        self.reader.clients()
    }

    /// Orders a wipe, or calls one off with `None`.
    pub(super) fn wipe(
        &self,
        client: &MailClient,
        wipe: Option<Wipe>,
        by: &str,
    ) -> Result<(), Refused> {
        if wipe == Some(Wipe::Account) && client.version < ACCOUNT_ONLY_FROM {
            return Err(format!(
                "this client speaks version {}.{} of the protocol, and a wipe of the account only is \
                 understood from 16.1 on; block the device, or wipe it as a whole",
                client.version / 10,
                client.version % 10
            ));
        }
        let event = match wipe {
            Some(wipe) => wipe.as_str(),
            None => "cancelled",
        };
        let _one_at_a_time = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        // The audit first: a wipe that nobody ordered is worse than an order that nobody carried out.
        self.record(event, client, Some(by))?;
        let order = ClientOrder::Wipe {
            eas: client.eas,
            user: client.user.clone(),
            wipe: wipe.map(|wipe| (wipe, WipeStage::Ordered)),
        };
        self.order(order)
    }

    /// Forgets a client.
    pub(super) fn forget(&self, client: &MailClient, by: &str) -> Result<(), Refused> {
        let _one_at_a_time = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        self.record("forgotten", client, Some(by))?;
        self.order(ClientOrder::Forget {
            eas: client.eas,
            user: client.user.clone(),
        })
    }

    fn order(&self, order: ClientOrder) -> Result<(), Refused> {
        if !self.sources.order(order) {
            return Err("the inventory does not take the order; nothing has changed".to_owned());
        }
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.save().map_err(|error| {
            let path = self.path.display();
            format!("{path}: {error}; the order is in force, and would be lost by a restart")
        })
    }

    /// A line in the audit, on the disk when this returns.
    fn record(&self, event: &str, client: &MailClient, by: Option<&str>) -> Result<(), Refused> {
        let line: Value = json!({
            "time": self.clock.now().wall.to_string(),
            "event": event,
            "user": client.user,
            "device": client.spelled,
            "device_type": client.device_type,
            "model": client.model,
            "by": by,
        });
        let mut audit = self.audit.lock().unwrap_or_else(PoisonError::into_inner);
        let written = audit
            .append(format!("{line}\n").as_bytes())
            .and_then(|file: &Arc<File>| file.sync_data());
        written.map_err(|error| format!("the audit cannot be written ({error}); nothing is done"))
    }

    fn save(&self) -> io::Result<()> {
        let mut clients = self.reader.clients();
        clients.sort_by(|one, other| (&one.user, one.eas).cmp(&(&other.user, other.eas)));
        let mut lines = Vec::new();
        for client in &clients {
            serde_json::to_writer(&mut lines, &Kept::of(client))?;
            lines.push(b'\n');
        }
        FORMAT.write(&self.path, self.clock.now().wall, &[&lines])?;
        Ok(())
    }

    /// Writes down how far a wipe is, in the audit and among the records, and has decisions see it;
    /// `false` where that cannot be, or where the wipe is not ordered any more. It waits for the disk.
    pub(super) fn attest(&self, news: &WipeNews) -> bool {
        let _one_at_a_time = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.find(news.eas.as_str(), Some(&news.user));
        let Some(client) = found.first() else {
            return false;
        };
        match client.wipe {
            Some(known) if known == (news.wipe, news.stage) => return true,
            // What it says last counts, but for one that has done it: it is not told any more.
            Some((wipe, stage)) if wipe == news.wipe && stage != WipeStage::Done => {}
            Some(_) | None => return false,
        }
        let stage = news.stage.as_str();
        let written = self.record(stage, client, None).and_then(|()| {
            self.order(ClientOrder::Wipe {
                eas: client.eas,
                user: client.user.clone(),
                wipe: Some((news.wipe, news.stage)),
            })
        });
        if let Err(why) = &written {
            error!(device = %client.spelled, user = %client.user, stage, "{why}");
        }
        written.is_ok()
    }

    /// Hands over what the mail plane tells.
    fn hand_over(&self, gateway: &mail::Gateway, waiting: &mut Vec<Sighting>) {
        while waiting.len() < BATCH {
            let Some(sighting) = gateway.poll_sighting() else {
                break;
            };
            waiting.push(*sighting);
        }
        if waiting.is_empty() {
            return;
        }
        match self.sources.see(std::mem::take(waiting)) {
            Ok(()) => {
                self.changes.fetch_add(1, Ordering::Relaxed);
            }
            // The writer is busy with a whole list; later, then.
            Err(back) => *waiting = back,
        }
    }
}

/// The thread.
pub(super) struct Keeper {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn spawn(clients: Arc<Clients>, front: Option<Arc<Front>>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("mail-clients".into())
            .spawn(move || keep(&clients, front.as_deref(), &stopped))?;
        Ok(Self { stop, thread })
    }

    /// Saves a last time and waits for it.
    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            error!("the thread that keeps the mail clients ended by a panic");
        }
    }
}

fn keep(clients: &Clients, front: Option<&Front>, stop: &AtomicBool) {
    let (mut waiting, mut saved, mut fails) = (Vec::new(), 0, false);
    let mut due = clients.clock.now().monotonic + SAVE;
    loop {
        let ends = stop.load(Ordering::Acquire);
        if let Some(front) = front {
            clients.hand_over(&front.gateway, &mut waiting);
        }
        let now = clients.clock.now().monotonic;
        let changes = clients.changes.load(Ordering::Relaxed);
        if (ends || now >= due) && changes != saved {
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
            due = after + SAVE.max(after.since(now).saturating_mul(10));
        }
        if ends {
            return;
        }
        thread::park_timeout(INTERVAL);
    }
}

fn path(config: &Config) -> PathBuf {
    config.data.folder.join(FILE)
}

/// In the data folder.
const FILE: &str = "mail-clients.snapshot";

const FORMAT: Format = Format {
    magic: *b"PORTMAIL",
    version: 1,
};

/// In the journal's folder: `wipes0.jsonl` and up.
const AUDIT: &str = "wipes";

/// An order has some 300 octets: more than anybody orders in years.
const AUDIT_SIZE: u64 = 10_000_000;
const AUDIT_FILES: u32 = 30;

/// Version 16.1 (MS-ASPROV 2.2.2.1).
const ACCOUNT_ONLY_FROM: u8 = 161;

/// How long news waits at most.
const INTERVAL: Duration = Duration::from_millis(250);

/// How often records are saved at most, but for orders.
const SAVE: Duration = Duration::from_secs(30);

/// News that is handed over at once.
const BATCH: usize = 4096;
