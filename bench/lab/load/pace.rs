//! When operations begin.
//!
//! *Closed loop*: so many are in flight, the next begins when one has ended. It finds the most
//! that a server can do, and its latency is that of a server at its limit.
//!
//! *Open loop*: so many begin each second, answered or not, as devices do that know nothing of
//! each other. Latency counts from the moment at which an operation *should* have begun, so that
//! a server that stands still for a second is charged for all who came in that second, and not
//! only for the one that the generator was waiting for (coordinated omission).

use std::time::Duration;

use clap::Args;
use portreeve::model::Monotonic;

/// How much, how fast, how long.
#[derive(Clone, Debug, Args)]
pub(super) struct PaceArguments {
    /// Closed loop: keep this many operations in flight.
    #[arg(long, value_name = "N", default_value_t = 64, conflicts_with = "rate",
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    outstanding: u32,
    /// Open loop: begin this many operations each second, answered or not.
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    rate: Option<u64>,
    /// Stop after this many operations.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this many seconds in any case.
    #[arg(long, value_name = "S", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

impl PaceArguments {
    /// Closed or open loop.
    pub(super) fn pace(&self) -> Pace {
        match self.rate {
            Some(rate) => Pace::Open { rate },
            None => Pace::Closed {
                outstanding: self.outstanding,
            },
        }
    }

    /// The plan of generator thread `thread` of `threads`.
    pub(super) fn plan(&self, start: Monotonic, thread: u32, threads: u32) -> Plan {
        let pace = match self.pace() {
            Pace::Open { rate } => Pace::Open { rate },
            Pace::Closed { outstanding } => Pace::Closed {
                outstanding: share(u64::from(outstanding), thread, threads)
                    .try_into()
                    .unwrap_or(u32::MAX),
            },
        };
        Plan {
            start,
            until: start + self.duration(),
            pace,
            thread: thread.into(),
            threads: threads.into(),
            count: self
                .count
                .map_or(u64::MAX, |count| share(count, thread, threads)),
            begun: 0,
        }
    }

    /// A plan of `count` operations of one thread, in a closed loop, for what has to be done before
    /// a measurement.
    pub(super) fn first_round(
        &self,
        start: Monotonic,
        thread: u32,
        threads: u32,
        count: u64,
    ) -> Plan {
        let whole = match self.pace() {
            Pace::Closed { outstanding } => outstanding,
            Pace::Open { .. } => FIRST_ROUND,
        };
        let own = share(u64::from(whole), thread, threads).max(1);
        Plan {
            start,
            until: start + LONGEST_FIRST_ROUND,
            pace: Pace::Closed {
                outstanding: own.try_into().unwrap_or(u32::MAX),
            },
            thread: thread.into(),
            threads: threads.into(),
            count,
            begun: 0,
        }
    }

    /// The same for so many seconds.
    pub(super) fn lasting(&self, seconds: u64) -> Self {
        Self {
            seconds,
            ..self.clone()
        }
    }

    /// An open loop of `count` operations.
    pub(super) fn open_loop(rate: u64, count: u64, seconds: u64) -> Self {
        Self {
            outstanding: 1,
            rate: Some(rate),
            count: Some(count),
            seconds,
        }
    }

    /// The longest it may take, apart from the answers that are still waited for.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// At most this many operations are in flight; `ceiling` in the open loop.
    pub(super) fn most_in_flight(&self, ceiling: usize) -> usize {
        match self.pace() {
            Pace::Closed { outstanding } => usize::try_from(outstanding).unwrap_or(ceiling),
            Pace::Open { .. } => ceiling,
        }
    }
}

/// What part of `whole` falls to one of `threads`.
fn share(whole: u64, thread: u32, threads: u32) -> u64 {
    let (thread, threads) = (u64::from(thread), u64::from(threads.max(1)));
    whole / threads + u64::from(thread < whole % threads)
}

/// Closed or open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    Closed { outstanding: u32 },
    Open { rate: u64 },
}

/// The operations of one thread: which is next, and when.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    start: Monotonic,
    until: Monotonic,
    pace: Pace,
    thread: u64,
    threads: u64,
    count: u64,
    begun: u64,
}

impl Plan {
    /// The next operation if it should begin now: its number, and when it should have begun.
    pub(super) fn next(&mut self, now: Monotonic, in_flight: usize) -> Option<(u64, Monotonic)> {
        if self.is_over(now) {
            return None;
        }
        let intended = match self.pace {
            Pace::Closed { outstanding } => {
                let full = in_flight >= usize::try_from(outstanding).unwrap_or(usize::MAX);
                (!full).then_some(now)?
            }
            Pace::Open { .. } => {
                let intended = self.intended()?;
                (intended <= now && intended < self.until).then_some(intended)?
            }
        };
        let number = self.number();
        self.begun += 1;
        Some((number, intended))
    }

    /// How long until the next operation of an open loop.
    pub(super) fn wait(&self, now: Monotonic) -> Option<Duration> {
        if self.begun >= self.count {
            return None;
        }
        let next = self.intended()?;
        (next < self.until).then(|| now.until(next))
    }

