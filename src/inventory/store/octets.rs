//! Numbers and texts as octets, and back with every length checked against what is there.

use crate::inventory::store::Damaged;
use crate::model::Timestamp;

/// Takes values from the front of some octets.
#[derive(Clone, Copy)]
pub(super) struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Damaged> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Damaged::Cut)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Damaged::Cut)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Damaged> {
        self.array().map(|[octet]| octet)
    }

    pub(super) fn octets<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        self.array()
    }

    pub(super) fn u16(&mut self) -> Result<u16, Damaged> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Damaged> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Damaged> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Result<u128, Damaged> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, Damaged> {
        let millis = self.u64()?.cast_signed();
        Ok(Timestamp::from_unix_millis(millis))
    }

    /// Octets with their length before them.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], Damaged> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.sized()?).map_err(|_| Damaged::Invalid("text"))
    }

    /// A count of things of at least `each` octets, which must be able to follow.
    pub(super) fn count(&mut self, each: usize) -> Result<usize, Damaged> {
        let count = self.u32()? as usize;
        if count > self.0.len() / each {
            return Err(Damaged::Cut);
        }
        Ok(count)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing may be left.
    pub(super) const fn end(&self) -> Result<(), Damaged> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(Damaged::Trailing)
        }
    }
}

/// Octets with their length before them; what is longer than any name of ours is cut.
pub(super) fn put_sized(out: &mut Vec<u8>, octets: &[u8]) {
    let length = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend(octets.iter().take(usize::from(length)));
}

pub(super) fn put_time(out: &mut Vec<u8>, at: Timestamp) {
    out.extend_from_slice(&at.unix_millis().to_le_bytes());
}

/// A count that is known to fit.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_le_bytes());
}
