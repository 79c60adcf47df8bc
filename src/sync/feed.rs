//! The task of one feed: its plan, its source, and the hand-over to the writer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::model::DeviceId;
use crate::model::SourceId;
use crate::sync::plan::Plan;
use crate::sync::plan::Run;
use crate::sync::plan::Schedule;
use crate::sync::run::Message;
use crate::sync::source::Brought;
use crate::sync::source::Clock;
use crate::sync::source::Content;
use crate::sync::source::Context;
use crate::sync::source::Delivery;
use crate::sync::source::Failure;
use crate::sync::source::Source;
use crate::sync::source::random;
use crate::sync::status::Board;
use crate::sync::status::Done;
use crate::sync::status::Failed;
use crate::sync::told::Told;

/// One feed with all that its task owns.
pub(super) struct Feed<S> {
    pub(super) name: String,
    pub(super) id: SourceId,
    pub(super) source: S,
    pub(super) board: Board,
    pub(super) clock: Clock,
    pub(super) writer: mpsc::Sender<Message>,
    pub(super) requests: mpsc::Receiver<Request>,
    /// Devices to be asked for alone; `None` is one that nobody knows yet.
    pub(super) look_ups: mpsc::Receiver<Option<DeviceId>>,
    /// Rung when a watched folder changes.
    pub(super) bell: Arc<Notify>,
    /// What operators wait for.
    pub(super) asked: Asked,
    pub(super) told: Told,
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// Requests are numbered upwards.
    pub(super) number: u64,
    pub(super) run: Run,
    /// The list is taken however short it is.
    pub(super) accept: bool,
}

/// The latest request for each kind of run; it stands for the earlier ones.
#[derive(Debug, Default)]
pub(super) struct Asked {
    full: Option<Request>,
    quick: Option<Request>,
}

impl Asked {
    const fn of(&mut self, run: Run) -> &mut Option<Request> {
        match run {
            Run::Full => &mut self.full,
            Run::Quick => &mut self.quick,
        }
    }
}

