//! Requests as octets, and octets as responses (RFC 4511 section 4).
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use crate::directory::ldap::ber;
use crate::directory::ldap::ber::Malformed;
use crate::directory::ldap::ber::Reader;
use crate::directory::ldap::ber::nest;
use crate::directory::ldap::ber::put;
use crate::directory::ldap::ber::put_number;

/// What is searched for.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    /// DN where it begins.
    pub(super) base: &'a str,
    /// How far from there.
    pub(super) scope: Scope,
    /// Entries after which the server is to stop.
    pub(super) limit: u32,
    /// Seconds after which it is to stop.
    pub(super) seconds: u32,
    /// An encoded filter.
    pub(super) filter: &'a [u8],
    /// Attributes wanted.
    pub(super) attributes: &'a [&'a str],
}

/// How far a search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The base alone.
    Base,
    /// What is right below it.
    One,
    /// Everything below it, and the base.
    Subtree,
}

/// Appends a simple BindRequest (section 4.2).
pub(super) fn bind(to: &mut Vec<u8>, id: u32, name: &str, password: &[u8]) {
    message(to, id, BIND_REQUEST, |to| {
        put_number(to, ber::INTEGER, 3);
        put(to, ber::OCTET_STRING, name.as_bytes());
        put(to, SIMPLE, password);
    });
}

/// Octets of a BindRequest beside name and password: five elements, two numbers.
pub(super) const BIND_WRAPPING: usize = 5 * ber::MAX_HEAD + 2 * 8;

/// Appends a SearchRequest (section 4.5.1).
pub(super) fn search(to: &mut Vec<u8>, id: u32, search: &Search<'_>) {
    message(to, id, SEARCH_REQUEST, |to| {
        put(to, ber::OCTET_STRING, search.base.as_bytes());
        let scope = match search.scope {
            Scope::Base => 0,
            Scope::One => 1,
            Scope::Subtree => 2,
        };
        put_number(to, ber::ENUMERATED, scope);
        // Aliases are not followed.
        put_number(to, ber::ENUMERATED, 0);
        put_number(to, ber::INTEGER, search.limit);
        put_number(to, ber::INTEGER, search.seconds);
        // Types and values.
        put(to, ber::BOOLEAN, &[0]);
        to.extend_from_slice(search.filter);
        nest(to, ber::SEQUENCE, |to| {
            for attribute in search.attributes {
                put(to, ber::OCTET_STRING, attribute.as_bytes());
            }
        });
    });
}

/// Appends a StartTLS request (section 4.14.1).
pub(super) fn start_tls(to: &mut Vec<u8>, id: u32) {
    message(to, id, EXTENDED_REQUEST, |to| {
        put(to, REQUEST_NAME, START_TLS.as_bytes());
    });
}

/// Appends an UnbindRequest (section 4.3).
pub(super) fn unbind(to: &mut Vec<u8>, id: u32) {
    message(to, id, UNBIND_REQUEST, |_| {});
}

fn message(to: &mut Vec<u8>, id: u32, operation: u8, write: impl FnOnce(&mut Vec<u8>)) {
    nest(to, ber::SEQUENCE, |to| {
        put_number(to, ber::INTEGER, id);
        nest(to, operation, write);
    });
}

/// One message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// Of the request that it answers; 0 of what the server says unasked.
    pub(super) id: u32,
    /// What it says.
    pub(super) response: Response<'a>,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Response<'a> {
    /// To a bind.
    Bind(Outcome<'a>),
    /// An entry that was found.
    Entry(Entry<'a>),
    /// Somewhere else there may be more; nobody goes there.
    Reference,
    /// The end of a search.
    Done(Outcome<'a>),
    /// To StartTLS, or unasked: that the connection ends.
    Extended(Outcome<'a>),
    /// Not the end yet.
    Intermediate,
}

/// LDAPResult (section 4.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome<'a> {
    /// resultCode.
    pub(super) code: u32,
    /// diagnosticMessage, for people.
    pub(super) text: &'a str,
}

/// An entry with the attributes that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    /// Its DN.
    pub(super) name: &'a str,
    /// Attributes with their values.
    pub(super) attributes: Vec<(&'a str, Vec<&'a [u8]>)>,
}

/// Reads a whole message.
///
/// # Errors
///
/// When it is none of those that a client is sent.
pub(super) fn read(octets: &[u8]) -> Result<Message<'_>, Malformed> {
    let mut outer = Reader::new(octets);
    let mut message = outer.nested(ber::SEQUENCE)?;
    if !outer.is_empty() {
        return Err(Malformed);
    }
    let id = message.number(ber::INTEGER)?;
    let (operation, content) = message.any()?;
    // Controls may follow, of which none was asked for.
    let mut content = Reader::new(content);
    let response = match operation {
        BIND_RESPONSE => Response::Bind(outcome(&mut content)?),
        SEARCH_ENTRY => Response::Entry(entry(&mut content)?),
        SEARCH_REFERENCE => Response::Reference,
        SEARCH_DONE => Response::Done(outcome(&mut content)?),
        EXTENDED_RESPONSE => Response::Extended(outcome(&mut content)?),
        INTERMEDIATE_RESPONSE => Response::Intermediate,
        _ => return Err(Malformed),
    };
    Ok(Message { id, response })
}

fn outcome<'a>(content: &mut Reader<'a>) -> Result<Outcome<'a>, Malformed> {
    let code = content.number(ber::ENUMERATED)?;
    let _matched = content.tagged(ber::OCTET_STRING)?;
    // Some servers say it in another character set, and it is for people only.
    let text = content.tagged(ber::OCTET_STRING)?;
    let text = std::str::from_utf8(text).unwrap_or_default();
    Ok(Outcome { code, text })
}

