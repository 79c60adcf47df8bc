//! Conversations whose peers fell silent, and what is recorded of them.
//!
//! A device that gives up without a word, most often because it does not trust the gateway's certificate,
//! is what people complain of most; so there is a record of it. Whoever wants can begin conversations and
//! leave them, by the million: what is recorded is rationed, more for peers that went along than for
//! those that never answered the method, and the rest is counted.

use std::time::Duration;

use crate::model::Monotonic;
use crate::model::Now;
use crate::network::conversation::Expired;
use crate::network::server::Server;

/// How many may be recorded now.
#[derive(Debug)]
pub(super) struct Rations {
    answered: Ration,
    unanswered: Ration,
}

impl Rations {
    pub(super) const fn new() -> Self {
        Self {
            answered: Ration::new(500, Duration::from_millis(200)),
            unanswered: Ration::new(20, Duration::from_secs(5)),
        }
    }
}

/// So many at once, and one more for each span that passes.
#[derive(Debug)]
struct Ration {
    most: Duration,
    each: Duration,
    /// What is left, as the time that it took to earn.
    left: Duration,
    at: Option<Monotonic>,
}

impl Ration {
    const fn new(burst: u32, each: Duration) -> Self {
        let most = each.saturating_mul(burst);
        Self {
            most,
            each,
            left: most,
            at: None,
        }
    }

    fn take(&mut self, now: Monotonic) -> bool {
        let earned = self.at.map_or(Duration::ZERO, |at| now.since(at));
        self.at = Some(now);
        self.left = self.left.saturating_add(earned).min(self.most);
        match self.left.checked_sub(self.each) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

impl Server {
    /// Lets go of conversations that have waited too long.
    pub(super) fn let_go_of_the_silent(&mut self, now: Now) {
        while let Some(expired) = self.conversations.expire(now.monotonic) {
            let Expired::Silent(mut slot) = expired else {
                continue;
            };
            self.counters.abandoned.count();
            // It has begun anew meanwhile, and what came of that is recorded.
            if self.conversations.has_ended_since(&slot.standing) {
                continue;
            }
            let ration = if slot.standing.answered {
                &mut self.rations.answered
            } else {
                &mut self.rations.unanswered
            };
            if !ration.take(now.monotonic) {
                self.counters.unrecorded.count();
                continue;
            }
            let failed = slot.conversation.abandon();
            self.record_failed(now, &slot, &failed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ration_is_used_up_at_once_and_comes_back_with_time() {
        let at = |seconds| Monotonic::default() + Duration::from_secs(seconds);
        let mut ration = Ration::new(3, Duration::from_secs(5));
        let taken = |ration: &mut Ration, now| (0..100).filter(|_| ration.take(now)).count();
        assert_eq!(taken(&mut ration, at(0)), 3);
        assert_eq!(taken(&mut ration, at(4)), 0);
        assert_eq!(taken(&mut ration, at(10)), 2);
        assert_eq!(taken(&mut ration, at(1000)), 3);
    }
}
