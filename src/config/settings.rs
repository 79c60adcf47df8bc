//! What can be set, with units in the types and the defaults in code.
//!
//! Paths are relative to the base folder until [`super::Draft::complete`] has joined them to it.

mod eap;
mod mail;

pub use eap::Eap;
pub use mail::Mail;

use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::document::Choice;
use crate::document::Octets;
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
