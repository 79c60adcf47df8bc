//! What the devices of a template are asked when a verdict changes (RFC 5176), and which words they
//! have for it.

use std::collections::BTreeMap;

use super::template::Pattern;
use super::template::Told;
use super::template::read_attributes;
use crate::document::Choice;
use crate::document::Section;

/// What a device is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) enum Asked {
    /// A Disconnect-Request.
    #[default]
    Disconnect,
    /// To authenticate the device again.
    Reauthenticate,
    /// To take the link down and up again.
    Bounce,
    /// To switch the port off, until somebody switches it on.
    Disable,
    /// To give the session the new profile's attributes.
    Push,
}

impl Asked {
    /// Those that are commands in a vendor's words.
    const COMMANDS: [(&'static str, Self); 3] = [
        ("reauthenticate", Self::Reauthenticate),
        ("bounce", Self::Bounce),
        ("disable", Self::Disable),
    ];
}

impl Choice for Asked {
    const ALL: &'static [(&'static str, Self)] = &[
        ("disconnect", Self::Disconnect),
        ("reauthenticate", Self::Reauthenticate),
        ("bounce", Self::Bounce),
        ("disable", Self::Disable),
        ("push", Self::Push),
    ];
}

/// What a template says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::config) struct Words {
    pub(super) on_change: Option<Asked>,
    pub(super) on_block: Option<Asked>,
    /// Attributes of the CoA-Request for each command that the devices know.
    pub(super) commands: BTreeMap<Asked, Pattern>,
    /// Keys of a profile that the devices take in a CoA-Request.
    pub(super) push: Option<Vec<Told>>,
}

impl Words {
    /// Reads the keys of a template.
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut words = Self::default();
        section.set("on_change", &mut words.on_change);
        section.set("on_block", &mut words.on_block);
        for (key, asked) in Asked::COMMANDS {
            let pattern = read_attributes(&section.child(key));
            if section.has(key) {
                words.commands.insert(asked, pattern);
            }
        }
        let keys: Option<Vec<String>> = section.read("push");
        words.push = keys.map(|keys| {
            let mut push = Vec::with_capacity(keys.len());
            for key in keys {
                match Told::ALL.iter().find(|(name, _)| *name == key) {
                    Some((_, told)) => push.push(*told),
                    None => section.error("push", format!("{key} is no key of a profile")),
                }
            }
            push
        });
        words
    }

    /// The same over what its base says.
    pub(super) fn over(mut self, base: &Self) -> Self {
        self.on_change = self.on_change.or(base.on_change);
        self.on_block = self.on_block.or(base.on_block);
        for (asked, pattern) in &base.commands {
            let own = self.commands.entry(*asked);
            own.or_insert_with(|| pattern.clone());
        }
        if self.push.is_none() {
            self.push.clone_from(&base.push);
        }
        self
    }

    /// What the devices can be asked, where `asked` is none of it.
    pub(super) fn instead_of(&self, asked: Asked) -> Option<String> {
        if self.knows(asked) {
            return None;
        }
        let known = Asked::ALL.iter().filter(|(_, asked)| self.knows(*asked));
        Some(known.map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
    }

    fn knows(&self, asked: Asked) -> bool {
        match asked {
            Asked::Disconnect => true,
            Asked::Push => self.push.as_ref().is_some_and(|push| !push.is_empty()),
            Asked::Reauthenticate | Asked::Bounce | Asked::Disable => {
                let pattern = self.commands.get(&asked);
                pattern.is_some_and(|pattern| !pattern.is_empty())
            }
        }
    }

    /// Whether a session can be given all of this by a CoA-Request.
    pub(super) fn pushes(&self, mut told: impl Iterator<Item = Told>) -> bool {
        let push = self.push.as_deref().unwrap_or_default();
        told.all(|told| push.contains(&told))
    }
}
