//! How a conversation ends: the last look at the decision, the reply, the record.

use crate::access::Correlation;
use crate::access::Decided;
use crate::access::Text;
use crate::eap::Failed;
use crate::eap::Outcome;
use crate::eap::TlsVersion;
use crate::eap::failure;
use crate::model::CertificateIdentity;
use crate::model::Now;
use crate::model::Verdict;
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
            decided = Some(slot.judge.decide(now.wall, &outcome.certificate));
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
                self.reject_eap(now, round.asked, &failure(identifier));
                self.counters.blocked.count();
                self.record(slot, &outcome.certificate, &decided, method_name(outcome));
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
        let user = outcome.certificate.user().filter(|_| names_user);
        // A name that no attribute can carry is left out; the session is accounted without it.
        let user = user.filter(|user| (1..=MAX_VALUE).contains(&user.len()));
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
            let accepted = Accepted {
                decision: &decided.decision,
                id,
                user: outcome.certificate.user(),
                context: slot.judge.context(),
                nas,
            };
            enforce::write(&mut reply, profile, &accepted, now.wall, fill);
            reply
        });
        if sent {
            self.count_decision(verdict);
            slot.judge.with_subject(&outcome.certificate, |subject| {
                self.admitted(now, round.asked, id, subject, decided, user);
            });
            self.record_as(
                id,
                slot,
                &outcome.certificate,
                decided,
                method_name(outcome),
            );
        } else {
            let user = outcome.certificate.user().unwrap_or_default();
            self.record_unsent(
                now,
                round.asked,
                slot.judge.context(),
                method_name(outcome),
                user,
            );
        }
    }

    /// Access-Reject with EAP-Failure.
    pub(super) fn fail(&mut self, now: Now, round: &Round<'_>, slot: &Slot, failed: &Failed) {
        self.reject_eap(now, round.asked, &failed.packet);
        let blocked = slot
            .judge
            .decided()
            .filter(|decided| decided.decision.verdict == Verdict::Block);
        if let (Some(decided), Some(certificate)) = (blocked, failed.certificate.as_deref()) {
            self.counters.blocked.count();
            self.record(slot, certificate, &decided, METHOD);
            return;
        }
        self.counters.not_authenticated.count();
        let id = self.new_correlation();
        let identity = slot.conversation.identity();
        let refused = Refused {
            method: METHOD,
            user: readable(identity.map_or(&[], |identity| identity.octets())),
            why: &failed.reason.to_string(),
        };
        let judge = &slot.judge;
        let mut record = self.shared.records.lend();
        let context = judge.context();
        context.refusal(&mut record, judge.nas(), id, &refused, now.wall);
        if let Some(certificate) = failed.certificate.as_deref() {
            record.presented = presented(certificate);
        }
        self.shared.records.push(record);
    }

    fn record(
        &self,
        slot: &Slot,
        certificate: &CertificateIdentity,
        decided: &Decided,
        method: &str,
    ) {
        let id = self.new_correlation();
        self.record_as(id, slot, certificate, decided, method);
    }

    fn record_as(
        &self,
        id: Correlation,
        slot: &Slot,
        certificate: &CertificateIdentity,
        decided: &Decided,
        method: &str,
    ) {
        slot.judge.with_subject(certificate, |subject| {
            let context = slot.judge.context();
            let mut record = self.shared.records.lend();
            context.record(&mut record, id, method, subject, decided);
            record.presented = presented(certificate);
            self.shared.records.push(record);
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
        Some(device) => Text::display(&device),
        None => Text::new(&certificate.subject),
    }
}

/// The method before anything is known of it.
const METHOD: &str = "eap-tls";
