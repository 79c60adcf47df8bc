//! What the front counts, for `/metrics` and for the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::mail::Cause;
use crate::mail::Outcome;
use crate::mail::Reply;
use crate::model::Monotonic;
use crate::net::places::Places;
use crate::net::seldom::Seldom;
use crate::net::upstream::Failure;

use super::gather::Room;

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections closed at once, because there were too many.
    pub turned_away: AtomicU64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Connections of HTTP/2 that were closed because of frames that belonged to no request.
    pub flooded: AtomicU64,
    /// OPTIONS sent to the mail server to check credentials.
    pub asked: AtomicU64,
    /// Requests ended because their permission was taken back: waiting ones, and answers that had
    /// begun.
    pub revoked: AtomicU64,
    /// Answers over HTTP/2 that were cut because their client took nothing of them any more.
    pub stalled: AtomicU64,
    /// Bodies that are being read before it is known what to do with them.
    pub(super) bodies: Room,
    /// Open connections, those that shake hands among them.
    pub(super) places: Arc<Places>,
    replies: [AtomicU64; Outcome::ALL.len()],
    answered: Mutex<BTreeMap<&'static str, u64>>,
    upstream_down: AtomicBool,
    not_activesync: Seldom,
    no_challenge: Seldom,
    certificate: Seldom,
    sent_elsewhere: Seldom,
    broken: Seldom,
    crowded: Seldom,
}

impl Counters {
    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.places.open()
    }

    /// What came of the requests that have been answered.
    #[must_use]
    pub fn replies(&self) -> Vec<(&'static str, u64)> {
        let names = Outcome::ALL.map(Outcome::name);
        let counts = self.replies.iter();
        names
            .into_iter()
            .zip(counts.map(|count| count.load(Ordering::Relaxed)))
            .collect()
    }

    /// Requests that the gateway answered itself, by [`Cause::name`].
    #[must_use]
    pub fn answered(&self) -> Vec<(&'static str, u64)> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered
            .iter()
            .map(|(name, count)| (*name, *count))
            .collect()
    }

    /// Whether the mail server could be reached the last time a request tried; see
    /// [`super::Front::upstream_is_up`].
    #[must_use]
    pub fn upstream_was_up(&self) -> bool {
        !self.upstream_down.load(Ordering::Relaxed)
    }

    pub(super) fn reply(&self, outcome: Outcome) {
        if let Some(count) = self.replies.get(outcome.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count(&self, cause: Cause) {
        self.reply(cause.outcome());
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let count = answered.entry(cause.name()).or_default();
        *count = count.saturating_add(1);
    }

    /// Tells the administrator of an answer that only the administrator can mend.
    pub(super) fn complain(&self, now: Monotonic, reply: &Reply) {
        let cause = reply.cause;
        if let Cause::NotActiveSync(status) = cause
            && self.not_activesync.is_due(now)
        {
            warn!(
                status = status.as_u16(),
                "the mail server's answer to OPTIONS has no MS-ASProtocolVersions: it is not an \
                 ActiveSync server, or ActiveSync is off there, and nobody is let in; see \
                 mail.upstream in gateway.toml"
            );
        }
        if cause == Cause::NoChallenge && self.no_challenge.is_due(now) {
            error!(
                "the mail server answers OPTIONS without credentials: its word about credentials \
                 cannot be relied upon, and nobody is let in; switch anonymous authentication off \
                 at the virtual directory of mail.upstream"
            );
        }
        if cause == Cause::Certificate && self.certificate.is_due(now) {
            warn!(
                reply = %String::from_utf8_lossy(&reply.body),
                "a client certificate was not accepted as the user's; see \
                 mail.certificate_user_header in gateway.toml"
            );
        }
        if cause == Cause::SentElsewhere && self.sent_elsewhere.is_due(now) {
            warn!(
                "what a mail server or an application has answered is not passed on, mostly because it \
                 leads to a place that is not configured; `portreeve decisions` tells which"
            );
        }
    }

    /// Tells of a mail server that is there and breaks off.
    pub(super) fn broke(&self, now: Monotonic, error: &Failure) {
        if self.broken.is_due(now) {
            warn!(
                error = error.chain(),
                "the mail server broke an exchange off; its clients are told to try again"
            );
        }
    }

    /// Tells of clients that send more at once than is read.
    pub(super) fn no_room(&self, now: Monotonic) {
        if self.crowded.is_due(now) {
            warn!(
                "so many bodies are being read at once that further ones are refused; their clients are told \
                 to try again"
            );
        }
    }

    pub(super) fn upstream(&self, error: Option<&Failure>) {
        let was_down = self.upstream_down.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_down => {
                warn!(error = error.chain(), "the mail server cannot be reached");
            }
            None if was_down => info!("the mail server can be reached again"),
            Some(_) | None => {}
        }
    }
}
