//! One connection to the mail server.
//!
//! It hears a server out which has stopped listening: a server that refuses a request early (413,
//! 401) may close its side while the body is still on its way. What it said is there to be read. So
//! a write that finds nobody is taken for done, and reading goes on: it ends with the answer, or at
//! once, because the connection is dead.

use std::io;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;
use std::task::ready;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::net::http1::Buffer;
use crate::net::proxy_header::Ends;

use super::counted::Counted;
use super::counted::Fate;

/// A connection, and what has been read from it.
#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    /// Whose it is, if it begins with that.
    pub(super) ends: Option<Ends>,
    pub(super) input: Buffer,
    /// Memory for what is kept of a request while it waits.
    pub(super) spare: Vec<u8>,
    /// Nobody listens any more; what is written is dropped.
    is_deaf: bool,
    /// Whether it has served a request before.
    pub(super) was_used: bool,
    /// Since when it serves none.
    pub(super) idle_since: Instant,
    pub(super) opened: Instant,
}

#[derive(Debug)]
enum Stream {
    Plain(Counted),
    Tls(Box<TlsStream<Counted>>),
}

impl Link {
    pub(super) fn plain(stream: Counted, ends: Option<Ends>) -> Self {
        Self::new(Stream::Plain(stream), ends)
    }

    pub(super) fn tls(stream: TlsStream<Counted>, ends: Option<Ends>) -> Self {
        Self::new(Stream::Tls(Box::new(stream)), ends)
    }

    fn new(stream: Stream, ends: Option<Ends>) -> Self {
        let now = Instant::now();
        Self {
            stream,
            ends,
            input: Buffer::default(),
            spare: Vec::new(),
            is_deaf: false,
            was_used: false,
            idle_since: now,
            opened: now,
        }
    }

    /// Octets that were written to the connection so far, those of TLS.
    pub(super) fn written(&self) -> u64 {
        self.counted().written()
    }

    /// What became of those after the first `count`, once the other end has ended the connection.
    pub(super) fn fate_after(&self, count: u64) -> Fate {
        self.counted().fate_after(count)
    }

    fn counted(&self) -> &Counted {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Whether an idle connection is still good: open, and silent.
    pub(super) fn is_alive(&mut self) -> bool {
        let mut octet = [0; 1];
        match &mut self.stream {
            Stream::Plain(stream) => matches!(
                stream.stream().try_read(&mut octet),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock
            ),
            // Tickets may come at any time: TLS takes them in, and gives nothing out.
            Stream::Tls(stream) => {
                let mut nobody = Context::from_waker(Waker::noop());
                let mut octet = ReadBuf::new(&mut octet);
                Pin::new(stream)
                    .poll_read(&mut nobody, &mut octet)
                    .is_pending()
            }
        }
    }

    pub(super) fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    /// From now on what is written is dropped.
    pub(super) fn turn_deaf(&mut self) {
        self.is_deaf = true;
    }

    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, octets),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            // Nothing is kept back.
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    /// Reads once; 0 is the end.
    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = ReadBuf::new(self.input.space());
        let read = match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, &mut space),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, &mut space),
        };
        let count = space.filled().len();
        self.input.grow(count);
        if count == 0 {
            self.input.release_if_empty();
        }
        ready!(read)?;
        Poll::Ready(Ok(count))
    }
}
