//! `conf/policy.toml` decides as its comments say.

use portreeve::model::Reason;
use portreeve::model::Verdict;
use portreeve::policy::lint;
use portreeve::policy::parse;

use crate::support::Connection;

#[test]
fn the_sample_decides_as_its_comments_say() {
    let text = include_str!("../../conf/policy.toml");
    let (policy, warnings) = parse("conf/policy.toml", text).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(lint(&policy), []);
    let staff = Connection::default;
    let mail = || Connection::mail("iPhone", "Apple-iPhone9C1/1602.92");
    let contractor = || staff().in_groups(&["contractors"]);
    let claimed = Connection::established("claimed");
    for (row, connection, verdict, reason) in [
        (
            "healthy, at the network",
            staff(),
            Verdict::Allow,
            Reason::RequirementsMet,
        ),
        (
            "healthy, at the mail",
            mail(),
            Verdict::Allow,
            Reason::RequirementsMet,
        ),
        (
            "claimed by its MAC",
            claimed,
            Verdict::Quarantine,
            Reason::DeviceNotProven,
        ),
        (
            "noncompliant, at the network",
            staff().with(|device| device.compliance = "noncompliant".into()),
            Verdict::Quarantine,
            Reason::DeviceNotCompliant,
        ),
        (
            "noncompliant, at the mail",
            mail().with(|device| device.compliance = "noncompliant".into()),
            Verdict::Block,
            Reason::DeviceNotCompliant,
        ),
        (
            "an old version",
            staff().with(|device| device.os = "15.8".into()),
            Verdict::Quarantine,
            Reason::HealthRequirement,
        ),
        (
            "no threat agent",
            staff().with(|device| device.threat = "unknown".into()),
            Verdict::Allow,
            Reason::RequirementsMet,
        ),
        (
            "no word of the source",
            staff().with(|device| device.compliance = "none".into()),
            Verdict::Quarantine,
            Reason::ComplianceNotEvaluated,
        ),
        (
            "a new phone",
            mail().not_found("unknown"),
            Verdict::Quarantine,
            Reason::DeviceUnknown,
        ),
        (
            "a test client",
            Connection::mail("TestClient", "").not_found("unknown"),
            Verdict::Block,
            Reason::PlatformNotAllowed,
        ),
        (
            "an unmanaged Windows Phone",
            mail().with(|device| {
                device.platform = "windows-phone".into();
                device.managed = "no".into();
                device.compliance = "unknown".into();
            }),
            Verdict::Block,
            Reason::DeviceNotManaged,
        ),
        (
            "a contractor who is staff too",
            staff().in_groups(&["staff", "contractors"]),
            Verdict::Quarantine,
            Reason::NoPolicyApplies,
        ),
        (
            "a contractor by VPN",
            contractor(),
            Verdict::Quarantine,
            Reason::NoPolicyApplies,
        ),
        (
            "somebody else",
            staff().in_groups(&["board"]),
            Verdict::Allow,
            Reason::NotTargeted,
        ),
        (
            "break-glass",
            staff().in_groups(&["break-glass"]).not_found("unknown"),
            Verdict::Allow,
            Reason::Exempt,
        ),
        (
            "a MAC address",
            Connection::mab(),
            Verdict::Quarantine,
            Reason::NotTargeted,
        ),
    ] {
        let decision = connection.decide(&policy);
        assert_eq!(
            (decision.verdict, decision.reason),
            (verdict, reason),
            "row {row}: {}",
            connection.explain(&policy)
        );
    }
}

#[test]
fn the_examples_that_the_sample_has_in_comments_are_right() {
    let text = include_str!("../../conf/policy.toml");
    let mut examples = text.to_owned();
    let mut inside = false;
    let mut count = 0;
    for line in text.lines() {
        let is_head = line == "# [[conditional]]" || line == "# [defaults.mapping_pending]";
        inside = (inside || is_head) && line.starts_with("# ");
        count += usize::from(is_head);
        if inside {
            examples.push_str(line.trim_start_matches("# "));
            examples.push('\n');
        }
    }
    assert_eq!(count, 7);
    let (policy, warnings) = parse("policy.toml", &examples).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(lint(&policy), []);
}
