//! The text of dictionaries, as FreeRADIUS 3 writes it (its manual page `dictionary(5)`).
//!
//! One statement a line; a word that begins with `#` ends the line. Words are separated by blanks,
//! statements and types are read in any case. Each `$INCLUDE` is asked of the caller, who may read
//! files; it names a file beside or below the one that it stands in. A line that cannot be used is
//! reported and left out, so that five mistakes give five reports. A VALUE may stand before its
//! ATTRIBUTE.
//!
//! Bounds: [`MAX_FILES`] files nested [`MAX_DEPTH`] deep, [`MAX_LINES`] lines in all,
//! [`MAX_ATTRIBUTES`], [`MAX_VALUES`], [`MAX_VENDORS`], [`MAX_FAULTS`] reports.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod attribute;

use super::Dictionary;
use super::MAX_NAME;
use super::definition::DataType;
use super::definition::MAX_NUMBERS;
use super::definition::Space;
use super::definition::VendorFormat;
use super::error::Fault;
use super::error::SyntaxError;
use crate::radius::attribute::VendorId;

/// Gives the text of a file that was asked for, or says why not.
pub(super) type Open<'o> = dyn FnMut(&str) -> Result<String, String> + 'o;

/// Reads texts into a dictionary.
pub(super) struct Parser<'d, 'o> {
    dictionary: &'d mut Dictionary,
    open: &'d mut Open<'o>,
    faults: Vec<SyntaxError>,
    files: usize,
    lines: usize,
    /// Files that are being read, outermost first.
    stack: Vec<String>,
    place: (String, usize),
    /// The vendor block that is open.
    vendor: Option<Block>,
    /// TLV blocks that are open, outermost first: name and numbers.
    tlvs: Vec<(String, Space, Vec<u32>)>,
    /// Names of values whose attribute stands further below, or nowhere.
    early: Vec<Early>,
}

/// A VALUE that stands before its ATTRIBUTE.
struct Early {
    place: (String, usize),
    attribute: String,
    name: String,
    number: u64,
}

/// Between BEGIN-VENDOR and END-VENDOR.
struct Block {
    vendor: VendorId,
    name: String,
    /// The extended attribute whose Extended-Vendor-Specific holds them.
    extended: Option<u8>,
}

type Parsed<T> = Result<T, Fault>;

impl<'d, 'o> Parser<'d, 'o> {
    pub(super) fn new(dictionary: &'d mut Dictionary, open: &'d mut Open<'o>) -> Self {
        Self {
            dictionary,
            open,
            faults: Vec::new(),
            files: 0,
            lines: 0,
            stack: Vec::new(),
            place: (String::new(), 0),
            vendor: None,
            tlvs: Vec::new(),
            early: Vec::new(),
        }
    }

