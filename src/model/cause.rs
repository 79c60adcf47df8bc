//! Errors of others as sentences for people: the causes of an error in one line, and what TLS says.
//!
//! The TLS library prints the names of its variants. An administrator at three in the morning wants
//! `nothing in common in TLS: no cipher suites in common` and not `NoCipherSuitesInCommon`.

use std::error::Error;
use std::io;

use rustls::AlertDescription;
use rustls::CertificateError;
use rustls::PeerIncompatible;
use rustls::pki_types::pem;
use rustls::server::VerifierBuilderError;

/// `error` and what caused it, in one line; what says the same as its cause is said once.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut sentences: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        next = error.source();
        let sentence = sentence(error);
        // The HTTP library's "client error (Connect)" says where in its code.
        let says_nothing = next.is_some() && sentence.starts_with("client error (");
        let said = sentences
            .last()
            .is_some_and(|last| last.ends_with(&sentence));
        if !says_nothing && !said {
            sentences.push(sentence);
        }
    }
    sentences.join(": ")
}

/// What TLS says went wrong.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls may add errors; those left say it in words themselves"
)]
pub fn tls_error(error: &rustls::Error) -> String {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(what) => certificate_error(what),
        Tls::NoCertificatesPresented => "no certificate was sent".to_owned(),
        Tls::AlertReceived(alert) => {
            format!(
                "the other side sent TLS alert {}",
                alert_name(u8::from(*alert))
            )
        }
        // A hello of TLS 1.1 or older as a rule: it has no such extension.
        Tls::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired) => {
            "the other side offers no TLS 1.2 or 1.3: its TLS is too old".to_owned()
        }
        Tls::PeerIncompatible(what) => {
            let what = spaced(&format!("{what:?}"));
            format!("nothing in common in TLS: {what}")
        }
        Tls::PeerMisbehaved(what) => {
            format!(
                "the rules of TLS are broken: {}",
                spaced(&format!("{what:?}"))
            )
        }
        Tls::InvalidMessage(what) => {
            let what = spaced(&format!("{what:?}"));
            format!("a TLS message that cannot be read: {what}")
        }
        Tls::InappropriateMessage { got_type, .. } => out_of_turn(&format!("{got_type:?}")),
        Tls::InappropriateHandshakeMessage { got_type, .. } => {
            out_of_turn(&format!("{got_type:?}"))
        }
        Tls::InvalidCertRevocationList(what) => {
            let what = spaced(&format!("{what:?}"));
            format!("a revocation list that cannot be used: {what}")
        }
        Tls::InvalidEncryptedClientHello(what) => {
            let what = spaced(&format!("{what:?}"));
            format!("an encrypted client hello that cannot be used: {what}")
        }
        Tls::InconsistentKeys(_) => "the key does not belong to the certificate".to_owned(),
        Tls::General(what) => what.clone(),
        Tls::Other(what) => sentence(&*what.0),
        other => other.to_string(),
    }
}

/// An alert's number and name: `48 (unknown CA)`.
#[must_use]
pub fn alert_name(number: u8) -> String {
    match AlertDescription::from(number).as_str() {
        Some(name) => format!("{number} ({})", spaced(name)),
        None => number.to_string(),
    }
}

/// What is wrong with a certificate that the other side has sent.
#[must_use]
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls may add errors; their names are told word by word"
)]
pub fn certificate_error(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate is expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => "the certificate is of an unknown CA".to_owned(),
        CertificateError::Revoked => "the certificate is revoked".to_owned(),
        CertificateError::BadSignature => "the certificate's signature is wrong".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, .. } => {
            format!("the certificate is not for the name {}", expected.to_str())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for this purpose (extended key usage)".to_owned()
        }
        CertificateError::Other(what) => sentence(&*what.0),
        other => {
            let what = spaced(&format!("{other:?}"));
            format!("the certificate is not accepted: {what}")
        }
    }
}

/// One error without its causes.
fn sentence(error: &(dyn Error + 'static)) -> String {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return tls_error(error);
    }
    if let Some(error) = error.downcast_ref::<pem::Error>() {
        return pem_error(error);
    }
    if let Some(VerifierBuilderError::InvalidCrl(error)) = error.downcast_ref() {
        return tls_error(&rustls::Error::InvalidCertRevocationList(error.clone()));
    }
    // An I/O error that wraps another prints it, and does not name it as its source.
    let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
    if let Some(inner) = wrapped {
        return sentence(inner);
    }
    let text = error.to_string();
    if is_variant(&text) {
        spaced(&text)
    } else {
        text
    }
}

/// It prints the octets of what it did not find.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "rustls may add errors; those left say it in words themselves"
)]
fn pem_error(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a PEM block does not end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a PEM block does not begin rightly".to_owned(),
        pem::Error::NoItemsFound => "nothing of the kind is in the file".to_owned(),
        other => other.to_string(),
    }
}

fn out_of_turn(message: &str) -> String {
    format!("a TLS message out of turn: {}", spaced(message))
}

/// Whether `text` is the name of a variant as `Debug` prints it: capitals inside one word, and if
/// anything follows, it is in brackets.
fn is_variant(text: &str) -> bool {
    let name = variant(text);
    let rest = text.get(name.len()..).unwrap_or_default();
    name.starts_with(|letter: char| letter.is_ascii_uppercase())
        && name.contains(|letter: char| letter.is_ascii_lowercase())
        && (rest.is_empty() && name.chars().filter(char::is_ascii_uppercase).count() > 1
            || rest.starts_with('(')
            || rest.starts_with(" {"))
}

