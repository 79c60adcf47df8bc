//! Where a handshake asks whether the device may pass.
//!
//! rustls makes TLS 1.3 tickets and the TLS 1.2 Finished while it handles the peer's Finished. A
//! verdict that came after that would be too late to withhold a ticket or to send a true alert.
//! So the question is asked from inside the handshake, at three places:
//!
//! - **Full**: in the verifier, when the chain is good and the peer has just proved that it holds
//!   the key. Block makes rustls send the fatal alert access_denied (49).
//! - **Offered ticket**: when the peer offers to resume. Block, an expired or a revoked
//!   certificate hide the entry, so that a full handshake follows and says why. This question
//!   decides nothing.
//! - **Resumed**: when the resumed handshake is complete. Block withholds tickets and the
//!   protected success indication.
//!
//! This is the gate of EAP-TLS, which lets nobody through without a certificate: no [`Judged`] is
//! made without the chain that the peer has proved to hold. A [`Gate`] belongs to one conversation; [`turnstile`](super::turnstile) leads rustls to it.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::CertificateError;
use rustls::OtherError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerified;
use rustls::time_provider::TimeProvider;
use zeroize::Zeroizing;

use super::clock::Clock;
use super::clock::unix_time;
use super::config::Config;
use super::config::MAX_TICKETS;
use super::principal::Principal;
use super::resumption::Id;
use super::resumption::Past;
use super::resumption::Who;
use super::shown::Shown;
use super::turnstile::Guard;
use crate::model::CertificateIdentity;
use crate::model::Fingerprint;
use crate::model::Now;
use crate::model::ProofKind;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::trust::Chain;
use crate::trust::Online;
use crate::trust::OnlineRefusal;
use crate::trust::Settled;
use crate::trust::Verifier;

/// Asked by a method when the peer is authenticated and before anything tells the peer so.
///
/// Called on the thread that does the cryptography; must not block.
pub trait Judge: Send + Sync {
    /// May this peer pass?
    fn judge(&self, peer: &Peer<'_>) -> Verdict;

    /// Whether such a proof can be told by what is stored of this user's password, for what is proposed
    /// to a peer inside of a tunnel. It is not authenticated; `true` where nobody knows.
    fn suits(&self, _user: &str, _kind: ProofKind) -> bool {
        true
    }

    /// Another number once a password that this principal was known by is another one; of certificates,
    /// and where nobody can tell, 0. What was made with one number is not resumed with another.
    fn stamp(&self, _principal: &Principal) -> u64 {
        0
    }
}

/// An authenticated peer, or with [`Stage::OfferedTicket`] one that claims to have been.
#[derive(Clone, Copy, Debug)]
pub struct Peer<'a> {
    /// Who it proved to be, now or in the handshake that it resumes.
    pub principal: &'a Principal,
    /// What the answer is for.
    pub stage: Stage,
    /// When the question is asked.
    pub now: Now,
}

/// What an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Final: a full handshake. It can still fail after the answer.
    Full,
    /// Tentative, not to be recorded: only whether resuming is worth a try.
    OfferedTicket,
    /// Final: a resumed handshake.
    Resumed,
}

/// The answer to a final question.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) chain: Arc<Chain>,
    pub(super) verdict: Verdict,
}

/// One conversation's verifier, store of sessions and clock.
pub(super) struct Gate {
    config: Arc<Config>,
    judge: Arc<dyn Judge>,
    clock: Clock,
    state: Mutex<State>,
}

/// What the handshake has come to. The lock is never held while the judge is asked.
struct State {
    now: Now,
    /// The answer to the final question.
    judged: Option<(Stage, Judged, Timestamp)>,
    /// The entry that rustls was given last; the one that is resumed, if any is.
    offered: Option<(Id, Arc<Chain>, Timestamp)>,
    /// What rustls wants stored, until the conversation succeeds.
    pending: Vec<(Id, Zeroizing<Vec<u8>>, Past)>,
    /// The chain that is good, until its holder has proved to hold its key.
    verified: Option<Arc<Chain>>,
    /// A chain of which a responder has still to say that it is good.
    due: Option<Arc<Chain>>,
    /// A certificate that was refused, for the record.
    refused: Option<Arc<CertificateIdentity>>,
    /// The chain that it came with.
    shown: Option<Arc<Shown>>,
}

