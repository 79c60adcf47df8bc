//! Answers that the gateway gives itself.

use std::time::Duration;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use http::header;

use crate::access::Correlation;
use crate::eas;
use crate::eas::Command;
use crate::eas::Refusal;
use crate::eas::Refused;
use crate::eas::Status;
use crate::eas::Version;
use crate::model::Reason;

use super::challenge::Challenges;
use super::credential::Excess;
use super::credential::Offer;
use super::credential::Throttle;
use super::error::Malformed;
use super::header::speak_from;

mod cause;

pub use cause::Cause;
pub use cause::Outcome;

/// An answer without the mail server.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers but Content-Length.
    pub headers: HeaderMap,
    /// A short text, or WBXML.
    pub body: Vec<u8>,
    /// Why, in one word for counters and logs: `blocked`, `malformed-path`, `refused`, …
    pub cause: Cause,
}

impl Reply {
    pub(super) fn malformed(malformed: Malformed) -> Self {
        let status = StatusCode::from_u16(malformed.status()).unwrap_or(StatusCode::BAD_REQUEST);
        let mut reply = Self::text(status, malformed.to_string(), Cause::Malformed(malformed));
        if malformed == Malformed::Method {
            let methods = HeaderValue::from_static("OPTIONS, POST");
            reply.headers.insert(header::ALLOW, methods);
        }
        reply
    }

    /// 401 with what may be signed in with.
    pub(super) fn unauthorized(challenges: &Challenges, cause: Cause) -> Self {
        let body = "Name and password are needed.".to_owned();
        let mut reply = Self::text(StatusCode::UNAUTHORIZED, body, cause);
        challenges.set(&mut reply.headers);
        reply
    }

    pub(super) fn forbidden(body: &str, cause: Cause) -> Self {
        Self::text(StatusCode::FORBIDDEN, body.to_owned(), cause)
    }

    /// 503: later, perhaps. Never a word on whether a credential is right, and none on what kind of server
    /// it is: an application has none of mail.
    pub(super) fn unavailable(wait: Duration, cause: Cause) -> Self {
        let body = if cause == Cause::SentElsewhere {
            "What the server answers is not passed on. Whoever runs this gateway can see why."
        } else if cause == Cause::Revoked {
            "What is allowed has just changed. Try again."
        } else {
            "The server cannot be reached at the moment."
        };
        Self::later(wait, body.to_owned(), cause)
    }

    /// 503 as well: it is the status of throttling that clients know (MS-ASHTTP 3.1.5.2.3); 429 is
    /// not in that protocol.
    pub(super) fn throttled(throttle: Throttle) -> Self {
        let why = match throttle.excess {
            Excess::User | Excess::Address => "Too many wrong passwords",
            Excess::AtOnce => "Too many sign-ins at once",
        };
        let seconds = whole_seconds(throttle.wait);
        let body = format!("{why}: sign-in is slowed down. Try again in {seconds} seconds.");
        Self::later(throttle.wait, body, Cause::Throttled)
    }

    /// What the mail server has asked for is passed on, whichever of the two statuses it gave.
    pub(super) fn busy(wait: Duration) -> Self {
        let seconds = whole_seconds(wait);
        let body = format!("The mail server is busy. Try again in {seconds} seconds.");
        Self::later(wait, body, Cause::UpstreamBusy)
    }

    fn later(wait: Duration, body: String, cause: Cause) -> Self {
        let mut reply = Self::text(StatusCode::SERVICE_UNAVAILABLE, body, cause);
        let seconds = HeaderValue::from(whole_seconds(wait));
        reply.headers.insert(header::RETRY_AFTER, seconds);
        reply
    }

    /// 408: the rest of the request did not arrive.
    #[must_use]
    pub fn body_missing() -> Self {
        let body = "The request did not arrive in time.".to_owned();
        Self::text(StatusCode::REQUEST_TIMEOUT, body, Cause::BodyMissing)
    }

    /// 400: the rest of the request is not what its head announced.
    #[must_use]
    pub fn body_malformed() -> Self {
        let body = "The body of the request is malformed.".to_owned();
        Self::text(StatusCode::BAD_REQUEST, body, Cause::BodyMalformed)
    }

    pub(super) fn offered(offer: &Offer, oldest: Version) -> Self {
        let mut headers = offer.0.clone();
        speak_from(&mut headers, oldest);
        Self {
            status: StatusCode::OK,
            headers,
            body: Vec::new(),
            cause: Cause::Offered,
        }
    }

    /// A version that is not spoken here, as MS-ASCMD 2.2.2 has it said.
    pub(super) fn old_version(request: &eas::Request) -> Self {
        let status = Status::VersionNotSupported;
        match status.body(request.command, request.version) {
            Some(body) => Self::wbxml(StatusCode::OK.as_u16(), body, Cause::OldVersion),
            None => {
                let body = "This version of ActiveSync is not spoken here.".to_owned();
                let status = StatusCode::from_u16(status.http());
                let status = status.unwrap_or(StatusCode::BAD_REQUEST);
                Self::text(status, body, Cause::OldVersion)
            }
        }
    }

