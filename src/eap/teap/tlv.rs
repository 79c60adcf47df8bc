//! What is said inside of TEAP's tunnel: TLVs (RFC 9930 section 4.2).
//!
//! ```text
//! |M|R|   TLV Type (14 bits)   |   Length   |   Value ...
//! ```
//!
//! Peers set M where the RFC does not and the other way round, so what is known is taken with either;
//! M matters of what is not known. PKCS#7, PKCS#10, Trusted-Server-Root, CSR-Attributes and
//! Channel-Binding are not known here.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zeroize::Zeroizing;

/// Whom an identity is of (Identity-Type TLV, section 4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TeapIdentity {
    /// A user.
    User = 1,
    /// A machine.
    Machine = 2,
}

/// One message, as far as it is known here; of each TLV at most one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TeapMessage<'a> {
    /// Identity-Type.
    pub identity: Option<TeapIdentity>,
    /// Result: whether it is success.
    pub result: Option<bool>,
    /// Intermediate-Result: whether it is success.
    pub intermediate: Option<bool>,
    /// NAK: the type that is refused.
    pub nak: Option<u16>,
    /// Error.
    pub error: Option<u32>,
    /// The status of a Request-Action: whether the peer would end with success without it.
    pub action: Option<bool>,
    /// The EAP packet of an EAP-Payload, with its header.
    pub eap: Option<&'a [u8]>,
    /// The value of a Crypto-Binding.
    pub binding: Option<&'a [u8; BINDING]>,
    /// Name and password of a Basic-Password-Auth-Resp.
    pub password: Option<(&'a [u8], &'a [u8])>,
    /// The prompt of a Basic-Password-Auth-Req.
    pub prompt: Option<&'a [u8]>,
    /// The first Identity-Hint: which name the peer has.
    pub hint: Option<&'a [u8]>,
    /// Whether there is a PAC, which RFC 9930 has done away with.
    pub pac: bool,
    /// The first TLV that is mandatory and not known, and the vendor that it is of.
    pub unknown: Option<(u32, u16)>,
}

impl<'a> TeapMessage<'a> {
    /// Reads a message. `None` if it cannot be read, a TLV is there twice that may be there once, or
    /// there are more than `MAX_TLVS`.
    #[must_use]
    pub fn parse(octets: &'a [u8]) -> Option<Self> {
        let (mut message, mut rest) = (Self::default(), octets);
        for _ in 0..MAX_TLVS {
            if rest.is_empty() {
                return Some(message);
            }
            let (tlv, after) = Tlv::split(rest)?;
            message.add(tlv)?;
            rest = after;
        }
        rest.is_empty().then_some(message)
    }

    fn add(
        &mut self,
        Tlv {
            mandatory,
            kind,
            value,
        }: Tlv<'a>,
    ) -> Option<()> {
        match kind {
            IDENTITY_TYPE => once(
                &mut self.identity,
                match value {
                    [0, 1] => TeapIdentity::User,
                    [0, 2] => TeapIdentity::Machine,
                    _ => return None,
                },
            ),
            RESULT => once(&mut self.result, status(value.split_first_chunk::<2>()?)?),
            // Others may stand behind it, about the method that it is of.
            INTERMEDIATE_RESULT => {
                let (status, others) = value.split_first_chunk::<2>()?;
                once(&mut self.intermediate, self::status((status, &[]))?)?;
                self.error = self.error.or_else(|| error_among(others));
                Some(())
            }
            NAK => {
                let (head, _) = value.split_first_chunk::<6>()?;
                let [_, _, _, _, high, low] = *head;
                once(&mut self.nak, u16::from_be_bytes([high, low]))
            }
            ERROR => once(&mut self.error, u32::from_be_bytes(value.try_into().ok()?)),
            REQUEST_ACTION => match value {
                [1, 1 | 2, ..] => once(&mut self.action, true),
                [2, 1 | 2, ..] => once(&mut self.action, false),
                _ => None,
            },
            EAP_PAYLOAD => {
                // TLVs may stand behind the packet, whose length says where.
                let (head, _) = value.split_first_chunk::<4>()?;
                let [_, _, high, low] = *head;
                let length = usize::from(u16::from_be_bytes([high, low]));
                once(&mut self.eap, value.get(..length)?)
            }
            CRYPTO_BINDING => once(&mut self.binding, value.try_into().ok()?),
            BASIC_PASSWORD_REQ => once(&mut self.prompt, value),
            BASIC_PASSWORD_RESP => {
                let (name, rest) = counted(value)?;
                let (password, rest) = counted(rest)?;
                rest.is_empty().then_some(())?;
                once(&mut self.password, (name, password))
            }
            IDENTITY_HINT => {
                self.hint = self.hint.or(Some(value));
                Some(())
            }
            PAC => {
                self.pac = true;
                Some(())
            }
            _ if mandatory => {
                let vendor = match (kind, value.first_chunk::<4>()) {
                    (VENDOR_SPECIFIC, Some(vendor)) => u32::from_be_bytes(*vendor),
                    _ => 0,
                };
                self.unknown = self.unknown.or(Some((vendor, kind)));
                Some(())
            }
            _ => Some(()),
        }
    }
}

