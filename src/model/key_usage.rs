//! What the keys of a certificate chain may be used for (RFC 5280 section 4.2.1.3).

use x509_parser::extensions::KeyUsage;
use x509_parser::prelude::FromDer;
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

/// Looks at the key usages of a chain that verifies otherwise: the TLS library leaves them out.
/// A certificate without the extension allows everything.
///
/// # Errors
///
/// The first key that may not be used so. What cannot be read is left to whoever verifies.
pub fn check_key_usages<'c>(
    leaf: &[u8],
    issuers: impl IntoIterator<Item = &'c [u8]>,
) -> Result<(), KeyMisused> {
    if !allows(leaf, KeyUsage::digital_signature) {
        return Err(KeyMisused::Signing);
    }
    let all_issue = issuers
        .into_iter()
        .all(|issuer| allows(issuer, KeyUsage::key_cert_sign));
    if all_issue {
        Ok(())
    } else {
        Err(KeyMisused::Issuing)
    }
}

fn allows(certificate: &[u8], usage: fn(&KeyUsage) -> bool) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return true;
    };
    match certificate.key_usage() {
        Ok(Some(stated)) => usage(stated.value),
        Ok(None) | Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::BasicConstraints;
    use rcgen::CertificateParams;
    use rcgen::IsCa;
    use rcgen::KeyPair;
    use rcgen::KeyUsagePurpose;

    use super::*;

    fn certificate(usages: &[KeyUsagePurpose]) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = usages.to_vec();
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn keys_are_used_for_what_is_stated_and_for_all_where_nothing_is_rfc5280_4_2_1_3() {
        let none = certificate(&[]);
        let signs = certificate(&[KeyUsagePurpose::DigitalSignature]);
        let issues = certificate(&[KeyUsagePurpose::KeyCertSign]);
        let enciphers = certificate(&[KeyUsagePurpose::KeyEncipherment]);
        for (row, leaf, issuer, expected) in [
            ("nothing stated", &none, &none, Ok(())),
            ("both right", &signs, &issues, Ok(())),
            (
                "leaf enciphers",
                &enciphers,
                &issues,
                Err(KeyMisused::Signing),
            ),
            ("issuer signs", &signs, &signs, Err(KeyMisused::Issuing)),
        ] {
            let checked = check_key_usages(leaf, [none.as_slice(), issuer.as_slice()]);
            assert_eq!(checked, expected, "row {row}");
        }
        assert_eq!(check_key_usages(b"no certificate", []), Ok(()));
    }
}
