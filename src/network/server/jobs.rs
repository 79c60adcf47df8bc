//! Work that is slow or elsewhere: it leaves as a job, and its request waits until the job comes back,
//! is refused or is given up.

use std::sync::Arc;

use super::Server;
use crate::model::Monotonic;
use crate::model::Now;
use crate::network::away::Asked;
use crate::network::away::Away;
use crate::network::away::Waiting;
use crate::network::discard::Discarded;
use crate::network::job::Done;
use crate::network::job::Job;
use crate::network::job::Work;
use crate::network::job::Worked;
use crate::radius::HeldOrigin;

impl Server {
    /// Takes a finished job in.
    pub fn handle_job(&mut self, now: Now, done: Done) {
        // A job that took longer than its conversation may live has nobody waiting for it.
        let Some(away) = self.away.take(done.ticket) else {
            return;
        };
        self.guess_ended(&away);
        let settings = self.shared.settings.load();
        match (&away.waiting, done.result) {
            (Waiting::Handshake(parted), Worked::Handshake(conversation, step)) => {
                let parted = parted.clone();
                self.resume_conversation(now, &settings, &away.asked(), parted, conversation, step);
            }
            (Waiting::Handshake(parted), Worked::Inside(conversation, answer)) => {
                let parted = parted.clone();
                self.resume_inside(now, &settings, &away.asked(), parted, conversation, answer);
            }
            (Waiting::Handshake(parted), Worked::LookedUp(conversation, step, answer)) => {
                let parted = parted.clone();
                self.resume_looked_up(
                    now,
                    &settings,
                    &away.asked(),
                    parted,
                    (conversation, *step),
                    answer,
                );
            }
            (Waiting::Handshake(parted), Worked::Settled(mut conversation)) => {
                let parted = parted.clone();
                let step = conversation.settle(now);
                self.resume_conversation(now, &settings, &away.asked(), parted, conversation, step);
            }
            (Waiting::Password(pending), Worked::Password(answer)) => {
                self.resume_password(now, &settings, &away.asked(), pending, answer);
            }
            (Waiting::Home(at_home), Worked::Home(answer)) => {
                self.resume_forward(now, &settings, &away, at_home, answer);
            }
            (Waiting::Handshake(_), Worked::Password(_) | Worked::Home(_) | Worked::Lost)
            | (
                Waiting::Password(_),
                Worked::Handshake(..)
                | Worked::Inside(..)
                | Worked::LookedUp(..)
                | Worked::Settled(_)
                | Worked::Home(_)
                | Worked::Lost,
            )
            | (
                Waiting::Home(_),
                Worked::Handshake(..)
                | Worked::Inside(..)
                | Worked::LookedUp(..)
                | Worked::Settled(_)
                | Worked::Password(_)
                | Worked::Lost,
            ) => {
                self.give_up(&away);
            }
        }
    }

    /// Takes back a job for which the workers have no place: its request is dropped, and answered
    /// when the NAS asks again.
    pub fn handle_refused_job(&mut self, job: Job) {
        self.counters.discard(Discarded::Overloaded);
        let Some(away) = self.away.take(job.ticket) else {
            return;
        };
        self.forget(&away.asked());
        self.guess_ended(&away);
        if let (Waiting::Handshake(parted), Some(conversation)) =
            (away.waiting, job.work.into_conversation())
        {
            self.take_back(parted, conversation);
        }
    }

    /// The next job for a worker thread.
    pub fn poll_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// Sends a job away; its request waits for it.
    pub(in crate::network) fn send_away(
        &mut self,
        deadline: Monotonic,
        asked: &Asked<'_>,
        origin: HeldOrigin,
        waiting: Waiting,
        work: Work,
    ) {
        let away = Away {
            door: asked.door,
            from: asked.from,
            nas: Arc::clone(asked.nas),
            origin,
            came: asked.came,
            held: asked.held,
            peer: asked.peer.clone(),
            waiting,
            elsewhere: work.is_elsewhere(),
        };
        let lane = away.lane();
        let ticket = self.away.put(deadline, away);
        self.jobs.push_back(Job { ticket, lane, work });
    }

    /// Lets go of a request whose job will not come back.
    pub(super) fn give_up(&mut self, away: &Away) {
        self.counters.lost.count();
        self.forget(&away.asked());
        if let Waiting::Handshake(parted) = &away.waiting {
            self.conversations.rejoin(parted.state);
        }
    }
}
