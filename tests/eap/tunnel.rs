//! EAP-TTLS, PEAP and TEAP from both ends: who gets in, what is told to the others, and peers that lie.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use portreeve::eap::Config;
use portreeve::eap::FailureReason;
use portreeve::eap::Inner;
use portreeve::eap::InnerRefusal;
use portreeve::eap::Outer;
use portreeve::eap::Principal;
use portreeve::eap::Side;
use portreeve::eap::Stage;
use portreeve::eap::TeapCertificate;
use portreeve::eap::TlsVersion;
use portreeve::eap::Type;
use portreeve::eap::response;
use portreeve::model::Secret;
use portreeve::model::Verdict;
use portreeve::probe::InsideSettings;
use portreeve::probe::PeerFailure;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Spoil;
use portreeve::probe::TeapPeer;

use crate::pki::Authority;
use crate::pki::Device;
use crate::world::Seen;
use crate::world::World;

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

/// What can be spoken: method, what is inside, and whether by EAP.
const SPOKEN: [(Outer, Inner, bool); 14] = [
    (Outer::Ttls, Inner::Pap, false),
    (Outer::Ttls, Inner::Chap, false),
    (Outer::Ttls, Inner::MsChap, false),
    (Outer::Ttls, Inner::MsChapV2, false),
    (Outer::Ttls, Inner::MsChapV2, true),
    (Outer::Ttls, Inner::Gtc, true),
    (Outer::Ttls, Inner::Tls, true),
    (Outer::Peap, Inner::MsChapV2, true),
    (Outer::Peap, Inner::Gtc, true),
    (Outer::Peap, Inner::Tls, true),
    (Outer::Teap, Inner::Pap, true),
    (Outer::Teap, Inner::MsChapV2, true),
    (Outer::Teap, Inner::Gtc, true),
    (Outer::Teap, Inner::Tls, true),
];

fn passwords() -> impl Iterator<Item = (Outer, Inner, bool)> {
    let all = SPOKEN.into_iter();
    all.filter(|(_, inner, _)| *inner != Inner::Tls)
}

pub(crate) fn settings(
    world: &World,
    (outer, inner, by_eap): (Outer, Inner, bool),
) -> ProfileSettings {
    let holder = (inner == Inner::Tls).then(|| world.root.device(&Device::default()));
    let mut settings = world.profile_settings(holder);
    settings.identity = b"anonymous@contoso.com".to_vec();
    settings.method = outer;
    settings.inside = Some(InsideSettings {
        inner,
        by_eap,
        user: "alice".into(),
        password: Secret::new(b"wonderland".to_vec()),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer::default(),
    });
    settings.remembered = 8;
    settings
}

fn connect(world: &World, config: &Arc<Config>, settings: ProfileSettings) -> Seen {
    world.connect(config, &Arc::new(Profile::build(settings).unwrap()))
}

fn inside(settings: &mut ProfileSettings) -> &mut InsideSettings {
    settings.inside.as_mut().unwrap()
}

/// Says something else inside, from the first turn on.
fn says(settings: &mut ProfileSettings, words: impl Fn(u8) -> Vec<u8> + Send + Sync + 'static) {
    settings.spoil = Some(Spoil(Arc::new(move |identifier, said| {
        *said = words(identifier);
    })));
}

#[test]
fn every_method_ends_with_the_same_keys_on_both_sides_rfc9427_2() {
    for version in BOTH {
        for spoken in SPOKEN {
            let world = World::with_tunnels();
            let config = world.config();
            let mut settings = settings(&world, spoken);
            settings.highest = version;
            let seen = connect(&world, &config, settings);
            let row = format!("row {spoken:?}, {version}");
            let outcome = match &seen.server {
                Ok(_) => seen.succeeded(),
                Err(failed) => panic!("{row}: {} {:?}", failed.reason, seen.report),
            };
            assert_eq!(outcome.version, version, "{row}");
            assert_eq!(outcome.spoken.outer, Some(spoken.0), "{row}");
            assert_eq!(outcome.spoken.inner, Some(spoken.1), "{row}");
            let id = outcome.keys.session_id.as_ref();
            let kind = (spoken.0 != Outer::Teap).then_some(spoken.0.kind().0);
            assert_eq!(id.map(|id| id.octets()[0]), kind, "{row}");
            assert_eq!(world.judge.take_asked(), [Stage::Full], "{row}");
            match (&outcome.principal, spoken.1) {
                (Principal::Certificate(_), Inner::Tls) => assert_eq!(seen.asked, 0, "{row}"),
                (Principal::Password { user, device }, _) => {
                    assert_eq!((&**user, device.is_none()), ("alice", true), "{row}");
                    assert_eq!(seen.asked, 1, "{row}");
                }
                (Principal::Certificate(_) | Principal::Chained { .. }, _) => {
                    panic!("{row}: a certificate")
                }
            }
            assert_eq!(world.resumption.len(), 1, "{row}: one entry");
        }
    }
}

