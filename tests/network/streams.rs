//! Packets of TLS connections: a connection is a source like an address and port, and its
//! certificate has told whose it is.

use std::sync::Arc;
use std::time::Duration;

use portreeve::model::CertificateIdentity;
use portreeve::model::ComplianceState;
use portreeve::model::Secret;
use portreeve::network::Door;
use portreeve::network::Dynamic;
use portreeve::network::DynamicCounters;
use portreeve::network::Reach;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::Nas as Device;
use portreeve::radius::PeerConfig;
use portreeve::radius::PeerTable;
use portreeve::radius::RADSEC_SECRET;

use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::nas::Nas;
use crate::nas::Reply;
use crate::world::nas_config;

/// An address that no NAS of the table has.
const FROM: &str = "203.0.113.99:41000";

/// A device that comes over TLS, and its side of the connection.
fn device() -> (Arc<Device>, Nas) {
    let mut nas = nas_config("branch", "office", "0.0.0.0/32");
    nas.secret = Secret::new(RADSEC_SECRET.to_vec());
    nas.dynamic_authorization = Some(3799.into());
    let signed = rcgen::generate_simple_self_signed(vec!["branch.example.org".into()]).unwrap();
    let certificate = CertificateIdentity::parse(signed.cert.der()).unwrap();
    let table = PeerTable::new(vec![PeerConfig {
        nas,
        names: vec!["branch.example.org".parse().unwrap()],
        fingerprints: Vec::new(),
        networks: Vec::new(),
    }])
    .unwrap();
    let nas = Nas::new(FROM, RADSEC_SECRET);
    let found = table.find(&certificate, nas.address.ip()).unwrap();
    (Arc::clone(found), nas)
}

/// Asks over the connection.
fn ask(lab: &mut Lab, device: &Arc<Device>, nas: &Nas, request: &[u8]) -> Option<Reply> {
    let now = lab.now;
    assert!(lab.servers[0].handle_packet(now, nas.address, device, request));
    let sent = lab.settle();
    assert!(sent.len() <= 1, "{} replies to one request", sent.len());
    let sent = sent.first()?;
    assert_eq!((sent.to, sent.door), (nas.address, Door::STREAM));
    Some(nas.believe(request, &sent.octets))
}

fn bypass(nas: &mut Nas) -> Vec<u8> {
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
    })
}

#[test]
fn one_connection_carries_authentication_accounting_and_status_rfc6614_2_1() {
    let mut lab = Lab::new();
    let (device, mut nas) = device();
    let request = bypass(&mut nas);
    let reply = ask(&mut lab, &device, &nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessAccept);
    assert_eq!(lab.record().nas.as_str(), "branch");
    let request = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, 1)
            .octets(AttributeType::ACCT_SESSION_ID, b"s-1");
    });
    let reply = ask(&mut lab, &device, &nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccountingResponse);
    let request = nas.status();
    let reply = ask(&mut lab, &device, &nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessAccept);
}

#[test]
fn replies_that_were_kept_end_with_their_connection_rfc6613_2_6_1() {
    let mut lab = Lab::new();
    let (device, mut nas) = device();
    let request = bypass(&mut nas);
    let first = ask(&mut lab, &device, &nas, &request).unwrap();
    let again = ask(&mut lab, &device, &nas, &request).unwrap();
    assert_eq!(first.octets, again.octets, "the identifier is in use");
    assert_eq!(lab.servers[0].counters().replayed.get(), 1);
    lab.servers[0].handle_closed(nas.address);
    let anew = ask(&mut lab, &device, &nas, &request).unwrap();
    assert_ne!(
        first.find(AttributeType::CLASS),
        anew.find(AttributeType::CLASS)
    );
    assert_eq!(lab.servers[0].counters().replayed.get(), 1);
}

