//! How a conversation ends.

use super::Conversation;
use super::Outcome;
use super::Step;
use crate::eap::chosen::Method;
use crate::eap::error::Failed;
use crate::eap::packet;
use crate::eap::proof::Authenticated;
use crate::eap::proof::Refusal;
use crate::eap::spoken::Spoken;

impl Conversation {
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
        Step::Failure(Failed {
            packet: packet::failure(self.identifier),
            reason: refusal.reason,
            presented: refusal.presented,
            claimed: refusal.claimed,
            shown: refusal.shown,
            rounds: self.rounds,
            spoken,
            elapsed: self.now.since(self.began),
        })
    }
}
