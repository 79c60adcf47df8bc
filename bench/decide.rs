//! From a subject to a decision: the device is looked up, the user too, and every policy is
//! evaluated with its trace, while a writer changes 10,000 devices a second.
//!
//! `cargo bench --bench decide` gives means by criterion, at 100,000 devices.
//! `cargo bench --bench decide -- percentiles [DEVICES]` loads DEVICES (default 1,000,000) and
//! prints mean and percentiles at 5 and 50 policies, with the writer idle and running.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::fmt::Write as _;
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
use portreeve::inventory::Config;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Reader;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::inventory::Writer;
use portreeve::inventory::open;
use portreeve::model::ComplianceState;
use portreeve::model::Credential;
use portreeve::model::DeviceId;
use portreeve::model::Established;
use portreeve::model::GroupId;
use portreeve::model::Identifier;
use portreeve::model::MacAddress;
use portreeve::model::Medium;
use portreeve::model::NasContext;
use portreeve::model::Plane;
use portreeve::model::Platform;
use portreeve::model::Presented;
use portreeve::model::SourceId;
use portreeve::model::Subject;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::model::Verdict;
use portreeve::policy::Policy;
use portreeve::policy::parse;

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
    let mut world = World::load(100_000);
    let mut group = criterion.benchmark_group("decide");
    for policies in POLICIES {
        let point = world.point(policies);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| world.change(&done));
            let (mut order, mut trace) = (Order::new(100_000), Trace::new());
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
            let writing = scope.spawn(|| world.change(&done));
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

/// A laptop with a certificate on the Wi-Fi.
fn decide(point: &DecisionPoint, trace: &mut Trace, number: u32) {
    let mut name = [0; 32];
    let user = user_name(&mut name, number % USERS);
    let device = [
        Presented {
            identifier: Identifier::Device(device(number)),
            established: Established::Proven,
        },
        Presented {
            identifier: Identifier::Mac(mac(number)),
            established: Established::Claimed,
        },
    ];
    let subject = Subject {
        plane: Plane::Network,
        user: Some(user),
        credential: Credential::Certificate,
        device: &device,
        nas: Some(NasContext {
            name: "controller-7",
            group: "office",
            medium: Medium::Wireless,
            ssid: Some("corp"),
        }),
        mail: None,
    };
    let decided = black_box(point.decide(NOW, &subject, trace));
    // A device that is just being changed is in quarantine; nothing else may happen.
    assert!(
        decided.decision.verdict != Verdict::Block,
        "{:?}",
        decided.decision
    );
}

struct World {
    writer: Writer,
    reader: Reader,
    source: SourceId,
    devices: u32,
}

impl World {
    fn load(devices: u32) -> Self {
        let (mut writer, reader) = open(Config {
            expected_devices: usize::try_from(devices).unwrap_or(0),
            expected_names: usize::try_from(USERS).unwrap_or(0),
            ..Config::new([42; 16])
        });
        let source = writer.name_source("benchmark");
        writer.apply(source, NOW, (0..USERS).map(user).collect());
        for first in (0..devices).step_by(10_000) {
            let some = first..devices.min(first + 10_000);
            writer.apply(
                source,
                NOW,
                some.map(|number| report(number, true)).collect(),
            );
        }
        Self {
            writer,
            reader,
            source,
            devices,
        }
    }

    fn point(&self, policies: usize) -> DecisionPoint {
        DecisionPoint::new(self.reader.clone(), policy(policies))
    }

    /// 10,000 changes a second, a hundred at a time, until `done`; gives how many they were.
    fn change(&mut self, done: &AtomicBool) -> u32 {
        let (started, mut order, mut changed) = (Instant::now(), Order::new(self.devices), 0);
        while !done.load(Ordering::Relaxed) {
            let due = started + Duration::from_micros(100) * changed;
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                thread::park_timeout(wait);
                continue;
            }
            let compliant = changed / 100 % 2 == 0;
            let updates = (0..100).map(|_| report(order.next(), compliant)).collect();
            self.writer.apply(self.source, NOW, updates);
            changed += 100;
        }
        changed
    }
}

