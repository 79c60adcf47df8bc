//! Whether an answer of the mail server is a success: it refuses with status 200 of HTTP and a status in
//! the body, be it for the whole command (MS-ASCMD 2.2.2, from version 14.0 on) or for an item of it.

use crate::eas::Command;
use crate::eas::Version;
use crate::eas::status::elements;
use crate::wbxml::Event;
use crate::wbxml::Malformed;
use crate::wbxml::Reader;

/// So many octets of an answer tell whether it is a success. Before the status of the first item stand
/// two texts at most that are not short: of Sync the key and the id of a collection, 64 octets each.
pub const TELLING: usize = 256;

/// Whether a status 200 of HTTP says by itself that the command has succeeded: nothing else could.
#[must_use]
pub fn is_told_by_http(command: Command, version: Version) -> bool {
    version < Version::V14_0 && elements(command).is_none()
}

/// Whether the body of an answer of 200, which begins with `octets` and may go on after
/// [`TELLING`] of them, is one of a command that has succeeded.
///
/// What it says of the whole command must be success, and so must what it says of the first item, a
/// collection or a policy for example. Whether further items have failed is not asked, nor are they
/// looked at when the first has: that one teaches nothing does no harm, because the next command
/// tells as well. One that says much before any status refuses nothing. An empty body is the
/// success of those that send, and of a Sync without news (2.2.1.21.2). What cannot be read is none.
#[must_use]
pub fn is_success(command: Command, octets: &[u8]) -> bool {
    octets.is_empty() || says_success(command, octets).unwrap_or(false)
}

/// Whether the body of an answer of 200 refuses the whole command, so that nothing of the mailbox comes with
/// it. What cannot be read, and what refuses an item, may well bring others.
#[must_use]
pub fn is_refusal(command: Command, octets: &[u8]) -> bool {
    let Some((root, status)) = elements(command) else {
        return false;
    };
    let Ok(mut reader) = Reader::new(octets) else {
        return false;
    };
    let mut next = || reader.next_event().ok().flatten();
    if next() != Some(Event::Start(root)) || next() != Some(Event::Start(status)) {
        return false;
    }
    matches!(next(), Some(Event::Text(number)) if !is_success_of_whole(command, number))
}

/// Whether a status of the whole command is success. Of Ping 2 is that there is news.
fn is_success_of_whole(command: Command, number: &str) -> bool {
    number == "1" || command == Command::Ping && number == "2"
}

fn says_success(command: Command, octets: &[u8]) -> Option<bool> {
    let (root, status) = elements(command)?;
    let mut reader = Reader::new(octets).ok()?;
    if reader.next_event().ok()?? != Event::Start(root) {
        return Some(false);
    }
    loop {
        match reader.next_event() {
            Ok(Some(Event::Start(tag))) if tag == status => {
                let is_of_item = reader.depth() > DEPTH_OF_WHOLE;
                let Event::Text(number) = reader.next_event().ok()?? else {
                    return Some(false);
                };
                let is_success = if is_of_item {
                    number == success_of_item(command)
                } else {
                    is_success_of_whole(command, number)
                };
                if is_of_item || !is_success {
                    return Some(is_success);
                }
            }
            Ok(Some(Event::Empty(tag))) if tag == status => return Some(false),
            Ok(Some(Event::Text(_) | Event::Opaque(_))) if reader.depth() < DEPTH_OF_WHOLE => {
                return Some(false);
            }
            Ok(Some(
                Event::Start(_)
                | Event::Empty(_)
                | Event::Text(_)
                | Event::Opaque(_)
                | Event::End(_),
            )) => {}
            Ok(None) => return Some(true),
            Err(error) => return Some(error == Malformed::CutOff && octets.len() >= TELLING),
        }
    }
}

/// The number that says of an item that it was done.
const fn success_of_item(command: Command) -> &'static str {
    // 1 is an item that is not there (MS-ASCMD 2.2.3.177.10).
    if matches!(command, Command::MoveItems) {
        "3"
    } else {
        "1"
    }
}

