//! The writer's end: what sources deliver goes in, what it altered comes out.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::PoisonError;
use std::sync::RwLockWriteGuard;
use std::sync::atomic::Ordering;

use crate::inventory::batch::Outcome;
use crate::inventory::cache::Guard;
use crate::inventory::cache::Lookup;
use crate::inventory::cache::Reader;
use crate::inventory::change::Change;
use crate::inventory::clients::MailClient;
use crate::inventory::clients::Sighting;
use crate::inventory::clients::WipeOrder;
use crate::inventory::report::Complete;
use crate::inventory::report::DeviceReport;
use crate::inventory::report::Kind;
use crate::inventory::report::Refused;
use crate::inventory::report::Update;
use crate::inventory::report::UserReport;
use crate::inventory::state::Delivery;
use crate::inventory::state::Origin;
use crate::inventory::state::State;
use crate::inventory::statement::Name;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::Identifier;
use crate::model::SourceId;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::model::UserRef;

/// The one that may write. There is no second: it is not `Clone`, and its methods take it
/// exclusively.
pub struct Writer {
    reader: Reader,
    guard: Guard,
}

impl Writer {
    pub(crate) const fn new(reader: Reader, guard: Guard) -> Self {
        Self { reader, guard }
    }

    /// Another reader.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// The number of the source with this name, given on first asking, 1 to 255. Of two sources
    /// that state a fact, the one asked for first counts.
    ///
    /// The 256th source gets [`SourceId::NONE`], under which nothing is accepted.
    pub fn name_source(&mut self, name: &str) -> SourceId {
        self.lock().name_source(name, "")
    }

    /// The same for a source of which more than the name is known.
    pub fn name_origin(&mut self, origin: &Origin) -> SourceId {
        self.lock().name_source(&origin.name, &origin.place)
    }

    /// Works in what changed at a source, in order, and returns what that altered.
    pub fn apply(&mut self, source: SourceId, at: Timestamp, updates: Vec<Update>) -> Vec<Change> {
        if updates.is_empty() || self.reader.source_name(source).is_none() {
            return Vec::new();
        }
        let delivery = Delivery {
            source,
            at,
            walk: false,
        };
        let mut outcome = Outcome::default();
        for some in updates.chunks(AT_A_TIME) {
            let mut state = self.lock();
            for update in some {
                state.update(delivery, &mut outcome, update);
            }
        }
        self.publish(delivery, outcome)
    }

    /// Takes a source's complete list: what the source stated before and the list leaves out is
    /// gone. Unchanged devices are not written, and all are as fresh as `at` afterwards.
    ///
    /// # Errors
    ///
    /// When the list is empty, or much shorter than what the source stated before, and not
    /// forced: see [`Guard`]. Nothing has changed then, ages included.
    pub fn replace(
        &mut self,
        source: SourceId,
        at: Timestamp,
        all: Complete,
    ) -> Result<Vec<Change>, Refused> {
        let Some(source_name) = self.reader.source_name(source) else {
            return Err(Refused::NoSource(source));
        };
        let Complete {
            devices,
            users,
            force,
        } = all;
        let gone = self.gone(source, &devices, &users);
        if !force {
            let lists = [
                (
                    Kind::Devices,
                    devices.len(),
                    gone.devices_had,
                    gone.rows.len(),
                ),
                (Kind::Users, users.len(), gone.users_had, gone.names.len()),
            ];
            for (kind, given, had, missing) in lists {
                self.check(&source_name, kind, (given, had, missing))?;
            }
        }
        let delivery = Delivery {
            source,
            at,
            walk: true,
        };
        let mut outcome = Outcome::default();
        let users = users.into_iter().map(Update::User);
        let mut updates = users
            .chain(devices.into_iter().map(Update::Device))
            .peekable();
        while updates.peek().is_some() {
            let mut state = self.lock();
            for update in updates.by_ref().take(AT_A_TIME) {
                state.update(delivery, &mut outcome, &update);
            }
        }
        for rows in gone.rows.chunks(AT_A_TIME) {
            self.lock().forget(delivery, &mut outcome, (rows, &[]));
        }
        for names in gone.names.chunks(AT_A_TIME) {
            self.lock().forget(delivery, &mut outcome, (&[], names));
        }
        // Last: until now, what the list leaves out would have looked fresh.
        self.reader.shared.walks.complete(source, at);
        Ok(self.publish(delivery, outcome))
    }

