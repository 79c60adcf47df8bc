//! Writing attributes into a caller's buffer.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::MAX_VALUE;
use crate::radius::attribute::VendorId;
use crate::radius::authenticator::AUTHENTICATOR;
use crate::radius::authenticator::SharedSecret;
use crate::radius::code::Code;
use crate::radius::packet::HEADER;
use crate::radius::packet::MAX_PACKET;

/// Why a packet cannot be written as asked. Nothing is sent then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The attributes do not fit the buffer, or 4096 octets.
    #[error("the packet does not fit {limit} octets")]
    Overflow {
        /// The smaller of the two.
        limit: usize,
    },
    /// A value is longer than one attribute holds.
    #[error("{kind} has {octets} octets, an attribute holds at most {MAX_VALUE}")]
    ValueTooLong {
        /// Which attribute.
        kind: AttributeType,
        /// Octets of the value.
        octets: usize,
    },
    /// The attribute has no place in that kind of packet, or the builder writes it itself.
    #[error("{kind} has no place in {code}")]
    NotAllowed {
        /// Which attribute.
        kind: AttributeType,
        /// Which packet.
        code: Code,
    },
    /// That kind of reply does not answer that kind of request.
    #[error("{reply} does not answer {request}")]
    WrongAnswer {
        /// The reply's code.
        reply: Code,
        /// The request's code.
        request: Code,
    },
}

/// A packet in the making. It remembers the first error, so that attributes can be added one
/// after the other and the caller asks once.
#[derive(Debug)]
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    end: usize,
    /// Never beyond the buffer.
    limit: usize,
    /// Octets of the limit that are kept for what is written last.
    reserved: usize,
    signed_at: Option<usize>,
    code: Code,
    error: Option<EncodeError>,
}

impl<'b> Writer<'b> {
    /// Begins a packet; `field` is what stands in the authenticator field while signing.
    pub(super) fn new(
        buffer: &'b mut [u8],
        code: Code,
        identifier: u8,
        field: &[u8; AUTHENTICATOR],
        reserved: usize,
    ) -> Self {
        let limit = buffer.len().min(MAX_PACKET);
        let mut writer = Self {
            buffer,
            end: 0,
            limit,
            reserved,
            signed_at: None,
            code,
            error: None,
        };
        writer.octets(&[&[code.number(), identifier, 0, 0], field]);
        writer
    }

    pub(super) const fn code(&self) -> Code {
        self.code
    }

    /// Octets that are left for attributes.
    pub(super) const fn room(&self) -> usize {
        self.limit
            .saturating_sub(self.reserved)
            .saturating_sub(self.end)
    }

    /// From here on the reserved octets may be used.
    pub(super) const fn release(&mut self) {
        self.reserved = 0;
    }

    pub(super) fn fail(&mut self, error: EncodeError) {
        self.error.get_or_insert(error);
    }

    /// One attribute whose value is the parts together.
    pub(super) fn attribute(&mut self, kind: AttributeType, parts: &[&[u8]]) {
        let value: usize = parts.iter().map(|part| part.len()).sum();
        let Ok(length) = u8::try_from(value.saturating_add(2)) else {
            self.fail(EncodeError::ValueTooLong {
                kind,
                octets: value,
            });
            return;
        };
        if usize::from(length) > self.room() {
            self.fail(EncodeError::Overflow { limit: self.limit });
            return;
        }
        self.octets(&[&[kind.0, length]]);
        self.octets(parts);
    }

    /// A vendor's attribute in the form RFC 2865 section 5.26 recommends.
    pub(super) fn vendor(&mut self, vendor: VendorId, number: u8, value: &[u8]) {
        let Ok(length) = u8::try_from(value.len().saturating_add(2)) else {
            self.fail(EncodeError::ValueTooLong {
                kind: AttributeType::VENDOR_SPECIFIC,
                octets: value.len(),
            });
            return;
        };
        let header = [number, length];
        self.attribute(
            AttributeType::VENDOR_SPECIFIC,
            &[&vendor.0.to_be_bytes(), &header, value],
        );
    }

    /// An EAP packet in as many adjacent pieces as it needs (RFC 3579 section 3.1).
    pub(super) fn eap_message(&mut self, packet: &[u8]) {
        for piece in packet.chunks(MAX_VALUE) {
            self.attribute(AttributeType::EAP_MESSAGE, &[piece]);
        }
    }

    /// Attributes that are already encoded.
    pub(super) fn encoded(&mut self, attributes: &[u8]) {
        if attributes.len() > self.room() {
            self.fail(EncodeError::Overflow { limit: self.limit });
            return;
        }
        self.octets(&[attributes]);
    }

    /// Makes room for a Message-Authenticator that [`finish`](Self::finish) fills.
    pub(super) fn message_authenticator(&mut self) {
        self.signed_at = Some(self.end.saturating_add(2));
        self.attribute(AttributeType::MESSAGE_AUTHENTICATOR, &[&[0; AUTHENTICATOR]]);
    }

    /// Writes the length and the Message-Authenticator, and hands the packet over for its
    /// authenticator field to be set.
    pub(super) fn finish(self, secret: &SharedSecret) -> Result<&'b mut [u8], EncodeError> {
        let (packet, signed_at) = self.finish_unsealed()?;
        if let Some(signed_at) = signed_at {
            let field = authenticator_field(packet);
            let signature = secret.message_authenticator(packet, &field, signed_at);
            set_message_authenticator(packet, signed_at, signature.octets());
        }
        Ok(packet)
    }

    /// Writes the length, and says where the Message-Authenticator is still to be filled in.
    pub(super) fn finish_unsealed(self) -> Result<(&'b mut [u8], Option<usize>), EncodeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let overflow = EncodeError::Overflow { limit: self.limit };
        let packet = self.buffer.get_mut(..self.end).ok_or(overflow)?;
        let length = u16::try_from(self.end).map_err(|_| overflow)?;
        put(packet, 2, &length.to_be_bytes());
        Ok((packet, self.signed_at))
    }

    fn octets(&mut self, parts: &[&[u8]]) {
        for part in parts {
            let after = self.end.saturating_add(part.len());
            match self.buffer.get_mut(self.end..after) {
                Some(place) => place.copy_from_slice(part),
                None => self.fail(EncodeError::Overflow { limit: self.limit }),
            }
            self.end = after;
        }
    }
}

/// Sets the authenticator field.
pub(super) fn set_authenticator(packet: &mut [u8], octets: &[u8; AUTHENTICATOR]) {
    put(packet, HEADER.saturating_sub(AUTHENTICATOR), octets);
}

/// Sets the value of the Message-Authenticator.
pub(super) fn set_message_authenticator(
    packet: &mut [u8],
    value_at: usize,
    octets: &[u8; AUTHENTICATOR],
) {
    put(packet, value_at, octets);
}

pub(super) fn authenticator_field(packet: &[u8]) -> [u8; AUTHENTICATOR] {
    packet
        .get(..HEADER)
        .and_then(|header| header.last_chunk::<AUTHENTICATOR>())
        .copied()
        .unwrap_or_default()
}

fn put(packet: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(place) = packet.get_mut(at..at.saturating_add(octets.len())) {
        place.copy_from_slice(octets);
    }
}
