//! How network devices are told things: which attributes a key of a profile becomes, by vendor.

use std::collections::BTreeMap;

use toml::de::DeValue;

use super::reaction::Words;
use crate::document::Section;
use crate::document::integer;
use crate::document::kind;
use crate::document::suggestion;

/// What can be told to a network device, in the order in which it is written into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Told {
    Vlan,
    VlanName,
    FilterId,
    Acl,
    AclLines,
    RedirectAcl,
    RedirectUrl,
    Role,
    InterfaceTemplate,
    GroupPolicy,
    SecurityGroup,
    AddressPool,
}

impl Told {
    pub(in crate::config) const ALL: [(&'static str, Self); 12] = [
        ("vlan", Self::Vlan),
        ("vlan_name", Self::VlanName),
        ("filter_id", Self::FilterId),
        ("acl", Self::Acl),
        ("acl_lines", Self::AclLines),
        ("redirect_acl", Self::RedirectAcl),
        ("redirect_url", Self::RedirectUrl),
        ("role", Self::Role),
        ("interface_template", Self::InterfaceTemplate),
        ("group_policy", Self::GroupPolicy),
        ("security_group", Self::SecurityGroup),
        ("address_pool", Self::AddressPool),
    ];

    /// Its key in a profile.
    pub(in crate::config) fn key(self) -> &'static str {
        let key = Self::ALL.iter().find(|(_, told)| *told == self);
        key.map_or("", |(key, _)| key)
    }
}

/// Names of attributes, and their values with `{value}` in them.
pub(in crate::config) type Pattern = Vec<(String, String)>;

/// One template as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Template {
    base: Option<String>,
    says: BTreeMap<Told, Pattern>,
    /// What is asked of the devices when a verdict changes.
    words: Words,
}

/// All templates by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Templates(BTreeMap<String, Template>);

/// The ready ones.
impl Default for Templates {
    fn default() -> Self {
        let (ready, _, problems) = crate::document::read("ready.toml", READY, |section| {
            let section = section.child("template");
            let entries = section.entries();
            let read = entries
                .iter()
                .map(|entry| (entry.name.clone(), read_one(section.table_of(entry))));
            read.collect()
        });
        // Compiled in, and read by a test.
        debug_assert!(problems.is_empty(), "{problems:?}");
        Self(ready)
    }
}

impl Templates {
    /// Reads `[enforce.template]` on top of the ready ones.
    pub(super) fn read(&mut self, section: &Section<'_>) {
        for entry in section.entries() {
            let table = section.table_of(&entry);
            if self.0.contains_key(&entry.name) {
                section.error(
                    &entry.name,
                    "is a ready template, choose another name and base = that",
                );
                continue;
            }
            let template = read_one(table);
            self.0.insert(entry.name.clone(), template);
        }
        // What a base is can stand below.
        for entry in section.entries() {
            let template = self.0.get(&entry.name);
            if let Some(base) = template.and_then(|template| template.base.as_deref())
                && self.flat(&entry.name).is_none()
            {
                let message = format!("its base {}", self.unknown(base));
                section.error(&entry.name, message);
            }
        }
    }

    /// What a template says, its bases included; `None` if it, or a base, is unknown.
    pub(super) fn flat(&self, name: &str) -> Option<BTreeMap<Told, Pattern>> {
        let mut says: BTreeMap<Told, Pattern> = BTreeMap::new();
        let mut next = Some(name);
        for _ in 0..=MAX_BASES {
            let Some(name) = next else {
                says.retain(|_, pattern| !pattern.is_empty());
                return Some(says);
            };
            let template = self.0.get(name)?;
            for (told, pattern) in &template.says {
                says.entry(*told).or_insert_with(|| pattern.clone());
            }
            next = template.base.as_deref();
        }
        None
    }

