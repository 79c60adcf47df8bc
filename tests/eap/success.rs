//! Conversations that succeed.

use std::sync::Arc;

use portreeve::eap::Config;
use portreeve::eap::Conversation;
use portreeve::eap::Settings;
use portreeve::eap::Stage;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::model::Verdict;
use portreeve::probe::Profile;
use portreeve::probe::Supplicant;

use crate::pki::Device;
use crate::world::World;

#[test]
fn both_versions_give_both_sides_the_same_keys_rfc5216_2_3() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let world = World::new();
        let mut settings = world.settings();
        settings.lowest = version;
        settings.highest = version;
        let config = Arc::new(Config::build(settings).unwrap());
        let profile = world.profile(world.root.device(&Device::default()));
        let seen = world.connect(&config, &profile);
        let outcome = seen.succeeded();
        assert_eq!(outcome.version, version);
        assert_eq!(seen.report.version, Some(version), "row {version}");
        assert_eq!(outcome.keys.session_id.as_ref().unwrap().octets()[0], 13);
        assert!(!outcome.resumed);
        assert_eq!(world.judge.take_asked(), [Stage::Full], "row {version}");
        let device = outcome
            .principal
            .certificate()
            .unwrap()
            .intune_device_id()
            .unwrap();
        assert_eq!(device.to_string(), "0f8fad5b-d9cb-469f-a165-70867728950e");
    }
}

#[test]
fn tls_1_3_success_is_indicated_and_1_2_needs_no_indication_rfc9190_2_5() {
    let world = World::new();
    for (highest, indicated, tickets) in
        [(TlsVersion::Tls13, true, 1), (TlsVersion::Tls12, false, 0)]
    {
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.highest = highest;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect(&world.config(), &profile);
        seen.succeeded();
        assert_eq!(seen.report.indicated, indicated, "row {highest}");
        assert_eq!(seen.report.tickets, tickets, "row {highest}");
        assert!(
            seen.report.alerts.is_empty(),
            "row {highest}: no close_notify"
        );
    }
}

#[test]
fn a_conversation_is_three_requests_and_two_works() {
    let world = World::new();
    let profile = world.profile(world.root.device(&Device::default()));
    let seen = world.connect_with(&world.config(), &profile, 3000);
    assert_eq!(seen.succeeded().rounds, 3);
    assert_eq!(seen.works, 2);
}

#[test]
fn begins_with_eap_start_rfc3579_2_1() {
    let world = World::new();
    let profile = world.profile(world.root.device(&Device::default()));
    let mut conversation = world.conversation(&world.config(), 1024);
    let Step::Request(request) = conversation.handle_start(world.now) else {
        panic!("no request");
    };
    assert_eq!(request, [1, 100, 0, 5, 1]);
    let supplicant = Supplicant::new(profile);
    let first = supplicant.identity_response(100);
    world.run(conversation, supplicant, first).succeeded();
}

#[test]
fn quarantine_gets_keys_ticket_and_indication() {
    let world = World::new();
    world.judge.says(Verdict::Quarantine);
    let profile = world.profile(world.root.device(&Device::default()));
    let seen = world.connect(&world.config(), &profile);
    assert_eq!(seen.succeeded().verdict, Verdict::Quarantine);
    assert!(seen.report.indicated);
    assert_eq!(seen.report.tickets, 1);
}

