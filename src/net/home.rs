//! The way to home servers: requests leave, answers come back to their packet loops.
//!
//! [`serve`] is one task that owns the core. It owns further ones, which end with it: one for each UDP
//! socket, which reads, and one for each TLS connection (`home/stream.rs`). They hold nothing that the
//! core's deadlines do not give up by themselves.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use rustls::pki_types::ServerName;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::debug;
use tracing::info;
use tracing::warn;

use crate::net::clock::Clock;
use crate::net::pool::Mailbox;
use crate::network::Forwarding;
use crate::network::Found;
use crate::network::Home;
use crate::network::LinkId;
use crate::network::Nobody;
use crate::network::Proxy;
use crate::network::Spoken;
use crate::network::Via;

mod lookup;
mod stream;
mod trust;
mod udp;

pub use lookup::Lookups;
pub use trust::Material;
pub use trust::Trust;
pub use trust::TrustError;
pub use trust::Wanted;
pub use udp::Sockets;

use stream::Order;

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

/// The home servers that are configured, and what their connections are made with; a reload replaces
/// it.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// All of them.
    pub homes: Vec<Arc<Home>>,
    /// By name, of those over TLS.
    pub tls: HashMap<String, (Arc<Trust>, Wanted)>,
    /// How further ones are looked up, if they are.
    pub lookups: Option<Arc<Lookups>>,
}

impl Known {
    /// What the connections of a home server are made with.
    fn of(&self, home: &Home) -> Option<(Arc<Trust>, Wanted)> {
        match home.tls() {
            Some(way) if way.realm.is_some() => {
                let lookups = self.lookups.as_ref()?;
                Some((Arc::clone(&lookups.trust), lookups.wanted(way)?))
            }
            Some(_) | None => self.tls.get(home.name()).cloned(),
        }
    }
}

/// What happens on sockets and connections.
enum Event {
    Datagram(Via, Vec<u8>),
    Opened(LinkId, Spoken),
    Packet(LinkId, Vec<u8>),
    /// With the reason.
    Closed(LinkId, String),
    /// What came of the look-up of a realm.
    Found(Box<str>, Found),
}

