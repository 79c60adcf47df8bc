//! Accounting and the sessions that it keeps.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve::access::Correlation;
use portreeve::access::NasNames;
use portreeve::access::Session;
use portreeve::access::SessionKey;
use portreeve::access::Silence;
use portreeve::network::Server;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Signature;

use crate::lab::ACCOUNTING;
use crate::lab::ALICE;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::nas::Nas;
use crate::nas::Reply;
use crate::world::SECRET;

const START: u32 = 1;
const STOP: u32 = 2;
const INTERIM: u32 = 3;
const ON: u32 = 7;
const OFF: u32 = 8;

fn account(
    lab: &mut Lab,
    nas: &mut Nas,
    status: u32,
    id: &[u8],
    more: &[(AttributeType, &[u8])],
) -> Option<Reply> {
    let request = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, status)
            .octets(AttributeType::ACCT_SESSION_ID, id);
        for (kind, value) in more {
            request.octets(*kind, value);
        }
    });
    lab.ask_at(0, ACCOUNTING, nas, &request)
}

fn session(lab: &Lab, nas: &Nas, id: &[u8]) -> Option<Session> {
    let key = SessionKey::new(NasNames::new(nas.address.ip(), None, None), id);
    lab.shared.sessions.get(&key)
}

#[test]
fn a_session_begins_goes_on_and_ends_rfc2866_5_1() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let named: [(AttributeType, &[u8]); 2] = [
        (AttributeType::USER_NAME, ALICE.as_bytes()),
        (AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes()),
    ];
    let reply = account(&mut lab, &mut nas, START, b"s1", &named).unwrap();
    assert_eq!(reply.code, Code::AccountingResponse);
    assert_eq!(reply.signature, Signature::Missing, "no RFC defines one");
    assert!(reply.kinds().is_empty());
    let began = session(&lab, &nas, b"s1").unwrap();
    assert_eq!(began.user.as_str(), ALICE);
    assert_eq!(began.station, Some(GOOD_MAC.parse().unwrap()));
    assert_eq!(
        (began.started, began.rhythm.heard()),
        (lab.now.wall, lab.now.wall)
    );

    lab.passes(Duration::from_secs(300));
    let counted: [(AttributeType, &[u8]); 4] = [
        (AttributeType::ACCT_SESSION_TIME, &300_u32.to_be_bytes()),
        (AttributeType::ACCT_INPUT_OCTETS, &5_u32.to_be_bytes()),
        (AttributeType::ACCT_INPUT_GIGAWORDS, &1_u32.to_be_bytes()),
        (AttributeType::ACCT_OUTPUT_OCTETS, &7_u32.to_be_bytes()),
    ];
    account(&mut lab, &mut nas, INTERIM, b"s1", &counted).unwrap();
    let goes_on = session(&lab, &nas, b"s1").unwrap();
    assert_eq!(goes_on.started, began.started);
    assert_eq!(goes_on.rhythm.heard(), lab.now.wall);
    assert_eq!((goes_on.octets_in, goes_on.octets_out), ((1 << 32) + 5, 7));
    assert_eq!(
        goes_on.user.as_str(),
        ALICE,
        "an update that does not say who it is changes nothing in that"
    );

    account(&mut lab, &mut nas, STOP, b"s1", &[]).unwrap();
    assert!(session(&lab, &nas, b"s1").is_none());
    assert_eq!(lab.servers[0].counters().accounted.get(), 3);
}

#[test]
fn an_interim_update_opens_a_session_whose_start_was_lost() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let running: [(AttributeType, &[u8]); 2] = [
        (AttributeType::ACCT_SESSION_TIME, &100_u32.to_be_bytes()),
        (AttributeType::ACCT_DELAY_TIME, &20_u32.to_be_bytes()),
    ];
    account(&mut lab, &mut nas, INTERIM, b"s1", &running).unwrap();
    let open = session(&lab, &nas, b"s1").unwrap();
    assert_eq!(lab.now.wall.since(open.started), Duration::from_secs(120));
    let extreme: [(AttributeType, &[u8]); 2] = [
        (AttributeType::ACCT_SESSION_TIME, &[0xff; 4]),
        (AttributeType::ACCT_DELAY_TIME, &[0xff; 4]),
    ];
    account(&mut lab, &mut nas, INTERIM, b"s2", &extreme).unwrap();
}

