//! Which file of the throw-away PKI lies where in the certificates folder.

use std::path::Path;
use std::path::PathBuf;

/// The places of the throw-away PKI below one folder.
///
/// Certificates lie open; keys and secrets lie in folders of mode 0700.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// The places below `folder`.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The certificate called `name`: `root`, `radius`, `eas`.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The private key of the certificate called `name`.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.keys().join(format!("{name}.key"))
    }

    /// The folder of the devices' certificates.
    #[must_use]
    pub fn devices(&self) -> PathBuf {
        self.folder.join("devices")
    }

    /// The folder of the servers' private keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// The folder of the devices' private keys.
    #[must_use]
    pub fn device_keys(&self) -> PathBuf {
        self.keys().join("devices")
    }

    /// The certificate of the device called `name`.
    #[must_use]
    pub fn device_certificate(&self, name: &str) -> PathBuf {
        self.devices().join(format!("{name}.pem"))
    }

    /// The private key of the device called `name`.
    #[must_use]
    pub fn device_key(&self, name: &str) -> PathBuf {
        self.device_keys().join(format!("{name}.key"))
    }

    /// The folder of the shared secrets.
    #[must_use]
    pub fn secrets(&self) -> PathBuf {
        self.folder.join("secrets")
    }

    /// Whether the first start would make the file at `path`.
    #[must_use]
    pub fn makes(&self, path: &Path) -> bool {
        let certificate = CERTIFICATES
            .iter()
            .any(|name| path == self.certificate(name) || path == self.key(name));
        certificate || path.parent() == Some(&self.secrets())
    }
}

/// The certificates of the throw-away PKI that are no device's.
const CERTIFICATES: [&str; 3] = ["root", "radius", "eas"];
