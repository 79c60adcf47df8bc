//! What is done about passwords that are wrong, or that nobody can check.

use std::time::Duration;

use crate::document::Choice;
use crate::document::Section;

/// `[passwords]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passwords {
    /// How long after its request a reject leaves.
    pub reject_delay: Duration,
    /// Wrong passwords of a user at a NAS before they are slowed.
    pub free_guesses: u32,
    /// The longest time for which none is looked at.
    pub longest_wait: Duration,
    /// What becomes of a request when no directory that knows the user answers.
    pub when_unavailable: WhenUnavailable,
}

/// What becomes of a request whose password nobody can check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// An Access-Reject.
    #[default]
    Reject,
    /// No answer.
    Drop,
}

impl Choice for WhenUnavailable {
    const ALL: &'static [(&'static str, Self)] = &[("reject", Self::Reject), ("drop", Self::Drop)];
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            reject_delay: Duration::from_secs(1),
            free_guesses: 5,
            longest_wait: Duration::from_mins(1),
            when_unavailable: WhenUnavailable::default(),
        }
    }
}

impl Passwords {
    pub(super) fn read(&mut self, mut section: Section<'_>) {
        let delays = Duration::ZERO..=LONGEST_DELAY;
        section.set_within("reject_delay", delays, &mut self.reject_delay);
        section.set_within("free_guesses", 1..=1_000_000, &mut self.free_guesses);
        let waits = Duration::ZERO..=Duration::from_hours(1);
        section.set_within("longest_wait", waits, &mut self.longest_wait);
        section.set("when_unavailable", &mut self.when_unavailable);
        section.finish();
    }
}

/// A NAS gives a request up after some ten seconds, and asks again before.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
