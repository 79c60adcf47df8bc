//! Mail clients over the life of the process: news from the mail plane to the inventory's writer,
//! records kept on disk, orders of administrators with their audit.
//!
//! One thread, `mail-clients`, owns what goes on by itself: it hands news over four times a second, and
//! at once what a client has told of its device; it saves the records every half minute if one has
//! changed, and a last time when it is stopped. An order is on the disk, with its line in the audit and
//! among the records, before a device may hear of it; how far a wipe has come is in the audit before the
//! device is told to erase anything or hears that it was understood. That a wipe is called off counts at
//! once, and is written when there is room, be it after a restart. After a start the audit counts before
//! the records.

mod audit;
mod keeper;
mod kept;
mod last;
mod restore;
mod rows;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::Thread;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::config::Config;
use crate::inventory::MailClient;
use crate::inventory::Reader;
use crate::inventory::Sighting;
use crate::inventory::Wipe;
use crate::inventory::WipeOrder;
use crate::inventory::WipeStage;
use crate::mail;
use crate::mail::WipeNews;
use crate::model::EasDeviceId;
use crate::net::Clock;
use crate::store::Format;
use crate::sync;
use crate::sync::ClientOrder;
use audit::Audit;
use audit::Event;
use kept::Kept;

pub(super) use keeper::Keeper;
pub(super) use restore::restore;
pub(super) use rows::Chosen;
pub(super) use rows::Displaced;
pub(super) use rows::Moment;
pub(super) use rows::row;

/// Where it is written that a wipe was called off; in force it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// In the audit, which a start believes.
    Written,
    /// Among the records, which name the order, and not in the audit, for this reason.
    WithoutAudit(String),
    /// Nowhere, for this reason.
    InMemory(String),
}

/// Whether a client may be given this order now.
pub(super) fn may_be_ordered(client: &MailClient, wipe: Wipe) -> Result<(), Refused> {
    if let Some(order) = client.wipe {
        let what = match order.wipe {
            Wipe::Device => "a wipe of the whole device",
            Wipe::Account => "a wipe of the account",
        };
        let mut given = order
            .ordered_at()
            .map_or(String::new(), |at| format!(" at {at}"));
        if !client.wipe_by.is_empty() {
            given = format!("{given} by {}", client.wipe_by);
        }
        let stage = order.stage.as_str();
        return Err(format!(
            "{what} has been ordered for it already{given} ({stage}); call that off first, with --cancel"
        ));
    }
    if wipe == Wipe::Account && client.version < ACCOUNT_ONLY_FROM {
        return Err(format!(
            "this client speaks version {}.{} of the protocol, and a wipe of the account only is \
             understood from 16.1 on; block the device, or wipe it as a whole",
            client.version / 10,
            client.version % 10
        ));
    }
    Ok(())
}

/// What is done with mail clients; shared by the control socket and the thread.
pub(super) struct Clients {
    reader: Reader,
    sources: sync::Handle,
    clock: Clock,
    path: PathBuf,
    /// Held while something is written.
    audit: Mutex<Audit>,
    /// Held from when a client is looked up until what is done with it is in force; the number of the
    /// last order.
    orders: Mutex<u64>,
    /// Held while records are written: what is written last is what is known last.
    saving: Mutex<()>,
    changes: AtomicU64,
    /// The thread, once it runs.
    keeper: OnceLock<Thread>,
}

/// Why an order was not carried out, as a sentence.
type Refused = String;

