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

/// Why the gateway answered itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The head is not acceptable.
    Malformed(Malformed),
    /// No credential, or one of a kind that is not taken.
    NoCredential,
    /// The mail server refused the credential.
    Refused,
    /// The mail server accepts the credential and not the user.
    UserNotEnabled,
    /// Too many refusals, or questions under way; the credential was not looked at.
    Throttled,
    /// The query names another user than the one authenticated.
    UserMismatch,
    /// A certificate that is not good for a user here, or is used beside its validity.
    Certificate,
    /// The mail server cannot be asked, or answers what no mail server answers.
    Unavailable,
    /// The mail server has no time for a question about the credential.
    UpstreamBusy,
    /// The mail server answers OPTIONS with this status, and not as an ActiveSync server.
    NotActiveSync(StatusCode),
    /// The mail server lets requests without credentials pass: its word about credentials is void.
    NoChallenge,
    /// The mail server sends the user to a place that is none of the configured ones.
    SentElsewhere,
    /// The answer to OPTIONS.
    Offered,
    /// The answer to Autodiscover.
    Discovered,
    /// The verdict is Block.
    Blocked,
    /// The verdict is Quarantine.
    Quarantined,
    /// The request is of a version of the protocol that is not spoken here.
    OldVersion,
    /// The body of the request broke off or came too slowly.
    BodyMissing,
    /// The body of the request is not framed as one.
    BodyMalformed,
    /// A device that was let in still speaks of the mailbox that it had in quarantine.
    Released,
    /// The permission was taken back and given again while the request was under way.
    Revoked,
    /// The page of a check-again link.
    Page,
    /// The mail server's own answer, read whole, without any order to wipe.
    Stripped,
}

/// What came of a request, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The mail server's own answer.
    Allow,
    /// Refused by a quarantine verdict.
    Quarantine,
    /// Refused by a block verdict.
    Block,
    /// Without a credential that the mail server accepts, or with one that is not the user's.
    NotAuthenticated,
    /// Too many wrong passwords before.
    Throttled,
    /// Not a request of the protocol.
    BadRequest,
    /// The mail server was not there, or was none.
    UpstreamFailed,
    /// OPTIONS, answered for the mail server.
    Options,
    /// Overtaken by a change, to be sent again.
    Changed,
    /// A page for a person.
    Page,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Allow,
        Self::Quarantine,
        Self::Block,
        Self::NotAuthenticated,
        Self::Throttled,
        Self::BadRequest,
        Self::UpstreamFailed,
        Self::Options,
        Self::Changed,
        Self::Page,
    ];

    /// Its place in [`Outcome::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name among the counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Quarantine => "quarantine",
            Self::Block => "block",
            Self::NotAuthenticated => "not_authenticated",
            Self::Throttled => "throttled",
            Self::BadRequest => "bad_request",
            Self::UpstreamFailed => "upstream_failed",
            Self::Options => "options",
            Self::Changed => "changed",
            Self::Page => "page",
        }
    }
}

impl Cause {
    /// The word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.name(),
            Self::NoCredential => "no-credential",
            Self::Refused => "refused",
            Self::UserNotEnabled => "user-not-enabled",
            Self::Throttled => "throttled",
            Self::UserMismatch => "user-mismatch",
            Self::Certificate => "certificate",
            Self::Unavailable => "unavailable",
            Self::UpstreamBusy => "upstream-busy",
            Self::NotActiveSync(_) => "not-activesync",
            Self::NoChallenge => "no-challenge",
            Self::SentElsewhere => "sent-elsewhere",
            Self::Offered => "offered",
            Self::Discovered => "discovered",
            Self::Blocked => "blocked",
            Self::Quarantined => "quarantined",
            Self::Released => "released",
            Self::OldVersion => "old-version",
            Self::BodyMissing => "body-missing",
            Self::BodyMalformed => "body-malformed",
            Self::Revoked => "revoked",
            Self::Page => "page",
            Self::Stripped => "stripped",
        }
    }

    /// The outcome that it is one of.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Malformed(_) | Self::OldVersion | Self::BodyMissing | Self::BodyMalformed => {
                Outcome::BadRequest
            }
            Self::NoCredential
            | Self::Refused
            | Self::UserNotEnabled
            | Self::UserMismatch
            | Self::Certificate => Outcome::NotAuthenticated,
            Self::Throttled => Outcome::Throttled,
            Self::Unavailable
            | Self::UpstreamBusy
            | Self::NotActiveSync(_)
            | Self::NoChallenge
            | Self::SentElsewhere => Outcome::UpstreamFailed,
            Self::Offered | Self::Discovered => Outcome::Options,
            Self::Blocked => Outcome::Block,
            Self::Quarantined => Outcome::Quarantine,
            Self::Revoked | Self::Released => Outcome::Changed,
            Self::Page => Outcome::Page,
            Self::Stripped => Outcome::Allow,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_place_and_a_name_of_its_own() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), place, "row {outcome:?}");
            let same = Outcome::ALL.map(|other| other.name() == outcome.name());
            assert_eq!(
                same.iter().filter(|same| **same).count(),
                1,
                "row {outcome:?}"
            );
        }
    }
}
