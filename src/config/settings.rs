//! What can be set, with units in the types and the defaults in code.
//!
//! Paths are relative to the base folder until [`super::Draft::complete`] has joined them to it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::care::Notify;
use super::messages::Messages;
use super::tls_policy::TlsPolicy;
use super::upstreams::Application;
use super::upstreams::MailRoute;
use super::upstreams::Upstream;
use crate::document::Choice;
use crate::document::Octets;
use crate::eap::Resumption;
use crate::eap::TeapBinding;
use crate::eap::TeapCertificate;
use crate::eap::TeapIdentity;
use crate::eap::TeapKeys;
use crate::eap::TeapSettings;
use crate::eap::TlsVersion;
use crate::eap::TunnelSettings;
use crate::eas::Refused;
use crate::eas::Version;
use crate::mail::Quarantine;
use crate::radius::MessageAuthenticatorPolicy;

/// Which doors are open, and where. An empty list closes a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// RADIUS authentication, UDP.
    pub authentication: Vec<SocketAddr>,
    /// RADIUS accounting, UDP.
    pub accounting: Vec<SocketAddr>,
    /// RADIUS over TLS, TCP: authentication and accounting.
    pub radsec: Vec<SocketAddr>,
    /// Exchange ActiveSync over TLS, TCP.
    pub mail: Vec<SocketAddr>,
    /// `/metrics` and `/health` in plain HTTP, TCP.
    pub metrics: Vec<SocketAddr>,
}

impl Listen {
    /// Whether anybody can ask for EAP, which comes by RADIUS authentication only.
    #[must_use]
    pub const fn is_open_to_eap(&self) -> bool {
        !self.authentication.is_empty() || self.is_open_to_radsec()
    }

    /// Whether RADIUS over TLS has an address.
    #[must_use]
    pub const fn is_open_to_radsec(&self) -> bool {
        !self.radsec.is_empty()
    }

    /// Whether the mail front has an address.
    #[must_use]
    pub const fn is_open_to_mail(&self) -> bool {
        !self.mail.is_empty()
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            authentication: both_loopbacks(11812),
            accounting: both_loopbacks(11813),
            radsec: Vec::new(),
            mail: both_loopbacks(18443),
            metrics: vec![(Ipv4Addr::LOCALHOST, 19090).into()],
        }
    }
}

/// Where the gateway keeps what it writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// The folder; the journal and the control socket have their places in it.
    pub folder: PathBuf,
    /// The local socket that `status`, `explain` and `device` talk to.
    pub control_socket: PathBuf,
    /// Whether a start begins with the inventory that was saved last.
    pub warm_start: bool,
    /// How often the inventory is saved, if a source has delivered something.
    pub snapshot_interval: Duration,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            folder: "var".into(),
            control_socket: "var/control.sock".into(),
            warm_start: true,
            snapshot_interval: Duration::from_mins(5),
        }
    }
}

/// The certificates folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The folder.
    pub folder: PathBuf,
    /// Whether the first start may make a throw-away PKI in it.
    pub make_sample: bool,
    /// How long before its end a certificate is warned about.
    pub warn_before: Duration,
}

impl Default for Certificates {
    fn default() -> Self {
        Self {
            folder: "certs".into(),
            make_sample: true,
            warn_before: Duration::from_hours(30 * 24),
        }
    }
}

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

/// RADIUS over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Radsec {
    /// The certificate that NASes see, its own first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities that issue the NASes' certificates.
    pub client_ca: Vec<PathBuf>,
    /// Their revocation lists.
    pub revocation_lists: Vec<PathBuf>,
    /// Whether a certificate that no current list covers is refused.
    pub demand_revocation: bool,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections of one address.
    pub max_connections_per_address: usize,
    /// How long a connection may be silent.
    pub idle_timeout: Duration,
    /// RADIUS/1.1.
    pub radius_1_1: Radius11,
}

/// Whether RADIUS/1.1 (RFC 9765) is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Radius11 {
    /// With those that ask for it.
    #[default]
    Allow,
    /// With everybody; others are refused.
    Require,
    /// Not at all.
    Forbid,
}

