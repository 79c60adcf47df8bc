//! Lists that come while the gateway runs: when they count, and what they cannot do.

use std::sync::Arc;
use std::time::Duration;

use portreeve::trust::Installed;
use portreeve::trust::ListError;
use portreeve::trust::Material;
use portreeve::trust::NotInstalled;
use portreeve::trust::RevocationList;
use portreeve::trust::Verifier;

use crate::Told;
use crate::build;
use crate::online::upkeep;
use crate::online::watch;
use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::pki::List;
use crate::seen;

const PLACE: &str = "http://crl.example.org/root.crl";

fn list(authority: &Authority, serials: &[u8], number: u8) -> Arc<RevocationList> {
    let der = authority.list(&List {
        serials,
        number,
        ..List::default()
    });
    Arc::new(RevocationList::read(&der, PLACE).unwrap())
}

fn device(authority: &Authority, serial: u8) -> Holder {
    authority.device(&Device {
        serial,
        ..Device::default()
    })
}

#[test]
fn a_list_that_comes_counts_for_remembered_chains_too() {
    let root = Authority::root("Root");
    let watch = watch();
    let upkeep = upkeep(&watch, None);
    let verifier = build(Material {
        roots: &[root.certificate()],
        upkeep: Some(&upkeep),
        remembered: 16,
        ..Material::default()
    })
    .unwrap();
    let holder = device(&root, 7);
    let (leaf, _) = holder.chain.split_first().unwrap();
    let chain = verifier.verify(leaf, &[], crate::after(0)).unwrap();
    verifier.remember(&chain);
    let installed = watch.install(PLACE, list(&root, &[7], 1));
    assert_eq!(installed, Ok(Installed::Used));
    assert_eq!(seen(&verifier, &holder, 0), Told::Revoked);
    assert_eq!(crate::verify_again(&verifier, &chain, 0), Told::Revoked);
    let by = verifier.revoking(&chain.certificate().id).unwrap();
    assert_eq!(by, format!("the list of CN=Root in {PLACE}"));
    // A newer one takes it back; where nothing is fetched any more, nothing is revoked.
    assert!(watch.install(PLACE, list(&root, &[], 2)).is_ok());
    assert_eq!(seen(&verifier, &holder, 0), Told::Good);
    assert!(watch.install(PLACE, list(&root, &[7], 3)).is_ok());
    watch.retain(|_| false);
    assert_eq!(seen(&verifier, &holder, 0), Told::Good);
}

#[test]
fn a_list_that_somebody_else_has_signed_changes_nothing_rfc5280_6_3_3() {
    let (root, other) = (Authority::root("Root"), Authority::root("Root"));
    let watch = watch();
    let verifier = verifier(&root, &watch);
    assert!(watch.install(PLACE, list(&root, &[9], 1)).is_ok());
    let forged = watch.install(PLACE, list(&other, &[], 2));
    let issuer = "CN=Root".to_owned();
    assert_eq!(forged, Err(NotInstalled::Forged { issuer }));
    assert_eq!(seen(&verifier, &device(&root, 9), 0), Told::Revoked);
    assert_eq!(seen(&verifier, &device(&root, 7), 0), Told::Good);
}

#[test]
fn an_older_list_does_not_take_the_place_of_a_newer_one() {
    let root = Authority::root("Root");
    let watch = watch();
    let verifier = verifier(&root, &watch);
    assert!(watch.install(PLACE, list(&root, &[7], 5)).is_ok());
    let older = watch.install(PLACE, list(&root, &[], 4));
    assert_eq!(older, Err(NotInstalled::Older));
    assert_eq!(seen(&verifier, &device(&root, 7), 0), Told::Revoked);
}

#[test]
fn a_list_of_an_authority_below_the_root_counts_once_a_chain_has_shown_it() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing", 0);
    let watch = watch();
    let verifier = verifier(&root, &watch);
    let installed = watch.install(PLACE, list(&issuing, &[7], 1));
    assert_eq!(installed, Ok(Installed::Held));
    let below = |serial| {
        let device = Device {
            serial,
            ..Device::default()
        };
        issuing.device_through(&device, vec![issuing.certificate()])
    };
    // The first chain shows it, and the next one is told.
    assert_eq!(seen(&verifier, &below(8), 0), Told::Good);
    assert_eq!(seen(&verifier, &below(7), 0), Told::Revoked);
}

