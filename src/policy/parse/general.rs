//! `[defaults]`, `[stale.…]` and `[[app]]`: what holds for all policies.

use std::time::Duration;

use super::Availability;
use super::Staleness;
use super::reader::Place;
use super::reader::Reader;
use super::reader::Section;
use super::reader::Value;
use crate::model::Platform;
use crate::model::Verdict;
use crate::policy::condition::App;
use crate::policy::defaults::CannotEnrol;
use crate::policy::defaults::Defaults;
use crate::policy::defaults::MappingPending;
use crate::policy::glob::Glob;
use crate::policy::words::Set;
use crate::policy::words::Word;

/// The parts of a file that every policy shares.
pub(super) struct General {
    pub(super) defaults: Defaults,
    pub(super) availability: Availability,
    pub(super) apps: Vec<App>,
}

impl General {
    /// `None` when an outcome is missing; the problems have been kept.
    pub(super) fn read(reader: &mut Reader, root: &mut Section<'_>) -> Option<Self> {
        let apps = apps(reader, root);
        let defaults = section(
            reader,
            root,
            "defaults",
            "the outcomes that hold for all policies",
        )
        .and_then(|section| defaults(reader, section));
        let availability = section(
            reader,
            root,
            "stale",
            "how long facts hold: [stale.network], [stale.mail] and [stale.web]",
        )
        .and_then(|section| availability(reader, section));
        Some(Self {
            defaults: defaults?,
            availability: availability?,
            apps,
        })
    }
}

fn section<'d>(
    reader: &mut Reader,
    parent: &mut Section<'d>,
    name: &'static str,
    expected: &str,
) -> Option<Section<'d>> {
    let Some(value) = parent.take(name) else {
        reader.missing(parent, name, expected);
        return None;
    };
    reader.table(&value)
}

fn defaults(reader: &mut Reader, mut section: Section<'_>) -> Option<Defaults> {
    let s = &mut section;
    let not_targeted =
        reader.required(s, "not_targeted", "for a known user whom no policy targets");
    let no_policy_applies = reader.required(
        s,
        "no_policy_applies",
        "for a user whom policies target, when the conditions of none fit",
    );
    let no_credential = reader.required(
        s,
        "no_credential",
        "for a device that proves nothing (MAC authentication bypass) and that no policy targets",
    );
    let unknown_user = reader.required(
        s,
        "unknown_user",
        "at least, for a user whom no source knows",
    );
    let unknown_device = reader.required(s, "unknown_device", "for a device that no source knows");
    let ambiguous_device = reader.required(
        s,
        "ambiguous_device",
        "for an identifier that two devices share",
    );
    let device_of_another_user = reader.required(
        s,
        "device_of_another_user",
        "for a mail device id that is known under another user",
    );
    let unmanaged_device = reader.required(
        s,
        "unmanaged_device",
        "for a device that is known and not enrolled",
    );
    let evaluating = reader.required(
        s,
        "evaluating",
        "for a device whose compliance the source has not evaluated yet",
    );
    let no_policy_is_compliant = match s.take("no_compliance_policy") {
        Some(value) => reader.choice(&value, &COUNTS_AS),
        None => {
            reader.missing(
                s,
                "no_compliance_policy",
                "compliant or noncompliant: for a device that no [[compliance]] policy reaches",
            );
            None
        }
    };
    let accept_other_users_compliance = match s.take("compliance_for_another_user") {
        Some(value) => reader.choice(&value, &COUNTS_AS),
        None => Some(false),
    };
    let cannot_enrol = match s.take("cannot_enrol") {
        Some(value) => reader
            .table(&value)
            .and_then(|section| cannot_enrol(reader, section)),
        // Every kind of device can be enrolled, then, and nothing gets this verdict.
        None => Some(CannotEnrol {
            platforms: Set::default(),
            mail_devices: Box::default(),
            verdict: Verdict::Block,
        }),
    };
    let mapping_pending = s
        .take("mapping_pending")
        .and_then(|value| reader.table(&value))
        .map(|section| mapping_pending(reader, section));
    let unable = cannot_enrol
        .as_ref()
        .map_or_else(Set::default, |cannot| cannot.platforms);
    let platforms = s
        .take("platforms")
        .map(|value| exceptions(reader, &value, unable))
        .unwrap_or_default();
    reader.close(section, &[]);
    Some(Defaults {
        not_targeted: not_targeted?,
        no_policy_applies: no_policy_applies?,
        no_credential: no_credential?,
        unknown_user: unknown_user?,
        unknown_device: unknown_device?,
        ambiguous_device: ambiguous_device?,
        device_of_another_user: device_of_another_user?,
        unmanaged_device: unmanaged_device?,
        evaluating: evaluating?,
        no_policy_is_compliant: no_policy_is_compliant?,
        accept_other_users_compliance: accept_other_users_compliance?,
        platforms,
        cannot_enrol: cannot_enrol?,
        mapping_pending: match mapping_pending {
            None => None,
            Some(read) => Some(read?),
        },
    })
}

