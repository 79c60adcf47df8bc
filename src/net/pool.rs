//! Worker threads for what must not delay a packet loop: TLS cryptography and slow hashes.
//!
//! Conversations that have begun go before new ones ([`Lane`]), and the pool knows from what jobs
//! have taken how long a new one would wait ([`Backlog`]): the loops refuse new ones while that is
//! too long, so that those that are begun end before their peers give up. A worker offers its core
//! to others between jobs: a packet loop on the same core then waits for a few jobs and not for the
//! scheduler's tick.
//!
//! Threads wake one another as seldom as they can, since that costs as much as a tenth of a
//! handshake: a worker that has more to do rings for what it has done once in a millisecond at
//! most, and a loop calls no worker twice.
//!
//! What only waits for a server ([`Job::into_inquiry`]) takes no thread: it is a task of the runtime,
//! which ends by the deadline that whoever asks has set, and is lost with the runtime.
//!
//! [`Pool::start`] spawns its threads, each of which owns nothing but the job in hand. They end
//! when the pool is dropped, after the job in hand; a job that is lost with them is a
//! conversation that its peer starts anew. A job that panics is reported to its loop as lost, and
//! its thread goes on.

use std::io;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use nix::sys::eventfd::EfdFlags;
use nix::sys::eventfd::EventFd;
use tokio::runtime::Handle;

use crate::model::Monotonic;
use crate::net::clock::Clock;
use crate::net::streams::Frame;
use crate::net::streams::MAX_FRAMES;
use crate::network::Backlog;
use crate::network::Done;
use crate::network::Handover;
use crate::network::Job;
use crate::network::Lane;

mod lanes;

use lanes::Lanes;

/// Where a packet loop gets what others have for it: finished jobs, datagrams that belong to one of
/// its conversations, and packets of TLS connections.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// Jobs of this loop that were submitted and not collected: each has its place in `done`.
    under_way: AtomicUsize,
    done: ArrayQueue<Done>,
    handovers: ArrayQueue<Handover>,
    frames: ArrayQueue<Frame>,
    /// Whether the loop sleeps, or is about to: only then must the bell be rung.
    asleep: AtomicBool,
    bell: EventFd,
}

impl Mailbox {
    /// A mailbox of a loop that may have `capacity` jobs under way.
    pub(super) fn new(capacity: usize) -> io::Result<Self> {
        Ok(Self {
            under_way: AtomicUsize::new(0),
            done: ArrayQueue::new(capacity.max(1)),
            handovers: ArrayQueue::new(MAX_HANDOVERS),
            frames: ArrayQueue::new(MAX_FRAMES),
            asleep: AtomicBool::new(false),
            bell: EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?,
        })
    }

    pub(super) fn bell(&self) -> &EventFd {
        &self.bell
    }

    /// Wakes the loop.
    pub(super) fn ring(&self) {
        // Full means that it rings already.
        let _already_ringing = self.bell.write(1);
    }

    /// Wakes the loop if it sleeps; after something was put in.
    pub(super) fn ring_a_sleeper(&self) {
        // Between the push before and the look at `asleep`; its other half is in `falls_asleep`.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            self.ring();
        }
    }

    /// Says that the loop is about to sleep, and whether it may: not while something waits.
    pub(super) fn falls_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        // Whoever puts something in from here on sees that the loop sleeps, or it is seen here.
        fence(Ordering::SeqCst);
        self.done.is_empty() && self.handovers.is_empty() && self.frames.is_empty()
    }

    /// Says that the loop is awake and looks by itself. Silences the bell if it has rung.
    pub(super) fn wakes_up(&self, rung: bool) {
        self.asleep.store(false, Ordering::Relaxed);
        if rung {
            let _not_ringing = self.bell.read();
        }
    }

    pub(super) fn pop_done(&self) -> Option<Done> {
        let done = self.done.pop()?;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        Some(done)
    }

    pub(super) fn pop_handover(&self) -> Option<Handover> {
        self.handovers.pop()
    }

    /// Puts a datagram in; gives it back if the queue is full.
    pub(super) fn hand_over(&self, handover: Handover) -> Result<(), Handover> {
        let kept = self.handovers.push(handover);
        self.ring_a_sleeper();
        kept
    }

    pub(super) fn pop_frame(&self) -> Option<Frame> {
        self.frames.pop()
    }

    /// Puts a packet of a TLS connection in; gives it back if the queue is full.
    pub(super) fn put_frame(&self, frame: Frame) -> Result<(), Frame> {
        let kept = self.frames.push(frame);
        self.ring_a_sleeper();
        kept
    }

    /// Sets a place for one finished job aside, if there is one.
    pub(super) fn reserve(&self) -> bool {
        // Only the mailbox's own loop reserves, so nothing comes between the look and the count.
        let free = self.under_way.load(Ordering::Relaxed) < self.done.capacity();
        if free {
            self.under_way.fetch_add(1, Ordering::Relaxed);
        }
        free
    }

    /// Puts a finished job in. The loop sees it when it next looks; whoever puts in sees to it that
    /// it is woken.
    pub(super) fn put_done(&self, done: Done) {
        // Never refused: `reserve` has set its place aside.
        drop(self.done.push(done));
    }
}

