//! Conversations that fail: which reason the server records, and which alert the peer sees.

use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::CertificateRefusal;
use portreeve::eap::Config;
use portreeve::eap::FailureReason;
use portreeve::eap::Side;
use portreeve::eap::Stage;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::model::Ambiguity;
use portreeve::model::Verdict;
use portreeve::probe::Answer;
use portreeve::probe::PeerFailure;
use portreeve::probe::Profile;
use portreeve::probe::Supplicant;

use crate::pki::Authority;
use crate::pki::DEVICES_END;
use crate::pki::Device;
use crate::pki::Holder;
use crate::pki::TODAY;
use crate::world::Seen;
use crate::world::World;

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

fn connect(world: &World, holder: Option<Holder>, highest: TlsVersion) -> Seen {
    let mut settings = world.profile_settings(holder);
    settings.highest = highest;
    let profile = Arc::new(Profile::build(settings).unwrap());
    world.connect(&world.config(), &profile)
}

/// The peer was told nothing that looks like success.
#[track_caller]
fn assert_told_nothing(seen: &Seen) {
    assert!(!seen.report.indicated, "{:?}", seen.report);
    assert_eq!(seen.report.tickets, 0);
}

#[test]
fn each_bad_certificate_is_refused_with_its_alert_rfc5216_5_3() {
    let world = World::new();
    let device = |device: Device| Some(world.root.device(&device));
    let other_root = Authority::root("Other Root");
    let rows: [(&str, Option<Holder>, CertificateRefusal, u8); 7] = [
        (
            "expired",
            device(Device {
                expired: true,
                ..Device::default()
            }),
            CertificateRefusal::Expired,
            45,
        ),
        (
            "not yet valid",
            device(Device {
                not_yet_valid: true,
                ..Device::default()
            }),
            CertificateRefusal::NotYetValid,
            45,
        ),
        (
            "unknown CA",
            Some(other_root.device(&Device::default())),
            CertificateRefusal::UnknownCa,
            48,
        ),
        (
            "not for clients",
            device(Device {
                for_servers: true,
                ..Device::default()
            }),
            CertificateRefusal::NotForClients,
            43,
        ),
        (
            "two devices",
            device(Device {
                other_guid: Some("7c9e6679-7425-40de-944b-e07fc1f90ae7"),
                ..Device::default()
            }),
            CertificateRefusal::Ambiguous(Ambiguity::Device),
            46,
        ),
        (
            "two users",
            device(Device {
                principal_names: &["alice@contoso.com", "bob@contoso.com"],
                ..Device::default()
            }),
            CertificateRefusal::Ambiguous(Ambiguity::User),
            46,
        ),
        ("none", None, CertificateRefusal::Missing, 116),
    ];
    for (row, holder, refusal, alert) in rows {
        for version in BOTH {
            let seen = connect(&world, holder.as_ref().map(Holder::copy), version);
            let failed = seen.failed();
            assert_eq!(failed.reason, FailureReason::Certificate(refusal.clone()));
            assert_eq!(failed.reason.side(), Side::Server);
            let shown = failed.presented.as_ref();
            let shown = shown.map(|shown| shown.certificate().unwrap().serial.clone());
            assert_eq!(shown, holder.as_ref().map(|_| "07".into()), "row {row}");
            assert_eq!(seen.report.alerts, [alert], "row {row}, {version}");
            assert_eq!(seen.peer.as_ref().unwrap_err(), &PeerFailure::Refused);
            assert_told_nothing(&seen);
            assert_eq!(world.judge.take_asked(), [], "row {row}: nothing proven");
        }
    }
    assert!(world.resumption.is_empty());
}

/// What a peer may make the server keep before it has proved anything ends at 64 KiB.
#[test]
fn a_chain_of_more_than_64_kib_is_refused_rfc5216_2_1_5() {
    let world = World::new();
    let ballast = world.root.intermediate("Ballast", 9_000).certificate();
    for version in BOTH {
        let mut holder = world.root.device(&Device::default());
        holder.chain.extend(vec![ballast.clone(); 8]);
        let octets: usize = holder.chain.iter().map(|each| each.len()).sum();
        assert!(octets > 64 * 1024);
        let seen = connect(&world, Some(holder), version);
        seen.failed();
        assert_told_nothing(&seen);
        assert_eq!(world.judge.take_asked(), [], "{version}: nothing proven");
        // Without the ballast the same device gets in.
        let seen = connect(&world, Some(world.root.device(&Device::default())), version);
        seen.succeeded();
        world.judge.take_asked();
    }
}

