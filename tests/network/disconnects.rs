//! Who is in is put out when the verdict changes (RFC 5176).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use md5::Digest;
use md5::Md5;
use portreeve::access::DecisionRecord;
use portreeve::access::Silence;
use portreeve::model::ComplianceState;
use portreeve::model::Secret;
use portreeve::model::Verdict;
use portreeve::network::Dynamic;
use portreeve::network::DynamicCounters;
use portreeve::network::Reach;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::DynamicAuthorization;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;

use crate::lab::ALICE;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::nas_configs;
use crate::lab::verdict;
use crate::nas::Nas;
use crate::world::SECRET;
use crate::world::nas_config;

/// The NAS of these tests; its port is not the default one.
pub(crate) const NAS: &str = "192.0.2.9";
pub(crate) const PORT: u16 = 3800;
const ERROR_CAUSE: u8 = 101;

/// A lab with a NAS that takes Disconnect-Requests, and the engine that sends them.
pub(crate) struct Door {
    pub(crate) lab: Lab,
    pub(crate) dynamic: Dynamic,
    pub(crate) counters: Arc<DynamicCounters>,
    pub(crate) nas: Nas,
}

impl Door {
    pub(crate) fn new() -> Self {
        let lab = Lab::new();
        lab.reload(|settings| {
            let mut config = nas_config("ap-9", "office", "192.0.2.9/32");
            config.dynamic_authorization = Some(PORT.into());
            let all = nas_configs().into_iter().chain([config]).collect();
            settings.nas = NasTable::new(all).unwrap();
        });
        let counters = Arc::new(DynamicCounters::default());
        let dynamic = Dynamic::new(Arc::clone(&lab.shared), Arc::clone(&counters));
        let nas = Nas::new(&format!("{NAS}:50000"), SECRET);
        Self {
            lab,
            dynamic,
            counters,
            nas,
        }
    }

    /// Lets a MAC address in, under an Acct-Session-Id; gives the Class.
    pub(crate) fn enter(&mut self, mac: &str, session: &str) -> Vec<u8> {
        let request = self.nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, mac.as_bytes())
                .octets(AttributeType::CALLING_STATION_ID, mac.as_bytes())
                .octets(AttributeType::NAS_IDENTIFIER, b"ap")
                .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
        });
        let reply = self.lab.ask(&self.nas, &request).unwrap();
        assert_eq!(reply.code, Code::AccessAccept);
        reply.all(AttributeType::CLASS).pop().unwrap()
    }

    /// Accounting of a session.
    pub(crate) fn account(&mut self, status: u32, session: &str, class: &[u8]) {
        let request = self.nas.accounting(|request| {
            request
                .integer(AttributeType::ACCT_STATUS_TYPE, status)
                .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes())
                .octets(AttributeType::CLASS, class);
        });
        let from = self.nas.address;
        let door = crate::lab::ACCOUNTING;
        self.lab.deliver(0, door, from, &request);
        self.lab.settle();
    }

    /// The device of [`GOOD_MAC`] is in this state now.
    pub(crate) fn judged(&mut self, state: ComplianceState) {
        let changes = self.lab.judged(GOOD, GOOD_MAC, state);
        self.lab
            .shared
            .admissions
            .sweep(self.lab.now.wall, &changes);
    }

    /// What leaves now.
    pub(crate) fn sent(&mut self) -> Vec<Vec<u8>> {
        self.dynamic.handle_due(self.lab.now);
        self.dynamic.handle_timeout(self.lab.now);
        let mut sent = Vec::new();
        while let Some((to, octets)) = self.dynamic.poll_transmit() {
            assert_eq!(to, Reach::Udp(self.at()));
            sent.push(octets);
        }
        sent
    }

    pub(crate) fn at(&self) -> SocketAddr {
        SocketAddr::new(NAS.parse().unwrap(), PORT)
    }

    /// The NAS answers a request.
    pub(crate) fn answer(&mut self, request: &[u8], code: u8, cause: Option<u32>) {
        let answer = answer(request, code, cause, SECRET);
        self.dynamic
            .handle_datagram(self.lab.now, self.at(), &answer);
    }

    /// The records of disconnects since the last call.
    pub(crate) fn records(&self) -> Vec<DecisionRecord> {
        let records = self.lab.records().into_iter();
        records
            .filter(|record| {
                let method = record.method.as_str();
                method.starts_with("disconnect") || method.starts_with("coa")
            })
            .collect()
    }
}

