//! Revocation lists as sets (RFC 5280 sections 5 and 6.3).
//!
//! A list is bound to the key that signed it: it says something of a certificate if it bears its
//! issuer's name, covers it, and is signed by the issuer that stands in the certificate's path.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::UnixTime;
use webpki::RawPublicKeyEntity;
use x509_parser::asn1_rs::Any;
use x509_parser::extensions::IssuingDistributionPoint;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::OID_X509_EXT_ISSUER_DISTRIBUTION_POINT;
use x509_parser::prelude::CertificateRevocationList;
use x509_parser::prelude::FromDer;

use super::chain::Facts;
use super::chain::Issuer;
use super::chain::Link;
use super::chain::Points;
use super::chain::Role;
use super::chain::unix_time;
use super::chain::uris;
use crate::model::CertificateId;

/// All lists, found by the issuer's name.
#[derive(Debug)]
pub(super) struct Revocation {
    /// Those of one scope with the newest first, of which only the first counts.
    lists: HashMap<Box<[u8]>, Vec<List>>,
    /// Whether a certificate that no current list covers is refused.
    demanded: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Revocation {
    pub(super) fn new(
        lists: Vec<List>,
        demanded: bool,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        let mut by_issuer: HashMap<Box<[u8]>, Vec<List>> = HashMap::new();
        for list in lists {
            by_issuer.entry(list.issuer.clone()).or_default().push(list);
        }
        for lists in by_issuer.values_mut() {
            lists.sort_by(|one, other| other.age.cmp(&one.age));
        }
        Self {
            lists: by_issuer,
            demanded,
            algorithms,
        }
    }

    /// Whether the certificate is good as far as lists tell.
    ///
    /// A list in its issuer's name that its issuer has not signed tells nothing, and then nobody
    /// knows what the right one would say: that refuses the certificate even where no list is
    /// demanded.
    pub(super) fn check(&self, link: &Link, now: UnixTime) -> Result<(), webpki::Error> {
        let issuer = &*link.issuer;
        let lists = self.lists.get(&issuer.name).map_or(&[][..], Vec::as_slice);
        let mut told: Vec<&Scope> = Vec::new();
        let (mut forged, mut outdated) = (false, None);
        let mut current = false;
        for list in lists.iter().filter(|list| list.scope.covers(&link.facts)) {
            if !list.is_signed_by(&issuer.key, &self.algorithms) {
                forged = true;
                continue;
            }
            if !issuer.lists {
                return Err(webpki::Error::IssuerNotCrlSigner);
            }
            if told.contains(&&list.scope) {
                continue;
            }
            if list.revoked.contains(&link.facts.id) {
                return Err(webpki::Error::CertRevoked);
            }
            if now < list.next_update {
                current = true;
            } else {
                outdated = Some(list.next_update);
            }
            told.push(&list.scope);
        }
        match (outdated, forged) {
            _ if current => Ok(()),
            (Some(next_update), _) if self.demanded => Err(webpki::Error::CrlExpired {
                time: now,
                next_update,
            }),
            (Some(_), _) => Ok(()),
            (None, true) => Err(webpki::Error::InvalidCrlSignatureForPublicKey),
            (None, false) if self.demanded => Err(webpki::Error::UnknownRevocationStatus),
            (None, false) => Ok(()),
        }
    }
}

/// One list: what it revokes, and what is needed to believe it.
#[derive(Debug)]
pub(super) struct List {
    /// DER of the issuer's name, without the outer tag and length.
    issuer: Box<[u8]>,
    scope: Scope,
    /// What tells which of two lists of one scope is the newer: thisUpdate and cRLNumber.
    age: (UnixTime, Box<[u8]>),
    next_update: UnixTime,
    revoked: HashSet<CertificateId>,
    /// The key that has signed it, once it is known.
    signer: OnceLock<Box<[u8]>>,
    /// Keys of its issuer's name that have not.
    strangers: Mutex<Vec<Box<[u8]>>>,
    signed: Signed,
}

impl List {
    /// Reads a list that webpki can read too. `None` if it cannot be.
    pub(super) fn read(der: &CertificateRevocationListDer<'_>) -> Option<Self> {
        let (_, list) = CertificateRevocationList::from_der(der).ok()?;
        let issuer = list.issuer().as_raw();
        let entries = list.iter_revoked_certificates();
        let scope = Scope::read(&list)?;
        let number = list.crl_number().map(|number| number.to_bytes_be());
        Some(Self {
            issuer: contents(issuer)?.into(),
            scope,
            age: (
                unix_time(list.last_update().timestamp()),
                padded(&number.unwrap_or_default()),
            ),
            next_update: unix_time(list.next_update()?.timestamp()),
            revoked: entries
                .map(|entry| CertificateId::new(issuer, entry.raw_serial()))
                .collect(),
            signer: OnceLock::new(),
            strangers: Mutex::default(),
            signed: Signed::read(der)?,
        })
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

/// Of what certificates a list tells (RFC 5280 section 5.2.5). By default of all.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scope {
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

    fn covers(&self, certificate: &Facts) -> bool {
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
struct Signed {
    list: Box<[u8]>,
    /// DER of the AlgorithmIdentifier, without the outer tag and length.
    algorithm: Box<[u8]>,
    signature: Box<[u8]>,
}

impl Signed {
    /// `CertificateList ::= SEQUENCE { tbsCertList, signatureAlgorithm, signatureValue }`
    fn read(der: &[u8]) -> Option<Self> {
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

    fn is_signed_by(&self, key: &[u8], algorithms: &WebPkiSupportedAlgorithms) -> bool {
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
    list: &List,
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
fn contents(der: &[u8]) -> Option<&[u8]> {
    Any::from_der(der).ok().map(|(_, value)| value.data)
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
