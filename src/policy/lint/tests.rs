use super::*;
use crate::policy::parse;

mod claimed;
mod shut;

/// A file with these defaults and `rest`.
fn policy(rest: &str) -> Policy {
    let text = format!("{DEFAULTS}\n{rest}");
    match parse("policy.toml", &text) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:#?}"),
    }
}

/// `severity key code` of each problem, without break-glass.
fn found(policy: &Policy) -> Vec<String> {
    lint(policy)
        .into_iter()
        .map(|problem| {
            let code = problem.message.split(':').next().unwrap_or("").to_owned();
            format!("{:?} {} {code}", problem.severity, problem.key)
        })
        .collect()
}

#[test]
fn the_sample_has_nothing_to_complain_of() {
    let text = include_str!("../../../conf/policy.toml");
    let (policy, warnings) = parse("conf/policy.toml", text).expect("the sample is read");
    assert_eq!(warnings, []);
    assert_eq!(lint(&policy), []);
}

#[test]
fn the_five_lock_out_patterns_are_errors_r76() {
    for (row, rule, key) in [
        ("block", "action = 'block'", "action"),
        (
            "compliant",
            "require = ['compliant']\notherwise = 'block'",
            "require",
        ),
        (
            "only alternative",
            "require_any = ['compliant']\notherwise = 'quarantine'",
            "require_any",
        ),
        (
            "joined",
            "require = ['domain_joined']\notherwise = 'block'",
            "require",
        ),
        (
            "approved application",
            "require = ['approved_app']\notherwise = 'block'",
            "require",
        ),
        (
            "all platforms",
            "when = { platforms = ['android', 'ios', 'macos', 'windows', 'windows-phone', 'linux', \
             'chromeos'] }\naction = 'block'",
            "when.platforms",
        ),
    ] {
        let error = format!("Error conditional[0].{key} E-LOCKOUT");
        let warning = format!("Warning conditional[0].{key} W-LOCKOUT");
        let rule = |more: &str| {
            format!("[[conditional]]\nname = 'all'\ntargets = ['all']\n{rule}\n{more}")
        };
        let plain = found(&policy(&rule("")));
        assert!(plain.contains(&error), "row {row}: {plain:?}");
        for softer in ["accept_lockout_risk = true", "state = 'report-only'"] {
            let found = found(&policy(&rule(softer)));
            assert!(found.contains(&warning), "row {row}, {softer}: {found:?}");
            assert!(!found.contains(&error), "row {row}, {softer}: {found:?}");
        }
        let one_door = found(&policy(&rule("planes = ['network']")));
        assert!(!one_door.contains(&error), "row {row}: {one_door:?}");
        let is_block = row == "block" || row == "all platforms";
        assert_eq!(one_door.contains(&warning), is_block, "row {row}");
        for narrower in ["exempt = ['staff']", "state = 'off'"] {
            let found = found(&policy(&rule(narrower)));
            assert!(
                !found.iter().any(|found| found.contains("LOCKOUT")),
                "row {row}, {narrower}: {found:?}"
            );
        }
    }
}

#[test]
fn a_narrow_block_locks_nobody_out() {
    let policy = policy(
        "[[conditional]]\nname = 'a'\ntargets = ['all']\nwhen = { platforms = ['linux'] }\n\
         action = 'block'\naccept_lockout_risk = true",
    );
    let found = found(&policy);
    assert!(
        found.contains(&"Warning conditional[0].accept_lockout_risk W-IDLE".to_owned()),
        "{found:?}"
    );
}

#[test]
fn warns_when_no_compliance_policy_reaches_a_group_r4() {
    let rules = |setting: &str, compliance: &str| {
        let text = format!(
            "{}\n[[conditional]]\nname = 'wifi'\nplanes = ['network']\ntargets = ['staff', \
             'guests']\nrequire = ['compliant']\notherwise = 'block'\n{compliance}",
            DEFAULTS.replace(
                "no_compliance_policy = 'compliant'",
                &format!("no_compliance_policy = '{setting}'")
            )
        );
        let (policy, _) = parse("policy.toml", &text).expect("well formed");
        lint(&policy)
            .into_iter()
            .filter(|problem| problem.key == "conditional[0].targets")
            .map(|problem| problem.message)
            .collect::<Vec<_>>()
    };
    let one = rules("compliant", "");
    assert!(
        matches!(&*one, [message] if message.starts_with("W-NOPOLICY") && message.contains("guests; staff")),
        "{one:?}"
    );
    let flipped = rules("noncompliant", "");
    assert!(
        matches!(&*flipped, [message] if message.starts_with("W-COVERAGE")),
        "{flipped:?}"
    );
    let for_staff =
        "[[compliance]]\nname = 'h'\ntargets = ['staff']\nrequire = { passcode = true }";
    let half = rules("compliant", for_staff);
    assert!(
        matches!(&*half, [message] if message.contains("reaches guests:")),
        "{half:?}"
    );
    let on_phones = "[[compliance]]\nname = 'h'\ntargets = ['all']\nplatforms = ['ios', 'android', \
                     'macos', 'windows', 'windows-phone']\nrequire = { passcode = true }";
    let platforms = rules("compliant", on_phones);
    assert!(
        matches!(&*platforms, [message] if message.contains("staff on linux or chromeos")),
        "{platforms:?}"
    );
    let everyone = "[[compliance]]\nname = 'h'\ntargets = ['all']\nrequire = { passcode = true }";
    assert_eq!(rules("compliant", everyone), Vec::<String>::new());
}

