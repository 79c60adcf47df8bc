//! What dynamic authorization adds to requests and their answers (RFC 5176): what a NAS says of why
//! it does not do what it was asked, and by what Cisco's devices know a session.

use std::fmt;

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::packet::Packet;

/// Why a NAS refuses a Disconnect- or CoA-Request: the value of Error-Cause (RFC 5176 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ErrorCause(pub u32);

impl ErrorCause {
    /// 0: a NAK without Error-Cause, which section 2.1 allows.
    pub const NONE: Self = Self(0);
    /// 201: what was left of a session has been cleared away.
    pub const RESIDUAL_SESSION_CONTEXT_REMOVED: Self = Self(201);
    /// 401: an attribute that the NAS does not know.
    pub const UNSUPPORTED_ATTRIBUTE: Self = Self(401);
    /// 402: one that it needs is missing.
    pub const MISSING_ATTRIBUTE: Self = Self(402);
    /// 403: the request names another NAS.
    pub const NAS_IDENTIFICATION_MISMATCH: Self = Self(403);
    /// 404: something else is wrong with the request.
    pub const INVALID_REQUEST: Self = Self(404);
    /// 405: Service-Type has a value that it does not know.
    pub const UNSUPPORTED_SERVICE: Self = Self(405);
    /// 406: it does not know that kind of request at all.
    pub const UNSUPPORTED_EXTENSION: Self = Self(406);
    /// 407: an attribute has a value that it cannot use.
    pub const INVALID_ATTRIBUTE_VALUE: Self = Self(407);
    /// 501: its configuration forbids it.
    pub const ADMINISTRATIVELY_PROHIBITED: Self = Self(501);
    /// 502: a proxy on the way knows no way to it.
    pub const REQUEST_NOT_ROUTABLE: Self = Self(502);
    /// 503: there is no such session.
    pub const SESSION_CONTEXT_NOT_FOUND: Self = Self(503);
    /// 504: there is one that cannot be ended.
    pub const SESSION_CONTEXT_NOT_REMOVABLE: Self = Self(504);
    /// 505: a proxy on the way has failed.
    pub const OTHER_PROXY_PROCESSING_ERROR: Self = Self(505);
    /// 506: it has no room or time for this now.
    pub const RESOURCES_UNAVAILABLE: Self = Self(506);
    /// 507: it would rather ask, by an Access-Request.
    pub const REQUEST_INITIATED: Self = Self(507);
    /// 508: several sessions are meant, and it ends only one at a time.
    pub const MULTIPLE_SESSION_SELECTION_UNSUPPORTED: Self = Self(508);

    /// The session is over: there is none, or it has just been cleared away.
    #[must_use]
    pub const fn means_ended(self) -> bool {
        matches!(
            self,
            Self::RESIDUAL_SESSION_CONTEXT_REMOVED | Self::SESSION_CONTEXT_NOT_FOUND
        )
    }

    /// The same request may be taken some time later.
    #[must_use]
    pub const fn means_later(self) -> bool {
        matches!(
            self,
            Self::REQUEST_NOT_ROUTABLE
                | Self::OTHER_PROXY_PROCESSING_ERROR
                | Self::RESOURCES_UNAVAILABLE
        )
    }

    /// A request that says less of the session may be taken: the NAS stumbles over what it was told.
    #[must_use]
    pub const fn means_less(self) -> bool {
        matches!(
            self,
            Self::UNSUPPORTED_ATTRIBUTE
                | Self::NAS_IDENTIFICATION_MISMATCH
                | Self::INVALID_REQUEST
                | Self::INVALID_ATTRIBUTE_VALUE
                | Self::MULTIPLE_SESSION_SELECTION_UNSUPPORTED
        )
    }

    /// In words, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NONE => "the NAS does not say why",
            Self::RESIDUAL_SESSION_CONTEXT_REMOVED => {
                "what was left of the session is cleared away"
            }
            Self::UNSUPPORTED_ATTRIBUTE => "the NAS does not know an attribute of the request",
            Self::MISSING_ATTRIBUTE => "the NAS misses an attribute in the request",
            Self::NAS_IDENTIFICATION_MISMATCH => "the NAS has another name or address",
            Self::INVALID_REQUEST => "the NAS takes the request for wrong",
            Self::UNSUPPORTED_SERVICE => "the NAS does not know the service",
            Self::UNSUPPORTED_EXTENSION => "the NAS does not know this kind of request",
            Self::INVALID_ATTRIBUTE_VALUE => "the NAS cannot use a value of the request",
            Self::ADMINISTRATIVELY_PROHIBITED => "the configuration of the NAS forbids it",
            Self::REQUEST_NOT_ROUTABLE => "a proxy on the way does not know the NAS",
            Self::SESSION_CONTEXT_NOT_FOUND => "the NAS has no such session any more",
            Self::SESSION_CONTEXT_NOT_REMOVABLE => "the NAS cannot end the session",
            Self::OTHER_PROXY_PROCESSING_ERROR => "a proxy on the way has failed",
            Self::RESOURCES_UNAVAILABLE => "the NAS has no resources for it now",
            Self::REQUEST_INITIATED => "the NAS asks for itself first",
            Self::MULTIPLE_SESSION_SELECTION_UNSUPPORTED => {
                "the NAS cannot choose several sessions at once"
            }
            Self(_) => "a reason without a name in RFC 5176",
        }
    }
}

/// The number: what stands in records, for which RFC 5176 has the names.
impl fmt::Display for ErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'a> Packet<'a> {
    /// Why a NAS refuses, in a NAK; an Error-Cause of another length is none.
    #[must_use]
    pub fn error_cause(&self) -> ErrorCause {
        ErrorCause(self.integer(AttributeType::ERROR_CAUSE).unwrap_or(0))
    }

    /// The name by which Cisco's and Meraki's devices know a session, as it stands in their
    /// Access-Requests: `audit-session-id=…`, one Cisco-AVPair of at most 247 octets.
    #[must_use]
    pub fn audit_session(&self) -> Option<&'a [u8]> {
        let mut specific = self.vendor_specific();
        specific.find_map(|specific| {
            let (number, value) = specific.attributes().next()?;
            let is_it = specific.vendor == VendorId::CISCO
                && number == CISCO_AV_PAIR
                && value.starts_with(AUDIT_SESSION);
            is_it.then_some(value)
        })
    }
}

const CISCO_AV_PAIR: u8 = 1;
const AUDIT_SESSION: &[u8] = b"audit-session-id=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_means_one_thing_rfc5176_3_5() {
        for cause in (0..=508).map(ErrorCause) {
            let meanings = [cause.means_ended(), cause.means_later(), cause.means_less()];
            let count = meanings.into_iter().filter(|means| *means).count();
            assert!(count <= 1, "row {cause}");
            assert!(!cause.words().is_empty(), "row {cause}");
        }
        assert!(ErrorCause(503).means_ended());
        assert!(ErrorCause(506).means_later());
        assert!(ErrorCause(403).means_less());
        assert_eq!(ErrorCause(599).to_string(), "599");
    }
}
