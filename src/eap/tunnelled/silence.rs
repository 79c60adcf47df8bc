//! Where a peer falls silent that is to say inside of a tunnel who it is.

use super::State;
use super::Tunnelled;
use crate::eap::error::Silence;
use crate::eap::proof::Refusal;
use crate::eap::tls::handshake_silence;

impl Tunnelled {
    /// Where the peer has fallen silent, or why it was refused.
    pub(in crate::eap) fn abandon(self) -> Refusal {
        match self.state {
            State::Refusing(refusal) => *refusal,
            State::Handshaking => {
                let silence = handshake_silence(&self.carrier, self.link.is_some());
                Refusal::of(silence)
            }
            State::Talking(talk) => talk.abandon(),
            State::Confirming(_) => Refusal::of(Silence::LastWord),
            State::Working(..) | State::Asking(..) | State::Over => Refusal::of(Silence::Overload),
        }
    }
}
