//! Attributes: type, length, value, in the order they stand (RFC 2865 section 5).
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;

use crate::radius::dictionary;

/// The most octets that one attribute's value has (RFC 2865 section 5: Length is one octet and
/// counts itself and the type).
pub const MAX_VALUE: usize = 253;

/// The number of a standard attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeType(pub u8);

/// The numbers that code names; a [`Dictionary`](crate::radius::Dictionary) knows more by name.
#[expect(
    missing_docs,
    reason = "the names are those of the RFCs, nothing to add"
)]
impl AttributeType {
    // RFC 2865
    pub const USER_NAME: Self = Self(1);
    pub const USER_PASSWORD: Self = Self(2);
    pub const CHAP_PASSWORD: Self = Self(3);
    pub const NAS_IP_ADDRESS: Self = Self(4);
    pub const NAS_PORT: Self = Self(5);
    pub const SERVICE_TYPE: Self = Self(6);
    pub const FRAMED_IP_ADDRESS: Self = Self(8);
    pub const FILTER_ID: Self = Self(11);
    pub const FRAMED_MTU: Self = Self(12);
    pub const REPLY_MESSAGE: Self = Self(18);
    pub const STATE: Self = Self(24);
    pub const CLASS: Self = Self(25);
    pub const VENDOR_SPECIFIC: Self = Self(26);
    pub const SESSION_TIMEOUT: Self = Self(27);
    pub const IDLE_TIMEOUT: Self = Self(28);
    pub const TERMINATION_ACTION: Self = Self(29);
    pub const CALLED_STATION_ID: Self = Self(30);
    pub const CALLING_STATION_ID: Self = Self(31);
    pub const NAS_IDENTIFIER: Self = Self(32);
    pub const PROXY_STATE: Self = Self(33);
    pub const CHAP_CHALLENGE: Self = Self(60);
    pub const NAS_PORT_TYPE: Self = Self(61);
    // RFC 2866
    pub const ACCT_STATUS_TYPE: Self = Self(40);
    pub const ACCT_DELAY_TIME: Self = Self(41);
    pub const ACCT_INPUT_OCTETS: Self = Self(42);
    pub const ACCT_OUTPUT_OCTETS: Self = Self(43);
    pub const ACCT_SESSION_ID: Self = Self(44);
    pub const ACCT_SESSION_TIME: Self = Self(46);
    pub const ACCT_INPUT_PACKETS: Self = Self(47);
    pub const ACCT_OUTPUT_PACKETS: Self = Self(48);
    pub const ACCT_TERMINATE_CAUSE: Self = Self(49);
    pub const ACCT_MULTI_SESSION_ID: Self = Self(50);
    // RFC 2868
    pub const TUNNEL_TYPE: Self = Self(64);
    pub const TUNNEL_MEDIUM_TYPE: Self = Self(65);
    pub const TUNNEL_PRIVATE_GROUP_ID: Self = Self(81);
    /// Tunnel-Password (RFC 2868 section 3.5).
    pub const TUNNEL_PASSWORD: Self = Self(69);
    // RFC 2869, RFC 3579
    pub const ACCT_INPUT_GIGAWORDS: Self = Self(52);
    pub const ACCT_OUTPUT_GIGAWORDS: Self = Self(53);
    pub const EVENT_TIMESTAMP: Self = Self(55);
    pub const CONNECT_INFO: Self = Self(77);
    pub const EAP_MESSAGE: Self = Self(79);
    pub const MESSAGE_AUTHENTICATOR: Self = Self(80);
    pub const ACCT_INTERIM_INTERVAL: Self = Self(85);
    pub const NAS_PORT_ID: Self = Self(87);
    // RFC 3162
    pub const NAS_IPV6_ADDRESS: Self = Self(95);
    // RFC 4372
    pub const CHARGEABLE_USER_IDENTITY: Self = Self(89);
    // RFC 5176
    pub const ERROR_CAUSE: Self = Self(101);
    // RFC 4072, RFC 7268
    pub const EAP_KEY_NAME: Self = Self(102);
    // RFC 5580
    pub const OPERATOR_NAME: Self = Self(126);
}

