//! Doors that are shut to everybody.

use std::time::Duration;

use super::*;

/// What is said of lock-outs: the key and the message.
fn locked_out(text: &str) -> Vec<(String, String)> {
    let (policy, _) = parse("policy.toml", text).expect("well formed");
    let problems = lint(&policy).into_iter();
    problems
        .filter(|problem| problem.message.starts_with("W-LOCKOUT"))
        .map(|problem| (problem.key, problem.message))
        .collect()
}

const BOTH: &str = "[[conditional]]\nname = 'in'\ntargets = ['staff', 'guests']\n\
                    require = ['managed']\notherwise = 'quarantine'\n";

#[test]
fn a_door_that_is_shut_to_every_group_of_the_file_is_told_of() {
    let shut = |targets: &str, more: &str| {
        format!(
            "{DEFAULTS}\n{BOTH}[[conditional]]\nname = 'out'\nplanes = ['mail']\n\
             targets = [{targets}]\n{more}\naction = 'block'"
        )
    };
    let every = ["when.commands", "when.protocol_versions"];
    for (more, key) in [
        ("", "action"),
        ("when = { device_types = ['*'] }", "when.device_types"),
        ("when = { models = ['x', '**'] }", "when.models"),
        ("when = { user_agents = ['*'] }", "when.user_agents"),
        (
            "when = { user_agents = ['*'], established = ['proven', 'claimed'] }",
            "when.established",
        ),
        (
            "when = { protocol_versions = ['2.5', '12.0', '12.1', '14.0', '14.1', '16.0', '16.1'] }",
            every[1],
        ),
        (
            "when = { platforms = ['android', 'ios', 'macos', 'windows', 'windows-phone', 'linux', \
             'chromeos'] }",
            "when.platforms",
        ),
        (
            "when = { commands = ['Sync', 'SendMail', 'SmartForward', 'SmartReply', \
             'GetAttachment', 'GetHierarchy', 'CreateCollection', 'DeleteCollection', \
             'MoveCollection', 'FolderSync', 'FolderCreate', 'FolderDelete', 'FolderUpdate', \
             'MoveItems', 'GetItemEstimate', 'MeetingResponse', 'Search', 'Settings', 'Ping', \
             'ItemOperations', 'Provision', 'ResolveRecipients', 'ValidateCert', 'Find'] }",
            every[0],
        ),
    ] {
        for (targets, who) in [
            (
                "'staff', 'guests'",
                "everybody in the groups guests, staff out at mail",
            ),
            ("'all'", "everybody out at mail"),
        ] {
            let found = locked_out(&shut(targets, more));
            let [(told, message)] = &*found else {
                panic!("row {more}, {targets}: {found:?}");
            };
            assert_eq!(*told, format!("conditional[1].{key}"), "row {more}");
            assert!(message.contains(who), "row {more}: {message}");
            let accepted = format!("accept_lockout_risk = true\n{more}");
            let (accepted, _) = parse("policy.toml", &shut(targets, &accepted)).unwrap();
            let accepted = lint(&accepted);
            assert!(
                !accepted
                    .iter()
                    .any(|problem| problem.key.ends_with("accept_lockout_risk")
                        || problem.message.starts_with("W-LOCKOUT")),
                "row {more}: {accepted:?}"
            );
        }
        for narrower in ["exempt = ['staff']\n", "state = 'off'\n"] {
            let found = locked_out(&shut("'all'", &format!("{narrower}{more}")));
            let told = every.contains(&key) && narrower.starts_with("exempt");
            assert!(found.is_empty() || told, "row {narrower}{more}: {found:?}");
        }
    }
}

#[test]
fn a_sensible_block_is_no_lock_out() {
    let out = |more: &str| {
        format!("[[conditional]]\nname = 'out'\nplanes = ['mail']\naction = 'block'\n{more}\n")
    };
    let emergency = DEFAULTS.replace(
        "[defaults]",
        "emergency = 'emergency'\n[break_glass]\nmembers = ['emergency']\n[defaults]",
    );
    let one_group = DEFAULTS.replace("guests = 'guests'\n", "");
    let closed = one_group.replace("not_targeted = 'allow'", "not_targeted = 'block'");
    let all = "[[conditional]]\nname = 'in'\ntargets = ['all']\nrequire = ['managed']\n\
               otherwise = 'quarantine'\n";
    let both = "targets = ['staff', 'guests']";
    let staff = "targets = ['staff']";
    for (row, text, is_told) in [
        (
            "two of two groups",
            format!("{DEFAULTS}{BOTH}{}", out(both)),
            true,
        ),
        (
            "those of break-glass aside",
            format!("{emergency}{BOTH}{}", out(both)),
            true,
        ),
        (
            "one of two groups",
            format!("{DEFAULTS}{BOTH}{}", out(staff)),
            false,
        ),
        (
            "some of everybody",
            format!("{DEFAULTS}{all}{}", out(both)),
            false,
        ),
        (
            "the few who may not",
            format!("{one_group}{}", out(staff)),
            false,
        ),
        ("nobody else may", format!("{closed}{}", out(staff)), true),
        (
            "every type, of one platform",
            format!(
                "{DEFAULTS}{BOTH}{}",
                out("targets = ['all']\nwhen = { device_types = ['*'], platforms = ['linux'] }")
            ),
            false,
        ),
        (
            "every type but one",
            format!(
                "{DEFAULTS}{BOTH}{}",
                out("targets = ['all']\nwhen = { device_types = ['*'], not_device_types = ['x'] }")
            ),
            false,
        ),
        (
            "many devices",
            format!(
                "{DEFAULTS}{BOTH}{}",
                out("targets = ['all']\nwhen = { devices_over = 5 }")
            ),
            false,
        ),
    ] {
        let found = locked_out(&text);
        assert_eq!(!found.is_empty(), is_told, "row {row}: {found:?}");
    }
}

