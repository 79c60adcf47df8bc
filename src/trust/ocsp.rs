//! OCSP (RFC 6960): what a responder is asked, and whether its answer may be believed.
//!
//! Octets in, octets out: an answer counts if it is signed by the issuer of the certificate, or by
//! whoever the issuer has named for it by the purpose OCSPSigning (section 4.2.2.2), is about this
//! certificate, and is of now (section 4.2.2.1).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::TrustAnchor;
use rustls::pki_types::UnixTime;
use webpki::EndEntityCert;
use webpki::KeyUsage;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::Encode;
use x509_cert::der::asn1::Null;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::asn1::OctetString;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::ext::Extension;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::BasicOcspResponse;
use x509_ocsp::CertId;
use x509_ocsp::CertStatus;
use x509_ocsp::OcspGeneralizedTime;
use x509_ocsp::OcspRequest;
use x509_ocsp::OcspResponse;
use x509_ocsp::OcspResponseStatus;
use x509_ocsp::Request;
use x509_ocsp::SingleResponse;
use x509_ocsp::TbsRequest;
use x509_parser::asn1_rs::Any;
use x509_parser::prelude::FromDer;

use super::chain::Issuer;
use super::list::Signed;
use super::list::contents;
use super::material::sequence;
use super::status::Told;
use crate::model::CertificateId;

/// About which certificate a responder is asked.
#[derive(PartialEq, Eq)]
pub struct Question {
    pub(super) id: CertificateId,
    pub(super) issuer: Arc<Issuer>,
    /// Contents of its serial number, as they stand in the certificate.
    pub(super) serial: Box<[u8]>,
    /// The address that the certificate names (id-ad-ocsp, RFC 5280 section 4.2.2.1).
    pub(super) responder: Option<Box<str>>,
}

/// An answer that may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspAnswer {
    /// What it says; of an unknown certificate nothing.
    pub told: Told,
    /// Until when.
    pub until: UnixTime,
}

/// Why an answer is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OcspError {
    /// Not an OCSP response.
    #[error("it cannot be read")]
    Unreadable,
    /// The responder says that it has no answer (RFC 6960 section 4.2.1).
    #[error("the responder says {0}")]
    Status(&'static str),
    /// Of another kind than id-pkix-ocsp-basic.
    #[error("it is of an unknown type")]
    Type,
    /// Signed by somebody whom the issuer has not named, or by nobody.
    #[error(
        "its signature is neither the issuer's nor of a responder that the issuer has named for OCSP"
    )]
    Signature,
    /// About other certificates.
    #[error("it is about another certificate")]
    Other,
    /// An answer to another request.
    #[error("its nonce is that of another request")]
    Nonce,
    /// nextUpdate has passed, or without one thisUpdate is old.
    #[error("it is out of date")]
    Expired,
    /// thisUpdate lies ahead: a clock is wrong.
    #[error("it is of the future: compare the clocks of the responder and of this gateway")]
    Early,
}

impl Question {
    /// The address that the certificate names.
    #[must_use]
    pub fn responder(&self) -> Option<&str> {
        self.responder.as_deref()
    }

    /// The request for it (RFC 6960 section 4.1), with a nonce if there is one. `None` for a
    /// certificate whose issuer or serial number no request can name.
    #[must_use]
    pub fn request(&self, nonce: Option<&[u8]>) -> Option<Vec<u8>> {
        let nonce = nonce.map(|nonce| {
            Some(vec![Extension {
                extn_id: NONCE,
                critical: false,
                extn_value: octets(&octets(nonce)?.to_der().ok()?)?,
            }])
        });
        let request = OcspRequest {
            tbs_request: TbsRequest {
                request_list: vec![Request {
                    req_cert: self.certificate()?,
                    single_request_extensions: None,
                }],
                request_extensions: match nonce {
                    None => None,
                    Some(extensions) => Some(extensions?),
                },
                ..TbsRequest::default()
            },
            optional_signature: None,
        };
        request.to_der().ok()
    }

    /// Reads the answer to [`Question::request`] that came at `now`. It is believed for `longest` at
    /// most.
    ///
    /// # Errors
    ///
    /// Why it says nothing.
    pub fn answer(
        &self,
        response: &[u8],
        nonce: Option<&[u8]>,
        algorithms: &WebPkiSupportedAlgorithms,
        now: UnixTime,
        longest: Duration,
    ) -> Result<OcspAnswer, OcspError> {
        let response = OcspResponse::from_der(response).map_err(|_| OcspError::Unreadable)?;
        if response.response_status != OcspResponseStatus::Successful {
            return Err(OcspError::Status(status_name(response.response_status)));
        }
        let octets = response.response_bytes.ok_or(OcspError::Unreadable)?;
        if octets.response_type != BasicOcspResponse::OID {
            return Err(OcspError::Type);
        }
        let octets = octets.response.as_bytes();
        let basic = BasicOcspResponse::from_der(octets).map_err(|_| OcspError::Unreadable)?;
        let signed = Signed::read(octets).ok_or(OcspError::Unreadable)?;
        if !self.is_signed(&signed, &basic, algorithms, now) {
            return Err(OcspError::Signature);
        }
        let theirs = basic.nonce();
        if let (Some(ours), Some(theirs)) = (nonce, &theirs)
            && theirs.0.as_bytes() != ours
        {
            return Err(OcspError::Nonce);
        }
        let certificate = self.certificate().ok_or(OcspError::Other)?;
        let mut singles = basic.tbs_response_data.responses.iter();
        let single = singles
            .find(|single| is_same(&single.cert_id, &certificate))
            .ok_or(OcspError::Other)?;
        let until = end(single, now, longest)?;
        let told = match single.cert_status {
            CertStatus::Good(_) => Told::Good,
            CertStatus::Revoked(_) => Told::Revoked,
            CertStatus::Unknown(_) => Told::Nothing("the responder does not know it".into()),
        };
        Ok(OcspAnswer { told, until })
    }

