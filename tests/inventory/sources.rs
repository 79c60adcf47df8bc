//! Several sources, ages, changes and descriptions.

use portreeve::inventory::Change;
use portreeve::inventory::Complete;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::Fact;
use portreeve::model::Identifier;
use portreeve::model::Retirement;
use portreeve::model::ThreatLevel;
use portreeve::model::Tri;

use crate::at;
use crate::device;
use crate::groups;
use crate::inventory;
use crate::name;
use crate::posture;
use crate::report;
use crate::said;

fn list(devices: &[DeviceReport]) -> Complete {
    Complete {
        devices: devices.to_vec(),
        ..Complete::default()
    }
}

fn compliant(number: u128) -> DeviceReport {
    report(number, |device| {
        device.compliance = Some(ComplianceState::Compliant);
    })
}

#[test]
fn another_source_s_word_comes_back_when_the_first_falls_silent() {
    let (mut writer, reader) = inventory();
    let [intune, jamf] = ["intune", "jamf"].map(|source| writer.name_source(source));
    let by_jamf = report(1, |device| {
        device.compliance = Some(ComplianceState::NonCompliant);
        device.encrypted = Tri::Yes;
    });
    writer.apply(jamf, at(1), vec![Update::Device(by_jamf)]);
    writer
        .replace(intune, at(2), list(&[compliant(1), compliant(2)]))
        .unwrap();
    let both = posture(&reader, 1);
    let compliance = Fact::new(ComplianceState::Compliant, intune, at(2));
    assert_eq!(both.compliance, compliance);
    assert_eq!(both.encrypted, Fact::new(Tri::Yes, jamf, at(1)));
    let changes = writer
        .replace(intune, at(3), list(&[compliant(2)]))
        .unwrap();
    assert_eq!(changes, [Change::Device(device(1))]);
    let one = posture(&reader, 1);
    let compliance = Fact::new(ComplianceState::NonCompliant, jamf, at(1));
    assert_eq!(one.compliance, compliance);
    let changes = writer.apply(jamf, at(4), vec![Update::DeviceGone(device(1))]);
    assert_eq!(changes, [Change::Device(device(1))]);
    assert_eq!(reader.device_count(), 1);
}

#[test]
fn retirement_is_visible_at_once_r40() {
    let (mut writer, reader) = inventory();
    let [intune, exchange] = ["intune", "exchange"].map(|source| writer.name_source(source));
    writer.apply(intune, at(1), vec![Update::Device(compliant(1))]);
    for (source, retirement) in [(intune, Retirement::Retired), (exchange, Retirement::Wiped)] {
        let generation = reader.generation();
        let retired = said(1, |device| device.retirement = retirement);
        let changes = writer.apply(source, at(2), vec![retired]);
        assert_eq!(changes, [Change::Device(device(1))], "row {source:?}");
        assert_eq!(posture(&reader, 1).retirement, retirement, "row {source:?}");
        assert_eq!(reader.generation(), generation + 1, "row {source:?}");
        writer.apply(source, at(3), vec![Update::DeviceGone(device(1))]);
    }
}

#[test]
fn a_walk_over_unchanged_devices_changes_nothing_but_ages_r49() {
    let (mut writer, reader) = inventory();
    let intune = writer.name_source("intune");
    let all: Vec<DeviceReport> = (0..100).map(compliant).collect();
    writer.replace(intune, at(10), list(&all)).unwrap();
    let generation = reader.generation();
    assert_eq!(writer.replace(intune, at(20), list(&all)), Ok(vec![]));
    assert_eq!(reader.generation(), generation);
    assert_eq!(posture(&reader, 7).compliance.observed, at(20));
    assert_eq!(reader.walked(intune), Some(at(20)));
    let known = reader.describe(device(7)).unwrap();
    assert_eq!(known.sources, [(intune, at(20))]);
}

#[test]
fn an_unchanged_delta_refreshes_its_device_only_r49() {
    let (mut writer, reader) = inventory();
    let [intune, jamf] = ["intune", "jamf"].map(|source| writer.name_source(source));
    let other = said(1, |device| device.threat = Some(ThreatLevel::Secured));
    writer.apply(jamf, at(1), vec![other]);
    let both = [1, 2].map(|number| Update::Device(compliant(number)));
    writer.apply(intune, at(1), both.into());
    let changes = writer.apply(intune, at(9), vec![Update::Device(compliant(1))]);
    assert_eq!(changes, []);
    let refreshed = posture(&reader, 1);
    assert_eq!(refreshed.compliance.observed, at(9));
    assert_eq!(refreshed.threat.observed, at(1));
    assert_eq!(posture(&reader, 2).compliance.observed, at(1));
}

#[test]
fn only_what_decides_is_a_change() {
    type Alter = fn(&mut DeviceReport);
    let rows: [(&str, Alter, bool); 8] = [
        ("nothing", |_| {}, false),
        (
            "name",
            |device| device.name = Some("Ann's phone".to_owned()),
            false,
        ),
        (
            "model",
            |device| device.model = Some("X1".to_owned()),
            false,
        ),
        (
            "platform",
            |device| device.platform = portreeve::model::Platform::Ios,
            true,
        ),
        (
            "version",
            |device| device.os_version = "17".parse().unwrap(),
            true,
        ),
        ("owner", |device| device.owner = Some(name("a")), true),
        ("groups", |device| device.groups = groups(&["g"]), true),
        (
            "key",
            |device| device.serial = Some("AB1".parse().unwrap()),
            true,
        ),
    ];
    for (row, alter, expected) in rows {
        let (mut writer, reader) = inventory();
        let intune = writer.name_source("intune");
        writer.apply(intune, at(1), vec![said(1, |_| {})]);
        let generation = reader.generation();
        let changes = writer.apply(intune, at(2), vec![said(1, alter)]);
        assert_eq!(!changes.is_empty(), expected, "row {row}");
        assert_eq!(
            reader.generation() - generation,
            u64::from(expected),
            "row {row}"
        );
    }
}

#[test]
fn a_description_says_what_all_sources_know_r73() {
    let (mut writer, reader) = inventory();
    let [intune, jamf] = ["intune", "jamf"].map(|source| writer.name_source(source));
    let by_intune = said(1, |device| {
        device.model = Some("MacBook Pro".to_owned());
        device.serial = Some("C02".parse().unwrap());
        device.owner = Some(name("alice@x"));
        device.groups = groups(&["macs"]);
    });
    let by_jamf = said(1, |device| {
        device.name = Some("é".repeat(200));
        device.model = Some("MacBookPro18,3".to_owned());
        device.serial = Some("c02".parse().unwrap());
        device.macs = vec!["00:11:22:33:44:55".parse().unwrap()];
    });
    writer.apply(intune, at(1), vec![by_intune]);
    writer.apply(jamf, at(2), vec![by_jamf]);
    let known = reader.describe(device(1)).unwrap();
    assert_eq!(known.model.as_deref(), Some("MacBook Pro"));
    assert_eq!(known.name, Some("é".repeat(127)), "cut between characters");
    assert_eq!(known.serials, ["C02"]);
    assert_eq!(known.macs.len(), 1);
    assert_eq!(known.owner, Some(name("alice@x")));
    assert_eq!(known.groups, groups(&["macs"]));
    assert_eq!(known.sources, [(intune, at(1)), (jamf, at(2))]);
    assert_eq!(
        Some(known.posture),
        reader.devices().next().map(|(posture, _)| posture)
    );
    assert!(matches!(
        reader.find(&Identifier::Serial("C02")),
        portreeve::inventory::Lookup::Found(..)
    ));
}