#[test]
fn a_peer_may_speak_with_its_finished_rfc5281_7_4() {
    let world = World::with_tunnels();
    let config = world.config();
    for spoken in SPOKEN
        .into_iter()
        .filter(|(outer, ..)| *outer == Outer::Ttls)
    {
        let mut settings = settings(&world, spoken);
        inside(&mut settings).early = true;
        let waits = connect(&world, &config, self::settings(&world, spoken));
        let speaks = connect(&world, &config, settings);
        let (waits, speaks) = (waits.succeeded(), speaks.succeeded());
        assert_eq!(speaks.rounds + 1, waits.rounds, "row {spoken:?}");
    }
}

#[test]
fn small_packets_carry_the_same() {
    let world = World::with_tunnels();
    let config = world.config();
    for spoken in SPOKEN {
        let mut settings = settings(&world, spoken);
        settings.max_packet = 100;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let seen = world.connect_with(&config, &profile, 256);
        seen.succeeded();
        assert!(seen.report.largest_request <= 256);
    }
}

#[test]
fn a_wrong_password_is_judged_by_nobody_and_leaves_nothing_behind() {
    for version in BOTH {
        for spoken in passwords() {
            for (user, password) in [("alice", "Wonderland"), ("nobody", "wonderland")] {
                let world = World::with_tunnels();
                let mut settings = settings(&world, spoken);
                settings.highest = version;
                inside(&mut settings).user = user.into();
                inside(&mut settings).password = Secret::new(password.into());
                let seen = connect(&world, &world.config(), settings);
                let row = format!("row {spoken:?}, {user}, {version}");
                let failed = seen.failed();
                let reason = FailureReason::Inner(InnerRefusal::Password);
                assert_eq!(failed.reason, reason, "{row}");
                assert_eq!(failed.claimed.as_deref(), Some(user), "{row}");
                assert!(failed.presented.is_none(), "{row}");
                assert_eq!(world.judge.take_asked(), [], "{row}");
                assert!(world.resumption.is_empty(), "{row}: behind a ticket");
                assert_eq!(seen.peer.unwrap_err(), PeerFailure::Refused, "{row}");
            }
        }
    }
}

#[test]
fn a_blocked_device_is_told_nothing_good_and_leaves_nothing_behind() {
    for version in BOTH {
        for spoken in SPOKEN {
            let world = World::with_tunnels();
            world.judge.says(Verdict::Block);
            let mut settings = settings(&world, spoken);
            settings.highest = version;
            let seen = connect(&world, &world.config(), settings);
            let row = format!("row {spoken:?}, {version}");
            let failed = seen.failed();
            assert_eq!(failed.reason, FailureReason::Blocked, "{row}");
            assert!(failed.presented.is_some(), "{row}: about whom");
            assert_eq!(world.judge.take_asked(), [Stage::Full], "{row}");
            assert!(world.resumption.is_empty(), "{row}: behind a ticket");
            assert!(!seen.report.indicated, "{row}: an indication");
            assert_eq!(seen.peer.unwrap_err(), PeerFailure::Refused, "{row}");
        }
    }
}

#[test]
fn a_password_that_is_stored_as_a_hash_answers_no_challenge() {
    let world = World::with_tunnels();
    for spoken in passwords() {
        let mut settings = settings(&world, spoken);
        inside(&mut settings).user = "bob".into();
        let seen = connect(&world, &world.config(), settings);
        match spoken.1 {
            Inner::Pap | Inner::Gtc => drop(seen.succeeded()),
            inner => {
                let reason = FailureReason::Inner(InnerRefusal::Unsuited(inner));
                assert_eq!(seen.failed().reason, reason, "row {spoken:?}");
            }
        }
    }
}

