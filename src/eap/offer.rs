//! Which methods are offered to a peer, and which it may use inside of a tunnel.

use super::method::Wanted;
use super::packet::Type;
use crate::model::ProofKind;

/// A method of the conversation itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Outer {
    /// EAP-TLS (RFC 5216, RFC 9190).
    Tls,
    /// EAP-TTLS version 0 (RFC 5281).
    Ttls,
    /// PEAP version 0 ([MS-PEAP]).
    Peap,
    /// TEAP version 1 (RFC 9930).
    Teap,
}

impl Outer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tls, Self::Ttls, Self::Peap, Self::Teap];

    /// Its number.
    #[must_use]
    pub const fn kind(self) -> Type {
        match self {
            Self::Tls => Type::TLS,
            Self::Ttls => Type::TTLS,
            Self::Peap => Type::PEAP,
            Self::Teap => Type::TEAP,
        }
    }

    /// As in records and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "eap-tls",
            Self::Ttls => "eap-ttls",
            Self::Peap => "peap",
            Self::Teap => "teap",
        }
    }

    /// The version of it that is spoken, as its packets say it.
    pub(crate) const fn version(self) -> u8 {
        match self {
            Self::Tls | Self::Ttls | Self::Peap => 0,
            Self::Teap => 1,
        }
    }

    /// Whether a peer can say by this one inside of it who it is.
    const fn carries(self, inner: Inner) -> bool {
        match (self, inner) {
            (Self::Tls, _) => false,
            (Self::Ttls, _)
            | (Self::Peap | Self::Teap, Inner::MsChapV2 | Inner::Gtc | Inner::Tls)
            | (Self::Teap, Inner::Pap) => true,
            (Self::Peap, Inner::Pap | Inner::Chap | Inner::MsChap)
            | (Self::Teap, Inner::Chap | Inner::MsChap) => false,
        }
    }
}

/// How a peer says inside of a tunnel who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Inner {
    /// A password; in EAP-TTLS, and in TEAP as Basic-Password-Auth.
    Pap,
    /// CHAP; EAP-TTLS only.
    Chap,
    /// MSCHAP; EAP-TTLS only.
    MsChap,
    /// MSCHAPv2, in EAP-TTLS with EAP or without.
    MsChapV2,
    /// A password by EAP-GTC (RFC 3748 section 5.6).
    Gtc,
    /// A certificate by EAP-TLS.
    Tls,
}

impl Inner {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Pap,
        Self::Chap,
        Self::MsChap,
        Self::MsChapV2,
        Self::Gtc,
        Self::Tls,
    ];

    /// As in records and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pap => "pap",
            Self::Chap => "chap",
            Self::MsChap => "mschap",
            Self::MsChapV2 => "mschapv2",
            Self::Gtc => "gtc",
            Self::Tls => "eap-tls",
        }
    }

    /// What a directory is shown by it; `None` of a certificate.
    pub(super) const fn proof(self) -> Option<ProofKind> {
        match self {
            Self::Pap | Self::Gtc => Some(ProofKind::Password),
            Self::Chap => Some(ProofKind::Chap),
            Self::MsChap | Self::MsChapV2 => Some(ProofKind::MsChap),
            Self::Tls => None,
        }
    }

    /// Its number, of those that are EAP methods.
    pub(super) const fn kind(self) -> Option<Type> {
        match self {
            Self::Pap | Self::Chap | Self::MsChap => None,
            Self::MsChapV2 => Some(Type::MSCHAPV2),
            Self::Gtc => Some(Type::GTC),
            Self::Tls => Some(Type::TLS),
        }
    }
}

/// The methods of one kind of NAS, each list in the order of preference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    outer: Box<[Outer]>,
    inner: Box<[Inner]>,
}

impl Offer {
    /// Of what is listed. A tunnel in which nothing may be spoken is left out.
    #[must_use]
    pub fn new(outer: &[Outer], inner: &[Inner]) -> Self {
        let usable = |outer: &&Outer| {
            **outer == Outer::Tls || inner.iter().any(|inner| outer.carries(*inner))
        };
        Self {
            outer: outer.iter().filter(usable).copied().collect(),
            inner: inner.into(),
        }
    }

    /// EAP-TLS and nothing else.
    #[must_use]
    pub fn eap_tls() -> Self {
        Self::new(&[Outer::Tls], &[])
    }

    /// Whether nothing is offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outer.is_empty()
    }

    /// What is offered first.
    pub(super) fn first(&self) -> Option<Outer> {
        self.outer.first().copied()
    }

    /// The first that a peer wants as well, of those that have not been offered to it.
    pub(super) fn next(&self, wanted: &Wanted, tried: Tried) -> Option<Outer> {
        let mut others = self.outer.iter().copied();
        others.find(|outer| !tried.has(*outer) && wanted.types().contains(&outer.kind()))
    }

    /// Whether it may be spoken inside of a tunnel.
    pub(super) fn allows(&self, inner: Inner) -> bool {
        self.inner.contains(&inner)
    }

    /// Whether a password without EAP is preferred to EAP inside of TEAP.
    pub(super) fn prefers_password(&self) -> bool {
        let mut spoken = self
            .inner
            .iter()
            .filter(|inner| Outer::Teap.carries(**inner));
        spoken.next() == Some(&Inner::Pap)
    }

    /// The EAP methods that may be spoken inside of a tunnel.
    pub(super) fn inner_eap(&self) -> impl Iterator<Item = (Inner, Type)> {
        let each = self.inner.iter();
        each.filter_map(|inner| Some((*inner, inner.kind()?)))
    }
}

/// Methods that a peer has been offered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried(u8);

impl Tried {
    /// One more.
    pub(super) const fn with(self, outer: Outer) -> Self {
        Self(self.0 | 1 << outer as u8)
    }

    const fn has(self, outer: Outer) -> bool {
        self.0 & 1 << outer as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eap::Packet;
    use crate::eap::response;

    #[test]
    fn a_tunnel_in_which_nothing_may_be_spoken_is_not_offered() {
        for (inner, expected) in [
            (&[][..], &[Outer::Tls][..]),
            (&[Inner::Pap], &[Outer::Tls, Outer::Ttls]),
            (&[Inner::Gtc], &[Outer::Peap, Outer::Tls, Outer::Ttls]),
        ] {
            let offer = Offer::new(&[Outer::Peap, Outer::Tls, Outer::Ttls], inner);
            assert_eq!(&*offer.outer, expected, "row {inner:?}");
        }
    }

    #[test]
    fn a_nak_is_answered_in_the_order_of_the_offer_rfc3748_5_3_1() {
        let offer = Offer::new(&[Outer::Tls, Outer::Peap, Outer::Ttls], &[Inner::Gtc]);
        let tried = Tried::default().with(Outer::Tls);
        for (nak, expected) in [
            (&[21, 25][..], Some(Outer::Peap)),
            (&[21], Some(Outer::Ttls)),
            (&[13], None),
            (&[0], None),
            (&[55, 4], None),
        ] {
            let octets = response(1, Type::NAK, nak);
            let wanted = Wanted::from_nak(&Packet::new_checked(&octets).unwrap()).unwrap();
            assert_eq!(offer.next(&wanted, tried), expected, "row {nak:?}");
        }
    }
}
