//! What a device in quarantine is answered: a mailbox of eight folders with one message, in which
//! nothing of the real one can be reached.
//!
//! Nothing is remembered here. What a client holds is in the keys that it sends: `0` is nothing, a
//! key of ours (see [`is_ours`]) says which part of the made-up mailbox it has, and any other key is
//! of the real mailbox. Real keys are never advanced and no folder that has one is ever answered with
//! anything but *no changes*, so that the device keeps what it has and goes on from there when it is
//! let in. What the client sends up is refused in such a way that it keeps it.
//!
//! Sources: MS-ASCMD 2.2.1 for the shape of each answer, 2.2.3.177 for the statuses of each command,
//! 2.2.2 for those of all. Commands of version 2.5 are not answered here: its Sync has another
//! shape.

use crate::eas::Command;
use crate::eas::Version;
use crate::eas::body;
use crate::eas::body::Collection;
use crate::eas::body::Wait;
use crate::eas::error::BadBody;
use crate::eas::status::Status;
use crate::wbxml::Writer;
use crate::wbxml::service::item_operations;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::folder_hierarchy;
use crate::wbxml::sync::get_item_estimate;
use crate::wbxml::sync::ping;

mod message;
mod release;

pub use message::Message;
pub use release::Spoken;
pub use release::spoken;

/// What to do with a command of a device in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Status of HTTP and body; without a body there is no Content-Type.
    Reply(u16, Vec<u8>),
    /// Let it wait: so many seconds if nothing happens. A change of the verdict ends it at once.
    Hold(Hold),
    /// Send it upstream: it tells the client nothing of the mailbox.
    Forward,
}

/// A command that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// For how long at most, in seconds: 1 to [`LONGEST`].
    pub seconds: u32,
    /// The body when the time is over; an empty one is the answer, too.
    pub expired: Vec<u8>,
    /// The body when the device is let in: the client is to ask for its folders anew where it has
    /// made-up ones, and for what is new where it has not.
    pub released: Vec<u8>,
}

/// The longest wait of any Microsoft product, in seconds (MS-ASCMD appendix A, 7 and 8).
pub const LONGEST: u32 = 3540;

/// The largest body that is read. Nothing a client needs in quarantine is larger; a larger Sync
/// carries items that it wants to send up.
pub const MAX_BODY: usize = 256 * 1024;

/// Whether a key or the id of a folder is one of the made-up mailbox.
#[must_use]
pub fn is_ours(text: &str) -> bool {
    text.starts_with(MARK)
}

/// The answer to a command, whose body is `octets`. `message` is what lies in the Inbox.
#[must_use]
pub fn answer(command: Command, version: Version, octets: &[u8], message: &Message) -> Answer {
    let answered = match command {
        Command::Provision => Ok(Answer::Forward),
        Command::FolderSync => folder_sync(octets),
        Command::Sync => sync(version, octets, message),
        Command::Ping => wait_for_changes(octets),
        Command::GetItemEstimate => estimate(version, octets, message),
        Command::ItemOperations => fetch(version, octets, message),
        Command::Settings => device_information(version, octets),
        Command::SendMail | Command::SmartForward | Command::SmartReply => {
            Ok(refuse(command, version, Status::MailSubmissionFailed))
        }
        Command::GetAttachment
        | Command::FolderCreate
        | Command::FolderDelete
        | Command::FolderUpdate
        | Command::MoveItems
        | Command::MeetingResponse
        | Command::Search
        | Command::ResolveRecipients
        | Command::ValidateCert
        | Command::Find => Ok(refuse(command, version, Status::AccessDenied)),
    };
    answered.unwrap_or_else(|bad| {
        let status = match bad {
            BadBody::Wbxml(_) => Status::InvalidWbxml,
            BadBody::OtherCommand
            | BadBody::Incomplete
            | BadBody::Twice
            | BadBody::Value
            | BadBody::TooMany => Status::InvalidXml,
        };
        refuse(command, version, status)
    })
}

