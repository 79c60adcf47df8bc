//! Who is in is followed by the next start, too.

use std::sync::Arc;
use std::time::Duration;

use portreeve::access::Silence;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::model::ComplianceState;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::network::Admissions;
use portreeve::network::At;
use portreeve::network::Dynamic;
use portreeve::network::DynamicCounters;
use portreeve::network::Restored;
use portreeve::network::Shared;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Nas;
use portreeve::radius::Packet;

use crate::disconnects::Door;
use crate::lab::ALICE;
use crate::lab::GOOD_MAC;
use crate::lab::UNMANAGED_MAC;

/// The same gateway, started again: everything is as it was but for who is in.
fn start_again(door: &mut Door, capacity: usize) {
    let shared = &door.lab.shared;
    door.lab.shared = Arc::new(Shared {
        settings: shared.settings.load_full().into(),
        point: Arc::clone(&shared.point),
        sessions: Arc::clone(&shared.sessions),
        admissions: Arc::new(Admissions::new(Arc::clone(&shared.point), capacity)),
        records: Arc::clone(&shared.records),
        correlations: Arc::clone(&shared.correlations),
        random: shared.random,
        loops: shared.loops,
    });
    door.lab.servers = vec![portreeve::network::Server::new(
        0,
        Arc::clone(&door.lab.shared),
    )];
    door.counters = Arc::new(DynamicCounters::default());
    door.dynamic = Dynamic::new(Arc::clone(&door.lab.shared), Arc::clone(&door.counters));
}

fn restore(door: &Door, lines: &[u8]) -> Restored {
    let settings = door.lab.shared.settings.load();
    let nas = |at: &At<'_>| -> Option<Arc<Nas>> {
        let found = settings.nas.find(at.address);
        found.filter(|nas| nas.name() == at.name).cloned()
    };
    let admissions = &door.lab.shared.admissions;
    let silence = Silence::default();
    admissions.restore(door.lab.now.wall, &silence, lines, nas)
}

#[test]
fn a_device_that_turns_bad_after_a_restart_is_put_out() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "before");
    door.account(1, "s-1", &class);
    door.enter(UNMANAGED_MAC, "s-2");
    let lines = door.lab.shared.admissions.save();
    start_again(&mut door, 10);
    let restored = restore(&door, &lines);
    assert_eq!(
        (restored.sessions, restored.gone, restored.unreadable),
        (2, 0, 0)
    );
    assert_eq!(door.lab.shared.admissions.len(), 2);
    door.judged(ComplianceState::NonCompliant);
    let sent = door.sent();
    let [request] = sent.as_slice() else {
        panic!("one request, not {}", sent.len())
    };
    let packet = Packet::new_checked(request).unwrap();
    for (kind, expected) in [
        (AttributeType::CALLING_STATION_ID, GOOD_MAC),
        (AttributeType::ACCT_SESSION_ID, "s-1"),
    ] {
        assert_eq!(packet.find(kind), Some(expected.as_bytes()), "{kind}");
    }
    door.answer(request, 41, None);
    assert_eq!(door.records()[0].nas.as_str(), "ap-9");
    // Accounting of before finds it by its Class.
    assert_eq!(door.lab.shared.admissions.len(), 1);
}

#[test]
fn accounting_after_a_restart_finds_the_session_by_its_class() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "s-1");
    let lines = door.lab.shared.admissions.save();
    start_again(&mut door, 10);
    restore(&door, &lines);
    door.account(2, "s-1", &class);
    assert!(door.lab.shared.admissions.is_empty());
}

#[test]
fn a_device_that_has_turned_bad_meanwhile_is_put_out_by_the_start() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    let lines = door.lab.shared.admissions.save();
    // No gateway is there to hear of it.
    start_again(&mut door, 10);
    door.judged(ComplianceState::NonCompliant);
    restore(&door, &lines);
    assert!(door.sent().is_empty(), "not before it is judged");
    let now = door.lab.now.wall;
    let swept = door.lab.shared.admissions.sweep_all(now);
    assert_eq!((swept.due, swept.held), (1, 0));
    assert_eq!(door.sent().len(), 1);
}

/// An inventory that is empty after a restart would put everybody out.
#[test]
fn a_crowd_that_would_leave_at_the_start_is_held() {
    let mut door = Door::new();
    door.enter_many(GOOD_MAC, 60);
    let lines = door.lab.shared.admissions.save();
    start_again(&mut door, 100);
    door.judged(ComplianceState::NonCompliant);
    assert_eq!(restore(&door, &lines).sessions, 60);
    let now = door.lab.now.wall;
    let swept = door.lab.shared.admissions.sweep_all(now);
    assert_eq!((swept.due, swept.held), (0, 60));
}

