//! Devices that were let in and still speak of the made-up mailbox.

use super::*;

/// What a device is taken to speak of that was let in.
fn heard(command: Command, octets: &[u8], was_here: bool) -> String {
    shown_spoken(&spoken(command, Version::V14_1, octets, was_here))
}

fn shown_spoken(spoken: &Spoken<'_>) -> String {
    match spoken {
        Spoken::OfOurs(200, body) => shown(body),
        Spoken::OfOurs(status, _) => status.to_string(),
        Spoken::OfFolders { anew: true } => "folders anew".to_owned(),
        Spoken::OfFolders { anew: false } => "folders".to_owned(),
        Spoken::OfReal(folders) => format!("real {}", folders.join(" ")),
        Spoken::OfOthers => "others".to_owned(),
    }
}

#[test]
fn a_device_that_was_let_in_is_sent_to_its_real_folders_r38() {
    let ours = |command, octets: &[u8]| heard(command, octets, false);
    let made_up = Folder {
        key: "portreeve.message.3",
        ..FOLDER
    };
    let real = Folder {
        id: "5",
        key: "{real}9",
        ..FOLDER
    };
    for (command, octets, expected) in [
        (
            Command::FolderSync,
            folder_sync("portreeve.folders"),
            "FolderSync(Status(9))",
        ),
        (Command::FolderSync, folder_sync("0"), "folders anew"),
        (Command::FolderSync, folder_sync("{real}1"), "folders"),
        (Command::Sync, sync_of(&[made_up], None), "Sync(Status(12))"),
        (
            Command::Sync,
            sync_of(&[real, made_up], None),
            "Sync(Status(12))",
        ),
        // A made-up folder that the client begins anew.
        (Command::Sync, sync_of(&[FOLDER], None), "Sync(Status(12))"),
        (Command::Sync, sync_of(&[real, real], None), "real 5 5"),
        (Command::Sync, Vec::new(), "others"),
        (
            Command::Ping,
            ping_of("60", "portreeve.2"),
            "Ping(Status(7))",
        ),
        (Command::Ping, ping_of("60", "5"), "real 5"),
        (Command::Ping, Vec::new(), "others"),
        (Command::SendMail, b"portreeve.".to_vec(), "others"),
    ] {
        assert_eq!(ours(command, &octets), expected, "row {command}");
    }
}

#[test]
fn a_real_folder_with_a_key_of_ours_is_begun_anew_and_what_goes_up_is_kept() {
    let ours = Folder {
        id: "6",
        key: "portreeve.empty",
        ..FOLDER
    };
    let real = Folder {
        id: "5",
        key: "{real}9",
        ..FOLDER
    };
    let again = "Collection(SyncKey(0)CollectionId(6)Status(3))";
    assert_eq!(
        heard(Command::Sync, &sync_of(&[real, ours], None), false),
        format!("Sync(Collections({again}))")
    );
    let sends = Folder { adds: true, ..real };
    let sync = sync_of(&[ours, sends], None);
    let kept = format!(
        "Sync(Collections({again}Collection(SyncKey({{real}}9)CollectionId(5)Status(16))))"
    );
    assert_eq!(heard(Command::Sync, &sync, false), kept);
    // One that is too long to be read is known by its beginning.
    for length in [sync.len() - 8, sync.len() - 3] {
        let spoken = spoken_in_part(Command::Sync, Version::V14_1, &sync[..length]);
        assert_eq!(shown_spoken(&spoken), kept, "row {length}");
    }
    let others = sync_of(&[sends], None);
    let part = spoken_in_part(Command::Sync, Version::V14_1, &others);
    assert_eq!(part, Spoken::OfOthers);
    let estimate = written(get_item_estimate::GET_ITEM_ESTIMATE, |writer| {
        writer.element(get_item_estimate::COLLECTIONS, |writer| {
            for (id, key) in [
                ("5", "{real}9"),
                ("6", "portreeve.empty"),
                ("portreeve.2", "0"),
            ] {
                writer.element(get_item_estimate::COLLECTION, |writer| {
                    writer.leaf(air_sync::SYNC_KEY, key);
                    writer.leaf(get_item_estimate::COLLECTION_ID, id);
                });
            }
        });
    });
    assert_eq!(
        heard(Command::GetItemEstimate, &estimate, false),
        "GetItemEstimate(Response(Status(4)Collection(CollectionId(6)))\
         Response(Status(2)Collection(CollectionId(portreeve.2))))"
    );
}

#[test]
fn what_the_mail_server_would_repeat_has_to_be_sent_whole_to_it_first() {
    let partial = written(air_sync::SYNC, |writer| writer.empty(air_sync::PARTIAL));
    let heartbeat = written(ping::PING, |writer| {
        writer.leaf(ping::HEARTBEAT_INTERVAL, "60");
    });
    for (command, octets, expected) in [
        (Command::Sync, Vec::new(), "Sync(Status(13))"),
        (Command::Sync, partial, "Sync(Status(13))"),
        (Command::Ping, Vec::new(), "Ping(Status(3))"),
        (Command::Ping, heartbeat, "Ping(Status(3))"),
    ] {
        assert_eq!(heard(command, &octets, true), expected);
        assert_eq!(heard(command, &octets, false), "others");
    }
    assert_eq!(heard(Command::Ping, &ping_of("60", "5"), true), "real 5");
}