/// A signed answer, written from RFC 5176 section 2.3 and RFC 2865 section 3 without the
/// gateway's code.
pub(crate) fn answer(request: &[u8], code: u8, cause: Option<u32>, secret: &[u8]) -> Vec<u8> {
    let cause = cause.map(|cause| [&[ERROR_CAUSE, 6][..], &cause.to_be_bytes()].concat());
    let attributes = cause.unwrap_or_default();
    let length = u16::try_from(20 + attributes.len()).unwrap().to_be_bytes();
    let head = [code, request[1], length[0], length[1]];
    let signed = [&head[..], &request[4..20], &attributes, secret].concat();
    [&head[..], &Md5::digest(signed), &attributes].concat()
}

#[test]
fn a_device_that_turns_bad_is_put_out_by_a_signed_request_rfc5176_2_1() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    assert!(door.sent().is_empty(), "nothing has changed");
    door.judged(ComplianceState::NonCompliant);
    let sent = door.sent();
    let [request] = sent.as_slice() else {
        panic!("one request, not {}", sent.len())
    };
    let packet = Packet::new_checked(request).unwrap();
    assert_eq!(packet.code(), Code::DisconnectRequest);
    let text = |kind| packet.find(kind).map(String::from_utf8_lossy);
    for (kind, expected) in [
        (AttributeType::CALLING_STATION_ID, GOOD_MAC),
        (AttributeType::USER_NAME, GOOD_MAC),
        (AttributeType::ACCT_SESSION_ID, "s-1"),
        (AttributeType::NAS_IDENTIFIER, "ap"),
    ] {
        assert_eq!(text(kind).as_deref(), Some(expected), "{kind}");
    }
    let now = u32::try_from(door.lab.now.wall.unix_seconds()).unwrap();
    assert_eq!(packet.integer(AttributeType::EVENT_TIMESTAMP), Some(now));
    // RFC 5176 section 2.3: MD5 over the packet with zeros in the authenticator's place.
    let zeros = [&request[..4], &[0; 16], &request[20..], SECRET].concat();
    assert_eq!(request[4..20], *Md5::digest(zeros));
    // Section 3.3: HMAC-MD5 over the same, with zeros in its own place, too.
    assert_eq!(request[20..22], [80, 18], "it is the first attribute");
    let mut unsigned = request.clone();
    unsigned[4..20].fill(0);
    unsigned[22..38].fill(0);
    let mut mac = Hmac::<Md5>::new_from_slice(SECRET).unwrap();
    mac.update(&unsigned);
    assert_eq!(request[22..38], *mac.finalize().into_bytes());
}

#[test]
fn an_answer_ends_it_and_the_record_says_what_it_was() {
    for (code, cause, method, left) in [
        (41, None, "disconnect ack", 0),
        (41, Some(201), "disconnect ack", 0),
        (42, Some(503), "disconnect nak 503", 0),
        // It stays, whatever the reason is.
        (42, Some(501), "disconnect nak 501", 1),
        (42, None, "disconnect nak 0", 1),
    ] {
        let mut door = Door::new();
        door.enter(GOOD_MAC, "s-1");
        door.judged(ComplianceState::NonCompliant);
        let request = door.sent().pop().unwrap();
        door.answer(&request, code, cause);
        let records = door.records();
        let [record] = records.as_slice() else {
            panic!("one record, not {records:?}")
        };
        assert_eq!(record.method.as_str(), method);
        assert_eq!(verdict(record), Verdict::Block);
        assert_eq!(record.nas.as_str(), "ap-9");
        door.lab.passes(Duration::from_mins(1));
        assert!(door.sent().is_empty(), "it is over");
        assert_eq!(door.lab.shared.admissions.len(), left, "row {method}");
        assert_eq!(door.counters.staying.get(), left as u64, "row {method}");
        assert_eq!(door.dynamic.pending(), 0);
    }
}

