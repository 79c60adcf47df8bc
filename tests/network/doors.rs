//! Who is heard at which door, and who is not.

use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasTable;
use portreeve::radius::Signature;

use crate::lab::ACCOUNTING;
use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::nas_configs;
use crate::nas::Nas;
use crate::world::SECRET;

#[test]
fn status_server_is_answered_at_both_doors_rfc5997_3() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for (door, code, signature) in [
        (AUTHENTICATION, Code::AccessAccept, Signature::First),
        (ACCOUNTING, Code::AccountingResponse, Signature::First),
    ] {
        let request = nas.status();
        let reply = lab.ask_at(0, door, &nas, &request).unwrap();
        assert_eq!(reply.code, code);
        assert_eq!(reply.signature, signature, "row {code}");
        assert_eq!(reply.kinds(), [AttributeType::MESSAGE_AUTHENTICATOR]);
    }
    assert_eq!(lab.servers[0].counters().status.get(), 2);
    assert!(lab.records().is_empty(), "it asks about nobody");
}

#[test]
fn status_server_without_message_authenticator_is_dropped_rfc5997_3() {
    let mut lab = Lab::new();
    let nas = lab.nas();
    let mut request = vec![12, 1, 0, 20];
    request.extend_from_slice(&[7; 16]);
    for door in [AUTHENTICATION, ACCOUNTING] {
        assert!(lab.ask_at(0, door, &nas, &request).is_none());
    }
    assert_eq!(lab.dropped("missing_message_authenticator"), 2);
}

#[test]
fn what_comes_to_the_wrong_door_is_dropped() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let access = nas.access(|request| {
        request.octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
    });
    let accounting = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, 1)
            .octets(AttributeType::ACCT_SESSION_ID, b"s1");
    });
    assert!(lab.ask_at(0, ACCOUNTING, &nas, &access).is_none());
    assert!(lab.ask_at(0, AUTHENTICATION, &nas, &accounting).is_none());
    assert_eq!(lab.dropped("unexpected_code"), 2);
    assert!(lab.shared.sessions.is_empty());
    // Not remembered: at the right door they are answered.
    assert!(lab.ask_at(0, AUTHENTICATION, &nas, &access).is_some());
    assert!(lab.ask_at(0, ACCOUNTING, &nas, &accounting).is_some());
}

#[test]
fn replies_and_unknown_codes_are_dropped_rfc2865_3() {
    let mut lab = Lab::new();
    let nas = lab.nas();
    let mut codes = 0;
    for code in (0..=255_u8).filter(|code| ![1, 4, 12].contains(code)) {
        let mut packet = vec![code, 1, 0, 20];
        packet.extend_from_slice(&[7; 16]);
        for door in [AUTHENTICATION, ACCOUNTING] {
            assert!(lab.ask_at(0, door, &nas, &packet).is_none(), "row {code}");
            codes += 1;
        }
    }
    assert_eq!(lab.dropped("unexpected_code"), codes);
}

#[test]
fn an_unknown_source_is_not_even_read_rfc2865_3() {
    let mut lab = Lab::new();
    let mut nas = Nas::new("192.0.3.1:1812", SECRET);
    let request = nas.status();
    assert!(lab.ask(&nas, &request).is_none());
    assert!(lab.ask(&nas, b"not a packet").is_none());
    assert_eq!(lab.dropped("unknown_nas"), 2);
    assert_eq!(lab.dropped("malformed"), 0);
}

#[test]
fn malformed_packets_are_dropped_rfc2865_3() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let whole = nas.status();
    let mut rows = vec![
        Vec::new(),
        whole[..19].to_vec(),
        whole[..whole.len() - 1].to_vec(),
    ];
    let mut short_length = whole.clone();
    short_length[3] = 19;
    rows.push(short_length);
    let mut zero_attribute = whole.clone();
    zero_attribute[21] = 0;
    rows.push(zero_attribute);
    let count = rows.len() as u64;
    for row in rows {
        assert!(lab.ask(&nas, &row).is_none(), "row {row:?}");
    }
    assert_eq!(lab.dropped("malformed"), count);
    // Octets after Length are not looked at.
    let mut padded = whole;
    padded.extend_from_slice(&[0xff; 50]);
    assert!(lab.ask(&nas, &padded).is_some());
}

#[test]
fn a_wrong_secret_is_never_answered_rfc3579_3_2() {
    let mut lab = Lab::new();
    let mut nas = Nas::new("192.0.2.1:1812", b"another secret of ours..");
    let requests = [
        nas.status(),
        nas.access(|request| {
            request.octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
        }),
        nas.access(|request| {
            request.eap_message(&[2, 1, 0, 5, 1]);
        }),
    ];
    for request in &requests {
        let sent = lab.deliver(0, AUTHENTICATION, nas.address, request);
        assert!(sent.is_empty());
    }
    assert_eq!(lab.dropped("bad_message_authenticator"), 3);
    assert!(lab.records().is_empty());
}

