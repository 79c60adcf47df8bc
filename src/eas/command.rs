//! Commands: their names in a plain query and their codes in a base64 query.

use std::fmt;

/// A command of MS-ASCMD 2.2.1 that is sent to the ActiveSync path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Changes of items, both ways.
    Sync = 0,
    /// Sends a message.
    SendMail = 1,
    /// Forwards a message without downloading it.
    SmartForward = 2,
    /// Answers a message without downloading it.
    SmartReply = 3,
    /// Downloads an attachment; versions below 14.0.
    GetAttachment = 4,
    /// The folder hierarchy, of clients older than FolderSync; Exchange serves it and the next three
    /// still, and offers them to versions below 14.0.
    GetHierarchy = 5,
    /// Makes a folder, of those clients.
    CreateCollection = 6,
    /// Removes a folder, of those clients.
    DeleteCollection = 7,
    /// Moves or renames a folder, of those clients.
    MoveCollection = 8,
    /// The folder hierarchy.
    FolderSync = 9,
    /// Makes a folder.
    FolderCreate = 10,
    /// Removes a folder.
    FolderDelete = 11,
    /// Moves or renames a folder.
    FolderUpdate = 12,
    /// Moves messages between folders.
    MoveItems = 13,
    /// How many changes a Sync would bring.
    GetItemEstimate = 14,
    /// Accepts or declines a meeting.
    MeetingResponse = 15,
    /// Finds messages, people and documents.
    Search = 16,
    /// Out of office, device information, password.
    Settings = 17,
    /// Waits until a folder changes.
    Ping = 18,
    /// Fetches, empties or moves items online.
    ItemOperations = 19,
    /// Fetches and acknowledges the security policy.
    Provision = 20,
    /// Completes and checks recipients.
    ResolveRecipients = 21,
    /// Checks an S/MIME certificate.
    ValidateCert = 22,
    /// Finds messages and people; 16.1.
    Find = 23,
}

impl Command {
    /// All commands, in the order of their codes (MS-ASHTTP 2.2.1.1.1.1.2).
    pub const ALL: [Self; 24] = [
        Self::Sync,
        Self::SendMail,
        Self::SmartForward,
        Self::SmartReply,
        Self::GetAttachment,
        Self::GetHierarchy,
        Self::CreateCollection,
        Self::DeleteCollection,
        Self::MoveCollection,
        Self::FolderSync,
        Self::FolderCreate,
        Self::FolderDelete,
        Self::FolderUpdate,
        Self::MoveItems,
        Self::GetItemEstimate,
        Self::MeetingResponse,
        Self::Search,
        Self::Settings,
        Self::Ping,
        Self::ItemOperations,
        Self::Provision,
        Self::ResolveRecipients,
        Self::ValidateCert,
        Self::Find,
    ];

    /// The octet of the base64 query.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether by it a client may tell what device it is (MS-ASCMD 2.2.3.45). It brings no mail then.
    #[must_use]
    pub const fn may_tell_device(self) -> bool {
        matches!(self, Self::Settings | Self::Provision)
    }

    /// The command with this code; everything above 23 is none.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.code() == code)
    }

    /// The name in a plain query.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sync => "Sync",
            Self::SendMail => "SendMail",
            Self::SmartForward => "SmartForward",
            Self::SmartReply => "SmartReply",
            Self::GetAttachment => "GetAttachment",
            Self::GetHierarchy => "GetHierarchy",
            Self::CreateCollection => "CreateCollection",
            Self::DeleteCollection => "DeleteCollection",
            Self::MoveCollection => "MoveCollection",
            Self::FolderSync => "FolderSync",
            Self::FolderCreate => "FolderCreate",
            Self::FolderDelete => "FolderDelete",
            Self::FolderUpdate => "FolderUpdate",
            Self::MoveItems => "MoveItems",
            Self::GetItemEstimate => "GetItemEstimate",
            Self::MeetingResponse => "MeetingResponse",
            Self::Search => "Search",
            Self::Settings => "Settings",
            Self::Ping => "Ping",
            Self::ItemOperations => "ItemOperations",
            Self::Provision => "Provision",
            Self::ResolveRecipients => "ResolveRecipients",
            Self::ValidateCert => "ValidateCert",
            Self::Find => "Find",
        }
    }

    /// The command with this name, in any case: a server that compares without case would run it,
    /// and the canonical query spells it once and for all.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|command| command.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_find_their_command() {
        for command in Command::ALL {
            assert_eq!(Command::from_code(command.code()), Some(command));
            let shouted = command.name().to_uppercase();
            assert_eq!(Command::from_name(&shouted), Some(command), "row {command}");
        }
        assert!(Command::ALL.is_sorted_by_key(|command| command.code()));
    }

    #[test]
    fn unassigned_codes_are_no_command() {
        for code in 24..=255 {
            assert_eq!(Command::from_code(code), None, "row {code}");
        }
        for name in ["", "Autodiscover", "Sync ", "Wipe"] {
            assert_eq!(Command::from_name(name), None, "row {name}");
        }
    }
}
