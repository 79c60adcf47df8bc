//! TLS versions of each kind of method, and the 192-bit mode of WPA3-Enterprise.

use std::sync::Arc;

use portreeve::eap::CertificateRefusal;
use portreeve::eap::Config;
use portreeve::eap::FailureReason;
use portreeve::eap::Inner;
use portreeve::eap::Misconfigured;
use portreeve::eap::Outer;
use portreeve::eap::Settings;
use portreeve::eap::TlsVersion;
use portreeve::probe::Profile;

use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::pki::Kind;
use crate::world::Seen;
use crate::world::World;

/// The settings of a server that speaks the 192-bit mode only.
fn strong(world: &World, root: &Authority, server: Kind) -> Settings {
    let server = root.server_with("radius.example.org", server);
    let roots = vec![root.certificate(), world.root.certificate()];
    let mut settings = Settings::new(server.chain, server.key, roots);
    settings.resumption = Some(Arc::clone(&world.resumption));
    settings.strong = true;
    settings
}

fn device(root: &Authority, key: Kind) -> Holder {
    root.device(&Device {
        key,
        ..Device::default()
    })
}

fn connect(
    world: &World,
    config: &Arc<Config>,
    root: &Authority,
    holder: Holder,
    highest: TlsVersion,
) -> Seen {
    let mut settings = world.profile_settings(Some(holder));
    settings.roots = vec![root.certificate(), world.root.certificate()];
    settings.highest = highest;
    world.connect(config, &Arc::new(Profile::build(settings).unwrap()))
}

const BOTH: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

#[test]
fn the_192_bit_mode_takes_p384_and_large_rsa_with_its_suites_only() {
    let world = World::new();
    for kind in [Kind::P384, Kind::Rsa3072] {
        let root = Authority::root_with("Strong Root", kind);
        let config = Arc::new(Config::build(strong(&world, &root, kind)).unwrap());
        for version in BOTH {
            let seen = connect(&world, &config, &root, device(&root, kind), version);
            let outcome = seen.succeeded();
            let suite = match (version, kind) {
                (TlsVersion::Tls13, _) => "TLS13_AES_256_GCM_SHA384",
                (TlsVersion::Tls12, Kind::P384) => "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                (TlsVersion::Tls12, _) => "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            };
            assert_eq!(outcome.suite, suite, "row {kind:?} {version}");
        }
    }
}

#[test]
fn the_192_bit_mode_refuses_each_weak_link() {
    let world = World::new();
    let root = Authority::root_with("Strong Root", Kind::P384);
    let config = Arc::new(Config::build(strong(&world, &root, Kind::P384)).unwrap());
    let below = root.intermediate_of("Issuing", Kind::Rsa2048);
    let weakly_issued = below.device_through(
        &Device {
            key: Kind::P384,
            ..Device::default()
        },
        vec![below.certificate()],
    );
    for (row, holder) in [
        ("a small RSA key", device(&root, Kind::Rsa2048)),
        ("issued by a weak authority below", weakly_issued),
        ("issued by a weak root", device(&world.root, Kind::P384)),
    ] {
        for version in BOTH {
            let seen = connect(&world, &config, &root, holder.copy(), version);
            let reason = &seen.failed().reason;
            assert!(
                matches!(
                    reason,
                    FailureReason::Certificate(
                        CertificateRefusal::TooWeak(_)
                            | CertificateRefusal::Algorithm
                            | CertificateRefusal::UnknownCa
                    )
                ),
                "row {row}, {version}: {reason}"
            );
        }
    }
    // A peer that can only sign with P-256 has nothing that it was asked for.
    for version in BOTH {
        let seen = connect(&world, &config, &root, device(&root, Kind::P256), version);
        let reason = &seen.failed().reason;
        assert!(
            matches!(
                reason,
                FailureReason::Certificate(
                    CertificateRefusal::Missing | CertificateRefusal::TooWeak(_)
                )
            ),
            "{version}: {reason}"
        );
    }
    assert!(world.resumption.is_empty());
}