impl Clients {
    /// `owed` are lines that the audit should have had before this start, see [`restore()`].
    pub(super) fn new(
        config: &Config,
        reader: Reader,
        sources: sync::Handle,
        clock: Clock,
        owed: &str,
    ) -> Self {
        let folder = &config.journal.folder;
        Self {
            reader,
            sources,
            clock,
            path: path(config),
            audit: Mutex::new(Audit::owing(folder, owed.to_owned())),
            orders: Mutex::default(),
            saving: Mutex::default(),
            changes: AtomicU64::new(0),
            keeper: OnceLock::new(),
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

    /// Orders a wipe. When this returns it is in force and on the disk, or neither.
    pub(super) fn order_wipe(
        &self,
        client: &MailClient,
        wipe: Wipe,
        by: &str,
    ) -> Result<(), Refused> {
        let mut last = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let client = &*self.again(client)?;
        may_be_ordered(client, wipe)?;
        // What was left is about earlier orders, and must stand before this one.
        if let Some(Err(error)) = self.audit().retry() {
            return Err(unwritten(&error));
        }
        let known = self.all();
        let known = known.iter().flat_map(|client| {
            let order = client.wipe.map(|order| order.number);
            [order, client.called_off].into_iter().flatten()
        });
        let greatest = known.fold(*last, u64::max);
        let millis = self.clock.now().wall.unix_millis();
        let number = u64::try_from(millis).unwrap_or(0).max(greatest + 1);
        *last = number;
        let order = WipeOrder {
            wipe,
            number,
            stage: WipeStage::Ordered,
        };
        let why = match self.give(client, order, by) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        };
        // Whatever is on the disk of it, it is none.
        let refused = self.line(Event::Refused, client, Some(order), Some(by));
        match self.audit().leave(&refused) {
            Ok(()) => Err(why),
            Err(error) => Err(format!(
                "{why}. What has come to the disk of the order cannot be taken back ({error}), which \
                 is tried again every five seconds; a restart before that may give it"
            )),
        }
    }

    /// Brings an order to the disk and then into force.
    fn give(&self, client: &MailClient, order: WipeOrder, by: &str) -> Result<(), Refused> {
        // The audit first: by it alone the next start knows the order, whatever becomes of the records.
        self.record(&self.line(Event::Ordered(order.wipe), client, Some(order), Some(by)))?;
        // Then the records, and only then decisions: a device may be told of it from then on.
        let saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ordered = client.clone();
        ordered.wipe = Some(order);
        ordered.wipe_by = by.into();
        self.save_with(&saving, Some(&ordered)).map_err(|error| {
            let path = self.path.display();
            format!("{path}: {error}; the order is not given, and nothing is done")
        })?;
        self.tell(client, Some(order), Some(by))
    }

    /// Calls a wipe off. That is in force when this returns, whatever the disk says; what it says is
    /// given back.
    pub(super) fn cancel_wipe(&self, client: &MailClient, by: &str) -> Result<Cancelled, Refused> {
        let _one_at_a_time = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let client = &*self.again(client)?;
        let Some(order) = client.wipe else {
            return Err("no wipe is ordered for it".to_owned());
        };
        self.tell(client, None, None)?;
        let line = self.line(Event::Cancelled, client, Some(order), Some(by));
        let written = self.audit().leave(&line);
        // Either is enough for the next start.
        let saved = self.save();
        if let Err(error) = &saved {
            let path = self.path.display();
            warn!(%path, %error, "the mail clients cannot be saved; that a wipe was called off is in the audit, or is not");
        }
        match (written, saved) {
            (Ok(()), _) => Ok(Cancelled::Written),
            (Err(error), Ok(())) => Ok(Cancelled::WithoutAudit(error.to_string())),
            (Err(error), Err(_)) => Ok(Cancelled::InMemory(error.to_string())),
        }
    }

    /// Forgets a client.
    pub(super) fn forget(&self, client: &MailClient, by: &str) -> Result<(), Refused> {
        let _one_at_a_time = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let client = &*self.again(client)?;
        if client.wipe.is_some() {
            return Err("a wipe is ordered for it; cancel that first".to_owned());
        }
        self.record(&self.line(Event::Forgotten, client, None, Some(by)))?;
        self.order(ClientOrder::Forget {
            eas: client.eas,
            user: client.user.clone(),
        })?;
        self.save().map_err(|error| {
            let path = self.path.display();
            format!("{path}: {error}; the record is forgotten, and would be back after a restart")
        })
    }

    /// What is known of a client by now.
    fn again(&self, client: &MailClient) -> Result<Arc<MailClient>, Refused> {
        let found = self.find(client.eas.as_str(), Some(&client.user));
        let found = found.into_iter().next();
        found.ok_or_else(|| "its record has been forgotten meanwhile".to_owned())
    }

    /// Has decisions see an order, or that there is none.
    fn tell(
        &self,
        client: &MailClient,
        wipe: Option<WipeOrder>,
        by: Option<&str>,
    ) -> Result<(), Refused> {
        self.order(ClientOrder::Wipe {
            eas: client.eas,
            user: client.user.clone(),
            wipe,
            by: by.map(Box::from),
        })
    }

    fn order(&self, order: ClientOrder) -> Result<(), Refused> {
        let is_taken = self.sources.order(order);
        self.changes.fetch_add(1, Ordering::Relaxed);
        if is_taken {
            Ok(())
        } else {
            Err("the inventory does not take the order; nothing has changed".to_owned())
        }
    }

    fn line(
        &self,
        event: Event,
        client: &MailClient,
        order: Option<WipeOrder>,
        by: Option<&str>,
    ) -> String {
        audit::line(self.clock.now().wall, event, client, order, by)
    }

    /// A line in the audit, on the disk when this returns.
    fn record(&self, line: &str) -> Result<(), Refused> {
        let written = self.audit().append(line);
        written.map_err(|error| unwritten(&error))
    }

    fn audit(&self) -> MutexGuard<'_, Audit> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self) -> io::Result<()> {
        let saving = self.saving.lock().unwrap_or_else(PoisonError::into_inner);
        self.save_with(&saving, None)
    }

