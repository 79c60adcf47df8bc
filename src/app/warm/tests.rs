use std::fs;

use super::*;
use crate::inventory::DeviceReport;
use crate::inventory::Update;
use crate::model::DeviceId;

fn settings(folder: &Path) -> config::Data {
    config::Data {
        folder: folder.to_owned(),
        ..config::Data::default()
    }
}

fn files() -> Vec<Origin> {
    vec![Origin {
        name: "files/devices".to_owned(),
        place: "/conf/devices.csv".to_owned(),
    }]
}

fn start(folder: &Path) -> Opened {
    let inventory = inventory::Config::new([1; 16]);
    open(&settings(folder), inventory, &files(), Clock::start())
}

/// A folder with the snapshot of one device.
fn saved() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = start(folder.path());
    assert!(!opened.is_whole && opened.reader.device_count() == 0);
    let device = DeviceReport::new(DeviceId::from_u128(1));
    let update = vec![Update::Device(device)];
    let at = Timestamp::from_unix_seconds(9);
    opened.writer.apply(SourceId(1), at, update);
    let saver = Saver::spawn(
        opened.snapshots.unwrap(),
        opened.reader,
        Clock::start(),
        Duration::from_hours(1),
    );
    saver.unwrap().stop();
    folder
}

#[test]
fn what_is_stopped_begins_where_it_was() {
    let folder = saved();
    let opened = start(folder.path());
    assert_eq!(opened.reader.device_count(), 1);
    let snapshots = opened.snapshots.unwrap();
    assert_eq!(snapshots.restored, snapshots.last().map(|last| last.at));
    // No complete list was there.
    assert!(!opened.is_whole);
    // Nothing new: nothing is written.
    let path = folder.path().join(FILE);
    fs::remove_file(&path).unwrap();
    let interval = Duration::from_hours(1);
    let saver = Saver::spawn(snapshots, opened.reader, Clock::start(), interval);
    saver.unwrap().stop();
    assert!(!path.exists());
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_nothing_of_it_is_used() {
    for (what, damage) in [
        (
            "cut",
            (|octets| octets.truncate(octets.len() - 1)) as fn(&mut Vec<u8>),
        ),
        ("changed", |octets| *octets.last_mut().unwrap() ^= 1),
        ("of another format", |octets| octets[8] += 1),
        ("empty", Vec::clear),
    ] {
        let folder = saved();
        let path = folder.path().join(FILE);
        let mut octets = fs::read(&path).unwrap();
        damage(&mut octets);
        fs::write(&path, octets).unwrap();
        let opened = start(folder.path());
        assert_eq!(opened.reader.device_count(), 0, "row {what}");
        assert!(opened.snapshots.unwrap().restored.is_none());
        assert!(!path.exists());
        assert!(folder.path().join("inventory.snapshot.damaged").exists());
    }
}

#[test]
fn a_whole_file_that_is_no_inventory_is_set_aside_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    FORMAT
        .write(&path, Timestamp::default(), &[b"no inventory"])
        .unwrap();
    assert_eq!(start(folder.path()).reader.device_count(), 0);
    assert!(!path.exists());
}

#[test]
fn a_failure_to_write_is_counted_and_the_gateway_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let mut opened = start(&nowhere);
    let device = DeviceReport::new(DeviceId::from_u128(1));
    let update = vec![Update::Device(device)];
    opened
        .writer
        .apply(SourceId(1), Timestamp::default(), update);
    let snapshots = opened.snapshots.unwrap();
    let interval = Duration::from_hours(1);
    let saver = Saver::spawn(
        Arc::clone(&snapshots),
        opened.reader,
        Clock::start(),
        interval,
    );
    saver.unwrap().stop();
    assert_eq!(snapshots.failed(), 1);
    assert!(snapshots.last().is_none());
}

#[test]
fn switched_off_it_neither_reads_nor_writes() {
    let folder = saved();
    let off = config::Data {
        warm_start: false,
        ..settings(folder.path())
    };
    let inventory = inventory::Config::new([1; 16]);
    let opened = open(&off, inventory, &files(), Clock::start());
    assert_eq!(opened.reader.device_count(), 0);
    assert!(opened.snapshots.is_none());
}