#[test]
fn what_cannot_be_followed_is_counted_and_the_rest_goes_on() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    let good = String::from_utf8(door.lab.shared.admissions.save()).unwrap();
    for (row, lines, expected) in [
        ("nothing", String::new(), (0, 0, 0)),
        ("cut", good[..good.len() / 2].to_owned(), (0, 0, 1)),
        (
            "garbage around it",
            format!("x\n{good}\n{{}}\n[1]\n"),
            (1, 0, 3),
        ),
        (
            "a NAS of another name",
            good.replace("ap-9", "ap-8"),
            (0, 1, 0),
        ),
        ("a block", good.replace("\"allow\"", "\"block\""), (0, 0, 1)),
        ("no octets", good.replace("[31,\"", "[31,\"g"), (0, 0, 1)),
        (
            "no address",
            good.replace("192.0.2.9", "192.0.2"),
            (0, 0, 1),
        ),
    ] {
        start_again(&mut door, 10);
        let restored = restore(&door, lines.as_bytes());
        let found = (restored.sessions, restored.gone, restored.unreadable);
        assert_eq!(found, expected, "row {row}: {lines}");
    }
    // A day later it is over, and where there is no room it is not followed.
    start_again(&mut door, 0);
    assert_eq!(restore(&door, good.as_bytes()).sessions, 0);
    door.lab.passes(Duration::from_hours(25));
    start_again(&mut door, 10);
    assert_eq!(restore(&door, good.as_bytes()).gone, 1);
}

#[test]
fn what_is_as_it_was_need_not_be_saved() {
    let mut door = Door::new();
    let admissions = Arc::clone(&door.lab.shared.admissions);
    let mut before = admissions.changes();
    let class = door.enter(GOOD_MAC, "s-1");
    for (status, session, changes) in [
        (1, "s-1", false),
        (3, "s-9", true),
        (3, "s-9", false),
        (2, "s-9", true),
    ] {
        before = before.max(admissions.changes());
        door.account(status, session, &class);
        assert_eq!(
            admissions.changes() != before,
            changes,
            "row {status} {session}"
        );
    }
}

/// Nobody could report to a gateway that did not run.
#[test]
fn silence_during_a_restart_is_not_the_end_of_a_session() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "s-1");
    for status in [1, 3, 3] {
        door.account(status, "s-1", &class);
        door.lab.passes(Duration::from_mins(5));
    }
    let lines = door.lab.shared.admissions.save();
    door.lab.passes(Duration::from_hours(2));
    start_again(&mut door, 10);
    assert_eq!(restore(&door, &lines).sessions, 1);
    let silence = Silence::default();
    for (minutes, left) in [(20, 1), (1, 0)] {
        door.lab.passes(Duration::from_mins(minutes));
        let admissions = &door.lab.shared.admissions;
        admissions.expire(door.lab.now.wall, &silence);
        assert_eq!(admissions.len(), left, "its interval is known still");
    }
}

/// Every restart put out who was known through a directory alone.
#[test]
fn who_has_not_been_looked_up_yet_is_not_put_out_by_the_start() {
    for served in [true, false] {
        let mut door = Door::new();
        let request = door.nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, ALICE.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes())
                .user_password(&ALICE.bytes().rev().collect::<Vec<u8>>());
        });
        let reply = door.lab.ask(&door.nas, &request).expect("a reply");
        assert_eq!(reply.code, Code::AccessAccept);
        let lines = door.lab.shared.admissions.save();

        start_again(&mut door, 10);
        // What the last start knew was not saved.
        door.lab.said(Update::UserGone(alice()));
        assert_eq!(restore(&door, &lines).sessions, 1);
        let admissions = Arc::clone(&door.lab.shared.admissions);
        let now = door.lab.now.wall;
        let spared = admissions.spare_unknown(now, |user| served && user == ALICE);
        assert_eq!(spared, usize::from(served));
        let swept = admissions.sweep_all(now);
        assert_eq!((swept.due, swept.held), (usize::from(!served), 0));
        assert_eq!(door.sent().len(), usize::from(!served));
        if !served {
            continue;
        }
        // Others come and go, and their devices change.
        let changes = door.lab.said(Update::User(UserReport::new(bob())));
        assert_eq!(admissions.sweep(now, &changes).due, 0);
        // As soon as the user is known, what is decided counts.
        let mut report = UserReport::new(alice());
        report.enabled = Tri::Yes;
        let changes = door.lab.said(Update::User(report));
        assert_eq!(admissions.sweep(now, &changes).due, 0);
        assert!(door.sent().is_empty());
        let changes = door.lab.said(Update::UserGone(alice()));
        assert_eq!(admissions.sweep(now, &changes).due, 1);
        assert_eq!(door.sent().len(), 1);
    }
}

fn alice() -> UserId {
    UserId::parse(ALICE).unwrap()
}

fn bob() -> UserId {
    UserId::parse(crate::lab::BOB).unwrap()
}
