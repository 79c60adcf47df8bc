//! Where the workers get their next operation: from the plan at once, or when its time comes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::ClockId;
use nix::time::ClockNanosleepFlags;
use nix::time::clock_nanosleep;
use portreeve::model::Monotonic;
use portreeve::net::Clock;
use tokio::sync::Notify;

use crate::load::pace::Plan;

/// The operations of a run, for all its workers.
pub(super) struct Source {
    plan: Mutex<Plan>,
    clock: Clock,
    /// Due operations of an open loop for which no worker was free yet.
    due: Mutex<VecDeque<(u64, Monotonic)>>,
    arrived: Notify,
    is_open: bool,
    is_over: AtomicBool,
}

impl Source {
    pub(super) fn new(plan: Plan, clock: Clock) -> Self {
        Self {
            is_open: plan.is_open(),
            plan: Mutex::new(plan),
            clock,
            due: Mutex::default(),
            arrived: Notify::new(),
            is_over: AtomicBool::new(false),
        }
    }

    /// The next operation: its number, and when it should have begun. `None` when there is none
    /// any more.
    pub(super) async fn next(&self) -> Option<(u64, Monotonic)> {
        if !self.is_open {
            // As many are in flight as there are workers.
            return lock(&self.plan).next(self.now(), 0);
        }
        loop {
            let waits = self.arrived.notified();
            if let Some(operation) = lock(&self.due).pop_front() {
                return Some(operation);
            }
            if self.is_over.load(Ordering::Acquire) {
                return None;
            }
            waits.await;
        }
    }

    /// Hands out the operations of an open loop as their time comes, on a thread of its own that
    /// ends with the plan: the runtime's timers tick in milliseconds, which is too coarse to pace
    /// requests that take less.
    pub(super) async fn feed(self: &Arc<Self>) -> io::Result<()> {
        if !self.is_open {
            return Ok(());
        }
        let source = Arc::clone(self);
        tokio::task::spawn_blocking(move || source.pace())
            .await
            .map_err(io::Error::other)
    }

    fn pace(&self) {
        while !lock(&self.plan).is_over(self.now()) {
            while lock(&self.due).len() < BACKLOG {
                let next = lock(&self.plan).next(self.now(), 0);
                let Some(operation) = next else {
                    break;
                };
                lock(&self.due).push_back(operation);
                self.arrived.notify_one();
            }
            let wait = lock(&self.plan).wait(self.now());
            let wait = wait.unwrap_or(SHORTEST).clamp(SHORTEST, LONGEST);
            // Woken early by a signal, it just looks once more.
            let (clock, flags) = (ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty());
            let _whether_interrupted =
                clock_nanosleep(clock, flags, &TimeSpec::from_duration(wait));
        }
        self.is_over.store(true, Ordering::Release);
        self.arrived.notify_waiters();
    }

    /// Operations whose time came and that never began.
    pub(super) fn missed(&self) -> u64 {
        lock(&self.plan).missed()
    }

    fn now(&self) -> Monotonic {
        self.clock.now().monotonic
    }
}

/// What is locked is whole at every moment, also when a thread has panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Operations that may be late at once; later ones wait in the plan.
const BACKLOG: usize = 1 << 16;

const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(20);
