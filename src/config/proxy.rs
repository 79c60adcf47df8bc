//! `proxy.toml`: other RADIUS servers, and whose requests they get.

use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::nas::SecretSource;
use super::settings::Listen;
use super::settings::Radius11;
use crate::document::Choice;
use crate::document::Section;
use crate::document::Written;
use crate::model::Fingerprint;
use crate::model::Problem;
use crate::model::Secret;
use crate::network::Filters;
use crate::network::HomeConfig;
use crate::network::TlsWay;
use crate::network::Way;
use crate::radius::AttributeFilter;
use crate::radius::Dictionary;
use crate::radius::RADSEC_SECRET;

mod discovery;

pub use discovery::Check;
pub use discovery::Discovery;

/// The file as read.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxy {
    pub(super) homes: Vec<HomeEntry>,
    pub(super) realms: Vec<Realm>,
    pub(super) discovery: Option<Discovery>,
}

/// One `[[home]]`; its secret may still be in another file.
#[derive(Clone, Debug)]
pub(super) struct HomeEntry {
    pub(super) name: String,
    way: Way,
    /// Of one over TLS.
    pub(super) tls: Option<HomeTls>,
    pub(super) secret: SecretSource,
    signed: bool,
    status: bool,
    /// Its key, `home[0]`.
    pub(super) key: String,
}

/// A home server of the configuration.
#[derive(Clone, Debug)]
pub struct HomeServer {
    /// Itself. Over TLS its material is still to be named.
    pub server: HomeConfig,
    /// What connections to it are made with, over TLS.
    pub tls: Option<HomeTls>,
}

/// What connections to a home server are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeTls {
    /// Names, one of which its certificate must have; its host where none is given.
    pub names: Vec<String>,
    /// PEM files of the authorities that may have issued it.
    pub ca: Vec<PathBuf>,
    /// Their revocation lists.
    pub revocation_lists: Vec<PathBuf>,
    /// Our certificate; that of `[radsec]` in `gateway.toml` if `None`.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// RADIUS/1.1.
    pub radius_1_1: Radius11,
    /// Its key in the file, `home[0]`.
    pub place: String,
}

impl HomeTls {
    fn read(section: &mut Section<'_>, place: &str) -> Self {
        let mut tls = Self {
            names: Vec::new(),
            ca: Vec::new(),
            revocation_lists: Vec::new(),
            certificate: section.read("certificate"),
            key: section.read("key"),
            radius_1_1: Radius11::default(),
            place: place.to_owned(),
        };
        section.set("ca", &mut tls.ca);
        section.set("revocation_lists", &mut tls.revocation_lists);
        section.set("radius_1_1", &mut tls.radius_1_1);
        tls
    }

    /// Whether it says all that a connection needs; what it lacks is reported when it is read.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        !self.ca.is_empty() && self.certificate.is_some() == self.key.is_some()
    }

    fn check(&self, section: &Section<'_>) {
        if self.ca.is_empty() && !section.has("ca") {
            section.missing("ca", "ca = \"certs/home-ca.pem\"");
        }
        if self.certificate.is_some() != self.key.is_some() {
            section.error("certificate", "certificate and key go together");
        }
    }

    /// The files that it names.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let lists = self.ca.iter_mut().chain(&mut self.revocation_lists);
        lists.chain(&mut self.certificate).chain(&mut self.key)
    }
}

/// One `[[realm]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// `example.org`, `*.example.org`, `*` for every other one, or nothing for names without one.
    pub name: String,
    /// Names of home servers, the preferred one first; none for a realm that is answered here.
    pub homes: Vec<String>,
    /// Whether home servers are looked up by DNS (RFC 7585).
    pub discover: bool,
    /// Whether the devices of those whom a home server lets in are judged.
    pub judge: bool,
    /// Whose authorisation the NAS gets.
    pub authorization: Authorization,
    /// What is left out on the way.
    pub filters: Filters,
    /// The names of that, as written.
    named: [Vec<String>; FILTERS.len()],
    /// Its key, `realm[0]`.
    key: String,
}

