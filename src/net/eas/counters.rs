//! What the front counts, for `/metrics` and for the log.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tracing::info;
use tracing::warn;

use crate::mail::Cause;
use crate::net::upstream::Failure;

/// What has happened so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections open now.
    pub open: AtomicU64,
    /// Connections closed at once, because there were too many.
    pub turned_away: AtomicU64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Requests let through.
    pub forwarded: AtomicU64,
    /// Requests cut because the permission was taken back.
    pub revoked: AtomicU64,
    answered: Mutex<BTreeMap<&'static str, u64>>,
    upstream_down: AtomicBool,
}

impl Counters {
    /// Requests that the gateway answered itself, by [`Cause::name`].
    #[must_use]
    pub fn answered(&self) -> Vec<(&'static str, u64)> {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered
            .iter()
            .map(|(name, count)| (*name, *count))
            .collect()
    }

    /// Whether the mail server could be reached the last time it was tried.
    #[must_use]
    pub fn upstream_is_up(&self) -> bool {
        !self.upstream_down.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, cause: Cause) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let count = answered.entry(cause.name()).or_default();
        *count = count.saturating_add(1);
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
