//! The ActiveSync front: accepts TLS, reads heads, carries out what [`mail`](crate::mail) says.
//!
//! Tasks, all owned by [`serve`] and ended with it: one for each connection, which reads heads and
//! runs the exchanges of HTTP/1.1 itself; over HTTP/2 the library runs each exchange in a task of
//! its own, which ends when its stream is reset or its connection closes. Aborting any of them cuts
//! a client off and drops its permits; nothing else hangs on them.
//!
//! Bounds: connections in all and for each address, time for the handshake and for each head (an
//! idle connection of HTTP/1.1 counts as one that sends no head), size of a head, streams of an
//! HTTP/2 connection and their resets, speed of a request body. There is no bound on the whole of a
//! request: a Ping waits for up to an hour.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::Response;
use hyper::Version;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::header;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use rustls::ServerConfig;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;
use tracing::warn;

use crate::eas::Command;
use crate::mail::Action;
use crate::mail::Cause;
use crate::mail::Event;
use crate::mail::Forward;
use crate::mail::Gateway;
use crate::mail::Head;
use crate::mail::Outcome;
use crate::mail::Outgoing;
use crate::mail::Peer;
use crate::mail::Reply;
use crate::mail::Told;
use crate::model::CertificateIdentity;
use crate::net::body::Download;
use crate::net::body::Upload;
use crate::net::clock::Clock;
use crate::net::upstream::Failure;
use crate::net::upstream::Forwarded;
use crate::net::upstream::Upstream;

mod counters;
mod limits;
mod seldom;

pub use counters::Counters;
pub use limits::Limits;

use limits::Place;
use limits::Places;

/// Everything that a connection needs; shared by all.
pub struct Front {
    /// The core.
    pub gateway: Gateway,
    /// The mail server.
    pub upstream: Upstream,
    /// Taken anew for each connection, so that a reload reaches the next one.
    pub tls: ArcSwap<ServerConfig>,
    /// Time.
    pub clock: Clock,
    /// Where events go; must not block.
    pub events: Box<dyn Fn(Event) + Send + Sync>,
    /// Bounds.
    pub limits: Limits,
    /// What has happened so far.
    pub counters: Arc<Counters>,
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("gateway", &self.gateway)
            .finish_non_exhaustive()
    }
}

/// Binds `address`.
///
/// # Errors
///
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Serves until `stop` turns true, then drains: no new connections, waiting Pings are sent home,
/// other exchanges may end within [`Limits::drain`].
///
/// # Errors
///
/// When the listener cannot be used by the runtime.
pub async fn serve(
    listener: std::net::TcpListener,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let places = Arc::new(Places::default());
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // A sender that is gone cannot say stop any more: that is one.
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            // Out of descriptors, mostly: connections that end give some back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(place) = Place::take(&places, &front, from.ip()) else {
            front.counters.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        let front = Arc::clone(&front);
        let stop = stop.clone();
        connections.spawn(async move {
            connection(&front, stream, from.ip(), stop).await;
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(front.limits.drain, all).await.is_err() {
        warn!("some mail connections did not end in time and are cut");
    }
    connections.shutdown().await;
    Ok(())
}

/// From the handshake to the close.
async fn connection(
    front: &Arc<Front>,
    stream: TcpStream,
    address: IpAddr,
    mut stop: watch::Receiver<bool>,
) {
    let accepting = async {
        stream.set_nodelay(true)?;
        // A client that takes nothing in, or is gone without a word while something is on its way.
        SockRef::from(&stream).set_tcp_user_timeout(Some(STALL))?;
        TlsAcceptor::from(front.tls.load_full())
            .accept(stream)
            .await
    };
    let failed = || {
        front
            .counters
            .handshakes_failed
            .fetch_add(1, Ordering::Relaxed)
    };
    let Ok(Ok(stream)) = timeout(front.limits.handshake, accepting).await else {
        failed();
        return;
    };
    let Some(peer) = peer(&stream, address) else {
        failed();
        return;
    };
    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let exchange_stop = stop.clone();
    let service = service_fn(move |request| {
        let exchange = respond(
            Arc::clone(front),
            Arc::clone(&peer),
            request,
            exchange_stop.clone(),
        );
        async move { Ok::<_, Infallible>(exchange.await) }
    });
    let stopped = async { drop(stop.wait_for(|stop| *stop).await) };
    let mut stopped = pin!(stopped);
    let stream = TokioIo::new(stream);
    let ended = if is_h2 {
        let mut connection = pin!(http2_builder().serve_connection(stream, service));
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped.as_mut() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    } else {
        let builder = http1_builder(&front.limits);
        let mut connection = pin!(builder.serve_connection(stream, service));
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped.as_mut() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a mail connection ended early");
    }
}

/// What the handshake has shown of the client; `None` if its certificate cannot be read, although
/// it verified.
fn peer(stream: &TlsStream<TcpStream>, address: IpAddr) -> Option<Arc<Peer>> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or(&[]);
    let certificate = chain
        .first()
        .map(|leaf| CertificateIdentity::parse(leaf))
        .transpose()
        .ok()?;
    let server_name = session.server_name().map(str::to_ascii_lowercase);
    Some(Arc::new(Peer {
        address,
        server_name,
        certificate,
    }))
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER);
    builder
}

