//! `proxy.toml`: other RADIUS servers, and whose requests they get.

use std::fmt;
use std::path::PathBuf;

use crate::document::Choice;
use crate::document::Section;
use crate::document::Written;
use crate::model::Problem;
use crate::network::Filters;
use crate::radius::AttributeFilter;
use crate::radius::Dictionary;

mod discovery;
mod home;

pub use discovery::Check;
pub use discovery::Discovery;
pub use home::HomeServer;
pub use home::HomeTls;

pub(super) use home::HomeEntry;

use home::home;

/// The file as read.
#[derive(Clone, Debug, Default)]
pub(super) struct Proxy {
    pub(super) homes: Vec<HomeEntry>,
    pub(super) realms: Vec<Realm>,
    pub(super) discovery: Option<Discovery>,
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

/// User-Name has no room for a longer one.
const MAX_REALM: usize = 251;
