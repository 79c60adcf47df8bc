//! Reader latency and memory of the inventory, with the writer running.
//!
//! `cargo bench --bench inventory` gives means by criterion at 100,000 devices.
//! `cargo bench --bench inventory -- percentiles [DEVICES]` loads DEVICES (default 1,000,000)
//! and prints, for one reader, mean and percentiles while the writer is idle, changes 10,000
//! devices a second, refreshes all devices unchanged, and refreshes all of them changed; and the
//! memory of the process for each device.
//! `cargo bench --bench inventory -- snapshot [DEVICES [USERS]]` saves the inventory and opens it
//! again, several times, and prints what takes how long.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and prints what it measured"
)]

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use criterion::Criterion;
use hdrhistogram::Histogram;

use portreeve::inventory::Complete;
use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Lookup;
use portreeve::inventory::Origin;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::inventory::open;
use portreeve::inventory::reopen;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::EntraDeviceId;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;
use portreeve::model::Platform;
use portreeve::model::SourceId;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::store::Format;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
    match arguments.next().map(String::as_str) {
        Some("percentiles") => {
            let devices = arguments.next().and_then(|number| number.parse().ok());
            percentiles(devices.unwrap_or(1_000_000));
        }
        Some("snapshot") => {
            let mut numbers = arguments.map_while(|number| number.parse().ok());
            let devices = numbers.next().unwrap_or(1_000_000);
            snapshot(devices, numbers.next().unwrap_or(50_000));
        }
        Some(_) | None => means(),
    }
}

fn means() {
    let mut criterion = Criterion::default().configure_from_args();
    let devices = 100_000;
    let (mut writer, reader, source) = loaded(devices);
    let mut group = criterion.benchmark_group("inventory");
    let mut order = Order::new(devices);
    group.bench_function("find by MAC address", |bencher| {
        bencher.iter(|| reader.find(&Identifier::Mac(mac(order.next()))));
    });
    group.bench_function("find by device id", |bencher| {
        bencher.iter(|| reader.find(&Identifier::Device(device(order.next()))));
    });
    group.bench_function("find nothing", |bencher| {
        bencher.iter(|| reader.find(&Identifier::Device(device(order.next() + devices))));
    });
    let names: Vec<String> = (0..devices).map(user_name).collect();
    let name = |number: u32| names.get(number as usize).map_or("", String::as_str);
    group.bench_function("find by ActiveSync id and user", |bencher| {
        bencher.iter(|| {
            let number = order.next();
            reader.find(&Identifier::Eas(eas(number), name(number)))
        });
    });
    group.bench_function("user by name", |bencher| {
        bencher.iter(|| reader.user(name(order.next())));
    });
    let mut round = 0;
    group.bench_function("change one device", |bencher| {
        bencher.iter(|| {
            round += 1;
            let update = Update::Device(report(order.next(), round));
            writer.apply(source, Timestamp::default(), vec![update])
        });
    });
    group.finish();
}

fn percentiles(devices: u32) {
    let before = resident();
    let started = Instant::now();
    let (mut writer, reader, source) = loaded(devices);
    let load = started.elapsed();
    let octets = resident().saturating_sub(before);
    println!(
        "{devices} devices and users loaded in {load:.2?}, {} octets of memory each",
        octets / u64::from(devices)
    );
    let changing = |writer: &mut Writer, done: &AtomicBool| {
        let (started, mut order, mut changed) = (Instant::now(), Order::new(devices), 0_u64);
        while !done.load(Ordering::Relaxed) {
            // A hundred at a time, as often as ten thousand a second asks for.
            if started.elapsed() < Duration::from_micros(changed * 100) {
                thread::yield_now();
                continue;
            }
            let updates = (0..100).map(|_| Update::Device(report(order.next(), changed / 100 + 1)));
            writer.apply(source, Timestamp::default(), updates.collect());
            changed += 100;
        }
        changed
    };
    let refreshing = |writer: &mut Writer, done: &AtomicBool, alter: bool| {
        let (mut written, mut round) = (0, 2);
        while !done.load(Ordering::Relaxed) {
            round += u64::from(alter);
            let list = complete(devices, round);
            let started = Instant::now();
            let changes = writer.replace(source, Timestamp::default(), list);
            let changes = changes.map_or(0, |changes| changes.len());
            println!(
                "    a walk was worked in within {:.2?}: {changes} changes",
                started.elapsed()
            );
            written += u64::from(devices);
        }
        written
    };
    measure("idle", &mut writer, &reader, devices, |_, done| {
        while !done.load(Ordering::Relaxed) {
            thread::park_timeout(Duration::from_millis(10));
        }
        0
    });
    measure("10,000 changes/s", &mut writer, &reader, devices, changing);
    // So that the next walk finds what it brings.
    let all_changed = writer.replace(source, Timestamp::default(), complete(devices, 2));
    assert!(all_changed.is_ok(), "a list of all devices is taken");
    measure(
        "unchanged walks",
        &mut writer,
        &reader,
        devices,
        |writer, done| refreshing(writer, done, false),
    );
    measure(
        "changed walks",
        &mut writer,
        &reader,
        devices,
        |writer, done| refreshing(writer, done, true),
    );
    let begun = Instant::now();
    let clock = (0..1_000_000).fold(begun, |_, _| Instant::now()) - begun;
    println!(
        "reading the clock costs {} ns",
        clock.as_nanos() / 1_000_000
    );
    println!(
        "memory at the end, walks in flight included: {} octets for each device",
        resident() / u64::from(devices)
    );
}

