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

/// What is said of a key; empty if nothing is.
fn said(rest: &str, key: &str) -> String {
    let problems = lint(&policy(rest)).into_iter();
    let of_key = problems.filter(|problem| problem.key == key);
    of_key.map(|problem| problem.message).collect()
}

fn platforms(verdicts: &str) -> String {
    format!("[defaults.platforms]\n{verdicts}\n")
}

fn cannot_enrol(verdict: &str, what: &str) -> String {
    format!("[defaults.cannot_enrol]\nverdict = '{verdict}'\n{what}\n")
}

#[test]
fn a_kind_of_device_that_is_let_in_at_its_word_is_told_of() {
    let ios = platforms("ios = 'allow'\nandroid = 'quarantine'");
    let unknown = platforms("unknown = 'allow'");
    let rooms = "mail_devices = ['Meeting*']";
    let healthy = rule("a", HEALTHY);
    let joined = rule("a", "require_any = ['entra_joined']\notherwise = 'block'");
    let nobody: &[&str] = &[];
    let proven = rule("a", "require = ['proven']\notherwise = 'block'");
    let commands = rule("a", &format!("when = {{ commands = ['Sync'] }}\n{HEALTHY}"));
    let verdict = &["defaults.cannot_enrol.verdict"][..];
    for (kinds, rules, expected) in [
        (ios.clone(), &healthy, &["defaults.platforms.ios"][..]),
        (ios.clone(), &joined, &["defaults.platforms.ios"]),
        // Nobody is asked for what it is an exception to, or for a command only.
        (ios.clone(), &proven, nobody),
        (ios.clone(), &commands, nobody),
        (unknown.clone(), &healthy, &["defaults.platforms.unknown"]),
        (unknown, &proven, nobody),
        // No mail client says so.
        (platforms("chromeos = 'allow'"), &healthy, nobody),
        (cannot_enrol("allow", rooms), &healthy, verdict),
        (
            cannot_enrol("allow", "platforms = ['android']"),
            &healthy,
            verdict,
        ),
        (
            cannot_enrol("allow", "platforms = ['chromeos']"),
            &healthy,
            nobody,
        ),
        (cannot_enrol("quarantine", rooms), &healthy, nobody),
        (cannot_enrol("allow", rooms), &proven, nobody),
    ] {
        let open = open(DEFAULTS, &format!("{kinds}{rules}"));
        assert_eq!(open, expected, "row {kinds} {rules}");
    }
    // Every unknown device is let in, which is told.
    let defaults = DEFAULTS.replace("_device = 'quarantine'", "_device = 'allow'");
    let all = open(&defaults, &format!("{ios}{healthy}"));
    assert_eq!(
        all,
        ["defaults.unknown_device", "defaults.unmanaged_device"]
    );
}

