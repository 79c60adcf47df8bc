//! The sockets of dynamic authorization: requests leave, answers come (RFC 5176). To a NAS that
//! comes over TLS they go on its connection.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tracing::warn;

use crate::net::Clock;
use crate::net::streams::Streams;
use crate::net::streams::Told;
use crate::network::Admissions;
use crate::network::Dynamic;
use crate::network::Reach;

/// A socket for each family. NASes know the gateway by the address it answers from, so requests
/// leave from that one: the first listening address of the family, or whatever the system takes.
#[derive(Debug)]
pub struct Sockets {
    v4: UdpSocket,
    /// `None` on a machine without IPv6.
    v6: Option<UdpSocket>,
}

impl Sockets {
    /// Binds them; inside a runtime.
    ///
    /// # Errors
    ///
    /// When the system refuses an IPv4 socket.
    pub async fn bind(listening: &[SocketAddr]) -> io::Result<Self> {
        let of = |v4: bool| {
            let mut own = listening.iter().map(SocketAddr::ip);
            own.find(|address| address.is_ipv4() == v4)
        };
        let v4 = of(true).unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let v6 = of(false).unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        Ok(Self {
            v4: UdpSocket::bind((v4, 0)).await?,
            v6: UdpSocket::bind((v6, 0)).await.ok(),
        })
    }

    async fn send(&self, to: SocketAddr, octets: &[u8]) -> io::Result<usize> {
        match (&self.v6, to) {
            (_, SocketAddr::V4(_)) => self.v4.send_to(octets, to).await,
            (Some(v6), SocketAddr::V6(_)) => v6.send_to(octets, to).await,
            (None, SocketAddr::V6(_)) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    async fn receive(
        &self,
        v4: &mut [u8],
        v6: &mut [u8],
    ) -> (bool, io::Result<(usize, SocketAddr)>) {
        let of_v6 = async {
            match &self.v6 {
                Some(socket) => socket.recv_from(v6).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            received = self.v4.recv_from(v4) => (true, received),
            received = of_v6 => (false, received),
        }
    }
}

/// Runs the core; ends with its runtime. `streams` are the TLS connections of NASes.
pub async fn serve(
    sockets: Sockets,
    mut dynamic: Dynamic,
    admissions: Arc<Admissions>,
    streams: Arc<Streams>,
    clock: Clock,
) {
    let mut told = streams.listen();
    let bell = Arc::new(Notify::new());
    let rung = Arc::clone(&bell);
    admissions.ring(Box::new(move || rung.notify_one()));
    let (mut v4, mut v6) = ([0; BUFFER], [0; BUFFER]);
    let mut is_failing = false;
    let mut staying = 0;
    loop {
        dynamic.handle_due(clock.now());
        let all = dynamic.counters().staying.get();
        if all > staying {
            let sessions = all - staying;
            warn!(
                sessions,
                "their NASes do not end sessions that have to end: `portreeve decisions` has their answers"
            );
            staying = all;
        }
        while let Some((to, octets)) = dynamic.poll_transmit() {
            let to = match to {
                Reach::Udp(to) => to,
                Reach::Tls(ref name) => {
                    if !streams.send_to(name, &octets) {
                        dynamic.handle_gone(&to);
                    }
                    continue;
                }
            };
            let sent = sockets.send(to, &octets).await;
            // It is repeated like one that was lost on the way.
            let failed = sent.is_err();
            if let Err(error) = sent
                && !is_failing
            {
                warn!(%to, %error, "a Disconnect- or CoA-Request cannot be sent");
            }
            is_failing = failed;
        }
        let now = clock.now().monotonic;
        let timeout = dynamic.poll_timeout().map(|at| now.until(at));
        let timer = async {
            match timeout {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bell.notified() => {}
            Some(told) = told.recv() => match told {
                Told::Answer(nas, octets) => dynamic.handle_packet(clock.now(), &nas, &octets),
                Told::Gone(nas) => dynamic.handle_gone(&Reach::Tls(nas.name().into())),
            },
            () = timer => dynamic.handle_timeout(clock.now()),
            (is_v4, received) = sockets.receive(&mut v4, &mut v6) => {
                // An error is that of an earlier send (ICMP); its request is repeated.
                if let Ok((length, from)) = received {
                    let buffer = if is_v4 { &v4 } else { &v6 };
                    let octets = buffer.get(..length).unwrap_or(&[]);
                    dynamic.handle_datagram(clock.now(), from, octets);
                }
            }
        }
    }
}

/// Longest RADIUS packet.
const BUFFER: usize = crate::network::MAX_PACKET;
