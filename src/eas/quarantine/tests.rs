use super::*;
use crate::model::Timestamp;
use crate::wbxml::Event;
use crate::wbxml::Reader;
use crate::wbxml::Tag;
use crate::wbxml::item::air_sync_base;
use crate::wbxml::item::meeting_response;
use crate::wbxml::service::compose_mail;
use crate::wbxml::service::find;
use crate::wbxml::service::item_operations;
use crate::wbxml::service::provision;
use crate::wbxml::service::search;
use crate::wbxml::service::settings;
use crate::wbxml::sync::air_sync;
use crate::wbxml::sync::get_item_estimate;
use crate::wbxml::sync::r#move;
use crate::wbxml::sync::ping;

mod bodies;
mod released;
mod syncs;
mod waits;

fn message() -> Message {
    Message {
        revision: 3,
        from: "Mail access <access@example.org>".to_owned(),
        to: "alice@example.org".to_owned(),
        subject: "Your phone is held back".to_owned(),
        text: "Switch encryption on.".to_owned(),
        html: "<p>Switch encryption on.</p>".to_owned(),
        sent: Timestamp::parse_rfc3339("2026-01-31T12:00:00Z").unwrap(),
    }
}

/// A document as text: elements by name, braces around content.
fn shown(octets: &[u8]) -> String {
    if octets.is_empty() {
        return String::new();
    }
    let mut reader = Reader::new(octets).unwrap();
    let mut shown = String::new();
    while let Some(event) = reader.next_event().unwrap() {
        match event {
            Event::Start(tag) => shown.push_str(&format!("{}(", tag.name())),
            Event::Empty(tag) => shown.push_str(&format!("{} ", tag.name())),
            Event::Text(text) => shown.push_str(text),
            Event::Opaque(_) => shown.push_str("..."),
            Event::End(_) => shown.push(')'),
        }
    }
    shown
}

/// The answer to a client that was given the message, as far as is remembered.
fn answered(command: Command, version: Version, octets: &[u8]) -> Answer {
    ask(command, version, octets, false).0
}

fn ask(command: Command, version: Version, octets: &[u8], is_news: bool) -> (Answer, Given<'_>) {
    let inbox = Inbox {
        message: &message(),
        is_news,
        multipart: false,
    };
    answer(command, version, octets, inbox)
}

fn given(command: Command, octets: &[u8]) -> Given<'_> {
    ask(command, Version::V14_1, octets, false).1
}

/// The body of an answer of status 200.
fn told(command: Command, octets: &[u8]) -> String {
    let answer = answered(command, Version::V14_1, octets);
    let Answer::Reply(200, body) = &answer else {
        panic!("{command}: {answer:?}");
    };
    shown(body)
}

fn written(root: Tag, content: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.element(root, content);
    writer.finish()
}

fn folder_sync(key: &str) -> Vec<u8> {
    written(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::SYNC_KEY, key);
    })
}

/// What a client says of a folder.
#[derive(Clone, Copy)]
struct Folder<'a> {
    id: &'a str,
    key: &'a str,
    adds: bool,
    fetches: Option<&'a str>,
    body_type: Option<&'a str>,
    touches: &'a [&'a str],
    no_news: bool,
}

const FOLDER: Folder<'static> = Folder {
    id: "portreeve.2",
    key: "0",
    adds: false,
    fetches: None,
    body_type: None,
    touches: &[],
    no_news: false,
};