#[test]
fn no_command_takes_an_id_of_ours_upstream() {
    let of = |root, parent: Tag, leaves: &[(Tag, &str)]| {
        written(root, |writer| {
            writer.element(parent, |writer| {
                for (tag, text) in leaves {
                    writer.leaf(*tag, text);
                }
            });
        })
    };
    let moved = |item, from, to| {
        let leaves = [
            (r#move::SRC_MSG_ID, item),
            (r#move::SRC_FLD_ID, from),
            (r#move::DST_FLD_ID, to),
        ];
        of(r#move::MOVE_ITEMS, r#move::MOVE, &leaves)
    };
    let hierarchy = |root| {
        written(root, |writer| {
            writer.leaf(folder_hierarchy::SYNC_KEY, "portreeve.folders");
        })
    };
    let meeting = [
        (meeting_response::COLLECTION_ID, "portreeve.2"),
        (meeting_response::REQUEST_ID, "portreeve.2:3"),
    ];
    let source = [
        (compose_mail::FOLDER_ID, "portreeve.2"),
        (compose_mail::ITEM_ID, "portreeve.2:3"),
    ];
    let fetch = [
        (air_sync::COLLECTION_ID, "portreeve.2"),
        (air_sync::SERVER_ID, "portreeve.2:3"),
    ];
    let folder = [(air_sync::COLLECTION_ID, "portreeve.2")];
    for (command, octets, expected) in [
        (
            Command::MoveItems,
            moved("portreeve.2:3", "portreeve.2", "6"),
            "MoveItems(Response(SrcMsgId(portreeve.2:3)Status(1)))",
        ),
        (
            Command::MoveItems,
            moved("5:1", "5", "portreeve.4"),
            "MoveItems(Response(SrcMsgId(5:1)Status(2)))",
        ),
        (Command::MoveItems, moved("5:1", "5", "6"), "others"),
        (
            Command::MeetingResponse,
            of(
                meeting_response::MEETING_RESPONSE,
                meeting_response::REQUEST,
                &meeting,
            ),
            "MeetingResponse(Result(RequestId(portreeve.2:3)Status(2)))",
        ),
        (
            Command::SmartReply,
            of(compose_mail::SMART_REPLY, compose_mail::SOURCE, &source),
            "SmartReply(Status(150))",
        ),
        (
            Command::SmartForward,
            of(compose_mail::SMART_FORWARD, compose_mail::SOURCE, &source),
            "SmartForward(Status(150))",
        ),
        (
            Command::ItemOperations,
            of(
                item_operations::ITEM_OPERATIONS,
                item_operations::FETCH,
                &fetch,
            ),
            "ItemOperations(Status(1)Response(Fetch(Status(6)\
             CollectionId(portreeve.2)ServerId(portreeve.2:3))))",
        ),
        (
            Command::ItemOperations,
            of(
                item_operations::ITEM_OPERATIONS,
                item_operations::EMPTY_FOLDER_CONTENTS,
                &folder,
            ),
            "ItemOperations(Status(1)Response(EmptyFolderContents(Status(6)\
             CollectionId(portreeve.2))))",
        ),
        (
            Command::ItemOperations,
            of(
                item_operations::ITEM_OPERATIONS,
                item_operations::MOVE,
                &[(item_operations::DST_FLD_ID, "portreeve.2")],
            ),
            "ItemOperations(Status(6))",
        ),
        (
            Command::FolderCreate,
            hierarchy(folder_hierarchy::FOLDER_CREATE),
            "FolderCreate(Status(9))",
        ),
        (
            Command::FolderUpdate,
            hierarchy(folder_hierarchy::FOLDER_UPDATE),
            "FolderUpdate(Status(9))",
        ),
        (
            Command::FolderDelete,
            hierarchy(folder_hierarchy::FOLDER_DELETE),
            "FolderDelete(Status(9))",
        ),
        (
            Command::Search,
            of(search::SEARCH, search::STORE, &folder),
            "Search(Status(1)Response(Store(Status(11))))",
        ),
        (
            Command::Find,
            of(find::FIND, find::EXECUTE_SEARCH, &folder),
            "Find(Status(3))",
        ),
        // What a user writes may look like one.
        (
            Command::Search,
            of(
                search::SEARCH,
                search::STORE,
                &[(search::QUERY, "portreeve.2")],
            ),
            "others",
        ),
    ] {
        assert_eq!(heard(command, &octets, false), expected);
    }
    let reply = of(compose_mail::SMART_REPLY, compose_mail::SOURCE, &source);
    let begun = spoken_in_part(
        Command::SmartReply,
        Version::V14_1,
        &reply[..reply.len() - 2],
    );
    assert_eq!(shown_spoken(&begun), "SmartReply(Status(150))");
}

#[test]
fn a_query_that_names_an_id_of_ours_is_answered_in_either_form() {
    let stated = |version| crate::eas::Stated {
        version: Some(version),
        ..Default::default()
    };
    let plain = |item: &str, version| {
        let query =
            format!("Cmd=SmartReply&User=a&DeviceId=X1&DeviceType=t&CollectionId=5&ItemId={item}");
        let request = crate::eas::Request::parse(query.as_bytes(), stated(version)).unwrap();
        named(&request)
    };
    let not_found = with_status_150();
    assert_eq!(plain("portreeve.2:3", "12.1"), Some((500, Vec::new())));
    assert_eq!(
        plain("portreeve.2:3", "14.1"),
        Some((200, not_found.clone()))
    );
    assert_eq!(plain("5:3", "12.1"), None);
    let mut octets = vec![141, 3, 9, 4, 2, b'X', b'1', 0, 1, b't', 3, 13];
    octets.extend(b"portreeve.2:3");
    let packed = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, octets);
    let request = crate::eas::Request::parse(packed.as_bytes(), stated("14.1")).unwrap();
    assert_eq!(named(&request), Some((200, not_found)));
}

fn with_status_150() -> Vec<u8> {
    written(compose_mail::SMART_REPLY, |writer| {
        writer.leaf(compose_mail::STATUS, "150");
    })
}
