#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

use proptest::prelude::*;

use percent_encoding::utf8_percent_encode;

use super::*;

const V14_1: Stated<'static> = Stated {
    version: Some("14.1"),
    policy_key: None,
    accept_multipart: None,
};

fn plain(query: &str) -> Result<Request, Malformed> {
    Request::parse(query.as_bytes(), V14_1)
}

fn packed(octets: &[u8]) -> Result<Request, Malformed> {
    Request::parse(STANDARD.encode(octets).as_bytes(), Stated::default())
}

/// Version 14.0, Sync, German, DeviceId `abc`, no key, DeviceType `tel`.
const PACKED: [u8; 13] = *b"\x8c\x00\x07\x04\x03abc\x00\x03tel";

#[test]
fn parameters_are_found_by_name_in_any_order() {
    let expected = plain("Cmd=Sync&User=alice&DeviceId=abc&DeviceType=tel").unwrap();
    assert_eq!(expected.command, Command::Sync);
    assert_eq!(expected.version, Version::V14_1);
    assert_eq!(expected.user.as_deref(), Some("alice"));
    assert_eq!(expected.device.as_str(), "abc");
    assert_eq!(expected.device_type, "tel");
    for query in [
        "User=alice&DeviceId=abc&DeviceType=tel&Cmd=Sync",
        "devicetype=tel&DEVICEID=abc&user=alice&cmd=sync",
        "Cmd=%53ync&User=%61lice&DeviceId=%61bc&DeviceType=t%65l",
        "%43md=Sync&User=alice&Device%49d=abc&DeviceType=tel",
    ] {
        assert_eq!(plain(query), Ok(expected.clone()), "row {query}");
    }
    assert_eq!(
        expected.query(),
        "Cmd=Sync&User=alice&DeviceId=abc&DeviceType=tel"
    );
}

#[test]
fn plain_queries_that_two_servers_could_read_differently_are_refused() {
    let rest = "Cmd=Sync&User=alice&DeviceType=tel";
    for (query, expected) in [
        ("&DeviceId=abc&DeviceId=bad", Malformed::Duplicate),
        ("&DeviceId=abc&deviceid=bad", Malformed::Duplicate),
        ("&DeviceId=abc&Device%49d=bad", Malformed::Duplicate),
        ("&DeviceId=abc&Cmd=Ping", Malformed::Duplicate),
        ("&DeviceId=abc&User=bob", Malformed::Duplicate),
        ("&DeviceId=abc&DeviceType=fax", Malformed::Duplicate),
        ("&DeviceId=abc&ItemId=1&itemid=2", Malformed::Duplicate),
        // A base64 query behind a plain one.
        ("&DeviceId=abc&jQkJBANkZXYA=", Malformed::Duplicate),
        ("&DeviceId=abc&jQkJBANkZXYABXBob25l=", Malformed::Duplicate),
        ("&DeviceId=abc;DeviceId=bad", Malformed::DeviceId),
        ("&DeviceId=abc%26DeviceId%3Dbad", Malformed::DeviceId),
        ("&DeviceId=%2561bc", Malformed::DeviceId),
        ("&DeviceId=abc%00", Malformed::Text),
        ("&DeviceId=ab%u0063", Malformed::Encoding),
        ("&DeviceId=%C1%A1bc", Malformed::Text),
        ("&DeviceId=ab%6", Malformed::Encoding),
        ("&DeviceId=ab%6g", Malformed::Encoding),
        ("&DeviceId=a+b", Malformed::DeviceId),
        ("&DeviceId=", Malformed::DeviceId),
        ("&DeviceId[]=abc", Malformed::ParameterName),
        ("&DeviceId[0]=abc", Malformed::ParameterName),
        ("&Device.Id=abc", Malformed::ParameterName),
        ("&+DeviceId=abc", Malformed::ParameterName),
        ("&=abc", Malformed::ParameterName),
        ("&DeviceId", Malformed::NeitherForm),
        ("&DeviceId=abc&", Malformed::NeitherForm),
        ("&&DeviceId=abc", Malformed::NeitherForm),
        ("", Malformed::Missing(DEVICE_ID)),
    ] {
        let result = plain(&format!("{rest}{query}"));
        assert_eq!(result, Err(expected), "row {query}");
    }
}

