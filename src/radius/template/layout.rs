//! What stands before a value: the types and lengths of the attribute and of all it is inside of.

use crate::radius::attribute::MAX_VALUE;
use crate::radius::attribute::VendorId;
use crate::radius::dictionary::Space;
use crate::radius::dictionary::VendorFormat;

/// The octets before a value, and which of them are lengths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    head: Vec<u8>,
    lengths: Vec<Length>,
    /// How a value too long for one attribute goes on, if it does.
    goes_on: Option<GoesOn>,
    /// Where the innermost of at least two TLV headers begins.
    inner: Option<usize>,
}

/// A length field of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Length {
    at: usize,
    /// 1 or 2 octets.
    octets: u8,
    /// The first octet that it counts; it counts to the end of the value.
    from: usize,
}

/// In attributes that begin with the first `repeated` octets of the head, with the bit `MORE` in
/// the octet at `flags` of all but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct GoesOn {
    repeated: usize,
    flags: usize,
}

impl Layout {
    /// Of an attribute with that path of numbers, of which each is known to fit its place.
    pub(super) fn new(space: Space, numbers: &[u32], format: VendorFormat) -> Self {
        let mut layout = Self {
            head: Vec::new(),
            lengths: Vec::new(),
            goes_on: None,
            inner: None,
        };
        let (first, inner) = match numbers.split_first() {
            Some((first, inner)) => (*first, inner),
            None => (0, numbers),
        };
        match space {
            Space::Standard | Space::Internal => layout.header(first),
            Space::Vendor(vendor) => layout.vendor(vendor, first, format),
            Space::Extended(number) => layout.extended(number, first),
            Space::ExtendedVendor(number, vendor) => {
                layout.extended(number, EXTENDED_VENDOR_SPECIFIC);
                layout.head.extend_from_slice(&vendor.0.to_be_bytes());
                layout.head.push(low_octet(first));
            }
        }
        for number in inner {
            layout.inner = Some(layout.head.len());
            layout.header(*number);
        }
        if !inner.is_empty() {
            // A TLV is whole in one attribute, unless its own length says otherwise.
            layout.goes_on = layout
                .goes_on
                .filter(|_| matches!(space, Space::Extended(_)));
        }
        layout
    }

    /// Type and length of one octet each.
    fn header(&mut self, number: u32) {
        let from = self.head.len();
        self.head.extend_from_slice(&[low_octet(number), 0]);
        self.length(from + 1, 1, from);
    }

    fn length(&mut self, at: usize, octets: u8, from: usize) {
        self.lengths.push(Length { at, octets, from });
    }

    fn vendor(&mut self, vendor: VendorId, number: u32, format: VendorFormat) {
        self.header(VENDOR_SPECIFIC);
        self.head.extend_from_slice(&vendor.0.to_be_bytes());
        let from = self.head.len();
        let number = number.to_be_bytes();
        let own = number.len().saturating_sub(usize::from(format.type_octets));
        self.head
            .extend_from_slice(number.get(own..).unwrap_or(&[]));
        let at = self.head.len();
        for _ in 0..format.length_octets {
            self.head.push(0);
        }
        if format.length_octets > 0 {
            self.length(at, format.length_octets, from);
        }
        if format.continued {
            let flags = self.head.len();
            self.head.push(0);
            self.goes_on = Some(GoesOn {
                repeated: self.head.len(),
                flags,
            });
        }
    }

    /// RFC 6929 sections 2.1 and 2.2.
    fn extended(&mut self, number: u8, inner: u32) {
        self.header(u32::from(number));
        self.head.push(low_octet(inner));
        if number >= FIRST_LONG {
            let flags = self.head.len();
            self.head.push(0);
            self.goes_on = Some(GoesOn {
                repeated: self.head.len(),
                flags,
            });
        }
    }

    /// Octets before the value.
    pub(super) const fn head(&self) -> usize {
        self.head.len()
    }

    /// The most octets of a value in one attribute.
    pub(super) fn limit(&self) -> usize {
        let limits = self.lengths.iter().map(|length| {
            let counted = self.head.len() - length.from;
            let largest = match length.octets {
                1 => usize::from(u8::MAX),
                _ => usize::from(u16::MAX),
            };
            largest.saturating_sub(counted)
        });
        limits.min().unwrap_or(0)
    }

    /// The most octets of a value at all.
    pub(super) fn longest(&self, concat: bool) -> usize {
        if concat || self.goes_on.is_some() {
            // TLVs inside have a length of their own.
            match self.inner {
                Some(_) => self.limit(),
                None => MAX_CONTINUED,
            }
        } else {
            self.limit()
        }
    }

