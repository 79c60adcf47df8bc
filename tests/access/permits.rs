//! A permit is there exactly if the request is allowed, and resolves once it is not any more.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use portreeve::access::Trace;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::Identifier;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;

use crate::house::ALICE;
use crate::house::Bell;
use crate::house::CLOSED;
use crate::house::House;
use crate::house::claimed;
use crate::house::device;
use crate::house::eas;
use crate::house::mail;
use crate::house::poll;
use crate::house::proven;
use crate::house::report;
use crate::house::rules;

#[test]
fn only_who_is_allowed_gets_a_permit() {
    let mut house = House::new();
    house.judged(2, ComplianceState::NonCompliant);
    for (number, verdict) in [(1, Verdict::Allow), (2, Verdict::Block)] {
        let presented = [proven(Identifier::Device(device(number)))];
        let subject = mail(&presented, Some(ALICE));
        let (decided, permit) = house.live.admit(house.now, &subject, &mut Trace::default());
        assert_eq!(decided.decision.verdict, verdict, "row {number}");
        assert_eq!(permit.is_some(), verdict == Verdict::Allow, "row {number}");
        assert!(permit.is_none_or(|permit| permit.revoked().is_none()));
    }
    assert!(house.live.is_empty(), "permits were dropped");
}

#[test]
fn a_permit_owns_its_registration() {
    let house = House::new();
    let one = house.admit_device(1, Some(ALICE)).unwrap();
    let two = house.admit_device(1, Some(ALICE)).unwrap();
    assert_eq!(house.live.len(), 2);
    drop(one);
    assert_eq!(house.live.len(), 1);
    drop(two);
    assert!(house.live.is_empty());
    assert_eq!(house.live.sweep_all(house.now).judged, 0);
}

#[test]
fn a_permit_resolves_once_it_is_revoked_and_wakes_who_waits() {
    let mut house = House::new();
    let mut permit = house.admit_device(1, Some(ALICE)).unwrap();
    let bell = Arc::<Bell>::default();
    assert!(poll(&mut permit, &bell).is_pending());
    assert_eq!(bell.rung(), 0);
    let changes = house.judged(1, ComplianceState::NonCompliant);
    assert_eq!(house.live.sweep(house.now, &changes).revoked, 1);
    assert_eq!(bell.rung(), 1, "at once");
    let Poll::Ready(revoked) = poll(&mut permit, &bell) else {
        panic!("revoked and still pending");
    };
    assert_eq!(revoked.decision.verdict, Verdict::Block);
    // The first decision that took it back stays, whatever comes.
    house.judged(1, ComplianceState::Compliant);
    house.live.sweep_all(house.now);
    assert!(permit.revoked().is_some());
    house.point.replace_policy(rules(CLOSED));
    assert_eq!(house.live.sweep_all(house.now).revoked, 0, "counted once");
}

#[test]
fn a_revocation_before_the_first_poll_is_not_missed() {
    let mut house = House::new();
    let mut permit = house.admit_device(1, Some(ALICE)).unwrap();
    let changes = house.judged(1, ComplianceState::NonCompliant);
    house.live.sweep(house.now, &changes);
    assert!(poll(&mut permit, &Arc::default()).is_ready());
}

#[test]
fn the_last_who_polls_is_woken() {
    let mut house = House::new();
    let mut permit = house.admit_device(1, Some(ALICE)).unwrap();
    let (first, last) = (Arc::<Bell>::default(), Arc::<Bell>::default());
    assert!(poll(&mut permit, &first).is_pending());
    assert!(poll(&mut permit, &last).is_pending());
    let changes = house.user(ALICE, Tri::No, &[]);
    house.live.sweep(house.now, &changes);
    assert_eq!((first.rung(), last.rung()), (0, 1));
}

#[test]
fn what_is_printed_names_nobody() {
    let house = House::new();
    let permit = house.admit_device(1, Some(ALICE)).unwrap();
    for printed in [
        format!("{permit:?}"),
        format!("{:?}", house.live),
        format!("{:?}", house.point),
    ] {
        assert!(!printed.contains("alice"), "{printed}");
    }
}

#[test]
fn who_was_told_a_reason_is_woken_when_it_becomes_another_one() {
    let mut house = House::new();
    house.judged(2, ComplianceState::NonCompliant);
    let presented = [proven(Identifier::Device(device(2)))];
    let subject = mail(&presented, Some(ALICE));
    let (decided, permit) = house.live.admit(house.now, &subject, &mut Trace::default());
    assert!(permit.is_none());
    let mut told = house.live.hold_for_reason(house.now, &subject, &decided);
    let mut held = house.live.hold(house.now, &subject, &decided);
    let mut changes = house.user(ALICE, Tri::No, &[]);
    changes.extend(house.judged(2, ComplianceState::Compliant));
    house.live.sweep(house.now, &changes);
    let Poll::Ready(now) = poll(&mut told, &Arc::default()) else {
        panic!("the reason is another one");
    };
    assert_eq!(now.decision.verdict, decided.decision.verdict);
    assert_ne!(now.decision.reason, decided.decision.reason);
    assert!(poll(&mut held, &Arc::default()).is_pending());
}

#[test]
fn what_is_held_until_blocked_goes_on_as_any_device_that_is_not() {
    let mut house = House::new();
    let said_to_be = |house: &mut House, number, id, state| {
        let mut report = report(number, state);
        report.eas = Some(eas(id));
        report.owner = UserId::parse(ALICE);
        let changes = house.apply(Update::Device(report));
        house.live.sweep(house.now, &changes);
    };
    said_to_be(&mut house, 5, "phone", ComplianceState::Unknown);
    let (live, now) = (Arc::clone(&house.live), house.now);
    let id = eas("phone");
    let presented = [claimed(Identifier::Eas(id, ALICE))];
    let subject = mail(&presented, Some(ALICE));
    let decided = house.point.decide(now, &subject, &mut Trace::default());
    assert_eq!(decided.decision.verdict, Verdict::Quarantine);
    let held = live.hold_until_blocked(now, &subject, &decided);
    // Nobody's that is known, which this policy lets in.
    said_to_be(&mut house, 5, "other", ComplianceState::Unknown);
    assert!(held.revoked().is_none());
    said_to_be(&mut house, 6, "phone", ComplianceState::NonCompliant);
    let revoked = held.revoked().unwrap();
    assert_eq!(revoked.decision.verdict, Verdict::Block);
    drop(held);
    assert!(live.is_empty());
}

#[test]
fn what_is_let_in_for_some_time_goes_on_when_it_is_in_order_and_ends_with_the_time_when_not() {
    for (mended, bad_again) in [(false, false), (true, false), (true, true)] {
        let mut house = House::new();
        house.judged(2, ComplianceState::NonCompliant);
        let presented = [proven(Identifier::Device(device(2)))];
        let subject = mail(&presented, Some(ALICE));
        let decided = house
            .point
            .decide(house.now, &subject, &mut Trace::default());
        let until = house.now + Duration::from_hours(1);
        let permit = (house.live).let_stay(house.now, &subject, &decided, until);
        let mut judged = |state| {
            let changes = house.judged(2, state);
            house.live.sweep(house.now, &changes);
        };
        if mended {
            judged(ComplianceState::Compliant);
        }
        if bad_again {
            judged(ComplianceState::NonCompliant);
        }
        assert!(permit.revoked().is_none(), "row {mended} {bad_again}");
        let in_order = mended && !bad_again;
        assert_eq!(house.live.sweep_due(until).judged, usize::from(!in_order));
        assert_eq!(
            permit.revoked().is_none(),
            in_order,
            "row {mended} {bad_again}"
        );
    }
}
