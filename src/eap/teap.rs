//! TEAP version 1 inside of its tunnel (RFC 9930): a machine and its user, each by a method of its
//! own, bound to the tunnel one after the other; then one verdict about both.
//!
//! ```text
//! Greeting --> asked: machine --inner method--> bound, and asked: user --inner method--> judged
//!     --> bound, and Result --> the peer's Result --> success
//!                        +-- Refusal --> Result failure, Error --> any answer --> failure
//! ```
//!
//! A peer that has no identity of the kind that it is asked for says so by another Identity-Type, by an
//! empty name or by no name at all, and is asked for the next; one of them is enough, and what is
//! missing is for the policy to judge. The certificate that a peer shows when the tunnel is made may
//! stand for the machine or for everything ([`TeapCertificate`]).
//!
//! # Other than the text
//!
//! - RFC-DEVIATION RFC 9930 section 3.6.2: EAP-GTC may be spoken inside where an operator allows it.
//!   Basic-Password-Auth takes its place where `pap` stands before it in `inside`.
//! - RFC-DEVIATION RFC 9930 section 6.2.1: only MSKs bind unless [`TeapBinding`] says otherwise.
//! - Not there: PAC, which the text has removed; provisioning (PKCS#7, PKCS#10, Trusted-Server-Root,
//!   CSR-Attributes), Channel-Binding, Request-Action of ours, change of passwords.

use zeroize::Zeroizing;

use super::config::TlsVersion;
use super::error::InnerRefusal;
use super::error::Silence;
use super::key::Keys;
use super::offer::Inner;
use super::principal::Principal;
use super::proof::Completed;
use super::proof::InnerKey;
use super::proof::Inners;
use super::proof::Proven;
use super::proof::Refusal;
use super::proof::Verified;
use super::talk::Next;
use super::talk::Scene;
use super::talk::Talk;
use asked::Asked;
use asked::By;
use bound::Bound;
use bound::outer;
use chain::Round;
use error::code;
use identities::Identities;
pub use settings::TeapBinding;
pub use settings::TeapCertificate;
pub use settings::TeapKeys;
pub use settings::TeapSettings;
pub use tlv::TeapIdentity;
pub use tlv::TeapMessage;
use tlv::Words;
pub(super) use tlv::are_outer;

mod asked;
mod bound;
mod chain;
mod error;
mod identities;
mod settings;
mod tlv;

/// What was said so far.
#[derive(Default)]
pub(super) struct Teap {
    bound: Bound,
    identities: Identities,
    state: State,
}

#[derive(Default)]
enum State {
    /// The peer has to acknowledge our Finished.
    #[default]
    Greeting,
    /// Somebody is asked for.
    Asked(Asked),
    /// A method has come to its end, our Crypto-Binding is out, and the next one is asked for.
    Bound(Round, Asked),
    /// All is said: our Result is out, and mostly a Crypto-Binding.
    Concluding(Option<Round>, Completed),
    /// That of a refusal is.
    Refusing(Refusal),
}

impl Teap {
    /// The tunnel is complete. In TLS 1.3 it is our turn, in TLS 1.2 the peer's.
    pub(super) fn begin(
        self: Box<Self>,
        scene: &Scene<'_>,
        version: Option<TlsVersion>,
        inside: &[u8],
    ) -> Next {
        match version {
            Some(TlsVersion::Tls12) | None if inside.is_empty() => {
                Next::Say(Zeroizing::default(), Talk::Teap(self))
            }
            Some(TlsVersion::Tls12 | TlsVersion::Tls13) | None => self.take(scene, inside),
        }
    }

    /// The tunnel is that of an earlier conversation, whose methods need not be spoken again (section
    /// 3.5).
    pub(super) fn again(scene: &Scene<'_>, completed: Completed) -> Next {
        Box::<Self>::default().conclude(scene, None, completed)
    }

