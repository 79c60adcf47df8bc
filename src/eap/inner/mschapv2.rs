//! EAP-MSCHAPv2 (draft-kamath-pppext-eap-mschapv2-02 section 2), server side, inside of a tunnel.
//!
//! ```text
//! Challenge --> Response --password, verdict--> Success Request --> Success Response --> Proven
//!                               +--no--> Failure Request --any response--> Refused
//! ```
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Said;
use super::State;
use crate::eap::error::FailureReason;
use crate::eap::error::InnerRefusal;
use crate::eap::error::Silence;
use crate::eap::mschapv2;
use crate::eap::offer::Inner;
use crate::eap::packet::Type;
use crate::eap::proof::Admitted;
use crate::eap::proof::InnerKey;
use crate::eap::proof::OwnedProof;
use crate::eap::proof::Proven;
use crate::eap::proof::Question;
use crate::eap::proof::Refusal;
use crate::eap::proof::Verified;
use crate::eap::talk::Scene;

/// The exchange, the peer's turn.
pub(in crate::eap) struct MsChapV2 {
    /// MS-CHAPv2-ID.
    identifier: u8,
    name: Arc<str>,
    state: Step,
}

enum Step {
    Challenged([u8; 16]),
    Asking(Box<Login>),
    /// The peer has to accept our side.
    Succeeding(Admitted, InnerKey),
    /// The peer has been told why not.
    Failing(Refusal),
}

/// What the peer's answer is made of.
struct Login {
    challenge: [u8; 16],
    peer_challenge: [u8; 16],
    response: [u8; 24],
    name: Box<[u8]>,
}

/// What follows on a packet.
pub(in crate::eap) enum Taken {
    Ask(Question, MsChapV2),
    Proven(Proven),
    Refused(Refusal),
}

impl MsChapV2 {
    /// Challenges the peer.
    pub(in crate::eap) fn challenge(
        scene: &Scene<'_>,
        name: Arc<str>,
    ) -> Result<(Zeroizing<Vec<u8>>, Self), Refusal> {
        let challenge = scene.round.config.random::<16>();
        let challenge = challenge.map_err(|error| Refusal::internal(&error.to_string()))?;
        let identifier = scene.round.next;
        let data = encode(CHALLENGE, identifier, &[&[16], &challenge, SERVER_NAME]);
        let method = Self {
            identifier,
            name,
            state: Step::Challenged(challenge),
        };
        Ok((data, method))
    }

    /// Takes what follows the Type.
    pub(in crate::eap) fn take(self, data: &[u8]) -> Taken {
        match self.state {
            Step::Challenged(challenge) => match Login::parse(data, challenge, self.identifier) {
                Ok(login) if same_account(&login.name, &self.name) => {
                    let proof = OwnedProof::MsChap {
                        challenge: login.login().challenge_hash(),
                        response: login.response,
                    };
                    let name = Arc::clone(&self.name);
                    let question = Question::new(name, proof, Inner::MsChapV2);
                    let state = Step::Asking(Box::new(login));
                    Taken::Ask(question, Self { state, ..self })
                }
                Ok(_) => self.refused(InnerRefusal::OtherName),
                Err(why) => self.refused(why),
            },
            Step::Succeeding(admitted, key) if data == [SUCCESS] => {
                Taken::Proven(admitted.complete(Inner::MsChapV2, key))
            }
            Step::Succeeding(..) => {
                Taken::Refused(Refusal::of(InnerRefusal::Distrust).named(&self.name))
            }
            Step::Failing(refusal) => Taken::Refused(refusal),
            Step::Asking(_) => self.refused(InnerRefusal::Order),
        }
    }

