//! SQLite files by day: what is to be searched, kept as long as there is room for it.
//!
//! Each UTC day has a file of its own, so that what has become old is unlinked and not deleted row
//! by row. A file is written by one connection (write-ahead log, `synchronous = NORMAL`: the end
//! of the program loses nothing that was committed, a loss of power the last moments at most) and
//! read by as many as like, of this process or another, at the same time.

use std::fmt;
use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::OpenFlags;
use thiserror::Error;
use tracing::error;

use crate::model::Timestamp;
use crate::store::set_aside;

/// What the files of one kind hold.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// What the files' names begin with; a hyphen and the day follow.
    pub name: &'static str,
    /// Kept in each file (`user_version`); raised with each change of `tables`. Not 0.
    pub version: u32,
    /// The statements that make the tables.
    pub tables: &'static str,
}

/// A day of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(i64);

impl Day {
    /// The day of a moment.
    #[must_use]
    pub const fn of(at: Timestamp) -> Self {
        Self(at.unix_seconds().div_euclid(DAY))
    }

    /// Its first moment.
    #[must_use]
    pub const fn begin(self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.saturating_mul(DAY))
    }

    /// So many days before.
    #[must_use]
    pub fn back(self, days: u16) -> Self {
        Self(self.0.saturating_sub(i64::from(days)))
    }

    fn parse(text: &str) -> Option<Self> {
        let begin = Timestamp::parse_rfc3339(&format!("{text}T00:00:00Z"))?;
        Some(Self::of(begin))
    }
}

/// As in RFC 3339: `2026-11-28`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.begin().to_string();
        f.write_str(begin.get(..10).unwrap_or(&begin))
    }
}

/// Why a day cannot be written or read.
#[derive(Debug, Error)]
pub enum DayError {
    /// Folder or file cannot be made or looked at.
    #[error("{path} cannot be used")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("{path} cannot be used")]
    Sqlite {
        /// Which.
        path: PathBuf,
        /// What it says.
        source: rusqlite::Error,
    },
    /// The file is of another version of this program.
    #[error("{path} has version {found}, expected {expected}")]
    Version {
        /// Which.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// This program's.
        expected: u32,
    },
}

/// The files of one kind in a folder.
#[derive(Clone, Debug)]
pub struct Days {
    folder: PathBuf,
    schema: Schema,
}

impl Days {
    /// Those in `folder`; nothing is opened.
    #[must_use]
    pub fn new(folder: &Path, schema: Schema) -> Self {
        Self {
            folder: folder.to_owned(),
            schema,
        }
    }

    /// Opens the file of a day for its one writer, made with mode 0600 if there is none. A file
    /// that is damaged or of another version is set aside, and said so.
    ///
    /// # Errors
    ///
    /// When folder or file cannot be made or opened.
    pub fn write(&self, day: Day) -> Result<Connection, DayError> {
        let path = self.path(day);
        match self.open_to_write(&path) {
            Ok(connection) => Ok(connection),
            Err(DayError::File { path, source }) => Err(DayError::File { path, source }),
            Err(DayError::Sqlite { path, source }) if !is_damage(&source) => {
                Err(DayError::Sqlite { path, source })
            }
            Err(reason) => {
                let aside = self.put_away(&path)?;
                error!(%reason, aside = %aside.display(), "a file of the history is set aside");
                self.open_to_write(&path)
            }
        }
    }

