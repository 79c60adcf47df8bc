//! The machine around the method: what each response does in each state.

use portreeve::eap;
use portreeve::eap::Conversation;
use portreeve::eap::Discard;
use portreeve::eap::FailureReason;
use portreeve::eap::FragmentError;
use portreeve::eap::Fragmenter;
use portreeve::eap::Invalid;
use portreeve::eap::MAX_INVALID;
use portreeve::eap::Packet;
use portreeve::eap::Progress;
use portreeve::eap::Reassembler;
use portreeve::eap::Side;
use portreeve::eap::Silent;
use portreeve::eap::Step;
use portreeve::eap::Type;
use portreeve::probe::Answer;
use portreeve::probe::Supplicant;

use crate::pki::Device;
use crate::vectors;
use crate::world::World;

/// A state and the identifier of the request that is outstanding in it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Fresh,
    AskedIdentity,
    Offered,
    Receiving,
    Working,
    Sending,
    Over,
}

/// A conversation brought to a state, the outstanding identifier, and a response that goes on.
fn at(world: &World, state: At) -> (Conversation, u8, Vec<u8>) {
    let mut conversation = world.conversation(&world.config(), 256);
    let profile = world.profile(world.root.device(&Device::default()));
    let mut supplicant = Supplicant::new(profile);
    if state == At::Fresh {
        return (conversation, 1, supplicant.identity_response(1));
    }
    if state == At::AskedIdentity {
        conversation.handle_start(world.now);
        return (conversation, 100, supplicant.identity_response(100));
    }
    let mut request = request(conversation.handle(world.now, &supplicant.identity_response(1)));
    let Answer::Response(hello) = supplicant.handle(world.now, &request) else {
        panic!("no ClientHello");
    };
    if state == At::Offered {
        return (conversation, 2, hello);
    }
    if state == At::Over {
        let nak = eap::response(2, Type::NAK, &[0]);
        assert!(matches!(
            conversation.handle(world.now, &nak),
            Step::Failure(_)
        ));
        return (conversation, 2, hello);
    }
    // A ClientHello in two fragments.
    let hello = Packet::new_checked(&hello).unwrap();
    let message = match Reassembler::default().push(&eap::Fragment::parse(hello.data()).unwrap()) {
        Ok(Progress::Whole(message)) => message,
        other => panic!("{other:?}"),
    };
    let mut fragments = Fragmenter::new(message, 200);
    let first = eap::response(2, Type::TLS, &fragments.next_fragment().unwrap());
    request = self::request(conversation.handle(world.now, &first));
    assert_eq!(request, eap::request(3, Type::TLS, &[0]), "acknowledged");
    let second = eap::response(3, Type::TLS, &fragments.next_fragment().unwrap());
    if state == At::Receiving {
        return (conversation, 3, second);
    }
    let step = conversation.handle(world.now, &second);
    assert!(matches!(step, Step::Work));
    if state == At::Working {
        return (conversation, 3, second);
    }
    let first = self::request(conversation.work(world.now));
    assert_eq!(first.len(), 256);
    (conversation, 4, eap::response(4, Type::TLS, &[0]))
}

#[track_caller]
fn request(step: Step) -> Vec<u8> {
    match step {
        Step::Request(request) => request,
        other => panic!("no request but {other:?}"),
    }
}

/// What a step is, without its octets.
fn kind(step: &Step) -> String {
    match step {
        Step::Request(_) => "request".into(),
        Step::Work => "work".into(),
        Step::Ask => "ask".into(),
        Step::Wait => "wait".into(),
        Step::Success(_) => "success".into(),
        Step::Failure(failed) => failed.reason.to_string(),
        Step::Discard(Discard::Silent(silent)) => format!("silent: {silent}"),
        Step::Discard(Discard::Invalid(invalid)) => format!("invalid: {invalid}"),
    }
}

#[test]
fn every_state_meets_every_response() {
    let over = "silent: the conversation is over";
    let busy = "silent: the last response is still being worked on";
    let begun = "server: the conversation began without an identity";
    let nak = "invalid: a Nak that is broken or too late";
    let notification = "invalid: a response of Notification was not asked for";
    let identity = "invalid: a response of Identity was not asked for";
    let tls = "invalid: a response of EAP-TLS was not asked for";
    let start = "invalid: only the server sends the start flag";
    let not_acknowledged = "invalid: data instead of an acknowledgement";
    let rows = [
        // state, next, identity, notification, nak, tls start flag, other identifier
        (
            At::Fresh,
            ["request", "request", begun, begun, begun, "request"],
        ),
        (
            At::AskedIdentity,
            ["request", "request", notification, nak, tls, "identifier"],
        ),
        (
            At::Offered,
            [
                "work",
                identity,
                notification,
                "peer: wants PEAP, and [methods] offers this NAS none of it",
                start,
                "identifier",
            ],
        ),
        (
            At::Receiving,
            ["work", identity, notification, nak, start, "identifier"],
        ),
        (At::Working, [busy, busy, busy, busy, busy, "identifier"]),
        (
            At::Sending,
            [
                "request",
                identity,
                notification,
                nak,
                not_acknowledged,
                "identifier",
            ],
        ),
        (At::Over, [over, over, over, over, over, "identifier"]),
    ];
    let world = World::new();
    for (state, expected) in rows {
        let (_, identifier, next) = at(&world, state);
        let mut other = next.clone();
        other[1] = identifier.wrapping_add(1);
        let responses = [
            next,
            eap::response(identifier, Type::IDENTITY, b"bob"),
            eap::response(identifier, Type::NOTIFICATION, &[]),
            eap::response(identifier, Type::NAK, &[25]),
            eap::response(identifier, Type::TLS, &[0x20]),
            other,
        ];
        for (response, expected) in responses.iter().zip(expected) {
            let (mut conversation, ..) = at(&world, state);
            let step = kind(&conversation.handle(world.now, response));
            let expected = match expected {
                "identifier" => format!(
                    "silent: identifier {} instead of {identifier}",
                    identifier.wrapping_add(1)
                ),
                text => text.to_owned(),
            };
            assert_eq!(step, expected, "row {state:?} {response:02x?}");
        }
    }
}

