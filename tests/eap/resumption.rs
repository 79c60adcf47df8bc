//! Resumed handshakes: judged again each time (RFC 9190 sections 2.1.2 and 5.7, RFC 5216
//! section 2.1.3).

use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::CertificateRefusal;
use portreeve::eap::Config;
use portreeve::eap::FailureReason;
use portreeve::eap::Resumption;
use portreeve::eap::Stage;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::model::CertificateIdentity;
use portreeve::model::Verdict;
use portreeve::probe::Answer;
use portreeve::probe::Profile;
use portreeve::probe::Supplicant;

use crate::pki::Authority;
use crate::pki::DEVICES_END;
use crate::pki::Device;
use crate::pki::TODAY;
use crate::world::World;

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

/// A world and a device that has just succeeded in a full handshake.
fn after_a_full_handshake(version: TlsVersion) -> (World, Arc<Config>, Arc<Profile>) {
    let world = World::new();
    let config = world.config();
    let mut settings = world.roamer();
    settings.highest = version;
    let profile = Arc::new(Profile::build(settings).unwrap());
    let seen = world.connect(&config, &profile);
    assert!(!seen.succeeded().resumed);
    assert_eq!(world.judge.take_asked(), [Stage::Full]);
    assert_eq!(world.resumption.len(), 1);
    (world, config, profile)
}

#[test]
fn an_allowed_device_resumes_and_is_judged_again_rfc9190_5_7() {
    for version in BOTH {
        let (world, config, profile) = after_a_full_handshake(version);
        for round in 0..3 {
            let seen = world.connect(&config, &profile);
            let outcome = seen.succeeded();
            assert!(outcome.resumed && seen.report.resumed, "row {version}");
            assert_eq!(outcome.version, version);
            assert_eq!(outcome.verdict, Verdict::Allow);
            assert_eq!(
                outcome
                    .principal
                    .certificate()
                    .unwrap()
                    .common_name
                    .as_deref(),
                Some("phone")
            );
            assert_eq!(seen.report.indicated, version == TlsVersion::Tls13);
            assert_eq!(
                world.judge.take_asked(),
                [Stage::OfferedTicket, Stage::Resumed],
                "row {version}, round {round}"
            );
            assert_eq!(world.resumption.len(), 1, "row {version}, round {round}");
        }
    }
}

/// In TLS 1.3 a ClientHello asks for a key agreement.
#[test]
fn the_work_of_a_resumed_handshake_is_light_but_for_key_agreement() {
    for (version, expected) in [
        (TlsVersion::Tls12, [true, true]),
        (TlsVersion::Tls13, [false, true]),
    ] {
        let world = World::new();
        let config = world.config();
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let full = world.connect(&config, &profile);
        assert!(!full.succeeded().resumed);
        assert_eq!(full.light, [false, false], "row {version}");
        let resumed = world.connect(&config, &profile);
        assert!(resumed.succeeded().resumed);
        assert_eq!(resumed.light, expected, "row {version}");
    }
}

#[test]
fn a_session_that_is_asked_for_and_not_resumed_makes_light_work_once() {
    let (world, config, profile) = after_a_full_handshake(TlsVersion::Tls12);
    let mut supplicant = Supplicant::new(profile);
    let mut conversation = world.conversation(&config, 1024);
    let identity = supplicant.identity_response(1);
    let Step::Request(start) = conversation.handle(world.now, &identity) else {
        panic!("no start");
    };
    let Answer::Response(hello) = supplicant.handle(world.now, &start) else {
        panic!("no hello");
    };
    // The session was made with an extended master secret, which the peer no longer offers: the
    // extension's number becomes one that nobody knows.
    let extended = hello.windows(4).rposition(|four| four == [0, 23, 0, 0]);
    let mut tampered = hello.clone();
    tampered[extended.unwrap()] = 0xfa;
    for (hello, light) in [(&tampered, true), (&tampered, false), (&hello, false)] {
        let mut conversation = world.conversation(&config, 1024);
        conversation.handle(world.now, &identity);
        assert!(matches!(conversation.handle(world.now, hello), Step::Work));
        assert_eq!(conversation.has_light_work(), light);
        conversation.work(world.now);
    }
    assert!(world.resumption.is_empty());
}