/// The name of the dictionary, or `Attribute-200`.
impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match dictionary::name(*self) {
            Some(name) => f.write_str(name),
            None => write!(f, "Attribute-{}", self.0),
        }
    }
}

/// A set of attribute types, asked and filled without loops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TypeSet([u64; 4]);

#[expect(
    clippy::indexing_slicing,
    reason = "two bits of an octet index four words; a const function has no `get`"
)]
impl TypeSet {
    pub(super) const fn of(types: &[AttributeType]) -> Self {
        let mut set = Self([0; 4]);
        let mut rest = types;
        while let [first, others @ ..] = rest {
            set.insert(*first);
            rest = others;
        }
        set
    }

    pub(super) const fn insert(&mut self, kind: AttributeType) {
        let (word, bit) = Self::place(kind);
        self.0[word] |= bit;
    }

    pub(super) const fn contains(&self, kind: AttributeType) -> bool {
        let (word, bit) = Self::place(kind);
        self.0[word] & bit != 0
    }

    /// The lowest type that is in both sets.
    pub(super) fn first_shared(&self, other: &Self) -> Option<AttributeType> {
        let words = self.0.iter().zip(&other.0).zip([0_u8, 64, 128, 192]);
        for ((own, others), lowest) in words {
            let shared = own & others;
            if shared != 0 {
                // Below 64, as there is a bit.
                let place = u8::try_from(shared.trailing_zeros()).unwrap_or(0);
                return Some(AttributeType(lowest.saturating_add(place)));
            }
        }
        None
    }

    /// Which word, and which bit in it: the two top bits and the six others of the number.
    const fn place(kind: AttributeType) -> (usize, u64) {
        ((kind.0 >> 6) as usize, 1 << (kind.0 & 63))
    }
}

/// One attribute of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its number.
    pub kind: AttributeType,
    /// Its value, 0 to 253 octets.
    pub value: &'a [u8],
}

/// The attributes of a checked packet, in the order they stand.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Over octets whose lengths have been checked; anything else ends the iteration early.
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (attribute, rest) = split(self.rest)?;
        self.rest = rest;
        Some(attribute)
    }
}

/// The first attribute of `octets` and what follows it; `None` if its length is under 2 or runs
/// past the end. Vendor sub-attributes have the same form.
pub(super) fn split(octets: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let [kind, length, ..] = octets else {
        return None;
    };
    let (attribute, rest) = octets.split_at_checked(usize::from(*length))?;
    let value = attribute.get(2..)?;
    let kind = AttributeType(*kind);
    Some((Attribute { kind, value }, rest))
}

/// A vendor's private enterprise number, 1 to 2^24 - 1 (RFC 2865 section 5.26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VendorId(pub u32);

impl VendorId {
    /// Cisco Systems.
    pub const CISCO: Self = Self(9);
    /// Microsoft (RFC 2548).
    pub const MICROSOFT: Self = Self(311);
    /// Palo Alto Networks.
    pub const PALO_ALTO: Self = Self(25461);
}

/// The value of a Vendor-Specific attribute (RFC 2865 section 5.26).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorSpecific<'a> {
    /// Whose it is.
    pub vendor: VendorId,
    /// What follows the vendor's number, in whatever form the vendor chose.
    pub data: &'a [u8],
}

impl<'a> VendorSpecific<'a> {
    /// Reads the value of an attribute 26; `None` for one without vendor number or data, which
    /// counts as unknown and never spoils the packet.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (vendor, data) = value.split_first_chunk::<4>()?;
        if data.is_empty() {
            return None;
        }
        Some(Self {
            vendor: VendorId(u32::from_be_bytes(*vendor)),
            data,
        })
    }

    /// The vendor's attributes in the form RFC 2865 recommends (type and length of one octet
    /// each). Data in another form ends the iteration at the first octet that does not fit.
    #[must_use]
    pub const fn attributes(&self) -> VendorAttributes<'a> {
        VendorAttributes { rest: self.data }
    }
}

