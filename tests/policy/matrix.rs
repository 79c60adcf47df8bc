//! The matrices of the requirements, row by row.

use std::time::Duration;

use portreeve::model::Decision;
use portreeve::model::PolicyId;
use portreeve::model::Reason;
use portreeve::model::Timestamp;
use portreeve::model::Verdict;
use portreeve::policy::Check;
use portreeve::policy::Condition;
use portreeve::policy::Finding;
use portreeve::policy::Policy;
use portreeve::policy::Requirement;
use portreeve::policy::Trace;
use portreeve::policy::evaluate;

use crate::support::Connection;
use crate::support::DEFAULTS;
use crate::support::Nas;
use crate::support::after;
use crate::support::ago;
use crate::support::defaults_with;
use crate::support::policy;
use crate::support::read;

use Verdict::Allow;
use Verdict::Block;
use Verdict::Quarantine;

#[test]
fn exempt_wins_over_targeted_r8() {
    let policy = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nexempt = [\"guests\"]\naction = \"block\"",
    );
    for (groups, expected) in [
        (&[][..], (Allow, Reason::NotTargeted)),
        (&["staff"], (Block, Reason::BlockedByPolicy)),
        (&["guests"], (Allow, Reason::Exempt)),
        (&["staff", "guests"], (Allow, Reason::Exempt)),
    ] {
        let decision = Connection::default().in_groups(groups).decide(&policy);
        assert_eq!(outcome(&decision), expected, "row {groups:?}");
    }
}

#[test]
fn every_fact_is_required_as_yes_r1_r2_r5() {
    for (requirement, reason) in [
        ("managed", Reason::DeviceNotManaged),
        ("registered", Reason::DeviceNotRegistered),
        ("eas_activated", Reason::EasNotActivated),
    ] {
        let policy = requiring(&[requirement], "block");
        for (value, holds) in [("yes", true), ("no", false), ("unknown", false)] {
            let decision = Connection::mail("iPhone", "")
                .with(|device| match requirement {
                    "managed" => device.managed = value.into(),
                    "registered" => device.registered = value.into(),
                    _ => device.eas_activated = value.into(),
                })
                .decide(&policy);
            let failed = if requirement == "managed" {
                Quarantine
            } else {
                Block
            };
            let expected = if holds {
                (Allow, Reason::RequirementsMet)
            } else {
                (failed, reason)
            };
            assert_eq!(outcome(&decision), expected, "row {requirement} {value}");
        }
    }
}

#[test]
fn a_managed_device_that_is_not_registered_has_its_own_reason_r2() {
    let policy = requiring(&["managed", "registered", "compliant"], "block");
    let decision = Connection::default()
        .with(|device| device.registered = "no".into())
        .decide(&policy);
    assert_eq!(outcome(&decision), (Block, Reason::DeviceNotRegistered));
    let unmanaged = Connection::default()
        .with(|device| {
            device.registered = "no".into();
            device.managed = "no".into();
            device.compliance = "unknown".into();
        })
        .decide(&policy);
    assert_eq!(outcome(&unmanaged), (Quarantine, Reason::DeviceNotManaged));
}

#[test]
fn activation_is_asked_of_mail_clients_only_r5() {
    let policy = requiring(&["eas_activated"], "block");
    let decision = Connection::default()
        .with(|device| device.eas_activated = "no".into())
        .decide(&policy);
    assert_eq!(decision.verdict, Allow);
}

#[test]
fn every_state_of_compliance_has_its_outcome_r3_r21() {
    let policy = requiring(&["compliant"], "block");
    for (state, expected) in [
        ("compliant", (Allow, Reason::RequirementsMet)),
        ("inGracePeriod", (Allow, Reason::RequirementsMet)),
        ("noncompliant", (Block, Reason::DeviceNotCompliant)),
        ("conflict", (Block, Reason::DeviceNotCompliant)),
        ("error", (Block, Reason::DeviceNotCompliant)),
        ("unknown", (Quarantine, Reason::ComplianceNotEvaluated)),
        (
            "configManager",
            (Quarantine, Reason::ComplianceNotEvaluated),
        ),
        ("none", (Allow, Reason::RequirementsMet)),
    ] {
        let decision = Connection::default()
            .with(|device| device.compliance = state.into())
            .decide(&policy);
        assert_eq!(outcome(&decision), expected, "row {state}");
    }
}

#[test]
fn the_evaluating_state_has_an_action_of_its_own_r21() {
    for (setting, expected) in [
        ("allow", Allow),
        ("quarantine", Quarantine),
        ("block", Block),
    ] {
        let text = format!(
            "{}\n{}",
            defaults_with("evaluating", setting),
            rule(&["compliant"], "block")
        );
        let decision = Connection::default()
            .with(|device| device.compliance = "unknown".into())
            .decide(&read(&text));
        assert_eq!(
            outcome(&decision),
            (expected, Reason::ComplianceNotEvaluated),
            "row {setting}"
        );
    }
}

