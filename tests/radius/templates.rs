//! Attributes of the configuration in replies: variables, and values that are hidden.

use md5::Digest;
use md5::Md5;
use portreeve::model::MacAddress;
use portreeve::radius::AttributeType;
use portreeve::radius::Dictionary;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MppeKeys;
use portreeve::radius::Packet;
use portreeve::radius::Prepared;
use portreeve::radius::Reply;
use portreeve::radius::Salt;
use portreeve::radius::Template;
use portreeve::radius::Values;
use portreeve::radius::VendorId;
use portreeve::radius::verify;
use proptest::prelude::*;

use crate::support;

fn prepared(attributes: &[(&str, &str)]) -> Prepared {
    let dictionary = Dictionary::builtin();
    let templates: Vec<_> = attributes
        .iter()
        .map(|(name, value)| Template::new(dictionary, name, value).unwrap())
        .collect();
    Prepared::new(&templates)
}

/// An Access-Accept with these attributes, and the request that it answers.
fn accept(prepared: &Prepared, values: &Values<'_>, with_keys: bool) -> (Vec<u8>, Vec<u8>) {
    let secret = support::shared();
    let request = support::access(&[(AttributeType::USER_NAME, b"alice")]);
    let nas = support::nas();
    let packet = Packet::new_checked(&request).unwrap();
    let verified = verify(packet, &nas).unwrap();
    let mut buffer = [0; MAX_PACKET];
    let mut reply = Reply::access_accept(&mut buffer, verified.origin(), &secret);
    if with_keys {
        reply.mppe_keys(&MppeKeys::from_msk(&[7; 64]), Salt::new(0x1234));
    }
    reply.prepared(prepared, || *values, || Salt::new(0x1234));
    let octets = reply.finish().unwrap().to_vec();
    (request, octets)
}

fn value_of(octets: &[u8], kind: AttributeType) -> Option<Vec<u8>> {
    Packet::new_checked(octets)
        .unwrap()
        .find(kind)
        .map(<[u8]>::to_vec)
}

#[test]
fn variables_bring_what_the_packet_says() {
    let values = Values {
        user: Some("al ice&x=1\u{7}/\u{e9}"),
        mac: Some(MacAddress::new([0, 0x11, 0x22, 0xaa, 0xbb, 0xcc])),
        reason: "DeviceNotCompliant",
        code: 53000,
        verdict: "quarantine",
        nas: "switch-3",
        group: "office",
        ssid: None,
        decision: 0xab12,
    };
    for (value, expected) in [
        ("{user}", "al ice&x=1?/\u{e9}"),
        ("{mac}", "00:11:22:aa:bb:cc"),
        (
            "{reason} {code} {verdict}",
            "DeviceNotCompliant 53000 quarantine",
        ),
        ("{nas}/{group}/{decision}", "switch-3/office/ab12"),
        ("a{{{mac}}", "a{00:11:22:aa:bb:cc}"),
        // In a URL nothing but a value can come of a value.
        (
            "url-redirect=https://help.example/?u={user}&m={mac}",
            "url-redirect=https://help.example/?u=al%20ice%26x%3D1%07%2F%C3%A9&\
             m=00%3A11%3A22%3Aaa%3Abb%3Acc",
        ),
    ] {
        let (_, octets) = accept(&prepared(&[("Filter-Id", value)]), &values, false);
        let found = value_of(&octets, AttributeType::FILTER_ID).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), expected, "row {value}");
    }
    // What has no value is left out where nothing else is in the attribute.
    let (_, octets) = accept(&prepared(&[("Filter-Id", "{ssid}")]), &values, false);
    assert_eq!(value_of(&octets, AttributeType::FILTER_ID), None);
    // Around it stands what always stands there.
    let attributes = [
        ("Class", "a"),
        ("Tunnel-Private-Group-Id:3", "{group}"),
        ("Class", "b"),
    ];
    let (_, octets) = accept(&prepared(&attributes), &values, false);
    let packet = Packet::new_checked(&octets).unwrap();
    let all: Vec<_> = packet
        .attributes()
        .map(|one| (one.kind.0, one.value))
        .collect();
    let (group, rest): (&[u8], _) = (b"\x03office", &all[all.len() - 3..]);
    assert_eq!(rest, [(25, &b"a"[..]), (81, group), (25, b"b")]);
}

