//! EAP-TTLS version 0 inside of its tunnel (RFC 5281 sections 7 and 11): the peer speaks first.
//!
//! A password in whatever form, or EAP. The challenges of CHAP, MSCHAP and MSCHAPv2 are not sent:
//! both sides take them from the tunnel (section 11.1), so that an answer that somebody relays from
//! elsewhere is to another challenge.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::InnerRefusal;
use super::error::Silence;
use super::inner;
use super::inner::InnerEap;
use super::inner::Said;
use super::mschapv2;
use super::offer::Inner;
use super::packet;
use super::packet::Code;
use super::packet::Packet;
use super::principal::Principal;
use super::proof::Admitted;
use super::proof::Completed;
use super::proof::InnerKey;
use super::proof::OwnedProof;
use super::proof::Proven;
use super::proof::Question;
use super::proof::Refusal;
use super::proof::Verified;
use super::talk::Next;
use super::talk::Scene;
use super::talk::Talk;
use crate::model::Secret;
pub use avp::Avp;
pub use avp::Avps;
pub use avp::BadAvp;
pub(crate) use avp::push;
use message::Credential;
use message::Message;

mod avp;
mod message;

/// What was said so far.
#[derive(Default)]
pub(super) struct Ttls {
    state: State,
}

#[derive(Default)]
enum State {
    /// The peer has to say who it is.
    #[default]
    Waiting,
    /// A directory is asked about a password that was sent in this form.
    Asking(Inner, Option<Box<Login>>),
    /// The peer has to accept our side of MSCHAPv2; an empty packet does.
    Confirming(Admitted),
    /// With the identifier of the Request that is out.
    Eap(InnerEap, u8),
}

/// An answer of MSCHAPv2.
struct Login {
    identifier: u8,
    challenge: [u8; 16],
    peer_challenge: [u8; 16],
    response: [u8; 24],
    name: Arc<str>,
}

impl Ttls {
    /// The tunnel is complete; the peer may have spoken already (section 7.4).
    pub(super) fn begin(self, scene: &Scene<'_>, inside: &[u8]) -> Next {
        if inside.is_empty() {
            return Next::Say(Zeroizing::default(), Talk::Ttls(self));
        }
        self.take(scene, inside)
    }

    /// The peer's turn.
    pub(super) fn take(self, scene: &Scene<'_>, inside: &[u8]) -> Next {
        match self.state {
            // It only acknowledges our Finished.
            State::Waiting if inside.is_empty() => {
                Next::Say(Zeroizing::default(), Talk::Ttls(self))
            }
            State::Waiting => match Message::parse(inside) {
                Ok(message) => hear(scene, &message),
                Err(why) => Next::Fail(Refusal::of(why)),
            },
            State::Confirming(admitted) if inside.is_empty() => succeed(
                scene,
                admitted.complete(Inner::MsChapV2, InnerKey::default()),
            ),
            State::Eap(eap, identifier) => match Message::parse(inside) {
                Ok(message) => match message.credential() {
                    Ok(Credential::Eap(octets)) => packet(scene, eap, octets, Some(identifier)),
                    Ok(_) => Next::Fail(Refusal::of(InnerRefusal::Order)),
                    Err(why) => Next::Fail(Refusal::of(why)),
                },
                Err(why) => Next::Fail(Refusal::of(why)),
            },
            State::Asking(..) | State::Confirming(_) => {
                Next::Fail(Refusal::of(InnerRefusal::Order))
            }
        }
    }

    /// Who the peer has proved to be so far.
    pub(super) fn proved(&self) -> Option<Principal> {
        match &self.state {
            State::Confirming(admitted) => Some(admitted.principal().clone()),
            State::Waiting | State::Asking(..) | State::Eap(..) => None,
        }
    }

    /// Where the peer has fallen silent.
    pub(super) fn abandon(self) -> Refusal {
        match self.state {
            State::Waiting => Refusal::of(Silence::Tunnel),
            State::Eap(eap, _) => eap.abandon(),
            State::Confirming(_) => Refusal::of(Silence::Inside(Inner::MsChapV2)),
            State::Asking(..) => Refusal::of(Silence::Overload),
        }
    }

