//! The texts of all languages, read from their files.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;

use crate::document;
use crate::document::Section;
use crate::model::Problem;
use crate::model::Reason;
use crate::model::Severity;

use super::language::Language;
use super::template::Shape;
use super::template::Template;

/// The files that are compiled in: their names, which are their languages, and their texts.
pub const BUILTIN: [(&str, &str); 5] = [
    ("de.toml", include_str!("../../conf/messages/de.toml")),
    ("en.toml", include_str!("../../conf/messages/en.toml")),
    ("es.toml", include_str!("../../conf/messages/es.toml")),
    ("fr.toml", include_str!("../../conf/messages/fr.toml")),
    ("ja.toml", include_str!("../../conf/messages/ja.toml")),
];

/// The texts of one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// The language.
    pub language: Language,
    texts: BTreeMap<(&'static str, &'static str), Template>,
}

impl Texts {
    /// The text of `key` in `section`; every one is there.
    pub(super) fn get(&self, section: &'static str, key: &'static str) -> &Template {
        static NOTHING: Template = Template(Vec::new());
        self.texts.get(&(section, key)).unwrap_or(&NOTHING)
    }

    /// Why, as people read it.
    pub(super) fn reason(&self, reason: Reason) -> &Template {
        let own = is_told(reason).then(|| reason.name());
        self.get("reasons", own.unwrap_or("other"))
    }

    /// What to do about it.
    pub(super) fn advice(&self, reason: Reason) -> &Template {
        self.get("advice", advice(reason))
    }
}

/// All languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    languages: BTreeMap<Language, Arc<Texts>>,
    default: Language,
}

/// The texts that are compiled in, taken apart once, and what is wrong with them: nothing, as a test
/// shows.
static BUILT_IN: LazyLock<(Book, Vec<Problem>)> = LazyLock::new(|| {
    let mut book = Book {
        languages: BTreeMap::new(),
        default: Language::english(),
    };
    let mut problems = Vec::new();
    for (name, text) in BUILTIN {
        if let Ok(language) = name.trim_end_matches(".toml").parse() {
            book.add(name, language, text, &mut problems);
        }
    }
    (book, problems)
});

impl Default for Book {
    /// The texts that are compiled in, in English where nothing is known of the reader.
    fn default() -> Self {
        BUILT_IN.0.clone()
    }
}

impl Book {
    /// The texts that are compiled in, with those of `files` (name for messages, language, text)
    /// above them, key by key. `default` is for readers of whom nothing is known.
    ///
    /// The problems name file, line and key: what is no TOML, a key or field that is not known, a
    /// text that is missing in a language that is not compiled in, or that is too long. With any of
    /// them the texts are not to be used.
    #[must_use]
    pub fn read(files: &[(String, Language, String)], default: &Language) -> (Self, Vec<Problem>) {
        let (mut book, mut problems) = BUILT_IN.clone();
        book.default = default.clone();
        for (name, language, text) in files {
            book.add(name, language.clone(), text, &mut problems);
        }
        if !book.languages.contains_key(default) {
            let there: Vec<&str> = book.languages.keys().map(Language::as_str).collect();
            problems.push(Problem {
                file: String::new(),
                line: None,
                key: "mail.message.language".to_owned(),
                message: format!(
                    "there are no texts in the language \"{default}\", there are {}",
                    there.join(", ")
                ),
                severity: Severity::Error,
            });
            book.default = Language::english();
        }
        (book, problems)
    }

    fn add(&mut self, file: &str, language: Language, text: &str, problems: &mut Vec<Problem>) {
        let known = self.languages.get(&language).map(|texts| &texts.texts);
        let (texts, _, found) = document::read(file, text, |top| read(top, known));
        problems.extend(found);
        let texts = Arc::new(Texts {
            language: language.clone(),
            texts,
        });
        self.languages.insert(language, texts);
    }

