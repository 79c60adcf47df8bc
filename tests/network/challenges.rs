//! CHAP, MSCHAP and MSCHAPv2 outside EAP, and methods that are switched off.

use std::collections::HashMap;

use portreeve::model::Credential;
use portreeve::network::Method;
use portreeve::network::MethodSet;
use portreeve::network::Methods;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::RequestBuilder;
use portreeve::radius::VendorId;

use crate::lab::ALICE;
use crate::lab::BAD_MAC;
use crate::lab::BOB;
use crate::lab::CAROL;
use crate::lab::CHAP_RESPONSE;
use crate::lab::DAVE;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::NT_RESPONSE;
use crate::lab::refusal;
use crate::nas::Reply;
use crate::pair::End;

const MICROSOFT: VendorId = VendorId::MICROSOFT;
const MS_CHAP_ERROR: u8 = 2;
const MS_CHAP2_SUCCESS: u8 = 26;

fn lab_with(methods: &[Method]) -> Lab {
    let lab = Lab::new();
    lab.reload(|settings| settings.methods.default = MethodSet::of(methods));
    lab
}

/// Asks for a user at a device.
fn ask(
    lab: &mut Lab,
    user: &str,
    mac: &str,
    answer: impl FnOnce(&mut RequestBuilder<'_, '_>),
) -> Reply {
    let mut nas = lab.nas();
    let request = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, user.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, mac.as_bytes());
        answer(request);
    });
    lab.ask(&nas, &request).expect("a reply")
}

fn chap(response: [u8; 16]) -> impl FnOnce(&mut RequestBuilder<'_, '_>) {
    move |request| {
        let value = [&[7][..], &response].concat();
        request
            .octets(AttributeType::CHAP_PASSWORD, &value)
            .octets(AttributeType::CHAP_CHALLENGE, &[9; 16]);
    }
}

fn ms_chap(response: [u8; 24]) -> impl FnOnce(&mut RequestBuilder<'_, '_>) {
    move |request| {
        let value = [&[5, 1][..], &[0; 24], &response].concat();
        request
            .vendor(MICROSOFT, 11, &[9; 8])
            .vendor(MICROSOFT, 1, &value);
    }
}

fn ms_chap2(response: [u8; 24]) -> impl FnOnce(&mut RequestBuilder<'_, '_>) {
    move |request| {
        let value = [&[5, 0][..], &[8; 16], &[0; 8], &response].concat();
        request
            .vendor(MICROSOFT, 11, &[9; 16])
            .vendor(MICROSOFT, 25, &value);
    }
}

fn error(reply: &Reply) -> Option<String> {
    let value = reply
        .packet()
        .find_vendor(MICROSOFT, MS_CHAP_ERROR)?
        .to_vec();
    Some(String::from_utf8(value).unwrap())
}

#[test]
fn a_right_answer_authenticates_and_the_device_is_judged() {
    let mut lab = lab_with(&Method::ALL);
    for (mac, code) in [
        (GOOD_MAC, Code::AccessAccept),
        (BAD_MAC, Code::AccessReject),
    ] {
        let reply = ask(&mut lab, ALICE, mac, chap(CHAP_RESPONSE));
        assert_eq!(reply.code, code, "chap {mac}");
        assert_eq!(lab.record().method.as_str(), "chap");
        let reply = ask(&mut lab, ALICE, mac, ms_chap(NT_RESPONSE));
        assert_eq!(reply.code, code, "mschap {mac}");
        assert_eq!(lab.record().method.as_str(), "mschap");
        let reply = ask(&mut lab, ALICE, mac, ms_chap2(NT_RESPONSE));
        assert_eq!(reply.code, code, "mschapv2 {mac}");
        let record = lab.record();
        assert_eq!(record.method.as_str(), "mschapv2");
        assert_eq!(record.user.as_str(), ALICE);
        assert_eq!(record.seen.credential, Credential::Password);
    }
}

#[test]
fn mschapv2_answers_the_peer_and_hands_keys_to_the_nas_rfc2548_2_3_3() {
    let mut lab = lab_with(&[Method::MsChapV2]);
    let reply = ask(&mut lab, ALICE, GOOD_MAC, ms_chap2(NT_RESPONSE));
    let packet = reply.packet();
    let success = packet.find_vendor(MICROSOFT, MS_CHAP2_SUCCESS).unwrap();
    assert_eq!(success.len(), 43);
    assert_eq!(success.first(), Some(&5), "the identifier");
    assert!(success[1..].starts_with(b"S="), "{success:?}");
    assert!(success[3..].iter().all(u8::is_ascii_hexdigit));
    for (number, octets) in [(7, 4), (8, 4), (16, 34), (17, 34)] {
        let value = packet.find_vendor(MICROSOFT, number);
        assert_eq!(value.map(<[u8]>::len), Some(octets), "attribute {number}");
    }
    assert_eq!(error(&reply), None);
}

#[test]
fn mschap_says_whether_the_password_or_the_device_is_the_reason_rfc2759_6() {
    let mut lab = lab_with(&[Method::MsChap, Method::MsChapV2]);
    for (user, mac, response, expected) in [
        (ALICE, GOOD_MAC, [0; 24], "\u{5}E=691 R=0 V=3"),
        (BOB, GOOD_MAC, [0; 24], "\u{5}E=691 R=0 V=3"),
        (ALICE, BAD_MAC, NT_RESPONSE, "\u{5}E=649 R=0 V=3"),
    ] {
        let reply = ask(&mut lab, user, mac, ms_chap2(response));
        assert_eq!(reply.code, Code::AccessReject, "row {user} {mac}");
        assert_eq!(error(&reply).as_deref(), Some(expected), "row {user} {mac}");
        let reply = ask(&mut lab, user, mac, ms_chap(response));
        assert_eq!(error(&reply).as_deref(), Some(expected), "row {user} {mac}");
        let keys = reply.packet().find_vendor(MICROSOFT, 16).is_some();
        assert!(!keys, "a refusal hands out no keys");
    }
}

