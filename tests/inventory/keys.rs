//! Which identifiers find which device.

use portreeve::inventory::Change;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::EasUse;
use portreeve::inventory::Lookup;
use portreeve::inventory::Update;
use portreeve::model::CertificateId;
use portreeve::model::DeviceId;
use portreeve::model::EntraDeviceId;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;

use crate::at;
use crate::device;
use crate::eas;
use crate::found;
use crate::inventory;
use crate::name;
use crate::posture;
use crate::said;
use crate::user;

const MAC: MacAddress = MacAddress::new([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]);

#[test]
fn every_identifier_finds_its_device() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let entra = EntraDeviceId::from_u128(9);
    let certificate = CertificateId::new(b"ca", b"1");
    let changes = writer.apply(
        intune,
        at(1),
        vec![said(1, |device| {
            device.entra = Some(entra);
            device.serial = Some("C02XG0FDH7JY".parse().unwrap());
            device.macs = vec![MAC];
            device.certificates = vec![certificate];
            device.eas = Some(eas("ApplF17XYZ"));
            device.owner = Some(name("Alice@contoso.com"));
        })],
    );
    assert_eq!(changes, [Change::Device(device(1))]);
    for identifier in [
        Identifier::Device(device(1)),
        Identifier::Entra(entra),
        Identifier::Certificate(certificate),
        Identifier::Serial("C02XG0FDH7JY"),
        Identifier::Eas(eas("applf17xyz"), "ALICE@contoso.com"),
        Identifier::Mac(MAC),
    ] {
        assert_eq!(
            found(&reader, &identifier).device,
            device(1),
            "row {identifier:?}"
        );
    }
    for identifier in [
        Identifier::Device(device(2)),
        Identifier::Entra(EntraDeviceId::from_u128(1)),
        Identifier::Certificate(CertificateId::new(b"ca", b"2")),
        Identifier::Serial("C02XG0FDH7JZ"),
        Identifier::Serial(""),
        Identifier::Serial(&"X".repeat(300)),
        Identifier::Eas(eas("other"), "alice@contoso.com"),
        Identifier::Mac(MacAddress::new([0x00, 0x11, 0x22, 0x33, 0x44, 0x56])),
    ] {
        assert_eq!(
            reader.find(&identifier),
            Lookup::Unknown,
            "row {identifier:?}"
        );
    }
    let gone = writer.apply(intune, at(2), vec![Update::DeviceGone(device(1))]);
    assert_eq!(gone, [Change::Device(device(1))]);
    assert_eq!(reader.find(&Identifier::Mac(MAC)), Lookup::Unknown);
    assert_eq!(reader.find(&Identifier::Device(device(1))), Lookup::Unknown);
    assert!(reader.describe(device(1)).is_none());
}

#[test]
fn locally_administered_addresses_are_neither_kept_nor_found() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    for (number, text) in [
        (1, "02:11:22:33:44:55"),
        (2, "da:a1:19:00:00:01"),
        (3, "ff:ff:ff:ff:ff:ff"),
        (4, "00:00:00:00:00:00"),
    ] {
        let mac: MacAddress = text.parse().unwrap();
        writer.apply(
            intune,
            at(1),
            vec![said(number, |device| device.macs = vec![mac])],
        );
        assert_eq!(
            reader.find(&Identifier::Mac(mac)),
            Lookup::Unknown,
            "row {text}"
        );
        assert_eq!(
            reader.describe(device(number)).unwrap().macs,
            [],
            "row {text}"
        );
    }
}

#[test]
fn the_all_zero_entra_id_identifies_nothing() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let nil = EntraDeviceId::from_u128(0);
    let changes = writer.apply(
        intune,
        at(1),
        vec![
            said(1, |device| device.entra = Some(nil)),
            said(2, |device| device.entra = Some(nil)),
        ],
    );
    assert_eq!(changes, [1, 2].map(|number| Change::Device(device(number))));
    assert_eq!(reader.find(&Identifier::Entra(nil)), Lookup::Unknown);
}

