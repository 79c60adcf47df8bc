//! Between a datagram and its reply nothing is allocated: measured, not believed.

use std::net::SocketAddr;
use std::time::Duration;

use portreeve::network::Config;
use portreeve::network::Door;
use portreeve::network::MAX_BATCH;
use portreeve::network::Server;
use portreeve::radius::AttributeType;

use crate::alloc::allocations;
use crate::lab::ACCOUNTING;
use crate::lab::ALICE;
use crate::lab::AUTHENTICATION;
use crate::lab::BAD_MAC;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::STRANGER_MAC;
use crate::nas::Nas;

/// Requests of one kind, each another packet.
const REQUESTS: usize = 500;

fn bypass(nas: &mut Nas, mac: &str) -> Vec<u8> {
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, mac.as_bytes())
            .user_password(mac.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, mac.as_bytes());
    })
}

fn password(nas: &mut Nas, password: &str) -> Vec<u8> {
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .user_password(password.as_bytes())
            .octets(AttributeType::CALLING_STATION_ID, GOOD_MAC.as_bytes());
    })
}

fn report(nas: &mut Nas, status: u32) -> Vec<u8> {
    nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, status)
            .octets(AttributeType::ACCT_SESSION_ID, b"s1")
            .octets(AttributeType::USER_NAME, ALICE.as_bytes())
            .integer(AttributeType::ACCT_INPUT_OCTETS, 5);
    })
}

/// Hands one datagram to the server as a packet loop does, and gives how many replies left.
fn serve(lab: &Lab, server: &mut Server, door: Door, from: SocketAddr, octets: &[u8]) -> usize {
    server.handle_datagram(lab.now, door, from, octets);
    if !server.accounting().is_empty() {
        server.handle_recorded(lab.now);
    }
    server.handle_timeout(lab.now);
    let sent = server.transmits().count();
    server.clear_transmits();
    // The journal's thread does this.
    while let Some(record) = lab.shared.records.pop() {
        lab.shared.records.give_back(record);
    }
    sent
}

#[test]
fn nothing_is_allocated_between_a_datagram_and_its_reply() {
    let lab = Lab::new();
    let mut server = Server::new(0, std::sync::Arc::clone(&lab.shared));
    let right: String = ALICE.chars().rev().collect();
    let mut nas = lab.nas();
    type Ask<'a> = &'a dyn Fn(&mut Nas) -> Vec<u8>;
    let kinds: [(&str, Door, Ask<'_>); 9] = [
        ("known", AUTHENTICATION, &|nas| bypass(nas, GOOD_MAC)),
        ("stranger", AUTHENTICATION, &|nas| bypass(nas, STRANGER_MAC)),
        ("blocked", AUTHENTICATION, &|nas| bypass(nas, BAD_MAC)),
        ("password", AUTHENTICATION, &|nas| password(nas, &right)),
        ("wrong", AUTHENTICATION, &|nas| password(nas, "wrong")),
        ("start", ACCOUNTING, &|nas| report(nas, 1)),
        ("interim", ACCOUNTING, &|nas| report(nas, 3)),
        ("stop", ACCOUNTING, &|nas| report(nas, 2)),
        ("status", AUTHENTICATION, &Nas::status),
    ];
    let mut ask = |rounds: usize| {
        let requests: Vec<(&str, Door, Vec<u8>)> = (0..rounds)
            .flat_map(|_| kinds.map(|(name, door, request)| (name, door, request(&mut nas))))
            .collect();
        for (name, door, request) in &requests {
            let before = allocations();
            let sent = serve(&lab, &mut server, *door, nas.address, request);
            // The same again: the stored reply.
            let again = serve(&lab, &mut server, *door, nas.address, request);
            let allocated = allocations() - before;
            assert_eq!((sent, again), (1, 1), "row {name}");
            assert!(rounds == 1 || allocated == 0, "row {name}: {allocated}");
        }
    };
    // Buffers and tables come into being with the first of each kind.
    ask(1);
    ask(REQUESTS / kinds.len());
}

#[test]
fn nothing_is_allocated_for_a_reject_that_waits_nor_for_a_guess_that_is_slowed() {
    let mut lab = Lab::new();
    lab.configure(|config| *config = Config::default());
    let mut server = Server::new(0, std::sync::Arc::clone(&lab.shared));
    let mut nas = lab.nas();
    for round in 0..100 {
        let request = password(&mut nas, "wrong");
        let before = allocations();
        assert_eq!(
            serve(&lab, &mut server, AUTHENTICATION, nas.address, &request),
            0
        );
        lab.now = lab.now.plus(Duration::from_secs(1));
        server.handle_timeout(lab.now);
        assert_eq!(server.transmits().count(), 1, "row {round}");
        server.clear_transmits();
        let allocated = allocations() - before;
        // Buffers and tables come into being with the first.
        assert!(round == 0 || allocated == 0, "row {round}: {allocated}");
    }
    assert!(server.counters().slowed.get() > 0);
}

#[test]
fn nothing_is_allocated_for_a_batch() {
    let lab = Lab::new();
    let mut server = Server::new(0, std::sync::Arc::clone(&lab.shared));
    let right: String = ALICE.chars().rev().collect();
    let mut nas = lab.nas();
    for round in 0..50 {
        let requests: Vec<Vec<u8>> = (0..MAX_BATCH)
            .map(|number| match number % 5 {
                0 => bypass(&mut nas, GOOD_MAC),
                1 => bypass(&mut nas, STRANGER_MAC),
                2 => password(&mut nas, &right),
                3 => password(&mut nas, "wrong"),
                _ => nas.status(),
            })
            .collect();
        let before = allocations();
        let batch = requests.iter().map(|octets| (nas.address, &octets[..]));
        server.handle_datagrams(lab.now, AUTHENTICATION, batch);
        let sent = server.transmits().count();
        server.clear_transmits();
        let allocated = allocations() - before;
        while let Some(record) = lab.shared.records.pop() {
            lab.shared.records.give_back(record);
        }
        assert_eq!(sent, MAX_BATCH, "row {round}");
        // Buffers and tables come into being with the first.
        assert!(round == 0 || allocated == 0, "row {round}: {allocated}");
    }
}
