//! Decision records on disk and in memory: one JSON line each, in a circle of files.
//!
//! The planes put [`DecisionRecord`](crate::access::DecisionRecord)s into a bounded queue and
//! never wait; what does not fit is dropped and counted. One thread, started by
//! [`Journal::spawn`], takes them out, keeps the last [`Config::recent`] in memory for `explain`
//! and `status`, and appends a line to the current file. It ends when its [`Stop`] is told to,
//! after a last drain; ending it otherwise loses only what is queued, which is best effort
//! anyway. A record stays where it was filled in: its address goes through the queue into the memory
//! of the newest, and from there back to the planes. A disk that fails is reported once for each kind of failure and retried with every
//! batch; decisions go on.

mod accounting;
mod find;
mod history;
mod json;
mod keeper;
mod line;
mod recent;
mod writer;

pub use accounting::ExportError;
pub use accounting::Reports;
pub use accounting::ReportsEnd;
pub use accounting::Wanted;
pub use accounting::export;
pub use find::find;
pub use history::Found;
pub use history::HistoryConfig;
pub use history::HistoryStatistics;
pub use history::Query;
pub use history::Sought;
pub use history::search;
pub use line::render;
pub use recent::Recent;
pub use writer::Flush;
pub use writer::Journal;
pub use writer::Statistics;
pub use writer::Stop;

use std::path::PathBuf;

/// Where records go and how much of them is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Folder of the files.
    pub folder: PathBuf,
    /// Octets after which the next file is begun. Default 10,000,000 (R60).
    pub file_size: u64,
    /// Files in the circle; the oldest is overwritten. Default 30 (R60).
    pub files: u32,
    /// Records waiting for the disk. Default 16,384: at 20,000 decisions a second, most of a
    /// second of a stalled disk; about 16 MB, made as it is needed and kept for the next time.
    pub queue: usize,
    /// Records kept in memory for `explain`. Default 4,096, about 4 MB.
    pub recent: usize,
    /// What is kept to be searched; `None` keeps nothing.
    pub history: Option<HistoryConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            folder: PathBuf::from("var/journal"),
            file_size: 10_000_000,
            files: 30,
            queue: 16_384,
            recent: 4_096,
            history: None,
        }
    }
}