    /// The peer's turn.
    pub(super) fn take(mut self: Box<Self>, scene: &Scene<'_>, inside: &[u8]) -> Next {
        let state = match std::mem::take(&mut self.state) {
            State::Refusing(refusal) => return Next::Fail(refusal),
            state @ (State::Greeting
            | State::Asked(_)
            | State::Bound(..)
            | State::Concluding(..)) => state,
        };
        if inside.is_empty() && !matches!(state, State::Greeting) {
            return self.refuse(InnerRefusal::Order);
        }
        let Some(message) = TeapMessage::parse(inside) else {
            return self.refuse(InnerRefusal::Malformed("TLVs of TEAP"));
        };
        if let Some(unknown) = message.unknown {
            if message.result.is_some() {
                return self.refuse(InnerRefusal::Mandatory(u32::from(unknown.1)));
            }
            // It may go on without (section 4.2.5).
            self.state = state;
            return Next::Say(Words::default().nak(unknown).0, Talk::Teap(self));
        }
        if message.pac {
            return self.refuse(InnerRefusal::Order);
        }
        // Others are for information.
        let serious = message.error.filter(|code| *code >= 1000);
        if let Some(code) = serious.filter(|_| message.result != Some(true)) {
            return Next::Fail(Refusal::of(InnerRefusal::Reported(code)));
        }
        if [message.result, message.intermediate, message.action].contains(&Some(false)) {
            return Next::Fail(Refusal::of(InnerRefusal::Result));
        }
        match state {
            State::Greeting => {
                // Hints about who it is, and what may be left aside.
                let hint = TeapMessage {
                    hint: message.hint,
                    ..TeapMessage::default()
                };
                if message == hint {
                    self.greet(scene)
                } else {
                    self.refuse(InnerRefusal::Order)
                }
            }
            State::Asked(asked) => {
                let early = message.binding.is_some() || message.intermediate.is_some();
                if early || message.result.is_some() {
                    return self.refuse(InnerRefusal::Order);
                }
                self.hear(scene, asked, &message)
            }
            State::Bound(round, asked) => {
                if message.intermediate.is_none() || message.result.is_some() {
                    return self.refuse(InnerRefusal::Order);
                }
                match self.bound.end(scene, round, &message) {
                    Ok(()) => self.hear(scene, asked, &message),
                    Err(why) => self.refuse(why),
                }
            }
            State::Concluding(round, completed) => {
                let bound = match (round, message.result) {
                    (_, None | Some(false)) => Err(InnerRefusal::Order),
                    (Some(round), Some(true)) => self.bound.end(scene, round, &message),
                    (None, Some(true)) => Ok(()),
                };
                match bound.map(|()| self.bound.keys(scene)) {
                    Ok(Ok(keys)) => Next::Succeed(completed, Box::new(Keys::of_chain(&keys))),
                    Ok(Err(refusal)) => Next::Fail(refusal),
                    Err(why) => self.refuse(why),
                }
            }
            State::Refusing(refusal) => Next::Fail(refusal),
        }
    }

    /// Goes on with what the directory says.
    pub(super) fn answered(
        mut self: Box<Self>,
        scene: &Scene<'_>,
        answered: Result<Verified, Refusal>,
    ) -> Next {
        match std::mem::take(&mut self.state) {
            State::Asked(Asked {
                kind,
                by: By::Eap(eap, identifier),
            }) => {
                let said = eap.answered(scene, answered);
                self.say(scene, kind, said, identifier)
            }
            State::Asked(Asked {
                kind,
                by: By::Password,
            }) => match answered.and_then(|verified| scene.admit(verified)) {
                Ok((admitted, _)) => {
                    let proven = admitted.complete(Inner::Pap, InnerKey::default());
                    self.proven(scene, kind, proven)
                }
                Err(refusal) => self.refuse_about(refusal),
            },
            State::Greeting | State::Bound(..) | State::Concluding(..) | State::Refusing(_) => {
                Next::Fail(Refusal::internal("an answer to no question"))
            }
        }
    }

    pub(super) fn inners(&self) -> Inners {
        let done = self.identities.inners();
        let now = match &self.state {
            State::Asked(asked) | State::Bound(_, asked) => asked.inner(),
            State::Concluding(_, completed) => return completed.inners(),
            State::Greeting | State::Refusing(_) => None,
        };
        let mut all = done.into_iter().flatten().chain(now);
        [all.next(), all.next()]
    }

