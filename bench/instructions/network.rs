//! From a datagram to its reply: MAC authentication bypass, PAP, accounting, Status-Server and
//! duplicates, in a server without sockets; and the journal's line about a decision.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve::access::CorrelationSource;
use portreeve::access::DecisionRecord;
use portreeve::access::RecordQueue;
use portreeve::access::Sessions;
use portreeve::eap;
use portreeve::journal;
use portreeve::model::MacAddress;
use portreeve::model::Monotonic;
use portreeve::model::Now;
use portreeve::model::Secret;
use portreeve::network::Check;
use portreeve::network::Config;
use portreeve::network::Door;
use portreeve::network::Enforcement;
use portreeve::network::Passwords;
use portreeve::network::Profile;
use portreeve::network::Profiles;
use portreeve::network::Role;
use portreeve::network::Server;
use portreeve::network::Settings;
use portreeve::network::Shared;
use portreeve::radius::AttributeType;
use portreeve::radius::MessageAuthenticatorPolicy;
use portreeve::radius::NasConfig;
use portreeve::radius::NasTable;
use portreeve::radius::Template;

use crate::measured;
use crate::nas::Nas;
use crate::world;
use crate::world::World;
use crate::world::mac;

/// A server of one loop, and the world that it decides in.
pub(crate) struct Gateway {
    pub(crate) shared: Arc<Shared>,
    pub(crate) server: Server,
    pub(crate) now: Now,
    /// The last thing that was recorded.
    pub(crate) last: Option<DecisionRecord>,
}

impl Gateway {
    /// With 2,000 devices, 5 policies, and EAP if it is wanted.
    pub(crate) fn new(eap: Option<eap::Config>, now: Now) -> Self {
        let world = World::load(DEVICES);
        let settings = Settings {
            nas: table(),
            eap: eap.map(Arc::new),
            enforcement: enforcement(),
            passwords: Arc::new(OneForAll),
            config: Config::default(),
        };
        let shared = Arc::new(Shared {
            settings: Arc::new(settings).into(),
            point: Arc::new(world.point(5)),
            sessions: Arc::new(Sessions::new(10_000)),
            records: Arc::new(RecordQueue::new(1_000)),
            correlations: Arc::new(CorrelationSource::starting_at(now.wall)),
            random,
            loops: 1,
        });
        Self {
            server: Server::new(0, Arc::clone(&shared)),
            shared,
            now,
            last: None,
        }
    }

    /// What a packet loop does with a datagram; gives the reply.
    pub(crate) fn serve(&mut self, door: Door, from: SocketAddr, octets: &[u8]) -> Vec<u8> {
        let (server, now) = (&mut self.server, self.now);
        measured(|| {
            server.handle_datagram(now, door, from, octets);
            if !server.accounting().is_empty() {
                server.handle_recorded(now);
            }
            server.handle_timeout(now);
        });
        self.take()
    }

    /// The reply that is to be sent, if there is one.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let reply = self.server.transmits().next();
        let reply = reply.map_or_else(Vec::new, |transmit| transmit.octets.to_vec());
        let server = &mut self.server;
        measured(|| server.clear_transmits());
        // The journal's thread does this.
        while let Some(record) = self.shared.records.pop() {
            self.last = Some(record);
        }
        reply
    }
}

/// The packet path.
pub(crate) fn run(over: &mut dyn FnMut(&str, u32)) {
    let mut gateway = Gateway::new(None, noon());
    let mut nas = Nas::new("192.0.2.1:1812", SECRET);
    for (name, door, ask) in KINDS {
        let requests: Vec<Vec<u8>> = (0..REQUESTS + WARM_UP).map(|n| ask(&mut nas, n)).collect();
        let (first, rest) = requests.split_at(usize::try_from(WARM_UP).unwrap_or(0));
        // Buffers and tables come into being with the first ones.
        for request in first {
            let reply = uncounted(&mut gateway, *door, nas.address, request);
            assert!(nas.answers(request, &reply), "{name}");
        }
        let mut replies = Vec::new();
        for request in rest {
            replies.push(gateway.serve(*door, nas.address, request));
        }
        over(&format!("packet: {name}"), REQUESTS);
        for (request, reply) in rest.iter().zip(&replies) {
            assert!(nas.answers(request, reply), "{name}");
        }
        if *name == "MAC authentication bypass" {
            line(over, &gateway);
            // Each of the last 200 once more: the stored reply.
            let again = rest.iter().zip(&replies).rev().take(REPEATED);
            for (request, reply) in again {
                let stored = gateway.serve(*door, nas.address, request);
                assert_eq!(stored, *reply, "a duplicate gets the same reply");
            }
            over("packet: duplicate", u32::try_from(REPEATED).unwrap_or(1));
        }
    }
}

/// Outside of what is counted: the same calls, not through `measured`.
fn uncounted(gateway: &mut Gateway, door: Door, from: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let (server, now) = (&mut gateway.server, gateway.now);
    server.handle_datagram(now, door, from, octets);
    if !server.accounting().is_empty() {
        server.handle_recorded(now);
    }
    let reply = server.transmits().next();
    let reply = reply.map_or_else(Vec::new, |transmit| transmit.octets.to_vec());
    server.clear_transmits();
    while gateway.shared.records.pop().is_some() {}
    reply
}

