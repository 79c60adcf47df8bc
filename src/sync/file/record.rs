//! From the octets of a file to rows of named cells with their lines.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use csv::ByteRecord;
use csv::ReaderBuilder;
use csv::Trim;
use serde_json::Map;
use serde_json::Value;

use crate::sync::file::Columns;
use crate::sync::file::Format;
use crate::sync::file::problems::Problems;

/// One row of a file: a cell for each known column, empty where the file has none.
pub(super) struct Record {
    /// The line it starts at, from 1.
    pub(super) line: usize,
    /// `Err` when the row cannot be split into cells.
    pub(super) cells: Result<Vec<String>, (&'static str, String)>,
}

/// Splits a file into records; `None` when that cannot be done, and the problems say why.
pub(super) fn read(
    format: Format,
    octets: &[u8],
    columns: &Columns,
    problems: &mut Problems,
) -> Option<Vec<Record>> {
    let octets = octets.strip_prefix(BYTE_ORDER_MARK).unwrap_or(octets);
    if octets.trim_ascii().is_empty() {
        problems.push(
            None,
            "",
            "the file is empty; what it said before stays".into(),
        );
        return None;
    }
    match format {
        Format::Csv => read_csv(octets, columns, problems),
        Format::Json => read_json(octets, columns, problems),
    }
}

fn read_csv(octets: &[u8], columns: &Columns, problems: &mut Problems) -> Option<Vec<Record>> {
    if !octets.ends_with(b"\n") {
        let message = "the last line has no line end: the file is cut, or still being written";
        let lines = octets.split(|&octet| octet == b'\n').count();
        problems.push(Some(lines), "", message.into());
        return None;
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'#'))
        .from_reader(octets);
    let mut places: Option<Vec<usize>> = None;
    let mut records = Vec::new();
    let mut raw = ByteRecord::new();
    let mut lines = Lines::new(octets);
    loop {
        match reader.read_byte_record(&mut raw) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                problems.push(None, "", format!("not readable as CSV: {error}"));
                return None;
            }
        }
        let start = raw.position().map_or(0, csv::Position::byte);
        let line = lines.of_record(usize::try_from(start).unwrap_or(usize::MAX));
        match &places {
            None => places = Some(header(&raw, line, columns, problems)?),
            Some(places) => records.push(Record {
                line,
                cells: csv_cells(&raw, places, columns),
            }),
        }
    }
    if places.is_none() {
        problems.push(None, "", "the file has no header line".into());
        return None;
    }
    Some(records)
}

/// For each field of the file the place of its column among the known ones.
fn header(
    raw: &ByteRecord,
    line: usize,
    columns: &Columns,
    problems: &mut Problems,
) -> Option<Vec<usize>> {
    let mut places = Vec::with_capacity(raw.len());
    let mut sound = true;
    for field in raw {
        let name = String::from_utf8_lossy(field).to_ascii_lowercase();
        let Some(place) = columns.names.iter().position(|known| *known == name) else {
            let message = format!(
                "unknown column; the columns are {}",
                columns.names.join(", ")
            );
            problems.push(Some(line), &shortened(&name), message);
            sound = false;
            continue;
        };
        if places.contains(&place) {
            problems.push(Some(line), &name, "the column stands there twice".into());
            sound = false;
        }
        places.push(place);
    }
    let identified = places
        .iter()
        .filter_map(|&place| columns.names.get(place))
        .any(|name| columns.identifiers.contains(name));
    if sound && !identified {
        let message = format!("expected a column {}", columns.identifiers.join(" or "));
        problems.push(Some(line), "", message);
        sound = false;
    }
    sound.then_some(places)
}

fn csv_cells(
    raw: &ByteRecord,
    places: &[usize],
    columns: &Columns,
) -> Result<Vec<String>, (&'static str, String)> {
    if raw.len() != places.len() {
        let message = format!(
            "the row has {} fields, the header {}",
            raw.len(),
            places.len()
        );
        return Err(("", message));
    }
    let mut cells = vec![String::new(); columns.names.len()];
    for (field, &place) in raw.iter().zip(places) {
        let column = columns.names.get(place).copied().unwrap_or("");
        let text = std::str::from_utf8(field).map_err(|_| (column, "not UTF-8 text".to_owned()))?;
        if let Some(cell) = cells.get_mut(place) {
            cell.push_str(text);
        }
    }
    Ok(cells)
}