#[test]
fn compliance_of_one_user_is_not_anothers_r3() {
    let strict = requiring(&["compliant"], "block");
    let lenient = read(&format!(
        "{}\n{}",
        DEFAULTS.replace(
            "no_compliance_policy",
            "compliance_for_another_user = \"compliant\"\nno_compliance_policy"
        ),
        rule(&["compliant"], "block")
    ));
    for (row, owner, user, strictly) in [
        ("the owner", 1, Some(1), Allow),
        ("another user", 2, Some(1), Block),
        ("a device without owner", 0, Some(1), Allow),
        ("a connection without user", 2, None, Allow),
    ] {
        let mut connection = Connection::default().with(|device| device.owner = owner);
        match user {
            Some(reference) => connection.user.as_mut().unwrap().reference = reference,
            None => {
                connection.user = None;
                connection.device.groups = vec!["staff".into()];
            }
        }
        let decision = connection.decide(&strict);
        assert_eq!(decision.verdict, strictly, "row {row}");
        if strictly == Block {
            assert_eq!(decision.reason, Reason::ComplianceForAnotherUser);
        }
        assert_eq!(connection.decide(&lenient).verdict, Allow, "row {row}");
    }
}

#[test]
fn without_compliance_policy_enrolment_is_enough_or_nothing_is_r4() {
    let rule = rule(&["compliant"], "block");
    let reaching =
        "[[compliance]]\nname = \"h\"\ntargets = [\"staff\"]\nrequire = { passcode = true }";
    for (setting, compliance, managed, said, expected) in [
        (
            "compliant",
            "",
            "yes",
            "none",
            (Allow, Reason::RequirementsMet),
        ),
        (
            "compliant",
            "",
            "no",
            "none",
            (Quarantine, Reason::DeviceNotManaged),
        ),
        (
            "compliant",
            "",
            "unknown",
            "none",
            (Quarantine, Reason::DeviceNotManaged),
        ),
        (
            "compliant",
            "",
            "yes",
            "noncompliant",
            (Block, Reason::DeviceNotCompliant),
        ),
        (
            "noncompliant",
            "",
            "yes",
            "none",
            (Block, Reason::DeviceNotCompliant),
        ),
        (
            "noncompliant",
            "",
            "yes",
            "compliant",
            (Block, Reason::DeviceNotCompliant),
        ),
        (
            "noncompliant",
            reaching,
            "yes",
            "compliant",
            (Allow, Reason::RequirementsMet),
        ),
        (
            "noncompliant",
            reaching,
            "yes",
            "none",
            (Allow, Reason::RequirementsMet),
        ),
    ] {
        let defaults = defaults_with("no_compliance_policy", setting);
        let policy = read(&format!("{defaults}\n{rule}\n{compliance}"));
        let decision = Connection::default()
            .with(|device| {
                device.managed = managed.into();
                device.compliance = said.into();
            })
            .decide(&policy);
        assert_eq!(
            outcome(&decision),
            expected,
            "row {setting} {compliance} {managed} {said}"
        );
    }
}

#[test]
fn each_health_setting_is_yes_no_or_unknown_r18() {
    for (setting, change) in [
        (
            "encrypted",
            (|d, v| d.encrypted = v) as fn(&mut crate::support::Device, String),
        ),
        ("passcode", |d, v| d.passcode = v),
        ("not_jailbroken", |d, v| {
            d.jailbroken = match v.as_str() {
                "yes" => "no".into(),
                "no" => "yes".into(),
                _ => v,
            }
        }),
        ("join", |d, v| {
            d.join = match v.as_str() {
                "yes" => "hybrid".into(),
                "no" => "registered".into(),
                _ => v,
            }
        }),
        ("min_os", |d, v| {
            d.os = match v.as_str() {
                "yes" => "17.0.3".into(),
                "no" => "16.9".into(),
                _ => String::new(),
            }
        }),
        ("max_threat", |d, v| {
            d.threat = match v.as_str() {
                "yes" => "lowSeverity".into(),
                "no" => "mediumSeverity".into(),
                _ => v,
            }
        }),
    ] {
        let wanted = match setting {
            "join" => "[\"hybrid\", \"ad\"]",
            "min_os" => "{ ios = \"17.0.3\" }",
            "max_threat" => "\"low\"",
            _ => "true",
        };
        for (value, when_unknown_fails, when_unknown_passes) in [
            ("yes", true, true),
            ("no", false, false),
            ("unknown", false, true),
        ] {
            for (treatment, holds) in [
                ("fails", when_unknown_fails),
                ("passes", when_unknown_passes),
            ] {
                let policy = policy(&format!(
                    "{}\n[[compliance]]\nname = \"h\"\ntargets = [\"staff\"]\n\
                     require = {{ {setting} = {wanted} }}\nunknown = {{ {setting} = \"{treatment}\" }}",
                    rule(&["compliant"], "block")
                ));
                let decision = Connection::default()
                    .with(|device| change(device, value.into()))
                    .decide(&policy);
                let expected = if holds {
                    (Allow, Reason::RequirementsMet)
                } else {
                    (Block, Reason::HealthRequirement)
                };
                assert_eq!(
                    outcome(&decision),
                    expected,
                    "row {setting} {value} {treatment}"
                );
            }
        }
    }
}

