//! That look-ups do not allocate.

#[path = "../support/alloc.rs"]
mod counting;

use portreeve::inventory::Lookup;
use portreeve::inventory::Update;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;

use crate::at;
use crate::device;
use crate::eas;
use crate::groups;
use crate::inventory;
use crate::name;
use crate::said;
use crate::user;

#[test]
fn look_ups_do_not_allocate() {
    let (mut writer, reader) = inventory();
    let source = writer.name_source("file");
    let mac = MacAddress::new([0, 1, 2, 3, 4, 5]);
    let mut alice = user("alice@x", &["X\\alice"]);
    alice.groups = groups(&["staff"]);
    let phone = said(1, |device| {
        device.macs = vec![mac];
        device.serial = Some("AB12".parse().unwrap());
        device.eas = Some(eas("appl1"));
        device.owner = Some(name("alice@x"));
    });
    writer.apply(source, at(1), vec![Update::User(alice), phone]);
    let identifiers = [
        (Identifier::Device(device(1)), true),
        (Identifier::Serial("AB12"), true),
        (Identifier::Eas(eas("appl1"), "X\\ALICE"), true),
        (Identifier::Mac(mac), true),
        (Identifier::Device(device(2)), false),
        (Identifier::Eas(eas("appl1"), "nobody"), false),
    ];
    let before = counting::allocations();
    let finds = identifiers.map(|(identifier, expected)| {
        matches!(reader.find(&identifier), Lookup::Found(..)) == expected
    });
    let alice = reader
        .user("X\\ALICE")
        .map(|entry| reader.groups(entry.groups).len());
    let generation = reader.generation();
    let after = counting::allocations();
    assert_eq!(after, before);
    assert_eq!((finds, alice, generation), ([true; 6], Some(1), 1));
    // The count does count: a description allocates.
    assert!(reader.describe(device(1)).is_some());
    assert!(counting::allocations() > after);
}