#[test]
fn a_shared_key_finds_nobody_until_it_is_one_device_s_again() {
    type Give = fn(&mut DeviceReport);
    let rows: [(Identifier<'static>, Give); 4] = [
        (Identifier::Mac(MAC), |device| device.macs = vec![MAC]),
        (Identifier::Serial("AB12"), |device| {
            device.serial = Some("ab12".parse().unwrap());
        }),
        (Identifier::Entra(EntraDeviceId::from_u128(7)), |device| {
            device.entra = Some(EntraDeviceId::from_u128(7));
        }),
        (
            Identifier::Certificate(CertificateId::new(b"c", b"1")),
            |device| {
                device.certificates = vec![CertificateId::new(b"c", b"1")];
            },
        ),
    ];
    for (identifier, give) in rows {
        let (mut writer, reader) = inventory();
        let intune = writer.name_source("intune");
        writer.apply(intune, at(1), vec![said(1, give)]);
        let both = [1, 2].map(|number| Change::Device(device(number)));
        let changes = writer.apply(intune, at(2), vec![said(2, give)]);
        assert_eq!(
            changes, both,
            "the first device's sessions are concerned too"
        );
        writer.apply(intune, at(3), vec![said(3, give)]);
        assert_eq!(
            reader.find(&identifier),
            Lookup::Ambiguous,
            "row {identifier:?}"
        );
        writer.apply(intune, at(4), vec![Update::DeviceGone(device(3))]);
        assert_eq!(
            reader.find(&identifier),
            Lookup::Ambiguous,
            "row {identifier:?}"
        );
        assert_eq!(posture(&reader, 2).device, device(2));
        let changes = writer.apply(intune, at(5), vec![said(1, |_| {})]);
        assert_eq!(changes, both);
        assert_eq!(
            found(&reader, &identifier).device,
            device(2),
            "row {identifier:?}"
        );
    }
}

#[test]
fn a_key_may_move_from_one_device_to_another_in_one_batch() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    writer.apply(
        intune,
        at(1),
        vec![said(1, |device| device.macs = vec![MAC])],
    );
    let moved = vec![said(1, |_| {}), said(2, |device| device.macs = vec![MAC])];
    let changes = writer.apply(intune, at(2), moved);
    assert_eq!(changes.len(), 2);
    assert_eq!(found(&reader, &Identifier::Mac(MAC)).device, device(2));
}

#[test]
fn the_same_eas_id_of_two_users_is_two_devices_r36() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let id = eas("tablet01");
    let owned = |number: u128, owner: &str| {
        let owner = name(owner);
        said(number, |device| {
            device.eas = Some(id);
            device.owner = Some(owner);
        })
    };
    writer.apply(intune, at(1), vec![owned(1, "alice@x"), owned(2, "bob@x")]);
    let find = |user| reader.find(&Identifier::Eas(id, user));
    assert!(matches!(find("alice@x"), Lookup::Found(found, _) if found.device == device(1)));
    assert!(matches!(find("bob@x"), Lookup::Found(found, _) if found.device == device(2)));
    assert_eq!(find("mallory@x"), Lookup::OfAnotherUser);
    assert_eq!(find(""), Lookup::OfAnotherUser);
    // Two devices of one user with one id: which of them asks cannot be told.
    writer.apply(intune, at(2), vec![owned(2, "alice@x")]);
    assert_eq!(find("alice@x"), Lookup::Ambiguous);
    assert_eq!(find("bob@x"), Lookup::OfAnotherUser);
    let both = [1, 2].map(|number| Update::DeviceGone(device(number)));
    writer.apply(intune, at(3), both.into());
    assert_eq!(find("mallory@x"), Lookup::Unknown);
}

