//! Bodies in flight: frames pass one by one, and three clocks watch them.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep_until;

use crate::access::Permit;
use crate::net::eas::Counters;

/// Why a body ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    /// The connection it came from broke, or it was malformed.
    #[error("the body ended early")]
    Broken(#[source] hyper::Error),
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

impl Cut {
    /// Whether what came is not framed as a body has to be. One that merely ends too early is not
    /// malformed: its sender is gone.
    pub(super) fn is_malformed(&self) -> bool {
        let Self::Broken(error) = self else {
            return false;
        };
        let cause = error
            .source()
            .and_then(<dyn Error>::downcast_ref::<io::Error>);
        cause.is_some_and(|cause| {
            matches!(
                cause.kind(),
                io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
            )
        })
    }
}

/// A body on its way to the mail server.
#[derive(Debug)]
pub enum Upload {
    /// None.
    Empty,
    /// A client's.
    Client(Box<Paced>),
}

impl Upload {
    /// The body of a client's request. The client may be waited for `patience` in all, and as much
    /// longer as its octets take at the slowest speed that is borne (512 octets a second).
    #[must_use]
    pub fn new(body: Incoming, patience: Duration) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Client(Box::new(Paced {
            body,
            patience,
            received: 0,
            waited: Duration::ZERO,
            waiting: None,
        }))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Client(paced) => paced.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client(paced) => paced.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client(paced) => paced.body.size_hint(),
        }
    }
}

/// A client's body with a lower bound on its speed. Only time spent waiting for the client counts,
/// never the mail server's.
#[derive(Debug)]
pub struct Paced {
    body: Incoming,
    patience: Duration,
    received: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Paced {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            match Pin::new(&mut self.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    if let Some((since, _)) = self.waiting.take() {
                        self.waited = self.waited.saturating_add(since.elapsed());
                    }
                    match frame {
                        None => return Poll::Ready(None),
                        Some(Err(error)) => return Poll::Ready(Some(Err(Cut::Broken(error)))),
                        // Trailers say nothing that the mail server should believe.
                        Some(Ok(frame)) if frame.is_trailers() => {}
                        Some(Ok(frame)) => {
                            let length = frame.data_ref().map_or(0, Bytes::len);
                            let length = u64::try_from(length).unwrap_or(u64::MAX);
                            self.received = self.received.saturating_add(length);
                            return Poll::Ready(Some(Ok(frame)));
                        }
                    }
                }
                Poll::Pending => {
                    let earned = Duration::from_secs(self.received / SLOWEST);
                    let allowed = self.patience.saturating_add(earned);
                    let left = allowed.saturating_sub(self.waited);
                    let (_, sleep) = self.waiting.get_or_insert_with(|| {
                        let now = Instant::now();
                        (now, Box::pin(sleep_until(now + left)))
                    });
                    ready!(sleep.as_mut().poll(context));
                    return Poll::Ready(Some(Err(Cut::Slow)));
                }
            }
        }
    }
}

/// The mail server's answer on its way to the client, as long as its permit holds.
#[derive(Debug)]
pub struct Guarded {
    body: Incoming,
    permit: Permit,
    hold: Duration,
    silence: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    /// `hold`: how long the mail server may be silent.
    pub(super) fn new(body: Incoming, permit: Permit, hold: Duration) -> Self {
        Self {
            body,
            permit,
            hold,
            silence: None,
        }
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let guarded = self.get_mut();
        if Pin::new(&mut guarded.permit).poll(context).is_ready() {
            return Poll::Ready(Some(Err(Cut::Revoked)));
        }
        loop {
            match Pin::new(&mut guarded.body).poll_frame(context) {
                Poll::Ready(frame) => {
                    guarded.silence = None;
                    match frame {
                        Some(Ok(frame)) if frame.is_trailers() => {}
                        frame => {
                            let frame = frame.map(|frame| frame.map_err(Cut::Broken));
                            return Poll::Ready(frame);
                        }
                    }
                }
                Poll::Pending => {
                    let hold = guarded.hold;
                    let silence = guarded
                        .silence
                        .get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + hold)));
                    ready!(silence.as_mut().poll(context));
                    return Poll::Ready(Some(Err(Cut::Silent)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer to a client.
#[derive(Debug)]
pub enum Download {
    /// Ours.
    Text(Option<Bytes>),
    /// The mail server's, and where it is counted if it is cut.
    Upstream(Box<Guarded>, Arc<Counters>),
}

impl Body for Download {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Text(text) => {
                let text = text.take().filter(|text| !text.is_empty());
                Poll::Ready(text.map(|text| Ok(Frame::data(text))))
            }
            Self::Upstream(body, counters) => {
                let frame = ready!(Pin::new(body.as_mut()).poll_frame(context));
                if let Some(Err(Cut::Revoked)) = frame {
                    counters.revoked.fetch_add(1, Ordering::Relaxed);
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.as_ref().is_none_or(Bytes::is_empty),
            Self::Upstream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Self::Upstream(body, _) => body.size_hint(),
        }
    }
}

/// Octets a second that a client must send once its patience is used up: a sixteenth of the slowest
/// mobile network.
const SLOWEST: u64 = 512;
