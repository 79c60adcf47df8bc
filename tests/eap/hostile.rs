//! Peers that do in TLS what no good peer does, and servers that do in EAP what no good one does.

use std::io::Write;
use std::sync::Arc;

use portreeve::eap;
use portreeve::eap::Conversation;
use portreeve::eap::Discard;
use portreeve::eap::FailureReason;
use portreeve::eap::Fragment;
use portreeve::eap::Fragmenter;
use portreeve::eap::Packet;
use portreeve::eap::Progress;
use portreeve::eap::Reassembler;
use portreeve::eap::Step;
use portreeve::eap::Type;
use portreeve::probe::Answer;
use portreeve::probe::PeerFailure;
use portreeve::probe::Supplicant;
use rustls::CertificateCompressionAlgorithm;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::compress::CertCompressor;
use rustls::compress::CertDecompressor;
use rustls::compress::CompressionFailed;
use rustls::compress::DecompressionFailed;

use crate::pki::Device;
use crate::world::World;

/// A TLS client that one can make say anything, with the framing of EAP-TLS around it.
struct Raw {
    tls: ClientConnection,
    conversation: Conversation,
    identifier: u8,
}

/// What the server answered a message with: its next message, or the end.
enum Reply {
    Message(Vec<u8>),
    End(Step),
}

impl Raw {
    fn new(world: &World, version: &'static rustls::SupportedProtocolVersion) -> Self {
        Self::with(world, version, |_| {})
    }

    fn with(
        world: &World,
        version: &'static rustls::SupportedProtocolVersion,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Self {
        let holder = world.root.device(&Device::default());
        let mut roots = RootCertStore::empty();
        roots.add(world.root.certificate()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(holder.chain, holder.key)
            .unwrap();
        change(&mut config);
        let name = "radius.example.org".try_into().unwrap();
        let mut conversation = world.conversation(&world.config(), 3000);
        conversation.handle(world.now, &[2, 1, 0, 5, 1]);
        Self {
            tls: ClientConnection::new(Arc::new(config), name).unwrap(),
            conversation,
            identifier: 2,
        }
    }

    fn flight(&mut self) -> Vec<u8> {
        let mut flight = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut flight).unwrap();
        }
        flight
    }

    fn feed(&mut self, mut message: &[u8]) {
        while !message.is_empty() {
            self.tls.read_tls(&mut message).unwrap();
            self.tls.process_new_packets().unwrap();
        }
    }

    /// Sends one message whole and reads the answer.
    fn exchange(&mut self, world: &World, message: Vec<u8>) -> Reply {
        let data = Fragmenter::new(message, 10_000).next_fragment().unwrap();
        let response = eap::response(self.identifier, Type::TLS, &data);
        let mut step = self.conversation.handle(world.now, &response);
        if matches!(step, Step::Work) {
            step = self.conversation.work(world.now);
        }
        let Step::Request(request) = step else {
            return Reply::End(step);
        };
        let packet = Packet::new_checked(&request).unwrap();
        self.identifier = packet.identifier();
        let fragment = Fragment::parse(packet.data()).unwrap();
        match Reassembler::default().push(&fragment) {
            Ok(Progress::Whole(message)) => Reply::Message(message),
            other => panic!("{other:?}"),
        }
    }

    /// Up to the peer's last flight of the handshake, which is returned.
    fn until_finished(&mut self, world: &World) -> Vec<u8> {
        let hello = self.flight();
        let Reply::Message(message) = self.exchange(world, hello) else {
            panic!("no ServerHello");
        };
        self.feed(&message);
        self.flight()
    }
}

#[track_caller]
fn reason(reply: Reply) -> FailureReason {
    match reply {
        Reply::End(Step::Failure(failed)) => failed.reason,
        Reply::End(step) => panic!("{step:?}"),
        Reply::Message(_) => panic!("a message"),
    }
}

