//! What can be wrong with a peer's certificate.

use rustls::CertificateError;

use crate::model::Ambiguity;
use crate::model::certificate_error;
use crate::trust::KeyMisused;
use crate::trust::OnlineRefusal;
use crate::trust::TooShort;
use crate::trust::TooWeak;

/// What is wrong with the peer's certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateRefusal {
    /// None was presented.
    #[error("the peer has no certificate")]
    Missing,
    /// Past its end.
    #[error("the certificate is expired")]
    Expired,
    /// Before its start.
    #[error("the certificate is not valid yet")]
    NotYetValid,
    /// No root of ours stands behind it.
    #[error("the certificate is of an unknown CA")]
    UnknownCa,
    /// The extended key usages leave out clients.
    #[error("the certificate is not for clients")]
    NotForClients,
    /// On a revocation list.
    #[error("the certificate is revoked")]
    Revoked,
    /// No list tells of it, and one is demanded.
    #[error("no revocation list covers the certificate")]
    RevocationUnknown,
    /// Only lists out of date tell of it, and a current one is demanded.
    #[error("the revocation list that covers the certificate is out of date")]
    ListOutdated,
    /// No OCSP responder says that it is good, and one has to.
    #[error(transparent)]
    Online(OnlineRefusal),
    /// Its key may not be used for this, or that of an authority above it.
    #[error(transparent)]
    KeyUsage(KeyMisused),
    /// A signature that does not verify, the chain's or the handshake's.
    #[error("a signature of the certificate's chain or key is wrong")]
    BadSignature,
    /// Its key, or that of an authority below the root, is too short for all.
    #[error(transparent)]
    TooShort(TooShort),
    /// Its key is too weak for the 192-bit mode.
    #[error(transparent)]
    TooWeak(TooWeak),
    /// A weak or unknown signature algorithm.
    #[error("the certificate is signed with an algorithm that is not accepted")]
    Algorithm,
    /// Not a certificate that can be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// It names two devices or two users.
    #[error(transparent)]
    Ambiguous(#[from] Ambiguity),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls may add errors; each other one is told by its text"
)]
impl From<CertificateError> for CertificateRefusal {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::UnknownIssuer => Self::UnknownCa,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::NotForClients
            }
            CertificateError::Revoked => Self::Revoked,
            CertificateError::UnknownRevocationStatus => Self::RevocationUnknown,
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => Self::ListOutdated,
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::Algorithm
            }
            CertificateError::BadEncoding | CertificateError::UnhandledCriticalExtension => {
                Self::Unreadable
            }
            CertificateError::Other(error) => {
                if let Some(ambiguity) = error.0.downcast_ref::<Ambiguity>() {
                    Self::Ambiguous(*ambiguity)
                } else if let Some(online) = error.0.downcast_ref::<OnlineRefusal>() {
                    Self::Online(online.clone())
                } else if let Some(misused) = error.0.downcast_ref::<KeyMisused>() {
                    Self::KeyUsage(*misused)
                } else if let Some(short) = error.0.downcast_ref::<TooShort>() {
                    Self::TooShort(*short)
                } else if let Some(weak) = error.0.downcast_ref::<TooWeak>() {
                    Self::TooWeak(*weak)
                } else {
                    Self::Other(certificate_error(&CertificateError::Other(error)))
                }
            }
            other => Self::Other(certificate_error(&other)),
        }
    }
}
