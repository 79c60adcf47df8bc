//! `nas.toml`: who may ask, and with which secret.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;

use crate::access::DecisionRecord;
use crate::document::Section;
use crate::document::Written;
use crate::model::Fingerprint;
use crate::model::Problem;
use crate::model::Secret;
use crate::radius::MessageAuthenticatorPolicy;
use crate::radius::NasConfig;
use crate::radius::PeerConfig;
use crate::radius::PeerName;
use crate::radius::RADSEC_SECRET;

mod overlap;

/// One `[[nas]]` as it stands in the file: its secret may still be in another file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) networks: Vec<IpNet>,
    /// `None` for one that comes over TLS only.
    pub(super) secret: Option<SecretSource>,
    /// Names of its certificate, one of which it must have.
    pub(super) certificate_names: Vec<PeerName>,
    /// Certificates of its own.
    pub(super) certificate_fingerprints: Vec<Fingerprint>,
    pub(super) group: String,
    /// Whether that is another than that of a NAS without one.
    names_group: bool,
    pub(super) message_authenticator: MessageAuthenticatorPolicy,
    pub(super) accounting: bool,
    /// The port at which it takes Disconnect-Requests.
    pub(super) dynamic_authorization: Option<u16>,
    /// The secret of those, where it is another one.
    pub(super) dynamic_secret: Option<SecretSource>,
    /// Its key, `nas[0]`.
    pub(super) key: String,
}

/// A group of NASes of `nas.toml`.
#[derive(Clone, Debug)]
pub struct NasGroup {
    /// Its name.
    pub name: String,
    /// Whether a section of `gateway.toml` is about it.
    pub is_set: bool,
    /// Where it is named first; `None` of the one that NASes are in which name none.
    place: Option<Problem>,
}

impl NasGroup {
    /// A warning where the group is named, if it is.
    #[must_use]
    pub fn warning(&self, message: String) -> Option<Problem> {
        let place = self.place.clone()?;
        Some(Problem { message, ..place })
    }
}

/// The groups of the entries, in the order of the file; `set` are those of `gateway.toml`.
pub(super) fn groups(entries: &[Entry], written: &Written, set: &[&String]) -> Vec<NasGroup> {
    let mut groups: Vec<NasGroup> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for entry in entries {
        let place = entry
            .names_group
            .then(|| written.warning(&format!("{}.group", entry.key), ""));
        let next = groups.len();
        let at = *known.entry(&entry.group).or_insert(next);
        match groups.get_mut(at) {
            Some(group) => group.place = group.place.take().or(place),
            None => groups.push(NasGroup {
                name: entry.group.clone(),
                is_set: set.contains(&&entry.group),
                place,
            }),
        }
    }
    groups
}

/// Where a secret is.
#[derive(Clone, Debug)]
pub(super) enum SecretSource {
    /// In `nas.toml` itself.
    Given(Secret),
    /// In a file of its own.
    File(PathBuf),
}

impl Entry {
    /// One entry of the RADIUS room for each network, with the secrets that were found.
    pub(super) fn with_secrets(
        &self,
        secret: &Secret,
        dynamic: Option<&Secret>,
    ) -> impl Iterator<Item = NasConfig> {
        let nas = move |network: &IpNet| {
            let mut nas = self.nas(*network, secret, self.message_authenticator);
            if let Some(requests) = &mut nas.dynamic_authorization {
                requests.secret = dynamic.cloned();
            }
            nas
        };
        self.networks.iter().map(nas)
    }

    /// The same for its TLS connections, if it may have any.
    pub(super) fn over_tls(&self) -> Option<PeerConfig> {
        if !self.is_over_tls() {
            return None;
        }
        // TLS keeps what the attribute would; one that is there and wrong is never taken.
        let (secret, signed) = (Secret::new(RADSEC_SECRET.to_vec()), OVER_TLS);
        let nowhere = IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Some(PeerConfig {
            nas: self.nas(nowhere, &secret, signed),
            names: self.certificate_names.clone(),
            fingerprints: self.certificate_fingerprints.clone(),
            networks: self.networks.clone(),
        })
    }

    /// Whether it may come over TLS.
    pub(super) const fn is_over_tls(&self) -> bool {
        !self.certificate_names.is_empty() || !self.certificate_fingerprints.is_empty()
    }

