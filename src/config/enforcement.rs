//! What a verdict becomes on a network: VLANs, filters, roles; per group of NASes.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use crate::document::Section;
use crate::document::integer;
use crate::document::kind;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::Template;

/// The profiles of every NAS group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// For groups that are not named.
    pub default: Profiles,
    /// For the groups that are. What a group does not set is already taken from `default` here.
    pub groups: BTreeMap<String, Profiles>,
}

/// One profile for each outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profiles {
    /// Allow.
    pub allow: Profile,
    /// Allow for a device that was only claimed (MAC authentication bypass).
    pub allow_claimed: Profile,
    /// Quarantine.
    pub quarantine: Profile,
    /// Block: an Access-Reject, which carries a message and nothing else.
    pub block: Profile,
}

impl Default for Profiles {
    fn default() -> Self {
        Self {
            allow: Profile::default(),
            allow_claimed: Profile {
                vlan: Some("30".into()),
                filter_id: Some("limited".into()),
                session_timeout: Some(Duration::from_hours(8)),
                ..Profile::default()
            },
            quarantine: Profile {
                vlan: Some("20".into()),
                filter_id: Some("quarantine".into()),
                session_timeout: Some(Duration::from_hours(1)),
                reply_message: Some(
                    "This device does not meet the requirements yet. Its access is limited.".into(),
                ),
                ..Profile::default()
            },
            block: Profile {
                reply_message: Some("This device may not connect.".into()),
                ..Profile::default()
            },
        }
    }
}

/// The attributes of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Tunnel-Private-Group-ID with the Tunnel-Type and Tunnel-Medium-Type of RFC 3580
    /// section 3.31: a number of 1 to 4094 or a name that the NAS knows.
    pub vlan: Option<String>,
    /// Filter-Id (RFC 2865 section 5.11).
    pub filter_id: Option<String>,
    /// Session-Timeout (RFC 2865 section 5.27), whole seconds.
    pub session_timeout: Option<Duration>,
    /// Reply-Message (RFC 2865 section 5.18); not sent along with EAP (RFC 3579 section 2.6.5).
    pub reply_message: Option<String>,
    /// Class (RFC 2865 section 5.25), returned by the NAS in its accounting.
    pub class: Option<String>,
    /// Any other attribute of an Access-Accept, in the order of the file.
    pub attributes: Vec<Template>,
}

impl Profile {
    /// Whether the NAS is told anything that could limit the access.
    #[must_use]
    pub const fn limits(&self) -> bool {
        self.vlan.is_some() || self.filter_id.is_some() || !self.attributes.is_empty()
    }
}

/// Reads `[enforce]`.
pub(super) fn read(section: &mut Section<'_>) -> Enforcement {
    let mut default = section.child("default");
    let default_profiles = read_profiles(&mut default, &Profiles::default());
    default.finish();
    let group = section.child("group");
    let groups = group
        .entries()
        .iter()
        .map(|entry| {
            let mut table = group.table_of(entry);
            let profiles = read_profiles(&mut table, &default_profiles);
            table.finish();
            (entry.name.clone(), profiles)
        })
        .collect();
    Enforcement {
        default: default_profiles,
        groups,
    }
}

