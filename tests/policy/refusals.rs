//! Files that are refused, and what the person is told: all problems at once, each with its line,
//! its key and what was expected.

use portreeve::model::Severity;
use portreeve::policy::Policy;
use portreeve::policy::parse;

use crate::support::DEFAULTS;
use crate::support::print;

/// A line of [`DEFAULTS`] that is replaced, or the empty text to put the rest behind the file, and
/// what is put there; then a key and a part of the message about it.
type Row = (&'static str, &'static str, &'static str, &'static str);

#[test]
fn each_mistake_is_told_with_its_key() {
    let conditional = |body: &str| format!("[[conditional]]\nname = \"a\"\n{body}");
    let compliance =
        |body: &str| format!("[[compliance]]\nname = \"a\"\ntargets = [\"all\"]\n{body}");
    let rows: [Row; 17] = [
        (
            "not_targeted = \"allow\"",
            "",
            "defaults.not_targeted",
            "missing; expected allow, quarantine or block",
        ),
        (
            "evaluating = \"quarantine\"",
            "",
            "defaults.evaluating",
            "missing",
        ),
        (
            "evaluating = \"quarantine\"",
            "evaluating = \"quarentine\"",
            "defaults.evaluating",
            "did you mean \"quarantine\"?",
        ),
        (
            "evaluating = \"quarantine\"",
            "evaluating = 3",
            "defaults.evaluating",
            "expected a text in quotes; found a value of kind integer",
        ),
        (
            "evaluating = \"quarantine\"",
            "evaluating = \"quarantine\"\nevaluting = \"block\"",
            "defaults.evaluting",
            "did you mean \"evaluating\"?",
        ),
        (
            "no_compliance_policy = \"compliant\"",
            "no_compliance_policy = \"yes\"",
            "defaults.no_compliance_policy",
            "expected compliant or noncompliant",
        ),
        (
            "no_compliance_policy = \"compliant\"",
            "",
            "defaults.no_compliance_policy",
            "missing",
        ),
        ("[stale.web]", "[stale.wep]", "stale.web", "missing"),
        (
            "[stale.web]",
            "[stale.wep]",
            "stale.wep",
            "did you mean \"web\"?",
        ),
        (
            "grace_for = \"1h\"",
            "grace_for = \"1 hour\"",
            "stale.network.grace_for",
            "expected a number with a unit",
        ),
        (
            "members = [\"rescue\", \"user:rescue@contoso.com\"]",
            "",
            "break_glass.members",
            "missing",
        ),
        (
            "members = [\"rescue\", \"user:rescue@contoso.com\"]",
            "members = [\"all\"]",
            "break_glass.members",
            "let everyone pass unjudged",
        ),
        (
            "staff = \"staff\"",
            "staff = \" \"",
            "groups.staff",
            "found an empty text",
        ),
        (
            "staff = \"staff\"",
            "all = \"x\"",
            "groups.all",
            "cannot have this name",
        ),
        (
            "[groups]",
            "colour = \"blue\"\n[groups]",
            "colour",
            "unknown key",
        ),
        (
            "",
            "[defaults.cannot_enrol]\nplatforms = [\"unknown\"]\nverdict = \"block\"",
            "defaults.cannot_enrol.platforms",
            "cannot stand here",
        ),
        (
            "",
            "[defaults.cannot_enrol]\nplatforms = [\"ios\"]\nverdict = \"block\"\n[defaults.platforms]\nios = \"allow\"",
            "defaults.platforms.ios",
            "[defaults.cannot_enrol] already",
        ),
    ];
    for (line, by, key, message) in rows {
        let text = if line.is_empty() {
            format!("{DEFAULTS}\n{by}")
        } else {
            assert!(DEFAULTS.contains(line), "row {line}");
            DEFAULTS.replacen(line, by, 1)
        };
        expect(&text, key, message);
    }
    for (rules, key, message) in [
        (
            "[[conditional]]\ntargets = [\"staff\"]\naction = \"block\"".into(),
            "conditional[0].name",
            "missing",
        ),
        (
            conditional("action = \"block\""),
            "conditional[0].targets",
            "missing",
        ),
        (
            conditional("targets = []\naction = \"block\""),
            "conditional[0].targets",
            "names nobody",
        ),
        (
            conditional("targets = \"staff\"\naction = \"block\""),
            "conditional[0].targets",
            "expected a list in brackets",
        ),
        (
            conditional("targets = [\"staf\"]\naction = \"block\""),
            "conditional[0].targets[0]",
            "did you mean \"staff\"?",
        ),
        (
            conditional("targets = [\"user:\"]\naction = \"block\""),
            "conditional[0].targets[0]",
            "1 to 253 octets",
        ),
        (
            conditional("targets = [\"all\"]\nexempt = [\"all\"]\naction = \"block\""),
            "conditional[0].exempt",
            "let everyone pass",
        ),
        (
            conditional("targets = [\"all\"]"),
            "conditional[0].require",
            "missing",
        ),
        (
            conditional("targets = [\"all\"]\nrequire = []\notherwise = \"block\""),
            "conditional[0].require",
            "an empty list",
        ),
        (
            conditional("targets = [\"all\"]\nrequire = [\"managed\"]"),
            "conditional[0].otherwise",
            "missing",
        ),
        (
            conditional("targets = [\"all\"]\nrequire = [\"managed\"]\notherwise = \"allow\""),
            "conditional[0].otherwise",
            "expected quarantine or block",
        ),
        (
            conditional("targets = [\"all\"]\nrequire = [\"manged\"]\notherwise = \"block\""),
            "conditional[0].require[0]",
            "did you mean \"managed\"?",
        ),
        (
            conditional(
                "targets = [\"all\"]\nrequire = [\"managed\"]\nrequire_any = [\"managed\", \"proven\"]\notherwise = \"block\"",
            ),
            "conditional[0].require_any",
            "asks nothing",
        ),
        (
            conditional(
                "targets = [\"all\"]\nrequire = [\"managed\"]\notherwise = \"block\"\naction = \"block\"",
            ),
            "conditional[0].require",
            "not both",
        ),
        (
            conditional(
                "targets = [\"all\"]\nrequire = [\"managed\"]\notherwise = \"block\"\naction = \"block\"",
            ),
            "conditional[0].otherwise",
            "not both",
        ),
        (
            conditional(
                "targets = [\"all\"]\nrequire = [\"managed\"]\notherwise = \"block\"\notherwise_for = { stal = \"block\" }",
            ),
            "conditional[0].otherwise_for.stal",
            "did you mean \"stale\"?",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\nstate = \"report\""),
            "conditional[0].state",
            "expected on, off or report-only",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\nplanes = [\"wifi\"]"),
            "conditional[0].planes[0]",
            "expected network, mail or web",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\naccept_lockout_risk = \"yes\""),
            "conditional[0].accept_lockout_risk",
            "true or false",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\nwhen = { platforms = [] }"),
            "conditional[0].when.platforms",
            "an empty list",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\nwhen = { ssids = [] }"),
            "conditional[0].when.ssids",
            "an empty list",
        ),
        (
            conditional(
                "targets = [\"all\"]\naction = \"block\"\nwhen = { platforms = [\"ios\"], not_platforms = [\"ios\"] }",
            ),
            "conditional[0].when.not_platforms",
            "leaves no platform",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\nwhen = { apps = [\"outlook\"] }"),
            "conditional[0].when.apps[0]",
            "no [[app]] has the name",
        ),
        (
            conditional("targets = [\"all\"]\naction = \"block\"\nwhen = { time = \"day\" }"),
            "conditional[0].when.time",
            "unknown key",
        ),
        (
            format!(
                "{}\n{}",
                conditional("targets = [\"all\"]\naction = \"block\""),
                conditional("targets = [\"all\"]\naction = \"block\"")
            ),
            "conditional[1].name",
            "the same name stands in line",
        ),
        (compliance(""), "compliance[0].require", "missing"),
        (compliance("require = {}"), "compliance[0].require", "empty"),
        (
            compliance("require = { encrypted = false }"),
            "compliance[0].require.encrypted",
            "false requires nothing",
        ),
        (
            compliance("require = { max_threat = \"none\" }"),
            "compliance[0].require.max_threat",
            "expected secured, low, medium or high",
        ),
        (
            compliance("require = { min_os = { ios = \"new\" } }"),
            "compliance[0].require.min_os.ios",
            "expected a version",
        ),
        (
            compliance("require = { min_os = { unknown = \"1\" } }"),
            "compliance[0].require.min_os.unknown",
            "unknown key",
        ),
        (
            compliance("require = { min_os = {} }"),
            "compliance[0].require.min_os",
            "names no version",
        ),
        (
            compliance("require = { join = [\"unknown\"] }"),
            "compliance[0].require.join[0]",
            "expected none, registered",
        ),
        (
            compliance("require = { passcode = true }\nunknown = { passcode = \"pass\" }"),
            "compliance[0].unknown.passcode",
            "did you mean \"passes\"?",
        ),
        (
            "[[app]]\nname = \"x\"".into(),
            "app[0].device_types",
            "missing",
        ),
        (
            "[[app]]\nname = \"x\"\ndevice_types = [\"\"]".into(),
            "app[0].device_types[0]",
            "expected a pattern",
        ),
        (
            "[compliance]\nname = \"x\"".into(),
            "compliance",
            "expected a list",
        ),
    ] {
        expect(&format!("{DEFAULTS}\n{rules}"), key, message);
    }
}

