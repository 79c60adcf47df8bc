//! Compliance policies: what a healthy device is, judged here from facts (R6, R11).

use super::targeting::Targets;
use super::words::Set;
use crate::model::ComplianceState;
use crate::model::Fact;
use crate::model::Join;
use crate::model::OsVersion;
use crate::model::Platform;
use crate::model::Posture;
use crate::model::ThreatLevel;
use crate::model::Timestamp;
use crate::model::Tri;

/// One health policy.
#[derive(Clone, Debug)]
pub(super) struct CompliancePolicy {
    pub(super) name: Box<str>,
    pub(super) targets: Targets,
    /// Platforms it is for; `None` for all.
    pub(super) platforms: Option<Set<Platform>>,
    pub(super) health: Health,
}

/// What is demanded of a device's health: nothing, or a setting for each of the facts.
///
/// Settings are ordered from lenient to strict, and [`Health::merge`] takes the stricter of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Health {
    pub(super) encrypted: Demand,
    pub(super) not_jailbroken: Demand,
    pub(super) passcode: Demand,
    /// By place in [`Platform::ALL`]. A device of unknown platform is asked when any platform is,
    /// and its version counts as unknown.
    pub(super) min_os: [MinOs; Platform::ALL.len()],
    pub(super) max_threat: MaxThreat,
    pub(super) joins: Joins,
    /// The source itself must call the device compliant; its silence is not enough.
    pub(super) source_verdict: bool,
}

/// One of the health settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Setting {
    /// Storage encrypted.
    Encrypted,
    /// Not jailbroken or rooted.
    NotJailbroken,
    /// A passcode is set.
    Passcode,
    /// Earliest version.
    MinOs,
    /// Worst threat level.
    MaxThreat,
    /// Directory joins.
    Join,
    /// The source says compliant.
    SourceVerdict,
}

/// Whether something is demanded, and of whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Demand {
    /// Not demanded.
    #[default]
    No,
    /// A device of which no source says it passes.
    WhenKnown,
    /// A device of which no source says it fails.
    Always,
}

/// An earliest version for one platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MinOs {
    pub(super) version: OsVersion,
    pub(super) demand: Demand,
}

/// The worst threat level that passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MaxThreat {
    pub(super) ceiling: Ceiling,
    pub(super) demand: Demand,
}

/// A threat level as a ceiling, from lenient to strict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ceiling {
    #[default]
    High,
    Medium,
    Low,
    Secured,
}

/// The directory joins that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Joins {
    pub(super) allowed: Set<Join>,
    pub(super) demand: Demand,
}

impl Default for Health {
    /// Nothing is demanded.
    fn default() -> Self {
        Self {
            encrypted: Demand::No,
            not_jailbroken: Demand::No,
            passcode: Demand::No,
            min_os: [MinOs::default(); Platform::ALL.len()],
            max_threat: MaxThreat::default(),
            joins: Joins {
                allowed: Set::all(),
                demand: Demand::No,
            },
            source_verdict: false,
        }
    }
}

impl Health {
    /// Both together: for each setting the stricter (R11). Commutative, associative, idempotent,
    /// and a device passes the result exactly when it passes both.
    #[must_use]
    pub(super) fn merge(&self, other: &Self) -> Self {
        let mut min_os = self.min_os;
        for (mine, theirs) in min_os.iter_mut().zip(&other.min_os) {
            *mine = MinOs {
                version: mine.version.max(theirs.version),
                demand: mine.demand.max(theirs.demand),
            };
        }
        Self {
            encrypted: self.encrypted.max(other.encrypted),
            not_jailbroken: self.not_jailbroken.max(other.not_jailbroken),
            passcode: self.passcode.max(other.passcode),
            min_os,
            max_threat: MaxThreat {
                ceiling: self.max_threat.ceiling.max(other.max_threat.ceiling),
                demand: self.max_threat.demand.max(other.max_threat.demand),
            },
            joins: Joins {
                allowed: self.joins.allowed.intersection(other.joins.allowed),
                demand: self.joins.demand.max(other.joins.demand),
            },
            source_verdict: self.source_verdict || other.source_verdict,
        }
    }

    /// The version floor for `platform`.
    pub(super) fn min_os_for(&self, platform: Platform) -> MinOs {
        let [
            unknown,
            android,
            ios,
            macos,
            windows,
            windows_phone,
            linux,
            chromeos,
        ] = self.min_os;
        match platform {
            Platform::Unknown => unknown,
            Platform::Android => android,
            Platform::Ios => ios,
            Platform::MacOs => macos,
            Platform::Windows => windows,
            Platform::WindowsPhone => windows_phone,
            Platform::Linux => linux,
            Platform::ChromeOs => chromeos,
        }
    }

