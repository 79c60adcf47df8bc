//! Names of users and groups.

use std::borrow::Borrow;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizer;
use icu_normalizer::ComposingNormalizerBorrowed;
use icu_normalizer::DecomposingNormalizer;
use icu_normalizer::DecomposingNormalizerBorrowed;
use icu_normalizer::properties::CanonicalCombiningClassMap;
use uuid::Uuid;

/// A user's name as sources and supplicants spell it: a UPN, `DOMAIN\user` or a bare account.
///
/// Kept in the folded form that names are compared in: trimmed, letters in lower case and composed
/// (see [`UserId::fold`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Folds `text`; `None` when nothing is left or it exceeds [`UserId::MAX`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut folded = [0; Self::MAX];
        Self::fold(text, &mut folded).map(|folded| Self(Arc::from(folded)))
    }

    /// Longest name in octets: that of a User-Name (RFC 2865 section 5).
    pub const MAX: usize = 253;

    /// Folds `text` into a buffer, to look a name up without keeping it. `None` as for
    /// [`UserId::parse`].
    ///
    /// Letters of every alphabet become lower case, each by itself, and a letter that comes as a base
    /// and its marks is the one that has them (Unicode's form C, UAX 15): phones and file systems of
    /// Apple spell names apart, directories do not. A letter beyond ASCII never becomes one within: the
    /// Kelvin sign is no `k` here, so that no name of another alphabet is that of an English one.
    #[must_use]
    pub fn fold<'b>(text: &str, buffer: &'b mut [u8; Self::MAX]) -> Option<&'b str> {
        let text = text.trim();
        if !text.is_ascii() {
            return fold_beyond_ascii(text, buffer);
        }
        let folded = buffer.get_mut(..text.len()).filter(|to| !to.is_empty())?;
        folded.copy_from_slice(text.as_bytes());
        folded.make_ascii_lowercase();
        // Still the text that it was: only ASCII letters have changed.
        std::str::from_utf8(folded).ok()
    }

    /// The folded form of a text of any length, blanks around it included.
    #[must_use]
    pub fn folded(text: &str) -> String {
        if text.is_ascii() {
            return text.to_ascii_lowercase();
        }
        let mut folded = String::with_capacity(text.len());
        fold_each(text, |letter| {
            folded.push(letter);
            Some(())
        });
        folded
    }

    /// A text without marks, widths and other variants of letters, in lower case: names that are equal in
    /// this form can be one account to a directory, Active Directory for one, and need not be.
    #[must_use]
    pub fn plainest(text: &str) -> Cow<'_, str> {
        let is_plain = |octet: u8| octet.is_ascii() && !octet.is_ascii_uppercase();
        if text.bytes().all(is_plain) {
            return Cow::Borrowed(text);
        }
        const NFKD: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizer::new_nfkd();
        let classes = CanonicalCombiningClassMap::new();
        let letters = NFKD.normalize_iter(text.chars());
        let letters = letters.filter(|letter| classes.get_u8(*letter) == 0);
        Cow::Owned(letters.flat_map(char::to_lowercase).collect())
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cold]
fn fold_beyond_ascii<'b>(text: &str, buffer: &'b mut [u8; UserId::MAX]) -> Option<&'b str> {
    let mut end = 0;
    fold_each(text, |letter| {
        let next = end + letter.len_utf8();
        letter.encode_utf8(buffer.get_mut(end..next)?);
        end = next;
        Some(())
    })?;
    buffer
        .get(..end)
        .and_then(|all| std::str::from_utf8(all).ok())
}

/// Hands the folded letters of a text to `take`, until that gives `None`.
fn fold_each(text: &str, mut take: impl FnMut(char) -> Option<()>) -> Option<()> {
    // Composition would make ASCII of these; a name that has one is compared letter by letter.
    if text.contains(ASCII_WHEN_COMPOSED) {
        return text.chars().flat_map(Lower::of).try_for_each(take);
    }
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizer::new_nfc();
    // Before and after: some capitals exist in one form only, and so do some small letters.
    let composed = NFC.normalize_iter(text.chars());
    let lower = composed.flat_map(Lower::of);
    NFC.normalize_iter(lower).try_for_each(&mut take)
}

/// KELVIN SIGN, GREEK QUESTION MARK and GREEK VARIA, whose canonical forms are `K`, `;` and a grave.
const ASCII_WHEN_COMPOSED: [char; 3] = ['\u{212a}', '\u{37e}', '\u{1fef}'];

/// A letter in lower case: one to three characters.
enum Lower {
    Same(Option<char>),
    Other(std::char::ToLowercase),
}

impl Lower {
    fn of(letter: char) -> Self {
        if letter.is_ascii() {
            return Self::Same(Some(letter.to_ascii_lowercase()));
        }
        let lower = letter.to_lowercase();
        if lower.clone().any(|letter| letter.is_ascii()) {
            Self::Same(Some(letter))
        } else {
            Self::Other(lower)
        }
    }
}