    /// A device that is kept out, told in WBXML where its version and command have that.
    pub(super) fn blocked(
        request: &eas::Request,
        refused: Refused,
        reason: Reason,
        id: Correlation,
    ) -> Self {
        let status = Refusal::status(reason);
        let body = match refused {
            Refused::Http => None,
            Refused::Wbxml => status.body(request.command, request.version),
        };
        match body {
            Some(body) => {
                Self::wbxml(StatusCode::OK.as_u16(), body, Cause::Blocked).because(reason, id)
            }
            None => Self::refused(Refusal::Blocked, reason, id),
        }
    }

    pub(super) fn refused(refusal: Refusal, reason: Reason, id: Correlation) -> Self {
        let body = refusal.body(reason.sentence(), reason.code(), &id.to_string());
        Self::refusal(refusal, body).because(reason, id)
    }

    /// The same for a browser at another application.
    pub(super) fn refused_page(refusal: Refusal, reason: Reason, id: Correlation) -> Self {
        let body = refusal.page(reason.sentence(), reason.code(), &id.to_string());
        Self::refusal(refusal, body).because(reason, id)
    }

    fn refusal(refusal: Refusal, body: String) -> Self {
        let status = StatusCode::from_u16(Refusal::STATUS).unwrap_or(StatusCode::FORBIDDEN);
        let cause = match refusal {
            Refusal::Blocked => Cause::Blocked,
            Refusal::Quarantined => Cause::Quarantined,
        };
        Self::text(status, body, cause)
    }

    /// What a device in quarantine is answered from its made-up mailbox.
    pub(super) fn held_back(status: u16, body: Vec<u8>, reason: Reason, id: Correlation) -> Self {
        Self::wbxml(status, body, Cause::Quarantined).because(reason, id)
    }

    /// The same in several parts.
    pub(super) fn in_parts(body: Vec<u8>, reason: Reason, id: Correlation) -> Self {
        let mut reply = Self::held_back(200, body, reason, id);
        let kind = HeaderValue::from_static(MULTIPART);
        reply.headers.insert(header::CONTENT_TYPE, kind);
        reply
    }

    /// What a client is told that is blocked, in the form of its command.
    pub(super) fn of_blocked(status: u16, body: Vec<u8>, reason: Reason, id: Correlation) -> Self {
        Self::wbxml(status, body, Cause::Blocked).because(reason, id)
    }

    /// What a client is told whose command is refused while its mailbox stays open, in the form of this
    /// one command.
    pub(super) fn refused_command(request: &eas::Request, reason: Reason, id: Correlation) -> Self {
        let sends = matches!(
            request.command,
            Command::SendMail | Command::SmartForward | Command::SmartReply
        );
        let status = if sends {
            Status::MailSubmissionFailed
        } else {
            Status::AccessDenied
        };
        match status.body(request.command, request.version) {
            Some(body) => Self::of_blocked(200, body, reason, id),
            None => Self::refused(Refusal::Blocked, reason, id),
        }
    }

    /// WBXML; an empty body has no type (MS-ASHTTP 2.2.2.1.2).
    pub(super) fn wbxml(status: u16, body: Vec<u8>, cause: Cause) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(WBXML));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE.as_u16() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("300"));
        }
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN),
            headers,
            body,
            cause,
        }
    }

    /// A page for a person: nothing in it is run, framed, kept or told to other sites.
    pub(super) fn page(status: StatusCode, html: String) -> Self {
        let mut reply = Self::text(status, html, Cause::Page);
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (
                header::CONTENT_SECURITY_POLICY,
                "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_ROBOTS_TAG, "noindex"),
        ] {
            reply.headers.insert(name, HeaderValue::from_static(value));
        }
        if status == StatusCode::TOO_MANY_REQUESTS {
            let wait = HeaderValue::from_static("60");
            reply.headers.insert(header::RETRY_AFTER, wait);
        }
        reply
    }

    /// The settings that Autodiscover gives.
    pub(super) fn xml(body: String) -> Self {
        Self::discovered(StatusCode::OK, "text/xml; charset=utf-8", body)
    }

    /// The same in JSON.
    pub(super) fn json(status: u16, body: String) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::discovered(status, "application/json; charset=utf-8", body)
    }

    fn discovered(status: StatusCode, kind: &'static str, body: String) -> Self {
        let mut reply = Self::text(status, body, Cause::Discovered);
        let kind = HeaderValue::from_static(kind);
        reply.headers.insert(header::CONTENT_TYPE, kind);
        reply
    }

    fn because(mut self, reason: Reason, id: Correlation) -> Self {
        self.headers
            .insert(REASON, HeaderValue::from(reason.code()));
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            self.headers.insert(REQUEST, id);
        }
        self
    }

    fn text(status: StatusCode, body: String, cause: Cause) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, text);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self {
            status,
            headers,
            body: body.into_bytes(),
            cause,
        }
    }
}

/// Rounded up: whoever waits so long does not come too early.
fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

const X_ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

const WBXML: &str = "application/vnd.ms-sync.wbxml";
/// WBXML and what belongs to it (MS-ASCMD 2.2.1.10.1).
const MULTIPART: &str = "application/vnd.ms-sync.multipart";

/// The code of the reason, on refusals only: for whoever helps the user with a trace in hand. It
/// says no more than the body does.
const REASON: HeaderName = HeaderName::from_static("x-portreeve-reason");
/// The number of the decision, to ask `explain` about.
const REQUEST: HeaderName = HeaderName::from_static("x-portreeve-request");
