//! Chains of client certificates against roots and revocation lists, in virtual time.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

mod chains;
mod fetched;
mod lists;
mod memory;
mod online;
mod responder;

#[path = "../support/pki.rs"]
mod pki;

use std::sync::Arc;
use std::time::Duration;

use portreeve::trust::Chain;
use portreeve::trust::KeyMisused;
use portreeve::trust::Material;
use portreeve::trust::Unusable;
use portreeve::trust::Verifier;
use rustls::CertRevocationListError;
use rustls::CertificateError;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::UnixTime;

use pki::Holder;
use pki::TODAY;

/// What a handshake would be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Good,
    Revoked,
    Unknown,
    Outdated,
    Forged,
    NotForLists,
    Expired,
    Misused(KeyMisused),
}

fn build(material: Material<'_>) -> Result<Verifier, Unusable> {
    Verifier::build(material, &Arc::new(default_provider()))
}

fn verify(verifier: &Verifier, holder: &Holder, days: u64) -> Result<Arc<Chain>, Told> {
    let (leaf, others) = holder.chain.split_first().unwrap();
    verifier.verify(leaf, others, after(days)).map_err(told)
}

fn verify_again(verifier: &Verifier, chain: &Chain, days: u64) -> Told {
    match verifier.verify_again(chain, after(days)) {
        Ok(()) => Told::Good,
        Err(error) => told(error),
    }
}

fn seen(verifier: &Verifier, holder: &Holder, days: u64) -> Told {
    verify(verifier, holder, days).err().unwrap_or(Told::Good)
}

/// So many days after [`TODAY`].
fn after(days: u64) -> UnixTime {
    let seconds = u64::try_from(TODAY).unwrap() + days * 24 * 3600;
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn told(error: rustls::Error) -> Told {
    match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Revoked => Told::Revoked,
            CertificateError::UnknownRevocationStatus => Told::Unknown,
            CertificateError::ExpiredRevocationListContext { .. } => Told::Outdated,
            CertificateError::ExpiredContext { .. } => Told::Expired,
            CertificateError::Other(error) => Told::Misused(*error.0.downcast_ref().unwrap()),
            other => panic!("{other:?}"),
        },
        rustls::Error::InvalidCertRevocationList(error) => match error {
            CertRevocationListError::BadSignature => Told::Forged,
            CertRevocationListError::IssuerInvalidForCrl => Told::NotForLists,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}
