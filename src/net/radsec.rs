//! RADIUS over TLS, the server's side (RFC 6614, RFC 6613).
//!
//! [`serve`] accepts connections of one listener. Tasks, all owned by it and ended with it: one for
//! each connection, which shakes hands, learns from the certificate whose connection it is, gives
//! packets to a packet loop ([`Streams`]) and writes replies. Aborting one cuts its NAS off, which
//! then connects again. No TLS is done on a packet loop.
//!
//! Bounds: connections in all and for each address, time for the handshake and for a packet that
//! has begun, octets that wait to be written, packets that wait for a loop (beyond them nothing is
//! read, and TCP slows the sender down), silence. A connection whose peer takes nothing in for a
//! minute is cut.
//!
//! A reload asks again about every open connection: who is not let in by the new configuration
//! loses it, everybody else keeps it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;
use socket2::SockRef;
use socket2::TcpKeepalive;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tracing::debug;
use tracing::info;
use tracing::warn;

use crate::model::CertificateIdentity;
use crate::model::Timestamp;
use crate::net::clock::Clock;
use crate::net::places::Place;
use crate::net::seldom::Seldom;
use crate::net::streams::Link;
use crate::net::streams::Listed;
use crate::net::streams::Streams;
use crate::net::streams::Told;
use crate::radius::Code;
use crate::radius::MAX_PACKET;
use crate::radius::Malformed;
use crate::radius::Nas;
use crate::radius::PeerTable;
use crate::radius::Untranslatable;
use crate::radius::Version11;
use crate::radius::next_packet;
use crate::trust::Verifier;

mod counters;
mod limits;
mod version;

pub use counters::Closed;
pub use counters::Counters;
pub use limits::Limits;
pub use version::Handshake;
pub use version::VERSION_10;
pub use version::VERSION_11;

/// Everything that a connection needs; shared by all.
pub struct Front {
    accepts: ArcSwap<Accepts>,
    /// Told of each reload.
    reloaded: watch::Sender<()>,
    streams: Arc<Streams>,
    clock: Clock,
    limits: Limits,
    counters: Arc<Counters>,
    /// Of handshakes that failed.
    complained: Seldom,
    /// Of certificates that nobody's entry has; apart, so that garbage does not hide a name that is missing.
    estranged: Seldom,
}

/// Who is let in, and by which certificate of ours; a reload replaces it.
#[derive(Debug)]
pub struct Accepts {
    /// Of the handshake.
    pub tls: Handshake,
    /// What the handshake asks, for connections that are open already.
    pub verifier: Arc<Verifier>,
    /// Whose a certificate is.
    pub peers: PeerTable,
    /// Whether connections that do not speak RADIUS/1.1 are refused.
    pub only_version_11: bool,
}

impl Front {
    /// A front that lets in whom `accepts` says.
    #[must_use]
    pub fn new(accepts: Accepts, streams: Arc<Streams>, clock: Clock, limits: Limits) -> Self {
        Self {
            accepts: ArcSwap::from_pointee(accepts),
            reloaded: watch::Sender::new(()),
            streams,
            clock,
            limits,
            counters: Arc::default(),
            complained: Seldom::default(),
            estranged: Seldom::default(),
        }
    }

    /// What has happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// From now on lets in whom `accepts` says; others lose their connections, everybody else's go
    /// on.
    pub fn replace(&self, accepts: Accepts) {
        self.accepts.store(Arc::new(accepts));
        self.reloaded.send_replace(());
    }

    /// Whose connection it is that shows these certificates.
    fn identify(&self, peer: &Peer) -> Result<Arc<Nas>, Closed> {
        let accepts = self.accepts.load();
        accepts
            .peers
            .find(&peer.certificate, peer.address.ip())
            .map(Arc::clone)
            .map_err(|why| {
                if self.estranged.is_due(self.clock.now().monotonic) {
                    let Peer {
                        address,
                        certificate,
                        ..
                    } = peer;
                    let (subject, print) = (&certificate.subject, certificate.fingerprint);
                    let names = certificate.dns_names.join(", ");
                    warn!(%address, subject, names, fingerprint = %print, "RADIUS over TLS: {why}");
                }
                Closed::Stranger
            })
    }