#[test]
fn all_ten_threat_states_count_r22() {
    for (state, secured, low, medium, high) in [
        ("secured", true, true, true, true),
        ("lowSeverity", false, true, true, true),
        ("mediumSeverity", false, false, true, true),
        ("highSeverity", false, false, false, true),
        ("compromised", false, false, false, false),
        ("deactivated", false, false, false, false),
        ("misconfigured", false, false, false, false),
        ("unknown", false, false, false, false),
        ("activated", false, false, false, false),
        ("unresponsive", false, false, false, false),
    ] {
        for (ceiling, holds) in [
            ("secured", secured),
            ("low", low),
            ("medium", medium),
            ("high", high),
        ] {
            for treatment in ["fails", "passes"] {
                let policy = policy(&format!(
                    "{}\n[[compliance]]\nname = \"h\"\ntargets = [\"staff\"]\n\
                     require = {{ max_threat = \"{ceiling}\" }}\nunknown = {{ max_threat = \"{treatment}\" }}",
                    rule(&["compliant"], "block")
                ));
                let unmeasured = matches!(state, "unknown" | "activated" | "unresponsive");
                let decision = Connection::default()
                    .with(|device| device.threat = state.into())
                    .decide(&policy);
                assert_eq!(
                    decision.verdict == Allow,
                    holds || unmeasured && treatment == "passes",
                    "row {state} {ceiling} {treatment}"
                );
            }
        }
    }
}

#[test]
fn versions_are_compared_for_each_platform_r28() {
    let policy = policy(&format!(
        "{}\n[[compliance]]\nname = \"h\"\ntargets = [\"staff\"]\nrequire = {{ min_os = \
         {{ android = \"4.0\", ios = \"7.1\", windows = \"10.0.19043.2006\", windows-phone = \"8.1\" }} }}",
        rule(&["compliant"], "block")
    ));
    for (platform, os, holds) in [
        ("android", "4.0", true),
        ("android", "3.9.9", false),
        ("ios", "7.1", true),
        ("ios", "7.0.6", false),
        ("ios", "17.0.3", true),
        ("ios", "10.0", true),
        ("windows", "10.0.19043.2006", true),
        ("windows", "10.0.19043.1999", false),
        ("windows-phone", "8.1", true),
        ("windows-phone", "8.0", false),
        ("macos", "1.0", true),
        ("linux", "", true),
        // It might be any of the platforms.
        ("unknown", "17.0", false),
    ] {
        let decision = Connection::default()
            .with(|device| {
                device.platform = platform.into();
                device.os = os.into();
            })
            .decide(&policy);
        assert_eq!(decision.verdict == Allow, holds, "row {platform} {os}");
    }
}

#[test]
fn joins_and_compliance_combine_r24() {
    let joined = requiring(&["domain_joined"], "block");
    let entra = requiring(&["entra_joined"], "block");
    let either = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\n\
         require_any = [\"domain_joined\", \"compliant\"]\notherwise = \"block\"",
    );
    for (join, domain, in_entra) in [
        ("unknown", false, false),
        ("none", false, false),
        ("registered", false, false),
        ("entra", false, true),
        ("hybrid", true, true),
        ("ad", true, false),
    ] {
        for compliance in ["compliant", "noncompliant"] {
            let connection = Connection::default().with(|device| {
                device.join = join.into();
                device.compliance = compliance.into();
            });
            let row = format!("row {join} {compliance}");
            let of = |holds: bool, reason| {
                if holds {
                    (Allow, Reason::RequirementsMet)
                } else {
                    (Block, reason)
                }
            };
            let missing = Reason::DeviceNotDomainJoined;
            assert_eq!(
                outcome(&connection.decide(&joined)),
                of(domain, missing),
                "{row}"
            );
            assert_eq!(
                outcome(&connection.decide(&entra)),
                of(in_entra, missing),
                "{row}"
            );
            let any = domain || compliance == "compliant";
            assert_eq!(
                outcome(&connection.decide(&either)),
                of(any, missing),
                "{row}"
            );
        }
    }
}