#[test]
fn a_weak_certificate_of_ours_is_refused_when_the_mode_is_configured() {
    let world = World::new();
    let root = Authority::root_with("Strong Root", Kind::P384);
    for kind in [Kind::P256, Kind::Rsa2048] {
        let refused = Config::build(strong(&world, &root, kind)).unwrap_err();
        assert!(
            matches!(refused, Misconfigured::TooWeak { position: 1, .. }),
            "row {kind:?}: {refused}"
        );
    }
}

#[test]
fn lists_of_an_authority_with_a_weaker_key_stand_beside_the_192_bit_mode() {
    let world = World::new();
    let root = Authority::root_with("Strong Root", Kind::P384);
    let mut settings = strong(&world, &root, Kind::P384);
    settings.revocation_lists = vec![world.root.revocation_list(&[7]), root.revocation_list(&[9])];
    let config = Arc::new(Config::build(settings).unwrap());
    for version in BOTH {
        let good = device(&root, Kind::P384);
        let seen = connect(&world, &config, &root, good, version);
        assert!(!seen.succeeded().resumed, "row {version}");
        let revoked = root.device(&Device {
            key: Kind::P384,
            serial: 9,
            ..Device::default()
        });
        let seen = connect(&world, &config, &root, revoked, version);
        let reason = &seen.failed().reason;
        assert!(
            matches!(
                reason,
                FailureReason::Certificate(CertificateRefusal::Revoked)
            ),
            "row {version}: {reason}"
        );
    }
}

#[test]
fn a_session_of_a_weaker_group_is_not_resumed_in_the_192_bit_mode_rfc9190_2_1_2() {
    let world = World::new();
    let root = Authority::root_with("Strong Root", Kind::P384);
    let mut settings = strong(&world, &root, Kind::P384);
    settings.strong = false;
    let usual = Arc::new(Config::build(settings).unwrap());
    let mut settings = strong(&world, &root, Kind::P384);
    settings.beside = Some(Arc::clone(&usual));
    let strong = Arc::new(Config::build(settings).unwrap());
    for version in BOTH {
        let mut settings = world.profile_settings(Some(device(&root, Kind::P384)));
        settings.roots = vec![root.certificate()];
        settings.highest = version;
        settings.remembered = 8;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let first = world.connect(&usual, &profile);
        assert!(!first.succeeded().resumed, "row {version}");
        // In TLS 1.3 it fails once: the peer withdraws its ticket when it is asked for a key of P-384,
        // which TLS takes for a fault.
        let moved = world.connect(&strong, &profile);
        let resumed = moved.server.as_ref().is_ok_and(|outcome| outcome.resumed);
        assert!(!resumed, "row {version}");
        world.connect(&strong, &profile);
        let again = world.connect(&strong, &profile);
        assert!(
            again.succeeded().resumed,
            "row {version}: within the mode it is"
        );
    }
}

#[test]
fn tunnels_may_have_versions_of_their_own_rfc9427() {
    let world = World::with_tunnels();
    let mut settings = world.settings();
    settings.tunnel.highest = Some(TlsVersion::Tls12);
    let config = Arc::new(Config::build(settings).unwrap());
    let tls = world.connect(&config, &world.profile(device(&world.root, Kind::P256)));
    assert_eq!(tls.succeeded().version, TlsVersion::Tls13);
    for method in [Outer::Ttls, Outer::Peap] {
        let gtc = crate::tunnel::settings(&world, (method, Inner::Gtc, true));
        let seen = world.connect(&config, &Arc::new(Profile::build(gtc).unwrap()));
        assert_eq!(
            seen.succeeded().version,
            TlsVersion::Tls12,
            "row {method:?}"
        );
    }
    let mut settings = world.settings();
    settings.highest = TlsVersion::Tls12;
    settings.tunnel.lowest = Some(TlsVersion::Tls13);
    assert!(matches!(
        Config::build(settings),
        Err(Misconfigured::Versions)
    ));
}