/// Whether a command's body must be read to answer it, or for what the device tells of itself in it.
#[must_use]
pub const fn needs_body(command: Command) -> bool {
    matches!(
        command,
        Command::FolderSync
            | Command::Sync
            | Command::Ping
            | Command::GetItemEstimate
            | Command::ItemOperations
            | Command::Settings
            | Command::Provision
    )
}

/// The answer to a command with a status that each may carry.
pub fn refuse(command: Command, version: Version, status: Status) -> Answer {
    match status.body(command, version) {
        Some(body) => Answer::Reply(200, body),
        None => Answer::Reply(status.http(), Vec::new()),
    }
}

/// The answer to a command that was under way to the mail server when its device came into
/// quarantine: a wait ends as if nothing had come, and the next one is held here; anything else is
/// to be tried again.
#[must_use]
pub fn cut(command: Command, version: Version) -> (u16, Vec<u8>) {
    if command == Command::Ping {
        return (200, ping_answer("1", None, &[]));
    }
    if command == Command::Sync {
        return (200, Vec::new());
    }
    let status = Status::ServerErrorRetryLater;
    match status.body(command, version) {
        Some(body) => (200, body),
        None => (status.http(), Vec::new()),
    }
}

fn folder_sync(octets: &[u8]) -> Result<Answer, BadBody> {
    let key = body::folder_sync(octets)?;
    let mut writer = Writer::new();
    writer.element(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::STATUS, "1");
        let is_new = key == NOTHING;
        let next = if is_new { HIERARCHY } else { key };
        writer.leaf(folder_hierarchy::SYNC_KEY, next);
        writer.element(folder_hierarchy::CHANGES, |writer| {
            let folders = if is_new { &FOLDERS[..] } else { &[] };
            writer.leaf(folder_hierarchy::COUNT, &folders.len().to_string());
            for (name, kind) in folders {
                writer.element(folder_hierarchy::ADD, |writer| {
                    let id = folder_id(kind);
                    writer.leaf(folder_hierarchy::SERVER_ID, &id);
                    writer.leaf(folder_hierarchy::PARENT_ID, "0");
                    writer.leaf(folder_hierarchy::DISPLAY_NAME, name);
                    writer.leaf(folder_hierarchy::TYPE, kind);
                });
            }
        });
    });
    Ok(Answer::Reply(200, writer.finish()))
}

fn sync(version: Version, octets: &[u8], message: &Message) -> Result<Answer, BadBody> {
    if octets.is_empty() {
        // It repeats its last Sync (2.2.1.21.1), which is not remembered: 13 has it send it whole.
        return Ok(Answer::Reply(200, sync_status("13")));
    }
    let sync = body::sync(octets)?;
    if sync.partial {
        return Ok(Answer::Reply(200, sync_status("13")));
    }
    let seconds = match sync.wait {
        None => None,
        Some(Wait::Minutes(minutes @ 1..=59)) => Some(minutes * 60),
        Some(Wait::Seconds(seconds @ 1..=LONGEST)) => Some(seconds),
        Some(Wait::Minutes(_)) => return Ok(Answer::Reply(200, wait_limit("59"))),
        Some(Wait::Seconds(_)) => return Ok(Answer::Reply(200, wait_limit("3540"))),
    };
    let has_news = sync
        .collections
        .iter()
        .any(|collection| next_key(collection, message) != collection.key);
    let sends =
        |collection: &Collection<'_>| collection.changes > 0 || !collection.fetches.is_empty();
    let is_quiet = !has_news && !sync.collections.iter().any(sends);
    match seconds {
        Some(seconds) if is_quiet => {
            let made_up = sync.collections.iter().any(|one| is_ours(one.key));
            // 12: the folders have changed, ask for them (2.2.3.177.17).
            let released = if made_up {
                sync_status("12")
            } else {
                Vec::new()
            };
            Ok(Answer::Hold(Hold {
                seconds,
                expired: Vec::new(),
                released,
            }))
        }
        // Nothing changed in any folder (2.2.1.21.2).
        None if is_quiet => Ok(Answer::Reply(200, Vec::new())),
        Some(_) | None => {
            let mut writer = Writer::new();
            writer.element(air_sync::SYNC, |writer| {
                writer.element(air_sync::COLLECTIONS, |writer| {
                    for collection in &sync.collections {
                        writer.element(air_sync::COLLECTION, |writer| {
                            answer_folder(writer, version, collection, message);
                        });
                    }
                });
            });
            Ok(Answer::Reply(200, writer.finish()))
        }
    }
}

