//! The path of a packet: ok, verify, decode, encode and sign, and the tables around it.
//!
//! The request has 344 octets and 20 attributes, as a wireless controller sends it in the middle of
//! an EAP conversation.

use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use portreeve::model::Monotonic;
use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::DuplicateCache;
use portreeve::radius::DuplicateLimits;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::MppeKeys;
use portreeve::radius::Nas;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::Request;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::Salt;
use portreeve::radius::VendorId;
use portreeve::radius::verify;

fn packets(criterion: &mut Criterion) {
    let nas = nas();
    let mut buffer = [0; MAX_PACKET];
    let request = request(&nas, &mut buffer);
    let packet = Packet::new_checked(request).expect("it was just built");
    assert_eq!((request.len(), packet.attributes().count()), (344, 20));
    let verified = verify(packet, &nas).expect("it was just signed");

    criterion.bench_function("ok", |bench| {
        bench.iter(|| Packet::new_checked(black_box(request)));
    });
    criterion.bench_function("verify", |bench| {
        bench.iter(|| verify(black_box(packet), &nas));
    });
    criterion.bench_function("decode: views and ten look-ups", |bench| {
        bench.iter(|| match black_box(&verified).request() {
            Ok(Request::Access(access)) => {
                black_box((access.user_name(), access.state(), access.eap_mtu()));
                black_box((access.calling_mac(), access.ssid(), access.medium()));
                black_box((access.nas_identifier(), access.nas_port(), access.offered()));
                black_box(access.eap_message().map(|eap| eap.len()));
            }
            Ok(Request::Accounting(_) | Request::Status(_)) | Err(_) => {
                unreachable!("it is an Access-Request")
            }
        });
    });
    let mut answer = [0; MAX_PACKET];
    criterion.bench_function("encode and sign: challenge, 1024 octets of EAP", |bench| {
        let eap = [7; 1024];
        bench.iter(|| {
            let mut reply = Reply::access_challenge(&mut answer, verified.origin(), nas.secret());
            reply
                .eap_message(&eap)
                .octets(AttributeType::STATE, &[1; 16]);
            black_box(reply.finish().map(<[u8]>::len))
        });
    });
    criterion.bench_function("encode and sign: accept, VLAN", |bench| {
        bench.iter(|| {
            let mut reply = Reply::access_accept(&mut answer, verified.origin(), nas.secret());
            reply
                .vlan(0, b"20")
                .integer(AttributeType::SESSION_TIMEOUT, 3600);
            black_box(reply.finish().map(<[u8]>::len))
        });
    });
    criterion.bench_function("encode and sign: accept, VLAN and keys", |bench| {
        let keys = MppeKeys::from_msk(&[7; 64]);
        bench.iter(|| {
            let mut reply = Reply::access_accept(&mut answer, verified.origin(), nas.secret());
            reply
                .vlan(0, b"20")
                .mppe_keys(&keys, Salt::new(7))
                .eap_message(&[3, 1, 0, 4]);
            black_box(reply.finish().map(<[u8]>::len))
        });
    });
}

fn tables(criterion: &mut Criterion) {
    let address = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 | n.wrapping_mul(0x9e37_79b1) >> 8);
    let mut networks: Vec<Ipv4Addr> = (0..50_000).map(address).collect();
    networks.sort_unstable();
    networks.dedup();
    let configs = networks.iter().map(|address| config(IpAddr::V4(*address)));
    let table = NasTable::new(configs.collect()).expect("sound entries");
    criterion.bench_function("NAS of an address, 50,000 prefixes", |bench| {
        let mut next = 0_u32;
        bench.iter(|| {
            next = next.wrapping_add(1) % 50_000;
            table.find(IpAddr::V4(black_box(address(next)))).is_some()
        });
    });

    let nas = nas();
    let mut buffer = [0; MAX_PACKET];
    let packet = Packet::new_checked(request(&nas, &mut buffer)).expect("it was just built");
    let verified = verify(packet, &nas).expect("it was just signed");
    let mut cache = DuplicateCache::new(DuplicateLimits::default());
    criterion.bench_function("duplicates: find, begin, complete 200 octets", |bench| {
        let now = Monotonic::default();
        let mut port = 0_u16;
        bench.iter(|| {
            port = port.wrapping_add(1);
            let from = SocketAddr::from(([192, 0, 2, 1], port));
            black_box(cache.find(now, from, &packet));
            if let Some(ticket) = cache.begin(now, from, &verified) {
                cache.complete(now, ticket, &[7; 200]);
            }
        });
    });
}

fn config(address: IpAddr) -> NasConfig {
    NasConfig {
        name: "nas".into(),
        group: "access-points".into(),
        network: address.into(),
        secret: Secret::new(b"a secret of 24 octets...".to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    }
}

fn nas() -> Arc<Nas> {
    let table = NasTable::new(vec![config([192, 0, 2, 1].into())]).expect("one sound entry");
    Arc::clone(table.iter().next().expect("one entry"))
}

fn request<'b>(nas: &Nas, buffer: &'b mut [u8]) -> &'b [u8] {
    let field = RequestAuthenticator::new([0x5a; 16]);
    let mut request = RequestBuilder::access_request(buffer, 7, field, nas.secret());
    request
        .octets(AttributeType::USER_NAME, b"alice@example.org")
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1])
        .octets(AttributeType::NAS_IDENTIFIER, b"controller-7")
        .integer(AttributeType::NAS_PORT, 13)
        .integer(AttributeType::NAS_PORT_TYPE, 19)
        .octets(AttributeType::NAS_PORT_ID, b"capwap_9000000d")
        .integer(AttributeType::SERVICE_TYPE, 2)
        .integer(AttributeType::FRAMED_MTU, 1400)
        .octets(AttributeType::CALLED_STATION_ID, b"00-11-22-33-44-55:corp")
        .octets(AttributeType::CALLING_STATION_ID, b"00-AA-BB-CC-DD-EE")
        .octets(AttributeType::ACCT_SESSION_ID, b"5f1c2a7b0000000d")
        .octets(AttributeType::CONNECT_INFO, b"CONNECT 0Mbps 802.11")
        .octets(AttributeType::STATE, &[1; 16])
        .octets(AttributeType::ACCT_MULTI_SESSION_ID, b"5f1c2a7b")
        .vendor(VendorId::CISCO, 1, b"service-type=Framed")
        .vendor(VendorId::CISCO, 1, b"method=dot1x")
        .vendor(VendorId(14179), 1, &[0, 0, 0, 1])
        .octets(AttributeType::PROXY_STATE, b"p");
    // What is left of 344 octets is EAP.
    let eap = [2; 51];
    request.eap_message(&eap);
    request.finish().expect("it fits")
}

criterion_group!(benches, packets, tables);
criterion_main!(benches);
