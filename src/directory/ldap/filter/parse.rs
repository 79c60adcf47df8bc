//! The text of a filter (RFC 4515), read within bounds.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::str::FromStr;

use super::ANY;
use super::APPROXIMATE;
use super::EQUAL;
use super::FINAL;
use super::Filter;
use super::FilterError;
use super::GREATER_OR_EQUAL;
use super::INITIAL;
use super::Item;
use super::LESS_OR_EQUAL;
use super::Piece;
use super::Place;
use super::Value;

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_TEXT {
            return Err(FilterError {
                what: "the filter is longer than 4096 octets",
                at: MAX_TEXT,
            });
        }
        let mut parser = Parser {
            rest: text.as_bytes(),
            length: text.len(),
        };
        let item = parser.filter(0)?;
        if !parser.rest.is_empty() {
            return Err(parser.error("something follows the filter"));
        }
        Ok(Self {
            text: text.to_owned(),
            item,
        })
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, what: &'static str) -> FilterError {
        FilterError {
            what,
            at: self
                .length
                .saturating_sub(self.rest.len())
                .saturating_add(1),
        }
    }

    fn eat(&mut self, octet: u8, what: &'static str) -> Result<(), FilterError> {
        match self.rest.split_first() {
            Some((first, rest)) if *first == octet => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.error(what)),
        }
    }

    /// What stands before the first of `ends`.
    fn until(&mut self, ends: &[u8]) -> Result<&'a [u8], FilterError> {
        let end = self.rest.iter().position(|octet| ends.contains(octet));
        let end = end.ok_or_else(|| self.error("a closing parenthesis is missing"))?;
        let (before, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(before)
    }

    fn filter(&mut self, depth: u8) -> Result<Item, FilterError> {
        if depth >= MAX_DEPTH {
            return Err(self.error("parentheses are nested deeper than 16"));
        }
        let deeper = depth.saturating_add(1);
        self.eat(b'(', "expected an opening parenthesis")?;
        let item = match self.rest.first() {
            Some(b'&') => Item::And(self.list(deeper)?),
            Some(b'|') => Item::Or(self.list(deeper)?),
            Some(b'!') => {
                self.eat(b'!', "")?;
                Item::Not(Box::new(self.filter(deeper)?))
            }
            _ => self.item()?,
        };
        self.eat(b')', "expected a closing parenthesis")?;
        Ok(item)
    }

    fn list(&mut self, depth: u8) -> Result<Vec<Item>, FilterError> {
        self.rest = self.rest.get(1..).unwrap_or_default();
        let mut items = Vec::new();
        while self.rest.first() == Some(&b'(') {
            items.push(self.filter(depth)?);
        }
        if items.is_empty() {
            return Err(self.error("expected a filter in parentheses"));
        }
        Ok(items)
    }

    fn item(&mut self) -> Result<Item, FilterError> {
        let left = self.until(b"=)")?;
        self.eat(b'=', "expected an attribute, = and a value")?;
        let (left, tag) = match left {
            [left @ .., b'>'] => (left, GREATER_OR_EQUAL),
            [left @ .., b'<'] => (left, LESS_OR_EQUAL),
            [left @ .., b'~'] => (left, APPROXIMATE),
            [left @ .., b':'] => return self.extensible(left),
            left => (left, EQUAL),
        };
        let attribute = self.attribute(left)?;
        let value = self.until(b")")?;
        if tag != EQUAL || !value.contains(&b'*') {
            return Ok(Item::Compare(tag, attribute, self.value(value)?));
        }
        if value == b"*" {
            return Ok(Item::Present(attribute));
        }
        let count = value.split(|octet| *octet == b'*').count();
        let mut parts = Vec::new();
        for (number, part) in value.split(|octet| *octet == b'*').enumerate() {
            let is_last = number.saturating_add(1) == count;
            match (number, part) {
                (_, []) if number == 0 || is_last => {}
                (_, []) => return Err(self.error("two asterisks follow each other")),
                (0, part) => parts.push((INITIAL, self.value(part)?)),
                (_, part) if is_last => parts.push((FINAL, self.value(part)?)),
                (_, part) => parts.push((ANY, self.value(part)?)),
            }
        }
        Ok(Item::Substrings { attribute, parts })
    }

    /// `attribute:dn:rule:=value`, of which attribute or rule may be missing.
    fn extensible(&mut self, left: &[u8]) -> Result<Item, FilterError> {
        let mut parts = left.split(|octet| *octet == b':');
        let attribute = match parts.next() {
            Some([]) | None => None,
            Some(attribute) => Some(self.attribute(attribute)?),
        };
        let (mut dn, mut rule) = (false, None);
        for part in parts {
            match part {
                b"dn" if !dn && rule.is_none() => dn = true,
                part if rule.is_none() => rule = Some(self.attribute(part)?),
                _ => return Err(self.error("expected attribute:dn:rule:=value")),
            }
        }
        if attribute.is_none() && rule.is_none() {
            return Err(self.error("expected an attribute or a matching rule"));
        }
        let value = self.until(b")")?;
        Ok(Item::Extensible {
            attribute,
            rule,
            dn,
            value: self.value(value)?,
        })
    }

    /// An attribute's name or number, with options.
    fn attribute(&self, octets: &[u8]) -> Result<String, FilterError> {
        let allowed =
            |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b';');
        match std::str::from_utf8(octets) {
            Ok(name) if !name.is_empty() && octets.iter().all(allowed) => Ok(name.to_owned()),
            _ => Err(self.error("expected the name of an attribute")),
        }
    }

    /// A value with `\xx` for odd characters and names of places in braces.
    fn value(&self, mut octets: &[u8]) -> Result<Value, FilterError> {
        let mut pieces = Vec::new();
        let mut plain = Vec::new();
        while let Some((first, rest)) = octets.split_first() {
            octets = rest;
            match *first {
                b'\\' => {
                    let digits = rest.first_chunk::<2>();
                    let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
                    let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                    let octet =
                        octet.ok_or_else(|| self.error("expected two digits after a backslash"))?;
                    plain.push(octet);
                    octets = rest.get(2..).unwrap_or_default();
                }
                b'{' => {
                    let end = rest.iter().position(|octet| *octet == b'}');
                    let end = end.ok_or_else(|| self.error("a closing brace is missing"))?;
                    let place = match rest.get(..end) {
                        Some(b"user") => Place::User,
                        Some(b"name") => Place::Name,
                        Some(b"dn") => Place::Dn,
                        Some(b"uid") => Place::Uid,
                        _ => return Err(self.error("the places are {user}, {name}, {dn}, {uid}")),
                    };
                    if !plain.is_empty() {
                        pieces.push(Piece::Octets(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Place(place));
                    octets = rest.get(end.saturating_add(1)..).unwrap_or_default();
                }
                b'(' | b'*' | 0 => {
                    return Err(self.error("write ( as \\28 and * as \\2a in a value"));
                }
                octet => plain.push(octet),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Octets(plain));
        }
        Ok(pieces)
    }
}

/// Nobody writes a longer or deeper one by hand.
const MAX_TEXT: usize = 4096;
const MAX_DEPTH: u8 = 16;
