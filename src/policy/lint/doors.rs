//! What policies come to at doors that the gateway's own settings narrow.

use super::Report;
use super::lockout::REMEDY;
use super::shut::Shut;
use crate::model::Established;
use crate::model::Plane;
use crate::model::Problem;
use crate::policy::conditional::ConditionalPolicy;
use crate::policy::conditional::Requirement;
use crate::policy::conditional::Then;
use crate::policy::set::Policy;
use crate::policy::words::Set;

/// What the gateway lets mail clients and browsers do.
#[derive(Clone, Copy, Debug)]
pub struct Doors<'a> {
    /// Whether applications are published.
    pub web: bool,
    /// Whether a client can show a certificate.
    pub certificates: bool,
    /// The versions of the mail clients' protocol that are spoken, in tenths.
    pub versions: &'a [u8],
}

/// Policies that let nobody in at these doors, though they would elsewhere.
#[must_use]
pub fn lint_doors(policy: &Policy, doors: &Doors<'_>) -> Vec<Problem> {
    let mut report = Report {
        policy,
        problems: Vec::new(),
    };
    if !doors.certificates {
        proof(&mut report, doors.web);
        claimed(&mut report, doors.web);
    }
    versions(&mut report, doors.versions);
    report.problems
}

/// Proof that nobody can bring.
fn proof(report: &mut Report<'_>, web: bool) {
    let doors = narrowed(web);
    for (key, policy) in report.evaluated() {
        let at = policy.planes.intersection(doors);
        let Some(member) = demands_proof(policy).filter(|_| !at.is_empty()) else {
            continue;
        };
        report.warn(
            &format!("{key}.{member}"),
            format!(
                "W-NEVER: mail.client_ca of gateway.toml is empty, so that nobody can show a \
                 certificate and proven never holds at {}",
                at.text()
            ),
        );
    }
}

/// Policies about all but those who prove the device, where nobody can.
fn claimed(report: &mut Report<'_>, web: bool) {
    let policy = report.policy;
    for (key, rule) in report.evaluated() {
        let is_told = rule.accept_lockout_risk || Shut::anyway(policy, rule).is_some();
        let Some(shut) = Shut::unproven(policy, rule, narrowed(web)).filter(|_| !is_told) else {
            continue;
        };
        report.warn(
            &shut.key(&key),
            format!(
                "W-LOCKOUT: mail.client_ca of gateway.toml is empty, so that nobody can show a \
                 certificate and this policy {}; {REMEDY}",
                shut.text(policy)
            ),
        );
    }
}

/// The doors that the gateway's settings narrow.
fn narrowed(web: bool) -> Set<Plane> {
    let mail = [Plane::Mail].into_iter();
    mail.chain(web.then_some(Plane::Web)).collect()
}

/// The key by which the policy lets nobody in without proof, at other doors than the network's.
fn demands_proof(policy: &ConditionalPolicy) -> Option<&'static str> {
    let when = &policy.when;
    let of_network = when.nas_groups.is_some() || when.ssids.is_some() || when.media.is_some();
    // One about others than the proven is told of without these settings.
    let of_others = when
        .established
        .is_some_and(|some| !some.contains(Established::Proven));
    let Then::Require(requirements) = &policy.then else {
        return None;
    };
    if of_network || of_others {
        None
    } else if requirements.all.contains(Requirement::Proven) {
        Some("require")
    } else {
        (*requirements.any == [Requirement::Proven]).then_some("require_any")
    }
}

/// Versions that are blocked one by one until none is left.
fn versions(report: &mut Report<'_>, spoken: &[u8]) {
    let policy = report.policy;
    let mut blocked: Vec<u8> = Vec::new();
    let mut last = None;
    for (key, rule) in report
        .counting()
        .filter(|(_, rule)| !rule.accept_lockout_risk)
    {
        if Shut::anyway(policy, rule).is_some() {
            // Told without these settings.
            return;
        }
        let client = rule.when.client.as_deref();
        let Some(versions) = client.and_then(|client| client.versions.as_deref()) else {
            continue;
        };
        if Shut::of(policy, rule, versions).is_some() {
            blocked.extend(versions);
            last = Some(format!("{key}.when.protocol_versions"));
        }
    }
    if let Some(key) = last
        && spoken.iter().all(|version| blocked.contains(version))
    {
        report.warn(
            &key,
            "W-LOCKOUT: with this no version of the protocol is left that mail.oldest_version of \
             gateway.toml lets mail clients speak and no policy keeps out",
        );
    }
}
