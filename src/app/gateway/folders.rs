//! The folders that the gateway writes to.

use std::path::PathBuf;

use crate::app::StartError;
use crate::config::Config;
use crate::journal;
use crate::store::Claim;

/// Keeps other gateways out of them.
pub(super) fn claim_folders(config: &Config) -> Result<Vec<Claim>, StartError> {
    let mut folders = vec![
        &config.data.folder,
        &config.journal.folder,
        &config.accounting.folder,
    ];
    if config.history.days > 0 {
        folders.push(&config.history.folder);
    }
    folders.sort_unstable();
    folders.dedup();
    let claim = |folder: &PathBuf| {
        Claim::take(folder).map_err(|source| StartError::Folder {
            path: folder.clone(),
            source,
        })
    };
    folders.into_iter().map(claim).collect()
}

pub(super) fn journal_config(config: &Config) -> journal::Config {
    journal::Config {
        folder: config.journal.folder.clone(),
        file_size: config.journal.file_size.get(),
        files: u32::from(config.journal.files),
        queue: config.journal.queue,
        history: (config.history.days > 0).then(|| journal::HistoryConfig {
            folder: config.history.folder.clone(),
            days: config.history.days,
            octets: config.history.size.get(),
        }),
        ..journal::Config::default()
    }
}
