//! `[[conditional]]`: access policies.

use super::audience::AudienceDraft;
use super::audience::Groups;
use super::audience::targets;
use super::general::name;
use super::reader::Place;
use super::reader::Reader;
use super::reader::Section;
use super::reader::Value;
use super::reader::quoted;
use crate::model::Plane;
use crate::model::Platform;
use crate::model::Verdict;
use crate::policy::condition::App;
use crate::policy::condition::AppBits;
use crate::policy::condition::AppCondition;
use crate::policy::condition::Client;
use crate::policy::condition::NameSet;
use crate::policy::condition::When;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::RequirementSet;
use crate::policy::conditional::Requirements;
use crate::policy::conditional::State;
use crate::policy::conditional::Then;
use crate::policy::reason::Failure;
use crate::policy::set::Policy;
use crate::policy::words::Set;
use crate::policy::words::Word;

/// An access policy before its groups and names are numbers.
pub(super) struct ConditionalDraft {
    pub(super) name: Box<str>,
    pub(super) state: State,
    pub(super) planes: Set<Plane>,
    pub(super) targets: AudienceDraft,
    pub(super) exempt: AudienceDraft,
    pub(super) nas_groups: Option<Vec<Box<str>>>,
    pub(super) ssids: Option<Vec<Box<str>>>,
    pub(super) when: When,
    pub(super) then: Then,
    pub(super) accept_lockout_risk: bool,
    pub(super) accept_claimed: bool,
}

pub(super) fn read(
    reader: &mut Reader,
    root: &mut Section<'_>,
    groups: &mut Groups,
    names: &mut Vec<(String, Place)>,
    apps: &[App],
) -> Vec<ConditionalDraft> {
    let Some(value) = root.take("conditional") else {
        return Vec::new();
    };
    let elements = reader.list(&value, Policy::MAX_POLICIES);
    if names.len() + elements.len() > Policy::MAX_POLICIES {
        reader.error(
            &value.place,
            format!("more than {} policies in the file", Policy::MAX_POLICIES),
        );
        return Vec::new();
    }
    let mut drafts = Vec::new();
    for element in &elements {
        if let Some(section) = reader.table(element) {
            drafts.push(one(reader, section, groups, names, apps));
        }
    }
    drafts
}

fn one(
    reader: &mut Reader,
    mut section: Section<'_>,
    groups: &mut Groups,
    names: &mut Vec<(String, Place)>,
    apps: &[App],
) -> ConditionalDraft {
    let name = name(reader, &mut section, names);
    let state = section
        .take("state")
        .and_then(|value| reader.choice(&value, &STATES))
        .unwrap_or(State::On);
    let planes = section
        .take("planes")
        .map_or_else(Set::all, |value| reader.set(&value));
    let (targets, exempt) = targets(reader, &mut section, groups);
    let mut draft = ConditionalDraft {
        name,
        state,
        planes,
        targets,
        exempt,
        nas_groups: None,
        ssids: None,
        when: When::default(),
        then: Then::Act(Verdict::Block),
        accept_lockout_risk: false,
        accept_claimed: false,
    };
    if let Some(when) = section.take("when").and_then(|value| reader.table(&value)) {
        conditions(reader, when, &mut draft, apps);
    }
    let action = section.peek("action");
    let otherwise = section.peek("otherwise");
    draft.then = then(reader, &mut section);
    let of_commands = draft.when.client.as_deref();
    if of_commands.is_some_and(Client::is_of_commands) {
        refuse_only(reader, &draft.then, action, otherwise);
    }
    draft.accept_lockout_risk = section
        .take("accept_lockout_risk")
        .and_then(|value| reader.boolean(&value))
        .unwrap_or(false);
    draft.accept_claimed = section
        .take("accept_claimed")
        .and_then(|value| reader.boolean(&value))
        .unwrap_or(false);
    reader.close(section, &OF_HEALTH);
    draft
}

fn conditions(
    reader: &mut Reader,
    mut section: Section<'_>,
    draft: &mut ConditionalDraft,
    apps: &[App],
) {
    let s = &mut section;
    let with = s
        .take("platforms")
        .map(|value| reader.set::<Platform>(&value));
    let without = s.take("not_platforms").map(|value| {
        let set = reader.set::<Platform>(&value);
        if with.unwrap_or_else(Set::all).without(set).is_empty() {
            reader.error(
                &value.place,
                "leaves no platform that the policy could apply to",
            );
        }
        set
    });
    if with.is_some() || without.is_some() {
        let with = with.unwrap_or_else(Set::all);
        draft.when.platforms = Some(with.without(without.unwrap_or_default()));
    }
    draft.nas_groups = s.take("nas_groups").map(|value| texts(reader, &value));
    draft.ssids = s.take("ssids").map(|value| texts(reader, &value));
    draft.when.media = s.take("media").map(|value| reader.set(&value));
    draft.when.established = s.take("established").map(|value| reader.set(&value));
    draft.when.credentials = s.take("credentials").map(|value| reader.set(&value));
    draft.when.ownership = s.take("ownership").map(|value| reader.set(&value));
    let with = s.take("apps").map(|value| app_bits(reader, &value, apps));
    let without = s
        .take("not_apps")
        .map(|value| app_bits(reader, &value, apps));
    if with.is_some() || without.is_some() {
        draft.when.apps = Some(AppCondition {
            with,
            without: without.unwrap_or_default(),
        });
    }
    draft.when.client = super::client::read(reader, s);
    reader.close(section, &OF_HEALTH);
}