#[test]
fn a_family_s_tablet_may_be_bound_to_each_of_them_r36() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let id = eas("tablet01");
    writer.apply(
        intune,
        at(1),
        vec![said(1, |device| {
            device.eas = Some(id);
            device.owner = Some(name("alice@x"));
        })],
    );
    let generation = reader.generation();
    let bound = [Change::Device(device(1))];
    assert_eq!(writer.bind(id, "bob@x", device(1), at(2)), bound);
    assert_eq!(writer.bind(id, "Carol@x", device(1), at(3)), bound);
    assert_eq!(reader.generation(), generation + 2);
    for (user, why) in [
        ("alice@x", "the source says so"),
        ("carol@x", "it is bound already"),
        ("", "nobody"),
    ] {
        assert_eq!(writer.bind(id, user, device(1), at(4)), [], "row {why}");
    }
    assert_eq!(
        writer.bind(id, "bob@x", device(9), at(4)),
        [],
        "unknown device"
    );
    for user in ["alice@x", "bob@x", "CAROL@x"] {
        assert_eq!(found(&reader, &Identifier::Eas(id, user)).device, device(1));
    }
    assert_eq!(
        reader.describe(device(1)).unwrap().eas,
        [
            ("alice@x", None),
            ("bob@x", Some(at(2))),
            ("carol@x", Some(at(4)))
        ]
        .map(|(user, learned)| EasUse {
            eas: id,
            user: Some(name(user)),
            learned,
            is_displaced: false,
        })
    );
    // The binding goes with the device, and does not come back by itself.
    writer.apply(intune, at(5), vec![Update::DeviceGone(device(1))]);
    writer.apply(intune, at(6), vec![said(1, |_| {})]);
    let lost = reader.find(&Identifier::Eas(id, "bob@x"));
    assert_eq!(lost, Lookup::Unknown);
}

#[test]
fn the_oldest_of_seventeen_bindings_makes_room() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let id = eas("kiosk");
    writer.apply(intune, at(1), vec![said(1, |_| {})]);
    for number in 0..17 {
        let user = format!("user{number}@x");
        writer.bind(id, &user, device(1), at(10 + number));
    }
    let find = |user| reader.find(&Identifier::Eas(id, user));
    assert_eq!(find("user0@x"), Lookup::OfAnotherUser);
    assert!(matches!(find("user1@x"), Lookup::Found(..)));
    assert!(matches!(find("user16@x"), Lookup::Found(..)));
}

#[test]
fn an_ownerless_device_is_anybody_s_until_somebody_is_seen_to_use_it() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let id = eas("kiosk");
    writer.apply(intune, at(1), vec![said(1, |device| device.eas = Some(id))]);
    let find = |user| reader.find(&Identifier::Eas(id, user));
    assert!(matches!(find("alice@x"), Lookup::Found(found, _) if found.owner.is_none()));
    // So there is something to learn.
    assert!(!reader.has_place(&id, "bob@x", device(1)));
    writer.bind(id, "bob@x", device(1), at(2));
    assert!(reader.has_place(&id, "bob@x", device(1)));
    assert!(matches!(find("bob@x"), Lookup::Found(..)));
    assert_eq!(find("alice@x"), Lookup::OfAnotherUser);
}

#[test]
fn a_binding_that_makes_another_device_ambiguous_says_so() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let id = eas("appl1");
    writer.apply(intune, at(1), vec![said(1, |_| {}), said(2, |_| {})]);
    let [one, two] = [1, 2].map(|number| Change::Device(device(number)));
    assert_eq!(writer.bind(id, "bob@x", device(1), at(2)), [one]);
    assert_eq!(writer.bind(id, "bob@x", device(2), at(3)), [one, two]);
    assert_eq!(
        reader.find(&Identifier::Eas(id, "bob@x")),
        Lookup::Ambiguous
    );
    assert_eq!(writer.bind(id, "carol@x", device(2), at(4)), [two]);
    assert_eq!(writer.bind(id, "carol@x", device(2), at(5)), []);
}

