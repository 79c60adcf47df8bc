//! What is remembered of mail devices and cannot wait for the next snapshot: lines that are written before
//! the client is answered which relies on them. They outlive the program at once, and the machine within
//! a second. What is older than the snapshot is overwritten in time: the files are a circle.

use std::fs;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use tracing::error;

use crate::config::Config;
use crate::store::Log;
use crate::store::Stop;
use crate::store::Syncer;

/// The files, open for what is new.
pub(super) struct Notes {
    log: Mutex<Log>,
    fails: AtomicBool,
    /// Ended with this.
    syncer: Option<Stop>,
}

impl Notes {
    /// # Errors
    ///
    /// When folder, file or thread cannot be made.
    pub(super) fn open(config: &Config) -> io::Result<Self> {
        let syncer = Syncer::new(1);
        let log = syncer.log(&config.data.folder, NAME, FILE_SIZE, FILES)?;
        Ok(Self {
            log: Mutex::new(log),
            fails: AtomicBool::new(false),
            syncer: Some(syncer.spawn()?),
        })
    }

    /// Writes lines. What cannot be written is in the next snapshot.
    pub(super) fn write(&self, lines: &[u8]) {
        let written = {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.append(lines)
        };
        match written {
            Ok(()) => self.fails.store(false, Ordering::Relaxed),
            Err(error) if !self.fails.swap(true, Ordering::Relaxed) => {
                error!(%error, "what is new of mail devices cannot be written at once; a crash would forget it");
            }
            Err(_) => {}
        }
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        if let Some(syncer) = self.syncer.take() {
            syncer.stop();
        }
    }
}

/// All lines that are there, of each file in its order.
///
/// # Errors
///
/// When a file that is there cannot be read.
pub(super) fn read(config: &Config) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for number in 0..FILES {
        let path = config.data.folder.join(format!("{NAME}{number}.jsonl"));
        match fs::read(&path) {
            Ok(octets) => {
                lines.extend_from_slice(&octets);
                lines.push(b'\n');
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(lines)
}

/// In the data folder: `mail-notes0.jsonl` and up.
const NAME: &str = "mail-notes";

/// A note has some 300 octets: 50,000 in all, between two snapshots half a minute apart.
const FILE_SIZE: u64 = 4 << 20;
const FILES: u32 = 4;