    /// Learns that a user's mail client uses an ActiveSync id on a device, as the upstream's
    /// acceptance of the user's credentials has shown. Several users may each have the same id
    /// (R36). Nothing is learned of a device that no source knows; the binding goes with the
    /// device. Returns what that altered: another device may have become ambiguous by it.
    pub fn bind(
        &mut self,
        eas: EasDeviceId,
        user: &str,
        device: DeviceId,
        at: Timestamp,
    ) -> Vec<Change> {
        let Some(user) = UserId::parse(user) else {
            return Vec::new();
        };
        let mut outcome = Outcome::default();
        self.lock().bind(at, &mut outcome, device, (eas, &user));
        let delivery = Delivery {
            source: SourceId::NONE,
            at,
            walk: false,
        };
        self.publish(delivery, outcome)
    }

    /// Works in what the mail plane has seen, and returns what that altered for decisions.
    pub fn see(&mut self, sightings: &[Sighting]) -> Vec<Change> {
        let mut users = Vec::new();
        for sighting in sightings {
            let (eas, user) = (&sighting.eas, &*sighting.user);
            let device = sighting.proven.or_else(|| self.device_of(eas, user));
            let seen = self.change_client((eas, user), sighting.at, |client| {
                let was = client.device;
                (client.see(sighting, device), client.device != was)
            });
            let Some((is_news, is_moved)) = seen else {
                continue;
            };
            if let Some(device) = device.filter(|_| is_moved) {
                self.note_displaced(device, user, sighting.at);
            }
            if is_news {
                users.push(user);
            }
        }
        self.clients_changed(&users)
    }

    /// The device to which a mail client's id leads in the hands of its user.
    fn device_of(&self, eas: &EasDeviceId, user: &str) -> Option<DeviceId> {
        match self.reader.find(&Identifier::Eas(*eas, user)) {
            Lookup::Found(posture, _) => Some(posture.device),
            Lookup::Ambiguous | Lookup::OfAnotherUser | Lookup::Unknown => None,
        }
    }

    /// A client has turned out to be this device: so were those whose place there another id has taken,
    /// if nobody has seen them while it was theirs.
    fn note_displaced(&self, device: DeviceId, user: &str, at: Timestamp) {
        let keys = &self.reader.shared.keys;
        let displaced: Vec<EasDeviceId> = {
            let state = self.reader.lock();
            let names = &state.names;
            let of = |name: &UserId| names.find(keys, name).map(|name| names.reference(name));
            let (Some(row), Some(whose)) = (
                state.devices.row(keys, device),
                UserId::parse(user).as_ref().and_then(of),
            ) else {
                return;
            };
            let ids = state.devices.all_displaced(names, row).into_iter();
            let ids =
                ids.filter(|(_, user)| user.as_ref().is_none_or(|user| of(user) == Some(whose)));
            ids.map(|(eas, _)| eas).collect()
        };
        for eas in displaced {
            if (self.reader.client(&eas, user, None)).first_seen.is_some() {
                self.change_client((&eas, user), at, |client| {
                    client.device = client.device.or(Some(device));
                });
            }
        }
    }

    /// Notes that a mail client is to be wiped, or, with `None`, that it is not any more. With `by`
    /// that is who has ordered it. `None` is returned where there is no room for its record.
    pub fn order_wipe(
        &mut self,
        client: (&EasDeviceId, &str),
        at: Timestamp,
        wipe: Option<WipeOrder>,
        by: Option<&str>,
    ) -> Option<Vec<Change>> {
        self.change_client(client, at, |record| {
            if wipe.is_none() {
                let off = record.wipe.map(|order| order.number);
                record.called_off = record.called_off.max(off);
            }
            record.wipe = wipe;
            match (wipe, by) {
                (None, _) => record.wipe_by = Box::default(),
                (Some(_), Some(by)) => record.wipe_by = by.into(),
                (Some(_), None) => {}
            }
        })?;
        Some(self.clients_changed(&[client.1]))
    }

    /// Forgets a mail client, if there is a record of it: its next request makes it a new one.
    pub fn forget_client(&mut self, eas: &EasDeviceId, user: &str) -> Option<Vec<Change>> {
        let shared = &*self.reader.shared;
        let key = shared.keys.user(user)?;
        let forgotten = shared.clients.forget(key, eas);
        forgotten.then(|| self.clients_changed(&[user]))
    }

