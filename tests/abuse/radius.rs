//! Layer by layer: datagrams, attributes, signatures, credentials, accounting.

use std::net::UdpSocket;

use crate::gateway::until;
use crate::packet::ACCESS_REQUEST;
use crate::packet::ACCOUNTING_REQUEST;
use crate::packet::Raw;
use crate::packet::STATUS_SERVER;
use crate::packet::find;
use crate::world::Case;
use crate::world::Door;
use crate::world::Fate;
use crate::world::World;

const ACCEPT: u8 = 2;
const REJECT: u8 = 3;

fn dropped(row: &'static str, reason: &'static str, octets: Vec<u8>) -> Case {
    Case {
        row,
        door: Door::Authentication,
        octets,
        fate: Fate::Dropped(reason),
    }
}

fn answered(row: &'static str, code: u8, octets: Vec<u8>) -> Case {
    Case {
        row,
        door: Door::Authentication,
        octets,
        fate: Fate::Answered(code),
    }
}

fn accounting(row: &'static str, reason: &'static str, octets: Vec<u8>) -> Case {
    Case {
        door: Door::Accounting,
        ..dropped(row, reason, octets)
    }
}

fn request() -> Raw {
    Raw::new(ACCESS_REQUEST).with(32, b"switch")
}

#[test]
fn lengths_that_lie_rfc2865_3() {
    let world = World::new();
    let status = || Raw::new(STATUS_SERVER).with(80, &[0; 16]);
    let mut trailing = Raw::new(STATUS_SERVER).signed(&world.secret);
    trailing.extend_from_slice(&[0xff; 300]);
    let whole = status().measured().octets;
    world.abuse(vec![
        dropped("one octet", "malformed", vec![1]),
        dropped("nineteen octets", "malformed", whole[..19].to_vec()),
        dropped("length 0", "malformed", status().lying(0)),
        dropped("length 19", "malformed", status().lying(19)),
        dropped("one more than there is", "malformed", status().lying(39)),
        dropped("length 4097", "malformed", status().lying(4097)),
        dropped("length 65535", "malformed", status().lying(65535)),
        dropped(
            "5,000 octets that say so",
            "malformed",
            status().raw(&[0; 4962]).lying(5000),
        ),
        answered("octets beyond the length", ACCEPT, trailing),
    ]);
}

#[test]
fn codes_that_no_nas_sends_rfc2865_3_rfc5080_2() {
    let world = World::new();
    for code in [0, 6, 10, 13, 39, 46, 99, 254, 255] {
        let octets = Raw::new(code).signed(&world.secret);
        world.abuse(vec![dropped(
            "a code without a name",
            "unexpected_code",
            octets,
        )]);
    }
    for code in [2, 3, 5, 11, 40, 41, 42, 43, 44, 45, 52] {
        let octets = Raw::new(code).signed(&world.secret);
        world.abuse(vec![dropped(
            "a code of servers",
            "unexpected_code",
            octets,
        )]);
    }
}

#[test]
fn attributes_that_do_not_add_up_rfc2865_5() {
    let world = World::new();
    let ends_in = |octets: &[u8]| request().raw(octets).signed(&world.secret);
    let many = (0..200).fold(Raw::new(ACCESS_REQUEST), |request, _| {
        request.with(18, b"x")
    });
    let vendor = |value: &[u8]| {
        request()
            .with(1, b"nobody")
            .with(2, &[0; 16])
            .with(26, value)
            .signed(&world.secret)
    };
    world.abuse(vec![
        dropped("length 0", "malformed", ends_in(&[1, 0])),
        dropped("length 1", "malformed", ends_in(&[1, 1])),
        dropped("beyond the end", "malformed", ends_in(&[1, 255, 0])),
        dropped("one octet is left", "malformed", ends_in(&[1])),
        dropped("a loop of nothing", "malformed", ends_in(&[0; 64])),
        dropped("201 attributes", "malformed", many.signed(&world.secret)),
        // What is wrong inside of a vendor's attribute is not ours to judge (RFC 2865 section 5.26).
        answered("a vendor of three octets", REJECT, vendor(&[0, 0, 9])),
        answered("an empty vendor", REJECT, vendor(&[])),
        answered(
            "a vendor's length that lies",
            REJECT,
            vendor(&[0, 0, 0, 9, 1, 200]),
        ),
        answered(
            "a vendor's length of 0",
            REJECT,
            vendor(&[0, 0, 0, 9, 1, 0, 1, 0]),
        ),
        // RFC 6929 section 2: an extended attribute of no type.
        answered("an extended attribute of nothing", REJECT, {
            let request = request().with(1, b"nobody").with(2, &[0; 16]);
            request.with(241, &[]).with(245, &[1]).signed(&world.secret)
        }),
    ]);
}

