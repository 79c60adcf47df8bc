//! The gateway core, in virtual time.

use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::eas::Command;
use portreeve::eas::Version;
use portreeve::eas::quarantine::MAX_BODY;
use portreeve::eas::quarantine::needs_body;
use portreeve::mail::Action;
use portreeve::mail::Cause;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::Next;
use portreeve::mail::Outgoing;
use portreeve::mail::Step;
use portreeve::mail::Told;
use portreeve::model::Ambiguity;
use portreeve::model::CertificateIdentity;
use portreeve::model::ComplianceState;
use portreeve::model::Verdict;
use rcgen::CertificateParams;
use rcgen::KeyPair;
use rcgen::OtherNameValue;
use rcgen::SanType;

use crate::world::Request;
use crate::world::World;
use crate::world::answered;
use crate::world::ask;
use crate::world::certified;
use crate::world::config;
use crate::world::forward;
use crate::world::honest;
use crate::world::offer;
use crate::world::peer;
use crate::world::read;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

pub(crate) fn record(event: Option<&Event>) -> &DecisionRecord {
    match event {
        Some(Event::Decision(record)) => record,
        other => panic!("no record but {other:?}"),
    }
}

pub(crate) fn told(gateway: &Gateway, step: Step, status: u16, answer: &HeaderMap) -> Step {
    let status = StatusCode::from_u16(status).unwrap();
    gateway.handle_told(start(), ask(step).ticket, Told::Answer(status, answer))
}

/// Every command of a version, in every form that the version has.
fn queries(device: &str, version: Version, command: Command) -> Vec<String> {
    let plain = format!("Cmd={command}&User=alice&DeviceId={device}&DeviceType=phone");
    let packed = version.octet().map(|octet| {
        let mut octets = vec![octet, command.code(), 9, 4];
        for field in [device.as_bytes(), b"", b"phone"] {
            octets.push(u8::try_from(field.len()).unwrap());
            octets.extend(field);
        }
        STANDARD.encode(octets)
    });
    [Some(plain), packed].into_iter().flatten().collect()
}

/// Commands whose answers have no status of MS-ASCMD 2.2.2.
const HAVE_NO_STATUS: [Command; 5] = [
    Command::GetAttachment,
    Command::GetHierarchy,
    Command::CreateCollection,
    Command::DeleteCollection,
    Command::MoveCollection,
];

#[test]
fn every_command_at_every_verdict_and_version_r32() {
    let world = World::new();
    let gateway = world.gateway();
    let mut rows = 0;
    for version in Version::ALL {
        for command in Command::ALL {
            for (device, verdict, code) in [
                ("good", Verdict::Allow, 54000),
                ("new", Verdict::Quarantine, 54006),
                ("bad", Verdict::Block, 53000),
            ] {
                for query in queries(device, version, command) {
                    let row = format!("row {version} {command} {device} {query}");
                    rows += 1;
                    let mut request = Request::post(&query).basic("alice", "right");
                    let header = HeaderValue::from_static(version.as_str());
                    request.headers.insert("ms-asprotocolversion", header);
                    let step = request.settle(&gateway, &peer());
                    let record = record(step.event.as_ref()).clone();
                    let Outcome::Decided(decision) = record.outcome else {
                        panic!("{row}: not decided");
                    };
                    assert_eq!(decision.verdict, verdict, "{row}");
                    assert_eq!(decision.reason.code(), code, "{row}");
                    assert_eq!(record.method.as_str(), format!("eas {command}"));
                    let has_mailbox = verdict == Verdict::Quarantine && version > Version::V2_5;
                    // It may have a key of the quarantine's; and what a client tells of its device
                    // is read.
                    let is_read = matches!(
                        command,
                        Command::FolderSync | Command::Settings | Command::Provision
                    );
                    if verdict == Verdict::Allow && is_read
                        || has_mailbox && command == Command::Provision
                    {
                        assert_eq!(read(step).limit, MAX_BODY, "{row}");
                    } else if verdict == Verdict::Allow {
                        let forward = forward(step);
                        assert_eq!(forward.request.uri().query(), Some(&*query), "{row}");
                        assert_eq!(forward.exchange.id(), record.id);
                    } else if has_mailbox && needs_body(command) {
                        assert_eq!(read(step).limit, MAX_BODY, "{row}");
                    } else {
                        let id = record.id.to_string();
                        let reply = reply(step);
                        let in_body = has_mailbox
                            && version >= Version::V14_0
                            && !HAVE_NO_STATUS.contains(&command);
                        let status = if in_body { 200 } else { 403 };
                        assert_eq!(reply.status, status, "{row}");
                        assert_eq!(reply.headers["x-portreeve-reason"], code.to_string());
                        assert_eq!(reply.headers["x-portreeve-request"], id);
                        if has_mailbox {
                            assert_eq!(reply.body.is_empty(), !in_body, "{row}");
                            // Neither a loop of Provision nor, ever, the order to erase itself.
                            for status in ["140", "141", "142", "143", "144"] {
                                assert!(!said(&reply).contains(status), "{row}");
                            }
                            continue;
                        }
                        let held = said(&reply).contains("held back");
                        assert_eq!(held, verdict == Verdict::Quarantine, "{row}");
                        let kind = &reply.headers["content-type"];
                        assert_eq!(kind, "text/plain; charset=utf-8", "{row}");
                    }
                }
            }
        }
    }
    // Five of seven versions have two forms.
    assert_eq!(rows, 24 * 3 * (7 + 5));
    assert!(world.live.is_empty(), "permits end with their requests");
}