    /// Takes the records of an earlier process, before anybody decides. Those that have no room any
    /// more are left out.
    pub fn restore_clients(&mut self, clients: impl IntoIterator<Item = MailClient>) {
        for mut kept in clients {
            let (eas, user) = (kept.eas, kept.user.clone());
            let at = kept.first_seen;
            kept.device = kept.device.or_else(|| self.device_of(&eas, &user));
            self.change_client((&eas, &user), at, |client| *client = kept);
        }
    }

    fn change_client<T>(
        &self,
        (eas, user): (&EasDeviceId, &str),
        at: Timestamp,
        change: impl FnOnce(&mut MailClient) -> T,
    ) -> Option<T> {
        let shared = &*self.reader.shared;
        let key = shared.keys.user(user)?;
        shared.clients.change(key, (eas, user), at, change)
    }

    /// Counts what was altered of these users' clients, after it is stored and before it is told.
    fn clients_changed(&self, users: &[&str]) -> Vec<Change> {
        if users.is_empty() {
            return Vec::new();
        }
        let shared = &*self.reader.shared;
        shared.generation.fetch_add(1, Ordering::Release);
        let mut changes: Vec<Change> = users
            .iter()
            .map(|user| {
                let entry = self.reader.user(user);
                // A number beyond every user: whoever is filed under nobody is looked at.
                Change::User(entry.map_or(UserRef(u32::MAX), |entry| entry.user))
            })
            .collect();
        changes.sort_unstable();
        changes.dedup();
        changes
    }

    /// What `source` has stated and a complete list leaves out.
    fn gone(&self, source: SourceId, devices: &[DeviceReport], users: &[UserReport]) -> Gone {
        let keys = &self.reader.shared.keys;
        let state = self.reader.lock();
        let rows: HashSet<u32> = devices
            .iter()
            .filter_map(|report| state.devices.row(keys, report.device))
            .collect();
        let names: HashSet<Name> = users
            .iter()
            .filter_map(|report| state.names.find(keys, &report.user))
            .collect();
        let rows_had: Vec<u32> = state.devices.stated_by(source).collect();
        let names_had: Vec<Name> = state.names.stated_by(source).collect();
        Gone {
            devices_had: rows_had.len(),
            users_had: names_had.len(),
            rows: without(rows_had, &rows),
            names: without(names_had, &names),
        }
    }

    fn check(
        &self,
        source_name: &str,
        kind: Kind,
        (given, had, missing): (usize, usize, usize),
    ) -> Result<(), Refused> {
        let source_name = source_name.to_owned();
        let Guard { percent, at_least } = self.guard;
        if given == 0 && had > 0 {
            return Err(Refused::Empty {
                source_name,
                kind,
                had,
            });
        }
        if missing >= at_least && missing * 100 > had * usize::from(percent) {
            return Err(Refused::Shrunk {
                source_name,
                kind,
                had,
                missing,
                percent,
            });
        }
        Ok(())
    }

    /// Completes a batch. The generation is counted after everything is stored and before anyone
    /// hears of the changes; see [`Reader::generation`].
    fn publish(&self, delivery: Delivery, mut outcome: Outcome) -> Vec<Change> {
        let mut state = self.lock();
        state.follow(delivery, &mut outcome);
        let shared = &*self.reader.shared;
        shared
            .device_count
            .store(state.devices.count(), Ordering::Relaxed);
        shared
            .user_count
            .store(state.names.users(), Ordering::Relaxed);
        self.reader.note_overflowed(outcome.overflowed);
        drop(state);
        shared.deliveries.fetch_add(1, Ordering::Release);
        let mut changes = outcome.changes;
        changes.sort_unstable();
        changes.dedup();
        if !changes.is_empty() {
            // Release: whoever sees the new number sees all that was stored before.
            shared.generation.fetch_add(1, Ordering::Release);
        }
        changes
    }

    fn lock(&self) -> RwLockWriteGuard<'_, State> {
        // A panic while writing ends the process's only writer; what is stored is still whole.
        self.reader
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct Gone {
    devices_had: usize,
    users_had: usize,
    rows: Vec<u32>,
    names: Vec<Name>,
}

fn without<T: Eq + Hash>(mut had: Vec<T>, given: &HashSet<T>) -> Vec<T> {
    had.retain(|one| !given.contains(one));
    had
}

/// Updates worked in without giving the lock away: a description waits at most for so many, a
/// few milliseconds.
const AT_A_TIME: usize = 1024;