impl Gate {
    pub(super) fn new(config: Arc<Config>, judge: Arc<dyn Judge>, now: Now) -> Arc<Self> {
        let gate = Self {
            config,
            judge,
            clock: Clock::default(),
            state: Mutex::new(State {
                now,
                judged: None,
                offered: None,
                pending: Vec::new(),
                verified: None,
                due: None,
                refused: None,
                shown: None,
            }),
        };
        gate.clock.set(now);
        Arc::new(gate)
    }

    pub(super) fn set_now(&self, now: Now) {
        self.clock.set(now);
        self.state().now = now;
    }

    /// The final answer once the handshake is complete; asks for it if a resumed handshake has
    /// not yet. `None` when there is none for this `leaf`, which must end the conversation.
    pub(super) fn conclude(&self, resumed: bool, leaf: &[u8]) -> Option<Judged> {
        let judged = if resumed {
            self.judge_resumed()?
        } else {
            match self.state().judged.clone()? {
                (Stage::Full, judged, _) => judged,
                (Stage::OfferedTicket | Stage::Resumed, ..) => return None,
            }
        };
        let certificate = judged.chain.certificate();
        (certificate.fingerprint == Fingerprint::of(leaf)).then_some(judged)
    }

    /// Whether nothing of ours may leave before an OCSP responder has answered; resolves then.
    pub(super) fn waits_for(&self) -> Option<Settled> {
        let state = self.state();
        let chain = state.due.as_ref()?;
        self.config.verifier.settled(chain)
    }

    /// The responder has answered, or will not: whether the peer passes.
    pub(super) fn settle(&self) -> Result<(), rustls::Error> {
        let (now, due) = {
            let mut state = self.state();
            (state.now, state.due.take())
        };
        let Some(chain) = due else { return Ok(()) };
        let verifier = &self.config.verifier;
        let online = verifier.online(&chain, unix_time(now.wall));
        let settled = online.and_then(|online| match online {
            Online::Passes => Ok(()),
            Online::Waits => Err(still_asking()),
        });
        if settled.is_err() {
            let certificate = Arc::clone(chain.certificate());
            let shown = Shown::of_one(&certificate, verifier);
            let mut state = self.state();
            state.refused = Some(certificate);
            state.shown = Some(Arc::new(shown));
        }
        settled
    }

    /// The conversation has succeeded: what it may resume later is stored.
    pub(super) fn commit(&self) {
        let Some(resumption) = &self.config.resumption else {
            return;
        };
        let pending = std::mem::take(&mut self.state().pending);
        for (id, value, past) in pending {
            resumption.store(id, value, past);
        }
    }

    /// The certificate that was refused, once.
    pub(super) fn take_refused(&self) -> Option<Arc<CertificateIdentity>> {
        self.state().refused.take()
    }

    /// The chain that was refused, once.
    pub(super) fn take_shown(&self) -> Option<Arc<Shown>> {
        self.state().shown.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, certificate: &Arc<CertificateIdentity>, stage: Stage) -> Verdict {
        let now = self.state().now;
        self.judge.judge(&Peer {
            principal: &Principal::Certificate(Arc::clone(certificate)),
            stage,
            now,
        })
    }

    /// Asks once after a resumed handshake, then repeats the answer.
    fn judge_resumed(&self) -> Option<Judged> {
        let (chain, authenticated_at) = {
            let state = self.state();
            match &state.judged {
                Some((Stage::Resumed, judged, _)) => return Some(judged.clone()),
                Some((Stage::Full | Stage::OfferedTicket, ..)) => return None,
                None => {
                    let (_, chain, at) = state.offered.as_ref()?;
                    (Arc::clone(chain), *at)
                }
            }
        };
        let verdict = self.ask(chain.certificate(), Stage::Resumed);
        let mut state = self.state();
        match verdict {
            Verdict::Allow | Verdict::Quarantine => {}
            Verdict::Block => {
                state.refused = Some(Arc::clone(chain.certificate()));
                if let (Some(resumption), Some((id, ..))) =
                    (&self.config.resumption, &state.offered)
                {
                    resumption.remove(id);
                }
            }
        }
        let judged = Judged { chain, verdict };
        state.judged = Some((Stage::Resumed, judged.clone(), authenticated_at));
        Some(judged)
    }
}

impl Guard for Gate {
    fn verifier(&self) -> &Verifier {
        &self.config.verifier
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verifier = &self.config.verifier;
        let chain = whose(verifier, end_entity, intermediates, now)
            .map_err(|error| self.refuse(end_entity, intermediates, error))?;
        let online = verifier
            .online(&chain, now)
            .and_then(|online| match online {
                Online::Passes => Ok(false),
                // Nothing of ours leaves before the answer is here, see `waits_for`.
                Online::Waits if self.config.inside.is_some() => Ok(true),
                Online::Waits => Err(still_asking()),
            });
        let waits = online.map_err(|error| self.refuse(end_entity, intermediates, error))?;
        let mut state = self.state();
        state.due = waits.then(|| Arc::clone(&chain));
        state.verified = Some(chain);
        Ok(ClientCertVerified::assertion())
    }

