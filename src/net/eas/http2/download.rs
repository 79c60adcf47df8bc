//! Answers of HTTP/2 on their way into the library.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::Incoming;
use hyper::body::SizeHint;

use crate::net::body::Alarm;
use crate::net::body::Cut;
use crate::net::eas::Counters;
use crate::net::http1::Length;
use crate::net::upstream::Exchange;

use super::streams::Piece;
use super::streams::Stream;
use super::upload::hear_out;

/// The mail server's answer on its way to a client of HTTP/2, as long as its permit holds.
#[derive(Debug)]
pub(super) struct Relay {
    exchange: Exchange,
    source: Incoming,
    alarm: Alarm,
    /// Octets that are still to come, if that is known.
    left: Option<u64>,
    counters: Arc<Counters>,
}

impl Relay {
    pub(super) fn new(
        exchange: Exchange,
        source: Incoming,
        alarm: Alarm,
        length: Length,
        counters: Arc<Counters>,
    ) -> Self {
        let left = match length {
            Length::Known(octets) => Some(octets),
            Length::Chunked | Length::UntilClose => None,
        };
        Self {
            exchange,
            source,
            alarm,
            left,
            counters,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match self.exchange.poll_piece(context, &mut self.source) {
            Poll::Ready(Ok(0)) => Poll::Ready(None),
            Poll::Ready(Ok(count)) => {
                let piece = Bytes::copy_from_slice(self.exchange.piece(count));
                self.exchange.take(count);
                if let Some(left) = &mut self.left {
                    *left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
                }
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(Err(cut)) => {
                if matches!(cut, Cut::Revoked) {
                    self.counters.revoked.fetch_add(1, Ordering::Relaxed);
                }
                Poll::Ready(Some(Err(cut)))
            }
            Poll::Pending => {
                let late = self.alarm.poll(context, self.exchange.deadline());
                late.map(|()| Some(Err(self.exchange.late())))
            }
        }
    }

    /// The last of the answer was read; its client may still be sending.
    fn end(mut self) {
        self.exchange.finish();
        hear_out(self.source);
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// Ours.
    Text(Option<Bytes>),
    /// The mail server's.
    Upstream(Box<Relay>),
}

impl Answer {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        match self {
            Self::Text(text) => {
                let text = text.take().filter(|text| !text.is_empty());
                Poll::Ready(text.map(Ok))
            }
            Self::Upstream(relay) => {
                let piece = ready!(relay.poll(context));
                // Nobody asks again after the last octet.
                if (piece.is_none() || relay.left == Some(0))
                    && let Self::Upstream(relay) = std::mem::replace(self, Self::Text(None))
                {
                    relay.end();
                }
                Poll::Ready(piece)
            }
        }
    }
}

/// It on its way into the library, which asks for the next piece when the client has room for the
/// last.
#[derive(Debug)]
pub(super) struct Download {
    answer: Answer,
    stream: Arc<Stream>,
}

impl Download {
    pub(super) fn new(answer: Answer, stream: Arc<Stream>) -> Self {
        Self { answer, stream }
    }
}

impl Body for Download {
    type Data = Piece;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Cut>>> {
        let this = self.get_mut();
        let octets = ready!(this.answer.poll(context));
        let give = |octets| Frame::data(Piece::new(octets, &this.stream));
        Poll::Ready(octets.map(|octets| octets.map(give)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.answer {
            Answer::Text(text) => text.as_ref().is_none_or(Bytes::is_empty),
            Answer::Upstream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.answer {
            Answer::Text(text) => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Answer::Upstream(relay) => relay.left.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}
