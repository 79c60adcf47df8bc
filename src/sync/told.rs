//! What the log says of a feed: news, once each.
//!
//! A source that is down fails every few minutes, and a file with a mistake is read again every
//! ten. One line says when such a thing begins, and one when it is over; that it goes on stands in
//! the status and, at DEBUG, in the log.

use crate::sync::plan::Run;
use crate::sync::status::RunError;

/// What has been said of one feed.
#[derive(Debug, Default)]
pub(super) struct Told {
    loaded: bool,
    /// Number and first of the bad rows that were told.
    bad_rows: (usize, Option<String>),
}

impl Told {
    /// Something was taken over.
    pub(super) fn synced(&mut self, feed: &str, run: Run, entries: Option<usize>, changes: usize) {
        let run = run.as_str();
        let first = entries.is_some() && !std::mem::replace(&mut self.loaded, true);
        // Quick runs of a large tenant bring changes every minute.
        if first || (entries.is_some() && changes > 0) {
            tracing::info!(feed, run, entries, changes, "synced");
        } else {
            tracing::debug!(feed, run, entries, changes, "synced");
        }
    }

    /// A complete list had `bad` rows that cannot be used, `first` among them.
    pub(super) fn bad_rows(&mut self, feed: &str, bad: usize, first: Option<String>) {
        let now = (bad, first);
        if self.bad_rows == now {
            return;
        }
        match &now {
            (0, _) => tracing::info!(feed, "no row has a mistake any more"),
            (rows, first) => {
                let first = first.as_deref().unwrap_or("");
                tracing::warn!(feed, rows, first, "rows with mistakes are not used");
            }
        }
        self.bad_rows = now;
    }

    /// A run failed; `news` when the one before went well or failed for another reason.
    pub(super) fn failed(&self, feed: &str, run: Run, reason: &str, held: bool, news: bool) {
        let run = run.as_str();
        if !news {
            tracing::debug!(feed, run, reason, "not synced again");
        } else if held {
            let source = feed.rsplit_once('/').map_or(feed, |(source, _)| source);
            let command = format!("portreeve sync {source} --accept-shrink");
            tracing::warn!(
                feed,
                run,
                reason,
                command,
                "held until the command accepts it"
            );
        } else {
            tracing::warn!(feed, run, reason, "not synced");
        }
    }

    /// A run went well after failures.
    pub(super) fn recovered(&self, feed: &str, run: Run, over: &RunError) {
        let (since, times) = (over.since.to_string(), over.times);
        tracing::info!(feed, run = run.as_str(), since, times, "goes well again");
    }
}
