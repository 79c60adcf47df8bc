//! The history: which decisions get a row, and how they are found again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portreeve::access::Correlation;
use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::access::RecordQueue;
use portreeve::access::Text;
use portreeve::journal::Config;
use portreeve::journal::Found;
use portreeve::journal::HistoryConfig;
use portreeve::journal::Journal;
use portreeve::journal::Query;
use portreeve::journal::Sought;
use portreeve::journal::render;
use portreeve::journal::search;
use portreeve::model::Decision;
use portreeve::model::PolicyId;
use portreeve::model::Reason;
use portreeve::model::Rehearsed;
use portreeve::model::Timestamp;
use portreeve::model::Verdict;

use super::ALICE;
use super::Desk;
use super::PHONE;
use super::network;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Everything.
fn all() -> Query {
    Query {
        subject: None,
        alias: None,
        outcome: Sought::Any,
        nas: None,
        since: Timestamp::from_unix_seconds(0),
        until: Timestamp::from_unix_seconds(100_000_000_000),
        limit: 100_000,
    }
}

/// A journal with a history, fed and ended: written and skipped rows, and what is found.
fn kept(desk: &Desk, folder: &Path, octets: u64, records: &[DecisionRecord]) -> (u64, u64) {
    let config = Config {
        folder: folder.join("journal"),
        queue: records.len().max(1),
        history: Some(HistoryConfig {
            folder: folder.join("history"),
            days: 30,
            octets,
        }),
        ..Config::default()
    };
    let queue = Arc::new(RecordQueue::new(config.queue));
    let journal = Journal::new(&config, Arc::clone(&queue), Arc::clone(&desk.point));
    let statistics = journal.statistics();
    let stop = journal.spawn().unwrap();
    for record in records {
        queue.push(Box::new(record.clone()));
    }
    stop.stop();
    assert_eq!(queue.dropped(), 0);
    let history = &statistics.history;
    (
        history.written.load(Ordering::Relaxed),
        history.skipped.load(Ordering::Relaxed),
    )
}

fn found(folder: &Path, query: &Query) -> Vec<Found> {
    let unread = |error| panic!("{error}");
    search(&folder.join("history"), query, unread).unwrap().0
}

/// Numbers and counts, oldest first.
fn rows(folder: &Path) -> Vec<(u64, u32)> {
    let found = found(folder, &all());
    let rows = found.iter().rev();
    rows.map(|found| (found.id.0, found.alike)).collect()
}

fn at(record: DecisionRecord, after: Duration) -> DecisionRecord {
    let mut record = record;
    record.seen.at = record.seen.at + after;
    record
}

fn allowed(record: DecisionRecord) -> DecisionRecord {
    let mut record = record;
    record.outcome = Outcome::Decided(Decision::new(Verdict::Allow, Reason::RequirementsMet));
    record
}

#[test]
fn a_change_of_outcome_gets_a_row_and_what_stays_the_same_is_counted() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let records = [
        desk.phone(1),
        at(desk.phone(2), SECOND),
        at(desk.phone(3), SECOND * 2),
        allowed(at(desk.phone(4), SECOND * 3)),
        allowed(at(desk.phone(5), SECOND * 4)),
        at(desk.phone(6), SECOND * 5),
    ];
    assert_eq!(kept(&desk, folder.path(), u64::MAX, &records), (3, 0));
    assert_eq!(rows(folder.path()), [(1, 0), (4, 2), (6, 1)]);
}

/// The second answer of a NAS about one decision was counted as more of the same.
#[test]
fn what_a_nas_answers_gets_a_row_although_the_decision_is_the_same() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let answered = |id: u64, method: &str| {
        let mut record = at(desk.phone(id), SECOND * u32::try_from(id).unwrap());
        record.method = Text::new(method);
        record
    };
    let records = [
        desk.phone(1),
        answered(2, "coa nak 401"),
        answered(3, "disconnect nak 501"),
        answered(4, "disconnect nak 501"),
    ];
    assert_eq!(kept(&desk, folder.path(), u64::MAX, &records), (3, 0));
    assert_eq!(rows(folder.path()), [(1, 0), (2, 0), (3, 0)]);
}

