//! EAP inside RADIUS (RFC 3579): from EAP-Message to conversation, from step to reply.

use std::sync::Arc;

use crate::access::Decided;
use crate::access::Text;
use crate::eap::Conversation;
use crate::eap::Discard;
use crate::eap::Failed;
use crate::eap::Outcome;
use crate::eap::Step;
use crate::eap::TlsVersion;
use crate::model::CertificateIdentity;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Settings;
use crate::network::context::Context;
use crate::network::conversation::Slot;
use crate::network::conversation::State;
use crate::network::discard::Discarded;
use crate::network::enforce;
use crate::network::job::Work;
use crate::network::judge::ConversationJudge;
use crate::network::judge::with_subject;
use crate::network::server::Asked;
use crate::network::server::Away;
use crate::network::server::Server;
use crate::radius::AccessRequest;
use crate::radius::AttributeType;
use crate::radius::HeldOrigin;
use crate::radius::MAX_PACKET;
use crate::radius::MppeKeys;
use crate::radius::Reply;
use crate::radius::Salt;
use crate::radius::Verified;

/// What a request waits for while its job is away.
#[derive(Debug)]
pub(super) enum Waiting {
    /// A conversation's flight; the conversation itself is in the job.
    Handshake(Box<Parted>),
    /// A slow hash.
    Password {
        /// Where the request came from.
        context: Context,
        /// The name whose password is checked.
        user: Box<str>,
    },
}

/// A slot without its conversation, and what the answer will need of the request.
#[derive(Debug)]
pub(super) struct Parted {
    judge: Arc<ConversationJudge>,
    context: Context,
    binding: u64,
    wants_key_name: bool,
}

/// One round of a conversation: the request that brought it, and how to answer.
struct Round<'a> {
    asked: &'a Asked<'a>,
    settings: &'a Arc<Settings>,
    /// Whether the NAS asked for EAP-Key-Name (RFC 7268 section 2.2).
    wants_key_name: bool,
}

impl Server {
    /// Answers an Access-Request with an EAP-Message.
    pub(super) fn eap(
        &mut self,
        now: Now,
        settings: &Arc<Settings>,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        verified: &Verified<'_>,
    ) -> Result<(), Discarded> {
        let mut joined = [0; MAX_PACKET];
        let response = request
            .eap_message()
            .and_then(|message| message.join(&mut joined));
        let response = response.unwrap_or(&[]);
        let binding = self.conversations.binding(asked.from.ip(), request);
        let (state, mut slot) = match request.state() {
            Some(state) => {
                let found = State::parse(state)
                    .and_then(|state| Some((state, self.conversations.take(state, binding)?)));
                let Some((state, slot)) = found else {
                    self.refuse_unknown_state(now, asked, request, response);
                    return Ok(());
                };
                (Some(state), slot)
            }
            None => {
                let slot = self.begin(settings, asked, request, binding);
                let slot = slot.inspect_err(|_| self.forget(asked))?;
                (None, slot)
            }
        };
        let round = Round {
            asked,
            settings,
            wants_key_name: request.wants_eap_key_name(),
        };
        // An empty EAP-Message is EAP-Start: the NAS leaves the question to us (RFC 3579 2.1).
        let step = if response.is_empty() && state.is_none() {
            slot.conversation.handle_start(now)
        } else {
            slot.conversation.handle(now, response)
        };
        match step {
            Step::Work => {
                self.part(now, &round, slot, verified.hold());
                Ok(())
            }
            Step::Discard(Discard::Silent(_)) => {
                // The conversation goes on waiting for the right response.
                if let Some(state) = state {
                    let patience = settings.config.patience;
                    self.conversations
                        .wait(now.monotonic, patience, state, slot);
                }
                self.forget(asked);
                Err(Discarded::Eap)
            }
            Step::Discard(Discard::Invalid(_))
            | Step::Request(_)
            | Step::Success(_)
            | Step::Failure(_) => {
                self.take_step(now, &round, slot, step);
                Ok(())
            }
        }
    }

    /// Goes on with a conversation whose flight has been worked on.
    pub(super) fn resume_conversation(
        &mut self,
        now: Now,
        settings: &Arc<Settings>,
        away: &Away,
        conversation: Box<Conversation>,
        step: Step,
    ) {
        let asked = away.asked();
        let Waiting::Handshake(parted) = &away.waiting else {
            return;
        };
        let round = Round {
            asked: &asked,
            settings,
            wants_key_name: parted.wants_key_name,
        };
        let slot = Slot {
            conversation,
            judge: Arc::clone(&parted.judge),
            context: parted.context,
            binding: parted.binding,
        };
        self.take_step(now, &round, slot, step);
    }

