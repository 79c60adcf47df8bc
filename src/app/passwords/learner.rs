//! Brings what directories say of users into the inventory, and remembers when they said it.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::app::core::Core;
use crate::directory::Found;
use crate::inventory::Reader;
use crate::inventory::UserReport;
use crate::model::GroupId;
use crate::model::Monotonic;
use crate::model::Timestamp;
use crate::model::UserId;
use crate::net::Clock;
use crate::network::Answer;
use crate::network::Why;
use crate::sync;

/// Outlives the directories, which a reload may build anew.
pub(in crate::app) struct Learner {
    sources: sync::Handle,
    reader: Reader,
    clock: Clock,
    told: Mutex<HashMap<UserId, Told>>,
    /// What is written down under another number was said by directories of before a reload.
    epoch: AtomicU64,
    hasher: RandomState,
}

/// What was said last of a user.
#[derive(Clone, Debug)]
struct Told {
    at: Monotonic,
    epoch: u64,
    /// `None` if no directory knows the name.
    known: Option<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Of all that was said, so that it is told again only when it differs.
    hash: u64,
    source: String,
    /// The name under which the inventory has the user.
    user: UserId,
    /// When the inventory was told last.
    stated: Monotonic,
}

impl fmt::Debug for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learner").finish_non_exhaustive()
    }
}

impl Learner {
    pub(in crate::app) fn new(core: &Core) -> Arc<Self> {
        Arc::new(Self {
            sources: core.sources.clone(),
            reader: core.point.reader().clone(),
            clock: core.clock,
            told: Mutex::default(),
            epoch: AtomicU64::new(0),
            hasher: RandomState::new(),
        })
    }

