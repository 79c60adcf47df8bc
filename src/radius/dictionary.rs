//! Names: which attribute a word of the configuration means, and which octets its value becomes.

mod table;

use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::MAX_VALUE;
use crate::radius::attribute::VendorId;
use crate::radius::code::Code;
use crate::radius::reply;

/// One line of the table.
#[derive(Debug)]
struct Entry {
    /// `None` for the standard space.
    vendor: Option<VendorId>,
    number: u8,
    name: &'static str,
    kind: ValueKind,
    setting: Setting,
}

/// How text becomes octets (RFC 8044 names these data types).
#[derive(Clone, Copy, Debug)]
enum ValueKind {
    Text,
    Octets,
    /// With the names of some values.
    Integer(&'static [(&'static str, u32)]),
    Ipv4,
    Ipv6,
    Ipv6Prefix,
    /// Text that may follow a tag (RFC 2868 section 3.6).
    TaggedText,
    /// A tag and an integer of 24 bits (RFC 2868 section 3.1).
    TaggedInteger(&'static [(&'static str, u32)]),
}

/// Who may put the attribute into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// The configuration, into replies.
    Reply,
    /// The gateway itself.
    Gateway,
    /// The NAS, into requests.
    Nas,
}

/// An attribute of the configuration, encoded once when it is loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    octets: Box<[u8]>,
}

impl Template {
    /// Encodes an attribute.
    ///
    /// The name is one of the dictionary in any case (`Filter-Id`, `Aruba-User-Role`),
    /// `attribute:11` or `vendor:9:1`. A name may end in a tag, `Tunnel-Type:1`; without one, tag
    /// 0 is written before integers and none before text. The value is text as the attribute's
    /// type wants it, an integer also by name or as `0x..`; octets, and every value of an
    /// attribute given by number, are text or, after `0x`, hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`DictionaryError`] with what was expected.
    pub fn parse(name: &str, value: &str) -> Result<Self, DictionaryError> {
        let attribute = resolve(name)?;
        let octets = attribute
            .encode(value)
            .ok_or_else(|| DictionaryError::Value {
                name: attribute.name.into(),
                value: value.into(),
                expected: attribute.expected(),
            })?;
        let header = match attribute.vendor {
            Some(_) => 8,
            None => 2,
        };
        let limit = MAX_VALUE + 2 - header;
        let too_long = |_| DictionaryError::TooLong {
            name: attribute.name.into(),
            octets: octets.len(),
            limit,
        };
        let length = u8::try_from(octets.len() + header).map_err(too_long)?;
        let mut whole = Vec::with_capacity(usize::from(length));
        match attribute.vendor {
            Some(vendor) => {
                // The length fits an octet together with the six octets before it.
                let inner = length.saturating_sub(6);
                whole.extend_from_slice(&[AttributeType::VENDOR_SPECIFIC.0, length]);
                whole.extend_from_slice(&vendor.0.to_be_bytes());
                whole.extend_from_slice(&[attribute.number, inner]);
            }
            None => whole.extend_from_slice(&[attribute.number, length]),
        }
        whole.extend_from_slice(&octets);
        Ok(Self {
            octets: whole.into_boxed_slice(),
        })
    }

    /// The standard number; 26 for every vendor's attribute.
    #[must_use]
    pub fn kind(&self) -> AttributeType {
        AttributeType(self.octets.first().copied().unwrap_or_default())
    }

    /// The whole attribute as it goes into a packet.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Whether it may stand in a reply of that code; the configuration asks when it is loaded, so
    /// that no reply fails for it later.
    #[must_use]
    pub fn is_allowed_in(&self, code: Code) -> bool {
        reply::is_allowed(code, self.kind())
    }
}

/// The attribute's name and the size of its value; a value may be confidential.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({}, {} octets)", self.kind(), self.octets.len())
    }
}