/// One folder's part of the answer to a Sync.
fn answer_folder(
    writer: &mut Writer,
    version: Version,
    collection: &Collection<'_>,
    message: &Message,
) {
    let next = next_key(collection, message);
    if let (Some(class), Version::V12_0) = (collection.class, version) {
        writer.leaf(air_sync::CLASS, class);
    }
    writer.leaf(air_sync::SYNC_KEY, &next);
    writer.leaf(air_sync::COLLECTION_ID, collection.id);
    if collection.changes > 0 {
        // 16: again later (2.2.3.177.17); so the client keeps what it wants to send up.
        writer.leaf(air_sync::STATUS, "16");
        return;
    }
    writer.leaf(air_sync::STATUS, "1");
    let fetched = collection
        .fetches
        .iter()
        .filter(|id| **id == item_id(message));
    if fetched.count() > 0 {
        writer.element(air_sync::RESPONSES, |writer| {
            writer.element(air_sync::FETCH, |writer| {
                writer.leaf(air_sync::SERVER_ID, &item_id(message));
                writer.leaf(air_sync::STATUS, "1");
                writer.element(air_sync::APPLICATION_DATA, |writer| {
                    message.write(writer, &collection.body_types);
                });
            });
        });
    }
    let delivers = next == delivered(message) && collection.key != next;
    if delivers {
        writer.element(air_sync::COMMANDS, |writer| {
            writer.element(air_sync::ADD, |writer| {
                writer.leaf(air_sync::SERVER_ID, &item_id(message));
                writer.element(air_sync::APPLICATION_DATA, |writer| {
                    message.write(writer, &collection.body_types);
                });
            });
        });
    }
}

/// What the client holds of a folder after the answer: first a key and nothing else, then in the
/// Inbox the message (3.1.5.4), then no more. A real key stays what it is.
fn next_key(collection: &Collection<'_>, message: &Message) -> String {
    let is_inbox = collection.id == folder_id(INBOX);
    match collection.key {
        NOTHING => EMPTY.to_owned(),
        key if !is_ours(key) || !is_inbox || collection.changes > 0 => key.to_owned(),
        _ => delivered(message),
    }
}

fn wait_for_changes(octets: &[u8]) -> Result<Answer, BadBody> {
    let ping = if octets.is_empty() {
        body::Ping::default()
    } else {
        body::ping(octets)?
    };
    let (Some(heartbeat), false) = (ping.heartbeat, ping.folders.is_empty()) else {
        // 3: parameters are missing; the last Ping is not remembered (3.1.5.8).
        return Ok(Answer::Reply(200, ping_answer("3", None, &[])));
    };
    if !(1..=LONGEST).contains(&heartbeat) {
        let limit = heartbeat.clamp(1, LONGEST);
        return Ok(Answer::Reply(200, ping_answer("5", Some(limit), &[])));
    }
    let made_up = ping.folders.iter().any(|id| is_ours(id));
    let released = if made_up {
        // 7: the folders have changed.
        ping_answer("7", None, &[])
    } else {
        ping_answer("2", None, &ping.folders)
    };
    Ok(Answer::Hold(Hold {
        seconds: heartbeat,
        expired: ping_answer("1", None, &[]),
        released,
    }))
}

fn estimate(version: Version, octets: &[u8], message: &Message) -> Result<Answer, BadBody> {
    let collections = body::estimate(octets)?;
    let mut writer = Writer::new();
    writer.element(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
        for collection in &collections {
            writer.element(get_item_estimate::RESPONSE, |writer| {
                writer.leaf(get_item_estimate::STATUS, "1");
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    if let (Some(class), Version::V12_0) = (collection.class, version) {
                        writer.leaf(get_item_estimate::CLASS, class);
                    }
                    writer.leaf(get_item_estimate::COLLECTION_ID, collection.id);
                    let waits = next_key(collection, message) != collection.key;
                    let estimate = if waits { "1" } else { "0" };
                    writer.leaf(get_item_estimate::ESTIMATE, estimate);
                });
            });
        }
    });
    Ok(Answer::Reply(200, writer.finish()))
}

