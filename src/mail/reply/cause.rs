//! Why the gateway answers itself, and what that comes to.

use http::StatusCode;

use crate::mail::error::Malformed;

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