#[test]
fn a_query_of_both_forms_is_refused() {
    let rest = "Cmd=Sync&User=alice&DeviceType=tel&DeviceId=abc";
    for query in [
        format!("jAAHBANhYmMAA3RlbAgF&{rest}"),
        format!("{rest}&jAAHBANhYmMAA3RlbAgF"),
        format!("jAAHBANhYmMAA3RlbAg+==&{rest}"),
        // With padding it is a pair of name and value.
        format!("jAAHBANhYmMAA3RlbA==&{rest}"),
        format!("jAAHBANhYmMAA3RlbAgFYWxpY2U=&{rest}"),
    ] {
        assert!(plain(&query).is_err(), "row {query}");
    }
}

#[test]
fn fields_keep_their_bounds() {
    let with = |device: usize, user: usize, kind: usize| {
        plain(&format!(
            "Cmd=Sync&User={}&DeviceId={}&DeviceType={}",
            "u".repeat(user),
            "d".repeat(device),
            "t".repeat(kind)
        ))
        .map(|_| ())
    };
    for (device, user, kind, expected) in [
        (1, 1, 1, Ok(())),
        (32, 253, 64, Ok(())),
        (0, 1, 1, Err(Malformed::DeviceId)),
        (33, 1, 1, Err(Malformed::DeviceId)),
        (1, 0, 1, Err(Malformed::User)),
        (1, 254, 1, Err(Malformed::User)),
        (1, 1, 0, Err(Malformed::DeviceType)),
        (1, 1, 65, Err(Malformed::DeviceType)),
    ] {
        assert_eq!(with(device, user, kind), expected, "{device} {user} {kind}");
    }
}

#[test]
fn long_queries_are_refused_as_sent_and_as_re_emitted() {
    let start = "Cmd=Sync&User=u&DeviceId=d&DeviceType=t&ItemId=";
    let room = MAX_QUERY - start.len();
    assert!(plain(&format!("{start}{}", "i".repeat(room))).is_ok());
    let over = plain(&format!("{start}{}", "i".repeat(room + 1)));
    assert_eq!(over, Err(Malformed::TooLong));
    // A colon is sent as one octet and re-emitted as three.
    let grows = plain(&format!("{start}{}", ":".repeat(room)));
    assert_eq!(grows, Err(Malformed::TooLong));
    let many: String = (0..=MAX_EXTRA).map(|n| format!("&x{n}=1")).collect();
    let many = plain(&format!("{start}i{many}"));
    assert_eq!(many, Err(Malformed::TooManyParameters));
}

#[test]
fn headers_beside_a_plain_query_are_read_strictly() {
    let query = b"Cmd=Ping&User=u&DeviceId=d&DeviceType=t";
    for (version, key, multipart, expected) in [
        (Some("16.1"), Some("4294967295"), Some("T"), Ok(())),
        (Some("2.5"), Some("0"), Some("F"), Ok(())),
        (None, None, None, Err(Malformed::UnknownVersion)),
        (Some("14"), None, None, Err(Malformed::UnknownVersion)),
        (Some("14.1"), Some(""), None, Err(Malformed::PolicyKey)),
        (Some("14.1"), Some("+1"), None, Err(Malformed::PolicyKey)),
        (
            Some("14.1"),
            Some("4294967296"),
            None,
            Err(Malformed::PolicyKey),
        ),
        (
            Some("14.1"),
            None,
            Some("t"),
            Err(Malformed::AcceptMultiPart),
        ),
    ] {
        let stated = Stated {
            version,
            policy_key: key,
            accept_multipart: multipart,
        };
        let result = Request::parse(query, stated);
        if let Ok(request) = &result {
            assert_eq!(request.version_header(), version);
            let key = key.and_then(|key| key.parse().ok());
            assert_eq!(request.policy_key_header(), key);
            assert_eq!(request.multipart_header(), multipart == Some("T"));
        }
        assert_eq!(result.map(|_| ()), expected, "row {stated:?}");
    }
}

#[test]
fn a_packed_query_gives_the_same_request_and_no_headers() {
    let mut octets = PACKED.to_vec();
    octets.extend(b"\x07\x01\x02\x08\x05alice\x03\x0310:");
    let request = packed(&octets).unwrap();
    assert_eq!(request.version, Version::V14_0);
    assert_eq!(request.command, Command::Sync);
    assert_eq!(request.device.as_str(), "abc");
    assert_eq!(request.device_type, "tel");
    assert_eq!(request.user.as_deref(), Some("alice"));
    assert_eq!(request.policy_key, None);
    assert!(request.accept_multipart);
    assert_eq!(
        request.form,
        Form::Base64 {
            locale: 0x0407,
            parameters: vec![(7, vec![2]), (3, b"10:".to_vec())],
        }
    );
    assert_eq!(request.version_header(), None);
    assert_eq!(request.policy_key_header(), None);
    assert!(!request.multipart_header());
}

