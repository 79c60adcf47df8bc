//! EAP in RADIUS: State, identity, invalid packets, sizes, silence.

use std::time::Duration;

use portreeve::eap;
use portreeve::eap::Type;
use portreeve::probe::Profile;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Signature;

use crate::lab::GOOD;
use crate::lab::Lab;
use crate::lab::refusal;
use crate::nas::Nas;
use crate::nas::Reply;
use crate::pair::Next;
use crate::pki::Device;

#[test]
fn eap_start_is_answered_with_an_identity_request_rfc3579_2_1() {
    let mut lab = Lab::new();
    for named in ["", "00-00-5E-00-53-07", "anonymous@contoso.com"] {
        let mut pair = lab.pair(GOOD);
        // The NAS does not know who it is yet.
        let real = std::mem::replace(&mut pair.user, named.as_bytes().to_vec());
        let identity = std::mem::take(&mut pair.response);
        let request = pair.request();
        let reply = lab.ask(&pair.nas, &request).unwrap();
        assert_eq!(reply.code, Code::AccessChallenge, "row {named}");
        let eap = reply.eap().unwrap();
        assert_eq!((eap[0], eap[4]), (1, 1), "row {named}: Request, Identity");
        // From the next request on it says what the peer answered.
        pair.user = real;
        pair.response = identity;
        pair.response[1] = eap[1];
        pair.state = reply.find(AttributeType::STATE);
        let request = pair.request();
        lab.go_on(&mut pair, request).accepted(&pair.nas);
    }
}

#[test]
fn after_eap_start_the_name_is_bound_once_it_is_known_rfc3579_2_6_1() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let identity = std::mem::take(&mut pair.response);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    pair.response = identity;
    pair.response[1] = reply.eap().unwrap()[1];
    pair.state = reply.find(AttributeType::STATE);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    let Next::Request(_) = pair.take(lab.now, reply) else {
        panic!("the end");
    };
    pair.user = b"somebody@contoso.com".to_vec();
    let request = pair.request();
    assert_unknown_state(&mut lab, &pair.nas, &request);
}

#[test]
fn a_user_name_that_is_not_the_identity_is_refused_rfc3579_2_1() {
    // The User-Name routes the request; what is decided is about the peer.
    let mut lab = Lab::new();
    for named in ["bob@contoso.com", "Anonymous@contoso.com", "anonymous"] {
        let mut pair = lab.pair(GOOD);
        pair.user = named.as_bytes().to_vec();
        let request = pair.request();
        let reply = lab.ask(&pair.nas, &request).unwrap();
        assert_eq!(reply.code, Code::AccessReject, "row {named}");
        assert_eq!(reply.eap(), Some(vec![4, 1, 0, 4]), "row {named}");
        assert!(refusal(&lab.record()).contains("User-Name"), "row {named}");
    }
    // One that is missing contradicts nothing.
    let mut pair = lab.pair(GOOD);
    pair.user.clear();
    lab.login(&mut pair).accepted(&pair.nas);
}

#[test]
fn a_state_that_nobody_has_is_rejected_with_eap_failure_rfc5080_2_1_1() {
    let mut lab = Lab::new();
    for state in [&[][..], &[0; 18], &[0; 19], &[9; 19], &[0; 20], &[0; 253]] {
        let mut pair = lab.pair(GOOD);
        pair.state = Some(state.to_vec());
        let request = pair.request();
        let reply = assert_unknown_state(&mut lab, &pair.nas, &request);
        assert_eq!(
            reply.kinds(),
            [
                AttributeType::MESSAGE_AUTHENTICATOR,
                AttributeType::EAP_MESSAGE
            ],
            "row {}",
            state.len()
        );
    }
    assert_eq!(lab.servers[0].counters().not_authenticated.get(), 6);
}

