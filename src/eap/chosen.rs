//! The method of a conversation, whichever was agreed on.

use std::sync::Arc;

use super::config::Config;
use super::error::FailureReason;
use super::error::Invalid;
use super::fragment::START_DATA;
use super::gate::Judge;
use super::identity::Identity;
use super::offer::Offer;
use super::offer::Outer;
use super::principal::Principal;
use super::proof::Answer;
use super::proof::Authenticated;
use super::proof::Question;
use super::proof::Refusal;
use super::spoken::Spoken;
use super::tls;
use super::tls::EapTls;
use super::tunnelled::Tunnelled;
use crate::model::Now;
use crate::trust::Settled;

/// One of the methods.
#[expect(
    clippy::large_enum_variant,
    reason = "conversations are boxed, and EAP-TLS, the usual method, needs no second box"
)]
pub(super) enum Method {
    Tls(EapTls),
    Tunnel(Box<Tunnelled>),
}

/// What a packet, the work on a message or an answer led to.
pub(super) enum Turn {
    /// Type-Data of the next Request.
    Request(Vec<u8>),
    /// A message is whole: call [`Method::work`].
    Work,
    /// There is a [`Method::question`]: call [`Method::answer`].
    Ask,
    /// See [`Method::waits_for`]: call [`Method::settle`].
    Wait,
    /// Nothing has changed.
    Invalid(Invalid),
    Success(Box<Authenticated>),
    Failure(Box<Refusal>),
}

impl Turn {
    pub(super) fn fail(refusal: Refusal) -> Self {
        Self::Failure(Box::new(refusal))
    }
}

/// What belongs to one round of a conversation.
pub(super) struct Round<'a> {
    pub(super) now: Now,
    pub(super) config: &'a Arc<Config>,
    pub(super) judge: &'a Arc<dyn Judge>,
    /// Identifier of the response that is worked on.
    pub(super) answers: u8,
    /// Identifier of the Request that follows.
    pub(super) next: u8,
}

impl Method {
    /// A method that has not begun; `room` is the octets of Type-Data in a packet, `identity` what
    /// the peer says outside of a tunnel.
    pub(super) fn new(outer: Outer, room: usize, offer: &Arc<Offer>, identity: &Identity) -> Self {
        match outer {
            Outer::Tls => Self::Tls(EapTls::new(room)),
            Outer::Ttls | Outer::Peap | Outer::Teap => {
                let tunnelled = Tunnelled::new(outer, room, Arc::clone(offer), identity.clone());
                Self::Tunnel(Box::new(tunnelled))
            }
        }
    }

    /// Type-Data of its first Request.
    pub(super) fn start(&self, config: &Config) -> Vec<u8> {
        match self.outer() {
            Outer::Tls | Outer::Ttls | Outer::Peap => START_DATA.to_vec(),
            Outer::Teap => config.teap.start(),
        }
    }

    pub(super) fn outer(&self) -> Outer {
        match self {
            Self::Tls(_) => Outer::Tls,
            Self::Tunnel(method) => method.outer(),
        }
    }

    pub(super) fn spoken(&self) -> Spoken {
        match self {
            Self::Tls(method) => Spoken {
                outer: Some(Outer::Tls),
                version: method.version(),
                ..Spoken::default()
            },
            Self::Tunnel(method) => method.spoken(),
        }
    }

    /// Takes one packet's Type-Data. No cryptography.
    pub(super) fn handle(&mut self, type_data: &[u8]) -> Turn {
        match self {
            Self::Tls(method) => {
                let turn = method.handle(type_data);
                of_tls(turn, method)
            }
            Self::Tunnel(method) => {
                let turn = method.handle(type_data);
                method.naming(turn)
            }
        }
    }

    /// Does the cryptography of the message that is whole.
    pub(super) fn work(&mut self, round: &Round<'_>) -> Turn {
        match self {
            Self::Tls(method) => {
                let turn = method.work(round.now, round.config, round.judge);
                of_tls(turn, method)
            }
            Self::Tunnel(method) => {
                let turn = method.work(round);
                method.naming(turn)
            }
        }
    }

    /// Whether that takes less than handing it to another thread.
    pub(super) fn is_light(&self, config: &Config) -> bool {
        match self {
            Self::Tls(method) => method.is_light(config),
            Self::Tunnel(method) => method.is_light(config),
        }
    }

    /// What is waited for.
    pub(super) fn waits_for(&self) -> Option<Settled> {
        match self {
            Self::Tls(method) => method.waits_for(),
            Self::Tunnel(_) => None,
        }
    }

    /// Goes on when that has happened, or will not.
    pub(super) fn settle(&mut self, round: &Round<'_>) -> Turn {
        match self {
            Self::Tls(method) => {
                let turn = method.settle(round.now);
                of_tls(turn, method)
            }
            Self::Tunnel(_) => Turn::fail(Refusal::internal("a tunnel that waits for nothing")),
        }
    }

    /// Where its peer has fallen silent, or why it was refused.
    pub(super) fn abandon(self) -> Refusal {
        match self {
            Self::Tls(method) => refusal(method.abandon(), &method),
            Self::Tunnel(method) => method.abandon(),
        }
    }

    /// What a directory is to be asked.
    pub(super) fn question(&self) -> Option<&Question> {
        match self {
            Self::Tls(_) => None,
            Self::Tunnel(method) => method.question(),
        }
    }

    /// Goes on with what it says.
    pub(super) fn answer(&mut self, round: &Round<'_>, answer: Answer) -> Turn {
        match self {
            Self::Tls(_) => Turn::fail(Refusal::internal("an answer to no question")),
            Self::Tunnel(method) => {
                let turn = method.answer(round, answer);
                method.naming(turn)
            }
        }
    }
}

fn of_tls(turn: tls::Turn, method: &EapTls) -> Turn {
    match turn {
        tls::Turn::Request(data) => Turn::Request(data),
        tls::Turn::Work => Turn::Work,
        tls::Turn::Wait => Turn::Wait,
        tls::Turn::Invalid(invalid) => Turn::Invalid(invalid),
        tls::Turn::Success(done) => Turn::Success(done),
        tls::Turn::Failure(reason) => Turn::fail(refusal(reason, method)),
    }
}

/// With the certificate that was refused.
fn refusal(reason: FailureReason, method: &EapTls) -> Refusal {
    Refusal {
        presented: method.take_refused().map(Principal::Certificate),
        shown: method.take_shown(),
        ..Refusal::of(reason)
    }
}