/// Why a line of the configuration is no attribute.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// The name is in no dictionary and has no numeric form.
    #[error(
        "{name} is no known attribute; expected a name such as Filter-Id, or attribute:NUMBER, or \
         vendor:ID:NUMBER"
    )]
    UnknownName {
        /// As written.
        name: String,
    },
    /// The gateway writes this attribute itself.
    #[error("{name} is set by the gateway itself and cannot be configured")]
    SetByGateway {
        /// Its name.
        name: String,
    },
    /// The attribute belongs in requests.
    #[error("{name} is sent by network devices and has no place in a reply")]
    SetByNas {
        /// Its name.
        name: String,
    },
    /// A tag after an attribute without tags, or one that is not 0 to 31.
    #[error("{name}: expected no tag, or for Tunnel attributes a tag from 0 to 31")]
    Tag {
        /// As written.
        name: String,
    },
    /// The value does not fit the type.
    #[error("{name}: expected {expected}, found {value:?}")]
    Value {
        /// The attribute's name.
        name: String,
        /// As written.
        value: String,
        /// What the type wants.
        expected: String,
    },
    /// The value does not fit one attribute.
    #[error("{name}: the value has {octets} octets, at most {limit} fit")]
    TooLong {
        /// The attribute's name.
        name: String,
        /// Octets of the value.
        octets: usize,
        /// The most that fit.
        limit: usize,
    },
}

/// The dictionary's name for a standard attribute.
pub(super) fn name(kind: AttributeType) -> Option<&'static str> {
    table::ENTRIES
        .iter()
        .find(|entry| entry.vendor.is_none() && entry.number == kind.0)
        .map(|entry| entry.name)
}

/// What a configured name stands for.
struct Resolved<'n> {
    vendor: Option<VendorId>,
    number: u8,
    name: &'n str,
    kind: ValueKind,
    tag: u8,
}

fn resolve(name: &str) -> Result<Resolved<'_>, DictionaryError> {
    let name = name.trim();
    if let Some(resolved) = resolve_number(name)? {
        return Ok(resolved);
    }
    let (base, tag) = match name.split_once(':') {
        Some((base, tag)) => (base, Some(tag)),
        None => (name, None),
    };
    let entry = table::ENTRIES
        .iter()
        .find(|entry| entry.name.eq_ignore_ascii_case(base))
        .ok_or_else(|| DictionaryError::UnknownName { name: name.into() })?;
    refuse_unsettable(entry)?;
    let tagged = matches!(
        entry.kind,
        ValueKind::TaggedText | ValueKind::TaggedInteger(_)
    );
    let tag = match tag {
        None => 0,
        Some(tag) => tag
            .parse::<u8>()
            .ok()
            .filter(|&tag| tagged && tag <= MAX_TAG)
            .ok_or_else(|| DictionaryError::Tag { name: name.into() })?,
    };
    Ok(Resolved {
        vendor: entry.vendor,
        number: entry.number,
        name: entry.name,
        kind: entry.kind,
        tag,
    })
}

/// `attribute:NUMBER` and `vendor:ID:NUMBER`; `None` for a name of another form.
fn resolve_number(name: &str) -> Result<Option<Resolved<'_>>, DictionaryError> {
    let unknown = || DictionaryError::UnknownName { name: name.into() };
    let mut parts = name.split(':');
    let form = parts.next().unwrap_or_default();
    let vendor = if form.eq_ignore_ascii_case("vendor") {
        let id = parts.next().and_then(|id| id.parse::<u32>().ok());
        // The first octet of the vendor's number is 0 (RFC 2865 section 5.26).
        let id = id.filter(|id| (1..1 << 24).contains(id));
        Some(VendorId(id.ok_or_else(unknown)?))
    } else if form.eq_ignore_ascii_case("attribute") {
        None
    } else {
        return Ok(None);
    };
    let number = parts.next().and_then(|number| number.parse::<u8>().ok());
    let number = number.filter(|&number| number != 0).ok_or_else(unknown)?;
    if parts.next().is_some() || (vendor.is_none() && number == AttributeType::VENDOR_SPECIFIC.0) {
        return Err(unknown());
    }
    let entry = table::ENTRIES
        .iter()
        .find(|entry| entry.vendor == vendor && entry.number == number);
    if let Some(entry) = entry {
        refuse_unsettable(entry)?;
    }
    Ok(Some(Resolved {
        vendor,
        number,
        name,
        kind: ValueKind::Octets,
        tag: 0,
    }))
}

