//! Attribute-value pairs inside of EAP-TTLS (RFC 5281 section 10.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                           AVP Code                            |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V M r r r r r r|                  AVP Length                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                   Vendor-ID, if V                             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    Data ...
//! +-+-+-+-+-+-+-+-+
//! ```
//!
//! Padded with zeros to four octets; the padding of the last one may be missing.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use zeroize::Zeroizing;

/// One pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Avp<'a> {
    /// 0 for attributes of RADIUS.
    pub vendor: u32,
    /// The attribute's number.
    pub code: u32,
    /// Whether a receiver that does not know it has to refuse.
    pub mandatory: bool,
    /// The value.
    pub data: &'a [u8],
}

/// The pairs of a message, in their order. After the first that cannot be read there is an error
/// and no other one.
#[derive(Clone, Debug)]
pub struct Avps<'a>(&'a [u8]);

impl<'a> Avps<'a> {
    /// Of what was said inside.
    #[must_use]
    pub const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    fn read(&mut self) -> Option<Avp<'a>> {
        let (code, rest) = self.0.split_first_chunk::<4>()?;
        let ([flags, high, middle, low], rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).ok()?;
        let (vendor, head, rest) = if flags & VENDOR == 0 {
            ([0; 4], 8_usize, rest)
        } else {
            let (vendor, rest) = rest.split_first_chunk::<4>()?;
            (*vendor, 12, rest)
        };
        let (data, rest) = rest.split_at_checked(length.checked_sub(head)?)?;
        let padding = length.next_multiple_of(4).checked_sub(length)?;
        self.0 = rest.get(padding..).unwrap_or(&[]);
        Some(Avp {
            vendor: u32::from_be_bytes(vendor),
            code: u32::from_be_bytes(*code),
            mandatory: flags & MANDATORY != 0,
            data,
        })
    }
}

/// Octets that are no pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAvp;

impl<'a> Iterator for Avps<'a> {
    type Item = Result<Avp<'a>, BadAvp>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let read = self.read().ok_or(BadAvp);
        if read.is_err() {
            self.0 = &[];
        }
        Some(read)
    }
}

/// Appends a mandatory pair. Of more than 16,777,203 octets of data nothing is written.
pub(crate) fn push(to: &mut Zeroizing<Vec<u8>>, vendor: u32, code: u32, data: &[u8]) {
    let head: usize = if vendor == 0 { 8 } else { 12 };
    let length = head.saturating_add(data.len());
    let Some([0, high, middle, low]) = u32::try_from(length).ok().map(u32::to_be_bytes) else {
        return;
    };
    let flags = if vendor == 0 { 0 } else { VENDOR } | MANDATORY;
    to.extend_from_slice(&code.to_be_bytes());
    to.extend_from_slice(&[flags, high, middle, low]);
    if vendor != 0 {
        to.extend_from_slice(&vendor.to_be_bytes());
    }
    to.extend_from_slice(data);
    let padding = length.next_multiple_of(4).saturating_sub(length);
    to.extend(std::iter::repeat_n(0, padding));
}

const VENDOR: u8 = 0x80;
const MANDATORY: u8 = 0x40;

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests fail by panic")]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Vec<Result<Avp<'_>, BadAvp>> {
        Avps::new(octets).collect()
    }

    #[test]
    fn lengths_at_their_boundaries_rfc5281_10_1() {
        let avp = |data| {
            Ok(Avp {
                vendor: 0,
                code: 1,
                mandatory: false,
                data,
            })
        };
        let of_vendor = Ok(Avp {
            vendor: 311,
            code: 1,
            mandatory: true,
            data: &[7],
        });
        for (octets, expected) in [
            (&[][..], vec![]),
            (&[0, 0, 0, 1, 0, 0, 0], vec![Err(BadAvp)]),
            (&[0, 0, 0, 1, 0, 0, 0, 7], vec![Err(BadAvp)]),
            (&[0, 0, 0, 1, 0, 0, 0, 8], vec![avp(&[])]),
            (&[0, 0, 0, 1, 0, 0, 0, 9], vec![Err(BadAvp)]),
            (&[0, 0, 0, 1, 0, 0, 0, 9, 5], vec![avp(&[5])]),
            (&[0, 0, 0, 1, 0, 0, 0, 9, 5, 0, 0], vec![avp(&[5])]),
            (
                &[0, 0, 0, 1, 0, 0, 0, 9, 5, 0, 0, 0, 9],
                vec![avp(&[5]), Err(BadAvp)],
            ),
            (&[0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 5], vec![Err(BadAvp)]),
            (
                &[0, 0, 0, 1, 0x80, 0, 0, 11, 0, 0, 1, 55],
                vec![Err(BadAvp)],
            ),
            (
                &[0, 0, 0, 1, 0xc0, 0, 0, 13, 0, 0, 1, 55, 7],
                vec![of_vendor],
            ),
        ] {
            assert_eq!(read(octets), expected, "row {octets:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for length in 0..=8 {
            let mut octets = Zeroizing::default();
            push(&mut octets, 0, 79, &[1; 8][..length]);
            push(&mut octets, 311, 26, b"S=");
            assert_eq!(octets.len() % 4, 0);
            let found = read(&octets);
            assert_eq!(found.len(), 2, "row {length}");
            let second = found[1].unwrap();
            assert_eq!((second.vendor, second.code), (311, 26));
            assert_eq!(second.data, b"S=");
        }
    }
}
