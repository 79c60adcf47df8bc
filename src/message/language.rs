//! The language of a reader: a tag of letters such as `de` or `pt-br`.

use std::fmt;
use std::str::FromStr;

/// A language tag (RFC 5646 section 2.1), reduced to language and region or script, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Language(String);

impl Language {
    /// English, in which there is always every text.
    #[must_use]
    pub fn english() -> Self {
        Self("en".to_owned())
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Without its region: `pt` of `pt-br`.
    #[must_use]
    pub fn base(&self) -> Self {
        let base = self.0.split('-').next().unwrap_or_default();
        Self(base.to_owned())
    }

    /// The languages of an Accept-Language header, the most wanted first (RFC 9110 section 12.5.4).
    /// What cannot be read, and what is not wanted (`q=0`), is left out; of more than
    /// `MAX_WANTED` only the first are read.
    #[must_use]
    pub fn wanted(header: &str) -> Vec<Self> {
        let mut wanted: Vec<(u16, Self)> = header
            .split(',')
            .take(MAX_WANTED)
            .filter_map(|range| {
                let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
                let quality = quality(parameters);
                let language = tag.trim().parse().ok()?;
                (quality > 0).then_some((quality, language))
            })
            .collect();
        // Stable: of equals the first is the most wanted.
        wanted.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        wanted.into_iter().map(|(_, language)| language).collect()
    }

    /// What a device calls its language (`OSLanguage`, MS-ASCMD 2.2.3.117): a tag, or the English or
    /// own name of a language; `None` for anything else.
    #[must_use]
    pub fn of_device(told: &str) -> Option<Self> {
        let told = told.trim();
        let name = told.to_lowercase();
        // Chinese (Simplified), English (United States)
        let name = name.split(['(', ',']).next().unwrap_or_default().trim();
        if let Some((tag, _)) = NAMES.iter().find(|(_, names)| names.contains(&name)) {
            return Some(Self((*tag).to_owned()));
        }
        told.replace('_', "-").parse().ok()
    }

    /// The language of a Windows locale identifier (MS-LCID section 2.2), without its region.
    #[must_use]
    pub fn of_locale(identifier: u16) -> Option<Self> {
        let primary = identifier & 0x3ff;
        let found = LOCALES.iter().find(|(number, _)| *number == primary);
        found.map(|(_, tag)| Self((*tag).to_owned()))
    }
}

/// Thousandths; 1000 where nothing is said.
fn quality(parameters: &str) -> u16 {
    let value = parameters
        .split(';')
        .find_map(|one| one.trim().strip_prefix("q="));
    let Some(value) = value else { return 1000 };
    let (whole, fraction) = value
        .trim()
        .split_once('.')
        .unwrap_or_else(|| (value.trim(), ""));
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole, digits.parse::<u16>()) {
        ("1", Ok(_)) => 1000,
        ("0", Ok(thousandths)) => thousandths,
        _ => 0,
    }
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('-');
        let base = parts.next().unwrap_or_default();
        let is_base =
            (2..=3).contains(&base.len()) && base.bytes().all(|b| b.is_ascii_alphabetic());
        if !is_base || text.len() > MAX_TAG {
            return Err(LanguageError);
        }
        let mut tag = base.to_ascii_lowercase();
        // A script (zh-hant) or a region (pt-br); what follows tells no two texts of ours apart.
        if let Some(part) = parts.next() {
            let is_part =
                (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
            if !is_part {
                return Err(LanguageError);
            }
            tag.push('-');
            tag.push_str(&part.to_ascii_lowercase());
        }
        Ok(Self(tag))
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a language such as \"de\" or \"pt-BR\"")]
pub struct LanguageError;

/// Names that devices have been seen to send instead of tags, and their own ones.
const NAMES: [(&str, &[&str]); 10] = [
    ("en", &["english"]),
    ("de", &["german", "deutsch"]),
    ("fr", &["french", "français", "francais"]),
    ("es", &["spanish", "español", "espanol"]),
    ("ja", &["japanese", "日本語"]),
    ("it", &["italian", "italiano"]),
    ("pt", &["portuguese", "português"]),
    ("nl", &["dutch", "nederlands"]),
    ("zh", &["chinese", "中文"]),
    ("ko", &["korean", "한국어"]),
];

/// Primary languages of locale identifiers.
const LOCALES: [(u16, &str); 10] = [
    (0x04, "zh"),
    (0x07, "de"),
    (0x09, "en"),
    (0x0a, "es"),
    (0x0c, "fr"),
    (0x10, "it"),
    (0x11, "ja"),
    (0x12, "ko"),
    (0x13, "nl"),
    (0x16, "pt"),
];

/// Browsers send under ten.
const MAX_WANTED: usize = 16;
/// The longest tag that is read; registered ones with a region have under twelve octets.
const MAX_TAG: usize = 35;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(languages: &[Language]) -> String {
        let shown: Vec<&str> = languages.iter().map(Language::as_str).collect();
        shown.join(" ")
    }

    #[test]
    fn accept_language_is_read_by_quality_rfc9110_12_5_4() {
        for (header, expected) in [
            ("de", "de"),
            ("de-DE", "de-de"),
            ("en-us", "en-us"),
            ("da, en-gb;q=0.8, en;q=0.7", "da en-gb en"),
            ("en;q=0.5, fr;q=0.9, de", "de fr en"),
            ("fr;q=0, de", "de"),
            ("*", ""),
            ("", ""),
            ("de;q=1.5;q=x", "de"),
            ("de;q=2", ""),
            ("zh-Hant-TW", "zh-hant"),
            ("<script>, de", "de"),
            ("de;q=0.1234", "de"),
        ] {
            assert_eq!(shown(&Language::wanted(header)), expected, "row {header}");
        }
        let many = vec!["de"; 100].join(",");
        assert_eq!(Language::wanted(&many).len(), MAX_WANTED);
    }

    #[test]
    fn locale_identifiers_name_a_language() {
        for (identifier, expected) in [
            (0x0407, "de"),
            (0x0807, "de"),
            (0x0409, "en"),
            (0x0411, "ja"),
        ] {
            let language = Language::of_locale(identifier).unwrap();
            assert_eq!(language.as_str(), expected, "row {identifier:x}");
        }
        assert_eq!(Language::of_locale(0), None);
    }

    #[test]
    fn devices_name_their_language_in_many_ways() {
        for (told, expected) in [
            ("de", Some("de")),
            ("German", Some("de")),
            ("Deutsch (Schweiz)", Some("de")),
            ("en_US", Some("en-us")),
            ("日本語", Some("ja")),
            ("English (United States)", Some("en")),
            ("", None),
            ("x", None),
            ("Klingon of old", None),
        ] {
            let language = Language::of_device(told);
            assert_eq!(
                language.as_ref().map(Language::as_str),
                expected,
                "row {told}"
            );
        }
    }
}
