//! EAP-TLS while an OCSP responder is asked: who waits, who passes, who is refused (RFC 9190 section
//! 5.4).

use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::CertificateRefusal;
use portreeve::eap::Config;
use portreeve::eap::FailureReason;
use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::eap::Step;
use portreeve::eap::TlsVersion;
use portreeve::probe::Answer;
use portreeve::probe::Profile;
use portreeve::probe::Supplicant;
use portreeve::trust::Fail;
use portreeve::trust::OnlineCheck;
use portreeve::trust::OnlineRefusal;
use portreeve::trust::Told;
use portreeve::trust::Upkeep;
use portreeve::trust::Watch;
use rustls::crypto::aws_lc_rs::default_provider;

use crate::pki::Device;
use crate::world::Seen;
use crate::world::World;

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

fn config(world: &World, watch: &Arc<Watch>, fail: Fail) -> Arc<Config> {
    let mut settings = world.settings();
    settings.upkeep = Some(Upkeep {
        watch: Arc::clone(watch),
        demand_current: false,
        grace: Duration::ZERO,
        follow_points: false,
        online: Some(OnlineCheck {
            fail,
            has_responder: true,
        }),
    });
    Arc::new(Config::build(settings).unwrap())
}

fn watch() -> Arc<Watch> {
    Arc::new(Watch::new(
        default_provider().signature_verification_algorithms,
    ))
}

fn connect(world: &World, config: &Arc<Config>, version: TlsVersion) -> Seen {
    let mut settings = world.profile_settings(Some(world.root.device(&Device::default())));
    settings.highest = version;
    world.connect(config, &Arc::new(Profile::build(settings).unwrap()))
}

#[test]
fn in_hard_mode_nothing_leaves_before_the_responder_has_answered_rfc9190_5_4() {
    for version in BOTH {
        for (told, expected) in [
            (Told::Good, None),
            (Told::Revoked, Some(CertificateRefusal::Revoked)),
            (
                Told::Nothing("it is down".into()),
                Some(CertificateRefusal::Online(OnlineRefusal::Nothing(
                    "it is down".into(),
                ))),
            ),
        ] {
            let mut world = World::new();
            let watch = watch();
            world.responder = Some((Arc::clone(&watch), told.clone()));
            let config = config(&world, &watch, Fail::Hard);
            let seen = connect(&world, &config, version);
            match expected {
                None => {
                    seen.succeeded();
                }
                Some(refusal) => {
                    let failed = seen.failed();
                    assert_eq!(failed.reason, FailureReason::Certificate(refusal));
                    assert!(failed.shown.is_some(), "row {told:?} {version}");
                    assert!(!seen.report.indicated, "row {told:?} {version}");
                    assert_eq!(seen.report.tickets, 0, "row {told:?} {version}");
                    assert!(world.resumption.is_empty());
                }
            }
        }
    }
}

#[test]
fn one_that_is_given_up_while_it_waits_is_refused() {
    let world = World::new();
    let watch = watch();
    // Nobody answers: the caller's deadline has passed.
    let config = config(&world, &watch, Fail::Hard);
    let seen = connect(&world, &config, TlsVersion::Tls13);
    let asking = CertificateRefusal::Online(OnlineRefusal::Asking);
    assert_eq!(seen.failed().reason, FailureReason::Certificate(asking));
    assert!(world.resumption.is_empty());
}

#[test]
fn a_conversation_that_waits_takes_nothing_else() {
    let world = World::new();
    let watch = watch();
    let config = config(&world, &watch, Fail::Hard);
    let profile = world.profile(world.root.device(&Device::default()));
    let mut supplicant = Supplicant::new(profile);
    let mut conversation = world.conversation(&config, 3000);
    let mut response = supplicant.identity_response(1);
    loop {
        let mut step = conversation.handle(world.now, &response);
        if matches!(step, Step::Work) {
            step = conversation.work(world.now);
        }
        match step {
            Step::Request(request) => match supplicant.handle(world.now, &request) {
                Answer::Response(next) => response = next,
                other => panic!("{other:?}"),
            },
            Step::Wait => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(conversation.waits_for().is_some());
    let busy = conversation.handle(world.now, &response);
    assert!(matches!(busy, Step::Discard(_)), "{busy:?}");
    let out_of_turn = conversation.work(world.now);
    assert!(matches!(out_of_turn, Step::Discard(_)), "{out_of_turn:?}");
    let question = watch.take_question().unwrap();
    let until = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));
    watch.told(&question, Told::Good, until);
    assert!(matches!(conversation.settle(world.now), Step::Request(_)));
    assert!(conversation.waits_for().is_none());
}

#[test]
fn in_soft_mode_nobody_waits_and_a_revoked_one_is_not_resumed() {
    for version in BOTH {
        let world = World::new();
        let watch = watch();
        let config = config(&world, &watch, Fail::Soft);
        let mut settings = world.roamer();
        settings.highest = version;
        let profile = Arc::new(Profile::build(settings).unwrap());
        world.connect(&config, &profile).succeeded();
        assert!(world.connect(&config, &profile).succeeded().resumed);
        let question = watch.take_question().unwrap();
        let until = rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(1 << 40));
        watch.told(&question, Told::Revoked, until);
        let seen = world.connect(&config, &profile);
        let revoked = FailureReason::Certificate(CertificateRefusal::Revoked);
        assert_eq!(seen.failed().reason, revoked, "row {version}");
        assert_eq!(seen.report.alerts, [44], "row {version}");
    }
}

/// A tunnel cannot wait, so the first login is refused and the next one finds the answer.
#[test]
fn inside_of_a_tunnel_the_first_login_is_refused_and_the_next_one_passes() {
    let mut world = World::with_tunnels();
    let watch = watch();
    world.responder = Some((Arc::clone(&watch), Told::Good));
    let config = config(&world, &watch, Fail::Hard);
    for method in [Outer::Ttls, Outer::Peap] {
        let holder = world.root.device(&Device {
            serial: method.kind().0,
            ..Device::default()
        });
        let mut settings = crate::tunnel::settings(&world, (method, Inner::Tls, true));
        settings.credential = Some(portreeve::probe::Credential {
            chain: holder.chain,
            key: holder.key,
        });
        let profile = Arc::new(Profile::build(settings).unwrap());
        let first = world.connect(&config, &profile);
        let asking = CertificateRefusal::Online(OnlineRefusal::Asking);
        assert_eq!(first.failed().reason, FailureReason::Certificate(asking));
        world.answer_responders();
        world.connect(&config, &profile).succeeded();
    }
}
