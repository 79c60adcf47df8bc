//! What a site says to people whose mail is held back, and how it treats them.

use crate::message::Book;
use crate::message::Site;

use super::roll::Care;

/// What can be replaced while the gateway runs.
#[derive(Clone, Debug, Default)]
pub struct Words {
    /// The texts.
    pub book: Book,
    /// What they tell of the site.
    pub site: Site,
    /// What a device in quarantine gets.
    pub quarantine: Quarantine,
    /// Whether it is told before, and how long it may go on.
    pub care: Care,
}

/// What a device in quarantine gets for its commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quarantine {
    /// A made-up mailbox with one message that says why.
    #[default]
    Mailbox,
    /// 403, as a device that is blocked.
    Refuse,
}
