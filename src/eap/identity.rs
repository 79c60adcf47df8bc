//! Who the peer says it is (RFC 3748 section 5.1).

use std::fmt;

/// The octets of an EAP-Response/Identity.
///
/// Nothing proves it: it serves routing and the choice of a method, never a decision (RFC 9190
/// section 2.2). It may be empty, `@realm` or not UTF-8 at all.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity(Box<[u8]>);

impl Identity {
    /// What User-Name can carry (RFC 2865 section 5). A longer identity could not be repeated by
    /// the NAS, so it is invalid.
    pub const MAX: usize = 253;

    /// Takes the octets; `None` above [`Identity::MAX`].
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        (octets.len() <= Self::MAX).then(|| Self(octets.into()))
    }

    /// The octets as sent.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// What follows the last `@`, if it is text.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        let (_, realm) = std::str::from_utf8(&self.0).ok()?.rsplit_once('@')?;
        (!realm.is_empty()).then_some(realm)
    }
}

/// Text where it is text, replacement characters elsewhere.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Identities are personal data: only the length is shown.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} octets)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn realm_is_what_follows_the_last_at_sign() {
        for (text, realm) in [
            ("alice", None),
            ("alice@contoso.com", Some("contoso.com")),
            ("@contoso.com", Some("contoso.com")),
            ("a@b@c", Some("c")),
            ("alice@", None),
            ("", None),
        ] {
            let identity = Identity::new(text.as_bytes()).unwrap();
            assert_eq!(identity.realm(), realm, "row {text}");
        }
        assert_eq!(Identity::new(b"\xff@x").unwrap().realm(), None);
    }

    #[test]
    fn length_ends_at_what_user_name_carries() {
        assert!(Identity::new(&[b'a'; 253]).is_some());
        assert!(Identity::new(&[b'a'; 254]).is_none());
    }

    #[test]
    fn debug_hides_the_name() {
        let identity = Identity::new(b"alice").unwrap();
        assert_eq!(format!("{identity:?}"), "Identity(5 octets)");
        assert_eq!(identity.to_string(), "alice");
    }
}