fn mapping_pending(reader: &mut Reader, mut section: Section<'_>) -> Option<MappingPending> {
    let wait = duration(
        reader,
        &mut section,
        "for",
        "how long after a mail client was first seen, such as \"15m\"",
    );
    let verdict = reader.required(
        &mut section,
        "then",
        "for a mail client whose device may not have been told of yet",
    );
    reader.close(section, &[]);
    Some(MappingPending {
        wait: wait?,
        verdict: verdict?,
    })
}

fn cannot_enrol(reader: &mut Reader, mut section: Section<'_>) -> Option<CannotEnrol> {
    let verdict = reader.required(
        &mut section,
        "verdict",
        "for a device of a kind that cannot be enrolled",
    );
    let platforms: Set<Platform> = match section.take("platforms") {
        Some(value) => {
            let set = reader.set(&value);
            if set.contains(Platform::Unknown) {
                reader.error(
                    &value.place,
                    "\"unknown\" cannot stand here: a device of no stated platform may well be \
                     one that can be enrolled",
                );
            }
            set
        }
        None => Set::default(),
    };
    let mail_devices = section
        .take("mail_devices")
        .map(|value| globs(reader, &value))
        .unwrap_or_default();
    if platforms.is_empty() && mail_devices.is_empty() {
        reader.missing(
            &section,
            "platforms",
            "a list of platforms, or one of mail_devices",
        );
    }
    reader.close(section, &[]);
    Some(CannotEnrol {
        platforms,
        mail_devices: mail_devices.into(),
        verdict: verdict?,
    })
}

/// `[defaults.platforms]`: the verdict for unknown and unmanaged devices of one platform.
fn exceptions(
    reader: &mut Reader,
    value: &Value<'_>,
    unable: Set<Platform>,
) -> [Option<Verdict>; Platform::ALL.len()] {
    let mut verdicts = [None; Platform::ALL.len()];
    let Some(mut section) = reader.table(value) else {
        return verdicts;
    };
    for ((name, platform), verdict) in Platform::WORDS.iter().zip(&mut verdicts) {
        let Some(value) = section.take(name) else {
            continue;
        };
        if unable.contains(*platform) {
            reader.error(
                &value.place,
                "this platform stands in [defaults.cannot_enrol] already, whose verdict counts",
            );
        }
        *verdict = reader.word(&value);
    }
    reader.close(section, &[]);
    verdicts
}

fn availability(reader: &mut Reader, mut section: Section<'_>) -> Option<Availability> {
    let mut one = |name| staleness(reader, &mut section, name);
    let (network, mail, web) = (one("network"), one("mail"), one("web"));
    reader.close(section, &[]);
    Some(Availability {
        network: network?,
        mail: mail?,
        web: web?,
    })
}

