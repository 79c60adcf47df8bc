//! The name of an element: a token of a code page.

use std::fmt;

use crate::wbxml::code_page;

/// An element's name, by code page and token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag {
    page: u8,
    token: u8,
}

impl Tag {
    /// For the tables of the code pages, and for readers, who look it up in them.
    pub(super) const fn new(page: u8, token: u8) -> Self {
        Self { page, token }
    }

    /// Its code page, 0 to 25.
    #[must_use]
    pub const fn page(self) -> u8 {
        self.page
    }

    /// Its token within the page, 0x05 to 0x3F.
    #[must_use]
    pub const fn token(self) -> u8 {
        self.token
    }

    /// The element's name, without its namespace.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.found().map_or("", |(_, name)| name)
    }

    /// Namespace and name; `None` if the page does not exist or has no such token.
    pub(super) fn found(self) -> Option<(&'static str, &'static str)> {
        let page = code_page::page_of(self.page)?;
        let place = page
            .elements
            .binary_search_by_key(&self.token, |(token, _)| *token)
            .ok()?;
        page.elements.get(place).map(|(_, name)| (page.name, *name))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found() {
            Some((page, name)) => write!(f, "{page}:{name}"),
            None => write!(f, "{}:{:#04X}", self.page, self.token),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
