//! RADIUS over real sockets on loopback: loops, workers, and what a panic costs.
#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests and their helpers fail by panic on what they do not expect"
)]

use std::net::SocketAddr;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use portreeve::model::Proof;
use portreeve::net::Clock;
use portreeve::net::Pool;
use portreeve::net::radius;
use portreeve::net::radius::Listen;
use portreeve::net::radius::MAX_ADDRESSES;
use portreeve::net::radius::Servers;
use portreeve::net::radius::Worker;
use portreeve::network::Answer;
use portreeve::network::Check;
use portreeve::network::Counters;
use portreeve::network::Inquiry;
use portreeve::network::Passwords;
use portreeve::network::Role;
use portreeve::network::Server;
use portreeve::network::Shared;
use portreeve::probe::Profile;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::NasTable;
use tokio::runtime::Runtime;

use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::refusal;
use crate::nas::Nas;
use crate::nas::Reply;
use crate::pair::Next;
use crate::world::SECRET;
use crate::world::nas_config;

#[allow(dead_code, reason = "sockets take its place here")]
#[path = "../network/lab.rs"]
mod lab;
#[path = "../support/nas.rs"]
mod nas;
#[path = "../support/pair.rs"]
mod pair;
#[path = "../support/pki.rs"]
mod pki;
#[path = "../support/world.rs"]
mod world;

/// A gateway's network plane on loopback.
struct Gateway {
    lab: Lab,
    servers: Option<Servers>,
    counters: Vec<Arc<Counters>>,
    address: SocketAddr,
    _runtime: Runtime,
}

impl Gateway {
    /// `loops` packet loops, and one worker with room for `waiting` jobs.
    fn start(loops: u8, waiting: usize) -> Self {
        Self::listening("127.0.0.1:0", loops, waiting)
    }

    fn listening(address: &str, loops: u8, waiting: usize) -> Self {
        let lab = Lab::with_loops(loops);
        lab.reload(|settings| {
            let v4 = nas_config("loopback", "office", "127.0.0.0/8");
            let v6 = nas_config("loopback-6", "office", "::1/128");
            settings.nas = NasTable::new(vec![v4, v6]).unwrap();
            settings.passwords = Arc::new(Fragile);
        });
        let clock = Clock::start();
        let listen = Listen {
            address: address.parse().unwrap(),
            role: Role::Authentication,
        };
        let bound = radius::bind(&[listen], usize::from(loops)).unwrap();
        let address = bound.addresses[0].address;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .unwrap();
        let handle = runtime.handle().clone();
        let pool = Arc::new(Pool::start(1, waiting, clock, handle).unwrap());
        let counters = Mutex::new(Vec::new());
        let shared: &Arc<Shared> = &lab.shared;
        let servers = Servers::start(bound, &pool, clock, |number| {
            let server = Server::new(number, Arc::clone(shared));
            counters.lock().unwrap().push(server.counters());
            let record = Box::new(|_: &[u8]| Ok(()));
            Ok(Worker { server, record })
        });
        Self {
            servers: Some(servers.unwrap()),
            counters: counters.into_inner().unwrap(),
            address,
            lab,
            _runtime: runtime,
        }
    }

    /// Sends a request from a port of its own until it is answered; `None` after a few tries.
    fn ask(&self, nas: &Nas, request: &[u8]) -> Option<Reply> {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let mut buffer = [0; 4096];
        for _ in 0..4 {
            socket.send_to(request, self.address).unwrap();
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                assert_eq!(from, self.address);
                return Some(nas.believe(request, &buffer[..length]));
            }
        }
        None
    }

    fn sum(&self, read: impl Fn(&Counters) -> u64) -> u64 {
        self.counters.iter().map(|counters| read(counters)).sum()
    }

    /// Each try was worked on afresh, unless the one before was still being worked on: a panic that is
    /// printed with its trace may take longer than a try. Nobody waits for a lost one.
    fn lost_all_of(&self, tries: u64) {
        let lost = self.sum(|counters| counters.lost.get());
        assert!(lost > 0);
        assert_eq!(lost + self.dropped("duplicate_in_progress"), tries);
    }

    fn dropped(&self, reason: &str) -> u64 {
        self.sum(|counters| {
            let mut all = counters.discarded();
            all.find(|(name, _)| *name == reason).unwrap().1
        })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(servers) = self.servers.take() {
            servers.stop(Duration::ZERO);
        }
    }
}