fn http2_builder() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_H2)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(STALL);
    builder
}

/// One request, from its head to the head of its answer.
async fn respond(
    front: Arc<Front>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
    stop: watch::Receiver<bool>,
) -> Response<Download> {
    let (parts, body) = request.into_parts();
    let head = Head {
        method: &parts.method,
        uri: &parts.uri,
        version: parts.version,
        headers: &parts.headers,
    };
    let mut step = front.gateway.handle_head(front.clock.now(), &peer, &head);
    loop {
        if let Some(event) = step.event {
            (front.events)(event);
        }
        match step.action {
            Action::Answer(reply) => {
                // HTTP/1.1 has its own ways: a body that is not read ends the connection.
                if parts.version == Version::HTTP_2 {
                    discard(body).await;
                }
                return local(&front, reply);
            }
            Action::Ask(ask) => {
                front.counters.asked.fetch_add(1, Ordering::Relaxed);
                let answer = front.upstream.ask(ask.request).await;
                let told = match &answer {
                    Ok((status, headers)) => {
                        front.counters.upstream(None);
                        Told::Answer(*status, headers)
                    }
                    Err(error) => {
                        front.counters.upstream(Some(error));
                        Told::Unreachable
                    }
                };
                step = front
                    .gateway
                    .handle_told(front.clock.now(), ask.ticket, told);
            }
            Action::Forward(forward) => return exchange(&front, forward, body, stop).await,
        }
    }
}

/// Takes in the rest of a small body that is not wanted. Over HTTP/2 an answer before the end of
/// the body resets the stream, and clients (curl among them) then miss the answer.
async fn discard(mut body: Incoming) {
    let mut left = DISCARDED;
    let taken = async {
        while let Some(Ok(frame)) = body.frame().await {
            let octets = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(octets) else {
                return;
            };
            left = rest;
        }
    };
    // Whoever sends more, or more slowly, is reset.
    drop(timeout(DISCARD_TIME, taken).await);
}

