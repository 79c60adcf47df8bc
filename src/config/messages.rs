//! `[mail.message]`: what people whose mail is held back are told, and the files of its texts.

use std::path::Path;
use std::path::PathBuf;

use super::text::ReadError;
use super::text::read_text;
use crate::document::Choice;
use crate::document::Section;
use crate::mail::Quarantine;
use crate::message::Book;
use crate::message::Language;
use crate::message::Site;
use crate::model::Problem;
use crate::model::Severity;

/// What people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The folder of the site's own texts; `None` is `messages` in the conf folder, if it is there.
    pub folder: Option<PathBuf>,
    /// For readers of whom nothing is known.
    pub language: Language,
    /// Links and help desk.
    pub site: Site,
}

impl Default for Messages {
    fn default() -> Self {
        Self {
            folder: None,
            language: Language::english(),
            site: Site::default(),
        }
    }
}

impl Choice for Quarantine {
    const ALL: &'static [(&'static str, Self)] =
        &[("mailbox", Self::Mailbox), ("refuse", Self::Refuse)];
}

impl Messages {
    pub(super) fn read(&mut self, mut section: Section<'_>) {
        section.set("folder", &mut self.folder);
        let mut language = self.language.to_string();
        section.set("language", &mut language);
        match language.parse() {
            Ok(language) => self.language = language,
            Err(error) => {
                let error: crate::message::LanguageError = error;
                section.error("language", error.to_string());
            }
        }
        section.set("help_desk", &mut self.site.help_desk);
        let help_desk = self.site.help_desk.as_deref().unwrap_or("-");
        if let Some(message) = not_a_line(help_desk) {
            section.error("help_desk", message);
        }
        let mut links = section.child("links");
        let site = &mut self.site.links;
        for (key, slot) in [
            ("ios", &mut site.ios),
            ("android", &mut site.android),
            ("windows", &mut site.windows),
            ("macos", &mut site.macos),
            ("other", &mut site.other),
        ] {
            links.set(key, slot);
            if let Some(message) = slot.as_deref().and_then(not_a_link) {
                links.error(key, message);
            }
        }
        links.finish();
        section.finish();
    }

    /// The texts: those that are built in, and those of the folder above them.
    ///
    /// # Errors
    ///
    /// Everything wrong with the files, each with file, line and key.
    pub fn book(&self, conf: &Path) -> Result<Book, Vec<Problem>> {
        let own = conf.join("messages");
        let folder = match &self.folder {
            Some(folder) => Some(folder.as_path()),
            None => own.is_dir().then_some(own.as_path()),
        };
        let (files, mut problems) = folder.map(files).unwrap_or_default();
        let (book, mut found) = Book::read(&files, &self.language);
        for problem in &mut problems {
            let is_folder =
                folder.is_some_and(|folder| problem.file == folder.display().to_string());
            if is_folder && self.folder.is_some() {
                problem.message = format!("{} {}", problem.file, problem.message);
                problem.file.clear();
                "mail.message.folder".clone_into(&mut problem.key);
            }
        }
        for problem in problems.iter_mut().chain(&mut found) {
            if problem.file.is_empty() {
                problem.file = conf.join("gateway.toml").display().to_string();
            }
        }
        problems.extend(found);
        if problems.is_empty() {
            Ok(book)
        } else {
            Err(problems)
        }
    }
}

type Files = Vec<(String, Language, String)>;

/// The texts of a folder, in the order of their names.
fn files(folder: &Path) -> (Files, Vec<Problem>) {
    let problem = |path: &Path, message: String| Problem {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        message,
        severity: Severity::Error,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = ReadError::from(error).to_string();
            return (Vec::new(), vec![problem(folder, message)]);
        }
    };
    let mut names: Vec<String> = entries
        .take(MAX_ENTRIES)
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml") && !name.starts_with('.'))
        .collect();
    names.sort();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for name in names {
        let path = folder.join(&name);
        let Ok(language) = name.trim_end_matches(".toml").parse() else {
            let message = "expected a language as its name, such as de.toml or pt-br.toml";
            problems.push(problem(&path, message.to_owned()));
            continue;
        };
        match read_text(&path, MAX_FILE) {
            Ok(text) => files.push((path.display().to_string(), language, text)),
            Err(error) => problems.push(problem(&path, error.to_string())),
        }
    }
    (files, problems)
}

fn not_a_line(text: &str) -> Option<String> {
    let is_line = (1..=MAX_LINE).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text;
    (!is_line).then(|| format!("expected one line of 1 to {MAX_LINE} characters"))
}

/// A link that a mail client opens: nothing but https, so that none runs a script or is read on the
/// way.
fn not_a_link(text: &str) -> Option<String> {
    let uri: Option<http::Uri> = text.parse().ok();
    let is_link = uri.is_some_and(|uri| {
        uri.scheme_str() == Some("https") && uri.host().is_some_and(|host| !host.is_empty())
    });
    let is_short = text.len() <= MAX_LINK;
    (!is_link || !is_short).then(|| {
        format!("expected a link that begins with https:// and has at most {MAX_LINK} characters")
    })
}

/// Octets of one file of texts: ours have under 8,000.
const MAX_FILE: u64 = 1024 * 1024;
/// Entries of the folder that are looked at.
const MAX_ENTRIES: usize = 1000;
/// Characters of the help desk's line.
const MAX_LINE: usize = 200;
/// Characters of a link: longer ones are broken by mail clients.
const MAX_LINK: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_https_and_nothing_else() {
        for (text, good) in [
            ("https://portal.example.com", true),
            ("https://portal.example.com/a?b=c#d", true),
            ("http://portal.example.com", false),
            ("javascript:alert(1)", false),
            ("portal.example.com", false),
            ("https://", false),
            ("", false),
        ] {
            assert_eq!(not_a_link(text).is_none(), good, "row {text}");
        }
        assert!(not_a_link(&format!("https://x/{}", "y".repeat(MAX_LINK))).is_some());
    }

    #[test]
    fn files_of_the_folder_are_read_by_language_and_problems_are_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("messages");
        std::fs::create_dir(&own).unwrap();
        let messages = Messages::default();
        assert_eq!(messages.book(folder.path()), Ok(Book::default()));
        std::fs::write(own.join("de.toml"), "[mailbox]\nsubject = 'Gesperrt'\n").unwrap();
        assert_ne!(messages.book(folder.path()), Ok(Book::default()));
        std::fs::write(own.join("german.toml"), "").unwrap();
        std::fs::write(own.join("fr.toml"), "[mailbox]\nsubjet = 'x'\n").unwrap();
        let problems = messages.book(folder.path()).unwrap_err();
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let place = own.display();
        assert_eq!(
            shown,
            [
                format!(
                    "{place}/german.toml: expected a language as its name, such as de.toml or \
                     pt-br.toml"
                ),
                format!("{place}/fr.toml:2: mailbox.subjet: unknown key, did you mean subject?"),
            ]
        );
    }
}