    /// The texts for a reader who wants one of `wanted`, the most wanted first: those of the
    /// language, else of the language without its region, else the default's.
    #[must_use]
    pub fn choose<'a>(&self, wanted: impl IntoIterator<Item = &'a Language>) -> &Texts {
        let found = wanted.into_iter().find_map(|wanted| self.find(wanted));
        let default = || self.languages.get(&self.default).map(Arc::as_ref);
        found.or_else(default).unwrap_or_else(|| {
            static NONE: LazyLock<Texts> = LazyLock::new(|| Texts {
                language: Language::english(),
                texts: BTreeMap::new(),
            });
            &NONE
        })
    }

    /// The texts in a language, else in the language without its region.
    #[must_use]
    pub fn find(&self, language: &Language) -> Option<&Texts> {
        let exact = self.languages.get(language);
        let found = exact.or_else(|| self.languages.get(&language.base()));
        found.map(Arc::as_ref)
    }

    /// All languages that there are texts in.
    pub fn languages(&self) -> impl Iterator<Item = &Language> {
        self.languages.keys()
    }
}

type Read = BTreeMap<(&'static str, &'static str), Template>;

/// Every text of a file; what it leaves out is taken from `known`.
fn read(top: &mut Section<'_>, known: Option<&Read>) -> Read {
    let mut texts = Read::new();
    for (name, keys) in SECTIONS {
        let mut section = top.child(name);
        for &(key, shape) in keys {
            let place = (name, key);
            let Some(text) = section.read::<String>(key) else {
                match known.and_then(|known| known.get(&place)) {
                    Some(template) => drop(texts.insert(place, template.clone())),
                    None if !section.has(key) => section.missing(key, "a text in quotes"),
                    None => {}
                }
                continue;
            };
            match Template::parse(&text, shape) {
                Ok(template) => drop(texts.insert(place, template)),
                Err(message) => section.error(key, message),
            }
        }
        section.finish();
    }
    texts
}

/// Whether anybody is kept out for a reason, and so told of it. These two are those of whoever is let in:
/// no text has a place for them but one of a site, which gets `other`.
const fn is_told(reason: Reason) -> bool {
    !matches!(reason, Reason::RequirementsMet | Reason::Exempt)
}

/// The key of the advice on a reason.
const fn advice(reason: Reason) -> &'static str {
    match reason {
        Reason::DeviceUnknown
        | Reason::DeviceNotManaged
        | Reason::EasNotActivated
        | Reason::DeviceNotProven => "enrol",
        Reason::DeviceNotRegistered => "register",
        Reason::DeviceNotCompliant | Reason::HealthRequirement => "mend",
        Reason::ComplianceNotEvaluated | Reason::FactsStale | Reason::MappingPending => "wait",
        Reason::ComplianceForAnotherUser | Reason::DeviceOfAnotherUser => "own_account",
        Reason::ApplicationNotApproved => "application",
        Reason::OsVersionNotAllowed => "update_system",
        Reason::ProtocolNotAllowed => "update_application",
        Reason::TooManyDevices => "fewer_devices",
        Reason::CommandNotAllowed | Reason::AttachmentNotAllowed => "other_device",
        Reason::DeviceNotDomainJoined
        | Reason::BlockedByPolicy
        | Reason::NotTargeted
        | Reason::PlatformNotAllowed
        | Reason::DeviceRetired
        | Reason::UserUnknown
        | Reason::DeviceAmbiguous
        | Reason::NoPolicyApplies
        | Reason::CertificateRevoked
        | Reason::DeviceInactive
        | Reason::RequirementsMet
        | Reason::Exempt => "ask",
    }
}

/// How many reasons are told.
const TOLD: usize = {
    let mut told = 0;
    let mut at = 0;
    while at < Reason::ALL.len() {
        told += is_told(Reason::ALL[at]) as usize;
        at += 1;
    }
    told
};

/// The names of the reasons that are told, in the order of their codes, and what stands for all others.
const REASON_KEYS: [(&str, Shape); TOLD + 1] = {
    let mut keys = [("other", Shape::Sentence); TOLD + 1];
    let (mut told, mut at) = (0, 0);
    while at < Reason::ALL.len() {
        let reason = Reason::ALL[at];
        if is_told(reason) {
            keys[told].0 = reason.name();
            told += 1;
        }
        at += 1;
    }
    keys
};