fn sync_of(folders: &[Folder<'_>], wait: Option<(Tag, &str)>) -> Vec<u8> {
    written(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            for folder in folders {
                writer.element(air_sync::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, folder.key);
                    writer.leaf(air_sync::COLLECTION_ID, folder.id);
                    if folder.no_news {
                        writer.leaf(air_sync::GET_CHANGES, "0");
                    } else {
                        writer.empty(air_sync::GET_CHANGES);
                    }
                    if let Some(kind) = folder.body_type {
                        writer.element(air_sync::OPTIONS, |writer| {
                            writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                                writer.leaf(air_sync_base::TYPE, kind);
                            });
                        });
                    }
                    if folder.adds || folder.fetches.is_some() || !folder.touches.is_empty() {
                        writer.element(air_sync::COMMANDS, |writer| {
                            for item in folder.touches {
                                writer.element(air_sync::CHANGE, |writer| {
                                    writer.leaf(air_sync::SERVER_ID, item);
                                    writer.empty(air_sync::APPLICATION_DATA);
                                });
                            }
                            if folder.adds {
                                writer.element(air_sync::ADD, |writer| {
                                    writer.leaf(air_sync::CLIENT_ID, "1");
                                });
                            }
                            if let Some(item) = folder.fetches {
                                writer.element(air_sync::FETCH, |writer| {
                                    writer.leaf(air_sync::SERVER_ID, item);
                                });
                            }
                        });
                    }
                });
            }
        });
        if let Some((tag, value)) = wait {
            writer.leaf(tag, value);
        }
    })
}

fn ping_of(heartbeat: &str, folder: &str) -> Vec<u8> {
    written(ping::PING, |writer| {
        writer.leaf(ping::HEARTBEAT_INTERVAL, heartbeat);
        writer.element(ping::FOLDERS, |writer| {
            writer.element(ping::FOLDER, |writer| {
                writer.leaf(ping::ID, folder);
                writer.leaf(ping::CLASS, "Email");
            });
        });
    })
}

#[test]
fn a_new_partnership_gets_folders_of_its_own_and_never_more_r32() {
    let first = told(Command::FolderSync, &folder_sync("0"));
    assert!(
        first.starts_with(
            "FolderSync(Status(1)SyncKey(portreeve.folders)Changes(Count(8)\
             Add(ServerId(portreeve.2)ParentId(0)DisplayName(Inbox)Type(2))"
        ),
        "{first}"
    );
    assert_eq!(
        told(Command::FolderSync, &folder_sync("portreeve.folders")),
        "FolderSync(Status(1)SyncKey(portreeve.folders)Changes(Count(0)))"
    );
    // A device that knows its real folders keeps them.
    assert_eq!(
        told(Command::FolderSync, &folder_sync("{real}7")),
        "FolderSync(Status(1)SyncKey({real}7)Changes(Count(0)))"
    );
}

#[test]
fn what_an_answer_leaves_a_client_with_is_told() {
    let sync = |id, key| {
        let folder = Folder { id, key, ..FOLDER };
        sync_of(&[folder], None)
    };
    for (command, octets, folders, keys, inbox) in [
        (Command::FolderSync, folder_sync("0"), true, 0, Some(None)),
        (
            Command::FolderSync,
            folder_sync("portreeve.folders"),
            true,
            0,
            None,
        ),
        (Command::FolderSync, folder_sync("{real}1"), false, 0, None),
        (Command::Sync, sync("portreeve.2", "0"), true, 0, Some(None)),
        (
            Command::Sync,
            sync("portreeve.2", "portreeve.empty"),
            true,
            0,
            Some(Some(3)),
        ),
        (Command::Sync, sync("portreeve.8", "0"), true, 0, None),
        (Command::Sync, sync("6", "0"), false, 1, None),
        (Command::Sync, sync("6", "portreeve.empty"), false, 1, None),
        (Command::Sync, sync("5", "{real}9"), false, 0, None),
        (Command::Ping, ping_of("60", "portreeve.2"), true, 0, None),
        (Command::Ping, ping_of("60", "5"), false, 0, None),
    ] {
        let given = given(command, &octets);
        let row = format!("{command} {given:?}");
        assert_eq!((given.folders, given.inbox), (folders, inbox), "row {row}");
        assert_eq!(given.keys, vec!["6"; keys], "row {row}");
        assert_eq!(given.whole, command != Command::FolderSync, "row {row}");
    }
    assert_eq!(given(Command::Sync, b""), Given::default());
    assert_eq!(given(Command::Ping, b""), Given::default());
}