#[test]
fn the_record_tells_a_wrong_password_from_one_that_cannot_be_checked() {
    let mut lab = lab_with(&Method::ALL);
    let reply = ask(&mut lab, ALICE, GOOD_MAC, chap([0; 16]));
    assert_eq!(reply.code, Code::AccessReject);
    let wrong = refusal(&lab.record());
    assert!(
        wrong.starts_with("the password is not this user's"),
        "{wrong}"
    );
    let again = ask(&mut lab, BOB, GOOD_MAC, chap([0; 16]));
    assert_eq!(again.kinds(), reply.kinds(), "the peer is not told");
    let unsuited = refusal(&lab.record());
    assert!(unsuited.contains("cannot answer a challenge"), "{unsuited}");
}

#[test]
fn a_server_that_knows_the_password_is_asked_and_its_key_used_rfc2548_2_3_3() {
    // Answers to a challenge could only be checked at once.
    let mut lab = lab_with(&Method::ALL);
    let at_once = ask(&mut lab, ALICE, GOOD_MAC, ms_chap2(NT_RESPONSE));
    lab.record();
    let later = ask(&mut lab, CAROL, GOOD_MAC, ms_chap2(NT_RESPONSE));
    assert_eq!(later.code, Code::AccessAccept);
    let record = lab.record();
    assert_eq!(record.method.as_str(), "mschapv2");
    assert_eq!(record.user.as_str(), CAROL);
    // The name is part of what is signed, so the two differ; all else is the same.
    assert_eq!(later.kinds(), at_once.kinds());
    let success = later.packet().find_vendor(MICROSOFT, MS_CHAP2_SUCCESS);
    assert_eq!(success.and_then(<[u8]>::first), Some(&5));

    let reply = ask(&mut lab, CAROL, GOOD_MAC, ms_chap(NT_RESPONSE));
    assert_eq!(reply.code, Code::AccessAccept);
    assert_eq!(lab.record().method.as_str(), "mschap");
    let reply = ask(&mut lab, CAROL, GOOD_MAC, ms_chap2([0; 24]));
    assert_eq!(error(&reply).as_deref(), Some("\u{5}E=691 R=0 V=3"));
    assert_eq!(refusal(&lab.record()), "the account is locked");
    let reply = ask(&mut lab, CAROL, GOOD_MAC, chap(CHAP_RESPONSE));
    assert_eq!(reply.code, Code::AccessReject);
    assert!(refusal(&lab.record()).contains("cannot answer a challenge"));
}

#[test]
fn the_record_says_that_a_server_does_not_answer() {
    let mut lab = lab_with(&Method::ALL);
    let wrong = ask(&mut lab, CAROL, GOOD_MAC, ms_chap2([0; 24]));
    lab.record();
    let reply = ask(&mut lab, DAVE, GOOD_MAC, ms_chap2(NT_RESPONSE));
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.kinds(), wrong.kinds(), "the peer is not told");
    let record = lab.record();
    assert_eq!(refusal(&record), "the directory does not answer");
    assert!(record.advice.unwrap().contains("portreeve status"));
}

#[test]
fn a_method_that_is_switched_off_is_refused_and_named() {
    type Answer = Box<dyn FnOnce(&mut RequestBuilder<'_, '_>)>;
    let mut lab = Lab::new();
    let rows: [(&str, Answer); 3] = [
        ("CHAP is", Box::new(chap(CHAP_RESPONSE))),
        ("MSCHAP is", Box::new(ms_chap(NT_RESPONSE))),
        ("MSCHAPv2 is", Box::new(ms_chap2(NT_RESPONSE))),
    ];
    for (name, answer) in rows {
        let reply = ask(&mut lab, ALICE, GOOD_MAC, answer);
        assert_eq!(reply.code, Code::AccessReject, "off by default: {name}");
        let why = refusal(&lab.record());
        assert!(why.starts_with(name) && why.contains("[methods]"), "{why}");
    }
    let mut lab = lab_with(&[Method::Chap]);
    let password: String = ALICE.chars().rev().collect();
    let pap = |request: &mut RequestBuilder<'_, '_>| {
        request.user_password(password.as_bytes());
    };
    assert_eq!(ask(&mut lab, ALICE, GOOD_MAC, pap).code, Code::AccessReject);
    assert!(refusal(&lab.record()).starts_with("PAP is switched off"));
    let reply = ask(&mut lab, GOOD_MAC, GOOD_MAC, |_| {});
    assert_eq!(reply.code, Code::AccessReject);
    assert!(refusal(&lab.record()).starts_with("MAB is switched off"));
    let mut pair = lab.pair(crate::lab::GOOD);
    let end = lab.login(&mut pair);
    assert!(matches!(end, End::Rejected { .. }), "{end:?}");
    assert!(refusal(&lab.record()).contains("no EAP method is switched on"));
}

#[test]
fn a_group_of_nases_has_methods_of_its_own() {
    let mut lab = Lab::new();
    lab.reload(|settings| {
        settings.methods = Methods {
            default: MethodSet::of(&[Method::Mab]),
            groups: HashMap::from([("office".to_owned(), MethodSet::of(&[Method::Chap]))]),
        };
    });
    // The lab's first NAS is of the office.
    let reply = ask(&mut lab, ALICE, GOOD_MAC, chap(CHAP_RESPONSE));
    assert_eq!(reply.code, Code::AccessAccept);
    let reply = ask(&mut lab, GOOD_MAC, GOOD_MAC, |_| {});
    assert_eq!(reply.code, Code::AccessReject);
}