fn staleness(
    reader: &mut Reader,
    parent: &mut Section<'_>,
    name: &'static str,
) -> Option<Staleness> {
    let mut section = section(reader, parent, name, "fresh_for, grace_for and then")?;
    let fresh_for = duration(
        reader,
        &mut section,
        "fresh_for",
        "how long a fact counts as it was delivered, such as \"24h\"",
    );
    let grace_for = duration(
        reader,
        &mut section,
        "grace_for",
        "how long an old fact is still used, such as \"24h\" or \"0s\"",
    );
    let then = reader.required(
        &mut section,
        "then",
        "for a device whose facts are older than both times together",
    );
    reader.close(section, &[]);
    Some(Staleness {
        fresh_for: fresh_for?,
        grace_for: grace_for?,
        then: then?,
    })
}

fn duration(
    reader: &mut Reader,
    section: &mut Section<'_>,
    name: &'static str,
    expected: &str,
) -> Option<Duration> {
    let Some(value) = section.take(name) else {
        reader.missing(section, name, expected);
        return None;
    };
    reader.duration(&value)
}

fn apps(reader: &mut Reader, root: &mut Section<'_>) -> Vec<App> {
    let Some(value) = root.take("app") else {
        return Vec::new();
    };
    let mut apps: Vec<App> = Vec::new();
    let mut names = Vec::new();
    for element in reader.list(&value, App::MAX) {
        let Some(mut section) = reader.table(&element) else {
            continue;
        };
        let name = name(reader, &mut section, &mut names);
        let mut patterns = |key| {
            section
                .take(key)
                .map(|value| globs(reader, &value))
                .unwrap_or_default()
        };
        let device_types = patterns("device_types");
        let user_agents = patterns("user_agents");
        let vpn_clients = patterns("vpn_clients");
        let host_names = patterns("host_names");
        let all = [&device_types, &user_agents, &vpn_clients, &host_names];
        if all.into_iter().all(Vec::is_empty) {
            reader.missing(
                &section,
                "device_types",
                "patterns here or in user_agents, of a VPN's client in vpn_clients or host_names",
            );
        }
        let approved = section
            .take("approved")
            .and_then(|value| reader.boolean(&value))
            .unwrap_or(false);
        reader.close(section, &[]);
        apps.push(App {
            name,
            device_types: device_types.into(),
            user_agents: user_agents.into(),
            vpn_clients: vpn_clients.into(),
            host_names: host_names.into(),
            approved,
        });
    }
    apps
}

/// A list of patterns with `*`.
pub(super) fn globs(reader: &mut Reader, value: &Value<'_>) -> Vec<Glob> {
    let mut globs = Vec::new();
    for element in reader.list(value, MAX_PATTERNS) {
        let Some(text) = reader.text(&element) else {
            continue;
        };
        match Glob::new(text) {
            Some(glob) => globs.push(glob),
            None => reader.error(
                &element.place,
                format!("expected a pattern of 1 to {} octets", Glob::MAX),
            ),
        }
    }
    globs
}

/// The `name` of a policy or application: there, short, printable and the only one.
pub(super) fn name(
    reader: &mut Reader,
    section: &mut Section<'_>,
    names: &mut Vec<(String, Place)>,
) -> Box<str> {
    let Some(value) = section.take("name") else {
        reader.missing(section, "name", "a name that people will read in records");
        return Box::default();
    };
    let Some(text) = reader.text(&value) else {
        return Box::default();
    };
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_control) {
        reader.error(
            &value.place,
            format!("expected 1 to {MAX_NAME} octets without control characters"),
        );
    } else if let Some((_, first)) = names.iter().find(|(known, _)| known == text) {
        let message = format!("the same name stands in line {} already", first.line);
        reader.error(&value.place, message);
    } else {
        names.push((text.to_owned(), value.place));
    }
    text.into()
}

/// Words for settings that say what a device counts as.
const COUNTS_AS: [(&str, bool); 2] = [("compliant", true), ("noncompliant", false)];

/// Patterns in one list; every one is tried for every mail connection.
const MAX_PATTERNS: usize = 32;

/// Longest name, so that a line of a record stays a line.
const MAX_NAME: usize = 120;
