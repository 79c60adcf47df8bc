//! Which stored session a ClientHello of TLS 1.2 wants to resume, seen before TLS looks at it.
//!
//! Only for the choice of where the work is done: TLS decides by itself what is resumed.

use super::config::Config;
use super::resumption::Id;

/// Whether a first flight asks for a session that is remembered.
pub(super) fn is_known(flight: &[u8], config: &Config) -> bool {
    config
        .resumption
        .as_ref()
        .is_some_and(|known| session(flight).is_some_and(|session| known.holds(&session)))
}

/// Forgets the session that a first flight asks for; it was not resumed.
pub(super) fn forget(flight: &[u8], config: &Config) {
    if let Some(known) = &config.resumption
        && let Some(session) = session(flight)
    {
        known.remove(&session);
    }
}

/// The session that a flight asks for, if it is one record with one whole ClientHello (RFC 5246
/// section 7.4.1.2) that does not offer TLS 1.3, in which the field is padding or a PSK counts.
fn session(flight: &[u8]) -> Option<Id> {
    let mut record = Reader(flight);
    let [HANDSHAKE, _, _] = record.take_array()? else {
        return None;
    };
    let mut handshake = record.vector(2)?;
    let [CLIENT_HELLO] = handshake.take_array()? else {
        return None;
    };
    let mut hello = handshake.vector(3)?;
    if !record.0.is_empty() || !handshake.0.is_empty() {
        return None;
    }
    let _version_and_random: [u8; 34] = hello.take_array()?;
    let session = Id::try_from(hello.vector(1)?.0).ok()?;
    let _suites = hello.vector(2)?;
    let _compressions = hello.vector(1)?;
    if hello.0.is_empty() {
        return Some(session);
    }
    let mut extensions = hello.vector(2)?;
    while !extensions.0.is_empty() {
        let kind: [u8; 2] = extensions.take_array()?;
        let mut extension = extensions.vector(2)?;
        if kind == SUPPORTED_VERSIONS {
            let versions = extension.vector(1)?;
            if versions.0.chunks(2).any(|version| version == TLS_1_3) {
                return None;
            }
        }
    }
    Some(session)
}

/// Octets that are still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn take_array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        self.take(COUNT)?.try_into().ok()
    }

    /// What stands behind a length of so many octets.
    fn vector(&mut self, length: usize) -> Option<Self> {
        let octets = self.take(length)?;
        let length = octets
            .iter()
            .fold(0, |sum: usize, octet| sum << 8 | usize::from(*octet));
        self.take(length).map(Reader)
    }
}

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SUPPORTED_VERSIONS: [u8; 2] = [0, 43];
const TLS_1_3: [u8; 2] = [3, 4];

#[cfg(test)]
mod tests {
    use super::*;

    /// A ClientHello with this session id and these extensions.
    fn hello(session: &[u8], extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(u8::try_from(session.len()).unwrap());
        body.extend(session);
        body.extend([0, 2, 0xc0, 0x2b, 1, 0]);
        if !extensions.is_empty() {
            body.extend([0, u8::try_from(extensions.len()).unwrap()]);
            body.extend(extensions);
        }
        let length = u8::try_from(body.len()).unwrap();
        let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
        record.extend(body);
        record
    }

    #[test]
    fn a_session_of_tls_1_2_is_seen_and_nothing_else() {
        let (id, supported_1_2) = ([9; 32], [0, 43, 0, 3, 2, 3, 3]);
        let supported_both = [0, 43, 0, 5, 4, 3, 4, 3, 3];
        let mut twice = hello(&id, &[]);
        twice.extend(hello(&id, &[]));
        for (row, flight, expected) in [
            ("no extensions", hello(&id, &[]), Some(id)),
            ("another extension", hello(&id, &[0, 23, 0, 0]), Some(id)),
            ("1.2 stated", hello(&id, &supported_1_2), Some(id)),
            ("1.3 offered", hello(&id, &supported_both), None),
            ("no session", hello(&[], &[]), None),
            ("a short one", hello(&[9; 31], &[]), None),
            ("two hellos", twice, None),
            ("an extension cut off", hello(&id, &[0, 23, 0, 1]), None),
            ("nothing", Vec::new(), None),
        ] {
            assert_eq!(session(&flight), expected, "row {row}");
        }
        let whole = hello(&id, &supported_1_2);
        for length in 0..whole.len() {
            assert_eq!(session(&whole[..length]), None, "cut to {length}");
        }
    }
}
