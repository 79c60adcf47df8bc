//! What is kept on disk, and when an answer may say so.
//!
//! Two promises. What goes through a [`Circle`] alone is *best effort*: decision records, which
//! survive the end of the program and not that of the machine. What goes through a [`Log`] is
//! *durable*: once [`Log::append`] has returned, SIGKILL loses none of it, and what was appended
//! a second ago survives the loss of power. A caller that promises something answers after the
//! append, and not at all when it fails.
//!
//! Nobody waits for the disk: an append is one write into the system's cache, and one thread,
//! started by [`Syncer::spawn`], brings all logs to the disk every half second. It ends when its
//! [`Stop`] is told to, after a last time.
//!
//! A folder belongs to one gateway at a time ([`Claim`]): two would overwrite each other's files.
//!
//! Everything is bounded: a circle of files overwrites its oldest.
//!
//! A [`Format`] writes and reads snapshots: files that are whole or not used. [`Days`] are SQLite
//! files, one for each day, for what is searched.

mod circle;
mod claim;
mod log;
mod snapshot;
mod sqlite;

pub use circle::Circle;
pub use claim::Claim;
pub use claim::make_folder;
pub use log::Log;
pub use log::Stop;
pub use log::Syncer;
pub use snapshot::Format;
pub use snapshot::Snapshot;
pub use snapshot::SnapshotError;
pub use snapshot::set_aside;
pub use sqlite::Day;
pub use sqlite::DayError;
pub use sqlite::Days;
pub use sqlite::Schema;
