//! Datagrams for a whole server: as they come, and signed so that they get deep.
//!
//! The input is a list of frames: a control octet, a length of two octets, and so many octets. See
//! [`Control`] for what becomes of them. A conversation goes on by itself: the server's last State
//! and identifier can be put into the next request.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use portreeve::eap;
use portreeve::inventory::Update;
use portreeve::model::ComplianceState;
use portreeve::model::DeviceId;
use portreeve::model::MacAddress;
use portreeve::model::Now;
use portreeve::model::NtKey;
use portreeve::model::Proof;
use portreeve::model::Secret;
use portreeve::model::Tri;
use portreeve::network::ChargingKey;
use portreeve::network::Check;
use portreeve::network::Config;
use portreeve::network::Door;
use portreeve::network::Enforcement;
use portreeve::network::Method;
use portreeve::network::MethodSet;
use portreeve::network::Methods;
use portreeve::network::Passwords;
use portreeve::network::Role;
use portreeve::network::Server;
use portreeve::network::Settings;
use portreeve::network::Shared;
use portreeve::radius::AttributeType;
use portreeve::radius::Code;
use portreeve::radius::MAX_PACKET;
use portreeve::radius::NasTable;
use portreeve::radius::Packet;
use portreeve::radius::RequestAuthenticator;
use portreeve::radius::RequestBuilder;
use portreeve::radius::SharedSecret;
use portreeve::radius::Signature;
use portreeve::radius::verify;
use portreeve::radius::verify_reply;

use world::SECRET;
use world::nas_config;
use world::noon;
use world::report;

#[path = "../../support/world.rs"]
mod world;

/// Panics if an invariant of the network room does not hold for these datagrams.
pub fn drive(octets: &[u8]) {
    let mut world = World::new();
    let mut rest = octets;
    // More frames show nothing new and take long.
    for _ in 0..64 {
        let Some((control, octets, others)) = frame(rest) else {
            break;
        };
        world.frame(&Control(control), octets);
        rest = others;
    }
    world.end();
}

/// What a frame's first octet says of the others.
struct Control(u8);

impl Control {
    /// 0: a datagram. 1: attributes of an Access-Request. 2: of an Accounting-Request. 3: the
    /// first octet is a time to pass in seconds, and a Status-Server.
    const fn kind(&self) -> u8 {
        self.0 & 3
    }

    /// Put the last State into the request.
    const fn goes_on(&self) -> bool {
        self.0 & 4 != 0
    }

    /// Put the identifier of the last EAP-Request into the EAP-Message.
    const fn answers(&self) -> bool {
        self.0 & 8 != 0
    }

    /// 0: do the jobs. 1: refuse them. 2: lose them. 3: they fail.
    const fn jobs(&self) -> u8 {
        self.0 >> 4 & 3
    }

    const fn door(&self) -> Door {
        if self.0 & 0x40 == 0 {
            Door {
                role: Role::Authentication,
                socket: 0,
                local: None,
            }
        } else {
            Door {
                role: Role::Accounting,
                socket: 1,
                local: None,
            }
        }
    }

    fn from(&self) -> SocketAddr {
        if self.0 & 0x80 == 0 {
            ([192, 0, 2, 1], 1812).into()
        } else {
            ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 1812).into()
        }
    }
}

/// Control, octets, and the other frames. A last frame that is cut counts as it is.
fn frame(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[control, high, low], rest) = octets.split_first_chunk::<3>()?;
    let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (octets, others) = rest.split_at(length);
    Some((control, octets, others))
}

struct World {
    server: Server,
    secret: SharedSecret,
    now: Now,
    identifier: u8,
    state: Vec<u8>,
    eap_identifier: u8,
    /// Verified requests by what a retransmission is told by.
    believed: HashSet<(SocketAddr, Vec<u8>)>,
    /// Requests that may be answered later, by source and identifier.
    asked: HashMap<(SocketAddr, u8), Vec<Vec<u8>>>,
}

impl World {
    fn new() -> Self {
        DICE.set(1);
        Self {
            server: Server::new(0, Arc::clone(shared())),
            secret: SharedSecret::new(Secret::new(SECRET.to_vec())),
            now: noon(),
            identifier: 0,
            state: vec![0; 17],
            eap_identifier: 1,
            believed: HashSet::new(),
            asked: HashMap::new(),
        }
    }

    fn frame(&mut self, control: &Control, octets: &[u8]) {
        let datagram = match control.kind() {
            0 => octets.to_vec(),
            1 => self.access(control, octets),
            2 => self.accounting(octets),
            _ => {
                let seconds = octets.first().copied().unwrap_or(0);
                self.now = self.now.plus(Duration::from_secs(seconds.into()));
                self.server.handle_timeout(self.now);
                self.status()
            }
        };
        self.send(control, &datagram);
        self.do_jobs(control);
        self.look_at_replies(control.from());
    }