#[test]
fn warns_of_what_has_no_effect() {
    for (row, rules, expected) in [
        (
            "compliance that nothing asks for",
            "[[compliance]]\nname = 'h'\ntargets = ['staff']\nrequire = { passcode = true }",
            "compliance[0].targets W-UNUSED",
        ),
        (
            "everyone targeted is exempt",
            "[[conditional]]\nname = 'a'\ntargets = ['staff']\nexempt = ['staff', 'guests']\n\
             action = 'block'",
            "conditional[0].exempt W-NEVER",
        ),
        (
            "one of the targets is exempt",
            "[[conditional]]\nname = 'a'\ntargets = ['staff', 'guests']\nexempt = ['staff']\n\
             action = 'block'",
            "conditional[0].exempt W-IDLE",
        ),
        (
            "network name at the mail door",
            "[[conditional]]\nname = 'a'\nplanes = ['mail']\ntargets = ['staff']\n\
             when = { ssids = ['corp'] }\naction = 'block'",
            "conditional[0].when.ssids W-NEVER",
        ),
        (
            "network name of a wire",
            "[[conditional]]\nname = 'a'\nplanes = ['network']\ntargets = ['staff']\n\
             when = { ssids = ['corp'], media = ['wired'] }\naction = 'block'",
            "conditional[0].when.ssids W-NEVER",
        ),
        (
            "application on the network",
            "[[app]]\nname = 'x'\ndevice_types = ['x']\n[[conditional]]\nname = 'a'\n\
             planes = ['network']\ntargets = ['staff']\nwhen = { apps = ['x'] }\naction = 'block'",
            "conditional[0].when.apps W-NEVER",
        ),
        (
            "no approved application",
            "[[conditional]]\nname = 'a'\nplanes = ['mail']\ntargets = ['staff']\n\
             require = ['approved_app']\notherwise = 'block'",
            "conditional[0].require W-NEVER",
        ),
        (
            "activation on the network",
            "[[conditional]]\nname = 'a'\nplanes = ['network']\ntargets = ['staff']\n\
             require = ['eas_activated']\notherwise = 'block'",
            "conditional[0].require W-IDLE",
        ),
        (
            "proof of those without",
            "[[conditional]]\nname = 'a'\nplanes = ['network']\ntargets = ['staff']\n\
             when = { established = ['claimed'] }\nrequire = ['proven']\notherwise = 'block'",
            "conditional[0].require W-NEVER",
        ),
        (
            "hidden behind a block",
            "[[conditional]]\nname = 'a'\ntargets = ['staff', 'guests']\naction = 'block'\n\
             [[conditional]]\nname = 'b'\nplanes = ['mail']\ntargets = ['staff']\n\
             require = ['managed']\notherwise = 'block'",
            "conditional[1] W-IDLE",
        ),
    ] {
        let found = found(&policy(rules));
        let expected = format!("Warning {expected}");
        assert!(found.contains(&expected), "row {row}: {found:?}");
    }
}

#[test]
fn warns_of_open_doors() {
    let text = DEFAULTS.replace("'quarantine'", "'allow'");
    let rules = "[[conditional]]\nname = 'a'\nplanes = ['mail']\ntargets = ['staff']\n\
                 require = ['managed']\notherwise = 'block'\n\
                 [[conditional]]\nname = 'b'\nplanes = ['mail']\ntargets = ['staff']\n\
                 action = 'allow'";
    let (policy, _) = parse("policy.toml", &format!("{text}\n{rules}")).expect("well formed");
    let found = found(&policy);
    for key in [
        "defaults.not_targeted W-OPEN",
        "defaults.unmanaged_device W-OPEN",
        "defaults.unknown_device W-OPEN",
        "defaults.unknown_user W-OPEN",
        "defaults.no_credential W-OPEN",
        "stale.network.then W-OPEN",
        "stale.mail.then W-OPEN",
        "stale.web.then W-OPEN",
        "conditional[1].action W-IDLE",
        "break_glass W-BREAKGLASS",
    ] {
        assert!(
            found.contains(&format!("Warning {key}")),
            "row {key}: {found:?}"
        );
    }
}

