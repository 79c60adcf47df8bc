//! Any octets as the saved sessions of an earlier start.

use std::sync::Arc;
use std::sync::OnceLock;

use portreeve::access::DecisionPoint;
use portreeve::access::Silence;
use portreeve::inventory;
use portreeve::model::Secret;
use portreeve::model::Timestamp;
use portreeve::network::Admissions;
use portreeve::policy;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::Nas;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;

/// Places in the table.
const CAPACITY: usize = 16;

/// One run.
pub fn drive(octets: &[u8]) {
    static WORLD: OnceLock<(Arc<DecisionPoint>, Arc<Nas>)> = OnceLock::new();
    let (point, nas) = WORLD.get_or_init(world);
    let now = Timestamp::from_unix_seconds(1_780_315_200);
    let silence = Silence::default();
    let admissions = || Admissions::new(Arc::clone(point), CAPACITY);
    let first = admissions();
    let restored = first.restore(now, &silence, octets, |_| Some(Arc::clone(nas)));
    assert!(first.len() <= CAPACITY);
    assert!(restored.sessions >= first.len());
    // What was read is what is saved, and can be read again.
    let lines = first.save();
    let second = admissions();
    let again = second.restore(now, &silence, &lines, |_| Some(Arc::clone(nas)));
    assert_eq!(again.unreadable, 0);
    assert_eq!(second.len(), first.len());
    second.sweep_all(now);
    second.expire(now, &silence);
}

/// What decides, with an inventory of nobody, and a NAS that takes requests.
fn world() -> (Arc<DecisionPoint>, Arc<Nas>) {
    let (_, reader) = inventory::open(inventory::Config::new([5; 16]));
    let text = include_str!("../../../conf/policy.toml");
    let (policy, _) = policy::parse("policy.toml", text).expect("the sample");
    let config = NasConfig {
        name: "ap".to_owned(),
        group: "office".to_owned(),
        network: "192.0.2.0/24".parse().expect("a network"),
        secret: Secret::new(b"0123456789abcdef".to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: Some(3799.into()),
    };
    let table = NasTable::new(vec![config]).expect("a NAS");
    let nas = Arc::clone(table.iter().next().expect("it is there"));
    (Arc::new(DecisionPoint::new(reader, policy)), nas)
}
