//! What a peer would rather speak than what it was offered (RFC 3748 section 5.3).
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

use super::packet::Packet;
use super::packet::Type;

/// The methods a peer would rather speak, from its Nak; empty when it wants none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted(Vec<Type>);

impl Wanted {
    /// Bound on the list: there are not more methods in use than that, further ones are not read.
    pub const MAX: usize = 16;

    /// Reads a legacy Nak, or an Expanded Nak as if it were one: vendors' types are skipped.
    /// `None` when the packet is neither.
    #[must_use]
    pub fn from_nak(packet: &Packet<'_>) -> Option<Self> {
        Self::of(packet.kind()?, packet.data())
    }

    /// The same of a packet's type and data.
    pub(super) fn of(kind: Type, data: &[u8]) -> Option<Self> {
        match kind {
            Type::NAK if !data.is_empty() => Some(Self(
                data.iter()
                    .filter(|&&octet| octet != 0)
                    .take(Self::MAX)
                    .map(|&octet| Type(octet))
                    .collect(),
            )),
            Type::EXPANDED => {
                let list = data.strip_prefix(&EXPANDED_NAK)?;
                let (entries, rest) = list.as_chunks::<8>();
                rest.is_empty().then(|| {
                    Self(
                        entries
                            .iter()
                            .filter_map(ietf_type)
                            .take(Self::MAX)
                            .collect(),
                    )
                })
            }
            Type(_) => None,
        }
    }

    /// The types, in the peer's order.
    #[must_use]
    pub fn types(&self) -> &[Type] {
        &self.0
    }
}

/// Names, joined by commas; "none" for an empty list.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return f.write_str("none");
        };
        write!(f, "{first}")?;
        others.iter().try_for_each(|other| write!(f, ", {other}"))
    }
}

/// The IETF type of one entry: Type 254, Vendor-Id 0, a Vendor-Type below 254.
fn ietf_type(entry: &[u8; 8]) -> Option<Type> {
    match *entry {
        [254, 0, 0, 0, 0, 0, 0, number @ 1..=253] => Some(Type(number)),
        _ => None,
    }
}

/// Vendor-Id 0 and Vendor-Type 3 of an Expanded Nak (RFC 3748 section 5.3.2).
const EXPANDED_NAK: [u8; 7] = [0, 0, 0, 0, 0, 0, 3];

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests fail by panic")]
mod tests {
    use super::*;
    use crate::eap::response;

    fn wanted(kind: Type, data: &[u8]) -> Option<Vec<u8>> {
        let octets = response(1, kind, data);
        let packet = Packet::new_checked(&octets).unwrap();
        let wanted = Wanted::from_nak(&packet)?;
        Some(wanted.types().iter().map(|kind| kind.0).collect())
    }

    #[test]
    fn naks_give_the_wanted_types_rfc3748_5_3() {
        let tls_and_vendor: &[u8] = &[
            0, 0, 0, 0, 0, 0, 3, // Expanded Nak
            254, 0, 0, 0, 0, 0, 0, 13, // EAP-TLS
            254, 0, 1, 55, 0, 0, 0, 33, // a vendor's
        ];
        for (kind, data, expected) in [
            (Type::NAK, &[13, 25][..], Some(vec![13, 25])),
            (Type::NAK, &[0], Some(vec![])),
            (Type::NAK, &[], None),
            (Type::EXPANDED, tls_and_vendor, Some(vec![13])),
            (Type::EXPANDED, &tls_and_vendor[..7], Some(vec![])),
            (Type::EXPANDED, &tls_and_vendor[..14], None),
            (Type::EXPANDED, &[0, 0, 0, 0, 0, 0, 4], None),
            (Type::TLS, &[0], None),
        ] {
            assert_eq!(wanted(kind, data), expected, "row {kind} {data:?}");
        }
        assert_eq!(wanted(Type::NAK, &[9; 100]).unwrap().len(), Wanted::MAX);
    }
}
