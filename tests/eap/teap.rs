//! TEAP from both ends (RFC 9930): a machine and its user, what each proves, and peers that lie.

use std::sync::Arc;
use std::sync::Mutex;

use portreeve::eap::Config;
use portreeve::eap::FailureReason;
use portreeve::eap::Inner;
use portreeve::eap::InnerRefusal;
use portreeve::eap::Outcome;
use portreeve::eap::Outer;
use portreeve::eap::Principal;
use portreeve::eap::Settings;
use portreeve::eap::Stage;
use portreeve::eap::TeapBinding;
use portreeve::eap::TeapCertificate;
use portreeve::eap::TeapIdentity;
use portreeve::eap::TeapKeys;
use portreeve::eap::TlsVersion;
use portreeve::eap::Type;
use portreeve::eap::response;
use portreeve::model::Secret;
use portreeve::model::Verdict;
use portreeve::probe::Credential;
use portreeve::probe::InsideSettings;
use portreeve::probe::Machine;
use portreeve::probe::PeerFailure;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Spoil;
use portreeve::probe::TeapPeer;

use crate::pki::Device;
use crate::pki::Holder;
use crate::world::Seen;
use crate::world::World;

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

/// What a machine and a user may speak.
const SPOKEN: [Inner; 4] = [Inner::Tls, Inner::MsChapV2, Inner::Gtc, Inner::Pap];

const MACHINE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const USERS_PHONE: &str = "7c9e6679-7425-40de-944b-e07fc1f90ae7";

fn machine_holder(world: &World) -> Holder {
    world.root.device(&Device {
        name: "pc",
        guid: Some(MACHINE),
        serial: 8,
        ..Device::default()
    })
}

fn user_holder(world: &World) -> Holder {
    world.root.device(&Device {
        name: "alice",
        guid: Some(USERS_PHONE),
        email: Some("alice@contoso.com"),
        serial: 9,
        ..Device::default()
    })
}

fn credential(Holder { chain, key }: Holder) -> Credential {
    Credential { chain, key }
}

/// A peer with a machine's and a user's identity; `None` of one that it has not.
fn peer(world: &World, machine: Option<Inner>, user: Option<Inner>) -> ProfileSettings {
    let holder = (user == Some(Inner::Tls)).then(|| user_holder(world));
    let mut settings = world.profile_settings(holder);
    settings.identity = b"anonymous@contoso.com".to_vec();
    settings.method = Outer::Teap;
    settings.highest = TlsVersion::Tls12;
    settings.machine = Some(credential(machine_holder(world)));
    let password = || Secret::new(b"wonderland".to_vec());
    settings.inside = Some(InsideSettings {
        inner: user.unwrap_or(Inner::Gtc),
        by_eap: true,
        user: user.map_or_else(String::new, |_| "alice@contoso.com".into()),
        password: password(),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer {
            machine: machine.map(|inner| Machine {
                inner,
                name: "host/pc".into(),
                password: password(),
            }),
            ..TeapPeer::default()
        },
    });
    settings.remembered = 8;
    settings
}

fn teap(settings: &mut ProfileSettings) -> &mut TeapPeer {
    &mut settings.inside.as_mut().unwrap().teap
}

fn config(world: &World, change: impl FnOnce(&mut Settings)) -> Arc<Config> {
    let mut settings = world.settings();
    change(&mut settings);
    Arc::new(Config::build(settings).unwrap())
}

fn connect(world: &World, config: &Arc<Config>, settings: ProfileSettings) -> Seen {
    world.connect(config, &Arc::new(Profile::build(settings).unwrap()))
}

fn device(outcome: &Outcome) -> Option<String> {
    let certificate = outcome.principal.certificate()?;
    Some(certificate.intune_device_id()?.to_string())
}

/// Changes what the peer says in one of its turns inside, counted from 0; `true` if it came to that.
fn lies(
    settings: &mut ProfileSettings,
    turn: usize,
    change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static,
) -> Arc<Mutex<usize>> {
    let turns = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&turns);
    settings.spoil = Some(Spoil(Arc::new(move |_, words| {
        let mut count = counted.lock().unwrap();
        if *count == turn {
            change(words);
        }
        *count += 1;
    })));
    turns
}