    /// Asks every setting but [`Health::source_verdict`], and reports each that is demanded: what,
    /// whether it held, and the date of the fact that stood for it.
    /// `platform` is the one that the connection was judged by, stated or claimed.
    pub(super) fn ask(
        &self,
        posture: &Posture,
        platform: Platform,
        mut report: impl FnMut(Setting, bool, Dated),
    ) {
        let mut ask = |setting: Setting, demand: Demand, answer: Tri, dated: Dated| {
            let held = match demand {
                Demand::No => return,
                Demand::WhenKnown => answer != Tri::No,
                Demand::Always => answer == Tri::Yes,
            };
            // Nobody has dated what nobody has said.
            let dated = if answer == Tri::Unknown {
                Dated::Never
            } else {
                dated
            };
            report(setting, held, dated);
        };
        let Posture {
            encrypted,
            jailbroken,
            passcode,
            threat,
            ..
        } = posture;
        ask(
            Setting::Encrypted,
            self.encrypted,
            encrypted.value,
            Dated::by(encrypted),
        );
        ask(
            Setting::NotJailbroken,
            self.not_jailbroken,
            opposite(jailbroken.value),
            Dated::by(jailbroken),
        );
        ask(
            Setting::Passcode,
            self.passcode,
            passcode.value,
            Dated::by(passcode),
        );
        let min_os = self.min_os_for(platform);
        let version = if platform == Platform::Unknown {
            OsVersion::UNKNOWN
        } else {
            posture.os_version
        };
        ask(
            Setting::MinOs,
            min_os.demand,
            reaches(version, min_os.version),
            Dated::with_record(posture),
        );
        ask(
            Setting::MaxThreat,
            self.max_threat.demand,
            self.max_threat.ceiling.admits(threat.value),
            Dated::by(threat),
        );
        ask(
            Setting::Join,
            self.joins.demand,
            match posture.join {
                Join::Unknown => Tri::Unknown,
                join @ (Join::None
                | Join::Registered
                | Join::Entra
                | Join::Hybrid
                | Join::ActiveDirectory) => Tri::from(self.joins.allowed.contains(join)),
            },
            Dated::with_directory(posture),
        );
    }
}

impl Ceiling {
    /// All ten levels (R22): an agent that has not measured yet or does not answer is unknown, one
    /// that was switched off or set up wrongly fails, and no ceiling admits a device taken over.
    fn admits(self, level: ThreatLevel) -> Tri {
        match level {
            ThreatLevel::Unknown | ThreatLevel::Activated | ThreatLevel::Unresponsive => {
                Tri::Unknown
            }
            ThreatLevel::Secured => Tri::Yes,
            ThreatLevel::LowSeverity => Tri::from(self <= Self::Low),
            ThreatLevel::MediumSeverity => Tri::from(self <= Self::Medium),
            ThreatLevel::HighSeverity => Tri::from(self <= Self::High),
            ThreatLevel::Deactivated | ThreatLevel::Compromised | ThreatLevel::Misconfigured => {
                Tri::No
            }
        }
    }
}

/// When a fact that an answer rests on was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dated {
    /// The answer rests on no fact: it cannot grow stale.
    Never,
    /// At this time.
    At(Timestamp),
    /// There is a value and no date for it: it counts as stale.
    Unstated,
}

impl Dated {
    pub(super) fn by<T>(fact: &Fact<T>) -> Self {
        if fact.is_known() {
            Self::At(fact.observed)
        } else {
            Self::Unstated
        }
    }

    /// For what carries no date of its own and comes with the management record: platform and
    /// version.
    pub(super) fn with_record(posture: &Posture) -> Self {
        Self::first_known(&posture.managed, &posture.registered)
    }

    /// For what carries no date of its own and comes with the directory's record: the join.
    pub(super) fn with_directory(posture: &Posture) -> Self {
        Self::first_known(&posture.registered, &posture.managed)
    }

    fn first_known(first: &Fact<Tri>, second: &Fact<Tri>) -> Self {
        match Self::by(first) {
            Self::Unstated => Self::by(second),
            dated @ (Self::At(_) | Self::Never) => dated,
        }
    }
}

/// The state, with a grace period that has run out counted as what it was the grace of.
pub(super) fn effective_state(posture: &Posture, now: Timestamp) -> ComplianceState {
    match (posture.compliance.value, posture.grace_until) {
        (ComplianceState::InGracePeriod, Some(end)) if end <= now => ComplianceState::NonCompliant,
        (state, _) => state,
    }
}

fn opposite(answer: Tri) -> Tri {
    match answer {
        Tri::Unknown => Tri::Unknown,
        Tri::No => Tri::Yes,
        Tri::Yes => Tri::No,
    }
}

fn reaches(version: OsVersion, floor: OsVersion) -> Tri {
    if version == OsVersion::UNKNOWN {
        Tri::Unknown
    } else {
        Tri::from(version >= floor)
    }
}

#[cfg(test)]
mod tests;
