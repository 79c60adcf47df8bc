//! Who is asked for a user, in what order, with what deadline.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::directory::Certificates;
use crate::directory::Ldap;
use crate::directory::LdapConfig;
use crate::directory::ServerStatus;
use crate::directory::Trust;
use crate::directory::Winbind;
use crate::directory::WinbindConfig;
use crate::directory::name::LoginName;
use crate::directory::name::MACHINE;
use crate::model::GroupId;
use crate::model::Monotonic;
use crate::model::NtKey;
use crate::model::Proof;
use crate::model::ProofKind;
use crate::model::Secret;
use crate::model::UserId;

/// The clock of the gateway, for those who must not read one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Monotonic + Send + Sync>);

impl Clock {
    /// A clock that reads `now`.
    #[must_use]
    pub fn new(now: impl Fn() -> Monotonic + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(super) fn now(&self) -> Monotonic {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// All directories.
#[derive(Debug)]
pub struct Directories {
    ldap: Vec<Arc<Ldap>>,
    winbind: Option<Arc<Winbind>>,
    deadline: Duration,
    places: Semaphore,
    most_waiting: usize,
    groups_fresh_for: Duration,
    groups_kept_for: Duration,
    counts: Arc<Counts>,
}

/// What is asked of them.
#[derive(Clone, Debug)]
pub struct Config {
    /// LDAP directories with what their servers are trusted by, in order.
    pub ldap: Vec<(LdapConfig, Trust)>,
    /// Active Directory, for answers to a challenge.
    pub winbind: Option<WinbindConfig>,
    /// How long a user may wait for all of them.
    pub deadline: Duration,
    /// How many may wait at one time; beyond, they are not asked.
    pub most_waiting: usize,
    /// How long groups count that were looked up, until a certificate has them looked up again.
    pub groups_fresh_for: Duration,
    /// How long they count where no directory answers.
    pub groups_kept_for: Duration,
}

/// A question that outlives its packet.
pub enum Question {
    /// Whether it is the user's password.
    Password(Secret),
    /// Whether it is the answer of somebody who knows the password's NT hash.
    MsChap {
        /// Eight octets.
        challenge: [u8; 8],
        /// NT-Response.
        response: [u8; 24],
    },
}

impl Question {
    /// The question that `proof` is; `None` for CHAP, which no directory can check.
    #[must_use]
    pub fn of(proof: &Proof<'_>) -> Option<Self> {
        match *proof {
            Proof::Password(password) => Some(Self::Password(Secret::new(password.to_vec()))),
            Proof::Chap { .. } => None,
            Proof::MsChap {
                challenge,
                response,
            } => Some(Self::MsChap {
                challenge,
                response,
            }),
        }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::MsChap { .. } => "MsChap",
        })
    }
}

/// What directories say.
#[derive(Clone, Debug)]
pub enum Told {
    /// The user is who they say.
    Accepted(Found),
    /// The user is known and not let in; why, for the record.
    Refused(String),
    /// No such user.
    Unknown,
    /// It cannot be told; why, for the record.
    Unavailable(String),
}

/// A user who was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What an answer to a challenge leaves.
    pub key: Option<NtKey>,
    /// The name by which other sources know the user, if the directory has it.
    pub name: Option<UserId>,
    /// All groups of the user, nested ones included; `None` where none are looked for.
    pub groups: Option<Vec<GroupId>>,
    /// Which directory has them.
    pub directory: String,
}

/// What came of the questions.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    unknown: AtomicU64,
    unavailable: AtomicU64,
    busy: AtomicU64,
}

