//! Mail clients as rows of a report, in the columns that administrators of Exchange connectors know.

use std::time::Duration;

use serde_json::Map;
use serde_json::Value;

use crate::inventory::Lookup;
use crate::inventory::MailClient;
use crate::inventory::Reader;
use crate::inventory::WipeOrder;
use crate::model::Identifier;
use crate::model::Timestamp;
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

/// A client's row, if it is wanted: names of columns with texts.
pub(crate) fn row(
    client: &MailClient,
    chosen: &Chosen<'_>,
    reader: &Reader,
    at: Moment,
    is_displaced: impl FnOnce() -> bool,
) -> Option<Map<String, Value>> {
    let Moment {
        now,
        pending,
        until,
    } = at;
    let found = reader.find(&Identifier::Eas(client.eas, &client.user));
    let is_allowed = matches!(client.state, Some((Verdict::Allow, _)));
    // It was let in as a device that it is not any more; its next request shows what it is now.
    let is_displaced = is_allowed && matches!(found, Lookup::Unknown) && is_displaced();
    let decided = client.state.filter(|_| !is_displaced);
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