#[test]
fn a_conditional_policy_holds_no_health_settings_r6() {
    for setting in [
        "encrypted = true",
        "not_jailbroken = true",
        "passcode = true",
        "min_os = { ios = \"17\" }",
        "max_threat = \"low\"",
        "join = [\"hybrid\"]",
        "when = { encrypted = [\"yes\"] }",
    ] {
        let text = format!(
            "{DEFAULTS}\n[[conditional]]\nname = \"a\"\ntargets = [\"staff\"]\naction = \"block\"\n{setting}"
        );
        let problems = refused(&text);
        assert!(
            problems.contains("a health setting cannot stand"),
            "row {setting}: {problems}"
        );
    }
    for key in [
        "planes = [\"mail\"]",
        "action = \"block\"",
        "otherwise = \"block\"",
        "state = \"on\"",
    ] {
        let text = format!(
            "{DEFAULTS}\n[[compliance]]\nname = \"a\"\ntargets = [\"staff\"]\n\
             require = {{ passcode = true }}\n{key}"
        );
        let problems = refused(&text);
        assert!(
            problems.contains("belongs to a [[conditional]]"),
            "row {key}: {problems}"
        );
    }
}

#[test]
fn all_problems_come_at_once_in_the_order_of_lines() {
    let text = format!(
        "{}\n[[conditional]]\nname = \"a\"\ntargets = [\"nobody-knows\"]\nrequire = [\"magic\"]\n",
        DEFAULTS
            .replace("not_targeted = \"allow\"", "not_targeted = \"perhaps\"")
            .replace("fresh_for = \"1h\"", "fresh_for = \"soon\"")
    );
    let problems = parse("conf/policy.toml", &text).unwrap_err();
    let keys: Vec<&str> = problems
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "groups.staff",
            "groups.guests",
            "groups.printers",
            "defaults.not_targeted",
            "stale.network.fresh_for",
            "stale.mail.fresh_for",
            "stale.web.fresh_for",
            "conditional[0].otherwise",
            "conditional[0].targets[0]",
            "conditional[0].require[0]",
        ]
    );
    for problem in &problems {
        let line = problem.line.unwrap();
        let stands = text.lines().nth(line - 1).unwrap();
        let last = problem.key.rsplit(['.', '[']).next().unwrap();
        let named =
            problem.key.ends_with("otherwise") || stands.contains(last.trim_end_matches(']'));
        assert!(named || problem.key.ends_with("[0]"), "{problem}: {stands}");
        assert_eq!(problem.file, "conf/policy.toml");
    }
}

