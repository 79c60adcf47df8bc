//! From a change that a source delivers to the packet that leaves, on real sockets on loopback.
//!
//! `cargo run --release --example revoke` measures two things: how long it takes for one device, from
//! the moment before the change is applied to the inventory to the moment at which its NAS has the
//! request; and how long it takes to cut 10,000 sessions at 50 NASes, once with all of them
//! answering, once with one that answers nothing.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark reads the clock, prints, and ends where something fails"
)]

#[allow(dead_code, reason = "of tests, and more than is needed here")]
#[path = "../tests/network/lab.rs"]
mod lab;
#[path = "../tests/support/nas.rs"]
mod nas;
#[path = "../tests/support/pair.rs"]
mod pair;
#[path = "../tests/support/pki.rs"]
mod pki;
#[path = "../tests/support/world.rs"]
mod world;

use std::net::Ipv4Addr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use md5::Digest;
use md5::Md5;
use portreeve::access::RecordQueue;
use portreeve::model::ComplianceState;
use portreeve::net::Clock;
use portreeve::net::Streams;
use portreeve::net::dynamic;
use portreeve::network::Admissions;
use portreeve::network::Dynamic;
use portreeve::network::DynamicCounters;
use portreeve::network::Server;
use portreeve::network::Shared;
use portreeve::radius::AttributeType;
use portreeve::radius::NasTable;
use tokio::runtime::Runtime;

use lab::GOOD;
use lab::GOOD_MAC;
use lab::Lab;
use nas::Nas;
use world::SECRET;
use world::nas_config;

/// Devices that turn bad one after the other.
const TURNS: usize = 500;
const NASES: usize = 50;
const EACH: usize = 200;

/// A gateway without packet loops, and NASes with sockets of their own.
struct Bench {
    lab: Lab,
    clock: Clock,
    port: u16,
    /// Moments at which a NAS got a request.
    got: Receiver<(usize, Instant)>,
    /// Whether the last NAS answers.
    last_answers: Arc<AtomicBool>,
    received: Arc<AtomicUsize>,
    counters: Arc<DynamicCounters>,
    _runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let first = UdpSocket::bind((address(0), 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let (tell, got) = channel();
        let last_answers = Arc::new(AtomicBool::new(true));
        let received = Arc::<AtomicUsize>::default();
        for number in 0..NASES {
            let socket = match number {
                0 => first.try_clone().unwrap(),
                _ => UdpSocket::bind((address(number), port)).unwrap(),
            };
            let (tell, received) = (tell.clone(), Arc::clone(&received));
            let last_answers = Arc::clone(&last_answers);
            thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok((length, from)) = socket.recv_from(&mut request) {
                    let at = Instant::now();
                    received.fetch_add(1, Ordering::Relaxed);
                    if number + 1 < NASES || last_answers.load(Ordering::Relaxed) {
                        // ACK, RFC 5176 section 2.3.
                        let head = [41, request[1], 0, 20];
                        let signed = [&head[..], &request[4..20], SECRET].concat();
                        let answer = [&head[..], &Md5::digest(signed)].concat();
                        drop(socket.send_to(&answer, from));
                    }
                    if length == 0 || tell.send((number, at)).is_err() {
                        return;
                    }
                }
            });
        }
        let clock = Clock::start();
        let mut lab = Lab::new();
        let shared = &lab.shared;
        let admissions = Arc::new(Admissions::new(Arc::clone(&shared.point), 2 * NASES * EACH));
        lab.shared = Arc::new(Shared {
            settings: shared.settings.load_full().into(),
            point: Arc::clone(&shared.point),
            sessions: Arc::clone(&shared.sessions),
            admissions: Arc::clone(&admissions),
            records: Arc::new(RecordQueue::new(100)),
            correlations: Arc::clone(&shared.correlations),
            random: shared.random,
            loops: 1,
        });
        lab.servers = vec![Server::new(0, Arc::clone(&lab.shared))];
        lab.reload(|settings| {
            let mut config = nas_config("switches", "office", "127.0.0.0/8");
            config.dynamic_authorization = Some(port.into());
            settings.nas = NasTable::new(vec![config]).unwrap();
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let counters = Arc::<DynamicCounters>::default();
        let engine = Dynamic::new(Arc::clone(&lab.shared), Arc::clone(&counters));
        let own = [(Ipv4Addr::LOCALHOST, 0).into()];
        let sockets = runtime.block_on(dynamic::Sockets::bind(&own)).unwrap();
        runtime.spawn(dynamic::serve(
            sockets,
            engine,
            admissions,
            Streams::none(),
            clock,
        ));
        let mut bench = Self {
            lab,
            clock,
            port,
            got,
            last_answers,
            received,
            counters,
            _runtime: runtime,
        };
        bench.turns(ComplianceState::Compliant);
        bench
    }

    /// A device is let in by a NAS.
    fn enter(&mut self, nas: &mut Nas, session: &str) {
        self.lab.now = self.clock.now();
        let request = nas.access(|request| {
            request
                .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
                .octets(AttributeType::NAS_IDENTIFIER, session.as_bytes())
                .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes());
        });
        self.lab.ask(nas, &request).unwrap();
    }

