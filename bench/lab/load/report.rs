//! What came out of a run: one JSON line, and on a terminal a picture above it.

use std::collections::BTreeMap;
use std::io;
use std::io::IsTerminal;
use std::io::Write;
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;
use serde::Serialize;

use super::histogram::picture;
use super::pace::Pace;
use super::process::Process;

/// How a run reports.
#[derive(Clone, Debug, Args)]
pub(super) struct ReportArguments {
    /// Number of the server's process: its processor time for each operation is reported.
    #[arg(long, value_name = "PID")]
    pub(super) server_pid: Option<u32>,
    /// Print the JSON line only, on a terminal too.
    #[arg(long)]
    json: bool,
}

impl ReportArguments {
    /// Whether nothing but JSON is wanted.
    pub(super) const fn is_json(&self) -> bool {
        self.json
    }
}

/// What the operations of one thread came to.
#[derive(Debug)]
pub(super) struct Tally {
    /// Nanoseconds from when an operation should have begun to its right answer.
    latency: Histogram<u64>,
    /// Nanoseconds by which operations began late.
    lag: Histogram<u64>,
    /// Latencies of parts that are worth telling apart.
    parts: BTreeMap<&'static str, Histogram<u64>>,
    errors: BTreeMap<&'static str, u64>,
    /// What is worth knowing and no error.
    notes: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            latency: histogram(),
            lag: histogram(),
            parts: BTreeMap::new(),
            errors: BTreeMap::new(),
            notes: BTreeMap::new(),
        }
    }

    /// An operation has begun so long after its time.
    pub(super) fn begin(&mut self, lag: Duration) {
        self.lag.saturating_record(nanos(lag));
    }

    /// An operation ended as it should.
    pub(super) fn succeed(&mut self, latency: Duration) {
        self.latency.saturating_record(nanos(latency));
    }

    /// An operation that [`Tally::succeed`] has counted belongs to this part.
    pub(super) fn succeed_in(&mut self, part: &'static str, latency: Duration) {
        let part = self.parts.entry(part).or_insert_with(histogram);
        part.saturating_record(nanos(latency));
    }

    /// An operation went wrong.
    pub(super) fn fail(&mut self, kind: &'static str) {
        self.fail_many(kind, 1);
    }

    /// Several operations went wrong in the same way.
    pub(super) fn fail_many(&mut self, kind: &'static str, count: u64) {
        if count > 0 {
            *self.errors.entry(kind).or_default() += count;
        }
    }

    /// Counts what is no error.
    pub(super) fn note(&mut self, kind: &'static str) {
        self.note_many(kind, 1);
    }

    /// Several of them.
    pub(super) fn note_many(&mut self, kind: &'static str, count: u64) {
        if count > 0 {
            *self.notes.entry(kind).or_default() += count;
        }
    }

    /// What is no error, of one kind.
    pub(super) fn noted(&self, kind: &str) -> u64 {
        self.notes.get(kind).copied().unwrap_or(0)
    }

    /// Adds another thread's.
    pub(super) fn add(&mut self, other: Self) {
        for (own, other) in [
            (&mut self.latency, &other.latency),
            (&mut self.lag, &other.lag),
        ] {
            if let Err(error) = own.add(other) {
                unreachable!("all histograms have the same bounds: {error}");
            }
        }
        for (part, latency) in &other.parts {
            let own = self.parts.entry(part).or_insert_with(histogram);
            if let Err(error) = own.add(latency) {
                unreachable!("all histograms have the same bounds: {error}");
            }
        }
        for (kind, count) in other.errors {
            self.fail_many(kind, count);
        }
        for (kind, count) in other.notes {
            *self.notes.entry(kind).or_default() += count;
        }
    }

    /// Operations that ended as they should.
    pub(super) fn succeeded(&self) -> u64 {
        self.latency.len()
    }

    /// Operations that went wrong in this way.
    pub(super) fn failures(&self, kind: &str) -> u64 {
        self.errors.get(kind).copied().unwrap_or(0)
    }

    /// Operations that went wrong.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

/// What is measured around a run.
#[derive(Debug)]
pub(super) struct Meter {
    server: Option<Process>,
    server_before: Duration,
    own_before: Duration,
}

