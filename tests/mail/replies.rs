//! What a client is told that is not let in: for each reason, command and version of the protocol.

use std::fmt::Write;
use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use portreeve::eas::Command;
use portreeve::eas::Refused;
use portreeve::eas::Status;
use portreeve::eas::Version;
use portreeve::mail::Action;
use portreeve::mail::Cause;
use portreeve::mail::Gateway;
use portreeve::mail::Outgoing;
use portreeve::model::ComplianceState;
use portreeve::wbxml::Event;
use portreeve::wbxml::Reader;

use crate::world::Request;
use crate::world::World;
use crate::world::config;
use crate::world::forward;
use crate::world::peer;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

/// Each status in the shape of each command: `403` is HTTP, `wbxml` is HTTP 200 with that body. The
/// bodies are in `tests/interop` read by libwbxml, too.
#[test]
fn the_table_of_replies_is_as_it_was_written_down_r32() {
    let mut table = String::new();
    for status in Status::ALL {
        for command in Command::ALL {
            let cells = Version::ALL.map(|version| match status.body(command, version) {
                Some(_) => "wbxml".to_owned(),
                None => status.http().to_string(),
            });
            let newest = status.body(command, Version::V16_1).unwrap_or_default();
            for version in Version::ALL {
                let body = status.body(command, version);
                assert!(
                    body.is_none_or(|body| body == newest),
                    "row {status:?} {command} {version}"
                );
            }
            let shown: String = newest.iter().map(|octet| format!("{octet:02x}")).collect();
            let (number, cells) = (status.number(), cells.join(" "));
            writeln!(table, "{number} {command} {cells} {shown}").unwrap();
        }
    }
    let expected: String = include_str!("../vectors/eas-replies.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    let table: String = table
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    assert!(table == expected, "the table is now:\n{table}");
}

/// Whoever is told 140 may erase itself.
#[test]
fn no_refusal_is_a_wipe() {
    for status in Status::ALL {
        assert_ne!(status.number(), 140);
        for command in Command::ALL {
            let Some(body) = status.body(command, Version::V16_1) else {
                continue;
            };
            let mut reader = Reader::new(&body).unwrap();
            while let Some(event) = reader.next_event().unwrap() {
                match event {
                    Event::Start(tag) | Event::Empty(tag) | Event::End(tag) => {
                        assert!(!tag.name().contains("Wipe"), "row {status:?} {command}");
                    }
                    Event::Text(text) => assert_eq!(text, status.number().to_string()),
                    Event::Opaque(octets) => panic!("row {status:?} {command}: {octets:?}"),
                }
            }
        }
    }
}

fn of_version(device: &str, command: Command, version: Version) -> Request {
    let mut request = Request::of(device, command.name());
    let header = HeaderValue::from_static(version.as_str());
    request.headers.insert("ms-asprotocolversion", header);
    request
}

#[test]
fn a_blocked_device_is_told_in_wbxml_where_that_is_wanted_r32() {
    let world = World::new();
    let mut config = config();
    config.refused = Refused::Wbxml;
    let gateway = world.gateway_with(config);
    for version in Version::ALL {
        for command in Command::ALL {
            let row = format!("row {version} {command}");
            let answer = reply(of_version("bad", command, version).settle(&gateway, &peer()));
            assert_eq!(answer.cause, Cause::Blocked, "{row}");
            assert_eq!(answer.headers["x-portreeve-reason"], "53000", "{row}");
            match Status::DeviceIsBlockedForThisUser.body(command, version) {
                Some(body) => {
                    assert_eq!(answer.status, StatusCode::OK, "{row}");
                    let kind = &answer.headers["content-type"];
                    assert_eq!(kind, "application/vnd.ms-sync.wbxml", "{row}");
                    assert_eq!(answer.body, body, "{row}");
                }
                None => {
                    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{row}");
                    assert!(said(&answer).contains("53000"), "{row}");
                }
            }
        }
    }
    // What was let through and is not any more is told in the same way.
    let ping = forward(Request::of("good", "Ping").settle(&gateway, &peer()));
    world.set("good", ComplianceState::NonCompliant);
    let mut permit = pin!(ping.permit);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(decided) = permit.as_mut().poll(&mut context) else {
        panic!("the permit holds although the device is not compliant");
    };
    let (answer, _) = gateway.handle_revoked(start(), &ping.exchange, &decided, false);
    let body = Status::DeviceIsBlockedForThisUser.body(Command::Ping, Version::V14_1);
    assert_eq!(Some(answer.body), body);
}

/// The reason decides which status it is: of the user, of the device, or of what was asked.
#[test]
fn a_reason_of_the_user_is_another_status_than_one_of_the_device() {
    let world = World::new();
    let mut config = config();
    config.refused = Refused::Wbxml;
    let gateway = world.gateway_with(config);
    let query = "Cmd=FolderSync&User=mallory&DeviceId=unheardof&DeviceType=phone";
    for (request, status) in [
        (
            Request::of("unheardof", "FolderSync"),
            Status::DeviceIsBlockedForThisUser,
        ),
        (
            Request::post(query).basic("mallory", "right"),
            Status::UserDisabledForSync,
        ),
    ] {
        let answer = reply(request.settle(&gateway, &peer()));
        let body = status.body(Command::FolderSync, Version::V14_1);
        assert_eq!(Some(answer.body), body, "row {status:?}");
    }
}

#[test]
fn versions_before_the_oldest_are_not_offered_and_refused() {
    let world = World::new();
    let mut settings = config();
    settings.oldest_version = Version::V14_1;
    let gateway = world.gateway_with(settings);
    for version in Version::ALL {
        for device in ["good", "bad"] {
            let step = of_version(device, Command::Sync, version).settle(&gateway, &peer());
            if version >= Version::V14_1 {
                let is_let_in = matches!(step.action, Action::Forward(_));
                assert_eq!(is_let_in, device == "good", "row {version} {device}");
                continue;
            }
            let answer = reply(step);
            assert_eq!(answer.cause, Cause::OldVersion, "row {version} {device}");
            let status = if version < Version::V14_0 { 400 } else { 200 };
            assert_eq!(answer.status, status, "row {version} {device}");
        }
    }
    assert!(
        world.live.is_empty(),
        "nothing was decided on a version that is not spoken"
    );
    let offered = reply(
        Request::options()
            .basic("alice", "right")
            .settle(&gateway, &peer()),
    );
    assert_eq!(offered.headers["ms-asprotocolversions"], "14.1,16.0,16.1");
    // The answer to the first FolderSync says it, too (MS-ASHTTP 3.2.5.1).
    assert_eq!(passed(&gateway)["ms-asprotocolversions"], "14.1,16.0");
    assert_eq!(
        passed(&world.gateway())["ms-asprotocolversions"],
        "2.5,14.1,16.0"
    );
}

fn passed(gateway: &Gateway) -> HeaderMap {
    let exchange = forward(Request::of("good", "Sync").settle(gateway, &peer())).exchange;
    let mut answer = HeaderMap::new();
    let versions = HeaderValue::from_static("2.5,14.1,16.0");
    answer.insert("ms-asprotocolversions", versions);
    match gateway.handle_answer(start(), &exchange, StatusCode::OK, answer) {
        (Outgoing::Pass(_, headers) | Outgoing::Watch(_, headers, _), _) => headers,
        (Outgoing::Answer(reply), _) => panic!("{reply:?}"),
    }
}
