//! How a tunnel ends in which a peer was to say who it is: with silence, or about whom.

use super::State;
use super::Tunnelled;
use crate::eap::chosen::Turn;
use crate::eap::error::Silence;
use crate::eap::proof::Refusal;
use crate::eap::tls::handshake_silence;

impl Tunnelled {
    /// Names in a failure who the peer had proved to be by then.
    pub(in crate::eap) fn naming(&self, turn: Turn) -> Turn {
        match turn {
            Turn::Failure(refusal) => Turn::fail(refusal.or_about(self.proved.as_ref())),
            turn @ (Turn::Request(_)
            | Turn::Work
            | Turn::Ask
            | Turn::Wait
            | Turn::Invalid(_)
            | Turn::Success(_)) => turn,
        }
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(in crate::eap) fn abandon(self) -> Refusal {
        let (state, mut proved) = (self.state, self.proved);
        if let State::Talking(talk) = &state {
            proved = talk.proved().or(proved);
        }
        let refusal = match state {
            State::Refusing(refusal) => *refusal,
            State::Handshaking => {
                let silence = handshake_silence(&self.carrier, self.link.is_some());
                Refusal::of(silence)
            }
            State::Talking(talk) => talk.abandon(),
            State::Confirming(_) => Refusal::of(Silence::LastWord),
            State::Working(..) | State::Asking(..) | State::Over => Refusal::of(Silence::Overload),
        };
        refusal.or_about(proved.as_ref())
    }
}