    /// Goes on with what the directory says.
    pub(super) fn answered(self, scene: &Scene<'_>, answered: Result<Verified, Refusal>) -> Next {
        match self.state {
            State::Asking(inner, login) => {
                let admitted = answered.and_then(|verified| scene.admit(verified));
                match (admitted, login) {
                    (Err(refusal), _) => Next::Fail(refusal),
                    (Ok((admitted, _)), None) => {
                        succeed(scene, admitted.complete(inner, InnerKey::default()))
                    }
                    (Ok((_, None)), Some(_)) => {
                        Next::Fail(Refusal::internal("the directory gives no key for MSCHAPv2"))
                    }
                    (Ok((admitted, Some(key))), Some(login)) => {
                        let proof = login.login().authenticator_response(&key);
                        let value = [&[login.identifier][..], &proof].concat();
                        let mut words = Zeroizing::default();
                        push(&mut words, MICROSOFT, MS_CHAP2_SUCCESS, &value);
                        let state = State::Confirming(admitted);
                        Next::Say(words, Talk::Ttls(Self { state }))
                    }
                }
            }
            State::Eap(eap, identifier) => say(scene, eap.answered(scene, answered), identifier),
            State::Waiting | State::Confirming(_) => {
                Next::Fail(Refusal::internal("an answer to no question"))
            }
        }
    }

    pub(super) const fn inner(&self) -> Option<Inner> {
        match &self.state {
            State::Waiting => None,
            State::Asking(inner, _) => Some(*inner),
            State::Confirming(_) => Some(Inner::MsChapV2),
            State::Eap(eap, _) => eap.inner(),
        }
    }

    pub(super) const fn is_light(&self) -> bool {
        match &self.state {
            State::Eap(eap, _) => eap.is_light(),
            State::Waiting | State::Asking(..) | State::Confirming(_) => true,
        }
    }
}

impl Login {
    fn login(&self) -> mschapv2::MsChapV2<'_> {
        mschapv2::MsChapV2 {
            challenge: &self.challenge,
            peer_challenge: &self.peer_challenge,
            response: &self.response,
            name: self.name.as_bytes(),
        }
    }
}

/// The peer's first words: who it is, and what shows it.
fn hear(scene: &Scene<'_>, message: &Message<'_>) -> Next {
    let credential = match message.credential() {
        Ok(credential) => credential,
        Err(why) => return Next::Fail(Refusal::of(why)),
    };
    if let Credential::Eap(octets) = credential {
        return packet(scene, InnerEap::default(), octets, None);
    }
    let asked = inner::name(scene, message.user.unwrap_or(&[]))
        .and_then(|name| ask(scene, &credential, name));
    match asked {
        Ok((question, login)) => {
            let state = State::Asking(question.inner(), login);
            Next::Ask(question, Talk::Ttls(Ttls { state }))
        }
        Err(refusal) => Next::Fail(refusal),
    }
}