    /// What is known of users.
    pub(super) const fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Other directories are in force, or the same ones asked in another way: everybody is looked up
    /// again.
    pub(in crate::app) fn begin_anew(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the directories in force have said something of the name in this last time, be it that
    /// they do not know it.
    pub(super) fn is_fresh(&self, login: &str, within: Duration) -> bool {
        let epoch = self.epoch.load(Ordering::Relaxed);
        self.is_told(login, within, |told| told.epoch == epoch)
    }

    /// Whether they have, or those of before a reload or a restart.
    pub(super) fn remembers(&self, login: &str, within: Duration) -> bool {
        let recalled = || {
            let (_, at) = self.recall(&UserId::parse(login)?)?;
            Some(self.clock.now().wall.since(at) < within)
        };
        self.is_told(login, within, |_| true) || recalled().unwrap_or(false)
    }

    fn is_told(&self, login: &str, within: Duration, counts: impl Fn(&Told) -> bool) -> bool {
        let Some(login) = UserId::parse(login) else {
            return false;
        };
        let now = self.clock.now().monotonic;
        let told = self.told();
        told.get(&login)
            .is_some_and(|told| now.since(told.at) < within && counts(told))
    }

    /// What a directory has said of the user before this start, as far as the inventory has it, and
    /// when.
    fn recall(&self, login: &UserId) -> Option<(Known, Timestamp)> {
        let said = self.reader.said_of_user(login.as_str()).into_iter();
        let mut said = said.filter(|(source, ..)| source.starts_with(SOURCE));
        let (source, user, at) = said.next()?;
        let known = Known {
            // It is told again in any case.
            hash: 0,
            source,
            user,
            stated: Monotonic::default(),
        };
        Some((known, at))
    }

    /// What was said last of the user.
    fn before(&self, login: &UserId) -> Option<Known> {
        let told = self.told().get(login).cloned();
        match told {
            Some(told) => told.known,
            None => self.recall(login).map(|(known, _)| known),
        }
    }

    /// Puts what a directory says of a user into the inventory, and waits until decisions see it.
    pub(super) async fn learn(&self, login: &str, found: Found) -> Answer {
        let Found {
            key,
            name,
            groups: Some(groups),
            directory,
        } = found
        else {
            return Answer::Accepted(found.key);
        };
        let Some(login) = UserId::parse(login) else {
            return Answer::refused();
        };
        let epoch = self.epoch.load(Ordering::Relaxed);
        let source = source_of(&directory);
        let hash = self.hasher.hash_one((&directory, &name, groups.as_slice()));
        let now = self.clock.now().monotonic;
        let before = self.before(&login);
        let known = match before {
            Some(before)
                if before.hash == hash
                    && now.since(before.stated) < STATED
                    && self.has(&login, &groups) =>
            {
                before
            }
            before => {
                let user = self.own_name(&login, name);
                if let Some(before) = before
                    && (before.source != source || before.user != user)
                    && !self.forget(before).await
                {
                    return unavailable(BUSY);
                }
                let mut report = UserReport::new(user.clone());
                report.groups.clone_from(&groups);
                if report.user != login {
                    report.aliases = vec![login.clone()];
                }
                let learning = self.sources.learn_user(source.clone(), report);
                if !in_time(learning).await {
                    return unavailable(BUSY);
                }
                // The name may be two users' alias, or the table full: then decisions miss the groups.
                if !self.has(&login, &groups) {
                    return unavailable(
                        "the inventory does not find the user's groups by this name",
                    );
                }
                Known {
                    hash,
                    source,
                    user,
                    stated: now,
                }
            }
        };
        self.note(login, epoch, Some(known));
        Answer::Accepted(key)
    }

    /// No directory knows the name, or no longer: what one has said before counts no more.
    pub(super) async fn unlearn(&self, login: &str) -> Answer {
        let Some(login) = UserId::parse(login) else {
            return Answer::Accepted(None);
        };
        let epoch = self.epoch.load(Ordering::Relaxed);
        if let Some(before) = self.before(&login)
            && !self.forget(before).await
        {
            return unavailable(BUSY);
        }
        self.note(login, epoch, None);
        Answer::Accepted(None)
    }

    async fn forget(&self, known: Known) -> bool {
        in_time(self.sources.forget_user(known.source, known.user)).await
    }

    fn note(&self, login: UserId, epoch: u64, known: Option<Known>) {
        let at = self.clock.now().monotonic;
        let mut told = self.told();
        if told.len() >= MAX_TOLD && !told.contains_key(&login) {
            told.clear();
        }
        told.insert(login, Told { at, epoch, known });
    }

    /// The name under which the inventory has the user, or is to have it.
    fn own_name(&self, login: &UserId, name: Option<UserId>) -> UserId {
        let known = |name: &UserId| {
            let entry = self.reader.user(name.as_str())?;
            self.reader.user_name(entry.user).cloned()
        };
        known(login)
            .or_else(|| name.as_ref().and_then(known))
            .or(name)
            .unwrap_or_else(|| login.clone())
    }

    /// Whether a decision about the user sees all these groups.
    fn has(&self, login: &UserId, groups: &[GroupId]) -> bool {
        self.reader.user(login.as_str()).is_some_and(|entry| {
            let known = self.reader.groups(entry.groups);
            let has = |group| known.binary_search(group).is_ok();
            entry.listed && groups.iter().all(has)
        })
    }

    fn told(&self) -> MutexGuard<'_, HashMap<UserId, Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn in_time(learning: impl Future<Output = bool>) -> bool {
    tokio::time::timeout(LEARNING, learning)
        .await
        .unwrap_or(false)
}

fn unavailable(why: &str) -> Answer {
    Answer::Unavailable(Why::new(why))
}

/// The source that a directory is in the inventory.
pub(super) fn source_of(directory: &str) -> String {
    format!("{SOURCE}{directory}")
}

const SOURCE: &str = "directory/";

/// How old the time may be with which the inventory has what a directory says over and over: a restart
/// has no other.
const STATED: Duration = Duration::from_hours(1);

const BUSY: &str = "the inventory cannot take the user's groups: it is busy, or has no room";

/// The inventory's writer takes seconds for a list of a million devices; a NAS has asked again by then.
const LEARNING: Duration = Duration::from_secs(5);

/// Users of whom it is remembered what was told, some two hundred octets each: beyond, all are told anew.
const MAX_TOLD: usize = 100_000;
