//! The 192-bit mode of WPA3-Enterprise: which keys and signatures are strong enough.
//!
//! P-384, or RSA of 3,072 bits or more, and SHA-384 (Wi-Fi Alliance, WPA3 specification, 192-bit mode;
//! the suite of RFC 9151 but for RSA). RFC-DEVIATION: the third suite that it allows,
//! DHE-RSA-AES256-GCM-SHA384, is not spoken, because the TLS library has no DHE.

use rustls::SignatureScheme;
use rustls::crypto::WebPkiSupportedAlgorithms;
use webpki::aws_lc_rs::ECDSA_P384_SHA384;
use webpki::aws_lc_rs::RSA_PKCS1_3072_8192_SHA384;
use webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA384_LEGACY_KEY;
use x509_parser::oid_registry::OID_EC_P256;
use x509_parser::oid_registry::OID_NIST_EC_P384;
use x509_parser::oid_registry::OID_NIST_EC_P521;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey;

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

/// Bits of the smallest modulus.
const LEAST_RSA: usize = 3072;
