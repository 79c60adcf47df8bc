//! A connection of HTTP/2 as the library reads and writes it, with an end to what a client sends for
//! nothing.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;

use crate::net::http2::Frames;
use crate::net::http2::Patience;

use super::counters::Counters;

/// Counts the frames that pass, and breaks the connection off when there were too many.
pub(super) struct Calm<S> {
    stream: S,
    received: Frames,
    sent: Frames,
    patience: Patience,
    /// Since when time has not been counted.
    since: Instant,
    is_over: bool,
    counters: Arc<Counters>,
}

impl<S> Calm<S> {
    pub(super) fn new(stream: S, counters: Arc<Counters>) -> Self {
        Self {
            stream,
            received: Frames::of_client(),
            sent: Frames::of_server(),
            patience: Patience::default(),
            since: Instant::now(),
            is_over: false,
            counters,
        }
    }

    /// Whether the client may go on after these octets of its.
    fn receive(&mut self, octets: &[u8]) -> bool {
        let (patience, since) = (&mut self.patience, &mut self.since);
        let mut is_fine = true;
        self.received.take(octets, |frame| {
            if !is_fine || patience.receive(frame) {
                return;
            }
            let now = Instant::now();
            patience.wait(now - *since);
            *since = now;
            is_fine = patience.receive(frame);
        });
        is_fine
    }

    fn send(&mut self, mut octets: &[u8], count: usize) -> usize {
        octets = octets.get(..count).unwrap_or(octets);
        self.sent.take(octets, |frame| self.patience.send(frame));
        count - octets.len()
    }
}

impl<S: AsyncWrite + Unpin> Calm<S> {
    /// Tells the client why, if it can be told at once.
    fn break_off(&mut self, context: &mut Context<'_>) -> io::Error {
        self.is_over = true;
        self.counters.flooded.fetch_add(1, Ordering::Relaxed);
        if self.sent.is_between() {
            let stream = &mut self.stream;
            if let Poll::Ready(Ok(_)) = Pin::new(&mut *stream).poll_write(context, GOAWAY) {
                drop(Pin::new(stream).poll_flush(context));
            }
        }
        flood()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Calm<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(Err(flood()));
        }
        let before = space.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, space))?;
        let octets = space.filled().get(before..).unwrap_or_default();
        if this.receive(octets) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(this.break_off(context)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Calm<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(Err(flood()));
        }
        let count = ready!(Pin::new(&mut this.stream).poll_write(context, octets))?;
        this.send(octets, count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(Err(flood()));
        }
        let count = ready!(Pin::new(&mut this.stream).poll_write_vectored(context, pieces))?;
        let mut left = count;
        for piece in pieces {
            left = this.send(piece, left);
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

fn flood() -> io::Error {
    io::Error::other("too many frames came that belong to no request")
}

/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 sections 6.8 and 7); any stream may have been worked on.
const GOAWAY: &[u8] = &[
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb,
];
