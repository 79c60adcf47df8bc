//! Requests that no home server answers.

use crate::model::Now;
use crate::network::Nobody;
use crate::network::Settings;
use crate::network::away::Asked;
use crate::network::challenge::Extra;
use crate::network::context::Refused;
use crate::network::discard::Discarded;
use crate::network::forward::Asks;
use crate::network::forward::AtHome;
use crate::network::forward::PROXIED;
use crate::network::forward::came::eap_failure;
use crate::network::server::Server;

impl Server {
    /// Refuses a request that has no home server, as late as a wrong password. Where there may be one,
    /// nothing is sent: the NAS asks again, or elsewhere. Whoever looks for the reason finds it on
    /// record.
    pub(super) fn nobody_answers(
        &mut self,
        now: Now,
        settings: &Settings,
        asked: &Asked<'_>,
        at_home: &AtHome,
        nobody: &Nobody,
    ) {
        let Asks::Access {
            context, user, eap, ..
        } = &at_home.asks
        else {
            self.counters.discard(Discarded::HomeSilent);
            return self.forget(asked);
        };
        let unsent;
        let mut refused = Refused {
            method: PROXIED,
            user,
            why: &nobody.why,
        };
        match (nobody.certain, eap) {
            (true, None) => {
                let told = (&**context, &refused);
                return self.refuse_password(now, settings, asked, told, &Extra::None);
            }
            (true, Some(identifier)) => {
                let delay = settings.config.reject_delay;
                self.reject_eap(now, delay, asked, &eap_failure(*identifier));
                self.counters.not_authenticated.count();
            }
            (false, _) => {
                self.counters.discard(Discarded::HomeSilent);
                self.forget(asked);
                unsent = format!("no answer was sent: {}", nobody.why);
                refused.why = &unsent;
            }
        }
        self.record_refusal(now, asked, context, &refused);
    }
}
