//! An OCSP responder of one page, which answers as it is told.

use rcgen::SigningKey;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::Encode;
use x509_cert::der::asn1::BitString;
use x509_cert::der::asn1::GeneralizedTime;
use x509_cert::der::asn1::OctetString;
use x509_cert::ext::Extension;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_ocsp::BasicOcspResponse;
use x509_ocsp::CertStatus;
use x509_ocsp::OcspGeneralizedTime;
use x509_ocsp::OcspRequest;
use x509_ocsp::OcspResponse;
use x509_ocsp::ResponderId;
use x509_ocsp::ResponseData;
use x509_ocsp::RevokedInfo;
use x509_ocsp::SingleResponse;
use x509_ocsp::Version;

use crate::pki::Authority;
use crate::pki::TODAY;

/// What it says; good by default.
pub(crate) struct Says<'s> {
    pub(crate) status: &'s str,
    /// Seconds from now.
    pub(crate) this: i64,
    pub(crate) next: Option<i64>,
    pub(crate) nonce: Option<&'s [u8]>,
    /// Who signs, if not the issuer.
    pub(crate) signer: Option<&'s Authority>,
    /// Who has issued the certificate of a responder that signs, and whether it is for that.
    pub(crate) delegate: Option<(&'s Authority, bool)>,
    pub(crate) delegate_expired: bool,
    pub(crate) another_serial: bool,
    pub(crate) spoiled: bool,
}

impl Default for Says<'_> {
    fn default() -> Self {
        Self {
            status: "good",
            this: -60,
            next: Some(3600),
            nonce: None,
            signer: None,
            delegate: None,
            delegate_expired: false,
            another_serial: false,
            spoiled: false,
        }
    }
}

/// Answers a request in the name of an issuer.
pub(crate) fn answer(issuer: &Authority, request: &[u8], says: &Says<'_>) -> Vec<u8> {
    let request = OcspRequest::from_der(request).unwrap();
    let [asked] = request.tbs_request.request_list.as_slice() else {
        panic!("one certificate is asked about");
    };
    let mut cert_id = asked.req_cert.clone();
    if says.another_serial {
        cert_id.serial_number = SerialNumber::new(&[99]).unwrap();
    }
    let delegate = says
        .delegate
        .map(|(by, named)| by.responder(named, says.delegate_expired));
    let signer = says.signer.unwrap_or(issuer);
    let issuer = Certificate::from_der(&issuer.certificate()).unwrap();
    let data = ResponseData {
        version: Version::V1,
        responder_id: ResponderId::ByName(issuer.tbs_certificate.subject),
        produced_at: at(says.this),
        responses: vec![SingleResponse {
            cert_id,
            cert_status: match says.status {
                "good" => CertStatus::good(),
                "revoked" => CertStatus::revoked(RevokedInfo {
                    revocation_time: at(-9000),
                    revocation_reason: None,
                }),
                _ => CertStatus::unknown(),
            },
            this_update: at(says.this),
            next_update: says.next.map(at),
            single_extensions: None,
        }],
        response_extensions: says.nonce.map(|nonce| {
            let nonce = OctetString::new(nonce).unwrap().to_der().unwrap();
            vec![Extension {
                extn_id: "1.3.6.1.5.5.7.48.1.2".parse().unwrap(),
                critical: false,
                extn_value: OctetString::new(nonce).unwrap(),
            }]
        }),
    };
    let tbs = data.to_der().unwrap();
    let (mut signature, certs) = match &delegate {
        Some((certificate, key)) => (
            key.sign(&tbs).unwrap(),
            Some(vec![Certificate::from_der(certificate).unwrap()]),
        ),
        None => (signer.key().sign(&tbs).unwrap(), None),
    };
    if says.spoiled {
        *signature.last_mut().unwrap() ^= 1;
    }
    let basic = BasicOcspResponse {
        tbs_response_data: data,
        // ecdsa-with-SHA256
        signature_algorithm: AlgorithmIdentifierOwned {
            oid: "1.2.840.10045.4.3.2".parse().unwrap(),
            parameters: None,
        },
        signature: BitString::from_bytes(&signature).unwrap(),
        certs,
    };
    OcspResponse::successful(basic).unwrap().to_der().unwrap()
}

/// A responder that says that it has no answer.
pub(crate) fn error(status: u8) -> Vec<u8> {
    vec![0x30, 3, 0x0a, 1, status]
}

fn at(seconds: i64) -> OcspGeneralizedTime {
    let seconds = u64::try_from(TODAY + seconds).unwrap();
    let since = std::time::Duration::from_secs(seconds);
    OcspGeneralizedTime(GeneralizedTime::from_unix_duration(since).unwrap())
}