    fn begin(
        &self,
        settings: &Settings,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        binding: u64,
    ) -> Result<Slot, Discarded> {
        if self.conversations.len() + self.away.len() >= settings.config.conversations {
            return Err(Discarded::ConversationsFull);
        }
        self.counters.conversations.count();
        let context = Context::new(asked.from.ip(), asked.nas, request);
        let judge = Arc::new(ConversationJudge::new(
            Arc::clone(&self.shared.point),
            context,
        ));
        let mut first = [0; 1];
        (self.shared.random)(&mut first);
        let [identifier] = first;
        let eap_packet = settings.config.eap_packet;
        let largest = request
            .eap_mtu()
            .and_then(|mtu| usize::try_from(mtu).ok())
            .map_or(eap_packet, |mtu| mtu.min(eap_packet));
        let conversation = Conversation::new(
            Arc::clone(&settings.eap),
            Arc::clone(&judge) as Arc<dyn crate::eap::Judge>,
            identifier,
            largest,
        );
        Ok(Slot {
            conversation: Box::new(conversation),
            judge,
            context,
            binding,
        })
    }

    /// Sends a conversation away to have its flight worked on.
    fn part(&mut self, now: Now, round: &Round<'_>, slot: Slot, origin: HeldOrigin) {
        let parted = Parted {
            judge: slot.judge,
            context: slot.context,
            binding: slot.binding,
            wants_key_name: round.wants_key_name,
        };
        let waiting = Waiting::Handshake(Box::new(parted));
        let work = Work::Handshake(slot.conversation);
        self.send_away(now, round.settings, round.asked, origin, waiting, work);
    }

    fn take_step(&mut self, now: Now, round: &Round<'_>, slot: Slot, step: Step) {
        match step {
            Step::Request(request) => self.challenge(now, round, slot, &request, false),
            Step::Discard(Discard::Invalid(_)) => {
                let last = slot.conversation.last_request().to_vec();
                self.challenge(now, round, slot, &last, true);
            }
            Step::Success(outcome) => self.succeed(now, round, &slot, &outcome),
            Step::Failure(failed) => self.fail(now, round, &slot, &failed),
            // Neither comes back from work: the caller has dealt with them.
            Step::Work | Step::Discard(Discard::Silent(_)) => self.forget(round.asked),
        }
    }

    /// Access-Challenge: the next EAP-Request, or the last one again because what came in answer
    /// could not be used (Error-Cause 202, RFC 3579 section 2.2).
    fn challenge(&mut self, now: Now, round: &Round<'_>, slot: Slot, eap: &[u8], invalid: bool) {
        const INVALID_EAP_PACKET: u32 = 202;
        let state = self.new_state();
        let sent = self.reply(now, round.asked, |buffer, origin, nas| {
            let mut reply = Reply::access_challenge(buffer, origin, nas.secret());
            reply
                .eap_message(eap)
                .octets(AttributeType::STATE, state.octets());
            if invalid {
                reply.integer(AttributeType::ERROR_CAUSE, INVALID_EAP_PACKET);
            }
            reply
        });
        if sent {
            self.counters.challenged.count();
            let patience = round.settings.config.patience;
            self.conversations
                .wait(now.monotonic, patience, state, slot);
        }
    }

    /// The method succeeded. The decision that the handshake was told is compared with the
    /// present once more as the reply leaves.
    fn succeed(&mut self, now: Now, round: &Round<'_>, slot: &Slot, outcome: &Outcome) {
        let mut decided = slot.judge.decided();
        if !decided.is_some_and(|decided| self.shared.point.is_current(&decided)) {
            self.counters.decided_again.count();
            decided = Some(slot.judge.decide(now.wall, &outcome.certificate));
        }
        let Some(decided) = decided else {
            return self.forget(round.asked);
        };
        let method = method_name(outcome);
        match decided.decision.verdict {
            Verdict::Allow | Verdict::Quarantine => {
                self.accept_eap(now, round, slot, outcome, &decided);
            }
            Verdict::Block => {
                self.reject_eap(now, round.asked, &failure_instead_of(&outcome.packet));
                self.counters.blocked.count();
                self.record_block(slot, &outcome.certificate, &decided, method);
            }
        }
    }