#[test]
fn every_cut_of_a_packed_query_is_refused() {
    let mut octets = PACKED.to_vec();
    octets.extend(b"\x08\x05alice");
    for length in 0..octets.len() {
        // Cut before the first parameter it is a whole query without parameters.
        let cut = octets.get(..length).unwrap();
        assert_eq!(packed(cut).is_ok(), length == PACKED.len(), "row {length}");
    }
    let text = STANDARD.encode(&octets);
    for length in 1..text.len() {
        let cut = Request::parse(&text.as_bytes()[..length], Stated::default());
        assert!(cut.is_err(), "row {length}: {cut:?}");
    }
}

#[test]
fn packed_fields_keep_their_bounds() {
    for (row, octets, expected) in [
        (
            "version",
            &b"\x78\x00\x00\x00\x01d\x00\x01t"[..],
            Malformed::UnknownVersion,
        ),
        (
            "command",
            b"\x8c\x18\x00\x00\x01d\x00\x01t",
            Malformed::UnknownCommand,
        ),
        (
            "command",
            b"\x8c\xff\x00\x00\x01d\x00\x01t",
            Malformed::UnknownCommand,
        ),
        (
            "no device",
            b"\x8c\x00\x00\x00\x00\x00\x01t",
            Malformed::DeviceId,
        ),
        (
            "raw device",
            b"\x8c\x00\x00\x00\x02\x01\x02\x00\x01t",
            Malformed::DeviceId,
        ),
        (
            "comma",
            b"\x8c\x00\x00\x00\x03a,b\x00\x01t",
            Malformed::DeviceId,
        ),
        (
            "key 1",
            b"\x8c\x00\x00\x00\x01d\x01\x00\x01t",
            Malformed::PolicyKey,
        ),
        (
            "key 5",
            b"\x8c\x00\x00\x00\x01d\x05\x00\x00\x00\x00\x00\x01t",
            Malformed::PolicyKey,
        ),
        (
            "no type",
            b"\x8c\x00\x00\x00\x01d\x00\x00",
            Malformed::DeviceType,
        ),
        (
            "type",
            b"\x8c\x00\x00\x00\x01d\x00\x01\x00",
            Malformed::Text,
        ),
        (
            "tag 9",
            b"\x8c\x00\x00\x00\x01d\x00\x01t\x09\x00",
            Malformed::UnknownTag(9),
        ),
        (
            "user twice",
            b"\x8c\x00\x00\x00\x01d\x00\x01t\x08\x01u\x08\x01u",
            Malformed::Duplicate,
        ),
        (
            "item twice",
            b"\x8c\x00\x00\x00\x01d\x00\x01t\x03\x01u\x03\x01u",
            Malformed::Duplicate,
        ),
        (
            "options",
            b"\x8c\x00\x00\x00\x01d\x00\x01t\x07\x00",
            Malformed::ParameterLength,
        ),
        (
            "no user",
            b"\x8c\x00\x00\x00\x01d\x00\x01t\x08\x00",
            Malformed::User,
        ),
        (
            "trailing",
            b"\x8c\x00\x00\x00\x01d\x00\x01t\x03",
            Malformed::Truncated,
        ),
    ] {
        assert_eq!(packed(octets), Err(expected), "row {row}");
    }
    let key = packed(b"\x8c\x00\x00\x00\x01d\x04\x01\x02\x03\x04\x01t").unwrap();
    assert_eq!(key.policy_key, Some(0x0403_0201));
}

#[test]
fn text_around_base64_is_refused() {
    let good = STANDARD.encode(PACKED);
    assert!(Request::parse(good.as_bytes(), Stated::default()).is_ok());
    for bad in [
        good.trim_end_matches('=').to_owned(),
        format!("{good}="),
        format!("{good}A"),
        format!("{good}#"),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('=', "%3D"),
        "jAAJ-_==".to_owned(),
        "====".to_owned(),
        "Cmd=Sync".to_owned(),
    ] {
        let result = Request::parse(bad.as_bytes(), Stated::default());
        assert!(result.is_err(), "row {bad:?}: {result:?}");
    }
    assert_eq!(
        Request::parse(b"", Stated::default()),
        Err(Malformed::NoQuery)
    );
}

#[test]
fn ids_compare_without_case_and_travel_as_sent() {
    let upper = plain("Cmd=Sync&User=u&DeviceId=ApplF2LX&DeviceType=t").unwrap();
    let lower = plain("Cmd=Sync&User=u&DeviceId=applf2lx&DeviceType=t").unwrap();
    assert_eq!(upper.device, lower.device);
    assert!(upper.query().contains("DeviceId=ApplF2LX&"));
}

