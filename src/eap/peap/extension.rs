//! The Extensions method inside of PEAP ([MS-PEAP] section 2.2.8.1): TLVs, the Result among them.
//!
//! ```text
//! |M|R|   TLV Type (14 bits)   |   Length   |   Value ...
//! ```
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zeroize::Zeroizing;

use super::binding::CRYPTOBINDING;
use crate::eap::packet;
use crate::eap::packet::Type;

/// What an Extensions packet says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions<'a> {
    /// The Result; `None` if there is none or it is neither success nor failure.
    pub success: Option<bool>,
    /// The value of the Cryptobinding TLV.
    pub binding: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    /// Reads what follows the Type; `None` if it cannot be read, a TLV is there twice, or one is
    /// mandatory and not known.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let (mut found, mut rest) = (Self::default(), data);
        while !rest.is_empty() {
            let ([high, kind, length @ ..], after) = rest.split_first_chunk::<4>()?;
            let (value, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = after;
            match (high & 0x3f, *kind) {
                (0, RESULT) if found.success.is_none() => {
                    found.success = match value {
                        [0, 1] => Some(true),
                        [0, 2] => Some(false),
                        _ => return None,
                    };
                }
                (0, CRYPTOBINDING) if found.binding.is_none() => found.binding = Some(value),
                (0, RESULT | CRYPTOBINDING) => return None,
                _ if high & MANDATORY != 0 => return None,
                _ => {}
            }
        }
        Some(found)
    }
}

/// The Request that ends what is said inside. It is never without its EAP header.
pub(super) fn result(identifier: u8, success: bool, binding: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(packet::request(
        identifier,
        Type::EXTENSIONS,
        &tlvs(success, binding),
    ))
}

/// A Result TLV, and a Cryptobinding TLV behind it if it is not empty.
pub(crate) fn tlvs(success: bool, binding: &[u8]) -> Vec<u8> {
    let status = if success { 1 } else { 2 };
    [&[MANDATORY, RESULT, 0, 2, 0, status][..], binding].concat()
}

const MANDATORY: u8 = 0x80;
const RESULT: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tlvs_at_their_boundaries() {
        let said = |success, binding| Some(Extensions { success, binding });
        for (data, expected) in [
            (&[][..], said(None, None)),
            (&[0x80, 3, 0, 2, 0, 1], said(Some(true), None)),
            (&[0x80, 3, 0, 2, 0, 2], said(Some(false), None)),
            (&[0, 3, 0, 2, 0, 1], said(Some(true), None)),
            (&[0x80, 3, 0, 2, 0, 3], None),
            (&[0x80, 3, 0, 1, 1], None),
            (&[0x80, 3, 0, 2, 0], None),
            (&[0x80, 3, 0], None),
            (&[0x80, 3, 0, 2, 0, 1, 0x80, 3, 0, 2, 0, 2], None),
            (&[0, 12, 0, 1, 9], said(None, Some(&[9][..]))),
            (&[0, 12, 0, 0, 0, 12, 0, 0], None),
            (&[0, 7, 0, 1, 9], said(None, None)),
            (&[0x80, 7, 0, 1, 9], None),
            (&[1, 3, 0, 2, 0, 1], said(None, None)),
        ] {
            assert_eq!(Extensions::parse(data), expected, "row {data:?}");
        }
    }
}
