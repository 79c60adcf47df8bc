use rcgen::CertificateParams;
use rcgen::KeyPair;

use super::*;

fn certificate(name: &str) -> Arc<CertificateIdentity> {
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    Arc::new(CertificateIdentity::parse(certificate.der()).unwrap())
}

fn past(certificate: &Arc<CertificateIdentity>) -> Past {
    Past {
        who: Who::Holder(Arc::new(Chain::of_names(Arc::clone(certificate)))),
        authenticated_at: at(0),
        trust: trust(),
    }
}

fn trust() -> Fingerprint {
    Fingerprint::of(b"roots")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn value(octets: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![1; octets])
}

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn get_keeps_and_take_removes() {
    let store = Resumption::new(16, HOUR);
    store.store([1; 32], value(3), past(&certificate("a")));
    let found = |take| store.find(&[1; 32], at(1), trust(), take);
    assert_eq!(*found(false).unwrap().0, [1, 1, 1]);
    assert_eq!(*found(true).unwrap().0, [1, 1, 1]);
    assert!(found(true).is_none());
    assert!(store.is_empty());
}

#[test]
fn other_ids_expired_entries_and_other_anchors_are_not_found() {
    let other = Fingerprint::of(b"other roots");
    for (row, id, seconds, trust, expected) in [
        ("found", &[1; 32][..], 3599, trust(), true),
        ("expired", &[1; 32], 3600, trust(), false),
        ("other anchors", &[1; 32], 1, other, false),
        ("other id", &[2; 32], 1, trust(), false),
        ("short id", &[1; 31], 1, trust(), false),
        ("empty id", &[], 1, trust(), false),
    ] {
        let store = Resumption::new(16, HOUR);
        store.store([1; 32], value(3), past(&certificate("a")));
        let found = store.find(id, at(seconds), trust, false);
        assert_eq!(found.is_some(), expected, "row {row}");
    }
}

#[test]
fn no_lifetime_is_longer_than_seven_days_rfc8446_4_6_1() {
    let store = Resumption::new(16, Duration::from_hours(24 * 365));
    store.store([1; 32], value(3), past(&certificate("a")));
    let seven_days = 7 * 24 * 3600;
    let found = |seconds| store.find(&[1; 32], at(seconds), trust(), false);
    assert!(found(seven_days - 1).is_some());
    assert!(found(seven_days).is_none());
}

#[test]
fn entries_and_octets_are_bounded_and_the_oldest_goes() {
    let certificate = certificate("a");
    let store = Resumption::new(32, HOUR);
    for number in 0..=255 {
        // One shard: ids that differ in their last octet only.
        let mut id = [16; 32];
        id[31] = number;
        store.store(id, value(3), past(&certificate));
    }
    assert_eq!(store.len(), 2);
    let mut newest = [16; 32];
    newest[31] = 255;
    assert!(store.find(&newest, at(1), trust(), false).is_some());
    let mut oldest = newest;
    oldest[31] = 0;
    assert!(store.find(&oldest, at(1), trust(), false).is_none());

    for number in 0..=255 {
        store.store([number; 32], value(OCTETS_EACH), past(&certificate));
    }
    assert_eq!(store.len(), 32);
    store.store([0; 32], value(2 * OCTETS_EACH + 1), past(&certificate));
    assert!(store.find(&[0; 32], at(1), trust(), false).is_none());
}

#[test]
fn the_same_id_replaces_its_entry() {
    let store = Resumption::new(16, HOUR);
    let certificate = certificate("a");
    store.store([1; 32], value(3), past(&certificate));
    store.store([1; 32], value(4), past(&certificate));
    assert_eq!(store.len(), 1);
    let found = store.find(&[1; 32], at(1), trust(), false);
    assert_eq!(found.unwrap().0.len(), 4);
}

#[test]
fn forgets_what_matches_only() {
    let store = Resumption::new(64, HOUR);
    let (lost, kept) = (certificate("lost"), certificate("kept"));
    for number in 0..8 {
        let owner = if number % 2 == 0 { &lost } else { &kept };
        store.store([number; 32], value(3), past(owner));
    }
    let id = lost.id;
    assert_eq!(store.forget(|certificate| certificate.id == id), 4);
    assert_eq!(store.len(), 4);
    assert!(store.find(&[0; 32], at(1), trust(), false).is_none());
    assert!(store.find(&[1; 32], at(1), trust(), false).is_some());
    store.clear();
    assert!(store.is_empty());
}

#[test]
fn debug_shows_bounds_only() {
    let store = Resumption::new(20, HOUR);
    store.store([1; 32], value(3), past(&certificate("secret-name")));
    let text = format!("{store:?}");
    assert!(text.contains("most_entries: 32") && !text.contains("secret-name"));
}