#[test]
fn an_eas_id_follows_its_owner_s_names_r36() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let id = eas("appl1");
    // The device arrives first and names its owner by an alias.
    let owned = said(1, |device| {
        device.eas = Some(id);
        device.owner = Some(name("CONTOSO\\alice"));
    });
    writer.apply(intune, at(1), vec![owned, said(2, |_| {})]);
    writer.bind(eas("learned"), "contoso\\alice", device(2), at(1));
    let alias = reader.user("contoso\\alice").unwrap().user;
    assert_eq!(posture(&reader, 1).owner, Some(alias));
    let alice = user("alice@contoso.com", &["CONTOSO\\alice"]);
    let changes = writer.apply(intune, at(2), vec![Update::User(alice)]);
    let own = reader.user("alice@contoso.com").unwrap().user;
    assert_ne!(alias, own);
    assert_eq!(reader.user_name(own), Some(&name("alice@contoso.com")));
    for change in [
        Change::Device(device(1)),
        Change::Device(device(2)),
        Change::User(own),
    ] {
        assert!(changes.contains(&change), "{change:?}");
    }
    assert_eq!(posture(&reader, 1).owner, Some(own));
    for (identifier, expected) in [
        (Identifier::Eas(id, "alice@contoso.com"), device(1)),
        (Identifier::Eas(id, "contoso\\alice"), device(1)),
        (
            Identifier::Eas(eas("learned"), "alice@contoso.com"),
            device(2),
        ),
    ] {
        assert_eq!(
            found(&reader, &identifier).device,
            expected,
            "row {identifier:?}"
        );
    }
    writer.apply(
        intune,
        at(3),
        vec![Update::UserGone(name("alice@contoso.com"))],
    );
    assert_eq!(posture(&reader, 1).owner, Some(alias));
    let stranger = reader.find(&Identifier::Eas(id, "alice@contoso.com"));
    assert_eq!(stranger, Lookup::OfAnotherUser);
}

#[test]
fn a_report_keeps_a_bounded_number_of_addresses() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let macs: Vec<MacAddress> = (0..=255)
        .map(|last| MacAddress::new([0, 1, 2, 3, 4, last]))
        .collect();
    let changes = writer.apply(
        intune,
        at(1),
        vec![said(1, |device| device.macs = macs.clone())],
    );
    assert_eq!(changes, [Change::Device(DeviceId::from_u128(1))]);
    let kept = reader.describe(device(1)).unwrap().macs;
    assert_eq!(kept.len(), DeviceReport::MAX_IDENTIFIERS);
    assert!(kept.iter().all(|mac| macs.contains(mac)));
}

#[test]
fn a_device_and_a_user_are_found_together_as_one_after_the_other() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let mut shared = vec![Update::User(user(
        "alice@contoso.com",
        &["CONTOSO\\alice", "both"],
    ))];
    shared.push(Update::User(user("bob@contoso.com", &["both"])));
    for number in [1, 2] {
        shared.push(said(number, |device| {
            device.macs = vec![MAC];
            device.eas = Some(eas("ApplF17XYZ"));
            device.owner = Some(name("alice@contoso.com"));
        }));
    }
    writer.apply(intune, at(1), shared);
    let long = "x".repeat(300);
    let read_ahead = [MAC, MacAddress::new([2; 6]), MacAddress::new([0; 6])];
    reader.read_ahead(&read_ahead);
    reader.read_ahead(&[MAC; 100]);
    let mut found = 0;
    for identifier in [
        Identifier::Device(device(1)),
        Identifier::Device(device(3)),
        Identifier::Mac(MAC),
        Identifier::Mac(MacAddress::new([2; 6])),
        Identifier::Eas(eas("applf17xyz"), "ALICE@contoso.com"),
    ] {
        for name in [
            "Alice@contoso.com",
            "contoso\\ALICE",
            "both",
            "nobody",
            "",
            &long,
        ] {
            let expected = (reader.find(&identifier), reader.user(name));
            assert_eq!(
                reader.find_with_user(&identifier, name),
                expected,
                "row {identifier:?}, {name}"
            );
            found += usize::from(matches!(expected, (Lookup::Found(..), Some(_))));
        }
    }
    assert_eq!(found, 2, "a device and a user, by either of her names");
}
