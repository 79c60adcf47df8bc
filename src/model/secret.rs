//! Octets that must never be printed, logged or compared in variable time.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A shared secret, password or token: zeroed on drop, redacted in `Debug`, without `Display`
/// and without `PartialEq`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the octets over.
    #[must_use]
    pub fn new(octets: Vec<u8>) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// The octets, for the one computation that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Compares in a time that depends on the lengths only.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        bool::from(self.0.as_slice().ct_eq(other))
    }

    /// Whether the secret is one that `check` must refuse: under 16 octets (the minimum of
    /// draft-ietf-radext-deprecating-radius) or one of the defaults that attackers try first.
    #[must_use]
    pub fn weakness(&self) -> Option<WeakSecret> {
        if is_known(&self.0) {
            return Some(WeakSecret::Known);
        }
        if self.0.len() < MINIMUM_SECRET {
            return Some(WeakSecret::Short {
                octets: self.0.len(),
            });
        }
        None
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() {
            "Secret(absent)"
        } else {
            "Secret(present)"
        })
    }
}

/// Why a secret is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakSecret {
    /// Shorter than 16 octets.
    #[error("the secret has {octets} octets, at least {MINIMUM_SECRET} are needed")]
    Short {
        /// Its length.
        octets: usize,
    },
    /// A default that is printed in manuals, words of such defaults in a row, one character or
    /// word again and again, or characters in a row.
    #[error("the secret is a well-known default, or words or characters in a row")]
    Known,
}

const MINIMUM_SECRET: usize = 16;

/// Whether nothing is left of the secret but words of defaults and characters in a row.
fn is_known(secret: &[u8]) -> bool {
    let mut folded = Zeroizing::new(secret.to_ascii_lowercase());
    folded.retain(u8::is_ascii_alphanumeric);
    if folded.is_empty() {
        // Nothing but signs, or nothing.
        let first = secret.first();
        return !secret.is_empty() && secret.iter().all(|octet| Some(octet) == first);
    }
    let mut rest = folded.as_slice();
    while !rest.is_empty() {
        let word = KNOWN_WORDS
            .iter()
            .filter(|word| rest.starts_with(word.as_bytes()))
            .map(|word| word.len())
            .max();
        let taken = word.unwrap_or(0).max(in_a_row(rest));
        if taken == 0 {
            return false;
        }
        rest = rest.get(taken..).unwrap_or(&[]);
    }
    true
}

/// How many characters at the start are the same, or each the one after the one before; 0 if they
/// are fewer than four, unless they are all there is.
fn in_a_row(text: &[u8]) -> usize {
    let steps = |step: u8| {
        let pairs = text.windows(2).take_while(|pair| match pair {
            [one, other] => {
                one.wrapping_add(step) == *other || step == 1 && (*one, *other) == (b'9', b'0')
            }
            _ => false,
        });
        1 + pairs.count()
    };
    let longest = steps(0).max(steps(1));
    if longest >= 4 { longest } else { 0 }
}

/// Words of the defaults of servers, access points and their guides, folded.
const KNOWN_WORDS: [&str; 24] = [
    "testing123",
    "testing",
    "test",
    "secret",
    "radius",
    "radsec",
    "password",
    "passw0rd",
    "changeme",
    "shared",
    "cisco",
    "aruba",
    "meraki",
    "xyzzy",
    "admin",
    "default",
    "welcome",
    "letmein",
    "thisisa",
    "this",
    "isa",
    "my",
    "the",
    "123",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_presence_only() {
        assert_eq!(
            format!("{:?}", Secret::new(b"hunter2".to_vec())),
            "Secret(present)"
        );
        assert_eq!(format!("{:?}", Secret::new(Vec::new())), "Secret(absent)");
    }

    #[test]
    fn known_short_and_repeated_secrets_are_weak() {
        for (text, weak) in [
            ("testing123", Some(WeakSecret::Known)),
            ("Secret", Some(WeakSecret::Known)),
            ("aaaaaaaaaaaaaaaaaaaaaaaa", Some(WeakSecret::Known)),
            ("fifteen octets!", Some(WeakSecret::Short { octets: 15 })),
            ("sixteen octets!!", None),
            ("testing123testing123", Some(WeakSecret::Known)),
            ("ThisIsASharedSecret", Some(WeakSecret::Known)),
            ("shared-secret-1234", Some(WeakSecret::Known)),
            ("passwordpassword", Some(WeakSecret::Known)),
            ("xyzzyxyzzyxyzzyxyzzy", Some(WeakSecret::Known)),
            ("abcdefghijklmnop", Some(WeakSecret::Known)),
            ("0123456789abcdef", Some(WeakSecret::Known)),
            ("1234567890123456", Some(WeakSecret::Known)),
            ("----------------", Some(WeakSecret::Known)),
            ("9f86d081884c7d659a2feaa0c55ad015", None),
            ("radius of the earth is 6371 km", None),
        ] {
            let secret = Secret::new(text.as_bytes().to_vec());
            assert_eq!(secret.weakness(), weak, "row {text}");
        }
    }

    #[test]
    fn compares_whole_values() {
        let secret = Secret::new(b"abc".to_vec());
        assert!(secret.ct_eq(b"abc"));
        assert!(!secret.ct_eq(b"abd"));
        assert!(!secret.ct_eq(b"ab"));
    }
}