#[test]
fn an_unanswered_request_is_repeated_unchanged_and_given_up_rfc5080_2_2_1() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    door.judged(ComplianceState::NonCompliant);
    let first = door.sent().pop().unwrap();
    for wait in [1, 2, 4] {
        door.lab
            .passes(Duration::from_secs(wait) - Duration::from_millis(1));
        assert!(door.sent().is_empty(), "before {wait} s");
        door.lab.passes(Duration::from_millis(1));
        assert_eq!(door.sent(), std::slice::from_ref(&first), "after {wait} s");
    }
    door.lab.passes(Duration::from_secs(8));
    assert!(door.sent().is_empty());
    let records = door.records();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].method.as_str(), "disconnect unanswered");
    assert_eq!(door.counters.repeated.get(), 3);
    assert_eq!(door.counters.unanswered.get(), 1);
}

#[test]
fn answers_that_are_forged_or_from_elsewhere_change_nothing_rfc5176_6() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    door.judged(ComplianceState::NonCompliant);
    let request = door.sent().pop().unwrap();
    let right = answer(&request, 41, None, SECRET);
    let forged = answer(&request, 41, None, b"another secret");
    let mut other = right.clone();
    other[1] = other[1].wrapping_add(1);
    let elsewhere = SocketAddr::new("192.0.2.8".parse().unwrap(), PORT);
    let accept = answer(&request, 2, None, SECRET);
    for (from, octets) in [
        (door.at(), &forged),
        (door.at(), &other),
        (elsewhere, &right),
        (door.at(), &accept),
        (door.at(), &vec![0; 3]),
    ] {
        door.dynamic.handle_datagram(door.lab.now, from, octets);
    }
    assert_eq!(door.counters.stray.get(), 5);
    assert_eq!(door.dynamic.pending(), 1);
    door.dynamic
        .handle_datagram(door.lab.now, door.at(), &right);
    assert_eq!(door.counters.acknowledged.get(), 1);
}

/// What a reload brings is for the next request: who was let in before is no exception.
#[test]
fn requests_have_a_port_and_a_secret_of_their_own_and_a_reload_changes_both_rfc5176_2_3() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    for (port, secret) in [
        (PORT, &b"of requests alone"[..]),
        (PORT + 1, b"of requests anew"),
    ] {
        door.lab.reload(|settings| {
            let mut config = nas_config("ap-9", "office", "192.0.2.9/32");
            let secret = Some(Secret::new(secret.to_vec()));
            config.dynamic_authorization = Some(DynamicAuthorization { port, secret });
            let all = nas_configs().into_iter().chain([config]).collect();
            settings.nas = NasTable::new(all).unwrap();
        });
        door.judged(ComplianceState::NonCompliant);
        door.dynamic.handle_due(door.lab.now);
        let (to, request) = door.dynamic.poll_transmit().unwrap();
        let at = SocketAddr::new(NAS.parse().unwrap(), port);
        assert_eq!(to, Reach::Udp(at));
        let zeros = [&request[..4], &[0; 16], &request[20..], secret].concat();
        assert_eq!(request[4..20], *Md5::digest(zeros), "port {port}");
        let before = door.counters.refused.get();
        let mut answered = |secret| {
            let answer = answer(&request, 42, Some(501), secret);
            door.dynamic.handle_datagram(door.lab.now, at, &answer);
            door.counters.refused.get()
        };
        assert_eq!(answered(SECRET), before, "the secret of Access-Requests");
        assert_eq!(answered(secret), before + 1);
        // Let stay, it is told of the next change.
        door.judged(ComplianceState::Compliant);
        door.dynamic.handle_due(door.lab.now);
        while let Some((to, request)) = door.dynamic.poll_transmit() {
            let Reach::Udp(to) = to else { panic!("{to}") };
            let answer = answer(&request, 42, Some(501), secret);
            door.dynamic.handle_datagram(door.lab.now, to, &answer);
        }
    }
    // The NAS's own requests are as before.
    door.enter(GOOD_MAC, "s-2");
}

#[test]
fn at_a_nas_that_takes_no_requests_any_more_people_stay_and_are_counted() {
    let mut door = Door::new();
    door.enter(GOOD_MAC, "s-1");
    door.lab.reload(|settings| {
        let config = nas_config("ap-9", "office", "192.0.2.9/32");
        let all = nas_configs().into_iter().chain([config]).collect();
        settings.nas = NasTable::new(all).unwrap();
    });
    door.judged(ComplianceState::NonCompliant);
    assert!(door.sent().is_empty());
    assert_eq!(door.counters.staying.get(), 1);
}