    fn accept_eap(
        &mut self,
        now: Now,
        round: &Round<'_>,
        slot: &Slot,
        outcome: &Outcome,
        decided: &Decided,
    ) {
        let id = self.new_correlation();
        let enforcement = &round.settings.enforcement;
        let verdict = decided.decision.verdict;
        let seen = &decided.seen;
        let profile = enforcement.profile(
            slot.context.group(),
            verdict,
            seen.established,
            seen.credential,
        );
        let mut random = [0; 2];
        (self.shared.random)(&mut random);
        let salt = Salt::new(u16::from_ne_bytes(random));
        let keys = MppeKeys::from_msk(outcome.keys.msk.expose());
        let user = round.settings.config.user_name_in_accept;
        let user = outcome.certificate.user().filter(|_| user);
        let sent = self.reply(now, round.asked, |buffer, origin, nas| {
            let mut reply = Reply::access_accept(buffer, origin, nas.secret());
            reply.eap_message(&outcome.packet).mppe_keys(&keys, salt);
            if let Some(user) = user {
                reply.octets(AttributeType::USER_NAME, user.as_bytes());
            }
            if round.wants_key_name {
                reply.octets(
                    AttributeType::EAP_KEY_NAME,
                    outcome.keys.session_id.octets(),
                );
            }
            enforce::write(&mut reply, profile, &decided.decision, id, now.wall);
            reply
        });
        if sent {
            self.count_decision(verdict);
        }
        with_subject(&outcome.certificate, &slot.context, |subject| {
            let mut record = slot
                .context
                .record(id, method_name(outcome), subject, decided);
            record.presented = presented(&outcome.certificate);
            self.shared.records.push(record);
        });
    }

    /// Access-Reject with EAP-Failure.
    fn fail(&mut self, now: Now, round: &Round<'_>, slot: &Slot, failed: &Failed) {
        self.reject_eap(now, round.asked, &failed.packet);
        let blocked = slot
            .judge
            .decided()
            .filter(|decided| decided.decision.verdict == Verdict::Block);
        if let (Some(decided), Some(certificate)) = (blocked, failed.certificate.as_deref()) {
            self.counters.blocked.count();
            self.record_block(slot, certificate, &decided, "eap-tls");
            return;
        }
        self.counters.not_authenticated.count();
        let id = self.new_correlation();
        let user = slot
            .conversation
            .identity()
            .map(ToString::to_string)
            .unwrap_or_default();
        let why = failed.reason.to_string();
        let mut record = slot.context.refusal(id, "eap-tls", &user, &why, now.wall);
        if let Some(certificate) = failed.certificate.as_deref() {
            record.presented = presented(certificate);
        }
        self.shared.records.push(record);
    }

    fn record_block(
        &self,
        slot: &Slot,
        certificate: &CertificateIdentity,
        decided: &Decided,
        method: &str,
    ) {
        let id = self.new_correlation();
        with_subject(certificate, &slot.context, |subject| {
            let mut record = slot.context.record(id, method, subject, decided);
            record.presented = presented(certificate);
            self.shared.records.push(record);
        });
    }

    /// A State that nobody has: its conversation is over, timed out, or another peer's.
    fn refuse_unknown_state(
        &mut self,
        now: Now,
        asked: &Asked<'_>,
        request: &AccessRequest<'_>,
        response: &[u8],
    ) {
        let identifier = response.get(1).copied().unwrap_or(0);
        self.reject_eap(now, asked, &[EAP_FAILURE, identifier, 0, 4]);
        self.counters.not_authenticated.count();
        let context = Context::new(asked.from.ip(), asked.nas, request);
        let user = String::from_utf8_lossy(request.user_name().unwrap_or(&[]));
        let id = self.new_correlation();
        let why = "server: no conversation has this State; it is over or was given up";
        self.shared
            .records
            .push(context.refusal(id, "eap", &user, why, now.wall));
    }

    fn reject_eap(&mut self, now: Now, asked: &Asked<'_>, failure: &[u8]) {
        self.reply(now, asked, |buffer, origin, nas| {
            let mut reply = Reply::access_reject(buffer, origin, nas.secret());
            reply.eap_message(failure);
            reply
        });
    }
}

/// `eap-tls 1.3`, with `resumed` where it was.
const fn method_name(outcome: &Outcome) -> &'static str {
    match (outcome.version, outcome.resumed) {
        (TlsVersion::Tls12, false) => "eap-tls 1.2",
        (TlsVersion::Tls12, true) => "eap-tls 1.2 resumed",
        (TlsVersion::Tls13, false) => "eap-tls 1.3",
        (TlsVersion::Tls13, true) => "eap-tls 1.3 resumed",
    }
}

/// The certificate as people look for it: its device, else its subject.
fn presented(certificate: &CertificateIdentity) -> Text<64> {
    match certificate.intune_device_id() {
        Some(device) => Text::new(&device.to_string()),
        None => Text::new(&certificate.subject),
    }
}

/// EAP-Failure with the identifier of a success that is not sent.
fn failure_instead_of(success: &[u8; 4]) -> [u8; 4] {
    let [_, identifier, high, low] = *success;
    [EAP_FAILURE, identifier, high, low]
}

/// RFC 3748 section 4.2.
const EAP_FAILURE: u8 = 4;
