//! RADIUS/1.1 (RFC 9765): packets of one version as packets of the other.

use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy::Require;
use portreeve::radius::MppeKeys;
use portreeve::radius::Offered;
use portreeve::radius::Packet;
use portreeve::radius::RADSEC_SECRET;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::Returned;
use portreeve::radius::Salt;
use portreeve::radius::Untranslatable;
use portreeve::radius::Version11;
use portreeve::radius::verify;

use crate::support::nas_with;

const TOKEN: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// A packet of RADIUS/1.1, written from RFC 9765 section 4.
fn packet(code: u8, token: [u8; 4], attributes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut octets = vec![code, 0, 0, 0];
    octets.extend_from_slice(&token);
    octets.extend_from_slice(&[0; 12]);
    for (kind, value) in attributes {
        octets.extend_from_slice(&[*kind, u8::try_from(value.len() + 2).unwrap()]);
        octets.extend_from_slice(value);
    }
    let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
    octets[2..4].copy_from_slice(&length);
    octets
}

fn version() -> Version11 {
    Version11::new([7; 8])
}

#[test]
fn a_request_is_signed_and_its_password_hidden_on_the_way_in_rfc9765_5_1() {
    let (version, nas) = (version(), nas_with(RADSEC_SECRET, Require));
    let password = b"correct horse battery staple, and more of it";
    let request = packet(1, TOKEN, &[(1, b"alice"), (2, password), (33, b"proxy")]);
    let mut buffer = [0; MAX_PACKET];
    let octets = version.request(&request, &mut buffer).unwrap();
    let verified = verify(Packet::new_checked(octets).unwrap(), &nas).unwrap();
    let Request::Access(access) = verified.request().unwrap() else {
        panic!("no Access-Request");
    };
    assert!(matches!(access.offered(), Offered::UserPassword));
    let found = access.password(nas.secret().secret()).unwrap();
    assert_eq!(found.expose(), password);

    // The reply has the Token again, and the client's own Proxy-State and no other.
    let mut written = [0; MAX_PACKET];
    let keys = MppeKeys::from_msk(&std::array::from_fn(|place| place.try_into().unwrap()));
    let mut reply = Reply::access_accept(&mut written, verified.origin(), nas.secret());
    reply
        .octets(AttributeType::CLASS, b"class")
        .mppe_keys(&keys, Salt::new(1));
    let reply = reply.finish().unwrap();
    let mut buffer = [0; MAX_PACKET];
    let reply = version.reply(reply, &mut buffer).unwrap();
    let key = |number: u8, key: &[u8; 32]| [&[0, 0, 1, 55, number, 34], &key[..]].concat();
    let expected = packet(
        2,
        TOKEN,
        &[
            (25, b"class"),
            (26, &key(17, keys.receive())),
            (26, &key(16, keys.send())),
            (33, b"proxy"),
        ],
    );
    assert_eq!(reply, expected);
}

#[test]
fn accounting_and_status_have_the_signatures_of_their_kind() {
    let (version, nas) = (version(), nas_with(RADSEC_SECRET, Require));
    for (code, attributes) in [
        (4, &[(40, &[0, 0, 0, 1][..]), (44, b"session")][..]),
        // A Message-Authenticator that is there is not looked at (RFC 9765 section 5.2).
        (12, &[(80, &[1; 16][..])]),
    ] {
        let request = packet(code, TOKEN, attributes);
        let mut buffer = [0; MAX_PACKET];
        let octets = version.request(&request, &mut buffer).unwrap();
        let verified = verify(Packet::new_checked(octets).unwrap(), &nas);
        assert!(verified.is_ok(), "row {code}: {verified:?}");
    }
}

