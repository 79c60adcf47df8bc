//! Records as lines of JSON, on disk and in memory.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portreeve::access::Correlation;
use portreeve::access::DecisionPoint;
use portreeve::access::DecisionRecord;
use portreeve::access::Outcome;
use portreeve::access::RecordQueue;
use portreeve::access::SeenDevice;
use portreeve::access::Text;
use portreeve::access::Trace;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::journal::Config;
use portreeve::journal::Journal;
use portreeve::journal::render;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::Fact;
use portreeve::model::Identifier;
use portreeve::model::MailContext;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::OsVersion;
use portreeve::model::Plane;
use portreeve::model::Platform;
use portreeve::model::Presented;
use portreeve::model::SourceId;
use portreeve::model::Subject;
use portreeve::model::ThreatLevel;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::policy;
use world::POLICY;
use world::World;
use world::noon;

mod history;
mod reference;
#[path = "../support/world.rs"]
mod world;

const PHONE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";
const ALICE: &str = "alice@contoso.com";

struct Desk {
    writer: Writer,
    point: Arc<DecisionPoint>,
    now: Timestamp,
}

impl Desk {
    fn new() -> Self {
        let mut phone = DeviceReport::new(PHONE.parse().unwrap());
        phone.managed = Tri::Yes;
        phone.compliance = Some(ComplianceState::NonCompliant);
        phone.encrypted = Tri::No;
        phone.platform = Platform::Ios;
        phone.os_version = "17.4.1".parse::<OsVersion>().unwrap();
        let World {
            mut writer, point, ..
        } = World::new(vec![Update::Device(phone)]);
        let directory = writer.name_source("directory");
        let now = noon().wall;
        let mut registered = DeviceReport::new(PHONE.parse().unwrap());
        registered.registered = Tri::Yes;
        let alice = UserReport::new(UserId::parse(ALICE).unwrap());
        let updates = vec![Update::Device(registered), Update::User(alice)];
        writer.apply(directory, now + Duration::from_secs(30), updates);
        Self { writer, point, now }
    }

    fn record(&self, id: u64, subject: &Subject<'_>) -> DecisionRecord {
        let at = self.now + Duration::from_secs(90);
        let decided = self.point.decide(at, subject, &mut Trace::default());
        DecisionRecord::new(Correlation(id), "eap-tls 1.3", subject, &decided)
    }

    fn phone(&self, id: u64) -> DecisionRecord {
        let device: DeviceId = PHONE.parse().unwrap();
        let presented = [Presented {
            identifier: Identifier::Device(device),
            established: Established::Proven,
        }];
        let mut record = self.record(id, &network(&presented));
        record.from = Some([192, 0, 2, 1].into());
        record.station = Some("00-00-5E-00-53-01".parse().unwrap());
        record.presented = Text::display(&device);
        record
    }
}