#[test]
fn a_nas_that_begins_or_stops_to_account_voids_its_sessions_rfc2866_5_1() {
    for status in [ON, OFF] {
        let mut lab = Lab::new();
        let mut nas = lab.nas();
        let mut other = Nas::new("192.0.2.2:1812", SECRET);
        account(&mut lab, &mut nas, START, b"s1", &[]).unwrap();
        account(&mut lab, &mut nas, START, b"s2", &[]).unwrap();
        account(&mut lab, &mut other, START, b"s1", &[]).unwrap();
        account(&mut lab, &mut nas, status, b"boot", &[]).unwrap();
        assert_eq!(lab.shared.sessions.len(), 1, "row {status}");
        assert!(session(&lab, &other, b"s1").is_some(), "row {status}");
    }
}

/// Behind one address there may be several: a switch that restarts ends its own sessions only.
#[test]
fn accounting_on_ends_the_sessions_of_the_nas_that_it_names_rfc2866_5_1() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let names = [&b"switch-1"[..], b"switch-2"];
    for name in names {
        let named: [(AttributeType, &[u8]); 1] = [(AttributeType::NAS_IDENTIFIER, name)];
        account(&mut lab, &mut nas, START, b"s1", &named).unwrap();
    }
    assert_eq!(lab.shared.sessions.len(), 2, "they call them alike");
    let named: [(AttributeType, &[u8]); 1] = [(AttributeType::NAS_IDENTIFIER, names[0])];
    account(&mut lab, &mut nas, ON, b"boot", &named).unwrap();
    assert_eq!(lab.shared.sessions.len(), 1);
    let nas = |name| NasNames::new(nas.address.ip(), Some(name), None);
    let left = SessionKey::new(nas(names[1]), b"s1");
    assert!(lab.shared.sessions.get(&left).is_some());
}

#[test]
fn a_session_whose_updates_stop_is_over_rfc2869_2_1() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for id in [b"timed", b"quiet"] {
        account(&mut lab, &mut nas, START, id, &[]).unwrap();
    }
    for _ in 0..2 {
        lab.passes(Duration::from_mins(10));
        account(&mut lab, &mut nas, INTERIM, b"timed", &[]).unwrap();
    }
    let silence = Silence::default();
    lab.passes(Duration::from_mins(40));
    lab.shared.sessions.expire(lab.now.wall, &silence);
    assert_eq!(lab.shared.sessions.len(), 2, "the last one may be late");
    lab.passes(Duration::from_mins(1));
    lab.shared.sessions.expire(lab.now.wall, &silence);
    assert!(session(&lab, &nas, b"timed").is_none());
    assert!(session(&lab, &nas, b"quiet").is_some());
}

#[test]
fn the_class_of_an_accept_ties_the_session_to_its_decision_rfc2865_5_25() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    let class = end.accepted(&pair.nas).find(AttributeType::CLASS).unwrap();
    let record = lab.record();
    let mut nas = lab.nas();
    let classes: [(AttributeType, &[u8]); 2] = [
        (AttributeType::CLASS, b"of another server"),
        (AttributeType::CLASS, &class),
    ];
    account(&mut lab, &mut nas, START, b"s1", &classes).unwrap();
    let open = session(&lab, &nas, b"s1").unwrap();
    assert_eq!(open.decision, Some(record.id));
    // Later packets may leave it out.
    account(&mut lab, &mut nas, INTERIM, b"s1", &[]).unwrap();
    let open = session(&lab, &nas, b"s1").unwrap();
    assert_eq!(open.decision, Some(record.id));
    let odd: [(AttributeType, &[u8]); 1] = [(AttributeType::CLASS, b"portreeve:")];
    account(&mut lab, &mut nas, START, b"s2", &odd).unwrap();
    let open = session(&lab, &nas, b"s2").unwrap();
    assert_eq!(open.decision, None::<Correlation>);
}

