//! Why octets are no document.

use thiserror::Error;

/// The first thing about a document that is not as ActiveSync has it. Offsets count octets from its
/// beginning.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Malformed {
    /// Not version 1.3 in UTF-8 without a string table.
    #[error("the head is not 03 01 6A 00")]
    Head,
    /// The octets end within an element, a string or a length.
    #[error("cut off")]
    CutOff,
    /// A global token that ActiveSync does not use: a string table, an attribute, an entity, a
    /// literal, a processing instruction or an extension.
    #[error("token {token:#04X} at {at} is not used by ActiveSync")]
    Token {
        /// The token.
        token: u8,
        /// Where it stands.
        at: usize,
    },
    /// No code page of that number has that token.
    #[error("code page {page} has no element {token:#04X} (at {at})")]
    UnknownTag {
        /// The code page.
        page: u8,
        /// The token.
        token: u8,
        /// Where it stands.
        at: usize,
    },
    /// A text that is not UTF-8.
    #[error("the text at {at} is not UTF-8")]
    Text {
        /// Where it begins.
        at: usize,
    },
    /// The length of opaque octets has more than four octets that count, or is not the shortest.
    #[error("the length at {at} is out of range")]
    Length {
        /// Where it begins.
        at: usize,
    },
    /// More open elements than [`MAX_DEPTH`](crate::wbxml::MAX_DEPTH).
    #[error("elements are nested too deeply at {at}")]
    TooDeep {
        /// Where the next one begins.
        at: usize,
    },
    /// Text, an END or another element outside the one outermost element.
    #[error("the octets at {at} stand outside the outermost element")]
    Outside {
        /// Where they begin.
        at: usize,
    },
}
