//! What can go wrong in a conversation, sorted by what the caller has to do about it.

use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;

use super::fragment::FragmentError;
use super::method::Wanted;
use super::packet::Malformed;
use super::packet::Type;
use super::principal::Principal;
use super::shown::Shown;
use super::spoken::Spoken;
use crate::model::alert_name;
use crate::model::tls_error;

pub use certificate::CertificateRefusal;
pub use inner::InnerRefusal;
pub use misconfigured::Misconfigured;
pub use silence::Silence;

mod advice;
mod certificate;
mod inner;
mod misconfigured;
mod silence;

/// A response that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Discard {
    /// Drop it and say nothing (RFC 3748 sections 4 and 4.1).
    #[error(transparent)]
    Silent(#[from] Silent),
    /// Repeat [`last_request`](super::Conversation::last_request) in an Access-Challenge with
    /// Error-Cause 202, Invalid EAP Packet (RFC 3579 section 2.2).
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// A response to drop without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Silent {
    /// Not an EAP packet.
    #[error("malformed EAP packet: {0}")]
    Malformed(#[from] Malformed),
    /// A Request, Success or Failure.
    #[error("not an EAP response")]
    NotResponse,
    /// The answer to another request: a late duplicate, or a guess.
    #[error("identifier {received} instead of {expected}")]
    Identifier {
        /// That of the outstanding request.
        expected: u8,
        /// That of the response.
        received: u8,
    },
    /// The cryptography of the last response is still being done.
    #[error("the last response is still being worked on")]
    Busy,
    /// The conversation is over.
    #[error("the conversation is over")]
    Over,
    /// There was no work, or the conversation has already begun.
    #[error("called out of turn")]
    OutOfTurn,
}

/// A response to the outstanding request that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Neither the type that was asked for nor a Nak where one is allowed.
    #[error("a response of {0} was not asked for")]
    Type(Type),
    /// A Nak after the peer has answered in the method (RFC 3748 section 5.3.1), or one that
    /// cannot be read.
    #[error("a Nak that is broken or too late")]
    Nak,
    /// An identity that no User-Name could carry.
    #[error("an identity of {octets} octets")]
    Identity {
        /// Its length.
        octets: usize,
    },
    /// The framing of EAP-TLS.
    #[error(transparent)]
    Fragment(#[from] FragmentError),
}

impl Invalid {
    /// The fault of a response whose type does not belong here.
    pub(super) fn of_type(kind: Option<Type>) -> Self {
        match kind {
            Some(Type::NAK | Type::EXPANDED) | None => Self::Nak,
            Some(kind) => Self::Type(kind),
        }
    }
}

/// The end of a conversation that did not succeed.
#[derive(Clone, Debug)]
pub struct Failed {
    /// EAP-Failure, for the Access-Reject.
    pub packet: [u8; 4],
    /// Why.
    pub reason: FailureReason,
    /// Who the peer presented itself as, if it came to that; proven only if the reason is
    /// [`FailureReason::Blocked`].
    pub presented: Option<Principal>,
    /// The name inside of the tunnel: that of whom the peer had proved to be, else what it said.
    pub claimed: Option<Arc<str>>,
    /// The chain of a peer whose certificate was refused.
    pub shown: Option<Arc<Shown>>,
    /// Requests that were sent: the last round.
    pub rounds: u16,
    /// What was spoken.
    pub spoken: Spoken,
    /// From the peer's first packet to its last.
    pub elapsed: Duration,
}

impl Failed {
    /// What happened and who says so, in one sentence; what to do about it says
    /// [`FailureReason::advice`].
    #[must_use]
    pub fn why(&self) -> String {
        let mut why = self.reason.to_string();
        if let (FailureReason::Certificate(CertificateRefusal::Revoked), Some(by)) = (
            &self.reason,
            self.shown.as_ref().and_then(|shown| shown.revoked_by()),
        ) {
            why.push_str(", by ");
            why.push_str(by);
        }
        why
    }
}

/// Which side ended a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The device.
    Peer,
    /// The gateway.
    Server,
}