fn refuse_unsettable(entry: &Entry) -> Result<(), DictionaryError> {
    let name = || entry.name.into();
    match entry.setting {
        Setting::Reply => Ok(()),
        Setting::Gateway => Err(DictionaryError::SetByGateway { name: name() }),
        Setting::Nas => Err(DictionaryError::SetByNas { name: name() }),
    }
}

impl Resolved<'_> {
    fn encode(&self, value: &str) -> Option<Vec<u8>> {
        match self.kind {
            // RFC 8044 sections 3.4 and 3.5: text and octets are one octet at least.
            ValueKind::Text => (!value.is_empty()).then(|| value.into()),
            ValueKind::Octets => octets(value).filter(|octets| !octets.is_empty()),
            ValueKind::Integer(names) => {
                integer(value, names).map(|value| value.to_be_bytes().into())
            }
            ValueKind::Ipv4 => {
                let address: Ipv4Addr = value.trim().parse().ok()?;
                Some(address.octets().into())
            }
            ValueKind::Ipv6 => {
                let address: Ipv6Addr = value.trim().parse().ok()?;
                Some(address.octets().into())
            }
            ValueKind::Ipv6Prefix => {
                let network: Ipv6Net = value.trim().parse().ok()?;
                let mut octets = vec![0, network.prefix_len()];
                octets.extend_from_slice(&network.trunc().addr().octets());
                Some(octets)
            }
            ValueKind::TaggedText => (!value.is_empty()).then(|| match self.tag {
                0 => value.into(),
                tag => [&[tag], value.as_bytes()].concat(),
            }),
            ValueKind::TaggedInteger(names) => {
                let [high, rest @ ..] = integer(value, names)?.to_be_bytes();
                (high == 0).then(|| [&[self.tag], &rest[..]].concat())
            }
        }
    }

    fn expected(&self) -> String {
        let numbers = |range: &str, names: &[(&str, u32)]| {
            let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
            match names.as_slice() {
                [] => format!("a number from 0 to {range}"),
                names => format!("a number from 0 to {range}, or one of {}", names.join(", ")),
            }
        };
        match self.kind {
            ValueKind::Text | ValueKind::TaggedText => "text of at least one octet".into(),
            ValueKind::Octets => "text, or 0x and an even count of hexadecimal digits".into(),
            ValueKind::Integer(names) => numbers("4294967295", names),
            ValueKind::Ipv4 => "an IPv4 address".into(),
            ValueKind::Ipv6 => "an IPv6 address".into(),
            ValueKind::Ipv6Prefix => "an IPv6 prefix such as 2001:db8::/64".into(),
            ValueKind::TaggedInteger(names) => numbers("16777215", names),
        }
    }
}

fn integer(value: &str, names: &[(&str, u32)]) -> Option<u32> {
    let value = value.trim();
    if let Some((_, number)) = names
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(value))
    {
        return Some(*number);
    }
    match value.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if value.bytes().all(|digit| digit.is_ascii_digit()) => value.parse().ok(),
        None => None,
    }
}

fn octets(value: &str) -> Option<Vec<u8>> {
    let Some(digits) = value.strip_prefix("0x") else {
        return Some(value.into());
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

/// RFC 2868 section 3.1.
const MAX_TAG: u8 = 0x1f;

#[cfg(test)]
mod tests;
