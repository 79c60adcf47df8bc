//! What a success is made of. The fields of these types are private to this file, so that each is
//! made only from the one before it:
//!
//! ```text
//! Question --the directory's Answer--> Verified --the Judge--> Admitted --end of the inner method-->
//!     Completed --> Authenticated          (EAP-TLS: Judged --> Authenticated)
//! ```
//!
//! A tunnelled method that has not come to its end has no [`Completed`], and without one there is
//! no EAP-Success, no Result of a tunnel and no entry behind a ticket.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::config::TlsVersion;
use super::error::FailureReason;
use super::error::InnerRefusal;
use super::gate::Judge;
use super::gate::Judged;
use super::gate::Peer;
use super::gate::Stage;
use super::key::Keys;
use super::offer::Inner;
use super::principal::Principal;
use super::resumption::Inside;
use super::shown::Shown;
use crate::model::CertificateIdentity;
use crate::model::Now;
use crate::model::NtKey;
use crate::model::Proof;
use crate::model::Secret;
use crate::model::Verdict;

/// What a directory is asked on the way.
pub struct Question {
    user: Arc<str>,
    proof: OwnedProof,
    inner: Inner,
}

/// A [`Proof`] that outlives its packet.
pub(super) enum OwnedProof {
    Password(Secret),
    Chap {
        identifier: u8,
        challenge: [u8; 16],
        response: [u8; 16],
    },
    MsChap {
        challenge: [u8; 8],
        response: [u8; 24],
    },
}

impl Question {
    pub(super) fn new(user: Arc<str>, proof: OwnedProof, inner: Inner) -> Self {
        Self { user, proof, inner }
    }

    /// Whose password it should be: the name inside of the tunnel.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(super) const fn inner(&self) -> Inner {
        self.inner
    }

    /// What the peer sent.
    #[must_use]
    pub fn proof(&self) -> Proof<'_> {
        match &self.proof {
            OwnedProof::Password(password) => Proof::Password(password.expose()),
            OwnedProof::Chap {
                identifier,
                challenge,
                response,
            } => Proof::Chap {
                identifier: *identifier,
                challenge,
                response,
            },
            OwnedProof::MsChap {
                challenge,
                response,
            } => Proof::MsChap {
                challenge: *challenge,
                response: *response,
            },
        }
    }

    pub(super) fn answered(self, answer: Answer) -> Result<Verified, Refusal> {
        let Self { user, inner, .. } = self;
        let refused = match answer {
            Answer::Accepted(key) => return Ok(Verified { user, key }),
            Answer::Refused => InnerRefusal::Password,
            Answer::Unsuited => InnerRefusal::Unsuited(inner),
        };
        Err(Refusal::of(refused).named(&user))
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({})", self.inner.name())
    }
}

/// What the directory says.
#[derive(Debug)]
pub enum Answer {
    /// It is the user's password; of MSCHAP with the key that it leaves.
    Accepted(Option<NtKey>),
    /// It is not, or there is no such user.
    Refused,
    /// What is stored of the password cannot tell.
    Unsuited,
}

/// The peer knows a user's password.
pub(super) struct Verified {
    user: Arc<str>,
    key: Option<NtKey>,
}

impl Verified {
    /// Asks whether this user, with this device, may pass. The key of MSCHAP comes with the answer.
    pub(super) fn admit(
        self,
        judge: &dyn Judge,
        now: Now,
        device: Option<Arc<CertificateIdentity>>,
    ) -> Result<(Admitted, Option<NtKey>), Refusal> {
        let Self { user, key } = self;
        let principal = Principal::Password { user, device };
        Ok((Admitted::ask(judge, now, principal, Stage::Full)?, key))
    }
}

/// Who may pass, before the method has come to its end.
pub(super) struct Admitted {
    principal: Principal,
    verdict: Verdict,
}

impl Admitted {
    fn ask(
        judge: &dyn Judge,
        now: Now,
        principal: Principal,
        stage: Stage,
    ) -> Result<Self, Refusal> {
        let verdict = judge.judge(&Peer {
            principal: &principal,
            stage,
            now,
        });
        match verdict {
            Verdict::Allow | Verdict::Quarantine => Ok(Self { principal, verdict }),
            Verdict::Block => Err(Refusal {
                reason: FailureReason::Blocked,
                presented: Some(principal),
                claimed: None,
                shown: None,
            }),
        }
    }

