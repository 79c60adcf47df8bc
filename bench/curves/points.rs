//! What is measured at a point. Times are processor time of the threads that work, so that other
//! programs do not count; memory is what the process holds more than before.

use std::hint::black_box;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use nix::time::ClockId;
use portreeve::access::DecisionPoint;
use portreeve::access::Trace;
use portreeve::eap;
use portreeve::model::Secret;
use portreeve::probe::Answer;
use portreeve::probe::Credential;
use portreeve::probe::Profile;
use portreeve::probe::ProfileSettings;
use portreeve::probe::Supplicant;
use portreeve::radius::AttributeType;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;

use crate::gateway::ACCOUNTING;
use crate::gateway::AUTHENTICATION;
use crate::gateway::Gateway;
use crate::gateway::SECRET;
use crate::gateway::bypass_of;
use crate::nas::Nas;
use crate::pki::Authority;
use crate::pki::Device;
use crate::pki::Holder;
use crate::say;
use crate::world::NOW;
use crate::world::Order;
use crate::world::World;
use crate::world::decide;
use crate::world::mac;
use crate::world::report;

/// Measures one point and prints its figures.
pub(crate) fn measure(curve: &str, x: u32) -> Result<(), String> {
    match curve {
        "devices" => devices(x),
        "instructions" => return instructions(x),
        "counted" => count_decisions(x),
        "nas" => nases(x),
        "policies" => policies(x),
        "sessions" => sessions(x),
        "conversations" => conversations(x),
        "pings" => return pings(x),
        "cores" => cores(x),
        "walk" => return crate::walk::measure(x),
        other => return Err(format!("no curve {other}")),
    }
    Ok(())
}

pub(crate) fn tell(series: &str, value: f64) {
    say(&format!("{series}\t{value}"));
}

fn devices(count: u32) {
    let mut world = World::of_users(count);
    let before = memory();
    world.add_devices();
    // What fewer take is lost among the pages that tables begin with.
    if count >= 100_000 {
        tell("memory of a device", (memory() - before) / f64::from(count));
    }
    let point = Arc::new(world.point(5));
    tell("decision", decisions(&point, count));
    let mut gateway = Gateway::with(Arc::clone(&point), None);
    tell(
        "MAC bypass, datagram to reply",
        bypasses(&mut gateway, count),
    );
    let mut order = Order::new(count);
    let updates: Vec<_> = (0..WRITES)
        .map(|n| report(order.next(), n % 2 == 0))
        .collect();
    let spent = processor_time();
    for update in updates {
        black_box(world.writer.apply(world.source, NOW, vec![update]));
    }
    tell(
        "write of one device",
        each(processor_time() - spent, WRITES),
    );
}

/// Nanoseconds of a decision.
fn decisions(point: &DecisionPoint, devices: u32) -> f64 {
    let (mut order, mut trace) = (Order::new(devices), Trace::new());
    for _ in 0..DECISIONS / 4 {
        decide(point, &mut trace, order.next());
    }
    let before = processor_time();
    for _ in 0..DECISIONS {
        decide(point, &mut trace, order.next());
    }
    each(processor_time() - before, DECISIONS)
}

/// Nanoseconds of a MAC bypass, from datagram to reply.
fn bypasses(gateway: &mut Gateway, devices: u32) -> f64 {
    let (mut nas, mut order) = (Nas::new("192.0.2.1:1812", SECRET), Order::new(devices));
    let mut spent = Duration::ZERO;
    for round in 0..=ROUNDS {
        let requests: Vec<Vec<u8>> = (0..BATCH)
            .map(|_| bypass_of(&mut nas, mac(order.next())))
            .collect();
        let before = processor_time();
        for request in &requests {
            gateway.take_in(AUTHENTICATION, nas.address, request);
            gateway.server.clear_transmits();
        }
        gateway.forget_records();
        // The first round makes buffers and tables.
        if round > 0 {
            spent += processor_time() - before;
        }
    }
    each(spent, ROUNDS * BATCH)
}

