//! Mail clients as rows of a report, in the columns that administrators of Exchange connectors know.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use crate::inventory::Lookup;
use crate::inventory::MailClient;
use crate::inventory::Reader;
use crate::inventory::WipeOrder;
use crate::model::EasDeviceId;
use crate::model::Identifier;
use crate::model::Timestamp;
use crate::model::UserRef;
use crate::model::Verdict;

/// Which clients are wanted; nothing is all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
    /// `allowed`, `quarantined`, `blocked`.
    pub(crate) state: Option<&'a str>,
    /// Only those whose device nobody knows.
    pub(crate) unmapped: bool,
    /// Not served for so long.
    pub(crate) inactive: Option<Duration>,
    /// Only those with a wipe.
    pub(crate) wipes: bool,
}

/// When a row is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// How long a device may be missing that its source will tell of.
    pub(crate) pending: Duration,
    /// Until when the client is let in, whatever was decided of it.
    pub(crate) until: Option<Timestamp>,
}

/// The clients whose place on their device others have taken, for a row of rows: asked for once, and
/// only if a client stands there of which no device is known.
#[derive(Debug, Default)]
pub(crate) struct Displaced(Option<HashSet<(EasDeviceId, UserRef)>>);

impl Displaced {
    fn has(&mut self, reader: &Reader, client: &MailClient) -> bool {
        let ids = self.0.get_or_insert_with(|| reader.displaced());
        let user = reader.user(&client.user);
        user.is_some_and(|entry| ids.contains(&(client.eas, entry.user)))
    }
}

/// A client's row, if it is wanted: names of columns with texts.
pub(crate) fn row(
    client: &MailClient,
    chosen: &Chosen<'_>,
    (reader, displaced): (&Reader, &mut Displaced),
    at: Moment,
) -> Option<Map<String, Value>> {
    let Moment {
        now,
        pending,
        until,
    } = at;
    let found = reader.find(&Identifier::Eas(client.eas, &client.user));
    let is_allowed = matches!(client.state, Some((Verdict::Allow, _)));
    let is_displaced = matches!(found, Lookup::Unknown) && displaced.has(reader, client);
    // It was let in as a device that it is not any more; its next request shows what it is now.
    let decided = client.state.filter(|_| !(is_allowed && is_displaced));
    let until = until.filter(|_| decided.is_some() && !is_allowed);
    let state = match (decided, until) {
        (_, Some(_)) => access_state(Verdict::Allow),
        (Some((verdict, _)), None) => access_state(verdict),
        (None, None) => "Unknown",
    };
    let last = client.last_success;
    let is_wanted = chosen
        .user
        .is_none_or(|user| client.user.eq_ignore_ascii_case(user.trim()))
        && chosen
            .device
            .is_none_or(|id| client.eas.as_str().eq_ignore_ascii_case(id.trim()))
        && chosen
            .state
            .is_none_or(|wanted| state.eq_ignore_ascii_case(wanted))
        && chosen
            .inactive
            .is_none_or(|limit| now.since(last.unwrap_or(client.first_seen)) > limit)
        && (!chosen.wipes || client.wipe.is_some());
    if !is_wanted {
        return None;
    }
    let mapping = match found {
        Lookup::Found(..) => "mapped",
        Lookup::Ambiguous => "ambiguous",
        Lookup::OfAnotherUser => "of another user",
        Lookup::Unknown if is_displaced => "displaced",
        // Its management system may tell of it some minutes later (R37).
        Lookup::Unknown if now.since(client.first_seen) < pending => "mapped_pending",
        Lookup::Unknown => "unmapped",
    };
    if chosen.unmapped && mapping == "mapped" {
        return None;
    }
    let posture = match found {
        Lookup::Found(posture, _) => Some(posture),
        Lookup::Ambiguous | Lookup::OfAnotherUser | Lookup::Unknown => None,
    };
    let described = posture.and_then(|posture| reader.describe(posture.device));
    let time = |when: Option<Timestamp>| when.map(|when| when.to_string()).unwrap_or_default();
    let of_device =
        |text: fn(&crate::model::Posture) -> String| posture.as_ref().map(text).unwrap_or_default();
    let wipe = client
        .wipe
        .map(|order| format!("{} {}", order.wipe.as_str(), order.stage.as_str()));
    let columns = [
        ("User", client.user.to_string()),
        ("EAS Device ID", client.spelled.to_string()),
        ("Exchange Access State", state.to_owned()),
        (
            "Exchange Access State Reason",
            decided
                .map(|(_, reason)| reason.to_string())
                .unwrap_or_default(),
        ),
        (
            "Last Success Sync Time To Exchange Server",
            time(client.last_success),
        ),
        ("Device Type", client.device_type.to_string()),
        ("Device Model", client.model.to_string()),
        ("Device OS", client.os.to_string()),
        ("Friendly Name", client.friendly_name.to_string()),
        ("User Agent", client.user_agent.to_string()),
        (
            "EAS Version",
            format!("{}.{}", client.version / 10, client.version % 10),
        ),
        (
            "Policy Key",
            client
                .policy_key
                .map(|key| key.to_string())
                .unwrap_or_default(),
        ),
        ("First Seen", time(Some(client.first_seen))),
        ("First Success Sync Time", time(client.first_success)),
        ("Last Seen", time(Some(client.last_seen))),
        ("Access State Since", time(Some(client.state_since))),
        ("Let In Until", time(until)),
        ("Mapping", mapping.to_owned()),
        ("Device ID", of_device(|posture| posture.device.to_string())),
        (
            "Device Name",
            described
                .as_ref()
                .and_then(|device| device.name.clone())
                .unwrap_or_default(),
        ),
        (
            "Device Owner",
            described
                .as_ref()
                .and_then(|device| device.owner.as_ref().map(ToString::to_string))
                .unwrap_or_default(),
        ),
        (
            "Compliance State",
            of_device(|posture| posture.compliance.value.to_string()),
        ),
        (
            "AD Registration",
            of_device(|posture| posture.registered.value.to_string()),
        ),
        (
            "EAS Activation",
            of_device(|posture| posture.eas_activated.value.to_string()),
        ),
        ("Wipe", wipe.unwrap_or_default()),
        (
            "Wipe Ordered",
            time(client.wipe.and_then(WipeOrder::ordered_at)),
        ),
        ("Wipe Ordered By", client.wipe_by.to_string()),
    ];
    let columns = columns.into_iter();
    Some(
        columns
            .map(|(name, text)| (name.to_owned(), text.into()))
            .collect(),
    )
}

