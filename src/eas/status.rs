//! Answers that are one number: a status of MS-ASCMD 2.2.2 in the shape of the command.

use crate::eas::Command;
use crate::eas::Version;
use crate::wbxml::Tag;
use crate::wbxml::Writer;
use crate::wbxml::item::meeting_response;
use crate::wbxml::service::compose_mail;
use crate::wbxml::service::find;
use crate::wbxml::service::item_operations;
use crate::wbxml::service::provision;
use crate::wbxml::service::resolve_recipients;
use crate::wbxml::service::search;
use crate::wbxml::service::settings;
use crate::wbxml::service::validate_cert;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::folder_hierarchy;
use crate::wbxml::sync::get_item_estimate;
use crate::wbxml::sync::r#move;
use crate::wbxml::sync::ping;

/// A status that every command may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Status {
    /// The body is no WBXML.
    InvalidWbxml = 102,
    /// The body is not what the command has.
    InvalidXml = 103,
    /// The server cannot now; the client tries again.
    ServerErrorRetryLater = 111,
    /// The message was not sent; the client keeps it.
    MailSubmissionFailed = 120,
    /// The user may use other devices, not this one.
    DeviceIsBlockedForThisUser = 129,
    /// The user may not do that.
    AccessDenied = 130,
}

impl Status {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What versions below 14.0 get in its place (MS-ASCMD 2.2.2).
    #[must_use]
    pub const fn http(self) -> u16 {
        match self {
            Self::InvalidWbxml | Self::InvalidXml => 400,
            Self::ServerErrorRetryLater => 503,
            Self::MailSubmissionFailed | Self::DeviceIsBlockedForThisUser | Self::AccessDenied => {
                403
            }
        }
    }

    /// The body that says it, or `None` where only a status of HTTP can: below version 14.0, and for
    /// GetAttachment, whose answers are no WBXML.
    #[must_use]
    pub fn body(self, command: Command, version: Version) -> Option<Vec<u8>> {
        if version < Version::V14_0 {
            return None;
        }
        let (root, status) = elements(command)?;
        let mut writer = Writer::new();
        writer.element(root, |writer| {
            writer.leaf(status, &self.number().to_string());
        });
        Some(writer.finish())
    }
}

/// The outermost element of a command's answer, and that of its status.
const fn elements(command: Command) -> Option<(Tag, Tag)> {
    Some(match command {
        Command::Sync => (air_sync::SYNC, air_sync::STATUS),
        Command::SendMail => (compose_mail::SEND_MAIL, compose_mail::STATUS),
        Command::SmartForward => (compose_mail::SMART_FORWARD, compose_mail::STATUS),
        Command::SmartReply => (compose_mail::SMART_REPLY, compose_mail::STATUS),
        Command::GetAttachment => return None,
        Command::FolderSync => (folder_hierarchy::FOLDER_SYNC, folder_hierarchy::STATUS),
        Command::FolderCreate => (folder_hierarchy::FOLDER_CREATE, folder_hierarchy::STATUS),
        Command::FolderDelete => (folder_hierarchy::FOLDER_DELETE, folder_hierarchy::STATUS),
        Command::FolderUpdate => (folder_hierarchy::FOLDER_UPDATE, folder_hierarchy::STATUS),
        Command::MoveItems => (r#move::MOVE_ITEMS, r#move::STATUS),
        Command::GetItemEstimate => (
            get_item_estimate::GET_ITEM_ESTIMATE,
            get_item_estimate::STATUS,
        ),
        Command::MeetingResponse => (meeting_response::MEETING_RESPONSE, meeting_response::STATUS),
        Command::Search => (search::SEARCH, search::STATUS),
        Command::Settings => (settings::SETTINGS, settings::STATUS),
        Command::Ping => (ping::PING, ping::STATUS),
        Command::ItemOperations => (item_operations::ITEM_OPERATIONS, item_operations::STATUS),
        Command::Provision => (provision::PROVISION, provision::STATUS),
        Command::ResolveRecipients => (
            resolve_recipients::RESOLVE_RECIPIENTS,
            resolve_recipients::STATUS,
        ),
        Command::ValidateCert => (validate_cert::VALIDATE_CERT, validate_cert::STATUS),
        Command::Find => (find::FIND, find::STATUS),
    })
}
