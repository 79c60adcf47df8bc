//! EAP inside RADIUS (RFC 3579): from EAP-Message to conversation, from step to reply.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use crate::eap::Conversation;
use crate::eap::Discard;
use crate::eap::Silent;
use crate::eap::Step;
use crate::eap::Type;
use crate::eap::failure;
use crate::model::Now;
use crate::network::Backlog;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::away::Parted;
use crate::network::away::Waiting;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::context::readable;
use crate::network::conversation::Binding;
use crate::network::conversation::Brought as Response;
use crate::network::conversation::Found;
use crate::network::conversation::Share;
use crate::network::conversation::Slot;
use crate::network::conversation::State;
use crate::network::discard::Discarded;
use crate::network::job::Work;
use crate::network::judge::ConversationJudge;
use crate::network::server::Server;
use crate::radius::AccessRequest;
use crate::radius::AttributeType;
use crate::radius::MAX_PACKET;
use crate::radius::Reply;
use crate::radius::Verified;

mod back;
mod inside;
mod look_up;
mod outcome;

/// One round of a conversation: the request that brought it, and how to answer.
struct Round<'a> {
    asked: &'a Asked<'a>,
    settings: &'a Settings,
    /// Whether the NAS asked for EAP-Key-Name (RFC 7268 section 2.2).
    wants_key_name: bool,
    /// By which the request named its conversation.
    state: Option<State>,
    /// How long after its request the answer leaves.
    delay: Duration,
}

/// The EAP side of one request.
struct Brought<'a> {
    request: &'a AccessRequest<'a>,
    /// The EAP packet; empty for EAP-Start, and for what cannot be joined.
    response: &'a [u8],
    binding: Binding,
}

impl Server {
    /// Answers an Access-Request with an EAP-Message.
    pub(super) fn eap(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        let mut joined = [0; MAX_PACKET];
        let response = request
            .eap_message()
            .and_then(|message| message.join(&mut joined));
        let brought = Brought {
            request,
            response: response.unwrap_or(&[]),
            binding: self.conversations.binding(asked.from.ip(), request),
        };
        let round = Round {
            asked,
            settings,
            wants_key_name: request.wants_eap_key_name(),
            state: request.state().and_then(State::parse),
            delay: Duration::ZERO,
        };
        let done = match request.state() {
            None => self.first_round(now, &round, &brought),
            Some(state) => self.next_round(now, &round, &brought, state, verified),
        };
        done.inspect_err(|_| self.forget(asked))
    }

    /// A request without State begins a conversation.
    fn first_round(
        &mut self,
        now: Now,
        round: &Round<'_>,
        brought: &Brought<'_>,
    ) -> Result<(), Discarded> {
        let overloaded = match self.backlog {
            Backlog::Short => false,
            Backlog::Long => self.conversations.in_progress(round.asked.from.ip()) >= A_FEW,
            Backlog::TooLong => true,
        };
        if overloaded {
            return Err(Discarded::Overloaded);
        }
        let capacity = round.settings.config.conversations;
        if self.draining || !self.conversations.has_room(now.monotonic, capacity) {
            return Err(Discarded::ConversationsFull);
        }
        let Some(eap) = round.settings.eap_of(round.asked.nas.group()) else {
            self.refuse_eap(now, round.asked, brought, "server: EAP is not configured");
            return Ok(());
        };
        let mut slot = self.begin(now, round, brought, eap);
        // An empty EAP-Message is EAP-Start: the NAS leaves the question to us (RFC 3579 2.1).
        let step = if brought.response.is_empty() {
            slot.conversation.handle_start(now)
        } else {
            slot.conversation.handle(now, brought.response)
        };
        if self.refuse_misnamed(now, round, brought, &slot) {
            return Ok(());
        }
        match step {
            Step::Request(request) => {
                for _ in 0..self.conversations.make_room(now.monotonic, capacity) {
                    self.counters.evicted.count();
                }
                self.counters.conversations.count();
                self.challenge(now, round, slot, &request, false);
                Ok(())
            }
            Step::Failure(failed) => {
                self.fail(now, round, &slot, &failed);
                Ok(())
            }
            // Nothing was asked that could be asked again.
            Step::Discard(Discard::Invalid(invalid)) => {
                let why = format!("server: {invalid}");
                self.refuse_eap(now, round.asked, brought, &why);
                Ok(())
            }
            // Neither is what a first response can lead to.
            Step::Discard(Discard::Silent(_))
            | Step::Work
            | Step::Ask
            | Step::Wait
            | Step::Success(_) => Err(Discarded::Eap),
        }
    }