#[test]
fn estimates_count_the_message_alone() {
    let estimate = |id: &str, key: &str| {
        written(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
            writer.element(get_item_estimate::COLLECTIONS, |writer| {
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, key);
                    writer.leaf(get_item_estimate::COLLECTION_ID, id);
                });
            });
        })
    };
    for (id, key, expected) in [
        ("portreeve.2", "portreeve.empty", "Estimate(1)"),
        ("portreeve.2", "portreeve.message.3", "Estimate(0)"),
        ("portreeve.2", "portreeve.message.2", "Estimate(2)"),
        ("portreeve.8", "portreeve.empty", "Estimate(0)"),
        ("5", "{real}1", "Estimate(0)"),
    ] {
        let told = told(Command::GetItemEstimate, &estimate(id, key));
        assert!(told.contains(expected), "row {id} {key}: {told}");
    }
}

#[test]
fn the_message_can_be_fetched_and_nothing_else() {
    let fetch = |item: &str, empties: bool| {
        written(item_operations::ITEM_OPERATIONS, |writer| {
            writer.element(item_operations::FETCH, |writer| {
                writer.leaf(item_operations::STORE, "Mailbox");
                writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
                writer.leaf(air_sync::SERVER_ID, item);
            });
            if empties {
                writer.element(item_operations::EMPTY_FOLDER_CONTENTS, |writer| {
                    writer.leaf(air_sync::COLLECTION_ID, "5");
                });
            }
        })
    };
    let ours = told(Command::ItemOperations, &fetch("portreeve.2:3", false));
    assert!(ours.contains("Properties(To(alice@example.org)"), "{ours}");
    for (item, empties) in [("5:17", false), ("portreeve.2:3", true), ("", false)] {
        assert_eq!(
            told(Command::ItemOperations, &fetch(item, empties)),
            "ItemOperations(Status(130))",
            "row {item} {empties}"
        );
    }
}

#[test]
fn each_command_is_refused_in_its_own_shape_at_each_version() {
    for (command, expected) in [
        (Command::SendMail, "SendMail(Status(120))"),
        (Command::SmartForward, "SmartForward(Status(120))"),
        (Command::SmartReply, "SmartReply(Status(120))"),
        (Command::FolderCreate, "FolderCreate(Status(130))"),
        (Command::FolderDelete, "FolderDelete(Status(130))"),
        (Command::FolderUpdate, "FolderUpdate(Status(130))"),
        (Command::MoveItems, "MoveItems(Status(130))"),
        (Command::MeetingResponse, "MeetingResponse(Status(130))"),
        (Command::Search, "Search(Status(130))"),
        (Command::ResolveRecipients, "ResolveRecipients(Status(130))"),
        (Command::ValidateCert, "ValidateCert(Status(130))"),
        (Command::Find, "Find(Status(130))"),
    ] {
        assert_eq!(told(command, b"whatever"), expected);
        for version in [Version::V12_0, Version::V12_1] {
            let answer = answered(command, version, b"whatever");
            assert_eq!(answer, Answer::Reply(403, Vec::new()), "row {command}");
        }
        assert!(!needs_body(command), "row {command}");
    }
    for version in Version::ALL {
        let attachment = answered(Command::GetAttachment, version, b"");
        assert_eq!(attachment, Answer::Reply(403, Vec::new()), "row {version}");
    }
}

