//! A NAS that changes its source port in mid-conversation, and several loops.

use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::AUTHENTICATION;
use crate::lab::GOOD;
use crate::lab::Lab;
use crate::pair::Next;

#[test]
fn a_new_source_port_on_the_same_loop_goes_on() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let mut request = pair.request();
    for port in 5000.. {
        pair.nas.address.set_port(port);
        let reply = lab.ask(&pair.nas, &request).unwrap();
        match pair.take(lab.now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => {
                end.accepted(&pair.nas);
                break;
            }
        }
    }
}

#[test]
fn a_new_source_port_may_lead_to_another_loop() {
    let mut lab = Lab::with_loops(3);
    let mut pair = lab.pair(GOOD);
    let mut request = pair.request();
    let mut rounds = 0;
    loop {
        // The kernel gives each port to one loop.
        let worker = rounds % 3;
        pair.nas.address.set_port([5000, 5001, 5002][worker]);
        let reply = lab
            .ask_at(worker, AUTHENTICATION, &pair.nas, &request)
            .unwrap();
        rounds += 1;
        match pair.take(lab.now, reply) {
            Next::Request(next) => request = next,
            Next::End(end) => {
                end.accepted(&pair.nas);
                break;
            }
        }
    }
    let counters = [0, 1, 2].map(|worker: usize| lab.servers[worker].counters());
    // Each datagram was received once, whoever answered it.
    let received: u64 = counters.iter().map(|of| of.received.get()).sum();
    assert_eq!(received, rounds as u64);
    assert_eq!(counters[0].handed_over.get(), 0);
    let handed_over = counters[1].handed_over.get() + counters[2].handed_over.get();
    let elsewhere = (0..rounds).filter(|round| round % 3 != 0).count();
    assert_eq!(handed_over, elsewhere as u64);
    assert_eq!(counters[0].allowed.get(), 1);
}

#[test]
fn a_retransmission_on_the_new_port_is_replayed_rfc5080_2_2_2() {
    let mut lab = Lab::with_loops(2);
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    pair.nas.address.set_port(5000);
    let first = lab.deliver(1, AUTHENTICATION, pair.nas.address, &request);
    let again = lab.deliver(1, AUTHENTICATION, pair.nas.address, &request);
    assert_eq!(first.len(), 1);
    assert_eq!(first, again);
    assert_eq!(lab.servers[0].counters().replayed.get(), 1);
    let reply = pair.nas.believe(&request, &first[0].octets);
    let Next::Request(next) = pair.take(lab.now, reply) else {
        panic!("the end");
    };
    lab.go_on(&mut pair, next).accepted(&pair.nas);
}

#[test]
fn only_what_is_verified_is_handed_over() {
    let mut lab = Lab::with_loops(2);
    let mut pair = lab.pair(GOOD);
    let mut request = lab.login_up_to(&mut pair, 1);
    let last = request.len() - 1;
    request[last] ^= 1;
    let now = lab.now;
    let server = &mut lab.servers[1];
    server.handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
    assert!(server.poll_handover().is_none());
    assert_eq!(lab.dropped_at(1, "bad_message_authenticator"), 1);
}

#[test]
fn a_state_of_a_loop_that_does_not_exist_is_rejected_here() {
    let mut lab = Lab::with_loops(2);
    for worker in [2, 200, 255] {
        let mut pair = lab.pair(GOOD);
        let mut state = vec![7; 19];
        state[0] = worker;
        pair.state = Some(state);
        let request = pair.request();
        let reply = lab.ask(&pair.nas, &request).unwrap();
        assert_eq!(reply.code, Code::AccessReject, "row {worker}");
    }
}

#[test]
fn a_handover_that_finds_no_place_is_counted_and_sent_again() {
    // It was lost without a trace.
    let mut lab = Lab::with_loops(2);
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let now = lab.now;
    lab.servers[1].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
    let handover = lab.servers[1].poll_handover().unwrap();
    lab.servers[1].handle_refused_handover(handover);
    assert_eq!(lab.dropped_at(1, "handover_full"), 1);
    let reply = lab.ask_at(1, AUTHENTICATION, &pair.nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessChallenge);
}

#[test]
fn handovers_that_nobody_takes_do_not_pile_up() {
    let mut lab = Lab::with_loops(2);
    let mut nas = lab.nas();
    let now = lab.now;
    for _ in 0..1030 {
        let request = nas.access(|request| {
            request
                .octets(AttributeType::STATE, &[0; 19])
                .eap_message(&[2, 1, 0, 5, 1]);
        });
        lab.servers[1].handle_datagram(now, AUTHENTICATION, nas.address, &request);
    }
    assert_eq!(lab.dropped_at(1, "handover_full"), 6);
    let taken = std::iter::from_fn(|| lab.servers[1].poll_handover());
    assert_eq!(taken.count(), 1024);
}

#[test]
fn a_handover_shows_no_octets() {
    let mut lab = Lab::with_loops(2);
    let mut pair = lab.pair(GOOD);
    let request = lab.login_up_to(&mut pair, 1);
    let now = lab.now;
    lab.servers[1].handle_datagram(now, AUTHENTICATION, pair.nas.address, &request);
    let handover = lab.servers[1].poll_handover().unwrap();
    let shown = format!("{handover:?}");
    assert!(shown.contains("worker: 0"), "{shown}");
    assert!(shown.len() < 200, "{shown}");
}
