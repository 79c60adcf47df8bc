//! `portreeve-lab null`: the floor of a RADIUS server. It takes datagrams in batches, checks them,
//! answers all alike, signs and sends; it knows nobody and remembers nothing.

use std::io;
use std::io::IoSlice;
use std::io::IoSliceMut;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use clap::Args;
use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::MultiHeaders;
use nix::sys::socket::SockaddrStorage;
use nix::sys::socket::recvmmsg;
use nix::sys::socket::sendmmsg;
use portreeve::model::Secret;
use portreeve::radius::AttributeType;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Nas;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::Reply;
use portreeve::radius::verify;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use crate::load::read_secret;

/// Accept every RADIUS request that is rightly signed, as a floor to measure servers against.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen; a loopback address.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:21812")]
    listen: SocketAddr,
    /// File with the shared secret.
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
}

/// Serves until it is ended.
pub(crate) fn run(arguments: &Arguments) -> io::Result<()> {
    let listen = arguments.listen;
    if !listen.ip().is_loopback() {
        let message = format!("{listen} is no loopback address: the null server accepts anybody");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let nas = table(listen, read_secret(&arguments.secret_file)?)?;
    let nas = nas.find(listen.ip()).ok_or(io::ErrorKind::InvalidInput)?;
    let socket = Socket::new(
        Domain::for_address(listen),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    // What the system grants is enough.
    let _granted = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _granted = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&listen.into())?;
    writeln!(io::stdout(), "null server on {listen}")?;
    let mut batch = Batch::new();
    loop {
        let (replies, received) = batch.receive(&socket, nas)?;
        if received > 0 {
            replies.send(&socket)?;
        }
    }
}

/// The generators' one and only NAS.
fn table(listen: SocketAddr, secret: Secret) -> io::Result<NasTable> {
    let nas = NasConfig {
        name: "generator".to_owned(),
        group: "default".to_owned(),
        network: listen.ip().into(),
        secret,
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: false,
        dynamic_authorization: None,
    };
    NasTable::new(vec![nas]).map_err(|errors| {
        io::Error::other(
            errors
                .first()
                .map_or_else(String::new, |error| error.to_string()),
        )
    })
}

/// Room for what one system call brings, and for the answers.
struct Batch {
    requests: Vec<[u8; MAX_PACKET]>,
    received: MultiHeaders<SockaddrStorage>,
    replies: Replies,
}

/// Answers of one batch.
struct Replies {
    octets: Vec<[u8; MAX_PACKET]>,
    lengths: Vec<(usize, Option<SockaddrStorage>)>,
    headers: MultiHeaders<SockaddrStorage>,
}

impl Batch {
    fn new() -> Self {
        Self {
            requests: vec![[0; MAX_PACKET]; BATCH],
            received: MultiHeaders::preallocate(BATCH, None),
            replies: Replies {
                octets: vec![[0; MAX_PACKET]; BATCH],
                lengths: Vec::with_capacity(BATCH),
                headers: MultiHeaders::preallocate(BATCH, None),
            },
        }
    }

    /// Waits for datagrams and answers the right ones.
    fn receive(&mut self, socket: &Socket, nas: &Nas) -> io::Result<(&mut Replies, usize)> {
        let Self {
            requests,
            received,
            replies,
        } = self;
        replies.lengths.clear();
        let mut octets = requests.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let buffer = octets.next().map_or(&mut [][..], |buffer| &mut buffer[..]);
            [IoSliceMut::new(buffer)]
        });
        let mut lengths = [(0, None); BATCH];
        match recvmmsg(
            socket.as_raw_fd(),
            received,
            slices.iter_mut(),
            MsgFlags::MSG_WAITFORONE,
            None,
        ) {
            Ok(messages) => {
                for (place, message) in lengths.iter_mut().zip(messages) {
                    *place = (message.bytes, message.address);
                }
            }
            Err(Errno::EINTR | Errno::ECONNREFUSED) => {}
            Err(error) => return Err(error.into()),
        }
        for (request, (length, from)) in requests.iter().zip(lengths) {
            let Some(buffer) = replies.octets.get_mut(replies.lengths.len()) else {
                break;
            };
            if let Some(length) = request
                .get(..length)
                .and_then(|request| answer(request, nas, buffer))
            {
                replies.lengths.push((length, from));
            }
        }
        let count = replies.lengths.len();
        Ok((replies, count))
    }
}