impl Realm {
    /// Whether its requests go to home servers.
    #[must_use]
    pub const fn is_forwarded(&self) -> bool {
        self.discover || !self.homes.is_empty()
    }
}

/// Whose authorisation the NAS gets when somebody may in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authorization {
    /// The home server's.
    #[default]
    Home,
    /// That of `[enforce]`.
    Ours,
}

impl Choice for Authorization {
    const ALL: &'static [(&'static str, Self)] = &[("home", Self::Home), ("ours", Self::Ours)];
}

impl HomeEntry {
    /// Where it is, as far as that is an address: each with its key, and with the addresses at which we
    /// listen for the same.
    pub(super) fn addresses<'l>(
        &self,
        listen: &'l Listen,
    ) -> Vec<(String, SocketAddr, &'l [SocketAddr])> {
        let at = |name: &str, address: Option<SocketAddr>, ours| {
            address.map(|address| (format!("{}.{name}", self.key), address, ours))
        };
        match &self.way {
            Way::Udp {
                authentication,
                accounting,
            } => {
                let authentication = at("authentication", *authentication, &*listen.authentication);
                let accounting = at("accounting", *accounting, &*listen.accounting);
                authentication.into_iter().chain(accounting).collect()
            }
            Way::Tls(way) => {
                let address = way.host.parse().ok();
                let address = address.map(|ip: IpAddr| SocketAddr::new(ip, way.port));
                at("tls", address, &*listen.radsec).into_iter().collect()
            }
        }
    }

    /// The home server, with the secret that was found.
    pub(super) fn with_secret(&self, secret: Secret) -> HomeServer {
        HomeServer {
            server: HomeConfig {
                name: self.name.clone(),
                way: self.way.clone(),
                secret,
                signed: self.signed,
                status: self.status,
            },
            tls: self.tls.clone(),
        }
    }

    /// The files that it names.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let secret = match &mut self.secret {
            SecretSource::File(path) => Some(path),
            SecretSource::Given(_) => None,
        };
        let tls = self.tls.iter_mut().flat_map(HomeTls::paths_mut);
        secret.into_iter().chain(tls)
    }

    /// The key that says where the secret is.
    pub(super) fn secret_key(&self) -> String {
        let key = match self.secret {
            SecretSource::Given(_) => "secret",
            SecretSource::File(_) => "secret_file",
        };
        format!("{}.{key}", self.key)
    }
}

impl Proxy {
    /// Reads the file; entries with a mistake are left out, their problems are reported.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let homes = numbered("home", section).into_iter();
        let realms = numbered("realm", section).into_iter();
        let is_there = section.has("discovery");
        Self {
            discovery: discovery::read(section.child("discovery"), is_there),
            homes: homes.filter_map(|(table, key)| home(table, key)).collect(),
            realms: realms
                .filter_map(|(table, key)| realm(table, key))
                .collect(),
        }
    }

    /// The files that it names.
    pub(super) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let homes = self.homes.iter_mut().flat_map(HomeEntry::paths_mut);
        let discovery = self.discovery.iter_mut();
        homes.chain(discovery.flat_map(|discovery| discovery.tls.paths_mut()))
    }

    /// Looks up the attributes that realms leave out.
    pub(super) fn look_up(
        &mut self,
        dictionary: &Dictionary,
        written: &Written,
        problems: &mut Vec<Problem>,
    ) {
        for realm in &mut self.realms {
            let filters = &mut realm.filters;
            let slots = [
                &mut filters.requests,
                &mut filters.answers,
                &mut filters.only,
            ];
            for ((slot, names), key) in slots.into_iter().zip(&realm.named).zip(FILTERS) {
                match AttributeFilter::new(dictionary, names) {
                    Ok(filter) => *slot = filter,
                    Err(error) => {
                        let key = format!("{}.{key}", realm.key);
                        problems.push(written.error(&key, error.to_string()));
                    }
                }
            }
        }
    }

    /// What can be said about the entries together.
    pub(super) fn check(&self, written: &Written) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, entry) in self.homes.iter().enumerate() {
            let mut earlier = self.homes.iter().take(index);
            if let Some(other) = earlier.find(|other| other.name == entry.name) {
                let message = format!("{} is already the name of {}", entry.name, other.key);
                problems.push(written.error(&format!("{}.name", entry.key), message));
            }
            if !entry.signed && entry.tls.is_none() {
                let message = "whoever is between this server and us can forge an Access-Accept \
                               (CVE-2024-3596): update it and choose require";
                let key = format!("{}.message_authenticator", entry.key);
                problems.push(written.warning(&key, message.to_owned()));
            }
        }
        for (index, realm) in self.realms.iter().enumerate() {
            let mut earlier = self.realms.iter().take(index);
            let same = |other: &&Realm| other.name.eq_ignore_ascii_case(&realm.name);
            if let Some(other) = earlier.find(same) {
                let message = format!("\"{}\" is already {}", realm.name, other.key);
                problems.push(written.error(&format!("{}.name", realm.key), message));
            }
            for name in &realm.homes {
                if !self.homes.iter().any(|home| home.name == *name) {
                    let message = format!("no [[home]] is called {name}");
                    problems.push(written.error(&format!("{}.homes", realm.key), message));
                }
            }
            if realm.discover && self.discovery.is_none() {
                let message = "[discovery] says how, and is missing".to_owned();
                problems.push(written.error(&format!("{}.discover", realm.key), message));
            }
            if realm.discover && realm.name.is_empty() {
                let message = "a name without a realm has nothing to look up".to_owned();
                problems.push(written.error(&format!("{}.discover", realm.key), message));
            }
            if !realm.judge && realm.is_forwarded() {
                let message = "whoever the home server lets in is in, whatever the state of the \
                               device";
                let key = format!("{}.judge", realm.key);
                problems.push(written.warning(&key, message.to_owned()));
            }
        }
        problems
    }
}