/// How deep the status of the whole command stands.
const DEPTH_OF_WHOLE: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eas::Status;
    use crate::wbxml::Tag;
    use crate::wbxml::Writer;
    use crate::wbxml::item::air_sync_base;
    use crate::wbxml::item::meeting_response;
    use crate::wbxml::service::item_operations;
    use crate::wbxml::service::provision;
    use crate::wbxml::service::search;
    use crate::wbxml::service::settings;
    use crate::wbxml::sync::air_sync;
    use crate::wbxml::sync::get_item_estimate;
    use crate::wbxml::sync::r#move;

    fn with_status(command: Command, number: &str) -> Vec<u8> {
        let (root, status) = elements(command).unwrap();
        let mut writer = Writer::new();
        writer.element(root, |writer| writer.leaf(status, number));
        writer.finish()
    }

    #[test]
    fn every_refusal_of_ms_ascmd_2_2_2_is_none_of_a_success() {
        for command in Command::ALL {
            let Some((root, _)) = elements(command) else {
                continue;
            };
            for status in Status::ALL {
                let body = status.body(command, Version::V16_1).unwrap();
                assert!(!is_success(command, &body), "row {command} {status:?}");
            }
            assert!(is_success(command, &with_status(command, "1")));
            assert!(is_success(command, b""), "row {command}");
            let other = if command == Command::Ping {
                Command::Sync
            } else {
                Command::Ping
            };
            assert!(!is_success(command, &with_status(other, "1")));
            let mut writer = Writer::new();
            let item = air_sync_base::BODY;
            writer.element(root, |writer| {
                writer.element(item, |writer| writer.leaf(item, &"x".repeat(2 * TELLING)));
            });
            let long = writer.finish();
            let beginning = &long[..TELLING];
            assert!(is_success(command, beginning), "row {command}");
        }
        assert!(is_success(Command::Ping, &with_status(Command::Ping, "2")));
        assert!(!is_success(Command::Sync, &with_status(Command::Sync, "2")));
    }

    /// An answer with statuses in these elements, each a list from the outside in.
    fn answer(command: Command, texts: &[(&[Tag], Tag, &str)]) -> Vec<u8> {
        fn nest(writer: &mut Writer, path: &[Tag], leaf: Tag, text: &str) {
            match path {
                [] => writer.leaf(leaf, text),
                [outer, inner @ ..] => {
                    writer.element(*outer, |writer| nest(writer, inner, leaf, text));
                }
            }
        }
        let (root, _) = elements(command).unwrap();
        let mut writer = Writer::new();
        writer.element(root, |writer| {
            for (path, leaf, text) in texts {
                nest(writer, path, *leaf, text);
            }
        });
        writer.finish()
    }

    #[test]
    fn only_a_status_of_the_whole_command_says_that_nothing_comes_with_it() {
        let refused = with_status(Command::Sync, "3");
        let of_item = answer(
            Command::Sync,
            &[(
                &[air_sync::COLLECTIONS, air_sync::COLLECTION],
                air_sync::STATUS,
                "3",
            )],
        );
        for (command, body, expected) in [
            (Command::Sync, &refused[..], true),
            (Command::Sync, &with_status(Command::Sync, "1"), false),
            (Command::Ping, &with_status(Command::Ping, "2"), false),
            (Command::Sync, &of_item, false),
            (Command::FolderSync, &refused, false),
            (Command::GetAttachment, b"mail", false),
            (Command::Sync, b"\x1f\x8b\x08", false),
            (Command::Sync, b"", false),
        ] {
            assert_eq!(is_refusal(command, body), expected, "row {command}");
        }
    }

    #[test]
    fn a_refusal_of_the_first_item_is_none_of_a_success_r36() {
        type Row<'a> = (
            Command,
            &'a [(&'a [Tag], Tag)],
            &'a [Tag],
            &'a str,
            &'a [&'a str],
        );
        let (collections, collection) = (air_sync::COLLECTIONS, air_sync::COLLECTION);
        let policy = [provision::POLICIES, provision::POLICY];
        let rows: &[Row<'_>] = &[
            (
                Command::Sync,
                &[],
                &[collections, collection],
                "1",
                &["3", "8", "12", "16"],
            ),
            (
                Command::MoveItems,
                &[],
                &[r#move::RESPONSE],
                "3",
                &["1", "2", "4", "5", "7"],
            ),
            (
                Command::GetItemEstimate,
                &[],
                &[get_item_estimate::RESPONSE],
                "1",
                &["2", "3", "4"],
            ),
            (
                Command::MeetingResponse,
                &[],
                &[meeting_response::RESULT],
                "1",
                &["2", "3", "4"],
            ),
            (
                Command::ItemOperations,
                &[(&[], item_operations::STATUS)],
                &[item_operations::RESPONSE, item_operations::FETCH],
                "1",
                &["2", "6", "14"],
            ),
            (
                Command::Search,
                &[(&[], search::STATUS)],
                &[search::RESPONSE, search::STORE],
                "1",
                &["2", "5", "14"],
            ),
            (
                Command::Provision,
                &[
                    (&[settings::DEVICE_INFORMATION], settings::STATUS),
                    (&[], provision::STATUS),
                ],
                &policy,
                "1",
                &["2", "3", "4", "5"],
            ),
        ];
        for (command, before, item, success, refusals) in rows {
            let (_, status) = elements(*command).unwrap();
            let with = |number: &str| {
                let mut all: Vec<(&[Tag], Tag, &str)> = Vec::new();
                all.extend(before.iter().map(|(path, leaf)| (*path, *leaf, "1")));
                all.push((item, status, number));
                answer(*command, &all)
            };
            assert!(is_success(*command, &with(success)), "row {command}");
            for number in *refusals {
                assert!(
                    !is_success(*command, &with(number)),
                    "row {command} {number}"
                );
            }
            assert!(!is_success(*command, &with("")), "row {command}");
            // The first of several is the one that counts.
            let whole = |numbers: [&str; 2]| {
                let all = numbers.map(|number| (*item, status, number));
                answer(*command, &all)
            };
            let refusal = refusals.first().unwrap();
            assert!(
                is_success(*command, &whole([success, refusal])),
                "row {command}"
            );
            assert!(
                !is_success(*command, &whole([refusal, success])),
                "row {command}"
            );
        }
    }

    /// The longest texts that may stand before it.
    #[test]
    fn the_status_of_a_collection_is_among_the_octets_that_are_looked_at() {
        let long = "x".repeat(64);
        let sync = |number: &str| {
            let mut writer = Writer::new();
            writer.element(air_sync::SYNC, |writer| {
                writer.element(air_sync::COLLECTIONS, |writer| {
                    writer.element(air_sync::COLLECTION, |writer| {
                        writer.leaf(air_sync::CLASS, "Contacts");
                        writer.leaf(air_sync::SYNC_KEY, &long);
                        writer.leaf(air_sync::COLLECTION_ID, &long);
                        writer.leaf(air_sync::STATUS, number);
                        writer.leaf(air_sync::SERVER_ID, &"y".repeat(TELLING));
                    });
                });
            });
            writer.finish()
        };
        assert!(is_success(Command::Sync, &sync("1")[..TELLING]));
        assert!(!is_success(Command::Sync, &sync("3")[..TELLING]));
    }

    #[test]
    fn what_cannot_be_read_is_no_success() {
        let whole = with_status(Command::FolderSync, "1");
        for length in 1..whole.len() {
            assert!(
                !is_success(Command::FolderSync, &whole[..length]),
                "row {length}"
            );
        }
        for body in [&b"hello"[..], b"\x1f\x8b\x08", b"\x03\x01\x6a\x00\x05"] {
            assert!(!is_success(Command::Sync, body), "row {body:?}");
        }
        assert!(!is_success(Command::GetAttachment, b"octets"));
    }
}
