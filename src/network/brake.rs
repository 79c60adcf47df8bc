//! The brake: a change that would put out many at once is more likely a mistake than an attack.
//!
//! A list that a source garbled, a policy with a word too much: whoever hangs on it would lose the
//! network within seconds, and help with it. Such a batch is held until somebody says what is to
//! become of it; nobody new gets in by that, since each login is decided anew. A garbled list may come
//! in many small pieces, so those who were put out within the last minute count with the batch.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::time::Duration;

use crate::access::Change;
use crate::access::Correlation;
use crate::access::Live;
use crate::access::Sweep;

use crate::model::Timestamp;
use crate::network::admission::Admissions;

/// What came of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Peers that are put out now.
    pub due: usize,
    /// Peers that would be, and are held.
    pub held: usize,
}

impl Admissions {
    /// Judges again those who hang on what a batch changed.
    pub fn sweep(&self, now: Timestamp, changes: &[Change]) -> Swept {
        self.gather(now, |live| live.sweep(now, changes))
    }

    /// Judges everybody again: the policy was replaced.
    pub fn sweep_all(&self, now: Timestamp) -> Swept {
        self.gather(now, |live| live.sweep_all(now))
    }

    /// Judges again those whose certificates have been revoked.
    pub fn sweep_certificates(&self, now: Timestamp) -> Swept {
        self.gather(now, |live| live.sweep_certificates(now))
    }

    /// Judges again those for whom a fact has expired. To be called about once a second.
    pub fn sweep_due(&self, now: Timestamp) -> Swept {
        self.gather(now, |live| live.sweep_due(now))
    }

    /// How many are held.
    #[must_use]
    pub fn held(&self) -> usize {
        let brake = self.brake();
        let waiting = brake.waiting.iter();
        waiting.filter(|number| self.is_in(**number)).count()
    }

    /// Lets go of those who are held: they are put out, or they stay (`keep`) until the next change
    /// of theirs. Gives how many there were.
    pub fn release(&self, now: Timestamp, keep: bool) -> usize {
        // Whoever releases knows of the minute before as well.
        let mut held = std::mem::take(&mut *self.brake()).waiting;
        held.retain(|number| self.is_in(*number));
        let count = held.len();
        if keep {
            held.iter().for_each(|number| self.stays(now, *number));
        } else {
            self.put_out(held.into_iter().collect());
        }
        count
    }

    fn gather(&self, now: Timestamp, sweep: impl FnOnce(&Live) -> Sweep) -> Swept {
        let found = self.gathered(sweep);
        // Who is to have the access that it has was mended before anybody put it out.
        let (found, mended): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|number| self.judged(now, *number).is_some());
        let count = found.len();
        let mut brake = self.brake();
        for number in mended {
            brake.waiting.remove(&number);
        }
        let recent = brake.recent(now);
        let (leaving, all) = (recent.saturating_add(count), self.len() + recent);
        if count == 0 || leaving < FEW || leaving.saturating_mul(SHARE) <= all {
            brake.note(now, count);
            for number in &found {
                brake.waiting.remove(number);
            }
            drop(brake);
            self.put_out(found);
            return Swept {
                due: count,
                held: 0,
            };
        }
        brake.waiting.extend(found);
        Swept {
            due: 0,
            held: count,
        }
    }
}

/// What the brake knows.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Those who wait for a word; who came first, first.
    waiting: BTreeSet<Correlation>,
    /// When how many were put out, oldest first; one entry for each second, none older than
    /// [`WINDOW`], and so some sixty.
    put_out: VecDeque<(Timestamp, usize)>,
}

impl Held {
    /// How many were put out within [`WINDOW`].
    fn recent(&mut self, now: Timestamp) -> usize {
        // A clock that was set back makes nothing young again: what lies ahead is let go too.
        let is_recent = |at: Timestamp| at <= now && now.since(at) < WINDOW;
        self.put_out.retain(|(at, _)| is_recent(*at));
        self.put_out.iter().map(|(_, count)| count).sum()
    }

    fn note(&mut self, now: Timestamp, count: usize) {
        match self.put_out.back_mut() {
            _ if count == 0 => {}
            // A second is near enough, and bounds their number.
            Some((at, sum)) if now.since(*at) < NEAR => *sum = sum.saturating_add(count),
            Some(_) | None => self.put_out.push_back((now, count)),
        }
    }
}

/// How long those who were put out count: a source that is read piece by piece is through by then.
const WINDOW: Duration = Duration::from_mins(1);

/// Moments that are one.
const NEAR: Duration = Duration::from_secs(1);

/// So few are put out whatever their share is: a site has that many devices of one kind.
const FEW: usize = 50;

/// More than one in so many is a batch that needs a word.
const SHARE: usize = 10;