#[test]
fn hidden_values_come_back_with_the_secret_rfc2868_3_5() {
    for octets in [1, 14, 15, 16, 31, 200, 239] {
        let password = "p".repeat(octets);
        let prepared = prepared(&[
            ("Tunnel-Password:7", &password),
            ("Aruba-MPSK-Passphrase", "second"),
        ]);
        let (request, accept) = accept(&prepared, &Values::default(), true);
        let packet = Packet::new_checked(&accept).unwrap();
        let value = value_of(&accept, AttributeType(69)).unwrap();
        let (tag, hidden) = value.split_first().unwrap();
        assert_eq!((*tag, reveal(hidden, &request)), (7, password.into_bytes()));
        let other = packet.find_vendor(VendorId(14823), 44).unwrap();
        assert_eq!(reveal(other, &request), b"second");
        // Each hidden value of a packet has a salt of its own, with the top bit.
        let mut salts = vec![hidden[..2].to_vec(), other[..2].to_vec()];
        for key in [16, 17] {
            salts.push(packet.find_vendor(VendorId::MICROSOFT, key).unwrap()[..2].to_vec());
        }
        assert!(salts.iter().all(|salt| salt[0] >= 0x80), "{salts:02x?}");
        salts.sort();
        salts.dedup();
        assert_eq!(salts.len(), 4, "row {octets}");
        let keys = MppeKeys::reveal(
            &packet,
            support::shared().secret(),
            &authenticator(&request),
        );
        assert_eq!(keys.unwrap().send(), &[7; 32]);
    }
}

fn authenticator(request: &[u8]) -> portreeve::radius::RequestAuthenticator {
    Packet::new_checked(request)
        .unwrap()
        .request_authenticator()
}

/// What RFC 2868 section 3.5 says, step by step.
fn reveal(value: &[u8], request: &[u8]) -> Vec<u8> {
    let secret = support::shared();
    let (salt, hidden) = value.split_at(2);
    let mut plain = Vec::new();
    let mut before = [&request[4..20], salt].concat();
    for block in hidden.chunks(16) {
        let mask = Md5::digest([secret.secret().expose(), &before].concat());
        plain.extend(block.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
        before = block.to_vec();
    }
    let length = usize::from(plain[0]);
    assert!(plain[1 + length..].iter().all(|octet| *octet == 0));
    plain[1..=length].to_vec()
}

#[test]
fn configured_attributes_have_no_place_outside_an_accept_rfc2865_5_44() {
    let secret = support::shared();
    let request = support::access(&[(AttributeType::USER_NAME, b"alice")]);
    let nas = support::nas();
    let verified = verify(Packet::new_checked(&request).unwrap(), &nas).unwrap();
    let mut buffer = [0; MAX_PACKET];
    let mut reply = Reply::access_reject(&mut buffer, verified.origin(), &secret);
    let prepared = prepared(&[("Filter-Id", "x")]);
    reply.prepared(&prepared, Values::default, || Salt::new(1));
    assert!(reply.finish().is_err());
}

proptest! {
    /// Whatever people call themselves, an attribute with them in it is one attribute, no longer
    /// than was announced, and its text is what a URL may hold.
    #[test]
    fn no_name_breaks_out_of_its_attribute(user in ".{0,100}", ssid in "\\PC{0,40}") {
        let prepared = prepared(&[
            ("Cisco-AVPair", "url-redirect=https://h.example/?{user}"),
            ("Filter-Id", "{user}-{ssid}"),
        ]);
        let values = Values {
            user: Some(&user),
            ssid: Some(&ssid),
            ..Values::default()
        };
        let (_, octets) = accept(&prepared, &values, false);
        let packet = Packet::new_checked(&octets).unwrap();
        prop_assert_eq!(packet.attributes().count(), 3);
        prop_assert!(octets.len() <= 38 + prepared.size());
        let pair = packet.find_vendor(VendorId::CISCO, 1).unwrap();
        let url = pair.strip_prefix(b"url-redirect=https://h.example/?").unwrap();
        let allowed = |octet: &u8| octet.is_ascii_alphanumeric() || b"-._~%".contains(octet);
        prop_assert!(url.iter().all(allowed));
        let filter = packet.find(AttributeType::FILTER_ID).unwrap();
        let text = std::str::from_utf8(filter);
        prop_assert!(text.is_ok_and(|text| !text.bytes().any(|octet| octet.is_ascii_control())));
    }
}
