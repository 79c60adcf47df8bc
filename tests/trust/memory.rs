//! Chains that are remembered: what is looked at again, and what is not remembered at all.
//!
//! Whether signatures are verified again cannot be seen from outside, but whether the same
//! [`Chain`] comes back can: it is read anew only with them.

use std::sync::Arc;

use portreeve::trust::Chain;
use portreeve::trust::Material;
use portreeve::trust::Verifier;

use crate::Told;
use crate::build;
use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::seen;
use crate::verify;

/// After the end of every device's certificate.
const CERTIFICATES_ENDED: u64 = 400;

/// After the end of every list.
const LISTS_ENDED: u64 = 200;

fn verifier(root: &Authority, remembered: usize) -> Verifier {
    build(Material {
        roots: &[root.certificate()],
        revocation_lists: &[root.revocation_list(&[])],
        demand_revocation: true,
        remembered,
        ..Material::default()
    })
    .unwrap()
}

/// Whether the verifier gives back what it remembers, after it has been told to remember.
fn comes_back(verifier: &Verifier, holder: &Holder) -> bool {
    let first = verify(verifier, holder, 0).unwrap();
    verifier.remember(&first);
    Arc::ptr_eq(&first, &verify(verifier, holder, 0).unwrap())
}

fn is_same(verifier: &Verifier, holder: &Holder, chain: &Arc<Chain>) -> bool {
    Arc::ptr_eq(chain, &verify(verifier, holder, 0).unwrap())
}

#[test]
fn a_chain_is_remembered_once_its_holder_has_proved_its_key() {
    let root = Authority::root("Root");
    let verifier = verifier(&root, 16);
    let holder = root.device(&Device::default());
    let first = verify(&verifier, &holder, 0).unwrap();
    let second = verify(&verifier, &holder, 0).unwrap();
    assert!(!Arc::ptr_eq(&first, &second), "nothing was proved");
    assert_eq!(first.certificate(), second.certificate());
    verifier.remember(&first);
    assert!(is_same(&verifier, &holder, &first));

    let (leaf, others) = holder.chain.split_first().unwrap();
    let shared = self::verifier(&root, 16);
    shared.remember_proven(leaf);
    assert!(!is_same(&shared, &holder, &first), "nothing was verified");
    shared
        .verify_and_keep(leaf, others, crate::after(0))
        .unwrap();
    shared.remember_proven(leaf);
    let kept = verify(&shared, &holder, 0).unwrap();
    assert!(is_same(&shared, &holder, &kept));
}

#[test]
fn a_remembered_chain_that_has_ended_is_refused() {
    let root = Authority::root("Root");
    let verifier = build(Material {
        roots: &[root.certificate()],
        remembered: 16,
        ..Material::default()
    })
    .unwrap();
    let holder = root.device(&Device::default());
    assert!(comes_back(&verifier, &holder));
    assert_eq!(
        seen(&verifier, &holder, CERTIFICATES_ENDED),
        Told::Expired,
        "and a clock that goes back makes it good again"
    );
    assert_eq!(seen(&verifier, &holder, 0), Told::Good);
}

#[test]
fn a_remembered_chain_whose_list_has_ended_is_refused_where_one_is_demanded() {
    let root = Authority::root("Root");
    let verifier = verifier(&root, 16);
    let holder = root.device(&Device::default());
    assert!(comes_back(&verifier, &holder));
    assert_eq!(seen(&verifier, &holder, LISTS_ENDED), Told::Outdated);
}

