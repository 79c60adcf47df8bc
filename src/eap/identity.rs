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
        realm(std::str::from_utf8(&self.0).ok()?)
    }

    /// Whether this name may stand outside of a tunnel in which `user` is named: where both have a
    /// realm, that of `user` is the same or one below it (RFC 7542 section 2.5; realms compare
    /// without case).
    #[must_use]
    pub fn may_stand_for(&self, user: &str) -> bool {
        let (Some(outside), Some(inside)) = (self.realm(), realm(user)) else {
            return true;
        };
        let Some(above) = inside.len().checked_sub(outside.len()) else {
            return false;
        };
        let (Some(begin), Some(end)) = (inside.get(..above), inside.get(above..)) else {
            return false;
        };
        end.eq_ignore_ascii_case(outside) && (begin.is_empty() || begin.ends_with('.'))
    }
}

fn realm(name: &str) -> Option<&str> {
    let (_, realm) = name.rsplit_once('@')?;
    (!realm.is_empty()).then_some(realm)
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
    fn the_realm_inside_is_that_of_the_outside_or_below_it() {
        for (outside, inside, fits) in [
            ("anonymous@contoso.com", "alice@contoso.com", true),
            ("@Contoso.COM", "alice@contoso.com", true),
            ("@contoso.com", "alice@lab.contoso.com", true),
            ("@contoso.com", "alice@evilcontoso.com", false),
            ("@contoso.com", "alice@example.com", false),
            ("@lab.contoso.com", "alice@contoso.com", false),
            ("anonymous", "alice@contoso.com", true),
            ("@contoso.com", "alice", true),
            ("@contoso.com", "CONTOSO\\alice", true),
            ("@a", "x@\u{e9}", false),
        ] {
            let outside = Identity::new(outside.as_bytes()).unwrap();
            assert_eq!(
                outside.may_stand_for(inside),
                fits,
                "row {outside} {inside}"
            );
        }
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