#[test]
fn nothing_is_said_or_decided_before_the_upstream_accepts() {
    let world = World::new();
    let gateway = world.gateway();
    for device in ["good", "new", "bad", "nobodys"] {
        // With a password that nobody has judged yet, all devices look the same.
        let request = Request::of(device, "Sync").basic("alice", &format!("guess{device}"));
        let step = request.send(&gateway, &peer());
        assert!(step.event.is_none(), "row {device}");
        let asked = ask(step);
        assert_eq!(
            asked.request.uri(),
            "http://upstream.internal/Microsoft-Server-ActiveSync"
        );
        assert!(world.live.is_empty(), "row {device}");
        let step = gateway.handle_told(start(), asked.ticket, Told::Unreachable);
        assert!(step.event.is_none(), "row {device}");
        let reply = reply(step);
        assert_eq!(
            reply.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "row {device}"
        );
        assert!(reply.headers.contains_key("retry-after"));
        assert!(!reply.headers.contains_key("x-portreeve-reason"));
    }
}

#[test]
fn the_upstream_is_asked_first_whether_it_asks_for_credentials() {
    let world = World::new();
    let gateway = world.gateway();
    let step = Request::of("good", "Sync").send(&gateway, &peer());
    let first = ask(step);
    assert!(!first.request.headers().contains_key("authorization"));
    // An upstream that says yes to everybody must not open the gate.
    let answer = Told::Answer(StatusCode::OK, &offer());
    let refused = reply(gateway.handle_told(start(), first.ticket, answer));
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.cause, Cause::NoChallenge);
    // It is asked again each time until it does, then with the credentials.
    let step = Request::of("good", "Sync").send(&gateway, &peer());
    let second = ask(told(&gateway, step, 401, &HeaderMap::new()));
    let sent = &second.request.headers()["authorization"];
    assert_eq!(sent, "Basic YWxpY2U6cmlnaHQ=");
    assert!(sent.is_sensitive());
    let step = gateway.handle_told(start(), second.ticket, answer);
    assert!(matches!(step.action, Action::Forward(_)));
    // An hour later it has to prove it again, when there is something to ask.
    let later = start().plus(Duration::from_secs(3601));
    let step = Request::of("good", "Sync").send_at(later, &gateway, &peer());
    assert!(!ask(step).request.headers().contains_key("authorization"));
}

