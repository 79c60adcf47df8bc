//! OCSP answers (RFC 6960): which are believed.

use std::sync::Arc;
use std::time::Duration;

use portreeve::trust::Chain;
use portreeve::trust::Fail;
use portreeve::trust::Material;
use portreeve::trust::OcspError;
use portreeve::trust::Online;
use portreeve::trust::OnlineCheck;
use portreeve::trust::OnlineRefusal;
use portreeve::trust::Question;
use portreeve::trust::Told;
use portreeve::trust::Upkeep;
use portreeve::trust::Verifier;
use portreeve::trust::Watch;
use rustls::CertificateError;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;

use crate::after;
use crate::build;
use crate::pki::Authority;
use crate::pki::Device;
use crate::responder::Says;
use crate::responder::answer;
use crate::responder::error;
use crate::verify;

fn algorithms() -> WebPkiSupportedAlgorithms {
    default_provider().signature_verification_algorithms
}

pub(crate) fn watch() -> Arc<Watch> {
    Arc::new(Watch::new(algorithms()))
}

pub(crate) fn upkeep(watch: &Arc<Watch>, fail: Option<Fail>) -> Upkeep {
    Upkeep {
        watch: Arc::clone(watch),
        demand_current: false,
        grace: Duration::ZERO,
        follow_points: false,
        online: fail.map(|fail| OnlineCheck {
            fail,
            has_responder: true,
        }),
    }
}

fn verifier(root: &Authority, upkeep: &Upkeep) -> Verifier {
    build(Material {
        roots: &[root.certificate()],
        upkeep: Some(upkeep),
        remembered: 16,
        ..Material::default()
    })
    .unwrap()
}

fn chain(root: &Authority, verifier: &Verifier) -> Arc<Chain> {
    let holder = root.device(&Device::default());
    verify(verifier, &holder, 0).unwrap()
}

/// The question about a device, and its issuer.
fn question() -> (Authority, Arc<Question>) {
    let root = Authority::root("Root");
    let verifier = verifier(&root, &upkeep(&watch(), Some(Fail::Hard)));
    let question = Arc::clone(chain(&root, &verifier).question().unwrap());
    (root, question)
}

fn read(question: &Question, octets: &[u8], nonce: Option<&[u8]>) -> Result<Told, OcspError> {
    let longest = Duration::from_hours(1);
    let read = question.answer(octets, nonce, &algorithms(), after(0), longest);
    read.map(|answer| answer.told)
}

#[test]
fn an_answer_says_good_revoked_or_nothing_rfc6960_2_2() {
    let (root, question) = question();
    let request = question.request(None).unwrap();
    for (row, status, told) in [
        ("good", "good", Told::Good),
        ("revoked", "revoked", Told::Revoked),
        (
            "unknown",
            "unknown",
            Told::Nothing("the responder does not know it".into()),
        ),
    ] {
        let says = Says {
            status,
            ..Says::default()
        };
        let octets = answer(&root, &request, &says);
        assert_eq!(read(&question, &octets, None), Ok(told), "row {row}");
    }
}

#[test]
fn an_answer_counts_for_its_time_only_rfc6960_4_2_2_1() {
    let (root, question) = question();
    let request = question.request(None).unwrap();
    const HOUR: i64 = 3600;
    for (row, this, next, expected) in [
        ("of now", -60, Some(HOUR), Ok(Told::Good)),
        (
            "of yesterday, until tomorrow",
            -24 * HOUR,
            Some(24 * HOUR),
            Ok(Told::Good),
        ),
        (
            "ended an hour ago",
            -24 * HOUR,
            Some(-HOUR),
            Err(OcspError::Expired),
        ),
        (
            "ended within the difference of clocks",
            -HOUR,
            Some(-60),
            Ok(Told::Good),
        ),
        ("without end, of now", -60, None, Ok(Told::Good)),
        (
            "without end, of yesterday",
            -24 * HOUR,
            None,
            Err(OcspError::Expired),
        ),
        ("of the future", HOUR, Some(2 * HOUR), Err(OcspError::Early)),
        (
            "ends before it begins",
            -60,
            Some(-2 * HOUR),
            Err(OcspError::Expired),
        ),
    ] {
        let says = Says {
            this,
            next,
            ..Says::default()
        };
        let octets = answer(&root, &request, &says);
        assert_eq!(read(&question, &octets, None), expected, "row {row}");
    }
}

