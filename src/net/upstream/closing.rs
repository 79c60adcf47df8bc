//! What is dropped a moment later than it could be.
//!
//! When a change ends thousands of requests at once, to close their connections to the mail server and
//! to give their memory back takes about as long as to answer their clients. The answers go first: what
//! a request that was cut leaves behind is put here, where nobody reads or writes it, and dropped when
//! no more comes.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::Instant;
use tokio::time::sleep;

/// What one runtime has to drop.
#[derive(Default)]
pub(super) struct Closing {
    waiting: Mutex<Waiting>,
    came: Notify,
}

#[derive(Default)]
struct Waiting {
    left: Vec<Box<dyn Send>>,
    /// How many have come so far.
    count: u64,
}

impl Closing {
    /// To be dropped soon; at once if too many wait for that.
    pub(super) fn put(&self, left: Box<dyn Send>) {
        let mut waiting = self.waiting();
        waiting.count = waiting.count.wrapping_add(1);
        if waiting.left.len() < MAX_WAITING {
            waiting.left.push(left);
        }
        let is_first = waiting.left.len() == 1;
        drop(waiting);
        if is_first {
            self.came.notify_one();
        }
    }

    /// Drops what comes. Never ends; dropping it is safe.
    pub(super) async fn run(&self) {
        loop {
            self.came.notified().await;
            let until = Instant::now() + LONGEST;
            loop {
                let before = self.waiting().count;
                sleep(PAUSE).await;
                if self.waiting().count == before || Instant::now() >= until {
                    break;
                }
            }
            while self.drop_some() {
                yield_now().await;
            }
        }
    }

    /// Drops a few; tells whether there were any.
    fn drop_some(&self) -> bool {
        let mut waiting = self.waiting();
        let rest = waiting.left.len().saturating_sub(AT_ONCE);
        let some = waiting.left.split_off(rest);
        if rest == 0 {
            waiting.left = Vec::new();
        }
        drop(waiting);
        !some.is_empty()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As long as more comes within this time, clients are being answered.
const PAUSE: Duration = Duration::from_millis(50);
/// And no longer than this: the mail server would work on for nobody.
const LONGEST: Duration = Duration::from_millis(500);
/// Dropped before others have their turn: some hundred microseconds.
const AT_ONCE: usize = 16;
/// The most that waits, of each runtime: two things for each request that one change is expected to end
/// there, one of them with a descriptor.
const MAX_WAITING: usize = 32_768;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_is_left_is_dropped_soon_and_not_at_once() {
        let closing = Arc::new(Closing::default());
        let running = {
            let closing = Arc::clone(&closing);
            tokio::spawn(async move { closing.run().await })
        };
        for round in 1..=2 {
            let left = Arc::new(());
            for _ in 0..100 {
                closing.put(Box::new(Arc::clone(&left)));
            }
            assert_eq!(Arc::strong_count(&left), 101, "round {round}");
            while Arc::strong_count(&left) > 1 {
                yield_now().await;
            }
        }
        running.abort();
        let too_many = Arc::new(());
        for _ in 0..MAX_WAITING + 10 {
            closing.put(Box::new(Arc::clone(&too_many)));
        }
        assert_eq!(Arc::strong_count(&too_many), MAX_WAITING + 1);
    }
}
