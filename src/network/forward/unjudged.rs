//! Whom a home server lets in and nobody judges, where what it authorises is not to count: visitors
//! get our access and not that of their home.

use crate::access::Correlation;
use crate::model::Decision;
use crate::model::Established;
use crate::model::Now;
use crate::model::Reason;
use crate::model::Verdict;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::enforce;
use crate::network::enforce::Accepted;
use crate::network::forward::Came;
use crate::network::server::Server;
use crate::radius::AttributeType;
use crate::radius::Carried;
use crate::radius::Reply;

impl Server {
    /// Turns the home server's Access-Accept into one with our profile for devices that prove
    /// nothing: of theirs only the authentication stays. `false` if the reply could not be written.
    pub(super) fn accept_unjudged(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        came: &Came<'_>,
    ) -> bool {
        let decision = Decision::new(Verdict::Allow, Reason::NotTargeted);
        let profile = settings.enforcement.profile(
            asked.nas.group(),
            decision.verdict,
            Established::None,
            came.credential(),
        );
        let message = came.may_be_told(profile);
        let mut salt = self.new_salt();
        let random = self.shared.random;
        let charged = came.charged(settings, &self.shared.point);
        self.reply(now, asked, |buffer, origin, nas| {
            let mut reply = Reply::access_accept(buffer, origin, nas.secret());
            for carried in came.answer.attributes().filter(|one| authenticates(one)) {
                reply.carried(carried, salt);
                salt = salt.next();
            }
            let accepted = Accepted {
                decision: &decision,
                id: Correlation(0),
                on_record: false,
                user: came.user(),
                context: came.context,
                nas,
                charged,
            };
            enforce::write(&mut reply, profile, &accepted, now.wall, random);
            if let Some(message) = message {
                reply.octets(AttributeType::REPLY_MESSAGE, message.as_bytes());
            }
            reply
        })
    }
}

/// Whether an attribute of the home server's stays where its authorisation does not: it belongs to
/// the authentication, or names the user to whoever charges (RFC 4372), which only the home can.
pub(super) fn authenticates(carried: &Carried) -> bool {
    carried.is_of_authentication() || carried.kind() == AttributeType::CHARGEABLE_USER_IDENTITY
}
