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
use tokio::task::JoinSet;

use crate::inventory::Change;
use crate::inventory::Origin;
use crate::inventory::Refused;
use crate::inventory::Sighting;
use crate::inventory::Update;
use crate::inventory::Writer;
use crate::model::SourceId;
use crate::sync::feed::Asked;
use crate::sync::feed::Feed;
use crate::sync::file::FileFeed;
use crate::sync::file::Kind;
use crate::sync::graph::DeviceFeed;
use crate::sync::graph::Earlier;
use crate::sync::graph::Graph;
use crate::sync::graph::GraphSetupError;
use crate::sync::graph::UserFeed;
use crate::sync::handle::Binding;
use crate::sync::handle::ClientOrder;
use crate::sync::handle::FeedHandle;
use crate::sync::handle::Handle;
use crate::sync::plan::Backoff;
use crate::sync::plan::Schedule;
use crate::sync::settings::Config;
use crate::sync::settings::FileConfig;
use crate::sync::settings::GraphConfig;
use crate::sync::source::Clock;
use crate::sync::source::Content;
use crate::sync::source::Source;
use crate::sync::status::Board;
use crate::sync::told::Told;

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
    let first_number = u64::try_from(clock.now().wall.unix_millis()).unwrap_or(0);
    let clock = clock.clone();
    let thread = std::thread::Builder::new()
        .name("inventory-writer".to_owned())
        .spawn(move || write(writer, receiver, &clock, on_change))
        .map_err(StartError::Thread)?;
    let handle = Handle::new(feeds, sender.clone(), first_number);
    let tasks = Tasks {
        feeds: tasks,
        watchers,
        sender,
        thread,
    };
    Ok((handle, tasks))
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
    /// What the mail plane has seen of its clients.
    See(Vec<Sighting>),
    /// What an administrator wants of a mail client; `done` learns whether it is so.
    Order {
        order: ClientOrder,
        done: oneshot::Sender<bool>,
    },
    /// What a directory says of a user who logs in; `done` learns that it is in the inventory.
    Learn {
        source: String,
        update: Box<Update>,
        done: oneshot::Sender<()>,
    },
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
            Message::See(sightings) => {
                let changes = writer.see(&sightings);
                if !changes.is_empty() {
                    on_change(&changes);
                }
            }
            Message::Order { order, done } => {
                let changes = match &order {
                    ClientOrder::Wipe {
                        eas,
                        user,
                        wipe,
                        by,
                    } => writer.order_wipe((eas, user), at, *wipe, by.as_deref()),
                    ClientOrder::Forget { eas, user } => writer.forget_client(eas, user),
                };
                if let Some(changes) = changes.as_ref().filter(|changes| !changes.is_empty()) {
                    on_change(changes);
                }
                // Whoever has given up waiting does not want to know.
                let _gone = done.send(changes.is_some());
            }
            Message::Learn {
                source,
                update,
                done,
            } => {
                let source = writer.name_source(&source);
                if source == SourceId::NONE {
                    // Dropping `done` says so.
                    continue;
                }
                let changes = writer.apply(source, at, vec![*update]);
                if !changes.is_empty() {
                    on_change(&changes);
                }
                // Whoever has given up waiting does not want to know.
                let _gone = done.send(());
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
            let earlier = self.earlier(&config.name, DEVICES);
            let source = DeviceFeed::new(Arc::clone(&graph), timing.overlap, earlier);
            let latency = timing.quick_interval;
            self.feed(&config.name, DEVICES, source, schedule, latency, None);
        }
        if config.users {
            let schedule = Schedule {
                full: timing.users_interval,
                quick: None,
                backoff: timing.backoff,
            };
            let earlier = self.earlier(&config.name, USERS);
            let source = UserFeed::new(graph, config.groups.clone(), earlier);
            let latency = timing.users_interval;
            self.feed(&config.name, USERS, source, schedule, latency, None);
        }
        Ok(())
    }

    fn earlier(&mut self, name: &str, list: &str) -> Earlier {
        Earlier {
            source: self.writer.name_source(&feed_name(name, list)),
            reader: self.writer.reader(),
        }
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
        let feed = feed_name(name, list);
        // A file is read in full whenever it is read.
        let kinds = (schedule.quick.is_some(), bell.is_some());
        let (board, status) = Board::new(&feed, latency, kinds, self.clock.now());
        let (requests, received) = mpsc::channel(MAX_REQUESTS);
        let (look_ups, looked_up) = mpsc::channel(MAX_LOOK_UPS);
        self.feeds.push(FeedHandle {
            source: name.to_owned(),
            status,
            requests,
            look_ups: (list == DEVICES).then_some(look_ups),
            local: bell.is_some(),
        });
        let feed = Feed {
            id: self.writer.name_source(&feed),
            source,
            board,
            clock: self.clock.clone(),
            writer: self.sender.clone(),
            requests: received,
            look_ups: looked_up,
            bell: bell.unwrap_or_default(),
            asked: Asked::default(),
            told: Told::default(),
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

impl Config {
    /// Every feed as the inventory is to know it, in order of precedence.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        let mut origins = Vec::new();
        let mut add = |name: &str, list: &str, place: String| {
            let name = feed_name(name, list);
            origins.push(Origin { name, place });
        };
        for file in &self.files {
            for (path, list) in [(&file.devices, DEVICES), (&file.users, USERS)] {
                let Some(path) = path else { continue };
                // Whatever folder the gateway is started in.
                let place = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                add(&file.name, list, place.display().to_string());
            }
        }
        for graph in &self.graphs {
            for (is_read, list) in [(graph.devices, DEVICES), (graph.users, USERS)] {
                if is_read {
                    add(
                        &graph.name,
                        list,
                        format!("{} {}", graph.tenant, graph.graph),
                    );
                }
            }
        }
        origins
    }
}

fn feed_name(source: &str, list: &str) -> String {
    format!("{source}/{list}")
}

const DEVICES: &str = "devices";
const USERS: &str = "users";

/// Deliveries wait for room, one for each feed; bindings that find none are dropped and counted.
/// A full inventory takes seconds to replace, in which a busy mail plane learns a few hundred.
const QUEUE: usize = 1024;

/// More requests than this mean that somebody holds a key down.
const MAX_REQUESTS: usize = 8;

/// Devices that wait to be looked up; of more than these the next run brings the news.
const MAX_LOOK_UPS: usize = 16;

/// A missing file is mostly one that is being replaced; a bad one is mended by a person.
const FILE_BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(1),
    cap: Duration::from_mins(5),
};
