//! One thing known about a device or user: its value, who said it and when.

use std::fmt;
use std::time::Duration;

use super::time::Timestamp;

/// Yes, no, or nobody said: three answers that a policy tells apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tri {
    /// No source has said anything usable.
    #[default]
    Unknown,
    /// A source said no.
    No,
    /// A source said yes.
    Yes,
}

impl From<bool> for Tri {
    fn from(value: bool) -> Self {
        if value { Self::Yes } else { Self::No }
    }
}

impl From<Option<bool>> for Tri {
    fn from(value: Option<bool>) -> Self {
        value.map_or(Self::Unknown, Self::from)
    }
}

impl Tri {
    /// `yes`, `no`, `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::No => "no",
            Self::Yes => "yes",
        }
    }
}

impl fmt::Display for Tri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which configured source said something: its position in `source.toml`, 0 for "no source".
///
/// The inventory keeps the names; 255 sources are more than any organisation has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u8);

impl SourceId {
    /// The source of a fact that nobody has stated.
    pub const NONE: Self = Self(0);
}

/// A value with its source and the time at which the source observed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fact<T> {
    /// What was said.
    pub value: T,
    /// Who said it.
    pub source: SourceId,
    /// When it was delivered to us; `Timestamp::default()` when nobody said it.
    pub observed: Timestamp,
}

impl<T> Fact<T> {
    /// A fact that `source` delivered at `observed`.
    pub const fn new(value: T, source: SourceId, observed: Timestamp) -> Self {
        Self {
            value,
            source,
            observed,
        }
    }

    /// How old the fact is, zero for one dated in the future.
    pub fn age(&self, now: Timestamp) -> Duration {
        now.since(self.observed)
    }

    /// Whether any source stands behind the value.
    pub fn is_known(&self) -> bool {
        self.source != SourceId::NONE
    }
}

/// The health verdict of a management system, in Intune's words (`managedDevice.complianceState`).
///
/// A value that a source sends and that is not listed is `Unknown`; the page that carried it is
/// never refused for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ComplianceState {
    /// Never evaluated, or a word we do not know.
    #[default]
    Unknown = 0,
    /// All compliance policies that reach the device hold.
    Compliant = 1,
    /// At least one does not hold.
    NonCompliant = 2,
    /// Two policies contradict each other.
    Conflict = 3,
    /// The evaluation failed.
    Error = 4,
    /// Not compliant, and the organisation's time to mend it has not run out.
    InGracePeriod = 5,
    /// Configuration Manager is the authority for this device.
    ConfigManager = 6,
}

impl ComplianceState {
    /// All states, in the order of their stored numbers.
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Compliant,
        Self::NonCompliant,
        Self::Conflict,
        Self::Error,
        Self::InGracePeriod,
        Self::ConfigManager,
    ];

    /// Reads Intune's spelling, in any case.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(text.trim()))
            .unwrap_or(Self::Unknown)
    }

    /// Intune's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Compliant => "compliant",
            Self::NonCompliant => "noncompliant",
            Self::Conflict => "conflict",
            Self::Error => "error",
            Self::InGracePeriod => "inGracePeriod",
            Self::ConfigManager => "configManager",
        }
    }

    /// Whether the device counts as compliant: yes, no, or not (yet) known.
    ///
    /// A device in its grace period is still let in, as Conditional Access does.
    #[must_use]
    pub const fn as_tri(self) -> Tri {
        match self {
            Self::Compliant | Self::InGracePeriod => Tri::Yes,
            Self::NonCompliant | Self::Conflict | Self::Error => Tri::No,
            Self::Unknown | Self::ConfigManager => Tri::Unknown,
        }
    }
}

impl fmt::Display for ComplianceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a Mobile Threat Defense partner reports (`partnerReportedThreatState`), from good to bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ThreatLevel {
    /// Nothing reported.
    #[default]
    Unknown = 0,
    /// The agent is installed and has not finished its first check.
    Activated = 1,
    /// The agent was switched off.
    Deactivated = 2,
    /// No threat.
    Secured = 3,
    /// Low.
    LowSeverity = 4,
    /// Medium.
    MediumSeverity = 5,
    /// High.
    HighSeverity = 6,
    /// The agent or the partner does not answer.
    Unresponsive = 7,
    /// Taken over.
    Compromised = 8,
    /// The agent is set up wrongly.
    Misconfigured = 9,
}

impl ThreatLevel {
    /// All levels, in the order of their stored numbers.
    pub const ALL: [Self; 10] = [
        Self::Unknown,
        Self::Activated,
        Self::Deactivated,
        Self::Secured,
        Self::LowSeverity,
        Self::MediumSeverity,
        Self::HighSeverity,
        Self::Unresponsive,
        Self::Compromised,
        Self::Misconfigured,
    ];

    /// Reads Intune's spelling, in any case; anything else is `Unknown`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text.trim()))
            .unwrap_or(Self::Unknown)
    }

    /// Intune's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Activated => "activated",
            Self::Deactivated => "deactivated",
            Self::Secured => "secured",
            Self::LowSeverity => "lowSeverity",
            Self::MediumSeverity => "mediumSeverity",
            Self::HighSeverity => "highSeverity",
            Self::Unresponsive => "unresponsive",
            Self::Compromised => "compromised",
            Self::Misconfigured => "misconfigured",
        }
    }
}

impl fmt::Display for ThreatLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_states_round_trip() {
        for state in ComplianceState::ALL {
            assert_eq!(ComplianceState::parse(state.as_str()), state);
        }
        for level in ThreatLevel::ALL {
            assert_eq!(ThreatLevel::parse(&level.as_str().to_uppercase()), level);
        }
        assert_eq!(
            ComplianceState::parse("notSeenBefore"),
            ComplianceState::Unknown
        );
    }

    #[test]
    fn a_fact_without_source_is_not_known() {
        let fact: Fact<Tri> = Fact::default();
        assert!(!fact.is_known());
        assert_eq!(fact.value, Tri::Unknown);
    }
}
