//! What a handshake needs of a chain that was verified, read once from its certificates.

use std::sync::Arc;

use rustls::pki_types::UnixTime;
use x509_parser::extensions::DistributionPointName;
use x509_parser::extensions::GeneralName;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_OCSP;
use x509_parser::oid_registry::OID_X509_EXT_CRL_DISTRIBUTION_POINTS;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use super::key_usage::KeyUsages;
use super::memory::Key;
use super::ocsp::Question;
use crate::model::CertificateError;
use crate::model::CertificateId;
use crate::model::CertificateIdentity;

/// A chain that has been verified: the holder's certificate and the facts about it and its
/// issuers that may change their meaning as time passes and lists are replaced.
#[derive(Debug)]
pub struct Chain {
    certificate: Arc<CertificateIdentity>,
    /// From the holder's certificate to the one that a root has issued.
    links: Box<[Link]>,
    /// What it is remembered by; `None` if it is not to be.
    key: Option<Key>,
    /// What an OCSP responder is asked about the holder.
    question: Option<Arc<Question>>,
}

impl Chain {
    pub(super) fn new(
        certificate: CertificateIdentity,
        links: Vec<Link>,
        key: Option<Key>,
        question: Option<Arc<Question>>,
    ) -> Self {
        Self {
            certificate: Arc::new(certificate),
            links: links.into(),
            key,
            question,
        }
    }

    /// A chain of which nothing but the names is known.
    #[cfg(test)]
    pub(crate) fn of_names(certificate: Arc<CertificateIdentity>) -> Self {
        Self {
            certificate,
            links: Box::default(),
            key: None,
            question: None,
        }
    }

    /// The names of the holder.
    #[must_use]
    pub const fn certificate(&self) -> &Arc<CertificateIdentity> {
        &self.certificate
    }

    pub(super) const fn key(&self) -> Option<Key> {
        self.key
    }

    /// What an OCSP responder is asked about the holder's certificate; `None` where nobody asks.
    #[must_use]
    pub const fn question(&self) -> Option<&Arc<Question>> {
        self.question.as_ref()
    }

    pub(super) const fn links(&self) -> &[Link] {
        &self.links
    }
}

/// One certificate of a path and who has issued it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) facts: Facts,
    pub(super) issuer: Arc<Issuer>,
}

impl Link {
    /// Validity and purpose, which were good when the chain was verified (RFC 5280 sections
    /// 4.1.2.5 and 4.2.1.12).
    pub(super) fn check(&self, now: UnixTime) -> Result<(), webpki::Error> {
        let Facts {
            not_before,
            not_after,
            for_clients,
            ..
        } = self.facts;
        if now < not_before {
            return Err(webpki::Error::CertNotValidYet {
                time: now,
                not_before,
            });
        }
        if now > not_after {
            return Err(webpki::Error::CertExpired {
                time: now,
                not_after,
            });
        }
        if for_clients {
            Ok(())
        } else {
            let required = webpki::KeyUsage::client_auth();
            let present = Vec::new();
            Err(webpki::Error::RequiredEkuNotFoundContext(
                webpki::RequiredEkuNotFoundContext { required, present },
            ))
        }
    }
}

/// Whoever has issued a certificate of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Issuer {
    /// DER of its name, without the outer tag and length.
    pub(super) name: Box<[u8]>,
    /// DER of its SubjectPublicKeyInfo.
    pub(super) key: Box<[u8]>,
    /// Whether its key usage lets it sign revocation lists. Of roots that is not asked.
    pub(super) lists: bool,
}

/// What is read of one certificate.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: CertificateId,
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    /// No purposes are stated, or clientAuth is among them.
    pub(super) for_clients: bool,
    pub(super) usages: KeyUsages,
    pub(super) role: Role,
    pub(super) points: Points,
}

/// Where a certificate stands in its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Holder,
    Authority,
}

/// Where a certificate says that lists about it are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Points {
    /// It says nothing.
    Unstated,
    /// The URIs of complete lists by its own issuer; empty if none of its points is one.
    Stated(Box<[Box<str>]>),
}

impl Facts {
    /// Reads the holder's certificate, its names too.
    pub(super) fn of_holder(der: &[u8]) -> Result<(CertificateIdentity, Self), CertificateError> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|_| CertificateError::NotX509)?;
        let identity = CertificateIdentity::of(der, &certificate)?;
        let facts = Self::read(&certificate, identity.id, Role::Holder);
        Ok((identity, facts))
    }

    /// Reads the certificate of an authority below a root; `None` if it cannot be read.
    pub(super) fn of_authority(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let id = CertificateId::new(certificate.issuer().as_raw(), certificate.raw_serial());
        Some(Self::read(&certificate, id, Role::Authority))
    }

    fn read(certificate: &X509Certificate<'_>, id: CertificateId, role: Role) -> Self {
        let validity = certificate.validity();
        let for_clients = match certificate.extended_key_usage() {
            Ok(stated) => stated.is_none_or(|stated| stated.value.client_auth),
            Err(_) => false,
        };
        Self {
            id,
            not_before: unix_time(validity.not_before.timestamp()),
            not_after: unix_time(validity.not_after.timestamp()),
            for_clients,
            usages: KeyUsages::of(certificate),
            role,
            points: points(certificate),
        }
    }
}

pub(super) fn unix_time(seconds: i64) -> UnixTime {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
}

/// What is asked about a certificate: contents of its serial number, and the address of the responder
/// that it names (RFC 5280 section 4.2.2.1), the first that is `http`.
pub(super) struct Asked {
    pub(super) serial: Box<[u8]>,
    pub(super) responder: Option<Box<str>>,
}

impl Asked {
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut extensions = certificate.extensions().iter();
        let access = extensions.find_map(|extension| {
            let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
                return None;
            };
            Some(access)
        });
        let descriptions = access.map_or(&[][..], |access| access.accessdescs.as_slice());
        let responder = descriptions.iter().find_map(|one| {
            let GeneralName::URI(uri) = &one.access_location else {
                return None;
            };
            let usable =
                one.access_method == OID_PKIX_ACCESS_DESCRIPTOR_OCSP && uri.starts_with("http://");
            usable.then(|| (*uri).into())
        });
        Some(Self {
            serial: certificate.raw_serial().into(),
            responder,
        })
    }
}

/// The URIs of the points that are neither another issuer's nor for some reasons only (RFC 5280
/// section 4.2.1.13).
fn points(certificate: &X509Certificate<'_>) -> Points {
    let stated = certificate
        .iter_extensions()
        .find(|extension| extension.oid == OID_X509_EXT_CRL_DISTRIBUTION_POINTS);
    let Some(stated) = stated else {
        return Points::Unstated;
    };
    let ParsedExtension::CRLDistributionPoints(stated) = stated.parsed_extension() else {
        return Points::Stated(Box::default());
    };
    let complete = stated
        .points
        .iter()
        .filter(|point| point.crl_issuer.is_none() && point.reasons.is_none())
        .filter_map(|point| point.distribution_point.as_ref());
    Points::Stated(complete.flat_map(uris).map(Into::into).collect())
}

/// The URIs among the names of a distribution point.
pub(super) fn uris<'a>(name: &'a DistributionPointName<'_>) -> impl Iterator<Item = &'a str> {
    let names = match name {
        DistributionPointName::FullName(names) => names.as_slice(),
        DistributionPointName::NameRelativeToCRLIssuer(_) => &[],
    };
    names.iter().filter_map(|name| {
        let GeneralName::URI(uri) = name else {
            return None;
        };
        Some(*uri)
    })
}
