//! What the control socket answers about mail clients: lists, wipes, forgetting.

use std::sync::Arc;

use serde_json::Value;
use serde_json::json;

use super::Desk;
use super::refused;
use super::told::Inbox;
use super::told::Mails;
use super::trees;
use super::trees::Evidence;
use crate::app::clients;
use crate::app::clients::Cancelled;
use crate::app::clients::Chosen;
use crate::app::clients::Displaced;
use crate::app::clients::Moment;
use crate::inventory::MailClient;
use crate::inventory::Wipe;
use crate::inventory::WipeStage;
use crate::mail::Phase;
use crate::model::EasDeviceId;
use crate::net::control::ClientAction;
use crate::net::control::ClientFilter;
use crate::net::control::Response;

impl Desk {
    /// A page of the clients that are wanted, by user and DeviceId.
    pub(super) fn clients(&self, filter: &ClientFilter, from: usize) -> Response {
        let now = self.clock.now().wall;
        let reader = self.point.reader();
        let pending = self.point.policy().mapping_pending();
        let user = filter.user.as_deref().map(str::trim);
        let user = user.map(|user| self.point.own_name(user));
        let chosen = Chosen {
            user,
            device: filter.device.as_deref(),
            state: filter.state.as_deref(),
            unmapped: filter.unmapped,
            inactive: filter.inactive.map(std::time::Duration::from_secs),
            wipes: filter.wipes,
        };
        let mut all = self.clients.all();
        all.sort_by(|one, other| (&one.user, one.eas).cmp(&(&other.user, other.eas)));
        let mut displaced = Displaced::default();
        let rest = all.get(from..).unwrap_or_default();
        let mut rows: Vec<Value> = Vec::new();
        let mut looked_at = 0;
        for client in rest {
            if rows.len() == PAGE {
                break;
            }
            looked_at += 1;
            let users = self.metrics.users.as_ref();
            let at = Moment {
                now,
                pending,
                until: users.and_then(|users| {
                    let gateway = users.gateway();
                    gateway.lets_in_until(&client.user, client.eas, now)
                }),
            };
            let row = clients::row(client, &chosen, (reader, &mut displaced), at);
            rows.extend(row.map(Value::Object));
        }
        let next = from + looked_at;
        let next = (next < all.len()).then_some(next);
        Response::Answer {
            json: json!({ "devices": rows, "next": next }),
            text: String::new(),
        }
    }

    /// Why a client is not blocked, or is kept out without a message.
    pub(super) fn explain_client(
        &self,
        device: &str,
        user: Option<&str>,
        no_message: bool,
    ) -> Response {
        let Ok(eas) = device.trim().parse::<EasDeviceId>() else {
            return refused("expected an ActiveSync DeviceId of 1 to 32 letters and digits");
        };
        let user = user.map(|user| self.point.own_name(user.trim()));
        let found = self.clients.find(device, user);
        if found.len() > 1 {
            return refused(&several(&found));
        }
        let client = found.first().map(|client| &**client);
        self.journal.flush();
        let records = self.recent.with_mail_id(eas, LOOKED_AT);
        let of_client = records
            .iter()
            .find(|record| client.is_none_or(|client| record.user.as_str() == &*client.user));
        let explanation = of_client.and_then(|record| self.point.explain(record));
        let now = self.clock.now().wall;
        let reader = self.point.reader();
        let mut evidence = Evidence::of(client, reader, explanation.as_ref(), now);
        evidence.mails = self.mails(eas, client);
        let (question, checks) = if no_message {
            (
                "why it is kept out without a message",
                evidence.no_message(),
            )
        } else {
            ("why it is not blocked", evidence.not_blocked())
        };
        Response::Answer {
            text: trees::text(&format!("{device}: {question}"), &checks),
            json: json!({ "device": device, "question": question, "checks": checks }),
        }
    }

    /// What is known of the mails to the user of a client.
    fn mails(&self, eas: EasDeviceId, client: Option<&MailClient>) -> Mails {
        let Some(users) = &self.metrics.users else {
            return Mails::default();
        };
        let standings = users.gateway().standings(eas);
        let of_client = standings
            .into_iter()
            .find(|one| client.is_none_or(|client| one.user == *client.user));
        let was_served = client.is_some_and(|client| client.last_success.is_some());
        let is_given = users.gateway().gives_mailbox();
        Mails {
            inbox: Inbox::of(of_client.as_ref(), was_served, is_given),
            let_in_until: of_client.as_ref().and_then(|one| match one.phase {
                Phase::Waiting(until) if until > self.clock.now().wall => Some(until),
                Phase::Waiting(_) | Phase::Allowed | Phase::Held => None,
            }),
            server: users.smtp().map(|smtp| (smtp.server(), smtp.state())),
            last: of_client.and_then(|one| one.mail),
        }
    }