#[test]
fn signatures_that_are_missing_or_wrong_rfc3579_3_2_and_blastradius() {
    let world = World::new();
    let bypass = || {
        request()
            .with(1, b"00-00-5E-00-53-01")
            .with(31, b"00-00-5E-00-53-01")
    };
    let mut flipped = bypass().signed(&world.secret);
    flipped[30] ^= 1;
    let mut first = bypass().signed(&world.secret);
    first[4] ^= 1;
    let twice = bypass().with(80, &[0; 16]).signed(&world.secret);
    let missing = "missing_message_authenticator";
    let bad = "bad_message_authenticator";
    let mut rows = vec![
        dropped("none", missing, bypass().unsigned()),
        // What CVE-2024-3596 needs.
        dropped(
            "none, with Proxy-State",
            missing,
            bypass().with(33, b"x").unsigned(),
        ),
        dropped(
            "none, with EAP",
            missing,
            bypass().eap(&[2, 1, 0, 6, 1, b'x']).unsigned(),
        ),
        dropped(
            "a Status-Server without",
            missing,
            Raw::new(STATUS_SERVER).unsigned(),
        ),
        dropped("zeros", bad, bypass().with(80, &[0; 16]).unsigned()),
        dropped("a bit of it", bad, flipped),
        dropped("a bit of the authenticator", bad, first),
        dropped(
            "another secret",
            bad,
            bypass().signed(b"another secret than that"),
        ),
        dropped("twice", "repeated_attribute", twice),
    ];
    for length in [0, 15, 17] {
        let octets = bypass().with(80, &vec![0; length]).unsigned();
        rows.push(dropped("of another length", "malformed", octets));
    }
    world.abuse(rows);
}

#[test]
fn credentials_that_contradict_each_other_rfc2865_4_1_rfc3579_3_3() {
    let world = World::new();
    let secret = &world.secret;
    let eap = [2, 1, 0, 6, 1, b'x'];
    let conflicting = "conflicting_credentials";
    let mut rows = vec![
        dropped(
            "a password and CHAP",
            conflicting,
            request().with(2, &[0; 16]).with(3, &[1; 17]).signed(secret),
        ),
        dropped(
            "a password and EAP",
            conflicting,
            request().with(2, &[0; 16]).eap(&eap).signed(secret),
        ),
        dropped(
            "EAP in two places",
            "split_eap_message",
            request()
                .eap(&eap)
                .with(4, &[127, 0, 0, 1])
                .eap(&eap)
                .signed(secret),
        ),
        dropped(
            "two names",
            "repeated_attribute",
            request()
                .with(1, b"a")
                .with(1, b"b")
                .with(2, &[0; 16])
                .signed(secret),
        ),
        dropped(
            "two States",
            "repeated_attribute",
            request()
                .with(24, b"a")
                .with(24, b"b")
                .eap(&eap)
                .signed(secret),
        ),
    ];
    for length in [0, 1, 15, 17, 144, 253] {
        let octets = request()
            .with(1, b"a")
            .with(2, &vec![0; length])
            .signed(secret);
        rows.push(dropped(
            "a password of no length",
            "bad_password_length",
            octets,
        ));
    }
    for length in [0, 16, 18] {
        let octets = request()
            .with(1, b"a")
            .with(3, &vec![0; length])
            .signed(secret);
        rows.push(dropped("CHAP of no length", "bad_password_length", octets));
    }
    world.abuse(rows);
}

#[test]
fn proxy_states_come_back_as_they_are_and_a_flood_of_them_costs_only_its_sender_rfc2865_5_33() {
    let world = World::new();
    let bypass = || {
        request()
            .with(1, b"00-00-5E-00-53-01")
            .with(31, b"00-00-5E-00-53-01")
    };
    let states: Vec<Vec<u8>> = (0..150_u8).map(|number| vec![number; 3]).collect();
    let request = states
        .iter()
        .fold(bypass(), |request, state| request.with(33, state))
        .signed(&world.secret);
    let reply = world.ask(world.gateway.authentication, &request, "150 of them");
    assert_eq!(find(&reply, 33), states);
    // Beside them no reply has room: nothing is sent that would be no answer.
    let flood = (0..15).fold(bypass(), |request, _| request.with(33, &[7; 253]));
    let flood = flood.with(33, &[7; 100]).signed(&world.secret);
    assert!(flood.len() > 4000);
    let rows = vec![dropped("4,000 octets of them", "reply_too_long", flood)];
    world.abuse(rows);
}

