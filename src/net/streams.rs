//! Between TLS connections and packet loops: packets one way, replies the other.
//!
//! A connection belongs to one loop, as a NAS's port does over UDP. Its packets wait in that loop's
//! mailbox; replies are added to the connection's own octets, from which its task writes. Nobody
//! waits for anybody but the task of a connection whose loop is behind, which then reads no more
//! and so slows its NAS down.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use dashmap::DashMap;
use dashmap::Entry;
use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

use crate::net::pool::Mailbox;
use crate::radius::Nas;

/// What a connection has for its packet loop.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) from: SocketAddr,
    pub(super) what: Brought,
    /// Given back when the loop has taken it in.
    _place: OwnedSemaphorePermit,
}

/// What is in it.
#[derive(Debug)]
pub(super) enum Brought {
    /// A packet of this device.
    Packet(Arc<Nas>, Box<[u8]>),
    /// There is no connection from there any more.
    End,
}

/// What connections have for the client of dynamic authorization.
#[derive(Debug)]
pub(super) enum Told {
    /// A packet that looks like the answer to a Disconnect- or CoA-Request.
    Answer(Arc<Nas>, Box<[u8]>),
    /// A connection of this device has ended.
    Gone(Arc<Nas>),
}

/// The connections that are open, and the way to the packet loops.
pub struct Streams {
    mailboxes: Arc<[Arc<Mailbox>]>,
    /// For each loop: how many more packets it may have waiting.
    places: Box<[Arc<Semaphore>]>,
    links: DashMap<SocketAddr, Arc<Link>>,
    open: AtomicUsize,
    told: OnceLock<mpsc::Sender<Told>>,
    /// Answers to Disconnect-Requests that found no place.
    pub(super) untold: AtomicU64,
    /// Replies for connections that are gone, or take nothing in.
    pub(super) undelivered: AtomicU64,
}

