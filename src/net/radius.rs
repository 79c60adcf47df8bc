//! RADIUS over UDP: one loop for each core, datagrams received and sent in batches.
//!
//! Every loop has a socket of its own for each address (`SO_REUSEPORT`), so the kernel gives all
//! packets of one NAS port to one loop, and a retransmission meets the worker that has the stored
//! reply. [`Servers::start`] spawns the threads; each owns its sockets and its
//! [`network::Server`](crate::network::Server). What a batch of accounting reports is appended to
//! the record in one write, and answered after that. The loops end when [`Servers::stop`] is called, after
//! the batch in hand; what they held is a few seconds of conversations that peers start anew.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::PollFd;
use nix::poll::PollFlags;
use nix::poll::PollTimeout;
use nix::poll::poll;
use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tracing::error;
use tracing::info;
use tracing::warn;

use crate::net::clock::Clock;
use crate::net::home::Homes;
use crate::net::pool::Mailbox;
use crate::net::pool::Pool;
use crate::net::streams::Brought;
use crate::net::streams::Streams;
use crate::network::Door;
use crate::network::Forwarding;
use crate::network::MAX_FORWARDS;
use crate::network::MAX_INQUIRIES;
use crate::network::Role;
use crate::network::Server;

mod batch;

use batch::BATCH;
use batch::Buffers;
use batch::receive_batch;
use batch::send;
use batch::tell_local;

/// An address to listen on, and what is expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Where.
    pub address: SocketAddr,
    /// Authentication or accounting.
    pub role: Role,
}

/// Sockets bound and not yet served: one set for each loop.
#[derive(Debug)]
pub struct Bound {
    sets: Vec<Vec<(Socket, Role)>>,
    /// The addresses as bound; a port 0 has become a real one.
    pub addresses: Vec<Listen>,
}

/// Binds every address once for each of `loops` loops.
///
/// # Errors
///
/// The address that could not be bound, and why; the first beyond [`MAX_ADDRESSES`].
pub fn bind(listen: &[Listen], loops: usize) -> Result<Bound, (SocketAddr, io::Error)> {
    if let Some(beyond) = listen.get(MAX_ADDRESSES) {
        let problem = io::Error::other(format!("more than {MAX_ADDRESSES} addresses"));
        return Err((beyond.address, problem));
    }
    let mut sets: Vec<Vec<(Socket, Role)>> = (0..loops.max(1)).map(|_| Vec::new()).collect();
    let mut addresses = Vec::new();
    for wanted in listen {
        let address = alone(wanted.address).map_err(|error| (wanted.address, error))?;
        for set in &mut sets {
            let socket = socket(address, true).map_err(|error| (address, error))?;
            set.push((socket, wanted.role));
        }
        addresses.push(Listen {
            address,
            role: wanted.role,
        });
    }
    Ok(Bound { sets, addresses })
}

/// The address with its port, after seeing that nobody else has it: sockets that share a port
/// would silently share the packets with another gateway too.
fn alone(address: SocketAddr) -> io::Result<SocketAddr> {
    let bound = socket(address, false)?.local_addr()?;
    Ok(bound.as_socket().unwrap_or(address))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(shared)?;
    // Best effort: the kernel may grant less than asked.
    let _granted = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    if address.ip().is_unspecified() {
        tell_local(&socket, address.is_ipv4())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Puts lines of accounting on record; when it returns they outlive the program.
pub type Record = Box<dyn FnMut(&[u8]) -> io::Result<()> + Send>;

/// What one loop works with.
pub struct Worker {
    /// Its core.
    pub server: Server,
    /// Where its accounting goes.
    pub record: Record,
}

/// The number of its loop.
impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Worker").field(&self.server).finish()
    }
}

/// The running loops.
#[derive(Debug)]
pub struct Servers {
    /// Milliseconds of grace once the loops are to end; 0 before that.
    stop: Arc<AtomicU64>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    streams: Arc<Streams>,
    homes: Option<Homes>,
    threads: Vec<JoinHandle<()>>,
}