#[test]
fn the_same_outcome_gets_a_row_an_hour_or_a_minute_where_it_is_not_let_in() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let records = [
        desk.phone(1),
        at(desk.phone(2), MINUTE - SECOND),
        at(desk.phone(3), MINUTE),
        allowed(at(desk.phone(4), MINUTE * 2)),
        allowed(at(desk.phone(5), HOUR)),
        allowed(at(desk.phone(6), MINUTE * 2 + HOUR)),
    ];
    kept(&desk, folder.path(), u64::MAX, &records);
    assert_eq!(rows(folder.path()), [(1, 0), (3, 1), (4, 0), (6, 1)]);
}

/// Two that shared a place of the table took it from each other with each request.
#[test]
fn a_thousand_that_come_in_turn_have_a_row_each() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let records: Vec<DecisionRecord> = (0..3000)
        .map(|n| {
            let turn = u32::try_from(n / 1000).unwrap();
            let mut record = allowed(at(desk.phone(n), SECOND * turn));
            record.user = Text::new(&format!("user{}", n % 1000));
            record
        })
        .collect();
    assert_eq!(kept(&desk, folder.path(), u64::MAX, &records), (1000, 0));
}

/// A rule that is tried out finds whom it would keep out in its first hour.
#[test]
fn what_a_report_only_rule_would_have_said_is_part_of_the_outcome() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let tried = |id: u64, said: Option<(Verdict, Reason, u16)>| {
        let mut record = allowed(at(desk.phone(id), SECOND * u32::try_from(id).unwrap()));
        if let Outcome::Decided(decision) = &mut record.outcome {
            decision.rehearsed = said.map(|(verdict, reason, policy)| Rehearsed {
                verdict,
                reason,
                policy: PolicyId(policy),
            });
        }
        record
    };
    let block = (Verdict::Block, Reason::TooManyDevices, 1);
    let other_rule = (Verdict::Block, Reason::TooManyDevices, 2);
    let other_reason = (Verdict::Block, Reason::DeviceInactive, 2);
    let milder = (Verdict::Quarantine, Reason::DeviceInactive, 2);
    let records = [
        tried(1, None),
        tried(2, Some(block)),
        tried(3, Some(block)),
        tried(4, Some(other_rule)),
        tried(5, Some(other_reason)),
        tried(6, Some(milder)),
        tried(7, None),
        tried(8, None),
    ];
    assert_eq!(kept(&desk, folder.path(), u64::MAX, &records), (6, 0));
    let expected = [(1, 0), (2, 0), (4, 1), (5, 0), (6, 0), (7, 0)];
    assert_eq!(rows(folder.path()), expected);
}

#[test]
fn a_clock_that_was_set_back_does_not_silence_a_device() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let records = [at(desk.phone(1), HOUR * 2), desk.phone(2)];
    kept(&desk, folder.path(), u64::MAX, &records);
    assert_eq!(rows(folder.path()), [(1, 0), (2, 0)]);
}

#[test]
fn rows_are_the_journals_lines_and_found_by_all_that_names_them() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let mut guest = desk.record(2, &network(&[]));
    guest.user = Text::new("Guest@Example.com");
    guest.presented = Text::new("00-00-5E-00-53-02");
    let why = "password: it is wrong";
    let now = at(desk.phone(3), DAY).seen.at;
    let refused = DecisionRecord::not_authenticated(Correlation(3), "pap", &network(&[]), why, now);
    let mut typed = desk.record(4, &network(&[]));
    typed.user = Text::new("Corp\\Bob");
    let records = [desk.phone(1), guest, typed, refused];
    assert_eq!(kept(&desk, folder.path(), u64::MAX, &records), (4, 0));

    let by = |subject: &str| -> Vec<u64> {
        let query = Query {
            subject: Some(subject.to_owned()),
            ..all()
        };
        let found = found(folder.path(), &query);
        found.iter().map(|found| found.id.0).collect()
    };
    for (subject, numbers) in [
        (PHONE, &[1_u64][..]),
        (ALICE, &[3, 1]),
        ("ALICE@Contoso.com", &[3, 1]),
        ("00:00:5e:00:53:01", &[1]),
        ("0000.5E00.5301", &[1]),
        ("00-00-5e-00-53-02", &[2]),
        ("guest@example.com", &[2]),
        ("Guest", &[2]),
        ("alice", &[3, 1]),
        ("gues", &[]),
        ("guest@example", &[]),
        ("0000000000000002", &[2]),
        ("nobody", &[]),
        ("", &[]),
    ] {
        assert_eq!(by(subject), numbers, "row {subject:?}");
    }
    // A login to the network stands under the name that was typed, mail under the one that is ours.
    let both = Query {
        subject: Some("CORP\\bob".to_owned()),
        alias: Some("Guest@Example.com".to_owned()),
        ..all()
    };
    let both = found(folder.path(), &both);
    let both: Vec<u64> = both.iter().map(|found| found.id.0).collect();
    assert_eq!(both, [4, 2]);
    let of = |outcome| -> Vec<u64> {
        let query = Query { outcome, ..all() };
        let found = found(folder.path(), &query);
        found.iter().map(|found| found.id.0).collect()
    };
    assert_eq!(of(Sought::NotAuthenticated), [3]);
    assert_eq!(of(Sought::Verdict(Verdict::Block)), [1]);
    assert_eq!(of(Sought::Verdict(Verdict::Allow)), [0_u64; 0]);
    assert_eq!(of(Sought::NotAllowed), [3, 4, 2, 1]);

    let elsewhere = Query {
        nas: Some("ap-2".to_owned()),
        ..all()
    };
    assert!(found(folder.path(), &elsewhere).is_empty());
    for (line, record) in found(folder.path(), &all()).iter().rev().zip(&records) {
        assert_eq!(line.line, render(record, &desk.point));
        assert_eq!(line.at, record.seen.at);
    }
}

