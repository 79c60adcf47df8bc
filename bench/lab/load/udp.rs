//! Source ports with up to 256 requests in flight each, sent and received in batches.
//!
//! A request keeps its identifier until it is answered or given up. A given-up identifier rests
//! for as long again, so that a reply that comes late is told from one that is false.

mod batch;

use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::ppoll;
use nix::sys::socket::MsgFlags;
use nix::sys::socket::sendmmsg;
use nix::sys::time::TimeSpec;
use portreeve::model::Monotonic;
use portreeve::radius::EncodeError;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::Packet;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::SharedSecret;
use portreeve::radius::VerifiedReply;
use portreeve::radius::verify_reply;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;

use batch::BATCH;
use batch::Headers;

pub(super) use batch::Batch;

/// Where requests go, and how long their answers are waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// Time for each try.
    pub(super) timeout: Duration,
    /// Tries, the first one included.
    pub(super) tries: u32,
}

/// The source ports of one thread.
#[derive(Debug)]
pub(super) struct Ports {
    ports: Vec<Port>,
    secret: SharedSecret,
    patience: Patience,
    random: Random,
    headers: Headers,
    draft: Box<[u8; MAX_PACKET]>,
}

/// A datagram from the server, understood as far as the request that it answers.
#[derive(Debug)]
pub(super) enum Received<'a> {
    /// The answer to the request of this task, with right signatures.
    Reply {
        task: usize,
        reply: VerifiedReply<'a>,
        request: RequestAuthenticator,
    },
    /// An answer with wrong signatures to the request of this task.
    False { task: usize },
    /// An answer to a request that was given up, or a second one.
    Late,
    /// Octets that answer nothing of ours.
    Stray,
}

/// What a request is written with.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) buffer: &'a mut [u8],
    pub(super) identifier: u8,
    pub(super) authenticator: RequestAuthenticator,
    pub(super) secret: &'a SharedSecret,
}

#[derive(Debug)]
struct Port {
    socket: Socket,
    slots: Vec<Slot>,
    /// Identifiers that may be used; the one that has rested longest is first.
    free: VecDeque<u8>,
    /// Identifiers whose requests wait to be sent.
    unsent: Vec<u8>,
    /// In order of time, since all wait equally long.
    deadlines: VecDeque<(Monotonic, u8, u32)>,
}

#[derive(Debug, Default)]
struct Slot {
    request: Vec<u8>,
    state: State,
    /// Tells a deadline of this use from one of an earlier use.
    uses: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Free,
    Waiting {
        task: usize,
        tries_left: u32,
    },
    Resting,
}

impl Ports {
    /// Opens a port to `server` at each of `sources`.
    pub(super) fn open(
        server: SocketAddr,
        sources: &[Option<IpAddr>],
        secret: SharedSecret,
        patience: Patience,
    ) -> io::Result<Self> {
        let ports = sources.iter().map(|source| Port::open(server, *source));
        Ok(Self {
            ports: ports.collect::<io::Result<_>>()?,
            secret,
            patience,
            random: Random::seeded()?,
            headers: Headers::new(),
            draft: Box::new([0; MAX_PACKET]),
        })
    }

    /// How many ports there are.
    pub(super) const fn count(&self) -> usize {
        self.ports.len()
    }

    /// The secret that both ends know.
    pub(super) const fn secret(&self) -> &SharedSecret {
        &self.secret
    }

    /// Whether a port has an identifier left.
    pub(super) fn has_room(&self, port: usize) -> bool {
        self.ports
            .get(port)
            .is_some_and(|port| !port.free.is_empty())
    }

