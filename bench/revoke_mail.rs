//! From a change that a source delivers to the end of waiting Pings and of a download, on real sockets
//! on loopback.
//!
//! `cargo build --release && cargo run --release --example revoke_mail -- 8000` starts a mail front in
//! this process and `portreeve-lab` twice beside it: an origin behind the front, and phones before it
//! that each hold a Ping. Then
//!
//! 1. a hundred more phones, one after the other, each wait in a Ping and turn non-compliant: time from
//!    the applied change to the last octet of the answer at the phone;
//! 2. twenty devices, one after the other, turn non-compliant in the middle of a download: time to the
//!    end of its connection, and what still came;
//! 3. all devices that wait turn non-compliant in one delivery: time until the front had the last answer
//!    ready and until the last phone had it, and the processor time that the front took.
//!
//! Phones and origin stand for machines of their own: on a quiet machine a niceness of 19 for them, the
//! second argument, keeps them from taking the front's cores. Each of the three processes needs a
//! descriptor or two for each Ping: 20,000 are enough for 8,000.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reads the clock, prints, and ends where something fails"
)]

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use portreeve::access::CorrelationSource;
use portreeve::access::DecisionPoint;
use portreeve::access::Live;
use portreeve::inventory;
use portreeve::inventory::DeviceReport;
use portreeve::inventory::Update;
use portreeve::inventory::UserReport;
use portreeve::mail::Config;
use portreeve::mail::Gateway;
use portreeve::mail::Origin;
use portreeve::mail::UpstreamId;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::EasDeviceId;
use portreeve::model::GroupId;
use portreeve::model::Timestamp;
use portreeve::model::Tri;
use portreeve::model::UserId;
use portreeve::net::Clock;
use portreeve::net::eas::Counters;
use portreeve::net::eas::Front;
use portreeve::net::eas::Lanes;
use portreeve::net::eas::Limits;
use portreeve::net::eas::bind_lanes;
use portreeve::net::tls;
use portreeve::net::upstream::Settings;
use portreeve::net::upstream::Timing;
use portreeve::net::upstream::Upstream;
use portreeve::policy;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::CertifiedIssuer;
use rcgen::IsCa;
use rcgen::KeyPair;
use rustls::ClientConfig;
use rustls::ClientConnection;
use rustls::RootCertStore;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// As in `portreeve`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const POLICY: &str = r#"
[groups]
staff = "staff"
[break_glass]
members = []
[defaults]
not_targeted = "block"
no_policy_applies = "block"
no_credential = "block"
unknown_user = "block"
unknown_device = "block"
ambiguous_device = "block"
device_of_another_user = "block"
unmanaged_device = "block"
evaluating = "quarantine"
no_compliance_policy = "compliant"
[stale.network]
fresh_for = "24h"
grace_for = "0s"
then = "block"
[stale.mail]
fresh_for = "24h"
grace_for = "0s"
then = "block"
[stale.web]
fresh_for = "24h"
grace_for = "0s"
then = "block"
[[conditional]]
name = "Mail"
planes = ["mail"]
targets = ["staff"]
require = ["managed", "compliant"]
otherwise = "block"
"#;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        let argument = arguments.next();
        argument.map_or(default, |text| text.parse().unwrap())
    };
    let (pings, niceness) = (number(8000), number(0));
    let lanes = thread::available_parallelism().unwrap().get();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::start();
    let (policy, _) = policy::parse("policy.toml", POLICY).unwrap();
    let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
    let source = writer.name_source("bench");
    let now = clock.now().wall;
    let all = pings + SINGLE + DOWNLOADS;
    writer.apply(source, now, (0..all).map(user).collect());
    let devices = |count, state| {
        let devices = 0..count;
        devices.map(move |number| device(number, state)).collect()
    };
    writer.apply(source, now, devices(all, ComplianceState::Compliant));
    let live = Arc::new(Live::new(Arc::new(DecisionPoint::new(reader, policy))));

    let behind = free_port();
    // A command is answered with 16 MiB within four seconds.
    let origin = [
        "origin",
        "--accept-any",
        "--listen",
        &behind,
        "--hold",
        "3540",
        "--body",
        "16777216",
        "--rate",
        "4194304",
    ];
    let mut origin = lab(&origin, niceness);
    let (chain, key, root) = pki();
    let ca = folder.path().join("root.pem");
    fs::write(&ca, &root).unwrap();
    let counters = Arc::new(Counters::default());
    let front = front(&live, clock, &behind, (&chain, &key), &counters, all);
    let bound = bind_lanes("127.0.0.1:0".parse().unwrap(), lanes).unwrap();
    let port = bound.address.port();
    let url = format!("https://localhost:{port}");
    let _lanes = Lanes::start(&front, vec![bound]).unwrap();
    let users = format!("load{{n}}@example.com:password{{n}}+{pings}");
    let count = pings.to_string();
    let ca = ca.to_str().unwrap().to_owned();
    let phones = [
        "load",
        "eas",
        "--url",
        &url,
        "--ca",
        &ca,
        "--users",
        &users,
        "--hold",
        &count,
        "--seconds",
        "120",
        "--json",
    ];
    let phones = lab(&phones, niceness);
    wait("every Ping waits", || live.len() == pings);
    // The phones look for two seconds whether all of them stay.
    sleep(Duration::from_secs(5));

    let door = Door::new(port, &root);
    let mut turn = |number| {
        let report = vec![device(number, ComplianceState::NonCompliant)];
        let now = clock.now().wall;
        let changes = writer.apply(source, now, report);
        let applied = Instant::now();
        live.sweep(now, &changes);
        applied
    };
    let one_waits = || wait("another Ping waits", || live.len() == pings + 1);
    let none_waits = || wait("it has ended", || live.len() == pings);
    let single = (pings..pings + SINGLE).map(|number| {
        let mut phone = door.open();
        phone.send(number, "Ping", PING);
        one_waits();
        sleep(Duration::from_millis(5));
        let applied = turn(number);
        phone.read_answer();
        let ended = applied.elapsed();
        none_waits();
        ended
    });
    let mut single: Vec<Duration> = single.collect();
    println!(
        "{pings} Pings wait, and one more turns bad, {SINGLE} times; milliseconds from the applied change:"
    );
    print_percentiles("its phone had the answer", &mut single);
    let mut cut = Vec::new();
    let mut late = Vec::new();
    for number in pings + SINGLE..all {
        let mut phone = door.open();
        phone.send(number, "ItemOperations", b"x");
        let (sender, begun) = mpsc::channel();
        let reading = thread::spawn(move || phone.read_to_end(&sender));
        begun.recv().unwrap();
        let applied = turn(number);
        let read = reading.join().unwrap();
        cut.push(read.ended.duration_since(applied));
        late.push(read.after(applied));
        none_waits();
    }
    println!(
        "a device turns bad in the middle of a download of 4 MiB a second, {DOWNLOADS} times:"
    );
    print_percentiles("its connection ended", &mut cut);
    late.sort_unstable();
    println!(
        "  octets that still came        p50 {:8} max {:8}",
        late[DOWNLOADS / 2],
        late[DOWNLOADS - 1]
    );

    let report = devices(pings, ComplianceState::NonCompliant);
    let now = clock.now().wall;
    let lanes_before = processor_time("self", "mail-");
    let phones_before = processor_time(&phones.id().to_string(), "");
    let before = Instant::now();
    let changes = writer.apply(source, now, report);
    let applied = before.elapsed();
    let told = clock.now().wall;
    let sweep_before = processor_time("self", "revoke_mail");
    let already = counters.revoked.load(Ordering::Relaxed);
    live.sweep(now, &changes);
    let swept = before.elapsed();
    let sweep = processor_time("self", "revoke_mail").saturating_sub(sweep_before);
    let goal = already + u64::try_from(pings).unwrap();
    wait("every Ping is answered", || {
        counters.revoked.load(Ordering::Relaxed) == goal
    });
    let ready = before.elapsed();
    let lanes = processor_time("self", "mail-").saturating_sub(lanes_before);
    let receiving = processor_time(&phones.id().to_string(), "").saturating_sub(phones_before);
    let output = phones.wait_with_output();
    let closed = processor_time("self", "mail-").saturating_sub(lanes_before);
    origin.kill().unwrap();
    origin.wait().unwrap();
    let line = String::from_utf8(output.unwrap().stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    let held_at = Timestamp::parse_rfc3339(line["held_at"].as_str().unwrap()).unwrap();
    let at = |which: &str| {
        let after = line["ended_after_ms"][which].as_u64().unwrap();
        held_at.unix_millis() + i64::try_from(after).unwrap() - told.unix_millis()
    };
    println!("all {pings} turn bad in one delivery; milliseconds from the applied change:");
    for (what, time) in [
        ("all are told", swept.saturating_sub(applied)),
        ("the last answer was ready", ready.saturating_sub(applied)),
    ] {
        println!("  {what:30}{:8.1}", millis(time));
    }
    for (what, which) in [
        ("the first phone had its answer", "first"),
        ("half of the phones had it", "p50"),
        ("the last phone had it", "last"),
    ] {
        println!("  {what:30}{:8}", at(which));
    }
    println!("milliseconds of processor time until the last answer was ready:");
    for (what, time) in [
        ("to apply it, by the clock", applied),
        ("to judge and tell", sweep),
        ("the front's lanes", lanes),
        ("the phones", receiving),
        ("the front's lanes to the end", closed),
    ] {
        println!("  {what:30}{:8.1}", millis(time));
    }
    println!("ends: {}", line["ended_by_status"]);
    assert_eq!(line["still_waiting"], 0, "{line}");
}