impl Replies {
    fn send(&mut self, socket: &Socket) -> io::Result<()> {
        let mut slices: [[IoSlice<'_>; 1]; BATCH] = [[IoSlice::new(&[])]; BATCH];
        let mut addresses: [Option<SockaddrStorage>; BATCH] = [None; BATCH];
        for (((slice, address), octets), (length, to)) in slices
            .iter_mut()
            .zip(&mut addresses)
            .zip(&self.octets)
            .zip(&self.lengths)
        {
            *slice = [IoSlice::new(octets.get(..*length).unwrap_or_default())];
            *address = *to;
        }
        let (mut sent, all) = (0, self.lengths.len());
        while sent < all {
            let slices = slices.get(sent..all).unwrap_or_default();
            let addresses = addresses.get(sent..all).unwrap_or_default();
            let flags = MsgFlags::empty();
            match sendmmsg(
                socket.as_raw_fd(),
                &mut self.headers,
                slices,
                addresses,
                [],
                flags,
            ) {
                Ok(results) => sent += results.count().max(1),
                Err(Errno::EINTR) => {}
                Err(Errno::ECONNREFUSED) => sent += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Checks one datagram and writes its answer; gives the length.
fn answer(request: &[u8], nas: &Nas, buffer: &mut [u8]) -> Option<usize> {
    let packet = Packet::new_checked(request).ok()?;
    let verified = verify(packet, nas).ok()?;
    let mut reply = Reply::access_accept(buffer, verified.origin(), nas.secret());
    reply
        .vlan(0, VLAN)
        .octets(AttributeType::FILTER_ID, b"quarantine")
        .integer(AttributeType::SESSION_TIMEOUT, 3600);
    reply.finish().ok().map(<[u8]>::len)
}

/// The answer that the sample configuration gives to a device that only claims its address.
const VLAN: &[u8] = b"20";

/// Datagrams for one system call.
const BATCH: usize = 64;

const SOCKET_BUFFER: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use portreeve::radius::Code;
    use portreeve::radius::RequestAuthenticator;
    use portreeve::radius::RequestBuilder;
    use portreeve::radius::SharedSecret;
    use portreeve::radius::Signature;
    use portreeve::radius::verify_reply;

    use super::*;

    #[test]
    fn right_requests_are_accepted_with_signatures_and_others_dropped() {
        let secret = || Secret::new(b"lab-secret-of-24-letters".to_vec());
        let listen: SocketAddr = "127.0.0.1:1812".parse().unwrap();
        let table = table(listen, secret()).unwrap();
        let nas = table.find(listen.ip()).unwrap();
        let shared = SharedSecret::new(secret());
        let mut octets = [0; MAX_PACKET];
        let authenticator = RequestAuthenticator::new([7; 16]);
        let mut request = RequestBuilder::access_request(&mut octets, 9, authenticator, &shared);
        request.octets(AttributeType::USER_NAME, b"anybody");
        let request = request.finish().unwrap().to_vec();

        let mut buffer = [0; MAX_PACKET];
        let length = answer(&request, nas, &mut buffer).unwrap();
        let asked = Packet::new_checked(&request).unwrap();
        let reply = Packet::new_checked(&buffer[..length]).unwrap();
        let reply = verify_reply(reply, &asked, &shared).unwrap();
        assert_eq!(reply.signature(), Signature::First);
        assert_eq!(reply.packet().code(), Code::AccessAccept);
        let group = reply.packet().find(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
        assert!(group.is_some_and(|group| group.ends_with(VLAN)));

        let mut forged = request;
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(answer(&forged, nas, &mut buffer), None);
    }
}