impl Streams {
    /// Of a gateway to which nobody comes over TLS.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Self::new(&Arc::from([]))
    }

    pub(super) fn new(mailboxes: &Arc<[Arc<Mailbox>]>) -> Arc<Self> {
        Arc::new(Self {
            mailboxes: Arc::clone(mailboxes),
            places: mailboxes
                .iter()
                .map(|_| Arc::new(Semaphore::new(MAX_FRAMES)))
                .collect(),
            links: DashMap::new(),
            open: AtomicUsize::new(0),
            told: OnceLock::new(),
            untold: AtomicU64::new(0),
            undelivered: AtomicU64::new(0),
        })
    }

    /// How many connections are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Whether no connection is open: what a loop asks before it looks for replies to them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A connection of `nas` from there is open; `None` if one is already, to another of our
    /// addresses: replies would not know their way.
    pub(super) fn open(&self, from: SocketAddr, nas: &Arc<Nas>) -> Option<Arc<Link>> {
        let Entry::Vacant(place) = self.links.entry(from) else {
            return None;
        };
        let link = Arc::new(Link {
            from,
            nas: Mutex::new(Arc::clone(nas)),
            pending: Mutex::default(),
            bell: Notify::new(),
        });
        place.insert(Arc::clone(&link));
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(link)
    }

    /// The connection has ended.
    pub(super) async fn end(&self, link: &Link) {
        self.forget(link);
        if let Some(place) = self.place(link.from).await {
            self.put(link.from, Brought::End, place);
        }
        self.tell(Told::Gone(link.nas()));
    }

    /// Takes it out of the list; also for one whose task was aborted.
    fn forget(&self, link: &Link) {
        let own = |_: &SocketAddr, listed: &Arc<Link>| std::ptr::eq(&**listed, link);
        if self.links.remove_if(&link.from, own).is_some() {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Gives a packet to the connection's loop; waits while that has too many.
    pub(super) async fn deliver(&self, link: &Link, packet: &[u8]) {
        if let Some(place) = self.place(link.from).await {
            let brought = Brought::Packet(link.nas(), packet.into());
            self.put(link.from, brought, place);
        }
    }

    async fn place(&self, from: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let places = self.places.get(self.loop_of(from))?;
        // Nobody closes a semaphore.
        Arc::clone(places).acquire_owned().await.ok()
    }

    fn put(&self, from: SocketAddr, what: Brought, place: OwnedSemaphorePermit) {
        if let Some(mailbox) = self.mailboxes.get(self.loop_of(from)) {
            let frame = Frame {
                from,
                what,
                _place: place,
            };
            // Never refused: there are as many places as the mailbox has room for.
            drop(mailbox.put_frame(frame));
        }
    }

    fn loop_of(&self, from: SocketAddr) -> usize {
        usize::from(from.port()) % self.mailboxes.len().max(1)
    }

    /// Adds a reply to what a connection has to write.
    pub(super) fn send(&self, to: SocketAddr, packet: &[u8]) {
        let sent = self.links.get(&to).is_some_and(|link| link.push(packet));
        if !sent {
            self.undelivered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a request of ours on a connection of the device called `name`; `false` if it has none.
    pub(super) fn send_to(&self, name: &str, packet: &[u8]) -> bool {
        let mut links = self.links.iter().filter(|link| link.nas().name() == name);
        links.any(|link| link.push(packet))
    }

    /// Closes the connection from there: what came over it cannot be believed.
    pub(super) fn close(&self, from: SocketAddr) {
        if let Some(link) = self.links.get(&from) {
            link.close();
        }
    }

    /// Says who wants to hear of answers; the first one stays.
    pub(super) fn listen(&self) -> mpsc::Receiver<Told> {
        let (sender, receiver) = mpsc::channel(MAX_TOLD);
        drop(self.told.set(sender));
        receiver
    }

    pub(super) fn tell(&self, told: Told) {
        let full = self
            .told
            .get()
            .is_some_and(|listener| listener.try_send(told).is_err());
        if full {
            self.untold.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How many there are, and not whose.
impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("open", &self.len())
            .finish_non_exhaustive()
    }
}

/// One connection as others see it.
#[derive(Debug)]
pub(super) struct Link {
    from: SocketAddr,
    /// A reload can replace it.
    nas: Mutex<Arc<Nas>>,
    pending: Mutex<Pending>,
    bell: Notify,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) octets: Vec<u8>,
    /// Nothing more is to be written after that.
    pub(super) closed: bool,
}

impl Link {
    /// Whose it is.
    pub(super) fn nas(&self) -> Arc<Nas> {
        Arc::clone(&self.nas.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_nas(&self, nas: &Arc<Nas>) {
        *self.nas.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(nas);
    }

    /// Adds a packet. A peer that lets too many lie loses its connection, and the replies with it.
    fn push(&self, packet: &[u8]) -> bool {
        let mut pending = self.pending();
        if pending.closed || pending.octets.len().saturating_add(packet.len()) > MAX_PENDING {
            pending.closed = true;
        } else {
            pending.octets.extend_from_slice(packet);
        }
        let pushed = !pending.closed;
        drop(pending);
        self.bell.notify_one();
        pushed
    }

    /// Has its task close it.
    pub(super) fn close(&self) {
        self.pending().closed = true;
        self.bell.notify_one();
    }

    /// What is to be written next; waits until there is something.
    pub(super) async fn next(&self) -> Pending {
        loop {
            let taken = {
                let mut pending = self.pending();
                let closed = pending.closed;
                let octets = std::mem::take(&mut pending.octets);
                Pending { octets, closed }
            };
            if taken.closed || !taken.octets.is_empty() {
                return taken;
            }
            self.bell.notified().await;
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open connection of the list; dropping it, however that comes about, takes it out.
#[derive(Debug)]
pub(super) struct Listed<'s>(&'s Streams, Arc<Link>);

impl<'s> Listed<'s> {
    pub(super) fn new(streams: &'s Streams, link: Arc<Link>) -> Self {
        Self(streams, link)
    }
}

impl std::ops::Deref for Listed<'_> {
    type Target = Arc<Link>;

    fn deref(&self) -> &Arc<Link> {
        &self.1
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.forget(&self.1);
    }
}

/// Packets of all connections that wait for one loop: a loop takes that many in some 10 ms, and
/// what waits longer is better left in the kernel, where it slows its sender down.
pub(super) const MAX_FRAMES: usize = 1024;

/// Octets that wait for one peer to take them: 256 requests may be under way on a connection
/// (RFC 6613 section 2.6.1), and no answer is longer than 4,096 octets.
const MAX_PENDING: usize = 256 * 4096;

/// Answers that wait for the client of dynamic authorization, which sends a thousand requests a
/// second at most.
const MAX_TOLD: usize = 1024;