    /// The source says something about the device, as its task does; how many are held.
    fn turns(&mut self, state: ComplianceState) -> usize {
        self.lab.now = self.clock.now();
        let changes = self.lab.judged(GOOD, GOOD_MAC, state);
        let now = self.lab.now.wall;
        self.lab.shared.admissions.sweep(now, &changes).held
    }

    fn one(&mut self) {
        let mut nas = Nas::new(&format!("{}:50000", address(0)), SECRET);
        let mut took = Vec::with_capacity(TURNS);
        for turn in 0..TURNS {
            self.enter(&mut nas, &format!("one {turn}"));
            let begun = Instant::now();
            // Those of the last minute count with it, and this bench is not about the brake.
            if self.turns(ComplianceState::NonCompliant) > 0 {
                let now = self.lab.now.wall;
                self.lab.shared.admissions.release(now, false);
            }
            let (_, at) = self.got.recv_timeout(Duration::from_secs(10)).unwrap();
            took.push(at.duration_since(begun));
            self.drained(0);
            self.turns(ComplianceState::Compliant);
        }
        took.sort_unstable();
        let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
        println!(
            "one device, {TURNS} times: p50 {:?}, p99 {:?}, longest {:?}",
            at(50),
            at(99),
            took[took.len() - 1]
        );
    }

    fn crowd(&mut self, silent: bool) {
        self.last_answers.store(!silent, Ordering::Relaxed);
        for number in 0..NASES {
            let mut nas = Nas::new(&format!("{}:50000", address(number)), SECRET);
            for session in 0..EACH {
                self.enter(&mut nas, &format!("{number} {session}"));
            }
            // Stored replies of these identifiers are over.
            self.lab.servers = vec![Server::new(0, Arc::clone(&self.lab.shared))];
        }
        let admissions = Arc::clone(&self.lab.shared.admissions);
        let all = admissions.len();
        let received = self.received.load(Ordering::Relaxed);
        while self.got.try_recv().is_ok() {}
        let held = self.turns(ComplianceState::NonCompliant);
        assert_eq!(held, all, "the brake is on");
        let begun = Instant::now();
        let now = self.lab.now.wall;
        assert_eq!(admissions.release(now, false), all);
        let left = if silent { EACH } else { 0 };
        self.drained(left);
        let took = begun.elapsed();
        let sent = self.received.load(Ordering::Relaxed) - received;
        let mut in_each = vec![0_u32; 1 + usize::try_from(took.as_millis() / 100).unwrap()];
        while let Ok((_, at)) = self.got.try_recv() {
            let tenth = at.duration_since(begun).as_millis() / 100;
            if let Some(count) = in_each.get_mut(usize::try_from(tenth).unwrap()) {
                *count += 1;
            }
        }
        let most = in_each.iter().max().copied().unwrap_or_default();
        let what = if silent {
            "one of them silent"
        } else {
            "all answering"
        };
        println!(
            "{all} sessions at {NASES} NASes, {what}: {} ended after {took:?}, {sent} packets, at most \
             {most} in a tenth of a second, {} refused",
            all - left,
            self.counters.refused.get()
        );
        self.turns(ComplianceState::Compliant);
    }

    /// Waits until no more than so many are in.
    fn drained(&self, left: usize) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.lab.shared.admissions.len() > left {
            assert!(Instant::now() < deadline, "they stay");
            thread::sleep(Duration::from_micros(100));
        }
    }
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 9, 0, u8::try_from(number + 1).unwrap())
}

fn main() {
    let mut bench = Bench::new();
    println!("NASes at 127.9.0.1 to .{NASES}, port {}", bench.port);
    bench.one();
    bench.crowd(false);
    bench.crowd(true);
}
