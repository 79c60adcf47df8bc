//! What is remembered of mail devices: written down, and taken up by the next start.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tracing::error;
use tracing::info;
use tracing::warn;

use crate::app::notes;
use crate::config::Config;
use crate::mail::Gateway;
use crate::mail::Restored;
use crate::model::Now;
use crate::net::eas::Front;
use crate::store;
use crate::store::Format;
use crate::store::Snapshot;
use crate::store::SnapshotError;

/// A gateway with what the last start has remembered.
pub(in crate::app) fn restore(gateway: Gateway, config: &Config, now: Now) -> Gateway {
    if !config.data.warm_start {
        return gateway;
    }
    let path = path(config);
    let snapshot = match FORMAT.read(&path) {
        Ok(snapshot) => snapshot,
        Err(SnapshotError::Read(error)) => {
            let path = path.display();
            error!(%path, %error, "what was remembered of mail devices cannot be read");
            None
        }
        Err(reason) => {
            let aside = store::set_aside(&path);
            let aside = aside.map_or_else(|error| error.to_string(), |at| at.display().to_string());
            error!(path = %path.display(), %reason, aside,
                   "what was remembered of mail devices is not used and set aside");
            None
        }
    };
    let notes = notes::read(config).unwrap_or_else(|error| {
        let folder = config.data.folder.display();
        error!(%folder, %error, "what was noted last of mail devices cannot be read");
        Vec::new()
    });
    if snapshot.is_none() && notes.is_empty() {
        return gateway;
    }
    let saved = snapshot.as_ref().map_or(&[][..], Snapshot::content);
    let (gateway, restored) = gateway.restore(now, saved, &notes);
    let Restored {
        devices,
        places,
        unreadable,
    } = restored;
    let saved = snapshot.map(|snapshot| snapshot.at.to_string());
    info!(devices, places, saved, "mail devices are remembered");
    if unreadable > 0 {
        warn!(lines = unreadable, "some mail devices cannot be remembered");
    }
    gateway
}

/// Writes the roll down.
pub(super) struct Saver {
    path: PathBuf,
    front: Arc<Front>,
    failed: Arc<AtomicU64>,
    /// The changes that are on the disk.
    saved: u64,
}

impl Saver {
    /// What has been taken up needs no writing.
    pub(super) fn new(config: &Config, front: &Arc<Front>, failed: &Arc<AtomicU64>) -> Self {
        Self {
            path: path(config),
            front: Arc::clone(front),
            failed: Arc::clone(failed),
            saved: front.gateway.changes(),
        }
    }

    pub(super) fn save(&mut self, now: Now) {
        let changes = self.front.gateway.changes();
        // The secret of links is written once even if nobody is on the roll.
        if changes == self.saved && self.path.exists() {
            return;
        }
        let octets = self.front.gateway.save(now);
        match FORMAT.write(&self.path, now.wall, &[&octets]) {
            Ok(_) => self.saved = changes,
            Err(error) => {
                let path = self.path.display();
                if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
                    error!(%path, %error, "what is remembered of mail devices cannot be saved");
                }
            }
        }
    }
}

fn path(config: &Config) -> PathBuf {
    config.data.folder.join(FILE)
}

/// In the data folder.
pub(in crate::app) const FILE: &str = "mail.snapshot";

const FORMAT: Format = Format {
    magic: *b"PORTROLL",
    version: 1,
};
