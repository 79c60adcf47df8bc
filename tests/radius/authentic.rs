//! Who is believed.

use portreeve::radius::AttributeType;
use portreeve::radius::DropReason;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Unauthentic;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;

use crate::support;
use crate::support::FIELD;
use crate::support::SECRET;

const USER: (AttributeType, &[u8]) = (AttributeType::USER_NAME, b"alice");
const EAP: (AttributeType, &[u8]) = (AttributeType::EAP_MESSAGE, &[2, 1, 0, 4]);
const PROXY: (AttributeType, &[u8]) = (AttributeType::PROXY_STATE, b"p");

#[test]
fn message_authenticator_policies_rfc3579_3_2_and_blastradius() {
    use MessageAuthenticatorPolicy::Auto;
    use MessageAuthenticatorPolicy::Off;
    use MessageAuthenticatorPolicy::Require;
    let missing = Err(DropReason::MissingMessageAuthenticator);
    let proxied = Err(DropReason::ProxyStateWithoutMessageAuthenticator);
    // (what the request holds beside User-Name; unsigned under require, auto, auto that has
    // learned, off)
    type Row = (
        &'static str,
        Vec<(AttributeType, &'static [u8])>,
        [Result<(), DropReason>; 4],
    );
    let rows: [Row; 4] = [
        ("nothing", vec![], [missing, Ok(()), missing, Ok(())]),
        (
            "Proxy-State",
            vec![PROXY],
            [missing, proxied, missing, Ok(())],
        ),
        ("EAP", vec![EAP], [missing; 4]),
        ("EAP and Proxy-State", vec![EAP, PROXY], [missing; 4]),
    ];
    for (name, more, expected) in rows {
        let attributes: Vec<_> = [USER].into_iter().chain(more).collect();
        let unsigned = support::unsigned_access(&attributes);
        let signed = support::access(&attributes);
        let learned = support::nas_with(SECRET, Auto);
        support::judge(&signed, &learned).unwrap();
        let devices = [
            support::nas_with(SECRET, Require),
            support::nas_with(SECRET, Auto),
            learned,
            support::nas_with(SECRET, Off),
        ];
        for (nas, expected) in devices.iter().zip(expected) {
            let policy = nas.message_authenticator();
            let row = format!("{name}, {policy}, learned: {}", nas.has_learned());
            assert_eq!(support::judge(&unsigned, nas), expected, "row {row}");
            assert_eq!(support::judge(&signed, nas), Ok(()), "row {row}, signed");
        }
    }
}

#[test]
fn auto_learns_from_a_right_message_authenticator_only() {
    let nas = support::nas_with(SECRET, MessageAuthenticatorPolicy::Auto);
    let mut forged = support::access(&[USER]);
    forged[22] ^= 1;
    let judged = support::judge(&forged, &nas);
    assert_eq!(judged, Err(DropReason::BadMessageAuthenticator));
    assert!(!nas.has_learned(), "a forged one teaches nothing");
    support::judge(&support::unsigned_access(&[USER]), &nas).unwrap();
    assert!(!nas.has_learned(), "an unsigned one teaches nothing");
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let mut status = RequestBuilder::status_server(&mut buffer, 1, FIELD, &secret);
    status.octets(AttributeType::NAS_IDENTIFIER, b"n");
    support::judge(status.finish().unwrap(), &nas).unwrap();
    assert!(
        !nas.has_learned(),
        "Status-Server is always signed and says nothing of the others"
    );
    support::judge(&support::access(&[USER]), &nas).unwrap();
    assert!(nas.has_learned());
}

#[test]
fn a_reload_keeps_what_auto_has_learned() {
    let configs = || {
        let auto = |name: &str, network: &str| portreeve::radius::NasConfig {
            message_authenticator: MessageAuthenticatorPolicy::Auto,
            ..support::config(name, network)
        };
        vec![auto("a", "192.0.2.1/32"), auto("b", "192.0.2.2/32")]
    };
    let before = NasTable::new(configs()).unwrap();
    let signed = support::access(&[USER]);
    support::judge(&signed, before.find([192, 0, 2, 1].into()).unwrap()).unwrap();
    let mut renamed = configs();
    renamed[1].name = "c".into();
    let after = NasTable::new(renamed).unwrap();
    after.inherit(&before);
    let learned: Vec<_> = after.iter().map(|nas| nas.has_learned()).collect();
    assert_eq!(learned, [true, false]);
    // Another device at the same address starts afresh.
    let mut renamed = configs();
    renamed[0].name = "c".into();
    let after = NasTable::new(renamed).unwrap();
    after.inherit(&before);
    assert!(after.iter().all(|nas| !nas.has_learned()));
}

#[test]
fn no_flipped_bit_passes_rfc3579_3_2() {
    let nas = support::nas();
    let good = support::access(&[USER, EAP, PROXY]);
    assert_eq!(support::judge(&good, &nas), Ok(()));
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[place] ^= 1 << bit;
            assert!(
                support::judge(&flipped, &nas).is_err(),
                "octet {place}, bit {bit}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_passes_rfc2866_3() {
    let nas = support::nas();
    let good = support::accounting(&[
        (AttributeType::ACCT_STATUS_TYPE, &[0, 0, 0, 1]),
        (AttributeType::ACCT_SESSION_ID, b"s"),
    ]);
    assert_eq!(support::judge(&good, &nas), Ok(()));
    for place in 0..good.len() {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped[place] ^= 1 << bit;
            assert!(
                support::judge(&flipped, &nas).is_err(),
                "octet {place}, bit {bit}"
            );
        }
    }
}

#[test]
fn a_wrong_secret_is_told_by_kind() {
    let nas = support::nas_with(
        b"another secret, also long",
        MessageAuthenticatorPolicy::Off,
    );
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let status = RequestBuilder::status_server(&mut buffer, 1, FIELD, &secret);
    let status = status.finish().unwrap().to_vec();
    let start = [
        (AttributeType::ACCT_STATUS_TYPE, &[0, 0, 0, 1][..]),
        (AttributeType::ACCT_SESSION_ID, b"s"),
    ];
    for (octets, expected) in [
        (
            support::access(&[USER]),
            DropReason::BadMessageAuthenticator,
        ),
        (status, DropReason::BadMessageAuthenticator),
        (support::accounting(&start), DropReason::BadAuthenticator),
    ] {
        assert_eq!(support::judge(&octets, &nas), Err(expected));
    }
}

#[test]
fn a_wrong_message_authenticator_in_accounting_is_refused() {
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let mut request = RequestBuilder::accounting_request(&mut buffer, 1, &secret);
    request
        .octets(AttributeType::MESSAGE_AUTHENTICATOR, &[1; 16])
        .integer(AttributeType::ACCT_STATUS_TYPE, 1)
        .octets(AttributeType::ACCT_SESSION_ID, b"s");
    let octets = request.finish().unwrap();
    let judged = support::judge(octets, &support::nas());
    assert_eq!(judged, Err(DropReason::BadMessageAuthenticator));
}

#[test]
fn status_server_without_message_authenticator_is_dropped_rfc5997_3() {
    let mut octets = support::raw(12, 20, &[]);
    let nas = support::nas_with(SECRET, MessageAuthenticatorPolicy::Off);
    let judged = support::judge(&octets, &nas);
    assert_eq!(judged, Err(DropReason::MissingMessageAuthenticator));
    // Nor does a signature of its own kind of accounting help.
    octets[0] = 13;
    let judged = support::judge(&octets, &nas);
    assert_eq!(judged, Err(DropReason::UnexpectedCode));
}

#[test]
fn codes_of_servers_are_dropped_at_a_server_rfc2865_3() {
    let nas = support::nas_with(SECRET, MessageAuthenticatorPolicy::Off);
    for code in [2, 3, 5, 11, 40, 41, 42, 43, 44, 45, 52, 0, 6, 13, 255] {
        let judged = support::judge(&support::raw(code, 20, &[]), &nas);
        assert_eq!(judged, Err(DropReason::UnexpectedCode), "row {code}");
    }
}

#[test]
fn accounting_can_be_switched_off_for_a_device() {
    let mut config = support::config("nas", "192.0.2.1/32");
    config.accounting = false;
    let table = NasTable::new(vec![config]).unwrap();
    let nas = table.find([192, 0, 2, 1].into()).unwrap();
    let judged = support::judge(&support::accounting(&[]), nas);
    assert_eq!(judged, Err(DropReason::AccountingNotAllowed));
    assert_eq!(support::judge(&support::access(&[USER]), nas), Ok(()));
}

#[test]
fn two_message_authenticators_are_refused_rfc3579_3_3() {
    let nas = support::nas();
    let octets = support::access(&[(AttributeType::MESSAGE_AUTHENTICATOR, &[0; 16])]);
    let judged = support::judge(&octets, &nas);
    assert_eq!(judged, Err(DropReason::RepeatedAttribute));
}

#[test]
fn a_client_believes_only_the_answer_rfc2865_3() {
    let nas = support::nas();
    let asked = support::access(&[USER]);
    let request = Packet::new_checked(&asked).unwrap();
    let origin = verify(request, &nas).unwrap().origin();
    let mut buffer = [0; MAX_PACKET];
    let reply = Reply::access_accept(&mut buffer, origin, nas.secret());
    let good = reply.finish().unwrap().to_vec();
    let check = |octets: &[u8], request: &[u8]| {
        let request = Packet::new_checked(request).unwrap();
        let reply = Packet::new_checked(octets).unwrap();
        verify_reply(reply, &request, &support::shared()).map(|_| ())
    };
    assert_eq!(check(&good, &asked), Ok(()));
    let mut other = good.clone();
    other[1] ^= 1;
    assert_eq!(check(&other, &asked), Err(Unauthentic::NotTheAnswer));
    let mut other = good.clone();
    other[0] = 5;
    assert_eq!(check(&other, &asked), Err(Unauthentic::NotTheAnswer));
    let mut other = good.clone();
    other[0] = 3;
    assert_eq!(
        check(&other, &asked),
        Err(Unauthentic::ResponseAuthenticator)
    );
    let mut other = asked;
    other[4] ^= 1;
    assert_eq!(
        check(&good, &other),
        Err(Unauthentic::ResponseAuthenticator)
    );
}

#[test]
fn authenticators_print_what_is_on_the_wire() {
    let field = RequestAuthenticator::new([0xab; 16]);
    assert_eq!(
        format!("{field:?}"),
        "RequestAuthenticator(abababababababababababababababab)"
    );
}
