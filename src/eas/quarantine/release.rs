//! What a device is answered that was let in and still speaks of the made-up mailbox: that its
//! folders have changed, or that a folder is to be begun anew, so that it asks for the real ones. None
//! of our keys and ids goes upstream, where it might be taken for another one.

use crate::eas::Command;
use crate::eas::Form;
use crate::eas::Request;
use crate::eas::Version;
use crate::eas::body;
use crate::eas::body::Collection;
use crate::eas::error::BadBody;
use crate::eas::status::elements;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Tag;
use crate::wbxml::Writer;
use crate::wbxml::item::meeting_response;
use crate::wbxml::service::compose_mail;
use crate::wbxml::service::item_operations;
use crate::wbxml::service::search;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::folder_hierarchy;
use crate::wbxml::sync::get_item_estimate;
use crate::wbxml::sync::r#move;

use super::MARK;
use super::NOTHING;
use super::is_ours;
use super::sync::sync_status;
use super::wait;

/// What a command of a device speaks of that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken<'a> {
    /// The made-up mailbox: a status of HTTP and a body are the answer.
    OfOurs(u16, Vec<u8>),
    /// Its folders, as the mail server knows them; anew, if it holds none of them any more.
    OfFolders {
        /// Of no folder it has anything.
        anew: bool,
    },
    /// These real folders, in a Sync or Ping that leaves nothing out.
    OfReal(Vec<&'a str>),
    /// Anything else; it goes upstream.
    OfOthers,
}

/// Which mailbox a command speaks of. `was_here` says that the last Sync or Ping of the device that
/// left nothing out was answered here, so that the mail server would repeat an older one. A body that
/// cannot be read is the mail server's to refuse.
#[must_use]
pub fn spoken(command: Command, version: Version, octets: &[u8], was_here: bool) -> Spoken<'_> {
    read(command, version, octets, was_here).unwrap_or(Spoken::OfOthers)
}

/// The same of a body that is too long to be read: as far as its beginning says.
#[must_use]
pub fn spoken_in_part(command: Command, version: Version, octets: &[u8]) -> Spoken<'_> {
    if command == Command::Sync {
        let sync = body::sync_begun(octets);
        let ours = of_collections(version, &sync.collections);
        return ours.map_or(Spoken::OfOthers, of_ours);
    }
    if !names_ours(octets) {
        return Spoken::OfOthers;
    }
    no_such_item(command, version)
}

/// What a device is told whose query names something of the made-up mailbox, whether it ever had one.
#[must_use]
pub fn named(request: &Request) -> Option<(u16, Vec<u8>)> {
    let is_ours = |value: &[u8]| value.starts_with(MARK.as_bytes());
    let any = match &request.form {
        Form::Plain { extra } => extra.iter().any(|(_, value)| is_ours(value.as_bytes())),
        Form::Base64 { parameters, .. } => parameters.iter().any(|(_, value)| is_ours(value)),
    };
    if !any {
        return None;
    }
    match no_such_item(request.command, request.version) {
        Spoken::OfOurs(status, body) => Some((status, body)),
        Spoken::OfFolders { .. } | Spoken::OfReal(_) | Spoken::OfOthers => None,
    }
}

