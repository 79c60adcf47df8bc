//! RADIUS/1.1 (RFC 9765) as its client: packets that a Token tells apart, and nothing signed or
//! hidden. TLS does that, so they are never written for another transport.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::radius::attribute::AttributeType;
use crate::radius::client::is_answer;
use crate::radius::code::Code;
use crate::radius::encode::EncodeError;
use crate::radius::error::Unauthentic;
use crate::radius::packet::MAX_PACKET;
use crate::radius::packet::Packet;
use crate::radius::version11;

/// A packet with these attributes.
pub(super) fn write<'b, 'v>(
    buffer: &'b mut [u8; MAX_PACKET],
    code: Code,
    token: u32,
    attributes: impl Iterator<Item = (AttributeType, &'v [u8])>,
) -> Result<&'b [u8], EncodeError> {
    let mut writer = version11::begin(buffer, code, token.to_be_bytes());
    for (kind, value) in attributes {
        writer.attribute(kind, &[value]);
    }
    Ok(writer.finish_unsealed()?.0)
}

/// A Status-Server; `name` is our NAS-Identifier.
///
/// # Errors
///
/// When the name is longer than 253 octets.
pub fn status_server_11<'b>(
    buffer: &'b mut [u8; MAX_PACKET],
    token: u32,
    name: &[u8],
) -> Result<&'b [u8], EncodeError> {
    let attributes = [(AttributeType::NAS_IDENTIFIER, name)];
    write(buffer, Code::StatusServer, token, attributes.into_iter())
}

/// Which request a packet of RADIUS/1.1 belongs to.
#[must_use]
pub fn token_of(packet: &Packet<'_>) -> u32 {
    u32::from_be_bytes(version11::token(packet))
}

/// Checks that `packet` can answer a request of the kind `asked` (RFC 9765 section 4.2). That it
/// answers this one is told by its Token.
///
/// # Errors
///
/// When such a packet answers no such request.
pub fn answer_11(packet: &Packet<'_>, asked: Code) -> Result<(), Unauthentic> {
    if is_answer(packet.code(), asked) {
        Ok(())
    } else {
        Err(Unauthentic::NotTheAnswer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_server_says_its_token_and_our_name_rfc9765_4_1() {
        let mut buffer = [0; MAX_PACKET];
        let octets = status_server_11(&mut buffer, 0x0102_0304, b"us").unwrap();
        let expected = [
            12, 0, 0, 24, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 4, b'u', b's',
        ];
        assert_eq!(octets, expected);
        let packet = Packet::new_checked(octets).unwrap();
        assert_eq!(token_of(&packet), 0x0102_0304);
    }

    #[test]
    fn an_answer_fits_its_question() {
        let mut buffer = [0; MAX_PACKET];
        for (code, asked, fits) in [
            (Code::AccessAccept, Code::AccessRequest, true),
            (Code::AccessAccept, Code::StatusServer, true),
            (Code::AccountingResponse, Code::AccountingRequest, true),
            (Code::AccountingResponse, Code::AccessRequest, false),
            (Code::AccessRequest, Code::AccessRequest, false),
            (Code::CoaRequest, Code::AccessRequest, false),
        ] {
            let octets = write(&mut buffer, code, 7, std::iter::empty()).unwrap();
            let packet = Packet::new_checked(octets).unwrap();
            assert_eq!(answer_11(&packet, asked).is_ok(), fits, "row {code:?}");
        }
    }
}