#[test]
fn what_cannot_be_brought_over_is_refused() {
    let version = version();
    let mut buffer = [0; MAX_PACKET];
    let mut refused = |octets: &[u8]| version.request(octets, &mut buffer).err();
    let chap = packet(1, TOKEN, &[(1, b"alice"), (3, &[1; 17])]);
    assert_eq!(refused(&chap), Some(Untranslatable::NoChallenge));
    let chap = packet(1, TOKEN, &[(1, b"alice"), (3, &[1; 17]), (60, &[2; 16])]);
    assert_eq!(refused(&chap), None);
    let long = packet(1, TOKEN, &[(2, &[b'p'; 129])]);
    assert!(matches!(refused(&long), Some(Untranslatable::TooLong(_))));
    let mut full: Vec<(u8, &[u8])> = (0..15).map(|_| (18, &[b'x'; 253][..])).collect();
    full.push((18, &[b'x'; 240]));
    let full = packet(1, TOKEN, &full);
    assert!(matches!(refused(&full), Some(Untranslatable::TooLong(_))));
    let broken = packet(1, TOKEN, &[(1, b"alice")]);
    assert!(matches!(
        refused(&broken[..24]),
        Some(Untranslatable::Malformed(_))
    ));
    let classic = packet(2, TOKEN, &[(25, b"class")]);
    let stray = version.reply(&classic, &mut buffer);
    assert_eq!(stray.err(), Some(Untranslatable::Stray));
}

#[test]
fn our_requests_are_told_by_their_token_and_answered_once_rfc9765_4() {
    use portreeve::radius::RequestBuilder;
    use portreeve::radius::verify_reply;

    let (version, nas) = (version(), nas_with(RADSEC_SECRET, Require));
    let mut buffer = [0; MAX_PACKET];
    let mut request = RequestBuilder::disconnect_request(&mut buffer, 9, nas.secret());
    request.octets(AttributeType::USER_NAME, b"alice");
    let request = request.finish().unwrap().to_vec();
    let mut buffer = [0; MAX_PACKET];
    let demand = version.demand(&request, &mut buffer).unwrap();
    assert_eq!(demand, packet(40, [0, 0, 0, 9], &[(1, b"alice")]));

    let cause = [0, 0, 1, 0xf7];
    let answer = packet(42, [0, 0, 0, 9], &[(101, &cause)]);
    let stray = packet(42, [0, 0, 1, 9], &[(101, &cause)]);
    let mut buffer = [0; MAX_PACKET];
    assert_eq!(
        version.answer(&stray, &mut buffer),
        Err(Untranslatable::Stray)
    );
    let classic = version.answer(&answer, &mut buffer).unwrap().to_vec();
    let reply = Packet::new_checked(&classic).unwrap();
    let request = Packet::new_checked(&request).unwrap();
    let believed = verify_reply(reply, &request, nas.secret()).unwrap();
    assert_eq!(believed.packet().code(), Code::DisconnectNak);
    let again = version.answer(&answer, &mut buffer);
    assert_eq!(again, Err(Untranslatable::Stray));
}

#[test]
fn passwords_and_keys_of_another_server_are_in_the_clear_on_both_sides_rfc9765_5_1() {
    let (version, nas) = (version(), nas_with(RADSEC_SECRET, Require));
    let keys = [&[0, 0, 1, 55, 12, 34][..], &[9; 32]].concat();
    let attributes: [(u8, &[u8]); 3] = [(69, b"\x01tunnel"), (26, &keys), (25, b"class")];
    let theirs = packet(2, TOKEN, &attributes);
    let returned = Returned::new_11(&Packet::new_checked(&theirs).unwrap()).unwrap();

    let request = packet(1, TOKEN, &[(1, b"alice"), (2, b"password")]);
    let mut buffer = [0; MAX_PACKET];
    let octets = version.request(&request, &mut buffer).unwrap();
    let verified = verify(Packet::new_checked(octets).unwrap(), &nas).unwrap();
    let mut written = [0; MAX_PACKET];
    let mut reply = Reply::access_accept(&mut written, verified.origin(), nas.secret());
    let mut salt = Salt::new(1);
    for carried in returned.attributes() {
        reply.carried(carried, salt);
        salt = salt.next();
    }
    let hidden = reply.finish().unwrap();
    let clear = hidden.windows(6).any(|octets| octets == b"tunnel");
    assert!(!clear, "hidden inside this process");
    let mut buffer = [0; MAX_PACKET];
    let reply = version.reply(hidden, &mut buffer).unwrap();
    assert_eq!(reply, theirs);
}