fn read(
    command: Command,
    version: Version,
    octets: &[u8],
    was_here: bool,
) -> Result<Spoken<'_>, BadBody> {
    let ours = match command {
        Command::FolderSync => {
            let key = body::folder_sync(octets)?;
            if !is_ours(key) {
                return Ok(Spoken::OfFolders {
                    anew: key == NOTHING,
                });
            }
            // 9: the key is not valid, begin anew (2.2.3.177.5).
            Some(with_status(command, "9"))
        }
        Command::Sync => {
            // 13: it is to send all of it (2.2.3.177.17).
            let whole = || was_here.then(|| sync_status("13"));
            if octets.is_empty() {
                return Ok(whole().map_or(Spoken::OfOthers, of_ours));
            }
            let sync = body::sync(octets)?;
            match of_collections(version, &sync.collections) {
                Some(body) => Some(body),
                None if sync.partial => whole(),
                None => {
                    let ids = sync.collections.iter().map(|one| one.id).collect();
                    return Ok(Spoken::OfReal(ids));
                }
            }
        }
        Command::Ping => {
            let ping = if octets.is_empty() {
                body::Ping::default()
            } else {
                body::ping(octets)?
            };
            if ping.folders.iter().any(|id| is_ours(id)) {
                Some(wait::told("7", None, &[]))
            } else if ping.heartbeat.is_none() || ping.folders.is_empty() {
                // 3: parameters are missing.
                was_here.then(|| wait::told("3", None, &[]))
            } else {
                return Ok(Spoken::OfReal(ping.folders));
            }
        }
        Command::GetItemEstimate => of_estimate(&body::estimate(octets)?),
        Command::ItemOperations => of_items(&body::operations(octets)?),
        Command::MoveItems => of_moves(&body::moves(octets)?),
        Command::MeetingResponse => of_meetings(&body::meetings(octets)?),
        // 9: the key is not valid, ask for the folders anew (2.2.3.177.3, .4, .6).
        Command::FolderCreate | Command::FolderDelete | Command::FolderUpdate => {
            names_ours(octets).then(|| with_status(command, "9"))
        }
        // 3: ask for the folders first (2.2.3.177.2).
        Command::Find => names_ours(octets).then(|| with_status(command, "3")),
        Command::Search => names_ours(octets).then(of_search),
        Command::SmartForward | Command::SmartReply => {
            if names_ours(octets) {
                return Ok(no_such_item(command, version));
            }
            None
        }
        Command::SendMail
        | Command::GetAttachment
        | Command::GetHierarchy
        | Command::CreateCollection
        | Command::DeleteCollection
        | Command::MoveCollection
        | Command::Settings
        | Command::Provision
        | Command::ResolveRecipients
        | Command::ValidateCert => None,
    };
    Ok(ours.map_or(Spoken::OfOthers, of_ours))
}

const fn of_ours<'a>(body: Vec<u8>) -> Spoken<'a> {
    Spoken::OfOurs(200, body)
}

/// Whether an id or a key in a body is ours, as far as the body can be read.
fn names_ours(octets: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(octets) else {
        return false;
    };
    let mut within = None;
    while let Ok(Some(event)) = reader.next_event() {
        match event {
            Event::Start(tag) => within = Some(tag),
            Event::Text(text) => {
                if is_ours(text) && within.is_some_and(|tag| IDS.contains(&tag)) {
                    return true;
                }
            }
            Event::Empty(_) | Event::Opaque(_) | Event::End(_) => within = None,
        }
    }
    false
}

/// Elements that hold ids or keys of what the server made. What a user writes may look like one.
const IDS: [Tag; 12] = [
    air_sync::SYNC_KEY,
    air_sync::COLLECTION_ID,
    air_sync::SERVER_ID,
    folder_hierarchy::SYNC_KEY,
    folder_hierarchy::SERVER_ID,
    folder_hierarchy::PARENT_ID,
    compose_mail::FOLDER_ID,
    compose_mail::ITEM_ID,
    meeting_response::COLLECTION_ID,
    meeting_response::REQUEST_ID,
    item_operations::DST_FLD_ID,
    get_item_estimate::COLLECTION_ID,
];

/// An answer that is a status and nothing else.
fn with_status(command: Command, status: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    if let Some((root, tag)) = elements(command) {
        writer.element(root, |writer| writer.leaf(tag, status));
    }
    writer.finish()
}

/// 150 from version 14.0 on, and HTTP 500 below (2.2.2): what is answered or forwarded is not there.
fn no_such_item<'a>(command: Command, version: Version) -> Spoken<'a> {
    if version >= Version::V14_0 && elements(command).is_some() {
        return of_ours(with_status(command, "150"));
    }
    Spoken::OfOurs(500, Vec::new())
}

/// A Sync: 12, the folders have changed, if one of them is made up; 3 for each real one of which the
/// client has a key of ours, so that it begins with that one anew. What it sends up for others is to
/// be sent again; those without are left out, as those without news are.
fn of_collections(version: Version, collections: &[Collection<'_>]) -> Option<Vec<u8>> {
    if collections.iter().any(|one| is_ours(one.id)) {
        return Some(sync_status("12"));
    }
    if !collections.iter().any(|one| is_ours(one.key)) {
        return None;
    }
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            for one in collections {
                let (key, status) = if is_ours(one.key) {
                    (NOTHING, "3")
                } else if one.changes > 0 {
                    (one.key, "16")
                } else {
                    continue;
                };
                writer.element(air_sync::COLLECTION, |writer| {
                    if let (Some(class), Version::V12_0) = (one.class, version) {
                        writer.leaf(air_sync::CLASS, class);
                    }
                    writer.leaf(air_sync::SYNC_KEY, key);
                    writer.leaf(air_sync::COLLECTION_ID, one.id);
                    writer.leaf(air_sync::STATUS, status);
                });
            }
        });
    });
    Some(writer.finish())
}

