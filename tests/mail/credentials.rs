//! What is asked, remembered and said of credentials, in virtual time.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::StatusCode;
use portreeve::access::Outcome;
use portreeve::mail::Action;
use portreeve::mail::Cause;
use portreeve::mail::Gateway;
use portreeve::mail::Told;

use crate::gateway::identity;
use crate::gateway::record;
use crate::gateway::told;
use crate::world::Request;
use crate::world::World;
use crate::world::ask;
use crate::world::certified;
use crate::world::config;
use crate::world::honest;
use crate::world::offer;
use crate::world::peer;
use crate::world::reply;
use crate::world::said;
use crate::world::start;

/// Each domain before a name, and each case, had refusals of its own; and no record said why a
/// user with the right password was kept out.
#[test]
fn a_throttled_user_is_told_so_in_whatever_spelling_r30() {
    let world = World::new();
    let gateway = world.gateway();
    for guess in 0..10 {
        let name = match guess % 7 {
            5 => format!("alice\u{ff20}d{guess}.example"),
            6 => format!("D{guess}\u{ff3c}alice"),
            3 => "\u{e1}li\u{327}ce".to_owned(),
            4 => "\u{ff41}\u{ff4c}\u{ff29}\u{ff43}\u{ff45}".to_owned(),
            0 => format!("D{guess}\\alice"),
            1 => format!("Alice@d{guess}.example"),
            _ => "ALICE".to_owned(),
        };
        let query = "Cmd=Sync&User=alice&DeviceId=good&DeviceType=phone";
        let request = Request::post(query).basic(&name, &format!("wrong{guess}"));
        assert_eq!(
            reply(request.settle(&gateway, &peer())).cause,
            Cause::Refused,
            "row {name}"
        );
    }
    for (row, recorded) in [("first", true), ("second", false)] {
        let step = Request::of("good", "Sync").settle(&gateway, &peer());
        let text = step.event.as_ref().map(|event| {
            let record = record(Some(event));
            assert_eq!(record.user.as_str(), "alice");
            match record.outcome {
                Outcome::NotAuthenticated(why) => why.as_str().to_owned(),
                Outcome::Decided(_) => panic!("decided"),
            }
        });
        let expected = "throttled: too many wrong passwords of this user";
        assert_eq!(text.as_deref(), recorded.then_some(expected), "row {row}");
        let reply = reply(step);
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "row {row}");
        assert_eq!(reply.headers["retry-after"], "600", "row {row}");
        assert!(
            said(&reply).contains("Too many wrong passwords"),
            "{reply:?}"
        );
        assert!(!said(&reply).contains("reached"), "{reply:?}");
    }
    // Another user of the same address is not.
    let bob = Request::of("good", "Sync").basic("bob", "right");
    assert!(matches!(bob.send(&gateway, &peer()).action, Action::Ask(_)));
}

/// Whoever knew a user's name kept that user's phones out of their mail with ten wrong passwords every
/// ten minutes, after a restart at once.
#[test]
fn guesses_keep_no_phone_out_that_has_signed_in_before() {
    let world = World::new();
    let from = |last: u8| {
        let mut peer = (*peer()).clone();
        peer.address = [192, 0, 2, last].into();
        Arc::new(peer)
    };
    let guess = |gateway: &Gateway, device: &str, password: &str| {
        let request = Request::of(device, "Sync").basic("alice", password);
        reply(request.settle(gateway, &from(200))).cause
    };
    let (phone, none) = (Request::of("good", "Sync"), HeaderMap::new());
    let gateway = world.gateway();
    let step = phone.settle(&gateway, &from(1));
    assert!(matches!(step.action, Action::Forward(_)));
    world.learn(&gateway);
    for restarted in [false, true] {
        // Of a restart the credentials that were accepted do not survive.
        let gateway = if restarted {
            &world.gateway()
        } else {
            &gateway
        };
        let asked = (0..30)
            .filter(|number| guess(gateway, "other", &format!("wrong {number}")) == Cause::Refused);
        assert_eq!(asked.count(), 10);
        assert_eq!(guess(gateway, "other", "right?"), Cause::Throttled);
        // When the password has to be asked about again, wherever the phone is by then; and a new one.
        let later = start().plus(Duration::from_secs(599));
        for (password, last) in [("right", 2), ("new", 3), ("new", 1)] {
            let request = Request::of("good", "Sync").basic("alice", password);
            let step = request.send_at(later, gateway, &from(last));
            let is_forwarded = match step.action {
                Action::Ask(ask) => {
                    assert_eq!(ask.pause, None, "row {restarted} {password} {last}");
                    drop(gateway.handle_told(later, ask.ticket, Told::Unreachable));
                    false
                }
                Action::Forward(_) => true,
                Action::Answer(reply) => panic!("row {restarted} {password} {last}: {reply:?}"),
                Action::Read(_) | Action::Publish(_) | Action::Discover(_) => {
                    panic!("something else")
                }
            };
            let is_remembered = !restarted && password == "right";
            assert_eq!(is_forwarded, is_remembered, "row {restarted} {password}");
        }
        // Whoever takes the phone's DeviceId in vain has ten guesses as well, and no more.
        let asked = (0..30).filter(|number| {
            guess(gateway, "good", &format!("wrong again {number}")) == Cause::Refused
        });
        assert_eq!(asked.count(), 10);
        // Even then the password that was right is asked about when it has to be, but for after a
        // restart.
        let asked = (0..30).filter(|number| {
            let now = start().plus(Duration::from_secs(601));
            let request = Request::of("good", "Sync").basic("alice", &format!("late {number}"));
            let mut step = request.send_at(now, gateway, &from(200));
            while let Action::Ask(ask) = step.action {
                let refused = Told::Answer(StatusCode::UNAUTHORIZED, &none);
                step = gateway.handle_told(now, ask.ticket, refused);
            }
            reply(step).cause == Cause::Refused
        });
        assert_eq!(asked.count(), 10, "row {restarted}");
        let much_later = start().plus(Duration::from_secs(602));
        let step = phone.send_at(much_later, gateway, &from(4));
        let is_asked = matches!(step.action, Action::Ask(_));
        assert_eq!(is_asked, !restarted);
    }
}