    fn access(&mut self, control: &Control, attributes: &[u8]) -> Vec<u8> {
        let mut buffer = [0; MAX_PACKET];
        let (identifier, authenticator) = self.next();
        let mut request =
            RequestBuilder::access_request(&mut buffer, identifier, authenticator, &self.secret);
        if control.goes_on() {
            request.octets(AttributeType::STATE, &self.state);
        }
        let mut first_eap = true;
        for (kind, value) in tlvs(attributes) {
            let kind = AttributeType(kind);
            let mut value = value.to_vec();
            match kind {
                AttributeType::MESSAGE_AUTHENTICATOR => continue,
                AttributeType::STATE if control.goes_on() => continue,
                AttributeType::USER_PASSWORD => {
                    value.truncate(128);
                    request.user_password(&value);
                    continue;
                }
                AttributeType::EAP_MESSAGE if first_eap => {
                    first_eap = false;
                    if let Some(place) = value.get_mut(1).filter(|_| control.answers()) {
                        *place = self.eap_identifier;
                    }
                }
                AttributeType(_) => {}
            }
            request.octets(kind, &value);
        }
        request.finish().map(<[u8]>::to_vec).unwrap_or_default()
    }

    fn accounting(&mut self, attributes: &[u8]) -> Vec<u8> {
        let mut buffer = [0; MAX_PACKET];
        let (identifier, _) = self.next();
        let mut request = RequestBuilder::accounting_request(&mut buffer, identifier, &self.secret);
        for (kind, value) in tlvs(attributes) {
            if kind != AttributeType::MESSAGE_AUTHENTICATOR.0 {
                request.octets(AttributeType(kind), value);
            }
        }
        request.finish().map(<[u8]>::to_vec).unwrap_or_default()
    }

    fn status(&mut self) -> Vec<u8> {
        let mut buffer = [0; MAX_PACKET];
        let (identifier, authenticator) = self.next();
        let request =
            RequestBuilder::status_server(&mut buffer, identifier, authenticator, &self.secret);
        request.finish().map(<[u8]>::to_vec).unwrap_or_default()
    }

    fn next(&mut self) -> (u8, RequestAuthenticator) {
        self.identifier = self.identifier.wrapping_add(1);
        let authenticator = RequestAuthenticator::new([self.identifier; 16]);
        (self.identifier, authenticator)
    }

    fn send(&mut self, control: &Control, datagram: &[u8]) {
        let from = control.from();
        let settings = shared().settings.load();
        let nas = settings.nas.find(from.ip()).expect("a NAS of the table");
        let packet = Packet::new_checked(datagram);
        let header = datagram.get(..20).unwrap_or(&[]).to_vec();
        // Code, identifier and authenticator, without the length.
        let told_by = (
            from,
            [
                &header[..2.min(header.len())],
                &header[4.min(header.len())..],
            ]
            .concat(),
        );
        if packet.is_ok_and(|packet| verify(packet, nas).is_ok()) {
            self.believed.insert(told_by.clone());
            let asked = self.asked.entry((from, header[1])).or_default();
            asked.push(datagram.to_vec());
        }
        self.server
            .handle_datagram(self.now, control.door(), from, datagram);
        let lines = self.server.accounting();
        assert!(lines.is_empty() || self.server.transmits().next().is_none());
        for line in lines.split_inclusive(|octet| *octet == b'\n') {
            let line = serde_json::from_slice::<serde_json::Value>(line);
            assert!(line.expect("a line of JSON").is_object());
        }
        self.server.handle_recorded(self.now);
        let answered = self.server.transmits().next().is_some();
        assert!(
            !answered || self.believed.contains(&told_by),
            "an answer to who was not believed"
        );
    }

    fn do_jobs(&mut self, control: &Control) {
        while let Some(job) = self.server.poll_job() {
            match control.jobs() {
                0 => {
                    let now = self.now;
                    let done = job.run(|| now);
                    self.server.handle_job(now, done);
                }
                1 => self.server.handle_refused_job(job),
                2 => drop(job),
                _ => {
                    let loss = job.loss();
                    self.server.handle_job(self.now, loss);
                }
            }
        }
        assert!(self.server.poll_handover().is_none(), "there is one loop");
    }

