//! One evaluation, trace recorded: 5, 50 and 200 policies, and what an explanation costs.
//!
//! `cargo bench --bench policy`. The goal is 1 µs for 50 policies; see `bench/README.md`.

use std::hint::black_box;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;

use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::Fact;
use portreeve::model::GroupId;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::Plane;
use portreeve::model::Platform;
use portreeve::model::Posture;
use portreeve::model::SourceId;
use portreeve::model::ThreatLevel;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserRef;
use portreeve::policy::DeviceFacts;
use portreeve::policy::Facts;
use portreeve::policy::Policy;
use portreeve::policy::Trace;
use portreeve::policy::UserFacts;
use portreeve::policy::evaluate;
use portreeve::policy::explain;
use portreeve::policy::parse;

fn policies(c: &mut Criterion) {
    let posture = posture();
    let mut groups: Vec<GroupId> = (0..40)
        .map(|number| GroupId::named(&format!("group {number}")))
        .collect();
    groups.sort_unstable();
    let facts = facts(&posture, &groups);
    let mut trace = Trace::new();
    let mut group = c.benchmark_group("policy");
    for (count, applying) in [(5, 5), (50, 5), (50, 50), (200, 20)] {
        let policy = policy(count, applying);
        group.bench_function(
            format!("evaluate/{count} policies, {applying} apply"),
            |b| {
                b.iter(|| evaluate(&policy, black_box(&facts), &mut trace));
            },
        );
    }
    let fifty = policy(50, 50);
    group.bench_function("explain/50 policies, 50 apply", |b| {
        b.iter(|| explain(&fifty, black_box(&facts), &|_| None).to_string());
    });
    group.finish();
}

/// A fifth of `count` are health policies. Of the rest, those that do not apply are about other
/// groups, doors and platforms.
fn policy(count: usize, applying: usize) -> Policy {
    let mut text = DEFAULTS.to_owned();
    for number in 0..100 {
        text.push_str(&format!("\"g{number}\" = \"group {number}\"\n"));
    }
    for number in 0..count {
        let about = if number * applying / count != (number + 1) * applying / count {
            format!("targets = [\"g{}\", \"g90\"]\n", number % 40)
        } else {
            format!("targets = [\"g{}\", \"g91\"]\n", 50 + number % 40)
        };
        let rule = match number % 5 {
            0 => format!(
                "[[compliance]]\nname = \"health {number}\"\n{about}platforms = [\"ios\", \
                 \"android\"]\nrequire = {{ encrypted = true, passcode = true, max_threat = \
                 \"low\", min_os = {{ ios = \"16\" }} }}\n"
            ),
            _ => format!(
                "[[conditional]]\nname = \"access {number}\"\nplanes = [\"network\", \
                 \"mail\"]\n{about}exempt = [\"g95\"]\nwhen = {{ media = [\"wireless\"], ssids = \
                 [\"corp\", \"lab\"] }}\nrequire = [\"managed\", \"registered\", \"compliant\", \
                 \"proven\"]\notherwise = \"quarantine\"\n"
            ),
        };
        text.push_str(&rule);
    }
    match parse("policy.toml", &text) {
        Ok((policy, _)) => policy,
        Err(problems) => panic!("{problems:?}"),
    }
}

fn facts<'a>(posture: &'a Posture, groups: &'a [GroupId]) -> Facts<'a> {
    Facts {
        plane: Plane::Network,
        now: NOW,
        credential: Credential::Certificate,
        established: Established::Proven,
        user: Some(UserFacts {
            name: "alice@contoso.com",
            presented: Some("alice@contoso.com"),
            reference: Some(UserRef(1)),
            known: true,
            enabled: Fact::new(Tri::Yes, SourceId(1), NOW),
            groups,
        }),
        device: DeviceFacts::Known {
            posture,
            groups: &[],
        },
        nas: Some(NasContext {
            name: "ap-1",
            group: "campus",
            medium: Medium::Wireless,
            ssid: Some("corp"),
            claims: None,
        }),
        mail: None,
    }
}

fn posture() -> Posture {
    let yes = Fact::new(Tri::Yes, SourceId(1), NOW);
    Posture {
        owner: Some(UserRef(1)),
        managed: yes,
        registered: yes,
        compliance: Fact::new(ComplianceState::Compliant, SourceId(1), NOW),
        encrypted: yes,
        passcode: yes,
        threat: Fact::new(ThreatLevel::Secured, SourceId(1), NOW),
        platform: Platform::Ios,
        os_version: "17.1".parse().unwrap_or_default(),
        ..Posture::unknown(DeviceId::from_u128(1))
    }
}

const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_253_400);

const DEFAULTS: &str = "\
stale.network = { fresh_for = '24h', grace_for = '24h', then = 'quarantine' }
stale.mail = { fresh_for = '24h', grace_for = '24h', then = 'quarantine' }
stale.web = { fresh_for = '24h', grace_for = '24h', then = 'quarantine' }
[defaults]
not_targeted = 'allow'
no_policy_applies = 'quarantine'
no_credential = 'quarantine'
unknown_user = 'block'
unknown_device = 'quarantine'
ambiguous_device = 'block'
device_of_another_user = 'block'
unmanaged_device = 'quarantine'
evaluating = 'quarantine'
no_compliance_policy = 'noncompliant'
[groups]
";

criterion_group!(benches, policies);
criterion_main!(benches);
