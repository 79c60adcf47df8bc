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
use crate::model::Subject;
use crate::model::Timestamp;
use crate::model::Verdict;
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
    /// The last final decision. One thread at a time works on a conversation, so the lock is
    /// never waited for.
    decided: Mutex<Option<Decided>>,
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
            decided: Mutex::new(None),
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
        *self.lock()
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
    /// shown besides, or the one that the peer claims by its MAC address. Of a machine and its user the
    /// device is the machine's.
    pub(super) fn with_subject<T>(
        &self,
        principal: &Principal,
        ask: impl FnOnce(&Subject<'_>) -> T,
    ) -> T {
        let proven = |identifier| Presented {
            identifier,
            established: Established::Proven,
        };
        let (with_device, by_certificate, claimed);
        let device: &[Presented<'_>] = match principal.certificate() {
            Some(certificate) => {
                let itself = proven(Identifier::Certificate(certificate.id));
                match certificate.intune_device_id() {
                    Some(device) => {
                        with_device = [proven(Identifier::Device(device)), itself];
                        &with_device
                    }
                    None => {
                        by_certificate = [itself];
                        &by_certificate
                    }
                }
            }
            None => {
                claimed = self.context.station.map(|station| Presented {
                    identifier: Identifier::Mac(station),
                    established: Established::Claimed,
                });
                claimed.as_slice()
            }
        };
        let credential = if principal.is_by_password() {
            Credential::Password
        } else {
            Credential::Certificate
        };
        ask(&Subject {
            plane: Plane::Network,
            user: principal.user(),
            credential,
            device,
            nas: Some(self.context.nas(&self.nas)),
            mail: None,
        })
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

    fn lock(&self) -> MutexGuard<'_, Option<Decided>> {
        self.decided.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Judge for ConversationJudge {
    fn judge(&self, peer: &Peer<'_>) -> Verdict {
        if !self.may_resume(peer) {
            return Verdict::Block;
        }
        let decided = self.decide(peer.now.wall, peer.principal);
        match peer.stage {
            // Only asks whether the short way may be offered; the full handshake decides.
            Stage::OfferedTicket => {}
            Stage::Full | Stage::Resumed => *self.lock() = Some(decided),
        }
        decided.decision.verdict
    }
}
