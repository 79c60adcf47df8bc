//! Which work of a tunnel is light: that of which takes less than giving it to another thread.

use std::sync::Arc;

use portreeve::eap::Config;
use portreeve::eap::Fragment;
use portreeve::eap::Fragmenter;
use portreeve::eap::Inner;
use portreeve::eap::Offer;
use portreeve::eap::Outer;
use portreeve::eap::Packet;
use portreeve::eap::Progress;
use portreeve::eap::Reassembler;
use portreeve::eap::Step;
use portreeve::eap::TeapCertificate;
use portreeve::eap::TlsVersion;
use portreeve::eap::Type;
use portreeve::eap::response;
use portreeve::probe::Profile;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::kx_group;

use crate::tunnel::settings;
use crate::world::World;

/// In TLS 1.3 the peer agrees on a key with its first message, and has nothing to sign without a
/// certificate.
#[test]
fn without_a_certificate_only_the_first_flight_of_tls_1_3_is_heavy() {
    for (version, asked, second_is_light) in [
        (TlsVersion::Tls13, false, true),
        (TlsVersion::Tls13, true, false),
        (TlsVersion::Tls12, false, false),
        (TlsVersion::Tls12, true, false),
    ] {
        for spoken in [
            (Outer::Peap, Inner::MsChapV2, true),
            (Outer::Ttls, Inner::Pap, false),
            (Outer::Teap, Inner::MsChapV2, true),
        ] {
            let world = World::with_tunnels();
            let mut server = world.settings();
            server.tunnel.ask_certificate = asked;
            if asked {
                server.teap.certificate = TeapCertificate::Machine;
            }
            let config = Arc::new(Config::build(server).unwrap());
            let mut peer = settings(&world, spoken);
            peer.highest = version;
            let seen = world.connect(&config, &Arc::new(Profile::build(peer).unwrap()));
            let row = format!("row {spoken:?}, {version}, asked {asked}");
            assert!(!seen.succeeded().resumed, "{row}");
            let [first, second, inside @ ..] = &*seen.light else {
                panic!("{row}: {:?}", seen.light);
            };
            assert_eq!((*first, *second), (false, second_is_light), "{row}");
            assert!(
                !inside.is_empty() && inside.iter().all(|light| *light),
                "{row}"
            );
        }
    }
}

/// A peer that names no key share which the server takes is asked again, and agrees on a key with its
/// second ClientHello: whoever sends one must not hold up the packet loop (RFC 8446 section 4.1.4).
#[test]
fn a_second_client_hello_is_no_light_work_rfc8446_4_1_4() {
    let mut world = World::with_tunnels();
    world.offer = Some(Arc::new(Offer::new(&[Outer::Peap], &[Inner::MsChapV2])));
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.kx_groups = vec![kx_group::MLKEM768, kx_group::X25519];
    let mut roots = RootCertStore::empty();
    roots.add(world.root.certificate()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "radius.example.org".try_into().unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut conversation = world.conversation(&world.config(), 3000);
    let mut step = conversation.handle(world.now, &[2, 1, 0, 5, 1]);
    let mut light = Vec::new();
    while tls.is_handshaking() || tls.wants_write() {
        let Step::Request(request) = step else {
            panic!("{step:?}");
        };
        let packet = Packet::new_checked(&request).unwrap();
        let fragment = Fragment::parse(packet.data()).unwrap();
        if let Ok(Progress::Whole(message)) = Reassembler::default().push(&fragment) {
            let mut rest = &message[..];
            while !rest.is_empty() {
                tls.read_tls(&mut rest).unwrap();
                tls.process_new_packets().unwrap();
            }
        }
        let mut flight = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut flight).unwrap();
        }
        let data = Fragmenter::new(flight, 10_000).next_fragment().unwrap();
        let answer = response(packet.identifier(), Type::PEAP, &data);
        assert!(matches!(
            conversation.handle(world.now, &answer),
            Step::Work
        ));
        light.push(conversation.has_light_work());
        step = conversation.work(world.now);
    }
    // Two ClientHellos, and the Finished.
    assert_eq!(light, [false, false, false]);
    assert!(matches!(step, Step::Request(_)), "{step:?}");
}
