//! How somebody is asked for.

use zeroize::Zeroizing;

use super::tlv::BASIC_PASSWORD_REQ;
use super::tlv::EAP_PAYLOAD;
use super::tlv::TeapIdentity;
use super::tlv::Words;
use crate::eap::inner::InnerEap;
use crate::eap::offer::Inner;
use crate::eap::packet;
use crate::eap::packet::Type;
use crate::eap::talk::Scene;

/// Somebody who is asked for, and by what.
pub(super) struct Asked {
    pub(super) kind: TeapIdentity,
    pub(super) by: By,
}

/// By what.
pub(super) enum By {
    /// With the identifier of the Request that is out.
    Eap(InnerEap, u8),
    /// Basic-Password-Auth.
    Password,
}

impl By {
    /// Begins to ask: by EAP, by a password without it, or by what is preferred. `None` if it may not
    /// be spoken.
    pub(super) fn begin(
        scene: &Scene<'_>,
        by_eap: Option<bool>,
    ) -> Option<(Self, Zeroizing<Vec<u8>>)> {
        let eap = scene.offer.inner_eap().next().is_some();
        let password = scene.offer.allows(Inner::Pap);
        let by_eap = by_eap.unwrap_or_else(|| eap && !scene.offer.prefers_password());
        match by_eap {
            true if eap => {
                let identifier = scene.round.next;
                let request = packet::request(identifier, Type::IDENTITY, &[]);
                let words = Words::default().tlv(EAP_PAYLOAD, &[&request]);
                Some((Self::Eap(InnerEap::default(), identifier), words.0))
            }
            false if password => {
                let words = Words::default().tlv(BASIC_PASSWORD_REQ, &[PROMPT]);
                Some((Self::Password, words.0))
            }
            true | false => None,
        }
    }

    /// Whether the peer has said nothing yet.
    pub(super) const fn is_fresh(&self) -> bool {
        match self {
            Self::Eap(eap, _) => eap.is_identifying(),
            Self::Password => true,
        }
    }
}

impl Asked {
    /// What is spoken, once that is known.
    pub(super) const fn inner(&self) -> Option<Inner> {
        match &self.by {
            By::Eap(eap, _) => eap.inner(),
            By::Password => Some(Inner::Pap),
        }
    }
}

/// What a person may be shown.
const PROMPT: &[u8] = b"Password: ";