#[test]
fn a_machine_and_its_user_are_both_proven_and_judged_together_rfc9930_3_6() {
    for version in BOTH {
        for machine in SPOKEN {
            for user in SPOKEN {
                let world = World::with_tunnels();
                let config = world.config();
                let mut settings = peer(&world, Some(machine), Some(user));
                settings.highest = version;
                let seen = connect(&world, &config, settings);
                let row = format!("row {machine:?}, {user:?}, {version}");
                let outcome = match &seen.server {
                    Ok(_) => seen.succeeded(),
                    Err(failed) => panic!("{row}: {} {:?}", failed.reason, seen.report),
                };
                assert_eq!(outcome.version, version, "{row}");
                let spoken = (outcome.spoken.inner, outcome.spoken.second);
                assert_eq!(spoken, (Some(machine), Some(user)), "{row}");
                // One question, about both, after both.
                assert_eq!(world.judge.take_asked(), [Stage::Full], "{row}");
                assert_eq!(outcome.principal.user(), Some("alice@contoso.com"), "{row}");
                let expected = match (machine, user) {
                    (Inner::Tls, _) => Some(MACHINE),
                    (_, Inner::Tls) => Some(USERS_PHONE),
                    _ => None,
                };
                assert_eq!(device(outcome).as_deref(), expected, "{row}");
                let by_password = machine != Inner::Tls;
                let name = outcome.principal.machine_name();
                assert_eq!(name, by_password.then_some("host/pc"), "{row}");
                assert_eq!(outcome.principal.is_by_password(), user != Inner::Tls);
                assert_eq!(world.resumption.len(), 1, "{row}: one entry");
            }
        }
    }
}

#[test]
fn one_of_both_is_enough_and_what_is_missing_is_seen() {
    let world = World::with_tunnels();
    for identities in [
        vec![TeapIdentity::Machine, TeapIdentity::User],
        vec![TeapIdentity::User, TeapIdentity::Machine],
    ] {
        let config = config(&world, |settings| {
            settings.teap.identities = identities.clone();
        });
        for silent in [false, true] {
            for (machine, user) in [
                (Some(Inner::Tls), None),
                (Some(Inner::MsChapV2), None),
                (None, Some(Inner::Gtc)),
                (None, Some(Inner::Tls)),
            ] {
                let mut settings = peer(&world, machine, user);
                teap(&mut settings).silent = silent;
                let seen = connect(&world, &config, settings);
                let row = format!("row {machine:?}, {user:?}, {identities:?}, silent {silent}");
                let outcome = match &seen.server {
                    Ok(_) => seen.succeeded(),
                    Err(failed) => panic!("{row}: {}", failed.reason),
                };
                assert_eq!(outcome.spoken.inner, machine.or(user), "{row}");
                assert_eq!(outcome.spoken.second, None, "{row}");
                assert_eq!(world.judge.take_asked(), [Stage::Full], "{row}");
                match (&outcome.principal, machine.or(user)) {
                    (Principal::Certificate(_), Some(Inner::Tls)) => {}
                    (Principal::Password { user, device }, _) => {
                        let name = if machine.is_some() {
                            "host/pc"
                        } else {
                            "alice@contoso.com"
                        };
                        assert_eq!((&**user, device.is_none()), (name, true), "{row}");
                    }
                    (other, _) => panic!("{row}: {other:?}"),
                }
            }
        }
        let seen = connect(&world, &config, peer(&world, None, None));
        let reason = FailureReason::Inner(InnerRefusal::Nobody);
        assert_eq!(seen.failed().reason, reason);
        assert_eq!(world.judge.take_asked(), []);
    }
}

#[test]
fn a_machine_alone_is_asked_for_and_the_user_is_not() {
    let world = World::with_tunnels();
    let config = config(&world, |settings| {
        settings.teap.identities = vec![TeapIdentity::Machine];
    });
    let seen = connect(
        &world,
        &config,
        peer(&world, Some(Inner::Tls), Some(Inner::Gtc)),
    );
    assert_eq!(device(seen.succeeded()).as_deref(), Some(MACHINE));
    assert_eq!(seen.succeeded().spoken.second, None);
    assert_eq!(seen.asked, 0, "no password");
}

