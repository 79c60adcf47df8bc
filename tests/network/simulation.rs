//! Many logins over a bad network, in virtual time, under seeds: datagrams are lost, doubled and
//! overtake each other, jobs are late, refused or lost, ports change, devices change sides.
//!
//! Whatever happens, each login ends with keys that both ends have or with a refusal, a
//! retransmission gets the reply of its original bit for bit, and nobody is let in whom the
//! inventory forbids at that moment.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve::eap::Inner;
use portreeve::eap::Outer;
use portreeve::eap::TlsVersion;
use portreeve::model::ComplianceState;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Secret;
use portreeve::network::Handover;
use portreeve::network::Job;
use portreeve::probe::InsideSettings;
use portreeve::probe::Profile;
use portreeve::probe::TeapPeer;
use portreeve::radius::Code;

use crate::lab::AUTHENTICATION;
use crate::lab::BAD;
use crate::lab::GOOD;
use crate::lab::GOOD_MAC;
use crate::lab::Lab;
use crate::lab::Sent;
use crate::lab::UNMANAGED;
use crate::nas::Nas;
use crate::pair::End;
use crate::pair::Next;
use crate::pair::Pair;
use crate::world::SECRET;

/// What goes wrong, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    lost: u64,
    doubled: u64,
    moved: u64,
    /// Retransmissions that the NAS signs anew, under another Identifier.
    anew: u64,
    refused: u64,
    never: u64,
    flips: u64,
    /// Longest way of a datagram, and longest work of a job, in milliseconds.
    way: u64,
    work: u64,
}

enum Event {
    ToServer(SocketAddr, Vec<u8>),
    ToNas(Sent, Monotonic),
    Worked(usize, Job),
    Carried(Handover),
    /// The NAS looks whether the login has gone on since its `turn`.
    Again(usize, u64),
    Flip,
}

/// One device that tries until it knows.
struct Peer {
    guid: &'static str,
    profile: Arc<Profile>,
    pair: Pair,
    request: Vec<u8>,
    /// Counts requests, so that a timer of an answered one is told from that of a waiting one.
    turn: u64,
    tries: u32,
    logins: u32,
    ended: Option<Code>,
}

struct World {
    lab: Lab,
    faults: Faults,
    dice: u64,
    events: BTreeMap<u64, Event>,
    queue: BinaryHeap<Reverse<(Monotonic, u64)>>,
    next: u64,
    peers: Vec<Peer>,
    /// By request: its first reply, and when that left.
    replies: BTreeMap<Vec<u8>, (Vec<u8>, Monotonic)>,
    compliant: bool,
    accepts: u64,
    /// Refusals of devices that are let in.
    rejects: u64,
}

impl World {
    fn new(seed: u64, faults: Faults) -> Self {
        let loops = [1, 2, 3][usize::try_from(seed % 3).unwrap()];
        let mut world = Self {
            lab: Lab::with_loops(loops),
            faults,
            dice: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            events: BTreeMap::new(),
            queue: BinaryHeap::new(),
            next: 0,
            peers: Vec::new(),
            replies: BTreeMap::new(),
            compliant: true,
            accepts: 0,
            rejects: 0,
        };
        for number in 0..12_u16 {
            let guid = [GOOD, UNMANAGED, BAD][usize::from(number % 3)];
            let mut settings = world.lab.profile_settings(guid);
            settings.remembered = 4;
            if number < 3 {
                settings.highest = TlsVersion::Tls12;
            }
            if number >= 6 {
                let tunnels = [Outer::Ttls, Outer::Peap, Outer::Teap];
                settings.method = tunnels[usize::from(number / 3 + number) % 3];
                settings.inside = Some(certificate_inside());
            }
            settings.max_packet = if number % 2 == 0 { 300 } else { 1024 };
            let profile = Arc::new(Profile::build(settings).unwrap());
            let mut pair = Pair::new(
                Nas::new(
                    &format!("192.0.2.{}:{}", 1 + number % 2, 3000 + number),
                    SECRET,
                ),
                &profile,
                "anonymous@contoso.com",
            );
            pair.station = format!("00-00-5E-00-55-{number:02X}");
            let request = pair.request();
            world.peers.push(Peer {
                guid,
                profile,
                pair,
                request,
                turn: 0,
                tries: 0,
                logins: 1,
                ended: None,
            });
        }
        world
    }

    fn roll(&mut self, below: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % below.max(1)
    }

    fn chance(&mut self, thousandths: u64) -> bool {
        self.roll(1000) < thousandths
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(1 + self.roll(most.max(1)))
    }

    fn at(&mut self, after: Duration, event: Event) {
        let when = self.lab.now.monotonic + after;
        self.next += 1;
        self.events.insert(self.next, event);
        self.queue.push(Reverse((when, self.next)));
    }

    /// Puts a datagram on its way: it may get lost, or come twice.
    fn send(&mut self, make: impl Fn() -> Event) {
        for copy in 0..2 {
            if copy == 1 && !self.chance(self.faults.doubled) {
                continue;
            }
            if !self.chance(self.faults.lost) {
                let way = self.millis(self.faults.way);
                self.at(way, make());
            }
        }
    }

