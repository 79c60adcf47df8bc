//! What the rest of the gateway holds of the running feeds.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::inventory::Sighting;
use crate::inventory::Update;
use crate::inventory::UserReport;
use crate::inventory::WipeOrder;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::UserId;
use crate::sync::feed::Request;
use crate::sync::plan::Run;
use crate::sync::run::Message;
use crate::sync::status::Answered;
use crate::sync::status::State;
use crate::sync::status::Status;

/// Asks and tells the running feeds; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feeds: Vec<FeedHandle>,
    sender: mpsc::Sender<Message>,
    /// Bindings that found the queue full.
    dropped: AtomicU64,
    /// The number of the first request. It is taken from the clock, so that a number of before a
    /// restart is told from one of our own.
    first_number: u64,
    next_number: AtomicU64,
}

#[derive(Debug)]
pub(super) struct FeedHandle {
    pub(super) source: String,
    pub(super) status: watch::Receiver<Status>,
    pub(super) requests: mpsc::Sender<Request>,
    /// `None` for lists of users.
    pub(super) look_ups: Option<mpsc::Sender<Option<DeviceId>>>,
    /// Whether the start waits for its first run.
    pub(super) local: bool,
}

/// A mail device that has proved to be a known device of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The id that the mail client uses.
    pub eas: EasDeviceId,
    /// The user who uses it.
    pub user: UserId,
    /// The device it is.
    pub device: DeviceId,
}

/// What an administrator wants of a mail client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientOrder {
    /// It is to be wiped, or, with `None`, is not any more.
    Wipe {
        /// Its DeviceId.
        eas: EasDeviceId,
        /// Its user.
        user: Box<str>,
        /// Which order, and how far that is.
        wipe: Option<WipeOrder>,
        /// Who has ordered it, if that is new.
        by: Option<Box<str>>,
    },
    /// Its record is to be removed.
    Forget {
        /// Its DeviceId.
        eas: EasDeviceId,
        /// Its user.
        user: Box<str>,
    },
}

impl Handle {
    pub(super) fn new(
        feeds: Vec<FeedHandle>,
        sender: mpsc::Sender<Message>,
        first_number: u64,
    ) -> Self {
        Self(Arc::new(Shared {
            feeds,
            sender,
            dropped: AtomicU64::new(0),
            first_number,
            next_number: AtomicU64::new(first_number),
        }))
    }

    /// How every feed is doing, in the order of the configuration.
    #[must_use]
    pub fn status(&self) -> Vec<Status> {
        let feeds = self.0.feeds.iter();
        feeds.map(|feed| feed.status.borrow().clone()).collect()
    }

    /// Waits until the status of `feed` is as `wanted`; `None` when there is no such feed, or it
    /// is stopped.
    pub async fn wait_for(
        &self,
        feed: &str,
        wanted: impl FnMut(&Status) -> bool,
    ) -> Option<Status> {
        let mut feeds = self.0.feeds.iter();
        let found = feeds.find(|found| found.status.borrow().feed == feed)?;
        let mut status = found.status.clone();
        let reached = status.wait_for(wanted).await.ok()?;
        Some(reached.clone())
    }

    /// Waits until every local file has been tried once, well or not. Clouds are not waited for.
    pub async fn first_load(&self) {
        for feed in self.0.feeds.iter().filter(|feed| feed.local) {
            let mut status = feed.status.clone();
            // A feed whose task is gone will not become any better.
            let waited = status.wait_for(|status| status.state != State::Pending);
            drop(waited.await);
        }
    }

    /// Asks the feeds of `source`, or of all sources, for a run now. With `accept` the list that
    /// this run brings is taken however short it is. What comes of it: [`Handle::request`].
    ///
    /// # Errors
    ///
    /// When there is no such source, or it has too many requests waiting; nothing is asked then.
    pub fn sync_now(
        &self,
        source: Option<&str>,
        run: Run,
        accept: bool,
    ) -> Result<u64, SyncNowError> {
        let mut places = Vec::new();
        for feed in self.feeds_of(source) {
            let place = feed.requests.try_reserve();
            places.push(place.map_err(|_| SyncNowError::Busy(feed.source.clone()))?);
        }
        if let (Some(name), true) = (source, places.is_empty()) {
            return Err(SyncNowError::Unknown(name.to_owned(), self.sources()));
        }
        let number = self.0.next_number.fetch_add(1, Ordering::Relaxed);
        for place in places {
            place.send(Request {
                number,
                run,
                accept,
            });
        }
        Ok(number)
    }

