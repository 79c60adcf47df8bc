//! Devices and users from files: CSV or JSON, read without trust in who saved them.
//!
//! The header of a CSV file names its columns, in any order; lines that start with `#` are
//! comments. A JSON file is one array of objects with the same names. Empty means "nothing said".
//!
//! What is wrong is told with file, line and column, and the rest is used. A file is refused as a
//! whole, so that what it said before stays, when its columns are wrong, when it has no usable
//! row, when too many rows are bad, or when it looks cut: a CSV file must end with a line end, for
//! a file that is still being written rarely does. Two rows for one device or user contradict each
//! other, and neither is used.

mod device;
mod problems;
mod record;
mod row;
mod source;
mod user;

use std::collections::HashMap;
use std::hash::Hash;
use std::path::Path;

use crate::inventory::DeviceReport;
use crate::inventory::UserReport;
use crate::model::Problem;
use crate::model::Severity;
use crate::sync::file::problems::Problems;
use crate::sync::file::row::Row;

pub(super) use source::FileFeed;
pub(super) use source::Kind;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180) with a header.
    Csv,
    /// One array of objects.
    Json,
}

impl Format {
    /// JSON for `.json`, else CSV.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let json = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        if json { Self::Json } else { Self::Csv }
    }
}

/// How many bad rows a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// Percent of the rows that may be bad. A single bad row is passed over whatever its share, so
    /// that one slip in a short file does not cost the file; but at 0 none is.
    pub bad_percent: u8,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { bad_percent: 10 }
    }
}

impl Tolerance {
    const fn allows(self, bad: usize, rows: usize) -> bool {
        let passed_over = bad <= 1 && self.bad_percent > 0;
        passed_over || bad.saturating_mul(100) <= rows.saturating_mul(self.bad_percent as usize)
    }
}

/// What a file says, with what is wrong in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<T> {
    /// The usable rows.
    pub rows: Vec<T>,
    /// How many rows are not used.
    pub bad: usize,
    /// Why, at most 100 of them.
    pub problems: Vec<Problem>,
}

/// Reads a file of devices. `source` names the source, `file` the file in problems.
///
/// # Errors
///
/// When the file as a whole is not used; the problems say why.
pub fn read_device_file(
    source: &str,
    file: &str,
    format: Format,
    octets: &[u8],
    tolerance: Tolerance,
) -> Result<Loaded<DeviceReport>, Vec<Problem>> {
    read(file, format, octets, tolerance, &device::COLUMNS, |row| {
        let report = device::report(row, source)?;
        Some((report.device, report))
    })
}

/// Reads a file of users.
///
/// # Errors
///
/// When the file as a whole is not used; the problems say why.
pub fn read_user_file(
    file: &str,
    format: Format,
    octets: &[u8],
    tolerance: Tolerance,
) -> Result<Loaded<UserReport>, Vec<Problem>> {
    read(file, format, octets, tolerance, &user::COLUMNS, |row| {
        let report = user::report(row)?;
        Some((report.user.clone(), report))
    })
}

/// The columns of a file and which of them it cannot do without.
pub(super) struct Columns {
    names: &'static [&'static str],
    /// At least one of these must be there.
    identifiers: &'static [&'static str],
}

fn read<K: Hash + Eq, T>(
    file: &str,
    format: Format,
    octets: &[u8],
    tolerance: Tolerance,
    columns: &Columns,
    mut judge: impl FnMut(&mut Row<'_>) -> Option<(K, T)>,
) -> Result<Loaded<T>, Vec<Problem>> {
    let mut problems = Problems::new(file);
    let Some(records) = record::read(format, octets, columns, &mut problems) else {
        return Err(problems.into_list());
    };
    let total = records.len();
    let mut rows: Vec<Option<T>> = Vec::with_capacity(total);
    // Where each device or user stands: its place in `rows` and its line.
    let mut places: HashMap<K, (usize, usize)> = HashMap::with_capacity(total);
    for record in records {
        let line = record.line;
        let mut row = Row::new(record, columns.names, &mut problems);
        let Some((key, report)) = judge(&mut row) else {
            rows.push(None);
            continue;
        };
        if let Some(&(place, first)) = places.get(&key) {
            let message = format!("stands in line {first} already; neither row is used");
            problems.add(line, columns.names.first().unwrap_or(&""), message);
            if let Some(earlier) = rows.get_mut(place) {
                *earlier = None;
            }
            rows.push(None);
        } else {
            places.insert(key, (rows.len(), line));
            rows.push(Some(report));
        }
    }
    let rows: Vec<T> = rows.into_iter().flatten().collect();
    let bad = total - rows.len();
    let refusal = if total == 0 {
        Some("the file has no rows; an empty list is never taken for the truth".to_owned())
    } else if rows.is_empty() || !tolerance.allows(bad, total) {
        let percent = tolerance.bad_percent;
        Some(format!(
            "{bad} of {total} rows are bad (allowed are {percent} %); the file is not used"
        ))
    } else {
        None
    };
    let mut list = problems.into_list();
    if let Some(message) = refusal {
        list.insert(0, whole(file, message));
        return Err(list);
    }
    Ok(Loaded {
        rows,
        bad,
        problems: list,
    })
}

/// A problem of the file as a whole.
fn whole(file: &str, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: None,
        key: String::new(),
        message,
        severity: Severity::Error,
    }
}

#[cfg(test)]
mod tests;
