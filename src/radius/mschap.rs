//! MSCHAP in RADIUS (RFC 2548 sections 2.1 and 2.3), as VPN concentrators send it.

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::error::NasMisbehaved;
use crate::radius::packet::Packet;

/// An answer to a challenge of the NAS.
#[derive(Clone, Copy, Debug)]
pub enum MsChap<'a> {
    /// Version 1, MS-CHAP-Response.
    V1 {
        /// The identifier of the exchange.
        identifier: u8,
        /// What the NAS challenged the peer with.
        challenge: &'a [u8; 8],
        /// NT-Response. The LAN Manager response beside it is not looked at: it is broken.
        response: &'a [u8; 24],
    },
    /// Version 2, MS-CHAP2-Response.
    V2 {
        /// The identifier of the exchange.
        identifier: u8,
        /// What the NAS challenged the peer with.
        challenge: &'a [u8; 16],
        /// What the peer challenged this side with.
        peer_challenge: &'a [u8; 16],
        /// NT-Response.
        response: &'a [u8; 24],
    },
}

impl<'a> MsChap<'a> {
    /// Reads it; `None` if the request has none.
    pub(super) fn read(packet: &Packet<'a>) -> Result<Option<Self>, NasMisbehaved> {
        if !packet.contains(AttributeType::VENDOR_SPECIFIC) {
            return Ok(None);
        }
        let first = one(packet, MS_CHAP_RESPONSE)?;
        let second = one(packet, MS_CHAP2_RESPONSE)?;
        let (value, is_first) = match (first, second) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(NasMisbehaved::ConflictingCredentials),
            (Some(value), None) => (value, true),
            (None, Some(value)) => (value, false),
        };
        let challenge = one(packet, MS_CHAP_CHALLENGE)?
            .ok_or(NasMisbehaved::Missing(AttributeType::VENDOR_SPECIFIC))?;
        let read = if is_first {
            Self::first(value, challenge)
        } else {
            Self::second(value, challenge)
        };
        read.map(Some).ok_or(NasMisbehaved::PasswordLength {
            kind: AttributeType::VENDOR_SPECIFIC,
            octets: value.len(),
        })
    }

    /// Identifier, flags, LM-Response, NT-Response. Without its flag an NT-Response is none.
    fn first(value: &'a [u8], challenge: &'a [u8]) -> Option<Self> {
        let value: &[u8; RESPONSE] = value.try_into().ok()?;
        let ([identifier, flags], rest) = value.split_first_chunk()?;
        (flags & USE_NT_RESPONSE != 0).then_some(())?;
        Some(Self::V1 {
            identifier: *identifier,
            challenge: challenge.try_into().ok()?,
            response: rest.last_chunk()?,
        })
    }

    /// Identifier, flags, Peer-Challenge, eight reserved octets, Response.
    fn second(value: &'a [u8], challenge: &'a [u8]) -> Option<Self> {
        let value: &[u8; RESPONSE] = value.try_into().ok()?;
        let ([identifier, _], rest) = value.split_first_chunk()?;
        Some(Self::V2 {
            identifier: *identifier,
            challenge: challenge.try_into().ok()?,
            peer_challenge: rest.first_chunk()?,
            response: rest.last_chunk()?,
        })
    }
}

/// The value of an attribute of Microsoft's that may stand once.
fn one<'a>(packet: &Packet<'a>, kind: u8) -> Result<Option<&'a [u8]>, NasMisbehaved> {
    let mut values = packet
        .vendor_specific()
        .filter(|specific| specific.vendor == VendorId::MICROSOFT)
        .flat_map(|specific| specific.attributes())
        .filter(|(number, _)| *number == kind)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(NasMisbehaved::Repeated(AttributeType::VENDOR_SPECIFIC)),
        (value, None) => Ok(value),
    }
}

/// Attributes of Microsoft's (RFC 2548).
const MS_CHAP_RESPONSE: u8 = 1;
pub(super) const MS_CHAP_ERROR: u8 = 2;
pub(super) const MS_MPPE_ENCRYPTION_POLICY: u8 = 7;
/// MS-CHAP-MPPE-Keys (RFC 2548 section 2.4.1).
pub(super) const MS_CHAP_MPPE_KEYS: u8 = 12;
pub(super) const MS_MPPE_ENCRYPTION_TYPES: u8 = 8;
const MS_CHAP_CHALLENGE: u8 = 11;
const MS_CHAP2_RESPONSE: u8 = 25;
pub(super) const MS_CHAP2_SUCCESS: u8 = 26;

/// Octets of either response.
const RESPONSE: usize = 50;

/// Flags of MS-CHAP-Response (RFC 2548 section 2.1.3).
const USE_NT_RESPONSE: u8 = 1;