    /// Has every list of devices bring what is new of one device at once: asked for alone where its
    /// source can be, with a quick run where it cannot or where nobody knows the device yet. Gives how
    /// many lists will; one that has enough of this to do already does not.
    pub fn look_up(&self, device: Option<DeviceId>) -> usize {
        let senders = self
            .0
            .feeds
            .iter()
            .filter_map(|feed| feed.look_ups.as_ref());
        senders
            .filter(|sender| sender.try_send(device).is_ok())
            .count()
    }

    /// The feeds that request `number` to `source` was sent to, each with its end if its run has
    /// ended; `None` when no such request has been made since the start.
    #[must_use]
    pub fn request(
        &self,
        source: Option<&str>,
        number: u64,
    ) -> Option<Vec<(Status, Option<Answered>)>> {
        let given = self.0.first_number..self.0.next_number.load(Ordering::Relaxed);
        if !given.contains(&number) {
            return None;
        }
        let feeds = self.feeds_of(source).map(|feed| {
            let status = feed.status.borrow().clone();
            let answered = status.answered.clone();
            // Requests are answered in their order, and a later one stands for the earlier.
            let answered = answered.filter(|answered| answered.number >= number);
            (status, answered)
        });
        Some(feeds.collect())
    }

    fn feeds_of(&self, source: Option<&str>) -> impl Iterator<Item = &FeedHandle> {
        let feeds = self.0.feeds.iter();
        feeds.filter(move |feed| source.is_none_or(|name| name == feed.source))
    }

    /// The names of all sources.
    fn sources(&self) -> String {
        let mut names: Vec<&str> = self.0.feeds.iter().map(|feed| &*feed.source).collect();
        names.dedup();
        names.join(", ")
    }

    /// Hands a learned binding to the inventory. `false` when the writer is too busy or gone: the
    /// binding is lost, counted, and learned again with the device's next request.
    #[must_use]
    pub fn bind_eas(&self, binding: Binding) -> bool {
        let sent = self.0.sender.try_send(Message::Bind(binding)).is_ok();
        if !sent {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sent
    }

    /// Hands over what the mail plane has seen; it is given back when the writer is too busy or gone.
    ///
    /// # Errors
    ///
    /// What could not be handed over.
    pub fn see(&self, sightings: Vec<Sighting>) -> Result<(), Vec<Sighting>> {
        match self.0.sender.try_reserve() {
            Ok(place) => {
                place.send(Message::See(sightings));
                Ok(())
            }
            Err(_) => Err(sightings),
        }
    }

    /// Hands over an order and waits until decisions see it; not to be called by a task. `false` when
    /// the writer is gone, or there is no such client and no room for one.
    #[must_use]
    pub fn order(&self, order: ClientOrder) -> bool {
        let (done, carried_out) = oneshot::channel();
        let sent = self.0.sender.blocking_send(Message::Order { order, done });
        sent.is_ok() && carried_out.blocking_recv().unwrap_or(false)
    }

    /// Hands over what a directory says of a user who logs in, and waits until decisions see it.
    /// `false` when the writer is gone, or knows as many sources as it can.
    ///
    /// It stands until the directory says something else of the user, or the gateway ends; no list
    /// ever removes it.
    pub async fn learn_user(&self, source: String, report: UserReport) -> bool {
        self.learn(source, Update::User(report)).await
    }

    /// Takes back what [`Handle::learn_user`] has handed over of the user with this own name.
    pub async fn forget_user(&self, source: String, user: UserId) -> bool {
        self.learn(source, Update::UserGone(user)).await
    }

    async fn learn(&self, source: String, update: Update) -> bool {
        let (done, learned) = oneshot::channel();
        let message = Message::Learn {
            source,
            update: Box::new(update),
            done,
        };
        self.0.sender.send(message).await.is_ok() && learned.await.is_ok()
    }

    /// How many bindings have been lost.
    #[must_use]
    pub fn dropped_bindings(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }
}

/// Why a run cannot be asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncNowError {
    /// No such source.
    #[error("no source is named {0}; there are {1}")]
    Unknown(String, String),
    /// Requests are waiting already, or the feeds are stopped.
    #[error("the source {0} has requests waiting already")]
    Busy(String),
}
