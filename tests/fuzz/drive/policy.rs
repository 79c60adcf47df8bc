//! Any octets as a policy file, and any connection against what is accepted.
//!
//! The input is a text; behind its first zero octet, if it has one, stand the facts of a connection.

use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::Fact;
use portreeve::model::GroupId;
use portreeve::model::Join;
use portreeve::model::KnownClient;
use portreeve::model::MailContext;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::OsVersion;
use portreeve::model::Plane;
use portreeve::model::Platform;
use portreeve::model::Posture;
use portreeve::model::Severity;
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
use portreeve::policy::lint;
use portreeve::policy::parse;

/// One run.
pub fn drive(octets: &[u8]) {
    let split = octets.iter().position(|octet| *octet == 0);
    let (text, facts) = octets.split_at(split.unwrap_or(octets.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    match parse("policy.toml", text) {
        Ok((policy, warnings)) => {
            assert!(
                warnings
                    .iter()
                    .all(|problem| problem.severity == Severity::Warning)
            );
            assert!(policy.len() <= Policy::MAX_POLICIES);
            for problem in lint(&policy) {
                assert!(!problem.to_string().is_empty());
            }
            let (again, _) = parse("another.toml", text).expect("what was read is read again");
            assert_eq!(policy.hash(), again.hash());
            decide(&policy, facts);
        }
        Err(problems) => {
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.severity == Severity::Error)
            );
            for problem in problems {
                assert!(!problem.message.is_empty());
                assert_ne!(problem.line, Some(0));
            }
        }
    }
}

/// A connection made of the octets, zero where they end.
fn decide(policy: &Policy, octets: &[u8]) {
    let mut octets = octets.iter().copied();
    let mut next = |count: usize| usize::from(octets.next().unwrap_or(0)) % count;
    let tris = [Tri::Unknown, Tri::No, Tri::Yes];
    let now = Timestamp::from_unix_seconds(1_000_000_000);
    let observed = Timestamp::from_unix_seconds(1_000_000_000 - 3600 * next(100) as i64);
    let fact = |value| Fact::new(value, SourceId(1), observed);
    let posture = Posture {
        owner: [None, Some(UserRef(1)), Some(UserRef(2))][next(3)],
        managed: fact(tris[next(3)]),
        registered: fact(tris[next(3)]),
        compliance: Fact::new(
            ComplianceState::ALL[next(7)],
            SourceId(u8::from(next(2) == 1)),
            observed,
        ),
        encrypted: fact(tris[next(3)]),
        jailbroken: fact(tris[next(3)]),
        threat: Fact::new(ThreatLevel::ALL[next(10)], SourceId(1), observed),
        platform: Platform::ALL[next(8)],
        os_version: OsVersion::from_bits((next(20) as u64) << 48),
        join: Join::ALL[next(6)],
        ..Posture::unknown(DeviceId::from_u128(1))
    };
    let names = ["staff", "contractors", "break-glass", "guests"];
    let mut groups: Vec<GroupId> = names
        .iter()
        .filter(|_| next(2) == 1)
        .map(|name| GroupId::named(name))
        .collect();
    groups.sort_unstable();
    let facts = Facts {
        plane: [Plane::Network, Plane::Mail, Plane::Web][next(3)],
        now,
        credential: [
            Credential::None,
            Credential::Password,
            Credential::Certificate,
        ][next(3)],
        established: [Established::None, Established::Claimed, Established::Proven][next(3)],
        user: (next(4) > 0).then_some(UserFacts {
            name: "alice@contoso.com",
            presented: Some("alice"),
            reference: [None, Some(UserRef(1))][next(2)],
            known: next(2) == 0,
            enabled: fact(tris[next(3)]),
            groups: &groups,
        }),
        device: match next(5) {
            0 => DeviceFacts::Unknown,
            1 => DeviceFacts::Ambiguous,
            2 => DeviceFacts::OfAnotherUser,
            _ => DeviceFacts::Known {
                posture: &posture,
                groups: &groups,
            },
        },
        nas: (next(2) == 1).then_some(NasContext {
            name: "ap",
            group: "campus",
            medium: Medium::Wireless,
            ssid: Some("corp"),
            claims: None,
        }),
        mail: (next(2) == 1).then_some(MailContext {
            device_type: "iPhone",
            user_agent: "Apple-iPhone9C1/1602.92",
            version: [141, 25, 161, 0][next(4)],
            command: ["Sync", "ItemOperations", "Search", ""][next(4)],
            attachment: next(2) == 1,
            known: KnownClient {
                model: ["", "iPhone15C2"][next(2)],
                os_version: OsVersion::from_bits((next(20) as u64) << 48),
                rank: [0, 1, 7][next(3)],
                first_seen: [None, Some(observed)][next(2)],
                last_active: [None, Some(observed)][next(2)],
            },
        }),
    };
    let mut trace = Trace::new();
    let decision = evaluate(policy, &facts, &mut trace);
    assert_eq!(decision, evaluate(policy, &facts, &mut trace));
    let explanation = explain(policy, &facts, &|_| None);
    assert_eq!(explanation.decision, decision);
    assert!(explanation.to_string().contains(decision.reason.name()));
    assert!(decision.revisit.is_none_or(|revisit| revisit > now));
}