/// Sub-attributes of one Vendor-Specific attribute: the vendor's type and the value.
#[derive(Clone, Debug)]
pub struct VendorAttributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for VendorAttributes<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (attribute, rest) = split(self.rest)?;
        self.rest = rest;
        Some((attribute.kind.0, attribute.value))
    }
}

/// An EAP packet carried in one or several attributes 79 (RFC 3579 section 3.1).
#[derive(Clone, Debug)]
pub struct EapMessage<'a> {
    attributes: Attributes<'a>,
    octets: usize,
}

impl<'a> EapMessage<'a> {
    /// Over the attributes of a packet that holds `octets` octets of EAP in all.
    pub(super) const fn new(attributes: Attributes<'a>, octets: usize) -> Self {
        Self { attributes, octets }
    }

    /// Octets of the EAP packet.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.octets
    }

    /// Whether it is empty: EAP-Start, with which a NAS asks for the first request (RFC 3579
    /// section 2.1).
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// The pieces in order; together they are the EAP packet.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes
            .clone()
            .filter(|attribute| attribute.kind == AttributeType::EAP_MESSAGE)
            .map(|attribute| attribute.value)
    }

    /// Joins the pieces at the start of `buffer`; `None` if it is shorter than
    /// [`len`](Self::len), which is always under 4096.
    #[must_use]
    pub fn join<'b>(&self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        let whole = buffer.get_mut(..self.octets)?;
        let mut rest = &mut *whole;
        for piece in self.pieces() {
            let (place, after) = rest.split_at_mut_checked(piece.len())?;
            place.copy_from_slice(piece);
            rest = after;
        }
        Some(whole)
    }
}

/// An integer, time or enumerated value: exactly four octets.
pub(super) fn integer(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

/// An IPv4 address: exactly four octets.
pub(super) fn ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// An IPv6 address: exactly sixteen octets.
pub(super) fn ipv6(value: &[u8]) -> Option<Ipv6Addr> {
    <[u8; 16]>::try_from(value).ok().map(Ipv6Addr::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_sets_hold_each_number() {
        let all: Vec<_> = (0..=u8::MAX).map(AttributeType).collect();
        let whole = TypeSet::of(&all);
        for &kind in &all {
            let set = TypeSet::of(&[kind]);
            assert_eq!(set.first_shared(&whole), Some(kind), "row {}", kind.0);
            assert_eq!(
                set.first_shared(&TypeSet::default()),
                None,
                "row {}",
                kind.0
            );
            let held: Vec<_> = all.iter().filter(|&&other| set.contains(other)).collect();
            assert_eq!(held, [&kind], "row {}", kind.0);
        }
    }

    #[test]
    fn vendor_data_in_a_foreign_form_is_not_fatal_rfc2865_5_26() {
        // (value, vendor attributes read)
        let rows: [(&[u8], Option<usize>); 7] = [
            (b"", None),
            (&[0, 0, 0, 9], None),
            (&[0, 0, 0, 9, 1], Some(0)),
            (&[0, 0, 0, 9, 1, 0], Some(0)),
            (&[0, 0, 0, 9, 1, 3, b'a'], Some(1)),
            (&[0, 0, 0, 9, 1, 3, b'a', 2, 9, b'b'], Some(1)),
            (&[0, 0, 0, 9, 1, 3, b'a', 2, 3, b'b'], Some(2)),
        ];
        for (value, expected) in rows {
            let read = VendorSpecific::parse(value).map(|vendor| vendor.attributes().count());
            assert_eq!(read, expected, "row {value:02x?}");
        }
    }

    #[test]
    fn eap_pieces_join_only_where_they_fit() {
        let octets = [79, 4, 1, 2, 79, 3, 3];
        let eap = EapMessage::new(Attributes::new(&octets), 3);
        let mut buffer = [0; 8];
        assert_eq!(eap.join(&mut buffer), Some(&[1_u8, 2, 3][..]));
        assert_eq!(eap.join(&mut buffer[..2]), None);
        assert_eq!(eap.join(&mut buffer[..3]), Some(&[1_u8, 2, 3][..]));
    }
}