#[test]
fn another_chain_of_the_same_holder_is_another_entry() {
    let root = Authority::root("Root");
    let issuing = root.intermediate_with("Issuing", 3);
    let revoked = root.intermediate_with("Issuing", 4);
    let verifier = build(Material {
        roots: &[root.certificate()],
        revocation_lists: &[root.revocation_list(&[4])],
        remembered: 16,
        ..Material::default()
    })
    .unwrap();
    let holder = issuing.device_through(&Device::default(), vec![issuing.certificate()]);
    assert!(comes_back(&verifier, &holder));
    for (row, others, refused) in [
        (
            "with the root",
            vec![issuing.certificate(), root.certificate()],
            false,
        ),
        ("without its authority", Vec::new(), true),
        ("with another authority", vec![revoked.certificate()], true),
    ] {
        let mut other = holder.copy();
        other.chain.truncate(1);
        other.chain.extend(others);
        let (leaf, others) = other.chain.split_first().unwrap();
        let verified = verifier.verify(leaf, others, crate::after(0));
        assert_eq!(verified.is_err(), refused, "row {row}");
        if let Ok(verified) = verified {
            assert!(!is_same(&verifier, &holder, &verified), "row {row}");
        }
    }
}

#[test]
fn a_chain_with_ballast_is_good_and_not_remembered() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let issuing = root.intermediate_with("Issuing", 3);
    let verifier = verifier_without_lists(&root);
    let chain = |others: &[&Authority]| {
        let others = others.iter().map(|one| one.certificate()).collect();
        issuing.device_through(&Device::default(), others)
    };
    for (row, holder, remembered) in [
        ("direct", chain(&[&issuing]), true),
        ("with the root", chain(&[&issuing, &root]), true),
        ("with another root", chain(&[&issuing, &other]), false),
        ("in another order", chain(&[&root, &issuing]), false),
        ("twice", chain(&[&issuing, &issuing]), false),
    ] {
        assert_eq!(comes_back(&verifier, &holder), remembered, "row {row}");
    }
}

fn verifier_without_lists(root: &Authority) -> Verifier {
    build(Material {
        roots: &[root.certificate()],
        remembered: 16,
        ..Material::default()
    })
    .unwrap()
}

#[test]
fn nothing_is_remembered_where_nothing_is_to_be() {
    let root = Authority::root("Root");
    let holder = root.device(&Device::default());
    assert!(!comes_back(&verifier(&root, 0), &holder));
}

#[test]
fn a_reload_remembers_nothing_and_its_lists_count() {
    let root = Authority::root("Root");
    let holder = root.device(&Device::default());
    let before = verifier(&root, 16);
    assert!(comes_back(&before, &holder));
    let first = verify(&before, &holder, 0).unwrap();
    assert!(!is_same(&verifier(&root, 16), &holder, &first));
    let after = build(Material {
        roots: &[root.certificate()],
        revocation_lists: &[root.revocation_list(&[7])],
        remembered: 16,
        ..Material::default()
    })
    .unwrap();
    // Even if a conversation of before were to bring its chain along.
    after.remember(&first);
    assert_eq!(seen(&after, &holder, 0), Told::Revoked);
}

#[test]
fn what_other_roots_vouched_for_is_not_believed() {
    let (root, other) = (Authority::root("Root"), Authority::root("Other"));
    let holder = other.device(&Device::default());
    let (mine, theirs) = (
        verifier_without_lists(&root),
        verifier_without_lists(&other),
    );
    mine.remember(&verify(&theirs, &holder, 0).unwrap());
    let (leaf, others) = holder.chain.split_first().unwrap();
    let refused = mine.verify(leaf, others, crate::after(0)).unwrap_err();
    assert_eq!(refused, rustls::CertificateError::UnknownIssuer.into());
}

#[test]
fn workers_that_verify_and_remember_at_once_all_get_what_is_right() {
    let root = Authority::root("Root");
    let verifier = verifier_without_lists(&root);
    let holders: Vec<_> = (1..=12)
        .map(|serial| {
            root.device(&Device {
                serial,
                ..Device::default()
            })
        })
        .collect();
    std::thread::scope(|scope| {
        for offset in 0..4 {
            let (verifier, holders) = (&verifier, &holders);
            scope.spawn(move || {
                for round in 0..60 {
                    let holder = &holders[(offset * 3 + round) % holders.len()];
                    let chain = verify(verifier, holder, 0).unwrap();
                    verifier.remember(&chain);
                    let expected = format!("{:02x}", (offset * 3 + round) % holders.len() + 1);
                    assert_eq!(chain.certificate().serial, expected);
                }
            });
        }
    });
}
