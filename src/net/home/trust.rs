//! What a TLS connection to a home server is made with, and when its certificate is believed.

use std::fmt;
use std::sync::Arc;

use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::RootCertStore;
use rustls::SignatureScheme;
use rustls::client::Resumption;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::client::danger::ServerCertVerified;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;
use rustls::pki_types::UnixTime;
use rustls::server::VerifierBuilderError;

use crate::radius::bears_realm;

/// The octets of a home server's TLS.
#[derive(Debug)]
pub struct Material {
    /// The authorities that issue home servers' certificates.
    pub roots: Vec<CertificateDer<'static>>,
    /// Their revocation lists.
    pub revocation_lists: Vec<CertificateRevocationListDer<'static>>,
    /// Our certificate and its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// Protocols offered by ALPN, the preferred one first; none if empty.
    pub protocols: Vec<Vec<u8>>,
    /// Whether connections that do not speak RADIUS/1.1 are given up.
    pub only_version_11: bool,
}

/// Whom a certificate has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One of these DNS names or addresses (RFC 6614 section 2.3).
    Names(Vec<ServerName<'static>>),
    /// The realm that the server was found for, as NAIRealm (RFC 7585 section 2.2); or, where that is
    /// enough, the name that DNS gave, which whoever forges DNS can choose.
    Realm(Box<str>, Option<ServerName<'static>>),
}

/// What connections are made with.
#[derive(Debug)]
pub struct Trust {
    tls: ClientConfig,
    verifier: Arc<WebPkiServerVerifier>,
    pub(super) only_version_11: bool,
}

/// Why there is no [`Trust`].
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// An authority or a revocation list cannot be used.
    #[error("the authorities or their revocation lists cannot be used")]
    Verifier(#[from] VerifierBuilderError),
    /// The certificate and the key do not fit, or cannot be used.
    #[error("the certificates or the key cannot be used")]
    Rustls(#[from] rustls::Error),
}

impl Trust {
    /// Checks the material.
    ///
    /// # Errors
    ///
    /// The first thing that cannot be used.
    pub fn new(material: Material) -> Result<Self, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for root in material.roots {
            roots.add(root)?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .with_crls(material.revocation_lists)
                .allow_unknown_revocation_status()
                .build()?;
        let wanted = Arc::new(Gate {
            verifier: Arc::clone(&verifier),
            wanted: Wanted::Names(Vec::new()),
        });
        let mut tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(wanted)
            .with_client_auth_cert(material.chain, material.key)?;
        tls.alpn_protocols = material.protocols;
        // What is resumed goes past the verifier; connections last.
        tls.resumption = Resumption::disabled();
        Ok(Self {
            tls,
            verifier,
            only_version_11: material.only_version_11,
        })
    }

    /// The configuration of a connection whose certificate must name `wanted`.
    pub(super) fn of(&self, wanted: Wanted) -> Arc<ClientConfig> {
        let mut tls = self.tls.clone();
        tls.dangerous().set_certificate_verifier(Arc::new(Gate {
            verifier: Arc::clone(&self.verifier),
            wanted,
        }));
        Arc::new(tls)
    }
}

/// Asks for a good chain and for one of the names that are wanted.
struct Gate {
    verifier: Arc<WebPkiServerVerifier>,
    wanted: Wanted,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Gate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let named = |name: &ServerName<'_>| {
            self.verifier
                .verify_server_cert(end_entity, intermediates, name, ocsp, now)
        };
        match &self.wanted {
            Wanted::Names(names) => {
                let mut last = rustls::Error::General("no name is expected".to_owned());
                for name in names {
                    match named(name) {
                        Ok(good) => return Ok(good),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Wanted::Realm(realm, name) => {
                if let Some(name) = name
                    && let Ok(good) = named(name)
                {
                    return Ok(good);
                }
                // The chain is verified before the name is, and some name has to be asked for.
                let any = ServerName::try_from(realm.as_ref())
                    .map_err(|_| rustls::Error::General("the realm is no name".to_owned()))?;
                match named(&any) {
                    Ok(_)
                    | Err(rustls::Error::InvalidCertificate(
                        CertificateError::NotValidForName
                        | CertificateError::NotValidForNameContext { .. },
                    )) => {}
                    Err(error) => return Err(error),
                }
                if bears_realm(end_entity, realm) {
                    return Ok(ServerCertVerified::assertion());
                }
                let why = format!("the certificate does not bear the realm {realm}");
                Err(rustls::Error::General(why))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