impl<S: Source> Feed<S> {
    /// Runs until nobody can ask for anything any more.
    pub(super) async fn run(mut self, schedule: Schedule) {
        let mut plan = Plan::new(self.clock.now().monotonic, schedule);
        loop {
            while let Ok(request) = self.requests.try_recv() {
                self.take(request, &mut plan);
            }
            while let Ok(device) = self.look_ups.try_recv() {
                self.look_up(device, &mut plan).await;
            }
            let now = self.clock.now();
            if let Some(run) = plan.poll_run(now.monotonic) {
                self.once(run, &mut plan).await;
                continue;
            }
            let wait = plan
                .poll_timeout()
                .map_or(IDLE, |at| now.monotonic.until(at));
            self.board.next_run(Some(now.wall + wait));
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.bell.notified() => plan.handle_request(Run::Quick),
                Some(device) = self.look_ups.recv() => self.look_up(device, &mut plan).await,
                request = self.requests.recv() => match request {
                    Some(request) => self.take(request, &mut plan),
                    None => return,
                },
            }
        }
    }

    /// Asks for one device, or has a quick run bring it.
    async fn look_up(&mut self, device: Option<DeviceId>, plan: &mut Plan) {
        let Some(device) = device else {
            plan.handle_request(Run::Quick);
            return;
        };
        if plan.is_closed(self.clock.now().monotonic) {
            return;
        }
        let context = Context {
            clock: &self.clock,
            pause_at: None,
            accept: false,
            board: &self.board,
        };
        match self.source.look_up(device, &context).await {
            Ok(None) => plan.handle_request(Run::Quick),
            Ok(Some(updates)) if updates.is_empty() => {}
            Ok(Some(updates)) => {
                let (done, outcome) = oneshot::channel();
                let message = Message::Deliver {
                    source: self.id,
                    content: Content::Delta(updates),
                    done,
                };
                if self.writer.send(message).await.is_ok() {
                    // The next runs say what is wrong with the inventory, if anything is.
                    drop(outcome.await);
                }
            }
            Err(failure) => {
                let reason = failure.to_string();
                tracing::debug!(feed = self.name, reason, "a device was not looked up");
            }
        }
    }

    fn take(&mut self, mut request: Request, plan: &mut Plan) {
        let asked = self.asked.of(request.run);
        request.accept |= asked.is_some_and(|earlier| earlier.accept);
        *asked = Some(request);
        plan.handle_request(request.run);
    }

    async fn once(&mut self, run: Run, plan: &mut Plan) {
        self.board.started(run);
        let accept = self.asked.of(run).is_some_and(|request| request.accept);
        let context = Context {
            clock: &self.clock,
            pause_at: plan.pause_at(),
            accept,
            board: &self.board,
        };
        match self.source.run(run, &context).await {
            Ok(Brought::Paused) => {
                self.board.paused();
                plan.handle_pause(self.clock.now().monotonic, run);
                return;
            }
            Ok(Brought::Unchanged) => {
                let now = self.clock.now();
                plan.handle_success(now.monotonic, run, random());
                self.board.unchanged(now, run);
            }
            Ok(Brought::Delivery(delivery)) => {
                let delivered = self.deliver(run, delivery, accept, plan).await;
                self.source.settle(delivered.is_ok());
                if let Err(failure) = delivered {
                    self.fail(run, failure, plan);
                }
            }
            Err(failure) => {
                self.source.settle(false);
                self.fail(run, failure, plan);
            }
        }
        // An acceptance is for one list: whatever came of it, the next short one is held again.
        if let Some(request) = self.asked.of(run).take() {
            self.board.answered(request.number, run);
        }
    }

    async fn deliver(
        &mut self,
        run: Run,
        delivery: Delivery,
        accept: bool,
        plan: &mut Plan,
    ) -> Result<(), Failure> {
        let Delivery {
            mut content,
            entries,
            bad,
            first_bad,
            problems,
            note,
            again_in,
        } = delivery;
        if let Content::Complete(all) = &mut content {
            all.force = accept;
        }
        let (done, outcome) = oneshot::channel();
        let message = Message::Deliver {
            source: self.id,
            content,
            done,
        };
        let sent = self.writer.send(message).await;
        sent.map_err(|_| Failure::ShuttingDown)?;
        let changes = outcome.await.map_err(|_| Failure::ShuttingDown)??;
        let now = self.clock.now();
        plan.handle_success(now.monotonic, run, random());
        if let Some(wait) = again_in {
            plan.handle_hint(now.monotonic, run, wait);
        }
        self.told.synced(&self.name, run, entries, changes);
        if entries.is_some() {
            self.told.bad_rows(&self.name, bad, first_bad);
        }
        let done = Done {
            entries,
            bad,
            problems,
            note,
        };
        if let Some(over) = self.board.succeeded(now, run, done) {
            self.told.recovered(&self.name, run, &over);
        }
        Ok(())
    }

    fn fail(&self, run: Run, failure: Failure, plan: &mut Plan) {
        let now = self.clock.now();
        let held = matches!(failure, Failure::Refused(_));
        if held {
            // The source has done its part. Another whole walk is for a list that has mended itself.
            plan.handle_success(now.monotonic, run, random());
            plan.handle_hint(now.monotonic, run, HELD_AGAIN);
        } else {
            plan.handle_failure(now.monotonic, run, failure.asked_for(), random());
        }
        let reason = failure.to_string();
        let failed = Failed {
            reason: reason.clone(),
            held,
            problems: failure.into_problems(),
        };
        let news = self.board.failed(now, run, failed);
        self.told.failed(&self.name, run, &reason, held, news);
    }
}

/// The wait before a list is asked for again that is held back for lack of too much.
const HELD_AGAIN: Duration = Duration::from_mins(10);

/// A plan without a next run has nothing to wake up for.
const IDLE: Duration = Duration::from_hours(24);
