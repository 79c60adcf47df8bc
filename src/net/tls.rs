//! TLS configurations from PEM texts, for the front and towards the mail server.
//!
//! TLS 1.2 and 1.3 with the AEAD suites of rustls; no renegotiation, no early data. What a
//! configuration is made of is read by whoever calls; a reload makes a new one and stores it in the
//! [`ArcSwap`](arc_swap::ArcSwap) that the front takes it from for each connection, so connections
//! under way keep theirs and tickets of the old one are worth nothing.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::UnixTime;
use rustls::pki_types::pem::PemObject;
use rustls::server::NoServerSessionStorage;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;

use crate::trust;
use crate::trust::Material;
use crate::trust::Unusable;
use crate::trust::Upkeep;
use crate::trust::Verifier;

/// The PEM texts of a TLS server.
#[derive(Clone, Copy, Debug)]
pub struct ServerPem<'a> {
    /// The server's certificate and its intermediates, in this order.
    pub chain: &'a [u8],
    /// The private key.
    pub key: &'a [u8],
    /// Roots of client certificates. `None`: none are asked for. Otherwise a client may present
    /// one; one that does not verify ends the handshake.
    pub client_roots: Option<&'a [u8]>,
    /// How revocation of client certificates is kept up to date, if it is.
    pub upkeep: Option<&'a Upkeep>,
}

/// The configuration of the front: HTTP/2 and HTTP/1.1.
///
/// # Errors
///
/// The text that cannot be used, and why.
pub fn server(pem: ServerPem<'_>) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let chain = certificates(pem.chain, "certificate chain")?;
    let key = PrivateKeyDer::from_pem_slice(pem.key).map_err(|source| TlsError::Pem {
        what: "private key",
        source,
    })?;
    let verifier = match pem.client_roots {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(roots) => client_verifier(roots, pem.upkeep, &provider)?,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Phones come and go all day: a ticket saves the signature. It carries no verdict, and who
    // presents it has to sign in again.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}

/// What RADIUS over TLS is served with.
#[derive(Debug)]
pub struct Radsec<'a> {
    /// The server's certificate and its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
    /// Whom clients' certificates come from, and which are revoked.
    pub clients: Material<'a>,
    /// Protocols offered by ALPN, the preferred one first; none if empty.
    pub protocols: &'a [&'a [u8]],
}

/// The configuration of RADIUS over TLS (RFC 6614 section 2.3): a client without a good certificate
/// gets nowhere. Nothing is resumed, because that would go past the verifier; connections last.
/// The verifier comes along, to ask it about connections that are open already.
///
/// # Errors
///
/// What cannot be used, and why.
pub fn radsec(material: Radsec<'_>) -> Result<(ServerConfig, Arc<Verifier>), TlsError> {
    let provider = provider();
    let verifier = Arc::new(Verifier::build(material.clients, &provider)?);
    let gate = Gate {
        verifier: Arc::clone(&verifier),
        mandatory: true,
    };
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(gate))
        .with_single_cert(material.chain, material.key)?;
    config.alpn_protocols = material
        .protocols
        .iter()
        .map(|name| name.to_vec())
        .collect();
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok((config, verifier))
}

