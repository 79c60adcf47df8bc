//! The brake: a change that would put out many at once is more likely a mistake than an attack.
//!
//! A list that a source garbled, a policy with a word too much: whoever hangs on it would lose the
//! network within seconds, and help with it. Such a batch is held until somebody says what is to
//! become of it; nobody new gets in by that, since each login is decided anew.

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
        self.gather(|live| live.sweep(now, changes))
    }

    /// Judges everybody again: the policy was replaced.
    pub fn sweep_all(&self, now: Timestamp) -> Swept {
        self.gather(|live| live.sweep_all(now))
    }

    /// Judges again those for whom a fact has expired. To be called about once a second.
    pub fn sweep_due(&self, now: Timestamp) -> Swept {
        self.gather(|live| live.sweep_due(now))
    }

    /// How many are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.brake().len()
    }

    /// Lets go of those who are held: they are put out, or they stay (`keep`) until the next change
    /// of theirs. Gives how many there were.
    pub fn release(&self, now: Timestamp, keep: bool) -> usize {
        let held = std::mem::take(&mut *self.brake());
        let count = held.len();
        if keep {
            held.iter().for_each(|number| self.stays(now, *number));
        } else {
            self.put_out(held);
        }
        count
    }

    fn gather(&self, sweep: impl FnOnce(&Live) -> Sweep) -> Swept {
        let found = self.gathered(sweep);
        let count = found.len();
        if count < FEW || count.saturating_mul(SHARE) <= self.len() {
            self.put_out(found);
            return Swept {
                due: count,
                held: 0,
            };
        }
        self.brake().extend(found);
        Swept {
            due: 0,
            held: count,
        }
    }
}

/// Those who wait for a word.
pub(super) type Held = Vec<Correlation>;

/// So few are put out whatever their share is: a site has that many devices of one kind.
const FEW: usize = 50;

/// More than one in so many is a batch that needs a word.
const SHARE: usize = 10;