#[test]
fn what_shows_that_both_sides_do_not_understand_each_other_ends_the_connection_rfc6613_2_6_4() {
    let mut lab = Lab::new();
    let (device, mut nas) = device();
    let from = nas.address;
    let mut forged = bypass(&mut nas);
    *forged.last_mut().unwrap() ^= 1;
    let mut broken = nas.status();
    broken.extend_from_slice(&[1, 1]);
    let length = u16::try_from(broken.len()).unwrap().to_be_bytes();
    broken[2..4].copy_from_slice(&length);
    let mut accounting = nas.accounting(|request| {
        request.integer(AttributeType::ACCT_STATUS_TYPE, 1);
    });
    accounting[4] ^= 1;
    let mut unknown = nas.status();
    unknown[0] = 99;
    let reply = [2, 1, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (row, packet, trusted) in [
        ("Message-Authenticator", &forged[..], false),
        ("attributes", &broken, false),
        ("Request Authenticator", &accounting, false),
        ("unknown code", &unknown, true),
        ("a reply", &reply, true),
    ] {
        let now = lab.now;
        let held = lab.servers[0].handle_packet(now, from, &device, packet);
        assert_eq!(held, trusted, "row {row}");
        assert!(lab.settle().is_empty(), "row {row}");
    }
}

/// A device that came over TLS has to leave.
fn leaving() -> (Lab, Dynamic, Arc<DynamicCounters>, Arc<Device>) {
    let mut lab = Lab::new();
    let (device, mut nas) = device();
    let request = bypass(&mut nas);
    ask(&mut lab, &device, &nas, &request).unwrap();
    let counters = Arc::new(DynamicCounters::default());
    let mut dynamic = Dynamic::new(Arc::clone(&lab.shared), Arc::clone(&counters));
    let changes = lab.judged(GOOD, GOOD_MAC, ComplianceState::NonCompliant);
    lab.shared.admissions.sweep(lab.now.wall, &changes);
    dynamic.handle_due(lab.now);
    (lab, dynamic, counters, device)
}

#[test]
fn a_request_to_leave_is_written_once_to_a_connection_rfc6613_2_6_1() {
    let (mut lab, mut dynamic, counters, device) = leaving();
    let branch = Reach::Tls("branch".into());
    let (to, request) = dynamic.poll_transmit().unwrap();
    assert_eq!(to, branch);
    for _ in 0..3 {
        lab.passes(Duration::from_secs(2));
        dynamic.handle_timeout(lab.now);
        assert_eq!(dynamic.poll_transmit(), None, "no retransmission over TCP");
    }
    // The connection ends: the request goes over the next one, once.
    dynamic.handle_gone(&branch);
    lab.passes(Duration::from_secs(4));
    dynamic.handle_timeout(lab.now);
    assert_eq!(dynamic.poll_transmit(), Some((branch, request.clone())));
    let mut answer = vec![41, request[1], 0, 20];
    let signed = [&answer, &request[4..20], RADSEC_SECRET].concat();
    answer.extend_from_slice(&<[u8; 16]>::from(<md5::Md5 as md5::Digest>::digest(signed)));
    dynamic.handle_packet(lab.now, &device, &answer);
    assert_eq!(counters.acknowledged.get(), 1);
    assert_eq!(dynamic.pending(), 0);
}

#[test]
fn without_a_connection_a_request_to_leave_waits_for_one_and_is_given_up_in_the_end() {
    let (mut lab, mut dynamic, counters, _) = leaving();
    let branch = Reach::Tls("branch".into());
    let mut tries = 0;
    for _ in 0..20 {
        while dynamic.poll_transmit().is_some() {
            tries += 1;
            dynamic.handle_gone(&branch);
        }
        lab.passes(Duration::from_secs(1));
        dynamic.handle_timeout(lab.now);
    }
    assert_eq!(tries, 4);
    assert_eq!(counters.unanswered.get(), 1);
    // It is looked at again when the NAS may have come back.
    assert_eq!(dynamic.pending(), 1);
}