fn ask(
    scene: &Scene<'_>,
    credential: &Credential<'_>,
    name: Arc<str>,
) -> Result<(Question, Option<Box<Login>>), Refusal> {
    let inner = credential.inner();
    if !scene.offer.allows(inner) {
        return Err(Refusal::of(InnerRefusal::Off(inner)).named(&name));
    }
    let internal = |error: rustls::Error| Refusal::internal(&error.to_string());
    let other = || Refusal::of(InnerRefusal::Challenge).named(&name);
    let (proof, login) = match *credential {
        Credential::Pap(password) => (OwnedProof::Password(Secret::new(password.into())), None),
        Credential::Chap {
            challenge,
            identifier,
            response,
        } => {
            let expected = scene.tunnel.export::<17>(CHALLENGE).map_err(internal)?;
            let sent = [challenge, &[identifier][..]].concat();
            if !bool::from(expected.ct_eq(&sent)) {
                return Err(other());
            }
            let proof = OwnedProof::Chap {
                identifier,
                challenge: *challenge,
                response: *response,
            };
            (proof, None)
        }
        Credential::MsChap {
            challenge,
            identifier,
            response,
        } => {
            let expected = scene.tunnel.export::<9>(CHALLENGE).map_err(internal)?;
            let sent = [challenge, &[identifier][..]].concat();
            if !bool::from(expected.ct_eq(&sent)) {
                return Err(other());
            }
            let proof = OwnedProof::MsChap {
                challenge: *challenge,
                response: *response,
            };
            (proof, None)
        }
        Credential::MsChapV2 {
            challenge,
            identifier,
            peer_challenge,
            response,
        } => {
            let expected = scene.tunnel.export::<17>(CHALLENGE).map_err(internal)?;
            let sent = [challenge, &[identifier][..]].concat();
            if !bool::from(expected.ct_eq(&sent)) {
                return Err(other());
            }
            let login = Box::new(Login {
                identifier,
                challenge: *challenge,
                peer_challenge: *peer_challenge,
                response: *response,
                name: Arc::clone(&name),
            });
            let proof = OwnedProof::MsChap {
                challenge: login.login().challenge_hash(),
                response: login.response,
            };
            (proof, Some(login))
        }
        Credential::Eap(_) => return Err(Refusal::internal("EAP is no password")),
    };
    Ok((Question::new(name, proof, inner), login))
}

/// An EAP packet of the peer, in answer to the Request with this identifier if there was one.
fn packet(scene: &Scene<'_>, eap: InnerEap, octets: &[u8], expected: Option<u8>) -> Next {
    let Ok(packet) = Packet::new_checked(octets) else {
        return Next::Fail(Refusal::of(InnerRefusal::Malformed("an EAP packet")));
    };
    let fits = expected.is_none_or(|expected| expected == packet.identifier());
    match (packet.code(), packet.kind()) {
        (Code::Response, Some(kind)) if fits => {
            let said = eap.take(scene, kind, packet.data());
            say(scene, said, packet.identifier())
        }
        _ => Next::Fail(Refusal::of(InnerRefusal::Order)),
    }
}

/// Wraps what EAP says in answer to a packet with this identifier.
fn say(scene: &Scene<'_>, said: Said, answered: u8) -> Next {
    match said {
        Said::Request(kind, data, eap) => {
            let identifier = answered.wrapping_add(1);
            let request = Zeroizing::new(packet::request(identifier, kind, &data));
            let mut words = Zeroizing::default();
            push(&mut words, 0, EAP_MESSAGE, &request);
            let state = State::Eap(eap, identifier);
            Next::Say(words, Talk::Ttls(Ttls { state }))
        }
        Said::Ask(question, eap) => {
            let state = State::Eap(eap, answered);
            Next::Ask(question, Talk::Ttls(Ttls { state }))
        }
        Said::Proven(proven) => succeed(scene, proven),
        Said::Refused(refusal) => Next::Fail(refusal),
    }
}

fn succeed(scene: &Scene<'_>, proven: Proven) -> Next {
    match Completed::alone(proven).and_then(|completed| Ok((completed, scene.keys()?))) {
        Ok((completed, keys)) => Next::Succeed(completed, keys),
        Err(refusal) => Next::Fail(refusal),
    }
}

/// RFC 5281 section 11.1: 17 octets of CHAP and MSCHAPv2, 9 of MSCHAP.
pub(crate) const CHALLENGE: &[u8] = b"ttls challenge";

/// Attributes of RADIUS and of Microsoft's (RFC 2865, RFC 2548).
pub(crate) const USER_NAME: u32 = 1;
pub(crate) const USER_PASSWORD: u32 = 2;
pub(crate) const CHAP_PASSWORD: u32 = 3;
pub(crate) const CHAP_CHALLENGE: u32 = 60;
pub(crate) const EAP_MESSAGE: u32 = 79;
pub(crate) const MICROSOFT: u32 = 311;
pub(crate) const MS_CHAP_RESPONSE: u32 = 1;
pub(crate) const MS_CHAP_CHALLENGE: u32 = 11;
pub(crate) const MS_CHAP2_RESPONSE: u32 = 25;
pub(crate) const MS_CHAP2_SUCCESS: u32 = 26;