#[test]
fn an_address_that_guesses_at_many_users_is_throttled() {
    let world = World::new();
    let gateway = world.gateway();
    for guess in 0..100 {
        let request = Request::of("good", "Sync").basic(&format!("user{guess}"), "wrong");
        let answer = reply(request.settle(&gateway, &peer()));
        assert_eq!(answer.cause, Cause::Refused, "row {guess}");
    }
    let request = Request::of("good", "Sync");
    let step = request.settle(&gateway, &peer());
    let Outcome::NotAuthenticated(why) = record(step.event.as_ref()).outcome else {
        panic!("decided");
    };
    assert_eq!(
        why.as_str(),
        "throttled: too many wrong passwords from this address"
    );
    assert_eq!(reply(step).cause, Cause::Throttled);
    let mut elsewhere = (*peer()).clone();
    elsewhere.address = [192, 0, 2, 8].into();
    let step = request.settle(&gateway, &Arc::new(elsewhere));
    assert!(matches!(step.action, Action::Forward(_)));
}

/// After a restart thousands of phones signed in at once, and all but a hundred of an address were
/// refused for it.
#[test]
fn sign_ins_beyond_those_that_are_asked_about_wait_for_their_turn() {
    let world = World::new();
    let gateway = world.gateway();
    let sign_in = |user: &str| {
        let request = Request::of("good", "Sync").basic(user, "right");
        ask(request.send(&gateway, &peer()))
    };
    let mut under_way: Vec<_> = (0..100).map(|n| sign_in(&format!("u{n}"))).collect();
    assert!(under_way.iter().all(|ask| ask.pause.is_none()));
    let waits = sign_in("alice");
    assert_eq!(waits.pause, Some(Duration::from_millis(50)));
    let waits = ask(gateway.handle_told(start(), waits.ticket, Told::Waited));
    assert_eq!(waits.pause, Some(Duration::from_millis(100)));
    // One of the hundred is done.
    let done = under_way.pop().unwrap();
    drop(gateway.handle_told(start(), done.ticket, Told::Unreachable));
    let asks = ask(gateway.handle_told(start(), waits.ticket, Told::Waited));
    assert_eq!(asks.pause, None);
    // And one for which no place becomes free in all that time.
    let mut waits = sign_in("bob");
    let mut waited = Duration::ZERO;
    let refused = loop {
        waited += waits.pause.expect("it was asked about");
        let step = gateway.handle_told(start(), waits.ticket, Told::Waited);
        let Action::Ask(again) = step.action else {
            break step;
        };
        waits = again;
    };
    assert!(waited > Duration::from_secs(10), "{waited:?}");
    assert!(waited < Duration::from_secs(20), "{waited:?}");
    assert_eq!(reply(refused).cause, Cause::Throttled);
}

/// A mail server that throttles was called unreachable, and its Retry-After was lost.
#[test]
fn a_mail_server_that_asks_to_wait_is_passed_on() {
    let world = World::new();
    for (status, stated, expected) in [
        (503, Some("90"), "90"),
        (429, Some("7"), "7"),
        (503, Some("1000000"), "3600"),
        (503, Some("Sat, 21 Nov 2026 12:00:00 GMT"), "10"),
        (503, None, "10"),
    ] {
        let gateway = world.gateway();
        let step = Request::of("good", "Sync").send(&gateway, &peer());
        let step = told(&gateway, step, 401, &HeaderMap::new());
        let mut answer = HeaderMap::new();
        if let Some(stated) = stated {
            answer.insert("retry-after", stated.parse().unwrap());
        }
        answer.insert("x-ms-asthrottle", "CommandFrequency".parse().unwrap());
        let reply = reply(told(&gateway, step, status, &answer));
        assert_eq!(reply.status.as_u16(), 503, "row {status} {stated:?}");
        assert_eq!(reply.headers["retry-after"], expected, "row {stated:?}");
        assert!(said(&reply).contains("busy"), "{reply:?}");
        assert_eq!(reply.headers["x-ms-asthrottle"], "CommandFrequency");
    }
}

