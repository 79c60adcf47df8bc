//! The 192-bit mode of WPA3-Enterprise: which keys and signatures are strong enough.
//!
//! P-384, or RSA of 3,072 bits or more, and SHA-384 (Wi-Fi Alliance, WPA3 specification, 192-bit mode;
//! the suite of RFC 9151 but for RSA). RFC-DEVIATION: the third suite that it allows,
//! DHE-RSA-AES256-GCM-SHA384, is not spoken, because the TLS library has no DHE.

use rustls::CertificateError;
use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::CertificateDer;
use webpki::aws_lc_rs::ECDSA_P384_SHA384;
use webpki::aws_lc_rs::RSA_PKCS1_3072_8192_SHA384;
use webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY;
use x509_parser::oid_registry::OID_EC_P256;
use x509_parser::oid_registry::OID_NIST_EC_P384;
use x509_parser::oid_registry::OID_NIST_EC_P521;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

use super::error::refusal;

/// A key that the 192-bit mode does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the certificate's key is {kind} of {bits} bits, and the 192-bit mode takes P-384 or RSA of 3072 or more"
)]
pub struct TooWeak {
    /// What key it is.
    pub kind: &'static str,
    /// Its size.
    pub bits: usize,
}

/// An RSA key with which no signature is taken, whatever it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a key of the certificate's chain is RSA of {bits} bits, and at least {LEAST_RSA_OF_ALL} are needed"
)]
pub struct TooShort {
    /// Bits of the modulus.
    pub bits: usize,
}

/// Signatures that the 192-bit mode takes; the keys behind those of certificates are large enough, too.
/// Of RSA-PSS, which a peer signs its handshake with, [`check_key`] has to see to that.
pub const SIGNATURES_192: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        ECDSA_P384_SHA384,
        RSA_PKCS1_3072_8192_SHA384,
        RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    ],
    mapping: &[
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[ECDSA_P384_SHA384]),
        (
            SignatureScheme::RSA_PSS_SHA384,
            &[RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        ),
        (
            SignatureScheme::RSA_PKCS1_SHA384,
            &[RSA_PKCS1_3072_8192_SHA384],
        ),
    ],
};

/// Whether the key of a certificate is large enough for the 192-bit mode.
///
/// # Errors
///
/// What key it is; of one that cannot be read nothing is known.
pub fn check_key(certificate: &[u8]) -> Result<(), TooWeak> {
    let unknown = TooWeak {
        kind: "unknown",
        bits: 0,
    };
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| unknown)?;
    let key = certificate.public_key();
    match key.parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() >= LEAST_RSA => Ok(()),
        Ok(PublicKey::RSA(key)) => Err(TooWeak {
            kind: "RSA",
            bits: key.key_size(),
        }),
        Ok(PublicKey::EC(_)) => {
            let parameters = key.algorithm.parameters.as_ref();
            let curve = parameters.and_then(|parameters| parameters.as_oid().ok());
            let bits = match curve {
                Some(curve) if curve == OID_NIST_EC_P384 => return Ok(()),
                Some(curve) if curve == OID_EC_P256 => 256,
                Some(curve) if curve == OID_NIST_EC_P521 => 521,
                Some(_) | None => 0,
            };
            Err(TooWeak {
                kind: "an elliptic curve",
                bits,
            })
        }
        Ok(_) | Err(_) => Err(unknown),
    }
}

/// Tells a key that is too short from a signature that is wrong, which the library does not.
pub(super) fn explained<'a>(
    error: rustls::Error,
    certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>,
) -> rustls::Error {
    if error != CertificateError::BadSignature.into() {
        return error;
    }
    let short = certificates.into_iter().find_map(|one| short_key(one));
    short.map_or(error, refusal)
}

fn short_key(certificate: &[u8]) -> Option<TooShort> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) if key.key_size() < LEAST_RSA_OF_ALL => Some(TooShort {
            bits: key.key_size(),
        }),
        Ok(_) | Err(_) => None,
    }
}

/// Bits of the smallest modulus, of the 192-bit mode and of all.
const LEAST_RSA: usize = 3072;
const LEAST_RSA_OF_ALL: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_too_short_is_told_from_a_wrong_signature() {
        let short = CertificateDer::from(&include_bytes!("../../tests/vectors/rsa1024.der")[..]);
        let wrong = rustls::Error::from(CertificateError::BadSignature);
        let told = explained(wrong.clone(), [&short]);
        let rustls::Error::InvalidCertificate(CertificateError::Other(told)) = told else {
            panic!("{told}");
        };
        assert_eq!(told.0.downcast_ref(), Some(&TooShort { bits: 1024 }));
        assert!(told.0.to_string().contains("1024 bits, and at least 2048"));
        assert_eq!(explained(wrong.clone(), []), wrong);
        let expired = rustls::Error::from(CertificateError::Expired);
        assert_eq!(explained(expired.clone(), [&short]), expired);
    }
}
