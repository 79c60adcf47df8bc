//! One user, several spellings: `alice`, `CONTOSO\alice`, `alice@contoso.com`.

/// How the spellings of a user's name are brought together.
///
/// Names compare without the case of ASCII letters and without blanks around them. The canonical
/// name is, in this order:
///
/// - `account@suffix` as it stands;
/// - of `DOMAIN\account`, `account@suffix` if [`Names::domains`] has a suffix for the domain, else
///   `domain\account`;
/// - of a bare `account`, `account@suffix` if [`Names::default_suffix`] is set, else `account`.
///
/// The canonical name is what the inventory and the policies are asked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// NetBIOS domain to UPN suffix, such as `CONTOSO` to `contoso.com`.
    pub domains: Vec<(String, String)>,
    /// The UPN suffix that the mail server gives to a name without one.
    pub default_suffix: Option<String>,
}

/// A name taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling<'a> {
    Bare(&'a str),
    Domain(&'a str, &'a str),
    Suffix(&'a str, &'a str),
}

impl Names {
    /// The canonical name, in lower case.
    #[must_use]
    pub fn canonical(&self, name: &str) -> String {
        let folded = name.trim().to_ascii_lowercase();
        match split(&folded) {
            Spelling::Suffix(..) => folded,
            Spelling::Domain(domain, account) => match self.suffix_of(domain) {
                Some(suffix) => format!("{account}@{}", suffix.to_ascii_lowercase()),
                None => folded,
            },
            Spelling::Bare(account) => match &self.default_suffix {
                Some(suffix) => format!("{account}@{}", suffix.to_ascii_lowercase()),
                None => folded,
            },
        }
    }

    /// Whether the user that a query names can be the user that was authenticated.
    ///
    /// Equal canonical names agree. Beyond that, equal accounts agree where one side leaves open
    /// which domain is meant: a bare name agrees with any domain or suffix, and a domain without
    /// an entry in [`Names::domains`] with a suffix whose first label it is (`CONTOSO` with
    /// `contoso.com`). Two stated suffixes, or two stated domains, must be equal.
    #[must_use]
    pub fn agree(&self, authenticated: &str, named: &str) -> bool {
        let authenticated = self.canonical(authenticated);
        let named = self.canonical(named);
        if authenticated == named {
            return true;
        }
        match (split(&authenticated), split(&named)) {
            (Spelling::Bare(one), Spelling::Domain(_, other) | Spelling::Suffix(other, _))
            | (Spelling::Domain(_, one) | Spelling::Suffix(one, _), Spelling::Bare(other)) => {
                one == other
            }
            (Spelling::Domain(domain, one), Spelling::Suffix(other, suffix))
            | (Spelling::Suffix(one, suffix), Spelling::Domain(domain, other)) => {
                let label = suffix.split('.').next();
                one == other && self.suffix_of(domain).is_none() && label == Some(domain)
            }
            (Spelling::Bare(_), Spelling::Bare(_))
            | (Spelling::Domain(..), Spelling::Domain(..))
            | (Spelling::Suffix(..), Spelling::Suffix(..)) => false,
        }
    }

    fn suffix_of(&self, domain: &str) -> Option<&str> {
        self.domains
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(domain))
            .map(|(_, suffix)| suffix.as_str())
    }
}

/// A backslash counts before an at sign: `DOMAIN\a@b` is an account `a@b` of a domain.
fn split(name: &str) -> Spelling<'_> {
    if let Some((domain, account)) = name.split_once('\\') {
        Spelling::Domain(domain, account)
    } else if let Some((account, suffix)) = name.rsplit_once('@') {
        Spelling::Suffix(account, suffix)
    } else {
        Spelling::Bare(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            domains: vec![("FABRIKAM".into(), "fabrikam.example".into())],
            default_suffix: None,
        }
    }

    #[test]
    fn names_become_canonical() {
        let mut names = names();
        for (name, expected) in [
            (" Alice ", "alice"),
            ("Alice@Contoso.com", "alice@contoso.com"),
            ("CONTOSO\\Alice", "contoso\\alice"),
            ("Fabrikam\\Alice", "alice@fabrikam.example"),
            ("D\\a@b", "d\\a@b"),
        ] {
            assert_eq!(names.canonical(name), expected, "row {name}");
        }
        names.default_suffix = Some("Contoso.com".into());
        assert_eq!(names.canonical("Alice"), "alice@contoso.com");
    }

    #[test]
    fn the_users_of_query_and_authorization_agree_or_do_not() {
        for (authenticated, named, expected) in [
            ("alice", "ALICE", true),
            ("alice", "bob", false),
            ("CONTOSO\\alice", "alice", true),
            ("alice@contoso.com", "alice", true),
            ("alice", "OTHER\\alice", true),
            ("CONTOSO\\alice", "alice@contoso.com", true),
            ("alice@contoso.com", "contoso\\alice", true),
            ("OTHER\\alice", "alice@contoso.com", false),
            ("FABRIKAM\\alice", "alice@fabrikam.example", true),
            ("FABRIKAM\\alice", "alice@fabrikam.com", false),
            ("alice@contoso.com", "alice@other.com", false),
            ("CONTOSO\\alice", "OTHER\\alice", false),
            ("CONTOSO\\alice", "CONTOSO\\bob", false),
            ("alice@contoso.com", "alice@contoso.com@evil", false),
        ] {
            let row = format!("row {authenticated} and {named}");
            assert_eq!(names().agree(authenticated, named), expected, "{row}");
        }
    }

    #[test]
    fn a_default_suffix_settles_which_domain_a_bare_name_means() {
        let mut names = names();
        names.default_suffix = Some("contoso.com".into());
        assert!(names.agree("alice", "alice@contoso.com"));
        assert!(!names.agree("alice", "alice@other.com"));
    }
}
