//! Any octets as a saved inventory.

use portreeve::inventory::Config;
use portreeve::inventory::Damaged;
use portreeve::inventory::Lookup;
use portreeve::inventory::Origin;
use portreeve::inventory::Reader;
use portreeve::inventory::Writer;
use portreeve::inventory::reopen;
use portreeve::model::Identifier;

/// One run.
pub fn drive(octets: &[u8]) {
    let Ok((_writer, reader)) = open(octets) else {
        return;
    };
    let mut devices = 0;
    for (posture, groups) in reader.devices() {
        devices += 1;
        let found = reader.find(&Identifier::Device(posture.device));
        assert_eq!(found, Lookup::Found(posture, groups));
        assert!(reader.groups(groups).is_sorted_by(|a, b| a < b));
        let described = reader.describe(posture.device).expect("it is known");
        assert!(!described.sources.is_empty());
        if let Some(owner) = posture.owner {
            assert!(reader.user_name(owner).is_some());
        }
    }
    assert_eq!(devices, reader.device_count());
    // What was read is what is saved, whatever stood beside it.
    let saved = reader.save().parts().concat();
    let (_writer, again) = open(&saved).expect("what was saved is read");
    assert_eq!(again.device_count(), reader.device_count());
    assert_eq!(again.user_count(), reader.user_count());
    assert_eq!(again.save().parts().concat().len(), saved.len());
}

fn open(octets: &[u8]) -> Result<(Writer, Reader), Damaged> {
    let sources = ["one", "two"].map(|name| Origin {
        name: name.to_owned(),
        place: format!("/{name}"),
    });
    reopen(&Config::new([5; 16]), &sources, octets, in_turn)
}

fn in_turn(job: &(dyn Fn(usize) + Sync), jobs: usize) {
    (0..jobs).for_each(job);
}
