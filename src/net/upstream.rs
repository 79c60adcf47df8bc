//! Connections to the mail server: a pool, names, TLS, and two ways to send.
//!
//! [`Lane::ask`] sends an OPTIONS of our own. `Lane::forward` sends a client's request, and needs
//! its [`Permit`]: it is polled beside the exchange, and when it resolves the exchange is cut.
//! Bodies are streamed both ways and never held.
//!
//! A server may answer before it has read all of a request, and stop listening: its answer counts,
//! see `upstream/link.rs`.
//!
//! Each runtime has a pool of its own, of HTTP/1.1 connections. One that the server has closed is
//! noticed before it is used; if it closes at that very moment, a request of which nothing has been
//! written is sent on another connection, and any other fails: a command may have been carried out.
//! A short idle time keeps that rare with servers that reset idle connections. A connection is used
//! again only after an answer that was read to its end; octets after it close the connection.
//!
//! No task: an exchange runs in the task of whoever waits for it, and an idle connection in none.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::HeaderMap;
use http::Request;
use http::StatusCode;
use rustls::ClientConfig;
use tokio::time::timeout;

use crate::access::Decided;
use crate::access::Permit;
use crate::model::causes;
use crate::net::body::Cut;
use crate::net::body::Nothing;
use crate::net::http1::Length;

mod exchange;
mod link;
mod pool;

pub(in crate::net) use exchange::Exchange;
pub use pool::OpenError;

use pool::Pool;

/// Times of the way to the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For a connection, TLS included; 10 s by default.
    pub connect: Duration,
    /// For the answer to an OPTIONS of our own; 10 s by default.
    pub ask: Duration,
    /// How long the mail server may be silent while a request is with it. Ping and Sync hold one
    /// for up to 3540 s (MS-ASCMD); 3600 s by default.
    pub hold: Duration,
    /// How long an idle connection stays in the pool; 4 s by default, below what servers and
    /// firewalls are known to allow.
    pub idle: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ask: Duration::from_secs(10),
            hold: Duration::from_secs(3600),
            idle: Duration::from_secs(4),
        }
    }
}

/// The mail server.
pub struct Upstream {
    tls: Arc<ClientConfig>,
    timing: Timing,
}

/// The mail server as one runtime reaches it: with connections of its own.
pub struct Lane {
    pool: Arc<Pool>,
    timing: Timing,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(in crate::net) enum Ended {
    /// The permission was taken back before an answer had begun.
    Revoked(Box<Decided>),
    /// Anything else.
    Failed(Failure),
}

impl<T: Into<Failure>> From<T> for Ended {
    fn from(failure: T) -> Self {
        Self::Failed(failure.into())
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Too long a silence.
    #[error("the mail server did not answer in time")]
    Timeout,
    /// No connection, or one that broke.
    #[error("the connection to the mail server failed")]
    Connection(#[from] LinkError),
    /// The client's body broke off, or came too slowly.
    #[error("the body of the request did not arrive")]
    Body(#[source] Cut),
    /// The client's body is none: its chunks are not framed as RFC 9112 section 7.1 says.
    #[error("the body of the request is malformed")]
    Malformed(#[source] Cut),
}

/// What is wrong with a connection.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It could not be opened.
    #[error(transparent)]
    Open(OpenError),
    /// The mail server closed it before it had answered.
    #[error("the connection was closed before the answer was there")]
    Closed,
    /// It broke.
    #[error("the connection broke")]
    Io(#[source] io::Error),
    /// What came is no answer of HTTP/1.1.
    #[error("the answer is none of HTTP/1.1")]
    NotHttp,
}

impl From<Cut> for Failure {
    /// Of a request's body.
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Malformed(_) => Self::Malformed(cut),
            Cut::Silent => Self::Timeout,
            Cut::Broken(_) | Cut::Slow | Cut::Revoked => Self::Body(cut),
        }
    }
}

impl Failure {
    /// Whether the mail server could not even be connected to.
    #[must_use]
    pub fn is_down(&self) -> bool {
        match self {
            Self::Connection(error) => matches!(error, LinkError::Open(_)),
            Self::Timeout | Self::Body(_) | Self::Malformed(_) => false,
        }
    }

    /// The failure with its causes, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        causes(self)
    }
}

impl Upstream {
    /// Connects to nothing yet.
    #[must_use]
    pub fn new(tls: ClientConfig, timing: Timing) -> Self {
        Self {
            tls: Arc::new(tls),
            timing,
        }
    }

    /// A way there for the runtime that calls.
    #[must_use]
    pub fn open_lane(&self) -> Lane {
        Lane {
            pool: Arc::new(Pool::new(Arc::clone(&self.tls), self.timing)),
            timing: self.timing,
        }
    }
}

impl Lane {
    /// Sends a request of our own, without body, and reads the head of the answer.
    ///
    /// # Errors
    ///
    /// When there is none in time.
    pub async fn ask(&self, request: Request<()>) -> Result<(StatusCode, HeaderMap), Failure> {
        let timing = self.timing;
        let (length, hold) = (Length::Known(0), timing.hold);
        let mut exchange = Exchange::new(&self.pool, None, &request, length, timing.ask, hold);
        let answer = poll_fn(|context| exchange.poll_answer(context, &mut Nothing));
        let answer = timeout(timing.ask, answer).await;
        let head = match answer.map_err(|_| Failure::Timeout)? {
            Ok(head) => head,
            Err(Ended::Failed(failure)) => return Err(failure),
            // Nothing was permitted that could be taken back.
            Err(Ended::Revoked(_)) => return Err(LinkError::Closed.into()),
        };
        // Read to its end, if that is near, so that the connection can be used again.
        let mut left = MAX_ASKED;
        let rest = poll_fn(|context| {
            loop {
                match exchange.poll_piece(context, &mut Nothing) {
                    Poll::Ready(Ok(0)) => {
                        exchange.finish();
                        return Poll::Ready(());
                    }
                    Poll::Ready(Ok(count)) if count <= left => {
                        exchange.take(count);
                        left -= count;
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        let _unread = timeout(ASKED_BODY, rest).await;
        Ok((head.status, head.headers))
    }

    /// Begins to send a client's request, whose body has this length; the client may be waited for
    /// `patience` in all. Needs the proof that it is allowed, and drops it with the request.
    pub(in crate::net) fn forward(
        &self,
        permit: Permit,
        request: &Request<()>,
        length: Length,
        patience: Duration,
    ) -> Exchange {
        let hold = self.timing.hold;
        Exchange::new(&self.pool, Some(permit), request, length, patience, hold)
    }

    /// Closes connections that are idle for too long; to be called every second or so.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// The most that is read of the body of an OPTIONS answer, which has none, or an error page.
const MAX_ASKED: usize = 16 * 1024;
/// And how long that is waited for.
const ASKED_BODY: Duration = Duration::from_secs(1);