fn network<'a>(presented: &'a [Presented<'a>]) -> Subject<'a> {
    Subject {
        plane: Plane::Network,
        user: Some(ALICE),
        credential: Credential::Certificate,
        device: presented,
        nas: Some(NasContext {
            name: "ap-1",
            group: "office",
            medium: Medium::Wireless,
            ssid: Some("corp"),
            claims: None,
        }),
        mail: None,
    }
}

/// A line is a promise to whoever reads the files: what is changed here, is changed there.
#[test]
fn a_decision_at_the_network_is_this_line() {
    let desk = Desk::new();
    let record = desk.phone(0x0123_4567_89ab_cdef);
    let expected = concat!(
        r#"{"time":"2026-06-01T12:01:30.000Z","id":"0123456789abcdef","plane":"network","#,
        r#""method":"eap-tls 1.3","nas":"ap-1","nas_group":"office","ssid":"corp","#,
        r#""from":"192.0.2.1","user":"alice@contoso.com","#,
        r#""device":"0f8fad5b-d9cb-469f-a165-70867728950e","established":"proven","#,
        r#""presented":"0f8fad5b-d9cb-469f-a165-70867728950e","station":"00:00:5e:00:53:01","#,
        r#""verdict":"block","code":53000,"reason":"DeviceNotCompliant","#,
        r#""sentence":"The device does not meet the organisation's compliance policy.","#,
        r#""policies":["Healthy devices"],"#,
        r#""facts":{"managed":{"value":"yes","source":"mdm","age":90},"#,
        r#""registered":{"value":"yes","source":"directory","age":60},"#,
        r#""compliance":{"value":"noncompliant","source":"mdm","age":90},"#,
        r#""encrypted":{"value":"no","source":"mdm","age":90},"#,
        r#""platform":"ios","os_version":"17.4.1"}}"#,
    );
    assert_eq!(render(&record, &desk.point), expected);
}

#[test]
fn an_owner_who_stands_in_for_a_user_is_marked() {
    let mut desk = Desk::new();
    let mut phone = DeviceReport::new(PHONE.parse().unwrap());
    phone.owner = UserId::parse(ALICE);
    let mdm = desk.writer.name_source("mdm");
    desk.writer
        .apply(mdm, desk.now, vec![Update::Device(phone)]);
    let presented = [Presented {
        identifier: Identifier::Device(PHONE.parse().unwrap()),
        established: Established::Proven,
    }];
    for (user, expected) in [
        (
            None,
            r#""user":"alice@contoso.com","user_from":"inventory","device""#,
        ),
        (Some(ALICE), r#""user":"alice@contoso.com","device""#),
    ] {
        let subject = Subject {
            user,
            ..network(&presented)
        };
        let line = render(&desk.record(7, &subject), &desk.point);
        assert!(line.contains(expected), "row {user:?}: {line}");
    }
}

#[test]
fn a_refusal_before_any_decision_is_this_line() {
    let desk = Desk::new();
    let subject = Subject {
        nas: None,
        ..network(&[])
    };
    let why = "server: the certificate is expired";
    let record =
        DecisionRecord::not_authenticated(Correlation(7), "eap-tls", &subject, why, desk.now);
    let expected = concat!(
        r#"{"time":"2026-06-01T12:00:00.000Z","id":"0000000000000007","plane":"network","#,
        r#""method":"eap-tls","user":"alice@contoso.com","established":"none","#,
        r#""verdict":"reject","reason":"server: the certificate is expired"}"#,
    );
    assert_eq!(render(&record, &desk.point), expected);
}

#[test]
fn a_mail_client_is_shown_as_it_calls_itself_on_one_line() {
    let desk = Desk::new();
    let subject = Subject {
        plane: Plane::Mail,
        nas: None,
        mail: Some(MailContext {
            device_type: "iPhone",
            user_agent: "an agent\"}\n{\"verdict\":\"allow\u{7}",
            ..MailContext::default()
        }),
        ..network(&[])
    };
    let line = render(&desk.record(7, &subject), &desk.point);
    assert!(!line.contains('\n'), "{line}");
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["device_type"], "iPhone");
    assert_eq!(value["verdict"], "quarantine");
    assert_eq!(
        value["user_agent"],
        "an agent\"}\n{\"verdict\":\"allow\u{7}"
    );
}

#[test]
fn a_policy_that_was_replaced_is_given_by_its_number() {
    let desk = Desk::new();
    let record = desk.phone(1);
    let other = POLICY.replace("Healthy devices", "Another name");
    let (other, _) = policy::parse("policy.toml", &other).unwrap();
    desk.point.replace_policy(other);
    let line = render(&record, &desk.point);
    assert!(line.contains(r##""policies":["#0"]"##), "{line}");
}

/// Texts that need care, and numbers at the edges.
#[test]
fn every_line_is_what_serde_makes_of_it() {
    let desk = Desk::new();
    let texts = [
        "",
        "plain",
        "quo\"te \\ and \u{1}\u{1f}\u{7f}",
        "caf\u{e9} \u{1f600}\n",
    ];
    let mut records = vec![desk.phone(u64::MAX), desk.record(0, &network(&[]))];
    for (row, text) in texts.into_iter().enumerate() {
        let mut record = desk.phone(row.try_into().unwrap());
        record.method = Text::new(text);
        record.user = Text::new(text);
        record.nas = Text::new(text);
        record.nas_group = Text::new(text);
        record.ssid = Text::new(text);
        record.presented = Text::new(text);
        record.device_type = Text::new(text);
        record.user_agent = Text::new(text);
        records.push(record.clone());
        record.outcome = Outcome::NotAuthenticated(Text::new(text));
        record.station = None;
        record.from = Some("2001:db8::1".parse().unwrap());
        records.push(record.clone());
        record.seen.device = SeenDevice::Unknown;
        record.from = None;
        records.push(record.clone());
    }
    for millis in [0, 1, -1, 999, 1000, 253_402_300_799_999, i64::MAX, i64::MIN] {
        let mut record = desk.phone(1);
        record.seen.at = Timestamp::from_unix_millis(millis);
        records.push(record);
    }
    for version in ["0", "1", "10.0.19043.2006", "65535.0.0.1", "7.0"] {
        let mut record = desk.phone(1);
        let SeenDevice::Known(posture, _) = &mut record.seen.device else {
            panic!("the phone is known");
        };
        posture.os_version = version.parse().unwrap();
        posture.threat = Fact::new(ThreatLevel::LowSeverity, SourceId(1), desk.now);
        // A source that has no name.
        posture.passcode = Fact::new(Tri::No, SourceId(200), desk.now);
        records.push(record);
    }
    for record in &records {
        assert_eq!(
            render(record, &desk.point),
            reference::line(record, &desk.point)
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, queue) = journal(&desk, folder.path(), &Config::default());
    for record in &records {
        queue.push(Box::new(record.clone()));
    }
    journal.drain();
    let written = fs::read_to_string(folder.path().join("decisions0.jsonl")).unwrap();
    let expected: String = records
        .iter()
        .map(|record| reference::line(record, &desk.point) + "\n")
        .collect();
    assert_eq!(written, expected, "the same, one after the other");
}

/// A record is filled in where another one was.
#[test]
fn nothing_of_an_earlier_record_is_left() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        recent: 1,
        ..Config::default()
    };
    let (mut journal, queue) = journal(&desk, folder.path(), &config);
    let mail = Subject {
        plane: Plane::Mail,
        mail: Some(MailContext {
            device_type: "iPhone",
            user_agent: "an agent",
            ..MailContext::default()
        }),
        ..network(&[])
    };
    let bare = Subject {
        user: None,
        nas: None,
        ..network(&[])
    };
    let decide =
        |subject: &Subject<'_>| desk.point.decide(desk.now, subject, &mut Trace::default());
    let mut full = desk.phone(1);
    full.fill(Correlation(1), "eas Sync", &mail, &decide(&mail));
    let (from, station) = (full.from, full.station);
    assert_eq!((from, station), (None, None));
    for id in 2..6 {
        let mut record = queue.lend();
        *record = full.clone();
        record.from = Some([192, 0, 2, 1].into());
        record.station = Some("00-00-5E-00-53-01".parse().unwrap());
        record.presented = Text::new("somebody");
        queue.push(record);
        journal.drain();
        let mut record = queue.lend();
        let expected = if id % 2 == 0 {
            record.fill(Correlation(id), "mab", &bare, &decide(&bare));
            DecisionRecord::new(Correlation(id), "mab", &bare, &decide(&bare))
        } else {
            record.fill_refused(Correlation(id), "pap", &bare, "why", desk.now);
            DecisionRecord::not_authenticated(Correlation(id), "pap", &bare, "why", desk.now)
        };
        assert_eq!(
            render(&record, &desk.point),
            render(&expected, &desk.point),
            "row {id}"
        );
        queue.push(record);
        journal.drain();
    }
}

fn journal(desk: &Desk, folder: &Path, config: &Config) -> (Journal, Arc<RecordQueue>) {
    let config = Config {
        folder: folder.to_owned(),
        ..config.clone()
    };
    let queue = Arc::new(RecordQueue::new(config.queue));
    let journal = Journal::new(&config, Arc::clone(&queue), Arc::clone(&desk.point));
    (journal, queue)
}

#[test]
fn what_is_queued_is_written_in_order_and_as_it_is_rendered() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, queue) = journal(&desk, folder.path(), &Config::default());
    let records: Vec<DecisionRecord> = (0..3000).map(|id| desk.phone(id)).collect();
    for record in &records {
        queue.push(Box::new(record.clone()));
    }
    journal.drain();
    assert!(queue.is_empty());
    let written = fs::read_to_string(folder.path().join("decisions0.jsonl")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(lines.len(), records.len());
    for (line, record) in lines.iter().zip(&records).step_by(500) {
        assert_eq!(*line, render(record, &desk.point));
    }
    let statistics = journal.statistics();
    assert_eq!(statistics.written.load(Ordering::Relaxed), 3000);
    assert_eq!(statistics.failed.load(Ordering::Relaxed), 0);
}

#[test]
fn a_disk_that_fails_costs_its_records_and_nothing_else() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let blocked = folder.path().join("journal");
    fs::write(&blocked, "not a folder").unwrap();
    let (mut journal, queue) = journal(&desk, &blocked, &Config::default());
    let statistics = journal.statistics();
    queue.push(Box::new(desk.phone(1)));
    journal.drain();
    assert_eq!(statistics.failed.load(Ordering::Relaxed), 1);
    // Still there for those who ask.
    assert!(journal.recent().find(Correlation(1)).is_some());
    fs::remove_file(&blocked).unwrap();
    queue.push(Box::new(desk.phone(2)));
    journal.drain();
    assert_eq!(statistics.written.load(Ordering::Relaxed), 1);
    let written = fs::read_to_string(blocked.join("decisions0.jsonl")).unwrap();
    assert!(written.contains("0000000000000002"));
}

