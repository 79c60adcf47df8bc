//! What is said inside of a tunnel, turn by turn, whichever method made it.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::chosen::Round;
use super::config::TlsVersion;
use super::identity::Identity;
use super::key::Keys;
use super::offer::Inner;
use super::offer::Offer;
use super::offer::Outer;
use super::peap::Peap;
use super::principal::Principal;
use super::proof::Admitted;
use super::proof::Completed;
use super::proof::Inners;
use super::proof::Question;
use super::proof::Refusal;
use super::proof::Verified;
use super::teap::Teap;
use super::ttls::Ttls;
use super::tunnel::Tunnel;
use crate::model::CertificateIdentity;
use crate::model::NtKey;
use crate::trust::Chain;

/// What is said inside.
pub(super) enum Talk {
    Ttls(Ttls),
    Peap(Peap),
    Teap(Box<Teap>),
}

/// What follows on the peer's turn inside.
pub(super) enum Next {
    /// Say this, if it is not empty, then it is the peer's turn.
    Say(Zeroizing<Vec<u8>>, Talk),
    Ask(Question, Talk),
    /// With the keys that the tunnel leaves, bound to the method inside if both sides bound it.
    Succeed(Completed, Box<Keys>),
    Fail(Refusal),
}

/// What a turn inside may need.
pub(super) struct Scene<'a> {
    pub(super) round: &'a Round<'a>,
    pub(super) outer: Outer,
    pub(super) offer: &'a Offer,
    pub(super) identity: &'a Identity,
    pub(super) tunnel: &'a Tunnel,
    /// The certificate that the peer showed when the tunnel was made.
    pub(super) device: Option<&'a Arc<Chain>>,
    /// What stood beside TLS in the peer's first packet of TEAP.
    pub(super) peer_tlvs: &'a [u8],
    /// Octets that a packet has for what is said inside, about.
    pub(super) room: usize,
}

impl Scene<'_> {
    pub(super) fn device(&self) -> Option<Arc<CertificateIdentity>> {
        self.device.map(|chain| Arc::clone(chain.certificate()))
    }

    /// Whether who has no method of EAP inside may still be asked for a password without: TEAP's
    /// Basic-Password-Auth, where it was not asked for before.
    pub(super) fn may_ask_password(&self) -> bool {
        self.outer == Outer::Teap && self.offer.allows(Inner::Pap) && !self.offer.prefers_password()
    }

    /// The keys of the tunnel.
    pub(super) fn keys(&self) -> Result<Box<Keys>, Refusal> {
        let keys = self.tunnel.keys(self.outer);
        let keys = keys.map_err(|error| Refusal::internal(&error.to_string()))?;
        Ok(Box::new(keys))
    }

    /// Asks whether whoever knows a password may pass; in TEAP that is asked when all have spoken.
    pub(super) fn admit(&self, verified: Verified) -> Result<(Admitted, Option<NtKey>), Refusal> {
        match self.outer {
            Outer::Teap => Ok(verified.admit_later()),
            Outer::Tls | Outer::Ttls | Outer::Peap => {
                verified.admit(&**self.round.judge, self.round.now, self.device())
            }
        }
    }
}

impl Talk {
    pub(super) fn new(outer: Outer) -> Self {
        match outer {
            Outer::Tls | Outer::Ttls => Self::Ttls(Ttls::default()),
            Outer::Peap => Self::Peap(Peap::default()),
            Outer::Teap => Self::Teap(Box::default()),
        }
    }

    pub(super) fn begin(
        self,
        scene: &Scene<'_>,
        version: Option<TlsVersion>,
        inside: &[u8],
    ) -> Next {
        match self {
            Self::Ttls(ttls) => ttls.begin(scene, inside),
            Self::Peap(peap) => peap.begin(version, inside),
            Self::Teap(teap) => teap.begin(scene, version, inside),
        }
    }

    pub(super) fn take(self, scene: &Scene<'_>, inside: &[u8]) -> Next {
        match self {
            Self::Ttls(ttls) => ttls.take(scene, inside),
            Self::Peap(peap) => peap.take(scene, inside),
            Self::Teap(teap) => teap.take(scene, inside),
        }
    }

    pub(super) fn answered(self, scene: &Scene<'_>, answered: Result<Verified, Refusal>) -> Next {
        match self {
            Self::Ttls(ttls) => ttls.answered(scene, answered),
            Self::Peap(peap) => peap.answered(scene, answered),
            Self::Teap(teap) => teap.answered(scene, answered),
        }
    }

    /// What is spoken, as far as that is known.
    pub(super) fn inners(&self) -> Inners {
        match self {
            Self::Ttls(ttls) => [ttls.inner(), None],
            Self::Peap(peap) => [peap.inner(), None],
            Self::Teap(teap) => teap.inners(),
        }
    }

    /// Who the peer has proved to be so far.
    pub(super) fn proved(&self) -> Option<Principal> {
        match self {
            Self::Ttls(ttls) => ttls.proved(),
            Self::Peap(peap) => peap.proved(),
            Self::Teap(teap) => teap.proved(),
        }
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(super) fn abandon(self) -> Refusal {
        match self {
            Self::Ttls(ttls) => ttls.abandon(),
            Self::Peap(peap) => peap.abandon(),
            Self::Teap(teap) => teap.abandon(),
        }
    }

    pub(super) fn is_light(&self) -> bool {
        match self {
            Self::Ttls(ttls) => ttls.is_light(),
            Self::Peap(peap) => peap.is_light(),
            Self::Teap(teap) => teap.is_light(),
        }
    }
}
