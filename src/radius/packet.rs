//! Octets whose lengths have been checked once (RFC 2865 sections 3 and 5).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Code      |  Identifier   |            Length             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                                                               |
//! |                         Authenticator                         |
//! |                          (16 octets)                          |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Attributes ...
//! +-+-+-+-+-+-+-+-+-+-+-+-+-
//! ```
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::radius::attribute;
use crate::radius::attribute::Attribute;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::Attributes;
use crate::radius::attribute::EapMessage;
use crate::radius::attribute::TypeSet;
use crate::radius::attribute::VendorId;
use crate::radius::attribute::VendorSpecific;
use crate::radius::authenticator::RequestAuthenticator;
use crate::radius::code::Code;
use crate::radius::error::Malformed;

/// Octets of code, identifier, length and authenticator.
pub const HEADER: usize = 20;

/// The longest packet (RFC 2865 section 3).
pub const MAX_PACKET: usize = 4096;

/// The most attributes a packet may have; one with more is malformed.
///
/// 4096 octets can hold 2038 empty attributes, and a real request has under 40: 200, which
/// FreeRADIUS uses too, leaves room and bounds the work that one datagram can cause.
pub const MAX_ATTRIBUTES: usize = 200;

/// A packet with sound lengths. No accessor panics or allocates; `tests/fuzz` proves it.
///
/// Sound is not authentic: see [`verify()`](crate::radius::verify()).
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    octets: &'a [u8],
    attributes: &'a [u8],
    authenticator: &'a [u8; 16],
    code: Code,
    identifier: u8,
    seen: Seen,
}

/// What one pass over the attributes found.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    present: TypeSet,
    repeated: TypeSet,
    /// Where the value of Message-Authenticator begins in the packet; 0 for none.
    message_authenticator: usize,
    eap_octets: usize,
    eap_split: bool,
}

impl<'a> Packet<'a> {
    /// Checks the header and the length of every attribute. Octets beyond the Length field are
    /// padding and ignored.
    ///
    /// # Errors
    ///
    /// [`Malformed`] with what is wrong first, from front to back.
    pub fn new_checked(octets: &'a [u8]) -> Result<Self, Malformed> {
        let Some((header, _)) = octets.split_first_chunk::<HEADER>() else {
            return Err(Malformed::Header {
                octets: octets.len(),
            });
        };
        let [code, identifier, high, low, authenticator @ ..] = header;
        let length = u16::from_be_bytes([*high, *low]);
        if !(HEADER..=MAX_PACKET).contains(&usize::from(length)) {
            return Err(Malformed::LengthField { length });
        }
        let Some(octets) = octets.get(..usize::from(length)) else {
            return Err(Malformed::Cut {
                length,
                octets: octets.len(),
            });
        };
        let code = Code::try_from(*code)?;
        let attributes = octets.get(HEADER..).unwrap_or(&[]);
        Ok(Self {
            octets,
            attributes,
            authenticator,
            code,
            identifier: *identifier,
            seen: scan(attributes)?,
        })
    }

    /// The whole packet, from code to last attribute.
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// What kind of packet it is.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// What joins a reply to its request.
    #[must_use]
    pub const fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The 16-octet field of a request. In a reply the same field is the Response Authenticator.
    #[must_use]
    pub const fn request_authenticator(&self) -> RequestAuthenticator {
        RequestAuthenticator::new(*self.authenticator)
    }