/// A profile that is written down is taken as it stands; one that is not comes from `base`.
fn read_profiles(section: &mut Section<'_>, base: &Profiles) -> Profiles {
    let allow = read_profile(section, "allow", Kind::Accept);
    let allow_claimed = read_profile(section, "allow-claimed", Kind::Limited);
    let quarantine = read_profile(section, "quarantine", Kind::Limited);
    let block = read_profile(section, "block", Kind::Reject);
    Profiles {
        allow: allow.unwrap_or_else(|| base.allow.clone()),
        allow_claimed: allow_claimed.unwrap_or_else(|| base.allow_claimed.clone()),
        quarantine: quarantine.unwrap_or_else(|| base.quarantine.clone()),
        block: block.unwrap_or_else(|| base.block.clone()),
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

fn read_profile(parent: &mut Section<'_>, name: &'static str, kind: Kind) -> Option<Profile> {
    let written = parent.has(name);
    let mut section = parent.child(name);
    let mut profile = Profile::default();
    section.set("reply_message", &mut profile.reply_message);
    bound_text(&section, "reply_message", profile.reply_message.as_deref());
    if kind == Kind::Reject {
        for key in [
            "vlan",
            "filter_id",
            "session_timeout",
            "class",
            "attributes",
        ] {
            section.refuse(
                key,
                "an Access-Reject carries reply_message only (RFC 2865 section 5.44)",
            );
        }
        section.finish();
        return written.then_some(profile);
    }
    profile.vlan = read_vlan(&mut section);
    section.set("filter_id", &mut profile.filter_id);
    bound_text(&section, "filter_id", profile.filter_id.as_deref());
    section.set("class", &mut profile.class);
    bound_text(&section, "class", profile.class.as_deref());
    let mut timeout = Duration::ZERO;
    section.set_within("session_timeout", MIN_SESSION..=MAX_SESSION, &mut timeout);
    profile.session_timeout = (timeout != Duration::ZERO).then_some(timeout);
    profile.attributes = read_attributes(&mut section, &profile);
    section.finish();
    if written && kind == Kind::Limited && !profile.limits() {
        section.error(
            "",
            format!("{name} would give full access: set vlan, filter_id or attributes"),
        );
    }
    written.then_some(profile)
}

fn read_vlan(section: &mut Section<'_>) -> Option<String> {
    let value = section.raw("vlan")?;
    let number = integer(value.get_ref());
    let text = value.get_ref().as_str();
    let digits = text.and_then(|text| text.parse::<i64>().ok());
    match (number.or(digits), text) {
        (Some(number @ 1..=4094), _) => Some(number.to_string()),
        (None, Some(name)) if (1..=MAX_VLAN_NAME).contains(&name.len()) => Some(name.to_owned()),
        (_, _) => {
            let message = "expected a VLAN number of 1 to 4094 or a name of up to 32 octets";
            section.error("vlan", message);
            None
        }
    }
}

fn read_attributes(section: &mut Section<'_>, profile: &Profile) -> Vec<Template> {
    let table = section.child("attributes");
    let mut attributes: Vec<Template> = Vec::new();
    let mut entries = table.entries();
    // The table is sorted by name; on the wire the order of the file counts.
    entries.sort_by_key(|entry| entry.value.span().start);
    for entry in entries {
        let value = entry.value.get_ref();
        let elements: Vec<&DeValue<'_>> = match value.as_array() {
            Some(array) => array.iter().map(toml::Spanned::get_ref).collect(),
            None => vec![value],
        };
        for element in elements {
            match template(&entry.name, element, profile) {
                Ok(template) => attributes.push(template),
                Err(message) => table.error(&entry.name, message),
            }
        }
    }
    let octets: usize = attributes.iter().map(|one| one.octets().len()).sum();
    if octets > MAX_ATTRIBUTES {
        section.error(
            "attributes",
            format!("take {octets} octets of a packet, at most {MAX_ATTRIBUTES} fit beside EAP"),
        );
    }
    attributes
}

fn template(name: &str, value: &DeValue<'_>, profile: &Profile) -> Result<Template, String> {
    let number = integer(value).and_then(|number| u64::try_from(number).ok());
    let text = match (number, value.as_str()) {
        (Some(number), _) => number.to_string(),
        (None, Some(text)) => text.to_owned(),
        (None, None) => {
            return Err(format!(
                "expected a text, a number of 0 or more, or a list of those, found {}",
                kind(value)
            ));
        }
    };
    let template = Template::parse(name, &text).map_err(|error| error.to_string())?;
    if !template.is_allowed_in(Code::AccessAccept) {
        return Err("has no place in an Access-Accept".to_owned());
    }
    // Attributes that may stand in a packet once (RFC 2865 section 5.44) or belong together.
    let key = match template.kind() {
        AttributeType::SESSION_TIMEOUT if profile.session_timeout.is_some() => "session_timeout",
        AttributeType::TUNNEL_TYPE
        | AttributeType::TUNNEL_MEDIUM_TYPE
        | AttributeType::TUNNEL_PRIVATE_GROUP_ID
            if profile.vlan.is_some() =>
        {
            "vlan"
        }
        _ => return Ok(template),
    };
    Err(format!("is what {key} of this profile sets already"))
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

/// Octets of one attribute's value (RFC 2865 section 5).
const MAX_TEXT: usize = 253;
/// Octets of a profile's attributes: beside them go EAP of up to 3 KiB and the keys.
const MAX_ATTRIBUTES: usize = 600;
/// Octets of a VLAN's name: IEEE 802.1Q allows 32.
const MAX_VLAN_NAME: usize = 32;
/// Below a minute a NAS would do nothing but ask.
const MIN_SESSION: Duration = Duration::from_mins(1);
/// Session-Timeout has 32 bits of seconds; 30 days is longer than any access point honours.
const MAX_SESSION: Duration = Duration::from_hours(30 * 24);
