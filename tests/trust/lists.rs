//! Revocation lists: whose they are, of what they tell, until when.

use portreeve::trust::Material;
use portreeve::trust::Unusable;
use rcgen::CrlScope;

use crate::Told;
use crate::build;
use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::pki::List;
use crate::seen;
use crate::verify;
use crate::verify_again;

/// After the end of every list here, before that of every certificate.
const LISTS_ENDED: u64 = 200;

fn device(authority: &Authority, serial: u8) -> Holder {
    authority.device(&Device {
        serial,
        ..Device::default()
    })
}

/// A device of an authority below the root, which it presents.
fn device_below(authority: &Authority, serial: u8) -> Holder {
    let device = Device {
        serial,
        ..Device::default()
    };
    authority.device_through(&device, vec![authority.certificate()])
}

#[test]
fn a_list_revokes_by_issuer_and_serial_rfc5280_6_3_3() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let verifier = build(Material {
        roots: &[root.certificate(), other.certificate()],
        revocation_lists: &[root.revocation_list(&[7]), other.revocation_list(&[9])],
        ..Material::default()
    })
    .unwrap();
    for (row, holder, expected) in [
        ("named", device(&root, 7), Told::Revoked),
        ("not named", device(&root, 8), Told::Good),
        ("named by another issuer", device(&root, 9), Told::Good),
        ("of the other issuer", device(&other, 9), Told::Revoked),
    ] {
        assert_eq!(seen(&verifier, &holder, 0), expected, "row {row}");
    }
}

#[test]
fn an_authority_below_the_root_can_be_revoked_too() {
    let root = Authority::root("Root");
    let verifier = build(Material {
        roots: &[root.certificate()],
        revocation_lists: &[root.revocation_list(&[3])],
        ..Material::default()
    })
    .unwrap();
    for (serial, expected) in [(3, Told::Revoked), (4, Told::Good)] {
        let issuing = root.intermediate_with("Issuing", serial);
        let holder = device_below(&issuing, 7);
        assert_eq!(seen(&verifier, &holder, 0), expected, "row {serial}");
    }
}

#[test]
fn what_no_current_list_covers_is_refused_where_one_is_demanded() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", 3);
    let (roots, issuings) = (root.revocation_list(&[]), issuing.revocation_list(&[9]));
    let both = [roots.clone(), issuings.clone()];
    for (row, lists, days, demanded, otherwise) in [
        ("no list", &[][..], 0, Told::Unknown, Told::Good),
        (
            "the device's only",
            &both[1..],
            0,
            Told::Unknown,
            Told::Good,
        ),
        (
            "the authority's only",
            &both[..1],
            0,
            Told::Unknown,
            Told::Good,
        ),
        ("both", &both, 0, Told::Good, Told::Good),
        (
            "both have ended",
            &both,
            LISTS_ENDED,
            Told::Outdated,
            Told::Good,
        ),
    ] {
        for (demand_revocation, expected) in [(true, demanded), (false, otherwise)] {
            let verifier = build(Material {
                roots: &[root.certificate()],
                revocation_lists: lists,
                demand_revocation,
                ..Material::default()
            })
            .unwrap();
            let told = seen(&verifier, &device_below(&issuing, 7), days);
            assert_eq!(told, expected, "row {row}, demanded {demand_revocation}");
        }
    }
}

#[test]
fn an_ended_list_revokes_all_the_same() {
    let root = Authority::root("Root");
    for demand_revocation in [true, false] {
        let verifier = build(Material {
            roots: &[root.certificate()],
            revocation_lists: &[root.revocation_list(&[7])],
            demand_revocation,
            ..Material::default()
        })
        .unwrap();
        let told = seen(&verifier, &device(&root, 7), LISTS_ENDED);
        assert_eq!(told, Told::Revoked, "demanded {demand_revocation}");
    }
}

