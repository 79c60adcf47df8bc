//! Connections that hear a server out which has stopped listening.
//!
//! A server that refuses a request early (413, 401) may close its side while the body is still on
//! its way. What it said is there to be read, but the HTTP library looks at the failed write first
//! and gives up. So a write that finds nobody is taken for done, and reading goes on: it ends with
//! the answer, or at once, because the connection is dead.

use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use hyper::Uri;
use hyper::rt::Read;
use hyper::rt::ReadBufCursor;
use hyper::rt::Write;
use hyper_util::client::legacy::connect::Connected;
use hyper_util::client::legacy::connect::Connection;
use hyper_util::client::legacy::connect::HttpConnector;
use tower_service::Service;

use super::Resolver;

/// Makes [`Patient`] connections.
#[derive(Clone, Debug)]
pub(super) struct Connector(pub(super) HttpConnector<Resolver>);

type Inner = HttpConnector<Resolver>;

impl Service<Uri> for Connector {
    type Response = Patient<<Inner as Service<Uri>>::Response>;
    type Error = <Inner as Service<Uri>>::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.0.call(uri);
        Box::pin(async move { connecting.await.map(Patient::new) })
    }
}

/// A connection whose other side may stop listening.
#[derive(Debug)]
pub(super) struct Patient<T> {
    inner: T,
    /// Nobody listens any more; what is written is dropped.
    is_deaf: bool,
}

impl<T> Patient<T> {
    fn new(inner: T) -> Self {
        Self {
            inner,
            is_deaf: false,
        }
    }

    /// What became of writing `length` octets.
    fn settle(&mut self, written: io::Result<usize>, length: usize) -> io::Result<usize> {
        match written {
            Err(error) if is_deaf(&error) => {
                self.is_deaf = true;
                Ok(length)
            }
            written => written,
        }
    }
}

impl<T: Read + Unpin> Read for Patient<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: Write + Unpin> Write for Patient<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_deaf {
            return Poll::Ready(Ok(octets.len()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(context, octets));
        Poll::Ready(self.settle(written, octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_deaf {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = pieces.iter().map(|piece| piece.len()).sum();
        if self.is_deaf {
            return Poll::Ready(Ok(length));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write_vectored(context, pieces));
        Poll::Ready(self.settle(written, length))
    }
}

impl<T: Connection> Connection for Patient<T> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

fn is_deaf(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