#[test]
fn each_conversation_has_its_own_keys() {
    for version in BOTH {
        let (world, config, profile) = after_a_full_handshake(version);
        let first = world.connect(&config, &profile);
        let second = world.connect(&config, &profile);
        let (first, second) = (first.succeeded(), second.succeeded());
        assert!(!first.keys.msk.ct_eq(&second.keys.msk));
        assert_ne!(first.keys.session_id, second.keys.session_id);
    }
}

#[test]
fn a_device_blocked_since_gets_a_full_handshake_and_its_alert_rfc9190_2_1_2() {
    for version in BOTH {
        let (world, config, profile) = after_a_full_handshake(version);
        world.judge.says(Verdict::Block);
        let seen = world.connect(&config, &profile);
        assert_eq!(seen.failed().reason, FailureReason::Blocked);
        assert_eq!(seen.report.alerts, [49], "row {version}");
        assert!(!seen.report.resumed && !seen.report.indicated);
        assert_eq!(seen.report.tickets, 0);
        assert_eq!(
            world.judge.take_asked(),
            [Stage::OfferedTicket, Stage::Full]
        );
        assert!(world.resumption.is_empty());
    }
}

#[test]
fn a_device_blocked_while_it_resumes_gets_no_indication_and_no_ticket() {
    for version in BOTH {
        let (world, config, profile) = after_a_full_handshake(version);
        world.judge.says(Verdict::Block);
        world.judge.says_tentatively(Verdict::Allow);
        let seen = world.connect(&config, &profile);
        let failed = seen.failed();
        assert_eq!(failed.reason, FailureReason::Blocked);
        assert!(failed.presented.is_some());
        assert!(seen.report.resumed && !seen.report.indicated);
        assert_eq!(seen.report.tickets, 0, "row {version}");
        assert!(seen.report.alerts.is_empty(), "row {version}: at once");
        assert_eq!(
            world.judge.take_asked(),
            [Stage::OfferedTicket, Stage::Resumed],
            "row {version}"
        );
        assert!(world.resumption.is_empty());
    }
}

#[test]
fn a_device_in_quarantine_since_resumes_into_quarantine() {
    for version in BOTH {
        let (world, config, profile) = after_a_full_handshake(version);
        world.judge.says(Verdict::Quarantine);
        let seen = world.connect(&config, &profile);
        assert!(seen.succeeded().resumed);
        assert_eq!(seen.succeeded().verdict, Verdict::Quarantine);
    }
}

#[test]
fn a_certificate_expired_since_is_not_resumed() {
    for version in BOTH {
        let mut world = World::new();
        let before_the_end = u64::try_from(DEVICES_END - TODAY).unwrap() - 60;
        world.passes(Duration::from_secs(before_the_end));
        let config = world.config();
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        world.connect(&config, &profile).succeeded();
        assert!(world.connect(&config, &profile).succeeded().resumed);
        world.judge.take_asked();

        world.passes(Duration::from_secs(120));
        let seen = world.connect(&config, &profile);
        let expired = FailureReason::Certificate(CertificateRefusal::Expired);
        assert_eq!(seen.failed().reason, expired);
        assert_eq!(seen.report.alerts, [45], "row {version}");
        assert_eq!(world.judge.take_asked(), []);
    }
}

#[test]
fn a_certificate_revoked_since_is_not_resumed_rfc9190_5_4() {
    for version in BOTH {
        let (world, _, profile) = after_a_full_handshake(version);
        let mut settings = world.settings();
        settings.revocation_lists = vec![world.root.revocation_list(&[7])];
        let config = Arc::new(Config::build(settings).unwrap());
        let seen = world.connect(&config, &profile);
        let revoked = FailureReason::Certificate(CertificateRefusal::Revoked);
        assert_eq!(seen.failed().reason, revoked);
        assert_eq!(seen.report.alerts, [44], "row {version}");
        assert_eq!(world.judge.take_asked(), []);
    }
}

#[test]
fn the_age_of_the_full_handshake_counts_however_often_it_was_resumed() {
    for version in BOTH {
        let mut world = World::new();
        world.resumption = Arc::new(Resumption::new(16, Duration::from_hours(2)));
        let config = world.config();
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        for (minutes, resumed) in [(0, false), (50, true), (50, true), (50, false), (50, true)] {
            world.passes(Duration::from_mins(minutes));
            let seen = world.connect(&config, &profile);
            assert_eq!(seen.succeeded().resumed, resumed, "row {version} {minutes}");
        }
    }
}

