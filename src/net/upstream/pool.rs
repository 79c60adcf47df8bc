//! Connections of one runtime to the mail server: idle ones to be used again, and new ones.

#![expect(
    clippy::vec_box,
    reason = "a connection moves between here and its exchange as one word"
)]

use std::error::Error;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::Instant;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tower_service::Service;
use tracing::warn;

use super::Timing;
use super::link::Link;

/// The connections.
pub(super) struct Pool {
    connector: HttpConnector<Resolver>,
    tls: TlsConnector,
    timing: Timing,
    /// Those that were used last stand last. Held for a few operations, never across a wait.
    idle: Mutex<Vec<Box<Link>>>,
}

/// A connection on its way.
pub(super) type Opening = Pin<Box<dyn Future<Output = Result<Box<Link>, OpenError>> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No address, or nobody there.
    #[error("no connection")]
    Connect(#[source] Box<dyn Error + Send + Sync>),
    /// No TLS: not the right certificate, mostly.
    #[error("no TLS")]
    Tls(#[source] io::Error),
    /// The name is none that a certificate could have.
    #[error("the name of the server is none")]
    Name,
    /// Too long.
    #[error("it took too long")]
    Timeout,
}

impl Pool {
    /// Reads the system's resolver configuration; connects to nothing yet. Without a usable
    /// configuration only mail servers given by address can be reached.
    pub(super) fn new(tls: Arc<ClientConfig>, timing: Timing) -> Self {
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
        Self {
            connector,
            tls: TlsConnector::from(tls),
            timing,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// An idle connection to the server of `uri`, if there is one that is good.
    pub(super) fn take(&self, uri: &Uri) -> Option<Box<Link>> {
        let now = Instant::now();
        let mut idle = self.idle();
        while let Some(mut link) = idle.pop() {
            if now.duration_since(link.idle_since) > self.timing.idle {
                // The others are idle for longer still.
                idle.clear();
                return None;
            }
            if link.leads_to(uri) && link.is_alive() {
                return Some(link);
            }
        }
        None
    }

    /// Takes a connection back that may be used again.
    pub(super) fn give(&self, mut link: Box<Link>) {
        link.was_used = true;
        link.idle_since = Instant::now();
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(link);
        }
    }

    /// Closes what is idle for too long.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.idle()
            .retain(|link| now.duration_since(link.idle_since) <= self.timing.idle);
    }

    /// Opens a connection to the server of `uri`.
    pub(super) fn open(&self, uri: Uri) -> Opening {
        let (mut connector, tls) = (self.connector.clone(), self.tls.clone());
        let within = self.timing.connect;
        let opening = async move {
            let connecting = connector.call(uri.clone());
            let stream = connecting
                .await
                .map_err(|error| OpenError::Connect(error.into()))?
                .into_inner();
            if uri.scheme() != Some(&Scheme::HTTPS) {
                return Ok(Box::new(Link::plain(uri, stream)));
            }
            let host = uri.host().unwrap_or_default();
            let name = host.trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(name.to_owned()).map_err(|_| OpenError::Name)?;
            let stream = tls.connect(name, stream).await.map_err(OpenError::Tls)?;
            Ok(Box::new(Link::tls(uri, stream)))
        };
        Box::pin(async move {
            timeout(within, opening)
                .await
                .unwrap_or(Err(OpenError::Timeout))
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Box<Link>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Idle connections kept by each runtime: what a few hundred requests a second need within the idle
/// time. Beyond it a connection is closed after its request.
const MAX_IDLE: usize = 256;
/// Probing a silent connection from then on.
const KEEPALIVE: Duration = Duration::from_mins(1);
