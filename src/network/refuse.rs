//! Answers to those who are not authenticated, and records of answers that could not be sent.

use std::time::Duration;

use crate::model::Credential;
use crate::model::Established;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::challenge::Extra;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::discard::Discarded;
use crate::network::server::Server;
use crate::radius::AttributeType;
use crate::radius::Nas;
use crate::radius::Origin;
use crate::radius::Reply;

impl Server {
    /// Access-Reject for a peer that is not authenticated: nothing is decided about it.
    pub(super) fn refuse(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        context: &Context,
        refused: &Refused<'_>,
    ) {
        let message = refusal_message(settings, asked);
        self.reply(now, asked, |buffer, origin, nas| {
            refusal(buffer, origin, nas, message, &Extra::None)
        });
        self.counters.not_authenticated.count();
        self.record_refusal(now, asked, context, refused);
    }

    /// The same for a peer that has shown a password: with what the method says besides, and later.
    pub(super) fn refuse_password(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (context, refused): (&Context, &Refused<'_>),
        extra: &Extra<'_>,
    ) {
        let told = (context, refused, None);
        self.refuse_password_with(now, settings, asked, told, extra);
    }

    /// The same with what somebody can do about it, for the record.
    pub(super) fn refuse_password_with(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (context, refused, advice): (&Context, &Refused<'_>, Option<&'static str>),
        extra: &Extra<'_>,
    ) {
        let message = refusal_message(settings, asked);
        let delay = settings.config.reject_delay;
        self.reply_after(now, delay, asked, |buffer, origin, nas| {
            refusal(buffer, origin, nas, message, extra)
        });
        self.counters.not_authenticated.count();
        self.record_refusal_with(now, asked, context, refused, advice);
    }

    pub(super) fn reject_eap(
        &mut self,
        now: Now,
        delay: Duration,
        asked: &Asked<'_>,
        failure: &[u8],
    ) {
        self.reply_after(now, delay, asked, |buffer, origin, nas| {
            let mut reply = Reply::access_reject(buffer, origin, nas.secret());
            reply.eap_message(failure);
            reply
        });
    }

    /// Counts a decision that a reply tells.
    pub(super) fn count_decision(&self, verdict: Verdict) {
        match verdict {
            Verdict::Allow => self.counters.allowed.count(),
            Verdict::Quarantine => self.counters.quarantined.count(),
            Verdict::Block => self.counters.blocked.count(),
        }
    }

    /// Lets go of a request whose reply does not fit into a packet.
    pub(super) fn too_long(&mut self, asked: &Asked<'_>) {
        self.counters.discard(Discarded::ReplyTooLong);
        self.forget(asked);
    }

    /// Records that a decision was not told to the NAS: whoever looks for the reason of a silence
    /// must not find an allowed device.
    pub(super) fn record_unsent(
        &self,
        now: Now,
        asked: &Asked<'_>,
        context: &Context,
        method: &str,
        user: &str,
    ) {
        let refused = Refused {
            method,
            user,
            why: "the reply is longer than a packet: shorten the attributes of this outcome",
        };
        self.record_refusal(now, asked, context, &refused);
    }

    /// Records that a peer was not authenticated.
    pub(super) fn record_refusal(
        &self,
        now: Now,
        asked: &Asked<'_>,
        context: &Context,
        refused: &Refused<'_>,
    ) {
        self.record_refusal_with(now, asked, context, refused, None);
    }

    /// The same with what somebody can do about it.
    pub(super) fn record_refusal_with(
        &self,
        now: Now,
        asked: &Asked<'_>,
        context: &Context,
        refused: &Refused<'_>,
        advice: Option<&'static str>,
    ) {
        let mut record = self.shared.records.lend();
        let id = self.new_correlation();
        context.refusal(&mut record, asked.nas, id, refused, now.wall);
        record.advice = advice;
        self.shared.records.push(record);
    }
}

fn refusal_message<'s>(settings: &'s Settings, asked: &Asked<'_>) -> Option<&'s str> {
    let (established, credential) = (Established::None, Credential::None);
    let group = asked.nas.group();
    let enforcement = &settings.enforcement;
    let profile = enforcement.profile(group, Verdict::Block, established, credential);
    profile.reply_message.as_deref()
}

fn refusal<'b, 'r>(
    buffer: &'b mut [u8],
    origin: Origin<'r>,
    nas: &'r Nas,
    message: Option<&str>,
    extra: &Extra<'_>,
) -> Reply<'b, 'r> {
    let mut reply = Reply::access_reject(buffer, origin, nas.secret());
    if let Some(message) = message {
        reply.octets(AttributeType::REPLY_MESSAGE, message.as_bytes());
    }
    extra.reject(&mut reply);
    reply
}
