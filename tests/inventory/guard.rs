//! Complete lists that are too short to be true.

use portreeve::inventory::Change;
use portreeve::inventory::Complete;
use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Guard;
use portreeve::inventory::Kind;
use portreeve::inventory::Refused;
use portreeve::inventory::open;
use portreeve::model::Identifier;
use portreeve::model::SourceId;
use portreeve::model::Tri;

use crate::at;
use crate::device;
use crate::inventory;
use crate::posture;
use crate::report;
use crate::said;
use crate::user;

fn devices(numbers: std::ops::Range<u128>) -> Complete {
    Complete {
        devices: numbers
            .map(|number| report(number, |device| device.managed = Tri::Yes))
            .collect(),
        ..Complete::default()
    }
}

#[test]
fn an_empty_list_never_empties_the_inventory() {
    for had in [1, 49, 1000] {
        let (mut writer, reader) = inventory();
        let intune = writer.name_source("intune");
        writer.replace(intune, at(1), devices(0..had)).unwrap();
        let before = posture(&reader, 0);
        let refused = writer.replace(intune, at(2), Complete::default());
        let had = usize::try_from(had).unwrap();
        assert_eq!(
            refused,
            Err(Refused::Empty {
                source_name: "intune".to_owned(),
                kind: Kind::Devices,
                had,
            })
        );
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!("the complete list of intune has no devices, and the last one had {had}")
        );
        assert_eq!(reader.device_count(), had);
        assert_eq!(posture(&reader, 0), before, "ages stay what they were");
    }
}

#[test]
fn a_list_is_refused_when_more_than_a_tenth_and_fifty_are_missing() {
    for (had, given, taken) in [
        (1000, 910, true),
        (1000, 900, true),
        (1000, 890, false),
        (1000, 899, false),
        (1000, 1, false),
        // Fewer than fifty may go at any percentage.
        (60, 11, true),
        (60, 10, false),
        (49, 1, true),
        // More than before is always taken.
        (10, 5000, true),
    ] {
        let (mut writer, reader) = inventory();
        let intune = writer.name_source("intune");
        writer.replace(intune, at(1), devices(0..had)).unwrap();
        let result = writer.replace(intune, at(2), devices(0..given));
        assert_eq!(result.is_ok(), taken, "row {had} {given}");
        let left = usize::try_from(if taken { given } else { had }).unwrap();
        assert_eq!(reader.device_count(), left, "row {had} {given}");
    }
}

#[test]
fn what_is_missing_counts_even_if_as_many_are_new() {
    let (mut writer, _) = inventory();
    let intune = writer.name_source("intune");
    writer.replace(intune, at(1), devices(0..1000)).unwrap();
    let refused = writer.replace(intune, at(2), devices(500..1500));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "the complete list of intune leaves out 500 of 1000 devices, more than 10 %"
    );
}

#[test]
fn an_operator_may_force_a_short_list() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    writer.replace(intune, at(1), devices(0..1000)).unwrap();
    let short = Complete {
        force: true,
        ..devices(0..1)
    };
    assert_eq!(writer.replace(intune, at(2), short).unwrap().len(), 999);
    assert_eq!(reader.device_count(), 1);
    let none = Complete {
        force: true,
        ..Complete::default()
    };
    let gone = writer.replace(intune, at(3), none).unwrap();
    assert_eq!(gone, [Change::Device(device(0))]);
    assert_eq!(reader.device_count(), 0);
}

#[test]
fn the_guard_is_configurable() {
    let (mut writer, _) = open(Config {
        guard: Guard {
            percent: 50,
            at_least: 2,
        },
        ..Config::new([1; 16])
    });
    let intune = writer.name_source("intune");
    writer.replace(intune, at(1), devices(0..10)).unwrap();
    assert!(writer.replace(intune, at(2), devices(0..4)).is_err());
    assert!(writer.replace(intune, at(3), devices(0..5)).is_ok());
}

#[test]
fn users_are_guarded_like_devices() {
    let (mut writer, reader) = inventory();
    let entra = writer.name_source("entra");
    let users = Complete {
        users: (0..100).map(|n| user(&format!("u{n}@x"), &[])).collect(),
        ..devices(0..1)
    };
    writer.replace(entra, at(1), users).unwrap();
    let without_users = writer.replace(entra, at(2), devices(0..1));
    assert_eq!(
        without_users.unwrap_err().to_string(),
        "the complete list of entra has no users, and the last one had 100"
    );
    assert_eq!(reader.user_count(), 100);
}

#[test]
fn one_source_s_short_list_is_judged_by_its_own_devices() {
    let (mut writer, reader) = inventory();
    let [intune, jamf] = ["intune", "jamf"].map(|source| writer.name_source(source));
    writer.replace(intune, at(1), devices(0..1000)).unwrap();
    writer.replace(jamf, at(2), devices(1000..1010)).unwrap();
    writer.replace(jamf, at(3), devices(1000..1005)).unwrap();
    assert_eq!(reader.device_count(), 1005);
}

#[test]
fn a_source_without_a_number_changes_nothing() {
    let (mut writer, reader) = inventory();
    for source in [SourceId::NONE, SourceId(7)] {
        assert_eq!(
            writer.replace(source, at(1), devices(0..1)),
            Err(Refused::NoSource(source))
        );
        assert_eq!(writer.apply(source, at(1), vec![said(1, |_| {})]), []);
    }
    assert_eq!(reader.device_count(), 0);
}

#[test]
fn the_256th_source_gets_no_number() {
    let (mut writer, reader) = inventory();
    for number in 1..=255 {
        let source = writer.name_source(&format!("s{number}"));
        assert_eq!(source, SourceId(number));
    }
    assert_eq!(writer.name_source("s1"), SourceId(1));
    assert_eq!(writer.name_source("one more"), SourceId::NONE);
    assert_eq!(reader.source_name(SourceId(255)).as_deref(), Some("s255"));
    assert_eq!(reader.source_name(SourceId::NONE), None);
}

#[test]
fn of_two_reports_of_a_device_in_one_list_the_later_counts() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let twice: Vec<DeviceReport> = [Tri::No, Tri::Yes]
        .map(|managed| report(1, |device| device.managed = managed))
        .into();
    let list = Complete {
        devices: twice,
        ..Complete::default()
    };
    writer.replace(intune, at(1), list).unwrap();
    assert_eq!(posture(&reader, 1).managed.value, Tri::Yes);
    assert_eq!(reader.device_count(), 1);
    assert!(matches!(
        reader.find(&Identifier::Device(device(2))),
        portreeve::inventory::Lookup::Unknown
    ));
}
