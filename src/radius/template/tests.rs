use super::*;
use crate::radius::attribute::Attributes;

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
        ("attribute:241", "x", "is no known attribute"),
        ("attribute:245.26", "x", "is no known attribute"),
        ("Vendor-Specific", "x", "holds other attributes"),
        ("Extended-Attribute-1", "x", "holds other attributes"),
        ("vendor:0:1", "x", "is no known attribute"),
        ("vendor:16777216:1", "x", "is no known attribute"),
        ("vendor:9:0", "x", "is no known attribute"),
        ("vendor:9:256", "x", "is no known attribute"),
        ("vendor:9:1.256", "x", "is no known attribute"),
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
            matches!(error, TemplateError::TooLong { .. }),
            "row {name}: {error}"
        );
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

/// A dictionary with what few vendors have.
fn dictionary() -> Dictionary {
    let mut dictionary = Dictionary::builtin().clone();
    let text = "VENDOR Wide 5555 format=2,2\nVENDOR Bare 5556 format=4,0\n\
                VENDOR Long 5557 format=1,1,c\nVENDOR Plain 5558\n\
                BEGIN-VENDOR Wide\nATTRIBUTE Wide-Text 259 string\nEND-VENDOR Wide\n\
                BEGIN-VENDOR Bare\nATTRIBUTE Bare-Text 0x01020304 string\nEND-VENDOR Bare\n\
                BEGIN-VENDOR Long\nATTRIBUTE Long-Text 7 string\nEND-VENDOR Long\n\
                BEGIN-VENDOR Plain\n\
                ATTRIBUTE Plain-Byte 1 byte\nATTRIBUTE Plain-Short 2 short\n\
                ATTRIBUTE Plain-Big 3 integer64\nATTRIBUTE Plain-Ether 4 ether\n\
                ATTRIBUTE Plain-Date 5 date\nATTRIBUTE Plain-Signed 6 signed\n\
                ATTRIBUTE Plain-Id 7 ifid\nATTRIBUTE Plain-V4 8 ipv4prefix\n\
                ATTRIBUTE Plain-Any 9 combo-ip\nATTRIBUTE Plain-Three 10 octets[3]\n\
                ATTRIBUTE Plain-Salted 11 octets encrypt=2\nATTRIBUTE Plain-Tlv 12 tlv\n\
                ATTRIBUTE Plain-Inner 12.1 tlv\nATTRIBUTE Plain-A 12.1.1 string\n\
                ATTRIBUTE Plain-B 12.1.2 byte\nATTRIBUTE Plain-C 12.3 string\n\
                END-VENDOR Plain\n\
                BEGIN-VENDOR Plain format=Extended-Vendor-Specific-1\n\
                ATTRIBUTE Plain-Evs 5 string\nEND-VENDOR Plain\n\
                BEGIN-VENDOR Plain format=Extended-Vendor-Specific-5\n\
                ATTRIBUTE Plain-Long-Evs 6 string\nEND-VENDOR Plain\n\
                ATTRIBUTE Short-Text 241.200 string\nATTRIBUTE Long-Ext 245.201 octets\n\
                ATTRIBUTE Ext-Tlv 241.202 tlv\nATTRIBUTE Ext-Inner 241.202.1 integer\n\
                ATTRIBUTE Spread 250 octets concat\n";
    let read = dictionary.read("test", &mut |_| Ok(text.to_owned()));
    assert_eq!(read, Ok(()));
    dictionary
}