    /// The networks that datagrams may come from.
    pub(super) fn datagram_networks(&self) -> &[IpNet] {
        if self.secret.is_some() {
            &self.networks
        } else {
            &[]
        }
    }

    /// The files that its secrets are in.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = &PathBuf> {
        let sources = self.secret.iter().chain(&self.dynamic_secret);
        sources.filter_map(|source| match source {
            SecretSource::File(path) => Some(path),
            SecretSource::Given(_) => None,
        })
    }

    /// The same, to be changed.
    pub(super) fn secret_files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let sources = self.secret.iter_mut().chain(&mut self.dynamic_secret);
        sources.filter_map(|source| match source {
            SecretSource::File(path) => Some(path),
            SecretSource::Given(_) => None,
        })
    }

    fn nas(
        &self,
        network: IpNet,
        secret: &Secret,
        message_authenticator: MessageAuthenticatorPolicy,
    ) -> NasConfig {
        NasConfig {
            name: self.name.clone(),
            group: self.group.clone(),
            network,
            secret: secret.clone(),
            message_authenticator,
            accounting: self.accounting,
            dynamic_authorization: self.dynamic_authorization.map(Into::into),
        }
    }

    /// Where its secrets are, and the key that says so of each: of its own requests, and of those to
    /// it.
    pub(super) fn secrets(&self) -> [Option<(String, &SecretSource)>; 2] {
        let with_key = |source: &'_ SecretSource, prefix: &str| {
            let key = match source {
                SecretSource::Given(_) => "secret",
                SecretSource::File(_) => "secret_file",
            };
            format!("{}.{prefix}{key}", self.key)
        };
        let own = self.secret.as_ref();
        let dynamic = self.dynamic_secret.as_ref();
        [
            own.map(|source| (with_key(source, ""), source)),
            dynamic.map(|source| (with_key(source, "dynamic_authorization_"), source)),
        ]
    }
}

/// Reads every `[[nas]]`; one with a mistake is left out, its problems are reported.
pub(super) fn read(section: &mut Section<'_>) -> Vec<Entry> {
    let tables = section.children("nas");
    if tables.len() > MAX_NAS {
        section.error("nas", format!("more than {MAX_NAS} entries"));
    }
    tables
        .into_iter()
        .enumerate()
        .take(MAX_NAS)
        .filter_map(|(index, table)| read_one(table, format!("nas[{index}]")))
        .collect()
}

fn read_one(mut section: Section<'_>, key: String) -> Option<Entry> {
    let name: Option<String> = section.require("name", "name = \"switch-3\"");
    let certificate_names = parsed(&mut section, "certificate_name");
    let certificate_fingerprints = parsed(&mut section, "certificate_fingerprint");
    let over_tls = section.has("certificate_name") || section.has("certificate_fingerprint");
    // Over TLS the certificate tells who it is, wherever it comes from.
    let networks: Option<Vec<IpNet>> = if over_tls {
        section.read("network").or_else(|| Some(Vec::new()))
    } else {
        section.require("network", "network = \"10.1.0.0/16\"")
    };
    let secret: Option<String> = section.read("secret");
    let secret_file: Option<PathBuf> = section.read("secret_file");
    let mut group = DEFAULT_GROUP.to_owned();
    section.set("group", &mut group);
    let names_group = group != DEFAULT_GROUP;
    let mut message_authenticator = MessageAuthenticatorPolicy::default();
    section.set("message_authenticator", &mut message_authenticator);
    let mut accounting = true;
    section.set("accounting", &mut accounting);
    let (mut takes_disconnects, mut port) = (false, DYNAMIC_AUTHORIZATION);
    section.set("dynamic_authorization", &mut takes_disconnects);
    section.set_within("dynamic_authorization_port", 1..=u16::MAX, &mut port);
    let dynamic_secret = dynamic_secret(&mut section, takes_disconnects);
    section.finish();

    if section.has("network") && networks.as_ref().is_some_and(Vec::is_empty) {
        section.error("network", "an empty list lets nobody ask");
    }
    if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
        section.error("name", "is empty");
    }
    let lengths = [
        ("name", name.as_ref(), DecisionRecord::MAX_NAS),
        ("group", Some(&group), DecisionRecord::MAX_NAS_GROUP),
    ];
    for (key, text, most) in lengths {
        let octets = text.map_or(0, String::len);
        if octets > most {
            section.error(
                key,
                format!("{octets} octets, decision records keep {most}"),
            );
        }
    }
    let source = match (section.has("secret"), section.has("secret_file")) {
        (true, true) => {
            section.error("secret_file", "either secret or secret_file, not both");
            None
        }
        (false, false) if over_tls => None,
        (false, false) => {
            section.missing("secret_file", "secret_file = \"certs/secrets/switch-3\"");
            None
        }
        (true, false) => secret.map(|secret| SecretSource::Given(Secret::new(secret.into_bytes()))),
        (false, true) => secret_file.map(SecretSource::File),
    };
    if source.is_none() && !over_tls {
        return None;
    }
    if source.is_some() && !section.has("network") {
        section.missing("network", "network = \"10.1.0.0/16\"");
    }
    Some(Entry {
        name: name?,
        networks: networks?,
        secret: source,
        certificate_names,
        certificate_fingerprints,
        group,
        names_group,
        message_authenticator,
        accounting,
        dynamic_authorization: takes_disconnects.then_some(port),
        dynamic_secret,
        key,
    })
}

