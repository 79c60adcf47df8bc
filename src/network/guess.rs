//! Guessing at passwords, slowed for each user at each NAS.
//!
//! A few wrong passwords are free: people mistype, and devices go on with an old one. After that none
//! is looked at for a while, right or wrong, and the while doubles with each that is looked at and wrong.
//! It counts for the user at this NAS only, so that nobody is locked out everywhere by whoever knows a
//! name, and it ends by itself.
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
use crate::network::server::Server;

/// Wrong passwords of late, by user and NAS.
#[derive(Debug)]
pub(super) struct Guesses {
    sets: Box<[[Entry; WAYS]]>,
    /// Entries that are not empty.
    used: usize,
    hasher: RandomState,
}

/// What is known of one user at one NAS; empty while `wrong` is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Hash of both.
    key: u64,
    wrong: u32,
    /// When the last one was looked at.
    last: Monotonic,
    /// Until when none is looked at.
    until: Monotonic,
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
        self.hasher.hash_one((nas, name))
    }

    /// The place of a user at a NAS, or the one that is given up for it: of the set's those with the
    /// fewest wrong passwords, and of them the oldest. So names that are made up push each other out, and
    /// not the one that is guessed at.
    fn place(&mut self, key: u64, now: Monotonic) -> (&mut Entry, &mut usize) {
        let set = usize::try_from(key % SETS as u64).unwrap_or(0);
        let (sets, used) = (&mut self.sets, &mut self.used);
        let set = &mut sets[set];
        for entry in set.iter_mut() {
            if entry.wrong > 0 && now.since(entry.last) >= FORGOTTEN {
                entry.wrong = 0;
                *used -= 1;
            }
        }
        let known = set
            .iter()
            .position(|entry| entry.wrong > 0 && entry.key == key);
        let given_up = || {
            let ranked = set.iter().enumerate();
            ranked.min_by_key(|(_, entry)| (entry.wrong, entry.last))
        };
        let place = known.or_else(|| Some(given_up()?.0)).unwrap_or(0);
        (&mut set[place], used)
    }

    /// How long none is looked at yet, and after how many wrong ones. One that may be looked at makes
    /// others wait that come at the same time.
    fn wait(&mut self, now: Monotonic, key: u64, pace: Pace) -> Option<(u32, Duration)> {
        let (entry, _) = self.place(key, now);
        if entry.wrong < pace.free || entry.key != key {
            return None;
        }
        if now < entry.until {
            return Some((entry.wrong, now.until(entry.until)));
        }
        entry.until = now + pace.wait(entry.wrong);
        None
    }

    fn was_wrong(&mut self, now: Monotonic, key: u64, pace: Pace) {
        let (entry, used) = self.place(key, now);
        if entry.wrong == 0 {
            *used += 1;
        }
        let wrong = if entry.key == key { entry.wrong } else { 0 };
        let wrong = wrong.saturating_add(1);
        *entry = Entry {
            key,
            wrong,
            last: now,
            until: now + pace.wait(wrong),
        };
    }

    fn was_right(&mut self, now: Monotonic, key: u64) {
        let (entry, used) = self.place(key, now);
        if entry.wrong > 0 && entry.key == key {
            entry.wrong = 0;
            *used -= 1;
        }
    }
}

impl Server {
    /// Why a password of this user is not looked at now, if it is not.
    pub(super) fn too_many_guesses(
        &mut self,
        now: Now,
        config: &Config,
        asked: &Asked<'_>,
        user: &str,
    ) -> Option<Why> {
        if self.guesses.used == 0 {
            return None;
        }
        let key = self.guesses.key(asked.from.ip(), user);
        let (wrong, wait) = self.guesses.wait(now.monotonic, key, config.pace())?;
        self.counters.slowed.count();
        let seconds = wait.as_millis().div_ceil(1000);
        Some(Why::display(&format_args!(
            "{wrong} wrong passwords of this user at this NAS: none is looked at for {seconds} s"
        )))
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

/// 16,384 users at NASes in half a megabyte: more have no wrong password behind them within a quarter
/// of an hour unless somebody goes through a list of names, and then those give way to each other.
const SETS: usize = 4096;
const WAYS: usize = 4;

/// The first wait; a person who looks for the right password hardly notices it.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// After so long without another wrong one the earlier ones are forgotten.
const FORGOTTEN: Duration = Duration::from_mins(15);
