//! One less, exactly, one more: lengths of packets and attributes.

use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Malformed;
use portreeve::radius::Packet;

use crate::support::raw;

#[test]
fn packet_lengths_rfc2865_3() {
    let cut = |length, octets| Err(Malformed::Cut { length, octets });
    let field = |length| Err(Malformed::LengthField { length });
    // (octets that arrive, Length field, length of the checked packet)
    let rows = [
        (0, 0, Err(Malformed::Header { octets: 0 })),
        (1, 20, Err(Malformed::Header { octets: 1 })),
        (19, 19, Err(Malformed::Header { octets: 19 })),
        (19, 20, Err(Malformed::Header { octets: 19 })),
        (20, 0, field(0)),
        (20, 19, field(19)),
        (20, 20, Ok(20)),
        (20, 21, cut(21, 20)),
        (21, 20, Ok(20)),
        (22, 22, Ok(22)),
        (4095, 4096, cut(4096, 4095)),
        (4096, 4096, Ok(4096)),
        (4097, 4096, Ok(4096)),
        (5000, 20, Ok(20)),
        (4096, 4097, field(4097)),
        (4097, 4097, field(4097)),
        (65_535, 65_535, field(65_535)),
        (20, 65_535, field(65_535)),
    ];
    for (arrived, length, expected) in rows {
        let mut octets = raw(
            1,
            length,
            &attributes(length.clamp(20, arrived.max(20)) - 20),
        );
        octets.resize(arrived, 0);
        let checked = Packet::new_checked(&octets).map(|packet| packet.octets().len());
        assert_eq!(checked, expected, "row {arrived} octets, Length {length}");
    }
}

#[test]
fn octets_beyond_the_length_are_not_attributes_rfc2865_3() {
    let octets = raw(1, 23, &[18, 3, b'a', 18, 3, b'b']);
    let packet = Packet::new_checked(&octets).unwrap();
    assert_eq!(packet.attributes().count(), 1);
    assert_eq!(packet.octets(), &octets[..23]);
}

#[test]
fn attribute_lengths_rfc2865_5() {
    let length = |offset, length| Err(Malformed::AttributeLength { offset, length });
    let overrun = |offset| Err(Malformed::AttributeOverrun { offset });
    let longest: Vec<u8> = [&[18, 255][..], &[b'x'; 253]].concat();
    // (octets after the header, count of attributes)
    let rows: [(&[u8], Result<usize, Malformed>); 16] = [
        (&[], Ok(0)),
        (&[18], overrun(20)),
        (&[18, 0], length(20, 0)),
        (&[18, 1], length(20, 1)),
        (&[18, 2], Ok(1)),
        (&[18, 3], overrun(20)),
        (&[18, 3, 1], Ok(1)),
        (&[18, 3, 1, 18], overrun(23)),
        (&[18, 3, 1, 18, 0, 0], length(23, 0)),
        (&[18, 3, 1, 18, 2], Ok(2)),
        (&longest, Ok(1)),
        (&longest[..254], overrun(20)),
        (
            &[80, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            length(20, 17),
        ),
        (
            &[80, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            Ok(1),
        ),
        (
            &[80, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            length(20, 19),
        ),
        (&[0, 2, 255, 2], Ok(2)),
    ];
    for (attributes, expected) in rows {
        let octets = raw(1, 20 + attributes.len(), attributes);
        let checked = Packet::new_checked(&octets).map(|packet| packet.attributes().count());
        assert_eq!(checked, expected, "row {attributes:02x?}");
    }
}

#[test]
fn two_hundred_attributes_are_the_most() {
    for (count, expected) in [
        (199, Ok(199)),
        (200, Ok(200)),
        (201, Err(Malformed::TooManyAttributes)),
        (2038, Err(Malformed::TooManyAttributes)),
    ] {
        let attributes = [18, 2].repeat(count);
        let octets = raw(1, 20 + attributes.len(), &attributes);
        let checked = Packet::new_checked(&octets).map(|packet| packet.attributes().count());
        assert_eq!(checked, expected, "row {count}");
    }
}

#[test]
fn unknown_codes_are_refused_rfc2865_3() {
    for code in 0..=u8::MAX {
        let octets = raw(code, 20, &[]);
        let checked = Packet::new_checked(&octets).map(|packet| packet.code());
        match Code::ALL.into_iter().find(|known| known.number() == code) {
            Some(known) => assert_eq!(checked.unwrap(), known, "row {code}"),
            None => assert_eq!(checked.unwrap_err(), Malformed::UnknownCode { code }),
        }
    }
}

#[test]
fn order_is_kept_and_unknown_attributes_pass_rfc2865_5() {
    let attributes = [33, 3, 1, 200, 3, 9, 33, 3, 2, 18, 2, 33, 3, 3];
    let octets = raw(1, 20 + attributes.len(), &attributes);
    let packet = Packet::new_checked(&octets).unwrap();
    let order: Vec<_> = packet
        .attributes()
        .map(|attribute| attribute.kind.0)
        .collect();
    assert_eq!(order, [33, 200, 33, 18, 33]);
    let proxies: Vec<_> = packet.proxy_states().collect();
    assert_eq!(proxies, [[1], [2], [3]]);
    assert_eq!(packet.find(AttributeType(200)), Some(&[9][..]));
    assert_eq!(packet.find(AttributeType(201)), None);
}

/// Attributes that fill `octets` octets, as far as attributes can.
fn attributes(octets: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < octets {
        let left = octets - all.len();
        // Never leave a lone octet for the last attribute.
        let length = if left == 256 { 254 } else { left.min(255) };
        all.push(18);
        all.push(u8::try_from(length).unwrap());
        all.resize(all.len() + length.saturating_sub(2), b'x');
    }
    all.truncate(octets);
    all
}
