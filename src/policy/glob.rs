//! Patterns with `*`, for what mail clients call themselves.

/// A pattern in which `*` stands for any octets, none included; all else is compared without ASCII
/// case.
///
/// Matching never recurses and costs at most pattern length times text length: both are bounded,
/// the one by [`Glob::MAX`], the other by the request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(Box<str>);

impl Glob {
    /// Longest pattern, in octets. A user agent that needs more to be told apart is not one that a
    /// person wrote down.
    pub(super) const MAX: usize = 128;

    /// `None` when the text is empty or too long.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.len() <= Self::MAX).then(|| Self(text.into()))
    }

    /// The pattern as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits every text.
    pub(super) fn matches_all(&self) -> bool {
        self.0.bytes().all(|octet| octet == b'*')
    }

    /// Whether the whole of `text` fits.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut pattern = self.0.as_bytes();
        let mut text = text.as_bytes();
        // After the last star: the pattern behind it, and the text it has not swallowed yet.
        let mut star: Option<(&[u8], &[u8])> = None;
        loop {
            match (pattern.split_first(), text.split_first()) {
                (Some((b'*', rest)), _) => {
                    star = Some((rest, text));
                    pattern = rest;
                }
                (Some((wanted, pattern_rest)), Some((seen, text_rest)))
                    if wanted.eq_ignore_ascii_case(seen) =>
                {
                    pattern = pattern_rest;
                    text = text_rest;
                }
                (None, None) => return true,
                (Some(_), _) | (None, Some(_)) => {
                    // The last star swallows one octet more, if there is one.
                    let Some((behind, [_, swallowed @ ..])) = star else {
                        return false;
                    };
                    star = Some((behind, swallowed));
                    pattern = behind;
                    text = swallowed;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_without_case() {
        for (pattern, text, expected) in [
            ("iPhone", "iphone", true),
            ("iPhone", "iPhone9", false),
            ("iPhone*", "IPHONE", true),
            ("*outlook*", "Mozilla Outlook-iOS/2", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-", false),
            ("*", "", true),
            ("**", "x", true),
            ("a*", "", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("*aab", "aaab", true),
        ] {
            let glob = Glob::new(pattern).unwrap();
            assert_eq!(glob.matches(text), expected, "row {pattern} {text}");
        }
    }

    #[test]
    fn empty_and_overlong_patterns_are_refused() {
        assert_eq!(Glob::new("  "), None);
        assert!(Glob::new(&"a".repeat(Glob::MAX)).is_some());
        assert_eq!(Glob::new(&"a".repeat(Glob::MAX + 1)), None);
    }
}