const BOTH: [&rustls::SupportedProtocolVersion; 2] =
    [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn application_data_with_the_finished_is_an_error_rfc9190_2_1() {
    // TLS 1.2 has none to send yet: the keys are in force only after the server's Finished.
    let world = World::new();
    let mut raw = Raw::new(&world, &rustls::version::TLS13);
    let mut flight = raw.until_finished(&world);
    raw.tls.writer().write_all(b"GET /").unwrap();
    flight.extend(raw.flight());
    let reply = raw.exchange(&world, flight);
    assert_eq!(reason(reply), FailureReason::ApplicationData);
    assert!(world.resumption.is_empty());
}

#[test]
fn application_data_instead_of_the_last_response_is_an_error() {
    for version in BOTH {
        let world = World::new();
        let mut raw = Raw::new(&world, version);
        let flight = raw.until_finished(&world);
        let Reply::Message(message) = raw.exchange(&world, flight) else {
            panic!("no last flight");
        };
        raw.feed(&message);
        raw.tls.writer().write_all(b"GET /").unwrap();
        let data = raw.flight();
        let reply = raw.exchange(&world, data);
        assert_eq!(reason(reply), FailureReason::ApplicationData);
        assert!(world.resumption.is_empty(), "row {version:?}");
    }
}

#[test]
fn close_notify_before_success_is_a_failure() {
    for version in BOTH {
        let world = World::new();
        let mut raw = Raw::new(&world, version);
        let flight = raw.until_finished(&world);
        let Reply::Message(message) = raw.exchange(&world, flight) else {
            panic!("no last flight");
        };
        raw.feed(&message);
        raw.tls.send_close_notify();
        let data = raw.flight();
        let reply = raw.exchange(&world, data);
        assert_eq!(reason(reply), FailureReason::PeerClosed, "row {version:?}");
        assert!(world.resumption.is_empty(), "row {version:?}");
    }
}

#[test]
fn close_notify_with_the_finished_is_a_failure() {
    let world = World::new();
    let mut raw = Raw::new(&world, &rustls::version::TLS13);
    let mut flight = raw.until_finished(&world);
    raw.tls.send_close_notify();
    flight.extend(raw.flight());
    let reply = raw.exchange(&world, flight);
    assert_eq!(reason(reply), FailureReason::PeerClosed);
    assert!(world.resumption.is_empty());
}

#[test]
fn an_acknowledgement_amid_a_message_is_no_success() {
    let world = World::new();
    let mut raw = Raw::new(&world, &rustls::version::TLS13);
    let flight = raw.until_finished(&world);
    let Reply::Message(_) = raw.exchange(&world, flight) else {
        panic!("no last flight");
    };
    let first = eap::response(raw.identifier, Type::TLS, &[0xc0, 0, 0, 0, 9, 21]);
    let Step::Request(acknowledged) = raw.conversation.handle(world.now, &first) else {
        panic!("not acknowledged");
    };
    let empty = eap::response(acknowledged[1], Type::TLS, &[0]);
    let step = raw.conversation.handle(world.now, &empty);
    assert!(
        matches!(step, Step::Discard(Discard::Invalid(_))),
        "{step:?}"
    );
}

#[test]
fn a_changed_finished_gets_no_success_and_an_alert() {
    for version in BOTH {
        let world = World::new();
        let mut raw = Raw::new(&world, version);
        let mut flight = raw.until_finished(&world);
        *flight.last_mut().unwrap() ^= 1;
        let Reply::Message(alert) = raw.exchange(&world, flight) else {
            panic!("no alert");
        };
        assert!(alert.len() < 64, "row {version:?}");
        let reply = raw.exchange(&world, vec![0]);
        assert!(matches!(reason(reply), FailureReason::Tls(_)));
        assert!(world.resumption.is_empty(), "row {version:?}");
    }
}

#[test]
fn half_a_record_leads_nowhere() {
    let world = World::new();
    let mut raw = Raw::new(&world, &rustls::version::TLS13);
    let mut hello = raw.flight();
    hello.truncate(hello.len() / 2);
    assert_eq!(reason(raw.exchange(&world, hello)), FailureReason::Stalled);
}

#[test]
fn garbage_is_answered_with_an_alert_and_then_failure() {
    let world = World::new();
    for message in [
        vec![0xff; 100],
        vec![22, 3, 1, 0, 4, 1, 0, 0, 0],
        vec![23, 3, 3, 0, 1, 0],
    ] {
        let mut raw = Raw::new(&world, &rustls::version::TLS13);
        match raw.exchange(&world, message.clone()) {
            Reply::Message(alert) => {
                assert_eq!(
                    (alert[0], alert[5]),
                    (21, 2),
                    "row {message:?}: fatal alert"
                );
                let reply = raw.exchange(&world, vec![1]);
                assert!(matches!(reason(reply), FailureReason::Tls(_)));
            }
            reply @ Reply::End(_) => {
                assert!(matches!(reason(reply), FailureReason::Tls(_)));
            }
        }
        assert_eq!(world.judge.take_asked(), []);
    }
}

/// A message of TLS in one packet, which announces another length than it has.
fn announcing(identifier: u8, announced: u32, flags: u8, data: &[u8]) -> Vec<u8> {
    let mut type_data = vec![0x80 | flags];
    type_data.extend(announced.to_be_bytes());
    type_data.extend(data);
    eap::response(identifier, Type::TLS, &type_data)
}

/// The state in which the first TLS message is due.
fn begun(world: &World) -> (Conversation, u8) {
    let mut conversation = world.conversation(&world.config(), 3000);
    let step = conversation.handle(world.now, &[2, 1, 0, 5, 1]);
    let Step::Request(start) = step else {
        panic!("{step:?}");
    };
    (conversation, start[1])
}

#[test]
fn a_lying_tls_length_is_refused_before_anything_is_kept_rfc5216_3_1() {
    const MORE: u8 = 0x40;
    let world = World::new();
    for (row, announced, flags, data, ends) in [
        ("4 GiB", u32::MAX, MORE, vec![22; 100], true),
        (
            "one more than the bound",
            64 * 1024 + 1,
            MORE,
            vec![22; 100],
            true,
        ),
        ("less than there is", 10, 0, vec![22; 100], true),
        (
            "less than there is, and more to come",
            10,
            MORE,
            vec![22; 100],
            true,
        ),
        (
            "more than there is, at its end",
            200,
            0,
            vec![22; 100],
            true,
        ),
        ("nothing, and more to come", 0, MORE, Vec::new(), false),
    ] {
        let (mut conversation, identifier) = begun(&world);
        let packet = announcing(identifier, announced, flags, &data);
        let step = conversation.handle(world.now, &packet);
        match &step {
            Step::Failure(failed) => {
                assert!(ends, "row {row}: {}", failed.reason);
                assert!(
                    matches!(failed.reason, FailureReason::Fragment(_)),
                    "row {row}"
                );
            }
            Step::Discard(Discard::Invalid(_)) => assert!(!ends, "row {row}: not the end"),
            other => panic!("row {row}: {other:?}"),
        }
        assert_eq!(world.judge.take_asked(), [], "row {row}");
    }
}

#[test]
fn fragments_without_end_are_bounded_in_octets_and_in_rounds_rfc5216_2_1_5() {
    const MORE: u8 = 0x40;
    let world = World::new();
    for (row, octets, rounds) in [("large ones", 1000, 70), ("of one octet", 1, 110)] {
        let (mut conversation, mut identifier) = begun(&world);
        let data = [&[MORE][..], &vec![22; octets]].concat();
        let mut taken = 0;
        let reason = loop {
            let packet = match taken {
                0 => announcing(identifier, 64 * 1024, MORE, &vec![22; octets]),
                _ => eap::response(identifier, Type::TLS, &data),
            };
            match conversation.handle(world.now, &packet) {
                Step::Request(next) => identifier = next[1],
                Step::Failure(failed) => break failed.reason,
                other => panic!("row {row}: {other:?}"),
            }
            taken += 1;
            assert!(taken < rounds, "row {row}: taken for ever");
        };
        assert!(
            matches!(
                reason,
                FailureReason::Fragment(_) | FailureReason::Rounds { .. }
            ),
            "row {row}: {reason}"
        );
    }
}

#[test]
fn a_chain_over_the_limit_is_refused_rfc5280_6_1() {
    for version in BOTH {
        let world = World::new();
        let mut authority = world.root.intermediate("CA 0", 0);
        let mut chain = vec![authority.certificate()];
        for number in 1..12 {
            authority = authority.intermediate(&format!("CA {number}"), 0);
            chain.insert(0, authority.certificate());
        }
        let holder = authority.device_through(&Device::default(), chain);
        let mut settings = world.profile_settings(Some(holder));
        settings.highest = if *version == rustls::version::TLS12 {
            eap::TlsVersion::Tls12
        } else {
            eap::TlsVersion::Tls13
        };
        let profile = Arc::new(portreeve::probe::Profile::build(settings).unwrap());
        let seen = world.connect(&world.config(), &profile);
        let failed = seen.failed();
        assert!(
            matches!(failed.reason, FailureReason::Certificate(_)),
            "{}",
            failed.reason
        );
        // What is kept of it is bounded.
        let shown = failed.shown.as_ref().unwrap();
        assert_eq!(shown.certificates().len(), eap::Shown::MAX);
        assert!(shown.to_string().ends_with("; and 9 more"), "{shown}");
        assert_eq!(world.judge.take_asked(), []);
    }
}

#[test]
fn a_chain_that_no_message_may_hold_ends_at_the_bound() {
    let world = World::new();
    let holder = world.root.device(&Device {
        ballast: 65_000,
        ..Device::default()
    });
    let profile = world.profile(holder);
    let supplicant = Supplicant::new(profile);
    let first = supplicant.identity_response(1);
    let mut settings = world.settings();
    settings.max_rounds = 1000;
    let config = Arc::new(eap::Config::build(settings).unwrap());
    let conversation = world.conversation(&config, 3000);
    let seen = world.run(conversation, supplicant, first);
    let reason = &seen.failed().reason;
    assert!(matches!(reason, FailureReason::Fragment(_)), "{reason}");
}

/// Notes whether it was used: to unpack our chain, or to pack the peer's.
#[derive(Debug, Default)]
struct Noting(std::sync::atomic::AtomicUsize);

impl Noting {
    fn used(&self) -> usize {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl CertDecompressor for Noting {
    fn decompress(&self, _: &[u8], _: &mut [u8]) -> Result<(), DecompressionFailed> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(DecompressionFailed)
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        CertificateCompressionAlgorithm::Zlib
    }
}

impl CertCompressor for Noting {
    fn compress(
        &self,
        _: Vec<u8>,
        _: rustls::compress::CompressionLevel,
    ) -> Result<Vec<u8>, CompressionFailed> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // What unpacks to 16 MiB of nothing.
        Ok(vec![0; 1000])
    }

    fn algorithm(&self) -> CertificateCompressionAlgorithm {
        CertificateCompressionAlgorithm::Zlib
    }
}

/// A compressed chain is a small message that grows to 16 MiB. It is never asked for, so nothing is
/// ever unpacked: a peer that would send a bomb sends its chain as it is.
#[test]
fn a_compressed_chain_is_never_asked_for_rfc8879_4() {
    const COMPRESS_CERTIFICATE: [u8; 2] = [0, 27];
    let world = World::new();
    let noting: &'static Noting = Box::leak(Box::default());
    let mut raw = Raw::with(&world, &rustls::version::TLS13, |config| {
        config.cert_decompressors = vec![noting];
        config.cert_compressors = vec![noting];
    });
    let hello = raw.flight();
    let offered = hello.windows(2).any(|two| two == COMPRESS_CERTIFICATE);
    assert!(offered, "the peer would take and send compressed chains");
    let Reply::Message(message) = raw.exchange(&world, hello) else {
        panic!("no ServerHello");
    };
    raw.feed(&message);
    let flight = raw.flight();
    let Reply::Message(message) = raw.exchange(&world, flight) else {
        panic!("no last flight");
    };
    raw.feed(&message);
    assert!(!raw.tls.is_handshaking());
    assert_eq!(noting.used(), 0);
}

/// A ClientHello in one record; groups X25519 and P-256, ECDSA and RSA-PSS signatures.
fn client_hello(version: u8, suites: &[u8]) -> Vec<u8> {
    let mut body = vec![3, version];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, u8::try_from(suites.len()).unwrap()]);
    body.extend(suites);
    body.extend([1, 0]);
    let extensions = [
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, // supported_groups
        0, 13, 0, 6, 0, 4, 4, 3, 8, 4, // signature_algorithms
    ];
    body.extend([0, u8::try_from(extensions.len()).unwrap()]);
    body.extend(extensions);
    let mut hello = vec![1, 0, 0, u8::try_from(body.len()).unwrap()];
    hello.extend(body);
    let mut record = vec![22, 3, 1, 0, u8::try_from(hello.len()).unwrap()];
    record.extend(hello);
    record
}

