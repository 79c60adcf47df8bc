//! What OCSP responders have said, and whom they have still to be asked about: a bounded table.
//!
//! An entry is of one certificate. While a responder is asked it holds those who wait for the answer;
//! what was said before still counts meanwhile if it was that the certificate is revoked.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use crossbeam_queue::ArrayQueue;
use rustls::pki_types::UnixTime;

use super::ocsp::Question;
use super::watch::Watch;
use crate::model::CertificateId;

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It is not revoked.
    Good,
    /// It is.
    Revoked,
    /// Nobody says, and why: a sentence.
    Nothing(Arc<str>),
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// What counts now.
    pub(super) told: Option<Told>,
    /// Whether a responder is to be asked.
    pub(super) ask: bool,
}

#[derive(Debug, Default)]
struct Entry {
    told: Option<(Told, UnixTime)>,
    asking: bool,
    waiting: Vec<Waker>,
}

/// The table.
pub(super) struct Statuses {
    shards: [Mutex<HashMap<CertificateId, Entry>>; SHARDS],
    questions: ArrayQueue<Arc<Question>>,
}

impl Default for Statuses {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            questions: ArrayQueue::new(MAX_QUESTIONS),
        }
    }
}

impl Statuses {
    fn shard(&self, id: &CertificateId) -> MutexGuard<'_, HashMap<CertificateId, Entry>> {
        let [first, ..] = id.octets();
        let position = usize::from(first) % SHARDS;
        let shard = self.shards.get(position);
        let shard = shard.expect("a remainder of SHARDS is below the length of the array");
        // Every change of a shard is one call, so a panic elsewhere leaves it whole.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn standing(&self, id: &CertificateId, now: UnixTime) -> Standing {
        let shard = self.shard(id);
        let Some(entry) = shard.get(id) else {
            return Standing {
                told: None,
                ask: true,
            };
        };
        let current = entry.told.as_ref().filter(|(_, until)| now < *until);
        let told = match (&entry.told, current) {
            (_, Some((told, _))) => Some(told.clone()),
            // Until somebody says otherwise.
            (Some((Told::Revoked, _)), None) => Some(Told::Revoked),
            (_, None) => None,
        };
        Standing {
            told,
            ask: current.is_none() && !entry.asking,
        }
    }

    /// Puts a question in, unless it waits already; says whether it did.
    pub(super) fn ask(&self, question: &Arc<Question>) -> bool {
        let mut shard = self.shard(&question.id);
        if shard.len() >= MAX_EACH && !shard.contains_key(&question.id) {
            forget_some(&mut shard);
        }
        let entry = shard.entry(question.id).or_default();
        if entry.asking {
            return false;
        }
        entry.asking = self.questions.push(Arc::clone(question)).is_ok();
        entry.asking
    }

    pub(super) fn take_question(&self) -> Option<Arc<Question>> {
        self.questions.pop()
    }

    pub(super) fn told(&self, id: CertificateId, told: Told, until: UnixTime) {
        let waiting = {
            let mut shard = self.shard(&id);
            let entry = shard.entry(id).or_default();
            // A responder that says nothing does not take back what one has said.
            let revoked = matches!(entry.told, Some((Told::Revoked, _)));
            if !(revoked && matches!(told, Told::Nothing(_))) {
                entry.told = Some((told, until));
            } else if let Some((_, last)) = &mut entry.told {
                *last = until;
            }
            entry.asking = false;
            std::mem::take(&mut entry.waiting)
        };
        for waker in waiting {
            waker.wake();
        }
    }

    pub(super) fn is_revoked(&self, id: &CertificateId) -> bool {
        let shard = self.shard(id);
        let entry = shard.get(id);
        entry.is_some_and(|entry| matches!(entry.told, Some((Told::Revoked, _))))
    }

    pub(super) fn len(&self) -> usize {
        let each = self.shards.iter();
        each.map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Whether a responder is being asked; if so `waker` is called when it has answered.
    fn poll(&self, id: &CertificateId, waker: &Waker) -> Poll<()> {
        let mut shard = self.shard(id);
        let Some(entry) = shard.get_mut(id).filter(|entry| entry.asking) else {
            return Poll::Ready(());
        };
        let known = |one: &Waker| one.will_wake(waker);
        if !entry.waiting.iter().any(known) {
            if entry.waiting.len() >= MAX_WAITING {
                return Poll::Ready(());
            }
            entry.waiting.push(waker.clone());
        }
        Poll::Pending
    }
}

/// Makes room: whatever is not revoked and not being asked about, half of it.
fn forget_some(shard: &mut HashMap<CertificateId, Entry>) {
    let mut goes = false;
    shard.retain(|_, entry| {
        let held = entry.asking || matches!(entry.told, Some((Told::Revoked, _)));
        goes = !goes;
        held || goes
    });
    if shard.len() >= MAX_EACH {
        // Revoked ones only: they are asked about anew when they come again.
        shard.retain(|_, entry| entry.asking);
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statuses")
            .field("known", &self.len())
            .field("questions", &self.questions.len())
            .finish_non_exhaustive()
    }
}

/// Resolves when the responder that is asked about a certificate has answered, or will not.
#[must_use = "nothing waits by itself"]
pub struct Settled {
    watch: Arc<Watch>,
    id: CertificateId,
}

impl Settled {
    pub(super) const fn new(watch: Arc<Watch>, id: CertificateId) -> Self {
        Self { watch, id }
    }
}

impl Future for Settled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.watch.statuses().poll(&self.id, context.waker())
    }
}

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settled")
    }
}

/// So many locks that workers of a large machine rarely meet.
const SHARDS: usize = 16;

/// Certificates known in each shard: 64 thousand in all, some 10 MB. Beyond them half of those that
/// are good are asked about anew.
const MAX_EACH: usize = 4096;

/// Questions that wait for the shell: with answers after 50 ms and 16 at a time, three seconds of
/// them. Beyond them a login goes on as if nobody had answered.
const MAX_QUESTIONS: usize = 1024;

/// Conversations that wait for one certificate. A device has one or two; more go on at once, and are
/// refused.
const MAX_WAITING: usize = 16;