/// ItemOperations: a fetch of the message, and nothing else.
fn fetch(version: Version, octets: &[u8], message: &Message) -> Result<Answer, BadBody> {
    let ours = body::fetches(octets)?.filter(|fetches| {
        let is_it = |fetch: &body::Fetch<'_>| fetch.item == item_id(message);
        !fetches.is_empty() && fetches.iter().all(is_it)
    });
    let Some(fetches) = ours else {
        return Ok(refuse(
            Command::ItemOperations,
            version,
            Status::AccessDenied,
        ));
    };
    let mut writer = Writer::new();
    writer.element(item_operations::ITEM_OPERATIONS, |writer| {
        writer.leaf(item_operations::STATUS, "1");
        writer.element(item_operations::RESPONSE, |writer| {
            for fetch in &fetches {
                writer.element(item_operations::FETCH, |writer| {
                    writer.leaf(item_operations::STATUS, "1");
                    writer.leaf(air_sync::COLLECTION_ID, fetch.collection);
                    writer.leaf(air_sync::SERVER_ID, fetch.item);
                    writer.leaf(air_sync::CLASS, "Email");
                    writer.element(item_operations::PROPERTIES, |writer| {
                        message.write(writer, &fetch.body_types);
                    });
                });
            }
        });
    });
    Ok(Answer::Reply(200, writer.finish()))
}

/// Settings: what the device says of itself goes to the server, which wants to know; everything else
/// is of the user.
fn device_information(version: Version, octets: &[u8]) -> Result<Answer, BadBody> {
    if body::is_device_information(octets)? {
        return Ok(Answer::Forward);
    }
    Ok(refuse(Command::Settings, version, Status::AccessDenied))
}

fn sync_status(status: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.leaf(air_sync::STATUS, status)
    });
    writer.finish()
}

/// 14: the wait is out of range; `limit` is the longest, in the unit that was asked in.
fn wait_limit(limit: &str) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.leaf(air_sync::LIMIT, limit);
        writer.leaf(air_sync::STATUS, "14");
    });
    writer.finish()
}

fn ping_answer(status: &str, heartbeat: Option<u32>, folders: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(ping::PING, |writer| {
        writer.leaf(ping::STATUS, status);
        if !folders.is_empty() {
            writer.element(ping::FOLDERS, |writer| {
                for id in folders {
                    writer.leaf(ping::FOLDER, id);
                }
            });
        }
        if let Some(heartbeat) = heartbeat {
            writer.leaf(ping::HEARTBEAT_INTERVAL, &heartbeat.to_string());
        }
    });
    writer.finish()
}

/// Begins every key and every id of the made-up mailbox. Servers' keys are braces around a GUID,
/// digits, or both; none begins so.
const MARK: &str = "portreeve.";

/// The key of a client that holds nothing.
const NOTHING: &str = "0";
/// That of the made-up folders.
const HIERARCHY: &str = "portreeve.folders";
/// That of a folder of which the client has nothing yet.
const EMPTY: &str = "portreeve.empty";

/// Of a client that has the message.
fn delivered(message: &Message) -> String {
    format!("{MARK}message.{}", message.revision)
}

fn item_id(message: &Message) -> String {
    format!("{}:{}", folder_id(INBOX), message.revision)
}

fn folder_id(kind: &str) -> String {
    format!("{MARK}{kind}")
}

/// Folder types (2.2.3.186.3).
const INBOX: &str = "2";

/// Those that every client expects, with their types. Names are for clients that show them; most
/// have names of their own for folders of these types.
const FOLDERS: [(&str, &str); 8] = [
    ("Inbox", INBOX),
    ("Drafts", "3"),
    ("Deleted Items", "4"),
    ("Sent Items", "5"),
    ("Calendar", "8"),
    ("Contacts", "9"),
    ("Tasks", "7"),
    ("Notes", "10"),
];

#[cfg(test)]
mod tests;
