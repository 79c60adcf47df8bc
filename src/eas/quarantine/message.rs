//! The one message of the made-up mailbox, in the form and as much of it as a client takes.

use std::borrow::Cow;

use crate::eas::body::Preference;
use crate::model::Timestamp;
use crate::wbxml::Writer;
use crate::wbxml::item::air_sync_base;
use crate::wbxml::item::email;
use crate::wbxml::service::item_operations;

use super::mime;

/// The message in the Inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Tells this message from an earlier one: another revision is delivered as another message.
    pub revision: u32,
    /// Sender, as a header has it.
    pub from: String,
    /// The user's address.
    pub to: String,
    /// Subject.
    pub subject: String,
    /// The message as text.
    pub text: String,
    /// The message as HTML.
    pub html: String,
    /// When it was sent.
    pub sent: Timestamp,
}

/// A body, as a client takes it.
struct Body<'a> {
    /// 1 is text, 2 is HTML, 4 is the message as it travelled.
    kind: &'static str,
    /// All of it.
    whole: Cow<'a, str>,
    /// As much of it as is sent; nothing if the client wants all or nothing.
    sent: Option<usize>,
}

impl Message {
    /// Writes its properties, the body in a form that the client takes; into `parts`, if they are
    /// there, and else with the others.
    pub(super) fn write(
        &self,
        writer: &mut Writer,
        preferences: &[Preference],
        parts: Option<&mut Vec<Vec<u8>>>,
    ) {
        let body = self.body(preferences);
        writer.leaf(email::TO, &self.to);
        writer.leaf(email::FROM, &self.from);
        writer.leaf(email::SUBJECT, &self.subject);
        writer.leaf(email::DATE_RECEIVED, &self.sent.to_string());
        writer.leaf(email::DISPLAY_TO, &self.to);
        writer.leaf(email::THREAD_TOPIC, &self.subject);
        writer.leaf(email::IMPORTANCE, "2");
        writer.leaf(email::READ, "0");
        writer.element(air_sync_base::BODY, |writer| {
            let size = body.whole.len().to_string();
            writer.leaf(air_sync_base::TYPE, body.kind);
            writer.leaf(air_sync_base::ESTIMATED_DATA_SIZE, &size);
            if body.sent != Some(body.whole.len()) {
                writer.leaf(air_sync_base::TRUNCATED, "1");
            }
            let sent = body.sent.and_then(|length| body.whole.get(..length));
            match (sent, parts) {
                (None, _) => {}
                (Some(sent), None) => writer.leaf(air_sync_base::DATA, sent),
                (Some(sent), Some(parts)) => {
                    parts.push(sent.as_bytes().to_vec());
                    // The first part is the document itself.
                    writer.leaf(item_operations::PART, &parts.len().to_string());
                }
            }
        });
        writer.leaf(email::MESSAGE_CLASS, "IPM.Note");
        // UTF-8.
        writer.leaf(email::INTERNET_CPID, "65001");
        writer.leaf(email::CONTENT_CLASS, "urn:content-classes:message");
        // What it was written as: text or HTML and nothing else (MS-ASAIRS 2.2.2.32).
        let native = if body.kind == HTML { HTML } else { TEXT };
        writer.leaf(air_sync_base::NATIVE_BODY_TYPE, native);
    }

    /// Text if the client takes it, or says nothing; then HTML; the message as it travelled only if
    /// it takes nothing else.
    fn body(&self, preferences: &[Preference]) -> Body<'_> {
        let takes = |kind| preferences.iter().any(|one| one.kind == kind);
        let (number, kind, whole) = match (takes(1), takes(2), takes(4)) {
            (false, true, _) => (2, HTML, Cow::Borrowed(self.html.as_str())),
            (false, false, true) => (4, MIME, Cow::Owned(mime::write(self))),
            (true, ..) | (false, false, false) => (1, TEXT, Cow::Borrowed(self.text.as_str())),
        };
        let wanted = || preferences.iter().filter(|one| one.kind == number);
        let most = |one: &Preference| {
            let most = one.most.and_then(|most| usize::try_from(most).ok());
            most.unwrap_or(usize::MAX)
        };
        // The first that can be met counts (MS-ASAIRS 2.2.2.1.1).
        let met = wanted().find(|one| !one.all_or_none || whole.len() <= most(one));
        let sent = match met {
            Some(one) => Some(whole.floor_char_boundary(most(one))),
            None if wanted().next().is_some() => None,
            None => Some(whole.len()),
        };
        Body { kind, whole, sent }
    }
}

const TEXT: &str = "1";
const HTML: &str = "2";
const MIME: &str = "4";