#[test]
fn tls_is_1_2_unless_somebody_says_otherwise() {
    let world = World::with_tunnels();
    for (tls_max, lowest, expected) in [
        (None, TlsVersion::Tls12, TlsVersion::Tls12),
        (
            Some(TlsVersion::Tls13),
            TlsVersion::Tls12,
            TlsVersion::Tls13,
        ),
        (None, TlsVersion::Tls13, TlsVersion::Tls13),
    ] {
        let config = config(&world, |settings| {
            settings.teap.tls_max = tls_max.unwrap_or(TlsVersion::Tls12);
            settings.lowest = lowest;
        });
        let mut settings = peer(&world, None, Some(Inner::Gtc));
        settings.highest = TlsVersion::Tls13;
        let seen = connect(&world, &config, settings);
        assert_eq!(
            seen.succeeded().version,
            expected,
            "row {tls_max:?} {lowest}"
        );
    }
}

#[test]
fn both_readings_of_the_chain_and_of_tls_1_3_give_the_same_keys_rfc9930_6_2() {
    for (binding, one_chain) in [
        (TeapBinding::Msk, false),
        (TeapBinding::Msk, true),
        (TeapBinding::TwoChains, false),
        (TeapBinding::OneChain, true),
    ] {
        for (keys, exporter) in [(TeapKeys::PHash, false), (TeapKeys::Rfc9427, true)] {
            for (machine, user) in [
                (Inner::Tls, Inner::Tls),
                (Inner::Tls, Inner::MsChapV2),
                (Inner::MsChapV2, Inner::Tls),
                (Inner::Tls, Inner::Pap),
            ] {
                let world = World::with_tunnels();
                let config = config(&world, |settings| {
                    settings.teap.binding = binding;
                    settings.teap.tls13_keys = keys;
                });
                for version in BOTH {
                    let mut settings = peer(&world, Some(machine), Some(user));
                    settings.highest = version;
                    teap(&mut settings).one_chain = one_chain;
                    teap(&mut settings).exporter = exporter;
                    let seen = connect(&world, &config, settings);
                    let row = format!("{binding:?} {keys:?} {machine:?} {user:?} {version}");
                    match &seen.server {
                        Ok(_) => drop(seen.succeeded()),
                        Err(failed) => panic!("row {row}: {}", failed.reason),
                    }
                }
            }
        }
    }
}

#[test]
fn the_other_reading_does_not_get_in_unbound() {
    let world = World::with_tunnels();
    let config = config(&world, |settings| {
        settings.teap.binding = TeapBinding::TwoChains;
    });
    let mut settings = peer(&world, Some(Inner::Tls), Some(Inner::Tls));
    teap(&mut settings).one_chain = true;
    let profile = Arc::new(Profile::build(settings).unwrap());
    let mut supplicant = portreeve::probe::Supplicant::new(profile);
    let mut conversation = world.conversation(&config, 1024);
    let mut packet = supplicant.identity_response(1);
    let failure = loop {
        let mut step = conversation.handle(world.now, &packet);
        if matches!(step, portreeve::eap::Step::Work) {
            step = conversation.work(world.now);
        }
        let portreeve::eap::Step::Request(request) = step else {
            panic!("{step:?}");
        };
        match supplicant.handle(world.now, &request) {
            portreeve::probe::Answer::Response(next) => packet = next,
            portreeve::probe::Answer::Failure(failure) => break failure,
            portreeve::probe::Answer::Success(_) => panic!("a success"),
        }
    };
    assert_eq!(failure, PeerFailure::Unbound);
}

