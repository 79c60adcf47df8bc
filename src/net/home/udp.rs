//! The sockets towards home servers that are asked by datagram.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::Event;
use crate::network::MAX_PACKET;
use crate::network::SOCKETS;
use crate::network::Via;

/// [`SOCKETS`] sockets of each family.
#[derive(Debug)]
pub struct Sockets {
    v4: Vec<Arc<UdpSocket>>,
    /// Empty on a machine without IPv6.
    v6: Vec<Arc<UdpSocket>>,
}

impl Sockets {
    /// Binds them to ports that the system chooses; inside a runtime.
    ///
    /// # Errors
    ///
    /// When the system refuses an IPv4 socket.
    pub async fn bind() -> io::Result<Self> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for _ in 0..SOCKETS {
            let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            v4.push(Arc::new(UdpSocket::bind((any, 0)).await?));
            let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            if let Ok(socket) = UdpSocket::bind((any, 0)).await {
                v6.push(Arc::new(socket));
            }
        }
        Ok(Self { v4, v6 })
    }

    pub(super) async fn send(
        &self,
        socket: u8,
        to: SocketAddr,
        octets: &[u8],
    ) -> io::Result<usize> {
        let of_family = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        match of_family.get(usize::from(socket)) {
            Some(socket) => socket.send_to(octets, to).await,
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Begins to read from all of them.
    pub(super) fn read(&self, tasks: &mut JoinSet<()>, events: &mpsc::Sender<Event>) {
        for family in [&self.v4, &self.v6] {
            for (number, socket) in (0..).zip(family) {
                tasks.spawn(read(number, Arc::clone(socket), events.clone()));
            }
        }
    }
}

/// Reads from one socket; what comes from nobody who was asked is passed over by the core.
async fn read(number: u8, socket: Arc<UdpSocket>, events: mpsc::Sender<Event>) {
    let mut buffer = [0; MAX_PACKET];
    loop {
        // An error is that of an earlier send (ICMP); its request is repeated.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let via = Via::Udp {
            socket: number,
            to: canonical(from),
        };
        let octets = buffer.get(..length).unwrap_or(&[]).to_vec();
        if events.send(Event::Datagram(via, octets)).await.is_err() {
            return;
        }
    }
}

/// As the configuration writes it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
