//! From profiles as written to attributes, once the dictionaries are known.

use std::collections::BTreeMap;

use super::Enforcement;
use super::Profile;
use super::Profiles;
use super::Written;
use super::WrittenGroup;
use super::WrittenProfile;
use super::reaction::Asked;
use super::reaction::Words;
use super::template::Pattern;
use super::template::Told;
use crate::document;
use crate::document::suggestion;
use crate::model::Problem;
use crate::network::Reaction;
use crate::network::Reactions;
use crate::radius::AttributeType;
use crate::radius::Code;
use crate::radius::Dictionary;
use crate::radius::Prepared;
use crate::radius::Template;
use crate::radius::TemplateError;

impl Written {
    /// Encodes every profile. What cannot be encoded is left out of it and reported.
    pub(in crate::config) fn encode(
        &self,
        dictionary: &Dictionary,
        lines: &document::Written,
        problems: &mut Vec<Problem>,
    ) -> Enforcement {
        let mut encoder = Encoder {
            written: self,
            dictionary,
            lines,
            problems,
        };
        let default = encoder.profiles(&self.default);
        let groups = self.groups.iter();
        let groups = groups.map(|(name, group)| (name.clone(), encoder.profiles(group)));
        Enforcement {
            default,
            groups: groups.collect(),
        }
    }
}

struct Encoder<'e> {
    written: &'e Written,
    dictionary: &'e Dictionary,
    lines: &'e document::Written,
    problems: &'e mut Vec<Problem>,
}

/// A profile, and whose it is.
struct Of<'e> {
    group: &'e WrittenGroup,
    profile: &'e WrittenProfile,
    says: &'e BTreeMap<Told, Pattern>,
}

