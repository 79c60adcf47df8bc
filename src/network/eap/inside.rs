//! Passwords inside of a tunnel: the directory is asked on behalf of a conversation.

use crate::eap::Answer;
use crate::eap::Conversation;
use crate::model::Now;
use crate::network::Check;
use crate::network::away::Parted;
use crate::network::away::Waiting;
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
        let passwords = &round.settings.passwords;
        let answer = match passwords.check(question.user(), &question.proof()) {
            Check::Accepted(key) => Answer::Accepted(key),
            Check::Refused => Answer::Refused,
            Check::Unsuited => Answer::Unsuited,
            Check::Slow(check) => {
                let check = Box::new(move || Answer::from(check()));
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
        self.go_on_here(now, round, slot, |conversation| {
            conversation.answer(now, answer)
        });
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
        let Slot {
            conversation,
            judge,
            mut standing,
        } = slot;
        let work = work(conversation);
        if !self.away.has_room(work.is_elsewhere()) {
            // The conversation waits, and is asked about again when the NAS asks again.
            self.counters.discard(Discarded::Overloaded);
            self.forget(round.asked);
            if let Some(conversation) = work.into_conversation() {
                let slot = Slot {
                    conversation,
                    judge,
                    standing,
                };
                self.conversations.wait(state, slot);
            }
            return;
        }
        standing.prolong(now.monotonic, round.settings.config.patience);
        self.conversations.part(state, standing);
        let waiting = Waiting::Handshake(Parted {
            state,
            judge,
            standing,
            wants_key_name: round.wants_key_name,
            slow: true,
        });
        let (deadline, origin) = (standing.deadline(), round.asked.origin.hold());
        self.send_away(deadline, round.asked, origin, waiting, work);
    }
}
