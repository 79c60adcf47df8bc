//! What can be set of EAP, and its words.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::config::tls_policy::TlsPolicy;
use crate::document::Choice;
use crate::eap::Resumption;
use crate::eap::TeapBinding;
use crate::eap::TeapCertificate;
use crate::eap::TeapIdentity;
use crate::eap::TeapKeys;
use crate::eap::TeapSettings;
use crate::eap::TlsVersion;
use crate::eap::TunnelSettings;

/// EAP over RADIUS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eap {
    /// How TLS is spoken where no group says otherwise.
    pub tls: TlsPolicy,
    /// How it is spoken with the NASes of these groups.
    pub groups: BTreeMap<String, TlsPolicy>,
    /// PEM files of the authorities that issue client certificates.
    pub client_ca: Vec<PathBuf>,
    /// PEM files of revocation lists.
    pub revocation_lists: Vec<PathBuf>,
    /// Whether a certificate that no current list covers is refused.
    pub demand_revocation: bool,
    /// Octets of one EAP packet that we send, [`MIN_PACKET`](crate::eap::MIN_PACKET) to
    /// [`MAX_PACKET`](crate::eap::MAX_PACKET), unless the NAS states a smaller Framed-MTU.
    pub fragment_size: usize,
    /// Requests after which a conversation is given up.
    pub max_rounds: u16,
    /// Time after which a conversation is given up.
    pub timeout: Duration,
    /// TLS 1.3 tickets after each handshake; 0 switches resumption off.
    pub tickets: u8,
    /// How long after a full authentication a TLS session may be resumed.
    pub resumption_lifetime: Duration,
    /// Sessions remembered for resumption; the oldest is forgotten first.
    pub resumption_capacity: usize,
    /// Verified certificate chains that are remembered.
    pub remembered_chains: usize,
    /// Tunnelled methods.
    pub tunnel: TunnelSettings,
    /// TEAP.
    pub teap: TeapSettings,
}

impl Default for Eap {
    fn default() -> Self {
        Self {
            tls: TlsPolicy::default(),
            groups: BTreeMap::new(),
            client_ca: vec!["certs/root.pem".into()],
            revocation_lists: Vec::new(),
            demand_revocation: false,
            fragment_size: 1024,
            max_rounds: 100,
            timeout: Duration::from_secs(30),
            tickets: 1,
            resumption_lifetime: Resumption::DEFAULT_LIFETIME,
            resumption_capacity: Resumption::DEFAULT_ENTRIES,
            remembered_chains: crate::eap::Settings::DEFAULT_REMEMBERED_CHAINS,
            tunnel: TunnelSettings::default(),
            teap: TeapSettings::default(),
        }
    }
}

impl Choice for TeapIdentity {
    const ALL: &'static [(&'static str, Self)] =
        &[("machine", Self::Machine), ("user", Self::User)];
}

impl Choice for TeapBinding {
    const ALL: &'static [(&'static str, Self)] = &[
        ("msk", Self::Msk),
        ("two-chains", Self::TwoChains),
        ("one-chain", Self::OneChain),
    ];
}

impl Choice for TeapKeys {
    const ALL: &'static [(&'static str, Self)] =
        &[("p-hash", Self::PHash), ("rfc9427", Self::Rfc9427)];
}

impl Choice for TeapCertificate {
    const ALL: &'static [(&'static str, Self)] = &[
        ("unasked", Self::Unasked),
        ("machine", Self::Machine),
        ("enough", Self::Enough),
    ];
}

impl Choice for TlsVersion {
    const ALL: &'static [(&'static str, Self)] = &[("1.2", Self::Tls12), ("1.3", Self::Tls13)];
}
