//! EAP packets: octets to values and back (RFC 3748 section 4).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Code      |  Identifier   |            Length             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Type      |  Type-Data ...
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

/// What a packet is for (RFC 3748 section 4).
///
/// Initiate and Finish (RFC 6696) are not spoken here and count as unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// 1, from the server.
    Request,
    /// 2, from the peer.
    Response,
    /// 3, the last word of a server that is content.
    Success,
    /// 4, the last word of a server that is not.
    Failure,
}

impl Code {
    const fn from_octet(octet: u8) -> Option<Self> {
        match octet {
            1 => Some(Self::Request),
            2 => Some(Self::Response),
            3 => Some(Self::Success),
            4 => Some(Self::Failure),
            _ => None,
        }
    }

    const fn octet(self) -> u8 {
        match self {
            Self::Request => 1,
            Self::Response => 2,
            Self::Success => 3,
            Self::Failure => 4,
        }
    }
}

/// The Type octet of a Request or Response: what its data means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Type(pub u8);

impl Type {
    /// Who the peer says it is (RFC 3748 section 5.1).
    pub const IDENTITY: Self = Self(1);
    /// A message for a person (RFC 3748 section 5.2).
    pub const NOTIFICATION: Self = Self(2);
    /// "Not this method" (RFC 3748 section 5.3.1).
    pub const NAK: Self = Self(3);
    /// A password in clear (RFC 3748 section 5.6).
    pub const GTC: Self = Self(6);
    /// EAP-TLS (RFC 5216, RFC 9190).
    pub const TLS: Self = Self(13);
    /// EAP-TTLS (RFC 5281).
    pub const TTLS: Self = Self(21);
    /// PEAP.
    pub const PEAP: Self = Self(25);
    /// EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2).
    pub const MSCHAPV2: Self = Self(26);
    /// The Extensions method of [MS-PEAP], inside of PEAP only.
    pub const EXTENSIONS: Self = Self(33);
    /// TEAP (RFC 9930).
    pub const TEAP: Self = Self(55);
    /// A vendor's type follows (RFC 3748 section 5.7).
    pub const EXPANDED: Self = Self(254);
}

/// The method's usual name, or the number.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("Identity"),
            2 => f.write_str("Notification"),
            3 => f.write_str("Nak"),
            4 => f.write_str("EAP-MD5"),
            6 => f.write_str("EAP-GTC"),
            13 => f.write_str("EAP-TLS"),
            21 => f.write_str("EAP-TTLS"),
            25 => f.write_str("PEAP"),
            26 => f.write_str("EAP-MSCHAPv2"),
            43 => f.write_str("EAP-FAST"),
            52 => f.write_str("EAP-pwd"),
            55 => f.write_str("TEAP"),
            254 => f.write_str("Expanded"),
            number => write!(f, "type {number}"),
        }
    }
}

/// One EAP packet whose lengths have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    code: Code,
    identifier: u8,
    kind: Option<Type>,
    data: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Checks code and lengths. Octets beyond the packet's Length are padding and ignored.
    ///
    /// # Errors
    ///
    /// When the packet has to be dropped without an answer (RFC 3748 section 4).
    pub fn new_checked(octets: &'a [u8]) -> Result<Self, Malformed> {
        let [code, identifier, high, low, ..] = *octets else {
            return Err(Malformed::Short {
                octets: octets.len(),
            });
        };
        let announced = usize::from(u16::from_be_bytes([high, low]));
        let packet = octets.get(..announced).ok_or(Malformed::Length {
            announced,
            present: octets.len(),
        })?;
        let body = packet.get(HEADER..).ok_or(Malformed::Length {
            announced,
            present: octets.len(),
        })?;
        let code = Code::from_octet(code).ok_or(Malformed::Code(code))?;
        let (kind, data) = match (code, body) {
            (Code::Request | Code::Response, [kind, data @ ..]) => (Some(Type(*kind)), data),
            (Code::Request | Code::Response, []) => return Err(Malformed::NoType),
            (Code::Success | Code::Failure, []) => (None, body),
            (Code::Success | Code::Failure, _) => return Err(Malformed::Verbose { announced }),
        };
        Ok(Self {
            code,
            identifier,
            kind,
            data,
        })
    }

    /// What the packet is for.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Pairs a Response with its Request.
    #[must_use]
    pub const fn identifier(&self) -> u8 {
        self.identifier
    }

    /// The Type; Success and Failure have none.
    #[must_use]
    pub const fn kind(&self) -> Option<Type> {
        self.kind
    }

    /// What follows the Type.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// Octets of a Request.
