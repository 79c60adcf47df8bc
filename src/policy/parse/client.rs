//! The conditions of `when` that are about a mail client: what it is, what it asks for, how long it
//! has been known.

use std::time::Duration;

use super::general::globs;
use super::reader::Reader;
use super::reader::Section;
use super::reader::Value;
use super::reader::quoted;
use crate::model::OsVersion;
use crate::model::Platform;
use crate::policy::condition::Client;
use crate::policy::condition::Commands;
use crate::policy::condition::Texts;
use crate::policy::glob::Glob;
use crate::policy::words::Word;

/// `None` where none is configured.
pub(super) fn read(reader: &mut Reader, section: &mut Section<'_>) -> Option<Box<Client>> {
    let client = Client {
        device_types: texts(reader, section, "device_types", "not_device_types"),
        models: texts(reader, section, "models", "not_models"),
        user_agents: texts(reader, section, "user_agents", "not_user_agents"),
        os_below: section
            .take("os_below")
            .map(|value| versions_by_platform(reader, &value)),
        versions: section
            .take("protocol_versions")
            .map(|value| reader.words(&value, &Client::VERSIONS).into()),
        commands: section
            .take("commands")
            .map(|value| commands(reader, &value)),
        devices_over: section
            .take("devices_over")
            .and_then(|value| number(reader, &value)),
        inactive_for: section
            .take("inactive_for")
            .and_then(|value| inactivity(reader, &value)),
    };
    (client != Client::default()).then(|| Box::new(client))
}

fn texts(
    reader: &mut Reader,
    section: &mut Section<'_>,
    with: &'static str,
    without: &'static str,
) -> Option<Texts> {
    let with = section.take(with).map(|value| patterns(reader, &value));
    let without = section.take(without).map(|value| patterns(reader, &value));
    (with.is_some() || without.is_some()).then(|| Texts {
        with,
        without: without.unwrap_or_default(),
    })
}

fn patterns(reader: &mut Reader, value: &Value<'_>) -> Box<[Glob]> {
    if value.is_empty_list() {
        reader.error(
            &value.place,
            "an empty list; leave the key out, or list patterns such as \"iPhone*\"",
        );
    }
    globs(reader, value).into()
}

/// `{ ios = "17", … }`, by place in [`Platform::ALL`].
pub(super) fn versions_by_platform(
    reader: &mut Reader,
    value: &Value<'_>,
) -> [OsVersion; Platform::ALL.len()] {
    let mut versions = [OsVersion::UNKNOWN; Platform::ALL.len()];
    let Some(mut section) = reader.table(value) else {
        return versions;
    };
    for ((name, platform), place) in Platform::WORDS.iter().zip(&mut versions) {
        if *platform == Platform::Unknown {
            continue;
        }
        let Some(value) = section.take(name) else {
            continue;
        };
        let Some(text) = reader.text(&value) else {
            continue;
        };
        match text.parse::<OsVersion>() {
            Ok(version) if version != OsVersion::UNKNOWN => *place = version,
            Ok(_) | Err(_) => reader.error(
                &value.place,
                format!(
                    "expected a version of one to four numbers such as \"17.0.3\"; found {}",
                    quoted(text)
                ),
            ),
        }
    }
    if versions
        .iter()
        .all(|version| *version == OsVersion::UNKNOWN)
    {
        reader.error(
            &value.place,
            "names no version; expected { ios = \"17\", … }",
        );
    }
    reader.close(section, &[]);
    versions
}

fn commands(reader: &mut Reader, value: &Value<'_>) -> Commands {
    let names = Commands::NAMES.into_iter().chain([Commands::ATTACHMENTS]);
    let words: Vec<(&'static str, Commands)> = names
        .filter_map(|name| Some((name, Commands::one(name)?)))
        .collect();
    let chosen = reader.words(value, &words);
    chosen.into_iter().fold(Commands::default(), Commands::with)
}

fn number(reader: &mut Reader, value: &Value<'_>) -> Option<u16> {
    let number = reader.integer(value)?;
    let number = u16::try_from(number)
        .ok()
        .filter(|n| (1..=MAX_DEVICES).contains(n));
    if number.is_none() {
        reader.error(
            &value.place,
            format!("expected a number of devices from 1 to {MAX_DEVICES}"),
        );
    }
    number
}

fn inactivity(reader: &mut Reader, value: &Value<'_>) -> Option<Duration> {
    let limit = reader.duration(value)?;
    if limit < LEAST_INACTIVITY {
        reader.error(
            &value.place,
            "expected at least a day: a phone may be switched off over night",
        );
        return None;
    }
    Some(limit)
}

/// More clients than this are not remembered of a user.
const MAX_DEVICES: u16 = 100;

const LEAST_INACTIVITY: Duration = Duration::from_hours(24);
