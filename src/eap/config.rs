//! What the server is and whom it trusts, built once from parsed material.

use std::fmt;
use std::sync::Arc;

use rustls::CommonState;
use rustls::ProtocolVersion;
use rustls::ServerConfig;
use rustls::SupportedCipherSuite;
use rustls::SupportedProtocolVersion;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::NoClientAuth;
use rustls::server::NoServerSessionStorage;
use rustls::server::StoresServerSessions;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::CertifiedKey;
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;

use super::error::Misconfigured;
use super::offer::Offer;
use super::offer::Outer;
use super::resumption::Resumption;
use super::teap::TeapSettings;
use super::turnstile::Turnstile;
use crate::model::CertificateId;
use crate::trust;
use crate::trust::Material;
use crate::trust::SIGNATURES_192;
use crate::trust::Upkeep;
use crate::trust::Verifier;
use crate::trust::check_key;

/// What an operator chooses; [`Config::build`] checks it.
#[derive(Debug)]
pub struct Settings {
    /// Our certificate first, then its intermediates, without the root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The key of our certificate.
    pub key: PrivateKeyDer<'static>,
    /// The roots that devices' certificates must lead to.
    pub roots: Vec<CertificateDer<'static>>,
    /// Revocation lists of their issuers.
    pub revocation_lists: Vec<CertificateRevocationListDer<'static>>,
    /// Whether a certificate that no list covers, or only one that is out of date, is refused.
    pub demand_revocation: bool,
    /// Where each of those lists comes from, for people; may be shorter.
    pub list_sources: Vec<String>,
    /// How revocation is kept up to date, if it is.
    pub upkeep: Option<Upkeep>,
    /// Verified chains to remember, so that a device which comes again costs less; what may have
    /// changed meanwhile is looked at each time. About 1 KiB each, 0 remembers none.
    pub remembered_chains: usize,
    /// Lowest TLS version.
    pub lowest: TlsVersion,
    /// Highest TLS version.
    pub highest: TlsVersion,
    /// TLS 1.3 tickets for each full or resumed handshake, 0 to [`MAX_TICKETS`].
    pub tickets: u8,
    /// Where handshakes are kept that may be resumed; `None` forbids it in each TLS version.
    pub resumption: Option<Arc<Resumption>>,
    /// Tunnelled methods.
    pub tunnel: TunnelSettings,
    /// TEAP.
    pub teap: TeapSettings,
    /// Whether only the 192-bit mode of WPA3-Enterprise is spoken: AES-256-GCM with SHA-384 over P-384,
    /// certificates with P-384 or RSA of 3,072 bits or more, ours too.
    pub strong: bool,
    /// A configuration of the same roots and lists, whose verified chains are shared.
    pub beside: Option<Arc<Config>>,
    /// Requests in one conversation, after which it fails. 100 suits peers with small fragments.
    pub max_rounds: u16,
}

impl Settings {
    /// Default number of chains to remember: a building's devices, as for resumption.
    pub const DEFAULT_REMEMBERED_CHAINS: usize = 16 * 1024;

    /// The defaults around the material that has none: TLS 1.2 and 1.3, one ticket, resumption.
    #[must_use]
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        roots: Vec<CertificateDer<'static>>,
    ) -> Self {
        Self {
            chain,
            key,
            roots,
            revocation_lists: Vec::new(),
            demand_revocation: false,
            list_sources: Vec::new(),
            upkeep: None,
            remembered_chains: Self::DEFAULT_REMEMBERED_CHAINS,
            lowest: TlsVersion::Tls12,
            highest: TlsVersion::Tls13,
            tickets: 1,
            resumption: Some(Arc::default()),
            tunnel: TunnelSettings::default(),
            teap: TeapSettings::default(),
            strong: false,
            beside: None,
            max_rounds: 100,
        }
    }
}

/// What an operator chooses for the methods in which a peer says inside of TLS who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelSettings {
    /// Whether peers are asked for a certificate when the tunnel is made. One that a peer shows must
    /// be good, and proves its device; a peer may have none. Some peers ask a person then.
    pub ask_certificate: bool,
    /// Whether the realm of the name inside must be that of the name outside or one below it.
    pub same_realm: bool,
    /// Whether PEAP needs a peer that binds the inner method to the tunnel; else one that does is
    /// held to it, and one that does not passes.
    pub require_binding: bool,
    /// Lowest TLS version of tunnels, if another one than that of EAP-TLS.
    pub lowest: Option<TlsVersion>,
    /// Highest TLS version of tunnels, likewise: not every device that speaks EAP-TLS over TLS 1.3
    /// speaks tunnels over it as RFC 9427 says.
    pub highest: Option<TlsVersion>,
}

impl Default for TunnelSettings {
    fn default() -> Self {
        Self {
            ask_certificate: false,
            same_realm: true,
            require_binding: false,
            lowest: None,
            highest: None,
        }
    }
}

