//! What authorities send: revocation lists, and answers of OCSP responders.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use portreeve::trust::Fail;
use portreeve::trust::Material;
use portreeve::trust::OnlineCheck;
use portreeve::trust::Question;
use portreeve::trust::RevocationList;
use portreeve::trust::Upkeep;
use portreeve::trust::Verifier;
use portreeve::trust::Watch;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::UnixTime;

/// By the first octet: a list, or an answer about a device.
pub fn drive(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    if kind % 2 == 0 {
        let read = |octets| RevocationList::read(octets, "fuzz").map(|list| list.len());
        let list = read(rest);
        assert_eq!(read(rest), list);
        // A list is whole or it is not.
        if let (Ok(_), Some((_, cut))) = (list, rest.split_last()) {
            assert!(read(cut).is_err());
        }
        return;
    }
    let question = question();
    let algorithms = default_provider().signature_verification_algorithms;
    let read = |octets: &[u8], now| {
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let hour = Duration::from_hours(1);
        question.answer(octets, None, &algorithms, now, hour)
    };
    let answer = read(rest, NOW);
    if let (Ok(answer), Some((_, cut))) = (answer, rest.split_last()) {
        assert!(answer.until.as_secs() <= NOW + 3600);
        assert!(read(cut, NOW).is_err());
        // An hour before it was made it says nothing.
        assert!(read(rest, NOW - 100 * 24 * 3600).is_err());
    }
}

fn question() -> &'static Question {
    static QUESTION: OnceLock<Arc<Question>> = OnceLock::new();
    QUESTION.get_or_init(|| {
        let provider = Arc::new(default_provider());
        let watch = Arc::new(Watch::new(provider.signature_verification_algorithms));
        let root = CertificateDer::from(ROOT.to_vec());
        let upkeep = Upkeep {
            watch,
            demand_current: false,
            grace: Duration::ZERO,
            follow_points: true,
            online: Some(OnlineCheck {
                fail: Fail::Hard,
                has_responder: false,
            }),
        };
        let material = Material {
            roots: &[root],
            upkeep: Some(&upkeep),
            ..Material::default()
        };
        let verifier = Verifier::build(material, &provider).expect("the root is good");
        let now = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        let chain = verifier
            .verify(&CertificateDer::from(DEVICE), &[], now)
            .expect("the device is good");
        Arc::clone(chain.question().expect("there is a responder"))
    })
}

const ROOT: &[u8] = include_bytes!("../../vectors/ocsp-root.der");
const DEVICE: &[u8] = include_bytes!("../../vectors/ocsp-device.der");

/// A moment in which the answers of the corpus count: 2026-11-29T00:00:00Z.
const NOW: u64 = 1_795_910_400;
