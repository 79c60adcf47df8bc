//! The ActiveSync front: accepts TLS, reads heads, carries out what [`crate::mail`] says.
//!
//! Each call of [`serve`] is a lane: one listener, its connections and its own connections to the
//! mail server, all in one runtime; lanes share what [`Front`] holds and nothing else. [`Lanes`] runs
//! one for each core. Tasks, all owned by [`serve`] and ended with it: one for each connection, which
//! reads heads and runs the exchanges of HTTP/1.1 with both their legs (`eas/http1.rs`); over HTTP/2 the
//! library runs each exchange in a task of its own (`eas/http2.rs`), and what its client still sends after
//! the answer is read in another one, within the bounds of `eas/unwanted.rs` (`eas/http2/upload.rs`); both
//! end when their stream is reset or their connection closes. Aborting any of them cuts a client off and
//! drops its permits; nothing else hangs on them.
//!
//! Bounds: connections in all and for each address, time for the handshake and for each head (an
//! idle connection of HTTP/1.1 counts as one that sends no head), size of a head, streams of an
//! HTTP/2 connection, their resets and what comes beside them (`eas/calm.rs`), speed of a request
//! body, time in which nothing of an answer is taken (TCP's over HTTP/1.1, `eas/http2/streams.rs`). There
//! is no bound on the whole of a request: a Ping waits for up to an hour.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::time::Duration;

use arc_swap::ArcSwap;
use ipnet::IpNet;
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

use crate::eas::outcome::TELLING;
use crate::mail::Action;
use crate::mail::Ask;
use crate::mail::Discover;
use crate::mail::Discovery;
use crate::mail::Event;
use crate::mail::Gateway;
use crate::mail::Peer;
use crate::mail::Promise;
use crate::mail::Read;
use crate::mail::Reply;
use crate::mail::Step;
use crate::mail::Told;
use crate::mail::WipeNews;
use crate::mail::network;
use crate::model::CertificateIdentity;
use crate::net::clock::Clock;
use crate::net::places::Place;
use crate::net::proxy_header::Ends;
use crate::net::upstream;
use crate::net::upstream::Ended;
use crate::net::upstream::Failure;
use crate::net::upstream::Upstream;

mod aside;
mod balanced;
mod calm;
mod counters;
mod gather;
mod http1;
mod http2;
mod lanes;
mod limits;
mod unwanted;
mod way;

pub use counters::Counters;
pub use lanes::Bound;
pub use lanes::Lanes;
pub use lanes::bind_lanes;
pub use limits::Limits;

use way::Going;
use way::Way;

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
    /// Writes down how far a wipe is, and says whether it is on the disk and decisions see it; may
    /// block.
    pub wipes: Box<dyn Fn(&WipeNews) -> bool + Send + Sync>,
    /// Load balancers whose connections begin with whose they are.
    pub balancers: Vec<IpNet>,
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

impl Front {
    /// Whether the mail server can be reached, as far as is known: by the last request, or by the
    /// health checks of all upstreams since.
    #[must_use]
    pub fn upstream_is_up(&self) -> bool {
        self.counters.upstream_was_up() || self.upstream.passes_checks()
    }

    fn is_balancer(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.balancers.iter().any(|known| known.contains(&address))
    }
}

