//! What one round measured, as a generator's JSON line tells it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The figures of a round, or the medians of several.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// Microseconds of the server's processor time for each operation.
    pub(super) cpu: f64,
    /// Operations each second.
    pub(super) rate: f64,
    /// Microseconds until the answer.
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    /// The most octets of memory that the server has held so far, or what each Ping takes.
    pub(super) memory: f64,
    /// Octets that the server's memory grew by meanwhile, where that is asked.
    pub(super) growth: f64,
    /// Share of the operations that went wrong, 0 to 1, and how.
    pub(super) wrong: f64,
    pub(super) errors: String,
}

/// The part of a generator's line that is compared.
#[derive(Debug, Deserialize)]
struct Line {
    operations: u64,
    per_second: f64,
    errors: BTreeMap<String, u64>,
    #[serde(default)]
    notes: BTreeMap<String, u64>,
    latency_us: Latency,
    server_cpu_us: Option<f64>,
}

/// The same of Pings that are held.
#[derive(Debug, Deserialize)]
struct HeldLine {
    held: u64,
    ended_by_status: BTreeMap<String, u64>,
    server_octets_each: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Latency {
    p50: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
}

impl Figures {
    /// Reads a generator's line. The memory of a server is only in one of Pings that are held.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        if let Ok(held) = serde_json::from_str(line) {
            return Ok(Self::of_held(&held));
        }
        let line: Line =
            serde_json::from_str(line).map_err(|error| format!("the generator said: {error}"))?;
        let errors = list(&line.errors);
        if line.operations == 0 {
            return Err(format!("no right answer: {errors}"));
        }
        let (right, wrong) = (count(line.operations), count(line.errors.values().sum()));
        Ok(Self {
            cpu: line.server_cpu_us.unwrap_or(f64::NAN),
            rate: line.per_second,
            p50: line.latency_us.p50,
            p99: line.latency_us.p99,
            p999: line.latency_us.p999,
            memory: 0.0,
            growth: line
                .notes
                .get("server_growth_octets")
                .copied()
                .map_or(0.0, count),
            wrong: wrong / (right + wrong),
            errors,
        })
    }

    fn of_held(line: &HeldLine) -> Self {
        let ended: u64 = line.ended_by_status.values().sum();
        Self {
            memory: line.server_octets_each.map_or(f64::NAN, count),
            wrong: count(ended) / count(line.held.max(1)),
            errors: list(&line.ended_by_status),
            ..Self::default()
        }
    }

    /// The median of each figure; the errors of all.
    pub(super) fn median(rounds: &[Self]) -> Option<Self> {
        let of = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure).collect());
        let errors = rounds.iter().map(|round| round.errors.as_str());
        let errors: Vec<&str> = errors.filter(|errors| !errors.is_empty()).collect();
        Some(Self {
            cpu: of(|round| round.cpu)?,
            rate: of(|round| round.rate)?,
            p50: of(|round| round.p50)?,
            p99: of(|round| round.p99)?,
            p999: of(|round| round.p999)?,
            memory: of(|round| round.memory)?,
            growth: of(|round| round.growth)?,
            wrong: of(|round| round.wrong)?,
            errors: errors.join("; "),
        })
    }
}

/// What went wrong, and how often.
fn list(errors: &BTreeMap<String, u64>) -> String {
    let errors: Vec<String> = errors
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    errors.join(", ")
}

/// The one in the middle, or the mean of the two there.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((*values.get(middle - 1)? + upper) / 2.0)
}

/// Exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "there is no lossless way, and nothing here is that large"
)]
pub(super) const fn count(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"load":"radius mab","operations":90,"per_second":45.0,
        "errors":{"timeout":10},"latency_us":{"mean":1,"p50":2.5,"p90":3,"p99":4,"p99.9":5,"max":6},
        "server_cpu_us":7.5}"#;

    #[test]
    fn lines_of_generators_become_figures() {
        let figures = Figures::parse(LINE).unwrap();
        assert_eq!((figures.cpu, figures.rate), (7.5, 45.0));
        assert_eq!((figures.p50, figures.p99, figures.p999), (2.5, 4.0, 5.0));
        assert_eq!(figures.wrong, 0.1);
        assert_eq!(figures.errors, "10 timeout");
        let none = LINE.replace("\"operations\":90", "\"operations\":0");
        let error = Figures::parse(&none).unwrap_err();
        assert_eq!(error, "no right answer: 10 timeout");
        assert!(Figures::parse("nothing").is_err());
    }

    #[test]
    fn held_pings_cost_memory_and_should_not_end() {
        let line =
            r#"{"held":200,"ended":2,"ended_by_status":{"503":2},"server_octets_each":4096}"#;
        let figures = Figures::parse(line).unwrap();
        assert_eq!((figures.memory, figures.wrong), (4096.0, 0.01));
        assert_eq!(figures.errors, "2 503");
    }

    #[test]
    fn the_median_of_rounds_counts() {
        for (values, expected) in [
            (vec![], None),
            (vec![3.0], Some(3.0)),
            (vec![9.0, 1.0, 2.0], Some(2.0)),
            (vec![4.0, 1.0, 2.0, 9.0], Some(3.0)),
        ] {
            assert_eq!(median(values.clone()), expected, "row {values:?}");
        }
        let round = |cpu, errors: &str| Figures {
            cpu,
            errors: errors.to_owned(),
            ..Figures::default()
        };
        let median = Figures::median(&[round(1.0, ""), round(5.0, "1 timeout"), round(2.0, "")]);
        assert_eq!(median, Some(round(2.0, "1 timeout")));
    }
}
