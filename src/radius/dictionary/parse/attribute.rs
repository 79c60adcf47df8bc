//! ATTRIBUTE and VALUE: what an attribute is called, where it stands, and what its values are
//! called.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::Early;
use super::MAX_ATTRIBUTES;
use super::MAX_VALUES;
use super::Parsed;
use super::Parser;
use super::checked_name;
use super::integer;
use super::number_in;
use super::shown;
use crate::radius::attribute::AttributeType;
use crate::radius::attribute::VendorId;
use crate::radius::dictionary::definition::DataType;
use crate::radius::dictionary::definition::Definition;
use crate::radius::dictionary::definition::Hiding;
use crate::radius::dictionary::definition::MAX_NUMBERS;
use crate::radius::dictionary::definition::Space;
use crate::radius::dictionary::error::Fault;

impl Parser<'_, '_> {
    pub(super) fn attribute(&mut self, words: &[&str]) -> Parsed<()> {
        let (name, numbers, kind, flags) = match words {
            [name, numbers, kind] => (name, numbers, kind, ""),
            [name, numbers, kind, flags] => (name, numbers, kind, *flags),
            _ => {
                return Err(Fault::Shape(
                    "ATTRIBUTE, a name, a number, a type and perhaps flags",
                ));
            }
        };
        let name = checked_name(name)?;
        let kind = DataType::parse(kind).ok_or_else(|| Fault::Type {
            expected: DataType::names(),
            found: shown(kind),
        })?;
        let flags = self.flags(flags)?;
        let (space, numbers) = self.place_of(numbers, &flags)?;
        let definition = Definition {
            name: name.into(),
            space,
            numbers: numbers.into(),
            kind,
            tagged: flags.tagged,
            hiding: flags.hiding,
            array: flags.array,
            concat: flags.concat,
        };
        check(&definition)?;
        self.define(definition)
    }

    /// Comma-separated flags, among which older dictionaries have the name of a vendor.
    fn flags(&self, text: &str) -> Parsed<Flags> {
        let mut flags = Flags::default();
        for flag in text.split(',').filter(|flag| !flag.is_empty()) {
            match flag {
                "has_tag" => flags.tagged = true,
                "encrypt=1" => flags.hiding = Hiding::Password,
                "encrypt=2" => flags.hiding = Hiding::Salted,
                "encrypt=3" => flags.hiding = Hiding::Ascend,
                "array" => flags.array = true,
                "concat" => flags.concat = true,
                // Not to be printed, which nothing of an attribute ever is here.
                "secret" => {}
                "virtual" => flags.internal = true,
                other => match self.dictionary.vendor(other) {
                    Some(vendor) => flags.vendor = Some(vendor),
                    None => return Err(Fault::Flag(shown(other))),
                },
            }
        }
        Ok(flags)
    }

    /// Where an attribute of that written number stands.
    fn place_of(&self, text: &str, flags: &Flags) -> Parsed<(Space, Vec<u32>)> {
        let mut parts = Vec::with_capacity(MAX_NUMBERS);
        for part in text.split('.') {
            if parts.len() > MAX_NUMBERS {
                return Err(Fault::Number {
                    expected: format!("at most {MAX_NUMBERS} numbers"),
                    found: shown(text),
                });
            }
            parts.push(number_in(
                part,
                0,
                u32::MAX,
                "a number, or several with dots",
            )?);
        }
        let (space, mut numbers) = match (self.tlvs.last(), &self.vendor, flags.vendor) {
            (Some((_, space, numbers)), ..) => (*space, numbers.clone()),
            (None, _, Some(vendor)) => (Space::Vendor(vendor), Vec::new()),
            (None, Some(block), None) => match block.extended {
                None => (Space::Vendor(block.vendor), Vec::new()),
                Some(number) => (Space::ExtendedVendor(number, block.vendor), Vec::new()),
            },
            (None, None, None) => standard_space(&mut parts),
        };
        numbers.append(&mut parts);
        if flags.internal {
            return Ok((Space::Internal, numbers));
        }
        if numbers.len() > MAX_NUMBERS {
            return Err(Fault::Number {
                expected: format!("TLVs nested at most {MAX_NUMBERS} deep"),
                found: shown(text),
            });
        }
        self.check_numbers(space, &numbers, text)?;
        Ok((space, numbers))
    }

    fn check_numbers(&self, space: Space, numbers: &[u32], text: &str) -> Parsed<()> {
        if space == Space::Internal {
            return Ok(());
        }
        let largest = match space {
            Space::Vendor(vendor) => self.dictionary.format(vendor).largest(),
            Space::Standard | Space::Extended(_) | Space::ExtendedVendor(..) | Space::Internal => {
                0xff
            }
        };
        let Some((first, inner)) = numbers.split_first() else {
            return Err(Fault::Shape("a number"));
        };
        // Some vendors count from 0.
        let lowest = u32::from(matches!(space, Space::Standard | Space::Extended(_)));
        let fits = (lowest..=largest).contains(first)
            && inner.iter().all(|number| (0..=0xff).contains(number));
        if !fits {
            return Err(Fault::Number {
                expected: format!("a number from {lowest} to {largest}, and 0 to 255 in a TLV"),
                found: shown(text),
            });
        }
        let Some((_, parent)) = numbers
            .split_last()
            .filter(|(_, parent)| !parent.is_empty())
        else {
            return Ok(());
        };
        match self.dictionary.at(space, parent) {
            Some(parent) if parent.kind == DataType::Tlv => Ok(()),
            Some(parent) => Err(Fault::NotNested {
                name: parent.name.to_string(),
            }),
            None => Err(Fault::Undefined {
                kind: "attribute",
                name: shown(text.rsplit_once('.').map_or(text, |(parent, _)| parent)),
            }),
        }
    }