/// What a start with a snapshot takes, but for the rest of the gateway; and what a save takes.
fn snapshot(devices: u32, users: u32) {
    let (mut writer, reader) = open(Config::new([42; 16]));
    let source = writer.name_source("benchmark");
    let list = Complete {
        devices: (0..devices)
            .map(|number| DeviceReport {
                owner: UserId::parse(&user_name(number % users)),
                ..report(number, 1)
            })
            .collect(),
        users: (0..users).map(user).collect(),
        force: false,
    };
    let taken = writer.replace(source, Timestamp::default(), list);
    assert!(taken.is_ok(), "a list of all devices is taken");
    let folder = tempfile::tempdir().expect("there is a folder for files");
    let path = folder.path().join("snapshot");
    let format = Format {
        magic: *b"BENCHMRK",
        version: 1,
    };
    let origins = [Origin {
        name: "benchmark".to_owned(),
        place: String::new(),
    }];
    for round in 0..5 {
        let begun = Instant::now();
        let saved = reader.save();
        let copied = begun.elapsed();
        // What a change waits for in the middle of it.
        let longest = longest_change(&mut writer, &reader, source, devices);
        let begun = Instant::now();
        let written = format.write(&path, Timestamp::default(), &saved.parts());
        let octets = written.expect("the disk has room");
        let on_disk = begun.elapsed();
        drop(saved);
        let (begun, processor) = (Instant::now(), process_time());
        let file = format.read(&path).ok().flatten();
        let file = file.expect("what was written is read");
        let read = begun.elapsed();
        let (config, content) = (Config::new([round; 16]), file.content());
        let (_writer, again) =
            reopen(&config, &origins, content, in_threads).expect("what was saved is opened");
        let (opened, processor) = (begun.elapsed(), process_time() - processor);
        assert_eq!(again.device_count(), devices as usize);
        assert_eq!(again.user_count(), users as usize);
        look_up(&again, devices / 2);
        println!(
            "{octets} octets; save: copied in {copied:.0?}, a change waits {longest:.0?} at most, \
             to the disk in {on_disk:.0?}; open: {read:.0?} read and checked, {opened:.2?} in all, \
             {processor:.2?} of the processors"
        );
    }
}

/// The longest that a change of one device takes while the inventory is saved.
fn longest_change(
    writer: &mut Writer,
    reader: &Reader,
    source: SourceId,
    devices: u32,
) -> Duration {
    thread::scope(|scope| {
        let saving = scope.spawn(|| reader.save());
        let (mut order, mut longest) = (Order::new(devices), Duration::ZERO);
        while !saving.is_finished() {
            let update = Update::Device(report(order.next(), 1));
            let begun = Instant::now();
            writer.apply(source, Timestamp::default(), vec![update]);
            longest = longest.max(begun.elapsed());
            thread::sleep(Duration::from_millis(1));
        }
        longest
    })
}

/// Time that all threads of the process have been running, in steps of ten milliseconds.
fn process_time() -> Duration {
    let statistics = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = statistics.rsplit(')').next().unwrap_or_default();
    let ticks = behind_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// As many threads as there are cores.
fn in_threads(job: &(dyn Fn(usize) + Sync), jobs: usize) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(at) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < jobs) {
            job(at);
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
}