fn home(mut section: Section<'_>, key: String) -> Option<HomeEntry> {
    let name: Option<String> = section.require("name", "name = \"radius-1\"");
    let authentication: Option<SocketAddr> = section.read("authentication");
    let accounting: Option<SocketAddr> = section.read("accounting");
    let secret: Option<String> = section.read("secret");
    let secret_file: Option<PathBuf> = section.read("secret_file");
    let mut signed = Signed::default();
    section.set("message_authenticator", &mut signed);
    let mut status = true;
    section.set("status_server", &mut status);
    let is_tls = section.has("tls");
    let (way, tls) = tls(&mut section, &key).unzip();
    section.finish();
    let is_udp = section.has("authentication") || section.has("accounting");
    if is_tls && is_udp {
        let message = "over TLS one port takes everything: leave authentication and accounting out";
        section.error("tls", message);
        return None;
    }
    if !is_tls && !is_udp {
        section.missing("authentication", "authentication = \"192.0.2.10:1812\"");
    }
    let source = match (secret, secret_file) {
        (Some(_), Some(_)) => {
            section.error("secret_file", "either secret or secret_file, not both");
            None
        }
        // RFC 6614 section 2.3.
        (None, None) if is_tls => Some(SecretSource::Given(Secret::new(RADSEC_SECRET.to_vec()))),
        (None, None) => {
            if !section.has("secret") && !section.has("secret_file") {
                section.missing("secret_file", "secret_file = \"certs/secrets/radius-1\"");
            }
            None
        }
        (Some(secret), None) => Some(SecretSource::Given(Secret::new(secret.into_bytes()))),
        (None, Some(path)) => Some(SecretSource::File(path)),
    };
    if is_tls && way.is_none() {
        return None;
    }
    Some(HomeEntry {
        name: name?,
        way: way.unwrap_or(Way::Udp {
            authentication,
            accounting,
        }),
        tls,
        secret: source?,
        signed: signed == Signed::Require,
        status,
        key,
    })
}

