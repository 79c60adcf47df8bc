//! The tasks of this room.
//!
//! - One task for each feed: waits for its plan, runs its source, hands over what it brought. It
//!   owns the source and all that it remembers. It ends when [`Tasks`] is dropped or stopped;
//!   aborting it is safe, because a delivery is handed over in one piece or not at all.
//! - One thread, `inventory-writer`, owns the inventory's [`Writer`] and the caller's `on_change`.
//!   It is a thread and not a task because replacing a million devices keeps it busy for seconds.
//!   It ends with [`Tasks::stop`], after what is in its queue.
//! - `notify` has a thread of its own for watched folders; it only rings a bell.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use notify::EventKind;
use notify::RecommendedWatcher;
use notify::RecursiveMode;
use notify::Watcher;
use notify::event::AccessKind;
use notify::event::AccessMode;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::inventory::Change;
use crate::inventory::Refused;
use crate::inventory::Writer;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::model::SourceId;
use crate::model::UserId;
use crate::sync::feed::Feed;
use crate::sync::feed::Request;
use crate::sync::file::FileFeed;
use crate::sync::file::Kind;
use crate::sync::graph::DeviceFeed;
use crate::sync::graph::Graph;
use crate::sync::graph::GraphSetupError;
use crate::sync::graph::UserFeed;
use crate::sync::plan::Backoff;
use crate::sync::plan::Run;
use crate::sync::plan::Schedule;
use crate::sync::settings::Config;
use crate::sync::settings::FileConfig;
use crate::sync::settings::GraphConfig;
use crate::sync::source::Clock;
use crate::sync::source::Content;
use crate::sync::source::Source;
use crate::sync::status::Board;
use crate::sync::status::State;
use crate::sync::status::Status;

/// Starts all feeds. Must be called inside a Tokio runtime.
///
/// `on_change` is called on the writer's thread with what each batch altered, before the next one
/// is applied.
///
/// # Errors
///
/// When a source cannot be set up, or the thread cannot be started. Files and servers that do not
/// answer are no errors here: they show in the status.
pub fn start(
    config: &Config,
    mut writer: Writer,
    clock: &Clock,
    on_change: impl FnMut(&[Change]) + Send + 'static,
) -> Result<(Handle, Tasks), StartError> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let mut starter = Starter {
        clock: clock.clone(),
        sender,
        writer: &mut writer,
        tasks: JoinSet::new(),
        watchers: Vec::new(),
        feeds: Vec::new(),
    };
    for file in &config.files {
        starter.file(file);
    }
    for graph in &config.graphs {
        starter.graph(graph)?;
    }
    let Starter {
        sender,
        tasks,
        watchers,
        feeds,
        ..
    } = starter;
    let clock = clock.clone();
    let thread = std::thread::Builder::new()
        .name("inventory-writer".to_owned())
        .spawn(move || write(writer, receiver, &clock, on_change))
        .map_err(StartError::Thread)?;
    let handle = Handle(Arc::new(Shared {
        feeds,
        sender: sender.clone(),
        dropped: AtomicU64::new(0),
    }));
    let tasks = Tasks {
        feeds: tasks,
        watchers,
        sender,
        thread,
    };
    Ok((handle, tasks))
}

/// Asks and tells the running feeds; cheap to clone.
#[derive(Clone, Debug)]
pub struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feeds: Vec<FeedHandle>,
    sender: mpsc::Sender<Message>,
    /// Bindings that found the queue full.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct FeedHandle {
    source: String,
    status: watch::Receiver<Status>,
    requests: mpsc::Sender<Request>,
    /// Whether the start waits for its first run.
    local: bool,
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

impl Handle {
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

    /// Asks the feeds of `source`, or of all sources, for a run now; says how many. With `force`
    /// the next complete list is taken however short it is.
    ///
    /// # Errors
    ///
    /// When there is no such source, or it has too many requests waiting.
    pub fn sync_now(
        &self,
        source: Option<&str>,
        run: Run,
        force: bool,
    ) -> Result<usize, SyncNowError> {
        let meant = |feed: &&FeedHandle| source.is_none_or(|name| name == feed.source);
        let mut asked = 0;
        for feed in self.0.feeds.iter().filter(meant) {
            let request = Request { run, force };
            let sent = feed.requests.try_send(request);
            sent.map_err(|_| SyncNowError::Busy(feed.source.clone()))?;
            asked += 1;
        }
        match source {
            Some(name) if asked == 0 => Err(SyncNowError::Unknown(name.to_owned())),
            Some(_) | None => Ok(asked),
        }
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
    #[error("no source is named {0}")]
    Unknown(String),
    /// Requests are waiting already, or the feeds are stopped.
    #[error("the source {0} has requests waiting already")]
    Busy(String),
}

/// Owns the tasks; dropping it stops them.
#[derive(Debug)]
pub struct Tasks {
    feeds: JoinSet<()>,
    watchers: Vec<RecommendedWatcher>,
    sender: mpsc::Sender<Message>,
    thread: JoinHandle<()>,
}

impl Tasks {
    /// Stops the feeds, lets the writer finish its queue, and waits for it.
    pub async fn stop(mut self) {
        self.watchers.clear();
        self.feeds.shutdown().await;
        // Fails when the thread is gone, and then there is nothing to stop.
        drop(self.sender.send(Message::Stop).await);
        let thread = self.thread;
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the inventory's writer ended by a panic");
        }
    }
}

/// Why the feeds cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A Graph source is not usable as configured.
    #[error("source {name}: {source}")]
    Graph {
        /// The source.
        name: String,
        /// Why.
        source: GraphSetupError,
    },
    /// No thread for the writer.
    #[error("cannot start the writer's thread")]
    Thread(#[source] std::io::Error),
}

