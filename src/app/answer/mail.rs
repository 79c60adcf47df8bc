//! What `device` and `explain` say of mail devices: where they are between being let in and being kept
//! out, and what their users were told (R33).

use serde_json::Value;
use serde_json::json;

use super::Desk;
use crate::mail::MailState;
use crate::mail::Phase;
use crate::mail::Standing;
use crate::model::DeviceId;
use crate::model::EasDeviceId;
use crate::net::control::Response;

impl Desk {
    /// What the mail plane remembers of a device: by its DeviceIds, or by the one that `text` is.
    pub(super) fn standings(&self, text: &str, device: Option<DeviceId>) -> Vec<Standing> {
        let Some(users) = &self.metrics.users else {
            return Vec::new();
        };
        let described = device.and_then(|device| self.point.reader().describe(device));
        let known = described.into_iter().flat_map(|device| device.eas);
        let mut ids: Vec<EasDeviceId> = known.map(|of| of.eas).collect();
        if ids.is_empty() {
            ids.extend(text.trim().parse::<EasDeviceId>());
        }
        let of = |id| users.gateway().standings(id);
        ids.into_iter().flat_map(of).collect()
    }

    pub(super) fn with_standings(
        &self,
        to: Response,
        text: &str,
        device: Option<DeviceId>,
    ) -> Response {
        let standings = self.standings(text, device);
        match to {
            Response::Answer {
                json: mut answer,
                text,
            } if !standings.is_empty() => {
                answer["mail"] = json(&standings);
                let text = format!("{}\n{}", text.trim_end(), lines(&standings));
                Response::Answer { json: answer, text }
            }
            Response::Answer { .. } | Response::Refused(_) => to,
        }
    }
}

pub(super) fn lines(standings: &[Standing]) -> String {
    let mut text = String::new();
    for one in standings {
        let phase = match one.phase {
            Phase::Allowed => "is let in".to_owned(),
            Phase::Waiting(until) => format!("is let in until {until}, for {}", one.reason),
            Phase::Held => format!("is kept out: {} ({})", one.verdict, one.reason),
        };
        text.push_str(&format!(
            "mail device {} ({}) of {}: {phase}, since {}; last request {}\n",
            one.spelled, one.device_type, one.user, one.since, one.seen
        ));
        if let Some(mail) = &one.mail {
            let came = match &mail.state {
                MailState::Pending(at, 0) => format!("waits to be sent since {at}"),
                MailState::Pending(at, tries) => {
                    format!("could not be sent {tries} times and is tried again at {at}")
                }
                MailState::Sent(at) => format!("was sent at {at}"),
                MailState::Failed(at, why) => format!("was not sent ({at}): {why}"),
            };
            text.push_str(&format!(
                "  mail \"{}\" to the user {came}\n",
                mail.kind.name()
            ));
        }
        if one.made_up {
            text.push_str("  it holds the folders of the quarantine\n");
        } else if one.real && one.phase == Phase::Held {
            text.push_str("  it holds its real folders, into which no message is put\n");
        }
    }
    text
}

pub(super) fn json(standings: &[Standing]) -> Value {
    let one = |one: &Standing| {
        let (phase, until) = match one.phase {
            Phase::Allowed => ("allowed", None),
            Phase::Waiting(until) => ("waiting", Some(until.to_string())),
            Phase::Held => ("held", None),
        };
        let mail = one.mail.as_ref().map(|mail| {
            let (state, at, tries, why) = match &mail.state {
                MailState::Pending(at, tries) => ("pending", at, Some(tries), None),
                MailState::Sent(at) => ("sent", at, None, None),
                MailState::Failed(at, why) => ("failed", at, None, Some(&**why)),
            };
            json!({
                "kind": mail.kind.name(),
                "state": state,
                "at": at.to_string(),
                "tries": tries,
                "why": why,
            })
        });
        json!({
            "eas": one.spelled,
            "type": one.device_type,
            "user": one.user,
            "phase": phase,
            "until": until,
            "verdict": one.verdict.as_str(),
            "reason": one.reason.code(),
            "since": one.since.to_string(),
            "last_request": one.seen.to_string(),
            "made_up_folders": one.made_up,
            "real_folders": one.real,
            "mail": mail,
        })
    };
    standings.iter().map(one).collect()
}