#[test]
fn only_an_activesync_answer_accepts() {
    let world = World::new();
    for (status, mail, expected) in [
        (200, true, None),
        (204, true, None),
        (
            200,
            false,
            Some((503, Cause::NotActiveSync(StatusCode::OK))),
        ),
        (
            302,
            true,
            Some((503, Cause::NotActiveSync(StatusCode::FOUND))),
        ),
        (401, true, Some((401, Cause::Refused))),
        (403, true, Some((403, Cause::UserNotEnabled))),
        (
            404,
            true,
            Some((503, Cause::NotActiveSync(StatusCode::NOT_FOUND))),
        ),
        (
            405,
            true,
            Some((503, Cause::NotActiveSync(StatusCode::METHOD_NOT_ALLOWED))),
        ),
        (407, true, Some((503, Cause::Unavailable))),
        (500, true, Some((503, Cause::Unavailable))),
        (429, true, Some((503, Cause::UpstreamBusy))),
        (503, true, Some((503, Cause::UpstreamBusy))),
    ] {
        let gateway = world.gateway();
        let step = Request::of("good", "Sync").send(&gateway, &peer());
        let step = told(&gateway, step, 401, &HeaderMap::new());
        let headers = if mail { offer() } else { HeaderMap::new() };
        let step = told(&gateway, step, status, &headers);
        match expected {
            None => drop(forward(step)),
            Some((status, cause)) => {
                let reply = reply(step);
                assert_eq!(
                    (reply.status.as_u16(), reply.cause),
                    (status, cause),
                    "row {status}"
                );
            }
        }
        // Accepted is remembered, refused is remembered, and nothing else is.
        let again = Request::of("good", "Sync").send(&gateway, &peer());
        let asks = matches!(again.action, Action::Ask(_));
        assert_eq!(
            asks,
            !matches!(expected, None | Some((401, _))),
            "row {status}"
        );
    }
}

#[test]
fn a_wrong_password_is_refused_and_recorded_once() {
    let world = World::new();
    let gateway = world.gateway();
    let request = Request::of("good", "Sync").basic("alice", "wrong");
    let step = request.settle(&gateway, &peer());
    let record = record(step.event.as_ref()).clone();
    assert!(matches!(record.outcome, Outcome::NotAuthenticated(_)));
    assert_eq!(record.user.as_str(), "alice");
    let answer = reply(step);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let challenge = "Basic realm=\"Mail\", charset=\"UTF-8\"";
    assert_eq!(answer.headers["www-authenticate"], challenge);
    // The same again is refused without asking.
    let step = request.send(&gateway, &peer());
    assert!(step.event.is_none());
    assert_eq!(reply(step).cause, Cause::Refused);
    // The right one is not: nor is it the wrong one of somebody else.
    assert!(matches!(
        Request::of("good", "Sync").settle(&gateway, &peer()).action,
        Action::Forward(_)
    ));
    let bob = Request::of("good", "Sync").basic("bob", "wrong");
    assert!(matches!(bob.send(&gateway, &peer()).action, Action::Ask(_)));
}

#[test]
fn guessing_is_slowed_down_and_those_who_are_in_stay_in() {
    let world = World::new();
    let gateway = world.gateway();
    drop(Request::of("good", "Sync").settle(&gateway, &peer()));
    let mut causes = Vec::new();
    for guess in 0..12 {
        let request = Request::of("good", "Sync").basic("alice", &guess.to_string());
        causes.push(reply(request.settle(&gateway, &peer())).cause);
    }
    assert_eq!(causes[..10], [Cause::Refused; 10]);
    assert_eq!(causes[10..], [Cause::Throttled; 2]);
    let step = Request::of("good", "Sync").settle(&gateway, &peer());
    assert!(matches!(step.action, Action::Forward(_)));
}

#[test]
fn without_a_usable_credential_there_is_a_challenge() {
    let world = World::new();
    let gateway = world.gateway();
    let bare = Request::post("Cmd=Sync&User=alice&DeviceId=good&DeviceType=phone");
    for (row, request, status) in [
        ("none", bare.clone(), 401),
        ("none", Request::options(), 401),
        (
            "bearer",
            bare.clone().with("authorization", "Bearer eyJ0"),
            401,
        ),
        (
            "negotiate",
            bare.clone().with("authorization", "Negotiate TlRM"),
            401,
        ),
        ("ntlm", bare.clone().with("authorization", "NTLM TlRM"), 401),
        (
            "broken",
            bare.clone().with("authorization", "Basic %%%"),
            401,
        ),
        (
            "two",
            bare.with("authorization", "Basic YTpi")
                .with("authorization", "Basic YTpj"),
            400,
        ),
    ] {
        let reply = reply(request.send(&gateway, &peer()));
        assert_eq!(reply.status.as_u16(), status, "row {row}");
        if status == 401 {
            assert!(
                reply.headers["www-authenticate"]
                    .as_bytes()
                    .starts_with(b"Basic ")
            );
        }
    }
}

