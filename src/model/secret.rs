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
        let known = KNOWN_SECRETS
            .iter()
            .any(|known| self.0.eq_ignore_ascii_case(known.as_bytes()));
        if known {
            return Some(WeakSecret::Known);
        }
        if self.0.len() < MINIMUM_SECRET {
            return Some(WeakSecret::Short {
                octets: self.0.len(),
            });
        }
        let first = self.0.first();
        if self.0.iter().all(|octet| Some(octet) == first) {
            return Some(WeakSecret::Known);
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
    /// A default that is printed in manuals, or one repeated character.
    #[error("the secret is a well-known default or one repeated character")]
    Known,
}

const MINIMUM_SECRET: usize = 16;

/// Defaults of servers, access points and their guides, lower case.
const KNOWN_SECRETS: [&str; 14] = [
    "testing123",
    "testing123-1",
    "secret",
    "radius",
    "radsec",
    "password",
    "changeme",
    "changemechangeme",
    "sharedsecret",
    "shared_secret",
    "radiussecret",
    "mysecretmysecret",
    "0123456789abcdef",
    "1234567890123456",
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
