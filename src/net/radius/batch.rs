//! Datagrams in batches: many for one system call, in buffers that are used again.

use std::io;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::ControlMessage;
use nix::sys::socket::ControlMessageOwned;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::MultiHeaders;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::recvmmsg;
use nix::sys::socket::sendmmsg;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Ipv4PacketInfo;
use nix::sys::socket::sockopt::Ipv6RecvPacketInfo;
use socket2::Socket;
use tracing::warn;

use crate::network::MAX_PACKET;
use crate::network::Server;

/// What the system calls write to.
pub(super) struct Buffers {
    pub(super) octets: Vec<[u8; MAX_PACKET]>,
    /// One for each socket: the system shortens the room for an address to what it has written,
    /// so that a longer one, of the other family, would be cut off the next time.
    headers: Vec<MultiHeaders<SockaddrStorage>>,
    /// For replies that name no address of ours, one of IPv4, one of IPv6.
    send_headers: [MultiHeaders<SockaddrStorage>; 3],
    complained: Option<Errno>,
}

impl Buffers {
    pub(super) fn new<'a>(sockets: impl Iterator<Item = &'a Socket>) -> Self {
        Self {
            octets: vec![[0; MAX_PACKET]; BATCH],
            headers: sockets.map(|socket| headers(family(socket))).collect(),
            send_headers: [headers(None), headers(Some(true)), headers(Some(false))],
            complained: None,
        }
    }

    /// Logs an error once until another one comes: what fails for each datagram must not fill
    /// the log.
    pub(super) fn complain(&mut self, error: Errno, what: &'static str) {
        if self.complained.replace(error) != Some(error) {
            warn!(%error, "{what}");
        }
    }
}

/// Makes the system tell of each datagram which address of ours it was sent to.
pub(super) fn tell_local(socket: &Socket, is_v4: bool) -> io::Result<()> {
    if is_v4 {
        setsockopt(socket, Ipv4PacketInfo, &true)?;
    } else {
        setsockopt(socket, Ipv6RecvPacketInfo, &true)?;
    }
    Ok(())
}

/// Whether it is IPv4, of a socket that listens on all addresses.
fn family(socket: &Socket) -> Option<bool> {
    let bound = socket.local_addr().ok()?.as_socket()?;
    bound.ip().is_unspecified().then(|| bound.is_ipv4())
}

/// With exactly the room that the address of ours takes: the system reads and writes all of it.
fn headers(family: Option<bool>) -> MultiHeaders<SockaddrStorage> {
    let room = family.map(|is_v4| {
        if is_v4 {
            cmsg_space!(libc::in_pktinfo)
        } else {
            cmsg_space!(libc::in6_pktinfo)
        }
    });
    MultiHeaders::preallocate(BATCH, room)
}

/// A datagram that was received.
#[derive(Clone, Copy, Default)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) from: Option<SocketAddr>,
    /// The address of ours that it was sent to, at a socket that listens on all.
    pub(super) local: Option<IpAddr>,
}

/// Fills the buffers with what waits at the socket, in order.
pub(super) fn receive_batch(
    socket: &Socket,
    index: usize,
    buffers: &mut Buffers,
) -> nix::Result<[Received; BATCH]> {
    let mut octets = buffers.octets.iter_mut();
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
        let buffer = octets.next().map_or(&mut [][..], |buffer| &mut buffer[..]);
        [IoSliceMut::new(buffer)]
    });
    let headers = buffers.headers.get_mut(index).ok_or(Errno::EBADF)?;
    let flags = MsgFlags::MSG_DONTWAIT;
    let messages = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
    let mut received = [Received::default(); BATCH];
    for (place, message) in received.iter_mut().zip(messages) {
        *place = Received {
            length: message.bytes,
            from: message.address.as_ref().and_then(address),
            local: message
                .cmsgs()
                .ok()
                .and_then(|mut told| told.find_map(local)),
        };
    }
    Ok(received)
}

fn local(told: ControlMessageOwned) -> Option<IpAddr> {
    if let ControlMessageOwned::Ipv4PacketInfo(info) = told {
        return Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into());
    }
    if let ControlMessageOwned::Ipv6PacketInfo(info) = told {
        return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
    }
    None
}

/// Sends every reply that belongs to this socket, each from the address that was asked.
pub(super) fn send(socket: &Socket, index: usize, server: &Server, buffers: &mut Buffers) {
    let mut replies = server
        .transmits()
        .filter(|transmit| usize::from(transmit.door.socket) == index)
        .peekable();
    while let Some(first) = replies.peek() {
        let local = first.door.local;
        let mut slices: [[IoSlice<'_>; 1]; BATCH] = [[IoSlice::new(&[])]; BATCH];
        let mut addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
        let mut count = 0;
        let same = std::iter::from_fn(|| replies.next_if(|reply| reply.door.local == local));
        for ((slice, address), reply) in slices.iter_mut().zip(&mut addresses).zip(same) {
            *slice = [IoSlice::new(reply.octets)];
            *address = Some(SockaddrStorage::from(reply.to));
            count += 1;
        }
        let batch = Batch {
            slices: slices.get(..count).unwrap_or(&[]),
            addresses: addresses.get(..count).unwrap_or(&[]),
        };
        match local {
            None => send_batch(socket, buffers, 0, batch, &[]),
            Some(IpAddr::V4(local)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(local.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                let from = [ControlMessage::Ipv4PacketInfo(&info)];
                send_batch(socket, buffers, 1, batch, &from);
            }
            Some(IpAddr::V6(local)) => {
                let info = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: local.octets(),
                    },
                    // The scope of a link-local destination says which interface.
                    ipi6_ifindex: 0,
                };
                let from = [ControlMessage::Ipv6PacketInfo(&info)];
                send_batch(socket, buffers, 2, batch, &from);
            }
        }
    }
}

/// Replies that leave from one address of ours.
#[derive(Clone, Copy)]
struct Batch<'a> {
    slices: &'a [[IoSlice<'a>; 1]],
    addresses: &'a [Option<SockaddrStorage>],
}

/// Sends as many as the system takes. A destination that it refuses costs its own reply and
/// nobody else's: the call stops there, and goes on behind it.
fn send_batch<'a>(
    socket: &Socket,
    buffers: &'a mut Buffers,
    headers: usize,
    mut batch: Batch<'a>,
    from: &[ControlMessage<'a>],
) {
    let flags = MsgFlags::MSG_DONTWAIT;
    while !batch.slices.is_empty() {
        let Some(headers) = buffers.send_headers.get_mut(headers) else {
            return;
        };
        let (slices, addresses) = (batch.slices, batch.addresses);
        let sent = match sendmmsg(socket.as_raw_fd(), headers, slices, addresses, from, flags) {
            Ok(sent) => sent.count().max(1),
            Err(Errno::EINTR) => 0,
            // The send buffer is full. What is left is lost like a reply that is lost on the way:
            // the NAS asks again and gets the stored one.
            Err(Errno::EAGAIN) => return,
            Err(Errno::ECONNREFUSED) => 1,
            Err(error) => {
                buffers.complain(error, "packet loop: sending failed");
                1
            }
        };
        batch = Batch {
            slices: slices.get(sent..).unwrap_or(&[]),
            addresses: addresses.get(sent..).unwrap_or(&[]),
        };
    }
}

fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = from.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    from.as_sockaddr_in6()
        .map(|v6| SocketAddr::V6((*v6).into()))
}

/// Datagrams for one system call: beyond 32 the call's share of a packet is under 50 ns.
pub(super) const BATCH: usize = 32;
