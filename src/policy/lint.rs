//! What is well-formed and dangerous: lock-out, open doors, policies that judge nobody.
//!
//! Each message begins with a code that a person can search for. Codes with `E-` stand for errors,
//! which [`check`](lint) reports and a gateway refuses to start with; `W-` for warnings.

mod claimed;
mod client;
mod coverage;
mod doors;
mod fresh;
mod lockout;
mod reach;
mod shut;

pub use doors::Doors;
pub use doors::lint_doors;
pub use fresh::lint_freshness;

use super::conditional::ConditionalPolicy;
use super::conditional::Requirement;
use super::conditional::State;
use super::set::Policy;
use super::words::Set;
use crate::model::Plane;
use crate::model::Problem;
use crate::model::Severity;
use crate::model::Verdict;

/// Everything that a careful colleague would ask about, in the order of the file.
///
/// - `E-LOCKOUT`: the five all-users patterns (R76); a warning where the policy says
///   `accept_lockout_risk = true`, or is `report-only`.
/// - `W-NOPOLICY`, `W-COVERAGE`: users of whom compliance is required and whom no compliance policy
///   reaches (R4, R13).
/// - `W-UNUSED`, `W-NEVER`, `W-IDLE`: what has no effect.
/// - `W-OPEN`: defaults that let in what policies would keep out, be it by what a client says of itself.
/// - `W-LOCKOUT` besides: a single door that is shut to everybody or to all groups of the file, be it by
///   quarantine, by conditions that each client meets too, and commands without which no mail client works.
/// - `W-BREAKGLASS`: nobody can get in when a policy is wrong (R77).
#[must_use]
pub fn lint(policy: &Policy) -> Vec<Problem> {
    let mut report = Report {
        policy,
        problems: Vec::new(),
    };
    if policy.break_glass.is_empty() {
        report.warn(
            "break_glass",
            "W-BREAKGLASS: nobody is exempt from all policies; name at least one account that can \
             still get in when a policy is wrong",
        );
    }
    open_doors(&mut report);
    claimed::check(&mut report);
    lockout::check(&mut report);
    coverage::check(&mut report);
    reach::check(&mut report);
    client::check(&mut report);
    let mut problems = report.problems;
    problems.sort_by_key(|problem| problem.line);
    problems
}

/// Problems found so far.
struct Report<'p> {
    policy: &'p Policy,
    problems: Vec<Problem>,
}

impl<'p> Report<'p> {
    fn warn(&mut self, key: &str, message: impl Into<String>) {
        self.add(Severity::Warning, key, message.into());
    }

    /// At the line of the key, or of what it would stand in.
    fn add(&mut self, severity: Severity, key: &str, message: String) {
        let source = &self.policy.source;
        let problem = source.problem(severity, &self.written(key), message);
        self.problems.push(problem);
    }

    /// The key as the file has it: of a condition perhaps the opposite, `not_platforms` for `platforms`.
    fn written(&self, key: &str) -> String {
        let lines = &self.policy.source.lines;
        let opposite = key
            .rsplit_once('.')
            .map(|(within, name)| format!("{within}.not_{name}"))
            .filter(|opposite| !lines.contains_key(key) && lines.contains_key(opposite));
        opposite.unwrap_or_else(|| key.to_owned())
    }

    /// Conditional policies that are evaluated, with their keys.
    fn evaluated(&self) -> impl Iterator<Item = (String, &'p ConditionalPolicy)> + use<'p> {
        let policies = self.policy.conditional.iter().enumerate();
        policies
            .filter(|(_, policy)| match policy.state {
                State::On | State::ReportOnly => true,
                State::Off => false,
            })
            .map(|(position, policy)| (format!("conditional[{position}]"), policy))
    }

    /// Conditional policies that count.
    fn counting(&self) -> impl Iterator<Item = (String, &'p ConditionalPolicy)> + use<'p> {
        self.evaluated()
            .filter(|(_, policy)| policy.state == State::On)
    }
}

fn open_doors(report: &mut Report<'_>) {
    let policy = report.policy;
    let defaults = &policy.defaults;
    if defaults.not_targeted == Verdict::Allow {
        unguarded(report);
    }
    let requires = |requirement| {
        report
            .counting()
            .any(|(_, policy)| policy.asks(requirement))
    };
    let managed = requires(Requirement::Managed) || requires(Requirement::Compliant);
    for (key, verdict, relevant, what) in [
        (
            "defaults.unmanaged_device",
            defaults.unmanaged_device,
            managed,
            "a device that is not enrolled passes policies that require managed or compliant",
        ),
        (
            "defaults.unknown_device",
            defaults.unknown_device,
            managed,
            "a device that no source knows passes policies that require managed or compliant",
        ),
        (
            "defaults.unknown_user",
            defaults.unknown_user,
            true,
            "a user whom no source knows is judged by policies for \"all\" only",
        ),
        (
            "defaults.no_credential",
            defaults.no_credential,
            true,
            "whoever copies the MAC address of a known device is let in",
        ),
        (
            "stale.network.then",
            policy.availability.network.then,
            true,
            STALE,
        ),
        (
            "stale.mail.then",
            policy.availability.mail.then,
            true,
            STALE,
        ),
        ("stale.web.then", policy.availability.web.then, true, STALE),
    ] {
        if verdict == Verdict::Allow && relevant {
            report.warn(key, format!("W-OPEN: {what}"));
        }
    }
}

/// Doors at which no policy judges a device. One about single commands does not: it says nothing of
/// those who ask for something else.
fn unguarded(report: &mut Report<'_>) {
    let doors = |of_commands: bool| {
        report
            .counting()
            .filter(|(_, policy)| policy.is_of_commands() == of_commands)
            .map(|(_, policy)| policy.planes)
            .fold(Set::default(), Set::union)
    };
    let open = Set::<Plane>::all().without(doors(false));
    if open.is_empty() {
        return;
    }
    let mail: Set<Plane> = [Plane::Mail].into_iter().collect();
    let but_for = if open.intersection(doors(true)).intersection(mail).is_empty() {
        ""
    } else {
        " (those about commands say nothing of the device)"
    };
    report.warn(
        "defaults.not_targeted",
        format!(
            "W-OPEN: no policy that is on is for {}{but_for}, so that every known user is let in there",
            open.text()
        ),
    );
}

const STALE: &str = "what a silent source said last lets devices in without end";

#[cfg(test)]
mod tests;