/// The name of a variant without its fields.
fn variant(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric());
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// A variant in words: `NoKxGroupsInCommon` as `no kx groups in common`. What it holds is left out.
fn spaced(text: &str) -> String {
    let name = variant(text);
    let name = name.strip_suffix("Context").unwrap_or(name);
    if let Some((_, words)) = WORDS.iter().find(|(variant, _)| *variant == name) {
        return (*words).to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for letter in name.chars() {
        // `UnknownCA` ends in one word, not in two.
        let starts = letter.is_ascii_uppercase()
            && before.is_none_or(|before: char| !before.is_ascii_uppercase());
        if starts || words.is_empty() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
        before = Some(letter);
    }
    for word in &mut words {
        if let Some((_, right)) = ABBREVIATIONS.iter().find(|(wrong, _)| wrong == word) {
            (*right).clone_into(word);
        }
    }
    words.join(" ")
}

/// Variants that say little word by word.
const WORDS: [(&str, &str); 6] = [
    ("CaUsedAsEndEntity", "the certificate is that of a CA"),
    ("EndEntityUsedAsCa", "a certificate of the chain is no CA's"),
    ("BadDer", "the certificate cannot be read"),
    (
        "UnsupportedCertVersion",
        "the certificate is not of version 3",
    ),
    (
        "PathLenConstraintViolated",
        "the chain is longer than its CA allows",
    ),
    ("MaximumPathDepthExceeded", "the chain is too long"),
];

/// Words that are not written in small letters.
const ABBREVIATIONS: [(&str, &str); 9] = [
    ("ca", "CA"),
    ("cert", "certificate"),
    ("crl", "revocation list"),
    ("ec", "EC"),
    ("kx", "key exchange"),
    ("psk", "PSK"),
    ("tls", "TLS"),
    ("tls12", "TLS 1.2"),
    ("tls13", "TLS 1.3"),
];

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;
    use rustls::PeerIncompatible;
    use rustls::PeerMisbehaved;

    use super::*;
    use crate::model::Ambiguity;

    /// Names of the TLS library's variants stood in records and in the output of `probe`.
    #[test]
    fn tls_speaks_in_sentences() {
        #[derive(Debug)]
        struct Printed(&'static str);
        impl std::fmt::Display for Printed {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        impl Error for Printed {}
        let other = |text| {
            let other = OtherError(Arc::new(Printed(text)));
            rustls::Error::from(CertificateError::Other(other))
        };
        for (error, expected) in [
            (
                rustls::Error::from(PeerIncompatible::NoKxGroupsInCommon),
                "nothing in common in TLS: no key exchange groups in common",
            ),
            (
                PeerIncompatible::Tls12NotOffered.into(),
                "nothing in common in TLS: TLS 1.2 not offered",
            ),
            (
                PeerMisbehaved::IncorrectBinder.into(),
                "the rules of TLS are broken: incorrect binder",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::UnknownCA),
                "the other side sent TLS alert 48 (unknown CA)",
            ),
            (
                rustls::Error::AlertReceived(AlertDescription::Unknown(200)),
                "the other side sent TLS alert 200",
            ),
            (
                CertificateError::UnknownIssuer.into(),
                "the certificate is of an unknown CA",
            ),
            (
                CertificateError::UnhandledCriticalExtension.into(),
                "the certificate is not accepted: unhandled critical extension",
            ),
            (
                other("CaUsedAsEndEntity"),
                "the certificate is that of a CA",
            ),
            (
                other("UnsupportedCrlSignatureAlgorithmContext(Context { a: [1] })"),
                "unsupported revocation list signature algorithm",
            ),
            (other("Already a sentence"), "Already a sentence"),
            (other("Sentence"), "Sentence"),
        ] {
            assert_eq!(tls_error(&error), expected);
            let wrapped = io::Error::other(error);
            assert_eq!(causes(&wrapped), expected, "in an I/O error");
        }
    }

    #[test]
    fn a_reason_of_ours_comes_through_as_it_is() {
        let ours = OtherError(Arc::new(Ambiguity::Device));
        assert_eq!(
            certificate_error(&CertificateError::Other(ours)),
            "the certificate names two devices"
        );
    }

    #[test]
    fn errors_of_files_are_told_without_octets() {
        for (error, expected) in [
            (
                pem::Error::MissingSectionEnd {
                    end_marker: vec![45; 5],
                },
                "a PEM block does not end",
            ),
            (
                pem::Error::NoItemsFound,
                "nothing of the kind is in the file",
            ),
        ] {
            assert_eq!(causes(&error), expected);
        }
        let list = rustls::CertRevocationListError::InvalidCrlNumber;
        assert_eq!(
            causes(&VerifierBuilderError::InvalidCrl(list)),
            "a revocation list that cannot be used: invalid revocation list number"
        );
    }

    #[test]
    fn causes_stand_in_one_line_and_once() {
        #[derive(Debug, thiserror::Error)]
        enum Outer {
            #[error("no connection")]
            Cause(#[source] io::Error),
            #[error("{0}")]
            Same(#[source] io::Error),
            #[error("no file: {0}")]
            Told(#[source] io::Error),
        }
        let refused = || io::Error::other("refused");
        assert_eq!(causes(&Outer::Cause(refused())), "no connection: refused");
        assert_eq!(causes(&Outer::Same(refused())), "refused");
        assert_eq!(causes(&Outer::Told(refused())), "no file: refused");
    }
}
