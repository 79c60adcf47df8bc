//! Places on the roll: a bound for all, and one for each user, so that nobody fills it with DeviceIds that
//! somebody makes up.

use std::collections::HashMap;

use crate::model::Timestamp;

use super::Entry;
use super::Key;
use super::MAX_ENTRIES;
use super::Ordering;
use super::Phase;
use super::Roll;
use super::Table;
use super::UNSEEN;

/// Which devices each user has on the roll.
#[derive(Debug, Default)]
pub(super) struct Places(HashMap<Key, Vec<Key>>);

impl Places {
    /// Another device of this user; one that is there already stays there once.
    pub(super) fn add(&mut self, user: Key, device: Key) {
        let devices = self.0.entry(user).or_default();
        if !devices.contains(&device) {
            devices.push(device);
        }
    }

    fn remove(&mut self, user: Key, device: Key) {
        if let Some(devices) = self.0.get_mut(&user) {
            devices.retain(|one| *one != device);
            if devices.is_empty() {
                self.0.remove(&user);
            }
        }
    }
}

impl Roll {
    pub(super) fn user_key(&self, user: &str) -> Key {
        self.hasher.key(&[user.as_bytes()])
    }

    /// Whether another device of this user can be remembered; one of the user's own makes place, or
    /// those of whom nothing would be lost.
    pub(super) fn has_place(&self, table: &mut Table, now: Timestamp, user: Key) -> bool {
        let own = table.places.0.get(&user).map_or(0, Vec::len);
        if own >= MAX_OF_USER {
            return self.displace(table, user);
        }
        if table.entries.len() < MAX_ENTRIES {
            return true;
        }
        // Once a minute, because it looks at all of them.
        if !table.throttle.may_tidy(now) {
            return false;
        }
        let is_old = |entry: &Entry| entry.is_plain() && now.since(entry.seen) >= UNSEEN;
        let all = table.entries.iter();
        let old = all.filter(|(_, entry)| is_old(entry));
        let old: Vec<Key> = old.map(|(key, _)| *key).collect();
        for key in old {
            self.remove(table, key);
        }
        table.entries.len() < MAX_ENTRIES
    }

    /// The one that is missed least makes place: never one that waits, and one that holds made-up
    /// folders only if all do; of those the one that was not seen for longest.
    fn displace(&self, table: &mut Table, user: Key) -> bool {
        let own = table.places.0.get(&user).into_iter().flatten();
        let known = own.filter_map(|key| table.entries.get(key).map(|entry| (*key, entry)));
        let may_go = known.filter(|(_, entry)| !matches!(entry.phase, Phase::Waiting(_)));
        let least = may_go.min_by_key(|(_, entry)| (!entry.holds.is_nothing(), entry.seen));
        let Some((key, _)) = least else { return false };
        self.remove(table, key);
        self.displaced.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Forgets a device.
    pub(super) fn remove(&self, table: &mut Table, key: Key) {
        let Some(entry) = table.entries.remove(&key) else {
            return;
        };
        table.places.remove(self.user_key(&entry.user), key);
        if entry.phase != Phase::Allowed {
            self.kept_out.fetch_sub(1, Ordering::Relaxed);
        }
        if !entry.holds.is_nothing() {
            self.made_up.fetch_sub(1, Ordering::Relaxed);
        }
        self.changed();
    }

    /// Takes the places of what was restored; a user with too many keeps those that are missed most.
    pub(super) fn settle(&self, table: &mut Table) {
        let all: Vec<(Key, Key)> = table
            .entries
            .iter()
            .map(|(key, entry)| (self.user_key(&entry.user), *key))
            .collect();
        for (user, device) in all {
            table.places.add(user, device);
            if table.places.0.get(&user).map_or(0, Vec::len) > MAX_OF_USER {
                self.displace(table, user);
            }
        }
    }
}

/// Devices of one user that are remembered; of as many there is a record.
const MAX_OF_USER: usize = 100;
