//! `[groups]`, `[break_glass]`, and the lists that say whom a policy is about.

use std::collections::BTreeMap;

use super::reader::Place;
use super::reader::Reader;
use super::reader::Section;
use super::reader::Value;
use super::reader::quoted;
use crate::model::GroupId;
use crate::model::UserId;
use crate::policy::groups;
use crate::policy::groups::MAX_GROUPS;
use crate::policy::targeting::Audience;

/// The groups of the file. A group is declared once, because a misspelt name would target nobody,
/// and nobody would notice.
pub(super) struct Groups {
    declared: BTreeMap<String, Declared>,
    by_guid: Vec<(GroupId, Box<str>)>,
    place: Place,
}

struct Declared {
    group: GroupId,
    place: Place,
    used: bool,
}

/// What is said of a group under `[groups]` that no policy names; whoever else takes it may know better.
pub const UNUSED_GROUP: &str = "no policy names this group";

/// Who is in a list, by group id.
#[derive(Default)]
pub(super) struct AudienceDraft {
    pub(super) everyone: bool,
    pub(super) groups: Vec<GroupId>,
    pub(super) users: Vec<UserId>,
}

impl Groups {
    pub(super) fn read(reader: &mut Reader, root: &mut Section<'_>) -> Self {
        let value = root.take("groups");
        let mut groups = Self {
            declared: BTreeMap::new(),
            by_guid: Vec::new(),
            place: value
                .as_ref()
                .map_or_else(|| root.place.clone(), |value| value.place.clone()),
        };
        let section = value.and_then(|value| reader.table(&value));
        let entries = section
            .map(|mut section| section.take_all())
            .unwrap_or_default();
        if entries.len() > MAX_GROUPS {
            reader.error(
                &groups.place,
                format!("{} groups, at most {MAX_GROUPS} are taken", entries.len()),
            );
        }
        for (name, value) in entries.into_iter().take(MAX_GROUPS) {
            if name == EVERYONE || name.starts_with(USER) || is_guid(name) {
                reader.error(
                    &value.place,
                    "a group cannot have this name: lists of targets read it as something else",
                );
                continue;
            }
            let Some(text) = reader.text(&value) else {
                continue;
            };
            if text.trim().is_empty() {
                reader.error(
                    &value.place,
                    "expected the group's GUID, or its name in the source; found an empty text",
                );
                continue;
            }
            groups.declared.insert(
                name.to_owned(),
                Declared {
                    group: GroupId::named(text),
                    place: value.place,
                    used: false,
                },
            );
        }
        groups
    }

    /// What can only be said when the whole file has been read.
    pub(super) fn check(&self, reader: &mut Reader) {
        let count = self.declared.len() + self.by_guid.len();
        if count > MAX_GROUPS {
            reader.error(
                &self.place,
                format!("{count} groups, at most {MAX_GROUPS} are taken"),
            );
        }
        for declared in self.declared.values().filter(|declared| !declared.used) {
            reader.warn(&declared.place, UNUSED_GROUP);
        }
    }

    pub(super) fn into_names(self) -> groups::Groups {
        let declared = self
            .declared
            .into_iter()
            .map(|(name, declared)| (declared.group, name.into_boxed_str()));
        groups::Groups::new(declared.chain(self.by_guid).collect())
    }

    fn find(&mut self, name: &str) -> Option<GroupId> {
        if let Some(declared) = self.declared.get_mut(name) {
            declared.used = true;
            return Some(declared.group);
        }
        if !is_guid(name) {
            return None;
        }
        let group = GroupId::named(name);
        if !self.by_guid.iter().any(|(known, _)| *known == group)
            && !self.declared.values().any(|known| known.group == group)
        {
            self.by_guid.push((group, group.to_string().into()));
        }
        Some(group)
    }
}

pub(super) fn break_glass(
    reader: &mut Reader,
    root: &mut Section<'_>,
    groups: &mut Groups,
) -> AudienceDraft {
    let Some(mut section) = root
        .take("break_glass")
        .and_then(|value| reader.table(&value))
    else {
        return AudienceDraft::default();
    };
    let members = section.take("members");
    if members.is_none() {
        reader.missing(
            &section,
            "members",
            "a list of groups and \"user:NAME\" entries that bypass every policy",
        );
    }
    let draft = members.map(|members| no_everyone(reader, &members, groups));
    reader.close(section, &[]);
    draft.unwrap_or_default()
}

/// `targets` (required, not empty) and `exempt` (optional) of a policy.
pub(super) fn targets(
    reader: &mut Reader,
    section: &mut Section<'_>,
    groups: &mut Groups,
) -> (AudienceDraft, AudienceDraft) {
    let targets = match section.take("targets") {
        Some(value) => {
            if value.is_empty_list() {
                reader.error(&value.place, format!("names nobody; expected {EXPECTED}"));
            }
            read(reader, &value, groups)
        }
        None => {
            reader.missing(section, "targets", EXPECTED);
            AudienceDraft::default()
        }
    };
    let exempt = section
        .take("exempt")
        .map(|value| no_everyone(reader, &value, groups));
    (targets, exempt.unwrap_or_default())
}

/// A list that "all" may not stand in: it would switch every policy off, or the policy itself.
fn no_everyone(reader: &mut Reader, value: &Value<'_>, groups: &mut Groups) -> AudienceDraft {
    let draft = read(reader, value, groups);
    if draft.everyone {
        reader.error(
            &value.place,
            "\"all\" cannot stand here: it would let everyone pass unjudged",
        );
    }
    draft
}

fn read(reader: &mut Reader, value: &Value<'_>, groups: &mut Groups) -> AudienceDraft {
    let mut draft = AudienceDraft::default();
    let elements = reader.list(value, MAX_GROUPS);
    for element in &elements {
        let Some(text) = reader.text(element) else {
            continue;
        };
        if text == EVERYONE {
            draft.everyone = true;
        } else if let Some(user) = text.strip_prefix(USER) {
            draft.add_user(reader, element, user);
        } else if let Some(group) = groups.find(text) {
            if draft.groups.contains(&group) {
                reader.warn(&element.place, "stands in the list twice");
            } else {
                draft.groups.push(group);
            }
        } else {
            let known = groups.declared.keys().map(String::as_str);
            reader.error(
                &element.place,
                format!(
                    "no group {} in [groups]; expected {EXPECTED}{}",
                    quoted(text),
                    reader.suggestion(text, known)
                ),
            );
        }
    }
    if draft.everyone && elements.len() > 1 {
        reader.warn(
            &value.place,
            "\"all\" makes the other entries of this list idle",
        );
    }
    draft
}

impl AudienceDraft {
    fn add_user(&mut self, reader: &mut Reader, element: &Value<'_>, name: &str) {
        let Some(user) = UserId::parse(name) else {
            return reader.error(
                &element.place,
                "expected \"user:NAME\" with a name of 1 to 253 octets",
            );
        };
        if self.users.contains(&user) {
            reader.warn(&element.place, "stands in the list twice");
        } else if self.users.len() == Audience::MAX_USERS {
            reader.error(
                &element.place,
                format!(
                    "more than {} users in a list; make a group of them",
                    Audience::MAX_USERS
                ),
            );
        } else {
            self.users.push(user);
        }
    }
}

/// Whether a text is a GUID as it is printed; such a text needs no declaration.
fn is_guid(text: &str) -> bool {
    GroupId::named(text).to_string().eq_ignore_ascii_case(text)
}

const EVERYONE: &str = "all";
const USER: &str = "user:";
const EXPECTED: &str = "a list of names from [groups], GUIDs, \"user:NAME\" or \"all\"";
