//! Which device an address belongs to.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::IpNet;
use portreeve::model::Secret;
use portreeve::radius::NasError;
use portreeve::radius::NasTable;
use proptest::prelude::*;

use crate::support;

#[test]
fn the_longest_prefix_wins() {
    let table = table(&[
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.0.0/24",
        "10.1.0.255/32",
        "10.255.255.255/32",
        "2001:db8::/32",
        "2001:db8:1::/48",
        "::ffff:192.0.2.0/120",
        "255.255.255.255/32",
    ]);
    let rows = [
        ("9.255.255.255", None),
        ("10.0.0.0", Some("10.0.0.0/8")),
        ("10.1.0.0", Some("10.1.0.0/24")),
        ("10.1.0.254", Some("10.1.0.0/24")),
        ("10.1.0.255", Some("10.1.0.255/32")),
        ("10.1.1.0", Some("10.1.0.0/16")),
        ("10.1.255.255", Some("10.1.0.0/16")),
        ("10.2.0.0", Some("10.0.0.0/8")),
        ("10.255.255.254", Some("10.0.0.0/8")),
        ("10.255.255.255", Some("10.255.255.255/32")),
        ("11.0.0.0", None),
        ("::ffff:10.1.0.1", Some("10.1.0.0/24")),
        ("192.0.2.7", Some("192.0.2.0/24")),
        ("::ffff:192.0.2.7", Some("192.0.2.0/24")),
        ("255.255.255.254", None),
        ("255.255.255.255", Some("255.255.255.255/32")),
        ("2001:db8::1", Some("2001:db8::/32")),
        ("2001:db8:1::1", Some("2001:db8:1::/48")),
        ("2001:db9::", None),
        ("::", None),
    ];
    for (address, network) in rows {
        let found = table.find(address.parse().unwrap());
        let found = found.map(|nas| nas.network().to_string());
        assert_eq!(found.as_deref(), network, "row {address}");
    }
}

#[test]
fn an_empty_table_knows_nobody_rfc2865_3() {
    let table = NasTable::default();
    assert!(table.is_empty());
    for address in ["127.0.0.1", "::1", "0.0.0.0", "255.255.255.255"] {
        assert!(table.find(address.parse().unwrap()).is_none());
    }
}

#[test]
fn a_prefix_of_everything_stays_in_its_family() {
    let table = table(&["::/0"]);
    assert!(table.find(IpAddr::V6(Ipv6Addr::LOCALHOST)).is_some());
    assert!(table.find(IpAddr::V6(Ipv6Addr::from([0xff; 16]))).is_some());
    assert!(table.find(IpAddr::V4(Ipv4Addr::LOCALHOST)).is_none());
    assert!(table.find("::ffff:127.0.0.1".parse().unwrap()).is_none());
}

#[test]
fn entries_that_cannot_be_used_are_all_named() {
    let mut empty = support::config("empty", "192.0.2.9/32");
    empty.secret = Secret::new(Vec::new());
    let errors = NasTable::new(vec![
        support::config("a", "192.0.2.0/24"),
        empty,
        support::config("b", "192.0.2.77/24"),
        support::config("c", "::ffff:192.0.2.0/120"),
    ])
    .expect_err("three are unusable");
    let network: IpNet = "192.0.2.0/24".parse().unwrap();
    let same = |name: &str| NasError::SameNetwork {
        name: name.into(),
        first: "a".into(),
        network,
    };
    let name = "empty".into();
    assert_eq!(
        errors,
        [NasError::EmptySecret { name }, same("b"), same("c")]
    );
}

#[test]
fn fifty_thousand_devices_are_each_found() {
    let address = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + 2 * n);
    let configs = (0..50_000).map(|n| support::config("n", &format!("{}/32", address(n))));
    let table = NasTable::new(configs.collect()).unwrap();
    assert_eq!(table.len(), 50_000);
    for n in 0..50_000 {
        let found = table.find(address(n).into()).unwrap();
        assert_eq!(found.network().addr(), IpAddr::V4(address(n)));
        let beside = Ipv4Addr::from_bits(address(n).to_bits() + 1);
        assert!(table.find(beside.into()).is_none(), "row {beside}");
    }
}

proptest! {
    /// Few distinct bits make prefixes nest, touch and share ends all the time.
    #[test]
    fn finds_what_a_walk_over_all_prefixes_finds(
        prefixes in proptest::collection::btree_map((0..64_u32, 26..=32_u8), Just(()), 0..40),
        top in any::<bool>(),
    ) {
        let base = if top { 0xffff_ffc0 } else { 0 };
        let mut networks: Vec<IpNet> = prefixes
            .into_keys()
            .map(|(low, length)| {
                let address = Ipv4Addr::from_bits(base | low);
                IpNet::new(address.into(), length).unwrap().trunc()
            })
            .collect();
        networks.sort();
        networks.dedup();
        let configs = networks.iter().map(|network| support::config("n", &network.to_string()));
        let table = NasTable::new(configs.collect()).unwrap();
        for low in 0..64 {
            let address = IpAddr::V4(Ipv4Addr::from_bits(base | low));
            let expected = networks
                .iter()
                .filter(|network| network.contains(&address))
                .max_by_key(|network| network.prefix_len())
                .copied();
            let found = table.find(address).map(|nas| nas.network());
            prop_assert_eq!(found, expected, "address {}", address);
        }
    }
}

fn table(networks: &[&str]) -> NasTable {
    let configs = networks
        .iter()
        .map(|network| support::config(network, network));
    NasTable::new(configs.collect()).unwrap()
}

#[test]
fn fifty_thousand_networks_of_both_families_are_told_apart() {
    // A /16 with half its /30s, and a /32 of IPv6 with /56s, every other of them set.
    let v4 =
        (0..25_000_u32).map(|n| format!("10.{}.{}.{}/31", n >> 14, n >> 6 & 255, (n & 63) << 2));
    let v6 = (0..25_000_u32).map(|n| format!("2001:db8:{:x}:{:x}00::/56", n >> 7, (n & 127) << 1));
    let wide = ["10.0.0.0/8".to_owned(), "2001:db8::/32".to_owned()];
    let all: Vec<String> = v4.chain(v6).chain(wide).collect();
    let networks: Vec<&str> = all.iter().map(String::as_str).collect();
    let table = table(&networks);
    assert_eq!(table.len(), 50_002);
    for n in (0..25_000_u32).step_by(97) {
        let found = |address: String| {
            let nas = table
                .find(address.parse().unwrap())
                .expect("in a wide one at least");
            nas.network().to_string()
        };
        let (a, b, c) = (n >> 14, n >> 6 & 255, (n & 63) << 2);
        assert_eq!(
            found(format!("10.{a}.{b}.{}", c + 1)),
            format!("10.{a}.{b}.{c}/31")
        );
        assert_eq!(found(format!("10.{a}.{b}.{}", c + 2)), "10.0.0.0/8");
        let (d, e) = (n >> 7, (n & 127) << 1);
        let own: IpNet = format!("2001:db8:{d:x}:{e:x}00::/56").parse().unwrap();
        assert_eq!(found(format!("2001:db8:{d:x}:{e:x}ff::9")), own.to_string());
        assert_eq!(
            found(format!("2001:db8:{d:x}:{:x}ff::9", e + 1)),
            "2001:db8::/32"
        );
    }
    assert!(table.find("11.0.0.1".parse().unwrap()).is_none());
}