#[test]
fn a_certificate_of_the_tunnel_stands_for_the_machine_or_for_everything() {
    let world = World::with_tunnels();
    for version in BOTH {
        for certificate in [TeapCertificate::Machine, TeapCertificate::Enough] {
            let config = config(&world, |settings| settings.teap.certificate = certificate);
            let row = format!("row {certificate:?}, {version}");
            let shows = |user| {
                let mut settings = peer(&world, Some(Inner::Tls), user);
                settings.credential = Some(credential(machine_holder(&world)));
                settings.highest = version;
                settings
            };
            let profile = Arc::new(Profile::build(shows(Some(Inner::Gtc))).unwrap());
            for resumed in [false, true] {
                let seen = world.connect(&config, &profile);
                let outcome = seen.succeeded();
                assert_eq!(outcome.resumed, resumed, "{row}");
                assert_eq!(device(outcome).as_deref(), Some(MACHINE), "{row}");
                match certificate {
                    TeapCertificate::Machine => {
                        assert_eq!(outcome.spoken.inner, Some(Inner::Gtc), "{row}");
                        assert_eq!(outcome.principal.user(), Some("alice@contoso.com"));
                    }
                    TeapCertificate::Enough | TeapCertificate::Unasked => {
                        assert_eq!(outcome.spoken.inner, None, "{row}");
                        assert_eq!(seen.asked, 0, "{row}");
                    }
                }
            }
            // Nobody has logged on.
            let seen = connect(&world, &config, shows(None));
            assert_eq!(device(seen.succeeded()).as_deref(), Some(MACHINE), "{row}");
            // Without one both are asked for inside.
            let mut without = peer(&world, Some(Inner::Tls), Some(Inner::Gtc));
            without.highest = version;
            let seen = connect(&world, &config, without);
            assert_eq!(seen.succeeded().spoken.second, Some(Inner::Gtc), "{row}");
            world.judge.says(Verdict::Block);
            let seen = connect(&world, &config, shows(Some(Inner::Gtc)));
            assert_eq!(seen.failed().reason, FailureReason::Blocked, "{row}");
            world.judge.says(Verdict::Allow);
        }
    }
}

#[test]
fn a_failure_of_either_is_a_failure_of_both_and_leaves_nothing_behind() {
    for version in BOTH {
        for machine in SPOKEN {
            for user in SPOKEN {
                for wrong in [TeapIdentity::Machine, TeapIdentity::User] {
                    let world = World::with_tunnels();
                    let mut settings = peer(&world, Some(machine), Some(user));
                    settings.highest = version;
                    let expired = credential(world.root.device(&Device {
                        expired: true,
                        ..Device::default()
                    }));
                    let inside = settings.inside.as_mut().unwrap();
                    let spoken = match wrong {
                        TeapIdentity::Machine => {
                            settings.machine = Some(expired);
                            let machine = inside.teap.machine.as_mut().unwrap();
                            machine.password = Secret::new(b"wrong".to_vec());
                            machine.inner
                        }
                        TeapIdentity::User => {
                            inside.password = Secret::new(b"wrong".to_vec());
                            if inside.inner == Inner::Tls {
                                settings.credential = Some(expired);
                            }
                            inside.inner
                        }
                    };
                    let seen = connect(&world, &world.config(), settings);
                    let row = format!("row {machine:?}, {user:?}, {wrong:?} wrong, {version}");
                    match (&seen.failed().reason, spoken) {
                        (FailureReason::Certificate(_), Inner::Tls)
                        | (FailureReason::Inner(InnerRefusal::Password), _) => {}
                        (other, _) => panic!("{row}: {other}"),
                    }
                    assert_eq!(world.judge.take_asked(), [], "{row}");
                    assert!(world.resumption.is_empty(), "{row}");
                    assert_eq!(seen.peer.unwrap_err(), PeerFailure::Refused, "{row}");
                }
            }
        }
    }
}

#[test]
fn a_certificate_that_was_shown_inside_is_looked_at_again_when_a_tunnel_is_resumed() {
    for version in BOTH {
        let mut world = World::with_tunnels();
        let config = config(&world, |settings| {
            settings.resumption = Some(Arc::new(portreeve::eap::Resumption::new(
                16,
                std::time::Duration::from_hours(24 * 7),
            )));
        });
        let mut settings = peer(&world, Some(Inner::Tls), Some(Inner::Gtc));
        settings.highest = version;
        let machine = world.root.device(&Device {
            ends: Some((2026, 6, 2)),
            ..Device::default()
        });
        settings.machine = Some(credential(machine));
        let profile = Arc::new(Profile::build(settings).unwrap());
        world.connect(&config, &profile).succeeded();
        assert!(world.connect(&config, &profile).succeeded().resumed);
        world.passes(std::time::Duration::from_hours(36));
        let seen = world.connect(&config, &profile);
        assert!(!seen.report.resumed, "{version}: an expired certificate");
        let reason = &seen.failed().reason;
        assert!(matches!(reason, FailureReason::Certificate(_)), "{reason}");
    }
}

