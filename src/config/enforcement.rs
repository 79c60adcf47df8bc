//! What a verdict becomes on a network: VLANs, filters, roles; per group of NASes.
//!
//! What is written is kept as it stands ([`Written`]) until the dictionaries have been read; then
//! each group's template turns it into attributes ([`Written::encode`]). A profile that a group
//! takes over from the default one is so spelled in the way of the group's own devices.

mod encode;
mod reaction;
mod template;

use std::collections::BTreeMap;
use std::time::Duration;

pub(super) use template::Told;

use self::reaction::Asked;
use self::template::Pattern;
use self::template::Templates;
use self::template::read_attributes;
use crate::document::Section;
use crate::document::integer;
use crate::network::Reactions;
use crate::radius::Prepared;

/// The profiles of every NAS group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// For groups that are not named.
    pub default: Profiles,
    /// For the groups that are. What a group does not set is already taken from `default` here.
    pub groups: BTreeMap<String, Profiles>,
}

/// One profile for each outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// Allow.
    pub allow: Profile,
    /// Allow for a device that was only claimed (MAC authentication bypass).
    pub allow_claimed: Profile,
    /// Quarantine.
    pub quarantine: Profile,
    /// Block: an Access-Reject, which carries a message and nothing else.
    pub block: Profile,
    /// What NASes are asked when the verdict about somebody changes (RFC 5176).
    pub reactions: Reactions,
    /// The longest session at a NAS that cannot be asked.
    pub recheck: Option<Duration>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Attributes of the Access-Accept.
    pub attributes: Prepared,
    /// Session-Timeout (RFC 2865 section 5.27), whole seconds.
    pub session_timeout: Option<Duration>,
    /// Reply-Message (RFC 2865 section 5.18); not sent along with EAP (RFC 3579 section 2.6.5).
    pub reply_message: Option<String>,
    /// Whether the devices take all that it says in a CoA-Request too.
    pub in_coa: bool,
}

/// `[enforce]` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    default: WrittenGroup,
    /// What a group does not set is already taken from `default` here.
    pub(super) groups: BTreeMap<String, WrittenGroup>,
    templates: Templates,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            default: WrittenGroup {
                template: STANDARD.to_owned(),
                place: "enforce.default".to_owned(),
                on_change: None,
                on_block: None,
                recheck: Some(RECHECK),
                profiles: WrittenProfiles::default(),
            },
            groups: BTreeMap::new(),
            templates: Templates::default(),
        }
    }
}

/// A group, or the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenGroup {
    template: String,
    /// Its key in the file.
    place: String,
    /// What is asked of the devices instead of what the template says.
    on_change: Option<Asked>,
    on_block: Option<Asked>,
    recheck: Option<Duration>,
    profiles: WrittenProfiles,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct WrittenProfiles {
    allow: WrittenProfile,
    allow_claimed: WrittenProfile,
    quarantine: WrittenProfile,
    block: WrittenProfile,
}

impl Default for WrittenProfiles {
    fn default() -> Self {
        let built_in = |name: &str, vlan: &str, filter: &str, timeout| WrittenProfile {
            place: format!("enforce.default.{name}"),
            told: vec![
                (Told::Vlan, vec![vlan.to_owned()]),
                (Told::FilterId, vec![filter.to_owned()]),
            ],
            session_timeout: Some(timeout),
            ..WrittenProfile::default()
        };
        let named = |name: &str| WrittenProfile {
            place: format!("enforce.default.{name}"),
            ..WrittenProfile::default()
        };
        Self {
            allow: named("allow"),
            allow_claimed: built_in("allow-claimed", "30", "limited", Duration::from_hours(8)),
            quarantine: WrittenProfile {
                reply_message: Some(
                    "This device does not meet the requirements yet. Its access is limited.".into(),
                ),
                ..built_in("quarantine", "20", "quarantine", Duration::from_hours(1))
            },
            block: WrittenProfile {
                reply_message: Some("This device may not connect.".into()),
                ..named("block")
            },
        }
    }
}

