//! From the files of `[eap]` and `[radsec]` to what the rooms are built from.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::CertificateRevocationList;
use x509_parser::prelude::FromDer;

use super::certificate::FileError;
use super::certificate::MAX_PEM;
use super::certificate::inspect;
use super::proxy::HomeTls;
use super::settings::Eap;
use super::settings::Radsec;
use super::text::read_octets;
use super::tls_policy::TlsPolicy;
use super::tls_policy::TlsProfile;
use crate::eap::Resumption;
use crate::eap::Settings;
use crate::eap::TunnelSettings;
use crate::model::Timestamp;

impl Eap {
    /// Reads certificate, key, authorities and revocation lists.
    ///
    /// `resumption` is the store to use unless resumption is switched off; it outlives a reload.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn settings(&self, resumption: &Arc<Resumption>) -> Result<Settings, MaterialError> {
        self.settings_of(&self.tls, resumption)
    }

    /// The same for a group of NASes.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn settings_of(
        &self,
        tls: &TlsPolicy,
        resumption: &Arc<Resumption>,
    ) -> Result<Settings, MaterialError> {
        let chain = certificates(&tls.certificate)?;
        let key = private_key(&tls.key).map_err(MaterialError::at(&tls.key))?;
        let mut roots = Vec::new();
        for path in &self.client_ca {
            roots.extend(certificates(path)?);
        }
        let mut settings = Settings::new(chain, key, roots);
        for path in &self.revocation_lists {
            let lists = revocation_lists(path).map_err(MaterialError::at(path))?;
            let sources = lists.iter().map(|_| path.display().to_string());
            settings.list_sources.extend(sources);
            settings.revocation_lists.extend(lists);
        }
        settings.demand_revocation = self.demand_revocation;
        settings.remembered_chains = self.remembered_chains;
        settings.lowest = tls.tls_min;
        settings.highest = tls.tls_max;
        settings.strong = tls.profile == TlsProfile::SuiteB192;
        settings.tickets = self.tickets;
        settings.resumption = (self.tickets > 0).then(|| Arc::clone(resumption));
        settings.max_rounds = self.max_rounds;
        settings.tunnel = TunnelSettings {
            lowest: tls.tunnel_tls_min,
            highest: tls.tunnel_tls_max,
            ..self.tunnel
        };
        settings.teap = self.teap.clone();
        Ok(settings)
    }

    /// An empty store of resumable sessions of the configured size.
    #[must_use]
    pub fn resumption(&self) -> Arc<Resumption> {
        let (entries, lifetime) = (self.resumption_capacity, self.resumption_lifetime);
        Arc::new(Resumption::new(entries, lifetime))
    }
}

/// What `[radsec]` names, read.
#[derive(Debug)]
pub struct RadsecFiles {
    /// The server's certificate and its intermediates.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
    /// The authorities of NASes.
    pub roots: Vec<CertificateDer<'static>>,
    /// Their revocation lists.
    pub revocation_lists: Vec<CertificateRevocationListDer<'static>>,
}

impl Radsec {
    /// Reads certificate, key, authorities and revocation lists.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn files(&self) -> Result<RadsecFiles, MaterialError> {
        let mut files = RadsecFiles {
            chain: certificates(&self.certificate)?,
            key: private_key(&self.key).map_err(MaterialError::at(&self.key))?,
            roots: Vec::new(),
            revocation_lists: Vec::new(),
        };
        for path in &self.client_ca {
            files.roots.extend(certificates(path)?);
        }
        for path in &self.revocation_lists {
            let lists = revocation_lists(path).map_err(MaterialError::at(path))?;
            files.revocation_lists.extend(lists);
        }
        Ok(files)
    }
}

impl HomeTls {
    /// Reads what connections to a home server are made with; certificate and key are those of
    /// `[radsec]` unless it has its own.
    ///
    /// # Errors
    ///
    /// The first file that cannot be used.
    pub fn files(&self, radsec: &Radsec) -> Result<RadsecFiles, MaterialError> {
        let files = Radsec {
            certificate: self
                .certificate
                .as_ref()
                .unwrap_or(&radsec.certificate)
                .clone(),
            key: self.key.as_ref().unwrap_or(&radsec.key).clone(),
            client_ca: self.ca.clone(),
            revocation_lists: self.revocation_lists.clone(),
            ..Radsec::default()
        };
        files.files()
    }
}

/// A file of a RADIUS server that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{} {source}", path.display())]
pub struct MaterialError {
    /// Which file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub source: FileError,
}

impl MaterialError {
    fn at(path: &Path) -> impl FnOnce(FileError) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let found = inspect(path).map_err(MaterialError::at(path))?;
    Ok(found.into_iter().map(|one| one.der).collect())
}

/// The first private key of a PEM file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, FileError> {
    let octets = zeroize::Zeroizing::new(read_octets(path, MAX_PEM)?);
    PrivateKeyDer::from_pem_slice(&octets).map_err(|_| FileError::NoKey)
}

/// The revocation lists of a PEM file, each of which can be parsed.
pub(super) fn revocation_lists(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let octets = read_octets(path, MAX_PEM)?;
    let mut lists = Vec::new();
    for list in CertificateRevocationListDer::pem_slice_iter(&octets) {
        let list = list.map_err(|_| FileError::Pem)?;
        next_update(&list)?;
        lists.push(list);
    }
    if lists.is_empty() {
        return Err(FileError::NoRevocationList);
    }
    Ok(lists)
}

/// When the issuer promised a newer list, if it did.
pub(super) fn next_update(
    list: &CertificateRevocationListDer<'_>,
) -> Result<Option<Timestamp>, FileError> {
    let (_, list) =
        CertificateRevocationList::from_der(list).map_err(|_| FileError::NoRevocationList)?;
    let next = list.next_update();
    Ok(next.map(|next| Timestamp::from_unix_seconds(next.timestamp())))
}