/// Why a conversation failed; the sentence begins with the side that ended it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureReason {
    /// The first response was no identity.
    #[error("server: the conversation began without an identity")]
    NoIdentity,
    /// Nothing is offered here.
    #[error("server: no EAP method is switched on for this NAS, see [methods] in gateway.toml")]
    NothingOffered,
    /// The peer refused every method that it was offered.
    #[error("peer: wants {0}, and [methods] offers this NAS none of it")]
    Refused(Wanted),
    /// What was said inside of the tunnel.
    #[error("{side}: {0}", side = side_name(.0.side()))]
    Inner(InnerRefusal),
    /// The peer sent a TLS alert.
    #[error("peer: TLS alert {}", alert_name(*.number))]
    PeerAlert {
        /// AlertDescription (RFC 8446 section 6).
        number: u8,
    },
    /// The peer closed TLS before the end.
    #[error("peer: closed TLS before success")]
    PeerClosed,
    /// The peer's certificate is not accepted.
    #[error("server: {0}")]
    Certificate(CertificateRefusal),
    /// The decision is Block.
    #[error("server: blocked by decision")]
    Blocked,
    /// The peer is not heard of any more.
    #[error("peer: {0}")]
    Silence(Silence),
    /// The peer speaks another version of the method.
    #[error("peer: speaks another version of the method")]
    Version,
    /// No TLS version, suite, group or signature scheme in common.
    #[error("server: {0}")]
    Incompatible(String),
    /// The peer broke the TLS protocol.
    #[error("server: {0}")]
    Tls(String),
    /// Application data, which EAP-TLS has none of.
    #[error("server: application data from the peer")]
    ApplicationData,
    /// A TLS message after which nothing is left to say and the handshake is not finished, or one
    /// after it was.
    #[error("server: a TLS message that leads nowhere")]
    Stalled,
    /// The fragments cannot be joined.
    #[error("server: {0}")]
    Fragment(FragmentError),
    /// More round trips than allowed.
    #[error("server: more than {limit} round trips")]
    Rounds {
        /// The bound.
        limit: u16,
    },
    /// More invalid packets than allowed (RFC 3579 section 2.2).
    #[error("server: more than {limit} invalid EAP packets, the last: {last}")]
    InvalidPackets {
        /// The bound.
        limit: u8,
        /// What was wrong with the last one.
        last: Invalid,
    },
    /// Our own fault.
    #[error("server: internal: {0}")]
    Internal(String),
}

impl FailureReason {
    /// Whether there is no method in common inside of a tunnel, and nothing else is wrong.
    pub(in crate::eap) const fn is_about_inner_methods(&self) -> bool {
        matches!(
            self,
            Self::Inner(InnerRefusal::Refused(_) | InnerRefusal::NothingOffered)
        )
    }

    /// Which side ended the conversation.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self {
            Self::Refused(_)
            | Self::PeerAlert { .. }
            | Self::PeerClosed
            | Self::Silence(_)
            | Self::Version => Side::Peer,
            Self::Inner(refusal) => refusal.side(),
            Self::NoIdentity
            | Self::NothingOffered
            | Self::Certificate(_)
            | Self::Blocked
            | Self::Incompatible(_)
            | Self::Tls(_)
            | Self::ApplicationData
            | Self::Stalled
            | Self::Fragment(_)
            | Self::Rounds { .. }
            | Self::InvalidPackets { .. }
            | Self::Internal(_) => Side::Server,
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls may add errors; each other one is a fault of the protocol, told by its text"
)]
impl From<rustls::Error> for FailureReason {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(description) => Self::PeerAlert {
                number: description.into(),
            },
            rustls::Error::NoCertificatesPresented => {
                Self::Certificate(CertificateRefusal::Missing)
            }
            rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => {
                Self::Blocked
            }
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error.into()),
            rustls::Error::InvalidCertRevocationList(error) => {
                Self::Internal(tls_error(&rustls::Error::InvalidCertRevocationList(error)))
            }
            rustls::Error::PeerIncompatible(_) => Self::Incompatible(tls_error(&error)),
            rustls::Error::General(text) => Self::Internal(text),
            rustls::Error::FailedToGetCurrentTime | rustls::Error::FailedToGetRandomBytes => {
                Self::Internal(error.to_string())
            }
            other => Self::Tls(tls_error(&other)),
        }
    }
}

impl From<Silence> for FailureReason {
    fn from(silence: Silence) -> Self {
        Self::Silence(silence)
    }
}

impl From<InnerRefusal> for FailureReason {
    fn from(refusal: InnerRefusal) -> Self {
        Self::Inner(refusal)
    }
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Peer => "peer",
        Side::Server => "server",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_says_which_side_and_why() {
        for (reason, side, text) in [
            (
                FailureReason::Certificate(CertificateRefusal::Expired),
                Side::Server,
                "server: the certificate is expired",
            ),
            (
                FailureReason::PeerAlert { number: 48 },
                Side::Peer,
                "peer: TLS alert 48 (unknown CA)",
            ),
            (
                FailureReason::Blocked,
                Side::Server,
                "server: blocked by decision",
            ),
            (
                FailureReason::Rounds { limit: 100 },
                Side::Server,
                "server: more than 100 round trips",
            ),
        ] {
            assert_eq!(reason.to_string(), text);
            assert_eq!(reason.side(), side, "row {text}");
        }
    }

    #[test]
    fn text_and_side_never_disagree() {
        let certificate = CertificateRefusal::Missing;
        for reason in [
            FailureReason::NoIdentity,
            FailureReason::PeerClosed,
            FailureReason::PeerAlert { number: 0 },
            rustls::Error::from(rustls::PeerIncompatible::NoCipherSuitesInCommon).into(),
            rustls::Error::from(rustls::PeerMisbehaved::IncorrectBinder).into(),
            FailureReason::Certificate(certificate),
            FailureReason::Stalled,
            FailureReason::ApplicationData,
        ] {
            let side = match reason.side() {
                Side::Peer => "peer: ",
                Side::Server => "server: ",
            };
            assert!(reason.to_string().starts_with(side), "row {reason}");
        }
    }
}
