//! The octets of a client: what is read of its connection, and what is written.

use std::future::poll_fn;
use std::io;
use std::io::Write;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::timeout;

use crate::net::body::Cut;
use crate::net::body::Source;
use crate::net::body::ended_early;
use crate::net::eas::unwanted::LINGER;
use crate::net::eas::unwanted::LINGER_IDLE;
use crate::net::eas::unwanted::LINGER_TIME;
use crate::net::http1::Buffer;
use crate::net::http1::put_piece;

use super::Client;

impl Client {
    /// Whether the client went away in the middle of its request. What it sends beyond the request
    /// is the next one; more than a buffer of it is not looked at.
    pub(super) fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        // As long as the body comes, whoever reads it will see.
        while self.body.is_over() && !self.input.is_full() {
            match self.poll_fill(context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => return true,
                Poll::Pending => return false,
            }
        }
        false
    }

    /// Reads once; 0 is the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(self.input.space());
        let read = Pin::new(&mut self.stream).poll_read(context, &mut space);
        let count = space.filled().len();
        self.input.grow(count);
        if count == 0 {
            self.input.release_if_empty();
        }
        ready!(read)?;
        Poll::Ready(Ok(count))
    }

    /// Writes octets that follow what is in `output`; tells how many were taken.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        while !self.output.is_empty() {
            // Only laid by, so that they leave together.
            let laid = self
                .stream
                .get_mut()
                .1
                .writer()
                .write(self.output.filled())?;
            if laid == 0 {
                ready!(self.poll_send(context))?;
            }
            self.output.consume(laid);
        }
        Pin::new(&mut self.stream).poll_write(context, octets)
    }

    /// Writes all that is to go.
    pub(super) fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let stream = Pin::new(&mut self.stream);
            let count = ready!(stream.poll_write(context, self.output.filled()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.consume(count);
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    pub(super) async fn send(&mut self) -> io::Result<()> {
        poll_fn(|context| self.poll_send(context)).await
    }

    /// Closes, and hears a client out that is still sending: octets that nobody reads would reset
    /// the connection, and the last answer might be lost with it.
    pub(super) async fn close(&mut self) {
        let closing = async {
            let ended = poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context));
            let has_ended = matches!(timeout(LINGER_IDLE, ended).await, Ok(Ok(())));
            if !has_ended || self.body.is_over() {
                return;
            }
            let mut left = LINGER;
            while left > 0 {
                self.input.consume(usize::MAX);
                let filled = poll_fn(|context| self.poll_fill(context));
                match timeout(LINGER_IDLE, filled).await {
                    Ok(Ok(count @ 1..)) => left = left.saturating_sub(count),
                    Ok(Ok(0) | Err(_)) | Err(_) => return,
                }
            }
        };
        // Whoever is slower is cut.
        drop(timeout(LINGER_TIME, closing).await);
    }
}

impl Source for Client {
    fn poll_octets(
        &mut self,
        context: &mut Context<'_>,
        output: &mut Buffer,
        is_chunked: bool,
    ) -> Poll<Result<usize, Cut>> {
        if std::mem::take(&mut self.waits_for_word) {
            self.output.append(b"HTTP/1.1 100 Continue\r\n\r\n");
            if let Poll::Ready(Err(error)) = self.poll_send(context) {
                return Poll::Ready(Err(Cut::Broken(error.into())));
            }
        }
        loop {
            let ready = self.body.ready(&mut self.input);
            let ready = ready.map_err(|error| Cut::Malformed(error.into()))?;
            if ready > 0 {
                let octets = self.input.filled().get(..ready).unwrap_or_default();
                put_piece(output, is_chunked, octets);
                self.input.consume(ready);
                self.body.took(ready);
                return Poll::Ready(Ok(ready));
            }
            if self.body.is_over() {
                return Poll::Ready(Ok(0));
            }
            match ready!(self.poll_fill(context)) {
                Ok(1..) => {}
                Ok(0) => return Poll::Ready(Err(ended_early())),
                Err(error) => return Poll::Ready(Err(Cut::Broken(error.into()))),
            }
        }
    }
}
