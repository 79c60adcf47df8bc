//! EAP inside of a tunnel: who the peer is, then one method. The tunnel decides how packets are
//! wrapped; here a packet is its type and its data.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::FailureReason;
use super::error::InnerRefusal;
use super::error::Silence;
use super::fragment::START_DATA;
use super::gate::Judge;
use super::gate::Peer;
use super::method::Wanted;
use super::offer::Inner;
use super::offer::Outer;
use super::packet::Type;
use super::principal::Principal;
use super::proof::OwnedProof;
use super::proof::Proven;
use super::proof::Question;
use super::proof::Refusal;
use super::proof::Verified;
use super::talk::Scene;
use super::tls;
use super::tls::EapTls;
use crate::model::Secret;
use crate::model::Verdict;
use mschapv2::MsChapV2;

pub(super) mod mschapv2;

/// An EAP conversation inside of a tunnel, the peer's turn.
pub(super) struct InnerEap {
    state: State,
}

enum State {
    /// The identity is due.
    Identifying {
        /// Whether it was empty before.
        again: bool,
    },
    /// A method was proposed, which the peer may refuse.
    Proposed(Arc<str>, Method, Vec<Inner>),
    Speaking(Arc<str>, Method),
    /// A directory is asked.
    Asking(Method),
}

enum Method {
    MsChapV2(MsChapV2),
    Gtc,
    Tls(Box<EapTls>),
}

/// What follows on a packet or on an answer.
pub(super) enum Said {
    /// The next Request.
    Request(Type, Zeroizing<Vec<u8>>, InnerEap),
    Ask(Question, InnerEap),
    /// The method has come to its end.
    Proven(Proven),
    Refused(Refusal),
}

impl Default for InnerEap {
    fn default() -> Self {
        Self {
            state: State::Identifying { again: false },
        }
    }
}

impl InnerEap {
    /// What is spoken, once that is known.
    pub(super) const fn inner(&self) -> Option<Inner> {
        match &self.state {
            State::Identifying { .. } => None,
            State::Proposed(_, method, _) | State::Speaking(_, method) | State::Asking(method) => {
                Some(match method {
                    Method::MsChapV2(_) => Inner::MsChapV2,
                    Method::Gtc => Inner::Gtc,
                    Method::Tls(_) => Inner::Tls,
                })
            }
        }
    }

    /// Whether nothing was said yet but the question who the peer is.
    pub(super) const fn is_identifying(&self) -> bool {
        matches!(self.state, State::Identifying { .. })
    }

    /// Where the peer has fallen silent, or why it was refused.
    pub(super) fn abandon(self) -> Refusal {
        match self.state {
            State::Identifying { .. } => Refusal::of(Silence::Tunnel),
            State::Proposed(name, method, _) | State::Speaking(name, method) => {
                method.abandon(&name)
            }
            State::Asking(_) => Refusal::of(Silence::Overload),
        }
    }

    /// Whether the peer's turn takes symmetric cryptography only.
    pub(super) const fn is_light(&self) -> bool {
        match &self.state {
            State::Proposed(_, Method::Tls(_), _) | State::Speaking(_, Method::Tls(_)) => false,
            State::Identifying { .. }
            | State::Proposed(..)
            | State::Speaking(..)
            | State::Asking(_) => true,
        }
    }

    /// Takes the peer's Response.
    pub(super) fn take(self, scene: &Scene<'_>, kind: Type, data: &[u8]) -> Said {
        match self.state {
            State::Identifying { again } if kind == Type::IDENTITY => identify(scene, data, again),
            State::Proposed(name, method, tried) => match Wanted::of(kind, data) {
                Some(wanted) => propose(scene, name, Some(&wanted), tried),
                None if kind == method.kind() => speak(scene, name, method, data),
                None => refuse(InnerRefusal::Order, &name),
            },
            State::Speaking(name, method) if kind == method.kind() => {
                speak(scene, name, method, data)
            }
            State::Speaking(name, _) => refuse(InnerRefusal::Order, &name),
            State::Identifying { .. } | State::Asking(_) => {
                Said::Refused(Refusal::of(InnerRefusal::Order))
            }
        }
    }