/// The secret of Disconnect- and CoA-Requests.
fn dynamic_secret(section: &mut Section<'_>, takes_disconnects: bool) -> Option<SecretSource> {
    const GIVEN: &str = "dynamic_authorization_secret";
    const FILE: &str = "dynamic_authorization_secret_file";
    let given: Option<String> = section.read(GIVEN);
    let file: Option<PathBuf> = section.read(FILE);
    let key = [FILE, GIVEN].into_iter().find(|key| section.has(key))?;
    if section.has(GIVEN) && section.has(FILE) {
        section.error(FILE, format!("either {GIVEN} or {FILE}, not both"));
        return None;
    }
    if !takes_disconnects {
        section.error(key, "means nothing without dynamic_authorization = true");
        return None;
    }
    // RFC 6614 section 2.3 names the one secret that there is over TLS.
    if !section.has("secret") && !section.has("secret_file") {
        section.error(
            key,
            "means nothing over TLS, where requests go on the connection",
        );
        return None;
    }
    let given = given.map(|secret| SecretSource::Given(Secret::new(secret.into_bytes())));
    given.or_else(|| file.map(SecretSource::File))
}

/// The texts of a list that can be parsed; the others are reported.
fn parsed<T>(section: &mut Section<'_>, key: &'static str) -> Vec<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let texts: Vec<String> = section.read(key).unwrap_or_default();
    if section.has(key) && texts.is_empty() {
        section.error(key, "an empty list lets nobody in");
    }
    let mut parsed = Vec::with_capacity(texts.len());
    for text in texts {
        match text.parse() {
            Ok(one) => parsed.push(one),
            Err(error) => section.error(key, format!("\"{}\" {error}", text.escape_debug())),
        }
    }
    parsed
}

/// What can be said about the entries together, without looking at any other file.
pub(super) fn check(entries: &[Entry], written: &Written) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut names: HashMap<&str, &str> = HashMap::new();
    for entry in entries {
        if let Some(other) = names.insert(&entry.name, &entry.key) {
            let message = format!("{} is already the name of {other}", entry.name);
            problems.push(written.error(&format!("{}.name", entry.key), message));
        }
        for network in entry
            .datagram_networks()
            .iter()
            .filter(|all| all.prefix_len() == 0)
        {
            let message = format!("{network} lets every address on earth ask");
            problems.push(written.warning(&format!("{}.network", entry.key), message));
        }
        if entry.message_authenticator == MessageAuthenticatorPolicy::Off && entry.secret.is_some()
        {
            problems.push(written.warning(
                &format!("{}.message_authenticator", entry.key),
                "whoever is between this NAS and us can forge an answer (CVE-2024-3596); \
                 choose auto, or require once the NAS is updated",
            ));
        }
    }
    problems.extend(overlap::problems(entries, written));
    problems
}

/// Over TLS nobody between the two can forge an answer, which is what the attribute is demanded for.
const OVER_TLS: MessageAuthenticatorPolicy = MessageAuthenticatorPolicy::Off;
/// RFC 5176 section 2.
const DYNAMIC_AUTHORIZATION: u16 = 3799;
/// The group of a NAS that names none.
const DEFAULT_GROUP: &str = "default";
/// Entries of one file, each with as many prefixes as it likes: more than any site lists.
const MAX_NAS: usize = 50_000;
