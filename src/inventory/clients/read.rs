//! What readers ask of mail clients.

use std::sync::Arc;

use super::ClientEntry;
use super::MailClient;
use crate::inventory::cache::Reader;
use crate::inventory::index::Key;
use crate::model::DeviceId;
use crate::model::EasDeviceId;

impl Reader {
    /// What is known of a mail client: never waits, never locks, never allocates. Of one that has no place
    /// among its user's devices it has the rank that it would get. With `is` that is the device which it
    /// is known to be by now, whose place is its own.
    #[must_use]
    pub fn client(&self, eas: &EasDeviceId, user: &str, is: Option<DeviceId>) -> ClientEntry {
        self.client_behind((eas, user), is, &[])
    }

    /// The same of one that stands behind others of its user which are about to be served for the first
    /// time. Its rank counts each of them once, whether that has happened by now or not, if they were
    /// asked for before this is called.
    #[must_use]
    pub fn client_behind(
        &self,
        (eas, user): (&EasDeviceId, &str),
        is: Option<DeviceId>,
        ahead: &[EasDeviceId],
    ) -> ClientEntry {
        let shared = &*self.shared;
        let key = shared.keys.user(user);
        key.map_or_else(ClientEntry::default, |key| {
            shared.clients.find(key, (eas, is), ahead)
        })
    }

    /// A number for the user whose clients are found by this name, however it is spelled, the same for as
    /// long as the process runs; `None` for a text that is no name.
    #[must_use]
    pub fn client_user(&self, user: &str) -> Option<u128> {
        self.shared.keys.user(user).map(|key| key.0)
    }

    /// Whether a mail client of the user with this number has a place of its own among the devices, and none
    /// that it shares with another client which is the same device; `None` of one that is not known. Never
    /// waits, never locks, never allocates.
    #[must_use]
    pub fn counts_alone(&self, user: u128, eas: &EasDeviceId) -> Option<bool> {
        let known = self.shared.clients.find(Key(user), (eas, None), &[]);
        known.first_seen.map(|_| known.counts)
    }

    /// The model that a mail client has told; empty if it has not.
    #[must_use]
    pub fn client_model(&self, client: &ClientEntry) -> &str {
        self.shared.clients.text(client.model)
    }

    /// How many mail clients are known.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.shared.clients.count()
    }

    /// Cold: all mail clients, a user's in the order in which they were first let in.
    #[must_use]
    pub fn clients(&self) -> Vec<Arc<MailClient>> {
        self.shared.clients.all()
    }
}