/// How a home server is reached over TLS, and what with; `None` if it is not, or cannot be.
fn tls(section: &mut Section<'_>, place: &str) -> Option<(Way, HomeTls)> {
    let to: Option<String> = section.read("tls");
    let mut tls = HomeTls::read(section, place);
    section.set("certificate_name", &mut tls.names);
    let mut connections = 1;
    section.set_within("connections", 1..=16, &mut connections);
    let Some(to) = to else {
        for key in ONLY_OF_TLS.into_iter().filter(|key| section.has(key)) {
            section.error(key, "is for a home server over TLS: add tls = \"host\"");
        }
        return None;
    };
    let Some((host, port)) = host_and_port(&to) else {
        let found = to.escape_debug();
        section.error(
            "tls",
            format!("expected a name or an address such as \"radius.example.org\" or \"[2001:db8::1]:2083\", found \"{found}\""),
        );
        return None;
    };
    tls.check(section);
    if tls.names.is_empty() {
        tls.names.push(host.clone());
    }
    for name in &tls.names {
        if !is_host(name) {
            let name = name.escape_debug();
            section.error(
                "certificate_name",
                format!("expected a DNS name or an address, found \"{name}\""),
            );
            return None;
        }
    }
    let way = Way::Tls(TlsWay {
        host: host.into(),
        port,
        addresses: Box::default(),
        realm: None,
        connections,
        material: Fingerprint::of(&[]),
    });
    Some((way, tls))
}

/// `host`, `host:port`, `[address]:port`; the port of RADIUS over TLS where none is said.
fn host_and_port(text: &str) -> Option<(String, u16)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some((address.ip().to_string(), address.port()));
    }
    if is_host(text) {
        return Some((text.to_owned(), RADSEC_PORT));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok().filter(|port| *port > 0)?;
    is_host(host).then(|| (host.to_owned(), port))
}

fn is_host(name: &str) -> bool {
    crate::net::home::server_name(name).is_some()
}

fn realm(mut section: Section<'_>, key: String) -> Option<Realm> {
    let name: Option<String> = section.require("name", "name = \"example.org\"");
    let mut realm = Realm {
        name: String::new(),
        homes: Vec::new(),
        discover: false,
        judge: true,
        authorization: Authorization::default(),
        filters: Filters::default(),
        named: Default::default(),
        key,
    };
    for (key, names) in FILTERS.into_iter().zip(&mut realm.named) {
        section.set(key, names);
    }
    section.set("homes", &mut realm.homes);
    section.set("discover", &mut realm.discover);
    section.set("judge", &mut realm.judge);
    section.set("authorization", &mut realm.authorization);
    section.finish();
    realm.name = name?;
    let domain = realm.name.strip_prefix("*.").unwrap_or(&realm.name);
    if domain.contains(['@', '*', ' ']) && realm.name != "*" || domain.len() > MAX_REALM {
        let found = realm.name.escape_debug();
        section.error(
            "name",
            format!("expected a realm such as \"example.org\", \"*.example.org\", \"*\" or \"\", found \"{found}\""),
        );
        return None;
    }
    Some(realm)
}

/// The tables of an array, each with its key.
fn numbered<'d>(kind: &'static str, section: &mut Section<'d>) -> Vec<(Section<'d>, String)> {
    let tables = section.children(kind);
    if tables.len() > MAX_ENTRIES {
        section.error(kind, format!("more than {MAX_ENTRIES} entries"));
    }
    (0..MAX_ENTRIES)
        .zip(tables)
        .map(|(index, table)| (table, format!("{kind}[{index}]")))
        .collect()
}

/// Whether answers must be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Signed {
    #[default]
    Require,
    Off,
}

impl Choice for Signed {
    const ALL: &'static [(&'static str, Self)] = &[("require", Self::Require), ("off", Self::Off)];
}

impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Entries of a kind: far more than anybody lists by hand.
const MAX_ENTRIES: usize = 1000;

/// What a realm leaves out: of requests, of answers, and of answers all but these.
const FILTERS: [&str; 3] = [
    "remove_from_requests",
    "remove_from_answers",
    "only_in_answers",
];

/// What only a home server over TLS has.
const ONLY_OF_TLS: [&str; 7] = [
    "certificate_name",
    "ca",
    "revocation_lists",
    "certificate",
    "key",
    "radius_1_1",
    "connections",
];

/// RFC 6614 section 2.1.
const RADSEC_PORT: u16 = 2083;

/// User-Name has no room for a longer one.
const MAX_REALM: usize = 251;