impl Choice for Radius11 {
    const ALL: &'static [(&'static str, Self)] = &[
        ("allow", Self::Allow),
        ("require", Self::Require),
        ("forbid", Self::Forbid),
    ];
}

impl Default for Radsec {
    fn default() -> Self {
        Self {
            certificate: "certs/radius.pem".into(),
            key: "certs/keys/radius.key".into(),
            client_ca: Vec::new(),
            revocation_lists: Vec::new(),
            demand_revocation: false,
            max_connections: 2_000,
            max_connections_per_address: 64,
            idle_timeout: Duration::from_hours(1),
            radius_1_1: Radius11::default(),
        }
    }
}

/// How many threads do what; 0 is one for each core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Workers {
    /// Loops that receive RADIUS datagrams.
    pub radius: usize,
    /// Threads for TLS handshakes of EAP and for argon2.
    pub handshake: usize,
    /// Lanes of the mail front, each with a thread, a listener and connections of its own.
    pub mail: usize,
    /// Threads for everything else: sources, control socket, metrics.
    pub runtime: usize,
}

/// The mail plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Base URLs of the servers of Exchange, `http://` or `https://`, without a path.
    pub upstream: Vec<String>,
    /// PEM file of the authority that issued the upstream's certificate; the system's when `None`.
    pub upstream_ca: Option<PathBuf>,
    /// Further upstreams by name; what stands under `default` is about [`Mail::upstream`].
    pub upstreams: BTreeMap<String, Upstream>,
    /// Whose mailboxes are at which of them.
    pub routes: Vec<MailRoute>,
    /// Whether an upstream may send a user to another one (451).
    pub learn_redirects: bool,
    /// Whether Autodiscover is served.
    pub autodiscover: bool,
    /// Applications published beside ActiveSync, by name.
    pub applications: BTreeMap<String, Application>,
    /// Name servers that are asked for upstreams; those of the system when empty.
    pub name_servers: Vec<SocketAddr>,
    /// Load balancers that say by the PROXY protocol whose connections they hand on.
    pub proxy_protocol_from: Vec<IpNet>,
    /// Host names that devices use for us; a request for another one is refused.
    pub published_names: Vec<String>,
    /// PEM chain that devices see.
    pub certificate: PathBuf,
    /// PEM private key of it.
    pub key: PathBuf,
    /// PEM files of the authorities whose client certificates are accepted; none is asked for when
    /// the list is empty.
    pub client_ca: Vec<PathBuf>,
    /// The suffix that the upstream gives to a user name without one: `example.com` makes `alice`
    /// the user `alice@example.com`.
    pub default_suffix: Option<String>,
    /// `DOMAIN=suffix` for names written `DOMAIN\user`.
    pub domains: Vec<String>,
    /// The request header in which the upstream takes the user of a verified client certificate
    /// from us; without it a password is needed with a certificate.
    pub certificate_user_header: Option<String>,
    /// The parameters of the challenge for Bearer tokens; none are taken without it.
    pub bearer_challenge: Option<String>,
    /// The claim of a token that names its user.
    pub bearer_user_claim: String,
    /// The oldest version of ActiveSync that is spoken.
    pub oldest_version: Version,
    /// Whether orders to wipe that the upstream gives are kept from devices.
    pub strip_wipe: bool,
    /// How a client that is blocked is told so.
    pub refusals: Refused,
    /// How long credentials that the upstream has accepted are believed.
    pub credential_lifetime: Duration,
    /// How long a request may wait at the upstream: a `Ping` waits for news on purpose.
    pub hold_limit: Duration,
    /// Time for the head of a request.
    pub header_timeout: Duration,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once from one address.
    pub max_connections_per_address: usize,
    /// What a device in quarantine gets.
    pub quarantine: Quarantine,
    /// What people whose mail is held back are told.
    pub message: Messages,
    /// How users whose devices are not let in any more are treated.
    pub notify: Notify,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            upstream: vec!["http://127.0.0.1:18080".into()],
            upstream_ca: None,
            upstreams: BTreeMap::new(),
            routes: Vec::new(),
            learn_redirects: false,
            autodiscover: false,
            applications: BTreeMap::new(),
            name_servers: Vec::new(),
            proxy_protocol_from: Vec::new(),
            published_names: vec!["mail.portreeve.test".into(), "localhost".into()],
            certificate: "certs/eas.pem".into(),
            key: "certs/keys/eas.key".into(),
            client_ca: vec!["certs/root.pem".into()],
            default_suffix: None,
            domains: Vec::new(),
            certificate_user_header: None,
            bearer_challenge: None,
            bearer_user_claim: "upn".into(),
            oldest_version: Version::V2_5,
            strip_wipe: false,
            refusals: Refused::default(),
            credential_lifetime: Duration::from_mins(10),
            hold_limit: Duration::from_mins(60),
            header_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_connections_per_address: 1000,
            quarantine: Quarantine::Mailbox,
            message: Messages::default(),
            notify: Notify::default(),
        }
    }
}