    /// Goes on with what the directory says.
    pub(super) fn answered(self, scene: &Scene<'_>, answered: Result<Verified, Refusal>) -> Said {
        let Step::Asking(login) = self.state else {
            return Said::Refused(Refusal::internal("an answer to no question"));
        };
        let admitted = answered.and_then(|verified| scene.admit(verified));
        let (data, state) = match admitted {
            Ok((admitted, Some(key))) => {
                let login = login.login();
                let keys = login.session_keys(&key);
                let mut inner = InnerKey::default();
                let both = keys.receive.iter().chain(keys.send.iter());
                inner
                    .iter_mut()
                    .zip(both)
                    .for_each(|(to, from)| *to = *from);
                let proof = login.authenticator_response(&key);
                let data = encode(SUCCESS, self.identifier, &[&proof, b" M=OK"]);
                (data, Step::Succeeding(admitted, inner))
            }
            Ok((_, None)) => {
                let why = "the directory gives no key for MSCHAPv2";
                return Said::Refused(Refusal::internal(why));
            }
            Err(refusal) => {
                let text = failure_text(&refusal.reason, &login.challenge);
                let data = encode(FAILURE, self.identifier, &[text.as_bytes()]);
                (data, Step::Failing(refusal))
            }
        };
        let name = Arc::clone(&self.name);
        let method = super::Method::MsChapV2(Self { state, ..self });
        let state = State::Speaking(name, method);
        Said::Request(Type::MSCHAPV2, data, super::InnerEap { state })
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(super) fn abandon(self) -> Refusal {
        match self.state {
            Step::Failing(refusal) => refusal,
            Step::Challenged(_) | Step::Asking(_) | Step::Succeeding(..) => {
                Refusal::of(Silence::Inside(Inner::MsChapV2)).named(&self.name)
            }
        }
    }

    fn refused(&self, why: InnerRefusal) -> Taken {
        Taken::Refused(Refusal::of(why).named(&self.name))
    }
}

impl Login {
    /// A Response packet: Value-Size 49, Peer-Challenge, eight reserved octets, NT-Response, Flags,
    /// Name.
    fn parse(data: &[u8], challenge: [u8; 16], expected: u8) -> Result<Self, InnerRefusal> {
        let malformed = InnerRefusal::Malformed("a packet of EAP-MSCHAPv2");
        let Some(([code, identifier, high, low], rest)) = data.split_first_chunk::<4>() else {
            return Err(malformed);
        };
        if *code != RESPONSE || *identifier != expected {
            return Err(InnerRefusal::Order);
        }
        if usize::from(u16::from_be_bytes([*high, *low])) != data.len() {
            return Err(malformed);
        }
        let parse = || {
            let (&[49], rest) = rest.split_first_chunk::<1>()? else {
                return None;
            };
            let (peer_challenge, rest) = rest.split_first_chunk::<16>()?;
            let (_reserved, rest) = rest.split_first_chunk::<8>()?;
            let (response, rest) = rest.split_first_chunk::<24>()?;
            let (_flags, name) = rest.split_first_chunk::<1>()?;
            Some(Self {
                challenge,
                peer_challenge: *peer_challenge,
                response: *response,
                name: name.into(),
            })
        };
        parse().ok_or(malformed)
    }

    fn login(&self) -> mschapv2::MsChapV2<'_> {
        mschapv2::MsChapV2 {
            challenge: &self.challenge,
            peer_challenge: &self.peer_challenge,
            response: &self.response,
            name: &self.name,
        }
    }
}

/// Whether the method names the account of the identity before it: without a domain before a
/// backslash and without case, as names of accounts compare.
fn same_account(sent: &[u8], identity: &str) -> bool {
    let account = |name: &[u8]| -> Vec<u8> {
        let begin = name.iter().rposition(|octet| *octet == b'\\');
        let begin = begin.map_or(0, |at| at.saturating_add(1));
        name.get(begin..).unwrap_or(&[]).to_ascii_lowercase()
    };
    account(sent) == account(identity.as_bytes())
}

/// What the peer is told (RFC 2759 section 6): 691, the password is wrong; 649, it is right and there
/// is no access for this device. Never another try.
fn failure_text(reason: &FailureReason, challenge: &[u8; 16]) -> String {
    let error = if *reason == FailureReason::Blocked {
        "E=649"
    } else {
        "E=691"
    };
    let mut text = format!("{error} R=0 C=");
    for octet in challenge {
        text.push_str(&format!("{octet:02X}"));
    }
    text.push_str(" V=3 M=Access denied");
    text
}

/// OpCode, MS-CHAPv2-ID, MS-Length and the rest.
fn encode(code: u8, identifier: u8, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let length = u16::try_from(length.saturating_add(4)).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let mut data = Zeroizing::new(vec![code, identifier, high, low]);
    for part in parts {
        data.extend_from_slice(part);
    }
    data
}

const CHALLENGE: u8 = 1;
const RESPONSE: u8 = 2;
const SUCCESS: u8 = 3;
const FAILURE: u8 = 4;

/// Our name in a Challenge, which nobody looks at.
const SERVER_NAME: &[u8] = b"portreeve";