/// A front as one runtime serves it.
struct Lane {
    front: Arc<Front>,
    upstream: Arc<upstream::Lane>,
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
    let lane = Arc::new(Lane {
        upstream: Arc::new(front.upstream.open_lane()),
        front,
    });
    let mut sweep = tokio::time::interval(SWEEP);
    let mut watch = JoinSet::new();
    if lane.upstream.watches {
        watch.spawn(upstream::watch(Arc::clone(&lane.upstream)));
        watch.spawn(upstream::follow(Arc::clone(&lane.upstream)));
    }
    let closing = Arc::clone(&lane.upstream);
    watch.spawn(async move { closing.close().await });
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // A sender that is gone cannot say stop any more: that is one.
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = connections.join_next() => continue,
            _ = sweep.tick() => {
                lane.upstream.sweep();
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            // Out of descriptors, mostly: connections that end give some back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let front = &lane.front;
        let (lane, stop) = (Arc::clone(&lane), stop.clone());
        if front.is_balancer(from.ip()) {
            connections.spawn(async move {
                balanced::connection(&lane, stream, from, stop).await;
            });
            continue;
        }
        let Some(place) = Place::take(
            &front.counters.places,
            front.limits.most(),
            network(from.ip()),
        ) else {
            front.counters.turned_away.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        connections.spawn(async move {
            if let Ok(to) = stream.local_addr() {
                connection(&lane, stream, Ends { from, to }, stop).await;
            }
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(lane.front.limits.drain, all).await.is_err() {
        warn!("some mail connections did not end in time and are cut");
    }
    connections.shutdown().await;
    Ok(())
}

/// From the handshake to the close. A connection that waits keeps no room for its handshake.
async fn connection(lane: &Arc<Lane>, stream: TcpStream, ends: Ends, stop: watch::Receiver<bool>) {
    let front = &lane.front;
    match Box::pin(open(front, stream, ends, stop)).await {
        Some((Opened::Http1(client), peer)) => http1::serve(lane, &peer, client).await,
        Some((Opened::Http2(stream, ends, stop), peer)) => {
            Box::pin(http2::serve(lane, &peer, *stream, ends, stop)).await;
        }
        None => {
            let failed = &front.counters.handshakes_failed;
            failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A connection whose handshake is done.
enum Opened {
    Http1(Box<http1::Client>),
    Http2(Box<TlsStream<TcpStream>>, Ends, watch::Receiver<bool>),
}

/// The handshake; `None` if it failed or took too long, or the front stops.
async fn open(
    front: &Front,
    stream: TcpStream,
    ends: Ends,
    mut stop: watch::Receiver<bool>,
) -> Option<(Opened, Arc<Peer>)> {
    stream.set_nodelay(true).ok()?;
    // A client that takes nothing in, or is gone without a word while something is on its way.
    let socket = SockRef::from(&stream);
    socket.set_tcp_user_timeout(Some(STALL)).ok()?;
    let accepting = TlsAcceptor::from(front.tls.load_full()).accept(stream);
    let accepting = timeout(front.limits.handshake, accepting);
    let stream = unless_stopped(&mut stop, accepting).await?.ok()?.ok()?;
    let peer = peer(&stream, ends.from.ip())?;
    let opened = if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        Opened::Http2(Box::new(stream), ends, stop)
    } else {
        Opened::Http1(Box::new(http1::Client::new(stream, ends, Stop::new(stop))))
    };
    Some((opened, peer))
}

/// What comes of `opening`; nothing once the front is to stop: no request is under way yet.
async fn unless_stopped<T>(
    stop: &mut watch::Receiver<bool>,
    opening: impl Future<Output = T>,
) -> Option<T> {
    tokio::select! {
        opened = opening => Some(opened),
        _ = stop.wait_for(|stop| *stop) => None,
    }
}

/// The word that the front is to stop, for one task.
struct Stop {
    receiver: watch::Receiver<bool>,
    /// Ends when it is said.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Whether its task has asked before, and will be woken.
    is_awaited: bool,
}

impl Stop {
    fn new(receiver: watch::Receiver<bool>) -> Self {
        let mut stop = receiver.clone();
        Self {
            receiver,
            waiting: Some(Box::pin(async move {
                drop(stop.wait_for(|stop| *stop).await);
            })),
            is_awaited: false,
        }
    }

    /// Whether it has been said; wakes when it is.
    fn is_said(&mut self, context: &mut Context<'_>) -> bool {
        // Asked twice for each request: mostly there is nothing new since the task was told to be
        // woken.
        let Some(waiting) = &mut self.waiting else {
            return true;
        };
        if self.is_awaited && matches!(self.receiver.has_changed(), Ok(false)) {
            return false;
        }
        self.is_awaited = true;
        if waiting.as_mut().poll(context).is_ready() {
            self.waiting = None;
        }
        self.waiting.is_none()
    }

    /// Whether it had been said when it was last asked.
    fn was_said(&self) -> bool {
        self.waiting.is_none()
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

/// What is to be done with a request in the end.
enum Settled {
    Answer(Reply),
    Go(Going),
    Discover(Discovery),
    Read(Read),
}

/// Tells of a step, and what it means for its request, unless the mail server is to be asked first.
fn settle(front: &Front, step: Step) -> Result<Settled, Box<Ask>> {
    if let Some(event) = step.event {
        (front.events)(event);
    }
    note(front);
    match step.action {
        Action::Answer(reply) => Ok(Settled::Answer(reply)),
        Action::Forward(forward) => Ok(Settled::Go(forward.into())),
        Action::Publish(publish) => Ok(Settled::Go(publish.into())),
        Action::Discover(discovery) => Ok(Settled::Discover(discovery)),
        Action::Read(read) => Ok(Settled::Read(read)),
        Action::Ask(ask) => Err(Box::new(ask)),
    }
}

/// Has written what the client relies on that is about to be answered.
fn note(front: &Front) {
    if let Some(lines) = front.gateway.poll_notes() {
        (front.events)(Event::Notes(lines));
    }
    if front.gateway.is_hurried() {
        (front.events)(Event::Told);
    }
}

/// Asks the mail server for the core, until it is clear what is to be done with a request.
async fn ask(lane: &Lane, ends: Ends, mut ask: Box<Ask>) -> Settled {
    let front = &lane.front;
    loop {
        if let Some(pause) = ask.pause {
            tokio::time::sleep(pause).await;
            let now = front.clock.now();
            let step = front.gateway.handle_told(now, ask.ticket, Told::Waited);
            match settle(front, step) {
                Ok(settled) => return settled,
                Err(further) => ask = further,
            }
            continue;
        }
        front.counters.asked.fetch_add(1, Ordering::Relaxed);
        let answer = Box::pin(lane.upstream.ask(ask.to, ask.request, Some(ends))).await;
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
        let now = front.clock.now();
        match settle(front, front.gateway.handle_told(now, ask.ticket, told)) {
            Ok(settled) => return settled,
            Err(further) => ask = further,
        }
    }
}

/// Asks the mail server where a mailbox is, for a client whose request has this body.
async fn discover(lane: &Lane, ends: Ends, discovery: Discovery, body: Option<&[u8]>) -> Reply {
    let front = &lane.front;
    let discover = match front.gateway.handle_discovery(discovery, body) {
        Ok(discover) => discover,
        Err(reply) => return *reply,
    };
    let Discover {
        to,
        request,
        body,
        discovery,
    } = discover;
    let most = Discovery::MAX_ANSWER;
    let answer = Box::pin(lane.upstream.fetch(to, &request, &body, Some(ends), most)).await;
    front.counters.upstream(answer.as_ref().err());
    let answer = answer.as_ref().ok();
    let answer = answer.map(|(status, headers, body)| (*status, headers, body.as_deref()));
    let now = front.clock.now();
    let (reply, event) = front.gateway.handle_discovered(now, &discovery, answer);
    if let Some(event) = event {
        (front.events)(event);
    }
    reply
}

/// Has the beginning of an answer's body shown to the core, as it passes.
fn watch_answer(front: &Arc<Front>, exchange: &mut upstream::Exchange, promise: Box<Promise>) {
    let front = Arc::clone(front);
    exchange.glimpse(TELLING, move |octets| {
        let now = front.clock.now();
        if let Some(event) = front.gateway.handle_beginning(now, *promise, octets) {
            (front.events)(event);
        }
    });
}

/// What a client is told whose request has no answer of the mail server.
fn conclude(front: &Front, way: &Way, ended: Ended) -> Reply {
    let failure = match ended {
        Ended::Revoked {
            decided,
            only_waited,
        } => {
            front.counters.revoked.fetch_add(1, Ordering::Relaxed);
            let (reply, event) = way.revoked(front, &decided, only_waited);
            note(front);
            if let Some(event) = event {
                (front.events)(event);
            }
            return reply;
        }
        Ended::Failed(failure) => failure,
    };
    match &failure {
        Failure::Body(error) => {
            debug!(%error, "a client's body did not arrive");
            Reply::body_missing()
        }
        Failure::Malformed(error) => {
            debug!(%error, "a client's body is malformed");
            Reply::body_malformed()
        }
        Failure::Connection(_) | Failure::Timeout => {
            if failure.is_down() {
                front.counters.upstream(Some(&failure));
            } else {
                front.counters.broke(front.clock.now().monotonic, &failure);
            }
            way.unanswered(front)
        }
    }
}

/// Counts an answer of our own, and tells of it.
fn tell(front: &Front, reply: &Reply) {
    front.counters.count(reply.cause);
    debug!(
        status = reply.status.as_u16(),
        cause = reply.cause.name(),
        "answered"
    );
    front.counters.complain(front.clock.now().monotonic, reply);
}

/// How long octets may wait for a client to take them before its connection is closed.
const STALL: Duration = Duration::from_mins(1);

/// How often idle connections to the mail server are looked at.
const SWEEP: Duration = Duration::from_secs(1);
