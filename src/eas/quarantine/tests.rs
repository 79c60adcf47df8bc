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

fn held(command: Command, octets: &[u8]) -> (u32, String, String) {
    let answer = answered(command, Version::V14_1, octets);
    let Answer::Hold(hold) = &answer else {
        panic!("{command}: {answer:?}");
    };
    (hold.seconds, shown(&hold.expired), shown(&hold.released))
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
fn the_message_comes_with_the_second_sync_and_once() {
    let first = told(Command::Sync, &sync_of(&[FOLDER], None));
    assert_eq!(
        first,
        "Sync(Collections(Collection(SyncKey(portreeve.empty)CollectionId(portreeve.2)Status(1))))"
    );
    let second = Folder {
        key: "portreeve.empty",
        ..FOLDER
    };
    let second = told(Command::Sync, &sync_of(&[second], None));
    assert!(
        second.starts_with(
            "Sync(Collections(Collection(SyncKey(portreeve.message.3)CollectionId(portreeve.2)Status(1)\
             Commands(Add(ServerId(portreeve.2:3)ApplicationData(To(alice@example.org)"
        ),
        "{second}"
    );
    assert!(second.contains("DateReceived(2026-01-31T12:00:00.000Z)"));
    assert!(second.contains("Body(Type(1)EstimatedDataSize(21)Data(Switch encryption on.))"));
    let third = Folder {
        key: "portreeve.message.3",
        ..FOLDER
    };
    assert_eq!(told(Command::Sync, &sync_of(&[third], None)), "");
    // Another text is another message.
    let earlier = Folder {
        key: "portreeve.message.2",
        ..FOLDER
    };
    let again = told(Command::Sync, &sync_of(&[earlier], None));
    assert!(
        again.contains(
            "SyncKey(portreeve.message.3)CollectionId(portreeve.2)Status(1)\
             Commands(Delete(ServerId(portreeve.2:2))Add(ServerId(portreeve.2:3)"
        ),
        "{again}"
    );
    // A key that no message has deletes none.
    for key in [
        "portreeve.message.",
        "portreeve.message.+2",
        "portreeve.what",
    ] {
        let forged = Folder { key, ..FOLDER };
        let told = told(Command::Sync, &sync_of(&[forged], None));
        assert!(told.contains("Commands(Add("), "row {key}: {told}");
    }
}

#[test]
fn a_client_that_wants_no_news_gets_none_until_it_does() {
    let not_now = Folder {
        key: "portreeve.empty",
        no_news: true,
        ..FOLDER
    };
    assert_eq!(told(Command::Sync, &sync_of(&[not_now], None)), "");
    let earlier = Folder {
        key: "portreeve.message.2",
        ..not_now
    };
    let sync = sync_of(&[earlier], None);
    assert_eq!(told(Command::Sync, &sync), "");
    assert_eq!(given(Command::Sync, &sync).inbox, Some(Some(2)));
    // A key it gets all the same.
    let first = Folder {
        key: "0",
        ..not_now
    };
    let first = told(Command::Sync, &sync_of(&[first], None));
    assert!(first.contains("SyncKey(portreeve.empty)"), "{first}");
}

#[test]
fn our_own_message_may_be_read_and_deleted_and_nothing_else_is_taken() {
    let read = Folder {
        key: "portreeve.message.3",
        touches: &["portreeve.2:3"],
        ..FOLDER
    };
    assert_eq!(
        told(Command::Sync, &sync_of(&[read], None)),
        "Sync(Collections(Collection(SyncKey(portreeve.message.3)CollectionId(portreeve.2)Status(1))))"
    );
    // What is new comes with it.
    let earlier = Folder {
        key: "portreeve.message.2",
        ..read
    };
    let both = told(Command::Sync, &sync_of(&[earlier], None));
    assert!(both.contains("Commands(Delete("), "{both}");
    for touches in [&["5:17"][..], &["portreeve.2:3", "5:17"]] {
        let mixed = Folder { touches, ..read };
        let sync = sync_of(&[mixed], None);
        assert!(told(Command::Sync, &sync).contains("Status(16)"));
        // A Ping would have it tried again at once.
        assert_eq!(given(Command::Sync, &sync).inbox, Some(Some(3)));
    }
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
fn a_ping_says_at_once_that_the_message_waits() {
    let ask = |folder| {
        let octets = ping_of("900", folder);
        match answer(
            Command::Ping,
            Version::V14_1,
            &octets,
            Inbox {
                message: &message(),
                is_news: true,
                multipart: false,
            },
        ) {
            (Answer::Reply(200, body), _) => shown(&body),
            (other, _) => format!("{other:?}"),
        }
    };
    assert_eq!(
        ask("portreeve.2"),
        "Ping(Status(2)Folders(Folder(portreeve.2)))"
    );
    for other in ["portreeve.8", "5"] {
        assert!(ask(other).starts_with("Hold("), "row {other}");
    }
}

#[test]
fn a_client_that_takes_html_alone_gets_html() {
    for (body_type, expected) in [
        (Some("2"), "Body(Type(2)EstimatedDataSize(28)Data(<p>"),
        (Some("1"), "Body(Type(1)"),
        (None, "Body(Type(1)"),
    ] {
        let folder = Folder {
            key: "portreeve.empty",
            body_type,
            ..FOLDER
        };
        let told = told(Command::Sync, &sync_of(&[folder], None));
        assert!(told.contains(expected), "row {body_type:?}: {told}");
    }
}

#[test]
fn real_keys_are_never_advanced_and_nothing_is_swallowed() {
    let real = Folder {
        id: "5",
        key: "{real}9",
        ..FOLDER
    };
    assert_eq!(told(Command::Sync, &sync_of(&[real], None)), "");
    let sends = Folder {
        id: "5",
        key: "{real}9",
        adds: true,
        ..FOLDER
    };
    assert_eq!(
        told(Command::Sync, &sync_of(&[sends], None)),
        "Sync(Collections(Collection(SyncKey({real}9)CollectionId(5)Status(16))))"
    );
    // Neither is anything that goes to a made-up folder.
    let sends = Folder {
        key: "portreeve.empty",
        adds: true,
        ..FOLDER
    };
    assert_eq!(
        told(Command::Sync, &sync_of(&[sends], None)),
        "Sync(Collections(Collection(SyncKey(portreeve.empty)CollectionId(portreeve.2)Status(16))))"
    );
    // An item of the real mailbox is not there.
    let wants = Folder {
        id: "5",
        key: "{real}9",
        fetches: Some("5:17"),
        ..FOLDER
    };
    assert_eq!(
        told(Command::Sync, &sync_of(&[wants], None)),
        "Sync(Collections(Collection(SyncKey({real}9)CollectionId(5)Status(1))))"
    );
}

#[test]
fn a_sync_waits_and_says_on_release_that_folders_changed_where_they_were_made_up() {
    let ours = || Folder {
        key: "portreeve.message.3",
        ..FOLDER
    };
    let real = || Folder {
        id: "5",
        key: "{real}9",
        ..FOLDER
    };
    let minutes = Some((air_sync::WAIT, "10"));
    let seconds = Some((air_sync::HEARTBEAT_INTERVAL, "3540"));
    assert_eq!(
        held(Command::Sync, &sync_of(&[ours()], minutes)),
        (600, String::new(), "Sync(Status(12))".to_owned())
    );
    assert_eq!(
        held(Command::Sync, &sync_of(&[real()], seconds)),
        (3540, String::new(), String::new())
    );
    // What is new is not waited for.
    let news = told(Command::Sync, &sync_of(&[FOLDER], minutes));
    assert!(news.contains("portreeve.empty"), "{news}");
    for (tag, value, expected) in [
        (air_sync::WAIT, "0", "Sync(Limit(59)Status(14))"),
        (air_sync::WAIT, "60", "Sync(Limit(59)Status(14))"),
        (
            air_sync::HEARTBEAT_INTERVAL,
            "3541",
            "Sync(Limit(3540)Status(14))",
        ),
    ] {
        let told = told(Command::Sync, &sync_of(&[real()], Some((tag, value))));
        assert_eq!(told, expected, "row {tag} {value}");
    }
}

#[test]
fn what_is_to_be_as_last_time_has_to_be_sent_whole() {
    assert_eq!(told(Command::Sync, b""), "Sync(Status(13))");
    let partial = written(air_sync::SYNC, |writer| writer.empty(air_sync::PARTIAL));
    assert_eq!(told(Command::Sync, &partial), "Sync(Status(13))");
    assert_eq!(told(Command::Ping, b""), "Ping(Status(3))");
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
fn a_ping_waits_and_is_released_to_where_the_client_goes_on() {
    assert_eq!(
        held(Command::Ping, &ping_of("900", "portreeve.2")),
        (
            900,
            "Ping(Status(1))".to_owned(),
            "Ping(Status(7))".to_owned()
        )
    );
    assert_eq!(
        held(Command::Ping, &ping_of("60", "5")),
        (
            60,
            "Ping(Status(1))".to_owned(),
            "Ping(Status(2)Folders(Folder(5)))".to_owned()
        )
    );
    assert_eq!(
        told(Command::Ping, &ping_of("9000", "5")),
        "Ping(Status(5)HeartbeatInterval(3540))"
    );
    assert_eq!(
        told(Command::Ping, &ping_of("0", "5")),
        "Ping(Status(5)HeartbeatInterval(1))"
    );
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
    let both = written(air_sync::SYNC, |writer| {
        writer.leaf(air_sync::WAIT, "1");
        writer.leaf(air_sync::HEARTBEAT_INTERVAL, "60");
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
        (Command::Sync, &both, "Sync(Status(103))"),
        (Command::Sync, &many, "Sync(Status(103))"),
        (Command::Ping, &ping_of("soon", "5"), "Ping(Status(103))"),
        (Command::Settings, b"\x03", "Settings(Status(102))"),
    ] {
        assert_eq!(told(command, octets), expected);
        let older = answered(command, Version::V12_1, octets);
        assert_eq!(older, Answer::Reply(400, Vec::new()), "row {command}");
    }
}

#[test]
fn what_was_under_way_ends_as_if_nothing_had_come_or_is_tried_again() {
    use Command::*;
    let sent = "SendMail(Status(111))";
    for (command, version, only_waits, status, expected) in [
        (Ping, Version::V14_1, false, 200, "Ping(Status(1))"),
        (Ping, Version::V12_1, false, 200, "Ping(Status(1))"),
        (Sync, Version::V16_1, true, 200, ""),
        (Sync, Version::V12_1, true, 200, ""),
        (Sync, Version::V16_1, false, 200, "Sync(Status(111))"),
        (Sync, Version::V12_1, false, 503, ""),
        (SendMail, Version::V14_0, false, 200, sent),
        (Search, Version::V12_0, false, 503, ""),
        (GetAttachment, Version::V14_1, false, 503, ""),
    ] {
        let (told, body) = cut(command, version, only_waits);
        let told = (told, shown(&body));
        let row = format!("row {command} {version} {only_waits}");
        assert_eq!(told, (status, expected.to_owned()), "{row}");
    }
}
