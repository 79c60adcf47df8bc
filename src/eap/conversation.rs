//! One EAP conversation, server side: identifiers, identity, offer, method, end.
//!
//! ```text
//! handle_start: Request/Identity --> Response/Identity --+
//!                     (or the NAS asked itself)          |
//!              Request/EAP-TLS Start <-------------------+
//!              Nak --> Failure      Response/EAP-TLS --> turns of the method --> end
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::config::TlsVersion;
use super::error::Discard;
use super::error::Failed;
use super::error::FailureReason;
use super::error::Invalid;
use super::error::Silent;
use super::fragment::START_DATA;
use super::gate::Judge;
use super::identity::Identity;
use super::key::Keys;
use super::method::Wanted;
use super::packet;
use super::packet::Code;
use super::packet::Packet;
use super::packet::Type;
use super::tls::Authenticated;
use super::tls::EapTls;
use super::tls::Turn;
use crate::model::CertificateIdentity;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Verdict;

/// One peer's conversation, from its identity to Success or Failure.
///
/// It can be sent to a worker for [`Conversation::work`] and has no timer: how long it may live
/// is the caller's business.
pub struct Conversation {
    config: Arc<Config>,
    judge: Arc<dyn Judge>,
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

/// What a response led to.
#[derive(Debug)]
pub enum Step {
    /// Send this EAP-Request in an Access-Challenge.
    Request(Vec<u8>),
    /// Call [`Conversation::work`] where cryptography may take its time.
    Work,
    /// The end: Access-Accept, or what the verdict Quarantine asks for.
    Success(Box<Outcome>),
    /// The end: Access-Reject.
    Failure(Failed),
    /// Nothing has changed.
    Discard(Discard),
}

/// A success, and what it established.
#[derive(Debug)]
pub struct Outcome {
    /// EAP-Success, for the Access-Accept.
    pub packet: [u8; 4],
    /// The method.
    pub method: Type,
    /// For the NAS, and to name the conversation.
    pub keys: Keys,
    /// The certificate that the peer proved to hold.
    pub certificate: Arc<CertificateIdentity>,
    /// The final answer of the [`Judge`], never Block.
    pub verdict: Verdict,
    /// TLS version.
    pub version: TlsVersion,
    /// Cipher suite, as rustls spells it.
    pub suite: &'static str,
    /// Whether an earlier handshake was resumed.
    pub resumed: bool,
    /// Requests that were sent.
    pub rounds: u16,
    /// From the peer's first packet to its last.
    pub elapsed: Duration,
}

enum State {
    Fresh,
    AskedIdentity,
    /// The Start is out; the peer may still refuse the method.
    Offered(EapTls),
    Speaking(EapTls),
    Working(EapTls),
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
            | State::Offered(_)
            | State::Speaking(_)
            | State::Working(_)
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
                self.fail(FailureReason::NoIdentity, None)
            }
            State::Fresh => self.identify(&response, State::Fresh),
            State::AskedIdentity => self.identify(&response, State::AskedIdentity),
            State::Offered(method) => self.agree(&response, method),
            State::Speaking(method) => self.speak(&response, method),
            State::Working(method) => {
                self.state = State::Working(method);
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
                let turn = method.work(now, &self.config, &self.judge);
                self.turn(turn, method)
            }
            state @ (State::Fresh
            | State::AskedIdentity
            | State::Offered(_)
            | State::Speaking(_)
            | State::Over) => {
                self.state = state;
                Step::Discard(Silent::OutOfTurn.into())
            }
        }
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
            | State::Offered(_)
            | State::Speaking(_)
            | State::Over => false,
        }
    }

    /// The Request that waits for its response, to be repeated after [`Discard::Invalid`]; empty
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
        let method = EapTls::new(self.max_packet - packet::OVERHEAD);
        self.request(Type::TLS, &START_DATA, State::Offered(method))
    }

    /// The peer's first word about the method.
    fn agree(&mut self, response: &Packet<'_>, method: EapTls) -> Step {
        match response.kind() {
            Some(Type::TLS) => self.speak(response, method),
            kind @ Some(Type::NAK | Type::EXPANDED) => match Wanted::from_nak(response) {
                Some(wanted) => self.fail(FailureReason::Refused(wanted), None),
                None => self.invalid(Invalid::of_type(kind), State::Offered(method)),
            },
            kind => self.invalid(Invalid::of_type(kind), State::Offered(method)),
        }
    }

    fn speak(&mut self, response: &Packet<'_>, mut method: EapTls) -> Step {
        let kind = response.kind();
        if kind != Some(Type::TLS) {
            return self.invalid(Invalid::of_type(kind), State::Speaking(method));
        }
        let turn = method.handle(response.data());
        self.turn(turn, method)
    }

    fn turn(&mut self, turn: Turn, method: EapTls) -> Step {
        match turn {
            Turn::Request(data) => self.request(Type::TLS, &data, State::Speaking(method)),
            Turn::Work => {
                self.state = State::Working(method);
                Step::Work
            }
            Turn::Invalid(invalid) => self.invalid(invalid, State::Speaking(method)),
            Turn::Success(done) => self.succeed(*done),
            Turn::Failure(reason) => self.fail(reason, method.take_refused()),
        }
    }

    fn request(&mut self, kind: Type, data: &[u8], state: State) -> Step {
        let limit = self.config.max_rounds;
        if self.rounds >= limit {
            return self.fail(FailureReason::Rounds { limit }, None);
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
            return self.fail(reason, None);
        }
        self.invalid += 1;
        self.state = state;
        Step::Discard(invalid.into())
    }

    fn succeed(&self, done: Authenticated) -> Step {
        Step::Success(Box::new(Outcome {
            packet: packet::success(self.identifier),
            method: Type::TLS,
            keys: done.keys,
            certificate: done.certificate,
            verdict: done.verdict,
            version: done.version,
            suite: done.suite,
            resumed: done.resumed,
            rounds: self.rounds,
            elapsed: self.now.since(self.began),
        }))
    }

    fn fail(&self, reason: FailureReason, certificate: Option<Box<CertificateIdentity>>) -> Step {
        Step::Failure(Failed {
            packet: packet::failure(self.identifier),
            reason,
            certificate,
            elapsed: self.now.since(self.began),
        })
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
                    State::Offered(_) => "offered EAP-TLS",
                    State::Speaking(_) => "in EAP-TLS",
                    State::Working(_) => "at work",
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