/// A password that had been refused was refused for a minute after it had become the right one.
#[test]
fn a_password_that_becomes_right_is_taken_within_seconds() {
    let world = World::new();
    let gateway = world.gateway();
    let sent = |second, status| {
        let now = start().plus(Duration::from_secs(second));
        let request = Request::of("good", "Sync").basic("alice", "tomorrows");
        let mut step = request.send_at(now, &gateway, &peer());
        let mut asked = 0;
        while let Action::Ask(ask) = step.action {
            asked += 1;
            let has_password = ask.request.headers().contains_key("authorization");
            let status = if has_password { status } else { 401 };
            let status = StatusCode::from_u16(status).unwrap();
            step = gateway.handle_told(now, ask.ticket, Told::Answer(status, &offer()));
        }
        (asked > 0, matches!(step.action, Action::Forward(_)))
    };
    assert_eq!(sent(0, 401), (true, false));
    // The user sets it now; the phone asks every second.
    for second in 1..5 {
        assert_eq!(sent(second, 200), (false, false), "row {second}");
    }
    assert_eq!(sent(5, 200), (true, true));
}

/// A client with a certificate and no password was told 403 instead of being asked for one; and a
/// wrong password was told whose the certificate was.
#[test]
fn nothing_is_said_of_a_certificate_before_the_upstream_accepts() {
    let world = World::new();
    let mut trusting = config();
    trusting.certificate_user_header = Some("X-Test-User".parse().unwrap());
    let alice = certified(identity(Some("alice"), Some(&world.id("good").to_string())));
    // The connection may be older than the certificate is good.
    let late = start().plus(Duration::from_secs(60 * 86_400));
    let of = |user: &str, password: &str| {
        let query = format!("Cmd=Sync&User={user}&DeviceId=good&DeviceType=phone");
        Request::post(&query).basic(user, password)
    };
    for (row, config, now, user) in [
        ("another user", config(), start(), "bob"),
        ("beside its validity", config(), late, "alice"),
        ("another user, trusted", trusting, start(), "bob"),
    ] {
        let gateway = world.gateway_with(config);
        for (password, status, cause) in [
            ("wrong", 401, Cause::Refused),
            ("right", 403, Cause::Certificate),
        ] {
            let mut step = of(user, password).send_at(now, &gateway, &alice);
            while let Action::Ask(ask) = step.action {
                step = honest(&gateway, ask);
            }
            let record = record(step.event.as_ref()).clone();
            assert!(matches!(record.outcome, Outcome::NotAuthenticated(_)));
            assert!(record.seen.posture().is_none(), "row {row}");
            let answer = reply(step);
            let got = (answer.status.as_u16(), answer.cause);
            assert_eq!(got, (status, cause), "row {row} {password}");
            let speaks = said(&answer).contains("certificate");
            assert_eq!(speaks, status == 403, "row {row} {password}");
        }
    }
}

/// The same, before there is any password.
#[test]
fn a_certificate_that_signs_nobody_in_gets_the_challenge() {
    let world = World::new();
    let mut trusting = config();
    trusting.certificate_user_header = Some("X-Test-User".parse().unwrap());
    let alice = certified(identity(Some("alice"), Some(&world.id("good").to_string())));
    let late = start().plus(Duration::from_secs(60 * 86_400));
    let bare = Request::post("Cmd=Sync&User=alice&DeviceId=good&DeviceType=phone");
    for (row, config, now, cause) in [
        ("not trusted", config(), start(), Cause::NoCredential),
        ("late, not trusted", config(), late, Cause::NoCredential),
        ("late", trusting.clone(), late, Cause::Certificate),
    ] {
        let gateway = world.gateway_with(config);
        let answer = reply(bare.send_at(now, &gateway, &alice));
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "row {row}");
        assert_eq!(answer.cause, cause, "row {row}");
        let challenge = answer.headers["www-authenticate"].as_bytes();
        assert!(challenge.starts_with(b"Basic "), "row {row}");
    }
    // And one that does, where the upstream does not take our word and wants a password.
    let gateway = world.gateway_with(trusting);
    let step = bare.send(&gateway, &alice);
    let step = told(&gateway, step, 401, &HeaderMap::new());
    let answer = reply(told(&gateway, step, 401, &HeaderMap::new()));
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.headers.contains_key("www-authenticate"));
}