#[test]
fn a_search_goes_through_the_days_newest_first_and_says_if_there_is_more() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let day = |number: u32| at(desk.phone(number.into()), DAY * number);
    let records: Vec<DecisionRecord> = (1..=5).map(day).collect();
    kept(&desk, folder.path(), u64::MAX, &records);
    let history = folder.path().join("history");
    let ask = |query: &Query| {
        let (found, more) = search(&history, query, |error| panic!("{error}")).unwrap();
        let numbers: Vec<u64> = found.iter().map(|found| found.id.0).collect();
        (numbers, more)
    };
    for (limit, numbers, more) in [
        (2, &[5_u64, 4][..], true),
        (5, &[5, 4, 3, 2, 1], false),
        (9, &[5, 4, 3, 2, 1], false),
    ] {
        let query = Query { limit, ..all() };
        assert_eq!(ask(&query), (numbers.to_vec(), more), "limit {limit}");
    }
    let between = Query {
        since: day(2).seen.at,
        until: day(4).seen.at,
        ..all()
    };
    assert_eq!(ask(&between), (vec![3, 2], false));
}

#[test]
fn a_day_that_cannot_be_read_is_told_and_left_out() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let records = [desk.phone(1), at(desk.phone(2), DAY)];
    kept(&desk, folder.path(), u64::MAX, &records);
    let history = folder.path().join("history");
    std::fs::write(history.join("decisions-2026-06-01.sqlite"), [7; 5000]).unwrap();
    let mut unread = 0;
    let (found, _) = search(&history, &all(), |_| unread += 1).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(unread, 1);
}

#[test]
fn a_flood_gets_no_more_rows_than_the_budget_and_the_allowed_leave_half_of_it() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let mut stranger = desk.record(0, &network(&[]));
    let mut records = Vec::new();
    for number in 0..12_000_u64 {
        stranger.id = Correlation(number);
        stranger.presented = Text::display(&number);
        records.push(if number < 6_000 {
            allowed(stranger.clone())
        } else {
            stranger.clone()
        });
    }
    let (written, skipped) = kept(&desk, folder.path(), u64::MAX, &records);
    assert_eq!(written + skipped, 12_000);
    // The channel to the disk may be full for a moment besides.
    assert!((4_000..=10_000).contains(&written), "{written}");
    let let_in = Query {
        outcome: Sought::Verdict(Verdict::Allow),
        ..all()
    };
    assert!(found(folder.path(), &let_in).len() <= 5_000);
}

#[test]
fn a_day_that_is_too_large_gets_no_more() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(kept(&desk, folder.path(), 0, &[desk.phone(1)]), (0, 1));
    assert!(rows(folder.path()).is_empty());
}

#[test]
fn a_disk_that_refuses_costs_rows_and_nothing_else() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("history"), "a file").unwrap();
    assert_eq!(
        kept(&desk, folder.path(), u64::MAX, &[desk.phone(1)]),
        (0, 1)
    );
    assert!(folder.path().join("journal/decisions0.jsonl").exists());
}