    /// How requests name the certificate: by SHA-1, which every responder knows (RFC 5019 section
    /// 2.1.1) and which protects nothing here.
    fn certificate(&self) -> Option<CertId> {
        let sha1 = |octets: &[u8]| digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, octets);
        let key = key_bits(&self.issuer.key)?;
        Some(CertId {
            hash_algorithm: AlgorithmIdentifierOwned {
                oid: SHA1,
                parameters: Some(Null.into()),
            },
            issuer_name_hash: octets(sha1(&sequence(&self.issuer.name)).as_ref())?,
            issuer_key_hash: octets(sha1(key).as_ref())?,
            serial_number: SerialNumber::from_der(&integer(&self.serial)?).ok()?,
        })
    }

    /// Whether the issuer has signed, or somebody whom it has named for this.
    fn is_signed(
        &self,
        signed: &Signed,
        basic: &BasicOcspResponse,
        algorithms: &WebPkiSupportedAlgorithms,
        now: UnixTime,
    ) -> bool {
        if signed.is_signed_by(&self.issuer.key, algorithms) {
            return true;
        }
        let Some(key) = contents(&self.issuer.key) else {
            return false;
        };
        let issuer = [TrustAnchor {
            subject: self.issuer.name.as_ref().into(),
            subject_public_key_info: key.into(),
            name_constraints: None,
        }];
        let mut named = basic.certs.iter().flatten().take(MAX_CERTIFICATES);
        named.any(|certificate: &Certificate| {
            let Ok(der) = certificate.to_der() else {
                return false;
            };
            let der = CertificateDer::from(der);
            let Ok(one) = EndEntityCert::try_from(&der) else {
                return false;
            };
            let usage = KeyUsage::required(OCSP_SIGNING);
            one.verify_for_usage(algorithms.all, &issuer, &[], now, usage, None, None)
                .is_ok()
                && signed.is_signed_by(one.subject_public_key_info().as_ref(), algorithms)
        })
    }
}

/// Without the names: they are people's.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("responder", &self.responder)
            .finish_non_exhaustive()
    }
}

/// Until when a single answer counts (RFC 6960 section 4.2.2.1).
fn end(single: &SingleResponse, now: UnixTime, longest: Duration) -> Result<UnixTime, OcspError> {
    let now = Duration::from_secs(now.as_secs());
    let seconds = |time: &OcspGeneralizedTime| time.0.to_unix_duration();
    let this = seconds(&single.this_update);
    if this > now.saturating_add(SKEW) {
        return Err(OcspError::Early);
    }
    let next = match &single.next_update {
        Some(next) => seconds(next),
        None => this.saturating_add(WITHOUT_END),
    };
    if next.saturating_add(SKEW) <= now || next < this {
        return Err(OcspError::Expired);
    }
    // One that ends within the difference of clocks still says something, for a moment.
    let next = next.max(now.saturating_add(MOMENT));
    Ok(UnixTime::since_unix_epoch(
        next.min(now.saturating_add(longest)),
    ))
}

/// Whether two name the same certificate; how they spell the parameters of SHA-1 does not count.
fn is_same(one: &CertId, other: &CertId) -> bool {
    one.hash_algorithm.oid == other.hash_algorithm.oid
        && one.issuer_name_hash == other.issuer_name_hash
        && one.issuer_key_hash == other.issuer_key_hash
        && one.serial_number == other.serial_number
}

const fn status_name(status: OcspResponseStatus) -> &'static str {
    match status {
        OcspResponseStatus::Successful => "successful",
        OcspResponseStatus::MalformedRequest => "malformedRequest",
        OcspResponseStatus::InternalError => "internalError",
        OcspResponseStatus::TryLater => "tryLater",
        OcspResponseStatus::SigRequired => "sigRequired",
        OcspResponseStatus::Unauthorized => {
            "unauthorized: it does not know the certificate's issuer"
        }
    }
}

/// The bits of the key in a SubjectPublicKeyInfo.
fn key_bits(key: &[u8]) -> Option<&[u8]> {
    let (bits, _) = Any::from_der(contents(key)?).ok()?;
    match contents(bits)? {
        [0, bits @ ..] => Some(bits),
        _ => None, // A key has no unused bits.
    }
}

/// An INTEGER of these contents.
fn integer(contents: &[u8]) -> Option<Vec<u8>> {
    const INTEGER: u8 = 2;
    let length = u8::try_from(contents.len())
        .ok()
        .filter(|&octets| octets < 0x80)?;
    Some([&[INTEGER, length], contents].concat())
}

fn octets(octets: &[u8]) -> Option<OctetString> {
    OctetString::new(octets).ok()
}

/// id-sha1.
const SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");

/// id-pkix-ocsp-nonce.
const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.2");

/// Contents of id-kp-OCSPSigning, 1.3.6.1.5.5.7.3.9.
const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

/// Certificates of an answer that are looked at: it has one as a rule.
const MAX_CERTIFICATES: usize = 4;

/// How far clocks may be apart.
const SKEW: Duration = Duration::from_mins(5);

/// How long an answer without nextUpdate counts: newer ones are always to be had (RFC 6960 section
/// 4.2.2.1).
const WITHOUT_END: Duration = Duration::from_hours(1);

/// The least time that an answer counts.
const MOMENT: Duration = Duration::from_secs(30);