    /// Writes a request of `task`, to be sent by the next [`flush`](Self::flush). A port without
    /// room refuses.
    pub(super) fn put(
        &mut self,
        port: usize,
        task: usize,
        write: impl FnOnce(Draft<'_>) -> Result<usize, EncodeError>,
    ) -> io::Result<()> {
        let port = self.ports.get_mut(port);
        let Some((port, identifier)) =
            port.and_then(|port| port.free.pop_front().map(|identifier| (port, identifier)))
        else {
            return Err(io::Error::other("no identifier is left"));
        };
        let length = write(Draft {
            buffer: &mut self.draft[..],
            identifier,
            authenticator: self.random.authenticator(),
            secret: &self.secret,
        })
        .map_err(io::Error::other)?;
        if let Some(slot) = port.slots.get_mut(usize::from(identifier)) {
            slot.request.clear();
            slot.request.extend(self.draft.iter().take(length));
            slot.uses = slot.uses.wrapping_add(1);
            slot.state = State::Waiting {
                task,
                tries_left: self.patience.tries.saturating_sub(1),
            };
            port.unsent.push(identifier);
        }
        Ok(())
    }

    /// Sends what was put. What the kernel has no room for stays for the next time.
    pub(super) fn flush(&mut self, now: Monotonic) -> io::Result<()> {
        let deadline = now + self.patience.timeout;
        for port in &mut self.ports {
            port.flush(deadline, &mut self.headers)?;
        }
        Ok(())
    }

    /// Sleeps until a datagram is there or the time is over; gives the ports that have one.
    pub(super) fn wait(&self, most: Duration) -> io::Result<Vec<usize>> {
        let mut watched: Vec<PollFd<'_>> = self
            .ports
            .iter()
            .map(|port| {
                let blocked = !port.unsent.is_empty();
                let flags = if blocked {
                    PollFlags::POLLIN | PollFlags::POLLOUT
                } else {
                    PollFlags::POLLIN
                };
                PollFd::new(port.socket.as_fd(), flags)
            })
            .collect();
        match ppoll(&mut watched, Some(TimeSpec::from_duration(most)), None) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready = |fd: &PollFd<'_>| {
            fd.revents()
                .is_some_and(|events| events.intersects(READABLE))
        };
        let ready = watched.iter().enumerate().filter(|(_, fd)| ready(fd));
        Ok(ready.map(|(port, _)| port).collect())
    }

    /// Takes one batch from a port; `false` if nothing was there.
    pub(super) fn receive(&self, port: usize, batch: &mut Batch) -> io::Result<bool> {
        match self.ports.get(port) {
            Some(port) => batch.fill(&port.socket),
            None => Ok(false),
        }
    }

    /// Finds the request that a datagram answers, and frees its identifier.
    pub(super) fn accept<'a>(&mut self, port: usize, octets: &'a [u8]) -> Received<'a> {
        let Some(port) = self.ports.get_mut(port) else {
            return Received::Stray;
        };
        let Ok(reply) = Packet::new_checked(octets) else {
            return Received::Stray;
        };
        let identifier = reply.identifier();
        let Some(slot) = port.slots.get_mut(usize::from(identifier)) else {
            return Received::Stray;
        };
        let task = match slot.state {
            State::Waiting { task, .. } => task,
            State::Free | State::Resting => return Received::Late,
        };
        let Ok(request) = Packet::new_checked(&slot.request) else {
            return Received::Stray;
        };
        let authenticator = request.request_authenticator();
        let verified = verify_reply(reply, &request, &self.secret);
        slot.state = State::Free;
        port.free.push_back(identifier);
        // It may have been about to be sent again.
        port.unsent.retain(|unsent| *unsent != identifier);
        match verified {
            Ok(reply) => Received::Reply {
                task,
                reply,
                request: authenticator,
            },
            Err(_) => Received::False { task },
        }
    }

    /// Sends again, or gives up, what has waited too long; `gone` gets the tasks of the latter.
    pub(super) fn expire(&mut self, now: Monotonic, gone: &mut Vec<usize>) {
        for port in &mut self.ports {
            port.expire(now, self.patience.timeout, gone);
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        let firsts = self.ports.iter().filter_map(|port| port.deadlines.front());
        firsts.map(|(deadline, ..)| *deadline).min()
    }
}

