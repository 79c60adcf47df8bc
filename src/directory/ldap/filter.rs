//! Search filters: written by the administrator as text (RFC 4515), sent as octets with what a user
//! typed in its place.
//!
//! What a user typed never passes through the text form, so there is nothing to escape and nothing to
//! forget: `*)(uid=*` in a name is a value of ten odd characters.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::fmt;

use crate::directory::ldap::ber;
use crate::directory::ldap::ber::nest;
use crate::directory::ldap::ber::put;

mod parse;

/// A filter with places for values: `{user}`, `{name}`, `{dn}`, `{uid}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    text: String,
    item: Item,
}

/// What is put in the places.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places<'a> {
    /// `{user}`: the name without realm or domain.
    pub user: &'a str,
    /// `{name}`: the name as it was sent.
    pub name: &'a str,
    /// `{dn}`: the user's DN, or a group's.
    pub dn: &'a str,
    /// `{uid}`: the user's `uid` in the directory.
    pub uid: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    Present(String),
    /// Equal, at least, at most or about: by tag.
    Compare(u8, String, Value),
    Substrings {
        attribute: String,
        /// With the tags of initial, any and final.
        parts: Vec<(u8, Value)>,
    },
    Extensible {
        attribute: Option<String>,
        rule: Option<String>,
        dn: bool,
        value: Value,
    },
}

type Value = Vec<Piece>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Octets(Vec<u8>),
    Place(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    User,
    Name,
    Dn,
    Uid,
}

/// What is wrong with the text of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {at}")]
pub struct FilterError {
    what: &'static str,
    at: usize,
}

impl Filter {
    /// The octets of the filter with these values in the places.
    #[must_use]
    pub fn encode(&self, places: &Places<'_>) -> Vec<u8> {
        let mut octets = Vec::new();
        self.item.encode(places, &mut octets);
        octets
    }

    /// The octets of "one of these".
    pub(super) fn encode_any<'a>(&self, places: impl Iterator<Item = Places<'a>>) -> Vec<u8> {
        let mut octets = Vec::new();
        nest(&mut octets, OR, |to| {
            places.for_each(|places| self.item.encode(&places, to));
        });
        octets
    }

    /// Whether it asks for the name that the user has typed; without, every user would be the same.
    #[must_use]
    pub fn asks_for_user(&self) -> bool {
        self.item.has(Place::User) || self.item.has(Place::Name)
    }

    /// Whether it asks for the user's DN or uid.
    #[must_use]
    pub fn asks_for_member(&self) -> bool {
        self.item.has(Place::Dn) || self.item.has(Place::Uid)
    }

    /// Whether it asks for a DN, as a filter that finds the groups of a group must.
    #[must_use]
    pub fn asks_for_dn(&self) -> bool {
        self.item.has(Place::Dn)
    }
}

impl Item {
    /// As deep as the text was, which is bounded.
    fn encode(&self, places: &Places<'_>, to: &mut Vec<u8>) {
        match self {
            Self::And(items) => nest(to, AND, |to| {
                items.iter().for_each(|item| item.encode(places, to));
            }),
            Self::Or(items) => nest(to, OR, |to| {
                items.iter().for_each(|item| item.encode(places, to));
            }),
            Self::Not(item) => nest(to, NOT, |to| item.encode(places, to)),
            Self::Present(attribute) => put(to, PRESENT, attribute.as_bytes()),
            Self::Compare(tag, attribute, value) => nest(to, *tag, |to| {
                put(to, ber::OCTET_STRING, attribute.as_bytes());
                put(to, ber::OCTET_STRING, &filled(value, places));
            }),
            Self::Substrings { attribute, parts } => nest(to, SUBSTRINGS, |to| {
                put(to, ber::OCTET_STRING, attribute.as_bytes());
                nest(to, ber::SEQUENCE, |to| {
                    for (tag, value) in parts {
                        put(to, *tag, &filled(value, places));
                    }
                });
            }),
            Self::Extensible {
                attribute,
                rule,
                dn,
                value,
            } => nest(to, EXTENSIBLE, |to| {
                if let Some(rule) = rule {
                    put(to, 0x81, rule.as_bytes());
                }
                if let Some(attribute) = attribute {
                    put(to, 0x82, attribute.as_bytes());
                }
                put(to, 0x83, &filled(value, places));
                if *dn {
                    put(to, 0x84, &[0xff]);
                }
            }),
        }
    }

    fn has(&self, place: Place) -> bool {
        let value = |value: &Value| value.contains(&Piece::Place(place));
        match self {
            Self::And(items) | Self::Or(items) => items.iter().any(|item| item.has(place)),
            Self::Not(item) => item.has(place),
            Self::Present(_) => false,
            Self::Compare(_, _, compared) => value(compared),
            Self::Substrings { parts, .. } => parts.iter().any(|(_, part)| value(part)),
            Self::Extensible {
                value: compared, ..
            } => value(compared),
        }
    }
}

fn filled(value: &Value, places: &Places<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    for piece in value {
        octets.extend_from_slice(match piece {
            Piece::Octets(octets) => octets,
            Piece::Place(Place::User) => places.user.as_bytes(),
            Piece::Place(Place::Name) => places.name.as_bytes(),
            Piece::Place(Place::Dn) => places.dn.as_bytes(),
            Piece::Place(Place::Uid) => places.uid.as_bytes(),
        });
    }
    octets
}

