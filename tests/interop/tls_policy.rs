//! TLS per group of NASes with wpa_supplicant: versions, and the 192-bit mode of WPA3-Enterprise.

use std::fs;
use std::path::Path;

use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::PKCS_ECDSA_P384_SHA384;
use rcgen::PKCS_RSA_SHA384;
use rcgen::RsaKeySize;
use rcgen::SanType;

use crate::certificate::sample;
use crate::eapol_test::Login;
use crate::eapol_test::Outcome;
use crate::eapol_test::Tunnel;
use crate::eapol_test::run;
use crate::eapol_test::run_network;
use crate::eapol_test::run_tunnel;
use crate::gateway::Gateway;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    P256,
    P384,
    Rsa2048,
    Rsa3072,
}

fn key(kind: Kind) -> KeyPair {
    let pair = match kind {
        Kind::P256 => KeyPair::generate(),
        Kind::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        Kind::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA384, RsaKeySize::_2048),
        Kind::Rsa3072 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA384, RsaKeySize::_3072),
    };
    pair.unwrap()
}

/// An authority, and the certificates of a gateway and of devices with all kinds of keys.
fn pki(folder: &Path, kind: Kind) {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "Strong Root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = CertifiedIssuer::self_signed(params, key(kind)).unwrap();
    fs::write(folder.join("strong.pem"), root.pem()).unwrap();
    let issue = |name: &str, kind: Kind, usage: ExtendedKeyUsagePurpose| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let device = "IntuneDeviceId://5d1c8a40-6f2e-4b7a-9c31-000000000001";
        params
            .subject_alt_names
            .push(SanType::URI(device.try_into().unwrap()));
        let key = key(kind);
        let certificate = params.signed_by(&key, &root).unwrap();
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    };
    issue("strong-radius", kind, ExtendedKeyUsagePurpose::ServerAuth);
    for (name, kind) in [
        ("p384", Kind::P384),
        ("p256", Kind::P256),
        ("rsa3072", Kind::Rsa3072),
        ("rsa2048", Kind::Rsa2048),
    ] {
        issue(name, kind, ExtendedKeyUsagePurpose::ClientAuth);
    }
}

fn strong_gateway(kind: Kind) -> Gateway {
    Gateway::start(|conf| {
        let folder = conf.path("..");
        pki(&folder, kind);
        conf.replace(
            "gateway.toml",
            "client_ca = [\"certs/root.pem\"]\n# The oldest TLS",
            "client_ca = [\"certs/root.pem\", \"strong.pem\"]\n# The oldest TLS",
        );
        conf.append(
            "gateway.toml",
            "\n[eap.group.default]\nprofile = \"suiteb192\"\ncertificate = \"strong-radius.pem\"\n\
             key = \"strong-radius.key\"\n",
        );
    })
}

/// A login that speaks the 192-bit mode, or whatever `more` says.
fn strong_login(gateway: &Gateway, device: &str, more: &str) -> Outcome {
    let network = format!(
        "network={{\nkey_mgmt=IEEE8021X\neap=TLS\nidentity=\"alice@example.com\"\n\
         ca_cert=\"{}\"\nclient_cert=\"{}\"\nprivate_key=\"{}\"\n{more}\n}}\n",
        gateway.path("strong.pem").display(),
        gateway.path(&format!("{device}.pem")).display(),
        gateway.path(&format!("{device}.key")).display(),
    );
    run_network(gateway, &network)
}

const ECC: &str = "openssl_ciphers=\"SUITEB192\"\nphase1=\"tls_suiteb=1\"";
const RSA: &str = "phase1=\"tls_suiteb=1\"";
const TLS_13: &str = "phase1=\"tls_disable_tlsv1_3=0\"";
const TLS_12: &str = "phase1=\"tls_disable_tlsv1_3=1\"";

#[test]
fn the_192_bit_mode_lets_in_strong_devices_with_its_suites() {
    for (kind, device, modes) in [
        (Kind::P384, "p384", [ECC, TLS_13, TLS_12]),
        (Kind::Rsa3072, "rsa3072", [RSA, TLS_13, TLS_12]),
    ] {
        let gateway = strong_gateway(kind);
        for more in modes {
            let outcome = strong_login(&gateway, device, more);
            let row = format!("row {kind:?} {more}");
            assert!(outcome.success(), "{row}:\n{}", outcome.output);
            assert_eq!(outcome.keys(), (1, 0), "{row}");
            let suites = [
                "ECDHE-ECDSA-AES256-GCM-SHA384",
                "ECDHE-RSA-AES256-GCM-SHA384",
                "TLS_AES_256_GCM_SHA384",
            ];
            assert!(
                suites.iter().any(|suite| outcome.says(suite)) || !outcome.says("SSL: cipher"),
                "{row}"
            );
        }
    }
}

#[test]
fn the_192_bit_mode_refuses_weak_devices_and_says_why() {
    let gateway = strong_gateway(Kind::P384);
    for device in ["p256", "rsa2048"] {
        for more in [TLS_12, TLS_13] {
            let outcome = strong_login(&gateway, device, more);
            assert!(
                !outcome.success(),
                "row {device} {more}:\n{}",
                outcome.output
            );
        }
    }
    let reasons = crate::gateway::until("the refusals are in the journal", || {
        let journal = gateway.journal();
        (journal
            .lines()
            .filter(|line| line.contains("\"reject\""))
            .count()
            >= 4)
            .then_some(journal)
    });
    assert!(
        reasons.contains("RSA of 2048 bits, and the 192-bit mode takes P-384 or RSA of 3072"),
        "{reasons}"
    );
}

#[test]
fn a_group_may_have_other_versions_for_each_kind_of_method_rfc8996() {
    let gateway = Gateway::start(|conf| {
        conf.append(
            "gateway.toml",
            "\n[eap.group.default]\ntls_min = \"1.3\"\ntunnel_tls_min = \"1.2\"\ntunnel_tls_max = \"1.2\"\n",
        );
    });
    let files = sample(&gateway, "alice-phone");
    for (tls13, gets_in) in [(true, true), (false, false)] {
        let outcome = run(
            &gateway,
            &Login {
                tls13,
                ..Login::new("alice@example.com", &files)
            },
        );
        assert_eq!(
            outcome.success(),
            gets_in,
            "row {tls13}:\n{}",
            outcome.output
        );
        if !gets_in {
            assert!(outcome.says("protocol version"), "{}", outcome.output);
        }
    }
    let tunnel = Tunnel {
        tls13: true,
        ..Tunnel::new("TTLS", "auth=PAP", ("alice@example.com", "wrong"))
    };
    let outcome = run_tunnel(&gateway, &tunnel);
    assert!(
        outcome.says("Using TLS version TLSv1.2"),
        "{}",
        outcome.output
    );
}
