//! PEAP version 0 inside of its tunnel ([MS-PEAP] section 3.1.5): EAP packets without their header,
//! then a Result of both sides.
//!
//! ```text
//! Greeting --identity, method--> Completed --> Request/Result, binding --> Response --> success
//!                                   +-- Refusal --> Request/Result failure --> Response --> failure
//! ```

use zeroize::Zeroizing;

use super::config::TlsVersion;
use super::error::InnerRefusal;
use super::error::Silence;
use super::inner::InnerEap;
use super::inner::Said;
use super::key::Keys;
use super::offer::Inner;
use super::packet::Packet;
use super::packet::Type;
use super::principal::Principal;
use super::proof::Completed;
use super::proof::Refusal;
use super::proof::Verified;
use super::talk::Next;
use super::talk::Scene;
use super::talk::Talk;
pub(crate) use binding::Binding;
pub use extension::Extensions;

mod binding;
pub(crate) mod extension;

/// What was said so far.
#[derive(Default)]
pub(super) struct Peap {
    state: State,
}

#[derive(Default)]
enum State {
    /// The peer has to acknowledge our Finished.
    #[default]
    Greeting,
    Eap(InnerEap),
    /// Our Result is out.
    Concluding(Box<Conclusion>),
    /// That of a refusal is.
    Refusing(Refusal),
}

struct Conclusion {
    completed: Completed,
    nonce: [u8; 32],
    binding: Binding,
    /// Those of the tunnel.
    keys: Box<Keys>,
    /// Whether no method was spoken, because the tunnel is one of an earlier conversation.
    resumed: bool,
}

impl Peap {
    /// The tunnel is complete. In TLS 1.3 it is our turn, in TLS 1.2 the peer's.
    pub(super) fn begin(self, version: Option<TlsVersion>, inside: &[u8]) -> Next {
        match version {
            _ if !inside.is_empty() => Next::Fail(Refusal::of(InnerRefusal::Order)),
            Some(TlsVersion::Tls13) => greet(),
            Some(TlsVersion::Tls12) | None => Next::Say(Zeroizing::default(), Talk::Peap(self)),
        }
    }

    /// The tunnel is that of an earlier conversation, whose method need not be spoken again
    /// (section 3.3.7.1).
    pub(super) fn again(scene: &Scene<'_>, completed: Completed) -> Next {
        conclude(scene, completed, true)
    }

    /// The peer's turn.
    pub(super) fn take(self, scene: &Scene<'_>, inside: &[u8]) -> Next {
        let said = Heard::parse(inside, scene.round.answers);
        match (self.state, said) {
            (State::Greeting, None) if inside.is_empty() => greet(),
            (State::Eap(eap), Some(Heard::Packet(kind, data))) => {
                say(scene, eap.take(scene, kind, data))
            }
            (State::Concluding(conclusion), Some(Heard::Extensions(extensions))) => {
                conclusion.end(scene, &extensions)
            }
            // It would rather say again who it is.
            (State::Concluding(conclusion), _) if conclusion.resumed => greet(),
            (State::Refusing(refusal), _) => Next::Fail(refusal),
            (State::Greeting | State::Eap(_) | State::Concluding(_), _) => {
                refuse(scene, Refusal::of(InnerRefusal::Order))
            }
        }
    }

    /// Goes on with what the directory says.
    pub(super) fn answered(self, scene: &Scene<'_>, answered: Result<Verified, Refusal>) -> Next {
        match self.state {
            State::Eap(eap) => say(scene, eap.answered(scene, answered)),
            State::Greeting | State::Concluding(_) | State::Refusing(_) => {
                Next::Fail(Refusal::internal("an answer to no question"))
            }
        }
    }

    pub(super) const fn inner(&self) -> Option<Inner> {
        match &self.state {
            State::Greeting | State::Refusing(_) => None,
            State::Eap(eap) => eap.inner(),
            State::Concluding(conclusion) => conclusion.completed.inners()[0],
        }
    }