/// Windows clients were refused: they send the octets of a GUID, and its digits in a plain query.
#[test]
fn a_guid_of_sixteen_octets_is_the_device_of_its_digits() {
    let with = |device: &[u8]| {
        let mut octets = b"\x8c\x00\x07\x04".to_vec();
        push_counted(&mut octets, device);
        octets.extend(b"\x00\x03tel");
        (packed(&octets), STANDARD.encode(octets))
    };
    let guid = *b"\x6f\x24\xca\xd5\x99\xa5\xbf\x1a\x69\x02\x46\xb8\xc6\x8f\xae\x8d";
    let digits = "6F24CAD599A5BF1A690246B8C68FAE8D";
    let (request, sent) = with(&guid);
    let request = request.unwrap();
    let stated = format!("Cmd=Sync&User=u&DeviceId={digits}&DeviceType=tel");
    assert_eq!(request.device, plain(&stated).unwrap().device);
    // To the mail server it goes as the octets that the device has always sent.
    assert_eq!(request.query(), sent);
    for (device, expected) in [
        (&b"0123456789abcdEF"[..], Ok("0123456789abcdef")),
        (digits.as_bytes(), Ok("6f24cad599a5bf1a690246b8c68fae8d")),
        (&[0; 16], Ok("00000000000000000000000000000000")),
        (&[0; 15], Err(Malformed::DeviceId)),
        (&[0; 17], Err(Malformed::DeviceId)),
        (&[0; 32], Err(Malformed::DeviceId)),
    ] {
        let request = with(device).0;
        let parsed = request.as_ref().map(|request| request.device.as_str());
        assert_eq!(parsed.map_err(|error| *error), expected, "row {device:?}");
    }
}

proptest! {
    #[test]
    fn the_canonical_plain_query_is_the_same_request(
        user in "[ -~é]{1,40}",
        device in "[A-Za-z0-9]{1,32}",
        kind in "[ -~]{1,64}",
        command in 0..Command::ALL.len(),
        version in 0..Version::ALL.len(),
        extra in proptest::collection::vec(("[A-Za-z_-]{1,12}", "[ -~ü]{0,30}"), 0..6),
        key in proptest::option::of(any::<u32>()),
        multipart in any::<bool>(),
    ) {
        let mut query = format!(
            "DeviceType={}&Cmd={}&User={}&DeviceId={device}",
            utf8_percent_encode(&kind, NON_ALPHANUMERIC),
            Command::ALL[command],
            utf8_percent_encode(&user, NON_ALPHANUMERIC),
        );
        for (name, value) in &extra {
            query += &format!("&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        }
        let key = key.map(|key| key.to_string());
        let stated = Stated {
            version: Some(Version::ALL[version].as_str()),
            policy_key: key.as_deref(),
            accept_multipart: multipart.then_some("T"),
        };
        if let Ok(request) = Request::parse(query.as_bytes(), stated) {
            let again = Request::parse(request.query().as_bytes(), stated);
            prop_assert_eq!(again, Ok(request));
        }
    }

    #[test]
    fn the_canonical_packed_query_is_the_same_request(
        device in "[A-Za-z0-9]{1,32}",
        kind in "[ -~]{1,64}",
        user in proptest::option::of("[ -~é]{1,40}"),
        command in 0..Command::ALL.len(),
        version in 2..Version::ALL.len(),
        locale in any::<u16>(),
        key in proptest::option::of(any::<u32>()),
        item in proptest::collection::vec(any::<u8>(), 0..=255),
    ) {
        let mut octets = vec![
            Version::ALL[version].octet().unwrap(),
            Command::ALL[command].code(),
        ];
        octets.extend(locale.to_le_bytes());
        push_counted(&mut octets, device.as_bytes());
        push_counted(&mut octets, &key.map(u32::to_le_bytes).map_or(vec![], Vec::from));
        push_counted(&mut octets, kind.as_bytes());
        if let Some(user) = &user {
            octets.push(TAG_USER);
            push_counted(&mut octets, user.as_bytes());
        }
        octets.push(3);
        push_counted(&mut octets, &item);
        if let Ok(request) = packed(&octets) {
            let again = Request::parse(request.query().as_bytes(), Stated::default());
            prop_assert_eq!(again, Ok(request));
        } else {
            prop_assert!(user.is_some_and(|user| user.trim().is_empty()));
        }
    }

    #[test]
    fn no_octets_make_the_parser_panic(query in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(request) = Request::parse(&query, V14_1) {
            prop_assert_eq!(Request::parse(request.query().as_bytes(), V14_1), Ok(request));
        }
    }
}