#[test]
fn malformed_packets_and_other_codes_change_nothing_rfc3748_4() {
    let world = World::new();
    for state in [At::AskedIdentity, At::Offered, At::Receiving, At::Sending] {
        let (mut conversation, identifier, next) = at(&world, state);
        let mut request = next.clone();
        request[0] = 1;
        let mut long = next.clone();
        long[3] = long[3].wrapping_add(1);
        long[2] |= 0x40;
        for (octets, expected) in [
            (&request[..], "silent: not an EAP response"),
            (&eap::success(identifier), "silent: not an EAP response"),
            (&eap::failure(identifier), "silent: not an EAP response"),
            (
                &[],
                "silent: malformed EAP packet: 0 octets are no EAP header",
            ),
            (
                &[2, identifier, 0, 4],
                "silent: malformed EAP packet: the type is missing",
            ),
            (
                &[5, identifier, 0, 5, 1],
                "silent: malformed EAP packet: unknown code 5",
            ),
        ] {
            let step = conversation.handle(world.now, octets);
            assert_eq!(kind(&step), expected, "row {state:?}");
        }
        let step = conversation.handle(world.now, &long);
        assert!(kind(&step).starts_with("silent: malformed"), "{step:?}");
        // Padding behind the packet is no fault.
        let padded = [&next[..], &[0; 7]].concat();
        let step = kind(&conversation.handle(world.now, &padded));
        assert!(
            ["request", "work"].contains(&&*step),
            "row {state:?}: {step}"
        );
    }
}

#[test]
fn a_new_request_has_a_new_identifier_rfc3748_4_1() {
    let world = World::new();
    let mut conversation = world.conversation(&world.config(), 1024);
    let first = request(conversation.handle(world.now, &[2, 255, 0, 5, 1]));
    assert_eq!(first, [1, 0, 0, 6, 13, 0x20]);
    assert_eq!(conversation.last_request(), first);
}

#[test]
fn invalid_packets_repeat_the_request_five_times_rfc3579_2_2() {
    let world = World::new();
    let (mut conversation, identifier, next) = at(&world, At::Receiving);
    let request = conversation.last_request().to_vec();
    let empty = eap::response(identifier, Type::TLS, &[0x00]);
    for _ in 0..MAX_INVALID {
        let step = conversation.handle(world.now, &empty);
        assert!(matches!(
            step,
            Step::Discard(Discard::Invalid(Invalid::Fragment(FragmentError::Empty)))
        ));
        assert_eq!(conversation.last_request(), request);
    }
    // A good packet still goes on …
    let (mut other, ..) = at(&world, At::Receiving);
    for _ in 0..MAX_INVALID {
        other.handle(world.now, &empty);
    }
    assert!(matches!(other.handle(world.now, &next), Step::Work));
    // … and a sixth bad one ends the conversation.
    let Step::Failure(failed) = conversation.handle(world.now, &empty) else {
        panic!("no failure");
    };
    assert_eq!(failed.packet, eap::failure(identifier));
    assert_eq!(
        failed.reason.to_string(),
        "server: more than 5 invalid EAP packets, the last: a fragment without data"
    );
    assert!(conversation.is_over());
}

#[test]
fn identities_end_at_253_octets() {
    let world = World::new();
    for (octets, expected) in [
        (0, "request"),
        (253, "request"),
        (254, "invalid: an identity of 254 octets"),
    ] {
        let mut conversation = world.conversation(&world.config(), 1024);
        let response = eap::response(9, Type::IDENTITY, &vec![b'a'; octets]);
        let step = conversation.handle(world.now, &response);
        assert_eq!(kind(&step), expected, "row {octets}");
    }
}