    /// Who the peer has proved to be so far.
    pub(super) fn proved(&self) -> Option<Principal> {
        if let State::Concluding(_, completed) = &self.state {
            return Some(completed.principal().clone());
        }
        self.identities.proved()
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(super) fn abandon(self) -> Refusal {
        match self.state {
            State::Refusing(refusal) => refusal,
            State::Asked(asked) => match asked.by {
                By::Eap(eap, _) => eap.abandon(),
                By::Password => Refusal::of(Silence::Inside(Inner::Pap)),
            },
            State::Bound(..) | State::Concluding(..) => Refusal::of(Silence::Binding),
            State::Greeting => Refusal::of(Silence::Tunnel),
        }
    }

    pub(super) const fn is_light(&self) -> bool {
        match &self.state {
            State::Asked(asked) | State::Bound(_, asked) => match &asked.by {
                By::Eap(eap, _) => eap.is_light(),
                By::Password => true,
            },
            State::Greeting | State::Concluding(..) | State::Refusing(_) => true,
        }
    }

    /// Our first words inside.
    fn greet(mut self: Box<Self>, scene: &Scene<'_>) -> Next {
        let settings = &scene.round.config.teap;
        if scene.device.is_some() {
            match settings.certificate {
                TeapCertificate::Unasked | TeapCertificate::Machine => {
                    self.identities.pass(TeapIdentity::Machine);
                }
                TeapCertificate::Enough => {
                    self.identities.pass(TeapIdentity::Machine);
                    self.identities.pass(TeapIdentity::User);
                }
            }
        }
        self.go_on(scene, Words::default(), None)
    }

    /// Asks for the next identity, or comes to the end. The words and the round are of the one before.
    fn go_on(mut self: Box<Self>, scene: &Scene<'_>, words: Words, round: Option<Round>) -> Next {
        let kinds = scene.round.config.teap.identities.iter();
        let open = kinds.copied().find(|kind| self.identities.is_open(*kind));
        let Some(kind) = open else {
            return self.judge(scene, round);
        };
        let Some((by, question)) = By::begin(scene, None) else {
            return self.refuse(InnerRefusal::NothingOffered);
        };
        let words = words.identity(kind).octets(&question);
        let asked = Asked { kind, by };
        self.state = match round {
            Some(round) => State::Bound(round, asked),
            None => State::Asked(asked),
        };
        Next::Say(words.0, Talk::Teap(self))
    }

    /// Everybody has spoken who is to speak.
    fn judge(mut self: Box<Self>, scene: &Scene<'_>, round: Option<Round>) -> Next {
        let [machine, user] = std::mem::take(&mut self.identities).into_proven();
        let (judge, now) = (&**scene.round.judge, scene.round.now);
        match Completed::together(machine, user, scene.device, judge, now) {
            Ok(completed) => self.conclude(scene, round, completed),
            Err(refusal) => self.refuse_about(refusal),
        }
    }

    /// Says that all is well. The last method that was spoken is bound, or nothing if none was.
    fn conclude(
        mut self: Box<Self>,
        scene: &Scene<'_>,
        round: Option<Round>,
        completed: Completed,
    ) -> Next {
        let (words, round) = match (round, self.bound.has_begun()) {
            (Some(round), _) => {
                let words = Words::default().octets(&round.request(&outer(scene)));
                (words.intermediate(), Some(round))
            }
            // The peer had no second identity; a binding of nothing would make it give up.
            (None, true) => (Words::default(), None),
            (None, false) => match self.bound.begin(scene, None) {
                Ok(round) => {
                    let words = Words::default().octets(&round.request(&outer(scene)));
                    (words, Some(round))
                }
                Err(refusal) => return self.refuse_about(refusal),
            },
        };
        self.state = State::Concluding(round, completed);
        Next::Say(words.result(true).0, Talk::Teap(self))
    }

    /// An inner method has come to its end.
    fn proven(mut self: Box<Self>, scene: &Scene<'_>, kind: TeapIdentity, proven: Proven) -> Next {
        let round = match self.bound.begin(scene, Some(&proven)) {
            Ok(round) => round,
            Err(refusal) => return self.refuse_about(refusal),
        };
        self.identities.prove(kind, proven);
        let words = Words::default().octets(&round.request(&outer(scene)));
        self.go_on(scene, words.intermediate(), Some(round))
    }

    fn refuse(self: Box<Self>, why: InnerRefusal) -> Next {
        self.refuse_about(Refusal::of(why))
    }

    /// Says that it is not well; the conversation fails after the peer's answer.
    fn refuse_about(mut self: Box<Self>, refusal: Refusal) -> Next {
        let words = Words::default().result(false).error(code(&refusal.reason));
        self.state = State::Refusing(refusal);
        Next::Say(words.0, Talk::Teap(self))
    }
}
