//! Changes that come while a request is being registered.

use std::sync::Arc;
use std::sync::Barrier;
use std::thread;

use portreeve::access::Trace;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::Identifier;
use portreeve::model::Tri;
use portreeve::model::Verdict;

use crate::house::ALICE;
use crate::house::CLOSED;
use crate::house::House;
use crate::house::claimed;
use crate::house::device;
use crate::house::mac;
use crate::house::mail;
use crate::house::proven;
use crate::house::report;
use crate::house::rules;

/// Lets one thread admit while another changes and sweeps, `ROUNDS` times with shifting starts.
/// After each round a permit that is left over must have been revoked. What fell between is
/// counted and told at the end: a panic in the middle would leave the other thread waiting.
fn no_change_falls_between(
    mut forbid: impl FnMut(&mut House) + Send,
    mut permit_again: impl FnMut(&mut House) + Send,
) {
    let mut house = House::new();
    let (live, now) = (Arc::clone(&house.live), house.now);
    let barrier = Barrier::new(2);
    let mut fell_between = Vec::new();
    thread::scope(|scope| {
        let barrier = &barrier;
        scope.spawn(move || {
            for round in 0..ROUNDS {
                barrier.wait();
                idle(round % 17 * 20);
                forbid(&mut house);
                barrier.wait();
                // The permit is looked at meanwhile.
                barrier.wait();
                permit_again(&mut house);
                barrier.wait();
            }
        });
        let mut trace = Trace::default();
        for round in 0..ROUNDS {
            let presented = [proven(Identifier::Device(device(1)))];
            barrier.wait();
            idle(round % 13 * 20);
            let subject = mail(&presented, Some(ALICE));
            let (decided, permit) = live.admit(now, &subject, &mut trace);
            barrier.wait();
            let allowed = decided.decision.verdict == Verdict::Allow;
            if permit.is_some_and(|permit| !allowed || permit.revoked().is_none()) {
                fell_between.push(round);
            }
            barrier.wait();
            barrier.wait();
        }
    });
    assert_eq!(fell_between, [0_usize; 0], "rounds");
    assert!(live.is_empty());
}

#[test]
fn no_change_of_a_device_falls_between_decision_and_registration_r14() {
    no_change_falls_between(
        |house| {
            let changes = house.judged(1, ComplianceState::NonCompliant);
            house.live.sweep(house.now, &changes);
        },
        |house| {
            house.judged(1, ComplianceState::Compliant);
        },
    );
}

#[test]
fn no_change_of_a_user_falls_between_decision_and_registration_r14() {
    no_change_falls_between(
        |house| {
            let changes = house.user(ALICE, Tri::No, &[]);
            house.live.sweep(house.now, &changes);
        },
        |house| {
            house.user(ALICE, Tri::Yes, &[]);
        },
    );
}

#[test]
fn no_change_of_the_policy_falls_between_decision_and_registration_r14() {
    no_change_falls_between(
        |house| {
            house.point.replace_policy(rules(CLOSED));
            house.live.sweep_all(house.now);
        },
        |house| house.point.replace_policy(rules("")),
    );
}

#[test]
fn a_device_that_keeps_changing_identity_is_let_in_only_if_it_can_be_found() {
    let mut house = House::new();
    let (live, now) = (Arc::clone(&house.live), house.now);
    let address = mac("00-00-5E-00-53-09");
    let barrier = Barrier::new(2);
    let mut fell_between = Vec::new();
    thread::scope(|scope| {
        let barrier = &barrier;
        scope.spawn(move || {
            // The address wanders between two devices of one verdict; then both turn bad.
            for round in 0..ROUNDS {
                let owner = [1, 2][round % 2];
                let say = |house: &mut House, number: u128, state: ComplianceState| {
                    let mut report = report(number, state);
                    if number == owner {
                        report.macs = vec![address];
                    }
                    house.apply(Update::Device(report))
                };
                barrier.wait();
                idle(round % 17 * 20);
                for number in [1, 2] {
                    let changes = say(&mut house, number, ComplianceState::Compliant);
                    house.live.sweep(now, &changes);
                }
                barrier.wait();
                for number in [1, 2] {
                    let changes = say(&mut house, number, ComplianceState::NonCompliant);
                    house.live.sweep(now, &changes);
                }
                barrier.wait();
                // The permit is looked at meanwhile.
                barrier.wait();
            }
        });
        let mut trace = Trace::default();
        for round in 0..ROUNDS {
            let presented = [claimed(Identifier::Mac(address))];
            barrier.wait();
            idle(round % 13 * 20);
            let subject = mail(&presented, Some(ALICE));
            let (_, permit) = live.admit(now, &subject, &mut trace);
            barrier.wait();
            barrier.wait();
            if permit.is_some_and(|permit| permit.revoked().is_none()) {
                fell_between.push(round);
            }
            barrier.wait();
        }
    });
    assert_eq!(fell_between, [0_usize; 0], "rounds");
    assert!(live.is_empty());
}

/// Spends a little time, so that the threads meet at different places.
fn idle(turns: usize) {
    for _ in 0..turns {
        std::hint::spin_loop();
    }
}

/// A second of meetings; enough that leaving out the comparison of generations, or of the place
/// where the request is filed, was noticed each time it was tried.
const ROUNDS: usize = 2000;
