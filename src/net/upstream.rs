//! Connections to the upstreams: pools of servers, names, TLS, and ways to send.
//!
//! [`Lane::ask`] sends an OPTIONS of our own. `Lane::forward` sends a client's request, and needs
//! its [`Permit`]: it is polled beside the exchange, and when it resolves the exchange is cut.
//! Bodies are streamed both ways and never held.
//!
//! An upstream has one or more members (`upstream/group.rs`). Which one a request goes to follows
//! from its user or device, by the highest of one number for each member, so that one that is lost
//! moves only its own. A member that does not answer is avoided for a while; one that fails its
//! health check (`upstream/watch.rs`) gets nothing until it passes, and when all of them fail, the
//! answer is 503 at once.
//!
//! **What is sent twice**: a request goes to another member as long as no connection could be
//! opened. On a kept connection one of which nothing was written goes by another one; and so does
//! one that was written where the server had closed the connection already, which shows in that its
//! system has acknowledged no octet of it and has reset the connection (`Counted::fate_after`). A server that ends, as at a
//! reload, may close a connection whose octets its system has taken: then only a request is sent again
//! that changes nothing (`eas::may_be_repeated`). Any other that may have been read is not: it may have
//! been carried out, and the client is told 503.
//!
//! A server may answer before it has read all of a request, and stop listening: its answer counts,
//! see `upstream/link.rs`.
//!
//! Each runtime has connections of its own, of HTTP/1.1. A connection is used again only after an
//! answer that was read to its end; octets after it close the connection.
//!
//! Names are resolved for each new connection, and remembered for as long as DNS says; with idle
//! times of seconds and a connection's age of at most ten minutes a change is followed soon.
//!
//! An upstream may say that each address of a name, or each server of its SRV records, is a member; then
//! DNS is asked beside the requests (`upstream/discover.rs`).
//!
//! Tasks: the health checks and the look-ups, one task of one lane each, and in each lane one that closes
//! what requests that were cut leave behind (`upstream/closing.rs`). Beside them an exchange runs in the
//! task of whoever waits for it, and an idle connection in none.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::Request;
use http::StatusCode;
use tokio::time::timeout;

use crate::access::Decided;
use crate::access::Permit;
use crate::mail::Route;
use crate::model::causes;
use crate::net::body::Cut;
use crate::net::body::Nothing;
use crate::net::http1::Length;
use crate::net::proxy_header::Ends;

mod closing;
mod connect;
mod counted;
mod discover;
mod exchange;
mod group;
mod health;
mod link;
mod pool;
mod watch;

pub use connect::OpenError;
pub(in crate::net) use discover::follow;
pub(in crate::net) use exchange::Exchange;
pub use group::Check;
pub use group::Discover;
pub use group::Settings;
pub use group::Tls;
pub(in crate::net) use watch::watch;

use connect::Names;
use discover::Troubles;
use exchange::Course;
use group::Group;
use group::Member;
use pool::Pool;
use pool::retire;

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
    /// The same for commands that wait for nothing, at most [`Timing::hold`]; 180 s by default, more
    /// than Exchange itself gives a request (110 s, `executionTimeout` of ASP.NET).
    pub answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            ask: Duration::from_secs(10),
            hold: Duration::from_secs(3600),
            answer: Duration::from_secs(180),
        }
    }
}

/// All upstreams.
pub struct Upstream {
    groups: Arc<ArcSwap<Vec<Group>>>,
    timing: Timing,
    name_servers: Vec<SocketAddr>,
    troubles: Arc<Troubles>,
    lanes: AtomicUsize,
}

/// The upstreams as one runtime reaches them: with connections of its own.
pub struct Lane {
    pool: Arc<Pool>,
    timing: Timing,
    /// Whether it is the one that asks servers how they are.
    pub(in crate::net) watches: bool,
}

