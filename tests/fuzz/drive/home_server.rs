//! Any octets as what a home server sends on its TLS connections, in both versions, while it is asked
//! whether it lives.

use std::sync::Arc;
use std::time::Duration;

use portreeve::model::Fingerprint;
use portreeve::model::Monotonic;
use portreeve::model::Secret;
use portreeve::network::Home;
use portreeve::network::HomeConfig;
use portreeve::network::LinkId;
use portreeve::network::Proxy;
use portreeve::network::Spoken;
use portreeve::network::TlsWay;
use portreeve::network::Via;
use portreeve::network::Way;
use portreeve::radius::Code;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::Packet;
use portreeve::radius::RADSEC_SECRET;
use portreeve::radius::Returned;
use portreeve::radius::answer_11;
use portreeve::radius::next_packet;

/// One run: each packet of the octets comes on both connections.
pub fn drive(octets: &[u8]) {
    for spoken in [Spoken::Historic, Spoken::Version11] {
        let (mut proxy, link, mut now) = asked(spoken);
        let mut rest = octets;
        for _ in 0..MAX_PACKETS {
            let Ok(Some(packet)) = next_packet(rest) else {
                break;
            };
            rest = &rest[packet.len()..];
            if !proxy.handle_packet(now, link, packet) {
                proxy.handle_closed(now, link, "it lies");
            }
            sent(&mut proxy);
            now = now + Duration::from_secs(1);
            proxy.handle_timeout(now);
            read(packet);
        }
        // Whatever it was, it ends.
        for _ in 0..4 {
            now = now + Duration::from_mins(10);
            proxy.handle_timeout(now);
            sent(&mut proxy);
        }
        assert!(proxy.pending() <= 1, "a question at most is under way");
    }
}

/// A connection on which a Status-Server waits for its answer.
fn asked(spoken: Spoken) -> (Proxy, LinkId, Monotonic) {
    let home = Arc::new(Home::new(HomeConfig {
        name: "home".to_owned(),
        way: Way::Tls(TlsWay {
            host: "home.example.org".into(),
            port: 2083,
            addresses: Box::default(),
            realm: None,
            connections: 1,
            material: Fingerprint::of(b""),
        }),
        secret: Secret::new(RADSEC_SECRET.to_vec()),
        signed: true,
        status: true,
    }));
    let mut proxy = Proxy::new(|octets| octets.fill(7));
    let now = Monotonic::from_elapsed(Duration::from_secs(1));
    proxy.handle_homes(now, &[home]);
    proxy.handle_timeout(now);
    let (link, _) = proxy.poll_connect().expect("it is configured");
    assert!(proxy.handle_connected(now, link, spoken));
    let now = now + Duration::from_secs(31);
    proxy.handle_timeout(now);
    assert_eq!(proxy.pending(), 1);
    (proxy, link, now)
}

/// What is sent is sound.
fn sent(proxy: &mut Proxy) {
    while let Some((via, octets)) = proxy.poll_transmit() {
        assert!(matches!(via, Via::Tls(_)));
        Packet::new_checked(&octets).expect("what we write is sound");
    }
    while proxy.poll_connect().is_some() {}
    while proxy.poll_close().is_some() {}
}

/// What is believed of RADIUS/1.1 can be read to its end.
fn read(packet: &[u8]) {
    let Ok(packet) = Packet::new_checked(packet) else {
        return;
    };
    let fits = answer_11(&packet, Code::AccessRequest).is_ok();
    if let Some(returned) = Returned::new_11(&packet).filter(|_| fits) {
        let octets: usize = returned.attributes().map(|one| one.value().len()).sum();
        assert!(octets <= MAX_PACKET);
    }
}

const MAX_PACKETS: usize = 64;
