//! `[[compliance]]`: health policies.

use super::audience::AudienceDraft;
use super::audience::Groups;
use super::audience::targets;
use super::client::versions_by_platform;
use super::general::name;
use super::reader::Place;
use super::reader::Reader;
use super::reader::Section;
use super::reader::Value;
use crate::model::Join;
use crate::model::OsVersion;
use crate::model::Platform;
use crate::policy::compliance::Ceiling;
use crate::policy::compliance::Demand;
use crate::policy::compliance::Health;
use crate::policy::compliance::Joins;
use crate::policy::compliance::MaxThreat;
use crate::policy::compliance::MinOs;
use crate::policy::set::Policy;
use crate::policy::words::Set;

/// A health policy before its groups are numbers.
pub(super) struct ComplianceDraft {
    pub(super) name: Box<str>,
    pub(super) targets: AudienceDraft,
    pub(super) exempt: AudienceDraft,
    pub(super) platforms: Option<Set<Platform>>,
    pub(super) health: Health,
}

pub(super) fn read(
    reader: &mut Reader,
    root: &mut Section<'_>,
    groups: &mut Groups,
    names: &mut Vec<(String, Place)>,
) -> Vec<ComplianceDraft> {
    let Some(value) = root.take("compliance") else {
        return Vec::new();
    };
    let mut drafts = Vec::new();
    for element in reader.list(&value, Policy::MAX_POLICIES) {
        let Some(mut section) = reader.table(&element) else {
            continue;
        };
        let name = name(reader, &mut section, names);
        let (targets, exempt) = targets(reader, &mut section, groups);
        let platforms = section.take("platforms").map(|value| reader.set(&value));
        let unknown = section.take("unknown");
        let health = match section.take("require") {
            Some(value) => health(reader, &value, unknown.as_ref()),
            None => {
                reader.missing(&section, "require", NOTHING_REQUIRED);
                Health::default()
            }
        };
        reader.close(section, &OF_ACCESS);
        drafts.push(ComplianceDraft {
            name,
            targets,
            exempt,
            platforms,
            health,
        });
    }
    drafts
}

/// `require` and, beside it, `unknown`: what each fact counts as while no source states it.
fn health(reader: &mut Reader, require: &Value<'_>, unknown: Option<&Value<'_>>) -> Health {
    let mut health = Health::default();
    let Some(mut section) = reader.table(require) else {
        return health;
    };
    let mut unknown = unknown.and_then(|value| reader.table(value));
    let mut demand = |reader: &mut Reader, name, configured: bool| {
        let value = unknown.as_mut().and_then(|section| section.take(name));
        let passes = match &value {
            Some(value) => reader.choice(value, &UNKNOWN).unwrap_or(false),
            None => false,
        };
        if let (Some(value), false) = (&value, configured) {
            reader.warn(&value.place, "idle: the policy does not require this");
        }
        match (configured, passes) {
            (false, _) => Demand::No,
            (true, true) => Demand::WhenKnown,
            (true, false) => Demand::Always,
        }
    };
    for (name, place) in [
        ("encrypted", &mut health.encrypted),
        ("not_jailbroken", &mut health.not_jailbroken),
        ("passcode", &mut health.passcode),
    ] {
        let required = flag(reader, &mut section, name);
        *place = demand(reader, name, required);
    }
    let floors = section
        .take("min_os")
        .map(|value| versions_by_platform(reader, &value));
    let of_versions = demand(reader, "min_os", floors.is_some());
    if let Some(floors) = floors {
        health.min_os = with_demand(floors, of_versions);
    }
    let ceiling = section
        .take("max_threat")
        .map(|value| reader.choice(&value, &CEILINGS).unwrap_or_default());
    health.max_threat = MaxThreat {
        demand: demand(reader, "max_threat", ceiling.is_some()),
        ceiling: ceiling.unwrap_or_default(),
    };
    let joins = section
        .take("join")
        .map(|value| reader.words(&value, &JOINS).into_iter().collect());
    health.joins = Joins {
        demand: demand(reader, "join", joins.is_some()),
        allowed: joins.unwrap_or_else(Set::all),
    };
    health.source_verdict = flag(reader, &mut section, "source_verdict");
    if health == Health::default() {
        reader.error(
            &require.place,
            format!("empty; expected {NOTHING_REQUIRED}"),
        );
    }
    reader.close(section, &OF_ACCESS);
    if let Some(unknown) = unknown {
        reader.close(unknown, &[]);
    }
    health
}

/// A requirement that is written `name = true`.
fn flag(reader: &mut Reader, section: &mut Section<'_>, name: &'static str) -> bool {
    let Some(value) = section.take(name) else {
        return false;
    };
    let required = reader.boolean(&value);
    if required == Some(false) {
        reader.error(
            &value.place,
            "false requires nothing; leave the key out, or write true",
        );
    }
    required.unwrap_or(false)
}

/// Floors with what their absence in the facts means. A device of unknown platform might be any,
/// so that it is asked too.
fn with_demand(
    floors: [OsVersion; Platform::ALL.len()],
    demand: Demand,
) -> [MinOs; Platform::ALL.len()] {
    let mut min_os = floors.map(|floor| MinOs {
        version: floor,
        demand: if floor == OsVersion::UNKNOWN {
            Demand::No
        } else {
            demand
        },
    });
    let [unknown, ..] = &mut min_os;
    unknown.demand = demand;
    min_os
}

const UNKNOWN: [(&str, bool); 2] = [("passes", true), ("fails", false)];

const CEILINGS: [(&str, Ceiling); 4] = [
    ("secured", Ceiling::Secured),
    ("low", Ceiling::Low),
    ("medium", Ceiling::Medium),
    ("high", Ceiling::High),
];

/// `unknown` is no join that a policy could ask for.
const JOINS: [(&str, Join); 5] = [
    ("none", Join::None),
    ("registered", Join::Registered),
    ("entra", Join::Entra),
    ("hybrid", Join::Hybrid),
    ("ad", Join::ActiveDirectory),
];

const NOTHING_REQUIRED: &str = "at least one health requirement; source_verdict = true leaves the \
                                judgement to the device's management system";

/// Keys that people look for here and that belong to the other kind of policy (R6).
const OF_ACCESS: [(&str, &str); 7] = [
    ("planes", ADVICE),
    ("when", ADVICE),
    ("action", ADVICE),
    ("otherwise", ADVICE),
    ("otherwise_for", ADVICE),
    ("require_any", ADVICE),
    ("state", ADVICE),
];

const ADVICE: &str = "this belongs to a [[conditional]] policy: a compliance policy says what a \
                      healthy device is, never what follows";
