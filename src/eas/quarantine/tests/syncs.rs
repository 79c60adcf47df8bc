//! The Inbox with its message, key by key, and folders of the real mailbox beside it.

use super::*;

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