#[test]
fn options_is_answered_with_the_upstreams_own_answer() {
    let world = World::new();
    let gateway = world.gateway();
    let request = Request::options().basic("alice", "right");
    let reply = reply(request.settle(&gateway, &peer()));
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(
        reply.headers["ms-asprotocolversions"],
        offer()["ms-asprotocolversions"]
    );
    assert_eq!(
        reply.headers["ms-asprotocolcommands"],
        offer()["ms-asprotocolcommands"]
    );
    assert!(
        !reply.headers.contains_key("x-feserver"),
        "names of servers stay inside"
    );
    assert!(reply.body.is_empty());
}

#[test]
fn the_query_names_the_user_who_signed_in() {
    let world = World::new();
    let mut knowing = config();
    knowing.names.domains = vec![("CORP".to_owned(), "corp.example".to_owned())];
    for (user, named, expected) in [
        ("alice", "alice", None),
        ("CORP\\alice", "alice", None),
        ("alice", "CORP%5Calice", None),
        ("alice", "alice%40corp.example", None),
        ("alice", "OTHER%5Calice", Some(Cause::UserMismatch)),
        ("alice", "alice%40other.example", Some(Cause::UserMismatch)),
        (
            "CORP\\alice",
            "alice%40corp.evil",
            Some(Cause::UserMismatch),
        ),
        ("bob", "alice", Some(Cause::UserMismatch)),
        (
            "alice@corp.example",
            "alice@other.example",
            Some(Cause::UserMismatch),
        ),
        (
            "alice",
            "alice%00",
            Some(Cause::Malformed(malformed_text())),
        ),
    ] {
        let gateway = world.gateway_with(knowing.clone());
        let query = format!("Cmd=Sync&User={named}&DeviceId=good&DeviceType=phone");
        let step = Request::post(&query)
            .basic(user, "right")
            .settle(&gateway, &peer());
        match (expected, step.action) {
            // Whether the device is let in is another question.
            (None, Action::Forward(_) | Action::Read(_)) => {}
            (None, Action::Answer(reply)) => {
                assert!(
                    matches!(reply.cause, Cause::Blocked | Cause::Quarantined),
                    "{reply:?}"
                );
            }
            (Some(cause), Action::Answer(reply)) => {
                assert_eq!(reply.cause, cause, "row {user} {named}");
            }
            (_, action) => panic!("row {user} {named}: {action:?}"),
        }
    }
}

fn malformed_text() -> portreeve::mail::Malformed {
    portreeve::mail::Malformed::Query(portreeve::eas::Malformed::Text)
}

#[test]
fn somebody_elses_device_id_opens_nothing() {
    let world = World::new();
    let gateway = world.gateway();
    let query = "Cmd=Sync&User=bob&DeviceId=GOOD&DeviceType=phone";
    let step = Request::post(query)
        .basic("bob", "right")
        .settle(&gateway, &peer());
    let reply = reply(step);
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(reply.headers["x-portreeve-reason"], "54016");
}

#[test]
fn what_goes_upstream_is_written_anew() {
    let world = World::new();
    let gateway = world.gateway();
    let query =
        "DeviceType=ph%6fne&DEVICEID=Good&User=%61lice&Cmd=sMaRtRePlY&ItemId=5%3a1&SaveInSent=T";
    let request = Request::post(query)
        .basic("alice", "right")
        .with("content-type", "application/vnd.ms-sync.wbxml")
        .with("x-ms-policykey", "0012")
        .with("ms-asacceptmultipart", "T")
        .with("cookie", "a=1")
        .with("x-forwarded-for", "10.0.0.1")
        .with("x-forwarded-host", "evil.example")
        .with("x-original-url", "/owa")
        .with("x-portreeve-user", "admin")
        .with("transfer-encoding", "chunked")
        .with("connection", "keep-alive");
    let forward = forward(request.settle(&gateway, &peer()));
    assert_eq!(
        forward.request.uri(),
        "http://upstream.internal/Microsoft-Server-ActiveSync\
         ?Cmd=SmartReply&User=alice&DeviceId=Good&DeviceType=phone&ItemId=5%3A1&SaveInSent=T"
    );
    let headers = forward.request.headers();
    let mut sent: Vec<(&str, &str)> = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [
            // What comes of it is to be seen.
            ("accept-encoding", "identity"),
            ("authorization", "Basic YWxpY2U6cmlnaHQ="),
            ("content-type", "application/vnd.ms-sync.wbxml"),
            ("cookie", "a=1"),
            ("ms-asacceptmultipart", "T"),
            ("ms-asprotocolversion", "14.1"),
            ("user-agent", "Test/1"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "mail.example.org"),
            ("x-forwarded-proto", "https"),
            ("x-ms-policykey", "12"),
        ]
    );
}

