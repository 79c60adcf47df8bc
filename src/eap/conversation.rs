//! One EAP conversation, server side: identifiers, identity, offer, method, end.
//!
//! ```text
//! handle_start: Request/Identity --> Response/Identity --+
//!                     (or the NAS asked itself)          |
//!              Request/method, Start <-------------------+-----------------------+
//!              Response/method --> turns of the method --> end                   |
//!              Nak --> the next method of the offer that the peer wants as well -+
//!                  --> none: Failure
//! ```

use std::fmt;
use std::sync::Arc;

use super::chosen::Method;
use super::chosen::Round;
use super::chosen::Turn;
use super::config::Config;
use super::error::FailureReason;
use super::error::Invalid;
use super::error::Silent;
use super::gate::Judge;
use super::identity::Identity;
use super::method::Wanted;
use super::offer::Offer;
use super::offer::Outer;
use super::offer::Tried;
use super::packet;
use super::packet::Code;
use super::packet::Packet;
use super::packet::Type;
use super::principal::Principal;
use super::proof::Answer;
use super::proof::Question;
use super::proof::Refusal;
use super::spoken::Spoken;
use super::step::Outcome;
use super::step::Step;
use crate::model::Monotonic;
use crate::model::Now;
use crate::trust::Settled;

mod end;

/// One peer's conversation, from its identity to Success or Failure.
///
/// It can be sent to a worker for [`Conversation::work`] and has no timer: how long it may live
/// is the caller's business.
pub struct Conversation {
    config: Arc<Config>,
    judge: Arc<dyn Judge>,
    offer: Arc<Offer>,
    state: State,
    /// That of the outstanding Request; before the first one, of the Request/Identity to be.
    identifier: u8,
    max_packet: usize,
    identity: Option<Identity>,
    last_request: Vec<u8>,
    rounds: u16,
    invalid: u8,
    began: Monotonic,
    now: Monotonic,
}

enum State {
    Fresh,
    AskedIdentity,
    /// The Start is out; the peer may still refuse the method.
    Offered(Method, Tried),
    Speaking(Method),
    Working(Method),
    /// A directory is asked.
    Asking(Method),
    /// An OCSP responder is asked.
    Waiting(Method),
    Over,
}

impl Conversation {
    /// A conversation that has not begun.
    ///
    /// `identifier` should be random; it is used if the peer's identity has to be asked for.
    /// `max_packet` is the largest EAP packet that the NAS's link carries, from Framed-MTU; below
    /// [`MIN_PACKET`] that is used, above [`MAX_PACKET`] that.
    #[must_use]
    pub fn new(
        config: Arc<Config>,
        judge: Arc<dyn Judge>,
        identifier: u8,
        max_packet: usize,
    ) -> Self {
        Self {
            offer: Arc::clone(&config.eap_tls),
            config,
            judge,
            state: State::Fresh,
            identifier,
            max_packet: max_packet.clamp(MIN_PACKET, MAX_PACKET),
            identity: None,
            last_request: Vec::new(),
            rounds: 0,
            invalid: 0,
            began: Monotonic::default(),
            now: Monotonic::default(),
        }
    }

    /// Offers these methods in the place of EAP-TLS alone. To be called before the conversation
    /// begins.
    #[must_use]
    pub fn offering(mut self, offer: Arc<Offer>) -> Self {
        self.offer = offer;
        self
    }

    /// Begins with EAP-Start, when the NAS has not asked for the identity (RFC 3579 section 2.1).
    pub fn handle_start(&mut self, now: Now) -> Step {
        match self.state {
            State::Fresh => {
                self.began = now.monotonic;
                self.now = now.monotonic;
                self.state = State::AskedIdentity;
                self.rounds = 1;
                self.last_request = packet::request(self.identifier, Type::IDENTITY, &[]);
                Step::Request(self.last_request.clone())
            }
            State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Working(_)
            | State::Asking(_)
            | State::Waiting(_)
            | State::Over => Step::Discard(Silent::OutOfTurn.into()),
        }
    }

    /// Takes the peer's response: framing only, no cryptography.
    pub fn handle(&mut self, now: Now, response: &[u8]) -> Step {
        let response = match self.admit(response) {
            Ok(response) => response,
            Err(silent) => return Step::Discard(silent.into()),
        };
        self.now = now.monotonic;
        if matches!(self.state, State::Fresh) {
            self.began = now.monotonic;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh if response.kind() != Some(Type::IDENTITY) => {
                self.identifier = response.identifier();
                self.fail(Refusal::of(FailureReason::NoIdentity))
            }
            State::Fresh => self.identify(&response, State::Fresh),
            State::AskedIdentity => self.identify(&response, State::AskedIdentity),
            State::Offered(method, tried) => self.agree(&response, method, tried),
            State::Speaking(method) => self.speak(&response, method),
            State::Working(method) => {
                self.state = State::Working(method);
                Step::Discard(Silent::Busy.into())
            }
            State::Asking(method) => {
                self.state = State::Asking(method);
                Step::Discard(Silent::Busy.into())
            }
            State::Waiting(method) => {
                self.state = State::Waiting(method);
                Step::Discard(Silent::Busy.into())
            }
            State::Over => Step::Discard(Silent::Over.into()),
        }
    }

