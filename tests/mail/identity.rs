//! Who the user is and which device it is, in virtual time: tokens, names in any coding, and DeviceIds
//! that somebody claims.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::StatusCode;
use portreeve::access::Outcome;
use portreeve::mail::Action;
use portreeve::mail::Bearer;
use portreeve::mail::Cause;
use portreeve::mail::Config;
use portreeve::mail::Event;
use portreeve::mail::Gateway;
use portreeve::mail::Step;
use portreeve::mail::Told;
use portreeve::model::ComplianceState;
use portreeve::model::Now;

use crate::gateway::identity;
use crate::gateway::record;
use crate::world::Request;
use crate::world::World;
use crate::world::answered;
use crate::world::ask;
use crate::world::certified;
use crate::world::config;
use crate::world::forward;
use crate::world::offer;
use crate::world::peer;
use crate::world::reply;
use crate::world::start;

const CHALLENGE: &str = "client_id=\"x\", authorization_uri=\"https://login.example/authorize\"";

fn taking_tokens() -> Config {
    let mut config = config();
    config.bearer = Some(Bearer::new(CHALLENGE, "upn").unwrap());
    config
}

/// A token of this user for 10 seconds; `seal` is what the mail server knows a right one by.
fn token(user: &str, seal: &str) -> String {
    let ends = start().wall.unix_seconds() + 10;
    let claims = format!(r#"{{"upn":"{user}","exp":{ends}}}"#);
    let parts = [r#"{"alg":"RS256"}"#, &claims, seal].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("Bearer {}", parts.join("."))
}

fn with_token(user: &str, device: &str, authorization: &str) -> Request {
    let query = format!("Cmd=Sync&User={user}&DeviceId={device}&DeviceType=phone");
    Request::post(&query).with("authorization", authorization)
}

/// What a mail server does that knows its issuer's seal.
fn settle(gateway: &Gateway, now: Now, mut step: Step) -> (Step, usize) {
    let seal = format!(".{}", URL_SAFE_NO_PAD.encode("right"));
    let mut asked = 0;
    while let Action::Ask(ask) = step.action {
        asked += 1;
        let sent = ask.request.headers().get("authorization");
        let right = sent.is_some_and(|value| {
            assert!(value.is_sensitive());
            value.to_str().unwrap().ends_with(&seal)
        });
        let (status, answer) = match right {
            true => (StatusCode::OK, offer()),
            false => (StatusCode::UNAUTHORIZED, HeaderMap::new()),
        };
        step = gateway.handle_told(now, ask.ticket, Told::Answer(status, &answer));
    }
    (step, asked)
}

#[test]
fn a_token_is_believed_when_the_mail_server_takes_it_and_until_it_ends_rfc6750() {
    let world = World::new();
    let gateway = world.gateway_with(taking_tokens());
    let later = |seconds| start().plus(Duration::from_secs(seconds));
    let sent = token("alice@corp.example", "right");
    let request = with_token("alice", "good", &sent);
    for (seconds, questions) in [(0, 2), (1, 0), (9, 0)] {
        let now = later(seconds);
        let step = request.send_at(now, &gateway, &peer());
        let (step, asked) = settle(&gateway, now, step);
        let forward = forward(step);
        assert_eq!(asked, questions, "row {seconds}");
        assert_eq!(forward.request.headers()["authorization"], sent);
        assert!(!format!("{:?}", forward.request).contains(&sent[20..]));
    }
    // It has ended, and what was remembered of it counts no more.
    let ended = reply(request.send_at(later(10), &gateway, &peer()));
    assert_eq!(ended.cause, Cause::NoCredential);
    let challenges: Vec<&str> = ended
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let bearer = format!("Bearer {CHALLENGE}");
    assert_eq!(
        challenges,
        [&*bearer, "Basic realm=\"Mail\", charset=\"UTF-8\""]
    );
    // An empty one asks for the challenge, which some clients do first.
    let empty = with_token("alice", "good", "Bearer ");
    assert_eq!(
        reply(empty.send(&gateway, &peer())).cause,
        Cause::NoCredential
    );
    // A password is as good as before.
    let step = Request::of("good", "Sync").settle(&gateway, &peer());
    drop(forward(step));
    // Not switched on, it is nothing.
    let plain = world.gateway();
    let refused = reply(request.send(&plain, &peer()));
    assert_eq!(refused.cause, Cause::NoCredential);
    assert_eq!(
        refused.headers.get_all("www-authenticate").iter().count(),
        1
    );
}

#[test]
fn a_token_opens_what_its_own_user_has_and_nothing_if_it_is_forged() {
    let world = World::new();
    let gateway = world.gateway_with(taking_tokens());
    for (row, request, cause) in [
        (
            "forged",
            with_token("alice", "good", &token("alice@corp.example", "wrong")),
            Cause::Refused,
        ),
        (
            "another user in the query",
            with_token("alice", "good", &token("bob@corp.example", "right")),
            Cause::UserMismatch,
        ),
        (
            "another user's device",
            with_token("bob", "good", &token("bob@corp.example", "right")),
            Cause::Blocked,
        ),
    ] {
        let step = request.send(&gateway, &peer());
        let (step, asked) = settle(&gateway, start(), step);
        // The third is the second's token, which is remembered.
        assert_eq!(asked > 0, cause != Cause::Blocked, "row {row}");
        let decided = matches!(record(step.event.as_ref()).outcome, Outcome::Decided(_));
        assert_eq!(decided, cause == Cause::Blocked, "row {row}");
        assert_eq!(reply(step).cause, cause, "row {row}");
    }
    assert!(world.live.is_empty());
}

/// A token beside a certificate of somebody else, and a mailbox by certificate and token at once.
#[test]
fn a_certificate_beside_a_token_is_the_same_users() {
    let world = World::new();
    let gateway = world.gateway_with(taking_tokens());
    let good = world.id("good").to_string();
    for (user, expected) in [
        ("alice@corp.example", None),
        ("bob@corp.example", Some(Cause::Certificate)),
    ] {
        let certificate = certified(identity(Some(user), Some(&good)));
        let request = with_token("alice", "good", &token("alice@corp.example", "right"));
        let step = request.send(&gateway, &certificate);
        let (step, _) = settle(&gateway, start(), step);
        match expected {
            None => drop(forward(step)),
            Some(cause) => assert_eq!(reply(step).cause, cause, "row {user}"),
        }
    }
}

/// A name in ISO 8859-1 was no credential, and its phone was asked for a password for ever.
#[test]
fn names_that_are_no_ascii_are_read_and_sent_on_as_they_came_r30() {
    let world = World::new();
    let gateway = world.gateway();
    for (row, octets, named, agrees) in [
        ("UTF-8", "j\u{fc}rgen:right".as_bytes(), "j%C3%BCrgen", true),
        ("ISO 8859-1", b"j\xfcrgen:right", "j%C3%BCrgen", true),
        (
            "ISO 8859-1 with domain",
            b"CORP\\j\xfcrgen:right",
            "j%C3%BCrgen",
            true,
        ),
        (
            "ISO 8859-1 as UPN",
            b"j\xfcrgen@corp.example:right",
            "j%C3%BCrgen",
            true,
        ),
        ("another", b"j\xf6rgen:right", "j%C3%BCrgen", false),
    ] {
        let query = format!("Cmd=Sync&User={named}&DeviceId=good&DeviceType=phone");
        let sent = format!("Basic {}", STANDARD.encode(octets));
        let request = Request::post(&query).with("authorization", &sent);
        let first = ask(request.send(&gateway, &peer()));
        let none = HeaderMap::new();
        let status = StatusCode::UNAUTHORIZED;
        let has_credential = first.request.headers().contains_key("authorization");
        let second = match has_credential {
            true => first,
            false => ask(gateway.handle_told(start(), first.ticket, Told::Answer(status, &none))),
        };
        assert_eq!(second.request.headers()["authorization"], sent, "row {row}");
        let answer = Told::Answer(StatusCode::OK, &offer());
        let step = gateway.handle_told(start(), second.ticket, answer);
        let cause = reply(step).cause;
        // Nobody's device, then; but it was looked at.
        let expected = if agrees {
            Cause::Blocked
        } else {
            Cause::UserMismatch
        };
        assert_eq!(cause, expected, "row {row}");
    }
}

#[test]
fn native_ids_travel_as_sent_and_are_found_without_case_r36() {
    let world = World::new();
    let gateway = world.gateway();
    for (known, sent) in [
        ("ApplDNQK1234G5MC", "ApplDNQK1234G5MC"),
        ("appldnqk1234g5md", "ApplDNQK1234G5MD"),
        ("androidc1234567890", "androidC1234567890"),
        (
            "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
            "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        ),
    ] {
        world.set(known, ComplianceState::Compliant);
        let forward = forward(Request::of(sent, "Sync").settle(&gateway, &peer()));
        let query = forward.request.uri().query().unwrap().to_owned();
        assert!(
            query.contains(&format!("DeviceId={sent}&")),
            "row {known}: {query}"
        );
        drop(forward);
        world.set(known, ComplianceState::NonCompliant);
        let answer = reply(Request::of(sent, "Sync").settle(&gateway, &peer()));
        assert_eq!(answer.cause, Cause::Blocked, "row {known}");
    }
}

/// After a reset a phone has another DeviceId, which its management reports.
#[test]
fn a_new_device_id_of_a_known_device_is_learned_again_and_the_old_one_is_nobodys() {
    let world = World::new();
    let gateway = world.gateway();
    world.report("phone", "before", "alice", ComplianceState::Compliant);
    let waiting = forward(Request::of("before", "Ping").settle(&gateway, &peer()));
    world.report("phone", "after", "alice", ComplianceState::Compliant);
    assert!(
        waiting.permit.revoked().is_some(),
        "a request with the old id goes on"
    );
    drop(waiting);
    drop(forward(
        Request::of("after", "Sync").settle(&gateway, &peer()),
    ));
    let old = reply(Request::of("before", "Sync").settle(&gateway, &peer()));
    assert_eq!(old.headers["x-portreeve-reason"], "54003");
}

/// A binding that the inventory was too busy for, or that went with a device which was away for a
/// while, was never told again.
#[test]
fn a_binding_is_told_again_after_a_while() {
    let world = World::new();
    let gateway = world.gateway();
    let good = world.id("good").to_string();
    let proven = certified(identity(None, Some(&good)));
    let forward = forward(Request::of("neverseen", "Sync").settle(&gateway, &proven));
    for (seconds, told) in [(0, true), (1, false), (59, false), (60, true), (61, false)] {
        let now = start().plus(Duration::from_secs(seconds));
        let event = answered(&gateway, now, &forward.exchange, 200, b"");
        let is_told = matches!(event, Some(Event::Binding(_)));
        assert_eq!(is_told, told, "row {seconds}");
    }
}

/// Two mail clients on one device, one after the other and within a second.
#[test]
fn the_device_id_that_proves_itself_last_has_the_place_however_often_they_take_turns_r36() {
    let world = World::new();
    let gateway = world.gateway();
    let good = world.id("good").to_string();
    let proven = certified(identity(None, Some(&good)));
    let prove = |device: &str| {
        let forward = forward(Request::of(device, "Sync").settle(&gateway, &proven));
        match answered(&gateway, start(), &forward.exchange, 200, b"") {
            Some(Event::Binding(binding)) => Some(binding),
            None => None,
            other => panic!("{device}: {other:?}"),
        }
    };
    let is_in = |device: &str| {
        let step = Request::of(device, "Sync").settle(&gateway, &peer());
        if matches!(step.action, Action::Forward(_)) {
            return true;
        }
        let reason = &reply(step).headers["x-portreeve-reason"];
        assert_eq!(reason, "54003", "{device}");
        false
    };
    // The DeviceId that a source states is known without any proof.
    assert!(prove("good").is_none());
    for round in 0..4 {
        for (last, other) in [("fresh", "good"), ("good", "fresh")] {
            let binding = prove(last);
            world.bind(&binding.unwrap_or_else(|| panic!("round {round}: {last} is not told")));
            assert!(is_in(last), "round {round}: {last} has proved itself last");
            assert!(!is_in(other), "round {round}: {other} has not");
            // There is nothing more to tell.
            assert!(prove(last).is_none(), "round {round}: {last}");
        }
    }
    // Bindings that are on their way count as those that have arrived.
    let turns = ["fresh", "good", "fresh", "fresh", "good"].map(prove);
    let told = turns.iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(told, [true, true, true, false, true]);
    turns.iter().flatten().for_each(|told| world.bind(told));
    assert!(is_in("good") && !is_in("fresh"));
    // A source takes the place away, and the client takes it back at once.
    world.bind(&prove("fresh").unwrap());
    assert!(prove("fresh").is_none());
    world.report("good", "stated", "alice", ComplianceState::Compliant);
    assert!(is_in("stated") && !is_in("fresh"));
    world.bind(&prove("fresh").unwrap());
    assert!(is_in("fresh") && !is_in("stated"));
}

/// Two devices of alice that prove themselves claim one DeviceId at the same time.
#[test]
fn a_device_id_is_bound_by_success_and_to_whom_it_succeeded_for() {
    let world = World::new();
    world.set("other", ComplianceState::Compliant);
    let gateway = world.gateway();
    let proven = |device: &str| {
        let id = world.id(device).to_string();
        certified(identity(None, Some(&id)))
    };
    let send = |device: &str| {
        let step = Request::of("neverseen", "Sync").settle(&gateway, &proven(device));
        forward(step)
    };
    let (first, second) = (send("good"), send("other"));
    let answered = |forward: &portreeve::mail::Forward, status: u16| {
        answered(&gateway, start(), &forward.exchange, status, b"")
    };
    for status in [
        400, 401, 403, 404, 413, 449, 451, 456, 457, 500, 501, 502, 503, 507,
    ] {
        for forward in [&first, &second] {
            let event = answered(forward, status);
            assert!(
                !matches!(event, Some(Event::Binding(_))),
                "row {status}: {event:?}"
            );
        }
    }
    // Each answer speaks of its own device only, whichever comes first.
    for (forward, device) in [(&second, "other"), (&first, "good")] {
        match answered(forward, 200) {
            Some(Event::Binding(binding)) => {
                assert_eq!(binding.device, world.id(device));
                assert_eq!(binding.user, "alice");
            }
            other => panic!("row {device}: {other:?}"),
        }
    }
    // One whose permission went while it was under way binds nothing, and opens nothing.
    world.set("third", ComplianceState::Compliant);
    let third = send("third");
    world.set("third", ComplianceState::NonCompliant);
    assert!(third.permit.revoked().is_some());
    let again = Request::of("neverseen", "Sync").settle(&gateway, &proven("third"));
    assert_eq!(reply(again).cause, Cause::Blocked);
    // A claim of somebody else's device opens nothing and leaves nothing, whatever the mail server
    // says to it.
    let query = "Cmd=Sync&User=bob&DeviceId=good&DeviceType=phone";
    let claim = Request::post(query).basic("bob", "right");
    for _ in 0..3 {
        let answer = reply(claim.settle(&gateway, &peer()));
        assert_eq!(answer.headers["x-portreeve-reason"], "54016");
    }
    drop(forward(
        Request::of("good", "Sync").settle(&gateway, &peer()),
    ));
}
