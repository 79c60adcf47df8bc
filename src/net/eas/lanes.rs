//! One lane for each core: a thread with a runtime of its own, that no connection ever leaves.
//!
//! Every lane has a listener of its own for each address (`SO_REUSEPORT`), so the kernel spreads
//! connections over the lanes and nothing is handed from one thread to another: a request's two
//! sockets, its timers and its task are one core's. What all lanes share is lock-free (inventory,
//! policy), or locked for a few operations (registrations, credentials, places).
//!
//! On a machine that also serves RADIUS there are as many packet loops and as many handshake
//! workers as lanes. All of them sleep when they have nothing to do, and the kernel shares the
//! cores out among those that have; fewer lanes than cores would leave cores idle in a site whose
//! load is mail.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use socket2::Domain;
use socket2::Protocol;
use socket2::Socket;
use socket2::Type;
use tokio::runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::error;
use tracing::warn;

use super::Front;
use super::serve;

/// An address, bound once for each lane.
#[derive(Debug)]
pub struct Bound {
    /// The address as bound; a port 0 has become a real one.
    pub address: SocketAddr,
    listeners: Vec<std::net::TcpListener>,
}

/// Binds `address` once for each of `lanes` lanes.
///
/// # Errors
///
/// When the address is taken or not ours.
pub fn bind_lanes(address: SocketAddr, lanes: usize) -> io::Result<Bound> {
    // Listeners that share a port would silently share the connections with another gateway, too.
    let address = super::bind(address)?.local_addr()?;
    let listeners = (0..lanes.max(1)).map(|_| shared(address));
    Ok(Bound {
        address,
        listeners: listeners.collect::<io::Result<_>>()?,
    })
}

fn shared(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Running lanes. Dropping them without [`Lanes::stop`] stops them, too, and waits for nothing.
pub struct Lanes {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Lanes {
    /// Starts a lane for each listener that the addresses were bound with.
    ///
    /// # Errors
    ///
    /// When the system has no thread or no poll descriptor left.
    pub fn start(front: &Arc<Front>, bound: Vec<Bound>) -> io::Result<Self> {
        let (stop, _) = watch::channel(false);
        let mut lanes: Vec<Vec<std::net::TcpListener>> = Vec::new();
        for address in bound {
            for (number, listener) in address.listeners.into_iter().enumerate() {
                match lanes.get_mut(number) {
                    Some(lane) => lane.push(listener),
                    None => lanes.push(vec![listener]),
                }
            }
        }
        let mut threads = Vec::new();
        for (number, listeners) in lanes.into_iter().enumerate() {
            let runtime = runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let (front, stopped) = (Arc::clone(front), stop.subscribe());
            let thread = thread::Builder::new().name(format!("mail-{number}"));
            threads.push(thread.spawn(move || {
                runtime.block_on(lane(front, listeners, stopped));
            })?);
        }
        Ok(Self { stop, threads })
    }

    /// Stops: see [`serve`]. Returns when all lanes have ended, a moment after
    /// [`Limits::drain`](super::Limits::drain) at the latest.
    pub fn stop(self) {
        // Nobody listens only if all lanes have ended.
        let _nobody_listens = self.stop.send(true);
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a lane of the mail front has panicked");
            }
        }
    }
}

/// Serves all listeners of one lane to their end.
async fn lane(
    front: Arc<Front>,
    listeners: Vec<std::net::TcpListener>,
    stopped: watch::Receiver<bool>,
) {
    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(serve(listener, Arc::clone(&front), stopped.clone()));
    }
    while let Some(ended) = serving.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "the mail front ended with an error"),
            Err(error) => error!(%error, "the mail front ended early"),
        }
    }
}

impl fmt::Debug for Lanes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lanes")
            .field("threads", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// Connections that wait to be accepted by each lane; phones come back all at once after an outage
/// of the network. The kernel cuts it to `net.core.somaxconn`, 4096 as a rule.
const BACKLOG: i32 = 4096;