    /// Does something with the one client that is meant, or says what would be done.
    pub(super) fn client_action(
        &self,
        device: &str,
        user: Option<&str>,
        action: ClientAction,
        (by, confirmed): (&str, bool),
    ) -> Response {
        let user = user.map(|user| self.point.own_name(user.trim()));
        let found = self.clients.find(device, user);
        let client = match found.as_slice() {
            [] => {
                return refused(
                    "no mail client of that DeviceId has been seen; `portreeve devices` lists them",
                );
            }
            [client] => client,
            [..] => return refused(&several(&found)),
        };
        let ordered = match action {
            ClientAction::Wipe => Some(Wipe::Device),
            ClientAction::WipeAccount => Some(Wipe::Account),
            ClientAction::Cancel | ClientAction::Forget => None,
        };
        if let Some(Err(why)) = ordered.map(|wipe| clients::may_be_ordered(client, wipe)) {
            return refused(&format!(
                "mail client {} of {}: {why}",
                client.spelled, client.user
            ));
        }
        let what = describe(client, action);
        if !confirmed {
            return refused(&format!("{what}\nnothing is done yet: add --yes"));
        }
        let done = match action {
            ClientAction::Wipe => self.clients.order_wipe(client, Wipe::Device, by),
            ClientAction::WipeAccount => self.clients.order_wipe(client, Wipe::Account, by),
            ClientAction::Forget => {
                let forgotten = self.clients.forget(client, by);
                self.point.free_place(&client.user, client.eas);
                forgotten
            }
            ClientAction::Cancel => self.clients.cancel_wipe(client, by).and_then(|cancelled| {
                let why = unwritten(&what, cancelled);
                if why.is_some() {
                    tracing::warn!(user = %client.user, device = %client.spelled, by, "a wipe is called off, and the line of it is not in the audit yet");
                }
                why.map_or(Ok(()), Err)
            }),
        };
        match done {
            Ok(()) => {
                tracing::warn!(user = %client.user, device = %client.spelled, by, "{what}");
                Response::Answer {
                    json: json!({
                        "user": client.user,
                        "device": client.spelled,
                        "done": what,
                    }),
                    text: format!("{what}\n"),
                }
            }
            Err(why) => refused(&why),
        }
    }
}

fn several(found: &[Arc<MailClient>]) -> String {
    let users: Vec<&str> = found.iter().map(|client| &*client.user).collect();
    format!(
        "clients of {} users have that DeviceId: {}; name one with --user",
        found.len(),
        users.join(", ")
    )
}

/// What to say of a wipe that is called off and not on the disk as it should be.
fn unwritten(what: &str, cancelled: Cancelled) -> Option<String> {
    let (where_not, error, meanwhile) = match cancelled {
        Cancelled::Written => return None,
        Cancelled::WithoutAudit(error) => (
            "in the audit on the disk yet",
            error,
            "until then only the records beside it keep a restart from ordering the wipe again",
        ),
        Cancelled::InMemory(error) => (
            "on the disk",
            error,
            "a restart before that orders the wipe again",
        ),
    };
    Some(format!(
        "{what}: that is in force. It is not {where_not} ({error}), which is tried again every five \
         seconds; {meanwhile}"
    ))
}

fn describe(client: &MailClient, action: ClientAction) -> String {
    let what = match action {
        ClientAction::Wipe => "the whole device is erased with its next request",
        ClientAction::WipeAccount => "the account's data is erased with its next request",
        ClientAction::Cancel
            if client
                .wipe
                .is_some_and(|order| order.stage == WipeStage::Sent) =>
        {
            "no wipe is ordered any more; it has been told of it, and may erase itself all the same"
        }
        ClientAction::Cancel => "no wipe is ordered any more",
        ClientAction::Forget => "the record is forgotten",
    };
    let MailClient {
        spelled,
        user,
        device_type,
        model,
        ..
    } = client;
    format!("mail client {spelled} of {user} ({device_type} {model}): {what}")
}

/// Decisions among which the client's latest is looked for.
const LOOKED_AT: usize = 64;

/// Rows of one answer: with their names of columns about a megabyte.
const PAGE: usize = 1000;
