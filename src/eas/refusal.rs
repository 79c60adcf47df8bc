//! The reply to a request that is not let through.
//!
//! Every version gets HTTP 403: it is what Exchange gives a blocked device (MS-ASHTTP 2.2.2.1.1 and
//! Microsoft's description of its Allow, Block and Quarantine list), so every client in the field
//! has met it. The alternatives were weighed and left out:
//!
//! - status 129 in a WBXML body (14.0 and later) must have another shape for each command, and says
//!   to the client no more than 403;
//! - status 449 and 141 to 144 make clients send Provision again, and a gateway that refuses for
//!   another reason than the policy key makes them loop;
//! - status 140 orders the client to erase itself and is never sent.
//!
//! A device in quarantine is answered from a mailbox of its own ([`crate::eas::quarantine`]). Version
//! 2.5, whose bodies have another shape, gets 403 as well, with another text, so that logs and users
//! can tell the two apart. 403 keeps what the device has: no folder is dropped, and it works again on
//! the first request after the verdict has changed.

use std::fmt::Write;

/// What a client is told that is kept out, or half out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The device or user may not in.
    Blocked,
    /// The device may in as soon as it has been mended or approved.
    Quarantined,
}

impl Refusal {
    /// The HTTP status, the same for every version of the protocol.
    pub const STATUS: u16 = 403;

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
        let mut body = String::with_capacity(160);
        // Writing to a string cannot fail.
        let _infallible = write!(
            body,
            "{kind} {sentence}\r\nReason {code}, request {correlation}.\r\n"
        );
        body
    }
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
    }
}