/// How a server of an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The upstream's name.
    pub upstream: String,
    /// Where the server is.
    pub server: String,
    /// `up`, `up (health check)`, `avoided: why`, `down: why`.
    pub health: String,
    /// Whether requests go there.
    pub is_up: bool,
    /// Requests that went there.
    pub requests: u64,
    /// Those of them that it did not answer.
    pub failed: u64,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(in crate::net) enum Ended {
    /// The permission was taken back before an answer had begun.
    Revoked {
        /// What is decided now.
        decided: Box<Decided>,
        /// Whether it was a Sync of which it is known that it only waited.
        only_waited: bool,
    },
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
    /// It says nothing.
    #[error("no answer came in time")]
    Silent,
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
    pub fn new(upstreams: Vec<Settings>, timing: Timing) -> Self {
        let groups = upstreams
            .into_iter()
            .map(|settings| Group::new(settings, &[]));
        Self {
            groups: Arc::new(ArcSwap::from_pointee(groups.collect())),
            timing,
            name_servers: Vec::new(),
            troubles: Arc::default(),
            lanes: AtomicUsize::new(0),
        }
    }

    /// Asks these servers for names, in place of those of the system.
    #[must_use]
    pub fn with_name_servers(mut self, servers: Vec<SocketAddr>) -> Self {
        self.name_servers = servers;
        self
    }

    /// Takes other upstreams in their place. Servers that are the same keep their connections and
    /// what is known of them; requests under way go on wherever they are.
    pub fn replace(&self, upstreams: &[Settings]) {
        let before = self.groups.rcu(|before| {
            let upstreams = upstreams.iter().cloned();
            let groups = upstreams.map(|settings| Group::new(settings, before));
            groups.collect::<Vec<_>>()
        });
        let all = |groups: &[Group]| -> Vec<Arc<Member>> {
            let members = groups.iter().flat_map(|group| &group.members);
            members.map(Arc::clone).collect()
        };
        let now = all(&self.groups.load());
        retire(&all(&before), &now);
        for member in now {
            if member.settings.check.is_none() {
                member.health.is_not_checked();
            }
        }
    }

    /// Whether every upstream has a server that its health check has found well.
    #[must_use]
    pub fn passes_checks(&self) -> bool {
        let groups = self.groups.load();
        let is_well = |group: &Group| {
            let mut members = group.members.iter();
            members.any(|member| member.health.passes_checks())
        };
        groups.iter().all(is_well)
    }

    /// How every server is, in the order of the configuration.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let groups = self.groups.load();
        let members = groups.iter().flat_map(|group| &group.members);
        let standing = members.map(|member| {
            let (requests, failed) = member.health.counts();
            Standing {
                upstream: member.settings.name.to_string(),
                server: member.place(),
                health: member.health.words(),
                is_up: !member.health.is_down() && !member.health.is_avoided(),
                requests,
                failed,
            }
        });
        standing.collect()
    }

    /// The upstreams whose servers DNS is to name and does not, by name, and why.
    #[must_use]
    pub fn unnamed(&self) -> Vec<(String, String)> {
        self.troubles.all()
    }

    /// A way there for the runtime that calls.
    #[must_use]
    pub fn open_lane(&self) -> Lane {
        let groups = Arc::clone(&self.groups);
        let names = Names::new(&self.name_servers);
        let troubles = Arc::clone(&self.troubles);
        Lane {
            pool: Arc::new(Pool::new(groups, names, self.timing, troubles)),
            timing: self.timing,
            watches: self.lanes.fetch_add(1, Ordering::Relaxed) == 0,
        }
    }
}

impl Lane {
    /// Sends a request of our own, without body, and reads the head of the answer.
    ///
    /// # Errors
    ///
    /// When there is none in time.
    pub async fn ask(
        &self,
        to: Route,
        request: Request<()>,
        ends: Option<Ends>,
    ) -> Result<(StatusCode, HeaderMap), Failure> {
        let course = Course {
            to,
            ends,
            length: Length::Known(0),
            patience: self.timing.ask,
        };
        let exchange = Exchange::new(&self.pool, None, &request, course);
        let (status, headers, _) =
            read_whole(exchange, &mut Nothing, self.timing.ask, MAX_ASKED).await?;
        Ok((status, headers))
    }

