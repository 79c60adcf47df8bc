//! A writer without a tree.

use crate::wbxml::END;
use crate::wbxml::Event;
use crate::wbxml::HAS_CONTENT;
use crate::wbxml::HEAD;
use crate::wbxml::OPAQUE;
use crate::wbxml::STR_I;
use crate::wbxml::SWITCH_PAGE;
use crate::wbxml::Tag;

/// Writes one document. Elements are closed by the type's own methods, so a document of
/// [`element`](Self::element) and [`leaf`](Self::leaf) is always well formed; one of single
/// [`event`](Self::event)s is as well formed as their row.
#[derive(Debug)]
pub struct Writer {
    octets: Vec<u8>,
    page: u8,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An empty document.
    #[must_use]
    pub fn new() -> Self {
        Self {
            octets: HEAD.to_vec(),
            page: 0,
        }
    }

    /// An element, and within it what `content` writes.
    pub fn element(&mut self, tag: Tag, content: impl FnOnce(&mut Self)) {
        self.event(Event::Start(tag));
        content(self);
        self.event(Event::End(tag));
    }

    /// An element with a text; an empty text makes an element without content.
    pub fn leaf(&mut self, tag: Tag, text: &str) {
        if text.is_empty() {
            self.event(Event::Empty(tag));
        } else {
            self.element(tag, |writer| writer.event(Event::Text(text)));
        }
    }

    /// An element without content.
    pub fn empty(&mut self, tag: Tag) {
        self.event(Event::Empty(tag));
    }

    /// Whatever a reader gave.
    pub fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.tag(tag, HAS_CONTENT),
            Event::Empty(tag) => self.tag(tag, 0),
            Event::End(_) => self.octets.push(END),
            Event::Text(text) => {
                self.octets.push(STR_I);
                // NUL ends the text, and XML has no such character.
                let parts = text.split('\0').map(str::as_bytes);
                parts.for_each(|part| self.octets.extend_from_slice(part));
                self.octets.push(0);
            }
            Event::Opaque(octets) => {
                self.octets.push(OPAQUE);
                self.length(octets.len());
                self.octets.extend_from_slice(octets);
            }
        }
    }

    /// The document.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.octets
    }

    fn tag(&mut self, tag: Tag, content: u8) {
        if tag.page() != self.page {
            self.page = tag.page();
            self.octets.extend([SWITCH_PAGE, self.page]);
        }
        self.octets.push(tag.token() | content);
    }

    /// Groups of seven bits, the highest first.
    fn length(&mut self, length: usize) {
        let mut groups = [0_u8; 10];
        let mut first = groups.len();
        let mut rest = length;
        for group in groups.iter_mut().rev() {
            let last = first == 10;
            *group = u8::try_from(rest & 0x7F).unwrap_or_default() | if last { 0 } else { 0x80 };
            first -= 1;
            rest >>= 7;
            if rest == 0 {
                break;
            }
        }
        self.octets
            .extend_from_slice(groups.get(first..).unwrap_or_default());
    }
}