    /// Saves the records, that of `ordered` as it will be.
    fn save_with(
        &self,
        _saving: &MutexGuard<'_, ()>,
        ordered: Option<&MailClient>,
    ) -> io::Result<()> {
        let mut clients = self.reader.clients();
        clients.sort_by(|one, other| (&one.user, one.eas).cmp(&(&other.user, other.eas)));
        let mut lines = Vec::new();
        for client in &clients {
            let ordered = ordered
                .filter(|ordered| (ordered.eas, &*ordered.user) == (client.eas, &*client.user));
            serde_json::to_writer(&mut lines, &Kept::of(ordered.unwrap_or(client)))?;
            lines.push(b'\n');
        }
        FORMAT.write(&self.path, self.clock.now().wall, &[&lines])?;
        Ok(())
    }

    /// Writes down how far a wipe is and has decisions see it; `false` where that cannot be, or where
    /// the order is not in force any more. It waits for the disk.
    ///
    /// The line in the audit is enough: it counts after a start, whenever the records were saved.
    pub(super) fn attest(&self, news: &WipeNews) -> bool {
        let _one_at_a_time = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.find(news.eas.as_str(), Some(&news.user));
        let Some(client) = found.first() else {
            return false;
        };
        let order = news.order;
        match client.wipe {
            Some(known) if known == order => return true,
            // What it says last counts, but for one that has done it: it is not told any more.
            Some(known) if known.at(order.stage) == order && known.stage != WipeStage::Done => {}
            Some(_) | None => return false,
        }
        let line = self.line(Event::At(order.stage), client, Some(order), None);
        let written = self
            .record(&line)
            .and_then(|()| self.tell(client, Some(order), None));
        if let Err(why) = &written {
            let stage = order.stage.as_str();
            error!(device = %client.spelled, user = %client.user, stage, "{why}");
        }
        written.is_ok()
    }

    /// Writes what has not come into the audit; `last` where nobody will again.
    fn retry(&self, last: bool) {
        match self.audit().retry() {
            None => {}
            Some(Ok(())) => info!("the audit of wipes has the lines that were missing"),
            Some(Err(error)) if last => {
                error!(%error, "wipes that were called off, or not given, are not in the audit; those of which the records do not say so either are ordered again by the next start");
            }
            // It was said to whoever called it off or ordered it.
            Some(Err(_)) => {}
        }
    }

    /// Has the thread hand news over now.
    pub(super) fn hurry(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
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

fn unwritten(error: &io::Error) -> Refused {
    format!("the audit cannot be written ({error}); nothing is done")
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

/// Version 16.1 (MS-ASPROV 2.2.2.1).
const ACCOUNT_ONLY_FROM: u8 = 161;

/// News that is handed over at once.
const BATCH: usize = 4096;