    /// Who the peer has proved to be so far.
    pub(super) fn proved(&self) -> Option<Principal> {
        match &self.state {
            State::Concluding(conclusion) => Some(conclusion.completed.principal().clone()),
            State::Greeting | State::Eap(_) | State::Refusing(_) => None,
        }
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(super) fn abandon(self) -> Refusal {
        match self.state {
            State::Refusing(refusal) => refusal,
            State::Concluding(_) => Refusal::of(Silence::Binding),
            State::Eap(eap) => eap.abandon(),
            State::Greeting => Refusal::of(Silence::Tunnel),
        }
    }

    pub(super) const fn is_light(&self) -> bool {
        match &self.state {
            State::Eap(eap) => eap.is_light(),
            State::Greeting | State::Concluding(_) | State::Refusing(_) => true,
        }
    }
}

/// What a peer says in one turn.
enum Heard<'a> {
    Packet(Type, &'a [u8]),
    Extensions(Extensions<'a>),
}

impl<'a> Heard<'a> {
    /// Reads a packet whose header is left out, or stands there (section 3.1.5.6); that of the
    /// Extensions method must.
    fn parse(inside: &'a [u8], identifier: u8) -> Option<Self> {
        let headed = match inside {
            [RESPONSE, answered, high, low, ..] => {
                *answered == identifier
                    && usize::from(u16::from_be_bytes([*high, *low])) == inside.len()
            }
            _ => false,
        };
        if !headed {
            let ([kind], data) = inside.split_first_chunk::<1>()?;
            let kind = Type(*kind);
            return (kind != Type::EXTENSIONS).then_some(Self::Packet(kind, data));
        }
        let packet = Packet::new_checked(inside).ok()?;
        match packet.kind()? {
            Type::EXTENSIONS => Extensions::parse(packet.data()).map(Self::Extensions),
            kind => Some(Self::Packet(kind, packet.data())),
        }
    }
}

/// Asks who the peer is.
fn greet() -> Next {
    let state = State::Eap(InnerEap::default());
    let words = Zeroizing::new(vec![Type::IDENTITY.0]);
    Next::Say(words, Talk::Peap(Peap { state }))
}

/// Wraps what EAP says.
fn say(scene: &Scene<'_>, said: Said) -> Next {
    match said {
        Said::Request(kind, data, eap) => {
            let mut words = Zeroizing::new(Vec::with_capacity(data.len() + 1));
            words.push(kind.0);
            words.extend_from_slice(&data);
            let state = State::Eap(eap);
            Next::Say(words, Talk::Peap(Peap { state }))
        }
        Said::Ask(question, eap) => {
            let state = State::Eap(eap);
            Next::Ask(question, Talk::Peap(Peap { state }))
        }
        Said::Proven(proven) => match Completed::alone(proven) {
            Ok(completed) => conclude(scene, completed, false),
            Err(refusal) => refuse(scene, refusal),
        },
        Said::Refused(refusal) => refuse(scene, refusal),
    }
}

/// Says that all is well, and binds the tunnel to what was spoken inside.
fn conclude(scene: &Scene<'_>, completed: Completed, resumed: bool) -> Next {
    let keys = match scene.keys() {
        Ok(keys) => keys,
        Err(refusal) => return Next::Fail(refusal),
    };
    let nonce = match scene.round.config.random::<32>() {
        Ok(nonce) => nonce,
        Err(error) => return Next::Fail(Refusal::internal(&error.to_string())),
    };
    let binding = if resumed {
        Binding::resumed(keys.tunnel_key())
    } else {
        Binding::new(keys.tunnel_key(), completed.key())
    };
    let words = extension::result(scene.round.next, true, &binding.tlv(&nonce, false));
    let state = State::Concluding(Box::new(Conclusion {
        completed,
        nonce,
        binding,
        keys,
        resumed,
    }));
    Next::Say(words, Talk::Peap(Peap { state }))
}

/// Says that it is not; the conversation fails after the peer's answer.
fn refuse(scene: &Scene<'_>, refusal: Refusal) -> Next {
    let words = extension::result(scene.round.next, false, &[]);
    let state = State::Refusing(refusal);
    Next::Say(words, Talk::Peap(Peap { state }))
}

impl Conclusion {
    /// The peer's Result.
    fn end(self, scene: &Scene<'_>, said: &Extensions<'_>) -> Next {
        let refused = |why| refuse(scene, Refusal::of(why));
        match (said.success, said.binding) {
            (Some(true), Some(value)) if self.binding.holds(&self.nonce, value) => {
                let keys = self.keys.bound(&self.binding.keys());
                Next::Succeed(self.completed, Box::new(keys))
            }
            (Some(true), Some(_)) => refused(InnerRefusal::Binding),
            (Some(true), None) if scene.round.config.tunnel.require_binding => {
                refused(InnerRefusal::Unbound)
            }
            (Some(true), None) => Next::Succeed(self.completed, self.keys),
            (Some(false) | None, _) if self.resumed => greet(),
            (Some(false) | None, _) => refused(InnerRefusal::Result),
        }
    }
}

const RESPONSE: u8 = 2;
