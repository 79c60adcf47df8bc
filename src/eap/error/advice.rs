//! What somebody can do about a failure; for those whose own sentence does not say it.

use crate::eap::CertificateRefusal;
use crate::eap::FailureReason;
use crate::trust::OnlineRefusal;

impl FailureReason {
    /// What to do about it, if that is known and not said already.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        match self {
            // bad_certificate, certificate_unknown, unknown_ca (RFC 8446 section 6).
            Self::PeerAlert {
                number: 42 | 46 | 48,
            } => Some(
                "the device does not trust the gateway's certificate; give its profile the CA and the \
                 server's name",
            ),
            // protocol_version, insufficient_security, handshake_failure.
            Self::PeerAlert {
                number: 40 | 70 | 71,
            }
            | Self::Incompatible(_) => {
                Some("update the device's supplicant, or see tls_min and tls_max in [eap]")
            }
            Self::Certificate(refusal) => refusal.advice(),
            Self::Rounds { .. } => {
                Some("raise max_rounds in [eap], or the size of the device's fragments")
            }
            Self::PeerAlert { .. }
            | Self::NoIdentity
            | Self::NothingOffered
            | Self::Refused(_)
            | Self::Inner(_)
            | Self::PeerClosed
            | Self::Blocked
            | Self::Version
            | Self::Tls(_)
            | Self::ApplicationData
            | Self::Stalled
            | Self::Fragment(_)
            | Self::InvalidPackets { .. }
            | Self::Internal(_) => None,
        }
    }
}

impl CertificateRefusal {
    const fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Missing => Some(
                "give the device a certificate, or let it speak a tunnelled method, see [methods]",
            ),
            Self::Expired => Some("renew it"),
            Self::NotYetValid => Some("compare the clocks of its CA and of this gateway"),
            Self::UnknownCa => Some("issue it by a CA of eap.client_ca, or add its CA there"),
            Self::NotForClients => Some("issue it with the extended key usage clientAuth"),
            Self::RevocationUnknown => {
                Some("name its CA's list in revocation.lists or eap.revocation_lists")
            }
            Self::ListOutdated => Some(
                "have its CA issue a new list, see `portreeve status`; revocation.grace or outdated = \
                 \"soft\" would let the old one count",
            ),
            Self::Online(OnlineRefusal::NoResponder) => {
                Some("set revocation.responder, or have the CA name one in its certificates")
            }
            Self::Online(OnlineRefusal::Nothing(_)) => Some(
                "mend the responder; ocsp = \"soft\" in [revocation] would let devices in meanwhile",
            ),
            Self::Online(OnlineRefusal::Asking) => Some("the next try finds the answer"),
            Self::TooWeak(_) => {
                Some("issue it with a key of P-384 or RSA 3072, signed with SHA-384")
            }
            Self::KeyUsage(_) => Some("issue it with the key usage digitalSignature"),
            Self::Ambiguous(_) => Some("issue it with one device and one user"),
            Self::Revoked
            | Self::BadSignature
            | Self::Algorithm
            | Self::Unreadable
            | Self::Other(_) => None,
        }
    }
}