/// Finds lines by offsets that only grow.
struct Lines<'a> {
    octets: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Lines<'a> {
    const fn new(octets: &'a [u8]) -> Self {
        Self {
            octets,
            at: 0,
            line: 1,
        }
    }

    /// The line of the record that the reader found from `start` on: the reader counts the
    /// comments and empty lines before a record to it, people do not.
    fn of_record(&mut self, start: usize) -> usize {
        while let Some(rest) = self.octets.get(self.at..) {
            let line = rest.split_inclusive(|&octet| octet == b'\n').next();
            let Some(line) = line else { break };
            let passed_over = line.starts_with(b"#") || line.trim_ascii().is_empty();
            if self.at >= start && !passed_over {
                break;
            }
            self.at = self.at.saturating_add(line.len());
            self.line = self.line.saturating_add(1);
        }
        self.line
    }
}

fn read_json(octets: &[u8], columns: &Columns, problems: &mut Problems) -> Option<Vec<Record>> {
    let items = match split_array(octets) {
        Ok(items) => items,
        Err((line, message)) => {
            problems.push(Some(line), "", message.into());
            return None;
        }
    };
    let records = items.into_iter().map(|item| Record {
        line: item.line,
        cells: json_cells(item.octets, columns),
    });
    Some(records.collect())
}

/// One element of a list and the line it starts at.
struct Item<'a> {
    line: usize,
    octets: &'a [u8],
}

/// The elements of an array with the lines they start at. Elements are only told apart here, so
/// that one that is broken inside costs itself and no more.
fn split_array(octets: &[u8]) -> Result<Vec<Item<'_>>, (usize, &'static str)> {
    let mut items = Vec::new();
    let mut line = 1_usize;
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    let mut closed = false;
    // Start of the element at hand and its line, once its first octet has been met.
    let mut start: Option<(usize, usize)> = None;
    for (at, &octet) in octets.iter().enumerate() {
        if octet == b'\n' {
            line = line.saturating_add(1);
        }
        if quoted {
            quoted = escaped || octet != b'"';
            escaped = !escaped && octet == b'\\';
            continue;
        }
        if octet.is_ascii_whitespace() {
            continue;
        }
        if closed {
            return Err((line, "something follows the end of the list"));
        }
        if depth == 0 {
            if octet != b'[' {
                return Err((line, "expected a list of objects: [{…}, {…}]"));
            }
            depth = 1;
            continue;
        }
        let ends = depth == 1 && matches!(octet, b',' | b']');
        if ends {
            match start.take() {
                Some((from, line)) => {
                    let octets = octets.get(from..at).unwrap_or(&[]);
                    items.push(Item { line, octets });
                }
                // `[]` is a list; `[,` and `,]` are slips.
                None if octet == b']' && items.is_empty() => {}
                None => return Err((line, "a comma without a row before or after it")),
            }
            closed = octet == b']';
            continue;
        }
        start.get_or_insert((at, line));
        match octet {
            b'"' => quoted = true,
            b'{' | b'[' => depth = depth.saturating_add(1),
            b'}' | b']' => depth = depth.saturating_sub(1).max(1),
            _ => {}
        }
    }
    if closed {
        Ok(items)
    } else {
        Err((line, "the list has no end: the file is cut"))
    }
}

fn json_cells(item: &[u8], columns: &Columns) -> Result<Vec<String>, (&'static str, String)> {
    let object: Map<String, Value> =
        serde_json::from_slice(item).map_err(|error| ("", format!("not an object: {error}")))?;
    let mut cells = vec![String::new(); columns.names.len()];
    for (name, value) in object {
        let place = columns.names.iter().position(|known| *known == name);
        let Some((place, column)) = place.zip(place.and_then(|p| columns.names.get(p))) else {
            let name = shortened(&name);
            let known = columns.names.join(", ");
            return Err(("", format!("unknown name {name}; the names are {known}")));
        };
        let text = match value {
            Value::Null => String::new(),
            Value::Bool(value) => if value { "yes" } else { "no" }.to_owned(),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            Value::Array(list) => list
                .into_iter()
                .map(|element| match element {
                    Value::String(text) if !text.contains(';') => Ok(text),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => Err((*column, "expected texts without `;`".to_owned())),
                })
                .collect::<Result<Vec<String>, _>>()?
                .join(";"),
            Value::Object(_) => return Err((column, "expected a text, not an object".to_owned())),
        };
        if let Some(cell) = cells.get_mut(place) {
            *cell = text.trim().to_owned();
        }
    }
    Ok(cells)
}

/// A text as it is quoted in a message: at most 40 characters, control characters escaped.
pub(super) fn shortened(text: &str) -> String {
    let head: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        format!("`{head}…`")
    } else {
        format!("`{head}`")
    }
}

/// Spreadsheets put it before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
