//! What holds for any rules and any facts.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::sample::subsequence;

use portreeve::model::Decision;
use portreeve::model::PolicyId;
use portreeve::model::Reason;
use portreeve::model::Verdict;
use portreeve::policy::Check;
use portreeve::policy::Finding;
use portreeve::policy::Requirement;
use portreeve::policy::Trace;
use portreeve::policy::evaluate;
use portreeve::policy::lint;
use portreeve::policy::parse;

use crate::support::Connection;
use crate::support::DEFAULTS;
use crate::support::Device;
use crate::support::Mail;
use crate::support::Nas;
use crate::support::User;
use crate::support::read;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn exempt_always_wins_r8(
        defaults in defaults(), mut rules in rules(), connection in connection(),
        group in select(GROUPS),
    ) {
        for rule in &mut rules {
            rule.exempt.push(group.to_owned());
        }
        let policy = read(&file(&defaults, &rules));
        let mut connection = connection;
        connection.user.get_or_insert_default().groups.push(group.to_owned());
        connection.no_user = false;
        let decision = connection.decide(&policy);
        prop_assert!(decision.deciding.iter().all(Option::is_none));
        prop_assert!(
            matches!(
                decision.reason,
                Reason::Exempt | Reason::NotTargeted | Reason::UserUnknown | Reason::DeviceRetired
            ),
            "{:?}", decision
        );
    }

    #[test]
    fn a_report_only_policy_changes_nothing_r67(
        defaults in defaults(), rules in rules(), trial in rule(), connection in connection(),
    ) {
        let before = connection.decide(&read(&file(&defaults, &rules)));
        let mut trial = trial;
        trial.state = "report-only";
        let mut more = rules;
        more.push(trial);
        let after = connection.decide(&read(&file(&defaults, &more)));
        // What it would have said is told beside the decision.
        let after = Decision { rehearsed: before.rehearsed, ..after };
        prop_assert_eq!(before, after);
    }

    #[test]
    fn what_is_not_configured_holds_r81(
        defaults in defaults(), rules in rules(), connection in connection(),
    ) {
        let bare: Vec<Rule> = rules
            .iter()
            .map(|rule| Rule { when: String::new(), planes: Vec::new(), ..rule.clone() })
            .collect();
        let everything = bare
            .iter()
            .map(|rule| Rule {
                when: EVERY_CONDITION.to_owned(),
                planes: vec!["network", "mail", "web"],
                ..rule.clone()
            })
            .collect::<Vec<_>>();
        let absent = connection.decide(&read(&file(&defaults, &bare)));
        let all = connection.decide(&read(&file(&defaults, &everything)));
        prop_assert_eq!(absent.verdict, all.verdict);
        prop_assert_eq!(absent.deciding, all.deciding);
        prop_assert_eq!(absent.revisit, all.revisit);
    }

    #[test]
    fn the_trace_has_no_influence(
        defaults in defaults(), rules in rules(), first in connection(), second in connection(),
    ) {
        let policy = read(&file(&defaults, &rules));
        let mut used = Trace::new();
        let decision = second.with_facts(|facts| {
            first.with_facts(|facts| { evaluate(&policy, facts, &mut used); });
            evaluate(&policy, facts, &mut used)
        });
        let mut fresh = Trace::new();
        let again = second.with_facts(|facts| evaluate(&policy, facts, &mut fresh));
        prop_assert_eq!(decision, again);
        prop_assert!(used.findings().eq(fresh.findings()));
    }

    /// What policies have in common is worked out once; it must not show.
    #[test]
    fn a_policy_finds_what_it_would_find_alone(
        defaults in defaults(), rules in rules(), more in vec(rule(), 0..8),
        order in vec(0_usize..14, 0..24), connection in connection(),
    ) {
        let (health, some): (Vec<Rule>, Vec<Rule>) =
            rules.into_iter().chain(more).partition(|rule| rule.compliance);
        // Some of them several times, mixed with others.
        let many: Vec<Rule> = order.iter().filter_map(|place| some.get(*place).cloned()).collect();
        let all: Vec<Rule> = health.iter().chain(&some).chain(&many).cloned().collect();
        let found = |rules: &[Rule], place: usize| -> Vec<(Check, Finding)> {
            let mut trace = Trace::new();
            let policy = read(&file(&defaults, rules));
            connection.with_facts(|facts| { evaluate(&policy, facts, &mut trace); });
            let id = PolicyId(u16::try_from(place).unwrap());
            trace.of(id).map(|found| (found.check, found.finding)).collect()
        };
        for (place, rule) in all.iter().enumerate().skip(health.len()) {
            let mut alone = health.clone();
            alone.push(rule.clone());
            prop_assert_eq!(found(&all, place), found(&alone, health.len()), "place {}", place);
        }
    }

    #[test]
    fn an_explanation_tells_the_decision_that_is_made_r84(
        defaults in defaults(), rules in rules(), connection in connection(),
    ) {
        let policy = read(&file(&defaults, &rules));
        let decision = connection.decide(&policy);
        let explanation = connection.explain(&policy);
        prop_assert_eq!(explanation.decision, decision);
        prop_assert_eq!(explanation.verdict, decision.verdict.to_string());
        prop_assert_eq!(explanation.code, decision.reason.code());
        prop_assert_eq!(explanation.policies.len(), policy.len());
        // The strictest of what the policies are said to give is the verdict, unless a default or
        // something before the policies was.
        let strictest = explanation
            .policies
            .iter()
            .filter(|policy| matches!(policy.result, "success" | "failure"))
            .filter_map(|policy| policy.verdict)
            .map(strictness)
            .max();
        if decision.deciding[0].is_some() {
            prop_assert_eq!(strictest, Some(strictness(explanation.verdict)));
            prop_assert!(explanation.answered_by.is_none());
        }
        for text in [explanation.to_string(), serde_json::to_string(&explanation).unwrap()] {
            prop_assert!(text.contains(explanation.reason));
        }
        for check in explanation.policies.iter().flat_map(|policy| &policy.checks) {
            prop_assert!(!check.seen.is_empty() && !check.wanted.is_empty(), "{:?}", check);
        }
    }

    #[test]
    fn another_policy_never_makes_it_more_lenient(
        defaults in defaults(), rules in rules(), more in rule(), connection in connection(),
    ) {
        let before = connection.decide(&read(&file(&defaults, &rules)));
        let mut longer = rules;
        longer.push(more);
        let after = connection.decide(&read(&file(&defaults, &longer)));
        if before.deciding[0].is_some() {
            prop_assert!(after.verdict >= before.verdict, "{:?} {:?}", before, after);
        }
    }

    #[test]
    fn age_never_helps_r49(
        defaults in defaults(), rules in rules(), connection in connection(),
        ages in (0_i64..20_000, 0_i64..20_000),
    ) {
        let policy = read(&file(&defaults, &rules));
        let at = |age| connection.clone().with(|device| device.age = age).decide(&policy);
        let younger = at(ages.0.min(ages.1));
        let older = at(ages.0.max(ages.1));
        prop_assert!(older.verdict >= younger.verdict, "{:?} {:?}", younger, older);
    }

    #[test]
    fn nothing_changes_before_the_moment_that_is_told(
        defaults in defaults(), rules in rules(), connection in connection(), part in 0_i64..=100,
    ) {
        let policy = read(&file(&defaults, &rules));
        let now = crate::support::now();
        let before = connection.decide(&policy);
        let horizon = before.revisit.map_or(40_000, |revisit| revisit.since(now).as_millis());
        let later = i64::try_from(horizon).unwrap().saturating_sub(1) * part / 100;
        let moved = connection.with_facts(|facts| {
            let mut facts = *facts;
            facts.now = portreeve::model::Timestamp::from_unix_millis(now.unix_millis() + later);
            evaluate(&policy, &facts, &mut Trace::new())
        });
        prop_assert_eq!(before.verdict, moved.verdict);
        // Where old facts are let through, growing old changes the reason and not the answer, and
        // nobody has to ask again for that.
        let let_through = moved.verdict == Verdict::Allow && moved.reason == Reason::FactsStale;
        prop_assert!(let_through || before.reason == moved.reason, "{:?} {:?}", before, moved);
    }

    #[test]
    fn requirements_that_hold_give_allow(
        defaults in defaults(), rules in rules(), connection in connection(),
    ) {
        let policy = read(&file(&defaults, &rules));
        connection.with_facts(|facts| {
            let mut trace = Trace::new();
            evaluate(&policy, facts, &mut trace);
            for outcome in trace.findings().filter(|found| found.check == Check::Outcome) {
                let own = || trace.findings().filter(|found| found.policy == outcome.policy);
                let mut required = own()
                    .filter(|found| matches!(found.check, Check::Requirement(_)))
                    .peekable();
                if required.peek().is_some() && required.all(|found| found.finding == Finding::Held) {
                    // What a client says of itself lets no device in of which nothing is known.
                    let by_claim = connection.found != "known" && own().any(|found| {
                        found.check == Check::Requirement(Requirement::ApprovedApp)
                    });
                    let expected = if by_claim { Finding::NotApplied } else { Finding::Allow };
                    assert_eq!(outcome.finding, expected);
                }
            }
        });
    }

    #[test]
    fn any_rules_can_be_looked_over(defaults in defaults(), rules in rules()) {
        let policy = read(&file(&defaults, &rules));
        for problem in lint(&policy) {
            prop_assert!(problem.message.contains('-'), "{}", problem);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(
        defaults in defaults(), rules in rules(), at in any::<prop::sample::Index>(),
        put in "[ -~\n]{0,4}", cut in 0_usize..8,
    ) {
        let mut text = file(&defaults, &rules);
        let start = at.index(text.len());
        let end = (start + cut).min(text.len());
        if text.is_char_boundary(start) && text.is_char_boundary(end) {
            text.replace_range(start..end, &put);
        }
        if let Err(problems) = parse("policy.toml", &text) {
            let lines = text.lines().count() + 1;
            prop_assert!(!problems.is_empty());
            for problem in problems {
                prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{}", problem);
            }
        }
    }
}

/// A conditional policy, as text.
#[derive(Clone, Debug)]
struct Rule {
    compliance: bool,
    state: &'static str,
    planes: Vec<&'static str>,
    targets: Vec<String>,
    exempt: Vec<String>,
    when: String,
    then: String,
}

fn file(defaults: &str, rules: &[Rule]) -> String {
    let mut text = format!("{defaults}\n{APPS}");
    for (position, rule) in rules.iter().enumerate() {
        let kind = if rule.compliance {
            "compliance"
        } else {
            "conditional"
        };
        text.push_str(&format!(
            "[[{kind}]]\nname = \"rule {position}\"\ntargets = {:?}\nexempt = {:?}\n{}\n",
            rule.targets, rule.exempt, rule.then
        ));
        if !rule.compliance {
            text.push_str(&format!("state = {:?}\n", rule.state));
            if !rule.planes.is_empty() {
                text.push_str(&format!("planes = {:?}\n", rule.planes));
            }
            if !rule.when.is_empty() {
                text.push_str(&format!("when = {{ {} }}\n", rule.when));
            }
        }
    }
    text
}

fn defaults() -> impl Strategy<Value = String> {
    let keys = [
        "not_targeted",
        "no_policy_applies",
        "no_credential",
        "unknown_user",
        "unknown_device",
        "ambiguous_device",
        "device_of_another_user",
        "unmanaged_device",
        "evaluating",
    ];
    (
        vec(select(VERDICTS), keys.len()),
        any::<bool>(),
        vec(select(VERDICTS), 3),
    )
        .prop_map(move |(verdicts, lenient, stale)| {
            let mut text = DEFAULTS.to_owned();
            for (key, verdict) in keys.iter().zip(verdicts) {
                let line = text
                    .lines()
                    .find(|line| line.starts_with(key))
                    .unwrap()
                    .to_owned();
                text = text.replace(&line, &format!("{key} = \"{verdict}\""));
            }
            if !lenient {
                let line = "no_compliance_policy = \"compliant\"";
                text = text.replace(line, "no_compliance_policy = \"noncompliant\"");
            }
            let mut stale = stale.into_iter();
            text.lines()
                .map(|line| {
                    if line.starts_with("then") {
                        format!("then = \"{}\"\n", stale.next().unwrap())
                    } else {
                        format!("{line}\n")
                    }
                })
                .collect()
        })
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    (vec(health(), 0..3), vec(rule(), 0..6)).prop_map(|(mut health, rules)| {
        health.extend(rules);
        health
    })
}

fn health() -> impl Strategy<Value = Rule> {
    let settings = vec![
        "encrypted = true",
        "not_jailbroken = true",
        "passcode = true",
        "max_threat = \"low\"",
        "min_os = { ios = \"17\", android = \"12\" }",
        "join = [\"hybrid\", \"entra\", \"registered\"]",
        "source_verdict = true",
    ];
    let platforms = prop::option::of(subsequence(PLATFORMS, 1..=PLATFORMS.len()));
    (targets(), exempt(), subsequence(settings, 1..4), platforms).prop_map(
        |(targets, exempt, settings, platforms)| {
            let platforms =
                platforms.map_or_else(String::new, |some| format!("platforms = {some:?}\n"));
            Rule {
                compliance: true,
                state: "on",
                planes: Vec::new(),
                targets,
                exempt,
                when: String::new(),
                then: format!("{platforms}require = {{ {} }}", settings.join(", ")),
            }
        },
    )
}

fn rule() -> impl Strategy<Value = Rule> {
    let state = prop_oneof![6 => Just("on"), 1 => Just("report-only"), 1 => Just("off")];
    let planes = subsequence(vec!["network", "mail", "web"], 0..=3);
    let when = subsequence(
        vec![
            "platforms = [\"ios\", \"android\", \"unknown\"]",
            "not_platforms = [\"linux\"]",
            "nas_groups = [\"campus\"]",
            "ssids = [\"corp\", \"lab\"]",
            "media = [\"wireless\"]",
            "apps = [\"outlook\"]",
            "not_apps = [\"gmail\"]",
            "established = [\"proven\", \"claimed\"]",
            "credentials = [\"certificate\"]",
            "ownership = [\"company\"]",
            "not_models = [\"SM-*\"]",
            "protocol_versions = [\"14.1\", \"16.1\"]",
            "os_below = { ios = \"18\" }",
            "devices_over = 2",
        ],
        0..3,
    )
    .prop_map(|some| some.join(", "));
    (state, planes, targets(), exempt(), when, then()).prop_map(
        |(state, planes, targets, exempt, when, then)| Rule {
            compliance: false,
            state,
            planes,
            targets,
            exempt,
            when,
            then,
        },
    )
}

fn then() -> impl Strategy<Value = String> {
    let action = select(VERDICTS).prop_map(|verdict| format!("action = \"{verdict}\""));
    let otherwise = select(&["quarantine", "block"][..]);
    let exceptions = subsequence(
        vec![
            "unmanaged_device = \"block\"",
            "evaluating = \"allow\"",
            "stale = \"block\"",
            "not_compliant = \"quarantine\"",
            "not_proven = \"block\"",
        ],
        0..3,
    );
    let requirements = subsequence(REQUIREMENTS, 1..=4);
    let require = (requirements, 0_usize..4, otherwise, exceptions).prop_map(
        |(requirements, split, otherwise, exceptions)| {
            let (all, any) = requirements.split_at(split.min(requirements.len()));
            let mut text = String::new();
            if !all.is_empty() {
                text.push_str(&format!("require = {all:?}\n"));
            }
            if !any.is_empty() {
                text.push_str(&format!("require_any = {any:?}\n"));
            }
            format!(
                "{text}otherwise = \"{otherwise}\"\notherwise_for = {{ {} }}",
                exceptions.join(", ")
            )
        },
    );
    prop_oneof![1 => action, 3 => require]
}

fn targets() -> impl Strategy<Value = Vec<String>> {
    let mut names = GROUPS.to_vec();
    names.extend(["all", "user:alice@contoso.com"]);
    subsequence(names, 1..3).prop_map(owned)
}

fn exempt() -> impl Strategy<Value = Vec<String>> {
    let mut names = GROUPS.to_vec();
    names.push("user:bob@contoso.com");
    prop_oneof![3 => Just(Vec::new()), 1 => subsequence(names, 1..3).prop_map(owned)]
}

fn connection() -> impl Strategy<Value = Connection> {
    let nas = (
        select(&["campus", "lab"][..]),
        select(&["wired", "wireless"][..]),
        any::<bool>(),
    )
        .prop_map(|(group, medium, named)| Nas {
            claims: None,
            group: group.into(),
            medium: medium.into(),
            ssid: named.then(|| "corp".into()),
        });
    let mail = select(
        &[
            ("iPhone", "Apple-iPhone9C1/1602.92"),
            ("Outlook", "Outlook-iOS-Android/1.0"),
            ("Android", "Gmail/2024"),
            ("TestClient", ""),
        ][..],
    )
    .prop_map(|(device_type, user_agent)| Mail {
        device_type: device_type.into(),
        user_agent: user_agent.into(),
        version: 141,
        command: "Sync".into(),
        model: "SM-G960F".into(),
        os: "14.1".into(),
        rank: 3,
        ..Mail::default()
    });
    (
        select(&["network", "mail", "web"][..]),
        select(&["none", "password", "certificate"][..]),
        select(&["none", "claimed", "proven"][..]),
        (user(), prop::bool::weighted(0.1)),
        prop_oneof![8 => Just("known"), 1 => Just("unknown"), 1 => Just("ambiguous"), 1 => Just("of-another-user")],
        device(),
        nas,
        mail,
    )
        .prop_map(
            |(plane, credential, established, (user, no_user), found, device, nas, mail)| Connection {
                plane: plane.into(),
                credential: credential.into(),
                established: established.into(),
                user: Some(user),
                no_user,
                found: found.into(),
                device,
                nas: (plane == "network").then_some(nas),
                mail: (plane == "mail").then_some(mail),
            },
        )
}

fn user() -> impl Strategy<Value = User> {
    let name = select(&["alice@contoso.com", "Bob@Contoso.com", "carol@contoso.com"][..]);
    let groups = subsequence(GROUPS, 0..=3).prop_map(owned);
    (
        name,
        prop_oneof![6 => Just(1), 1 => Just(2), 1 => Just(0)],
        groups,
    )
        .prop_map(|(name, reference, groups)| User {
            name: name.into(),
            reference,
            groups,
            ..User::default()
        })
}

fn device() -> impl Strategy<Value = Device> {
    let tri = || {
        prop_oneof![6 => Just("yes"), 1 => Just("no"), 1 => Just("unknown")].prop_map(String::from)
    };
    let compliance = prop_oneof![
        6 => Just("compliant"),
        1 => Just("noncompliant"),
        1 => Just("unknown"),
        1 => Just("inGracePeriod"),
        1 => Just("none"),
    ];
    let threat = select(
        &[
            "secured",
            "lowSeverity",
            "compromised",
            "unknown",
            "unresponsive",
        ][..],
    );
    let retirement = prop_oneof![15 => Just("none"), 1 => Just("retired")];
    (
        (tri(), tri(), tri(), tri(), tri(), tri()),
        (compliance, threat, retirement),
        select(PLATFORMS),
        select(&["", "16.1", "17.1"][..]),
        select(&["unknown", "none", "registered", "entra", "hybrid", "ad"][..]),
        prop::option::of(-100_i64..10_000),
        subsequence(GROUPS, 0..2).prop_map(owned),
        prop_oneof![3 => Just(240_i64), 1 => 0_i64..10_000],
    )
        .prop_map(
            |(
                facts,
                (compliance, threat, retirement),
                platform,
                os,
                join,
                grace_for,
                groups,
                age,
            )| Device {
                owner: 1,
                managed: facts.0,
                registered: facts.1,
                eas_activated: facts.2,
                encrypted: facts.3,
                jailbroken: facts.4,
                passcode: facts.5,
                compliance: compliance.into(),
                threat: threat.into(),
                platform: platform.into(),
                os: os.into(),
                join: join.into(),
                ownership: "company".into(),
                retirement: retirement.into(),
                grace_for,
                groups,
                age,
            },
        )
}

fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_owned).collect()
}