    /// Does the cryptography of the last response, 0.1 to 2 ms. The judge is asked in here.
    pub fn work(&mut self, now: Now) -> Step {
        self.now = now.monotonic;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Working(mut method) => {
                let turn = method.work(&self.round(now));
                self.turn(turn, method)
            }
            state @ (State::Fresh
            | State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Asking(_)
            | State::Waiting(_)
            | State::Over) => {
                self.state = state;
                Step::Discard(Silent::OutOfTurn.into())
            }
        }
    }

    /// What a directory is to be asked, after [`Step::Ask`] until [`Conversation::answer`].
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        match &self.state {
            State::Asking(method) => method.question(),
            State::Fresh
            | State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Working(_)
            | State::Waiting(_)
            | State::Over => None,
        }
    }

    /// Goes on with what the directory says. The judge is asked in here; no signature, no key
    /// agreement.
    pub fn answer(&mut self, now: Now, answer: Answer) -> Step {
        self.now = now.monotonic;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Asking(mut method) => {
                let turn = method.answer(&self.round(now), answer);
                self.turn(turn, method)
            }
            state @ (State::Fresh
            | State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Working(_)
            | State::Waiting(_)
            | State::Over) => {
                self.state = state;
                Step::Discard(Silent::OutOfTurn.into())
            }
        }
    }

    /// What is waited for, after [`Step::Wait`] until [`Conversation::settle`]: that an OCSP responder
    /// says whether the peer's certificate is good. It resolves when nobody is asked any more, and
    /// the caller sets it a deadline.
    #[must_use]
    pub fn waits_for(&self) -> Option<Settled> {
        match &self.state {
            State::Waiting(method) => method.waits_for(),
            State::Fresh
            | State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Working(_)
            | State::Asking(_)
            | State::Over => None,
        }
    }

    /// Goes on with whatever is known by now. Symmetric cryptography only.
    pub fn settle(&mut self, now: Now) -> Step {
        self.now = now.monotonic;
        match std::mem::replace(&mut self.state, State::Over) {
            State::Waiting(mut method) => {
                let turn = method.settle(&self.round(now));
                self.turn(turn, method)
            }
            state @ (State::Fresh
            | State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Working(_)
            | State::Asking(_)
            | State::Over) => {
                self.state = state;
                Step::Discard(Silent::OutOfTurn.into())
            }
        }
    }

    /// Ends a conversation that had gone on before it was known whether its peer may pass. Nothing has
    /// told the peer yet that it may, if its last Request was not sent.
    pub fn block(&mut self, principal: &Principal) -> Step {
        let state = std::mem::replace(&mut self.state, State::Over);
        let refusal = Refusal::of(FailureReason::Blocked).about(principal);
        self.fail_with(state.spoken(), refusal)
    }

    /// Whether the work that is due takes less than handing it to another thread, about 10 µs:
    /// no signature, no key agreement. It turns out otherwise once for a session that is known and
    /// not resumed after all.
    #[must_use]
    pub fn has_light_work(&self) -> bool {
        match &self.state {
            State::Working(method) => method.is_light(&self.config),
            State::Fresh
            | State::AskedIdentity
            | State::Offered(..)
            | State::Speaking(_)
            | State::Asking(_)
            | State::Waiting(_)
            | State::Over => false,
        }
    }

    /// The Request that waits for its response, to be repeated after [`Discard::Invalid`](crate::eap::Discard::Invalid); empty
    /// before the first one.
    #[must_use]
    pub fn last_request(&self) -> &[u8] {
        &self.last_request
    }

    /// Who the peer says it is, once it has said so.
    #[must_use]
    pub const fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// What is spoken, as far as that is known; nothing once it is over.
    #[must_use]
    pub fn spoken(&self) -> Spoken {
        self.state.spoken()
    }

    /// Whether Success or Failure has been given.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Code and Identifier (RFC 3748 sections 4 and 4.1). Before the first Request of ours the
    /// NAS has chosen the identifier.
    fn admit<'a>(&self, response: &'a [u8]) -> Result<Packet<'a>, Silent> {
        let response = Packet::new_checked(response)?;
        match response.code() {
            Code::Response => {}
            Code::Request | Code::Success | Code::Failure => return Err(Silent::NotResponse),
        }
        if !matches!(self.state, State::Fresh) && response.identifier() != self.identifier {
            return Err(Silent::Identifier {
                expected: self.identifier,
                received: response.identifier(),
            });
        }
        Ok(response)
    }

    fn identify(&mut self, response: &Packet<'_>, state: State) -> Step {
        let kind = response.kind();
        if kind != Some(Type::IDENTITY) {
            return self.invalid(Invalid::of_type(kind), state);
        }
        let Some(identity) = Identity::new(response.data()) else {
            let octets = response.data().len();
            return self.invalid(Invalid::Identity { octets }, state);
        };
        self.identity = Some(identity);
        self.identifier = response.identifier();
        match self.offer.first() {
            Some(outer) => self.offer(outer, Tried::default()),
            None => self.fail(Refusal::of(FailureReason::NothingOffered)),
        }
    }

    fn offer(&mut self, outer: Outer, tried: Tried) -> Step {
        let Some(identity) = &self.identity else {
            return self.fail(Refusal::of(FailureReason::NoIdentity));
        };
        let room = self.max_packet - packet::OVERHEAD;
        let method = Method::new(outer, room, &self.offer, identity);
        let start = method.start(&self.config);
        let state = State::Offered(method, tried.with(outer));
        self.request(outer.kind(), &start, state)
    }

    /// The peer's first word about the method (RFC 3748 section 5.3.1).
    fn agree(&mut self, response: &Packet<'_>, method: Method, tried: Tried) -> Step {
        match response.kind() {
            kind if kind == Some(method.outer().kind()) => self.speak(response, method),
            kind @ Some(Type::NAK | Type::EXPANDED) => match Wanted::from_nak(response) {
                Some(wanted) => match self.offer.next(&wanted, tried) {
                    Some(outer) => self.offer(outer, tried),
                    None => {
                        self.fail_with(method.spoken(), Refusal::of(FailureReason::Refused(wanted)))
                    }
                },
                None => self.invalid(Invalid::of_type(kind), State::Offered(method, tried)),
            },
            kind => self.invalid(Invalid::of_type(kind), State::Offered(method, tried)),
        }
    }

    fn speak(&mut self, response: &Packet<'_>, mut method: Method) -> Step {
        let kind = response.kind();
        if kind != Some(method.outer().kind()) {
            return self.invalid(Invalid::of_type(kind), State::Speaking(method));
        }
        let turn = method.handle(response.data());
        self.turn(turn, method)
    }

    fn round(&self, now: Now) -> Round<'_> {
        Round {
            now,
            config: &self.config,
            judge: &self.judge,
            answers: self.identifier,
            next: self.identifier.wrapping_add(1),
        }
    }

    fn turn(&mut self, turn: Turn, method: Method) -> Step {
        match turn {
            Turn::Request(data) => {
                self.request(method.outer().kind(), &data, State::Speaking(method))
            }
            Turn::Ask => {
                self.state = State::Asking(method);
                Step::Ask
            }
            Turn::Work => {
                self.state = State::Working(method);
                Step::Work
            }
            Turn::Wait => {
                self.state = State::Waiting(method);
                Step::Wait
            }
            Turn::Invalid(invalid) => self.invalid(invalid, State::Speaking(method)),
            Turn::Success(done) => self.succeed(*done, &method),
            Turn::Failure(refusal) => self.fail_with(method.spoken(), *refusal),
        }
    }

    fn request(&mut self, kind: Type, data: &[u8], state: State) -> Step {
        let limit = self.config.max_rounds;
        if self.rounds >= limit {
            return self.fail_with(state.spoken(), Refusal::of(FailureReason::Rounds { limit }));
        }
        self.rounds += 1;
        self.identifier = self.identifier.wrapping_add(1);
        self.last_request = packet::request(self.identifier, kind, data);
        self.state = state;
        Step::Request(self.last_request.clone())
    }

    fn invalid(&mut self, invalid: Invalid, state: State) -> Step {
        if self.invalid >= MAX_INVALID {
            let reason = FailureReason::InvalidPackets {
                limit: MAX_INVALID,
                last: invalid,
            };
            return self.fail_with(state.spoken(), Refusal::of(reason));
        }
        self.invalid += 1;
        self.state = state;
        Step::Discard(invalid.into())
    }
}

