//! Any octets as a datagram, then the same attributes in a datagram that is signed.

use std::hint::black_box;

use portreeve::model::Monotonic;
use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::DeviceClaims;
use portreeve::radius::DropReason;
use portreeve::radius::DuplicateCache;
use portreeve::radius::DuplicateLimits;
use portreeve::radius::HEADER;
use portreeve::radius::Lookup;
use portreeve::radius::MAX_ATTRIBUTES;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Nas;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Signature;
use portreeve::radius::VendorId;
use portreeve::radius::Verified;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;

/// Panics if an invariant of the RADIUS room does not hold for `octets`.
pub fn drive(octets: &[u8]) {
    let packet = match Packet::new_checked(octets) {
        Ok(packet) => packet,
        Err(error) => {
            assert!(matches!(
                DropReason::from(error),
                DropReason::Malformed | DropReason::UnexpectedCode
            ));
            return;
        }
    };
    lengths_hold(octets, &packet);
    accessors_agree(&packet);
    let table = NasTable::new(vec![NasConfig {
        name: "nas".into(),
        group: "group".into(),
        network: "192.0.2.1/32".parse().expect("a network"),
        secret: Secret::new(b"testing123".to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Off,
        accounting: true,
        dynamic_authorization: None,
    }])
    .expect("one sound entry");
    let nas = table.iter().next().expect("one entry");
    if let Ok(verified) = verify(packet, nas) {
        answer(&verified, nas);
    }
    let mut buffer = [0; MAX_PACKET];
    if let Some(signed) = sign(&packet, nas, &mut buffer) {
        // The signature took one place.
        if let Ok(packet) = Packet::new_checked(signed) {
            let verified = verify(packet, nas).expect("what we sign we believe");
            answer(&verified, nas);
        }
    }
}

fn lengths_hold(octets: &[u8], packet: &Packet<'_>) {
    assert!((HEADER..=MAX_PACKET).contains(&packet.octets().len()));
    assert!(octets.starts_with(packet.octets()));
    let attributes: usize = packet
        .attributes()
        .map(|attribute| attribute.value.len() + 2)
        .sum();
    assert_eq!(HEADER + attributes, packet.octets().len());
    assert!(packet.attributes().count() <= MAX_ATTRIBUTES);
}

fn accessors_agree(packet: &Packet<'_>) {
    for number in 0..=u8::MAX {
        let kind = AttributeType(number);
        let first = packet.attributes().find(|attribute| attribute.kind == kind);
        assert_eq!(packet.find(kind), first.map(|attribute| attribute.value));
        assert_eq!(packet.contains(kind), first.is_some());
    }
    if let Some(eap) = packet.eap_message() {
        let mut buffer = [0; MAX_PACKET];
        let joined = eap.join(&mut buffer).expect("it came out of a packet");
        assert_eq!(joined.len(), eap.len());
        assert_eq!(eap.pieces().map(<[u8]>::len).sum::<usize>(), eap.len());
    }
    for specific in packet.vendor_specific() {
        let held: usize = specific
            .attributes()
            .map(|(_, value)| value.len() + 2)
            .sum();
        assert!(held <= specific.data.len());
    }
    black_box((packet.find_vendor(VendorId::MICROSOFT, 17), packet.ssid()));
    black_box((packet.calling_mac(), packet.medium()));
    let claims = packet.device_claims();
    assert!(claims.macs().count() <= DeviceClaims::MAX_MACS);
    let texts = [claims.uid, claims.platform, claims.hostname, claims.client];
    for text in texts.into_iter().flatten() {
        assert!((1..=64).contains(&text.len()) && !text.chars().any(char::is_control));
    }
    black_box((packet.nas_ip_address(), packet.nas_ipv6_address()));
}

/// The attributes of `packet` in a signed request of the same code.
fn sign<'b>(packet: &Packet<'_>, nas: &Nas, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let (identifier, field) = (packet.identifier(), packet.request_authenticator());
    let secret = nas.secret();
    let mut request = match packet.code() {
        Code::AccountingRequest => RequestBuilder::accounting_request(buffer, identifier, secret),
        Code::StatusServer => RequestBuilder::status_server(buffer, identifier, field, secret),
        Code::AccessRequest
        | Code::AccessAccept
        | Code::AccessReject
        | Code::AccountingResponse
        | Code::AccessChallenge
        | Code::DisconnectRequest
        | Code::DisconnectAck
        | Code::DisconnectNak
        | Code::CoaRequest
        | Code::CoaAck
        | Code::CoaNak
        | Code::ProtocolError => RequestBuilder::access_request(buffer, identifier, field, secret),
    };
    for attribute in packet.attributes() {
        if attribute.kind != AttributeType::MESSAGE_AUTHENTICATOR {
            request.octets(attribute.kind, attribute.value);
        }
    }
    request.finish().ok()
}

fn answer(verified: &Verified<'_>, nas: &Nas) {
    let Ok(request) = verified.request() else {
        return;
    };
    let mut buffer = [0; MAX_PACKET];
    let origin = verified.origin();
    let (reply, signature) = match request {
        Request::Access(access) => {
            black_box((access.offered(), access.chap(), access.eap_mtu()));
            let secret = nas.secret().secret();
            let revealed = access.password(secret);
            let hidden = access.find(AttributeType::USER_PASSWORD);
            assert_eq!(revealed.is_some(), hidden.is_some());
            let mut reply = Reply::access_challenge(&mut buffer, origin, nas.secret());
            reply
                .eap_message(&[1, 1, 0, 6, 13, 32])
                .octets(AttributeType::STATE, &[7; 16]);
            (reply, Signature::First)
        }
        Request::Accounting(accounting) => {
            assert!(!accounting.session_id().is_empty());
            black_box((accounting.input_octets(), accounting.output_octets()));
            black_box(accounting.event_timestamp());
            (
                Reply::accounting_response(&mut buffer, origin, nas.secret()),
                Signature::Missing,
            )
        }
        Request::Status(_) => (
            Reply::access_accept(&mut buffer, origin, nas.secret()),
            Signature::First,
        ),
    };
    // Only Proxy-State can make the reply too long.
    let Ok(octets) = reply.finish() else {
        assert!(verified.packet().octets().len() > MAX_PACKET - 100);
        return;
    };
    let reply = Packet::new_checked(octets).expect("what we write is sound");
    let checked = verify_reply(reply, verified.packet(), nas.secret());
    let checked = checked.expect("what we sign is believed");
    assert_eq!(checked.signature(), signature);
    assert!(reply.proxy_states().eq(verified.packet().proxy_states()));
    remember(verified, octets);
}

fn remember(verified: &Verified<'_>, reply: &[u8]) {
    let mut cache = DuplicateCache::new(DuplicateLimits {
        entries: 2,
        octets: MAX_PACKET,
        ..DuplicateLimits::default()
    });
    let now = Monotonic::default();
    let from = ([192, 0, 2, 1], 1000).into();
    assert_eq!(cache.find(now, from, verified.packet()), Lookup::New);
    let ticket = cache.begin(now, from, verified).expect("there is room");
    assert_eq!(cache.find(now, from, verified.packet()), Lookup::InProgress);
    cache.complete(now, ticket, reply);
    assert_eq!(
        cache.find(now, from, verified.packet()),
        Lookup::Replay(reply)
    );
}
