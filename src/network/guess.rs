//! Guessing at passwords, slowed for each user at each NAS.
//!
//! A few wrong passwords are free: people mistype, and devices go on with an old one. After that none
//! is looked at for a while, right or wrong, and the while doubles with each that is looked at and wrong.
//! It counts for the user at this NAS only, so that nobody is locked out everywhere by whoever knows a
//! name, and it ends by itself.
//!
//! Of one user at one NAS so many may be under way at one time, that a burst does not get more looks
//! than the same guesses one after the other would.
//!
//! Each loop has a table of its own, so that nothing is locked; one that sends from several ports may
//! have as many times the guesses as there are loops.

use std::hash::BuildHasher;
use std::hash::RandomState;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::Monotonic;
use crate::model::Now;
use crate::model::UserId;
use crate::network::Answer;
use crate::network::Config;
use crate::network::Why;
use crate::network::away::Asked;
use crate::network::away::Away;
use crate::network::away::Waiting;
use crate::network::discard::Discarded;
use crate::network::server::Server;

/// Wrong passwords of late, by user and NAS.
#[derive(Debug)]
pub(super) struct Guesses {
    sets: Box<[[Entry; WAYS]]>,
    /// Entries that are not empty.
    used: usize,
    hasher: RandomState,
}

/// What is known of one user at one NAS.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Hash of both.
    key: u64,
    wrong: u32,
    /// That are being looked at.
    under_way: u32,
    /// When the last one was looked at.
    last: Monotonic,
    /// Until when none is looked at.
    until: Monotonic,
}

impl Entry {
    const fn is_empty(&self) -> bool {
        self.wrong == 0 && self.under_way == 0
    }
}

/// Why a password is not looked at.
enum Halt {
    /// After so many wrong ones, for so long.
    Wait(u32, Duration),
    /// Others are under way.
    Busy,
}

/// How guesses are slowed.
#[derive(Clone, Copy)]
struct Pace {
    free: u32,
    longest: Duration,
}

impl Pace {
    /// How long none is looked at after so many wrong ones.
    fn wait(self, wrong: u32) -> Duration {
        let Some(beyond) = wrong.checked_sub(self.free) else {
            return Duration::ZERO;
        };
        let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX));
        doubled.min(self.longest)
    }
}

impl Guesses {
    pub(super) fn new() -> Self {
        Self {
            sets: vec![[Entry::default(); WAYS]; SETS].into_boxed_slice(),
            used: 0,
            hasher: RandomState::new(),
        }
    }

    fn key(&self, nas: IpAddr, user: &str) -> u64 {
        let mut folded = [0; UserId::MAX];
        // A name that is too long is no user's, whatever its case.
        let name = UserId::fold(user, &mut folded).unwrap_or(user);
        self.hasher.hash_one((nas, account(name)))
    }

    /// Changes what is known of a user at a NAS. Where nothing is, it takes the place of the one of its
    /// set with the fewest wrong passwords, and of them the oldest: so names that are made up push each
    /// other out, and not the one that is guessed at.
    fn with<T>(&mut self, now: Monotonic, key: u64, change: impl FnOnce(&mut Entry) -> T) -> T {
        let set = usize::try_from(key % SETS as u64).unwrap_or(0);
        let set = &mut self.sets[set];
        for entry in set.iter_mut() {
            if !entry.is_empty() && now.since(entry.last) >= FORGOTTEN {
                *entry = Entry::default();
                self.used -= 1;
            }
        }
        let known = set
            .iter()
            .position(|entry| !entry.is_empty() && entry.key == key);
        let place = known.unwrap_or_else(|| {
            let ranked = set.iter().enumerate();
            ranked
                .min_by_key(|(_, entry)| (entry.wrong, entry.under_way, entry.last))
                .map_or(0, |(place, _)| place)
        });
        let entry = &mut set[place];
        let mut changed = match known {
            Some(_) => *entry,
            None => Entry {
                key,
                last: now,
                ..Entry::default()
            },
        };
        let outcome = change(&mut changed);
        // What stays empty takes nobody's place.
        if known.is_some() || !changed.is_empty() {
            self.used -= usize::from(!entry.is_empty());
            self.used += usize::from(!changed.is_empty());
            *entry = changed;
        }
        outcome
    }

    /// Whether none is looked at now. One that is makes others wait that come at the same time.
    fn halts(&mut self, now: Monotonic, key: u64, pace: Pace) -> Option<Halt> {
        self.with(now, key, |entry| {
            if pace.longest.is_zero() || entry.is_empty() {
                return None;
            }
            if entry.wrong < pace.free {
                let at_once = match entry.wrong {
                    0 => MAX_UNDER_WAY,
                    wrong => pace.free.saturating_sub(wrong).min(MAX_UNDER_WAY),
                };
                return (entry.under_way >= at_once).then_some(Halt::Busy);
            }
            if now < entry.until {
                return Some(Halt::Wait(entry.wrong, now.until(entry.until)));
            }
            entry.until = now + pace.wait(entry.wrong);
            None
        })
    }

