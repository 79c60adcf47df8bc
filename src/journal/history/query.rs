//! Searching the history, newest first.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::access::Correlation;
use crate::journal::history::NOT_AUTHENTICATED;
use crate::journal::history::SCHEMA;
use crate::model::MacAddress;
use crate::model::Timestamp;
use crate::model::Verdict;
use crate::store::Day;
use crate::store::DayError;
use crate::store::Days;

/// What is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// A device's id, a user with or without a suffix, an identifier or MAC address as presented, or
    /// the number of a decision; upper and lower case are the same.
    pub subject: Option<String>,
    /// The same user by another name: mail is recorded under the name that we give, a login to the
    /// network under the one that was typed.
    pub alias: Option<String>,
    /// What came of it.
    pub outcome: Sought,
    /// Name of the NAS.
    pub nas: Option<String>,
    /// From this moment on.
    pub since: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
    /// Decisions at most.
    pub limit: usize,
}

/// Outcomes that are searched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sought {
    /// All.
    #[default]
    Any,
    /// Decisions with this verdict.
    Verdict(Verdict),
    /// Peers that were not authenticated.
    NotAuthenticated,
    /// Everything but allow.
    NotAllowed,
}

/// A decision of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub id: Correlation,
    /// When it was made.
    pub at: Timestamp,
    /// Decisions like the row before of the same subject that have no row.
    pub alike: u32,
    /// The journal's line, a JSON object.
    pub line: String,
}

/// What the files of `folder` have, newest first, and whether there is more. Days that cannot be
/// read are told to `unread` and left out.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn search(
    folder: &Path,
    query: &Query,
    mut unread: impl FnMut(DayError),
) -> Result<(Vec<Found>, bool), DayError> {
    let days = Days::new(folder, SCHEMA);
    let (first, last) = (Day::of(query.since), Day::of(query.until));
    let mut found = Vec::new();
    for day in days.list()? {
        if day < first || day > last {
            continue;
        }
        // One more than wanted tells that there is more.
        let wanted = (query.limit + 1).saturating_sub(found.len());
        if wanted == 0 {
            break;
        }
        match days.read(day) {
            Ok(connection) => match search_day(&connection, query, wanted) {
                Ok(rows) => found.extend(rows),
                Err(source) => unread(DayError::Sqlite {
                    path: folder.join(day.to_string()),
                    source,
                }),
            },
            Err(error) => unread(error),
        }
    }
    let has_more = found.len() > query.limit;
    found.truncate(query.limit);
    Ok((found, has_more))
}

fn search_day(
    connection: &Connection,
    query: &Query,
    wanted: usize,
) -> rusqlite::Result<Vec<Found>> {
    let mut conditions = Conditions::default();
    conditions.add("at >= ?", query.since.unix_millis());
    conditions.add("at < ?", query.until.unix_millis());
    if let Some(nas) = &query.nas {
        conditions.add("nas = ?", nas.clone());
    }
    match query.outcome {
        Sought::Any => {}
        Sought::Verdict(verdict) => conditions.add("verdict = ?", verdict.as_str().to_owned()),
        Sought::NotAuthenticated => conditions.add("verdict = ?", NOT_AUTHENTICATED.to_owned()),
        // Spelled as in the index that it shall use.
        Sought::NotAllowed => conditions.texts.push("verdict <> 'allow'"),
    }
    if let Some(subject) = &query.subject {
        let lower = subject.trim().to_lowercase();
        let address = MacAddress::parse(lower.as_bytes());
        let address = address.map_or_else(|| lower.clone(), |address| address.to_string());
        // A serial number or DeviceId can look like a decision's number.
        let number = Correlation::parse(&lower).map(|id| id.0.cast_signed());
        // After the at sign comes the A, which stands in no subject.
        let (first, end) = if lower.contains(['@', '\\']) || lower.is_empty() {
            (String::new(), String::new())
        } else {
            (format!("{lower}@"), format!("{lower}A"))
        };
        conditions.add(
            "id IN (SELECT ? UNION SELECT id FROM subjects WHERE subject IN (?, ?, ?) \
             UNION SELECT id FROM subjects WHERE subject >= ? AND subject < ?)",
            number,
        );
        let alias = query
            .alias
            .as_ref()
            .map(|alias| alias.trim().to_lowercase());
        let alias = alias.unwrap_or_else(|| lower.clone());
        let names = [lower, address, alias, first, end].map(Value::from);
        conditions.values.extend(names);
    }
    conditions
        .values
        .push(i64::try_from(wanted).unwrap_or(i64::MAX).into());
    let mut statement = connection.prepare(&format!(
        "SELECT id, at, alike, line FROM decisions WHERE {} ORDER BY id DESC LIMIT ?",
        conditions.texts.join(" AND ")
    ))?;
    let rows = statement.query_map(params_from_iter(conditions.values), |row| {
        Ok(Found {
            id: Correlation(row.get::<_, i64>(0)?.cast_unsigned()),
            at: Timestamp::from_unix_millis(row.get(1)?),
            alike: row.get(2)?,
            line: row.get(3)?,
        })
    })?;
    rows.collect()
}

/// What a row must meet, and the values for the marks in it, in order.
#[derive(Default)]
struct Conditions {
    texts: Vec<&'static str>,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, text: &'static str, value: impl Into<Value>) {
        self.texts.push(text);
        self.values.push(value.into());
    }
}
