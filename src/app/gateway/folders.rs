//! The folders that the gateway writes to.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;

use crate::app::StartError;
use crate::config::Config;
use crate::journal;
use crate::store::Claim;
use crate::store::make_folder;

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
    claim_all(folders)
}

fn claim_all(folders: Vec<&PathBuf>) -> Result<Vec<Claim>, StartError> {
    let failed = |path: &Path, source| StartError::Folder {
        path: path.to_owned(),
        source,
    };
    // One may be a link to another.
    let mut places = BTreeMap::new();
    for folder in folders {
        make_folder(folder).map_err(|source| failed(folder, source))?;
        let place = folder.canonicalize();
        places.insert(place.map_err(|source| failed(folder, source))?, folder);
    }
    let claim = |folder: &PathBuf| Claim::take(folder).map_err(|source| failed(folder, source));
    places.into_values().map(claim).collect()
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The start ended with "another gateway writes to this folder".
    #[test]
    fn a_folder_that_is_a_link_to_another_is_claimed_once() {
        let base = tempfile::tempdir().unwrap();
        let data = base.path().join("var");
        let journal = base.path().join("journal");
        make_folder(&data).unwrap();
        symlink(&data, &journal).unwrap();
        assert_eq!(claim_all(vec![&data, &journal, &data]).unwrap().len(), 1);
    }
}
