//! By which methods a peer may authenticate, per group of NASes.

use std::collections::BTreeMap;

use crate::document::Choice;
use crate::document::Section;
use crate::network::Method;

/// The methods of every NAS group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Methods {
    /// For groups that are not named.
    pub default: Vec<Method>,
    /// For the groups that are.
    pub groups: BTreeMap<String, Vec<Method>>,
}

impl Default for Methods {
    fn default() -> Self {
        Self {
            default: vec![Method::EapTls, Method::Pap, Method::Mab],
            groups: BTreeMap::new(),
        }
    }
}

impl Choice for Method {
    const ALL: &'static [(&'static str, Self)] = &[
        ("eap-tls", Self::EapTls),
        ("pap", Self::Pap),
        ("chap", Self::Chap),
        ("mschap", Self::MsChap),
        ("mschapv2", Self::MsChapV2),
        ("mab", Self::Mab),
    ];
}

impl Methods {
    /// The lists of the file with the keys that they stand at.
    pub(super) fn lists(&self) -> impl Iterator<Item = (String, &[Method])> {
        let groups = self.groups.iter();
        let groups = groups.map(|(name, list)| (format!("methods.group.{name}"), &**list));
        std::iter::once(("methods.allow".to_owned(), &*self.default)).chain(groups)
    }
}

/// Reads `[methods]`.
pub(super) fn read(mut section: Section<'_>) -> Methods {
    let mut methods = Methods::default();
    section.set("allow", &mut methods.default);
    let group = section.child("group");
    for entry in group.entries() {
        let mut table = group.table_of(&entry);
        let mut allowed = methods.default.clone();
        table.set("allow", &mut allowed);
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
        Method::EapTls | Method::Pap | Method::Mab => None,
    }
}
