//! Decisions are made on what is known now: changes in mid-login, resumption, reloads.

use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::TlsVersion;
use portreeve::model::ComplianceState;
use portreeve::model::Verdict;
use portreeve::network::Door;
use portreeve::probe::Profile;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::AUTHENTICATION;
use crate::lab::BAD;
use crate::lab::BAD_MAC;
use crate::lab::Book;
use crate::lab::CLOSED;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::UNMANAGED;
use crate::lab::UNMANAGED_MAC;
use crate::lab::device;
use crate::lab::verdict;
use crate::pair::Pair;
use crate::pki::Authority;
use crate::world::rules;

/// A login whose device was judged good in the handshake, and the request that would end it.
fn judged(lab: &mut Lab, guid: &'static str) -> (Pair, Vec<u8>) {
    let mut pair = lab.pair(guid);
    let request = lab.login_up_to(&mut pair, 3);
    assert!(pair.report().indicated, "the peer was told of its success");
    (pair, request)
}

#[test]
fn a_change_between_handshake_and_accept_is_decided_again_r14() {
    let mut lab = Lab::new();
    let (mut pair, request) = judged(&mut lab, GOOD);
    lab.judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(reply.eap().unwrap(), [4, pair.response[1], 0, 4]);
    assert_eq!(lab.servers[0].counters().decided_again.get(), 1);
    assert_eq!(lab.servers[0].counters().allowed.get(), 0);
    assert_eq!(lab.servers[0].counters().blocked.get(), 1);
    assert_eq!(verdict(&lab.record()), Verdict::Block);
    pair.state = None;
}

#[test]
fn a_change_of_another_device_is_decided_again_and_changes_nothing() {
    let mut lab = Lab::new();
    let (mut pair, request) = judged(&mut lab, GOOD);
    lab.judged(BAD, BAD_MAC, ComplianceState::Compliant);
    lab.go_on(&mut pair, request).accepted(&pair.nas);
    assert_eq!(lab.servers[0].counters().decided_again.get(), 1);
}

#[test]
fn without_a_change_one_decision_is_enough() {
    let mut lab = Lab::new();
    let (mut pair, request) = judged(&mut lab, GOOD);
    lab.go_on(&mut pair, request).accepted(&pair.nas);
    assert_eq!(lab.servers[0].counters().decided_again.get(), 0);
}

#[test]
fn another_policy_between_handshake_and_accept_is_obeyed() {
    let mut lab = Lab::new();
    let (pair, request) = judged(&mut lab, GOOD);
    lab.point().replace_policy(rules(CLOSED));
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(verdict(&lab.record()), Verdict::Block);
}

#[test]
fn a_change_from_allow_to_quarantine_gets_the_attributes_of_quarantine() {
    let mut lab = Lab::new();
    let (mut pair, request) = judged(&mut lab, GOOD);
    let unmanaged = device(
        GOOD,
        GOOD_MAC,
        portreeve::model::Tri::No,
        ComplianceState::Compliant,
    );
    lab.said(unmanaged);
    let end = lab.go_on(&mut pair, request);
    let vlan = end
        .accepted(&pair.nas)
        .text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
    assert_eq!(vlan.as_deref(), Some("quarantine"));
    assert_eq!(verdict(&lab.record()), Verdict::Quarantine);
}

#[test]
fn a_change_from_quarantine_to_allow_is_felt_at_once() {
    let mut lab = Lab::new();
    let (mut pair, request) = judged(&mut lab, UNMANAGED);
    lab.judged(UNMANAGED, UNMANAGED_MAC, ComplianceState::Compliant);
    let end = lab.go_on(&mut pair, request);
    let vlan = end
        .accepted(&pair.nas)
        .text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
    assert_eq!(vlan.as_deref(), Some("staff"));
}

/// A profile that remembers handshakes, after one that succeeded.
fn roamer(lab: &mut Lab, highest: TlsVersion) -> Arc<Profile> {
    let mut settings = lab.profile_settings(GOOD);
    settings.remembered = 8;
    settings.highest = highest;
    let profile = Arc::new(Profile::build(settings).unwrap());
    let mut pair = lab.pair_of(&profile);
    lab.login(&mut pair).accepted(&pair.nas);
    assert!(!pair.report().resumed);
    lab.records();
    profile
}

