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

/// What became of octets that were written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fate {
    /// Nobody has had them.
    MetNobody,
    /// Whoever was there may have had them.
    PerhapsRead,
    /// The other end's system has not said so far.
    Unknown,
}

impl Counted {
    /// A connection that nothing was written to.
    pub(super) fn new(stream: TcpStream) -> Self {
        let before = told(&stream).map(|(_, acknowledged)| acknowledged);
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

    /// What became of the octets after the first `count`, once the other end has said that it ends the
    /// connection. One that had closed it before them acknowledges none and answers with a reset; one that
    /// only says that it sends no more (RFC 9293 section 3.6) may read them still, and acknowledges them up
    /// to half a second late (section 3.8.6.3). One that closes after it has read has acknowledged by then.
    pub(super) fn fate_after(&self, count: u64) -> Fate {
        // A reset before the end may have come instead of what was to be acknowledged.
        if self.was_reset {
            return Fate::PerhapsRead;
        }
        let Some((state, acknowledged)) = told(&self.stream) else {
            return Fate::PerhapsRead;
        };
        match acknowledged.checked_sub(self.before.unwrap_or(u64::MAX)) {
            Some(acknowledged) if acknowledged <= count => {
                if state == TCP_CLOSE {
                    Fate::MetNobody
                } else {
                    Fate::Unknown
                }
            }
            Some(_) | None => Fate::PerhapsRead,
        }
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

/// The connection's state, and the octets that were acknowledged.
fn told(stream: &TcpStream) -> Option<(u8, u64)> {
    let told = getsockopt(stream, TcpInfo).ok()?;
    let [state, ..] = told.first()?.to_ne_bytes();
    Some((state, *told.last()?))
}

/// The state of a connection that is no more (`include/net/tcp_states.h`).
const TCP_CLOSE: u8 = 7;

/// The first 128 octets of `struct tcp_info` (linux/tcp.h), which begin with `tcpi_state` and end with
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

    /// Our end of a connection that has carried five octets, and theirs.
    async fn used() -> (Counted, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await;
        let mut ours = Counted::new(stream.unwrap());
        let (mut theirs, _) = listener.accept().await.unwrap();
        ours.write_all(b"hello").await.unwrap();
        theirs.read_exact(&mut [0; 5]).await.unwrap();
        // Its answer acknowledges what it has read.
        theirs.write_all(b"!").await.unwrap();
        ours.read_exact(&mut [0; 1]).await.unwrap();
        (ours, theirs)
    }

    async fn known_after(ours: &Counted, count: u64) -> Fate {
        let known = async {
            loop {
                let fate = ours.fate_after(count);
                if fate != Fate::Unknown {
                    return fate;
                }
                tokio::task::yield_now().await;
            }
        };
        let most = std::time::Duration::from_secs(10);
        tokio::time::timeout(most, known).await.unwrap()
    }

    #[tokio::test]
    async fn what_arrives_is_perhaps_read_and_what_meets_a_closed_end_is_not() {
        let (mut ours, theirs) = used().await;
        assert_eq!(ours.written(), 5);
        assert_eq!(ours.fate_after(4), Fate::PerhapsRead);
        drop(theirs);
        assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
        ours.write_all(b"again").await.unwrap();
        assert_eq!(ours.written(), 10);
        assert_eq!(known_after(&ours, 5).await, Fate::MetNobody);
    }

    #[tokio::test]
    async fn who_only_says_that_it_sends_no_more_may_read_still() {
        let (mut ours, mut theirs) = used().await;
        theirs.shutdown().await.unwrap();
        assert_eq!(ours.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(ours.fate_after(5), Fate::Unknown, "before it was sent");
        ours.write_all(b"again").await.unwrap();
        assert_eq!(known_after(&ours, 5).await, Fate::PerhapsRead);
        theirs.read_exact(&mut [0; 5]).await.unwrap();
    }

    /// Whether the reset is met by reading or by writing.
    #[tokio::test]
    async fn what_a_reset_connection_has_taken_is_perhaps_read() {
        for reads in [true, false] {
            let (mut ours, mut theirs) = used().await;
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
            assert_eq!(ours.fate_after(5), Fate::PerhapsRead, "row {reads}");
        }
    }
}