/// A profile as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct WrittenProfile {
    /// Its key in the file.
    place: String,
    /// What the device is to be told; several values of one that is a list.
    told: Vec<(Told, Vec<String>)>,
    session_timeout: Option<Duration>,
    reply_message: Option<String>,
    /// Class (RFC 2865 section 5.25), returned by the NAS in its accounting.
    class: Option<String>,
    /// Any other attribute of an Access-Accept, in the order of the file.
    attributes: Pattern,
}

impl WrittenProfile {
    /// Whether the NAS is told anything that could limit the access.
    const fn limits(&self) -> bool {
        !self.told.is_empty() || !self.attributes.is_empty()
    }
}

/// Reads `[enforce]`.
pub(super) fn read(section: &mut Section<'_>) -> Written {
    let mut written = Written::default();
    written.templates.read(&section.child("template"));
    let mut table = section.child("default");
    let built_in = written.default.clone();
    written.default = read_group(&mut table, &built_in, &written.templates);
    table.finish();
    let group = section.child("group");
    for entry in group.entries() {
        let mut table = group.table_of(&entry);
        let read = read_group(&mut table, &written.default, &written.templates);
        table.finish();
        written.groups.insert(entry.name.clone(), read);
    }
    written
}

/// A profile that is written down is taken as it stands; one that is not comes from `base`.
fn read_group(section: &mut Section<'_>, base: &WrittenGroup, known: &Templates) -> WrittenGroup {
    let mut template = base.template.clone();
    section.set("template", &mut template);
    if known.flat(&template).is_none() {
        section.error("template", known.unknown(&template));
        template.clone_from(&base.template);
    }
    // Words of other devices would be none of these.
    let same = template == base.template;
    let mut on_change = base.on_change.filter(|_| same);
    section.set("on_change", &mut on_change);
    let mut on_block = base.on_block.filter(|_| same);
    section.set("on_block", &mut on_block);
    if on_block == Some(Asked::Push) {
        section.error(
            "on_block",
            "who is blocked has no access that could be given",
        );
    }
    let mut recheck = base.recheck.unwrap_or_default();
    section.set_within("recheck", Duration::ZERO..=MAX_SESSION, &mut recheck);
    if recheck != Duration::ZERO && recheck < MIN_SESSION {
        section.error("recheck", "expected 0s, or 1m and more");
    }
    let allow = read_profile(section, "allow", Kind::Accept);
    let allow_claimed = read_profile(section, "allow-claimed", Kind::Limited);
    let quarantine = read_profile(section, "quarantine", Kind::Limited);
    let block = read_profile(section, "block", Kind::Reject);
    let base = &base.profiles;
    WrittenGroup {
        template,
        place: section.path_of(""),
        on_change,
        on_block,
        recheck: (recheck != Duration::ZERO).then_some(recheck),
        profiles: WrittenProfiles {
            allow: allow.unwrap_or_else(|| base.allow.clone()),
            allow_claimed: allow_claimed.unwrap_or_else(|| base.allow_claimed.clone()),
            quarantine: quarantine.unwrap_or_else(|| base.quarantine.clone()),
            block: block.unwrap_or_else(|| base.block.clone()),
        },
    }
}

/// What a profile is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An Access-Accept.
    Accept,
    /// An Access-Accept that must keep the device from the rest of the network.
    Limited,
    /// An Access-Reject.
    Reject,
}

