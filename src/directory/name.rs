//! The name that a user logs in with, and its parts.

/// `alice`, `alice@contoso.com` or `CONTOSO\alice`; of a machine `host/pc1.contoso.com`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoginName<'a> {
    /// As it was sent.
    pub(super) whole: &'a str,
    /// Without realm and domain.
    pub(super) user: &'a str,
    /// What stands behind the last `@` or before the first `\`; of a machine behind the first dot.
    pub(super) realm: Option<&'a str>,
    /// Whether it is the name of a machine, as Windows gives it.
    pub(super) is_machine: bool,
}

impl<'a> LoginName<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        let whole = whole.trim();
        if let Some(host) = machine(whole) {
            let (user, realm) = match host.split_once('.') {
                Some((user, realm)) if !user.is_empty() && !realm.is_empty() => (user, Some(realm)),
                Some(_) | None => (host, None),
            };
            return Self {
                whole,
                user,
                realm,
                is_machine: true,
            };
        }
        let parts = whole
            .split_once('\\')
            .map(|(realm, user)| (user, realm))
            .or_else(|| whole.rsplit_once('@'));
        let (user, realm) = match parts {
            Some((user, realm)) if !user.is_empty() && !realm.is_empty() => (user, Some(realm)),
            Some(_) | None => (whole, None),
        };
        Self {
            whole,
            user,
            realm,
            is_machine: false,
        }
    }

    /// Whether the realm is one of these, compared without case; the empty one is that of names
    /// without any. With an empty list it is.
    pub(super) fn is_of(&self, realms: &[String]) -> bool {
        let own = self.realm.unwrap_or_default();
        realms.is_empty() || realms.iter().any(|realm| realm.eq_ignore_ascii_case(own))
    }
}

/// The host of a machine's name.
fn machine(whole: &str) -> Option<&str> {
    let (prefix, host) = whole.split_at_checked(MACHINE.len())?;
    (prefix.eq_ignore_ascii_case(MACHINE) && !host.is_empty()).then_some(host)
}

/// Of the service principal name by which a machine logs in.
pub(super) const MACHINE: &str = "host/";

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
            ("host/", "host/", None),
            ("", "", None),
        ] {
            let name = LoginName::new(whole);
            assert_eq!((name.user, name.realm), (user, realm), "row {whole}");
            assert!(!name.is_machine, "row {whole}");
        }
    }

    #[test]
    fn machines_are_named_as_their_services_are() {
        for (whole, user, realm) in [
            ("host/pc1.contoso.com", "pc1", Some("contoso.com")),
            ("HOST/PC1.contoso.com", "PC1", Some("contoso.com")),
            ("host/pc1", "pc1", None),
            ("host/.contoso.com", ".contoso.com", None),
        ] {
            let name = LoginName::new(whole);
            assert_eq!((name.user, name.realm), (user, realm), "row {whole}");
            assert!(name.is_machine, "row {whole}");
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
