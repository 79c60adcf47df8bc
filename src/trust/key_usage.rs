//! What the keys of a certificate chain may be used for (RFC 5280 section 4.2.1.3).

use x509_parser::extensions::KeyUsage;
use x509_parser::prelude::X509Certificate;

/// A key that is used for what its certificate does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMisused {
    /// The holder signs the handshake without digitalSignature (RFC 8446 section 4.4.2.2).
    #[error("the certificate's key usage does not allow to sign a handshake")]
    Signing,
    /// An authority issues certificates without keyCertSign (RFC 5280 section 6.1.4 (n)).
    #[error("the key usage of an issuing certificate does not allow to issue certificates")]
    Issuing,
}

/// What one certificate allows; webpki looks at none of it. Without the extension everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUsages {
    /// digitalSignature.
    pub(super) signs: bool,
    /// keyCertSign.
    pub(super) issues: bool,
    /// cRLSign.
    pub(super) lists: bool,
}

impl KeyUsages {
    pub(super) const ALL: Self = Self {
        signs: true,
        issues: true,
        lists: true,
    };

    /// An extension that cannot be read allows nothing.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Self {
        match certificate.key_usage() {
            Ok(None) => Self::ALL,
            Ok(Some(stated)) => Self::stated(stated.value),
            Err(_) => Self {
                signs: false,
                issues: false,
                lists: false,
            },
        }
    }

    fn stated(stated: &KeyUsage) -> Self {
        Self {
            signs: stated.digital_signature(),
            issues: stated.key_cert_sign(),
            lists: stated.crl_sign(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::BasicConstraints;
    use rcgen::CertificateParams;
    use rcgen::IsCa;
    use rcgen::KeyPair;
    use rcgen::KeyUsagePurpose;
    use x509_parser::prelude::FromDer;

    use super::*;

    fn usages(stated: &[KeyUsagePurpose]) -> (bool, bool, bool) {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = stated.to_vec();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let (_, certificate) = X509Certificate::from_der(certificate.der()).unwrap();
        let KeyUsages {
            signs,
            issues,
            lists,
        } = KeyUsages::of(&certificate);
        (signs, issues, lists)
    }

    #[test]
    fn keys_are_used_for_what_is_stated_and_for_all_where_nothing_is_rfc5280_4_2_1_3() {
        for (row, stated, expected) in [
            ("nothing stated", &[][..], (true, true, true)),
            (
                "signs",
                &[KeyUsagePurpose::DigitalSignature],
                (true, false, false),
            ),
            (
                "issues",
                &[KeyUsagePurpose::KeyCertSign],
                (false, true, false),
            ),
            ("lists", &[KeyUsagePurpose::CrlSign], (false, false, true)),
            (
                "enciphers",
                &[KeyUsagePurpose::KeyEncipherment],
                (false, false, false),
            ),
        ] {
            assert_eq!(usages(stated), expected, "row {row}");
        }
    }
}