#[test]
fn the_newest_records_are_kept_in_memory() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        recent: 3,
        ..Config::default()
    };
    let (mut journal, queue) = journal(&desk, folder.path(), &config);
    let recent = journal.recent();
    assert!(recent.newest(9).is_empty());
    for id in 0..5 {
        queue.push(Box::new(desk.phone(id)));
    }
    let refusal = desk.record(5, &network(&[]));
    queue.push(Box::new(refusal));
    journal.drain();
    let numbers: Vec<u64> = recent.newest(9).iter().map(|record| record.id.0).collect();
    assert_eq!(numbers, [5, 4, 3]);
    assert_eq!(recent.newest(1).len(), 1);
    assert!(recent.find(Correlation(2)).is_none(), "gone");
    assert!(recent.find(Correlation(3)).is_some());
    let last = recent.last_of(PHONE.parse().unwrap()).unwrap();
    assert_eq!(last.id, Correlation(4));
    assert!(recent.last_of(DeviceId::from_u128(1)).is_none());
}

/// A DeviceId that is in no inventory could not be asked about.
#[test]
fn mail_decisions_are_found_by_their_device_id() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, queue) = journal(&desk, folder.path(), &Config::default());
    for (id, plane, presented) in [
        (0, Plane::Mail, "unheardof"),
        (1, Plane::Mail, "another"),
        (2, Plane::Network, "unheardof"),
        (3, Plane::Mail, "UnheardOF"),
    ] {
        let mut record = desk.record(id, &network(&[]));
        record.seen.plane = plane;
        record.presented = Text::new(presented);
        queue.push(Box::new(record));
    }
    journal.drain();
    let recent = journal.recent();
    let found = |text: &str, count| -> Vec<u64> {
        let records = recent.with_mail_id(text.parse().unwrap(), count);
        records.iter().map(|record| record.id.0).collect()
    };
    assert_eq!(found("UnheardOf", 9), [3, 0]);
    assert_eq!(found("unheardof", 1), [3]);
    assert!(found("nobodys", 9).is_empty());
}

