//! The one message of the made-up mailbox.

use crate::model::Timestamp;
use crate::wbxml::Writer;
use crate::wbxml::item::air_sync_base;
use crate::wbxml::item::email;

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

impl Message {
    /// Writes its properties, the body in a form that the client takes.
    pub(super) fn write(&self, writer: &mut Writer, body_types: &[u8]) {
        // Text if the client takes it, or says nothing.
        let (kind, text) = if body_types.contains(&2) && !body_types.contains(&1) {
            ("2", &self.html)
        } else {
            ("1", &self.text)
        };
        writer.leaf(email::TO, &self.to);
        writer.leaf(email::FROM, &self.from);
        writer.leaf(email::SUBJECT, &self.subject);
        writer.leaf(email::DATE_RECEIVED, &self.sent.to_string());
        writer.leaf(email::DISPLAY_TO, &self.to);
        writer.leaf(email::THREAD_TOPIC, &self.subject);
        writer.leaf(email::IMPORTANCE, "2");
        writer.leaf(email::READ, "0");
        writer.element(air_sync_base::BODY, |writer| {
            writer.leaf(air_sync_base::TYPE, kind);
            writer.leaf(air_sync_base::ESTIMATED_DATA_SIZE, &text.len().to_string());
            writer.leaf(air_sync_base::DATA, text);
        });
        writer.leaf(email::MESSAGE_CLASS, "IPM.Note");
        // UTF-8.
        writer.leaf(email::INTERNET_CPID, "65001");
        writer.leaf(email::CONTENT_CLASS, "urn:content-classes:message");
        writer.leaf(air_sync_base::NATIVE_BODY_TYPE, kind);
    }
}
