//! MSCHAPv2 (RFC 2759), the sides of it that know no password: what the peer's answer is made
//! over, what it is answered with, and the keys that both have then (RFC 3079).

use aws_lc_rs::digest;
use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use zeroize::Zeroizing;

use crate::model::NtKey;

/// What a peer sends to log in.
#[derive(Clone, Copy)]
pub struct MsChapV2<'a> {
    /// The challenge that it was given.
    pub challenge: &'a [u8; 16],
    /// Its own.
    pub peer_challenge: &'a [u8; 16],
    /// NT-Response.
    pub response: &'a [u8; 24],
    /// The name as it was sent; a domain before a backslash is not part of what is hashed.
    pub name: &'a [u8],
}

impl MsChapV2<'_> {
    /// ChallengeHash of RFC 2759 section 8.2: the eight octets that the answer is made over.
    #[must_use]
    pub fn challenge_hash(&self) -> [u8; 8] {
        let name = self.name.iter().rposition(|octet| *octet == b'\\');
        let name = name.map_or(self.name, |at| self.name.get(at + 1..).unwrap_or(&[]));
        let hash = sha1(&[self.peer_challenge, self.challenge, name]);
        let mut challenge = [0; 8];
        challenge
            .iter_mut()
            .zip(*hash)
            .for_each(|(to, from)| *to = from);
        challenge
    }

    /// GenerateAuthenticatorResponse of RFC 2759 section 8.7: `S=` and forty hexadecimal digits,
    /// by which the peer knows that this side has its password.
    #[must_use]
    pub fn authenticator_response(&self, key: &NtKey) -> [u8; 42] {
        let first = sha1(&[key.expose(), self.response, SERVER_TO_CLIENT]);
        let proof = sha1(&[first.as_slice(), &self.challenge_hash(), ONE_ITERATION]);
        let mut text = *b"S=0000000000000000000000000000000000000000";
        let digits = proof.iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
        for (place, digit) in text.iter_mut().skip(2).zip(digits) {
            *place = char::from_digit(digit.into(), 16)
                .map_or(b'0', |digit| digit.to_ascii_uppercase() as u8);
        }
        text
    }

    /// The session keys of 128 bits that this side receives and sends with (RFC 3079 section 3.4).
    #[must_use]
    pub fn session_keys(&self, key: &NtKey) -> SessionKeys {
        let master = sha1(&[key.expose(), self.response, MASTER_KEY]);
        let start = |magic: &[u8]| {
            let (master, _) = master.split_at(16);
            let long = sha1(&[master, &[0; 40], magic, &[0xf2; 40]]);
            let mut key = Zeroizing::new([0; 16]);
            key.iter_mut().zip(*long).for_each(|(to, from)| *to = from);
            key
        };
        SessionKeys {
            receive: start(CLIENT_SENDS),
            send: start(CLIENT_RECEIVES),
        }
    }
}

/// Keys as the server uses them.
pub struct SessionKeys {
    /// What the client sends with.
    pub receive: Zeroizing<[u8; 16]>,
    /// What the client receives with.
    pub send: Zeroizing<[u8; 16]>,
}

fn sha1(parts: &[&[u8]]) -> Zeroizing<[u8; 20]> {
    let mut context = digest::Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = Zeroizing::new([0; 20]);
    let octets = context.finish();
    hash.iter_mut()
        .zip(octets.as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}

/// RFC 2759 section 8.7, Magic1 and Magic2.
const SERVER_TO_CLIENT: &[u8] = b"Magic server to client signing constant";
const ONE_ITERATION: &[u8] = b"Pad to make it do more than one iteration";

/// RFC 3079 section 3.4, Magic1 to Magic3.
const MASTER_KEY: &[u8] = b"This is the MPPE Master Key";
const CLIENT_SENDS: &[u8] =
    b"On the client side, this is the send key; on the server side, it is the receive key.";
const CLIENT_RECEIVES: &[u8] =
    b"On the client side, this is the receive key; on the server side, it is the send key.";

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(digits: &str) -> [u8; N] {
        let mut octets = [0; N];
        for (at, octet) in octets.iter_mut().enumerate() {
            *octet = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
        }
        octets
    }

    const CHALLENGE: &str = "5b5d7c7d7b3f2f3e3c2c602132262628";
    const PEER_CHALLENGE: &str = "21402324255e262a28295f2b3a337c7e";
    const RESPONSE: &str = "82309ecd8d708b5ea08faa3981cd83544233114a3d85d6df";
    const PASSWORD_HASH_HASH: &str = "41c00c584bd2d91c4017a2a12fa59f3f";

    fn login<T>(name: &[u8], ask: impl FnOnce(&MsChapV2<'_>) -> T) -> T {
        ask(&MsChapV2 {
            challenge: &hex(CHALLENGE),
            peer_challenge: &hex(PEER_CHALLENGE),
            response: &hex(RESPONSE),
            name,
        })
    }

    #[test]
    fn rfc2759_9_2_challenge_hash_is_without_the_domain() {
        for name in [&b"User"[..], b"DOMAIN\\User"] {
            let hash = login(name, |login| login.challenge_hash());
            assert_eq!(hash, hex("d02e4386bce91226"));
        }
        let other = login(b"User@realm", |login| login.challenge_hash());
        assert_ne!(other, hex::<8>("d02e4386bce91226"));
    }

    #[test]
    fn rfc2759_9_2_authenticator_response() {
        let key = NtKey::new(hex(PASSWORD_HASH_HASH));
        let text = login(b"User", |login| login.authenticator_response(&key));
        let expected = "S=407A5589115FD0D6209F510FE9C04566932CDA56";
        assert_eq!(std::str::from_utf8(&text).unwrap(), expected);
    }

    #[test]
    fn rfc3079_3_5_3_session_keys() {
        let key = NtKey::new(hex(PASSWORD_HASH_HASH));
        let keys = login(b"User", |login| login.session_keys(&key));
        assert_eq!(*keys.send, hex("8b7cdc149b993a1ba118cb153f56dccb"));
        assert_eq!(*keys.receive, hex("d5f0e9521e3ea9589645e86051c82226"));
    }
}