#[test]
fn a_better_verdict_puts_out_too_so_that_the_device_gets_its_access() {
    let mut door = Door::new();
    let bad = crate::lab::UNMANAGED_MAC;
    door.enter(bad, "s-1");
    let changes = door
        .lab
        .judged(crate::lab::UNMANAGED, bad, ComplianceState::Compliant);
    let swept = door
        .lab
        .shared
        .admissions
        .sweep(door.lab.now.wall, &changes);
    assert_eq!((swept.due, swept.held), (1, 0));
    let request = door.sent().pop().unwrap();
    door.answer(&request, 41, None);
    assert_eq!(verdict(&door.records()[0]), Verdict::Allow);
}

#[test]
fn who_has_left_or_come_again_is_not_put_out_for_the_session_before() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "s-1");
    door.account(2, "s-1", &class);
    door.judged(ComplianceState::NonCompliant);
    assert!(door.sent().is_empty(), "Stop");
    door.judged(ComplianceState::Compliant);
    door.enter(GOOD_MAC, "s-2");
    door.account(7, "on", b"");
    door.judged(ComplianceState::NonCompliant);
    assert!(door.sent().is_empty(), "Accounting-On");
    door.judged(ComplianceState::Compliant);
    door.enter(GOOD_MAC, "s-3");
    door.enter(GOOD_MAC, "s-4");
    assert_eq!(door.lab.shared.admissions.len(), 1);
    door.judged(ComplianceState::NonCompliant);
    let sent = door.sent();
    assert_eq!(sent.len(), 1);
    let packet = Packet::new_checked(&sent[0]).unwrap();
    assert_eq!(
        packet.find(AttributeType::ACCT_SESSION_ID),
        Some(&b"s-4"[..])
    );
}

/// Requests of one device would otherwise make many sessions of it, of which a tenth is many.
#[test]
fn who_comes_again_without_a_calling_station_is_one_session_rfc5176_3() {
    const OTHER_MAC: &str = "00-00-5E-00-53-02";
    let mut door = Door::new();
    let enter = |door: &mut Door, name: &str, session: Option<&str>, port: Option<&str>| {
        let request = door.nas.access(|request| {
            request.octets(AttributeType::USER_NAME, name.as_bytes());
            if name == ALICE {
                let password: String = ALICE.chars().rev().collect();
                request.user_password(password.as_bytes());
            }
            if let Some(session) = session {
                request.octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
            }
            if let Some(port) = port {
                request.octets(AttributeType::NAS_IDENTIFIER, port.as_bytes());
            }
        });
        let reply = door.lab.ask(&door.nas, &request).unwrap();
        assert_eq!(reply.code, Code::AccessAccept, "{name}");
        let class = reply.all(AttributeType::CLASS).pop().unwrap();
        (class, door.lab.shared.admissions.len())
    };
    // A MAC address is one station, whatever its sessions are called.
    for session in [None, Some("s-1"), Some("s-2"), None] {
        assert_eq!(enter(&mut door, GOOD_MAC, session, None).1, 1);
    }
    assert_eq!(enter(&mut door, OTHER_MAC, None, None).1, 2);
    // A user may be in twice where the NAS can tell one from the other.
    let (class, count) = enter(&mut door, ALICE, None, None);
    assert_eq!(count, 3);
    assert_eq!(enter(&mut door, ALICE, None, None).1, 3);
    assert_eq!(enter(&mut door, ALICE, None, Some("other NAS")).1, 4);
    assert_eq!(enter(&mut door, ALICE, Some("s-3"), None).1, 5);
    assert_eq!(enter(&mut door, ALICE, Some("s-3"), None).1, 5);
    door.account(2, "s-0", &class);
    let (class, count) = enter(&mut door, ALICE, None, None);
    assert_eq!(count, 6);
    door.account(1, "s-4", &class);
    assert_eq!(enter(&mut door, ALICE, None, None).1, 7, "s-4 goes on");
    door.judged(ComplianceState::NonCompliant);
    assert_eq!(door.sent().len(), 1, "one request for one device");
}