/// What the journal's thread writes about a decision.
fn line(over: &mut dyn FnMut(&str, u32), gateway: &Gateway) {
    let record = gateway.last.as_ref().expect("decisions were recorded");
    let point = &gateway.shared.point;
    for _ in 0..LINES {
        let line = measured(|| journal::render(record, point));
        assert!(line.contains("mab"), "{line}");
    }
    over("journal: a line", LINES);
}

type Ask = fn(&mut Nas, u32) -> Vec<u8>;

const KINDS: &[(&str, Door, Ask)] = &[
    ("MAC authentication bypass", AUTHENTICATION, bypass),
    ("PAP", AUTHENTICATION, password),
    ("accounting", ACCOUNTING, accounting),
    ("Status-Server", AUTHENTICATION, |nas, _| nas.status()),
];

/// As a switch sends it: name and password are the address.
fn bypass(nas: &mut Nas, number: u32) -> Vec<u8> {
    let station = mac(number % DEVICES);
    let name = station.to_string().replace(':', "");
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, name.as_bytes())
            .user_password(name.as_bytes())
            .integer(AttributeType::SERVICE_TYPE, 10);
        switch_port(request, station);
    })
}

fn password(nas: &mut Nas, number: u32) -> Vec<u8> {
    let mut name = [0; 32];
    let name = world::user_name(&mut name, number % DEVICES).to_owned();
    nas.access(|request| {
        request
            .octets(AttributeType::USER_NAME, name.as_bytes())
            .user_password(PASSWORD);
        switch_port(request, mac(number % DEVICES));
    })
}

fn switch_port(request: &mut portreeve::radius::RequestBuilder<'_, '_>, station: MacAddress) {
    request
        .octets(
            AttributeType::CALLING_STATION_ID,
            station.to_string().as_bytes(),
        )
        .octets(AttributeType::CALLED_STATION_ID, b"00-11-22-33-44-55:corp")
        .octets(AttributeType::NAS_IP_ADDRESS, &[192, 0, 2, 1])
        .integer(AttributeType::NAS_PORT, 13)
        .integer(AttributeType::NAS_PORT_TYPE, 19);
}

/// Start, Interim-Update and Stop of a hundred sessions in turn.
fn accounting(nas: &mut Nas, number: u32) -> Vec<u8> {
    let (session, status) = (format!("session-{}", number % 100), [1, 3, 2]);
    let status = status[usize::try_from(number / 100 % 3).unwrap_or(0)];
    nas.accounting(|request| {
        request
            .integer(AttributeType::ACCT_STATUS_TYPE, status)
            .octets(AttributeType::ACCT_SESSION_ID, session.as_bytes())
            .octets(AttributeType::USER_NAME, b"alice@contoso.com")
            .integer(AttributeType::ACCT_INPUT_OCTETS, number);
        switch_port(request, mac(number % DEVICES));
    })
}

/// The NASes, of which one asks.
pub(crate) fn table() -> NasTable {
    let networks = ["192.0.2.1/32", "192.0.2.0/24", "198.51.100.0/24"];
    let configs = networks.map(|network| NasConfig {
        name: network.into(),
        group: "office".into(),
        network: network.parse().expect("a network"),
        secret: Secret::new(SECRET.to_vec()),
        message_authenticator: MessageAuthenticatorPolicy::Require,
        accounting: true,
    });
    NasTable::new(configs.to_vec()).expect("sound entries")
}

fn enforcement() -> Enforcement {
    let vlan = |vlan: &str| Profile {
        attributes: [
            ("Tunnel-Type", "13"),
            ("Tunnel-Medium-Type", "6"),
            ("Tunnel-Private-Group-Id", vlan),
        ]
        .map(|(name, value)| Template::parse(name, value).expect("an attribute of ours"))
        .to_vec(),
        session_timeout: Some(Duration::from_secs(3600)),
        reply_message: None,
    };
    Enforcement {
        default: Profiles {
            allow: vlan("10"),
            allow_claimed: vlan("20"),
            quarantine: vlan("30"),
            block: vlan("40"),
        },
        groups: HashMap::new(),
    }
}

/// A password in the clear, compared at once.
#[derive(Debug)]
struct OneForAll;

impl Passwords for OneForAll {
    fn check(&self, _: &str, password: &[u8]) -> Check {
        if password == PASSWORD {
            Check::Accepted
        } else {
            Check::Refused
        }
    }
}

/// When the facts of the world are fresh and the certificates of `pki` valid.
pub(crate) fn noon() -> Now {
    Now {
        monotonic: Monotonic::from_elapsed(Duration::from_secs(3600)),
        wall: world::NOW,
    }
}

/// As the gateway takes them, of the TLS library's generator.
fn random(octets: &mut [u8]) {
    aws_lc_rs::rand::fill(octets).expect("the system has random numbers");
}

pub(crate) const AUTHENTICATION: Door = Door {
    role: Role::Authentication,
    socket: 0,
};
const ACCOUNTING: Door = Door {
    role: Role::Accounting,
    socket: 1,
};

/// What NAS and gateway share.
pub(crate) const SECRET: &[u8] = b"a secret of 24 octets...";

const PASSWORD: &[u8] = b"correct horse battery";

const DEVICES: u32 = 2_000;
const REQUESTS: u32 = 1_500;
const WARM_UP: u32 = 300;
const LINES: u32 = 200;

/// As many as a source's replies are kept.
const REPEATED: usize = 200;