/// Nothing was said, and the like by `when` and `action` was told of.
#[test]
fn requirements_that_are_only_claims_are_told_of() {
    let app = "[[app]]\nname = 'x'\ndevice_types = ['x']\napproved = true\n";
    let named = |name: &str, more: &str| {
        format!(
            "[[conditional]]\nname = '{name}'\nplanes = ['mail']\ntargets = ['staff']\n{more}\n"
        )
    };
    let rule = |more: &str| named("a", more);
    let apps = "require = ['approved_app']\notherwise = 'block'";
    let managed = named("b", "require = ['managed']\notherwise = 'block'");
    let with = |more: &str| rule(&format!("{apps}\n{more}"));
    for (row, rules, told) in [
        ("alone", rule(apps), Some("require")),
        (
            "an alternative",
            rule("require_any = ['compliant', 'approved_app']\notherwise = 'block'"),
            Some("require_any"),
        ),
        ("with another", format!("{}{managed}", rule(apps)), None),
        (
            "with another of others",
            rule(apps) + &managed.replace("staff", "guests"),
            Some("require"),
        ),
        (
            "with a fact",
            rule("require = ['approved_app', 'managed']\notherwise = 'block'"),
            None,
        ),
        ("accepted", with("accept_claimed = true"), None),
        ("tried out", with("state = 'report-only'"), None),
        (
            "with a word about them",
            with("otherwise_for = { unknown_device = 'allow' }"),
            None,
        ),
        (
            "of commands",
            with("when = { commands = ['attachments'] }"),
            None,
        ),
    ] {
        let problems = lint(&policy(&format!("{app}{rules}"))).into_iter();
        let found: Vec<String> = problems
            .filter(|problem| problem.message.contains("unknown_device = \"quarantine\""))
            .map(|problem| problem.key)
            .collect();
        let told = told.map(|member| format!("conditional[0].{member}"));
        assert_eq!(found, Vec::from_iter(told), "row {row}");
    }
}

/// Such a policy counted as one for mail, and nothing was said.
#[test]
fn a_policy_about_commands_leaves_the_door_open() {
    let rule = |name: &str, more: &str| {
        format!(
            "[[conditional]]\nname = '{name}'\nplanes = ['mail']\ntargets = ['staff']\n{more}\n\
             require = ['compliant']\notherwise = 'block'\n"
        )
    };
    let commands = rule("a", "when = { commands = ['attachments'] }");
    for (rules, doors) in [
        (commands.clone(), "is for network, mail or web (those about"),
        (
            format!("{commands}{}", rule("b", "")),
            "is for network or web,",
        ),
        (
            format!("{commands}{}", rule("b", "state = 'report-only'")),
            "is for network, mail or web (those about",
        ),
    ] {
        let problems = lint(&policy(&rules));
        let mut open = problems
            .iter()
            .filter(|problem| problem.key == "defaults.not_targeted");
        let said = &open.next().expect("open").message;
        assert!(said.contains(doors), "row {rules}: {said}");
    }
}

#[test]
fn problems_name_the_line() {
    let policy = policy("[[conditional]]\nname = 'a'\ntargets = ['all']\naction = 'block'");
    let problem = lint(&policy)
        .into_iter()
        .find(|problem| problem.severity == Severity::Error)
        .expect("a lock-out");
    // A blank line, then the fourth of the policy.
    let line = DEFAULTS.lines().count() + 1 + 4;
    assert_eq!(problem.line, Some(line));
    assert_eq!(problem.file, "policy.toml");
    // What is not written has the line of what it would stand in, whatever part of that is written.
    let within = policy.problem("conditional[0].when.os_below.ios", String::new());
    assert_eq!(within.line, Some(line - 3));
}

const DEFAULTS: &str = "\
[groups]
staff = 'staff'
guests = 'guests'
[defaults]
not_targeted = 'allow'
no_policy_applies = 'quarantine'
no_credential = 'quarantine'
unknown_user = 'quarantine'
unknown_device = 'quarantine'
ambiguous_device = 'quarantine'
device_of_another_user = 'quarantine'
unmanaged_device = 'quarantine'
evaluating = 'quarantine'
no_compliance_policy = 'compliant'
[stale.network]
fresh_for = '24h'
grace_for = '0s'
then = 'quarantine'
[stale.mail]
fresh_for = '24h'
grace_for = '0s'
then = 'quarantine'
[stale.web]
fresh_for = '24h'
grace_for = '0s'
then = 'quarantine'
";