/// Accounting-On of one NAS behind a proxy ended what was known of all the others.
#[test]
fn a_nas_that_begins_anew_ends_its_own_sessions_and_no_others_behind_its_address_rfc2866_5_1() {
    for (identifier, left) in [(&b"ap"[..], 0), (b"another ap", 1)] {
        let mut door = Door::new();
        // As NAS `ap`.
        door.enter(GOOD_MAC, "s-1");
        let request = door.nas.accounting(|request| {
            request
                .integer(AttributeType::ACCT_STATUS_TYPE, 7)
                .octets(AttributeType::ACCT_SESSION_ID, b"on")
                .octets(AttributeType::NAS_IDENTIFIER, identifier);
        });
        let from = door.nas.address;
        door.lab.deliver(0, crate::lab::ACCOUNTING, from, &request);
        door.lab.settle();
        assert_eq!(door.lab.shared.admissions.len(), left, "row {identifier:?}");
    }
}

#[test]
fn the_session_is_called_as_accounting_calls_it() {
    let mut door = Door::new();
    let class = door.enter(GOOD_MAC, "before");
    door.account(1, "after", &class);
    door.judged(ComplianceState::NonCompliant);
    let request = door.sent().pop().unwrap();
    let packet = Packet::new_checked(&request).unwrap();
    let session = packet.find(AttributeType::ACCT_SESSION_ID);
    assert_eq!(session, Some(&b"after"[..]));
}

#[test]
fn a_certificate_of_a_device_that_turns_bad_is_put_out_by_its_accepted_name() {
    let mut door = Door::new();
    let mut pair = door.lab.pair(GOOD);
    pair.nas = Nas::new(&format!("{NAS}:50001"), SECRET);
    door.lab.login(&mut pair);
    door.judged(ComplianceState::NonCompliant);
    let request = door.sent().pop().unwrap();
    let packet = Packet::new_checked(&request).unwrap();
    assert_eq!(
        packet.find(AttributeType::USER_NAME),
        Some(ALICE.as_bytes())
    );
}

#[test]
fn nases_that_take_no_requests_get_none() {
    let mut door = Door::new();
    door.nas = door.lab.nas();
    door.enter(GOOD_MAC, "s-1");
    assert!(door.lab.shared.admissions.is_empty());
    door.judged(ComplianceState::NonCompliant);
    assert!(door.sent().is_empty());
}

impl Door {
    /// The same device at many NASes behind one proxy: each is a session of its own.
    pub(crate) fn enter_many(&mut self, mac: &str, count: usize) {
        for number in 0..count {
            let request = self.nas.access(|request| {
                let session = format!("{mac} {number}");
                let nas = format!("ap-{number}");
                request
                    .octets(AttributeType::USER_NAME, mac.as_bytes())
                    .octets(AttributeType::NAS_IDENTIFIER, nas.as_bytes())
                    .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
            });
            let reply = self.lab.ask(&self.nas, &request).unwrap();
            assert_eq!(reply.code, Code::AccessAccept);
        }
    }
}

#[test]
fn a_crowd_is_held_and_released_with_what_is_decided_then() {
    const CROWD: usize = 90;
    let mut door = Door::new();
    door.enter_many(GOOD_MAC, CROWD);
    assert_eq!(door.lab.shared.admissions.len(), CROWD);
    door.judged(ComplianceState::NonCompliant);
    assert!(door.sent().is_empty());
    let admissions = Arc::clone(&door.lab.shared.admissions);
    assert_eq!(admissions.held(), CROWD);

    // Mended meanwhile: nobody has to go, and the next change counts again.
    door.judged(ComplianceState::Compliant);
    assert_eq!(admissions.held(), 0);
    assert_eq!(admissions.release(door.lab.now.wall, false), 0);
    assert!(door.sent().is_empty());

    door.judged(ComplianceState::NonCompliant);
    assert_eq!(admissions.release(door.lab.now.wall, false), CROWD);
    let sent = door.sent();
    assert_eq!(sent.len(), CROWD);
    let mut identifiers: Vec<u8> = sent.iter().map(|request| request[1]).collect();
    identifiers.sort_unstable();
    identifiers.dedup();
    assert_eq!(identifiers.len(), CROWD, "each answer is told apart");
    for request in sent {
        door.answer(&request, 41, None);
    }
    assert_eq!(door.dynamic.pending(), 0);
    assert_eq!(door.counters.acknowledged.get(), 90);
}

