//! What can be wrong with a configuration.

use crate::trust::TooWeak;
use crate::trust::Unusable;

/// Why a configuration is refused when it is built.
#[derive(Debug, thiserror::Error)]
pub enum Misconfigured {
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
    /// A revocation list.
    #[error(transparent)]
    RevocationList(Unusable),
    /// Our own chain and key.
    #[error("the certificate and its key cannot be used")]
    Credential(#[source] rustls::Error),
    /// TLS cannot be had with these versions.
    #[error("TLS cannot be configured")]
    Tls(#[source] rustls::Error),
    /// The lowest TLS version is above the highest.
    #[error("the lowest TLS version is above the highest")]
    Versions,
    /// A certificate of our own chain is too weak for the 192-bit mode.
    #[error("certificate {position} of the chain cannot be used with profile = \"suiteb192\"")]
    TooWeak {
        /// Its place in the chain, from 1.
        position: usize,
        /// What key it has.
        #[source]
        source: TooWeak,
    },
    /// More tickets than are allowed.
    #[error("{tickets} tickets, at most {most} can be sent", most = crate::eap::MAX_TICKETS)]
    Tickets {
        /// How many were wanted.
        tickets: u8,
    },
}

impl From<Unusable> for Misconfigured {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::NoRoots => Self::NoRoots,
            Unusable::Root { position, source } => Self::Root { position, source },
            list @ (Unusable::List { .. } | Unusable::Signature { .. }) => {
                Self::RevocationList(list)
            }
        }
    }
}
