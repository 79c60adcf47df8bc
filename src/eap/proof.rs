//! What a success is made of. The fields of these types are private to this file, so that each is
//! made only from the one before it:
//!
//! ```text
//! Question --the directory's Answer--> Verified --the Judge--> Admitted --end of the inner method-->
//!     Proven --> Completed --> Authenticated       (EAP-TLS: Judged --> Authenticated)
//! ```
//!
//! In TEAP, where a machine and its user may each speak a method, the Judge is asked once about both,
//! on the way from what is [`Proven`] to [`Completed`].
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
use super::key::Emsk;
use super::key::Keys;
use super::offer::Inner;
use super::principal::Principal;
use super::principal::Proved;
use super::resumption::Inside;
use super::shown::Shown;
use crate::model::CertificateIdentity;
use crate::model::Now;
use crate::model::NtKey;
use crate::model::Proof;
use crate::model::Secret;
use crate::model::Verdict;
use crate::trust::Chain;

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
            Answer::RefusedFor(why) => InnerRefusal::Unchecked(why),
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
    /// The same, or it was not looked at: for this reason, a sentence for the record. The peer is told
    /// no more than of `Refused`.
    RefusedFor(Arc<str>),
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
        let verdict = Some(ask(judge, now, &principal, Stage::Full)?);
        Ok((Admitted { principal, verdict }, key))
    }

    /// Leaves the question for when everybody has spoken who is to speak.
    pub(super) fn admit_later(self) -> (Admitted, Option<NtKey>) {
        let Self { user, key } = self;
        let principal = Principal::Password { user, device: None };
        let verdict = None;
        (Admitted { principal, verdict }, key)
    }
}

/// Asks whether somebody may pass; never gives Block.
fn ask(
    judge: &dyn Judge,
    now: Now,
    principal: &Principal,
    stage: Stage,
) -> Result<Verdict, Refusal> {
    let verdict = judge.judge(&Peer {
        principal,
        stage,
        now,
    });
    match verdict {
        Verdict::Allow | Verdict::Quarantine => Ok(verdict),
        Verdict::Block => Err(Refusal::of(FailureReason::Blocked).about(principal)),
    }
}

/// Who may go on, before the method has come to its end.
pub(super) struct Admitted {
    principal: Principal,
    /// `None` if it is asked for later.
    verdict: Option<Verdict>,
}

impl Admitted {
    pub(super) const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The inner method has come to its end, and left this key.
    pub(super) fn complete(self, inner: Inner, key: InnerKey) -> Proven {
        Proven {
            principal: self.principal,
            verdict: self.verdict,
            inner,
            key,
            emsk: None,
            chain: None,
        }
    }
}

/// What an inner method leaves for a tunnel to be bound to; zeros of one that leaves nothing.
pub(super) type InnerKey = Zeroizing<[u8; 32]>;

/// One inner method has come to its end.
pub(super) struct Proven {
    principal: Principal,
    verdict: Option<Verdict>,
    inner: Inner,
    key: InnerKey,
    emsk: Option<Emsk>,
    chain: Option<Arc<Chain>>,
}

impl Proven {
    /// EAP-TLS inside of a tunnel has succeeded. Unless it was `judged` in there, its verdict is
    /// nobody's.
    pub(super) fn by_inner_tls(done: Authenticated, judged: bool) -> Self {
        let mut key = InnerKey::default();
        let msk = done.keys.msk.expose().iter();
        key.iter_mut().zip(msk).for_each(|(to, from)| *to = *from);
        Self {
            principal: done.principal,
            verdict: judged.then_some(done.verdict),
            inner: Inner::Tls,
            key,
            emsk: Some(done.keys.emsk),
            chain: done.chain,
        }
    }

    pub(super) const fn inner(&self) -> Inner {
        self.inner
    }

    pub(super) const fn key(&self) -> &InnerKey {
        &self.key
    }

    /// Of methods that have one.
    pub(super) const fn emsk(&self) -> Option<&Emsk> {
        self.emsk.as_ref()
    }

    pub(super) fn proved(&self) -> Proved {
        match &self.principal {
            Principal::Certificate(certificate) => Proved::Certificate(Arc::clone(certificate)),
            Principal::Password { user, .. }
            | Principal::Chained {
                user: Proved::Password(user),
                ..
            } => Proved::Password(Arc::clone(user)),
            Principal::Chained {
                user: user @ Proved::Certificate(_),
                ..
            } => user.clone(),
        }
    }
}

