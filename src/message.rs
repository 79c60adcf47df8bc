//! What people are told: the message in the Inbox of a device in quarantine, notification mails, and
//! the page of the check-again link, in the reader's language.
//!
//! The words are templates, one TOML file for each language ([`Book`]); those of `conf/messages` are
//! compiled in, and files of the administrator stand above them, key by key. A template is text with
//! fields in braces and never markup: paragraphs are parted by blank lines, HTML is made from them
//! here and nowhere else, and every octet that comes from a device, a user or a file is escaped on
//! its way into it. A paragraph with a field that has no value is left out as a whole, so that one
//! template serves sites with and without a help desk, and devices with and without a link.
//!
//! This room opens no file, sends nothing and decides nothing. Start at [`Book`] and [`Letter`].

mod book;
mod fill;
mod language;
mod letter;
mod page;
mod template;

pub use book::BUILTIN;
pub use book::Book;
pub use book::Texts;
pub use language::Language;
pub use language::LanguageError;
pub use letter::About;
pub use letter::Kind;
pub use letter::Letter;
pub use letter::Links;
pub use letter::Site;
pub use page::Page;
pub use page::State;
pub use page::page;
pub use template::MAX_TEXT;
