//! ActiveSync ids whose place on their device others have taken.

use portreeve::inventory::Change;
use portreeve::inventory::Lookup;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::Identifier;

use crate::at;
use crate::device;
use crate::eas;
use crate::inventory;
use crate::name;
use crate::said;
use crate::store::octets;
use crate::store::open_again;
use crate::store::origin;

/// After a factory reset a phone has another ActiveSync id: the last that it proves, or that its
/// management reports, is the one that counts.
#[test]
fn a_phone_after_a_factory_reset_is_found_by_its_new_id_alone_r36() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let stated = |id: &str, compliance| {
        vec![said(1, |device| {
            device.eas = Some(eas(id));
            device.owner = Some(name("alice@x"));
            device.compliance = Some(compliance);
        })]
    };
    let (good, bad) = (ComplianceState::Compliant, ComplianceState::NonCompliant);
    writer.apply(intune, at(1), stated("first", good));
    let counts = |ids: &[&str], row: &str| {
        for id in ["first", "second", "third", "fourth"] {
            let found = reader.find(&Identifier::Eas(eas(id), "alice@x"));
            let expected = ids.contains(&id);
            let has_place = reader.has_place(&eas(id), "ALICE@x", device(1));
            assert_eq!(has_place, expected, "row {row}: {id}");
            assert!(!reader.has_place(&eas(id), "alice@x", device(2)));
            assert!(!reader.has_place(&eas(id), "bob@x", device(1)));
            assert_eq!(
                matches!(found, Lookup::Found(..)),
                expected,
                "row {row}: {id} {found:?}"
            );
            assert!(expected || found == Lookup::Unknown, "row {row}: {found:?}");
        }
    };
    counts(&["first"], "stated");
    let changed = [Change::Device(device(1))];
    for (row, id, changes) in [
        ("proven", "second", &changed[..]),
        ("once more", "second", &[]),
        ("after another reset", "third", &changed),
        ("back", "second", &changed),
    ] {
        let told = writer.bind(eas(id), "Alice@x", device(1), at(2));
        assert_eq!(told, changes, "row {row}");
        counts(&[id], row);
    }
    // One that is stated and proved as well is one.
    writer.bind(eas("first"), "alice@x", device(1), at(2));
    counts(&["first"], "stated and proved");
    let described = reader.describe(device(1)).unwrap();
    let first = described.eas.iter().filter(|of| of.eas == eas("first"));
    assert_eq!(
        first.map(|of| of.learned).collect::<Vec<_>>(),
        [Some(at(2))]
    );
    writer.bind(eas("second"), "alice@x", device(1), at(2));
    // Its management goes on saying what it said before the reset.
    writer.apply(intune, at(3), stated("first", bad));
    counts(&["second"], "stated as before");
    let displaced = || {
        let described = reader.describe(device(1)).unwrap();
        let ids = described.eas.iter().filter(|of| of.is_displaced);
        let ids: Vec<_> = ids.map(|of| of.eas).collect();
        let alice = reader.user("alice@x").unwrap().user;
        let all = ids.iter().map(|id| (*id, alice)).collect();
        assert_eq!(reader.displaced(), all);
        ids.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(displaced(), ["first", "third"]);
    writer.apply(intune, at(4), stated("fourth", bad));
    counts(&["fourth"], "stated anew");
    assert_eq!(displaced(), ["first", "second", "third"]);
    assert_eq!(reader.describe(device(1)).unwrap().eas.len(), 4);
    writer.apply(intune, at(4), stated("third", bad));
    assert_eq!(displaced(), ["first", "fourth", "second"]);
    writer.apply(intune, at(4), stated("fourth", bad));
    // Another user's client on the same device has nothing to do with it.
    writer.bind(eas("second"), "bob@x", device(1), at(5));
    writer.bind(eas("third"), "carol@x", device(1), at(6));
    let find = |id, user| reader.find(&Identifier::Eas(eas(id), user));
    assert!(matches!(find("second", "bob@x"), Lookup::Found(..)));
    assert!(matches!(find("third", "carol@x"), Lookup::Found(..)));
    assert!(matches!(find("fourth", "alice@x"), Lookup::Found(..)));
}

/// People see what became of a mail client; nobody is to fill the memory with what he makes up.
#[test]
fn of_a_device_seven_displaced_ids_are_remembered() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    writer.apply(intune, at(1), vec![said(1, |_| {})]);
    for number in 0..10 {
        writer.bind(eas(&format!("id{number}")), "alice@x", device(1), at(2));
    }
    let described = reader.describe(device(1)).unwrap();
    let (displaced, others): (Vec<_>, Vec<_>) =
        described.eas.iter().partition(|of| of.is_displaced);
    let ids = displaced.iter().map(|of| of.eas.to_string());
    let expected = (2..9).map(|number| format!("id{number}"));
    assert_eq!(ids.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    assert_eq!(others.len(), 1);
    assert_eq!(reader.displaced().len(), 7);
    // They go with the device.
    writer.apply(intune, at(3), vec![Update::DeviceGone(device(1))]);
    assert!(reader.displaced().is_empty());
    writer.apply(intune, at(4), vec![said(1, |_| {})]);
    assert!(reader.displaced().is_empty());
}

#[test]
fn displaced_ids_are_known_after_a_restart() {
    let (mut writer, reader) = inventory();
    let files = writer.name_origin(&origin("files"));
    let stated = said(1, |device| {
        device.eas = Some(eas("stated"));
        device.owner = Some(name("alice@x"));
    });
    writer.apply(files, at(1), vec![stated, said(2, |_| {})]);
    for id in 0..9 {
        writer.bind(eas(&format!("id{id}")), "alice@x", device(1), at(2));
    }
    for user in 0..16 {
        writer.bind(eas("kiosk"), &format!("user{user}@x"), device(2), at(3));
    }
    let eas_of = |reader: &Reader| [1, 2].map(|one| reader.describe(device(one)).unwrap().eas);
    let before = eas_of(&reader);
    let displaced = before[0].iter().filter(|of| of.is_displaced);
    assert_eq!(displaced.count(), 8);
    let (_again, after) = open_again(&octets(&reader), &[origin("files")]).unwrap();
    assert_eq!(eas_of(&after), before);
    assert_eq!(after.displaced().len(), 8);
}