#[test]
fn a_list_with_a_roots_name_and_another_key_is_refused_at_once() {
    let (root, impostor) = (Authority::root("Root"), Authority::root("Root"));
    let refused = build(Material {
        roots: &[root.certificate()],
        revocation_lists: &[root.revocation_list(&[]), impostor.revocation_list(&[])],
        ..Material::default()
    })
    .unwrap_err();
    assert!(
        matches!(&refused, Unusable::Signature { position: 2, issuer } if issuer.ends_with("CN=Root")),
        "{refused:?}"
    );
    assert_eq!(refused.list(), Some(2));
}

#[test]
fn of_two_roots_with_one_name_each_has_its_list() {
    // An authority that changes its key keeps its name (RFC 4210 section 4.4).
    let (old, new) = (Authority::root("Root"), Authority::root("Root"));
    let verifier = build(Material {
        roots: &[old.certificate(), new.certificate()],
        revocation_lists: &[old.revocation_list(&[7]), new.revocation_list(&[8])],
        demand_revocation: true,
        ..Material::default()
    })
    .unwrap();
    for (row, holder, expected) in [
        ("old, 7", device(&old, 7), Told::Revoked),
        ("old, 8", device(&old, 8), Told::Good),
        ("new, 7", device(&new, 7), Told::Good),
        ("new, 8", device(&new, 8), Told::Revoked),
    ] {
        assert_eq!(seen(&verifier, &holder, 0), expected, "row {row}");
    }
}

#[test]
fn a_list_of_an_authority_that_devices_bring_waits_for_it() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", 3);
    let lists = [root.revocation_list(&[]), issuing.revocation_list(&[7])];
    let material = Material {
        roots: &[root.certificate()],
        revocation_lists: &lists,
        demand_revocation: true,
        ..Material::default()
    };
    let verifier = build(material).unwrap();
    let [(position, name)] = verifier.waiting_lists() else {
        panic!("{:?}", verifier.waiting_lists());
    };
    assert_eq!(*position, 2);
    assert!(name.ends_with("CN=Issuing"), "{name}");
    for _ in 0..2 {
        let (revoked, good) = (device_below(&issuing, 7), device_below(&issuing, 8));
        assert_eq!(seen(&verifier, &revoked, 0), Told::Revoked);
        assert_eq!(seen(&verifier, &good, 0), Told::Good);
    }
    let known = [issuing.certificate()];
    let verifier = build(Material {
        known: &known,
        ..material
    })
    .unwrap();
    assert_eq!(verifier.waiting_lists(), [], "its issuer is known");
    assert_eq!(
        seen(&verifier, &device_below(&issuing, 7), 0),
        Told::Revoked
    );
}

#[test]
fn a_known_authority_is_not_trusted_for_being_known() {
    let (root, stranger) = (Authority::root("Root"), Authority::root("Stranger"));
    let verifier = build(Material {
        roots: &[root.certificate()],
        known: &[stranger.certificate()],
        revocation_lists: &[stranger.revocation_list(&[])],
        ..Material::default()
    })
    .unwrap();
    let holder = device(&stranger, 7);
    let (leaf, others) = holder.chain.split_first().unwrap();
    let refused = verifier.verify(leaf, others, crate::after(0)).unwrap_err();
    assert_eq!(refused, rustls::CertificateError::UnknownIssuer.into());
}

#[test]
fn a_list_that_its_authority_has_not_signed_lets_nobody_of_it_in() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", 3);
    let impostor = Authority::root("Issuing");
    for demand_revocation in [true, false] {
        let verifier = build(Material {
            roots: &[root.certificate()],
            revocation_lists: &[root.revocation_list(&[]), impostor.revocation_list(&[])],
            demand_revocation,
            ..Material::default()
        })
        .unwrap();
        for _ in 0..2 {
            let told = seen(&verifier, &device_below(&issuing, 7), 0);
            assert_eq!(told, Told::Forged, "demanded {demand_revocation}");
        }
        assert_eq!(seen(&verifier, &device(&root, 7), 0), Told::Good);
    }
}

