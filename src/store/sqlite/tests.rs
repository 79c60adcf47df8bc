use std::os::unix::fs::PermissionsExt;

use super::*;

const SCHEMA: Schema = Schema {
    name: "things",
    version: 3,
    tables: "CREATE TABLE things (name TEXT NOT NULL);",
};

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

fn put(days: &Days, day: Day, name: &str) {
    let connection = days.write(day).unwrap();
    connection
        .execute("INSERT INTO things VALUES (?1)", [name])
        .unwrap();
}

fn names(days: &Days, day: Day) -> Vec<String> {
    let connection = days.read(day).unwrap();
    let mut statement = connection.prepare("SELECT name FROM things").unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn days_begin_at_midnight_and_print_as_dates() {
    let last = Timestamp::parse_rfc3339("2026-11-28T23:59:59.999Z").unwrap();
    let first = Timestamp::parse_rfc3339("2026-11-29T00:00:00Z").unwrap();
    assert_eq!(Day::of(last).to_string(), "2026-11-28");
    assert_eq!(Day::of(first).begin(), first);
    assert_eq!(Day::of(first).back(1), Day::of(last));
    assert_eq!(Day::parse("2026-13-01"), None);
}

#[test]
fn what_is_committed_is_read_by_another_connection_while_the_writer_lives() {
    let folder = tempfile::tempdir().unwrap();
    let days = Days::new(folder.path(), SCHEMA);
    let writer = days.write(day("2026-11-28")).unwrap();
    writer
        .execute("INSERT INTO things VALUES ('a')", [])
        .unwrap();
    assert_eq!(names(&days, day("2026-11-28")), ["a"]);
    drop(writer);
    put(&days, day("2026-11-28"), "b");
    assert_eq!(names(&days, day("2026-11-28")), ["a", "b"]);
}

#[test]
fn files_are_made_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let days = Days::new(&folder.path().join("history"), SCHEMA);
    let _writer = days.write(day("2026-11-28")).unwrap();
    let entries = fs::read_dir(folder.path().join("history")).unwrap();
    let modes: Vec<u32> = entries
        .map(|entry| entry.unwrap().metadata().unwrap().permissions().mode() & 0o777)
        .collect();
    assert!(modes.len() > 1, "{modes:?}");
    assert!(modes.iter().all(|mode| *mode == 0o600), "{modes:?}");
}

#[test]
fn days_are_listed_newest_first_and_other_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let days = Days::new(folder.path(), SCHEMA);
    assert_eq!(days.list().unwrap(), []);
    for text in ["2026-11-27", "2026-11-29", "2026-11-28"] {
        put(&days, day(text), "x");
    }
    for other in ["others-2026-11-28.sqlite", "things-2026.sqlite", "things"] {
        fs::write(folder.path().join(other), "").unwrap();
    }
    let listed: Vec<String> = days.list().unwrap().iter().map(Day::to_string).collect();
    assert_eq!(listed, ["2026-11-29", "2026-11-28", "2026-11-27"]);
}

#[test]
fn old_days_go_and_then_the_oldest_that_there_is_no_room_for_but_never_today() {
    let folder = tempfile::tempdir().unwrap();
    let days = Days::new(folder.path(), SCHEMA);
    let today = day("2026-11-28");
    for back in 0..5 {
        put(&days, today.back(back), "x");
    }
    let all = days.prune(today.back(9), today, u64::MAX).unwrap();
    assert_eq!(days.list().unwrap().len(), 5);
    days.prune(today.back(3), today, u64::MAX).unwrap();
    assert_eq!(days.list().unwrap().len(), 4);
    let used = days.prune(today.back(3), today, all / 5 * 2).unwrap();
    assert_eq!(days.list().unwrap(), [today, today.back(1)]);
    assert!(used <= all / 5 * 2);
    let used = days.prune(today.back(3), today, 0).unwrap();
    assert_eq!(days.list().unwrap(), [today]);
    assert!(used > 0);
}

#[test]
fn a_damaged_file_is_set_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().unwrap();
    let days = Days::new(folder.path(), SCHEMA);
    let path = days.path(day("2026-11-28"));
    fs::write(&path, vec![7; 4096]).unwrap();
    put(&days, day("2026-11-28"), "a");
    assert_eq!(names(&days, day("2026-11-28")), ["a"]);
    let aside = folder.path().join("things-2026-11-28.sqlite.damaged");
    assert_eq!(fs::read(aside).unwrap(), vec![7; 4096]);
}

#[test]
fn a_file_of_another_version_is_not_read_and_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let days = Days::new(folder.path(), SCHEMA);
    let older = Days::new(
        folder.path(),
        Schema {
            version: 2,
            ..SCHEMA
        },
    );
    put(&older, day("2026-11-28"), "old");
    let error = days.read(day("2026-11-28")).unwrap_err().to_string();
    assert!(error.ends_with("has version 2, expected 3"), "{error}");
    put(&days, day("2026-11-28"), "new");
    assert_eq!(names(&days, day("2026-11-28")), ["new"]);
    assert!(
        folder
            .path()
            .join("things-2026-11-28.sqlite.damaged")
            .exists()
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_and_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("history");
    fs::write(&taken, "a file").unwrap();
    let days = Days::new(&taken, SCHEMA);
    assert!(matches!(
        days.write(day("2026-11-28")),
        Err(DayError::File { .. })
    ));
    assert_eq!(fs::read_to_string(&taken).unwrap(), "a file");
}
