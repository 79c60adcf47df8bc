//! One revocation list: what it says, and whether its issuer has said it (RFC 5280 section 5).

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::UnixTime;
use webpki::BorrowedCertRevocationList;
use webpki::RawPublicKeyEntity;
use x509_parser::asn1_rs::Any;
use x509_parser::extensions::IssuingDistributionPoint;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_X509_EXT_ISSUER_DISTRIBUTION_POINT;
use x509_parser::prelude::CertificateRevocationList;
use x509_parser::prelude::FromDer;

use super::chain::Facts;
use super::chain::Issuer;
use super::chain::Points;
use super::chain::Role;
use super::chain::unix_time;
use super::chain::uris;
use crate::model::CertificateId;
use crate::model::Timestamp;

/// One list: what it revokes, and what is needed to believe it.
pub struct RevocationList {
    /// Where it comes from, for people: a file or a URL.
    source: Box<str>,
    /// DER of the issuer's name, without the outer tag and length.
    issuer: Box<[u8]>,
    issuer_text: Box<str>,
    pub(super) scope: Scope,
    /// What tells which of two lists of one scope is the newer: thisUpdate and cRLNumber.
    pub(super) age: (UnixTime, Box<[u8]>),
    pub(super) next_update: UnixTime,
    pub(super) revoked: HashSet<CertificateId>,
    /// The key that has signed it, once it is known.
    signer: OnceLock<Box<[u8]>>,
    /// Keys of its issuer's name that have not.
    strangers: Mutex<Vec<Box<[u8]>>>,
    signed: Signed,
}

/// Why a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// RFC 5280 section 5.2.4.
    #[error("is a delta list, which tells only what has changed: name the complete list")]
    Delta,
    /// RFC 5280 section 5.2.5, indirectCRL.
    #[error(
        "is an indirect list, which tells of other issuers' certificates: name each issuer's own"
    )]
    Indirect,
    /// RFC 5280 section 5.2.5, onlySomeReasons.
    #[error("tells of some reasons only: name a list for all reasons")]
    SomeReasons,
    /// RFC 5280 section 5.1.2.5 demands it.
    #[error("does not say when the next one comes (nextUpdate)")]
    NoNextUpdate,
    /// Not a list of version 2, or with critical extensions that nobody knows.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl RevocationList {
    /// Reads a list whole; `source` names where it comes from, for people.
    ///
    /// # Errors
    ///
    /// What it is that is not supported, or cannot be read.
    pub fn read(der: &[u8], source: &str) -> Result<Self, ListError> {
        let unreadable = |why: &str| ListError::Unreadable(why.to_owned());
        let (_, list) = CertificateRevocationList::from_der(der)
            .map_err(|_| unreadable("it is no X.509 revocation list in DER"))?;
        let next_update = list.next_update().ok_or(ListError::NoNextUpdate)?;
        // webpki knows every rule about versions and critical extensions.
        match BorrowedCertRevocationList::from_der(der) {
            Ok(_) => {}
            Err(webpki::Error::UnsupportedDeltaCrl) => return Err(ListError::Delta),
            Err(webpki::Error::UnsupportedIndirectCrl) => return Err(ListError::Indirect),
            Err(webpki::Error::UnsupportedRevocationReasonsPartitioning) => {
                return Err(ListError::SomeReasons);
            }
            Err(other) => return Err(ListError::Unreadable(other.to_string())),
        }
        let issuer = list.issuer().as_raw();
        let entries = list.iter_revoked_certificates();
        let scope = Scope::read(&list)
            .ok_or_else(|| unreadable("its issuing distribution point cannot be read"))?;
        let number = list.crl_number().map(|number| number.to_bytes_be());
        Ok(Self {
            source: source.into(),
            issuer: contents(issuer)
                .ok_or_else(|| unreadable("its issuer cannot be read"))?
                .into(),
            issuer_text: list.issuer().to_string().into(),
            scope,
            age: (
                unix_time(list.last_update().timestamp()),
                padded(&number.unwrap_or_default()),
            ),
            next_update: unix_time(next_update.timestamp()),
            revoked: entries
                .map(|entry| CertificateId::new(issuer, entry.raw_serial()))
                .collect(),
            signer: OnceLock::new(),
            strangers: Mutex::default(),
            signed: Signed::read(der).ok_or_else(|| unreadable("its signature cannot be read"))?,
        })
    }

    /// Where it comes from.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its issuer's name, for people.
    #[must_use]
    pub fn issuer_name(&self) -> &str {
        &self.issuer_text
    }

    /// When the issuer promises a newer one.
    #[must_use]
    pub fn next_update(&self) -> Timestamp {
        timestamp(self.next_update)
    }

    /// When it was issued.
    #[must_use]
    pub fn this_update(&self) -> Timestamp {
        timestamp(self.age.0)
    }

    /// How many certificates it revokes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether it revokes none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// Whether it is older than another one of the same place.
    #[must_use]
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        self.age < other.age
    }

    /// Whether its issuer is known to have signed it, and it revokes this certificate.
    pub(super) fn surely_revokes(&self, id: &CertificateId) -> bool {
        self.signer.get().is_some() && self.revoked.contains(id)
    }

    /// DER of the issuer's name, without the outer tag and length.
    pub(super) const fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// Whether this key has signed it. The signature is verified once.
    pub(super) fn is_signed_by(&self, key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
        if let Some(signer) = self.signer.get() {
            return **signer == *key;
        }
        if self.strangers().iter().any(|stranger| **stranger == *key) {
            return false;
        }
        if self.signed.is_signed_by(key, algorithms) {
            return **self.signer.get_or_init(|| key.into()) == *key;
        }
        let mut strangers = self.strangers();
        if strangers.len() < MAX_STRANGERS {
            strangers.push(key.into());
        }
        false
    }

    fn strangers(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose it is and how much there is.
impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("source", &self.source)
            .field("issuer", &self.issuer_text)
            .field("revoked", &self.revoked.len())
            .finish_non_exhaustive()
    }
}