///
/// # Panics
///
/// When `data` has more than 65,530 octets: no lower layer carries such a packet.
#[must_use]
pub fn request(identifier: u8, kind: Type, data: &[u8]) -> Vec<u8> {
    encode(Code::Request, identifier, kind, data)
}

/// Octets of a Response.
///
/// # Panics
///
/// When `data` has more than 65,530 octets.
#[must_use]
pub fn response(identifier: u8, kind: Type, data: &[u8]) -> Vec<u8> {
    encode(Code::Response, identifier, kind, data)
}

/// Octets of a Success. `identifier` is that of the Response it answers.
#[must_use]
pub const fn success(identifier: u8) -> [u8; 4] {
    [Code::Success.octet(), identifier, 0, 4]
}

/// Octets of a Failure. `identifier` is that of the Response it answers.
#[must_use]
pub const fn failure(identifier: u8) -> [u8; 4] {
    [Code::Failure.octet(), identifier, 0, 4]
}

fn encode(code: Code, identifier: u8, kind: Type, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len().saturating_add(OVERHEAD))
        .expect("callers bound the data by the fragment size or the length of an identity");
    let mut octets = Vec::with_capacity(usize::from(length));
    octets.extend_from_slice(&[code.octet(), identifier]);
    octets.extend_from_slice(&length.to_be_bytes());
    octets.push(kind.0);
    octets.extend_from_slice(data);
    octets
}

/// Why octets are no EAP packet; all of them are dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Shorter than a header.
    #[error("{octets} octets are no EAP header")]
    Short {
        /// How many there were.
        octets: usize,
    },
    /// The Length is less than a header or more than what is there.
    #[error("the length says {announced} octets and {present} are present")]
    Length {
        /// The Length field.
        announced: usize,
        /// How many there were.
        present: usize,
    },
    /// A code that is not spoken here.
    #[error("unknown code {0}")]
    Code(u8),
    /// A Request or Response without a Type.
    #[error("the type is missing")]
    NoType,
    /// A Success or Failure of more than four octets.
    #[error("a success or failure of {announced} octets")]
    Verbose {
        /// The Length field.
        announced: usize,
    },
}

/// Code, Identifier and Length.
const HEADER: usize = 4;

/// Octets before the Type-Data.
pub(super) const OVERHEAD: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_at_their_boundaries() {
        let short = |octets| Err(Malformed::Short { octets });
        let length = |announced, present| Err(Malformed::Length { announced, present });
        let ok = |data| {
            Ok(Packet {
                code: Code::Response,
                identifier: 7,
                kind: Some(Type::TLS),
                data,
            })
        };
        for (octets, expected) in [
            (&[][..], short(0)),
            (&[2, 7, 0], short(3)),
            (&[2, 7, 0, 0], length(0, 4)),
            (&[2, 7, 0, 3, 13], length(3, 5)),
            (&[2, 7, 0, 4], Err(Malformed::NoType)),
            (&[2, 7, 0, 5], length(5, 4)),
            (&[2, 7, 0, 5, 13], ok(&[])),
            (&[2, 7, 0, 6, 13, 1], ok(&[1])),
            (&[2, 7, 0, 6, 13, 1, 9, 9], ok(&[1])),
            (&[2, 7, 0xff, 0xff, 13, 1], length(65535, 6)),
            (&[0, 7, 0, 5, 13], Err(Malformed::Code(0))),
            (&[5, 7, 0, 5, 13], Err(Malformed::Code(5))),
            (&[3, 7, 0, 5, 1], Err(Malformed::Verbose { announced: 5 })),
        ] {
            assert_eq!(Packet::new_checked(octets), expected, "row {octets:?}");
        }
        let success = success(7);
        let success = Packet::new_checked(&success).unwrap();
        assert_eq!((success.code(), success.kind()), (Code::Success, None));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let octets = request(3, Type::IDENTITY, b"hello");
        let packet = Packet::new_checked(&octets).unwrap();
        assert_eq!(packet.code(), Code::Request);
        assert_eq!(packet.identifier(), 3);
        assert_eq!(packet.kind(), Some(Type::IDENTITY));
        assert_eq!(packet.data(), b"hello");
    }
}
