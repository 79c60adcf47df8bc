//! What a device may hold of the made-up mailbox, and so may speak of after it was let in.
//!
//! It is remembered until the device has shown that it is over. Made-up folders are gone when it has
//! asked for its real ones and then names only such, for the answer with the real ones may be lost; a
//! key of ours for a real folder, when it names the folder with another; and the mail server knows the
//! last whole Sync or Ping again when it was sent one. Until then the bodies of its commands are read,
//! and of no other device's.

use serde::Deserialize;
use serde::Serialize;

use crate::eas;
use crate::eas::Command;
use crate::eas::quarantine::Given;
use crate::eas::quarantine::Spoken;

use super::Care;
use super::Ordering;
use super::Reason;
use super::Roll;
use super::Timestamp;
use super::Who;

/// What one device may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holds {
    /// Made-up folders.
    pub(super) folders: bool,
    /// It has asked for its real folders since.
    asked: bool,
    /// Real folders of which it has a key of ours.
    keys: Vec<Box<str>>,
    /// There are more of them than are remembered.
    many: bool,
    /// Its last Sync that left nothing out was answered here.
    sync: bool,
    /// The same of its last Ping.
    ping: bool,
}

impl Holds {
    pub(super) fn made_up_folders() -> Self {
        Self {
            folders: true,
            ..Self::default()
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// It was answered in quarantine. Whether that is more than it held.
    fn give(&mut self, command: Command, given: &Given<'_>) -> bool {
        let before = self.clone();
        if given.folders {
            self.folders = true;
            self.asked = false;
        }
        for id in &given.keys {
            if self.keys.iter().any(|known| **known == **id) {
                continue;
            }
            if self.keys.len() < MAX_KEYS && id.len() <= MAX_ID {
                self.keys.push((*id).into());
            } else {
                self.many = true;
            }
        }
        self.sync |= given.whole && command == Command::Sync;
        self.ping |= given.whole && command == Command::Ping;
        *self != before
    }

    /// It was let in, and spoke of this.
    fn hear(&mut self, command: Command, spoken: &Spoken<'_>) {
        match spoken {
            Spoken::OfFolders { anew } => {
                self.asked = self.folders;
                if *anew {
                    self.keys.clear();
                    self.many = false;
                }
            }
            Spoken::OfReal(folders) => {
                if command == Command::Ping {
                    self.ping = false;
                } else {
                    self.sync = false;
                    self.keys.retain(|id| !folders.contains(&&**id));
                }
                if self.asked {
                    self.folders = false;
                    self.asked = false;
                }
            }
            Spoken::OfOurs(..) | Spoken::OfOthers => {}
        }
    }

    fn may_be_named_in(&self, command: Command) -> bool {
        let keys = self.many || !self.keys.is_empty();
        match command {
            Command::Sync => self.folders || keys || self.sync,
            Command::Ping => self.folders || self.ping,
            Command::GetItemEstimate => self.folders || keys,
            Command::FolderSync
            | Command::ItemOperations
            | Command::MoveItems
            | Command::MeetingResponse
            | Command::SmartForward
            | Command::SmartReply
            | Command::FolderCreate
            | Command::FolderDelete
            | Command::FolderUpdate
            | Command::Search
            | Command::Find => self.folders,
            Command::SendMail
            | Command::GetAttachment
            | Command::GetHierarchy
            | Command::CreateCollection
            | Command::DeleteCollection
            | Command::MoveCollection
            | Command::Settings
            | Command::Provision
            | Command::ResolveRecipients
            | Command::ValidateCert => false,
        }
    }
}

impl Roll {
    /// Notes what an answer in quarantine leaves a device with, and has its user told by mail if no
    /// message can come into the folders that it holds.
    pub(in crate::mail) fn give(
        &self,
        now: Timestamp,
        who: &Who,
        request: &eas::Request,
        given: &Given<'_>,
        care: &Care,
    ) {
        let key = self.key_of(who, request);
        let mut table = self.lock();
        let table = &mut *table;
        let Some(entry) = table.entries.get_mut(&key) else {
            return;
        };
        if let Some(inbox) = given.inbox
            && std::mem::replace(&mut entry.delivered, inbox) != inbox
        {
            self.changed();
        }
        let was_nothing = entry.holds.is_nothing();
        let holds_more = entry.holds.give(request.command, given);
        if holds_more && was_nothing {
            self.made_up.fetch_add(1, Ordering::Relaxed);
        }
        let was_real = entry.real;
        let writes = entry.show(now, given, care);
        if entry.real != was_real {
            self.changed();
        }
        if writes {
            let entry = entry.clone();
            table.enqueue(key, &entry);
        }
        if holds_more || writes {
            self.note(table, key);
        }
    }

    /// Notes what a device that was let in speaks of.
    pub(in crate::mail) fn hear(
        &self,
        who: &Who,
        request: &eas::Request,
        spoken: &Spoken<'_>,
        care: &Care,
    ) {
        if self.made_up.load(Ordering::Relaxed) == 0 {
            return;
        }
        let key = self.key_of(who, request);
        let mut table = self.lock();
        let Some(entry) = table.entries.get_mut(&key) else {
            return;
        };
        if entry.holds.is_nothing() {
            return;
        }
        entry.holds.hear(request.command, spoken);
        if entry.holds.is_nothing() {
            self.made_up.fetch_sub(1, Ordering::Relaxed);
        }
        self.changed();
        if entry.is_plain() && !care.is_on() {
            self.remove(&mut table, key);
        }
    }

    /// Whether a command of a device that is let in may speak of the made-up mailbox, or want
    /// something repeated that was answered from it.
    pub(in crate::mail) fn may_name_ours(&self, who: &Who, request: &eas::Request) -> bool {
        self.look(who, request, |holds| holds.may_be_named_in(request.command))
    }

    /// Whether the last Sync or Ping of a device, whichever this is, that left nothing out was answered
    /// here.
    pub(in crate::mail) fn was_here(&self, who: &Who, request: &eas::Request) -> bool {
        let command = request.command;
        self.look(who, request, |holds| {
            command == Command::Sync && holds.sync || command == Command::Ping && holds.ping
        })
    }

    fn look(&self, who: &Who, request: &eas::Request, ask: impl FnOnce(&Holds) -> bool) -> bool {
        // Mostly nobody holds anything.
        if self.made_up.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let key = self.key_of(who, request);
        let table = self.lock();
        table
            .entries
            .get(&key)
            .is_some_and(|entry| ask(&entry.holds))
    }

    /// Whether a device was not given the message of this reason last; `None` if it found no place on
    /// the roll.
    pub(in crate::mail) fn lacks(
        &self,
        who: &Who,
        request: &eas::Request,
        reason: Reason,
    ) -> Option<bool> {
        let key = self.key_of(who, request);
        let table = self.lock();
        let entry = table.entries.get(&key)?;
        Some(entry.delivered != Some(u32::from(reason.code())))
    }
}

/// Real folders of one device that are remembered. A phone begins with one now and then; beyond these
/// each Sync is read until it asks for all its folders anew.
const MAX_KEYS: usize = 16;
/// Octets of an id (MS-ASCMD 2.2.3.166.4).
const MAX_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn given<'a>(folders: bool, keys: &[&'a str], whole: bool) -> Given<'a> {
        Given {
            folders,
            keys: keys.to_vec(),
            real: false,
            inbox: None,
            whole,
        }
    }

    #[test]
    fn made_up_folders_are_over_when_real_ones_were_asked_for_and_are_named() {
        let mut holds = Holds::default();
        assert!(holds.give(Command::FolderSync, &given(true, &[], false)));
        assert!(!holds.give(Command::FolderSync, &given(true, &[], false)));
        // It has not asked yet, so this is of an earlier account.
        holds.hear(Command::Sync, &Spoken::OfReal(vec!["5"]));
        assert!(holds.may_be_named_in(Command::MoveItems));
        holds.hear(Command::FolderSync, &Spoken::OfFolders { anew: true });
        holds.hear(Command::Sync, &Spoken::OfOthers);
        assert!(
            holds.may_be_named_in(Command::Ping),
            "the answer may be lost"
        );
        holds.hear(Command::Ping, &Spoken::OfReal(vec!["5"]));
        assert!(holds.is_nothing());
        assert!(
            Command::ALL
                .into_iter()
                .all(|one| !holds.may_be_named_in(one))
        );
    }

    #[test]
    fn a_key_is_over_when_its_folder_is_named_with_another_or_all_are_asked_for() {
        let mut holds = Holds::default();
        assert!(holds.give(Command::Sync, &given(false, &["6", "7"], true)));
        holds.hear(Command::Ping, &Spoken::OfReal(vec!["6", "7"]));
        holds.hear(Command::Sync, &Spoken::OfReal(vec!["5", "6"]));
        assert!(holds.may_be_named_in(Command::Sync));
        assert!(!holds.may_be_named_in(Command::Ping));
        holds.hear(Command::FolderSync, &Spoken::OfFolders { anew: false });
        assert!(holds.may_be_named_in(Command::GetItemEstimate));
        holds.hear(Command::Sync, &Spoken::OfReal(vec!["7"]));
        assert!(holds.is_nothing());
        // More than are remembered: until all are asked for.
        let ids: Vec<String> = (0..=MAX_KEYS).map(|id| id.to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert!(holds.give(Command::Sync, &given(false, &ids, false)));
        assert_eq!(holds.keys.len(), MAX_KEYS);
        holds.hear(Command::Sync, &Spoken::OfReal(ids));
        assert!(holds.may_be_named_in(Command::Sync));
        holds.hear(Command::FolderSync, &Spoken::OfFolders { anew: true });
        assert!(holds.is_nothing());
        let long = "x".repeat(MAX_ID + 1);
        holds.give(Command::Sync, &given(false, &[&long], false));
        assert!(holds.keys.is_empty() && holds.many);
    }

    #[test]
    fn each_of_sync_and_ping_is_known_again_when_the_mail_server_was_sent_one() {
        let mut holds = Holds::default();
        assert!(holds.give(Command::Sync, &given(false, &[], true)));
        assert!(holds.give(Command::Ping, &given(false, &[], true)));
        holds.hear(Command::Sync, &Spoken::OfOthers);
        assert!(holds.may_be_named_in(Command::Sync));
        holds.hear(Command::Sync, &Spoken::OfReal(vec!["5"]));
        assert!(!holds.may_be_named_in(Command::Sync));
        assert!(holds.may_be_named_in(Command::Ping));
        holds.hear(Command::Ping, &Spoken::OfReal(vec!["5"]));
        assert!(holds.is_nothing());
    }
}