#[test]
fn an_answer_is_believed_until_its_end_and_for_the_longest_time_at_most() {
    let (root, question) = question();
    let request = question.request(None).unwrap();
    for (next, longest, expected) in [(600, 3600, 600), (7200, 3600, 3600), (-60, 3600, 30)] {
        let says = Says {
            next: Some(next),
            this: -7200,
            ..Says::default()
        };
        let octets = answer(&root, &request, &says);
        let longest = Duration::from_secs(longest);
        let answer = question.answer(&octets, None, &algorithms(), after(0), longest);
        let until = answer.unwrap().until.as_secs() - after(0).as_secs();
        assert_eq!(until, expected, "row {next}");
    }
}

#[test]
fn only_the_issuer_or_whom_it_has_named_for_it_may_answer_rfc6960_4_2_2_2() {
    let (root, question) = question();
    let request = question.request(None).unwrap();
    let other = Authority::root("Root");
    for (row, says, expected) in [
        ("the issuer", Says::default(), Ok(Told::Good)),
        (
            "somebody of the same name",
            Says {
                signer: Some(&other),
                ..Says::default()
            },
            Err(OcspError::Signature),
        ),
        (
            "named by the issuer",
            Says {
                delegate: Some((&root, true)),
                ..Says::default()
            },
            Ok(Told::Good),
        ),
        (
            "a certificate of the issuer for something else",
            Says {
                delegate: Some((&root, false)),
                ..Says::default()
            },
            Err(OcspError::Signature),
        ),
        (
            "named by somebody else",
            Says {
                delegate: Some((&other, true)),
                ..Says::default()
            },
            Err(OcspError::Signature),
        ),
        (
            "named by the issuer, and expired",
            Says {
                delegate: Some((&root, true)),
                delegate_expired: true,
                ..Says::default()
            },
            Err(OcspError::Signature),
        ),
        (
            "changed after it was signed",
            Says {
                spoiled: true,
                ..Says::default()
            },
            Err(OcspError::Signature),
        ),
    ] {
        let octets = answer(&root, &request, &says);
        assert_eq!(read(&question, &octets, None), expected, "row {row}");
    }
}

#[test]
fn an_answer_to_something_else_is_none_rfc6960_3_2() {
    let (root, question) = question();
    let request = question.request(None).unwrap();
    let says = Says {
        another_serial: true,
        ..Says::default()
    };
    let octets = answer(&root, &request, &says);
    assert_eq!(read(&question, &octets, None), Err(OcspError::Other));
}

#[test]
fn a_nonce_that_comes_back_has_to_be_ours_rfc6960_4_4_1() {
    let (root, question) = question();
    let ours = [7; 32];
    let request = question.request(Some(&ours)).unwrap();
    for (row, nonce, expected) in [
        ("ours", Some(&ours[..]), Ok(Told::Good)),
        (
            "none, as of answers signed in advance",
            None,
            Ok(Told::Good),
        ),
        ("another", Some(&[8; 32]), Err(OcspError::Nonce)),
    ] {
        let says = Says {
            nonce,
            ..Says::default()
        };
        let octets = answer(&root, &request, &says);
        assert_eq!(read(&question, &octets, Some(&ours)), expected, "row {row}");
    }
}

