//! The reply to a request that is not let through.
//!
//! Which status a reason has is in [`Refusal::status`]; what a client is sent for it depends on its
//! version and command, and is in [`Status::body`] and [`Status::http`]. Two ways of saying it are
//! known, and [`Refused`] chooses:
//!
//! - HTTP 403 for every version: it is what Exchange gives a blocked device (MS-ASHTTP 2.2.2.1.1 and
//!   Microsoft's description of its Allow, Block and Quarantine list), so every client in the field
//!   has met it. The body is a text for logs and for whoever helps.
//! - HTTP 200 with a status of MS-ASCMD 2.2.2 in WBXML from version 14.0 on, as that document says:
//!   for clients that show the status to their user, and for those that take 403 as a reason to run
//!   Autodiscover (MS-ASHTTP 3.1.5.2.1). GetAttachment has no such body and gets 403.
//!
//! Never said of our own accord:
//!
//! - 449 and 141 to 144, which make clients send Provision: a gateway that refuses for another reason
//!   than the policy key makes them loop. The mail server's own pass unharmed. Once an hour a client is
//!   told so that is blocked for its version or model, and may have another by now (`mail/hearing.rs`);
//! - 140, which orders the client to erase itself; it is said only where an administrator has ordered a
//!   wipe (`mail/wipe.rs`).
//!
//! A device in quarantine is answered from a mailbox of its own ([`crate::eas::quarantine`]). Version
//! 2.5, whose bodies have another shape, gets 403 as well, with another text, so that logs and users
//! can tell the two apart. A refusal keeps what the device has: no folder is dropped, and it works
//! again on the first request after the verdict has changed.

use std::fmt::Write;

use crate::model::Reason;

use super::status::Status;

/// What a client is told that is kept out, or half out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The device or user may not in.
    Blocked,
    /// The device may in as soon as it has been mended or approved.
    Quarantined,
}

/// How a client that is blocked is told so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Refused {
    /// By HTTP 403, as Exchange does.
    #[default]
    Http,
    /// By a status in WBXML from version 14.0 on, by HTTP 403 below.
    Wbxml,
}

impl Refusal {
    /// The HTTP status, the same for every version of the protocol.
    pub const STATUS: u16 = 403;

    /// The status of MS-ASCMD 2.2.2 that a reason has.
    #[must_use]
    pub const fn status(reason: Reason) -> Status {
        if matches!(reason, Reason::UserUnknown) {
            return Status::UserDisabledForSync;
        }
        let whatever_the_device = matches!(
            reason,
            Reason::BlockedByPolicy | Reason::NoPolicyApplies | Reason::NotTargeted
        );
        if whatever_the_device {
            Status::AccessDenied
        } else {
            Status::DeviceIsBlockedForThisUser
        }
    }

    /// A short text body: the kind of refusal, a sentence with the reason and its code, and the
    /// number under which the decision is recorded.
    #[must_use]
    pub fn body(self, sentence: &str, code: u16, correlation: &str) -> String {
        let kind = match self {
            Self::Blocked => "Access blocked.",
            Self::Quarantined => {
                "Access held back. Mail arrives by itself as soon as access is granted."
            }
        };
        said(kind, sentence, code, correlation)
    }

    /// The same for a browser at another application.
    #[must_use]
    pub fn page(self, sentence: &str, code: u16, correlation: &str) -> String {
        let kind = match self {
            Self::Blocked => "Access to this application is blocked.",
            Self::Quarantined => {
                "Access to this application is held back. Reload the page when what follows is mended."
            }
        };
        said(kind, sentence, code, correlation)
    }
}

fn said(kind: &str, sentence: &str, code: u16, correlation: &str) -> String {
    let mut body = String::with_capacity(192);
    // Writing to a string cannot fail.
    let _infallible = write!(
        body,
        "{kind} {sentence}\r\nReason {code}, request {correlation}.\r\n"
    );
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_refusals_read_differently_and_carry_the_code_r32() {
        let blocked = Refusal::Blocked.body("Because.", 53000, "17");
        assert_eq!(
            blocked,
            "Access blocked. Because.\r\nReason 53000, request 17.\r\n"
        );
        let held = Refusal::Quarantined.body("Because.", 53000, "17");
        assert_ne!(blocked, held);
        assert!(
            held.contains("53000") && held.contains("held back"),
            "{held}"
        );
        // An application has no mail.
        for refusal in [Refusal::Blocked, Refusal::Quarantined] {
            let page = refusal.page("Because.", 53000, "17");
            assert!(
                page.contains("application") && !page.contains("ail arrives"),
                "{page}"
            );
            assert!(
                page.ends_with(" Because.\r\nReason 53000, request 17.\r\n"),
                "{page}"
            );
        }
    }
}