/// Records said `Other(OtherError(CaUsedAsEndEntity))` and `NoCipherSuitesInCommon`.
#[test]
fn what_tls_refuses_is_recorded_as_a_sentence() {
    let world = World::new();
    let ca = connect(&world, Some(world.root.as_device()), TlsVersion::Tls13);
    assert_eq!(
        ca.failed().reason.to_string(),
        "server: the certificate is that of a CA"
    );
    let mut settings = world.settings();
    settings.lowest = TlsVersion::Tls13;
    let config = Arc::new(Config::build(settings).unwrap());
    let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
    settings.highest = TlsVersion::Tls12;
    let old = world.connect(&config, &Arc::new(Profile::build(settings).unwrap()));
    assert_eq!(
        old.failed().reason.to_string(),
        "server: nothing in common in TLS: TLS 1.2 not offered or enabled"
    );
}

#[test]
fn a_revoked_certificate_is_refused_with_its_alert_rfc9190_5_4() {
    let world = World::new();
    for version in BOTH {
        for (serials, demanded, expected) in [
            (&[7_u8][..], false, Some((CertificateRefusal::Revoked, 44))),
            (&[8], false, None),
            (&[8], true, None),
        ] {
            let mut settings = world.settings();
            settings.revocation_lists = vec![world.root.revocation_list(serials)];
            settings.demand_revocation = demanded;
            let config = Arc::new(Config::build(settings).unwrap());
            let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
            settings.highest = version;
            let seen = world.connect(&config, &Arc::new(Profile::build(settings).unwrap()));
            match expected {
                Some((refusal, alert)) => {
                    assert_eq!(seen.failed().reason, FailureReason::Certificate(refusal));
                    assert_eq!(seen.report.alerts, [alert], "row {serials:?} {version}");
                    assert_told_nothing(&seen);
                }
                None => {
                    seen.succeeded();
                }
            }
        }
    }
}

#[test]
fn demanded_revocation_fails_without_a_list_or_with_an_old_one() {
    let mut world = World::new();
    let other = Authority::root("Other Root");
    let (own, others) = (world.root.revocation_list(&[]), other.revocation_list(&[]));
    for (days, list, demanded, refused) in [
        (0, &own, true, false),
        (0, &others, true, true),
        (0, &others, false, false),
        (200, &own, true, true), // the list has ended, the certificate has not
        (0, &own, false, false),
    ] {
        world.passes(Duration::from_hours(24 * days));
        let mut settings = world.settings();
        settings.revocation_lists = vec![list.clone()];
        settings.demand_revocation = demanded;
        let config = Arc::new(Config::build(settings).unwrap());
        let profile = world.profile(world.root.device(&Device::default()));
        let seen = world.connect(&config, &profile);
        if refused {
            let refusal = match days {
                0 => CertificateRefusal::RevocationUnknown,
                _ => CertificateRefusal::ListOutdated,
            };
            let expected = FailureReason::Certificate(refusal);
            assert_eq!(seen.failed().reason, expected, "row {days} {demanded}");
            assert_eq!(seen.report.alerts, [48]);
        } else {
            seen.succeeded();
        }
    }
}

#[test]
fn a_blocked_device_gets_access_denied_and_nothing_else_rfc9190_2_1_3() {
    let world = World::new();
    world.judge.says(Verdict::Block);
    for version in BOTH {
        let holder = world.root.device(&Device::default());
        let seen = connect(&world, Some(holder), version);
        let failed = seen.failed();
        assert_eq!(failed.reason, FailureReason::Blocked);
        assert_eq!(failed.reason.side(), Side::Server);
        let certificate = failed.presented.as_ref().unwrap().certificate().unwrap();
        assert_eq!(certificate.common_name.as_deref(), Some("phone"));
        assert_eq!(seen.report.alerts, [49], "row {version}");
        assert_eq!(seen.peer.as_ref().unwrap_err(), &PeerFailure::Refused);
        assert_told_nothing(&seen);
        assert_eq!(world.judge.take_asked(), [Stage::Full]);
    }
    assert!(world.resumption.is_empty());
}