#[test]
fn tlvs_beside_tls_are_bound_rfc9930_4_2_13() {
    let world = World::with_tunnels();
    let config = world.config();
    let mut settings = peer(&world, Some(Inner::Tls), Some(Inner::Gtc));
    teap(&mut settings).outer_tlvs = vec![0x3f, 0xff, 0, 3, 1, 2, 3];
    connect(&world, &config, settings).succeeded();
}

#[test]
fn peers_that_lie_inside_are_refused() {
    let result = vec![0x80, 3, 0, 2, 0, 1];
    let intermediate = [&[0x80, 10, 0, 2, 0, 1][..], &result].concat();
    let pac = vec![0x80, 11, 0, 1, 0];
    let malformed = InnerRefusal::Malformed("TLVs of TEAP");
    let both = [
        &[0x80, 9, 0, 5, 2, 0, 0, 5, 1][..],
        &[0x80, 14, 0, 4, 1, b'a', 1, b'b'],
    ]
    .concat();
    let stranger = [&[0, 2, 0, 2, 0, 1][..], &[0x80, 9, 0, 4, 1, 2, 0, 4]].concat();
    let unknown = [&[0x80, 99, 0, 1, 0][..], &result].concat();
    for (row, words, refusal) in [
        ("a result", result, Some(InnerRefusal::Order)),
        ("both results", intermediate, Some(InnerRefusal::Order)),
        ("a PAC", pac, Some(InnerRefusal::Order)),
        ("garbage", vec![0xff; 40], Some(malformed.clone())),
        ("cut", vec![0x80, 3, 0, 2, 0], Some(malformed)),
        ("two credentials", both, Some(InnerRefusal::Credential)),
        ("a request", stranger, Some(InnerRefusal::Order)),
        ("nothing", Vec::new(), Some(InnerRefusal::Order)),
        (
            "unknown and final",
            unknown,
            Some(InnerRefusal::Mandatory(99)),
        ),
        (
            "an error",
            vec![0x80, 5, 0, 4, 0, 0, 7, 0xd1],
            Some(InnerRefusal::Reported(2001)),
        ),
        (
            "a failure",
            vec![0x80, 3, 0, 2, 0, 2],
            Some(InnerRefusal::Result),
        ),
    ] {
        for version in BOTH {
            let world = World::with_tunnels();
            let mut settings = peer(&world, Some(Inner::Gtc), Some(Inner::Gtc));
            settings.highest = version;
            // Turn 0 acknowledges our Finished, or goes with the peer's.
            let said = words.clone();
            lies(&mut settings, 1, move |words| *words = said.clone());
            let seen = connect(&world, &world.config(), settings);
            let row = format!("row {row}, {version}");
            let reason = &seen.failed().reason;
            match (&refusal, reason) {
                (Some(refusal), FailureReason::Inner(why)) => assert_eq!(why, refusal, "{row}"),
                (_, other) => panic!("{row}: {other}"),
            }
            assert_eq!(seen.asked, 0, "{row}");
            assert_eq!(world.judge.take_asked(), [], "{row}");
            assert!(world.resumption.is_empty(), "{row}");
        }
    }
}