/// One TLV.
struct Tlv<'a> {
    mandatory: bool,
    kind: u16,
    value: &'a [u8],
}

impl<'a> Tlv<'a> {
    fn split(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let ([high, low, length @ ..], rest) = octets.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let tlv = Self {
            mandatory: high & MANDATORY != 0,
            kind: u16::from_be_bytes([high & 0x3f, *low]),
            value,
        };
        Some((tlv, rest))
    }
}

/// Takes a value that may be there once.
fn once<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.is_none().then(|| *place = Some(value))
}

/// Success or failure.
fn status((value, rest): (&[u8; 2], &[u8])) -> Option<bool> {
    match value {
        [0, 1] if rest.is_empty() => Some(true),
        [0, 2] if rest.is_empty() => Some(false),
        _ => None,
    }
}

/// What stands behind one octet of length.
fn counted(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// The first Error among TLVs.
fn error_among(mut octets: &[u8]) -> Option<u32> {
    while let Some((tlv, rest)) = Tlv::split(octets) {
        if tlv.kind == ERROR {
            return Some(u32::from_be_bytes(tlv.value.try_into().ok()?));
        }
        octets = rest;
    }
    None
}

/// Whether octets outside of TLS are whole TLVs, in a number and size that make sense (section
/// 4.3.1): what they say is not looked at, but it is bound to what is said inside.
pub(in crate::eap) fn are_outer(octets: &[u8]) -> bool {
    let mut rest = octets;
    for _ in 0..MAX_TLVS {
        match Tlv::split(rest) {
            Some((_, after)) => rest = after,
            None => return rest.is_empty() && octets.len() <= MAX_OUTER,
        }
    }
    false
}

/// Writes messages.
#[derive(Default)]
pub(super) struct Words(pub(super) Zeroizing<Vec<u8>>);

impl Words {
    pub(super) fn tlv(mut self, kind: u16, parts: &[&[u8]]) -> Self {
        // Peers refuse an Identity-Type that is mandatory.
        let flag = match kind {
            IDENTITY_TYPE => 0,
            _ => MANDATORY,
        };
        let [high, low] = kind.to_be_bytes();
        let length = parts.iter().map(|part| part.len()).sum::<usize>();
        // A message of ours is shorter than EAP's length field can say.
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        self.0.extend_from_slice(&[high | flag, low]);
        self.0.extend_from_slice(&length);
        for part in parts {
            self.0.extend_from_slice(part);
        }
        self
    }

    pub(super) fn octets(mut self, octets: &[u8]) -> Self {
        self.0.extend_from_slice(octets);
        self
    }

    pub(super) fn identity(self, identity: TeapIdentity) -> Self {
        self.tlv(IDENTITY_TYPE, &[&[0, identity as u8]])
    }

    pub(super) fn result(self, success: bool) -> Self {
        self.tlv(RESULT, &[&[0, if success { 1 } else { 2 }]])
    }

    pub(super) fn intermediate(self) -> Self {
        self.tlv(INTERMEDIATE_RESULT, &[&[0, 1]])
    }

    pub(super) fn error(self, code: u32) -> Self {
        self.tlv(ERROR, &[&code.to_be_bytes()])
    }

    pub(super) fn nak(self, (vendor, kind): (u32, u16)) -> Self {
        self.tlv(NAK, &[&vendor.to_be_bytes(), &kind.to_be_bytes()])
    }
}

/// TLVs of one message: each of those that are known a few times over.
const MAX_TLVS: usize = 32;

/// Octets of TLVs outside of TLS, which somebody keeps who is not known yet.
const MAX_OUTER: usize = 512;

/// Octets of the value of a Crypto-Binding.
pub(super) const BINDING: usize = 76;

const MANDATORY: u8 = 0x80;

pub(super) const AUTHORITY_ID: u16 = 1;
const IDENTITY_TYPE: u16 = 2;
const RESULT: u16 = 3;
const NAK: u16 = 4;
const ERROR: u16 = 5;
const VENDOR_SPECIFIC: u16 = 7;
const REQUEST_ACTION: u16 = 8;
pub(super) const EAP_PAYLOAD: u16 = 9;
const INTERMEDIATE_RESULT: u16 = 10;
const PAC: u16 = 11;
pub(super) const CRYPTO_BINDING: u16 = 12;
pub(super) const BASIC_PASSWORD_REQ: u16 = 13;
const BASIC_PASSWORD_RESP: u16 = 14;
const IDENTITY_HINT: u16 = 19;

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests fail by panic")]
mod tests {
    use super::*;

    #[test]
    fn messages_at_their_boundaries_rfc9930_4_2() {
        let none = TeapMessage::default;
        let result = |success| {
            Some(TeapMessage {
                result: Some(success),
                ..none()
            })
        };
        for (octets, expected) in [
            (&[][..], Some(none())),
            (&[0x80, 3, 0, 2, 0, 1], result(true)),
            (&[0, 3, 0, 2, 0, 2], result(false)),
            (&[0x80, 3, 0, 2, 0, 3], None),
            (&[0x80, 3, 0, 1, 1], None),
            (&[0x80, 3, 0, 3, 0, 1, 0], None),
            (&[0x80, 3, 0, 2, 0], None),
            (&[0x80, 3, 0], None),
            (&[0x80, 3, 0, 2, 0, 1, 0x80, 3, 0, 2, 0, 1], None),
            (
                &[0, 2, 0, 2, 0, 2],
                Some(TeapMessage {
                    identity: Some(TeapIdentity::Machine),
                    ..none()
                }),
            ),
            (&[0, 2, 0, 2, 0, 0], None),
            (
                &[0x80, 10, 0, 10, 0, 2, 0x80, 5, 0, 4, 0, 0, 3, 0xe9],
                Some(TeapMessage {
                    intermediate: Some(false),
                    error: Some(1001),
                    ..none()
                }),
            ),
            (
                &[0x80, 4, 0, 6, 0, 0, 0, 0, 0, 13],
                Some(TeapMessage {
                    nak: Some(13),
                    ..none()
                }),
            ),
            (&[0x80, 4, 0, 5, 0, 0, 0, 0, 0], None),
            (
                &[0x80, 9, 0, 7, 2, 7, 0, 5, 1, 0xff, 0xff],
                Some(TeapMessage {
                    eap: Some(&[2, 7, 0, 5, 1]),
                    ..none()
                }),
            ),
            (&[0x80, 9, 0, 4, 2, 7, 0, 5], None),
            (&[0x80, 9, 0, 3, 2, 7, 0], None),
            (
                &[0x80, 14, 0, 5, 1, b'a', 2, b'b', b'c'],
                Some(TeapMessage {
                    password: Some((b"a", b"bc")),
                    ..none()
                }),
            ),
            (&[0x80, 14, 0, 5, 1, b'a', 3, b'b', b'c'], None),
            (&[0x80, 14, 0, 5, 1, b'a', 1, b'b', b'c'], None),
            (&[0x80, 12, 0, 1, 9], None),
            (&[0, 99, 0, 1, 9], Some(none())),
            (
                &[0x80, 99, 0, 1, 9, 0x80, 98, 0, 0],
                Some(TeapMessage {
                    unknown: Some((0, 99)),
                    ..none()
                }),
            ),
            (
                &[0x80, 7, 0, 4, 0, 0, 1, 55],
                Some(TeapMessage {
                    unknown: Some((311, 7)),
                    ..none()
                }),
            ),
            (
                &[0x80, 11, 0, 0],
                Some(TeapMessage {
                    pac: true,
                    ..none()
                }),
            ),
            (
                &[0x80, 8, 0, 2, 2, 1],
                Some(TeapMessage {
                    action: Some(false),
                    ..none()
                }),
            ),
            (&[0x80, 8, 0, 2, 3, 1], None),
        ] {
            assert_eq!(TeapMessage::parse(octets), expected, "row {octets:?}");
        }
        assert!(TeapMessage::parse(&[0, 99, 0, 0].repeat(MAX_TLVS)).is_some());
        assert!(TeapMessage::parse(&[0, 99, 0, 0].repeat(MAX_TLVS + 1)).is_none());
    }

    #[test]
    fn outer_tlvs_are_whole_and_few() {
        for (octets, good) in [
            (&[][..], true),
            (&[0, 1, 0, 1, 9], true),
            (&[0, 1, 0, 2, 9], false),
            (&[0, 1, 0], false),
        ] {
            assert_eq!(are_outer(octets), good, "row {octets:?}");
        }
        assert!(!are_outer(&[0, 99, 0, 0].repeat(MAX_TLVS + 1)));
        let long = [&[0, 1, 2, 0][..], &[0; 512]].concat();
        assert!(!are_outer(&long));
    }
}