#[test]
fn a_tunnel_is_resumed_without_a_password_and_judged_again_rfc9190_5_7() {
    for version in BOTH {
        for spoken in SPOKEN {
            let mut world = World::with_tunnels();
            let config = world.config();
            let mut settings = settings(&world, spoken);
            settings.highest = version;
            let profile = Arc::new(Profile::build(settings).unwrap());
            let row = format!("row {spoken:?}, {version}");
            let user = |seen: &Seen| seen.succeeded().principal.user().map(str::to_owned);
            let first = user(&world.connect(&config, &profile));
            world.judge.take_asked();
            for _ in 0..2 {
                let seen = world.connect(&config, &profile);
                assert!(seen.succeeded().resumed, "{row}");
                assert_eq!(user(&seen), first, "{row}: the same user");
                assert_eq!(seen.succeeded().spoken.inner, Some(spoken.1), "{row}");
                assert_eq!(seen.asked, 0, "{row}: no password");
                let asked = world.judge.take_asked();
                assert_eq!(asked, [Stage::OfferedTicket, Stage::Resumed], "{row}");
                let indicated = version == TlsVersion::Tls13 && spoken.0 == Outer::Ttls;
                assert_eq!(seen.report.indicated, indicated, "{row}");
            }
            // A device that has fallen from grace does not get in by a ticket.
            world.judge.says(Verdict::Block);
            let seen = world.connect(&config, &profile);
            assert_eq!(seen.failed().reason, FailureReason::Blocked, "{row}");
            assert!(!seen.report.resumed, "{row}");
            assert!(world.resumption.is_empty(), "{row}");
            // Nor one that falls between the two questions.
            world.judge.says(Verdict::Allow);
            world.connect(&config, &profile).succeeded();
            world.judge.says_tentatively(Verdict::Allow);
            world.judge.says(Verdict::Block);
            let seen = world.connect(&config, &profile);
            assert_eq!(seen.failed().reason, FailureReason::Blocked, "{row}");
            assert!(seen.report.resumed, "{row}");
            world.judge.says(Verdict::Allow);
            world.connect(&config, &profile).succeeded();
            world.passes(Duration::from_hours(9));
            let seen = world.connect(&config, &profile);
            assert!(!seen.succeeded().resumed, "{row}: too long ago");
        }
    }
}

#[test]
fn a_peer_may_say_again_who_it_is_in_a_tunnel_that_was_resumed() {
    for version in BOTH {
        for spoken in passwords().filter(|(outer, ..)| *outer != Outer::Teap) {
            let world = World::with_tunnels();
            let config = world.config();
            let mut settings = settings(&world, spoken);
            settings.highest = version;
            inside(&mut settings).resumes = false;
            let profile = Arc::new(Profile::build(settings).unwrap());
            world.connect(&config, &profile).succeeded();
            let seen = world.connect(&config, &profile);
            let row = format!("row {spoken:?}, {version}");
            assert!(seen.succeeded().resumed, "{row}");
            assert_eq!(seen.asked, 1, "{row}: with its password");
        }
    }
}

#[test]
fn a_certificate_that_is_shown_to_a_tunnel_proves_the_device() {
    let world = World::with_tunnels();
    let foreign = Authority::root("Another Root").device(&Device::default());
    let mut server = world.settings();
    server.tunnel.ask_certificate = true;
    server.teap.certificate = TeapCertificate::Machine;
    let config = Arc::new(Config::build(server).unwrap());
    for version in BOTH {
        for spoken in passwords() {
            let mut good = settings(&world, spoken);
            let holder = world.root.device(&Device::default());
            good.credential = world.profile_settings(Some(holder)).credential;
            good.highest = version;
            let profile = Arc::new(Profile::build(good).unwrap());
            for _ in 0..2 {
                let seen = world.connect(&config, &profile);
                let shown = seen.succeeded().principal.certificate().is_some();
                assert!(shown, "row {spoken:?}, {version}");
            }
            let mut none = settings(&world, spoken);
            none.highest = version;
            let seen = connect(&world, &config, none);
            assert!(seen.succeeded().principal.certificate().is_none());
            let mut bad = settings(&world, spoken);
            bad.credential = world.profile_settings(Some(foreign.copy())).credential;
            bad.highest = version;
            let seen = connect(&world, &config, bad);
            let reason = &seen.failed().reason;
            assert!(matches!(reason, FailureReason::Certificate(_)), "{reason}");
        }
    }
}

