//! `[[home]]`: a RADIUS server that gets others' requests.

use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::nas::SecretSource;
use crate::config::settings::Listen;
use crate::config::settings::Radius11;
use crate::document::Choice;
use crate::document::Section;
use crate::model::Fingerprint;
use crate::model::Secret;
use crate::network::HomeConfig;
use crate::network::TlsWay;
use crate::network::Way;
use crate::radius::RADSEC_SECRET;

/// One `[[home]]`; its secret may still be in another file.
#[derive(Clone, Debug)]
pub(in crate::config) struct HomeEntry {
    pub(in crate::config) name: String,
    way: Way,
    /// Of one over TLS.
    pub(in crate::config) tls: Option<HomeTls>,
    pub(in crate::config) secret: SecretSource,
    pub(super) signed: bool,
    status: bool,
    /// Its key, `home[0]`.
    pub(in crate::config) key: String,
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
    pub(super) fn read(section: &mut Section<'_>, place: &str) -> Self {
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

    pub(super) fn check(&self, section: &Section<'_>) {
        if self.ca.is_empty() && !section.has("ca") {
            section.missing("ca", "ca = \"certs/home-ca.pem\"");
        }
        if self.certificate.is_some() != self.key.is_some() {
            section.error("certificate", "certificate and key go together");
        }
    }

    /// The files that it names.
    pub(in crate::config) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let lists = self.ca.iter_mut().chain(&mut self.revocation_lists);
        lists.chain(&mut self.certificate).chain(&mut self.key)
    }
}

impl HomeEntry {
    /// Where it is, as far as that is an address: each with its key, and with the addresses at which we
    /// listen for the same.
    pub(in crate::config) fn addresses<'l>(
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
    pub(in crate::config) fn with_secret(&self, secret: Secret) -> HomeServer {
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
    pub(in crate::config) fn paths_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let secret = match &mut self.secret {
            SecretSource::File(path) => Some(path),
            SecretSource::Given(_) => None,
        };
        let tls = self.tls.iter_mut().flat_map(HomeTls::paths_mut);
        secret.into_iter().chain(tls)
    }

    /// The key that says where the secret is.
    pub(in crate::config) fn secret_key(&self) -> String {
        let key = match self.secret {
            SecretSource::Given(_) => "secret",
            SecretSource::File(_) => "secret_file",
        };
        format!("{}.{key}", self.key)
    }
}

pub(super) fn home(mut section: Section<'_>, key: String) -> Option<HomeEntry> {
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