/// 2: the folder is not valid; 4: its key is not (2.2.3.177.7). The client asks again for the others.
fn of_estimate(collections: &[Collection<'_>]) -> Option<Vec<u8>> {
    let ours = |one: &&Collection<'_>| is_ours(one.id) || is_ours(one.key);
    collections.iter().find(ours)?;
    let mut writer = Writer::new();
    writer.element(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
        for one in collections.iter().filter(ours) {
            let status = if is_ours(one.id) { "2" } else { "4" };
            writer.element(get_item_estimate::RESPONSE, |writer| {
                writer.leaf(get_item_estimate::STATUS, status);
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    writer.leaf(get_item_estimate::COLLECTION_ID, one.id);
                });
            });
        }
    });
    Some(writer.finish())
}

/// 6: there is no such item or folder; 3: the others are to be tried again (2.2.3.177.8).
fn of_items(operations: &body::Operations<'_>) -> Option<Vec<u8>> {
    let any_fetch = |fetch: &body::Fetch<'_>| is_ours(fetch.item) || is_ours(fetch.collection);
    if operations.moves.iter().any(|folder| is_ours(folder)) {
        return Some(with_status(Command::ItemOperations, "6"));
    }
    let any = operations.fetches.iter().any(any_fetch)
        || operations.empties.iter().any(|folder| is_ours(folder));
    if !any {
        return None;
    }
    let status = |ours: bool| if ours { "6" } else { "3" };
    let mut writer = Writer::new();
    writer.element(item_operations::ITEM_OPERATIONS, |writer| {
        writer.leaf(item_operations::STATUS, "1");
        writer.element(item_operations::RESPONSE, |writer| {
            for folder in &operations.empties {
                writer.element(item_operations::EMPTY_FOLDER_CONTENTS, |writer| {
                    writer.leaf(item_operations::STATUS, status(is_ours(folder)));
                    writer.leaf(air_sync::COLLECTION_ID, folder);
                });
            }
            for fetch in &operations.fetches {
                writer.element(item_operations::FETCH, |writer| {
                    writer.leaf(item_operations::STATUS, status(any_fetch(fetch)));
                    writer.leaf(air_sync::COLLECTION_ID, fetch.collection);
                    writer.leaf(air_sync::SERVER_ID, fetch.item);
                });
            }
        });
    });
    Some(writer.finish())
}

/// 1: there is no such item; 2: no such folder to move it to; 7: it is locked, to be tried again
/// (2.2.3.177.10).
fn of_moves(moves: &[body::Move<'_>]) -> Option<Vec<u8>> {
    let status = |one: &body::Move<'_>| {
        if is_ours(one.item) || is_ours(one.from) {
            "1"
        } else if is_ours(one.to) {
            "2"
        } else {
            "7"
        }
    };
    moves.iter().find(|one| status(one) != "7")?;
    let mut writer = Writer::new();
    writer.element(r#move::MOVE_ITEMS, |writer| {
        for one in moves {
            writer.element(r#move::RESPONSE, |writer| {
                writer.leaf(r#move::SRC_MSG_ID, one.item);
                writer.leaf(r#move::STATUS, status(one));
            });
        }
    });
    Some(writer.finish())
}

/// 2: there is no such request; 4: to be tried again (2.2.3.177.9).
fn of_meetings(meetings: &[body::Meeting<'_>]) -> Option<Vec<u8>> {
    let ours = |one: &body::Meeting<'_>| is_ours(one.folder) || is_ours(one.request);
    meetings.iter().find(|one| ours(one))?;
    let mut writer = Writer::new();
    writer.element(meeting_response::MEETING_RESPONSE, |writer| {
        for one in meetings {
            writer.element(meeting_response::RESULT, |writer| {
                writer.leaf(meeting_response::REQUEST_ID, one.request);
                let status = if ours(one) { "2" } else { "4" };
                writer.leaf(meeting_response::STATUS, status);
            });
        }
    });
    Some(writer.finish())
}

/// 11: ask for the folders first (2.2.3.177.13).
fn of_search() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(search::SEARCH, |writer| {
        writer.leaf(search::STATUS, "1");
        writer.element(search::RESPONSE, |writer| {
            writer.element(search::STORE, |writer| writer.leaf(search::STATUS, "11"));
        });
    });
    writer.finish()
}
