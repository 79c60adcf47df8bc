//! The message in the form that a client asks for.

use super::*;

/// The body of the message as a client gets it that sends these preferences: type, most octets, all or
/// nothing.
fn body_for(preferences: &[(&str, Option<&str>, Option<&str>)]) -> String {
    let sync = written(air_sync::SYNC, |writer| {
        writer.element(air_sync::COLLECTIONS, |writer| {
            writer.element(air_sync::COLLECTION, |writer| {
                writer.leaf(air_sync::SYNC_KEY, "portreeve.empty");
                writer.leaf(air_sync::COLLECTION_ID, "portreeve.2");
                writer.element(air_sync::OPTIONS, |writer| {
                    for (kind, most, all_or_none) in preferences {
                        writer.element(air_sync_base::BODY_PREFERENCE, |writer| {
                            writer.leaf(air_sync_base::TYPE, kind);
                            if let Some(most) = most {
                                writer.leaf(air_sync_base::TRUNCATION_SIZE, most);
                            }
                            if let Some(all_or_none) = all_or_none {
                                writer.leaf(air_sync_base::ALL_OR_NONE, all_or_none);
                            }
                        });
                    }
                });
            });
        });
    });
    let told = told(Command::Sync, &sync);
    let (_, body) = told.split_once("Body(").unwrap();
    let (body, _) = body.split_once(")MessageClass").unwrap();
    body.to_owned()
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
fn a_body_is_cut_or_left_away_where_the_client_wants_that() {
    for (preferences, expected) in [
        (
            &[("1", Some("6"), None)][..],
            "Type(1)EstimatedDataSize(21)Truncated(1)Data(Switch)",
        ),
        (
            &[("1", Some("21"), Some("1"))],
            "Type(1)EstimatedDataSize(21)Data(Switch encryption on.)",
        ),
        (
            &[("1", Some("20"), Some("1"))],
            "Type(1)EstimatedDataSize(21)Truncated(1)",
        ),
        (
            &[("1", Some("20"), Some(""))],
            "Type(1)EstimatedDataSize(21)Truncated(1)",
        ),
        (
            &[("1", Some("20"), Some("0"))],
            "Type(1)EstimatedDataSize(21)Truncated(1)Data(Switch encryption on)",
        ),
        // The first that can be met.
        (
            &[("1", Some("20"), Some("1")), ("1", Some("6"), None)],
            "Type(1)EstimatedDataSize(21)Truncated(1)Data(Switch)",
        ),
        (
            &[("2", Some("3"), None)],
            "Type(2)EstimatedDataSize(28)Truncated(1)Data(<p>)",
        ),
        (
            &[("1", Some("0"), None)],
            "Type(1)EstimatedDataSize(21)Truncated(1)Data",
        ),
    ] {
        let told = body_for(preferences);
        assert_eq!(told.trim_end(), expected, "row {preferences:?}");
    }
}

#[test]
fn a_client_that_takes_nothing_but_mime_gets_the_message_as_it_would_have_travelled() {
    let mime = body_for(&[("4", None, None)]);
    assert!(mime.starts_with("Type(4)EstimatedDataSize("), "{mime}");
    for expected in [
        "Data(From: ",
        "To: alice@example.org\r\n",
        "--portreeve--\r\n)",
    ] {
        assert!(mime.contains(expected), "{expected:?} in {mime}");
    }
    let cut = body_for(&[("4", Some("4"), None)]);
    assert!(cut.ends_with("Truncated(1)Data(From)"), "{cut}");
    for with_another in ["1", "2"] {
        let told = body_for(&[("4", None, None), (with_another, None, None)]);
        let expected = format!("Type({with_another})");
        assert!(told.starts_with(&expected), "{told}");
    }
}

#[test]
fn items_are_answered_one_by_one_and_in_parts_where_the_client_takes_them() {
    let octets = written(item_operations::ITEM_OPERATIONS, |writer| {
        for (folder, item) in [("portreeve.2", "portreeve.2:3"), ("5", "5:17")] {
            writer.element(item_operations::FETCH, |writer| {
                writer.leaf(item_operations::STORE, "Mailbox");
                writer.leaf(air_sync::COLLECTION_ID, folder);
                writer.leaf(air_sync::SERVER_ID, item);
            });
        }
    });
    let whole = told(Command::ItemOperations, &octets);
    assert!(
        whole.contains("Fetch(Status(6)CollectionId(5)ServerId(5:17))"),
        "{whole}"
    );
    assert!(whole.contains("Data(Switch encryption on.)"), "{whole}");
    let inbox = Inbox {
        message: &message(),
        is_news: false,
        multipart: true,
    };
    let answer = answer(Command::ItemOperations, Version::V14_1, &octets, inbox).0;
    let Answer::Parts(parts) = answer else {
        panic!("{answer:?}");
    };
    let number = |at: usize| {
        let octets = parts[at..at + 4].try_into().unwrap();
        usize::try_from(u32::from_le_bytes(octets)).unwrap()
    };
    assert_eq!((number(0), number(4)), (2, 20));
    assert_eq!(number(12), 20 + number(8));
    assert_eq!(number(12) + number(16), parts.len());
    let document = shown(&parts[20..number(12)]);
    assert!(
        document.contains("EstimatedDataSize(21)Part(1))"),
        "{document}"
    );
    assert_eq!(&parts[number(12)..], b"Switch encryption on.");
}
