//! Ways in by what a mail client says of itself. `check` said nothing of any of them.

use super::*;

/// Where warnings of open doors stand, but for those about all devices.
fn open(defaults: &str, rest: &str) -> Vec<String> {
    let found = match parse("policy.toml", &format!("{defaults}\n{rest}")) {
        Ok((policy, _)) => found(&policy),
        Err(problems) => panic!("{problems:#?}"),
    };
    let open = found.iter().filter_map(|found| {
        let key = found.strip_suffix(" W-OPEN")?.strip_prefix("Warning ")?;
        (key != "defaults.not_targeted").then(|| key.to_owned())
    });
    open.collect()
}

fn rule(name: &str, more: &str) -> String {
    format!("[[conditional]]\nname = '{name}'\ntargets = ['staff']\nplanes = ['mail']\n{more}\n")
}

const HEALTHY: &str = "require = ['managed']\notherwise = 'block'";

#[test]
fn a_kind_of_device_that_is_let_in_at_its_word_is_told_of() {
    let platforms = || "[defaults.platforms]\nios = 'allow'\nandroid = 'quarantine'\n".to_owned();
    let cannot = |verdict: &str, what: &str| {
        format!("[defaults.cannot_enrol]\nverdict = '{verdict}'\n{what}\n")
    };
    let rooms = "mail_devices = ['Meeting*']";
    let healthy = rule("a", HEALTHY);
    let joined = rule("a", "require_any = ['entra_joined']\notherwise = 'block'");
    let nobody: &[&str] = &[];
    let proven = rule("a", "require = ['proven']\notherwise = 'block'");
    for (kinds, rules, expected) in [
        (platforms(), &healthy, &["defaults.platforms.ios"][..]),
        (platforms(), &joined, &["defaults.platforms.ios"]),
        // Nobody is asked for what it is an exception to.
        (platforms(), &proven, nobody),
        (
            cannot("allow", rooms),
            &healthy,
            &["defaults.cannot_enrol.verdict"],
        ),
        (
            cannot("allow", "platforms = ['chromeos']"),
            &healthy,
            &["defaults.cannot_enrol.verdict"],
        ),
        (cannot("quarantine", rooms), &healthy, nobody),
        (cannot("allow", rooms), &proven, nobody),
    ] {
        let open = open(DEFAULTS, &format!("{kinds}{rules}"));
        assert_eq!(open, expected, "row {kinds} {rules}");
    }
    // Every unknown device is let in, which is told.
    let defaults = DEFAULTS.replace("_device = 'quarantine'", "_device = 'allow'");
    let all = open(&defaults, &format!("{}{healthy}", platforms()));
    assert_eq!(
        all,
        ["defaults.unknown_device", "defaults.unmanaged_device"]
    );
}

#[test]
fn a_policy_that_a_client_leaves_by_its_word_is_told_of_where_the_default_allows() {
    let defaults = DEFAULTS.replace(
        "no_policy_applies = 'quarantine'",
        "no_policy_applies = 'allow'",
    );
    let app = "[[app]]\nname = 'outlook'\ndevice_types = ['Outlook']\n";
    let when = |condition: &str| format!("when = {{ {condition} }}\n{HEALTHY}");
    for (condition, key) in [
        ("apps = ['outlook']", "apps"),
        ("not_apps = ['outlook']", "not_apps"),
        ("device_types = ['iP*']", "device_types"),
        ("not_device_types = ['iP*']", "not_device_types"),
        ("models = ['x']", "models"),
        ("not_models = ['x']", "not_models"),
        ("user_agents = ['x']", "user_agents"),
        ("not_user_agents = ['x']", "not_user_agents"),
        ("platforms = ['ios']", "platforms"),
        ("not_platforms = ['ios']", "not_platforms"),
        ("protocol_versions = ['14.1']", "protocol_versions"),
    ] {
        let narrow = format!("{app}{}", rule("a", &when(condition)));
        assert_eq!(
            open(&defaults, &narrow),
            [format!("conditional[0].when.{key}")],
            "row {condition}"
        );
        assert!(open(DEFAULTS, &narrow).is_empty(), "row {condition}");
        // Whoever leaves it is judged by another one.
        for (more, is_closed) in [
            (HEALTHY.to_owned(), true),
            (when("established = ['claimed', 'proven']"), true),
            (when("established = ['proven']"), false),
            (when("commands = ['attachments']"), false),
            (format!("exempt = ['guests']\n{HEALTHY}"), false),
        ] {
            let both = format!("{narrow}{}", rule("b", &more));
            let open = open(&defaults, &both);
            assert_eq!(
                open.is_empty(),
                is_closed,
                "row {condition}, {more}: {open:?}"
            );
        }
    }
    for (condition, rest, others) in [
        ("apps = ['outlook']", "not_apps = ['outlook']", true),
        ("platforms = ['ios']", "not_platforms = ['ios']", true),
        (
            "platforms = ['ios']",
            "not_platforms = ['ios', 'android']",
            false,
        ),
        ("models = ['x']", "not_models = ['x']", true),
        ("models = ['x']", "not_models = ['y']", false),
        ("models = ['x']", "not_user_agents = ['x']", false),
        (
            "models = ['x'], not_models = ['y']",
            "models = ['y'], not_models = ['x']",
            false,
        ),
    ] {
        let both = [("a", condition), ("b", rest)].map(|(name, one)| rule(name, &when(one)));
        let open = open(&defaults, &format!("{app}{}", both.concat()));
        assert_eq!(open.is_empty(), others, "row {condition}, {rest}: {open:?}");
    }
    // It holds nobody back, or not at this door.
    for harmless in [
        rule("a", "when = { models = ['x'] }\naction = 'allow'"),
        rule("a", &when("models = ['x']")).replace("'mail'", "'network'"),
        rule(
            "a",
            &format!("state = 'report-only'\n{}", when("models = ['x']")),
        ),
        rule("a", &when("commands = ['SendMail'], models = ['x']")),
    ] {
        assert!(open(&defaults, &harmless).is_empty(), "row {harmless}");
    }
}
