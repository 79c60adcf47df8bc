//! How somebody is asked for, and what the peer says to it.

use zeroize::Zeroizing;

use super::State;
use super::Teap;
use super::tlv::BASIC_PASSWORD_REQ;
use super::tlv::EAP_PAYLOAD;
use super::tlv::TeapIdentity;
use super::tlv::TeapMessage;
use super::tlv::Words;
use crate::eap::error::InnerRefusal;
use crate::eap::inner;
use crate::eap::inner::InnerEap;
use crate::eap::inner::Said;
use crate::eap::offer::Inner;
use crate::eap::packet;
use crate::eap::packet::Code;
use crate::eap::packet::Packet;
use crate::eap::packet::Type;
use crate::eap::proof::OwnedProof;
use crate::eap::proof::Question;
use crate::eap::talk::Next;
use crate::eap::talk::Scene;
use crate::eap::talk::Talk;
use crate::model::Secret;

/// Somebody who is asked for, and by what.
pub(super) struct Asked {
    pub(super) kind: TeapIdentity,
    pub(super) by: By,
}

/// By what.
pub(super) enum By {
    /// With the identifier of the Request that is out.
    Eap(InnerEap, u8),
    /// Basic-Password-Auth.
    Password,
}

impl By {
    /// Begins to ask: by EAP, by a password without it, or by what is preferred. `None` if it may not
    /// be spoken.
    pub(super) fn begin(
        scene: &Scene<'_>,
        by_eap: Option<bool>,
    ) -> Option<(Self, Zeroizing<Vec<u8>>)> {
        let eap = scene.offer.inner_eap().next().is_some();
        let password = scene.offer.allows(Inner::Pap);
        let by_eap = by_eap.unwrap_or_else(|| eap && !scene.offer.prefers_password());
        match by_eap {
            true if eap => {
                let identifier = scene.round.next;
                let request = packet::request(identifier, Type::IDENTITY, &[]);
                let words = Words::default().tlv(EAP_PAYLOAD, &[&request]);
                Some((Self::Eap(InnerEap::default(), identifier), words.0))
            }
            false if password => {
                let words = Words::default().tlv(BASIC_PASSWORD_REQ, &[PROMPT]);
                Some((Self::Password, words.0))
            }
            true | false => None,
        }
    }

    /// Whether the peer has said nothing yet.
    pub(super) const fn is_fresh(&self) -> bool {
        match self {
            Self::Eap(eap, _) => eap.is_identifying(),
            Self::Password => true,
        }
    }
}

impl Asked {
    /// What is spoken, once that is known.
    pub(super) const fn inner(&self) -> Option<Inner> {
        match &self.by {
            By::Eap(eap, _) => eap.inner(),
            By::Password => Some(Inner::Pap),
        }
    }
}

impl Teap {
    /// What the peer says about whom it was asked for.
    pub(super) fn hear(
        mut self: Box<Self>,
        scene: &Scene<'_>,
        asked: Asked,
        message: &TeapMessage<'_>,
    ) -> Next {
        let Asked { mut kind, by } = asked;
        if let Some(said) = message.identity.filter(|said| *said != kind) {
            // It has none of that kind, but one of the other.
            let asked = scene.round.config.teap.identities.contains(&said);
            if !by.is_fresh() || !asked {
                return self.refuse(InnerRefusal::Order);
            }
            if !self.identities.is_open(said) {
                // Nobody says twice who it is.
                return self.pass(scene, kind);
            }
            self.identities.pass(kind);
            kind = said;
        }
        match (by, message.eap, message.password) {
            (_, Some(_), Some(_)) => self.refuse(InnerRefusal::Credential),
            (By::Eap(eap, expected), Some(octets), None) => {
                let Ok(packet) = Packet::new_checked(octets) else {
                    return self.refuse(InnerRefusal::Malformed("an EAP packet"));
                };
                let (Code::Response, Some(method)) = (packet.code(), packet.kind()) else {
                    return self.refuse(InnerRefusal::Order);
                };
                if packet.identifier() != expected {
                    return self.refuse(InnerRefusal::Order);
                }
                let nobody = method == Type::IDENTITY && packet.data().is_empty();
                if eap.is_identifying() && nobody {
                    return self.pass(scene, kind);
                }
                let said = eap.take(scene, method, packet.data());
                self.say(scene, kind, said, expected)
            }
            (By::Password, None, Some((name, password))) => {
                if name.is_empty() && password.is_empty() {
                    return self.pass(scene, kind);
                }
                match inner::name(scene, name) {
                    Ok(name) => {
                        let proof = OwnedProof::Password(Secret::new(password.to_vec()));
                        let question = Question::new(name, proof, Inner::Pap);
                        let by = By::Password;
                        self.state = State::Asked(Asked { kind, by });
                        Next::Ask(question, Talk::Teap(self))
                    }
                    Err(refusal) => self.refuse_about(refusal),
                }
            }
            // It would rather speak EAP.
            (By::Password, None, None) if message.nak == Some(BASIC_PASSWORD_REQ) => {
                self.ask_by(scene, kind, true)
            }
            (by, None, None) if by.is_fresh() => self.pass(scene, kind),
            (By::Eap(..) | By::Password, ..) => self.refuse(InnerRefusal::Order),
        }
    }

    /// The peer has no identity of this kind.
    fn pass(mut self: Box<Self>, scene: &Scene<'_>, kind: TeapIdentity) -> Next {
        self.identities.pass(kind);
        self.go_on(scene, Words::default(), None)
    }

    /// Wraps what EAP says in answer to a packet with this identifier.
    pub(super) fn say(
        mut self: Box<Self>,
        scene: &Scene<'_>,
        kind: TeapIdentity,
        said: Said,
        answered: u8,
    ) -> Next {
        match said {
            Said::Request(method, data, eap) => {
                let identifier = answered.wrapping_add(1);
                let request = Zeroizing::new(packet::request(identifier, method, &data));
                let by = By::Eap(eap, identifier);
                self.state = State::Asked(Asked { kind, by });
                let words = Words::default().tlv(EAP_PAYLOAD, &[&request]);
                Next::Say(words.0, Talk::Teap(self))
            }
            Said::Ask(question, eap) => {
                let by = By::Eap(eap, answered);
                self.state = State::Asked(Asked { kind, by });
                Next::Ask(question, Talk::Teap(self))
            }
            Said::Proven(proven) => self.proven(scene, kind, proven),
            Said::Refused(refusal) => {
                let none = refusal.reason.is_about_inner_methods();
                if none && scene.may_ask_password() {
                    return self.ask_by(scene, kind, false);
                }
                self.refuse_about(refusal)
            }
        }
    }

    /// Asks for the same identity by EAP, or by a password without it.
    fn ask_by(mut self: Box<Self>, scene: &Scene<'_>, kind: TeapIdentity, eap: bool) -> Next {
        let Some((by, question)) = By::begin(scene, Some(eap)) else {
            return self.refuse(InnerRefusal::NothingOffered);
        };
        self.state = State::Asked(Asked { kind, by });
        let words = Words::default().identity(kind).octets(&question);
        Next::Say(words.0, Talk::Teap(self))
    }
}

/// What a person may be shown.
const PROMPT: &[u8] = b"Password: ";