#[test]
fn platforms_and_defaults_for_devices_not_enrolled_r15() {
    for default in ["allow", "quarantine", "block"] {
        for exception in ["", "allow", "quarantine", "block"] {
            let mut text = defaults_with("unmanaged_device", default);
            if !exception.is_empty() {
                text.push_str(&format!("\n[defaults.platforms]\nios = \"{exception}\"\n"));
            }
            let policy = read(&format!(
                "{text}\n{}",
                rule(&["managed", "compliant"], "block")
            ));
            let unmanaged = |platform: &str| {
                Connection::default().with(|device| {
                    device.platform = platform.into();
                    device.managed = "no".into();
                    device.compliance = "unknown".into();
                })
            };
            let row = format!("row {default} {exception:?}");
            let by_exception = if exception.is_empty() {
                default
            } else {
                exception
            };
            assert_eq!(
                outcome(&unmanaged("ios").decide(&policy)),
                (verdict(by_exception), Reason::DeviceNotManaged),
                "{row}"
            );
            assert_eq!(
                outcome(&unmanaged("android").decide(&policy)),
                (verdict(default), Reason::DeviceNotManaged),
                "{row}"
            );
            // Enrolled and compliant beats the exception.
            assert_eq!(
                outcome(&Connection::default().decide(&policy)),
                (Allow, Reason::RequirementsMet),
                "{row}"
            );
        }
    }
}

#[test]
fn a_platform_can_be_kept_out_altogether_r15() {
    let policy = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nwhen = { platforms = [\"ios\"] }\n\
         action = \"block\"\n[[conditional]]\nname = \"b\"\ntargets = [\"staff\"]\naction = \"allow\"",
    );
    let decision = Connection::default().decide(&policy);
    assert_eq!(outcome(&decision), (Block, Reason::PlatformNotAllowed));
    let other = Connection::default().with(|device| device.platform = "android".into());
    assert_eq!(
        outcome(&other.decide(&policy)),
        (Allow, Reason::RequirementsMet)
    );
}

#[test]
fn devices_that_cannot_enrol_have_their_own_outcome_r16() {
    for (setting, expected) in [
        ("allow", Allow),
        ("quarantine", Quarantine),
        ("block", Block),
    ] {
        let policy = policy(&format!(
            "[defaults.cannot_enrol]\nplatforms = [\"linux\"]\nmail_devices = [\"TestClient*\"]\n\
             verdict = \"{setting}\"\n{}",
            rule(&["managed"], "quarantine")
        ));
        let unknown = Connection::mail("testclient", "").not_found("unknown");
        let unmanaged = Connection::default().with(|device| {
            device.platform = "linux".into();
            device.managed = "no".into();
        });
        for connection in [unknown, unmanaged] {
            let decision = connection.decide(&policy);
            assert_eq!(
                outcome(&decision),
                (expected, Reason::PlatformNotAllowed),
                "row {setting} {connection:?}"
            );
        }
        let able = Connection::mail("iPhone", "")
            .not_found("unknown")
            .decide(&policy);
        assert_eq!(outcome(&able), (Quarantine, Reason::DeviceUnknown));
    }
}

#[test]
fn devices_that_are_not_found_have_their_own_outcomes() {
    for (found, key, reason) in [
        ("unknown", "unknown_device", Reason::DeviceUnknown),
        ("ambiguous", "ambiguous_device", Reason::DeviceAmbiguous),
        (
            "of-another-user",
            "device_of_another_user",
            Reason::DeviceOfAnotherUser,
        ),
    ] {
        for setting in ["allow", "quarantine", "block"] {
            let rules = rule(&["managed", "registered", "compliant", "proven"], "block");
            let policy = read(&format!("{}\n{rules}", defaults_with(key, setting)));
            let with_user = Connection::default().not_found(found).decide(&policy);
            assert_eq!(
                outcome(&with_user),
                (verdict(setting), reason),
                "row {found} {setting}"
            );
            // The device stands for the user, of whom there is none.
            let without = Connection::no_user().not_found(found).decide(&policy);
            assert_eq!(
                outcome(&without),
                (verdict(setting), reason),
                "row {found} {setting}"
            );
        }
    }
}

#[test]
fn a_policy_overrides_outcomes_for_itself() {
    let policy = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nrequire = [\"managed\", \"compliant\"]\n\
         otherwise = \"quarantine\"\n\
         otherwise_for = { unmanaged_device = \"block\", evaluating = \"allow\", not_compliant = \"block\" }",
    );
    for (managed, compliance, expected) in [
        ("no", "unknown", (Block, Reason::DeviceNotManaged)),
        ("yes", "unknown", (Allow, Reason::ComplianceNotEvaluated)),
        ("yes", "noncompliant", (Block, Reason::DeviceNotCompliant)),
    ] {
        let decision = Connection::default()
            .with(|device| {
                device.managed = managed.into();
                device.compliance = compliance.into();
            })
            .decide(&policy);
        assert_eq!(outcome(&decision), expected, "row {managed} {compliance}");
    }
}

#[test]
fn mail_applications_are_told_apart_r23() {
    let rules = "[[app]]\nname = \"outlook\"\ndevice_types = [\"Outlook\"]\nuser_agents = [\"Outlook-iOS-*\"]\n\
                 approved = true\n[[app]]\nname = \"gmail\"\nuser_agents = [\"*gmail*\"]\n";
    let required = policy(&format!("{rules}{}", rule(&["approved_app"], "block")));
    let excluded = policy(&format!(
        "{rules}[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nwhen = {{ not_apps = [\"outlook\"] }}\n\
         action = \"block\""
    ));
    let included = policy(&format!(
        "{rules}[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nwhen = {{ apps = [\"gmail\"] }}\n\
         action = \"block\""
    ));
    for (device_type, user_agent, approved, gmail) in [
        ("Outlook", "Outlook-iOS-Android/1.0", true, false),
        ("Outlook", "Something/1.0", false, false),
        ("iPhone", "Apple-iPhone9C1/1602.92", false, false),
        ("Android", "Android-Gmail/2024.01", false, true),
        ("", "", false, false),
    ] {
        let connection = Connection::mail(device_type, user_agent);
        let row = format!("row {device_type} {user_agent}");
        let blocked = |blocked: bool, otherwise| {
            if blocked {
                (Block, Reason::ApplicationNotApproved)
            } else {
                otherwise
            }
        };
        let met = (Allow, Reason::RequirementsMet);
        let none = (Quarantine, Reason::NoPolicyApplies);
        assert_eq!(
            outcome(&connection.decide(&required)),
            blocked(!approved, met),
            "{row}"
        );
        assert_eq!(
            outcome(&connection.decide(&excluded)),
            blocked(!approved, none),
            "{row}"
        );
        assert_eq!(
            outcome(&connection.decide(&included)),
            blocked(gmail, none),
            "{row}"
        );
    }
    // No application is named at the network.
    let network = Connection::default().decide(&required);
    assert_eq!(outcome(&network), (Block, Reason::ApplicationNotApproved));
}

#[test]
fn a_device_that_is_only_claimed_proves_nothing() {
    let policy = requiring(&["proven"], "quarantine");
    for (established, holds) in [("proven", true), ("claimed", false), ("none", false)] {
        let connection = Connection::established(established);
        let expected = if holds {
            (Allow, Reason::RequirementsMet)
        } else {
            (Quarantine, Reason::DeviceNotProven)
        };
        assert_eq!(
            outcome(&connection.decide(&policy)),
            expected,
            "row {established}"
        );
    }
}

#[test]
fn a_claimed_device_gives_no_exemption_by_its_own_groups() {
    let policy = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"all\"]\nexempt = [\"printers\"]\naction = \"block\"",
    );
    let mut connection =
        Connection::no_user().with(|device| device.groups = vec!["printers".into()]);
    assert_eq!(
        outcome(&connection.decide(&policy)),
        (Allow, Reason::Exempt)
    );
    connection.established = "claimed".into();
    assert_eq!(
        outcome(&connection.decide(&policy)),
        (Block, Reason::BlockedByPolicy)
    );
    // Nor does it bypass everything.
    connection.device.groups = vec!["rescue".into()];
    assert_eq!(
        outcome(&connection.decide(&policy)),
        (Block, Reason::BlockedByPolicy)
    );
}