type Keys = &'static [(&'static str, Shape)];

const LETTER: Keys = &[("subject", Shape::Line), ("body", Shape::Body)];

/// Every text that a language has.
const SECTIONS: [(&str, Keys); 8] = [
    (
        "mailbox",
        &[
            ("from", Shape::Line),
            ("subject", Shape::Line),
            ("body", Shape::Body),
        ],
    ),
    ("held", LETTER),
    ("waiting", LETTER),
    ("restored", LETTER),
    (
        "links",
        &[
            ("ios", Shape::Line),
            ("android", Shape::Line),
            ("windows", Shape::Line),
            ("macos", Shape::Line),
            ("other", Shape::Line),
            ("check_again", Shape::Line),
        ],
    ),
    (
        "page",
        &[
            ("title", Shape::Line),
            ("allowed", Shape::Sentence),
            ("waiting", Shape::Body),
            ("held", Shape::Sentence),
            ("blocked", Shape::Sentence),
            ("button", Shape::Line),
            ("asked", Shape::Sentence),
            ("too_soon", Shape::Sentence),
            ("invalid", Shape::Sentence),
        ],
    ),
    (
        "advice",
        &[
            ("enrol", Shape::Sentence),
            ("register", Shape::Sentence),
            ("mend", Shape::Sentence),
            ("wait", Shape::Sentence),
            ("own_account", Shape::Sentence),
            ("application", Shape::Sentence),
            ("update_system", Shape::Sentence),
            ("update_application", Shape::Sentence),
            ("fewer_devices", Shape::Sentence),
            ("other_device", Shape::Sentence),
            ("ask", Shape::Sentence),
        ],
    ),
    ("reasons", &REASON_KEYS),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    fn read_one(language: &str, text: &str) -> (Book, Vec<String>) {
        let files = [(
            format!("messages/{language}.toml"),
            language.parse().unwrap(),
            text.to_owned(),
        )];
        let (book, problems) = Book::read(&files, &Language::english());
        (book, shown(&problems))
    }

    #[test]
    fn every_language_that_is_compiled_in_has_every_text() {
        let (book, problems) = Book::read(&[], &Language::english());
        assert_eq!(shown(&problems), [""; 0]);
        let count: usize = SECTIONS.iter().map(|(_, keys)| keys.len()).sum();
        for (language, texts) in &book.languages {
            assert_eq!(texts.texts.len(), count, "{language}");
        }
        assert_eq!(book.languages.len(), 5);
    }

    #[test]
    fn a_file_of_the_administrator_stands_above_ours_key_by_key() {
        let (book, problems) = read_one("de", "[mailbox]\nsubject = 'Gesperrt: {device}'\n");
        assert_eq!(problems, [""; 0]);
        let german = "de".parse().unwrap();
        let texts = book.choose([&german]);
        let own = Template::parse("Gesperrt: {device}", Shape::Line).unwrap();
        assert_eq!(texts.get("mailbox", "subject"), &own);
        let ours = Book::default();
        let ours = ours.choose([&german]).get("mailbox", "body");
        assert_eq!(texts.get("mailbox", "body"), ours);
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_key() {
        for (text, expected) in [
            (
                "[mailbox]\nsubjekt = 'x'",
                "messages/de.toml:2: mailbox.subjekt: unknown key, did you mean subject?",
            ),
            (
                "[mailbox]\n\nsubject = '{devise}'",
                "messages/de.toml:3: mailbox.subject: unknown field {devise}, did you mean {device}?",
            ),
            (
                "[reasons]\nDeviceUnknow = 'x'",
                "messages/de.toml:2: reasons.DeviceUnknow: unknown key, did you mean DeviceUnknown?",
            ),
            (
                "[held]\nbody = ''",
                "messages/de.toml:2: held.body: the text is empty",
            ),
            (
                "[held]\nbody = 1",
                "messages/de.toml:2: held.body: expected a text in quotes, found a whole number",
            ),
        ] {
            let (_, problems) = read_one("de", text);
            assert_eq!(problems, [expected], "row {text}");
        }
        let long = format!("[links]\nios = '{}'", "x".repeat(201));
        let (_, problems) = read_one("de", &long);
        let expected = "messages/de.toml:2: links.ios: the text has 201 characters, at most 200 \
                        are taken";
        assert_eq!(problems, [expected]);
    }

    #[test]
    fn a_language_of_its_own_needs_every_text() {
        let (_, problems) = read_one("it", "[mailbox]\nfrom = 'Posta'\n");
        let expected = "messages/it.toml:1: mailbox.subject: this key is needed, for example: a \
                        text in quotes";
        assert!(problems.iter().any(|one| one == expected), "{problems:?}");
        let count: usize = SECTIONS.iter().map(|(_, keys)| keys.len()).sum();
        assert_eq!(problems.len(), count - 1);
        let (_, english) = BUILTIN[1];
        assert_eq!(read_one("it", english).1, [""; 0]);
    }

    #[test]
    fn the_reader_s_languages_are_tried_in_their_order() {
        let book = Book::default();
        for (wanted, expected) in [
            ("de", "de"),
            ("de-ch, fr", "de"),
            ("it, fr;q=0.8", "fr"),
            ("it", "en"),
            ("", "en"),
        ] {
            let wanted = Language::wanted(wanted);
            assert_eq!(book.choose(&wanted).language.as_str(), expected);
        }
        let (_, problems) = Book::read(&[], &"it".parse().unwrap());
        assert_eq!(
            shown(&problems),
            [
                ": mail.message.language: there are no texts in the language \"it\", there are de, en, es, fr, ja"
            ]
        );
    }

    /// A mail rule's reason was told as "does not meet the rules", and "ask your help desk".
    #[test]
    fn every_reason_is_told_in_words_of_its_own_in_every_language_or_is_of_whoever_is_let_in() {
        let book = Book::default();
        let mut all = Vec::new();
        for texts in book.languages.values() {
            for reason in Reason::ALL {
                let is_other = texts.reason(reason) == texts.get("reasons", "other");
                let lets_in = matches!(reason, Reason::RequirementsMet | Reason::Exempt);
                let row = format!("{} {reason}", texts.language);
                assert_eq!(is_other, lets_in, "row {row}");
                assert_ne!(texts.advice(reason), &Template(Vec::new()), "row {row}");
                if !lets_in {
                    assert!(!all.contains(&texts.reason(reason)), "row {row}");
                    all.push(texts.reason(reason));
                }
            }
        }
        assert_eq!(all.len(), 5 * 28);
    }

    #[test]
    fn what_is_advised_fits_what_a_mail_rule_says() {
        let book = Book::default();
        let french: Language = "fr".parse().unwrap();
        let texts = book.choose([&french]);
        for (reason, expected) in [
            (Reason::OsVersionNotAllowed, "update_system"),
            (Reason::ProtocolNotAllowed, "update_application"),
            (Reason::TooManyDevices, "fewer_devices"),
            (Reason::DeviceInactive, "ask"),
            (Reason::MappingPending, "wait"),
            (Reason::AttachmentNotAllowed, "other_device"),
        ] {
            assert_eq!(texts.advice(reason), texts.get("advice", expected));
        }
    }

    #[test]
    fn a_file_may_tell_every_reason_anew_and_the_names_are_listed_otherwise() {
        for reason in Reason::ALL.into_iter().filter(|reason| is_told(*reason)) {
            let text = format!("[reasons]\n{} = 'x'", reason.name());
            let (book, problems) = read_one("fr", &text);
            assert_eq!(problems, [""; 0], "row {reason}");
            let french = "fr".parse().unwrap();
            let own = Template::parse("x", Shape::Sentence).unwrap();
            assert_eq!(book.choose([&french]).reason(reason), &own, "row {reason}");
        }
        let (_, problems) = read_one("fr", "[reasons]\nQwertyuiop = 'x'");
        let listed = problems[0].contains("OsVersionNotAllowed, ProtocolNotAllowed, ");
        assert!(listed && problems.len() == 1, "{problems:?}");
    }
}
