//! Who has been authenticated, and by what.

use std::sync::Arc;

use crate::model::CertificateIdentity;

/// Who a peer has proved to be.
#[derive(Clone, Debug)]
pub enum Principal {
    /// The holder of a certificate: EAP-TLS, outside or inside of a tunnel.
    Certificate(Arc<CertificateIdentity>),
    /// A user whose password the peer knows. Beside it the peer may have proved to hold a device's
    /// certificate: when the tunnel was made, or in TEAP by a method of its own.
    Password {
        /// The name inside of the tunnel, as sent.
        user: Arc<str>,
        /// That certificate.
        device: Option<Arc<CertificateIdentity>>,
    },
    /// A machine and its user, each proved by itself (RFC 9930 section 3.6); but for a user's password
    /// beside a machine's certificate, which is [`Principal::Password`].
    Chained {
        /// The machine.
        machine: Proved,
        /// The user.
        user: Proved,
    },
}

/// One identity of two, and what it was proved by.
#[derive(Clone, Debug)]
pub enum Proved {
    /// A certificate.
    Certificate(Arc<CertificateIdentity>),
    /// A password; the name as sent.
    Password(Arc<str>),
}

impl Principal {
    /// Of a machine and a user, of whom one is enough; `None` without either.
    pub(super) fn of(machine: Option<Proved>, user: Option<Proved>) -> Option<Self> {
        Some(match (machine, user) {
            (Some(Proved::Certificate(device)), Some(Proved::Password(user))) => Self::Password {
                user,
                device: Some(device),
            },
            (Some(machine), Some(user)) => Self::Chained { machine, user },
            (Some(alone), None) | (None, Some(alone)) => match alone {
                Proved::Certificate(certificate) => Self::Certificate(certificate),
                Proved::Password(user) => Self::Password { user, device: None },
            },
            (None, None) => return None,
        })
    }

    /// The certificate that says which device it is: that of the machine if the peer proved to hold
    /// one, else any that it did.
    #[must_use]
    pub const fn certificate(&self) -> Option<&Arc<CertificateIdentity>> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Password { device, .. } => device.as_ref(),
            Self::Chained { machine, user } => match machine.certificate() {
                Some(certificate) => Some(certificate),
                None => user.certificate(),
            },
        }
    }

    /// Every certificate that the peer proved to hold.
    pub fn certificates(&self) -> impl Iterator<Item = &Arc<CertificateIdentity>> {
        let (one, other) = match self {
            Self::Certificate(certificate) => (Some(certificate), None),
            Self::Password { device, .. } => (device.as_ref(), None),
            Self::Chained { machine, user } => (machine.certificate(), user.certificate()),
        };
        one.into_iter().chain(other)
    }

    /// The names whose passwords the peer knew.
    pub fn by_password(&self) -> impl Iterator<Item = &str> {
        let (one, other) = match self {
            Self::Certificate(_) => (None, None),
            Self::Password { user, .. } => (Some(&**user), None),
            Self::Chained { machine, user } => (machine.password(), user.password()),
        };
        one.into_iter().chain(other)
    }

    /// The user: of a certificate the one that it names.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Certificate(certificate) => certificate.user(),
            Self::Password { user, .. } => Some(user),
            Self::Chained { user, .. } => user.user(),
        }
    }

    /// The name of a machine that is known by its password alone.
    #[must_use]
    pub fn machine_name(&self) -> Option<&str> {
        match self {
            Self::Certificate(_) | Self::Password { .. } => None,
            Self::Chained { machine, .. } => machine.password(),
        }
    }

    /// Whether the user is known by a password.
    #[must_use]
    pub const fn is_by_password(&self) -> bool {
        match self {
            Self::Certificate(_) => false,
            Self::Password { .. } => true,
            Self::Chained { user, .. } => matches!(user, Proved::Password(_)),
        }
    }
}

impl Proved {
    /// The certificate, if it was one.
    #[must_use]
    pub const fn certificate(&self) -> Option<&Arc<CertificateIdentity>> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Password(_) => None,
        }
    }

    /// The name, if it was a password.
    fn password(&self) -> Option<&str> {
        match self {
            Self::Certificate(_) => None,
            Self::Password(name) => Some(name),
        }
    }

    fn user(&self) -> Option<&str> {
        match self {
            Self::Certificate(certificate) => certificate.user(),
            Self::Password(name) => Some(name),
        }
    }
}
