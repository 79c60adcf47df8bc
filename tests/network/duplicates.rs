//! Retransmissions: answered with the same octets, or dropped while the answer is being made.

use std::time::Duration;

use portreeve::model::Verdict;
use portreeve::network::Job;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::ACCOUNTING;
use crate::lab::AUTHENTICATION;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::Sent;
use crate::lab::refusal;
use crate::lab::verdict;
use crate::pair::Next;

#[test]
fn a_retransmission_gets_the_same_octets_rfc5080_2_2_2() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let mut request = pair.request();
    let mut rounds = 0;
    loop {
        let first = lab.deliver(0, AUTHENTICATION, pair.nas.address, &request);
        for _ in 0..3 {
            let again = lab.deliver(0, AUTHENTICATION, pair.nas.address, &request);
            assert_eq!(again, first, "round {rounds}");
        }
        rounds += 1;
        let reply = pair.nas.believe(&request, &first[0].octets);
        match pair.take(lab.now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => {
                end.accepted(&pair.nas);
                break;
            }
        }
    }
    assert_eq!(lab.servers[0].counters().replayed.get(), 3 * rounds);
    assert_eq!(lab.records().len(), 1, "one decision, one record");
}

#[test]
fn every_kind_of_reply_is_kept_rfc5080_2_2_2() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let bypass = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
    });
    let reject = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, b"alice@contoso.com")
            .user_password(b"wrong");
    });
    let accounting = nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, 1)
            .octets(AttributeType::ACCT_SESSION_ID, b"1");
    });
    let status = nas.status();
    for (row, door, request) in [
        ("bypass", AUTHENTICATION, bypass),
        ("reject", AUTHENTICATION, reject),
        ("accounting", ACCOUNTING, accounting),
        ("status", AUTHENTICATION, status),
    ] {
        let first = lab.deliver(0, door, nas.address, &request);
        assert_eq!(first.len(), 1, "row {row}");
        lab.passes(Duration::from_secs(9));
        let again = lab.deliver(0, door, nas.address, &request);
        assert_eq!(again, first, "row {row}");
    }
}

#[test]
fn identifiers_are_counted_for_each_source_port_rfc5080_2_2_2() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let request = nas.status();
    let first = lab.deliver(0, AUTHENTICATION, nas.address, &request);
    nas.address.set_port(2000);
    let other = lab.deliver(0, AUTHENTICATION, nas.address, &request);
    assert_eq!(lab.servers[0].counters().replayed.get(), 0);
    assert_eq!(lab.servers[0].counters().status.get(), 2);
    assert_eq!((first[0].to.port(), other[0].to.port()), (1812, 2000));
}

#[test]
fn a_new_authenticator_replaces_the_old_request_rfc5080_2_2_2() {
    let mut lab = Lab::new();
    let mut nas = lab.nas();
    let first = nas.status();
    lab.ask(&nas, &first).unwrap();
    // 256 requests later the identifier comes round.
    for _ in 0..255 {
        nas.status();
    }
    let second = nas.status();
    assert_eq!(first[1], second[1]);
    lab.ask(&nas, &second).unwrap();
    assert_eq!(lab.servers[0].counters().replayed.get(), 0);
}

#[test]
fn while_a_job_is_away_retransmissions_are_dropped_and_counted() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let (now, from) = (lab.now, pair.nas.address);
    let server = &mut lab.servers[0];
    server.handle_datagram(now, AUTHENTICATION, from, &request);
    let job = server.poll_job().expect("TLS to work on");
    for _ in 0..3 {
        server.handle_datagram(now, AUTHENTICATION, from, &request);
        assert!(server.poll_job().is_none());
        assert_eq!(server.transmits().count(), 0);
    }
    let done = job.run(|| now);
    server.handle_job(now, done);
    assert_eq!(lab.dropped("duplicate_in_progress"), 3);
    let sent = lab.take_sent(0);
    let reply = pair.nas.believe(&request, &sent[0].octets);
    let Next::Request(next) = pair.take(now, reply) else {
        panic!("the end");
    };
    lab.go_on(&mut pair, next).accepted(&pair.nas);
}

