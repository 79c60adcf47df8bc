//! From a subject to a decision: the device is looked up, the user too, and every policy is
//! evaluated with its trace, while a writer changes 10,000 devices a second.
//!
//! `cargo bench --bench decide` gives means by criterion, at 100,000 devices.
//! `cargo bench --bench decide -- percentiles [DEVICES]` loads DEVICES (default 1,000,000) and
//! prints mean and percentiles at 5 and 50 policies, with the writer idle and running.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

#[path = "decide/world.rs"]
mod world;

use std::hint::black_box;
use std::io::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use criterion::BenchmarkId;
use criterion::Criterion;
use hdrhistogram::Histogram;
use nix::time::ClockId;
use portreeve::access::DecisionPoint;
use portreeve::access::Trace;

use world::NOW;
use world::Order;
use world::USERS;
use world::World;
use world::decide;
use world::report;
use world::user_name;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
    match arguments.next().map(String::as_str) {
        Some("percentiles") => {
            let devices = arguments.next().and_then(|number| number.parse().ok());
            percentiles(devices.unwrap_or(1_000_000));
        }
        Some(_) | None => means(),
    }
}

fn means() {
    let mut criterion = Criterion::default().configure_from_args();
    let devices = 100_000;
    let mut world = World::load(devices);
    let mut group = criterion.benchmark_group("decide");
    for policies in POLICIES {
        let point = world.point(policies);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| change(&mut world, &done));
            let (mut order, mut trace) = (Order::new(devices), Trace::new());
            group.bench_function(BenchmarkId::new("policies", policies), |bencher| {
                bencher.iter(|| decide(&point, &mut trace, order.next()));
            });
            done.store(true, Ordering::Relaxed);
        });
    }
    group.finish();
}

fn percentiles(devices: u32) {
    let mut world = World::load(devices);
    print(&format!("{devices} devices, {USERS} users"));
    for policies in POLICIES {
        let point = world.point(policies);
        measure(
            &format!("{policies} policies, writer idle"),
            &point,
            devices,
        );
        let done = AtomicBool::new(false);
        let (written, elapsed) = thread::scope(|scope| {
            let writing = scope.spawn(|| change(&mut world, &done));
            let started = Instant::now();
            let name = format!("{policies} policies, 10,000 changes/s");
            measure(&name, &point, devices);
            done.store(true, Ordering::Relaxed);
            let written = writing.join().unwrap_or(0);
            (written, started.elapsed())
        });
        print(&format!(
            "    the writer made {:.0} changes a second",
            f64::from(written) / elapsed.as_secs_f64()
        ));
    }
    let begun = Instant::now();
    let clock = (0..1_000_000).fold(begun, |_, _| Instant::now()) - begun;
    let (mut order, mut name) = (Order::new(devices), [0; 32]);
    let before = processor_time();
    for _ in 0..1_000_000 {
        black_box(user_name(&mut name, order.next() % USERS));
    }
    let subject = processor_time() - before;
    print(&format!(
        "of each, making the subject costs {} ns, and with the clock reading it costs {} ns",
        subject.as_nanos() / 1_000_000,
        clock.as_nanos() / 1_000_000
    ));
}

/// One deciding thread: the mean by processor time, then each decision by itself.
fn measure(name: &str, point: &DecisionPoint, devices: u32) {
    let histogram = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3);
    let mut histogram = histogram.expect("bounds from 1 ns to 10 s are allowed");
    let (mut order, mut trace) = (Order::new(devices), Trace::new());
    let (mut spent, mut counted) = (Duration::ZERO, 0);
    let started = Instant::now();
    while started.elapsed() < MEASURED {
        let before = processor_time();
        for _ in 0..BATCH {
            decide(point, &mut trace, order.next());
        }
        spent += processor_time() - before;
        counted += BATCH;
        for _ in 0..BATCH {
            let number = order.next();
            let begun = Instant::now();
            decide(point, &mut trace, number);
            histogram
                .saturating_record(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    print(&format!(
        "{name:>32}: mean {} ns of processor time; with the clock p50 {} p99 {} p99.9 {} p99.99 \
         {} max {} ns",
        (spent / counted).as_nanos(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(0.9999),
        at(1.0),
    ));
}

/// 10,000 changes a second, a hundred at a time, until `done`; gives how many they were.
fn change(world: &mut World, done: &AtomicBool) -> u32 {
    let (started, mut order, mut changed) = (Instant::now(), Order::new(world.devices), 0);
    while !done.load(Ordering::Relaxed) {
        let due = started + Duration::from_micros(100) * changed;
        let wait = due.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            thread::park_timeout(wait);
            continue;
        }
        let compliant = changed / 100 % 2 == 0;
        let updates = (0..100).map(|_| report(order.next(), compliant)).collect();
        world.writer.apply(world.source, NOW, updates);
        changed += 100;
    }
    changed
}

/// Of this thread, so that other programs do not count.
fn processor_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.expect("Linux has this clock").into()
}

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
}

const POLICIES: [usize; 2] = [5, 50];

const BATCH: u32 = 10_000;

const MEASURED: Duration = Duration::from_secs(5);