impl Servers {
    /// Starts one loop for each set of sockets. `worker` makes what loop number n works with.
    ///
    /// # Errors
    ///
    /// When the system gives no thread or no event descriptor, and those of `worker`.
    pub fn start(
        bound: Bound,
        pool: &Arc<Pool>,
        clock: Clock,
        worker: impl Fn(u8) -> io::Result<Worker>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicU64::new(0));
        let in_flight = pool.capacity() + pool.threads() + MAX_FORWARDS + MAX_INQUIRIES;
        let mailboxes: Arc<[Arc<Mailbox>]> = bound
            .sets
            .iter()
            .map(|_| Mailbox::new(in_flight).map(Arc::new))
            .collect::<io::Result<Vec<_>>>()?
            .into();
        let streams = Streams::new(&mailboxes);
        let (forwards, arrivals) = mpsc::channel(MAX_FORWARDS * mailboxes.len().max(1));
        let mut threads = Vec::new();
        for (number, sockets) in (0..=u8::MAX).zip(bound.sets) {
            let Some(mailbox) = mailboxes.get(usize::from(number)).map(Arc::clone) else {
                break;
            };
            let Worker { server, record } = worker(number)?;
            let packet_loop = Loop {
                sockets,
                server,
                record,
                unrecorded: None,
                mailbox,
                mailboxes: Arc::clone(&mailboxes),
                streams: Arc::clone(&streams),
                forwards: forwards.clone(),
                pool: Arc::clone(pool),
                clock,
                stop: Arc::clone(&stop),
            };
            let name = format!("radius-{number}");
            threads.push(
                thread::Builder::new()
                    .name(name)
                    .spawn(move || packet_loop.run())?,
            );
        }
        Ok(Self {
            stop,
            homes: Some(Homes::new(arrivals, &mailboxes)),
            mailboxes,
            streams,
            threads,
        })
    }

    /// The way of requests to home servers and back; there is one, for the first who asks.
    pub const fn take_homes(&mut self) -> Option<Homes> {
        self.homes.take()
    }

    /// The way of TLS connections to the loops.
    #[must_use]
    pub fn streams(&self) -> Arc<Streams> {
        Arc::clone(&self.streams)
    }

    /// Lets the loops finish what they have begun, for at most `grace`, and waits for them.
    /// Meanwhile new conversations are not begun: their NASes ask elsewhere.
    pub fn stop(self, grace: Duration) {
        let millis = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.stop.store(millis.max(1), Ordering::Release);
        for mailbox in self.mailboxes.iter() {
            mailbox.ring();
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a packet loop ended by a panic");
            }
        }
    }
}

struct Loop {
    sockets: Vec<(Socket, Role)>,
    server: Server,
    record: Record,
    /// Why accounting is not recorded, while it is not.
    unrecorded: Option<io::ErrorKind>,
    mailbox: Arc<Mailbox>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    streams: Arc<Streams>,
    forwards: mpsc::Sender<Forwarding>,
    pool: Arc<Pool>,
    clock: Clock,
    stop: Arc<AtomicU64>,
}

impl Loop {
    fn run(mut self) {
        let mut buffers = Buffers::new(self.sockets.iter().map(|(socket, _)| socket));
        let mut deadline = None;
        loop {
            let grace = self.stop.load(Ordering::Acquire);
            if grace > 0 {
                let now = self.clock.now().monotonic;
                let end = *deadline.get_or_insert_with(|| now + Duration::from_millis(grace));
                self.server.refuse_new_conversations();
                if self.server.is_idle() || now >= end {
                    return;
                }
            }
            let ready = self.wait();
            self.collect(&mut buffers);
            self.collect_frames(&mut buffers);
            for index in 0..self.sockets.len() {
                if ready & 1_u64 << index != 0 {
                    self.receive(index, &mut buffers);
                }
            }
            self.server.handle_timeout(self.clock.now());
            self.drain(&mut buffers);
        }
    }