    /// Reads a file and all that it includes.
    pub(super) fn read(mut self, file: &str) -> Vec<SyntaxError> {
        self.place = (file.to_owned(), 0);
        if let Err(fault) = self.include(file, file.to_owned()) {
            self.fault(fault);
        }
        for early in std::mem::take(&mut self.early) {
            self.place = early.place;
            let named = self.name_value(&early.attribute, &early.name, early.number);
            if let Err(fault) = named {
                self.fault(fault);
            }
        }
        self.faults
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            let (file, line) = self.place.clone();
            self.faults.push(SyntaxError { file, line, fault });
        }
    }

    /// Whether nothing more is worth reading.
    fn is_over(&self) -> bool {
        self.faults.len() >= MAX_FAULTS
    }

    fn include(&mut self, written: &str, path: String) -> Parsed<()> {
        let refuse = |why: &str| Fault::Include {
            name: written.to_owned(),
            why: why.to_owned(),
        };
        if self.stack.contains(&path) {
            return Err(refuse("it is being read already"));
        }
        if self.stack.len() >= MAX_DEPTH {
            return Err(refuse("files are nested too deep"));
        }
        if self.files >= MAX_FILES {
            return Err(Fault::TooMany {
                what: "files",
                limit: MAX_FILES,
            });
        }
        let text = (self.open)(&path).map_err(|why| refuse(&why))?;
        self.files = self.files.saturating_add(1);
        let outer = std::mem::replace(&mut self.place, (path.clone(), 0));
        self.stack.push(path);
        self.text(&text);
        self.stack.pop();
        self.place = outer;
        Ok(())
    }

    /// Blocks do not reach over the end of a file.
    fn text(&mut self, text: &str) {
        let (vendor, tlvs) = (self.vendor.take(), std::mem::take(&mut self.tlvs));
        for (number, line) in (1_usize..).zip(text.lines()) {
            self.place.1 = number;
            self.lines = self.lines.saturating_add(1);
            if self.lines > MAX_LINES {
                self.fault(Fault::TooMany {
                    what: "lines",
                    limit: MAX_LINES,
                });
                break;
            }
            if let Err(fault) = self.line(line) {
                self.fault(fault);
            }
            if self.is_over() {
                break;
            }
        }
        if let Some(block) = self.vendor.take() {
            let begun = format!("BEGIN-VENDOR {} has no END-VENDOR", block.name);
            self.fault(Fault::Unbalanced(begun));
        }
        if let Some((name, ..)) = self.tlvs.pop() {
            let begun = format!("BEGIN-TLV {name} has no END-TLV");
            self.fault(Fault::Unbalanced(begun));
        }
        (self.vendor, self.tlvs) = (vendor, tlvs);
    }

    fn line(&mut self, line: &str) -> Parsed<()> {
        let words = line
            .split_ascii_whitespace()
            .take_while(|word| !word.starts_with('#'));
        let mut all = [""; MAX_WORDS];
        let mut count: usize = 0;
        for word in words {
            let place = all
                .get_mut(count)
                .ok_or(Fault::Shape("at most five words in a line"))?;
            *place = word;
            count = count.saturating_add(1);
        }
        let Some((keyword, words)) = all.get(..count).unwrap_or(&[]).split_first() else {
            return Ok(());
        };
        match keyword.to_ascii_uppercase().as_str() {
            "ATTRIBUTE" => self.attribute(words),
            "VALUE" => self.value(words),
            "VENDOR" => self.vendor(words),
            "BEGIN-VENDOR" => self.begin_vendor(words),
            "END-VENDOR" => self.end_vendor(words),
            "BEGIN-TLV" => self.begin_tlv(words),
            "END-TLV" => self.end_tlv(words),
            "$INCLUDE" => self.include_beside(words, false),
            "$INCLUDE-" => self.include_beside(words, true),
            _ => Err(Fault::Keyword(shown(keyword))),
        }
    }

    fn include_beside(&mut self, words: &[&str], optional: bool) -> Parsed<()> {
        let [name] = words else {
            return Err(Fault::Shape("$INCLUDE and the name of a file"));
        };
        let below = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !below {
            return Err(Fault::Include {
                name: shown(name),
                why: "expected a file beside or below this one".to_owned(),
            });
        }
        let path = match self.stack.last().and_then(|file| file.rsplit_once('/')) {
            Some((folder, _)) => format!("{folder}/{name}"),
            None => (*name).to_owned(),
        };
        match self.include(name, path) {
            Err(Fault::Include { .. }) if optional => Ok(()),
            included => included,
        }
    }

    fn vendor(&mut self, words: &[&str]) -> Parsed<()> {
        let (name, number, format) = match words {
            [name, number] => (name, number, None),
            [name, number, format] => (name, number, Some(format)),
            _ => {
                return Err(Fault::Shape(
                    "VENDOR, a name, a number and perhaps format=1,1",
                ));
            }
        };
        let name = checked_name(name)?;
        let id = number_in(number, 1, MAX_VENDOR_ID, "a vendor's number")?;
        let format = match format {
            None => VendorFormat::default(),
            Some(format) => format
                .strip_prefix("format=")
                .and_then(VendorFormat::parse)
                .ok_or(Fault::Shape(
                    "format=T,L with 1, 2 or 4 octets of type and 0 to 2 of length, or format=1,1,c",
                ))?,
        };
        let vendors = &self.dictionary.vendors;
        let known = vendors
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        match known {
            Some((_, other)) if other.0 != id => {
                return Err(Fault::Taken {
                    name: name.to_owned(),
                    other: format!("vendor {}", other.0),
                });
            }
            Some(_) => {}
            None if vendors.len() >= MAX_VENDORS => {
                return Err(Fault::TooMany {
                    what: "vendors",
                    limit: MAX_VENDORS,
                });
            }
            None => self.dictionary.vendors.push((name.into(), VendorId(id))),
        }
        self.dictionary.formats.insert(VendorId(id), format);
        Ok(())
    }

    fn begin_vendor(&mut self, words: &[&str]) -> Parsed<()> {
        let (name, extended) = match words {
            [name] => (name, None),
            [name, format] => (name, Some(format)),
            _ => return Err(Fault::Shape("BEGIN-VENDOR and a vendor's name")),
        };
        if let Some(open) = &self.vendor {
            let message = format!("BEGIN-VENDOR {} has no END-VENDOR yet", open.name);
            return Err(Fault::Unbalanced(message));
        }
        let vendor = self.vendor_named(name)?;
        let extended = match extended {
            None => None,
            Some(format) => Some(self.extended_vendor(format)?),
        };
        self.vendor = Some(Block {
            vendor,
            name: (*name).to_owned(),
            extended,
        });
        Ok(())
    }

    fn vendor_named(&self, name: &str) -> Parsed<VendorId> {
        let vendor = self.dictionary.vendor(name);
        vendor.ok_or_else(|| Fault::Undefined {
            kind: "vendor",
            name: shown(name),
        })
    }

    /// `format=Extended-Vendor-Specific-1`: the extended attribute that holds it.
    fn extended_vendor(&self, format: &str) -> Parsed<u8> {
        let name = format
            .strip_prefix("format=")
            .ok_or(Fault::Shape("format= and the name of an evs attribute"))?;
        let definition = self.dictionary.find(name).ok_or_else(|| Fault::Undefined {
            kind: "attribute",
            name: shown(name),
        })?;
        match (definition.space, definition.kind) {
            (Space::Extended(number), DataType::ExtendedVendorSpecific) => Ok(number),
            _ => Err(Fault::NotNested { name: shown(name) }),
        }
    }

    fn end_vendor(&mut self, words: &[&str]) -> Parsed<()> {
        let [name] = words else {
            return Err(Fault::Shape("END-VENDOR and a vendor's name"));
        };
        match self.vendor.take() {
            Some(block) if block.name.eq_ignore_ascii_case(name) => Ok(()),
            Some(block) => {
                let message = format!("expected END-VENDOR {}", block.name);
                Err(Fault::Unbalanced(message))
            }
            None => Err(Fault::Unbalanced("there is no BEGIN-VENDOR".to_owned())),
        }
    }

    fn begin_tlv(&mut self, words: &[&str]) -> Parsed<()> {
        let [name] = words else {
            return Err(Fault::Shape("BEGIN-TLV and the name of a tlv attribute"));
        };
        if self.tlvs.len() >= MAX_NUMBERS {
            return Err(Fault::Shape("TLVs that are nested less deep"));
        }
        let definition = self.dictionary.find(name).ok_or_else(|| Fault::Undefined {
            kind: "attribute",
            name: shown(name),
        })?;
        if definition.kind != DataType::Tlv {
            return Err(Fault::NotNested { name: shown(name) });
        }
        let (space, numbers) = (definition.space, definition.numbers.to_vec());
        self.tlvs.push(((*name).to_owned(), space, numbers));
        Ok(())
    }

    fn end_tlv(&mut self, words: &[&str]) -> Parsed<()> {
        let [name] = words else {
            return Err(Fault::Shape("END-TLV and the name of a tlv attribute"));
        };
        match self.tlvs.pop() {
            Some((open, ..)) if open.eq_ignore_ascii_case(name) => Ok(()),
            Some((open, ..)) => Err(Fault::Unbalanced(format!("expected END-TLV {open}"))),
            None => Err(Fault::Unbalanced("there is no BEGIN-TLV".to_owned())),
        }
    }
}

