//! One message, written.

use crate::model::Platform;
use crate::model::Reason;
use crate::model::Timestamp;

use super::book::Texts;
use super::fill::Filling;
use super::fill::escaped;
use super::language::Language;

/// What a site tells of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Where devices are enrolled.
    pub links: Links,
    /// Whom to ask: an address, a telephone number, a page (`https://`).
    pub help_desk: Option<String>,
}

/// Where devices of each platform are enrolled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// iPhone and iPad.
    pub ios: Option<String>,
    /// Android.
    pub android: Option<String>,
    /// Windows.
    pub windows: Option<String>,
    /// Mac.
    pub macos: Option<String>,
    /// Every other platform, and those above that have none.
    pub other: Option<String>,
}

/// What a message is about. Nothing here is trusted to be no markup, or to be one line.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What the owner or the management system calls the device.
    pub name: Option<&'a str>,
    /// Its model.
    pub model: Option<&'a str>,
    /// Its type as ActiveSync has it.
    pub device_type: &'a str,
    /// Its DeviceId.
    pub device_id: &'a str,
    /// Its platform.
    pub platform: Platform,
    /// The user who signed in.
    pub user: &'a str,
    /// Why it is kept out.
    pub reason: Reason,
    /// The number of a decision, for the help desk.
    pub request: Option<&'a str>,
    /// When its access ends, if it has not ended yet.
    pub until: Option<Timestamp>,
    /// The address of its check-again page.
    pub check_again: Option<&'a str>,
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The message in the Inbox of a device in quarantine.
    Mailbox,
    /// The mail that says that a device's access has ended.
    Held,
    /// The mail that says that it will end.
    Waiting,
    /// The mail that says that it is back.
    Restored,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mailbox, Self::Held, Self::Waiting, Self::Restored];

    /// Its section in the files of texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Held => "held",
            Self::Waiting => "waiting",
            Self::Restored => "restored",
        }
    }
}

/// A message in both forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its language.
    pub language: Language,
    /// What the sender is called.
    pub from: String,
    /// One line.
    pub subject: String,
    /// Lines end with CR LF.
    pub text: String,
    /// A whole document.
    pub html: String,
}

impl Letter {
    /// Writes a message.
    #[must_use]
    pub fn write(texts: &Texts, site: &Site, kind: Kind, about: &About<'_>) -> Self {
        let filling = Filling { texts, site, about };
        let subject = filling.line(texts.get(kind.name(), "subject"));
        let body = texts.get(kind.name(), "body");
        let html = document(&texts.language, &subject, "", &filling.html(body));
        Self {
            language: texts.language.clone(),
            from: filling.line(texts.get("mailbox", "from")),
            text: filling.text(body),
            subject,
            html,
        }
    }
}

/// An HTML document around `body`, which is HTML already.
pub(super) fn document(language: &Language, title: &str, head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"{}\" dir=\"auto\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">{head}<title>{}</title></head>\n\
         <body>\n{body}</body></html>\n",
        escaped(language.as_str()),
        escaped(title)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Book;

    fn about() -> About<'static> {
        About {
            name: None,
            model: None,
            device_type: "iPhone",
            device_id: "ApplX1",
            platform: Platform::Ios,
            user: "alice@example.com",
            reason: Reason::DeviceUnknown,
            request: Some("0123456789abcdef"),
            until: None,
            check_again: None,
        }
    }

    fn site() -> Site {
        Site {
            links: Links {
                ios: Some("https://enrol.example.com/ios?a=1&b=2".into()),
                android: Some("https://enrol.example.com/android".into()),
                ..Links::default()
            },
            help_desk: Some("help@example.com".into()),
        }
    }

    fn write(language: &str, kind: Kind, site: &Site, about: &About<'_>) -> Letter {
        let book = Book::default();
        let language = language.parse().unwrap();
        Letter::write(book.choose([&language]), site, kind, about)
    }

    #[test]
    fn a_message_says_which_device_why_and_what_to_do_in_every_language_r32() {
        for language in ["de", "en", "es", "fr", "ja"] {
            for kind in Kind::ALL {
                let about = About {
                    until: Some(Timestamp::from_unix_millis(0)),
                    check_again: Some("https://mail.example.com/x"),
                    ..about()
                };
                let letter = write(language, kind, &site(), &about);
                let row = format!("{language} {kind:?}: {letter:?}");
                assert_eq!(letter.language.as_str(), language);
                assert!(letter.subject.contains("iPhone"), "{row}");
                for body in [&letter.text, &letter.html] {
                    assert!(body.contains("ApplX1"), "{row}");
                    assert!(body.contains("help@example.com"), "{row}");
                    let links = kind != Kind::Restored;
                    assert_eq!(
                        body.contains("https://enrol.example.com/ios"),
                        links,
                        "{row}"
                    );
                    assert_eq!(body.contains("https://mail.example.com/x"), links, "{row}");
                    assert!(!body.contains("/android"), "{row}");
                    assert!(!body.contains('{'), "{row}");
                    let until = body.contains("1970-01-01 00:00 UTC");
                    assert_eq!(until, kind == Kind::Waiting, "{row}");
                }
            }
        }
    }

    #[test]
    fn what_a_device_or_a_file_says_becomes_no_markup() {
        let about = About {
            name: Some("<b onclick='x'>&\"\r\nBcc: all@example.com\u{202e}"),
            user: "<i>",
            device_id: "\"><script>",
            ..about()
        };
        let mut site = site();
        site.links.ios = Some("https://x/\"><script>".into());
        let letter = write("en", Kind::Mailbox, &site, &about);
        for bad in ["<b ", "<i>", "<script", "onclick='", "\u{202e}"] {
            assert!(!letter.html.contains(bad), "{bad}: {}", letter.html);
        }
        assert!(
            letter
                .html
                .contains("&lt;b onclick=&#39;x&#39;&gt;&amp;&quot;Bcc")
        );
        assert!(
            !letter.subject.contains(['\r', '\n']),
            "{:?}",
            letter.subject
        );
    }

    #[test]
    fn a_paragraph_without_its_value_is_left_out() {
        let bare = About {
            request: None,
            ..about()
        };
        let letter = write("en", Kind::Mailbox, &Site::default(), &bare);
        for absent in ["https://", "If you need help", "{", "()"] {
            assert!(!letter.text.contains(absent), "{absent}: {}", letter.text);
        }
        assert!(!letter.text.contains("\r\n\r\n\r\n"));
        assert!(letter.text.contains("not known"), "{}", letter.text);
    }

    #[test]
    fn links_are_those_of_the_platform_or_all_if_it_is_not_known() {
        let text = |platform| {
            let about = About {
                platform,
                ..about()
            };
            write("en", Kind::Mailbox, &site(), &about).text
        };
        assert!(!text(Platform::Android).contains("/ios"));
        assert!(text(Platform::Unknown).contains("/ios"));
        assert!(text(Platform::Unknown).contains("/android"));
        assert!(
            !text(Platform::MacOs).contains("https://enrol"),
            "it has none"
        );
    }
}