    /// The inner method has come to its end, and left this key.
    pub(super) fn complete(self, inner: Inner, key: InnerKey) -> Completed {
        Completed {
            principal: self.principal,
            verdict: self.verdict,
            inner,
            key,
        }
    }
}

/// What an inner method leaves for a tunnel to be bound to; zeros of one that leaves nothing.
pub(super) type InnerKey = Zeroizing<[u8; 32]>;

/// The inner method has come to its end.
pub(super) struct Completed {
    principal: Principal,
    verdict: Verdict,
    inner: Inner,
    key: InnerKey,
}

impl Completed {
    /// EAP-TLS inside of a tunnel has succeeded.
    pub(super) fn by_inner_tls(done: Authenticated) -> Self {
        let mut key = InnerKey::default();
        let msk = done.keys.msk.expose().iter();
        key.iter_mut().zip(msk).for_each(|(to, from)| *to = *from);
        Self {
            principal: done.principal,
            verdict: done.verdict,
            inner: Inner::Tls,
            key,
        }
    }

    /// It had come to its end in the conversation that is resumed; whoever it was is judged again.
    pub(super) fn resumed(past: &Inside, judge: &dyn Judge, now: Now) -> Result<Self, Refusal> {
        let admitted = Admitted::ask(judge, now, past.principal().clone(), Stage::Resumed)?;
        Ok(admitted.complete(past.inner(), InnerKey::default()))
    }

    pub(super) const fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(super) const fn inner(&self) -> Inner {
        self.inner
    }

    pub(super) const fn key(&self) -> &InnerKey {
        &self.key
    }
}

/// What a success has established.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) keys: Keys,
    pub(super) principal: Principal,
    pub(super) verdict: Verdict,
    pub(super) inner: Option<Inner>,
    pub(super) connection: Connection,
    /// Keeps others from writing it down.
    _made_here: (),
}

/// What is known of the TLS connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) version: TlsVersion,
    pub(super) suite: &'static str,
    pub(super) resumed: bool,
}

impl Authenticated {
    /// By EAP-TLS; `None` when the answer was Block.
    pub(super) fn by_certificate(
        judged: &Judged,
        keys: Keys,
        connection: Connection,
    ) -> Option<Self> {
        match judged.verdict {
            Verdict::Allow | Verdict::Quarantine => Some(Self {
                keys,
                principal: Principal::Certificate(Arc::clone(judged.chain.certificate())),
                verdict: judged.verdict,
                inner: None,
                connection,
                _made_here: (),
            }),
            Verdict::Block => None,
        }
    }

    /// By what was spoken in a tunnel.
    pub(super) fn by_tunnel(completed: Completed, keys: Keys, connection: Connection) -> Self {
        Self {
            keys,
            principal: completed.principal,
            verdict: completed.verdict,
            inner: Some(completed.inner),
            connection,
            _made_here: (),
        }
    }
}

/// Why there is no success, and about whom.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) reason: FailureReason,
    /// Who was judged, or presented a certificate that was refused.
    pub(super) presented: Option<Principal>,
    /// The name inside of the tunnel of a peer that has proved nothing.
    pub(super) claimed: Option<Arc<str>>,
    /// The chain that was refused.
    pub(super) shown: Option<Arc<Shown>>,
}

impl Refusal {
    pub(super) fn of(reason: impl Into<FailureReason>) -> Self {
        Self {
            reason: reason.into(),
            presented: None,
            claimed: None,
            shown: None,
        }
    }

    pub(super) fn internal(why: &str) -> Self {
        Self::of(FailureReason::Internal(why.to_owned()))
    }

    /// About a peer that had been let in.
    pub(super) fn about(self, principal: &Principal) -> Self {
        let presented = Some(principal.clone());
        Self { presented, ..self }
    }

    pub(super) fn named(self, name: &Arc<str>) -> Self {
        let claimed = Some(Arc::clone(name));
        Self { claimed, ..self }
    }
}