impl Port {
    fn open(server: SocketAddr, source: Option<IpAddr>) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(server),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect(&server.into())?;
        socket.set_nonblocking(true)?;
        // What the system grants is enough for 256 datagrams either way.
        let _granted = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _granted = socket.set_send_buffer_size(SOCKET_BUFFER);
        Ok(Self {
            socket,
            slots: (0..=u8::MAX).map(|_| Slot::default()).collect(),
            free: (0..=u8::MAX).collect(),
            unsent: Vec::new(),
            deadlines: VecDeque::new(),
        })
    }

    fn flush(&mut self, deadline: Monotonic, headers: &mut Headers) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.unsent.len() {
            let next = self.unsent.iter().skip(sent).take(BATCH);
            let slots = next.filter_map(|identifier| self.slots.get(usize::from(*identifier)));
            let slices: Vec<[IoSlice<'_>; 1]> =
                slots.map(|slot| [IoSlice::new(&slot.request)]).collect();
            let addresses = [None; BATCH];
            let flags = MsgFlags::MSG_DONTWAIT;
            let socket = self.socket.as_raw_fd();
            match sendmmsg(socket, &mut headers.0, &slices, addresses, [], flags) {
                Ok(results) => sent += results.count(),
                Err(Errno::EAGAIN | Errno::ENOBUFS) => break,
                // The server's port was closed when an earlier request came: try this one.
                Err(Errno::ECONNREFUSED | Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for identifier in self.unsent.drain(..sent) {
            if let Some(slot) = self.slots.get(usize::from(identifier)) {
                self.deadlines.push_back((deadline, identifier, slot.uses));
            }
        }
        Ok(())
    }

    fn expire(&mut self, now: Monotonic, timeout: Duration, gone: &mut Vec<usize>) {
        while let Some((deadline, identifier, uses)) = self.deadlines.front().copied()
            && deadline <= now
        {
            self.deadlines.pop_front();
            let Some(slot) = self.slots.get_mut(usize::from(identifier)) else {
                continue;
            };
            if slot.uses != uses {
                continue; // The identifier has another request by now.
            }
            match slot.state {
                State::Free => {}
                State::Waiting {
                    task,
                    tries_left: 0,
                } => {
                    gone.push(task);
                    slot.state = State::Resting;
                    let rested = now + timeout;
                    self.deadlines.push_back((rested, identifier, uses));
                }
                State::Waiting { task, tries_left } => {
                    slot.state = State::Waiting {
                        task,
                        tries_left: tries_left - 1,
                    };
                    self.unsent.push(identifier);
                }
                State::Resting => {
                    slot.state = State::Free;
                    self.free.push_back(identifier);
                }
            }
        }
    }
}

/// Numbers for Request Authenticators: unique, not secret. A load generator protects nothing, and
/// a good generator would cost as much as the request.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn seeded() -> io::Result<Self> {
        let mut seed = [0; 8];
        aws_lc_rs::rand::fill(&mut seed)
            .map_err(|_| io::Error::other("the system gives no random numbers"))?;
        Ok(Self(u64::from_ne_bytes(seed)))
    }

    fn authenticator(&mut self) -> RequestAuthenticator {
        let mut octets = [0; 16];
        for half in octets.as_chunks_mut::<8>().0 {
            self.0 = self.0.wrapping_add(GOLDEN);
            *half = scramble(self.0).to_ne_bytes();
        }
        RequestAuthenticator::new(octets)
    }
}

/// Spreads neighbouring numbers over all 64 bits (the finalizer of splitmix64).
pub(super) const fn scramble(number: u64) -> u64 {
    let mut bits = number;
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What makes a port worth reading; an error is read off like a datagram.
const READABLE: PollFlags = PollFlags::POLLIN.union(PollFlags::POLLERR);

/// For 256 requests or replies of a port.
const SOCKET_BUFFER: usize = 1 << 20;