    /// The octets of the authenticator field.
    pub(super) const fn authenticator_field(&self) -> &'a [u8; 16] {
        self.authenticator
    }

    /// All attributes, in order.
    #[must_use]
    pub const fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes)
    }

    /// The value of the first attribute of that type.
    #[must_use]
    pub fn find(&self, kind: AttributeType) -> Option<&'a [u8]> {
        if !self.contains(kind) {
            return None;
        }
        self.find_all(kind).next()
    }

    /// The values of all attributes of that type, in order.
    pub fn find_all(&self, kind: AttributeType) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attributes()
            .filter(move |attribute| attribute.kind == kind)
            .map(|attribute| attribute.value)
    }

    /// Whether an attribute of that type is there.
    #[must_use]
    pub const fn contains(&self, kind: AttributeType) -> bool {
        self.seen.present.contains(kind)
    }

    /// The Vendor-Specific attributes that have a vendor and data (RFC 2865 section 5.26).
    pub fn vendor_specific(&self) -> impl Iterator<Item = VendorSpecific<'a>> + use<'a> {
        self.find_all(AttributeType::VENDOR_SPECIFIC)
            .filter_map(VendorSpecific::parse)
    }

    /// The first value of one vendor's attribute.
    #[must_use]
    pub fn find_vendor(&self, vendor: VendorId, kind: u8) -> Option<&'a [u8]> {
        self.vendor_specific()
            .filter(|specific| specific.vendor == vendor)
            .flat_map(|specific| specific.attributes())
            .find(|(number, _)| *number == kind)
            .map(|(_, value)| value)
    }

    /// The EAP packet, if there is an EAP-Message. Pieces with another attribute between them
    /// are refused by the typed views, not here.
    #[must_use]
    pub fn eap_message(&self) -> Option<EapMessage<'a>> {
        self.contains(AttributeType::EAP_MESSAGE)
            .then(|| EapMessage::new(self.attributes(), self.seen.eap_octets))
    }

    /// Whether another attribute stands between two pieces of an EAP-Message.
    pub(super) const fn eap_is_split(&self) -> bool {
        self.seen.eap_split
    }

    /// Types that stand more than once.
    pub(super) const fn repeated(&self) -> TypeSet {
        self.seen.repeated
    }

    /// Where the value of the Message-Authenticator begins, if there is one.
    pub(super) fn message_authenticator_at(&self) -> Option<usize> {
        (self.seen.message_authenticator != 0).then_some(self.seen.message_authenticator)
    }
}

/// Walks over the attributes once, checks their lengths and notes what is there.
fn scan(attributes: &[u8]) -> Result<Seen, Malformed> {
    let mut seen = Seen::default();
    let mut rest = attributes;
    let mut left = MAX_ATTRIBUTES;
    let mut previous = None;
    while let [kind, after @ ..] = rest {
        let offset = HEADER.saturating_add(attributes.len().saturating_sub(rest.len()));
        let Some(&length) = after.first() else {
            return Err(Malformed::AttributeOverrun { offset });
        };
        if length < 2 {
            return Err(Malformed::AttributeLength { offset, length });
        }
        let Some((attribute, next)) = attribute::split(rest) else {
            return Err(Malformed::AttributeOverrun { offset });
        };
        left = left.checked_sub(1).ok_or(Malformed::TooManyAttributes)?;
        let kind = AttributeType(*kind);
        let again = seen.present.contains(kind);
        match kind {
            AttributeType::EAP_MESSAGE => {
                seen.eap_split |= again && previous != Some(kind);
                seen.eap_octets = seen.eap_octets.saturating_add(attribute.value.len());
            }
            // RFC 3579 section 3.2: Length is 18.
            AttributeType::MESSAGE_AUTHENTICATOR if length != 18 => {
                return Err(Malformed::AttributeLength { offset, length });
            }
            AttributeType::MESSAGE_AUTHENTICATOR => {
                seen.message_authenticator = offset.saturating_add(2);
            }
            AttributeType(_) => {}
        }
        if again {
            seen.repeated.insert(kind);
        }
        seen.present.insert(kind);
        previous = Some(kind);
        rest = next;
    }
    Ok(seen)
}

impl<'a> IntoIterator for Packet<'a> {
    type Item = Attribute<'a>;
    type IntoIter = Attributes<'a>;

    fn into_iter(self) -> Attributes<'a> {
        self.attributes()
    }
}
