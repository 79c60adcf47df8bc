//! Who a user is: by any name, or as the owner of the device that a certificate names.

use portreeve::access::Correlation;
use portreeve::access::DecisionRecord;
use portreeve::access::Trace;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::Decision;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::Plane;
use portreeve::model::Presented;
use portreeve::model::Reason;
use portreeve::model::Subject;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;

use crate::house::ALICE;
use crate::house::House;
use crate::house::POLICY;
use crate::house::claimed;
use crate::house::device;
use crate::house::mac;
use crate::house::proven;
use crate::house::report;

/// Nobody but staff is targeted.
fn house() -> House {
    let mut house = House::new();
    let rules = POLICY.replace("targets = [\"all\"]", "targets = [\"staff\", \"kiosks\"]");
    let rules = rules.replace("[groups]", "[groups]\nkiosks = \"kiosks\"");
    let (policy, _) = portreeve::policy::parse("policy.toml", &rules).unwrap();
    house.point.replace_policy(policy);
    let mut alice = UserReport::new(UserId::parse(ALICE).unwrap());
    alice.enabled = Tri::Yes;
    alice.groups = vec![GroupId::named("staff")];
    alice.aliases = vec![UserId::parse("CONTOSO\\alice").unwrap()];
    house.apply(Update::User(alice));
    house
}

/// Device 1 is `owner`'s; its MAC address ends in 1.
fn owned(house: &mut House, owner: Option<&str>, groups: &[&str]) {
    let mut report = report(1, ComplianceState::Compliant);
    report.owner = owner.and_then(UserId::parse);
    report.macs = vec![mac("00-00-5E-00-53-01")];
    report.groups = groups.iter().map(|group| GroupId::named(group)).collect();
    house.apply(Update::Device(report));
}

fn subject<'a>(presented: &'a [Presented<'a>], user: Option<&'a str>) -> Subject<'a> {
    Subject {
        plane: Plane::Network,
        user,
        credential: Credential::Certificate,
        device: presented,
        nas: None,
        mail: None,
    }
}

fn ask(house: &House, subject: &Subject<'_>) -> (Decision, DecisionRecord) {
    let decided = house
        .point
        .decide(house.now, subject, &mut Trace::default());
    let record = DecisionRecord::new(Correlation(1), "eap-tls 1.3", subject, &decided);
    (decided.decision, record)
}

/// The certificate of a device that names no user was answered with `no_credential`.
#[test]
fn a_device_that_a_certificate_names_is_judged_for_its_owner_r3() {
    let mut house = house();
    let presented = [proven(Identifier::Device(device(1)))];
    let asked = subject(&presented, None);
    for owner in [ALICE, "contoso\\alice"] {
        owned(&mut house, Some(owner), &[]);
        let (decision, record) = ask(&house, &asked);
        assert_eq!(decision.verdict, Verdict::Allow, "row {owner}");
        assert_eq!(decision.reason, Reason::RequirementsMet, "row {owner}");
        assert_eq!(record.user.as_option(), None, "nobody presented a name");
        let reader = house.point.reader();
        assert_eq!(record.seen.user_name(reader), Some(ALICE));
        let explained = house.point.explain(&record).unwrap();
        assert_eq!(explained.decision, decision);
        let expected = "alice@contoso.com, the device's owner by the inventory, at network";
        assert!(explained.subject.starts_with(expected), "{explained}");
    }
    // What is known of the owner counts.
    owned(&mut house, Some(ALICE), &[]);
    house.user(ALICE, Tri::No, &[]);
    let (decision, _) = ask(&house, &asked);
    assert_eq!(
        (decision.verdict, decision.reason),
        (Verdict::Block, Reason::UserUnknown)
    );
}