/// A site without mail was told of what a mail client says.
#[test]
fn whose_word_a_kind_of_device_is_let_in_at_depends_on_the_doors_where_facts_are_asked_for() {
    let at = |planes: &str, more: &str| {
        rule("a", &format!("{more}\n{HEALTHY}")).replace("['mail']", planes)
    };
    let (mail, network, both) = ("['mail']", "['network']", "['mail', 'network']");
    let when = |condition: &str| format!("when = {{ {condition} }}");
    for (platform, planes, more, whose) in [
        ("chromeos", network, String::new(), "its client of a VPN"),
        ("ios", network, String::new(), "its client of a VPN"),
        ("ios", mail, String::new(), "its mail client"),
        ("ios", both, String::new(), "its client of mail or of a VPN"),
        ("chromeos", both, String::new(), "its client of a VPN"),
        ("windows-phone", both, String::new(), "its mail client"),
        ("windows-phone", network, String::new(), ""),
        ("chromeos", mail, String::new(), ""),
        ("ios", "['web']", String::new(), ""),
        // No VPN, or one whose client's word counts for nothing.
        ("ios", network, when("media = ['wired', 'wireless']"), ""),
        (
            "ios",
            network,
            when("media = ['vpn']"),
            "its client of a VPN",
        ),
        ("ios", network, when("ssids = ['corp']"), ""),
        ("ios", network, when("platforms = ['ios']"), ""),
        (
            "ios",
            network,
            when("platforms = ['ios']") + "\naccept_claimed = true",
            "its client of a VPN",
        ),
    ] {
        let kind = platforms(&format!("{platform} = 'allow'"));
        let key = format!("defaults.platforms.{platform}");
        let message = said(&(kind + &at(planes, &more)), &key);
        let row = format!("row {platform} {planes} {more}: {message}");
        let of_it = format!("{whose} says that it is {platform:?},");
        assert_eq!(message.is_empty(), whose.is_empty(), "{row}");
        assert!(whose.is_empty() || message.contains(&of_it), "{row}");
    }
    let by_type = "mail_devices = ['Meeting*']\nplatforms = ['windows']";
    for (kinds, planes, by) in [
        (
            by_type,
            mail,
            "its mail client says of it (DeviceType; the platform where",
        ),
        (
            "mail_devices = ['Meeting*']",
            both,
            "its mail client says of it (DeviceType),",
        ),
        (
            "platforms = ['windows']",
            mail,
            "its mail client says of it (the platform where",
        ),
        (
            by_type,
            network,
            "its client of a VPN says of it (the platform where",
        ),
        (
            by_type,
            both,
            "its client of mail or of a VPN says of it (DeviceType; the",
        ),
        ("mail_devices = ['Meeting*']", network, ""),
    ] {
        let kinds = cannot_enrol("allow", kinds);
        let message = said(
            &(kinds.clone() + &at(planes, "")),
            "defaults.cannot_enrol.verdict",
        );
        assert!(message.contains(by), "row {kinds} {planes}: {message}");
        assert_eq!(message.is_empty(), by.is_empty(), "row {kinds} {planes}");
    }
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
        // Of what a client need not state, the pattern for all leaves out those that do not.
        ("models = ['*']", "models"),
        ("user_agents = ['*']", "user_agents"),
        ("not_models = ['x']", "not_models"),
        ("user_agents = ['x']", "user_agents"),
        ("not_user_agents = ['x']", "not_user_agents"),
        ("platforms = ['ios']", "platforms"),
        ("not_platforms = ['ios']", "not_platforms"),
        ("os_below = { ios = '16' }", "os_below"),
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
            (when("device_types = ['*']"), true),
            (when("models = ['*']"), false),
            (when("user_agents = ['*']"), false),
            (when("commands = ['attachments']"), false),
            (format!("exempt = ['guests']\n{HEALTHY}"), false),
        ] {
            let both = format!("{narrow}{}", rule("b", &more));
            let open = open(&defaults, &both);
            assert_eq!(
                !open.contains(&format!("conditional[0].when.{key}")),
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

/// The opposite closed the way though it weighs nothing for a device of which only the client says what it is.
#[test]
fn the_opposite_of_a_policy_closes_its_way_out_if_it_counts_at_the_clients_word() {
    let defaults = DEFAULTS.replace(
        "no_policy_applies = 'quarantine'",
        "no_policy_applies = 'allow'",
    );
    let (ios, others) = (
        "platforms = ['ios']",
        "when = { not_platforms = ['ios'] }\n",
    );
    for (more, is_closed) in [
        (format!("{others}action = 'allow'"), false),
        (
            format!("{others}action = 'allow'\naccept_claimed = true"),
            true,
        ),
        (format!("{others}action = 'quarantine'"), true),
        ("action = 'allow'".to_owned(), true),
    ] {
        let both = rule("a", &format!("when = {{ {ios} }}\n{HEALTHY}")) + &rule("b", &more);
        let open = open(&defaults, &both);
        assert_eq!(open.is_empty(), is_closed, "row {more}: {open:?}");
    }
}
