//! Who has to be put out: decisions that were taken back, in the order in which that happened.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::task::Wake;

use crate::access::Correlation;

/// Decisions that have been taken back.
#[derive(Default)]
pub(super) struct Due {
    lists: Mutex<Lists>,
    pub(super) bell: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
pub(super) struct Lists {
    /// To be put out.
    pub(super) due: Vec<Correlation>,
    /// What a sweep under way has found so far.
    pub(super) gathered: Option<Vec<Correlation>>,
}

impl Due {
    pub(super) fn lists(&self) -> MutexGuard<'_, Lists> {
        // A panic elsewhere while holding the lock leaves usable lists.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ring(&self) {
        if let Some(bell) = self.bell.get() {
            bell();
        }
    }
}

/// Puts one admission among those that are due; what waits for its permit.
pub(super) struct Cutter {
    pub(super) number: Correlation,
    pub(super) due: Arc<Due>,
}

impl Wake for Cutter {
    fn wake(self: Arc<Self>) {
        let mut lists = self.due.lists();
        if let Some(gathered) = &mut lists.gathered {
            gathered.push(self.number);
            return;
        }
        lists.due.push(self.number);
        drop(lists);
        self.due.ring();
    }
}