impl Encoder<'_> {
    fn profiles(&mut self, group: &WrittenGroup) -> Profiles {
        let says = self.written.templates.flat(&group.template);
        let says = says.unwrap_or_default();
        let mut one = |profile| {
            self.profile(&Of {
                group,
                profile,
                says: &says,
            })
        };
        let written = &group.profiles;
        Profiles {
            allow: one(&written.allow),
            allow_claimed: one(&written.allow_claimed),
            quarantine: one(&written.quarantine),
            block: one(&written.block),
            reactions: self.reactions(group),
            recheck: group.recheck,
        }
    }

    /// What the devices of a group are asked when a verdict changes.
    fn reactions(&mut self, group: &WrittenGroup) -> Reactions {
        let words = self.written.templates.words(&group.template);
        let changed = group.on_change.or(words.on_change).unwrap_or_default();
        let blocked = group.on_block.or(words.on_block).unwrap_or_default();
        Reactions {
            changed: self.reaction(group, &words, ("on_change", changed)),
            blocked: self.reaction(group, &words, ("on_block", blocked)),
        }
    }

    fn reaction(
        &mut self,
        group: &WrittenGroup,
        words: &Words,
        (key, asked): (&str, Asked),
    ) -> Reaction {
        let place = format!("{}.{key}", group.place);
        if let Some(known) = words.instead_of(asked) {
            let template = &group.template;
            let message = format!("template {template} has no words for it; it has {known}");
            self.add(|lines| lines.error(&place, message));
            return Reaction::Disconnect;
        }
        match asked {
            Asked::Disconnect => Reaction::Disconnect,
            Asked::Push => Reaction::Push,
            Asked::Reauthenticate | Asked::Bounce | Asked::Disable => {
                let mut templates = Vec::new();
                for (name, value) in words.commands.get(&asked).into_iter().flatten() {
                    match Template::new(self.dictionary, name, value) {
                        Ok(template) => templates.push(template),
                        Err(error) => {
                            let message = error.to_string();
                            self.add(|lines| lines.error(&place, message));
                        }
                    }
                }
                let command = Prepared::new(&templates);
                if !command.is_for_requests() {
                    let message = "an attribute that is hidden has no place in a CoA-Request";
                    self.add(|lines| lines.error(&place, message.to_owned()));
                }
                Reaction::Command(command)
            }
        }
    }

    fn profile(&mut self, of: &Of<'_>) -> Profile {
        let mut templates = Vec::new();
        for (told, values) in &of.profile.told {
            self.told(of, *told, values, &mut templates);
        }
        if let Some(class) = &of.profile.class {
            match Template::new(self.dictionary, "Class", class) {
                Ok(template) => templates.push(template),
                Err(error) => self.error(of, "class", &error.to_string()),
            }
        }
        for (name, value) in &of.profile.attributes {
            match self.attribute(of, name, value) {
                Ok(template) => templates.push(template),
                Err(message) => self.error(of, &format!("attributes.{name}"), &message),
            }
        }
        let attributes = Prepared::new(&templates);
        let octets = attributes.size();
        let key = if of.profile.attributes.is_empty() {
            ""
        } else {
            "attributes"
        };
        if octets > MAX_ATTRIBUTES {
            let message = format!(
                "attributes take {octets} octets of a packet, at most {MAX_ATTRIBUTES} fit beside \
                 keys and names"
            );
            self.error(of, key, &message);
        } else if octets > UNFRAGMENTED {
            let message = format!(
                "attributes take {octets} octets: answers over 1,500 octets travel in fragments, \
                 which some paths drop"
            );
            let place = self.place(of, key);
            self.add(|lines| lines.warning(&place, message));
        }
        let told = of.profile.told.iter().map(|(told, _)| *told);
        let words = self.written.templates.words(&of.group.template);
        Profile {
            in_coa: words.pushes(told)
                && of.profile.attributes.is_empty()
                && of.profile.class.is_none()
                && attributes.is_for_requests(),
            attributes,
            session_timeout: of.profile.session_timeout,
            reply_message: of.profile.reply_message.clone(),
        }
    }

    /// What a key becomes by the group's template.
    fn told(&mut self, of: &Of<'_>, told: Told, values: &[String], to: &mut Vec<Template>) {
        // A name goes where numbers go, unless the template knows better.
        let key = if told == Told::VlanName {
            Told::Vlan.key()
        } else {
            told.key()
        };
        let Some(pattern) = of.says.get(&told).or_else(|| self.instead(of, told)) else {
            let message = self.unsaid(of, told);
            self.error(of, key, &message);
            return;
        };
        for (number, value) in (1_usize..).zip(values) {
            for (name, text) in pattern {
                let mut text = text
                    .replace("{number}", &number.to_string())
                    .replace("{value}", value);
                // A NAS that goes by RFC 4849 section 2 joins the attributes and parts the rules at NUL; one
                // that takes each attribute for a rule ends it there.
                if name == "NAS-Filter-Rule" && number < values.len() && !text.is_empty() {
                    text.push('\0');
                }
                match Template::new(self.dictionary, name, &text) {
                    Ok(template) => to.push(template),
                    Err(error) => {
                        let message = format!("as {name}: {error}");
                        self.error(of, key, &message);
                    }
                }
            }
        }
    }

    /// Templates that say nothing of names of VLANs write them where numbers go; those that say
    /// `vlan_name = {}` have none.
    fn instead<'o>(&self, of: &Of<'o>, told: Told) -> Option<&'o Pattern> {
        let silent = !self.written.templates.denies(&of.group.template, told);
        (told == Told::VlanName && silent)
            .then(|| of.says.get(&Told::Vlan))
            .flatten()
    }

    fn unsaid(&self, of: &Of<'_>, told: Told) -> String {
        let template = &of.group.template;
        let what = match (told, of.says.contains_key(&Told::Vlan)) {
            (Told::VlanName, true) => "names of VLANs, only numbers".to_owned(),
            _ => {
                let key = if told == Told::VlanName {
                    Told::Vlan
                } else {
                    told
                };
                key.key().to_owned()
            }
        };
        let known: Vec<_> = of.says.keys().map(|told| told.key()).collect();
        format!(
            "template {template} has no {what}; it has {}",
            known.join(", ")
        )
    }

    fn attribute(&self, of: &Of<'_>, name: &str, value: &str) -> Result<Template, String> {
        let template = Template::new(self.dictionary, name, value).map_err(|error| {
            let said = error.to_string();
            match error {
                TemplateError::UnknownName { .. } => self.meant(name).map_or_else(
                    || said.clone(),
                    |name| format!("{said}; did you mean {name}?"),
                ),
                TemplateError::SetByGateway { .. }
                | TemplateError::SetByNas { .. }
                | TemplateError::Unusable { .. }
                | TemplateError::Tag { .. }
                | TemplateError::Value { .. }
                | TemplateError::Variable { .. }
                | TemplateError::TooLong { .. } => said,
            }
        })?;
        if !template.is_allowed_in(Code::AccessAccept) {
            return Err("has no place in an Access-Accept".to_owned());
        }
        // Attributes that may stand in a packet once (RFC 2865 section 5.44) or belong together.
        let profile = of.profile;
        let has_vlan = profile
            .told
            .iter()
            .any(|(told, _)| matches!(told, Told::Vlan | Told::VlanName));
        let key = match template.kind() {
            AttributeType::SESSION_TIMEOUT if profile.session_timeout.is_some() => {
                "session_timeout"
            }
            AttributeType::TUNNEL_TYPE
            | AttributeType::TUNNEL_MEDIUM_TYPE
            | AttributeType::TUNNEL_PRIVATE_GROUP_ID
                if has_vlan =>
            {
                "vlan"
            }
            _ => return Ok(template),
        };
        Err(format!("is what {key} of this profile sets already"))
    }

    fn meant(&self, name: &str) -> Option<&str> {
        let known = self.dictionary.iter().map(|known| &*known.name);
        let lower: Vec<(String, &str)> = known
            .map(|known| (known.to_ascii_lowercase(), known))
            .collect();
        let meant = suggestion(name, lower.iter().map(|(lower, _)| lower.as_str()))?;
        let found = lower.iter().find(|(lower, _)| lower == meant);
        found.map(|(_, known)| *known)
    }

    fn place(&self, of: &Of<'_>, key: &str) -> String {
        if key.is_empty() {
            of.profile.place.clone()
        } else {
            format!("{}.{key}", of.profile.place)
        }
    }

    /// At the key in the file, or at the group that takes a profile over which the file has not.
    fn error(&mut self, of: &Of<'_>, key: &str, message: &str) {
        let place = self.place(of, key);
        let own = of.profile.place.starts_with(&of.group.place);
        if own && self.lines.lines.get(&place).is_some_and(Option::is_some) {
            self.add(|lines| lines.error(&place, message));
            return;
        }
        let outcome = of.profile.place.rsplit('.').next().unwrap_or_default();
        let message = format!("{outcome}, taken over from {}: {message}", of.profile.place);
        let group = of.group.place.clone();
        self.add(|lines| lines.error(&group, message));
    }

    /// What several groups take over is reported once.
    fn add(&mut self, problem: impl FnOnce(&document::Written) -> Problem) {
        let problem = problem(self.lines);
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// Octets of a profile's attributes. A packet has 4096, of which the header and signature take 38,
/// an EAP-Success and its keys 122, user, message and names of keys 600, Class, limits and the
/// identity for charging 80; the rest is for Proxy-States.
const MAX_ATTRIBUTES: usize = 2_560;

/// Beside what else is in an Access-Accept; over Ethernet a datagram has 1,472.
const UNFRAGMENTED: usize = 1_024;