    /// The NAS sends its request, for the first time or again.
    fn transmit(&mut self, number: usize) {
        if self.chance(self.faults.moved) {
            let port = 3000 + u16::try_from(self.roll(3000)).unwrap();
            self.peers[number].pair.nas.address.set_port(port);
        }
        let anew = self.peers[number].tries > 0 && self.chance(self.faults.anew);
        let peer = &mut self.peers[number];
        if anew {
            peer.request = peer.pair.request();
        }
        peer.tries += 1;
        let (from, turn) = (peer.pair.nas.address, peer.turn);
        let request = peer.request.clone();
        self.send(|| Event::ToServer(from, request.clone()));
        self.at(Duration::from_secs(2), Event::Again(number, turn));
    }

    fn begin(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        let fresh = Nas::new(&peer.pair.nas.address.to_string(), SECRET);
        let old = std::mem::replace(&mut peer.pair.nas, fresh);
        let mut pair = Pair::new(old, &peer.profile, "anonymous@contoso.com");
        pair.station.clone_from(&peer.pair.station);
        peer.request = pair.request();
        peer.pair = pair;
        peer.logins += 1;
        self.turn(number);
    }

    fn turn(&mut self, number: usize) {
        let peer = &mut self.peers[number];
        peer.turn += 1;
        peer.tries = 0;
        self.transmit(number);
    }

    fn run(&mut self) {
        for number in 0..self.peers.len() {
            self.transmit(number);
        }
        for _ in 0..self.faults.flips {
            let after = self.millis(8000);
            self.at(after, Event::Flip);
        }
        while let Some(Reverse((when, number))) = self.queue.pop() {
            let passed = when.since(self.lab.now.monotonic);
            self.lab.passes(passed);
            let now = self.lab.now;
            for server in &mut self.lab.servers {
                if server
                    .poll_timeout()
                    .is_some_and(|due| due <= now.monotonic)
                {
                    server.handle_timeout(now);
                }
            }
            let event = self.events.remove(&number).unwrap();
            self.handle(now, event);
            for worker in 0..self.lab.servers.len() {
                self.drain(worker);
            }
        }
    }

    fn handle(&mut self, now: Now, event: Event) {
        match event {
            Event::ToServer(from, octets) => {
                let worker = usize::from(from.port()) % self.lab.servers.len();
                self.lab.servers[worker].handle_datagram(now, AUTHENTICATION, from, &octets);
            }
            Event::Worked(worker, job) => {
                let done = job.run(|| now);
                self.lab.servers[worker].handle_job(now, done);
            }
            Event::Carried(handover) => {
                let worker = usize::from(handover.worker());
                self.lab.servers[worker].handle_handover(now, handover);
            }
            Event::ToNas(sent, left) => self.arrive(now, &sent, left),
            Event::Again(number, turn) => self.again(number, turn),
            Event::Flip => {
                self.compliant = !self.compliant;
                let state = if self.compliant {
                    ComplianceState::Compliant
                } else {
                    ComplianceState::NonCompliant
                };
                self.lab.judged(GOOD, GOOD_MAC, state);
            }
        }
    }

    fn drain(&mut self, worker: usize) {
        let now = self.lab.now;
        while let Some(job) = self.lab.servers[worker].poll_job() {
            if self.chance(self.faults.refused) {
                self.lab.servers[worker].handle_refused_job(job);
            } else if self.chance(self.faults.never) {
                drop(job);
            } else {
                let work = self.millis(self.faults.work);
                self.at(work, Event::Worked(worker, job));
            }
        }
        while let Some(handover) = self.lab.servers[worker].poll_handover() {
            if self.chance(self.faults.refused) {
                self.lab.servers[worker].handle_refused_handover(handover);
            } else {
                self.at(Duration::from_micros(50), Event::Carried(handover));
            }
        }
        for sent in self.lab.take_sent(worker) {
            assert!(sent.octets.len() <= 4096);
            self.send(|| Event::ToNas(sent.clone(), now.monotonic));
        }
        self.look_at_accepts();
    }

    /// Nobody is let in whom the inventory forbids at this moment.
    fn look_at_accepts(&mut self) {
        let counters = self.lab.servers.iter().map(|server| server.counters());
        let accepts = counters
            .map(|of| of.allowed.get() + of.quarantined.get())
            .sum();
        if accepts > self.accepts {
            self.accepts = accepts;
            let newest = self.lab.records().into_iter().next_back().unwrap();
            let device = newest.seen.posture().unwrap().device.to_string();
            assert_ne!(device, BAD);
            assert!(device != GOOD || self.compliant, "a change was not felt");
        }
    }

