//! Passwords inside of a tunnel: the directory is asked on behalf of a conversation. Guesses are slowed
//! as those without EAP are, and what tells a peer that one was wrong leaves after the same delay.

use std::time::Duration;

use crate::eap;
use crate::eap::Conversation;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Answer;
use crate::network::Check;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::away::Parted;
use crate::network::away::Waiting;
use crate::network::context::Refused;
use crate::network::conversation::Slot;
use crate::network::discard::Discarded;
use crate::network::eap::Round;
use crate::network::job::Work;
use crate::network::server::Server;

impl Server {
    /// Asks the directory what a conversation wants to know. What takes long goes to a worker
    /// or waits for a server, and the conversation with it.
    pub(super) fn ask(&mut self, now: Now, round: &Round<'_>, slot: Slot) {
        let Some(question) = slot.conversation.question() else {
            return self.forget(round.asked);
        };
        let settings = round.settings;
        match self.halts_guess(now, &settings.config, round.asked, question.user()) {
            None => {}
            Some(Err(busy)) => return self.ask_again(round, slot, busy),
            Some(Ok(why)) => {
                let answer = eap::Answer::RefusedFor(why.as_str().into());
                return self.answer_inside(now, round, slot, answer, true);
            }
        }
        let answer = match settings.passwords.check(question.user(), &question.proof()) {
            Check::Accepted(key) => Answer::Accepted(key),
            Check::Refused => Answer::refused(),
            Check::Unknown => Answer::unknown(),
            Check::Unsuited => Answer::Unsuited,
            Check::Slow(check) => {
                return self.ask_later(now, round, slot, |conversation| {
                    Work::Inside(conversation, check)
                });
            }
            Check::Elsewhere(inquiry) => {
                return self.ask_later(now, round, slot, |conversation| {
                    Work::InsideInquiry(conversation, inquiry)
                });
            }
        };
        self.take_answer(now, round, slot, answer);
    }

    /// Goes on with a conversation whose question has been answered.
    pub(in crate::network) fn resume_inside(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        parted: Parted,
        conversation: Box<Conversation>,
        answer: Answer,
    ) {
        let Some((round, mut slot)) = self.rejoined(settings, asked, parted, conversation) else {
            return;
        };
        slot.standing.worked = true;
        self.take_answer(now, &round, slot, answer);
    }

    fn take_answer(&mut self, now: Now, round: &Round<'_>, slot: Slot, answer: Answer) {
        let config = &round.settings.config;
        if let Some(question) = slot.conversation.question() {
            self.note_guess(now, config, round.asked, question.user(), &answer);
            if let Answer::Unavailable(why) = &answer
                && !config.reject_when_unavailable
            {
                let context = slot.judge.context();
                let refused = Refused {
                    method: "eap",
                    user: question.user(),
                    why: why.as_str(),
                };
                self.record_refusal(now, round.asked, context, &refused);
                return self.ask_again(round, slot, Discarded::Unavailable);
            }
        }
        let refused = match &answer {
            Answer::Accepted(_) => false,
            Answer::Refused(_) | Answer::Unsuited | Answer::Unavailable(_) => true,
        };
        self.answer_inside(now, round, slot, answer.into(), refused);
    }

    /// Goes on with the answer. A peer that is refused learns so after the delay, in whatever packet
    /// of its method; so does one that is blocked, which would else learn that the password was right.
    fn answer_inside(
        &mut self,
        now: Now,
        round: &Round<'_>,
        slot: Slot,
        answer: eap::Answer,
        refused: bool,
    ) {
        let reject_delay = round.settings.config.reject_delay;
        let judge = std::sync::Arc::clone(&slot.judge);
        let work = |conversation: &mut Conversation| conversation.answer(now, answer);
        self.go_on_here(now, slot, round, work, || {
            let decided = judge.decided();
            let blocked = decided.is_some_and(|it| it.decision.verdict == Verdict::Block);
            if refused || blocked {
                reject_delay
            } else {
                Duration::ZERO
            }
        });
    }

    /// Lets a conversation wait until the NAS asks again.
    fn ask_again(&mut self, round: &Round<'_>, slot: Slot, why: Discarded) {
        self.counters.discard(why);
        self.forget(round.asked);
        if let Some(state) = round.state {
            self.conversations.wait(state, slot);
        }
    }

    /// Waits for the responder that is asked about the peer's certificate, and the conversation with
    /// it.
    pub(super) fn wait(&mut self, now: Now, round: &Round<'_>, slot: Slot) {
        let Some(settled) = slot.conversation.waits_for() else {
            return self.forget(round.asked);
        };
        self.ask_later(now, round, slot, |conversation| {
            Work::Responder(conversation, Box::pin(settled))
        });
    }

    fn ask_later(
        &mut self,
        now: Now,
        round: &Round<'_>,
        slot: Slot,
        work: impl FnOnce(Box<Conversation>) -> Work,
    ) {
        let Some(state) = round.state else {
            return self.forget(round.asked);
        };
        let question = slot.conversation.question();
        let user: Option<Box<str>> = question.map(|question| question.user().into());
        let Slot {
            conversation,
            judge,
            mut standing,
        } = slot;
        let work = work(conversation);
        if !self.away.has_room(work.is_elsewhere()) {
            // The conversation waits, and is asked about again when the NAS asks again.
            if let Some(conversation) = work.into_conversation() {
                let slot = Slot {
                    conversation,
                    judge,
                    standing,
                };
                self.ask_again(round, slot, Discarded::Overloaded);
            }
            return;
        }
        if let Some(user) = &user {
            self.guess_began(now.monotonic, round.asked.from.ip(), user);
        }
        standing.prolong(now.monotonic, round.settings.config.patience);
        self.conversations.part(state, standing);
        let waiting = Waiting::Handshake(Parted {
            state,
            judge,
            standing,
            wants_key_name: round.wants_key_name,
            guess: user,
        });
        let (deadline, origin) = (standing.deadline(), round.asked.origin.hold());
        self.send_away(deadline, round.asked, origin, waiting, work);
    }
}