#[test]
fn eap_without_message_authenticator_is_dropped_rfc3579_3_1() {
    let mut lab = Lab::new();
    // Whatever the NAS's setting is.
    for address in ["192.0.2.1:1", "198.51.100.1:1", "198.51.100.2:1"] {
        let mut nas = Nas::new(address, SECRET);
        let request = nas.unsigned_access(|request| {
            request.eap_message(&[2, 1, 0, 5, 1]);
        });
        assert!(lab.ask(&nas, &request).is_none(), "row {address}");
    }
    assert_eq!(lab.dropped("missing_message_authenticator"), 3);
    assert_eq!(lab.servers[0].counters().conversations.get(), 0);
}

#[test]
fn an_unsigned_request_is_heard_only_where_it_is_allowed() {
    let mut lab = Lab::new();
    for (address, heard) in [
        ("192.0.2.1:1", false),
        ("198.51.100.1:1", true),
        ("198.51.100.2:1", true),
    ] {
        let mut nas = Nas::new(address, SECRET);
        let request = nas.unsigned_access(|request| {
            request.octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
        });
        let reply = lab.ask(&nas, &request);
        assert_eq!(reply.is_some(), heard, "row {address}");
        if let Some(reply) = reply {
            assert_eq!(reply.signature, Signature::First, "row {address}");
        }
    }
}

#[test]
fn auto_learns_and_a_reload_does_not_unlearn() {
    let mut lab = Lab::new();
    let mut nas = Nas::new("198.51.100.1:1812", SECRET);
    let mut unsigned = |lab: &mut Lab, proxied: bool| {
        let request = nas.unsigned_access(|request| {
            request.octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
            if proxied {
                request.octets(AttributeType::PROXY_STATE, b"via");
            }
        });
        lab.ask(&nas, &request).is_some()
    };
    assert!(unsigned(&mut lab, false));
    assert!(!unsigned(&mut lab, true), "what the attack needs");
    assert_eq!(lab.dropped("proxy_state_without_message_authenticator"), 1);
    let mut signing = Nas::new("198.51.100.1:999", SECRET);
    let request = signing.access(|request| {
        request.octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
    });
    assert!(lab.ask(&signing, &request).is_some());
    assert!(!unsigned(&mut lab, false), "it can sign, so it must");
    lab.reload(|_| {});
    assert!(!unsigned(&mut lab, false), "still after a reload");
    // Another device under the same name has not learned.
    lab.reload(|settings| {
        let mut all = nas_configs();
        all.iter_mut()
            .filter(|nas| nas.name == "auto")
            .for_each(|nas| nas.network = "198.51.100.0/29".parse().unwrap());
        settings.nas = NasTable::new(all).unwrap();
    });
    assert!(unsigned(&mut lab, false));
}

#[test]
fn proxy_states_come_back_unchanged_and_in_order_rfc2865_5_33() {
    let mut lab = Lab::new();
    let states: [&[u8]; 4] = [b"first", b"", &[0; 253], b"last"];
    let states: Vec<&[u8]> = states
        .into_iter()
        .filter(|state| !state.is_empty())
        .collect();
    // In a reply that is made at once, and in every round of a login, jobs or not.
    let mut nas = lab.nas();
    let request = nas.access(|request| {
        for state in &states {
            request.octets(AttributeType::PROXY_STATE, state);
        }
        request.octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
    });
    let reply = lab.ask(&nas, &request).unwrap();
    assert_eq!(reply.all(AttributeType::PROXY_STATE), states);
    assert_eq!(reply.kinds().last(), Some(&AttributeType::PROXY_STATE));

    let mut pair = lab.pair(GOOD);
    for state in &states {
        pair.extra
            .push((AttributeType::PROXY_STATE, state.to_vec()));
    }
    let mut request = pair.request();
    loop {
        let reply = lab.ask(&pair.nas, &request).unwrap();
        assert_eq!(reply.all(AttributeType::PROXY_STATE), states);
        match pair.take(lab.now, reply) {
            crate::pair::Next::Request(next) => request = next,
            crate::pair::Next::End(end) => {
                end.accepted(&pair.nas);
                break;
            }
        }
    }
    // A slow password too.
    let request = nas.access(|request| {
        for state in &states {
            request.octets(AttributeType::PROXY_STATE, state);
        }
        request
            .octets(AttributeType::USER_NAME, b"bob@contoso.com")
            .user_password(b"moc.osotnoc@bob");
    });
    let reply = lab.ask(&nas, &request).unwrap();
    assert_eq!(reply.all(AttributeType::PROXY_STATE), states);
}

