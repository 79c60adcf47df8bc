//! What a device is answered that was let in and still speaks of the made-up mailbox: that its
//! folders have changed, so that it asks for the real ones.

use crate::eas::Command;
use crate::eas::body;
use crate::eas::body::Collection;
use crate::eas::error::BadBody;
use crate::wbxml::Writer;
use crate::wbxml::service::item_operations;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::folder_hierarchy;
use crate::wbxml::sync::get_item_estimate;

use super::is_ours;
use super::sync::sync_status;
use super::wait;

/// What a command of a device speaks of that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken {
    /// The made-up mailbox: this body is the answer.
    OfOurs(Vec<u8>),
    /// The real folders, of which it has asked anew: from now on it speaks of them only.
    OfFolders,
    /// Anything else; it goes upstream.
    OfOthers,
}

/// Which mailbox a command speaks of. A body that cannot be read is the mail server's to refuse.
#[must_use]
pub fn spoken(command: Command, octets: &[u8]) -> Spoken {
    read(command, octets).unwrap_or(Spoken::OfOthers)
}

fn read(command: Command, octets: &[u8]) -> Result<Spoken, BadBody> {
    let ours = match command {
        Command::FolderSync => {
            if !is_ours(body::folder_sync(octets)?) {
                return Ok(Spoken::OfFolders);
            }
            // 9: the key is not valid, begin anew (2.2.3.177.5).
            Some(of_hierarchy("9"))
        }
        Command::Sync => {
            let any = body::sync(octets)?.collections.iter().any(is_made_up);
            any.then(|| sync_status("12"))
        }
        Command::Ping => {
            let any = body::ping(octets)?.folders.iter().any(|id| is_ours(id));
            any.then(|| wait::told("7", None, &[]))
        }
        Command::GetItemEstimate => {
            let collections = body::estimate(octets)?;
            let any = collections.iter().any(is_made_up);
            any.then(|| no_such_folders(&collections))
        }
        Command::ItemOperations => {
            let fetches = body::operations(octets)?.fetches;
            let any = fetches.iter().any(|fetch| is_ours(fetch.item));
            any.then(|| no_such_items(&fetches))
        }
        Command::SendMail
        | Command::SmartForward
        | Command::SmartReply
        | Command::GetAttachment
        | Command::FolderCreate
        | Command::FolderDelete
        | Command::FolderUpdate
        | Command::MoveItems
        | Command::MeetingResponse
        | Command::Search
        | Command::Settings
        | Command::Provision
        | Command::ResolveRecipients
        | Command::ValidateCert
        | Command::Find => None,
    };
    Ok(ours.map_or(Spoken::OfOthers, Spoken::OfOurs))
}

fn is_made_up(collection: &Collection<'_>) -> bool {
    is_ours(collection.id) || is_ours(collection.key)
}

fn of_hierarchy(status: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::STATUS, status);
    });
    writer.finish()
}

/// 2: the folder is not valid (2.2.3.177.6).
fn no_such_folders(collections: &[Collection<'_>]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
        for collection in collections {
            writer.element(get_item_estimate::RESPONSE, |writer| {
                writer.leaf(get_item_estimate::STATUS, "2");
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    writer.leaf(get_item_estimate::COLLECTION_ID, collection.id);
                });
            });
        }
    });
    writer.finish()
}

/// 6: there is no such item (2.2.3.177.8).
fn no_such_items(fetches: &[body::Fetch<'_>]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(item_operations::ITEM_OPERATIONS, |writer| {
        writer.leaf(item_operations::STATUS, "1");
        writer.element(item_operations::RESPONSE, |writer| {
            for fetch in fetches {
                writer.element(item_operations::FETCH, |writer| {
                    writer.leaf(item_operations::STATUS, "6");
                    writer.leaf(air_sync::COLLECTION_ID, fetch.collection);
                    writer.leaf(air_sync::SERVER_ID, fetch.item);
                });
            }
        });
    });
    writer.finish()
}
