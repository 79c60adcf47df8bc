//! The sample devices that get certificates.

use std::path::Path;

use super::PkiError;
use crate::model::DeviceId;

/// A device of `devices.csv`, as far as a certificate needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleDevice {
    /// Goes into the SAN URI.
    pub id: DeviceId,
    /// Principal name of its user, if it has one.
    pub owner: Option<String>,
    /// What people call it.
    pub name: Option<String>,
}

impl SampleDevice {
    /// The name, or the id of a device without one.
    pub(super) fn label(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.id.to_string())
    }

    /// The label as a file name: lower case letters, digits and hyphens.
    pub(super) fn file_name(&self) -> String {
        let mut name = String::new();
        for letter in self.label().chars().take(MAX_NAME) {
            if letter.is_ascii_alphanumeric() {
                name.push(letter.to_ascii_lowercase());
            } else if !name.is_empty() && !name.ends_with('-') {
                name.push('-');
            }
        }
        let name = name.trim_end_matches('-');
        if name.is_empty() {
            self.id.to_string()
        } else {
            name.to_owned()
        }
    }
}

/// Reads the devices of a CSV file with a `device_id` column, and `owner` and `name` if it has
/// them; lines that begin with `#` are comments.
///
/// Rows without a usable id are passed over, the inventory reports them. No more than 64 devices
/// are taken: the sample is for trying things, and a file of a real fleet needs no sample PKI.
///
/// # Errors
///
/// When the file exists and is not CSV. A file that does not exist has no devices.
pub fn read_devices(path: &Path) -> Result<Vec<SampleDevice>, PkiError> {
    let fail = |source| PkiError::Devices {
        path: path.to_owned(),
        source,
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(PkiError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let mut reader = csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(file);
    let headers = reader.headers().map_err(fail)?;
    let column = |name: &str| {
        headers
            .iter()
            .position(|header| header.eq_ignore_ascii_case(name))
    };
    let (id, owner, name) = (column("device_id"), column("owner"), column("name"));
    let mut devices = Vec::new();
    for record in reader.records() {
        let record = record.map_err(fail)?;
        let field = |column: Option<usize>| {
            let text = record.get(column?)?;
            (!text.is_empty()).then_some(text)
        };
        let Some(id) = field(id).and_then(|text| text.parse().ok()) else {
            continue;
        };
        devices.push(SampleDevice {
            id,
            owner: field(owner).map(str::to_owned),
            name: field(name).map(str::to_owned),
        });
        if devices.len() == MAX_DEVICES {
            break;
        }
    }
    Ok(devices)
}

/// Devices of a file that get a certificate.
const MAX_DEVICES: usize = 64;
/// Letters of a device's name that its file name keeps.
const MAX_NAME: usize = 64;