/// One reader on this thread, the writer on another.
fn measure(
    name: &str,
    writer: &mut Writer,
    reader: &Reader,
    devices: u32,
    write: impl FnOnce(&mut Writer, &AtomicBool) -> u64 + Send,
) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writing = scope.spawn(|| write(writer, &done));
        let mut order = Order::new(devices);
        let started = Instant::now();
        // All octaves of a second are wanted, so the histogram grows as it must.
        let mut histogram = Histogram::<u64>::new(3).expect("three digits are allowed");
        let (mut on_cpu, mut counted) = (0, 0_u32);
        while started.elapsed() < MEASURED {
            // The mean by processor time, so that neither the clock nor other programs count;
            // then each look-up by itself, which both do.
            let begun = processor_time();
            for _ in 0..100_000 {
                look_up(reader, order.next());
            }
            on_cpu += processor_time() - begun;
            counted += 100_000;
            for _ in 0..100_000 {
                let number = order.next();
                let begun = Instant::now();
                look_up(reader, number);
                let taken = begun.elapsed().as_nanos();
                histogram += u64::try_from(taken).unwrap_or(u64::MAX);
            }
        }
        let elapsed = started.elapsed();
        done.store(true, Ordering::Relaxed);
        let written = writing.join().unwrap_or(0);
        let at = |quantile| histogram.value_at_quantile(quantile);
        println!(
            "{name:>18}: mean {:.0} ns; with the clock p50 {} p99 {} p99.9 {} p99.99 {} max {} ns; {:.0} written/s",
            on_cpu as f64 / f64::from(counted),
            at(0.5),
            at(0.99),
            at(0.999),
            at(0.9999),
            at(1.0),
            written as f64 / elapsed.as_secs_f64(),
        );
    });
}

fn look_up(reader: &Reader, number: u32) {
    let found = reader.find(&Identifier::Mac(mac(number)));
    assert!(
        matches!(black_box(found), Lookup::Found(..)),
        "{number} is missing"
    );
}

fn loaded(devices: u32) -> (Writer, Reader, SourceId) {
    let (mut writer, reader) = open(Config {
        expected_devices: devices as usize,
        expected_names: devices as usize,
        ..Config::new([42; 16])
    });
    let source = writer.name_source("benchmark");
    for first in (0..devices).step_by(10_000) {
        let some = first..devices.min(first + 10_000);
        let users = some.clone().map(|number| Update::User(user(number)));
        let updates = users.chain(some.map(|number| Update::Device(report(number, 1))));
        writer.apply(source, Timestamp::default(), updates.collect());
    }
    (writer, reader, source)
}

fn complete(devices: u32, round: u64) -> Complete {
    Complete {
        devices: (0..devices).map(|number| report(number, round)).collect(),
        users: (0..devices).map(user).collect(),
        force: false,
    }
}

/// A device as Intune describes one: seven keys, one owner, all facts. Odd and even rounds differ.
fn report(number: u32, round: u64) -> DeviceReport {
    let compliance = if round.is_multiple_of(2) {
        ComplianceState::NonCompliant
    } else {
        ComplianceState::Compliant
    };
    DeviceReport {
        entra: Some(EntraDeviceId::from_u128(u128::from(number) << 64 | 1)),
        serial: format!("C02XG{number:07}").parse().ok(),
        macs: vec![mac(number)],
        eas: Some(eas(number)),
        owner: UserId::parse(&user_name(number)),
        name: Some(format!("phone of user {number}")),
        model: Some("iPhone 15 Pro".to_owned()),
        managed: Tri::Yes,
        registered: Tri::Yes,
        compliance: Some(compliance),
        eas_activated: Tri::Yes,
        encrypted: Tri::Yes,
        jailbroken: Tri::No,
        platform: Platform::Ios,
        os_version: "17.6.1".parse().unwrap_or_default(),
        ..DeviceReport::new(device(number))
    }
}

fn user(number: u32) -> UserReport {
    let name = UserId::parse(&user_name(number));
    let user = UserReport::new(name.expect("a user name is not empty"));
    UserReport {
        enabled: Tri::Yes,
        groups: vec![
            GroupId::named("staff"),
            GroupId::named(GROUPS[number as usize % GROUPS.len()]),
        ],
        ..user
    }
}

fn user_name(number: u32) -> String {
    format!("user{number}@contoso.com")
}

fn device(number: u32) -> DeviceId {
    DeviceId::from_u128(u128::from(number) + 1)
}

fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress::new([0x00, 0x1b, a, b, c, d])
}

fn eas(number: u32) -> EasDeviceId {
    let text = format!("applf17{number:025}");
    EasDeviceId::parse(text.as_bytes()).expect("32 letters and digits")
}

/// Numbers in an order that no cache foresees.
struct Order {
    state: u64,
    below: u32,
}

impl Order {
    const fn new(below: u32) -> Self {
        Self {
            state: 0x9e37_79b9_7f4a_7c15,
            below,
        }
    }

    const fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (((self.state >> 32) * self.below as u64) >> 32) as u32
    }
}

/// Nanoseconds that this thread has been running.
fn processor_time() -> u64 {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let running = statistics.split(' ').next();
    running.and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

/// Octets of memory that the process has.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

const MEASURED: Duration = Duration::from_secs(5);

const GROUPS: [&str; 4] = ["sales", "engineering", "support", "students"];