#[test]
fn an_authority_without_crl_sign_makes_no_lists_rfc5280_6_3_3_f() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", 3);
    let verifier = build(Material {
        roots: &[root.certificate()],
        revocation_lists: &[issuing.revocation_list(&[])],
        ..Material::default()
    })
    .unwrap();
    assert_eq!(seen(&verifier, &device_below(&issuing, 7), 0), Told::Good);
    let silent = root.without_crl_sign(&issuing, "Issuing");
    let holder = issuing.device_through(&Device::default(), vec![silent]);
    assert_eq!(seen(&verifier, &holder, 0), Told::NotForLists);
}

#[test]
fn the_newest_list_of_a_scope_counts_whatever_the_order_rfc5280_5_2_3() {
    let root = Authority::root("Root");
    let list = |number, serials| {
        root.list(&List {
            number,
            serials,
            ..List::default()
        })
    };
    // 7 was on hold.
    let (old, new) = (list(1, &[7, 8][..]), list(2, &[8][..]));
    for lists in [[old.clone(), new.clone()], [new, old]] {
        let verifier = build(Material {
            roots: &[root.certificate()],
            revocation_lists: &lists,
            ..Material::default()
        })
        .unwrap();
        assert_eq!(seen(&verifier, &device(&root, 7), 0), Told::Good);
        assert_eq!(seen(&verifier, &device(&root, 8), 0), Told::Revoked);
    }
}

#[test]
fn a_list_tells_of_its_scope_only_rfc5280_5_2_5() {
    const HERE: &str = "http://pki.example.org/here.crl";
    const ELSEWHERE: &str = "http://pki.example.org/elsewhere.crl";
    let root = Authority::root("Root");
    for (row, scope, point, expected) in [
        ("no point stated", (HERE, None), None, Told::Revoked),
        ("its point", (HERE, None), Some(HERE), Told::Revoked),
        (
            "another point",
            (HERE, None),
            Some(ELSEWHERE),
            Told::Unknown,
        ),
        (
            "users",
            (HERE, Some(CrlScope::UserCertsOnly)),
            Some(HERE),
            Told::Revoked,
        ),
        (
            "authorities",
            (HERE, Some(CrlScope::CaCertsOnly)),
            Some(HERE),
            Told::Unknown,
        ),
    ] {
        let list = root.list(&List {
            serials: &[7],
            scope: Some(scope),
            ..List::default()
        });
        let verifier = build(Material {
            roots: &[root.certificate()],
            revocation_lists: &[list],
            demand_revocation: true,
            ..Material::default()
        })
        .unwrap();
        let holder = root.device(&Device {
            point,
            ..Device::default()
        });
        assert_eq!(seen(&verifier, &holder, 0), expected, "row {row}");
    }
}

#[test]
fn what_was_verified_is_verified_again_against_the_lists_and_the_time_of_the_day() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", 3);
    let lists = |roots: &[u8], issuings: &[u8]| {
        [
            root.revocation_list(roots),
            issuing.revocation_list(issuings),
        ]
    };
    let first = build(Material {
        roots: &[root.certificate()],
        revocation_lists: &lists(&[], &[]),
        demand_revocation: true,
        ..Material::default()
    })
    .unwrap();
    let chain = verify(&first, &device_below(&issuing, 7), 0).unwrap();
    for (row, lists, days, expected) in [
        ("as it was", lists(&[], &[]), 0, Told::Good),
        ("the device is revoked", lists(&[], &[7]), 0, Told::Revoked),
        (
            "its authority is revoked",
            lists(&[3], &[]),
            0,
            Told::Revoked,
        ),
        (
            "the lists have ended",
            lists(&[], &[]),
            LISTS_ENDED,
            Told::Outdated,
        ),
        (
            "the certificate has ended",
            lists(&[], &[]),
            400,
            Told::Expired,
        ),
    ] {
        let after_reload = build(Material {
            roots: &[root.certificate()],
            revocation_lists: &lists,
            demand_revocation: true,
            ..Material::default()
        })
        .unwrap();
        assert_eq!(
            verify_again(&after_reload, &chain, days),
            expected,
            "row {row}"
        );
    }
}