#[test]
fn a_state_is_bound_to_nas_user_and_station_rfc3579_2_6_1() {
    let mut lab = Lab::new();
    for row in ["nas", "user", "no user", "station", "no station"] {
        let mut pair = lab.pair(GOOD);
        let request = lab.login_up_to(&mut pair, 2);
        let state = pair.state.clone().unwrap();
        let response = pair.response.clone();
        let mut thief = match row {
            // Another NAS with the same secret.
            "nas" => Nas::new("192.0.2.99:1812", crate::world::SECRET),
            _ => Nas::new("192.0.2.1:4444", crate::world::SECRET),
        };
        let user: &[u8] = match row {
            "user" => b"mallory@contoso.com",
            "no user" => b"",
            _ => &pair.user,
        };
        let station = match row {
            "station" => Some("00-00-5E-00-53-99"),
            "no station" => None,
            _ => Some(pair.station.as_str()),
        };
        let stolen = thief.access(|request: &mut RequestBuilder<'_, '_>| {
            if !user.is_empty() {
                request.octets(AttributeType::USER_NAME, user);
            }
            if let Some(station) = station {
                request.octets(AttributeType::CALLING_STATION_ID, station.as_bytes());
            }
            request
                .octets(AttributeType::STATE, &state)
                .eap_message(&response);
        });
        assert_unknown_state(&mut lab, &thief, &stolen);
        // Whom it belongs to goes on.
        lab.go_on(&mut pair, request).accepted(&pair.nas);
    }
}

#[test]
fn what_is_no_response_to_the_request_is_dropped_rfc3748_4_1() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let good = lab.login_up_to(&mut pair, 1);
    let right = pair.response.clone();
    let mut rows: Vec<(&str, Vec<u8>)> = vec![
        ("another identifier", right.clone()),
        ("a request", right.clone()),
        ("a success", vec![3, right[1], 0, 4]),
        ("a failure", vec![4, right[1], 0, 4]),
        ("an unknown code", right.clone()),
        ("cut", right[..right.len() - 1].to_vec()),
        ("three octets", right[..3].to_vec()),
        ("empty", Vec::new()),
    ];
    rows[0].1[1] ^= 1;
    rows[1].1[0] = 1;
    rows[4].1[0] = 7;
    let count = rows.len() as u64;
    for (row, response) in rows {
        pair.response = response;
        let request = pair.request();
        assert!(lab.ask(&pair.nas, &request).is_none(), "row {row}");
    }
    assert_eq!(lab.dropped("eap_out_of_order"), count);
    // The conversation still waits for the right one, under the same State.
    pair.response = right;
    lab.go_on(&mut pair, good).accepted(&pair.nas);
}

#[test]
fn garbage_begins_no_conversation() {
    let mut lab = Lab::new();
    for response in [vec![1, 1, 0, 5, 1], vec![2, 1, 0, 9, 1], vec![7]] {
        let mut pair = lab.pair(GOOD);
        pair.response = response;
        let request = pair.request();
        assert!(lab.ask(&pair.nas, &request).is_none());
    }
    assert_eq!(lab.dropped("eap_out_of_order"), 3);
    assert_eq!(lab.servers[0].counters().conversations.get(), 0);
}

#[test]
fn an_identity_that_no_user_name_can_carry_is_rejected() {
    // Was answered with a challenge that held no EAP-Message.
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    pair.user.clear();
    pair.response = eap::response(9, Type::IDENTITY, &[b'a'; 254]);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.eap(), Some(vec![4, 9, 0, 4]));
    assert!(refusal(&lab.record()).contains("254 octets"));
}

#[test]
fn the_method_cannot_begin_without_an_identity() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    pair.response = eap::response(5, Type::TLS, &[0]);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.eap(), Some(vec![4, 5, 0, 4]));
}

