//! Realms: which part of a name says who knows its user (RFC 7542).

use std::collections::HashMap;

/// What follows the last `@` of a name, as it stands; `None` without one.
#[must_use]
pub fn realm_of(name: &[u8]) -> Option<&[u8]> {
    let at = name.iter().rposition(|&octet| octet == b'@')?;
    name.get(at.saturating_add(1)..)
}

/// What is to be done for each realm. Realms are compared without case; nothing is normalised
/// (RFC 7542 section 2.4).
#[derive(Clone, Debug)]
pub struct RealmTable<T> {
    exact: HashMap<Box<str>, T>,
    /// By what follows `*.`.
    below: HashMap<Box<str>, T>,
    /// Of every other realm.
    others: Option<T>,
    /// Of names without one.
    none: Option<T>,
}

impl<T> Default for RealmTable<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            below: HashMap::new(),
            others: None,
            none: None,
        }
    }
}

impl<T> RealmTable<T> {
    /// Adds a realm: `example.org`, `*.example.org` for those below it, `*` for every other one, the
    /// empty text for names without one. Gives `value` back if that realm is there already.
    pub fn add(&mut self, realm: &str, value: T) -> Option<T> {
        let realm = realm.to_ascii_lowercase();
        let place = match (realm.as_str(), realm.strip_prefix("*.")) {
            ("", _) => &mut self.none,
            ("*", _) => &mut self.others,
            (_, Some(parent)) => return self.below.insert(parent.into(), value),
            (_, None) => return self.exact.insert(realm.into(), value),
        };
        place.replace(value)
    }

    /// What is said of the realm of `name`: of itself, else of the nearest one above it, else of
    /// all others. A realm that is longer than any DNS name, or no text, is one of the others.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&T> {
        let Some(realm) = realm_of(name) else {
            return self.none.as_ref();
        };
        let mut lower = [0; MAX_REALM];
        let known = lower.get_mut(..realm.len()).and_then(|lower| {
            lower.copy_from_slice(realm);
            lower.make_ascii_lowercase();
            let realm = std::str::from_utf8(lower).ok()?;
            self.exact.get(realm).or_else(|| {
                let mut rest = realm;
                while let Some((_, parent)) = rest.split_once('.') {
                    if let Some(value) = self.below.get(parent) {
                        return Some(value);
                    }
                    rest = parent;
                }
                None
            })
        });
        known.or(self.others.as_ref())
    }
}

/// A realm is a domain name (RFC 7542 section 2.2), and User-Name has 253 octets.
const MAX_REALM: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_goes_to_the_nearest_realm_rfc7542() {
        let mut table = RealmTable::default();
        for realm in ["Example.org", "*.example.org", "*.lab.example.org", "*", ""] {
            assert_eq!(table.add(realm, realm), None);
        }
        for (name, realm) in [
            (&b"alice@example.org"[..], "Example.org"),
            (b"alice@EXAMPLE.ORG", "Example.org"),
            (b"alice@dep.example.org", "*.example.org"),
            (b"alice@a.b.example.org", "*.example.org"),
            (b"alice@x.lab.example.org", "*.lab.example.org"),
            // The last @ counts.
            (b"alice@other.test@example.org", "Example.org"),
            (b"@example.org", "Example.org"),
            (b"alice@notexample.org", "*"),
            (b"alice@", "*"),
            (b"alice@\xff", "*"),
            (&[b'@'; 253], "*"),
            (b"alice", ""),
            (b"", ""),
        ] {
            assert_eq!(table.find(name), Some(&realm), "row {name:?}");
        }
        assert_eq!(RealmTable::<u8>::default().find(b"alice@example.org"), None);
    }
}