#[test]
fn a_quarantine_for_everybody_is_told_of() {
    let held = |targets: &str, more: &str| {
        format!(
            "{DEFAULTS}\n{BOTH}[[conditional]]\nname = 'held'\ntargets = [{targets}]\n\
             action = 'quarantine'\n{more}"
        )
    };
    for (targets, who) in [
        (
            "'staff', 'guests'",
            "holds everybody in the groups guests, staff back in quarantine at network, mail or web",
        ),
        (
            "'all'",
            "holds everybody back in quarantine at network, mail or web",
        ),
    ] {
        let found = locked_out(&held(targets, ""));
        assert!(
            matches!(&*found, [(key, message)] if key == "conditional[1].action" && message.contains(who)),
            "row {targets}: {found:?}"
        );
    }
    for (targets, more) in [
        ("'staff'", ""),
        ("'all'", "when = { not_models = ['iPhone*'] }"),
        ("'all'", "exempt = ['guests']"),
        ("'all'", "accept_lockout_risk = true"),
    ] {
        let found = locked_out(&held(targets, more));
        assert!(found.is_empty(), "row {targets} {more}: {found:?}");
    }
    // It lets nobody in that a block beside it keeps out.
    let closed = DEFAULTS.replace("not_targeted = 'allow'", "not_targeted = 'block'");
    let alone = closed
        + "[[conditional]]\nname = 'held'\ntargets = ['staff', 'guests']\n\
                          action = 'quarantine'\n";
    assert_eq!(locked_out(&alone).len(), 1);
}

#[test]
fn a_block_of_unproven_devices_shuts_a_door_without_certificates() {
    let rule = |more: &str| {
        policy(&format!(
            "{BOTH}[[conditional]]\nname = 'out'\ntargets = ['all']\naction = 'block'\n{more}"
        ))
    };
    let told = |policy: &Policy, certificates| {
        let doors = Doors {
            web: true,
            certificates,
            versions: &[161],
        };
        let told = lint_doors(policy, &doors).into_iter();
        told.map(|problem| format!("{} {}", problem.key, problem.message))
            .collect::<Vec<_>>()
    };
    for (when, doors) in [
        ("'claimed', 'none'", "keeps everybody out at mail or web"),
        ("'claimed'", "keeps everybody out at mail;"),
        ("'none'", "keeps everybody out at web;"),
    ] {
        let policy = rule(&format!("when = {{ established = [{when}] }}"));
        let found = told(&policy, false);
        assert!(
            matches!(&*found, [only] if only.starts_with("conditional[1].when.established W-LOCKOUT")
                && only.contains(doors)),
            "row {when}: {found:?}"
        );
        assert_eq!(told(&policy, true), [""; 0], "row {when}");
    }
    for more in [
        "planes = ['network']\nwhen = { established = ['claimed', 'none'] }",
        "when = { established = ['claimed'], device_types = ['x'] }",
        "when = { established = ['proven'] }",
    ] {
        assert_eq!(told(&rule(more), false), [""; 0], "row {more}");
    }
    let accepted = rule("when = { established = ['claimed'] }\naccept_lockout_risk = true");
    assert_eq!(told(&accepted, false), [""; 0]);
    assert!(
        !found(&accepted)
            .iter()
            .any(|found| found.ends_with("W-IDLE"))
    );
}

