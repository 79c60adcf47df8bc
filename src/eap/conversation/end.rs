//! How a conversation ends.

use super::Conversation;
use super::Outcome;
use super::State;
use super::Step;
use crate::eap::chosen::Method;
use crate::eap::error::Failed;
use crate::eap::error::Silence;
use crate::eap::packet;
use crate::eap::proof::Authenticated;
use crate::eap::proof::Refusal;
use crate::eap::spoken::Spoken;

impl Conversation {
    /// Ends a conversation whose peer is not heard of any more: where it fell silent; or why it was
    /// refused, if that is what it did not answer. Nothing is to be sent.
    pub fn abandon(&mut self) -> Failed {
        let state = std::mem::replace(&mut self.state, State::Over);
        let spoken = state.spoken();
        let refusal = match state {
            State::Fresh | State::AskedIdentity => Refusal::of(Silence::Identity),
            State::Offered(..) => Refusal::of(Silence::Offer),
            State::Speaking(method) => method.abandon(),
            State::Working(_) | State::Asking(_) | State::Waiting(_) | State::Over => {
                Refusal::of(Silence::Overload)
            }
        };
        self.failed(spoken, refusal)
    }

    pub(super) fn succeed(&self, done: Authenticated, method: &Method) -> Step {
        let connection = done.connection;
        Step::Success(Box::new(Outcome {
            packet: packet::success(self.identifier),
            method: method.outer().kind(),
            spoken: Spoken {
                outer: Some(method.outer()),
                inner: done.inners[0],
                second: done.inners[1],
                version: Some(connection.version),
                resumed: connection.resumed,
            },
            keys: done.keys,
            principal: done.principal,
            verdict: done.verdict,
            version: connection.version,
            suite: connection.suite,
            resumed: connection.resumed,
            rounds: self.rounds,
            elapsed: self.now.since(self.began),
        }))
    }

    pub(super) fn fail(&self, refusal: Refusal) -> Step {
        self.fail_with(Spoken::default(), refusal)
    }

    pub(super) fn fail_with(&self, spoken: Spoken, refusal: Refusal) -> Step {
        Step::Failure(self.failed(spoken, refusal))
    }

    fn failed(&self, spoken: Spoken, refusal: Refusal) -> Failed {
        Failed {
            packet: packet::failure(self.identifier),
            reason: refusal.reason,
            presented: refusal.presented,
            claimed: refusal.claimed,
            shown: refusal.shown,
            rounds: self.rounds,
            spoken,
            elapsed: self.now.since(self.began),
        }
    }
}