#[test]
fn kinds_that_we_do_not_know_are_answered() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for status in [0, 4, 9, 15, u32::MAX] {
        let reply = account(&mut lab, &mut nas, status, b"s1", &[]).unwrap();
        assert_eq!(reply.code, Code::AccountingResponse, "row {status}");
    }
    assert!(lab.shared.sessions.is_empty());
}

#[test]
fn accounting_without_its_required_attributes_is_dropped_rfc2866_5_13() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let no_status = nas.accounting(|request| {
        request.octets(AttributeType::ACCT_SESSION_ID, b"s1");
    });
    let no_id = nas.accounting(|request| {
        request.integer(AttributeType::ACCT_STATUS_TYPE, START);
    });
    for request in [no_status, no_id] {
        assert!(lab.ask_at(0, ACCOUNTING, &nas, &request).is_none());
    }
    assert_eq!(lab.dropped("missing_attribute"), 2);
}

#[test]
fn a_wrong_request_authenticator_keeps_no_session_rfc2866_3() {
    let mut lab = Lab::new();
    let mut nas = Nas::new("192.0.2.1:1812", b"another secret of ours..");
    let request = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, START)
            .octets(AttributeType::ACCT_SESSION_ID, b"s1");
    });
    let sent = lab.deliver(0, ACCOUNTING, nas.address, &request);
    assert!(sent.is_empty());
    assert_eq!(lab.dropped("bad_authenticator"), 1);
    assert!(lab.shared.sessions.is_empty());
}

#[test]
fn a_nas_may_be_kept_from_accounting() {
    let mut lab = Lab::new();
    let mut nas = Nas::new("198.51.100.3:1812", SECRET);
    assert!(account(&mut lab, &mut nas, START, b"s1", &[]).is_none());
    assert_eq!(lab.dropped("accounting_not_allowed"), 1);
}

#[test]
fn what_is_answered_is_on_record_as_this_line_rfc2866_4_1() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let said: [(AttributeType, &[u8]); 9] = [
        (AttributeType::USER_NAME, ALICE.as_bytes()),
        (AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes()),
        (AttributeType::CALLED_STATION_ID, b"00-00-5E-00-53-AA:\xff"),
        (AttributeType::NAS_PORT, &7_u32.to_be_bytes()),
        (AttributeType::FRAMED_IP_ADDRESS, &[192, 0, 2, 77]),
        (
            AttributeType::CLASS,
            b"portreeve:\x01\x23\x45\x67\x89\xab\xcd\xef",
        ),
        (AttributeType::ACCT_SESSION_TIME, &300_u32.to_be_bytes()),
        (AttributeType::ACCT_INPUT_OCTETS, &5_u32.to_be_bytes()),
        (AttributeType::ACCT_TERMINATE_CAUSE, &1_u32.to_be_bytes()),
    ];
    account(&mut lab, &mut nas, STOP, b"s\n1", &said).unwrap();
    let expected = concat!(
        r#"{"time":"2026-06-01T12:00:00.000Z","nas":"ap-1","from":"192.0.2.1","event":"stop","#,
        r#""session":"s\n1","user":"alice@contoso.com","calling":"00-00-5E-00-53-01","#,
        r#""called":"0x30302d30302d35452d30302d35332d41413aff","port":7,"address":"192.0.2.77","#,
        r#""decision":"0123456789abcdef","seconds":300,"octets_in":5,"cause":1}"#,
        "\n"
    );
    assert_eq!(String::from_utf8_lossy(&lab.recorded), expected);
    account(&mut lab, &mut nas, 4711, b"s2", &[]).unwrap();
    let text = String::from_utf8_lossy(&lab.recorded);
    assert!(text.contains(r#""event":"4711","session":"s2"}"#), "{text}");
}

#[test]
fn what_cannot_be_recorded_is_not_answered_and_not_remembered_rfc2866_4_1() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let request = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, START)
            .octets(AttributeType::ACCT_SESSION_ID, b"s1");
    });
    lab.disk_is_full = true;
    for _ in 0..2 {
        assert!(lab.ask_at(0, ACCOUNTING, &nas, &request).is_none());
    }
    assert_eq!(lab.dropped("accounting_unrecorded"), 2);
    assert_eq!(lab.servers[0].counters().accounted.get(), 0);
    assert!(session(&lab, &nas, b"s1").is_none());
    lab.disk_is_full = false;
    assert!(lab.ask_at(0, ACCOUNTING, &nas, &request).is_some());
    // A retransmission gets the same answer and is not recorded again.
    let recorded = lab.recorded.len();
    assert!(lab.ask_at(0, ACCOUNTING, &nas, &request).is_some());
    assert_eq!(lab.recorded.len(), recorded);
}