/// Loops that have to be woken for what a worker has put in.
#[derive(Debug, Default)]
struct Owed {
    mailboxes: Vec<Arc<Mailbox>>,
    since: Monotonic,
}

impl Owed {
    fn add(&mut self, mailbox: Arc<Mailbox>, now: Monotonic) {
        if self.mailboxes.is_empty() {
            self.since = now;
        }
        let known = |other: &Arc<Mailbox>| Arc::ptr_eq(other, &mailbox);
        if !self.mailboxes.iter().any(known) {
            self.mailboxes.push(mailbox);
        }
    }

    /// Whether they may not wait for another job of this kind.
    fn is_due_before(&self, lane: Lane, now: Monotonic) -> bool {
        let long = match lane {
            Lane::Begun | Lane::First => false,
            Lane::Slow => true,
        };
        long || now.since(self.since) >= LONGEST_SILENCE
    }

    fn ring(&mut self) {
        for mailbox in self.mailboxes.drain(..) {
            mailbox.ring_a_sleeper();
        }
    }
}

/// A bounded queue of jobs and the threads that work on it.
#[derive(Debug)]
pub struct Pool {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    runtime: Handle,
}

/// The place of an answer that is waited for: it is filled whatever becomes of the question.
struct Promise {
    mailbox: Arc<Mailbox>,
    done: Option<Done>,
}

impl Promise {
    fn keep(&mut self, done: Done) {
        self.done = Some(done);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if let Some(done) = self.done.take() {
            self.mailbox.put_done(done);
            self.mailbox.ring_a_sleeper();
        }
    }
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
    threads: usize,
    /// Microseconds that a new conversation's job would wait; written under the lock.
    wait: AtomicU64,
}

#[derive(Debug)]
struct State {
    waiting: Lanes<(Job, Arc<Mailbox>)>,
    /// Workers without a job that nobody has called: while there is none, nobody need be woken.
    idle: usize,
    /// Workers that were called and have not come yet.
    called: usize,
    closed: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A job that panicked did so outside the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the loops how long the queue is now.
    fn publish(&self, state: &State) {
        let wait = state.waiting.wait(self.threads).as_micros();
        let wait = u64::try_from(wait).unwrap_or(u64::MAX);
        self.wait.store(wait, Ordering::Relaxed);
    }
}

impl Pool {
    /// Starts `threads` workers that share a queue of `capacity` jobs. Questions to servers are driven
    /// by `runtime`.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(
        threads: usize,
        capacity: usize,
        clock: Clock,
        runtime: Handle,
    ) -> io::Result<Self> {
        let (threads, capacity) = (threads.max(1), capacity.max(1));
        let queue = Arc::new(Queue {
            state: Mutex::new(State {
                waiting: Lanes::new(capacity),
                idle: 0,
                called: 0,
                closed: false,
            }),
            arrived: Condvar::new(),
            capacity,
            threads,
            wait: AtomicU64::new(0),
        });
        let threads = (0..threads)
            .map(|number| {
                let queue = Arc::clone(&queue);
                thread::Builder::new()
                    .name(format!("handshake-{number}"))
                    .spawn(move || work(&queue, clock))
            })
            .collect::<io::Result<Vec<_>>>()?;
        Ok(Self {
            queue,
            threads,
            runtime,
        })
    }

    /// Jobs that may wait at one time.
    pub(super) fn capacity(&self) -> usize {
        self.queue.capacity
    }

    /// How many threads work.
    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }

    /// How long a conversation that begins now would wait for its first flight.
    pub(super) fn backlog(&self) -> Backlog {
        let wait = Duration::from_micros(self.queue.wait.load(Ordering::Relaxed));
        if wait > 4 * LONG_WAIT {
            Backlog::TooLong
        } else if wait > LONG_WAIT {
            Backlog::Long
        } else {
            Backlog::Short
        }
    }

    /// Puts a job in, to be answered to `mailbox`; gives it back if the queue is full, or the
    /// mailbox's loop has as many under way as it can take back.
    pub(super) fn submit(&self, job: Job, mailbox: &Arc<Mailbox>) -> Result<(), Box<Job>> {
        if job.is_inquiry() {
            return self.ask(job, mailbox);
        }
        let mut state = self.queue.lock();
        let lane = job.lane();
        if !state.waiting.has_room(lane) || !mailbox.reserve() {
            return Err(Box::new(job));
        }
        state.waiting.push(lane, (job, Arc::clone(mailbox)));
        self.queue.publish(&state);
        let wake = state.idle > 0;
        if wake {
            state.idle -= 1;
            state.called += 1;
        }
        drop(state);
        if wake {
            self.queue.arrived.notify_one();
        }
        Ok(())
    }
}