/// Checks slowly, and panics over one name; of users of `elsewhere` a server is asked, which answers
/// of everybody but those it hangs over.
#[derive(Debug)]
struct Fragile;

impl Passwords for Fragile {
    fn check(&self, user: &str, _: &Proof<'_>) -> Check {
        let (name, realm) = user.split_once('@').unwrap();
        let (panics, hangs) = (name == "panic", name.starts_with("hang"));
        if realm == "elsewhere" {
            return Check::Elsewhere(Inquiry::new(async move {
                assert!(!panics, "an inquiry that panics, on purpose");
                if hangs {
                    std::future::pending::<()>().await;
                }
                tokio::task::yield_now().await;
                Answer::Accepted(None)
            }));
        }
        Check::Slow(Box::new(move || {
            assert!(!panics, "a password check that panics, on purpose");
            Answer::Accepted(None)
        }))
    }
}

fn login(nas: &mut Nas, user: &str) -> Vec<u8> {
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, user.as_bytes())
            .user_password(b"whatever");
    })
}

#[test]
fn status_server_is_answered_and_the_loops_end_when_told() {
    let mut gateway = Gateway::start(2, 8);
    let mut nas = Nas::new("127.0.0.1:1", SECRET);
    let request = nas.status();
    assert_eq!(
        gateway.ask(&nas, &request).unwrap().code,
        Code::AccessAccept
    );
    gateway
        .servers
        .take()
        .unwrap()
        .stop(Duration::from_secs(60));
}

#[test]
fn replies_leave_from_the_address_that_was_asked_rfc2865_3() {
    // They left from the address that the system liked best, and no NAS took them.
    for (everywhere, asked) in [
        ("0.0.0.0:0", &["127.0.0.1", "127.0.0.2", "127.9.9.9"][..]),
        ("[::]:0", &["::1"]),
    ] {
        let gateway = Gateway::listening(everywhere, 2, 8);
        let mut nas = Nas::new("127.0.0.1:1", SECRET);
        for host in asked.iter().chain(asked) {
            let host: std::net::IpAddr = host.parse().unwrap();
            // From one place, so that all of it comes in by one socket of the loops.
            let here = if host.is_ipv4() {
                "127.0.0.1:0"
            } else {
                "[::1]:0"
            };
            let socket = UdpSocket::bind(here).unwrap();
            // A socket that is connected hears nobody else.
            socket.connect((host, gateway.address.port())).unwrap();
            let wait = Some(Duration::from_secs(10));
            socket.set_read_timeout(wait).unwrap();
            // At once, and by a worker.
            for request in [nas.status(), login(&mut nas, "alice@contoso.com")] {
                socket.send(&request).unwrap();
                let mut buffer = [0; 4096];
                let length = socket.recv(&mut buffer).expect("a reply from there");
                nas.believe(&request, &buffer[..length]);
            }
        }
    }
}

#[test]
fn a_job_that_panics_costs_its_own_request_only() {
    // Its worker ended with it, and with the last worker all logins.
    let gateway = Gateway::start(1, 8);
    let mut nas = Nas::new("127.0.0.1:1", SECRET);
    let fatal = login(&mut nas, "panic@contoso.com");
    assert!(gateway.ask(&nas, &fatal).is_none());
    let request = login(&mut nas, "alice@contoso.com");
    assert_eq!(
        gateway.ask(&nas, &request).unwrap().code,
        Code::AccessAccept
    );
    gateway.lost_all_of(4);
}