    fn arrive(&mut self, now: Now, sent: &Sent, left: Monotonic) {
        let asked = self.peers.iter().position(|peer| {
            peer.ended.is_none() && peer.pair.nas.answers(&peer.request, &sent.octets)
        });
        let Some(number) = asked else {
            return; // The answer to an earlier request of its NAS.
        };
        let request = self.peers[number].request.clone();
        let (first, first_left) = self
            .replies
            .entry(request.clone())
            .or_insert_with(|| (sent.octets.clone(), left));
        // The stored reply lives for ten seconds.
        let apart = left.since(*first_left).max(first_left.since(left));
        if apart < Duration::from_secs(10) {
            assert_eq!(*first, sent.octets, "two answers to one request");
        }
        let peer = &mut self.peers[number];
        let reply = peer.pair.nas.believe(&request, &sent.octets);
        match peer.pair.take(now, reply) {
            Next::Request(next) => {
                peer.request = next;
                self.turn(number);
            }
            Next::End(end) => {
                if let End::Accepted { .. } = &end {
                    end.accepted(&peer.pair.nas);
                    peer.ended = Some(Code::AccessAccept);
                } else if peer.guid == BAD || peer.logins >= MAX_LOGINS {
                    peer.ended = Some(Code::AccessReject);
                } else {
                    self.rejects += 1;
                    // A conversation that was lost, or a device in disgrace: it tries again.
                    self.begin(number);
                }
            }
        }
    }

    fn again(&mut self, number: usize, turn: u64) {
        let peer = &self.peers[number];
        if peer.ended.is_some() || peer.turn != turn {
            return;
        }
        if peer.tries < 5 {
            self.transmit(number);
        } else if peer.logins < MAX_LOGINS {
            self.begin(number);
        }
    }
}

const MAX_LOGINS: u32 = 60;

/// EAP-TLS inside of a tunnel, which proves the same device.
fn certificate_inside() -> InsideSettings {
    InsideSettings {
        inner: Inner::Tls,
        by_eap: true,
        user: "alice@contoso.com".into(),
        password: Secret::new(Vec::new()),
        binding: true,
        resumes: true,
        early: false,
        teap: TeapPeer::default(),
    }
}

fn simulate(seed: u64, faults: Faults) -> World {
    let mut world = World::new(seed, faults);
    world.run();
    for peer in &world.peers {
        let row = format!(
            "seed {seed} {} after {} logins: {faults:?}",
            peer.guid, peer.logins
        );
        let ended = peer.ended.unwrap_or_else(|| panic!("no end, {row}"));
        if peer.guid == BAD {
            assert_eq!(ended, Code::AccessReject, "{row}");
        } else if faults.flips.is_multiple_of(2) {
            assert_eq!(ended, Code::AccessAccept, "{row}");
        }
    }
    // Nothing is left behind: every timer runs out.
    for _ in 0..3 {
        world.lab.passes(Duration::from_secs(61));
        let now = world.lab.now;
        for server in &mut world.lab.servers {
            server.handle_timeout(now);
        }
    }
    for server in &world.lab.servers {
        assert_eq!(server.poll_timeout(), None, "seed {seed}");
    }
    world
}

#[test]
fn on_a_good_network_every_login_takes_one_attempt() {
    for seed in 0..3 {
        let world = simulate(
            seed,
            Faults {
                way: 20,
                work: 20,
                ..Faults::default()
            },
        );
        assert!(world.peers.iter().all(|peer| peer.logins == 1));
    }
}

#[test]
fn loss_duplication_and_reordering_cost_retransmissions_only() {
    let mut logins = 0;
    for seed in 100..130 {
        let faults = Faults {
            lost: 50 + seed % 7 * 25,
            doubled: 300,
            way: 900,
            work: 300,
            ..Faults::default()
        };
        let world = simulate(seed, faults);
        logins += world.peers.iter().map(|peer| peer.logins).sum::<u32>();
    }
    // 270 at least; some give up after five tries.
    assert!(logins < 650, "{logins} logins");
}

#[test]
fn slow_refused_and_lost_jobs_end_no_login_for_good() {
    for seed in 200..230 {
        let faults = Faults {
            lost: 50,
            doubled: 100,
            refused: 300,
            never: seed % 3 * 20,
            way: 200,
            work: 2500,
            ..Faults::default()
        };
        simulate(seed, faults);
    }
}

#[test]
fn ports_that_change_between_loops_do_no_harm() {
    for seed in 300..330 {
        let faults = Faults {
            lost: 100,
            doubled: 200,
            moved: 300,
            refused: 50,
            way: 400,
            work: 400,
            ..Faults::default()
        };
        simulate(seed, faults);
    }
}

/// A NAS that signs a retransmission anew was told that its State is unknown, which ended the login.
#[test]
fn retransmissions_that_are_signed_anew_are_never_refused() {
    for seed in 500..530 {
        let faults = Faults {
            lost: 50 + seed % 5 * 40,
            doubled: 200,
            moved: seed % 3 * 150,
            anew: 700,
            way: 600,
            work: 300,
            ..Faults::default()
        };
        let world = simulate(seed, faults);
        assert_eq!(world.rejects, 0, "seed {seed}");
    }
}

#[test]
fn a_device_that_changes_sides_is_never_let_in_while_it_is_bad() {
    for seed in 400..430 {
        let faults = Faults {
            lost: 50,
            doubled: 200,
            flips: 2 + seed % 5,
            way: 800,
            work: 800,
            ..Faults::default()
        };
        simulate(seed, faults);
    }
}
