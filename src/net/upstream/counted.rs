//! A connection that knows how much was written to it, and how much of that has arrived.

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use nix::libc;
use nix::sys::socket::getsockopt;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;

/// TCP, counted.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    /// Octets that were given to this system to be sent.
    written: u64,
    /// What had been acknowledged before any of them: the SYN counts.
    before: Option<u64>,
    /// Whether the other end's system has reset it.
    was_reset: bool,
}

impl Counted {
    /// A connection that nothing was written to.
    pub(super) fn new(stream: TcpStream) -> Self {
        let before = acknowledged(&stream);
        Self {
            stream,
            written: 0,
            before,
            was_reset: false,
        }
    }

    /// Octets that were written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Octets of them that the other end's system has acknowledged; what a server that had closed the
    /// connection already never does. A server that closes after it has read acknowledges with its FIN at
    /// the latest. `None` if this system does not tell, or the connection was reset: acknowledgements may
    /// come half a second late (RFC 9293 section 3.8.6.3), and a reset comes instead of them.
    pub(super) fn acknowledged(&self) -> Option<u64> {
        if self.was_reset {
            return None;
        }
        acknowledged(&self.stream)?.checked_sub(self.before?)
    }

    /// Sees whether it was reset: the system says so once, to whoever asks first.
    fn noted<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.was_reset |=
            matches!(&done, Err(error) if error.kind() == io::ErrorKind::ConnectionReset);
        done
    }

    /// What it is about.
    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let read = ready!(Pin::new(&mut this.stream).poll_read(context, space));
        Poll::Ready(this.noted(read))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, octets));
        let count = this.noted(written)?;
        this.written += u64::try_from(count).unwrap_or(0);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(context, pieces));
        let count = this.noted(written)?;
        this.written += u64::try_from(count).unwrap_or(0);
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

fn acknowledged(stream: &TcpStream) -> Option<u64> {
    getsockopt(stream, TcpInfo).ok()?.last().copied()
}

/// The first 128 octets of `struct tcp_info` (linux/tcp.h), whose last eight are
/// `tcpi_bytes_acked`.
#[derive(Clone, Copy, Debug)]
struct TcpInfo;

nix::getsockopt_impl!(
    TcpInfo,
    libc::IPPROTO_TCP,
    libc::TCP_INFO,
    [u64; 16],
    nix::sys::socket::sockopt::GetStruct<[u64; 16]>
);

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_arrives_is_acknowledged_and_what_meets_a_closed_end_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let mut ours = Counted::new(stream.unwrap());
        let (mut theirs, _) = listener.accept().await.unwrap();
        assert_eq!((ours.written(), ours.acknowledged()), (0, Some(0)));
        ours.write_all(b"hello").await.unwrap();
        theirs.read_exact(&mut [0; 5]).await.unwrap();
        // Its answer acknowledges what it has read.
        theirs.write_all(b"!").await.unwrap();
        ours.read_exact(&mut [0; 1]).await.unwrap();
        assert_eq!((ours.written(), ours.acknowledged()), (5, Some(5)));
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
        ours.write_all(b"again").await.unwrap();
        assert_eq!((ours.written(), ours.acknowledged()), (10, Some(5)));
    }

    /// Whether the reset is met by reading or by writing.
    #[tokio::test]
    async fn what_a_reset_connection_has_taken_is_not_known() {
        for reads in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
            let mut ours = Counted::new(stream.unwrap());
            let (mut theirs, _) = listener.accept().await.unwrap();
            ours.write_all(b"hello").await.unwrap();
            theirs.read_exact(&mut [0; 5]).await.unwrap();
            socket2::SockRef::from(&theirs)
                .set_linger(Some(std::time::Duration::ZERO))
                .unwrap();
            drop(theirs);
            if reads {
                ours.read(&mut [0; 1]).await.unwrap_err();
            } else {
                ours.write_all(b"again").await.unwrap_err();
                // Nothing is said of it any more.
                assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
            }
            assert_eq!(ours.acknowledged(), None, "row {reads}");
        }
    }
}
