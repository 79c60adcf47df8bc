//! From text to the octets of a value (RFC 8044 section 3 names the data types).

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::Ipv4Net;
use ipnet::Ipv6Net;

use super::name::Named;
use crate::model::MacAddress;
use crate::model::Timestamp;
use crate::radius::dictionary::DataType;
use crate::radius::dictionary::Hiding;

/// The octets of a value without its tag; `None` if the text does not fit the type.
pub(super) fn encode(named: &Named<'_>, text: &str) -> Option<Vec<u8>> {
    let number = |largest: u64| integer(text, named.values).filter(|value| *value <= largest);
    let trimmed = text.trim();
    match named.kind {
        // RFC 8044 sections 3.4 and 3.5: text and octets are one octet at least.
        DataType::Text => (!text.is_empty()).then(|| text.into()),
        DataType::Octets(None) | DataType::AscendFilter | DataType::Tlv => {
            octets(text).filter(|octets| !octets.is_empty())
        }
        DataType::Octets(Some(count)) => {
            octets(text).filter(|octets| octets.len() == usize::from(count))
        }
        // Of a tagged integer the first octet is the tag's (RFC 2868 section 3.1).
        DataType::Integer if named.tagged && named.hiding == Hiding::None => {
            let [_, rest @ ..] = u32::try_from(number(MAX_TAGGED)?).ok()?.to_be_bytes();
            Some(rest.into())
        }
        DataType::Integer => {
            let value = u32::try_from(number(u64::from(u32::MAX))?).ok()?;
            Some(value.to_be_bytes().into())
        }
        DataType::Signed => {
            let named = number(u64::from(u32::MAX)).and_then(|value| u32::try_from(value).ok());
            let signed = || trimmed.parse::<i32>().ok().map(i32::cast_unsigned);
            let value = named
                .filter(|value| *value <= i32::MAX.cast_unsigned())
                .or_else(signed)?;
            Some(value.to_be_bytes().into())
        }
        DataType::Byte => Some(vec![u8::try_from(number(u64::from(u8::MAX))?).ok()?]),
        DataType::Short => {
            let value = u16::try_from(number(u64::from(u16::MAX))?).ok()?;
            Some(value.to_be_bytes().into())
        }
        DataType::Integer64 => number(u64::MAX).map(|value| value.to_be_bytes().into()),
        DataType::Date => {
            let seconds = number(u64::from(u32::MAX)).and_then(|value| u32::try_from(value).ok());
            let written = || {
                let at = Timestamp::parse_rfc3339(trimmed)?;
                u32::try_from(at.unix_seconds()).ok()
            };
            Some(seconds.or_else(written)?.to_be_bytes().into())
        }
        DataType::Ipv4 => Some(trimmed.parse::<Ipv4Addr>().ok()?.octets().into()),
        DataType::Ipv6 => Some(trimmed.parse::<Ipv6Addr>().ok()?.octets().into()),
        DataType::EitherIp => Some(match trimmed.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => address.octets().into(),
            IpAddr::V6(address) => address.octets().into(),
        }),
        DataType::Ipv4Prefix => {
            let network: Ipv4Net = trimmed.parse().ok()?;
            let address = network.trunc().addr().octets();
            Some([&[0, network.prefix_len()], &address[..]].concat())
        }
        DataType::Ipv6Prefix => {
            let network: Ipv6Net = trimmed.parse().ok()?;
            let address = network.trunc().addr().octets();
            Some([&[0, network.prefix_len()], &address[..]].concat())
        }
        DataType::InterfaceId => {
            let groups = trimmed.split(':').map(|group| {
                let short = (1..=4).contains(&group.len());
                short.then(|| u16::from_str_radix(group, 16).ok()).flatten()
            });
            let groups: Vec<u16> = groups.collect::<Option<_>>()?;
            let all: Vec<u8> = groups
                .iter()
                .flat_map(|group| group.to_be_bytes())
                .collect();
            (all.len() == 8).then_some(all)
        }
        DataType::Ethernet => Some(trimmed.parse::<MacAddress>().ok()?.octets().into()),
        DataType::VendorSpecific
        | DataType::Extended
        | DataType::LongExtended
        | DataType::ExtendedVendorSpecific => None,
    }
}

/// The value with its tag: before integers always, before text only if there is one (RFC 2868
/// section 3.6).
pub(super) fn with_tag(named: &Named<'_>, octets: Vec<u8>) -> Vec<u8> {
    if !named.tagged {
        return octets;
    }
    match (named.kind, named.tag.unwrap_or(0)) {
        (DataType::Integer, tag) => [&[tag], &octets[..]].concat(),
        (_, 0) => octets,
        (_, tag) => [&[tag], &octets[..]].concat(),
    }
}

/// What the type wants, for a message.
pub(super) fn expected(named: &Named<'_>) -> String {
    let numbers = |largest: u64| {
        let names: Vec<_> = named.values.iter().map(|(name, _)| &**name).collect();
        match names.as_slice() {
            [] => format!("a number from 0 to {largest}"),
            names => format!(
                "a number from 0 to {largest}, or one of {}",
                names.join(", ")
            ),
        }
    };
    match named.kind {
        DataType::Text => "text of at least one octet".into(),
        DataType::Octets(None) | DataType::AscendFilter | DataType::Tlv => {
            "text, or 0x and an even count of hexadecimal digits".into()
        }
        DataType::Octets(Some(count)) => {
            format!("{count} octets, or 0x and {} digits", 2 * u16::from(count))
        }
        DataType::Integer if named.tagged => numbers(MAX_TAGGED),
        DataType::Integer => numbers(u64::from(u32::MAX)),
        DataType::Signed => "a number from -2147483648 to 2147483647".into(),
        DataType::Byte => numbers(u64::from(u8::MAX)),
        DataType::Short => numbers(u64::from(u16::MAX)),
        DataType::Integer64 => numbers(u64::MAX),
        DataType::Date => "seconds since 1970 or a time such as 2027-01-31T12:00:00Z".into(),
        DataType::Ipv4 => "an IPv4 address".into(),
        DataType::Ipv6 => "an IPv6 address".into(),
        DataType::EitherIp => "an IPv4 or IPv6 address".into(),
        DataType::Ipv4Prefix => "an IPv4 prefix such as 192.0.2.0/24".into(),
        DataType::Ipv6Prefix => "an IPv6 prefix such as 2001:db8::/64".into(),
        DataType::InterfaceId => "an interface identifier such as 0211:22ff:fe33:4455".into(),
        DataType::Ethernet => "a MAC address".into(),
        DataType::VendorSpecific
        | DataType::Extended
        | DataType::LongExtended
        | DataType::ExtendedVendorSpecific => "an attribute that it holds".into(),
    }
}

fn integer(text: &str, names: &[(Box<str>, u64)]) -> Option<u64> {
    let text = text.trim();
    if let Some((_, number)) = names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
    {
        return Some(*number);
    }
    match text.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|digit| digit.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

fn octets(text: &str) -> Option<Vec<u8>> {
    let Some(digits) = text.strip_prefix("0x") else {
        return Some(text.into());
    };
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|pair| {
            let digit = |octet: u8| char::from(octet).to_digit(16);
            let [high, low] = *pair;
            u8::try_from(digit(high)? << 4 | digit(low)?).ok()
        })
        .collect()
}

/// The integer beside a tag has 24 bits.
const MAX_TAGGED: u64 = 0x00ff_ffff;
