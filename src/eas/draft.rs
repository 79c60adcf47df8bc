//! A Sync that sends a draft: from version 16.0 on a client may have a message sent by an `Add` or
//! `Change` of its folder of drafts, with `Send` in it and without a SendMail (MS-ASEMAIL 2.2.2.69).
//!
//! Where such a message may not be sent, the whole Sync is answered here and nothing of it goes on. A
//! folder for which the client sends anything up is told to come again later (status 16, MS-ASCMD
//! 2.2.3.177.17), the folder with the draft and any other alike: so the draft stays a draft, no other
//! change is taken for done, and no client can read it as success. Other folders have no changes, for
//! now. Of the statuses of single items none would do: a client that goes by the status of the folder
//! would believe that the message has left.

use super::body;
use super::body::Collection;
use super::command::Command;
use super::error::BadBody;
use super::status::Status;
use super::version::Version;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Writer;
use crate::wbxml::item::email2;
use crate::wbxml::sync::air_sync;

/// Whether a client of this version can send a draft by Sync. Below there is no such element, and the
/// server goes by the version that the gateway writes.
#[must_use]
pub fn is_sent_by_sync(version: Version) -> bool {
    version >= Version::V16_0
}

/// Whether the body of a Sync has a message sent, wherever in it that is said: servers look for it
/// beside the data of an item and in it.
///
/// # Errors
///
/// [`BadBody`].
pub fn sends(octets: &[u8]) -> Result<bool, BadBody> {
    // It repeats the last one's folders, and none of what that sent up (MS-ASCMD 2.2.1.21.1).
    if octets.is_empty() {
        return Ok(false);
    }
    let mut reader = Reader::new(octets)?;
    let mut found = false;
    while let Some(event) = reader.next_event()? {
        found |= matches!(
            event,
            Event::Start(email2::SEND) | Event::Empty(email2::SEND)
        );
    }
    Ok(found)
}

/// The answer to a Sync that may not send its message, with status 200; without `octets` its body was
/// longer than is read. `None` where the version has no answer that says it.
#[must_use]
pub fn keep(version: Version, octets: Option<&[u8]>) -> Option<Vec<u8>> {
    let refuse = |status: Status| status.body(Command::Sync, version);
    let Some(octets) = octets else {
        return refuse(Status::ServerErrorRetryLater);
    };
    let sync = body::sync(octets).ok();
    let sends_up = |sync: &body::Sync<'_>| sync.collections.iter().any(|one| one.changes > 0);
    // A message outside of every command is in no place that a folder's status would speak of.
    let Some(sync) = sync.filter(sends_up) else {
        return refuse(Status::InvalidXml);
    };
    let mut writer = Writer::new();
    writer.element(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            for collection in &sync.collections {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, collection.key);
                    writer.leaf(air_sync::COLLECTION_ID, collection.id);
                    writer.leaf(air_sync::STATUS, status(collection));
                });
            }
        });
    });
    Some(writer.finish())
}

/// 1 is no changes; a folder of which the client has nothing yet cannot be told so, because that
/// would need a key.
fn status(collection: &Collection<'_>) -> &'static str {
    let asks = collection.changes > 0 || !collection.fetches.is_empty();
    if asks || collection.key == "0" {
        "16"
    } else {
        "1"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sync(content: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.element(air_sync::SYNC, |writer| {
            writer.element(air_sync::COLLECTIONS, content);
        });
        writer.finish()
    }

    fn folder(writer: &mut Writer, key: &str, id: &str, commands: impl FnOnce(&mut Writer)) {
        writer.element(air_sync::COLLECTION, |writer| {
            writer.leaf(air_sync::SYNC_KEY, key);
            writer.leaf(air_sync::COLLECTION_ID, id);
            commands(writer);
        });
    }

    fn change(writer: &mut Writer, content: impl FnOnce(&mut Writer)) {
        writer.element(air_sync::COMMANDS, |writer| {
            writer.element(air_sync::CHANGE, content);
        });
    }

    #[test]
    fn a_message_is_sent_beside_the_data_of_an_item_or_in_it_ms_asemail_2_2_2_69() {
        let beside = sync(|writer| {
            folder(writer, "k", "3", |writer| {
                change(writer, |writer| writer.empty(email2::SEND));
            });
        });
        let inside = sync(|writer| {
            folder(writer, "k", "3", |writer| {
                change(writer, |writer| {
                    writer.element(air_sync::APPLICATION_DATA, |writer| {
                        writer.leaf(email2::SEND, "");
                    });
                });
            });
        });
        let saved = sync(|writer| {
            folder(writer, "k", "3", |writer| {
                change(writer, |writer| writer.leaf(email2::BCC, "Send"));
            });
        });
        assert_eq!(sends(&beside), Ok(true));
        assert_eq!(sends(&inside), Ok(true));
        assert_eq!(sends(&saved), Ok(false));
        assert_eq!(sends(b""), Ok(false));
        assert!(sends(&beside[..beside.len() - 2]).is_err());
    }

    #[test]
    fn nothing_that_is_sent_up_beside_it_is_taken_for_done() {
        let body = sync(|writer| {
            folder(writer, "d7", "3", |writer| {
                change(writer, |writer| writer.empty(email2::SEND));
            });
            folder(writer, "c7", "8", |writer| {
                change(writer, |writer| writer.leaf(air_sync::SERVER_ID, "8:1"));
            });
            folder(writer, "i7", "2", |_| {});
            folder(writer, "0", "9", |_| {});
        });
        let answer = keep(Version::V16_1, Some(&body)).unwrap();
        let mut reader = Reader::new(&answer).unwrap();
        let mut texts = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            if let Event::Text(text) = event {
                texts.push(text.to_owned());
            }
        }
        let expected = "d7 3 16 c7 8 16 i7 2 1 0 9 16";
        assert_eq!(texts.join(" "), expected);
    }

    #[test]
    fn what_cannot_be_read_is_refused_as_a_whole() {
        let astray = sync(|writer| {
            folder(writer, "k", "3", |writer| writer.empty(email2::SEND));
        });
        for (body, said) in [
            (None, "111"),
            (Some(&b"\x03\x01"[..]), "103"),
            (Some(&astray), "103"),
        ] {
            let answer = keep(Version::V16_0, body).unwrap();
            let text = String::from_utf8_lossy(&answer).into_owned();
            assert!(text.contains(said), "{text}");
        }
    }
}
