//! Short texts of fixed size, for what is kept without allocating.

use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;

/// A short text of at most `N` octets, held in place; longer texts are cut at a character. The length
/// comes first, so that of a short one only its beginning is touched.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Text<const N: usize> {
    length: u8,
    /// Only whole characters, up to `length`; what stands behind it is of an earlier text.
    octets: [u8; N],
}

impl<const N: usize> Text<N> {
    /// The empty text.
    pub const EMPTY: Self = Self {
        octets: [0; N],
        length: 0,
    };

    /// Copies as much of `text` as fits.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut new = Self::EMPTY;
        new.set(text);
        new
    }

    /// Puts as much of `text` as fits in the place of what stands here.
    pub fn set(&mut self, text: &str) {
        let end = text.floor_char_boundary(N.min(usize::from(u8::MAX)));
        if let (Some(to), Some(from)) = (self.octets.get_mut(..end), text.as_bytes().get(..end)) {
            to.copy_from_slice(from);
        }
        // `end` is at most 255.
        self.length = u8::try_from(end).unwrap_or(u8::MAX);
    }

    /// The same, of no text nothing.
    pub(super) fn set_option(&mut self, text: Option<&str>) {
        self.set(text.unwrap_or_default());
    }

    /// What `value` prints, as much of it as fits; nothing is allocated.
    #[must_use]
    pub fn display(value: &impl fmt::Display) -> Self {
        use fmt::Write;
        let mut text = Self::EMPTY;
        // Stops at the first piece that does not fit whole.
        let _cut = write!(text, "{value}");
        text
    }

    /// Copies as much of `octets` as fits; what is not UTF-8 ends the text.
    #[must_use]
    pub fn from_utf8_prefix(octets: &[u8]) -> Self {
        let valid = octets
            .utf8_chunks()
            .next()
            .map_or("", |chunk| chunk.valid());
        Self::new(valid)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let used = self.octets.get(..usize::from(self.length)).unwrap_or(&[]);
        // Only whole characters are ever copied in.
        std::str::from_utf8(used).unwrap_or("")
    }

    /// The text, `None` if it is empty.
    #[must_use]
    pub fn as_option(&self) -> Option<&str> {
        let text = self.as_str();
        (!text.is_empty()).then_some(text)
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> Hash for Text<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let used = usize::from(self.length);
        let free = N.min(usize::from(u8::MAX)).saturating_sub(used);
        let end = piece.floor_char_boundary(free);
        let to = self.octets.get_mut(used..used + end).ok_or(fmt::Error)?;
        to.copy_from_slice(piece.as_bytes().get(..end).ok_or(fmt::Error)?);
        self.length = u8::try_from(used + end).map_err(|_| fmt::Error)?;
        if end == piece.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_at_a_character() {
        assert_eq!(Text::<4>::new("abcdef").as_str(), "abcd");
        assert_eq!(Text::<4>::new("abc\u{e9}").as_str(), "abc");
        assert_eq!(Text::<8>::from_utf8_prefix(b"ab\xffcd").as_str(), "ab");
        assert_eq!(Text::<8>::EMPTY.as_option(), None);
        assert_eq!(Text::<8>::display(&12_345).as_str(), "12345");
        assert_eq!(Text::<4>::display(&12_345).as_str(), "1234");
    }
}