fn read_profile(
    parent: &mut Section<'_>,
    name: &'static str,
    kind: Kind,
) -> Option<WrittenProfile> {
    let written = parent.has(name);
    let mut section = parent.child(name);
    let mut profile = WrittenProfile {
        place: section.path_of(""),
        ..WrittenProfile::default()
    };
    section.set("reply_message", &mut profile.reply_message);
    bound_text(&section, "reply_message", profile.reply_message.as_deref());
    if kind == Kind::Reject {
        let keys = Told::ALL
            .iter()
            .filter(|(_, told)| *told != Told::VlanName)
            .map(|(key, _)| *key);
        for key in keys.chain(["session_timeout", "class", "attributes"]) {
            section.refuse(
                key,
                "an Access-Reject carries reply_message only (RFC 2865 section 5.44)",
            );
        }
        section.finish();
        return written.then_some(profile);
    }
    read_told(&mut section, &mut profile.told);
    section.set("class", &mut profile.class);
    bound_text(&section, "class", profile.class.as_deref());
    let mut timeout = Duration::ZERO;
    section.set_within("session_timeout", MIN_SESSION..=MAX_SESSION, &mut timeout);
    profile.session_timeout = (timeout != Duration::ZERO).then_some(timeout);
    profile.attributes = read_attributes(&section.child("attributes"));
    section.finish();
    if written && kind == Kind::Limited && !profile.limits() {
        section.error(
            "",
            format!("{name} would give full access: set vlan, filter_id, role or attributes"),
        );
    }
    written.then_some(profile)
}

fn read_told(section: &mut Section<'_>, told: &mut Vec<(Told, Vec<String>)>) {
    for (key, what) in Told::ALL {
        let values = match what {
            Told::Vlan => match read_vlan(section) {
                Some((number_or_name, value)) => {
                    told.push((number_or_name, vec![value]));
                    continue;
                }
                None => continue,
            },
            // Is what `vlan` becomes when it is a name.
            Told::VlanName => continue,
            Told::AclLines => {
                let lines: Option<Vec<String>> = section.read(key);
                let lines = lines.unwrap_or_default();
                if lines.len() > MAX_LINES {
                    let message = format!("{} lines, at most {MAX_LINES}", lines.len());
                    section.error(key, message);
                }
                lines
            }
            Told::FilterId
            | Told::Acl
            | Told::RedirectAcl
            | Told::RedirectUrl
            | Told::Role
            | Told::InterfaceTemplate
            | Told::GroupPolicy
            | Told::SecurityGroup
            | Told::AddressPool => {
                let text: Option<String> = section.read(key);
                bound_text(section, key, text.as_deref());
                text.into_iter().collect()
            }
        };
        if !values.is_empty() {
            told.push((what, values));
        }
    }
}

fn read_vlan(section: &mut Section<'_>) -> Option<(Told, String)> {
    let value = section.raw("vlan")?;
    let number = integer(value.get_ref());
    let text = value.get_ref().as_str();
    let digits = text.and_then(|text| text.parse::<i64>().ok());
    match (number.or(digits), text) {
        (Some(number @ 1..=4094), _) => Some((Told::Vlan, number.to_string())),
        (None, Some(name)) if (1..=MAX_VLAN_NAME).contains(&name.len()) => {
            Some((Told::VlanName, name.to_owned()))
        }
        (_, _) => {
            let message = "expected a VLAN number of 1 to 4094 or a name of up to 32 octets";
            section.error("vlan", message);
            None
        }
    }
}

fn bound_text(section: &Section<'_>, key: &str, text: Option<&str>) {
    if let Some(text) = text
        && !(1..=MAX_TEXT).contains(&text.len())
    {
        section.error(
            key,
            format!("expected 1 to {MAX_TEXT} octets, found {}", text.len()),
        );
    }
}

/// The template of groups that name none.
const STANDARD: &str = "standard";
/// How long a device may be in at a NAS that cannot be told that its verdict has changed: what it
/// costs is one login an hour for each of them.
const RECHECK: Duration = Duration::from_hours(1);
/// Octets of one attribute's value (RFC 2865 section 5).
const MAX_TEXT: usize = 253;
/// Lines of an access list: more of them have no room in a packet.
const MAX_LINES: usize = 100;
/// Octets of a VLAN's name: IEEE 802.1Q allows 32.
const MAX_VLAN_NAME: usize = 32;
/// Below a minute a NAS would do nothing but ask.
const MIN_SESSION: Duration = Duration::from_mins(1);
/// Session-Timeout has 32 bits of seconds; 30 days is longer than any access point honours.
const MAX_SESSION: Duration = Duration::from_hours(30 * 24);