#[test]
fn a_claimed_device_is_targeted_by_its_own_groups() {
    let policy =
        policy("[[conditional]]\nname = \"a\"\ntargets = [\"printers\"]\naction = \"allow\"");
    let mut printer = Connection::mab();
    assert_eq!(
        outcome(&printer.decide(&policy)),
        (Quarantine, Reason::NotTargeted)
    );
    printer.device.groups = vec!["printers".into()];
    assert_eq!(
        outcome(&printer.decide(&policy)),
        (Allow, Reason::RequirementsMet)
    );
}

#[test]
fn break_glass_bypasses_everything_r77() {
    let policy = policy("[[conditional]]\nname = \"a\"\ntargets = [\"all\"]\naction = \"block\"");
    let group = Connection::default().in_groups(&["rescue", "staff"]);
    let mut name = Connection::default().not_found("unknown");
    let user = name.user.as_mut().unwrap();
    user.name = "Rescue@Contoso.com".into();
    user.reference = 0;
    user.enabled = "no".into();
    let retired = group
        .clone()
        .with(|device| device.retirement = "wiped".into());
    for connection in [group, name, retired] {
        let decision = connection.decide(&policy);
        assert_eq!(
            outcome(&decision),
            (Allow, Reason::Exempt),
            "row {connection:?}"
        );
        assert_eq!(decision.deciding, [None; Decision::DECIDING]);
    }
}