/// How the directories are doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// Each directory by its name, with its servers.
    pub directories: Vec<(String, Vec<ServerStatus>)>,
    /// Users who wait for an answer.
    pub waiting: usize,
    /// What came of the questions so far, by outcome.
    pub outcomes: [(&'static str, u64); 5],
}

impl Directories {
    /// Directories as they are configured; nobody is connected to before somebody is asked for.
    #[must_use]
    pub fn new(config: Config, clock: &Clock) -> Self {
        Self::take_over(config, clock, (&[], None), Arc::default())
    }

    /// Directories as they are configured now: those of before that are configured as they were go on
    /// with their connections, with their helpers, and with what is known of their servers' health.
    #[must_use]
    pub fn renewed(&self, config: Config, clock: &Clock) -> Self {
        let before = (&*self.ldap, self.winbind.as_ref());
        Self::take_over(config, clock, before, Arc::clone(&self.counts))
    }

    fn take_over(
        config: Config,
        clock: &Clock,
        (ldap_before, winbind_before): (&[Arc<Ldap>], Option<&Arc<Winbind>>),
        counts: Arc<Counts>,
    ) -> Self {
        let Config {
            ldap,
            winbind,
            deadline,
            most_waiting,
            groups_fresh_for,
            groups_kept_for,
        } = config;
        let ldap = ldap.into_iter().map(|(config, trust)| {
            let mut before = ldap_before.iter();
            match before.find(|before| before.is(&config, &trust)) {
                Some(before) => Arc::clone(before),
                None => Arc::new(Ldap::new(config, &trust, clock)),
            }
        });
        let winbind =
            winbind.map(
                |config| match winbind_before.filter(|before| before.is(&config)) {
                    Some(before) => Arc::clone(before),
                    None => Arc::new(Winbind::new(config, clock.clone())),
                },
            );
        Self {
            ldap: ldap.collect(),
            winbind,
            deadline,
            places: Semaphore::new(most_waiting),
            most_waiting,
            groups_fresh_for,
            groups_kept_for,
            counts,
        }
    }

    /// Whether somebody is to be asked for a user of that name.
    #[must_use]
    pub fn serves(&self, name: &str) -> bool {
        let name = LoginName::new(name);
        self.ldap.iter().any(|ldap| ldap.serves(&name))
            || self.winbind.as_ref().is_some_and(|of| of.serves(&name))
    }

    /// Whether one of those can check such a proof.
    #[must_use]
    pub fn can_check(&self, name: &str, kind: ProofKind) -> bool {
        let name = LoginName::new(name);
        match kind {
            ProofKind::Password => self.ldap.iter().any(|ldap| ldap.serves(&name)),
            ProofKind::Chap => false,
            ProofKind::MsChap => self.winbind.as_ref().is_some_and(|of| of.serves(&name)),
        }
    }

    /// What is to be done about the groups of somebody of that name whom a certificate proves: the
    /// strictest of what the directories say that serve it.
    #[must_use]
    pub fn certificates(&self, name: &str) -> Certificates {
        let name = LoginName::new(name);
        let wanted = self.ldap.iter().map(|ldap| ldap.certificates(&name));
        wanted.max().unwrap_or_default()
    }

    /// Whether there is anybody at all whose groups are looked up for a certificate.
    #[must_use]
    pub fn look_up_certificates(&self) -> bool {
        self.ldap.iter().any(|ldap| ldap.looks_up_certificates())
    }

    /// The name by which a machine of that DNS name logs in.
    #[must_use]
    pub fn machine_name(dns_name: &str) -> String {
        format!("{MACHINE}{dns_name}")
    }

    /// How long groups count that were looked up: until a certificate has them looked up again, and where
    /// no directory answers.
    #[must_use]
    pub const fn groups_count_for(&self) -> (Duration, Duration) {
        (self.groups_fresh_for, self.groups_kept_for)
    }

    /// Looks up the groups of somebody whom a certificate proves. Answers by the deadline.
    pub async fn look_up(&self, name: &str) -> Told {
        self.within_bounds(self.look_up_now(&LoginName::new(name)))
            .await
    }

    /// Asks for a user. Answers by the deadline.
    pub async fn ask(&self, name: &str, question: &Question) -> Told {
        self.within_bounds(self.answer(&LoginName::new(name), question))
            .await
    }

    async fn within_bounds(&self, asking: impl Future<Output = Told>) -> Told {
        let count = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        let Ok(_place) = self.places.try_acquire() else {
            count(&self.counts.busy);
            return Told::Unavailable("too many wait for the directories".to_owned());
        };
        let answer = timeout(self.deadline, asking).await;
        let told = answer
            .unwrap_or_else(|_| Told::Unavailable("no directory has answered in time".to_owned()));
        count(match told {
            Told::Accepted(_) => &self.counts.accepted,
            Told::Refused(_) => &self.counts.refused,
            Told::Unknown => &self.counts.unknown,
            Told::Unavailable(_) => &self.counts.unavailable,
        });
        told
    }

    /// What the first directory says that knows the name, of those that look it up.
    async fn look_up_now(&self, name: &LoginName<'_>) -> Told {
        for ldap in &self.ldap {
            if ldap.certificates(name) == Certificates::Off {
                continue;
            }
            match ldap.answer(name, None).await {
                Told::Unknown => {}
                told @ (Told::Accepted(_) | Told::Refused(_) | Told::Unavailable(_)) => {
                    return told;
                }
            }
        }
        Told::Unknown
    }

    async fn answer(&self, name: &LoginName<'_>, question: &Question) -> Told {
        match question {
            Question::Password(password) => self.first(name, Some(password)).await,
            Question::MsChap {
                challenge,
                response,
            } => self.challenged(name, challenge, response).await,
        }
    }

    async fn challenged(
        &self,
        name: &LoginName<'_>,
        challenge: &[u8; 8],
        response: &[u8; 24],
    ) -> Told {
        let Some(winbind) = self.winbind.as_ref().filter(|of| of.serves(name)) else {
            return Told::Unknown;
        };
        let key = match winbind.check(name, challenge, response).await {
            Ok(key) => key,
            Err(told) => return told,
        };
        let told = self.first(name, None).await;
        let found = match told {
            Told::Accepted(found) => found,
            // The domain knows the user, and no directory has groups of theirs.
            Told::Unknown => Found::default(),
            told @ (Told::Refused(_) | Told::Unavailable(_)) => return told,
        };
        Told::Accepted(Found {
            key: Some(key),
            ..found
        })
    }

    /// What the first LDAP directory says that knows the user; without a password the first that looks
    /// for groups. One that cannot tell is the last that is asked: the next might know somebody else by
    /// the same name.
    async fn first(&self, name: &LoginName<'_>, password: Option<&Secret>) -> Told {
        let ldap = self.ldap.iter().filter(|ldap| ldap.serves(name));
        for ldap in ldap.filter(|ldap| password.is_some() || ldap.has_groups()) {
            match ldap.answer(name, password).await {
                Told::Unknown => {}
                told @ (Told::Accepted(_) | Told::Refused(_) | Told::Unavailable(_)) => {
                    return told;
                }
            }
        }
        Told::Unknown
    }

    /// How they are doing.
    #[must_use]
    pub fn status(&self) -> Status {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let ldap = self.ldap.iter();
        let ldap = ldap.map(|ldap| (ldap.name().to_owned(), ldap.status()));
        let winbind = self.winbind.iter();
        let winbind = winbind.map(|of| (of.name().to_owned(), vec![of.status()]));
        Status {
            directories: ldap.chain(winbind).collect(),
            waiting: self
                .most_waiting
                .saturating_sub(self.places.available_permits()),
            outcomes: [
                ("accepted", of(&self.counts.accepted)),
                ("refused", of(&self.counts.refused)),
                ("unknown", of(&self.counts.unknown)),
                ("unavailable", of(&self.counts.unavailable)),
                ("busy", of(&self.counts.busy)),
            ],
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ldap.is_empty() && self.winbind.is_none()
    }

    /// Takes leave of all servers, best effort.
    pub async fn close(&self) {
        for ldap in &self.ldap {
            ldap.close().await;
        }
    }
}

#[cfg(test)]
mod tests;
