//! Passwords inside of a tunnel: the directory is asked on behalf of a conversation.

use crate::eap::Answer;
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
    /// Asks the directory what a conversation wants to know. What takes long goes to a worker, and
    /// the conversation with it.
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
                let check = Box::new(move || {
                    if check() {
                        Answer::Accepted(None)
                    } else {
                        Answer::Refused
                    }
                });
                return self.ask_later(now, round, slot, check);
            }
        };
        self.go_on_here(now, round, slot, |conversation| {
            conversation.answer(now, answer)
        });
    }

    fn ask_later(
        &mut self,
        now: Now,
        round: &Round<'_>,
        slot: Slot,
        check: Box<dyn FnOnce() -> Answer + Send>,
    ) {
        let Some(state) = round.state else {
            return self.forget(round.asked);
        };
        if !self.away.has_room_for_password() {
            // The conversation waits, and is asked about again when the NAS asks again.
            self.counters.discard(Discarded::Overloaded);
            self.forget(round.asked);
            return self.conversations.wait(state, slot);
        }
        let mut standing = slot.standing;
        standing.prolong(now.monotonic, round.settings.config.patience);
        self.conversations.part(state, standing);
        let waiting = Waiting::Handshake(Parted {
            state,
            judge: slot.judge,
            standing,
            wants_key_name: round.wants_key_name,
            slow: true,
        });
        let work = Work::Inside(slot.conversation, check);
        let (deadline, origin) = (standing.deadline(), round.asked.origin.hold());
        self.send_away(deadline, round.asked, origin, waiting, work);
    }
}
