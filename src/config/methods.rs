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

    /// What deserves a look, each once; what is inside of a tunnel only where there is one.
    fn weaknesses(&self) -> Vec<(&'static str, &'static str)> {
        let has = |method: Method| self.methods.contains(&method);
        let peap = has(Method::Peap);
        let has_tunnel = peap || has(Method::EapTtls) || has(Method::Teap);
        let outside = self.methods.iter().filter_map(|one| weakness(*one));
        let inside = self.inside.iter().filter(|_| has_tunnel);
        let inside = inside.filter_map(|one| weakness_inside(*one, peap));
        let idle = self.methods.iter().any(|one| one.is_idle(&self.inside));
        let idle = idle.then_some(("inside", IDLE));
        let mut found = Vec::new();
        for one in outside
            .map(|why| ("allow", why))
            .chain(inside.map(|why| ("inside", why)))
            .chain(idle)
        {
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
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
        let general = self.default.weaknesses();
        let mut found: Vec<_> = general
            .iter()
            .map(|(key, why)| (format!("methods.{key}"), *why))
            .collect();
        for (name, allowed) in &self.groups {
            let inherits = allowed.inside == self.default.inside;
            for (key, why) in allowed.weaknesses() {
                let inherited = match key {
                    "inside" => inherits,
                    _ => allowed.methods == self.default.methods,
                };
                // Said of the list that the group has from there.
                if inherited && general.contains(&(key, why)) {
                    continue;
                }
                // A list that the group has not written has no line; what it allows is why it counts.
                let key = if key == "inside" && inherits {
                    "allow"
                } else {
                    key
                };
                found.push((format!("methods.group.{name}.{key}"), why));
            }
        }
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

/// The same of what is spoken inside of a tunnel, which may be PEAP's.
const fn weakness_inside(inner: Inner, peap: bool) -> Option<&'static str> {
    match inner {
        Inner::Chap => Some(
            "chap inside of a tunnel needs every password in clear in users.toml: prefer pap there, \
             which every stored form can check",
        ),
        Inner::MsChap | Inner::MsChapV2 if peap => Some(
            "mschap and mschapv2 inside of a tunnel need every password's NT hash in users.toml, with \
             which anybody can log in, and a device that does not check the gateway's certificate \
             gives such a hash away to whoever sets up an access point: prefer eap-tls. In PEAP, \
             set require_binding where all devices can",
        ),
        Inner::MsChap | Inner::MsChapV2 => Some(
            "mschap and mschapv2 inside of a tunnel need every password's NT hash in users.toml, with \
             which anybody can log in, and a device that does not check the gateway's certificate \
             gives such a hash away to whoever sets up an access point: prefer eap-tls",
        ),
        Inner::Pap | Inner::Gtc | Inner::Tls => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weak(text: &str) -> Vec<String> {
        let read_methods = |section: &mut Section<'_>| read(section.child("methods"));
        let (methods, _, problems) = crate::document::read("gateway.toml", text, read_methods);
        assert_eq!(problems, [], "{text}");
        methods
            .weaknesses()
            .into_iter()
            .map(|(key, _)| key)
            .collect()
    }

    #[test]
    fn one_list_is_warned_of_once_however_many_groups_have_it() {
        let groups = r#"
            [methods.group.wifi]
            allow = ["peap", "eap-ttls"]
            [methods.group.wired]
            allow = ["eap-tls"]
            [methods.group.vpn]
            allow = ["pap"]
        "#;
        let text = format!(
            "[methods]\nallow = [\"peap\", \"eap-tls\"]\n\
             inside = [\"mschapv2\", \"gtc\", \"mschap\"]\n{groups}"
        );
        assert_eq!(weak(&text), ["methods.inside"]);
    }

    #[test]
    fn what_is_inside_of_tunnels_counts_where_there_is_one_and_at_a_line_that_is_written() {
        let text = r#"
            [methods]
            allow = ["eap-tls"]
            inside = ["mschapv2"]
            [methods.group.old]
            allow = ["eap-ttls"]
            [methods.group.older]
            allow = ["peap"]
            inside = ["chap"]
        "#;
        let found = weak(text);
        assert_eq!(found[0], "methods.group.old.allow");
        let older: Vec<_> = found.iter().filter(|key| key.contains("older")).collect();
        assert!(!older.is_empty() && older.iter().all(|key| *key == "methods.group.older.inside"));
        let ttls = Allowed {
            methods: vec![Method::EapTtls],
            inside: vec![Inner::MsChapV2],
        };
        assert!(!ttls.weaknesses()[0].1.contains("In PEAP"));
    }
}