#[test]
fn ipv6_is_a_network_like_any_other() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    pair.nas = Nas::new("[2001:db8::53]:1812", SECRET);
    lab.login(&mut pair).accepted(&pair.nas);
    assert_eq!(lab.record().nas.as_str(), "six");
    let mut stranger = Nas::new("[2001:db8:1::53]:1812", SECRET);
    let request = stranger.status();
    assert!(lab.ask(&stranger, &request).is_none());
}

#[test]
fn the_longest_prefix_names_the_nas() {
    let mut lab = Lab::new();
    lab.reload(|settings| {
        let mut all = nas_configs();
        all[0].secret = Secret::new(b"a secret of its own.....".to_vec());
        settings.nas = NasTable::new(all).unwrap();
    });
    for (address, secret, heard) in [
        ("192.0.2.1:1", SECRET, false),
        ("192.0.2.1:1", b"a secret of its own.....", true),
        ("192.0.2.2:1", SECRET, true),
    ] {
        let mut nas = Nas::new(address, secret);
        let request = nas.status();
        let sent = lab.deliver(0, AUTHENTICATION, nas.address, &request);
        assert_eq!(sent.len(), usize::from(heard), "row {address}");
    }
}

#[test]
fn two_kinds_of_credential_are_dropped_rfc2865_4_1() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let both = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .user_password(b"x")
            .octets(AttributeType::CHAP_PASSWORD, &[7; 17]);
    });
    let eap_too = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .user_password(b"x")
            .eap_message(&[2, 1, 0, 5, 1]);
    });
    for request in [both, eap_too] {
        assert!(lab.ask(&nas, &request).is_none());
    }
    assert_eq!(lab.dropped("conflicting_credentials"), 2);
}

#[test]
fn attributes_that_we_do_not_know_are_ignored_rfc2865_5() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    pair.extra.push((AttributeType(192), b"who knows".to_vec()));
    // A vendor's, and one that is no vendor's attribute at all.
    pair.extra.push((
        AttributeType::VENDOR_SPECIFIC,
        vec![0, 0, 0x7f, 0xff, 1, 4, 1, 2],
    ));
    pair.extra.push((AttributeType::VENDOR_SPECIFIC, vec![1]));
    // An integer of three octets counts as absent (RFC 8044 section 3).
    pair.extra.push((AttributeType::FRAMED_MTU, vec![0, 1, 0]));
    lab.login(&mut pair).accepted(&pair.nas);
}

#[test]
fn no_reply_is_longer_than_a_packet_nor_sent_to_who_did_not_ask() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    // Proxy-States that leave no room for an answer.
    let request = nas.access(|request| {
        for _ in 0..15 {
            request.octets(AttributeType::PROXY_STATE, &[0x55; 253]);
        }
        request
            .octets(AttributeType::PROXY_STATE, &[0x55; 210])
            .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes());
    });
    assert!(request.len() > 4000);
    assert!(lab.ask(&nas, &request).is_none());
    assert_eq!(lab.dropped("reply_too_long"), 1);
}

#[test]
fn a_policy_for_message_authenticators_is_the_default() {
    assert_eq!(
        MessageAuthenticatorPolicy::default(),
        MessageAuthenticatorPolicy::Require
    );
}

#[test]
fn nothing_that_is_printed_tells_a_secret() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
    let job = lab.servers[0].poll_job().unwrap();
    let printed_job = format!("{job:?}");
    let done = job.run(|| now);
    let printed_done = format!("{done:?}");
    lab.servers[0].handle_job(now, done);
    let end = {
        let sent = lab.take_sent(0);
        let reply = pair.nas.believe(&request, &sent[0].octets);
        let crate::pair::Next::Request(next) = pair.take(now, reply) else {
            panic!("the end");
        };
        lab.go_on(&mut pair, next)
    };
    end.accepted(&pair.nas);
    let secret = String::from_utf8_lossy(SECRET).into_owned();
    let octets = format!("{SECRET:?}");
    let settings = lab.shared.settings.load();
    for printed in [
        printed_job,
        printed_done,
        format!("{:?}", lab.servers[0]),
        format!("{:?}", lab.shared),
        format!("{settings:?}"),
    ] {
        assert!(!printed.contains(&secret), "{printed}");
        assert!(
            !printed.contains(octets.trim_matches(['[', ']'])),
            "{printed}"
        );
        assert!(!printed.contains(ALICE), "{printed}");
        assert!(!printed.contains("anonymous@"), "{printed}");
    }
}
