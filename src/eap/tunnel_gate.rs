//! Where the handshake of a tunnel asks: whose the certificate is that the peer may have, and what
//! is resumed.
//!
//! No verdict is given here but a tentative one about a ticket: who the peer is, it says inside.
//! What TLS wants stored is kept back until the method inside has come to its end
//! ([`TunnelGate::commit`]); until then nothing stands behind the name that a peer was told.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerified;
use rustls::time_provider::TimeProvider;
use zeroize::Zeroizing;

use super::chosen::Round;
use super::clock::Clock;
use super::clock::unix_time;
use super::config::Config;
use super::config::MAX_TICKETS;
use super::gate::Judge;
use super::gate::Peer;
use super::gate::Stage;
use super::gate::is_still_good;
use super::gate::still_asking;
use super::gate::whose;
use super::identity::Identity;
use super::offer::Offer;
use super::offer::Outer;
use super::proof::Completed;
use super::resumption::Id;
use super::resumption::Inside;
use super::resumption::Past;
use super::resumption::Who;
use super::shown::Shown;
use super::turnstile::Guard;
use crate::model::CertificateIdentity;
use crate::model::Fingerprint;
use crate::model::Now;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::trust::Chain;
use crate::trust::Online;
use crate::trust::Verifier;

/// One tunnel's verifier, store and clock.
pub(super) struct TunnelGate {
    outer: Outer,
    identity: Identity,
    offer: Arc<Offer>,
    config: Arc<Config>,
    judge: Arc<dyn Judge>,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    now: Now,
    /// A chain that is good, until its holder has proved to hold its key.
    verified: Option<Arc<Chain>>,
    /// A chain whose holder has.
    proven: Option<Arc<Chain>>,
    /// The entry that TLS was given last; the one that is resumed, if any is.
    offered: Option<(Arc<Inside>, Timestamp)>,
    pending: Vec<(Id, Zeroizing<Vec<u8>>)>,
    refused: Option<Arc<CertificateIdentity>>,
    /// The chain that it came with.
    shown: Option<Arc<Shown>>,
}

/// What a complete handshake has established.
pub(super) enum Opened {
    /// A new tunnel, and the certificate that the peer proved to hold, if it showed one.
    New(Option<Arc<Chain>>),
    /// An earlier one.
    Again(Arc<Inside>),
}

impl TunnelGate {
    pub(super) fn new(
        outer: Outer,
        identity: &Identity,
        offer: &Arc<Offer>,
        round: &Round<'_>,
    ) -> Arc<Self> {
        let now = round.now;
        let gate = Self {
            outer,
            identity: identity.clone(),
            offer: Arc::clone(offer),
            config: Arc::clone(round.config),
            judge: Arc::clone(round.judge),
            clock: Clock::default(),
            state: Mutex::new(State {
                now,
                verified: None,
                proven: None,
                offered: None,
                pending: Vec::new(),
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

    /// What the handshake has come to, whose peer has this certificate or none (empty). `None` when
    /// the two do not fit, which must end the conversation.
    pub(super) fn conclude(&self, resumed: bool, leaf: &[u8]) -> Option<Opened> {
        let state = self.state();
        let (chain, opened) = if resumed {
            let (past, _) = state.offered.as_ref()?;
            (past.device().cloned(), Opened::Again(Arc::clone(past)))
        } else {
            (state.proven.clone(), Opened::New(state.proven.clone()))
        };
        let fits = match chain {
            Some(chain) => chain.certificate().fingerprint == Fingerprint::of(leaf),
            None => leaf.is_empty(),
        };
        fits.then_some(opened)
    }

    /// The conversation has come to its end: what it may resume later is stored.
    pub(super) fn commit(&self, completed: &Completed, device: Option<Arc<Chain>>, resumed: bool) {
        let (Some(resumption), mut state) = (&self.config.resumption, self.state()) else {
            return;
        };
        let again = state.offered.take().filter(|_| resumed);
        let (inside, authenticated_at) = again.unwrap_or_else(|| {
            let stamp = self.judge.stamp(completed.principal());
            let inside = Inside::new(self.outer, completed, device, stamp);
            (Arc::new(inside), state.now.wall)
        });
        for (id, value) in state.pending.drain(..) {
            let past = Past {
                who: Who::Inside(Arc::clone(&inside)),
                authenticated_at,
                trust: self.config.verifier.trust(),
            };
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

    /// Whether it is worth a try to resume what is of this past.
    fn may_resume(&self, past: &Inside, now: Now) -> bool {
        let certificates = (past.chains())
            .all(|chain| is_still_good(&self.config.verifier, chain, unix_time(now.wall)));
        let realms = !self.config.tunnel.same_realm
            || (past.principal().user()).is_none_or(|user| self.identity.may_stand_for(user));
        // What may be spoken here now, and not only where and when the tunnel was made.
        let methods = (past.inners().into_iter().flatten()).all(|inner| self.offer.allows(inner));
        if past.outer() != self.outer || !certificates || !realms || !methods {
            return false;
        }
        if self.judge.stamp(past.principal()) != past.stamp() {
            return false;
        }
        let verdict = self.judge.judge(&Peer {
            principal: past.principal(),
            stage: Stage::OfferedTicket,
            now,
        });
        match verdict {
            Verdict::Allow | Verdict::Quarantine => true,
            Verdict::Block => false,
        }
    }
}

impl Guard for TunnelGate {
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
        let chain =
            whose(verifier, end_entity, intermediates, now).and_then(|chain| {
                match verifier.online(&chain, now)? {
                    Online::Passes => Ok(chain),
                    Online::Waits => Err(still_asking()),
                }
            });
        let chain = chain.map_err(|error| self.refuse(end_entity, intermediates, error))?;
        self.state().verified = Some(chain);
        Ok(ClientCertVerified::assertion())
    }

    fn prove(&self) -> Result<(), rustls::Error> {
        let mut state = self.state();
        let verified = state.verified.take();
        let chain =
            verified.ok_or_else(|| rustls::Error::General("a signature without a chain".into()))?;
        self.config.verifier.remember(&chain);
        state.proven = Some(chain);
        Ok(())
    }

    fn note_refused(&self, whose: Option<Arc<CertificateIdentity>>, shown: Arc<Shown>) {
        let mut state = self.state();
        state.refused = whose;
        state.shown = Some(shown);
    }

    fn recall(&self, name: &[u8], take: bool) -> Option<Vec<u8>> {
        let resumption = self.config.resumption.as_ref()?;
        let id = Id::try_from(name).ok()?;
        let now = self.state().now;
        let trust = self.config.verifier.trust();
        let (mut value, past) = resumption.find(&id, now.wall, trust, take)?;
        let Who::Inside(inside) = past.who else {
            return None;
        };
        if !self.may_resume(&inside, now) {
            resumption.remove(&id);
            return None;
        }
        self.state().offered = Some((inside, past.authenticated_at));
        Some(std::mem::take(&mut value))
    }

    fn keep(&self, name: &[u8], value: Zeroizing<Vec<u8>>) -> bool {
        let (Ok(id), mut state) = (Id::try_from(name), self.state()) else {
            return false;
        };
        if self.config.resumption.is_none() || state.pending.len() >= usize::from(MAX_TICKETS) {
            return false;
        }
        state.pending.push((id, value));
        true
    }

    fn current_time(&self) -> Option<UnixTime> {
        self.clock.current_time()
    }
}
