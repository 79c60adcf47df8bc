//! Which change reaches which request.

use std::time::Duration;

use portreeve::access::Sweep;
use portreeve::inventory::Change;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::Identifier;
use portreeve::model::Tri;
use portreeve::model::UserRef;

use crate::house::ALICE;
use crate::house::BOB;
use crate::house::CLOSED;
use crate::house::House;
use crate::house::claimed;
use crate::house::device;
use crate::house::mac;
use crate::house::mail;
use crate::house::report;
use crate::house::rules;

#[test]
fn a_device_reaches_its_own_requests() {
    let mut house = House::new();
    let hit = house.admit_device(1, Some(ALICE)).unwrap();
    let spared = house.admit_device(2, Some(ALICE)).unwrap();
    let changes = house.judged(1, ComplianceState::NonCompliant);
    let sweep = house.live.sweep(house.now, &changes);
    assert_eq!(
        sweep,
        Sweep {
            judged: 1,
            revoked: 1
        }
    );
    assert!(hit.revoked().is_some());
    assert!(spared.revoked().is_none());
}

#[test]
fn a_user_reaches_all_requests_of_the_user() {
    let mut house = House::new();
    let hit = [1, 2].map(|number| house.admit_device(number, Some(ALICE)).unwrap());
    let spared = house.admit_device(1, Some(BOB)).unwrap();
    let changes = house.user(ALICE, Tri::No, &[]);
    assert_eq!(house.live.sweep(house.now, &changes).revoked, 2);
    assert!(hit.iter().all(|permit| permit.revoked().is_some()));
    assert!(spared.revoked().is_none());
}

#[test]
fn a_request_that_two_changes_reach_is_judged_once() {
    let mut house = House::new();
    let permit = house.admit_device(1, Some(ALICE)).unwrap();
    let mut changes = house.judged(1, ComplianceState::NonCompliant);
    changes.extend(house.user(ALICE, Tri::No, &[]));
    changes.push(Change::Device(device(1)));
    assert_eq!(
        house.live.sweep(house.now, &changes),
        Sweep {
            judged: 1,
            revoked: 1
        }
    );
    drop(permit);
}

#[test]
fn a_device_that_becomes_known_reaches_requests_without_one() {
    let mut house = House::new();
    let address = mac("00-00-5E-00-53-09");
    let presented = [claimed(Identifier::Mac(address))];
    let permit = house.admit(&mail(&presented, Some(ALICE))).unwrap();
    let mut late = report(9, ComplianceState::NonCompliant);
    late.macs = vec![address];
    let changes = house.apply(Update::Device(late));
    assert_eq!(house.live.sweep(house.now, &changes).revoked, 1);
    assert!(permit.revoked().is_some());
}

#[test]
fn a_user_who_becomes_known_reaches_requests_with_a_known_device() {
    // A request was filed under its device only, and the change of a user who was not known when
    // it was allowed passed it by.
    let mut house = House::new();
    let permit = house.admit_device(1, Some("carol@contoso.com")).unwrap();
    let changes = house.user("carol@contoso.com", Tri::No, &[]);
    assert_eq!(house.live.sweep(house.now, &changes).revoked, 1);
    assert!(permit.revoked().is_some());
}

#[test]
fn a_group_reaches_the_requests_of_its_new_member() {
    let mut house = House::new();
    house.point.replace_policy(rules(
        r#"
[[conditional]]
name = "Staff only at the office"
planes = ["mail"]
targets = ["staff"]
action = "block"
"#,
    ));
    let permit = house.admit_device(1, Some(ALICE)).unwrap();
    let changes = house.user(ALICE, Tri::Yes, &["staff"]);
    assert_eq!(house.live.sweep(house.now, &changes).revoked, 1);
    assert!(permit.revoked().is_some());
}

#[test]
fn another_policy_reaches_everybody() {
    let mut house = House::new();
    let address = mac("00-00-5E-00-53-09");
    let presented = [claimed(Identifier::Mac(address))];
    let permits = [
        house.admit_device(1, Some(ALICE)),
        house.admit_device(2, None),
        house.admit_device(1, Some("carol@contoso.com")),
        house.admit(&mail(&presented, Some(BOB))),
        house.admit(&mail(&[], None)),
    ]
    .map(Option::unwrap);
    house.point.replace_policy(rules(CLOSED));
    assert_eq!(
        house.live.sweep_all(house.now),
        Sweep {
            judged: 5,
            revoked: 5
        }
    );
    assert!(permits.iter().all(|permit| permit.revoked().is_some()));
    house.user(ALICE, Tri::Yes, &[]);
}

#[test]
fn no_change_judges_nobody() {
    let mut house = House::new();
    let permit = house.admit(&mail(&[], None)).unwrap();
    assert_eq!(house.live.sweep(house.now, &[]), Sweep::default());
    let elsewhere = [Change::User(UserRef(77))];
    assert_eq!(
        house.live.sweep(house.now, &elsewhere),
        Sweep {
            judged: 1,
            revoked: 0
        },
        "it may be anybody's device"
    );
    assert!(permit.revoked().is_none());
    house.judged(2, ComplianceState::Compliant);
}

#[test]
fn time_reaches_requests_whose_facts_expire() {
    let mut house = House::new();
    // Fresh for an hour, used for another.
    let permit = house.admit_device(1, Some(ALICE)).unwrap();
    let after = |seconds| house.now + Duration::from_secs(seconds);
    assert_eq!(house.live.sweep_due(after(7200)), Sweep::default());
    assert_eq!(
        house.live.sweep_due(after(7201)),
        Sweep {
            judged: 1,
            revoked: 1
        }
    );
    assert!(permit.revoked().is_some());
    house.judged(1, ComplianceState::Compliant);
}

#[test]
fn a_fact_that_is_said_again_gives_more_time() {
    let mut house = House::new();
    let permit = house.admit_device(1, Some(ALICE)).unwrap();
    let began = house.now;
    house.now = began + Duration::from_secs(3600);
    house.judged(1, ComplianceState::Compliant);
    let due = house.live.sweep_due(began + Duration::from_secs(7201));
    assert_eq!(
        due,
        Sweep {
            judged: 1,
            revoked: 0
        }
    );
    // Judged again, it is due later.
    let due = house.live.sweep_due(began + Duration::from_secs(7202));
    assert_eq!(due, Sweep::default());
    assert_eq!(
        house
            .live
            .sweep_due(began + Duration::from_secs(10_801))
            .revoked,
        1
    );
    assert!(permit.revoked().is_some());
}