#[test]
fn broken_toml_is_told_with_its_line() {
    for (text, line) in [
        ("[defaults\nnot_targeted = 1", 1),
        ("[defaults]\nnot_targeted = \"allow", 2),
        ("[groups]\na = \"a\"\na = \"b\"", 3),
    ] {
        let problems = parse("policy.toml", text).unwrap_err();
        assert!(!problems.is_empty(), "row {text}");
        assert_eq!(
            problems[0].line,
            Some(line),
            "row {text}: {}",
            print(&problems)
        );
        assert_eq!(problems[0].severity, Severity::Error);
    }
}

#[test]
fn an_empty_file_is_refused_with_what_it_lacks() {
    let problems = refused("");
    assert!(problems.contains("defaults: missing"), "{problems}");
    assert!(problems.contains("stale: missing"), "{problems}");
}

#[test]
fn the_bounds_are_kept() {
    let many =
        |count: usize, of: &dyn Fn(usize) -> String| -> String { (0..count).map(of).collect() };
    let policy = |n: usize| {
        format!("[[conditional]]\nname = \"a{n}\"\ntargets = [\"staff\"]\naction = \"block\"\n")
    };
    let rules = many(Policy::MAX_POLICIES, &policy);
    assert!(parse("p", &format!("{DEFAULTS}\n{rules}")).is_ok());
    let rules = many(Policy::MAX_POLICIES + 1, &policy);
    assert!(refused(&format!("{DEFAULTS}\n{rules}")).contains("at most 200"));
    let health =
        "[[compliance]]\nname = \"h\"\ntargets = [\"staff\"]\nrequire = { passcode = true }\n";
    let rules = format!("{health}{}", many(Policy::MAX_POLICIES, &policy));
    assert!(refused(&format!("{DEFAULTS}\n{rules}")).contains("more than 200 policies"));

    let groups = |count| {
        DEFAULTS.replace(
            "[groups]\n",
            &format!(
                "[groups]\n{}",
                many(count, &|n| format!("g{n} = \"g{n}\"\n"))
            ),
        )
    };
    assert!(parse("p", &groups(508)).is_ok());
    assert!(refused(&groups(509)).contains("513 groups, at most 512"));

    let users = |count| {
        let users: Vec<String> = (0..count).map(|n| format!("user:u{n}")).collect();
        format!(
            "{DEFAULTS}\n[[conditional]]\nname = \"a\"\ntargets = {users:?}\naction = \"block\""
        )
    };
    assert!(parse("p", &users(64)).is_ok());
    assert!(refused(&users(65)).contains("more than 64 users"));

    let apps = |count| {
        format!(
            "{DEFAULTS}\n{}",
            many(count, &|n| format!(
                "[[app]]\nname = \"a{n}\"\ndevice_types = [\"a\"]\n"
            ))
        )
    };
    assert!(parse("p", &apps(64)).is_ok());
    assert!(refused(&apps(65)).contains("at most 64"));

    assert!(refused(&format!("{DEFAULTS}{}", "#".repeat(1 << 20))).contains("octets, at most"));
}

