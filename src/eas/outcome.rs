//! Whether an answer of the mail server is a success: from version 14.0 on it refuses with status 200
//! of HTTP and a status in the body (MS-ASCMD 2.2.2).

use crate::eas::Command;
use crate::eas::Version;
use crate::eas::status::elements;
use crate::wbxml::Event;
use crate::wbxml::Reader;

/// So many octets of an answer tell whether it is a success; the status is among the first thirty.
pub const TELLING: usize = 64;

/// Whether a status 200 of HTTP says by itself that the command has succeeded.
#[must_use]
pub fn is_told_by_http(version: Version) -> bool {
    version < Version::V14_0
}

/// Whether the body of an answer of 200, which begins with `octets` and may go on after
/// [`TELLING`] of them, is one of a command that has succeeded.
///
/// An answer that carries a status for the whole command must carry one of success: 1, of Ping also
/// 2, that there is news. One without has an answer for each item, which a refusal has not. An empty
/// body is the success of those that send, and of a Sync without news (2.2.1.21.2). What cannot be
/// read is none.
#[must_use]
pub fn is_success(command: Command, octets: &[u8]) -> bool {
    octets.is_empty() || says_success(command, octets).unwrap_or(false)
}

fn says_success(command: Command, octets: &[u8]) -> Option<bool> {
    let (root, status) = elements(command)?;
    let mut reader = Reader::new(octets).ok()?;
    let first = reader.next_event().ok()??;
    if first != Event::Start(root) {
        return Some(false);
    }
    match reader.next_event().ok()?? {
        Event::Start(tag) if tag == status => match reader.next_event().ok()?? {
            Event::Text(number) => Some(number == "1" || command == Command::Ping && number == "2"),
            Event::Start(_) | Event::Empty(_) | Event::Opaque(_) | Event::End(_) => Some(false),
        },
        Event::Empty(tag) => Some(tag != status),
        Event::Start(_) | Event::End(_) => Some(true),
        Event::Text(_) | Event::Opaque(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eas::Status;
    use crate::wbxml::Writer;
    use crate::wbxml::item::air_sync_base;

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
                writer.element(item, |writer| writer.leaf(item, &"x".repeat(100)));
            });
            let long = writer.finish();
            let beginning = &long[..TELLING];
            assert!(is_success(command, beginning), "row {command}");
        }
        assert!(is_success(Command::Ping, &with_status(Command::Ping, "2")));
        assert!(!is_success(Command::Sync, &with_status(Command::Sync, "2")));
    }

    #[test]
    fn what_cannot_be_read_is_no_success() {
        let whole = with_status(Command::FolderSync, "1");
        for length in 1..whole.len() - 2 {
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
