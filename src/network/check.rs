//! The question to whoever knows passwords, and its answer.
//!
//! [`Passwords::check`] is asked on the packet path. It answers at once from memory, or hands back work:
//! a slow hash for a worker thread, or an [`Inquiry`] of somebody else, which no thread waits for.
//! Either way the work ends in an [`Answer`]. The groups of a user are no part of it: whoever answers has
//! put them into the inventory before, where the decision finds them beside those of other sources.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::access::Text;
use crate::eap;
use crate::eap::Principal;
use crate::model::NtKey;
use crate::model::Proof;
use crate::model::ProofKind;
use crate::network::job::Work;

/// Who checks passwords; directories behind it.
pub trait Passwords: Send + Sync + fmt::Debug {
    /// Checks what was sent at once, or says that it will take long. What is checked at once is on
    /// the path of a packet: nothing is allocated for it.
    fn check(&self, user: &str, proof: &Proof<'_>) -> Check;

    /// Whether what is stored of this user's password, if there is such a user, can tell whether such a
    /// proof is of it. Answered from memory, on the path of a packet; `true` where nobody knows.
    fn suits(&self, _user: &str, _kind: ProofKind) -> bool {
        true
    }

    /// Whether a user whose password was right some hours ago may still resume a tunnel without it:
    /// `false` where it is known at once that there is no such user any more.
    fn knows(&self, _user: &str) -> bool {
        true
    }

    /// Another number once the password that is stored for this user is another one: a tunnel that was
    /// made with the old one is not resumed. 0 of users whose passwords are known elsewhere.
    fn stamp(&self, _user: &str) -> u64 {
        0
    }

    /// What a directory is to be asked about somebody who has shown no password, but a certificate or a
    /// ticket, before a decision about them is made. Asked on the thread that does the cryptography;
    /// waits for nobody.
    fn look_up(&self, _principal: &Principal) -> LookUp {
        LookUp::default()
    }
}

/// How directories know somebody who has shown no password.
#[derive(Debug, Default)]
pub struct LookUp {
    /// The name of the machine's account, if a certificate names no user but a machine. It stands for
    /// the user once a directory has said that it knows it.
    pub machine: Option<Arc<str>>,
    /// What is to be asked first. Its answer is [`Answer::Accepted`] without a key when all is in the
    /// inventory that is known.
    pub inquiry: Option<Inquiry>,
}

/// The answer to a password, or the work that leads to it.
pub enum Check {
    /// It is the user's; of MSCHAP with the key that it leaves.
    Accepted(Option<NtKey>),
    /// It is not.
    Refused,
    /// There is no such user. The peer learns no more than of `Refused`.
    Unknown,
    /// What is stored of the user's password cannot tell: an answer to CHAP or MSCHAP needs the
    /// password in clear or its NT hash. The peer learns no more than of `Refused`.
    Unsuited,
    /// A slow hash decides: to be run on a worker thread.
    Slow(Box<dyn FnOnce() -> Answer + Send>),
    /// A server decides.
    Elsewhere(Inquiry),
}

impl Check {
    /// The answer, or the job that brings it.
    pub(super) fn begin(self) -> Result<Answer, Work> {
        match self {
            Self::Accepted(key) => Ok(Answer::Accepted(key)),
            Self::Refused => Ok(Answer::refused()),
            Self::Unknown => Ok(Answer::unknown()),
            Self::Unsuited => Ok(Answer::Unsuited),
            Self::Slow(check) => Err(Work::Password(check)),
            Self::Elsewhere(inquiry) => Err(Work::Inquiry(inquiry)),
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted(_) => "Accepted",
            Self::Refused => "Refused",
            Self::Unknown => "Unknown",
            Self::Unsuited => "Unsuited",
            Self::Slow(_) => "Slow",
            Self::Elsewhere(_) => "Elsewhere",
        })
    }
}

/// What came of a password.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is the user's; of MSCHAP with the key that it leaves.
    Accepted(Option<NtKey>),
    /// It does not let the user in. The reason is for the record; peers are told all alike.
    Refused(Why),
    /// See [`Check::Unsuited`].
    Unsuited,
    /// Nobody who could tell has answered in time. The reason is for the record.
    Unavailable(Why),
}

impl Answer {
    /// Wrong.
    #[must_use]
    pub fn refused() -> Self {
        Self::Refused(Why::new(WRONG))
    }

    /// No such user. Only the record tells it from [`refused`](Self::refused).
    #[must_use]
    pub fn unknown() -> Self {
        Self::Refused(Why::new(UNKNOWN))
    }
}

/// Whether the password is the user's.
impl From<bool> for Answer {
    fn from(right: bool) -> Self {
        if right {
            Self::Accepted(None)
        } else {
            Self::refused()
        }
    }
}

/// The same for a conversation, which tells the record and not its peer why.
impl From<Answer> for eap::Answer {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Accepted(key) => Self::Accepted(key),
            Answer::Refused(why) if why.as_str() == WRONG => Self::Refused,
            Answer::Refused(why) | Answer::Unavailable(why) => {
                Self::RefusedFor(why.as_str().into())
            }
            Answer::Unsuited => Self::Unsuited,
        }
    }
}

/// A sentence for the record, without capital and full stop.
pub type Why = Text<96>;

/// A question on its way to a server: to be driven by the shell's runtime. Whoever asks has set it a
/// deadline.
pub struct Inquiry(Pin<Box<dyn Future<Output = Answer> + Send>>);

impl Inquiry {
    /// From what asks the server.
    #[must_use]
    pub fn new(asking: impl Future<Output = Answer> + Send + 'static) -> Self {
        Self(Box::pin(asking))
    }

    pub(super) fn into_inner(self) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        self.0
    }
}

impl fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inquiry")
    }
}

/// What records say.
pub(super) const WRONG: &str = "the password is not this user's";
const UNKNOWN: &str = "there is no such user: see users.toml, and the realms of directory.toml";