#[test]
fn other_trust_anchors_or_a_forgotten_device_are_not_resumed() {
    for version in BOTH {
        let (world, config, profile) = after_a_full_handshake(version);
        let mut settings = world.settings();
        settings
            .roots
            .push(Authority::root("New Root").certificate());
        let changed = Arc::new(Config::build(settings).unwrap());
        assert!(!world.connect(&changed, &profile).succeeded().resumed);
        assert!(world.connect(&changed, &profile).succeeded().resumed);
        assert!(!world.connect(&config, &profile).succeeded().resumed);

        let phone =
            |certificate: &CertificateIdentity| certificate.common_name.as_deref() == Some("phone");
        assert!(world.resumption.forget(phone) > 0);
        assert!(!world.connect(&config, &profile).succeeded().resumed);
    }
}

#[test]
fn a_reload_that_trusts_the_same_roots_keeps_what_can_be_resumed() {
    let world = World::new();
    let profile = Arc::new(Profile::build(world.roamer()).unwrap());
    let roots = [0, 1, 2].map(|_| Authority::root("Other Root").certificate());
    let with_roots = |order: [usize; 4]| {
        let mut settings = world.settings();
        settings.roots.extend(roots.iter().cloned());
        settings.roots = order.map(|place| settings.roots[place].clone()).to_vec();
        Arc::new(Config::build(settings).unwrap())
    };
    world
        .connect(&with_roots([0, 1, 2, 3]), &profile)
        .succeeded();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let seen = world.connect(&with_roots(order), &profile);
        assert!(seen.succeeded().resumed, "row {order:?}");
    }
}

#[test]
fn a_certificate_that_is_not_valid_yet_is_not_resumed_when_the_clock_goes_back() {
    let mut world = World::new();
    let today = world.now;
    world.passes(Duration::from_hours(24 * 190));
    let device = Device {
        not_yet_valid: true,
        ..Device::default()
    };
    let mut settings = world.profile_settings(Some(world.root.device(&device)));
    settings.remembered = 2;
    settings.highest = TlsVersion::Tls12; // whose memory of the peer knows no time
    let profile = Arc::new(Profile::build(settings).unwrap());
    let config = world.config();
    world.connect(&config, &profile).succeeded();
    assert!(world.connect(&config, &profile).succeeded().resumed);
    world.now = today;
    let seen = world.connect(&config, &profile);
    let not_yet = FailureReason::Certificate(CertificateRefusal::NotYetValid);
    assert_eq!(seen.failed().reason, not_yet);
    assert!(!seen.report.resumed);
}

#[test]
fn without_a_store_nothing_is_resumed_in_any_version() {
    for version in BOTH {
        let world = World::new();
        let mut settings = world.settings();
        settings.resumption = None;
        let config = Arc::new(Config::build(settings).unwrap());
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        for _ in 0..2 {
            let seen = world.connect(&config, &profile);
            assert!(!seen.succeeded().resumed, "row {version}");
            assert_eq!(seen.report.tickets, 0);
        }
    }
}

#[test]
fn a_ticket_is_good_for_one_use() {
    let (world, _, profile) = after_a_full_handshake(TlsVersion::Tls13);
    let mut settings = world.settings();
    settings.tickets = 0;
    let config = Arc::new(Config::build(settings).unwrap());
    assert!(world.connect(&config, &profile).succeeded().resumed);
    assert!(world.resumption.is_empty());
    assert_eq!(
        world.judge.take_asked(),
        [Stage::OfferedTicket, Stage::Resumed]
    );
    assert!(!world.connect(&config, &profile).succeeded().resumed);
}

#[test]
fn a_conversation_that_never_ended_leaves_nothing_to_resume() {
    for version in BOTH {
        let world = World::new();
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let mut supplicant = Supplicant::new(profile);
        let mut conversation = world.conversation(&world.config(), 1024);
        let mut response = supplicant.identity_response(1);
        while !supplicant.report().complete
            || (version == TlsVersion::Tls13 && !supplicant.report().indicated)
        {
            let mut step = conversation.handle(world.now, &response);
            if matches!(step, Step::Work) {
                step = conversation.work(world.now);
            }
            let Step::Request(request) = step else {
                panic!("unexpected {step:?}");
            };
            let Answer::Response(next) = supplicant.handle(world.now, &request) else {
                panic!("no response");
            };
            response = next;
        }
        // The peer has its ticket and does not answer any more.
        drop(conversation);
        assert!(world.resumption.is_empty(), "row {version}");
    }
}