    /// Whether it would still be let in after a reload.
    fn identify_again(&self, peer: &Peer) -> Result<Arc<Nas>, Closed> {
        let verifier = Arc::clone(&self.accepts.load().verifier);
        let now = self.clock.now().wall.unix_seconds();
        let now = Duration::from_secs(u64::try_from(now).unwrap_or(0));
        let (holder, others) = peer.chain.split_first().ok_or(Closed::Stranger)?;
        let verified = verifier.verify(holder, others, UnixTime::since_unix_epoch(now));
        verified.map_err(|error| {
            let address = peer.address;
            info!(%address, %error, "a RADIUS connection ends with the configuration that let it in");
            Closed::Stranger
        })?;
        self.identify(peer)
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// Who is at the other end.
struct Peer {
    address: SocketAddr,
    chain: Vec<CertificateDer<'static>>,
    certificate: CertificateIdentity,
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

/// Serves until `stop` turns true; then every connection writes what it has, and ends.
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
        let Some(place) = Place::take(
            &front.counters.places,
            front.limits.most(),
            from.ip().to_canonical(),
        ) else {
            front.counters.closed(Closed::TooMany);
            continue;
        };
        let (front, stop) = (Arc::clone(&front), stop.clone());
        connections.spawn(async move {
            let why = connection(&front, stream, from, stop).await;
            front.counters.closed(why);
            debug!(%from, why = why.name(), "a RADIUS connection has ended");
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    drop(timeout(LAST_WORDS, all).await);
    connections.shutdown().await;
    Ok(())
}

/// From the handshake to the close.
async fn connection(
    front: &Front,
    stream: TcpStream,
    from: SocketAddr,
    stop: watch::Receiver<bool>,
) -> Closed {
    let mut reloaded = front.reloaded.subscribe();
    let accepting = async {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_user_timeout(Some(STALL))?;
        // A NAS that has lost its power says nothing, and its connection would stay for ever.
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        let accepts = front.accepts.load_full();
        accepts.tls.accept(stream).await
    };
    let stream = match timeout(front.limits.handshake, Box::pin(accepting)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            if front.complained.is_due(front.clock.now().monotonic) {
                warn!(%from, %error, "RADIUS over TLS: a handshake has failed");
            }
            return Closed::Handshake;
        }
        Err(_) => return Closed::Handshake,
    };
    let Some(peer) = peer(&stream, from) else {
        return Closed::Handshake;
    };
    let nas = match front.identify(&peer) {
        Ok(nas) => nas,
        Err(why) => return why,
    };
    let Some(link) = front.streams.open(from, &nas) else {
        return Closed::TooMany;
    };
    let link = Listed::new(&front.streams, link);
    let only_11 = front.accepts.load().only_version_11;
    let version = match version::agreed(stream.get_ref().1, only_11) {
        Ok(version) => version,
        Err(why) => return why,
    };
    front.counters.accepted();
    let (reader, writer) = tokio::io::split(stream);
    let why = tokio::select! {
        why = read(front, &link, version.as_ref(), reader) => why,
        why = write(&link, version.as_ref(), writer, stop) => why,
        why = watch_over(front, &link, &peer, &mut reloaded) => why,
    };
    front.streams.end(&link).await;
    why
}

/// What the handshake has shown of the client; `None` if its certificate cannot be read, although
/// it verified.
fn peer(stream: &TlsStream<TcpStream>, address: SocketAddr) -> Option<Peer> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates()?;
    let certificate = CertificateIdentity::parse(chain.first()?).ok()?;
    Some(Peer {
        address,
        chain: chain.iter().map(|one| one.clone().into_owned()).collect(),
        certificate,
    })
}

/// Cuts the stream into packets and gives them away.
async fn read(
    front: &Front,
    link: &Link,
    version: Option<&Version11>,
    mut reader: impl AsyncRead + Unpin,
) -> Closed {
    let mut buffer = BytesMut::new();
    let mut translated = Box::new([0; MAX_PACKET]);
    loop {
        loop {
            let length = match next_packet(&buffer) {
                Ok(Some(packet)) => packet.len(),
                Ok(None) => break,
                Err(_) => return Closed::Malformed,
            };
            let packet = buffer.split_to(length);
            front.counters.packet();
            let answers = is_answer(&packet);
            let packet = match version {
                None => Ok(&*packet),
                Some(version) if answers => version.answer(&packet, &mut translated),
                Some(version) => version.request(&packet, &mut translated),
            };
            match packet {
                Ok(packet) if answers => {
                    front.streams.tell(Told::Answer(link.nas(), packet.into()));
                }
                Ok(packet) => front.streams.deliver(link, packet).await,
                Err(Untranslatable::Malformed(Malformed::UnknownCode { .. })) => {}
                Err(Untranslatable::Malformed(_)) => return Closed::Malformed,
                Err(error) => debug!(%error, "a packet of RADIUS/1.1 is dropped"),
            }
        }
        buffer.reserve(READ);
        let (wait, why) = if buffer.is_empty() {
            (front.limits.idle, Closed::Idle)
        } else {
            (front.limits.packet, Closed::Slow)
        };
        match timeout(wait, reader.read_buf(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return Closed::ByPeer,
            Ok(Ok(_)) => {}
            Err(_) => return why,
        }
    }
}

/// Whether a packet answers a request of dynamic authorization, by its code.
fn is_answer(packet: &[u8]) -> bool {
    let answers = [
        Code::DisconnectAck,
        Code::DisconnectNak,
        Code::CoaAck,
        Code::CoaNak,
    ];
    let code = packet.first().copied();
    answers
        .into_iter()
        .any(|answer| Some(answer.number()) == code)
}

/// Writes what the loops have for the peer.
async fn write(
    link: &Link,
    version: Option<&Version11>,
    mut writer: impl AsyncWrite + Unpin,
    mut stop: watch::Receiver<bool>,
) -> Closed {
    loop {
        let (pending, last) = tokio::select! {
            biased;
            pending = link.next() => (pending, false),
            _ = stop.wait_for(|stop| *stop) => (Default::default(), true),
        };
        let octets = match version {
            None => pending.octets,
            Some(version) => translate(version, &pending.octets),
        };
        let written = async {
            writer.write_all(&octets).await?;
            writer.flush().await
        };
        if written.await.is_err() {
            return Closed::ByPeer;
        }
        if pending.closed || last {
            // Whether the alert arrives changes nothing.
            drop(timeout(LAST_WORDS, writer.shutdown()).await);
            return if last {
                Closed::Stopped
            } else {
                Closed::Distrusted
            };
        }
    }
}

/// Brings what the loops have written into RADIUS/1.1.
fn translate(version: &Version11, mut octets: &[u8]) -> Vec<u8> {
    let mut translated = Vec::with_capacity(octets.len());
    let mut buffer = [0; MAX_PACKET];
    while let Ok(Some(packet)) = next_packet(octets) {
        octets = octets.get(packet.len()..).unwrap_or(&[]);
        let demands = [Code::DisconnectRequest, Code::CoaRequest].map(Code::number);
        let is_demand = packet.first().is_some_and(|code| demands.contains(code));
        let brought = if is_demand {
            version.demand(packet, &mut buffer)
        } else {
            version.reply(packet, &mut buffer)
        };
        match brought {
            Ok(packet) => translated.extend_from_slice(packet),
            Err(error) => debug!(%error, "a reply has no form in RADIUS/1.1"),
        }
    }
    translated
}

/// Ends when the peer may not be here any more: its certificate has ended, or a reload has
/// changed who may.
async fn watch_over(
    front: &Front,
    link: &Link,
    peer: &Peer,
    reloaded: &mut watch::Receiver<()>,
) -> Closed {
    loop {
        let left = until(front.clock.now().wall, peer.certificate.not_after);
        match timeout(left, reloaded.changed()).await {
            Err(_) if left < LONGEST_LOOK => return Closed::Ended,
            Err(_) => continue,
            Ok(Err(_)) => return Closed::Stopped,
            Ok(Ok(())) => {}
        }
        match front.identify_again(peer) {
            Ok(nas) => link.set_nas(&nas),
            Err(why) => return why,
        }
    }
}

/// Time until `end`, cut to what a timer can wait for.
fn until(now: Timestamp, end: Timestamp) -> Duration {
    if end < now {
        Duration::ZERO
    } else {
        (end.since(now) + Duration::from_secs(1)).min(LONGEST_LOOK)
    }
}

/// Octets that are asked for at a time.
const READ: usize = 8 * 1024;

/// How long octets may wait for a peer to take them before its connection is closed.
const STALL: Duration = Duration::from_mins(1);

/// After which silence the kernel asks whether the peer is still there.
const KEEPALIVE: Duration = Duration::from_mins(1);

/// How long connections may take to say that they end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Clocks are set now and then, so that an end is looked at once a day at least.
const LONGEST_LOOK: Duration = Duration::from_hours(24);
