//! What was seen and wanted of a mail client, as text.

use super::text::age;
use crate::model::MailContext;
use crate::model::OsVersion;
use crate::model::Platform;
use crate::policy::condition::Client;
use crate::policy::condition::Condition;
use crate::policy::condition::Texts;
use crate::policy::facts::Facts;
use crate::policy::words::either;

/// Seen and wanted of one of the conditions from [`Condition::DeviceType`] on.
pub(super) fn condition(
    client: &Client,
    facts: &Facts<'_>,
    condition: Condition,
) -> (String, String) {
    let mail = facts.mail.as_ref();
    let seen = |text: &dyn Fn(&MailContext<'_>) -> String| {
        mail.map_or_else(|| "no mail client".to_owned(), text)
    };
    match condition {
        Condition::DeviceType => (
            seen(&|mail| claimed(mail.device_type)),
            texts(client.device_types.as_ref()),
        ),
        Condition::Model => (
            seen(&|mail| claimed(mail.known.model)),
            texts(client.models.as_ref()),
        ),
        Condition::UserAgent => (
            seen(&|mail| claimed(mail.user_agent)),
            texts(client.user_agents.as_ref()),
        ),
        Condition::OsBelow => (os_version(facts), floors(client)),
        Condition::ProtocolVersion => (
            seen(&|mail| version(mail.version)),
            either(
                client
                    .versions
                    .iter()
                    .flatten()
                    .map(|tenths| version(*tenths))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str),
            ),
        ),
        Condition::Command => (
            seen(&|mail| {
                let what = if mail.attachment {
                    ", an attachment"
                } else {
                    ""
                };
                format!("{}{what}", stated(mail.command))
            }),
            either(client.commands.unwrap_or_default().words()),
        ),
        Condition::DevicesOver => (
            seen(&|mail| match mail.known.rank {
                0 => "not known which of the user's mail devices".to_owned(),
                rank => format!("mail device {rank} of the user"),
            }),
            format!("beyond {}", client.devices_over.unwrap_or_default()),
        ),
        Condition::Inactive => (
            seen(&|mail| match mail.known.last_active {
                None => "never served yet".to_owned(),
                Some(last) => format!("last active {} ago", age(facts.now.since(last))),
            }),
            format!(
                "more than {} ago",
                age(client.inactive_for.unwrap_or_default())
            ),
        ),
        Condition::Platform
        | Condition::NasGroup
        | Condition::Ssid
        | Condition::Medium
        | Condition::App
        | Condition::Established
        | Condition::Credential
        | Condition::Ownership => super::text::nothing(),
    }
}

fn os_version(facts: &Facts<'_>) -> String {
    let (version, is_claimed) = facts.os_version();
    let platform = facts.platform();
    if version == OsVersion::UNKNOWN {
        return format!("{platform}, version unknown");
    }
    let claim = if is_claimed { " (claimed)" } else { "" };
    format!("{platform} {version}{claim}")
}

fn floors(client: &Client) -> String {
    let floors = client.os_below.unwrap_or_default();
    let asked = Platform::ALL.into_iter().zip(floors);
    let asked = asked.filter(|(_, floor)| *floor != OsVersion::UNKNOWN);
    let texts: Vec<String> = asked
        .map(|(platform, floor)| format!("{platform} below {floor}"))
        .collect();
    either(texts.iter().map(String::as_str))
}

fn texts(texts: Option<&Texts>) -> String {
    let Some(texts) = texts else {
        return String::new();
    };
    let with = texts.with.as_deref();
    let with = with.map(|with| either(with.iter().map(|glob| glob.as_str())));
    let without = either(texts.without.iter().map(|glob| glob.as_str()));
    match (with, texts.without.is_empty()) {
        (Some(with), true) => with,
        (Some(with), false) => format!("{with}, and not {without}"),
        (None, _) => format!("not {without}"),
    }
}

fn claimed(text: &str) -> String {
    if text.is_empty() {
        stated(text).to_owned()
    } else {
        format!("{text:?} (claimed)")
    }
}

const fn stated(text: &str) -> &str {
    if text.is_empty() {
        "nothing stated"
    } else {
        text
    }
}

fn version(tenths: u8) -> String {
    match tenths {
        0 => "no version stated".to_owned(),
        tenths => format!("{}.{}", tenths / 10, tenths % 10),
    }
}
