//! What directories send, and what administrators write: LDAP messages, filters, winbind's replies.

use portreeve::directory::Filter;
use portreeve::directory::Places;
use portreeve::directory::is_response;
use portreeve::directory::read_reply;

/// By the first octet: a server's message, a filter's text, or a helper's reply.
pub fn drive(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    match kind % 3 {
        0 => {
            let is_whole = is_response(rest);
            // A message is whole or it is not: none is left when its last octet is missing.
            if let (true, Some((_, cut))) = (is_whole, rest.split_last()) {
                assert!(!is_response(cut));
            }
        }
        1 => {
            let Ok(filter) = String::from_utf8_lossy(rest).parse::<Filter>() else {
                return;
            };
            // Whatever a user types changes values, and never which values there are.
            let plain = filter.encode(&Places::default());
            let typed = filter.encode(&Places {
                user: "*)(uid=*",
                name: "\\2a(|",
                dn: "cn=a,dc=b",
                uid: ")",
            });
            assert_eq!(tags(&plain), tags(&typed), "{filter}");
        }
        _ => {
            let reply = read_reply(rest);
            assert_eq!(read_reply(rest), reply);
        }
    }
}

/// The tags of all elements, in order.
fn tags(octets: &[u8]) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = octets;
    while let [tag, length, after @ ..] = rest {
        found.push(*tag);
        let (length, after) = match *length {
            short @ ..=0x7f => (usize::from(short), after),
            0x81 => (usize::from(after[0]), &after[1..]),
            _ => {
                let four = after.first_chunk::<4>().expect("a length of ours");
                (u32::from_be_bytes(*four) as usize, &after[4..])
            }
        };
        // What is made of others is gone into; values are passed over.
        let is_constructed = tag & 0x20 != 0;
        rest = if is_constructed {
            after
        } else {
            &after[length..]
        };
    }
    found
}