impl Choice for Version {
    const ALL: &'static [(&'static str, Self)] = &[
        ("2.5", Self::V2_5),
        ("12.0", Self::V12_0),
        ("12.1", Self::V12_1),
        ("14.0", Self::V14_0),
        ("14.1", Self::V14_1),
        ("16.0", Self::V16_0),
        ("16.1", Self::V16_1),
    ];
}

impl Choice for Refused {
    const ALL: &'static [(&'static str, Self)] = &[("http", Self::Http), ("wbxml", Self::Wbxml)];
}

/// The record of decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// Its folder.
    pub folder: PathBuf,
    /// Size at which the next file is begun (R60: 10 MB).
    pub file_size: Octets,
    /// Files kept; the oldest is overwritten (R60: 30).
    pub files: u16,
    /// Records that wait to be written; beyond them records are dropped and counted.
    pub queue: usize,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            folder: "var/journal".into(),
            file_size: Octets::new(10_000_000),
            files: 30,
            queue: 8192,
        }
    }
}

/// The record of accounting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounting {
    /// Its folder.
    pub folder: PathBuf,
    /// Size at which the next file is begun.
    pub file_size: Octets,
    /// Files kept by each packet loop; the oldest is overwritten.
    pub files: u16,
    /// Days that can be searched and exported, today among them; 0 keeps none but the files.
    pub days: u16,
    /// Size of all that can be searched; the oldest days go first.
    pub size: Octets,
}

impl Default for Accounting {
    fn default() -> Self {
        Self {
            folder: "var/accounting".into(),
            file_size: Octets::new(10_000_000),
            files: 100,
            days: 90,
            size: Octets::new(2_000_000_000),
        }
    }
}

/// The history of decisions, which `portreeve decisions` searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Its folder.
    pub folder: PathBuf,
    /// Days kept, today among them; 0 keeps no history.
    pub days: u16,
    /// Size of all its files; the oldest days go first.
    pub size: Octets,
}

impl Default for History {
    fn default() -> Self {
        Self {
            folder: "var/history".into(),
            days: 30,
            size: Octets::new(2_000_000_000),
        }
    }
}

/// What is said on standard error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: LogLevel,
    /// In what form.
    pub format: LogFormat,
}

/// How much is logged. Identities appear from `Debug` on, single datagrams at `Trace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What will need one.
    Warn,
    /// Starts, stops, reloads.
    #[default]
    Info,
    /// Conversations and requests.
    Debug,
    /// Datagrams.
    Trace,
}

impl Choice for LogLevel {
    const ALL: &'static [(&'static str, Self)] = &[
        ("error", Self::Error),
        ("warn", Self::Warn),
        ("info", Self::Info),
        ("debug", Self::Debug),
        ("trace", Self::Trace),
    ];
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Choice for LogFormat {
    const ALL: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

/// Stopping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long requests in flight may take after SIGTERM.
    pub grace: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(10),
        }
    }
}

impl Choice for MessageAuthenticatorPolicy {
    const ALL: &'static [(&'static str, Self)] = &[
        ("require", Self::Require),
        ("auto", Self::Auto),
        ("off", Self::Off),
    ];
}

fn both_loopbacks(port: u16) -> Vec<SocketAddr> {
    vec![
        (Ipv4Addr::LOCALHOST, port).into(),
        (Ipv6Addr::LOCALHOST, port).into(),
    ]
}