#[test]
fn retired_and_wiped_devices_are_blocked_at_once_r40() {
    let exempting = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"all\"]\nexempt = [\"staff\"]\naction = \"block\"",
    );
    for retirement in ["retired", "wiped"] {
        let connection = Connection::default().with(|device| device.retirement = retirement.into());
        for policy in [
            &policy(""),
            &requiring(&["managed"], "quarantine"),
            &exempting,
        ] {
            assert_eq!(
                outcome(&connection.decide(policy)),
                (Block, Reason::DeviceRetired),
                "row {retirement}"
            );
        }
    }
}

#[test]
fn a_disabled_user_is_blocked() {
    let mut connection = Connection::default();
    connection.user.as_mut().unwrap().enabled = "no".into();
    assert_eq!(
        outcome(&connection.decide(&policy(""))),
        (Block, Reason::UserUnknown)
    );
}

#[test]
fn an_unknown_user_gets_at_least_the_default() {
    let mut connection = Connection::default().in_groups(&[]);
    connection.user.as_mut().unwrap().reference = 0;
    for (setting, action, expected) in [
        ("allow", "", (Allow, Reason::UserUnknown)),
        ("quarantine", "", (Quarantine, Reason::UserUnknown)),
        ("allow", "quarantine", (Quarantine, Reason::BlockedByPolicy)),
        ("quarantine", "allow", (Quarantine, Reason::UserUnknown)),
        (
            "quarantine",
            "quarantine",
            (Quarantine, Reason::BlockedByPolicy),
        ),
        ("block", "quarantine", (Block, Reason::UserUnknown)),
    ] {
        let mut text = defaults_with("unknown_user", setting);
        if !action.is_empty() {
            text.push_str(&format!(
                "\n[[conditional]]\nname = \"a\"\ntargets = [\"all\"]\naction = \"{action}\""
            ));
        }
        let decision = connection.decide(&read(&text));
        assert_eq!(outcome(&decision), expected, "row {setting} {action}");
        let named = decision.deciding[0].is_some();
        assert_eq!(
            named,
            expected.1 == Reason::BlockedByPolicy,
            "row {setting} {action}"
        );
    }
}

#[test]
fn stale_facts_never_help_r49() {
    let policy = requiring(&["managed", "compliant"], "block");
    let healthy = |plane: &str, age: i64| {
        let mut connection = Connection::default().with(|device| device.age = age);
        connection.plane = plane.into();
        connection
    };
    let met = (Allow, Reason::RequirementsMet);
    for (plane, age, expected) in [
        ("network", 3600, met),
        ("network", 3601, met),
        ("network", 7200, met),
        ("network", 7201, (Quarantine, Reason::FactsStale)),
        ("mail", 3600, met),
        ("mail", 3601, (Block, Reason::FactsStale)),
        ("web", 3601, (Allow, Reason::FactsStale)),
        ("network", -3600, met),
    ] {
        let decision = healthy(plane, age).decide(&policy);
        assert_eq!(outcome(&decision), expected, "row {plane} {age}");
        let failing = healthy(plane, age)
            .with(|device| device.compliance = "noncompliant".into())
            .decide(&policy);
        assert_eq!(failing.verdict, Block, "row {plane} {age}");
        assert_eq!(
            failing.reason,
            Reason::DeviceNotCompliant,
            "row {plane} {age}"
        );
    }
}

#[test]
fn a_decision_says_when_it_may_change_by_itself() {
    let policy = requiring(&["managed", "compliant"], "block");
    let connection = Connection::default();
    let turns = Timestamp::from_unix_millis(ago(240 - 7200).unix_millis() + 1);
    assert_eq!(connection.decide(&policy).revisit, Some(turns));
    // The end of a grace period that comes earlier.
    let graced = connection.clone().with(|device| {
        device.compliance = "inGracePeriod".into();
        device.grace_for = Some(60);
    });
    let decision = graced.decide(&policy);
    assert_eq!(outcome(&decision), (Allow, Reason::RequirementsMet));
    assert_eq!(decision.revisit, Some(after(Duration::from_secs(60))));
    // At that moment it is over.
    let over = graced
        .with(|device| device.grace_for = Some(0))
        .decide(&policy);
    assert_eq!(outcome(&over), (Block, Reason::DeviceNotCompliant));
    // A door that stays open has no such moment, and no policy none either.
    let mut web = connection;
    web.plane = "web".into();
    assert_eq!(web.decide(&policy).revisit, None);
    let decision = Connection::default().in_groups(&[]).decide(&policy);
    assert_eq!(decision.revisit, None);
}

