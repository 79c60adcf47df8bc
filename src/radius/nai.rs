//! The realm in a home server's certificate (RFC 7585 section 2.2).

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

/// Whether a certificate has a NAIRealm that covers `realm`: the realm itself, or `*` in place of its
/// first label. Case does not count. The certificate itself is verified elsewhere.
#[must_use]
pub fn bears_realm(der: &[u8], realm: &str) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return false;
    };
    let names = names.value.general_names.iter();
    names
        .filter_map(|name| {
            let GeneralName::OtherName(kind, value) = name else {
                return None;
            };
            (kind.to_id_string() == NAI_REALM).then(|| utf8(value))?
        })
        .any(|name| covers(name, realm))
}

fn covers(name: &str, realm: &str) -> bool {
    if name.eq_ignore_ascii_case(realm) {
        return !realm.is_empty();
    }
    let parents = name.strip_prefix("*.").zip(realm.split_once('.'));
    // A wildcard for a whole top-level domain is nobody's.
    parents.is_some_and(|(wide, (label, parent))| {
        !label.is_empty() && wide.contains('.') && wide.eq_ignore_ascii_case(parent)
    })
}

/// The text of `[0] EXPLICIT UTF8String`, with or without its outer tag, as parsers leave it.
fn utf8(value: &[u8]) -> Option<&str> {
    const EXPLICIT: u8 = 0xa0;
    const UTF8_STRING: u8 = 0x0c;
    let (tag, inner) = element(value)?;
    let (tag, text) = if tag == EXPLICIT {
        element(inner)?
    } else {
        (tag, inner)
    };
    (tag == UTF8_STRING).then(|| std::str::from_utf8(text).ok())?
}

/// The tag and the content of the one element that `value` is; realms are short, so that the long
/// forms of a length have one or two octets.
fn element(value: &[u8]) -> Option<(u8, &[u8])> {
    let (&tag, rest) = value.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, content) = rest.split_first()?;
            (usize::from(length), content)
        }
        0x82 => {
            let (length, content) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), content)
        }
        _ => return None,
    };
    (content.len() == length).then_some((tag, content))
}

/// id-on-naiRealm.
const NAI_REALM: &str = "1.3.6.1.5.5.7.8.8";

#[cfg(test)]
mod tests {
    use rcgen::CertificateParams;
    use rcgen::KeyPair;
    use rcgen::OtherNameValue;
    use rcgen::SanType;

    use super::*;

    fn certificate(kind: &[u64], name: &str) -> Vec<u8> {
        let mut params = CertificateParams::default();
        let value = OtherNameValue::Utf8String(name.to_owned());
        params.subject_alt_names = vec![SanType::OtherName((kind.to_vec(), value))];
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_covers_its_realm_and_one_label_for_a_star_rfc7585_2_2() {
        const REALM: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 8];
        const PRINCIPAL: &[u64] = &[1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
        for (kind, name, realm, covered) in [
            (REALM, "example.org", "example.org", true),
            (REALM, "Example.ORG", "eXample.org", true),
            (REALM, "example.org", "example.com", false),
            (REALM, "example.org", "a.example.org", false),
            (REALM, "*.example.org", "a.example.org", true),
            (REALM, "*.example.org", "a.b.example.org", false),
            (REALM, "*.example.org", "example.org", false),
            (REALM, "*.example.org", ".example.org", false),
            (REALM, "*.org", "example.org", false),
            (REALM, "*", "example.org", false),
            (REALM, "", "", false),
            (PRINCIPAL, "example.org", "example.org", false),
        ] {
            let bears = bears_realm(&certificate(kind, name), realm);
            assert_eq!(bears, covered, "row {name} for {realm}");
        }
        assert!(!bears_realm(b"no certificate", "example.org"));
    }

    #[test]
    fn lengths_that_lie_are_no_text() {
        for value in [
            &[][..],
            &[0x0c],
            &[0x0c, 5, b'a'],
            &[0x0c, 0, b'a'],
            &[0x0c, 0x83, 0, 0, 1, b'a'],
            &[0x0c, 0x82, 0],
            &[0xa0, 3, 0x0c, 5, b'a'],
            &[0x13, 1, b'a'],
            &[0x0c, 1, 0xff],
        ] {
            assert_eq!(utf8(value), None, "row {value:?}");
        }
        assert_eq!(utf8(&[0xa0, 3, 0x0c, 1, b'a']), Some("a"));
        assert_eq!(utf8(&[0x0c, 0x81, 1, b'a']), Some("a"));
        assert_eq!(utf8(&[0x0c, 0x82, 0, 1, b'a']), Some("a"));
    }
}
