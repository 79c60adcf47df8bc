//! Messages that a Sync sends, where a policy asks about SendMail: its body is read, and it is judged
//! once more as the SendMail that it stands for.

use crate::eas;
use crate::eas::Command;
use crate::eas::draft;

use super::action::Way;
use super::gateway::Gateway;
use super::reply::Reply;

impl Gateway {
    /// Whether a command may send a message although its name does not say so, and a policy asks about
    /// that.
    pub(super) fn may_send(&self, request: &eas::Request) -> bool {
        request.command == Command::Sync
            && draft::is_sent_by_sync(request.version)
            && self.live.asks_about_sending()
    }

    /// Whether it must be judged again, as a SendMail. A body that is too long or broken may well be
    /// one.
    pub(super) fn sends_message(&self, way: &Way, body: Option<&[u8]>) -> bool {
        way.is_let_in()
            && self.may_send(&way.request)
            && body.is_none_or(|octets| draft::sends(octets).unwrap_or(true))
    }
}

/// The answer to a Sync that is refused for the message that it sends.
pub(super) fn kept(way: &Way, body: Option<&[u8]>) -> Reply {
    let (reason, id) = (way.decided.decision.reason, way.who.id);
    match draft::keep(way.request.version, body) {
        Some(body) => Reply::of_blocked(200, body, reason, id),
        None => Reply::refused_command(&way.request, reason, id),
    }
}