#[test]
fn what_is_no_answer_is_told_as_what_it_is_rfc6960_4_2_1() {
    let (root, question) = question();
    let request = question.request(None).unwrap();
    let whole = answer(&root, &request, &Says::default());
    for (number, name) in [
        (1, "malformedRequest"),
        (3, "tryLater"),
        (6, "unauthorized"),
    ] {
        let read = read(&question, &error(number), None)
            .unwrap_err()
            .to_string();
        assert!(read.contains(name), "row {number}: {read}");
    }
    for length in 0..whole.len() {
        assert!(
            read(&question, &whole[..length], None).is_err(),
            "row {length}"
        );
    }
    let mut longer = whole;
    longer.push(0);
    for octets in [
        &b"garbage"[..],
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        &longer,
    ] {
        assert_eq!(read(&question, octets, None), Err(OcspError::Unreadable));
    }
}

/// What a handshake is told.
fn online(verifier: &Verifier, chain: &Chain) -> Result<Online, String> {
    match verifier.online(chain, after(0)) {
        Ok(online) => Ok(online),
        Err(rustls::Error::InvalidCertificate(CertificateError::Revoked)) => Err("revoked".into()),
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => {
            Err(other.0.downcast_ref::<OnlineRefusal>().unwrap().to_string())
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn who_is_not_known_passes_softly_and_waits_in_hard_mode() {
    let root = Authority::root("Root");
    for fail in [Fail::Soft, Fail::Hard] {
        let watch = watch();
        let verifier = verifier(&root, &upkeep(&watch, Some(fail)));
        let chain = chain(&root, &verifier);
        let (unknown, silent) = match fail {
            Fail::Soft => (Ok(Online::Passes), Ok(Online::Passes)),
            Fail::Hard => (
                Ok(Online::Waits),
                Err("no OCSP responder says that the certificate is good: it is down".into()),
            ),
        };
        assert_eq!(online(&verifier, &chain), unknown, "row {fail:?}");
        let question = watch.take_question().unwrap();
        assert_eq!(online(&verifier, &chain), unknown, "asked once only");
        assert_eq!(watch.take_question(), None);
        let later = after(1);
        watch.told(&question, Told::Nothing("it is down".into()), later);
        assert_eq!(online(&verifier, &chain), silent, "row {fail:?}");
        watch.told(&question, Told::Good, later);
        assert_eq!(online(&verifier, &chain), Ok(Online::Passes));
        watch.told(&question, Told::Revoked, later);
        assert_eq!(online(&verifier, &chain), Err("revoked".into()));
        assert!(verifier.is_revoked(&chain.certificate().id));
        assert_eq!(
            watch.take_question(),
            None,
            "nobody is asked about what is known"
        );
    }
}

#[test]
fn revoked_stays_revoked_until_somebody_says_otherwise() {
    let root = Authority::root("Root");
    let watch = watch();
    let verifier = verifier(&root, &upkeep(&watch, Some(Fail::Soft)));
    let chain = chain(&root, &verifier);
    let question = Arc::clone(chain.question().unwrap());
    watch.told(&question, Told::Revoked, after(0));
    assert_eq!(online(&verifier, &chain), Err("revoked".into()));
    assert!(
        watch.take_question().is_some(),
        "its time has passed: it is asked again"
    );
    watch.told(&question, Told::Nothing("it is down".into()), after(1));
    assert_eq!(online(&verifier, &chain), Err("revoked".into()));
    watch.told(&question, Told::Good, after(1));
    assert_eq!(online(&verifier, &chain), Ok(Online::Passes));
}

#[test]
fn a_certificate_without_a_responder_passes_softly_only() {
    let root = Authority::root("Root");
    for (fail, expected) in [
        (Fail::Soft, Ok(Online::Passes)),
        (
            Fail::Hard,
            Err("the certificate names no OCSP responder, and none is configured".into()),
        ),
    ] {
        let watch = watch();
        let mut upkeep = upkeep(&watch, Some(fail));
        upkeep.online = Some(OnlineCheck {
            fail,
            has_responder: false,
        });
        let verifier = verifier(&root, &upkeep);
        let chain = chain(&root, &verifier);
        assert_eq!(online(&verifier, &chain), expected, "row {fail:?}");
        assert_eq!(watch.take_question(), None);
    }
}
