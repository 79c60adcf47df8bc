//! One user, several spellings: `alice`, `CONTOSO\alice`, `alice@contoso.com`.

use crate::model::UserId;

/// How the spellings of a user's name are brought together.
///
/// Names compare without case ([`UserId::fold`]) and without blanks around them. The canonical
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
        let folded = UserId::folded(name.trim());
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
    /// Equal canonical names agree. Beyond that, equal accounts agree
    ///
    /// - where the query leaves the domain open: a bare name there goes with any domain or suffix
    ///   that was signed in with;
    /// - where the query adds a suffix that is ours, or a domain that stands for it, to a bare name.
    ///   A domain that nothing here knows is a foreign one;
    /// - where one says a domain and the other a suffix whose first label it is (`CONTOSO` and
    ///   `contoso.com`), if the suffix is ours or nothing here says what is ours.
    ///
    /// Ours are the suffixes of [`Names::domains`] and [`Names::default_suffix`]. Two stated suffixes,
    /// or two stated domains, must be equal.
    #[must_use]
    pub fn agree(&self, authenticated: &str, named: &str) -> bool {
        // One spelling has one canonical name; most clients say the same twice.
        if authenticated.trim().eq_ignore_ascii_case(named.trim()) {
            return true;
        }
        let authenticated = self.canonical(authenticated);
        let named = self.canonical(named);
        if authenticated == named {
            return true;
        }
        // A domain that is left in a canonical name is one without an entry.
        match (split(&authenticated), split(&named)) {
            (Spelling::Domain(_, one) | Spelling::Suffix(one, _), Spelling::Bare(other)) => {
                one == other
            }
            (Spelling::Bare(one), Spelling::Suffix(other, suffix)) => {
                one == other && self.is_ours(suffix)
            }
            (Spelling::Domain(domain, one), Spelling::Suffix(other, suffix))
            | (Spelling::Suffix(one, suffix), Spelling::Domain(domain, other)) => {
                let label = suffix.split('.').next();
                let is_foreign = self.knows_any() && !self.is_ours(suffix);
                one == other && label == Some(domain) && !is_foreign
            }
            (Spelling::Bare(_), Spelling::Bare(_) | Spelling::Domain(..))
            | (Spelling::Domain(..), Spelling::Domain(..))
            | (Spelling::Suffix(..), Spelling::Suffix(..)) => false,
        }
    }

    /// The account without domain and suffix, in lower case: what all spellings of a user share.
    ///
    /// Users of one name in several domains share it too. For counting refusals that is right: who
    /// guesses could else begin anew with each domain that the mail server ignores.
    #[must_use]
    pub(super) fn account(name: &str) -> String {
        let account = name.rsplit('\\').next().unwrap_or_default();
        let account = account.split('@').next().unwrap_or_default();
        // Letters that are no ASCII here may well be to the mail server.
        UserId::folded(account.trim()).to_lowercase()
    }

    fn knows_any(&self) -> bool {
        !self.domains.is_empty() || self.default_suffix.is_some()
    }

    fn is_ours(&self, suffix: &str) -> bool {
        self.domains
            .iter()
            .map(|(_, suffix)| suffix)
            .chain(&self.default_suffix)
            .any(|ours| ours.eq_ignore_ascii_case(suffix))
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
            ("M\u{dc}LLER@Contoso.com", "m\u{fc}ller@contoso.com"),
            ("mu\u{308}ller@Contoso.com", "m\u{fc}ller@contoso.com"),
            ("\u{212a}aren", "\u{212a}aren"),
        ] {
            assert_eq!(names.canonical(name), expected, "row {name}");
        }
        names.default_suffix = Some("Contoso.com".into());
        assert_eq!(names.canonical("Alice"), "alice@contoso.com");
    }

    /// A bare name in Authorization agreed with any domain in the query.
    #[test]
    fn the_users_of_query_and_authorization_agree_or_do_not() {
        // The columns: with FABRIKAM configured, and with nothing configured.
        for (authenticated, named, configured, bare) in [
            ("alice", "ALICE", true, true),
            ("mu\u{308}ller", "M\u{dc}LLER", true, true),
            ("alice", "bob", false, false),
            ("CONTOSO\\alice", "alice", true, true),
            ("alice@contoso.com", "alice", true, true),
            ("alice", "OTHER\\alice", false, false),
            ("alice", "alice@other.com", false, false),
            ("alice", "Fabrikam\\Alice", true, false),
            ("alice", "alice@FABRIKAM.example", true, false),
            ("alice", "FABRIKAM\\bob", false, false),
            ("CONTOSO\\alice", "alice@contoso.com", false, true),
            ("alice@contoso.com", "contoso\\alice", false, true),
            ("OTHER\\alice", "alice@contoso.com", false, false),
            ("FABRIKAM\\alice", "alice@fabrikam.example", true, true),
            ("FABRIKAM\\alice", "alice@fabrikam.com", false, true),
            ("alice@fabrikam.example", "OTHER\\alice", false, false),
            ("alice@contoso.com", "alice@other.com", false, false),
            ("CONTOSO\\alice", "OTHER\\alice", false, false),
            ("CONTOSO\\alice", "CONTOSO\\bob", false, false),
            ("alice@contoso.com", "alice@contoso.com@evil", false, false),
        ] {
            let row = format!("row {authenticated} and {named}");
            assert_eq!(names().agree(authenticated, named), configured, "{row}");
            assert_eq!(Names::default().agree(authenticated, named), bare, "{row}");
        }
    }

    #[test]
    fn all_spellings_of_a_user_share_the_account() {
        for name in [
            "alice",
            " ALICE ",
            "CONTOSO\\Alice",
            "alice@contoso.com",
            "Alice@other.example@x",
            "X\\alice@contoso.com",
            "X\\Y\\alice",
            "X\\ alice @contoso.com",
        ] {
            assert_eq!(Names::account(name), "alice", "row {name}");
        }
        assert_eq!(Names::account("J\u{dc}RGEN"), "j\u{fc}rgen");
        assert_eq!(Names::account("Ju\u{308}rgen"), "j\u{fc}rgen");
    }

    #[test]
    fn a_default_suffix_settles_which_domain_a_bare_name_means() {
        let mut names = names();
        names.default_suffix = Some("contoso.com".into());
        assert!(names.agree("alice", "alice@contoso.com"));
        assert!(!names.agree("alice", "alice@other.com"));
    }
}