/// Counts, by callgrind and its model of caches, what [`count_decisions`] does.
fn instructions(devices: u32) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = folder.path().join("out");
    let output = Command::new("valgrind")
        .args([
            "--tool=callgrind",
            "--cache-sim=yes",
            "--collect-atstart=no",
        ])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg("--toggle-collect=*points::counted*")
        .arg(program)
        .args(["point", "counted", &devices.to_string()])
        .output()
        .map_err(|error| format!("valgrind cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = std::fs::read_to_string(&out).map_err(|error| error.to_string())?;
    let line = |name| text.lines().find_map(|line| line.strip_prefix(name));
    let events = line("events: ").unwrap_or_default().split_whitespace();
    let totals = line("totals: ").or_else(|| line("summary: "));
    let totals = totals.unwrap_or_default().split_whitespace();
    let counts: Vec<(&str, f64)> = events
        .zip(totals.map(|count| count.parse().unwrap_or(0.0)))
        .collect();
    let sum = |names: &[&str]| {
        let of = counts.iter().filter(|(name, _)| names.contains(name));
        of.map(|(_, count)| count).sum::<f64>() / f64::from(COUNTED)
    };
    tell("instructions of a decision", sum(&["Ir"]));
    tell("misses of the first cache", sum(&["D1mr", "D1mw"]));
    tell("misses of the last cache", sum(&["DLmr", "DLmw"]));
    Ok(())
}

fn count_decisions(devices: u32) {
    let mut world = World::of_users(devices);
    world.add_devices();
    let (point, mut order, mut trace) = (world.point(5), Order::new(devices), Trace::new());
    for _ in 0..COUNTED {
        let number = order.next();
        counted(|| decide(&point, &mut trace, number));
    }
}

/// What callgrind counts.
#[inline(never)]
fn counted<R>(work: impl FnOnce() -> R) -> R {
    black_box(work())
}

fn nases(count: u32) {
    let before = memory();
    let configs = (0..count).map(|number| NasConfig {
        name: format!("switch-{number}"),
        group: "office".into(),
        network: IpAddr::V4(address(number)).into(),
        secret: Secret::new(SECRET.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
        dynamic_authorization: None,
    });
    let table = NasTable::new(configs.collect()).expect("sound entries");
    if count >= 10_000 {
        tell("memory of a NAS", (memory() - before) / f64::from(count));
    }
    let mut order = Order::new(count);
    let spent = processor_time();
    for _ in 0..LOOK_UPS {
        let found = table.find(IpAddr::V4(address(order.next())));
        assert!(black_box(found).is_some());
    }
    let whole = each(processor_time() - spent, LOOK_UPS);
    // What the making of addresses costs is no part of it.
    let spent = processor_time();
    for _ in 0..LOOK_UPS {
        black_box(address(order.next()));
    }
    tell(
        "look-up of a NAS",
        whole - each(processor_time() - spent, LOOK_UPS),
    );
}

/// Addresses all over 10.0.0.0/8, each another one.
const fn address(number: u32) -> Ipv4Addr {
    /// Odd, so that multiplication by it loses nothing of 24 bits.
    const SPREAD: u32 = 0x9e_37_79;
    Ipv4Addr::from_bits(0x0a00_0000 | number.wrapping_mul(SPREAD) & 0x00ff_ffff)
}

fn policies(count: u32) {
    let devices = 10_000;
    let world = World::load(devices);
    let point = world.point(usize::try_from(count).unwrap_or(1));
    tell("decision", decisions(&point, devices));
}

fn sessions(count: u32) {
    let mut gateway = Gateway::new(None);
    let mut nas = Nas::new("192.0.2.1:1813", SECRET);
    let before = memory();
    for number in 0..count {
        let request = accounting(&mut nas, number, 1, 0);
        gateway.take_in(ACCOUNTING, nas.address, &request);
        gateway.server.clear_transmits();
    }
    let open = gateway.shared.sessions.len();
    assert_eq!(u32::try_from(open), Ok(count), "sessions are open");
    if count >= 100_000 {
        tell(
            "memory of a session",
            (memory() - before) / f64::from(count),
        );
    }
    let (mut order, mut spent) = (Order::new(count), Duration::ZERO);
    for round in 0..ROUNDS {
        // Each says something else than the one before, or it would be a duplicate.
        let requests: Vec<Vec<u8>> = (0..BATCH)
            .map(|n| accounting(&mut nas, order.next(), 3, round * BATCH + n))
            .collect();
        let before = processor_time();
        for request in &requests {
            gateway.take_in(ACCOUNTING, nas.address, request);
            gateway.server.clear_transmits();
        }
        spent += processor_time() - before;
    }
    tell(
        "Interim-Update, datagram to reply",
        each(spent, ROUNDS * BATCH),
    );
}

fn accounting(nas: &mut Nas, session: u32, status: u32, octets: u32) -> Vec<u8> {
    nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, status)
            .octets(
                AttributeType::ACCT_SESSION_ID,
                format!("session-{session}").as_bytes(),
            )
            .octets(AttributeType::USER_NAME, b"alice@contoso.com")
            .octets(
                AttributeType::CALLING_STATION_ID,
                mac(session).to_string().as_bytes(),
            )
            .integer(AttributeType::ACCT_INPUT_OCTETS, octets);
    })
}

/// Conversations that wait for the peer's certificate: the server's flight is out, and TLS keeps
/// what it needs to go on.
fn conversations(count: u32) {
    let root = Authority::root("Root");
    let Holder { chain, key } = root.server("radius.example.org");
    let settings = eap::Settings::new(chain, key, vec![root.certificate()]);
    let config = eap::Config::build(settings).expect("settings of ours");
    let mut gateway = Gateway::new(Some(config));
    let hello = client_hello(&root, &gateway);
    let mut nas = Nas::new("192.0.2.1:1812", SECRET);
    // Buffers and tables of the server are not the conversations'.
    for number in 0..100 {
        begin(&mut gateway, &mut nas, &hello, number);
    }
    let before = memory();
    for number in 100..100 + count {
        begin(&mut gateway, &mut nas, &hello, number);
    }
    tell(
        "memory of a conversation",
        (memory() - before) / f64::from(count),
    );
}

