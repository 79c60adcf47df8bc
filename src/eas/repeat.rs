//! Which commands the mail server may be told a second time when it has closed a connection without a
//! word: those that change nothing, however often they are carried out (RFC 9110 section 9.2.2).
//!
//! They are POSTs, of which HTTP knows nothing; what they do stands in MS-ASCMD. A Sync with the same key
//! brings the same changes again (2.2.1.21); one that sends something up is not repeated, although the
//! key would tell, because from 16.0 on that may be a message. Whatever sends, makes, moves or
//! deletes is not, nor Provision, whose steps count.

use crate::eas::Command;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Tag;
use crate::wbxml::service::item_operations;
use crate::wbxml::service::settings;
use crate::wbxml::sync::air_sync;

/// Whether a command with this body, which must be whole, does no more if it is carried out twice. A
/// body that cannot be read may do anything.
#[must_use]
pub fn may_be_repeated(command: Command, body: &[u8]) -> bool {
    match command {
        Command::FolderSync
        | Command::GetItemEstimate
        | Command::Ping
        | Command::Search
        | Command::Find
        | Command::ResolveRecipients
        | Command::ValidateCert
        | Command::GetAttachment
        | Command::GetHierarchy => true,
        // Without a body it is the one before, once more (MS-ASCMD 2.2.1.21).
        Command::Sync => {
            let uploads = |tag, _: &str| tag == air_sync::COMMANDS;
            body.is_empty() || has_none(body, air_sync::SYNC, uploads)
        }
        Command::Settings => {
            let changes = |tag, _: &str| tag == settings::SET;
            has_none(body, settings::SETTINGS, changes)
        }
        Command::ItemOperations => {
            let changes = |tag, _: &str| {
                tag == item_operations::EMPTY_FOLDER_CONTENTS || tag == item_operations::MOVE
            };
            has_none(body, item_operations::ITEM_OPERATIONS, changes)
        }
        Command::SendMail
        | Command::SmartForward
        | Command::SmartReply
        | Command::CreateCollection
        | Command::DeleteCollection
        | Command::MoveCollection
        | Command::FolderCreate
        | Command::FolderDelete
        | Command::FolderUpdate
        | Command::MoveItems
        | Command::MeetingResponse
        | Command::Provision => false,
    }
}

/// Whether a Sync with this body, which must be whole, only waits for news: it sends nothing up, and
/// begins no folder. One without a body goes on as the one before.
#[must_use]
pub fn only_waits(body: &[u8]) -> bool {
    let wants_more = |tag, text: &str| {
        tag == air_sync::COMMANDS
            || tag == air_sync::FETCH
            || tag == air_sync::SYNC_KEY && text == "0"
    };
    let waits = |tag, _: &str| tag == air_sync::WAIT || tag == air_sync::HEARTBEAT_INTERVAL;
    body.is_empty()
        || has_none(body, air_sync::SYNC, wants_more) && !has_none(body, air_sync::SYNC, waits)
}

/// Whether a document of this root can be read to its end and has none of these elements; it is asked of
/// each when it begins, without text, and again with its text.
fn has_none(body: &[u8], root: Tag, unwanted: impl Fn(Tag, &str) -> bool) -> bool {
    let Ok(mut reader) = Reader::new(body) else {
        return false;
    };
    let mut last = None;
    loop {
        match reader.next_event() {
            Ok(Some(Event::Start(tag) | Event::Empty(tag))) => {
                if unwanted(tag, "") || last.is_none() && tag != root {
                    return false;
                }
                last = Some(tag);
            }
            Ok(Some(Event::Text(text))) if last.is_some_and(|tag| unwanted(tag, text)) => {
                return false;
            }
            Ok(Some(Event::Text(_) | Event::Opaque(_) | Event::End(_))) => {}
            Ok(None) => return last.is_some(),
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wbxml::Writer;

    fn sync(more: impl FnOnce(&mut Writer)) -> Vec<u8> {
        sync_at("7", more)
    }

    fn sync_at(key: &str, more: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.element(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, key);
                more(writer);
            });
        });
        writer.finish()
    }

    fn of(root: Tag, inner: Tag) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.element(root, |writer| writer.leaf(inner, "1"));
        writer.finish()
    }

    #[test]
    fn a_sync_that_may_send_something_up_is_no_mere_wait() {
        let waits = |tag| sync(|writer| writer.leaf(tag, "60"));
        let waits_with = |tag| {
            sync(|writer| {
                writer.empty(tag);
                writer.leaf(air_sync::WAIT, "60");
            })
        };
        let waits_at = |key| sync_at(key, |writer| writer.leaf(air_sync::WAIT, "60"));
        let whole = waits(air_sync::WAIT);
        for (body, expected) in [
            (&b""[..], true),
            (&whole, true),
            (&waits(air_sync::HEARTBEAT_INTERVAL), true),
            (&waits_with(air_sync::GET_CHANGES), true),
            (&waits_with(air_sync::FETCH), false),
            (&waits_with(air_sync::COMMANDS), false),
            (&sync(|_| {}), false),
            (&waits_at("10"), true),
            (&waits_at("0"), false),
            (&whole[..whole.len() - 1], false),
            (b"\x1f\x8b\x08", false),
        ] {
            assert_eq!(only_waits(body), expected, "row {body:x?}");
        }
    }

    #[test]
    fn what_changes_something_is_never_repeated() {
        let reads = sync(|_| {});
        let sends = sync(|writer| {
            writer.element(air_sync::COMMANDS, |writer| {
                writer.leaf(air_sync::DELETE, "5");
            });
        });
        let empty = sync(|writer| writer.empty(air_sync::COMMANDS));
        let cut = &reads[..reads.len() - 1];
        let other = of(settings::SETTINGS, settings::GET);
        let operations = item_operations::ITEM_OPERATIONS;
        for (command, body, expected) in [
            (Command::Sync, &reads[..], true),
            (Command::Sync, b"", true),
            (Command::Sync, &sends, false),
            (Command::Sync, &empty, false),
            (Command::Sync, cut, false),
            (Command::Sync, &other, false),
            (Command::Sync, b"\x1f\x8b\x08", false),
            (Command::Settings, &other, true),
            (
                Command::Settings,
                &of(settings::SETTINGS, settings::SET),
                false,
            ),
            (Command::Settings, b"", false),
            (
                Command::ItemOperations,
                &of(operations, item_operations::FETCH),
                true,
            ),
            (
                Command::ItemOperations,
                &of(operations, item_operations::EMPTY_FOLDER_CONTENTS),
                false,
            ),
            (
                Command::ItemOperations,
                &of(operations, item_operations::MOVE),
                false,
            ),
            (Command::Ping, b"", true),
            (Command::FolderSync, &reads, true),
        ] {
            assert_eq!(
                may_be_repeated(command, body),
                expected,
                "{command} {body:?}"
            );
        }
        for command in [
            Command::SendMail,
            Command::SmartForward,
            Command::SmartReply,
            Command::FolderCreate,
            Command::FolderDelete,
            Command::FolderUpdate,
            Command::MoveItems,
            Command::MeetingResponse,
            Command::Provision,
        ] {
            for body in [&reads[..], &other, b""] {
                assert!(!may_be_repeated(command, body), "{command}");
            }
        }
    }
}
