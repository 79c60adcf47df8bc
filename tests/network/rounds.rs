//! Rounds of EAP that come twice: State says which round a request belongs to, so that a
//! retransmission which its NAS has signed anew is told from a stranger's request.

use portreeve::radius::AttributeType;
use portreeve::radius::Code;

use crate::lab::AUTHENTICATION;
use crate::lab::BAD;
use crate::lab::GOOD;
use crate::lab::Lab;
use crate::pair::Next;
use crate::pair::Pair;

/// A login at a round: the request of the round before as it could come again, signed anew.
fn after_a_round(lab: &mut Lab, pair: &mut Pair, rounds: usize) -> (Vec<u8>, Vec<u8>) {
    let request = lab.login_up_to(pair, rounds);
    let again = pair.request();
    assert_ne!(again[1], request[1], "another Identifier");
    assert_ne!(again[4..20], request[4..20], "another authenticator");
    let reply = lab.ask(&pair.nas, &request).unwrap();
    let Next::Request(next) = pair.take(lab.now, reply) else {
        panic!("the end");
    };
    (again, next)
}

#[test]
fn a_round_that_comes_again_gets_its_challenge_again_rfc3579_2_6_1() {
    for rounds in [1, 2] {
        let mut lab = Lab::new();
        let mut pair = lab.pair(GOOD);
        let (again, next) = after_a_round(&mut lab, &mut pair, rounds);
        let state = pair.state.clone();
        // As often as it likes; the answer is to its own request, and the same challenge.
        let mut first = None;
        for _ in 0..3 {
            let reply = lab.ask(&pair.nas, &again).unwrap();
            assert_eq!(reply.code, Code::AccessChallenge, "round {rounds}");
            assert_eq!(reply.find(AttributeType::STATE), state, "round {rounds}");
            let eap = reply.eap().unwrap();
            assert_eq!(*first.get_or_insert_with(|| eap.clone()), eap);
        }
        lab.go_on(&mut pair, next).accepted(&pair.nas);
        assert_eq!(lab.records().len(), 1, "round {rounds}: nobody was refused");
    }
}

#[test]
fn each_round_has_a_state_of_its_own() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let mut states = Vec::new();
    let mut request = pair.request();
    while let Next::Request(next) = {
        let reply = lab.ask(&pair.nas, &request).unwrap();
        pair.take(lab.now, reply)
    } {
        states.push(pair.state.clone().unwrap());
        request = next;
    }
    let count = states.len();
    states.sort_unstable();
    states.dedup();
    assert_eq!(states.len(), count);
    assert!(count >= 3);
}

#[test]
fn two_requests_with_one_state_and_different_responses_do_no_harm() {
    for first_is_right in [true, false] {
        let mut lab = Lab::new();
        let mut pair = lab.pair(GOOD);
        let right = lab.login_up_to(&mut pair, 2);
        let response = pair.response.clone();
        // As long, with the same Identifier, and not what TLS can read.
        let end = pair.response.len() - 1;
        pair.response[end] ^= 1;
        let wrong = pair.request();
        pair.response = response;
        if first_is_right {
            let reply = lab.ask(&pair.nas, &right).unwrap();
            let Next::Request(next) = pair.take(lab.now, reply) else {
                panic!("the end");
            };
            assert!(lab.ask(&pair.nas, &wrong).is_none());
            assert_eq!(lab.dropped("round_over"), 1);
            lab.go_on(&mut pair, next).accepted(&pair.nas);
        } else {
            // What came first counts: TLS has failed, and what comes then is dropped.
            let reply = lab.ask(&pair.nas, &wrong).unwrap();
            assert_ne!(reply.code, Code::AccessAccept);
            assert!(lab.ask(&pair.nas, &right).is_none());
            assert_eq!(lab.dropped("round_over"), 1);
        }
    }
}

#[test]
fn while_the_answer_is_being_made_the_round_before_is_not_asked_again() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let (again, next) = after_a_round(&mut lab, &mut pair, 1);
    let (now, from) = (lab.now, pair.nas.address);
    lab.servers[0].handle_datagram(now, AUTHENTICATION, from, &next);
    let job = lab.servers[0].poll_job().unwrap();
    assert!(lab.ask(&pair.nas, &again).is_none());
    assert_eq!(lab.dropped("conversation_busy"), 1);
    let done = job.run(|| now);
    lab.servers[0].handle_job(now, done);
    let sent = lab.take_sent(0);
    let reply = pair.nas.believe(&next, &sent[0].octets);
    let Next::Request(next) = pair.take(now, reply) else {
        panic!("the end");
    };
    lab.go_on(&mut pair, next).accepted(&pair.nas);
}

#[test]
fn what_comes_again_after_the_end_is_dropped_and_changes_nothing() {
    for (guid, accepted) in [(GOOD, true), (BAD, false)] {
        let mut lab = Lab::new();
        let mut pair = lab.pair(guid);
        let mut request = pair.request();
        let mut earlier = Vec::new();
        loop {
            let again = pair.request();
            earlier.push(again);
            let reply = lab.ask(&pair.nas, &request).unwrap();
            match pair.take(lab.now, reply) {
                Next::Request(next) => request = next,
                Next::End(end) => {
                    if accepted {
                        end.accepted(&pair.nas);
                    } else {
                        end.rejected();
                    }
                    break;
                }
            }
        }
        assert_eq!(lab.records().len(), 1);
        // The first has no State and begins a conversation of its own.
        for again in earlier.iter().skip(1).rev() {
            assert!(lab.ask(&pair.nas, again).is_none(), "never a reject");
        }
        assert_eq!(lab.dropped("round_over"), earlier.len() as u64 - 1);
        assert!(lab.records().is_empty(), "nobody was judged or refused");
        // The retransmission itself gets the stored reply, bit for bit.
        let before = lab.servers[0].counters().replayed.get();
        assert!(lab.ask(&pair.nas, &request).is_some());
        assert_eq!(lab.servers[0].counters().replayed.get(), before + 1);
    }
}

#[test]
fn rounds_long_over_are_dropped() {
    let mut lab = Lab::new();
    let mut pair = lab.pair(GOOD);
    let (first, _) = after_a_round(&mut lab, &mut pair, 1);
    let request = pair.request();
    let reply = lab.ask(&pair.nas, &request).unwrap();
    let Next::Request(next) = pair.take(lab.now, reply) else {
        panic!("the end");
    };
    assert!(lab.ask(&pair.nas, &first).is_none(), "two rounds ago");
    assert_eq!(lab.dropped("round_over"), 1);
    lab.go_on(&mut pair, next).accepted(&pair.nas);
}

#[test]
fn a_round_that_comes_again_from_another_port_is_the_same() {
    let mut lab = Lab::with_loops(2);
    let mut pair = lab.pair(GOOD);
    let (again, next) = after_a_round(&mut lab, &mut pair, 1);
    pair.nas.address.set_port(5001);
    let reply = lab.ask_at(1, AUTHENTICATION, &pair.nas, &again).unwrap();
    assert_eq!(reply.code, Code::AccessChallenge);
    lab.go_on(&mut pair, next).accepted(&pair.nas);
}