    fn look_at_replies(&mut self, from: SocketAddr) {
        let mut count = 0;
        for transmit in self.server.transmits() {
            count += 1;
            assert!(transmit.octets.len() <= MAX_PACKET);
            assert_eq!(transmit.to, from);
            let reply = Packet::new_checked(transmit.octets).expect("a packet");
            let asked = self.asked.get(&(from, reply.identifier()));
            let signature = asked.into_iter().flatten().find_map(|request| {
                let request = Packet::new_checked(request).ok()?;
                let verified = verify_reply(reply, &request, &self.secret).ok()?;
                Some((request.code(), verified.signature()))
            });
            let (code, signature) = signature.expect("a reply to somebody who asked");
            let unsigned = code == Code::AccountingRequest;
            let expected = if unsigned {
                Signature::Missing
            } else {
                Signature::First
            };
            assert_eq!(signature, expected);
            if let Some(state) = reply.find(AttributeType::STATE) {
                assert_eq!(reply.code(), Code::AccessChallenge);
                self.state = state.to_vec();
            }
            let mut joined = [0; MAX_PACKET];
            let eap = reply
                .eap_message()
                .and_then(|message| message.join(&mut joined));
            if let Some(eap) = eap {
                let eap = eap::Packet::new_checked(eap).expect("an EAP packet");
                // Nobody here has a certificate, so nobody is let in.
                let fits = [
                    (Code::AccessChallenge, eap::Code::Request),
                    (Code::AccessReject, eap::Code::Failure),
                ]
                .contains(&(reply.code(), eap.code()));
                assert!(fits, "{:?} in {}", eap.code(), reply.code());
                self.eap_identifier = eap.identifier();
            }
        }
        assert!(count <= 1, "{count} replies to one datagram");
        self.server.clear_transmits();
    }

    /// Whatever came, all of it is let go of in time.
    fn end(mut self) {
        for _ in 0..2 {
            self.now = self.now.plus(Duration::from_secs(120));
            self.server.handle_timeout(self.now);
        }
        assert_eq!(self.server.poll_timeout(), None);
    }
}

/// Attributes as they stand in a packet, as far as they can be read.
fn tlvs(octets: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = octets;
    std::iter::from_fn(move || {
        let (&[kind, length], after) = rest.split_first_chunk::<2>()?;
        let length = usize::from(length).saturating_sub(2).min(after.len());
        let (value, others) = after.split_at(length);
        rest = others;
        Some((kind, value))
    })
}

fn shared() -> &'static Arc<Shared> {
    static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();
    SHARED.get_or_init(|| {
        let mac = MacAddress::new([0, 0, 0x5e, 0, 0x53, 1]);
        let device = DeviceId::from_u128(1);
        let known = report(device, mac, Tri::Yes, ComplianceState::Compliant);
        let house = world::World::new(vec![Update::Device(known)]);
        house.shared(settings(), 1, 1, random)
    })
}

fn settings() -> Settings {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["radius.example.org".to_owned()]);
    let certificate = params
        .and_then(|params| params.self_signed(&key))
        .expect("a certificate");
    let chain = vec![certificate.der().clone()];
    let key = key.serialize_der().try_into().expect("a key");
    let eap = eap::Settings::new(chain.clone(), key, chain);
    let nas = NasTable::new(vec![
        nas_config("four", "office", "192.0.2.0/24"),
        nas_config("six", "office", "2001:db8::/64"),
    ]);
    Settings {
        nas: nas.expect("two entries"),
        eap: Some(Arc::new(eap::Config::build(eap).expect("sound settings"))),
        eap_groups: HashMap::default(),
        enforcement: Enforcement::default(),
        methods: Methods {
            default: MethodSet::of(&Method::ALL),
            groups: HashMap::new(),
        },
        passwords: Arc::new(Book),
        charging: ChargingKey::new(&[7; 32]),
        routes: None,
        config: Config {
            conversations: 4,
            // A reply then belongs to the datagram before it.
            reject_delay: Duration::ZERO,
            ..Config::default()
        },
    }
}

/// The password is the name; a longer one is slow to check.
#[derive(Debug)]
struct Book;

impl Passwords for Book {
    fn check(&self, user: &str, proof: &Proof<'_>) -> Check {
        let Proof::Password(password) = proof else {
            // By the length, so that each answer is written.
            return match user.len() % 3 {
                0 => Check::Accepted(Some(NtKey::new([7; 16]))),
                1 => Check::Refused,
                _ => Check::Unsuited,
            };
        };
        let right = *password == user.as_bytes();
        if user.len() > 8 {
            Check::Slow(Box::new(move || right.into()))
        } else if right {
            Check::Accepted(None)
        } else {
            Check::Refused
        }
    }
}

thread_local! {
    static DICE: Cell<u8> = const { Cell::new(1) };
}

fn random(octets: &mut [u8]) {
    for octet in octets {
        DICE.set(DICE.get().wrapping_mul(5).wrapping_add(3));
        *octet = DICE.get();
    }
}
