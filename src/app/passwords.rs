//! Who knows passwords: the users file, and then the directories; those are asked for the groups of
//! certificates too. What they say goes into the inventory before the answer (`learner`), so that decisions
//! find all groups in one place.

use std::sync::Arc;

use crate::config;
use crate::config::Config;
use crate::directory;
use crate::directory::Certificates;
use crate::directory::Directories;
use crate::directory::Outcome;
use crate::directory::Password;
use crate::directory::Question;
use crate::directory::Told;
use crate::directory::Users;
use crate::directory::Verification;
use crate::eap::Principal;
use crate::inventory::Origin;
use crate::model::Problem;
use crate::model::Proof;
use crate::model::ProofKind;
use crate::network::Answer;
use crate::network::Check;
use crate::network::Inquiry;
use crate::network::LookUp;
use crate::network::Passwords;
use crate::network::Why;

mod learner;

pub(super) use learner::Learner;

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

    /// What the file has of a user: by the name as it is, else by another name that the inventory has of
    /// the same user, such as an alias of users.csv.
    fn find(&self, name: &str) -> Option<&Password> {
        self.users.find(name).or_else(|| {
            let same = self.learner.reader().user(name)?.user;
            let own = self.learner.reader().user_name(same)?.as_str();
            let is_same = |other: &str| {
                let other = self.learner.reader().user(other);
                other.is_some_and(|other| other.user == same)
            };
            (self.users.find(own))
                .or_else(|| self.users.find_account(name, is_same))
                .or_else(|| self.users.find_account(own, is_same))
        })
    }

    /// What the file has of a user, if the file is asked: who is not in it may be in a directory.
    fn in_file(&self, name: &str) -> Option<Option<&Password>> {
        let found = self.find(name);
        let elsewhere = found.is_none() && self.directories.serves(name);
        (!elsewhere).then_some(found)
    }

    /// Looks the groups of a name up that are not known, or no longer.
    fn inquiry(&self, name: &str, wanted: Certificates) -> Option<Inquiry> {
        let (fresh, kept) = self.directories.groups_count_for();
        if self.learner.is_fresh(name, fresh) {
            return None;
        }
        let (directories, learner) = (Arc::clone(&self.directories), Arc::clone(&self.learner));
        let name = name.to_owned();
        Some(Inquiry::new(async move {
            let answer = match directories.look_up(&name).await {
                Told::Accepted(found) => learner.learn(&name, found).await,
                Told::Refused(why) => Answer::Refused(Why::new(&why)),
                Told::Unknown => learner.unlearn(&name).await,
                Told::Unavailable(why) => Answer::Unavailable(Why::new(&why)),
            };
            match answer {
                Answer::Unavailable(_)
                    if wanted == Certificates::Prefer || learner.remembers(&name, kept) =>
                {
                    Answer::Accepted(None)
                }
                answer @ (Answer::Accepted(_)
                | Answer::Refused(_)
                | Answer::Unsuited
                | Answer::Unavailable(_)) => answer,
            }
        }))
    }
}

impl Passwords for Book {
    /// Of a user whom a directory may have it is not known at once.
    fn knows(&self, user: &str) -> bool {
        self.find(user).is_some() || self.directories.serves(user)
    }

    fn stamp(&self, user: &str) -> u64 {
        self.find(user).map_or(0, Password::stamp)
    }

    fn look_up(&self, principal: &Principal) -> LookUp {
        let machine = match (principal.user(), principal.certificate()) {
            (None, Some(certificate)) if self.directories.look_up_certificates() => {
                let name = certificate.dns_names.first();
                name.map(|name| Arc::from(Directories::machine_name(name)))
            }
            _ => None,
        };
        let Some(name) = principal.user().or(machine.as_deref()) else {
            return LookUp::default();
        };
        // A user of the file who resumes a tunnel is in no directory.
        let wanted = if principal.is_by_password() && self.find(name).is_some() {
            Certificates::Off
        } else {
            self.directories.certificates(name)
        };
        let inquiry = match wanted {
            Certificates::Off => return LookUp::default(),
            Certificates::Prefer | Certificates::Require => self.inquiry(name, wanted),
        };
        LookUp { machine, inquiry }
    }

    fn suits(&self, user: &str, kind: ProofKind) -> bool {
        match self.in_file(user) {
            Some(found) => self.users.suits(found, kind),
            None => self.directories.can_check(user, kind),
        }
    }

    fn check(&self, user: &str, proof: &Proof<'_>) -> Check {
        let directories = &self.directories;
        if let Some(found) = self.in_file(user) {
            return match self.users.verify_found(found, proof) {
                Verification::Immediate(Outcome::Accepted(key)) => Check::Accepted(key),
                Verification::Immediate(Outcome::Unsuited) => Check::Unsuited,
                Verification::Immediate(Outcome::Refused) => Check::Refused,
                Verification::Immediate(Outcome::Unknown) => Check::Unknown,
                Verification::Slow(job) => Check::Slow(Box::new(move || answer(job.run()))),
            };
        }
        let question = Question::of(proof).filter(|_| directories.can_check(user, proof.kind()));
        let Some(question) = question else {
            return Check::Unsuited;
        };
        let (directories, learner) = (Arc::clone(directories), Arc::clone(&self.learner));
        let user = user.to_owned();
        Check::Elsewhere(Inquiry::new(async move {
            match directories.ask(&user, &question).await {
                Told::Accepted(found) => learner.learn(&user, found).await,
                Told::Refused(why) => Answer::Refused(Why::new(&why)),
                Told::Unknown => Answer::unknown(),
                Told::Unavailable(why) => Answer::Unavailable(Why::new(&why)),
            }
        }))
    }
}

fn answer(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Accepted(key) => Answer::Accepted(key),
        Outcome::Unsuited => Answer::Unsuited,
        Outcome::Refused => Answer::refused(),
        Outcome::Unknown => Answer::unknown(),
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

/// The directories that users are learned from, as sources of the inventory: what they have said counts
/// for the next start too. One that looks elsewhere is another one.
pub(super) fn origins(config: &Config) -> Result<Vec<Origin>, Vec<Problem>> {
    let (directories, _) = load(config)?;
    let origins = directories.ldap.into_iter().map(|(ldap, _)| Origin {
        name: learner::source_of(&ldap.name),
        place: ldap.base,
    });
    Ok(origins.collect())
}

pub(super) const FILE: &str = "directory.toml";
