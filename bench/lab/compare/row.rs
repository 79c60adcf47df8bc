//! Rows of the comparison: a figure of ours, a figure of a peer, their ratio and its target.

use serde::Deserialize;
use serde::Serialize;

use super::figures::Figures;

/// One line of results.json.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) case: String,
    /// What of the case, such as "server CPU".
    pub(super) measure: String,
    /// Portreeve's.
    pub(super) figure: Option<f64>,
    pub(super) unit: String,
    /// Whom it is compared with: a peer, a floor, or "goal", which is a figure written down.
    pub(super) peer: String,
    pub(super) peer_figure: Option<f64>,
    /// Ours divided by the peer's.
    pub(super) ratio: Option<f64>,
    /// The most that the ratio may be, where there is a target.
    pub(super) target: Option<f64>,
    pub(super) met: Option<bool>,
    /// What was measured: Portreeve's commit, and the peer's version.
    pub(super) commit: String,
    pub(super) peer_version: String,
    /// Devices that each side knew.
    pub(super) devices: u32,
    /// What each side wrote down meanwhile.
    pub(super) logs: String,
    pub(super) peer_logs: String,
    /// Share of the peer's answers that were wrong, where there were some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) peer_wrong: Option<f64>,
    /// What else has to be known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) note: String,
}

/// What is measured of each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Cpu,
    Rate,
    P50,
    P99,
    P999,
    Memory,
    /// Memory for each operation that is held.
    Held,
    /// Time for each operation that was served, by the clock.
    Each,
    /// What the server's memory grew by.
    Growth,
    /// Processor time of writing one row.
    Write,
    /// Time until a change counts.
    Counts,
}

impl Measure {
    /// Those of a case of requests, in the order of the table.
    pub(super) const OF_REQUESTS: [Self; 6] = [
        Self::Cpu,
        Self::Rate,
        Self::P50,
        Self::P99,
        Self::P999,
        Self::Memory,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "server CPU",
            Self::Rate => "throughput",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::P999 => "p99.9",
            Self::Memory => "peak memory",
            Self::Held => "memory each",
            Self::Each => "time for each served",
            Self::Growth => "growth of memory",
            Self::Write => "write of the row",
            Self::Counts => "until it counts",
        }
    }

    pub(super) const fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "µs/operation",
            Self::Rate => "1/s",
            Self::P50 | Self::P99 | Self::P999 | Self::Each | Self::Write | Self::Counts => "µs",
            Self::Memory | Self::Growth => "MiB",
            Self::Held => "KiB",
        }
    }

    /// The figure in its unit; a floor that is no process has no memory, and one in memory no
    /// latency: there it is `None`.
    pub(super) fn of(self, figures: &Figures) -> Option<f64> {
        let value = match self {
            Self::Cpu => figures.cpu,
            Self::Rate => figures.rate,
            Self::P50 => figures.p50,
            Self::P99 => figures.p99,
            Self::P999 => figures.p999,
            Self::Memory => figures.memory / f64::from(1 << 20),
            Self::Held => figures.memory / 1024.0,
            Self::Each => 1e6 / figures.rate,
            Self::Growth => figures.growth / f64::from(1 << 20),
            Self::Write => figures.cpu,
            Self::Counts => figures.p50,
        };
        (value.is_finite() && value > 0.0).then(|| rounded(value))
    }
}

/// A figure that was promised: of Portreeve alone, or as a ratio to somebody.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) measure: Measure,
    pub(super) of: Of,
    /// The most.
    pub(super) most: f64,
}

/// What a target is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// Ours alone, in the measure's unit.
    Ours,
    /// The ratio to this peer.
    Peer(&'static str),
    /// The ratio to the best of these.
    Best(&'static [&'static str]),
    /// The most above this peer, in the measure's unit.
    Above(&'static str),
}

impl Row {
    /// Fills in ratio and verdict.
    pub(super) fn judge(mut self) -> Self {
        self.ratio = match (self.figure, self.peer_figure) {
            (Some(ours), Some(theirs)) if theirs > 0.0 => Some(rounded(ours / theirs)),
            (Some(_) | None, Some(_) | None) => None,
        };
        self.met = match (self.target, self.ratio) {
            (Some(most), Some(ratio)) => Some(ratio <= most),
            // What ours could not do is missed; what a peer could not do is no verdict on ours.
            (Some(_), None) if self.figure.is_none() => Some(false),
            (Some(_) | None, Some(_) | None) => None,
        };
        self
    }
}

/// Three digits behind the point: more than any measurement is worth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A row to try things with.
    pub(in crate::compare) fn row(figure: Option<f64>, peer_figure: Option<f64>) -> Row {
        Row {
            case: "MAB".to_owned(),
            measure: Measure::Cpu.name().to_owned(),
            figure,
            unit: Measure::Cpu.unit().to_owned(),
            peer: "FreeRADIUS".to_owned(),
            peer_figure,
            ratio: None,
            target: None,
            met: None,
            commit: "abc".to_owned(),
            peer_version: "3.2.1".to_owned(),
            devices: 10,
            logs: "journal".to_owned(),
            peer_logs: "none".to_owned(),
            peer_wrong: None,
            note: String::new(),
        }
    }

    #[test]
    fn ratios_are_judged_by_their_targets() {
        for (ours, theirs, target, ratio, met) in [
            (Some(6.0), Some(18.0), Some(0.334), Some(0.333), Some(true)),
            (Some(6.1), Some(18.0), Some(0.334), Some(0.339), Some(false)),
            (Some(6.0), Some(18.0), None, Some(0.333), None),
            (None, Some(18.0), Some(0.5), None, Some(false)),
            (Some(6.0), None, Some(0.5), None, None),
            (Some(6.0), Some(0.0), Some(0.5), None, None),
        ] {
            let target_row = Row {
                target,
                ..row(ours, theirs)
            };
            let judged = target_row.judge();
            assert_eq!(judged.ratio, ratio, "row {ours:?} {theirs:?} {target:?}");
            assert_eq!(judged.met, met, "row {ours:?} {theirs:?} {target:?}");
        }
    }

    #[test]
    fn figures_come_in_their_unit_or_not_at_all() {
        let figures = Figures {
            cpu: 6.0,
            memory: 3_145_728.0,
            p50: f64::NAN,
            ..Figures::default()
        };
        for (measure, expected) in [
            (Measure::Cpu, Some(6.0)),
            (Measure::Memory, Some(3.0)),
            (Measure::Held, Some(3072.0)),
            (Measure::P50, None),
            (Measure::P99, None),
        ] {
            assert_eq!(measure.of(&figures), expected, "row {measure:?}");
        }
    }
}