/// The word of Exchange's report.
const fn access_state(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "Allowed",
        Verdict::Quarantine => "Quarantined",
        Verdict::Block => "Blocked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory;
    use crate::inventory::DeviceReport;
    use crate::inventory::Update;
    use crate::model::DeviceId;
    use crate::model::Reason;
    use crate::model::UserId;

    #[test]
    fn a_client_is_displaced_as_long_as_another_one_has_its_place() {
        let at = Timestamp::from_unix_seconds;
        let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
        let source = writer.name_source("intune");
        let device = DeviceId::from_u128(1);
        let mut report = DeviceReport::new(device);
        report.eas = Some("stated".parse().unwrap());
        report.owner = UserId::parse("alice@example.com");
        writer.apply(source, at(1), vec![Update::Device(report)]);
        for id in ["first", "second", "third"] {
            let eas = id.parse().unwrap();
            writer.bind(eas, "Alice@example.com", device, at(2));
        }
        let shown = |id: &str, verdict: Option<Verdict>| {
            let eas = id.parse().unwrap();
            let mut client = MailClient::new(eas, "alice@example.com", at(3));
            client.state = verdict.map(|verdict| (verdict, Reason::DeviceUnknown));
            let moment = Moment {
                now: at(4),
                pending: Duration::from_mins(15),
                until: None,
            };
            let known = (&reader, &mut Displaced::default());
            let row = row(&client, &Chosen::default(), known, moment).unwrap();
            ["Mapping", "Exchange Access State"].map(|name| row[name].as_str().unwrap().to_owned())
        };
        let allowed = Some(Verdict::Allow);
        for id in ["stated", "first", "second"] {
            // Its next request shows what it is now.
            assert_eq!(shown(id, allowed), ["displaced", "Unknown"], "row {id}");
            let refused = shown(id, Some(Verdict::Quarantine));
            assert_eq!(refused, ["displaced", "Quarantined"], "row {id}");
            assert_eq!(shown(id, None), ["displaced", "Unknown"], "row {id}");
        }
        assert_eq!(shown("third", allowed), ["mapped", "Allowed"]);
        assert_eq!(shown("fourth", allowed), ["mapped_pending", "Allowed"]);
        // One takes its place back.
        let first = "first".parse().unwrap();
        writer.bind(first, "alice@example.com", device, at(5));
        assert_eq!(shown("first", allowed), ["mapped", "Allowed"]);
        assert_eq!(shown("third", allowed), ["displaced", "Unknown"]);
    }
}