impl State {
    fn spoken(&self) -> Spoken {
        match self {
            Self::Fresh | Self::AskedIdentity | Self::Over => Spoken::default(),
            Self::Offered(method, _)
            | Self::Speaking(method)
            | Self::Working(method)
            | Self::Asking(method)
            | Self::Waiting(method) => method.spoken(),
        }
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field(
                "state",
                &match self.state {
                    State::Fresh => "fresh",
                    State::AskedIdentity => "asked for the identity",
                    State::Offered(..) => "offered a method",
                    State::Speaking(_) => "in a method",
                    State::Working(_) => "at work",
                    State::Asking(_) => "asks for a password",
                    State::Waiting(_) => "waits for a responder",
                    State::Over => "over",
                },
            )
            .field("identifier", &self.identifier)
            .field("rounds", &self.rounds)
            .finish_non_exhaustive()
    }
}

/// The smallest EAP packets we cut: with less a chain would need hundreds of round trips. Links
/// carry at least 1,020 octets (RFC 3748 section 3.1).
pub const MIN_PACKET: usize = 256;

/// The largest: what a RADIUS packet of 4,096 octets holds beside its other attributes.
pub const MAX_PACKET: usize = 3 * 1024;

/// Invalid packets that are answered with the last Request again (RFC 3579 section 2.2); with the
/// next one the conversation fails.
pub const MAX_INVALID: u8 = 5;