#[test]
fn a_resumed_login_is_judged_again_rfc9190_2_1_2() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut lab = Lab::new();
        let profile = roamer(&mut lab, version);
        let mut pair = lab.pair_of(&profile);
        let end = lab.login(&mut pair);
        assert!(pair.report().resumed, "row {version}");
        end.accepted(&pair.nas);
        let record = lab.record();
        assert!(record.method.as_str().ends_with("resumed"), "row {version}");
        assert_eq!(verdict(&record), Verdict::Allow);

        // The ticket is good; the device is not any more.
        lab.judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
        let mut pair = lab.pair_of(&profile);
        lab.login(&mut pair).rejected();
        assert!(!pair.report().indicated, "row {version}");
        assert_eq!(verdict(&lab.record()), Verdict::Block);

        // And back.
        lab.judged(GOOD, GOOD_MAC, ComplianceState::Compliant);
        let mut pair = lab.pair_of(&profile);
        lab.login(&mut pair).accepted(&pair.nas);
    }
}

#[test]
fn a_change_between_a_resumed_handshake_and_its_accept_is_decided_again() {
    let mut lab = Lab::new();
    let profile = roamer(&mut lab, TlsVersion::Tls13);
    let mut pair = lab.pair_of(&profile);
    let request = lab.login_up_to(&mut pair, 3);
    assert!(pair.report().resumed && pair.report().indicated);
    lab.judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert_eq!(verdict(&lab.record()), Verdict::Block);
}

#[test]
fn a_revocation_stops_resumption_rfc5216_2_1_2() {
    for version in [TlsVersion::Tls12, TlsVersion::Tls13] {
        let mut lab = Lab::new();
        let profile = roamer(&mut lab, version);
        let list = lab.root.revocation_list(&[7]);
        lab.reload_eap(|settings| settings.revocation_lists = vec![list]);
        let mut pair = lab.pair_of(&profile);
        lab.login(&mut pair).rejected();
    }
}

#[test]
fn a_conversation_keeps_the_eap_settings_that_it_began_with() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 2);
    let other = Authority::root("Other Root");
    lab.reload_eap(|settings| settings.roots = vec![other.certificate()]);
    lab.go_on(&mut pair, request).accepted(&pair.nas);
    // The next one has the new settings.
    let mut pair = lab.pair(GOOD);
    lab.login(&mut pair).rejected();
}

#[test]
fn attributes_are_those_of_the_settings_in_force() {
    let mut lab = Lab::new();
    let (mut pair, request) = judged(&mut lab, GOOD);
    lab.reload(|settings| {
        let lab = settings.enforcement.groups["lab"].clone();
        settings.enforcement.default = lab;
    });
    let end = lab.go_on(&mut pair, request);
    let vlan = end
        .accepted(&pair.nas)
        .text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
    assert_eq!(vlan.as_deref(), Some("lab"));
}

#[test]
fn a_nas_that_a_reload_removes_is_not_answered_any_more() {
    let mut lab = Lab::new();
    let (pair, request) = judged(&mut lab, GOOD);
    lab.reload(|settings| settings.nas = portreeve::radius::NasTable::default());
    assert!(lab.ask(&pair.nas, &request).is_none());
    assert_eq!(lab.dropped("unknown_nas"), 1);
}

#[test]
fn a_reload_while_a_job_is_away_does_no_harm() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
    let job = lab.servers[0].poll_job().unwrap();
    lab.reload(|settings| {
        settings.passwords = Arc::new(Book {
            nobody: true,
            stamp: 0,
        })
    });
    let done = job.run(|| now);
    lab.servers[0].handle_job(now, done);
    let sent = lab.take_sent(0);
    assert_eq!(sent.len(), 1);
    pair.nas.believe(&request, &sent[0].octets);
}

#[test]
fn a_password_is_checked_by_whom_the_settings_name() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let mut ask = |lab: &mut Lab| {
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, b"alice@contoso.com")
                .user_password(b"moc.osotnoc@ecila");
        });
        lab.ask(&nas, &request).unwrap().code
    };
    assert_eq!(ask(&mut lab), Code::AccessAccept);
    lab.reload(|settings| {
        settings.passwords = Arc::new(Book {
            nobody: true,
            stamp: 0,
        })
    });
    assert_eq!(ask(&mut lab), Code::AccessReject);
}

#[test]
fn facts_that_grow_old_lead_to_quarantine_r49() {
    let mut lab = Lab::new();
    lab.passes(Duration::from_secs(49 * 3600));
    let mut pair = lab.pair(GOOD);
    let end = lab.login(&mut pair);
    let vlan = end
        .accepted(&pair.nas)
        .text(AttributeType::TUNNEL_PRIVATE_GROUP_ID);
    assert_eq!(vlan.as_deref(), Some("quarantine"));
}

#[test]
fn the_reply_leaves_by_the_door_where_the_request_came_in() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let door = Door {
        socket: 5,
        ..AUTHENTICATION
    };
    let request = lab.login_up_to(&mut pair, 1);
    // `ask_at` compares the doors; this request waits for a job.
    assert!(lab.ask_at(0, door, &pair.nas, &request).is_some());
}
