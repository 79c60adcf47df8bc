//! The part of BER that LDAP is written in (RFC 4511 section 5.1): definite lengths, and tags of one
//! octet.
//!
//! A reader goes through one level of elements and never calls itself, so that no nesting, however deep,
//! costs more than its octets.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// Octets that are no BER, or not what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server's answer is malformed")]
pub(super) struct Malformed;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Elements, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag and its content.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let Some(header) = Header::read(self.0)? else {
            return Err(Malformed);
        };
        let (tag, length) = (header.tag, header.length);
        let rest = self.0.get(header.octets..).ok_or(Malformed)?;
        let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok((tag, content))
    }

    /// The content of the next element, which has this tag.
    pub(super) fn tagged(&mut self, wanted: u8) -> Result<&'a [u8], Malformed> {
        match self.any()? {
            (tag, content) if tag == wanted => Ok(content),
            _ => Err(Malformed),
        }
    }

    /// The elements in the next one, which has this tag.
    pub(super) fn nested(&mut self, wanted: u8) -> Result<Self, Malformed> {
        self.tagged(wanted).map(Self)
    }

    /// A number from 0 to 2^31 - 1 (RFC 4511 section 4.1.1, maxInt).
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, Malformed> {
        let octets = self.tagged(tag)?;
        if octets.is_empty() || octets.len() > 5 || octets.first().is_some_and(|first| *first > 127)
        {
            return Err(Malformed);
        }
        let value = octets
            .iter()
            .fold(0_u64, |value, octet| value << 8 | u64::from(*octet));
        u32::try_from(value)
            .ok()
            .filter(|value| *value <= MAX_INT)
            .ok_or(Malformed)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.tagged(OCTET_STRING)?).map_err(|_| Malformed)
    }
}

/// What stands before the content of an element.
struct Header {
    octets: usize,
    tag: u8,
    length: usize,
}

impl Header {
    /// `None` while octets are missing.
    fn read(octets: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some((tag, rest)) = octets.split_first() else {
            return Ok(None);
        };
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let Some((first, rest)) = rest.split_first() else {
            return Ok(None);
        };
        let more = match *first {
            short @ ..=0x7f => {
                return Ok(Some(Self {
                    octets: 2,
                    tag: *tag,
                    length: short.into(),
                }));
            }
            // Indefinite, and longer than any message of ours may be.
            0x80 | 0x85.. => return Err(Malformed),
            long => usize::from(long & 0x7f),
        };
        let Some(length) = rest.get(..more) else {
            return Ok(None);
        };
        let length = length
            .iter()
            .fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
        Ok(Some(Self {
            octets: more.saturating_add(2),
            tag: *tag,
            length,
        }))
    }
}

/// How many octets the message at the start of `octets` has; `None` while that cannot be told.
///
/// # Errors
///
/// When no LDAPMessage begins so, or it is longer than [`MAX_MESSAGE`].
pub(super) fn message_length(octets: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(header) = Header::read(octets)? else {
        return Ok(None);
    };
    let length = header.octets.saturating_add(header.length);
    if header.tag != SEQUENCE || length > MAX_MESSAGE {
        return Err(Malformed);
    }
    Ok(Some(length))
}

/// Appends an element whose content `write` appends. Where `to` has room nothing of the content is
/// anywhere else, not even for a moment: it may be a password.
pub(super) fn nest(to: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = to.len();
    write(to);
    let mut head = Vec::with_capacity(MAX_HEAD);
    put_head(&mut head, tag, to.len().saturating_sub(start));
    to.splice(start..start, head);
}

/// Appends an element.
pub(super) fn put(to: &mut Vec<u8>, tag: u8, content: &[u8]) {
    put_head(to, tag, content.len());
    to.extend_from_slice(content);
}

fn put_head(to: &mut Vec<u8>, tag: u8, length: usize) {
    to.push(tag);
    match (length, length.to_be_bytes()) {
        (0..=0x7f, [.., last]) => to.push(last),
        (0x80..=0xff, [.., last]) => to.extend([0x81, last]),
        (_, [.., a, b, c, d]) => to.extend([0x84, a, b, c, d]),
    }
}

/// Octets of a tag and the longest length.
pub(super) const MAX_HEAD: usize = 6;

/// Appends a number.
pub(super) fn put_number(to: &mut Vec<u8>, tag: u8, number: u32) {
    // With an octet in front that keeps it positive; LDAP does not ask for the shortest form.
    let [a, b, c, d] = number.to_be_bytes();
    let content = [0, a, b, c, d];
    let zeros = content
        .iter()
        .zip(content.iter().skip(1))
        .take_while(|(this, next)| **this == 0 && **next < 0x80)
        .count();
    put(to, tag, content.get(zeros..).unwrap_or_default());
}

/// The most octets of one message that are taken: a user in a thousand groups has a tenth of it.
pub(super) const MAX_MESSAGE: usize = 1 << 20;

const MAX_INT: u32 = 0x7fff_ffff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_lengths_go_there_and_back() {
        for number in [0, 1, 127, 128, 255, 256, 65_535, 65_536, MAX_INT] {
            let mut octets = Vec::new();
            put_number(&mut octets, INTEGER, number);
            let mut reader = Reader::new(&octets);
            assert_eq!(reader.number(INTEGER), Ok(number));
            assert!(reader.is_empty());
        }
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let mut octets = Vec::new();
            put(&mut octets, OCTET_STRING, &vec![7; length]);
            let mut reader = Reader::new(&octets);
            assert_eq!(reader.tagged(OCTET_STRING).map(<[u8]>::len), Ok(length));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn what_is_no_element_is_refused() {
        for octets in [
            &[][..],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81],
            &[4, 0x82, 1],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff, 0],
            &[4, 0x85, 0, 0, 0, 0, 1, 0],
            &[0x1f, 1, 0],
        ] {
            assert_eq!(Reader::new(octets).any(), Err(Malformed), "row {octets:?}");
        }
        for octets in [
            &[2, 0][..],
            &[2, 1, 0x80],
            &[2, 5, 0, 0x80, 0, 0, 0],
            &[2, 6, 0, 0, 0, 0, 0, 1],
            &[4, 1, 1],
        ] {
            assert!(
                Reader::new(octets).number(INTEGER).is_err(),
                "row {octets:?}"
            );
        }
    }

    #[test]
    fn the_length_of_a_message_is_known_once_its_header_is_there() {
        for (octets, expected) in [
            (&[][..], Ok(None)),
            (&[0x30], Ok(None)),
            (&[0x30, 0x82, 1], Ok(None)),
            (&[0x30, 5], Ok(Some(7))),
            (&[0x30, 0x82, 1, 0], Ok(Some(260))),
            (&[0x31, 5], Err(Malformed)),
            (&[0x30, 0x80], Err(Malformed)),
            (&[0x30, 0x83, 0x0f, 0xff, 0xfb], Ok(Some(MAX_MESSAGE))),
            (&[0x30, 0x83, 0x0f, 0xff, 0xfc], Err(Malformed)),
        ] {
            assert_eq!(message_length(octets), expected, "row {octets:?}");
        }
    }
}