#[test]
fn invalid_packets_repeat_the_request_with_error_cause_202_rfc3579_2_2() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 2);
    let right = pair.response.clone();
    let state = pair.state.clone();
    let mut last = None;
    for round in 1..=6 {
        // Type-Data without flags.
        pair.response = eap::response(right[1], Type::TLS, &[]);
        let spoilt = pair.request();
        let reply = lab.ask(&pair.nas, &spoilt).unwrap();
        if round == 6 {
            assert_eq!(reply.code, Code::AccessReject, "the sixth ends it");
            assert_eq!(reply.eap(), Some(vec![4, right[1], 0, 4]));
            assert!(refusal(&lab.record()).contains("invalid"));
            break;
        }
        assert_eq!(reply.code, Code::AccessChallenge, "round {round}");
        assert_eq!(reply.integer(AttributeType::ERROR_CAUSE), Some(202));
        assert_eq!(reply.signature, Signature::First);
        let eap = reply.eap().unwrap();
        assert_eq!(eap[1], right[1], "the identifier of the last request");
        if let Some(last) = &last {
            assert_eq!(&eap, last, "the last request, unchanged");
        }
        last = Some(eap);
        let fresh = reply.find(AttributeType::STATE);
        assert_ne!(fresh, pair.state, "round {round}: a State of its own");
        pair.state = fresh;
    }
    assert_ne!(pair.state, state);
    drop(request);
}

#[test]
fn a_conversation_survives_invalid_packets_rfc3579_2_2() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    lab.login_up_to(&mut pair, 2);
    let right = pair.response.clone();
    for _ in 0..5 {
        pair.response = eap::response(right[1], Type(26), b"no");
        let spoilt = pair.request();
        let reply = lab.ask(&pair.nas, &spoilt).unwrap();
        assert_eq!(reply.integer(AttributeType::ERROR_CAUSE), Some(202));
        pair.state = reply.find(AttributeType::STATE);
    }
    pair.response = right;
    let request = pair.request();
    lab.go_on(&mut pair, request).accepted(&pair.nas);
}

#[test]
fn a_nak_ends_the_conversation_and_one_too_late_is_invalid_rfc3748_5_3() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    lab.login_up_to(&mut pair, 1);
    pair.response = eap::response(pair.response[1], Type::NAK, &[25]);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessChallenge);
    let start = reply.eap().unwrap();
    assert_eq!(start[4..], [25, 0x20], "PEAP is offered in its place");
    pair.state = reply.find(AttributeType::STATE);
    pair.response = eap::response(start[1], Type::NAK, &[25, 43]);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert!(
        refusal(&lab.record()).contains("EAP-FAST"),
        "what the peer wants"
    );

    let mut pair = lab.pair(GOOD);
    lab.login_up_to(&mut pair, 2);
    pair.response = eap::response(pair.response[1], Type::NAK, &[25]);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessChallenge);
    assert_eq!(reply.integer(AttributeType::ERROR_CAUSE), Some(202));
}

#[test]
fn requests_fit_framed_mtu_rfc3579_2_4() {
    const WIRELESS: u32 = 19;
    for (mtu, port, largest) in [
        (None, None, 1024),
        (Some(1400), None, 1024),
        (Some(600), None, 600),
        (Some(600), Some(WIRELESS), 596),
        (Some(0), Some(WIRELESS), 256),
        (Some(u32::MAX), None, 1024),
    ] {
        let mut lab = Lab::new();
        let upper = lab.root.intermediate("Upper", 3000);
        let mut server = upper.server("radius.example.org");
        server.chain.push(upper.certificate());
        lab.reload_eap(|settings| {
            settings.chain = server.chain;
            settings.key = server.key;
        });
        let mut pair = lab.pair(GOOD);
        for (kind, value) in [
            (AttributeType::FRAMED_MTU, mtu),
            (AttributeType::NAS_PORT_TYPE, port),
        ] {
            if let Some(value) = value {
                pair.extra.push((kind, value.to_be_bytes().to_vec()));
            }
        }
        lab.login(&mut pair).accepted(&pair.nas);
        assert_eq!(
            pair.report().largest_request,
            largest,
            "row {mtu:?} {port:?}"
        );
    }
}

