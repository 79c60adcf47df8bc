//! Answers an EAP method that asks for the verdict in the middle of its handshake.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::access::Decided;
use crate::access::DecisionPoint;
use crate::access::Trace;
use crate::eap::Judge;
use crate::eap::Peer;
use crate::eap::Principal;
use crate::eap::Stage;
use crate::model::Credential;
use crate::model::Established;
use crate::model::Identifier;
use crate::model::Plane;
use crate::model::Presented;
use crate::model::ProofKind;
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::network::Inquiry;
use crate::network::LookUp;
use crate::network::Passwords;
use crate::network::context::Context;
use crate::radius::Nas;

/// The judge of one conversation; it knows where the conversation comes from.
#[derive(Debug)]
pub(super) struct ConversationJudge {
    point: Arc<DecisionPoint>,
    nas: Arc<Nas>,
    context: Context,
    passwords: Arc<dyn Passwords>,
    /// One thread at a time works on a conversation, so the lock is never waited for.
    state: Mutex<State>,
}

/// What the handshake has come to.
#[derive(Debug, Default)]
struct State {
    /// The last final decision.
    decided: Option<Decided>,
    /// Who is to be looked up before there is one.
    undecided: Option<Principal>,
    /// What the directory is to be asked about them, until it is.
    inquiry: Option<Inquiry>,
    /// The account of the machine whose certificate names no user.
    machine: Option<Arc<str>>,
}

impl ConversationJudge {
    pub(super) fn new(
        point: Arc<DecisionPoint>,
        nas: Arc<Nas>,
        context: Context,
        passwords: Arc<dyn Passwords>,
    ) -> Self {
        Self {
            point,
            nas,
            context,
            passwords,
            state: Mutex::default(),
        }
    }

    /// The NAS as it was when the conversation began.
    pub(super) fn nas(&self) -> &Nas {
        &self.nas
    }

    /// Where the conversation comes from.
    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// The decision that the handshake was told, if it asked.
    pub(super) fn decided(&self) -> Option<Decided> {
        self.lock().decided
    }

    /// What a directory is to be asked before the conversation goes on, once.
    pub(super) fn take_inquiry(&self) -> Option<Inquiry> {
        self.lock().inquiry.take()
    }

    /// Who is being looked up.
    pub(super) fn presented(&self) -> Option<Principal> {
        self.lock().undecided.clone()
    }

    /// Decides about who has been looked up; `None` if nobody has.
    pub(super) fn settle(&self, now: Timestamp) -> Option<(Principal, Verdict)> {
        let principal = self.lock().undecided.take()?;
        let decided = self.decide(now, &principal);
        self.lock().decided = Some(decided);
        Some((principal, decided.decision.verdict))
    }

    /// Decides about who a peer has proved to be, for as long as its certificate is valid.
    pub(super) fn decide(&self, now: Timestamp, principal: &Principal) -> Decided {
        let mut decided = self.with_subject(principal, |subject| {
            self.point.decide(now, subject, &mut Trace::default())
        });
        for certificate in principal.certificates() {
            let end = certificate.not_after;
            let revisit = &mut decided.decision.revisit;
            *revisit = Some(revisit.map_or(end, |at| at.min(end)));
        }
        decided
    }

    /// The subject that a peer is. A certificate stands for its user and for the device that it was
    /// issued to; a password for its user alone, whose device is the one of a certificate that was
    /// shown besides, or the one that is claimed: by the client of a VPN, or by the MAC address. Of a
    /// machine and its user the device is the machine's.
    pub(super) fn with_subject<T>(
        &self,
        principal: &Principal,
        ask: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let proven = |identifier| Presented {
            identifier,
            established: Established::Proven,
        };
        let credential = if principal.is_by_password() {
            Credential::Password
        } else {
            Credential::Certificate
        };
        let of_device = |device: &[Presented<'_>]| {
            let machine = match principal.user() {
                Some(_) => None,
                None => self.machine(device),
            };
            ask(&Subject {
                plane: Plane::Network,
                user: principal.user().or(machine.as_deref()),
                credential,
                device,
                nas: Some(self.context.nas(&self.nas)),
                mail: None,
            })
        };
        let Some(certificate) = principal.certificate() else {
            return self.context.with_claimed(of_device);
        };
        let itself = proven(Identifier::Certificate(certificate.id));
        match certificate.intune_device_id() {
            Some(device) => of_device(&[proven(Identifier::Device(device)), itself]),
            None => of_device(&[itself]),
        }
    }

    /// A user who is gone does not get in by a ticket.
    fn may_resume(&self, peer: &Peer<'_>) -> bool {
        match peer.stage {
            Stage::OfferedTicket | Stage::Resumed => {
                let mut names = peer.principal.by_password();
                names.all(|name| self.passwords.knows(name))
            }
            Stage::Full => true,
        }
    }

    /// The account of a machine, where it stands for the user.
    fn machine(&self, device: &[Presented<'_>]) -> Option<Arc<str>> {
        let machine = self.lock().machine.clone()?;
        let stands = self.point.has_account_of_its_own(&machine, device);
        stands.then_some(machine)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Judge for ConversationJudge {
    fn suits(&self, user: &str, kind: ProofKind) -> bool {
        self.passwords.suits(user, kind)
    }

    fn stamp(&self, principal: &Principal) -> u64 {
        let names = principal.by_password();
        names.fold(0, |all, name| {
            all.rotate_left(1) ^ self.passwords.stamp(name)
        })
    }

    fn judge(&self, peer: &Peer<'_>) -> Verdict {
        if !self.may_resume(peer) {
            return Verdict::Block;
        }
        let LookUp { machine, inquiry } = self.passwords.look_up(peer.principal);
        if machine.is_some() {
            self.lock().machine = machine;
        }
        match (peer.stage, inquiry) {
            // Only asks whether the short way may be offered. Who has to be looked up is, on that way or
            // on the full one.
            (Stage::OfferedTicket, Some(_)) => Verdict::Allow,
            (Stage::OfferedTicket, None) => {
                self.decide(peer.now.wall, peer.principal).decision.verdict
            }
            // Nothing is decided here: the conversation does not go on before `settle`.
            (Stage::Full | Stage::Resumed, Some(inquiry)) => {
                let mut state = self.lock();
                state.decided = None;
                state.undecided = Some(peer.principal.clone());
                state.inquiry = Some(inquiry);
                Verdict::Allow
            }
            (Stage::Full | Stage::Resumed, None) => {
                let decided = self.decide(peer.now.wall, peer.principal);
                self.lock().decided = Some(decided);
                decided.decision.verdict
            }
        }
    }
}