#[test]
fn facts_that_do_not_last_until_they_are_read_again_are_told_of() {
    let stale = |fresh: &str, grace: &str, then: &str| {
        DEFAULTS.replace(
            "[stale.mail]\nfresh_for = '24h'\ngrace_for = '0s'\nthen = 'quarantine'",
            &format!("[stale.mail]\nfresh_for = '{fresh}'\ngrace_for = '{grace}'\nthen = '{then}'"),
        )
    };
    let minutes = |minutes| Some(Duration::from_mins(minutes));
    let mail = "planes = ['mail']\nrequire = ['managed']";
    for (row, (fresh, grace, then), rule, read_every, is_told) in [
        ("a second", ("1s", "0s", "block"), mail, None, true),
        ("held back", ("1s", "0s", "quarantine"), mail, None, true),
        ("a minute", ("60s", "0s", "block"), mail, None, false),
        ("with grace", ("1s", "59s", "block"), mail, None, false),
        ("let in", ("1s", "0s", "allow"), mail, None, false),
        (
            "read seldom",
            ("9m", "0s", "block"),
            mail,
            minutes(10),
            true,
        ),
        (
            "read as often",
            ("9m", "1m", "block"),
            mail,
            minutes(10),
            false,
        ),
        (
            "another door",
            ("1s", "0s", "block"),
            "planes = ['web']\nrequire = ['managed']",
            None,
            false,
        ),
        (
            "no facts",
            ("1s", "0s", "block"),
            "planes = ['mail']\nrequire = ['proven']",
            None,
            false,
        ),
    ] {
        let text = format!(
            "{}[[conditional]]\nname = 'a'\ntargets = ['staff']\n{rule}\notherwise = 'block'\n",
            stale(fresh, grace, then)
        );
        let (policy, _) = parse("policy.toml", &text).expect("well formed");
        let found = lint_freshness(&policy, read_every);
        let keys: Vec<&str> = found.iter().map(|problem| &*problem.key).collect();
        let told = is_told.then_some("stale.mail.fresh_for");
        assert_eq!(keys, Vec::from_iter(told), "row {row}");
        assert!(
            found.iter().all(|problem| problem.line.is_some()),
            "row {row}"
        );
    }
}

#[test]
fn proof_that_nobody_can_bring_is_told_of() {
    let rule = |require: &str, more: &str| {
        policy(&format!(
            "[[conditional]]\nname = 'a'\ntargets = ['staff']\notherwise = 'block'\n{require}\n\
             {more}"
        ))
    };
    let told = |policy: &Policy, web, certificates| {
        let doors = Doors {
            web,
            certificates,
            versions: &[161],
        };
        let told = lint_doors(policy, &doors);
        told.into_iter()
            .map(|problem| format!("{} {}", problem.key, problem.message))
            .collect::<Vec<_>>()
    };
    let all = "require = ['proven', 'managed']";
    let [only] = &*told(&rule(all, ""), false, false) else {
        panic!("one");
    };
    assert!(only.starts_with("conditional[0].require W-NEVER"), "{only}");
    assert!(only.ends_with("never holds at mail"), "{only}");
    let web = told(&rule("require_any = ['proven']", ""), true, false);
    assert!(
        web[0].starts_with("conditional[0].require_any") && web[0].ends_with("at mail or web"),
        "{web:?}"
    );
    for (row, policy, certificates) in [
        ("certificates", rule(all, ""), true),
        (
            "or another",
            rule("require_any = ['proven', 'managed']", ""),
            false,
        ),
        ("network", rule(all, "planes = ['network']"), false),
        ("wire", rule(all, "when = { media = ['wired'] }"), false),
        ("off", rule(all, "state = 'off'"), false),
    ] {
        let told = told(&policy, true, certificates);
        assert_eq!(told, [""; 0], "row {row}");
    }
}

#[test]
fn versions_of_which_none_is_left_are_told_of() {
    let rule = |versions: &str, more: &str| {
        format!(
            "[[conditional]]\nname = \"{versions}\"\nplanes = ['mail']\ntargets = ['all']\n\
             when = {{ protocol_versions = [{versions}] {more} }}\naction = 'block'\n"
        )
    };
    for (row, rules, versions, told) in [
        ("the only one", rule("'16.1'", ""), &[161][..], Some(0)),
        ("one of two", rule("'16.1'", ""), &[160, 161], None),
        (
            "both at once",
            rule("'16.0', '16.1'", ""),
            &[160, 161],
            Some(0),
        ),
        (
            "one by one",
            rule("'16.1'", "") + &rule("'16.0'", ""),
            &[160, 161],
            Some(1),
        ),
        (
            "on some devices",
            rule("'16.1'", ", device_types = ['x']"),
            &[161],
            None,
        ),
    ] {
        let policy = policy(&rules);
        let doors = Doors {
            web: false,
            certificates: false,
            versions,
        };
        let found = lint_doors(&policy, &doors).into_iter();
        let found: Vec<String> = found.map(|problem| problem.key).collect();
        let told =
            told.map(|number: usize| format!("conditional[{number}].when.protocol_versions"));
        assert_eq!(found, Vec::from_iter(told), "row {row}");
    }
}
