//! What a peer showed that was refused, for the record.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

use crate::model::CertificateIdentity;
use crate::trust::Verifier;

/// The chain of a peer whose certificate was refused: the peer's own certificate first. Nothing in it
/// is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    certificates: Vec<CertificateIdentity>,
    /// How many more there were.
    more: usize,
    revoked_by: Option<Arc<str>>,
}

impl Shown {
    /// Certificates that are kept; longer chains are cut.
    pub const MAX: usize = 4;

    /// Reads what can be read of a chain.
    pub(super) fn of(
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        verifier: &Verifier,
    ) -> Self {
        let all = [leaf].into_iter().chain(others);
        let certificates: Vec<_> = all
            .take(Self::MAX)
            .filter_map(|der| CertificateIdentity::parse(der).ok())
            .collect();
        let revoked_by = certificates
            .iter()
            .find_map(|one| verifier.revoking(&one.id))
            .map(Into::into);
        Self {
            more: (others.len() + 1).saturating_sub(Self::MAX),
            certificates,
            revoked_by,
        }
    }

    /// Of a chain that was good when it came, of which only the holder is told.
    pub(super) fn of_one(certificate: &CertificateIdentity, verifier: &Verifier) -> Self {
        Self {
            revoked_by: verifier.revoking(&certificate.id).map(Into::into),
            certificates: vec![certificate.clone()],
            more: 0,
        }
    }

    /// The certificates that could be read, at most [`Shown::MAX`].
    #[must_use]
    pub fn certificates(&self) -> &[CertificateIdentity] {
        &self.certificates
    }

    /// Who says that one of them is revoked, if anybody does.
    #[must_use]
    pub fn revoked_by(&self) -> Option<&str> {
        self.revoked_by.as_deref()
    }
}

/// Subject, issuer, serial number and validity of each.
impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, one) in self.certificates.iter().enumerate() {
            if place > 0 {
                f.write_str("; ")?;
            }
            write!(
                f,
                "{} by {}, serial {}, {} to {}",
                one.subject,
                one.issuer,
                one.serial,
                day(&one.not_before.to_string()),
                day(&one.not_after.to_string()),
            )?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// The day of a time in RFC 3339.
fn day(time: &str) -> &str {
    time.split_once('T').map_or(time, |(day, _)| day)
}