/// What the writer's thread is sent.
#[derive(Debug)]
pub(super) enum Message {
    /// Something that a feed brought; `done` learns what became of it.
    Deliver {
        source: SourceId,
        content: Content,
        done: oneshot::Sender<Result<usize, Refused>>,
    },
    Bind(Binding),
    Stop,
}

fn write(
    mut writer: Writer,
    mut receiver: mpsc::Receiver<Message>,
    clock: &Clock,
    mut on_change: impl FnMut(&[Change]),
) {
    while let Some(message) = receiver.blocking_recv() {
        let at = clock.now().wall;
        match message {
            Message::Deliver {
                source,
                content,
                done,
            } => {
                let changes = match content {
                    Content::Complete(all) => writer.replace(source, at, all),
                    Content::Delta(updates) => Ok(writer.apply(source, at, updates)),
                };
                let outcome = changes.map(|changes| {
                    if !changes.is_empty() {
                        on_change(&changes);
                    }
                    changes.len()
                });
                // A feed that was stopped meanwhile does not want to know.
                drop(done.send(outcome));
            }
            Message::Bind(Binding { eas, user, device }) => {
                let changes = writer.bind(eas, user.as_str(), device, at);
                if !changes.is_empty() {
                    on_change(&changes);
                }
            }
            Message::Stop => break,
        }
    }
}

struct Starter<'a> {
    clock: Clock,
    sender: mpsc::Sender<Message>,
    writer: &'a mut Writer,
    tasks: JoinSet<()>,
    watchers: Vec<RecommendedWatcher>,
    feeds: Vec<FeedHandle>,
}

impl Starter<'_> {
    fn file(&mut self, config: &FileConfig) {
        let schedule = Schedule {
            full: config.reload_interval,
            quick: Some(config.look_interval),
            backoff: FILE_BACKOFF,
        };
        let files = [
            (&config.devices, Kind::Devices, DEVICES),
            (&config.users, Kind::Users, USERS),
        ];
        for (path, kind, list) in files {
            let Some(path) = path else { continue };
            let bell = Arc::new(Notify::new());
            self.watchers.extend(watch_folder_of(path, &bell));
            let source = FileFeed::new(config.name.clone(), path.clone(), kind, config.tolerance);
            // A change is felt with the next look, when watching does not work.
            let latency = config.look_interval;
            self.feed(&config.name, list, source, schedule, latency, Some(bell));
        }
    }

    fn graph(&mut self, config: &GraphConfig) -> Result<(), StartError> {
        let graph = Graph::new(config).map_err(|source| StartError::Graph {
            name: config.name.clone(),
            source,
        })?;
        let timing = config.timing;
        if config.devices {
            let schedule = Schedule {
                full: timing.full_interval,
                quick: Some(timing.quick_interval),
                backoff: timing.backoff,
            };
            let source = DeviceFeed::new(Arc::clone(&graph), timing.overlap);
            let latency = timing.quick_interval;
            self.feed(&config.name, DEVICES, source, schedule, latency, None);
        }
        if config.users {
            let schedule = Schedule {
                full: timing.users_interval,
                quick: None,
                backoff: timing.backoff,
            };
            let source = UserFeed::new(graph, config.groups.clone());
            let latency = timing.users_interval;
            self.feed(&config.name, USERS, source, schedule, latency, None);
        }
        Ok(())
    }

    fn feed<S: Source>(
        &mut self,
        name: &str,
        list: &str,
        source: S,
        schedule: Schedule,
        latency: Duration,
        bell: Option<Arc<Notify>>,
    ) {
        let feed = format!("{name}/{list}");
        let (board, status) = Board::new(&feed, latency);
        let (requests, received) = mpsc::channel(MAX_REQUESTS);
        self.feeds.push(FeedHandle {
            source: name.to_owned(),
            status,
            requests,
            local: bell.is_some(),
        });
        let feed = Feed {
            id: self.writer.name_source(&feed),
            source,
            board,
            clock: self.clock.clone(),
            writer: self.sender.clone(),
            requests: received,
            bell: bell.unwrap_or_default(),
            force: false,
            name: feed,
        };
        self.tasks.spawn(feed.run(schedule));
    }
}

/// Rings `bell` when something changes in the folder of `path`: editors and tools replace files
/// by renaming, so watching the file itself would watch the old one.
fn watch_folder_of(path: &Path, bell: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let ring = Arc::clone(bell);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let read_only = event.is_ok_and(|event| match event.kind {
            // Our own reading must not wake us.
            EventKind::Access(kind) => kind != AccessKind::Close(AccessMode::Write),
            EventKind::Any
            | EventKind::Create(_)
            | EventKind::Modify(_)
            | EventKind::Remove(_)
            | EventKind::Other => false,
        });
        if !read_only {
            ring.notify_one();
        }
    });
    let watched = watcher.and_then(|mut watcher| {
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    watched
        .inspect_err(|error| {
            tracing::warn!(folder = %folder.display(), %error, "not watched, only looked at");
        })
        .ok()
}

const DEVICES: &str = "devices";
const USERS: &str = "users";

/// Deliveries wait for room, one for each feed; bindings that find none are dropped and counted.
/// A full inventory takes seconds to replace, in which a busy mail plane learns a few hundred.
const QUEUE: usize = 1024;

/// More requests than this mean that somebody holds a key down.
const MAX_REQUESTS: usize = 8;

/// A missing file is mostly one that is being replaced; a bad one is mended by a person.
const FILE_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    cap: Duration::from_mins(5),
};