fn checked_name(name: &str) -> Parsed<&str> {
    let sound = name.len() <= MAX_NAME
        && name
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && !FORBIDDEN.contains(&octet));
    if sound && !name.is_empty() {
        Ok(name)
    } else {
        Err(Fault::Name { found: shown(name) })
    }
}

fn number_in(text: &str, lowest: u32, largest: u32, what: &str) -> Parsed<u32> {
    integer(text)
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (lowest..=largest).contains(number))
        .ok_or_else(|| Fault::Number {
            expected: format!("{what} from {lowest} to {largest}"),
            found: shown(text),
        })
}

/// Decimal, or hexadecimal after `0x`.
fn integer(text: &str) -> Option<u64> {
    let lower = text
        .get(..2)
        .is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    let (digits, radix) = match text.get(2..) {
        Some(digits) if lower => (digits, 16),
        Some(_) | None => (text, 10),
    };
    let sound = !digits.is_empty()
        && digits
            .bytes()
            .all(|digit| char::from(digit).is_digit(radix));
    sound
        .then(|| u64::from_str_radix(digits, radix).ok())
        .flatten()
}

/// As much of a word as a message needs.
fn shown(text: &str) -> String {
    let legible = |letter: char| {
        // What would be shown as the number of a character makes a line that nobody reads.
        let is_legible = letter.escape_debug().count() <= 2;
        if is_legible { letter } else { '?' }
    };
    text.chars().take(MAX_SHOWN).map(legible).collect()
}

/// The first octet of a vendor's number is 0 (RFC 2865 section 5.26).
const MAX_VENDOR_ID: u32 = (1 << 24) - 1;

/// No name has them: they mean something in a configuration.
const FORBIDDEN: &[u8] = b"\"'`{}[]=,;\\";

/// The longest statement has five.
const MAX_WORDS: usize = 5;

/// Of a word in a message.
const MAX_SHOWN: usize = 64;

/// All that FreeRADIUS ships is 237 files of 26,000 lines with 8,600 attributes, 9,500 values and
/// 190 vendors: these bounds are some ten times that, and a few dozen MB.
const MAX_FILES: usize = 2_000;
const MAX_LINES: usize = 250_000;
const MAX_ATTRIBUTES: usize = 65_536;
const MAX_VALUES: usize = 131_072;
const MAX_VENDORS: usize = 4_096;

/// Files inside files.
const MAX_DEPTH: usize = 8;

/// After this many the file is of another kind.
const MAX_FAULTS: usize = 20;