#[test]
fn a_nak_ends_the_offer_and_says_what_is_wanted_rfc3748_5_3() {
    let world = World::new();
    let vectors = vectors::packets();
    for (name, wanted) in [
        ("nak_tls_and_peap", "EAP-TLS, PEAP"),
        ("nak_nothing", "none"),
        ("expanded_nak_tls", "EAP-TLS"),
    ] {
        let (mut conversation, ..) = at(&world, At::Offered);
        let Step::Failure(failed) = conversation.handle(world.now, vectors.get(name)) else {
            panic!("row {name}");
        };
        assert_eq!(failed.packet, eap::failure(2));
        assert_eq!(failed.reason.side(), Side::Peer);
        let text = format!("peer: wants {wanted}, and [methods] offers this NAS none of it");
        assert_eq!(failed.reason.to_string(), text, "row {name}");
    }
    let (mut conversation, ..) = at(&world, At::Offered);
    let broken = eap::response(2, Type::NAK, &[]);
    let step = conversation.handle(world.now, &broken);
    assert!(matches!(
        step,
        Step::Discard(Discard::Invalid(Invalid::Nak))
    ));
}

#[test]
fn lengths_that_lie_end_the_conversation_rfc5216_3_1() {
    let world = World::new();
    for (type_data, expected) in [
        (
            &[0x80, 0, 0, 0, 9, 1][..],
            "server: 9 octets were announced, 1 came",
        ),
        (
            &[0xc0, 0, 1, 0, 1, 1],
            "server: a TLS message of more than 65536 octets",
        ),
        (
            &[0xc0, 0xff, 0xff, 0xff, 0xff, 1],
            "server: a TLS message of more than 65536 octets",
        ),
    ] {
        let (mut conversation, ..) = at(&world, At::Offered);
        let step = conversation.handle(world.now, &eap::response(2, Type::TLS, type_data));
        assert_eq!(kind(&step), expected, "row {type_data:02x?}");
    }
}

#[test]
fn endless_fragments_end_with_the_rounds() {
    let world = World::new();
    let (mut conversation, mut identifier, _) = at(&world, At::Offered);
    let mut first = vec![0xc0, 0, 1, 0, 0, 1];
    for round in 3_u16.. {
        let response = eap::response(identifier, Type::TLS, &first);
        match conversation.handle(world.now, &response) {
            Step::Request(request) => identifier = request[1],
            Step::Failure(failed) => {
                assert_eq!(failed.reason, FailureReason::Rounds { limit: 100 });
                assert_eq!(round, 102);
                return;
            }
            other => panic!("{other:?}"),
        }
        first = vec![0x40, 1];
    }
}

#[test]
fn work_and_start_out_of_turn_do_nothing() {
    let world = World::new();
    let out_of_turn = Discard::Silent(Silent::OutOfTurn);
    for state in [
        At::Fresh,
        At::AskedIdentity,
        At::Offered,
        At::Sending,
        At::Over,
    ] {
        let (mut conversation, _, next) = at(&world, state);
        match conversation.work(world.now) {
            Step::Discard(discard) => assert_eq!(discard, out_of_turn, "row {state:?}"),
            other => panic!("row {state:?}: {other:?}"),
        }
        if state != At::Fresh {
            match conversation.handle_start(world.now) {
                Step::Discard(discard) => assert_eq!(discard, out_of_turn, "row {state:?}"),
                other => panic!("row {state:?}: {other:?}"),
            }
        }
        if state != At::Over {
            let step = kind(&conversation.handle(world.now, &next));
            assert!(
                ["request", "work"].contains(&&*step),
                "row {state:?}: {step}"
            );
        }
    }
}

#[test]
fn packets_are_those_of_the_vectors() {
    let vectors = vectors::packets();
    assert_eq!(
        eap::request(1, Type::IDENTITY, &[]),
        vectors.get("identity_request")
    );
    assert_eq!(
        eap::response(1, Type::IDENTITY, b"alice"),
        vectors.get("identity_response_alice")
    );
    assert_eq!(
        eap::request(3, Type::TLS, &[0x20]),
        vectors.get("tls_start")
    );
    assert_eq!(
        eap::response(4, Type::TLS, &[0]),
        vectors.get("tls_acknowledgement")
    );
    let mut fragments = Fragmenter::new(vec![0; 3000], 1024 - 5);
    for (identifier, name) in [
        (5, "tls_first_fragment_head"),
        (6, "tls_middle_fragment_head"),
    ] {
        let data = fragments.next_fragment().unwrap();
        let packet = eap::request(identifier, Type::TLS, &data);
        assert!(packet.starts_with(vectors.get(name)), "row {name}");
        assert_eq!(packet.len(), 1024);
    }
    assert_eq!(eap::success(9), vectors.get("success"));
    assert_eq!(eap::failure(9), vectors.get("failure"));
}

#[test]
fn time_from_first_to_last_packet_is_told() {
    let mut world = World::new();
    let (mut conversation, ..) = at(&world, At::Offered);
    world.passes(std::time::Duration::from_millis(1500));
    let nak = eap::response(2, Type::NAK, &[0]);
    let Step::Failure(failed) = conversation.handle(world.now, &nak) else {
        panic!("no failure");
    };
    assert_eq!(failed.elapsed.as_millis(), 1500);
}