/// Of what certificates a list tells (RFC 5280 section 5.2.5). By default of all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scope {
    holders_only: bool,
    authorities_only: bool,
    /// The distribution point that it is of, by its URIs; `None` if it is of all.
    point: Option<Box<[Box<str>]>>,
}

impl Scope {
    /// `None` if the list says it in a way that cannot be read.
    fn read(list: &CertificateRevocationList<'_>) -> Option<Self> {
        let stated = list
            .extensions()
            .iter()
            .find(|extension| extension.oid == OID_X509_EXT_ISSUER_DISTRIBUTION_POINT);
        let Some(stated) = stated else {
            return Some(Self::default());
        };
        let ParsedExtension::IssuingDistributionPoint(point) = stated.parsed_extension() else {
            return None;
        };
        Some(Self::of(point))
    }

    fn of(point: &IssuingDistributionPoint<'_>) -> Self {
        let name = point.distribution_point.as_ref();
        Self {
            holders_only: point.only_contains_user_certs,
            authorities_only: point.only_contains_ca_certs,
            point: name.map(|name| uris(name).map(Into::into).collect()),
        }
    }

    pub(super) fn covers(&self, certificate: &Facts) -> bool {
        let excluded = match certificate.role {
            Role::Holder => self.authorities_only,
            Role::Authority => self.holders_only,
        };
        let in_point = match (&self.point, &certificate.points) {
            (None, _) | (Some(_), Points::Unstated) => true,
            (Some(point), Points::Stated(stated)) => stated.iter().any(|uri| point.contains(uri)),
        };
        !excluded && in_point
    }
}

/// The parts of a list that its signature is about.
#[derive(Debug)]
pub(super) struct Signed {
    list: Box<[u8]>,
    /// DER of the AlgorithmIdentifier, without the outer tag and length.
    algorithm: Box<[u8]>,
    signature: Box<[u8]>,
}

impl Signed {
    /// `CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }`
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let all = contents(der)?;
        let (after_list, _) = Any::from_der(all).ok()?;
        let (list, _) = all.split_at_checked(all.len().checked_sub(after_list.len())?)?;
        let (after_algorithm, algorithm) = Any::from_der(after_list).ok()?;
        let signature = contents(after_algorithm)?;
        let [0, signature @ ..] = signature else {
            return None; // A signature has no unused bits.
        };
        Some(Self {
            list: list.into(),
            algorithm: algorithm.data.into(),
            signature: signature.into(),
        })
    }

    pub(super) fn is_signed_by(&self, key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
        let key = SubjectPublicKeyInfoDer::from(key);
        let Ok(key) = RawPublicKeyEntity::try_from(&key) else {
            return false;
        };
        algorithms
            .all
            .iter()
            .filter(|known| *known.signature_alg_id() == *self.algorithm)
            .any(|known| {
                key.verify_signature(*known, &self.list, &self.signature)
                    .is_ok()
            })
    }
}

/// Whether one of these issuers bears the list's name, and whether one of those has signed it.
pub(super) fn signed_by_one(
    list: &RevocationList,
    issuers: impl IntoIterator<Item = impl AsRef<Issuer>>,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Option<bool> {
    let mut named = false;
    for issuer in issuers {
        let issuer = issuer.as_ref();
        if *issuer.name == *list.issuer() {
            named = true;
            if list.is_signed_by(&issuer.key, algorithms) {
                return Some(true);
            }
        }
    }
    named.then_some(false)
}

/// What a DER value holds.
pub(super) fn contents(der: &[u8]) -> Option<&[u8]> {
    Any::from_der(der).ok().map(|(_, value)| value.data)
}

fn timestamp(at: UnixTime) -> Timestamp {
    Timestamp::from_unix_seconds(i64::try_from(at.as_secs()).unwrap_or(i64::MAX))
}

/// A number of at most 20 octets (RFC 5280 section 5.2.3), so that octets compare as numbers do.
fn padded(number: &[u8]) -> Box<[u8]> {
    let mut octets = vec![0; NUMBER.saturating_sub(number.len())];
    octets.extend_from_slice(number);
    octets.into()
}

/// Octets of a cRLNumber.
const NUMBER: usize = 20;

/// Keys of one name that have not signed a list. Each is of an authority below a root of ours, and
/// an authority changes its key once in years. Beyond them a signature is verified each time.
const MAX_STRANGERS: usize = 8;
