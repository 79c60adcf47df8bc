//! Several sources for one device: for each fact, the first source in order that states a value.
//!
//! Order is that of the source numbers. `Unknown` states nothing, so a source that knows a device
//! only slightly does not hide what a later one knows. The source and time of each fact stay with
//! it. For retirement `None` states nothing, so whoever orders a device's end is heard (R40).
//! Groups are those of all sources together.

use crate::inventory::statement::Detail;
use crate::inventory::statement::Facts;
use crate::inventory::statement::Name;
use crate::inventory::statement::Statement;
use crate::model::ComplianceState;
use crate::model::DeviceId;
use crate::model::Fact;
use crate::model::Join;
use crate::model::OsVersion;
use crate::model::Ownership;
use crate::model::Platform;
use crate::model::Posture;
use crate::model::Retirement;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;

/// What all statements together say of a device; without owner, which [`owner`] gives by name.
/// `statements` are sorted by source.
pub(crate) fn merge(device: DeviceId, statements: &[Statement]) -> Posture {
    let tri = |of: fn(&Facts) -> Tri| {
        fact(statements, |facts| {
            let value = of(facts);
            (value != Tri::Unknown).then_some(value)
        })
    };
    let compliance = known_else_stated(statements, ComplianceState::Unknown, |f| f.compliance);
    Posture {
        managed: tri(|facts| facts.managed),
        registered: tri(|facts| facts.registered),
        compliance,
        eas_activated: tri(|facts| facts.eas_activated),
        encrypted: tri(|facts| facts.encrypted),
        jailbroken: tri(|facts| facts.jailbroken),
        passcode: tri(|facts| facts.passcode),
        threat: known_else_stated(statements, ThreatLevel::Unknown, |facts| facts.threat),
        platform: first(statements, Platform::Unknown, |facts| facts.platform),
        os_version: first(statements, OsVersion::UNKNOWN, |facts| facts.os_version),
        join: first(statements, Join::Unknown, |facts| facts.join),
        ownership: first(statements, Ownership::Unknown, |facts| facts.ownership),
        retirement: first(statements, Retirement::None, |facts| facts.retirement),
        grace_until: grace(statements, compliance),
        ..Posture::unknown(device)
    }
}

/// The owner's name: the first that a source states.
pub(crate) fn owner(statements: &[Statement]) -> Option<Name> {
    statements.iter().find_map(|stated| stated.facts.owner)
}

/// The grace period goes with the verdict: another source's does not count.
fn grace(statements: &[Statement], compliance: Fact<ComplianceState>) -> Option<Timestamp> {
    let stated = statements
        .iter()
        .find(|stated| stated.source == compliance.source)?;
    stated.details.iter().find_map(|detail| match detail {
        Detail::GraceUntil(at) => Some(at),
        Detail::Entra(_)
        | Detail::Certificate(_)
        | Detail::Serial(_)
        | Detail::Eas(_)
        | Detail::Mac(_)
        | Detail::Name(_)
        | Detail::Model(_) => None,
    })
}

/// The first known value, else that a source said it does not know, else nothing.
fn known_else_stated<T: Copy + Default + PartialEq>(
    statements: &[Statement],
    unknown: T,
    of: impl Fn(&Facts) -> Option<T>,
) -> Fact<T> {
    let known = fact(statements, |facts| of(facts).filter(|&it| it != unknown));
    if known.is_known() {
        known
    } else {
        fact(statements, of)
    }
}

fn fact<T: Default>(statements: &[Statement], of: impl Fn(&Facts) -> Option<T>) -> Fact<T> {
    statements
        .iter()
        .find_map(|stated| {
            of(&stated.facts).map(|value| Fact::new(value, stated.source, stated.at))
        })
        .unwrap_or_default()
}

fn first<T: PartialEq>(statements: &[Statement], unknown: T, of: impl Fn(&Facts) -> T) -> T {
    statements
        .iter()
        .map(|stated| of(&stated.facts))
        .find(|value| *value != unknown)
        .unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::group::GroupSet;
    use crate::inventory::report::DeviceReport;
    use crate::inventory::statement::Details;
    use crate::model::SourceId;

    const DEVICE: DeviceId = DeviceId::from_u128(1);

    fn says(source: u8, change: impl FnOnce(&mut DeviceReport)) -> Statement {
        let mut report = DeviceReport::new(DEVICE);
        change(&mut report);
        let mut written = Vec::new();
        Details::write(&report, &mut written);
        Statement {
            source: SourceId(source),
            at: Timestamp::from_unix_seconds(i64::from(source) * 100),
            facts: Facts::new(&report, None, Some(GroupSet::EMPTY)),
            details: Details::keep(&written),
        }
    }

    #[test]
    fn the_first_source_that_states_a_value_is_heard_and_named() {
        let statements = [
            says(1, |report| report.managed = Tri::Yes),
            says(2, |report| {
                report.managed = Tri::No;
                report.encrypted = Tri::No;
            }),
            says(3, |report| report.encrypted = Tri::Yes),
        ];
        let posture = merge(DEVICE, &statements);
        let at = |seconds| Timestamp::from_unix_seconds(seconds);
        assert_eq!(posture.managed, Fact::new(Tri::Yes, SourceId(1), at(100)));
        assert_eq!(posture.encrypted, Fact::new(Tri::No, SourceId(2), at(200)));
        assert!(!posture.passcode.is_known());
    }

    #[test]
    fn not_evaluated_counts_only_if_nobody_has_a_verdict_r21() {
        let unknown = |report: &mut DeviceReport| {
            report.compliance = Some(ComplianceState::Unknown);
        };
        let compliant = |report: &mut DeviceReport| {
            report.compliance = Some(ComplianceState::Compliant);
        };
        let both = merge(DEVICE, &[says(1, unknown), says(2, compliant)]);
        assert_eq!(both.compliance.value, ComplianceState::Compliant);
        assert_eq!(both.compliance.source, SourceId(2));
        let one = merge(DEVICE, &[says(1, unknown)]);
        assert_eq!(one.compliance.value, ComplianceState::Unknown);
        assert_eq!(one.compliance.source, SourceId(1));
    }

    #[test]
    fn any_source_that_retires_a_device_is_heard_r40() {
        let statements = [
            says(1, |report| report.managed = Tri::Yes),
            says(2, |report| report.retirement = Retirement::Wiped),
        ];
        assert_eq!(merge(DEVICE, &statements).retirement, Retirement::Wiped);
    }

    #[test]
    fn a_grace_period_belongs_to_the_verdict_of_its_source() {
        let grace = Some(Timestamp::from_unix_seconds(9));
        let verdict = |report: &mut DeviceReport| {
            report.compliance = Some(ComplianceState::NonCompliant);
        };
        let in_grace = |report: &mut DeviceReport| {
            report.compliance = Some(ComplianceState::InGracePeriod);
            report.grace_until = grace;
        };
        let hidden = merge(DEVICE, &[says(1, verdict), says(2, in_grace)]);
        assert_eq!(hidden.grace_until, None);
        let shown = merge(DEVICE, &[says(1, in_grace), says(2, verdict)]);
        assert_eq!(shown.grace_until, grace);
    }
}
