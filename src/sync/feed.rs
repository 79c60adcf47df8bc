//! The task of one feed: its plan, its source, and the hand-over to the writer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::model::Now;
use crate::model::Problem;
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

/// One feed with all that its task owns.
pub(super) struct Feed<S> {
    pub(super) name: String,
    pub(super) id: SourceId,
    pub(super) source: S,
    pub(super) board: Board,
    pub(super) clock: Clock,
    pub(super) writer: mpsc::Sender<Message>,
    pub(super) requests: mpsc::Receiver<Request>,
    /// Rung when a watched folder changes.
    pub(super) bell: Arc<Notify>,
    /// The next complete list is taken however short it is.
    pub(super) force: bool,
}

/// What an operator asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) run: Run,
    pub(super) force: bool,
}

impl<S: Source> Feed<S> {
    /// Runs until nobody can ask for anything any more.
    pub(super) async fn run(mut self, schedule: Schedule) {
        let mut plan = Plan::new(self.clock.now().monotonic, schedule);
        loop {
            while let Ok(request) = self.requests.try_recv() {
                self.take(request, &mut plan);
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
                request = self.requests.recv() => match request {
                    Some(request) => self.take(request, &mut plan),
                    None => return,
                },
            }
        }
    }

    fn take(&mut self, request: Request, plan: &mut Plan) {
        self.force |= request.force;
        plan.handle_request(request.run);
    }

    async fn once(&mut self, run: Run, plan: &mut Plan) {
        self.board.started(run);
        let context = Context {
            clock: &self.clock,
            pause_at: plan.pause_at(),
            board: &self.board,
        };
        let brought = self.source.run(run, &context).await;
        let delivered = match brought {
            Ok(Brought::Unchanged) => {
                let now = self.clock.now();
                plan.handle_success(now.monotonic, run, random());
                self.board.unchanged(now);
                return;
            }
            Ok(Brought::Paused) => {
                self.board.paused();
                plan.handle_pause(self.clock.now().monotonic, run);
                return;
            }
            Ok(Brought::Delivery(delivery)) => self.deliver(run, delivery, plan).await,
            Err(failure) => Err(failure),
        };
        self.source.settle(delivered.is_ok());
        let now = self.clock.now();
        if let Err(failure) = delivered {
            self.fail(now, run, failure, plan);
        }
    }

    async fn deliver(
        &mut self,
        run: Run,
        delivery: Delivery,
        plan: &mut Plan,
    ) -> Result<(), Failure> {
        let Delivery {
            mut content,
            entries,
            bad,
            problems,
            note,
            again_in,
        } = delivery;
        if let Content::Complete(all) = &mut content {
            all.force = std::mem::take(&mut self.force);
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
        tracing::info!(
            feed = self.name,
            run = run.as_str(),
            entries,
            bad,
            changes,
            "synced"
        );
        self.tell_problems(&problems);
        self.board.succeeded(
            now,
            run,
            Done {
                entries,
                bad,
                problems,
                note,
            },
        );
        Ok(())
    }

    /// The rows that were passed over, the first few of them; the status has all.
    fn tell_problems(&self, problems: &[Problem]) {
        for problem in problems.iter().take(PROBLEMS_LOGGED) {
            tracing::warn!(feed = self.name, %problem, "a row is not used");
        }
        if problems.len() > PROBLEMS_LOGGED {
            let more = problems.len() - PROBLEMS_LOGGED;
            tracing::warn!(
                feed = self.name,
                more,
                "more rows are not used; see the status"
            );
        }
    }

    fn fail(&self, now: Now, run: Run, failure: Failure, plan: &mut Plan) {
        plan.handle_failure(now.monotonic, run, failure.asked_for(), random());
        let reason = failure.to_string();
        tracing::warn!(feed = self.name, run = run.as_str(), reason, "not synced");
        self.board.failed(now, reason, failure.into_problems());
    }
}

/// Rows that are logged of one file: enough to find a mistake that repeats.
const PROBLEMS_LOGGED: usize = 5;

/// A plan without a next run has nothing to wake up for.
const IDLE: Duration = Duration::from_hours(24);