/// The configuration towards a server of which the certificate is verified, always.
///
/// # Errors
///
/// The text that cannot be used, or that no root was found at all.
pub fn client(roots: Roots<'_>) -> Result<ClientConfig, TlsError> {
    let store = match roots {
        Roots::Pem(pem) => store(pem, "roots")?,
        Roots::System => {
            let mut store = RootCertStore::empty();
            let found = rustls_native_certs::load_native_certs();
            store.add_parsable_certificates(found.certs);
            store
        }
    };
    if store.is_empty() {
        return Err(TlsError::Empty { what: "roots" });
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

/// Which authorities a server's certificate may come from.
#[derive(Clone, Copy, Debug)]
pub enum Roots<'a> {
    /// Those that the operating system trusts.
    System,
    /// Those of a PEM text.
    Pem(&'a [u8]),
}

/// Why a TLS configuration cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A text is not PEM.
    #[error("the {what} cannot be read")]
    Pem {
        /// Which text.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A text holds no certificate.
    #[error("the {what} hold no certificate")]
    Empty {
        /// Which text.
        what: &'static str,
    },
    /// The certificate and key do not fit, or cannot be used.
    #[error("the certificates or the key cannot be used")]
    Rustls(#[from] rustls::Error),
    /// The roots of client certificates cannot be used.
    #[error("the roots of client certificates cannot be used")]
    Verifier(#[from] Unusable),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(trust::provider())
}

fn client_verifier(
    roots: &[u8],
    upkeep: Option<&Upkeep>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let roots = certificates(roots, "roots of client certificates")?;
    let material = Material {
        roots: &roots,
        upkeep,
        remembered: REMEMBERED_CHAINS,
        ..Material::default()
    };
    Ok(Arc::new(Gate {
        verifier: Arc::new(Verifier::build(material, provider)?),
        mandatory: false,
    }))
}

/// Asks for a certificate; one that is presented must be good.
#[derive(Debug)]
struct Gate {
    verifier: Arc<Verifier>,
    /// Whether none is an answer, too.
    mandatory: bool,
}

impl ClientCertVerifier for Gate {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.hints()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verifier
            .verify_and_keep(end_entity, intermediates, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = &self.verifier;
        let valid = verifier.verify_tls12_signature(message, certificate, signature)?;
        verifier.remember_proven(certificate);
        Ok(valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verifier = &self.verifier;
        let valid = verifier.verify_tls13_signature(message, certificate, signature)?;
        verifier.remember_proven(certificate);
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.schemes()
    }
}

fn store(pem: &[u8], what: &'static str) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem, what)? {
        store.add(certificate)?;
    }
    Ok(store)
}

fn certificates(pem: &[u8], what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| TlsError::Pem { what, source })?;
    if chain.is_empty() {
        return Err(TlsError::Empty { what });
    }
    Ok(chain)
}

/// Chains of mail clients' certificates that are remembered, those of a building's devices. Most
/// clients present none.
const REMEMBERED_CHAINS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use rustls::SupportedProtocolVersion;
    use rustls::client::ResolvesClientCert;
    use rustls::sign::CertifiedKey;

    use super::*;

    fn pair() -> (String, String) {
        let signed = rcgen::generate_simple_self_signed(vec!["mail.example.org".into()]).unwrap();
        (signed.cert.pem(), signed.signing_key.serialize_pem())
    }

    #[test]
    fn a_chain_and_its_key_make_a_server() {
        let (chain, key) = pair();
        for client_roots in [None, Some(chain.as_bytes())] {
            let pem = ServerPem {
                chain: chain.as_bytes(),
                key: key.as_bytes(),
                client_roots,
                upkeep: None,
            };
            assert!(server(pem).is_ok());
        }
    }

    /// Presents a chain and signs with whatever key it has.
    #[derive(Debug)]
    struct Presented(Arc<CertifiedKey>);

    impl ResolvesClientCert for Presented {
        fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
            Some(Arc::clone(&self.0))
        }

        fn has_certs(&self) -> bool {
            true
        }
    }

    /// What the server says against a client that has this certificate and this key.
    fn meets(
        server: &Arc<ServerConfig>,
        front: &str,
        version: &'static SupportedProtocolVersion,
        (chain, key): (&str, &str),
    ) -> String {
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        let chain = certificates(chain.as_bytes(), "chain").unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(store(front.as_bytes(), "roots").unwrap())
            .with_client_cert_resolver(Arc::new(Presented(Arc::new(CertifiedKey::new(
                chain, key,
            )))));
        let name = "mail.example.org".try_into().unwrap();
        let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = rustls::ServerConnection::new(Arc::clone(server)).unwrap();
        for _ in 0..10 {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut wire = wire.as_slice();
            while !wire.is_empty() {
                server.read_tls(&mut wire).unwrap();
                if let Err(error) = server.process_new_packets() {
                    return error.to_string();
                }
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut wire = wire.as_slice();
            while !wire.is_empty() {
                client.read_tls(&mut wire).unwrap();
                client.process_new_packets().unwrap();
            }
        }
        assert!(!server.is_handshaking(), "ten turns are enough");
        String::new()
    }

    /// The second time the chain is remembered.
    #[test]
    fn a_client_that_is_known_still_has_to_sign() {
        let (front, front_key) = pair();
        let (phone, phone_key) = pair();
        let (_, stolen) = pair();
        let config = server(ServerPem {
            chain: front.as_bytes(),
            key: front_key.as_bytes(),
            client_roots: Some(phone.as_bytes()),
            upkeep: None,
        });
        let config = Arc::new(config.unwrap());
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            for _ in 0..2 {
                let met = meets(&config, &front, version, (&phone, &phone_key));
                assert_eq!(met, "");
                let met = meets(&config, &front, version, (&phone, &stolen));
                assert_eq!(met, "invalid peer certificate: BadSignature");
            }
        }
    }

    #[test]
    fn texts_that_do_not_fit_are_refused() {
        let (chain, key) = pair();
        let (_, other) = pair();
        for (row, chain, key, roots) in [
            ("another key", chain.as_str(), other.as_str(), None),
            ("no chain", "", &key, None),
            ("no key", &chain, "", None),
            ("swapped", &key, &chain, None),
            ("no roots", &chain, &key, Some("")),
        ] {
            let pem = ServerPem {
                chain: chain.as_bytes(),
                key: key.as_bytes(),
                client_roots: roots.map(str::as_bytes),
                upkeep: None,
            };
            assert!(server(pem).is_err(), "row {row}");
        }
        assert!(client(Roots::Pem(b"")).is_err());
        assert!(client(Roots::Pem(chain.as_bytes())).is_ok());
    }
}
