//! What a device in quarantine is answered: a mailbox of eight folders with one message, in which
//! nothing of the real one can be reached.
//!
//! Nothing is remembered here. What a client holds is in the keys that it sends: `0` is nothing, a
//! key of ours (see [`is_ours`]) says which part of the made-up mailbox it has, and any other key is
//! of the real mailbox. A Ping sends no keys, so its caller has to know which message the client has
//! ([`Inbox::is_news`]); what is to be remembered for that comes with each answer ([`Given`]).
//! Real keys are never advanced and no folder that has one is ever answered with
//! anything but *no changes*, so that the device keeps what it has and goes on from there when it is
//! let in. What the client sends up is refused in such a way that it keeps it.
//!
//! Sources: MS-ASCMD 2.2.1 for the shape of each answer, 2.2.3.177 for the statuses of each command,
//! 2.2.2 for those of all. Commands of version 2.5 are not answered here: its Sync has another
//! shape.

use crate::eas::Command;
use crate::eas::Version;
use crate::eas::body;
use crate::eas::error::BadBody;
use crate::eas::status::Status;
use crate::wbxml::Writer;
use crate::wbxml::sync::folder_hierarchy;

mod fetch;
mod message;
mod mime;
mod release;
mod sync;
mod wait;

pub use message::Message;
pub use release::Spoken;
pub use release::named;
pub use release::spoken;
pub use release::spoken_in_part;

/// What to do with a command of a device in quarantine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Status of HTTP and body; without a body there is no Content-Type.
    Reply(u16, Vec<u8>),
    /// The same with status 200 and a body in several parts (MS-ASCMD 2.2.1.10.1), of the type
    /// `application/vnd.ms-sync.multipart`.
    Parts(Vec<u8>),
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

/// What lies in the Inbox of a client, and what is known of what it has of it.
#[derive(Clone, Copy, Debug)]
pub struct Inbox<'a> {
    /// The message.
    pub message: &'a Message,
    /// The client was not given this message yet, as far as is remembered.
    pub is_news: bool,
    /// It takes the answer to an ItemOperations in several parts.
    pub multipart: bool,
}

/// What an answer leaves a client with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given<'a> {
    /// It has made-up folders.
    pub folders: bool,
    /// Real folders of which it has a key of ours.
    pub keys: Vec<&'a str>,
    /// It has real folders: the command has their key, or names one. No message comes into those.
    pub real: bool,
    /// What it has of the Inbox, if the command says so: a revision of the message, or nothing.
    pub inbox: Option<Option<u32>>,
    /// A Sync or Ping was sent here whole, of which the mail server knows nothing when the client
    /// wants it repeated.
    pub whole: bool,
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

/// The answer to a command, whose body is `octets`, and what it leaves the client with.
#[must_use]
pub fn answer<'a>(
    command: Command,
    version: Version,
    octets: &'a [u8],
    inbox: Inbox<'_>,
) -> (Answer, Given<'a>) {
    let mut given = Given::default();
    let answered = match command {
        Command::Provision => Ok(Answer::Forward),
        Command::FolderSync => folder_sync(octets, &mut given),
        Command::Sync => sync::sync(version, octets, inbox.message, &mut given),
        Command::Ping => wait::ping(octets, inbox, &mut given),
        Command::GetItemEstimate => sync::estimate(version, octets, inbox.message, &mut given),
        Command::ItemOperations => fetch::fetch(version, octets, inbox),
        Command::Settings => device_information(version, octets),
        Command::SendMail | Command::SmartForward | Command::SmartReply => {
            Ok(refuse(command, version, Status::MailSubmissionFailed))
        }
        Command::GetAttachment
        | Command::GetHierarchy
        | Command::CreateCollection
        | Command::DeleteCollection
        | Command::MoveCollection
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
    let answered = answered.unwrap_or_else(|bad| {
        let status = match bad {
            BadBody::Wbxml(_) => Status::InvalidWbxml,
            BadBody::OtherCommand
            | BadBody::Incomplete
            | BadBody::Twice
            | BadBody::TwoWaits
            | BadBody::Value
            | BadBody::TooMany => Status::InvalidXml,
        };
        refuse(command, version, status)
    });
    (answered, given)
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
/// to be tried again. Of a Sync it is to be known that it `only_waits`: what else it may have sent up would
/// be taken for received.
#[must_use]
pub fn cut(command: Command, version: Version, only_waits: bool) -> (u16, Vec<u8>) {
    if command == Command::Ping {
        return (200, wait::told("1", None, &[]));
    }
    if command == Command::Sync && only_waits {
        return (200, Vec::new());
    }
    let status = Status::ServerErrorRetryLater;
    match status.body(command, version) {
        Some(body) => (200, body),
        None => (status.http(), Vec::new()),
    }
}

fn folder_sync(octets: &[u8], given: &mut Given<'_>) -> Result<Answer, BadBody> {
    let key = body::folder_sync(octets)?;
    let is_new = key == NOTHING;
    given.folders = is_new || is_ours(key);
    given.real = !given.folders;
    given.inbox = is_new.then_some(None);
    let mut writer = Writer::new();
    writer.element(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::STATUS, "1");
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

/// Settings: what the device says of itself goes to the server, which wants to know; everything else
/// is of the user.
fn device_information(version: Version, octets: &[u8]) -> Result<Answer, BadBody> {
    if body::is_device_information(octets)? {
        return Ok(Answer::Forward);
    }
    Ok(refuse(Command::Settings, version, Status::AccessDenied))
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
/// Begins that of a folder of which it has a message.
const MESSAGE: &str = "portreeve.message.";

/// Of a client that has the message of this revision.
fn key_of(revision: u32) -> String {
    format!("{MESSAGE}{revision}")
}

/// The revision that a client has by its key; `None` if it has none.
fn revision_in(key: &str) -> Option<u32> {
    let digits = key.strip_prefix(MESSAGE)?;
    let is_number = digits.bytes().all(|octet| octet.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

fn item_id(revision: u32) -> String {
    format!("{}:{revision}", folder_id(INBOX))
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
