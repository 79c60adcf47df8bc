//! What a peer is configured with.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::KeyLog;
use rustls::NoKeyLog;
use rustls::RootCertStore;
use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::ServerName;

use super::InsideSettings;
use super::verifier::ServerVerifier;
use crate::eap;
use crate::eap::Clock;
use crate::eap::Misconfigured;
use crate::eap::Outer;
use crate::eap::TlsVersion;

/// A certificate and its key.
#[derive(Debug)]
pub struct Credential {
    /// The peer's certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

/// What a peer is configured with.
#[derive(Debug)]
pub struct ProfileSettings {
    /// EAP identity; of a tunnel the one outside.
    pub identity: Vec<u8>,
    /// The method it wants.
    pub method: Outer,
    /// What it says inside of a tunnel; EAP-TLS needs nothing.
    pub inside: Option<InsideSettings>,
    /// What a peer that lies says inside instead.
    pub spoil: Option<Spoil>,
    /// What it authenticates with; without one it can only be refused.
    pub credential: Option<Credential>,
    /// What the machine authenticates with inside of TEAP, if that is another one.
    pub machine: Option<Credential>,
    /// Roots that the server's certificate must lead to.
    pub roots: Vec<CertificateDer<'static>>,
    /// The name that the server's certificate must have, if one is demanded.
    pub server_name: Option<ServerName<'static>>,
    /// Lowest TLS version.
    pub lowest: TlsVersion,
    /// Highest TLS version.
    pub highest: TlsVersion,
    /// Largest EAP packet to send, in octets.
    pub max_packet: usize,
    /// How many handshakes are remembered for resumption; 0 never resumes.
    pub remembered: usize,
    /// Where TLS secrets go, for those who decrypt a capture.
    pub key_log: Arc<dyn KeyLog>,
}

/// Changes what a peer is about to say inside of its tunnel; the identifier of the request comes along.
/// For those who try what a gateway does with peers that lie.
#[derive(Clone)]
pub struct Spoil(pub Arc<Change>);

/// What [`Spoil`] does.
pub type Change = dyn Fn(u8, &mut Vec<u8>) + Send + Sync;

impl fmt::Debug for Spoil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spoil")
    }
}

impl ProfileSettings {
    /// The defaults around identity and trust: TLS 1.2 and 1.3, packets of 1,024 octets, no
    /// resumption.
    #[must_use]
    pub fn new(
        identity: &str,
        credential: Option<Credential>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self {
            identity: identity.as_bytes().to_vec(),
            method: Outer::Tls,
            inside: None,
            spoil: None,
            credential,
            machine: None,
            roots,
            server_name: None,
            lowest: TlsVersion::Tls12,
            highest: TlsVersion::Tls13,
            max_packet: 1024,
            remembered: 0,
            key_log: Arc::new(NoKeyLog),
        }
    }
}

/// A configured peer, from which conversations begin; what can be resumed is remembered here.
#[derive(Debug)]
pub struct Profile {
    pub(super) identity: Vec<u8>,
    pub(super) method: Outer,
    pub(super) inside: Option<Arc<InsideSettings>>,
    pub(super) spoil: Option<Spoil>,
    pub(super) tls: Arc<ClientConfig>,
    /// The same with the machine's certificate.
    machine: Option<Arc<ClientConfig>>,
    /// Whether it has a certificate for who asks.
    shows: bool,
    pub(super) clock: Arc<Clock>,
    pub(super) max_packet: usize,
}

impl Profile {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// When roots, versions, certificate or key do not fit.
    pub fn build(settings: ProfileSettings) -> Result<Self, Misconfigured> {
        let provider = eap::provider();
        if settings.lowest > settings.highest {
            return Err(Misconfigured::Versions);
        }
        let mut roots = RootCertStore::empty();
        for (position, root) in (1..).zip(settings.roots) {
            roots
                .add(root)
                .map_err(|source| Misconfigured::Root { position, source })?;
        }
        if roots.is_empty() {
            return Err(Misconfigured::NoRoots);
        }
        let clock = Arc::new(Clock::default());
        let verifier = ServerVerifier::new(roots, settings.server_name, &provider);
        let builder = ClientConfig::builder_with_details(provider, Arc::clone(&clock) as _)
            .with_protocol_versions(&TlsVersion::between(settings.lowest, settings.highest))
            .map_err(Misconfigured::Tls)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let shows = settings.credential.is_some();
        let tls = |credential: Option<Credential>| {
            let mut tls = match credential {
                Some(Credential { chain, key }) => (builder.clone())
                    .with_client_auth_cert(chain, key)
                    .map_err(Misconfigured::Credential)?,
                None => builder.clone().with_no_client_auth(),
            };
            tls.enable_sni = false;
            tls.key_log = Arc::clone(&settings.key_log);
            tls.resumption = match settings.remembered {
                0 => Resumption::disabled(),
                count => Resumption::in_memory_sessions(count),
            };
            Ok::<_, Misconfigured>(Arc::new(tls))
        };
        let machine = match settings.machine {
            Some(credential) => Some(tls(Some(credential))?),
            None => None,
        };
        let tls = tls(settings.credential)?;
        Ok(Self {
            identity: settings.identity,
            method: settings.method,
            inside: settings.inside.map(Arc::new),
            spoil: settings.spoil,
            tls,
            machine,
            shows,
            clock,
            max_packet: settings.max_packet,
        })
    }
}

impl Profile {
    /// Whether it has a certificate for who asks when the tunnel is made.
    pub(super) const fn shows_certificate(&self) -> bool {
        self.shows
    }

    /// The same with the machine's certificate, if that is another one.
    pub(super) fn of_machine(self: &Arc<Self>) -> Arc<Self> {
        let Some(machine) = &self.machine else {
            return Arc::clone(self);
        };
        Arc::new(Self {
            identity: self.identity.clone(),
            method: self.method,
            inside: None,
            spoil: None,
            tls: Arc::clone(machine),
            machine: None,
            shows: true,
            clock: Arc::clone(&self.clock),
            max_packet: self.max_packet,
        })
    }

    /// The same for EAP-TLS inside of a tunnel.
    pub(super) fn outside_of_tunnels(&self) -> Self {
        let mut tls = ClientConfig::clone(&self.tls);
        // The tunnel's tickets are not for what is inside of it.
        tls.resumption = Resumption::disabled();
        Self {
            identity: self.identity.clone(),
            method: Outer::Tls,
            inside: None,
            spoil: None,
            tls: Arc::new(tls),
            machine: None,
            shows: self.shows,
            clock: Arc::clone(&self.clock),
            max_packet: self.max_packet,
        }
    }
}