#[test]
fn while_a_job_is_away_its_state_is_busy_in_new_requests_too() {
    // A NAS that numbers a retransmission anew, or sends it from another port, was told that its
    // State is unknown, which ended the login.
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let (now, from) = (lab.now, pair.nas.address);
    lab.servers[0].handle_datagram(now, AUTHENTICATION, from, &request);
    let job = lab.servers[0].poll_job().unwrap();
    let renumbered = pair.request();
    assert_ne!(renumbered[1], request[1]);
    assert!(lab.ask(&pair.nas, &renumbered).is_none());
    let mut elsewhere = from;
    elsewhere.set_port(4444);
    assert!(
        lab.deliver(0, AUTHENTICATION, elsewhere, &request)
            .is_empty()
    );
    assert_eq!(lab.dropped("conversation_busy"), 2);
    let done = job.run(|| now);
    lab.servers[0].handle_job(now, done);
    let sent = lab.take_sent(0);
    let reply = pair.nas.believe(&request, &sent[0].octets);
    let Next::Request(next) = pair.take(now, reply) else {
        panic!("the end");
    };
    lab.go_on(&mut pair, next).accepted(&pair.nas);
}

#[test]
fn a_refused_job_is_done_when_the_nas_asks_again() {
    // The conversation went with its job, and the retransmission found its State unknown.
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    for (row, renumbered) in [("the same request", false), ("a new one", true)] {
        let mut request = pair.request();
        let mut refused = 0;
        loop {
            let mut sent = without_pool(&mut lab, &pair.nas.address, &request, &mut refused);
            if sent.is_empty() {
                if renumbered {
                    request = pair.request();
                }
                sent = lab.deliver(0, AUTHENTICATION, pair.nas.address, &request);
            }
            assert_eq!(sent.len(), 1, "row {row}");
            let reply = pair.nas.believe(&request, &sent[0].octets);
            match pair.take(lab.now, reply) {
                Next::Request(next) => request = next,
                Next::End(end) => {
                    end.accepted(&pair.nas);
                    break;
                }
            }
        }
        assert_eq!(refused, 2, "row {row}: each flight once");
        pair = lab.pair(GOOD);
    }
    assert_eq!(lab.dropped("overloaded"), 4);
    for record in lab.records() {
        assert_eq!(verdict(&record), Verdict::Allow);
    }
}

/// Delivers a request while the workers have no place.
fn without_pool(
    lab: &mut Lab,
    from: &std::net::SocketAddr,
    request: &[u8],
    refused: &mut usize,
) -> Vec<Sent> {
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, *from, request);
    while let Some(job) = lab.servers[0].poll_job() {
        lab.servers[0].handle_refused_job(job);
        *refused += 1;
    }
    lab.take_sent(0)
}

#[test]
fn a_job_that_fails_is_given_up_at_once() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let (now, from) = (lab.now, pair.nas.address);
    let server = &mut lab.servers[0];
    server.handle_datagram(now, AUTHENTICATION, from, &request);
    let job = server.poll_job().unwrap();
    let loss = job.loss();
    drop(job);
    server.handle_job(now, loss);
    assert_eq!(server.counters().lost.get(), 1);
    assert_eq!(server.transmits().count(), 0);
    // The conversation went with it: the NAS is told, and begins anew.
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    assert!(refusal(&lab.record()).contains("State"));
}

#[test]
fn a_job_that_never_comes_back_is_given_up_in_time() {
    // Entries of such jobs were forgotten without a count.
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let from = pair.nas.address;
    let now = lab.now;
    lab.servers[0].handle_datagram(now, AUTHENTICATION, from, &request);
    let job: Job = lab.servers[0].poll_job().unwrap();
    // The stored duplicate lives 10 seconds; the conversation is still known to be busy.
    lab.passes(Duration::from_secs(15));
    assert!(lab.ask(&pair.nas, &request).is_none());
    assert_eq!(lab.dropped("conversation_busy"), 1);
    lab.passes(Duration::from_secs(15));
    let now = lab.now;
    assert!(lab.servers[0].poll_timeout().unwrap() <= now.monotonic);
    lab.servers[0].handle_timeout(now);
    assert_eq!(lab.servers[0].counters().lost.get(), 1);
    assert_eq!(
        lab.servers[0].counters().abandoned.get(),
        0,
        "not the peer's fault"
    );
    let reply = lab.ask(&pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessReject);
    // Should it come back after all, nobody waits for it.
    let done = job.run(|| now);
    lab.servers[0].handle_job(now, done);
    assert!(lab.take_sent(0).is_empty());
}

#[test]
fn timeouts_leave_nothing_behind() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    lab.login(&mut pair).accepted(&pair.nas);
    lab.passes(Duration::from_secs(60));
    let now = lab.now;
    lab.servers[0].handle_timeout(now);
    assert_eq!(lab.servers[0].poll_timeout(), None);
}