#[test]
fn a_peer_may_hint_before_it_is_asked_and_say_nothing_else_rfc9930_4_2_20() {
    for version in BOTH {
        for (words, good) in [
            (&[0, 19, 0, 5, b'a', b'l', b'i', b'c', b'e'][..], true),
            (&[0, 19, 0, 1, b'a', 0, 19, 0, 1, b'b', 0, 99, 0, 0], true),
            (&[0x80, 3, 0, 2, 0, 1], false),
            (&[0x80, 14, 0, 4, 1, b'a', 1, b'b'], false),
            (&[0x80, 9, 0, 5, 2, 0, 0, 5, 1], false),
        ] {
            let world = World::with_tunnels();
            let mut settings = peer(&world, None, Some(Inner::Gtc));
            settings.highest = version;
            let said = words.to_vec();
            lies(&mut settings, 0, move |words| *words = said.clone());
            let seen = connect(&world, &world.config(), settings);
            if good {
                seen.succeeded();
            } else {
                let reason = FailureReason::Inner(InnerRefusal::Order);
                assert_eq!(seen.failed().reason, reason, "row {words:?} {version}");
                assert_eq!(seen.asked, 0);
            }
        }
    }
}

/// The octets of the first Crypto-Binding among TLVs.
fn binding_of(words: &mut [u8]) -> Option<&mut [u8]> {
    let at = words
        .windows(4)
        .position(|head| head == [0x80, 12, 0, 76])?;
    words.get_mut(at..at + 80)
}

#[test]
fn a_crypto_binding_that_is_missing_or_wrong_ends_it_rfc9930_4_2_13() {
    for version in BOTH {
        for (machine, user) in [
            (Some(Inner::Tls), Some(Inner::Gtc)),
            (None, Some(Inner::Gtc)),
        ] {
            for missing in [false, true] {
                let world = World::with_tunnels();
                let mut settings = peer(&world, machine, user);
                settings.highest = version;
                let done = Arc::new(Mutex::new(false));
                let lied = Arc::clone(&done);
                settings.spoil = Some(Spoil(Arc::new(move |_, words| {
                    let Some(tlv) = binding_of(words) else {
                        return;
                    };
                    *lied.lock().unwrap() = true;
                    if missing {
                        // An unknown TLV that may be left aside.
                        (tlv[0], tlv[1]) = (0, 99);
                    } else {
                        tlv[79] ^= 1;
                    }
                })));
                let seen = connect(&world, &world.config(), settings);
                let row = format!("row {machine:?}, missing {missing}, {version}");
                assert!(*done.lock().unwrap(), "{row}");
                let expected = if missing {
                    InnerRefusal::Unbound
                } else {
                    InnerRefusal::Binding
                };
                assert_eq!(
                    seen.failed().reason,
                    FailureReason::Inner(expected),
                    "{row}"
                );
                assert!(world.resumption.is_empty(), "{row}: behind a ticket");
                let failed = seen.failed();
                let named = failed.presented.as_ref().unwrap();
                let certificate = named.certificate().is_some();
                assert_eq!(certificate, machine.is_some(), "{row}: about whom");
                let user = machine.is_none().then_some("alice@contoso.com");
                assert_eq!(failed.claimed.as_deref(), user, "{row}: about whom");
            }
        }
    }
}

/// A login that failed at the binding was recorded under the name outside, though the name inside
/// had been proved.
#[test]
fn a_peer_that_reports_an_error_in_the_place_of_its_binding_is_named() {
    for version in BOTH {
        for (machine, device) in [(None, false), (Some(Inner::Tls), true)] {
            let world = World::with_tunnels();
            let mut settings = peer(&world, machine, Some(Inner::Gtc));
            settings.highest = version;
            let bindings = Arc::new(Mutex::new(0));
            let last = if device { 2 } else { 1 };
            settings.spoil = Some(Spoil(Arc::new(move |_, words| {
                if binding_of(words).is_some() {
                    *bindings.lock().unwrap() += 1;
                    if *bindings.lock().unwrap() == last {
                        *words = vec![0x80, 5, 0, 4, 0, 0, 7, 0xd1];
                    }
                }
            })));
            let seen = connect(&world, &world.config(), settings);
            let (failed, row) = (seen.failed(), format!("row {machine:?}, {version}"));
            let reason = FailureReason::Inner(InnerRefusal::Reported(2001));
            assert_eq!(failed.reason, reason, "{row}");
            assert_eq!(
                failed.claimed.as_deref(),
                Some("alice@contoso.com"),
                "{row}"
            );
            let presented = failed.presented.as_ref().unwrap();
            assert_eq!(presented.certificate().is_some(), device, "{row}");
        }
    }
}