#[test]
fn the_strictest_policy_decides_and_the_first_of_them_gives_the_reason() {
    let policy = policy(
        "[[compliance]]\nname = \"h\"\ntargets = [\"staff\"]\nrequire = { passcode = true }\n\
         [[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\naction = \"allow\"\n\
         [[conditional]]\nname = \"b\"\ntargets = [\"staff\"]\naction = \"quarantine\"\n\
         [[conditional]]\nname = \"c\"\ntargets = [\"staff\"]\nrequire = [\"proven\"]\notherwise = \"quarantine\"\n\
         [[conditional]]\nname = \"d\"\ntargets = [\"guests\"]\naction = \"block\"\n\
         [[conditional]]\nname = \"e\"\nstate = \"off\"\ntargets = [\"staff\"]\naction = \"block\"",
    );
    let connection = Connection::established("claimed");
    let decision = connection.decide(&policy);
    assert_eq!(outcome(&decision), (Quarantine, Reason::BlockedByPolicy));
    assert_eq!(
        decision.deciding,
        [Some(PolicyId(2)), Some(PolicyId(3)), None, None]
    );
    assert_eq!(policy.name(PolicyId(0)), "h");
    assert_eq!(policy.name(PolicyId(2)), "b");
    assert_eq!(policy.name(PolicyId(5)), "e");
    assert_eq!(policy.name(PolicyId(6)), "");
    assert_eq!(policy.len(), 6);
}

#[test]
fn conditions_must_all_hold_or_be_absent_r81() {
    let connection = || {
        let nas = Nas {
            claims: None,
            group: "campus".into(),
            medium: "wireless".into(),
            ssid: Some("corp".into()),
        };
        Connection {
            nas: Some(nas),
            ..Connection::default()
        }
    };
    for (when, applies) in [
        ("", true),
        ("platforms = [\"ios\"]", true),
        ("platforms = [\"android\"]", false),
        ("not_platforms = [\"ios\"]", false),
        ("not_platforms = [\"android\"]", true),
        ("nas_groups = [\"campus\", \"lab\"]", true),
        ("nas_groups = [\"lab\"]", false),
        ("ssids = [\"corp\"]", true),
        ("ssids = [\"Corp\"]", false),
        ("media = [\"wireless\"]", true),
        ("media = [\"wired\", \"vpn\"]", false),
        ("established = [\"proven\"]", true),
        ("established = [\"claimed\", \"none\"]", false),
        ("credentials = [\"certificate\"]", true),
        ("credentials = [\"password\"]", false),
        ("ownership = [\"company\"]", true),
        ("ownership = [\"personal\"]", false),
        (
            "platforms = [\"ios\"], ssids = [\"corp\"], media = [\"wireless\"]",
            true,
        ),
        (
            "platforms = [\"ios\"], ssids = [\"corp\"], media = [\"wired\"]",
            false,
        ),
    ] {
        let policy = policy(&format!(
            "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nwhen = {{ {when} }}\naction = \"block\""
        ));
        let expected = if applies {
            Reason::BlockedByPolicy
        } else {
            Reason::NoPolicyApplies
        };
        let expected = if applies && when.contains("platforms") {
            Reason::PlatformNotAllowed
        } else {
            expected
        };
        assert_eq!(connection().decide(&policy).reason, expected, "row {when}");
    }
    // What the connection does not state does not hold.
    for when in [
        "nas_groups = [\"campus\"]",
        "ssids = [\"corp\"]",
        "media = [\"unknown\"]",
    ] {
        let policy = policy(&format!(
            "[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\nwhen = {{ {when} }}\naction = \"block\""
        ));
        let decision = Connection::default().decide(&policy);
        assert_eq!(decision.reason, Reason::NoPolicyApplies, "row {when}");
    }
}

#[test]
fn policies_count_at_their_doors_only() {
    let policy = policy(
        "[[conditional]]\nname = \"a\"\nplanes = [\"mail\"]\ntargets = [\"staff\"]\naction = \"block\"",
    );
    assert_eq!(
        outcome(&Connection::default().decide(&policy)),
        (Allow, Reason::NotTargeted)
    );
    let mail = Connection::mail("iPhone", "").decide(&policy);
    assert_eq!(outcome(&mail), (Block, Reason::BlockedByPolicy));
}

#[test]
fn each_device_of_a_user_is_judged_by_itself_r10() {
    let policy = requiring(&["compliant"], "block");
    let good = Connection::default();
    let bad = Connection::default().with(|device| device.compliance = "noncompliant".into());
    let verdicts = [&good, &bad, &good].map(|connection| connection.decide(&policy).verdict);
    assert_eq!(verdicts, [Allow, Block, Allow]);
}

