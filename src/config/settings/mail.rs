//! What can be set of the mail plane, and its words.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::config::care::Notify;
use crate::config::messages::Messages;
use crate::config::upstreams::Application;
use crate::config::upstreams::MailRoute;
use crate::config::upstreams::Upstream;
use crate::document::Choice;
use crate::eas::Refused;
use crate::eas::Version;
use crate::mail::Names;
use crate::mail::Quarantine;

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

impl Mail {
    /// How spellings of user names are brought together.
    #[must_use]
    pub fn names(&self) -> Names {
        let pairs = self.domains.iter();
        Names {
            domains: pairs
                .filter_map(|pair| pair.split_once('='))
                .map(|(domain, suffix)| (domain.trim().to_owned(), suffix.trim().to_owned()))
                .collect(),
            default_suffix: self.default_suffix.clone(),
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
