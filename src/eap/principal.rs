//! Who has been authenticated, and by what.

use std::sync::Arc;

use crate::model::CertificateIdentity;

/// Who a peer has proved to be.
#[derive(Clone, Debug)]
pub enum Principal {
    /// The holder of a certificate: EAP-TLS, outside or inside of a tunnel.
    Certificate(Arc<CertificateIdentity>),
    /// A user whose password the peer knows. Beside it the peer may have proved to hold a device's
    /// certificate, when the tunnel was made.
    Password {
        /// The name inside of the tunnel, as sent.
        user: Arc<str>,
        /// That certificate.
        device: Option<Arc<CertificateIdentity>>,
    },
}

impl Principal {
    /// The certificate that the peer proved to hold.
    #[must_use]
    pub const fn certificate(&self) -> Option<&Arc<CertificateIdentity>> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Password { device, .. } => device.as_ref(),
        }
    }

    /// The user: of a certificate the one that it names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Certificate(certificate) => certificate.user(),
            Self::Password { user, .. } => Some(user),
        }
    }
}
