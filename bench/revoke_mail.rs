//! From a change that a source delivers to the end of thousands of waiting Pings, on real sockets on
//! loopback.
//!
//! `cargo build --release && cargo run --release --example revoke_mail -- 8000` starts a mail front in
//! this process and `portreeve-lab` twice beside it: an origin behind the front, and phones before it
//! that each hold a Ping. Then all of their devices turn non-compliant in one delivery. It prints
//! milliseconds from the moment before the delivery is applied, and from the moment after, until the
//! front had the last answer ready and until the last phone had it.
//!
//! Each of the three processes needs a descriptor or two for each Ping: 20,000 are enough for 8,000.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reads the clock, prints, and ends where something fails"
)]

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::sleep;
use std::time::Duration;
use std::time::Instant;

use arc_swap::ArcSwap;
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
    let pings: usize = std::env::args()
        .nth(1)
        .map_or(8000, |text| text.parse().unwrap());
    let lanes = std::thread::available_parallelism().unwrap().get();
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::start();
    let (policy, _) = policy::parse("policy.toml", POLICY).unwrap();
    let (mut writer, reader) = inventory::open(inventory::Config::new([7; 16]));
    let source = writer.name_source("bench");
    let now = clock.now().wall;
    writer.apply(source, now, (0..pings).map(user).collect());
    let devices = |state| {
        (0..pings)
            .map(move |number| device(number, state))
            .collect()
    };
    writer.apply(source, now, devices(ComplianceState::Compliant));
    let live = Arc::new(Live::new(Arc::new(DecisionPoint::new(reader, policy))));

    let behind = free_port();
    let mut origin = lab(&[
        "origin",
        "--accept-any",
        "--listen",
        &behind,
        "--hold",
        "3540",
    ]);
    let (chain, key, root) = pki();
    let ca = folder.path().join("root.pem");
    fs::write(&ca, &root).unwrap();
    let counters = Arc::new(Counters::default());
    let front = front(&live, clock, &behind, (&chain, &key), &counters, pings);
    let bound = bind_lanes("127.0.0.1:0".parse().unwrap(), lanes).unwrap();
    let url = format!("https://localhost:{}", bound.address.port());
    let _lanes = Lanes::start(&front, vec![bound]).unwrap();
    let users = format!("load{{n}}@example.com:password{{n}}+{pings}");
    let count = pings.to_string();
    let ca = ca.to_str().unwrap().to_owned();
    let phones = lab(&[
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
    ]);
    wait("every Ping waits", || live.len() == pings);
    // The phones look for two seconds whether all of them stay.
    sleep(Duration::from_secs(5));

    let report = devices(ComplianceState::NonCompliant);
    let now = clock.now().wall;
    let before = Instant::now();
    let changes = writer.apply(source, now, report);
    let applied = before.elapsed();
    let told = clock.now().wall;
    live.sweep(now, &changes);
    let swept = before.elapsed();
    let revoked = |counters: &Counters| {
        usize::try_from(counters.revoked.load(Ordering::Relaxed)).unwrap() == pings
    };
    wait("every Ping is answered", || revoked(&counters));
    let ready = before.elapsed();
    let output = phones.wait_with_output();
    origin.kill().unwrap();
    origin.wait().unwrap();
    let line = String::from_utf8(output.unwrap().stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    let held_at = Timestamp::parse_rfc3339(line["held_at"].as_str().unwrap()).unwrap();
    let last = line["ended_after_ms"]["last"].as_u64().unwrap();
    let last = held_at.unix_millis() + i64::try_from(last).unwrap();
    let millis = |time: Duration| time.as_secs_f64() * 1000.0;
    println!("{pings} Pings waited; milliseconds from the delivery:");
    println!("  the inventory has it         {:8.1}", millis(applied));
    println!("  all are told                 {:8.1}", millis(swept));
    println!("  the last answer was ready    {:8.1}", millis(ready));
    println!("milliseconds from the applied change:");
    println!(
        "  the last answer was ready    {:8.1}",
        millis(ready.saturating_sub(applied))
    );
    println!(
        "  the last phone had it        {:8}",
        last - told.unix_millis()
    );
    println!("ends: {}", line["ended_by_status"]);
    assert_eq!(line["still_waiting"], 0, "{line}");
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
fn lab(arguments: &[&str]) -> Child {
    let own = std::env::current_exe().unwrap();
    let program: PathBuf = own.parent().unwrap().join("../portreeve-lab");
    let mut command = Command::new(program);
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