#[test]
fn a_memory_of_none_keeps_one() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        recent: 0,
        ..Config::default()
    };
    let (mut journal, queue) = journal(&desk, folder.path(), &config);
    for id in 0..2 {
        queue.push(Box::new(desk.phone(id)));
    }
    journal.drain();
    assert_eq!(journal.recent().newest(9).len(), 1);
}

#[test]
fn a_drain_comes_back_while_records_keep_coming() {
    // It went on until it found the queue empty, and the thread could not be ended.
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        queue: 8,
        ..Config::default()
    };
    let (journal, queue) = journal(&desk, folder.path(), &config);
    let statistics = journal.statistics();
    let stop = journal.spawn().unwrap();
    let record = desk.phone(1);
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stopped.load(Ordering::Acquire) {
                queue.push(Box::new(record.clone()));
            }
        });
        while statistics.written.load(Ordering::Relaxed) < 100 {
            std::thread::yield_now();
        }
        stop.stop();
        stopped.store(true, Ordering::Release);
    });
}

#[test]
fn what_was_queued_before_a_flush_is_found_after_it() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        recent: 4_000,
        ..Config::default()
    };
    let (journal, queue) = journal(&desk, folder.path(), &config);
    let recent = journal.recent();
    let stop = journal.spawn().unwrap();
    let flusher = stop.flusher();
    for id in 0..2_000 {
        queue.push(Box::new(desk.phone(id)));
        flusher.flush();
        assert!(recent.find(Correlation(id)).is_some(), "record {id}");
    }
    stop.stop();
}

#[test]
fn the_last_records_are_written_when_the_journal_ends() {
    let mut desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let (journal, queue) = journal(&desk, folder.path(), &Config::default());
    let stop = journal.spawn().unwrap();
    for id in 0..500 {
        queue.push(Box::new(desk.phone(id)));
    }
    stop.stop();
    let written = fs::read_to_string(folder.path().join("decisions0.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 500);
    desk.writer.name_source("another");
}