#[test]
fn long_chains_in_small_fragments_go_both_ways_rfc5216_2_1_5() {
    let mut lab = Lab::new();
    let upper = lab.root.intermediate("Upper", 2000);
    let lower = upper.intermediate("Lower", 2000);
    let device = Device {
        email: Some("alice@contoso.com"),
        ..Device::default()
    };
    let holder = lower.device_through(&device, vec![lower.certificate(), upper.certificate()]);
    let mut settings = lab.profile_of(holder);
    settings.max_packet = 300;
    let mut pair = lab.pair_of(&Profile::build(settings).unwrap().into());
    lab.login(&mut pair).accepted(&pair.nas);
    assert!(pair.challenges > 15, "{} challenges", pair.challenges);
}

#[test]
fn an_announced_length_allocates_nothing_rfc5216_3_1() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    lab.login_up_to(&mut pair, 1);
    // Length included, 4 GiB to come.
    let announced = [0xc0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
    pair.response = eap::response(pair.response[1], Type::TLS, &announced);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.eap().unwrap()[0], 4);
}

#[test]
fn a_silent_peer_is_given_up() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 2);
    lab.passes(Duration::from_secs(29));
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    assert_eq!(lab.servers[0].counters().abandoned.get(), 0);
    lab.passes(Duration::from_secs(1));
    let now = lab.now;
    assert!(lab.servers[0].poll_timeout().unwrap() <= now.monotonic);
    lab.servers[0].handle_timeout(now);
    assert_eq!(lab.servers[0].counters().abandoned.get(), 1);
    assert_unknown_state(&mut lab, &pair.nas, &request);
}

#[test]
fn a_slow_peer_cannot_keep_its_place_for_ever() {
    // Each round had its own 30 seconds: a peer that answered in the last of them kept its place
    // for most of an hour.
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let mut request = pair.request();
    for round in 0..4 {
        let reply = lab.ask(&pair.nas, &request).unwrap();
        if reply.code == Code::AccessReject {
            assert_eq!(round, 3, "after a minute");
            return;
        }
        let Next::Request(next) = pair.take(lab.now, reply) else {
            panic!("the end");
        };
        request = next;
        lab.passes(Duration::from_secs(29));
        let now = lab.now;
        lab.servers[0].handle_timeout(now);
    }
    panic!("still going on");
}

#[test]
fn garbage_does_not_prolong_a_conversation() {
    // Each dropped response gave the conversation another 30 seconds.
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    for _ in 0..3 {
        lab.passes(Duration::from_secs(9));
        let right = std::mem::replace(&mut pair.response, vec![2, 0, 0, 6, 13, 0]);
        let garbage = pair.request();
        assert!(lab.ask(&pair.nas, &garbage).is_none());
        pair.response = right;
    }
    lab.passes(Duration::from_secs(4));
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    assert_unknown_state(&mut lab, &pair.nas, &request);
}

#[test]
fn the_first_response_may_hold_a_whole_packet_of_eap() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    lab.login_up_to(&mut pair, 1);
    pair.response = eap::response(pair.response[1], Type::TLS, &[0x40; 3900]);
    let request = pair.request();
    assert!(request.len() > 4000);
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert!(reply.octets.len() <= 4096);
}

/// An Access-Reject with EAP-Failure, and nobody was judged.
#[track_caller]
fn assert_unknown_state(lab: &mut Lab, nas: &Nas, request: &[u8]) -> Reply {
    lab.records();
    let reply = lab.ask(nas, request).expect("a reply");
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.signature, Signature::First);
    assert_eq!(reply.eap().unwrap()[0], 4);
    let why = refusal(&lab.record());
    assert!(why.contains("no conversation has this State"), "{why}");
    reply
}

#[test]
fn without_eap_an_eap_request_is_refused_with_the_reason() {
    let mut lab = Lab::new();
    lab.reload(|settings| settings.eap = None);
    let mut pair = lab.pair(GOOD);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(refusal(&lab.record()), "server: EAP is not configured");
}
