//! By which methods a peer may authenticate, per group of NASes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::eap::Inner;
use crate::eap::Offer;
use crate::eap::Outer;

/// A way to authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Method {
    /// EAP-TLS (RFC 5216, RFC 9190).
    EapTls,
    /// EAP-TTLS (RFC 5281).
    EapTtls,
    /// PEAP.
    Peap,
    /// TEAP (RFC 9930).
    Teap,
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
    pub const ALL: [Self; 9] = [
        Self::EapTls,
        Self::EapTtls,
        Self::Peap,
        Self::Teap,
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
            Self::EapTls => Outer::Tls.name(),
            Self::EapTtls => Outer::Ttls.name(),
            Self::Peap => Outer::Peap.name(),
            Self::Teap => Outer::Teap.name(),
            Self::Pap => "pap",
            Self::Chap => "chap",
            Self::MsChap => "mschap",
            Self::MsChapV2 => "mschapv2",
            Self::Mab => "mab",
        }
    }

    /// The method as EAP knows it; `None` of those without EAP.
    const fn outer(self) -> Option<Outer> {
        match self {
            Self::EapTls => Some(Outer::Tls),
            Self::EapTtls => Some(Outer::Ttls),
            Self::Peap => Some(Outer::Peap),
            Self::Teap => Some(Outer::Teap),
            Self::Pap | Self::Chap | Self::MsChap | Self::MsChapV2 | Self::Mab => None,
        }
    }

    /// Whether it makes a tunnel in which nothing of these can be spoken, so that it is not offered.
    #[must_use]
    pub fn is_idle(self, inside: &[Inner]) -> bool {
        let tunnel = self.outer().filter(|outer| *outer != Outer::Tls);
        tunnel.is_some_and(|outer| Offer::new(&[outer], inside).is_empty())
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Why a peer is refused where the method is switched off.
    pub(super) const fn is_off(self) -> &'static str {
        match self {
            Self::EapTls => "EAP-TLS is switched off for this NAS, see [methods] in gateway.toml",
            Self::EapTtls => "EAP-TTLS is switched off for this NAS, see [methods] in gateway.toml",
            Self::Peap => "PEAP is switched off for this NAS, see [methods] in gateway.toml",
            Self::Teap => "TEAP is switched off for this NAS, see [methods] in gateway.toml",
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

/// Some methods, and what may be spoken inside of those that make a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodSet {
    bits: u16,
    offer: Arc<Offer>,
}

impl MethodSet {
    /// These, with [`INSIDE`] inside. Peers are offered those of EAP in this order.
    #[must_use]
    pub fn of(methods: &[Method]) -> Self {
        Self::new(methods, &INSIDE)
    }

    /// These, and those inside.
    #[must_use]
    pub fn new(methods: &[Method], inside: &[Inner]) -> Self {
        let bits = methods.iter().fold(0, |bits, one| bits | one.bit());
        let outer: Vec<Outer> = methods.iter().filter_map(|one| one.outer()).collect();
        let offer = Arc::new(Offer::new(&outer, inside));
        Self { bits, offer }
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(&self, method: Method) -> bool {
        self.bits & method.bit() != 0
    }
}

/// Those that need no password in a form that can be stolen and used: EAP-TLS, a password in a
/// tunnel or without with any stored form, and MAB, which gets a limited access.
impl Default for MethodSet {
    fn default() -> Self {
        Self::of(&[
            Method::EapTls,
            Method::EapTtls,
            Method::Peap,
            Method::Teap,
            Method::Pap,
            Method::Mab,
        ])
    }
}

/// What may be spoken inside of a tunnel by default: passwords that every stored form can check, and
/// certificates.
pub const INSIDE: [Inner; 3] = [Inner::Gtc, Inner::Pap, Inner::Tls];

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
        self.of(group).contains(method)
    }

    /// What a peer of a NAS of that group is offered.
    pub(super) fn offer(&self, group: &str) -> &Arc<Offer> {
        &self.of(group).offer
    }

    fn of(&self, group: &str) -> &MethodSet {
        let of_group = (!self.groups.is_empty())
            .then(|| self.groups.get(group))
            .flatten();
        of_group.unwrap_or(&self.default)
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
    fn a_tunnel_needs_something_inside() {
        for (method, inside, idle) in [
            (Method::Peap, &[Inner::Pap][..], true),
            (Method::Teap, &[Inner::Pap], false),
            (Method::Teap, &[Inner::Chap, Inner::MsChap], true),
            (Method::EapTtls, &[Inner::Pap], false),
            (Method::EapTtls, &[], true),
            (Method::EapTls, &[], false),
            (Method::Mab, &[], false),
        ] {
            assert_eq!(method.is_idle(inside), idle, "{method:?} {inside:?}");
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