/// Runs the core; ends with its runtime, or with the packet loops.
pub async fn serve(
    sockets: Sockets,
    proxy: Proxy,
    homes: Homes,
    mut known: watch::Receiver<Arc<Known>>,
    clock: Clock,
) {
    let Homes {
        mut arrivals,
        mailboxes,
    } = homes;
    let (sender, mut events) = mpsc::channel(MAX_EVENTS);
    let mut tasks = JoinSet::new();
    sockets.read(&mut tasks, &sender);
    let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
    let mut front = Front {
        proxy,
        sockets,
        known: Arc::clone(&known.borrow_and_update()),
        streams: HashMap::new(),
        tasks,
        events: sender,
        resolver: resolver.ok(),
        is_failing: false,
        mailboxes,
    };
    front.configure(&clock);
    loop {
        front.proxy.handle_timeout(clock.now().monotonic);
        front.drain().await;
        let now = clock.now().monotonic;
        let timeout = front.proxy.poll_timeout().map(|at| now.until(at));
        let timer = async {
            match timeout {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            arrived = arrivals.recv() => match arrived {
                Some(forwarding) => front.proxy.handle_forward(clock.now().monotonic, forwarding),
                None => return,
            },
            Some(event) = events.recv() => front.take(&clock, event),
            Ok(()) = known.changed() => {
                front.known = Arc::clone(&known.borrow_and_update());
                front.configure(&clock);
            }
            Some(_) = front.tasks.join_next() => {}
            () = timer => {}
        }
    }
}

/// The core and what it acts through.
struct Front {
    proxy: Proxy,
    sockets: Sockets,
    known: Arc<Known>,
    /// The way to the task of each connection; dropping it ends the task when all is written.
    streams: HashMap<LinkId, mpsc::Sender<Vec<u8>>>,
    tasks: JoinSet<()>,
    events: mpsc::Sender<Event>,
    resolver: Option<TokioResolver>,
    is_failing: bool,
    mailboxes: Arc<[Arc<Mailbox>]>,
}

impl Front {
    /// Tells the core what is configured.
    fn configure(&mut self, clock: &Clock) {
        let known = &self.known;
        let lookups = known.lookups.as_ref();
        let discovery = lookups.map(|lookups| lookups.discovery.clone());
        self.proxy.handle_discovery(discovery);
        let now = clock.now().monotonic;
        self.proxy.handle_homes(now, &known.homes);
    }

    fn take(&mut self, clock: &Clock, event: Event) {
        let now = clock.now().monotonic;
        match event {
            Event::Datagram(via, octets) => self.proxy.handle_datagram(now, via, &octets),
            Event::Opened(link, spoken) => {
                if !self.proxy.handle_connected(now, link, spoken) {
                    self.streams.remove(&link);
                }
            }
            Event::Packet(link, octets) => {
                if self.streams.contains_key(&link) && !self.proxy.handle_packet(now, link, &octets)
                {
                    self.close(now, link, "what it sends is no RADIUS");
                }
            }
            Event::Closed(link, why) => {
                if self.streams.contains_key(&link) {
                    self.close(now, link, &why);
                }
            }
            Event::Found(realm, found) => self.proxy.handle_found(now, &realm, found),
        }
    }

    fn close(&mut self, now: crate::model::Monotonic, link: LinkId, why: &str) {
        self.streams.remove(&link);
        debug!(?link, why, "a connection to a home server has ended");
        self.proxy.handle_closed(now, link, why);
    }

    /// Does what the core wants done.
    async fn drain(&mut self) {
        while let Some(link) = self.proxy.poll_close() {
            self.streams.remove(&link);
        }
        while let Some(realm) = self.proxy.poll_lookup() {
            self.look_up(realm);
        }
        while let Some((link, home)) = self.proxy.poll_connect() {
            self.open(link, &home);
        }
        while let Some((via, octets)) = self.proxy.poll_transmit() {
            match via {
                Via::Udp { socket, to } => self.send(socket, to, &octets).await,
                Via::Tls(link) => {
                    // One that takes nothing in leaves its requests without an answer, and is closed
                    // for that.
                    if let Some(stream) = self.streams.get(&link) {
                        drop(stream.try_send(octets));
                    }
                }
            }
        }
        while let Some((worker, done)) = self.proxy.poll_done() {
            if let Some(mailbox) = self.mailboxes.get(usize::from(worker)) {
                mailbox.put_done(done);
                mailbox.ring_a_sleeper();
            }
        }
    }

    async fn send(&mut self, socket: u8, to: std::net::SocketAddr, octets: &[u8]) {
        let sent = self.sockets.send(socket, to, octets).await;
        // It is repeated like one that was lost on the way.
        let failed = sent.is_err();
        match sent {
            Err(error) if !self.is_failing => {
                warn!(home = %to, %error, "a request cannot be sent to a home server");
            }
            Ok(_) if self.is_failing => info!("requests can be sent to home servers again"),
            Ok(_) | Err(_) => {}
        }
        self.is_failing = failed;
    }

    fn look_up(&mut self, realm: Box<str>) {
        let events = self.events.clone();
        let lookups = self.known.lookups.clone();
        self.tasks.spawn(async move {
            let found = match lookups {
                Some(lookups) => lookups.find(&realm).await,
                None => Err(Nobody::for_now("discovery is switched off")),
            };
            if let Err(why) = &found {
                debug!(%realm, why = &*why.why, "no home server was found");
            }
            drop(events.send(Event::Found(realm, found)).await);
        });
    }

    fn open(&mut self, link: LinkId, home: &Arc<Home>) {
        let (packets, waiting) = mpsc::channel(MAX_UNWRITTEN);
        self.streams.insert(link, packets);
        let events = self.events.clone();
        let known = home.tls().cloned().zip(self.known.of(home));
        let Some((way, (trust, wanted))) = known else {
            let why = "a reload has taken it out".to_owned();
            self.tasks.spawn(async move {
                drop(events.send(Event::Closed(link, why)).await);
            });
            return;
        };
        let order = Order {
            link,
            way,
            trust,
            wanted,
            resolver: self.resolver.clone(),
        };
        self.tasks.spawn(stream::run(order, waiting, events));
    }
}

/// Events that wait for the core; beyond them connections are not read, and datagrams wait in the
/// kernel.
const MAX_EVENTS: usize = 1024;

/// Packets that wait for one home server to take them: all that can be under way on a connection of
/// RADIUS/1.1.
const MAX_UNWRITTEN: usize = 1024;

/// A name that a certificate can have; `None` for what is neither a DNS name nor an address.
pub fn server_name(name: &str) -> Option<ServerName<'static>> {
    ServerName::try_from(name.to_owned()).ok()
}