    fn open_to_write(&self, path: &Path) -> Result<Connection, DayError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|source| failed(&self.folder, source))?;
        // SQLite makes the files beside it with the mode of this one.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|source| failed(path, source))?;
        let refused = |source| refused(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(refused)?;
        connection.busy_timeout(PATIENCE).map_err(refused)?;
        let version = version(&connection).map_err(refused)?;
        if version != self.schema.version {
            // A start may have ended between making a file and making its tables.
            let is_new = version == 0 && is_empty(&connection).map_err(refused)?;
            if !is_new {
                return Err(self.other_version(path, version));
            }
        }
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"))
            .map_err(refused)?;
        if version == 0 {
            connection
                .execute_batch(&format!(
                    "BEGIN; {} PRAGMA user_version = {}; COMMIT;",
                    self.schema.tables, self.schema.version
                ))
                .map_err(refused)?;
        }
        Ok(connection)
    }

    /// Opens a file that [`Days::list`] gave, to be searched.
    ///
    /// # Errors
    ///
    /// When it is not readable, not of this version or no database.
    pub fn read(&self, day: Day) -> Result<Connection, DayError> {
        let path = self.path(day);
        let refused = |source| refused(&path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(refused)?;
        connection.busy_timeout(PATIENCE).map_err(refused)?;
        match version(&connection).map_err(refused)? {
            found if found == self.schema.version => Ok(connection),
            found => Err(self.other_version(&path, found)),
        }
    }

    /// The days that have a file, newest first; none if there is no folder.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Day>, DayError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&self.folder, error)),
        };
        let mut days: Vec<Day> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                let name = name.to_str()?.strip_prefix(self.schema.name)?;
                Day::parse(name.strip_prefix('-')?.strip_suffix(SUFFIX)?)
            })
            .collect();
        days.sort_unstable_by(|one, other| other.cmp(one));
        Ok(days)
    }

    /// Unlinks the days before `oldest`, and then the oldest of the others but `today` until no
    /// more than `octets` are used. Gives what is used then.
    ///
    /// # Errors
    ///
    /// When folder or file cannot be read or unlinked.
    pub fn prune(&self, oldest: Day, today: Day, octets: u64) -> Result<u64, DayError> {
        let mut kept = Vec::new();
        for day in self.list()? {
            if day < oldest && day < today {
                self.remove(day)?;
            } else {
                kept.push((day, self.size(day)));
            }
        }
        let mut used: u64 = kept.iter().map(|(_, size)| size).sum();
        while used > octets
            && let Some((day, size)) = kept.pop()
            && day < today
        {
            self.remove(day)?;
            used = used.saturating_sub(size);
        }
        Ok(used)
    }

    fn remove(&self, day: Day) -> Result<(), DayError> {
        for path in files(&self.path(day)) {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(&path, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Octets of a day's files.
    fn size(&self, day: Day) -> u64 {
        let paths = files(&self.path(day));
        let sizes = paths
            .iter()
            .map(|path| path.metadata().map(|file| file.len()));
        sizes.map(Result::unwrap_or_default).sum()
    }

    /// A file without its write-ahead log is put away; a new one must not take that up.
    fn put_away(&self, path: &Path) -> Result<PathBuf, DayError> {
        let aside = set_aside(path).map_err(|source| failed(path, source))?;
        for beside in files(path).iter().skip(1) {
            match fs::remove_file(beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed(beside, error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(aside)
    }

    fn path(&self, day: Day) -> PathBuf {
        let name = self.schema.name;
        self.folder.join(format!("{name}-{day}{SUFFIX}"))
    }

    fn other_version(&self, path: &Path, found: u32) -> DayError {
        DayError::Version {
            path: path.to_owned(),
            found,
            expected: self.schema.version,
        }
    }
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    let count = "SELECT count(*) FROM sqlite_schema";
    connection.query_row(count, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// A database and what SQLite keeps beside it.
fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt)
    )
}

fn failed(path: &Path, source: io::Error) -> DayError {
    DayError::File {
        path: path.to_owned(),
        source,
    }
}

fn refused(path: &Path, source: rusqlite::Error) -> DayError {
    DayError::Sqlite {
        path: path.to_owned(),
        source,
    }
}

/// Seconds of a day without leap seconds.
const DAY: i64 = 86_400;

const SUFFIX: &str = ".sqlite";

/// How long one connection waits for another that is at work: the writer's transactions take a
/// few milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
