use std::fs;

use super::*;
use crate::inventory::DeviceReport;
use crate::inventory::Update;
use crate::inventory::UserReport;
use crate::model::DeviceId;
use crate::model::GroupId;

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

fn directories() -> Vec<Origin> {
    vec![Origin {
        name: "directory/corp".to_owned(),
        place: "dc=example,dc=com".to_owned(),
    }]
}

fn start(folder: &Path) -> Opened {
    let inventory = inventory::Config::new([1; 16]);
    open(
        &settings(folder),
        inventory,
        (&files(), &directories()),
        Clock::start(),
    )
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
    let opened = open(&off, inventory, (&files(), &[]), Clock::start());
    assert_eq!(opened.reader.device_count(), 0);
    assert!(opened.snapshots.is_none());
}

/// Every restart put out who was known through LDAP alone.
#[test]
fn what_directories_have_said_is_known_after_a_restart_and_forgotten_after_a_month() {
    for (days, known) in [(0, true), (30, true), (31, false)] {
        let folder = tempfile::tempdir().unwrap();
        let mut opened = start(folder.path());
        let source = opened.writer.name_source("directory/corp");
        let mut report = UserReport::new(UserId::parse("lena@example.com").unwrap());
        report.groups = vec![GroupId::named("wifi-users")];
        report.aliases = vec![UserId::parse("lena").unwrap()];
        let now = Clock::start().now().wall;
        let at = Timestamp::from_unix_seconds(now.unix_seconds() - days * 24 * 3600);
        opened.writer.apply(source, at, vec![Update::User(report)]);
        let snapshots = opened.snapshots.unwrap();
        let interval = Duration::from_hours(1);
        let saver = Saver::spawn(snapshots, opened.reader, Clock::start(), interval);
        saver.unwrap().stop();

        let opened = start(folder.path());
        let entry = opened.reader.user("lena");
        assert_eq!(entry.is_some_and(|entry| entry.listed), known, "row {days}");
        let groups = entry.map(|entry| opened.reader.groups(entry.groups).len());
        assert_eq!(groups.unwrap_or(0), usize::from(known), "row {days}");
        let said = opened.reader.said_of_user("lena");
        let sources: Vec<&str> = said.iter().map(|(source, ..)| &**source).collect();
        let expected: &[&str] = if known { &["directory/corp"] } else { &[] };
        assert_eq!(sources, expected, "row {days}");
        // A directory brings no list that a start would wait for.
        assert!(!opened.is_whole);
    }
}
