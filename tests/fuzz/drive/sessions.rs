//! Any octets as the saved sessions of an earlier start.

use std::sync::Arc;
use std::sync::OnceLock;

use portreeve::network::Admissions;
use portreeve::radius::Nas;
use portreeve::radius::NasTable;

use world::World;
use world::nas_config;
use world::noon;

#[path = "../../support/world.rs"]
#[allow(dead_code, reason = "of tests, and more than is needed here")]
mod world;

/// Places in the table.
const CAPACITY: usize = 16;

/// One run.
pub fn drive(octets: &[u8]) {
    static WORLD: OnceLock<(World, Arc<Nas>)> = OnceLock::new();
    let (world, nas) = WORLD.get_or_init(|| {
        let mut config = nas_config("ap", "office", "192.0.2.0/24");
        config.dynamic_authorization = Some(3799);
        let table = NasTable::new(vec![config]).expect("a NAS");
        let nas = Arc::clone(table.iter().next().expect("it is there"));
        (World::new(Vec::new()), nas)
    });
    let now = noon().wall;
    let admissions = || Admissions::new(Arc::clone(&world.point), CAPACITY);
    let first = admissions();
    let restored = first.restore(now, octets, |_| Some(Arc::clone(nas)));
    assert!(first.len() <= CAPACITY);
    assert!(restored.sessions >= first.len());
    // What was read is what is saved, and can be read again.
    let lines = first.save();
    let second = admissions();
    let again = second.restore(now, &lines, |_| Some(Arc::clone(nas)));
    assert_eq!(again.unreadable, 0);
    assert_eq!(second.len(), first.len());
    second.sweep_all(now);
    second.expire(now);
}
