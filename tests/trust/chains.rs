//! Chains by themselves: what is read of them, and keys that are misused.

use portreeve::trust::KeyMisused;
use portreeve::trust::Material;
use rustls::pki_types::CertificateDer;

use crate::Told;
use crate::build;
use crate::pki::Authority;
use crate::pki::Device;
use crate::seen;
use crate::verify;

#[test]
fn keys_are_used_for_what_their_certificates_state_rfc5280_4_2_1_3() {
    let root = Authority::root("Root");
    let issuing = root.intermediate("Issuing", 0);
    let below = |device: &Device, chain: Vec<CertificateDer<'static>>| {
        issuing.device_through(device, chain)
    };
    let enciphers = Device {
        enciphers: true,
        ..Device::default()
    };
    let good = Device::default();
    let silent = root.without_key_cert_sign(&issuing, "Issuing");
    let verifier = build(Material {
        roots: &[root.certificate()],
        ..Material::default()
    })
    .unwrap();
    for (row, holder, expected) in [
        (
            "good",
            below(&good, vec![issuing.certificate()]),
            Told::Good,
        ),
        (
            "the device's key is for something else",
            below(&enciphers, vec![issuing.certificate()]),
            Told::Misused(KeyMisused::Signing),
        ),
        (
            "the authority's key is",
            below(&good, vec![silent.clone()]),
            Told::Misused(KeyMisused::Issuing),
        ),
        (
            "that of a certificate beside the path is",
            below(&good, vec![issuing.certificate(), silent]),
            Told::Misused(KeyMisused::Issuing),
        ),
    ] {
        assert_eq!(seen(&verifier, &holder, 0), expected, "row {row}");
    }
}

#[test]
fn a_chain_knows_whose_it_is() {
    let root = Authority::root("Root");
    let verifier = build(Material {
        roots: &[root.certificate()],
        ..Material::default()
    })
    .unwrap();
    let chain = verify(&verifier, &root.device(&Device::default()), 0).unwrap();
    assert_eq!(chain.certificate().common_name.as_deref(), Some("phone"));
    assert_eq!(chain.certificate().serial, "07");
}