    /// The attribute with that value, or the attributes where it goes on; `None` if it is too long.
    pub(super) fn wrap(&self, value: &[u8], concat: bool) -> Option<Vec<u8>> {
        if value.len() > self.longest(concat) {
            return None;
        }
        if value.len() <= self.limit() {
            let mut whole = self.head.clone();
            for length in &self.lengths {
                let count = self.head.len() - length.from + value.len();
                set(whole.get_mut(length.at..)?, length.octets, count)?;
            }
            whole.extend_from_slice(value);
            return Some(whole);
        }
        match self.goes_on {
            Some(goes_on) => self.in_pieces(goes_on, value),
            None => {
                let pieces = value.chunks(MAX_VALUE).map(|piece| self.wrap(piece, false));
                pieces.collect::<Option<Vec<_>>>().map(|all| all.concat())
            }
        }
    }

    fn in_pieces(&self, goes_on: GoesOn, value: &[u8]) -> Option<Vec<u8>> {
        let (repeated, rest) = self.head.split_at_checked(goes_on.repeated)?;
        let payload = [rest, value].concat();
        let mut pieces = payload
            .chunks(usize::from(u8::MAX) - repeated.len())
            .peekable();
        let mut whole = Vec::new();
        while let Some(piece) = pieces.next() {
            let start = whole.len();
            whole.extend_from_slice(repeated);
            let attribute = whole.get_mut(start..)?;
            for length in self
                .lengths
                .iter()
                .filter(|length| length.at < repeated.len())
            {
                let count = repeated.len() - length.from + piece.len();
                set(attribute.get_mut(length.at..)?, length.octets, count)?;
            }
            if pieces.peek().is_some() {
                *attribute.get_mut(goes_on.flags)? |= MORE;
            }
            whole.extend_from_slice(piece);
        }
        Some(whole)
    }

    /// For an attribute inside a TLV: the layout of what is around it, and its own.
    pub(super) fn parent(&self) -> Option<(Self, Self)> {
        let at = self.inner?;
        let lengths = self.lengths.iter();
        let outer = lengths.clone().filter(|length| length.from < at);
        let own = lengths.filter(|length| length.from >= at);
        let own = own.map(|length| Length {
            at: length.at - at,
            from: length.from - at,
            ..*length
        });
        let parent = Self {
            head: self.head.get(..at)?.to_vec(),
            lengths: outer.copied().collect(),
            goes_on: None,
            inner: None,
        };
        let own = Self {
            head: self.head.get(at..)?.to_vec(),
            lengths: own.collect(),
            goes_on: None,
            inner: None,
        };
        Some((parent, own))
    }

    /// Begins the attribute in `place` for a value of that many octets, which the caller puts
    /// after what is returned; nothing is allocated.
    pub(super) fn begin(&self, place: &mut [u8], value: usize) -> Option<usize> {
        place
            .get_mut(..self.head.len())?
            .copy_from_slice(&self.head);
        for length in &self.lengths {
            let count = self
                .head
                .len()
                .checked_sub(length.from)?
                .checked_add(value)?;
            set(place.get_mut(length.at..)?, length.octets, count)?;
        }
        Some(self.head.len())
    }
}

/// Writes a length; `None` if it does not fit.
fn set(place: &mut [u8], octets: u8, count: usize) -> Option<()> {
    if octets == 1 {
        *place.first_mut()? = u8::try_from(count).ok()?;
    } else {
        let count = u16::try_from(count).ok()?;
        *place.first_chunk_mut::<2>()? = count.to_be_bytes();
    }
    Some(())
}

/// Numbers were checked against their place when the dictionary was read.
fn low_octet(number: u32) -> u8 {
    let [.., low] = number.to_be_bytes();
    low
}

/// Octets of a hidden value: the tag, the salt, and whole blocks of length, value and zeros
/// (RFC 2868 section 3.5).
pub(super) fn hidden_length(plain: usize, tag: Option<u8>) -> usize {
    usize::from(tag.is_some()) + SALT + (1 + plain).next_multiple_of(BLOCK)
}

/// The most octets that can be hidden in that layout.
pub(super) fn most_hidden(layout: &Layout, tag: Option<u8>) -> usize {
    let room = layout
        .limit()
        .saturating_sub(usize::from(tag.is_some()) + SALT);
    (room / BLOCK * BLOCK).saturating_sub(1)
}

const SALT: usize = 2;
const BLOCK: usize = 16;

const VENDOR_SPECIFIC: u32 = 26;
const EXTENDED_VENDOR_SPECIFIC: u32 = 26;
/// Attributes 245 and 246 are the long ones.
const FIRST_LONG: u8 = 245;
/// The value goes on in the next attribute: RFC 6929 section 2.2, and WiMAX's octet likewise.
const MORE: u8 = 0x80;
/// A value over several attributes: a packet has 4096 octets, and other things to carry.
const MAX_CONTINUED: usize = 2048;
