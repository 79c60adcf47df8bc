//! Octets to values and back: RADIUS, EAP, ActiveSync queries.

use std::hint::black_box;

use portreeve::eap;
use portreeve::eas;
use portreeve::eas::Stated;
use portreeve::radius::AttributeType;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::Salt;
use portreeve::radius::verify;

use crate::gateway::SECRET;
use crate::gateway::table;
use crate::measured;
use crate::nas::Nas;

/// Each codec by itself.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    radius(over);
    eap_packets(over);
    queries(over);
}

fn radius(over: &mut dyn FnMut(&str, u32)) {
    let table = table();
    let mut nas = Nas::new("192.0.2.1:1812", SECRET);
    let known = table.find(nas.address.ip()).expect("it is in the table");
    let octets = request(&mut nas);
    let packet = Packet::new_checked(&octets).expect("it was just built");
    let verified = verify(packet, known).expect("it was just signed");
    repeat(over, "radius: decode a request of 15 attributes", || {
        let packet = Packet::new_checked(black_box(&octets)).expect("it is sound");
        black_box(packet.attributes().count());
        match black_box(&verified).request() {
            Ok(Request::Access(access)) => {
                black_box((access.user_name(), access.state(), access.eap_mtu()));
                black_box((access.calling_mac(), access.ssid(), access.medium()));
                black_box((access.nas_identifier(), access.nas_port(), access.offered()));
            }
            Ok(Request::Accounting(_) | Request::Status(_)) | Err(_) => {
                unreachable!("it is an Access-Request")
            }
        }
    });
    repeat(over, "radius: verify a request", || {
        black_box(verify(black_box(packet), known).is_ok());
    });
    let mut buffer = [0; MAX_PACKET];
    let keys = MppeKeys::from_msk(&[7; 64]);
    repeat(over, "radius: encode and sign an accept with keys", || {
        let mut reply = Reply::access_accept(&mut buffer, verified.origin(), known.secret());
        reply
            .vlan(0, b"20")
            .mppe_keys(&keys, Salt::new(7))
            .eap_message(&[3, 1, 0, 4]);
        black_box(reply.finish().map(<[u8]>::len)).expect("it fits");
    });
    let eap = [7; 1024];
    repeat(over, "radius: encode and sign a challenge of 1 KiB", || {
        let mut reply = Reply::access_challenge(&mut buffer, verified.origin(), known.secret());
        reply
            .eap_message(&eap)
            .octets(AttributeType::STATE, &[1; 17]);
        black_box(reply.finish().map(<[u8]>::len)).expect("it fits");
    });
}

fn request(nas: &mut Nas) -> Vec<u8> {
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, b"alice@example.org")
            .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1])
            .octets(AttributeType::NAS_IDENTIFIER, b"controller-7")
            .integer(AttributeType::NAS_PORT, 13)
            .integer(AttributeType::NAS_PORT_TYPE, 19)
            .integer(AttributeType::SERVICE_TYPE, 2)
            .integer(AttributeType::FRAMED_MTU, 1400)
            .octets(AttributeType::CALLED_STATION_ID, b"00-11-22-33-44-55:corp")
            .octets(AttributeType::CALLING_STATION_ID, b"00-AA-BB-CC-DD-EE")
            .octets(AttributeType::ACCT_SESSION_ID, b"5f1c2a7b0000000d")
            .octets(AttributeType::CONNECT_INFO, b"CONNECT 0Mbps 802.11")
            .octets(AttributeType::STATE, &[1; 17])
            .octets(AttributeType::PROXY_STATE, b"p")
            .eap_message(&[2; 51]);
    })
}

fn eap_packets(over: &mut dyn FnMut(&str, u32)) {
    let data = [7; 1000];
    let octets = eap::request(9, eap::Type::TLS, &data);
    repeat(over, "eap: encode 1,000 octets", || {
        black_box(eap::request(9, eap::Type::TLS, black_box(&data)));
    });
    repeat(over, "eap: decode 1,000 octets", || {
        black_box(eap::Packet::new_checked(black_box(&octets)).is_ok());
    });
}

fn queries(over: &mut dyn FnMut(&str, u32)) {
    let plain: &[u8] =
        b"Cmd=Sync&User=alice%40contoso.com&DeviceId=ApplF17GH4T8PMNN&DeviceType=iPhone";
    let stated = Stated {
        version: Some("14.1"),
        policy_key: Some("1307199584"),
        accept_multipart: None,
    };
    let request = eas::Request::parse(plain, stated).expect("a query of ours");
    repeat(over, "activesync: a plain query", || {
        black_box(eas::Request::parse(black_box(plain), stated).is_ok());
    });
    repeat(over, "activesync: the canonical query", || {
        black_box(black_box(&request).query());
    });
    // Version 14.1, Sync, locale 0x0409, DeviceId, policy key, DeviceType.
    let packed: &[u8] = b"jQAJBBBBcHBsRjE3R0g0VDhQTU5OBGBI6k0GaVBob25l";
    let none = Stated::default();
    eas::Request::parse(packed, none).expect("a query of ours");
    repeat(over, "activesync: a base64 query", || {
        black_box(eas::Request::parse(black_box(packed), none).is_ok());
    });
}

/// The same again and again: a codec has no state.
fn repeat(over: &mut dyn FnMut(&str, u32), name: &str, mut work: impl FnMut()) {
    work();
    for _ in 0..TIMES {
        measured(&mut work);
    }
    over(name, TIMES);
}

const TIMES: u32 = 200;
