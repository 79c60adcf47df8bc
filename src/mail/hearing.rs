//! Clients that are kept out for the version of their system or for their model, which only they themselves
//! tell. They are heard all the same: one that was updated can say so, and a new one can say what it is.
//!
//! The body of a Settings or a Provision is read although its client is blocked, or in quarantine without
//! a mailbox; what it tells is noted, and the command is judged anew with that at once. Until the verdict
//! lets it in nothing of it goes to the mail server. One that is let in is judged anew as well if it tells
//! something else than before. One that has a mailbox in quarantine need not be: there both commands go on.
//!
//! A client that has told of its device once may not do so again by itself. From version 14.1 on it does
//! in the first request of a provisioning (MS-ASPROV 2.2.2.53, 3.1.5.1.1.1), and it begins one when a
//! command is answered with 142, or with 144 where it has a policy key (MS-ASCMD 2.2.2, MS-ASPROV
//! 3.1.5.1). So one command an hour is answered so. It is not said more often, because a client whose
//! answer changes nothing would provision in a loop; and not to version 14.0, whose Provision tells
//! nothing.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use http::HeaderMap;

use crate::access::Decided;
use crate::access::Told;
use crate::eas;
use crate::eas::Status;
use crate::eas::Version;
use crate::model::Monotonic;
use crate::model::Now;
use crate::model::Reason;
use crate::model::Verdict;

use super::action::Action;
use super::action::Aside;
use super::action::Event;
use super::action::Step;
use super::action::Way;
use super::credential::Key;
use super::gateway::Gateway;
use super::quarantine::read;
use super::reply::Reply;
use super::sighting::told;

/// Who was asked what it is, and when.
pub(super) type Asked = Mutex<HashMap<Key, Monotonic>>;

impl Gateway {
    /// Whether a client is kept out with all its commands for what it says of itself, and is to be heard.
    pub(super) fn is_heard(&self, request: &eas::Request, decided: &Decided) -> bool {
        let is_kept_out = match decided.decision.verdict {
            Verdict::Block => true,
            Verdict::Quarantine => !self.has_mailbox(request),
            Verdict::Allow => false,
        };
        is_kept_out && self.may_say_otherwise(decided)
    }

    /// Whether a client is judged by what it says of itself, and for nothing else, and could say
    /// differently.
    pub(super) fn may_say_otherwise(&self, decided: &Decided) -> bool {
        let decision = &decided.decision;
        let is_wiped = decided.client.is_some_and(|client| client.wipe.is_some());
        !is_wiped
            && matches!(
                decision.reason,
                Reason::OsVersionNotAllowed | Reason::PlatformNotAllowed
            )
            && self.live.rests_on_telling(decided)
    }

    /// A command of a client that [is heard](Self::is_heard).
    pub(super) fn hear(&self, now: Now, way: Box<Way>, headers: HeaderMap) -> Step {
        let record = way.who.record(self.blank(), &way.request, &way.decided);
        let action = if way.request.command.may_tell_device() {
            let permit = way.who.with_subject(&way.request, |subject| {
                self.live.hold(now.wall, subject, &way.decided)
            });
            read(Aside(way, permit, headers))
        } else {
            let asks = self.ask_what_it_is(now, &way);
            Action::Answer(asks.unwrap_or_else(|| self.keep_out(now, &way)))
        };
        Step {
            action,
            event: Some(Event::Decision(record)),
        }
    }

    /// The body of a command that was set aside has come: whether its client tells in it what it is, and
    /// by that may be judged differently. It is kept with the request.
    pub(super) fn hears(&self, way: &mut Way, body: Option<&[u8]>) -> bool {
        let decided = &way.decided;
        let is_heard = self.is_heard(&way.request, decided);
        if way.until.is_some() || !is_heard && decided.decision.verdict != Verdict::Allow {
            return false;
        }
        let command = way.request.command;
        let told = body.and_then(|octets| told(command, octets));
        let is_news = |told: &Told| {
            let mut client = decided.client.iter();
            is_heard || client.any(|known| self.live.is_news(known, told))
        };
        way.who.told = told.filter(is_news).map(Box::new);
        way.who.told.is_some()
    }

    /// The answer that makes a client say what device it is, where that is due.
    fn ask_what_it_is(&self, now: Now, way: &Way) -> Option<Reply> {
        let request: &eas::Request = &way.request;
        if request.version < Version::V14_1 {
            return None;
        }
        let status = Status::asks_for_provision(request.policy_key);
        let body = status.body(request.command, request.version)?;
        let key = self.roll.key(&way.who.login.user, request.device);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_lately = |at: &Monotonic| now.monotonic.since(*at) < AGAIN;
        if asked.get(&key).is_some_and(is_lately) {
            return None;
        }
        if asked.len() >= MAX_ASKED {
            asked.retain(|_, at| is_lately(at));
        }
        // Without a place for it nobody would know that it was asked.
        if asked.len() >= MAX_ASKED && !asked.contains_key(&key) {
            return None;
        }
        asked.insert(key, now.monotonic);
        let reason = way.decided.decision.reason;
        let id = way.who.id;
        Some(match way.decided.decision.verdict {
            Verdict::Quarantine => Reply::held_back(200, body, reason, id),
            Verdict::Allow | Verdict::Block => Reply::of_blocked(200, body, reason, id),
        })
    }
}

/// How often a client is asked what it is.
const AGAIN: Duration = Duration::from_hours(1);

/// Clients that are asked within that time, some 40 octets each.
const MAX_ASKED: usize = 65_536;