impl Meter {
    /// Reads what was spent before.
    pub(super) fn start(arguments: &ReportArguments) -> io::Result<Self> {
        let server = arguments.server_pid.map(Process::of);
        let server_before = match &server {
            Some(server) => server.processor_time()?,
            None => Duration::ZERO,
        };
        Ok(Self {
            server,
            server_before,
            own_before: Process::own().processor_time()?,
        })
    }

    /// Reads what has been spent since.
    fn stop(&self) -> io::Result<(Option<Duration>, Duration)> {
        let own = Process::own()
            .processor_time()?
            .saturating_sub(self.own_before);
        let Some(server) = &self.server else {
            return Ok((None, own));
        };
        let spent = server.processor_time()?.saturating_sub(self.server_before);
        Ok((Some(spent), own))
    }
}

/// The JSON line. Times are in microseconds unless the name says otherwise.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// Which generator, with what.
    load: &'a str,
    /// Against what.
    server: &'a str,
    /// `closed` or `open`.
    #[serde(rename = "loop")]
    pace: &'static str,
    /// Operations in flight, of a closed loop.
    outstanding: Option<u32>,
    /// Operations a second that were asked for, of an open loop.
    rate: Option<u64>,
    seconds: f64,
    /// Operations that ended as they should.
    operations: u64,
    per_second: f64,
    /// Operations that went wrong, by kind.
    errors: &'a BTreeMap<&'static str, u64>,
    notes: &'a BTreeMap<&'static str, u64>,
    latency_us: Percentiles,
    /// The same of each part, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parts: BTreeMap<&'static str, Part>,
    /// By how much operations began late; large values say that the generator was the limit.
    begun_late_us: Late,
    server_cpu_us: Option<f64>,
    generator_cpu_us: f64,
    /// Share of the generator's threads that was busy, 0 to 1.
    generator_busy: f64,
}

#[derive(Debug, Serialize)]
struct Percentiles {
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    #[serde(rename = "p99.9")]
    p999: f64,
    max: f64,
}

#[derive(Debug, Serialize)]
struct Part {
    operations: u64,
    latency_us: Percentiles,
}

#[derive(Debug, Serialize)]
struct Late {
    p50: f64,
    p99: f64,
    max: f64,
}

/// A run, to be reported.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// Which generator, with what.
    pub(super) load: &'a str,
    /// Against what.
    pub(super) server: &'a str,
    pub(super) pace: Pace,
    /// From the first operation to the last answer.
    pub(super) elapsed: Duration,
    /// Threads of the generator.
    pub(super) threads: u32,
}

impl Run<'_> {
    /// Prints; an error says that operations went wrong.
    pub(super) fn report(
        &self,
        arguments: &ReportArguments,
        meter: &Meter,
        tally: &Tally,
    ) -> io::Result<()> {
        let (server, own) = meter.stop()?;
        let line = self.line(tally, server, own);
        let mut out = io::stdout().lock();
        if !arguments.json && out.is_terminal() {
            write!(out, "{}{}", picture(&tally.latency), summary(&line))?;
        }
        serde_json::to_writer(&mut out, &line)?;
        writeln!(out)?;
        verdict(tally)
    }

    fn line<'a>(&'a self, tally: &'a Tally, server: Option<Duration>, own: Duration) -> Line<'a> {
        let operations = tally.succeeded();
        let all = operations + tally.failed();
        let seconds = self.elapsed.as_secs_f64();
        let (outstanding, rate, pace) = match self.pace {
            Pace::Closed { outstanding } => (Some(outstanding), None, "closed"),
            Pace::Open { rate } => (None, Some(rate), "open"),
        };
        let each = |time: Duration| round(time.as_secs_f64() * 1e6 / count(all.max(1)));
        Line {
            load: self.load,
            server: self.server,
            pace,
            outstanding,
            rate,
            seconds: round(seconds),
            operations,
            per_second: (count(operations) / seconds.max(1e-9)).round(),
            errors: &tally.errors,
            notes: &tally.notes,
            latency_us: percentiles(&tally.latency),
            parts: tally
                .parts
                .iter()
                .map(|(name, latency)| {
                    let part = Part {
                        operations: latency.len(),
                        latency_us: percentiles(latency),
                    };
                    (*name, part)
                })
                .collect(),
            begun_late_us: Late {
                p50: at(&tally.lag, 0.5),
                p99: at(&tally.lag, 0.99),
                max: micros(tally.lag.max()),
            },
            server_cpu_us: server.map(each),
            generator_cpu_us: each(own),
            generator_busy: round(
                own.as_secs_f64() / (seconds.max(1e-9) * f64::from(self.threads.max(1))),
            ),
        }
    }
}