#[test]
fn a_tlv_that_is_mandatory_and_not_known_is_answered_by_a_nak_rfc9930_4_2_5() {
    let world = World::with_tunnels();
    let mut settings = peer(&world, None, Some(Inner::Gtc));
    lies(&mut settings, 1, |words| {
        *words = vec![0x80, 7, 0, 4, 0, 0, 1, 55];
    });
    let profile = Arc::new(Profile::build(settings).unwrap());
    let mut supplicant = portreeve::probe::Supplicant::new(profile);
    let config = world.config();
    let mut conversation = world.conversation(&config, 1024);
    let mut packet = supplicant.identity_response(1);
    let failure = loop {
        let mut step = conversation.handle(world.now, &packet);
        if matches!(step, portreeve::eap::Step::Work) {
            step = conversation.work(world.now);
        }
        let portreeve::eap::Step::Request(request) = step else {
            panic!("{step:?}");
        };
        match supplicant.handle(world.now, &request) {
            portreeve::probe::Answer::Response(next) => packet = next,
            portreeve::probe::Answer::Failure(failure) => break failure,
            portreeve::probe::Answer::Success(_) => panic!("a success"),
        }
    };
    assert_eq!(failure, PeerFailure::Order("a NAK"));
}

#[test]
fn nobody_becomes_somebody_else_in_the_middle_of_a_method() {
    let world = World::with_tunnels();
    let mut settings = peer(&world, Some(Inner::Gtc), Some(Inner::Gtc));
    // The machine refuses a password without EAP, says its name, refuses MSCHAPv2.
    let turns = lies(&mut settings, 3, |words| words.extend([0, 2, 0, 2, 0, 1]));
    let seen = connect(&world, &world.config(), settings);
    assert!(*turns.lock().unwrap() > 3);
    let reason = FailureReason::Inner(InnerRefusal::Order);
    assert_eq!(seen.failed().reason, reason);
    assert_eq!(seen.asked, 0);
    assert!(world.resumption.is_empty());
}

#[test]
fn outer_tlvs_have_their_place_in_the_first_packet_and_nowhere_else() {
    let world = World::with_tunnels();
    let config = world.config();
    for (row, flags, data) in [
        ("cut", 0x11, vec![0, 0, 0, 9, 1]),
        ("no TLVs", 0x11, vec![0, 0, 0, 3, 1, 2, 3]),
        ("no length", 0x11, vec![0, 0]),
        (
            "many",
            0x11,
            [&[0, 0, 2, 88][..], &[0, 99, 0, 0].repeat(150)].concat(),
        ),
    ] {
        let mut conversation = world.conversation(&config, 1024);
        conversation.handle(world.now, &response(1, Type::IDENTITY, b"x"));
        let nak = response(2, Type::NAK, &[Type::TEAP.0]);
        let step = conversation.handle(world.now, &nak);
        let portreeve::eap::Step::Request(start) = step else {
            panic!("{step:?}");
        };
        assert_eq!(
            &start[4..6],
            [55, 0x31],
            "TEAP, start, outer TLVs, version 1"
        );
        let packet = response(3, Type::TEAP, &[&[flags][..], &data].concat());
        let step = conversation.handle(world.now, &packet);
        let discarded = matches!(step, portreeve::eap::Step::Discard(_));
        assert!(discarded, "row {row}: {step:?}");
    }
}

#[test]
fn another_version_of_teap_is_refused() {
    let world = World::with_tunnels();
    let config = world.config();
    let mut conversation = world.conversation(&config, 1024);
    conversation.handle(world.now, &response(1, Type::IDENTITY, b"x"));
    conversation.handle(world.now, &response(2, Type::NAK, &[Type::TEAP.0]));
    let packet = response(3, Type::TEAP, &[0x02, 22, 3, 1]);
    match conversation.handle(world.now, &packet) {
        portreeve::eap::Step::Failure(failed) => assert_eq!(failed.reason, FailureReason::Version),
        other => panic!("{other:?}"),
    }
}
