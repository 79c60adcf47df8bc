//! The sockets towards home servers: requests leave, answers come back to their packet loops.
//!
//! [`serve`] is one task that owns the core; one more for each socket reads from it. They hold
//! nothing that the core's deadlines do not give up by themselves.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::info;
use tracing::warn;

use crate::net::clock::Clock;
use crate::net::pool::Mailbox;
use crate::network::Forwarding;
use crate::network::MAX_PACKET;
use crate::network::Proxy;
use crate::network::SOCKETS;
use crate::network::Via;

/// The way of requests from the packet loops and back to them.
pub struct Homes {
    arrivals: mpsc::Receiver<Forwarding>,
    mailboxes: Arc<[Arc<Mailbox>]>,
}

impl Homes {
    pub(super) fn new(
        arrivals: mpsc::Receiver<Forwarding>,
        mailboxes: &Arc<[Arc<Mailbox>]>,
    ) -> Self {
        Self {
            arrivals,
            mailboxes: Arc::clone(mailboxes),
        }
    }
}

impl fmt::Debug for Homes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Homes").finish_non_exhaustive()
    }
}

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

    async fn send(&self, via: Via, octets: &[u8]) -> io::Result<usize> {
        let of_family = if via.to.is_ipv4() { &self.v4 } else { &self.v6 };
        match of_family.get(usize::from(via.socket)) {
            Some(socket) => socket.send_to(octets, via.to).await,
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// Runs the core; ends with its runtime, or with the packet loops.
pub async fn serve(sockets: Sockets, mut proxy: Proxy, homes: Homes, clock: Clock) {
    let Homes {
        mut arrivals,
        mailboxes,
    } = homes;
    let (sender, mut answers) = mpsc::channel(MAX_ANSWERS);
    let all = [&sockets.v4, &sockets.v6];
    for (number, socket) in all.into_iter().flat_map(|family| (0..).zip(family)) {
        tokio::spawn(read(number, Arc::clone(socket), sender.clone()));
    }
    let mut is_failing = false;
    loop {
        while let Some((via, octets)) = proxy.poll_transmit() {
            let sent = sockets.send(via, &octets).await;
            // It is repeated like one that was lost on the way.
            let failed = sent.is_err();
            match sent {
                Err(error) if !is_failing => {
                    warn!(home = %via.to, %error, "a request cannot be sent to a home server");
                }
                Ok(_) if is_failing => info!("requests can be sent to home servers again"),
                Ok(_) | Err(_) => {}
            }
            is_failing = failed;
        }
        while let Some((worker, done)) = proxy.poll_done() {
            if let Some(mailbox) = mailboxes.get(usize::from(worker)) {
                mailbox.put_done(done);
                mailbox.ring_a_sleeper();
            }
        }
        let now = clock.now().monotonic;
        let timeout = proxy.poll_timeout().map(|at| now.until(at));
        let timer = async {
            match timeout {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            arrived = arrivals.recv() => match arrived {
                Some(forwarding) => proxy.handle_forward(clock.now().monotonic, forwarding),
                None => return,
            },
            Some((via, octets)) = answers.recv() => proxy.handle_datagram(via, &octets),
            () = timer => {}
        }
        proxy.handle_timeout(clock.now().monotonic);
    }
}

/// Reads from one socket; what comes from nobody who was asked is passed over by the core.
async fn read(number: u8, socket: Arc<UdpSocket>, answers: mpsc::Sender<(Via, Vec<u8>)>) {
    let mut buffer = [0; MAX_PACKET];
    loop {
        // An error is that of an earlier send (ICMP); its request is repeated.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let via = Via {
            socket: number,
            to: canonical(from),
        };
        let octets = buffer.get(..length).unwrap_or(&[]).to_vec();
        if answers.send((via, octets)).await.is_err() {
            return;
        }
    }
}

/// As the configuration writes it.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Answers that wait for the core; beyond them they wait in the kernel.
const MAX_ANSWERS: usize = 1024;
