//! Templates filled in, as text and as HTML.

use crate::model::Platform;
use crate::model::Timestamp;

use super::book::Texts;
use super::letter::About;
use super::letter::Links;
use super::letter::Site;
use super::template::Field;
use super::template::Piece;
use super::template::Template;

/// What fills the fields of one message.
#[derive(Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) texts: &'a Texts,
    pub(super) site: &'a Site,
    pub(super) about: &'a About<'a>,
}

/// A part of a paragraph that is filled in.
enum Filled {
    Words(String),
    /// Caption and address.
    Link(String, String),
}

impl Filling<'_> {
    /// One line of text.
    pub(super) fn line(&self, template: &Template) -> String {
        self.text(template).replace(['\r', '\n'], " ")
    }

    /// Paragraphs parted by an empty line.
    pub(super) fn text(&self, template: &Template) -> String {
        let paragraphs = template
            .0
            .iter()
            .filter_map(|pieces| self.paragraph(pieces));
        let written: Vec<String> = paragraphs
            .map(|filled| {
                let mut text = String::new();
                for (number, one) in filled.iter().enumerate() {
                    match one {
                        Filled::Words(words) => text.push_str(&words.replace('\n', "\r\n")),
                        Filled::Link(caption, address) => {
                            if number > 0 {
                                text.push_str("\r\n");
                            }
                            text.push_str(caption);
                            text.push_str(": ");
                            text.push_str(address);
                        }
                    }
                }
                text
            })
            .collect();
        written.join("\r\n\r\n")
    }

    /// `<p>` for each paragraph, and everything in it escaped.
    pub(super) fn html(&self, template: &Template) -> String {
        let mut html = String::new();
        for filled in template
            .0
            .iter()
            .filter_map(|pieces| self.paragraph(pieces))
        {
            html.push_str("<p>");
            for (number, one) in filled.iter().enumerate() {
                match one {
                    Filled::Words(words) => {
                        html.push_str(&escaped(words).replace('\n', "<br>\n"));
                    }
                    Filled::Link(caption, address) => {
                        if number > 0 {
                            html.push_str("<br>\n");
                        }
                        html.push_str(&format!(
                            "<a href=\"{}\">{}</a>",
                            escaped(address),
                            escaped(caption)
                        ));
                    }
                }
            }
            html.push_str("</p>\n");
        }
        html
    }

    /// `None` if a field of the paragraph has no value.
    fn paragraph(&self, pieces: &[Piece]) -> Option<Vec<Filled>> {
        let mut filled = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Words(words) => filled.push(Filled::Words(words.clone())),
                Piece::Field(field) => filled.extend(self.field(*field)?),
            }
        }
        Some(filled)
    }

    fn field(&self, field: Field) -> Option<Vec<Filled>> {
        let about = self.about;
        let value = match field {
            Field::Device => {
                let named = about.name.or(about.model).and_then(clean);
                named.or_else(|| clean(about.device_type))?
            }
            Field::DeviceType => clean(about.device_type)?,
            Field::Model => clean(about.model?)?,
            Field::DeviceId => clean(about.device_id)?,
            Field::User => clean(about.user)?,
            Field::Reason => self.line(self.texts.reason(about.reason)),
            Field::Advice => self.line(self.texts.advice(about.reason)),
            Field::Code => about.reason.code().to_string(),
            Field::Request => clean(about.request?)?,
            Field::Until => moment(about.until?),
            Field::HelpDesk => {
                let help_desk = self.site.help_desk.clone()?;
                if help_desk.starts_with("https://") {
                    return Some(vec![Filled::Link(help_desk.clone(), help_desk)]);
                }
                help_desk
            }
            Field::Links => return self.links(),
            Field::CheckAgain => {
                let caption = self.caption("check_again");
                let address = about.check_again?.to_owned();
                return Some(vec![Filled::Link(caption, address)]);
            }
        };
        Some(vec![Filled::Words(value)])
    }

    fn caption(&self, key: &'static str) -> String {
        self.line(self.texts.get("links", key))
    }

    /// The link for the device's platform, or all if its platform is not known.
    fn links(&self) -> Option<Vec<Filled>> {
        let links = &self.site.links;
        let Links {
            ios,
            android,
            windows,
            macos,
            other,
        } = links;
        let own = match self.about.platform {
            Platform::Ios => ("ios", ios),
            Platform::Android => ("android", android),
            Platform::Windows | Platform::WindowsPhone => ("windows", windows),
            Platform::MacOs => ("macos", macos),
            Platform::Linux | Platform::ChromeOs => ("other", other),
            Platform::Unknown => ("", &None),
        };
        let all = [
            ("ios", ios),
            ("android", android),
            ("windows", windows),
            ("macos", macos),
            ("other", other),
        ];
        let chosen: Vec<_> = match own {
            ("", _) => all.to_vec(),
            (key, Some(_)) => vec![(key, own.1)],
            (_, None) => vec![("other", other)],
        };
        let filled: Vec<Filled> = chosen
            .into_iter()
            .filter_map(|(key, link)| Some(Filled::Link(self.caption(key), link.clone()?)))
            .collect();
        (!filled.is_empty()).then_some(filled)
    }
}

/// To the minute, for people: `2026-11-30 10:22 UTC`.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        (_, _) => text,
    }
}

/// A value from a device or a user: one line of a bounded length, without what steers the direction
/// of writing; `None` if nothing is left of it.
fn clean(value: &str) -> Option<String> {
    let steers = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept = value.chars().filter(|c| !c.is_control() && !steers(*c));
    let kept: String = kept.take(MAX_VALUE).collect();
    let kept = kept.trim();
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// Text that can become no markup, in an element or in a quoted attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// What is shown of a name that a device gives itself.
const MAX_VALUE: usize = 100;