    /// Goes on with what the directory says.
    pub(super) fn answered(self, scene: &Scene<'_>, answered: Result<Verified, Refusal>) -> Said {
        match self.state {
            State::Asking(Method::MsChapV2(method)) => method.answered(scene, answered),
            State::Asking(Method::Gtc) => {
                match answered.and_then(|verified| scene.admit(verified)) {
                    Ok((admitted, _)) => {
                        Said::Proven(admitted.complete(Inner::Gtc, Zeroizing::default()))
                    }
                    Err(refusal) => Said::Refused(refusal),
                }
            }
            State::Asking(Method::Tls(_))
            | State::Identifying { .. }
            | State::Proposed(..)
            | State::Speaking(..) => Said::Refused(Refusal::internal("an answer to no question")),
        }
    }
}

impl Method {
    const fn kind(&self) -> Type {
        match self {
            Self::MsChapV2(_) => Type::MSCHAPV2,
            Self::Gtc => Type::GTC,
            Self::Tls(_) => Type::TLS,
        }
    }

    fn abandon(self, name: &Arc<str>) -> Refusal {
        match self {
            Self::MsChapV2(method) => method.abandon(),
            Self::Gtc => Refusal::of(Silence::Inside(Inner::Gtc)).named(name),
            Self::Tls(method) => {
                let reason = method.abandon();
                if matches!(reason, FailureReason::Silence(_)) {
                    return Refusal::of(Silence::Inside(Inner::Tls)).named(name);
                }
                refused_tls(reason, &method, name)
            }
        }
    }
}

/// The peer says who it is.
fn identify(scene: &Scene<'_>, data: &[u8], again: bool) -> Said {
    if data.is_empty() && !again {
        // Some supplicants ask a person and send nothing meanwhile.
        let state = State::Identifying { again: true };
        return Said::Request(Type::IDENTITY, Zeroizing::default(), InnerEap { state });
    }
    match name(scene, data) {
        Ok(name) => propose(scene, name, None, Vec::new()),
        Err(refusal) => Said::Refused(refusal),
    }
}

/// A name said inside of the tunnel, if it may stand beside the one outside.
pub(super) fn name(scene: &Scene<'_>, octets: &[u8]) -> Result<Arc<str>, Refusal> {
    let text = std::str::from_utf8(octets).ok();
    let Some(name) = text.filter(|name| !name.is_empty() && name.len() <= MAX_NAME) else {
        return Err(Refusal::of(InnerRefusal::Name));
    };
    let name = Arc::<str>::from(name);
    if scene.round.config.tunnel.same_realm && !scene.identity.may_stand_for(&name) {
        return Err(Refusal::of(InnerRefusal::Realm).named(&name));
    }
    Ok(name)
}

/// Proposes the first method of the offer that has not been proposed, that the peer wants if it has said
/// what it wants, and by which the user's password can be told as it is stored. Where there is none of
/// those, one by which it cannot: whoever is refused learns no sooner than with a wrong password.
fn propose(
    scene: &Scene<'_>,
    name: Arc<str>,
    wanted: Option<&Wanted>,
    mut tried: Vec<Inner>,
) -> Said {
    let suits = |inner: Inner| {
        let proof = inner.proof();
        proof.is_none_or(|kind| scene.round.judge.suits(&name, kind))
    };
    let open = || {
        scene.offer.inner_eap().filter(|(inner, kind)| {
            !tried.contains(inner) && wanted.is_none_or(|wanted| wanted.types().contains(kind))
        })
    };
    let next = open().find(|(inner, _)| suits(*inner)).or_else(|| {
        open()
            .next()
            .filter(|_| !(scene.may_ask_password() && suits(Inner::Pap)))
    });
    let Some((inner, kind)) = next else {
        return refuse(
            match wanted {
                Some(wanted) => InnerRefusal::Refused(wanted.clone()),
                None => InnerRefusal::NothingOffered,
            },
            &name,
        );
    };
    tried.push(inner);
    let (data, method) = match inner {
        Inner::MsChapV2 => match MsChapV2::challenge(scene, Arc::clone(&name)) {
            Ok((data, method)) => (data, Method::MsChapV2(method)),
            Err(refusal) => return Said::Refused(refusal),
        },
        Inner::Gtc => (Zeroizing::new(b"Password: ".to_vec()), Method::Gtc),
        Inner::Tls => {
            let method = Method::Tls(Box::new(EapTls::new(scene.room)));
            (Zeroizing::new(START_DATA.to_vec()), method)
        }
        Inner::Pap | Inner::Chap | Inner::MsChap => {
            return refuse(InnerRefusal::Off(inner), &name);
        }
    };
    let state = State::Proposed(name, method, tried);
    Said::Request(kind, data, InnerEap { state })
}

