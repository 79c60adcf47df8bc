//! One TLS configuration for all conversations, which finds the gate of the one that is worked on.
//!
//! rustls asks a configuration's verifier, session store and clock, and tells none of them which
//! connection asks. A configuration of its own for each conversation costs several microseconds
//! and a session cache that is thrown away; but rustls only asks while its connection is fed, on
//! the same thread, so whoever feeds it stands its gate here before ([`Turnstile::enter`]). While
//! no gate stands here nothing is verified, stored or found.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::DigitallySignedStruct;
use rustls::DistinguishedName;
use rustls::SignatureScheme;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::StoresServerSessions;
use rustls::server::danger::ClientCertVerified;
use rustls::server::danger::ClientCertVerifier;
use rustls::time_provider::TimeProvider;
use zeroize::Zeroizing;

use super::shown::Shown;
use crate::model::CertificateIdentity;
use crate::trust::Verifier;

thread_local! {
    static INSIDE: RefCell<Option<Arc<dyn Guard>>> = const { RefCell::new(None) };
}

/// Verifier, store and clock of a configuration.
#[derive(Debug)]
pub(super) struct Turnstile {
    /// For what is the same for all conversations.
    pub(super) verifier: Arc<Verifier>,
    /// Whether handshakes may be resumed.
    pub(super) resumes: bool,
    /// Whether a peer must have a certificate, as in EAP-TLS; in tunnels one that it has must be good.
    pub(super) mandatory: bool,
}

impl Turnstile {
    /// Stands `gate` here until what is given back is dropped.
    pub(super) fn enter(gate: Arc<dyn Guard>) -> Inside {
        let before = INSIDE.replace(Some(gate));
        Inside { before }
    }
}

/// What a gate is asked while its connection is fed.
pub(super) trait Guard {
    /// Which certificates are good.
    fn verifier(&self) -> &Verifier;

    /// Whose this chain is.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error>;

    /// The peer has proved to hold the key of the certificate that was verified last, which is the one
    /// that its signature was checked with: rustls has both from one message.
    fn prove(&self) -> Result<(), rustls::Error>;

    /// Remembers a certificate that was refused: whose it says it is, and how the chain looks.
    fn note_refused(&self, whose: Option<Arc<CertificateIdentity>>, shown: Arc<Shown>);

    /// Remembers which certificate was refused, then hands the error on.
    fn refuse(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        error: rustls::Error,
    ) -> rustls::Error {
        let shown = Shown::of(leaf, others, self.verifier());
        let whose = CertificateIdentity::parse(leaf).ok();
        self.note_refused(whose.map(Arc::new), Arc::new(shown));
        error
    }

    /// Whether the peer holds the key of the chain that was verified last.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let valid = (self.verifier())
            .verify_tls12_signature(message, certificate, signature)
            .map_err(|error| self.refuse(certificate, &[], error))?;
        self.prove()?;
        Ok(valid)
    }

    /// The same.
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let valid = (self.verifier())
            .verify_tls13_signature(message, certificate, signature)
            .map_err(|error| self.refuse(certificate, &[], error))?;
        self.prove()?;
        Ok(valid)
    }

    /// What was stored under a name, if it may be resumed; with `take` it is gone afterwards.
    fn recall(&self, name: &[u8], take: bool) -> Option<Vec<u8>>;

    /// Keeps what may be resumed once the conversation has succeeded.
    fn keep(&self, name: &[u8], value: Zeroizing<Vec<u8>>) -> bool;

    /// The time of the call that is worked on.
    fn current_time(&self) -> Option<UnixTime>;
}

/// While it lives its gate is the one that is asked; then the one of before, which is none.
pub(super) struct Inside {
    before: Option<Arc<dyn Guard>>,
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.set(self.before.take());
    }
}

/// The gate of the conversation that is worked on. It may ask the policy meanwhile, so it is not
/// borrowed.
fn gate() -> Option<Arc<dyn Guard>> {
    INSIDE.with_borrow(Clone::clone)
}

/// The same for what must not go on without.
fn gate_or_refuse() -> Result<Arc<dyn Guard>, rustls::Error> {
    gate().ok_or_else(|| rustls::Error::General("asked outside of a conversation".into()))
}

impl ClientCertVerifier for Turnstile {
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
        gate_or_refuse()?.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        gate_or_refuse()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        gate_or_refuse()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.schemes()
    }
}

impl StoresServerSessions for Turnstile {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let value = Zeroizing::new(value);
        gate().is_some_and(|gate| gate.keep(&key, value))
    }

    /// A TLS 1.2 session id.
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        gate()?.recall(key, false)
    }

    /// A TLS 1.3 ticket: good for one use.
    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        gate()?.recall(key, true)
    }

    fn can_cache(&self) -> bool {
        self.resumes
    }
}

impl TimeProvider for Turnstile {
    fn current_time(&self) -> Option<UnixTime> {
        gate()?.current_time()
    }
}
