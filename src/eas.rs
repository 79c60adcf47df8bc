//! Exchange ActiveSync request heads and the replies of a gateway: MS-ASHTTP and the part of
//! MS-ASCMD that access needs.
//!
//! This room turns the target of a request into a [`Request`] and a [`Request`] back into one
//! canonical query. It knows no user's rights, no device's state and no HTTP library; it must never
//! learn them. Decisions need a body only where a policy asks about attachments or about messages
//! that are sent ([`draft`]); those of devices in quarantine are read ([`body`]) because they are answered here ([`quarantine`]), and Settings and
//! Provision for what a client tells of its device.
//!
//! Implemented: the plain query (MS-ASHTTP 2.2.1.1.1.2), the base64 query (2.2.1.1.1.1), protocol
//! versions 2.5 to 16.1, the commands of MS-ASCMD 2.2.1 that travel to the ActiveSync path.
//! Left out: Autodiscover (another path, off), the four folder commands of version 1.0
//! (GetHierarchy, CreateCollection, DeleteCollection, MoveCollection), which no client of version
//! 2.5 or later sends, and device ids of 16 raw octets, which the specification mentions and no
//! known client sends.
//!
//! Order of checks in [`Request::parse`]: length, form, each field's octets and bounds, duplicates,
//! completeness, length of the canonical query. The first violation is the answer; a client that is
//! refused here never reached a decision.

mod about;
pub mod body;
mod command;
pub mod draft;
mod error;
pub mod order;
pub mod outcome;
pub mod quarantine;
mod query;
mod refusal;
mod repeat;
mod status;
mod strip;
mod version;

pub use about::About;
pub use about::about;
pub use command::Command;
pub use error::BadBody;
pub use error::Malformed;
pub use query::Form;
pub use query::MAX_QUERY;
pub use query::Request;
pub use query::Stated;
pub use refusal::Refusal;
pub use refusal::Refused;
pub use repeat::may_be_repeated;
pub use repeat::only_waits;
pub use status::Status;
pub use strip::without_wipe;
pub use version::Version;

/// The one path of ActiveSync, in the spelling of MS-ASHTTP 2.2.1.1.1 and of every Exchange.
pub const PATH: &str = "/Microsoft-Server-ActiveSync";

/// Whether a request path as it stands on the wire is that of ActiveSync.
///
/// Letters compare without case, as IIS does. Nothing is decoded: a path that spells a letter as
/// `%4d`, doubles a slash, or goes on after the name is another path, and other paths do not exist
/// here. So no server behind the gateway can be made to read a path differently.
#[must_use]
pub fn is_path(path: &str) -> bool {
    path.eq_ignore_ascii_case(PATH)
}
