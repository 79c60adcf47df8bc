//! WBXML as ActiveSync uses it: MS-ASWBXML over the W3C note of WBXML 1.3.
//!
//! A document is read as a row of [`Event`]s and written as one; no tree is ever built. What is read
//! and written again is the same octets, if its writer changed code pages only where it had to.
//!
//! Of WBXML 1.3 this much is accepted, and nothing else, because no ActiveSync client or server
//! sends more (MS-ASWBXML sections 1.6 and 2.1): the head `03 01 6A 00` (version 1.3, no public
//! identifier, UTF-8, no string table), the tokens SWITCH_PAGE, END, STR_I and OPAQUE, tags of the
//! 25 code pages that are in use, and those of protocol version 2.5. Refused are string
//! tables and references into them, attributes, entities, literals, processing instructions and extensions:
//! each is a way to make octets grow, or to say one thing to us and another to the server behind us.
//!
//! Bounds: [`MAX_DEPTH`] open elements; the size is what the caller hands in. Memory does not depend
//! on what is read.

mod code_page;
mod error;
mod reader;
mod tag;
mod writer;

pub use code_page::item;
pub use code_page::service;
pub use code_page::sync;
pub use error::Malformed;
pub use reader::MAX_DEPTH;
pub use reader::Reader;
pub use tag::Tag;
pub use writer::Writer;

/// A part of a document, in the order of its octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An element begins that has content.
    Start(Tag),
    /// An element without content; it has no [`End`](Self::End).
    Empty(Tag),
    /// Text, whole or in part.
    Text(&'a str),
    /// Octets that are no text.
    Opaque(&'a [u8]),
    /// The innermost element ends.
    End(Tag),
}

/// Version 1.3, public identifier 1 (unknown), UTF-8, a string table of no octets.
const HEAD: [u8; 4] = [0x03, 0x01, 0x6A, 0x00];

/// Global tokens (WBXML 1.3 section 7.1).
const SWITCH_PAGE: u8 = 0x00;
const END: u8 = 0x01;
const STR_I: u8 = 0x03;
const OPAQUE: u8 = 0xC3;

/// Bits of a tag's octet (section 5.8.2).
const HAS_ATTRIBUTES: u8 = 0x80;
const HAS_CONTENT: u8 = 0x40;
/// What is left is the tag; below 5 stand the global tokens.
const IDENTITY: u8 = 0x3F;
const FIRST_TAG: u8 = 0x05;

#[cfg(test)]
mod tests;
