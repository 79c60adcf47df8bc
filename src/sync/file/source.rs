//! A file as a source: looked at often, read when it has changed.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use crate::inventory::Complete;
use crate::model::Problem;
use crate::model::Severity;
use crate::model::Timestamp;
use crate::sync::file::Format;
use crate::sync::file::Tolerance;
use crate::sync::file::read_device_file;
use crate::sync::file::read_user_file;
use crate::sync::plan::Run;
use crate::sync::source::Brought;
use crate::sync::source::Content;
use crate::sync::source::Context;
use crate::sync::source::Delivery;
use crate::sync::source::Failure;
use crate::sync::source::Source;

/// What a file lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sync) enum Kind {
    Devices,
    Users,
}

/// One file of one source.
#[derive(Debug)]
pub(in crate::sync) struct FileFeed {
    /// The source's name; devices without a GUID get theirs from it.
    source: String,
    path: PathBuf,
    kind: Kind,
    tolerance: Tolerance,
    /// The state of the file that was read last, good or bad.
    seen: Option<Stamp>,
}

/// What tells one state of a file from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileFeed {
    pub(in crate::sync) const fn new(
        source: String,
        path: PathBuf,
        kind: Kind,
        tolerance: Tolerance,
    ) -> Self {
        Self {
            source,
            path,
            kind,
            tolerance,
            seen: None,
        }
    }

    async fn stamp(&self) -> Result<Stamp, Failure> {
        let metadata = tokio::fs::metadata(&self.path).await;
        let metadata = metadata.map_err(|source| self.unreadable(source))?;
        Ok(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Waits until nobody has written to the file for a moment.
    async fn settled(&self, now: Timestamp) -> Result<Stamp, Failure> {
        let mut stamp = self.stamp().await?;
        let written = Timestamp::from_unix_seconds(stamp.changed.0);
        if now.since(written) > OLD {
            return Ok(stamp);
        }
        for _ in 0..SETTLE_ROUNDS {
            tokio::time::sleep(SETTLE).await;
            let again = self.stamp().await?;
            if again == stamp {
                return Ok(stamp);
            }
            stamp = again;
        }
        Err(Failure::Unsettled {
            path: self.path.clone(),
        })
    }

    async fn load(&self, stamp: Stamp) -> Result<Delivery, Failure> {
        if stamp.length > MAX_FILE {
            return Err(Failure::Large {
                path: self.path.clone(),
                limit: MAX_FILE,
            });
        }
        let octets = tokio::fs::read(&self.path).await;
        let octets = octets.map_err(|source| self.unreadable(source))?;
        let Self {
            source,
            path,
            kind,
            tolerance,
            seen: _,
        } = self;
        let (source, path, kind, tolerance) = (source.clone(), path.clone(), *kind, *tolerance);
        // A large file takes seconds to read; the runtime's threads have other things to do.
        let parsed = tokio::task::spawn_blocking(move || {
            let file = path.display().to_string();
            let format = Format::of(&path);
            let mut all = Complete::default();
            let (bad, problems) = match kind {
                Kind::Devices => {
                    let read = read_device_file(&source, &file, format, &octets, tolerance)?;
                    all.devices = read.rows;
                    (read.bad, read.problems)
                }
                Kind::Users => {
                    let read = read_user_file(&file, format, &octets, tolerance)?;
                    all.users = read.rows;
                    (read.bad, read.problems)
                }
            };
            Ok(Delivery {
                entries: Some(all.devices.len() + all.users.len()),
                content: Content::Complete(all),
                bad,
                first_bad: problems
                    .iter()
                    .find(|problem| problem.severity == Severity::Error)
                    .map(Problem::to_string),
                problems,
                note: None,
                again_in: None,
            })
        });
        let parsed = parsed.await.map_err(|_| Failure::ShuttingDown)?;
        parsed.map_err(Failure::File)
    }

    fn unreadable(&self, source: std::io::Error) -> Failure {
        Failure::Read {
            path: self.path.clone(),
            source,
        }
    }
}

impl Source for FileFeed {
    async fn run(&mut self, run: Run, context: &Context<'_>) -> Result<Brought, Failure> {
        if run == Run::Quick && self.seen == Some(self.stamp().await?) {
            return Ok(Brought::Unchanged);
        }
        let stamp = self.settled(context.clock.now().wall).await?;
        self.seen = Some(stamp);
        let delivery = self.load(stamp).await?;
        let rows = delivery.entries.unwrap_or(0) + delivery.bad;
        context.board.read(rows, (1, rows));
        Ok(Brought::Delivery(delivery))
    }

    fn settle(&mut self, _accepted: bool) {}
}

/// Editors and copies write in bursts; a file that rests this long is taken as written. Short
/// enough that a change is felt within a second.
const SETTLE: Duration = Duration::from_millis(100);

/// After ten seconds of changes the file is left for the next look.
const SETTLE_ROUNDS: u32 = 100;

/// A file that was last written longer ago than this is at rest; clocks of file systems are coarse.
const OLD: Duration = Duration::from_secs(3);

/// A million devices take 200 MiB; a larger file is read by mistake.
const MAX_FILE: u64 = 1 << 30;