#[test]
fn names_inside_fit_those_outside() {
    let world = World::with_tunnels();
    let config = world.config();
    for (outside, user, expected) in [
        ("@contoso.com", "alice@contoso.com", None),
        ("@contoso.com", "alice", None),
        (
            "@example.org",
            "alice@contoso.com",
            Some(InnerRefusal::Realm),
        ),
        ("@contoso.com", "", Some(InnerRefusal::Name)),
    ] {
        for spoken in passwords() {
            let mut settings = settings(&world, spoken);
            settings.identity = outside.into();
            inside(&mut settings).user = user.into();
            let seen = connect(&world, &config, settings);
            match &expected {
                None => drop(seen.succeeded()),
                Some(refusal) => {
                    let nobody = spoken.0 == Outer::Teap && user.is_empty();
                    let refusal = if nobody {
                        &InnerRefusal::Nobody
                    } else {
                        refusal
                    };
                    let reason = FailureReason::Inner(refusal.clone());
                    assert_eq!(
                        seen.failed().reason,
                        reason,
                        "row {outside} {user} {spoken:?}"
                    );
                }
            }
        }
    }
}

/// PEAP's Result of success, said by a peer that has proved nothing (CVE-2023-52160 from the other
/// side).
#[test]
fn a_result_before_the_method_is_no_success_rfc5281_14() {
    for version in BOTH {
        let world = World::with_tunnels();
        let mut settings = settings(&world, (Outer::Peap, Inner::Gtc, true));
        settings.highest = version;
        let result = [0x80, 3, 0, 2, 0, 1];
        says(&mut settings, move |identifier| {
            response(identifier, Type::EXTENSIONS, &result)
        });
        let seen = connect(&world, &world.config(), settings);
        let reason = FailureReason::Inner(InnerRefusal::Order);
        assert_eq!(seen.failed().reason, reason, "row {version}");
        assert_eq!(seen.asked, 0);
        assert!(world.resumption.is_empty());
    }
}

#[test]
fn peers_that_lie_inside_of_ttls_are_refused_rfc5281_11_2() {
    let name = [&[0, 0, 0, 1, 0x40, 0, 0, 13][..], b"alice\0\0\0"].concat();
    let chap = |challenge: u8| {
        let challenge = [&[0, 0, 0, 60, 0x40, 0, 0, 24][..], &[challenge; 16]].concat();
        let answer = [&[0, 0, 0, 3, 0x40, 0, 0, 25][..], &[9; 17], &[0; 3]].concat();
        [&name[..], &challenge, &answer].concat()
    };
    let unknown = [&name[..], &[0, 0, 0, 99, 0x40, 0, 0, 8]].concat();
    let cut = name[..11].to_vec();
    for (row, words, refusal) in [
        ("another challenge", chap(7), InnerRefusal::Challenge),
        (
            "unknown and mandatory",
            unknown,
            InnerRefusal::Mandatory(99),
        ),
        ("no credential", name.clone(), InnerRefusal::Credential),
        (
            "cut",
            cut,
            InnerRefusal::Malformed("attributes of EAP-TTLS"),
        ),
        (
            "garbage",
            vec![0xff; 40],
            InnerRefusal::Malformed("attributes of EAP-TTLS"),
        ),
    ] {
        for version in BOTH {
            let world = World::with_tunnels();
            let mut settings = settings(&world, (Outer::Ttls, Inner::Pap, false));
            settings.highest = version;
            let words = words.clone();
            says(&mut settings, move |_| words.clone());
            let seen = connect(&world, &world.config(), settings);
            let reason = FailureReason::Inner(refusal.clone());
            assert_eq!(seen.failed().reason, reason, "row {row}, {version}");
            assert_eq!(seen.asked, 0, "row {row}: nobody is asked");
        }
    }
}

#[test]
fn a_peer_that_never_says_who_it_is_fails_by_the_rounds() {
    let world = World::with_tunnels();
    let mut server = world.settings();
    server.max_rounds = 20;
    let config = Arc::new(Config::build(server).unwrap());
    for outer in [Outer::Ttls, Outer::Peap] {
        let mut settings = settings(&world, (outer, Inner::Gtc, true));
        says(&mut settings, |_| Vec::new());
        let seen = connect(&world, &config, settings);
        match &seen.failed().reason {
            FailureReason::Rounds { limit: 20 } if outer == Outer::Ttls => {}
            FailureReason::Inner(InnerRefusal::Order) if outer == Outer::Peap => {}
            other => panic!("row {outer:?}: {other}"),
        }
    }
}