/// What was spoken inside of a tunnel: one method, or in TEAP that of a machine and that of a user.
pub(super) type Inners = [Option<Inner>; 2];

/// Everything inside has come to its end, and who it was may pass.
pub(super) struct Completed {
    principal: Principal,
    verdict: Verdict,
    inners: Inners,
    key: InnerKey,
    chains: Vec<Arc<Chain>>,
}

impl Completed {
    /// Of a tunnel in which one method is spoken, during which the verdict was asked for.
    pub(super) fn alone(proven: Proven) -> Result<Self, Refusal> {
        let missing = || Refusal::internal("a method that nobody judged");
        Ok(Self {
            principal: proven.principal,
            verdict: proven.verdict.ok_or_else(missing)?,
            inners: [Some(proven.inner), None],
            key: proven.key,
            chains: proven.chain.into_iter().collect(),
        })
    }

    /// Of a machine and a user, either or both, and the certificate that was shown when the tunnel
    /// was made; asks whether they may pass together. A machine's own certificate says more than the
    /// tunnel's, and that more than a machine's password.
    pub(super) fn together(
        machine: Option<Proven>,
        user: Option<Proven>,
        shown: Option<&Arc<Chain>>,
        judge: &dyn Judge,
        now: Now,
    ) -> Result<Self, Refusal> {
        let outside = shown.map(|chain| Proved::Certificate(Arc::clone(chain.certificate())));
        let inside = machine.as_ref().map(Proven::proved);
        let device = match inside {
            Some(certificate @ Proved::Certificate(_)) => Some(certificate),
            other @ (Some(Proved::Password(_)) | None) => outside.or(other),
        };
        let principal = Principal::of(device, user.as_ref().map(Proven::proved));
        let principal = principal.ok_or_else(|| Refusal::of(InnerRefusal::Nobody))?;
        let verdict = ask(judge, now, &principal, Stage::Full)?;
        let mut inners = [None; 2];
        let mut chains = Vec::new();
        for (inner, proven) in inners.iter_mut().zip([machine, user].into_iter().flatten()) {
            *inner = Some(proven.inner);
            chains.extend(proven.chain);
        }
        Ok(Self {
            principal,
            verdict,
            inners,
            key: InnerKey::default(),
            chains,
        })
    }

    /// It had come to its end in the conversation that is resumed; whoever it was is judged again.
    pub(super) fn resumed(past: &Inside, judge: &dyn Judge, now: Now) -> Result<Self, Refusal> {
        let principal = past.principal().clone();
        Ok(Self {
            verdict: ask(judge, now, &principal, Stage::Resumed)?,
            principal,
            inners: past.inners(),
            key: InnerKey::default(),
            chains: Vec::new(),
        })
    }

    pub(super) const fn principal(&self) -> &Principal {
        &self.principal
    }

    pub(super) const fn inners(&self) -> Inners {
        self.inners
    }

    pub(super) const fn key(&self) -> &InnerKey {
        &self.key
    }

    /// Of the certificates that were shown inside.
    pub(super) fn chains(&self) -> &[Arc<Chain>] {
        &self.chains
    }
}

/// What a success has established.
#[derive(Debug)]
pub(super) struct Authenticated {
    pub(super) keys: Keys,
    pub(super) principal: Principal,
    pub(super) verdict: Verdict,
    pub(super) inners: Inners,
    /// That of the certificate, of EAP-TLS.
    chain: Option<Arc<Chain>>,
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
                inners: [None; 2],
                chain: Some(Arc::clone(&judged.chain)),
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
            inners: completed.inners,
            chain: None,
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
    /// The name inside of the tunnel: that of whom the peer had proved to be, else what it said.
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

    /// About a peer that had proved who it is.
    pub(super) fn about(self, principal: &Principal) -> Self {
        Self {
            presented: Some(principal.clone()),
            claimed: principal.user().map(Arc::from),
            ..self
        }
    }

    /// About a peer of whom that much is proved, where the refusal itself does not say more.
    pub(super) fn or_about(mut self, proved: Option<&Principal>) -> Self {
        if let Some(principal) = proved {
            let user = || principal.user().map(Arc::from);
            self.claimed = self.claimed.or_else(user);
            self.presented = self.presented.or_else(|| Some(principal.clone()));
        }
        self
    }

    pub(super) fn named(self, name: &Arc<str>) -> Self {
        let claimed = Some(Arc::clone(name));
        Self { claimed, ..self }
    }
}
