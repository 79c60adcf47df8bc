//! A wipe that an administrator has ordered: every command is answered with the status that makes the
//! client ask for its orders, and its Provision with the order (MS-ASPROV 3.2.5.1.2).
//!
//! Nothing here begins a wipe. The order is in the inventory's record of this client of this user, and
//! only an administrator's command puts it there. How far it has come is written down before the device
//! is told to erase anything, and before it hears that what it has said was heard ([`Next::Attest`]).

use http::HeaderMap;

use crate::access::Decided;
use crate::access::Wipe;
use crate::access::WipeOrder;
use crate::access::WipeStage;
use crate::eas;
use crate::eas::Command;
use crate::eas::Status;
use crate::eas::Version;
use crate::eas::body;
use crate::eas::order;
use crate::model::Now;

use super::action::Action;
use super::action::Aside;
use super::action::Attest;
use super::action::Event;
use super::action::Next;
use super::action::Step;
use super::action::Way;
use super::action::WipeNews;
use super::gateway::Gateway;
use super::quarantine::read;
use super::reply::Reply;
use super::who::Who;

/// The wipe that this request's client must be told of.
pub(super) fn due(request: &eas::Request, decided: &Decided) -> Option<WipeOrder> {
    let order = decided.client?.wipe?;
    let understands = match order.wipe {
        Wipe::Device => true,
        Wipe::Account => request.version >= Version::V16_1,
    };
    let is_due = order.stage.is_under_way() || order.stage == WipeStage::Failed;
    (understands && is_due).then_some(order)
}

impl Gateway {
    /// A command of a client that is to be wiped.
    pub(super) fn begin_wipe(
        &self,
        now: Now,
        order: WipeOrder,
        way: Box<Way>,
        headers: HeaderMap,
    ) -> Step {
        let record = way.who.record(self.blank(), &way.request, &way.decided);
        let action = if way.request.command == Command::Provision {
            let permit = way.who.with_subject(&way.request, |subject| {
                self.live.hold(now.wall, subject, &way.decided)
            });
            read(Aside(way, permit, headers))
        } else {
            Action::Answer(ask_for_orders(order, &way.who, &way.request, &way.decided))
        };
        Step {
            action,
            event: Some(Event::Decision(record)),
        }
    }

    /// The body of its Provision has come.
    pub(super) fn answer_wiped(&self, aside: &Aside, body: Option<&[u8]>) -> Next {
        let way = &*aside.0;
        let Some(order) = due(&way.request, &way.decided) else {
            return Next::Answer(self.reply(&way.who, &way.request, &way.decided));
        };
        let said = body.and_then(|body| body::provision(body).ok());
        // Of an order that it has not been told of it can say nothing: that is about an earlier one.
        let said = said.filter(|_| order.stage != WipeStage::Ordered);
        let acknowledged = said.and_then(|said| match order.wipe {
            Wipe::Device => said.wiped,
            Wipe::Account => said.account_wiped,
        });
        let (stage, status, orders) = match acknowledged {
            None => (WipeStage::Sent, "1", Some(order.wipe)),
            Some(1) => (WipeStage::Done, "1", None),
            // It is told again (MS-ASPROV 3.2.5.1.2.2).
            Some(_) => (WipeStage::Failed, "2", Some(order.wipe)),
        };
        let is_account = orders.map(|wipe| wipe == Wipe::Account);
        let reason = way.decided.decision.reason;
        let body = order::provision(status, is_account);
        let answer = Reply::of_blocked(200, body, reason, way.who.id);
        // Even if that is no news: the order may have been called off while the body came.
        Next::Attest(Box::new(Attest {
            news: WipeNews {
                eas: way.request.device,
                user: way.who.login.user.clone(),
                order: order.at(stage),
            },
            answer,
        }))
    }

    /// It is written down how far a wipe is, or, without `is_kept`, it is not: then the device is told
    /// nothing, and asks once more.
    #[must_use]
    pub fn handle_attested(&self, attest: Attest, is_kept: bool) -> Reply {
        if is_kept {
            attest.answer
        } else {
            self.come_again()
        }
    }
}

/// The status that makes the client send a Provision. Versions below 14.0 know it as 449, and only
/// where they have a policy (MS-ASCMD 2.2.2). Where the device is to stay as it is, it is not the one upon
/// which there are clients that erase it.
pub(super) fn ask_for_orders(
    order: WipeOrder,
    who: &Who,
    request: &eas::Request,
    decided: &Decided,
) -> Reply {
    let eas::Request {
        command,
        version,
        policy_key,
        ..
    } = *request;
    let status = match order.wipe {
        Wipe::Device => Status::RemoteWipeRequested,
        Wipe::Account => Status::asks_for_provision(policy_key),
    };
    let (status, body) = match status.body(command, version) {
        Some(body) => (200, body),
        None if policy_key.is_some_and(|key| key != 0) => (status.http(), Vec::new()),
        None => (403, Vec::new()),
    };
    Reply::of_blocked(status, body, decided.decision.reason, who.id)
}
