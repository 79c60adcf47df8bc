//! `nas.toml`: who may ask, and with which secret.

use std::collections::HashMap;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::access::DecisionRecord;
use crate::document::Section;
use crate::document::Written;
use crate::model::Problem;
use crate::model::Secret;
use crate::radius::MessageAuthenticatorPolicy;
use crate::radius::NasConfig;

mod overlap;

/// One `[[nas]]` as it stands in the file: its secret may still be in another file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) networks: Vec<IpNet>,
    pub(super) secret: SecretSource,
    pub(super) group: String,
    pub(super) message_authenticator: MessageAuthenticatorPolicy,
    pub(super) accounting: bool,
    pub(super) dynamic_authorization: Option<u16>,
    /// Its key, `nas[0]`.
    pub(super) key: String,
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
    /// One entry of the RADIUS room for each network, with the secret that was found.
    pub(super) fn with_secret(&self, secret: &Secret) -> impl Iterator<Item = NasConfig> {
        self.networks.iter().map(|network| NasConfig {
            name: self.name.clone(),
            group: self.group.clone(),
            network: *network,
            secret: secret.clone(),
            message_authenticator: self.message_authenticator,
            accounting: self.accounting,
            dynamic_authorization: self.dynamic_authorization,
        })
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
    let networks: Option<Vec<IpNet>> = section.require("network", "network = \"10.1.0.0/16\"");
    let secret: Option<String> = section.read("secret");
    let secret_file: Option<PathBuf> = section.read("secret_file");
    let mut group = DEFAULT_GROUP.to_owned();
    section.set("group", &mut group);
    let mut message_authenticator = MessageAuthenticatorPolicy::default();
    section.set("message_authenticator", &mut message_authenticator);
    let mut accounting = true;
    section.set("accounting", &mut accounting);
    let (mut takes_disconnects, mut port) = (false, DYNAMIC_AUTHORIZATION);
    section.set("dynamic_authorization", &mut takes_disconnects);
    section.set_within("dynamic_authorization_port", 1..=u16::MAX, &mut port);
    section.finish();

    if networks.as_ref().is_some_and(Vec::is_empty) {
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
        (false, false) => {
            section.missing("secret_file", "secret_file = \"certs/secrets/switch-3\"");
            None
        }
        (true, false) => secret.map(|secret| SecretSource::Given(Secret::new(secret.into_bytes()))),
        (false, true) => secret_file.map(SecretSource::File),
    };
    Some(Entry {
        name: name?,
        networks: networks?,
        secret: source?,
        group,
        message_authenticator,
        accounting,
        dynamic_authorization: takes_disconnects.then_some(port),
        key,
    })
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
        for network in entry.networks.iter().filter(|all| all.prefix_len() == 0) {
            let message = format!("{network} lets every address on earth ask");
            problems.push(written.warning(&format!("{}.network", entry.key), message));
        }
        if entry.message_authenticator == MessageAuthenticatorPolicy::Off {
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

/// RFC 5176 section 2.
const DYNAMIC_AUTHORIZATION: u16 = 3799;
/// The group of a NAS that names none.
const DEFAULT_GROUP: &str = "default";
/// Entries of one file, each with as many prefixes as it likes: more than any site lists.
const MAX_NAS: usize = 50_000;