/// The versions that are spoken (RFC 8996 forbids the older ones).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl TlsVersion {
    /// What rustls calls the versions from `lowest` to `highest`.
    pub(crate) fn between(lowest: Self, highest: Self) -> Vec<&'static SupportedProtocolVersion> {
        [
            (Self::Tls12, &rustls::version::TLS12),
            (Self::Tls13, &rustls::version::TLS13),
        ]
        .into_iter()
        .filter(|(version, _)| (lowest..=highest).contains(version))
        .map(|(_, supported)| supported)
        .collect()
    }

    /// The version of a connection; `None` early in its handshake.
    pub(crate) fn of(connection: &CommonState) -> Option<Self> {
        let version = connection.protocol_version()?;
        [
            (Self::Tls12, ProtocolVersion::TLSv1_2),
            (Self::Tls13, ProtocolVersion::TLSv1_3),
        ]
        .into_iter()
        .find_map(|(ours, theirs)| (theirs == version).then_some(ours))
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// [`Settings`] that have been checked, shared by the conversations that began with them.
#[derive(Debug)]
pub struct Config {
    /// That of all conversations, to be used inside of a [`Turnstile`].
    pub(super) tls: Arc<ServerConfig>,
    pub(super) verifier: Arc<Verifier>,
    strong: bool,
    pub(super) resumption: Option<Arc<Resumption>>,
    pub(super) max_rounds: u16,
    pub(super) tunnel: TunnelSettings,
    /// That of tunnels, in which a certificate is no must.
    pub(super) tunnel_tls: Arc<ServerConfig>,
    pub(super) teap: Arc<TeapSettings>,
    /// The same as `tunnel_tls`, of TEAP.
    pub(super) teap_tls: Arc<ServerConfig>,
    /// What EAP-TLS inside of a tunnel uses, where nothing is resumed (RFC 9930 section 3.6.4);
    /// `None` there.
    pub(super) inside: Option<Arc<Self>>,
    /// What is offered where nobody says otherwise.
    pub(super) eap_tls: Arc<Offer>,
}

impl Config {
    /// Checks the material. No file is read here.
    ///
    /// # Errors
    ///
    /// The first thing that does not fit.
    pub fn build(settings: Settings) -> Result<Self, Misconfigured> {
        let provider = if settings.strong {
            strong_provider()
        } else {
            provider()
        };
        let versions = TlsVersion::between(settings.lowest, settings.highest);
        let tunnel_versions = TlsVersion::between(
            settings.tunnel.lowest.unwrap_or(settings.lowest),
            settings.tunnel.highest.unwrap_or(settings.highest),
        );
        if versions.is_empty() || tunnel_versions.is_empty() {
            return Err(Misconfigured::Versions);
        }
        if settings.strong {
            let chain = (1..).zip(&settings.chain);
            for (position, certificate) in chain {
                check_key(certificate)
                    .map_err(|source| Misconfigured::TooWeak { position, source })?;
            }
        }
        if settings.tickets > MAX_TICKETS {
            return Err(Misconfigured::Tickets {
                tickets: settings.tickets,
            });
        }
        let material = Material {
            roots: &settings.roots,
            // Our own certificate often comes from the authority that devices have theirs from.
            known: settings.chain.get(1..).unwrap_or(&[]),
            revocation_lists: &settings.revocation_lists,
            list_sources: &settings.list_sources,
            demand_revocation: settings.demand_revocation,
            upkeep: settings.upkeep.as_ref(),
            strong: settings.strong,
            remembered: settings.remembered_chains,
        };
        let shared = settings.beside.as_ref();
        let shared = shared.filter(|beside| beside.strong == settings.strong);
        let verifier = match shared {
            Some(beside) => Arc::clone(&beside.verifier),
            None => Arc::new(Verifier::build(material, &provider)?),
        };
        let certified = CertifiedKey::from_der(settings.chain, settings.key, &provider)
            .map_err(Misconfigured::Credential)?;
        let turnstile = Arc::new(Turnstile {
            verifier: Arc::clone(&verifier),
            resumes: settings.resumption.is_some(),
            mandatory: true,
        });
        let mandatory = Arc::clone(&turnstile) as Arc<dyn ClientCertVerifier>;
        let optional = |asked: bool| -> Arc<dyn ClientCertVerifier> {
            if asked {
                Arc::new(Turnstile {
                    verifier: Arc::clone(&verifier),
                    resumes: turnstile.resumes,
                    mandatory: false,
                })
            } else {
                Arc::new(NoClientAuth)
            }
        };
        let provider = Arc::new(cheapest_first(&provider));
        let resolver = Arc::new(SingleCertAndKey::from(certified));
        let tls = |verifier: Arc<dyn ClientCertVerifier>, versions: &[&'static _]| {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(versions)
                .map_err(Misconfigured::Tls)?
                .with_client_cert_verifier(verifier);
            let mut tls = builder.with_cert_resolver(Arc::clone(&resolver) as _);
            tls.session_storage = Arc::clone(&turnstile) as Arc<dyn StoresServerSessions>;
            tls.time_provider = Arc::clone(&turnstile) as Arc<dyn TimeProvider>;
            tls.send_tls13_tickets = usize::from(settings.tickets);
            tls.max_early_data_size = 0;
            tls.ignore_client_order = true;
            // A compressed chain is a small message that grows (RFC 8879 section 4).
            tls.cert_compressors = Vec::new();
            tls.cert_decompressors = Vec::new();
            Ok::<_, Misconfigured>(tls)
        };
        let mut inner_tls = tls(Arc::clone(&mandatory), &versions)?;
        inner_tls.session_storage = Arc::new(NoServerSessionStorage {});
        inner_tls.send_tls13_tickets = 0;
        let tunnel_tls = tls(optional(settings.tunnel.ask_certificate), &tunnel_versions)?;
        let tunnel_tls = Arc::new(tunnel_tls);
        let teap = Arc::new(settings.teap);
        let lowest = settings.tunnel.lowest.unwrap_or(settings.lowest);
        let highest = settings.tunnel.highest.unwrap_or(settings.highest);
        let teap_versions = TlsVersion::between(lowest, highest.min(teap.tls_max.max(lowest)));
        let teap_tls = tls(optional(teap.certificate.is_asked()), &teap_versions)?;
        let teap_tls = Arc::new(teap_tls);
        let eap_tls = Arc::new(Offer::eap_tls());
        let inside = Self {
            tls: Arc::new(inner_tls),
            strong: settings.strong,
            verifier: Arc::clone(&verifier),
            resumption: None,
            max_rounds: settings.max_rounds,
            tunnel: settings.tunnel,
            tunnel_tls: Arc::clone(&tunnel_tls),
            teap: Arc::clone(&teap),
            teap_tls: Arc::clone(&teap_tls),
            inside: None,
            eap_tls: Arc::clone(&eap_tls),
        };
        Ok(Self {
            tls: Arc::new(tls(mandatory, &versions)?),
            strong: settings.strong,
            verifier,
            resumption: settings.resumption,
            max_rounds: settings.max_rounds,
            tunnel: settings.tunnel,
            tunnel_tls,
            teap,
            teap_tls,
            inside: Some(Arc::new(inside)),
            eap_tls,
        })
    }

    /// Whether a peer is asked for a certificate when its tunnel is made.
    pub(super) fn asks_certificate(&self, outer: Outer) -> bool {
        match outer {
            Outer::Tls => true,
            Outer::Ttls | Outer::Peap => self.tunnel.ask_certificate,
            Outer::Teap => self.teap.certificate.is_asked(),
        }
    }

    /// Fills `octets` at random.
    pub(super) fn random<const COUNT: usize>(&self) -> Result<[u8; COUNT], rustls::Error> {
        let mut octets = [0; COUNT];
        let random = self.tls.crypto_provider().secure_random;
        random.fill(&mut octets)?;
        Ok(octets)
    }

    /// Whether a device's certificate is known to be revoked: for those who are in already.
    #[must_use]
    pub fn is_revoked(&self, id: &CertificateId) -> bool {
        self.verifier.is_revoked(id)
    }

    /// Revocation lists whose issuer is neither a root nor in our own chain: their places, from 1,
    /// and the issuers' names. Such a list tells something once a device has presented its issuer.
    #[must_use]
    pub fn waiting_lists(&self) -> &[(usize, String)] {
        self.verifier.waiting_lists()
    }
}

/// The suites with SHA-256 before those with SHA-384, for a server that chooses.
///
/// They are as good as one another here (RFC 9325 section 4.2), and peers that are bound to the
/// larger ones (192-bit mode of WPA3) offer no other. Processors have instructions for SHA-256:
/// with SHA-384 the key schedule of TLS 1.3 takes a fifth of a resumed handshake.
fn cheapest_first(provider: &CryptoProvider) -> CryptoProvider {
    let mut provider = provider.clone();
    provider.cipher_suites.sort_by_key(|suite| {
        let common = match suite {
            SupportedCipherSuite::Tls12(suite) => &suite.common,
            SupportedCipherSuite::Tls13(suite) => &suite.common,
        };
        common.hash_provider.output_len()
    });
    provider
}

/// The one cipher provider.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(trust::provider())
}

/// That of the 192-bit mode.
fn strong_provider() -> Arc<CryptoProvider> {
    use rustls::crypto::aws_lc_rs::cipher_suite;
    use rustls::crypto::aws_lc_rs::kx_group;
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            trust::ours(cipher_suite::TLS13_AES_256_GCM_SHA384),
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ],
        kx_groups: vec![kx_group::SECP384R1],
        signature_verification_algorithms: SIGNATURES_192,
        ..trust::provider()
    })
}

/// The most tickets in one handshake. One is enough for a device; some supplicants are disturbed
/// by any.
pub const MAX_TICKETS: u8 = 2;