#[test]
fn a_server_that_hangs_holds_no_worker_and_costs_those_who_need_it() {
    // With one worker and one place for a job: a hanging server must not take either.
    let gateway = Gateway::start(1, 1);
    let mut nas = Nas::new("127.0.0.1:1", SECRET);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..200 {
        let request = login(&mut nas, &format!("hang-{number}@elsewhere"));
        socket.send_to(&request, gateway.address).unwrap();
    }
    let bypass = nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, GOOD_MAC.as_bytes())
            .user_password(GOOD_MAC.as_bytes());
    });
    for (row, request) in [
        ("a MAC address", bypass),
        ("a slow hash", login(&mut nas, "alice@contoso.com")),
        ("another inquiry", login(&mut nas, "alice@elsewhere")),
    ] {
        let reply = gateway.ask(&nas, &request).expect(row);
        assert_eq!(reply.code, Code::AccessAccept, "row {row}");
    }
    assert_eq!(gateway.sum(|counters| counters.lost.get()), 0);
    assert_eq!(gateway.dropped("overloaded"), 0);
}

#[test]
fn an_inquiry_that_panics_costs_its_own_request_only() {
    let gateway = Gateway::start(1, 8);
    let mut nas = Nas::new("127.0.0.1:1", SECRET);
    let fatal = login(&mut nas, "panic@elsewhere");
    assert!(gateway.ask(&nas, &fatal).is_none());
    let request = login(&mut nas, "alice@elsewhere");
    let reply = gateway.ask(&nas, &request).unwrap();
    assert_eq!(reply.code, Code::AccessAccept);
    gateway.lost_all_of(4);
}

#[test]
fn a_login_that_wanders_between_ports_and_loops_comes_to_its_end() {
    let gateway = Gateway::start(3, 8);
    for _ in 0..5 {
        // Without a certificate, so that the end does not depend on today's date.
        let mut settings = gateway.lab.profile_settings(GOOD);
        settings.credential = None;
        let profile = Arc::new(Profile::build(settings).unwrap());
        let mut pair = gateway.lab.pair_of(&profile);
        let mut request = pair.request();
        loop {
            // Each request comes from another port, and so to some loop.
            let reply = gateway.ask(&pair.nas, &request).expect("a reply");
            match pair.take(gateway.lab.now, reply) {
                Next::Request(next) => request = next,
                Next::End(end) => {
                    end.rejected();
                    break;
                }
            }
        }
        let why = refusal(&gateway.lab.record());
        assert!(
            why.starts_with("server: the peer has no certificate"),
            "{why}"
        );
    }
    let handed_over = gateway.sum(|counters| counters.handed_over.get());
    assert!(handed_over > 0, "of 15 requests none met another loop");
}

#[test]
fn more_jobs_than_places_are_refused_and_none_is_lost() {
    // Finished jobs had a mailbox of fixed size, and what did not fit was dropped in silence.
    let gateway = Gateway::start(1, 1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut nas = Nas::new("127.0.0.1:1", SECRET);
    let requests: Vec<Vec<u8>> = (0..200)
        .map(|_| login(&mut nas, "alice@contoso.com"))
        .collect();
    let mut open: Vec<&Vec<u8>> = requests.iter().collect();
    let mut buffer = [0; 4096];
    for _ in 0..400 {
        if open.is_empty() {
            break;
        }
        for request in open.iter().take(40) {
            socket.send_to(request, gateway.address).unwrap();
        }
        while let Ok(length) = socket.recv(&mut buffer) {
            open.retain(|request| !nas.answers(request, &buffer[..length]));
            if open.is_empty() {
                break;
            }
            socket
                .set_read_timeout(Some(Duration::from_millis(20)))
                .unwrap();
        }
    }
    assert!(open.is_empty(), "{} requests without answer", open.len());
    assert!(gateway.dropped("overloaded") > 0);
    assert_eq!(gateway.sum(|counters| counters.lost.get()), 0);
}

#[test]
fn more_addresses_than_a_loop_can_watch_are_refused() {
    let listen = Listen {
        address: "127.0.0.1:0".parse().unwrap(),
        role: Role::Authentication,
    };
    let most = vec![listen; MAX_ADDRESSES];
    assert_eq!(
        radius::bind(&most, 1).unwrap().addresses.len(),
        MAX_ADDRESSES
    );
    let (address, error) = radius::bind(&vec![listen; MAX_ADDRESSES + 1], 1).unwrap_err();
    assert_eq!(address, listen.address);
    assert!(error.to_string().contains("16"), "{error}");
}
