//! Whose connection it is, by the certificate it shows (RFC 6614 sections 2.3 and 3.4).

use std::net::IpAddr;

use portreeve::model::CertificateIdentity;
use portreeve::radius::PeerConfig;
use portreeve::radius::PeerName;
use portreeve::radius::PeerTable;
use portreeve::radius::Stranger;
use portreeve::radius::Transport;
use rcgen::CertificateParams;
use rcgen::DnType;
use rcgen::KeyPair;

use crate::support::config;

fn certificate(common: &str, names: &[&str]) -> CertificateIdentity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    let signed = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    CertificateIdentity::parse(signed.der()).unwrap()
}

fn peer(name: &str, names: &[&str]) -> PeerConfig {
    PeerConfig {
        nas: config(name, "0.0.0.0/32"),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        fingerprints: Vec::new(),
        networks: Vec::new(),
    }
}

const SOMEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

#[test]
fn names_are_compared_whole_and_without_case_rfc6614_2_3() {
    let table = PeerTable::new(vec![
        peer("core", &["core.example.org"]),
        peer("aps", &["*.aps.example.org"]),
        peer("ap-1", &["ap-1.aps.example.org"]),
    ])
    .unwrap();
    for (common, names, found) in [
        ("x", &["core.example.org"][..], Ok("core")),
        ("x", &["CORE.Example.ORG"], Ok("core")),
        ("x", &["ap-2.aps.example.org"], Ok("aps")),
        ("x", &["ap-1.aps.example.org"], Ok("ap-1")),
        ("x", &["a.b.aps.example.org"], Err(Stranger::Unknown)),
        ("x", &["aps.example.org"], Err(Stranger::Unknown)),
        ("x", &["core.example.org.evil.test"], Err(Stranger::Unknown)),
        // The authority's wildcard is no key to every door.
        ("x", &["*.example.org"], Err(Stranger::Unknown)),
        // The common name counts only where there is nothing better (RFC 6125 section 6.4.4).
        ("core.example.org", &[], Ok("core")),
        ("core.example.org", &["other.test"], Err(Stranger::Unknown)),
        // Two NASes in one certificate are none.
        (
            "x",
            &["core.example.org", "ap-1.aps.example.org"],
            Err(Stranger::Several),
        ),
    ] {
        let shown = certificate(common, names);
        let nas = table.find(&shown, SOMEWHERE);
        let row = format!("row {common} {names:?}");
        assert_eq!(nas.map(|nas| nas.name()), found, "{row}");
        if let Ok(nas) = nas {
            assert_eq!(nas.transport(), Transport::Tls);
        }
    }
}

#[test]
fn a_fingerprint_goes_before_names_and_networks_bind_both() {
    let shown = certificate("x", &["core.example.org"]);
    let mut pinned = peer("pinned", &[]);
    pinned.fingerprints = vec![shown.fingerprint.to_string().parse().unwrap()];
    pinned.networks = vec!["192.0.2.0/24".parse().unwrap()];
    let table = PeerTable::new(vec![peer("core", &["core.example.org"]), pinned]).unwrap();
    assert_eq!(table.find(&shown, SOMEWHERE).unwrap().name(), "pinned");
    let mapped = "::ffff:192.0.2.7".parse().unwrap();
    assert_eq!(table.find(&shown, mapped).unwrap().name(), "pinned");
    let elsewhere = "198.51.100.7".parse().unwrap();
    assert_eq!(
        table.find(&shown, elsewhere).err(),
        Some(Stranger::Elsewhere)
    );
}

#[test]
fn two_entries_for_one_certificate_are_refused() {
    let shown = certificate("x", &["core.example.org"]);
    let mut first = peer("first", &["core.example.org"]);
    first.fingerprints = vec![shown.fingerprint];
    let mut second = peer("second", &["Core.example.org"]);
    second.fingerprints = vec![shown.fingerprint];
    let errors = PeerTable::new(vec![first, second]).unwrap_err();
    let what: Vec<String> = errors.iter().map(|error| error.what.clone()).collect();
    let print = shown.fingerprint.to_string();
    assert_eq!(what, ["core.example.org", print.as_str()]);
}

#[test]
fn names_table() {
    for (text, good) in [
        ("ap-1.example.org", true),
        ("*.example.org", true),
        ("host", true),
        ("", false),
        ("*", false),
        ("*.org", false),
        ("*.*.example.org", false),
        ("a*.example.org", false),
        (".example.org", false),
        ("example.org.", false),
        ("ap 1.example.org", false),
    ] {
        assert_eq!(text.parse::<PeerName>().is_ok(), good, "row {text:?}");
    }
}