#[test]
fn a_thousand_problems_are_listed_and_the_rest_counted() {
    let wrong: Vec<String> = (0..300).map(|number| format!("staf{number}")).collect();
    let rules: String = (0..10)
        .map(|number| {
            format!(
                "[[conditional]]\nname = \"a{number}\"\ntargets = {wrong:?}\naction = \"block\"\n"
            )
        })
        .collect();
    let problems = parse("policy.toml", &format!("{DEFAULTS}\n{rules}")).unwrap_err();
    assert_eq!(problems.len(), 1001);
    assert!(
        problems
            .iter()
            .any(|problem| problem.message == "2003 further problems are not listed"),
        "3000 wrong names and three idle groups"
    );
}

#[test]
fn what_is_idle_is_a_warning() {
    let text = format!(
        "{DEFAULTS}\n[[compliance]]\nname = \"h\"\ntargets = [\"staff\", \"staff\"]\n\
         require = {{ passcode = true }}\nunknown = {{ encrypted = \"passes\" }}\n\
         [[conditional]]\nname = \"a\"\ntargets = [\"all\", \"guests\"]\nplanes = [\"web\", \"web\"]\n\
         action = \"block\"\n"
    );
    let (_, warnings) = parse("policy.toml", &text).unwrap();
    let found: Vec<(&str, &str)> = warnings
        .iter()
        .map(|problem| {
            assert_eq!(problem.severity, Severity::Warning);
            (problem.key.as_str(), problem.message.as_str())
        })
        .collect();
    assert_eq!(
        found,
        [
            ("groups.printers", "no policy names this group"),
            ("compliance[0].targets[1]", "stands in the list twice"),
            (
                "compliance[0].unknown.encrypted",
                "idle: the policy does not require this"
            ),
            (
                "conditional[0].targets",
                "\"all\" makes the other entries of this list idle"
            ),
            ("conditional[0].planes[1]", "stands in the list twice"),
        ]
    );
}

fn expect(text: &str, key: &str, message: &str) {
    let problems = parse("policy.toml", text).err().unwrap_or_default();
    assert!(
        problems.iter().any(|problem| {
            problem.severity == Severity::Error
                && problem.key == key
                && problem.message.contains(message)
        }),
        "row {key} {message}: {}",
        print(&problems)
    );
}

fn refused(text: &str) -> String {
    print(&parse("policy.toml", text).unwrap_err())
}
