//! The name that a user logs in with, and its parts.

/// `alice`, `alice@contoso.com` or `CONTOSO\alice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoginName<'a> {
    /// As it was sent.
    pub(super) whole: &'a str,
    /// Without realm and domain.
    pub(super) user: &'a str,
    /// What stands behind the last `@` or before the first `\`.
    pub(super) realm: Option<&'a str>,
}

impl<'a> LoginName<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        let whole = whole.trim();
        let parts = whole
            .split_once('\\')
            .map(|(realm, user)| (user, realm))
            .or_else(|| whole.rsplit_once('@'));
        let (user, realm) = match parts {
            Some((user, realm)) if !user.is_empty() && !realm.is_empty() => (user, Some(realm)),
            Some(_) | None => (whole, None),
        };
        Self { whole, user, realm }
    }

    /// Whether the realm is one of these, compared without case; the empty one is that of names
    /// without any. With an empty list it is.
    pub(super) fn is_of(&self, realms: &[String]) -> bool {
        let own = self.realm.unwrap_or_default();
        realms.is_empty() || realms.iter().any(|realm| realm.eq_ignore_ascii_case(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_user_and_maybe_a_realm() {
        for (whole, user, realm) in [
            ("alice", "alice", None),
            (" alice ", "alice", None),
            ("alice@contoso.com", "alice", Some("contoso.com")),
            ("alice@home@contoso.com", "alice@home", Some("contoso.com")),
            ("CONTOSO\\alice", "alice", Some("CONTOSO")),
            ("CONTOSO\\alice@x", "alice@x", Some("CONTOSO")),
            ("@contoso.com", "@contoso.com", None),
            ("alice@", "alice@", None),
            ("\\alice", "\\alice", None),
            ("", "", None),
        ] {
            let name = LoginName::new(whole);
            assert_eq!((name.user, name.realm), (user, realm), "row {whole}");
        }
    }

    #[test]
    fn realms_choose_the_directory() {
        let list = |realms: &[&str]| realms.iter().map(|realm| (*realm).to_owned()).collect();
        for (name, realms, is_of) in [
            ("alice", &[][..], true),
            ("alice@x", &[], true),
            ("alice@Contoso.COM", &["contoso.com"], true),
            ("alice", &["contoso.com"], false),
            ("alice", &["contoso.com", ""], true),
            ("alice@other", &["contoso.com", ""], false),
        ] {
            let realms: Vec<String> = list(realms);
            assert_eq!(LoginName::new(name).is_of(&realms), is_of, "row {name}");
        }
    }
}