#[test]
fn those_who_are_let_stay_stay_until_their_next_change() {
    const CROWD: usize = 60;
    let mut door = Door::new();
    door.enter_many(GOOD_MAC, CROWD);
    door.judged(ComplianceState::NonCompliant);
    let admissions = Arc::clone(&door.lab.shared.admissions);
    assert_eq!(admissions.release(door.lab.now.wall, true), CROWD);
    assert!(door.sent().is_empty());
    // They are to have what they never lost.
    door.judged(ComplianceState::Compliant);
    assert_eq!(admissions.held(), 0);
    assert!(door.sent().is_empty());
    assert_eq!(admissions.len(), CROWD);
    door.judged(ComplianceState::NonCompliant);
    assert_eq!(admissions.held(), CROWD, "the next change is one");
}

#[test]
fn who_leaves_is_not_held_any_more() {
    const CROWD: usize = 60;
    let mut door = Door::new();
    door.enter_many(GOOD_MAC, CROWD);
    door.judged(ComplianceState::NonCompliant);
    let admissions = Arc::clone(&door.lab.shared.admissions);
    assert_eq!(admissions.held(), CROWD);
    // Nothing was heard of them for a day.
    door.lab.passes(Duration::from_hours(24));
    admissions.expire(door.lab.now.wall, &Silence::default());
    assert_eq!(admissions.held(), 0);
    assert_eq!(admissions.release(door.lab.now.wall, false), 0);
}

#[test]
fn few_and_small_shares_are_not_held() {
    for (good, others, held) in [(49, 0, 0), (50, 0, 50), (60, 540, 0), (61, 540, 61)] {
        let mut door = Door::new();
        door.lab.reload(|settings| {
            let mut config = nas_config("ap-9", "office", "192.0.2.9/32");
            config.dynamic_authorization = Some(PORT.into());
            settings.nas = NasTable::new(vec![config]).unwrap();
        });
        door.enter_many(GOOD_MAC, good);
        door.enter_many(crate::lab::UNMANAGED_MAC, others);
        door.judged(ComplianceState::NonCompliant);
        let admissions = &door.lab.shared.admissions;
        assert_eq!(admissions.held(), held, "row {good} of {}", good + others);
    }
}

/// A list that came in pieces passed the brake piece by piece.
#[test]
fn those_who_were_put_out_within_the_last_minute_count_with_the_next() {
    for (pause, held) in [(2, 40), (59, 40), (60, 0)] {
        let mut door = Door::new();
        door.enter_many(GOOD_MAC, 40);
        door.enter_many(crate::lab::UNMANAGED_MAC, 40);
        door.judged(ComplianceState::NonCompliant);
        assert_eq!(door.lab.shared.admissions.held(), 0);
        assert_eq!(door.sent().len(), 40);
        door.lab.passes(Duration::from_secs(pause));
        let (guid, mac) = (crate::lab::UNMANAGED, crate::lab::UNMANAGED_MAC);
        let changes = door.lab.judged(guid, mac, ComplianceState::Compliant);
        let (admissions, now) = (Arc::clone(&door.lab.shared.admissions), door.lab.now.wall);
        admissions.sweep(now, &changes);
        assert_eq!(admissions.held(), held, "row {pause} s");
        // A word is for the minute before, too.
        assert_eq!(admissions.release(now, false), held);
        door.judged(ComplianceState::Compliant);
        assert_eq!(admissions.held(), 0, "row {pause} s");
    }
}

#[test]
fn a_crowd_is_put_out_at_a_bounded_rate_and_none_is_forgotten() {
    const CROWD: usize = 300;
    let mut door = Door::new();
    door.enter_many(GOOD_MAC, CROWD);
    door.judged(ComplianceState::NonCompliant);
    door.lab.shared.admissions.release(door.lab.now.wall, false);
    assert_eq!(door.sent().len(), 100, "at once");
    door.lab.passes(Duration::from_millis(25));
    assert_eq!(door.sent().len(), 50, "two a millisecond");
    door.lab.passes(Duration::from_millis(60));
    let last = door.sent();
    assert_eq!(last.len(), 50, "no more than 200 wait for one NAS");
    door.answer(&last[0], 41, None);
    assert_eq!(door.sent().len(), 1);
    assert_eq!(door.dynamic.pending(), CROWD - 1);
}