#[test]
fn old_versions_and_weak_suites_are_refused_rfc8996_rfc9325() {
    let world = World::new();
    for (row, version, suites, alert) in [
        ("a good one", 3, &[0xc0, 0x2b][..], None),
        ("TLS 1.1", 2, &[0xc0, 0x2b], Some(70)),
        ("TLS 1.0", 1, &[0xc0, 0x09], Some(70)),
        ("SSL 3", 0, &[0x00, 0x05], Some(70)),
        ("NULL", 3, &[0x00, 0x3b, 0xc0, 0x06], Some(40)),
        ("anonymous", 3, &[0x00, 0xa6, 0xc0, 0x18], Some(40)),
        ("export", 3, &[0x00, 0x03, 0x00, 0x08], Some(40)),
        ("RC4", 3, &[0x00, 0x05, 0xc0, 0x07], Some(40)),
        ("3DES", 3, &[0x00, 0x0a, 0xc0, 0x08], Some(40)),
        ("CBC", 3, &[0xc0, 0x09, 0xc0, 0x23], Some(40)),
        ("RSA key exchange", 3, &[0x00, 0x9c, 0x00, 0x9d], Some(40)),
    ] {
        let mut raw = Raw::new(&world, &rustls::version::TLS13);
        let Reply::Message(message) = raw.exchange(&world, client_hello(version, suites)) else {
            panic!("row {row}: no message");
        };
        match alert {
            None => assert_eq!((message[0], message[5]), (22, 2), "row {row}: ServerHello"),
            Some(alert) => {
                assert_eq!(
                    (message[0], message[5], message[6]),
                    (21, 2, alert),
                    "row {row}"
                );
                let reason = reason(raw.exchange(&world, vec![0]));
                assert!(
                    matches!(reason, FailureReason::Incompatible(_)),
                    "row {row}: {reason}"
                );
            }
        }
    }
}