#[test]
fn nothing_is_answered_before_it_is_on_record_rfc2866_4_1() {
    let lab = Lab::new();
    let mut nas = lab.nas();
    let mut server = Server::new(0, Arc::clone(&lab.shared));
    let mut report = |server: &mut Server, id: &[u8]| {
        let request = nas.accounting(|request| {
            request
                .integer(AttributeType::ACCT_STATUS_TYPE, START)
                .octets(AttributeType::ACCT_SESSION_ID, id);
        });
        server.handle_datagram(lab.now, ACCOUNTING, nas.address, &request);
        request
    };
    let first = report(&mut server, b"s1");
    assert_eq!(server.transmits().count(), 0);
    // Nor is it when it comes again meanwhile.
    server.handle_datagram(lab.now, ACCOUNTING, lab.nas().address, &first);
    server.clear_transmits();
    assert_eq!(server.transmits().count(), 0);
    server.handle_recorded(lab.now);
    assert!(server.accounting().is_empty());
    assert_eq!(server.transmits().count(), 1);
    // What comes between the record and the sending waits for a record of its own.
    report(&mut server, b"s2");
    assert_eq!(server.transmits().count(), 1);
    server.clear_transmits();
    assert_eq!(server.transmits().count(), 0);
    server.handle_recorded(lab.now);
    assert_eq!(server.transmits().count(), 1);
    report(&mut server, b"s3");
    server.handle_unrecorded();
    assert_eq!(server.transmits().count(), 1);
}

#[test]
fn ids_that_are_no_text_are_different_sessions() {
    // All that begin with an octet that is no text were one session, and one Stop ended them all.
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for id in [&b"\xff\x01"[..], b"\xff\x02", &[b'a'; 65], &[b'a'; 66]] {
        account(&mut lab, &mut nas, START, id, &[]).unwrap();
    }
    assert_eq!(lab.shared.sessions.len(), 4);
    account(&mut lab, &mut nas, STOP, b"\xff\x01", &[]).unwrap();
    assert!(session(&lab, &nas, b"\xff\x01").is_none());
    assert!(session(&lab, &nas, b"\xff\x02").is_some());
}

#[test]
fn a_full_table_of_sessions_is_still_answered() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    for number in 0..101_u32 {
        let reply = account(&mut lab, &mut nas, START, &number.to_be_bytes(), &[]);
        assert_eq!(reply.unwrap().code, Code::AccountingResponse);
    }
    assert_eq!(lab.shared.sessions.len(), 100);
    assert_eq!(lab.shared.sessions.refused(), 1);
    assert_eq!(nas.address.ip(), IpAddr::from([192, 0, 2, 1]));
}
