//! Connections to the mail server: a pool, names, TLS, and two ways to send.
//!
//! [`Upstream::ask`] sends an OPTIONS of our own. [`Upstream::forward`] sends a client's request,
//! and needs its [`Permit`]: it is polled beside the exchange, and when it resolves the exchange is
//! cut. Bodies are streamed both ways and never held.
//!
//! A server may answer before it has read all of a request, and stop listening: its answer counts,
//! see `upstream/patient.rs`.
//!
//! The pool is of HTTP/1.1 connections. One that the server has closed is noticed before it is
//! used; if it closes at that very moment, a request of which nothing has been written is sent on
//! another connection, and any other fails: a command may have been carried out. A short idle time
//! keeps that rare with servers that reset idle connections. A connection is used again only after
//! an answer that was read to its end; octets after it close the connection.
//!
//! Tasks: the HTTP library drives each connection in one task, which ends with the connection.
//! Aborting it fails the request on it, and nothing else.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper_rustls::HttpsConnector;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use tokio::time::timeout;
use tower_service::Service;
use tracing::warn;

use crate::access::Decided;
use crate::access::Permit;
use crate::model::causes;
use crate::net::body::Cut;
use crate::net::body::Guarded;
use crate::net::body::Upload;

mod patient;

use patient::Connector;

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

/// The mail server, as a pool of connections.
#[derive(Debug)]
pub struct Upstream {
    client: Client<HttpsConnector<Connector>, Upload>,
    timing: Timing,
}

/// What came of a forwarded request.
#[derive(Debug)]
pub enum Forwarded {
    /// An answer has begun; its body holds the permit.
    Answer(Response<Guarded>),
    /// The permission was taken back before an answer had begun.
    Revoked(Box<Decided>),
    /// There is no answer.
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Too long a silence.
    #[error("the mail server did not answer in time")]
    Timeout,
    /// No connection, or one that broke.
    #[error("the connection to the mail server failed")]
    Connection(#[source] hyper_util::client::legacy::Error),
    /// The client's body broke off, or came too slowly.
    #[error("the body of the request did not arrive")]
    Body(#[source] hyper_util::client::legacy::Error),
    /// The client's body is none: its chunks are not framed as RFC 9112 section 7.1 says.
    #[error("the body of the request is malformed")]
    Malformed(#[source] hyper_util::client::legacy::Error),
}

impl Failure {
    /// Sorts an error of the library by blame.
    fn new(error: hyper_util::client::legacy::Error) -> Self {
        let mut cause = error.source();
        while let Some(inner) = cause {
            match inner.downcast_ref::<Cut>() {
                Some(cut) if cut.is_malformed() => return Self::Malformed(error),
                Some(_) => return Self::Body(error),
                None => {}
            }
            cause = inner.source();
        }
        Self::Connection(error)
    }

    /// Whether the mail server could not even be connected to.
    #[must_use]
    pub fn is_down(&self) -> bool {
        match self {
            Self::Connection(error) => error.is_connect(),
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
    /// Reads the system's resolver configuration; connects to nothing yet. Without a usable
    /// configuration only mail servers given by address can be reached.
    #[must_use]
    pub fn new(tls: ClientConfig, timing: Timing) -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        let resolver = resolver
            .inspect_err(|error| warn!(%error, "the system's resolver configuration is unusable"))
            .ok();
        let mut connector = HttpConnector::new_with_resolver(Resolver(resolver));
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timing.connect));
        // A waiting Ping is silent for an hour: this notices a server that is gone.
        connector.set_keepalive(Some(KEEPALIVE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Connector(connector));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(timing.idle)
            .pool_max_idle_per_host(MAX_IDLE)
            .build(connector);
        Self { client, timing }
    }

    /// Sends a request of our own, without body, and reads the head of the answer.
    ///
    /// # Errors
    ///
    /// When there is none in time.
    pub async fn ask(&self, request: Request<()>) -> Result<(StatusCode, HeaderMap), Failure> {
        let sent = self.client.request(request.map(|()| Upload::Empty));
        let answer = timeout(self.timing.ask, sent).await;
        let answer = answer
            .map_err(|_| Failure::Timeout)?
            .map_err(Failure::new)?;
        let (head, body) = answer.into_parts();
        // Read to its end, if that is near, so that the connection can be used again.
        let rest = http_body_util::Limited::new(body, MAX_ASKED).collect();
        let _unread = timeout(ASKED_BODY, rest).await;
        Ok((head.status, head.headers))
    }

    /// Sends a client's request. Needs the proof that it is allowed, and drops it with the request.
    pub async fn forward(&self, mut permit: Permit, request: Request<Upload>) -> Forwarded {
        let answer = timeout(self.timing.hold, self.client.request(request));
        tokio::select! {
            // First of all, so that nothing is sent if the permission is gone already.
            biased;
            decided = &mut permit => Forwarded::Revoked(Box::new(decided)),
            answer = answer => match answer {
                Ok(Ok(answer)) => {
                    let hold = self.timing.hold;
                    Forwarded::Answer(answer.map(|body| Guarded::new(body, permit, hold)))
                }
                Ok(Err(error)) => Forwarded::Failed(Failure::new(error)),
                Err(_) => Forwarded::Failed(Failure::Timeout),
            },
        }
    }
}

/// Names to addresses, for the connector.
#[derive(Clone, Debug)]
struct Resolver(Option<TokioResolver>);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.0.clone();
        Box::pin(async move {
            let resolver = resolver.ok_or("no resolver is configured on this system")?;
            let found = resolver.lookup_ip(name.as_str()).await;
            let found = found.map_err(|error| no_address(name.as_str(), error))?;
            // The connector puts the port in.
            let addresses: Vec<SocketAddr> = found
                .iter()
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            Ok(addresses.into_iter())
        })
    }
}

/// Why a name has no address; the resolver prints its whole query.
fn no_address(name: &str, error: NetError) -> Box<dyn Error + Send + Sync> {
    if error.is_no_records_found() {
        format!("the name {name} has no address").into()
    } else {
        error.into()
    }
}

/// Idle connections kept: what a few hundred requests a second need within the idle time. Beyond it
/// a connection is closed after its request.
const MAX_IDLE: usize = 256;
/// Probing a silent connection from then on.
const KEEPALIVE: Duration = Duration::from_mins(1);
/// The most that is read of the body of an OPTIONS answer, which has none, or an error page.
const MAX_ASKED: usize = 16 * 1024;
/// And how long that is waited for.
const ASKED_BODY: Duration = Duration::from_secs(1);
