//! Datagrams in batches: many for one system call, in buffers that are used again.

use std::io::IoSlice;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::MultiHeaders;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::recvmmsg;
use nix::sys::socket::sendmmsg;
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
    send_headers: MultiHeaders<SockaddrStorage>,
    complained: Option<Errno>,
}

impl Buffers {
    pub(super) fn new(sockets: usize) -> Self {
        Self {
            octets: vec![[0; MAX_PACKET]; BATCH],
            headers: (0..sockets)
                .map(|_| MultiHeaders::preallocate(BATCH, None))
                .collect(),
            send_headers: MultiHeaders::preallocate(BATCH, None),
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

/// Fills the buffers with what waits at the socket: lengths and sources, in order.
pub(super) fn receive_batch(
    socket: &Socket,
    index: usize,
    buffers: &mut Buffers,
) -> nix::Result<[(usize, Option<SocketAddr>); BATCH]> {
    let mut octets = buffers.octets.iter_mut();
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
        let buffer = octets.next().map_or(&mut [][..], |buffer| &mut buffer[..]);
        [IoSliceMut::new(buffer)]
    });
    let headers = buffers.headers.get_mut(index).ok_or(Errno::EBADF)?;
    let flags = MsgFlags::MSG_DONTWAIT;
    let messages = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None)?;
    let mut lengths = [(0, None); BATCH];
    for (place, message) in lengths.iter_mut().zip(messages) {
        *place = (message.bytes, message.address.as_ref().and_then(address));
    }
    Ok(lengths)
}

/// Sends every reply that belongs to this socket.
pub(super) fn send(socket: &Socket, index: usize, server: &Server, buffers: &mut Buffers) {
    let mut replies = server
        .transmits()
        .filter(|transmit| usize::from(transmit.door.socket) == index);
    loop {
        let mut slices: [[IoSlice<'_>; 1]; BATCH] = [[IoSlice::new(&[])]; BATCH];
        let mut addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
        let mut count = 0;
        for ((slice, address), reply) in slices.iter_mut().zip(&mut addresses).zip(&mut replies) {
            *slice = [IoSlice::new(reply.octets)];
            *address = Some(SockaddrStorage::from(reply.to));
            count += 1;
        }
        send_batch(
            socket,
            buffers,
            slices.get(..count).unwrap_or(&[]),
            addresses.get(..count).unwrap_or(&[]),
        );
        if count < BATCH {
            return;
        }
    }
}

/// Sends as many as the system takes. A destination that it refuses costs its own reply and
/// nobody else's: the call stops there, and goes on behind it.
fn send_batch(
    socket: &Socket,
    buffers: &mut Buffers,
    mut slices: &[[IoSlice<'_>; 1]],
    mut addresses: &[Option<SockaddrStorage>],
) {
    while !slices.is_empty() {
        let (headers, flags) = (&mut buffers.send_headers, MsgFlags::MSG_DONTWAIT);
        let sent = match sendmmsg(socket.as_raw_fd(), headers, slices, addresses, [], flags) {
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
        slices = slices.get(sent..).unwrap_or(&[]);
        addresses = addresses.get(sent..).unwrap_or(&[]);
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
