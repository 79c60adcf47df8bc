//! Whom the servers of a directory are trusted by.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::model::Fingerprint;

/// Why servers cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file has no certificate that can be an authority.
    #[error("holds no certificate of an authority")]
    NoAuthority,
    /// The system has none.
    #[error("the system has no authorities: name a ca_file")]
    NoSystemAuthorities,
    /// The TLS library does not take them.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// Whom servers are trusted by.
#[derive(Clone, Debug)]
pub struct Trust {
    /// TLS with those authorities.
    pub(super) tls: Arc<ClientConfig>,
    /// Of all their certificates, so that a reload knows the same ones again.
    pub(super) authorities: Fingerprint,
}

/// Trust in servers whose certificates the authorities in `pem` have issued; those of the system where
/// it is `None`.
///
/// # Errors
///
/// When there is no authority.
pub fn trust(pem: Option<&[u8]>) -> Result<Trust, TrustError> {
    let mut roots = RootCertStore::empty();
    let mut octets = Vec::new();
    match pem {
        Some(pem) => {
            octets.extend_from_slice(pem);
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|_| TrustError::NoAuthority)?;
                roots
                    .add(certificate)
                    .map_err(|_| TrustError::NoAuthority)?;
            }
            if roots.is_empty() {
                return Err(TrustError::NoAuthority);
            }
        }
        None => {
            let mut found = rustls_native_certs::load_native_certs().certs;
            // In whatever order the system gives them.
            found.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
            found.iter().for_each(|one| octets.extend_from_slice(one));
            roots.add_parsable_certificates(found);
            if roots.is_empty() {
                return Err(TrustError::NoSystemAuthorities);
            }
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Trust {
        tls: Arc::new(config),
        authorities: Fingerprint::of(&octets),
    })
}