fn speak(scene: &Scene<'_>, name: Arc<str>, method: Method, data: &[u8]) -> Said {
    match method {
        Method::MsChapV2(method) => match method.take(data) {
            mschapv2::Taken::Ask(question, method) => {
                let state = State::Asking(Method::MsChapV2(method));
                Said::Ask(question, InnerEap { state })
            }
            mschapv2::Taken::Proven(proven) => Said::Proven(proven),
            mschapv2::Taken::Refused(refusal) => Said::Refused(refusal),
        },
        Method::Gtc => {
            // "RESPONSE=", name, 0 and password is what another method says (RFC 5421).
            if data.starts_with(b"RESPONSE=") && data.contains(&0) {
                return refuse(InnerRefusal::Malformed("a password of EAP-FAST-GTC"), &name);
            }
            let proof = OwnedProof::Password(Secret::new(data.to_vec()));
            let question = Question::new(name, proof, Inner::Gtc);
            let state = State::Asking(Method::Gtc);
            Said::Ask(question, InnerEap { state })
        }
        Method::Tls(method) => speak_tls(scene, name, method, data),
    }
}

fn speak_tls(scene: &Scene<'_>, name: Arc<str>, mut method: Box<EapTls>, data: &[u8]) -> Said {
    let Some(inside) = &scene.round.config.inside else {
        return Said::Refused(Refusal::internal("a tunnel inside of a tunnel"));
    };
    let judged = scene.outer != Outer::Teap;
    let mut turn = method.handle(data);
    if matches!(turn, tls::Turn::Work) {
        let later = Arc::new(Later) as Arc<dyn Judge>;
        let judge = if judged { scene.round.judge } else { &later };
        turn = method.work(scene.round.now, inside, judge);
    }
    let reason = match turn {
        tls::Turn::Request(data) => {
            let state = State::Speaking(name, Method::Tls(method));
            return Said::Request(Type::TLS, Zeroizing::new(data), InnerEap { state });
        }
        tls::Turn::Success(done) => return Said::Proven(Proven::by_inner_tls(*done, judged)),
        tls::Turn::Invalid(_) => InnerRefusal::Malformed("the framing of EAP-TLS").into(),
        tls::Turn::Work | tls::Turn::Wait => FailureReason::Internal("worked out of turn".into()),
        tls::Turn::Failure(reason) => reason,
    };
    Said::Refused(refused_tls(reason, &method, &name))
}

/// With the certificate that was refused.
fn refused_tls(reason: FailureReason, method: &EapTls, name: &Arc<str>) -> Refusal {
    Refusal {
        presented: method.take_refused().map(Principal::Certificate),
        shown: method.take_shown(),
        ..Refusal::of(reason).named(name)
    }
}

/// Stands for the judge who is asked when all have spoken; what it says is dropped by
/// [`Proven::by_inner_tls`].
struct Later;

impl Judge for Later {
    fn judge(&self, _: &Peer<'_>) -> Verdict {
        Verdict::Allow
    }
}

fn refuse(why: InnerRefusal, name: &Arc<str>) -> Said {
    Said::Refused(Refusal::of(why).named(name))
}

/// What an identity may have outside as well.
const MAX_NAME: usize = 253;
