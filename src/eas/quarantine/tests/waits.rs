//! Commands that wait: for how long, with which answer at the end and on release, and which do not.

use super::*;

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

fn held(command: Command, octets: &[u8]) -> (u32, String, String) {
    let answer = answered(command, Version::V14_1, octets);
    let Answer::Hold(hold) = &answer else {
        panic!("{command}: {answer:?}");
    };
    (hold.seconds, shown(&hold.expired), shown(&hold.released))
}