#[test]
fn the_alert_comes_before_the_failure_rfc5216_2_1_3() {
    // Start, our flight, alert: three requests, and only the answer to the alert is answered with
    // EAP-Failure.
    let world = World::new();
    world.judge.says(Verdict::Block);
    let seen = connect(
        &world,
        Some(world.root.device(&Device::default())),
        TlsVersion::Tls13,
    );
    assert_eq!(seen.report.rounds, 3);
    let packet = seen.failed().packet;
    assert_eq!((packet[0], packet[2], packet[3]), (4, 0, 4));
}

#[test]
fn an_alert_of_the_peer_is_recorded_with_its_number() {
    let world = World::new();
    let other_root = Authority::root("Other Root");
    for version in BOTH {
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.roots = vec![other_root.certificate()];
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect(&world.config(), &profile);
        let failed = seen.failed();
        assert_eq!(failed.reason, FailureReason::PeerAlert { number: 48 });
        assert_eq!(failed.reason.side(), Side::Peer);
        assert!(seen.report.tls_error.is_some());
    }
}

#[test]
fn a_peer_that_demands_another_name_gives_bad_certificate() {
    let world = World::new();
    for (name, expected) in [
        ("radius.example.org", None),
        ("radius.example.net", Some(42)),
    ] {
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.server_name = Some(name.try_into().unwrap());
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect(&world.config(), &profile);
        match expected {
            None => {
                seen.succeeded();
            }
            Some(number) => {
                assert_eq!(seen.failed().reason, FailureReason::PeerAlert { number });
            }
        }
    }
}

#[test]
fn no_version_in_common_is_told_by_an_alert_rfc8996() {
    let world = World::new();
    for (server, peer) in [
        (TlsVersion::Tls13, TlsVersion::Tls12),
        (TlsVersion::Tls12, TlsVersion::Tls13),
    ] {
        let mut settings = world.settings();
        settings.lowest = server;
        settings.highest = server;
        let config = Arc::new(Config::build(settings).unwrap());
        let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
        settings.lowest = peer;
        settings.highest = peer;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect(&config, &profile);
        let reason = &seen.failed().reason;
        assert!(
            matches!(reason, FailureReason::Incompatible(_)),
            "row {server}: {reason}"
        );
        assert_eq!(seen.report.alerts, [70], "row {server}");
    }
}

#[test]
fn the_time_is_that_of_each_call() {
    // The device's certificate ends between the server's flight and the device's.
    let mut world = World::new();
    let start = world.now;
    for (end_passes, expected) in [(false, None), (true, Some(CertificateRefusal::Expired))] {
        world.now = start.plus(Duration::from_secs(
            u64::try_from(DEVICES_END - TODAY).unwrap() - 60,
        ));
        let profile = world.profile(world.root.device(&Device::default()));
        let mut supplicant = Supplicant::new(profile);
        let mut conversation = world.conversation(&world.config(), 3000);
        let mut response = supplicant.identity_response(1);
        let mut works = 0;
        let refusal = loop {
            let mut step = conversation.handle(world.now, &response);
            if matches!(step, Step::Work) {
                works += 1;
                if works == 2 {
                    let seconds = if end_passes { 120 } else { 30 };
                    world.passes(Duration::from_secs(seconds));
                }
                step = conversation.work(world.now);
            }
            match step {
                Step::Request(request) => match supplicant.handle(world.now, &request) {
                    Answer::Response(next) => response = next,
                    other => panic!("{other:?}"),
                },
                Step::Success(_) => break None,
                Step::Failure(failed) => match failed.reason {
                    FailureReason::Certificate(refusal) => break Some(refusal),
                    other => panic!("{other}"),
                },
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refusal, expected, "row {end_passes}");
        if !end_passes {
            assert_eq!(world.judge.asked_at(), Some(world.now));
        }
    }
}

#[test]
fn too_many_rounds_end_the_conversation() {
    let world = World::new();
    let mut settings = world.settings();
    settings.max_rounds = 2;
    let config = Arc::new(Config::build(settings).unwrap());
    let profile = world.profile(world.root.device(&Device::default()));
    let seen = world.connect(&config, &profile);
    assert_eq!(seen.failed().reason, FailureReason::Rounds { limit: 2 });
    assert_told_nothing(&seen);
    assert!(world.resumption.is_empty(), "nothing to resume");
}