/// How a phone gets to the front.
struct Door {
    port: u16,
    config: Arc<ClientConfig>,
}

/// A phone that is looked at more closely than `portreeve-lab` does.
struct Phone(StreamOwned<ClientConnection, TcpStream>);

/// How a download went.
struct Download {
    /// When octets came, and how many.
    pieces: Vec<(Instant, usize)>,
    ended: Instant,
}

impl Door {
    fn new(port: u16, root: &str) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            port,
            config: Arc::new(config),
        }
    }

    fn open(&self) -> Phone {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let name = "localhost".try_into().unwrap();
        let session = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        Phone(StreamOwned::new(session, stream))
    }
}

impl Phone {
    fn send(&mut self, number: usize, command: &str, body: &[u8]) {
        let login = BASE64_STANDARD.encode(format!("load{number}@example.com:password{number}"));
        let head = format!(
            "POST /Microsoft-Server-ActiveSync?Cmd={command}&User=load{number}%40example.com\
             &DeviceId=load{number}&DeviceType=iPhone HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Basic {login}\r\nMS-ASProtocolVersion: 14.1\r\n\
             Content-Type: application/vnd.ms-sync.wbxml\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.0.write_all(&[head.as_bytes(), body].concat()).unwrap();
        self.0.flush().unwrap();
    }

    /// Reads an answer to its last octet; it has to be one that keeps the device out.
    fn read_answer(&mut self) {
        let mut answer = Vec::new();
        let mut octets = [0; 4096];
        loop {
            let count = self.0.read(&mut octets).unwrap();
            assert!(count > 0, "an answer is cut");
            answer.extend_from_slice(&octets[..count]);
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            let Some((head, _)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let length = head.split("content-length: ").nth(1).unwrap();
            let length: usize = length.lines().next().unwrap().parse().unwrap();
            if answer.len() == head.len() + 4 + length {
                assert!(head.contains("x-portreeve-reason"), "{head}");
                return;
            }
        }
    }

    /// Reads until nothing more comes; tells when so much has come that more is on its way.
    fn read_to_end(mut self, begun: &mpsc::Sender<()>) -> Download {
        let mut pieces = Vec::new();
        let mut octets = [0; 16 << 10];
        let mut total = 0;
        loop {
            let count = self.0.read(&mut octets).unwrap_or(0);
            let now = Instant::now();
            if count == 0 {
                assert!(total < 16 << 20, "the download was over before");
                return Download { pieces, ended: now };
            }
            pieces.push((now, count));
            let before = total;
            total += count;
            if before < BEGUN && total >= BEGUN {
                begun.send(()).unwrap();
            }
        }
    }
}

impl Download {
    /// Octets that came after that.
    fn after(&self, moment: Instant) -> usize {
        let late = self.pieces.iter().filter(|(at, _)| *at > moment);
        late.map(|(_, count)| count).sum()
    }
}

/// Processor time of those threads of a process whose names begin so.
fn processor_time(process: &str, name: &str) -> Duration {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let times = threads.unwrap().flatten().map(|thread| {
        let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
        let nanos = read("schedstat");
        let nanos = nanos.split(' ').next().and_then(|text| text.parse().ok());
        let is_meant = read("comm").starts_with(name);
        Duration::from_nanos(nanos.filter(|_| is_meant).unwrap_or(0))
    });
    times.sum()
}

fn print_percentiles(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |hundredths: usize| times[(times.len() * hundredths / 100).min(times.len() - 1)];
    println!(
        "  {what:30}p50 {:8.2} p99 {:8.2} max {:8.2}",
        millis(at(50)),
        millis(at(99)),
        millis(at(100))
    );
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn name(number: usize) -> UserId {
    UserId::parse(&format!("load{number}@example.com")).unwrap()
}

fn user(number: usize) -> Update {
    let mut user = UserReport::new(name(number));
    user.enabled = Tri::Yes;
    user.groups = vec![GroupId::named("staff")];
    Update::User(user)
}

fn device(number: usize, state: ComplianceState) -> Update {
    let text = format!("load{number}");
    let mut report = DeviceReport::new(DeviceId::derived("bench", &text));
    report.eas = EasDeviceId::parse(text.as_bytes());
    report.owner = Some(name(number));
    report.managed = Tri::Yes;
    report.compliance = Some(state);
    Update::Device(report)
}

fn front(
    live: &Arc<Live>,
    clock: Clock,
    behind: &str,
    (chain, key): (&str, &str),
    counters: &Arc<Counters>,
    pings: usize,
) -> Arc<Front> {
    let upstream: Origin = format!("http://{behind}").parse().unwrap();
    let client = Arc::new(tls::client(tls::Roots::System).unwrap());
    let settings = Settings::single(UpstreamId::DEFAULT, upstream.clone(), client);
    let mut config = Config::new(vec!["localhost".to_owned()], upstream);
    // All phones come from one address, and sign in at once.
    config.memory.address_failures = u32::MAX;
    let correlations = Arc::new(CorrelationSource::starting_at(clock.now().wall));
    let server = tls::server(tls::ServerPem {
        chain: chain.as_bytes(),
        key: key.as_bytes(),
        client_roots: None,
        upkeep: None,
    });
    Arc::new(Front {
        gateway: Gateway::new(config, Arc::clone(live), correlations, &[7; 32]),
        upstream: Upstream::new(vec![settings], Timing::default()),
        tls: ArcSwap::from_pointee(server.unwrap()),
        clock,
        events: Box::new(drop),
        wipes: Box::new(|_| false),
        balancers: Vec::new(),
        limits: Limits {
            connections_per_address: pings + 1,
            ..Limits::default()
        },
        counters: Arc::clone(counters),
    })
}

fn pki() -> (String, String, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = params.signed_by(&key, &root).unwrap();
    (server.pem(), key.serialize_pem(), root.pem())
}

/// Starts `portreeve-lab`, which lies in the folder above this program's.
fn lab(arguments: &[&str], niceness: usize) -> Child {
    let own = std::env::current_exe().unwrap();
    let program: PathBuf = own.parent().unwrap().join("../portreeve-lab");
    let mut command = Command::new("nice");
    command.arg("-n").arg(niceness.to_string()).arg(program);
    command.args(arguments).stdout(Stdio::piped());
    command.spawn().unwrap()
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn wait(for_what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(5);
    while !is_so() {
        assert!(
            Instant::now() < until,
            "{for_what}: not within five minutes"
        );
        sleep(Duration::from_micros(200));
    }
}

/// Devices that turn bad one by one, each in a Ping.
const SINGLE: usize = 100;
/// Devices that turn bad one by one, each in a download.
const DOWNLOADS: usize = 20;
/// Octets of a download after which it is well under way.
const BEGUN: usize = 256 << 10;

/// A Ping for 3,540 seconds on folder 1 (MS-ASWBXML code page 13).
const PING: &[u8] = b"\x03\x01\x6a\x00\x00\x0d\x45\x48\x033540\x00\x01\x49\x4a\x4b\x031\x00\x01\x4c\x03Email\x00\x01\x01\x01\x01";