fn report(number: u32, compliant: bool) -> Update {
    let mut name = [0; 32];
    Update::Device(DeviceReport {
        macs: vec![mac(number)],
        owner: UserId::parse(user_name(&mut name, number % USERS)),
        managed: Tri::Yes,
        registered: Tri::Yes,
        compliance: Some(if compliant {
            ComplianceState::Compliant
        } else {
            ComplianceState::NonCompliant
        }),
        encrypted: Tri::Yes,
        jailbroken: Tri::No,
        platform: Platform::Windows,
        os_version: "10.0.22631".parse().unwrap_or_default(),
        ..DeviceReport::new(device(number))
    })
}

fn user(number: u32) -> Update {
    let mut name = [0; 32];
    let name = UserId::parse(user_name(&mut name, number)).expect("it is not empty");
    Update::User(UserReport {
        enabled: Tri::Yes,
        groups: ["staff", "vpn", "project-7", "everybody"]
            .map(GroupId::named)
            .to_vec(),
        ..UserReport::new(name)
    })
}

/// `count` policies that all apply: one on health, the others on access, five checks each.
fn policy(count: usize) -> Policy {
    let mut text = HEAD.to_owned();
    for number in 1..count {
        write!(
            text,
            "[[conditional]]\nname = \"Network {number}\"\nplanes = [\"network\"]\n\
             targets = [\"staff\"]\nexempt = [\"guests\"]\n\
             when = {{ platforms = [\"windows\", \"macos\"], media = [\"wireless\"] }}\n\
             require = [\"managed\", \"registered\", \"compliant\"]\notherwise = \"quarantine\"\n\n",
        )
        .expect("a String takes everything");
    }
    let (policy, _) = parse("bench", &text).expect("a policy of ours");
    assert_eq!(policy.len(), count);
    policy
}

const HEAD: &str = r#"
[groups]
staff = "staff"
guests = "guests"
rescue = "rescue"

[break_glass]
members = ["rescue"]

[defaults]
not_targeted = "allow"
no_policy_applies = "quarantine"
no_credential = "quarantine"
unknown_user = "block"
unknown_device = "quarantine"
ambiguous_device = "block"
device_of_another_user = "block"
unmanaged_device = "quarantine"
evaluating = "quarantine"
no_compliance_policy = "compliant"

[stale.network]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[stale.mail]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[stale.web]
fresh_for = "24h"
grace_for = "24h"
then = "quarantine"

[[compliance]]
name = "Health"
targets = ["staff"]
require = { source_verdict = true, encrypted = true, not_jailbroken = true, min_os = { windows = "10.0.19045" } }

"#;

fn device(number: u32) -> DeviceId {
    DeviceId::from_u128(u128::from(number) + 1)
}

fn mac(number: u32) -> MacAddress {
    let [a, b, c, d] = number.to_be_bytes();
    MacAddress::new([0x00, 0x1b, a, b, c, d])
}

/// Written into `buffer`, because a decision allocates nothing and a bench should not either.
fn user_name(buffer: &mut [u8; 32], number: u32) -> &str {
    let mut rest = &mut buffer[..];
    write!(rest, "user{number}@contoso.com").expect("26 octets at most");
    let length = 32 - rest.len();
    std::str::from_utf8(&buffer[..length]).expect("ASCII")
}

/// Of this thread, so that other programs do not count.
fn processor_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.expect("Linux has this clock").into()
}

fn print(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output is open");
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

    fn next(&mut self) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        u32::try_from(((self.state >> 32) * u64::from(self.below)) >> 32).unwrap_or(0)
    }
}

const POLICIES: [usize; 2] = [5, 50];

/// Fewer than devices, as where people have several.
const USERS: u32 = 50_000;

/// All facts are of now, none is stale.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_000_000);

const BATCH: u32 = 10_000;

const MEASURED: Duration = Duration::from_secs(5);
