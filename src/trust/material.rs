//! What a verifier is made of, and how it is read.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::TrustAnchor;
use webpki::EndEntityCert;

use super::chain::Facts;
use super::chain::Issuer;
use super::error::Unusable;
use super::list::RevocationList;
use super::list::signed_by_one;
use super::watch::Watch;
use crate::model::Fingerprint;

/// What a verifier is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Material<'m> {
    /// The roots that certificates must lead to.
    pub roots: &'m [CertificateDer<'static>],
    /// Authorities below them that are known beforehand: a list by one of them is found to be
    /// signed by it now and not in the first handshake. They are not trusted for being here.
    pub known: &'m [CertificateDer<'static>],
    /// Revocation lists of the roots and of authorities below them.
    pub revocation_lists: &'m [CertificateRevocationListDer<'static>],
    /// Where each of them comes from, for people; may be shorter.
    pub list_sources: &'m [String],
    /// Whether a certificate that no list covers, or only one that is out of date, is refused.
    pub demand_revocation: bool,
    /// How revocation is kept up to date; `None`: by reading everything anew only.
    pub upkeep: Option<&'m Upkeep>,
    /// Whether the keys of holders must be strong enough for the 192-bit mode; the provider's
    /// signatures have to be [`SIGNATURES_192`](super::SIGNATURES_192) then.
    pub strong: bool,
    /// Verified chains to remember, about 1 KiB each.
    pub remembered: usize,
}

/// How revocation is kept up to date while the gateway runs.
#[derive(Clone, Debug)]
pub struct Upkeep {
    /// Where fetched lists and statuses come from.
    pub watch: Arc<Watch>,
    /// Whether a certificate that only lists out of date cover is refused.
    pub demand_current: bool,
    /// How long after its nextUpdate a list still counts as current.
    pub grace: Duration,
    /// Whether lists are fetched from the distribution points that certificates name.
    pub follow_points: bool,
    /// Whether responders are asked (OCSP); `None`: they are not.
    pub online: Option<OnlineCheck>,
}

/// How OCSP responders are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnlineCheck {
    /// What becomes of a certificate of which no responder says how it stands.
    pub fail: Fail,
    /// Whether there is a responder for certificates that name none.
    pub has_responder: bool,
}

/// What becomes of those of whom nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// They pass.
    Soft,
    /// They do not.
    Hard,
}

/// Names a set of roots, whatever their order.
pub(super) fn trust(roots: &[CertificateDer<'_>], strong: bool) -> Fingerprint {
    let mut each: Vec<[u8; 32]> = roots
        .iter()
        .map(|root| Fingerprint::of(root).octets())
        .collect();
    each.sort_unstable();
    each.dedup();
    if strong {
        // What was verified with less is nothing here, a session that is resumed for example.
        each.push([192; 32]);
    }
    Fingerprint::of(each.as_flattened())
}

/// Lists that were read, and the places and issuers of those that wait for their issuer.
pub(super) type Lists = (Vec<RevocationList>, Vec<(usize, String)>);

/// Reads the lists and verifies those whose issuer is known.
pub(super) fn read_lists(
    material: &Material<'_>,
    anchors: &[Arc<Issuer>],
    algorithms: WebPkiSupportedAlgorithms,
) -> Result<Lists, Unusable> {
    let known: Vec<_> = material.known.iter().filter_map(issuer).collect();
    let (mut lists, mut waiting) = (Vec::new(), Vec::new());
    for (position, der) in (1..).zip(material.revocation_lists) {
        let source = material.list_sources.get(position - 1);
        let source = source.map_or("the configuration", String::as_str);
        let list = RevocationList::read(der, source)
            .map_err(|source| Unusable::List { position, source })?;
        match signed_by_one(&list, anchors, &algorithms) {
            Some(true) => {}
            // A root may have handed its name to an authority that is known.
            Some(false) if signed_by_one(&list, &known, &algorithms) != Some(true) => {
                let issuer = list.issuer_name().to_owned();
                return Err(Unusable::Signature { position, issuer });
            }
            Some(false) => {}
            None => {
                if signed_by_one(&list, &known, &algorithms) != Some(true) {
                    waiting.push((position, list.issuer_name().to_owned()));
                }
            }
        }
        lists.push(list);
    }
    Ok((lists, waiting))
}

/// A root as an issuer. webpki has taken the outer tag and length off its key.
pub(super) fn anchor(root: &TrustAnchor<'_>) -> Arc<Issuer> {
    Arc::new(Issuer {
        name: root.subject.as_ref().into(),
        key: sequence(&root.subject_public_key_info),
        lists: true,
    })
}

/// The authority of a certificate.
fn issuer(certificate: &CertificateDer<'_>) -> Option<Arc<Issuer>> {
    let facts = Facts::of_authority(certificate)?;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    Some(Arc::new(Issuer {
        name: certificate.subject().into(),
        key: certificate.subject_public_key_info().as_ref().into(),
        lists: facts.usages.lists,
    }))
}

/// Puts the tag and length of a SEQUENCE before its contents.
pub(super) fn sequence(contents: &[u8]) -> Box<[u8]> {
    const SEQUENCE: u8 = 0x30;
    const LONG_FORM: u8 = 0x80;
    let length = contents.len();
    let octets = length.to_be_bytes();
    let significant = octets.iter().skip_while(|octet| **octet == 0);
    let mut der = vec![SEQUENCE];
    match u8::try_from(length) {
        Ok(short) if short < LONG_FORM => der.push(short),
        _ => {
            let count = u8::try_from(significant.clone().count()).unwrap_or(u8::MAX);
            der.push(LONG_FORM | count);
            der.extend(significant);
        }
    }
    der.extend_from_slice(contents);
    der.into()
}