fn entry<'a>(content: &mut Reader<'a>) -> Result<Entry<'a>, Malformed> {
    let name = content.text()?;
    let mut list = content.nested(ber::SEQUENCE)?;
    let mut attributes = Vec::new();
    while !list.is_empty() {
        let mut attribute = list.nested(ber::SEQUENCE)?;
        let kind = attribute.text()?;
        let mut set = attribute.nested(ber::SET)?;
        let mut values = Vec::new();
        while !set.is_empty() {
            values.push(set.tagged(ber::OCTET_STRING)?);
        }
        attributes.push((kind, values));
    }
    Ok(Entry { name, attributes })
}

const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const UNBIND_REQUEST: u8 = 0x42;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_REQUEST: u8 = 0x77;
const EXTENDED_RESPONSE: u8 = 0x78;
const INTERMEDIATE_RESPONSE: u8 = 0x79;
/// The choice of AuthenticationChoice that is a password.
const SIMPLE: u8 = 0x80;
const REQUEST_NAME: u8 = 0x80;
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_is_written_as_rfc4511_4_2_has_it() {
        let mut octets = Vec::new();
        bind(&mut octets, 1, "cn=a", b"pw");
        assert_eq!(
            octets,
            [
                0x30, 0x12, 0x02, 0x01, 1, 0x60, 0x0d, 0x02, 0x01, 3, 0x04, 4, b'c', b'n', b'=',
                b'a', 0x80, 2, b'p', b'w'
            ]
        );
        octets.clear();
        unbind(&mut octets, 2);
        assert_eq!(octets, [0x30, 5, 2, 1, 2, 0x42, 0]);
    }

    #[test]
    fn a_password_is_not_moved_while_a_bind_is_written() {
        for length in [1, 127, 128, 300, 70_000] {
            let (name, password) = ("cn=a", vec![b'p'; length]);
            let mut octets = Vec::with_capacity(name.len() + length + BIND_WRAPPING);
            let place = octets.as_ptr();
            bind(&mut octets, u32::MAX >> 1, name, &password);
            assert_eq!(octets.as_ptr(), place, "row {length}");
            assert!(octets.ends_with(&password));
        }
    }

    #[test]
    fn responses_are_read_with_what_they_say() {
        let bound = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 49, 4, 0, 4, 0];
        assert_eq!(
            read(&bound),
            Ok(Message {
                id: 1,
                response: Response::Bind(Outcome { code: 49, text: "" }),
            })
        );
        let mut found = Vec::new();
        message(&mut found, 7, SEARCH_ENTRY, |to| {
            put(to, ber::OCTET_STRING, b"cn=a");
            nest(to, ber::SEQUENCE, |to| {
                nest(to, ber::SEQUENCE, |to| {
                    put(to, ber::OCTET_STRING, b"mail");
                    nest(to, ber::SET, |to| {
                        put(to, ber::OCTET_STRING, b"one");
                        put(to, ber::OCTET_STRING, &[0xff]);
                    });
                });
            });
        });
        let entry = Entry {
            name: "cn=a",
            attributes: vec![("mail", vec![&b"one"[..], &[0xff]])],
        };
        let response = Response::Entry(entry);
        assert_eq!(read(&found), Ok(Message { id: 7, response }));
        // Whatever is cut off, nothing is read past the end.
        for end in 0..found.len() {
            assert!(read(found.get(..end).unwrap()).is_err(), "row {end}");
        }
        found.push(0);
        assert!(read(&found).is_err(), "something follows");
    }

    #[test]
    fn deep_nesting_costs_its_octets_only() {
        let mut octets = vec![4, 0];
        for _ in 0..5_000 {
            let inner = std::mem::take(&mut octets);
            put(&mut octets, 0xa0, &inner);
        }
        let mut deep = Vec::new();
        message(&mut deep, 1, BIND_RESPONSE, |to| {
            to.extend_from_slice(&octets)
        });
        assert_eq!(read(&deep), Err(Malformed));
    }
}
