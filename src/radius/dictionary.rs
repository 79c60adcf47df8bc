//! Dictionaries: which attribute a word of the configuration means, and how its value is laid out.
//!
//! They are read as text ([`Dictionary::read`]) when the gateway starts or reads its configuration
//! again. Those of the gateway ([`Dictionary::builtin`]) are compiled in and carry what it reads,
//! writes and has templates for; an administrator's own are read on top. No packet needs one:
//! attributes are encoded before ([`Template`](crate::radius::Template)).

mod builtin;
mod definition;
mod error;
mod parse;

use std::collections::BTreeMap;
use std::collections::HashMap;

pub use definition::DataType;
pub use definition::Definition;
pub use definition::Hiding;
pub(super) use definition::MAX_NUMBERS;
pub use definition::Space;
pub use definition::VendorFormat;
pub use error::Fault;
pub use error::SyntaxError;

use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;

/// Attributes by name and by number, vendors, and names of values.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    attributes: Vec<Definition>,
    /// Places in `attributes` by name in lower case.
    names: HashMap<Box<str>, usize>,
    /// The place of the last name of each number.
    numbers: BTreeMap<(Space, Box<[u32]>), usize>,
    /// Names of values by the place of their attribute.
    values: HashMap<usize, Vec<(Box<str>, u64)>>,
    value_count: usize,
    vendors: Vec<(Box<str>, VendorId)>,
    formats: HashMap<VendorId, VendorFormat>,
}

impl Dictionary {
    /// The gateway's own.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &builtin::DICTIONARY
    }

    /// Reads the dictionary `file`, and the files that it includes, on top of what is known.
    /// `open` gives the text of each: of `file` first, then of others by their path, which starts
    /// where that of `file` does.
    ///
    /// # Errors
    ///
    /// Every line that cannot be used, at most twenty. The other lines have been taken.
    pub fn read(
        &mut self,
        file: &str,
        open: &mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Result<(), Vec<SyntaxError>> {
        let faults = parse::Parser::new(self, open).read(file);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    /// The attribute of that name in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Definition> {
        self.attributes.get(self.place(name)?)
    }

    /// The attribute of that number: of several names for it, the last that was read.
    #[must_use]
    pub fn at(&self, space: Space, numbers: &[u32]) -> Option<&Definition> {
        let place = self.numbers.get(&(space, numbers.into()))?;
        self.attributes.get(*place)
    }

    /// How many attributes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.attributes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    /// All attributes in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Definition> {
        self.attributes.iter()
    }

    /// The vendor of that name in any case.
    #[must_use]
    pub fn vendor(&self, name: &str) -> Option<VendorId> {
        let mut vendors = self.vendors.iter();
        vendors
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, vendor)| *vendor)
    }

    /// How a vendor lays its attributes out.
    #[must_use]
    pub fn format(&self, vendor: VendorId) -> VendorFormat {
        self.formats.get(&vendor).copied().unwrap_or_default()
    }

    /// The names of an attribute's values, in the order they were read.
    #[must_use]
    pub fn values(&self, attribute: &Definition) -> &[(Box<str>, u64)] {
        self.place(&attribute.name)
            .and_then(|place| self.values.get(&place))
            .map_or(&[], Vec::as_slice)
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.get(name.to_ascii_lowercase().as_str()).copied()
    }

    /// Takes a definition; one of the same name is replaced, and its values stay.
    fn insert(&mut self, definition: Definition) {
        let name = definition.name.to_ascii_lowercase().into_boxed_str();
        if let Some(known) = self.place(&name).and_then(|at| self.attributes.get_mut(at)) {
            *known = definition;
            return;
        }
        let place = self.attributes.len();
        let number = (definition.space, definition.numbers.clone());
        self.numbers.insert(number, place);
        self.names.insert(name, place);
        self.attributes.push(definition);
    }

    fn insert_value(&mut self, place: usize, name: &str, number: u64) {
        let values = self.values.entry(place).or_default();
        match values
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some((_, known)) => *known = number,
            None => {
                values.push((name.into(), number));
                self.value_count += 1;
            }
        }
    }
}

impl Definition {
    /// Its number as people write it: `attribute 11`, `vendor 9 attribute 1`.
    #[must_use]
    pub fn number_text(&self) -> String {
        let numbers: Vec<_> = self.numbers.iter().map(u32::to_string).collect();
        let numbers = numbers.join(".");
        match self.space {
            Space::Standard => format!("attribute {numbers}"),
            Space::Vendor(vendor) => format!("vendor {} attribute {numbers}", vendor.0),
            Space::Extended(number) => format!("attribute {number}.{numbers}"),
            Space::ExtendedVendor(number, vendor) => {
                format!("attribute {number}.26 of vendor {}, {numbers}", vendor.0)
            }
            Space::Internal => format!("internal word {numbers}"),
        }
    }
}

/// The dictionary's name for a standard attribute.
pub(super) fn name(kind: AttributeType) -> Option<&'static str> {
    Dictionary::builtin()
        .at(Space::Standard, &[u32::from(kind.0)])
        .map(|definition| &*definition.name)
}

/// Octets of a name: a line of a configuration has to hold it.
const MAX_NAME: usize = 128;

#[cfg(test)]
mod tests;
