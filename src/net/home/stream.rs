//! One TLS connection to a home server: opened, read from, written to (RFC 6614, RFC 6613).
//!
//! [`run`] is the task of one connection; it ends when the other side ends it, when it breaks, or when
//! nobody has anything for it any more. Aborting it closes the socket without a word.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hickory_resolver::TokioResolver;
use rustls::ProtocolVersion;
use rustls::pki_types::ServerName;
use socket2::SockRef;
use socket2::TcpKeepalive;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Event;
use super::trust::Trust;
use super::trust::Wanted;
use crate::model::causes;
use crate::net::radsec::VERSION_11;
use crate::network::LinkId;
use crate::network::Spoken;
use crate::network::TlsWay;
use crate::radius::next_packet;

/// What a connection is to be made with.
pub(super) struct Order {
    pub(super) link: LinkId,
    pub(super) way: TlsWay,
    pub(super) trust: Arc<Trust>,
    /// Whom the certificate has to name.
    pub(super) wanted: Wanted,
    /// `None` on a system that is not configured for it.
    pub(super) resolver: Option<TokioResolver>,
}

/// Opens a connection and carries packets until it ends; says so at last.
pub(super) async fn run(
    order: Order,
    packets: mpsc::Receiver<Vec<u8>>,
    events: mpsc::Sender<Event>,
) {
    let link = order.link;
    let opened = timeout(OPENING, Box::pin(open(&order))).await;
    let opened = opened.unwrap_or_else(|_| Err("no connection within 10 s".to_owned()));
    let why = match opened {
        Ok((stream, spoken)) => {
            // Nobody listens any more only when everything ends.
            if events.send(Event::Opened(link, spoken)).await.is_err() {
                return;
            }
            let (reader, writer) = tokio::io::split(stream);
            tokio::select! {
                why = read(link, reader, &events) => why,
                why = write(writer, packets) => why,
            }
        }
        Err(why) => why,
    };
    drop(events.send(Event::Closed(link, why)).await);
}

/// Connects and shakes hands; the error is a sentence.
async fn open(order: &Order) -> Result<(TlsStream<TcpStream>, Spoken), String> {
    let mut last = "its name has no address".to_owned();
    for address in addresses(order).await?.into_iter().take(MAX_ADDRESSES) {
        match timeout(CONNECTING, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return shake_hands(order, stream).await,
            Ok(Err(error)) => last = format!("{address}: {error}"),
            Err(_) => last = format!("{address}: no connection within 3 s"),
        }
    }
    Err(last)
}

async fn addresses(order: &Order) -> Result<Vec<SocketAddr>, String> {
    let way = &order.way;
    if !way.addresses.is_empty() {
        return Ok(way.addresses.to_vec());
    }
    if let Ok(address) = way.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, way.port)]);
    }
    let resolver = order.resolver.as_ref();
    let resolver = resolver.ok_or("the system's resolver configuration is unusable")?;
    let found = resolver.lookup_ip(&*way.host).await.map_err(|error| {
        if error.is_no_records_found() {
            format!("the name {} has no address", way.host)
        } else {
            format!("the name {} cannot be looked up: {error}", way.host)
        }
    })?;
    let found = found.iter();
    Ok(found
        .map(|address| SocketAddr::new(address, way.port))
        .collect())
}

async fn shake_hands(
    order: &Order,
    stream: TcpStream,
) -> Result<(TlsStream<TcpStream>, Spoken), String> {
    let prepare = || {
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_tcp_user_timeout(Some(STALL))?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(STALL))
    };
    prepare().map_err(|error: io::Error| error.to_string())?;
    let name = ServerName::try_from(order.way.host.to_string())
        .map_err(|_| format!("{} is no name that a certificate can have", order.way.host))?;
    let connector = TlsConnector::from(order.trust.of(order.wanted.clone()));
    let stream = connector.connect(name, stream).await;
    let stream = stream.map_err(|error| format!("TLS: {}", causes(&error)))?;
    let (_, session) = stream.get_ref();
    let is_11 = session.alpn_protocol() == Some(VERSION_11);
    if !is_11 && order.trust.only_version_11 {
        return Err("it does not speak RADIUS/1.1, which is demanded".to_owned());
    }
    // RFC 9765 section 3.2.
    if is_11 && session.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return Err("it speaks RADIUS/1.1 below TLS 1.3".to_owned());
    }
    let spoken = if is_11 {
        Spoken::Version11
    } else {
        Spoken::Historic
    };
    Ok((stream, spoken))
}

/// Cuts the stream into packets; ends with the reason.
async fn read(
    link: LinkId,
    mut reader: impl AsyncRead + Unpin,
    events: &mpsc::Sender<Event>,
) -> String {
    let mut buffer = BytesMut::new();
    loop {
        loop {
            let length = match next_packet(&buffer) {
                Ok(Some(packet)) => packet.len(),
                Ok(None) => break,
                Err(error) => return error.to_string(),
            };
            let packet = buffer.split_to(length).to_vec();
            // Waiting here, it reads no more, and TCP slows the sender down.
            if events.send(Event::Packet(link, packet)).await.is_err() {
                return "the gateway stops".to_owned();
            }
        }
        buffer.reserve(READ);
        let begun = !buffer.is_empty();
        let reading = reader.read_buf(&mut buffer);
        let read = if begun {
            match timeout(PACKET, reading).await {
                Ok(read) => read,
                Err(_) => return "a packet began and did not end within 10 s".to_owned(),
            }
        } else {
            reading.await
        };
        match read {
            Ok(0) => return "the home server has closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return causes(&error),
        }
    }
}

/// Writes what the core has for the home server, several packets at a time where they wait.
async fn write(
    mut writer: impl AsyncWrite + Unpin,
    mut packets: mpsc::Receiver<Vec<u8>>,
) -> String {
    while let Some(mut octets) = packets.recv().await {
        while octets.len() < READ
            && let Ok(more) = packets.try_recv()
        {
            octets.extend_from_slice(&more);
        }
        let written = async {
            writer.write_all(&octets).await?;
            writer.flush().await
        };
        if let Err(error) = written.await {
            return error.to_string();
        }
    }
    // Whether the alert arrives changes nothing.
    drop(timeout(LAST_WORDS, writer.shutdown()).await);
    "closed by us".to_owned()
}

/// For names, TCP and TLS together.
const OPENING: Duration = Duration::from_secs(10);

/// For one address: the next one may be alive.
const CONNECTING: Duration = Duration::from_secs(3);

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// For a packet that has begun.
const PACKET: Duration = Duration::from_secs(10);

/// How long octets may wait for the other side to take them, and after which silence the kernel asks
/// whether it is there.
const STALL: Duration = Duration::from_secs(30);

/// How long it may take to say that we close.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Octets that are asked for, or written, at a time.
const READ: usize = 8 * 1024;
