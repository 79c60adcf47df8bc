//! An explanation is the live decision once more, on the facts of its record (R84).

use std::time::Duration;

use portreeve::access::Correlation;
use portreeve::access::DecisionRecord;
use portreeve::access::Trace;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::Identifier;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::Plane;
use portreeve::model::Presented;
use portreeve::model::Subject;
use portreeve::model::Tri;

use crate::house::ALICE;
use crate::house::BOB;
use crate::house::CLOSED;
use crate::house::House;
use crate::house::claimed;
use crate::house::device;
use crate::house::eas;
use crate::house::mac;
use crate::house::mail;
use crate::house::proven;
use crate::house::report;
use crate::house::rules;

/// Everything that the rules could look at.
const RULES: &str = r#"
[[app]]
name = "apple-mail"
device_types = ["iPhone"]
approved = true

[[conditional]]
name = "Not on the guests' network"
planes = ["network"]
targets = ["all"]
when = { ssids = ["guests"] }
action = "quarantine"

[[conditional]]
name = "Staff prove their devices"
targets = ["staff", "user:bob@contoso.com"]
require = ["proven"]
otherwise = "quarantine"

[[conditional]]
name = "Approved applications"
state = "report-only"
planes = ["mail"]
targets = ["all"]
require = ["approved_app"]
otherwise = "block"
"#;

#[test]
fn explanations_agree_with_live_decisions_r84() {
    let mut house = House::new();
    house.point.replace_policy(rules(RULES));
    house.user(ALICE, Tri::Yes, &["staff"]);
    house.user("gone@contoso.com", Tri::No, &[]);
    house.judged(3, ComplianceState::NonCompliant);
    let mut twin = report(4, ComplianceState::Compliant);
    twin.macs = vec![mac("00-00-5E-00-53-04")];
    house.apply(Update::Device(twin.clone()));
    twin.device = device(5);
    house.apply(Update::Device(twin));

    let devices: [Vec<Presented<'_>>; 7] = [
        vec![],
        vec![proven(Identifier::Device(device(1)))],
        vec![claimed(Identifier::Device(device(1)))],
        vec![proven(Identifier::Device(device(3)))],
        vec![proven(Identifier::Device(device(99)))],
        vec![claimed(Identifier::Mac(mac("00-00-5E-00-53-04")))],
        vec![claimed(Identifier::Eas(eas("ApplDNXX12345"), ALICE))],
    ];
    let users = [
        None,
        Some(ALICE),
        Some(BOB),
        Some("rescue@contoso.com"),
        Some("gone@contoso.com"),
        Some("nobody@contoso.com"),
    ];
    let nases = ["corp", "guests"].map(|ssid| NasContext {
        name: "ap-1",
        group: "office",
        medium: Medium::Wireless,
        ssid: Some(ssid),
        claims: None,
    });
    let mut trace = Trace::default();
    let mut verdicts = std::collections::BTreeSet::new();
    for hours in [0, 1, 2, 3] {
        let now = house.now + Duration::from_secs(hours * 3600);
        for presented in &devices {
            for user in users {
                let network = nases.map(|nas| Subject {
                    plane: Plane::Network,
                    credential: Credential::Certificate,
                    nas: Some(nas),
                    mail: None,
                    ..mail(presented, user)
                });
                for subject in network.into_iter().chain([mail(presented, user)]) {
                    let decided = house.point.decide(now, &subject, &mut trace);
                    let record = DecisionRecord::new(Correlation(1), "test", &subject, &decided);
                    let explanation = house.point.explain(&record).unwrap();
                    assert_eq!(
                        explanation.decision, decided.decision,
                        "row {hours} h {subject:?}"
                    );
                    verdicts.insert(decided.decision.verdict);
                }
            }
        }
    }
    assert_eq!(verdicts.len(), 3, "the rows reach every verdict");
}

#[test]
fn an_explanation_keeps_to_the_facts_of_its_time() {
    let mut house = House::new();
    let presented = [proven(Identifier::Device(device(1)))];
    let subject = mail(&presented, Some(ALICE));
    let decided = house
        .point
        .decide(house.now, &subject, &mut Trace::default());
    let record = DecisionRecord::new(Correlation(1), "test", &subject, &decided);
    house.judged(1, ComplianceState::NonCompliant);
    house.user(ALICE, Tri::No, &[]);
    let explanation = house.point.explain(&record).unwrap();
    assert_eq!(explanation.decision, decided.decision);
}

#[test]
fn another_policy_explains_nothing() {
    let house = House::new();
    let presented = [proven(Identifier::Device(device(1)))];
    let subject = mail(&presented, Some(ALICE));
    let decided = house
        .point
        .decide(house.now, &subject, &mut Trace::default());
    let record = DecisionRecord::new(Correlation(1), "test", &subject, &decided);
    assert!(house.point.policy_of(record.generation).is_some());
    house.point.replace_policy(rules(CLOSED));
    assert!(house.point.explain(&record).is_none());
    assert!(house.point.policy_of(record.generation).is_none());
    assert!(!house.point.is_current(&decided));
}

#[test]
fn every_replacement_of_the_policy_has_a_number_of_its_own() {
    // The number stood beside the policy: in between, a decision by the new policy carried the
    // number of the old one, and could be explained by it.
    let house = House::new();
    let before = house.point.generation().policy;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    house.point.replace_policy(rules(""));
                }
            });
        }
        let presented = [proven(Identifier::Device(device(1)))];
        let subject = mail(&presented, Some(ALICE));
        let mut trace = Trace::default();
        for _ in 0..2000 {
            let decided = house.point.decide(house.now, &subject, &mut trace);
            let policy = house.point.policy_of(decided.generation);
            assert!(policy.is_none_or(|policy| policy.len() == 1));
        }
    });
    assert_eq!(house.point.generation().policy, before + 200);
}
