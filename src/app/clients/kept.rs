//! The record of a mail client as a line of JSON.

use serde::Deserialize;
use serde::Serialize;

use crate::inventory::MailClient;
use crate::inventory::Wipe;
use crate::inventory::WipeOrder;
use crate::inventory::WipeStage;
use crate::model::Reason;
use crate::model::Timestamp;
use crate::model::Verdict;

/// Times are milliseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    user: Box<str>,
    device: Box<str>,
    device_type: Box<str>,
    user_agent: Box<str>,
    version: u8,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    model: Box<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    friendly_name: Box<str>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    os: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy_key: Option<u32>,
    first_seen: i64,
    last_seen: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first_success: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_success: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_active: Option<i64>,
    /// The device that it is, as far as that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    known_as: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<(String, u16)>,
    state_since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wipe: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "is_none")]
    wipe_number: u64,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    wipe_by: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    called_off: Option<u64>,
}

const fn is_none(number: &u64) -> bool {
    *number == 0
}

impl Kept {
    pub(super) fn of(client: &MailClient) -> Self {
        Self {
            user: client.user.clone(),
            device: client.spelled.clone(),
            device_type: client.device_type.clone(),
            user_agent: client.user_agent.clone(),
            version: client.version,
            model: client.model.clone(),
            friendly_name: client.friendly_name.clone(),
            os: client.os.clone(),
            policy_key: client.policy_key,
            first_seen: client.first_seen.unix_millis(),
            last_seen: client.last_seen.unix_millis(),
            first_success: client.first_success.map(Timestamp::unix_millis),
            last_success: client.last_success.map(Timestamp::unix_millis),
            last_active: client.last_active.map(Timestamp::unix_millis),
            known_as: client.device.map(|device| device.to_string().into()),
            state: client
                .state
                .map(|(verdict, reason)| (verdict.to_string(), reason.code())),
            state_since: client.state_since.unix_millis(),
            wipe: client
                .wipe
                .map(|order| (order.wipe.as_str().into(), order.stage.as_str().into())),
            wipe_number: client.wipe.map_or(0, |order| order.number),
            wipe_by: client.wipe_by.clone(),
            called_off: client.called_off,
        }
    }

    /// `None` if a word of it means nothing.
    pub(super) fn client(self) -> Option<MailClient> {
        let at = Timestamp::from_unix_millis;
        let mut client =
            MailClient::new(self.device.parse().ok()?, &self.user, at(self.first_seen));
        client.spelled = self.device;
        client.device_type = self.device_type;
        client.user_agent = self.user_agent;
        client.version = self.version;
        client.model = self.model;
        client.friendly_name = self.friendly_name;
        client.os = self.os;
        client.policy_key = self.policy_key;
        client.last_seen = at(self.last_seen);
        client.first_success = self.first_success.map(at);
        client.last_success = self.last_success.map(at);
        // Before it was kept, whoever was served was active.
        client.last_active = self.last_active.map(at).or(client.last_success);
        client.device = match self.known_as {
            None => None,
            Some(device) => Some(device.parse().ok()?),
        };
        client.state = match self.state {
            None => None,
            Some((verdict, code)) => Some((verdict_of(&verdict)?, Reason::of_code(code)?)),
        };
        client.state_since = at(self.state_since);
        client.wipe = match self.wipe {
            None => None,
            Some((wipe, stage)) => Some(WipeOrder {
                wipe: Wipe::parse(&wipe)?,
                number: self.wipe_number,
                stage: WipeStage::parse(&stage)?,
            }),
        };
        client.wipe_by = self.wipe_by;
        client.called_off = self.called_off;
        Some(client)
    }
}

fn verdict_of(word: &str) -> Option<Verdict> {
    [Verdict::Allow, Verdict::Quarantine, Verdict::Block]
        .into_iter()
        .find(|verdict| verdict.as_str() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceId;

    #[test]
    fn of_an_earlier_version_whoever_was_served_was_active_then() {
        let at = Timestamp::from_unix_seconds;
        let mut client = MailClient::new("applf2lx".parse().unwrap(), "a@b.example", at(10));
        client.last_success = Some(at(12));
        let line = serde_json::to_string(&Kept::of(&client)).unwrap();
        assert!(!line.contains("last_active") && !line.contains("known_as"));
        let kept: Kept = serde_json::from_str(&line).unwrap();
        assert_eq!(kept.client().unwrap().last_active, Some(at(12)));
    }

    #[test]
    fn a_record_is_the_same_after_it_was_written_down() {
        let at = Timestamp::from_unix_seconds;
        let mut client = MailClient::new("applf2lx".parse().unwrap(), "a@b.example", at(10));
        let bare = format!("{client:?}");
        let again = |client: &MailClient| {
            let line = serde_json::to_string(&Kept::of(client)).unwrap();
            let kept: Kept = serde_json::from_str(&line).unwrap();
            format!("{:?}", kept.client().unwrap())
        };
        assert_eq!(again(&client), bare);
        client.spelled = "ApplF2LX".into();
        client.device_type = "iPhone".into();
        client.model = "iPhone15C2 \"x\"\n".into();
        client.policy_key = Some(77);
        client.first_success = Some(at(11));
        client.last_success = Some(at(12));
        client.last_active = Some(at(13));
        client.device = Some(DeviceId::from_u128(7));
        client.state = Some((Verdict::Block, Reason::TooManyDevices));
        for stage in WipeStage::ALL {
            client.wipe = Some(WipeOrder {
                wipe: Wipe::Account,
                number: 1_700_000_000_123,
                stage,
            });
            client.wipe_by = "root (uid 0)".into();
            client.called_off = Some(1_700_000_000_000);
            assert_eq!(again(&client), format!("{client:?}"));
        }
    }
}
