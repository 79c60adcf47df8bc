//! By which methods a peer may authenticate, per group of NASes.

use std::collections::HashMap;

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Method {
    /// EAP-TLS (RFC 5216, RFC 9190).
    EapTls,
    /// A password in User-Password (RFC 2865 section 5.2).
    Pap,
    /// CHAP (RFC 2865 section 5.3).
    Chap,
    /// MSCHAP (RFC 2548 section 2.1).
    MsChap,
    /// MSCHAPv2 (RFC 2548 section 2.3).
    MsChapV2,
    /// A MAC address in the place of a user: authenticates nobody.
    Mab,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EapTls,
        Self::Pap,
        Self::Chap,
        Self::MsChap,
        Self::MsChapV2,
        Self::Mab,
    ];

    /// As in records and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EapTls => "eap-tls",
            Self::Pap => "pap",
            Self::Chap => "chap",
            Self::MsChap => "mschap",
            Self::MsChapV2 => "mschapv2",
            Self::Mab => "mab",
        }
    }

    /// Why a peer is refused where the method is switched off.
    pub(super) const fn is_off(self) -> &'static str {
        match self {
            Self::EapTls => "server: EAP-TLS is switched off for this NAS, see [methods]",
            Self::Pap => "PAP is switched off for this NAS, see [methods] in gateway.toml",
            Self::Chap => "CHAP is switched off for this NAS, see [methods] in gateway.toml",
            Self::MsChap => "MSCHAP is switched off for this NAS, see [methods] in gateway.toml",
            Self::MsChapV2 => {
                "MSCHAPv2 is switched off for this NAS, see [methods] in gateway.toml"
            }
            Self::Mab => "MAB is switched off for this NAS, see [methods] in gateway.toml",
        }
    }
}

/// Some methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodSet(u8);

impl MethodSet {
    /// These.
    #[must_use]
    pub const fn of(methods: &[Method]) -> Self {
        let (mut bits, mut rest) = (0, methods);
        while let [first, others @ ..] = rest {
            bits |= 1 << *first as u8;
            rest = others;
        }
        Self(bits)
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(self, method: Method) -> bool {
        self.0 & 1 << method as u8 != 0
    }
}

/// Those that need no password in a form that can be stolen and used: EAP-TLS, PAP with any stored
/// form, and MAB, which gets a limited access.
impl Default for MethodSet {
    fn default() -> Self {
        Self::of(&[Method::EapTls, Method::Pap, Method::Mab])
    }
}

/// The methods of every NAS.
#[derive(Clone, Debug, Default)]
pub struct Methods {
    /// For groups that are not named.
    pub default: MethodSet,
    /// For the groups that are.
    pub groups: HashMap<String, MethodSet>,
}

impl Methods {
    /// Whether a NAS of that group may use it.
    pub(super) fn allow(&self, group: &str, method: Method) -> bool {
        let of_group = (!self.groups.is_empty())
            .then(|| self.groups.get(group))
            .flatten();
        of_group.unwrap_or(&self.default).contains(method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_what_they_were_made_of() {
        for one in Method::ALL {
            let set = MethodSet::of(&[one]);
            for other in Method::ALL {
                assert_eq!(set.contains(other), one == other, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_group_that_is_named_has_its_own() {
        let methods = Methods {
            default: MethodSet::of(&[Method::Mab]),
            groups: HashMap::from([("vpn".to_owned(), MethodSet::of(&[Method::Chap]))]),
        };
        for (group, method, allowed) in [
            ("office", Method::Mab, true),
            ("office", Method::Chap, false),
            ("vpn", Method::Mab, false),
            ("vpn", Method::Chap, true),
        ] {
            assert_eq!(methods.allow(group, method), allowed, "{group} {method:?}");
        }
    }
}
