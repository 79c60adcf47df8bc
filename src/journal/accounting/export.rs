//! Reports out of the store, oldest first, one at a time.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::SCHEMA;
use super::station;
use crate::model::Timestamp;
use crate::store::Day;
use crate::store::DayError;
use crate::store::Days;

/// Which reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Put on record from this moment on.
    pub since: Timestamp,
    /// And before this one.
    pub until: Timestamp,
    /// User-Name, upper and lower case the same.
    pub user: Option<String>,
    /// Calling-Station-Id; a MAC address in any spelling.
    pub device: Option<String>,
    /// Name of the NAS in the configuration.
    pub nas: Option<String>,
    /// Acct-Session-Id.
    pub session: Option<String>,
}

/// Why an export ends early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError<E> {
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] DayError),
    /// It could not be handed on.
    #[error(transparent)]
    Taken(E),
}

/// Gives each wanted report of the files in `folder` to `take`, as the line of JSON that stands on
/// record. Days that cannot be read are told to `unread` and left out.
///
/// # Errors
///
/// When the folder cannot be read, or the first error of `take`.
pub fn export<E>(
    folder: &Path,
    wanted: &Wanted,
    mut unread: impl FnMut(DayError),
    mut take: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), ExportError<E>> {
    let days = Days::new(folder, SCHEMA);
    let (first, last) = (Day::of(wanted.since), Day::of(wanted.until));
    let mut there = days.list()?;
    there.reverse();
    for day in there {
        if day < first || day > last {
            continue;
        }
        let refused = |source| DayError::Sqlite {
            path: folder.join(day.to_string()),
            source,
        };
        let connection = match days.read(day) {
            Ok(connection) => connection,
            Err(error) => {
                unread(error);
                continue;
            }
        };
        match of_a_day(&connection, wanted, &mut take) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(ExportError::Taken(error)),
            Err(source) => unread(refused(source)),
        }
    }
    Ok(())
}

fn of_a_day<E>(
    connection: &Connection,
    wanted: &Wanted,
    take: &mut impl FnMut(&str) -> Result<(), E>,
) -> rusqlite::Result<Result<(), E>> {
    let mut texts = vec!["at >= ?", "at < ?"];
    let mut values: Vec<Value> = vec![
        wanted.since.unix_millis().into(),
        wanted.until.unix_millis().into(),
    ];
    let lower = |text: &String| text.trim().to_lowercase();
    for (text, value) in [
        ("user = ?", wanted.user.as_ref().map(lower)),
        (
            "station = ?",
            wanted.device.as_deref().map(str::trim).map(station),
        ),
        ("nas = ?", wanted.nas.clone()),
        ("session = ?", wanted.session.clone()),
    ] {
        if let Some(value) = value {
            texts.push(text);
            values.push(value.into());
        }
    }
    let condition = texts.join(" AND ");
    let mut statement = connection.prepare(&format!(
        "SELECT line FROM reports WHERE {condition} ORDER BY id"
    ))?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let line = row.get_ref(0)?.as_str()?;
        if let Err(error) = take(line) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}
