//! A walk through a paged collection that can be resumed and is complete or nothing.
//!
//! The walk knows which link to fetch next and decides, after each answer, whether to go on, to
//! wait and ask the same link again, or to give up. It opens no connection and reads no clock.
//! Gateway timeouts in mid-walk are common with Intune, so trouble never starts a walk afresh:
//! the last link is asked again.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::hash::RandomState;
use std::time::Duration;

use crate::model::Monotonic;
use crate::sync::link::Base;
use crate::sync::link::Link;
use crate::sync::link::LinkError;
use crate::sync::plan::Backoff;

/// How far a walk may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pages of one walk.
    pub pages: usize,
    /// Most rows of one walk.
    pub rows: usize,
    /// Longest time from the first request to the last answer.
    pub time: Duration,
    /// How often one link is asked again before the walk is given up.
    pub retries: u32,
    /// The waits in between, where the server names none.
    pub backoff: Backoff,
}

/// 10,000 pages of 999 rows, five million rows, six hours: beyond the largest tenants, and a
/// walk that goes on longer is taken for one without end. Eight attempts with waits of 1 s to
/// 1 min take 2 to 4 minutes, longer than Intune's usual bad spells.
impl Default for Limits {
    fn default() -> Self {
        Self {
            pages: 10_000,
            rows: 5_000_000,
            time: Duration::from_hours(6),
            retries: 8,
            backoff: Backoff {
                first: Duration::from_secs(1),
                cap: Duration::from_mins(1),
            },
        }
    }
}

/// One walk, from its first link to its last page.
#[derive(Clone, Debug)]
pub struct Walk {
    base: Base,
    /// The link to fetch; `None` when the last page is in.
    at: Option<Link>,
    /// Hashes of all links fetched; a repeated one means a loop.
    seen: HashSet<u64>,
    hasher: RandomState,
    pages: usize,
    rows: usize,
    /// Times that the link at hand has failed.
    failures: u32,
    end: Monotonic,
    limits: Limits,
}

impl Walk {
    /// A walk that begins at `start`.
    #[must_use]
    pub fn new(now: Monotonic, base: Base, start: Link, limits: Limits) -> Self {
        let hasher = RandomState::new();
        Self {
            seen: HashSet::from([hasher.hash_one(&start)]),
            hasher,
            base,
            at: Some(start),
            pages: 0,
            rows: 0,
            failures: 0,
            end: now + limits.time,
            limits,
        }
    }

    /// What to fetch; `None` when the walk is complete.
    #[must_use]
    pub const fn link(&self) -> Option<&Link> {
        self.at.as_ref()
    }

    /// Pages and rows so far.
    #[must_use]
    pub const fn progress(&self) -> (usize, usize) {
        (self.pages, self.rows)
    }

    /// Takes a page of `rows` rows with the link it carries.
    ///
    /// # Errors
    ///
    /// When the link leads elsewhere or has been seen, or a limit is passed: the walk is void.
    pub fn handle_page(
        &mut self,
        now: Monotonic,
        rows: usize,
        next: Option<&str>,
    ) -> Result<(), WalkError> {
        self.pages += 1;
        self.rows = self.rows.saturating_add(rows);
        self.failures = 0;
        let next = next.map(|next| self.base.accept(next)).transpose()?;
        if let Some(next) = &next {
            if !self.seen.insert(self.hasher.hash_one(next)) {
                return Err(WalkError::Loop { pages: self.pages });
            }
            self.check_limits(now)?;
        }
        if self.rows > self.limits.rows {
            return Err(WalkError::Rows(self.limits.rows));
        }
        self.at = next;
        Ok(())
    }

    /// Takes note that the link could not be fetched, and says how long to wait before it is
    /// asked again. `asked_for` is what the server wants (Retry-After).
    ///
    /// # Errors
    ///
    /// When it has been asked often enough, or waiting would pass the end of the walk.
    pub fn handle_trouble(
        &mut self,
        now: Monotonic,
        asked_for: Option<Duration>,
        random: u64,
    ) -> Result<Duration, WalkError> {
        self.check_limits(now)?;
        if self.failures >= self.limits.retries {
            return Err(WalkError::Retries(self.failures));
        }
        let wait = asked_for.unwrap_or_else(|| self.limits.backoff.delay(self.failures, random));
        self.failures += 1;
        if wait > MAX_WAIT || now + wait > self.end {
            return Err(WalkError::Wait(wait));
        }
        Ok(wait)
    }

    /// The walk goes on after a pause; the link at hand has its attempts again.
    pub const fn handle_resume(&mut self) {
        self.failures = 0;
    }

    fn check_limits(&self, now: Monotonic) -> Result<(), WalkError> {
        if self.pages >= self.limits.pages {
            return Err(WalkError::Pages(self.limits.pages));
        }
        if now > self.end {
            return Err(WalkError::Time(self.limits.time));
        }
        Ok(())
    }
}