#[test]
fn the_supplicant_refuses_success_that_it_cannot_believe() {
    let world = World::new();
    let profile = world.profile(world.root.device(&Device::default()));
    // Before anything.
    let mut supplicant = Supplicant::new(Arc::clone(&profile));
    let answer = supplicant.handle(world.now, &eap::success(1));
    assert!(matches!(answer, Answer::Failure(PeerFailure::TooEarly)));

    // After its Finished and before the indication, where a TLS 1.3 handshake looks complete.
    let mut supplicant = Supplicant::new(profile);
    let mut conversation = world.conversation(&world.config(), 3000);
    let mut response = supplicant.identity_response(1);
    while !supplicant.report().complete {
        let mut step = conversation.handle(world.now, &response);
        if matches!(step, Step::Work) {
            step = conversation.work(world.now);
        }
        let Step::Request(request) = step else {
            panic!("{step:?}");
        };
        let Answer::Response(next) = supplicant.handle(world.now, &request) else {
            panic!("no response");
        };
        response = next;
    }
    let answer = supplicant.handle(world.now, &eap::success(9));
    assert!(matches!(answer, Answer::Failure(PeerFailure::NotIndicated)));
}

#[test]
fn the_supplicant_answers_as_rfc3748_says() {
    let world = World::new();
    let profile = world.profile(world.root.device(&Device::default()));
    let mut supplicant = Supplicant::new(profile);
    let mut answer = |octets: &[u8]| match supplicant.handle(world.now, octets) {
        Answer::Response(response) => response,
        other => panic!("{other:?}"),
    };
    let identity = answer(&[1, 1, 0, 5, 1]);
    assert!(identity.ends_with(b"host/phone.example.org"));
    assert_eq!(answer(&[1, 2, 0, 7, 2, b'h', b'i']), [2, 2, 0, 5, 2]);
    assert_eq!(answer(&[1, 3, 0, 6, 25, 0x20]), [2, 3, 0, 6, 3, 13]);
    let hello = answer(&[1, 4, 0, 6, 13, 0x20]);
    // A request that comes again gets the same answer.
    assert_eq!(answer(&[1, 4, 0, 6, 13, 0x20]), hello);
}