/// The peer would rather have the larger one.
#[test]
fn the_server_chooses_a_suite_with_sha_256() {
    let world = World::new();
    for (version, suite) in [
        (TlsVersion::Tls12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        (TlsVersion::Tls13, "TLS13_AES_128_GCM_SHA256"),
    ] {
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        for _ in 0..2 {
            let seen = world.connect(&world.config(), &profile);
            assert_eq!(seen.succeeded().suite, suite);
        }
    }
}

#[test]
fn as_many_tickets_as_configured() {
    let world = World::new();
    for tickets in 0..=2 {
        let mut settings = world.settings();
        settings.tickets = tickets;
        let config = Arc::new(Config::build(settings).unwrap());
        let profile = world.profile(world.root.device(&Device::default()));
        let seen = world.connect(&config, &profile);
        seen.succeeded();
        assert_eq!(seen.report.tickets, u32::from(tickets), "row {tickets}");
        assert!(seen.report.indicated);
    }
}

#[test]
fn a_long_chain_in_small_fragments_both_ways_rfc5216_2_1_5() {
    let mut world = World::new();
    let upper = world.root.intermediate("Upper", 2000);
    let lower = upper.intermediate("Lower", 2000);
    let chain = vec![lower.certificate(), upper.certificate()];
    let device = Device {
        ballast: 1000,
        ..Device::default()
    };
    let holder = lower.device_through(&device, chain.clone());
    assert!(holder.chain.iter().map(|each| each.len()).sum::<usize>() > 4096);
    let mut server = lower.server("radius.example.org");
    server.chain.extend(chain);
    world.server = server;

    for highest in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut settings = world.profile_settings(Some(holder.copy()));
        settings.max_packet = 256;
        settings.highest = highest;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect_with(&world.config(), &profile, 256);
        let outcome = seen.succeeded();
        assert!(outcome.rounds > 40, "{} rounds", outcome.rounds);
        assert_eq!(seen.report.largest_request, 256, "row {highest}");
        assert_eq!(seen.largest_response, 256, "row {highest}");
    }
}

#[test]
fn packets_are_never_smaller_than_256_nor_larger_than_3072() {
    let mut world = World::new();
    let upper = world.root.intermediate("Upper", 5000);
    world.server = upper.server("radius.example.org");
    world.server.chain.push(upper.certificate());
    let profile = world.profile(world.root.device(&Device::default()));
    for (asked, largest) in [(0, 256), (255, 256), (1400, 1400), (65_535, 3072)] {
        let seen = world.connect_with(&world.config(), &profile, asked);
        seen.succeeded();
        assert_eq!(seen.report.largest_request, largest, "row {asked}");
    }
}

#[test]
fn identities_may_be_anonymous_empty_or_long_rfc9190_2_1_7() {
    let world = World::new();
    for identity in [
        "",
        "@contoso.com",
        "anonymous@contoso.com",
        &"a".repeat(253),
    ] {
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.identity = identity.as_bytes().to_vec();
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect(&world.config(), &profile);
        // What is authorised is the certificate, whatever the identity says.
        let outcome = seen.succeeded();
        assert_eq!(
            outcome
                .principal
                .certificate()
                .unwrap()
                .common_name
                .as_deref(),
            Some("phone")
        );
    }
}

#[test]
fn the_identity_is_at_hand_once_it_was_said() {
    let world = World::new();
    let mut conversation = world.conversation(&world.config(), 1024);
    assert!(conversation.identity().is_none());
    conversation.handle(world.now, &[2, 5, 0, 10, 1, b'a', b'l', b'i', b'c', b'e']);
    assert_eq!(conversation.identity().unwrap().octets(), b"alice");
}

#[test]
fn a_conversation_can_move_to_a_worker() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync>() {}
    is_send::<Conversation>();
    is_shared::<Config>();
}

#[test]
fn broken_settings_are_refused() {
    type Break = fn(&mut Settings);
    let rows: [(&str, Break); 5] = [
        ("no root certificate", |settings| settings.roots.clear()),
        ("root certificate 2 cannot be used", |settings| {
            settings.roots.push(vec![1, 2, 3].into());
        }),
        ("the lowest TLS version is above", |settings| {
            settings.lowest = TlsVersion::Tls13;
            settings.highest = TlsVersion::Tls12;
        }),
        ("3 tickets, at most 2", |settings| settings.tickets = 3),
        ("the certificate and its key", |settings| {
            settings.chain = settings.roots.clone();
        }),
    ];
    for (text, spoil) in rows {
        let mut settings = World::new().settings();
        spoil(&mut settings);
        let error = Config::build(settings).unwrap_err().to_string();
        assert!(error.starts_with(text), "row {text}: {error}");
    }
}
