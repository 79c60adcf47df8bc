//! How a conversation ends: the last look at the decision, the reply, the record.

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::DecisionRecord;
use crate::access::Text;
use crate::eap::Failed;
use crate::eap::Outcome;
use crate::eap::Principal;
use crate::eap::Spoken;
use crate::eap::failure;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::context::readable;
use crate::network::conversation::Slot;
use crate::network::eap::Round;
use crate::network::enforce;
use crate::network::enforce::Accepted;
use crate::network::server::Server;
use crate::radius::AttributeType;
use crate::radius::MAX_VALUE;
use crate::radius::MppeKeys;
use crate::radius::Reply;
use crate::radius::Salt;

impl Server {
    /// The method succeeded. The decision that the handshake was told is compared with the
    /// present once more as the reply leaves.
    pub(super) fn succeed(&mut self, now: Now, round: &Round<'_>, slot: &Slot, outcome: &Outcome) {
        let mut decided = slot.judge.decided();
        if !decided.is_some_and(|decided| self.shared.point.is_current(&decided)) {
            self.counters.decided_again.count();
            decided = Some(slot.judge.decide(now.wall, &outcome.principal));
        }
        let Some(decided) = decided else {
            return self.forget(round.asked);
        };
        match decided.decision.verdict {
            Verdict::Allow | Verdict::Quarantine => {
                self.accept_eap(now, round, slot, outcome, &decided);
            }
            Verdict::Block => {
                let [_, identifier, ..] = outcome.packet;
                // At once, it would tell that a password was right.
                let delay = if outcome.principal.is_by_password() {
                    round.settings.config.reject_delay
                } else {
                    round.delay
                };
                self.reject_eap(now, delay, round.asked, &failure(identifier));
                self.counters.blocked.count();
                self.record(slot, &outcome.principal, &decided, &outcome.spoken);
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
        let group = slot.judge.nas().group();
        let profile = enforcement.profile(group, verdict, seen.established, seen.credential);
        let fill = self.shared.random;
        let mut random = [0; 2];
        fill(&mut random);
        let salt = Salt::new(u16::from_ne_bytes(random));
        let keys = MppeKeys::from_msk(outcome.keys.msk.expose());
        let names_user = round.settings.config.user_name_in_accept;
        let user = outcome.principal.user().filter(|_| names_user);
        // A name that no attribute can carry is left out; the session is accounted without it.
        let user = user.filter(|user| (1..=MAX_VALUE).contains(&user.len()));
        let charged = slot.judge.context().charging.identity(
            &round.settings.charging,
            &self.shared.point,
            outcome.principal.user(),
        );
        let sent = self.reply(now, round.asked, |buffer, origin, nas| {
            let mut reply = Reply::access_accept(buffer, origin, nas.secret());
            reply.eap_message(&outcome.packet).mppe_keys(&keys, salt);
            if let Some(user) = user {
                reply.octets(AttributeType::USER_NAME, user.as_bytes());
            }
            if round.wants_key_name
                && let Some(id) = &outcome.keys.session_id
            {
                reply.octets(AttributeType::EAP_KEY_NAME, id.octets());
            }
            let accepted = Accepted {
                decision: &decided.decision,
                id,
                on_record: true,
                user: outcome.principal.user(),
                context: slot.judge.context(),
                nas,
                charged,
            };
            enforce::write(&mut reply, profile, &accepted, now.wall, fill);
            reply
        });
        if sent {
            self.count_decision(verdict);
            slot.judge.with_subject(&outcome.principal, |subject| {
                self.admitted(now, round.asked, id, subject, decided, user);
            });
            self.record_as(id, slot, &outcome.principal, decided, &outcome.spoken);
        } else {
            let user = outcome.principal.user().unwrap_or_default();
            let method = name(&outcome.spoken);
            self.record_unsent(
                now,
                round.asked,
                slot.judge.context(),
                method.as_str(),
                user,
            );
        }
    }

    /// Access-Reject with EAP-Failure.
    pub(super) fn fail(&mut self, now: Now, round: &Round<'_>, slot: &Slot, failed: &Failed) {
        self.reject_eap(now, round.delay, round.asked, &failed.packet);
        match self.record_failed(now, slot, failed) {
            Some(Verdict::Block) => self.counters.blocked.count(),
            Some(Verdict::Allow | Verdict::Quarantine) | None => {
                self.counters.not_authenticated.count();
            }
        }
    }

    /// Records why a conversation failed. Gives the verdict, if that is why.
    pub(in crate::network) fn record_failed(
        &self,
        now: Now,
        slot: &Slot,
        failed: &Failed,
    ) -> Option<Verdict> {
        let blocked = slot
            .judge
            .decided()
            .filter(|decided| decided.decision.verdict == Verdict::Block);
        if let (Some(decided), Some(principal)) = (blocked, &failed.presented) {
            self.record(slot, principal, &decided, &failed.spoken);
            return Some(Verdict::Block);
        }
        let id = self.new_correlation();
        let identity = slot.conversation.identity();
        let outside = readable(identity.map_or(&[], |identity| identity.octets()));
        let method = name(&failed.spoken);
        let why = failed.why();
        let refused = Refused {
            method: method.as_str(),
            user: failed.claimed.as_deref().unwrap_or(outside),
            why: &why,
        };
        let judge = &slot.judge;
        let mut record = self.shared.records.lend();
        let context = judge.context();
        context.refusal(&mut record, judge.nas(), id, &refused, now.wall);
        record.advice = failed.reason.advice();
        record.rounds = failed.rounds;
        if let Some(shown) = &failed.shown {
            record.chain = Some(DecisionRecord::chain_of(&shown.to_string()));
        }
        if let Some(principal) = &failed.presented {
            record.presented = presented(principal, context);
        }
        self.shared.records.push(record);
        None
    }

    fn record(&self, slot: &Slot, principal: &Principal, decided: &Decided, spoken: &Spoken) {
        let id = self.new_correlation();
        self.record_as(id, slot, principal, decided, spoken);
    }

    fn record_as(
        &self,
        id: Correlation,
        slot: &Slot,
        principal: &Principal,
        decided: &Decided,
        spoken: &Spoken,
    ) {
        slot.judge.with_subject(principal, |subject| {
            let context = slot.judge.context();
            let mut record = self.shared.records.lend();
            context.record(&mut record, id, name(spoken).as_str(), subject, decided);
            record.presented = presented(principal, context);
            self.shared.records.push(record);
        });
    }
}

/// What was spoken, as records name it. The longest is
/// `teap/mschapv2+mschapv2 1.2 resumed`.
pub(super) fn name(spoken: &Spoken) -> Text<40> {
    Text::display(spoken)
}

/// The device as people look for it: of a certificate its device, else its subject; without one what
/// is claimed.
fn presented(principal: &Principal, context: &Context) -> Text<64> {
    if let (None, Some(machine)) = (principal.certificate(), principal.machine_name()) {
        return Text::new(machine);
    }
    match principal.certificate() {
        Some(certificate) => match certificate.intune_device_id() {
            Some(device) => Text::display(&device),
            None => Text::new(&certificate.subject),
        },
        None => context.shown_claim(),
    }
}
