//! Texts that need no more than one value of the policy.

use std::time::Duration;

use crate::model::OsVersion;
use crate::model::Platform;
use crate::model::Posture;
use crate::policy::compliance::Ceiling;
use crate::policy::compliance::Demand;
use crate::policy::compliance::Health;
use crate::policy::compliance::Setting;
use crate::policy::condition::Condition;
use crate::policy::condition::NameSet;
use crate::policy::condition::NameTable;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Then;
use crate::policy::trace::Check;
use crate::policy::trace::Finding;
use crate::policy::trace::Gate;
use crate::policy::words::either;

pub(super) fn any_of(policy: &ConditionalPolicy) -> (String, String) {
    let Then::Require(requirements) = &policy.then else {
        return nothing();
    };
    let words = requirements.any.iter().map(|one| one.word());
    ("the alternatives above".to_owned(), either(words))
}

pub(super) fn names(table: &NameTable, set: Option<&NameSet>) -> String {
    set.map_or_else(String::new, |set| either(table.names(set)))
}

/// For a check that its asker never makes.
pub(super) const fn nothing() -> (String, String) {
    (String::new(), String::new())
}

/// The settings that are demanded, in words.
pub(super) fn health(health: &Health) -> Vec<String> {
    let mut texts = Vec::new();
    for (key, demand) in [
        ("encrypted", health.encrypted),
        ("not_jailbroken", health.not_jailbroken),
        ("passcode", health.passcode),
    ] {
        if demand != Demand::No {
            texts.push(format!("{key} {}", or_unknown("yes", demand)));
        }
    }
    for platform in Platform::ALL {
        let floor = health.min_os_for(platform);
        if floor.demand != Demand::No && floor.version != OsVersion::UNKNOWN {
            texts.push(format!("min_os {}", min_os(health, platform)));
        }
    }
    if health.max_threat.demand != Demand::No {
        texts.push(format!("max_threat {}", max_threat(health)));
    }
    if health.joins.demand != Demand::No {
        texts.push(format!("join {}", joins(health)));
    }
    if health.source_verdict {
        texts.push("source_verdict compliant".to_owned());
    }
    texts
}

pub(super) fn min_os(health: &Health, platform: Platform) -> String {
    let floor = health.min_os_for(platform);
    if platform == Platform::Unknown {
        return or_unknown("a known platform", floor.demand);
    }
    or_unknown(
        &format!("{platform} {} or later", floor.version),
        floor.demand,
    )
}

pub(super) fn max_threat(health: &Health) -> String {
    let ceiling = match health.max_threat.ceiling {
        Ceiling::Secured => "secured",
        Ceiling::Low => "lowSeverity or better",
        Ceiling::Medium => "mediumSeverity or better",
        Ceiling::High => "highSeverity or better",
    };
    or_unknown(ceiling, health.max_threat.demand)
}

pub(super) fn joins(health: &Health) -> String {
    or_unknown(&health.joins.allowed.text(), health.joins.demand)
}

pub(super) fn or_unknown(wanted: &str, demand: Demand) -> String {
    match demand {
        Demand::No | Demand::Always => wanted.to_owned(),
        Demand::WhenKnown => format!("{wanted}, or unknown"),
    }
}

pub(super) fn version(posture: &Posture) -> String {
    if posture.os_version == OsVersion::UNKNOWN {
        format!("{}, version unknown", posture.platform)
    } else {
        format!("{} {}", posture.platform, posture.os_version)
    }
}

/// The greatest unit that a duration fills: `4 min`.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

pub(super) const fn result(finding: Finding) -> &'static str {
    match finding {
        Finding::Held => "held",
        Finding::Failed => "failed",
        Finding::Stale => "stale",
        Finding::NotTargeted => "not targeted",
        Finding::Exempt => "exempt",
        Finding::Targeted => "targeted",
        Finding::NotApplied => "not applied",
        Finding::NotEnabled => "not enabled",
        Finding::Allow => "allow",
        Finding::Quarantine => "quarantine",
        Finding::Block => "block",
    }
}

/// The key that a person would look for in the file.
pub(super) fn key(check: Check) -> &'static str {
    match check {
        Check::Gate(Gate::BreakGlass) => "break_glass",
        Check::Gate(Gate::UserEnabled) => "user enabled",
        Check::Gate(Gate::UserKnown) => "user known",
        Check::Gate(Gate::NotRetired) => "retirement",
        Check::State => "state",
        Check::Plane => "planes",
        Check::Target => "targets",
        Check::Condition(condition) => match condition {
            Condition::Platform => "platforms",
            Condition::NasGroup => "nas_groups",
            Condition::Ssid => "ssids",
            Condition::Medium => "media",
            Condition::App => "apps",
            Condition::Established => "established",
            Condition::Credential => "credentials",
            Condition::Ownership => "ownership",
            Condition::DeviceType => "device_types",
            Condition::Model => "models",
            Condition::UserAgent => "user_agents",
            Condition::OsBelow => "os_below",
            Condition::ProtocolVersion => "protocol_versions",
            Condition::Command => "commands",
            Condition::DevicesOver => "devices_over",
            Condition::Inactive => "inactive_for",
        },
        Check::Requirement(requirement) => requirement.word(),
        Check::AnyOf => "require_any",
        Check::Health(setting) => match setting {
            Setting::Encrypted => "encrypted",
            Setting::NotJailbroken => "not_jailbroken",
            Setting::Passcode => "passcode",
            Setting::MinOs => "min_os",
            Setting::MaxThreat => "max_threat",
            Setting::Join => "join",
            Setting::SourceVerdict => "source_verdict",
        },
        Check::Outcome => "outcome",
    }
}