    fn began(&mut self, now: Monotonic, key: u64) {
        self.with(now, key, |entry| {
            entry.under_way = entry.under_way.saturating_add(1);
            entry.last = now;
        });
    }

    fn ended(&mut self, key: u64) {
        // At no time, so that nothing is forgotten by it.
        self.with(Monotonic::default(), key, |entry| {
            entry.under_way = entry.under_way.saturating_sub(1);
        });
    }

    fn was_wrong(&mut self, now: Monotonic, key: u64, pace: Pace) {
        self.with(now, key, |entry| {
            entry.wrong = entry.wrong.saturating_add(1);
            entry.last = now;
            entry.until = now + pace.wait(entry.wrong);
        });
    }

    fn was_right(&mut self, now: Monotonic, key: u64) {
        self.with(now, key, |entry| entry.wrong = 0);
    }
}

impl Server {
    /// Why a password of this user is not looked at now, if it is not: a sentence for the record, or
    /// nothing where the request is to come again.
    pub(super) fn halts_guess(
        &mut self,
        now: Now,
        config: &Config,
        asked: &Asked<'_>,
        user: &str,
    ) -> Option<Result<Why, Discarded>> {
        if self.guesses.used == 0 {
            return None;
        }
        let key = self.guesses.key(asked.from.ip(), user);
        match self.guesses.halts(now.monotonic, key, config.pace())? {
            Halt::Busy => Some(Err(Discarded::Overloaded)),
            Halt::Wait(wrong, wait) => {
                self.counters.slowed.count();
                let seconds = wait.as_millis().div_ceil(1000);
                Some(Ok(Why::display(&format_args!(
                    "{wrong} wrong passwords of this user at this NAS: none is looked at for \
                     {seconds} s"
                ))))
            }
        }
    }

    /// A password is looked at from now on.
    pub(super) fn guess_began(&mut self, now: Monotonic, nas: IpAddr, user: &str) {
        let key = self.guesses.key(nas, user);
        self.guesses.began(now, key);
    }

    /// It is no more, whatever came of it.
    pub(super) fn guess_ended(&mut self, away: &Away) {
        let user = match &away.waiting {
            Waiting::Password(pending) => Some(&pending.user),
            Waiting::Handshake(parted) => parted.guess.as_ref(),
            Waiting::Home(_) => None,
        };
        if let Some(user) = user {
            let key = self.guesses.key(away.from.ip(), user);
            self.guesses.ended(key);
        }
    }

    /// Takes note of what came of a password that was looked at.
    pub(super) fn note_guess(
        &mut self,
        now: Now,
        config: &Config,
        asked: &Asked<'_>,
        user: &str,
        answer: &Answer,
    ) {
        match answer {
            Answer::Accepted(_) if self.guesses.used == 0 => {}
            Answer::Accepted(_) => {
                let key = self.guesses.key(asked.from.ip(), user);
                self.guesses.was_right(now.monotonic, key);
            }
            Answer::Refused(_) => {
                let key = self.guesses.key(asked.from.ip(), user);
                self.guesses.was_wrong(now.monotonic, key, config.pace());
            }
            // Nothing is learned of a password that nobody could look at.
            Answer::Unsuited | Answer::Unavailable(_) => {}
        }
    }
}

impl Config {
    const fn pace(&self) -> Pace {
        Pace {
            free: self.free_guesses,
            longest: self.longest_wait,
        }
    }
}

/// The name without domain and realm, which all spellings of a user share: who guesses could else begin
/// anew with each. Users of one name in several realms share it too.
fn account(name: &str) -> &str {
    let account = name.rsplit('\\').next().unwrap_or(name);
    let account = account.split('@').next().unwrap_or(account);
    if account.is_empty() { name } else { account }
}

/// 16,384 users at NASes in half a megabyte: more have no wrong password behind them within a quarter
/// of an hour unless somebody goes through a list of names, and then those give way to each other.
const SETS: usize = 4096;
const WAYS: usize = 4;

/// Passwords of one user at one NAS that are looked at together before the first wrong one: devices of
/// one person, or a check of the service. Others are dropped and come again.
const MAX_UNDER_WAY: u32 = 64;

/// The first wait; a person who looks for the right password hardly notices it.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// After so long without another wrong one the earlier ones are forgotten.
const FORGOTTEN: Duration = Duration::from_mins(15);