    /// What the devices of a template, its bases included, are asked when a verdict changes.
    pub(super) fn words(&self, name: &str) -> Words {
        let mut words = Words::default();
        let mut next = Some(name);
        for _ in 0..=MAX_BASES {
            let Some(template) = next.and_then(|name| self.0.get(name)) else {
                break;
            };
            words = words.over(&template.words);
            next = template.base.as_deref();
        }
        words
    }

    /// Whether a template says of something, with `{}`, that it cannot be told.
    pub(super) fn denies(&self, name: &str, told: Told) -> bool {
        let mut next = Some(name);
        for _ in 0..=MAX_BASES {
            let template = next.and_then(|name| self.0.get(name));
            let Some(template) = template else {
                return false;
            };
            if let Some(pattern) = template.says.get(&told) {
                return pattern.is_empty();
            }
            next = template.base.as_deref();
        }
        false
    }

    /// Why a name is none of a template.
    pub(super) fn unknown(&self, name: &str) -> String {
        let names = self.0.keys().map(String::as_str);
        match suggestion(name, names.clone()) {
            Some(meant) if meant != name => {
                format!("{name} is no template, did you mean {meant}?")
            }
            Some(_) => format!("{name} rests on itself"),
            None => {
                let names: Vec<_> = names.collect();
                format!("{name} is no template, there are {}", names.join(", "))
            }
        }
    }
}

fn read_one(mut section: Section<'_>) -> Template {
    let mut template = Template::default();
    section.set("base", &mut template.base);
    for (key, told) in Told::ALL {
        let pattern = read_attributes(&section.child(key));
        if section.has(key) {
            template.says.insert(told, pattern);
        }
    }
    template.words = Words::read(&mut section);
    section.finish();
    template
}

/// Attributes by name, in the order of the file; of a list one for each element.
pub(super) fn read_attributes(table: &Section<'_>) -> Pattern {
    let mut attributes = Vec::new();
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
            match text(element) {
                Ok(text) => attributes.push((entry.name.clone(), text)),
                Err(message) => table.error(&entry.name, message),
            }
        }
    }
    attributes
}

fn text(value: &DeValue<'_>) -> Result<String, String> {
    let number = integer(value).and_then(|number| u64::try_from(number).ok());
    match (number, value.as_str()) {
        (Some(number), _) => Ok(number.to_string()),
        (None, Some(text)) => Ok(text.to_owned()),
        (None, None) => Err(format!(
            "expected a text, a number of 0 or more, or a list of those, found {}",
            kind(value)
        )),
    }
}

const READY: &str = include_str!("ready.toml");

/// A template on a base on a base is enough to be understood.
const MAX_BASES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::Dictionary;
    use crate::radius::Template as Attribute;

    #[test]
    fn every_ready_template_says_what_its_dictionary_knows() {
        let templates = Templates::default();
        assert!(templates.0.len() >= 17, "{}", templates.0.len());
        for name in templates.0.keys() {
            let says = templates.flat(name).expect(name);
            assert!(!says.is_empty(), "row {name}");
            for (told, pattern) in says {
                for (attribute, value) in pattern {
                    let value = value.replace("{value}", "20").replace("{number}", "1");
                    let made = Attribute::new(Dictionary::builtin(), &attribute, &value);
                    assert!(made.is_ok(), "row {name} {told:?}: {made:?}");
                }
            }
            let words = templates.words(name);
            for (asked, pattern) in &words.commands {
                for (attribute, value) in pattern {
                    let made = Attribute::new(Dictionary::builtin(), attribute, value);
                    assert!(made.is_ok(), "row {name} {asked:?}: {made:?}");
                }
            }
            for asked in [words.on_change, words.on_block].into_iter().flatten() {
                assert_eq!(words.instead_of(asked), None, "row {name} {asked:?}");
            }
            let says = templates.flat(name).unwrap();
            for told in words.push.into_iter().flatten() {
                assert!(says.contains_key(&told), "row {name} {told:?}");
            }
        }
    }
}