/// As it was written.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const GREATER_OR_EQUAL: u8 = 0xa5;
const LESS_OR_EQUAL: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATE: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;
const INITIAL: u8 = 0x80;
const ANY: u8 = 0x81;
const FINAL: u8 = 0x82;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(filter: &str, user: &str) -> Vec<u8> {
        let places = Places {
            user,
            ..Places::default()
        };
        filter.parse::<Filter>().unwrap().encode(&places)
    }

    fn equal(attribute: &str, value: &[u8]) -> Vec<u8> {
        let mut octets = Vec::new();
        nest(&mut octets, EQUAL, |to| {
            put(to, ber::OCTET_STRING, attribute.as_bytes());
            put(to, ber::OCTET_STRING, value);
        });
        octets
    }

    #[test]
    fn what_a_user_types_is_one_value_whatever_it_is_rfc4515_4() {
        for user in [
            "alice",
            "*",
            "*)(uid=*",
            "alice)(objectClass=*",
            "\\2a",
            "a\0b",
            "{dn}",
            "(&",
            "",
        ] {
            assert_eq!(
                encoded("(uid={user})", user),
                equal("uid", user.as_bytes()),
                "row {user}"
            );
        }
    }

    #[test]
    fn every_kind_of_filter_of_rfc4515_is_written_as_rfc4511_4_5_1_7_has_it() {
        for (text, octets) in [
            ("(cn=Babs Jensen)", equal("cn", b"Babs Jensen")),
            (
                "(o=Parens R Us \\28for all\\29)",
                equal("o", b"Parens R Us (for all)"),
            ),
            ("(cn=*)", b"\x87\x02cn".to_vec()),
            ("(a>=1)", b"\xa5\x06\x04\x01a\x04\x011".to_vec()),
            ("(a<=1)", b"\xa6\x06\x04\x01a\x04\x011".to_vec()),
            ("(a~=1)", b"\xa8\x06\x04\x01a\x04\x011".to_vec()),
            ("(!(a=1))", b"\xa2\x08\xa3\x06\x04\x01a\x04\x011".to_vec()),
            (
                "(&(a=1)(b=2))",
                b"\xa0\x10\xa3\x06\x04\x01a\x04\x011\xa3\x06\x04\x01b\x04\x012".to_vec(),
            ),
            ("(|(a=1))", b"\xa1\x08\xa3\x06\x04\x01a\x04\x011".to_vec()),
            (
                "(a=x*y*z)",
                b"\xa4\x0e\x04\x01a0\x09\x80\x01x\x81\x01y\x82\x01z".to_vec(),
            ),
            ("(a=*y*)", b"\xa4\x08\x04\x01a0\x03\x81\x01y".to_vec()),
            (
                "(m:1.2.3:={user})",
                b"\xa9\x0d\x81\x051.2.3\x82\x01m\x83\x01u".to_vec(),
            ),
            (
                "(:dn:2.4:=D)",
                b"\xa9\x0b\x81\x032.4\x83\x01D\x84\x01\xff".to_vec(),
            ),
        ] {
            assert_eq!(encoded(text, "u"), octets, "row {text}");
        }
    }

    #[test]
    fn places_are_filled_and_asked_for() {
        let filter: Filter = "(|(member={dn})(memberUid={uid})(x=a{name}b))"
            .parse()
            .unwrap();
        let places = Places {
            user: "u",
            name: "n@r",
            dn: "cn=d",
            uid: "i",
        };
        let octets = filter.encode(&places);
        for part in [
            &equal("member", b"cn=d"),
            &equal("x", b"an@rb"),
            &equal("memberUid", b"i"),
        ] {
            assert!(octets.windows(part.len()).any(|window| window == *part));
        }
        assert!(filter.asks_for_user() && filter.asks_for_member() && filter.asks_for_dn());
        assert!(!"(cn=a)".parse::<Filter>().unwrap().asks_for_user());
        let uid: Filter = "(!(uid=*{user}*))".parse().unwrap();
        assert!(uid.asks_for_user() && !uid.asks_for_member());
    }

    #[test]
    fn what_is_no_filter_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "expected an opening parenthesis, at character 1"),
            (
                "uid={user}",
                "expected an opening parenthesis, at character 1",
            ),
            (
                "(uid={user}",
                "a closing parenthesis is missing, at character 6",
            ),
            (
                "(uid={user}))",
                "something follows the filter, at character 13",
            ),
            ("(&)", "expected a filter in parentheses, at character 3"),
            (
                "(uid)",
                "expected an attribute, = and a value, at character 5",
            ),
            ("(=x)", "expected the name of an attribute, at character 3"),
            (
                "(u d=x)",
                "expected the name of an attribute, at character 6",
            ),
            (
                "(uid=a**b)",
                "two asterisks follow each other, at character 10",
            ),
            (
                "(uid=\\2)",
                "expected two digits after a backslash, at character 8",
            ),
            (
                "(uid={usr})",
                "the places are {user}, {name}, {dn}, {uid}, at character 11",
            ),
            ("(uid={user)", "a closing brace is missing, at character 11"),
            (
                "(uid=a(b)",
                "write ( as \\28 and * as \\2a in a value, at character 9",
            ),
            (
                "(uid>=*)",
                "write ( as \\28 and * as \\2a in a value, at character 8",
            ),
            (
                "(:=x)",
                "expected an attribute or a matching rule, at character 4",
            ),
        ] {
            let error = text.parse::<Filter>().unwrap_err();
            assert_eq!(error.to_string(), expected, "row {text}");
        }
        let deep = "(!".repeat(16) + "(a=1)" + &")".repeat(16);
        assert!(deep.parse::<Filter>().is_err());
        assert!("(".repeat(100_000).parse::<Filter>().is_err());
    }
}