/// Why a walk is given up; what it has read is thrown away.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalkError {
    /// The next link is not to be followed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A link has been fetched before.
    #[error("the list loops: page {pages} leads to a page already read")]
    Loop {
        /// The page that carries the link.
        pages: usize,
    },
    /// More pages than allowed.
    #[error("the list has more than {0} pages")]
    Pages(usize),
    /// More rows than allowed.
    #[error("the list has more than {0} rows")]
    Rows(usize),
    /// Longer than allowed.
    #[error("the list was not read to its end within {} minutes", .0.as_secs() / 60)]
    Time(Duration),
    /// One link failed too often.
    #[error("a page failed {} times", .0 + 1)]
    Retries(u32),
    /// The server wants a longer pause than a walk waits for.
    #[error("the server asks to wait {} s", .0.as_secs())]
    Wait(Duration),
}

/// A longer wait is left to the plan, which shows it in the status.
const MAX_WAIT: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(limits: Limits) -> Walk {
        let base = Base::parse("https://graph.example/v1.0").unwrap();
        let start = base.link("/devices?$top=999").unwrap();
        Walk::new(at(0), base, start, limits)
    }

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_elapsed(Duration::from_secs(seconds))
    }

    fn page(number: usize) -> String {
        format!("https://graph.example/v1.0/devices?$skiptoken={number}")
    }

    #[test]
    fn a_walk_ends_with_the_page_that_has_no_link() {
        let mut walk = walk(Limits::default());
        walk.handle_page(at(1), 999, Some(&page(1))).unwrap();
        assert!(walk.link().is_some());
        // An empty page in the middle is allowed.
        walk.handle_page(at(2), 0, Some(&page(2))).unwrap();
        walk.handle_page(at(3), 7, None).unwrap();
        assert_eq!(walk.link(), None);
        assert_eq!(walk.progress(), (3, 1006));
    }

    #[test]
    fn trouble_asks_the_same_link_again_r46() {
        let mut walk = walk(Limits::default());
        walk.handle_page(at(1), 999, Some(&page(1))).unwrap();
        let link = walk.link().cloned();
        for failure in 0..8 {
            let wait = walk.handle_trouble(at(2), None, 0).unwrap();
            assert!(wait >= Duration::from_millis(500), "failure {failure}");
            assert_eq!(walk.link().cloned(), link, "failure {failure}");
        }
        assert_eq!(
            walk.handle_trouble(at(3), None, 0),
            Err(WalkError::Retries(8))
        );
    }

    #[test]
    fn a_page_forgives_earlier_failures() {
        let mut walk = walk(Limits {
            retries: 1,
            ..Limits::default()
        });
        for number in 0..5 {
            walk.handle_trouble(at(1), None, 0).unwrap();
            walk.handle_page(at(1), 1, Some(&page(number))).unwrap();
        }
    }

    #[test]
    fn the_servers_wait_is_kept_unless_it_is_too_long_r59() {
        let mut walk = walk(Limits::default());
        let asked = Duration::from_secs(120);
        assert_eq!(walk.handle_trouble(at(0), Some(asked), 9), Ok(asked));
        let hour = Duration::from_hours(1);
        let answer = walk.handle_trouble(at(0), Some(hour), 9);
        assert_eq!(answer, Err(WalkError::Wait(hour)));
    }

    #[test]
    fn loops_and_endless_lists_are_given_up() {
        let limits = Limits {
            pages: 3,
            rows: 10,
            time: Duration::from_mins(1),
            retries: 2,
            ..Limits::default()
        };
        let mut looping = walk(limits);
        looping.handle_page(at(1), 1, Some(&page(1))).unwrap();
        let again = looping.handle_page(at(2), 1, Some(&page(1)));
        assert_eq!(again, Err(WalkError::Loop { pages: 2 }));

        let mut back_to_start = walk(limits);
        let start = "https://graph.example/v1.0/devices?$top=999";
        let again = back_to_start.handle_page(at(2), 1, Some(start));
        assert_eq!(again, Err(WalkError::Loop { pages: 1 }));

        let mut long = walk(limits);
        long.handle_page(at(1), 1, Some(&page(1))).unwrap();
        long.handle_page(at(1), 1, Some(&page(2))).unwrap();
        let more = long.handle_page(at(1), 1, Some(&page(3)));
        assert_eq!(more, Err(WalkError::Pages(3)));

        let mut wide = walk(limits);
        assert_eq!(wide.handle_page(at(1), 11, None), Err(WalkError::Rows(10)));

        let mut slow = walk(limits);
        let late = slow.handle_page(at(61), 1, Some(&page(1)));
        assert_eq!(late, Err(WalkError::Time(Duration::from_mins(1))));
    }

    #[test]
    fn a_link_to_another_host_voids_the_walk() {
        let mut walk = walk(Limits::default());
        let away = walk.handle_page(at(1), 999, Some("https://evil.example/v1.0/devices"));
        assert!(matches!(
            away,
            Err(WalkError::Link(LinkError::OtherOrigin { .. }))
        ));
    }
}
