//! Bodies in flight: where a client's octets come from, why bodies end early, and the clocks that watch
//! them.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use hyper::body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;

use crate::net::http1::Buffer;
use crate::net::http1::put_piece;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The connection it came from broke, or ended.
    #[error("the body ended early")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    /// What came is not framed as a body has to be.
    #[error("the body is malformed")]
    Malformed(#[source] Box<dyn Error + Send + Sync>),
    /// The client sends too slowly.
    #[error("the body came too slowly")]
    Slow,
    /// The mail server was silent for too long.
    #[error("the answer stopped")]
    Silent,
    /// The permission was taken back.
    #[error("the permission was taken back")]
    Revoked,
}

/// The body of a client's request.
pub(in crate::net) trait Source {
    /// Puts octets of the body into `output`, in chunks if it goes in chunks, and tells how many; 0
    /// at the end.
    fn poll_octets(
        &mut self,
        context: &mut Context<'_>,
        output: &mut Buffer,
        is_chunked: bool,
    ) -> Poll<Result<usize, Cut>>;
}

/// No body.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Nothing;

impl Source for Nothing {
    fn poll_octets(
        &mut self,
        _: &mut Context<'_>,
        _: &mut Buffer,
        _: bool,
    ) -> Poll<Result<usize, Cut>> {
        Poll::Ready(Ok(0))
    }
}

/// A body that comes over HTTP/2.
impl Source for Incoming {
    fn poll_octets(
        &mut self,
        context: &mut Context<'_>,
        output: &mut Buffer,
        is_chunked: bool,
    ) -> Poll<Result<usize, Cut>> {
        loop {
            let frame = match Pin::new(&mut *self).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(0)),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Err(Cut::Broken(error.into())));
                }
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            // Trailers say nothing that the mail server should believe.
            if let Some(octets) = frame.data_ref().filter(|octets| !octets.is_empty()) {
                put_piece(output, is_chunked, octets);
                return Poll::Ready(Ok(octets.len()));
            }
        }
    }
}

/// The lower bound on the speed of a client's body. The client may be waited for so long in all,
/// and as much longer as its octets take at [`SLOWEST`]. Only time spent waiting for the client
/// counts, never the mail server's.
#[derive(Debug)]
pub(in crate::net) struct Pace {
    patience: Duration,
    received: u64,
    waited: Duration,
    since: Option<Instant>,
}

impl Pace {
    pub(in crate::net) const fn new(patience: Duration) -> Self {
        Self {
            patience,
            received: 0,
            waited: Duration::ZERO,
            since: None,
        }
    }

    /// The client is waited for, from now on if not already.
    pub(in crate::net) fn wait(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// So many octets have come.
    pub(in crate::net) fn go_on(&mut self, octets: usize) {
        if let Some(since) = self.since.take() {
            self.waited = self.waited.saturating_add(since.elapsed());
        }
        let octets = u64::try_from(octets).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(octets);
    }

    /// Until when the client is waited for, if it is.
    pub(in crate::net) fn deadline(&self) -> Option<Instant> {
        let since = self.since?;
        let earned = Duration::from_secs(self.received / SLOWEST);
        let allowed = self.patience.saturating_add(earned);
        Some(since + allowed.saturating_sub(self.waited))
    }
}

/// The one timer of a connection or stream. Deadlines that move on, as they do with every request,
/// do not touch it: it is set anew when it rings too early, and when one is nearer than the last.
#[derive(Debug, Default)]
pub(in crate::net) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready at the deadline, or soon after it.
    pub(in crate::net) fn poll(
        &mut self,
        context: &mut Context<'_>,
        deadline: Instant,
    ) -> Poll<()> {
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

/// The end of a connection where a body was to come.
pub(in crate::net) fn ended_early() -> Cut {
    Cut::Broken(io::Error::from(io::ErrorKind::UnexpectedEof).into())
}

/// Octets a second that a client must send once its patience is used up: a sixteenth of the slowest
/// mobile network.
const SLOWEST: u64 = 512;