#[test]
fn a_stranger_is_not_even_read_rfc2865_3() {
    let world = World::new();
    let stranger = UdpSocket::bind("127.200.0.1:0").unwrap();
    let before = world.dropped("unknown_nas");
    let status = Raw::new(STATUS_SERVER).signed(&world.secret);
    for octets in [&status[..], &[], &[0; 5000]] {
        stranger
            .send_to(octets, world.gateway.authentication)
            .unwrap();
    }
    until("strangers are counted", || {
        (world.dropped("unknown_nas") >= before + 2).then_some(())
    });
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 100]).is_err(), "no answer");
    world.lives("a stranger");
}

#[test]
fn accounting_that_is_forged_or_says_nothing_rfc2866_3_and_4() {
    let world = World::new();
    let secret = &world.secret;
    let start = || {
        Raw::new(ACCOUNTING_REQUEST)
            .with(40, &[0, 0, 0, 1])
            .with(44, b"s-1")
    };
    let bad = "bad_authenticator";
    let mut flipped = start().accounted(secret);
    *flipped.last_mut().unwrap() ^= 1;
    let only = |kind, value: &[u8]| {
        Raw::new(ACCOUNTING_REQUEST)
            .with(kind, value)
            .accounted(secret)
    };
    world.abuse(vec![
        accounting("unsigned", bad, start().unsigned()),
        accounting(
            "another secret",
            bad,
            start().accounted(b"another secret than that"),
        ),
        accounting("a bit of it", bad, flipped),
        accounting("no session", "missing_attribute", only(40, &[0, 0, 0, 1])),
        accounting("no status", "missing_attribute", only(44, b"s-1")),
        accounting("a status of three octets", "missing_attribute", {
            let request = Raw::new(ACCOUNTING_REQUEST).with(40, &[0, 0, 1]);
            request.with(44, b"s-1").accounted(secret)
        }),
        accounting("a length that lies", "malformed", start().lying(4000)),
        accounting(
            "an Access-Request at this door",
            "unexpected_code",
            request().with(1, b"a").with(2, &[0; 16]).signed(secret),
        ),
        accounting(
            "a wrong Message-Authenticator",
            "bad_message_authenticator",
            start().with(80, &[1; 16]).accounted(secret),
        ),
        Case {
            door: Door::Accounting,
            ..answered("a right one", 5, start().accounted(secret))
        },
    ]);
    let before = world.dropped("unexpected_code");
    let to = world.gateway.authentication;
    world
        .socket
        .send_to(&start().accounted(secret), to)
        .unwrap();
    until("accounting at the other door is counted", || {
        (world.dropped("unexpected_code") > before).then_some(())
    });
    // No session was opened but that of the right one.
    assert_eq!(world.metric("portreeve_sessions "), 1);
}

/// Signed by somebody who has the secret, and then anything.
#[test]
fn ten_thousand_requests_with_octets_changed_cost_only_their_sender() {
    let world = World::new();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut roll = move |below: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice >> 11).unwrap() % below
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..10_000 {
        let (code, door) = if number % 3 == 0 {
            (ACCOUNTING_REQUEST, Door::Accounting)
        } else {
            (ACCESS_REQUEST, Door::Authentication)
        };
        let mut request = Raw::new(code)
            .with(1, b"alice@example.com")
            .with(31, b"00-00-5E-00-53-01")
            .with(
                26,
                &[0, 0, 0, 9, 1, 9, b'm', b'd', b'm', b'-', b't', b'l', b'v'],
            )
            .with(24, &[7; 19])
            .with(40, &[0, 0, 0, 1])
            .with(44, b"s-1")
            .with(25, b"portreeve:12345678")
            .with(33, &[1, 2, 3]);
        if number % 3 == 1 {
            request = request.eap(&[2, 1, 0, 10, 13, 0x80, 0, 0, 0, 1]);
        }
        for _ in 0..=roll(6) {
            let place = 20 + roll(request.octets.len() - 20);
            request.octets[place] =
                [0, 1, 2, 0x7f, 0xff][roll(5)].max(u8::try_from(roll(256)).unwrap());
        }
        let octets = match door {
            Door::Accounting => request.accounted(&world.secret),
            Door::Authentication => request.signed(&world.secret),
        };
        socket.send_to(&octets, world.to(door)).unwrap();
        if number % 2_500 == 0 {
            world.lives("octets changed");
        }
    }
    world.lives("octets changed");
    let lost = world.metric("portreeve_jobs_lost_total ");
    assert_eq!(lost, 0, "no worker has panicked");
}
