//! Buffers for the datagrams of one system call.

use std::io;
use std::io::IoSliceMut;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::MultiHeaders;
use nix::sys::socket::recvmmsg;
use portreeve::radius::MAX_PACKET;
use socket2::Socket;

/// Buffers for one batch of datagrams, apart from the ports so that both can be used at once.
#[derive(Debug)]
pub(in crate::load) struct Batch {
    octets: Vec<[u8; MAX_PACKET]>,
    lengths: [usize; BATCH],
    headers: Headers,
}

impl Batch {
    pub(in crate::load) fn new() -> Self {
        Self {
            octets: vec![[0; MAX_PACKET]; BATCH],
            lengths: [0; BATCH],
            headers: Headers::new(),
        }
    }

    /// The datagrams of the last batch.
    pub(in crate::load) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let datagrams = self.octets.iter().zip(self.lengths);
        datagrams
            .take_while(|(_, length)| *length > 0)
            .filter_map(|(octets, length)| octets.get(..length))
    }

    /// Takes what is there, up to a batch; `false` if nothing was.
    pub(super) fn fill(&mut self, socket: &Socket) -> io::Result<bool> {
        self.lengths = [0; BATCH];
        let mut octets = self.octets.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let buffer = octets.next().map_or(&mut [][..], |buffer| &mut buffer[..]);
            [IoSliceMut::new(buffer)]
        });
        let (headers, flags) = (&mut self.headers.0, MsgFlags::MSG_DONTWAIT);
        match recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), flags, None) {
            Ok(messages) => {
                for (place, message) in self.lengths.iter_mut().zip(messages) {
                    *place = message.bytes;
                }
                Ok(true)
            }
            // A refused port is silence, as a lost datagram is: the timeout counts it.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// Headers for one system call; no addresses, the sockets are connected.
pub(super) struct Headers(pub(super) MultiHeaders<()>);

impl Headers {
    pub(super) fn new() -> Self {
        Self(MultiHeaders::preallocate(BATCH, None))
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers")
    }
}

/// Datagrams for one system call.
pub(super) const BATCH: usize = 64;