impl Pool {
    fn ask(&self, job: Job, mailbox: &Arc<Mailbox>) -> Result<(), Box<Job>> {
        if !mailbox.reserve() {
            return Err(Box::new(job));
        }
        let mut promise = Promise {
            mailbox: Arc::clone(mailbox),
            done: Some(job.loss()),
        };
        let asking = job.into_inquiry()?;
        self.runtime.spawn(async move {
            let done = asking.await;
            promise.keep(done);
        });
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.arrived.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a handshake worker ended by a panic");
            }
        }
    }
}

fn work(queue: &Queue, clock: Clock) {
    let mut owed = Owed::default();
    let mut offered = clock.now().monotonic;
    let mut last = None;
    while let Some((job, mailbox)) = next(queue, last, &mut owed) {
        let (loss, lane, began) = (job.loss(), job.lane(), clock.now());
        if owed.is_due_before(lane, began.monotonic) {
            owed.ring();
        }
        // The job owns all it touches, and what it leaves half done goes with it.
        let done = catch_unwind(AssertUnwindSafe(|| job.run(|| began)));
        mailbox.put_done(done.unwrap_or_else(|_| {
            tracing::error!("a handshake or password check ended by a panic; its peer starts anew");
            loss
        }));
        let now = clock.now().monotonic;
        owed.add(mailbox, now);
        last = Some((lane, now.since(began.monotonic)));
        // On a core that is shared with a packet loop, the loop would wait until the scheduler
        // looks at the clock: up to 4 ms.
        if now.since(offered) >= LONGEST_HOLD {
            thread::yield_now();
            offered = clock.now().monotonic;
        }
    }
    owed.ring();
}

/// Waits for a job, after waking the loops; says before what the last one took.
fn next(
    queue: &Queue,
    last: Option<(Lane, Duration)>,
    owed: &mut Owed,
) -> Option<(Job, Arc<Mailbox>)> {
    let mut state = queue.lock();
    if let Some((lane, time)) = last {
        state.waiting.took(lane, time);
    }
    loop {
        if state.closed {
            return None;
        }
        if let Some(next) = state.waiting.pop() {
            queue.publish(&state);
            return Some(next);
        }
        if !owed.mailboxes.is_empty() {
            // Without the lock: a loop that wakes takes the core and then wants it.
            drop(state);
            owed.ring();
            state = queue.lock();
            continue;
        }
        state.idle += 1;
        state = queue
            .arrived
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
        // Whoever wakes first has been called, and by chance it was another one.
        if state.called > 0 {
            state.called -= 1;
        } else {
            state.idle -= 1;
        }
    }
}

/// Datagrams on their way to another packet loop: they are rare, a NAS that changes its source
/// port in the middle of a conversation; a lost one is sent again.
const MAX_HANDOVERS: usize = 1024;

/// From how long a wait on new conversations are refused to sources that have a few in progress;
/// at four times that, to all. NASes ask again after one to five seconds, and supplicants give up
/// after some 30. Conversations whose first flights are still on their way here come on top, which
/// may double it. Far longer than a worker needs to have the next job, so that none is ever idle
/// under overload.
const LONG_WAIT: Duration = Duration::from_millis(250);

/// The longest that a loop may sleep while what it waits for is done: the time of some flights, of
/// which each waits for a worker as long anyway when there are more of them.
const LONGEST_SILENCE: Duration = Duration::from_millis(1);

/// The longest that a worker keeps its core, rounded up to a whole job. Each time costs two
/// switches, and what the packet loop finds then is one datagram more.
const LONGEST_HOLD: Duration = Duration::from_micros(500);
