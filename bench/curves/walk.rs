//! A full walk through the emulator's devices, and what decisions notice of it.

use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use hdrhistogram::Histogram;
use portreeve::access::DecisionPoint;
use portreeve::access::Trace;
use portreeve::net::Clock;
use portreeve::sync;
use portreeve::sync::State;

use crate::points::tell;
use crate::world::Order;
use crate::world::World;
use crate::world::decide;

/// Walks through so many devices while this thread decides about others.
pub(crate) fn measure(devices: u32) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut world = World::of_users(devices + READ);
    world.devices = READ;
    world.add_devices();
    let point = world.point(5);
    let idle = decisions(&point, |begun| begun.elapsed() >= IDLE);

    let (_emulator, section) = Emulator::start(folder.path(), devices)?;
    let (config, _) = sync::parse("source.toml", folder.path(), &section)
        .map_err(|problems| format!("{problems:?}"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let clock = Clock::start();
    let begun = Instant::now();
    let (handle, tasks) = {
        let _inside = runtime.enter();
        let clock = sync::Clock::new(move || clock.now());
        sync::start(&config, world.writer, &clock, |_| {}).map_err(|error| error.to_string())?
    };
    let mut problem = None;
    let during = decisions(&point, |begun| {
        let statuses = handle.status();
        let done = statuses
            .iter()
            .filter(|status| status.feed.ends_with("/devices"));
        let (mut over, mut any) = (true, false);
        for status in done {
            any = true;
            over &= status.state == State::Connected;
            problem = status
                .retrying
                .clone()
                .map(|error| format!("{error:?}"))
                .or_else(|| problem.take());
        }
        (any && over) || begun.elapsed() >= LONGEST
    });
    let walk = begun.elapsed();
    runtime.block_on(tasks.stop());
    let (known, expected) = (world.reader.device_count(), READ + devices);
    if u32::try_from(known) != Ok(expected) {
        let problem = problem.unwrap_or_default();
        return Err(format!(
            "{known} of {expected} devices are known: {problem}"
        ));
    }
    tell("full walk", walk.as_secs_f64());
    tell("decision p99.9, no walk", idle);
    tell("decision p99.9 during a walk", during);
    Ok(())
}

/// Nanoseconds within which all but a thousandth of the decisions were made, one at a time, until
/// `over`.
fn decisions(point: &DecisionPoint, mut over: impl FnMut(Instant) -> bool) -> f64 {
    let histogram = Histogram::<u64>::new_with_bounds(1, 10_000_000_000, 3);
    let mut histogram = histogram.expect("bounds from 1 ns to 10 s are allowed");
    let (mut order, mut trace) = (Order::new(READ), Trace::new());
    let started = Instant::now();
    while !over(started) {
        for _ in 0..1_000 {
            let number = order.next();
            let begun = Instant::now();
            decide(point, &mut trace, number);
            histogram.saturating_record(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(0));
        }
        // Decisions come now and then, and leave the processor to the walk.
        std::thread::park_timeout(PAUSE);
    }
    let p999 = histogram.value_at_quantile(0.999);
    Duration::from_nanos(p999).as_secs_f64() * 1e9
}

/// The emulated cloud, as long as it is needed.
struct Emulator(Child);

impl Emulator {
    /// Starts it and gives what it wants in source.toml.
    fn start(folder: &Path, devices: u32) -> Result<(Self, String), String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let release = program.parent().and_then(|deps| deps.parent());
        let lab: PathBuf = release.unwrap_or(&program).join("portreeve-lab");
        let mut child = Command::new(lab)
            .args(["emulate", "--listen", "127.0.0.1:0", "--users", "1000"])
            .args(["--devices", &devices.to_string(), "--secret-file"])
            .arg(folder.join("secret"))
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("portreeve-lab: {error}"))?;
        let out = child.stdout.take();
        let emulator = Self(child);
        let mut section = String::new();
        for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()) {
            let line = line.map_err(|error| error.to_string())?;
            if line.trim_start().starts_with("Then try") {
                break;
            }
            // As often as is usual, and not every ten seconds as for trying things out.
            if line.trim_start().starts_with("quick_interval") {
                continue;
            }
            if line.trim_start().starts_with("[[graph]]") || !section.is_empty() {
                section.push_str(line.trim_start());
                section.push('\n');
            }
        }
        Ok((emulator, section))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It holds nothing that could be lost.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Devices of another source, which decisions are about.
const READ: u32 = 100_000;

const IDLE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(300);