    /// Sleeps until a socket or the bell has something, or the core wants its timeout.
    /// Gives a bit for each socket that has something.
    fn wait(&self) -> u64 {
        let bell = self.mailbox.bell().as_fd();
        let now = self.clock.now().monotonic;
        let sleep = self
            .server
            .poll_timeout()
            .map_or(LONGEST_SLEEP, |at| now.until(at));
        let timeout = if self.mailbox.falls_asleep() {
            // Rounded up, so that the timeout has passed when we wake.
            let millis = sleep.min(LONGEST_SLEEP).as_millis().saturating_add(1);
            PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
        } else {
            PollTimeout::ZERO
        };
        // The bell first, then the sockets; places that are left over are not watched.
        let mut sockets = self.sockets.iter().map(|(socket, _)| socket.as_fd());
        let mut watched: [PollFd<'_>; 1 + MAX_ADDRESSES] = std::array::from_fn(|place| {
            let watched = if place == 0 { None } else { sockets.next() };
            PollFd::new(watched.unwrap_or(bell), PollFlags::POLLIN)
        });
        let watched = watched.get_mut(..=self.sockets.len()).unwrap_or_default();
        match poll(watched, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => warn!(%error, "packet loop: waiting failed"),
        }
        let mut ready = watched.iter().map(|fd| fd.any().unwrap_or(false));
        self.mailbox.wakes_up(ready.next().unwrap_or(false));
        ready
            .zip(0..)
            .filter(|(ready, _)| *ready)
            .fold(0, |bits, (_, index)| bits | 1_u64 << index)
    }

    /// Takes in what other threads have for this loop, a batch at a time: replies are sent before
    /// more of them are written.
    fn collect(&mut self, buffers: &mut Buffers) {
        for _ in 0..MAX_COLLECTED {
            let mut quiet = true;
            for _ in 0..BATCH {
                if let Some(done) = self.mailbox.pop_done() {
                    self.server.handle_job(self.clock.now(), done);
                    quiet = false;
                }
                if let Some(handover) = self.mailbox.pop_handover() {
                    self.server.handle_handover(self.clock.now(), handover);
                    quiet = false;
                }
            }
            if quiet {
                return;
            }
            self.drain(buffers);
        }
        // What is left keeps the loop from sleeping; the sockets have their turn first.
    }

    /// Takes in what TLS connections have sent, a batch at a time.
    fn collect_frames(&mut self, buffers: &mut Buffers) {
        for _ in 0..MAX_COLLECTED {
            for taken in 0..BATCH {
                let Some(frame) = self.mailbox.pop_frame() else {
                    if taken > 0 {
                        self.drain(buffers);
                    }
                    return;
                };
                match frame.what {
                    Brought::Packet(nas, octets) => {
                        self.server.set_backlog(self.pool.backlog());
                        let now = self.clock.now();
                        let trusted = self.server.handle_packet(now, frame.from, &nas, &octets);
                        if !trusted {
                            self.streams.close(frame.from);
                        }
                    }
                    Brought::End => self.server.handle_closed(frame.from),
                }
            }
            self.drain(buffers);
        }
    }

    /// Takes one batch from a socket and answers what can be answered at once.
    fn receive(&mut self, index: usize, buffers: &mut Buffers) {
        let Some((socket, role)) = self.sockets.get(index) else {
            return;
        };
        let (role, number) = (*role, u8::try_from(index).unwrap_or(u8::MAX));
        let received = match receive_batch(socket, index, buffers) {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            // ICMP errors of earlier replies arrive here; they concern nobody.
            Err(Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH) => return,
            Err(error) => {
                buffers.complain(error, "packet loop: receiving failed");
                return;
            }
        };
        self.server.set_backlog(self.pool.backlog());
        let now = self.clock.now();
        let mut datagrams = buffers
            .octets
            .iter()
            .zip(received)
            .filter_map(|(buffer, one)| Some((one.local, (one.from?, buffer.get(..one.length)?))))
            .peekable();
        // Those that asked one address of ours go together; mostly these are all.
        while let Some(&(local, _)) = datagrams.peek() {
            let door = Door {
                role,
                socket: number,
                local,
            };
            let same = std::iter::from_fn(|| datagrams.next_if(|(other, _)| *other == local));
            let same = same.map(|(_, datagram)| datagram);
            self.server.handle_datagrams(now, door, same);
        }
        self.drain(buffers);
    }

    /// Gives a request to the task that asks home servers.
    fn give_away(&mut self, forwarding: Forwarding) {
        if !self.mailbox.reserve() {
            self.server.handle_refused_forward(&forwarding);
            return;
        }
        if let Err(error) = self.forwards.try_send(forwarding) {
            // Nobody proxies, or nobody keeps up: the place that was set aside is used for that.
            let (TrySendError::Full(refused) | TrySendError::Closed(refused)) = error;
            let why = "too many requests wait for home servers";
            self.mailbox.put_done(refused.unanswered(why));
        }
    }

    /// Puts accounting on record, so that its answers may leave.
    fn record(&mut self) {
        let lines = self.server.accounting();
        if lines.is_empty() {
            return;
        }
        match (self.record)(lines) {
            Ok(()) => {
                self.server.handle_recorded(self.clock.now());
                if self.unrecorded.take().is_some() {
                    info!("accounting is recorded and answered again");
                }
            }
            Err(error) => {
                self.server.handle_unrecorded();
                if self.unrecorded.replace(error.kind()) != Some(error.kind()) {
                    error!(%error, "accounting cannot be recorded and is not answered");
                }
            }
        }
    }

    /// Sends what the core has to send and gives its jobs away, in this order: a worker that is
    /// called may take this core.
    fn drain(&mut self, buffers: &mut Buffers) {
        while let Some(handover) = self.server.poll_handover() {
            let refused = match self.mailboxes.get(usize::from(handover.worker())) {
                Some(mailbox) => mailbox.hand_over(handover).err(),
                None => Some(handover),
            };
            if let Some(handover) = refused {
                self.server.handle_refused_handover(handover);
            }
        }
        self.record();
        if self.server.transmits().next().is_some() {
            for (index, (socket, _)) in self.sockets.iter().enumerate() {
                send(socket, index, &self.server, buffers);
            }
            if !self.streams.is_empty() {
                let replies = self.server.transmits();
                for reply in replies.filter(|reply| reply.door == Door::STREAM) {
                    self.streams.send(reply.to, reply.octets);
                }
            }
            self.server.clear_transmits();
        }
        while let Some(forwarding) = self.server.poll_forward() {
            self.give_away(forwarding);
        }
        while let Some(job) = self.server.poll_job() {
            if let Err(job) = self.pool.submit(job, &self.mailbox) {
                self.server.handle_refused_job(*job);
            }
        }
    }
}

/// Addresses to listen on: authentication and accounting, IPv4 and IPv6, on each of a few
/// interfaces.
pub const MAX_ADDRESSES: usize = 16;

/// Batches from other threads before the sockets have their turn again.
const MAX_COLLECTED: usize = 8;

/// What the kernel may hold for a loop that is busy: about 4,000 requests.
const RECEIVE_BUFFER: usize = 4 << 20;

/// So that a loop without traffic still notices a request to stop that rang no bell.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
