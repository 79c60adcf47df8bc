//! A pull reader over octets that are all there.

use crate::wbxml::END;
use crate::wbxml::Event;
use crate::wbxml::FIRST_TAG;
use crate::wbxml::HAS_ATTRIBUTES;
use crate::wbxml::HAS_CONTENT;
use crate::wbxml::HEAD;
use crate::wbxml::IDENTITY;
use crate::wbxml::Malformed;
use crate::wbxml::OPAQUE;
use crate::wbxml::STR_I;
use crate::wbxml::SWITCH_PAGE;
use crate::wbxml::Tag;

/// Elements that may be open at once. The deepest of MS-ASCMD, a recurrence's exception within a
/// changed appointment, has eleven.
pub const MAX_DEPTH: usize = 32;

/// Reads a document from its first octet to its last; after an error it stays at its end.
#[derive(Debug)]
pub struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    page: u8,
    open: [Tag; MAX_DEPTH],
    depth: usize,
    /// The outermost element has begun.
    begun: bool,
}

impl<'a> Reader<'a> {
    /// A reader of `octets`.
    ///
    /// # Errors
    ///
    /// [`Malformed::Head`].
    pub fn new(octets: &'a [u8]) -> Result<Self, Malformed> {
        if !octets.starts_with(&HEAD) {
            return Err(Malformed::Head);
        }
        Ok(Self {
            octets,
            at: HEAD.len(),
            page: 0,
            open: [Tag::new(0, 0); MAX_DEPTH],
            depth: 0,
            begun: false,
        })
    }

    /// The next part; `None` when the outermost element has ended and nothing comes after it.
    ///
    /// # Errors
    ///
    /// [`Malformed`]; what was read before it is of no worth then.
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>, Malformed> {
        let event = self.step();
        if event.is_err() {
            (self.at, self.depth, self.begun) = (self.octets.len(), 0, true);
        }
        event
    }

    /// How many elements are open.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Goes past the end of the innermost open element.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn skip(&mut self) -> Result<(), Malformed> {
        let outside = self.depth.saturating_sub(1);
        while self.depth > outside {
            self.next_event()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Event<'a>>, Malformed> {
        loop {
            let at = self.at;
            let is_over = self.begun && self.depth == 0;
            let Some(token) = self.octet() else {
                return if is_over {
                    Ok(None)
                } else {
                    Err(Malformed::CutOff)
                };
            };
            if is_over {
                return Err(Malformed::Outside { at });
            }
            match token {
                SWITCH_PAGE => self.page = self.octet().ok_or(Malformed::CutOff)?,
                END => return self.close(at).map(Some),
                STR_I => return self.text(at).map(Some),
                OPAQUE => return self.opaque(at).map(Some),
                token => return self.element(token, at).map(Some),
            }
        }
    }

    fn octet(&mut self) -> Option<u8> {
        let octet = *self.octets.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn close(&mut self, at: usize) -> Result<Event<'a>, Malformed> {
        let depth = self.depth.checked_sub(1);
        let innermost = depth.and_then(|depth| Some((depth, *self.open.get(depth)?)));
        let (depth, tag) = innermost.ok_or(Malformed::Outside { at })?;
        self.depth = depth;
        Ok(Event::End(tag))
    }

    fn text(&mut self, at: usize) -> Result<Event<'a>, Malformed> {
        self.must_be_inside(at)?;
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|octet| *octet == 0);
        let length = length.ok_or(Malformed::CutOff)?;
        let text = rest.get(..length).unwrap_or_default();
        let text = str::from_utf8(text).map_err(|_| Malformed::Text { at: self.at })?;
        self.at += length + 1;
        Ok(Event::Text(text))
    }

    fn opaque(&mut self, at: usize) -> Result<Event<'a>, Malformed> {
        self.must_be_inside(at)?;
        let length = self.length()?;
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let octets = rest.get(..length).ok_or(Malformed::CutOff)?;
        self.at += length;
        Ok(Event::Opaque(octets))
    }

    /// A length in groups of seven bits, the highest first (`mb_u_int32`, WBXML 1.3 section 5.1):
    /// at most four of them here, 256 MiB, which is more than anybody hands in.
    fn length(&mut self) -> Result<usize, Malformed> {
        const MOST: usize = 4;
        let at = self.at;
        let mut length: usize = 0;
        for place in 0..MOST {
            let octet = self.octet().ok_or(Malformed::CutOff)?;
            // A leading zero is a second spelling of the same number.
            if place == 0 && octet == 0x80 {
                break;
            }
            length = length << 7 | usize::from(octet & 0x7F);
            if octet & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(Malformed::Length { at })
    }

    fn element(&mut self, octet: u8, at: usize) -> Result<Event<'a>, Malformed> {
        let token = octet & IDENTITY;
        if octet & HAS_ATTRIBUTES != 0 || token < FIRST_TAG {
            return Err(Malformed::Token { token: octet, at });
        }
        let tag = Tag::new(self.page, token);
        if tag.found().is_none() {
            let page = self.page;
            return Err(Malformed::UnknownTag { page, token, at });
        }
        self.begun = true;
        if octet & HAS_CONTENT == 0 {
            return Ok(Event::Empty(tag));
        }
        let place = self.open.get_mut(self.depth);
        *place.ok_or(Malformed::TooDeep { at })? = tag;
        self.depth += 1;
        Ok(Event::Start(tag))
    }

    const fn must_be_inside(&self, at: usize) -> Result<(), Malformed> {
        if self.depth == 0 {
            return Err(Malformed::Outside { at });
        }
        Ok(())
    }
}
