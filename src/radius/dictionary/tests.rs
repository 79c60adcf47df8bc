use super::*;

#[test]
fn names_become_octets() {
    // (name, value, octets of the whole attribute)
    let rows: [(&str, &str, &[u8]); 20] = [
        ("Filter-Id", "guest", b"\x0b\x07guest"),
        ("filter-id", "guest", b"\x0b\x07guest"),
        ("Session-Timeout", "3600", b"\x1b\x06\x00\x00\x0e\x10"),
        ("Session-Timeout", "0xe10", b"\x1b\x06\x00\x00\x0e\x10"),
        (
            "Termination-Action",
            "RADIUS-Request",
            b"\x1d\x06\x00\x00\x00\x01",
        ),
        ("Service-Type", "framed", b"\x06\x06\x00\x00\x00\x02"),
        (
            "Framed-IP-Address",
            "192.0.2.1",
            b"\x08\x06\xc0\x00\x02\x01",
        ),
        (
            "Framed-IPv6-Prefix",
            "2001:db8::1/64",
            b"\x61\x14\x00\x40\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        ),
        ("Class", "0x00ff", b"\x19\x04\x00\xff"),
        ("Class", "text", b"\x19\x06text"),
        ("Tunnel-Type", "VLAN", b"\x40\x06\x00\x00\x00\x0d"),
        ("Tunnel-Type:1", "13", b"\x40\x06\x01\x00\x00\x0d"),
        (
            "Tunnel-Medium-Type:1",
            "IEEE-802",
            b"\x41\x06\x01\x00\x00\x06",
        ),
        ("Tunnel-Private-Group-Id", "20", b"\x51\x0420"),
        ("Tunnel-Private-Group-Id:1", "20", b"\x51\x05\x0120"),
        (
            "Cisco-AVPair",
            "a=b",
            b"\x1a\x0b\x00\x00\x00\x09\x01\x05a=b",
        ),
        (
            "Aruba-User-Vlan",
            "20",
            b"\x1a\x0c\x00\x00\x39\xe7\x02\x06\x00\x00\x00\x14",
        ),
        (
            "Airespace-Interface-Name",
            "q",
            b"\x1a\x09\x00\x00\x37\x63\x05\x03q",
        ),
        ("vendor:9:1", "a=b", b"\x1a\x0b\x00\x00\x00\x09\x01\x05a=b"),
        ("attribute:11", "0x71", b"\x0b\x03q"),
    ];
    for (name, value, octets) in rows {
        let template = Template::parse(name, value).expect(name);
        assert_eq!(template.octets(), octets, "row {name} = {value}");
        assert_eq!(usize::from(octets[1]), octets.len(), "row {name} = {value}");
    }
}

#[test]
fn what_is_wrong_is_said_with_what_was_expected() {
    let rows = [
        ("Filter-ID-", "x", "is no known attribute"),
        ("vendor:9", "x", "is no known attribute"),
        ("vendor:0:1", "x", "is no known attribute"),
        ("vendor:16777216:1", "x", "is no known attribute"),
        ("vendor:9:0", "x", "is no known attribute"),
        ("vendor:9:256", "x", "is no known attribute"),
        ("vendor:9:1:1", "x", "is no known attribute"),
        ("attribute:0", "x", "is no known attribute"),
        ("attribute:26", "x", "is no known attribute"),
        (
            "attribute:80",
            "x",
            "Message-Authenticator is set by the gateway",
        ),
        (
            "vendor:311:16",
            "x",
            "MS-MPPE-Send-Key is set by the gateway",
        ),
        ("State", "x", "State is set by the gateway"),
        ("NAS-Port", "1", "NAS-Port is sent by network devices"),
        ("Filter-Id:1", "x", "expected no tag"),
        ("Tunnel-Type:32", "VLAN", "a tag from 0 to 31"),
        ("Tunnel-Type:", "VLAN", "a tag from 0 to 31"),
        (
            "Tunnel-Type",
            "16777216",
            "from 0 to 16777215, or one of PPTP",
        ),
        (
            "Session-Timeout",
            "1 h",
            "a number from 0 to 4294967295, found \"1 h\"",
        ),
        ("Session-Timeout", "-1", "a number from 0"),
        ("Session-Timeout", "+1", "a number from 0"),
        ("Session-Timeout", "4294967296", "a number from 0"),
        ("Session-Timeout", "0x", "a number from 0"),
        ("Session-Timeout", "", "a number from 0"),
        ("Framed-IP-Address", "192.0.2", "an IPv4 address"),
        ("Framed-IPv6-Prefix", "2001:db8::", "an IPv6 prefix"),
        ("Class", "0xabc", "an even count"),
        ("Class", "0xzz", "an even count"),
        ("Class", "0x", "text, or 0x"),
        ("Filter-Id", "", "text of at least one octet"),
        (
            "Tunnel-Private-Group-Id:1",
            "",
            "text of at least one octet",
        ),
    ];
    for (name, value, said) in rows {
        let error = Template::parse(name, value).expect_err(name).to_string();
        assert!(error.contains(said), "row {name} = {value}: {error}");
    }
}

#[test]
fn values_end_at_what_one_attribute_holds() {
    // (name, octets that fit)
    for (name, most) in [
        ("Filter-Id", 253),
        ("Cisco-AVPair", 247),
        ("Tunnel-Private-Group-Id:1", 252),
    ] {
        let longest = Template::parse(name, &"x".repeat(most)).expect(name);
        assert_eq!(longest.octets().len(), 255, "row {name}");
        let error = Template::parse(name, &"x".repeat(most + 1)).expect_err(name);
        assert!(
            matches!(error, DictionaryError::TooLong { .. }),
            "row {name}: {error}"
        );
    }
}

#[test]
fn the_table_names_each_attribute_once() {
    for (place, entry) in table::ENTRIES.iter().enumerate() {
        for other in &table::ENTRIES[place + 1..] {
            assert!(
                !entry.name.eq_ignore_ascii_case(other.name),
                "row {}",
                entry.name
            );
            assert!(
                entry.vendor != other.vendor || entry.number != other.number,
                "row {} and {}",
                entry.name,
                other.name
            );
        }
    }
}

#[test]
fn debug_does_not_print_the_value() {
    let template = Template::parse("Filter-Id", "hunter2").unwrap();
    assert_eq!(format!("{template:?}"), "Template(Filter-Id, 9 octets)");
}

#[test]
fn templates_know_the_replies_they_may_stand_in() {
    let rows = [
        ("Filter-Id", "x", [true, false, false]),
        ("Reply-Message", "x", [true, true, true]),
        ("Session-Timeout", "1", [true, false, true]),
        ("Cisco-AVPair", "x", [true, false, true]),
    ];
    let codes = [
        Code::AccessAccept,
        Code::AccessReject,
        Code::AccessChallenge,
    ];
    for (name, value, expected) in rows {
        let template = Template::parse(name, value).unwrap();
        let allowed = codes.map(|code| template.is_allowed_in(code));
        assert_eq!(allowed, expected, "row {name}");
    }
}