    /// A request with State goes on with the conversation that the State names.
    fn next_round(
        &mut self,
        now: Now,
        round: &Round<'_>,
        brought: &Brought<'_>,
        state: &[u8],
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        let found = State::parse(state).map(|state| {
            let found = self
                .conversations
                .take(state, &brought.binding, brought.response);
            (state, found)
        });
        let (state, mut slot) = match found {
            Some((state, Found::Slot(slot))) => (state, slot),
            Some((_, Found::Away)) => return Err(Discarded::ConversationBusy),
            Some((_, Found::Over)) => return Err(Discarded::RoundOver),
            Some((_, Found::Repeated(state, request))) => {
                self.counters.replayed.count();
                let challenge = (&request[..], state, false);
                self.send_challenge(now, round.delay, round.asked, challenge);
                return Ok(());
            }
            // A reject would keep a healthy device out; silence lets its NAS begin anew.
            Some((_, Found::Nothing)) if self.conversations.has_put_out_lately(now.monotonic) => {
                return Err(Discarded::ConversationsFull);
            }
            Some((_, Found::Nothing)) | None => {
                let why = "server: no conversation has this State; it is over or was given up";
                self.refuse_eap(now, round.asked, brought, why);
                return Ok(());
            }
        };
        let progresses = answers_method(&slot.conversation, brought.response);
        let capacity = round.settings.config.conversations;
        if progresses {
            let (now, standing) = (now.monotonic, &slot.standing);
            match self.conversations.may_progress(now, standing, capacity) {
                Share::Free => {}
                Share::Freed => self.counters.evicted.count(),
                Share::Taken => {
                    self.conversations.wait(state, slot);
                    return Err(Discarded::ShareFull);
                }
            }
        }
        let was_named = slot.conversation.identity().is_some();
        let step = slot.conversation.handle(now, brought.response);
        let before = slot.standing.brought;
        slot.standing.brought = Some(Response::of(brought.response));
        if !was_named && self.refuse_misnamed(now, round, brought, &slot) {
            self.conversations.end(now.monotonic, &slot.standing);
            return Ok(());
        }
        if !was_named && slot.conversation.identity().is_some() {
            slot.standing.binding = brought.binding;
        }
        match step {
            Step::Work if slot.conversation.has_light_work() => {
                slot.standing.answered |= progresses;
                self.work_here(now, round, slot);
                Ok(())
            }
            Step::Discard(Discard::Silent(Silent::Busy))
                if slot.conversation.question().is_some() =>
            {
                self.ask(now, round, slot);
                Ok(())
            }
            Step::Discard(Discard::Silent(Silent::Busy))
                if slot.conversation.waits_for().is_some() =>
            {
                self.wait(now, round, slot);
                Ok(())
            }
            // The work that is due was refused for want of workers; now it is tried again.
            Step::Work | Step::Discard(Discard::Silent(Silent::Busy)) => {
                slot.standing.answered |= progresses;
                self.part(now, round, state, slot, verified);
                Ok(())
            }
            Step::Discard(Discard::Silent(_)) => {
                // The conversation goes on waiting for the right response, and no longer for it.
                slot.standing.brought = before;
                self.conversations.wait(state, slot);
                Err(Discarded::Eap)
            }
            Step::Request(_) => {
                slot.standing.answered |= progresses;
                self.take_step(now, round, slot, step);
                Ok(())
            }
            Step::Discard(Discard::Invalid(_))
            | Step::Ask
            | Step::Wait
            | Step::Success(_)
            | Step::Failure(_) => {
                self.take_step(now, round, slot, step);
                Ok(())
            }
        }
    }

