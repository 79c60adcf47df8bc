//! Who knows passwords: the users file, and then the directories. What those say of a user's groups
//! goes into the inventory before the answer, so that decisions find all groups in one place.

use std::collections::HashMap;
use std::fmt;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::app::core::Core;
use crate::config;
use crate::config::Config;
use crate::directory;
use crate::directory::Directories;
use crate::directory::Found;
use crate::directory::Outcome;
use crate::directory::Question;
use crate::directory::Told;
use crate::directory::Users;
use crate::directory::Verification;
use crate::inventory::Reader;
use crate::inventory::UserReport;
use crate::model::GroupId;
use crate::model::Problem;
use crate::model::Proof;
use crate::model::UserId;
use crate::network::Answer;
use crate::network::Check;
use crate::network::Inquiry;
use crate::network::Passwords;
use crate::network::Why;
use crate::sync;

/// The users file and the directories, as the network plane asks them.
#[derive(Debug)]
pub(super) struct Book {
    users: Users,
    directories: Arc<Directories>,
    learner: Arc<Learner>,
}

impl Book {
    pub(super) fn new(users: Users, directories: Arc<Directories>, learner: Arc<Learner>) -> Self {
        Self {
            users,
            directories,
            learner,
        }
    }
}

impl Passwords for Book {
    /// Of a user whom a directory may have it is not known at once.
    fn knows(&self, user: &str) -> bool {
        self.users.knows(user) || self.directories.serves(user)
    }

    fn check(&self, user: &str, proof: &Proof<'_>) -> Check {
        let directories = &self.directories;
        if directories.is_empty() || self.users.knows(user) || !directories.serves(user) {
            return match self.users.verify(user, proof) {
                Verification::Immediate(Outcome::Accepted(key)) => Check::Accepted(key),
                Verification::Immediate(Outcome::Unsuited) => Check::Unsuited,
                Verification::Immediate(Outcome::Refused | Outcome::Unknown) => Check::Refused,
                Verification::Slow(job) => Check::Slow(Box::new(move || answer(job.run()))),
            };
        }
        let question = Question::of(proof).filter(|_| directories.can_check(user, proof));
        let Some(question) = question else {
            return Check::Unsuited;
        };
        let (directories, learner) = (Arc::clone(directories), Arc::clone(&self.learner));
        let user = user.to_owned();
        Check::Elsewhere(Inquiry::new(async move {
            match directories.ask(&user, &question).await {
                Told::Accepted(found) => learner.learn(&user, found).await,
                Told::Refused(why) => Answer::Refused(Why::new(&why)),
                Told::Unknown => Answer::refused(),
                Told::Unavailable(why) => Answer::Unavailable(Why::new(&why)),
            }
        }))
    }
}

fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Accepted(key) => Answer::Accepted(key),
        Outcome::Unsuited => Answer::Unsuited,
        Outcome::Refused | Outcome::Unknown => Answer::refused(),
    }
}

/// Brings what a directory says of a user into the inventory.
pub(super) struct Learner {
    sources: sync::Handle,
    reader: Reader,
    /// A hash of what was told last of each user, so that it is told again only when it differs.
    told: Mutex<HashMap<UserId, u64>>,
    hasher: RandomState,
}

impl fmt::Debug for Learner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Learner").finish_non_exhaustive()
    }
}

impl Learner {
    pub(super) fn new(core: &Core) -> Arc<Self> {
        Arc::new(Self {
            sources: core.sources.clone(),
            reader: core.point.reader().clone(),
            told: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    async fn learn(&self, login: &str, found: Found) -> Answer {
        let Found {
            key,
            name,
            groups: Some(groups),
            directory,
        } = found
        else {
            return Answer::Accepted(found.key);
        };
        let unavailable = |why| Answer::Unavailable(Why::new(why));
        let Some(login) = UserId::parse(login) else {
            return Answer::refused();
        };
        let now = self.hasher.hash_one((&directory, &name, groups.as_slice()));
        let before = self.told().get(&login).copied();
        if before != Some(now) || !self.has(&login, &groups) {
            let mut report = UserReport::new(self.own_name(&login, name));
            report.groups.clone_from(&groups);
            if report.user != login {
                report.aliases = vec![login.clone()];
            }
            let source = format!("directory/{directory}");
            let learning = self.sources.learn_user(source, report);
            if !tokio::time::timeout(LEARNING, learning)
                .await
                .unwrap_or(false)
            {
                return unavailable(
                    "the inventory cannot take the user's groups: it is busy, or has no room",
                );
            }
            // The name may be two users' alias, or the table full: then decisions miss the groups.
            if !self.has(&login, &groups) {
                return unavailable("the inventory does not find the user's groups by this name");
            }
            let mut told = self.told();
            if told.len() >= MAX_TOLD {
                told.clear();
            }
            told.insert(login, now);
        }
        Answer::Accepted(key)
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

    fn told(&self) -> std::sync::MutexGuard<'_, HashMap<UserId, u64>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `directory.toml`; without it there are no directories.
pub(super) fn load(config: &Config) -> Result<(directory::Config, Vec<Problem>), Vec<Problem>> {
    if !config.folder.join(FILE).exists() {
        return Ok((directory::Config::default(), Vec::new()));
    }
    let (file, text) = config::open(&config.folder, FILE).map_err(|problem| vec![problem])?;
    directory::parse(&file, &config.folder, &text)
}

const FILE: &str = "directory.toml";

/// The inventory's writer takes seconds for a list of a million devices; a NAS has asked again by then.
const LEARNING: Duration = Duration::from_secs(5);

/// Users of whom it is remembered what was told, a hundred octets each: beyond, all are told anew.
const MAX_TOLD: usize = 100_000;