    /// Whether no operation will begin any more. What an open loop could not begin in time may
    /// still begin for a moment: it would be left out of the latencies otherwise.
    pub(super) fn is_over(&self, now: Monotonic) -> bool {
        let time_is_over = match self.intended() {
            Some(next) => next >= self.until || now >= self.until + CATCH_UP,
            None => now >= self.until,
        };
        self.begun >= self.count || time_is_over
    }

    /// Operations of an open loop whose time came and that never began: there was no room for
    /// them in flight. To be called when the plan is over.
    pub(super) fn missed(&self) -> u64 {
        let Pace::Open { rate } = self.pace else {
            return 0;
        };
        let nanos = self.until.since(self.start).as_nanos();
        let all = (nanos * u128::from(rate)).div_ceil(NANOS);
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        let own = (all + self.threads - 1 - self.thread) / self.threads;
        own.min(self.count).saturating_sub(self.begun)
    }

    /// Whether operations have a time of their own.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.pace, Pace::Open { .. })
    }

    /// When it began.
    pub(super) const fn start(&self) -> Monotonic {
        self.start
    }

    /// When it ends at the latest.
    pub(super) const fn until(&self) -> Monotonic {
        self.until
    }

    /// Numbers go round the threads, so that together they have each number once.
    const fn number(&self) -> u64 {
        self.begun * self.threads + self.thread
    }

    fn intended(&self) -> Option<Monotonic> {
        let Pace::Open { rate } = self.pace else {
            return None;
        };
        let nanos = u128::from(self.number()) * NANOS / u128::from(rate);
        Some(self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

const NANOS: u128 = 1_000_000_000;

/// How long an open loop may catch up after its end.
const CATCH_UP: Duration = Duration::from_secs(1);

/// In flight before the measurement of an open loop: enough for each core of any server.
const FIRST_ROUND: u32 = 64;

/// A hundred thousand handshakes at the pace of one core.
const LONGEST_FIRST_ROUND: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(rate: Option<u64>, outstanding: u32, count: Option<u64>) -> PaceArguments {
        PaceArguments {
            outstanding,
            rate,
            count,
            seconds: 2,
        }
    }

    fn at(millis: u64) -> Monotonic {
        Monotonic::default() + Duration::from_millis(millis)
    }

    #[test]
    fn a_closed_loop_begins_when_one_has_ended() {
        let mut plan = arguments(None, 2, Some(3)).plan(at(0), 0, 1);
        assert_eq!(plan.next(at(5), 0), Some((0, at(5))));
        assert_eq!(plan.next(at(5), 1), Some((1, at(5))));
        assert_eq!(plan.next(at(6), 2), None, "two are in flight");
        assert_eq!(plan.next(at(7), 1), Some((2, at(7))));
        assert_eq!(plan.next(at(8), 0), None, "three have begun");
        assert!(plan.is_over(at(8)));
        assert_eq!(plan.missed(), 0);
    }

    #[test]
    fn an_open_loop_dates_late_operations_by_when_they_were_due() {
        let mut plan = arguments(Some(10), 1, None).plan(at(0), 0, 1);
        assert_eq!(plan.next(at(0), 0), Some((0, at(0))));
        assert_eq!(plan.next(at(0), 1), None);
        assert_eq!(plan.wait(at(0)), Some(Duration::from_millis(100)));
        // The generator could not look for 350 ms: three have become due meanwhile.
        let due: Vec<_> = std::iter::from_fn(|| plan.next(at(350), 1)).collect();
        assert_eq!(due, [(1, at(100)), (2, at(200)), (3, at(300))]);
    }

    #[test]
    fn what_an_open_loop_never_began_is_counted() {
        for (threads, begun_until, expected) in [(1, 500, 14), (2, 500, 14), (3, 2999, 0)] {
            let mut missed = 0;
            let mut numbers = Vec::new();
            for thread in 0..threads {
                let mut plan = arguments(Some(10), 1, None).plan(at(0), thread, threads);
                while let Some((number, _)) = plan.next(at(begun_until), 0) {
                    numbers.push(number);
                }
                assert!(plan.is_over(at(3000)), "also the time to catch up");
                assert_eq!(plan.next(at(3000), 0), None, "the time is over");
                missed += plan.missed();
            }
            numbers.sort_unstable();
            let all: Vec<u64> = (0..20 - expected).collect();
            assert_eq!(numbers, all, "{threads} threads");
            assert_eq!(missed, expected, "{threads} threads until {begun_until} ms");
        }
    }

    #[test]
    fn threads_share_counts_without_losing_any() {
        for (whole, threads) in [(10, 3), (1, 4), (0, 2), (64, 2)] {
            let sum: u64 = (0..threads)
                .map(|thread| share(whole, thread, threads))
                .sum();
            assert_eq!(sum, whole, "{whole} over {threads}");
        }
    }
}
