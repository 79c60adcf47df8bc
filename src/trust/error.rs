//! Refusals in the words of the TLS library, and why material cannot be used.

use std::sync::Arc;

use rustls::CertRevocationListError;
use rustls::CertificateError;
use rustls::ExtendedKeyPurpose;
use rustls::OtherError;

use super::list::ListError;

/// Why roots and lists make no verifier.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// No root to trust.
    #[error("no root certificate is given to verify devices with")]
    NoRoots,
    /// A root that is no certificate of a CA.
    #[error("root certificate {position} cannot be used")]
    Root {
        /// Its place in the list, from 1.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: rustls::Error,
    },
    /// A revocation list that cannot be read, or is of a kind that is not supported.
    #[error("revocation list {position} cannot be used")]
    List {
        /// Its place in the list, from 1.
        position: usize,
        /// What is wrong with it.
        #[source]
        source: ListError,
    },
    /// A revocation list in the name of a root that the root has not signed.
    #[error("revocation list {position} is in the name of {issuer} and not signed with its key")]
    Signature {
        /// Its place in the list, from 1.
        position: usize,
        /// In whose name it is.
        issuer: String,
    },
}

impl Unusable {
    /// The list that it is about, from 1.
    #[must_use]
    pub const fn list(&self) -> Option<usize> {
        match self {
            Self::List { position, .. } | Self::Signature { position, .. } => Some(*position),
            Self::NoRoots | Self::Root { .. } => None,
        }
    }
}

/// How a certificate stands with the responders that are asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Online {
    /// Nothing speaks against it.
    Passes,
    /// A responder is being asked, and nobody passes before it has answered.
    Waits,
}

/// Why a certificate does not pass although no list revokes it; in a
/// [`CertificateError::Other`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnlineRefusal {
    /// It names no responder, and none is configured.
    #[error("the certificate names no OCSP responder, and none is configured")]
    NoResponder,
    /// Nobody says how it stands, and why.
    #[error("no OCSP responder says that the certificate is good: {0}")]
    Nothing(Arc<str>),
    /// The responder has not answered yet, and this caller cannot wait for it.
    #[error("the OCSP responder is being asked about the certificate for the first time")]
    Asking,
}

/// A refusal of ours.
pub(super) fn refusal(why: impl std::error::Error + Send + Sync + 'static) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(why))).into()
}

/// webpki's refusals as the TLS library's own verifier names them, so that each is answered with
/// its alert.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "webpki may add errors; each other one is told by its text"
)]
pub(super) fn in_tls(error: webpki::Error) -> rustls::Error {
    use webpki::Error as Pki;
    match error {
        Pki::BadDer | Pki::BadDerTime | Pki::TrailingData(_) => {
            CertificateError::BadEncoding.into()
        }
        Pki::CertNotValidYet { time, not_before } => {
            CertificateError::NotValidYetContext { time, not_before }.into()
        }
        Pki::CertExpired { time, not_after } => {
            CertificateError::ExpiredContext { time, not_after }.into()
        }
        Pki::InvalidCertValidity => CertificateError::Expired.into(),
        Pki::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        Pki::CertRevoked => CertificateError::Revoked.into(),
        Pki::UnknownRevocationStatus => CertificateError::UnknownRevocationStatus.into(),
        Pki::CrlExpired { time, next_update } => {
            CertificateError::ExpiredRevocationListContext { time, next_update }.into()
        }
        Pki::IssuerNotCrlSigner => CertRevocationListError::IssuerInvalidForCrl.into(),
        Pki::InvalidCrlSignatureForPublicKey => CertRevocationListError::BadSignature.into(),
        Pki::InvalidSignatureForPublicKey => CertificateError::BadSignature.into(),
        Pki::UnsupportedSignatureAlgorithmContext(context) => {
            CertificateError::UnsupportedSignatureAlgorithmContext {
                signature_algorithm_id: context.signature_algorithm_id,
                supported_algorithms: context.supported_algorithms,
            }
            .into()
        }
        Pki::UnsupportedSignatureAlgorithmForPublicKeyContext(context) => {
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: context.signature_algorithm_id,
                public_key_algorithm_id: context.public_key_algorithm_id,
            }
            .into()
        }
        Pki::RequiredEkuNotFoundContext(context) => {
            let presented = context.present.into_iter();
            CertificateError::InvalidPurposeContext {
                required: purpose(context.required.oid_values().collect()),
                presented: presented.map(purpose).collect(),
            }
            .into()
        }
        Pki::MaximumPathDepthExceeded
        | Pki::MaximumPathBuildCallsExceeded
        | Pki::MaximumSignatureChecksExceeded => refusal(TooManyAuthorities),
        other => refusal(other),
    }
}

/// A chain in which no path is looked for any longer; the bounds are those of `webpki`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the certificate's chain is too long: there may be 6 authorities between it and the root, and few besides"
)]
struct TooManyAuthorities;

fn purpose(oid: Vec<usize>) -> ExtendedKeyPurpose {
    if oid == webpki::KeyUsage::CLIENT_AUTH_REPR {
        ExtendedKeyPurpose::ClientAuth
    } else if oid == webpki::KeyUsage::SERVER_AUTH_REPR {
        ExtendedKeyPurpose::ServerAuth
    } else {
        ExtendedKeyPurpose::Other(oid)
    }
}
