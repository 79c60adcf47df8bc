//! For how long a connection of HTTP/2 is kept on which nothing happens.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::time::Instant;
use tracing::debug;

use crate::net::body::Alarm;
use crate::net::eas::Counters;
use crate::net::eas::Limits;

use super::streams::Streams;

/// How long a connection has no stream: one that never had any as long as the head of a request may
/// take, another one for [`Limits::idle`]. The same glance, so that a connection that waits is woken
/// no more often, cuts the answers of which their client takes nothing.
pub(super) struct Idleness {
    streams: Arc<Streams>,
    counters: Arc<Counters>,
    /// Streams that had begun when it was looked last.
    seen: u64,
    /// Whether one was under way then.
    was_busy: bool,
    /// How long a client that is told to go may take.
    leave: Duration,
    /// How long a connection that had a stream is kept.
    keep: Duration,
    until: Instant,
    /// How long a client may take nothing of an answer.
    patience: Duration,
    /// When such clients are looked for next: at the first glance from then on.
    look: Instant,
    alarm: Alarm,
}

impl Idleness {
    pub(super) fn new(limits: &Limits, streams: &Arc<Streams>, counters: &Arc<Counters>) -> Self {
        let until = Instant::now() + limits.head;
        Self {
            streams: Arc::clone(streams),
            counters: Arc::clone(counters),
            seen: 0,
            was_busy: false,
            leave: limits.head,
            keep: limits.idle,
            until,
            patience: limits.idle,
            look: until,
            alarm: Alarm::default(),
        }
    }

    /// Ready when it has been too long, and a while later again.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.alarm.poll(context, self.until));
            let now = Instant::now();
            if self.has_waited(now) {
                self.until = now + self.leave;
                self.look = self.until;
                return Poll::Ready(());
            }
            let begun = self.streams.begun();
            let is_busy = self.streams.is_any_open();
            let has_begun = std::mem::replace(&mut self.seen, begun) != begun;
            let was_busy = std::mem::replace(&mut self.was_busy, is_busy) || has_begun;
            if !is_busy && !was_busy {
                self.until = now + self.leave;
                return Poll::Ready(());
            }
            self.until = now + self.keep;
        }
    }

    /// Cuts the answers that nobody takes, when it is time to look for them; whether that leaves the
    /// library with octets that nobody takes.
    fn has_waited(&mut self, now: Instant) -> bool {
        if now < self.look {
            return false;
        }
        self.look = now + self.patience;
        let looked = self.streams.look();
        if looked.cut > 0 {
            let stalled = &self.counters.stalled;
            stalled.fetch_add(looked.cut, Ordering::Relaxed);
            debug!(answers = looked.cut, "a mail client takes nothing in");
        }
        looked.holds
    }

    /// Its client was told to go: when its streams are over nothing is waited for.
    pub(super) fn hasten(&mut self) {
        self.keep = HASTE;
        self.until = Instant::now() + HASTE;
    }
}

/// How long a connection without a stream is kept when the front stops.
const HASTE: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::timeout;

    use crate::net::eas::http2::streams::Stream;

    use super::*;

    /// The end of a Ping of an hour could be the end of its connection.
    #[tokio::test]
    async fn a_connection_is_kept_from_the_end_of_its_last_stream_on() {
        let keep = Duration::from_millis(100);
        let limits = Limits {
            head: keep,
            idle: keep,
            ..Limits::default()
        };
        let streams = Arc::default();
        let mut idleness = Idleness::new(&limits, &streams, &Arc::default());
        let mut over = poll_fn(|context| idleness.poll(context));
        let stream = Stream::begin(&streams);
        // Between two glances.
        timeout(keep * 5 / 2, &mut over).await.unwrap_err();
        drop(stream);
        let ended = Instant::now();
        over.await;
        assert!(ended.elapsed() >= keep);
    }
}
