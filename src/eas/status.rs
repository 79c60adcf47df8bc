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
///
/// 140 (RemoteWipeRequested) is not among them: a client that is told so may erase itself, so there
/// is no way to say it by refusing. 127 and 128 speak of mailboxes that are moved between versions of
/// Exchange, which only Exchange knows.
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
    /// The user may not use ActiveSync.
    UserDisabledForSync = 126,
    /// The user may use other devices, not this one.
    DeviceIsBlockedForThisUser = 129,
    /// The user may not do that.
    AccessDenied = 130,
    /// The account is disabled.
    AccountDisabled = 131,
    /// There is no such command here.
    CommandNotSupported = 137,
    /// The version of the protocol is not spoken here.
    VersionNotSupported = 138,
    /// The client is to ask for its orders with a Provision, and may be told to erase itself. Never
    /// said unless an administrator has ordered it.
    RemoteWipeRequested = 140,
    /// There is a policy, and the client sent no key of one.
    LegacyDeviceOnStrictPolicy = 141,
    /// The client has to send Provision first.
    DeviceNotProvisioned = 142,
    /// The policy is to be fetched anew.
    PolicyRefresh = 143,
    /// The key is that of another policy.
    InvalidPolicyKey = 144,
    /// The user has as many devices as are allowed.
    MaximumDevicesReached = 177,
}

impl Status {
    /// All of them, by number.
    pub const ALL: [Self; 15] = [
        Self::InvalidWbxml,
        Self::InvalidXml,
        Self::ServerErrorRetryLater,
        Self::MailSubmissionFailed,
        Self::UserDisabledForSync,
        Self::DeviceIsBlockedForThisUser,
        Self::AccessDenied,
        Self::AccountDisabled,
        Self::CommandNotSupported,
        Self::VersionNotSupported,
        Self::LegacyDeviceOnStrictPolicy,
        Self::DeviceNotProvisioned,
        Self::PolicyRefresh,
        Self::InvalidPolicyKey,
        Self::MaximumDevicesReached,
    ];

    /// What makes a client send a Provision that may have a policy, by the key that it sent.
    #[must_use]
    pub const fn asks_for_provision(policy_key: Option<u32>) -> Self {
        match policy_key {
            None | Some(0) => Self::DeviceNotProvisioned,
            Some(_) => Self::InvalidPolicyKey,
        }
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// What versions below 14.0 get in its place (MS-ASCMD 2.2.2).
    #[must_use]
    pub const fn http(self) -> u16 {
        match self {
            Self::InvalidWbxml | Self::InvalidXml | Self::VersionNotSupported => 400,
            Self::CommandNotSupported => 501,
            Self::ServerErrorRetryLater => 503,
            Self::MailSubmissionFailed
            | Self::UserDisabledForSync
            | Self::DeviceIsBlockedForThisUser
            | Self::AccessDenied
            | Self::AccountDisabled
            | Self::MaximumDevicesReached => 403,
            Self::RemoteWipeRequested
            | Self::LegacyDeviceOnStrictPolicy
            | Self::DeviceNotProvisioned
            | Self::PolicyRefresh
            | Self::InvalidPolicyKey => 449,
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
pub(super) const fn elements(command: Command) -> Option<(Tag, Tag)> {
    Some(match command {
        Command::Sync => (air_sync::SYNC, air_sync::STATUS),
        Command::SendMail => (compose_mail::SEND_MAIL, compose_mail::STATUS),
        Command::SmartForward => (compose_mail::SMART_FORWARD, compose_mail::STATUS),
        Command::SmartReply => (compose_mail::SMART_REPLY, compose_mail::STATUS),
        // Without a body of WBXML, or from before there were such statuses.
        Command::GetAttachment
        | Command::GetHierarchy
        | Command::CreateCollection
        | Command::DeleteCollection
        | Command::MoveCollection => return None,
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