/// Wrong operations are an error of the run.
pub(super) fn verdict(tally: &Tally) -> io::Result<()> {
    let (right, wrong) = (tally.succeeded(), tally.failed());
    if wrong == 0 && right > 0 {
        return Ok(());
    }
    let kinds: Vec<String> = tally
        .errors
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let message = if kinds.is_empty() {
        "no operation was done".to_owned()
    } else {
        format!(
            "{wrong} of {} operations went wrong: {}",
            right + wrong,
            kinds.join(", ")
        )
    };
    Err(io::Error::other(message))
}

fn summary(line: &Line<'_>) -> String {
    let mut text = format!(
        "\n{} operations in {} s, {} a second; p50 {} µs, p99 {} µs, p99.9 {} µs, max {} µs\n",
        line.operations,
        line.seconds,
        line.per_second,
        line.latency_us.p50,
        line.latency_us.p99,
        line.latency_us.p999,
        line.latency_us.max,
    );
    if let Some(server) = line.server_cpu_us {
        text.push_str(&format!(
            "server: {server} µs of processor time for each operation\n"
        ));
    }
    if line.generator_busy > BUSY {
        text.push_str(
            "the generator was busy nearly all the time: it may be the limit, not the server\n",
        );
    }
    text.push('\n');
    text
}

/// 1 ns to 10 minutes in three digits; what is longer counts as that. About 250 KiB.
pub(super) fn histogram() -> Histogram<u64> {
    match Histogram::new_with_bounds(1, 600_000_000_000, 3) {
        Ok(histogram) => histogram,
        Err(error) => unreachable!("constant bounds are right: {error}"),
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn percentiles(latency: &Histogram<u64>) -> Percentiles {
    Percentiles {
        mean: round(latency.mean() / 1e3),
        p50: at(latency, 0.5),
        p90: at(latency, 0.9),
        p99: at(latency, 0.99),
        p999: at(latency, 0.999),
        max: micros(latency.max()),
    }
}

fn at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    micros(histogram.value_at_quantile(quantile))
}

fn micros(nanos: u64) -> f64 {
    round(count(nanos) / 1e3)
}

/// To a hundredth.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Exact up to 2^53, which is a hundred days in nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "there is no lossless way, and nothing here is that large"
)]
const fn count(value: u64) -> f64 {
    value as f64
}

/// Above this share of its time a generator is suspected to be the limit.
const BUSY: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run<'static> {
        Run {
            load: "test",
            server: "nowhere",
            pace: Pace::Open { rate: 7 },
            elapsed: Duration::from_secs(2),
            threads: 1,
        }
    }

    #[test]
    fn a_line_has_rates_percentiles_and_costs() {
        let mut tally = Tally::new();
        for _ in 0..99 {
            tally.succeed(Duration::from_micros(100));
        }
        tally.succeed_in("block", Duration::from_micros(100));
        tally.fail("timeout");
        let cpu = Duration::from_millis(1);
        let line = serde_json::to_value(run().line(&tally, Some(cpu), cpu * 2)).unwrap();
        assert_eq!(line["operations"], 99);
        assert_eq!(line["per_second"], 50.0);
        assert_eq!(line["errors"]["timeout"], 1);
        assert_eq!(line["server_cpu_us"], 10.0, "divided by all hundred");
        assert_eq!(line["generator_cpu_us"], 20.0);
        let p50 = line["latency_us"]["p50"].as_f64().unwrap();
        assert!((p50 - 100.0).abs() < 0.2, "{p50}");
        assert_eq!(line["parts"]["block"]["operations"], 1);
    }

    #[test]
    fn a_run_is_good_only_if_every_operation_was() {
        let mut tally = Tally::new();
        assert!(verdict(&tally).is_err(), "nothing was done");
        tally.succeed(Duration::from_micros(1));
        assert!(verdict(&tally).is_ok());
        let mut other = Tally::new();
        other.fail_many("timeout", 2);
        other.fail_many("wrong_vlan", 0);
        tally.add(other);
        let error = verdict(&tally).unwrap_err().to_string();
        assert_eq!(error, "2 of 3 operations went wrong: 2 timeout");
    }
}