    /// Does work that takes less than giving it away.
    fn work_here(&mut self, now: Now, round: &Round<'_>, slot: Slot) {
        let work = |conversation: &mut Conversation| conversation.work(now);
        self.go_on_here(now, slot, round, work, || Duration::ZERO);
    }

    /// `delay` says afterwards how long after its request the answer leaves.
    fn go_on_here(
        &mut self,
        now: Now,
        mut slot: Slot,
        round: &Round<'_>,
        work: impl FnOnce(&mut Conversation) -> Step,
        delay: impl FnOnce() -> Duration,
    ) {
        // As with a worker, a panic costs its own conversation only, which goes with it.
        let worked = catch_unwind(AssertUnwindSafe(|| {
            let step = work(&mut slot.conversation);
            (slot, step)
        }));
        match worked {
            Ok((slot, step)) => {
                let delay = delay();
                self.take_step(now, &Round { delay, ..*round }, slot, step);
            }
            Err(_) => {
                self.counters.lost.count();
                self.forget(round.asked);
            }
        }
    }

    fn begin(
        &mut self,
        now: Now,
        round: &Round<'_>,
        brought: &Brought<'_>,
        eap: &Arc<crate::eap::Config>,
    ) -> Slot {
        let Round {
            asked, settings, ..
        } = round;
        let judge = Arc::new(ConversationJudge::new(
            Arc::clone(&self.shared.point),
            Arc::clone(asked.nas),
            Context::new(asked.from.ip(), brought.request),
            Arc::clone(&settings.passwords),
        ));
        let [identifier] = self.chance.next();
        let eap_packet = settings.config.eap_packet;
        let largest = brought
            .request
            .eap_mtu()
            .and_then(|mtu| usize::try_from(mtu).ok())
            .map_or(eap_packet, |mtu| mtu.min(eap_packet));
        let conversation = Conversation::new(
            Arc::clone(eap),
            Arc::clone(&judge) as Arc<dyn crate::eap::Judge>,
            identifier,
            largest,
        )
        .offering(Arc::clone(settings.methods.offer(asked.nas.group())));
        let binding = if brought.response.is_empty() {
            brought.binding.without_user()
        } else {
            brought.binding
        };
        let patience = settings.config.patience;
        let state = State::new(self.worker, u128::from_ne_bytes(self.chance.next()));
        let conversations = &mut self.conversations;
        Slot {
            conversation: Box::new(conversation),
            judge,
            standing: conversations.begin(now.monotonic, patience, binding, state),
        }
    }

    /// Refuses a request whose User-Name is another name than the peer gave, and says whether it
    /// did: what routed the request and what is decided would not be about the same peer. A
    /// request without User-Name says nothing else.
    fn refuse_misnamed(
        &mut self,
        now: Now,
        round: &Round<'_>,
        brought: &Brought<'_>,
        slot: &Slot,
    ) -> bool {
        let Some(identity) = slot.conversation.identity() else {
            return false;
        };
        let Some(name) = brought.request.user_name() else {
            return false;
        };
        if name == identity.octets() {
            return false;
        }
        let why = "server: User-Name is not the identity that the peer gave";
        self.refuse_eap(now, round.asked, brought, why);
        true
    }

    /// Sends a conversation away to have its flight worked on.
    fn part(
        &mut self,
        now: Now,
        round: &Round<'_>,
        state: State,
        slot: Slot,
        verified: &Verified<'_>,
    ) {
        let mut standing = slot.standing;
        standing.prolong(now.monotonic, round.settings.config.patience);
        self.conversations.part(state, standing);
        let parted = Parted {
            state,
            judge: slot.judge,
            standing,
            wants_key_name: round.wants_key_name,
            guess: None,
        };
        let waiting = Waiting::Handshake(parted);
        let work = Work::Handshake(slot.conversation);
        let (deadline, origin) = (standing.deadline(), verified.hold());
        self.send_away(deadline, round.asked, origin, waiting, work);
    }