#[test]
fn a_change_takes_the_permission_back_r14() {
    let world = World::new();
    let gateway = world.gateway();
    let forward = forward(Request::of("good", "Ping").settle(&gateway, &peer()));
    let mut permit = pin!(forward.permit);
    let mut context = Context::from_waker(Waker::noop());
    assert!(permit.as_mut().poll(&mut context).is_pending());
    assert_eq!(world.live.len(), 1);
    world.set("bad", ComplianceState::Compliant);
    assert!(
        permit.as_mut().poll(&mut context).is_pending(),
        "another device"
    );
    world.set("good", ComplianceState::NonCompliant);
    let Poll::Ready(decided) = permit.as_mut().poll(&mut context) else {
        panic!("the permit holds although the device is not compliant");
    };
    let (reply, event) = gateway.handle_revoked(start(), &forward.exchange, &decided, false);
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert_eq!(reply.headers["x-portreeve-reason"], "53000");
    assert_eq!(record(event.as_ref()).id, forward.exchange.id());
    // And the next request is let through only as the device is now.
    assert_eq!(
        crate::world::reply(Request::of("good", "Sync").settle(&gateway, &peer())).cause,
        Cause::Blocked
    );
    world.set("good", ComplianceState::Compliant);
    drop(crate::world::forward(
        Request::of("good", "Sync").settle(&gateway, &peer()),
    ));
}