/// Begins a conversation up to the server's first flight.
fn begin(gateway: &mut Gateway, nas: &mut Nas, hello: &[u8], number: u32) {
    let identity = eap::response(1, eap::Type::IDENTITY, b"nobody@example.com");
    let mut response = identity;
    let mut state: Option<Vec<u8>> = None;
    for _ in 0..2 {
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, b"nobody@example.com")
                .octets(
                    AttributeType::CALLING_STATION_ID,
                    mac(number).to_string().as_bytes(),
                )
                .eap_message(&response);
            if let Some(state) = &state {
                request.octets(AttributeType::STATE, state);
            }
        });
        gateway.take_in(AUTHENTICATION, nas.address, &request);
        let reply = nas.believe(&request, &gateway.reply());
        gateway.server.clear_transmits();
        state = reply.find(AttributeType::STATE);
        let asked = reply.eap().expect("the server goes on");
        response = hello.to_vec();
        if let (Some(place), Some(identifier)) = (response.get_mut(1), asked.get(1)) {
            *place = *identifier;
        }
    }
    assert!(state.is_some(), "the server waits for the next flight");
}

/// A peer's first flight: the same for all, since none goes on.
fn client_hello(root: &Authority, gateway: &Gateway) -> Vec<u8> {
    let Holder { chain, key } = root.device(&Device::default());
    let credential = Some(Credential { chain, key });
    let roots = vec![root.certificate()];
    let settings = ProfileSettings::new("nobody@example.com", credential, roots);
    let profile = Profile::build(settings).expect("settings of ours");
    let mut peer = Supplicant::new(Arc::new(profile));
    drop(peer.identity_response(1));
    /// Flag S of EAP-TLS (RFC 5216 section 3.1).
    const START: [u8; 1] = [0x20];
    match peer.handle(gateway.now, &eap::request(2, eap::Type::TLS, &START)) {
        Answer::Response(hello) => hello,
        Answer::Success(_) | Answer::Failure(_) => unreachable!("the peer begins"),
    }
}

/// Held by the real gateway, as the comparison holds them.
fn pings(count: u32) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let release = program.parent().and_then(|deps| deps.parent());
    let lab: PathBuf = release.unwrap_or(&program).join("portreeve-lab");
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let output = Command::new(lab)
        .args([
            "compare",
            "--only",
            "held",
            "--held",
            &count.to_string(),
            "--out",
        ])
        .arg(folder.path())
        .output()
        .map_err(|error| format!("portreeve-lab: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let rows = std::fs::read(folder.path().join("results.json"))
        .map_err(|error| format!("{error}: {said}"))?;
    let rows: serde_json::Value =
        serde_json::from_slice(&rows).map_err(|error| error.to_string())?;
    let row = rows.as_array().into_iter().flatten().next();
    let each = row.and_then(|row| row.get("figure")?.as_f64());
    let kibibytes = each.ok_or(said)?;
    tell("memory of a Ping", kibibytes * 1024.0);
    Ok(())
}

/// Threads that serve at the same time, each with a loop of its own and the rest in common.
fn cores(threads: u32) {
    let first = Gateway::new(None);
    let shared = Arc::clone(&first.shared);
    let devices = crate::gateway::DEVICES;
    let together = |work: &(dyn Fn(u32) -> f64 + Sync)| {
        let begin = Barrier::new(usize::try_from(threads).unwrap_or(1));
        let sum: f64 = thread::scope(|scope| {
            let running: Vec<_> = (0..threads)
                .map(|number| {
                    let begin = &begin;
                    scope.spawn(move || {
                        begin.wait();
                        work(number)
                    })
                })
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("it does not panic"))
                .sum()
        });
        sum / f64::from(threads)
    };
    let bypasses = together(&|_| bypasses(&mut Gateway::of(Arc::clone(&shared)), devices));
    tell("MAC bypass, processor time", bypasses);
    tell(
        "decision, processor time",
        together(&|_| decisions(&shared.point, devices)),
    );
}

/// Octets that the process holds.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes: f64 = kibibytes
        .and_then(|number| number.trim().parse().ok())
        .expect("a size");
    kibibytes * 1024.0
}

/// Of this thread.
fn processor_time() -> Duration {
    let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
    now.expect("Linux has this clock").into()
}

/// Nanoseconds of one of `count`.
fn each(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e9 / f64::from(count)
}

const DECISIONS: u32 = 400_000;
const LOOK_UPS: u32 = 1_000_000;
const WRITES: u32 = 20_000;
const ROUNDS: u32 = 200;
const BATCH: u32 = 250;

/// Decisions under callgrind, which takes fifty times as long for each.
const COUNTED: u32 = 2_000;
