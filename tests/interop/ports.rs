//! Ports that nobody holds, for programs that cannot be told to take any. Between the answer and that program's
//! start somebody else could take one; the kernel gives a port out again only when it has gone through the others.

use std::net::{SocketAddr, TcpListener, UdpSocket};

/// A free TCP port of 127.0.0.1.
pub(crate) fn tcp() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// An address at 127.0.0.1 whose UDP port is free.
pub(crate) fn udp() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

/// UDP ports that are free at every address, of both families; no two are the same.
pub(crate) fn udp_anywhere<const N: usize>() -> [u16; N] {
    let sockets = [(); N].map(|()| UdpSocket::bind("[::]:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().port())
}