#[test]
fn users_can_be_named_one_by_one() {
    let policy = policy(
        "[[conditional]]\nname = \"a\"\ntargets = [\"user:Alice@contoso.com\", \"user:bob@contoso.com\"]\n\
         exempt = [\"user:bob@contoso.com\"]\naction = \"block\"",
    );
    for (name, reason) in [
        ("alice@contoso.com", Reason::BlockedByPolicy),
        ("ALICE@CONTOSO.COM", Reason::BlockedByPolicy),
        ("bob@contoso.com", Reason::Exempt),
        ("carol@contoso.com", Reason::NotTargeted),
    ] {
        let mut connection = Connection::default();
        connection.user.as_mut().unwrap().name = name.into();
        assert_eq!(connection.decide(&policy).reason, reason, "row {name}");
    }
}

#[test]
fn groups_are_known_by_guid_too() {
    let guid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    let policy = policy(&format!(
        "[[conditional]]\nname = \"a\"\ntargets = [\"{guid}\"]\naction = \"block\""
    ));
    let member = Connection::default().in_groups(&[guid, "staff"]);
    assert_eq!(member.decide(&policy).verdict, Block);
    assert_eq!(Connection::default().decide(&policy).verdict, Allow);
}

#[test]
fn memberships_are_found_among_many_groups() {
    let own: Vec<String> = (0..300).map(|number| format!("g{number}")).collect();
    let names: Vec<&str> = own.iter().map(String::as_str).collect();
    let declared: String = (290..500).map(|n| format!("g{n} = \"g{n}\"\n")).collect();
    for (target, targeted) in [
        ("g290", true),
        ("g299", true),
        ("g300", false),
        ("g499", false),
    ] {
        let policy = read(&format!(
            "{}\n[[conditional]]\nname = \"a\"\ntargets = [\"{target}\"]\naction = \"block\"",
            DEFAULTS.replace("[groups]\n", &format!("[groups]\n{declared}"))
        ));
        for groups in [&names[..], &names[285..]] {
            let decision = Connection::default().in_groups(groups).decide(&policy);
            assert_eq!(
                decision.verdict == Block,
                targeted,
                "row {target} {}",
                groups.len()
            );
        }
    }
}

#[test]
fn a_trace_holds_every_check_of_two_hundred_policies() {
    let mut rules = String::new();
    for number in 0..200 {
        rules.push_str(&format!(
            "[[conditional]]\nname = \"a{number}\"\ntargets = [\"staff\"]\n\
             when = {{ platforms = [\"ios\"], credentials = [\"certificate\"], established = [\"proven\"] }}\n\
             require = [\"managed\", \"registered\", \"compliant\"]\n\
             require_any = [\"proven\", \"entra_joined\"]\notherwise = \"quarantine\"\n"
        ));
    }
    let policy = policy(&rules);
    let connection = Connection::default();
    connection.with_facts(|facts| {
        let mut trace = Trace::new();
        let decision = evaluate(&policy, facts, &mut trace);
        assert_eq!(outcome(&decision), (Allow, Reason::RequirementsMet));
        for number in 0..200 {
            let found: Vec<_> = trace
                .of(PolicyId(number))
                .map(|found| (found.check, found.finding))
                .collect();
            assert_eq!(
                found,
                [
                    (Check::Plane, Finding::Held),
                    (Check::Target, Finding::Targeted),
                    (Check::Condition(Condition::Platform), Finding::Held),
                    (Check::Condition(Condition::Established), Finding::Held),
                    (Check::Condition(Condition::Credential), Finding::Held),
                    (Check::Requirement(Requirement::Managed), Finding::Held),
                    (Check::Requirement(Requirement::Registered), Finding::Held),
                    (Check::Requirement(Requirement::Compliant), Finding::Held),
                    (Check::Requirement(Requirement::Proven), Finding::Held),
                    (
                        Check::Requirement(Requirement::EntraJoined),
                        Finding::Failed
                    ),
                    (Check::AnyOf, Finding::Held),
                    (Check::Outcome, Finding::Allow),
                ],
                "row {number}"
            );
        }
        assert_eq!(trace.findings().count(), 200 * 12 + 4);
    });
    let explanation = connection.explain(&policy);
    assert_eq!(explanation.policies.len(), 200);
    assert!(
        explanation
            .policies
            .iter()
            .all(|policy| policy.checks.len() == 11)
    );
}

fn requiring(requirements: &[&str], otherwise: &str) -> Policy {
    policy(&rule(requirements, otherwise))
}

fn rule(requirements: &[&str], otherwise: &str) -> String {
    format!(
        "[[conditional]]\nname = \"rule\"\ntargets = [\"staff\"]\nrequire = {requirements:?}\n\
         otherwise = \"{otherwise}\""
    )
}

fn verdict(word: &str) -> Verdict {
    match word {
        "allow" => Allow,
        "quarantine" => Quarantine,
        "block" => Block,
        other => panic!("verdict {other}"),
    }
}

fn outcome(decision: &Decision) -> (Verdict, Reason) {
    (decision.verdict, decision.reason)
}