    fn prove(&self) -> Result<(), rustls::Error> {
        let verified = self.state().verified.take();
        let chain =
            verified.ok_or_else(|| rustls::Error::General("a signature without a chain".into()))?;
        self.config.verifier.remember(&chain);
        let certificate = chain.certificate();
        let verdict = self.ask(certificate, Stage::Full);
        let mut state = self.state();
        let passes = match verdict {
            Verdict::Allow | Verdict::Quarantine => true,
            Verdict::Block => {
                state.refused = Some(Arc::clone(certificate));
                false
            }
        };
        let at = state.now.wall;
        let judged = Judged { chain, verdict };
        state.judged = Some((Stage::Full, judged, at));
        if passes {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn note_refused(&self, whose: Option<Arc<CertificateIdentity>>, shown: Arc<Shown>) {
        let mut state = self.state();
        state.refused = whose;
        state.shown = Some(shown);
    }

    /// An entry that a peer names, if resuming it is worth a try.
    fn recall(&self, name: &[u8], take: bool) -> Option<Vec<u8>> {
        let resumption = self.config.resumption.as_ref()?;
        let id = Id::try_from(name).ok()?;
        let now = self.state().now.wall;
        let (mut value, past) = resumption.find(&id, now, self.config.verifier.trust(), take)?;
        let Who::Holder(chain) = past.who else {
            // Of a tunnel, in which the peer may have shown no certificate.
            return None;
        };
        let passes = is_still_good(&self.config.verifier, &chain, unix_time(now))
            && match self.ask(chain.certificate(), Stage::OfferedTicket) {
                Verdict::Allow | Verdict::Quarantine => true,
                Verdict::Block => false,
            };
        if !passes {
            resumption.remove(&id);
            return None;
        }
        self.state().offered = Some((id, chain, past.authenticated_at));
        Some(std::mem::take(&mut value))
    }

    /// Keeps what rustls wants stored, if the peer has passed.
    fn keep(&self, name: &[u8], value: Zeroizing<Vec<u8>>) -> bool {
        let Ok(id) = Id::try_from(name) else {
            return false;
        };
        // TLS 1.3 stores while it handles the Finished of a resumed handshake too, and that is
        // before `conclude`.
        let full = matches!(self.state().judged, Some((Stage::Full, ..)));
        if !full && self.judge_resumed().is_none() {
            return false;
        }
        let mut state = self.state();
        let Some((_, judged, authenticated_at)) = &state.judged else {
            return false;
        };
        let passes = match judged.verdict {
            Verdict::Allow | Verdict::Quarantine => true,
            Verdict::Block => false,
        };
        let room = state.pending.len() < usize::from(MAX_TICKETS);
        if !passes || !room || self.config.resumption.is_none() {
            return false;
        }
        let past = Past {
            who: Who::Holder(Arc::clone(&judged.chain)),
            authenticated_at: *authenticated_at,
            trust: self.config.verifier.trust(),
        };
        state.pending.push((id, value, past));
        true
    }

    fn current_time(&self) -> Option<UnixTime> {
        self.clock.current_time()
    }
}

/// Whether a chain is as good as when its session began; one that a responder has to be asked about
/// first is not, so that a full handshake follows.
pub(super) fn is_still_good(verifier: &Verifier, chain: &Chain, now: UnixTime) -> bool {
    verifier.verify_again(chain, now).is_ok()
        && matches!(verifier.online(chain, now), Ok(Online::Passes))
}

/// The refusal of a certificate that a responder is being asked about where nobody can wait.
pub(super) fn still_asking() -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(OnlineRefusal::Asking))).into()
}

/// Verifies a chain, and that it is clear whose it is: that must not depend on the order of its
/// names.
pub(super) fn whose(
    verifier: &Verifier,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    now: UnixTime,
) -> Result<Arc<Chain>, rustls::Error> {
    let chain = verifier.verify(end_entity, intermediates, now)?;
    match chain.certificate().ambiguity {
        None => Ok(chain),
        Some(ambiguity) => Err(CertificateError::Other(OtherError(Arc::new(ambiguity))).into()),
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}