#[test]
fn only_what_tells_nothing_of_the_mailbox_goes_upstream() {
    let about_it = written(settings::SETTINGS, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.element(settings::SET, |writer| writer.leaf(settings::MODEL, "X"));
        });
    });
    let out_of_office = written(settings::SETTINGS, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.empty(settings::SET);
        });
        writer.element(settings::OOF, |writer| writer.empty(settings::GET));
    });
    let forwarded =
        |command, octets: &[u8]| answered(command, Version::V14_1, octets) == Answer::Forward;
    assert!(forwarded(Command::Settings, &about_it));
    assert!(!forwarded(Command::Settings, &out_of_office));
    // A server may answer what is asked in the wrong place.
    let asks = written(settings::SETTINGS, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.empty(settings::GET);
        });
    });
    assert!(!forwarded(Command::Settings, &asks));
    let asks_inside = written(settings::SETTINGS, |writer| {
        writer.element(settings::DEVICE_INFORMATION, |writer| {
            writer.element(settings::SET, |writer| {
                writer.element(settings::USER_INFORMATION, |writer| {
                    writer.empty(settings::GET);
                });
            });
        });
    });
    assert!(!forwarded(Command::Settings, &asks_inside));
    let policy = written(provision::PROVISION, |writer| {
        writer.empty(provision::POLICIES);
    });
    assert!(forwarded(Command::Provision, &policy));
    for command in Command::ALL {
        let may = matches!(command, Command::Provision | Command::Settings);
        for octets in [&about_it, &policy, &folder_sync("0")] {
            assert!(may || !forwarded(command, octets), "row {command}");
        }
    }
}

#[test]
fn a_body_that_is_none_is_refused_with_its_status() {
    let search = written(search::SEARCH, |writer| writer.empty(search::STORE));
    let mail = written(compose_mail::SEND_MAIL, |writer| {
        writer.empty(compose_mail::MIME);
    });
    let twice = written(folder_hierarchy::FOLDER_SYNC, |writer| {
        writer.leaf(folder_hierarchy::SYNC_KEY, "0");
        writer.leaf(folder_hierarchy::SYNC_KEY, "{real}1");
    });
    let waits = written(air_sync::SYNC, |writer| {
        writer.leaf(air_sync::WAIT, "1");
        writer.leaf(air_sync::WAIT, "1");
    });
    let many = sync_of(&vec![FOLDER; body::MAX_FOLDERS + 1], None);
    for (command, octets, expected) in [
        (
            Command::FolderSync,
            &b"no wbxml"[..],
            "FolderSync(Status(102))",
        ),
        (Command::FolderSync, b"", "FolderSync(Status(102))"),
        (Command::FolderSync, &search, "FolderSync(Status(103))"),
        (Command::FolderSync, &twice, "FolderSync(Status(103))"),
        (Command::Sync, &mail, "Sync(Status(103))"),
        (Command::Sync, &waits, "Sync(Status(103))"),
        (Command::Sync, &many, "Sync(Status(103))"),
        (Command::Ping, &ping_of("soon", "5"), "Ping(Status(103))"),
        (Command::Settings, b"\x03", "Settings(Status(102))"),
    ] {
        assert_eq!(told(command, octets), expected);
        let older = answered(command, Version::V12_1, octets);
        assert_eq!(older, Answer::Reply(400, Vec::new()), "row {command}");
    }
}

/// It was told 103, that the body is malformed.
#[test]
fn a_sync_that_waits_in_minutes_and_in_seconds_is_a_protocol_error() {
    let minutes = (air_sync::WAIT, "1");
    let seconds = (air_sync::HEARTBEAT_INTERVAL, "60");
    for waits in [[minutes, seconds], [seconds, minutes]] {
        let both = written(air_sync::SYNC, |writer| {
            for (tag, value) in waits {
                writer.leaf(tag, value);
            }
        });
        assert_eq!(
            told(Command::Sync, &both),
            "Sync(Status(4))",
            "row {waits:?}"
        );
        let older = answered(Command::Sync, Version::V12_1, &both);
        assert!(
            matches!(&older, Answer::Reply(200, body) if shown(body) == "Sync(Status(4))"),
            "row {waits:?}: {older:?}"
        );
        assert_eq!(given(Command::Sync, &both), Given::default());
    }
}
