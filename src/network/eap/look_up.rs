//! Groups of peers that have shown no password: a directory is asked before the decision.
//!
//! A certificate is known only inside of the handshake, where nobody may wait. So the judge lets the
//! handshake come to its end there, and its next step is held back until the directory has answered: the
//! peer has been told nothing by then, and no ticket is kept.

use crate::eap::Conversation;
use crate::eap::Step;
use crate::eap::failure;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Answer;
use crate::network::Inquiry;
use crate::network::Settings;
use crate::network::attempt::DOWN;
use crate::network::away::Asked;
use crate::network::away::Parted;
use crate::network::away::Waiting;
use crate::network::check::Why;
use crate::network::context::Refused;
use crate::network::conversation::Slot;
use crate::network::discard::Discarded;
use crate::network::eap::Round;
use crate::network::eap::outcome::name;
use crate::network::job::Work;
use crate::network::server::Server;

impl Server {
    /// Holds a step back until a directory has answered.
    pub(super) fn look_up(
        &mut self,
        now: Now,
        round: &Round<'_>,
        slot: Slot,
        step: Step,
        inquiry: Inquiry,
    ) {
        let Some(state) = round.state else {
            return self.forget(round.asked);
        };
        if matches!(step, Step::Failure(_)) {
            // Nobody is to be judged any more.
            return self.go_on(now, round, slot, step);
        }
        if !self.away.has_room(true) {
            let why = Why::new("too many wait for the directories");
            return self.looked_up(now, round, slot, step, &Answer::Unavailable(why));
        }
        let Slot {
            conversation,
            judge,
            mut standing,
        } = slot;
        standing.prolong(now.monotonic, round.settings.config.patience);
        self.conversations.part(state, standing);
        let waiting = Waiting::Handshake(Parted {
            state,
            judge,
            standing,
            wants_key_name: round.wants_key_name,
            guess: None,
        });
        let (deadline, origin) = (standing.deadline(), round.asked.origin.hold());
        let work = Work::LookUp(conversation, Box::new(step), inquiry);
        self.send_away(deadline, round.asked, origin, waiting, work);
    }

    /// Goes on when it has.
    pub(in crate::network) fn resume_looked_up(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        parted: Parted,
        (conversation, step): (Box<Conversation>, Step),
        answer: Answer,
    ) {
        let Some((round, slot)) = self.rejoined(settings, asked, parted, conversation) else {
            return;
        };
        self.looked_up(now, &round, slot, step, &answer);
    }

    fn looked_up(
        &mut self,
        now: Now,
        round: &Round<'_>,
        mut slot: Slot,
        step: Step,
        answer: &Answer,
    ) {
        let why = match answer {
            Answer::Accepted(_) => match slot.judge.settle(now.wall) {
                Some((_, Verdict::Allow | Verdict::Quarantine)) => {
                    return self.go_on(now, round, slot, step);
                }
                Some((principal, Verdict::Block)) => {
                    let step = slot.conversation.block(&principal);
                    return self.go_on(now, round, slot, step);
                }
                // Nobody was judged in this conversation, so nobody can have been looked up.
                None => return self.forget(round.asked),
            },
            Answer::Refused(why) => why.as_str(),
            Answer::Unavailable(why) => why.as_str(),
            Answer::Unsuited => "the directory cannot tell",
        };
        let drops = matches!(answer, Answer::Unavailable(_))
            && !round.settings.config.reject_when_unavailable;
        let principal = slot.judge.presented();
        let user = principal.as_ref().and_then(|principal| principal.user());
        let context = slot.judge.context().clone();
        let method = name(&match &step {
            Step::Success(outcome) => outcome.spoken,
            Step::Failure(failed) => failed.spoken,
            Step::Request(_) | Step::Work | Step::Ask | Step::Wait | Step::Discard(_) => {
                slot.conversation.spoken()
            }
        });
        let refused = Refused {
            method: method.as_str(),
            user: user.unwrap_or_default(),
            why,
        };
        let advice = matches!(answer, Answer::Unavailable(_)).then_some(DOWN);
        self.record_refusal_with(now, round.asked, &context, &refused, advice);
        if drops {
            // Its place is kept until it is given up, so that the NAS hears nothing when it asks again.
            if let Some(state) = round.state {
                self.conversations.part(state, slot.standing);
            }
            self.counters.discard(Discarded::Unavailable);
            return self.forget(round.asked);
        }
        self.counters.not_authenticated.count();
        let identifier = slot.conversation.last_request().get(1).copied();
        let delay = round.delay;
        self.reject_eap(
            now,
            delay,
            round.asked,
            &failure(identifier.unwrap_or_default()),
        );
    }
}