#[test]
fn a_device_without_owner_is_judged_by_itself() {
    let mut house = house();
    let presented = [proven(Identifier::Device(device(1)))];
    for (groups, verdict, reason) in [
        (&[][..], Verdict::Quarantine, Reason::NotTargeted),
        (&["kiosks"], Verdict::Allow, Reason::RequirementsMet),
    ] {
        owned(&mut house, None, groups);
        let (decision, record) = ask(&house, &subject(&presented, None));
        assert_eq!((decision.verdict, decision.reason), (verdict, reason));
        assert!(record.seen.user.is_none());
        let explained = house.point.explain(&record).unwrap();
        assert!(explained.subject.starts_with("no user at"), "{explained}");
        let default = groups.is_empty().then_some("defaults.no_credential");
        assert_eq!(explained.answered_by, default);
    }
}

#[test]
fn only_a_certificate_lends_the_owner() {
    let mut house = house();
    owned(&mut house, Some(ALICE), &[]);
    let by_mac = [claimed(Identifier::Mac(mac("00-00-5E-00-53-01")))];
    for credential in [Credential::None, Credential::Certificate] {
        let asked = Subject {
            credential,
            ..subject(&by_mac, None)
        };
        let (decision, record) = ask(&house, &asked);
        assert_eq!(decision.reason, Reason::NotTargeted, "row {credential}");
        assert!(record.seen.user.is_none(), "row {credential}");
    }
    // A user who is named is not replaced, known or not.
    let by_certificate = [proven(Identifier::Device(device(1)))];
    let (_, record) = ask(&house, &subject(&by_certificate, Some("mallory")));
    assert!(record.seen.user.is_none());
    assert_eq!(record.user.as_str(), "mallory");
}

/// `user:` entries were compared with the presented name alone, so that an alias got around them.
#[test]
fn a_user_is_met_by_any_name() {
    let mut house = house();
    let rules = POLICY.replace("user:rescue@contoso.com", "user:alice@contoso.com");
    let (policy, _) = portreeve::policy::parse("policy.toml", &rules).unwrap();
    house.point.replace_policy(policy);
    house.judged(1, ComplianceState::NonCompliant);
    let presented = [proven(Identifier::Device(device(1)))];
    for (name, reason) in [
        (ALICE, Reason::Exempt),
        ("CONTOSO\\Alice", Reason::Exempt),
        ("bob@contoso.com", Reason::DeviceNotCompliant),
    ] {
        let (decision, record) = ask(&house, &subject(&presented, Some(name)));
        assert_eq!(decision.reason, reason, "row {name}");
        assert_eq!(record.user.as_str(), name, "the record keeps what was said");
        let explained = house.point.explain(&record).unwrap();
        assert_eq!(explained.decision, decision, "row {name}");
    }
}

/// A user who was deleted from the directory got in as nobody's target, as long as a device still
/// had them as its owner.
#[test]
fn an_owner_whom_no_source_lists_is_an_unknown_user() {
    let mut house = house();
    let rules = POLICY
        .replace("targets = [\"all\"]", "targets = [\"staff\"]")
        .replace("unknown_user = \"allow\"", "unknown_user = \"block\"");
    let (policy, _) = portreeve::policy::parse("policy.toml", &rules).unwrap();
    house.point.replace_policy(policy);
    owned(&mut house, Some(ALICE), &[]);
    let permit = house.admit_device(1, Some(ALICE)).expect("alice is listed");
    let gone = UserId::parse(ALICE).unwrap();
    let changes = house.apply(Update::UserGone(gone));
    assert_eq!(house.live.sweep(house.now, &changes).revoked, 1);
    assert!(permit.revoked().is_some(), "what she holds open ends");
    let presented = [proven(Identifier::Device(device(1)))];
    for user in [Some(ALICE), None] {
        let (decision, record) = ask(&house, &subject(&presented, user));
        assert_eq!(
            (decision.verdict, decision.reason),
            (Verdict::Block, Reason::UserUnknown),
            "row {user:?}"
        );
        let explained = house.point.explain(&record).unwrap().to_string();
        assert!(explained.contains("user known: seen no"), "{explained}");
    }
}