impl Iterator for Lower {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::Same(letter) => letter.take(),
            Self::Other(letters) => letters.next(),
        }
    }
}

/// The folded text: equal, ordered and hashed as the name is.
impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The inventory's short number for a user, the same for all of the user's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserRef(pub u32);

/// A group: its GUID, or a GUID derived from its name where the source has names only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Uuid);

impl GroupId {
    /// The group that `text` names: a GUID as such, anything else by its name without case.
    #[must_use]
    pub fn named(text: &str) -> Self {
        let text = text.trim();
        let guid = Uuid::try_parse(text).ok();
        Self(guid.unwrap_or_else(|| Uuid::new_v5(&GROUP_NAMESPACE, text.to_lowercase().as_bytes())))
    }

    /// From the 128 bits of [`GroupId::as_u128`].
    #[must_use]
    pub const fn from_u128(bits: u128) -> Self {
        Self(Uuid::from_u128(bits))
    }

    /// The 128 bits of the GUID.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

/// The GUID; names are kept where they are configured.
impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Namespace of [`GroupId::named`]; a random UUID chosen once for this project.
const GROUP_NAMESPACE: Uuid = Uuid::from_u128(0x2f5a_90c4_1b7e_4d3c_a8e6_74d0_9b12_6fe8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_compare_without_case() {
        assert_eq!(
            UserId::parse(" Alice@Contoso.com "),
            UserId::parse("alice@contoso.COM")
        );
        assert_eq!(UserId::parse("  "), None);
        assert_eq!(UserId::parse(&"a".repeat(254)), None);
        assert!(UserId::parse(&"a".repeat(253)).is_some());
        let umlaut = UserId::parse(" \u{dc}SER ").unwrap();
        assert_eq!(umlaut.as_str(), "\u{fc}ser");
        let greek = UserId::parse("\u{39f}\u{394}\u{39f}\u{3a3}@X").unwrap();
        assert_eq!(greek.as_str(), "\u{3bf}\u{3b4}\u{3bf}\u{3c3}@x");
        // No letter becomes an English one.
        for other in ["\u{212a}aren", "\u{130}da"] {
            assert_eq!(UserId::parse(other).unwrap().as_str(), other);
            assert_eq!(UserId::folded(other), other);
        }
        // A letter and its marks are one letter, in either case.
        for apart in ["mu\u{308}ller", "MU\u{308}LLER", "m\u{dc}ller"] {
            assert_eq!(UserId::parse(apart).unwrap().as_str(), "m\u{fc}ller");
            assert_eq!(UserId::folded(apart), "m\u{fc}ller");
        }
        // Two marks in either order (UAX 15), and a capital that has no small letter of its own.
        assert_eq!(
            UserId::folded("q\u{307}\u{323}"),
            UserId::folded("q\u{323}\u{307}")
        );
        assert_eq!(UserId::folded("I\u{307}da"), "\u{130}da");
        // Two octets that become three (U+023A) do not fit any more.
        assert_eq!(UserId::parse(&"\u{23a}".repeat(126)), None);
        assert!(UserId::parse(&"\u{23a}".repeat(84)).is_some());
    }

    #[test]
    fn no_letter_beyond_ascii_is_folded_into_it() {
        for letter in ('\u{80}'..=char::MAX).filter(|letter| !letter.is_whitespace()) {
            let folded = UserId::folded(letter.encode_utf8(&mut [0; 4]));
            assert!(
                !folded.contains(|one: char| one.is_ascii()),
                "{letter:?} is {folded:?}"
            );
            assert_eq!(UserId::folded(&folded), folded, "{letter:?}, folded again");
        }
    }

    #[test]
    fn a_name_is_plainest_in_lower_case_whatever_its_letters() {
        for (name, expected) in [
            ("alice", "alice"),
            ("D\\Alice", "d\\alice"),
            ("\u{c1}LICE", "alice"),
            ("\u{212a}aren", "karen"),
            ("\u{ff21}lice\u{ff20}d\u{ff3c}e", "alice@d\\e"),
            ("\u{39f}\u{394}\u{39f}", "\u{3bf}\u{3b4}\u{3bf}"),
        ] {
            let plainest = UserId::plainest(name);
            assert_eq!(plainest, expected, "row {name}");
            assert_eq!(UserId::plainest(&plainest), expected, "row {name}, again");
        }
    }

    #[test]
    fn groups_are_named_by_guid_or_by_name() {
        let guid = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(GroupId::named(guid).to_string(), guid);
        assert_eq!(GroupId::named("All Staff"), GroupId::named(" all staff"));
        assert_ne!(GroupId::named("staff"), GroupId::named("guests"));
    }
}
