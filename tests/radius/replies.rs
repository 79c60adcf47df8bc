//! What leaves the gateway.

use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::EncodeError;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::Origin;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Salt;
use portreeve::radius::SharedSecret;
use portreeve::radius::Signature;
use portreeve::radius::Template;
use portreeve::radius::VendorId;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;

use crate::support;
use crate::support::FIELD;

type Build = for<'b, 'r> fn(&'b mut [u8], Origin<'r>, &'r SharedSecret) -> Reply<'b, 'r>;

const ACCEPT: Build = |buffer, origin, secret| Reply::access_accept(buffer, origin, secret);
const REJECT: Build = |buffer, origin, secret| Reply::access_reject(buffer, origin, secret);
const CHALLENGE: Build = |buffer, origin, secret| Reply::access_challenge(buffer, origin, secret);
const ACCOUNTED: Build =
    |buffer, origin, secret| Reply::accounting_response(buffer, origin, secret);

#[test]
fn message_authenticator_comes_first_blastradius() {
    let secret = support::shared();
    let access = support::access(&[(AttributeType::PROXY_STATE, b"p")]);
    let mut buffer = [0; MAX_PACKET];
    let status = RequestBuilder::status_server(&mut buffer, 7, FIELD, &secret);
    let status = status.finish().unwrap();
    let accounting = support::accounting(&[]);
    // (request, reply, how it is signed)
    let rows: [(&[u8], Build, Code, Signature); 6] = [
        (&access, ACCEPT, Code::AccessAccept, Signature::First),
        (&access, REJECT, Code::AccessReject, Signature::First),
        (&access, CHALLENGE, Code::AccessChallenge, Signature::First),
        (status, ACCEPT, Code::AccessAccept, Signature::First),
        (
            status,
            ACCOUNTED,
            Code::AccountingResponse,
            Signature::First,
        ),
        // No RFC defines one in this reply, and clients disagree about it.
        (
            &accounting,
            ACCOUNTED,
            Code::AccountingResponse,
            Signature::Missing,
        ),
    ];
    for (request, build, code, signature) in rows {
        let octets = reply_to(request, build, |_| {}).unwrap();
        let asked = Packet::new_checked(request).unwrap();
        let reply = Packet::new_checked(&octets).unwrap();
        let verified = verify_reply(reply, &asked, &secret).expect("right signatures");
        assert_eq!(reply.code(), code, "row {} {code}", asked.code());
        assert_eq!(reply.identifier(), 7, "row {} {code}", asked.code());
        assert_eq!(
            verified.signature(),
            signature,
            "row {} {code}",
            asked.code()
        );
    }
}

#[test]
fn proxy_states_come_last_unmodified_and_in_order_rfc2865_5_33() {
    let longest = [b'x'; 253];
    let states: [&[u8]; 4] = [b"one", b"", &longest, b"one"];
    let request = support::access(&states.map(|state| (AttributeType::PROXY_STATE, state)));
    for build in [ACCEPT, REJECT, CHALLENGE] {
        let octets = reply_to(&request, build, |reply| {
            reply.eap_message(&[3, 1, 0, 4]);
        });
        let octets = octets.unwrap();
        let reply = Packet::new_checked(&octets).unwrap();
        let order: Vec<_> = reply
            .attributes()
            .map(|attribute| attribute.kind.0)
            .collect();
        assert_eq!(order, [80, 79, 33, 33, 33, 33], "row {}", reply.code());
        assert_eq!(reply.proxy_states().collect::<Vec<_>>(), states);
    }
}

#[test]
fn a_held_request_gets_the_same_reply() {
    let nas = support::nas();
    let request = support::access(&[
        (AttributeType::PROXY_STATE, b"one"),
        (AttributeType::USER_NAME, b"alice"),
        (AttributeType::PROXY_STATE, b""),
    ]);
    let verified = verify(Packet::new_checked(&request).unwrap(), &nas).unwrap();
    let held = verified.hold();
    let write = |origin| {
        let mut buffer = [0; MAX_PACKET];
        let reply = Reply::access_reject(&mut buffer, origin, nas.secret());
        reply.finish().unwrap().to_vec()
    };
    assert_eq!(write(held.origin()), write(verified.origin()));
}

#[test]
fn eap_is_cut_into_adjacent_pieces_rfc3579_3_1() {
    let request = support::access(&[]);
    for (octets, pieces) in [
        (1, 1),
        (252, 1),
        (253, 1),
        (254, 2),
        (506, 2),
        (507, 3),
        (1024, 5),
    ] {
        let eap: Vec<u8> = (0..=250).cycle().take(octets).collect();
        let reply = reply_to(&request, CHALLENGE, |reply| {
            reply.eap_message(&eap).octets(AttributeType::STATE, b"s");
        });
        let reply = reply.unwrap();
        let packet = Packet::new_checked(&reply).unwrap();
        let message = packet.eap_message().unwrap();
        assert_eq!(message.pieces().count(), pieces, "row {octets}");
        let mut buffer = [0; MAX_PACKET];
        assert_eq!(message.join(&mut buffer), Some(&eap[..]), "row {octets}");
        let order: Vec<_> = packet
            .attributes()
            .map(|attribute| attribute.kind.0)
            .collect();
        let expected: Vec<_> = [80]
            .into_iter()
            .chain(std::iter::repeat_n(79, pieces))
            .chain([24])
            .collect();
        assert_eq!(order, expected, "row {octets}");
    }
}

#[test]
fn vlans_rfc3580_3_31() {
    let request = support::access(&[]);
    type Row<'a> = (u8, &'a [u8], [&'a [u8]; 3]);
    let rows: [Row<'_>; 3] = [
        (0, b"20", [&[0, 0, 0, 13], &[0, 0, 0, 6], b"20"]),
        (1, b"20", [&[1, 0, 0, 13], &[1, 0, 0, 6], b"\x0120"]),
        (
            31,
            b"quarantine",
            [&[31, 0, 0, 13], &[31, 0, 0, 6], b"\x1fquarantine"],
        ),
    ];
    for (tag, vlan, expected) in rows {
        let octets = reply_to(&request, ACCEPT, |reply| {
            reply.vlan(tag, vlan);
        });
        let octets = octets.unwrap();
        let packet = Packet::new_checked(&octets).unwrap();
        let found = [
            AttributeType::TUNNEL_TYPE,
            AttributeType::TUNNEL_MEDIUM_TYPE,
            AttributeType::TUNNEL_PRIVATE_GROUP_ID,
        ];
        let found = found.map(|kind| packet.find(kind).unwrap());
        assert_eq!(found, expected, "row {tag}");
    }
}

#[test]
fn values_are_written_as_their_types() {
    let request = support::access(&[]);
    let octets = reply_to(&request, ACCEPT, |reply| {
        reply
            .octets(AttributeType::FILTER_ID, b"guest")
            .integer(AttributeType::SESSION_TIMEOUT, 3600)
            .ipv4(AttributeType::FRAMED_IP_ADDRESS, [198, 51, 100, 1].into())
            .ipv6(AttributeType(98), [0x20; 16].into())
            .vendor(VendorId::CISCO, 1, b"a=b")
            .template(&Template::parse("Aruba-User-Role", "staff").unwrap());
    });
    let octets = octets.unwrap();
    let packet = Packet::new_checked(&octets).unwrap();
    assert_eq!(packet.find(AttributeType::FILTER_ID), Some(&b"guest"[..]));
    assert_eq!(packet.integer(AttributeType::SESSION_TIMEOUT), Some(3600));
    let address = packet.find(AttributeType::FRAMED_IP_ADDRESS);
    assert_eq!(address, Some(&[198, 51, 100, 1][..]));
    assert_eq!(packet.find(AttributeType(98)), Some(&[0x20; 16][..]));
    assert_eq!(packet.find_vendor(VendorId::CISCO, 1), Some(&b"a=b"[..]));
    assert_eq!(packet.find_vendor(VendorId(14823), 1), Some(&b"staff"[..]));
}

#[test]
fn mppe_keys_have_two_salts_with_the_top_bit_rfc2548_2_4_2() {
    let request = support::access(&[]);
    let keys = MppeKeys::from_msk(&[7; 64]);
    for random in [0, 0x7fff, 0x8000, 0xffff] {
        let octets = reply_to(&request, ACCEPT, |reply| {
            reply.mppe_keys(&keys, Salt::new(random));
        });
        let octets = octets.unwrap();
        let packet = Packet::new_checked(&octets).unwrap();
        let salts: Vec<_> = [16, 17]
            .into_iter()
            .map(|kind| packet.find_vendor(VendorId::MICROSOFT, kind).unwrap()[..2].to_vec())
            .collect();
        assert!(salts.iter().all(|salt| salt[0] & 0x80 != 0), "row {random}");
        assert_ne!(salts[0], salts[1], "row {random}");
        let secret = support::shared();
        let read = MppeKeys::reveal(&packet, secret.secret(), &FIELD).unwrap();
        assert_eq!(read.send(), keys.send(), "row {random}");
        assert_eq!(read.receive(), keys.receive(), "row {random}");
    }
}

#[test]
fn a_reject_authorises_nothing_rfc2865_5_44() {
    let request = support::access(&[]);
    // (attribute, which of Accept, Reject and Challenge take it)
    let rows = [
        (AttributeType::REPLY_MESSAGE, [true, true, true]),
        (AttributeType::EAP_MESSAGE, [true, true, true]),
        (AttributeType::ERROR_CAUSE, [true, true, true]),
        (AttributeType::STATE, [true, false, true]),
        (AttributeType::SESSION_TIMEOUT, [true, false, true]),
        (AttributeType::VENDOR_SPECIFIC, [true, false, true]),
        (AttributeType::FILTER_ID, [true, false, false]),
        (AttributeType::CLASS, [true, false, false]),
        (AttributeType::USER_NAME, [true, false, false]),
        (AttributeType::TUNNEL_PRIVATE_GROUP_ID, [true, false, false]),
        (AttributeType::USER_PASSWORD, [false, false, false]),
        (AttributeType::PROXY_STATE, [false, false, false]),
        (AttributeType::MESSAGE_AUTHENTICATOR, [false, false, false]),
    ];
    for (kind, expected) in rows {
        let builds = [
            (ACCEPT, Code::AccessAccept),
            (REJECT, Code::AccessReject),
            (CHALLENGE, Code::AccessChallenge),
        ];
        for ((build, code), good) in builds.into_iter().zip(expected) {
            let written = reply_to(&request, build, |reply| {
                reply.octets(kind, b"x");
            });
            match written {
                Ok(_) => assert!(good, "row {kind} in {code}"),
                Err(error) => {
                    assert!(!good, "row {kind} in {code}: {error}");
                    assert_eq!(error, EncodeError::NotAllowed { kind, code });
                }
            }
        }
    }
}

#[test]
fn no_way_into_a_reject_is_open_rfc2865_5_44() {
    let request = support::access(&[]);
    let keys = MppeKeys::from_msk(&[7; 64]);
    let role = Template::parse("Aruba-User-Role", "staff").unwrap();
    let written = [
        reply_to(&request, REJECT, |reply| {
            reply.vlan(0, b"20");
        }),
        reply_to(&request, REJECT, |reply| {
            reply.mppe_keys(&keys, Salt::new(1));
        }),
        reply_to(&request, REJECT, |reply| {
            reply.template(&role);
        }),
        reply_to(&request, REJECT, |reply| {
            reply.vendor(VendorId::CISCO, 1, b"a=b");
        }),
    ];
    for written in written {
        assert!(matches!(written, Err(EncodeError::NotAllowed { .. })));
    }
}

#[test]
fn replies_answer_their_kind_of_request_rfc2865_4() {
    let secret = support::shared();
    let access = support::access(&[]);
    let accounting = support::accounting(&[]);
    let mut buffer = [0; MAX_PACKET];
    let status = RequestBuilder::status_server(&mut buffer, 7, FIELD, &secret);
    let status = status.finish().unwrap();
    // Accept, Reject, Challenge, Accounting-Response
    let rows: [(&[u8], [bool; 4]); 3] = [
        (&access, [true, true, true, false]),
        (&accounting, [false, false, false, true]),
        (status, [true, false, false, true]),
    ];
    for (request, expected) in rows {
        let builds = [ACCEPT, REJECT, CHALLENGE, ACCOUNTED];
        let written = builds.map(|build| reply_to(request, build, |_| {}).is_ok());
        assert_eq!(written, expected, "row code {}", request[0]);
    }
}

#[test]
fn a_reply_that_does_not_fit_is_an_error_rfc2865_3() {
    let request = support::access(&[(AttributeType::PROXY_STATE, b"12345678")]);
    let nas = support::nas();
    let origin = || {
        let packet = Packet::new_checked(&request).unwrap();
        verify(packet, &nas).unwrap().origin()
    };
    // Header, Message-Authenticator, Filter-Id of 4, Proxy-State of 10.
    let whole = 20 + 18 + 4 + 10;
    for size in 0..whole + 3 {
        let mut buffer = vec![0; size];
        let mut reply = Reply::access_accept(&mut buffer, origin(), nas.secret());
        reply.octets(AttributeType::FILTER_ID, b"ab");
        let written = reply.finish().map(<[u8]>::len);
        if size < whole {
            assert_eq!(
                written,
                Err(EncodeError::Overflow { limit: size }),
                "row {size}"
            );
        } else {
            assert_eq!(written, Ok(whole), "row {size}");
        }
    }
    // 4096 octets are the most, whatever the buffer holds.
    let mut buffer = vec![0; 2 * MAX_PACKET];
    let mut reply = Reply::access_accept(&mut buffer, origin(), nas.secret());
    let room = reply.room();
    assert_eq!(room, MAX_PACKET - 20 - 18 - 10);
    while reply.room() >= 255 {
        reply.octets(AttributeType::CLASS, &[0; 253]);
    }
    let rest = vec![0; reply.room() - 2];
    reply.octets(AttributeType::CLASS, &rest);
    assert_eq!(reply.room(), 0);
    assert_eq!(reply.finish().map(<[u8]>::len), Ok(MAX_PACKET));
    let mut reply = Reply::access_accept(&mut buffer, origin(), nas.secret());
    reply.eap_message(&vec![0; MAX_PACKET]);
    let overflow = EncodeError::Overflow { limit: MAX_PACKET };
    assert_eq!(reply.finish().map(<[u8]>::len), Err(overflow));
}

#[test]
fn values_over_one_attribute_are_an_error_rfc2865_5() {
    let request = support::access(&[]);
    for (octets, good) in [(253, true), (254, false)] {
        let written = reply_to(&request, ACCEPT, |reply| {
            reply.octets(AttributeType::FILTER_ID, &vec![b'x'; octets]);
        });
        assert_eq!(written.is_ok(), good, "row {octets}");
    }
    for (octets, good) in [(247, true), (248, false), (300, false)] {
        let written = reply_to(&request, ACCEPT, |reply| {
            reply.vendor(VendorId::CISCO, 1, &vec![b'x'; octets]);
        });
        assert_eq!(written.is_ok(), good, "row vendor {octets}");
    }
    let mut buffer = [0; MAX_PACKET];
    let secret = support::shared();
    let mut request = RequestBuilder::access_request(&mut buffer, 1, FIELD, &secret);
    request.user_password(&[b'x'; 129]);
    let error = request.finish().unwrap_err();
    assert!(
        matches!(error, EncodeError::ValueTooLong { octets: 129, .. }),
        "{error}"
    );
}

fn reply_to(
    request: &[u8],
    build: Build,
    fill: impl FnOnce(&mut Reply<'_, '_>),
) -> Result<Vec<u8>, EncodeError> {
    let nas = support::nas();
    let packet = Packet::new_checked(request).expect("sound lengths");
    let origin = verify(packet, &nas).expect("authentic").origin();
    let mut buffer = [0; MAX_PACKET];
    let mut reply = build(&mut buffer, origin, nas.secret());
    fill(&mut reply);
    reply.finish().map(<[u8]>::to_vec)
}