    /// Sends a request of our own with a body, and reads an answer of at most `most` octets;
    /// `None` in the place of a longer one.
    ///
    /// # Errors
    ///
    /// When there is none in time.
    pub(in crate::net) async fn fetch(
        &self,
        to: Route,
        request: &Request<()>,
        body: &[u8],
        ends: Option<Ends>,
        most: usize,
    ) -> Result<(StatusCode, HeaderMap, Option<Vec<u8>>), Failure> {
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        let course = Course {
            to,
            ends,
            length: Length::Known(length),
            patience: self.timing.ask,
        };
        let mut exchange = Exchange::new(&self.pool, None, request, course);
        exchange.begin_with(body);
        read_whole(exchange, &mut Nothing, self.timing.ask, most).await
    }

    /// Asks a member how it is.
    async fn probe(
        &self,
        member: &Arc<Member>,
        request: Request<()>,
        deadline: Duration,
    ) -> Result<StatusCode, Failure> {
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let course = Course {
            to: Route::default(),
            ends: Some(Ends {
                from: here,
                to: here,
            }),
            length: Length::Known(0),
            patience: deadline,
        };
        let member = Arc::clone(member);
        let mut exchange = Exchange::at(&self.pool, None, &request, course, member);
        exchange.stay();
        let (status, ..) = read_whole(exchange, &mut Nothing, deadline, MAX_ASKED).await?;
        Ok(status)
    }

    /// Begins to send a client's request, whose body has this length; the client may be waited for
    /// `patience` in all. Needs the proof that it is allowed, and drops it with the request.
    pub(in crate::net) fn forward(
        &self,
        to: Route,
        permit: Permit,
        request: &Request<()>,
        ends: Ends,
        length: Length,
        patience: Duration,
    ) -> Exchange {
        let course = Course {
            to,
            ends: Some(ends),
            length,
            patience,
        };
        Exchange::new(&self.pool, Some(permit), request, course)
    }

    /// Drops what a request that was cut leaves behind, when clients have been answered.
    pub(in crate::net) fn drop_later(&self, left: Box<dyn Send>) {
        self.pool.closing.put(left);
    }

    /// Drops it. Never ends; dropping it is safe.
    pub(in crate::net) async fn close(&self) {
        self.pool.closing.run().await;
    }

    /// Closes connections that are idle for too long; to be called every second or so.
    pub fn sweep(&self) {
        self.pool.sweep();
    }
}

/// The head of an answer, and its body if that is not longer than `most` and comes soon.
async fn read_whole(
    mut exchange: Exchange,
    source: &mut Nothing,
    deadline: Duration,
    most: usize,
) -> Result<(StatusCode, HeaderMap, Option<Vec<u8>>), Failure> {
    let answer = poll_fn(|context| exchange.poll_answer(context, source));
    let Ok(answer) = timeout(deadline, answer).await else {
        exchange.give_up();
        return Err(Failure::Timeout);
    };
    let head = match answer {
        Ok(head) => head,
        Err(Ended::Failed(failure)) => return Err(failure),
        // Nothing was permitted that could be taken back.
        Err(Ended::Revoked { .. }) => return Err(LinkError::Closed.into()),
    };
    // Read to its end, if that is near, so that the connection can be used again.
    let mut body = Vec::new();
    let rest = poll_fn(|context| {
        loop {
            match exchange.poll_piece(context, source) {
                Poll::Ready(Ok(0)) => {
                    exchange.finish();
                    return Poll::Ready(true);
                }
                Poll::Ready(Ok(count)) if body.len() + count <= most => {
                    body.extend_from_slice(exchange.piece(count));
                    exchange.take(count);
                }
                Poll::Ready(_) => return Poll::Ready(false),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    let is_whole = timeout(ASKED_BODY, rest).await.unwrap_or(false);
    Ok((head.status, head.headers, is_whole.then_some(body)))
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