/// A policy about single commands can do no more than refuse them.
fn refuse_only(reader: &mut Reader, then: &Then, action: Option<Place>, otherwise: Option<Place>) {
    let (place, verdict) = match then {
        Then::Act(verdict) => (action, *verdict),
        Then::Require(requirements) => (otherwise, requirements.otherwise),
    };
    if let (Some(place), Verdict::Allow | Verdict::Quarantine) = (place, verdict) {
        reader.error(
            &place,
            "expected block: a policy about commands refuses them or leaves them to others",
        );
    }
}

/// A list of names that are compared as they stand.
fn texts(reader: &mut Reader, value: &Value<'_>) -> Vec<Box<str>> {
    let mut names: Vec<Box<str>> = Vec::new();
    if value.is_empty_list() {
        reader.error(
            &value.place,
            "an empty list; leave the key out, or list names",
        );
    }
    for element in reader.list(value, NameSet::MAX) {
        let Some(text) = reader.text(&element) else {
            continue;
        };
        if text.is_empty() {
            reader.error(&element.place, "expected a name; found an empty text");
        } else if names.iter().any(|name| **name == *text) {
            reader.warn(&element.place, "stands in the list twice");
        } else {
            names.push(text.into());
        }
    }
    names
}

/// A list of names of `[[app]]` entries.
fn app_bits(reader: &mut Reader, value: &Value<'_>, apps: &[App]) -> AppBits {
    if value.is_empty_list() {
        reader.error(
            &value.place,
            "an empty list; leave the key out, or list names of [[app]]",
        );
    }
    let mut bits = 0;
    for element in reader.list(value, App::MAX) {
        let Some(text) = reader.text(&element) else {
            continue;
        };
        match apps.iter().position(|app| *app.name == *text) {
            Some(position) => bits |= 1 << position,
            None => reader.error(
                &element.place,
                format!(
                    "no [[app]] has the name {}{}",
                    quoted(text),
                    reader.suggestion(text, apps.iter().map(|app| &*app.name))
                ),
            ),
        }
    }
    AppBits(bits)
}

fn then(reader: &mut Reader, section: &mut Section<'_>) -> Then {
    let action = section.take("action");
    let require = section.take("require");
    let require_any = section.take("require_any");
    let otherwise = section.take("otherwise");
    let otherwise_for = section.take("otherwise_for");
    if let Some(action) = action {
        for value in [require, require_any, otherwise, otherwise_for]
            .into_iter()
            .flatten()
        {
            reader.error(
                &value.place,
                "a policy has an action or requirements, not both: leave action out, or this",
            );
        }
        return Then::Act(reader.word(&action).unwrap_or(Verdict::Block));
    }
    if require.is_none() && require_any.is_none() {
        reader.missing(
            section,
            "require",
            "require or require_any with a list of requirements, or action with a verdict",
        );
    }
    let all = require.map_or_else(Vec::new, |value| requirements(reader, &value));
    let any = require_any.map_or_else(Vec::new, |value| {
        let any = requirements(reader, &value);
        if let Some(both) = any.iter().find(|one| all.contains(one)) {
            reader.error(
                &value.place,
                format!(
                    "{} is required by require already, so that this list asks nothing",
                    both.word()
                ),
            );
        }
        any
    });
    let otherwise = match otherwise {
        Some(value) => reader.choice(&value, &OTHERWISE),
        None => {
            reader.missing(
                section,
                "otherwise",
                "quarantine or block: the verdict when a requirement fails",
            );
            None
        }
    };
    Then::Require(Requirements {
        kind: 0,
        asked: all.iter().chain(&any).copied().collect(),
        all: all.into_iter().collect::<RequirementSet>(),
        any: any.into(),
        otherwise: otherwise.unwrap_or(Verdict::Block),
        otherwise_for: otherwise_for
            .map(|value| exceptions(reader, &value))
            .unwrap_or_default(),
    })
}

fn requirements(reader: &mut Reader, value: &Value<'_>) -> Vec<Requirement> {
    reader.words(value, &Requirement::WORDS)
}

/// `otherwise_for = { evaluating = "allow", … }`.
fn exceptions(reader: &mut Reader, value: &Value<'_>) -> [Option<Verdict>; Failure::COUNT] {
    let mut verdicts = [None; Failure::COUNT];
    let Some(mut section) = reader.table(value) else {
        return verdicts;
    };
    for (failure, verdict) in Failure::ALL.into_iter().zip(&mut verdicts) {
        if let Some(value) = section.take(failure.key()) {
            *verdict = reader.choice(&value, Verdict::WORDS);
        }
    }
    reader.close(section, &[]);
    verdicts
}

const STATES: [(&str, State); 3] = [
    ("on", State::On),
    ("off", State::Off),
    ("report-only", State::ReportOnly),
];

/// A requirement whose failure lets everyone in is none; to try a policy out there is
/// `state = "report-only"`.
const OTHERWISE: [(&str, Verdict); 2] = [
    ("quarantine", Verdict::Quarantine),
    ("block", Verdict::Block),
];

/// Health settings that people look for here (R6).
const OF_HEALTH: [(&str, &str); 8] = [
    ("encrypted", ADVICE),
    ("not_jailbroken", ADVICE),
    ("jailbroken", ADVICE),
    ("passcode", ADVICE),
    ("min_os", ADVICE),
    ("max_threat", ADVICE),
    ("join", ADVICE),
    ("source_verdict", ADVICE),
];

const ADVICE: &str = "a health setting cannot stand in a conditional policy: write it in the \
                      require of a [[compliance]] policy, and require \"compliant\" here";
