//! Answers to those who are not authenticated, and records of answers that could not be sent.

use crate::model::Credential;
use crate::model::Established;
use crate::model::Now;
use crate::model::Verdict;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::challenge::Extra;
use crate::network::context::Context;
use crate::network::context::Refused;
use crate::network::server::Server;
use crate::radius::AttributeType;
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
        self.refuse_with(now, settings, asked, (context, refused), &Extra::None);
    }

    /// The same, with what the method says besides.
    pub(super) fn refuse_with(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        (context, refused): (&Context, &Refused<'_>),
        extra: &Extra<'_>,
    ) {
        let (established, credential) = (Established::None, Credential::None);
        let group = asked.nas.group();
        let enforcement = &settings.enforcement;
        let profile = enforcement.profile(group, Verdict::Block, established, credential);
        let message = profile.reply_message.as_deref();
        self.reply(now, asked, |buffer, origin, nas| {
            let mut reply = Reply::access_reject(buffer, origin, nas.secret());
            if let Some(message) = message {
                reply.octets(AttributeType::REPLY_MESSAGE, message.as_bytes());
            }
            extra.reject(&mut reply);
            reply
        });
        self.counters.not_authenticated.count();
        self.record_refusal(now, asked, context, refused);
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
        let mut record = self.shared.records.lend();
        let id = self.new_correlation();
        context.refusal(&mut record, asked.nas, id, refused, now.wall);
        self.shared.records.push(record);
    }
}