    fn define(&mut self, definition: Definition) -> Parsed<()> {
        let known = self.dictionary.find(&definition.name);
        // The same once more, perhaps with a better type, is an addition.
        if let Some(other) = known
            && (other.space, &other.numbers) != (definition.space, &definition.numbers)
        {
            return Err(Fault::Taken {
                name: definition.name.to_string(),
                other: other.number_text(),
            });
        }
        if known.is_none() && self.dictionary.attributes.len() >= MAX_ATTRIBUTES {
            return Err(Fault::TooMany {
                what: "attributes",
                limit: MAX_ATTRIBUTES,
            });
        }
        self.dictionary.insert(definition);
        Ok(())
    }

    pub(super) fn value(&mut self, words: &[&str]) -> Parsed<()> {
        let [attribute, name, number] = words else {
            return Err(Fault::Shape("VALUE, an attribute, a name and a number"));
        };
        // What a value is called may have commas: no list of names is made of them.
        checked_name(&name.replace(',', "-"))?;
        let number = integer(number).ok_or_else(|| Fault::Number {
            expected: "a number, decimal or after 0x".to_owned(),
            found: shown(number),
        })?;
        if self.dictionary.value_count.saturating_add(self.early.len()) >= MAX_VALUES {
            return Err(Fault::TooMany {
                what: "values",
                limit: MAX_VALUES,
            });
        }
        if self.dictionary.place(attribute).is_none() {
            self.early.push(Early {
                place: self.place.clone(),
                attribute: (*attribute).to_owned(),
                name: (*name).to_owned(),
                number,
            });
            return Ok(());
        }
        self.name_value(attribute, name, number)
    }

    pub(super) fn name_value(&mut self, attribute: &str, name: &str, number: u64) -> Parsed<()> {
        let place = self.dictionary.place(attribute);
        let definition = place.and_then(|place| self.dictionary.attributes.get(place));
        let (Some(place), Some(definition)) = (place, definition) else {
            return Err(Fault::Undefined {
                kind: "attribute",
                name: shown(attribute),
            });
        };
        if definition.kind == DataType::Text {
            return Err(Fault::Contradiction(
                "a text has no names for its values, and this attribute is one",
            ));
        }
        self.dictionary.insert_value(place, name, number);
        Ok(())
    }
}

#[derive(Default)]
struct Flags {
    tagged: bool,
    hiding: Hiding,
    array: bool,
    concat: bool,
    internal: bool,
    vendor: Option<VendorId>,
}

/// The space of a number outside every block, and what is left of the number in it.
fn standard_space(parts: &mut Vec<u32>) -> (Space, Vec<u32>) {
    match *parts.as_slice() {
        [first @ 241..=246, _, ..] => {
            parts.remove(0);
            // 241 to 246.
            let first = u8::try_from(first).unwrap_or_default();
            (Space::Extended(first), Vec::new())
        }
        // What no octet holds is never sent.
        [first, ..] if first > 0xff => (Space::Internal, Vec::new()),
        _ => (Space::Standard, Vec::new()),
    }
}

fn check(definition: &Definition) -> Parsed<()> {
    let Definition {
        kind,
        space,
        tagged,
        hiding,
        concat,
        array,
        ..
    } = definition;
    if *tagged
        && !matches!(
            kind,
            DataType::Text | DataType::Octets(None) | DataType::Integer
        )
    {
        return Err(Fault::Contradiction(
            "has_tag goes with string, octets and integer (RFC 2868 section 3)",
        ));
    }
    if *concat && (!matches!(kind, DataType::Octets(None) | DataType::Text) || *array) {
        return Err(Fault::Contradiction("concat goes with string and octets"));
    }
    if *concat && (*tagged || *hiding != Hiding::None || *space != Space::Standard) {
        return Err(Fault::Contradiction(
            "concat goes with standard attributes without tag and encryption",
        ));
    }
    let number = definition.numbers.first().copied().unwrap_or_default();
    let standard = *space == Space::Standard;
    let extended = matches!(space, Space::Extended(_));
    let places = [
        (
            DataType::VendorSpecific,
            standard && number == u32::from(AttributeType::VENDOR_SPECIFIC.0),
        ),
        (
            DataType::Extended,
            standard && (241..=244).contains(&number),
        ),
        (
            DataType::LongExtended,
            standard && (245..=246).contains(&number),
        ),
        (
            DataType::ExtendedVendorSpecific,
            extended && number == EXTENDED_VENDOR_SPECIFIC,
        ),
    ];
    let misplaced = places.iter().any(|(of, fits)| of == kind && !fits);
    if misplaced {
        return Err(Fault::Contradiction(
            "vsa is 26, extended 241 to 244, long-extended 245 and 246, evs 241.26 to 246.26",
        ));
    }
    Ok(())
}

/// Extended-Vendor-Specific inside an extended attribute (RFC 6929 section 2.4).
const EXTENDED_VENDOR_SPECIFIC: u32 = 26;