    fn take_step(&mut self, now: Now, round: &Round<'_>, slot: Slot, step: Step) {
        match slot.judge.take_inquiry() {
            Some(inquiry) => self.look_up(now, round, slot, step, inquiry),
            None => self.go_on(now, round, slot, step),
        }
    }

    fn go_on(&mut self, now: Now, round: &Round<'_>, slot: Slot, step: Step) {
        match step {
            Step::Request(request) => self.challenge(now, round, slot, &request, false),
            Step::Ask => self.ask(now, round, slot),
            Step::Wait => self.wait(now, round, slot),
            Step::Discard(Discard::Invalid(_)) => {
                let last = slot.conversation.last_request().to_vec();
                self.challenge(now, round, slot, &last, true);
            }
            Step::Success(outcome) => {
                self.conversations.end(now.monotonic, &slot.standing);
                self.succeed(now, round, &slot, &outcome);
            }
            Step::Failure(failed) => {
                self.conversations.end(now.monotonic, &slot.standing);
                self.fail(now, round, &slot, &failed);
            }
            // Neither comes back from work: the caller has dealt with them.
            Step::Work | Step::Discard(Discard::Silent(_)) => self.forget(round.asked),
        }
    }

    /// Access-Challenge: the next EAP-Request, or the last one again because what came in answer
    /// could not be used (Error-Cause 202, RFC 3579 section 2.2).
    fn challenge(
        &mut self,
        now: Now,
        round: &Round<'_>,
        mut slot: Slot,
        eap: &[u8],
        invalid: bool,
    ) {
        let state = slot.standing.state.next();
        if self.send_challenge(now, round.delay, round.asked, (eap, state, invalid)) {
            self.counters.challenged.count();
            let patience = round.settings.config.patience;
            slot.standing.prolong(now.monotonic, patience);
            self.conversations.wait(state, slot);
        }
    }

    fn send_challenge(
        &mut self,
        now: Now,
        delay: Duration,
        asked: &Asked<'_>,
        (eap, state, invalid): (&[u8], State, bool),
    ) -> bool {
        const INVALID_EAP_PACKET: u32 = 202;
        self.reply_after(now, delay, asked, |buffer, origin, nas| {
            let mut reply = Reply::access_challenge(buffer, origin, nas.secret());
            reply
                .eap_message(eap)
                .octets(AttributeType::STATE, state.octets());
            if invalid {
                reply.integer(AttributeType::ERROR_CAUSE, INVALID_EAP_PACKET);
            }
            reply
        })
    }

    /// Access-Reject with EAP-Failure for a request that belongs to no conversation.
    fn refuse_eap(&mut self, now: Now, asked: &Asked<'_>, brought: &Brought<'_>, why: &str) {
        let identifier = brought.response.get(1).copied().unwrap_or(0);
        self.reject_eap(now, Duration::ZERO, asked, &failure(identifier));
        self.counters.not_authenticated.count();
        let context = Context::new(asked.from.ip(), brought.request);
        let refused = Refused {
            method: "eap",
            user: readable(brought.request.user_name().unwrap_or(&[])),
            why,
        };
        self.record_refusal(now, asked, &context, &refused);
    }
}

/// Whether a response is one of the method that the last request was of: the peer goes along.
fn answers_method(conversation: &Conversation, response: &[u8]) -> bool {
    /// Where the type stands (RFC 3748 section 4.1).
    const TYPE: usize = 4;
    let asked = conversation.last_request().get(TYPE).copied();
    asked.is_some_and(|kind| kind > Type::NAK.0) && response.get(TYPE).copied() == asked
}

/// Conversations in progress of one source with which it may still begin another one while the
/// workers are behind.
const A_FEW: usize = 4;
