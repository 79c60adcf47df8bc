//! By which methods a peer may authenticate, per group of NASes.

use std::collections::BTreeMap;

use crate::document::Choice;
use crate::document::Section;
use crate::eap::Inner;
use crate::network::INSIDE;
use crate::network::Method;

/// The methods of every NAS group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods {
    /// For groups that are not named.
    pub default: Allowed,
    /// For the groups that are.
    pub groups: BTreeMap<String, Allowed>,
}

/// What is switched on, each list in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// By which methods a peer may authenticate.
    pub methods: Vec<Method>,
    /// What it may speak inside of one that makes a tunnel.
    pub inside: Vec<Inner>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            methods: vec![
                Method::EapTls,
                Method::EapTtls,
                Method::Peap,
                Method::Teap,
                Method::Pap,
                Method::Mab,
            ],
            inside: INSIDE.to_vec(),
        }
    }
}

impl Allowed {
    fn read(&mut self, section: &mut Section<'_>) {
        section.set("allow", &mut self.methods);
        section.set("inside", &mut self.inside);
    }

    fn weaknesses(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let outside = self.methods.iter().filter_map(|one| weakness(*one));
        let inside = self.inside.iter().filter_map(|one| weakness_inside(*one));
        let outside = outside.map(|why| ("allow", why));
        let idle = self.methods.iter().any(|one| one.is_idle(&self.inside));
        let idle = idle.then_some(("inside", IDLE));
        outside.chain(inside.map(|why| ("inside", why))).chain(idle)
    }
}

impl Choice for Inner {
    const ALL: &'static [(&'static str, Self)] = &[
        ("pap", Self::Pap),
        ("chap", Self::Chap),
        ("mschap", Self::MsChap),
        ("mschapv2", Self::MsChapV2),
        ("gtc", Self::Gtc),
        ("eap-tls", Self::Tls),
    ];
}

impl Choice for Method {
    const ALL: &'static [(&'static str, Self)] = &[
        ("eap-tls", Self::EapTls),
        ("eap-ttls", Self::EapTtls),
        ("peap", Self::Peap),
        ("teap", Self::Teap),
        ("pap", Self::Pap),
        ("chap", Self::Chap),
        ("mschap", Self::MsChap),
        ("mschapv2", Self::MsChapV2),
        ("mab", Self::Mab),
    ];
}

impl Methods {
    /// What deserves a look, with the key that it stands at.
    pub(super) fn weaknesses(&self) -> Vec<(String, &'static str)> {
        let groups = self.groups.iter();
        let groups = groups.map(|(name, allowed)| (format!("methods.group.{name}"), allowed));
        let all = std::iter::once(("methods".to_owned(), &self.default)).chain(groups);
        let mut found: Vec<_> = all
            .flat_map(|(place, allowed)| {
                let weak = allowed.weaknesses();
                weak.map(move |(key, why)| (format!("{place}.{key}"), why))
            })
            .collect();
        found.dedup();
        found
    }
}

/// What is said of a tunnel without anything inside.
const IDLE: &str = "nothing here can be spoken in a tunnel that is allowed, so that it is not offered: peap carries \
                    gtc, mschapv2 and eap-tls, teap those and pap, eap-ttls all";

/// Reads `[methods]`.
pub(super) fn read(mut section: Section<'_>) -> Methods {
    let mut methods = Methods::default();
    methods.default.read(&mut section);
    let group = section.child("group");
    for entry in group.entries() {
        let mut table = group.table_of(&entry);
        let mut allowed = methods.default.clone();
        allowed.read(&mut table);
        table.finish();
        methods.groups.insert(entry.name, allowed);
    }
    section.finish();
    methods
}

/// Why a method that is switched on deserves a look; `None` if it does not.
pub(super) const fn weakness(method: Method) -> Option<&'static str> {
    match method {
        Method::Chap => Some(
            "chap needs every password in clear in users.toml, and whoever records the exchange can \
             guess at it: prefer eap-tls, or pap inside a tunnel that you trust",
        ),
        Method::MsChap | Method::MsChapV2 => Some(
            "mschap and mschapv2 rest on DES: whoever records one exchange has the password's hash \
             within a day, and can log in with it. Use them only where a tunnel protects them, and \
             prefer eap-tls",
        ),
        Method::EapTls
        | Method::EapTtls
        | Method::Peap
        | Method::Teap
        | Method::Pap
        | Method::Mab => None,
    }
}

/// The same of what is spoken inside of a tunnel.
const fn weakness_inside(inner: Inner) -> Option<&'static str> {
    match inner {
        Inner::Chap => Some(
            "chap inside of a tunnel needs every password in clear in users.toml: prefer pap there, \
             which every stored form can check",
        ),
        Inner::MsChap | Inner::MsChapV2 => Some(
            "mschap and mschapv2 inside of a tunnel need every password's NT hash in users.toml, with \
             which anybody can log in, and a device that does not check the gateway's certificate \
             gives such a hash away to whoever sets up an access point: prefer eap-tls. In PEAP, \
             set require_binding where all devices can",
        ),
        Inner::Pap | Inner::Gtc | Inner::Tls => None,
    }
}
