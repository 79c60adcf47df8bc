//! The clients of one user, and which of them have a place among the user's devices.
//!
//! A device has one place, whatever it calls itself: clients that are known to be the same device share
//! it, an id from before a reset among them. What merely claims to be one of them has none of its own and
//! does not share: it stands behind all, until it is served and counts for itself.

use std::sync::Arc;

use super::MailClient;
use crate::inventory::index::Key;
use crate::model::DeviceId;
use crate::model::EasDeviceId;

pub(super) struct User {
    pub(super) key: Key,
    /// By when each was first let in; those that never were come last.
    pub(super) clients: Box<[Arc<MailClient>]>,
}

impl User {
    pub(super) fn new(key: Key, mut clients: Vec<Arc<MailClient>>) -> Self {
        clients.sort_by_key(|one| {
            (
                one.first_success.is_none(),
                one.first_success,
                one.first_seen,
            )
        });
        let clients = clients.into();
        Self { key, clients }
    }

    /// How many places are before the one of a client which is known to be this device now, if it has
    /// one.
    pub(super) fn place(&self, eas: &EasDeviceId, is: Option<DeviceId>) -> Option<usize> {
        let is_it = |one: &Arc<MailClient>| {
            is.is_some() && one.device == is || one.eas == *eas && self.stands_alone(one)
        };
        let first = self.served().iter().position(is_it)?;
        Some(self.places_before(first))
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.places_before(self.served().len())
    }

    /// How many of these have no place of their own.
    pub(super) fn unplaced(&self, of: &[EasDeviceId]) -> usize {
        let is_unplaced = |eas: &&EasDeviceId| self.place(eas, None).is_none();
        of.iter().filter(is_unplaced).count()
    }

    fn served(&self) -> &[Arc<MailClient>] {
        let is_served = |one: &Arc<MailClient>| one.first_success.is_some();
        let served = self.clients.partition_point(is_served);
        self.clients.get(..served).unwrap_or_default()
    }

    /// Whether no other client that was served is the same device.
    fn stands_alone(&self, client: &MailClient) -> bool {
        let is_another = |one: &&Arc<MailClient>| one.eas != client.eas;
        let mut others = self.served().iter().filter(is_another);
        client.device.is_none() || others.all(|one| one.device != client.device)
    }

    fn places_before(&self, end: usize) -> usize {
        let served = self.served();
        let before = served.iter().take(end).enumerate();
        let firsts = before.filter(|(at, one)| {
            let mut earlier = served.iter().take(*at);
            one.device.is_none() || earlier.all(|other| other.device != one.device)
        });
        firsts.count()
    }
}
