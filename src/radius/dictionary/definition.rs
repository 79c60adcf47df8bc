//! What a dictionary says of one attribute.

use crate::radius::attribute::VendorId;

/// One attribute of a dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name, as first written.
    pub name: Box<str>,
    /// In which number space it is counted.
    pub space: Space,
    /// Its number in that space; those of the TLVs inside follow (RFC 6929 section 2.3). Never
    /// empty, at most six.
    pub numbers: Box<[u32]>,
    /// How its value is laid out.
    pub kind: DataType,
    /// Whether a tag may stand before its value (RFC 2868 section 3).
    pub tagged: bool,
    /// How its value is hidden.
    pub hiding: Hiding,
    /// Whether several values stand in one attribute, one behind the other.
    pub array: bool,
    /// Whether a long value goes on in the next attribute of the same number.
    pub concat: bool,
}

/// A space of attribute numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    /// IANA's, 1 to 255.
    Standard,
    /// A vendor's, inside Vendor-Specific (RFC 2865 section 5.26).
    Vendor(VendorId),
    /// Inside the extended attribute of that number, 241 to 246 (RFC 6929 section 2).
    Extended(u8),
    /// A vendor's, inside the Extended-Vendor-Specific of that extended attribute (RFC 6929
    /// section 2.4).
    ExtendedVendor(u8, VendorId),
    /// A word that another server uses inside itself: it never stands in a packet.
    Internal,
}

/// How values are laid out (RFC 8044 section 3, and what vendors have besides).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// `string`: text, RFC 8044's `text`.
    Text,
    /// `octets`, with the count where it is fixed.
    Octets(Option<u8>),
    /// `integer`: 32 bits.
    Integer,
    /// `signed`: 32 bits with a sign.
    Signed,
    /// `byte`: 8 bits.
    Byte,
    /// `short`: 16 bits.
    Short,
    /// `integer64`: 64 bits.
    Integer64,
    /// `date`: seconds since 1970 in 32 bits.
    Date,
    /// `ipaddr`: an IPv4 address.
    Ipv4,
    /// `ipv6addr`: an IPv6 address.
    Ipv6,
    /// `combo-ip`: an address of either kind.
    EitherIp,
    /// `ipv4prefix`: an IPv4 prefix (RFC 6572).
    Ipv4Prefix,
    /// `ipv6prefix`: an IPv6 prefix (RFC 3162 section 2.3).
    Ipv6Prefix,
    /// `ifid`: the interface identifier of an IPv6 address, 8 octets (RFC 3162 section 2.2).
    InterfaceId,
    /// `ether`: a MAC address.
    Ethernet,
    /// `abinary`: Ascend's binary filters, which can only be given as octets here.
    AscendFilter,
    /// `tlv`: other attributes inside, each with a type and a length of one octet.
    Tlv,
    /// `vsa`: Vendor-Specific.
    VendorSpecific,
    /// `extended` (RFC 6929 section 2.1).
    Extended,
    /// `long-extended` (RFC 6929 section 2.2).
    LongExtended,
    /// `evs`: Extended-Vendor-Specific (RFC 6929 section 2.4).
    ExtendedVendorSpecific,
}

impl DataType {
    /// The type of that name in any case; RFC 8044's names are taken too where they differ.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if let Some(count) = lower.strip_prefix("octets[") {
            let count: u8 = count.strip_suffix(']')?.parse().ok()?;
            return (count > 0).then_some(Self::Octets(Some(count)));
        }
        TYPES
            .iter()
            .find(|(name, _)| *name == lower)
            .map(|(_, kind)| *kind)
    }

    /// Whether it holds a number space of its own.
    pub(in crate::radius) const fn is_space(self) -> bool {
        matches!(
            self,
            Self::VendorSpecific
                | Self::Extended
                | Self::LongExtended
                | Self::ExtendedVendorSpecific
        )
    }

    /// The names that a dictionary may use.
    pub(super) fn names() -> String {
        let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

/// How a value is hidden with the shared secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hiding {
    /// Not at all.
    #[default]
    None,
    /// As User-Password (RFC 2865 section 5.2): in requests only.
    Password,
    /// With a salt, as Tunnel-Password (RFC 2868 section 3.5).
    Salted,
    /// As Ascend-Send-Secret, in which only a listener would be interested today.
    Ascend,
}

/// What stands before each attribute of a vendor: the octets of its type and of its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VendorFormat {
    /// Octets of the type: 1, 2 or 4.
    pub type_octets: u8,
    /// Octets of the length: 0, 1 or 2.
    pub length_octets: u8,
    /// Whether an octet follows that says whether the value goes on in the next attribute.
    pub continued: bool,
}

/// What RFC 2865 section 5.26 recommends.
impl Default for VendorFormat {
    fn default() -> Self {
        Self {
            type_octets: 1,
            length_octets: 1,
            continued: false,
        }
    }
}

impl VendorFormat {
    /// Reads `1,1` or `1,1,c`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let type_octets = parts.next()?.parse().ok()?;
        let length_octets = parts.next()?.parse().ok()?;
        let continued = match parts.next() {
            None => false,
            Some("c") if (type_octets, length_octets) == (1, 1) => true,
            Some(_) => return None,
        };
        let known = matches!(type_octets, 1 | 2 | 4) && matches!(length_octets, 0..=2);
        (known && parts.next().is_none()).then_some(Self {
            type_octets,
            length_octets,
            continued,
        })
    }

    /// The largest number of an attribute.
    pub(in crate::radius) const fn largest(self) -> u32 {
        match self.type_octets {
            1 => 0xff,
            2 => 0xffff,
            _ => u32::MAX,
        }
    }
}

/// The most numbers that lead to an attribute: its own, and TLVs inside TLVs. Vendors nest three.
pub(in crate::radius) const MAX_NUMBERS: usize = 6;

const TYPES: &[(&str, DataType)] = &[
    ("string", DataType::Text),
    ("text", DataType::Text),
    ("octets", DataType::Octets(None)),
    ("integer", DataType::Integer),
    ("uint32", DataType::Integer),
    ("signed", DataType::Signed),
    ("int32", DataType::Signed),
    ("byte", DataType::Byte),
    ("uint8", DataType::Byte),
    ("short", DataType::Short),
    ("uint16", DataType::Short),
    ("integer64", DataType::Integer64),
    ("uint64", DataType::Integer64),
    ("date", DataType::Date),
    ("ipaddr", DataType::Ipv4),
    ("ipv6addr", DataType::Ipv6),
    ("combo-ip", DataType::EitherIp),
    ("ipv4prefix", DataType::Ipv4Prefix),
    ("ipv6prefix", DataType::Ipv6Prefix),
    ("ifid", DataType::InterfaceId),
    ("ether", DataType::Ethernet),
    ("abinary", DataType::AscendFilter),
    ("tlv", DataType::Tlv),
    ("vsa", DataType::VendorSpecific),
    ("extended", DataType::Extended),
    ("long-extended", DataType::LongExtended),
    ("evs", DataType::ExtendedVendorSpecific),
];