#[test]
fn every_type_has_its_layout_rfc8044_3() {
    let dictionary = dictionary();
    let plain = |number: u8, value: &[u8]| {
        let inner = u8::try_from(value.len() + 2).unwrap();
        [&[26, inner + 6, 0, 0, 0x15, 0xb6, number, inner], value].concat()
    };
    let rows: [(&str, &str, Vec<u8>); 14] = [
        ("Plain-Byte", "255", plain(1, &[255])),
        ("Plain-Short", "0x102", plain(2, &[1, 2])),
        ("Plain-Big", "18446744073709551615", plain(3, &[255; 8])),
        (
            "Plain-Ether",
            "00-11-22-AA-BB-CC",
            plain(4, &[0, 0x11, 0x22, 0xaa, 0xbb, 0xcc]),
        ),
        (
            "Plain-Date",
            "1970-01-01T00:01:00Z",
            plain(5, &[0, 0, 0, 60]),
        ),
        ("Plain-Date", "60", plain(5, &[0, 0, 0, 60])),
        ("Plain-Signed", "-2", plain(6, &[255, 255, 255, 254])),
        (
            "Plain-Id",
            "211:22ff:fe33:4455",
            plain(7, &[2, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]),
        ),
        ("Plain-V4", "192.0.2.9/24", plain(8, &[0, 24, 192, 0, 2, 0])),
        ("Plain-Any", "192.0.2.9", plain(9, &[192, 0, 2, 9])),
        (
            "Plain-Any",
            "::1",
            plain(9, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ),
        ("Plain-Three", "0x010203", plain(10, &[1, 2, 3])),
        ("Plain-A", "hi", plain(12, &[1, 6, 1, 4, b'h', b'i'])),
        ("vendor:5558:12.9", "hi", plain(12, &[9, 4, b'h', b'i'])),
    ];
    for (name, value, octets) in rows {
        let template = Template::new(&dictionary, name, value).expect(name);
        assert_eq!(template.octets(), octets, "row {name} = {value}");
    }
    for (name, value) in [
        ("Plain-Byte", "256"),
        ("Plain-Short", "65536"),
        ("Plain-Big", "18446744073709551616"),
        ("Plain-Ether", "00-11-22-AA-BB"),
        ("Plain-Date", "yesterday"),
        ("Plain-Signed", "2147483648"),
        ("Plain-Signed", "-2147483649"),
        ("Plain-Id", "211:22ff:fe33"),
        ("Plain-Id", "211:22ff:fe33:44555"),
        ("Plain-V4", "192.0.2.9/33"),
        ("Plain-Any", "192.0.2"),
        ("Plain-Three", "0x0102"),
    ] {
        let error = Template::new(&dictionary, name, value).expect_err(name);
        let wrong = matches!(error, TemplateError::Value { .. });
        assert!(wrong, "row {name} = {value}: {error}");
    }
}

#[test]
fn vendors_with_other_headers_get_theirs() {
    let dictionary = dictionary();
    let rows: [(&str, &[u8]); 5] = [
        ("Wide-Text", b"\x1a\x0c\x00\x00\x15\xb3\x01\x03\x00\x06hi"),
        ("Bare-Text", b"\x1a\x0c\x00\x00\x15\xb4\x01\x02\x03\x04hi"),
        ("Long-Text", b"\x1a\x0b\x00\x00\x15\xb5\x07\x05\x00hi"),
        ("Plain-Evs", b"\xf1\x0a\x1a\x00\x00\x15\xb6\x05hi"),
        ("Plain-Long-Evs", b"\xf5\x0b\x1a\x00\x00\x00\x15\xb6\x06hi"),
    ];
    for (name, octets) in rows {
        let template = Template::new(&dictionary, name, "hi").expect(name);
        assert_eq!(template.octets(), octets, "row {name}");
    }
}

#[test]
fn extended_attributes_go_on_in_the_next_one_rfc6929_2_2() {
    let dictionary = dictionary();
    let template = |name: &str, octets: usize| {
        let value = format!("0x{}", "ab".repeat(octets));
        Template::new(&dictionary, name, &value)
    };
    // One attribute holds 251 octets, and all but the last say that more follows.
    for (octets, lengths) in [
        (1, vec![(5, 0)]),
        (251, vec![(255, 0)]),
        (252, vec![(255, 0x80), (5, 0)]),
        (600, vec![(255, 0x80), (255, 0x80), (102, 0)]),
    ] {
        let template = template("Long-Ext", octets).unwrap();
        let mut rest = template.octets();
        let mut value = 0;
        for (length, flags) in lengths {
            assert_eq!(rest[..4], [245, length, 201, flags], "row {octets}");
            let (one, after) = rest.split_at(usize::from(length));
            assert!(one[4..].iter().all(|octet| *octet == 0xab), "row {octets}");
            value += one.len() - 4;
            rest = after;
        }
        assert_eq!((rest.len(), value), (0, octets), "row {octets}");
    }
    let short = "x".repeat(252);
    let template = Template::new(&dictionary, "Short-Text", &short).unwrap();
    assert_eq!(template.octets()[..3], [241, 255, 200]);
    let error = Template::new(&dictionary, "Short-Text", &(short + "x")).unwrap_err();
    assert!(
        matches!(error, TemplateError::TooLong { limit: 252, .. }),
        "{error}"
    );
    let inner = Template::new(&dictionary, "Ext-Inner", "1").unwrap();
    assert_eq!(inner.octets(), [241, 9, 202, 1, 6, 0, 0, 0, 1]);
}

#[test]
fn what_is_concatenated_stands_in_as_many_attributes_as_it_needs() {
    let dictionary = dictionary();
    let value = format!("0x{}", "cd".repeat(600));
    let template = Template::new(&dictionary, "Spread", &value).unwrap();
    let lengths: Vec<_> = Attributes::new(template.octets())
        .map(|one| (one.kind.0, one.value.len()))
        .collect();
    assert_eq!(lengths, [(250, 253), (250, 253), (250, 94)]);
    let value = format!("0x{}", "cd".repeat(2049));
    let error = Template::new(&dictionary, "Spread", &value).unwrap_err();
    assert!(
        matches!(error, TemplateError::TooLong { limit: 2048, .. }),
        "{error}"
    );

    // WiMAX's way: each piece says whether another follows.
    let value = "x".repeat(300);
    let template = Template::new(&dictionary, "Long-Text", &value).unwrap();
    let pieces: Vec<_> = Attributes::new(template.octets())
        .map(|one| (one.value[4..7].to_vec(), one.value.len() - 7))
        .collect();
    assert_eq!(pieces, [(vec![7, 249, 0x80], 246), (vec![7, 57, 0], 54)]);
}

#[test]
fn neighbours_in_one_tlv_are_written_as_one() {
    let dictionary = dictionary();
    let template = |name: &str, value: &str| Template::new(&dictionary, name, value).unwrap();
    let all = [
        template("Plain-A", "hi"),
        template("Plain-B", "7"),
        template("Plain-C", "c"),
        template("Plain-C", "d"),
        template("Filter-Id", "f"),
    ];
    let prepared = Prepared::new(&all);
    let expected: &[u8] = b"\x1a\x11\x00\x00\x15\xb6\x0c\x0b\x01\x09\x01\x04hi\x02\x03\x07\
                            \x1a\x0e\x00\x00\x15\xb6\x0c\x08\x03\x03c\x03\x03d\
                            \x0b\x03f";
    assert_eq!(prepared.octets(), Some(expected));
    assert!(prepared.size() >= expected.len());
    // Two that do not fit into one attribute stay two.
    let long = [
        template("Plain-C", &"x".repeat(150)),
        template("Plain-C", &"y".repeat(150)),
    ];
    let prepared = Prepared::new(&long);
    assert_eq!(Attributes::new(prepared.octets().unwrap()).count(), 2);
}

#[test]
fn variables_are_known_by_name_and_bounded() {
    let dictionary = Dictionary::builtin();
    for (name, value, said) in [
        (
            "Filter-Id",
            "{who}",
            "{who} is no variable, known are user, mac, reason,",
        ),
        ("Filter-Id", "{mac", "{mac is no"),
        ("Filter-Id", "a{}", "{} is no variable"),
        (
            "Cisco-AVPair",
            "url-redirect=https://help.example.org/enrol/where/the/way/is/rather/long/and/windy/and/never/ending/so/that/nobody/ever/arrives/and/more/and/more?u={user}&m={mac}",
            "octets, at most 247",
        ),
        ("Session-Timeout", "{code}", "a number from 0"),
    ] {
        let error = Template::new(dictionary, name, value)
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "row {name} = {value}: {error}");
    }
    // A brace that is none of a variable.
    let plain = Template::new(dictionary, "Filter-Id", "a{{b}").unwrap();
    assert_eq!(plain.octets(), b"\x0b\x06a{b}");
    // What is configured without variables never had any.
    assert_eq!(
        Template::parse("Filter-Id", "{mac}").unwrap().octets(),
        b"\x0b\x07{mac}"
    );
}

#[test]
fn hidden_values_end_at_what_one_attribute_holds_rfc2868_3_5() {
    let dictionary = dictionary();
    for (name, most) in [("Tunnel-Password:1", 239), ("Plain-Salted", 239)] {
        let longest = Template::new(&dictionary, name, &"x".repeat(most)).expect(name);
        assert!(longest.size() <= 255, "row {name}");
        let error = Template::new(&dictionary, name, &"x".repeat(most + 1)).expect_err(name);
        let right = matches!(error, TemplateError::TooLong { limit, .. } if limit == most);
        assert!(right, "row {name}: {error}");
    }
}