#[test]
fn points_that_good_certificates_name_are_told_and_bounded_rfc5280_4_2_1_13() {
    let root = Authority::root("Root");
    let stranger = Authority::root("Stranger");
    let watch = watch();
    let mut followed = upkeep(&watch, None);
    followed.follow_points = true;
    let verifier = build(Material {
        roots: &[root.certificate()],
        upkeep: Some(&followed),
        ..Material::default()
    })
    .unwrap();
    let of = |authority: &Authority, point| {
        authority.device(&Device {
            point: Some(point),
            ..Device::default()
        })
    };
    for (authority, point) in [
        (&stranger, "http://evil.example.org/"),
        (&root, "ldap://crl.example.org/"),
        (&root, "http://crl.example.org/1"),
        (&root, "http://crl.example.org/1"),
    ] {
        let _said = seen_or_refused(&verifier, &of(authority, point));
    }
    let points = watch.points();
    assert_eq!(points.len(), 1);
    assert_eq!(&*points[0], "http://crl.example.org/1");
    for number in 0..1000 {
        watch.remember_point(&format!("http://crl.example.org/{number}"));
    }
    assert_eq!(watch.points().len(), 64);
}

#[test]
fn an_outdated_list_is_refused_where_that_is_demanded_and_after_its_grace() {
    const DAY: u64 = 24 * 3600;
    let root = Authority::root("Root");
    // It ends 183 days after today.
    for (row, hard, grace, days, expected) in [
        ("soft", false, 0, 200, Told::Good),
        ("hard", true, 0, 200, Told::Outdated),
        ("hard and current", true, 0, 0, Told::Good),
        ("hard, within its grace", true, 30 * DAY, 200, Told::Good),
        ("hard, after its grace", true, 10 * DAY, 200, Told::Outdated),
    ] {
        let watch = watch();
        let mut upkeep = upkeep(&watch, None);
        upkeep.demand_current = hard;
        upkeep.grace = Duration::from_secs(grace);
        let verifier = build(Material {
            roots: &[root.certificate()],
            upkeep: Some(&upkeep),
            ..Material::default()
        })
        .unwrap();
        assert_eq!(seen(&verifier, &device(&root, 7), 0), Told::Good, "no list");
        assert!(watch.install(PLACE, list(&root, &[9], 1)).is_ok());
        assert_eq!(
            seen(&verifier, &device(&root, 7), days),
            expected,
            "row {row}"
        );
        assert_eq!(seen(&verifier, &device(&root, 9), days), Told::Revoked);
    }
}

#[test]
fn lists_of_kinds_that_are_not_supported_say_so_rfc5280_5_2() {
    let root = Authority::root("Root");
    let whole = root.revocation_list(&[7]);
    let read = |der: &[u8]| RevocationList::read(der, PLACE).map(|list| list.len());
    assert_eq!(read(&whole), Ok(1));
    for cut in [0, 1, 10, whole.len() / 2, whole.len() - 1] {
        let error = read(&whole[..cut]).unwrap_err();
        assert!(
            matches!(error, ListError::Unreadable(_)),
            "row {cut}: {error}"
        );
    }
    // deltaCRLIndicator in the place of cRLNumber, and indirectCRL: `openssl ca` cannot make them.
    let delta = root.delta_list();
    assert_eq!(read(&delta), Err(ListError::Delta));
}

fn verifier(root: &Authority, watch: &Arc<portreeve::trust::Watch>) -> Verifier {
    build(Material {
        roots: &[root.certificate()],
        upkeep: Some(&upkeep(watch, None)),
        ..Material::default()
    })
    .unwrap()
}

fn seen_or_refused(verifier: &Verifier, holder: &Holder) -> bool {
    let (leaf, others) = holder.chain.split_first().unwrap();
    verifier.verify(leaf, others, crate::after(0)).is_ok()
}
