//! What can be said of a configuration before anything that it points at is opened.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Draft;
use super::error;
use super::layout::Layout;
use super::nas;
use super::rules;
use super::settings::Accounting;
use super::settings::History;
use crate::mail::Names;
use crate::model::Problem;

impl Draft {
    /// The conf folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether a file could not be understood, so that nothing may be made from it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        error::any_error(&self.problems)
    }

    /// Whether the first start may make a throw-away PKI: it is asked for, and nobody but this
    /// machine can reach the gateway.
    #[must_use]
    pub fn may_make_sample(&self) -> bool {
        self.gateway.certificates.make_sample && rules::beyond_loopback(&self.gateway).is_none()
    }

    /// Where the control socket is.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.gateway.data.control_socket.clone()
    }

    /// Where the history of decisions is, and how many days it keeps.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.gateway.history
    }

    /// How spellings of user names are brought together.
    #[must_use]
    pub fn names(&self) -> Names {
        self.gateway.mail.names()
    }

    /// Where accounting is, and how many days of it can be exported.
    #[must_use]
    pub fn accounting(&self) -> &Accounting {
        &self.gateway.accounting
    }

    /// Where the throw-away PKI lies.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::new(&self.gateway.certificates.folder)
    }

    /// The secret files that `nas.toml` names in the folder of the throw-away PKI, in the order
    /// of the file.
    #[must_use]
    pub fn sample_secrets(&self) -> Vec<PathBuf> {
        let layout = self.layout();
        self.nas
            .iter()
            .flat_map(nas::Entry::secret_files)
            .filter(|path| layout.makes(path))
            .cloned()
            .collect()
    }

    /// Whether no RADIUS door is open.
    pub(super) fn is_radius_closed(&self) -> bool {
        let listen = &self.gateway.listen;
        listen.authentication.is_empty() && listen.accounting.is_empty() && listen.radsec.is_empty()
    }

    /// The folders that the gateway writes to.
    #[must_use]
    pub fn data_folders(&self) -> Vec<PathBuf> {
        let data = &self.gateway.data;
        let socket = data.control_socket.parent();
        let socket = socket.filter(|folder| !folder.as_os_str().is_empty());
        let mut folders = vec![data.folder.clone()];
        folders.extend(socket.map(Path::to_owned));
        folders.push(self.gateway.journal.folder.clone());
        folders.push(self.gateway.accounting.folder.clone());
        if self.gateway.history.days > 0 {
            folders.push(self.gateway.history.folder.clone());
        }
        folders.dedup();
        folders
    }

    /// The certificate and key files of the TLS servers whose doors are open, authorities included.
    #[must_use]
    pub fn server_files(&self) -> Vec<PathBuf> {
        let listen = &self.gateway.listen;
        let eap = listen.is_open_to_eap().then_some(&self.gateway.eap.tls.key);
        let mail = listen.is_open_to_mail().then_some(&self.gateway.mail.key);
        let radsec = listen.is_open_to_radsec();
        let radsec = radsec.then_some(&self.gateway.radsec.key);
        let mut files = self.certificate_files();
        files.extend(eap.into_iter().chain(mail).chain(radsec).cloned());
        files
    }

    /// Every certificate file that the configuration names for a door that is open.
    #[must_use]
    pub fn certificate_files(&self) -> Vec<PathBuf> {
        let listen = &self.gateway.listen;
        let (eap, mail) = (&self.gateway.eap, &self.gateway.mail);
        let mut files = Vec::new();
        if listen.is_open_to_eap() {
            files.push(eap.tls.certificate.clone());
            files.extend(eap.client_ca.clone());
        }
        if listen.is_open_to_radsec() {
            files.push(self.gateway.radsec.certificate.clone());
            files.extend(self.gateway.radsec.client_ca.clone());
        }
        if listen.is_open_to_mail() {
            files.push(mail.certificate.clone());
            files.extend(mail.client_ca.clone());
            files.extend(mail.upstream_ca.clone());
        }
        files
    }

    /// How long before its end a certificate is warned about.
    #[must_use]
    pub fn warn_before(&self) -> Duration {
        self.gateway.certificates.warn_before
    }

    /// What is wrong so far.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}