#[test]
fn a_crypto_binding_that_does_not_hold_is_refused_and_one_may_be_demanded() {
    for version in BOTH {
        let world = World::with_tunnels();
        let mut lies = settings(&world, (Outer::Peap, Inner::MsChapV2, true));
        lies.highest = version;
        lies.spoil = Some(Spoil(Arc::new(|_, said| {
            // The last octet of a MAC.
            if said.len() == 5 + 6 + 60 && said[4] == Type::EXTENSIONS.0 {
                said[70] ^= 1;
            }
        })));
        let seen = connect(&world, &world.config(), lies);
        let failed = seen.failed();
        assert_eq!(failed.reason, FailureReason::Inner(InnerRefusal::Binding));
        assert_eq!(failed.claimed.as_deref(), Some("alice"), "about whom");
        assert!(world.resumption.is_empty());

        let without = || {
            let mut settings = settings(&world, (Outer::Peap, Inner::MsChapV2, true));
            settings.highest = version;
            inside(&mut settings).binding = false;
            settings
        };
        connect(&world, &world.config(), without()).succeeded();
        let mut server = world.settings();
        server.tunnel.require_binding = true;
        let config = Arc::new(Config::build(server).unwrap());
        let seen = connect(&world, &config, without());
        let failed = seen.failed();
        assert_eq!(failed.reason, FailureReason::Inner(InnerRefusal::Unbound));
        assert_eq!(failed.claimed.as_deref(), Some("alice"), "about whom");
    }
}

#[test]
fn a_peer_that_distrusts_the_server_ends_it() {
    let world = World::with_tunnels();
    for outer in [Outer::Ttls, Outer::Peap] {
        let mut settings = settings(&world, (outer, Inner::MsChapV2, true));
        let told = Arc::new(Mutex::new(false));
        let seen_by_spoil = Arc::clone(&told);
        settings.spoil = Some(Spoil(Arc::new(move |_, said| {
            // In the place of the Success Response: a Failure Response.
            let end = said.iter().rposition(|octet| *octet != 0).unwrap_or(0);
            if said.ends_with(&[26, 3])
                || (said.len() > 14 && said[end] == 3 && said[end - 1] == 26)
            {
                said[end] = 4;
                *seen_by_spoil.lock().unwrap() = true;
            }
        })));
        let seen = connect(&world, &world.config(), settings);
        assert!(*told.lock().unwrap(), "row {outer:?}");
        let failed = seen.failed();
        assert_eq!(failed.reason, FailureReason::Inner(InnerRefusal::Distrust));
        assert_eq!(failed.reason.side(), Side::Peer);
        assert!(world.resumption.is_empty());
    }
}

#[test]
fn a_method_that_is_switched_off_inside_is_not_spoken() {
    use portreeve::eap::Conversation;
    use portreeve::eap::Judge;
    use portreeve::eap::Offer;
    use portreeve::probe::Supplicant;
    let world = World::with_tunnels();
    let config = world.config();
    for spoken in SPOKEN {
        let others: Vec<Inner> = Inner::ALL
            .into_iter()
            .filter(|inner| *inner != spoken.1)
            .collect();
        let offer = Arc::new(Offer::new(&Outer::ALL, &others));
        let profile = Arc::new(Profile::build(settings(&world, spoken)).unwrap());
        let judge = Arc::clone(&world.judge) as Arc<dyn Judge>;
        let conversation = Conversation::new(Arc::clone(&config), judge, 1, 1024).offering(offer);
        let supplicant = Supplicant::new(Arc::clone(&profile));
        let first = supplicant.identity_response(1);
        let seen = world.run(conversation, supplicant, first);
        match &seen.failed().reason {
            FailureReason::Inner(InnerRefusal::Off(inner)) => assert_eq!(*inner, spoken.1),
            FailureReason::Inner(InnerRefusal::Refused(_)) => assert!(spoken.2),
            other => panic!("row {spoken:?}: {other}"),
        }
        assert_eq!(seen.asked, 0, "row {spoken:?}");
    }
}