fn strictness(verdict: &str) -> Verdict {
    match verdict {
        "allow" => Verdict::Allow,
        "quarantine" => Verdict::Quarantine,
        "block" => Verdict::Block,
        other => panic!("verdict {other}"),
    }
}

const GROUPS: &[&str] = &["staff", "guests", "printers"];
const VERDICTS: &[&str] = &["allow", "quarantine", "block"];
const PLATFORMS: &[&str] = &["unknown", "android", "ios", "windows", "linux"];
const REQUIREMENTS: &[&str] = &[
    "managed",
    "registered",
    "compliant",
    "proven",
    "domain_joined",
    "entra_joined",
    "eas_activated",
    "approved_app",
];
const APPS: &str = "
[[app]]
name = \"outlook\"
device_types = [\"Outlook\"]
approved = true
[[app]]
name = \"gmail\"
user_agents = [\"Gmail*\"]
[defaults.cannot_enrol]
platforms = [\"linux\"]
mail_devices = [\"TestClient\"]
verdict = \"block\"
[defaults.platforms]
android = \"allow\"
";
const EVERY_CONDITION: &str = "platforms = [\"unknown\", \"android\", \"ios\", \"macos\", \
    \"windows\", \"windows-phone\", \"linux\", \"chromeos\"], \
    established = [\"none\", \"claimed\", \"proven\"], \
    credentials = [\"none\", \"password\", \"certificate\"], \
    ownership = [\"unknown\", \"company\", \"personal\"]";