/// A request that is let through.
async fn exchange(
    front: &Front,
    forward: Forward,
    body: Incoming,
    mut stop: watch::Receiver<bool>,
) -> Response<Download> {
    let Forward {
        permit,
        request,
        exchange,
    } = forward;
    let waits = exchange.command() == Command::Ping;
    let mut request = request.map(|()| Upload::new(body, front.limits.body));
    if matches!(request.body(), Upload::Empty) {
        // The library leaves it out; servers answer a POST without any length with 411.
        let none = HeaderValue::from_static("0");
        request.headers_mut().insert(header::CONTENT_LENGTH, none);
    }
    let sent = front.upstream.forward(permit, request);
    let forwarded = tokio::select! {
        forwarded = sent => forwarded,
        // A Ping would hold the drain up; its client asks again, and meets whoever serves then.
        _ = stop.wait_for(|stop| *stop), if waits => {
            return local(front, front.gateway.handle_unreachable());
        }
    };
    match forwarded {
        Forwarded::Answer(answer) => {
            front.counters.upstream(None);
            let (parts, body) = answer.into_parts();
            let now = front.clock.now();
            let (outgoing, event) =
                front
                    .gateway
                    .handle_answer(now, &exchange, parts.status, parts.headers);
            if let Some(event) = event {
                (front.events)(event);
            }
            match outgoing {
                Outgoing::Pass(status, headers) => {
                    front.counters.reply(Outcome::Allow);
                    let body = Download::Upstream(Box::new(body), Arc::clone(&front.counters));
                    let mut response = Response::new(body);
                    *response.status_mut() = status;
                    *response.headers_mut() = headers;
                    response
                }
                Outgoing::Answer(reply) => local(front, reply),
            }
        }
        Forwarded::Revoked(decided) => {
            front.counters.revoked.fetch_add(1, Ordering::Relaxed);
            let (reply, event) = front.gateway.handle_revoked(&exchange, &decided);
            if let Some(event) = event {
                (front.events)(event);
            }
            local(front, reply)
        }
        Forwarded::Failed(Failure::Body(error)) => {
            debug!(%error, "a client's body did not arrive");
            local(front, Reply::body_missing())
        }
        Forwarded::Failed(Failure::Malformed(error)) => {
            debug!(%error, "a client's body is malformed");
            local(front, Reply::body_malformed())
        }
        Forwarded::Failed(error @ (Failure::Connection(_) | Failure::Timeout)) => {
            if error.is_down() {
                front.counters.upstream(Some(&error));
            } else {
                front.counters.broke(front.clock.now().monotonic, &error);
            }
            local(front, front.gateway.handle_unreachable())
        }
    }
}

/// An answer of our own.
fn local(front: &Front, reply: Reply) -> Response<Download> {
    front.counters.count(reply.cause);
    let cause = reply.cause;
    debug!(
        status = reply.status.as_u16(),
        cause = cause.name(),
        "answered"
    );
    front.counters.complain(front.clock.now().monotonic, &reply);
    let mut response = Response::new(Download::Text(Some(Bytes::from(reply.body))));
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    if matches!(
        cause,
        Cause::Malformed(_) | Cause::BodyMissing | Cause::BodyMalformed
    ) {
        // Whoever sends one unclear request gets no second one read. Over HTTP/2, where streams do
        // not run into each other, the library leaves the header out.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Headers of a request; clients send about fifteen. 431 beyond it.
const MAX_HEADERS: usize = 64;
/// Octets of a head over HTTP/1.1. 431 beyond it.
const MAX_HEAD: usize = 32 * 1024;
/// The same over HTTP/2, by its own count (RFC 9113 section 6.5.2). The stream is refused beyond it.
const MAX_HEAD_H2: u32 = 32 * 1024;
/// Octets held of a connection in either direction; a slow reader slows the mail server down.
const MAX_BUFFER: usize = 64 * 1024;
/// Exchanges at the same time on one HTTP/2 connection; a phone has one or two.
const MAX_STREAMS: u32 = 32;
/// Streams reset before they are answered; the connection is closed beyond it (CVE-2023-44487).
const MAX_RESETS: usize = 20;
/// How often an HTTP/2 client is asked whether it is still there: rarely, because the question wakes
/// a phone up.
const KEEPALIVE: Duration = Duration::from_mins(10);
/// How long octets may wait for a client to take them before its connection is closed.
const STALL: Duration = Duration::from_mins(1);

/// Octets of an unwanted body that are taken in: commands have a few kilobytes, mails more.
const DISCARDED: usize = 64 << 10;

/// How long an unwanted body is waited for.
const DISCARD_TIME: Duration = Duration::from_secs(1);