#[test]
fn answers_lead_nobody_round_the_gateway() {
    let world = World::new();
    let gateway = world.gateway();
    let exchange = forward(Request::of("good", "Sync").settle(&gateway, &peer())).exchange;
    let mut answer = HeaderMap::new();
    for (name, value) in [
        (
            "x-ms-location",
            "https://exchange2.internal/Microsoft-Server-ActiveSync",
        ),
        ("location", "https://exchange2.internal/"),
        ("www-authenticate", "Negotiate"),
        ("connection", "close"),
        ("set-cookie", "a=1"),
        ("content-length", "17"),
    ] {
        answer.insert(name, HeaderValue::from_static(value));
    }
    for (status, location, challenge, passes) in [
        (200, None, None, true),
        (403, None, None, true),
        (449, None, None, true),
        (451, None, None, false),
        (503, None, None, true),
        (
            401,
            None,
            Some("Basic realm=\"Mail\", charset=\"UTF-8\""),
            true,
        ),
        (101, None, None, false),
        (301, None, None, false),
        (302, None, None, false),
        (407, None, None, false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let (outgoing, _) = gateway.handle_answer(start(), &exchange, status, answer.clone());
        match outgoing {
            Outgoing::Pass(passed, headers) | Outgoing::Watch(passed, headers, _) => {
                assert!(passes, "row {status}");
                assert_eq!(passed, status);
                let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
                assert_eq!(text("x-ms-location"), location, "row {status}");
                assert_eq!(text("www-authenticate"), challenge, "row {status}");
                assert_eq!(text("set-cookie"), Some("a=1"), "row {status}");
                assert_eq!(text("location"), None, "row {status}");
                assert_eq!(text("connection"), None, "row {status}");
            }
            Outgoing::Answer(reply) => {
                assert!(!passes, "row {status}");
                assert_eq!(
                    reply.status,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "row {status}"
                );
                assert!(!reply.headers.contains_key("location"));
            }
        }
    }
}

#[test]
fn a_password_that_the_upstream_drops_is_asked_about_again() {
    let world = World::new();
    let gateway = world.gateway();
    let exchange = forward(Request::of("good", "Sync").settle(&gateway, &peer())).exchange;
    let status = StatusCode::UNAUTHORIZED;
    drop(gateway.handle_answer(start(), &exchange, status, HeaderMap::new()));
    let step = Request::of("good", "Sync").send(&gateway, &peer());
    assert!(matches!(step.action, Action::Ask(_)));
}

pub(crate) fn identity(user: Option<&str>, device: Option<&str>) -> CertificateIdentity {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(2026, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    if let Some(user) = user {
        params.subject_alt_names.push(SanType::OtherName((
            vec![1, 3, 6, 1, 4, 1, 311, 20, 2, 3],
            OtherNameValue::Utf8String(user.to_owned()),
        )));
    }
    if let Some(device) = device {
        let uri = format!("IntuneDeviceId://{device}");
        params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
    }
    let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    CertificateIdentity::parse(signed.der()).unwrap()
}

#[test]
fn a_certificate_proves_the_device_and_binds_its_device_id_r36() {
    let world = World::new();
    let gateway = world.gateway();
    let good = world.id("good").to_string();
    let proven = certified(identity(None, Some(&good)));
    let request = Request::of("neverseen", "Sync");
    let forward = forward(request.settle(&gateway, &proven));
    // Only the upstream's success binds, and only once.
    for (status, expected) in [(403, false), (401, false), (200, true), (200, false)] {
        let event = answered(&gateway, start(), &forward.exchange, status, b"");
        assert_eq!(event.is_some(), expected, "row {status}");
        if let Some(Event::Binding(binding)) = event {
            assert_eq!(binding.eas.as_str(), "neverseen");
            assert_eq!(binding.user, "alice");
            assert_eq!(binding.device, world.id("good"));
        }
    }
    // A certificate of a blocked device does not borrow the DeviceId of a good one.
    let bad = certified(identity(None, Some(&world.id("bad").to_string())));
    let answer = reply(Request::of("good", "Sync").settle(&gateway, &bad));
    assert_eq!(answer.cause, Cause::Blocked);
    // A claimed device binds nothing.
    let claimed = crate::world::forward(Request::of("good", "Sync").settle(&gateway, &peer()));
    let event = answered(&gateway, start(), &claimed.exchange, 200, b"");
    assert!(event.is_none());
}

/// From version 14.0 on Exchange refuses with 200 and a status in the body.
#[test]
fn a_refusal_within_wbxml_binds_no_device_id_and_is_no_success_r36_ms_ascmd_2_2_2() {
    use portreeve::eas::Command;
    use portreeve::eas::Status;
    use portreeve::eas::Version;
    let world = World::new();
    let gateway = world.gateway();
    let good = world.id("good").to_string();
    let proven = certified(identity(None, Some(&good)));
    let request = Request::of("neverseen", "FolderSync").with("accept-encoding", "gzip");
    let Action::Read(read) = request.settle(&gateway, &proven).action else {
        panic!("its body is not read");
    };
    let (next, _) = gateway.handle_body(start(), read.aside, Some(b""));
    let Next::Forward(forward) = next else {
        panic!("{next:?}");
    };
    // What comes compressed could not be read here.
    assert_eq!(forward.request.headers()["accept-encoding"], "identity");
    assert!(world.learn(&gateway) > 0);
    for status in Status::ALL {
        let body = status.body(Command::FolderSync, Version::V14_1).unwrap();
        let event = answered(&gateway, start(), &forward.exchange, 200, &body);
        assert!(event.is_none(), "row {status:?}");
    }
    assert_eq!(world.learn(&gateway), 0, "a refusal was told as a success");
    let body = b"\x03\x01\x6a\x00\x00\x07\x56\x4c\x031\x00\x01\x01";
    let event = answered(&gateway, start(), &forward.exchange, 200, body);
    assert!(matches!(event, Some(Event::Binding(_))));
    assert_eq!(world.learn(&gateway), 1);
    let client = world.client("neverseen", "alice").unwrap();
    assert!(client.last_success.is_some());
    // Nothing more is to be known for a while, and answers come as the client likes them.
    let Action::Read(read) = request.settle(&gateway, &proven).action else {
        panic!("its body is not read");
    };
    let (next, _) = gateway.handle_body(start(), read.aside, Some(b""));
    let Next::Forward(forward) = next else {
        panic!("{next:?}");
    };
    assert_eq!(forward.request.headers()["accept-encoding"], "gzip");
}

#[test]
fn a_certificate_signs_in_where_the_upstream_takes_our_word_r30() {
    let world = World::new();
    let mut trusting = config();
    trusting.certificate_user_header = Some("X-Test-User".parse().unwrap());
    let good = world.id("good").to_string();
    let alice = certified(identity(Some("alice"), Some(&good)));
    let machine = certified(identity(None, Some(&good)));
    let bare = Request::post("Cmd=Sync&User=alice&DeviceId=good&DeviceType=phone");
    let both = bare.clone().basic("alice", "right");
    let other = Request::post("Cmd=Sync&User=bob&DeviceId=good&DeviceType=phone");
    let spoofed = bare.clone().with("x-test-user", "admin");
    for (row, trusts, peer, request, expected) in [
        ("certificate", true, &alice, &bare, Ok(Some("alice"))),
        ("spoofed header", true, &alice, &spoofed, Ok(Some("alice"))),
        // The password is put to the mail server; the certificate proves the device.
        ("certificate and password", true, &alice, &both, Ok(None)),
        (
            "another user",
            true,
            &alice,
            &other,
            Err(Cause::UserMismatch),
        ),
        (
            "machine certificate",
            true,
            &machine,
            &bare,
            Err(Cause::NoCredential),
        ),
        ("machine and password", true, &machine, &both, Ok(None)),
        (
            "not trusted",
            false,
            &alice,
            &bare,
            Err(Cause::NoCredential),
        ),
        ("not trusted, and password", false, &alice, &both, Ok(None)),
        (
            "not trusted machine",
            false,
            &machine,
            &bare,
            Err(Cause::NoCredential),
        ),
    ] {
        let gateway = world.gateway_with(if trusts { trusting.clone() } else { config() });
        let step = request.settle(&gateway, peer);
        match expected {
            Ok(user) => {
                let forward = forward(step);
                let headers = forward.request.headers();
                let sent = headers
                    .get("x-test-user")
                    .map(|value| value.to_str().unwrap());
                assert_eq!(sent, user, "row {row}");
                assert_eq!(
                    headers.contains_key("authorization"),
                    user.is_none(),
                    "row {row}"
                );
            }
            Err(cause) => assert_eq!(reply(step).cause, cause, "row {row}"),
        }
    }
    // Which device or user it stands for must not depend on the order of its names.
    let gateway = world.gateway();
    let mut ambiguous = identity(Some("alice"), Some(&good));
    ambiguous.ambiguity = Some(Ambiguity::Device);
    let answer = reply(both.settle(&gateway, &certified(ambiguous)));
    assert_eq!(answer.cause, Cause::Certificate);
}

#[test]
fn malformed_heads_are_answered_before_anything_is_asked() {
    let world = World::new();
    let gateway = world.gateway();
    let good = Request::of("good", "Sync");
    let to = |target: &str| {
        let mut request = good.clone();
        request.target = target.to_owned();
        request
    };
    let duplicate = "Cmd=Sync&User=alice&DeviceType=phone&DeviceId=good&DeviceId=bad";
    let mut no_version = good.clone();
    no_version.headers.remove("ms-asprotocolversion");
    for (row, request, status) in [
        ("path", to("/owa"), 404),
        (
            "trailing",
            to("/Microsoft-Server-ActiveSync/?Cmd=Sync"),
            404,
        ),
        ("query", to("/Microsoft-Server-ActiveSync?Cmd=Sync"), 400),
        ("no query", to("/Microsoft-Server-ActiveSync"), 400),
        (
            "two devices",
            Request::post(duplicate).basic("alice", "right"),
            400,
        ),
        ("version", no_version.clone(), 400),
        (
            "two versions",
            good.clone().with("ms-asprotocolversion", "12.1"),
            400,
        ),
        ("key", good.clone().with("x-ms-policykey", "abc"), 400),
        ("host", good.clone().with("host", "mail.example.org"), 400),
        (
            "connection",
            good.clone().with("connection", "authorization"),
            400,
        ),
    ] {
        let reply = reply(request.send(&gateway, &peer()));
        assert_eq!(reply.status.as_u16(), status, "row {row}");
        assert!(matches!(reply.cause, Cause::Malformed(_)), "row {row}");
    }
    let mut method = good.clone();
    method.method = http::Method::GET;
    let reply = reply(method.send(&gateway, &peer()));
    assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(reply.headers["allow"], "OPTIONS, POST");
}

#[test]
fn secrets_appear_in_no_debug_output() {
    let world = World::new();
    let gateway = world.gateway();
    let step = Request::of("good", "Sync")
        .basic("alice", "hunter2")
        .send(&gateway, &peer());
    let ask = ask(step);
    let shown = format!("{gateway:?} {ask:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(&STANDARD.encode("alice:hunter2")));
    let step = honest(&gateway, ask);
    let shown = format!("{step:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(&STANDARD.encode("alice:hunter2")));
}
